//! [`Worker`]: what the preparer does for one stream, one piece of work at a time.

use crate::chain::{CHAIN_START, ChainDigest, ChainHasher};
use crate::durability::Durability;
use crate::error::JournalError;
use crate::format::Chained;
use crate::preparation::Preparation;
use crate::preparer::JournalConfig;
use crate::segment::Segment;
use crate::storage::{Claim, ClaimError, Storage};
use crate::window::Window;
use crossbeam_queue::ArrayQueue;
use spinward_engine::counters::{Counter, Gauge};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes of one flush, so that a flush never delays the next segment for long.
const FLUSH_CHUNK_BYTES: u64 = 8 << 20;
/// Pause before a failed preparation is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// Bytes hashed at once: some fifty microseconds, as somebody may come meanwhile who waits for a flush.
const HASH_CHUNK_BYTES: u64 = 64 << 10;
/// How far hashing stays behind the writer: what the writer's core still has in its cache is dear to read.
const HASH_BEHIND_BYTES: u64 = 1 << 20;
/// Pages that the writer may reach while a flush returns.
const PREFAULT_NEAR_BYTES: u64 = 16 << 10;

/// What the preparer counts for one stream. Written by the preparer alone.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct PreparerCounters {
    /// Segments created, reserved, mapped and present.
    pub segments_prepared: Counter,
    /// Segments sealed and truncated.
    pub segments_sealed: Counter,
    /// Prepared segments waiting for the writer.
    pub segments_ready: Gauge,
    /// Flushes to the disk.
    pub flushes: Counter,
    /// Bytes flushed.
    pub flushed_bytes: Counter,
    /// Time spent in flushes, nanoseconds.
    pub flush_ns: Counter,
    /// Longest flush, nanoseconds.
    pub flush_ns_max: Gauge,
    /// Longest time between two moments at which all that was written before was on the disk, nanoseconds: the measured loss of a power cut.
    pub unflushed_ns_max: Gauge,
    /// Last record known to be on the disk.
    pub flushed_sequence: Gauge,
    /// Most time spent on the preparation of a segment, nanoseconds.
    pub prepare_ns_max: Gauge,
    /// Segments whose pages were touched one by one, because the kernel has no `MADV_POPULATE_READ`.
    pub segments_touched: Counter,
    /// Preparations and flushes that failed.
    pub errors: Counter,
}

/// In a line of its own: the taps read what lies beside it at every turn.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Durable(AtomicU64);

/// What the writer and the preparer of one stream share.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Written by the preparer, read by the writer.
    pub(crate) ready: ArrayQueue<Arc<Segment>>,
    /// No further segment can be made at present, or a flush failed.
    pub(crate) failing: AtomicBool,
    /// A flush or a seal failed: nothing that follows can be made safe.
    broken: AtomicBool,
    /// Last record that is on the disk.
    durable: Durable,
    failure: Mutex<Option<Arc<JournalError>>>,
    pub(crate) counters: Arc<PreparerCounters>,
}

impl Stream {
    pub(crate) fn failure(&self) -> Option<Arc<JournalError>> {
        lock(&self.failure).clone()
    }

    /// Number of the last record that is on the disk, however soon it is flushed.
    #[inline]
    pub(crate) fn durable(&self) -> u64 {
        // SYNC POINT: durable (reader: the taps, writer: the preparer).
        self.durable.0.load(Ordering::Acquire)
    }

    /// Whether what was appended may never come to the disk.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn fail(&self, error: JournalError) {
        self.counters.errors.add(1);
        *lock(&self.failure) = Some(Arc::new(error));
        self.failing.store(true, Ordering::Release);
    }
}

/// The preparer's side of one stream.
#[derive(Debug)]
pub(crate) struct Worker {
    stream: Arc<Stream>,
    storage: Arc<dyn Storage>,
    /// The folder is this stream's until it goes.
    claim: Option<Box<dyn Claim>>,
    folder: PathBuf,
    pub(crate) config: JournalConfig,
    /// Every segment that is not sealed yet, oldest first.
    live: VecDeque<Arc<Segment>>,
    next_number: u64,
    /// The segment that is being made ready.
    preparation: Option<Preparation>,
    /// Which of them is being flushed: those before it are on the disk, and wait for their seals.
    flushing: usize,
    /// Of that one: bytes known to be on the disk.
    flushed: u64,
    flushed_at: Instant,
    window: Window,
    /// Of the first live segment: what is hashed; and the digest of the one before it.
    hasher: ChainHasher,
    previous: ChainDigest,
    retry_at: Option<Instant>,
    /// A flush failed: what the kernel did with those pages is unknown, so the stream stays failed.
    is_broken: bool,
    is_closed: bool,
    pub(crate) is_done: bool,
}

impl Worker {
    /// Claims the folder, and prepares the first segment and those ahead of it.
    pub(crate) fn start(
        storage: Arc<dyn Storage>,
        folder: &Path,
        config: &JournalConfig,
    ) -> Result<(Self, Arc<Stream>), JournalError> {
        config.validate()?;
        let claim = storage.claim(folder).map_err(|error| match error {
            ClaimError::Held(holder) => JournalError::InUse { folder: folder.to_owned(), holder },
            ClaimError::Io(error) => JournalError::io("write into", folder, error),
        })?;
        let stream = Arc::new(Stream {
            ready: ArrayQueue::new(config.segments_ahead + 1),
            failing: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            durable: Durable::default(),
            failure: Mutex::new(None),
            counters: Arc::default(),
        });
        let mut worker = Self {
            stream: Arc::clone(&stream),
            storage,
            claim: Some(claim),
            folder: folder.to_owned(),
            config: *config,
            live: VecDeque::with_capacity(config.segments_ahead + 2),
            next_number: 0,
            preparation: None,
            flushing: 0,
            flushed: 0,
            flushed_at: Instant::now(),
            window: Window::new(config.prefault_bytes),
            hasher: ChainHasher::new(),
            previous: CHAIN_START,
            retry_at: None,
            is_broken: false,
            is_closed: false,
            is_done: false,
        };
        while worker.stream.ready.len() <= config.segments_ahead {
            worker.prepare()?;
        }
        while worker.window.follow(&worker.live)? {}
        Ok((worker, stream))
    }

    fn is_promised(&self) -> bool {
        self.config.durability != Durability::Process
    }

    /// A piece of the next segment.
    fn prepare(&mut self) -> Result<(), JournalError> {
        let mut preparation = match self.preparation.take() {
            Some(preparation) => preparation,
            None => {
                let (number, bytes) = (self.next_number, self.config.segment_bytes);
                Preparation::new(&*self.storage, &self.folder, number, bytes, self.is_promised())?
            }
        };
        if !preparation.advance(&*self.storage, &self.folder)? {
            self.preparation = Some(preparation);
            return Ok(());
        }
        let Preparation { segment, is_touched, took, .. } = preparation;
        self.next_number += 1;
        self.live.push_back(Arc::clone(&segment));
        // Never full: it holds one more than is kept ready.
        let _ = self.stream.ready.push(segment);
        self.stream.failing.store(false, Ordering::Release);
        let counters = &self.stream.counters;
        counters.segments_touched.add(u64::from(is_touched));
        counters.segments_prepared.add(1);
        counters.segments_ready.set(self.stream.ready.len() as i64);
        raise(&counters.prepare_ns_max, took);
        Ok(())
    }

    /// One piece of work; 0 if there is none.
    pub(crate) fn work(&mut self) -> usize {
        if self.is_done {
            return 0;
        }
        match self.step() {
            Ok(work) => work,
            Err(error) => {
                self.is_broken = true;
                self.stream.broken.store(true, Ordering::Relaxed);
                self.stream.fail(error);
                0
            }
        }
    }

    /// Somebody waits for the flush of a stream that promises one; otherwise preparing comes first, because the writer may be waiting for it. Last,
    /// what nobody waits for.
    fn step(&mut self) -> Result<usize, JournalError> {
        let has_followed = !self.is_broken && !self.is_closed && self.window.follow(&self.live)?;
        if self.is_promised() && self.flush_if_due()? {
            // There may always be more to flush: what must be done some time has its turn between two flushes, a little at a time.
            let has_prepared = self.stream.ready.is_empty() && self.prepare_if_wanted();
            if !has_prepared && self.flushing > 0 {
                self.finish_front()?;
            }
            return Ok(1);
        }
        if self.prepare_if_wanted() || self.flush_if_due()? {
            return Ok(1);
        }
        Ok(usize::from(self.finish_front()? || has_followed))
    }

    fn prepare_if_wanted(&mut self) -> bool {
        if self.is_closed || self.is_broken || self.stream.ready.len() >= self.config.segments_ahead {
            return false;
        }
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| now < at) {
            return false;
        }
        match self.prepare() {
            Ok(()) => {
                self.retry_at = None;
                true
            }
            Err(error) => {
                self.retry_at = Some(now + RETRY);
                self.stream.fail(error);
                false
            }
        }
    }

    /// Flushes what was written last, if it is time.
    fn flush_if_due(&mut self) -> Result<bool, JournalError> {
        if self.is_broken {
            return Ok(false);
        }
        let (segment, is_closed) = loop {
            let Some(segment) = self.live.get(self.flushing).map(Arc::clone) else { return Ok(false) };
            match segment.closed() {
                // The writer is in the next one already.
                Some(seal) if !seal.is_last && seal.end <= self.flushed => {
                    self.flushing += 1;
                    self.flushed = 0;
                }
                closed => break (segment, closed.is_some()),
            }
        };
        if !is_closed && self.flushed_at.elapsed() < self.config.interval() {
            return Ok(false);
        }
        // The number before the end: a record that comes between the two counts with the next flush.
        let sequence = segment.last_sequence();
        let end = segment.end();
        if end <= self.flushed {
            if !is_closed {
                self.is_flushed(&segment, end, sequence, false)?;
            }
            return Ok(false);
        }
        // A promise is kept with whole groups: behind a writer that is quicker than the disk, a part would never reach the end.
        let most = if self.is_promised() { u64::MAX } else { FLUSH_CHUNK_BYTES };
        let to = end.min(self.flushed.saturating_add(most));
        self.flush(&segment, to)?;
        if to == end {
            self.is_flushed(&segment, end, sequence, true)?;
        }
        Ok(true)
    }

    /// Hashes on; seals the first live segment once all of it is on the disk and hashed.
    fn finish_front(&mut self) -> Result<bool, JournalError> {
        if self.is_broken {
            return Ok(false);
        }
        let Some(front) = self.live.front().map(Arc::clone) else { return Ok(false) };
        let closed = front.closed();
        let end = front.end();
        let unhashed = end.saturating_sub(self.hasher.at);
        if unhashed > 0 && (closed.is_some() || unhashed >= HASH_BEHIND_BYTES) {
            self.hasher.advance(front.words(), end, HASH_CHUNK_BYTES);
            return Ok(true);
        }
        let is_safe = self.flushing > 0 || end <= self.flushed;
        let Some(mut seal) = closed.filter(|_| is_safe) else { return Ok(false) };
        let mut chained =
            Chained { times: self.hasher.times, previous: self.previous, digest: ChainDigest::default() };
        seal.chained = Some(chained);
        chained.digest = self.hasher.finish(&seal);
        seal.chained = Some(chained);
        front.seal(&seal)?;
        self.previous = chained.digest;
        self.stream.counters.segments_sealed.add(1);
        self.live.pop_front();
        if self.flushing == 0 {
            self.flushed = 0;
        }
        self.flushing = self.flushing.saturating_sub(1);
        Ok(true)
    }

    fn flush(&mut self, segment: &Segment, to: u64) -> Result<(), JournalError> {
        let start = Instant::now();
        segment.flush(self.flushed, to)?;
        let took = start.elapsed();
        let counters = &self.stream.counters;
        counters.flushes.add(1);
        counters.flushed_bytes.add(to - self.flushed);
        counters.flush_ns.add(took.as_nanos() as u64);
        raise(&counters.flush_ns_max, took);
        self.flushed = to;
        Ok(())
    }

    /// All that was written up to a moment ago is on the disk; whether by a flush just now.
    fn is_flushed(
        &mut self,
        segment: &Segment,
        end: u64,
        sequence: u64,
        has_flushed: bool,
    ) -> Result<(), JournalError> {
        let counters = &self.stream.counters;
        if end != 0 {
            counters.flushed_sequence.set(sequence as i64);
            // Written only if it is news: the taps read this line at every turn.
            if self.stream.durable() != sequence {
                // SYNC POINT: durable.
                self.stream.durable.0.store(sequence, Ordering::Release);
            }
        }
        raise(&counters.unflushed_ns_max, self.flushed_at.elapsed());
        self.flushed_at = Instant::now();
        if has_flushed && segment.closed().is_none() {
            // The flush has write-protected the page where the writer is.
            segment.prefault(end, end.saturating_add(PREFAULT_NEAR_BYTES))?;
        }
        Ok(())
    }

    /// The writer is gone: what was prepared for it is removed. What it has not closed stays as it is, as after a kill.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        let mut removed = 0;
        if let Some(preparation) = self.preparation.take() {
            removed += 1;
            if let Err(error) = preparation.discard(&*self.storage) {
                self.stream.fail(error);
            }
        }
        while let Some(segment) = self.stream.ready.pop() {
            removed += 1;
            self.live.retain(|live| live.number != segment.number);
            if let Err(error) = segment.discard(&*self.storage) {
                self.stream.fail(error);
            }
        }
        self.stream.counters.segments_ready.set(0);
        // Before a seal says that the stream ends: a reader that finds them all the same takes no harm, so a folder that cannot be flushed is told of and that
        // is all.
        if removed > 0
            && let Err(error) = self.storage.sync_folder(&self.folder)
        {
            self.stream.fail(JournalError::io("sync", &self.folder, error));
        }
    }

    /// Closes and works until everything that was closed is sealed. Gives the digest of the last sealed segment.
    ///
    /// # Errors
    /// The first failure of the stream, if there ever was one that still stands.
    pub(crate) fn finish(&mut self) -> Result<ChainDigest, Arc<JournalError>> {
        self.close();
        while !self.is_broken && self.live.front().is_some_and(|front| front.closed().is_some()) {
            self.work();
        }
        self.is_done = true;
        self.claim = None;
        match self.stream.failure() {
            Some(error) if self.is_broken => Err(error),
            Some(_) | None => Ok(self.previous),
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn raise(gauge: &Gauge, to: Duration) {
    let nanos = i64::try_from(to.as_nanos()).unwrap_or(i64::MAX);
    if nanos > gauge.value() {
        gauge.set(nanos);
    }
}
