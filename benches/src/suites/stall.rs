//! Why open loop: a stall put into the books on purpose, under an open and under a closed loop. Control of each: the same loop without the stall.

use super::stages::describe;
use crate::bench::Bench;
use crate::error::LabError;
use crate::lab::{Load, Market, Setup, Watch, round};
use crate::measure::Role;
use crate::session::Journal;
use spinward_engine::pipeline::{Role as Agent, Stall};
use spinward_engine::words::Nanos;
use std::sync::Arc;

/// Frames a second: ten microseconds from one to the next, so that a stall holds back those behind it, and all of them are through before the
/// next stall.
const RATE: u64 = 100_000;
const STALL: Stall = Stall { role: Agent::Book, length: Nanos::from_micros(50), every: 50 };

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let frames = ((RATE as f64 * bench.plan.seconds) as usize).max(1_000);
    let warm_up = frames / 10;
    describe(bench, &Load::Rate(RATE), warm_up);
    bench.configure("load", format!("open and closed loop, {RATE} frames/s, evenly"));
    bench.configure("stall", "50 µs in the books at every 50th event");
    bench.configure("strategy", "none");
    let Some(cores) = bench.two_cores() else {
        bench.skip("stall: the fused topology needs two cores, this host has one".to_owned());
        return Ok(());
    };
    let market = Arc::new(Market::generate(&Market::hot(7), frames)?);
    let clock = bench.clock.clone();
    for index in 0..bench.plan.rounds {
        bench.say(&format!("stall, round {} of {}", index + 1, bench.plan.rounds));
        for (plain, load) in [("open loop", Load::Rate(RATE)), ("closed loop", Load::Closed(RATE))] {
            let base = Setup {
                traded: 0,
                warm_up,
                watch: Watch::Frames,
                ..Setup::fused(&market, load, &bench.plan.host)
            };
            let stalled = format!("{plain}, stalled");
            let variants =
                [(plain, None, Role::Control, None), (&stalled, Some(STALL), Role::Subject, Some(plain))];
            for (name, stall, role, control) in variants {
                let setup = Setup { stall, ..base.clone() };
                let (found, label) = bench.labelled(cores, || {
                    let journal = Journal::new(&format!("{name}-{index}"), market.count())?;
                    round(&setup, &clock, journal.sink()?)
                })?;
                bench.across(name, role, control, &found.response, label)?;
            }
        }
        bench.end_round();
    }
    Ok(())
}
