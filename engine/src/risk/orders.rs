//! [`OrderTable`]: every order that is not gone, found by its id. Memory taken at construction, a stated answer when full.

use super::snapshot::{load_order, save_order};
use super::state::OrderState;
use crate::memory::prefetch;
use crate::state::{StateError, StateReader, StateWriter, load_free, save_free};
use crate::words::{InstrumentId, OrderId, Price, Qty, Side, TimeInForce};

/// An order that is not gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenOrder {
    /// Its id; the strategy is in it.
    pub order: OrderId,
    /// Limit price.
    pub price: Price,
    /// All of it, in lots.
    pub qty: Qty,
    /// What can still be filled.
    pub leaves: Qty,
    /// The venue's id of it; 0 before it is acknowledged.
    pub venue_order: u64,
    /// The frame that caused it; 0 if it was recovered.
    pub frame: u64,
    /// The frame that caused the last cancel of it; 0 if there was none.
    pub cancel_frame: u64,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// How long it stands.
    pub tif: TimeInForce,
    /// Flags of its intent.
    pub flags: u8,
    /// Where it is.
    pub state: OrderState,
    /// A mass cancel wants it gone.
    pub cancel_due: bool,
    /// It waits in the queue of the mass cancel.
    pub(super) queued: bool,
    /// Messages about it that were sent in this session and are not yet answered, 0–2.
    pub(super) under_way: u8,
    /// Its places in the arrays of risk.
    pub(super) tradable: u32,
    pub(super) cell: u32,
}

const VACANT: u32 = u32::MAX;

/// Slab with an open-addressing index (linear probing, deletion by shifting back, at most half full).
#[derive(Debug)]
pub(super) struct OrderTable {
    slab: Vec<Option<OpenOrder>>,
    free: Vec<u32>,
    index: Box<[u32]>,
    shift: u32,
}

impl OrderTable {
    /// Room for `capacity` orders, 1 to 2^30.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let buckets = (capacity * 2).next_power_of_two().max(2);
        Self {
            slab: vec![None; capacity],
            free: (0..capacity as u32).rev().collect(),
            index: vec![VACANT; buckets].into(),
            shift: 64 - buckets.trailing_zeros(),
        }
    }

    /// Where each order lies, and where the next ones will, is part of the state: the order of [`OrderTable::iter`] follows from it.
    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { slab, free, index: _, shift: _ } = self;
        let orders = || slab.iter().enumerate().filter_map(|(slot, order)| Some((slot, order.as_ref()?)));
        state.count(orders().count());
        for (slot, order) in orders() {
            state.count(slot);
            save_order(order, state);
        }
        save_free(free, slab.len(), state);
    }

    /// Into an empty table.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let mask = self.index.len() - 1;
        let count = state.list(self.slab.len(), |state| {
            let slot = state.count(self.slab.len())?;
            let order = load_order(state)?;
            state.demand(self.find(order.order).is_none(), "an open order that comes twice")?;
            let mut place = self.home(order.order);
            while self.at(place).is_some() {
                place = (place + 1) & mask;
            }
            match (self.index.get_mut(place), self.slab.get_mut(slot)) {
                (Some(bucket), Some(entry @ None)) => {
                    *bucket = slot as u32;
                    *entry = Some(order);
                    Ok(())
                }
                _ => Err(state.error("two open orders in one place")),
            }
        })?;
        load_free(&mut self.free, self.slab.len(), state)?;
        let apart = self.free.iter().all(|slot| self.slab.get(*slot as usize).is_some_and(Option::is_none));
        let all = count + self.free.len() == self.slab.len();
        state.demand(apart && all, "free places that are not those without an order")
    }

    pub(super) fn count(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &OpenOrder> {
        self.slab.iter().flatten()
    }

    /// Fibonacci hashing: ids of one strategy follow each other, the product spreads them.
    #[inline]
    fn home(&self, order: OrderId) -> usize {
        (order.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// Asks for the memory of an order that is to come.
    #[inline]
    pub(super) fn prefetch(&self, order: OrderId) {
        if let Some(bucket) = self.index.get(self.home(order)) {
            prefetch(bucket);
        }
    }

    #[inline]
    fn at(&self, place: usize) -> Option<(u32, &OpenOrder)> {
        let slot = *self.index.get(place)?;
        self.slab.get(slot as usize)?.as_ref().map(|order| (slot, order))
    }

    /// The bucket and the slab place of `order`. Ends because at least half of the buckets are vacant.
    #[inline]
    fn find(&self, order: OrderId) -> Option<(usize, u32)> {
        let mask = self.index.len() - 1;
        let mut place = self.home(order);
        loop {
            let (slot, found) = self.at(place)?;
            if found.order == order {
                return Some((place, slot));
            }
            place = (place + 1) & mask;
        }
    }

    #[inline]
    pub(super) fn get(&self, order: OrderId) -> Option<&OpenOrder> {
        let (_, slot) = self.find(order)?;
        self.slab.get(slot as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, order: OrderId) -> Option<&mut OpenOrder> {
        let (_, slot) = self.find(order)?;
        self.slab.get_mut(slot as usize)?.as_mut()
    }

    /// False, and nothing changed, if there is no room or the id is already there.
    #[inline]
    pub(super) fn insert(&mut self, order: OpenOrder) -> bool {
        if self.find(order.order).is_some() {
            return false;
        }
        let Some(slot) = self.free.pop() else { return false };
        let mask = self.index.len() - 1;
        let mut place = self.home(order.order);
        while self.at(place).is_some() {
            place = (place + 1) & mask;
        }
        if let (Some(bucket), Some(entry)) = (self.index.get_mut(place), self.slab.get_mut(slot as usize)) {
            *bucket = slot;
            *entry = Some(order);
        }
        true
    }

    #[inline]
    pub(super) fn remove(&mut self, order: OrderId) -> Option<OpenOrder> {
        let (mut hole, slot) = self.find(order)?;
        let removed = self.slab.get_mut(slot as usize)?.take();
        // Within the capacity it was made with: one entry a slab place.
        self.free.push(slot);
        let mask = self.index.len() - 1;
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let Some((follower, found)) = self.at(place) else { break };
            // The follower may fill the hole unless its home lies behind the hole (cyclically in (hole, place]).
            let home = self.home(found.order);
            if (place.wrapping_sub(home) & mask) >= (place.wrapping_sub(hole) & mask) {
                if let Some(bucket) = self.index.get_mut(hole) {
                    *bucket = follower;
                }
                hole = place;
            }
        }
        if let Some(bucket) = self.index.get_mut(hole) {
            *bucket = VACANT;
        }
        removed
    }
}
