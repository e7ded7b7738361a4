//! What the venue holds between messages: our orders at rest, what they took of the recorded levels, the state of each market.

use super::market::{is_better, list_of};
use super::shelf::{NONE, Shelf};
use crate::order_index::OrderIndex;
use spinward_engine::words::{InstrumentId, MarketStatus, OrderId, Price, Qty, Side, TimeInForce};

/// An order of ours in the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Resting {
    pub(super) order: OrderId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) tif: TimeInForce,
    pub(super) price: Price,
    /// What is still open.
    pub(super) open: Qty,
    /// Recorded quantity at our price that is served before us.
    pub(super) ahead: Qty,
    /// L3: recorded orders with an arrival up to this came before ours.
    pub(super) mark: u64,
    pub(super) venue_order: u64,
    pub(super) cause_frame: u64,
}

impl Default for Resting {
    fn default() -> Self {
        Self {
            order: OrderId::NONE,
            instrument: InstrumentId::ALL,
            side: Side::Buy,
            tif: TimeInForce::Day,
            price: Price::ZERO,
            open: Qty::ZERO,
            ahead: Qty::ZERO,
            mark: 0,
            venue_order: 0,
            cause_frame: 0,
        }
    }
}

/// Our orders at rest: by id, and by instrument and side in price-time order.
#[derive(Debug)]
pub(super) struct Orders {
    shelf: Shelf<Resting>,
    index: OrderIndex,
}

impl Orders {
    pub(super) fn new(instruments: usize, orders_max: usize) -> Self {
        Self {
            shelf: Shelf::new(instruments.saturating_mul(2), orders_max),
            index: OrderIndex::new(orders_max),
        }
    }

    /// False if there is no room; the state is as before.
    pub(super) fn add(&mut self, resting: Resting) -> bool {
        let Resting { side, price, .. } = resting;
        let list = list_of(resting.instrument, side);
        match self.shelf.insert(list, resting, |other| !is_better(side, price, other.price)) {
            Some(slot) => {
                self.index.insert(resting.order, slot);
                true
            }
            None => false,
        }
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Resting> {
        let resting = self.shelf.remove(slot)?;
        self.index.remove(resting.order);
        Some(resting)
    }

    pub(super) fn find(&self, order: OrderId) -> Option<u32> {
        self.index.find(order)
    }

    pub(super) fn at(&self, slot: u32) -> Option<&Resting> {
        self.shelf.value(slot)
    }

    pub(super) fn at_mut(&mut self, slot: u32) -> Option<&mut Resting> {
        self.shelf.value_mut(slot)
    }

    /// The one with the best price, the oldest of these.
    pub(super) fn first(&self, instrument: InstrumentId, side: Side) -> u32 {
        self.shelf.first(list_of(instrument, side))
    }

    pub(super) fn next(&self, slot: u32) -> u32 {
        self.shelf.next(slot)
    }

    pub(super) fn has_any(&self, instrument: InstrumentId) -> bool {
        self.first(instrument, Side::Buy) != NONE || self.first(instrument, Side::Sell) != NONE
    }

    pub(super) fn count(&self) -> usize {
        self.shelf.count()
    }

    pub(super) fn room(&self) -> usize {
        self.shelf.room()
    }

    /// How many instruments it has lists for.
    pub(super) fn instruments(&self) -> usize {
        self.shelf.lists() / 2
    }
}

/// What was taken of one recorded level.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Portion {
    price: Price,
    taken: Qty,
}

/// What we took of the recorded levels, by instrument and side of the level.
#[derive(Debug)]
pub(super) struct Taken {
    shelf: Shelf<Portion>,
}

impl Taken {
    pub(super) fn new(instruments: usize, levels_max: usize) -> Self {
        Self { shelf: Shelf::new(instruments.saturating_mul(2), levels_max) }
    }

    fn find(&self, list: usize, price: Price) -> u32 {
        let mut slot = self.shelf.first(list);
        while self.shelf.value(slot).is_some_and(|portion| portion.price != price) {
            slot = self.shelf.next(slot);
        }
        slot
    }

    /// What was taken; `None` if nothing is remembered of this level.
    pub(super) fn at(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<Qty> {
        let slot = self.find(list_of(instrument, side), price);
        self.shelf.value(slot).map(|portion| portion.taken)
    }

    /// Remembers that `qty` more was taken. The caller has made sure of the room.
    pub(super) fn add(&mut self, instrument: InstrumentId, side: Side, price: Price, qty: Qty) {
        let list = list_of(instrument, side);
        let slot = self.find(list, price);
        match self.shelf.value_mut(slot) {
            Some(portion) => portion.taken = portion.taken.saturating_add(qty),
            None => {
                self.shelf.insert(list, Portion { price, taken: qty }, |_| false);
            }
        }
    }

    /// Holds every portion at what `recorded` says the level has, and forgets empty levels.
    pub(super) fn hold(&mut self, instrument: InstrumentId, side: Side, recorded: impl Fn(Price) -> Qty) {
        let mut slot = self.shelf.first(list_of(instrument, side));
        while slot != NONE {
            let next = self.shelf.next(slot);
            let mut is_empty = true;
            if let Some(portion) = self.shelf.value_mut(slot) {
                portion.taken = portion.taken.min(recorded(portion.price));
                is_empty = portion.taken <= Qty::ZERO;
            }
            if is_empty {
                self.shelf.remove(slot);
            }
            slot = next;
        }
    }

    pub(super) fn has_any(&self, instrument: InstrumentId) -> bool {
        self.shelf.first(list_of(instrument, Side::Buy)) != NONE
            || self.shelf.first(list_of(instrument, Side::Sell)) != NONE
    }

    pub(super) fn room(&self) -> usize {
        self.shelf.room()
    }
}

/// How the feed describes this market's depth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Depth {
    /// Nothing heard yet; handled as `Levels`.
    Unknown,
    /// Order by order (L3).
    Orders,
    /// Levels (L2).
    Levels,
}

/// The state of one market.
#[derive(Clone, Copy, Debug)]
pub(super) struct Market {
    pub(super) status: MarketStatus,
    pub(super) quarantined: bool,
    pub(super) depth: Depth,
    /// The recorded book changed since the last event group that could be trusted.
    pub(super) changed: bool,
    /// Queue positions are lost (book cleared, order taken over): to the back at the end of the next group that changes the book.
    pub(super) requeue: bool,
}

impl Market {
    pub(super) const NEW: Market = Market {
        status: MarketStatus::Trading,
        quarantined: false,
        depth: Depth::Unknown,
        changed: false,
        requeue: false,
    };

    /// Whether orders match.
    pub(super) fn is_trading(&self) -> bool {
        self.status == MarketStatus::Trading
    }

    /// Whether new orders are taken.
    pub(super) fn is_open(&self) -> bool {
        self.is_trading() && !self.quarantined
    }
}
