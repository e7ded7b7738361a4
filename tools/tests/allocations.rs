//! The pipeline's threads allocate nothing, from the first message of a session to the last: counted by the allocator itself, thread by
//! thread. A session as `spinward run` wires it: synthetic ITCH, both demo strategies, paper venue, journal, audit, latency tap.
//!
//! What is left out, and why: a thread's own birth and the hand-over at its end (stages are moved out and rings freed). [`Gate`] holds the
//! first message back until every thread turns in its loop, and the end until all is handled; between the two snapshots lies every frame. Of a session over sockets
//! login and opening are left out as well.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod allocations {
    pub(crate) mod counting;
    pub(crate) mod gate;
}

use allocations::counting::{Counting, calls_of};
use allocations::gate::{Gate, Signals};
use spinward_config::{Bytes, FeedKind, Pace, Settings, StrategySpec};
use spinward_engine::book::BookStage;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::pipeline::{Driver, HostCores, IdleStrategy, Pipeline, SideCore, Stages, Topology};
use spinward_engine::risk::Risk;
use spinward_engine::strategy::{ImbalanceTaker, MarketMaker, Strategy, StrategyRunner, StrategySlot};
use spinward_engine::words::{Clock, Nanos};
use spinward_gateways::exchange::server::{ExchangeConfig, ExchangeServer, FlowConfig};
use spinward_gateways::itch50::Itch50Decoder;
use spinward_gateways::live::{LiveConfig, LiveDriver, MoldFeed, MoldFeedConfig};
use spinward_gateways::notice::NoticeDecoder;
use spinward_gateways::ouch::Carried;
use spinward_gateways::paper::{PaperVenue, StageBook};
use spinward_gateways::simulation::Simulation;
use spinward_gateways::soup::Alpha;
use spinward_gateways::synthetic::SyntheticFeed;
use spinward_recorder::{
    AuditWriter, ExitDriver, Identity, InterferenceHeader, InterferenceLog, InterferenceWatch, JournalSink,
    JournalWriter, LatencyLog, OrderTap, OrderWriter, Preparer, SessionFolder, SessionTap, StampTime,
    latency_exchange,
};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// The files of a session, its pipeline and what looks on: runs it, lets `measure` do its part (with what the session's main thread does meanwhile), and takes it down.
fn session<D: Driver + 'static>(
    settings: &Settings,
    topology: &Topology,
    clock: &Clock,
    stages: Stages,
    driver: D,
    measure: impl FnOnce(&Pipeline, &mut dyn FnMut()),
) {
    let host = HostCores { allowed: vec![0], isolated: Vec::new() };
    let root = tempfile::tempdir().unwrap();
    let folder = SessionFolder::create(root.path(), "allocations", Nanos::from_secs(1_767_600_000)).unwrap();
    let identity = Identity::new();
    let preparer = Preparer::start().unwrap();
    let journal =
        JournalWriter::create_as(&folder.journal(), &settings.journal(), &preparer, identity).unwrap();
    let audit = AuditWriter::create_as(&folder.audit(), &settings.journal(), &preparer, identity).unwrap();
    std::fs::create_dir_all(folder.latency()).unwrap();
    let log = LatencyLog::create(&folder.latency().join("stages.hlog"), Nanos::ZERO, "test").unwrap();
    let (latency, mut collector) = latency_exchange(clock, Some(log)).unwrap();
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
    let (exits_ended, exits_written) = sync_channel(1);
    let driver = ExitDriver::new(driver, exits, time.clone(), exits_ended);
    let pipeline = Pipeline::start(
        &settings.pipeline(),
        topology,
        &host,
        clock,
        stages,
        driver,
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
    let mut millis = 0;
    measure(&pipeline, &mut || {
        // As the session's main thread does, which is not one of the pipeline's.
        std::thread::park_timeout(Duration::from_millis(20));
        millis += 20;
        collector.poll(Nanos::from_secs(1_767_600_000 + millis / 1_000)).unwrap();
        watch.poll().unwrap();
        assert!(!pipeline.is_finished() && !pipeline.progress().has_failed(), "the session ended early");
    });
    let _ = pipeline.join().unwrap();
    let outcome = taken.recv().unwrap();
    outcome.audit.unwrap().finish().unwrap();
    outcome.orders.unwrap().finish().unwrap();
    exits_written.recv().unwrap().finish().unwrap();
    written.recv().unwrap().finish().unwrap();
    assert!(decided.records.value() > 0 && left.records.value() > 0);
}

/// Runs a simulated session in this topology and checks that no thread of it allocates.
fn check(topology: &Topology) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let settings = settings();
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
    let signals = Arc::<Signals>::default();
    let gate = Gate { driver: simulation.with_stamps(true), signals: Arc::clone(&signals) };
    session(&settings, topology, &clock, stages, gate, |pipeline, look_on| {
        let before = calls_of("sw");
        assert_eq!(before.len(), topology.cores.len(), "{before:?}");
        signals.begin.store(true, Ordering::Release);
        let progress = pipeline.progress();
        let is_handled = || {
            signals.is_over.load(Ordering::Acquire)
                && progress.done() == progress.sequenced()
                && progress.tapped() == progress.sequenced()
                && progress.journaled() == progress.sequenced()
        };
        while !is_handled() {
            look_on();
        }
        let after = calls_of("sw");
        signals.end.store(true, Ordering::Release);
        assert_eq!(
            before, after,
            "a thread of the pipeline allocated or freed between the first and the last message"
        );
        // Gaps were noted by the pinned threads themselves; a shared machine has some in a million events.
        assert!(pipeline.cores().iter().any(|core| core.gaps.count.value() > 0));
    });
    let events: u64 = normalizer.events.iter().map(|counter| counter.value()).sum();
    assert!(events >= EVENTS_LEAST, "only {events} events");
    // All of it was at work: views, orders out, fills in.
    assert!(book.views.value() > 0 && risk.fills.value() > 0);
    assert!(risk.messages_sent.iter().all(|counter| counter.value() > 0));
    eprintln!(
        "{}: {events} events, {} frames, {} fills, {} threads, no call of the allocator",
        topology.name,
        normalizer.frames.value(),
        risk.fills.value(),
        topology.cores.len()
    );
}

/// Messages of a live session before it is measured (login, the opening, the first orders), and measured ones.
const LIVE_WARM_UP: u64 = 30_000;
const LIVE_LEAST: u64 = 100_000;

/// Runs a session over sockets, on an exchange in this process, and checks that none of its threads allocates while it trades. With `thread` the sockets of the feed are
/// read by a thread of their own.
fn check_live(thread: Option<SideCore>) {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut settings = settings();
    settings.feed.kind = FeedKind::Mold;
    settings.feed.date = None;
    settings.date_today();
    settings.calendars.clear();
    for instrument in &mut settings.instruments {
        instrument.calendar = "always".to_owned();
    }
    let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let config = MoldFeedConfig { thread, ..MoldFeedConfig::new(any, Some(any)) };
    let feed = MoldFeed::new(&config).unwrap();
    let stream = feed.counters();
    let mut config = ExchangeConfig::default();
    [config.line_a.destinations, config.line_b.destinations] =
        feed.addresses().map(|line| line.into_iter().collect());
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = Nanos::new(i64::try_from(epoch.as_nanos()).unwrap());
    config.core.midnight = spinward_config::midnight_before(now);
    config.core.participants = Some(FlowConfig { rate: 30_000, ..FlowConfig::default() });
    let exchange = ExchangeServer::start(&config).unwrap();
    let clock = Clock::new();
    let mut stages = stages(&settings);
    let table = settings.instruments().unwrap();
    let decoder = NoticeDecoder::new(Itch50Decoder::new(settings.itch50()), settings.itch50().source);
    stages.normalizer = Normalizer::new(vec![Box::new(decoder)], table.clone());
    let (normalizer, risk) = (stages.normalizer.counters(), stages.risk.counters());
    let live = LiveConfig {
        ouch: settings.ouch(Alpha::new("secret").unwrap()),
        venue: exchange.addresses().orders,
        timer_interval: Nanos::from_millis(100),
        duration: None,
    };
    let driver = LiveDriver::new(&live, Box::new(feed), &table, Carried::default(), clock.clone()).unwrap();
    let mut topology = Topology::fused(&[0, 1], 1, IdleStrategy::Yield);
    for core in &mut topology.cores {
        core.core = None;
    }
    let threads = topology.cores.len() + usize::from(thread.is_some());
    let sent = || risk.messages_sent.iter().map(|counter| counter.value()).sum::<u64>();
    let messages = || normalizer.messages.value();
    session(&settings, &topology, &clock, stages, driver.with_stamps(true), |pipeline, look_on| {
        while messages() < LIVE_WARM_UP || sent() == 0 {
            look_on();
        }
        let before = calls_of("sw");
        assert_eq!(before.len(), threads, "{before:?}");
        let (first, first_sent) = (messages(), sent());
        while messages() < first + LIVE_LEAST {
            look_on();
        }
        let after = calls_of("sw");
        assert_eq!(before, after, "a thread of the session allocated or freed while it traded over sockets");
        assert!(sent() > first_sent, "no order left");
        pipeline.progress().stop();
    });
    assert_eq!((stream.lost.value(), stream.gaps.value()), (0, 0));
    eprintln!(
        "live: {} messages, {} orders, {threads} threads, no call of the allocator",
        messages(),
        sent()
    );
}

#[test]
fn no_thread_of_a_session_over_sockets_allocates_over_a_hundred_thousand_messages() {
    check_live(None);
}

#[test]
fn no_thread_of_a_session_with_a_receiver_of_its_own_allocates_over_a_hundred_thousand_messages() {
    check_live(Some(SideCore {
        name: "sw-feed",
        core: None,
        idle: IdleStrategy::Yield,
        gap_threshold: Nanos::from_micros(10),
    }));
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
