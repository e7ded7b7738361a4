//! Latency over rates: at each offered rate, what was achieved and how long frames took from their intended time. Control: straight calls flat out, the
//! ceiling without rings.

use super::stages::describe;
use super::throughput::flat_out;
use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::{Load, Market, Setup, Watch, round};
use crate::measure::{Figures, Role};
use crate::session::Journal;
use serde::{Deserialize, Serialize};
use spinward_engine::pipeline::StampMode;
use std::sync::Arc;

/// One offered rate. Latencies are those of all rounds together, of every frame from its intended time to the end of risk.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Frames a second that were to come.
    pub offered: u64,
    /// Frames a second that came: the median of the rounds.
    pub achieved: u64,
    /// Nanoseconds.
    #[serde(flatten)]
    pub figures: Figures,
}

/// The last rate before queueing rules.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Knee {
    /// Offered frames a second.
    pub rate: u64,
    /// What happens at the next rate.
    pub beyond: String,
}

/// The pipeline has fallen behind where it achieves less than this share of the offered rate.
pub const KNEE_FALLS_BEHIND: f64 = 0.98;
/// Queueing rules where the median is more than so many times the smallest median of the curve.
pub const KNEE_MEDIAN_GROWS: f64 = 2.0;

/// **The knee**: the highest offered rate up to which the pipeline keeps up (98 % achieved) and the median stays below twice the smallest
/// median at any lower or equal rate. `None` if the lowest rate is already beyond it. `curve` ascends by rate.
pub fn knee(curve: &[CurvePoint]) -> Option<Knee> {
    let mut smallest = u64::MAX;
    let mut last: Option<&CurvePoint> = None;
    for point in curve {
        let p50 = point.figures.percentiles.map_or(0, |percentiles| percentiles.p50);
        smallest = smallest.min(p50);
        let share = point.achieved as f64 / point.offered.max(1) as f64;
        let beyond = if share < KNEE_FALLS_BEHIND {
            format!("at {} frames/s it achieves {}", point.offered, point.achieved)
        } else if p50 as f64 > KNEE_MEDIAN_GROWS * smallest as f64 {
            format!("at {} frames/s the median is {p50} ns, over twice {smallest} ns", point.offered)
        } else {
            last = Some(point);
            continue;
        };
        return last.map(|point| Knee { rate: point.offered, beyond });
    }
    let beyond = "not reached: give higher rates".to_owned();
    last.map(|point| Knee { rate: point.offered, beyond })
}

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>, rates: &[u64]) -> Result<Vec<CurvePoint>, LabError> {
    describe(bench, &Load::Max, 0);
    let shape = match &bench.plan.load {
        Some(load @ Load::Poisson { .. }) => load.clone(),
        Some(load @ Load::Closed(_)) => load.clone(),
        None | Some(Load::Rate(_)) => Load::Rate(0),
        Some(Load::Max | Load::Bursts(..) | Load::Replayed(_)) => {
            let what = "a sweep sets the rate itself: give --load rate, poisson or closed".to_owned();
            return Err(LabError::Usage(what));
        }
    };
    let rates_text: Vec<String> = rates.iter().map(ToString::to_string).collect();
    let name = match shape {
        Load::Poisson { seed, .. } => format!("open loop, Poisson, seed {seed}"),
        Load::Closed(_) => "closed loop (control)".to_owned(),
        Load::Rate(_) | Load::Max | Load::Bursts(..) | Load::Replayed(_) => "open loop, evenly".to_owned(),
    };
    bench.configure("load", format!("{name}: {} frames/s", rates_text.join(", ")));
    bench.configure("warm_up", "opening of the books, then a tenth of the frames");
    bench.configure("journal", "on");
    let Some(cores) = bench.two_cores() else {
        bench.skip("sweep: the fused topology needs two cores, this host has one".to_owned());
        return Ok(Vec::new());
    };
    let clock = bench.clock.clone();
    let longest = rates.iter().max().copied().unwrap_or(0);
    let most = ((longest as f64 * bench.plan.seconds) as usize).max(1_000);
    let whole = Market::generate(&Market::hot(7), most)?;
    let mut curve = Vec::new();
    for &rate in rates {
        let frames = ((rate as f64 * bench.plan.seconds) as usize).max(1_000);
        let market = Arc::new(whole.shortened(frames));
        let mut setup = Setup {
            stamps: StampMode::Ends,
            warm_up: frames / 10,
            watch: Watch::Frames,
            ..Setup::fused(&market, Load::Rate(rate), &bench.plan.host)
        };
        match shape {
            Load::Poisson { seed, .. } => setup.load = Load::Poisson { rate, seed },
            Load::Closed(_) => setup.load = Load::Closed(rate),
            Load::Rate(_) | Load::Max | Load::Bursts(..) | Load::Replayed(_) => {}
        }
        let mut together = histogram()?;
        let mut achieved = Vec::new();
        for index in 0..bench.plan.rounds {
            bench.say(&format!("sweep, {rate} frames/s, round {} of {}", index + 1, bench.plan.rounds));
            let journal = Journal::new(&format!("sweep-{rate}-{index}"), market.count())?;
            let found = round(&setup, &clock, journal.sink()?)?;
            // frames < 2^32
            achieved.push(found.frames * 1_000_000_000 / found.elapsed_ns.max(1));
            together.add(&found.response).map_err(LabError::failed)?;
            let title = format!("response at {rate} frames/s");
            bench.sheet.latency(&title, Role::Subject, None, &found.response)?;
            bench.end_round();
        }
        let achieved = crate::pingpong::median(&mut achieved).min(rate);
        curve.push(CurvePoint { offered: rate, achieved, figures: Figures::of(&together) });
    }
    bench.say("sweep, ceiling of straight calls");
    let nanos = on_core(cores.1, || flat_out(&whole, &clock))??;
    bench.sheet.mean("ceiling: straight calls, per frame", Role::Control, None, nanos, most as u64);
    Ok(curve)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Percentiles;

    fn point(offered: u64, achieved: u64, p50: u64) -> CurvePoint {
        let percentiles = Some(Percentiles { p50, p90: p50, p99: p50, p999: p50, max: p50 });
        CurvePoint { offered, achieved, figures: Figures { samples: 1, mean: 1.0, percentiles } }
    }

    #[test]
    fn the_knee_is_the_last_rate_before_the_median_doubles() {
        let curve = [point(1, 1, 110), point(2, 2, 100), point(4, 4, 199), point(8, 8, 201)];
        let found = knee(&curve).unwrap();
        assert_eq!(found.rate, 4);
        assert!(found.beyond.contains("at 8 frames/s the median is 201 ns"), "{}", found.beyond);
    }

    #[test]
    fn the_knee_is_the_last_rate_that_the_pipeline_keeps_up_with() {
        let curve = [point(100, 100, 10), point(200, 197, 11), point(400, 391, 12)];
        let found = knee(&curve).unwrap();
        assert_eq!((found.rate, found.beyond.as_str()), (200, "at 400 frames/s it achieves 391"));
    }

    #[test]
    fn a_curve_without_a_knee_says_so_and_one_that_begins_beyond_it_has_none() {
        assert!(knee(&[point(1, 1, 10)]).unwrap().beyond.contains("not reached"));
        assert_eq!(knee(&[point(100, 50, 10)]), None);
        assert_eq!(knee(&[]), None);
    }
}
