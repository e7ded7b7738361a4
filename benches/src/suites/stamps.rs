//! What measuring costs: tick to order with stamps at both ends, at every stage, with the digests and histograms of a session, and with the life
//! of every order stored. Control: stamps off, nothing kept.
//!
//! The five take turns, and each round begins with another one, so that what drifts with time is nobody's advantage.

use super::stages::describe;
use crate::bench::Bench;
use crate::error::LabError;
use crate::lab::{Keeps, Market, Setup, round};
use crate::measure::Role;
use crate::session::Journal;
use spinward_engine::pipeline::StampMode;
use std::sync::Arc;

const OFF: &str = "stamps off";

/// Name, stamps, what is kept.
const MODES: [(&str, StampMode, Keeps); 5] = [
    (OFF, StampMode::Off, Keeps::Nothing),
    ("stamps at the ends", StampMode::Ends, Keeps::Nothing),
    ("stamps at every stage", StampMode::All, Keeps::Nothing),
    ("stamps, digests and histograms", StampMode::All, Keeps::Tap),
    ("stamps, digests, histograms and orders", StampMode::All, Keeps::Orders),
];

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let load = bench.plan.load();
    let frames = bench.plan.frames();
    let warm_up = frames / 10;
    describe(bench, &load, warm_up);
    bench.configure("journal", "on");
    let Some(cores) = bench.two_cores() else {
        bench.skip("stamps: the fused topology needs two cores, this host has one".to_owned());
        return Ok(());
    };
    let market = Arc::new(Market::generate(&Market::hot(7), frames)?);
    let clock = bench.clock.clone();
    let base = Setup { warm_up, ..Setup::fused(&market, load, &bench.plan.host) };
    for index in 0..bench.plan.rounds {
        bench.say(&format!("stamps, round {} of {}", index + 1, bench.plan.rounds));
        for (name, stamps, keeps) in MODES.iter().cycle().skip(index % MODES.len()).take(MODES.len()) {
            let setup = Setup { stamps: *stamps, keeps: *keeps, ..base.clone() };
            let (found, label) = bench.labelled(cores, || {
                let journal = Journal::new(&format!("{name}-{index}"), market.count())?;
                round(&setup, &clock, journal.sink()?)
            })?;
            let (role, control) =
                if *name == OFF { (Role::Control, None) } else { (Role::Subject, Some(OFF)) };
            // With stamps off there is only what the driver sees.
            bench.across(name, role, control, &found.round_trip, label)?;
        }
        bench.end_round();
    }
    Ok(())
}
