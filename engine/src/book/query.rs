//! Looking into the books: for tests, tools, `state_hash` and strategies with a replica of their own.

use super::orders::NONE;
use super::stage::BookStage;
use crate::words::{Digest, InstrumentId, Level, Price, Qty, Side};

/// An order in an L3 book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestingOrder {
    /// The venue's reference.
    pub reference: u64,
    /// Bid or ask.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// What is left of it, lots.
    pub qty: Qty,
    /// The order of joining a queue, counted from 1 over the whole stage: within a level, a smaller number stands ahead. A replaced order has a
    /// new one.
    pub arrival: u64,
}

/// Adds a level and its queue to a state hash: what [`BookStage::state_hash`] and its naive twin agree on.
pub(super) fn hash_level(
    digest: &mut Digest,
    side: Side,
    level: &Level,
    queue: impl Iterator<Item = RestingOrder>,
) {
    let words = [side as u64, level.price.nanos() as u64, level.qty.lots() as u64, level.orders];
    digest.add(bytemuck::bytes_of(&words));
    for order in queue {
        digest.add(bytemuck::bytes_of(&[order.reference, order.qty.lots() as u64]));
    }
}

impl BookStage {
    /// A hash over every level (side, price, quantity, order count; bids first, best first) and in an L3 book every order in queue order (reference,
    /// quantity). Equal books have equal hashes, however they came about.
    pub fn state_hash(&self, instrument: InstrumentId) -> u64 {
        let mut digest = Digest::new();
        for side in [Side::Buy, Side::Sell] {
            for level in self.levels(instrument, side) {
                hash_level(&mut digest, side, &level, self.queue(instrument, side, level.price));
            }
        }
        digest.value()
    }

    /// The best level of a side.
    #[inline]
    pub fn best(&self, instrument: InstrumentId, side: Side) -> Option<Level> {
        self.head(instrument).and_then(|head| self.levels.best(head.ladder(side))).copied()
    }

    /// The level at this price.
    #[inline]
    pub fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<Level> {
        self.row_at(instrument, side, price).map(|(level, _)| level)
    }

    /// All levels of a side, best first.
    pub fn levels(&self, instrument: InstrumentId, side: Side) -> impl Iterator<Item = Level> {
        let head = self.head(instrument);
        head.into_iter().flat_map(move |head| self.levels.rows(head.ladder(side))).map(|row| row.level)
    }

    /// The live order with this reference.
    #[inline]
    pub fn order(&self, instrument: InstrumentId, reference: u64) -> Option<RestingOrder> {
        self.orders.find(instrument.get(), reference).map(|slot| self.resting_order(slot))
    }

    /// The orders of one level, front first.
    pub fn queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
    ) -> impl Iterator<Item = RestingOrder> {
        let mut slot = self.row_at(instrument, side, price).map_or(NONE, |(_, front)| front);
        std::iter::from_fn(move || {
            if slot == NONE {
                return None;
            }
            let order = self.resting_order(slot);
            slot = self.orders.slot(slot).behind;
            Some(order)
        })
    }

    fn resting_order(&self, slot: u32) -> RestingOrder {
        let order = self.orders.slot(slot);
        RestingOrder {
            reference: order.reference,
            side: order.side(),
            price: order.price,
            qty: Qty::from_lots(order.qty()),
            arrival: self.orders.arrival(slot),
        }
    }
}
