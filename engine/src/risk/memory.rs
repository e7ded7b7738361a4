//! Three small memories of fixed size: executions already counted, messages within the rate window, orders just entered.

use crate::memory::prefetch;
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{ExecId, Nanos, OrderId, Price, Qty, Side};

/// The last `capacity` executions, exact: a fill is keyed by the venue's execution id and the order (a trade between two orders of our
/// own carries one id for both).
#[derive(Debug)]
pub(super) struct FillMemory {
    /// In the order of arrival, the oldest overwritten.
    ring: Vec<(ExecId, OrderId)>,
    oldest: usize,
    capacity: usize,
    /// Open addressing with linear probing, at most half full: places in `ring`.
    index: Box<[u32]>,
    shift: u32,
}

const VACANT: u32 = u32::MAX;

impl FillMemory {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let buckets = (capacity * 2).next_power_of_two().max(2);
        Self {
            ring: Vec::with_capacity(capacity),
            oldest: 0,
            capacity,
            index: vec![VACANT; buckets].into(),
            shift: 64 - buckets.trailing_zeros(),
        }
    }

    #[inline]
    fn home(&self, key: (ExecId, OrderId)) -> usize {
        let mixed = key.0.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ key.1.get().rotate_left(32);
        (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> self.shift) as usize
    }

    #[inline]
    fn at(&self, place: usize) -> Option<(u32, (ExecId, OrderId))> {
        let slot = *self.index.get(place)?;
        self.ring.get(slot as usize).map(|key| (slot, *key))
    }

    /// Remembers; false if it was known.
    pub(super) fn remember(&mut self, exec: ExecId, order: OrderId) -> bool {
        let key = (exec, order);
        let mask = self.index.len() - 1;
        let mut place = self.home(key);
        while let Some((_, found)) = self.at(place) {
            if found == key {
                return false;
            }
            place = (place + 1) & mask;
        }
        let slot = if self.ring.len() < self.capacity {
            self.ring.push(key);
            self.ring.len() - 1
        } else {
            let slot = self.oldest;
            self.forget(slot);
            if let Some(entry) = self.ring.get_mut(slot) {
                *entry = key;
            }
            self.oldest = if slot + 1 == self.capacity { 0 } else { slot + 1 };
            // Forgetting shifts entries back: look for the place again.
            place = self.home(key);
            while self.at(place).is_some() {
                place = (place + 1) & mask;
            }
            slot
        };
        if let Some(bucket) = self.index.get_mut(place) {
            *bucket = slot as u32;
        }
        true
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { ring, oldest, capacity: _, index: _, shift: _ } = self;
        state.list(ring.iter(), |state, (exec, order)| {
            state.u64(exec.get());
            state.u64(order.get());
        });
        state.count(*oldest);
    }

    /// Into an empty memory.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.list(self.capacity, |state| {
            let (exec, order) = (ExecId::new(state.u64()?), OrderId::new(state.u64()?));
            let is_new = self.remember(exec, order);
            state.demand(is_new, "an execution that comes twice")
        })?;
        self.oldest = state.count(self.ring.len().saturating_sub(1))?;
        Ok(())
    }

    fn forget(&mut self, slot: usize) {
        let Some(key) = self.ring.get(slot) else { return };
        let mask = self.index.len() - 1;
        let mut hole = self.home(*key);
        while let Some((found, _)) = self.at(hole) {
            if found as usize == slot {
                break;
            }
            hole = (hole + 1) & mask;
        }
        let mut place = hole;
        loop {
            place = (place + 1) & mask;
            let Some((follower, found)) = self.at(place) else { break };
            let home = self.home(found);
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
    }
}

/// The times of the last `limit` messages: an exact sliding window in constant time. The limit is reached when the oldest of them is
/// still within the window.
#[derive(Debug)]
pub(super) struct RateWindow {
    times: Box<[Nanos]>,
    oldest: usize,
    window: Nanos,
}

impl RateWindow {
    pub(super) fn new(limit: u32, window: Nanos) -> Self {
        Self { times: vec![Nanos::new(i64::MIN); limit as usize].into(), oldest: 0, window }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { times, oldest, window: _ } = self;
        state.list(times.iter(), |state, time| state.i64(time.get()));
        state.count(*oldest);
    }

    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let same = state.u64()? == self.times.len() as u64;
        state.demand(same, "another limit of messages")?;
        for time in &mut self.times {
            *time = Nanos::new(state.i64()?);
        }
        self.oldest = state.count(self.times.len().saturating_sub(1))?;
        Ok(())
    }

    /// Whether one more message would be over the limit. A message is within the window for exactly its length.
    #[inline]
    pub(super) fn is_full(&self, now: Nanos) -> bool {
        self.times.get(self.oldest).is_some_and(|oldest| now.since(*oldest) < self.window)
    }

    pub(super) fn limit(&self) -> i64 {
        self.times.len() as i64
    }

    /// Counts a message that was sent.
    #[inline]
    pub(super) fn count(&mut self, now: Nanos) {
        if let Some(time) = self.times.get_mut(self.oldest) {
            *time = now;
        }
        self.oldest = if self.oldest + 1 == self.times.len() { 0 } else { self.oldest + 1 };
        if let Some(time) = self.times.get(self.oldest) {
            prefetch(time);
        }
    }
}

/// How many entered orders of one strategy in one instrument are compared with the next one.
pub const RECENT_ORDERS: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Recent {
    price: Price,
    /// Signed: a sell is negative.
    signed: i64,
    time: Nanos,
    order: OrderId,
}

/// The last [`RECENT_ORDERS`] orders entered by one strategy in one instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecentOrders {
    ring: [Recent; RECENT_ORDERS],
    next: u8,
}

impl RecentOrders {
    pub(super) const fn new() -> Self {
        let vacant =
            Recent { price: Price::ZERO, signed: 0, time: Nanos::new(i64::MIN), order: OrderId::NONE };
        Self { ring: [vacant; RECENT_ORDERS], next: 0 }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { ring, next } = self;
        for Recent { price, signed, time, order } in ring {
            state.i64(price.nanos());
            state.i64(*signed);
            state.i64(time.get());
            state.u64(order.get());
        }
        state.u8(*next);
    }

    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        for recent in &mut self.ring {
            *recent = Recent {
                price: Price::from_nanos(state.i64()?),
                signed: state.i64()?,
                time: Nanos::new(state.i64()?),
                order: OrderId::new(state.u64()?),
            };
        }
        self.next = state.number(|number| (usize::from(number) < RECENT_ORDERS).then_some(number))?;
        Ok(())
    }

    /// The same order, entered less than `window` ago. The newest first, so it ends at the first that is too old.
    #[inline]
    pub(super) fn find(
        &self,
        side: Side,
        price: Price,
        qty: Qty,
        now: Nanos,
        window: Nanos,
    ) -> Option<OrderId> {
        let signed = qty.lots().wrapping_mul(side.sign());
        let newest_first = (1..=RECENT_ORDERS).map(|back| usize::from(self.next) + RECENT_ORDERS - back);
        for place in newest_first {
            let recent = self.ring.get(place % RECENT_ORDERS)?;
            if now.since(recent.time) >= window {
                return None;
            }
            if recent.price == price && recent.signed == signed {
                return Some(recent.order);
            }
        }
        None
    }

    #[inline]
    pub(super) fn add(&mut self, side: Side, price: Price, qty: Qty, time: Nanos, order: OrderId) {
        if let Some(recent) = self.ring.get_mut(usize::from(self.next) % RECENT_ORDERS) {
            *recent = Recent { price, signed: qty.lots().wrapping_mul(side.sign()), time, order };
        }
        self.next = (self.next + 1) % RECENT_ORDERS as u8;
    }
}
