//! A disk that is full: an error and a counter, never SIGBUS, and what was appended is safe.

use crate::common::frame;
use spinward_recorder::{AppendError, JournalConfig, JournalError, JournalWriter, Preparer, verify};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A small file system of its own, taken away when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(folder.path())
            .status();
        status.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_an_error_that_names_itself_and_heals_when_there_is_room_again() {
    let Some(disk) = SmallDisk::mount(4 << 20) else {
        println!("SKIPPED: a_full_disk_is_an_error… needs the right to mount a tmpfs (root)");
        return;
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1u8; 1 << 20]).unwrap();
    let preparer = Preparer::manual();
    let config = JournalConfig {
        segment_bytes: 1 << 20,
        segments_ahead: 1,
        flush_interval: Duration::from_secs(3600),
        prefault_bytes: 1 << 20,
        ..JournalConfig::default()
    };
    let folder = disk.path().join("journal");
    let mut writer = JournalWriter::create(&folder, &config, &preparer).unwrap();
    let mut sequence = 1;
    let refused = loop {
        match writer.append(&frame(sequence, 96)) {
            Ok(()) => sequence += 1,
            Err(AppendError::NoSegment) if preparer.poll() > 0 => {}
            Err(AppendError::NoSegment) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Failed);
    let error = writer.failure().unwrap();
    assert!(matches!(*error, JournalError::DiskFull { bytes: 1_048_576, .. }), "{error}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert!(writer.counters().failed.value() > 0 && writer.preparer_counters().errors.value() > 0);
    // Every record up to here is there.
    assert_eq!(verify(&folder).unwrap().frames, sequence - 1);
    // Room again: the same frame goes in.
    std::fs::remove_file(&ballast).unwrap();
    loop {
        match writer.append(&frame(sequence, 96)) {
            Ok(()) => break,
            Err(_) => {
                preparer.poll();
            }
        }
    }
    assert_eq!(writer.appended(), sequence);
    writer.finish().unwrap();
    let verification = verify(&folder).unwrap();
    assert_eq!((verification.frames, verification.is_ended_by_writer), (sequence, true));
}

#[test]
fn a_disk_too_small_for_the_first_segments_is_refused_at_start() {
    let Some(disk) = SmallDisk::mount(1 << 20) else {
        println!("SKIPPED: a_disk_too_small… needs the right to mount a tmpfs (root)");
        return;
    };
    let error =
        JournalWriter::create(disk.path(), &JournalConfig::default(), &Preparer::manual()).unwrap_err();
    assert!(matches!(error, JournalError::DiskFull { bytes: 67_108_864, .. }), "{error}");
    let left: Vec<_> = disk.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"], "the half-made segment was removed");
}
