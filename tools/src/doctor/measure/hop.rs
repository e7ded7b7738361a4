//! How long a cache line takes from each core to each other one.

use serde::Serialize;
use spinward_benches::pingpong;
use spinward_engine::words::Clock;
use std::time::{Duration, Instant};

/// One pair.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Hop {
    pub(crate) first: usize,
    pub(crate) second: usize,
    /// Best and median of the rounds' medians: a virtual host moves its cores, so one round is not enough.
    pub(crate) best_ns: u64,
    pub(crate) median_ns: u64,
    pub(crate) rounds: usize,
}

/// Trips of a round: few, as on two cores that are really one a trip takes a slice of the scheduler.
const TRIPS: u64 = 400;
const ROUNDS_MAX: usize = 25;

/// Every pair gets its share of the time; one that would come after the deadline is left out.
pub(super) fn measure(clock: &Clock, cores: &[usize], length: Duration) -> Vec<Hop> {
    let pairs: Vec<(usize, usize)> = cores
        .iter()
        .enumerate()
        .flat_map(|(index, &first)| cores.iter().skip(index + 1).map(move |&second| (first, second)))
        .collect();
    let start = Instant::now();
    let share = length / u32::try_from(pairs.len().max(1)).unwrap_or(u32::MAX);
    let mut hops = Vec::with_capacity(pairs.len());
    for (first, second) in pairs {
        if start.elapsed() >= length {
            break;
        }
        let from = Instant::now();
        let mut rounds = Vec::with_capacity(ROUNDS_MAX);
        while rounds.len() < ROUNDS_MAX && (rounds.is_empty() || from.elapsed() < share) {
            // The ruler pins the thread it is called from: one of its own.
            let round = std::thread::scope(|scope| {
                scope.spawn(|| pingpong::one_way_ns(clock, first, second, TRIPS)).join()
            });
            match round {
                Ok(nanos) => rounds.push(nanos),
                Err(_) => break,
            }
        }
        let count = rounds.len();
        let median = pingpong::median(&mut rounds);
        let best = rounds.first().copied().unwrap_or(0);
        hops.push(Hop { first, second, best_ns: best, median_ns: median, rounds: count });
    }
    hops
}
