//! Every byte cut, every byte flipped: what is whole is given, the rest is named.

use crate::common::{IDENTITY, TINY, append, expected, folder, frame, read, segment, write};
use proptest::prelude::*;
use spinward_recorder::{CutCause, JournalConfig, JournalError, JournalWriter, Preparer, verify};
use std::path::Path;

const SIZES: [usize; 5] = [40, 96, 0, 13, 64];

/// Bytes of a segment without its unused tail: where its last record ends.
fn end_of(sizes: &[usize]) -> usize {
    4096 + sizes.iter().map(|bytes| 32 + bytes.next_multiple_of(8)).sum::<usize>()
}

fn starts_of(sizes: &[usize]) -> Vec<usize> {
    (0..=sizes.len()).map(|count| end_of(&sizes[..count])).collect()
}

#[test]
fn a_file_cut_at_every_byte_gives_the_records_before_the_cut_and_reports_it() {
    for is_finished in [false, true] {
        let folder = folder();
        write(folder.path(), &TINY, &SIZES, is_finished);
        let whole = std::fs::read(segment(folder.path(), 0)).unwrap();
        let starts = starts_of(&SIZES);
        for length in 0..end_of(&SIZES) {
            std::fs::write(segment(folder.path(), 0), &whole[..length]).unwrap();
            let kept = starts.iter().filter(|&&start| start <= length).count().saturating_sub(1);
            let (frames, end) = read(folder.path());
            assert_eq!(frames, expected(&SIZES[..kept]), "cut at {length}");
            let reader = end.unwrap_or_else(|error| panic!("cut at {length}: {error}"));
            let cut = reader.cut().unwrap_or_else(|| panic!("cut at {length} is not reported"));
            assert_eq!((cut.last_sequence, cut.cause), (kept as u64, CutCause::ShortFile), "cut at {length}");
            if length >= 4096 {
                assert_eq!(cut.offset, starts[kept] as u64);
                assert!(cut.bytes <= (length - starts[kept]) as u64);
            }
            assert!(!reader.is_ended_by_writer());
        }
    }
}

#[test]
fn a_record_that_was_not_published_at_the_kill_is_a_torn_tail() {
    let folder = folder();
    write(folder.path(), &TINY, &SIZES, false);
    let whole = std::fs::read(segment(folder.path(), 0)).unwrap();
    let last = end_of(&SIZES[..4]);
    // The writer stores the body first: its length is still zero, its body is there up to some byte.
    for stored in last + 8..=end_of(&SIZES) {
        let mut torn = whole.clone();
        torn[last..last + 8].fill(0);
        torn[stored..].fill(0);
        std::fs::write(segment(folder.path(), 0), torn).unwrap();
        let (frames, end) = read(folder.path());
        assert_eq!(frames, expected(&SIZES[..4]));
        let reader = end.unwrap();
        match reader.cut() {
            Some(cut) => {
                assert_eq!((cut.offset, cut.last_sequence), (last as u64, 4));
                assert_eq!(cut.cause, CutCause::Torn);
                assert!(cut.bytes <= (stored - last) as u64);
            }
            None => assert_eq!(stored, last + 8, "nothing was stored yet"),
        }
    }
}

/// Flips bits of every byte; the reader must give a prefix and either name the place or call it a torn tail (of the last record).
fn flip_every_byte(folder: &Path, number: u64, sizes: &[usize], first_record: usize, is_sealed: bool) {
    let path = segment(folder, number);
    let whole = std::fs::read(&path).unwrap();
    let count_here = sizes.len() - first_record;
    let starts = starts_of(&sizes[first_record..]);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    for at in 0..whole.len() {
        for mask in [0x01, 0x80, 0xFF] {
            let mut flipped = whole.clone();
            flipped[at] ^= mask;
            std::fs::write(&path, flipped).unwrap();
            let (frames, end) = read(folder);
            assert!(frames.len() <= sizes.len());
            assert_eq!(frames, expected(sizes)[..frames.len()], "byte {at} mask {mask:#x}");
            let here = starts.iter().filter(|&&start| start <= at).count();
            match end {
                Ok(reader) => {
                    if !is_sealed && (136..256).contains(&at) {
                        // Body of a seal whose first word says that it was never published: means nothing yet.
                        assert!(reader.cut().is_none() && frames.len() == sizes.len());
                        continue;
                    }
                    let cut = reader.cut().unwrap_or_else(|| panic!("byte {at} mask {mask:#x} went unseen"));
                    assert!(!is_sealed, "byte {at}: a sealed segment has no torn tail");
                    // Only the last record, or the tail behind it.
                    assert!(here >= count_here, "byte {at} mask {mask:#x}: {cut:?}");
                    assert_eq!(cut.cause, CutCause::Torn, "byte {at}");
                    assert_eq!(frames.len(), first_record + (here - 1), "byte {at}");
                }
                Err(error @ (JournalError::Corrupt { .. } | JournalError::Foreign { .. })) => {
                    assert!(error.to_string().contains(&name), "byte {at}: {error}");
                    if let JournalError::Corrupt { offset, last_sequence, .. } = error {
                        assert_eq!(last_sequence, frames.len() as u64);
                        let record = starts.get(here.wrapping_sub(1)).copied().unwrap_or(0);
                        // The damaged record, the damaged byte itself, or the header or seal it belongs to.
                        assert!(
                            offset == record as u64 || offset == at as u64 || (at < 4096 && offset < 4096),
                            "byte {at} mask {mask:#x} is named as {offset}"
                        );
                    }
                }
                Err(JournalError::NewerVersion { .. }) => assert!((8..12).contains(&at)),
                Err(error) => panic!("byte {at}: {error}"),
            }
        }
    }
    std::fs::write(&path, whole).unwrap();
}

#[test]
fn a_flipped_byte_is_named_by_segment_and_offset_or_is_the_torn_last_record() {
    let open = folder();
    write(open.path(), &TINY, &SIZES, false);
    flip_every_byte(open.path(), 0, &SIZES, 0, false);
    let sealed = folder();
    write(sealed.path(), &TINY, &SIZES, true);
    flip_every_byte(sealed.path(), 0, &SIZES, 0, true);
}

#[test]
fn a_flipped_byte_in_a_segment_before_the_last_one_is_never_a_torn_tail() {
    // The first segment is full with 32 frames of 128 bytes; the preparer has not sealed it.
    let sizes = [96; 34];
    let folder = folder();
    write(folder.path(), &TINY, &sizes, false);
    let path = segment(folder.path(), 0);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(13) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&path, flipped).unwrap();
        let (frames, end) = read(folder.path());
        assert_eq!(frames, expected(&sizes)[..frames.len()]);
        let error = end.map(|reader| panic!("byte {at}: {reader:?}")).unwrap_err();
        assert!(error.to_string().contains("00000000.seg"), "byte {at}: {error}");
    }
}

#[test]
fn a_missing_segment_is_named() {
    let sizes = [96; 32 * 4];
    for is_finished in [false, true] {
        for missing in 0..3 {
            let folder = folder();
            write(folder.path(), &TINY, &sizes, is_finished);
            std::fs::remove_file(segment(folder.path(), missing)).unwrap();
            let error = verify(folder.path()).unwrap_err();
            let JournalError::MissingSegment { path, last_sequence } = &error else { panic!("{error}") };
            assert_eq!((path, *last_sequence), (&segment(folder.path(), missing), 32 * missing));
        }
    }
}

#[test]
fn the_last_segment_of_a_finished_journal_cannot_go_missing_unseen() {
    let folder = folder();
    write(folder.path(), &TINY, &[96; 32 * 3], true);
    std::fs::remove_file(segment(folder.path(), 2)).unwrap();
    let error = verify(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::MissingSegment { .. }), "{error}");
}

#[test]
fn a_segment_of_another_session_is_refused() {
    let (one, two) = (folder(), folder());
    write(one.path(), &TINY, &[96; 96], true);
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(two.path(), &TINY, &preparer).unwrap();
    (1..=96).for_each(|sequence| append(&mut writer, &preparer, &frame(sequence, 96)));
    writer.finish().unwrap();
    std::fs::copy(segment(two.path(), 1), segment(one.path(), 1)).unwrap();
    let error = verify(one.path()).unwrap_err();
    assert!(error.to_string().contains("another session"), "{error}");
    std::fs::copy(segment(one.path(), 0), segment(one.path(), 1)).unwrap();
    let error = verify(one.path()).unwrap_err();
    assert!(error.to_string().contains("its number is not that of its name"), "{error}");
}

#[test]
fn a_file_with_bytes_behind_its_segment_is_refused() {
    let folder = folder();
    write(folder.path(), &TINY, &SIZES, false);
    let mut bytes = std::fs::read(segment(folder.path(), 0)).unwrap();
    bytes.push(0);
    std::fs::write(segment(folder.path(), 0), bytes).unwrap();
    assert!(verify(folder.path()).unwrap_err().to_string().contains("longer than the segment"));
}

#[test]
fn prepared_segments_that_were_never_used_are_no_damage() {
    let folder = folder();
    write(folder.path(), &TINY, &SIZES, false);
    // As a kill leaves them: reserved, all zeros; the youngest not even reserved.
    std::fs::write(segment(folder.path(), 1), vec![0; 8192]).unwrap();
    std::fs::write(segment(folder.path(), 2), []).unwrap();
    let verification = verify(folder.path()).unwrap();
    assert_eq!((verification.frames, verification.cut), (5, None));
    assert_eq!((verification.segments, verification.segments_unused), (1, 2));
}

#[test]
fn a_prepared_segment_behind_the_end_is_no_damage_and_one_with_a_header_is() {
    // A power cut right after the end can bring back the files of prepared segments that were removed.
    let folder = folder();
    write(folder.path(), &TINY, &SIZES, true);
    std::fs::write(segment(folder.path(), 1), vec![0; 8192]).unwrap();
    let verification = verify(folder.path()).unwrap();
    assert_eq!(
        (verification.frames, verification.is_ended_by_writer, verification.segments_unused),
        (5, true, 1)
    );
    let mut bytes = std::fs::read(segment(folder.path(), 0)).unwrap();
    bytes[24] = 1;
    std::fs::write(segment(folder.path(), 1), bytes).unwrap();
    let error = verify(folder.path()).unwrap_err();
    assert!(error.to_string().contains("behind the one that ends the stream"), "{error}");
}

#[test]
fn pages_lost_in_a_power_cut_are_a_cut_and_not_corruption_but_only_before_the_seal() {
    let config = JournalConfig { segment_bytes: 32768, ..TINY };
    let sizes = [61usize; 260];
    for (is_finished, page) in [(false, 2), (false, 4), (true, 2)] {
        let folder = folder();
        write(folder.path(), &config, &sizes, is_finished);
        let mut bytes = std::fs::read(segment(folder.path(), 0)).unwrap();
        bytes[page * 4096..(page + 1) * 4096].fill(0);
        std::fs::write(segment(folder.path(), 0), bytes).unwrap();
        let (frames, end) = read(folder.path());
        assert_eq!(frames, expected(&sizes)[..frames.len()]);
        assert_eq!(frames.len(), (page - 1) * 4096 / 96);
        if is_finished {
            assert!(matches!(end, Err(JournalError::Corrupt { .. })));
            continue;
        }
        let reader = end.unwrap();
        let cut = reader.cut().unwrap();
        assert_eq!(cut.cause, CutCause::LostPages);
        assert!(cut.bytes > 4096, "whole records behind the hole are lost, and told: {cut:?}");
    }
}

#[test]
fn a_header_page_lost_in_a_power_cut_is_a_cut_where_the_segment_begins() {
    // Three segments in use, none sealed.
    let folder = folder();
    let preparer = Preparer::manual();
    let config = JournalConfig { segments_ahead: 3, ..TINY };
    let mut writer = JournalWriter::create_as(folder.path(), &config, &preparer, IDENTITY).unwrap();
    (1..=80).for_each(|sequence| writer.append(&frame(sequence, 90)).unwrap());
    let mut bytes = std::fs::read(segment(folder.path(), 2)).unwrap();
    bytes[..4096].fill(0);
    std::fs::write(folder.path().join("lost"), bytes).unwrap();
    std::fs::rename(folder.path().join("lost"), segment(folder.path(), 2)).unwrap();
    let verification = verify(folder.path()).unwrap();
    assert_eq!(verification.frames, 64);
    assert_eq!(verification.cut.map(|cut| cut.cause), Some(CutCause::LostPages));
    drop(writer);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(300), ..ProptestConfig::default() })]
    #[test]
    fn no_damage_makes_the_reader_panic_or_give_a_frame_that_was_not_written(
        sizes in prop::collection::vec(0usize..=96, 1..120),
        is_finished in any::<bool>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 1usize..9), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = folder();
        write(folder.path(), &TINY, &sizes, is_finished);
        let mut paths: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for (file, at, value, count) in damages {
            let path = file.get(&paths);
            let mut bytes = std::fs::read(path).unwrap();
            let at = at.index(bytes.len());
            bytes.iter_mut().skip(at).take(count).for_each(|byte| *byte = value);
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if !bytes.is_empty() {
                std::fs::write(path, bytes).unwrap();
            }
        }
        let (frames, _) = read(folder.path());
        prop_assert!(frames.len() <= sizes.len());
        prop_assert_eq!(&frames, &expected(&sizes[..frames.len()]));
    }
}
