//! The stages as agents: each joins plain stage logic to its ports.

use super::agent::{Agent, CoreContext, Poll, StageStamp};
use super::lane::{BookPort, EventProducer, RiskPort, StrategyPort, Taken};
use super::progress::Progress;
use super::rings::{EgressProducer, FramePort, Received};
use crate::book::BookStage;
use crate::counters::Counter;
use crate::normalizer::{Normalizer, Payload, has_payload};
use crate::risk::Risk;
use crate::strategy::StrategyRunner;
use crate::words::{Event, Ticks};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Where an agent leaves its stage when it ends: a channel of one, used once.
pub(super) type Handover<T> = SyncSender<T>;

/// What each agent counts about its own turns.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct AgentCounters {
    /// Items handled.
    pub items: Counter,
    /// Polls in which the ring behind was full.
    pub blocked: Counter,
}

/// Frames to events.
pub(super) struct NormalizerAgent {
    normalizer: Normalizer,
    frames: FramePort,
    events: EventProducer,
    burst: usize,
    /// Events of the current batch that are in the ring; the batch is whole when `sent == count`.
    sent: usize,
    count: usize,
    sent_payloads: usize,
    frame_stamp: Ticks,
    stamp: StageStamp,
    counters: Arc<AgentCounters>,
    handover: Handover<Normalizer>,
}

impl NormalizerAgent {
    pub(super) fn new(
        normalizer: Normalizer,
        frames: FramePort,
        events: EventProducer,
        burst: usize,
        counters: Arc<AgentCounters>,
        handover: Handover<Normalizer>,
    ) -> Self {
        Self {
            normalizer,
            frames,
            events,
            burst,
            sent: 0,
            count: 0,
            sent_payloads: 0,
            frame_stamp: 0,
            stamp: StageStamp::default(),
            counters,
            handover,
        }
    }

    /// Puts the rest of the current batch into the event ring; false if it is full.
    #[inline]
    fn send(&mut self) -> bool {
        let batch = self.normalizer.batch();
        for event in batch.events().get(self.sent..).unwrap_or(&[]) {
            let payload: Option<&Payload> =
                if has_payload(event.kind()) { batch.payloads().get(self.sent_payloads) } else { None };
            if !self.events.publish(event, payload, self.frame_stamp, self.stamp) {
                self.counters.blocked.add(1);
                return false;
            }
            self.sent += 1;
            self.sent_payloads += usize::from(payload.is_some());
        }
        true
    }
}

impl Agent for NormalizerAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        if self.sent < self.count && !self.send() {
            return Poll::Idle;
        }
        let mut has_worked = false;
        for _ in 0..self.burst {
            match self.frames.fetch() {
                Received::Item(()) => {}
                Received::Empty => break,
                Received::Shutdown => return if has_worked { Poll::Worked } else { Poll::Done },
            }
            let Some(frame) = self.frames.frame() else { break };
            let start = core.start();
            has_worked = true;
            let is_whole = self.normalizer.on_frame(frame);
            self.frame_stamp = frame.header.stamp;
            self.frames.advance();
            self.counters.items.add(1);
            if is_whole {
                self.stamp = StageStamp { start, done: core.done() };
                self.sent = 0;
                self.sent_payloads = 0;
                self.count = self.normalizer.batch().events().len();
                if !self.send() {
                    break;
                }
            }
        }
        if has_worked { Poll::Worked } else { Poll::Idle }
    }

    fn finish(self: Box<Self>) {
        // There is room for one, and nobody to miss it if the pipeline was dropped.
        let _ = self.handover.try_send(self.normalizer);
    }
}

fn polled(taken: Taken) -> Poll {
    match taken {
        Taken::Some => Poll::Worked,
        Taken::Empty => Poll::Idle,
        Taken::Shutdown => Poll::Done,
    }
}

/// Events to views.
pub(super) struct BookAgent {
    pub(super) stage: BookStage,
    pub(super) port: BookPort,
    pub(super) burst: usize,
    pub(super) counters: Arc<AgentCounters>,
    pub(super) handover: Handover<BookStage>,
}

impl Agent for BookAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let Self { stage, port, counters, burst, .. } = self;
        polled(port.take(
            *burst,
            stage,
            |stage, heads| stage.prefetch(heads.iter().map(|head| &head.event)),
            |stage, head, lane| {
                let start = core.start();
                stage.on_event(&head.event, &mut lane.output);
                lane.stamp = StageStamp { start, done: core.done() };
                counters.items.add(1);
            },
        ))
    }

    fn finish(self: Box<Self>) {
        // There is room for one, and nobody to miss it if the pipeline was dropped.
        let _ = self.handover.try_send(self.stage);
    }
}

/// Events and views to intents.
pub(super) struct StrategyAgent {
    pub(super) runner: StrategyRunner,
    pub(super) port: StrategyPort,
    pub(super) burst: usize,
    pub(super) counters: Arc<AgentCounters>,
}

impl Agent for StrategyAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let Self { runner, port, counters, burst } = self;
        polled(port.take(*burst, |head, book, lane| {
            let start = core.start();
            runner.on_event(&head.event, &head.payload, book.output.view(), &mut lane.batch);
            lane.stamp = StageStamp { start, done: core.done() };
            counters.items.add(1);
        }))
    }
}

/// Intents to verdicts and orders.
pub(super) struct RiskAgent {
    pub(super) risk: Risk,
    pub(super) port: RiskPort,
    pub(super) egress: EgressProducer,
    pub(super) progress: Arc<Progress>,
    pub(super) burst: usize,
    pub(super) counters: Arc<AgentCounters>,
    pub(super) handover: Handover<Risk>,
}

impl Agent for RiskAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let Self { risk, port, egress, progress, counters, burst, .. } = self;
        polled(port.take(*burst, |head, book, strategies, lane| {
            let start = core.start();
            risk.on_event(
                &head.event,
                &head.payload,
                book.output.view(),
                head.frame_stamp,
                strategies.iter().map(|lane| &lane.batch),
                &mut lane.batch,
                egress,
            );
            lane.state = risk.state();
            lane.stamp = StageStamp { start, done: core.end() };
            counters.items.add(1);
            if head.event.has(Event::END_OF_FRAME) {
                progress.set_done(head.event.frame);
            }
        }))
    }

    fn finish(self: Box<Self>) {
        // There is room for one, and nobody to miss it if the pipeline was dropped.
        let _ = self.handover.try_send(self.risk);
    }
}
