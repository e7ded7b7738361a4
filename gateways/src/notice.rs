//! [`Notice`]: what a numbered feed has to say besides its messages, as messages of the same stream: so it stands in the journal at its place, and a
//! replay hears of it where the session did.
//!
//! A notice begins with a byte below 0x20, which no message of ITCH does, and two numbers follow, big-endian. [`NoticeDecoder`] turns it into
//! events and gives everything else to the decoder of the feed.

use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    DecodeError, Event, EventKind, InstrumentId, InstrumentTable, MarketStatus, SourceId,
};

/// Bytes of a notice.
pub const NOTICE_BYTES: usize = 17;

/// First bytes up to here are notices.
const KIND_MAX: u8 = 0x1f;

/// What happened to the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Messages `first` to `next` − 1 will not come: books cannot be trusted until a snapshot. Events: one `Gap` for all instruments.
    Lost {
        /// The first of them.
        first: u64,
        /// The first after them.
        next: u64,
    },
    /// A packet that could not be read, from this line. Events: one `Malformed`. What it would have said shows as `Lost` if no other line has it.
    Malformed {
        /// 0 is line A, 1 line B, 2 the retransmission server.
        line: u8,
    },
    /// A snapshot follows, message by message. Events: every known book is quarantined and emptied.
    SnapshotBegin,
    /// The snapshot is whole, and says what the stream said before `next`. Events: every known book is released.
    SnapshotEnd {
        /// The first message that it does not include.
        next: u64,
    },
    /// No more messages of this session. Events: one `Ignored`.
    EndOfSession {
        /// Messages of the session + 1.
        next: u64,
    },
}

impl Notice {
    /// As it stands in the stream.
    pub fn encode(&self) -> [u8; NOTICE_BYTES] {
        let (kind, a, b) = match *self {
            Self::Lost { first, next } => (1, first, next),
            Self::Malformed { line } => (2, u64::from(line), 0),
            Self::SnapshotBegin => (3, 0, 0),
            Self::SnapshotEnd { next } => (4, next, 0),
            Self::EndOfSession { next } => (5, next, 0),
        };
        let mut bytes = [0; NOTICE_BYTES];
        let (head, numbers) = bytes.split_at_mut(1);
        head.copy_from_slice(&[kind]);
        let (first, second) = numbers.split_at_mut(8);
        first.copy_from_slice(&a.to_be_bytes());
        second.copy_from_slice(&b.to_be_bytes());
        bytes
    }

    /// Whether these bytes of a stream are a notice, not a message of the feed.
    #[inline]
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|kind| *kind <= KIND_MAX)
    }

    /// Reads one. `None` for what no version of the journal has.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; NOTICE_BYTES] = bytes.try_into().ok()?;
        let (kind, numbers) = bytes.split_first()?;
        let (a, b) = numbers.split_first_chunk::<8>()?;
        let (a, b) = (u64::from_be_bytes(*a), u64::from_be_bytes(b.try_into().ok()?));
        match kind {
            1 => Some(Self::Lost { first: a, next: b }),
            2 => Some(Self::Malformed { line: u8::try_from(a).ok()? }),
            3 => Some(Self::SnapshotBegin),
            4 => Some(Self::SnapshotEnd { next: a }),
            5 => Some(Self::EndOfSession { next: a }),
            _ => None,
        }
    }
}

/// A decoder of messages among which notices stand.
#[derive(Debug)]
pub struct NoticeDecoder<D> {
    messages: D,
    source: SourceId,
    is_snapshot: bool,
}

impl<D: Decoder> NoticeDecoder<D> {
    /// `source` is the one whose instruments a snapshot tells anew.
    pub const fn new(messages: D, source: SourceId) -> Self {
        Self { messages, source, is_snapshot: false }
    }

    #[cold]
    fn notice(&mut self, bytes: &[u8], instruments: &InstrumentTable, out: &mut EventBatch) {
        let of_all = |kind| Event::new(kind, InstrumentId::ALL);
        let mut of_each = |event: Event| {
            for instrument in instruments.iter().filter(|instrument| instrument.source == self.source) {
                out.push(Event { instrument: instrument.id, flags: Event::END_OF_GROUP, ..event });
            }
        };
        match Notice::parse(bytes) {
            Some(Notice::Lost { first, next }) => {
                out.push(Event { a: first, b: next, ..of_all(EventKind::Gap) });
            }
            Some(Notice::Malformed { line }) => {
                out.push_malformed(InstrumentId::ALL, DecodeError::Truncated, usize::from(line));
            }
            Some(Notice::SnapshotBegin) => {
                self.is_snapshot = true;
                // A clear quarantines the book of an order feed until it is resynced.
                of_each(of_all(EventKind::BookClear));
            }
            Some(Notice::SnapshotEnd { .. }) => {
                self.is_snapshot = false;
                of_each(Event { a: MarketStatus::Resynced as u64, ..of_all(EventKind::Status) });
            }
            Some(Notice::EndOfSession { next }) => {
                out.push(Event { a: next, ..of_all(EventKind::Ignored) });
            }
            None => out.push_malformed(InstrumentId::ALL, DecodeError::UnknownType, 0),
        }
    }
}

impl<D: Decoder> Decoder for NoticeDecoder<D> {
    #[inline]
    fn decode(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) {
        if Notice::is_one(bytes) {
            return self.notice(bytes, instruments, out);
        }
        let before = out.events().len();
        self.messages.decode(meta, bytes, instruments, out);
        if self.is_snapshot {
            for event in out.events_mut().iter_mut().skip(before) {
                event.flags |= Event::SNAPSHOT;
            }
        }
    }

    fn link(
        &mut self,
        meta: &MessageMeta,
        up: bool,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) {
        self.messages.link(meta, up, instruments, out);
    }

    fn save(&self, state: &mut StateWriter) {
        let Self { messages, source: _, is_snapshot } = self;
        state.bool(*is_snapshot);
        messages.save(state);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.is_snapshot = state.bool()?;
        self.messages.load(state)
    }
}

#[cfg(test)]
mod tests;
