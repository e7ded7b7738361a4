//! Every interleaving of the event ring's protocol over the real `Lane`, in a model small enough to exhaust:
//! `RUSTFLAGS="--cfg loom" cargo test -p spinward-engine --test loom_lane --release`
//!
//! The model has what `disruptor` does with its cursors (stores with release, loads with acquire; the producer gates on the last
//! consumer) and the pipeline's use of it: a producer, two stages that write a lane each, a tap. One slot and two events, so that the ring
//! wraps. Nobody waits in a loop, as that cannot be exhausted: each thread polls a few times, and a count shows that runs which get all the
//! way through are among those explored.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicI64, Ordering};
use loom::thread;
use spinward_engine::pipeline::lane::Lane;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const EVENTS: i64 = 2;
const POLLS: usize = 2;

struct Ring {
    event: Lane<i64>,
    first: Lane<i64>,
    second: Lane<i64>,
    produced: AtomicI64,
    first_cursor: AtomicI64,
    second_cursor: AtomicI64,
    tap_cursor: AtomicI64,
}

/// The protocol, with the ordering of the second stage's release as a parameter so that the model can be shown to see a fault. Gives how
/// many events came through.
fn run(release: Ordering) -> i64 {
    let cursor = || AtomicI64::new(-1);
    let ring = Arc::new(Ring {
        event: Lane::new(-1),
        first: Lane::new(-1),
        second: Lane::new(-1),
        produced: cursor(),
        first_cursor: cursor(),
        second_cursor: cursor(),
        tap_cursor: cursor(),
    });
    let first = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            let mut next = 0;
            for _ in 0..POLLS {
                if ring.produced.load(Ordering::Acquire) >= next {
                    // SAFETY: what the model checks.
                    let event = unsafe { *ring.event.read() };
                    // SAFETY: what the model checks.
                    unsafe { ring.first.write(|lane| *lane = event * 10) };
                    ring.first_cursor.store(next, Ordering::Release);
                    next += 1;
                }
            }
        })
    };
    let second = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            let mut next = 0;
            for _ in 0..POLLS {
                if ring.first_cursor.load(Ordering::Acquire) >= next {
                    // SAFETY: what the model checks.
                    let first = unsafe { *ring.first.read() };
                    // SAFETY: what the model checks.
                    unsafe { ring.second.write(|lane| *lane = first + 1) };
                    ring.second_cursor.store(next, release);
                    next += 1;
                }
            }
        })
    };
    // Producer and tap share the main thread, as they may share a core.
    let mut tapped = 0;
    let mut produced = 0;
    for _ in 0..=POLLS {
        // The one slot is free again when the tap has passed the event before.
        if produced < EVENTS && ring.tap_cursor.load(Ordering::Acquire) >= produced - 1 {
            // SAFETY: what the model checks.
            unsafe { ring.event.write(|event| *event = produced) };
            ring.produced.store(produced, Ordering::Release);
            produced += 1;
        }
        if ring.second_cursor.load(Ordering::Acquire) >= tapped {
            // SAFETY: what the model checks.
            let second = unsafe { *ring.second.read() };
            assert_eq!(second, tapped * 10 + 1);
            ring.tap_cursor.store(tapped, Ordering::Release);
            tapped += 1;
        }
    }
    first.join().unwrap();
    second.join().unwrap();
    tapped
}

fn model() -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(6);
    builder
}

#[test]
fn a_lane_is_never_written_while_it_is_read_and_never_read_before_it_is_written() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    static THROUGH: AtomicU64 = AtomicU64::new(0);
    model().check(|| {
        RUNS.fetch_add(1, Relaxed);
        THROUGH.fetch_add(u64::from(run(Ordering::Release) == EVENTS), Relaxed);
    });
    println!("{} interleavings, {} of them all the way through", RUNS.load(Relaxed), THROUGH.load(Relaxed));
    assert!(THROUGH.load(Relaxed) > 0, "no interleaving brought every event through the ring");
}

#[test]
fn the_model_sees_a_stage_that_releases_without_release_ordering() {
    let outcome = std::panic::catch_unwind(|| {
        model().check(|| {
            run(Ordering::Relaxed);
        })
    });
    assert!(outcome.is_err(), "the model must find the race");
}
