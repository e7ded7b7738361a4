//! One pipeline under the same frames, in an open or a closed loop, with or without an injected stall, with or without stamps: what a closed loop
//! hides, and what measuring costs.

use crate::lab::{Market, stages};
use hdrhistogram::{CreationError, Histogram};
use spinward_engine::pipeline::{
    Driver, ExitStamps, HostCores, IdleStrategy, Next, NoJournal, Pipeline, PipelineConfig, SinkAnswer,
    SlotSink, SlotView, Stall, StampMode, Topology,
};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{
    Clock, EventKind, FrameKind, Message, Nanos, Qty, Report, ReportKind, SourceId, Ticks,
};
use spinward_recorder::{
    ExitDriver, Identity, JournalConfig, OrderTap, OrderWriter, Preparer, SessionTap, StampTime,
    latency_exchange,
};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

/// How frames come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loop {
    /// Each at its intended time, this long after the one before, whatever the pipeline does; latency counts from that time.
    Open(Nanos),
    /// Each this long after the pipeline has finished the one before; latency counts from when it enters. For showing what that hides.
    Closed(Nanos),
}

/// What one round is made of.
#[derive(Clone)]
pub struct Trial {
    /// The frames.
    pub market: Arc<Market>,
    /// How they come.
    pub load: Loop,
    /// Put into a stage on purpose.
    pub stall: Option<Stall>,
    /// Which stamps are taken.
    pub stamps: StampMode,
    /// Whether histograms and the life of every order are stored as in a session.
    pub keeps_orders: bool,
    /// Symbols that are traded.
    pub traded: usize,
}

/// What one round gave, nanoseconds.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Frame's stamp to the end of risk, of every frame behind the opening; empty without stamps.
    pub response: Histogram<u64>,
    /// Frame's stamp to the order in the driver's hand.
    pub tick_to_order: Histogram<u64>,
}

/// 1 ns to 10 s, three digits.
fn histogram() -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3)
}

struct Frames {
    market: Arc<Market>,
    clock: Clock,
    load: Loop,
    interval: Ticks,
    next: usize,
    /// When the next frame is due; 0 before the opening is done.
    due: Ticks,
    last_frame: u64,
    last_time: Nanos,
    answers: VecDeque<Report>,
    answer: [u8; 96],
    has_answer: bool,
    tick_to_order: Histogram<u64>,
    out: SyncSender<Histogram<u64>>,
}

impl Driver for Frames {
    fn submit(&mut self, outbound: &Outbound) {
        let Outbound::Order(order) = outbound else { return };
        if self.due != 0 {
            let now = self.clock.ticks();
            self.tick_to_order.saturating_record(self.clock.nanos_between(order.frame_stamp(), now).max(1));
        }
        // Accepted, and cancelled unfilled, so that the taker never runs out of position.
        let report = Report {
            order: order.order(),
            price: order.price(),
            qty: order.qty(),
            leaves: order.qty(),
            cause_frame: order.frame(),
            venue_order: order.order().get(),
            instrument: order.instrument(),
            kind_number: ReportKind::Accepted as u8,
            side_number: order.side() as u8,
            ..Report::default()
        };
        self.answers.push_back(report);
        let kind_number = ReportKind::Cancelled as u8;
        self.answers.push_back(Report { leaves: Qty::ZERO, kind_number, ..report });
    }

    fn submitted(&mut self, _: &Outbound, _: &ExitStamps) {}

    fn next(&mut self, done: u64) -> Next<'_> {
        if !self.has_answer
            && let Some(report) = self.answers.pop_front()
        {
            self.answer = bytemuck::cast(report);
            self.has_answer = true;
        }
        if self.has_answer {
            return Next::Message(Message {
                source: SourceId::new(1),
                kind: FrameKind::Report,
                receive_time: self.last_time,
                stamp: 0,
                bytes: &self.answer,
            });
        }
        let is_done = done >= self.last_frame;
        let is_opening = self.next < self.market.opening;
        if self.next >= self.market.opening {
            if self.due == 0 {
                // The opening must be digested before the clock runs.
                if !is_done {
                    return Next::Wait;
                }
                self.due = self.clock.ticks() + self.interval;
            }
            match self.load {
                Loop::Open(_) if self.clock.ticks() < self.due => return Next::Wait,
                Loop::Closed(_) if !is_done => {
                    self.due = self.clock.ticks() + self.interval;
                    return Next::Wait;
                }
                Loop::Closed(_) if self.clock.ticks() < self.due => return Next::Wait,
                Loop::Open(_) | Loop::Closed(_) => {}
            }
        }
        let stamp = match self.load {
            Loop::Open(_) if !is_opening => self.due,
            Loop::Open(_) | Loop::Closed(_) => 0,
        };
        match self.market.message(self.next) {
            Some((time, bytes)) => {
                self.last_time = time;
                let (source, kind) = (SourceId::new(0), FrameKind::Market);
                Next::Message(Message { source, kind, receive_time: time, stamp, bytes })
            }
            None if !is_done => Next::Wait,
            None => {
                let _ = self.out.try_send(self.tick_to_order.clone());
                Next::End
            }
        }
    }

    fn advance(&mut self, frame: u64) {
        self.last_frame = frame;
        if self.has_answer {
            self.has_answer = false;
            return;
        }
        self.next += 1;
        if self.due != 0 && matches!(self.load, Loop::Open(_)) {
            self.due += self.interval;
        }
    }

    fn now(&self) -> Nanos {
        self.last_time
    }

    fn stop(&mut self) {
        self.next = self.market.count();
    }
}

/// Records the response of every frame, and hands the slot on to a session's tap.
struct Responses {
    clock: Clock,
    opening: u64,
    frames: u64,
    response: Histogram<u64>,
    session: Option<SessionTap>,
    out: SyncSender<Histogram<u64>>,
}

impl SlotSink for Responses {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let (head, risk) = (slot.head(), slot.risk());
        if head.event.kind() != EventKind::Report {
            self.frames += 1;
            if self.frames > self.opening && risk.stamp.done != 0 {
                let nanos = self.clock.nanos_between(head.frame_stamp, risk.stamp.done);
                self.response.saturating_record(nanos.max(1));
            }
        }
        self.session.as_mut().map_or(SinkAnswer::Kept, |session| session.slot(slot))
    }

    fn finish(&mut self) {
        if let Some(session) = &mut self.session {
            session.finish();
        }
        let _ = self.out.try_send(self.response.clone());
    }
}

/// Runs one round on cores 0 (sequencer) and 1 (everything else), spinning.
///
/// # Errors
/// Whatever a part says of its settings.
pub fn run(trial: &Trial, clock: &Clock) -> Result<Measured, Box<dyn Error>> {
    let (Loop::Open(interval) | Loop::Closed(interval)) = trial.load;
    let ruler = 1u64 << 32;
    // interval < 2^63, ruler = 2^32
    let ticks = u128::try_from(interval.get())? * u128::from(ruler)
        / u128::from(clock.nanos_between(0, ruler).max(1));
    let (orders_out, tick_to_orders) = sync_channel(1);
    let (responses_out, responses) = sync_channel(1);
    let (outcome, _outcome) = sync_channel(1);
    let (exits_ended, _exits) = sync_channel(1);
    let driver = Frames {
        market: Arc::clone(&trial.market),
        clock: clock.clone(),
        load: trial.load,
        interval: Ticks::try_from(ticks)?,
        next: 0,
        due: 0,
        last_frame: 0,
        last_time: Nanos::ZERO,
        answers: VecDeque::with_capacity(4_096),
        answer: [0; 96],
        has_answer: false,
        tick_to_order: histogram()?,
        out: orders_out,
    };
    let mut tap = Responses {
        clock: clock.clone(),
        opening: trial.market.opening as u64,
        frames: 0,
        response: histogram()?,
        session: None,
        out: responses_out,
    };
    let folder = std::env::temp_dir().join(format!("spinward-bench-{}-orders", std::process::id()));
    let preparer = Preparer::start()?;
    let driver = if trial.keeps_orders {
        let config = JournalConfig { segment_bytes: 8 << 20, ..JournalConfig::default() };
        let time = StampTime::new(clock.clone(), clock.ticks(), Nanos::from_secs(1));
        let identity = Identity::new();
        let orders = OrderWriter::orders(&folder.join("orders"), &config, &preparer, identity)?;
        let exits = OrderWriter::exits(&folder.join("exits"), &config, &preparer, identity)?;
        let (latency, _) = latency_exchange(clock, None)?;
        let session = SessionTap::new(clock.clone(), None, Some(latency), 0, outcome)
            .with_orders(OrderTap::new(orders, time.clone(), 1));
        tap.session = Some(session);
        ExitDriver::new(driver, exits, time, exits_ended)
    } else {
        ExitDriver::without_store(driver)
    };
    let host = HostCores { allowed: vec![0, 1], isolated: Vec::new() };
    let topology = Topology::fused(&[0, 1], 1, IdleStrategy::Spin);
    let config = PipelineConfig { stamps: trial.stamps, stall: trial.stall, ..PipelineConfig::default() };
    let stages = stages(&trial.market, trial.traded)?;
    let pipeline = Pipeline::start(&config, &topology, &host, clock, stages, driver, None, NoJournal, tap)?;
    pipeline.join().ok_or("a thread panicked")?;
    // What was stored is thrown away.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(Measured { response: responses.recv()?, tick_to_order: tick_to_orders.recv()? })
}
