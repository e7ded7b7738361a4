//! What a closed loop hides, and what stamps cost: `cargo bench -p spinward-benches --bench stall [-- ROUNDS]`
//!
//! First: the same frames in an open and in a closed loop, with and without a stall of 50 µs in the books at every 50th event. Second: tick to
//! order with stamps off, at both ends, at every stage, and at every stage with the life of each order stored; alternating, in one run.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use spinward_benches::lab::Market;
use spinward_benches::pingpong::median;
use spinward_benches::stall::{Loop, Trial, run};
use spinward_engine::pipeline::{Role, Stall, StampMode};
use spinward_engine::words::{Clock, Nanos};
use std::error::Error;
use std::sync::Arc;

/// Half a second a round: short, so that some rounds are spared by whatever else the machine does.
const FRAMES: usize = 50_000;
/// The taker has an order now and then only.
const TRADED_FRAMES: usize = 200_000;
const INTERVAL: Nanos = Nanos::from_micros(10);

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(15);
    let clock = Clock::new();
    let market = Arc::new(Market::generate(&Market::hot(7), FRAMES)?);
    let host = spinward_recorder::Host::current();
    println!("host      {}, {} cores, {} {}", host.cpu_model, host.cores, host.os, host.kernel);
    println!("load      {FRAMES} frames, one each 10 µs; cores 0 and 1, spinning");
    let plain = Trial {
        market,
        load: Loop::Open(INTERVAL),
        stall: None,
        stamps: StampMode::All,
        keeps_orders: false,
        traded: 0,
    };
    let stall = Some(Stall { role: Role::Book, length: Nanos::from_micros(50), every: 50 });
    println!(
        "\nframe's stamp to the end of risk, every frame, nanoseconds: medians of {rounds} rounds' percentiles"
    );
    println!("{:<40}{:>8}{:>8}{:>8}{:>8}{:>9}", "", "p50", "p90", "p95", "p99", "p99.9");
    let variants = [
        ("open loop", Loop::Open(INTERVAL), None),
        ("closed loop", Loop::Closed(INTERVAL), None),
        ("open loop, 50 µs stall at 1 of 50", Loop::Open(INTERVAL), stall),
        ("closed loop, 50 µs stall at 1 of 50", Loop::Closed(INTERVAL), stall),
    ];
    let mut percentiles = vec![[const { Vec::new() }; 5]; variants.len()];
    for _ in 0..rounds {
        for ((_, load, stall), found) in variants.iter().zip(&mut percentiles) {
            let measured = run(&Trial { load: *load, stall: *stall, ..plain.clone() }, &clock)?;
            for (values, quantile) in found.iter_mut().zip([0.5, 0.9, 0.95, 0.99, 0.999]) {
                values.push(measured.response.value_at_quantile(quantile));
            }
        }
    }
    for ((name, ..), found) in variants.iter().zip(&mut percentiles) {
        let [p50, p90, p95, p99, p999] = found.each_mut().map(|values| median(values));
        println!("{name:<40}{p50:>8}{p90:>8}{p95:>8}{p99:>8}{p999:>9}");
    }

    println!(
        "\ntick to order (intended time to the order in the driver's hand), median of {rounds} rounds' medians"
    );
    let modes = [
        ("stamps off", StampMode::Off, false),
        ("stamps at the ends", StampMode::Ends, false),
        ("stamps at every stage", StampMode::All, false),
        ("… and the life of every order stored", StampMode::All, true),
    ];
    let market = Arc::new(Market::generate(&Market::hot(7), TRADED_FRAMES)?);
    let mut medians = vec![Vec::new(); modes.len()];
    for _ in 0..rounds {
        for ((_, stamps, keeps_orders), found) in modes.iter().zip(&mut medians) {
            let trial = Trial {
                stamps: *stamps,
                keeps_orders: *keeps_orders,
                market: Arc::clone(&market),
                traded: 8,
                ..plain.clone()
            };
            found.push(run(&trial, &clock)?.tick_to_order.value_at_quantile(0.5));
        }
    }
    // Rounds side by side have the same machine round them: so the quotient of each pair, and the middle one of these.
    let off = medians.first().cloned().unwrap_or_default();
    for ((name, ..), found) in modes.iter().zip(&mut medians) {
        let mut permille: Vec<u64> =
            found.iter().zip(&off).map(|(found, off)| found * 1_000 / (*off).max(1)).collect();
        let more = median(&mut permille) as f64 / 10.0 - 100.0;
        let (middle, best) = (median(found), found.first().copied().unwrap_or(0));
        println!("{name:<40} {middle:>6} ns  best round {best:>6} ns  {more:>+6.1} % in the median pair");
    }
    Ok(())
}
