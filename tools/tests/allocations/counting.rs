//! [`Counting`]: the system's allocator, counting what each thread asks of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// Threads that can be counted apart; those beyond share the last slot, whose thread then is the first of them.
const SLOTS: usize = 1_024;

struct Slot {
    thread: AtomicI32,
    calls: AtomicU64,
}

static COUNTS: [Slot; SLOTS] =
    [const { Slot { thread: AtomicI32::new(0), calls: AtomicU64::new(0) } }; SLOTS];
static USED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // Const, without a destructor: reading it does not allocate.
    static MINE: Cell<Option<&'static Slot>> = const { Cell::new(None) };
}

/// Counts a call of this thread.
fn count() {
    // A thread whose locals are gone no longer runs code of ours.
    let _ = MINE.try_with(|mine| {
        let slot = mine.get().unwrap_or_else(|| {
            let slot = &COUNTS[USED.fetch_add(1, Ordering::Relaxed).min(SLOTS - 1)];
            slot.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
            mine.set(Some(slot));
            slot
        });
        slot.calls.fetch_add(1, Ordering::Relaxed);
    });
}

/// See the module.
pub(crate) struct Counting;

// SAFETY: every method is the system allocator's, which keeps the contract; counting touches no memory that is handed out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc_zeroed`'s contract, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `realloc`'s contract, which is the same; the memory is the system's.
        unsafe { System.realloc(pointer, layout, bytes) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Giving back is as slow and as shared as taking.
        count();
        // SAFETY: the caller keeps `dealloc`'s contract, which is the same; the memory is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Calls (allocations, reallocations and deallocations) so far of each living thread whose name begins so.
pub(crate) fn calls_of(name: &str) -> BTreeMap<(String, i32), u64> {
    let mut calls = BTreeMap::new();
    for entry in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = entry.unwrap().path();
        // A thread may end between the listing and this.
        let Ok(comm) = std::fs::read_to_string(path.join("comm")) else { continue };
        let thread: i32 = path.file_name().and_then(|name| name.to_str()).unwrap().parse().unwrap();
        if comm.starts_with(name) {
            // Numbers of ended threads can be given anew; the newest slot counts. None: it never asked for anything.
            let slot = COUNTS.iter().rev().find(|slot| slot.thread.load(Ordering::Relaxed) == thread);
            let count = slot.map_or(0, |slot| slot.calls.load(Ordering::Relaxed));
            calls.insert((comm.trim_end().to_owned(), thread), count);
        }
    }
    calls
}
