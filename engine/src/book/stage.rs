//! [`BookStage`]: the fast books.

use super::BookOutput;
use super::config::{BookConfig, BookConfigError, LEVEL_QTY_MAX, ORDER_QTY_MAX};
use super::counters::BookCounters;
use super::head::{Bbo, BookKind, Head};
use super::ladder::{LevelPool, PoolFull};
use super::orders::{NONE, OrderIndex, OrderSlot};
use super::statistics::{imbalance, microprice, mid, order_flow, quote_rule};
use super::volatility::VolatilityWindow;
use crate::memory::Table;
use crate::words::{
    BookView, Event, EventKind, InstrumentId, Level, MarketStatus, Price, Qty, Side, Statistics,
};
use std::sync::Arc;

/// The books of all instruments. A plain function of the events: no ring, no thread, no clock; all memory is taken by [`BookStage::new`].
///
/// # What each event does
/// - `OrderAdd`, `OrderReplace`, `OrderExecute…`, `OrderReduce`, `OrderDelete`: as their docs say. An unknown reference, a live reference added again, a
///   quantity that is not 1..=[`ORDER_QTY_MAX`], a missing side: counted, the book unchanged. A replacement whose new reference is live only
///   removes the old order. More taken than rests: what rests, counted.
/// - `OrderExecute`, `OrderExecuteAt` and `Trade` are trades: last price and quantity, the sign of the aggressor. The aggressor of an execution is opposite
///   to the resting order. An `OrderExecuteAt` that is not [`Event::PRINTABLE`] is not a trade (its volume is told elsewhere; ITCH 5.0 §1.4.2). A
///   `Trade` without a side is signed by the quote rule on the book as it stands, at the mid or without a trusted quote by the tick rule.
/// - `LevelSet`, `BookClear`: as their docs say. A clear empties an L3 book too; as an order feed has no snapshot to follow, that book is
///   quarantined until resynced. A cleared book takes its kind (L2 or L3) from the next event.
/// - `Quote` and `Status` change no level but make a view due. `Gap` and the status `Quarantined` quarantine the book, the status `Resynced` lifts it; for
///   [`InstrumentId::ALL`] every book at once, seen in each book's next view.
/// - A full pool: what found no room is dropped, counted, and the instrument is quarantined until `BookClear`.
pub struct BookStage {
    pub(super) heads: Table<Head>,
    pub(super) orders: OrderIndex,
    pub(super) levels: LevelPool,
    pub(super) volatility: VolatilityWindow,
    pub(super) view_levels: usize,
    /// Instrument that this group has touched, or `NONE`.
    pub(super) touched: u32,
    /// Number of the last order that joined a queue.
    pub(super) arrivals: u64,
    /// Counts market-wide quarantines and their ends.
    pub(super) epoch: u32,
    /// What the last of them said.
    pub(super) all_quarantined: bool,
    pub(super) counters: Arc<BookCounters>,
}

impl BookStage {
    /// Empty books. Takes and touches all the memory they will ever use.
    ///
    /// # Errors
    /// [`BookConfigError`] for a value out of range.
    pub fn new(config: &BookConfig) -> Result<Self, BookConfigError> {
        config.validate()?;
        Ok(Self {
            heads: Table::new(config.instruments_max, Head::NEW),
            orders: OrderIndex::new(config.orders_max),
            levels: LevelPool::new(config.levels_max, config.instruments_max),
            volatility: VolatilityWindow::new(config),
            view_levels: config.view_levels,
            touched: NONE,
            arrivals: 0,
            epoch: 0,
            all_quarantined: false,
            counters: Arc::default(),
        })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<BookCounters> {
        Arc::clone(&self.counters)
    }

    /// Number of the last order that joined a queue: orders that rest now have an [`arrival`](super::RestingOrder::arrival) up to this, orders to come a
    /// greater one.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Applies one event. Sets `out.has_view`, and writes `out.view` if the event completes a group that changed something: its head, its
    /// statistics and the levels in use, not the memory behind them. Never reads `out`.
    #[inline]
    pub fn on_event(&mut self, event: &Event, out: &mut BookOutput) {
        match event.kind() {
            EventKind::OrderAdd => self.on_add(event),
            EventKind::OrderDelete => self.on_delete(event),
            EventKind::OrderReplace => self.on_replace(event),
            EventKind::OrderExecute => self.on_execute(event, true, None),
            EventKind::OrderReduce => self.on_reduce(event),
            EventKind::OrderExecuteAt => {
                self.on_execute(event, event.has(Event::PRINTABLE), Some(event.price));
            }
            EventKind::LevelSet => self.on_level(event),
            EventKind::Trade => self.on_trade(event),
            EventKind::BookClear => self.on_clear(event),
            EventKind::Quote => {
                if let Some(id) = self.addressed(event) {
                    self.touch(id);
                }
            }
            EventKind::Status => self.on_status(event),
            EventKind::Gap => self.on_quarantine(event, true),
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery
            | EventKind::Link => {}
        }
        out.has_view = event.has(Event::END_OF_GROUP) && self.touched != NONE;
        if out.has_view {
            self.write_view(event, &mut out.view);
        }
    }

    /// Asks for the memory that events to come will need, if called for a burst of them before the first is applied: what they need is then fetched side
    /// by side instead of one after the other. In three passes, as each leads to the next: head and index entry; order and first chunk of
    /// both sides; best rows.
    #[inline]
    pub fn prefetch<'a>(&self, events: impl Iterator<Item = &'a Event> + Clone) {
        for event in events.clone() {
            if let Some(head) = self.heads.get(event.instrument.index()) {
                head.prefetch();
                self.orders.prefetch_entry(event.a);
            }
        }
        for event in events.clone() {
            if let Some(head) = self.heads.get(event.instrument.index()) {
                self.orders.prefetch_slot(event.a);
                self.levels.prefetch_chunk(head.ladder(Side::Buy));
                self.levels.prefetch_chunk(head.ladder(Side::Sell));
            }
        }
        for event in events {
            if let Some(head) = self.heads.get(event.instrument.index()) {
                self.levels.prefetch_rows(head.ladder(Side::Buy));
                self.levels.prefetch_rows(head.ladder(Side::Sell));
            }
        }
    }

    /// The instrument's number, if there is such a book.
    #[inline]
    fn addressed(&mut self, event: &Event) -> Option<u32> {
        if event.instrument.index() < self.heads.len() {
            Some(event.instrument.get())
        } else {
            self.counters.unaddressed.add(1);
            None
        }
    }

    /// Of an addressed instrument.
    #[inline]
    fn head_mut(&mut self, id: u32) -> &mut Head {
        // in bounds: `addressed` has compared it with the length
        &mut self.heads[id as usize]
    }

    /// Something of this instrument changed: its view is due at the end of the group.
    #[inline]
    fn touch(&mut self, id: u32) {
        self.counters.events.add(1);
        if self.touched != id {
            if self.touched != NONE {
                self.counters.split_groups.add(1);
            }
            self.touched = id;
        }
    }

    /// Addressed, and its book is L3.
    #[inline]
    fn order_book(&mut self, event: &Event) -> Option<u32> {
        let id = self.addressed(event)?;
        if self.head_mut(id).is_of(BookKind::Orders) {
            Some(id)
        } else {
            self.counters.refused.add(1);
            None
        }
    }

    /// The live order `event.a`.
    #[inline]
    fn resting(&mut self, event: &Event) -> Option<(u32, u32)> {
        let id = self.order_book(event)?;
        let slot = self.orders.find(id, event.a);
        if slot.is_none() {
            self.counters.unknown_orders.add(1);
        }
        slot.map(|slot| (id, slot))
    }

    #[inline]
    fn on_add(&mut self, event: &Event) {
        let Some(id) = self.order_book(event) else { return };
        match event.side() {
            Some(side) if (1..=ORDER_QTY_MAX).contains(&event.qty.lots()) => {
                if self.join(id, event.a, side, event) {
                    self.touch(id);
                }
            }
            _ => self.counters.refused.add(1),
        }
    }

    /// An order with the price and quantity of `event` comes to rest at the back of its level. False if nothing changed.
    #[inline]
    fn join(&mut self, id: u32, reference: u64, side: Side, event: &Event) -> bool {
        let (price, qty) = (event.price, event.qty.lots());
        let Err(vacant) = self.orders.probe(id, reference) else {
            self.counters.duplicate_orders.add(1);
            return false;
        };
        if self.orders.is_full() {
            self.counters.orders_full.add(1);
            self.head_mut(id).incomplete = true;
            return true;
        }
        // in bounds: addressed
        let head = &mut self.heads[id as usize];
        let ladder = head.ladder_mut(side);
        let place = match self.levels.find(ladder, side, price) {
            Ok(place) if self.levels.row(place).level.qty.lots() > LEVEL_QTY_MAX - qty => Err(PoolFull),
            Ok(place) => Ok(place),
            Err(place) => self.levels.insert(ladder, side, place, price),
        };
        let Ok(place) = place else {
            self.counters.levels_full.add(1);
            head.incomplete = true;
            return true;
        };
        let row = self.levels.row_mut(place);
        // at most 2^58: checked above
        row.level.qty = Qty::from_lots(row.level.qty.lots() + qty);
        row.level.orders += 1;
        let ahead = row.back;
        let slot = self.orders.next_slot();
        row.back = slot;
        if ahead == NONE {
            row.front = slot;
            self.counters.levels.set(self.levels.live() as i64);
        }
        self.arrivals += 1;
        self.orders.fill(vacant, OrderSlot::new(id, reference, side, price, qty, ahead), self.arrivals);
        self.counters.orders.set(self.orders.live() as i64);
        true
    }

    /// Takes `qty` (at most what rests) from an order; removes it if that is all.
    #[inline]
    fn take(&mut self, id: u32, slot: u32, qty: i64) {
        let order = self.orders.slot(slot);
        let side = order.side();
        // in bounds: addressed
        let ladder = self.heads[id as usize].ladder_mut(side);
        // Every live order has its level; if not, the book is left as it is rather than the process.
        let Ok(place) = self.levels.find(ladder, side, order.price) else { return };
        let row = self.levels.row_mut(place);
        row.level.qty = Qty::from_lots(row.level.qty.lots() - qty);
        if qty < order.qty() {
            self.orders.slot_mut(slot).reduce(qty);
            return;
        }
        row.level.orders = row.level.orders.saturating_sub(1);
        let (ahead, behind) = (order.ahead, order.behind);
        if ahead == NONE {
            row.front = behind;
        }
        if behind == NONE {
            row.back = ahead;
        }
        if ahead == NONE && behind == NONE {
            self.levels.remove(ladder, place);
            self.counters.levels.set(self.levels.live() as i64);
        }
        self.orders.remove(slot);
        self.counters.orders.set(self.orders.live() as i64);
    }

    #[inline]
    fn on_delete(&mut self, event: &Event) {
        if let Some((id, slot)) = self.resting(event) {
            self.touch(id);
            let all = self.orders.slot(slot).qty();
            self.take(id, slot, all);
        }
    }

    #[inline]
    fn on_reduce(&mut self, event: &Event) {
        if let Some((id, slot)) = self.resting(event)
            && let Some(qty) = self.takeable(event, slot)
        {
            self.touch(id);
            self.take(id, slot, qty);
        }
    }

    #[inline]
    fn on_execute(&mut self, event: &Event, is_trade: bool, at: Option<Price>) {
        if let Some((id, slot)) = self.resting(event)
            && let Some(qty) = self.takeable(event, slot)
        {
            self.touch(id);
            if is_trade {
                let order = self.orders.slot(slot);
                let sign = order.side().opposite().sign() as i8;
                let price = at.unwrap_or(order.price);
                self.head_mut(id).on_trade(price, Qty::from_lots(qty), Some(sign));
            }
            self.take(id, slot, qty);
        }
    }

    /// How much of the event's quantity rests.
    #[inline]
    fn takeable(&mut self, event: &Event, slot: u32) -> Option<i64> {
        let (wanted, rests) = (event.qty.lots(), self.orders.slot(slot).qty());
        if wanted <= 0 {
            self.counters.refused.add(1);
            return None;
        }
        if wanted > rests {
            self.counters.excess_quantities.add(1);
        }
        Some(wanted.min(rests))
    }

    #[inline]
    fn on_replace(&mut self, event: &Event) {
        let Some((id, slot)) = self.resting(event) else { return };
        if !(1..=ORDER_QTY_MAX).contains(&event.qty.lots()) {
            self.counters.refused.add(1);
            return;
        }
        self.touch(id);
        let order = self.orders.slot(slot);
        let (side, all) = (order.side(), order.qty());
        self.take(id, slot, all);
        // Under a live reference it counts as a duplicate, and only the old order is gone.
        let _ = self.join(id, event.b, side, event);
    }

    #[inline]
    fn on_level(&mut self, event: &Event) {
        let Some(id) = self.addressed(event) else { return };
        let (price, qty) = (event.price, event.qty);
        let is_levels = self.head_mut(id).is_of(BookKind::Levels);
        let Some(side) = event.side().filter(|_| is_levels && qty >= Qty::ZERO) else {
            self.counters.refused.add(1);
            return;
        };
        self.touch(id);
        // in bounds: addressed
        let head = &mut self.heads[id as usize];
        head.update_id = event.a;
        let ladder = head.ladder_mut(side);
        match self.levels.find(ladder, side, price) {
            Ok(place) if qty == Qty::ZERO => self.levels.remove(ladder, place),
            Err(_) if qty == Qty::ZERO => return,
            _ if qty.lots() > LEVEL_QTY_MAX => {
                self.counters.levels_full.add(1);
                head.incomplete = true;
                return;
            }
            Ok(place) => {
                self.levels.row_mut(place).level.qty = qty;
                return;
            }
            Err(place) => match self.levels.insert(ladder, side, place, price) {
                Ok(place) => self.levels.row_mut(place).level.qty = qty,
                Err(PoolFull) => {
                    self.counters.levels_full.add(1);
                    head.incomplete = true;
                }
            },
        }
        self.counters.levels.set(self.levels.live() as i64);
    }

    fn on_clear(&mut self, event: &Event) {
        let Some(id) = self.addressed(event) else { return };
        self.touch(id);
        let epoch = self.epoch;
        let head = self.head_mut(id);
        if head.kind == BookKind::Orders {
            (head.quarantined, head.epoch) = (true, epoch);
        }
        head.kind = BookKind::Undecided;
        head.incomplete = false;
        head.update_id = event.a;
        for side in [Side::Buy, Side::Sell] {
            while let Some(front) = self.front_order(id, side) {
                let all = self.orders.slot(front).qty();
                self.take(id, front, all);
            }
            // in bounds: addressed
            self.levels.clear(self.heads[id as usize].ladder_mut(side));
        }
        self.counters.levels.set(self.levels.live() as i64);
    }

    /// The first order of the best level.
    fn front_order(&self, id: u32, side: Side) -> Option<u32> {
        let head = self.heads.get(id as usize)?;
        self.levels.rows(head.ladder(side)).next().map(|row| row.front).filter(|front| *front != NONE)
    }

    #[inline]
    fn on_trade(&mut self, event: &Event) {
        let Some(id) = self.addressed(event) else { return };
        if event.qty <= Qty::ZERO {
            self.counters.refused.add(1);
            return;
        }
        self.touch(id);
        let sign = match event.side() {
            Some(side) => Some(side.sign() as i8),
            None => self.quote_sign(id, event.price),
        };
        self.head_mut(id).on_trade(event.price, event.qty, sign);
    }

    /// Lee & Ready's quote rule on the book as it stands.
    fn quote_sign(&self, id: u32, price: Price) -> Option<i8> {
        let head = self.heads.get(id as usize)?;
        let bid = self.levels.best(head.ladder(Side::Buy))?.price;
        let ask = self.levels.best(head.ladder(Side::Sell))?.price;
        if bid >= ask || self.is_quarantined(head) { None } else { quote_rule(price, bid, ask) }
    }

    fn on_status(&mut self, event: &Event) {
        match MarketStatus::from_number(event.a) {
            Some(MarketStatus::Quarantined) => self.on_quarantine(event, true),
            Some(MarketStatus::Resynced) => self.on_quarantine(event, false),
            Some(
                MarketStatus::Trading
                | MarketStatus::Halted
                | MarketStatus::Paused
                | MarketStatus::QuoteOnly
                | MarketStatus::Closed,
            ) => {
                if event.instrument != InstrumentId::ALL
                    && let Some(id) = self.addressed(event)
                {
                    self.touch(id);
                }
            }
            None => self.counters.refused.add(1),
        }
    }

    fn on_quarantine(&mut self, event: &Event, quarantined: bool) {
        if event.instrument == InstrumentId::ALL {
            // A book whose own state is of an older epoch takes this one.
            self.epoch = self.epoch.wrapping_add(1);
            self.all_quarantined = quarantined;
        } else if let Some(id) = self.addressed(event) {
            self.touch(id);
            let epoch = self.epoch;
            let head = self.head_mut(id);
            (head.quarantined, head.epoch) = (quarantined, epoch);
        }
    }

    #[inline]
    fn is_quarantined(&self, head: &Head) -> bool {
        head.incomplete || if head.epoch == self.epoch { head.quarantined } else { self.all_quarantined }
    }

    /// Writes the view of the instrument that the group touched. Out of line, so that its many values get the registers to themselves.
    #[inline(never)]
    fn write_view(&mut self, event: &Event, view: &mut BookView) {
        let id = self.touched;
        self.touched = NONE;
        // in bounds: addressed
        let quarantined = self.is_quarantined(&self.heads[id as usize]);
        let head = &mut self.heads[id as usize];
        let bids = self.levels.copy_best(head.ladder(Side::Buy), self.view_levels, &mut view.bids);
        let asks = self.levels.copy_best(head.ladder(Side::Sell), self.view_levels, &mut view.asks);
        let bbo = Bbo::of(&view.bids, bids.count, &view.asks, asks.count);
        let crossed = bbo.is_crossed();
        if event.receive_time.get() >= head.mids.next {
            self.volatility.advance(id as usize, &mut head.mids, event.receive_time);
        }
        let (mut middle, mut micro, mut spread) = (Price::ZERO, Price::ZERO, Price::ZERO);
        if bbo.has_both() {
            middle = mid(bbo.bid, bbo.ask);
            micro = microprice(&bbo);
            spread = bbo.ask.saturating_sub(bbo.bid);
            if !crossed && !quarantined {
                head.mids.set(middle);
            }
        }
        let flow = order_flow(&head.bbo, &bbo);
        head.order_flow_sum = head.order_flow_sum.wrapping_add(flow);
        let mut flags = 0;
        if quarantined {
            flags |= BookView::QUARANTINED;
        }
        if crossed {
            flags |= BookView::CROSSED;
            self.counters.crossed_views.add(1);
        }
        if bbo != head.bbo {
            flags |= BookView::BBO_CHANGED;
        }
        head.crossed = crossed;
        head.bbo = bbo;
        view.instrument = InstrumentId::new(id);
        view.levels = self.view_levels as u16;
        view.flags = flags;
        view.bid_count = bids.count;
        view.ask_count = asks.count;
        view.frame = event.frame;
        view.receive_time = event.receive_time;
        view.venue_time = event.venue_time;
        view.update_id = head.update_id;
        view.statistics = Statistics {
            mid: middle,
            microprice: micro,
            spread,
            imbalance_1: imbalance(bbo.bid_qty.lots(), bbo.ask_qty.lots()),
            imbalance_n: imbalance(bids.depth, asks.depth),
            bid_depth: Qty::from_lots(bids.depth),
            ask_depth: Qty::from_lots(asks.depth),
            order_flow: flow,
            order_flow_sum: head.order_flow_sum,
            realized_volatility: head.mids.volatility,
            last_price: head.last_price,
            last_qty: head.last_qty,
            trade_sign: i64::from(head.trade_sign),
        };
        self.counters.views.add(1);
    }
}

impl BookStage {
    /// What is kept of an instrument; `None` if there is no such book.
    pub(super) fn head(&self, instrument: InstrumentId) -> Option<&Head> {
        self.heads.get(instrument.index())
    }

    /// A level and the slot of its first order.
    pub(super) fn row_at(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<(Level, u32)> {
        let head = self.head(instrument)?;
        let place = self.levels.find(head.ladder(side), side, price).ok()?;
        let row = self.levels.row(place);
        Some((row.level, row.front))
    }
}
