//! [`RowWriter`]: a session's rows to ClickHouse while it runs, by a thread of its own that follows the journal as `clickhouse load --follow` does.
//!
//! Nothing waits for it: what the server does not have lies in the journal, and it goes on from there when the server is back. At the end of the session it has a
//! bounded time for the rest; then the summary says how far it came.

mod lag;

use self::lag::Lag;
pub(crate) use self::lag::WriterCounters;
use super::background::step_aside;
use super::opened::Opened;
use super::registry::Registry;
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use serde::Serialize;
use spinward_config::{ClickHouseSettings, Settings};
use spinward_recorder::{
    AppendCounters, Batch, ClickHouse, ClickHouseError, LoadSummary, LoadWatch, Loader, Names, RowError,
    RowSink, SessionFolder, Sums, load_wanted, mismatch, server_sums, session_key,
};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A server that has not answered by then counts as away: an insert of a million rows takes a few seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The same before the session starts.
const FIRST_ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// From one beginning to the next while the server is away: from this …
const BACK_OFF_FIRST: Duration = Duration::from_millis(100);
/// … doubled up to this.
const BACK_OFF_MOST: Duration = Duration::from_secs(10);
/// The same after a refusal: beginning again reads the journal from its start.
const BACK_OFF_REFUSED: Duration = Duration::from_secs(60);
/// Longest that the writer waits without looking whether it is to end.
const SLICE: Duration = Duration::from_millis(20);
/// What an answer that is under way may take beyond the end.
const GRACE: Duration = Duration::from_secs(1);
/// Behind everything else that runs on its core.
const NICE: i32 = 10;

/// The server of the settings, or of the command line's URL, which may have a login.
pub(crate) fn server(settings: &Settings, url: Option<&str>) -> Result<Option<ClickHouse>, Failure> {
    let ClickHouseSettings { url: configured, database, user, password_file, password_env, .. } =
        &settings.clickhouse;
    let Some(configured) = &configured.0 else { return Ok(None) };
    if let Some(url) = url.filter(|url| url.contains('@')) {
        return ClickHouse::new(url, database).map(Some).map_err(Failure::usage);
    }
    let password = match (password_file, password_env) {
        (Some(file), _) => std::fs::read_to_string(file)
            .with_context(|| format!("clickhouse.password_file: cannot read {}", file.display())),
        (None, Some(name)) => std::env::var(name)
            .with_context(|| format!("clickhouse.password_env: the environment variable {name} is not set")),
        (None, None) => Ok(String::new()),
    };
    let password = password.map_err(Failure::Usage)?;
    let server = ClickHouse::new(configured, database).map_err(Failure::usage)?;
    Ok(Some(server.with_login(user, password.lines().next().unwrap_or_default())))
}

/// Refuses a server whose schema is another one, or that refuses us. One that is away is told of: the session does not need it.
pub(crate) fn check(server: &ClickHouse) -> Result<(), Failure> {
    match mismatch(&server.clone().answering_within(FIRST_ANSWER_WITHIN)) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(Failure::usage(ClickHouseError::Schema { what })),
        Err(error) if error.is_passing() => {
            eprintln!("warning: {error}; the session starts without it, its rows wait in the journal");
            Ok(())
        }
        Err(error) => Err(Failure::usage(error)),
    }
}

/// What came of it, for the summary.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WriterEnd {
    /// Host, port and database.
    pub(crate) server: String,
    /// Rows that the server has acknowledged.
    pub(crate) rows: u64,
    /// Last frame of which it has every row.
    pub(crate) frame: u64,
    /// Whether it has all of the session.
    pub(crate) is_whole: bool,
    /// Whether every row and column was compared then, and the session marked as exported.
    pub(crate) is_verified: bool,
    /// Why it has not.
    pub(crate) trouble: Option<String>,
}

/// What the session and the writer share.
#[derive(Debug)]
struct Shared {
    counters: Arc<WriterCounters>,
    /// When it is to end; `None` while the session runs.
    end: Mutex<Option<Instant>>,
}

impl Shared {
    fn end(&self) -> Option<Instant> {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_at(&self, at: Instant) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn goes_on(&self) -> bool {
        self.end().is_none_or(|end| Instant::now() < end)
    }

    /// Waits so long; false if it is to end by then.
    fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while self.goes_on() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(SLICE));
        }
        false
    }
}

/// The running thread. Dropped, it ends as soon as it can; nobody waits for it.
pub(crate) struct RowWriter {
    shared: Arc<Shared>,
    server: String,
    catch_up: Duration,
    done: Receiver<Done>,
}

/// How the thread ended: whether everything is there, and checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Done {
    is_whole: bool,
    is_verified: bool,
}

impl RowWriter {
    /// Follows the journal of `folder`, whose manifest is written; off the pipeline's cores.
    pub(crate) fn start(
        server: ClickHouse,
        settings: &ClickHouseSettings,
        registry: &Registry,
        folder: &SessionFolder,
        appended: Arc<AppendCounters>,
        cores: &[usize],
    ) -> Result<Self, Failure> {
        let shared =
            Arc::new(Shared { counters: Arc::new(WriterCounters::new(appended)), end: Mutex::default() });
        let name = format!("{}/{}", server.address(), server.database());
        let (tell, done) = sync_channel(1);
        let writer = Writer {
            server: server.answering_within(ANSWER_WITHIN),
            registry: registry.clone(),
            folder: folder.clone(),
            batch_rows: settings.batch_rows,
            batch_time: settings.batch_time,
            shared: Arc::clone(&shared),
        };
        let cores = cores.to_vec();
        std::thread::Builder::new()
            .name("spinward-rows".to_owned())
            .spawn(move || {
                step_aside(&cores, NICE);
                writer.run(&tell);
            })
            .context("cannot start the thread that writes to ClickHouse")?;
        Ok(Self { shared, server: name, catch_up: settings.catch_up, done })
    }

    pub(crate) fn counters(&self) -> Arc<WriterCounters> {
        Arc::clone(&self.shared.counters)
    }

    /// The session has ended, its manifest says so: waits until the server has all of it, or the time is over, or `is_enough`.
    pub(crate) fn finish(self, is_enough: impl Fn() -> bool) -> WriterEnd {
        let end = Instant::now() + self.catch_up;
        self.shared.end_at(end);
        let done = loop {
            match self.done.recv_timeout(SLICE) {
                Ok(done) => break done,
                Err(RecvTimeoutError::Disconnected) => break Done::default(),
                Err(RecvTimeoutError::Timeout) if is_enough() => {
                    self.shared.end_at(Instant::now());
                    break self.done.recv_timeout(GRACE).unwrap_or_default();
                }
                // An insert that the server has not acknowledged counts as not there; the next load finds out.
                Err(RecvTimeoutError::Timeout) if Instant::now() > end + GRACE => break Done::default(),
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        let counters = &self.shared.counters;
        let slow = || (!done.is_whole).then(|| "it was slower than the session".to_owned());
        let trouble = counters.trouble().or_else(slow);
        WriterEnd {
            server: self.server.clone(),
            rows: counters.rows.value(),
            frame: counters.frame(),
            is_whole: done.is_whole,
            is_verified: done.is_verified,
            trouble,
        }
    }
}

impl Drop for RowWriter {
    fn drop(&mut self) {
        self.shared.end_at(Instant::now());
    }
}

/// What the thread has.
struct Writer {
    server: ClickHouse,
    registry: Registry,
    folder: SessionFolder,
    batch_rows: usize,
    batch_time: Duration,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(&self, tell: &SyncSender<Done>) {
        let mut done = Done::default();
        let mut wait = BACK_OFF_FIRST;
        loop {
            let had = self.shared.counters.rows.value();
            match self.attempt() {
                Ok(()) => {
                    done.is_whole = true;
                    break;
                }
                Err(Stop::ForGood(why)) => {
                    self.trouble(why);
                    break;
                }
                Err(Stop::ForNow { why, most }) => {
                    if self.shared.goes_on() {
                        self.trouble(why);
                    }
                    if self.shared.counters.rows.value() > had {
                        wait = BACK_OFF_FIRST;
                    }
                    if !self.shared.pause(wait) {
                        break;
                    }
                    wait = (wait * 2).min(most);
                }
            }
        }
        if done.is_whole {
            let verified = self.verify();
            done.is_verified = verified.is_ok();
            self.shared.counters.set_trouble(verified.err());
        }
        // Whoever started it may have gone.
        let _ = tell.send(done);
    }

    /// Tells a new trouble; the same one only once.
    fn trouble(&self, why: String) {
        if self.shared.counters.trouble().as_ref() != Some(&why) {
            eprintln!("warning: ClickHouse: {why}; the session goes on, its rows wait in the journal");
        }
        self.shared.counters.set_trouble(Some(why));
    }

    /// From what the server has to the end of the session.
    fn attempt(&self) -> Result<(), Stop> {
        let opened = Opened::open(&self.folder).map_err(|failure| Stop::ForGood(failure.to_string()))?;
        let key = session_key(&self.folder, &opened.manifest);
        let watch = Watch { shared: &self.shared, told: LoadSummary::default(), lag: Lag::default() };
        let loader = Loader::open(&self.server, &key, Duration::MAX, watch)?;
        let mut loader = loader.with_batch_rows(self.batch_rows);
        if self.shared.counters.trouble().is_some() {
            eprintln!("ClickHouse is back");
            self.shared.counters.set_trouble(None);
        }
        let wanted = loader.wanted(false);
        let source = opened
            .following(&self.registry, wanted, self.batch_time)
            .map_err(|failure| Stop::ForGood(failure.to_string()))?;
        source.run(&mut loader).map_err(Stop::of)?;
        loader.finish().map_err(Stop::from)?;
        Ok(())
    }

    /// Runs the session again, verdicts held against the audit, and compares every row and column with the server's. Equal, it is marked as exported.
    fn verify(&self) -> Result<(), String> {
        let told = |failure: Failure| failure.to_string();
        let opened = Opened::open(&self.folder).map_err(told)?;
        let key = session_key(&self.folder, &opened.manifest);
        let mut sums = TimedSums { sums: Sums::default(), shared: &self.shared };
        let source = opened.source(&self.registry, load_wanted(true)).map_err(told)?;
        let totals = match source.run(&mut sums) {
            Ok(totals) => totals,
            Err(_) if !self.shared.goes_on() => {
                return Err("there was no time left to compare it with the journal".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        };
        let there = server_sums(&self.server, &key).map_err(|error| error.to_string())?;
        if let Some(difference) = sums.sums.differences(&there).first() {
            return Err(format!("{}.{} differs from the journal's", difference.table, difference.what));
        }
        let text = format!("ClickHouse {}/{}, verified", self.server.address(), self.server.database());
        if opened.mark(&totals, false, &text) {
            return Ok(());
        }
        Err("equal, but not marked as exported: the journal is not all that the manifest tells of".to_owned())
    }
}

/// Why an attempt ended.
enum Stop {
    /// Nothing that comes would change it: the journal cannot be read, or is another one.
    ForGood(String),
    /// It is worth trying again, after so long at the most.
    ForNow { why: String, most: Duration },
}

impl From<ClickHouseError> for Stop {
    fn from(error: ClickHouseError) -> Self {
        let why = error.to_string();
        match error {
            ClickHouseError::Ahead { .. } | ClickHouseError::Url { .. } => Self::ForGood(why),
            // Somebody may run `migrate`: asking costs nothing. What was lost is sent again by whoever asks what is there.
            ClickHouseError::Schema { .. } | ClickHouseError::Behind { .. } => {
                Self::ForNow { why, most: BACK_OFF_MOST }
            }
            error if error.is_passing() => Self::ForNow { why, most: BACK_OFF_MOST },
            ClickHouseError::Unreachable { .. }
            | ClickHouseError::Refused { .. }
            | ClickHouseError::Answer { .. }
            | ClickHouseError::Stopped => Self::ForNow { why, most: BACK_OFF_REFUSED },
        }
    }
}

impl Stop {
    fn of(error: RowError) -> Self {
        match error {
            RowError::Sink(error) => match error.downcast::<ClickHouseError>() {
                Ok(error) => Self::from(*error),
                Err(error) => Self::ForGood(error.to_string()),
            },
            RowError::Journal(_) | RowError::Differs { .. } => Self::ForGood(error.to_string()),
        }
    }
}

/// The loader's eyes on the session.
struct Watch<'a> {
    shared: &'a Shared,
    told: LoadSummary,
    lag: Lag,
}

impl LoadWatch for Watch<'_> {
    fn is_there(&mut self, frame: u64) {
        self.lag.is_there(frame, &self.shared.counters);
    }

    fn loaded(&mut self, so_far: &LoadSummary) {
        let counters = &self.shared.counters;
        counters.rows.add(so_far.rows.saturating_sub(self.told.rows));
        counters.inserts.add(so_far.blocks.saturating_sub(self.told.blocks));
        counters.retries.add(so_far.retries.saturating_sub(self.told.retries));
        self.told.clone_from(so_far);
    }

    fn trouble(&mut self, trouble: Option<&ClickHouseError>) {
        match trouble {
            Some(error) => {
                eprintln!("warning: ClickHouse: {error}; the session goes on, its rows wait in the journal")
            }
            None => eprintln!("ClickHouse is back"),
        }
        self.shared.counters.set_trouble(trouble.map(ToString::to_string));
    }

    fn pause(&mut self, wait: Duration) -> bool {
        self.shared.pause(wait)
    }

    fn goes_on(&mut self) -> bool {
        self.shared.goes_on()
    }
}

/// Sums of a session's rows, as long as there is time.
struct TimedSums<'a> {
    sums: Sums,
    shared: &'a Shared,
}

impl RowSink for TimedSums<'_> {
    fn rows(
        &mut self,
        batch: &mut Batch,
        names: &Names,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if !self.shared.goes_on() {
            return Err(anyhow!("no time left").into());
        }
        RowSink::rows(&mut self.sums, batch, names)
    }
}
