//! [`OuchConfig`]: how to trade at a venue that speaks OUCH 5.0.

use super::breaker::{BreakerConfig, BreakerConfigError};
use super::limiter::{LimiterConfig, LimiterConfigError};
use crate::ouch50::Capacity;
use crate::soup::{Alpha, ClientConfig};
use spinward_engine::words::{
    Nanos, OrderId, Qty, RecoveredKind, RecoveredRecord, Report, StrategyId, Symbol,
};

/// Settings of an order gateway.
#[derive(Clone, Debug)]
pub struct OuchConfig {
    /// The SoupBinTCP session. Its `next_sequence` is not used: the gateway reads the venue's whole stream of the day when it starts.
    pub client: ClientConfig,
    /// Midnight in New York of the session's date: the venue tells times since then.
    pub midnight: Nanos,
    /// For whom orders are. Default principal.
    pub capacity: Capacity,
    /// Most orders at the venue or under way, 1–1,000,000. Default 4,096.
    pub orders_max: usize,
    /// Executions that are remembered to be told once, 1–16,777,216. Default 65,536.
    pub executions_max: usize,
    /// A message without an answer by then is asked about, greater than zero. Default 1 s.
    pub answer_within: Nanos,
    /// Cancelling everything at the end may take so long, greater than zero. Default 5 s.
    pub stop_within: Nanos,
    /// The venue's rule on messages.
    pub limiter: LimiterConfig,
    /// When to stop sending.
    pub breaker: BreakerConfig,
}

impl OuchConfig {
    /// With defaults.
    pub fn new(client: ClientConfig, midnight: Nanos) -> Self {
        Self {
            client,
            midnight,
            capacity: Capacity::Principal,
            orders_max: 4_096,
            executions_max: 65_536,
            answer_within: Nanos::from_secs(1),
            stop_within: Nanos::from_secs(5),
            limiter: LimiterConfig::default(),
            breaker: BreakerConfig::default(),
        }
    }
}

/// How far into the venue's stream an earlier session's journal goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StreamMark {
    /// The venue's session.
    pub session: Alpha<10>,
    /// The last message of which a report is in the journal; 0 if there is none.
    pub sequence: u64,
    /// How many of its reports are.
    pub reports: u32,
}

impl StreamMark {
    /// As it stands in a journal.
    pub fn record(&self) -> RecoveredRecord {
        let [a, b, c, d, e, f, g, h, i, j] = *self.session.bytes();
        RecoveredRecord {
            venue_order: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            order: OrderId::new(u64::from_le_bytes([i, j, 0, 0, 0, 0, 0, 0])),
            number: self.sequence,
            qty: Qty::from_lots(self.reports.into()),
            strategy: StrategyId::NONE,
            kind_number: RecoveredKind::VenueStream as u8,
            ..RecoveredRecord::default()
        }
    }

    /// From a journal; `None` for a record of another kind.
    pub fn of(record: &RecoveredRecord) -> Option<Self> {
        if record.kind() != Some(RecoveredKind::VenueStream) {
            return None;
        }
        let [a, b, c, d, e, f, g, h] = record.venue_order.to_le_bytes();
        let [i, j, ..] = record.order.get().to_le_bytes();
        Some(Self {
            session: Alpha::from_bytes([a, b, c, d, e, f, g, h, i, j]),
            sequence: record.number,
            reports: u32::try_from(record.qty.lots()).ok()?,
        })
    }

    /// A report of this session stands in the journal behind what was there.
    pub fn follow(&mut self, report: &Report) {
        let Some(sequence) = u64::try_from(report.value).ok().filter(|_| !report.is_from_risk()) else {
            return;
        };
        if sequence > self.sequence {
            (self.sequence, self.reports) = (sequence, 1);
        } else if sequence == self.sequence && sequence > 0 {
            self.reports += 1;
        }
    }
}

/// What an earlier session left.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// How far its journal goes; `None`: it never was at this venue.
    pub mark: Option<StreamMark>,
    /// Its records; only the open orders are looked at.
    pub records: Vec<RecoveredRecord>,
}

/// Why a gateway cannot start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OuchConfigError {
    /// Out of range.
    #[error("{name} is {found}; give {least} to {most}")]
    Range {
        /// Which.
        name: &'static str,
        /// What was given.
        found: usize,
        /// Least.
        least: usize,
        /// Most.
        most: usize,
    },
    /// A span that must be greater than zero.
    #[error("{0} must be greater than zero")]
    Span(&'static str),
    /// The limiter's.
    #[error(transparent)]
    Limiter(#[from] LimiterConfigError),
    /// The breaker's.
    #[error(transparent)]
    Breaker(#[from] BreakerConfigError),
    /// An instrument that OUCH cannot name or count.
    #[error("{symbol} cannot be traded by OUCH: {why}")]
    Instrument {
        /// Which.
        symbol: Symbol,
        /// Why.
        why: &'static str,
    },
    /// Open orders were carried over, and not where in the venue's stream they stand.
    #[error(
        "{0} open orders were carried over from a session that was not at this venue: what became of them there cannot be known. Resume it where it was, cancel them there, or begin anew"
    )]
    Elsewhere(usize),
}

impl OuchConfig {
    /// # Errors
    /// [`OuchConfigError`].
    pub(super) fn check(&self) -> Result<(), OuchConfigError> {
        let sizes =
            [("orders_max", self.orders_max, 1_000_000), ("executions_max", self.executions_max, 1 << 24)];
        for (name, found, most) in sizes {
            if !(1..=most).contains(&found) {
                return Err(OuchConfigError::Range { name, found, least: 1, most });
            }
        }
        for (name, span) in [("answer_within", self.answer_within), ("stop_within", self.stop_within)] {
            if span <= Nanos::ZERO {
                return Err(OuchConfigError::Span(name));
            }
        }
        Ok(())
    }
}
