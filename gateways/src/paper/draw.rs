//! Draws that depend on what they are for, not on when they are made.

use super::config::Latency;
use spinward_engine::words::Nanos;

/// What a draw is for: part of its key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Way = 1,
    Fault = 2,
    Report = 3,
}

/// 64 random bits for this key. SplitMix64's finalizer (Steele, Lea & Flood 2014) over each part in turn.
pub(super) fn draw(seed: u64, purpose: Purpose, what: u64, which: u64) -> u64 {
    mix(mix(mix(seed ^ purpose as u64) ^ what) ^ which)
}

fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `0..=below` from 64 random bits: the upper half of the product.
fn scale(bits: u64, below: u64) -> u64 {
    // u64·(u64 + 1) < 2^128 + 2^64, but below is a span of at most an hour.
    ((u128::from(bits) * (u128::from(below) + 1)) >> 64) as u64
}

/// The time under way.
pub(super) fn span(way: Latency, bits: u64) -> Nanos {
    let jitter = u64::try_from(way.jitter.get()).unwrap_or(0);
    way.base.after(Nanos::new(i64::try_from(scale(bits, jitter)).unwrap_or(0)))
}

/// True for `ppm` of a million draws.
pub(super) fn hits(bits: u64, ppm: u32) -> bool {
    scale(bits, 999_999) < u64::from(ppm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_fills_its_range_and_never_leaves_it() {
        let way = Latency { base: Nanos::new(100), jitter: Nanos::new(3) };
        let mut seen = [0u32; 4];
        for order in 0..4_000 {
            let found = span(way, draw(7, Purpose::Way, order, 1)).get();
            seen[usize::try_from(found - 100).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
    }

    #[test]
    fn faults_come_at_their_rate() {
        let count = |ppm| (0..100_000).filter(|&n| hits(draw(1, Purpose::Fault, n, 1), ppm)).count();
        assert_eq!(count(0), 0);
        assert_eq!(count(1_000_000), 100_000);
        assert!((9_500..10_500).contains(&count(100_000)), "{}", count(100_000));
    }
}
