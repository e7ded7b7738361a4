//! A segment's memory.
//!
//! A [`Mapping`] gives its memory out only as `&[AtomicU64]`. So the writer, the preparer (which touches pages ahead of the writer) and
//! anything else in this process may use it at once without a data race; on x86-64 a relaxed store is a plain `mov`.

use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared, writable map of a whole file.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: MmapRaw,
    words: usize,
}

/// How the pages were made present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prefault {
    /// `MADV_POPULATE_WRITE`.
    Populated,
    /// One word of each page was rewritten with itself: the kernel does not know `MADV_POPULATE_WRITE` (before Linux 5.14).
    Touched,
}

impl Mapping {
    /// Maps the first `bytes` of the file, which the caller has reserved (fallocate): a store into a hole on a full disk would be SIGBUS.
    pub(crate) fn new(file: &File, bytes: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Self { map, words: bytes / 8 })
    }

    /// The memory.
    #[inline]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        let start = self.map.as_ptr().cast::<AtomicU64>();
        // SAFETY: the map is readable and writable memory of at least `words`·8 bytes (`new`), page-aligned, and stays mapped as long as
        // `self`, which the result borrows. Any bits are a valid u64. This process has no other map of the file (it created the file
        // with O_EXCL, and readers use read(2)), and all access through this map is by these atomics, so there is no data race. Other
        // processes read the file with read(2). The file is not made shorter while a word behind its end may still be accessed:
        // the preparer truncates only after the writer has given the segment up for good.
        unsafe { std::slice::from_raw_parts(start, self.words) }
    }

    /// Makes the pages of a byte range present and writable, without changing a bit, so that a store into them does not fault. May run
    /// while the writer stores.
    pub(crate) fn prefault(&self, from: usize, to: usize) -> io::Result<Prefault> {
        let page = super::format::PAGE_BYTES;
        let from = from / page * page;
        let to = to.min(self.words * 8);
        if from >= to {
            return Ok(Prefault::Populated);
        }
        match self.map.advise_range(Advice::PopulateWrite, from, to - from) {
            Ok(()) => Ok(Prefault::Populated),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.touch(from, to);
                Ok(Prefault::Touched)
            }
            Err(error) => Err(error),
        }
    }

    fn touch(&self, from: usize, to: usize) {
        let words_of_page = super::format::PAGE_BYTES / 8;
        for word in self.words().iter().take(to / 8).skip(from / 8).step_by(words_of_page) {
            word.fetch_or(0, Ordering::Relaxed);
        }
    }

    /// Waits until a byte range is on the disk.
    pub(crate) fn flush(&self, from: usize, to: usize) -> io::Result<()> {
        self.map.flush_range(from, to.saturating_sub(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_pages_changes_no_bit_and_both_ways_leave_the_memory_writable() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 * 4096).unwrap();
        let mapping = Mapping::new(&file, 4 * 4096).unwrap();
        for (index, word) in mapping.words().iter().enumerate() {
            word.store(index as u64, Ordering::Relaxed);
        }
        mapping.touch(0, 4 * 4096);
        mapping.prefault(5000, usize::MAX).unwrap();
        for (index, word) in mapping.words().iter().enumerate() {
            assert_eq!(word.load(Ordering::Relaxed), index as u64);
        }
        mapping.flush(0, 4 * 4096).unwrap();
        assert_eq!(mapping.words().len(), 2048);
    }
}
