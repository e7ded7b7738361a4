//! Every interleaving of the event ring's protocol over the real `Lane`, in a model small enough to exhaust:
//! `RUSTFLAGS="--cfg loom" cargo test -p spinward-engine --test loom_lane --release`
//!
//! The model has what `disruptor` does with its cursors (stores with release, loads with acquire; the producer gates on the last
//! consumer) and the pipeline's use of it: a producer, two stages that write a lane each, a tap. Two slots and three events, so that the ring wraps.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicI64, Ordering};
use loom::thread;
use spinward_engine::pipeline::lane::Lane;

const SLOTS: i64 = 2;
const EVENTS: i64 = 3;

struct Ring {
    event: [Lane<i64>; SLOTS as usize],
    first: [Lane<i64>; SLOTS as usize],
    second: [Lane<i64>; SLOTS as usize],
    produced: AtomicI64,
    first_cursor: AtomicI64,
    second_cursor: AtomicI64,
    tap_cursor: AtomicI64,
}

impl Ring {
    fn new() -> Self {
        let lanes = || [Lane::new(-1), Lane::new(-1)];
        Self {
            event: lanes(),
            first: lanes(),
            second: lanes(),
            produced: AtomicI64::new(-1),
            first_cursor: AtomicI64::new(-1),
            second_cursor: AtomicI64::new(-1),
            tap_cursor: AtomicI64::new(-1),
        }
    }
}

fn wait(cursor: &AtomicI64, sequence: i64) {
    while cursor.load(Ordering::Acquire) < sequence {
        thread::yield_now();
    }
}

/// The protocol, with the ordering of the last stage's release as a parameter so that the model can be shown to see a fault.
fn run(release: Ordering) {
    let ring = Arc::new(Ring::new());
    let first = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            for sequence in 0..EVENTS {
                wait(&ring.produced, sequence);
                let at = (sequence % SLOTS) as usize;
                // SAFETY: what the model checks.
                let event = unsafe { *ring.event[at].read() };
                // SAFETY: what the model checks.
                unsafe { ring.first[at].write(|lane| *lane = event * 10) };
                ring.first_cursor.store(sequence, Ordering::Release);
            }
        })
    };
    let second = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            for sequence in 0..EVENTS {
                wait(&ring.first_cursor, sequence);
                let at = (sequence % SLOTS) as usize;
                // SAFETY: what the model checks.
                let first = unsafe { *ring.first[at].read() };
                // SAFETY: what the model checks.
                unsafe { ring.second[at].write(|lane| *lane = first + 1) };
                ring.second_cursor.store(sequence, release);
            }
        })
    };
    // Producer and tap share the main thread, as they may share a core.
    let mut tapped = 0;
    let mut produced = 0;
    while tapped < EVENTS {
        let mut has_worked = false;
        if produced < EVENTS && ring.tap_cursor.load(Ordering::Acquire) >= produced - SLOTS {
            let at = (produced % SLOTS) as usize;
            // SAFETY: what the model checks.
            unsafe { ring.event[at].write(|event| *event = produced) };
            ring.produced.store(produced, Ordering::Release);
            produced += 1;
            has_worked = true;
        }
        if ring.second_cursor.load(Ordering::Acquire) >= tapped {
            let at = (tapped % SLOTS) as usize;
            // SAFETY: what the model checks.
            let second = unsafe { *ring.second[at].read() };
            assert_eq!(second, tapped * 10 + 1);
            ring.tap_cursor.store(tapped, Ordering::Release);
            tapped += 1;
            has_worked = true;
        }
        if !has_worked {
            thread::yield_now();
        }
    }
    first.join().unwrap();
    second.join().unwrap();
}

fn model() -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder
}

#[test]
fn a_lane_is_never_written_while_it_is_read_and_never_read_before_it_is_written() {
    model().check(|| run(Ordering::Release));
}

#[test]
fn the_model_sees_a_stage_that_releases_without_release_ordering() {
    let outcome = std::panic::catch_unwind(|| model().check(|| run(Ordering::Relaxed)));
    assert!(outcome.is_err(), "the model must find the race");
}
