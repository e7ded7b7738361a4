//! Journal append: `cargo bench -p spinward-benches --bench journal [-- ROUNDS]`
//!
//! One 128-byte record (32 bytes of header, 96 of payload) with its CRC-32C into the mapped segment. Control in the same run: the same bytes copied
//! into plain memory.
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use spinward_benches::pingpong::{median, pin};
use spinward_benches::report::{head, histogram, host, row};
use spinward_engine::words::{Clock, FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, Nanos};
use spinward_recorder::{JournalConfig, JournalWriter, Preparer};
use std::error::Error;
use std::hint::black_box;

const RECORDS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let rounds: u64 = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(7);
    let clock = Clock::new();
    pin(1);
    println!("host      {}", host());
    println!("load      {RECORDS} records of 128 bytes a round, back to back, {rounds} rounds; core 1");
    let (mut means, mut copies) = (Vec::new(), Vec::new());
    let mut each = histogram()?;
    let mut stamps = histogram()?;
    for index in 0..rounds {
        let folder =
            std::env::temp_dir().join(format!("spinward-bench-{}-journal-{index}", std::process::id()));
        let preparer = Preparer::start()?;
        let config =
            JournalConfig { segment_bytes: 512 << 20, segments_ahead: 1, ..JournalConfig::default() };
        let mut writer = JournalWriter::create(&folder, &config, &preparer)?;
        let mut frame = frame();
        // Back to back, without a stamp in between.
        let begin = clock.ticks();
        for sequence in 1..=RECORDS {
            frame.header.sequence = sequence;
            writer.append(black_box(&frame))?;
        }
        means.push(clock.nanos_between(begin, clock.ticks()) * 100 / RECORDS);
        // One by one, a stamp round each.
        for sequence in RECORDS + 1..=RECORDS * 2 {
            frame.header.sequence = sequence;
            let start = clock.ticks();
            writer.append(black_box(&frame))?;
            let done = clock.ticks();
            each.saturating_record(clock.nanos_between(start, done).max(1));
        }
        drop(writer);
        drop(preparer);
        // A folder left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&folder);

        let mut memory = vec![[0u8; 128]; RECORDS as usize];
        memory.fill([1; 128]);
        let record = [7u8; 128];
        let begin = clock.ticks();
        for slot in &mut memory {
            *slot = *black_box(&record);
        }
        copies.push(clock.nanos_between(begin, clock.ticks()) * 100 / RECORDS);
        black_box(&memory);
        for _ in 0..RECORDS {
            let start = clock.ticks();
            let done = clock.ticks();
            stamps.saturating_record(clock.nanos_between(start, done).max(1));
        }
    }
    let best = means.iter().copied().min().unwrap_or(0) as f64 / 100.0;
    let control = copies.iter().copied().min().unwrap_or(0) as f64 / 100.0;
    println!(
        "append    mean of a round: median {:.1} ns, best {best:.1} ns; control, plain copy: median {:.1} ns, best {control:.1} ns",
        median(&mut means) as f64 / 100.0,
        median(&mut copies) as f64 / 100.0,
    );
    println!("{}", head());
    println!("{}", row("append, one stamp included", &each));
    println!("{}", row("control: the stamp alone", &stamps));
    Ok(())
}

fn frame() -> Frame {
    let mut frame = Frame::vacant();
    frame.header = FrameHeader {
        receive_time: Nanos::from_secs(1),
        kind: FrameKind::Market as u8,
        bytes: FRAME_PAYLOAD_BYTES as u16,
        ..FrameHeader::default()
    };
    frame.payload = [0x5a; FRAME_PAYLOAD_BYTES];
    frame
}
