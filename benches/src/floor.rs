//! The laboratory's own floor, measured in every run: what an empty loop, a stamp and a bare ring cost here, and what this host takes away
//! from a thread that does nothing.

use crate::artefact::Artefact;
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

/// Name of the metric of what the host takes away: nanoseconds in gaps over 10 µs, of each millisecond.
pub const LOST: &str = "floor: lost to hiccups over 10 µs, of each ms";

/// A longer gap is not the loop's own.
const GAP_NS: u64 = 10_000;

const TURNS: u64 = 2_000_000;
const HICCUP_NS: u64 = 150_000_000;

/// Measures it, the bare ring as well if that is wanted.
///
/// # Errors
/// A thread of the measurement failed.
pub fn measure(bench: &mut Bench<'_>, with_ring: bool) -> Result<(), LabError> {
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
    bench.sheet.latency(HICCUP, Role::Floor, None, &hiccups.gaps)?;
    bench.sheet.mean(LOST, Role::Floor, None, hiccups.lost_ns, HICCUP_NS / 1_000_000);
    if let Some(cores) = bench.two_cores()
        && with_ring
    {
        let clock = bench.clock.clone();
        let (hop, label) = bench.labelled(cores, || ring::bare_hop(&clock, cores, 1_000_000, 50_000))?;
        bench.across("floor: bare ring hop", Role::Floor, None, &hop, label)?;
    }
    bench.end_round();
    Ok(())
}

struct Hiccups {
    gaps: Histogram<u64>,
    /// In gaps over [`GAP_NS`].
    lost_ns: u64,
}

/// Gaps between two readings of the clock in a loop that does nothing else. A gap longer than the reading is time that the host took.
fn hiccups(clock: &Clock) -> Result<Hiccups, LabError> {
    let mut found = Hiccups { gaps: histogram()?, lost_ns: 0 };
    let begin = clock.ticks();
    let mut last = begin;
    while clock.nanos_between(begin, last) < HICCUP_NS {
        let now = clock.ticks();
        let gap = clock.nanos_between(last, now).max(1);
        found.gaps.saturating_record(gap);
        if gap > GAP_NS {
            found.lost_ns += gap;
        }
        // What recording takes is no hiccup.
        last = clock.ticks();
    }
    Ok(found)
}

/// More than this share of a core's time taken away, per cent, and a run says so.
pub const LOST_PERCENT_MAX: f64 = 2.0;

/// What to say of a run during which the host was not quiet; `None` if it was.
pub fn unrest(run: &Artefact) -> Option<String> {
    let (_, most) = run.metric(LOST)?.range("mean")?;
    // Nanoseconds of a millisecond.
    let percent = most / 1e4;
    (percent > LOST_PERCENT_MAX).then(|| {
        format!("up to {percent:.1} % of a core's time was taken away by others: what is longer than some microseconds may be theirs")
    })
}
