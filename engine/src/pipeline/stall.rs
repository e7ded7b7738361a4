//! [`Stall`]: a fault put into a stage on purpose, so that what looks for slow stages can itself be checked.
//!
//! A stalled stage waits for the clock in the middle of its work: decisions, digests and journal are the same as without.

use super::agent::{Agent, CoreContext, Poll};
use super::topology::Role;
use crate::counters::Counter;
use crate::words::{Clock, Nanos, Ticks};
use std::sync::Arc;

/// An artificial stall in one stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stall {
    /// Which: normalizer, book, one of the strategy cores, or risk.
    pub role: Role,
    /// How long, above 0 and at most 1 s.
    pub length: Nanos,
    /// Every how many events of the stage (frames, for the normalizer), from 1.
    pub every: u64,
}

impl Stall {
    /// Whether its numbers are in their ranges, and the stage is one that can be stalled.
    pub fn is_valid(&self) -> bool {
        let is_stage = matches!(self.role, Role::Normalizer | Role::Book | Role::Strategies(_) | Role::Risk);
        is_stage && self.every > 0 && self.length > Nanos::ZERO && self.length <= Nanos::from_secs(1)
    }
}

/// So many ticks of the clock.
pub(super) fn ticks_of(clock: &Clock, span: Nanos) -> Ticks {
    let ruler: Ticks = 1 << 32;
    let nanos = u128::from(clock.nanos_between(0, ruler).max(1));
    let span = u128::try_from(span.get()).unwrap_or(0);
    // span < 2^63, ruler = 2^32
    Ticks::try_from(span * u128::from(ruler) / nanos).unwrap_or(Ticks::MAX)
}

/// A stall at work.
#[derive(Debug)]
pub(super) struct Stalling {
    ticks: Ticks,
    every: u64,
    seen: u64,
    /// The normalizer asks for its start before it knows whether there is a frame; the others have their event in hand by then, and
    /// risk has sent its orders when it is done.
    strikes_at_end: bool,
    counter: Arc<Counter>,
}

impl Stalling {
    #[inline(never)]
    pub(super) fn at_start(&mut self, clock: &Clock) {
        if !self.strikes_at_end {
            self.strike(clock);
        }
    }

    #[inline(never)]
    pub(super) fn at_end(&mut self, clock: &Clock) {
        if self.strikes_at_end {
            self.strike(clock);
        }
    }

    fn strike(&mut self, clock: &Clock) {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.every) {
            return;
        }
        self.counter.add(1);
        let start = clock.ticks();
        while clock.ticks().saturating_sub(start) < self.ticks {
            std::hint::spin_loop();
        }
    }
}

/// An agent with a fault.
pub(super) struct StalledAgent {
    inner: Box<dyn Agent>,
    stalling: Option<Box<Stalling>>,
}

impl StalledAgent {
    pub(super) fn new(inner: Box<dyn Agent>, stall: &Stall, clock: &Clock, counter: Arc<Counter>) -> Self {
        let stalling = Stalling {
            ticks: ticks_of(clock, stall.length),
            every: stall.every,
            seen: 0,
            strikes_at_end: stall.role == Role::Normalizer,
            counter,
        };
        Self { inner, stalling: Some(Box::new(stalling)) }
    }
}

impl Agent for StalledAgent {
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        core.arm(self.stalling.take());
        let poll = self.inner.poll(core);
        self.stalling = core.disarm();
        poll
    }

    fn finish(self: Box<Self>) {
        self.inner.finish();
    }
}
