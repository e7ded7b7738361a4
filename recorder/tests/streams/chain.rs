//! Whoever changes a sealed journal is found out, also if every CRC was put right again.

use crate::common::{TINY, crc32c, folder, put, segment, write};
use spinward_recorder::{JournalError, chain_text, segments, verify};
use std::path::Path;

/// Five segments of 32 frames, sealed.
const COUNT: u64 = 5;
const SIZES: [usize; 32 * COUNT as usize] = [96; 32 * COUNT as usize];

fn journal() -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), &TINY, &SIZES, true);
    folder
}

fn load(folder: &Path, number: u64) -> Vec<u8> {
    std::fs::read(segment(folder, number)).unwrap()
}

fn store(folder: &Path, number: u64, bytes: &[u8]) {
    std::fs::write(segment(folder, number), bytes).unwrap();
}

/// Puts every CRC of a segment right, as somebody would who knows the format: header, records, seal. With its digest, if wanted.
fn forge(bytes: &mut [u8], with_digest: bool) {
    let header_crc = crc32c(0, &bytes[..56]);
    put(bytes, 56, &header_crc.to_le_bytes());
    let end = u64::from_le_bytes(bytes[136..144].try_into().unwrap()) as usize;
    let mut at = 4096;
    while at < end {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let crc = crc32c(header_crc, &bytes[at + 8..at + length]);
        put(bytes, at + 4, &crc.to_le_bytes());
        at += length;
    }
    if with_digest {
        let digest = blake3::hash(&[&bytes[..64], &bytes[4096..end], &bytes[136..224]].concat());
        put(bytes, 224, digest.as_bytes());
    }
    let crc = crc32c(header_crc, &bytes[136..256]);
    put(bytes, 128, &crc.to_le_bytes());
}

#[track_caller]
fn named(folder: &Path, name: &str, what: &str) {
    let error = verify(folder).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(name) && text.contains(what), "{text}");
}

#[test]
fn each_seal_holds_the_digest_of_the_segment_before_it_and_the_range_of_its_times() {
    let folder = journal();
    let found = verify(folder.path()).unwrap();
    assert_eq!((found.segments, found.segments_chained), (COUNT, COUNT));
    let mut before = [0u8; 32];
    for (number, listed) in (0..COUNT).zip(segments(folder.path()).unwrap()) {
        let bytes = load(folder.path(), number);
        assert_eq!(bytes[192..224], before);
        before = bytes[224..256].try_into().unwrap();
        assert_eq!(listed.digest, Some(chain_text(&before)));
        let first = 1_000_001 + 32 * number as i64;
        assert_eq!(listed.times_ns, Some((first, first + 31)));
        assert_eq!(listed.records, Some(32));
    }
    assert_eq!(found.chain, Some(before));
}

#[test]
fn a_flipped_byte_anywhere_in_any_segment_is_named_by_segment() {
    let folder = journal();
    for number in 0..COUNT {
        let whole = load(folder.path(), number);
        for at in (0..whole.len()).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x04;
            store(folder.path(), number, &flipped);
            let error = verify(folder.path()).map(|found| panic!("{number} {at}: {found:?}")).unwrap_err();
            let name = format!("{number:08}.seg");
            assert!(error.to_string().contains(&name), "segment {number} byte {at}: {error}");
        }
        store(folder.path(), number, &whole);
    }
    assert_eq!(verify(folder.path()).unwrap().frames, 32 * COUNT);
}

#[test]
fn a_segment_rewritten_with_every_crc_put_right_is_named() {
    for number in 0..COUNT {
        let folder = journal();
        let mut bytes = load(folder.path(), number);
        bytes[4096 + 128 + 40] ^= 0x01; // a price, say
        forge(&mut bytes, false);
        store(folder.path(), number, &bytes);
        named(folder.path(), &format!("{number:08}.seg"), "not those that were sealed");
    }
}

#[test]
fn a_segment_rewritten_with_its_digest_is_found_out_by_the_next_one_and_the_last_one_by_whoever_kept_the_digest()
 {
    for number in 0..COUNT {
        let folder = journal();
        let kept = verify(folder.path()).unwrap().chain;
        let mut bytes = load(folder.path(), number);
        bytes[4096 + 128 + 40] ^= 0x01;
        forge(&mut bytes, true);
        store(folder.path(), number, &bytes);
        if number + 1 < COUNT {
            named(
                folder.path(),
                &format!("{:08}.seg", number + 1),
                &format!("another segment {number:08}.seg"),
            );
        } else {
            assert_ne!(verify(folder.path()).unwrap().chain, kept);
        }
    }
}

#[test]
fn a_segment_removed_from_the_middle_is_named_also_if_all_behind_it_are_moved_up_and_numbered_anew() {
    for removed in 1..COUNT - 1 {
        let folder = journal();
        let kept = verify(folder.path()).unwrap().chain;
        std::fs::remove_file(segment(folder.path(), removed)).unwrap();
        let error = verify(folder.path()).unwrap_err();
        assert!(matches!(error, JournalError::MissingSegment { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{removed:08}.seg")), "{error}");
        // Moved up, with numbers and CRCs put right.
        for number in removed + 1..COUNT {
            let mut bytes = load(folder.path(), number);
            put(&mut bytes, 24, &(number - 1).to_le_bytes());
            forge(&mut bytes, true);
            std::fs::remove_file(segment(folder.path(), number)).unwrap();
            store(folder.path(), number - 1, &bytes);
        }
        named(folder.path(), &format!("{removed:08}.seg"), "does not begin with record");
        // The records numbered anew as well.
        for number in removed..COUNT - 1 {
            let mut bytes = load(folder.path(), number);
            put(&mut bytes, 32, &(32 * number + 1).to_le_bytes());
            put(&mut bytes, 144, &(32 * number + 32).to_le_bytes());
            for record in 0..32 {
                put(&mut bytes, 4096 + 128 * record + 8, &(32 * number + record as u64 + 1).to_le_bytes());
            }
            forge(&mut bytes, true);
            store(folder.path(), number, &bytes);
        }
        named(folder.path(), &format!("{removed:08}.seg"), "one between them removed");
        // Only whoever forges all seals behind it too comes through, and then the last digest is another one.
        for number in removed..COUNT - 1 {
            let before = load(folder.path(), number - 1);
            let mut bytes = load(folder.path(), number);
            put(&mut bytes, 192, &before[224..256]);
            forge(&mut bytes, true);
            store(folder.path(), number, &bytes);
        }
        assert_ne!(verify(folder.path()).unwrap().chain, kept);
    }
}

#[test]
fn two_segments_that_were_swapped_are_named() {
    let folder = journal();
    let (one, two) = (load(folder.path(), 1), load(folder.path(), 2));
    store(folder.path(), 1, &two);
    store(folder.path(), 2, &one);
    named(folder.path(), "00000001.seg", "its number is not that of its name");
    // With the numbers put right, too.
    for (number, bytes) in [(1u64, &two), (2, &one)] {
        let mut bytes = bytes.clone();
        put(&mut bytes, 24, &number.to_le_bytes());
        forge(&mut bytes, true);
        store(folder.path(), number, &bytes);
    }
    named(folder.path(), "00000001.seg", "does not begin with record");
}

#[test]
fn a_seal_that_was_taken_away_is_named_as_long_as_another_one_follows() {
    let folder = journal();
    let mut bytes = load(folder.path(), 2);
    bytes[128..256].fill(0);
    bytes.resize(8192, 0);
    store(folder.path(), 2, &bytes);
    named(folder.path(), "00000002.seg", "its seal is gone");
}

#[test]
fn a_seal_that_tells_of_other_times_than_its_records_is_named_by_every_reader() {
    let folder = journal();
    let mut bytes = load(folder.path(), 1);
    put(&mut bytes, 176, &5i64.to_le_bytes());
    forge(&mut bytes, true);
    store(folder.path(), 1, &bytes);
    named(folder.path(), "00000001.seg", "other receive times");
    let (_, end) = crate::common::read(folder.path());
    assert!(end.unwrap_err().to_string().contains("other receive times"));
}
