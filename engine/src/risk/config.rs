//! [`RiskConfig`]: the limits, in the units of the words. Read once, at construction.

use crate::words::{InstrumentId, InstrumentTable, Money, Nanos, Price, Qty, StrategyId};

/// Largest [`RiskConfig::open_orders_max`].
pub const OPEN_ORDERS_MAX: usize = 1 << 16;

/// Largest [`RiskConfig::message_rate_max`].
pub const MESSAGE_RATE_MAX: u32 = 1_000_000;

/// Largest [`RiskConfig::fill_memory`].
pub const FILL_MEMORY_MAX: usize = 1 << 22;

/// Largest [`RiskConfig::egress_slots`].
pub const EGRESS_SLOTS_MAX: usize = 1 << 20;

/// How far an order's price may be from the reference price, on either side: the greater of both distances. At least one is not zero.
///
/// Both sides, because a price that is far too passive is as much a sign of a wrong number as one that is far too aggressive
/// (RTS 6, Commission Delegated Regulation (EU) 2017/589, art. 15(1)(a), blocks orders "that do not meet set price parameters", without
/// regard to the side).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Collar {
    /// Millionths of the reference price (10 000 is 1 %). 0: not used.
    pub ppm: u32,
    /// Ticks at the reference price. 0: not used.
    pub ticks: u32,
}

/// Limits of one traded instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InstrumentLimits {
    /// Largest order, in lots. Greater than zero.
    pub order_qty_max: Qty,
    /// Largest notional of an order (|price| × quantity × unit value). Greater than zero.
    pub order_notional_max: Money,
    /// Largest position over all strategies together, long or short, working orders counted in full. Lots, greater than zero.
    pub position_max: Qty,
    /// Distance from the reference price.
    pub collar: Collar,
}

/// What a strategy may do in one instrument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StrategyInstrument {
    /// Which. Must have [`InstrumentLimits`].
    pub instrument: InstrumentId,
    /// Largest position of this strategy, long or short, working orders counted in full. Lots, greater than zero.
    pub position_max: Qty,
}

/// What a strategy may trade. Nothing that is not listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StrategyLimits {
    /// The instruments, each once, in any order.
    pub instruments: Vec<StrategyInstrument>,
}

/// All limits of a session. [`Default`] trades nothing: the lists are empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RiskConfig {
    /// By [`InstrumentId`]; `None` (or past the end) is not traded.
    pub instruments: Vec<Option<InstrumentLimits>>,
    /// By [`StrategyId`].
    pub strategies: Vec<StrategyLimits>,
    /// Most orders open at once, un-acknowledged ones and those to come of a replace included. 1 – 65 536, default 256.
    pub open_orders_max: usize,
    /// Most messages (new, replace, cancel) within the window before a new or a replace is refused. 1 – 1 000 000, default 250.
    pub message_rate_max: u32,
    /// The window, sliding, in receive time of frames. Greater than zero, default 1 s.
    pub message_rate_window: Nanos,
    /// How long an identical new order (strategy, instrument, side, price, quantity) counts as a duplicate. 0 switches this off (ids
    /// are checked all the same), default 1 ms.
    pub duplicate_window: Nanos,
    /// Greatest age of an instrument's last trusted book view. Greater than zero, default 5 s.
    pub stale_after: Nanos,
    /// How many executions are remembered to recognise one that comes twice: exact for the last so many. 1 – 4 194 304, default 65 536.
    pub fill_memory: usize,
    /// Most messages under way at once (sent, not yet answered; refusals included): at most the slots of the egress ring. Up to
    /// 1 048 576, default 1024.
    pub egress_slots: usize,
    /// Slots that only cancels may take. Greater than zero, default 256.
    pub egress_cancel_reserve: usize,
    /// Slots that only cancels and refusals may take. Greater than zero, default 256. New orders and replaces have the rest.
    pub egress_refusal_reserve: usize,
}

impl Default for RiskConfig {
    fn default() -> Self {
        Self {
            instruments: Vec::new(),
            strategies: Vec::new(),
            open_orders_max: 256,
            message_rate_max: 250,
            message_rate_window: Nanos::from_secs(1),
            duplicate_window: Nanos::from_millis(1),
            stale_after: Nanos::from_secs(5),
            fill_memory: 1 << 16,
            egress_slots: 1024,
            egress_cancel_reserve: 256,
            egress_refusal_reserve: 256,
        }
    }
}

/// Why the limits cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RiskConfigError {
    /// A number outside of its range.
    #[error("{what} is {value}: give {range}")]
    Range {
        /// The field.
        what: &'static str,
        /// What it holds.
        value: i64,
        /// What it may hold.
        range: &'static str,
    },
    /// Reserves that leave nothing.
    #[error(
        "egress_slots ({slots}) leaves no slot for orders after egress_cancel_reserve and egress_refusal_reserve ({reserves}): raise it above them"
    )]
    NoOrderSlots {
        /// The field.
        slots: usize,
        /// The sum of both reserves.
        reserves: usize,
    },
    /// Limits for an instrument that cannot be traded.
    #[error(
        "instrument {instrument} has limits but no trading terms (tick, multiplier, calendar): configure them or take the limits away"
    )]
    NoTerms {
        /// Which.
        instrument: InstrumentId,
    },
    /// A limit that must be greater than zero is not.
    #[error("instrument {instrument}: {what} must be greater than zero")]
    NotPositive {
        /// Which.
        instrument: InstrumentId,
        /// The field.
        what: &'static str,
    },
    /// `lot × multiplier` rounds to zero or is beyond 9.2e9, so no money can be counted.
    #[error("instrument {instrument}: lot × multiplier must lie between 1e-9 and 9.2e9")]
    UnitValue {
        /// Which.
        instrument: InstrumentId,
    },
    /// A strategy is allowed an instrument that has no limits.
    #[error("strategy {strategy} may trade instrument {instrument}, which has no limits: give it some")]
    NoLimits {
        /// Whose.
        strategy: StrategyId,
        /// Which.
        instrument: InstrumentId,
    },
    /// An instrument is listed twice.
    #[error("strategy {strategy} lists instrument {instrument} twice")]
    ListedTwice {
        /// Whose.
        strategy: StrategyId,
        /// Which.
        instrument: InstrumentId,
    },
}

impl RiskConfig {
    /// Checks ranges and references. `Risk::new` does this first.
    ///
    /// # Errors
    /// The first [`RiskConfigError`] found; nothing is changed.
    pub fn validate(&self, instruments: &InstrumentTable) -> Result<(), RiskConfigError> {
        self.validate_sizes()?;
        for (index, limits) in self.instruments.iter().enumerate() {
            if let Some(limits) = limits {
                validate_instrument(InstrumentId::new(index as u32), limits, instruments)?;
            }
        }
        for instrument in instruments.iter().filter(|instrument| instrument.terms.is_some()) {
            if !(1..i64::MAX).contains(&instrument.unit_value()) {
                return Err(RiskConfigError::UnitValue { instrument: instrument.id });
            }
        }
        for (index, limits) in self.strategies.iter().enumerate() {
            self.validate_strategy(StrategyId::new(index as u16), limits)?;
        }
        Ok(())
    }

    fn validate_sizes(&self) -> Result<(), RiskConfigError> {
        let ranges: [(&'static str, i64, std::ops::RangeInclusive<i64>, &'static str); 9] = [
            ("open_orders_max", self.open_orders_max as i64, 1..=OPEN_ORDERS_MAX as i64, "1 to 65536"),
            (
                "message_rate_max",
                i64::from(self.message_rate_max),
                1..=i64::from(MESSAGE_RATE_MAX),
                "1 to 1000000",
            ),
            ("message_rate_window", self.message_rate_window.get(), 1..=i64::MAX, "more than 0 ns"),
            ("duplicate_window", self.duplicate_window.get(), 0..=i64::MAX, "0 ns or more"),
            ("stale_after", self.stale_after.get(), 1..=i64::MAX, "more than 0 ns"),
            ("fill_memory", self.fill_memory as i64, 1..=FILL_MEMORY_MAX as i64, "1 to 4194304"),
            ("egress_slots", self.egress_slots as i64, 3..=EGRESS_SLOTS_MAX as i64, "3 to 1048576"),
            (
                "egress_cancel_reserve",
                self.egress_cancel_reserve as i64,
                1..=EGRESS_SLOTS_MAX as i64,
                "1 or more",
            ),
            (
                "egress_refusal_reserve",
                self.egress_refusal_reserve as i64,
                1..=EGRESS_SLOTS_MAX as i64,
                "1 or more",
            ),
        ];
        for (what, value, range, text) in ranges {
            if !range.contains(&value) {
                return Err(RiskConfigError::Range { what, value, range: text });
            }
        }
        let reserves = self.egress_cancel_reserve + self.egress_refusal_reserve;
        if reserves >= self.egress_slots {
            return Err(RiskConfigError::NoOrderSlots { slots: self.egress_slots, reserves });
        }
        if self.strategies.len() >= usize::from(u16::MAX) {
            let value = self.strategies.len() as i64;
            return Err(RiskConfigError::Range { what: "strategies", value, range: "fewer than 65535" });
        }
        Ok(())
    }

    fn validate_strategy(
        &self,
        strategy: StrategyId,
        limits: &StrategyLimits,
    ) -> Result<(), RiskConfigError> {
        for (place, allowed) in limits.instruments.iter().enumerate() {
            let instrument = allowed.instrument;
            if self.instruments.get(instrument.index()).copied().flatten().is_none() {
                return Err(RiskConfigError::NoLimits { strategy, instrument });
            }
            if limits.instruments.iter().take(place).any(|other| other.instrument == instrument) {
                return Err(RiskConfigError::ListedTwice { strategy, instrument });
            }
            if allowed.position_max <= Qty::ZERO {
                let what = "position_max of a strategy";
                return Err(RiskConfigError::NotPositive { instrument, what });
            }
        }
        Ok(())
    }
}

fn validate_instrument(
    instrument: InstrumentId,
    limits: &InstrumentLimits,
    instruments: &InstrumentTable,
) -> Result<(), RiskConfigError> {
    if instruments.by_id(instrument).and_then(|instrument| instrument.terms.as_ref()).is_none() {
        return Err(RiskConfigError::NoTerms { instrument });
    }
    let positive = [
        ("order_qty_max", limits.order_qty_max.lots()),
        ("order_notional_max", limits.order_notional_max.nanos()),
        ("position_max", limits.position_max.lots()),
        ("collar", i64::from(limits.collar.ppm) + i64::from(limits.collar.ticks)),
    ];
    match positive.into_iter().find(|(_, value)| *value <= 0) {
        Some((what, _)) => Err(RiskConfigError::NotPositive { instrument, what }),
        None => Ok(()),
    }
}

impl Collar {
    /// Whether `price` is near enough to `reference`; `tick` is the one at the reference.
    #[inline]
    pub(super) fn allows(self, price: Price, reference: Price, tick: Price) -> bool {
        let distance = (i128::from(price.nanos()) - i128::from(reference.nanos())).abs();
        // d ≤ ⌊r·ppm / 1e6⌋ ⇔ d·1e6 ≤ r·ppm for whole d: no division. |d| < 2^64, so d·1e6 < 2^84; r·ppm < 2^95.
        distance * 1_000_000 <= i128::from(reference.nanos()).abs() * i128::from(self.ppm)
            || distance <= i128::from(tick.nanos()) * i128::from(self.ticks)
    }

    /// The allowed price that is nearest to `price`, which is outside.
    pub(super) fn nearest(self, price: Price, reference: Price, tick: Price) -> i64 {
        let part = i128::from(reference.nanos()).abs() * i128::from(self.ppm) / 1_000_000;
        let width = part.max(i128::from(tick.nanos()) * i128::from(self.ticks));
        let signed = if price > reference { width } else { -width };
        let nearest = i128::from(reference.nanos()) + signed;
        nearest.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}
