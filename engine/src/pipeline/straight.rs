//! [`StraightAgent`]: the stages of a core that has all of them, by straight calls.
//!
//! Between stages on one core the event ring would only carry an event from a core to itself, through ever new memory. So where a topology puts normalizer,
//! books, strategies, risk and tap on one core, each event goes through all of them in one go, in lanes that stay in the nearest cache (measured: a third less time
//! a frame, and less than half from frame to order). The work of each stage is the very same as behind the ring.

use super::agent::{Agent, CoreContext, Poll};
use super::lane::{BATCH_MAX, BookLane, Head, Lane, RiskLane, StrategyLane, StrategyLanes, strategy_lanes};
use super::rings::Received;
use super::stages::{BookWork, NormalizerWork, RiskWork, StrategyWork};
use super::taps::{SlotSink, TapWork};
use crate::normalizer::Payload;
use crate::words::Event;

/// All stages of one core.
pub(super) struct StraightAgent<S> {
    normalizer: NormalizerWork,
    book: BookWork,
    strategies: Box<[StrategyWork]>,
    risk: RiskWork,
    tap: TapWork<S>,
    /// Most frames of a turn.
    burst: usize,
    /// Events that are decoded but not begun: the books fetch the memory of all of them at once.
    heads: Box<[Head; BATCH_MAX]>,
    book_lane: Box<BookLane>,
    strategy_lanes: Box<[Lane<StrategyLane>]>,
    risk_lane: Box<RiskLane>,
}

impl<S: SlotSink> StraightAgent<S> {
    pub(super) fn new(
        normalizer: NormalizerWork,
        book: BookWork,
        strategies: Vec<StrategyWork>,
        risk: RiskWork,
        tap: TapWork<S>,
        burst: usize,
    ) -> Self {
        Self {
            normalizer,
            book,
            strategy_lanes: strategy_lanes(strategies.len()),
            strategies: strategies.into(),
            risk,
            tap,
            burst,
            heads: Box::new([Head::vacant(); BATCH_MAX]),
            book_lane: Box::new(BookLane::vacant()),
            risk_lane: Box::new(RiskLane::vacant()),
        }
    }

    /// Decodes up to `burst` frames, as long as there is room for their events. The number of events, and what the last look at the frames found.
    #[inline]
    fn gather(&mut self, core: &mut CoreContext) -> (usize, Received<()>) {
        let Self { normalizer, heads, burst, .. } = self;
        let mut count = 0;
        let mut put =
            |event: &Event, payload: Option<&Payload>, frame_stamp, stamp| match heads.get_mut(count) {
                Some(head) => {
                    head.set(event, payload, frame_stamp, stamp);
                    count += 1;
                    true
                }
                None => false,
            };
        if !normalizer.hand_on(&mut put) {
            return (count, Received::Item(()));
        }
        for _ in 0..*burst {
            let found = normalizer.frame(core);
            if found != Received::Item(()) {
                return (count, found);
            }
            if !normalizer.hand_on(&mut put) {
                break;
            }
        }
        (count, Received::Item(()))
    }
}

impl<S: SlotSink> Agent for StraightAgent<S> {
    #[inline]
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let (count, found) = self.gather(core);
        let Self { book, strategies, risk, tap, heads, book_lane, strategy_lanes, risk_lane, .. } = self;
        let heads = heads.get(..count).unwrap_or(&[]);
        let Some(last) = heads.last() else {
            return match found {
                // Part of a message.
                Received::Item(()) => Poll::Worked,
                Received::Empty => {
                    tap.turned(None);
                    Poll::Idle
                }
                Received::Shutdown => {
                    tap.finish();
                    Poll::Done
                }
            };
        };
        if count > 1 {
            book.stage.prefetch(heads.iter().map(|head| &head.event));
        }
        for head in heads {
            book.event(core, head, book_lane);
            for (strategy, lane) in strategies.iter_mut().zip(strategy_lanes.iter_mut()) {
                strategy.event(core, head, book_lane, lane.get_mut());
            }
            risk.event(core, head, book_lane, StrategyLanes::owned(strategy_lanes), risk_lane);
            tap.slot(head, book_lane, StrategyLanes::owned(strategy_lanes), risk_lane);
            core.forget();
        }
        tap.turned(Some(last.event.frame));
        Poll::Worked
    }

    fn finish(self: Box<Self>) {
        self.normalizer.finish();
        self.book.finish();
        self.risk.finish();
    }
}
