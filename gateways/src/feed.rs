//! [`MarketFeed`]: recorded or generated market data, message by message, in the order of receive time.

mod waits;

pub use waits::Waits;

use crate::mold::ReceiverCounters;
use spinward_engine::counters::Gauge;
use spinward_engine::pipeline::CoreReport;
use spinward_engine::words::Nanos;
use std::sync::Arc;

/// One message of a feed.
#[derive(Clone, Copy, Debug)]
pub struct FeedMessage<'a> {
    /// When it was received; never decreases from one message to the next.
    pub receive_time: Nanos,
    /// The venue's bytes, without the framing of the file.
    pub bytes: &'a [u8],
}

/// Why a feed cannot go on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}")]
pub struct FeedError {
    /// What is wrong, where (file, offset or line), and what to do.
    pub what: String,
}

/// What [`MarketFeed::peek`] finds.
#[derive(Debug)]
pub enum Peek<'a> {
    /// The next message; the same until [`MarketFeed::advance`].
    Message(FeedMessage<'a>),
    /// Not read from the disk yet; ask again.
    NotYet,
    /// There is no more.
    End,
    /// It cannot go on; the same answer from now on.
    Failed(&'a FeedError),
}

/// Market data that is polled: never blocks, never allocates after construction. What must be read from a disk is read by a thread of the feed's
/// own; sockets are read in place and never wait.
pub trait MarketFeed: Send {
    /// The next message.
    fn peek(&mut self) -> Peek<'_>;

    /// Goes on to the message after it.
    fn advance(&mut self);

    /// Whether [`MarketFeed::peek`] will find a message without looking anywhere for it: no system call. False is always allowed.
    fn has_message(&self) -> bool {
        false
    }

    /// The thread that receives for it, if it has one on a core of its own.
    fn core(&self) -> Option<CoreReport> {
        None
    }

    /// What the receiver of its stream counts, if it has one.
    fn stream(&self) -> Option<Arc<StreamCounters>> {
        None
    }
}

/// What the receiver of a numbered stream counts, for other threads to read.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct StreamCounters {
    /// Packets by line: A, B, retransmission.
    pub packets: [Gauge; 3],
    /// Messages that the other line had brought before, by line.
    pub duplicates: [Gauge; 3],
    /// Packets that could not be read.
    pub malformed: Gauge,
    /// Packets of another session, or with a number that cannot be.
    pub foreign: Gauge,
    /// Gaps that came up.
    pub gaps: Gauge,
    /// Requests for a retransmission.
    pub requests: Gauge,
    /// Messages that never came.
    pub lost: Gauge,
    /// Snapshots that were fetched whole.
    pub snapshots: Gauge,
    /// Times that the receiver's thread had no room to hand messages over, and stopped reading until it had.
    pub handover_full: Gauge,
    /// Packets that the kernel dropped because the socket's buffer was full, by line: A, B.
    pub kernel_drops: [Gauge; 2],
    /// From the kernel's receipt of a packet to ours, of lines A and B. Empty where the kernel stamps nothing.
    pub kernel_waits: Waits,
}

impl StreamCounters {
    /// Takes over what the receiver has counted.
    pub fn show(&self, counters: &ReceiverCounters) {
        let shown = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (gauge, value) in self.packets.iter().zip(counters.packets) {
            gauge.set(shown(value));
        }
        for (gauge, value) in self.duplicates.iter().zip(counters.duplicates) {
            gauge.set(shown(value));
        }
        self.malformed.set(shown(counters.malformed.iter().sum()));
        self.foreign.set(shown(counters.foreign.saturating_add(counters.implausible)));
        self.gaps.set(shown(counters.gaps));
        self.requests.set(shown(counters.requests));
        self.lost.set(shown(counters.lost));
    }

    /// Packets that the kernel dropped, of all lines.
    pub fn kernel_drops(&self) -> u64 {
        let drops: i64 = self.kernel_drops.iter().map(Gauge::value).sum();
        u64::try_from(drops).unwrap_or(0)
    }
}
