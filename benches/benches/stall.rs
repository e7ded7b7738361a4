//! What a closed loop hides, and what stamps cost: `cargo bench -p spinward-benches --bench stall [-- ROUNDS]`
//!
//! First: the same frames in an open and in a closed loop, with and without a stall of 50 µs in the books at every 200th event. Second: tick to
//! order with stamps off, at both ends, at every stage, and at every stage with the life of each order stored; alternating, in one run.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use spinward_benches::lab::Market;
use spinward_benches::pingpong::median;
use spinward_benches::stall::{Loop, Trial, run};
use spinward_engine::pipeline::{Role, Stall, StampMode};
use spinward_engine::words::{Clock, Nanos};
use std::error::Error;
use std::sync::Arc;

const FRAMES: usize = 200_000;
const INTERVAL: Nanos = Nanos::from_micros(10);

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(7);
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
    let stall = Some(Stall { role: Role::Book, length: Nanos::from_micros(50), every: 200 });
    println!("\nframe's stamp to the end of risk, every frame, nanoseconds");
    println!("{:<40}{:>8}{:>8}{:>8}{:>9}{:>10}", "", "p50", "p90", "p99", "p99.9", "max");
    for (name, load, stall) in [
        ("open loop", Loop::Open(INTERVAL), None),
        ("closed loop", Loop::Closed(INTERVAL), None),
        ("open loop, 50 µs stall at 1 of 200", Loop::Open(INTERVAL), stall),
        ("closed loop, 50 µs stall at 1 of 200", Loop::Closed(INTERVAL), stall),
    ] {
        let measured = run(&Trial { load, stall, ..plain.clone() }, &clock)?;
        let at = |quantile: f64| measured.response.value_at_quantile(quantile);
        let (p50, p90, p99, p999) = (at(0.5), at(0.9), at(0.99), at(0.999));
        println!("{name:<40}{p50:>8}{p90:>8}{p99:>8}{p999:>9}{:>10}", measured.response.max());
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
    let mut medians = vec![Vec::new(); modes.len()];
    for _ in 0..rounds {
        for ((_, stamps, keeps_orders), found) in modes.iter().zip(&mut medians) {
            let trial = Trial { stamps: *stamps, keeps_orders: *keeps_orders, traded: 8, ..plain.clone() };
            found.push(run(&trial, &clock)?.tick_to_order.value_at_quantile(0.5));
        }
    }
    let mut off = None;
    for ((name, ..), found) in modes.iter().zip(&mut medians) {
        let middle = median(found);
        let base = *off.get_or_insert(middle.max(1));
        let more = middle as f64 / base as f64 * 100.0 - 100.0;
        println!("{name:<44} {middle:>6} ns  {more:>+6.1} %   rounds {found:?}");
    }
    Ok(())
}
