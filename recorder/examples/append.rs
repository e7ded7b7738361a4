//! What one append costs: `cargo run --release -p spinward-recorder --example append [records] [folder]`.
//!
//! A full frame is a record of 128 bytes. For instructions: `valgrind --tool=callgrind` on the example, minus the same with half of the records.

use spinward_engine::words::{Clock, Frame, Nanos, SourceId};
use spinward_recorder::{AppendError, JournalConfig, JournalWriter, LatencyHistograms, Preparer, verify};
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let root: PathBuf = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = root.join(format!("spinward-append-{}", std::process::id()));

    let preparer = Preparer::start()?;
    let config = JournalConfig { segments_ahead: 4, ..JournalConfig::default() };
    let mut writer = JournalWriter::create(&folder, &config, &preparer)?;
    let mut frame = Frame::vacant();
    (frame.header.kind, frame.header.source, frame.header.bytes) = (1, SourceId::new(0), 96);
    let clock = Clock::new();
    let mut histograms = LatencyHistograms::new(["append and one stamp", "stamp alone"])?;

    // Back to back, then one by one with a stamp between each two.
    let (mut waits, mut sequence) = (0u64, 0);
    let mut append = |frame: &mut Frame| {
        sequence += 1;
        frame.header.sequence = sequence;
        frame.header.receive_time = Nanos::new(sequence as i64);
        frame.payload[(sequence % 96) as usize] ^= sequence as u8;
        while writer.append(frame) == Err(AppendError::NoSegment) {
            waits += 1;
            std::hint::spin_loop();
        }
    };
    let start = clock.ticks();
    for _ in 0..count / 2 {
        append(&mut frame);
    }
    let back_to_back = clock.nanos_between(start, clock.ticks());
    let mut before = clock.ticks();
    for _ in 0..count / 2 {
        append(&mut frame);
        let after = clock.ticks();
        histograms.record(0, clock.nanos_between(before, after));
        before = clock.ticks();
    }
    for _ in 0..count / 2 {
        let start = clock.ticks();
        histograms.record(1, clock.nanos_between(start, clock.ticks()));
    }
    let mut out = std::io::stdout();
    writeln!(
        out,
        "back to back: {:.1} ns an append, {waits} waits",
        back_to_back as f64 / (count / 2).max(1) as f64
    )?;
    for row in histograms.summary() {
        writeln!(
            out,
            "{:22} p50 {} p90 {} p99 {} p99.9 {} max {} ns, {} samples",
            row.stage, row.p50_ns, row.p90_ns, row.p99_ns, row.p999_ns, row.max_ns, row.count
        )?;
    }
    writer.finish().map_err(|error| error.to_string())?;
    writeln!(out, "{} frames verified", verify(&folder)?.frames)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
