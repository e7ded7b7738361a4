//! [`OrderIndex`]: every live order, found by (instrument, reference) and linked into the queue of its level.
//!
//! Two tables. Orders lie in a pool of slots that are reused last-in first-out, so live orders stay close together and a slot number holds for the
//! life of an order: queue links and level ends are slot numbers. An index of 8-byte entries, open addressing with linear probing over a power of
//! two, at most half full, leads from the hash to the slot; an entry repeats 32 bits of the hash, so that a search reads other orders' slots
//! almost never and a removal none at all. Removal shifts the entries behind it back into the hole: no tombstones, the index never degrades.
//!
//! Venues number orders one after the other over all symbols, and most orders live shortly: those that live now mostly have numbers close together.
//! So eight references that follow each other share one line of the index, whatever their instruments, and only lines are hashed: the line that an order is found by
//! has mostly been read for a neighbour already. A feed that counts references by instrument is to put the instrument into their upper bits.
//!
//! Why not orders in the hashed table itself, one miss instead of two: it would spread few live orders over all of a large table, one page each,
//! and without huge pages the page walks cost more than the second, shorter way.

use super::config::ORDER_QTY_MAX;
use crate::memory::{Table, prefetch};
use crate::words::{Price, Side};

/// No slot, no chunk.
pub(super) const NONE: u32 = u32::MAX;

/// References of one line of the index, as a power of two.
const GROUP_BITS: u32 = 3;
const GROUP_MASK: u32 = (1 << GROUP_BITS) - 1;
const _: () = assert!(size_of::<Entry>() << GROUP_BITS == 64);

const QTY_SHIFT: u32 = 21;
const SELL_BIT: u64 = 1 << 20;
const INSTRUMENT_MASK: u64 = SELL_BIT - 1;
const _: () = assert!(ORDER_QTY_MAX as u64 == u64::MAX >> QTY_SHIFT);

/// One live order: half a cache line.
#[repr(C, align(32))]
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderSlot {
    /// The venue's reference.
    pub(super) reference: u64,
    /// Its price.
    pub(super) price: Price,
    /// Quantity (43 bits), sell (1 bit), instrument (20 bits).
    packed: u64,
    /// The order before it in its level's queue.
    pub(super) ahead: u32,
    /// The order behind it; of a free slot the next free one.
    pub(super) behind: u32,
}

const _: () = assert!(size_of::<OrderSlot>() == 32);

impl OrderSlot {
    const VACANT: OrderSlot =
        OrderSlot { reference: 0, price: Price::ZERO, packed: 0, ahead: NONE, behind: NONE };

    /// `qty` is within 1..=[`ORDER_QTY_MAX`], `instrument` below 2^20: the caller has checked both.
    #[inline]
    pub(super) fn new(
        instrument: u32,
        reference: u64,
        side: Side,
        price: Price,
        qty: i64,
        ahead: u32,
    ) -> Self {
        let sell = if side == Side::Sell { SELL_BIT } else { 0 };
        let packed = (qty as u64) << QTY_SHIFT | sell | u64::from(instrument);
        Self { reference, price, packed, ahead, behind: NONE }
    }

    #[inline]
    pub(super) fn qty(&self) -> i64 {
        (self.packed >> QTY_SHIFT) as i64
    }

    #[inline]
    pub(super) fn side(&self) -> Side {
        if self.packed & SELL_BIT == 0 { Side::Buy } else { Side::Sell }
    }

    #[inline]
    pub(super) fn instrument(&self) -> u32 {
        (self.packed & INSTRUMENT_MASK) as u32
    }

    /// `qty` is below what rests.
    #[inline]
    pub(super) fn reduce(&mut self, qty: i64) {
        self.packed = self.packed.wrapping_sub((qty as u64) << QTY_SHIFT);
    }

    #[inline]
    fn is(&self, instrument: u32, reference: u64) -> bool {
        self.reference == reference && self.instrument() == instrument
    }
}

/// Leads to a slot.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// 29 bits of hash and the last 3 of the reference.
    tag: u32,
    /// `NONE` while vacant.
    slot: u32,
}

const _: () = assert!(size_of::<Entry>() == 8);

impl Entry {
    const VACANT: Entry = Entry { tag: 0, slot: NONE };
}

/// Where in the index an order would go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vacancy {
    at: usize,
    tag: u32,
}

/// The pool and its index.
pub(super) struct OrderIndex {
    entries: Table<Entry>,
    slots: Table<OrderSlot>,
    /// When each order joined its queue, by slot. Apart from the slots: it is written once and read only when asked for.
    arrivals: Table<u64>,
    /// Length of `entries` − 1.
    mask: usize,
    /// 32 − log2 of the length: leads from a tag to its home.
    shift: u32,
    /// First slot of the free list.
    free: u32,
    /// Slots from here on were never used.
    fresh: u32,
    live: usize,
}

impl OrderIndex {
    /// `orders_max` is at most 2^26, so an index is at most 2^27 long.
    pub(super) fn new(orders_max: usize) -> Self {
        let count = (orders_max * 2).next_power_of_two().max(1 << GROUP_BITS);
        Self {
            entries: Table::new(count, Entry::VACANT),
            slots: Table::new(orders_max, OrderSlot::VACANT),
            arrivals: Table::new(orders_max, 0),
            mask: count - 1,
            shift: 32 - count.trailing_zeros(),
            free: NONE,
            fresh: 0,
            live: 0,
        }
    }

    #[inline]
    pub(super) fn live(&self) -> usize {
        self.live
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.live >= self.slots.len()
    }

    /// How many orders there is still room for.
    pub(super) fn room(&self) -> usize {
        self.slots.len().saturating_sub(self.live)
    }

    /// Fibonacci hashing of the group: groups that follow each other fall far apart and evenly.
    #[inline]
    fn tag(reference: u64) -> u32 {
        let hash = ((reference >> GROUP_BITS).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        hash & !GROUP_MASK | reference as u32 & GROUP_MASK
    }

    /// The group's line, and in it the reference's own place.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        (tag >> self.shift & !GROUP_MASK | tag & GROUP_MASK) as usize
    }

    /// The order in this slot.
    #[inline]
    pub(super) fn slot(&self, slot: u32) -> &OrderSlot {
        // in bounds: slot numbers come from `fill`, below the length, which never changes
        &self.slots[slot as usize]
    }

    #[inline]
    pub(super) fn slot_mut(&mut self, slot: u32) -> &mut OrderSlot {
        // in bounds: slot numbers come from `fill`, below the length, which never changes
        &mut self.slots[slot as usize]
    }

    #[inline]
    pub(super) fn arrival(&self, slot: u32) -> u64 {
        // in bounds: as long as the slots
        self.arrivals[slot as usize]
    }

    /// The slot of an order.
    #[inline]
    pub(super) fn find(&self, instrument: u32, reference: u64) -> Option<u32> {
        self.probe(instrument, reference).ok()
    }

    /// `Ok`: the slot of the order. `Err`: where it would go in the index. Ends, because at least half of the entries are vacant.
    #[inline]
    pub(super) fn probe(&self, instrument: u32, reference: u64) -> Result<u32, Vacancy> {
        let tag = Self::tag(reference);
        let mut at = self.home(tag);
        loop {
            // in bounds: masked, or shifted down to the length
            let entry = self.entries[at];
            if entry.slot == NONE {
                return Err(Vacancy { at, tag });
            }
            if entry.tag == tag && self.slot(entry.slot).is(instrument, reference) {
                return Ok(entry.slot);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The slot that `fill` will take next. There is one, unless the pool is full.
    #[inline]
    pub(super) fn next_slot(&self) -> u32 {
        if self.free == NONE { self.fresh } else { self.free }
    }

    /// Puts an order into the next slot and links it behind `order.ahead`. The pool is not full, and nothing was filled or removed since `probe`.
    #[inline]
    pub(super) fn fill(&mut self, vacancy: Vacancy, order: OrderSlot, arrival: u64) {
        let slot = self.next_slot();
        if self.free == NONE {
            self.fresh += 1;
        } else {
            self.free = self.slot(slot).behind;
        }
        if order.ahead != NONE {
            self.slot_mut(order.ahead).behind = slot;
        }
        *self.slot_mut(slot) = order;
        // in bounds: as long as the slots; a vacancy comes from `probe`
        self.arrivals[slot as usize] = arrival;
        self.entries[vacancy.at] = Entry { tag: vacancy.tag, slot };
        self.live += 1;
    }

    /// Takes an order out of its queue, out of the index and out of the pool.
    #[inline]
    pub(super) fn remove(&mut self, slot: u32) {
        let order = self.slot(slot);
        let (ahead, behind) = (order.ahead, order.behind);
        let tag = Self::tag(order.reference);
        if ahead != NONE {
            self.slot_mut(ahead).behind = behind;
        }
        if behind != NONE {
            self.slot_mut(behind).ahead = ahead;
        }
        self.slot_mut(slot).behind = self.free;
        self.free = slot;
        self.live -= 1;
        let mut hole = self.home(tag);
        // in bounds: masked, or shifted down to the length. Ends, because a live order has its entry.
        while self.entries[hole].slot != slot {
            hole = (hole + 1) & self.mask;
        }
        let mut from = hole;
        loop {
            from = (from + 1) & self.mask;
            let entry = self.entries[from];
            if entry.slot == NONE {
                break;
            }
            let home = self.home(entry.tag);
            // Its home lies at or before the hole (on the circle): it may move into it.
            if from.wrapping_sub(home) & self.mask >= from.wrapping_sub(hole) & self.mask {
                self.entries[hole] = entry;
                hole = from;
            }
        }
        self.entries[hole] = Entry::VACANT;
    }

    /// Asks for what the search for this order will read first.
    #[inline]
    pub(super) fn prefetch_entry(&self, reference: u64) {
        // in bounds: shifted down to the length
        prefetch(&self.entries[self.home(Self::tag(reference))]);
    }

    /// Asks for the order that the entry leads to: it has been asked for before and is here by now.
    #[inline]
    pub(super) fn prefetch_slot(&self, reference: u64) {
        // in bounds: shifted down to the length
        let entry = self.entries[self.home(Self::tag(reference))];
        if let Some(slot) = self.slots.get(entry.slot as usize) {
            prefetch(slot);
        }
    }
}
