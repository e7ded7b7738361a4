//! The pipeline's threads allocate nothing, from the first message of a session to the last: counted by the allocator itself, thread by
//! thread. A session as `spinward run` wires it: synthetic ITCH, both demo strategies, paper venue, journal, audit, latency tap.
//!
//! What is left out, and why: a thread's own birth and the hand-over at its end (stages are moved out and rings freed). [`Gate`] holds the
//! first message back until every thread turns in its loop, and the end until all is handled; between the two snapshots lies every frame.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod allocations {
    pub(crate) mod counting;
    pub(crate) mod gate;
}

use allocations::counting::{Counting, calls_of};
use allocations::gate::{Gate, Signals};
use spinward_config::{Bytes, Pace, Settings, StrategySpec};
use spinward_engine::book::BookStage;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::pipeline::{HostCores, IdleStrategy, Pipeline, Stages, Topology};
use spinward_engine::risk::Risk;
use spinward_engine::strategy::{ImbalanceTaker, MarketMaker, Strategy, StrategyRunner, StrategySlot};
use spinward_engine::words::{Clock, Nanos};
use spinward_gateways::itch50::Itch50Decoder;
use spinward_gateways::paper::{PaperVenue, StageBook};
use spinward_gateways::simulation::Simulation;
use spinward_gateways::synthetic::SyntheticFeed;
use spinward_recorder::{
    AuditWriter, ExitDriver, Identity, InterferenceHeader, InterferenceLog, InterferenceWatch, JournalSink,
    JournalWriter, LatencyLog, OrderTap, OrderWriter, Preparer, SessionFolder, SessionTap, StampTime,
    latency_exchange,
};
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One session at a time: threads are told apart by name.
static ONE: Mutex<()> = Mutex::new(());

const EVENTS_LEAST: u64 = 1_000_000;

/// More messages a second than the built-in configuration, small rings and segments, so that everything that happens rarely happens
/// often: rings full, segments changed, latency histograms exchanged.
fn settings() -> Settings {
    let mut settings = spinward_config::builtin().settings;
    settings.feed.synthetic.rate = 100_000;
    settings.session.duration = Some(Duration::from_secs(12));
    settings.simulation.pace = Pace(spinward_gateways::simulation::Pace::Max);
    settings.pipeline.ingress_slots = 1_024;
    settings.pipeline.event_slots = 256;
    settings.journal.segment_bytes = Bytes(4 << 20);
    settings
}

fn strategy(spec: &StrategySpec) -> Box<dyn Strategy> {
    if spec.kind == "market-maker" {
        Box::new(MarketMaker::new(spec.parameters.parse().unwrap()).unwrap())
    } else {
        Box::new(ImbalanceTaker::new(spec.parameters.parse().unwrap()).unwrap())
    }
}

fn stages(settings: &Settings) -> Stages {
    let table = settings.instruments().unwrap();
    let slots = settings.strategies().map(|(id, spec)| StrategySlot {
        id,
        name: spec.name.clone(),
        strategy: strategy(spec),
        instruments: settings.instruments_of(spec),
        intent_ttl: Nanos::new(i64::try_from(spec.intent_ttl.as_nanos()).unwrap()),
        max_in_flight: spec.max_in_flight,
        max_open_orders: spec.max_open_orders,
    });
    Stages {
        risk: Risk::new(&settings.risk(), &table).unwrap(),
        book: BookStage::new(&settings.book()).unwrap(),
        runners: vec![StrategyRunner::new(slots.collect(), table.clone()).unwrap()],
        normalizer: Normalizer::new(vec![Box::new(Itch50Decoder::new(settings.itch50()))], table),
    }
}

/// Runs a session in this topology and checks that no thread of it allocates.
fn check(topology: &Topology) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = settings();
    let host = HostCores { allowed: vec![0], isolated: Vec::new() };
    let clock = Clock::new();
    let stages = stages(&settings);
    let (normalizer, risk, book) =
        (stages.normalizer.counters(), stages.risk.counters(), stages.book.counters());
    let mut paper_book = settings.book();
    paper_book.view_levels = 1;
    let venue = PaperVenue::new(
        &settings.paper(),
        Box::new(Itch50Decoder::new(settings.itch50())),
        settings.instruments().unwrap(),
        StageBook::new(&paper_book).unwrap(),
    )
    .unwrap();
    let feed = Box::new(SyntheticFeed::new(&settings.synthetic()).unwrap());
    let simulation = Simulation::new(&settings.simulation(), feed, venue, Vec::new(), clock.clone()).unwrap();

    let root = tempfile::tempdir().unwrap();
    let folder = SessionFolder::create(root.path(), "allocations", Nanos::from_secs(1_767_600_000)).unwrap();
    let identity = Identity::new();
    let preparer = Preparer::start().unwrap();
    let journal =
        JournalWriter::create_as(&folder.journal(), &settings.journal(), &preparer, identity).unwrap();
    let audit = AuditWriter::create_as(&folder.audit(), &settings.journal(), &preparer, identity).unwrap();
    std::fs::create_dir_all(folder.latency()).unwrap();
    let log = LatencyLog::create(&folder.latency().join("stages.hlog"), Nanos::ZERO, "test").unwrap();
    let (latency, mut collector) = latency_exchange(&clock, Some(log)).unwrap();
    let (outcome, taken) = sync_channel(1);
    let (ended, written) = sync_channel(1);
    let time = StampTime::new(clock.clone(), clock.ticks(), Nanos::from_secs(1_767_600_000));
    let streams = settings.order_streams();
    let orders = OrderWriter::orders(&folder.orders(), &streams, &preparer, identity).unwrap();
    let exits = OrderWriter::exits(&folder.exits(), &streams, &preparer, identity).unwrap();
    let (decided, _) = orders.counters();
    let (left, _) = exits.counters();
    let tap = SessionTap::new(clock.clone(), Some(audit), Some(latency), 0, outcome)
        .with_orders(OrderTap::new(orders, time.clone(), 1));
    let signals = Arc::<Signals>::default();
    let gate = Gate { driver: simulation.with_stamps(true), signals: Arc::clone(&signals) };
    let (exits_ended, exits_written) = sync_channel(1);
    let gate = ExitDriver::new(gate, exits, time.clone(), exits_ended);
    let pipeline = Pipeline::start(
        &settings.pipeline(),
        topology,
        &host,
        &clock,
        stages,
        gate,
        None,
        JournalSink::new(journal, ended),
        tap,
    )
    .unwrap();

    let header = InterferenceHeader::default();
    let log = InterferenceLog::create(&folder.interference(), &header).unwrap();
    let mut watch = InterferenceWatch::new(pipeline.cores(), time, Some(log));
    while pipeline.cores().iter().any(|core| core.counters.idle_turns.value() == 0) {
        std::thread::yield_now();
    }
    let before = calls_of("sw");
    assert_eq!(before.len(), topology.cores.len(), "{before:?}");
    signals.begin.store(true, Ordering::Release);
    let progress = Arc::clone(pipeline.progress());
    let is_handled = || {
        signals.is_over.load(Ordering::Acquire)
            && progress.done() == progress.sequenced()
            && progress.tapped() == progress.sequenced()
            && progress.journaled() == progress.sequenced()
    };
    let mut millis = 0;
    while !is_handled() {
        // As the session's main thread does, which is not one of the pipeline's.
        std::thread::park_timeout(Duration::from_millis(20));
        millis += 20;
        collector.poll(Nanos::from_secs(1_767_600_000 + millis / 1_000)).unwrap();
        watch.poll().unwrap();
        assert!(!pipeline.is_finished() && !progress.has_failed(), "the session ended early");
    }
    let after = calls_of("sw");
    let pipeline_gaps: Vec<_> = pipeline.cores().iter().map(|core| Arc::clone(&core.gaps)).collect();
    signals.end.store(true, Ordering::Release);
    let _ = pipeline.join().unwrap();
    let outcome = taken.recv().unwrap();
    outcome.audit.unwrap().finish().unwrap();
    outcome.orders.unwrap().finish().unwrap();
    exits_written.recv().unwrap().finish().unwrap();
    written.recv().unwrap().finish().unwrap();

    assert_eq!(
        before, after,
        "a thread of the pipeline allocated or freed between the first and the last message"
    );
    let events: u64 = normalizer.events.iter().map(|counter| counter.value()).sum();
    assert!(events >= EVENTS_LEAST, "only {events} events");
    // All of it was at work: views, orders out, fills in.
    assert!(book.views.value() > 0 && risk.fills.value() > 0);
    assert!(risk.messages_sent.iter().all(|counter| counter.value() > 0));
    assert!(decided.records.value() > 0 && left.records.value() > 0);
    // Gaps were noted by the pinned threads themselves; a shared machine has some in a million events.
    assert!(pipeline_gaps.iter().any(|gaps| gaps.count.value() > 0));
    eprintln!(
        "{}: {events} events, {} frames, {} fills, {} threads, no call of the allocator",
        topology.name,
        normalizer.frames.value(),
        risk.fills.value(),
        after.len()
    );
}

#[test]
fn no_thread_of_a_fused_pipeline_allocates_over_a_million_events() {
    // Two threads, left to the scheduler, as tests share their cores.
    let mut topology = Topology::fused(&[0, 1], 1, IdleStrategy::Yield);
    for core in &mut topology.cores {
        core.core = None;
    }
    check(&topology);
}

#[test]
fn no_thread_of_a_split_pipeline_allocates_over_a_million_events() {
    check(&Topology::split(&[], 1, IdleStrategy::Yield));
}

#[test]
fn the_counter_sees_what_a_thread_allocates_and_frees() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let turn = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&turn);
    let thread = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            theirs.wait();
            theirs.wait();
            for number in 0..10u64 {
                drop(std::hint::black_box(Box::new(number)));
            }
            theirs.wait();
            theirs.wait();
        })
        .unwrap();
    turn.wait();
    let before: u64 = calls_of("control").values().sum();
    turn.wait();
    turn.wait();
    let after: u64 = calls_of("control").values().sum();
    turn.wait();
    thread.join().unwrap();
    assert_eq!(after - before, 20);
}
