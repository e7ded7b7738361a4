use super::*;
use crate::market::Market;
use spinward_engine::pipeline::{IdleStrategy, NoJournal};
use spinward_gateways::synthetic::SyntheticConfig;

/// A small market on unpinned, yielding threads: what is asserted does not depend on time.
fn setup(load: Load, count: usize) -> Setup {
    let config = SyntheticConfig { live_orders: 5_000, ..Market::hot(3) };
    let mut topology = Topology::fused(&[0, 1], 1, IdleStrategy::Yield);
    topology.cores.iter_mut().for_each(|spec| spec.core = None);
    let host = HostCores { allowed: vec![0, 1], isolated: Vec::new() };
    let market = Arc::new(Market::generate(&config, count).unwrap());
    let base = Setup::fused(&market, load, &host);
    Setup { burst: 1, warm_up: count / 10, watch: Watch::Stages, topology, ..base }
}

#[test]
fn every_frame_behind_the_warm_up_is_measured_once_at_each_stage() {
    let setup = setup(Load::Poisson { rate: 1_000_000, seed: 1 }, 20_000);
    let found = round(&setup, &Clock::new(), NoJournal).unwrap();
    assert_eq!(found.frames, 20_000);
    // One event a message, but for the few that define an instrument first.
    assert!((18_000..18_200).contains(&found.response.len()), "{}", found.response.len());
    for [wait, service] in &found.stages {
        assert_eq!((wait.len(), service.len()), (found.response.len(), found.response.len()));
    }
    assert!(!found.service.is_empty() && !found.round_trip.is_empty(), "the taker has traded");
}

#[test]
fn an_open_loop_counts_from_the_intended_time_and_a_closed_one_hides_the_wait() {
    let clock = Clock::new();
    // Far more than the pipeline can do: the queue grows for as long as the load lasts. Few frames, as on a busy machine each of the closed loop may
    // take two slices of the scheduler.
    let open = round(&setup(Load::Rate(1_000_000_000), 400), &clock, NoJournal).unwrap();
    let closed = round(&setup(Load::Closed(1_000_000_000), 400), &clock, NoJournal).unwrap();
    let sum = |round: &Round| round.response.mean() * round.response.len() as f64;
    // All were meant to be there at the very begin, so their waits overlap; half of the run in the mean, without a stall anywhere.
    assert!(sum(&open) > 50.0 * open.elapsed_ns as f64, "{} {}", sum(&open), open.elapsed_ns);
    // One at a time: the latencies fit into the run, but for the last one, which ends behind it.
    let but_one = sum(&closed) - closed.response.max() as f64;
    assert!(but_one <= 1.01 * closed.elapsed_ns as f64, "{but_one} {}", closed.elapsed_ns);
}

#[test]
fn the_first_and_the_last_of_each_burst_are_told_apart() {
    let mut setup = setup(Load::Bursts(50, 1_000), 10_000);
    setup.warm_up = 0;
    let found = round(&setup, &Clock::new(), NoJournal).unwrap();
    assert!(found.burst.iter().all(|which| (190..=210).contains(&which.len())), "200 bursts");
}
