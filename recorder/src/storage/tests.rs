//! A generated session, crashed at every operation and behind every append: what was told to be on the disk is there, the rest is a clean beginning.

use super::crashing::{CrashingMemory, Unflushed};
use crate::appender::Identity;
use crate::durability::Durability;
use crate::error::{AppendError, JournalError};
use crate::journal::{JournalReader, JournalWriter};
use crate::preparer::{JournalConfig, Preparer};
use crate::verify::verify;
use proptest::prelude::*;
use spinward_engine::words::{Frame, FrameHeader, Nanos};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CONFIG: JournalConfig = JournalConfig {
    segment_bytes: 16 << 10,
    segments_ahead: 1,
    durability: Durability::Sync,
    flush_interval: Duration::ZERO,
    prefault_bytes: 8192,
};

/// One step of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Append(u8),
    /// The preparer does one piece of work.
    Prepare,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![4 => (0u8..=96).prop_map(Step::Append), 1 => Just(Step::Prepare)];
    prop::collection::vec(step, 100..400)
}

fn frame(sequence: u64, bytes: u8) -> Frame {
    let mut frame = Frame::vacant();
    frame.header = FrameHeader {
        sequence,
        receive_time: Nanos::new(sequence as i64),
        kind: 1,
        bytes: u16::from(bytes),
        ..FrameHeader::default()
    };
    frame.payload.fill(sequence as u8 | 1);
    frame
}

/// What a session has told before it crashed, or ended.
struct Told {
    appended: u64,
    durable: u64,
    is_finished: bool,
}

/// Runs the steps until the storage crashes; behind step `until` the test crashes it.
fn run(steps: &[Step], storage: &CrashingMemory, until: usize) -> Told {
    let preparer = Preparer::manual();
    let folder = Path::new("/in-memory");
    let identity = Identity { session: 7, created: Nanos::new(7) };
    let created = JournalWriter::create_on(Arc::new(storage.clone()), folder, &CONFIG, &preparer, identity);
    let mut told = Told { appended: 0, durable: 0, is_finished: false };
    let Ok(mut writer) = created else {
        assert!(storage.has_crashed());
        return told;
    };
    for step in steps.iter().take(until) {
        match step {
            Step::Prepare => {
                preparer.poll();
            }
            Step::Append(bytes) => loop {
                match writer.append(&frame(writer.appended() + 1, *bytes)) {
                    Ok(()) => break,
                    Err(AppendError::NoSegment) => {
                        preparer.poll();
                    }
                    Err(AppendError::Failed | AppendError::OutOfOrder | AppendError::TooLong) => break,
                }
            },
        }
        if storage.has_crashed() {
            break;
        }
        (told.appended, told.durable) = (writer.appended(), writer.durable());
    }
    // Also what was appended in the step in which it crashed may be there.
    told.appended = writer.appended();
    if until <= steps.len() && !storage.has_crashed() {
        storage.crash();
    }
    told.is_finished = writer.finish().is_ok();
    told
}

/// Reads what is left after the crash and holds it against what was told.
fn check(storage: &CrashingMemory, told: &Told, unflushed: Unflushed) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    storage.after_crash(folder.path(), unflushed);
    let found = match verify(folder.path()) {
        Ok(found) => found.frames,
        // Not even the first segment's name: nothing can have been promised.
        Err(JournalError::Empty { .. }) => 0,
        Err(error) => return Err(TestCaseError::fail(format!("{unflushed:?}: {error}"))),
    };
    prop_assert!(found >= told.durable, "{unflushed:?}: {found} frames, {} were durable", told.durable);
    prop_assert!(found <= told.appended, "{unflushed:?}: {found} frames, {} appended", told.appended);
    if found > 0 {
        let mut reader = JournalReader::open(folder.path()).unwrap();
        while let Some(read) = reader.next().unwrap() {
            prop_assert!(read.payload.iter().all(|byte| *byte == read.sequence as u8 | 1));
        }
        prop_assert_eq!(reader.last_sequence(), found);
    }
    Ok(())
}

fn check_all(storage: &CrashingMemory, told: &Told, seed: u64) -> Result<(), TestCaseError> {
    for unflushed in [Unflushed::None, Unflushed::All, Unflushed::Some(seed), Unflushed::Some(seed + 1)] {
        check(storage, told, unflushed)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn what_was_told_to_be_on_the_disk_is_there_after_a_crash_at_any_operation(steps in steps(), seed in 1u64..1 << 40) {
        let whole = CrashingMemory::default();
        let told = run(&steps, &whole, usize::MAX);
        prop_assert!(told.is_finished && told.durable > 0);
        for operation in 1..=whole.operations() {
            let storage = CrashingMemory::crashing_at(operation);
            let told = run(&steps, &storage, usize::MAX);
            prop_assert!(storage.has_crashed() && !told.is_finished, "operation {}", operation);
            check_all(&storage, &told, seed ^ operation)?;
        }
    }

    #[test]
    fn what_was_told_to_be_on_the_disk_is_there_after_a_crash_behind_any_step(steps in steps(), seed in 1u64..1 << 40) {
        for until in (0..=steps.len()).step_by(3) {
            let storage = CrashingMemory::default();
            let told = run(&steps, &storage, until);
            check_all(&storage, &told, seed ^ until as u64)?;
        }
    }
}

#[test]
fn a_flush_that_fails_is_told_at_once_and_nothing_after_it_is_called_safe() {
    let storage = CrashingMemory::default();
    let preparer = Preparer::manual();
    let identity = Identity { session: 7, created: Nanos::new(7) };
    let folder = Path::new("/in-memory");
    let mut writer =
        JournalWriter::create_on(Arc::new(storage.clone()), folder, &CONFIG, &preparer, identity).unwrap();
    writer.append(&frame(1, 40)).unwrap();
    while preparer.poll() > 0 {}
    assert_eq!((writer.durable(), writer.is_broken()), (1, false));
    storage.fail_flushes();
    writer.append(&frame(2, 40)).unwrap();
    preparer.poll();
    assert!(writer.is_broken());
    assert_eq!(writer.durable(), 1);
    let failure = writer.failure().unwrap();
    assert!(failure.to_string().starts_with("cannot flush /in-memory/00000000.seg: "), "{failure}");
    // What the kernel did with those pages is unknown, so no later flush is believed.
    for _ in 0..10 {
        preparer.poll();
    }
    assert_eq!((writer.durable(), writer.finish().is_err()), (1, true));
}
