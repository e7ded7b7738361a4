//! Stage by stage: wait and service of each stage in the pipeline, under open-loop load. Control: the same stages as straight calls on one thread, without rings.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::{Load, Market, Round, STAGES, Setup, TRADED, Watch, round};
use crate::measure::Role;
use crate::session::Journal;
use crate::straight::{Probe, Straight, Upto};
use hdrhistogram::Histogram;
use spinward_engine::words::{Clock, Ticks};
use std::sync::Arc;

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let load = bench.plan.load();
    let frames = bench.plan.frames();
    let warm_up = frames / 10;
    describe(bench, &load, warm_up);
    let market = Arc::new(Market::generate(&Market::hot(7), frames)?);
    let Some(cores) = bench.two_cores() else {
        bench.skip("stages: the fused topology needs two cores, this host has one".to_owned());
        return Ok(());
    };
    let setup = Setup { warm_up, watch: Watch::Stages, ..Setup::fused(&market, load, &bench.plan.host) };
    let clock = bench.clock.clone();
    for index in 0..bench.plan.rounds {
        bench.say(&format!("stages, round {} of {}", index + 1, bench.plan.rounds));
        let (found, label) = bench.labelled(cores, || -> Result<Round, LabError> {
            let journal = Journal::new(&format!("stages-{index}"), market.count())?;
            round(&setup, &clock, journal.sink()?)
        })?;
        for (stage, [wait, service]) in STAGES.iter().zip(&found.stages) {
            let control = format!("{stage}, straight call");
            bench.sheet.latency(&format!("{stage} service"), Role::Part, Some(&control), service)?;
            if *stage == "normalizer" {
                // The frame comes from the other core.
                bench.across(&format!("{stage} wait"), Role::Part, None, wait, label)?;
            } else {
                bench.sheet.latency(&format!("{stage} wait"), Role::Part, None, wait)?;
            }
        }
        bench.across("intended time → risk done", Role::Subject, None, &found.response, label)?;
        let straight = on_core(cores.1, || straight(&market, &clock, warm_up))??;
        for (stage, samples) in STAGES.iter().zip(&straight.stages) {
            bench.sheet.latency(&format!("{stage}, straight call"), Role::Control, None, samples)?;
        }
        bench.end_round();
    }
    Ok(())
}

/// What makes two runs of a pipeline comparable.
pub(super) fn describe(bench: &mut Bench<'_>, load: &Load, warm_up: usize) {
    bench.configure("load", load);
    bench.configure("market", "hot: 50 symbols, 20000 orders, seed 7");
    bench.configure("strategy", format!("imbalance taker on {TRADED} symbols"));
    bench.configure("warm_up", format!("opening of the books, then {warm_up} frames"));
}

/// The stages' times in straight calls.
pub(super) struct StraightTimes {
    pub(super) stages: Vec<Histogram<u64>>,
    /// All stages, of messages that an order came of.
    pub(super) orders: Histogram<u64>,
}

struct Stamps<'a> {
    clock: &'a Clock,
    begun: [Ticks; 4],
    times: StraightTimes,
    is_on: bool,
}

impl Probe for Stamps<'_> {
    const LOOKS_AT_RISK: bool = true;

    #[inline]
    fn begin(&mut self, stage: usize) {
        let now = self.clock.ticks();
        self.close(stage.checked_sub(1), now);
        if let Some(begun) = self.begun.get_mut(stage) {
            *begun = now;
        }
    }

    #[inline]
    fn end(&mut self, has_order: bool) {
        let now = self.clock.ticks();
        self.close(Some(3), now);
        if has_order && self.is_on {
            self.times.orders.saturating_record(self.clock.nanos_between(self.begun[0], now).max(1));
        }
    }
}

impl Stamps<'_> {
    #[inline]
    fn close(&mut self, stage: Option<usize>, now: Ticks) {
        let Some(stage) = stage else { return };
        if let (Some(begun), Some(samples), true) =
            (self.begun.get(stage), self.times.stages.get_mut(stage), self.is_on)
        {
            samples.saturating_record(self.clock.nanos_between(*begun, now).max(1));
        }
    }
}

/// The whole market once, back to back.
pub(super) fn straight(market: &Market, clock: &Clock, warm_up: usize) -> Result<StraightTimes, LabError> {
    let mut stages = Straight::new(market, TRADED)?;
    let times = StraightTimes {
        stages: STAGES.iter().map(|_| histogram()).collect::<Result<_, _>>()?,
        orders: histogram()?,
    };
    let mut probe = Stamps { clock, begun: [0; 4], times, is_on: false };
    for index in 0..market.count() {
        let Some((time, bytes)) = market.message(index) else { break };
        probe.is_on = index >= market.opening + warm_up;
        stages.message(time, bytes, 1, Upto::Risk, &mut probe);
    }
    Ok(probe.times)
}
