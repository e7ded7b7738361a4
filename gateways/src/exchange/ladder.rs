//! Where orders stand: one pool of orders, and for each symbol and side ladders of price levels. Knows queues; nothing of matching.
//!
//! A ladder counts prices by *key*, the smaller the better for its own side, so that bids and asks are the same code. A window of 128 keys lies
//! over its best levels: a queue for each, one bit that says whether there is any; the best comes from counting zeros. Levels beyond the window
//! are *far*: a list, best first, from which the window is filled when it runs empty and into which it drops what it moves away from. A queue is a
//! list through the pool. All memory is taken at the start.

use super::words::{OrderId, Owner, Price4, SelfTrade};
use spinward_engine::words::Side;

/// Keys of a ladder's window.
const WINDOW: u32 = 128;
/// Better keys that a moved window leaves room for.
const HEADROOM: u32 = 24;
/// No order, no far level: entry 0 of both pools is never used.
pub(super) const NONE: u32 = 0;
/// Key of an order without a limit: better than every other.
const MARKET_KEY: u32 = 0;

/// Which of a symbol's ladders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Orders of which the market sees at least a part.
    Shown,
    /// Orders that the market does not see.
    Hidden,
    /// Orders for the opening cross.
    OnOpen,
    /// Orders for the closing cross.
    OnClose,
}

impl Kind {
    /// All, in the order in which orders of one price take part in a cross.
    pub(super) const ALL: [Self; 4] = [Self::Shown, Self::Hidden, Self::OnOpen, Self::OnClose];
}

/// A resting order, a cache line.
#[repr(align(64))]
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// The venue's number.
    pub(super) reference: u64,
    /// How often this place was used.
    generation: u32,
    /// Its level on its ladder.
    key: u32,
    pub(super) price: Price4,
    /// Displayed open shares.
    pub(super) shown: u32,
    /// Open shares that are not displayed.
    pub(super) reserve: u32,
    /// How many an iceberg shows at a time; 0 for others.
    pub(super) display: u32,
    pub(super) owner: Owner,
    pub(super) symbol: u16,
    pub(super) side: Side,
    pub(super) kind: Kind,
    pub(super) self_trade: SelfTrade,
    pub(super) post_only: bool,
    pub(super) attributed: bool,
    /// The order behind it in its queue; in a free place the next free one.
    next: u32,
    previous: u32,
}

const _: () = assert!(size_of::<Order>() == 64);

impl Order {
    const VACANT: Self = Self {
        reference: 0,
        generation: 0,
        key: 0,
        price: Price4::NONE,
        shown: 0,
        reserve: 0,
        display: 0,
        owner: Owner { account: 0, token: 0 },
        symbol: 0,
        side: Side::Buy,
        kind: Kind::Shown,
        self_trade: SelfTrade::Allow,
        post_only: false,
        attributed: false,
        next: NONE,
        previous: NONE,
    };

    /// All open shares. Both parts together are at most [`super::ORDER_SHARES_MAX`].
    #[inline]
    pub(super) const fn open(&self) -> u32 {
        self.shown + self.reserve
    }
}

/// What a new resting order is.
#[derive(Clone, Copy)]
pub(super) struct Resting {
    pub(super) reference: u64,
    /// Count of grid prices below its own; not looked at without a limit.
    pub(super) tick: u32,
    pub(super) price: Price4,
    pub(super) shown: u32,
    pub(super) reserve: u32,
    pub(super) display: u32,
    pub(super) owner: Owner,
    pub(super) symbol: u16,
    pub(super) side: Side,
    pub(super) kind: Kind,
    pub(super) self_trade: SelfTrade,
    pub(super) post_only: bool,
    pub(super) attributed: bool,
}

/// First and last order of a level.
type Queue = [u32; 2];

/// One ladder; both sides of a symbol share a cache line.
#[repr(align(32))]
#[derive(Clone, Copy)]
struct Ladder {
    /// A bit for each key of the window, at `key % 128`, that has orders. Not 0 while there is any order.
    occupied: u128,
    /// Lowest key of the window.
    base: u32,
    /// Orders on it.
    count: u32,
    /// First level beyond the window.
    far: u32,
}

/// A level beyond its window.
#[derive(Clone, Copy)]
struct Far {
    key: u32,
    queue: Queue,
    /// The next worse one; in a free node the next free one.
    next: u32,
}

/// Every order of every symbol.
pub(super) struct Books {
    orders: Box<[Order]>,
    free: u32,
    vacant: u32,
    ladders: Box<[Ladder]>,
    queues: Box<[Queue]>,
    fars: Box<[Far]>,
    free_far: u32,
    symbols: usize,
}

/// The place on a ladder of a price that has so many grid prices below it. Ticks are 1 to 2^31, so no key of a limit is 0.
#[inline]
pub(super) const fn key_of(side: Side, tick: u32) -> u32 {
    match side {
        Side::Buy => u32::MAX - tick,
        Side::Sell => tick,
    }
}

impl Books {
    /// Empty books with room for so many orders in all.
    pub(super) fn new(symbols: usize, orders_max: usize) -> Self {
        let count = orders_max + 1;
        // Free places from 1 up; the last has none behind it.
        let next = |index: usize| if index == 0 || index == orders_max { NONE } else { index as u32 + 1 };
        let ladders = symbols * 2 * Kind::ALL.len();
        Self {
            orders: (0..count).map(|index| Order { next: next(index), ..Order::VACANT }).collect(),
            free: 1,
            vacant: orders_max as u32,
            ladders: vec![Ladder { occupied: 0, base: 0, count: 0, far: NONE }; ladders].into(),
            queues: vec![[NONE; 2]; ladders * WINDOW as usize].into(),
            // At worst each order has a level of its own.
            fars: (0..count).map(|index| Far { key: 0, queue: [NONE; 2], next: next(index) }).collect(),
            free_far: 1,
            symbols,
        }
    }

    /// Free places for orders.
    #[inline]
    pub(super) fn vacant(&self) -> u32 {
        self.vacant
    }

    /// An order. Slots come from these books and are used before the order goes, so the index is in the pool.
    #[inline]
    pub(super) fn order(&self, slot: u32) -> &Order {
        &self.orders[slot as usize]
    }

    /// As [`Books::order`], to change its shares.
    #[inline]
    pub(super) fn order_mut(&mut self, slot: u32) -> &mut Order {
        &mut self.orders[slot as usize]
    }

    /// The level of an order; smaller is better, and 0 is an order without a limit.
    #[inline]
    pub(super) fn key(&self, slot: u32) -> u32 {
        self.orders[slot as usize].key
    }

    /// The handle of an order.
    #[inline]
    pub(super) fn id(&self, slot: u32) -> OrderId {
        OrderId::of(slot, self.orders[slot as usize].generation)
    }

    /// The order that a handle names, if it still rests.
    #[inline]
    pub(super) fn find(&self, id: OrderId) -> Option<u32> {
        let order = self.orders.get(id.slot() as usize)?;
        (order.generation == id.generation() && order.open() > 0).then_some(id.slot())
    }

    #[inline]
    fn ladder_index(&self, symbol: u16, side: Side, kind: Kind) -> usize {
        let lane = match side {
            Side::Buy => 0,
            Side::Sell => 1,
        };
        (kind as usize * self.symbols + usize::from(symbol)) * 2 + lane
    }

    /// How many orders stand on a ladder.
    #[inline]
    pub(super) fn count(&self, symbol: u16, side: Side, kind: Kind) -> u32 {
        self.ladders[self.ladder_index(symbol, side, kind)].count
    }

    /// The first order of the best level.
    #[inline]
    pub(super) fn first(&self, symbol: u16, side: Side, kind: Kind) -> Option<u32> {
        let at = self.ladder_index(symbol, side, kind);
        let ladder = &self.ladders[at];
        (ladder.occupied != 0).then(|| self.queues[queue_index(at, ladder.best())][0])
    }

    /// The order after this one in priority, over all levels of its ladder.
    pub(super) fn after(&self, slot: u32) -> Option<u32> {
        let order = self.order(slot);
        if order.next != NONE {
            return Some(order.next);
        }
        self.level_after(self.ladder_index(order.symbol, order.side, order.kind), order.key)
    }

    /// First order of the next worse level.
    fn level_after(&self, at: usize, key: u32) -> Option<u32> {
        let ladder = &self.ladders[at];
        // Keys of the window above this one. A far key leaves none.
        let passed = u64::from(key) + 1 - u64::from(ladder.base);
        let rest = if passed < u64::from(WINDOW) { ladder.ordered() >> passed << passed } else { 0 };
        if rest != 0 {
            return Some(self.queues[queue_index(at, ladder.base + rest.trailing_zeros())][0]);
        }
        let mut far = ladder.far;
        while far != NONE {
            let node = &self.fars[far as usize];
            if node.key > key {
                return Some(node.queue[0]);
            }
            far = node.next;
        }
        None
    }

    /// An order of the `level`-th best price (0 is the best; the worst in the window if there are fewer): the one that has `younger` behind it.
    #[inline]
    pub(super) fn near_top(&self, symbol: u16, side: Side, level: u32, younger: u32) -> Option<u32> {
        let at = self.ladder_index(symbol, side, Kind::Shown);
        let ladder = &self.ladders[at];
        let mut ticks = ladder.ordered();
        if ticks == 0 {
            return None;
        }
        for _ in 0..level {
            let rest = ticks & (ticks - 1);
            if rest == 0 {
                break;
            }
            ticks = rest;
        }
        Some(self.back_of(at, ladder.base + ticks.trailing_zeros(), younger))
    }

    /// The first displayed order beyond the window of its ladder.
    #[inline]
    pub(super) fn farther(&self, symbol: u16, side: Side) -> Option<u32> {
        let far = self.ladders[self.ladder_index(symbol, side, Kind::Shown)].far;
        (far != NONE).then(|| self.fars[far as usize].queue[0])
    }

    /// The youngest order of the first occupied level at or after the `offset`-th of the window, going round.
    #[inline]
    pub(super) fn anywhere(&self, symbol: u16, side: Side, offset: u32) -> Option<u32> {
        let at = self.ladder_index(symbol, side, Kind::Shown);
        let ladder = &self.ladders[at];
        let ticks = ladder.ordered();
        if ticks == 0 {
            return None;
        }
        let offset = offset % WINDOW;
        let found = (ticks.rotate_right(offset).trailing_zeros() + offset) % WINDOW;
        Some(self.back_of(at, ladder.base + found, 0))
    }

    #[inline]
    fn back_of(&self, at: usize, key: u32, younger: u32) -> u32 {
        let mut slot = self.queues[queue_index(at, key)][1];
        for _ in 0..younger {
            let previous = self.order(slot).previous;
            if previous == NONE {
                break;
            }
            slot = previous;
        }
        slot
    }

    /// Puts an order at the back of its level. The caller has seen to it that there is a free place.
    #[inline]
    pub(super) fn add(&mut self, resting: &Resting) -> u32 {
        let slot = self.free;
        let order = &mut self.orders[slot as usize];
        self.free = order.next;
        self.vacant -= 1;
        let key = if resting.price == Price4::NONE { MARKET_KEY } else { key_of(resting.side, resting.tick) };
        *order = Order {
            reference: resting.reference,
            generation: order.generation.wrapping_add(1),
            key,
            price: resting.price,
            shown: resting.shown,
            reserve: resting.reserve,
            display: resting.display,
            owner: resting.owner,
            symbol: resting.symbol,
            side: resting.side,
            kind: resting.kind,
            self_trade: resting.self_trade,
            post_only: resting.post_only,
            attributed: resting.attributed,
            next: NONE,
            previous: NONE,
        };
        self.link(slot);
        slot
    }

    /// Takes an order out; its place is free.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        let order = &mut self.orders[slot as usize];
        order.shown = 0;
        order.reserve = 0;
        order.next = self.free;
        self.free = slot;
        self.vacant += 1;
    }

    /// Puts an order behind all others of its level.
    pub(super) fn requeue(&mut self, slot: u32) {
        if self.order(slot).next != NONE {
            self.unlink(slot);
            self.link(slot);
        }
    }

    #[inline]
    fn link(&mut self, slot: u32) {
        let Order { key, symbol, side, kind, .. } = *self.order(slot);
        let at = self.ladder_index(symbol, side, kind);
        let ladder = &mut self.ladders[at];
        ladder.count += 1;
        if ladder.occupied == 0 {
            ladder.base = key.saturating_sub(HEADROOM);
        } else if key < ladder.base {
            self.lower(at, key.saturating_sub(HEADROOM));
        } else if key - ladder.base >= WINDOW && ladder.best() - ladder.base > WINDOW / 2 {
            let base = ladder.best() - HEADROOM;
            self.raise(at, base);
        }
        let ladder = &mut self.ladders[at];
        let queue = if key - ladder.base < WINDOW {
            ladder.occupied |= 1 << (key % WINDOW);
            &mut self.queues[queue_index(at, key)]
        } else {
            self.far_queue(at, key)
        };
        let last = queue[1];
        queue[1] = slot;
        if last == NONE {
            queue[0] = slot;
        }
        let order = &mut self.orders[slot as usize];
        order.next = NONE;
        order.previous = last;
        if last != NONE {
            self.orders[last as usize].next = slot;
        }
    }

    #[inline]
    fn unlink(&mut self, slot: u32) {
        let Order { key, symbol, side, kind, next, previous, .. } = *self.order(slot);
        let at = self.ladder_index(symbol, side, kind);
        if previous != NONE {
            self.orders[previous as usize].next = next;
        }
        if next != NONE {
            self.orders[next as usize].previous = previous;
        }
        let ladder = &mut self.ladders[at];
        ladder.count -= 1;
        if key - ladder.base >= WINDOW {
            self.far_unlink(at, key, next, previous);
            return;
        }
        let queue = &mut self.queues[queue_index(at, key)];
        if previous == NONE {
            queue[0] = next;
        }
        if next == NONE {
            queue[1] = previous;
        }
        if queue[0] == NONE {
            ladder.occupied &= !(1 << (key % WINDOW));
            if ladder.occupied == 0 && ladder.far != NONE {
                let best = self.fars[ladder.far as usize].key;
                self.raise(at, best - HEADROOM);
            }
        }
    }

    /// The queue of a far level, which is made if there is none.
    #[cold]
    fn far_queue(&mut self, at: usize, key: u32) -> &mut Queue {
        let (before, found) = self.far_place(at, key);
        if found != NONE && self.fars[found as usize].key == key {
            return &mut self.fars[found as usize].queue;
        }
        let node = self.free_far;
        self.free_far = self.fars[node as usize].next;
        self.fars[node as usize] = Far { key, queue: [NONE; 2], next: found };
        if before == NONE {
            self.ladders[at].far = node;
        } else {
            self.fars[before as usize].next = node;
        }
        &mut self.fars[node as usize].queue
    }

    #[cold]
    fn far_unlink(&mut self, at: usize, key: u32, next: u32, previous: u32) {
        if next != NONE && previous != NONE {
            return;
        }
        let (before, node) = self.far_place(at, key);
        let queue = &mut self.fars[node as usize].queue;
        if previous == NONE {
            queue[0] = next;
        }
        if next == NONE {
            queue[1] = previous;
        }
        if queue[0] == NONE {
            let behind = self.fars[node as usize].next;
            if before == NONE {
                self.ladders[at].far = behind;
            } else {
                self.fars[before as usize].next = behind;
            }
            self.fars[node as usize].next = self.free_far;
            self.free_far = node;
        }
    }

    /// The first far level that is not better than the key, and the one before it.
    fn far_place(&self, at: usize, key: u32) -> (u32, u32) {
        let (mut before, mut far) = (NONE, self.ladders[at].far);
        while far != NONE && self.fars[far as usize].key < key {
            before = far;
            far = self.fars[far as usize].next;
        }
        (before, far)
    }

    /// Moves the window to better keys; levels that it leaves become far, the worst first.
    #[cold]
    fn lower(&mut self, at: usize, base: u32) {
        let ladder = self.ladders[at];
        let mut ticks = ladder.ordered();
        let mut far = ladder.far;
        let mut occupied = ladder.occupied;
        while ticks != 0 {
            let offset = WINDOW - 1 - ticks.leading_zeros();
            let key = ladder.base + offset;
            if key - base < WINDOW {
                break;
            }
            ticks &= !(1 << offset);
            occupied &= !(1 << (key % WINDOW));
            let queue = std::mem::take(&mut self.queues[queue_index(at, key)]);
            let node = self.free_far;
            self.free_far = self.fars[node as usize].next;
            self.fars[node as usize] = Far { key, queue, next: far };
            far = node;
        }
        self.ladders[at] = Ladder { occupied, base, far, ..ladder };
    }

    /// Moves the window to worse keys (not beyond the best level); far levels that it reaches come in.
    #[cold]
    fn raise(&mut self, at: usize, base: u32) {
        let mut ladder = Ladder { base, ..self.ladders[at] };
        while ladder.far != NONE {
            let Far { key, queue, next } = self.fars[ladder.far as usize];
            if key - base >= WINDOW {
                break;
            }
            self.queues[queue_index(at, key)] = queue;
            ladder.occupied |= 1 << (key % WINDOW);
            self.fars[ladder.far as usize].next = self.free_far;
            self.free_far = ladder.far;
            ladder.far = next;
        }
        self.ladders[at] = ladder;
    }
}

impl Ladder {
    /// Bit k for the k-th key of the window.
    #[inline]
    const fn ordered(&self) -> u128 {
        self.occupied.rotate_right(self.base % WINDOW)
    }

    /// The best key; the ladder must not be empty.
    #[inline]
    const fn best(&self) -> u32 {
        self.base + self.ordered().trailing_zeros()
    }
}

/// Keys are taken modulo the window and ladders are below their count, so this is an index into the queues.
#[inline]
const fn queue_index(ladder: usize, key: u32) -> usize {
    ladder * WINDOW as usize + (key % WINDOW) as usize
}
