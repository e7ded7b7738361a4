use super::*;
use crate::itch50::{
    Be16, Be32, Be48, Be64, BrokenTrade, Imbalance, MESSAGE_BYTES_MAX, MESSAGE_TYPES, Mpid, MwcbStatus,
    Price4, RegSho,
};
use proptest::prelude::*;
use spinward_engine::words::{Instrument, NANOS_PER_UNIT, Price, Symbol};

const MIDNIGHT: i64 = 1_577_682_000_000_000_000;

struct Bench {
    decoder: Itch50Decoder,
    table: InstrumentTable,
    batch: EventBatch,
}

impl Bench {
    fn new(configured: &[&str], capacity: usize) -> Self {
        let mut table = InstrumentTable::with_capacity(capacity);
        for symbol in configured {
            table.add(instrument(symbol, NANOS_PER_UNIT)).unwrap();
        }
        let config = Itch50Config { source: SourceId::new(0), midnight: Some(Nanos::new(MIDNIGHT)) };
        Self { decoder: Itch50Decoder::new(config), table, batch: EventBatch::new() }
    }

    fn give<'a>(&mut self, message: impl Into<Message<'a>>) -> Vec<Event> {
        let mut bytes = [0u8; MESSAGE_BYTES_MAX];
        let length = message.into().encode(&mut bytes);
        self.give_bytes(&bytes[..length])
    }

    fn give_bytes(&mut self, bytes: &[u8]) -> Vec<Event> {
        let meta = MessageMeta { frame: 1, receive_time: Nanos::ZERO, source: SourceId::new(0) };
        self.batch.clear();
        self.decoder.decode(&meta, bytes, &mut self.table, &mut self.batch);
        self.batch.events().to_vec()
    }

    fn symbol(&self, id: InstrumentId) -> &str {
        self.table.by_id(id).unwrap().symbol.as_str()
    }
}

fn instrument(symbol: &str, lot: i64) -> Instrument {
    Instrument {
        id: InstrumentId::ALL,
        source: SourceId::new(0),
        symbol: Symbol::new(symbol).unwrap(),
        lot,
        price_decimals: 2,
        qty_decimals: 0,
        terms: None,
    }
}

fn head(locate: u16) -> Head {
    Head { locate: Be16::new(locate), tracking: Be16::new(0), timestamp: Be48::new(34_200_000_000_230) }
}

fn add(locate: u16, stock: &str, side: u8, shares: u32) -> AddOrder {
    AddOrder {
        head: head(locate),
        reference: Be64::new(7),
        side,
        shares: Be32::new(shares),
        stock: Stock::new(stock).unwrap(),
        price: Price4::new(213_300),
    }
}

fn delete(locate: u16) -> OrderDelete {
    OrderDelete { head: head(locate), reference: Be64::new(7) }
}

fn directory(locate: u16, stock: &str) -> StockDirectory {
    StockDirectory { head: head(locate), stock: Stock::new(stock).unwrap(), ..StockDirectory::default() }
}

fn action(locate: u16, stock: &str, state: u8) -> TradingAction {
    TradingAction {
        head: head(locate),
        stock: Stock::new(stock).unwrap(),
        state,
        reserved: b' ',
        reason: Mpid::default(),
    }
}

fn kinds(events: &[Event]) -> Vec<EventKind> {
    events.iter().map(Event::kind).collect()
}

#[test]
fn an_order_of_a_configured_instrument_gives_one_event_with_every_field() {
    let mut bench = Bench::new(&["AAPL", "VIXM"], 8);
    let events = bench.give(&add(8381, "VIXM", b'S', 100));
    let expected = Event {
        venue_time: Nanos::new(1_577_716_200_000_000_230),
        price: Price::from_nanos(21_330_000_000),
        qty: Qty::from_lots(100),
        a: 7,
        side_number: Side::Sell as u8,
        ..Event::new(EventKind::OrderAdd, InstrumentId::new(1))
    };
    assert_eq!(events, [expected]);
    assert_eq!(bench.table.count(), 2);
}

#[test]
fn an_instrument_that_is_not_configured_is_announced_once_before_its_first_event() {
    let mut bench = Bench::new(&["AAPL"], 8);
    let events = bench.give(&add(8381, "VIXM", b'B', 100));
    assert_eq!(kinds(&events), [EventKind::Definition, EventKind::OrderAdd]);
    let definition = events[0].definition();
    assert_eq!(
        (definition.symbol.as_str(), definition.lot_decimals, definition.price_decimals),
        ("VIXM", 0, 4)
    );
    assert_eq!(events[0].instrument, events[1].instrument);
    assert_eq!(kinds(&bench.give(&add(8381, "VIXM", b'B', 100))), [EventKind::OrderAdd]);
    assert_eq!(kinds(&bench.give(&directory(8381, "VIXM"))), [EventKind::Ignored]);
}

#[test]
fn a_locate_without_a_symbol_is_named_after_itself_and_renamed_when_its_symbol_comes() {
    let mut bench = Bench::new(&["AAPL"], 8);
    let events = bench.give(&delete(3041));
    assert_eq!(kinds(&events), [EventKind::Definition, EventKind::OrderDelete]);
    let id = events[1].instrument;
    assert_eq!(bench.symbol(id), "#3041");
    assert_eq!(kinds(&bench.give(&delete(3041))), [EventKind::OrderDelete]);
    let events = bench.give(&add(3041, "VIXM", b'B', 1));
    assert_eq!(kinds(&events), [EventKind::Definition, EventKind::OrderAdd]);
    assert_eq!((events[0].instrument, events[1].instrument), (id, id));
    assert_eq!(events[0].definition().symbol.as_str(), "VIXM");
    assert_eq!(bench.symbol(id), "VIXM");
    assert_eq!(bench.give(&delete(3041))[0].instrument, id);
    assert_eq!(bench.table.count(), 2);
}

#[test]
fn a_locate_without_a_symbol_goes_over_to_the_configured_instrument_when_that_is_its_name() {
    let mut bench = Bench::new(&["AAPL"], 8);
    let provisional = bench.give(&delete(3041))[1].instrument;
    let events = bench.give(&add(3041, "AAPL", b'B', 1));
    assert_eq!(kinds(&events), [EventKind::OrderAdd]);
    assert_eq!(events[0].instrument, InstrumentId::new(0));
    assert_ne!(provisional, InstrumentId::new(0));
    assert_eq!(bench.give(&delete(3041))[0].instrument, InstrumentId::new(0));
}

#[test]
fn a_new_day_gives_locates_anew() {
    let mut bench = Bench::new(&["AAPL", "VIXM"], 8);
    bench.give(&add(1, "AAPL", b'B', 1));
    bench.give(&SystemEvent { head: head(0), event: b'O' });
    assert_eq!(bench.give(&add(1, "VIXM", b'B', 1))[0].instrument, InstrumentId::new(1));
    assert_eq!(bench.give(&directory(1, "AAPL"))[0].instrument, InstrumentId::new(0));
    assert_eq!(bench.give(&delete(1))[0].instrument, InstrumentId::new(0));
}

#[test]
fn a_full_table_refuses_what_is_new_and_still_serves_what_is_configured() {
    let mut bench = Bench::new(&["AAPL"], 1);
    let refused = bench.give(&add(1, "VIXM", b'B', 1));
    assert_eq!(kinds(&refused), [EventKind::Malformed]);
    assert_eq!(refused[0].a, DecodeError::TooManyInstruments as u64);
    assert_eq!(bench.give(&delete(2))[0].a, DecodeError::TooManyInstruments as u64);
    assert_eq!(kinds(&bench.give(&add(2, "AAPL", b'B', 1))), [EventKind::OrderAdd]);
    assert_eq!(kinds(&bench.give(&delete(2))), [EventKind::OrderDelete]);
}

#[test]
fn a_lot_that_is_not_a_share_is_refused_and_never_counted_wrong() {
    let mut bench = Bench::new(&[], 4);
    bench.table.add(instrument("AAPL", 100 * NANOS_PER_UNIT)).unwrap();
    let events = bench.give(&add(1, "AAPL", b'B', 1));
    assert_eq!((events[0].kind(), events[0].a), (EventKind::Malformed, DecodeError::BadNumber as u64));
}

#[test]
fn the_same_symbol_of_another_source_is_another_instrument() {
    let mut bench = Bench::new(&[], 4);
    bench.table.add(Instrument { source: SourceId::new(5), ..instrument("AAPL", NANOS_PER_UNIT) }).unwrap();
    assert_eq!(bench.give(&add(1, "AAPL", b'B', 1))[1].instrument, InstrumentId::new(1));
}

#[test]
fn executions_cancels_and_replaces_keep_their_numbers() {
    let mut bench = Bench::new(&["AAPL"], 4);
    bench.give(&directory(1, "AAPL"));
    let (reference, shares, match_number) = (Be64::new(7), Be32::new(30), Be64::new(53_487));
    let executed = bench.give(&OrderExecuted { head: head(1), reference, shares, match_number })[0];
    assert_eq!((executed.kind(), executed.a, executed.b), (EventKind::OrderExecute, 7, 53_487));
    assert!(executed.has(Event::PRINTABLE));
    let mut at = OrderExecutedAtPrice {
        head: head(1),
        reference,
        shares,
        match_number,
        printable: b'N',
        price: Price4::new(404_300),
    };
    let executed = bench.give(&at)[0];
    assert_eq!(
        (executed.kind(), executed.price),
        (EventKind::OrderExecuteAt, Price::from_nanos(40_430_000_000))
    );
    assert!(!executed.has(Event::PRINTABLE));
    at.printable = b'Y';
    assert!(bench.give(&at)[0].has(Event::PRINTABLE));
    let reduced = bench.give(&OrderCancel { head: head(1), reference, shares })[0];
    assert_eq!((reduced.kind(), reduced.a, reduced.qty.lots()), (EventKind::OrderReduce, 7, 30));
    let replaced = bench.give(&OrderReplace {
        head: head(1),
        original: reference,
        reference: Be64::new(8),
        shares,
        price: Price4::new(10_000),
    })[0];
    assert_eq!((replaced.kind(), replaced.a, replaced.b), (EventKind::OrderReplace, 7, 8));
    assert_eq!((replaced.price, replaced.side()), (Price::parse("1").unwrap(), None));
}

#[test]
fn a_hidden_sell_order_was_lifted_by_a_buyer_and_a_hidden_buy_order_says_nothing() {
    let mut bench = Bench::new(&["AAPL"], 4);
    let mut trade = Trade {
        head: head(1),
        reference: Be64::new(0),
        side: b'B',
        shares: Be32::new(84),
        stock: Stock::new("AAPL").unwrap(),
        price: Price4::new(1_377_000),
        match_number: Be64::new(53_487),
    };
    let event = bench.give(&trade)[0];
    assert_eq!((event.kind(), event.side(), event.a, event.b), (EventKind::Trade, None, 53_487, 80));
    trade.side = b'S';
    assert_eq!(bench.give(&trade)[0].side(), Some(Side::Buy));
}

#[test]
fn a_cross_is_a_trade_unless_nothing_matched() {
    let mut bench = Bench::new(&["AAPL"], 4);
    let mut cross = CrossTrade {
        head: head(1),
        shares: Be64::new(6_185),
        stock: Stock::new("AAPL").unwrap(),
        price: Price4::new(404_300),
        match_number: Be64::new(53_497),
        cross_type: b'O',
    };
    let event = bench.give(&cross)[0];
    assert_eq!((event.kind(), event.side(), event.qty.lots(), event.b), (EventKind::Trade, None, 6_185, 79));
    cross.shares = Be64::new(0);
    assert_eq!((bench.give(&cross)[0].kind(), bench.give(&cross)[0].a), (EventKind::Ignored, 81));
    cross.shares = Be64::new(u64::MAX);
    assert_eq!(bench.give(&cross)[0].a, DecodeError::BadNumber as u64);
}

#[test]
fn the_open_does_not_lift_a_halt() {
    let mut bench = Bench::new(&["AAPL", "VIXM"], 4);
    bench.give(&action(1, "AAPL", b'T'));
    assert_eq!(bench.give(&action(2, "VIXM", b'H'))[0].a, MarketStatus::Halted as u64);
    let events = bench.give(&SystemEvent { head: head(0), event: b'Q' });
    let told: Vec<_> = events.iter().map(|e| (e.kind(), e.instrument, e.a)).collect();
    assert_eq!(
        told,
        [
            (EventKind::Status, InstrumentId::ALL, MarketStatus::Trading as u64),
            (EventKind::Status, InstrumentId::new(1), MarketStatus::Halted as u64),
        ]
    );
    assert!(events.iter().all(|event| event.has(Event::END_OF_GROUP)));
    let events = bench.give(&SystemEvent { head: head(0), event: b'M' });
    assert_eq!((events[0].instrument, events[0].a), (InstrumentId::ALL, MarketStatus::Closed as u64));
    for quiet in [b'S', b'E', b'C', b'O'] {
        assert_eq!(kinds(&bench.give(&SystemEvent { head: head(0), event: quiet })), [EventKind::Ignored]);
    }
}

#[test]
fn the_end_of_an_operational_halt_gives_way_to_the_trading_state_below_it() {
    let mut bench = Bench::new(&["AAPL"], 4);
    let halt = |market, action| OperationalHalt {
        head: head(1),
        stock: Stock::new("AAPL").unwrap(),
        market,
        action,
    };
    bench.give(&action(1, "AAPL", b'P'));
    assert_eq!(bench.give(&halt(b'Q', b'H'))[0].a, MarketStatus::Halted as u64);
    assert_eq!(bench.give(&action(1, "AAPL", b'Q'))[0].a, MarketStatus::Halted as u64);
    assert_eq!(bench.give(&halt(b'Q', b'T'))[0].a, MarketStatus::QuoteOnly as u64);
    assert_eq!(kinds(&bench.give(&halt(b'B', b'H'))), [EventKind::Ignored]);
    assert_eq!(kinds(&bench.give(&halt(b'Z', b'H'))), [EventKind::Malformed]);
}

#[test]
fn messages_without_effect_are_counted_under_their_type() {
    let mut bench = Bench::new(&["AAPL"], 4);
    let stock = Stock::new("AAPL").unwrap();
    let sho = RegSho { head: head(1), stock, action: b'0' };
    assert_eq!((bench.give(&sho)[0].kind(), bench.give(&sho)[0].a), (EventKind::Ignored, 89));
    let noii = Imbalance { head: head(1), stock, ..Imbalance::default() };
    assert_eq!((bench.give(&noii)[0].a, bench.give(&noii)[0].instrument), (73, InstrumentId::new(0)));
    let broken = BrokenTrade { head: head(1), match_number: Be64::new(1) };
    assert_eq!((bench.give(&broken)[0].a, bench.give(&broken)[0].instrument), (66, InstrumentId::new(0)));
    let breach = MwcbStatus { head: head(0), breached: b'1' };
    assert_eq!((bench.give(&breach)[0].a, bench.give(&breach)[0].instrument), (87, InstrumentId::ALL));
}

#[test]
fn a_bad_field_is_named_by_its_offset_and_learns_nothing() {
    let mut bench = Bench::new(&[], 4);
    let told = |events: Vec<Event>| (events.len(), events[0].kind(), events[0].a, events[0].b);
    let bad = DecodeError::BadField as u64;
    assert_eq!(told(bench.give(&add(1, "AAPL", b'X', 1))), (1, EventKind::Malformed, bad, 19));
    assert_eq!(told(bench.give(&add(1, "AAPL", b'B', 0))), (1, EventKind::Malformed, bad, 20));
    assert_eq!(told(bench.give(&add(1, "", b'B', 1))), (1, EventKind::Malformed, bad, 24));
    assert_eq!(told(bench.give(&action(1, "AAPL", b'?'))), (1, EventKind::Malformed, bad, 19));
    assert_eq!(
        told(bench.give(&SystemEvent { head: head(0), event: b'?' })),
        (1, EventKind::Malformed, bad, 11)
    );
    let cut = DecodeError::Truncated as u64;
    assert_eq!(told(bench.give_bytes(b"A12345")), (1, EventKind::Malformed, cut, 6));
    assert_eq!(bench.table.count(), 0);
}

#[test]
fn without_a_date_times_are_since_midnight() {
    let mut bench = Bench::new(&["AAPL"], 4);
    bench.decoder = Itch50Decoder::new(Itch50Config::default());
    assert_eq!(bench.give(&add(1, "AAPL", b'B', 1))[0].venue_time, Nanos::new(34_200_000_000_230));
}

proptest! {
    #[test]
    fn whatever_the_bytes_there_is_an_event_and_no_instrument_out_of_the_table(
        messages in proptest::collection::vec(
            (0..30usize, proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'A'), Just(b'B'), Just(b'Q')], 0..60), any::<bool>()),
            1..60,
        ),
    ) {
        let mut bench = Bench::new(&["AAPL", "ABBA"], 6);
        for (which, mut bytes, whole) in messages {
            if let Some(&(kind, length)) = MESSAGE_TYPES.get(which) {
                if whole {
                    bytes.resize(length, b'B');
                    // Few locates, so that they meet again.
                    bytes[1] = 0;
                    bytes[2] %= 8;
                }
                if let Some(first) = bytes.first_mut() {
                    *first = kind;
                }
            }
            let events = bench.give_bytes(&bytes);
            prop_assert!(!events.is_empty());
            for event in events {
                prop_assert!(event.instrument == InstrumentId::ALL || bench.table.by_id(event.instrument).is_some());
            }
        }
    }
}
