//! How late a thread wakes that sleeps to a point in time: what paces and time-outs are worth.

use super::{on_each, quantile};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::Serialize;
use std::time::Duration;

/// Wakes every millisecond, as `cyclictest -i 1000` does.
const INTERVAL_NS: i64 = 1_000_000;

/// What was seen on one core.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Timer {
    pub(crate) core: usize,
    pub(crate) wakes: usize,
    /// Lateness.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
}

pub(super) fn measure(cores: &[usize], length: Duration) -> Vec<Timer> {
    let wakes = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX) / INTERVAL_NS;
    on_each(cores, |core| {
        let mut late = Vec::with_capacity(usize::try_from(wakes).unwrap_or(0));
        let start = now();
        for wake in 1..=wakes {
            let target = start + wake * INTERVAL_NS;
            // Broken off by a signal: the lateness is negative then, and counts as none.
            let _ = clock_nanosleep_absolute(ClockId::Monotonic, &time(target));
            let woken = now();
            late.push(u64::try_from(woken - target).unwrap_or(0));
            if woken - start > 2 * wakes * INTERVAL_NS {
                break; // the host is stopped more than it runs: what was seen is enough
            }
        }
        late.sort_unstable();
        Timer {
            core,
            wakes: late.len(),
            p50_ns: quantile(&late, 0.5),
            p99_ns: quantile(&late, 0.99),
            max_ns: late.last().copied().unwrap_or(0),
        }
    })
}

/// The kernel's clock, as the timer reads it, nanoseconds.
pub(super) fn now() -> i64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

fn time(nanos: i64) -> Timespec {
    Timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 }
}
