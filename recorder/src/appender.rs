//! [`Appender`]: the hot half of a stream. Copies a record into prefaulted memory with its CRC; no allocation, no lock, no system call.

use crate::chain::ChainDigest;
use crate::crc::crc32c_words;
use crate::error::{AppendError, JournalError};
use crate::format::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, StreamKind};
use crate::preparer::{JournalConfig, Preparer};
use crate::segment::Segment;
use crate::storage::Storage;
use crate::worker::{PreparerCounters, Stream, Worker, lock};
use spinward_engine::counters::Counter;
use spinward_engine::words::{Digest, Nanos};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

const HEADER_WORDS: usize = RECORD_HEADER_BYTES / 8;

/// Which session a stream belongs to. Every segment carries it, and every record's CRC depends on it, so that a segment of another
/// session is never taken for one of this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// A number that no other session has.
    pub session: u64,
    /// When the session was created.
    pub created: Nanos,
}

impl Identity {
    /// A new one, from the system clock, the process id and a running number.
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
        let mut digest = Digest::new();
        digest.add(&now.to_le_bytes());
        digest.add(&std::process::id().to_le_bytes());
        digest.add(&NUMBER.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        Self { session: digest.value(), created: Nanos::new(now) }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// What a writer counts. Written by the writer alone.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct AppendCounters {
    /// Records appended; also the number of the last one (the last frame, for a journal).
    pub records: Counter,
    /// Their bytes on disk, headers and padding included.
    pub bytes: Counter,
    /// Segments taken into use.
    pub segments: Counter,
    /// Appends refused because no segment was prepared ([`AppendError::NoSegment`]).
    pub no_segment: Counter,
    /// Appends refused because none can be prepared ([`AppendError::Failed`]).
    pub failed: Counter,
}

/// A stream that was ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finished {
    /// Number of the last record; 0 if there is none.
    pub last_sequence: u64,
    /// Records written.
    pub records: u64,
    /// Segments written.
    pub segments: u64,
    /// Digest of its last segment. Whoever keeps it can prove that nothing of the stream was altered ([`verify_stream`](crate::verify_stream)).
    pub chain: ChainDigest,
}

/// The hot half of a stream.
#[derive(Debug)]
pub(crate) struct Appender {
    kind: StreamKind,
    identity: Identity,
    segment: Arc<Segment>,
    /// Where the next record goes, in words.
    at: usize,
    /// Words of the segment.
    limit: usize,
    seed: u32,
    sequence: u64,
    last_time: Nanos,
    /// First record of this segment.
    first_sequence: u64,
    stream: Arc<Stream>,
    counters: Arc<AppendCounters>,
    worker: Arc<Mutex<Worker>>,
}

impl Appender {
    pub(crate) fn create(
        kind: StreamKind,
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        Self::create_on(preparer.storage(), kind, folder, config, preparer, identity)
    }

    pub(crate) fn create_on(
        storage: Arc<dyn Storage>,
        kind: StreamKind,
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        let (worker, stream) = Worker::start(storage, folder, config)?;
        // Prepared a moment ago by `start`, or it would have failed.
        let Some(segment) = stream.ready.pop() else {
            return Err(JournalError::Empty { folder: folder.to_owned() });
        };
        let seed = segment.open(kind, identity.session, identity.created.get(), 1);
        let counters = Arc::<AppendCounters>::default();
        counters.segments.add(1);
        Ok(Self {
            kind,
            identity,
            at: SEGMENT_HEADER_BYTES / 8,
            limit: (segment.bytes / 8) as usize,
            segment,
            seed,
            sequence: 0,
            last_time: Nanos::ZERO,
            first_sequence: 1,
            stream,
            counters,
            worker: preparer.add(worker)?,
        })
    }

    /// Appends record `sequence + 1`. The payload lies in `record` from word 4 on, `bytes` bytes of it, with zeros behind them; the words
    /// before it are written here. `WORDS` is the most that a record of the caller has.
    #[inline]
    pub(crate) fn append<const WORDS: usize>(
        &mut self,
        receive_time: Nanos,
        tag: u64,
        record: &mut [u64; WORDS],
        bytes: usize,
    ) -> Result<(), AppendError> {
        const { assert!(WORDS > HEADER_WORDS) };
        let words = HEADER_WORDS + bytes.div_ceil(8);
        if words > WORDS {
            return Err(AppendError::TooLong);
        }
        if self.at + words > self.limit {
            self.roll()?;
        }
        let sequence = self.sequence + 1;
        // Indices below HEADER_WORDS, which WORDS exceeds.
        record[1] = sequence;
        record[2] = receive_time.get() as u64;
        record[3] = tag;
        let crc = crc32c_words(self.seed, record.get(1..words).unwrap_or(&[]));
        record[0] = (words * 8) as u64 | u64::from(crc) << 32;
        self.segment.publish_whole(self.at, record);
        self.at += words;
        self.sequence = sequence;
        self.last_time = receive_time;
        self.segment.advance((self.at * 8) as u64, sequence);
        self.counters.records.add(1);
        self.counters.bytes.add((words * 8) as u64);
        Ok(())
    }

    /// Goes on to the next segment.
    #[cold]
    #[inline(never)]
    fn roll(&mut self) -> Result<(), AppendError> {
        let Some(next) = self.stream.ready.pop() else {
            if self.stream.failing.load(Ordering::Acquire) {
                self.counters.failed.add(1);
                return Err(AppendError::Failed);
            }
            self.counters.no_segment.add(1);
            return Err(AppendError::NoSegment);
        };
        self.seed =
            next.open(self.kind, self.identity.session, self.identity.created.get(), self.sequence + 1);
        self.close(false);
        // The preparer holds the old one too, so its memory is unmapped there and not here.
        self.segment = next;
        self.at = SEGMENT_HEADER_BYTES / 8;
        self.limit = (self.segment.bytes / 8) as usize;
        self.first_sequence = self.sequence + 1;
        self.counters.segments.add(1);
        Ok(())
    }

    fn close(&self, is_last: bool) {
        self.segment.close(self.last_time.get(), self.sequence + 1 - self.first_sequence, is_last);
    }

    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Number of the last record that is on the disk.
    #[inline]
    pub(crate) fn durable(&self) -> u64 {
        self.stream.durable()
    }

    /// Whether a flush failed: what was appended may be lost.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.stream.is_broken()
    }

    pub(crate) fn counters(&self) -> Arc<AppendCounters> {
        Arc::clone(&self.counters)
    }

    pub(crate) fn preparer_counters(&self) -> Arc<PreparerCounters> {
        Arc::clone(&self.stream.counters)
    }

    pub(crate) fn failure(&self) -> Option<Arc<JournalError>> {
        self.stream.failure()
    }

    /// Ends the stream: all of it on the disk, sealed, the tail given back, prepared segments removed. Blocks.
    pub(crate) fn finish(self) -> Result<Finished, Arc<JournalError>> {
        self.close(true);
        let chain = lock(&self.worker).finish()?;
        Ok(Finished {
            last_sequence: self.sequence,
            records: self.counters.records.value(),
            segments: self.counters.segments.value(),
            chain,
        })
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // Without `finish` the last segment stays unsealed, as after a kill; what was prepared goes.
        let _ = lock(&self.worker).finish();
    }
}
