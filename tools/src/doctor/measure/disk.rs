//! How long a flush takes on the file system of the sessions.

use super::quantile;
use anyhow::Context;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What was seen.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Fsync {
    /// Where.
    pub(crate) folder: String,
    pub(crate) flushes: usize,
    /// A page written and `fdatasync`.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
}

const FLUSHES_MAX: usize = 300;
/// Pages of the file, written in turn: as the journal, which flushes what is already allocated.
const PAGES: u64 = 64;

/// A file that is gone when it is dropped.
struct Scratch {
    file: File,
    path: PathBuf,
}

impl Scratch {
    fn create(folder: &Path) -> std::io::Result<Self> {
        let path = folder.join(format!(".spinward-doctor-{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that cannot be removed is named so that its owner is plain.
        let _ = std::fs::remove_file(&self.path);
    }
}

pub(super) fn measure(sessions: &str, length: Duration) -> anyhow::Result<Fsync> {
    // The folder may be still to be made: its nearest parent lies on the same file system.
    let folder = Path::new(sessions)
        .ancestors()
        .find(|folder| folder.is_dir())
        .with_context(|| format!("{sessions} has no folder above it"))?;
    let scratch =
        Scratch::create(folder).with_context(|| format!("cannot make a file in {}", folder.display()))?;
    let page = [0x5a_u8; 4096];
    let failed = || format!("cannot write to {}", scratch.path.display());
    for index in 0..PAGES {
        scratch.file.write_all_at(&page, index * 4096).with_context(failed)?;
    }
    scratch.file.sync_all().with_context(failed)?;
    let start = Instant::now();
    let mut times = Vec::with_capacity(FLUSHES_MAX);
    while times.len() < FLUSHES_MAX && (times.is_empty() || start.elapsed() < length) {
        let from = Instant::now();
        scratch.file.write_all_at(&page, (times.len() as u64 % PAGES) * 4096).with_context(failed)?;
        scratch.file.sync_data().with_context(failed)?;
        times.push(u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    times.sort_unstable();
    Ok(Fsync {
        folder: folder.display().to_string(),
        flushes: times.len(),
        p50_ns: quantile(&times, 0.5),
        p99_ns: quantile(&times, 0.99),
        max_ns: times.last().copied().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushes_are_measured_in_the_nearest_folder_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = folder.path().join("not/made/yet");
        let fsync = measure(sessions.to_str().unwrap(), Duration::ZERO).unwrap();
        assert_eq!(fsync.folder, folder.path().display().to_string());
        assert_eq!(fsync.flushes, 1);
        assert!(fsync.p50_ns > 0 && fsync.p50_ns == fsync.max_ns);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
