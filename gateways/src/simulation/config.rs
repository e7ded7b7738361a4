//! [`SimulationConfig`]: pace, length and bounds of a simulated session.

use crate::paper::{PaperConfig, PaperConfigError};
use spinward_engine::words::{MESSAGE_BYTES_MAX, Nanos};

/// How fast simulated time runs against the clock on the wall. It never changes a frame, only when it enters.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Pace {
    /// As recorded.
    Realtime,
    /// `numerator / denominator` times as fast as recorded; both greater than zero.
    Times {
        /// Simulated time …
        numerator: u32,
        /// … per time on the wall.
        denominator: u32,
    },
    /// As fast as the engine takes it.
    #[default]
    Max,
}

/// The settings of a simulated session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimulationConfig {
    /// Default: `Max`.
    pub pace: Pace,
    /// The market ends this long after its first message (messages at or after that instant do not enter); `None`: with the feed.
    /// Greater than zero. Default `None`.
    pub duration: Option<Nanos>,
    /// Simulated time between timer ticks, nanoseconds, greater than zero. Default 100 ms.
    pub timer_interval: Nanos,
    /// From a refusal by risk to the strategy's hearing of it, nanoseconds, greater than zero. Part of the look-ahead: shorter than the
    /// way to the venue and back, it lets the feed run ahead less. Default 1 ms.
    pub refusal_latency: Nanos,
    /// How long after the end of the market messages of ours are still answered, simulated nanoseconds. Default 5 s.
    pub drain: Nanos,
    /// Most messages that have entered and that the engine has not done, 1–1,048,576. Give as many as the ingress ring has slots.
    /// Default 65,536.
    pub messages_under_way_max: usize,
    /// Most refusals under way, 1–1,048,576; more end the session with an error. Default 65,536.
    pub refusals_max: usize,
    /// Most market messages that the venue has yet to see, 1–1,048,576. Default 65,536.
    pub backlog_messages_max: usize,
    /// Their bytes; at least [`MESSAGE_BYTES_MAX`], at most 1 GiB. Default 8 MiB.
    pub backlog_bytes_max: usize,
}

impl Default for SimulationConfig {
    fn default() -> Self {
        Self {
            pace: Pace::Max,
            duration: None,
            timer_interval: Nanos::from_millis(100),
            refusal_latency: Nanos::from_millis(1),
            drain: Nanos::from_secs(5),
            messages_under_way_max: 65_536,
            refusals_max: 65_536,
            backlog_messages_max: 65_536,
            backlog_bytes_max: 8 << 20,
        }
    }
}

impl SimulationConfig {
    /// The shortest time from a decision to a frame that it can cause.
    pub fn look_ahead(&self, venue: &PaperConfig) -> Nanos {
        venue.answer_after_min().min(self.refusal_latency)
    }

    /// # Errors
    /// [`SimulationError`] for a value outside of its range.
    pub(super) fn check(&self) -> Result<(), SimulationError> {
        if let Pace::Times { numerator, denominator } = self.pace
            && (numerator == 0 || denominator == 0)
        {
            return Err(SimulationError::Pace);
        }
        if self.duration.is_some_and(|span| span <= Nanos::ZERO) {
            return Err(SimulationError::NotPositive { name: "duration" });
        }
        if self.timer_interval <= Nanos::ZERO {
            return Err(SimulationError::NotPositive { name: "timer_interval" });
        }
        if self.refusal_latency <= Nanos::ZERO {
            return Err(SimulationError::NotPositive { name: "refusal_latency" });
        }
        if self.drain < Nanos::ZERO {
            return Err(SimulationError::NotPositive { name: "drain" });
        }
        let sizes = [
            ("messages_under_way_max", self.messages_under_way_max, 1, 1 << 20),
            ("refusals_max", self.refusals_max, 1, 1 << 20),
            ("backlog_messages_max", self.backlog_messages_max, 1, 1 << 20),
            ("backlog_bytes_max", self.backlog_bytes_max, MESSAGE_BYTES_MAX, 1 << 30),
        ];
        for (name, found, least, most) in sizes {
            if !(least..=most).contains(&found) {
                return Err(SimulationError::Size { name, found, least, most });
            }
        }
        Ok(())
    }
}

/// Why a simulation cannot start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SimulationError {
    /// A pace of nothing.
    #[error(
        "simulation: `pace` needs a numerator and a denominator greater than zero; give `max` to run unpaced"
    )]
    Pace,
    /// A span that must be greater than zero.
    #[error("simulation: `{name}` must be greater than zero nanoseconds")]
    NotPositive {
        /// Which.
        name: &'static str,
    },
    /// A bound outside of its range.
    #[error("simulation: `{name}` is {found}; give {least} to {most}")]
    Size {
        /// Which.
        name: &'static str,
        /// What was given.
        found: usize,
        /// The smallest allowed.
        least: usize,
        /// The largest allowed.
        most: usize,
    },
    /// The venue refuses an open order of the earlier session.
    #[error(transparent)]
    Venue(#[from] PaperConfigError),
}
