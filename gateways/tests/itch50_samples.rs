//! The decoder on real TotalView-ITCH 5.0: every message of the open and of the directory of 2019-12-30, against what itch-book 0.2.1 (another
//! implementation) made of them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at the first surprise, and says why it skips"
)]

use flate2::read::GzDecoder;
use spinward_engine::book::{BookConfig, BookOutput, BookStage};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta, Normalizer};
use spinward_engine::words::{
    BookView, DecodeError, Event, EventKind, Frame, FrameHeader, FrameKind, InstrumentId, InstrumentTable,
    MarketStatus, Nanos, Price, Side, SourceId,
};
use spinward_gateways::itch50::{Head, Itch50Config, Itch50Decoder, Message};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/itch/");
const OPEN: &str = "20191230_open_1000msg.itch50";
const DIRECTORY: &str = "20191230_directory_1000msg.itch50";
/// 2019-12-30 00:00 in New York.
const MIDNIGHT: i64 = 1_577_682_000_000_000_000;

/// The file, or nothing and a loud line.
fn data(name: &str) -> Option<Vec<u8>> {
    let path: PathBuf = Path::new(DATA).join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("SKIPPED: this test needs {}", path.display());
        return None;
    };
    if !name.ends_with(".gz") {
        return Some(bytes);
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    Some(text)
}

/// Rows of a CSV file by the names of its columns.
fn rows(name: &str) -> Option<Vec<HashMap<String, String>>> {
    let text = String::from_utf8(data(name)?).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        columns.iter().zip(line.split(',')).map(|(c, v)| ((*c).to_owned(), v.to_owned())).collect()
    };
    Some(lines.map(row).collect())
}

/// The messages of a file of 2-byte length prefixes.
fn messages(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = file;
    let mut messages = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (message, next) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        messages.push(message);
        rest = next;
    }
    messages
}

fn venue_time(head: &Head) -> i64 {
    MIDNIGHT + i64::try_from(head.timestamp.get()).unwrap()
}

struct Session {
    decoder: Itch50Decoder,
    table: InstrumentTable,
    batch: EventBatch,
}

impl Session {
    fn new() -> Self {
        let config = Itch50Config { source: SourceId::new(0), midnight: Some(Nanos::new(MIDNIGHT)) };
        Self {
            decoder: Itch50Decoder::new(config),
            table: InstrumentTable::with_capacity(4_096),
            batch: EventBatch::new(),
        }
    }

    fn decode(&mut self, message: &[u8]) -> &[Event] {
        let meta = MessageMeta { frame: 0, receive_time: Nanos::ZERO, source: SourceId::new(0) };
        self.batch.clear();
        self.decoder.decode(&meta, message, &mut self.table, &mut self.batch);
        self.batch.events()
    }
}

#[test]
fn every_order_message_of_the_open_has_the_fields_that_another_decoder_reads() {
    let (Some(file), Some(expected)) = (data(OPEN), rows("expected/20191230_open.messages.csv.gz")) else {
        return;
    };
    let mut expected = expected.into_iter();
    // The other decoder numbers participants in the order in which they appear.
    let mut participants: HashMap<String, String> = HashMap::new();
    let messages = messages(&file);
    assert_eq!(messages.len(), 1_000);
    let mut compared = 0;
    for (index, bytes) in messages.into_iter().enumerate() {
        let message = Message::parse(bytes).unwrap();
        let mut out = [0u8; 64];
        let length = message.encode(&mut out);
        assert_eq!(&out[..length], bytes);
        // (reference, its predecessor, and where the message says them: size, price, side, participant, printable)
        let side = |byte: u8| (byte as char).to_string();
        let (reference, old, size, price, side, mpid, printable) = match message {
            Message::AddOrder(m) => {
                (m.reference, 0, Some(m.shares), Some(m.price), Some(side(m.side)), None, true)
            }
            Message::AddOrderAttributed(m) => {
                let name = m.attribution.symbol().unwrap().to_string();
                (m.reference, 0, Some(m.shares), Some(m.price), Some(side(m.side)), Some(name), true)
            }
            Message::OrderExecuted(m) => (m.reference, 0, Some(m.shares), None, None, None, true),
            Message::OrderExecutedAtPrice(m) => {
                (m.reference, 0, Some(m.shares), Some(m.price), None, None, m.printable == b'Y')
            }
            Message::OrderCancel(m) => (m.reference, 0, Some(m.shares), None, None, None, true),
            Message::OrderDelete(m) => (m.reference, 0, None, None, None, None, true),
            Message::OrderReplace(m) => {
                (m.reference, m.original.get(), Some(m.shares), Some(m.price), None, None, true)
            }
            Message::SystemEvent(_) | Message::Imbalance(_) | Message::Trade(_) | Message::CrossTrade(_) => {
                continue;
            }
            other => panic!("message {index} is a {}", other.kind() as char),
        };
        let row = expected.next().unwrap();
        let at = format!("message {}", index + 1);
        assert_eq!(row["seq"], (index + 1).to_string());
        assert_eq!(row["ts_event"], venue_time(message.head()).to_string(), "{at}");
        assert_eq!(row["locate"], message.head().locate.get().to_string(), "{at}");
        assert_eq!(row["type"], (message.kind() as char).to_string(), "{at}");
        assert_eq!(row["order_id"], reference.get().to_string(), "{at}");
        assert_eq!(row["old_order_id"], old.to_string(), "{at}");
        assert_eq!(row["printable"] == "True", printable, "{at}");
        size.inspect(|size| assert_eq!(row["size"], size.get().to_string(), "{at}"));
        price.inspect(|price| assert_eq!(row["price"], price.get().to_string(), "{at}"));
        side.inspect(|side| assert_eq!(row["side"], *side, "{at}"));
        if let Some(name) = mpid {
            assert_eq!(*participants.entry(row["mpid"].clone()).or_insert(name.clone()), name, "{at}");
        }
        compared += 1;
    }
    assert_eq!(compared, 987);
    assert!(expected.next().is_none());
}

#[test]
fn every_trade_and_cross_of_the_open_is_told_and_an_empty_cross_is_not_a_trade() {
    let (Some(file), Some(expected)) = (data(OPEN), rows("expected/20191230_open.trades.csv.gz")) else {
        return;
    };
    let mut session = Session::new();
    let mut found = Vec::new();
    for bytes in messages(&file) {
        for event in session.decode(bytes).iter().filter(|e| e.kind() == EventKind::Trade) {
            found.push(*event);
        }
    }
    let mut found = found.into_iter();
    for row in expected {
        if row["size"] == "0" {
            continue;
        }
        let event = found.next().unwrap();
        assert_eq!(row["ts_event"], event.venue_time.get().to_string());
        assert_eq!(row["price"], (event.price.nanos() / 100_000).to_string());
        assert_eq!(row["size"], event.qty.lots().to_string());
        assert_eq!(row["match_number"], event.a.to_string());
        let kind = if row["kind"] == "P" { "P" } else { &row["cross_type"] };
        assert_eq!(kind.as_bytes(), [event.b as u8]);
        assert_eq!(event.side(), None);
        assert!(event.has(Event::PRINTABLE));
    }
    assert_eq!(found.next(), None);
}

#[test]
fn the_directory_gives_every_instrument_the_name_and_the_fields_that_another_decoder_reads() {
    let (Some(file), Some(expected)) = (data(DIRECTORY), rows("expected/20191230_directory.symbols.csv"))
    else {
        return;
    };
    let mut session = Session::new();
    let mut expected = expected.into_iter();
    let mut statuses = 0;
    for bytes in messages(&file) {
        let events = session.decode(bytes).to_vec();
        match Message::parse(bytes).unwrap() {
            Message::StockDirectory(m) => {
                let row = expected.next().unwrap();
                assert_eq!(events.len(), 1);
                assert_eq!(events[0].kind(), EventKind::Definition);
                assert_eq!(events[0].definition().symbol.as_str(), row["symbol"]);
                assert_eq!(row["locate"], m.head.locate.get().to_string());
                let letter = |byte: u8| (byte as char).to_string();
                assert_eq!(row["market_category"], letter(m.market_category));
                assert_eq!(row["financial_status"], letter(m.financial_status));
                assert_eq!(row["round_lot_size"], m.round_lot_size.get().to_string());
                assert_eq!(row["round_lots_only"] == "True", m.round_lots_only == b'Y');
                assert_eq!(row["issue_classification"], letter(m.issue_classification));
                let subtype: String = m.issue_subtype.iter().map(|&b| b as char).collect();
                assert_eq!(row["issue_subtype"].trim_end(), subtype.trim_end());
                assert_eq!(row["authenticity"], letter(m.authenticity));
                assert_eq!(row["short_sale_threshold"], letter(m.short_sale_threshold));
                assert_eq!(row["ipo_flag"], letter(m.ipo_flag));
                assert_eq!(row["luld_tier"], letter(m.luld_tier));
                assert_eq!(row["etp_flag"], letter(m.etp_flag));
                assert_eq!(row["etp_leverage"], m.etp_leverage.get().to_string());
                assert_eq!(row["inverse"], letter(m.inverse));
            }
            Message::TradingAction(_) => {
                assert_eq!(events.len(), 1);
                assert_eq!(
                    (events[0].kind(), events[0].a),
                    (EventKind::Status, MarketStatus::Trading as u64)
                );
                statuses += 1;
            }
            Message::RegSho(_) | Message::SystemEvent(_) => assert_eq!(events[0].kind(), EventKind::Ignored),
            other => panic!("unexpected {}", other.kind() as char),
        }
    }
    assert!(expected.next().is_none());
    assert_eq!((session.table.count(), statuses), (993, 3));
}

/// One level: price (1e-4), shares, orders; zeros if there is none.
type Level = (i64, i64, i64);

/// The book of one locate as plainly as can be.
#[derive(Default)]
struct NaiveBook {
    bids: BTreeMap<i64, Vec<(u64, i64)>>,
    asks: BTreeMap<i64, Vec<(u64, i64)>>,
}

impl NaiveBook {
    fn side(&mut self, side: Side) -> &mut BTreeMap<i64, Vec<(u64, i64)>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Ten levels of bids and of asks, best first.
    fn depth(&self) -> Depth {
        let level = |(price, orders): (&i64, &Vec<(u64, i64)>)| {
            (*price, orders.iter().map(|order| order.1).sum(), orders.len() as i64)
        };
        let mut depth = EMPTY;
        for (to, bid) in depth.iter_mut().zip(self.bids.iter().rev()) {
            to.0 = level(bid);
        }
        for (to, ask) in depth.iter_mut().zip(self.asks.iter()) {
            to.1 = level(ask);
        }
        depth
    }
}

/// Books made of events alone, and the orders in them.
#[derive(Default)]
struct NaiveMarket {
    books: HashMap<InstrumentId, NaiveBook>,
    orders: HashMap<u64, (InstrumentId, Side, i64)>,
    unknown: usize,
}

impl NaiveMarket {
    fn add(&mut self, instrument: InstrumentId, side: Side, event: &Event, reference: u64) {
        let price = event.price.nanos() / 100_000;
        let book = self.books.entry(instrument).or_default();
        book.side(side).entry(price).or_default().push((reference, event.qty.lots()));
        self.orders.insert(reference, (instrument, side, price));
    }

    /// Takes `lots` (or all) from an order; false if there is none of this reference.
    fn take(&mut self, reference: u64, lots: Option<i64>) -> Option<(InstrumentId, Side)> {
        let Some(&(instrument, side, price)) = self.orders.get(&reference) else {
            self.unknown += 1;
            return None;
        };
        let levels = self.books.get_mut(&instrument).unwrap().side(side);
        let level = levels.get_mut(&price).unwrap();
        let at = level.iter().position(|order| order.0 == reference).unwrap();
        level[at].1 -= lots.unwrap_or(level[at].1);
        assert!(level[at].1 >= 0);
        if level[at].1 == 0 {
            level.remove(at);
            self.orders.remove(&reference);
            if level.is_empty() {
                levels.remove(&price);
            }
        }
        Some((instrument, side))
    }

    fn apply(&mut self, event: &Event) {
        match event.kind() {
            EventKind::OrderAdd => self.add(event.instrument, event.side().unwrap(), event, event.a),
            EventKind::OrderExecute | EventKind::OrderExecuteAt | EventKind::OrderReduce => {
                self.take(event.a, Some(event.qty.lots()));
            }
            EventKind::OrderDelete => {
                self.take(event.a, None);
            }
            EventKind::OrderReplace => {
                if let Some((instrument, side)) = self.take(event.a, None) {
                    self.add(instrument, side, event, event.b);
                }
            }
            EventKind::Definition | EventKind::Ignored | EventKind::Trade | EventKind::Status => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

/// Ten levels of bids and of asks, best first.
type Depth = [(Level, Level); 10];

const EMPTY: Depth = [((0, 0, 0), (0, 0, 0)); 10];

/// The rows of another book: one when the best levels of a symbol change, one when any of the ten does.
struct OtherBook {
    best: std::vec::IntoIter<HashMap<String, String>>,
    deep: std::vec::IntoIter<HashMap<String, String>>,
    seen: HashMap<InstrumentId, Depth>,
}

impl OtherBook {
    fn open() -> Option<Self> {
        let best = rows("expected/20191230_open.bbo.csv.gz")?.into_iter();
        let deep = rows("expected/20191230_open.depth.csv.gz")?.into_iter();
        Some(Self { best, deep, seen: HashMap::new() })
    }

    /// After the message of this index `instrument` looks so: where that is news, the other book must say the same.
    fn compare(&mut self, index: usize, head: &Head, instrument: InstrumentId, depth: Depth) {
        let number = |row: &HashMap<String, String>, column: &str| row[column].parse::<i64>().unwrap();
        let same_message = |row: &HashMap<String, String>| {
            assert_eq!(number(row, "ts_event"), venue_time(head));
            assert_eq!(number(row, "seq"), index as i64 + 1);
            assert_eq!(number(row, "locate"), i64::from(head.locate.get()));
        };
        let before = self.seen.insert(instrument, depth).unwrap_or(EMPTY);
        if before[0] != depth[0] {
            let row = self.best.next().unwrap();
            same_message(&row);
            let bid = (number(&row, "bid_px"), number(&row, "bid_sz"), number(&row, "bid_ct"));
            let ask = (number(&row, "ask_px"), number(&row, "ask_sz"), number(&row, "ask_ct"));
            assert_eq!(depth[0], (bid, ask), "message {}", index + 1);
        }
        if before != depth {
            let row = self.deep.next().unwrap();
            same_message(&row);
            for (level, sides) in depth.iter().enumerate() {
                let side = |name: &str| {
                    let value = |what: &str| number(&row, &format!("{name}_{what}_{level:02}"));
                    (value("px"), value("sz"), value("ct"))
                };
                assert_eq!(*sides, (side("bid"), side("ask")), "message {} level {level}", index + 1);
            }
        }
    }

    /// Every row was there.
    fn finish(mut self) {
        assert_eq!((self.best.next(), self.deep.next()), (None, None));
    }
}

#[test]
fn books_made_of_the_events_change_as_another_books_best_levels_do_and_399_orders_are_unknown() {
    let (Some(file), Some(mut other)) = (data(OPEN), OtherBook::open()) else { return };
    let mut session = Session::new();
    let mut market = NaiveMarket::default();
    for (index, bytes) in messages(&file).into_iter().enumerate() {
        for event in session.decode(bytes) {
            market.apply(event);
        }
        let instrument = session.batch.events().last().unwrap().instrument;
        let Some(book) = market.books.get(&instrument) else { continue };
        other.compare(index, Message::parse(bytes).unwrap().head(), instrument, book.depth());
    }
    other.finish();
    assert_eq!(market.unknown, 399);
    // Named by an order, a trade or an imbalance; or by the locate alone.
    let named = session.table.iter().filter(|i| !i.symbol.as_str().starts_with('#')).count();
    // 322 locates, one of them the 0 of the system event.
    assert_eq!(session.table.count(), 321);
    assert_eq!(named, 190);
}

/// A view's levels as the other book writes them.
fn depth_of(view: &BookView) -> Depth {
    let level = |level: &spinward_engine::words::Level| {
        (level.price.nanos() / 100_000, level.qty.lots(), level.orders as i64)
    };
    let mut depth = EMPTY;
    for (to, bid) in depth.iter_mut().zip(view.bids()) {
        to.0 = level(bid);
    }
    for (to, ask) in depth.iter_mut().zip(view.asks()) {
        to.1 = level(ask);
    }
    depth
}

#[test]
fn the_engines_books_change_as_another_books_do_to_ten_levels_and_399_orders_are_unknown() {
    let (Some(file), Some(mut other)) = (data(OPEN), OtherBook::open()) else { return };
    let config = Itch50Config { source: SourceId::new(0), midnight: Some(Nanos::new(MIDNIGHT)) };
    let mut normalizer =
        Normalizer::new(vec![Box::new(Itch50Decoder::new(config))], InstrumentTable::with_capacity(4_096));
    let mut book = BookStage::new(&BookConfig {
        view_levels: 10,
        instruments_max: 4_096,
        orders_max: 4_096,
        levels_max: 4_096,
        ..BookConfig::default()
    })
    .unwrap();
    let mut output = BookOutput::vacant();
    for (index, bytes) in messages(&file).into_iter().enumerate() {
        let mut frame = Frame::vacant();
        frame.header = FrameHeader {
            sequence: index as u64 + 1,
            kind: FrameKind::Market as u8,
            bytes: bytes.len() as u16,
            ..FrameHeader::default()
        };
        frame.payload[..bytes.len()].copy_from_slice(bytes);
        assert!(normalizer.on_frame(&frame));
        let head = *Message::parse(bytes).unwrap().head();
        for event in normalizer.batch().events() {
            book.on_event(event, &mut output);
            if let Some(view) = output.view() {
                other.compare(index, &head, view.instrument, depth_of(view));
                // The pool of levels behind the view says the same.
                let levels = |side| book.levels(view.instrument, side).take(10).collect::<Vec<_>>();
                assert_eq!(levels(Side::Buy), view.bids());
                assert_eq!(levels(Side::Sell), view.asks());
                assert_eq!(book.check(view.instrument), Ok(()));
            }
        }
    }
    other.finish();
    assert_eq!(book.counters().unknown_orders.value(), 399);
}

#[test]
fn a_file_cut_or_garbled_anywhere_gives_malformed_events_and_nothing_worse() {
    let Some(file) = data(OPEN) else { return };
    let mut session = Session::new();
    for bytes in messages(&file) {
        let cut = session.decode(&bytes[..bytes.len() - 1]);
        assert_eq!(
            (cut.len(), cut[0].kind(), cut[0].a),
            (1, EventKind::Malformed, DecodeError::Truncated as u64)
        );
        let mut garbled = bytes.to_vec();
        for at in 0..garbled.len() {
            garbled[at] ^= 0xff;
            let events = session.decode(&garbled);
            assert!(!events.is_empty());
            assert!(
                events
                    .iter()
                    .all(|event| event.price >= Price::ZERO || event.kind() == EventKind::Definition)
            );
            garbled[at] ^= 0xff;
        }
    }
}
