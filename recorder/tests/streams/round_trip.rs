//! What is appended comes back: all sizes, all segment edges, finished or not, and one writer a folder.

use crate::common::{IDENTITY, TINY, append, expected, folder, frame, journaled, read, segment, write};
use proptest::prelude::*;
use spinward_recorder::{
    AppendError, JournalConfig, JournalError, JournalReader, JournalWriter, Preparer, verify,
};
use std::time::Duration;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn frames_of_every_size_come_back_across_tiny_segments(
        sizes in prop::collection::vec(0usize..=96, 0..400),
        ahead in 1usize..4,
        is_finished in any::<bool>(),
    ) {
        let folder = folder();
        let config = JournalConfig { segments_ahead: ahead, ..TINY };
        write(folder.path(), &config, &sizes, is_finished);
        let (frames, end) = read(folder.path());
        let reader = end.unwrap();
        prop_assert_eq!(&frames, &expected(&sizes));
        prop_assert_eq!(reader.cut(), None);
        prop_assert_eq!(reader.is_ended_by_writer(), is_finished);
        let verification = verify(folder.path()).unwrap();
        prop_assert_eq!(verification.frames, sizes.len() as u64);
        prop_assert_eq!(verification.payload_bytes, sizes.iter().sum::<usize>() as u64);
        prop_assert_eq!(verification.identity, Some(IDENTITY));
        prop_assert_eq!(verification.segments_unused, 0);
        prop_assert_eq!(verification.first_time, frames.first().map(|frame| frame.header.receive_time));
        prop_assert_eq!(verification.last_time, frames.last().map(|frame| frame.header.receive_time));
    }
}

#[test]
fn segments_of_sixty_four_mebibytes_by_default_and_a_finished_file_gives_its_tail_back() {
    let folder = folder();
    let config = JournalConfig { segments_ahead: 1, ..JournalConfig::default() };
    write(folder.path(), &config, &[96; 10], false);
    assert_eq!(segment(folder.path(), 0).metadata().unwrap().len(), 64 << 20);
    let finished = crate::common::folder();
    write(finished.path(), &config, &[96; 10], true);
    assert_eq!(segment(finished.path(), 0).metadata().unwrap().len(), 8192);
    assert!(!segment(finished.path(), 1).exists(), "a prepared segment stayed");
}

#[test]
fn records_that_fill_a_segment_to_its_last_byte_need_no_end_marker() {
    // 32 records of 128 bytes fill the 4096 bytes behind the header.
    for (count, is_finished) in [(32, false), (32, true), (64, false), (64, true), (65, true)] {
        let folder = folder();
        write(folder.path(), &TINY, &vec![96; count], is_finished);
        let (frames, end) = read(folder.path());
        assert_eq!(frames, expected(&vec![96; count]));
        assert_eq!(
            (end.as_ref().unwrap().cut(), end.as_ref().unwrap().is_ended_by_writer()),
            (None, is_finished)
        );
    }
}

#[test]
fn a_second_writer_is_refused_while_the_first_one_writes_and_after_it_has_finished() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut first = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    first.append(&frame(1, 10)).unwrap();
    let refused = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("by process {}", std::process::id())), "{refused}");
    first.append(&frame(2, 10)).unwrap();
    first.finish().unwrap();
    let refused = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap_err();
    assert!(matches!(refused, JournalError::AlreadyWritten { .. }), "{refused}");
    assert!(refused.to_string().contains("start a new session"), "{refused}");
    assert_eq!(verify(folder.path()).unwrap().frames, 2);
}

#[test]
fn a_frame_out_of_order_is_refused_and_changes_nothing() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    assert_eq!(writer.append(&frame(2, 1)), Err(AppendError::OutOfOrder));
    writer.append(&frame(1, 1)).unwrap();
    assert_eq!(writer.append(&frame(1, 1)), Err(AppendError::OutOfOrder));
    assert_eq!(writer.append(&frame(3, 1)), Err(AppendError::OutOfOrder));
    let mut long = frame(2, 96);
    long.header.bytes = 97;
    assert_eq!(writer.append(&long), Err(AppendError::TooLong));
    assert_eq!(writer.appended(), 1);
    writer.append(&frame(2, 1)).unwrap();
    writer.finish().unwrap();
    assert_eq!(verify(folder.path()).unwrap().frames, 2);
}

#[test]
fn without_a_prepared_segment_append_says_so_and_the_same_frame_goes_in_later() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    let mut sequence = 1;
    while writer.append(&frame(sequence, 96)).is_ok() {
        sequence += 1;
    }
    assert_eq!(sequence, 65, "two segments were prepared, each has room for 32 frames");
    assert_eq!(writer.append(&frame(sequence, 96)), Err(AppendError::NoSegment));
    assert_eq!(writer.counters().no_segment.value(), 2);
    assert!(preparer.poll() > 0);
    writer.append(&frame(sequence, 96)).unwrap();
    assert_eq!((writer.appended(), writer.counters().records.value()), (65, 65));
    writer.finish().unwrap();
    assert_eq!(verify(folder.path()).unwrap().frames, 65);
}

#[test]
fn a_preparer_with_its_own_thread_serves_several_streams_and_flushes_them() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let preparer = Preparer::start().unwrap();
    let config =
        JournalConfig { segment_bytes: 1 << 16, flush_interval: Duration::ZERO, segments_ahead: 2, ..TINY };
    let mut writers =
        [&one, &two].map(|folder| JournalWriter::create(folder.path(), &config, &preparer).unwrap());
    for sequence in 1..=5_000 {
        for writer in &mut writers {
            while writer.append(&frame(sequence, 96)) == Err(AppendError::NoSegment) {
                std::thread::yield_now();
            }
        }
    }
    for (writer, folder) in writers.into_iter().zip([&one, &two]) {
        let counters = writer.preparer_counters();
        let appended = writer.counters();
        let finished = writer.finish().unwrap();
        assert_eq!((finished.records, finished.last_sequence, finished.segments), (5_000, 5_000, 11));
        assert_eq!(counters.segments_sealed.value(), 11);
        assert_eq!(counters.flushed_sequence.value(), 5_000);
        assert!(counters.flushes.value() > 0 && counters.flush_ns_max.value() > 0);
        assert!(counters.unflushed_ns_max.value() > 0 && counters.prepare_ns_max.value() > 0);
        assert_eq!(counters.flushed_bytes.value(), 11 * 4096 + appended.bytes.value());
        assert_eq!(verify(folder.path()).unwrap().frames, 5_000);
    }
}

#[test]
fn a_folder_without_segments_is_named() {
    let folder = folder();
    let error = JournalReader::open(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::Empty { .. }), "{error}");
    assert!(JournalReader::open(&folder.path().join("nowhere")).unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn sizes_out_of_range_are_refused_by_name() {
    let folder = folder();
    let preparer = Preparer::manual();
    for (config, key) in [
        (JournalConfig { segment_bytes: 4096, ..TINY }, "segment_bytes"),
        (JournalConfig { segment_bytes: 10_000, ..TINY }, "segment_bytes"),
        (JournalConfig { segment_bytes: 1 << 40, ..TINY }, "segment_bytes"),
        (JournalConfig { segments_ahead: 0, ..TINY }, "segments_ahead"),
        (JournalConfig { segments_ahead: 65, ..TINY }, "segments_ahead"),
    ] {
        let error = JournalWriter::create(folder.path(), &config, &preparer).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn the_stamp_and_what_lies_behind_the_payload_are_not_journaled() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create_as(folder.path(), &TINY, &preparer, IDENTITY).unwrap();
    append(&mut writer, &preparer, &frame(1, 3));
    writer.finish().unwrap();
    let bytes = std::fs::read(segment(folder.path(), 0)).unwrap();
    // The identity is fixed, so no CRC and no session number holds these bytes by chance.
    assert!(!bytes.contains(&0xAA) && !bytes.windows(4).any(|four| four == 0xDEAD_BEEFu32.to_le_bytes()));
    assert_eq!(read(folder.path()).0, [journaled(&frame(1, 3))]);
}
