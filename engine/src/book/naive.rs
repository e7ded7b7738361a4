//! [`NaiveBookStage`]: the same books, obvious instead of fast. A sorted map of levels, each with a queue; statistics written down as their
//! formulas stand in the docs. Shares no code with the fast stage but its words, its configuration and its counters: it is the oracle the fast one is
//! compared with, and the book of the naive pipeline. It allocates as it likes.

mod statistics;

use super::BookOutput;
use super::config::{BookConfig, BookConfigError, LEVEL_QTY_MAX, ORDER_QTY_MAX};
use super::counters::BookCounters;
use super::query::{RestingOrder, hash_level};
use crate::words::{
    BookView, Digest, Event, EventKind, InstrumentId, Level, MarketStatus, Price, Qty, Side, VIEW_LEVELS_MAX,
};
use statistics::{Bests, MidHistory, TradeHistory};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// One price level: what an L2 feed says, or a queue of orders.
#[derive(Clone, Debug)]
enum NaiveLevel {
    Told(Qty),
    Queue(VecDeque<RestingOrder>),
}

impl NaiveLevel {
    fn at(&self, price: Price) -> Level {
        match self {
            NaiveLevel::Told(qty) => Level { price, qty: *qty, orders: 0 },
            NaiveLevel::Queue(queue) => Level {
                price,
                qty: Qty::from_lots(queue.iter().map(|order| order.qty.lots()).sum()),
                orders: queue.len() as u64,
            },
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    ByOrder,
    ByLevel,
}

#[derive(Clone, Debug, Default)]
struct NaiveBook {
    told: Option<Told>,
    bids: BTreeMap<Price, NaiveLevel>,
    asks: BTreeMap<Price, NaiveLevel>,
    /// Side and price of every order.
    orders: BTreeMap<u64, (Side, Price)>,
    update_id: u64,
    quarantined: bool,
    incomplete: bool,
    shown: Bests,
    order_flow_sum: i64,
    trades: TradeHistory,
    mids: MidHistory,
}

impl NaiveBook {
    fn side(&self, side: Side) -> &BTreeMap<Price, NaiveLevel> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Price, NaiveLevel> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Best first.
    fn levels(&self, side: Side) -> Vec<Level> {
        let ascending = self.side(side).iter().map(|(price, level)| level.at(*price));
        match side {
            Side::Buy => ascending.rev().collect(),
            Side::Sell => ascending.collect(),
        }
    }

    fn bests(&self) -> Bests {
        Bests {
            bid: self.bids.last_key_value().map(|(price, level)| level.at(*price)),
            ask: self.asks.first_key_value().map(|(price, level)| level.at(*price)),
        }
    }

    fn is_quarantined(&self) -> bool {
        self.quarantined || self.incomplete
    }

    /// Becomes of this kind if it is of none; whether it is.
    fn is_told(&mut self, told: Told) -> bool {
        *self.told.get_or_insert(told) == told
    }

    fn order(&self, reference: u64) -> Option<RestingOrder> {
        let (side, price) = self.orders.get(&reference)?;
        match self.side(*side).get(price)? {
            NaiveLevel::Queue(queue) => queue.iter().find(|order| order.reference == reference).copied(),
            NaiveLevel::Told(_) => None,
        }
    }

    /// Takes `qty` from an order.
    fn take(&mut self, order: RestingOrder, qty: Qty) {
        let levels = self.side_mut(order.side);
        if let Some(NaiveLevel::Queue(queue)) = levels.get_mut(&order.price) {
            for resting in queue.iter_mut().filter(|resting| resting.reference == order.reference) {
                resting.qty = resting.qty.saturating_sub(qty);
            }
            queue.retain(|resting| resting.qty > Qty::ZERO);
            if queue.is_empty() {
                levels.remove(&order.price);
            }
        }
        if qty >= order.qty {
            self.orders.remove(&order.reference);
        }
    }
}

/// The books of all instruments, from first principles. What it does for each event is said at [`BookStage`](super::BookStage).
pub struct NaiveBookStage {
    config: BookConfig,
    books: BTreeMap<InstrumentId, NaiveBook>,
    /// What a book that no event has named yet starts with.
    all_quarantined: bool,
    touched: Option<InstrumentId>,
    /// Whether this event changed something.
    applied: bool,
    arrivals: u64,
    counters: Arc<BookCounters>,
}

/// Why an event leaves a book as it is.
type Refusal = fn(&BookCounters) -> &crate::counters::Counter;

impl NaiveBookStage {
    /// Empty books.
    ///
    /// # Errors
    /// [`BookConfigError`] for a value out of range.
    pub fn new(config: &BookConfig) -> Result<Self, BookConfigError> {
        config.validate()?;
        Ok(Self {
            config: config.clone(),
            books: BTreeMap::new(),
            all_quarantined: false,
            touched: None,
            applied: false,
            arrivals: 0,
            counters: Arc::default(),
        })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<BookCounters> {
        Arc::clone(&self.counters)
    }

    /// Applies one event, as [`BookStage::on_event`](super::BookStage::on_event).
    pub fn on_event(&mut self, event: &Event, out: &mut BookOutput) {
        self.applied = false;
        if let Err(refusal) = self.apply(event) {
            refusal(&self.counters).add(1);
        }
        self.counters.events.add(u64::from(self.applied));
        let (orders, levels) = (self.live_orders(), self.live_levels());
        self.counters.orders.set(orders as i64);
        self.counters.levels.set(levels as i64);
        out.has_view = false;
        if event.has(Event::END_OF_GROUP)
            && let Some(instrument) = self.touched.take()
        {
            out.has_view = true;
            out.view = self.view(instrument, event);
        }
    }

    fn live_orders(&self) -> usize {
        self.books.values().map(|book| book.orders.len()).sum()
    }

    fn live_levels(&self) -> usize {
        self.books.values().map(|book| book.bids.len() + book.asks.len()).sum()
    }

    fn apply(&mut self, event: &Event) -> Result<(), Refusal> {
        match event.kind() {
            EventKind::OrderAdd
            | EventKind::OrderExecute
            | EventKind::OrderExecuteAt
            | EventKind::OrderReduce
            | EventKind::OrderDelete
            | EventKind::OrderReplace => self.on_order(event),
            EventKind::LevelSet => self.on_level(event),
            EventKind::BookClear => self.on_clear(event),
            EventKind::Trade => self.on_trade(event),
            EventKind::Quote => self.book(event).map(drop).map(|()| self.touch(event.instrument)),
            EventKind::Gap => self.on_quarantine(event, true),
            EventKind::Status => match MarketStatus::from_number(event.a) {
                None => Err(|counters| &counters.refused),
                Some(MarketStatus::Quarantined) => self.on_quarantine(event, true),
                Some(MarketStatus::Resynced) => self.on_quarantine(event, false),
                Some(_) if event.instrument == InstrumentId::ALL => Ok(()),
                Some(_) => self.book(event).map(drop).map(|()| self.touch(event.instrument)),
            },
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery
            | EventKind::Link => Ok(()),
        }
    }

    fn book(&mut self, event: &Event) -> Result<&mut NaiveBook, Refusal> {
        if event.instrument.index() >= self.config.instruments_max {
            return Err(|counters| &counters.unaddressed);
        }
        let quarantined = self.all_quarantined;
        Ok(self
            .books
            .entry(event.instrument)
            .or_insert_with(|| NaiveBook { quarantined, ..NaiveBook::default() }))
    }

    fn touch(&mut self, instrument: InstrumentId) {
        self.applied = true;
        if self.touched.is_some_and(|before| before != instrument) {
            self.counters.split_groups.add(1);
        }
        self.touched = Some(instrument);
    }

    fn on_order(&mut self, event: &Event) -> Result<(), Refusal> {
        let book = self.book(event)?;
        if !book.is_told(Told::ByOrder) {
            return Err(|counters| &counters.refused);
        }
        if event.kind() == EventKind::OrderAdd {
            let side = event.side().ok_or::<Refusal>(|counters| &counters.refused)?;
            return self.join(event, event.a, side);
        }
        let order = book.order(event.a).ok_or::<Refusal>(|counters| &counters.unknown_orders)?;
        if event.kind() == EventKind::OrderDelete {
            book.take(order, order.qty);
            self.touch(event.instrument);
            return Ok(());
        }
        if event.qty <= Qty::ZERO {
            return Err(|counters| &counters.refused);
        }
        if event.kind() == EventKind::OrderReplace {
            if event.qty.lots() > ORDER_QTY_MAX {
                return Err(|counters| &counters.refused);
            }
            book.take(order, order.qty);
            self.touch(event.instrument);
            let joined = self.join(event, event.b, order.side);
            return joined;
        }
        let taken = event.qty.min(order.qty);
        let sign = -order.side.sign();
        if event.kind() == EventKind::OrderExecute {
            book.trades.add(order.price, taken, Some(sign));
        }
        if event.kind() == EventKind::OrderExecuteAt && event.has(Event::PRINTABLE) {
            book.trades.add(event.price, taken, Some(sign));
        }
        book.take(order, taken);
        self.touch(event.instrument);
        if event.qty > order.qty {
            self.counters.excess_quantities.add(1);
        }
        Ok(())
    }

    fn join(&mut self, event: &Event, reference: u64, side: Side) -> Result<(), Refusal> {
        if !(1..=ORDER_QTY_MAX).contains(&event.qty.lots()) {
            return Err(|counters| &counters.refused);
        }
        let orders_full = self.live_orders() >= self.config.orders_max;
        let levels_full = self.live_levels() >= self.config.levels_max;
        let arrival = self.arrivals + 1;
        let book = self.book(event)?;
        if book.orders.contains_key(&reference) {
            return Err(|counters| &counters.duplicate_orders);
        }
        let level = book.side(side).get(&event.price).map(|level| level.at(event.price));
        let no_level = match level {
            None => levels_full,
            Some(level) => level.qty.lots() + event.qty.lots() > LEVEL_QTY_MAX,
        };
        if orders_full || no_level {
            book.incomplete = true;
            self.touch(event.instrument);
            return Err(if orders_full {
                |counters| &counters.orders_full
            } else {
                |counters| &counters.levels_full
            });
        }
        let order = RestingOrder { reference, side, price: event.price, qty: event.qty, arrival };
        book.orders.insert(reference, (side, event.price));
        let level = book.side_mut(side).entry(event.price);
        if let NaiveLevel::Queue(queue) = level.or_insert_with(|| NaiveLevel::Queue(VecDeque::new())) {
            queue.push_back(order);
        }
        self.arrivals = arrival;
        self.touch(event.instrument);
        Ok(())
    }

    fn on_level(&mut self, event: &Event) -> Result<(), Refusal> {
        let levels_full = self.live_levels() >= self.config.levels_max;
        let book = self.book(event)?;
        let is_levels = book.is_told(Told::ByLevel);
        let side = event.side().filter(|_| is_levels && event.qty >= Qty::ZERO);
        let side = side.ok_or::<Refusal>(|counters| &counters.refused)?;
        book.update_id = event.a;
        let is_new = !book.side(side).contains_key(&event.price);
        let mut result: Result<(), Refusal> = Ok(());
        if event.qty == Qty::ZERO {
            book.side_mut(side).remove(&event.price);
        } else if event.qty.lots() > LEVEL_QTY_MAX || (is_new && levels_full) {
            book.incomplete = true;
            result = Err(|counters| &counters.levels_full);
        } else {
            book.side_mut(side).insert(event.price, NaiveLevel::Told(event.qty));
        }
        self.touch(event.instrument);
        result
    }

    fn on_clear(&mut self, event: &Event) -> Result<(), Refusal> {
        let book = self.book(event)?;
        if book.told == Some(Told::ByOrder) {
            book.quarantined = true;
        }
        book.told = None;
        book.incomplete = false;
        book.update_id = event.a;
        book.bids.clear();
        book.asks.clear();
        book.orders.clear();
        self.touch(event.instrument);
        Ok(())
    }

    fn on_trade(&mut self, event: &Event) -> Result<(), Refusal> {
        let book = self.book(event)?;
        if event.qty <= Qty::ZERO {
            return Err(|counters| &counters.refused);
        }
        let told = event.side().map(Side::sign);
        let quoted = if book.is_quarantined() { None } else { book.bests().sign_of(event.price) };
        book.trades.add(event.price, event.qty, told.or(quoted));
        self.touch(event.instrument);
        Ok(())
    }

    fn on_quarantine(&mut self, event: &Event, quarantined: bool) -> Result<(), Refusal> {
        if event.instrument == InstrumentId::ALL {
            self.all_quarantined = quarantined;
            self.books.values_mut().for_each(|book| book.quarantined = quarantined);
            return Ok(());
        }
        self.book(event)?.quarantined = quarantined;
        self.touch(event.instrument);
        Ok(())
    }

    /// The view of one instrument, after `event`.
    fn view(&mut self, instrument: InstrumentId, event: &Event) -> BookView {
        self.counters.views.add(1);
        let mut view = BookView::vacant();
        let Some(book) = self.books.get_mut(&instrument) else { return view };
        let count = self.config.view_levels;
        let fill = |to: &mut [Level; VIEW_LEVELS_MAX], levels: Vec<Level>| {
            to.iter_mut().zip(levels.into_iter().take(count)).map(|(to, from)| *to = from).count() as u32
        };
        view.bid_count = fill(&mut view.bids, book.levels(Side::Buy));
        view.ask_count = fill(&mut view.asks, book.levels(Side::Sell));
        let bests = book.bests();
        if book.is_quarantined() {
            view.flags |= BookView::QUARANTINED;
        }
        if bests.is_crossed() {
            view.flags |= BookView::CROSSED;
            self.counters.crossed_views.add(1);
        }
        if bests.differs(&book.shown) {
            view.flags |= BookView::BBO_CHANGED;
        }
        let trusted = if book.is_quarantined() { None } else { bests.trusted_mid() };
        let flow = bests.order_flow_since(&book.shown);
        book.order_flow_sum = book.order_flow_sum.wrapping_add(flow);
        book.shown = bests;
        view.statistics = statistics::over(&bests, view.bids(), view.asks());
        view.statistics.order_flow = flow;
        view.statistics.order_flow_sum = book.order_flow_sum;
        view.statistics.realized_volatility =
            book.mids.volatility_then_add(&self.config, event.receive_time, trusted);
        book.trades.fill(&mut view.statistics);
        view.instrument = instrument;
        view.levels = count as u16;
        view.frame = event.frame;
        view.receive_time = event.receive_time;
        view.venue_time = event.venue_time;
        view.update_id = book.update_id;
        view
    }

    /// As [`BookStage::state_hash`](super::BookStage::state_hash).
    pub fn state_hash(&self, instrument: InstrumentId) -> u64 {
        let mut digest = Digest::new();
        for side in [Side::Buy, Side::Sell] {
            for level in self.levels(instrument, side) {
                hash_level(&mut digest, side, &level, self.queue(instrument, side, level.price).into_iter());
            }
        }
        digest.value()
    }

    /// The best level of a side.
    pub fn best(&self, instrument: InstrumentId, side: Side) -> Option<Level> {
        self.levels(instrument, side).first().copied()
    }

    /// The level at this price.
    pub fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<Level> {
        self.books.get(&instrument)?.side(side).get(&price).map(|level| level.at(price))
    }

    /// All levels of a side, best first.
    pub fn levels(&self, instrument: InstrumentId, side: Side) -> Vec<Level> {
        self.books.get(&instrument).map_or(Vec::new(), |book| book.levels(side))
    }

    /// The live order with this reference.
    pub fn order(&self, instrument: InstrumentId, reference: u64) -> Option<RestingOrder> {
        self.books.get(&instrument)?.order(reference)
    }

    /// The orders of one level, front first.
    pub fn queue(&self, instrument: InstrumentId, side: Side, price: Price) -> Vec<RestingOrder> {
        match self.books.get(&instrument).and_then(|book| book.side(side).get(&price)) {
            Some(NaiveLevel::Queue(queue)) => queue.iter().copied().collect(),
            Some(NaiveLevel::Told(_)) | None => Vec::new(),
        }
    }

    /// Number of the last order that joined a queue.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }
}
