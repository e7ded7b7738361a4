//! [`PaperConfig`]: how far away the venue is, how it fails, and how much it holds.

use spinward_engine::words::Nanos;

/// The time a message is under way: a fixed part and a uniform jitter on top.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Latency {
    /// The shortest time, nanoseconds.
    pub base: Nanos,
    /// At most this much more, drawn from the seed, nanoseconds. 0: always `base`.
    pub jitter: Nanos,
}

impl Latency {
    /// Always the same.
    pub const fn fixed(base: Nanos) -> Self {
        Self { base, jitter: Nanos::ZERO }
    }
}

/// The paper venue's settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaperConfig {
    /// Decision to act of a new order. Default 500 µs + 0–100 µs.
    pub place: Latency,
    /// Decision to act of a cancel. Measured apart from `place`: at one broker 20 ms against 202 ms, and the sign of a
    /// backtest depends on it. Default 500 µs + 0–100 µs.
    pub cancel: Latency,
    /// Decision to act of a replace. Default 500 µs + 0–100 µs.
    pub replace: Latency,
    /// Act of the venue to our hearing of it; `base` at least 1 ns, so that no report arrives with what caused it. Default 500 µs + 0–100 µs.
    pub report: Latency,
    /// Cancels travel on a session of their own: they overtake other orders' messages (never the message that made their own
    /// order). Needed where `cancel` is much shorter than `place`, else they wait behind the places. Default false.
    pub cancels_apart: bool,
    /// Seed of jitter and faults. Default 1.
    pub seed: u64,
    /// How many of a million new orders and replaces are refused with `Simulated`, 0–1,000,000. Default 0.
    pub reject_ppm: u32,
    /// Most orders that rest at once, 1–1,000,000; the next one is refused. Default 4,096.
    pub orders_max: usize,
    /// Most messages of ours under way at once, on each session; more end the simulation with an error. Default 65,536.
    pub messages_max: usize,
    /// Reports under way at once, 1–1,000,000 (those of one more step always fit). When full the market waits for them to be
    /// heard; if it cannot, the simulation ends with an error. Default 65,536.
    pub reports_max: usize,
    /// Most levels whose taken quantity is remembered; when full, levels not yet in it cannot be taken. Default 4,096.
    pub taken_levels_max: usize,
    /// The ids of orders and executions ascend from this number plus one. A resumed session gives one that it has not used. Default 0.
    pub first_id: u64,
}

impl Default for PaperConfig {
    fn default() -> Self {
        let way = Latency { base: Nanos::from_micros(500), jitter: Nanos::from_micros(100) };
        Self {
            place: way,
            cancel: way,
            replace: way,
            report: way,
            cancels_apart: false,
            seed: 1,
            reject_ppm: 0,
            orders_max: 4_096,
            messages_max: 65_536,
            reports_max: 65_536,
            taken_levels_max: 4_096,
            first_id: 0,
        }
    }
}

impl PaperConfig {
    /// The shortest time from a decision to its act.
    pub fn act_after_min(&self) -> Nanos {
        self.place.base.min(self.cancel.base).min(self.replace.base)
    }

    /// The shortest time from a decision to a report that it can cause.
    pub fn answer_after_min(&self) -> Nanos {
        self.act_after_min().after(self.report.base)
    }

    /// # Errors
    /// [`PaperConfigError`] for a value outside of its range.
    pub(crate) fn check(&self) -> Result<(), PaperConfigError> {
        let ways = [
            ("place", self.place),
            ("cancel", self.cancel),
            ("replace", self.replace),
            ("report", self.report),
        ];
        for (name, way) in ways {
            if way.base < Nanos::ZERO || way.jitter < Nanos::ZERO {
                return Err(PaperConfigError::NegativeLatency { name });
            }
            if way.base.after(way.jitter) > LATENCY_MAX {
                return Err(PaperConfigError::LongLatency { name });
            }
        }
        if self.report.base < Nanos::new(1) {
            return Err(PaperConfigError::NoLookAhead);
        }
        if self.reject_ppm > 1_000_000 {
            return Err(PaperConfigError::RejectPpm { found: self.reject_ppm });
        }
        let sizes = [
            ("orders_max", self.orders_max),
            ("messages_max", self.messages_max),
            ("reports_max", self.reports_max),
            ("taken_levels_max", self.taken_levels_max),
        ];
        for (name, found) in sizes {
            if found == 0 || found > COUNT_MAX {
                return Err(PaperConfigError::Size { name, found });
            }
        }
        Ok(())
    }
}

/// No message is under way longer than an hour.
const LATENCY_MAX: Nanos = Nanos::from_secs(3_600);

/// The largest table.
const COUNT_MAX: usize = 1_000_000;

/// Why a [`PaperConfig`] is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PaperConfigError {
    /// A latency is below zero.
    #[error("paper venue: latency `{name}` is negative; give nanoseconds from 0")]
    NegativeLatency {
        /// Which.
        name: &'static str,
    },
    /// A latency is longer than an hour.
    #[error("paper venue: latency `{name}` is longer than an hour with its jitter; give less")]
    LongLatency {
        /// Which.
        name: &'static str,
    },
    /// Nothing keeps a report apart from its cause.
    #[error(
        "paper venue: `report` must be at least 1 ns, or a report would arrive together with what caused it"
    )]
    NoLookAhead,
    /// More than all.
    #[error("paper venue: `reject_ppm` is {found}; give 0 to 1000000")]
    RejectPpm {
        /// What was given.
        found: u32,
    },
    /// A table with no room, or too much.
    #[error("paper venue: `{name}` is {found}; give 1 to 1000000")]
    Size {
        /// Which.
        name: &'static str,
        /// What was given.
        found: usize,
    },
    /// An order of an earlier session cannot be taken over.
    #[error("paper venue: cannot take over open order {order}: {why}")]
    Adopt {
        /// Which.
        order: u64,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
}
