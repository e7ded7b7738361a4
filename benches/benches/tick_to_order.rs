//! Tick to order: `cargo bench -p spinward-benches --bench tick_to_order [-- ROUNDS]`
//!
//! Open loop at 1 M frames/s, fused topology, journal on; each round has its own ping-pong before and after, and is labelled near or far
//! by it. Medians of rounds are quoted.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use spinward_benches::lab::{Load, Market, Round, Setup, round};
use spinward_benches::pingpong::{Distance, median, one_way_ns};
use spinward_benches::report::{head, histogram, host, row};
use spinward_benches::session::Journal;
use spinward_engine::pipeline::StampMode;
use spinward_engine::words::Clock;
use std::error::Error;
use std::sync::Arc;

const FRAMES: usize = 400_000;
const RATE: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(9);
    let clock = Clock::new();
    println!("host      {}", host());
    println!(
        "load      open loop, {RATE} frames/s, {FRAMES} frames a round, {rounds} rounds; cores 0 and 1, fused, journal on"
    );
    hiccups(&clock)?;
    let mut service_hot = 0;
    for (name, config) in [
        ("hot: 50 symbols, 20,000 orders", Market::hot(7)),
        ("full market: 8,000 symbols, 467,000 orders", Market::full(7)),
    ] {
        let market = Arc::new(Market::generate(&config, FRAMES)?);
        println!("\n{name}");
        let service = service(&market, &clock, rounds)?;
        if service_hot == 0 {
            service_hot = service;
        }
        across(&market, &clock, rounds)?;
    }
    bursts(&clock, rounds)
}

/// What this host does to a thread that does nothing: gaps of a spinning loop over 100 ns.
fn hiccups(clock: &Clock) -> Result<(), Box<dyn Error>> {
    spinward_benches::pingpong::pin(1);
    let mut gaps = histogram()?;
    let begin = clock.ticks();
    let mut last = begin;
    while clock.nanos_between(begin, last) < 400_000_000 {
        let now = clock.ticks();
        gaps.saturating_record(clock.nanos_between(last, now).max(1));
        last = now;
    }
    println!("{}", head());
    println!("{}", row("floor: an empty loop's own gaps", &gaps));
    Ok(())
}

struct Series {
    p50: Vec<u64>,
    p90: Vec<u64>,
    p99: Vec<u64>,
    p999: Vec<u64>,
    samples: u64,
}

impl Series {
    fn new() -> Self {
        Self { p50: Vec::new(), p90: Vec::new(), p99: Vec::new(), p999: Vec::new(), samples: 0 }
    }

    fn add(&mut self, histogram: &hdrhistogram::Histogram<u64>) {
        self.p50.push(histogram.value_at_quantile(0.5));
        self.p90.push(histogram.value_at_quantile(0.9));
        self.p99.push(histogram.value_at_quantile(0.99));
        self.p999.push(histogram.value_at_quantile(0.999));
        self.samples += histogram.len();
    }

    fn print(&mut self, name: &str) -> u64 {
        let best = self.p50.iter().copied().min().unwrap_or(0);
        let best_99 = self.p99.iter().copied().min().unwrap_or(0);
        let p50 = median(&mut self.p50);
        println!(
            "  {name:<42} p50 {p50} (best {best})  p90 {}  p99 {} (best {best_99})  p99.9 {} ns; {} samples",
            median(&mut self.p90),
            median(&mut self.p99),
            median(&mut self.p999),
            self.samples
        );
        p50
    }
}

fn run(
    market: &Arc<Market>,
    clock: &Clock,
    load: Load,
    stamps_entry: bool,
    name: &str,
) -> Result<Round, Box<dyn Error>> {
    let journal = Journal::new(name)?;
    let setup =
        Setup { market: Arc::clone(market), load, stamps: StampMode::All, stamps_entry, traded: 8, burst: 1 };
    round(&setup, clock, journal.sink()?)
}

/// Frame taken to order in the egress ring: no other core in it, so no label needed.
fn service(market: &Arc<Market>, clock: &Clock, rounds: usize) -> Result<u64, Box<dyn Error>> {
    let mut series = Series::new();
    for index in 0..rounds {
        series.add(&run(market, clock, Load::Rate(RATE), false, &format!("service-{index}"))?.service);
    }
    Ok(series.print("frame taken → order in egress ring"))
}

/// Frame entered on core 0 to its order in hand on core 0: two hops.
fn across(market: &Arc<Market>, clock: &Clock, rounds: usize) -> Result<(), Box<dyn Error>> {
    for distance in [Distance::Near, Distance::Far] {
        let (mut hops, mut there, mut own) = (Vec::new(), Series::new(), Series::new());
        for index in 0..rounds {
            let before = one_way_ns(clock, 0, 1, 20_000);
            let round = run(market, clock, Load::Rate(RATE), true, &format!("across-{index}"))?;
            let after = one_way_ns(clock, 0, 1, 20_000);
            // A round is labelled only if the cores did not move during it.
            if Distance::of(before) == distance && Distance::of(after) == distance {
                hops.push(before.midpoint(after));
                there.add(&round.round_trip);
                own.add(&round.service);
            }
        }
        if hops.is_empty() {
            println!("  {}: no round in which the cores lay so", distance.name());
            continue;
        }
        let (count, hop) = (hops.len(), median(&mut hops));
        let service = own.print(&format!("{} ({count} rounds): service in these rounds", distance.name()));
        let across = there.print("frame entered → order seen on that core");
        let allowed = service + hop * 5 / 2;
        println!(
            "  ping-pong one way {hop} ns; p50 {across} against service + 2.5 × ping-pong = {allowed} ns"
        );
    }
    Ok(())
}

/// A burst of 64 at once: the first of it must not wait for the others.
fn bursts(clock: &Clock, rounds: usize) -> Result<(), Box<dyn Error>> {
    println!("\nbursts of 64 frames at once, 100 µs apart (hot)");
    let market = Arc::new(Market::generate(&Market::hot(7), 64_000)?);
    let (mut first, mut last) = (Series::new(), Series::new());
    for index in 0..rounds {
        let round = run(&market, clock, Load::Bursts(64, 100_000), true, &format!("burst-{index}"))?;
        let [of_first, of_last] = &round.burst;
        first.add(of_first);
        last.add(of_last);
    }
    first.print("first of the burst: entered → risk done");
    last.print("last of the burst: entered → risk done");
    Ok(())
}
