//! [`CrashingMemory`]: a storage in memory that keeps what is written apart from what is durable, and crashes where a test wants.
//!
//! Every segment has a live image (an anonymous file, mapped as the disk's are) and a durable one, to which only a flush copies, page by page. Names
//! are durable once the folder was flushed, a cut once it was flushed. At a crash each page that was not flushed may be on the disk or not, as a
//! kernel writes back what it likes: the test chooses.

use super::{Claim, ClaimError, SegmentFile, Storage, StoredSegment};
use crate::format::PAGE_BYTES;
use crate::map::Mapping;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which of the pages that were not flushed are on the disk after a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unflushed {
    None,
    All,
    /// Each one by the toss of a coin with this seed.
    Some(u64),
}

/// The storage; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrashingMemory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Stored>,
    /// Creations, flushes, cuts, removals and folder flushes so far.
    operations: u64,
    crash_at: Option<u64>,
    /// How the files were at the crash.
    crashed: Option<BTreeMap<PathBuf, (Vec<u8>, Stored)>>,
    /// The next flushes fail with an input/output error.
    fails_flushes: bool,
}

#[derive(Clone, Debug)]
struct Stored {
    live: Arc<File>,
    durable: Vec<u8>,
    /// Bytes of the file, live and durable.
    bytes: u64,
    durable_bytes: u64,
    is_removed: bool,
    has_durable_name: bool,
}

#[derive(Debug)]
struct Claimed;

impl Claim for Claimed {}

#[derive(Debug)]
struct MemoryFile {
    storage: CrashingMemory,
    path: PathBuf,
}

fn lost() -> io::Error {
    io::Error::other("the machine has crashed")
}

impl CrashingMemory {
    /// Crashes in the place of operation number `n`, counted from 1.
    pub(crate) fn crashing_at(n: u64) -> Self {
        let storage = Self::default();
        storage.state().crash_at = Some(n);
        storage
    }

    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    pub(crate) fn fail_flushes(&self) {
        self.state().fails_flushes = true;
    }

    /// Crashes now.
    pub(crate) fn crash(&self) {
        self.state().crash();
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.state().crashed.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts into a folder what a reader finds after the crash.
    pub(crate) fn after_crash(&self, folder: &Path, unflushed: Unflushed) {
        let mut coin = match unflushed {
            Unflushed::None | Unflushed::All => 0,
            Unflushed::Some(seed) => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        };
        let mut is_kept = || match unflushed {
            Unflushed::None => false,
            Unflushed::All => true,
            Unflushed::Some(_) => {
                coin ^= coin << 13;
                coin ^= coin >> 7;
                coin ^= coin << 17;
                coin & 1 == 1
            }
        };
        let state = self.state();
        for (path, (live, stored)) in state.crashed.as_ref().expect("a crash") {
            // A name that was not flushed, or a removal that was not, came through or did not.
            let is_there = match (stored.has_durable_name, stored.is_removed) {
                (false, true) => false,
                (true, true) => !is_kept(),
                (false, false) => is_kept(),
                (true, false) => true,
            };
            if !is_there {
                continue;
            }
            let mut bytes = stored.durable.clone();
            for (durable, live) in bytes.chunks_mut(PAGE_BYTES).zip(live.chunks(PAGE_BYTES)) {
                if durable != live && is_kept() {
                    durable.copy_from_slice(live);
                }
            }
            let length = if stored.bytes != stored.durable_bytes && is_kept() {
                stored.bytes
            } else {
                stored.durable_bytes
            };
            bytes.truncate(length as usize);
            std::fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
        }
    }
}

impl State {
    /// One more operation; an error if the machine has crashed before it or crashes in its place.
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        if self.crashed.is_none() && self.crash_at == Some(self.operations) {
            self.crash();
        }
        if self.crashed.is_some() { Err(lost()) } else { Ok(()) }
    }

    fn crash(&mut self) {
        let image = |stored: &Stored| {
            let mut live = vec![0; stored.durable.len()];
            stored.live.read_exact_at(&mut live, 0).unwrap();
            (live, stored.clone())
        };
        self.crashed = Some(self.files.iter().map(|(path, stored)| (path.clone(), image(stored))).collect());
    }
}

impl Storage for CrashingMemory {
    fn claim(&self, _: &Path) -> Result<Box<dyn Claim>, ClaimError> {
        Ok(Box::new(Claimed))
    }

    fn create(&self, path: &Path, bytes: u64, _: bool) -> Result<StoredSegment, (&'static str, io::Error)> {
        let mut state = self.state();
        state.operate().map_err(|error| ("create", error))?;
        let file = memfd_create("segment", MemfdFlags::CLOEXEC).map_err(|error| ("create", error.into()))?;
        let live = File::from(file);
        live.set_len(bytes).map_err(|error| ("reserve", error))?;
        let map = Mapping::new(&live, bytes as usize).map_err(|error| ("map", error))?;
        let stored = Stored {
            live: Arc::new(live),
            durable: vec![0; bytes as usize],
            bytes,
            durable_bytes: bytes,
            is_removed: false,
            has_durable_name: false,
        };
        state.files.insert(path.to_owned(), stored);
        let file = Box::new(MemoryFile { storage: self.clone(), path: path.to_owned() });
        Ok(StoredSegment { map, file })
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.files.retain(|_, stored| !stored.is_removed);
        state.files.values_mut().for_each(|stored| stored.has_durable_name = true);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.files.get_mut(path).ok_or(io::ErrorKind::NotFound)?.is_removed = true;
        Ok(())
    }
}

impl SegmentFile for MemoryFile {
    fn flush(&self, _: &Mapping, from: u64, to: u64) -> io::Result<()> {
        let mut state = self.storage.state();
        state.operate()?;
        if state.fails_flushes {
            return Err(rustix::io::Errno::IO.into());
        }
        let stored = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        let from = from as usize / PAGE_BYTES * PAGE_BYTES;
        let to = (to as usize).next_multiple_of(PAGE_BYTES).min(stored.durable.len());
        stored.live.read_exact_at(&mut stored.durable[from..to], from as u64)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.storage.state();
        // The cut, then its flush: a crash may come between.
        state.operate()?;
        state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?.bytes = bytes;
        state.operate()?;
        let stored = state.files.get_mut(&self.path).ok_or(io::ErrorKind::NotFound)?;
        stored.durable_bytes = bytes;
        let kept = stored.durable.len();
        // fsync writes the other pages, too.
        stored.live.read_exact_at(stored.durable.get_mut(..kept).unwrap_or(&mut []), 0)
    }
}
