//! What the system may do to a stream beside killing it: a clock set back, a folder that cannot be written, two processes at once, a slow disk.

use crate::common::{TINY, append, folder, frame, segment};
use spinward_engine::words::Nanos;
use spinward_recorder::{
    AppendError, Durability, JournalConfig, JournalError, JournalReader, JournalWriter, Preparer, segments,
    verify,
};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_clock_that_steps_back_keeps_the_order_of_the_frames_and_is_told_of() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    for sequence in 1..=100u64 {
        let mut frame = frame(sequence, 96);
        let back = if sequence >= 50 { 7_000 } else { 0 };
        frame.header.receive_time = Nanos::new(1_000_000 + sequence as i64 * 10 - back);
        append(&mut writer, &preparer, &frame);
    }
    writer.finish().unwrap();
    let found = verify(folder.path()).unwrap();
    assert_eq!((found.frames, found.clock_steps_back, found.clock_step_ns_max), (100, 1, 6_990));
    // The second segment holds both sides of the step, so its range of times is not that of its ends.
    assert_eq!(segments(folder.path()).unwrap()[1].times_ns, Some((1_000_500 - 7_000, 1_000_490)));
    // A search by time gives all that was received then, also behind the step.
    let mut reader = JournalReader::open_at_time(folder.path(), Nanos::new(1_000_400)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().sequence, 33);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_the_start_with_its_name() {
    let folder = folder();
    let inner = folder.path().join("readonly");
    std::fs::create_dir(&inner).unwrap();
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(inner.join("probe"), "").is_ok() {
        // Root may write everywhere: take what nobody may write.
        let error = JournalWriter::create("/proc/spinward".as_ref(), &TINY, &Preparer::manual()).unwrap_err();
        assert!(error.to_string().contains("cannot write into /proc/spinward"), "{error}");
        return;
    }
    let error = JournalWriter::create(&inner, &TINY, &Preparer::manual()).unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
}

const FOLDER: &str = "SPINWARD_LOCK_TEST_FOLDER";

/// What the other process does: tries to write into the same folder. Runs only when the test below starts it.
#[test]
fn child_that_wants_the_same_folder() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let error = JournalWriter::create(folder.as_ref(), &TINY, &Preparer::manual()).unwrap_err();
    eprintln!("refused: {error}");
}

#[test]
fn a_second_process_is_refused_and_told_who_has_the_session() {
    let folder = folder();
    let preparer = Preparer::manual();
    let mut writer = JournalWriter::create(folder.path(), &TINY, &preparer).unwrap();
    writer.append(&frame(1, 5)).unwrap();
    let said = Command::new(std::env::current_exe().unwrap())
        .args(["faults::child_that_wants_the_same_folder", "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains(&format!("is in use by process {}", std::process::id())), "{said}");
    writer.append(&frame(2, 5)).unwrap();
    writer.finish().unwrap();
    assert_eq!(verify(folder.path()).unwrap().frames, 2);
    assert!(segment(folder.path(), 0).exists());
}

#[test]
fn a_slow_disk_holds_back_what_is_called_durable_and_never_append() {
    let folder = folder();
    let delay = Duration::from_millis(200);
    let preparer = Preparer::start_beside(&[], delay).unwrap();
    let config = JournalConfig { segment_bytes: 1 << 20, durability: Durability::Sync, ..TINY };
    let mut writer = JournalWriter::create(folder.path(), &config, &preparer).unwrap();
    let start = Instant::now();
    for sequence in 1..=1000 {
        writer.append(&frame(sequence, 96)).unwrap();
    }
    // All are taken while the first flush still sleeps; a loaded machine may take long, but then the flush has ended, too.
    let appended_in = start.elapsed();
    assert!(writer.durable() == 0 || appended_in >= delay, "{appended_in:?}");
    while writer.durable() < 1000 {
        assert!(!writer.is_broken());
        std::thread::yield_now();
    }
    assert!(start.elapsed() >= delay, "the flush was slow");
    writer.finish().unwrap();
}

#[test]
fn whoever_waits_for_the_disk_does_not_wait_for_a_full_segments_seal_and_the_next_ones_preparation() {
    let folder = folder();
    let preparer = Preparer::manual();
    let config = JournalConfig { segment_bytes: 1 << 20, durability: Durability::Sync, ..TINY };
    let mut writer = JournalWriter::create(folder.path(), &config, &preparer).unwrap();
    let (appended, prepared) = (writer.counters(), writer.preparer_counters());
    let mut sequence = 0;
    while appended.segments.value() == 1 {
        sequence += 1;
        writer.append(&frame(sequence, 96)).unwrap();
    }
    // Sixteen pieces to prepare, sixteen to hash: at each there is a record to be flushed, too.
    let mut unfinished = 0;
    while prepared.segments_ready.value() < 1 || prepared.segments_sealed.value() < 1 {
        sequence += 1;
        writer.append(&frame(sequence, 96)).unwrap();
        assert!(preparer.poll() > 0);
        // The first one flushes the rest of the full segment.
        assert!(unfinished == 0 || writer.durable() == sequence, "{unfinished} turns");
        unfinished += 1;
    }
    assert!((32..=40).contains(&unfinished), "{unfinished} turns");
    writer.finish().unwrap();
    let verification = verify(folder.path()).unwrap();
    assert_eq!((verification.frames, verification.is_ended_by_writer), (sequence, true));
}

/// Page faults of this thread that needed no disk: proc_pid_stat(5), field 10.
fn minor_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(7).unwrap().parse().unwrap()
}

/// How many KiB of the segments' memory are dirty in this process: proc_pid_smaps(5).
fn dirty_kib(folder: &Path) -> u64 {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut is_ours = false;
    let mut dirty = 0;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or("");
        if !first.ends_with(':') {
            is_ours = line.contains(folder.to_str().unwrap());
        } else if is_ours && (first == "Shared_Dirty:" || first == "Private_Dirty:") {
            dirty += words.next().unwrap().parse::<u64>().unwrap();
        }
    }
    dirty
}

/// Appends 8 MiB, with a turn of the preparer behind each 256 KiB; how often the writer faulted.
fn faults_of_the_writer(segment_bytes: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let preparer = Preparer::manual();
    let config = JournalConfig { segment_bytes, prefault_bytes: 1 << 20, ..TINY };
    let mut writer = JournalWriter::create(folder.path(), &config, &preparer).unwrap();
    let (ask, asked) = std::sync::mpsc::sync_channel(0);
    let (answer, answered) = std::sync::mpsc::sync_channel(0);
    let faults = std::thread::scope(|scope| {
        let preparer = &preparer;
        // Of another thread, as its faults do not count.
        scope.spawn(move || {
            while asked.recv().is_ok() {
                while preparer.poll() > 0 {}
                answer.send(()).unwrap();
            }
        });
        let turn = || {
            ask.send(()).unwrap();
            answered.recv().unwrap();
        };
        turn();
        let before = minor_faults();
        for sequence in 1..=(8 << 20) / 128 {
            writer.append(&frame(sequence, 96)).unwrap();
            if sequence % 2_048 == 0 {
                turn();
            }
        }
        let faults = minor_faults() - before;
        drop(ask);
        faults
    });
    writer.finish().unwrap();
    faults
}

#[test]
fn the_writer_does_not_fault_on_the_pages_that_it_comes_to() {
    // Within a segment, and from one to the next.
    for segment_bytes in [16 << 20, 1 << 20] {
        let faults = faults_of_the_writer(segment_bytes);
        assert!(faults < 200, "{faults} faults on 2,048 pages, segments of {segment_bytes} bytes");
    }
}

#[test]
fn only_pages_that_the_writer_may_soon_reach_are_dirty() {
    let folder = tempfile::tempdir().unwrap();
    let preparer = Preparer::manual();
    let config = JournalConfig { segment_bytes: 16 << 20, prefault_bytes: 1 << 20, ..TINY };
    let writer = JournalWriter::create(folder.path(), &config, &preparer).unwrap();
    // Two segments are prepared.
    let dirty = dirty_kib(folder.path());
    assert!((1_000..2_000).contains(&dirty), "{dirty} KiB of 32,768");
    writer.finish().unwrap();
}

#[test]
fn flushes_come_at_their_interval_without_anybody_asking() {
    let folder = folder();
    let preparer = Preparer::start().unwrap();
    for durability in [Durability::Flush(Duration::from_millis(2)), Durability::Sync] {
        let config = JournalConfig { durability, ..TINY };
        let folder = folder.path().join(durability.to_string().replace('=', "-"));
        let mut writer = JournalWriter::create(&folder, &config, &preparer).unwrap();
        for sequence in 1..=200 {
            while writer.append(&frame(sequence, 96)) == Err(AppendError::NoSegment) {
                std::thread::yield_now();
            }
        }
        while writer.durable() < 200 {
            std::thread::yield_now();
        }
        assert_eq!(writer.durable(), writer.appended());
        writer.finish().unwrap();
    }
    let error = JournalWriter::create(&folder.path().join("sync"), &TINY, &preparer).unwrap_err();
    assert!(matches!(error, JournalError::AlreadyWritten { .. }), "{error}");
}
