//! Taps: readers that copy what passes, for the journal and for everything that looks on.

use super::agent::{Agent, CoreContext, Poll, StageStamp};
use super::lane::{BATCH_MAX, BookLane, Head, RiskLane, StrategyLane, StrategyLanes, Taken, TapPort};
use super::progress::Progress;
use super::rings::{FramePort, Received};
use super::stages::AgentCounters;
use crate::words::{BookView, Frame};
use std::sync::Arc;

/// What a sink says of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SinkAnswer {
    /// It is kept.
    Kept,
    /// No room at the moment; ask again with the same frame.
    Retry,
    /// It cannot keep anything any more. No order leaves from now on and the session ends.
    Failed,
}

/// Where the journal tap puts frames. Called on a pinned thread: copies into memory that is already there, nothing else.
pub trait FrameSink: Send {
    /// Keeps one frame.
    fn frame(&mut self, frame: &Frame) -> SinkAnswer;

    /// Up to which frame what was kept is safe enough for an order to leave; `last` is the last one kept. Asked at every turn.
    fn safe(&self, last: u64) -> u64 {
        last
    }

    /// What was kept may be lost: no order leaves from now on and the session ends. Asked at every turn.
    fn has_failed(&self) -> bool {
        false
    }

    /// There will be no more.
    fn finish(&mut self) {}
}

/// Keeps nothing: a session without a journal (replay, benches).
#[derive(Debug, Default)]
pub struct NoJournal;

impl FrameSink for NoJournal {
    fn frame(&mut self, _: &Frame) -> SinkAnswer {
        SinkAnswer::Kept
    }
}

/// A slot after every stage.
#[derive(Clone, Copy)]
pub struct SlotView<'a> {
    head: &'a Head,
    view: Option<&'a BookView>,
    book_stamp: StageStamp,
    strategies: StrategyLanes<'a>,
    risk: &'a RiskLane,
}

impl<'a> SlotView<'a> {
    /// Of what the stages have written.
    #[inline]
    pub(super) fn new(
        head: &'a Head,
        book: &'a BookLane,
        strategies: StrategyLanes<'a>,
        risk: &'a RiskLane,
    ) -> Self {
        Self { head, view: book.output.view(), book_stamp: book.stamp, strategies, risk }
    }

    /// Event, record and the stamps of frame and normalizer.
    pub fn head(&self) -> &'a Head {
        self.head
    }

    /// The book's view, if the event completed a group.
    pub fn view(&self) -> Option<&'a BookView> {
        self.view
    }

    /// When the book was at it.
    pub fn book_stamp(&self) -> StageStamp {
        self.book_stamp
    }

    /// What the strategies wrote, by core.
    pub fn strategies(&self) -> impl Iterator<Item = &'a StrategyLane> {
        self.strategies.iter()
    }

    /// What risk wrote.
    pub fn risk(&self) -> &'a RiskLane {
        self.risk
    }
}

/// Where the tap puts what it sees: digests, audit, histograms.
pub trait SlotSink: Send {
    /// One slot, in the order of the ring. [`SinkAnswer::Retry`] is answered by the same slot again.
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer;

    /// Whether orders wait until their own record is safe; asked once, at the start.
    fn holds_orders(&self) -> bool {
        false
    }

    /// If [`SlotSink::holds_orders`]: last frame whose decisions are safe. Asked at every turn.
    fn safe(&mut self) -> u64 {
        u64::MAX
    }

    /// As [`FrameSink::has_failed`].
    fn has_failed(&self) -> bool {
        false
    }

    /// There was nothing to see at the moment.
    fn idle(&mut self) {}

    /// There will be no more.
    fn finish(&mut self) {}
}

/// Looks at nothing.
#[derive(Debug, Default)]
pub struct NoTap;

impl SlotSink for NoTap {
    fn slot(&mut self, _: &SlotView<'_>) -> SinkAnswer {
        SinkAnswer::Kept
    }
}

/// Frames to the journal. Runs beside the normalizer; orders wait for it at the egress.
pub(super) struct JournalAgent<S> {
    pub(super) sink: S,
    pub(super) frames: FramePort,
    /// The sink has failed once: it is not asked again, as a journal with a hole is none.
    pub(super) has_failed: bool,
    /// Last frame that the sink has kept, and the last one that was told to be safe.
    pub(super) kept: u64,
    pub(super) journaled: u64,
    pub(super) progress: Arc<Progress>,
    pub(super) counters: Arc<AgentCounters>,
}

impl<S: FrameSink> JournalAgent<S> {
    /// Tells how far the journal is; `journaled` stays where it is once the sink has failed, so that no order leaves.
    #[inline]
    fn tell(&mut self) {
        if self.has_failed {
            return;
        }
        if self.sink.has_failed() {
            self.has_failed = true;
            self.progress.fail();
            return;
        }
        let safe = self.sink.safe(self.kept);
        if safe > self.journaled {
            self.journaled = safe;
            self.progress.set_journaled(safe);
        }
    }
}

impl<S: FrameSink> Agent for JournalAgent<S> {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        match self.frames.fetch() {
            Received::Item(()) => {}
            Received::Empty => {
                self.tell();
                return Poll::Idle;
            }
            Received::Shutdown => {
                self.tell();
                self.sink.finish();
                return Poll::Done;
            }
        }
        let mut has_worked = false;
        while let Some(frame) = self.frames.frame() {
            if !self.has_failed {
                match self.sink.frame(frame) {
                    SinkAnswer::Kept => self.kept = frame.header.sequence,
                    // It stays in hand.
                    SinkAnswer::Retry => {
                        self.counters.blocked.add(1);
                        break;
                    }
                    // The frames still have to flow, or the ring would stand still: they are let go unread, and as `journaled` stays
                    // where it is, no order leaves.
                    SinkAnswer::Failed => {
                        // What was kept before counts.
                        self.tell();
                        self.has_failed = true;
                        self.progress.fail();
                    }
                }
            }
            self.frames.advance();
            self.counters.items.add(1);
            has_worked = true;
        }
        self.tell();
        if has_worked {
            core.forget();
            Poll::Worked
        } else {
            Poll::Idle
        }
    }
}

/// Slots to the tap's sink.
pub(super) struct TapWork<S> {
    sink: S,
    progress: Arc<Progress>,
    counters: Arc<AgentCounters>,
    holds_orders: bool,
    /// Last frame that was told to be safe.
    recorded: u64,
    has_failed: bool,
}

impl<S: SlotSink> TapWork<S> {
    pub(super) fn new(sink: S, progress: Arc<Progress>, counters: Arc<AgentCounters>) -> Self {
        let holds_orders = sink.holds_orders();
        progress.set_recorded(if holds_orders { 0 } else { u64::MAX });
        Self { sink, progress, counters, holds_orders, recorded: 0, has_failed: false }
    }

    /// The event of this frame was the last one taken in this turn, or there was none.
    #[inline]
    pub(super) fn turned(&mut self, last: Option<u64>) {
        match last {
            Some(frame) => self.progress.set_tapped(frame),
            None => self.sink.idle(),
        }
        if !self.has_failed && self.sink.has_failed() {
            self.has_failed = true;
            self.progress.fail();
        }
        if self.holds_orders && !self.has_failed {
            let safe = self.sink.safe();
            if safe > self.recorded {
                self.recorded = safe;
                self.progress.set_recorded(safe);
            }
        }
    }

    pub(super) fn finish(&mut self) {
        self.turned(None);
        self.sink.finish();
    }

    #[inline]
    pub(super) fn slot(
        &mut self,
        head: &Head,
        book: &BookLane,
        strategies: StrategyLanes<'_>,
        risk: &RiskLane,
    ) {
        let slot = SlotView::new(head, book, strategies, risk);
        // A slot cannot be held back once taken, so the sink is asked until it has room: it is the audit's turn to be slow, never
        // to lose. Segments are prepared ahead, so this is rare and counted.
        loop {
            match self.sink.slot(&slot) {
                SinkAnswer::Kept => break,
                SinkAnswer::Retry => {
                    self.counters.blocked.add(1);
                    std::thread::yield_now();
                }
                SinkAnswer::Failed => {
                    self.progress.fail();
                    break;
                }
            }
        }
        self.counters.items.add(1);
    }
}

/// The tap behind the event ring.
pub(super) struct TapAgent<S> {
    pub(super) work: TapWork<S>,
    pub(super) port: TapPort,
}

impl<S: SlotSink> Agent for TapAgent<S> {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let mut last = 0;
        let Self { work, port } = self;
        // As many as there may be: nobody waits for the tap event by event.
        let taken = port.take(BATCH_MAX, |head, book, strategies, risk| {
            work.slot(head, book, strategies, risk);
            last = head.event.frame;
        });
        match taken {
            Taken::Some => {
                work.turned(Some(last));
                core.forget();
                Poll::Worked
            }
            Taken::Empty => {
                work.turned(None);
                Poll::Idle
            }
            Taken::Shutdown => {
                work.finish();
                Poll::Done
            }
        }
    }
}
