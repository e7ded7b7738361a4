//! Reading while writing.

use crate::common::{TINY, append, folder, frame, journaled};
use spinward_recorder::{
    AppendError, Followed, JournalConfig, JournalFollower, JournalReader, JournalWriter, Preparer,
};
use std::time::Duration;

#[test]
fn a_follower_sees_each_frame_as_soon_as_append_returns_and_the_end() {
    let folder = folder();
    let mut follower = JournalFollower::new(folder.path());
    assert_eq!(follower.poll().unwrap(), Followed::Wait, "there is no journal yet");
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    for sequence in 1..=500 {
        assert_eq!(follower.poll().unwrap(), Followed::Wait);
        let frame = frame(sequence, (sequence % 97) as usize);
        append(&mut writer, &preparer, &frame);
        let Followed::Frame(seen) = follower.poll().unwrap() else { panic!("frame {sequence} is not seen") };
        assert_eq!(seen.to_frame(), journaled(&frame));
    }
    assert_eq!(follower.poll().unwrap(), Followed::Wait);
    writer.finish().unwrap();
    assert_eq!(follower.poll().unwrap(), Followed::End);
    assert_eq!(follower.poll().unwrap(), Followed::End);
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
                match follower.poll().unwrap() {
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

/// A reader is no follower, but whoever reads a session that runs sees a whole beginning of it, however slow it reads: what it has read of a segment may be
/// older than what it then finds behind it.
#[test]
fn a_reader_that_is_slower_than_the_writer_gives_all_that_was_there_and_finds_no_damage() {
    let sizes = vec![96; 400];
    for begun in [0, 1, 31, 32, 33, 70] {
        let folder = folder();
        let preparer = Preparer::manual();
        let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
        let frames: Vec<_> = (1..).zip(&sizes).map(|(sequence, bytes)| frame(sequence, *bytes)).collect();
        let (before, after) = frames.split_at(begun);
        before.iter().for_each(|frame| append(&mut writer, &preparer, frame));
        let mut reader = JournalReader::open(folder.path()).unwrap();
        after.iter().for_each(|frame| append(&mut writer, &preparer, frame));
        writer.finish().unwrap();
        let mut count = 0;
        while let Some(frame) = reader.next().unwrap() {
            count += 1;
            assert_eq!(frame.sequence, count);
        }
        assert_eq!((count, reader.cut()), (400, None), "{begun} frames were there at first");
    }
}
