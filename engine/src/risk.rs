//! Risk: intents in, verdicts and approved orders out. The single owner of trading state, open orders and positions.
//!
//! Enters: an event, the book view it completed, the intents of all strategy cores about it. Leaves: one verdict for each intent, and
//! through [`Egress`] one message for each verdict: the order, or the refusal. Never: a clock, a wait, a queue of orders (what cannot go now
//! is refused now), a number that is not an integer, an allocation after construction.
//!
//! # The checks
//! In this order; the first that fails gives the [`RejectCode`](crate::words::RejectCode). C, N, R: applies to a cancel, a new order,
//! a replace. "Reducing" is an order that brings the strategy's own position nearer to zero even if everything that works on its side
//! is filled as well.
//!
//! | # | Code | C N R | Refused when |
//! |---|---|---|---|
//! | 1 | Malformed | C N R | action, side, time in force or flags unknown; strategy unknown; an order id of another strategy; side or instrument not those of the order to be changed |
//! | 2 | UnknownOrder | C – R | the order to be changed is not (or no more) open |
//! | 3 | PendingChange | C – R | a cancel or replace of it is under way, or (replace) its entry |
//! | 4 | CancelOnly, Halted | – N R | the trading state says so |
//! | 5 | NotTradable | – N R | no terms or limits, or the strategy may not trade it |
//! | 6 | InstrumentExpired | – N R | now is after the expiry |
//! | 7 | SessionClosed | – N R | the calendar is closed now |
//! | 8 | MarketNotOpen | – N R | the feed says halted, paused or closed |
//! | 9 | IntentExpired | – N R | now is after `valid_until` |
//! | 10 | BadQuantity | – N R | not greater than zero |
//! | 11 | OffTick | – N R | not on the grid |
//! | 12 | PriceLimit | – N R | beyond the venue's limits |
//! | 13 | MaxOrderQty | – N R | above the limit |
//! | 14 | MaxOrderNotional | – N R | above the limit |
//! | 15 | ReduceOnly | – N R | not reducing, and the trading state or the intent's flag demands it |
//! | 16 | Quarantined | – N R | the data has a gap; a reducing order passes |
//! | 17 | StaleData | – N R | the last trusted view is too old; a reducing order passes |
//! | 18 | NoReferencePrice | – N R | there never was a mid or a trade |
//! | 19 | PriceCollar | – N R | too far from the reference price, on either side |
//! | 20 | PositionLimit | – N R | position + all that works on its side + this: of the strategy, then over all strategies |
//! | 21 | DuplicateOrder | – N R | the id is not above the strategy's last one; (new) one of its last [`RECENT_ORDERS`] orders there was the same, within the window |
//! | 22 | OpenOrders | – N R | too many; a replace only when the table (twice the limit) is full |
//! | 23 | MessageRate | – N R | as many messages as allowed left within the window |
//! | 24 | EgressFull | C N R | the share of the ring is under way (orders; cancels have a reserve) |
//!
//! So a cancel of an open order is held up by nothing but a full reserve, and a reducing order by nothing that is about the
//! position, the trading state (short of cancel-only and halted) or the quality of the data. The reference price is the mid of the last trusted view if it has two
//! sides and is not crossed, else its last trade. Un-acknowledged orders count in full, a replace counts the old and the new order until it is answered.
//!
//! # Bounds
//! Open orders: twice [`RiskConfig::open_orders_max`] places. Executions remembered: [`RiskConfig::fill_memory`], exact. Message times: one
//! for each message of the limit. Everything else is one entry for each strategy and instrument.

mod config;
mod approved;
mod trading;
mod state;
mod orders;
mod memory;
mod room;
mod market;
mod position;
mod counters;
mod stage;
mod checks;
mod reports;
mod sweep;
mod recovery;
mod snapshot;
pub mod naive;

pub use approved::{ApprovedOrder, Outbound};
pub use config::{
    Collar, EGRESS_SLOTS_MAX, FILL_MEMORY_MAX, InstrumentLimits, MESSAGE_RATE_MAX, OPEN_ORDERS_MAX,
    RiskConfig, RiskConfigError, StrategyInstrument, StrategyLimits,
};
pub use counters::{PositionGauge, PositionGauges, RiskCounters};
pub use memory::RECENT_ORDERS;
pub use orders::OpenOrder;
pub use position::Position;
pub use stage::Risk;
pub use state::{OrderInput, OrderState, Transition, transition};
pub use trading::{GATEWAY, Latch, OPERATOR, RISK};

use crate::words::Verdict;

/// Most strategy cores of one pipeline.
pub const STRATEGY_CORES_MAX: usize = 4;

/// Most cancels that a mass cancel adds to one event; the rest follow with the next events.
pub const MASS_CANCELS_PER_EVENT: usize = 8;

/// Most verdicts for one event.
pub const VERDICTS_PER_EVENT_MAX: usize =
    STRATEGY_CORES_MAX * crate::strategy::INTENTS_PER_EVENT_MAX + MASS_CANCELS_PER_EVENT;

/// What risk writes for one event.
#[derive(Debug)]
pub struct VerdictBatch {
    count: u32,
    verdicts: Box<[Verdict; VERDICTS_PER_EVENT_MAX]>,
}

impl VerdictBatch {
    /// Empty.
    pub fn new() -> Self {
        Self { count: 0, verdicts: Box::new([Verdict::default(); VERDICTS_PER_EVENT_MAX]) }
    }

    /// The verdicts, in the order of the intents (cores in turn, then mass cancels).
    #[inline]
    pub fn verdicts(&self) -> &[Verdict] {
        self.verdicts.get(..self.count as usize).unwrap_or(&[])
    }

    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds one; false if it is full, which the sizes above rule out.
    #[inline]
    pub fn push(&mut self, verdict: Verdict) -> bool {
        match self.verdicts.get_mut(self.count as usize) {
            Some(slot) => {
                *slot = verdict;
                self.count += 1;
                true
            }
            None => false,
        }
    }
}

impl Default for VerdictBatch {
    fn default() -> Self {
        Self::new()
    }
}

/// The way out: implemented by the egress ring, and by a plain vector in tests.
pub trait Egress {
    /// Takes one item; false if there is no room. Risk keeps the number under way below the room, so false is a defect of the
    /// configuration and halts trading.
    fn send(&mut self, outbound: &Outbound) -> bool;
}

impl Egress for Vec<Outbound> {
    fn send(&mut self, outbound: &Outbound) -> bool {
        self.push(*outbound);
        true
    }
}

#[cfg(test)]
mod tests;
