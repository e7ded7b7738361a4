//! [`KeeperThread`]: what becomes of files that nobody writes any more: sealed segments are compressed, old sessions' streams removed.
//!
//! One thread, behind everything else on its core, that rests three times as long as it worked. It looks at the running session first, then at those before it.

use super::background::step_aside;
use crate::failure::Failure;
use anyhow::Context;
use spinward_config::Settings;
use spinward_engine::counters::{Counter, Gauge};
use spinward_recorder::{
    COMPACT_LEVEL, Fate, JournalError, Judged, Retention, SessionFolder, StreamKind, compact_one,
    remove_streams,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From one look for a segment to the next.
const LOOK: Duration = Duration::from_secs(1);
/// From one look at all sessions to the next.
const ROUND: Duration = Duration::from_secs(60);
/// Rest after each segment: so many times what it took.
const REST: u32 = 3;
/// The lowest priority there is.
const NICE: i32 = 19;

/// What the keeper counts. Written by its thread alone.
#[derive(Debug, Default)]
pub(crate) struct KeeperCounters {
    /// Segments compressed.
    pub(crate) compressed: Counter,
    /// Segments that could not be.
    pub(crate) failed: Counter,
    /// Bytes of the compressed ones, before and after.
    pub(crate) bytes: [Counter; 2],
    /// Sessions by [`KeeperCounters::FATES`] at the last look.
    pub(crate) sessions: [Gauge; 5],
    /// Bytes of all sessions at the last look.
    pub(crate) bytes_kept: Gauge,
    /// Bytes of streams that were removed.
    pub(crate) bytes_removed: Counter,
}

impl KeeperCounters {
    /// What becomes of a session, and its label.
    pub(crate) const FATES: [(Fate, &'static str); 5] = [
        (Fate::Goes, "removed"),
        (Fate::Runs, "runs"),
        (Fate::NotExported, "not_exported"),
        (Fate::LastOfItsName, "last_of_its_name"),
        (Fate::Young, "kept"),
    ];
}

/// The running thread. Dropping it ends it, behind the segment that it has in hand.
pub(crate) struct KeeperThread {
    counters: Arc<KeeperCounters>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl KeeperThread {
    /// Beside the session in `folder`, off the pipeline's cores.
    pub(crate) fn start(
        settings: &Settings,
        folder: &SessionFolder,
        cores: &[usize],
    ) -> Result<Self, Failure> {
        let counters = Arc::<KeeperCounters>::default();
        let journal = &settings.journal;
        let mut keeper = Keeper {
            root: settings.session.folder.clone(),
            own: folder.clone(),
            compact_after: journal.compact.is_on().then_some(journal.compact_after),
            retention: Retention {
                older_than: journal.keep_days.map(|days| Duration::from_secs(u64::from(days) * 86_400)),
                bytes_max: journal.keep_bytes.map(|bytes| bytes.0),
            },
            others: Vec::new(),
            refused: BTreeSet::new(),
            held: 0,
            counters: Arc::clone(&counters),
        };
        let (stop, stopped) = sync_channel(1);
        let cores = cores.to_vec();
        let keep = move || {
            step_aside(&cores, NICE);
            let mut round_at = Instant::now();
            loop {
                if Instant::now() >= round_at {
                    keeper.round();
                    round_at = Instant::now() + ROUND;
                }
                let began = Instant::now();
                let wait = if keeper.compress() { began.elapsed() * REST } else { LOOK };
                match stopped.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("spinward-keeper".to_owned())
            .spawn(keep)
            .context("cannot start the thread that compresses segments")?;
        Ok(Self { counters, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn counters(&self) -> Arc<KeeperCounters> {
        Arc::clone(&self.counters)
    }
}

impl Drop for KeeperThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("warning: the thread that compresses segments panicked; the session itself is whole");
        }
    }
}

struct Keeper {
    root: PathBuf,
    own: SessionFolder,
    /// How long a segment must have been sealed; `None`: nothing is compressed.
    compact_after: Option<Duration>,
    retention: Retention,
    /// Streams of earlier sessions that may have something to compress.
    others: Vec<(StreamKind, PathBuf)>,
    /// Segments that are damaged: `journal verify` tells more.
    refused: BTreeSet<PathBuf>,
    /// Sessions that were to go, but were not exported, when it was last told.
    held: i64,
    counters: Arc<KeeperCounters>,
}

impl Keeper {
    /// Looks at all sessions: removes what may go.
    fn round(&mut self) {
        let judged = match self.retention.judge(&self.root) {
            Ok(judged) => judged,
            Err(error) => return eprintln!("warning: {error}"),
        };
        self.others.clear();
        let mut kept = 0;
        for Judged { session, bytes, fate } in &judged {
            if *fate == Fate::Goes {
                match remove_streams(session) {
                    Ok(()) => {
                        self.counters.bytes_removed.add(*bytes);
                        eprintln!(
                            "removed the streams of {}: exported, and over journal.keep_…",
                            session.id()
                        );
                        continue;
                    }
                    Err(error) => eprintln!("warning: {error}"),
                }
            } else if session.id() != self.own.id() && *fate != Fate::Runs {
                self.others.extend(session.streams());
            }
            kept += bytes;
        }
        self.counters.bytes_kept.set(i64::try_from(kept).unwrap_or(i64::MAX));
        for (gauge, (fate, _)) in self.counters.sessions.iter().zip(KeeperCounters::FATES) {
            let count = judged.iter().filter(|judged| judged.fate == fate).count() as i64;
            gauge.set(count);
            if fate == Fate::NotExported {
                if count > self.held {
                    eprintln!("warning: {count} session(s) are over journal.keep_… and stay: not exported");
                }
                self.held = count;
            }
        }
    }

    /// Compresses one segment; whether there was one.
    fn compress(&mut self) -> bool {
        let Some(after) = self.compact_after else { return false };
        for (kind, folder) in self.own.streams() {
            if self.compress_in(&folder, kind, after) {
                return true;
            }
        }
        while let Some((kind, folder)) = self.others.last().cloned() {
            if self.compress_in(&folder, kind, after) {
                return true;
            }
            self.others.pop();
        }
        false
    }

    fn compress_in(&mut self, folder: &Path, kind: StreamKind, after: Duration) -> bool {
        let mut tried = PathBuf::new();
        let found = compact_one(folder, kind, COMPACT_LEVEL, |path| {
            path.clone_into(&mut tried);
            let sealed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
            let is_old = sealed.is_ok_and(|at| at.elapsed().unwrap_or_default() >= after);
            is_old && !self.refused.contains(path)
        });
        match found {
            Ok(Some(done)) => {
                self.counters.compressed.add(done.segments);
                let [before, behind] = &self.counters.bytes;
                before.add(done.bytes_before);
                behind.add(done.bytes_after);
                true
            }
            // Another one is at it.
            Ok(None) | Err(JournalError::InUse { .. }) => false,
            Err(error) => {
                self.counters.failed.add(1);
                eprintln!("warning: {error}; it stays as it is");
                self.refused.insert(tried);
                false
            }
        }
    }
}
