//! [`Backoff`]: how long to wait before the next attempt to connect.

use spinward_engine::words::Nanos;

/// Waiting times of a [`Backoff`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BackoffConfig {
    /// The first wait, at most. Default 100 ms.
    pub first: Nanos,
    /// No wait is longer. Default 10 s.
    pub longest: Nanos,
    /// Attempts in a row that may fail; 0: no limit. Default 0.
    pub attempts_max: u32,
    /// Seed of the jitter. Give every client another, or all come back at once.
    pub seed: u64,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { first: Nanos::from_millis(100), longest: Nanos::from_secs(10), attempts_max: 0, seed: 0 }
    }
}

/// Doubling waits; each is between half and the whole of its step, drawn from the seed.
#[derive(Clone, Debug)]
pub struct Backoff {
    config: BackoffConfig,
    failures: u32,
    state: u64,
}

impl Backoff {
    /// Before the first failure.
    pub const fn new(config: BackoffConfig) -> Self {
        Self { config, failures: 0, state: config.seed }
    }

    /// Failures since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// An attempt succeeded: the next wait is a first one.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// An attempt failed. The wait before the next; `None` if there have been too many.
    pub fn failed(&mut self) -> Option<Nanos> {
        let step = self
            .config
            .first
            .get()
            .max(1)
            .checked_shl(self.failures.min(62))
            // A shift into or past the sign is longer than the longest.
            .filter(|step| *step > 0 && *step >> self.failures.min(62) == self.config.first.get().max(1))
            .unwrap_or(i64::MAX)
            .min(self.config.longest.get().max(1));
        self.failures = self.failures.saturating_add(1);
        if self.config.attempts_max != 0 && self.failures >= self.config.attempts_max {
            return None;
        }
        let half = step / 2;
        // bits < 2^63, half + 1 > 0
        let jitter = (self.bits() >> 1) as i64 % (half + 1);
        Some(Nanos::new(step - half + jitter))
    }

    /// splitmix64 (Steele, Lea, Flood 2014).
    const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_double_within_their_bounds_and_never_pass_the_longest(
            first in 1i64..1_000_000_000, // << 90 fits an i128
            longest in 1i64..100_000_000_000,
            seed: u64,
        ) {
            let config = BackoffConfig {
                first: Nanos::new(first), longest: Nanos::new(longest), attempts_max: 0, seed,
            };
            let (mut backoff, mut again) = (Backoff::new(config), Backoff::new(config));
            for failure in 0..90u32 {
                let wait = backoff.failed().unwrap().get();
                let step = (i128::from(first) << failure).min(i128::from(longest)) as i64;
                prop_assert!(step - step / 2 <= wait && wait <= step, "{} of {}", wait, step);
                prop_assert_eq!(again.failed(), Some(Nanos::new(wait)));
            }
        }
    }

    #[test]
    fn after_the_last_attempt_there_is_no_wait_and_a_success_begins_anew() {
        let mut backoff = Backoff::new(BackoffConfig { attempts_max: 3, ..BackoffConfig::default() });
        assert!(backoff.failed().is_some() && backoff.failed().is_some());
        assert_eq!(backoff.failed(), None);
        backoff.reset();
        assert!(backoff.failed().unwrap() <= BackoffConfig::default().first);
    }

    #[test]
    fn different_seeds_wait_differently() {
        let wait = |seed| Backoff::new(BackoffConfig { seed, ..BackoffConfig::default() }).failed();
        assert_ne!(wait(1), wait(2));
    }
}
