//! Versions 1 and 2 of the format, put together byte by byte from `docs/journal-format.md` and not by our writer.

use crate::common::{IDENTITY, TINY, crc32c, folder, put, read, segment};
use spinward_engine::words::{Frame, FrameHeader, Nanos, SourceId};
use spinward_recorder::{JournalError, JournalReader, JournalWriter, Preparer, verify};
use std::path::Path;

/// One segment of 8192 bytes with three frames, sealed and cut to its pages.
fn golden(version: u32) -> Vec<u8> {
    let mut file = vec![0u8; 8192];
    // Segment header.
    put(&mut file, 0, b"SPWJRNL\0");
    put(&mut file, 8, &version.to_le_bytes());
    put(&mut file, 12, &4096u32.to_le_bytes());
    put(&mut file, 16, &8192u64.to_le_bytes());
    put(&mut file, 24, &0u64.to_le_bytes());
    put(&mut file, 32, &1u64.to_le_bytes());
    put(&mut file, 40, &0x1122_3344_5566_7788u64.to_le_bytes());
    put(&mut file, 48, &1_700_000_000_000_000_000i64.to_le_bytes());
    let header_crc = crc32c(0, &file[..56]);
    put(&mut file, 56, &header_crc.to_le_bytes());
    put(&mut file, 60, &1u32.to_le_bytes());
    // Records: an empty one, one of 5 bytes (padded to 8), one of 96.
    let long: Vec<u8> = (0..96).collect();
    let payloads: [&[u8]; 3] = [&[], b"hello", &long];
    let mut at = 4096;
    for (index, payload) in payloads.into_iter().enumerate() {
        let length = 32 + payload.len().div_ceil(8) * 8;
        put(&mut file, at, &(length as u32).to_le_bytes());
        put(&mut file, at + 8, &(index as u64 + 1).to_le_bytes());
        put(&mut file, at + 16, &(1_700_000_000_000_000_100i64 + index as i64).to_le_bytes());
        file[at + 24] = [2, 0, 1][index];
        file[at + 25] = [3, 1, 2][index];
        put(&mut file, at + 26, &[0u16, 1, 0][index].to_le_bytes());
        put(&mut file, at + 28, &(payload.len() as u16).to_le_bytes());
        put(&mut file, at + 32, payload);
        let crc = crc32c(header_crc, &file[at + 8..at + length]);
        put(&mut file, at + 4, &crc.to_le_bytes());
        at += length;
    }
    assert_eq!(at, 4096 + 32 + 40 + 128);
    // Seal.
    put(&mut file, 136, &(at as u64).to_le_bytes());
    put(&mut file, 144, &3u64.to_le_bytes());
    put(&mut file, 152, &1_700_000_000_000_000_102i64.to_le_bytes());
    put(&mut file, 160, &3u64.to_le_bytes());
    put(&mut file, 168, &1u64.to_le_bytes());
    let mut seal_end = 176;
    if version == 2 {
        put(&mut file, 176, &1_700_000_000_000_000_100i64.to_le_bytes());
        put(&mut file, 184, &1_700_000_000_000_000_102i64.to_le_bytes());
        // 192: the digest of the segment before; this is the first one.
        let digest = blake3::hash(&[&file[..64], &file[4096..at], &file[136..224]].concat());
        put(&mut file, 224, digest.as_bytes());
        seal_end = 256;
    }
    let crc = crc32c(header_crc, &file[136..seal_end]);
    put(&mut file, 128, &crc.to_le_bytes());
    put(&mut file, 132, &1u32.to_le_bytes());
    file
}

fn frames() -> [Frame; 3] {
    let of = |sequence: u64, source, kind, flags, payload: &[u8]| {
        let mut frame = Frame::vacant();
        frame.header = FrameHeader {
            sequence,
            receive_time: Nanos::new(1_700_000_000_000_000_099 + sequence as i64),
            source: SourceId::new(source),
            kind,
            flags,
            bytes: payload.len() as u16,
            ..FrameHeader::default()
        };
        frame.payload[..payload.len()].copy_from_slice(payload);
        frame
    };
    let long: Vec<u8> = (0..96).collect();
    [of(1, 2, 3, 0, &[]), of(2, 0, 1, 1, b"hello"), of(3, 1, 2, 0, &long)]
}

fn write_golden(folder: &Path, version: u32, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = golden(version);
    change(&mut bytes);
    std::fs::write(segment(folder, 0), bytes).unwrap();
}

#[test]
fn journals_of_both_versions_written_by_hand_are_read() {
    for version in [1, 2] {
        let folder = folder();
        write_golden(folder.path(), version, |_| ());
        let (read, end) = read(folder.path());
        assert_eq!(read, frames());
        assert!(end.unwrap().is_ended_by_writer());
        let found = verify(folder.path()).unwrap();
        assert_eq!((found.frames, found.payload_bytes, found.record_bytes, found.segments), (3, 101, 200, 1));
        assert_eq!(found.identity, Some(IDENTITY));
        assert_eq!((found.format, found.segments_chained), (Some(version), u64::from(version - 1)));
        assert_eq!(found.chain.is_some(), version == 2);
    }
}

#[test]
fn our_writer_gives_exactly_the_bytes_of_the_description() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create_as(folder.path(), &TINY, &preparer, IDENTITY).unwrap();
    for frame in frames() {
        writer.append(&frame).unwrap();
    }
    writer.finish().unwrap();
    let written = std::fs::read(segment(folder.path(), 0)).unwrap();
    assert_eq!(written.len(), golden(2).len());
    for (at, (written, golden)) in written.iter().zip(golden(2)).enumerate() {
        assert_eq!(*written, golden, "byte {at}");
    }
}

#[test]
fn a_newer_version_is_named_as_such_and_not_as_damage() {
    let folder = folder();
    write_golden(folder.path(), 2, |bytes| {
        put(bytes, 8, &3u32.to_le_bytes());
        let crc = crc32c(0, &bytes[..56]);
        put(bytes, 56, &crc.to_le_bytes());
    });
    let error = JournalReader::open(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::NewerVersion { version: 3, known: 2, .. }), "{error}");
    assert!(error.to_string().contains("use a newer spinward"), "{error}");
}

#[test]
fn a_foreign_file_and_a_stream_of_another_kind_are_named() {
    let folder = folder();
    for foreign in [&b"PK\x03\x04 and so on"[..], &[7; 9000], b"SPWAUDT\0"] {
        std::fs::write(segment(folder.path(), 0), foreign).unwrap();
        let error = JournalReader::open(folder.path()).unwrap_err();
        assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains("00000000.seg is not a segment of a journal"), "{error}");
    }
    std::fs::write(segment(folder.path(), 0), golden(2)).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
    assert_eq!(verify(folder.path()).unwrap().frames, 3, "files with other names do not matter");
}
