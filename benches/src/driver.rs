//! [`MemoryDriver`]: gives frames from memory at their intended times and answers orders at once.

use crate::arrivals::Load;
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::Setup;
use crate::market::Market;
use hdrhistogram::Histogram;
use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{Clock, FrameKind, Message, Nanos, Report, SourceId, Ticks};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What the driver measured.
#[derive(Debug)]
pub struct DriverOutcome {
    /// Frame's stamp to the order in the driver's hand, nanoseconds.
    pub round_trip: Histogram<u64>,
    /// From the first intended time to the last frame's entry, nanoseconds.
    pub elapsed_ns: u64,
}

/// The world outside of the engine: a market in memory, a venue that cancels everything at once.
pub struct MemoryDriver {
    market: Arc<Market>,
    clock: Clock,
    next: usize,
    /// Intended times behind the opening, ticks since `begin`; empty where the pipeline's own pace decides.
    intended: Vec<Ticks>,
    /// Ticks between two frames of a closed loop; `None` for an open one.
    closed_gap: Option<Ticks>,
    /// When the frame before was sent, and its number; closed loop only.
    last_sent: (Ticks, u64),
    ticks_per_second: u64,
    begin: Option<Ticks>,
    stamps_entry: bool,
    skipped: usize,
    answers: VecDeque<Report>,
    answer: [u8; 96],
    has_answer: bool,
    last_time: Nanos,
    exec: u64,
    outcome: Option<DriverOutcome>,
    results: SyncSender<DriverOutcome>,
    is_over: bool,
}

impl MemoryDriver {
    /// For a round, and where its outcome will be.
    ///
    /// # Errors
    /// None with the fixed bounds of its histogram.
    pub fn new(setup: &Setup, clock: &Clock) -> Result<(Self, Receiver<DriverOutcome>), LabError> {
        let (results, outcome) = sync_channel(1);
        let ticks_per_second = {
            let span = 1u64 << 32;
            span * 1_000_000_000 / clock.nanos_between(0, span).max(1)
        };
        // ns < 2^64, ticks_per_second < 2^34
        let ticks = |ns: u64| (u128::from(ns) * u128::from(ticks_per_second) / 1_000_000_000) as u64;
        let count = setup.market.count() - setup.market.opening;
        let intended = setup.load.offsets(count).unwrap_or_default().into_iter().map(ticks).collect();
        let driver = Self {
            market: Arc::clone(&setup.market),
            clock: clock.clone(),
            next: 0,
            intended,
            closed_gap: match setup.load {
                Load::Closed(rate) => Some(ticks_per_second / rate.max(1)),
                Load::Max | Load::Rate(_) | Load::Bursts(..) | Load::Poisson { .. } | Load::Replayed(_) => {
                    None
                }
            },
            last_sent: (0, 0),
            ticks_per_second,
            begin: None,
            stamps_entry: setup.stamps_entry,
            skipped: setup.market.opening + setup.warm_up,
            answers: VecDeque::with_capacity(4_096),
            answer: [0; 96],
            has_answer: false,
            last_time: Nanos::ZERO,
            exec: 0,
            outcome: Some(DriverOutcome { round_trip: histogram()?, elapsed_ns: 0 }),
            results,
            is_over: false,
        };
        Ok((driver, outcome))
    }

    /// When the next frame is due: 0 for at once, `None` for not before the engine is done.
    fn due(&self, done: u64) -> Option<Ticks> {
        let Some(begin) = self.begin else { return Some(0) };
        match self.closed_gap {
            Some(gap) => {
                let (sent, frame) = self.last_sent;
                (done >= frame).then_some(sent + gap)
            }
            None => {
                let index = self.next - self.market.opening;
                Some(self.intended.get(index).map_or(0, |offset| begin + offset))
            }
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        if let Some(mut outcome) = self.outcome.take() {
            outcome.elapsed_ns = self.clock.nanos_between(self.begin.unwrap_or(0), self.clock.ticks());
            // There is room for one, and this is the only one.
            let _ = self.results.try_send(outcome);
        }
    }
}

/// What a refusal of risk tells the strategy.
pub(crate) fn refused(outbound: &Outbound) -> Option<Report> {
    use spinward_engine::words::{Action, ReportKind};
    let Outbound::Refusal { verdict, frame, .. } = outbound else { return None };
    let kind = match Action::from_number(verdict.action_number) {
        Some(Action::Cancel) => ReportKind::CancelRejected,
        Some(Action::Replace) => ReportKind::ReplaceRejected,
        Some(Action::New) | None => ReportKind::Rejected,
    };
    Some(Report {
        order: verdict.order,
        new_order: verdict.new_order,
        cause_frame: *frame,
        instrument: verdict.instrument,
        code_number: verdict.code_number,
        kind_number: kind as u8,
        side_number: verdict.side_number,
        flags: Report::FROM_RISK,
        ..Report::default()
    })
}

/// Accepted, and cancelled unfilled, as befits the taker's immediate orders: it never runs out of position.
pub(crate) fn answered(outbound: &Outbound, exec: u64) -> Option<[Report; 2]> {
    use spinward_engine::words::{Qty, ReportKind};
    let Outbound::Order(order) = outbound else { return None };
    let report = Report {
        order: order.order(),
        price: order.price(),
        qty: order.qty(),
        leaves: order.qty(),
        venue_order: exec,
        cause_frame: order.frame(),
        instrument: order.instrument(),
        kind_number: ReportKind::Accepted as u8,
        side_number: order.side() as u8,
        ..Report::default()
    };
    Some([report, Report { leaves: Qty::ZERO, kind_number: ReportKind::Cancelled as u8, ..report }])
}

impl Driver for MemoryDriver {
    fn submit(&mut self, outbound: &Outbound) {
        self.exec += 1;
        if let Outbound::Order(order) = outbound
            && self.next > self.skipped
            && let Some(outcome) = &mut self.outcome
        {
            let span = self.clock.nanos_between(order.frame_stamp(), self.clock.ticks());
            outcome.round_trip.saturating_record(span.max(1));
        }
        self.answers.extend(refused(outbound));
        self.answers.extend(answered(outbound, self.exec).into_iter().flatten());
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        if self.has_answer || !self.answers.is_empty() {
            if !self.has_answer
                && let Some(report) = self.answers.pop_front()
            {
                self.answer = bytemuck::cast(report);
                self.has_answer = true;
            }
            return Next::Message(Message {
                source: SourceId::new(1),
                kind: FrameKind::Report,
                receive_time: self.last_time,
                stamp: 0,
                bytes: &self.answer,
            });
        }
        if self.next == self.market.opening && self.begin.is_none() {
            // The opening must be digested before the clock runs.
            if done < self.market.opening as u64 {
                return Next::WaitForEngine;
            }
            self.begin = Some(self.clock.ticks() + self.ticks_per_second / 1_000);
        }
        let Some(due) = self.due(done) else { return Next::WaitForEngine };
        if due != 0 && self.clock.ticks() < due {
            return Next::Wait;
        }
        if self.is_over || self.next >= self.market.count() {
            self.end();
            return Next::End;
        }
        match self.market.message(self.next) {
            Some((time, bytes)) => {
                self.last_time = time;
                let stamp = if self.stamps_entry || self.closed_gap.is_some() { 0 } else { due };
                Next::Message(Message {
                    source: SourceId::new(0),
                    kind: FrameKind::Market,
                    receive_time: time,
                    stamp,
                    bytes,
                })
            }
            None => Next::End,
        }
    }

    fn advance(&mut self, frame: u64) {
        if self.has_answer {
            self.has_answer = false;
        } else {
            self.next += 1;
            if self.closed_gap.is_some() {
                self.last_sent = (self.clock.ticks(), frame);
            }
        }
    }

    fn now(&self) -> Nanos {
        self.last_time
    }

    fn stop(&mut self) {
        self.end();
    }
}
