//! When commands come: the one arrival process of the tree.
//!
//! At real venues messages come in **clusters**: one event, many answers. Clusters have a geometric size; gaps inside are log-uniform, so that clusters
//! look like clusters at every scale from microseconds to a second, as in the captures that `docs/exchange.md` compares them with. At most an eighth of
//! the time goes by inside clusters. Over that lies the day: **bursts** are clusters in active stretches, between which it is quiet. Lengths of stretches and
//! gaps between clusters are exponential ([`Prng::wait`]), and chosen so that the long-run mean is the configured rate.

use super::prng::{Prng, scale};
use spinward_engine::words::Nanos;

/// How commands lie in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrivals {
    /// Each the same time after the one before: the load of a latency measurement.
    Even,
    /// In clusters, all the time.
    Clusters,
    /// In clusters for a while, then quiet for a while.
    Bursts {
        /// Mean length of a quiet stretch, 1 ms to 1 h.
        quiet: Nanos,
        /// Mean length of an active stretch, 1 ms to 1 h.
        active: Nanos,
    },
}

impl Arrivals {
    pub(crate) fn is_valid(&self) -> bool {
        let range = 1_000_000..=3_600_000_000_000;
        match self {
            Self::Even | Self::Clusters => true,
            Self::Bursts { quiet, active } => range.contains(&quiet.get()) && range.contains(&active.get()),
        }
    }
}

/// A quiet stretch has this part of the mean rate.
const QUIET_PART: u64 = 256;
const SECOND: u64 = 1_000_000_000;

/// One command's time.
pub(super) struct Arrival {
    /// Nanoseconds after the one before.
    pub(super) gap: u64,
    /// Whether it begins a cluster (or stands alone).
    pub(super) is_first: bool,
}

/// The process.
pub(super) enum Process {
    /// Mean gap in 1/2^32 ns, and what was rounded off so far; a cluster is so many in the mean.
    Even { gap: u64, rounded: u64, burst: u32 },
    /// `left` are to come in the present cluster.
    Clustered { clusters: Clusters, stretches: Option<Stretches>, left: u64 },
}

/// Clusters while there are any.
pub(super) struct Clusters {
    /// Mean gap between two, in ns.
    between: u64,
    /// Mean number of commands behind the first.
    others: u64,
    /// The longest gap inside, as a power of two; 0 if there is no time inside.
    powers: u32,
}

/// Active and quiet stretches in turn, in ns.
pub(super) struct Stretches {
    quiet: u64,
    active: u64,
    quiet_gap: u64,
    is_active: bool,
    /// Of the present one.
    left: u64,
}

impl Clusters {
    /// With this mean gap between commands, in 1/1024 ns.
    fn new(gap: u128, burst: u32) -> Self {
        let others = u64::from(burst) - 1;
        // A gap is below 2^41 ns, so in 1/1024 ns times a burst of 10^6 below 2^71, and a whole cluster's time below 2^61.
        let whole = u64::try_from((gap * u128::from(burst)) >> 10).unwrap_or(u64::MAX);
        let spent = |powers: &u32| mean_of_gaps(*powers) * others;
        let powers = (2..=33).rev().find(|powers| spent(powers) <= whole / 8).unwrap_or(0);
        Self { between: whole.saturating_sub(spent(&powers)), others, powers }
    }

    /// How many commands a new cluster has behind the first. What is rounded down is half a command in the mean.
    #[inline]
    fn size(&self, prng: &mut Prng) -> u64 {
        if self.others == 0 { 0 } else { prng.wait((self.others << 10) + 512) >> 10 }
    }
}

impl Stretches {
    /// Time to the next command or cluster. A gap that outlasts its stretch is drawn anew from where the next stretch begins: waiting has no memory.
    fn wait(&mut self, between: u64, prng: &mut Prng) -> u64 {
        let mut passed = 0;
        loop {
            let gap = prng.wait(if self.is_active { between } else { self.quiet_gap });
            if gap <= self.left {
                self.left -= gap;
                return passed + gap;
            }
            passed += self.left;
            self.is_active = !self.is_active;
            self.left = prng.wait(if self.is_active { self.active } else { self.quiet });
        }
    }
}

impl Process {
    /// So many commands a second in the long-run mean, and so many in the mean cluster.
    pub(super) fn new(arrivals: &Arrivals, rate: u32, burst: u32) -> Self {
        let (rate, burst) = (u64::from(rate.max(1)), burst.max(1));
        let clustered =
            |gap, stretches| Self::Clustered { clusters: Clusters::new(gap, burst), stretches, left: 0 };
        match *arrivals {
            // 1e9 · 2^32 < 2^62
            Arrivals::Even => Self::Even { gap: (SECOND << 32) / rate, rounded: 0, burst },
            Arrivals::Clusters => clustered(u128::from((SECOND << 10) / rate), None),
            Arrivals::Bursts { quiet, active } => {
                let (quiet, active) = (quiet.get().unsigned_abs(), active.get().unsigned_abs());
                let quiet_gap = SECOND * QUIET_PART / rate;
                // Commands of a mean cycle of both stretches, less those of the quiet one, are the active one's: spans are
                // < 2^42, the product with the rate < 2^69.
                let cycle = u128::from(quiet + active) * u128::from(rate) / u128::from(SECOND);
                let in_active = cycle.saturating_sub(u128::from(quiet / quiet_gap)).max(1);
                // The session begins with an active stretch of mean length.
                let stretches = Stretches { quiet, active, quiet_gap, is_active: true, left: active };
                clustered((u128::from(active) << 10) / in_active, Some(stretches))
            }
        }
    }

    /// The next command's time.
    #[inline]
    pub(super) fn next(&mut self, prng: &mut Prng) -> Arrival {
        match self {
            Self::Even { gap, rounded, burst } => {
                let exact = *gap + *rounded;
                *rounded = exact & 0xffff_ffff;
                Arrival { gap: exact >> 32, is_first: prng.below(*burst) == 0 }
            }
            Self::Clustered { clusters, stretches, left } => {
                if *left > 0 {
                    *left -= 1;
                    let gap = gap_inside(prng.bits(), clusters.powers);
                    if let Some(stretches) = stretches {
                        stretches.left = stretches.left.saturating_sub(gap);
                    }
                    return Arrival { gap, is_first: false };
                }
                let (gap, is_active) = match stretches {
                    Some(stretches) => (stretches.wait(clusters.between, prng), stretches.is_active),
                    None => (prng.wait(clusters.between), true),
                };
                if is_active {
                    *left = clusters.size(prng);
                }
                Arrival { gap, is_first: true }
            }
        }
    }
}

/// The shortest gap inside a cluster is 2 to the power of this, or of half the longest one's.
const SHORTEST: u32 = 12;

/// A gap in ns whose logarithm is even from the shortest to 2^`powers` (linear between the powers).
fn gap_inside(bits: u64, powers: u32) -> u64 {
    if powers == 0 {
        return 0;
    }
    let lowest = SHORTEST.min(powers / 2);
    let power = lowest + scale(bits & 0xffff_ffff, powers - lowest);
    (1 << power) + (bits >> 24 & ((1 << power) - 1))
}

/// The mean of [`gap_inside`]: that of each power of two p is 1.5 · 2^p.
fn mean_of_gaps(powers: u32) -> u64 {
    if powers == 0 {
        return 0;
    }
    let lowest = SHORTEST.min(powers / 2);
    ((1 << powers) - (1 << lowest)) * 3 / 2 / u64::from(powers - lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate_of(arrivals: &Arrivals, rate: u32, burst: u32) -> f64 {
        let mut prng = Prng::new(5);
        let mut process = Process::new(arrivals, rate, burst);
        let commands = 10_000_000;
        let nanos: u64 = (0..commands).map(|_| process.next(&mut prng).gap).sum();
        f64::from(commands) * 1e9 / nanos as f64
    }

    #[test]
    fn the_long_run_mean_is_the_configured_rate() {
        let bursts = |quiet, active| Arrivals::Bursts {
            quiet: Nanos::from_micros(quiet),
            active: Nanos::from_micros(active),
        };
        // At high rates ten million commands are few stretches: shorter ones.
        let cases = [
            (Arrivals::Clusters, 100, 24, 0.02),
            (Arrivals::Clusters, 10_000, 24, 0.02),
            (Arrivals::Clusters, 1_000_000, 24, 0.02),
            (Arrivals::Clusters, 50_000_000, 24, 0.1),
            (bursts(600_000, 200_000), 1, 60, 0.15),
            (bursts(600_000, 200_000), 1_000, 60, 0.15),
            (bursts(600_000, 200_000), 20_000, 60, 0.15),
            (bursts(6_000, 2_000), 1_000_000, 60, 0.15),
            (bursts(6_000, 2_000), 5_000_000, 60, 0.15),
            (bursts(6_000, 2_000), 1_000_000, 1, 0.15),
            (Arrivals::Even, 1, 60, 1e-5),
            (Arrivals::Even, 3, 60, 1e-5),
            (Arrivals::Even, 1_000_000, 60, 1e-5),
            (Arrivals::Even, 50_000_000, 60, 1e-5),
        ];
        for (arrivals, rate, burst, tolerance) in cases {
            let got = rate_of(&arrivals, rate, burst);
            assert!((got / f64::from(rate) - 1.0).abs() < tolerance, "{got} for {rate}, {arrivals:?}");
        }
    }

    #[test]
    fn clusters_have_their_mean_size_however_they_lie_in_time() {
        let bursts = Arrivals::Bursts { quiet: Nanos::from_millis(6), active: Nanos::from_millis(2) };
        for arrivals in [Arrivals::Even, Arrivals::Clusters, bursts] {
            let mut prng = Prng::new(5);
            let mut process = Process::new(&arrivals, 100_000, 40);
            let firsts = (0..1_000_000).filter(|_| process.next(&mut prng).is_first).count();
            let mean = 1_000_000 / firsts;
            assert!((35..=43).contains(&mean), "{mean} for {arrivals:?}");
        }
    }
}
