//! [`Gap`]: a stretch in which a core's loop did not come round: what an interrupt, the hypervisor or another thread took from it.
//!
//! The loop compares its own clock from turn to turn. In busy turns it uses the stamps that are taken anyway; in idle ones it reads the
//! clock once in [`IDLE_TURNS`] turns.

use super::agent::CoreContext;
use super::idle::IdleStrategy;
use super::stall::ticks_of;
use crate::counters::Counter;
use crate::words::{Clock, Nanos, Ticks};
use crossbeam_queue::ArrayQueue;
use std::sync::Arc;

/// Gaps that can wait to be collected; those beyond are counted and not listed.
pub const GAPS_WAITING_MAX: usize = 1_024;

/// Idle turns from one look at the clock to the next: some hundred nanoseconds.
const IDLE_TURNS: u32 = 16;

/// The loop was away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The last stamp before.
    pub start: Ticks,
    /// The first one after.
    pub end: Ticks,
    /// Whether there was work in between, which may be what took the time. Without, it was taken from the loop.
    pub has_worked: bool,
}

/// What a core's loop tells of its gaps.
#[repr(align(128))]
#[derive(Debug)]
pub struct GapLog {
    /// Gaps seen.
    pub count: Counter,
    /// Their length in all, nanoseconds.
    pub nanos: Counter,
    /// Gaps for which there was no room in the list.
    pub unlisted: Counter,
    waiting: ArrayQueue<Gap>,
}

impl GapLog {
    /// Empty.
    pub fn new() -> Self {
        Self {
            count: Counter::new(),
            nanos: Counter::new(),
            unlisted: Counter::new(),
            waiting: ArrayQueue::new(GAPS_WAITING_MAX),
        }
    }

    /// Takes the oldest gap that was not collected yet. From any thread.
    pub fn take(&self) -> Option<Gap> {
        self.waiting.pop()
    }

    /// Notes one. Only the core's own loop may.
    #[cold]
    #[inline(never)]
    pub fn note(&self, clock: &Clock, gap: Gap) {
        self.count.add(1);
        self.nanos.add(clock.nanos_between(gap.start, gap.end));
        if self.waiting.push(gap).is_err() {
            self.unlisted.add(1);
        }
    }
}

impl Default for GapLog {
    fn default() -> Self {
        Self::new()
    }
}

/// The loop's own watch.
#[derive(Debug)]
pub(super) struct GapWatch {
    threshold: Ticks,
    /// When the loop was last seen; 0: not known.
    before: Ticks,
    /// The last stamp of the core that was looked at.
    stamp: Ticks,
    idle_turns: u32,
    is_on: bool,
    /// Whether idle turns may sleep, which is no gap.
    may_sleep: bool,
    log: Arc<GapLog>,
}

impl GapWatch {
    /// A threshold of zero switches it off.
    pub(super) fn new(threshold: Nanos, idle: IdleStrategy, clock: &Clock, log: Arc<GapLog>) -> Self {
        Self {
            threshold: ticks_of(clock, threshold),
            before: 0,
            stamp: 0,
            idle_turns: 0,
            is_on: threshold > Nanos::ZERO,
            may_sleep: idle == IdleStrategy::Park,
            log,
        }
    }

    /// After a turn with work.
    #[inline]
    pub(super) fn worked(&mut self, core: &CoreContext) {
        let stamp = core.last();
        if stamp == self.stamp {
            // Work of unknown length.
            self.before = 0;
            return;
        }
        self.stamp = stamp;
        self.look(core, stamp, true);
    }

    /// After a turn without.
    #[inline]
    pub(super) fn idle(&mut self, core: &CoreContext) {
        self.idle_turns = self.idle_turns.wrapping_add(1);
        if !self.idle_turns.is_multiple_of(IDLE_TURNS) || !self.is_on {
            return;
        }
        if self.may_sleep {
            self.before = 0;
        } else {
            self.look(core, core.clock().ticks(), false);
        }
    }

    #[inline]
    fn look(&mut self, core: &CoreContext, now: Ticks, has_worked: bool) {
        let start = std::mem::replace(&mut self.before, now);
        // The stamps of a core come from one counter, but a moved thread may find another one behind.
        if start != 0 && self.is_on && now.saturating_sub(start) > self.threshold {
            self.log.note(core.clock(), Gap { start, end: now, has_worked });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::StampMode;

    fn watch(clock: &Clock, idle: IdleStrategy, threshold: Nanos) -> (GapWatch, Arc<GapLog>) {
        let log = Arc::new(GapLog::new());
        (GapWatch::new(threshold, idle, clock, Arc::clone(&log)), log)
    }

    /// Reads the clock until so much has passed.
    fn pass(clock: &Clock, span: Nanos) {
        let start = clock.ticks();
        while clock.nanos_between(start, clock.ticks()) < span.get() as u64 {}
    }

    fn idle_turns(watch: &mut GapWatch, core: &CoreContext) {
        for _ in 0..IDLE_TURNS {
            watch.idle(core);
        }
    }

    // Thresholds of a second hold whatever a shared core does to the test; the gap itself is longer than its threshold by construction.
    const LONG: Nanos = Nanos::from_secs(3_600);
    const SHORT: Nanos = Nanos::new(1);

    #[test]
    fn a_gap_between_idle_turns_is_listed_with_its_start_and_its_end() {
        let clock = Clock::new();
        let core = CoreContext::new(clock.clone(), StampMode::All);
        let (mut watch, log) = watch(&clock, IdleStrategy::Spin, Nanos::from_micros(50));
        idle_turns(&mut watch, &core);
        let before = clock.ticks();
        pass(&clock, Nanos::from_micros(100));
        let after = clock.ticks();
        idle_turns(&mut watch, &core);
        let gaps: Vec<Gap> = std::iter::from_fn(|| log.take()).collect();
        let gap = gaps.last().unwrap();
        assert!(gap.start <= before && gap.end >= after && !gap.has_worked, "{gaps:?}");
        assert_eq!(log.count.value(), gaps.len() as u64);
        assert!(log.nanos.value() >= 100_000);
    }

    #[test]
    fn a_busy_turn_is_measured_by_its_stamps_and_one_without_stamps_not_at_all() {
        let clock = Clock::new();
        let mut core = CoreContext::new(clock.clone(), StampMode::All);
        let (mut watch, log) = watch(&clock, IdleStrategy::Spin, SHORT);
        core.done();
        watch.worked(&core);
        core.done();
        pass(&clock, Nanos::from_micros(1));
        core.done();
        watch.worked(&core);
        assert!(log.take().is_some_and(|gap| gap.has_worked));
        // No stamp since: how long the turn took is not known, and the next look begins anew.
        watch.worked(&core);
        core.done();
        watch.worked(&core);
        assert_eq!(log.take(), None);
    }

    #[test]
    fn shorter_than_the_threshold_is_no_gap_and_a_sleeping_core_has_none_while_idle() {
        let clock = Clock::new();
        let core = CoreContext::new(clock.clone(), StampMode::All);
        for (idle, threshold) in
            [(IdleStrategy::Spin, LONG), (IdleStrategy::Park, SHORT), (IdleStrategy::Spin, Nanos::ZERO)]
        {
            let (mut watch, log) = watch(&clock, idle, threshold);
            idle_turns(&mut watch, &core);
            pass(&clock, Nanos::from_micros(10));
            idle_turns(&mut watch, &core);
            assert_eq!(log.count.value(), 0, "{idle:?}");
        }
    }

    #[test]
    fn gaps_without_room_are_counted_and_not_listed() {
        let clock = Clock::new();
        let core = CoreContext::new(clock.clone(), StampMode::All);
        let (mut watch, log) = watch(&clock, IdleStrategy::Spin, SHORT);
        for _ in 0..GAPS_WAITING_MAX + 3 {
            pass(&clock, Nanos::new(100));
            idle_turns(&mut watch, &core);
        }
        // The first look has nothing to compare with.
        assert_eq!(log.count.value(), GAPS_WAITING_MAX as u64 + 2);
        assert_eq!(log.unlisted.value(), 2);
    }
}
