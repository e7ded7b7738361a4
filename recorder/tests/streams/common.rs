//! Frames, folders and bytes for the tests of the streams.

use spinward_engine::words::{FRAME_PAYLOAD_BYTES, Frame, FrameHeader, Nanos, SourceId};
use spinward_recorder::{
    Durability, Identity, JournalConfig, JournalError, JournalReader, JournalWriter, Preparer,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const TINY: JournalConfig = JournalConfig {
    segment_bytes: 8192,
    segments_ahead: 1,
    durability: Durability::Process,
    flush_interval: Duration::from_secs(3600),
    prefault_bytes: 8192,
};

pub(crate) const IDENTITY: Identity =
    Identity { session: 0x1122_3344_5566_7788, created: Nanos::new(1_700_000_000_000_000_000) };

/// Frame number `sequence` with `bytes` payload bytes that depend on it. Behind them lies rubbish, as in a used slot.
pub(crate) fn frame(sequence: u64, bytes: usize) -> Frame {
    let mut frame = Frame::vacant();
    frame.header = FrameHeader {
        sequence,
        receive_time: Nanos::new(1_000_000 + sequence as i64),
        stamp: 0xDEAD_BEEF,
        source: SourceId::new((sequence % 5) as u8),
        kind: (sequence % 7) as u8 + 1,
        flags: (sequence % 2) as u16,
        bytes: bytes as u16,
        reserved: 0,
    };
    for (index, byte) in frame.payload.iter_mut().enumerate() {
        *byte = if index < bytes { (sequence as usize * 31 + index * 7) as u8 } else { 0xAA };
    }
    frame
}

/// As it comes back from the journal: no stamp, zeros behind the payload.
pub(crate) fn journaled(frame: &Frame) -> Frame {
    let mut frame = *frame;
    frame.header.stamp = 0;
    let bytes = usize::from(frame.header.bytes);
    frame.payload[bytes..].fill(0);
    frame
}

/// Appends, letting a preparer without a thread work where a segment is wanted.
pub(crate) fn append(writer: &mut JournalWriter, preparer: &Preparer, frame: &Frame) {
    while let Err(error) = writer.append(frame) {
        assert_eq!(error, spinward_recorder::AppendError::NoSegment);
        assert!(preparer.poll() > 0, "{:?}", writer.failure());
    }
}

/// Writes frames of these payload sizes; sealed or left as a kill leaves it.
pub(crate) fn write(folder: &Path, config: &JournalConfig, sizes: &[usize], is_finished: bool) {
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create_as(folder, config, &preparer, IDENTITY).unwrap();
    for (index, &bytes) in sizes.iter().enumerate() {
        append(&mut writer, &preparer, &frame(index as u64 + 1, bytes % (FRAME_PAYLOAD_BYTES + 1)));
    }
    if is_finished {
        writer.finish().unwrap();
    }
}

/// Everything that can be read, and how reading ended.
pub(crate) fn read(folder: &Path) -> (Vec<Frame>, Result<JournalReader, JournalError>) {
    let mut frames = Vec::new();
    let mut reader = match JournalReader::open(folder) {
        Ok(reader) => reader,
        Err(error) => return (frames, Err(error)),
    };
    loop {
        match reader.next() {
            Ok(Some(frame)) => frames.push(frame.to_frame()),
            Ok(None) => return (frames, Ok(reader)),
            Err(error) => return (frames, Err(error)),
        }
    }
}

pub(crate) fn expected(sizes: &[usize]) -> Vec<Frame> {
    let of = |(index, bytes): (usize, &usize)| {
        journaled(&frame(index as u64 + 1, bytes % (FRAME_PAYLOAD_BYTES + 1)))
    };
    sizes.iter().enumerate().map(of).collect()
}

pub(crate) fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

/// A folder in memory where there is one: these tests ask what the bytes mean, and a disk shared with other work makes every flush slow. The tests
/// of the preparer's thread and of killed processes use the real disk.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// CRC-32C bit by bit (polynomial 0x1EDC6F41, reflected 0x82F63B78), going on from an earlier CRC.
pub(crate) fn crc32c(before: u32, bytes: &[u8]) -> u32 {
    let mut crc = !before;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

pub(crate) fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}
