//! Real Binance captures through file feed, normalizer and a naive book: at every update id that the book shares with the venue's own
//! bookTicker, best bid and offer are the venue's, price and size.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a failed one is a failed test")]

use flate2::read::MultiGzDecoder;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::words::{
    Event, EventKind, FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, Instrument, InstrumentId,
    InstrumentTable, MarketStatus, Nanos, Price, Side, SourceId, Symbol,
};
use spinward_gateways::binance::{BinanceConfig, BinanceCounters, BinanceDecoder};
use spinward_gateways::feed::Peek;
use spinward_gateways::file::{self, FileFormat, FileSpec};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/binance");

/// Paths of captures, or `None` with a loud line.
fn captures<const N: usize>(names: [&str; N]) -> Option<[PathBuf; N]> {
    let paths = names.map(|name| Path::new(DATA).join(name));
    if let Some(absent) = paths.iter().find(|path| !path.exists()) {
        eprintln!("SKIPPED: this test needs {}", absent.display());
        return None;
    }
    Some(paths)
}

fn inflated(path: &Path) -> impl BufRead {
    BufReader::new(MultiGzDecoder::new(File::open(path).unwrap()))
}

/// Best bid and its size, best offer and its size; `None` for an empty side. Sizes in lots.
type Best = [Option<(Price, i64)>; 2];

#[derive(Default)]
struct NaiveBook {
    bids: BTreeMap<Price, i64>,
    asks: BTreeMap<Price, i64>,
}

impl NaiveBook {
    fn best(&self) -> Best {
        let copy = |(price, qty): (&Price, &i64)| (*price, *qty);
        [self.bids.last_key_value().map(copy), self.asks.first_key_value().map(copy)]
    }
}

/// Decoder, normalizer and a book for each instrument.
struct Market {
    normalizer: Normalizer,
    counters: Arc<BinanceCounters>,
    frame: u64,
    books: HashMap<InstrumentId, NaiveBook>,
    is_whole: HashMap<InstrumentId, bool>,
    /// Best bid and offer after each diff, while not quarantined.
    best_at: BTreeMap<(InstrumentId, u64), Best>,
    quotes: BTreeMap<(InstrumentId, u64), Best>,
    kinds: HashMap<EventKind, usize>,
    events: Vec<Event>,
}

impl Market {
    fn new(instruments: InstrumentTable) -> Self {
        let decoder = BinanceDecoder::new(&BinanceConfig::default()).unwrap();
        let counters = decoder.counters();
        Self {
            normalizer: Normalizer::new(vec![Box::new(decoder)], instruments),
            counters,
            frame: 0,
            books: HashMap::new(),
            is_whole: HashMap::new(),
            best_at: BTreeMap::new(),
            quotes: BTreeMap::new(),
            kinds: HashMap::new(),
            events: Vec::new(),
        }
    }

    fn on_frame(&mut self, kind: FrameKind, receive_time: Nanos, payload: &[u8], flags: u16) -> bool {
        self.frame += 1;
        let mut frame = Frame::vacant();
        frame.header = FrameHeader {
            sequence: self.frame,
            receive_time,
            kind: kind as u8,
            bytes: payload.len() as u16,
            flags,
            ..FrameHeader::default()
        };
        frame.payload[..payload.len()].copy_from_slice(payload);
        self.normalizer.on_frame(&frame)
    }

    fn on_message(&mut self, receive_time: Nanos, bytes: &[u8]) {
        let chunks: Vec<&[u8]> = bytes.chunks(FRAME_PAYLOAD_BYTES).collect();
        for (index, chunk) in chunks.iter().enumerate() {
            let more = index + 1 < chunks.len();
            let is_whole = self.on_frame(FrameKind::Market, receive_time, chunk, u16::from(more));
            assert_eq!(is_whole, !more);
        }
        self.apply();
    }

    fn on_link_down(&mut self) {
        assert!(self.on_frame(FrameKind::LinkDown, Nanos::ZERO, &[], 0));
        self.apply();
    }

    fn apply(&mut self) {
        self.events.clear();
        self.events.extend_from_slice(self.normalizer.batch().events());
        let last = self.events.len() - 1;
        for (index, event) in self.events.iter().enumerate() {
            assert_eq!(event.has(Event::END_OF_FRAME), index == last);
            *self.kinds.entry(event.kind()).or_default() += 1;
            let book = self.books.entry(event.instrument).or_default();
            let is_whole = self.is_whole.entry(event.instrument).or_insert(true);
            match event.kind() {
                EventKind::BookClear => *book = NaiveBook::default(),
                EventKind::LevelSet => {
                    let side = if event.side() == Some(Side::Buy) { &mut book.bids } else { &mut book.asks };
                    match event.qty.lots() {
                        0 => side.remove(&event.price),
                        lots => side.insert(event.price, lots),
                    };
                    let is_last_of_diff = self
                        .events
                        .get(index + 1)
                        .is_none_or(|next| next.kind() != EventKind::LevelSet || next.a != event.a);
                    if *is_whole && is_last_of_diff {
                        self.best_at.insert((event.instrument, event.a), book.best());
                    }
                }
                EventKind::Quote => {
                    let side = usize::from(event.side() == Some(Side::Sell));
                    let quote = self.quotes.entry((event.instrument, event.a)).or_default();
                    quote[side] = Some((event.price, event.qty.lots()));
                }
                EventKind::Status => *is_whole = event.a == MarketStatus::Resynced as u64,
                EventKind::Gap | EventKind::Malformed | EventKind::Duplicate | EventKind::Ignored => {}
                EventKind::Definition | EventKind::Trade | EventKind::Link => {}
                other @ (EventKind::OrderAdd
                | EventKind::OrderExecute
                | EventKind::OrderExecuteAt
                | EventKind::OrderReduce
                | EventKind::OrderDelete
                | EventKind::OrderReplace
                | EventKind::Report
                | EventKind::Timer
                | EventKind::Operator
                | EventKind::Recovery) => panic!("{other:?} from a feed of levels"),
            }
        }
    }

    fn on_files(&mut self, paths: &[PathBuf]) {
        let mut feed = file::open(&FileSpec::new(FileFormat::Binance, paths.to_vec())).unwrap();
        let mut last_time = Nanos::ZERO;
        loop {
            match feed.peek() {
                Peek::Message(message) => {
                    assert!(message.receive_time >= last_time);
                    last_time = message.receive_time;
                    self.on_message(message.receive_time, message.bytes);
                    feed.advance();
                }
                Peek::NotYet => std::hint::spin_loop(),
                Peek::End => return,
                Peek::Failed(error) => panic!("{error}"),
            }
        }
    }

    fn count(&self, kind: EventKind) -> usize {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    fn lot(&self, instrument: InstrumentId) -> i64 {
        self.normalizer.instruments().by_id(instrument).unwrap().lot
    }

    /// How many rows of the venue's file name an update id of ours; each must agree.
    fn check_expected(&self, instrument: InstrumentId, expected: &Path) -> usize {
        let lots = |text: &str| {
            let nanos = Price::parse(text).unwrap().nanos();
            assert_eq!(nanos % self.lot(instrument), 0);
            nanos / self.lot(instrument)
        };
        let mut checked = 0;
        for row in inflated(expected).lines().skip(1) {
            let row = row.unwrap();
            let [u, bid, bid_qty, ask, ask_qty] = row.split(',').collect::<Vec<_>>()[..] else {
                panic!("{row}: not five columns")
            };
            let Some(ours) = self.best_at.get(&(instrument, u.parse().unwrap())) else { continue };
            let venue = [
                Some((Price::parse(bid).unwrap(), lots(bid_qty))),
                Some((Price::parse(ask).unwrap(), lots(ask_qty))),
            ];
            assert_eq!(*ours, venue, "at update {u}");
            checked += 1;
        }
        checked
    }

    /// How many bookTickers of the stream itself share an update id with our book; each must agree.
    fn check_quotes(&self) -> usize {
        let shared = self.quotes.iter().filter_map(|(id, quote)| Some((id, quote, self.best_at.get(id)?)));
        shared.inspect(|(id, quote, ours)| assert_eq!(quote, ours, "at update {}", id.1)).count()
    }
}

fn learned() -> InstrumentTable {
    InstrumentTable::with_capacity(4)
}

fn configured(symbol: &str, lot: i64) -> InstrumentTable {
    let mut instruments = InstrumentTable::with_capacity(4);
    instruments.add(Instrument {
        id: InstrumentId::ALL,
        source: SourceId::new(0),
        symbol: Symbol::new(symbol).unwrap(),
        lot,
        price_decimals: 0,
        qty_decimals: 0,
        terms: None,
    });
    instruments
}

const FIRST: InstrumentId = InstrumentId::new(0);

#[test]
fn usdm_book_equals_the_venues_best_bid_and_offer_at_every_shared_update() {
    let Some([capture, expected]) =
        captures(["usdm_btcusdt_20240808.gz", "expected/usdm_btcusdt.bookticker.csv.gz"])
    else {
        return;
    };
    let mut market = Market::new(learned());
    market.on_files(&[capture]);
    assert_eq!(market.check_expected(FIRST, &expected), 629);
    assert_eq!(market.check_quotes(), 629);
    assert_eq!(market.count(EventKind::Gap) + market.count(EventKind::Malformed), 0);
    assert_eq!(market.count(EventKind::Trade), 21_313);
    assert_eq!(market.count(EventKind::Quote), 2 * 66_089);
}

#[test]
fn spot_book_continues_into_the_second_day_without_a_snapshot() {
    let Some([first, second, expected]) = captures([
        "spot_btcusdt_20240808.gz",
        "spot_btcusdt_20240809.gz",
        "expected/spot_btcusdt.bookticker.csv.gz",
    ]) else {
        return;
    };
    let mut market = Market::new(configured("BTCUSDT", 10));
    market.on_files(&[first, second]);
    assert_eq!(market.check_expected(FIRST, &expected), 1_072);
    assert_eq!(market.check_quotes(), 1_072);
    let instrument = market.normalizer.instruments().by_id(FIRST).unwrap();
    assert_eq!((instrument.price_decimals, instrument.qty_decimals), (8, 8), "as the venue writes them");
    assert_eq!(market.count(EventKind::Gap) + market.count(EventKind::Malformed), 0);
    assert_eq!(market.count(EventKind::Trade), 9_757 + 10_147);
    assert_eq!(market.count(EventKind::Definition), 0, "a configured instrument is not learnt");
}

#[test]
fn coin_margined_book_equals_the_venues_best_bid_and_offer() {
    let Some([capture, expected]) =
        captures(["cm_ethusd_perp_20240808.gz", "expected/cm_ethusd_perp.bookticker.csv.gz"])
    else {
        return;
    };
    let mut market = Market::new(configured("ETHUSD_PERP", 1_000_000_000));
    market.on_files(&[capture]);
    // The expected file covers two days; this is each of its update ids that the first day has.
    assert_eq!(market.check_expected(FIRST, &expected), 1_345);
    assert_eq!(market.check_quotes(), 1_345);
    assert_eq!(market.count(EventKind::Gap) + market.count(EventKind::Malformed), 0);
    assert_eq!(market.count(EventKind::Trade), 1_732);
}

#[test]
fn a_lot_that_does_not_divide_the_venues_quantities_quarantines_instead_of_rounding() {
    // Spot BTCUSDT trades in steps of 0.00001, but rests 244.56630400 at 80000.00.
    let Some([capture]) = captures(["spot_btcusdt_20240808.gz"]) else { return };
    let mut market = Market::new(configured("BTCUSDT", 10_000));
    market.on_files(&[capture]);
    assert!(!market.is_whole[&FIRST]);
    assert_eq!(market.counters.quarantined.value(), 1);
    assert_eq!(market.count(EventKind::Malformed), 1);
}

/// The messages of a capture with their local times.
fn messages(path: &Path) -> Vec<(Nanos, String)> {
    let split = |line: std::io::Result<String>| {
        let line = line.unwrap();
        let (time, message) = line.split_once(' ').unwrap();
        (Nanos::new(time.parse().unwrap()), message.to_owned())
    };
    inflated(path).lines().map(split).collect()
}

/// A REST snapshot of a naive book, as the venue writes it.
fn snapshot_of(book: &NaiveBook, update_id: u64) -> String {
    let side = |levels: Vec<(&Price, &i64)>| {
        let texts: Vec<String> = levels
            .into_iter()
            .map(|(price, lots)| format!("[\"{price}\",\"{}\"]", Price::from_nanos(lots * 10)))
            .collect();
        texts.join(",")
    };
    let bids = side(book.bids.iter().rev().collect());
    let asks = side(book.asks.iter().collect());
    format!(r#"{{"lastUpdateId":{update_id},"E":1,"T":1,"bids":[{bids}],"asks":[{asks}]}}"#)
}

#[test]
fn a_missing_diff_quarantines_its_symbol_until_a_snapshot_and_leaves_the_other_one_alone() {
    let Some([usdm, coin, expected, coin_expected]) = captures([
        "usdm_btcusdt_20240808.gz",
        "cm_ethusd_perp_20240808.gz",
        "expected/usdm_btcusdt.bookticker.csv.gz",
        "expected/cm_ethusd_perp.bookticker.csv.gz",
    ]) else {
        return;
    };
    let usdm = messages(&usdm);
    let is_diff = |index: usize| usdm[index].1.contains("depthUpdate");
    let diffs: Vec<usize> = (0..usdm.len()).filter(|&index| is_diff(index)).collect();
    let (lost, resynced) = (diffs[3_000], diffs[4_000]);
    // What a whole session knows where the snapshot is taken: after the diff before the last one that is kept.
    let mut whole = Market::new(learned());
    for (time, message) in &usdm[..diffs[3_990]] {
        whole.on_message(*time, message.as_bytes());
    }
    let (&(id, update_id), _) = whole.best_at.last_key_value().unwrap();
    let snapshot = snapshot_of(&whole.books[&id], update_id);
    let coin_messages = messages(&coin);
    let mut coins = coin_messages.iter().peekable();

    let mut market = Market::new(learned());
    let (mut events_of_gap, mut events_of_resync) = (Vec::new(), Vec::new());
    for (index, (time, message)) in usdm.iter().enumerate() {
        while let Some((time, message)) = coins.next_if(|coin| coin.0 <= *time) {
            market.on_message(*time, message.as_bytes());
        }
        if index == lost {
            continue;
        }
        market.on_message(*time, message.as_bytes());
        if index == diffs[3_001] {
            events_of_gap.clone_from(&market.events);
        }
        if index == resynced {
            market.on_message(*time, snapshot.as_bytes());
            events_of_resync.clone_from(&market.events);
        }
    }
    let kinds = |events: &[Event]| events.iter().map(Event::kind).collect::<Vec<_>>();
    assert_eq!(kinds(&events_of_gap), [EventKind::Gap, EventKind::Status, EventKind::Ignored]);
    assert_eq!(events_of_gap[1].a, MarketStatus::Quarantined as u64);
    assert_eq!(events_of_resync[0].kind(), EventKind::BookClear);
    assert!(events_of_resync[0].has(Event::SNAPSHOT));
    assert_eq!(events_of_resync.last().unwrap().a, MarketStatus::Resynced as u64);
    let kept = events_of_resync.iter().filter(|e| e.kind() == EventKind::LevelSet && !e.has(Event::SNAPSHOT));
    assert!(kept.count() > 10, "the diffs that waited come in the same group");
    assert_eq!(market.count(EventKind::Gap), 1);
    assert_eq!(market.counters.quarantined.value(), 0);
    let usdm_id = events_of_gap[0].instrument;
    let coin_id = InstrumentId::new(1 - usdm_id.get());
    let checked = market.check_expected(usdm_id, &expected);
    assert_eq!(checked, 517, "629 without those of the quarantine");
    assert_eq!(market.check_expected(coin_id, &coin_expected), 1_345, "the other symbol goes on");
}

#[test]
fn a_lost_link_quarantines_every_symbol_once() {
    let Some([usdm, coin]) = captures(["usdm_btcusdt_20240808.gz", "cm_ethusd_perp_20240808.gz"]) else {
        return;
    };
    let mut market = Market::new(learned());
    for path in [usdm, coin] {
        for (time, message) in messages(&path).iter().take(3_000) {
            market.on_message(*time, message.as_bytes());
        }
    }
    assert_eq!(market.counters.quarantined.value(), 0);
    market.on_link_down();
    let quarantined: Vec<(u32, u64)> = market
        .events
        .iter()
        .filter(|event| event.kind() == EventKind::Status)
        .map(|event| (event.instrument.get(), event.a))
        .collect();
    let status = MarketStatus::Quarantined as u64;
    assert_eq!(quarantined, [(0, status), (1, status)]);
    assert!(market.events.iter().all(|event| event.has(Event::END_OF_GROUP)), "each is a group of its own");
    market.on_link_down();
    assert_eq!(market.events.len(), 1, "they are in quarantine already");
}
