//! [`Preparer`]: everything about segments that costs a system call, off the pinned threads.
//!
//! For each stream it creates, reserves, maps and prefaults segments ahead of the writer; hands them over through a bounded lock-free
//! queue; flushes what was written (at the configured interval: the bound of what a power cut can lose); makes flushed pages writable
//! again before the writer comes to them; seals and truncates what is full.
//!
//! ```text
//!  preparer: create ─ fallocate ─ map ─ populate ──▶ [queue] ──▶ writer: header ─ records ─ close
//!                                                                              │
//!  preparer: truncate ◀─ seal ◀─ flush ◀───────────────────────────────────────┘
//! ```

use crate::error::JournalError;
use crate::map::Prefault;
use crate::segment::Segment;
use crossbeam_queue::ArrayQueue;
use spinward_engine::counters::{Counter, Gauge};
use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Most bytes of one flush, so that a flush never delays the next segment for long.
const FLUSH_CHUNK_BYTES: u64 = 8 << 20;
/// Pause of the thread when there is nothing to do.
const PAUSE: Duration = Duration::from_millis(1);
/// Pause before a failed preparation is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// How a stream is laid out on the disk and how soon it is safe there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalConfig {
    /// Bytes of a segment: a power of two, from 8 KiB to 64 GiB. Default 64 MiB; below 1 MiB only tests are happy.
    pub segment_bytes: u64,
    /// Segments kept ready ahead of the writer, 1–64. Default 2.
    pub segments_ahead: usize,
    /// How often written records are forced to the disk: what a power cut may lose (a killed process loses nothing). Default 1 s.
    pub flush_interval: Duration,
    /// Bytes ahead of the writer that are made writable again after each flush (the kernel write-protects pages that it has written
    /// back, and the next store into them would fault). Default 8 MiB.
    pub prefault_bytes: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            segments_ahead: 2,
            flush_interval: Duration::from_secs(1),
            prefault_bytes: 8 << 20,
        }
    }
}

impl JournalConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`JournalError::Config`] naming the field.
    pub fn validate(&self) -> Result<(), JournalError> {
        if !crate::format::is_segment_bytes(self.segment_bytes) {
            return Err(JournalError::Config {
                key: "segment_bytes",
                value: self.segment_bytes,
                demand: "must be a power of two from 8192 (8 KiB) to 68719476736 (64 GiB)",
            });
        }
        if !(1..=64).contains(&self.segments_ahead) {
            return Err(JournalError::Config {
                key: "segments_ahead",
                value: self.segments_ahead as u64,
                demand: "must be from 1 to 64",
            });
        }
        Ok(())
    }
}

/// What the preparer counts for one stream. Written by the preparer alone.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct PreparerCounters {
    /// Segments created, reserved, mapped and prefaulted.
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
    /// Longest preparation of a segment, nanoseconds.
    pub prepare_ns_max: Gauge,
    /// Segments whose pages were touched one by one, because the kernel has no `MADV_POPULATE_WRITE`.
    pub segments_touched: Counter,
    /// Preparations and flushes that failed.
    pub errors: Counter,
}

/// What the writer and the preparer of one stream share.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Written by the preparer, read by the writer.
    pub(crate) ready: ArrayQueue<Arc<Segment>>,
    /// No further segment can be made at present, or a flush failed.
    pub(crate) failing: AtomicBool,
    failure: Mutex<Option<Arc<JournalError>>>,
    pub(crate) counters: Arc<PreparerCounters>,
}

impl Stream {
    pub(crate) fn failure(&self) -> Option<Arc<JournalError>> {
        lock(&self.failure).clone()
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
    folder: PathBuf,
    config: JournalConfig,
    /// Every segment that is not sealed yet, oldest first.
    live: VecDeque<Arc<Segment>>,
    next_number: u64,
    /// Of the first live segment: bytes known to be on the disk.
    flushed: u64,
    flushed_at: Instant,
    retry_at: Option<Instant>,
    /// A flush failed: what the kernel did with those pages is unknown, so the stream stays failed.
    is_broken: bool,
    is_closed: bool,
    is_done: bool,
}

impl Worker {
    /// Prepares the first segment, which also claims the folder, and those ahead of it.
    pub(crate) fn start(folder: &Path, config: &JournalConfig) -> Result<(Self, Arc<Stream>), JournalError> {
        config.validate()?;
        std::fs::create_dir_all(folder).map_err(|error| JournalError::io("create", folder, error))?;
        if !crate::reader::segments_of(folder)?.is_empty() {
            return Err(JournalError::AlreadyWritten { folder: folder.to_owned() });
        }
        let stream = Arc::new(Stream {
            ready: ArrayQueue::new(config.segments_ahead + 1),
            failing: AtomicBool::new(false),
            failure: Mutex::new(None),
            counters: Arc::default(),
        });
        let mut worker = Self {
            stream: Arc::clone(&stream),
            folder: folder.to_owned(),
            config: *config,
            live: VecDeque::with_capacity(config.segments_ahead + 2),
            next_number: 0,
            flushed: 0,
            flushed_at: Instant::now(),
            retry_at: None,
            is_broken: false,
            is_closed: false,
            is_done: false,
        };
        for _ in 0..=config.segments_ahead {
            worker.prepare()?;
        }
        Ok((worker, stream))
    }

    fn prepare(&mut self) -> Result<(), JournalError> {
        let start = Instant::now();
        let segment = Arc::new(Segment::create(&self.folder, self.next_number, self.config.segment_bytes)?);
        // The name must outlive a power cut, too.
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| JournalError::io("sync", &self.folder, error))?;
        self.next_number += 1;
        self.stream.counters.segments_touched.add(u64::from(segment.prefault == Prefault::Touched));
        self.live.push_back(Arc::clone(&segment));
        // Never full: it holds one more than is kept ready.
        let _ = self.stream.ready.push(segment);
        let counters = &self.stream.counters;
        counters.segments_prepared.add(1);
        counters.segments_ready.set(self.stream.ready.len() as i64);
        raise(&counters.prepare_ns_max, start.elapsed());
        Ok(())
    }

    /// One piece of work; 0 if there is none. Preparing comes first, because the writer may be waiting for it.
    pub(crate) fn work(&mut self) -> usize {
        if self.is_done {
            return 0;
        }
        match self.step() {
            Ok(work) => work,
            Err(error) => {
                self.is_broken = true;
                self.stream.fail(error);
                0
            }
        }
    }

    fn step(&mut self) -> Result<usize, JournalError> {
        if !self.is_closed && !self.is_broken && self.stream.ready.len() < self.config.segments_ahead {
            let now = Instant::now();
            if self.retry_at.is_none_or(|at| now >= at) {
                match self.prepare() {
                    Ok(()) => {
                        self.retry_at = None;
                        self.stream.failing.store(false, Ordering::Release);
                        return Ok(1);
                    }
                    Err(error) => {
                        self.retry_at = Some(now + RETRY);
                        self.stream.fail(error);
                    }
                }
            }
        }
        if self.is_broken {
            return Ok(0);
        }
        let Some(front) = self.live.front().map(Arc::clone) else { return Ok(0) };
        let closed = front.closed();
        let sequence = front.last_sequence();
        let end = front.end();
        let is_due = closed.is_some() || self.flushed_at.elapsed() >= self.config.flush_interval;
        if end > self.flushed && is_due {
            let to = end.min(self.flushed.saturating_add(FLUSH_CHUNK_BYTES));
            self.flush(&front, to)?;
            if to == end {
                self.is_flushed(&front, end, sequence, closed.is_some())?;
            }
            return Ok(1);
        }
        let Some(seal) = closed else {
            if end <= self.flushed && is_due {
                self.is_flushed(&front, end, sequence, false)?;
            }
            return Ok(0);
        };
        front.seal(&seal)?;
        self.stream.counters.segments_sealed.add(1);
        self.live.pop_front();
        self.flushed = 0;
        Ok(1)
    }

    fn flush(&mut self, front: &Segment, to: u64) -> Result<(), JournalError> {
        let start = Instant::now();
        front.flush(self.flushed, to)?;
        let took = start.elapsed();
        let counters = &self.stream.counters;
        counters.flushes.add(1);
        counters.flushed_bytes.add(to - self.flushed);
        counters.flush_ns.add(took.as_nanos() as u64);
        raise(&counters.flush_ns_max, took);
        self.flushed = to;
        Ok(())
    }

    /// All that was written up to a moment ago is on the disk.
    fn is_flushed(
        &mut self,
        front: &Segment,
        end: u64,
        sequence: u64,
        is_closed: bool,
    ) -> Result<(), JournalError> {
        let counters = &self.stream.counters;
        if end != 0 {
            counters.flushed_sequence.set(sequence as i64);
        }
        raise(&counters.unflushed_ns_max, self.flushed_at.elapsed());
        self.flushed_at = Instant::now();
        if !is_closed {
            front.prefault(end, end.saturating_add(self.config.prefault_bytes))?;
        }
        if let Some(next) = self.live.get(1) {
            next.prefault(0, self.config.prefault_bytes)?;
        }
        Ok(())
    }

    /// The writer is gone: what was prepared for it is removed. What it has not closed stays as it is, as after a kill.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        while let Some(segment) = self.stream.ready.pop() {
            self.live.retain(|live| live.number != segment.number);
            if let Err(error) = segment.discard() {
                self.stream.fail(error);
            }
        }
        self.stream.counters.segments_ready.set(0);
    }

    /// Closes and works until everything that was closed is sealed.
    ///
    /// # Errors
    /// The first failure of the stream, if there ever was one that still stands.
    pub(crate) fn finish(&mut self) -> Result<(), Arc<JournalError>> {
        self.close();
        while !self.is_broken && self.live.front().is_some_and(|front| front.closed().is_some()) {
            self.work();
        }
        self.is_done = true;
        match self.stream.failure() {
            Some(error) if self.is_broken => Err(error),
            Some(_) | None => Ok(()),
        }
    }
}

/// Runs the preparation of any number of streams, on a thread of its own or by [`Preparer::poll`].
#[derive(Debug)]
pub struct Preparer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    workers: Mutex<Vec<Arc<Mutex<Worker>>>>,
    is_stopped: AtomicBool,
}

impl Preparer {
    /// Without a thread: the owner calls [`Preparer::poll`] at least each millisecond or so.
    pub fn manual() -> Self {
        Self { shared: Arc::default(), thread: None }
    }

    /// With a thread named `spinward-journal`, which ends when the preparer is dropped.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the system gives no thread.
    pub fn start() -> Result<Self, JournalError> {
        let shared = Arc::<Shared>::default();
        let mine = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("spinward-journal".to_owned())
            .spawn(move || {
                while !mine.is_stopped.load(Ordering::Acquire) {
                    if mine.poll() == 0 {
                        thread::park_timeout(PAUSE);
                    }
                }
            })
            .map_err(|error| JournalError::io("start the thread", Path::new("spinward-journal"), error))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Does one piece of work for each stream; how many found some. Blocks on the disk: not for a pinned thread, and not for a thread
    /// that serves a broker session.
    pub fn poll(&self) -> usize {
        self.shared.poll()
    }

    pub(crate) fn add(&self, worker: Worker) -> Arc<Mutex<Worker>> {
        let worker = Arc::new(Mutex::new(worker));
        lock(&self.shared.workers).push(Arc::clone(&worker));
        worker
    }
}

impl Shared {
    fn poll(&self) -> usize {
        let workers: Vec<_> = lock(&self.workers).iter().map(Arc::clone).collect();
        // A stream that is being finished on another thread is busy with itself.
        let work =
            workers.iter().filter_map(|worker| worker.try_lock().ok()).map(|mut worker| worker.work()).sum();
        lock(&self.workers).retain(|worker| worker.try_lock().map_or(true, |worker| !worker.is_done));
        work
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the thread was already told on stderr.
            let _ = thread.join();
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
