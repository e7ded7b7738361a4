//! The stages as agents: each joins plain stage logic to its ports. What a stage does with one event is its *work*; whether the event comes through the
//! event ring (the agents of this file) or from the stage before on the same core ([`super::straight`]) is no matter to it.

use super::agent::{Agent, CoreContext, Poll, StageStamp};
use super::lane::{
    BookLane, BookPort, EventProducer, Head, RiskLane, RiskPort, StrategyLane, StrategyLanes, StrategyPort,
    Taken,
};
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
pub(super) struct NormalizerWork {
    normalizer: Normalizer,
    frames: FramePort,
    /// Events of the current message that have been handed on; it is done when `sent == count`.
    sent: usize,
    count: usize,
    sent_payloads: usize,
    frame_stamp: Ticks,
    stamp: StageStamp,
    counters: Arc<AgentCounters>,
    handover: Handover<Normalizer>,
}

impl NormalizerWork {
    pub(super) fn new(
        normalizer: Normalizer,
        frames: FramePort,
        counters: Arc<AgentCounters>,
        handover: Handover<Normalizer>,
    ) -> Self {
        Self {
            normalizer,
            frames,
            sent: 0,
            count: 0,
            sent_payloads: 0,
            frame_stamp: 0,
            stamp: StageStamp::default(),
            counters,
            handover,
        }
    }

    /// Takes the next frame; the events of the last one have been handed on.
    #[inline]
    pub(super) fn frame(&mut self, core: &mut CoreContext) -> Received<()> {
        let fetched = self.frames.fetch();
        if fetched != Received::Item(()) {
            return fetched;
        }
        let Some(frame) = self.frames.frame() else { return Received::Empty };
        let start = core.taken();
        let is_whole = self.normalizer.on_frame(frame);
        self.frame_stamp = frame.header.stamp;
        self.frames.advance();
        self.counters.items.add(1);
        if is_whole {
            self.stamp = StageStamp { start, done: core.done() };
            (self.sent, self.sent_payloads) = (0, 0);
            self.count = self.normalizer.batch().events().len();
        }
        Received::Item(())
    }

    /// Hands on what is left of the current message's events: event, record, frame's stamp, own stamp. False if `put` had no room.
    #[inline]
    pub(super) fn hand_on(
        &mut self,
        mut put: impl FnMut(&Event, Option<&Payload>, Ticks, StageStamp) -> bool,
    ) -> bool {
        if self.sent == self.count {
            return true;
        }
        let batch = self.normalizer.batch();
        for event in batch.events().get(self.sent..).unwrap_or(&[]) {
            let payload: Option<&Payload> =
                if has_payload(event.kind()) { batch.payloads().get(self.sent_payloads) } else { None };
            if !put(event, payload, self.frame_stamp, self.stamp) {
                return false;
            }
            self.sent += 1;
            self.sent_payloads += usize::from(payload.is_some());
        }
        true
    }

    pub(super) fn finish(self) {
        // There is room for one, and nobody to miss it if the pipeline was dropped.
        let _ = self.handover.try_send(self.normalizer);
    }
}

/// Frames to the event ring.
pub(super) struct NormalizerAgent {
    pub(super) work: NormalizerWork,
    pub(super) events: EventProducer,
    pub(super) burst: usize,
}

impl NormalizerAgent {
    #[inline]
    fn send(&mut self) -> bool {
        let Self { work, events, .. } = self;
        let has_room = work
            .hand_on(|event, payload, frame_stamp, stamp| events.publish(event, payload, frame_stamp, stamp));
        if !has_room {
            work.counters.blocked.add(1);
        }
        has_room
    }
}

impl Agent for NormalizerAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        if !self.send() {
            return Poll::Idle;
        }
        let mut has_worked = false;
        for _ in 0..self.burst {
            match self.work.frame(core) {
                Received::Item(()) => has_worked = true,
                Received::Empty => break,
                Received::Shutdown => return if has_worked { Poll::Worked } else { Poll::Done },
            }
            if !self.send() {
                break;
            }
        }
        if has_worked { Poll::Worked } else { Poll::Idle }
    }

    fn finish(self: Box<Self>) {
        self.work.finish();
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
pub(super) struct BookWork {
    pub(super) stage: BookStage,
    pub(super) counters: Arc<AgentCounters>,
    pub(super) handover: Handover<BookStage>,
}

impl BookWork {
    #[inline]
    pub(super) fn event(&mut self, core: &mut CoreContext, head: &Head, lane: &mut BookLane) {
        let start = core.start();
        self.stage.on_event(&head.event, &mut lane.output);
        lane.stamp = StageStamp { start, done: core.done() };
        self.counters.items.add(1);
    }

    pub(super) fn finish(self) {
        // There is room for one, and nobody to miss it if the pipeline was dropped.
        let _ = self.handover.try_send(self.stage);
    }
}

/// The books behind the event ring.
pub(super) struct BookAgent {
    pub(super) work: BookWork,
    pub(super) port: BookPort,
    pub(super) burst: usize,
}

impl Agent for BookAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        polled(self.port.take(
            self.burst,
            &mut self.work,
            |work, heads| work.stage.prefetch(heads.iter().map(|head| &head.event)),
            |work, head, lane| work.event(core, head, lane),
        ))
    }

    fn finish(self: Box<Self>) {
        self.work.finish();
    }
}

/// Events and views to intents.
pub(super) struct StrategyWork {
    pub(super) runner: StrategyRunner,
    pub(super) counters: Arc<AgentCounters>,
}

impl StrategyWork {
    #[inline]
    pub(super) fn event(
        &mut self,
        core: &mut CoreContext,
        head: &Head,
        book: &BookLane,
        lane: &mut StrategyLane,
    ) {
        let start = core.start();
        self.runner.on_event(&head.event, &head.payload, book.output.view(), &mut lane.batch);
        lane.stamp = StageStamp { start, done: core.done() };
        self.counters.items.add(1);
    }
}

/// The strategies of one core behind the event ring.
pub(super) struct StrategyAgent {
    pub(super) work: StrategyWork,
    pub(super) port: StrategyPort,
    pub(super) burst: usize,
}

impl Agent for StrategyAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let Self { work, port, burst } = self;
        polled(port.take(*burst, |head, book, lane| work.event(core, head, book, lane)))
    }
}

/// Intents to verdicts and orders.
pub(super) struct RiskWork {
    pub(super) risk: Risk,
    pub(super) egress: EgressProducer,
    pub(super) progress: Arc<Progress>,
    pub(super) counters: Arc<AgentCounters>,
    pub(super) handover: Handover<Risk>,
}

impl RiskWork {
    #[inline]
    pub(super) fn event(
        &mut self,
        core: &mut CoreContext,
        head: &Head,
        book: &BookLane,
        strategies: StrategyLanes<'_>,
        lane: &mut RiskLane,
    ) {
        let start = core.start();
        self.egress.begin();
        self.risk.on_event(
            &head.event,
            &head.payload,
            book.output.view(),
            head.frame_stamp,
            strategies.iter().map(|lane| &lane.batch),
            &mut lane.batch,
            &mut self.egress,
        );
        lane.state = self.risk.state();
        lane.sent = self.egress.sent();
        lane.stamp = StageStamp { start, done: core.end() };
        self.counters.items.add(1);
        if head.event.has(Event::END_OF_FRAME) {
            self.progress.set_done(head.event.frame);
        }
    }

    pub(super) fn finish(self) {
        // There is room for one, and nobody to miss it if the pipeline was dropped.
        let _ = self.handover.try_send(self.risk);
    }
}

/// Risk behind the event ring.
pub(super) struct RiskAgent {
    pub(super) work: RiskWork,
    pub(super) port: RiskPort,
    pub(super) burst: usize,
}

impl Agent for RiskAgent {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let Self { work, port, burst } = self;
        polled(
            port.take(*burst, |head, book, strategies, lane| work.event(core, head, book, strategies, lane)),
        )
    }

    fn finish(self: Box<Self>) {
        self.work.finish();
    }
}
