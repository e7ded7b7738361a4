//! [`Storage`]: where a stream's segments lie. The disk; in tests also a memory that crashes, is slow, or fails.
//!
//! Only what costs a system call goes this way. The writer stores into mapped memory that every storage gives out as the same [`Mapping`],
//! so the hot path does not know which one it is.

use crate::error::JournalError;
use crate::map::Mapping;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Name of the file that tells that a stream has its writer.
pub(crate) const LOCK_FILE: &str = "lock";

/// A place for segments.
pub(crate) trait Storage: Send + Sync + std::fmt::Debug {
    /// Makes the folder and takes it for this writer alone, as long as what is returned lives.
    fn claim(&self, folder: &Path) -> Result<Box<dyn Claim>, ClaimError>;

    /// Makes a segment's file, never over an old one, with all of its bytes reserved, zero and mapped. What went wrong, and at what. `is_promised`: its flushes
    /// will be waited for.
    fn create(
        &self,
        path: &Path,
        bytes: u64,
        is_promised: bool,
    ) -> Result<StoredSegment, (&'static str, io::Error)>;

    /// Waits until the names in the folder are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Holds a folder until it is dropped.
pub(crate) trait Claim: Send + Sync + std::fmt::Debug {}

/// Why a folder was not given.
#[derive(Debug)]
pub(crate) enum ClaimError {
    /// Another writer has it: what it wrote about itself.
    Held(String),
    Io(io::Error),
}

/// A segment's memory and its file.
#[derive(Debug)]
pub(crate) struct StoredSegment {
    pub(crate) map: Mapping,
    pub(crate) file: Box<dyn SegmentFile>,
}

/// The file of a segment.
pub(crate) trait SegmentFile: Send + Sync + std::fmt::Debug {
    /// Waits until a byte range of the memory is on the disk.
    fn flush(&self, map: &Mapping, from: u64, to: u64) -> io::Result<()>;

    /// Cuts the file and waits until that is on the disk.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Waited at each flush: an injected slow disk.
    pub(crate) flush_delay: Duration,
}

#[derive(Debug)]
struct DiskFile {
    file: File,
    flush_delay: Duration,
}

#[derive(Debug)]
struct DiskClaim {
    // Held by its open file: a killed process gives it back.
    _file: File,
}

impl Claim for DiskClaim {}

impl Storage for Disk {
    fn claim(&self, folder: &Path) -> Result<Box<dyn Claim>, ClaimError> {
        std::fs::create_dir_all(folder).map_err(ClaimError::Io)?;
        claim_file(&folder.join(LOCK_FILE)).map(|file| Box::new(DiskClaim { _file: file }) as Box<dyn Claim>)
    }

    fn create(
        &self,
        path: &Path,
        bytes: u64,
        is_promised: bool,
    ) -> Result<StoredSegment, (&'static str, io::Error)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| ("create", error))?;
        let prepare = |file: &File| {
            reserve(file, bytes).map_err(|error| ("reserve", error))?;
            let map = Mapping::new(file, bytes as usize).map_err(|error| ("map", error))?;
            if is_promised {
                map.single_pages().map_err(|error| ("map", error))?;
            }
            Ok(map)
        };
        match prepare(&file) {
            Ok(map) => {
                let file = Box::new(DiskFile { file, flush_delay: self.flush_delay });
                Ok(StoredSegment { map, file })
            }
            Err(error) => {
                // The half-made file would be taken for a segment; nothing else can be done if it stays.
                let _ = std::fs::remove_file(path);
                Err(error)
            }
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

impl SegmentFile for DiskFile {
    fn flush(&self, map: &Mapping, from: u64, to: u64) -> io::Result<()> {
        if !self.flush_delay.is_zero() {
            std::thread::sleep(self.flush_delay);
        }
        map.flush(from as usize, to as usize)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.file.sync_all()
    }
}

/// Takes a lock file, made if need be, for this process, and writes into it who has it.
pub(crate) fn claim_file(path: &Path) -> Result<File, ClaimError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(ClaimError::Io)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = std::fs::read_to_string(path).unwrap_or_default();
            return Err(ClaimError::Held(holder.trim().to_owned()));
        }
        Err(error) => return Err(ClaimError::Io(error.into())),
    }
    file.set_len(0).map_err(ClaimError::Io)?;
    writeln!(file, "process {}", std::process::id()).map_err(ClaimError::Io)?;
    Ok(file)
}

/// Whether a stream's writer lives, in this process or in another one. A folder without a lock file has none.
///
/// # Errors
/// [`JournalError::Io`] if that cannot be told.
pub fn is_in_use(folder: &Path) -> Result<bool, JournalError> {
    let path = folder.join(LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(JournalError::io("open", &path, error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(JournalError::io("lock", &path, error.into())),
    }
}

/// Takes the blocks now, so that no later store can find the disk full (which would be SIGBUS).
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let zeros = vec![0u8; 1 << 16];
            let mut left = bytes;
            let mut writer = file;
            while left > 0 {
                let count = left.min(zeros.len() as u64) as usize;
                writer.write_all(zeros.get(..count).unwrap_or(&zeros))?;
                left -= count as u64;
            }
            file.sync_all()
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(crate) mod crashing;
#[cfg(test)]
mod tests;
