//! [`Waits`]: how long packets waited, as a histogram that one thread writes and any thread reads.

use spinward_engine::counters::Counter;
use spinward_engine::words::Nanos;

/// Buckets for each doubling: a bucket's bound is at most a quarter above the values in it.
const PER_DOUBLING: usize = 4;

/// Up to 2^36 ns, over a minute; what is longer counts as that.
const BUCKETS: usize = 36 * PER_DOUBLING;

/// Counts by length. One writer.
#[derive(Debug)]
pub struct Waits {
    buckets: [Counter; BUCKETS],
}

impl Default for Waits {
    fn default() -> Self {
        Self { buckets: [const { Counter::new() }; BUCKETS] }
    }
}

impl Waits {
    /// Counts one. A negative one (two clocks, or one that was set) counts as none.
    #[inline]
    pub fn record(&self, wait: Nanos) {
        if let Some(bucket) = self.buckets.get(bucket_of(wait.get().max(0) as u64)) {
            bucket.add(1);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Counter::value).sum()
    }

    /// The bound, in nanoseconds, that this share (0 to 1) of them does not pass; `None` without any.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let count = self.count();
        // Exact below 2^53.
        let rank = ((share * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        let index = self.buckets.iter().position(|bucket| {
            seen += bucket.value();
            seen >= rank
        });
        index.filter(|_| count > 0).map(bound_of)
    }
}

/// Of a length in nanoseconds: the doubling, and the quarter of it.
const fn bucket_of(nanos: u64) -> usize {
    let nanos = if nanos < PER_DOUBLING as u64 { PER_DOUBLING as u64 } else { nanos };
    let doubling = 63 - nanos.leading_zeros() as usize;
    let quarter = (nanos >> (doubling - 2)) as usize & (PER_DOUBLING - 1);
    let index = doubling * PER_DOUBLING + quarter;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// The largest length of a bucket.
const fn bound_of(index: usize) -> u64 {
    let (doubling, quarter) = (index / PER_DOUBLING, (index % PER_DOUBLING) as u64);
    if doubling < 2 {
        return PER_DOUBLING as u64 - 1;
    }
    ((PER_DOUBLING as u64 + quarter + 1) << (doubling - 2)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_at_most_a_quarter_above_the_value_of_its_rank(
            mut values in proptest::collection::vec(4u64..(1 << 36), 1..200), share in 0.0f64..=1.0,
        ) {
            let waits = Waits::default();
            values.iter().for_each(|value| waits.record(Nanos::new(*value as i64)));
            values.sort_unstable();
            let rank = ((share * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let (exact, found) = (values[rank - 1], waits.quantile(share).unwrap());
            prop_assert!(found >= exact && found <= exact + exact / 4, "{exact} {found}");
            prop_assert_eq!(waits.count(), values.len() as u64);
        }
    }

    #[test]
    fn without_a_packet_there_is_no_quantile_and_nonsense_counts_as_none() {
        let waits = Waits::default();
        assert_eq!(waits.quantile(0.5), None);
        waits.record(Nanos::new(-5));
        waits.record(Nanos::MAX);
        assert_eq!((waits.quantile(0.5), waits.count()), (Some(4), 2));
        assert!(waits.quantile(1.0).unwrap() > 60_000_000_000);
    }
}
