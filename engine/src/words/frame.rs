//! [`Frame`]: the only way into the engine. A numbered slot of the ingress ring, and one record of the journal.

use super::{id::SourceId, time::Nanos, time::Ticks};
use bytemuck::{Pod, Zeroable};

/// Payload bytes of one frame. Longer messages are chained over consecutive frames.
pub const FRAME_PAYLOAD_BYTES: usize = 96;

/// The longest message that frames carry (a Binance snapshot of 5,000 levels a side has 0.4 MB).
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What a frame carries.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FrameKind {
    /// Bytes of a market data feed, one whole message (over one or more chained frames).
    Market = 1,
    /// A [`Report`](crate::words::Report) of the venue, or of risk about its own verdict.
    Report = 2,
    /// A timer tick; no payload.
    Timer = 3,
    /// An operator's [`Command`](crate::words::Command).
    Operator = 4,
    /// A [`RecoveredRecord`](crate::words::RecoveredRecord): state carried over from an earlier session.
    Recovery = 5,
    /// The connection to the source came up, payload empty.
    LinkUp = 6,
    /// The connection to the source was lost, payload empty.
    LinkDown = 7,
}

impl FrameKind {
    /// Every kind, in the order of its number.
    pub const EVERY: [FrameKind; 7] = [
        FrameKind::Market,
        FrameKind::Report,
        FrameKind::Timer,
        FrameKind::Operator,
        FrameKind::Recovery,
        FrameKind::LinkUp,
        FrameKind::LinkDown,
    ];

    /// From its number on disk.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// The first 32 bytes of a [`Frame`].
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct FrameHeader {
    /// Number of the frame in its session: from 1, without a hole.
    pub sequence: u64,
    /// When it was received (live), or the time it has in the simulation. Never decreases within a session.
    pub receive_time: Nanos,
    /// Stamp for latency: the intended send time where the load is paced, else the time of receipt. Not journaled.
    pub stamp: Ticks,
    /// Who sent it.
    pub source: SourceId,
    /// A [`FrameKind`].
    pub kind: u8,
    /// [`FrameHeader::MORE`] or 0.
    pub flags: u16,
    /// Payload bytes in use, 0–96.
    pub bytes: u16,
    /// Zero.
    pub reserved: u16,
}

impl FrameHeader {
    /// The message goes on in the next frame.
    pub const MORE: u16 = 1;

    /// Whether the message goes on in the next frame.
    #[inline]
    pub fn has_more(&self) -> bool {
        self.flags & Self::MORE != 0
    }
}

/// One slot of the ingress ring: 128 bytes, two cache lines.
#[repr(C, align(128))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Who, what, when, how much.
    pub header: FrameHeader,
    /// The bytes; only the first `header.bytes` count.
    pub payload: [u8; FRAME_PAYLOAD_BYTES],
}

const _: () = assert!(size_of::<FrameHeader>() == 32 && size_of::<Frame>() == 128);

impl Frame {
    /// A blank slot.
    pub const fn vacant() -> Self {
        Self {
            header: FrameHeader {
                sequence: 0,
                receive_time: Nanos::ZERO,
                stamp: 0,
                source: SourceId::new(0),
                kind: 0,
                flags: 0,
                bytes: 0,
                reserved: 0,
            },
            payload: [0; FRAME_PAYLOAD_BYTES],
        }
    }

    /// The bytes in use.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.payload.get(..usize::from(self.header.bytes)).unwrap_or(&self.payload)
    }
}

/// A message on its way into frames: what a [`Driver`](crate::pipeline::Driver) gives to the sequencer.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Who sent it.
    pub source: SourceId,
    /// What it is.
    pub kind: FrameKind,
    /// When it was received.
    pub receive_time: Nanos,
    /// Stamp for latency; 0 lets the sequencer stamp it.
    pub stamp: Ticks,
    /// At most [`MESSAGE_BYTES_MAX`].
    pub bytes: &'a [u8],
}
