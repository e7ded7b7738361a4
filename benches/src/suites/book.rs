//! One event into the books. Controls: the book that one writes first (a hash map of orders, trees of levels), and for the hot market the naive books, which are the
//! test oracle and look at all instruments at every event.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::Market;
use crate::measure::Role;
use crate::parts::{book_config, decoder, instruments};
use crate::plain_book::PlainBook;
use hdrhistogram::Histogram;
use spinward_engine::book::{BookOutput, BookStage, NaiveBookStage};
use spinward_engine::normalizer::Normalizer;
use spinward_engine::words::{Clock, Event, Frame, FrameHeader, FrameKind};
use std::hint::black_box;

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let count = bench.plan.operations();
    bench.configure("market", "hot: 50 symbols, 20000 orders; full: 8000 symbols, 467000 orders; seed 7");
    bench.configure("warm_up", "opening of the books");
    bench.configure("naive", "hot market only, a tenth of the events");
    let clock = bench.clock.clone();
    for (name, config) in [("hot", Market::hot(7)), ("full", Market::full(7))] {
        let market = Market::generate(&config, count)?;
        let (opening, events) = decoded(&market)?;
        for round in 0..bench.plan.rounds {
            bench.say(&format!("book, {name}, round {} of {}", round + 1, bench.plan.rounds));
            let book_config = book_config(&market);
            let few = events.get(..events.len() / 10).unwrap_or(&events);
            let (fast, plain, naive) = on_core(bench.core(), || -> Result<_, LabError> {
                let mut stage = BookStage::new(&book_config).map_err(LabError::failed)?;
                let fast = time(&clock, &opening, &events, |event, out| stage.on_event(event, out))?;
                drop(stage);
                let mut book = PlainBook::default();
                let plain = time(&clock, &opening, &events, |event, _| {
                    black_box(book.on_event(event));
                })?;
                if name == "full" {
                    return Ok((fast, plain, None));
                }
                let mut stage = NaiveBookStage::new(&book_config).map_err(LabError::failed)?;
                let naive = time(&clock, &opening, few, |event, out| stage.on_event(event, out))?;
                Ok((fast, plain, Some(naive)))
            })??;
            let half = |events: &[Event]| (events.len() / 2) as u64;
            let (flat, each) = (format!("{name}, back to back"), format!("{name}, event by event"));
            let (plain_flat, plain_each) = (format!("{flat}: plain book"), format!("{each}: plain book"));
            bench.sheet.mean(&flat, Role::Subject, Some(&plain_flat), fast.0, half(&events));
            bench.sheet.mean(&plain_flat, Role::Control, None, plain.0, half(&events));
            bench.sheet.latency(&each, Role::Subject, Some(&plain_each), &fast.1)?;
            bench.sheet.latency(&plain_each, Role::Control, None, &plain.1)?;
            if let Some(naive) = naive {
                bench.sheet.mean(&format!("{flat}: naive"), Role::Control, None, naive.0, half(few));
                bench.sheet.latency(&format!("{each}: naive"), Role::Control, None, &naive.1)?;
            }
            bench.end_round();
        }
    }
    Ok(())
}

/// Events of the opening, and those behind it.
pub(crate) fn decoded(market: &Market) -> Result<(Vec<Event>, Vec<Event>), LabError> {
    let mut normalizer = Normalizer::new(vec![Box::new(decoder(market))], instruments(0)?);
    let (mut opening, mut events) = (Vec::new(), Vec::new());
    let mut frame = Frame::vacant();
    for index in 0..market.count() {
        let Some((time, bytes)) = market.message(index) else { break };
        frame.header = FrameHeader {
            sequence: index as u64 + 1,
            receive_time: time,
            kind: FrameKind::Market as u8,
            bytes: bytes.len() as u16, // an ITCH message has at most 50
            ..FrameHeader::default()
        };
        if let Some(to) = frame.payload.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        normalizer.on_frame(&frame);
        let to = if index < market.opening { &mut opening } else { &mut events };
        to.extend_from_slice(normalizer.batch().events());
    }
    Ok((opening, events))
}

/// Half of the events back to back (nanoseconds of all), the other half one by one, a stamp on either side.
fn time(
    clock: &Clock,
    opening: &[Event],
    events: &[Event],
    mut on_event: impl FnMut(&Event, &mut BookOutput),
) -> Result<(u64, Histogram<u64>), LabError> {
    let mut out = BookOutput::vacant();
    for event in opening {
        on_event(event, &mut out);
    }
    let (flat, each) = events.split_at(events.len() / 2);
    let begin = clock.ticks();
    for event in flat {
        on_event(black_box(event), &mut out);
        black_box(&out);
    }
    let nanos = clock.nanos_between(begin, clock.ticks());
    let mut times = histogram()?;
    for event in each {
        let start = clock.ticks();
        on_event(black_box(event), &mut out);
        times.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
        black_box(&out);
    }
    Ok((nanos, times))
}
