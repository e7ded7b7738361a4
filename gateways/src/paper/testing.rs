//! A script instead of a feed, and a book of plain maps instead of the engine's: for tests.

use super::market::{MarketBook, MarketOrder};
use super::{OrderMessage, PaperConfig, PaperVenue};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    Action, Event, EventKind, Instrument, InstrumentId, InstrumentTable, Level, MarketStatus, Nanos, OrderId,
    Price, Qty, Report, Side, SourceId, StrategyId, Symbol, TimeInForce,
};
use std::collections::{BTreeMap, HashMap};

/// A "protocol" whose messages are the events themselves.
pub(crate) struct Script;

impl Decoder for Script {
    fn decode(&mut self, _: &MessageMeta, bytes: &[u8], _: &mut InstrumentTable, out: &mut EventBatch) {
        for chunk in bytes.chunks_exact(size_of::<Event>()) {
            out.push(bytemuck::pod_read_unaligned(chunk));
        }
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

pub(crate) fn bytes_of(events: &[Event]) -> Vec<u8> {
    bytemuck::cast_slice(events).to_vec()
}

#[derive(Default)]
struct Sides {
    levels: [BTreeMap<i64, Level>; 2],
    orders: HashMap<u64, MarketOrder>,
}

/// Levels in maps by price, orders in a map by reference.
#[derive(Default)]
pub(crate) struct NaiveBook {
    books: HashMap<u32, Sides>,
    arrivals: u64,
}

fn at(side: Side) -> usize {
    usize::from(side == Side::Sell)
}

impl Sides {
    fn shift(&mut self, side: Side, price: Price, qty: i64, orders: i64) {
        let map = &mut self.levels[at(side)];
        let level = map.entry(price.nanos()).or_insert(Level { price, ..Level::default() });
        level.qty = Qty::from_lots(level.qty.lots() + qty);
        level.orders = level.orders.wrapping_add_signed(orders);
        if level.qty.lots() <= 0 {
            map.remove(&price.nanos());
        }
    }

    fn lose(&mut self, reference: u64, qty: i64) -> Option<MarketOrder> {
        let order = self.orders.get_mut(&reference)?;
        let was = *order;
        let lost = qty.min(was.qty.lots());
        order.qty = Qty::from_lots(was.qty.lots() - lost);
        let gone = order.qty.lots() == 0;
        if gone {
            self.orders.remove(&reference);
        }
        self.shift(was.side, was.price, -lost, -i64::from(gone));
        Some(was)
    }
}

impl MarketBook for NaiveBook {
    fn on_event(&mut self, event: &Event) {
        let book = self.books.entry(event.instrument.get()).or_default();
        let mut join = |book: &mut Sides, reference, side, price, qty: Qty| {
            self.arrivals += 1;
            book.orders.insert(reference, MarketOrder { side, price, qty, arrival: self.arrivals });
            book.shift(side, price, qty.lots(), 1);
        };
        match event.kind() {
            EventKind::OrderAdd => join(book, event.a, event.side().unwrap(), event.price, event.qty),
            EventKind::OrderExecute | EventKind::OrderExecuteAt | EventKind::OrderReduce => {
                book.lose(event.a, event.qty.lots());
            }
            EventKind::OrderDelete => {
                book.lose(event.a, i64::MAX);
            }
            EventKind::OrderReplace => {
                if let Some(was) = book.lose(event.a, i64::MAX) {
                    join(book, event.b, was.side, event.price, event.qty);
                }
            }
            EventKind::LevelSet => {
                let map = &mut book.levels[at(event.side().unwrap())];
                if event.qty.lots() == 0 {
                    map.remove(&event.price.nanos());
                } else {
                    map.insert(event.price.nanos(), Level { price: event.price, qty: event.qty, orders: 0 });
                }
            }
            EventKind::BookClear => *book = Sides::default(),
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::Trade
            | EventKind::Quote
            | EventKind::Status
            | EventKind::Gap
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery
            | EventKind::Link => {}
        }
    }

    fn best(&self, instrument: InstrumentId, side: Side) -> Option<Level> {
        let map = &self.books.get(&instrument.get())?.levels[at(side)];
        match side {
            Side::Buy => map.values().next_back().copied(),
            Side::Sell => map.values().next().copied(),
        }
    }

    fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<Level> {
        self.books.get(&instrument.get())?.levels[at(side)].get(&price.nanos()).copied()
    }

    fn visit_levels(&self, instrument: InstrumentId, side: Side, visit: &mut dyn FnMut(&Level) -> bool) {
        let Some(book) = self.books.get(&instrument.get()) else { return };
        let ascending = book.levels[at(side)].values();
        match side {
            Side::Buy => ascending.rev().all(visit),
            Side::Sell => ascending.into_iter().all(visit),
        };
    }

    fn order(&self, instrument: InstrumentId, reference: u64) -> Option<MarketOrder> {
        self.books.get(&instrument.get())?.orders.get(&reference).copied()
    }

    fn newest_arrival(&self, _: InstrumentId) -> u64 {
        self.arrivals
    }
}

pub(crate) const ACME: InstrumentId = InstrumentId::new(0);

pub(crate) fn table() -> InstrumentTable {
    let mut table = InstrumentTable::with_capacity(4);
    for name in ["ACME", "OTHER"] {
        table.add(Instrument {
            id: ACME,
            source: SourceId::new(0),
            symbol: Symbol::new(name).unwrap(),
            lot: 1_000_000_000,
            price_decimals: 2,
            qty_decimals: 0,
            terms: None,
        });
    }
    table
}

pub(crate) fn price(units: i64) -> Price {
    Price::from_nanos(units * 1_000_000_000)
}

pub(crate) fn lots(lots: i64) -> Qty {
    Qty::from_lots(lots)
}

pub(crate) fn id(number: u64) -> OrderId {
    OrderId::compose(StrategyId::new(0), number)
}

// Events, about ACME unless said otherwise.

pub(crate) fn add(reference: u64, side: Side, at: i64, qty: i64) -> Event {
    let side_number = side as u8;
    Event {
        a: reference,
        side_number,
        price: price(at),
        qty: lots(qty),
        ..Event::new(EventKind::OrderAdd, ACME)
    }
}

pub(crate) fn execute(reference: u64, qty: i64) -> Event {
    Event { a: reference, qty: lots(qty), ..Event::new(EventKind::OrderExecute, ACME) }
}

pub(crate) fn reduce(reference: u64, qty: i64) -> Event {
    Event { a: reference, qty: lots(qty), ..Event::new(EventKind::OrderReduce, ACME) }
}

pub(crate) fn delete(reference: u64) -> Event {
    Event { a: reference, ..Event::new(EventKind::OrderDelete, ACME) }
}

pub(crate) fn replace(reference: u64, new: u64, at: i64, qty: i64) -> Event {
    Event {
        a: reference,
        b: new,
        price: price(at),
        qty: lots(qty),
        ..Event::new(EventKind::OrderReplace, ACME)
    }
}

pub(crate) fn level(side: Side, at: i64, qty: i64) -> Event {
    let side_number = side as u8;
    Event { side_number, price: price(at), qty: lots(qty), ..Event::new(EventKind::LevelSet, ACME) }
}

/// `aggressor` 0 is unknown.
pub(crate) fn trade(aggressor: u8, at: i64, qty: i64) -> Event {
    let b = u64::from(b'P');
    let side_number = aggressor;
    Event { b, side_number, price: price(at), qty: lots(qty), ..Event::new(EventKind::Trade, ACME) }
}

pub(crate) fn status(instrument: InstrumentId, status: MarketStatus) -> Event {
    Event { a: status as u64, ..Event::new(EventKind::Status, instrument) }
}

// Messages.

pub(crate) fn order(number: u64, side: Side, at: i64, qty: i64, tif: TimeInForce) -> OrderMessage {
    OrderMessage {
        action: Action::New,
        order: id(number),
        new_order: OrderId::NONE,
        instrument: ACME,
        side,
        tif,
        post_only: false,
        price: price(at),
        qty: lots(qty),
        decided: Nanos::ZERO,
        valid_until: Nanos::MAX,
        frame: number,
        after_close: false,
    }
}

pub(crate) fn cancel(number: u64, side: Side) -> OrderMessage {
    OrderMessage { action: Action::Cancel, ..order(number, side, 0, 0, TimeInForce::Day) }
}

pub(crate) fn change(number: u64, new: u64, side: Side, at: i64, qty: i64) -> OrderMessage {
    let new_order = id(new);
    OrderMessage { action: Action::Replace, new_order, ..order(number, side, at, qty, TimeInForce::Day) }
}

/// A venue at no distance but the least, driven by hand: market messages and order messages act in the order of the calls.
pub(crate) struct Bench<B> {
    pub(crate) venue: PaperVenue<B>,
    pub(crate) time: i64,
}

impl<B: MarketBook> Bench<B> {
    pub(crate) fn new(config: &PaperConfig, book: B) -> Self {
        Self { venue: PaperVenue::new(config, Box::new(Script), table(), book).unwrap(), time: 0 }
    }

    /// One message of the recorded market; gives the reports.
    pub(crate) fn market(&mut self, events: &[Event]) -> Vec<Report> {
        self.time += 10;
        self.venue.on_market(Nanos::new(self.time), &bytes_of(events));
        self.reports()
    }

    /// One message of ours, acting at once; gives the reports.
    pub(crate) fn send(&mut self, message: OrderMessage) -> Vec<Report> {
        self.time += 10;
        let decided = Nanos::new(self.time);
        self.venue.submit(&OrderMessage { decided, ..message }, decided).unwrap();
        self.venue.act_next();
        self.reports()
    }

    pub(crate) fn reports(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.venue.take_report()).map(|(_, report)| report).collect()
    }

    /// Open quantity and quantity ahead of our orders of a side, in the order in which they are served.
    pub(crate) fn queue(&self, side: Side) -> Vec<(u64, i64, i64)> {
        let standing = self.venue.standing(ACME, side);
        standing.iter().map(|r| (r.order.number(), r.open.lots(), r.ahead.lots())).collect()
    }
}

/// No distance, no faults.
pub(crate) fn near() -> PaperConfig {
    use super::Latency;
    let none = Latency::fixed(Nanos::ZERO);
    PaperConfig {
        place: none,
        cancel: none,
        replace: none,
        report: Latency::fixed(Nanos::new(1)),
        orders_max: 32,
        messages_max: 64,
        reports_max: 64,
        taken_levels_max: 64,
        ..PaperConfig::default()
    }
}
