//! A segment's memory.
//!
//! A [`Mapping`] gives its memory out only as `&[AtomicU64]`. So the writer, the preparer (which touches pages ahead of the writer) and
//! anything else in this process may use it at once without a data race; on x86-64 a relaxed store is a plain `mov`.

use memmap2::{MmapOptions, MmapRaw};
use rustix::mm::Advice;
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
    /// `MADV_POPULATE_READ` or `MADV_POPULATE_WRITE`.
    Populated,
    /// One word of each page was read, or rewritten with itself: the kernel does not know them (before Linux 5.14).
    Touched,
}

impl Mapping {
    /// Maps the first `bytes` of the file, which the caller has reserved (fallocate): a store into a hole on a full disk would be SIGBUS.
    pub(crate) fn new(file: &File, bytes: usize) -> io::Result<Self> {
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Self { map, words: bytes / 8 })
    }

    /// Has pages come into the page cache one by one. Otherwise the kernel reads ahead of a page that is made present, and takes up to 2 MiB at once as one large
    /// folio, all of which is written to the disk, and write-protected, when a byte of it was stored.
    pub(crate) fn single_pages(&self) -> io::Result<()> {
        self.map.advise(memmap2::Advice::Random)
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
        self.populate(memmap2::Advice::PopulateWrite, from, to, rewrite)
    }

    /// Makes the pages of a byte range present, so that making them writable later is cheap.
    pub(crate) fn load(&self, from: usize, to: usize) -> io::Result<Prefault> {
        self.populate(memmap2::Advice::PopulateRead, from, to, |word| {
            std::hint::black_box(word.load(Ordering::Relaxed));
        })
    }

    /// By the kernel, or by a touch of one word of each page.
    fn populate(
        &self,
        advice: memmap2::Advice,
        from: usize,
        to: usize,
        touch: impl Fn(&AtomicU64),
    ) -> io::Result<Prefault> {
        let page = super::format::PAGE_BYTES;
        let from = from / page * page;
        let to = to.min(self.words * 8);
        if from >= to {
            return Ok(Prefault::Populated);
        }
        match self.map.advise_range(advice, from, to - from) {
            Ok(()) => Ok(Prefault::Populated),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.touch(from, to, touch);
                Ok(Prefault::Touched)
            }
            Err(error) => Err(error),
        }
    }

    fn touch(&self, from: usize, to: usize, touch: impl Fn(&AtomicU64)) {
        let words_of_page = super::format::PAGE_BYTES / 8;
        self.words().iter().take(to / 8).skip(from / 8).step_by(words_of_page).for_each(touch);
    }

    /// Waits until a byte range is on the disk. Nobody stores into its whole pages any more, so they are taken out of the map, all at once. Page by page the
    /// kernel would write-protect each that it writes, and interrupt every core that runs a thread of this process for it (`TLB shootdowns` in `/proc/interrupts`): a
    /// pipeline that spins on its cores some eight thousand times for 32 MiB. Whoever reads them has them back from the page cache.
    pub(crate) fn flush(&self, from: usize, to: usize) -> io::Result<()> {
        let page = super::format::PAGE_BYTES;
        let (first, end) = (from / page * page, to.min(self.words * 8) / page * page);
        if first < end {
            // Also pages that `mlockall` holds (since Linux 5.18); elsewhere they stay, and cost what they cost.
            let _ = self
                .unmap(first, end, Advice::LinuxDontneedLocked)
                .or_else(|_| self.unmap(first, end, Advice::LinuxDontNeed));
        }
        self.map.flush_range(from, to.saturating_sub(from))
    }

    /// Takes whole pages out of the map.
    fn unmap(&self, first: usize, end: usize, advice: Advice) -> rustix::io::Result<()> {
        let start = self.map.as_mut_ptr().wrapping_add(first).cast();
        // SAFETY: `first..end` are whole pages of the map (`flush`, the only caller). It is a shared map of a file, so either advice takes nothing but the page table's
        // entries: what was stored is in the page cache, where the next access finds it. See madvise(2), MADV_DONTNEED.
        unsafe { rustix::mm::madvise(start, end - first, advice) }
    }
}

/// Stores what is there.
fn rewrite(word: &AtomicU64) {
    word.fetch_or(0, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn touching_pages_changes_no_bit_and_both_ways_leave_the_memory_writable() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 * 4096).unwrap();
        let mapping = Mapping::new(&file, 4 * 4096).unwrap();
        for (index, word) in mapping.words().iter().enumerate() {
            word.store(index as u64, Ordering::Relaxed);
        }
        mapping.load(0, usize::MAX).unwrap();
        mapping.touch(0, 4 * 4096, rewrite);
        mapping.prefault(5000, usize::MAX).unwrap();
        for (index, word) in mapping.words().iter().enumerate() {
            assert_eq!(word.load(Ordering::Relaxed), index as u64);
        }
        mapping.flush(0, 4 * 4096).unwrap();
        assert_eq!(mapping.words().len(), 2048);
    }

    #[test]
    fn what_was_flushed_is_out_of_the_map_but_for_the_page_of_the_writer_and_reads_as_before() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8 * 4096).unwrap();
        let mapping = Mapping::new(&file, 8 * 4096).unwrap();
        for (index, word) in mapping.words().iter().enumerate() {
            word.store(index as u64, Ordering::Relaxed);
        }
        // proc_pid_pagemap(5): bit 63 of a page's entry says that it is mapped.
        let is_mapped = || -> Vec<bool> {
            let mut entries = [0u64; 8];
            let pagemap = File::open("/proc/self/pagemap").unwrap();
            let at = mapping.map.as_ptr() as u64 / 4096 * 8;
            pagemap.read_exact_at(bytemuck::bytes_of_mut(&mut entries), at).unwrap();
            entries.iter().map(|entry| entry >> 63 == 1).collect()
        };
        assert_eq!(is_mapped(), [true; 8]);
        mapping.flush(4096 + 100, 5 * 4096 + 1).unwrap();
        assert_eq!(is_mapped(), [true, false, false, false, false, true, true, true]);
        for (index, word) in mapping.words().iter().enumerate() {
            assert_eq!(word.load(Ordering::Relaxed), index as u64);
        }
    }
}
