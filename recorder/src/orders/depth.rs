//! [`Queue`]: how many were ahead, computed from the stamps alone: the stages themselves count nothing.

use spinward_engine::words::Ticks;

/// As far back as it looks: more in a queue count as so many.
pub(super) const DEPTH_MAX: usize = 1_024;

/// When one stage began with its last items.
#[derive(Debug)]
pub(super) struct Queue {
    starts: Box<[Ticks; DEPTH_MAX]>,
    /// Items so far.
    count: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { starts: Box::new([0; DEPTH_MAX]), count: 0 }
    }

    /// The stage began with the next item then.
    #[inline]
    pub(super) fn push(&mut self, start: Ticks) {
        if let Some(slot) = self.starts.get_mut(self.count % DEPTH_MAX) {
            *slot = start;
        }
        self.count += 1;
    }

    /// Items before the next one that the stage had not begun with when the next one came, at `arrival`. A stage takes its items in turn, so the
    /// starts only grow.
    #[inline]
    pub(super) fn ahead(&self, arrival: Ticks) -> u32 {
        // The common case: the stage has been waiting.
        if self.start(self.count.wrapping_sub(1)).is_none_or(|last| last <= arrival) {
            return 0;
        }
        let (mut low, mut high) = (self.count.saturating_sub(DEPTH_MAX), self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start(middle).is_some_and(|start| start > arrival) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        // At most DEPTH_MAX.
        (self.count - low) as u32
    }

    fn start(&self, index: usize) -> Option<Ticks> {
        if index >= self.count { None } else { self.starts.get(index % DEPTH_MAX).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ahead_are_those_that_the_stage_had_not_begun_with() {
        let mut queue = Queue::new();
        assert_eq!(queue.ahead(5), 0, "nothing has ever come");
        for start in [10, 20, 30] {
            queue.push(start);
        }
        for (arrival, ahead) in [(5, 3), (10, 2), (25, 1), (30, 0), (99, 0)] {
            assert_eq!(queue.ahead(arrival), ahead, "at {arrival}");
        }
    }

    #[test]
    fn a_queue_longer_than_is_looked_back_counts_as_so_many() {
        let mut queue = Queue::new();
        for start in 1..=3 * DEPTH_MAX as u64 {
            queue.push(start);
            let naive = (1..=start).rev().take(DEPTH_MAX).filter(|other| *other > start / 2).count();
            assert_eq!(queue.ahead(start / 2), naive as u32, "after {start}");
        }
        assert_eq!(queue.ahead(0), DEPTH_MAX as u32);
    }
}
