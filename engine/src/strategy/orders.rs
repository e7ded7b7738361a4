//! [`OrderReplica`]: what one strategy knows of its own orders and positions, from its intents and the reports alone.
//!
//! Risk owns the truth; this is the strategy's copy, fed by the same reports in the same order. An order is in it from the
//! moment it was given out until the venue has said that it is gone: what is uncertain counts as pending, nothing is
//! forgotten on a gap or a lost link. Never: money (costs and PnL are risk's), allocation after construction.

use super::executions::ExecutionMemory;
use super::fixed_map::FixedMap;
use crate::state::{StateError, StateReader, StateWriter, load_free, save_free};
use crate::words::{
    InstrumentId, OrderId, Price, Qty, RecoveredRecord, RejectCode, Report, ReportKind, Side, TimeInForce,
};

/// Room for orders of an earlier session, besides the `max_open_orders` of this one.
pub const RECOVERED_ORDERS_MAX: usize = 256;

/// The change of an order that was asked for and is not yet answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing is under way.
    None,
    /// A cancel.
    Cancel,
    /// A replace.
    Replace {
        /// Id of the order that shall take its place.
        new_order: OrderId,
        /// Its price.
        price: Price,
        /// Its open quantity.
        qty: Qty,
    },
}

/// One order of the strategy that is, or may be, in the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkingOrder {
    /// Its id; after a replace, the new one.
    pub id: OrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// What is still open, lots.
    pub open: Qty,
    /// How long it stands.
    pub tif: TimeInForce,
    /// Only as maker.
    pub post_only: bool,
    /// Only if it brings the position nearer to zero.
    pub reduce_only: bool,
    /// The venue has said that it has the order (accepted, or replaced another one by it).
    pub acknowledged: bool,
    /// From an earlier session. If it is not acknowledged, the answer may have been lost with that session.
    pub recovered: bool,
    /// What is under way.
    pub change: Change,
}

impl WorkingOrder {
    /// The most that can still be filled, lots: while a replace is under way either order may be the one that stands.
    pub fn open_at_most(&self) -> Qty {
        match self.change {
            Change::None | Change::Cancel => self.open,
            Change::Replace { qty, .. } => self.open.max(qty),
        }
    }
}

/// What a report did to the replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    /// It concerned an order that we hold.
    Known,
    /// It concerned an order that is already gone (a fill still moved the position).
    Unmatched,
    /// The fill was booked before; nothing changed.
    Duplicate,
    /// Not readable (unknown kind, side or instrument); nothing changed.
    Malformed,
}

const NOWHERE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    order: WorkingOrder,
    used: bool,
    /// Its new-order message is unanswered and counts as in flight.
    entering: bool,
    /// Fills of the order that is to take its place, should they come before the answer to the replace.
    filled_ahead: Qty,
    previous: u32,
    next: u32,
}

impl Slot {
    fn save(&self, state: &mut StateWriter) {
        let Self { order, used: _, entering, filled_ahead, previous, next } = self;
        let WorkingOrder {
            id,
            instrument,
            side,
            price,
            open,
            tif,
            post_only,
            reduce_only,
            acknowledged,
            recovered,
            change,
        } = order;
        state.u64(id.get());
        state.u32(instrument.get());
        state.u8(*side as u8);
        state.i64(price.nanos());
        state.i64(open.lots());
        state.u8(*tif as u8);
        for flag in [post_only, reduce_only, acknowledged, recovered, entering] {
            state.bool(*flag);
        }
        match change {
            Change::None => state.u8(0),
            Change::Cancel => state.u8(1),
            Change::Replace { new_order, price, qty } => {
                state.u8(2);
                state.u64(new_order.get());
                state.i64(price.nanos());
                state.i64(qty.lots());
            }
        }
        state.i64(filled_ahead.lots());
        state.u32(*previous);
        state.u32(*next);
    }

    fn load(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut order = WorkingOrder {
            id: OrderId::new(state.u64()?),
            instrument: InstrumentId::new(state.u32()?),
            side: state.number(Side::from_number)?,
            price: Price::from_nanos(state.i64()?),
            open: Qty::from_lots(state.i64()?),
            tif: state.number(TimeInForce::from_number)?,
            post_only: state.bool()?,
            reduce_only: state.bool()?,
            acknowledged: state.bool()?,
            recovered: state.bool()?,
            change: Change::None,
        };
        let entering = state.bool()?;
        order.change = match state.u8()? {
            0 => Change::None,
            1 => Change::Cancel,
            2 => Change::Replace {
                new_order: OrderId::new(state.u64()?),
                price: Price::from_nanos(state.i64()?),
                qty: Qty::from_lots(state.i64()?),
            },
            _ => return Err(state.error("a change that is none")),
        };
        Ok(Self {
            order,
            used: true,
            entering,
            filled_ahead: Qty::from_lots(state.i64()?),
            previous: state.u32()?,
            next: state.u32()?,
        })
    }
}

/// Orders by id and by instrument, positions, messages in flight.
pub(super) struct OrderReplica {
    slots: Box<[Slot]>,
    free: Vec<u32>,
    /// Slots ever used: what an iteration over all has to look at.
    reached: usize,
    by_id: FixedMap,
    heads: Box<[u32]>,
    positions: Box<[Qty]>,
    executions: ExecutionMemory,
    in_flight: usize,
}

impl OrderReplica {
    /// For `instruments` configured instruments and `max_open_orders` orders of this session.
    pub(super) fn new(instruments: usize, max_open_orders: usize) -> Self {
        let capacity = max_open_orders + RECOVERED_ORDERS_MAX;
        let vacant = Slot {
            order: WorkingOrder {
                id: OrderId::NONE,
                instrument: InstrumentId::ALL,
                side: Side::Buy,
                price: Price::ZERO,
                open: Qty::ZERO,
                tif: TimeInForce::Day,
                post_only: false,
                reduce_only: false,
                acknowledged: false,
                recovered: false,
                change: Change::None,
            },
            used: false,
            entering: false,
            filled_ahead: Qty::ZERO,
            previous: NOWHERE,
            next: NOWHERE,
        };
        Self {
            slots: vec![vacant; capacity].into_boxed_slice(),
            // The lowest slot is taken first.
            free: (0..capacity as u32).rev().collect(),
            reached: 0,
            // A replace under way holds two ids.
            by_id: FixedMap::with_capacity(2 * capacity),
            heads: vec![NOWHERE; instruments].into_boxed_slice(),
            positions: vec![Qty::ZERO; instruments].into_boxed_slice(),
            executions: ExecutionMemory::new(),
            in_flight: 0,
        }
    }

    /// Where each order lies is part of the state: [`OrderReplica::iter`] goes by it.
    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { slots, free, reached, by_id, heads, positions, executions, in_flight } = self;
        let used = || slots.iter().enumerate().filter(|(_, slot)| slot.used);
        state.count(used().count());
        for (at, slot) in used() {
            state.count(at);
            slot.save(state);
        }
        save_free(free, slots.len(), state);
        state.count(*reached);
        by_id.save(state);
        state.sparse(heads, NOWHERE);
        state.sparse(positions, Qty::ZERO);
        executions.save(state);
        state.count(*in_flight);
    }

    /// Into an empty replica.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let count = state.list(self.slots.len(), |state| {
            let at = state.count(self.slots.len())?;
            let loaded = Slot::load(state)?;
            match self.slots.get_mut(at) {
                Some(slot) if !slot.used => *slot = loaded,
                Some(_) | None => return Err(state.error("two orders in one place")),
            }
            Ok(())
        })?;
        load_free(&mut self.free, self.slots.len(), state)?;
        let apart = self.free.iter().all(|at| self.slots.get(*at as usize).is_some_and(|slot| !slot.used));
        state.demand(
            apart && count + self.free.len() == self.slots.len(),
            "free places that are not those without an order",
        )?;
        self.reached = state.count(self.slots.len())?;
        self.by_id.load(self.slots.len(), state)?;
        state.sparse(&mut self.heads)?;
        self.check_chains(state, count)?;
        state.sparse(&mut self.positions)?;
        self.executions.load(state)?;
        self.in_flight = state.count(2 * self.slots.len())?;
        Ok(())
    }

    /// Whether the orders of the instruments hang together, each in one place.
    fn check_chains(&self, state: &StateReader<'_>, count: usize) -> Result<(), StateError> {
        let mut met = 0;
        for (instrument, head) in self.heads.iter().enumerate() {
            let (mut at, mut previous) = (*head, NOWHERE);
            while at != NOWHERE {
                let slot = self.slots.get(at as usize).filter(|slot| {
                    slot.used && slot.previous == previous && slot.order.instrument.index() == instrument
                });
                let slot = slot.ok_or_else(|| state.error("an order that hangs on no other"))?;
                met += 1;
                state.demand(met <= count, "orders in a circle")?;
                (previous, at) = (at, slot.next);
            }
        }
        state.demand(met == count, "an order that hangs on no other")
    }

    /// New orders and replaces without an answer.
    #[inline]
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Orders that hold a place: open ones, and those gone whose replace is still unanswered.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Signed lots.
    #[inline]
    pub(super) fn position(&self, instrument: InstrumentId) -> Qty {
        self.positions.get(instrument.index()).copied().unwrap_or(Qty::ZERO)
    }

    /// The order with this id, or the one that is being replaced by it.
    #[inline]
    pub(super) fn by_id(&self, id: OrderId) -> Option<&WorkingOrder> {
        let slot = self.slots.get(self.by_id.find((id.get(), 0))? as usize)?;
        Some(&slot.order)
    }

    /// Every order that may still be filled.
    pub(super) fn iter(&self) -> impl Iterator<Item = &WorkingOrder> {
        let reached = self.slots.get(..self.reached).unwrap_or(&self.slots);
        reached.iter().filter(|slot| slot.used).map(|slot| &slot.order).filter(|order| is_live(order))
    }

    /// Those of one instrument, the youngest first.
    #[inline]
    pub(super) fn of(&self, instrument: InstrumentId) -> impl Iterator<Item = &WorkingOrder> {
        let head = self.heads.get(instrument.index()).copied().unwrap_or(NOWHERE);
        std::iter::successors(self.slots.get(head as usize), |slot| self.slots.get(slot.next as usize))
            .map(|slot| &slot.order)
            .filter(|order| is_live(order))
    }

    /// A new order was given out. False if there is no room.
    pub(super) fn enter(&mut self, order: WorkingOrder) -> bool {
        let entered = self.insert(order, true);
        self.in_flight += usize::from(entered);
        entered
    }

    /// Asks for the memory of the order that will be given out next.
    #[inline]
    pub(super) fn prefetch(&self, id: OrderId) {
        self.by_id.prefetch((id.get(), 0));
    }

    /// A cancel was given out.
    pub(super) fn cancelling(&mut self, id: OrderId) {
        if let Some(slot) = self.find(id).and_then(|at| self.slots.get_mut(at as usize)) {
            slot.order.change = Change::Cancel;
        }
    }

    /// A replace was given out.
    pub(super) fn replacing(&mut self, id: OrderId, new_order: OrderId, price: Price, qty: Qty) {
        let Some(at) = self.find(id) else { return };
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.order.change = Change::Replace { new_order, price, qty };
            self.by_id.insert((new_order.get(), 0), at);
            self.in_flight += 1;
        }
    }

    /// Recovered position: replaces what was there. False for an instrument that is not configured.
    pub(super) fn recover_position(&mut self, instrument: InstrumentId, qty: Qty) -> bool {
        match self.positions.get_mut(instrument.index()) {
            Some(position) => {
                *position = qty;
                true
            }
            None => false,
        }
    }

    /// Recovered open order. The messages of the earlier session are not in flight: their answers may have come before it
    /// ended. False if it is not readable, known already, or there is no room.
    pub(super) fn recover_order(&mut self, record: &RecoveredRecord) -> bool {
        let (Some(side), Some(tif)) =
            (Side::from_number(record.side_number), TimeInForce::from_number(record.tif_number))
        else {
            return false;
        };
        let order = WorkingOrder {
            id: record.order,
            instrument: record.instrument,
            side,
            price: record.price,
            open: record.qty,
            tif,
            post_only: record.flags & crate::words::Intent::POST_ONLY != 0,
            reduce_only: record.flags & crate::words::Intent::REDUCE_ONLY != 0,
            acknowledged: record.venue_order != 0,
            recovered: true,
            change: Change::None,
        };
        record.qty > Qty::ZERO && self.find(record.order).is_none() && self.insert(order, false)
    }

    /// Books a report about an order of this strategy.
    pub(super) fn on_report(&mut self, report: &Report) -> Applied {
        let Some(kind) = report.kind() else { return Applied::Malformed };
        if kind == ReportKind::Filled {
            return self.fill(report);
        }
        let Some(at) = self.find(report.order) else { return Applied::Unmatched };
        match kind {
            ReportKind::Filled => {}
            ReportKind::Accepted => self.acknowledge(at),
            // Risk, which holds the truth, does not know the order: it will never be answered for.
            ReportKind::CancelRejected | ReportKind::ReplaceRejected
                if report.is_from_risk() && report.code() == RejectCode::UnknownOrder =>
            {
                self.settle(at);
                self.close(at);
            }
            // An order that was accepted cannot be refused any more: it stays until the venue says that it is gone.
            ReportKind::Rejected => {
                if self.slots.get(at as usize).is_some_and(|slot| !slot.order.acknowledged) {
                    self.close(at);
                }
            }
            ReportKind::Cancelled => self.close(at),
            // "As it was, or already gone": what ended it is told by a report of its own.
            ReportKind::CancelRejected => {
                if let Some(slot) = self.slots.get_mut(at as usize)
                    && slot.order.change == Change::Cancel
                {
                    slot.order.change = Change::None;
                }
            }
            ReportKind::ReplaceRejected => {
                self.settle(at);
                self.drop_if_gone(at);
            }
            ReportKind::Replaced => self.replaced(at, report),
        }
        Applied::Known
    }

    /// A fill moves the position even if its order is gone: a fill is never dropped.
    fn fill(&mut self, report: &Report) -> Applied {
        // Also by the id that a replace under way will give it.
        let at = self.by_id.find((report.order.get(), 0));
        let order = at.and_then(|at| self.slots.get(at as usize)).map(|slot| slot.order);
        let instrument = order.map_or(report.instrument, |order| order.instrument);
        let Some(side) = order.map(|order| order.side).or(report.side()) else { return Applied::Malformed };
        if report.qty <= Qty::ZERO || instrument.index() >= self.positions.len() {
            return Applied::Malformed;
        }
        if !self.executions.is_new(report.order, report.exec) {
            return Applied::Duplicate;
        }
        if let Some(position) = self.positions.get_mut(instrument.index()) {
            let signed = Qty::from_lots(report.qty.lots().saturating_mul(side.sign()));
            *position = position.saturating_add(signed);
        }
        let Some(at) = at else { return Applied::Unmatched };
        if let Some(slot) = self.slots.get_mut(at as usize) {
            if slot.order.id == report.order {
                slot.order.open = less(slot.order.open, report.qty);
            } else if let Change::Replace { qty, .. } = &mut slot.order.change {
                *qty = less(*qty, report.qty);
                slot.filled_ahead = slot.filled_ahead.saturating_add(report.qty);
            }
        }
        self.drop_if_gone(at);
        Applied::Known
    }

    fn replaced(&mut self, at: u32, report: &Report) {
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        let old_order = slot.order.id;
        // What the venue says stands now, less what was filled of it before it said so.
        let stands = less(report.leaves, std::mem::take(&mut slot.filled_ahead));
        let new_order = match slot.order.change {
            Change::Replace { new_order, .. } if report.new_order == OrderId::NONE => new_order,
            Change::Replace { .. } | Change::None | Change::Cancel => report.new_order,
        };
        self.settle(at);
        self.acknowledge(at);
        self.by_id.remove((old_order.get(), 0));
        self.by_id.insert((new_order.get(), 0), at);
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.order.id = new_order;
            slot.order.price = report.price;
            slot.order.open = stands;
            slot.order.change = Change::None;
        }
        self.drop_if_gone(at);
    }

    /// The venue has the order: its new-order message is answered.
    fn acknowledge(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.order.acknowledged = true;
            self.in_flight -= usize::from(std::mem::take(&mut slot.entering));
        }
    }

    /// The replace under way, if any, is answered.
    fn settle(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut(at as usize)
            && let Change::Replace { new_order, .. } = slot.order.change
        {
            slot.order.change = Change::None;
            slot.filled_ahead = Qty::ZERO;
            self.by_id.remove((new_order.get(), 0));
            self.in_flight -= 1;
        }
    }

    /// The order is out of the market.
    fn close(&mut self, at: u32) {
        if let Some(slot) = self.slots.get_mut(at as usize) {
            slot.order.open = Qty::ZERO;
        }
        self.drop_if_gone(at);
    }

    /// Gives the place free once nothing is open and no replace is on its way.
    fn drop_if_gone(&mut self, at: u32) {
        let Some(slot) = self.slots.get_mut(at as usize) else { return };
        if slot.order.open > Qty::ZERO || matches!(slot.order.change, Change::Replace { .. }) {
            return;
        }
        let Slot { order, previous, next, .. } = *slot;
        slot.used = false;
        // Gone before it was answered for: the answer, when it comes, finds nothing.
        self.in_flight -= usize::from(std::mem::take(&mut slot.entering));
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.previous = previous;
        }
        match self.slots.get_mut(previous as usize) {
            Some(slot) => slot.next = next,
            None => {
                if let Some(head) = self.heads.get_mut(order.instrument.index()) {
                    *head = next;
                }
            }
        }
        self.by_id.remove((order.id.get(), 0));
        // `free` was made with room for every slot: this does not allocate.
        self.free.push(at);
    }

    fn insert(&mut self, order: WorkingOrder, entering: bool) -> bool {
        let Some(head) = self.heads.get_mut(order.instrument.index()) else { return false };
        let Some(&at) = self.free.last() else { return false };
        if !self.by_id.insert((order.id.get(), 0), at) {
            return false;
        }
        self.free.pop();
        let next = std::mem::replace(head, at);
        if let Some(slot) = self.slots.get_mut(next as usize) {
            slot.previous = at;
        }
        if let Some(slot) = self.slots.get_mut(at as usize) {
            *slot = Slot { order, used: true, entering, filled_ahead: Qty::ZERO, previous: NOWHERE, next };
        }
        self.reached = self.reached.max(at as usize + 1);
        true
    }

    /// The slot of the order that has this id now (not of the one that is to be replaced by it).
    #[inline]
    fn find(&self, id: OrderId) -> Option<u32> {
        let at = self.by_id.find((id.get(), 0))?;
        self.slots.get(at as usize).is_some_and(|slot| slot.order.id == id).then_some(at)
    }
}

/// Whether it can still be filled: not if it is gone and only the answer to its replace is missing.
#[inline]
fn is_live(order: &WorkingOrder) -> bool {
    order.open_at_most() > Qty::ZERO
}

/// What is left, never below zero.
#[inline]
fn less(qty: Qty, part: Qty) -> Qty {
    qty.saturating_sub(part).max(Qty::ZERO)
}

#[cfg(test)]
mod tests;
