#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for the outputs it is about")]

use super::*;
use crate::exchange::{EngineConfig, Output, Phase, Reject, SymbolRules};
use std::collections::HashMap;

/// An exchange with its participants, in continuous trading, its books filled.
struct Market {
    engine: Engine,
    participants: Participants,
    out: Vec<Output>,
    now: u64,
}

impl Market {
    /// With room for all orders.
    fn new(config: &ParticipantsConfig) -> Self {
        let sizes = config.prices.iter().enumerate();
        let sizes = sizes.map(|(index, _)| config.books.get(index).copied().unwrap_or(config.orders));
        Self::of(config, sizes.map(|orders| orders as usize * 4).sum::<usize>() + 1_000)
    }

    fn of(config: &ParticipantsConfig, orders_max: usize) -> Self {
        let rules = |&reference: &Price4| SymbolRules { reference, ..SymbolRules::default() };
        let symbols: Vec<SymbolRules> = config.prices.iter().map(rules).collect();
        let count = symbols.len() as u16;
        let mut engine = Engine::new(&EngineConfig { symbols, orders_max }).unwrap();
        let mut participants = Participants::new(config).unwrap();
        let mut out = Vec::new();
        for symbol in 0..count {
            engine.execute(&Command::Phase { symbol, phase: Phase::Continuous }, &mut out);
            while let Some(command) = participants.fill(&engine, symbol).filter(|_| engine.vacant() > 0) {
                engine.execute(&command, &mut out);
            }
        }
        out.clear();
        Self { engine, participants, out, now: 0 }
    }

    /// The next command's outputs are in `out`.
    fn step(&mut self) -> Command {
        self.now += self.participants.wait().get() as u64;
        let command = self.participants.next(&self.engine);
        self.out.clear();
        self.engine.execute(&command, &mut self.out);
        command
    }
}

fn dollars(price: u32) -> Price4 {
    Price4::new(price * 10_000)
}

#[test]
fn the_same_seed_gives_the_same_commands_and_another_seed_others() {
    let run = |seed| {
        let config = ParticipantsConfig { seed, ..ParticipantsConfig::new(vec![dollars(223), dollars(30)]) };
        let mut market = Market::new(&config);
        (0..20_000).map(|_| (market.step(), market.now)).collect::<Vec<_>>()
    };
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

#[test]
fn no_command_is_refused_and_the_books_keep_their_size() {
    let config = ParticipantsConfig {
        seed: 5,
        ..ParticipantsConfig::new((1..=20).map(|n| dollars(n * 20)).collect())
    };
    let mut market = Market::new(&config);
    for _ in 0..300_000 {
        let command = market.step();
        for output in &market.out {
            assert!(!matches!(output, Output::Rejected { .. }), "{command:?} {output:?}");
        }
    }
    for symbol in 0..20 {
        let [bids, asks] = counts(&market.engine, symbol);
        assert!(bids >= ORDERS_KEPT && asks >= ORDERS_KEPT, "{bids} {asks}");
        assert!((60..240).contains(&(bids + asks)), "{bids} {asks}");
    }
}

#[test]
fn each_book_keeps_the_size_that_was_given_for_it_and_few_hidden_orders() {
    let books = vec![2_000, 300, 12];
    let prices = vec![dollars(30), dollars(9), dollars(400)];
    let config = ParticipantsConfig { seed: 3, books, zipf_quarters: 0, ..ParticipantsConfig::new(prices) };
    let mut market = Market::new(&config);
    for _ in 0..300_000 {
        market.step();
        assert!(!market.out.iter().any(|output| matches!(output, Output::Rejected { .. })));
        for symbol in 0..3 {
            for side in [Side::Buy, Side::Sell] {
                assert!(market.engine.hidden_orders(symbol, side) <= HIDDEN_KEPT);
            }
        }
    }
    for (symbol, range) in [(0, 1_500..2_500), (1, 225..375), (2, 6..24)] {
        let [bids, asks] = counts(&market.engine, symbol);
        assert!(range.contains(&(bids + asks)), "{symbol}: {bids} {asks}");
    }
}

/// What an exchange that is too small for its books does: it refuses, and the flow lets go of orders until there is room.
#[test]
fn a_full_engine_keeps_trading() {
    let config = ParticipantsConfig { seed: 3, ..ParticipantsConfig::new(vec![dollars(30)]) };
    let mut market = Market::of(&config, 100);
    let (mut refused, mut trades, mut added) = (0, 0, 0);
    for _ in 0..100_000 {
        market.step();
        for output in &market.out {
            match output {
                Output::Rejected { reason, .. } => {
                    assert_eq!(*reason, Reject::BookFull);
                    refused += 1;
                }
                Output::Traded { .. } => trades += 1,
                Output::Rested { .. } => added += 1,
                _ => {}
            }
        }
    }
    assert!(refused > 0 && refused < 10_000, "{refused}");
    assert!(trades > 10_000 && added > 30_000, "{trades} {added}");
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let ok = ParticipantsConfig::new(vec![dollars(1)]);
    let refused = |config: ParticipantsConfig| Participants::new(&config).err();
    assert_eq!(refused(ok.clone()), None);
    assert_eq!(refused(ParticipantsConfig::new(Vec::new())), Some(ParticipantsError::Symbols(0)));
    let odd = ParticipantsConfig::new(vec![dollars(1), Price4::new(150)]);
    assert_eq!(refused(odd), Some(ParticipantsError::Price(1)));
    assert_eq!(refused(ParticipantsConfig { rate: 0, ..ok.clone() }), Some(ParticipantsError::Range));
    assert_eq!(refused(ParticipantsConfig { orders: 11, ..ok.clone() }), Some(ParticipantsError::Range));
    let books = vec![12, 12];
    assert_eq!(refused(ParticipantsConfig { books, ..ok.clone() }), Some(ParticipantsError::Range));
    let arrivals = Arrivals::Bursts { quiet: Nanos::ZERO, active: Nanos::from_secs(1) };
    assert_eq!(refused(ParticipantsConfig { arrivals, ..ok }), Some(ParticipantsError::Range));
}

/// A value of a sorted list.
fn quantile(sorted: &[u64], part: f64) -> u64 {
    sorted[((sorted.len() as f64 * part) as usize).min(sorted.len() - 1)]
}

/// Variance over mean of the counts of events in windows of this length.
fn fano(times: &[u64], window: u64) -> f64 {
    let (first, last) = (times[0], times[times.len() - 1]);
    let windows = (last - first) / window + 1;
    let mut counts: HashMap<u64, u64> = HashMap::new();
    for time in times {
        *counts.entry((time - first) / window).or_default() += 1;
    }
    let mean = times.len() as f64 / windows as f64;
    let squares = counts.values().map(|count| (count * count) as f64).sum::<f64>() / windows as f64;
    (squares - mean * mean) / mean
}

/// The measures of `docs/exchange.md`, in its order.
fn figures(market: &mut Market, commands: u32) -> Vec<(&'static str, f64)> {
    let mut kinds = [0f64; 4];
    let (mut times, mut spreads, mut sizes, mut signs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = (0, 0);
    for _ in 0..commands {
        market.step();
        spreads.push((market.now - last.0, last.1));
        for output in &market.out {
            let kind = match output {
                Output::Shown { .. } => 0,
                Output::Cancelled { displayed, .. } if *displayed > 0 => 1,
                Output::Replaced { .. } => {
                    // As LOBSTER has it: one goes, one comes.
                    kinds[0] += 1.0;
                    times.push(market.now);
                    1
                }
                Output::Traded { displayed, .. } => 2 + usize::from(!displayed),
                _ => continue,
            };
            if let Output::Traded { side, displayed: true, .. } = output {
                signs.push(*side == Side::Buy);
            }
            kinds[kind] += 1.0;
            times.push(market.now);
        }
        let best =
            |side| market.engine.depth(0, side).next().map(|level| (level.price.units(), level.shares));
        if let (Some((bid, bid_shares)), Some((ask, ask_shares))) = (best(Side::Buy), best(Side::Sell)) {
            last = (market.now, u64::from((ask - bid) / TICK));
            sizes.extend([bid_shares, ask_shares]);
        }
    }
    spreads.sort_unstable_by_key(|spread| spread.1);
    let whole: u64 = spreads.iter().map(|spread| spread.0).sum();
    let spread = |part: f64| {
        let mut passed = 0;
        let found = spreads.iter().find(|(time, _)| {
            passed += time;
            passed as f64 >= whole as f64 * part
        });
        found.map_or(0.0, |spread| spread.1 as f64)
    };
    sizes.sort_unstable();
    let same = signs.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64 / (signs.len() - 1) as f64;
    let rate = times.len() as f64 * 1e9 / (times[times.len() - 1] - times[0]) as f64;
    let [adds, cancels, trades, hidden] = kinds;
    vec![
        ("messages/s", rate),
        ("spread p5", spread(0.05)),
        ("spread p50", spread(0.5)),
        ("spread p95", spread(0.95)),
        ("best size p5", quantile(&sizes, 0.05) as f64),
        ("best size p50", quantile(&sizes, 0.5) as f64),
        ("best size p95", quantile(&sizes, 0.95) as f64),
        ("cancels/add", cancels / adds),
        ("trades/add", (trades + hidden) / adds),
        ("hidden/trades", hidden / (trades + hidden)),
        ("same side next", same),
        ("fano 1 ms", fano(&times, 1_000_000)),
        ("fano 100 ms", fano(&times, 100_000_000)),
        ("fano 1 s", fano(&times, 1_000_000_000)),
    ]
}

/// What the same measures are on a captured day: NASDAQ AMZN, 2012-06-21, 57,515 messages.
const CAPTURED: [f64; 14] =
    [2.46, 5.0, 12.0, 21.0, 6.0, 100.0, 502.0, 0.66, 0.41, 0.21, 0.86, 2.69, 10.49, 16.2];

/// None of the measures is off by more than the factor that `docs/exchange.md` promises.
#[test]
fn the_flow_resembles_the_captured_day() {
    let config = ParticipantsConfig { rate: 2, ..ParticipantsConfig::new(vec![dollars(223)]) };
    let mut market = Market::new(&config);
    let mut far = Vec::new();
    for ((name, value), captured) in figures(&mut market, 100_000).into_iter().zip(CAPTURED) {
        println!("{name:<16}{captured:>10.2}{value:>10.2}");
        if !(captured / 2.0..=captured * 2.0).contains(&value) {
            far.push(name);
        }
    }
    assert!(far.is_empty(), "{far:?}");
}
