//! Throughput: `cargo bench -p spinward-benches --bench throughput [-- ROUNDS]`
//!
//! The whole pipeline as fast as it goes, fused on one core plus the feeder, journal on. Controls in the same run: the bare `disruptor` ring
//! with 128-byte slots, and the same pipeline without a journal.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use disruptor::{BusySpin, Polling, Producer, build_single_producer};
use spinward_benches::lab::{Load, Market, Setup, round};
use spinward_benches::pingpong::{Distance, median, one_way_ns, pin};
use spinward_benches::report::host;
use spinward_benches::session::Journal;
use spinward_engine::pipeline::{NoJournal, StampMode};
use spinward_engine::words::{Clock, Frame};
use std::error::Error;
use std::sync::Arc;

const FRAMES: usize = 2_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(7);
    let clock = Clock::new();
    println!("host      {}", host());
    println!(
        "load      as fast as it goes, {FRAMES} frames a round, {rounds} rounds; cores 0 and 1; stamps off, no order-producing strategy unless said"
    );
    let hot = Arc::new(Market::generate(&Market::hot(7), FRAMES)?);
    let full = Arc::new(Market::generate(&Market::full(7), FRAMES / 2)?);
    let hop = one_way_ns(&clock, 0, 1, 20_000);
    println!("cores     {} ({hop} ns one way) before the rounds\n", Distance::of(hop).name());
    rate("control: bare disruptor ring, 128 bytes", rounds, || Ok(bare_ring(&clock)))?;
    for (name, market, traded, burst) in [
        ("hot, journal on", &hot, 0, 1),
        ("hot, journal on, taker on 8 symbols", &hot, 8, 1),
        ("full market, journal on", &full, 0, 1),
        ("hot, journal on, turns of up to 16", &hot, 0, 16),
    ] {
        rate(name, rounds, || {
            let journal = Journal::new("throughput")?;
            let setup = Setup {
                market: Arc::clone(market),
                load: Load::Max,
                stamps: StampMode::Off,
                stamps_entry: true,
                traded,
                burst,
            };
            let round = round(&setup, &clock, journal.sink()?)?;
            Ok(round.frames as f64 * 1e3 / round.elapsed_ns as f64)
        })?;
    }
    rate("control: hot, without a journal", rounds, || {
        let setup = Setup {
            market: Arc::clone(&hot),
            load: Load::Max,
            stamps: StampMode::Off,
            stamps_entry: true,
            traded: 0,
            burst: 1,
        };
        let round = round(&setup, &clock, NoJournal)?;
        Ok(round.frames as f64 * 1e3 / round.elapsed_ns as f64)
    })
}

fn rate(
    name: &str,
    rounds: usize,
    mut measure: impl FnMut() -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut rates = Vec::new();
    for _ in 0..rounds {
        // In thousands of frames a second, so that the median is over whole numbers.
        rates.push((measure()? * 1e3) as u64);
    }
    let best = rates.iter().copied().max().unwrap_or(0);
    println!(
        "{name:<44} median {:>6.2} M/s  best {:>6.2} M/s",
        median(&mut rates) as f64 / 1e3,
        best as f64 / 1e3
    );
    Ok(())
}

fn bare_ring(clock: &Clock) -> f64 {
    let (mut poller, builder) = build_single_producer(4_096, Frame::vacant, BusySpin).new_event_poller();
    let mut producer = builder.build();
    let consumer = std::thread::spawn(move || {
        pin(1);
        let mut sum = 0u64;
        loop {
            match poller.take(1) {
                Ok(mut guard) => sum += (&mut guard).map(|frame| frame.header.sequence).sum::<u64>(),
                Err(Polling::NoEvents) => {}
                Err(Polling::Shutdown) => return sum,
            }
        }
    });
    pin(0);
    let begin = clock.ticks();
    for sequence in 0..FRAMES as u64 {
        while producer.try_publish(|frame| frame.header.sequence = sequence).is_err() {}
    }
    drop(producer);
    let _ = consumer.join();
    FRAMES as f64 * 1e3 / clock.nanos_between(begin, clock.ticks()) as f64
}
