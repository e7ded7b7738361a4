//! [`Context`]: what a strategy may look at and do from inside of a hook.

use super::counters::StrategyCounters;
use super::orders::{Change, OrderReplica, WorkingOrder};
use super::watch::Watch;
use super::{INTENTS_PER_STRATEGY_MAX, IntentBatch};
use crate::words::{
    Action, BookView, Instrument, InstrumentId, InstrumentTable, Intent, Nanos, OrderId, Price, Qty, Side,
    StrategyId, TimeInForce,
};

/// An order that a strategy wants to enter. Every order is a limit order: a "market" order is an IOC at a price that is
/// surely good enough, so that its worst case has a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRequest {
    /// Of what; must be subscribed and tradable.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price. On the tick grid, or risk refuses it.
    pub price: Price,
    /// Lots, greater than zero.
    pub qty: Qty,
    /// How long it stands.
    pub tif: TimeInForce,
    /// Only as maker: the venue refuses it if it would match at once.
    pub post_only: bool,
    /// Only if it brings the position nearer to zero.
    pub reduce_only: bool,
}

/// Why the SDK did not make an intent of a wish. Nothing was changed and no order id was used up. What the market or the
/// limits have against an order is not decided here but by risk, whose refusal comes as a report.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Refused {
    /// `max_in_flight` new orders and replaces are without an answer. Cancels are not bound by it.
    TooManyInFlight = 0,
    /// `max_open_orders` orders hold a place.
    TooManyOpen = 1,
    /// [`INTENTS_PER_STRATEGY_MAX`] intents were given for this event. Ask again with the next one.
    BatchFull = 2,
    /// The strategy is not subscribed to the instrument.
    NotSubscribed = 3,
    /// The instrument has no terms of trading.
    NotTradable = 4,
    /// The quantity is not positive.
    BadQuantity = 5,
    /// No order of this strategy with this id is in the market.
    UnknownOrder = 6,
    /// A cancel or replace of the order is under way, or it is itself the outcome of a replace that is.
    AlreadyPending = 7,
    /// Only an acknowledged order can be replaced. (It can be cancelled.)
    NotAcknowledged = 8,
    /// All 2^48 order ids are used up.
    IdsExhausted = 9,
}

impl Refused {
    /// Every reason, in the order of its number.
    pub const EVERY: [Refused; 10] = [
        Self::TooManyInFlight,
        Self::TooManyOpen,
        Self::BatchFull,
        Self::NotSubscribed,
        Self::NotTradable,
        Self::BadQuantity,
        Self::UnknownOrder,
        Self::AlreadyPending,
        Self::NotAcknowledged,
        Self::IdsExhausted,
    ];

    /// Its place in [`Refused::EVERY`]: dense, for counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooManyInFlight => "too_many_in_flight",
            Self::TooManyOpen => "too_many_open",
            Self::BatchFull => "batch_full",
            Self::NotSubscribed => "not_subscribed",
            Self::NotTradable => "not_tradable",
            Self::BadQuantity => "bad_quantity",
            Self::UnknownOrder => "unknown_order",
            Self::AlreadyPending => "already_pending",
            Self::NotAcknowledged => "not_acknowledged",
            Self::IdsExhausted => "ids_exhausted",
        }
    }
}

const ORDER_NUMBER_MAX: u64 = (1 << 48) - 1;

/// What the runner keeps for one strategy besides the strategy itself.
pub(super) struct StrategyState {
    pub(super) id: StrategyId,
    /// Its bit in [`Watch`].
    pub(super) bit: u8,
    pub(super) instruments: Box<[InstrumentId]>,
    pub(super) orders: OrderReplica,
    pub(super) last_order_number: u64,
    pub(super) intent_ttl: Nanos,
    pub(super) max_in_flight: usize,
    pub(super) max_open_orders: usize,
    /// Intents given for this event.
    pub(super) given: usize,
}

/// The world as one strategy sees it during one hook. A strategy sees nothing of the others on its core, so that a session
/// does not depend on which strategies share one.
pub struct Context<'a> {
    pub(super) now: Nanos,
    pub(super) table: &'a InstrumentTable,
    pub(super) watch: &'a Watch,
    pub(super) state: &'a mut StrategyState,
    pub(super) counters: &'a StrategyCounters,
    pub(super) out: &'a mut IntentBatch,
}

impl Context<'_> {
    /// Receive time of the frame at hand: the only clock there is.
    #[inline]
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Which strategy this is.
    pub fn strategy(&self) -> StrategyId {
        self.state.id
    }

    /// A configured instrument, subscribed or not. Those learnt from a feed are not here.
    #[inline]
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        self.table.by_id(id)
    }

    /// The instruments subscribed, ascending.
    pub fn instruments(&self) -> &[InstrumentId] {
        &self.state.instruments
    }

    /// The last view of a subscribed instrument; within `on_book` and `on_trade`, the one that came with this event, if one
    /// did. `None` before the first one.
    #[inline]
    pub fn book(&self, id: InstrumentId) -> Option<&BookView> {
        self.watch.view(id, self.state.bit)
    }

    /// The strategy's own position, signed lots.
    #[inline]
    pub fn position(&self, id: InstrumentId) -> Qty {
        self.state.orders.position(id)
    }

    /// Every order that is, or may be, in the market, those without an acknowledgement included. In no order that means
    /// anything, but the same in each run.
    pub fn orders(&self) -> impl Iterator<Item = &WorkingOrder> {
        self.state.orders.iter()
    }

    /// Those of one instrument.
    #[inline]
    pub fn orders_of(&self, instrument: InstrumentId) -> impl Iterator<Item = &WorkingOrder> {
        self.state.orders.of(instrument)
    }

    /// The order with this id. The id that a replace gave finds the order to be replaced until the answer comes.
    #[inline]
    pub fn order(&self, id: OrderId) -> Option<&WorkingOrder> {
        self.state.orders.by_id(id)
    }

    /// Lots of that side that may still be filled, replaces under way at their worst.
    pub fn open_qty(&self, instrument: InstrumentId, side: Side) -> Qty {
        let of_side = self.orders_of(instrument).filter(|order| order.side == side);
        of_side.fold(Qty::ZERO, |sum, order| sum.saturating_add(order.open_at_most()))
    }

    /// New orders and replaces without an answer.
    #[inline]
    pub fn in_flight(&self) -> usize {
        self.state.orders.in_flight()
    }

    /// Enters an order. Its answer comes to `on_report`: accepted or rejected, by risk or by the venue.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed.
    pub fn new_order(&mut self, request: OrderRequest) -> Result<OrderId, Refused> {
        let result = self.try_new_order(request);
        self.count_refusal(result)
    }

    /// Takes an order out of the market. Allowed however many messages are in flight, one cancel at a time for each order;
    /// the order stays in the market (and can be filled) until the answer says otherwise.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed. [`Refused::BatchFull`] passes with the next event.
    pub fn cancel(&mut self, order: OrderId) -> Result<(), Refused> {
        let result = self.try_cancel(order);
        self.count_refusal(result)
    }

    /// Replaces an order by one with another price and open quantity, in one message; side, time in force and flags stay.
    /// It loses its place in the queue. Gives the id that the order has once `Replaced` has come; until then, and if it is
    /// refused, it goes by the old one.
    ///
    /// # Errors
    /// [`Refused`]; nothing was changed.
    pub fn replace(&mut self, order: OrderId, price: Price, qty: Qty) -> Result<OrderId, Refused> {
        let result = self.try_replace(order, price, qty);
        self.count_refusal(result)
    }

    fn try_new_order(&mut self, request: OrderRequest) -> Result<OrderId, Refused> {
        if !self.watch.is_subscribed(request.instrument, self.state.bit) {
            return Err(Refused::NotSubscribed);
        }
        if self.table.by_id(request.instrument).is_none_or(|instrument| instrument.terms.is_none()) {
            return Err(Refused::NotTradable);
        }
        if request.qty <= Qty::ZERO {
            return Err(Refused::BadQuantity);
        }
        if self.state.orders.held() >= self.state.max_open_orders {
            return Err(Refused::TooManyOpen);
        }
        let id = self.next_order_id()?;
        let flags = flags(request.post_only, request.reduce_only);
        let entered = self.state.orders.enter(WorkingOrder {
            id,
            instrument: request.instrument,
            side: request.side,
            price: request.price,
            open: request.qty,
            tif: request.tif,
            post_only: request.post_only,
            reduce_only: request.reduce_only,
            acknowledged: false,
            recovered: false,
            change: Change::None,
        });
        if !entered {
            return Err(Refused::TooManyOpen);
        }
        self.state.last_order_number = id.number();
        self.counters.new_orders.add(1);
        self.give(Intent {
            order: id,
            price: request.price,
            qty: request.qty,
            instrument: request.instrument,
            action_number: Action::New as u8,
            side_number: request.side as u8,
            tif_number: request.tif as u8,
            flags,
            ..Intent::default()
        });
        self.state.orders.prefetch(OrderId::compose(self.state.id, id.number() + 1));
        Ok(id)
    }

    fn try_cancel(&mut self, id: OrderId) -> Result<(), Refused> {
        let order = self.changeable(id)?;
        self.room_in_batch()?;
        self.state.orders.cancelling(id);
        self.counters.cancels.add(1);
        self.give(Intent {
            order: id,
            instrument: order.instrument,
            action_number: Action::Cancel as u8,
            side_number: order.side as u8,
            ..Intent::default()
        });
        Ok(())
    }

    fn try_replace(&mut self, id: OrderId, price: Price, qty: Qty) -> Result<OrderId, Refused> {
        let order = self.changeable(id)?;
        if !order.acknowledged {
            return Err(Refused::NotAcknowledged);
        }
        if qty <= Qty::ZERO {
            return Err(Refused::BadQuantity);
        }
        let new_order = self.next_order_id()?;
        self.state.orders.replacing(id, new_order, price, qty);
        self.state.last_order_number = new_order.number();
        self.counters.replaces.add(1);
        self.give(Intent {
            order: id,
            new_order,
            price,
            qty,
            instrument: order.instrument,
            action_number: Action::Replace as u8,
            side_number: order.side as u8,
            tif_number: order.tif as u8,
            flags: flags(order.post_only, order.reduce_only),
            ..Intent::default()
        });
        Ok(new_order)
    }

    /// The order, if nothing is under way with it.
    fn changeable(&self, id: OrderId) -> Result<WorkingOrder, Refused> {
        let order = self.state.orders.by_id(id).ok_or(Refused::UnknownOrder)?;
        if order.id != id || order.change != Change::None { Err(Refused::AlreadyPending) } else { Ok(*order) }
    }

    /// The id of the next order, if one more message may go into flight.
    fn next_order_id(&self) -> Result<OrderId, Refused> {
        if self.state.orders.in_flight() >= self.state.max_in_flight {
            return Err(Refused::TooManyInFlight);
        }
        self.room_in_batch()?;
        if self.state.last_order_number >= ORDER_NUMBER_MAX {
            return Err(Refused::IdsExhausted);
        }
        Ok(OrderId::compose(self.state.id, self.state.last_order_number + 1))
    }

    fn room_in_batch(&self) -> Result<(), Refused> {
        if self.state.given < INTENTS_PER_STRATEGY_MAX { Ok(()) } else { Err(Refused::BatchFull) }
    }

    /// The batch has room: every strategy of the core has its share of it.
    fn give(&mut self, intent: Intent) {
        self.state.given += 1;
        self.out.push(Intent {
            strategy: self.state.id,
            decided: self.now,
            valid_until: self.now.after(self.state.intent_ttl),
            ..intent
        });
    }

    fn count_refusal<T>(&self, result: Result<T, Refused>) -> Result<T, Refused> {
        if let Err(refused) = &result
            && let Some(counter) = self.counters.refused.get(refused.index())
        {
            counter.add(1);
        }
        result
    }
}

fn flags(post_only: bool, reduce_only: bool) -> u8 {
    (u8::from(post_only) * Intent::POST_ONLY) | (u8::from(reduce_only) * Intent::REDUCE_ONLY)
}
