//! Spin jitter: a pinned loop that reads the clock, and the gaps in it. Whatever stops a pipeline stage stops this loop.

use super::on_each;
use serde::Serialize;
use spinward_engine::words::{Clock, Ticks};
use std::time::Duration;

/// A longer gap is not the loop's own: a turn takes some tens of nanoseconds.
pub(super) const GAP_NS: u64 = 10_000;

/// What was seen on one core.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spin {
    pub(crate) core: usize,
    /// Length of the measurement.
    pub(crate) elapsed_ns: u64,
    /// Turns of the loop.
    pub(crate) turns: u64,
    /// The longest gap.
    pub(crate) gap_max_ns: u64,
    /// Gaps over 10 µs.
    pub(crate) gaps: u64,
    /// Time in those gaps.
    pub(crate) lost_ns: u64,
    /// Times the scheduler took the core away.
    pub(crate) preemptions: u64,
}

impl Spin {
    /// Share of time lost, in millionths.
    pub(crate) fn lost_ppm(&self) -> u64 {
        self.lost_ns.saturating_mul(1_000_000) / self.elapsed_ns.max(1)
    }
}

pub(super) fn measure(clock: &Clock, cores: &[usize], length: Duration) -> Vec<Spin> {
    let length = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    on_each(cores, |core| {
        let before = preemptions();
        let mut spin = run(clock, core, length, || clock.ticks());
        spin.preemptions = preemptions().saturating_sub(before);
        spin
    })
}

/// The loop, with the clock's readings as an argument.
fn run(clock: &Clock, core: usize, length: u64, mut read: impl FnMut() -> Ticks) -> Spin {
    let mut spin = Spin { core, elapsed_ns: 0, turns: 0, gap_max_ns: 0, gaps: 0, lost_ns: 0, preemptions: 0 };
    let start = read();
    let mut last = start;
    while spin.elapsed_ns < length {
        let now = read();
        let gap = clock.nanos_between(last, now);
        spin.gap_max_ns = spin.gap_max_ns.max(gap);
        if gap > GAP_NS {
            spin.gaps += 1;
            spin.lost_ns += gap;
        }
        spin.turns += 1;
        spin.elapsed_ns = clock.nanos_between(start, now);
        last = now;
    }
    spin
}

/// Involuntary context switches of this thread so far.
fn preemptions() -> u64 {
    std::fs::read_to_string("/proc/thread-self/status")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("nonvoluntary_ctxt_switches:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_stall_is_found_with_its_length() {
        let clock = Clock::new();
        // Ticks in a microsecond, found by the clock's own conversion.
        let micro = (1..).find(|ticks| clock.nanos_between(0, *ticks) >= 1_000).unwrap_or(1);
        let mut now = 0;
        let mut turn = 0;
        let spin = run(&clock, 3, 1_000_000, || {
            turn += 1;
            now += if turn == 100 { 50 * micro } else { micro };
            now
        });
        assert_eq!((spin.core, spin.gaps), (3, 1));
        assert!((49_000..=51_000).contains(&spin.gap_max_ns), "{spin:?}");
        assert_eq!(spin.lost_ns, spin.gap_max_ns);
        assert!((49_000..=51_000).contains(&spin.lost_ppm()), "{spin:?}");
    }
}
