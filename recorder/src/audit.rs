//! The audit stream: what the engine put out (verdicts, reports as it took them in, changes of the trading state) and the running digests
//! that a replay is compared with. Same segments and records as the journal, with kinds and numbers of its own.

use crate::appender::{AppendCounters, Appender, Finished, Identity};
use crate::cut::Cut;
use crate::digests::{Checkpoint, DigestSnapshot};
use crate::error::{AppendError, JournalError};
use crate::format::{RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, StreamKind, tag};
use crate::preparer::{JournalConfig, Preparer};
use crate::reader::RecordReader;
use crate::worker::PreparerCounters;
use bytemuck::{Pod, Zeroable};
use spinward_engine::words::{Nanos, Report, Symbol, TradingState, Verdict};
use std::path::Path;
use std::sync::Arc;

/// A change of the trading state, or of who holds its latch.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
pub struct StateChange {
    /// Who caused it and now owns the latch: `operator`, `risk`, a strategy's name.
    pub owner: Symbol,
    /// Why, UTF-8, padded with zeros (as in a [`Command`](spinward_engine::words::Command)).
    pub reason: [u8; 64],
    /// The [`TradingState`] now.
    pub state_number: u8,
    /// The [`TradingState`] before.
    pub previous_number: u8,
    /// 1 if a command was refused and nothing changed.
    pub is_refused: u8,
    /// Zero.
    pub reserved: [u8; 5],
}

impl StateChange {
    /// From `previous` to `state`. The reason is cut to 64 bytes at a character boundary.
    pub fn new(previous: TradingState, state: TradingState, owner: Symbol, reason: &str) -> Self {
        let mut stored = [0u8; 64];
        let mut end = reason.len().min(stored.len());
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        for (to, from) in stored.iter_mut().zip(reason.bytes().take(end)) {
            *to = from;
        }
        Self {
            owner,
            reason: stored,
            state_number: state as u8,
            previous_number: previous as u8,
            is_refused: 0,
            reserved: [0; 5],
        }
    }

    /// The state now.
    pub fn state(&self) -> Option<TradingState> {
        TradingState::from_number(self.state_number)
    }

    /// Why.
    pub fn reason(&self) -> &str {
        let end = self.reason.iter().position(|&byte| byte == 0).unwrap_or(self.reason.len());
        self.reason.get(..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or("?")
    }
}

/// One record of the audit stream. `frame` is the frame that caused it, `receive_time` that frame's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum AuditRecord {
    /// What risk said of an intent; approved ones are the orders that left.
    Verdict {
        /// The frame.
        frame: u64,
        /// Its receive time.
        receive_time: Nanos,
        /// The verdict.
        verdict: Verdict,
    },
    /// What the venue (or risk) answered.
    Report {
        /// The frame.
        frame: u64,
        /// Its receive time.
        receive_time: Nanos,
        /// The report.
        report: Report,
    },
    /// The trading state changed.
    State {
        /// The frame.
        frame: u64,
        /// Its receive time.
        receive_time: Nanos,
        /// From what to what, by whom, why.
        change: StateChange,
    },
    /// A checkpoint: the digests of everything up to and including the frame.
    Digests {
        /// The frame.
        frame: u64,
        /// Its receive time.
        receive_time: Nanos,
        /// The digests.
        digests: DigestSnapshot,
    },
    /// The session ended here; the last checkpoint.
    End {
        /// The last frame.
        frame: u64,
        /// Its receive time.
        receive_time: Nanos,
        /// The digests.
        digests: DigestSnapshot,
    },
}

/// Numbers of the kinds on disk: never reused.
const VERDICT: u8 = 1;
const REPORT: u8 = 2;
const STATE: u8 = 3;
const DIGESTS: u8 = 4;
const END: u8 = 5;

impl AuditRecord {
    /// The frame that caused it.
    pub fn frame(&self) -> u64 {
        self.parts().1
    }

    /// The checkpoint that it is, if it is one.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        match *self {
            Self::Digests { frame, digests, .. } | Self::End { frame, digests, .. } => {
                Some(Checkpoint { frame, digests })
            }
            Self::Verdict { .. } | Self::Report { .. } | Self::State { .. } => None,
        }
    }

    #[inline]
    fn parts(&self) -> (u8, u64, Nanos, &[u8]) {
        match self {
            Self::Verdict { frame, receive_time, verdict } => {
                (VERDICT, *frame, *receive_time, bytemuck::bytes_of(verdict))
            }
            Self::Report { frame, receive_time, report } => {
                (REPORT, *frame, *receive_time, bytemuck::bytes_of(report))
            }
            Self::State { frame, receive_time, change } => {
                (STATE, *frame, *receive_time, bytemuck::bytes_of(change))
            }
            Self::Digests { frame, receive_time, digests } => {
                (DIGESTS, *frame, *receive_time, bytemuck::bytes_of(digests))
            }
            Self::End { frame, receive_time, digests } => {
                (END, *frame, *receive_time, bytemuck::bytes_of(digests))
            }
        }
    }

    fn decode(kind: u8, receive_time: Nanos, payload: &[u8]) -> Option<Self> {
        let (frame, body) = payload.split_first_chunk::<8>()?;
        let frame = u64::from_le_bytes(*frame);
        Some(match kind {
            VERDICT => Self::Verdict { frame, receive_time, verdict: pod(body)? },
            REPORT => Self::Report { frame, receive_time, report: pod(body)? },
            STATE => Self::State { frame, receive_time, change: pod(body)? },
            DIGESTS => Self::Digests { frame, receive_time, digests: pod(body)? },
            END => Self::End { frame, receive_time, digests: pod(body)? },
            _ => return None,
        })
    }
}

fn pod<T: Pod>(bytes: &[u8]) -> Option<T> {
    bytemuck::try_pod_read_unaligned(bytes).ok()
}

/// Writes audit records: the same mechanics as the [`JournalWriter`](crate::JournalWriter), in a folder of its own.
#[derive(Debug)]
pub struct AuditWriter {
    appender: Appender,
}

impl AuditWriter {
    /// As [`JournalWriter::create`](crate::JournalWriter::create).
    ///
    /// # Errors
    /// As there.
    pub fn create(folder: &Path, config: &JournalConfig, preparer: &Preparer) -> Result<Self, JournalError> {
        Self::create_as(folder, config, preparer, Identity::new())
    }

    /// As [`JournalWriter::create_as`](crate::JournalWriter::create_as).
    ///
    /// # Errors
    /// As there.
    pub fn create_as(
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        Ok(Self { appender: Appender::create(StreamKind::Audit, folder, config, preparer, identity)? })
    }

    /// Appends a record. No allocation, no lock, no system call.
    ///
    /// # Errors
    /// Nothing was written and the same record can be appended again: [`AppendError::NoSegment`], [`AppendError::Failed`].
    #[inline]
    pub fn append(&mut self, record: &AuditRecord) -> Result<(), AppendError> {
        let (kind, frame, receive_time, body) = record.parts();
        let mut words = [0u64; RECORD_BYTES_MAX / 8];
        // Every body is a whole number of words (asserted below).
        let payload = std::iter::once(frame)
            .chain(body.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)));
        for (to, from) in words.iter_mut().skip(RECORD_HEADER_BYTES / 8).zip(payload) {
            *to = from;
        }
        let bytes = 8 + body.len();
        self.appender.append(receive_time, tag(0, kind, 0, bytes as u16), &mut words, bytes)
    }

    /// Number of the last record; 0 before the first.
    pub fn appended(&self) -> u64 {
        self.appender.sequence()
    }

    /// Number of the last record that is on the disk.
    #[inline]
    pub fn durable(&self) -> u64 {
        self.appender.durable()
    }

    /// Whether a flush failed: what was appended may never come to the disk.
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.appender.is_broken()
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<AppendCounters> {
        self.appender.counters()
    }

    /// What the preparer counts for it.
    pub fn preparer_counters(&self) -> Arc<PreparerCounters> {
        self.appender.preparer_counters()
    }

    /// The last failure of the preparer, if there was one.
    pub fn failure(&self) -> Option<Arc<JournalError>> {
        self.appender.failure()
    }

    /// Ends the stream: on the disk, sealed, the unused tail given back. Blocks.
    ///
    /// # Errors
    /// The failure of the preparer, then or earlier.
    pub fn finish(self) -> Result<Finished, Arc<JournalError>> {
        self.appender.finish()
    }
}

const _: () = assert!(
    size_of::<Verdict>().is_multiple_of(8)
        && size_of::<Report>().is_multiple_of(8)
        && size_of::<StateChange>().is_multiple_of(8)
        && size_of::<Report>() + 8 <= RECORD_PAYLOAD_BYTES_MAX
        && size_of::<StateChange>() == 96
        && size_of::<DigestSnapshot>() == 80
);

/// Reads an audit stream from its first record to its end, every record checked.
#[derive(Debug)]
pub struct AuditReader {
    records: RecordReader,
}

impl AuditReader {
    /// As [`JournalReader::open`](crate::JournalReader::open).
    ///
    /// # Errors
    /// As there.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { records: RecordReader::open(folder, StreamKind::Audit)? })
    }

    /// The next record; `None` at the end, whole or cut.
    ///
    /// # Errors
    /// As [`JournalReader::next`](crate::JournalReader::next); also a record whose CRC is right and whose kind or size is not one of this
    /// format.
    #[expect(clippy::should_implement_trait, reason = "of one shape with JournalReader::next")]
    pub fn next(&mut self) -> Result<Option<AuditRecord>, JournalError> {
        let Some(record) = self.records.next()? else { return Ok(None) };
        let (kind, bytes) = (record.kind, record.payload.len());
        match AuditRecord::decode(kind, Nanos::new(record.receive_time), record.payload) {
            Some(record) => Ok(Some(record)),
            None => {
                let what = format!("no audit record has kind {kind} and {bytes} payload bytes");
                Err(self.records.corrupt_record(bytes, what))
            }
        }
    }

    /// All checkpoints of the stream, in order.
    ///
    /// # Errors
    /// As [`AuditReader::next`].
    pub fn checkpoints(mut self) -> Result<Vec<Checkpoint>, JournalError> {
        let mut checkpoints = Vec::new();
        while let Some(record) = self.next()? {
            checkpoints.extend(record.checkpoint());
        }
        Ok(checkpoints)
    }

    /// What was cut off at the end; `None` before the end is reached, and if nothing was.
    pub fn cut(&self) -> Option<&Cut> {
        self.records.cut()
    }

    /// Whether the writer ended the stream; false before the end is reached.
    pub fn is_ended_by_writer(&self) -> bool {
        self.records.is_ended_by_writer()
    }

    /// Number of the last record given; 0 before the first.
    pub fn last_sequence(&self) -> u64 {
        self.records.last_sequence()
    }
}
