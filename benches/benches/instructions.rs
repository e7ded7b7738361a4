//! Instructions per frame, stage by stage: `tools/setup/instructions` runs this under callgrind, which counts the same on every run.
//!
//! `instructions COUNT STAGE`: the stages up to STAGE (`none`, `normalizer`, `book`, `strategies`, `risk`) as straight calls over COUNT
//! frames of the hot market, behind its opening.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use spinward_benches::lab::{Market, stages};
use spinward_engine::book::BookOutput;
use spinward_engine::risk::{Outbound, VerdictBatch};
use spinward_engine::strategy::IntentBatch;
use spinward_engine::words::{Frame, FrameHeader, FrameKind};
use std::error::Error;
use std::hint::black_box;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let count: usize = words.first().and_then(|word| word.parse().ok()).unwrap_or(100_000);
    let upto = match words.get(1).map_or("risk", String::as_str) {
        "none" => 0,
        "normalizer" => 1,
        "book" => 2,
        "strategies" => 3,
        _ => 4,
    };
    // The same market for every count, so that only the loop differs.
    let market = Market::generate(&Market::hot(7), 400_000)?;
    let mut parts = stages(&market, 0)?;
    let (mut view, mut intents, mut verdicts) =
        (BookOutput::vacant(), [IntentBatch::new()], VerdictBatch::new());
    let mut sent: Vec<Outbound> = Vec::with_capacity(1_024);
    let mut frame = Frame::vacant();
    let mut events = 0u64;
    for index in 0..market.opening + count {
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
        if upto == 0 || !parts.normalizer.on_frame(black_box(&frame)) {
            continue;
        }
        for event in parts.normalizer.batch().events() {
            events += 1;
            if upto >= 2 {
                parts.book.on_event(event, &mut view);
            }
            if upto >= 3
                && let ([batch], Some(runner)) = (&mut intents, parts.runners.first_mut())
            {
                runner.on_event(event, &[0; 12], view.view(), batch);
            }
            if upto >= 4 {
                sent.clear();
                parts.risk.on_event(
                    event,
                    &[0; 12],
                    view.view(),
                    0,
                    intents.iter(),
                    &mut verdicts,
                    &mut sent,
                );
            }
        }
        black_box((&view, &intents, &verdicts));
    }
    println!("{events} events");
    Ok(())
}
