//! What each level of durability costs: the append while the flusher is at work, the time until a record is known to be on the disk, and how many bytes
//! a second come there. Control of each in the same round: a plain file, `write` and `fdatasync`.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use crate::session::Journal;
use hdrhistogram::Histogram;
use spinward_engine::words::{Clock, Frame};
use spinward_recorder::{AppendError, Durability, JournalWriter, device_interrupts};
use std::fs::File;
use std::hint::black_box;
use std::io::{Seek, SeekFrom, Write};
use std::time::Duration;

/// Records whose way to the disk is waited for, one by one, in a round.
const ACKNOWLEDGED: u64 = 200;
/// Records of 128 bytes that are appended at one go: 32 MiB.
const GROUP: u64 = 1 << 18;
/// Turns of waiting before the core is given up: a few milliseconds.
const TURNS: u32 = 1 << 17;
/// Bytes that the control writes at once.
const BLOCK: usize = 1 << 20;

const LEVELS: [Durability; 3] =
    [Durability::Process, Durability::Flush(Duration::from_millis(5)), Durability::Sync];

const BARE_ONE: &str = "write of 128 bytes + fdatasync";
const BARE_GROUP: &str = "file written in blocks of 1 MiB + fdatasync, a 128-byte piece";

/// One round.
///
/// # Errors
/// The journal or the plain file cannot be written, or a thread failed.
pub(super) fn round(bench: &mut Bench<'_>, index: usize, frame: &Frame) -> Result<(), LabError> {
    let clock = bench.clock.clone();
    let cores = bench.plan.host.preferred();
    let before: Vec<u64> = cores.iter().map(|core| device_interrupts(*core)).collect();
    let bare = on_core(bench.core(), || Bare::measure(&clock, index))??;
    // A disk interrupts one core, and its kernel's worker runs there: a thread that spins on that core delays every flush by whole time slices. An isolated core has no such
    // guests; here the one with the fewest is taken.
    let came = |(core, before): &(&usize, u64)| device_interrupts(**core).saturating_sub(*before);
    let core = cores.iter().zip(before).min_by_key(came).map_or(bench.core(), |(core, _)| *core);
    bench.configure("durability", format!("writer on core {core}, the one with the fewest interrupts"));
    bench.sheet.latency(BARE_ONE, Role::Control, None, &bare.one)?;
    bench.sheet.mean(BARE_GROUP, Role::Control, None, bare.group_ns, GROUP);
    for level in LEVELS {
        let journal = Journal::beside(&[core], &format!("durability-{index}-{level}"), 2 * GROUP as usize)?;
        let writer = journal.writer_at(level)?;
        let found = on_core(core, || Level::measure(&clock, writer, level, frame))??;
        let name = |what: &str| format!("{level}: {what}");
        bench.sheet.mean(&name("append, while it is flushed"), Role::Subject, None, found.append_ns, GROUP);
        if level == Durability::Process {
            continue;
        }
        let group = name("append and on the disk, 32 MiB, a record");
        bench.sheet.mean(&group, Role::Subject, Some(BARE_GROUP), found.group_ns, GROUP);
        if level == Durability::Sync {
            bench.sheet.latency(&name("appended to durable"), Role::Subject, Some(BARE_ONE), &found.one)?;
        }
    }
    Ok(())
}

struct Level {
    append_ns: u64,
    group_ns: u64,
    one: Histogram<u64>,
}

impl Level {
    fn measure(
        clock: &Clock,
        mut writer: JournalWriter,
        level: Durability,
        frame: &Frame,
    ) -> Result<Self, LabError> {
        let mut frame = *frame;
        let mut one = histogram()?;
        let start = clock.ticks();
        for sequence in 1..=GROUP {
            frame.header.sequence = sequence;
            while let Err(error) = writer.append(black_box(&frame)) {
                if error != AppendError::NoSegment {
                    return Err(LabError::failed(error));
                }
                std::thread::yield_now();
            }
        }
        let append_ns = clock.nanos_between(start, clock.ticks());
        if level != Durability::Process {
            wait(&writer, GROUP)?;
        }
        let group_ns = clock.nanos_between(start, clock.ticks());
        if level == Durability::Sync {
            // In the middle of a segment, as in a session.
            for sequence in GROUP + 1..=GROUP + ACKNOWLEDGED {
                frame.header.sequence = sequence;
                let start = clock.ticks();
                writer.append(black_box(&frame)).map_err(LabError::failed)?;
                wait(&writer, sequence)?;
                one.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
            }
        }
        Ok(Self { append_ns, group_ns, one })
    }
}

/// Waits until a record is on the disk.
fn wait(writer: &JournalWriter, sequence: u64) -> Result<(), LabError> {
    let mut turns = 0u32;
    while writer.durable() < sequence {
        if writer.is_broken() {
            return Err(LabError::failed("a flush failed"));
        }
        // As a tap waits. Yielding would measure how long somebody else keeps the core; but if there is one core only, the flusher needs it.
        if turns < TURNS {
            turns += 1;
            std::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
    Ok(())
}

struct Bare {
    one: Histogram<u64>,
    group_ns: u64,
}

impl Bare {
    fn measure(clock: &Clock, index: usize) -> Result<Self, LabError> {
        let path = std::env::temp_dir().join(format!("spinward-bench-{}-bare-{index}", std::process::id()));
        let measured = Self::on_file(clock, &path);
        // A file left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_file(&path);
        measured.map_err(|error| LabError::file(&path, error))
    }

    fn on_file(clock: &Clock, path: &std::path::Path) -> Result<Self, std::io::Error> {
        let mut file = File::create(path)?;
        // As the journal has it: blocks that are there, so that no write has to find some.
        let block = vec![0x5a; BLOCK];
        for _ in 0..GROUP as usize * 128 / BLOCK {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        let mut one = histogram().map_err(std::io::Error::other)?;
        for _ in 0..ACKNOWLEDGED {
            let start = clock.ticks();
            file.write_all(block.get(..128).unwrap_or(&[]))?;
            file.sync_data()?;
            one.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
        }
        file.seek(SeekFrom::Start(0))?;
        let start = clock.ticks();
        for _ in 0..GROUP as usize * 128 / BLOCK {
            file.write_all(&block)?;
        }
        file.sync_data()?;
        Ok(Self { one, group_ns: clock.nanos_between(start, clock.ticks()) })
    }
}
