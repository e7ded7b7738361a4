//! Counters that one thread writes and any thread reads: no locked instruction, no false sharing.
//!
//! A stage keeps its counters in a struct of its own, `#[repr(align(128))]`, inside an `Arc`; it is the only writer. What they
//! are called outside stands in one table (`tools/src/metrics/table.rs`).

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only grows. One writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds `count`. Only the owning thread may: a plain load and store, not a locked add.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Reads from any thread.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down. One writer.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// Sets it. Only the owning thread may.
    #[inline]
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Reads from any thread.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
