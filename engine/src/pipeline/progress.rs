//! How far each part has got: the only words between cores beside the rings.

use crossbeam_utils::CachePadded;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Positions in the sequence of frames, each with one writer, in a cache line of its own.
#[derive(Debug, Default)]
pub struct Progress {
    done: CachePadded<AtomicU64>,
    journaled: CachePadded<AtomicU64>,
    recorded: CachePadded<AtomicU64>,
    sequenced: CachePadded<AtomicU64>,
    tapped: CachePadded<AtomicU64>,
    stop: CachePadded<AtomicBool>,
    failed: CachePadded<AtomicBool>,
}

impl Progress {
    /// Last frame that risk has finished; all it sent is in the egress ring.
    #[inline]
    pub fn done(&self) -> u64 {
        // SYNC POINT: done (reader: sequencer). Acquire: what risk sent before is seen by the egress poller afterwards.
        self.done.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn set_done(&self, frame: u64) {
        // SYNC POINT: done (writer: risk agent)
        self.done.store(frame, Ordering::Release);
    }

    /// Last frame that is in the journal, as safely as an order needs before it leaves.
    #[inline]
    pub fn journaled(&self) -> u64 {
        // SYNC POINT: journaled (reader: sequencer)
        self.journaled.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn set_journaled(&self, frame: u64) {
        // SYNC POINT: journaled (writer: journal tap)
        self.journaled.store(frame, Ordering::Release);
    }

    /// Last frame whose decisions are as safe as an order needs before it leaves; `u64::MAX` if no order waits for that.
    #[inline]
    pub fn recorded(&self) -> u64 {
        // SYNC POINT: recorded (reader: sequencer)
        self.recorded.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn set_recorded(&self, frame: u64) {
        // SYNC POINT: recorded (writer: tap)
        self.recorded.store(frame, Ordering::Release);
    }

    /// Last frame that has entered the ingress ring.
    pub fn sequenced(&self) -> u64 {
        self.sequenced.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_sequenced(&self, frame: u64) {
        // Only shown, never a condition: relaxed. Writer: sequencer.
        self.sequenced.store(frame, Ordering::Relaxed);
    }

    /// Frame of the last event that the tap has seen.
    pub fn tapped(&self) -> u64 {
        self.tapped.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_tapped(&self, frame: u64) {
        // Only shown: relaxed. Writer: tap.
        self.tapped.store(frame, Ordering::Relaxed);
    }

    /// Asks the session to end: no more market data, reports under way are delivered, everything is drained. From any thread.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// A tap has lost its sink: no order leaves any more, and the session ends.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }
}
