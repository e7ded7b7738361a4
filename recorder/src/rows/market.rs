//! Rows of the market: events, books, trades.

use super::batch::Row;
use super::schema::LEVELS;
use spinward_engine::book::BookStage;
use spinward_engine::words::{BookView, Event, EventKind, Level, Price, Side};

/// The first columns of every row that comes of an event.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: u64,
    pub(super) frame: u64,
    pub(super) index: u32,
    pub(super) receive_time: i64,
}

impl Place {
    #[inline]
    pub(super) fn put(self, row: &mut Row<'_>) {
        row.u64(self.sequence).u64(self.frame).u32(self.index).i64(self.receive_time);
    }
}

#[inline]
pub(super) fn event(row: &mut Row<'_>, place: Place, event: &Event, names: &[String]) {
    place.put(row);
    // A definition's symbol lies in price, qty and a; it stands in the column of symbols.
    let is_definition = event.kind() == EventKind::Definition;
    let (price, qty, a) =
        if is_definition { (0, 0, 0) } else { (event.price.nanos(), event.qty.lots(), event.a) };
    row.i64(event.venue_time.get())
        .u32(event.instrument.get())
        .name(event.instrument.index(), names)
        .code(event.kind() as u8)
        .code(event.side().map_or(0, |side| side as u8))
        .i64(price)
        .i64(qty)
        .u64(a)
        .u64(event.b)
        .u16(event.flags);
}

/// Five levels a side; without a view, none.
#[inline]
pub(super) fn levels(row: &mut Row<'_>, view: Option<&BookView>) {
    let none: &[Level] = &[];
    for side in [view.map_or(none, BookView::bids), view.map_or(none, BookView::asks)] {
        let side = side.get(..LEVELS).unwrap_or(side);
        row.levels(side.iter().map(|level| level.price.nanos()))
            .levels(side.iter().map(|level| level.qty.lots()))
            .levels(side.iter().map(|level| level.orders as i64));
    }
}

pub(super) fn book(row: &mut Row<'_>, place: Place, view: &BookView, names: &[String]) {
    place.put(row);
    row.i64(view.venue_time.get())
        .u32(view.instrument.get())
        .name(view.instrument.index(), names)
        .u64(view.update_id)
        .u16(view.flags)
        .i64(view.statistics.mid.nanos())
        .i64(view.statistics.microprice.nanos())
        .i64(view.statistics.spread.nanos())
        .i64(view.statistics.imbalance_1);
    levels(row, Some(view));
}

/// What an event says of a trade, with what only the book knows: price and side of the order that was resting. To be asked before the book has
/// taken the event.
#[derive(Clone, Copy)]
pub(crate) struct TradeSeen {
    /// 0: the order is not known.
    pub(crate) price: Price,
    pub(crate) aggressor: Option<Side>,
    trade_id: u64,
    /// Its volume is told nowhere else.
    pub(crate) is_counted: bool,
}

impl TradeSeen {
    #[inline]
    pub(crate) fn of(event: &Event, book: &BookStage) -> Option<Self> {
        let resting = || book.order(event.instrument, event.a);
        Some(match event.kind() {
            EventKind::Trade => {
                TradeSeen { price: event.price, aggressor: event.side(), trade_id: event.a, is_counted: true }
            }
            EventKind::OrderExecute => {
                let resting = resting();
                TradeSeen {
                    price: resting.map_or(Price::ZERO, |order| order.price),
                    aggressor: resting.map(|order| order.side.opposite()),
                    trade_id: event.b,
                    is_counted: true,
                }
            }
            EventKind::OrderExecuteAt => TradeSeen {
                price: event.price,
                aggressor: resting().map(|order| order.side.opposite()),
                trade_id: event.b,
                is_counted: event.has(Event::PRINTABLE),
            },
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::OrderAdd
            | EventKind::OrderReduce
            | EventKind::OrderDelete
            | EventKind::OrderReplace
            | EventKind::LevelSet
            | EventKind::BookClear
            | EventKind::Quote
            | EventKind::Status
            | EventKind::Gap
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery
            | EventKind::Link => return None,
        })
    }
}

pub(super) fn trade(row: &mut Row<'_>, place: Place, event: &Event, seen: &TradeSeen, names: &[String]) {
    place.put(row);
    row.i64(event.venue_time.get())
        .u32(event.instrument.get())
        .name(event.instrument.index(), names)
        .code(seen.aggressor.map_or(0, |side| side as u8))
        .i64(seen.price.nanos())
        .i64(event.qty.lots())
        .u64(seen.trade_id)
        .code(event.kind() as u8)
        .bool(seen.is_counted);
}
