//! The merge against a straightforward sequential simulation, for every schedule that proptest thinks of.

use super::*;
use crate::feed::{FeedError, FeedMessage, MarketFeed, Peek};
use crate::paper::testing::{
    self, NaiveBook, Script, bytes_of, cancel, change, id, level, lots, order, price, table, trade,
};
use crate::paper::{Latency, OrderMessage, PaperConfig, PaperVenue};
use proptest::prelude::*;
use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::words::{
    Action, Clock, Digest, FrameKind, Intent, Nanos, OrderId, RecoveredKind, RecoveredRecord, RejectCode,
    Report, ReportKind, Side, TimeInForce, Verdict,
};

/// A frame as the engine would number it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    frame: u64,
    time: i64,
    source: u8,
    kind: u8,
    bytes: Vec<u8>,
}

/// Messages in memory; each is there from the `stutter`-th look at it.
struct MemoryFeed {
    messages: Vec<(i64, Vec<u8>)>,
    at: usize,
    looks: usize,
    stutter: usize,
    error: Option<FeedError>,
}

impl MemoryFeed {
    fn new(messages: Vec<(i64, Vec<u8>)>, stutter: usize) -> Self {
        Self { messages, at: 0, looks: 0, stutter, error: None }
    }
}

impl MarketFeed for MemoryFeed {
    fn peek(&mut self) -> Peek<'_> {
        self.looks += 1;
        // Only the first looks find nothing: a message that was shown stays shown.
        if self.looks < self.stutter {
            return Peek::NotYet;
        }
        match (self.messages.get(self.at), &self.error) {
            (Some((time, bytes)), _) => Peek::Message(FeedMessage { receive_time: Nanos::new(*time), bytes }),
            (None, Some(error)) => Peek::Failed(error),
            (None, None) => Peek::End,
        }
    }

    fn advance(&mut self) {
        self.at += 1;
        self.looks = 0;
    }
}

enum Sent {
    Order(OrderMessage),
    Refusal(Verdict, Nanos, u64),
}

/// An engine that trades on a hash of what it sees: a function of the frames alone.
#[derive(Default)]
struct FakeEngine {
    digest: Digest,
    orders: u64,
    open: Vec<(u64, Side)>,
}

impl FakeEngine {
    fn on_frame(&mut self, seen: &Seen, out: &mut Vec<Sent>) {
        self.digest.add(&seen.bytes);
        self.digest.add(bytemuck::bytes_of(&[seen.frame, seen.time as u64]));
        let decided = Nanos::new(seen.time);
        let frame = seen.frame;
        if seen.kind == FrameKind::Report as u8 {
            let report: Report = bytemuck::pod_read_unaligned(&seen.bytes);
            match report.kind().unwrap() {
                ReportKind::Filled if report.leaves.lots() > 0 => {}
                ReportKind::Filled | ReportKind::Cancelled | ReportKind::Rejected => {
                    self.open.retain(|(number, _)| *number != report.order.number());
                }
                ReportKind::Replaced => {
                    self.open.retain(|(number, _)| *number != report.order.number());
                    self.open.push((report.new_order.number(), report.side().unwrap()));
                }
                ReportKind::Accepted | ReportKind::CancelRejected | ReportKind::ReplaceRejected => {}
            }
        }
        let mut luck = self.digest.value();
        let mut draw = |below: u64| {
            luck = luck.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
            luck % below
        };
        // Fewer than one answer to a report, or answers would answer answers for ever.
        let wishes = if seen.kind == FrameKind::Report as u8 { draw(8) / 5 } else { draw(3) };
        for _ in 0..wishes {
            let side = if draw(2) == 0 { Side::Buy } else { Side::Sell };
            let tif = [TimeInForce::Day, TimeInForce::Ioc, TimeInForce::Fok][draw(3) as usize];
            let at = 95 + draw(10) as i64;
            let qty = 1 + draw(9) as i64;
            let chosen = (!self.open.is_empty()).then(|| self.open[draw(self.open.len() as u64) as usize]);
            let message = match (draw(6), chosen) {
                (0 | 1, Some((number, side))) => cancel(number, side),
                (2, Some((number, side))) => {
                    self.orders += 1;
                    change(number, self.orders, side, at, qty)
                }
                (3, _) => {
                    let intent = Intent {
                        order: id(self.orders),
                        action_number: Action::New as u8,
                        ..Intent::default()
                    };
                    out.push(Sent::Refusal(Verdict::on(&intent, RejectCode::OffTick, at, 0), decided, frame));
                    continue;
                }
                _ => {
                    self.orders += 1;
                    self.open.push((self.orders, side));
                    order(self.orders, side, at, qty, tif)
                }
            };
            out.push(Sent::Order(OrderMessage { decided, frame, ..message }));
        }
    }
}

#[derive(Clone, Debug)]
struct Case {
    messages: Vec<(i64, Vec<u8>)>,
    venue: PaperConfig,
    simulation: SimulationConfig,
    recovered: Vec<RecoveredRecord>,
}

impl Case {
    fn venue(&self) -> PaperVenue<NaiveBook> {
        PaperVenue::new(&self.venue, Box::new(Script), table(), NaiveBook::default()).unwrap()
    }

    fn simulation(&self, stutter: usize) -> Simulation<NaiveBook> {
        let feed = MemoryFeed::new(self.messages.clone(), stutter);
        Simulation::new(&self.simulation, Box::new(feed), self.venue(), self.recovered.clone(), Clock::new())
            .unwrap()
    }

    /// The session by the book: one thing after the other, the engine answering at once.
    fn reference(&self) -> Vec<Seen> {
        let roomy = PaperConfig { reports_max: 100_000, ..self.venue.clone() };
        let mut venue = Case { venue: roomy, ..self.clone() }.venue();
        for record in &self.recovered {
            venue.adopt(record).unwrap();
        }
        let start = self.messages.first().map_or(0, |m| m.0);
        let limit = self.simulation.duration.map_or(i64::MAX, |d| start + d.get());
        let is_cut = self.messages.iter().any(|m| m.0 >= limit);
        let messages: Vec<_> = self.messages.iter().filter(|m| m.0 < limit).collect();
        let end = if is_cut { limit } else { messages.last().map_or(0, |m| m.0) };
        let ticks_until = if is_cut { limit - 1 } else { end };
        let interval = self.simulation.timer_interval.get();
        let mut tick = (start / interval + 1) * interval;
        let (mut entered, mut at_venue) = (0, 0);
        let mut refusals: Vec<(i64, Report)> = Vec::new();
        let mut engine = FakeEngine::default();
        let mut seen = Vec::new();
        let mut number = 0;
        let mut recovered = self.recovered.iter();
        loop {
            // Everything that may happen next, each with its time and its rank at equal times.
            let market_at_venue = messages.get(at_venue).map(|m| m.0);
            let arrival = venue.next_arrival().map(Nanos::get);
            let venue_next = market_at_venue.into_iter().chain(arrival).min();
            let frames = [
                refusals.first().map(|r| (r.0, 1)),
                venue.next_report().map(|r| (r.0.get(), 2)),
                (tick <= ticks_until && !messages.is_empty()).then_some((tick, 3)),
                messages.get(entered).map(|m| (m.0, 4)),
            ];
            let mut frame_next = frames.into_iter().flatten().min();
            let record = recovered.next();
            if record.is_some() {
                frame_next = Some((start, 0));
            }
            if venue_next.is_some_and(|v| record.is_none() && frame_next.is_none_or(|f| v <= f.0)) {
                if market_at_venue.is_some_and(|m| arrival.is_none_or(|a| m <= a)) {
                    let (time, bytes) = messages[at_venue];
                    venue.on_market(Nanos::new(*time), bytes);
                    at_venue += 1;
                } else {
                    venue.act_next();
                }
                assert!(venue.unfinished().is_none(), "the reference has room for all reports");
                continue;
            }
            let Some((time, rank)) = frame_next else { break };
            let (source, kind, bytes) = match rank {
                0 => (4, FrameKind::Recovery, bytemuck::bytes_of(record.unwrap()).to_vec()),
                1 => (1, FrameKind::Report, bytemuck::bytes_of(&refusals.remove(0).1).to_vec()),
                2 => (1, FrameKind::Report, bytemuck::bytes_of(&venue.take_report().unwrap().1).to_vec()),
                3 => {
                    tick += interval;
                    (2, FrameKind::Timer, Vec::new())
                }
                _ => {
                    entered += 1;
                    (0, FrameKind::Market, messages[entered - 1].1.clone())
                }
            };
            number += bytes.len().div_ceil(96).max(1) as u64;
            let this = Seen { frame: number, time, source, kind: kind as u8, bytes };
            let mut out = Vec::new();
            engine.on_frame(&this, &mut out);
            seen.push(this);
            for sent in out {
                if time > end + self.simulation.drain.get() {
                    continue;
                }
                match sent {
                    Sent::Order(message) => {
                        let message = OrderMessage { after_close: time > end, ..message };
                        venue.submit(&message, Nanos::new(i64::MIN)).unwrap();
                    }
                    Sent::Refusal(verdict, decided, frame) => {
                        let report = Report {
                            order: verdict.order,
                            cause_frame: frame,
                            value: verdict.value,
                            instrument: verdict.instrument,
                            code_number: verdict.code_number,
                            kind_number: ReportKind::Rejected as u8,
                            flags: Report::FROM_RISK,
                            ..Report::default()
                        };
                        refusals.push((decided.get() + self.simulation.refusal_latency.get(), report));
                    }
                }
            }
        }
        seen
    }
}

/// Runs the simulation with an engine that gets on only when the schedule says so.
fn run(case: &Case, schedule: &[u8], stutter: usize) -> (Vec<Seen>, Simulation<NaiveBook>) {
    let mut simulation = case.simulation(stutter);
    let mut engine = FakeEngine::default();
    let mut seen: Vec<Seen> = Vec::new();
    let (mut processed, mut done, mut number) = (0, 0, 0);
    let mut waits = 0;
    for at in 0.. {
        // After the schedule: everything in turn.
        let step = schedule.get(at % schedule.len().max(1)).copied().unwrap_or(0);
        match step % 8 {
            // The engine finishes some of what has entered.
            0..=2 => {
                for _ in 0..=u32::from(step / 8) * u32::from(step / 8) {
                    if let Some(this) = seen.get(processed) {
                        let mut out = Vec::new();
                        engine.on_frame(this, &mut out);
                        for sent in out {
                            match sent {
                                Sent::Order(message) => simulation.submit_order(&message),
                                Sent::Refusal(verdict, decided, frame) => {
                                    simulation.submit_refusal(&verdict, decided, frame);
                                }
                            }
                        }
                        processed += 1;
                        done = this.frame;
                    }
                }
            }
            // A look without taking.
            3 => {
                let first = format!("{:?}", simulation.next(done));
                if first.starts_with("Message") {
                    assert_eq!(first, format!("{:?}", simulation.next(done)), "an offer stays the same");
                }
            }
            // Messages enter.
            _ => match simulation.next(done) {
                Next::Message(message) => {
                    waits = 0;
                    number += message.bytes.len().div_ceil(96).max(1) as u64;
                    seen.push(Seen {
                        frame: number,
                        time: message.receive_time.get(),
                        source: message.source.get(),
                        kind: message.kind as u8,
                        bytes: message.bytes.to_vec(),
                    });
                    simulation.advance(number);
                }
                Next::Wait | Next::WaitForEngine => {
                    waits += 1;
                    assert!(waits < 10_000, "stuck after {} frames", seen.len());
                }
                Next::End => break,
            },
        }
    }
    assert_eq!(processed, seen.len(), "the end comes after everything is done");
    (seen, simulation)
}

fn a_latency(base: std::ops::Range<i64>) -> impl Strategy<Value = Latency> {
    (base, 0i64..40).prop_map(|(base, jitter)| Latency { base: Nanos::new(base), jitter: Nanos::new(jitter) })
}

prop_compose! {
    fn a_case()(
        gaps in prop::collection::vec((0i64..60, 0u8..6, 0i64..8, 0i64..20), 1..80),
        place in a_latency(0..200), cancel in a_latency(0..60), replace in a_latency(0..200), report in a_latency(1..100),
        cancels_apart in any::<bool>(), seed in any::<u64>(),
        reject_ppm in prop_oneof![Just(0u32), Just(200_000)],
        timer in 20i64..300, refusal in 1i64..200, drain in 0i64..500,
        duration in prop::option::of(1i64..2_000),
        under_way in prop_oneof![Just(1usize), 2usize..10, Just(1_000)],
        (backlog, reports) in prop_oneof![
            (prop_oneof![Just(1usize), 2usize..6, Just(1_000)], Just(4_096usize)),
            // So few that the venue must wait for reports to be heard.
            (Just(1_000usize), 1usize..4),
        ],
        adopted in 0u64..3,
    ) -> Case {
        let mut time = 1_000_000;
        let messages = gaps.into_iter().map(|(gap, what, step, qty)| {
            time += if gap < 20 { 0 } else { gap };
            let events = match what {
                0 | 1 => vec![level(Side::Buy, 92 + step, qty)],
                2 | 3 => vec![level(Side::Sell, 100 + step, qty)],
                4 => vec![trade(Side::Sell as u8, 92 + step, qty + 1), level(Side::Buy, 92 + step, qty)],
                _ => vec![trade(Side::Buy as u8, 100 + step, qty + 1)],
            };
            (time, bytes_of(&events))
        }).collect();
        let recovered = (1..=adopted).map(|number| RecoveredRecord {
            order: OrderId::new(900 + number),
            price: price(97),
            qty: lots(5),
            instrument: testing::ACME,
            kind_number: RecoveredKind::OpenOrder as u8,
            side_number: Side::Buy as u8,
            tif_number: if number == 2 { TimeInForce::Ioc as u8 } else { TimeInForce::Day as u8 },
            ..RecoveredRecord::default()
        }).collect();
        Case {
            messages,
            venue: PaperConfig {
                place, cancel, replace, report, cancels_apart, seed, reject_ppm,
                orders_max: 64, messages_max: 4_096, reports_max: reports, ..PaperConfig::default()
            },
            simulation: SimulationConfig {
                duration: duration.map(Nanos::new),
                timer_interval: Nanos::new(timer),
                refusal_latency: Nanos::new(refusal),
                drain: Nanos::new(drain),
                messages_under_way_max: under_way,
                backlog_messages_max: backlog,
                ..SimulationConfig::default()
            },
            recovered,
        }
    }
}

mod ends;

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    #[test]
    fn every_schedule_gives_the_frames_of_the_sequential_simulation(
        case in a_case(),
        schedule in prop::collection::vec(any::<u8>(), 0..40),
        stutter in prop_oneof![Just(0usize), 2usize..5],
    ) {
        // Both must be able to get on.
        let mut schedule = schedule;
        schedule.extend([0, 7]);
        let (seen, simulation) = run(&case, &schedule, stutter);
        prop_assert_eq!(simulation.failure(), None);
        prop_assert_eq!(simulation.counters().late.value(), 0);
        prop_assert_eq!(simulation.venue().counters().reports_lost.value(), 0);
        let reference = case.reference();
        for (at, (found, expected)) in seen.iter().zip(&reference).enumerate() {
            prop_assert_eq!(found, expected, "message {}", at);
        }
        prop_assert_eq!(seen.len(), reference.len());
    }
}
