//! The thread that takes a running session's snapshots: from a replica that follows the session's own journal, so no stage ever waits for it.
//!
//! It sleeps for an interval, runs what the journal has got since then through the very same stages, writes a snapshot, and sleeps again. It is pinned to no core, keeps off
//! the pipeline's where there are others, and is nicer than the rest; the memory of its stages is taken when the first interval is over.

use super::background::step_aside;
use super::registry::Registry;
use super::replica::SessionReplica;
use crate::failure::Failure;
use anyhow::Context;
use spinward_config::Settings;
use spinward_engine::counters::{Counter, Gauge};
use spinward_recorder::{Followed, JournalFollower, Manifest, SessionFolder, write_snapshot};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the thread counts.
#[derive(Debug, Default)]
pub(crate) struct SnapshotCounters {
    /// Snapshots written.
    pub(crate) written: Counter,
    /// Snapshots that could not be written.
    pub(crate) failed: Counter,
    /// The last frame that the replica has taken.
    pub(crate) frame: Gauge,
    /// Size of the last snapshot.
    pub(crate) bytes: Gauge,
    /// How long saving and writing it took, nanoseconds.
    pub(crate) duration_ns: Gauge,
    /// When it was written, nanoseconds since 1970; 0: there is none.
    pub(crate) at: Gauge,
}

/// The running thread. Dropping it ends it.
pub(crate) struct SnapshotThread {
    counters: Arc<SnapshotCounters>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How much nicer than the rest.
const NICE: i32 = 10;

/// Frames between two looks at whether the session is over.
const FRAMES_PER_LOOK: u32 = 4096;

impl SnapshotThread {
    /// Takes a snapshot each `interval`, the first one after the first.
    pub(crate) fn start(
        settings: &Settings,
        registry: &Arc<Registry>,
        folder: &SessionFolder,
        manifest: &Manifest,
        cores: &[usize],
    ) -> anyhow::Result<Self> {
        let counters = Arc::<SnapshotCounters>::default();
        let (stop, stopped) = sync_channel(1);
        let mut work = Work {
            interval: settings.journal.snapshot_interval,
            settings: settings.clone(),
            registry: Arc::clone(registry),
            folder: folder.clone(),
            manifest: manifest.clone(),
            counters: Arc::clone(&counters),
            stopped,
            follower: JournalFollower::new(&folder.journal()),
            replica: None,
            written: 0,
        };
        let cores = cores.to_vec();
        let thread = std::thread::Builder::new()
            .name("spinward-snaps".to_owned())
            .spawn(move || {
                step_aside(&cores, NICE);
                if let Err(failure) = work.run() {
                    // The session goes on; it is recovered from an earlier snapshot or from all of its journal.
                    eprintln!("warning: no more snapshots of this session: {failure}");
                }
            })
            .context("cannot start the thread that takes snapshots")?;
        Ok(Self { counters, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn counters(&self) -> Arc<SnapshotCounters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for SnapshotThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("warning: the thread that takes snapshots panicked; the session itself is whole");
        }
    }
}

struct Work {
    interval: Duration,
    settings: Settings,
    registry: Arc<Registry>,
    folder: SessionFolder,
    manifest: Manifest,
    counters: Arc<SnapshotCounters>,
    stopped: Receiver<()>,
    follower: JournalFollower,
    replica: Option<SessionReplica>,
    /// Frame of the last snapshot.
    written: u64,
}

impl Work {
    /// Until the session ends.
    fn run(&mut self) -> Result<(), Failure> {
        loop {
            match self.stopped.recv_timeout(self.interval) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if !self.follow()? {
                return Ok(());
            }
            self.snapshot()?;
        }
    }

    /// Takes what the journal has got, for one interval at most: a journal that grows as quickly as it can be followed must not keep snapshots from being taken. False if the
    /// session is over.
    fn follow(&mut self) -> Result<bool, Failure> {
        let start = Instant::now();
        let replica = match &mut self.replica {
            Some(replica) => replica,
            None => self.replica.insert(SessionReplica::new(&self.settings, &self.registry, 0)?),
        };
        loop {
            for _ in 0..FRAMES_PER_LOOK {
                match self.follower.poll()? {
                    Followed::Frame(frame) => replica.frame(&frame),
                    Followed::Wait | Followed::End => {
                        self.counters.frame.set(shown(replica.last_frame()));
                        return Ok(true);
                    }
                }
            }
            self.counters.frame.set(shown(replica.last_frame()));
            if self.stopped.try_recv() != Err(TryRecvError::Empty) {
                return Ok(false);
            }
            if start.elapsed() > self.interval && replica.incomplete_frames() == 0 {
                return Ok(true);
            }
        }
    }

    /// Writes a snapshot, if anything happened since the last one. A disk that is full is told and tried again after the next interval.
    fn snapshot(&mut self) -> Result<(), Failure> {
        let Some(replica) = self.replica.as_ref().filter(|replica| replica.last_frame() > self.written)
        else {
            return Ok(());
        };
        let start = Instant::now();
        let Some((head, body)) = replica.save(&self.manifest)? else { return Ok(()) };
        match write_snapshot(&self.folder.snapshots(), &head, &body) {
            Ok(written) => {
                self.written = head.frame;
                self.counters.bytes.set(shown(written.bytes));
                let took = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.counters.duration_ns.set(shown(took));
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.counters.at.set(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX));
                self.counters.written.add(1);
            }
            Err(error) => {
                if self.counters.failed.value() == 0 {
                    eprintln!("warning: snapshot not written: {error}; the next one is tried all the same");
                }
                self.counters.failed.add(1);
            }
        }
        Ok(())
    }
}

fn shown(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
