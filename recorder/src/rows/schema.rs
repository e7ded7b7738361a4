//! [`Table`] and [`Column`]: what tables there are, their columns, types and units. The one description.

/// Levels of a side in `book` and `market_data`.
pub const LEVELS: usize = 5;

/// A table of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// Every event that the decoder gave.
    Events,
    /// Every view of a book: five levels a side.
    Book,
    /// Trades and executions.
    Trades,
    /// What was sent to the venue, and what came back.
    Orders,
    /// Fills, each with the prices it is judged by.
    Fills,
    /// Every verdict of risk.
    Verdicts,
    /// Where the time of each order went.
    Latency,
    /// Events with the book behind them: `market_data` of ClickHouse.
    MarketData,
    /// Positions after each fill, and at the end.
    Positions,
    /// What was wrong: gaps, malformed input, halts, links, changes of the trading state.
    Health,
    /// The instruments of the session.
    Instruments,
    /// The session itself, one row.
    Sessions,
}

/// Whose names a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameSet {
    /// Symbols, by instrument.
    Instruments,
    /// Names of strategies.
    Strategies,
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A number or a count.
    U64,
    /// A number or a count.
    U32,
    /// Flags or a number.
    U16,
    /// Signed.
    I64,
    /// Nanoseconds since 1970-01-01 UTC.
    Time,
    /// 1e-9 of the quote currency.
    Price,
    /// Lots of the instrument.
    Qty,
    /// 1e-9 of the instrument's currency.
    Money,
    /// Yes or no.
    Bool,
    /// A name of the session.
    Name(NameSet),
    /// One of these words.
    Code(&'static [&'static str]),
    /// Text.
    Text,
    /// Up to [`LEVELS`] signed numbers, best level first.
    Levels,
}

/// A column of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name, the same in every format.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Its unit, empty for numbers without one.
    pub unit: &'static str,
}

const fn column(name: &'static str, kind: Kind, unit: &'static str) -> Column {
    Column { name, kind, unit }
}

const fn number(name: &'static str) -> Column {
    column(name, Kind::U64, "")
}

const fn time(name: &'static str) -> Column {
    column(name, Kind::Time, "ns since 1970-01-01 UTC")
}

const fn price(name: &'static str) -> Column {
    column(name, Kind::Price, "1e-9 of the quote currency")
}

const fn qty(name: &'static str) -> Column {
    column(name, Kind::Qty, "lots")
}

const fn money(name: &'static str) -> Column {
    column(name, Kind::Money, "1e-9 of the currency")
}

const fn span(name: &'static str) -> Column {
    column(name, Kind::I64, "ns")
}

const fn flag(name: &'static str) -> Column {
    column(name, Kind::Bool, "")
}

/// Row number within the session's table, from 1; with the session it names a row once and for all.
const SEQUENCE: Column = number("sequence");
/// The frame that the row came of, its number in the journal.
const FRAME: Column = number("frame");
/// Number of the event within its frame, from 0.
const INDEX: Column = column("event_index", Kind::U32, "");
const INSTRUMENT: Column = column("instrument", Kind::U32, "");
const SYMBOL: Column = column("symbol", Kind::Name(NameSet::Instruments), "");
const STRATEGY: Column = column("strategy", Kind::Name(NameSet::Strategies), "");

/// Names of [`EventKind`](spinward_engine::words::EventKind), by number.
pub(super) const EVENTS: &[&str] = &[
    "",
    "ignored",
    "definition",
    "order_add",
    "order_execute",
    "order_execute_at",
    "order_reduce",
    "order_delete",
    "order_replace",
    "level_set",
    "book_clear",
    "trade",
    "quote",
    "status",
    "gap",
    "duplicate",
    "malformed",
    "report",
    "timer",
    "operator",
    "recovery",
    "link",
];
/// Names of [`Side`](spinward_engine::words::Side), by number.
const SIDES: &[&str] = &["", "buy", "sell"];
/// Names of [`Action`](spinward_engine::words::Action), by number.
const ACTIONS: &[&str] = &["", "new", "cancel", "replace"];
/// Names of [`TimeInForce`](spinward_engine::words::TimeInForce), by number.
const TIFS: &[&str] = &["", "day", "ioc", "fok"];
/// [`Action`](spinward_engine::words::Action), then [`ReportKind`](spinward_engine::words::ReportKind).
const STEPS: &[&str] = &[
    "",
    "new",
    "cancel",
    "replace",
    "accepted",
    "rejected",
    "filled",
    "cancelled",
    "cancel_rejected",
    "replaced",
    "replace_rejected",
];
/// Where the codes of reports begin in `STEPS`.
pub(super) const STEP_REPORTS: u8 = 3;
/// Names of [`TradingState`](spinward_engine::words::TradingState), by number.
const STATES: &[&str] = &["normal", "reduce_only", "cancel_only", "halted"];
/// What `health` tells.
const TROUBLES: &[&str] = &["gap", "duplicate", "malformed", "status", "link", "state"];
/// Names of [`RejectCode`](spinward_engine::words::RejectCode), by its place in `RejectCode::EVERY`.
const CODES: &[&str] = &[
    "approved",
    "halted",
    "cancel_only",
    "reduce_only",
    "not_tradable",
    "session_closed",
    "instrument_expired",
    "market_not_open",
    "off_tick",
    "bad_quantity",
    "price_limit",
    "max_order_qty",
    "max_order_notional",
    "price_collar",
    "no_reference_price",
    "position_limit",
    "open_orders",
    "message_rate",
    "duplicate_order",
    "stale_data",
    "quarantined",
    "intent_expired",
    "unknown_order",
    "pending_change",
    "egress_full",
    "malformed",
    "would_match",
    "not_fillable",
    "too_late",
    "venue_unavailable",
    "venue_other",
    "simulated",
];

const SIDE: Column = column("side", Kind::Code(SIDES), "");
const CODE: Column = column("code", Kind::Code(CODES), "");
const ACTION: Column = column("action", Kind::Code(ACTIONS), "");
const TIF: Column = column("tif", Kind::Code(TIFS), "");
const FLAGS: Column = column("flags", Kind::U16, "");

const fn levels(name: &'static str, unit: &'static str) -> Column {
    column(name, Kind::Levels, unit)
}

const EVENT_COLUMNS: [Column; 14] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    time("venue_time"),
    INSTRUMENT,
    SYMBOL,
    column("kind", Kind::Code(EVENTS), ""),
    SIDE,
    price("price"),
    qty("qty"),
    number("a"),
    number("b"),
    FLAGS,
];

const LEVEL_COLUMNS: [Column; 6] = [
    levels("bid_prices", "1e-9 of the quote currency"),
    levels("bid_qtys", "lots"),
    levels("bid_orders", "orders"),
    levels("ask_prices", "1e-9 of the quote currency"),
    levels("ask_qtys", "lots"),
    levels("ask_orders", "orders"),
];

const fn joined<const A: usize, const B: usize, const N: usize>(
    a: [Column; A],
    b: [Column; B],
) -> [Column; N] {
    let mut all = [SEQUENCE; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < A { a[at] } else { b[at - A] };
        at += 1;
    }
    all
}

static EVENT_TABLE: [Column; 14] = EVENT_COLUMNS;
static MARKET_DATA: [Column; 20] = joined(EVENT_COLUMNS, LEVEL_COLUMNS);
static BOOK: [Column; 19] = joined(
    [
        SEQUENCE,
        FRAME,
        INDEX,
        time("receive_time"),
        time("venue_time"),
        INSTRUMENT,
        SYMBOL,
        number("update_id"),
        // BookView: 1 quarantined, 2 crossed, 4 best bid or offer changed.
        FLAGS,
        price("mid"),
        price("microprice"),
        price("spread"),
        column("imbalance", Kind::I64, "1e-9"),
    ],
    LEVEL_COLUMNS,
);
static TRADES: [Column; 13] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    time("venue_time"),
    INSTRUMENT,
    SYMBOL,
    SIDE,
    price("price"),
    qty("qty"),
    number("trade_id"),
    column("kind", Kind::Code(EVENTS), ""),
    // False for an execution whose volume the venue tells elsewhere.
    flag("is_counted"),
];
static ORDERS: [Column; 25] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    time("venue_time"),
    number("order_id"),
    number("new_order_id"),
    STRATEGY,
    INSTRUMENT,
    SYMBOL,
    column("step", Kind::Code(STEPS), ""),
    SIDE,
    price("price"),
    qty("qty"),
    qty("leaves"),
    TIF,
    flag("is_post_only"),
    flag("is_reduce_only"),
    CODE,
    flag("is_from_risk"),
    number("cause_frame"),
    number("venue_order"),
    price("bid"),
    price("ask"),
    // What rests at the order's price on its side: what it stands behind when it is accepted.
    qty("level_qty"),
];
static FILLS: [Column; 22] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    time("venue_time"),
    number("exec_id"),
    number("order_id"),
    STRATEGY,
    INSTRUMENT,
    SYMBOL,
    SIDE,
    price("price"),
    qty("qty"),
    qty("leaves"),
    flag("is_maker"),
    // Told a second time: counted once by risk.
    flag("is_duplicate"),
    money("fee"),
    money("realized"),
    price("mid"),
    price("decision_mid"),
    price("arrival_mid"),
    qty("queue_ahead"),
];
static VERDICTS: [Column; 18] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    number("order_id"),
    number("new_order_id"),
    STRATEGY,
    INSTRUMENT,
    SYMBOL,
    ACTION,
    SIDE,
    TIF,
    price("price"),
    qty("qty"),
    CODE,
    column("value", Kind::I64, ""),
    column("limit", Kind::I64, ""),
    column("state", Kind::Code(STATES), ""),
];
static LATENCY: [Column; 28] = [
    SEQUENCE,
    FRAME,
    time("receive_time"),
    number("order_id"),
    number("new_order_id"),
    STRATEGY,
    INSTRUMENT,
    SYMBOL,
    ACTION,
    CODE,
    time("received"),
    span("normalizer_wait_ns"),
    span("normalizer_ns"),
    span("book_wait_ns"),
    span("book_ns"),
    span("strategies_wait_ns"),
    span("strategies_ns"),
    span("risk_wait_ns"),
    span("risk_ns"),
    span("egress_wait_ns"),
    span("journal_wait_ns"),
    span("send_ns"),
    span("total_ns"),
    column("ahead_normalizer", Kind::U32, ""),
    column("ahead_book", Kind::U32, ""),
    column("ahead_strategies", Kind::U32, ""),
    column("ahead_risk", Kind::U32, ""),
    column("ahead_egress", Kind::U32, ""),
];
static POSITIONS: [Column; 16] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    STRATEGY,
    INSTRUMENT,
    SYMBOL,
    qty("qty"),
    money("cost"),
    money("realized"),
    money("unrealized"),
    money("fees"),
    qty("bought"),
    qty("sold"),
    number("fills"),
    // Not after a fill, but what was left when the session ended.
    flag("is_last"),
];
static HEALTH: [Column; 11] = [
    SEQUENCE,
    FRAME,
    INDEX,
    time("receive_time"),
    time("venue_time"),
    INSTRUMENT,
    SYMBOL,
    column("kind", Kind::Code(TROUBLES), ""),
    column("detail", Kind::Text, ""),
    number("a"),
    number("b"),
];
static INSTRUMENTS: [Column; 9] = [
    SEQUENCE,
    time("receive_time"),
    INSTRUMENT,
    SYMBOL,
    column("lot", Kind::I64, "1e-9 of the venue's quantity unit"),
    column("price_decimals", Kind::U16, ""),
    column("qty_decimals", Kind::U16, ""),
    flag("is_tradable"),
    column("unit_value", Kind::Money, "1e-9 of the currency for a lot and 1.0 of price"),
];
static SESSIONS: [Column; 15] = [
    SEQUENCE,
    time("receive_time"),
    column("name", Kind::Text, ""),
    column("started", Kind::Text, "UTC"),
    column("ended", Kind::Text, "UTC"),
    column("end_reason", Kind::Text, ""),
    column("version", Kind::Text, ""),
    column("commit", Kind::Text, ""),
    column("feed", Kind::Text, ""),
    number("seed"),
    column("topology", Kind::Text, ""),
    column("config_fingerprint", Kind::Text, ""),
    column("resumed_from", Kind::Text, ""),
    number("frames"),
    time("first_time"),
];

impl Table {
    /// Every table.
    pub const EVERY: [Table; 12] = [
        Self::Events,
        Self::Book,
        Self::Trades,
        Self::Orders,
        Self::Fills,
        Self::Verdicts,
        Self::Latency,
        Self::MarketData,
        Self::Positions,
        Self::Health,
        Self::Instruments,
        Self::Sessions,
    ];

    /// Its columns, in order. The first one is the row number, `sequence`.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Events => &EVENT_TABLE,
            Self::Book => &BOOK,
            Self::Trades => &TRADES,
            Self::Orders => &ORDERS,
            Self::Fills => &FILLS,
            Self::Verdicts => &VERDICTS,
            Self::Latency => &LATENCY,
            Self::MarketData => &MARKET_DATA,
            Self::Positions => &POSITIONS,
            Self::Health => &HEALTH,
            Self::Instruments => &INSTRUMENTS,
            Self::Sessions => &SESSIONS,
        }
    }

    /// Its name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Book => "book",
            Self::Trades => "trades",
            Self::Orders => "orders",
            Self::Fills => "fills",
            Self::Verdicts => "verdicts",
            Self::Latency => "latency",
            Self::MarketData => "market_data",
            Self::Positions => "positions",
            Self::Health => "health",
            Self::Instruments => "instruments",
            Self::Sessions => "sessions",
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|table| table.name() == name)
    }

    /// Whether its rows need strategies and risk, and not only decoder and books.
    pub const fn needs_trading(self) -> bool {
        match self {
            Self::Orders | Self::Fills | Self::Verdicts | Self::Positions | Self::Health => true,
            Self::Events
            | Self::Book
            | Self::Trades
            | Self::Latency
            | Self::MarketData
            | Self::Instruments
            | Self::Sessions => false,
        }
    }

    /// Whether its rows need books.
    pub const fn needs_book(self) -> bool {
        match self {
            Self::Book | Self::Trades | Self::MarketData => true,
            Self::Events | Self::Latency | Self::Instruments | Self::Sessions => false,
            Self::Orders | Self::Fills | Self::Verdicts | Self::Positions | Self::Health => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spinward_engine::words::{EventKind, RejectCode, ReportKind, TradingState};
    use std::collections::BTreeSet;

    #[test]
    fn words_stand_where_the_engines_numbers_point() {
        assert_eq!(EVENTS[EventKind::Link as usize], "link");
        assert_eq!(EVENTS[EventKind::LevelSet as usize], "level_set");
        assert_eq!(EVENTS.len(), EventKind::EVERY.len() + 1);
        for (index, code) in RejectCode::EVERY.into_iter().enumerate() {
            assert_eq!(CODES[index], code.name());
        }
        assert_eq!(STEPS[usize::from(STEP_REPORTS) + ReportKind::Filled as usize], "filled");
        assert_eq!(STEPS.len(), usize::from(STEP_REPORTS) + ReportKind::EVERY.len() + 1);
        for number in 0..4 {
            assert_eq!(
                STATES[usize::from(number)],
                TradingState::from_number(number).map_or("", TradingState::name)
            );
        }
    }

    #[test]
    fn every_table_begins_with_the_row_number_and_no_name_comes_twice() {
        for table in Table::EVERY {
            let names: BTreeSet<&str> = table.columns().iter().map(|column| column.name).collect();
            assert_eq!(names.len(), table.columns().len(), "{table:?}");
            assert_eq!(table.columns()[0].name, "sequence");
            assert!(names.contains("receive_time"), "{table:?}");
            assert_eq!(Table::from_name(table.name()), Some(table));
        }
    }
}
