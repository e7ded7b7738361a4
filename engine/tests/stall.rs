//! An artificial stall shows where it was put, and changes nothing that is decided.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use spinward_engine::book::{BookConfig, BookStage};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta, Normalizer};
use spinward_engine::pipeline::{
    Driver, HostCores, IdleStrategy, Next, NoJournal, Pipeline, PipelineConfig, Role, SinkAnswer, SlotSink,
    SlotView, StageStamp, Stages, Stall, StampMode, StartError, Topology,
};
use spinward_engine::risk::{Outbound, Risk, RiskConfig};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::strategy::StrategyRunner;
use spinward_engine::words::{
    Clock, Digest, Event, EventKind, FrameKind, InstrumentId, InstrumentTable, Message, Nanos, Price, Qty,
    SourceId,
};
use std::sync::mpsc::{SyncSender, sync_channel};

/// A message is a trade.
struct Trades;

impl Decoder for Trades {
    fn decode(&mut self, _: &MessageMeta, _: &[u8], _: &mut InstrumentTable, out: &mut EventBatch) {
        out.push(Event {
            price: Price::from_nanos(1_000_000_000),
            qty: Qty::from_lots(1),
            ..Event::new(EventKind::Trade, InstrumentId::new(0))
        });
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

/// When a message enters, and what its stamp says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Once the one before is done; stamped when it enters.
    Closed,
    /// At its intended time, however far the engine is; stamped with that time.
    Open(Nanos),
}

/// Gives so many messages.
struct Messages {
    left: u64,
    frame: u64,
    load: Load,
    clock: Clock,
    due: u64,
}

/// So many ticks.
fn ticks(clock: &Clock, span: Nanos) -> u64 {
    let ruler = 1u64 << 32;
    (u128::from(ruler) * span.get() as u128 / u128::from(clock.nanos_between(0, ruler))) as u64
}

impl Driver for Messages {
    fn submit(&mut self, _: &Outbound) {}

    fn next(&mut self, done: u64) -> Next<'_> {
        let is_busy = done < self.frame;
        let (may_enter, stamp) = match self.load {
            Load::Closed => (!is_busy, 0),
            Load::Open(_) => (self.clock.ticks() >= self.due, self.due),
        };
        match self.left {
            0 if is_busy => Next::WaitForEngine,
            0 => Next::End,
            _ if !may_enter && is_busy => Next::WaitForEngine,
            _ if !may_enter => Next::Wait,
            _ => Next::Message(Message {
                source: SourceId::new(0),
                kind: FrameKind::Market,
                receive_time: Nanos::new(1),
                stamp,
                bytes: b"trade",
            }),
        }
    }

    fn advance(&mut self, frame: u64) {
        self.left -= 1;
        self.frame = frame;
        if let Load::Open(interval) = self.load {
            self.due += ticks(&self.clock, interval);
        }
    }

    fn now(&self) -> Nanos {
        Nanos::new(1)
    }

    fn stop(&mut self) {
        self.left = 0;
    }
}

/// Service of each stage and the wait for the normalizer, event by event, and the digest of the events.
#[derive(Default)]
struct Seen {
    service_ns: Vec<[u64; 4]>,
    wait_ns: Vec<u64>,
    /// Whether the frame's stamp is not earlier than the end of the book's work on the one before.
    is_after: Vec<bool>,
    book_done: u64,
    digest: Digest,
}

struct Watching {
    clock: Clock,
    seen: Seen,
    out: SyncSender<Seen>,
}

impl SlotSink for Watching {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let service = |stamp: StageStamp| self.clock.nanos_between(stamp.start, stamp.done);
        self.seen.service_ns.push([
            service(slot.head().stamp),
            service(slot.book_stamp()),
            slot.strategies().map(|lane| service(lane.stamp)).sum(),
            service(slot.risk().stamp),
        ]);
        let head = slot.head();
        self.seen.wait_ns.push(self.clock.nanos_between(head.frame_stamp, head.stamp.start));
        self.seen.is_after.push(head.frame_stamp >= self.seen.book_done);
        self.seen.book_done = slot.book_stamp().done;
        self.seen.digest.add(bytemuck::bytes_of(&slot.head().event));
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        self.out.send(std::mem::take(&mut self.seen)).unwrap();
    }
}

fn stages() -> Stages {
    let table = InstrumentTable::with_capacity(4);
    let book = BookConfig { instruments_max: 4, orders_max: 64, levels_max: 64, ..BookConfig::default() };
    Stages {
        risk: Risk::new(&RiskConfig::default(), &table).unwrap(),
        book: BookStage::new(&book).unwrap(),
        runners: vec![StrategyRunner::new(Vec::new(), table.clone()).unwrap()],
        normalizer: Normalizer::new(vec![Box::new(Trades)], table),
    }
}

const MESSAGES: u64 = 40;
const EVERY: u64 = 8;
const LENGTH: Nanos = Nanos::from_millis(2);

fn start(
    stall: Option<Stall>,
    stamps: StampMode,
    load: Load,
    out: SyncSender<Seen>,
) -> Result<Pipeline, StartError> {
    let mut topology = Topology::fused(&[0, 1], 1, IdleStrategy::Yield);
    for core in &mut topology.cores {
        core.core = None;
    }
    let clock = Clock::new();
    let config = PipelineConfig { stall, stamps, ..PipelineConfig::default() };
    let host = HostCores { allowed: vec![0], isolated: Vec::new() };
    let tap = Watching { clock: clock.clone(), seen: Seen::default(), out };
    let due = clock.ticks();
    let driver = Messages { left: MESSAGES, frame: 0, load, clock: clock.clone(), due };
    Pipeline::start(&config, &topology, &host, &clock, stages(), driver, None, NoJournal, tap)
}

fn run(stall: Option<Stall>, stamps: StampMode, load: Load) -> (Seen, u64) {
    let (out, seen) = sync_channel(1);
    let pipeline = start(stall, stamps, load, out).unwrap();
    let stalls = std::sync::Arc::clone(&pipeline.counters().stalls);
    pipeline.join().unwrap();
    (seen.recv().unwrap(), stalls.value())
}

#[test]
fn a_stall_is_in_the_service_of_its_stage_at_every_nth_event_and_changes_no_event() {
    let (plain, none) = run(None, StampMode::All, Load::Closed);
    assert_eq!(none, 0);
    for (index, role) in
        [Role::Normalizer, Role::Book, Role::Strategies(0), Role::Risk].into_iter().enumerate()
    {
        let (seen, stalls) =
            run(Some(Stall { role, length: LENGTH, every: EVERY }), StampMode::All, Load::Closed);
        assert_eq!(stalls, MESSAGES / EVERY);
        let length = LENGTH.get() as u64;
        for (number, service) in (1..).zip(&seen.service_ns) {
            if number % EVERY == 0 {
                assert!(service[index] >= length, "{role}: event {number}: {service:?}");
            }
        }
        // A shared core may take that long from any event; from all of the other thirty-five it does not.
        let others = seen.service_ns.iter().filter(|service| service[index] < length).count() as u64;
        assert!(others > (MESSAGES - stalls) / 2, "{role}: {:?}", seen.service_ns);
        assert_eq!(seen.digest.value(), plain.digest.value());
    }
}

#[test]
fn the_frames_behind_a_stall_wait_for_it_in_an_open_loop_and_a_closed_loop_hides_that() {
    let stall = Stall { role: Role::Book, length: LENGTH, every: EVERY };
    let interval = Nanos::from_micros(400);
    let (open, _) = run(Some(stall), StampMode::All, Load::Open(interval));
    // The stall begins after the intended time of its frame, so the j-th frame behind it waits at least for what is left of it at its own: true
    // on any machine, however slow. Calibration of ticks is left a microsecond.
    for hit in (EVERY..MESSAGES).step_by(EVERY as usize) {
        for behind in 1..=4 {
            let Some(wait) = open.wait_ns.get((hit + behind - 1) as usize) else { continue };
            let least = LENGTH.get() as u64 - behind * interval.get() as u64 - 1_000;
            assert!(*wait >= least, "frame {behind} behind {hit}: {wait} ns, not {least}");
        }
    }
    // Closed: no frame is there to wait. Its clock starts when the stall is over.
    let (closed, stalls) = run(Some(stall), StampMode::All, Load::Closed);
    assert_eq!(stalls, MESSAGES / EVERY);
    assert!(closed.is_after.iter().all(|is_after| *is_after));
    assert!(open.is_after.iter().any(|is_after| !is_after));
}

#[test]
fn a_stall_strikes_also_where_no_stamps_are_taken_and_leaves_none() {
    for stamps in [StampMode::Ends, StampMode::Off] {
        let (seen, stalls) =
            run(Some(Stall { role: Role::Book, length: LENGTH, every: EVERY }), stamps, Load::Closed);
        assert_eq!(stalls, MESSAGES / EVERY);
        assert!(seen.service_ns.iter().all(|service| service[..3] == [0, 0, 0]), "{:?}", seen.service_ns);
    }
}

#[test]
fn a_stall_that_has_no_place_or_no_length_is_refused() {
    let good = Stall { role: Role::Book, length: LENGTH, every: 1 };
    for stall in [
        Stall { role: Role::Tap, ..good },
        Stall { role: Role::Sequencer, ..good },
        Stall { role: Role::Strategies(3), ..good },
        Stall { length: Nanos::ZERO, ..good },
        Stall { length: Nanos::from_secs(2), ..good },
        Stall { every: 0, ..good },
    ] {
        let (out, _seen) = sync_channel(1);
        let error = start(Some(stall), StampMode::All, Load::Closed, out).err().unwrap();
        assert!(matches!(error, StartError::Stall { .. }), "{error}");
    }
}
