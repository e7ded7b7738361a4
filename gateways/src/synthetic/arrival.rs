//! When messages come. A process of two regimes: in an active stretch messages come in bursts, in a quiet one seldom and singly.
//!
//! The lengths of stretches, the numbers in a burst, the gaps inside and between bursts are all exponential ([`Prng::wait`]). Gaps are chosen so that
//! the long-run mean is the configured rate; half of an active stretch's time is left between bursts even at the highest rates.

use crate::exchange::prng::Prng;
use spinward_engine::words::Nanos;

/// How messages lie in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrivals {
    /// Each the same time after the one before: the load of a latency measurement.
    Even,
    /// In bursts, as at real venues.
    Bursts {
        /// Mean length of a quiet stretch, 1 ms to 1 h. Default 600 ms.
        quiet: Nanos,
        /// Mean length of an active stretch, 1 ms to 1 h. Default 200 ms.
        active: Nanos,
        /// Mean number of messages in a burst, 1 to 1,000,000. Default 60.
        burst_messages: u32,
    },
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::Bursts { quiet: Nanos::from_millis(600), active: Nanos::from_millis(200), burst_messages: 60 }
    }
}

impl Arrivals {
    pub(super) fn is_valid(&self) -> bool {
        let range = 1_000_000..=3_600_000_000_000;
        match self {
            Self::Even => true,
            Self::Bursts { quiet, active, burst_messages } => {
                range.contains(&quiet.get())
                    && range.contains(&active.get())
                    && (1..=1_000_000).contains(burst_messages)
            }
        }
    }
}

/// Longest mean gap inside a burst.
const GAP_IN_BURST_MAX: u64 = 3_000;
/// A quiet stretch has this part of the mean rate.
const QUIET_PART: u64 = 256;
const SECOND: u64 = 1_000_000_000;

/// One message's time.
pub(super) struct Arrival {
    /// Nanoseconds after the one before.
    pub(super) gap: u64,
    /// Whether it begins a burst (or stands alone).
    pub(super) first_of_burst: bool,
}

/// The process.
pub(super) struct Process {
    shape: Shape,
    is_active: bool,
    regime_left: u64,
    burst_left: u64,
}

enum Shape {
    /// Mean gap in 1/2^32 ns, and what was rounded off so far.
    Even { gap: u64, rounded: u64 },
    /// Means, in ns.
    Bursts { quiet: u64, active: u64, quiet_gap: u64, between: u64, inside: u64, others: u64 },
}

impl Process {
    pub(super) fn new(arrivals: &Arrivals, rate: u32) -> Self {
        let rate = u64::from(rate.max(1));
        let shape = match *arrivals {
            // 1e9 · 2^32 < 2^62
            Arrivals::Even => Shape::Even { gap: (SECOND << 32) / rate, rounded: 0 },
            Arrivals::Bursts { quiet, active, burst_messages } => {
                let (quiet, active) = (quiet.get().unsigned_abs(), active.get().unsigned_abs());
                let quiet_gap = SECOND * QUIET_PART / rate;
                // Messages of a mean cycle of both stretches, less those of the quiet one, are the active one's: spans are
                // < 2^42, the product with the rate < 2^69.
                let cycle = u128::from(quiet + active) * u128::from(rate) / u128::from(SECOND);
                let in_active = cycle.saturating_sub(u128::from(quiet / quiet_gap)).max(1);
                // Mean gap in the active stretch, in 1/1024 ns.
                let gap = u64::try_from((u128::from(active) << 10) / in_active).unwrap_or(u64::MAX >> 32);
                let others = u64::from(burst_messages) - 1;
                let inside = (gap / 2048).min(GAP_IN_BURST_MAX);
                let between = ((gap * u64::from(burst_messages)) >> 10).saturating_sub(inside * others);
                Shape::Bursts { quiet, active, quiet_gap, between, inside, others }
            }
        };
        // The session begins with an active stretch of mean length.
        let regime_left = match &shape {
            Shape::Even { .. } => 0,
            Shape::Bursts { active, .. } => *active,
        };
        Self { shape, is_active: true, regime_left, burst_left: 0 }
    }

    /// The next message's time.
    #[inline]
    pub(super) fn next(&mut self, prng: &mut Prng) -> Arrival {
        match &mut self.shape {
            Shape::Even { gap, rounded } => {
                let exact = *gap + *rounded;
                *rounded = exact & 0xffff_ffff;
                Arrival { gap: exact >> 32, first_of_burst: prng.bits() & 31 == 0 }
            }
            Shape::Bursts { quiet, active, quiet_gap, between, inside, others } => {
                if self.burst_left > 0 {
                    self.burst_left -= 1;
                    let gap = prng.wait(*inside);
                    self.regime_left = self.regime_left.saturating_sub(gap);
                    return Arrival { gap, first_of_burst: false };
                }
                let mut passed = 0;
                // A gap that outlasts its stretch is drawn anew from where the next stretch begins: waiting has no memory.
                loop {
                    let gap = prng.wait(if self.is_active { *between } else { *quiet_gap });
                    if gap <= self.regime_left {
                        self.regime_left -= gap;
                        if self.is_active {
                            self.burst_left = prng.wait(*others);
                        }
                        return Arrival { gap: passed + gap, first_of_burst: true };
                    }
                    passed += self.regime_left;
                    self.is_active = !self.is_active;
                    self.regime_left = prng.wait(if self.is_active { *active } else { *quiet });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate_of(arrivals: &Arrivals, rate: u32, seed: u64) -> f64 {
        let mut prng = Prng::new(seed);
        let mut process = Process::new(arrivals, rate);
        let messages = 10_000_000;
        let nanos: u64 = (0..messages).map(|_| process.next(&mut prng).gap).sum();
        f64::from(messages) * 1e9 / nanos as f64
    }

    #[test]
    fn the_long_run_mean_is_the_configured_rate() {
        for rate in [1, 1_000, 20_000] {
            let got = rate_of(&Arrivals::default(), rate, 5);
            assert!((got / f64::from(rate) - 1.0).abs() < 0.15, "{got} for {rate}");
        }
        // At high rates ten million messages are few stretches: shorter ones.
        let arrivals = Arrivals::Bursts {
            quiet: Nanos::from_micros(600),
            active: Nanos::from_micros(200),
            burst_messages: 60,
        };
        for rate in [1_000_000, 5_000_000] {
            let got = rate_of(&arrivals, rate, 5);
            assert!((got / f64::from(rate) - 1.0).abs() < 0.15, "{got} for {rate}");
        }
        for rate in [1, 3, 1_000_000, 50_000_000] {
            let got = rate_of(&Arrivals::Even, rate, 5);
            assert!((got / f64::from(rate) - 1.0).abs() < 1e-5, "{got} for {rate}");
        }
    }
}
