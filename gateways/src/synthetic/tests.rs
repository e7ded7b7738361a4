#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for the messages it is about")]

use super::*;
use crate::feed::{MarketFeed, Peek};
use crate::itch50::Message;
use std::collections::{BTreeMap, HashMap};

/// A market as its messages tell it, as plainly as can be, with every rule a venue keeps held against each message.
#[derive(Default)]
struct Naive {
    orders: HashMap<u64, (u16, u8, u32, u32)>,
    books: HashMap<u16, [BTreeMap<u32, u64>; 2]>,
    names: HashMap<u16, String>,
    kinds: BTreeMap<u8, u64>,
    /// In ticks, after each message of a symbol in continuous trading.
    spreads: BTreeMap<u32, u64>,
    last_time: u64,
    last_match: u64,
}

impl Naive {
    fn rest(&mut self, reference: u64, locate: u16, side: u8, shares: u32, price: u32) {
        assert!(shares > 0);
        assert_eq!(price % 100, 0);
        assert_eq!(
            self.orders.insert(reference, (locate, side, shares, price)),
            None,
            "{reference} came twice"
        );
        let book = self.books.entry(locate).or_default();
        *book[usize::from(side == b'S')].entry(price).or_default() += u64::from(shares);
        let [bids, asks] = &*book;
        if let (Some((bid, _)), Some((ask, _))) = (bids.last_key_value(), asks.first_key_value()) {
            assert!(bid < ask, "order {reference} locks or crosses: {bid} {ask}");
        }
    }

    /// Takes shares from a live order and gives its side and price.
    fn take(&mut self, reference: u64, locate: u16, shares: Option<u32>) -> (u8, u32) {
        let Some(order) = self.orders.get_mut(&reference) else { panic!("order {reference} is not known") };
        let (of, side, left, price) = *order;
        assert_eq!(of, locate, "order {reference} is of another stock");
        let taken = shares.unwrap_or(left);
        assert!(taken > 0 && taken <= left, "order {reference}: {taken} of {left}");
        order.2 -= taken;
        if taken == left {
            self.orders.remove(&reference);
        }
        let Some(book) = self.books.get_mut(&locate) else { panic!("no book") };
        let levels = &mut book[usize::from(side == b'S')];
        let Some(level) = levels.get_mut(&price) else { panic!("no level") };
        *level -= u64::from(taken);
        if *level == 0 {
            levels.remove(&price);
        }
        (side, price)
    }

    fn executed(&mut self, reference: u64, locate: u16, shares: u32, number: u64) -> (u8, u32) {
        let best = {
            let [bids, asks] = &self.books[&locate];
            (bids.last_key_value().map(|l| *l.0), asks.first_key_value().map(|l| *l.0))
        };
        let (side, price) = self.take(reference, locate, Some(shares));
        assert_eq!(Some(price), if side == b'B' { best.0 } else { best.1 }, "executed behind the best price");
        self.matched(number);
        (side, price)
    }

    fn matched(&mut self, number: u64) {
        assert!(number > self.last_match);
        self.last_match = number;
    }

    fn apply(&mut self, bytes: &[u8]) {
        let message = Message::parse(bytes).unwrap();
        let head = message.head();
        let locate = head.locate.get();
        assert!(head.timestamp.get() >= self.last_time, "time went back");
        self.last_time = head.timestamp.get();
        *self.kinds.entry(message.kind()).or_default() += 1;
        if let Some(stock) = message.stock() {
            let text = stock.symbol().unwrap().to_string();
            assert_eq!(*self.names.entry(locate).or_insert(text.clone()), text);
            assert_ne!(locate, 0);
        }
        match message {
            Message::AddOrder(m) => {
                self.rest(m.reference.get(), locate, m.side, m.shares.get(), m.price.get())
            }
            Message::AddOrderAttributed(m) => {
                self.rest(m.reference.get(), locate, m.side, m.shares.get(), m.price.get());
            }
            Message::OrderExecuted(m) => {
                self.executed(m.reference.get(), locate, m.shares.get(), m.match_number.get());
            }
            Message::OrderExecutedAtPrice(m) => {
                // In the opening cross: everybody gets its price or a better one.
                let (side, price) =
                    self.executed(m.reference.get(), locate, m.shares.get(), m.match_number.get());
                let crossed = m.price.get();
                assert!(if side == b'B' { price >= crossed } else { price <= crossed });
                assert_eq!(m.printable, b'N');
            }
            Message::OrderCancel(m) => {
                let shares = m.shares.get();
                assert!(self.orders[&m.reference.get()].2 > shares, "a cancel leaves something");
                self.take(m.reference.get(), locate, Some(shares));
            }
            Message::OrderDelete(m) => {
                self.take(m.reference.get(), locate, None);
            }
            Message::OrderReplace(m) => {
                let (side, _) = self.take(m.original.get(), locate, None);
                self.rest(m.reference.get(), locate, side, m.shares.get(), m.price.get());
            }
            Message::Trade(m) => {
                self.matched(m.match_number.get());
                let [bids, asks] = &self.books[&locate];
                let (bid, ask) = (bids.last_key_value().unwrap().0, asks.first_key_value().unwrap().0);
                assert!((*bid..=*ask).contains(&m.price.get()));
            }
            Message::CrossTrade(m) => self.matched(m.match_number.get()),
            Message::SystemEvent(_)
            | Message::StockDirectory(_)
            | Message::TradingAction(_)
            | Message::RegSho(_)
            | Message::ParticipantPosition(_)
            | Message::MwcbLevels(_)
            | Message::MwcbStatus(_)
            | Message::QuotingPeriod(_)
            | Message::LuldCollar(_)
            | Message::OperationalHalt(_)
            | Message::BrokenTrade(_)
            | Message::Imbalance(_)
            | Message::RetailInterest(_)
            | Message::DirectListing(_) => {}
        }
    }

    /// Notes the spread of the symbol that the last message was about.
    fn note_spread(&mut self, locate: u16) {
        let Some([bids, asks]) = self.books.get(&locate) else { return };
        if let (Some((bid, _)), Some((ask, _))) = (bids.last_key_value(), asks.first_key_value()) {
            *self.spreads.entry((ask - bid) / 100).or_default() += 1;
        }
    }

    /// The spread that so much of 100 of the messages saw at most.
    fn spread(&self, percent: u64) -> u32 {
        let all: u64 = self.spreads.values().sum();
        let mut passed = 0;
        let found = self.spreads.iter().find(|(_, count)| {
            passed += *count;
            passed * 100 >= all * percent
        });
        *found.unwrap().0
    }

    fn share(&self, kind: u8, of: u64) -> f64 {
        *self.kinds.get(&kind).unwrap_or(&0) as f64 / of as f64 * 100.0
    }
}

fn endless(config: SyntheticConfig, messages: u64) -> SyntheticFeed {
    SyntheticFeed::new(&SyntheticConfig { duration: None, messages_max: Some(messages), ..config }).unwrap()
}

/// Runs a session through the naive market; the counts are those of the continuous session alone.
fn run(mut feed: SyntheticFeed) -> Naive {
    let mut naive = Naive::default();
    let mut opened = false;
    while let Some(message) = feed.next_message() {
        naive.apply(message.bytes);
        if !opened && message.bytes[0] == b'S' && message.bytes[11] == b'Q' {
            opened = true;
            naive.kinds.clear();
        }
        if opened {
            naive.note_spread(u16::from_be_bytes([message.bytes[1], message.bytes[2]]));
        }
    }
    assert!(opened);
    naive
}

/// The shares of message types that `docs/exchange.md` states.
fn assert_mix(naive: &Naive) {
    let total: u64 = naive.kinds.values().sum();
    let expected = [
        (b'A', 43.5, 1.5),
        (b'D', 41.0, 1.5),
        (b'U', 9.7, 1.0),
        (b'E', 2.6, 0.6),
        (b'X', 1.2, 0.3),
        (b'F', 1.0, 0.2),
        (b'P', 0.55, 0.3),
    ];
    for (kind, percent, tolerance) in expected {
        let got = naive.share(kind, total);
        assert!((got - percent).abs() < tolerance, "{}: {got:.2} % instead of {percent}", kind as char);
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let bytes = |seed| {
        let mut feed = endless(SyntheticConfig { seed, ..SyntheticConfig::default() }, 100_000);
        let mut all = Vec::new();
        while let Some(message) = feed.next_message() {
            all.extend_from_slice(&message.receive_time.get().to_le_bytes());
            all.extend_from_slice(message.bytes);
        }
        all
    };
    assert!(bytes(1) == bytes(1));
    assert!(bytes(1) != bytes(2));
    // Of every host and of every later version: the hash of this session is written down.
    let mut digest = spinward_engine::words::Digest::new();
    digest.add(&bytes(1));
    assert_eq!(digest.value(), DIGEST_OF_SEED_1, "{:#x}", digest.value());
}

#[test]
fn a_million_messages_of_few_symbols_keep_every_rule_of_a_venue() {
    let naive = run(endless(SyntheticConfig::default(), 1_000_000));
    assert_mix(&naive);
    assert!((3_600..4_400).contains(&naive.orders.len()), "{} live orders", naive.orders.len());
}

#[test]
fn a_million_messages_of_a_whole_market_keep_every_rule_of_a_venue() {
    let config = SyntheticConfig {
        seed: 11,
        symbols: 8_000,
        live_orders: 467_000,
        rate: 1_000_000,
        ..SyntheticConfig::default()
    };
    let naive = run(endless(config, 1_600_000));
    assert_mix(&naive);
    assert_eq!(naive.names.len(), 8_000);
    assert!((420_000..510_000).contains(&naive.orders.len()), "{} live orders", naive.orders.len());
}

#[test]
fn one_symbol_and_many_seeds_keep_every_rule_of_a_venue() {
    for seed in 0..20 {
        let config = SyntheticConfig { seed, symbols: 1, live_orders: 12, ..SyntheticConfig::default() };
        run(endless(config, 30_000));
        let config = SyntheticConfig {
            seed,
            symbols: 3,
            live_orders: 3_000,
            zipf_quarters: 0,
            directory: false,
            arrivals: Arrivals::Even,
            ..SyntheticConfig::default()
        };
        run(endless(config, 30_000));
    }
}

#[test]
fn spreads_are_a_few_ticks_and_never_run_away() {
    let naive = run(endless(SyntheticConfig::default(), 1_000_000));
    assert!((1..=5).contains(&naive.spread(50)), "median {}", naive.spread(50));
    assert!(naive.spread(99) <= 20, "99th percentile {}", naive.spread(99));
    assert!(naive.spread(5) <= 2, "5th percentile {}", naive.spread(5));
}

#[test]
fn prices_move_and_stay_prices() {
    let mut feed = endless(SyntheticConfig { symbols: 1, ..SyntheticConfig::default() }, 1_000_000);
    let mut seen = std::collections::BTreeSet::new();
    while let Some(message) = feed.next_message() {
        if let Ok(Message::Trade(trade)) = Message::parse(message.bytes) {
            seen.insert(trade.price.get() / 100);
        }
    }
    let (low, high) = (*seen.first().unwrap(), *seen.last().unwrap());
    assert!((20..2_000).contains(&(high - low)), "{low} to {high} ticks");
}

#[test]
fn there_are_bursts_of_forty_in_a_millisecond_and_quiet_seconds() {
    let mut feed = SyntheticFeed::new(&SyntheticConfig { seed: 1, ..SyntheticConfig::default() }).unwrap();
    let mut times = Vec::new();
    let mut opened = false;
    while let Some(message) = feed.next_message() {
        if opened {
            times.push(message.receive_time.get());
        }
        opened |= message.bytes[0] == b'S' && message.bytes[11] == b'Q';
    }
    let within = |window: i64| {
        let mut first = 0;
        let counts = times.iter().enumerate().map(|(index, time)| {
            while times[first] + window <= *time {
                first += 1;
            }
            index + 1 - first
        });
        counts.max().unwrap()
    };
    assert!(within(1_000_000) >= 40, "at most {} in a millisecond", within(1_000_000));
    // Each tenth of a second against the mean of all.
    let mut tenths = [0u32; 100];
    for time in &times {
        tenths[((time - times[0]) / 100_000_000).min(99) as usize] += 1;
    }
    let mean = times.len() as u32 / 100;
    let is_quiet: Vec<bool> = tenths.iter().map(|&count| count < mean / 20).collect();
    let longest = is_quiet.split(|quiet| !quiet).map(<[bool]>::len).max().unwrap();
    assert!(longest >= 10, "the longest quiet stretch has {longest} tenths of a second: {tenths:?}");
    assert!(times.len() > 60_000 && times.len() < 400_000, "{} messages", times.len());
}

#[test]
fn the_directory_names_every_symbol_before_anything_else_is_said_of_it() {
    let config = SyntheticConfig { symbols: 100, ..SyntheticConfig::default() };
    let mut feed = endless(config, 1_000);
    let mut kinds = String::new();
    let mut names = Vec::new();
    while let Some(message) = feed.next_message() {
        kinds.push(message.bytes[0] as char);
        if let Ok(Message::StockDirectory(m)) = Message::parse(message.bytes) {
            names.push(m.stock.symbol().unwrap());
            assert_eq!(usize::from(m.head.locate.get()), names.len());
        }
    }
    let opening =
        ["S", &"R".repeat(100), "V", &"H".repeat(100), &"Y".repeat(100), &"L".repeat(100), "S"].concat();
    assert!(kinds.starts_with(&opening), "{kinds}");
    assert!(kinds.ends_with("SSS"));
    let mut expected: Vec<Symbol> = (0..100).map(symbol_of).collect();
    assert_ne!(names, expected, "locates should not follow activity");
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[test]
fn each_symbol_opens_with_a_cross_that_the_call_before_was_for() {
    let mut feed = endless(SyntheticConfig { symbols: 20, ..SyntheticConfig::default() }, 20_000);
    let (mut states, mut crossed) = (HashMap::new(), 0);
    let (mut naive, mut paired, mut parts) = (Naive::default(), HashMap::new(), HashMap::<u16, u64>::new());
    while let Some(message) = feed.next_message() {
        naive.apply(message.bytes);
        let message = Message::parse(message.bytes).unwrap();
        let locate = message.head().locate.get();
        let state = states.get(&locate).copied();
        match message {
            Message::TradingAction(m) => {
                assert_eq!(state.unwrap_or(b' '), if m.state == b'Q' { b' ' } else { b'Q' });
                states.insert(locate, m.state);
            }
            Message::AddOrder(_) | Message::AddOrderAttributed(_) => assert!(state.is_some()),
            Message::OrderExecuted(_) | Message::OrderReplace(_) => assert_eq!(state, Some(b'T')),
            Message::OrderExecutedAtPrice(m) => {
                assert_eq!(state, Some(b'Q'));
                *parts.entry(locate).or_default() += u64::from(m.shares.get());
            }
            Message::Imbalance(m) => {
                paired.insert(locate, m.paired_shares.get());
            }
            Message::CrossTrade(m) => {
                assert_eq!((state, m.cross_type), (Some(b'Q'), b'O'));
                assert_eq!(m.shares.get(), paired[&locate]);
                // Every share of the book was sold to, or bought from, an order without a limit.
                assert!(m.shares.get() > 0 && parts.get(&locate).unwrap_or(&0) <= &m.shares.get());
                crossed += 1;
            }
            Message::SystemEvent(m) if m.event == b'Q' => {
                assert_eq!(crossed, 20);
                assert!(parts.len() > 10, "orders of the book take part in most crosses");
            }
            _ => {}
        }
    }
    assert_eq!(crossed, 20);
}

#[test]
fn there_are_about_as_many_messages_as_the_rate_says() {
    for rate in [100, 20_000, 1_000_000] {
        let config = SyntheticConfig { rate, arrivals: Arrivals::Clusters, ..SyntheticConfig::default() };
        let mut feed = endless(config, 500_000);
        let (mut messages, mut begin, mut end) = (0, None, Nanos::ZERO);
        while let Some(message) = feed.next_message() {
            let is_open = begin.is_some() || (message.bytes[0] == b'S' && message.bytes[11] == b'Q');
            if is_open {
                begin.get_or_insert(message.receive_time);
                messages += 1;
                end = message.receive_time;
            }
        }
        let got = f64::from(messages) * 1e9 / end.since(begin.unwrap()).get() as f64;
        assert!((0.9..1.1).contains(&(got / f64::from(rate))), "{got} for {rate}");
    }
}

#[test]
fn the_session_ends_on_time_or_at_its_number_of_messages() {
    let config = SyntheticConfig { duration: Some(Nanos::from_millis(700)), ..SyntheticConfig::default() };
    let mut feed = SyntheticFeed::new(&config).unwrap();
    let mut last = Nanos::ZERO;
    let mut ending = Vec::new();
    while let Some(message) = feed.next_message() {
        assert!(message.receive_time >= last);
        last = message.receive_time;
        ending.push(message.bytes.to_vec());
    }
    assert!(last.since(config.start).get() >= 700_000_000);
    assert!(last.since(config.start).get() < 701_000_000);
    let codes: Vec<u8> = ending.iter().rev().take(3).map(|m| m[11]).collect();
    assert_eq!(codes, *b"CEM");
    let mut feed = endless(SyntheticConfig::default(), 12_345);
    while feed.next_message().is_some() {}
    assert_eq!(feed.messages(), 12_348);
    assert!(matches!(feed.peek(), Peek::End));
}

#[test]
fn peeking_twice_gives_the_same_message_and_advancing_the_one_after_it() {
    let config = SyntheticConfig::default();
    let mut peeked = endless(config.clone(), 20_000);
    let mut taken = endless(config, 20_000);
    let bytes_of = |peek: Peek<'_>| match peek {
        Peek::Message(message) => Some((message.receive_time, message.bytes.to_vec())),
        Peek::NotYet | Peek::End | Peek::Failed(_) => None,
    };
    loop {
        let first = bytes_of(peeked.peek());
        assert_eq!(first, bytes_of(peeked.peek()));
        let second = taken.next_message().map(|message| (message.receive_time, message.bytes.to_vec()));
        assert_eq!(first, second);
        if first.is_none() {
            break;
        }
        peeked.advance();
    }
    assert_eq!(peeked.messages(), taken.messages());
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let ok = SyntheticConfig::default();
    let refused = |config: SyntheticConfig| SyntheticFeed::new(&config).err();
    assert_eq!(refused(SyntheticConfig { symbols: 0, ..ok.clone() }), Some(SyntheticError::Symbols(0)));
    assert_eq!(refused(SyntheticConfig { rate: 0, ..ok.clone() }), Some(SyntheticError::Rate(0)));
    assert_eq!(
        refused(SyntheticConfig { live_orders: 95, ..ok.clone() }),
        Some(SyntheticError::LiveOrders { orders: 95, symbols: 8 })
    );
    assert_eq!(refused(SyntheticConfig { start: Nanos::ZERO, ..ok.clone() }), Some(SyntheticError::Start));
    assert_eq!(
        refused(SyntheticConfig { duration: Some(Nanos::ZERO), ..ok.clone() }),
        Some(SyntheticError::Duration)
    );
    assert_eq!(refused(SyntheticConfig { spread: 1_001, ..ok.clone() }), Some(SyntheticError::Spread(1_001)));
    assert_eq!(refused(SyntheticConfig { burst_messages: 0, ..ok.clone() }), Some(SyntheticError::Arrivals));
    assert_eq!(refused(SyntheticConfig { zipf_quarters: 17, ..ok }), Some(SyntheticError::Zipf(17)));
}

/// Of the first 100,000 messages and the closing ones of the default session, receive times and bytes.
const DIGEST_OF_SEED_1: u64 = 0x1b53_b67e_6ea1_4cff;
