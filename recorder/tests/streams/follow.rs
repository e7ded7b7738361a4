//! Reading while writing.

use crate::common::{TINY, append, folder, frame, journaled};
use spinward_recorder::{AppendError, Followed, JournalConfig, JournalFollower, JournalWriter, Preparer};
use std::time::Duration;

#[test]
fn a_follower_sees_each_frame_as_soon_as_append_returns_and_the_end() {
    let folder = folder();
    let mut follower = JournalFollower::new(folder.path());
    assert_eq!(follower.next().unwrap(), Followed::Wait, "there is no journal yet");
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    for sequence in 1..=500 {
        assert_eq!(follower.next().unwrap(), Followed::Wait);
        let frame = frame(sequence, (sequence % 97) as usize);
        append(&mut writer, &preparer, &frame);
        let Followed::Frame(seen) = follower.next().unwrap() else { panic!("frame {sequence} is not seen") };
        assert_eq!(seen.to_frame(), journaled(&frame));
    }
    assert_eq!(follower.next().unwrap(), Followed::Wait);
    writer.finish().unwrap();
    assert_eq!(follower.next().unwrap(), Followed::End);
    assert_eq!(follower.next().unwrap(), Followed::End);
    assert_eq!(follower.last_sequence(), 500);
}

#[test]
fn a_follower_on_another_thread_sees_every_frame_whole_while_segments_come_and_go() {
    let folder = folder();
    let preparer = Preparer::start().unwrap();
    let config =
        JournalConfig { segment_bytes: 1 << 16, flush_interval: Duration::ZERO, segments_ahead: 2, ..TINY };
    let mut writer = JournalWriter::create(folder.path(), &config, &preparer).unwrap();
    const COUNT: u64 = 20_000;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut follower = JournalFollower::new(folder.path());
            loop {
                let next = follower.last_sequence() + 1;
                match follower.next().unwrap() {
                    Followed::Frame(seen) => {
                        assert_eq!(seen.to_frame(), journaled(&frame(next, (next % 97) as usize)));
                    }
                    Followed::Wait => std::thread::yield_now(),
                    Followed::End => break,
                }
            }
            assert_eq!(follower.last_sequence(), COUNT);
        });
        for sequence in 1..=COUNT {
            let frame = frame(sequence, (sequence % 97) as usize);
            while writer.append(&frame) == Err(AppendError::NoSegment) {
                std::thread::yield_now();
            }
        }
        writer.finish().unwrap();
    });
}
