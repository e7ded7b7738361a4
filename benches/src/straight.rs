//! [`Straight`]: the stages as straight calls on one thread, without rings, lanes or journal. The control of the pipeline's suites, and what the
//! instruction counts are taken of.

use crate::driver::{answered, refused};
use crate::error::LabError;
use crate::market::Market;
use crate::parts::stages;
use spinward_engine::book::BookOutput;
use spinward_engine::normalizer::{Payload, has_payload};
use spinward_engine::pipeline::Stages;
use spinward_engine::risk::{Outbound, VerdictBatch};
use spinward_engine::strategy::IntentBatch;
use spinward_engine::words::{
    BookView, Event, Frame, FrameHeader, FrameKind, Nanos, Report, SourceId, Ticks,
};
use std::collections::VecDeque;
use std::hint::black_box;

/// How far a frame is taken: up to and including this stage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Upto {
    /// Only the loop that fills the frame.
    Feed,
    /// The normalizer with its decoder.
    Normalizer,
    /// The books.
    Book,
    /// The strategies.
    Strategies,
    /// Risk: all of it.
    Risk,
}

/// What risk is given for one event.
pub struct RiskInput<'a> {
    /// The event.
    pub event: &'a Event,
    /// Record of a report.
    pub payload: &'a Payload,
    /// The view that the event completed.
    pub view: Option<&'a BookView>,
    /// What the strategies want.
    pub intents: &'a [IntentBatch],
}

/// Looks on between two stages.
pub trait Probe {
    /// Whether it looks at what risk says; if not, nothing is done for it.
    const LOOKS_AT_RISK: bool;

    /// The stage with this index (0 normalizer, 1 book, 2 strategies, 3 risk) begins now.
    fn begin(&mut self, stage: usize) {
        let _ = stage;
    }
    /// The last stage is done; `has_order` if it has sent an order.
    fn end(&mut self, has_order: bool) {
        let _ = has_order;
    }
    /// What leaves risk for the venue or goes back to the strategy.
    fn sent(&mut self, outbound: &Outbound) {
        let _ = outbound;
    }
    /// What risk has just been given, and what it said.
    fn risk(&mut self, input: &RiskInput<'_>, verdicts: &VerdictBatch) {
        let _ = (input, verdicts);
    }
}

/// Looks at nothing.
pub struct NoProbe;

impl Probe for NoProbe {
    const LOOKS_AT_RISK: bool = false;
}

/// The record of an event without one.
static NONE: Payload = [0; 12];

fn looks<P: Probe>(_: &P) -> bool {
    P::LOOKS_AT_RISK
}

/// The stages and what lies between them.
pub struct Straight {
    parts: Stages,
    view: BookOutput,
    intents: [IntentBatch; 1],
    verdicts: VerdictBatch,
    sent: Vec<Outbound>,
    frame: Frame,
    sequence: u64,
    exec: u64,
    answers: VecDeque<Report>,
    /// Events handled.
    pub events: u64,
    /// Orders sent.
    pub orders: u64,
}

impl Straight {
    /// Over a market, with a taker on the `traded` most active symbols.
    ///
    /// # Errors
    /// A part refuses its settings.
    pub fn new(market: &Market, traded: usize) -> Result<Self, LabError> {
        Ok(Self {
            parts: stages(market, traded)?,
            view: BookOutput::vacant(),
            intents: [IntentBatch::new()],
            verdicts: VerdictBatch::new(),
            sent: Vec::with_capacity(1_024),
            frame: Frame::vacant(),
            sequence: 0,
            exec: 0,
            answers: VecDeque::with_capacity(1_024),
            events: 0,
            orders: 0,
        })
    }

    /// One market message, and the answers to the orders that came of it; the probe looks at the message alone.
    #[inline]
    pub fn message(&mut self, time: Nanos, bytes: &[u8], stamp: Ticks, upto: Upto, probe: &mut impl Probe) {
        self.put(FrameKind::Market, SourceId::new(0), time, bytes, stamp);
        self.run(upto, probe);
        self.answer(time, &mut NoProbe);
    }

    /// As [`Straight::message`]; the probe looks at the answers as well.
    pub fn message_all(
        &mut self,
        time: Nanos,
        bytes: &[u8],
        stamp: Ticks,
        upto: Upto,
        probe: &mut impl Probe,
    ) {
        self.put(FrameKind::Market, SourceId::new(0), time, bytes, stamp);
        self.run(upto, probe);
        self.answer(time, probe);
    }

    fn answer(&mut self, time: Nanos, probe: &mut impl Probe) {
        while let Some(report) = self.answers.pop_front() {
            let bytes: [u8; 96] = bytemuck::cast(report);
            self.put(FrameKind::Report, SourceId::new(1), time, &bytes, 0);
            self.run(Upto::Risk, probe);
        }
    }

    #[inline]
    fn put(&mut self, kind: FrameKind, source: SourceId, time: Nanos, bytes: &[u8], stamp: Ticks) {
        self.sequence += 1;
        self.frame.header = FrameHeader {
            sequence: self.sequence,
            receive_time: time,
            stamp,
            source,
            kind: kind as u8,
            bytes: bytes.len() as u16, // at most a frame's 96
            ..FrameHeader::default()
        };
        if let Some(to) = self.frame.payload.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
    }

    #[inline]
    fn run(&mut self, upto: Upto, probe: &mut impl Probe) {
        if upto < Upto::Normalizer {
            black_box(&self.frame);
            return;
        }
        probe.begin(0);
        if !self.parts.normalizer.on_frame(black_box(&self.frame)) {
            return;
        }
        let batch = self.parts.normalizer.batch();
        let mut payloads = batch.payloads().iter();
        for event in batch.events() {
            self.events += 1;
            let payload = if has_payload(event.kind()) { payloads.next() } else { None }.unwrap_or(&NONE);
            if upto >= Upto::Book {
                probe.begin(1);
                self.parts.book.on_event(event, &mut self.view);
            }
            if upto >= Upto::Strategies
                && let ([intents], Some(runner)) = (&mut self.intents, self.parts.runners.first_mut())
            {
                probe.begin(2);
                runner.on_event(event, payload, self.view.view(), intents);
            }
            if upto >= Upto::Risk {
                probe.begin(3);
                self.parts.risk.on_event(
                    event,
                    payload,
                    self.view.view(),
                    self.frame.header.stamp,
                    self.intents.iter(),
                    &mut self.verdicts,
                    &mut self.sent,
                );
                if looks(probe) {
                    let has_order = self.verdicts.verdicts().iter().any(|verdict| verdict.is_approved());
                    probe.end(has_order);
                    let input = RiskInput { event, payload, view: self.view.view(), intents: &self.intents };
                    probe.risk(&input, &self.verdicts);
                }
                for outbound in self.sent.drain(..) {
                    probe.sent(&outbound);
                    self.exec += 1;
                    self.orders += u64::from(matches!(outbound, Outbound::Order(_)));
                    self.answers.extend(refused(&outbound));
                    self.answers.extend(answered(&outbound, self.exec).into_iter().flatten());
                }
            }
        }
        black_box((&self.view, &self.intents, &self.verdicts));
    }
}
