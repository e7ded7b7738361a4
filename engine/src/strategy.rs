//! Strategies: events and book views in, intents out.
//!
//! Enters: events, the book's views, reports. Leaves: [`Intent`]s, which are wishes; risk decides. Never: a clock, a
//! book of its own, another strategy's orders, an allocation after start.
//!
//! # How to write one
//! Implement [`Strategy`]; every hook has an empty default. Look at the world and act through the [`Context`]. A strategy
//! must be a function of what its hooks were given: no clock, no randomness but from a seed of its own, no thread, and
//! memory taken in its constructor or in [`Strategy::on_start`]. Then a session replays bit for bit.
//!
//! ```
//! use spinward_engine::strategy::{Context, OrderRequest, Strategy};
//! use spinward_engine::words::{BookView, OrderId, Qty, Report, Side, TimeInForce};
//!
//! /// Keeps one bid of one lot in the market, at the best price of the moment it was entered.
//! #[derive(Default)]
//! struct Joiner {
//!     bid: Option<OrderId>,
//! }
//!
//! impl Strategy for Joiner {
//!     fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
//!         let Some(best) = view.best_bid().filter(|_| view.is_tradable()) else { return };
//!         if self.bid.is_none() {
//!             // A refusal (too many messages in flight, …) changed nothing: the next view tries again.
//!             self.bid = context
//!                 .new_order(OrderRequest {
//!                     instrument: view.instrument,
//!                     side: Side::Buy,
//!                     price: best.price,
//!                     qty: Qty::from_lots(1),
//!                     tif: TimeInForce::Day,
//!                     post_only: true,
//!                     reduce_only: false,
//!                 })
//!                 .ok();
//!         }
//!     }
//!
//!     fn on_report(&mut self, context: &mut Context<'_>, report: &Report) {
//!         // The replica is already up to date: is the order still there?
//!         if self.bid == Some(report.order) && context.order(report.order).is_none() {
//!             self.bid = None;
//!         }
//!     }
//! }
//! # let _: Box<dyn Strategy> = Box::new(Joiner::default());
//! ```
//!
//! # What is promised
//! - Market data comes only for subscribed instruments; reports only about the strategy's own orders; timers to everyone.
//! - Within one event, a strategy's hooks are called in the order of cause and effect: `on_trade`, `on_status`, then `on_book`.
//!   [`Context::book`] shows the new view in all of them. All hooks of one strategy are called before those of the next, and
//!   strategies in the order of their ids: the same as if each had a core of its own.
//! - A strategy may give [`INTENTS_PER_STRATEGY_MAX`] intents for one event, whoever shares its core.
//! - Every intent is answered by a report; see [`ReportKind`](crate::words::ReportKind). Refusals of risk come as reports, too.

mod fixed_map;
mod executions;
mod orders;
mod watch;
mod context;
mod counters;
mod runner;
mod state;
mod market_gate;
pub mod market_maker;
pub mod imbalance_taker;
mod parameters;
#[cfg(test)]
mod fixture;

pub use context::{Context, OrderRequest, Refused};
pub use counters::{RunnerCounters, StrategyCounters};
pub use executions::EXECUTIONS_REMEMBERED;
pub use imbalance_taker::{ImbalanceTaker, ImbalanceTakerParameters};
pub use market_maker::{MarketMaker, MarketMakerParameters};
pub use orders::{Change, RECOVERED_ORDERS_MAX, WorkingOrder};
pub use parameters::ParameterError;
pub use runner::{
    MAX_IN_FLIGHT_MAX, MAX_OPEN_ORDERS_MAX, STRATEGIES_PER_CORE_MAX, StrategyConfigError, StrategyRunner,
    StrategySlot,
};
pub use state::{CARRIED_BYTES_MAX, Unsaved};

use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{
    BookView, Instrument, InstrumentId, Intent, MarketStatus, Nanos, Price, Qty, Report, Side,
};

/// Most intents that the strategies of one core may give for one event.
pub const INTENTS_PER_EVENT_MAX: usize = 16;

/// Most intents that one strategy may give for one event. A share of its own, not a race for the lane: what a strategy may
/// do must not depend on which others share its core, or two topologies would trade differently.
pub const INTENTS_PER_STRATEGY_MAX: usize = 4;

/// A trade in the market, ours or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trade {
    /// Of what.
    pub instrument: InstrumentId,
    /// At which price. The execution of a resting order at its own price (ITCH `E`) does not carry it; then it is the
    /// `last_price` that the book stage set for that execution.
    pub price: Price,
    /// Lots.
    pub qty: Qty,
    /// Who took liquidity: from the feed, or for executions of resting orders as the book stage signed them. `None` if
    /// neither knows.
    pub aggressor: Option<Side>,
    /// The venue's time of it; zero where the protocol has none.
    pub venue_time: Nanos,
}

/// A change in whether the market, or our data of it, can be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatusChange {
    /// Whom it concerns; [`InstrumentId::ALL`] is every instrument of the source.
    pub instrument: InstrumentId,
    /// What changed.
    pub kind: StatusKind,
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusKind {
    /// The venue's state of the instrument, or ours of its data (quarantined, resynced).
    Market(MarketStatus),
    /// Updates are missing.
    Gap {
        /// The sequence number that was due.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The link to a source came up or went down.
    Link {
        /// Up.
        up: bool,
    },
}

/// What [`Strategy::save`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Saved {
    /// The state is written. A strategy that has none writes nothing and says this.
    Whole,
    /// The strategy does not save its state. Of a session with such a strategy no snapshots are taken: it is recovered by a replay of all of its journal, and in the
    /// session that resumes it the strategy begins anew (with its positions and open orders, which are not its own to keep) and that is told.
    Unsupported,
}

/// Where a state comes from that is given to [`Strategy::load`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A snapshot of this very session: the next hook is the one that followed in the session. All of the state counts, to the last bit.
    Snapshot,
    /// An earlier session that this one resumes. The books are empty, nothing was seen of the market yet, and time may go on anywhere: a recording begins earlier than
    /// where the earlier session ended. Take what outlives that.
    EarlierSession {
        /// Receive time of the frame that brings it.
        now: Nanos,
    },
}

/// A trading strategy. See the [module](self) for how to write one.
pub trait Strategy: Send {
    /// Called once, before the session, with the instruments subscribed (ascending ids): the last chance to take memory.
    fn on_start(&mut self, instruments: &[&Instrument]) {
        let _ = instruments;
    }

    /// A group of events of a subscribed instrument is complete; this is its book now. Ask [`BookView::is_tradable`] before
    /// trusting it.
    fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
        let _ = (context, view);
    }

    /// A subscribed instrument was traded: a trade of the feed, or a printable execution of a resting order.
    fn on_trade(&mut self, context: &mut Context<'_>, trade: &Trade) {
        let _ = (context, trade);
    }

    /// The venue or risk reported about an order of this strategy; orders and position in `context` are already up to date.
    /// A fill that came before is not given again.
    fn on_report(&mut self, context: &mut Context<'_>, report: &Report) {
        let _ = (context, report);
    }

    /// A timer tick.
    fn on_timer(&mut self, context: &mut Context<'_>) {
        let _ = context;
    }

    /// Market status, gap, quarantine, resync or link of a subscribed instrument, or of a whole source.
    fn on_status(&mut self, context: &mut Context<'_>, status: &StatusChange) {
        let _ = (context, status);
    }

    /// Writes down what later hooks depend on and what is not in the context: not the parameters, not orders, positions or books. Called on a replica of the session
    /// (another thread, the same frames), never on the pipeline, so it may take its time. The same state must give the same bytes: no order of a hash table.
    fn save(&self, state: &mut StateWriter) -> Saved {
        let _ = state;
        Saved::Unsupported
    }

    /// Takes over what [`Strategy::save`] wrote, by the same parameters, after [`Strategy::on_start`]; reads all of it.
    ///
    /// # Errors
    /// [`StateError`] if it is no state of this strategy: see [`StateReader::demand`]. A snapshot is then refused; from an earlier session the strategy goes on
    /// as it is.
    fn load(&mut self, state: &mut StateReader<'_>, origin: Origin) -> Result<(), StateError> {
        let _ = origin;
        Err(state.error("the strategy takes no state"))
    }
}

/// What the strategies of one core write for one event.
#[derive(Debug)]
pub struct IntentBatch {
    count: u32,
    intents: Box<[Intent; INTENTS_PER_EVENT_MAX]>,
}

impl IntentBatch {
    /// Empty.
    pub fn new() -> Self {
        Self { count: 0, intents: Box::new([Intent::default(); INTENTS_PER_EVENT_MAX]) }
    }

    /// The intents, in the order in which they were given.
    #[inline]
    pub fn intents(&self) -> &[Intent] {
        self.intents.get(..self.count as usize).unwrap_or(&[])
    }

    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Adds one; false if it is full.
    #[inline]
    pub fn push(&mut self, intent: Intent) -> bool {
        match self.intents.get_mut(self.count as usize) {
            Some(slot) => {
                *slot = intent;
                self.count += 1;
                true
            }
            None => false,
        }
    }
}

impl Default for IntentBatch {
    fn default() -> Self {
        Self::new()
    }
}
