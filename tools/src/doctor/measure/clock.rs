//! The stamps' clock against the kernel's, and what a reading costs.

use super::timer;
use serde::Serialize;
use spinward_engine::words::{Clock, Ticks};

/// What was seen while the rest was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ClockRate {
    /// How much faster than the kernel's clock the stamps' clock goes, in millionths.
    pub(crate) drift_ppm: f64,
    /// What a stamp costs, the best of many rounds.
    pub(crate) read_ns: f64,
    pub(crate) elapsed_ns: u64,
}

/// A measurement under way.
pub(super) struct Rate<'a> {
    clock: &'a Clock,
    ticks: Ticks,
    kernel: i64,
}

impl<'a> Rate<'a> {
    pub(super) fn begin(clock: &'a Clock) -> Self {
        let (ticks, kernel) = both(clock);
        Self { clock, ticks, kernel }
    }

    pub(super) fn end(self) -> Option<ClockRate> {
        let (ticks, kernel) = both(self.clock);
        let by_kernel = u64::try_from(kernel - self.kernel).ok().filter(|nanos| *nanos > 0)?;
        let by_stamps = self.clock.nanos_between(self.ticks, ticks);
        let drift = (by_stamps as f64 - by_kernel as f64) / by_kernel as f64 * 1e6;
        Some(ClockRate { drift_ppm: drift, read_ns: read_ns(self.clock), elapsed_ns: by_kernel })
    }
}

/// Both clocks at one moment: the closest of several tries, as the thread may be stopped between the two readings.
fn both(clock: &Clock) -> (Ticks, i64) {
    let mut best: Option<(u64, Ticks, i64)> = None;
    for _ in 0..32 {
        let before = clock.ticks();
        let kernel = timer::now();
        let after = clock.ticks();
        let width = clock.nanos_between(before, after);
        if best.is_none_or(|(known, _, _)| width < known) {
            best = Some((width, before + after.saturating_sub(before) / 2, kernel));
        }
    }
    best.map_or((0, 0), |(_, ticks, kernel)| (ticks, kernel))
}

fn read_ns(clock: &Clock) -> f64 {
    const READS: u32 = 2_000;
    let mut best = u64::MAX;
    for _ in 0..20 {
        let start = clock.ticks();
        for _ in 0..READS {
            std::hint::black_box(clock.ticks());
        }
        best = best.min(clock.nanos_between(start, clock.ticks()));
    }
    best as f64 / f64::from(READS)
}
