//! The whole pipeline as fast as it goes, fused on one core plus the feeder, stamps off. Controls: the same without a journal, and straight calls.

use super::stages::describe;
use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::lab::{Load, Market, Setup, Watch, round};
use crate::measure::Role;
use crate::session::Journal;
use crate::straight::{NoProbe, Straight, Upto};
use spinward_engine::pipeline::{NoJournal, StampMode};
use spinward_engine::words::Clock;
use std::sync::Arc;

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    describe(bench, &Load::Max, 0);
    bench.configure("market", "hot: 50 symbols, 20000 orders; full: 8000 symbols, 467000 orders; seed 7");
    bench.configure("strategy", "none");
    let Some(cores) = bench.two_cores() else {
        bench.skip("throughput: the fused topology needs two cores, this host has one".to_owned());
        return Ok(());
    };
    let frames = bench.plan.operations() * 2;
    let clock = bench.clock.clone();
    for (name, market) in [("hot", Market::hot(7)), ("full", Market::full(7))] {
        let market = Arc::new(Market::generate(&market, frames)?);
        let setup = Setup {
            stamps: StampMode::Off,
            stamps_entry: true,
            traded: 0,
            watch: Watch::Nothing,
            ..Setup::fused(&market, Load::Max, &bench.plan.host)
        };
        for index in 0..bench.plan.rounds {
            bench.say(&format!("throughput, {name}, round {} of {}", index + 1, bench.plan.rounds));
            let control = format!("{name}, straight calls");
            let journal = Journal::new(&format!("throughput-{index}"), market.count())?;
            let found = round(&setup, &clock, journal.sink()?)?;
            let title = format!("{name}, journal on");
            bench.sheet.mean(&title, Role::Subject, Some(&control), found.elapsed_ns, found.frames);
            let found = round(&setup, &clock, NoJournal)?;
            let title = format!("{name}, no journal");
            bench.sheet.mean(&title, Role::Control, None, found.elapsed_ns, found.frames);
            let nanos = on_core(cores.1, || flat_out(&market, &clock))??;
            bench.sheet.mean(&control, Role::Control, None, nanos, frames as u64);
            bench.end_round();
        }
    }
    Ok(())
}

/// Straight calls over the market behind its opening, back to back: nanoseconds.
pub(super) fn flat_out(market: &Market, clock: &Clock) -> Result<u64, LabError> {
    let mut stages = Straight::new(market, 0)?;
    let mut begin = 0;
    for index in 0..market.count() {
        if index == market.opening {
            begin = clock.ticks();
        }
        let Some((time, bytes)) = market.message(index) else { break };
        stages.message(time, bytes, 0, Upto::Risk, &mut NoProbe);
    }
    Ok(clock.nanos_between(begin, clock.ticks()))
}
