//! Compressed segments are read as before, by everything; torn tails are cut, and what was cut off is kept.

use crate::common::{TINY, append, expected, folder, frame, journaled, read, segment, write};
use spinward_engine::words::Nanos;
use spinward_recorder::{
    COMPACT_LEVEL, Compacted, CutCause, Followed, JournalConfig, JournalError, JournalFollower,
    JournalReader, JournalWriter, Preparer, StreamKind, compact, compact_one, is_in_use, repair, segments,
    verify,
};
use std::path::Path;

fn compress(folder: &Path) -> Compacted {
    compact(folder, StreamKind::Journal, COMPACT_LEVEL, |_| ()).unwrap()
}

fn compressed(folder: &Path, number: u64) -> std::path::PathBuf {
    folder.join(format!("{number:08}.seg.zst"))
}

#[test]
fn a_compressed_journal_is_the_same_journal_to_reader_follower_verify_and_zstd() {
    let folder = folder();
    let sizes = [96; 32 * 4];
    write(folder.path(), &TINY, &sizes, true);
    let before = verify(folder.path()).unwrap();
    let originals: Vec<_> =
        (0..4).map(|number| std::fs::read(segment(folder.path(), number)).unwrap()).collect();
    let done = compress(folder.path());
    assert_eq!((done.segments, done.compressed_before, done.unsealed), (4, 0, 0));
    assert!(done.bytes_after < done.bytes_before, "{done:?}");
    for (number, original) in (0..4).zip(&originals) {
        assert!(!segment(folder.path(), number).exists());
        let file = std::fs::File::open(compressed(folder.path(), number)).unwrap();
        assert_eq!(&zstd::decode_all(file).unwrap(), original, "zstd -d gives the segment back");
    }
    let after = verify(folder.path()).unwrap();
    assert_eq!((after.frames, after.chain, after.segments_compressed), (before.frames, before.chain, 4));
    assert_eq!(after.segments_chained, before.segments_chained);
    let (frames, end) = read(folder.path());
    assert_eq!(frames, expected(&sizes));
    assert!(end.unwrap().is_ended_by_writer());
    let mut follower = JournalFollower::new(folder.path());
    while matches!(follower.poll().unwrap(), Followed::Frame(_)) {}
    assert_eq!((follower.last_sequence(), follower.poll().unwrap()), (128, Followed::End));
    let listed = segments(folder.path()).unwrap();
    assert!(
        listed.iter().all(|segment| segment.state == "compressed" && segment.bytes < segment.bytes_written)
    );
    // Again: nothing is left to do.
    let again = compress(folder.path());
    assert_eq!((again.segments, again.compressed_before), (0, 4));
}

#[test]
fn compressing_beside_the_writer_disturbs_neither_it_nor_a_follower_and_a_killed_compressor_leaves_a_whole_journal()
 {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    let mut follower = JournalFollower::new(folder.path());
    for sequence in 1..=300 {
        append(&mut writer, &preparer, &frame(sequence, 96));
        while preparer.poll() > 0 {}
        if sequence % 70 == 0 {
            assert!(compress(folder.path()).segments > 0);
        }
        let Followed::Frame(seen) = follower.poll().unwrap() else { panic!("frame {sequence} is not seen") };
        assert_eq!(seen.to_frame(), journaled(&frame(sequence, 96)));
    }
    // A reader from the start sees compressed and written segments alike.
    assert_eq!(verify(folder.path()).unwrap().frames, 300);
    // Killed between the new file and the removal of the old one; and while writing the new one.
    let page = std::fs::read(compressed(folder.path(), 0)).unwrap();
    std::fs::write(segment(folder.path(), 0), zstd::decode_all(&page[..]).unwrap()).unwrap();
    std::fs::write(compressed(folder.path(), 0), &page[..page.len() / 2]).unwrap();
    std::fs::write(folder.path().join("00000001.seg.zst.new"), b"half").unwrap();
    assert_eq!(verify(folder.path()).unwrap().frames, 300);
    assert!(compress(folder.path()).segments > 0);
    assert!(!segment(folder.path(), 0).exists());
    writer.finish().unwrap();
    let found = verify(folder.path()).unwrap();
    assert_eq!((found.frames, found.is_ended_by_writer), (300, true));
}

#[test]
fn a_flipped_byte_in_a_compressed_segment_is_named_or_changes_nothing() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 96], true);
    compress(folder.path());
    let path = compressed(folder.path(), 1);
    let whole = std::fs::read(&path).unwrap();
    let mut unseen = 0;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x11;
        std::fs::write(&path, flipped).unwrap();
        match verify(folder.path()) {
            Ok(found) => {
                assert_eq!(found.frames, 96);
                unseen += 1;
            }
            Err(error) => assert!(error.to_string().contains("00000001.seg.zst"), "byte {at}: {error}"),
        }
    }
    // Bits of the zstd frame that mean nothing; what comes out is what was sealed, all the same.
    assert!(unseen <= 2, "{unseen} flipped bytes went unseen");
}

#[test]
fn a_damaged_segment_is_not_compressed() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 96], true);
    let path = segment(folder.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = compact(folder.path(), StreamKind::Journal, COMPACT_LEVEL, |_| ()).unwrap_err();
    assert!(
        matches!(&error, JournalError::Corrupt { .. }) && error.to_string().contains("00000001.seg"),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn reading_may_begin_at_a_frame_or_a_time_without_looking_at_what_lies_before() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 32 * 5], true);
    compact(folder.path(), StreamKind::Journal, 1, |_| ()).unwrap();
    // Records before the place are not read: damage there is not seen.
    std::fs::write(compressed(folder.path(), 1), {
        let mut bytes = std::fs::read(compressed(folder.path(), 1)).unwrap();
        let last = bytes.len() - 20;
        bytes[last] ^= 0xFF;
        bytes
    })
    .unwrap();
    assert!(verify(folder.path()).is_err());
    for wanted in [65, 70, 96, 97, 160, 1000] {
        let mut reader = JournalReader::open_at_frame(folder.path(), wanted).unwrap();
        let first = reader.next().unwrap().unwrap().sequence;
        assert!(first <= wanted && (wanted - first < 32 || wanted == 1000), "{wanted}: {first}");
        while reader.next().unwrap().is_some() {}
        assert_eq!((reader.last_sequence(), reader.is_ended_by_writer()), (160, true));
        // Frame n was received at 1,000,000 + n.
        let mut reader =
            JournalReader::open_at_time(folder.path(), Nanos::new(1_000_000 + wanted as i64)).unwrap();
        let first = reader.next().unwrap().unwrap().sequence;
        assert!(first <= wanted && (wanted - first < 32 || wanted == 1000), "{wanted}: {first}");
    }
    assert_eq!(JournalReader::open_at_frame(folder.path(), 1).unwrap().next().unwrap().unwrap().sequence, 1);
}

#[test]
fn the_segments_tell_where_nothing_before_a_time_comes_any_more() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 32 * 5], true);
    let last = |time| JournalReader::last_frame_before(folder.path(), Nanos::new(time)).unwrap();
    // Frame n was received at 1,000,000 + n; a segment has 32.
    for (time, wanted) in
        [(0, 0), (1_000_001, 0), (1_000_002, 32), (1_000_033, 32), (1_000_034, 64), (i64::MAX, 160)]
    {
        assert_eq!(last(time), Some(wanted), "{time}");
    }
    // What is not sealed may hold anything.
    let open = crate::common::folder();
    write(open.path(), &TINY, &[96; 40], false);
    assert_eq!(JournalReader::last_frame_before(open.path(), Nanos::new(1_000_002)).unwrap(), None);
}

#[test]
fn one_segment_is_compressed_at_a_time_and_only_if_it_is_wanted() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 96], true);
    let one = |wanted: &str| {
        let wants = |path: &Path| path.to_str().unwrap().ends_with(wanted);
        compact_one(folder.path(), StreamKind::Journal, COMPACT_LEVEL, wants)
            .unwrap()
            .map(|done| done.segments)
    };
    assert_eq!((one("nothing"), one("1.seg"), one("1.seg")), (None, Some(1), None));
    assert!(compressed(folder.path(), 1).exists() && segment(folder.path(), 0).exists());
    assert_eq!(verify(folder.path()).unwrap().frames, 96);
    // Of what is not sealed nothing is, whatever is wanted.
    let open = crate::common::folder();
    write(open.path(), &TINY, &[96; 20], false);
    assert_eq!(compact_one(open.path(), StreamKind::Journal, COMPACT_LEVEL, |_| true).unwrap(), None);
}

#[test]
fn a_torn_tail_is_cut_and_kept_beside_and_the_journal_is_clean_then() {
    let folder = folder();
    let sizes = [40, 96, 0, 13, 64];
    write(folder.path(), &TINY, &sizes, false);
    let path = segment(folder.path(), 0);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = 4096 + 72 + 128 + 32 + 48;
    bytes[last + 40] ^= 0xFF;
    std::fs::write(&path, &bytes).unwrap();
    std::fs::write(segment(folder.path(), 1), vec![0; 8192]).unwrap();
    let done = repair(folder.path(), StreamKind::Journal).unwrap();
    assert_eq!(done.cut.map(|cut| (cut.offset, cut.cause)), Some((last as u64, CutCause::Torn)));
    assert_eq!((done.last_sequence, done.removed, done.kept.len()), (4, 1, 1));
    assert_eq!(std::fs::read(&done.kept[0]).unwrap(), bytes[last..last + 96]);
    let (frames, end) = read(folder.path());
    assert_eq!(frames, expected(&sizes[..4]));
    let reader = end.unwrap();
    assert_eq!((reader.cut(), reader.is_ended_by_writer()), (None, false));
    // Again: nothing is left to do.
    assert_eq!(repair(folder.path(), StreamKind::Journal).unwrap().cut, None);
}

#[test]
fn every_cut_of_a_file_is_mended_by_repair() {
    let sizes = [40, 96, 0, 13, 64];
    for is_finished in [false, true] {
        for length in (0..4096 + 350).step_by(23) {
            let folder = folder();
            write(folder.path(), &TINY, &sizes, is_finished);
            let path = segment(folder.path(), 0);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..length]).unwrap();
            let found = verify(folder.path()).unwrap();
            assert!(found.cut.is_some());
            let done = repair(folder.path(), StreamKind::Journal).unwrap();
            assert_eq!(done.last_sequence, found.frames);
            match verify(folder.path()) {
                Ok(after) => assert_eq!((after.frames, after.cut), (found.frames, None), "cut at {length}"),
                Err(error) => {
                    assert!(length < 4096 && matches!(error, JournalError::Empty { .. }), "{error}")
                }
            }
        }
    }
}

#[test]
fn segments_behind_lost_pages_are_kept_beside() {
    let folder = folder();
    let preparer = Preparer::manual();
    let config = JournalConfig { segments_ahead: 3, ..TINY };
    let mut writer = JournalWriter::create(folder.path(), &config, &preparer).unwrap();
    (1..=80).for_each(|sequence| writer.append(&frame(sequence, 90)).unwrap());
    let copy = crate::common::folder();
    for number in 0..4 {
        let mut bytes = std::fs::read(segment(folder.path(), number)).unwrap();
        if number == 1 {
            bytes[4096..].fill(0);
        }
        std::fs::write(segment(copy.path(), number), bytes).unwrap();
    }
    let done = repair(copy.path(), StreamKind::Journal).unwrap();
    assert_eq!((done.last_sequence, done.kept.len(), done.removed), (32, 1, 1));
    let after = verify(copy.path()).unwrap();
    assert_eq!((after.frames, after.cut), (32, None));
}

#[test]
fn a_corrupt_middle_and_a_journal_in_use_are_not_repaired() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 96], true);
    let mut bytes = std::fs::read(segment(folder.path(), 1)).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(segment(folder.path(), 1), bytes).unwrap();
    assert!(matches!(repair(folder.path(), StreamKind::Journal), Err(JournalError::Corrupt { .. })));

    let live = crate::common::folder();
    let preparer = Preparer::manual();
    let writer = JournalWriter::create(live.path(), &TINY, &preparer).unwrap();
    assert!(is_in_use(live.path()).unwrap());
    let error = repair(live.path(), StreamKind::Journal).unwrap_err();
    assert!(matches!(error, JournalError::InUse { .. }), "{error}");
    drop(writer);
    assert!(!is_in_use(live.path()).unwrap());
}
