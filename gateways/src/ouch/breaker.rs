//! [`Breaker`]: stops sending orders to a venue that does not answer as it should, and tries again by a question that costs nothing.
//!
//! ```text
//!  Closed ── failures_max failures within failures_within ──▶ Open ── open_for ──▶ HalfOpen (a question is sent)
//!     ▲                                                         ▲                       │
//!     └──────────────── the question is answered ───────────────┼───────────────────────┤
//!                                                               └─ no answer: twice as long, up to open_max
//! ```

use spinward_engine::words::Nanos;
use std::collections::VecDeque;

/// When it opens, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerConfig {
    /// Failures that open it, 1–1,000: messages without an answer in time, rejects for reasons of the venue's own, lost connections. Default 5.
    pub failures_max: u32,
    /// … if they come within this span, greater than zero. Default 10 s.
    pub failures_within: Nanos,
    /// How long it stays open the first time, greater than zero. Default 1 s.
    pub open_for: Nanos,
    /// At most so long, however often. Default 30 s.
    pub open_max: Nanos,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures_max: 5,
            failures_within: Nanos::from_secs(10),
            open_for: Nanos::from_secs(1),
            open_max: Nanos::from_secs(30),
        }
    }
}

/// A breaker that cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BreakerConfigError {
    /// Out of range.
    #[error("the breaker's failures are {0}; give 1 to 1000")]
    Failures(u32),
    /// Zero or negative, or the longest shorter than the first.
    #[error("the breaker's times must be greater than zero, and open_max at least open_for")]
    Times,
}

/// Where it is.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BreakerState {
    /// Orders leave.
    Closed = 0,
    /// None does.
    Open = 1,
    /// None does yet; a question is under way.
    HalfOpen = 2,
}

/// The state machine. Times given must not go back.
#[derive(Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: BreakerState,
    failures: VecDeque<Nanos>,
    until: Nanos,
    open_for: Nanos,
    opened: u64,
}

impl Breaker {
    /// Closed.
    ///
    /// # Errors
    /// [`BreakerConfigError`].
    pub fn new(config: BreakerConfig) -> Result<Self, BreakerConfigError> {
        if !(1..=1_000).contains(&config.failures_max) {
            return Err(BreakerConfigError::Failures(config.failures_max));
        }
        if config.failures_within <= Nanos::ZERO
            || config.open_for <= Nanos::ZERO
            || config.open_max < config.open_for
        {
            return Err(BreakerConfigError::Times);
        }
        Ok(Self {
            state: BreakerState::Closed,
            failures: VecDeque::with_capacity(config.failures_max as usize),
            until: Nanos::MAX,
            open_for: config.open_for,
            opened: 0,
            config,
        })
    }

    /// Where it is.
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// How often it opened.
    pub const fn opened(&self) -> u64 {
        self.opened
    }

    /// The venue did not do as it should.
    pub fn failed(&mut self, now: Nanos) {
        match self.state {
            BreakerState::Closed => {
                while self.failures.front().is_some_and(|at| at.after(self.config.failures_within) <= now) {
                    self.failures.pop_front();
                }
                self.failures.push_back(now);
                if self.failures.len() >= self.config.failures_max as usize {
                    self.open(now);
                }
            }
            BreakerState::HalfOpen => {
                let doubled = Nanos::new(self.open_for.get().saturating_mul(2));
                self.open_for = doubled.min(self.config.open_max);
                self.open(now);
            }
            BreakerState::Open => {}
        }
    }

    fn open(&mut self, now: Nanos) {
        self.state = BreakerState::Open;
        self.failures.clear();
        self.until = now.after(self.open_for);
        self.opened += 1;
    }

    /// Time passed. True if the question is to be sent now: answer by [`Breaker::answered`] or [`Breaker::failed`].
    pub fn on_time(&mut self, now: Nanos, can_ask: bool) -> bool {
        let is_due = self.state == BreakerState::Open && now >= self.until && can_ask;
        if is_due {
            self.state = BreakerState::HalfOpen;
        }
        is_due
    }

    /// The venue answered a question.
    pub fn answered(&mut self) {
        if self.state == BreakerState::HalfOpen {
            self.state = BreakerState::Closed;
            self.open_for = self.config.open_for;
            self.until = Nanos::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(BreakerConfig {
            failures_max: 3,
            failures_within: Nanos::from_secs(10),
            open_for: Nanos::from_secs(1),
            open_max: Nanos::from_secs(3),
        })
        .unwrap()
    }

    #[test]
    fn it_opens_on_failures_close_together_and_closes_when_a_question_is_answered() {
        let (mut breaker, at) = (breaker(), Nanos::from_secs);
        for second in [0, 6, 12, 18] {
            breaker.failed(at(second));
        }
        assert_eq!(breaker.state(), BreakerState::Closed, "never three within ten seconds");
        breaker.failed(at(19));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(!breaker.on_time(Nanos::from_millis(19_999), true));
        assert!(!breaker.on_time(at(20), false), "nobody to ask");
        assert!(breaker.on_time(at(20), true) && !breaker.on_time(at(20), true), "asked once");
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.answered();
        assert_eq!((breaker.state(), breaker.opened()), (BreakerState::Closed, 1));
        breaker.failed(at(21));
        assert_eq!(breaker.state(), BreakerState::Closed, "it counts anew");
    }

    #[test]
    fn a_question_without_an_answer_opens_it_for_twice_as_long_up_to_the_longest() {
        let (mut breaker, at) = (breaker(), Nanos::from_secs);
        (0..3).for_each(|_| breaker.failed(at(0)));
        for (ask, next) in [(1, 3), (3, 6), (6, 9)] {
            assert!(breaker.on_time(at(ask), true));
            breaker.failed(at(ask));
            assert!(!breaker.on_time(Nanos::from_millis(next * 1_000 - 1), true), "{ask}");
        }
        assert!(breaker.on_time(at(9), true));
        breaker.answered();
        (0..3).for_each(|_| breaker.failed(at(9)));
        assert!(breaker.on_time(at(10), true), "after a success it begins anew");
    }
}
