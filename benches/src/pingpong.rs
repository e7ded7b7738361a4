//! The ruler: how long a cache line takes from one core to another, at this moment.

use spinward_engine::words::Clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

/// Where two cores lie to each other, judged by the ping-pong: one cache complex or two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Distance {
    /// Median one-way time below 120 ns.
    Near,
    /// Above.
    Far,
}

impl Distance {
    /// From the one-way median in nanoseconds.
    pub fn of(one_way_ns: u64) -> Self {
        if one_way_ns < 120 { Distance::Near } else { Distance::Far }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Distance::Near => "near",
            Distance::Far => "far",
        }
    }
}

#[repr(align(128))]
struct Line(AtomicU64);

/// Median one-way time between two cores in nanoseconds: half of the round trip, over `trips` trips.
pub fn one_way_ns(clock: &Clock, first: usize, second: usize, trips: u64) -> u64 {
    let there = Arc::new(Line(AtomicU64::new(0)));
    let back = Arc::new(Line(AtomicU64::new(0)));
    // Asleep until the other one is on its core: a spinning thread of real-time priority would never let it get there.
    let in_place = Arc::new(Barrier::new(2));
    let echo = {
        let there = Arc::clone(&there);
        let back = Arc::clone(&back);
        let in_place = Arc::clone(&in_place);
        std::thread::spawn(move || {
            pin(second);
            in_place.wait();
            for trip in 1..=trips {
                while there.0.load(Ordering::Acquire) != trip {
                    std::hint::spin_loop();
                }
                back.0.store(trip, Ordering::Release);
            }
        })
    };
    pin(first);
    in_place.wait();
    let mut times = Vec::with_capacity(trips as usize);
    for trip in 1..=trips {
        let start = clock.ticks();
        there.0.store(trip, Ordering::Release);
        while back.0.load(Ordering::Acquire) != trip {
            std::hint::spin_loop();
        }
        times.push(clock.nanos_between(start, clock.ticks()));
    }
    if echo.join().is_err() {
        return u64::MAX;
    }
    median(&mut times) / 2
}

/// Pins this thread; on a host without the core it stays where it is, and the ruler will tell.
pub fn pin(core: usize) {
    core_affinity::set_for_current(core_affinity::CoreId { id: core });
}

/// The median; 0 of nothing. Sorts.
pub fn median(values: &mut [u64]) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
