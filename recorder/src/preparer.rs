//! [`Preparer`]: everything about segments that costs a system call, off the pinned threads.
//!
//! For each stream it creates, reserves, maps and loads segments ahead of the writer; hands them over through a bounded lock-free
//! queue; flushes what was written, as soon as the stream's [`Durability`] demands; makes pages writable before the writer comes
//! to them; hashes, seals and truncates what is full. A stream with [`Durability::Sync`] has a thread of its own, so that what other streams
//! wait for does not delay it.
//!
//! ```text
//!  preparer: create ─ fallocate ─ map ─ populate ──▶ [queue] ──▶ writer: header ─ records ─ close
//!                                                                              │
//!  preparer: truncate ◀─ seal ◀─ flush ◀───────────────────────────────────────┘
//! ```

use crate::durability::Durability;
use crate::error::JournalError;
use crate::storage::{Disk, Storage};
use crate::worker::{Worker, lock};
use spinward_engine::pipeline::keep_off;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Pause of the thread when there is nothing to do.
const PAUSE: Duration = Duration::from_millis(1);
/// The same on the thread of a stream that waits for the disk.
const PAUSE_SYNC: Duration = Duration::from_micros(20);

/// How a stream is laid out on the disk and how soon it is safe there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalConfig {
    /// Bytes of a segment: a power of two, from 8 KiB to 64 GiB. Default 64 MiB; below 1 MiB only tests are happy.
    pub segment_bytes: u64,
    /// Segments kept ready ahead of the writer, 1–64. Default 2.
    pub segments_ahead: usize,
    /// When a record is safe. Default [`Durability::Process`].
    pub durability: Durability,
    /// With [`Durability::Process`]: how often written records are forced to the disk all the same, which bounds what a power cut takes. Default 1 s.
    pub flush_interval: Duration,
    /// Most bytes ahead of the writer that are kept writable, so that a store into them does not fault. A slow writer has fewer, four times what it wrote in
    /// the last second and 1 MiB at least: the kernel writes them back, too. Default 8 MiB.
    pub prefault_bytes: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            segments_ahead: 2,
            durability: Durability::Process,
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

    pub(crate) fn interval(&self) -> Duration {
        match self.durability {
            Durability::Process => self.flush_interval,
            Durability::Flush(interval) => interval,
            Durability::Sync => Duration::ZERO,
        }
    }
}

/// Runs the preparation of any number of streams, on threads of its own or by [`Preparer::poll`].
#[derive(Debug)]
pub struct Preparer {
    shared: Arc<Shared>,
    storage: Arc<dyn Storage>,
    /// With threads, and cores that they keep off.
    threads_beside: Option<Vec<usize>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    workers: Mutex<Vec<Arc<Mutex<Worker>>>>,
    is_stopped: AtomicBool,
}

impl Preparer {
    /// Without a thread: the owner calls [`Preparer::poll`] at least each millisecond or so.
    pub fn manual() -> Self {
        Self::new(Disk::default(), None)
    }

    fn new(disk: Disk, threads_beside: Option<Vec<usize>>) -> Self {
        Self { shared: Arc::default(), storage: Arc::new(disk), threads_beside, threads: Mutex::default() }
    }

    /// With a thread named `spinward-journal`, and one more for each stream with [`Durability::Sync`]; they end when the preparer is dropped.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the system gives no thread.
    pub fn start() -> Result<Self, JournalError> {
        Self::start_beside(&[], Duration::ZERO)
    }

    /// The same with threads that keep off these cores, where there are others ([`keep_off`]), and on a disk that takes `flush_delay` longer for each flush, which is an
    /// injected fault.
    ///
    /// # Errors
    /// As [`Preparer::start`].
    pub fn start_beside(cores: &[usize], flush_delay: Duration) -> Result<Self, JournalError> {
        let preparer = Self::new(Disk { flush_delay }, Some(cores.to_vec()));
        let shared = Arc::clone(&preparer.shared);
        preparer.spawn("spinward-journal", move || {
            while !shared.is_stopped.load(Ordering::Acquire) {
                if shared.poll() == 0 {
                    thread::park_timeout(PAUSE);
                }
            }
        })?;
        Ok(preparer)
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), JournalError> {
        let cores = self.threads_beside.clone().unwrap_or_default();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                keep_off(&cores);
                body();
            })
            .map_err(|error| JournalError::io("start the thread", Path::new(name), error))?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Does one piece of work for each stream that has no thread of its own; how many found some. Blocks on the disk: not for a pinned thread,
    /// and not for a thread that serves a broker session.
    pub fn poll(&self) -> usize {
        self.shared.poll()
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    pub(crate) fn add(&self, worker: Worker) -> Result<Arc<Mutex<Worker>>, JournalError> {
        let has_own_thread = self.threads_beside.is_some() && worker.config.durability == Durability::Sync;
        let worker = Arc::new(Mutex::new(worker));
        if !has_own_thread {
            lock(&self.shared.workers).push(Arc::clone(&worker));
            return Ok(worker);
        }
        let (shared, mine) = (Arc::clone(&self.shared), Arc::clone(&worker));
        self.spawn("spinward-sync", move || {
            // 50 µs by default, and an order waits for this thread. A kernel that refuses leaves it at that.
            let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
            while !shared.is_stopped.load(Ordering::Acquire) {
                // A stream that is being finished on another thread is busy with itself.
                let (work, is_done) =
                    mine.try_lock().map_or((0, false), |mut worker| (worker.work(), worker.is_done));
                if is_done {
                    break;
                }
                // It sleeps also right behind a flush: one that stays awake has used up its share of a busy core when it is needed.
                if work == 0 {
                    thread::park_timeout(PAUSE_SYNC);
                }
            }
        })?;
        Ok(worker)
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
        for thread in lock(&self.threads).drain(..) {
            thread.thread().unpark();
            // A panic of the thread was already told on stderr.
            let _ = thread.join();
        }
    }
}
