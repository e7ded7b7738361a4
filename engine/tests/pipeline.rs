//! The plumbing: rings, agents and threads with the smallest drivers, sinks and strategies that show what they promise.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod pipeline {
    mod release;
    mod stamps;
}

use spinward_engine::book::{BookConfig, BookStage};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta, Normalizer};
use spinward_engine::pipeline::{
    BATCH_MAX, Driver, Finished, FrameSink, HostCores, IdleStrategy, Inbox, Next, NoJournal, NoTap, Pipeline,
    PipelineConfig, Role, SinkAnswer, SlotSink, SlotView, Stages, Stall, StampMode, StartError, Topology,
    TopologyError,
};
use spinward_engine::risk::{
    Collar, InstrumentLimits, Outbound, Risk, RiskConfig, StrategyInstrument, StrategyLimits,
};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::strategy::{Context, OrderRequest, Strategy, StrategyRunner, StrategySlot, Trade};
use spinward_engine::words::{
    Clock, Command, CommandKind, Digest, Event, EventKind, FRAME_PAYLOAD_BYTES, Fees, Frame, FrameKind,
    Instrument, InstrumentId, InstrumentTable, Message, Money, Nanos, Price, Qty, SessionCalendar, Side,
    SourceId, StrategyId, Symbol, TickTable, TimeInForce, TradingState, TradingTerms,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

const ACME: InstrumentId = InstrumentId::new(0);

/// Every byte of a message up to the first zero is a trade of so many lots.
struct Trades;

impl Decoder for Trades {
    fn decode(&mut self, _: &MessageMeta, bytes: &[u8], _: &mut InstrumentTable, out: &mut EventBatch) {
        for byte in bytes.iter().take_while(|byte| **byte != 0) {
            out.push(Event {
                price: Price::from_nanos(100_000_000_000),
                qty: Qty::from_lots(i64::from(*byte)),
                ..Event::new(EventKind::Trade, ACME)
            });
        }
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// Buys a lot at every trade.
struct Buyer;

impl Strategy for Buyer {
    fn on_trade(&mut self, context: &mut Context<'_>, trade: &Trade) {
        // Refused once as many are in flight as may be: then there are that many orders.
        let _ = context.new_order(OrderRequest {
            instrument: trade.instrument,
            side: Side::Buy,
            price: trade.price,
            qty: Qty::from_lots(1),
            tif: TimeInForce::Day,
            post_only: false,
            reduce_only: false,
        });
    }
}

/// Does nothing.
struct Sleeper;

impl Strategy for Sleeper {}

fn table() -> InstrumentTable {
    let mut table = InstrumentTable::with_capacity(4);
    table.add(Instrument {
        id: ACME,
        source: SourceId::new(0),
        symbol: Symbol::new("ACME").unwrap(),
        lot: 1_000_000_000,
        price_decimals: 2,
        qty_decimals: 0,
        terms: Some(TradingTerms {
            ticks: TickTable::uniform(Price::from_nanos(10_000_000)).unwrap(),
            multiplier: 1_000_000_000,
            currency: Symbol::new("USD").unwrap(),
            fees: Fees::default(),
            calendar: SessionCalendar::always(),
            expiry: Nanos::MAX,
            price_min: Price::from_nanos(10_000_000),
            price_max: Price::from_nanos(1_000_000_000_000),
        }),
    });
    table
}

fn runner(id: u16, strategy: Box<dyn Strategy>) -> StrategyRunner {
    let slot = StrategySlot {
        id: StrategyId::new(id),
        name: format!("strategy-{id}"),
        strategy,
        instruments: vec![ACME],
        intent_ttl: Nanos::from_secs(1),
        max_in_flight: 2_000,
        max_open_orders: 2_000,
    };
    StrategyRunner::new(vec![slot], table()).unwrap()
}

/// `strategies`: one a strategy core. The first may trade.
fn stages(strategies: Vec<Box<dyn Strategy>>) -> Stages {
    let limits = InstrumentLimits {
        order_qty_max: Qty::from_lots(1_000),
        order_notional_max: Money::from_nanos(i64::MAX),
        position_max: Qty::from_lots(1_000_000),
        collar: Collar { ppm: 100_000, ticks: 0 },
    };
    let may = StrategyInstrument { instrument: ACME, position_max: Qty::from_lots(1_000_000) };
    let risk = RiskConfig {
        instruments: vec![Some(limits)],
        strategies: vec![StrategyLimits { instruments: vec![may] }; strategies.len()],
        open_orders_max: 4_096,
        message_rate_max: 1_000_000,
        duplicate_window: Nanos::ZERO,
        egress_slots: 4_096,
        ..RiskConfig::default()
    };
    let book = BookConfig { instruments_max: 4, orders_max: 64, levels_max: 64, ..BookConfig::default() };
    Stages {
        normalizer: Normalizer::new(vec![Box::new(Trades)], table()),
        book: BookStage::new(&book).unwrap(),
        runners: (0..).zip(strategies).map(|(id, strategy)| runner(id, strategy)).collect(),
        risk: Risk::new(&risk, &table()).unwrap(),
    }
}

/// What a driver saw, for the test to look at while it runs and afterwards.
#[derive(Default)]
struct Seen {
    /// Orders and refusals submitted.
    orders: AtomicU64,
    /// Frame of the last one.
    order_frame: AtomicU64,
    /// Orders whose frame was not in the journal yet.
    early: AtomicU64,
    /// Messages that entered.
    entered: AtomicU64,
    /// Frame of the last one.
    frame: AtomicU64,
    /// Operators' commands that entered.
    commands: AtomicU64,
    stops: AtomicU64,
}

/// Gives the same message `count` times, then waits until the engine has done everything and the commands wanted have come.
struct Repeat {
    bytes: Vec<u8>,
    count: u64,
    /// Ends only once so many commands have entered.
    commands: u64,
    given: u64,
    frame: u64,
    /// Last frame in the journal, where there is one that tells.
    journaled: Option<Arc<AtomicU64>>,
    seen: Arc<Seen>,
}

impl Repeat {
    fn new(bytes: Vec<u8>, count: u64) -> (Self, Arc<Seen>) {
        let seen = Arc::<Seen>::default();
        let driver =
            Self { bytes, count, commands: 0, given: 0, frame: 0, journaled: None, seen: Arc::clone(&seen) };
        (driver, seen)
    }
}

impl Driver for Repeat {
    fn submit(&mut self, outbound: &Outbound) {
        if let Some(journaled) = &self.journaled
            && outbound.frame() > journaled.load(Ordering::SeqCst)
        {
            self.seen.early.fetch_add(1, Ordering::SeqCst);
        }
        self.seen.orders.fetch_add(1, Ordering::SeqCst);
        self.seen.order_frame.store(outbound.frame(), Ordering::SeqCst);
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        if self.given < self.count {
            return Next::Message(Message {
                source: SourceId::new(0),
                kind: FrameKind::Market,
                receive_time: Nanos::new(self.given as i64 + 1),
                stamp: 0,
                bytes: &self.bytes,
            });
        }
        let has_commands = self.seen.commands.load(Ordering::SeqCst) >= self.commands;
        if done >= self.frame && has_commands { Next::End } else { Next::WaitForEngine }
    }

    fn advance(&mut self, frame: u64) {
        self.given += 1;
        self.frame = frame;
        self.seen.entered.store(self.given, Ordering::SeqCst);
        self.seen.frame.store(frame, Ordering::SeqCst);
    }

    fn now(&self) -> Nanos {
        Nanos::new(self.given as i64)
    }

    fn entered(&mut self, frame: u64) {
        self.frame = frame;
        self.seen.commands.fetch_add(1, Ordering::SeqCst);
    }

    fn stop(&mut self) {
        self.seen.stops.fetch_add(1, Ordering::SeqCst);
        self.count = self.given;
        self.commands = 0;
    }
}

fn host() -> HostCores {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    HostCores { allowed: (0..cores).collect(), isolated: Vec::new() }
}

/// Fused on 1, 2 and 3 threads, and split; yielding and parking; no thread pinned.
fn topologies(strategy_cores: usize) -> Vec<Topology> {
    let mut all = Vec::new();
    for idle in [IdleStrategy::Yield, IdleStrategy::Park] {
        for cores in [&[0][..], &[0, 1], &[0, 1, 2]] {
            all.push(Topology::fused(cores, strategy_cores, idle));
        }
        all.push(Topology::split(&[], strategy_cores, idle));
    }
    for spec in all.iter_mut().flat_map(|topology| &mut topology.cores) {
        spec.core = None;
    }
    all
}

fn small() -> PipelineConfig {
    PipelineConfig { ingress_slots: 64, event_slots: 64, egress_slots: 4_096, ..PipelineConfig::default() }
}

/// Counts what the tap sees.
#[derive(Default)]
struct Told {
    events: u64,
    lots: i64,
    digest: u64,
    commands: Vec<String>,
}

struct Counting {
    told: Told,
    digest: Digest,
    out: SyncSender<Told>,
}

impl SlotSink for Counting {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let head = slot.head();
        self.told.events += 1;
        self.told.lots += head.event.qty.lots();
        self.digest.add(bytemuck::bytes_of(&head.event));
        if head.event.kind() == EventKind::Operator {
            let command: Command = bytemuck::cast(head.payload);
            self.told.commands.push(command.reason().to_owned());
        }
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        self.told.digest = self.digest.value();
        self.out.send(std::mem::take(&mut self.told)).unwrap();
    }
}

/// Runs to the end; what the tap saw and what is left of the stages.
fn run<J: FrameSink + 'static>(
    config: &PipelineConfig,
    topology: &Topology,
    stages: Stages,
    driver: Repeat,
    inbox: Option<Box<dyn Inbox>>,
    journal: J,
) -> (Told, Finished) {
    let (out, told) = sync_channel(1);
    let tap = Counting { told: Told::default(), digest: Digest::default(), out };
    let pipeline =
        Pipeline::start(config, topology, &host(), &Clock::new(), stages, driver, inbox, journal, tap)
            .unwrap();
    let finished = pipeline.join().unwrap();
    (told.recv().unwrap(), finished)
}

#[test]
fn the_end_runs_down_in_every_topology_with_nothing_lost() {
    let mut digests = Vec::new();
    for topology in topologies(2) {
        for burst in [1, BATCH_MAX] {
            let (driver, seen) = Repeat::new(vec![1, 2, 3], 500);
            let config = PipelineConfig { burst, ..small() };
            let stages = stages(vec![Box::new(Buyer), Box::new(Sleeper)]);
            let (told, finished) = run(&config, &topology, stages, driver, None, NoJournal);
            assert_eq!((told.events, told.lots), (1_500, 3_000), "{topology:?}");
            assert_eq!(seen.orders.load(Ordering::SeqCst), 1_500);
            assert_eq!(seen.order_frame.load(Ordering::SeqCst), 500);
            // The first two trades are refused: no view has shown a reference price yet.
            assert_eq!(finished.risk.open_orders().count(), 1_498);
            digests.push(told.digest);
        }
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]));
}

#[test]
fn a_session_without_a_message_ends() {
    for topology in topologies(1) {
        let (driver, seen) = Repeat::new(Vec::new(), 0);
        let (told, _) = run(&small(), &topology, stages(vec![Box::new(Buyer)]), driver, None, NoJournal);
        assert_eq!((told.events, seen.orders.load(Ordering::SeqCst)), (0, 0));
    }
}

#[test]
fn a_message_of_many_more_frames_than_the_ring_has_slots_enters_whole() {
    let mut bytes = vec![0; 300_000];
    bytes[..2].copy_from_slice(&[4, 5]);
    let frames = bytes.len().div_ceil(FRAME_PAYLOAD_BYTES) as u64;
    for topology in topologies(1) {
        let (driver, seen) = Repeat::new(bytes.clone(), 3);
        let (told, finished) =
            run(&small(), &topology, stages(vec![Box::new(Buyer)]), driver, None, NoJournal);
        assert_eq!((told.events, told.lots), (6, 27), "{topology:?}");
        assert_eq!(seen.frame.load(Ordering::SeqCst), 3 * frames);
        assert_eq!(finished.normalizer.counters().bytes.value(), 900_000);
    }
}

#[test]
fn thousands_of_events_of_one_message_go_through_64_slots() {
    for topology in topologies(2) {
        let (driver, _) = Repeat::new(vec![1; 7_000], 2);
        let stages = stages(vec![Box::new(Sleeper), Box::new(Sleeper)]);
        let (told, _) = run(&small(), &topology, stages, driver, None, NoJournal);
        assert_eq!((told.events, told.lots), (14_000, 14_000), "{topology:?}");
    }
}

/// Keeps a frame at the third time of asking; tells how far it is.
struct Slow {
    asked: u64,
    last: u64,
    kept: Arc<AtomicU64>,
    finished: Arc<AtomicU64>,
}

impl FrameSink for Slow {
    fn frame(&mut self, frame: &Frame) -> SinkAnswer {
        self.asked += 1;
        if !self.asked.is_multiple_of(3) {
            return SinkAnswer::Retry;
        }
        assert_eq!(frame.header.sequence, self.last + 1, "every frame once, in order");
        self.last = frame.header.sequence;
        self.kept.store(self.last, Ordering::SeqCst);
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        self.finished.store(self.last, Ordering::SeqCst);
    }
}

#[test]
fn a_slow_journal_loses_nothing_and_no_order_leaves_before_its_frame_is_kept() {
    for topology in topologies(1) {
        let (mut driver, seen) = Repeat::new(vec![1], 1_000);
        let (kept, finished) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        driver.journaled = Some(Arc::clone(&kept));
        let journal = Slow { asked: 0, last: 0, kept, finished: Arc::clone(&finished) };
        run(&small(), &topology, stages(vec![Box::new(Buyer)]), driver, None, journal);
        assert_eq!(finished.load(Ordering::SeqCst), 1_000, "{topology:?}");
        assert_eq!(seen.orders.load(Ordering::SeqCst), 1_000);
        assert_eq!(seen.early.load(Ordering::SeqCst), 0, "an order left before its frame was kept");
    }
}

/// Keeps every frame at once; that it is safe comes later, a frame at each time of asking.
struct SafeLater {
    safe: Arc<AtomicU64>,
}

impl FrameSink for SafeLater {
    fn frame(&mut self, _: &Frame) -> SinkAnswer {
        SinkAnswer::Kept
    }

    fn safe(&self, last: u64) -> u64 {
        let safe = last.min(self.safe.load(Ordering::SeqCst) + 1);
        self.safe.store(safe, Ordering::SeqCst);
        safe
    }
}

/// As [`SafeLater`], for decisions.
struct RecordedLater {
    last: u64,
    safe: Arc<AtomicU64>,
}

impl SlotSink for RecordedLater {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        self.last = slot.head().event.frame;
        SinkAnswer::Kept
    }

    fn holds_orders(&self) -> bool {
        true
    }

    fn safe(&mut self) -> u64 {
        let safe = self.last.min(self.safe.load(Ordering::SeqCst) + 1);
        self.safe.store(safe, Ordering::SeqCst);
        safe
    }
}

#[test]
fn no_order_leaves_before_its_frame_or_its_own_record_is_safe_where_that_is_demanded() {
    for topology in topologies(1) {
        for holds_decisions in [false, true] {
            let (mut driver, seen) = Repeat::new(vec![1], 1_000);
            let safe = Arc::<AtomicU64>::default();
            driver.journaled = Some(Arc::clone(&safe));
            let stages = stages(vec![Box::new(Buyer)]);
            let (config, host, clock) = (small(), host(), Clock::new());
            let pipeline = if holds_decisions {
                let tap = RecordedLater { last: 0, safe };
                Pipeline::start(&config, &topology, &host, &clock, stages, driver, None, NoJournal, tap)
            } else {
                let journal = SafeLater { safe };
                Pipeline::start(&config, &topology, &host, &clock, stages, driver, None, journal, NoTap)
            };
            pipeline.unwrap().join().unwrap();
            assert_eq!(seen.orders.load(Ordering::SeqCst), 1_000, "{topology:?}");
            assert_eq!(seen.early.load(Ordering::SeqCst), 0, "an order left before it was safe");
        }
    }
}

/// Loses what it has kept, after this frame.
struct Losing {
    at: u64,
    last: u64,
}

impl FrameSink for Losing {
    fn frame(&mut self, frame: &Frame) -> SinkAnswer {
        self.last = frame.header.sequence;
        SinkAnswer::Kept
    }

    fn has_failed(&self) -> bool {
        self.last >= self.at
    }
}

#[test]
fn a_journal_whose_flush_fails_halts_the_session_at_once() {
    for topology in topologies(1) {
        let (driver, seen) = Repeat::new(vec![1], 1_000_000_000);
        let (config, stages) = (small(), stages(vec![Box::new(Buyer)]));
        let journal = Losing { at: 700, last: 0 };
        let pipeline =
            Pipeline::start(&config, &topology, &host(), &Clock::new(), stages, driver, None, journal, NoTap)
                .unwrap();
        let progress = Arc::clone(pipeline.progress());
        let finished = pipeline.join().unwrap();
        assert!(progress.has_failed());
        assert!(progress.journaled() < 700 + 64, "{topology:?}: {}", progress.journaled());
        assert!(seen.order_frame.load(Ordering::SeqCst) <= progress.journaled());
        assert_eq!(finished.risk.state(), TradingState::Halted, "{topology:?}");
    }
}

/// Fails once, at this frame; keeps everything before, and would keep everything after.
struct Failing {
    at: u64,
}

impl FrameSink for Failing {
    fn frame(&mut self, frame: &Frame) -> SinkAnswer {
        if frame.header.sequence == self.at { SinkAnswer::Failed } else { SinkAnswer::Kept }
    }
}

#[test]
fn a_journal_that_fails_ends_the_session_and_no_order_leaves_for_a_frame_from_there_on() {
    for topology in topologies(1) {
        let (driver, seen) = Repeat::new(vec![1], 1_000_000_000);
        let pipeline = Pipeline::start(
            &small(),
            &topology,
            &host(),
            &Clock::new(),
            stages(vec![Box::new(Buyer)]),
            driver,
            None,
            Failing { at: 700 },
            NoTap,
        )
        .unwrap();
        let progress = Arc::clone(pipeline.progress());
        let finished = pipeline.join().unwrap();
        assert!(progress.has_failed());
        assert_eq!(seen.stops.load(Ordering::SeqCst), 1);
        assert!(seen.order_frame.load(Ordering::SeqCst) < 700, "{topology:?}: {:?}", seen.order_frame);
        assert_eq!(progress.journaled(), 699, "{topology:?}: nothing is kept after a hole");
        assert_eq!(finished.risk.state(), TradingState::Halted, "{topology:?}");
    }
}

/// A tap that fails at its 700th slot.
struct FailingTap {
    slots: u64,
    seen: Arc<Seen>,
    orders_then: SyncSender<u64>,
}

impl SlotSink for FailingTap {
    fn slot(&mut self, _: &SlotView<'_>) -> SinkAnswer {
        self.slots += 1;
        if self.slots < 700 {
            return SinkAnswer::Kept;
        }
        if self.slots == 700 {
            self.orders_then.send(self.seen.orders.load(Ordering::SeqCst)).unwrap();
        }
        SinkAnswer::Failed
    }
}

#[test]
fn an_audit_that_fails_ends_the_session_and_no_order_leaves_after_it() {
    // On one thread nothing can be under way between the failure and the sequencer's look at it.
    let topology = Topology { cores: topologies(1)[0].cores.clone(), name: "one thread".to_owned() };
    let (driver, seen) = Repeat::new(vec![1], 1_000_000_000);
    let (orders_then, then) = sync_channel(1);
    let tap = FailingTap { slots: 0, seen: Arc::clone(&seen), orders_then };
    let stages = stages(vec![Box::new(Buyer)]);
    let pipeline =
        Pipeline::start(&small(), &topology, &host(), &Clock::new(), stages, driver, None, NoJournal, tap)
            .unwrap();
    let progress = Arc::clone(pipeline.progress());
    assert_eq!(pipeline.join().unwrap().risk.state(), TradingState::Halted);
    assert!(progress.has_failed());
    assert_eq!(seen.orders.load(Ordering::SeqCst), then.recv().unwrap());
}

struct Commands(std::vec::IntoIter<Command>);

impl Inbox for Commands {
    fn poll(&mut self) -> Option<Command> {
        self.0.next()
    }
}

#[test]
fn commands_of_operators_enter_in_their_order_between_whole_messages() {
    let owner = Symbol::new("operator").unwrap();
    let reasons: Vec<String> = (0..20).map(|number| format!("command {number}")).collect();
    for topology in topologies(1) {
        // Of several frames each, through a ring that is often full.
        let (mut driver, seen) = Repeat::new([vec![1], vec![0; 1_000]].concat(), 200);
        driver.commands = reasons.len() as u64;
        let commands = reasons
            .iter()
            .map(|reason| Command::new(CommandKind::SetState, TradingState::ReduceOnly, owner, reason));
        let inbox = Commands(commands.collect::<Vec<_>>().into_iter());
        let stages = stages(vec![Box::new(Sleeper)]);
        let (told, finished) = run(&small(), &topology, stages, driver, Some(Box::new(inbox)), NoJournal);
        assert_eq!(told.commands, reasons, "{topology:?}");
        assert_eq!((told.events, told.lots), (220, 200), "a command inside a message would break it");
        assert_eq!(seen.commands.load(Ordering::SeqCst), 20);
        assert_eq!(finished.risk.state(), TradingState::ReduceOnly);
    }
}

#[test]
fn a_stop_from_outside_ends_a_session_that_would_never_end() {
    for topology in topologies(1) {
        let (driver, seen) = Repeat::new(vec![1], u64::MAX);
        let (out, told) = sync_channel(1);
        let tap = Counting { told: Told::default(), digest: Digest::default(), out };
        let stages = stages(vec![Box::new(Sleeper)]);
        let pipeline = Pipeline::start(
            &small(),
            &topology,
            &host(),
            &Clock::new(),
            stages,
            driver,
            None,
            NoJournal,
            tap,
        )
        .unwrap();
        while seen.entered.load(Ordering::SeqCst) < 100 {
            std::thread::yield_now();
        }
        pipeline.progress().stop();
        assert!(pipeline.join().is_some());
        assert_eq!(seen.stops.load(Ordering::SeqCst), 1);
        let entered = seen.entered.load(Ordering::SeqCst);
        assert_eq!(told.recv().unwrap().events, entered, "what had entered is delivered");
    }
}

fn refusal(config: &PipelineConfig, topology: &Topology, runners: usize) -> StartError {
    let strategies = (0..runners).map(|_| Box::new(Sleeper) as Box<dyn Strategy>).collect();
    let (driver, _) = Repeat::new(vec![1], 1);
    Pipeline::start(
        config,
        topology,
        &HostCores { allowed: vec![0, 1], isolated: Vec::new() },
        &Clock::new(),
        stages(strategies),
        driver,
        None,
        NoJournal,
        NoTap,
    )
    .err()
    .unwrap()
}

#[test]
fn what_cannot_work_is_refused_before_a_thread_runs() {
    let fine = Topology::fused(&[0], 1, IdleStrategy::Yield);
    for slots in [0, 32, 100, 1 << 21] {
        let rings = [
            PipelineConfig { ingress_slots: slots, ..small() },
            PipelineConfig { event_slots: slots, ..small() },
            PipelineConfig { egress_slots: slots, ..small() },
        ];
        for (config, name) in rings.iter().zip(["ingress_slots", "event_slots", "egress_slots"]) {
            let error = refusal(config, &fine, 1);
            let StartError::Topology(TopologyError::RingSize { ring, slots: found, .. }) = error else {
                panic!("{error}")
            };
            assert_eq!((ring, found), (name, slots));
        }
    }
    for burst in [0, BATCH_MAX + 1] {
        let error = refusal(&PipelineConfig { burst, ..small() }, &fine, 1);
        assert!(matches!(error, StartError::Burst { burst: found } if found == burst), "{error}");
    }
    for runners in [0, 2] {
        let error = refusal(&small(), &fine, runners);
        assert!(
            matches!(error, StartError::Runners { runners: found, cores: 1 } if found == runners),
            "{error}"
        );
    }
    let mut missing = fine.clone();
    missing.cores[0].roles.retain(|role| *role != Role::Journal);
    let error = refusal(&small(), &missing, 1);
    assert!(matches!(error, StartError::Topology(TopologyError::Missing { role: Role::Journal })), "{error}");
    let spinning = Topology::split(&[0, 1], 1, IdleStrategy::Spin);
    let error = refusal(&small(), &spinning, 1);
    assert!(matches!(error, StartError::Topology(TopologyError::OverSubscribed { .. })), "{error}");
}
