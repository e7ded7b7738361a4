//! One hop from core to core: our rings beside the bare `disruptor` ring.
//!
//! The control has events of 64 bytes in 8,192 slots, one producer, one consumer, both spinning. Ours carry what the pipeline carries: frames of 128 bytes to two
//! readers (normalizer and journal), and slots with a lane a stage, released one by one.

use crate::bench::Bench;
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use crate::pingpong::pin;
use disruptor::{BusySpin, EventPoller, Polling, Producer, SingleProducerBarrier, build_single_producer};
use hdrhistogram::Histogram;
use spinward_engine::pipeline::StageStamp;
use spinward_engine::pipeline::lane::{Taken, event_ring};
use spinward_engine::words::{Clock, Event, Frame};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::scope;

/// Slots of the control.
const BARE_SLOTS: usize = 8_192;
const BARE_HOP: &str = "bare ring hop, poller";
const BARE_FLAT: &str = "bare ring flat out, poller";

/// An event of the control.
#[derive(Clone, Copy)]
struct Bare {
    stamp: u64,
    _rest: [u64; 7],
}

const _: () = assert!(size_of::<Bare>() == 64);

/// What a consumer found.
#[derive(PartialEq, Eq)]
enum Got {
    /// Events, or none yet.
    Some,
    /// There will be none any more.
    Shutdown,
}

/// Puts a stamp in; false if the ring is full.
trait Put: FnMut(u64) -> bool + Send {}
impl<F: FnMut(u64) -> bool + Send> Put for F {}

/// Hands the stamps that are there on.
trait Take: FnMut(&mut dyn FnMut(u64)) -> Got + Send {}
impl<F: FnMut(&mut dyn FnMut(u64)) -> Got + Send> Take for F {}

/// Both ends of a ring.
struct Ends<P, C>(P, C);

/// Runs the suite.
///
/// # Errors
/// A thread of the measurement failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    bench.configure("ring", "64 bytes, 8192 slots; frames 128 bytes, 1024 slots; lanes 256 slots");
    bench.configure("rate", bench.plan.rate);
    let Some(cores) = bench.two_cores() else {
        bench.skip("ring: a hop needs two cores, this host has one".to_owned());
        return Ok(());
    };
    let (rate, count, flat) = (bench.plan.rate, bench.plan.frames(), bench.plan.operations() * 2);
    let clock = bench.clock.clone();
    for round in 0..bench.plan.rounds {
        bench.say(&format!("ring, round {} of {}", round + 1, bench.plan.rounds));
        let (hop, label) = bench.labelled(cores, || bare_hop(&clock, cores, rate, count))?;
        bench.across(BARE_HOP, Role::Control, None, &hop, label)?;
        let (hop, label) = bench.labelled(cores, || paced(&clock, cores, rate, count, frames()))?;
        bench.across("frame ring hop", Role::Subject, Some(BARE_HOP), &hop, label)?;
        let (hop, label) = bench.labelled(cores, || paced(&clock, cores, rate, count, lanes()))?;
        bench.across("lane ring hop", Role::Subject, Some(BARE_HOP), &hop, label)?;

        let (nanos, label) = bench.labelled(cores, || managed(&clock, cores, flat as u64))?;
        mean(bench, "bare ring flat out, managed handler", Role::Control, nanos, flat, label);
        let (nanos, label) = bench.labelled(cores, || flat_out(&clock, cores, flat as u64, bare()))?;
        mean(bench, BARE_FLAT, Role::Control, nanos, flat, label);
        let (nanos, label) = bench.labelled(cores, || flat_out(&clock, cores, flat as u64, frames()))?;
        mean(bench, "frame ring flat out", Role::Subject, nanos, flat, label);
        let (nanos, label) = bench.labelled(cores, || flat_out(&clock, cores, flat as u64, lanes()))?;
        mean(bench, "lane ring flat out", Role::Subject, nanos, flat, label);
        bench.end_round();
    }
    Ok(())
}

fn mean(bench: &mut Bench<'_>, name: &str, role: Role, nanos: u64, count: usize, label: &str) {
    let control = (role == Role::Subject).then(|| format!("{BARE_FLAT} [{label}]"));
    bench.sheet.mean(&format!("{name} [{label}]"), role, control.as_deref(), nanos, count as u64);
}

/// One-way time of the control at a rate, from the intended time; the first tenth is warm-up.
///
/// # Errors
/// A thread failed.
pub(crate) fn bare_hop(
    clock: &Clock,
    cores: (usize, usize),
    rate: u64,
    count: usize,
) -> Result<Histogram<u64>, LabError> {
    paced(clock, cores, rate, count, bare())
}

/// Takes all that is there at once, as the crate's documentation does.
fn bare() -> Ends<impl Put, impl Take> {
    let factory = || Bare { stamp: 0, _rest: [0; 7] };
    let (mut poller, builder) = build_single_producer(BARE_SLOTS, factory, BusySpin).new_event_poller();
    let mut producer = builder.build();
    Ends(
        move |stamp| producer.try_publish(|event| event.stamp = stamp).is_ok(),
        move |seen: &mut dyn FnMut(u64)| match poller.poll() {
            Ok(mut events) => {
                for event in &mut events {
                    seen(event.stamp);
                }
                Got::Some
            }
            Err(Polling::NoEvents) => Got::Some,
            Err(Polling::Shutdown) => Got::Shutdown,
        },
    )
}

/// Takes one frame, as the pipeline does.
fn take(poller: &mut EventPoller<Frame, SingleProducerBarrier>, seen: &mut dyn FnMut(u64)) -> Got {
    match poller.take(1) {
        Ok(mut frames) => {
            for frame in &mut frames {
                seen(frame.header.stamp);
            }
            Got::Some
        }
        Err(Polling::NoEvents) => Got::Some,
        Err(Polling::Shutdown) => Got::Shutdown,
    }
}

/// The ingress ring's shape: frames, and two readers that the producer waits for.
fn frames() -> Ends<impl Put, impl Take> {
    let builder = build_single_producer(1_024, Frame::vacant, BusySpin);
    let (mut normalizer, builder) = builder.new_event_poller();
    let (mut journal, builder) = builder.new_event_poller();
    let mut producer = builder.build();
    let payload = [0x5a; 40];
    Ends(
        move |stamp| {
            let put = producer.try_publish(|frame| {
                frame.header.stamp = stamp;
                if let Some(to) = frame.payload.get_mut(..payload.len()) {
                    to.copy_from_slice(&payload);
                }
            });
            put.is_ok()
        },
        move |seen: &mut dyn FnMut(u64)| {
            let got = take(&mut normalizer, seen);
            take(&mut journal, &mut |_| ());
            got
        },
    )
}

/// The event ring itself, with its lanes; the stages behind the first one only release.
fn lanes() -> Ends<impl Put, impl Take> {
    let ring = event_ring(256, 1);
    let (mut producer, mut book, mut risk, mut tap) = (ring.producer, ring.book, ring.risk, ring.tap);
    let mut strategies = ring.strategies;
    let event = Event::default();
    Ends(
        move |stamp| producer.publish(&event, None, stamp, StageStamp::default()),
        move |seen: &mut dyn FnMut(u64)| {
            let taken = book.take(1, &mut (), |(), _| (), |(), head, _| seen(head.frame_stamp));
            for port in &mut strategies {
                port.take(1, |_, _, _| ());
            }
            risk.take(1, |_, _, _, _| ());
            tap.take(1, |_, _, _, _| ());
            if taken == Taken::Shutdown { Got::Shutdown } else { Got::Some }
        },
    )
}

/// So many events a second, each at its intended time; one-way times from that time.
fn paced<P, C>(
    clock: &Clock,
    (first, second): (usize, usize),
    rate: u64,
    count: usize,
    Ends(mut put, mut take): Ends<P, C>,
) -> Result<Histogram<u64>, LabError>
where
    P: Put,
    C: Take,
{
    let span = 1u64 << 32;
    let ticks_per_second = span * 1_000_000_000 / clock.nanos_between(0, span).max(1);
    let warm_up = count / 10;
    scope(|scope| {
        let consumer = scope.spawn(move || -> Result<_, LabError> {
            pin(second);
            let mut times = histogram()?;
            let mut count = 0;
            let mut seen = |stamp| {
                let nanos = clock.nanos_between(stamp, clock.ticks());
                count += 1;
                if count > warm_up {
                    times.saturating_record(nanos.max(1));
                }
            };
            while take(&mut seen) != Got::Shutdown {}
            Ok(times)
        });
        scope.spawn(move || {
            pin(first);
            let begin = clock.ticks() + ticks_per_second / 1_000;
            for index in 0..count as u64 {
                // index < 2^30, ticks_per_second < 2^34
                let due = begin + index * ticks_per_second / rate.max(1);
                while clock.ticks() < due {}
                while !put(due) {}
            }
        });
        consumer.join().map_err(|_| LabError::failed("a measuring thread panicked"))?
    })
}

/// As fast as it goes; nanoseconds until the last event was seen.
fn flat_out<P, C>(
    clock: &Clock,
    (first, second): (usize, usize),
    count: u64,
    Ends(mut put, mut take): Ends<P, C>,
) -> Result<u64, LabError>
where
    P: Put,
    C: Take,
{
    scope(|scope| {
        let consumer = scope.spawn(move || {
            pin(second);
            let mut sum = 0u64;
            while take(&mut |stamp| sum = sum.wrapping_add(stamp)) != Got::Shutdown {}
            std::hint::black_box(sum);
            clock.ticks()
        });
        let producer = scope.spawn(move || {
            pin(first);
            let begin = clock.ticks();
            for index in 0..count {
                while !put(index) {}
            }
            begin
        });
        let begin = producer.join().map_err(|_| LabError::failed("a measuring thread panicked"))?;
        let end = consumer.join().map_err(|_| LabError::failed("a measuring thread panicked"))?;
        Ok(clock.nanos_between(begin, end))
    })
}

/// The control with a handler thread of `disruptor`'s own.
fn managed(clock: &Clock, (first, second): (usize, usize), count: u64) -> Result<u64, LabError> {
    let seen = std::sync::Arc::new(AtomicU64::new(0));
    let sum = std::sync::Arc::clone(&seen);
    crate::bench::on_core(first, move || {
        let mut is_pinned = false;
        let mut total = 0u64;
        let handle = move |event: &Bare, _: i64, is_last: bool| {
            // `pin_at_core` of the crate panics when the building thread is pinned.
            if !is_pinned {
                pin(second);
                is_pinned = true;
            }
            total = total.wrapping_add(event.stamp);
            if is_last {
                sum.store(total, Ordering::Relaxed);
            }
        };
        let factory = || Bare { stamp: 0, _rest: [0; 7] };
        let mut producer =
            build_single_producer(BARE_SLOTS, factory, BusySpin).handle_events_with(handle).build();
        // The thread has started and is pinned when the first event is through.
        while producer.try_publish(|event| event.stamp = 1).is_err() {}
        while seen.load(Ordering::Relaxed) == 0 {
            // It begins on this core.
            std::thread::yield_now();
        }
        let begin = clock.ticks();
        for index in 0..count {
            while producer.try_publish(|event| event.stamp = index).is_err() {}
        }
        // Waits for the handler to have seen all.
        drop(producer);
        clock.nanos_between(begin, clock.ticks())
    })
}
