//! Orders and books of the made-up venue. Knows prices in ticks, who stands where and what it still wants; nothing of randomness, time or ITCH.
//!
//! A book is a window of 128 ticks that moves with its price: a queue of orders for each tick, one bit a side that says whether there is any. The next
//! best price comes from counting zeros. All orders lie in one pool; a queue is a list through it.

use spinward_engine::words::Side;

/// Ticks of a book's window.
pub(super) const WINDOW: u32 = 128;
/// No order.
const NONE: u32 = u32::MAX;
/// Best prices of empty sides: such that no order crosses them.
const NO_BEST: [u32; 2] = [0, u32::MAX];

/// Index of an order in the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot(u32);

/// A resting order. Two to a cache line.
#[repr(align(32))]
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// The venue's reference number.
    pub(super) reference: u64,
    /// Price in ticks.
    pub(super) tick: u32,
    /// What it still wants, never 0.
    pub(super) shares: u32,
    /// Whose book.
    pub(super) symbol: u32,
    /// Buy or sell.
    pub(super) side: Side,
    /// The order that came after it to the same price; in a free slot the next free one.
    next: u32,
    previous: u32,
}

#[derive(Clone, Copy)]
struct Queue {
    first: u32,
    last: u32,
}

/// One symbol's book. A cache line: over thousands of symbols each message finds another one cold.
#[repr(align(64))]
#[derive(Clone, Copy)]
struct Book {
    /// Lowest tick of the window.
    low: u32,
    /// How many orders stand on each side: bids, asks.
    counts: [u32; 2],
    /// Highest bid and lowest ask; [`NO_BEST`] for an empty side.
    best: [u32; 2],
    /// A bit for each tick, at `tick % 128`, that has orders: bids, asks.
    occupied: [u128; 2],
}

const _: () = assert!(size_of::<Order>() == 32 && size_of::<Book>() == 64);

/// Every book and every order. All memory is taken in [`Market::new`].
pub(super) struct Market {
    orders: Box<[Order]>,
    free: u32,
    books: Box<[Book]>,
    queues: Box<[Queue]>,
}

const fn lane(side: Side) -> usize {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

impl Market {
    /// Empty books round these prices (in ticks), with room for so many orders in all.
    pub(super) fn new(prices: &[u32], orders_max: usize) -> Self {
        let vacant = Order {
            reference: 0,
            tick: 0,
            shares: 0,
            symbol: 0,
            side: Side::Buy,
            next: NONE,
            previous: NONE,
        };
        let last = orders_max as u32 - 1;
        let orders = (0..=last)
            .map(|slot| Order { next: if slot == last { NONE } else { slot + 1 }, ..vacant })
            .collect();
        let book = |&price: &u32| Book {
            low: price.saturating_sub(WINDOW / 2).max(1),
            counts: [0; 2],
            best: NO_BEST,
            occupied: [0; 2],
        };
        Self {
            orders,
            free: 0,
            books: prices.iter().map(book).collect(),
            queues: vec![Queue { first: NONE, last: NONE }; prices.len() * WINDOW as usize].into(),
        }
    }

    /// An order. Slots come from this market and are used before it changes, so the index is in the pool.
    #[inline]
    pub(super) fn order(&self, slot: Slot) -> &Order {
        &self.orders[slot.0 as usize]
    }

    /// How many orders stand on a side.
    #[inline]
    pub(super) fn count(&self, symbol: usize, side: Side) -> u32 {
        self.books[symbol].counts[lane(side)]
    }

    /// The ticks that a book can hold now, both inclusive.
    #[inline]
    pub(super) fn window(&self, symbol: usize) -> (u32, u32) {
        let low = self.books[symbol].low;
        (low, low + WINDOW - 1)
    }

    /// Occupied ticks of a side: bit k for the k-th tick of the window.
    #[inline]
    fn ticks(&self, symbol: usize, side: Side) -> u128 {
        let book = &self.books[symbol];
        book.occupied[lane(side)].rotate_right(book.low % WINDOW)
    }

    /// The best tick of a side.
    #[inline]
    pub(super) fn best(&self, symbol: usize, side: Side) -> Option<u32> {
        let best = self.books[symbol].best[lane(side)];
        (best != NO_BEST[lane(side)]).then_some(best)
    }

    /// The best tick of a side from the bits, after its best queue emptied.
    fn next_best(&self, symbol: usize, side: Side) -> u32 {
        let ticks = self.ticks(symbol, side);
        let low = self.books[symbol].low;
        match (ticks, side) {
            (0, _) => NO_BEST[lane(side)],
            (_, Side::Buy) => low + (WINDOW - 1 - ticks.leading_zeros()),
            (_, Side::Sell) => low + ticks.trailing_zeros(),
        }
    }

    /// The first order in the queue at the best price.
    #[inline]
    pub(super) fn first(&self, symbol: usize, side: Side) -> Option<Slot> {
        self.best(symbol, side).map(|tick| Slot(self.queues[queue_index(symbol, tick)].first))
    }

    /// An order near the top: of the `level`-th best price (0 is the best; the worst there is if there are fewer), the one that has `younger` orders
    /// behind it (or the oldest).
    #[inline]
    pub(super) fn near_top(&self, symbol: usize, side: Side, level: u32, younger: u32) -> Option<Slot> {
        let mut ticks = self.ticks(symbol, side);
        if ticks == 0 {
            return None;
        }
        let mut best = 0;
        for step in 0..=level {
            best = match side {
                Side::Buy => WINDOW - 1 - ticks.leading_zeros(),
                Side::Sell => ticks.trailing_zeros(),
            };
            ticks &= !(1 << best);
            if step == level || ticks == 0 {
                break;
            }
        }
        Some(self.one_from_back(symbol, self.books[symbol].low + best, younger))
    }

    /// An order at the first occupied tick at or above the `offset`-th of the window, going round.
    #[inline]
    pub(super) fn anywhere(&self, symbol: usize, side: Side, offset: u32) -> Option<Slot> {
        let ticks = self.ticks(symbol, side);
        if ticks == 0 {
            return None;
        }
        let offset = offset % WINDOW;
        let at = (ticks.rotate_right(offset).trailing_zeros() + offset) % WINDOW;
        Some(self.one_from_back(symbol, self.books[symbol].low + at, 0))
    }

    #[inline]
    fn one_from_back(&self, symbol: usize, tick: u32, younger: u32) -> Slot {
        let mut slot = self.queues[queue_index(symbol, tick)].last;
        for _ in 0..younger {
            let previous = self.orders[slot as usize].previous;
            if previous == NONE {
                break;
            }
            slot = previous;
        }
        Slot(slot)
    }

    /// Puts an order at the back of its queue. `None`, and nothing changed, if the pool is full, the tick is outside of the window or the order would
    /// lock or cross the book.
    #[inline]
    pub(super) fn add(
        &mut self,
        symbol: usize,
        side: Side,
        tick: u32,
        shares: u32,
        reference: u64,
    ) -> Option<Slot> {
        let (low, high) = self.window(symbol);
        let [bid, ask] = self.books[symbol].best;
        let crosses = match side {
            Side::Buy => tick >= ask,
            Side::Sell => tick <= bid,
        };
        if self.free == NONE || shares == 0 || tick < low || tick > high || crosses {
            return None;
        }
        let slot = self.free;
        let queue = &mut self.queues[queue_index(symbol, tick)];
        let order = &mut self.orders[slot as usize];
        self.free = order.next;
        *order =
            Order { reference, tick, shares, symbol: symbol as u32, side, next: NONE, previous: queue.last };
        let last = std::mem::replace(&mut queue.last, slot);
        if last == NONE {
            queue.first = slot;
        } else {
            self.orders[last as usize].next = slot;
        }
        let book = &mut self.books[symbol];
        if last == NONE {
            book.occupied[lane(side)] |= 1 << (tick % WINDOW);
            book.best[lane(side)] = match side {
                Side::Buy => bid.max(tick),
                Side::Sell => ask.min(tick),
            };
        }
        book.counts[lane(side)] += 1;
        Some(Slot(slot))
    }

    /// Takes `shares` from an order, which goes when nothing is left of it. Gives what was taken.
    #[inline]
    pub(super) fn reduce(&mut self, slot: Slot, shares: u32) -> u32 {
        let order = &mut self.orders[slot.0 as usize];
        if shares >= order.shares {
            let all = order.shares;
            self.remove(slot);
            return all;
        }
        order.shares -= shares;
        shares
    }

    /// Takes an order out.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot) {
        let Order { tick, symbol, side, next, previous, .. } = *self.order(slot);
        let symbol = symbol as usize;
        let queue = &mut self.queues[queue_index(symbol, tick)];
        match previous {
            NONE => queue.first = next,
            _ => self.orders[previous as usize].next = next,
        }
        match next {
            NONE => queue.last = previous,
            _ => self.orders[next as usize].previous = previous,
        }
        let is_empty = queue.first == NONE;
        let book = &mut self.books[symbol];
        book.counts[lane(side)] -= 1;
        if is_empty {
            book.occupied[lane(side)] &= !(1 << (tick % WINDOW));
            if book.best[lane(side)] == tick {
                self.books[symbol].best[lane(side)] = self.next_best(symbol, side);
            }
        }
        self.orders[slot.0 as usize].next = self.free;
        self.free = slot.0;
    }

    /// Moves the window with the price. If an order stands in the way, it is given: it lies as far from the price as the window reaches, and must go
    /// before the window can.
    #[inline]
    pub(super) fn recenter(&mut self, symbol: usize) -> Option<Slot> {
        let (Some(bid), Some(ask)) = (self.best(symbol, Side::Buy), self.best(symbol, Side::Sell)) else {
            return None;
        };
        let book = &mut self.books[symbol];
        let middle = (bid + ask) / 2 - book.low;
        let (side, edge) = if middle > WINDOW / 2 + DRIFT {
            (Side::Buy, book.low)
        } else if middle < WINDOW / 2 - DRIFT && book.low > 1 {
            (Side::Sell, book.low + WINDOW - 1)
        } else {
            return None;
        };
        let first = self.queues[queue_index(symbol, edge)].first;
        if first != NONE {
            // The edge holds orders of the far side only, unless the book has drifted over all of its window.
            return (self.orders[first as usize].side == side).then_some(Slot(first));
        }
        match side {
            Side::Buy => book.low += 1,
            Side::Sell => book.low -= 1,
        }
        None
    }
}

/// How far the price goes from the middle of the window before the window follows.
const DRIFT: u32 = 4;

/// The tick is taken modulo the window and symbols are below the count of books, so this is an index into the queues.
#[inline]
const fn queue_index(symbol: usize, tick: u32) -> usize {
    symbol * WINDOW as usize + (tick % WINDOW) as usize
}

#[cfg(test)]
mod tests;
