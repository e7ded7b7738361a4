//! Rows of trading: verdicts, orders, fills, positions, and what was wrong.

use super::batch::{Names, Row};
use super::market::Place;
use super::schema::STEP_REPORTS;
use spinward_engine::book::BookStage;
use spinward_engine::risk::Position;
use spinward_engine::words::{
    Action, Event, EventKind, InstrumentId, Intent, MarketStatus, Nanos, OrderId, Price, Qty, Report,
    ReportKind, Side, TradingState, Verdict,
};
use std::collections::BTreeMap;

/// The prices by which a fill is judged.
#[derive(Clone, Copy, Default)]
struct Known {
    decision_mid: i64,
    arrival_mid: i64,
    queue_ahead: i64,
}

/// What is remembered of orders that are not gone: as many as are open.
#[derive(Default)]
pub(super) struct Tracker {
    open: BTreeMap<OrderId, Known>,
}

fn best(book: &BookStage, instrument: InstrumentId, side: Side) -> i64 {
    book.best(instrument, side).map_or(0, |level| level.price.nanos())
}

/// Toward minus infinity; 0 while a side is empty.
fn mid(book: &BookStage, instrument: InstrumentId) -> i64 {
    let [bid, ask] = [Side::Buy, Side::Sell].map(|side| book.best(instrument, side));
    match (bid, ask) {
        (Some(bid), Some(ask)) => {
            // Half of a sum of two i64 fits.
            ((i128::from(bid.price.nanos()) + i128::from(ask.price.nanos())).div_euclid(2)) as i64
        }
        (Some(_) | None, Some(_) | None) => 0,
    }
}

fn level_qty(book: &BookStage, instrument: InstrumentId, side: Option<Side>, price: Price) -> i64 {
    side.and_then(|side| book.level(instrument, side, price)).map_or(0, |level| level.qty.lots())
}

impl Tracker {
    /// An approved message left.
    pub(super) fn sent(&mut self, verdict: &Verdict, book: &BookStage) {
        let order = match Action::from_number(verdict.action_number) {
            Some(Action::New) => verdict.order,
            Some(Action::Replace) => verdict.new_order,
            Some(Action::Cancel) | None => return,
        };
        let decision_mid = mid(book, verdict.instrument);
        self.open.insert(order, Known { decision_mid, ..Known::default() });
    }

    fn arrived(&mut self, order: OrderId, report: &Report, book: &BookStage) {
        if let Some(known) = self.open.get_mut(&order) {
            known.arrival_mid = mid(book, report.instrument);
            known.queue_ahead = level_qty(book, report.instrument, report.side(), report.price);
        }
    }

    /// Before a fill's row is written.
    pub(super) fn reported(&mut self, report: &Report, book: &BookStage) {
        match report.kind() {
            Some(ReportKind::Accepted) => self.arrived(report.order, report, book),
            Some(ReportKind::Replaced) => {
                self.open.remove(&report.order);
                self.arrived(report.new_order, report, book);
            }
            Some(ReportKind::ReplaceRejected) => {
                self.open.remove(&report.new_order);
            }
            Some(ReportKind::Filled | ReportKind::CancelRejected)
            | Some(ReportKind::Rejected | ReportKind::Cancelled)
            | None => {}
        }
    }

    /// After it.
    pub(super) fn done(&mut self, report: &Report) {
        let is_gone = match report.kind() {
            Some(ReportKind::Rejected | ReportKind::Cancelled) => true,
            Some(ReportKind::Filled) => report.leaves == Qty::ZERO,
            Some(
                ReportKind::Accepted
                | ReportKind::CancelRejected
                | ReportKind::Replaced
                | ReportKind::ReplaceRejected,
            )
            | None => false,
        };
        if is_gone {
            self.open.remove(&report.order);
        }
    }

    pub(super) fn fill(
        &self,
        row: &mut Row<'_>,
        place: Place,
        report: &Report,
        book: &BookStage,
        change: &Change,
        names: &Names,
    ) {
        let known = self.open.get(&report.order).copied().unwrap_or_default();
        place.put(row);
        row.i64(report.venue_time.get())
            .u64(report.exec.get())
            .u64(report.order.get())
            .name(report.order.strategy().index(), &names.strategies)
            .u32(report.instrument.get())
            .name(report.instrument.index(), &names.instruments)
            .code(report.side().map_or(0, |side| side as u8))
            .i64(report.price.nanos())
            .i64(report.qty.lots())
            .i64(report.leaves.lots())
            .bool(report.is_maker())
            .bool(!change.has_counted)
            .i64(change.fee)
            .i64(change.realized)
            .i64(mid(book, report.instrument))
            .i64(known.decision_mid)
            .i64(known.arrival_mid)
            .i64(known.queue_ahead);
    }
}

/// What a report did to its position.
#[derive(Clone, Copy, Default)]
pub(super) struct Change {
    pub(super) has_counted: bool,
    fee: i64,
    realized: i64,
}

impl Change {
    pub(super) fn between(before: Option<&Position>, after: Option<&Position>) -> Self {
        let of = |position: Option<&Position>| {
            position.map_or((0, 0, 0), |p| (p.fills, p.fees.nanos(), p.realized.nanos()))
        };
        let (before, after) = (of(before), of(after));
        Self {
            has_counted: after.0 != before.0,
            fee: after.1.saturating_sub(before.1),
            realized: after.2.saturating_sub(before.2),
        }
    }
}

pub(super) fn verdict(
    row: &mut Row<'_>,
    place: Place,
    verdict: &Verdict,
    state: TradingState,
    names: &Names,
) {
    place.put(row);
    row.u64(verdict.order.get())
        .u64(verdict.new_order.get())
        .name(verdict.strategy.index(), &names.strategies)
        .u32(verdict.instrument.get())
        .name(verdict.instrument.index(), &names.instruments)
        .code(Action::from_number(verdict.action_number).map_or(0, |action| action as u8))
        .code(Side::from_number(verdict.side_number).map_or(0, |side| side as u8))
        .code(tif(verdict.tif_number))
        .i64(verdict.price.nanos())
        .i64(verdict.qty.lots())
        .code(verdict.code().index() as u8)
        .i64(verdict.value)
        .i64(verdict.limit)
        .code(state as u8);
}

fn tif(number: u8) -> u8 {
    spinward_engine::words::TimeInForce::from_number(number).map_or(0, |tif| tif as u8)
}

/// An approved message on its way out.
pub(super) fn order_sent(
    row: &mut Row<'_>,
    place: Place,
    verdict: &Verdict,
    book: &BookStage,
    names: &Names,
) {
    place.put(row);
    row.i64(Nanos::ZERO.get())
        .u64(verdict.order.get())
        .u64(verdict.new_order.get())
        .name(verdict.strategy.index(), &names.strategies)
        .u32(verdict.instrument.get())
        .name(verdict.instrument.index(), &names.instruments)
        .code(Action::from_number(verdict.action_number).map_or(0, |action| action as u8))
        .code(Side::from_number(verdict.side_number).map_or(0, |side| side as u8))
        .i64(verdict.price.nanos())
        .i64(verdict.qty.lots())
        .i64(verdict.qty.lots())
        .code(tif(verdict.tif_number))
        .bool(verdict.flags & Intent::POST_ONLY != 0)
        .bool(verdict.flags & Intent::REDUCE_ONLY != 0)
        .code(0)
        .bool(false)
        .u64(place.frame)
        .u64(0);
    let side = Side::from_number(verdict.side_number);
    prices(row, book, verdict.instrument, side, verdict.price);
}

/// A report.
pub(super) fn order_answer(
    row: &mut Row<'_>,
    place: Place,
    report: &Report,
    book: &BookStage,
    names: &Names,
) {
    place.put(row);
    row.i64(report.venue_time.get())
        .u64(report.order.get())
        .u64(report.new_order.get())
        .name(report.order.strategy().index(), &names.strategies)
        .u32(report.instrument.get())
        .name(report.instrument.index(), &names.instruments)
        .code(report.kind().map_or(0, |kind| STEP_REPORTS + kind as u8))
        .code(report.side().map_or(0, |side| side as u8))
        .i64(report.price.nanos())
        .i64(report.qty.lots())
        .i64(report.leaves.lots())
        .code(0)
        .bool(false)
        .bool(false)
        .code(report.code().index() as u8)
        .bool(report.is_from_risk())
        .u64(report.cause_frame)
        .u64(report.venue_order);
    prices(row, book, report.instrument, report.side(), report.price);
}

fn prices(row: &mut Row<'_>, book: &BookStage, instrument: InstrumentId, side: Option<Side>, price: Price) {
    row.i64(best(book, instrument, Side::Buy))
        .i64(best(book, instrument, Side::Sell))
        .i64(level_qty(book, instrument, side, price));
}

pub(super) fn position(row: &mut Row<'_>, place: Place, position: &Position, is_last: bool, names: &Names) {
    place.put(row);
    row.name(position.strategy.index(), &names.strategies)
        .u32(position.instrument.get())
        .name(position.instrument.index(), &names.instruments)
        .i64(position.qty.lots())
        .i64(position.cost.nanos())
        .i64(position.realized.nanos())
        .i64(position.unrealized.nanos())
        .i64(position.fees.nanos())
        .i64(position.bought.lots())
        .i64(position.sold.lots())
        .u64(position.fills)
        .bool(is_last);
}

/// Something that was wrong: its code and its words; `None` for events that tell nothing of the kind.
pub(super) fn trouble(event: &Event) -> Option<(u8, String)> {
    Some(match event.kind() {
        EventKind::Gap => (0, format!("expected {}, found {}", event.a, event.b)),
        EventKind::Duplicate => (1, format!("sequence {}", event.a)),
        EventKind::Malformed => (2, format!("error {} at byte {}", event.a, event.b)),
        EventKind::Status => (
            3,
            MarketStatus::from_number(event.a)
                .map_or_else(|| "unknown".to_owned(), |s| format!("{s:?}").to_lowercase()),
        ),
        EventKind::Link => (4, if event.a == 1 { "up" } else { "down" }.to_owned()),
        EventKind::Ignored
        | EventKind::Definition
        | EventKind::OrderAdd
        | EventKind::OrderExecute
        | EventKind::OrderExecuteAt
        | EventKind::OrderReduce
        | EventKind::OrderDelete
        | EventKind::OrderReplace
        | EventKind::LevelSet
        | EventKind::BookClear
        | EventKind::Trade
        | EventKind::Quote
        | EventKind::Report
        | EventKind::Timer
        | EventKind::Operator
        | EventKind::Recovery => return None,
    })
}

/// The code of a change of the trading state.
pub(super) const STATE_CHANGED: u8 = 5;

pub(super) fn health(
    row: &mut Row<'_>,
    place: Place,
    event: &Event,
    (code, detail): (u8, &str),
    numbers: (u64, u64),
    names: &Names,
) {
    place.put(row);
    row.i64(event.venue_time.get())
        .u32(event.instrument.get())
        .name(event.instrument.index(), &names.instruments)
        .code(code)
        .text(detail)
        .u64(numbers.0)
        .u64(numbers.1);
}
