//! [`Limiter`]: the venue's own rule on messages. What does not fit is refused, never queued; the last of the room is kept for cancels.

use spinward_engine::words::Nanos;
use std::collections::VecDeque;

/// The venue's rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitRule {
    /// At most so many messages in any span of time.
    Window {
        /// Messages, 1–1,000,000.
        messages: u32,
        /// The span, greater than zero.
        span: Nanos,
    },
    /// A bucket of tokens, one a message, that fills evenly.
    Bucket {
        /// Tokens a second, 1–1,000,000.
        per_second: u32,
        /// Most tokens, 1–1,000,000.
        burst: u32,
    },
}

/// The rule, and what of it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimiterConfig {
    /// Default: 1,000 messages in any second.
    pub rule: LimitRule,
    /// Messages that only cancels (and questions to the venue) may use; below what the rule lets through at once. Default 100.
    pub reserve: u32,
}

impl Default for LimiterConfig {
    fn default() -> Self {
        Self { rule: LimitRule::Window { messages: 1_000, span: Nanos::from_secs(1) }, reserve: 100 }
    }
}

/// Largest number of messages or tokens.
pub const LIMIT_MAX: u32 = 1_000_000;

/// A rule that cannot be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LimiterConfigError {
    /// Out of range.
    #[error("the limit is {0}; give 1 to {LIMIT_MAX}")]
    Messages(u32),
    /// Zero or negative.
    #[error("the limit's span must be greater than zero")]
    Span,
    /// Nothing would be left for orders.
    #[error("{reserve} messages are kept for cancels, the limit is {most}: no order could leave")]
    Reserve {
        /// Kept.
        reserve: u32,
        /// All there are.
        most: u32,
    },
}

#[derive(Debug)]
enum State {
    Window {
        sent: VecDeque<Nanos>,
        most: usize,
        span: Nanos,
    },
    /// In billionths of a token: nanoseconds times tokens a second.
    Bucket {
        level: i128,
        most: i128,
        per_second: i128,
        at: Option<Nanos>,
    },
}

const TOKEN: i128 = 1_000_000_000;

/// Counts what leaves. Times given must not go back; one that does is read as no time passing.
#[derive(Debug)]
pub struct Limiter {
    state: State,
    reserve: u32,
}

impl Limiter {
    /// Full.
    ///
    /// # Errors
    /// [`LimiterConfigError`].
    pub fn new(config: LimiterConfig) -> Result<Self, LimiterConfigError> {
        let (most, state) = match config.rule {
            LimitRule::Window { messages, span } => {
                if span <= Nanos::ZERO {
                    return Err(LimiterConfigError::Span);
                }
                let most = messages as usize;
                let sent = VecDeque::with_capacity(most.min(LIMIT_MAX as usize));
                (messages, State::Window { sent, most, span })
            }
            LimitRule::Bucket { per_second, burst } => {
                if !(1..=LIMIT_MAX).contains(&per_second) {
                    return Err(LimiterConfigError::Messages(per_second));
                }
                let most = i128::from(burst) * TOKEN;
                (burst, State::Bucket { level: most, most, per_second: per_second.into(), at: None })
            }
        };
        if !(1..=LIMIT_MAX).contains(&most) {
            return Err(LimiterConfigError::Messages(most));
        }
        if config.reserve >= most {
            return Err(LimiterConfigError::Reserve { reserve: config.reserve, most });
        }
        Ok(Self { state, reserve: config.reserve })
    }

    /// Messages that may leave now.
    pub fn room(&mut self, now: Nanos) -> u32 {
        match &mut self.state {
            State::Window { sent, most, span } => {
                // One that left exactly a span ago is out of it.
                while sent.front().is_some_and(|at| at.after(*span) <= now) {
                    sent.pop_front();
                }
                (*most - sent.len()) as u32 // at most LIMIT_MAX
            }
            State::Bucket { level, most, per_second, at } => {
                let passed = at.map_or(0, |at| now.since(at).get().max(0));
                // |i64|·2^20 < 2^84
                *level = (*level + i128::from(passed) * *per_second).min(*most);
                *at = Some(at.map_or(now, |at| at.max(now)));
                u32::try_from(*level / TOKEN).unwrap_or(0)
            }
        }
    }

    /// Takes room for one message, if there is. An order leaves the reserve alone.
    pub fn take(&mut self, now: Nanos, may_use_reserve: bool) -> bool {
        let least = if may_use_reserve { 0 } else { self.reserve };
        if self.room(now) <= least {
            return false;
        }
        match &mut self.state {
            State::Window { sent, .. } => {
                let at = sent.back().map_or(now, |last| now.max(*last));
                sent.push_back(at);
            }
            State::Bucket { level, .. } => *level -= TOKEN,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(messages: u32, millis: i64, reserve: u32) -> Limiter {
        let span = Nanos::from_millis(millis);
        Limiter::new(LimiterConfig { rule: LimitRule::Window { messages, span }, reserve }).unwrap()
    }

    #[test]
    fn orders_leave_the_reserve_to_cancels_and_a_message_makes_room_a_span_later() {
        let mut limiter = window(3, 10, 1);
        let at = Nanos::from_millis;
        assert!(limiter.take(at(0), false) && limiter.take(at(1), false));
        assert!(!limiter.take(at(2), false), "the last one is kept");
        assert!(limiter.take(at(2), true) && !limiter.take(at(2), true));
        assert!(!limiter.take(Nanos::new(9_999_999), true));
        assert!(limiter.take(at(10), true), "the first left a span ago");
    }

    #[test]
    fn a_bucket_fills_evenly_up_to_its_burst() {
        let rule = LimitRule::Bucket { per_second: 1_000, burst: 2 };
        let mut limiter = Limiter::new(LimiterConfig { rule, reserve: 0 }).unwrap();
        let at = |micros: i64| Nanos::new(micros * 1_000);
        assert!(limiter.take(at(0), false) && limiter.take(at(0), false) && !limiter.take(at(999), false));
        assert!(limiter.take(at(1_000), false) && !limiter.take(at(1_500), false));
        assert_eq!(limiter.room(at(1_000_000)), 2);
    }

    #[test]
    fn rules_that_cannot_be_kept_are_refused() {
        let refused = |rule, reserve| Limiter::new(LimiterConfig { rule, reserve }).map(|_| ()).unwrap_err();
        let window = |messages, span| LimitRule::Window { messages, span };
        assert_eq!(refused(window(0, Nanos::from_secs(1)), 0), LimiterConfigError::Messages(0));
        assert_eq!(refused(window(5, Nanos::ZERO), 0), LimiterConfigError::Span);
        assert_eq!(
            refused(window(5, Nanos::from_secs(1)), 5),
            LimiterConfigError::Reserve { reserve: 5, most: 5 }
        );
        assert_eq!(
            refused(LimitRule::Bucket { per_second: 0, burst: 1 }, 0),
            LimiterConfigError::Messages(0)
        );
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_rule_says(
            steps in proptest::collection::vec((0i64..8, any::<bool>()), 0..200),
            messages in 1u32..6,
            span in 1i64..20,
        ) {
            let mut limiter = window(messages, span, 0);
            let (mut now, mut sent) = (0, Vec::new());
            for (wait, may_use_reserve) in steps {
                now += wait;
                if limiter.take(Nanos::from_millis(now), may_use_reserve) {
                    sent.push(now);
                }
                let within = sent.iter().filter(|at| **at > now - span).count();
                prop_assert!(within <= messages as usize);
            }
        }

        #[test]
        fn a_bucket_never_lets_more_through_than_burst_and_rate(
            steps in proptest::collection::vec(0i64..3_000, 0..200),
        ) {
            let rule = LimitRule::Bucket { per_second: 1_000, burst: 5 };
            let mut limiter = Limiter::new(LimiterConfig { rule, reserve: 0 }).unwrap();
            let (mut now, mut sent) = (0i64, 0i64);
            for wait in steps {
                now += wait;
                sent += i64::from(limiter.take(Nanos::new(now * 1_000), true));
                prop_assert!(sent <= 5 + now / 1_000);
            }
        }
    }
}
