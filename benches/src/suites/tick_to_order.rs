//! Frame to order under open-loop load, in every topology that this host can carry. Control: the same stages as straight calls on one thread.

use super::stages::{describe, straight};
use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::lab::{Market, Setup, round};
use crate::measure::Role;
use crate::session::Journal;
use spinward_engine::pipeline::{CoreSpec, IdleStrategy, Role as Agent, StampMode, Topology};
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
    bench.configure("market", "hot: 50 symbols, 20000 orders; full: 8000 symbols, 467000 orders; seed 7");
    bench.configure("journal", "on");
    let hot = Arc::new(Market::generate(&Market::hot(7), frames)?);
    for topology in carried(bench) {
        series(bench, "hot", &hot, &topology, warm_up)?;
    }
    if bench.two_cores().is_some() {
        let full = Arc::new(Market::generate(&Market::full(7), frames)?);
        let fused = Topology::fused(&bench.plan.host.preferred(), 1, IdleStrategy::Spin);
        series(bench, "full", &full, &fused, warm_up)?;
    }
    Ok(())
}

/// One topology over one market: all rounds.
fn series(
    bench: &mut Bench<'_>,
    name: &str,
    market: &Arc<Market>,
    topology: &Topology,
    warm_up: usize,
) -> Result<(), LabError> {
    let setup = Setup {
        stamps: StampMode::Ends,
        warm_up,
        topology: topology.clone(),
        ..Setup::fused(market, bench.plan.load(), &bench.plan.host)
    };
    let clock = bench.clock.clone();
    let title = format!("{name}, {}", topology.name);
    let control = format!("{name}, straight calls");
    // Where the service spans cores, and where only the way to and from the stages does.
    let is_split = topology.name != "fused" && topology.cores.len() > 1;
    for index in 0..bench.plan.rounds {
        bench.say(&format!("{title}, round {} of {}", index + 1, bench.plan.rounds));
        let measure = || {
            let journal = Journal::new(&format!("{}-{name}-{index}", topology.name), market.count())?;
            round(&setup, &clock, journal.sink()?)
        };
        let (found, label) = match bench.two_cores() {
            Some(cores) if topology.cores.len() > 1 => bench.labelled(cores, measure)?,
            Some(_) | None => (measure()?, "one core"),
        };
        if found.service.is_empty() {
            let what = "no order came of the frames that were measured: give more --seconds";
            return Err(LabError::Usage(what.to_owned()));
        }
        let service = format!("{title}: frame taken → order");
        if is_split {
            let service = format!("{service} [{label}]");
            bench.sheet.latency(&service, Role::Subject, Some(&control), &found.service)?;
        } else {
            bench.sheet.latency(&service, Role::Subject, Some(&control), &found.service)?;
        }
        let response = format!("{title}: intended time → order");
        if topology.cores.len() == 1 {
            bench.sheet.latency(&response, Role::Subject, None, &found.response)?;
        } else {
            bench.across(&response, Role::Subject, None, &found.response, label)?;
            let there = format!("{title}: intended time → order on the sequencer's core");
            bench.across(&there, Role::Subject, None, &found.round_trip, label)?;
        }
        for (which, samples) in ["first", "last"].iter().zip(&found.burst) {
            // Empty unless the load comes in bursts.
            let name = format!("{title}: intended time → risk done, {which} of each burst [{label}]");
            bench.sheet.latency(&name, Role::Subject, None, samples)?;
        }
        if topology.name == "fused"
            && let Some(cores) = bench.two_cores()
        {
            there_and_back(bench, &title, &setup, cores)?;
        }
        if topology.name == "fused" {
            let times = on_core(bench.core(), || straight(market, &clock, warm_up))??;
            bench.sheet.latency(&control, Role::Control, None, &times.orders)?;
        }
        bench.end_round();
    }
    Ok(())
}

/// From the frame's publication on the sequencer's core to the order's arrival there. Control: the service of the same round and two and a half ways from core to core.
fn there_and_back(
    bench: &mut Bench<'_>,
    title: &str,
    setup: &Setup,
    cores: (usize, usize),
) -> Result<(), LabError> {
    let setup = Setup { stamps_entry: true, ..setup.clone() };
    let (found, label, one_way) = bench.between_ping_pongs(cores, || {
        let journal = Journal::new("there-and-back", setup.market.count())?;
        round(&setup, &bench.clock, journal.sink()?)
    })?;
    let service = found.service.value_at_quantile(0.5);
    let control = format!("{title}: service and 2.5 ping-pongs [{label}]");
    bench.sheet.mean(&control, Role::Control, None, service + one_way * 5 / 2, 1);
    let name = format!("{title}: frame published → order on the same core [{label}]");
    bench.sheet.latency(&name, Role::Subject, Some(&control), &found.round_trip)
}

/// The topologies that this host has cores for; the others are named as left out.
fn carried(bench: &mut Bench<'_>) -> Vec<Topology> {
    let cores = bench.plan.host.preferred();
    let spin = IdleStrategy::Spin;
    let one = cores.first().copied().into_iter().collect::<Vec<_>>();
    let mut wanted = vec![Topology::fused(&cores, 1, spin), paired(&cores), Topology::split(&cores, 1, spin)];
    if cores.len() > 1 {
        let mut alone = Topology::fused(&one, 1, spin);
        alone.name = "one core".to_owned();
        wanted.push(alone);
    }
    let host = bench.plan.host.clone();
    wanted.retain(|topology| match topology.check(&host) {
        Ok(()) => true,
        Err(_) => {
            let threads = topology.cores.len();
            bench.skip(format!(
                "tick-to-order, topology {}: it spins on {threads} cores and this host has {}",
                topology.name,
                cores.len()
            ));
            false
        }
    });
    wanted
}

/// Split in two, for hosts with two cores: decoding beside the sequencer, the rest on the other core.
fn paired(cores: &[usize]) -> Topology {
    let spec = |index: usize, roles: &[Agent]| CoreSpec {
        // A core that is not there is refused by the check.
        core: Some(cores.get(index).copied().unwrap_or(usize::MAX)),
        idle: IdleStrategy::Spin,
        roles: roles.to_vec(),
    };
    Topology {
        name: "paired".to_owned(),
        cores: vec![
            spec(0, &[Agent::Sequencer, Agent::Normalizer, Agent::Journal]),
            spec(1, &[Agent::Book, Agent::Strategies(0), Agent::Risk, Agent::Tap]),
        ],
    }
}
