//! One frame into the journal: a 128-byte record with its CRC-32C into the mapped segment. Control: the same bytes copied into plain memory. Then what
//! each level of durability costs ([`durability`](super::durability)), and with the feature `other-logs` what other logs cost on the same disk.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use crate::session::Journal;
use hdrhistogram::Histogram;
use spinward_engine::words::{Clock, FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, Nanos};
use std::hint::black_box;

const APPEND: &str = "append, back to back";
const COPY: &str = "memcpy of 128 bytes";
const ONE: &str = "append, one by one (with a stamp)";
const STAMP: &str = "the stamp alone";

/// Runs the suite.
///
/// # Errors
/// The journal cannot be written, or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let records = bench.plan.operations() as u64;
    bench.configure("record", "128 bytes, CRC-32C");
    bench.configure("warm_up", "segment prefaulted by the preparer");
    let clock = bench.clock.clone();
    for index in 0..bench.plan.rounds {
        bench.say(&format!("journal, round {} of {}", index + 1, bench.plan.rounds));
        let core = bench.core();
        let journal = Journal::beside(&[core], &format!("journal-{index}"), records as usize * 2)?;
        let found = on_core(core, || round(&clock, &journal, records))??;
        bench.sheet.mean(APPEND, Role::Subject, Some(COPY), found.appended_ns, records);
        bench.sheet.mean(COPY, Role::Control, None, found.copied_ns, records);
        bench.sheet.latency(ONE, Role::Subject, Some(STAMP), &found.each)?;
        bench.sheet.latency(STAMP, Role::Control, None, &found.stamps)?;
        super::durability::round(bench, index, &frame())?;
        #[cfg(feature = "other-logs")]
        super::controls::round(bench, index)?;
        bench.end_round();
    }
    Ok(())
}

struct Found {
    appended_ns: u64,
    copied_ns: u64,
    each: Histogram<u64>,
    stamps: Histogram<u64>,
}

fn round(clock: &Clock, journal: &Journal, records: u64) -> Result<Found, LabError> {
    let mut writer = journal.writer()?;
    let mut frame = frame();
    let begin = clock.ticks();
    for sequence in 1..=records {
        frame.header.sequence = sequence;
        writer.append(black_box(&frame)).map_err(LabError::failed)?;
    }
    let appended_ns = clock.nanos_between(begin, clock.ticks());
    let (mut each, mut stamps) = (histogram()?, histogram()?);
    for sequence in records + 1..=records * 2 {
        frame.header.sequence = sequence;
        let start = clock.ticks();
        writer.append(black_box(&frame)).map_err(LabError::failed)?;
        each.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
    }
    let mut memory = vec![[0u8; 128]; records as usize];
    memory.fill([1; 128]);
    let record = [7u8; 128];
    let begin = clock.ticks();
    for slot in &mut memory {
        *slot = *black_box(&record);
    }
    let copied_ns = clock.nanos_between(begin, clock.ticks());
    black_box(&memory);
    for _ in 0..records {
        let start = clock.ticks();
        stamps.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
    }
    Ok(Found { appended_ns, copied_ns, each, stamps })
}

/// A frame whose record is 128 bytes long.
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
