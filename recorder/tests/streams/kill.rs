//! A real process, killed with SIGKILL while it appends: everything it had appended is there.

use crate::common::journaled;
use crate::common::{frame, read};
use spinward_recorder::{AppendError, JournalConfig, JournalWriter, Preparer, verify};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "SPINWARD_KILL_TEST_FOLDER";

/// What the child does: appends for ever, telling now and then how far it is. Runs only when the test below starts it.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let preparer = Preparer::start().unwrap();
    let config = JournalConfig {
        segment_bytes: 1 << 16,
        segments_ahead: 3,
        flush_interval: Duration::from_millis(3),
        prefault_bytes: 1 << 16,
        ..JournalConfig::default()
    };
    let mut writer = JournalWriter::create(Path::new(&folder), &config, &preparer).unwrap();
    let mut out = std::io::stderr();
    for sequence in 1.. {
        while writer.append(&frame(sequence, (sequence % 97) as usize)) == Err(AppendError::NoSegment) {
            std::thread::yield_now();
        }
        if sequence % 64 == 0 {
            // After append returned: from here on the frame is safe.
            writeln!(out, "appended {}", writer.appended()).unwrap();
        }
    }
}

#[test]
fn a_process_killed_while_it_appends_loses_nothing_that_append_has_taken() {
    for round in 0..8u64 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::child_that_appends_until_it_is_killed", "--exact", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let goal = 64 * (1 + round * 150);
        let mut known = 0;
        let appended = |line: Option<std::io::Result<String>>| -> Option<u64> {
            line?.ok()?.strip_prefix("appended ")?.parse().ok()
        };
        while known < goal {
            known = appended(lines.next()).expect("the child told how far it is");
        }
        // SIGKILL, in the middle of whatever it is doing.
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had told by then and nobody had read yet.
        while let Some(number) = appended(lines.next()) {
            known = number;
        }
        let verification = verify(folder.path()).unwrap();
        assert!(verification.frames >= known, "{} frames of at least {known}", verification.frames);
        assert!(!verification.is_ended_by_writer);
        let (frames, end) = read(folder.path());
        assert_eq!(frames.len() as u64, verification.frames);
        for (frame_read, sequence) in frames.iter().zip(1..) {
            assert_eq!(*frame_read, journaled(&frame(sequence, (sequence % 97) as usize)));
        }
        if let Some(cut) = end.unwrap().cut() {
            assert!(cut.bytes <= 128, "at most the record that was being written: {cut:?}");
        }
    }
}
