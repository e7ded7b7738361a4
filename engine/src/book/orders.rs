//! [`OrderIndex`]: every live order, found by (instrument, reference) with one cache miss, and linked into the queue of its level.
//!
//! Open addressing with linear probing over a power of two of slots, at most half full. Removal shifts the orders behind it back into
//! the hole, so there are no tombstones and the table never degrades. An order that is shifted takes its queue links with it.

use super::config::ORDER_QTY_MAX;
use crate::words::{Price, Side};

/// No slot, no chunk.
pub(super) const NONE: u32 = u32::MAX;

const QTY_SHIFT: u32 = 21;
const SELL_BIT: u64 = 1 << 20;
const INSTRUMENT_MASK: u64 = SELL_BIT - 1;
const OWNER_MASK: u64 = (1 << QTY_SHIFT) - 1;
const _: () = assert!(ORDER_QTY_MAX as u64 == u64::MAX >> QTY_SHIFT);

/// One live order: half a cache line. Vacant while its quantity is 0.
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
    /// The order behind it.
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
    fn is_vacant(&self) -> bool {
        self.packed <= OWNER_MASK
    }

    #[inline]
    fn is(&self, instrument: u32, reference: u64) -> bool {
        self.reference == reference && self.instrument() == instrument && !self.is_vacant()
    }
}

/// The table.
pub(super) struct OrderIndex {
    slots: Vec<OrderSlot>,
    /// When each order joined its queue, by slot. Apart from the slots: it is written once and read only when asked for.
    arrivals: Vec<u64>,
    mask: usize,
    shift: u32,
    live: usize,
    orders_max: usize,
}

impl OrderIndex {
    pub(super) fn new(orders_max: usize) -> Self {
        let count = (orders_max * 2).next_power_of_two().max(4);
        Self {
            slots: vec![OrderSlot::VACANT; count],
            arrivals: vec![0; count],
            mask: count - 1,
            shift: 64 - count.trailing_zeros(),
            live: 0,
            orders_max,
        }
    }

    #[inline]
    pub(super) fn live(&self) -> usize {
        self.live
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.live >= self.orders_max
    }

    /// Fibonacci hashing: references that follow each other fall far apart and evenly. `count` ≥ 4, so the shift is below 64.
    #[inline]
    fn home(&self, instrument: u32, reference: u64) -> usize {
        let key = reference ^ u64::from(instrument).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    /// The slot of this number.
    #[inline]
    pub(super) fn slot(&self, slot: u32) -> &OrderSlot {
        // in bounds: slot numbers come from `probe`, below the length, which never changes
        &self.slots[slot as usize]
    }

    #[inline]
    pub(super) fn slot_mut(&mut self, slot: u32) -> &mut OrderSlot {
        // in bounds: slot numbers come from `probe`, below the length, which never changes
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

    /// `Ok`: where the order lies. `Err`: the vacant slot where it would. Ends, because at least half of the slots are vacant.
    #[inline]
    pub(super) fn probe(&self, instrument: u32, reference: u64) -> Result<u32, u32> {
        let mut at = self.home(instrument, reference);
        loop {
            // in bounds: `home` shifts down to the length, the next line masks
            let slot = &self.slots[at];
            if slot.is(instrument, reference) {
                return Ok(at as u32);
            }
            if slot.is_vacant() {
                return Err(at as u32);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Fills the vacant slot that `probe` found and links it behind `order.ahead`.
    #[inline]
    pub(super) fn fill(&mut self, at: u32, order: OrderSlot, arrival: u64) {
        if order.ahead != NONE {
            self.slot_mut(order.ahead).behind = at;
        }
        *self.slot_mut(at) = order;
        // in bounds: as long as the slots
        self.arrivals[at as usize] = arrival;
        self.live += 1;
    }

    /// Takes an order out of its queue and out of the table. The orders behind the hole are shifted back; `moved` hears of each one that is first
    /// or last of its queue, with its new slot, to mend the level's ends.
    #[inline]
    pub(super) fn remove(&mut self, at: u32, moved: impl FnMut(&OrderSlot, u32)) {
        let (ahead, behind) = (self.slot(at).ahead, self.slot(at).behind);
        if ahead != NONE {
            self.slot_mut(ahead).behind = behind;
        }
        if behind != NONE {
            self.slot_mut(behind).ahead = ahead;
        }
        self.live -= 1;
        let next = (at as usize + 1) & self.mask;
        // in bounds: masked
        if self.slots[next].is_vacant() {
            *self.slot_mut(at) = OrderSlot::VACANT;
        } else {
            self.shift_back(at as usize, moved);
        }
    }

    /// Out of line: one removal in some ten needs it.
    #[inline(never)]
    fn shift_back(&mut self, at: usize, mut moved: impl FnMut(&OrderSlot, u32)) {
        let mask = self.mask;
        let (mut hole, mut from) = (at & mask, at & mask);
        loop {
            from = (from + 1) & mask;
            // in bounds: `from` and `hole` are masked
            let order = self.slots[from];
            if order.is_vacant() {
                break;
            }
            let home = self.home(order.instrument(), order.reference);
            // Its home lies at or before the hole (on the circle): it may move into it.
            if from.wrapping_sub(home) & mask >= from.wrapping_sub(hole) & mask {
                self.slots[hole] = order;
                self.arrivals[hole] = self.arrivals[from];
                if order.ahead != NONE {
                    self.slot_mut(order.ahead).behind = hole as u32;
                }
                if order.behind != NONE {
                    self.slot_mut(order.behind).ahead = hole as u32;
                }
                if order.ahead == NONE || order.behind == NONE {
                    moved(&order, hole as u32);
                }
                hole = from;
            }
        }
        self.slots[hole] = OrderSlot::VACANT;
    }

    /// Reads the cache line at which the search for this order begins.
    #[inline]
    pub(super) fn touch(&self, instrument: u32, reference: u64) -> OrderSlot {
        // in bounds: `home` shifts down to the length
        self.slots[self.home(instrument, reference)]
    }
}
