use super::*;
use proptest::prelude::*;
use spinward_engine::normalizer::EVENTS_PER_MESSAGE_MAX;
use spinward_engine::words::{Definition, Instrument, MarketStatus, SourceId};

const META: MessageMeta = MessageMeta { frame: 1, receive_time: Nanos::ZERO, source: SourceId::new(0) };

struct Feed {
    decoder: BinanceDecoder,
    instruments: InstrumentTable,
    out: EventBatch,
}

impl Feed {
    fn new(config: &BinanceConfig) -> Self {
        Self {
            decoder: BinanceDecoder::new(config).unwrap(),
            instruments: InstrumentTable::with_capacity(3),
            out: EventBatch::new(),
        }
    }

    fn on(&mut self, text: &str) -> &[Event] {
        self.out.clear();
        self.decoder.decode(&META, text.as_bytes(), &mut self.instruments, &mut self.out);
        self.out.events()
    }

    fn kinds(&mut self, text: &str) -> Vec<EventKind> {
        self.on(text).iter().map(Event::kind).collect()
    }
}

fn feed() -> Feed {
    Feed::new(&BinanceConfig::default())
}

fn spot(symbol: &str, first: u64, last: u64) -> String {
    format!(r#"{{"e":"depthUpdate","E":5,"s":"{symbol}","U":{first},"u":{last},"b":[["1.5","2"]],"a":[]}}"#)
}

fn futures(symbol: &str, first: u64, last: u64, previous: u64) -> String {
    format!(
        r#"{{"e":"depthUpdate","E":5,"T":4,"s":"{symbol}","U":{first},"u":{last},"pu":{previous},"b":[],"a":[["2.5","2"]]}}"#
    )
}

fn snapshot(id: u64) -> String {
    format!(r#"{{"lastUpdateId":{id},"bids":[["1.4","1"]],"asks":[["1.6","1"],["1.7","1"]]}}"#)
}

use EventKind::{
    BookClear, Definition as Defined, Duplicate, Gap, Ignored, LevelSet, Malformed, Quote, Status, Trade,
};

#[test]
fn a_symbol_is_learnt_quarantined_and_synced_by_snapshot_and_kept_diffs() {
    let mut feed = feed();
    let events = feed.on(&spot("BTCUSDT", 5, 9)).to_vec();
    assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), [Defined, Status, Ignored]);
    let expected = Definition {
        symbol: Symbol::new("BTCUSDT").unwrap(),
        lot_decimals: 8,
        price_decimals: 1,
        qty_decimals: 0,
    };
    assert_eq!(events[0].definition(), expected);
    assert_eq!(events[1].a, MarketStatus::Quarantined as u64);
    assert_eq!(feed.kinds(&spot("BTCUSDT", 10, 12)), [Ignored], "quarantine is told once");
    assert_eq!(feed.kinds(&spot("BTCUSDT", 13, 15)), [Ignored]);
    let events = feed.on(&snapshot(11)).to_vec();
    let kinds: Vec<EventKind> = events.iter().map(Event::kind).collect();
    // 5–9 is older than the snapshot, 10–12 straddles it, 13–15 follows.
    assert_eq!(kinds, [BookClear, LevelSet, LevelSet, LevelSet, LevelSet, LevelSet, Status]);
    assert_eq!(events.iter().map(|e| e.a).collect::<Vec<_>>(), [11, 11, 11, 11, 12, 15, 7]);
    assert_eq!(events[4].venue_time, Nanos::from_millis(5));
    assert_eq!((events[4].price.nanos(), events[4].qty.lots()), (1_500_000_000, 200_000_000));
    assert_eq!(feed.decoder.counters().diffs_superseded.value(), 1);
    assert_eq!(feed.kinds(&spot("BTCUSDT", 14, 15)), [Duplicate]);
    assert_eq!(feed.kinds(&snapshot(15)), [Duplicate]);
    assert_eq!(feed.kinds(&spot("BTCUSDT", 16, 16)), [LevelSet]);
    let gap = feed.on(&spot("BTCUSDT", 18, 18))[0];
    assert_eq!((gap.kind(), gap.a, gap.b), (Gap, 17, 18));
    assert_eq!(feed.kinds(&snapshot(16)), [Gap], "too old: 17 is still missing");
    assert_eq!(feed.kinds(&snapshot(17)).last(), Some(&Status));
}

#[test]
fn futures_follow_by_pu() {
    let mut feed = feed();
    feed.on(&futures("BTCUSDT", 10, 20, 8));
    feed.on(&futures("BTCUSDT", 25, 30, 20));
    let snapshot = r#"{"lastUpdateId":20,"E":1,"T":1,"bids":[],"asks":[]}"#;
    assert_eq!(feed.kinds(snapshot), [BookClear, LevelSet, LevelSet, Status], "u = lastUpdateId is applied");
    assert_eq!(feed.kinds(&futures("BTCUSDT", 35, 40, 30)), [LevelSet]);
    assert_eq!(feed.kinds(&futures("BTCUSDT", 45, 50, 41)), [Gap, Status, Ignored]);
    assert_eq!(feed.kinds(&futures("BTCUSDT", 55, 60, 51)), [Gap, Ignored], "a second hole is told too");
    assert_eq!(
        feed.kinds(&spot("BTCUSDT", 61, 61)),
        [Malformed],
        "a diff of the spot market in a futures feed"
    );
}

#[test]
fn a_snapshot_finds_its_symbol_or_is_malformed() {
    let mut feed = feed();
    let unknown = feed.on(&snapshot(1))[0];
    assert_eq!((unknown.kind(), unknown.a), (Malformed, DecodeError::UnknownInstrument as u64));
    feed.on(&futures("ETHUSDT", 1, 2, 0));
    feed.on(&spot("BTCUSDT", 1, 2));
    assert_eq!(feed.kinds(&snapshot(1)).last(), Some(&Status), "the only one of spot");
    feed.on(&spot("BNBUSDT", 1, 2));
    assert_eq!(feed.kinds(&snapshot(5)), [Malformed], "one of two");
    let named = format!(r#"{{"stream":"bnbusdt@snapshot","data":{}}}"#, snapshot(1));
    assert_eq!(feed.kinds(&named).last(), Some(&Status));
    let partial = format!(r#"{{"stream":"bnbusdt@depth5@100ms","data":{}}}"#, snapshot(9));
    assert_eq!(feed.kinds(&partial), [Ignored]);
    let coin = r#"{"lastUpdateId":1,"E":1,"T":1,"symbol":"ETHUSDT","pair":"X","bids":[],"asks":[]}"#;
    assert_eq!(feed.kinds(coin).last(), Some(&Status));

    let config =
        BinanceConfig { snapshot_symbol: Some(Symbol::new("BTCUSDT").unwrap()), ..BinanceConfig::default() };
    assert_eq!(Feed::new(&config).kinds(&snapshot(1)).first(), Some(&Defined));
}

#[test]
fn quotes_and_trades_are_the_venues() {
    let mut feed = feed();
    let events =
        feed.on(r#"{"stream":"x","data":{"u":7,"s":"B","b":"1.50","B":"2","a":"1.60","A":"0.1"}}"#).to_vec();
    assert_eq!(events[2..].iter().map(Event::kind).collect::<Vec<_>>(), [Quote, Quote]);
    assert_eq!((events[2].side(), events[2].a, events[2].venue_time), (Some(Side::Buy), 7, Nanos::ZERO));
    assert_eq!((events[3].side(), events[3].qty.lots()), (Some(Side::Sell), 10_000_000));
    let trade = |kind: &str, id: &str, price: &str| {
        format!(
            r#"{{"e":"{kind}","E":9,"T":8,"s":"B","{id}":3,"p":"{price}","q":"2","X":"MARKET","m":true}}"#
        )
    };
    let event = feed.on(&trade("aggTrade", "a", "1.5"))[0];
    assert_eq!((event.kind(), event.a, event.b), (Trade, 3, AGGREGATE_TRADE));
    let event = feed.on(&trade("trade", "t", "1.5"))[0];
    assert_eq!(
        (event.kind(), event.side(), event.venue_time),
        (Trade, Some(Side::Sell), Nanos::from_millis(8))
    );
    assert_eq!(feed.kinds(&trade("aggTrade", "a", "1.5")), [Ignored], "single trades are counted already");
    assert_eq!(feed.kinds(&trade("trade", "t", "0")), [Ignored], "a transfer, not a trade");
    assert_eq!(feed.kinds(&trade("trade", "t", "x")), [Malformed]);
    let event = feed.on(r#"{"e":"kline","s":"B","k":{"o":"1"}}"#)[0];
    assert_eq!((event.kind(), event.a), (Ignored, u64::from_le_bytes(*b"kline\0\0\0")));
    assert_eq!(feed.kinds("[1,2]"), [Ignored]);
    assert_eq!(feed.kinds("{"), [Malformed]);
    assert_eq!(feed.kinds(""), [Malformed]);
}

#[test]
fn microseconds_are_told_from_milliseconds() {
    let mut feed = feed();
    let trade = r#"{"e":"trade","T":1723161255342001,"s":"B","t":1,"p":"1","q":"1","m":false}"#;
    assert_eq!(feed.on(trade)[2].venue_time.get(), 1_723_161_255_342_001_000);
}

#[test]
fn a_diff_that_cannot_be_read_quarantines_a_synced_symbol() {
    let mut feed = feed();
    feed.on(&spot("B", 1, 2));
    feed.on(&snapshot(2));
    let bad = spot("B", 3, 3).replace("1.5", "1.5e3");
    let events = feed.on(&bad).to_vec();
    assert_eq!(
        (events[0].a, events[0].b),
        (DecodeError::BadNumber as u64, bad.find("\"1.5e3").unwrap() as u64)
    );
    assert_eq!((events[1].kind(), events[1].a), (Status, MarketStatus::Quarantined as u64));
    assert_eq!(feed.kinds(&spot("B", 4, 4)), [Ignored]);
    assert_eq!(feed.kinds(&snapshot(3)).last(), Some(&Status));
}

#[test]
fn symbols_beyond_the_table_are_malformed() {
    let mut feed = feed();
    for symbol in ["A", "B", "C"] {
        assert_eq!(feed.kinds(&spot(symbol, 1, 1)), [Defined, Status, Ignored]);
    }
    let event = feed.on(&spot("D", 1, 1))[0];
    assert_eq!((event.kind(), event.a), (Malformed, DecodeError::TooManyInstruments as u64));
    assert_eq!(feed.kinds(&spot("A", 2, 2)), [Ignored], "the others go on");
}

#[test]
fn the_lot_of_a_configured_instrument_counts() {
    let mut feed = feed();
    feed.instruments.add(Instrument {
        id: InstrumentId::ALL,
        source: SourceId::new(0),
        symbol: Symbol::new("B").unwrap(),
        lot: 500_000_000,
        price_decimals: 0,
        qty_decimals: 0,
        terms: None,
    });
    assert_eq!(feed.kinds(&snapshot(2)).last(), Some(&Status), "the only one that it can be");
    assert_eq!(feed.on(&spot("B", 3, 3))[0].qty.lots(), 4);
    assert_eq!(feed.instruments.by_id(InstrumentId::new(0)).unwrap().price_decimals, 1);
    assert_eq!(feed.kinds(&spot("B", 4, 4).replace("\"2\"", "\"2.25\"")), [Malformed, Status]);
}

#[test]
fn when_the_memory_is_full_the_oldest_diff_is_dropped_and_named() {
    let config = BinanceConfig { pending_messages: 3, ..BinanceConfig::default() };
    let mut feed = Feed::new(&config);
    feed.on(&spot("A", 1, 2));
    for id in 10..12 {
        feed.on(&spot("B", id, id));
    }
    let events = feed.on(&spot("B", 12, 12)).to_vec();
    assert_eq!(events.iter().map(Event::kind).collect::<Vec<_>>(), [Gap, Ignored]);
    assert_eq!((events[0].instrument.get(), events[0].a, events[0].b), (0, 1, 3));
    assert!(events[0].has(Event::END_OF_GROUP), "it is about another symbol");
    assert_eq!(feed.kinds(&spot("B", 13, 13)), [Gap, Ignored]);
    let named = |id| format!(r#"{{"stream":"b@snapshot","data":{}}}"#, snapshot(id));
    assert_eq!(feed.kinds(&named(8)), [Gap], "10 is lost");
    assert_eq!(feed.kinds(&named(10)).last(), Some(&Status));
    assert_eq!(feed.decoder.counters().diffs_dropped.value(), 2);
}

#[test]
fn kept_diffs_that_do_not_fit_into_one_message_follow_with_the_next_ones() {
    let mut feed = feed();
    let many = vec![r#"["1.5","2"]"#; 1_000].join(",");
    for id in 1..=40 {
        feed.on(&spot("B", id, id).replace(r#"["1.5","2"]"#, &many));
    }
    let count = feed.on(&snapshot(1)).len();
    assert!(count > 15_000 && count < EVENTS_PER_MESSAGE_MAX, "{count}");
    assert_ne!(feed.out.events()[count - 1].kind(), Status, "still in quarantine");
    feed.on(r#"{"u":7,"s":"B","b":"1.50","B":"2","a":"1.60","A":"0.1"}"#);
    assert_ne!(feed.out.events().last().unwrap().kind(), Status);
    let events = feed.on(&spot("B", 41, 41)).to_vec();
    assert_eq!(events.last().unwrap().a, MarketStatus::Resynced as u64);
    assert_eq!(events[events.len() - 2].a, 41, "the newest comes last");
    assert_eq!(feed.kinds(&spot("B", 42, 42)), [LevelSet]);
    assert_eq!(feed.decoder.counters().diffs_applied.value(), 41);
}

#[test]
fn limits_out_of_range_are_refused() {
    let refused = |config: BinanceConfig| BinanceDecoder::new(&config).err().unwrap();
    let default = BinanceConfig::default;
    assert_eq!(refused(BinanceConfig { symbols_max: 0, ..default() }), BinanceConfigError::Symbols(0));
    assert_eq!(
        refused(BinanceConfig { learned_lot_decimals: 10, ..default() }),
        BinanceConfigError::LotDecimals(10)
    );
    assert_eq!(refused(BinanceConfig { pending_bytes: 9, ..default() }), BinanceConfigError::PendingBytes(9));
    assert_eq!(
        refused(BinanceConfig { pending_messages: 99_999, ..default() }),
        BinanceConfigError::PendingMessages(99_999)
    );
}

/// What the venue would send for a list of single updates, some of it lost, some of it twice, with snapshots thrown in.
#[derive(Clone, Debug)]
enum Step {
    Diff { updates: u64, is_lost: bool, is_twice: bool },
    Snapshot { age: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1u64..4, prop::bool::weighted(0.1), prop::bool::weighted(0.1))
            .prop_map(|(updates, is_lost, is_twice)| Step::Diff { updates, is_lost, is_twice }),
        1 => (0u64..6).prop_map(|age| Step::Snapshot { age }),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    /// Update n sets the bid at price n % 5 + 1 to n lots: so after update n every level is known, and a book that missed or doubled
    /// anything shows it. Whenever the symbol is not quarantined, the book equals the venue's.
    #[test]
    fn a_book_out_of_quarantine_is_the_venues(steps in steps(), is_futures in any::<bool>()) {
        let mut feed = Feed::new(&BinanceConfig { learned_lot_decimals: 0, ..BinanceConfig::default() });
        let at = |now: u64| -> [u64; 5] {
            std::array::from_fn(|level| (1..=now).rev().find(|n| n % 5 == level as u64).unwrap_or(0))
        };
        let (mut book, mut is_whole) = ([0u64; 5], false);
        let (mut now, mut heard, mut previous) = (0u64, 0u64, 0u64);
        for step in steps {
            let mut messages = Vec::new();
            match step {
                Step::Diff { updates, is_lost, is_twice } => {
                    let levels: Vec<String> =
                        (now + 1..=now + updates).map(|n| format!("[\"{}\",\"{n}\"]", n % 5 + 1)).collect();
                    let pu = if is_futures { format!(",\"pu\":{previous}") } else { String::new() };
                    let text = format!(
                        r#"{{"e":"depthUpdate","E":1,"s":"B","U":{},"u":{}{pu},"b":[{}],"a":[]}}"#,
                        now + 1, now + updates, levels.join(",")
                    );
                    now += updates;
                    previous = now;
                    messages.extend(vec![text; usize::from(!is_lost) + usize::from(is_twice && !is_lost)]);
                    if !is_lost {
                        heard = now;
                    }
                }
                Step::Snapshot { age } => {
                    let id = now.saturating_sub(age);
                    let levels: Vec<String> =
                        at(id).iter().enumerate().map(|(level, n)| format!("[\"{}\",\"{n}\"]", level + 1)).collect();
                    let time = if is_futures { "\"E\":1," } else { "" };
                    messages.push(format!(
                        r#"{{"lastUpdateId":{id},{time}"bids":[{}],"asks":[]}}"#, levels.join(",")
                    ));
                    heard = heard.max(id);
                }
            }
            for message in messages {
                let events = feed.on(&message).to_vec();
                prop_assert!(!events.is_empty());
                for event in &events {
                    if event.kind() == BookClear {
                        book = [0; 5];
                    } else if event.kind() == LevelSet {
                        book[(event.price.nanos() / 1_000_000_000 - 1) as usize] = event.qty.lots() as u64;
                    } else if event.kind() == Status {
                        is_whole = event.a == MarketStatus::Resynced as u64;
                    }
                }
            }
            if is_whole {
                prop_assert_eq!(book, at(heard), "after update {}", heard);
            }
        }
        let quarantined = feed.decoder.counters().quarantined.value();
        prop_assert!(quarantined == i64::from(!is_whole) || feed.decoder.counters().symbols.value() == 0);
    }

    #[test]
    fn no_bytes_make_it_panic(
        texts in prop::collection::vec((0usize..6, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..60),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut feed = feed();
        for (which, at, byte, is_cut) in texts {
            let text = [
                spot("B", 1, 2), futures("C", 1, 2, 0), snapshot(2), r#"{"lastUpdateId":1,"E":1,"bids":[],"asks":[["1"]]}"#.into(),
                r#"{"stream":"b@bookTicker","data":{"u":7,"s":"B","b":"1.50","B":"2","a":"1.60","A":"0.1"}}"#.into(),
                r#"{"e":"trade","E":9,"T":8,"s":"B","t":3,"p":"1.5","q":"2","X":"MARKET","m":true}"#.into(),
            ][which].clone();
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if is_cut {
                bytes.truncate(at);
            }
            for message in [&bytes, &noise] {
                feed.out.clear();
                feed.decoder.decode(&META, message, &mut feed.instruments, &mut feed.out);
                prop_assert!(!feed.out.events().is_empty(), "nothing is silent");
            }
        }
    }
}
