//! [`verify`]: everything of a stream that can be checked, the chain of seals among it.

use crate::appender::Identity;
use crate::chain::ChainDigest;
use crate::cut::Cut;
use crate::error::JournalError;
use crate::format::{RECORD_HEADER_BYTES, StreamKind};
use crate::reader::RecordReader;
use spinward_engine::words::Nanos;
use std::path::Path;

/// What [`verify`] found: a stream that is whole, perhaps up to a cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verification {
    /// Records (frames, in a journal); their numbers go from 1 to this.
    pub frames: u64,
    /// Receive time of the first record.
    pub first_time: Option<Nanos>,
    /// Receive time of the last record.
    pub last_time: Option<Nanos>,
    /// How often a record's receive time lies before that of the record in front of it: the clock was set back.
    pub clock_steps_back: u64,
    /// Furthest of these steps, nanoseconds.
    pub clock_step_ns_max: u64,
    /// Payload bytes.
    pub payload_bytes: u64,
    /// Bytes of the records on disk, headers and padding included, not compressed.
    pub record_bytes: u64,
    /// Segments that hold records or could.
    pub segments: u64,
    /// Segments that were prepared and never used.
    pub segments_unused: u64,
    /// Segments that lie compressed.
    pub segments_compressed: u64,
    /// Version of the format; `None` if no segment was ever used.
    pub format: Option<u32>,
    /// Segments whose digest was computed and is that of their seal. Version 1 has none.
    pub segments_chained: u64,
    /// Digest of the last sealed segment: it stands for everything before it.
    pub chain: Option<ChainDigest>,
    /// Which session.
    pub identity: Option<Identity>,
    /// Whether the writer ended it.
    pub is_ended_by_writer: bool,
    /// What was cut off at the end.
    pub cut: Option<Cut>,
}

/// Reads all of a journal and checks everything that can be checked.
///
/// # Errors
/// As [`JournalReader::next`](crate::JournalReader::next): damage that is not a torn tail. Also a segment that is not the one that was sealed.
pub fn verify(folder: &Path) -> Result<Verification, JournalError> {
    verify_stream(folder, StreamKind::Journal)
}

/// The same for a stream of any kind.
///
/// # Errors
/// As [`verify`].
pub fn verify_stream(folder: &Path, kind: StreamKind) -> Result<Verification, JournalError> {
    let mut reader = RecordReader::open_proving(folder, kind)?;
    let mut first_time = None;
    let mut last_time: Option<i64> = None;
    let (mut payload_bytes, mut record_bytes) = (0u64, 0u64);
    let (mut clock_steps_back, mut clock_step_ns_max) = (0, 0);
    while let Some(record) = reader.next()? {
        let time = record.receive_time;
        first_time.get_or_insert(time);
        if let Some(back) = last_time.and_then(|last| last.checked_sub(time)).filter(|back| *back > 0) {
            clock_steps_back += 1;
            clock_step_ns_max = clock_step_ns_max.max(back.unsigned_abs());
        }
        last_time = Some(time);
        payload_bytes += record.payload.len() as u64;
        record_bytes += (RECORD_HEADER_BYTES + record.payload.len().next_multiple_of(8)) as u64;
    }
    Ok(Verification {
        frames: reader.last_sequence(),
        first_time: first_time.map(Nanos::new),
        last_time: last_time.map(Nanos::new),
        clock_steps_back,
        clock_step_ns_max,
        payload_bytes,
        record_bytes,
        segments: reader.segments_used,
        segments_unused: reader.segments_unused(),
        segments_compressed: reader.segments_compressed,
        format: reader.version(),
        segments_chained: reader.segments_chained,
        chain: reader.chain(),
        identity: reader
            .identity
            .map(|(session, created)| Identity { session, created: Nanos::new(created) }),
        is_ended_by_writer: reader.is_ended_by_writer(),
        cut: reader.cut().cloned(),
    })
}
