//! The laboratory's own floor, measured in every run: what an empty loop, a stamp and a bare ring cost here, and what this host takes away
//! from a thread that does nothing.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use crate::suites::ring;
use hdrhistogram::Histogram;
use spinward_engine::words::Clock;
use std::hint::black_box;

/// Name of the metric that every report shows beside the others.
pub const HICCUP: &str = "floor: hiccups of an empty loop";

const TURNS: u64 = 2_000_000;
const HICCUP_NS: u64 = 150_000_000;

/// Measures it.
///
/// # Errors
/// A thread of the measurement failed.
pub fn measure(bench: &mut Bench<'_>) -> Result<(), LabError> {
    bench.say("floor");
    let core = bench.core();
    let clock = &bench.clock;
    let (empty_ns, stamps_ns, hiccups) = on_core(core, || -> Result<_, LabError> {
        let begin = clock.ticks();
        for turn in 0..TURNS {
            black_box(turn);
        }
        let middle = clock.ticks();
        for _ in 0..TURNS {
            black_box(clock.ticks());
        }
        let end = clock.ticks();
        Ok((clock.nanos_between(begin, middle), clock.nanos_between(middle, end), hiccups(clock)?))
    })??;
    bench.sheet.mean("floor: empty loop", Role::Floor, None, empty_ns, TURNS);
    bench.sheet.mean("floor: stamp", Role::Floor, None, stamps_ns, TURNS);
    bench.sheet.latency(HICCUP, Role::Floor, None, &hiccups)?;
    if let Some(cores) = bench.two_cores()
        && !bench.config.contains_key("ring")
    {
        let clock = bench.clock.clone();
        let (hop, label) = bench.labelled(cores, || ring::bare_hop(&clock, cores, 1_000_000, 50_000))?;
        bench.across("floor: bare ring hop", Role::Floor, None, &hop, label)?;
    }
    bench.end_round();
    Ok(())
}

/// Gaps between two readings of the clock in a loop that does nothing else. A gap longer than the reading is time that the host took.
fn hiccups(clock: &Clock) -> Result<Histogram<u64>, LabError> {
    let mut gaps = histogram()?;
    let begin = clock.ticks();
    let mut last = begin;
    while clock.nanos_between(begin, last) < HICCUP_NS {
        let now = clock.ticks();
        gaps.saturating_record(clock.nanos_between(last, now).max(1));
        // What recording takes is no hiccup.
        last = clock.ticks();
    }
    Ok(gaps)
}
