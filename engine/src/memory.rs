//! Memory as the hot path wants it: [`Table`]s on huge pages, and lines fetched before they are needed. One of the modules with unsafe code.
//!
//! A book's tables are read at random places. With pages of 4 KiB most such reads miss the TLB too, and inside a virtual machine a page walk costs more
//! than the cache miss itself; with pages of 2 MiB a handful of entries covers everything.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Length and alignment of a huge page on x86-64, and on AArch64 with 4 KiB granules.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// From here on a table begins at a huge page and asks for more of them.
const HUGE_FROM_BYTES: usize = 512 << 10;

/// A cache line.
const LINE_BYTES: usize = 64;

/// A slice of fixed length in memory of its own, all of it touched: on huge pages if it is large and the kernel gives them
/// (`/sys/kernel/mm/transparent_hugepage/enabled` is `madvise` or `always`), and beginning at a cache line in any case.
#[derive(Debug)]
pub(crate) struct Table<T> {
    start: NonNull<T>,
    count: usize,
    layout: Layout,
}

impl<T: Copy> Table<T> {
    /// `count` copies of a value.
    ///
    /// Ends the process, as every allocation does, if there is no such memory or `count` elements do not fit the address space.
    pub(crate) fn new(count: usize, value: T) -> Self {
        let bytes = count.saturating_mul(size_of::<T>()).max(1);
        let is_huge = bytes >= HUGE_FROM_BYTES;
        let align = if is_huge { HUGE_PAGE_BYTES } else { LINE_BYTES.max(align_of::<T>()) };
        let Ok(layout) = Layout::from_size_align(bytes, align).map(|layout| layout.pad_to_align()) else {
            handle_alloc_error(Layout::new::<T>())
        };
        // SAFETY: the layout's size is at least 1.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start.cast::<T>()) else { handle_alloc_error(layout) };
        if is_huge {
            advise_huge(start.cast(), layout.size());
        }
        for index in 0..count {
            // SAFETY: `index` is below `count`, for which the layout has room.
            let to = unsafe { start.add(index) };
            // SAFETY: within the allocation, aligned (the layout's alignment is at least T's), and nobody else's.
            unsafe { to.write(value) };
        }
        Self { start, count, layout }
    }
}

/// Returns when everything read before is in this core's hands: a stamp taken after it does not count the way that a line from another core is still on.
#[inline]
pub(crate) fn await_reads() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64; the instruction touches no memory.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    }
}

/// Asks for huge pages. Where there are none the table works all the same.
fn advise_huge(start: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::mm::{Advice, madvise};
        // SAFETY: the range is this allocation, page-aligned at both ends; the advice changes no content.
        let _ = unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, bytes);
}

impl<T> Deref for Table<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `new` has written `count` elements there, and they stay as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl<T> DerefMut for Table<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and `self` is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.count) }
    }
}

impl<T> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout. The elements are `Copy` (`new`), so none has a drop of its own.
        unsafe { dealloc(self.start.as_ptr().cast(), self.layout) }
    }
}

// SAFETY: a table owns its elements as a `Vec` does.
unsafe impl<T: Send> Send for Table<T> {}

// SAFETY: as for `Send`; a shared table gives out shared references only.
unsafe impl<T: Sync> Sync for Table<T> {}

/// Asks for the line in which `at` begins. Waits for nothing, changes nothing.
#[inline(always)]
pub(crate) fn prefetch<T>(at: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64, and a prefetch of any address has no effect that a program can see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(at).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Asks for the lines of the element that lies `ahead` elements behind `at`, to write them: another core that has read them gives them up now, not when the
/// write waits for it. Waits for nothing, changes nothing; there need be no such element.
#[inline(always)]
pub(crate) fn prefetch_write<T>(at: *const T, ahead: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        let element = at.wrapping_add(ahead).cast::<u8>();
        for line in (0..size_of::<T>()).step_by(LINE_BYTES) {
            let line = element.wrapping_add(line);
            // As an instruction: the compiler makes a plain prefetch of it, as the oldest x86-64 processors do nothing at `prefetchw`.
            // SAFETY: a prefetch of any address has no effect that a program can see.
            unsafe {
                std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags, readonly))
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, ahead);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_what_is_written_into_it_small_or_huge() {
        for count in [0, 1, 1_000, 700_000] {
            let mut table = Table::new(count, 7u64);
            assert_eq!(table.len(), count);
            assert!(table.iter().all(|value| *value == 7));
            for (index, value) in table.iter_mut().enumerate() {
                *value = index as u64;
                prefetch(value);
                prefetch_write(value, count);
            }
            assert!(table.iter().enumerate().all(|(index, value)| *value == index as u64));
            assert_eq!(table.as_ptr().align_offset(LINE_BYTES), 0);
        }
    }

    #[test]
    fn a_large_table_begins_at_a_huge_page_and_an_over_aligned_element_is_aligned() {
        #[repr(align(256))]
        #[derive(Clone, Copy)]
        struct Wide([u8; 256]);
        let large = Table::new(HUGE_FROM_BYTES / 8, 0u64);
        assert_eq!(large.as_ptr().align_offset(HUGE_PAGE_BYTES), 0);
        let wide = Table::new(3, Wide([1; 256]));
        assert!(wide.iter().all(|element| element.0.iter().all(|byte| *byte == 1)));
        assert_eq!(wide.as_ptr().align_offset(256), 0);
    }
}
