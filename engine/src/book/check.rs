//! [`BookStage::check`]: the invariants of a book, tested from outside of the hot path.

use super::head::{Bbo, BookKind};
use super::orders::NONE;
use super::stage::BookStage;
use crate::words::{InstrumentId, Price, Qty, Side};

/// What is wrong with a book. Each is a defect of the book itself, whatever the feed sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BookDefect {
    /// The list of levels does not hold together.
    #[error("{side:?} ladder: {what}")]
    Ladder {
        /// Of which side.
        side: Side,
        /// What does not hold.
        what: &'static str,
    },
    /// A level holds nothing, or an L2 level has orders.
    #[error("{side:?} level {price}: quantity {qty} with {orders} orders")]
    Level {
        /// Of which side.
        side: Side,
        /// Which level.
        price: Price,
        /// Its quantity.
        qty: Qty,
        /// Its order count.
        orders: u64,
    },
    /// A level's quantity or order count is not that of its orders.
    #[error("{side:?} level {price}: its orders sum to {qty} in {orders} orders, which it does not say")]
    Sum {
        /// Of which side.
        side: Side,
        /// Which level.
        price: Price,
        /// Sum of the orders' quantities.
        qty: i64,
        /// How many they are.
        orders: u64,
    },
    /// A queue is not linked as it should be, or an order in it is not this level's or cannot be found.
    #[error("{side:?} level {price}: order {reference}: {what}")]
    Queue {
        /// Of which side.
        side: Side,
        /// Which level.
        price: Price,
        /// At which order.
        reference: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// The last view shows this top of the book and does not say rightly whether it is crossed.
    #[error("bid {bid} and ask {ask}, and the last view's crossed flag says otherwise")]
    Crossed {
        /// Best bid.
        bid: Price,
        /// Best ask.
        ask: Price,
    },
}

impl BookStage {
    /// Tests a book: levels strictly sorted, lists linked both ways, quantities and counts of levels equal to those of their orders, queues in
    /// order of arrival, every order found by its reference, and not crossed unless its last view says so. Takes time in proportion to the book.
    ///
    /// # Errors
    /// The first defect found. The book is as it was.
    pub fn check(&self, instrument: InstrumentId) -> Result<(), BookDefect> {
        let Some(head) = self.head(instrument) else { return Ok(()) };
        for side in [Side::Buy, Side::Sell] {
            let ladder = head.ladder(side);
            self.levels.check(ladder, side).map_err(|what| BookDefect::Ladder { side, what })?;
            for row in self.levels.rows(ladder) {
                let level = row.level;
                let is_orders = head.kind == BookKind::Orders;
                if level.qty <= Qty::ZERO || (level.orders > 0) != is_orders {
                    return Err(BookDefect::Level {
                        side,
                        price: level.price,
                        qty: level.qty,
                        orders: level.orders,
                    });
                }
                if is_orders {
                    self.check_queue(instrument, side, level.price, row.front, row.back)?;
                    let (qty, orders) = self
                        .queue(instrument, side, level.price)
                        .fold((0, 0), |(qty, orders), order| (qty + order.qty.lots(), orders + 1));
                    if qty != level.qty.lots() || orders != level.orders {
                        return Err(BookDefect::Sum { side, price: level.price, qty, orders });
                    }
                }
            }
        }
        let (bid, ask) = (self.best(instrument, Side::Buy), self.best(instrument, Side::Sell));
        let bbo = Bbo {
            bid: bid.map_or(Price::ZERO, |level| level.price),
            bid_qty: bid.map_or(Qty::ZERO, |level| level.qty),
            ask: ask.map_or(Price::ZERO, |level| level.price),
            ask_qty: ask.map_or(Qty::ZERO, |level| level.qty),
        };
        if bbo == head.bbo && bbo.is_crossed() != head.crossed {
            return Err(BookDefect::Crossed { bid: bbo.bid, ask: bbo.ask });
        }
        Ok(())
    }

    fn check_queue(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        front: u32,
        back: u32,
    ) -> Result<(), BookDefect> {
        let (mut slot, mut ahead, mut arrival) = (front, NONE, 0);
        while slot != NONE {
            let order = self.orders.slot(slot);
            let defect = |what| BookDefect::Queue { side, price, reference: order.reference, what };
            if order.instrument() != instrument.get() || order.side() != side || order.price != price {
                return Err(defect("it belongs to another level"));
            }
            if order.ahead != ahead {
                return Err(defect("it does not point back to the order ahead"));
            }
            if self.orders.arrival(slot) <= arrival {
                return Err(defect("it arrived before the order ahead"));
            }
            if self.orders.find(instrument.get(), order.reference) != Some(slot) {
                return Err(defect("it is not found by its reference"));
            }
            arrival = self.orders.arrival(slot);
            ahead = slot;
            slot = order.behind;
        }
        if back == ahead {
            Ok(())
        } else {
            Err(BookDefect::Queue {
                side,
                price,
                reference: 0,
                what: "the level does not end at its last order",
            })
        }
    }
}
