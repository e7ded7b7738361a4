//! Points in time and spans, in nanoseconds.

use bytemuck::{Pod, Zeroable};

/// A point in time: nanoseconds since the UNIX epoch (UTC). Also used for spans, where the name says so (`…_after`,
/// `latency`). Name the field by what was measured: `venue_time`, `receive_time`.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Pod, Zeroable)]
pub struct Nanos(i64);

impl Nanos {
    /// The epoch, and the span of no time. As a time stamp: not known.
    pub const ZERO: Nanos = Nanos(0);
    /// Later than everything.
    pub const MAX: Nanos = Nanos(i64::MAX);

    /// From nanoseconds.
    pub const fn new(nanos: i64) -> Self {
        Self(nanos)
    }

    /// A span of whole microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// A span of whole milliseconds, or a time in milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A span of whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// In nanoseconds.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This much later, held at the end of time.
    pub const fn after(self, span: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(span.0))
    }

    /// The span from `earlier` to here, negative if `earlier` is later.
    pub const fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A reading of the stamp clock, in its own ticks. Kept beside the data for latency; never part of a decision, never
/// journaled, never in a digest.
pub type Ticks = u64;

/// Where stamps come from. The engine is given one; it never asks the system itself.
#[derive(Clone, Debug)]
pub struct Clock {
    raw: quanta::Clock,
}

impl Clock {
    /// The calibrated time-stamp counter of this host. The first call calibrates for some milliseconds.
    pub fn new() -> Self {
        Self { raw: quanta::Clock::new() }
    }

    /// Now, in ticks.
    #[inline]
    pub fn ticks(&self) -> Ticks {
        self.raw.raw()
    }

    /// The span between two readings in nanoseconds; 0 if `end` is before `start`.
    #[inline]
    pub fn nanos_between(&self, start: Ticks, end: Ticks) -> u64 {
        self.raw.delta_as_nanos(start, end)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
