//! A session, with the paper venue or on sockets: set up, run, taken down.
//!
//! 1. settings → stages, feed, venue: the world outside of the engine
//! 2. session folder, manifest, journal and audit (a preparer thread of their own)
//! 3. side thread: metrics, operator's socket, Ctrl-C; the threads that write rows to ClickHouse and look after old files
//! 4. the pipeline's threads; this thread looks on: live line, interval logs, kill latch
//! 5. everything sealed, ClickHouse given time for the rest, the summary made

use super::clickhouse::{self, RowWriter};
use super::keeper::KeeperThread;
use super::latch::LatchFile;
use super::recover::Recovered;
use super::registry::Registry;
use super::side::{Side, SideParts};
use super::snapshots::SnapshotThread;
use super::summary::{Attribution, Summary};
use super::watch::WatchThread;
use super::world::World;
use super::{parts, recover, replay};
use crate::cli::output;
use crate::failure::Failure;
use crate::host;
use crate::metrics::Sources;
use anyhow::{Context, anyhow};
use crossbeam_queue::ArrayQueue;
use spinward_config::Settings;
use spinward_engine::pipeline::{CoreReport, Inbox, Pipeline, StampMode};
use spinward_engine::state::StateWriter;
use spinward_engine::words::{Clock, Command, Nanos};
use spinward_gateways::operator::{OperatorInbox, operator_queue};
use spinward_recorder::{
    AuditWriter, Durability, Ended, ExitDriver, Fingerprint, Host, Identity, InterferenceHeader,
    InterferenceLog, InterferenceWatch, JournalSink, JournalWriter, LatencyLog, LatencySummary, Manifest,
    OrderTap, OrderWriter, Preparer, SessionFolder, SessionTap, StampTime, StateChange, chain_text,
    latency_exchange, rfc3339,
};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, SystemTime};

/// How a session is run, besides its settings.
pub(crate) struct LiveOptions {
    pub(crate) command_line: Vec<String>,
    pub(crate) resume: Option<PathBuf>,
    pub(crate) is_quiet: bool,
    /// The URL of the command line's ClickHouse server, with its login.
    pub(crate) clickhouse: Option<String>,
}

/// How often this thread looks on.
const LOOK: Duration = Duration::from_millis(200);

/// Commands waiting for the sequencer.
const INBOX_SLOTS: usize = 64;

/// Operator's commands: those that the session begins with, then those from the socket.
struct SessionInbox {
    first: Option<Command>,
    socket: OperatorInbox,
}

impl Inbox for SessionInbox {
    fn poll(&mut self) -> Option<Command> {
        self.first.take().or_else(|| self.socket.poll())
    }
}

/// Runs a session to its end.
pub(crate) fn run(
    settings: &Settings,
    registry: &Arc<Registry>,
    options: &LiveOptions,
) -> Result<Summary, Failure> {
    let host = host::cores();
    parts::check(settings, registry, &host).map_err(Failure::usage)?;
    let topology = settings.topology(&host).map_err(Failure::usage)?;
    if let Some(warning) = host::unused_isolation(&host, &topology) {
        eprintln!("warning: {warning}");
    }
    let server = clickhouse::server(settings, options.clickhouse.as_deref())?;
    server.as_ref().map_or(Ok(()), clickhouse::check)?;
    let root = &settings.session.folder;
    std::fs::create_dir_all(root).with_context(|| format!("cannot make the folder {}", root.display()))?;

    // 1: what an earlier session left, then the parts
    let recovered = match &options.resume {
        Some(session) => Some(resumed(settings, registry, root, session)?),
        None => None,
    };
    let mut latch = LatchFile::new(root, &settings.session.name);
    // A halt holds for whatever session comes next, also if the one that is resumed knows nothing of it or the halted one was killed.
    let halted = latch.in_force().map_err(Failure::Usage)?;
    if let Some(halt) = &halted {
        eprintln!(
            "halted by {} since {} ({}): {}; lift it with `spinward control resume {}`, or remove {}",
            halt.owner,
            halt.since,
            halt.session,
            halt.reason,
            halt.owner,
            latch.path().display()
        );
    }
    let first = halted
        .map(|halt| halt.command())
        .or_else(|| recovered.as_ref().and_then(|recovered| recovered.latch));
    let clock = Clock::new();
    let stages = parts::stages(settings, registry)?;
    let unsaved = stages.runners.iter().find_map(|runner| runner.save(&mut StateWriter::new()).err());
    if let Some(unsaved) = &unsaved
        && !settings.journal.snapshot_interval.is_zero()
    {
        eprintln!("note: no snapshots of this session: {unsaved}");
    }
    let has_orders = settings.latency.orders && settings.pipeline.stamps != StampMode::Off;
    let world = World::new(settings, recovered.as_ref(), &clock, has_orders)?;
    let failure = world.failure_slot();

    // 2: the folder
    let now = now();
    let time = StampTime::new(clock.clone(), clock.ticks(), now);
    let folder = SessionFolder::create(root, &settings.session.name, now)?;
    let identity = Identity::new();
    let machine = Fingerprint::current();
    let mut manifest =
        manifest(settings, options, &folder, &identity, &topology.name, recovered.as_ref(), &machine, now);
    manifest.write(&folder.manifest())?;
    latch.reserve(&folder)?;
    let cores: Vec<usize> = topology.cores.iter().filter_map(|spec| spec.core).collect();
    let preparer = Preparer::start_beside(&cores, settings.faults.flush_delay)?;
    let journal = JournalWriter::create_as(&folder.journal(), &settings.journal(), &preparer, identity)?;
    let audit = AuditWriter::create_as(&folder.audit(), &settings.audit(), &preparer, identity)?;
    std::fs::create_dir_all(folder.latency())
        .with_context(|| format!("cannot make the folder {}", folder.latency().display()))?;
    let whose = format!(
        "spinward session {}; version={}; commit={}; config={}; {machine}",
        folder.id(),
        manifest.version,
        manifest.commit,
        manifest.config_fingerprint
    );
    let log = LatencyLog::create(&folder.latency().join("stages.hlog"), now, &whose)?;
    let (latency, mut collector) = latency_exchange(&clock, Some(log))?;
    let (outcome, taken) = sync_channel(1);
    let (ended, written) = sync_channel(1);
    let changes = Arc::new(ArrayQueue::<(Nanos, StateChange)>::new(64));

    let (exits_ended, exits_written) = sync_channel(1);
    let orders = if has_orders {
        let config = settings.order_streams();
        let orders = OrderWriter::orders(&folder.orders(), &config, &preparer, identity)?;
        let exits = OrderWriter::exits(&folder.exits(), &config, &preparer, identity)?;
        Some((orders, exits))
    } else {
        None
    };

    // 3 and 4: threads
    let (socket, sender) = operator_queue(INBOX_SLOTS);
    let mut sources = Sources::new(settings, &stages, &world.counters(), &journal, &audit);
    let appended = journal.counters();
    let mut tap = SessionTap::new(clock.clone(), Some(audit), Some(latency), 0, outcome)
        .with_changes(Arc::clone(&changes));
    if settings.audit().durability == Durability::Sync {
        tap = tap.holding_orders();
    }
    let mut frames = JournalSink::new(journal, ended);
    if settings.journal().durability == Durability::Sync {
        frames = frames.holding_orders();
    }
    let driver = match orders {
        Some((orders, exits)) => {
            sources.add_orders(&orders, &exits);
            tap = tap.with_orders(OrderTap::new(orders, time.clone(), topology.strategy_cores()));
            ExitDriver::new(world, exits, time.clone(), exits_ended)
        }
        None => ExitDriver::without_store(world),
    };
    let side = Side::bind(settings, &folder)?;
    let pipeline = Pipeline::start(
        &settings.pipeline(),
        &topology,
        &host,
        &clock,
        stages,
        driver,
        Some(Box::new(SessionInbox { first, socket })),
        frames,
        tap,
    )
    .map_err(Failure::usage)?;
    sources.add_pipeline(&pipeline);
    let watch = watch(settings, &folder, &identity, &sources.cores, &time)?;
    if let Some(watch) = &watch {
        sources.add_interference(watch.totals());
    }
    let rows = match server {
        Some(server) => {
            Some(RowWriter::start(server, &settings.clickhouse, registry, &folder, appended, &cores)?)
        }
        None => None,
    };
    if let Some(rows) = &rows {
        sources.add_clickhouse(rows.counters());
    }
    let keeper = KeeperThread::start(settings, &folder, &cores)?;
    sources.add_keeper(keeper.counters());
    let snapshots = match unsaved {
        None if !settings.journal.snapshot_interval.is_zero() => {
            Some(SnapshotThread::start(settings, registry, &folder, &manifest, &cores)?)
        }
        Some(_) | None => None,
    };
    if let Some(snapshots) = &snapshots {
        sources.add_snapshots(snapshots.counters());
    }
    let sources = Arc::new(sources);
    let is_enough = Arc::new(AtomicBool::new(false));
    let side = side.start(SideParts {
        sources: Arc::clone(&sources),
        sender,
        progress: Arc::clone(pipeline.progress()),
        is_enough: Arc::clone(&is_enough),
    })?;
    let mut line = LiveLine::new(options.is_quiet);
    let follow_latch = || -> anyhow::Result<()> {
        while let Some((time, change)) = changes.pop() {
            latch.follow(time, &change, folder.id())?;
        }
        Ok(())
    };
    let mut problems = Vec::new();
    // What cannot be written, on a full disk for one, is told and ends nothing: orders may be open.
    let mut log_failure = None;
    let mut latch_failure = None;
    while !pipeline.is_finished() {
        std::thread::sleep(LOOK);
        log_failure = collector.poll(self::now()).err().or(log_failure);
        latch_failure = follow_latch().err().or(latch_failure);
        let latency = collector.summary();
        line.show(&sources, &latency);
        sources.set_latency(latency);
    }
    line.clear();

    // 5: the end
    let has_failed = pipeline.progress().has_failed();
    drop(watch);
    drop(snapshots);
    let finished = pipeline.join().ok_or_else(|| anyhow!("a thread of the pipeline panicked"))?;
    let tap = taken.recv().context("the tap left no result")?;
    if let Some(error) = collector.poll(self::now()).err().or(log_failure) {
        eprintln!("warning: the log of latencies is not whole: {error}");
    }
    if let Some(error) = follow_latch().err().or(latch_failure) {
        problems.push(format!("a halt may not hold for the next session: {error:#}"));
    }
    let mut ended = Ended { frames: tap.frame, ..Ended::default() };
    if let Some(audit) = tap.audit {
        let failure = audit.failure().filter(|_| has_failed);
        match audit.finish() {
            Ok(finished) => {
                ended.audit_chain = Some(chain_text(&finished.chain));
                problems.extend(failure.map(|error| error.to_string()));
            }
            Err(error) => problems.push(format!("the audit is not whole: {error}")),
        }
    }
    match written.recv() {
        Ok(journal) => {
            let failure = journal.failure().filter(|_| has_failed);
            match journal.finish() {
                Ok(finished) => {
                    ended.journal_chain = Some(chain_text(&finished.chain));
                    problems.extend(failure.map(|error| error.to_string()));
                }
                Err(error) => problems.push(format!("the journal is not whole: {error}")),
            }
        }
        Err(_) => problems.push("the journal was not ended".to_owned()),
    }
    // What is stored of latency is no part of the session: it is whole without.
    for (writer, name) in [(tap.orders, "orders"), (exits_written.try_recv().ok(), "exits")] {
        if let Some(Err(error)) = writer.map(OrderWriter::finish) {
            eprintln!("warning: latency/{name} is not whole: {error}");
        }
    }
    if has_failed {
        problems.push(
            "a file of the session could not be written: the session was stopped, no order left after that"
                .to_owned(),
        );
    }
    if let Some(error) = failure.get() {
        problems.push(error.to_string());
    }
    drop(preparer);
    ended.at = rfc3339(self::now());
    ended.reason = if problems.is_empty() { "end of the session".to_owned() } else { problems.join("; ") };
    manifest.ended = Some(ended);
    if let Err(error) = manifest.write(&folder.manifest()) {
        problems.push(format!("the manifest does not tell of the end: {error}"));
    }
    let clickhouse = rows.map(|rows| rows.finish(|| is_enough.load(Ordering::Relaxed)));
    drop(keeper);
    side.stop();
    let attribution = Attribution::new(settings, &folder, &sources);
    let summary = Summary::new(
        settings,
        &folder,
        &sources,
        &finished,
        &tap.digests,
        collector.summary(),
        attribution,
        problems,
    );
    Ok(Summary { clickhouse, ..summary })
}

/// Looks for interference, unless that is switched off.
fn watch(
    settings: &Settings,
    folder: &SessionFolder,
    identity: &Identity,
    cores: &[CoreReport],
    time: &StampTime,
) -> Result<Option<WatchThread>, Failure> {
    let interval = settings.latency.interference_interval;
    if interval.is_zero() {
        return Ok(None);
    }
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let header = InterferenceHeader {
        session: format!("{:016x}", identity.session),
        interval_ns: nanos(interval),
        gap_threshold_ns: nanos(settings.latency.gap_threshold),
        ..InterferenceHeader::default()
    };
    let log = InterferenceLog::create(&folder.interference(), &header)?;
    let watch = InterferenceWatch::new(cores, time.clone(), Some(log));
    Ok(Some(WatchThread::start(watch, interval)?))
}

/// What an earlier session left, checked against these settings.
fn resumed(
    settings: &Settings,
    registry: &Registry,
    root: &Path,
    session: &Path,
) -> Result<Recovered, Failure> {
    let folder = replay::find(root, session)?;
    let mut recovered = recover::recover(&folder, registry)?;
    let instruments: Vec<String> = settings.instruments.iter().map(|i| i.symbol.clone()).collect();
    let strategies: Vec<String> = settings.strategies.iter().map(|spec| spec.name.clone()).collect();
    let left: Vec<String> = recovered.strategies.iter().map(|(name, _)| name.clone()).collect();
    if recovered.instruments != instruments || left != strategies {
        return Err(Failure::Usage(anyhow!(
            "--resume {}: that session had instruments {:?} and strategies {:?}; give the same ones in the same order, as positions and orders are kept by them",
            session.display(),
            recovered.instruments,
            left,
        )));
    }
    let kinds: Vec<String> = settings.strategies.iter().map(|spec| spec.kind.clone()).collect();
    recovered.keep_states_of(&kinds);
    for refused in &recovered.how.refused {
        eprintln!("warning: snapshot not used: {refused}");
    }
    eprintln!(
        "resuming {}: {} position(s), {} open order(s){}; {}",
        recovered.session,
        recovered.positions(),
        recovered.open_orders(),
        if recovered.latch.is_some() { ", halted" } else { "" },
        recovered.how,
    );
    for name in &recovered.begin_anew {
        eprintln!("note: strategy {name} begins anew: the earlier session has saved no state of it");
    }
    Ok(recovered)
}

#[expect(clippy::too_many_arguments, reason = "one for each thing it says")]
fn manifest(
    settings: &Settings,
    options: &LiveOptions,
    folder: &SessionFolder,
    identity: &Identity,
    topology: &str,
    recovered: Option<&Recovered>,
    machine: &Fingerprint,
    now: Nanos,
) -> Manifest {
    Manifest {
        format: spinward_recorder::MANIFEST_FORMAT,
        journal_format: spinward_recorder::FORMAT_VERSION,
        name: folder.name().to_owned(),
        session: format!("{:016x}", identity.session),
        started: rfc3339(now),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("SPINWARD_COMMIT").to_owned(),
        command_line: options.command_line.clone(),
        feed: settings.feed.to_string(),
        seed: settings.session.seed,
        topology: topology.to_owned(),
        instruments: settings.instruments.iter().map(|instrument| instrument.symbol.clone()).collect(),
        resumed_from: recovered.map(|recovered| recovered.session.clone()),
        config_fingerprint: settings.fingerprint(),
        ended: None,
        host: Host::of(machine),
        fingerprint: Some(machine.clone()),
        config: settings.to_toml(),
    }
}

fn now() -> Nanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::new(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The one line that changes while a session runs.
struct LiveLine {
    is_shown: bool,
    frames: u64,
    at: std::time::Instant,
}

impl LiveLine {
    fn new(is_quiet: bool) -> Self {
        Self {
            is_shown: !is_quiet && std::io::stderr().is_terminal(),
            frames: 0,
            at: std::time::Instant::now(),
        }
    }

    fn show(&mut self, sources: &Sources, latency: &[LatencySummary]) {
        if !self.is_shown {
            return;
        }
        let frames = sources.frames();
        let elapsed = self.at.elapsed().as_secs_f64().max(1e-3);
        let rate = (frames - self.frames) as f64 / elapsed;
        (self.frames, self.at) = (frames, std::time::Instant::now());
        let slowest = latency
            .iter()
            .filter(|row| row.stage.ends_with("service") && !row.stage.starts_with("tick"))
            .max_by_key(|row| row.p99_ns);
        let slowest = slowest.map_or_else(String::new, |row| {
            format!("  slowest {} p99 {}", row.stage.trim_end_matches("_service"), output::nanos(row.p99_ns))
        });
        let text = format!(
            "{} frames  {:.0} k/s  orders {}  fills {}  PnL {}{slowest}",
            output::count(frames),
            rate / 1e3,
            output::count(sources.orders()),
            output::count(sources.fills()),
            output::money(sources.pnl_nanos()),
        );
        // A terminal that is gone is no reason to end the session.
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        let _ = std::io::stderr().flush();
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
