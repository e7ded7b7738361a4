//! Events as DBN's records.
//!
//! As Databento normalizes an order feed: an execution is a trade (`T`, side of the aggressor), a fill of the resting order (`F`) and the cancel (`C`) that
//! takes its shares out of the book; a replace by another reference is a cancel and an add. The last record of an event group is marked.

use super::{DbnError, DbnSchema};
use crate::rows::TradeSeen;
use dbn::encode::EncodeRecord;
use dbn::{
    Action, BidAskPair, FlagSet, MboMsg, Mbp10Msg, RecordHeader, Side as DbnSide, TradeMsg, UNDEF_PRICE,
    flags, rtype,
};
use spinward_engine::book::{BookOutput, BookStage, RestingOrder};
use spinward_engine::words::{BookView, Event, EventKind, Level, Nanos, Price, Side};

/// Not one of Databento's publishers.
const PUBLISHER: u16 = 0;

/// What DBN cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    Levels,
    Size(i64),
}

impl Problem {
    pub(super) fn at(self, event: &Event, symbol: &str) -> DbnError {
        let (frame, symbol) = (event.frame, symbol.to_owned());
        match self {
            Self::Levels => DbnError::Levels { frame, symbol },
            Self::Size(lots) => DbnError::Size { frame, symbol, lots },
        }
    }
}

/// What one event says: orders' records, a trade or a book.
#[derive(Debug, Default)]
pub(super) struct Said {
    orders: Vec<MboMsg>,
    trade: Option<TradeMsg>,
    levels: Option<Mbp10Msg>,
}

impl Said {
    /// How many records that were.
    pub(super) fn write(&self, encoder: &mut impl EncodeRecord) -> dbn::Result<u64> {
        encoder.encode_records(&self.orders)?;
        if let Some(trade) = &self.trade {
            encoder.encode_record(trade)?;
        }
        if let Some(levels) = &self.levels {
            encoder.encode_record(levels)?;
        }
        let single = u64::from(self.trade.is_some()) + u64::from(self.levels.is_some());
        Ok(self.orders.len() as u64 + single)
    }
}

/// Runs the books and tells of each event.
pub(super) struct Recorder {
    schema: DbnSchema,
    output: BookOutput,
    said: Said,
}

impl Recorder {
    pub(super) fn new(schema: DbnSchema) -> Self {
        Self { schema, output: BookOutput::vacant(), said: Said::default() }
    }

    /// Takes an event; tells of it if it is wanted.
    pub(super) fn event(
        &mut self,
        event: &Event,
        book: &mut BookStage,
        wanted: bool,
    ) -> Result<&Said, Problem> {
        let Self { schema, output, said } = self;
        said.orders.clear();
        (said.trade, said.levels) = (None, None);
        if !wanted {
            book.on_event(event, output);
            return Ok(said);
        }
        let resting = book.order(event.instrument, event.a);
        let trade = TradeSeen::of(event, book);
        book.on_event(event, output);
        let view = output.view();
        let flags = flags_of(event, view);
        match schema {
            DbnSchema::Orders => {
                orders(event, resting.as_ref(), trade.as_ref(), flags, &mut said.orders)?;
                if let Some(last) = said.orders.last_mut()
                    && event.has(Event::END_OF_GROUP)
                {
                    last.flags.set_last();
                }
            }
            DbnSchema::Trades => {
                if let Some(trade) = trade.filter(|trade| trade.is_counted && trade.price != Price::ZERO) {
                    said.trade = Some(TradeMsg {
                        hd: header::<TradeMsg>(rtype::MBP_0, event),
                        price: trade.price.nanos(),
                        size: size(event.qty.lots())?,
                        action: letter(Action::Trade),
                        side: side(trade.aggressor),
                        flags: with_last(flags),
                        depth: 0,
                        ts_recv: unix(event.receive_time),
                        ts_in_delta: delta(event),
                        sequence: sequence(event),
                    });
                }
            }
            DbnSchema::Levels => {
                if let Some(view) = view {
                    said.levels = Some(levels(event, resting.as_ref(), trade.as_ref(), view, flags)?);
                }
            }
        }
        Ok(said)
    }
}

fn header<R: dbn::HasRType>(rtype: u8, event: &Event) -> RecordHeader {
    // Protocols without a time of the venue have that of receipt.
    let time = if event.venue_time == Nanos::ZERO { event.receive_time } else { event.venue_time };
    RecordHeader::new::<R>(rtype, PUBLISHER, event.instrument.get(), unix(time))
}

fn unix(time: Nanos) -> u64 {
    u64::try_from(time.get()).unwrap_or(0)
}

/// Receipt less the venue's time, held at the ends of its range.
fn delta(event: &Event) -> i32 {
    if event.venue_time == Nanos::ZERO {
        return 0;
    }
    let delta = event.receive_time.since(event.venue_time).get();
    delta.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

/// The frame's number, as far as it fits: files of ITCH have no sequence of their own.
fn sequence(event: &Event) -> u32 {
    event.frame as u32
}

fn size(lots: i64) -> Result<u32, Problem> {
    u32::try_from(lots).map_err(|_| Problem::Size(lots))
}

fn letter(action: Action) -> std::ffi::c_char {
    u8::from(action) as std::ffi::c_char
}

fn side(side: Option<Side>) -> std::ffi::c_char {
    let side = match side {
        Some(Side::Buy) => DbnSide::Bid,
        Some(Side::Sell) => DbnSide::Ask,
        None => DbnSide::None,
    };
    u8::from(side) as std::ffi::c_char
}

fn flags_of(event: &Event, view: Option<&BookView>) -> FlagSet {
    let is_doubtful = view.is_some_and(|view| view.flags & BookView::QUARANTINED != 0);
    let is_levels = event.kind() == EventKind::LevelSet;
    FlagSet::new((u8::from(is_doubtful) * flags::MAYBE_BAD_BOOK) | (u8::from(is_levels) * flags::MBP))
}

fn with_last(flags: FlagSet) -> FlagSet {
    FlagSet::new(flags.raw() | flags::LAST)
}

/// What an event does to orders.
fn orders(
    event: &Event,
    resting: Option<&RestingOrder>,
    trade: Option<&TradeSeen>,
    flags: FlagSet,
    out: &mut Vec<MboMsg>,
) -> Result<(), Problem> {
    let mut put = |action, order_id, of: Option<Side>, price: i64, lots| -> Result<(), Problem> {
        out.push(MboMsg {
            hd: header::<MboMsg>(rtype::MBO, event),
            order_id,
            price,
            size: size(lots)?,
            flags,
            channel_id: 0,
            action: letter(action),
            side: side(of),
            ts_recv: unix(event.receive_time),
            ts_in_delta: delta(event),
            sequence: sequence(event),
        });
        Ok(())
    };
    let taken = |order: &RestingOrder| event.qty.lots().min(order.qty.lots());
    match event.kind() {
        EventKind::OrderAdd => put(Action::Add, event.a, event.side(), event.price.nanos(), event.qty.lots()),
        EventKind::OrderExecute | EventKind::OrderExecuteAt => {
            if let Some(trade) = trade.filter(|trade| trade.is_counted && trade.price != Price::ZERO) {
                put(Action::Trade, 0, trade.aggressor, trade.price.nanos(), event.qty.lots())?;
            }
            let Some(order) = resting else { return Ok(()) };
            let price = trade.map_or(order.price, |trade| trade.price);
            put(Action::Fill, event.a, Some(order.side), price.nanos(), event.qty.lots())?;
            put(Action::Cancel, event.a, Some(order.side), order.price.nanos(), taken(order))
        }
        EventKind::OrderReduce => resting.map_or(Ok(()), |order| {
            put(Action::Cancel, event.a, Some(order.side), order.price.nanos(), taken(order))
        }),
        EventKind::OrderDelete => resting.map_or(Ok(()), |order| {
            put(Action::Cancel, event.a, Some(order.side), order.price.nanos(), order.qty.lots())
        }),
        EventKind::OrderReplace => {
            let Some(order) = resting else { return Ok(()) };
            put(Action::Cancel, event.a, Some(order.side), order.price.nanos(), order.qty.lots())?;
            put(Action::Add, event.b, Some(order.side), event.price.nanos(), event.qty.lots())
        }
        EventKind::Trade => put(Action::Trade, 0, event.side(), event.price.nanos(), event.qty.lots()),
        EventKind::BookClear => put(Action::Clear, 0, None, UNDEF_PRICE, 0),
        EventKind::LevelSet => Err(Problem::Levels),
        EventKind::Ignored
        | EventKind::Definition
        | EventKind::Quote
        | EventKind::Status
        | EventKind::Gap
        | EventKind::Duplicate
        | EventKind::Malformed
        | EventKind::Report
        | EventKind::Timer
        | EventKind::Operator
        | EventKind::Recovery
        | EventKind::Link => Ok(()),
    }
}

/// The book after an event, and what the event was.
fn levels(
    event: &Event,
    resting: Option<&RestingOrder>,
    trade: Option<&TradeSeen>,
    view: &BookView,
    flags: FlagSet,
) -> Result<Mbp10Msg, Problem> {
    let of_resting = resting.map(|order| (order.side, order.price));
    let own = event.side().map(|side| (side, event.price));
    let (action, place) = match event.kind() {
        EventKind::OrderAdd => (Action::Add, own),
        EventKind::OrderReduce | EventKind::OrderDelete => (Action::Cancel, of_resting),
        EventKind::OrderReplace => (Action::Modify, of_resting.map(|(side, _)| (side, event.price))),
        EventKind::OrderExecute | EventKind::OrderExecuteAt | EventKind::Trade => {
            (Action::Trade, trade.and_then(|trade| trade.aggressor.map(|aggressor| (aggressor, trade.price))))
        }
        EventKind::LevelSet if event.qty.lots() == 0 => (Action::Cancel, own),
        EventKind::LevelSet => (Action::Modify, own),
        EventKind::BookClear => (Action::Clear, None),
        EventKind::Ignored
        | EventKind::Definition
        | EventKind::Quote
        | EventKind::Status
        | EventKind::Gap
        | EventKind::Duplicate
        | EventKind::Malformed
        | EventKind::Report
        | EventKind::Timer
        | EventKind::Operator
        | EventKind::Recovery
        | EventKind::Link => (Action::None, None),
    };
    let is_trade = action == Action::Trade;
    let has_size = !matches!(action, Action::Clear | Action::None);
    let mut message = Mbp10Msg {
        hd: header::<Mbp10Msg>(rtype::MBP_10, event),
        price: place.map_or(UNDEF_PRICE, |(_, price)| price.nanos()),
        size: if has_size { size(event.qty.lots())? } else { 0 },
        action: letter(action),
        side: side(place.map(|(side, _)| side)),
        flags: with_last(flags),
        depth: place
            .map_or(0, |(side, price)| depth(view, if is_trade { side.opposite() } else { side }, price)),
        ts_recv: unix(event.receive_time),
        ts_in_delta: delta(event),
        sequence: sequence(event),
        levels: Default::default(),
    };
    for (index, pair) in message.levels.iter_mut().enumerate() {
        let (bid, ask) = (view.bids().get(index), view.asks().get(index));
        *pair = BidAskPair {
            bid_px: bid.map_or(UNDEF_PRICE, |level| level.price.nanos()),
            ask_px: ask.map_or(UNDEF_PRICE, |level| level.price.nanos()),
            bid_sz: bid.map_or(Ok(0), |level| size(level.qty.lots()))?,
            ask_sz: ask.map_or(Ok(0), |level| size(level.qty.lots()))?,
            bid_ct: bid.map_or(0, orders_of),
            ask_ct: ask.map_or(0, orders_of),
        };
    }
    Ok(message)
}

fn orders_of(level: &Level) -> u32 {
    u32::try_from(level.orders).unwrap_or(u32::MAX)
}

/// How many levels of the view are better.
fn depth(view: &BookView, side: Side, price: Price) -> u8 {
    let better = match side {
        Side::Buy => view.bids().iter().filter(|level| level.price > price).count(),
        Side::Sell => view.asks().iter().filter(|level| level.price < price).count(),
    };
    better.min(usize::from(u8::MAX)) as u8
}
