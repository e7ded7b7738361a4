//! The books as bytes: per instrument its head, and its levels from the best on with the queue of each. How levels lie in chunks and orders in slots is not
//! written: nothing depends on it, and a book that is built anew from its levels is laid out better than the one it was.

use super::config::{LEVEL_QTY_MAX, ORDER_QTY_MAX};
use super::head::{Bbo, BookKind, Head};
use super::ladder::Row;
use super::orders::{NONE, OrderSlot};
use super::stage::BookStage;
use super::volatility::MidSamples;
use crate::state::{Snapshot, StateError, StateReader, StateWriter};
use crate::words::{Price, Qty, Side};

impl Snapshot for BookStage {
    fn save(&self, state: &mut StateWriter) {
        let Self {
            heads,
            orders: _,
            levels: _,
            volatility: _,
            view_levels,
            touched,
            arrivals,
            epoch,
            all_quarantined,
            counters: _,
        } = self;
        state.count(heads.len());
        state.count(*view_levels);
        state.u32(*touched);
        state.u64(*arrivals);
        state.u32(*epoch);
        state.bool(*all_quarantined);
        let used = || heads.iter().enumerate().filter(|(_, head)| **head != Head::NEW);
        state.count(used().count());
        for (id, head) in used() {
            state.count(id);
            save_head(head, state);
            self.volatility.save(id, &head.mids, state);
            for side in [Side::Buy, Side::Sell] {
                let rows = || self.levels.rows(head.ladder(side));
                state.count(rows().count());
                for row in rows() {
                    self.save_row(head.kind, row, state);
                }
            }
        }
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let same = state.u64()? == self.heads.len() as u64 && state.u64()? == self.view_levels as u64;
        state.demand(same, "books of other sizes")?;
        self.touched = state.u32()?;
        state.demand(
            self.touched == NONE || (self.touched as usize) < self.heads.len(),
            "an instrument that has no book",
        )?;
        self.arrivals = state.u64()?;
        self.epoch = state.u32()?;
        self.all_quarantined = state.bool()?;
        let mut least = 0;
        state.list(self.heads.len(), |state| {
            let id = state.count(self.heads.len())?;
            state.demand(id >= least && id < self.heads.len(), "books out of order")?;
            least = id + 1;
            self.load_book(id, state)
        })?;
        self.counters.orders.set(self.orders.live() as i64);
        self.counters.levels.set(self.levels.live() as i64);
        Ok(())
    }
}

impl BookStage {
    fn save_row(&self, kind: BookKind, row: &Row, state: &mut StateWriter) {
        let Row { level, front, back: _ } = row;
        state.i64(level.price.nanos());
        match kind {
            BookKind::Orders => {
                state.u64(level.orders);
                let mut slot = *front;
                while slot != NONE {
                    let order = self.orders.slot(slot);
                    state.u64(order.reference);
                    state.i64(order.qty());
                    state.u64(self.orders.arrival(slot));
                    slot = order.behind;
                }
            }
            BookKind::Undecided | BookKind::Levels => state.i64(level.qty.lots()),
        }
    }

    fn load_book(&mut self, id: usize, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut head = load_head(state)?;
        self.volatility.load(id, &mut head.mids, state)?;
        for side in [Side::Buy, Side::Sell] {
            state.list(self.levels.room(), |state| self.load_row(id, &mut head, side, state))?;
        }
        match self.heads.get_mut(id) {
            Some(place) => *place = head,
            None => return Err(state.error("an instrument that has no book")),
        }
        Ok(())
    }

    fn load_row(
        &mut self,
        id: usize,
        head: &mut Head,
        side: Side,
        state: &mut StateReader<'_>,
    ) -> Result<(), StateError> {
        let price = Price::from_nanos(state.i64()?);
        let kind = head.kind;
        let ladder = head.ladder_mut(side);
        let Err(vacant) = self.levels.find(ladder, side, price) else {
            return Err(state.error("a price level that comes twice"));
        };
        let Ok(place) = self.levels.insert(ladder, side, vacant, price) else {
            return Err(state.error("more price levels than there is room for"));
        };
        match kind {
            BookKind::Undecided => return Err(state.error("levels of a book that is cleared")),
            BookKind::Levels => {
                let qty = state.i64()?;
                state.demand((1..=LEVEL_QTY_MAX).contains(&qty), "a quantity out of range")?;
                self.levels.row_mut(place).level.qty = Qty::from_lots(qty);
            }
            BookKind::Orders => {
                let count = state.count(self.orders.room())?;
                state.demand(count > 0, "a level without orders")?;
                let (mut total, mut ahead) = (0i64, NONE);
                for _ in 0..count {
                    let (reference, qty, arrival) = (state.u64()?, state.i64()?, state.u64()?);
                    state.demand((1..=ORDER_QTY_MAX).contains(&qty), "a quantity out of range")?;
                    total = total.saturating_add(qty);
                    let Err(vacancy) = self.orders.probe(id as u32, reference) else {
                        return Err(state.error("an order that comes twice"));
                    };
                    let slot = self.orders.next_slot();
                    let order = OrderSlot::new(id as u32, reference, side, price, qty, ahead);
                    self.orders.fill(vacancy, order, arrival);
                    let row = self.levels.row_mut(place);
                    if ahead == NONE {
                        row.front = slot;
                    }
                    row.back = slot;
                    ahead = slot;
                }
                state.demand(total <= LEVEL_QTY_MAX, "a quantity out of range")?;
                let row = self.levels.row_mut(place);
                row.level.qty = Qty::from_lots(total);
                row.level.orders = count as u64;
            }
        }
        Ok(())
    }
}

/// All of it but its ladders.
fn save_head(head: &Head, state: &mut StateWriter) {
    let Head {
        ladders: _,
        bbo,
        last_price,
        last_qty,
        order_flow_sum,
        update_id,
        mids: _,
        epoch,
        trade_sign,
        tick_direction,
        kind,
        quarantined,
        incomplete,
        crossed,
    } = head;
    let Bbo { bid, bid_qty, ask, ask_qty } = bbo;
    state.u8(match kind {
        BookKind::Undecided => 0,
        BookKind::Orders => 1,
        BookKind::Levels => 2,
    });
    for price in [bid, ask, last_price] {
        state.i64(price.nanos());
    }
    for qty in [bid_qty, ask_qty, last_qty] {
        state.i64(qty.lots());
    }
    state.i64(*order_flow_sum);
    state.u64(*update_id);
    state.u32(*epoch);
    state.i64(i64::from(*trade_sign));
    state.i64(i64::from(*tick_direction));
    state.bool(*quarantined);
    state.bool(*incomplete);
    state.bool(*crossed);
}

fn load_head(state: &mut StateReader<'_>) -> Result<Head, StateError> {
    let kind = state.number(|number| match number {
        0 => Some(BookKind::Undecided),
        1 => Some(BookKind::Orders),
        2 => Some(BookKind::Levels),
        _ => None,
    })?;
    let mut price = || state.i64().map(Price::from_nanos);
    let (bid, ask, last_price) = (price()?, price()?, price()?);
    let mut qty = || state.i64().map(Qty::from_lots);
    let (bid_qty, ask_qty, last_qty) = (qty()?, qty()?, qty()?);
    let mut head = Head {
        bbo: Bbo { bid, bid_qty, ask, ask_qty },
        last_price,
        last_qty,
        order_flow_sum: state.i64()?,
        update_id: state.u64()?,
        mids: MidSamples::NONE,
        epoch: state.u32()?,
        kind,
        ..Head::NEW
    };
    head.trade_sign = sign(state)?;
    head.tick_direction = sign(state)?;
    head.quarantined = state.bool()?;
    head.incomplete = state.bool()?;
    head.crossed = state.bool()?;
    Ok(head)
}

/// −1, 0 or 1.
fn sign(state: &mut StateReader<'_>) -> Result<i8, StateError> {
    let sign = state.i64()?;
    state.demand((-1..=1).contains(&sign), "a sign that is none")?;
    Ok(sign as i8)
}
