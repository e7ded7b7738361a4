//! [`Notice`]: what a numbered feed has to say besides its messages, as messages of the same stream: so it stands in the journal at its place, and a
//! replay hears of it where the session did.
//!
//! A notice begins with a byte below 0x20, which no message of ITCH does, and two numbers follow, big-endian. [`NoticeDecoder`] turns it into
//! events and gives everything else to the decoder of the feed.

use crate::itch50::Itch50Decoder;
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
    /// A snapshot follows, message by message. Events: every book is quarantined, every known one emptied.
    SnapshotBegin,
    /// The snapshot is whole, and says what the stream said before `next`. Events: every book is released.
    SnapshotEnd {
        /// The first message that it does not include.
        next: u64,
    },
    /// No more messages of this session. Events: one `Ignored`.
    EndOfSession {
        /// Messages of the session + 1.
        next: u64,
    },
    /// What was lost has something about this symbol. Events: its book is quarantined by itself.
    Concerned {
        /// Its stock locate.
        locate: u16,
    },
    /// What was lost has nothing about symbols that are not `Concerned` since: their books are as good as before. Events: each is released.
    Unconcerned {
        /// The first message after what was lost.
        next: u64,
    },
    /// The part of a snapshot about this symbol follows, then what the stream said of it since. Events: its book is quarantined and emptied.
    SymbolBegin {
        /// Its stock locate.
        locate: u16,
    },
    /// The symbol's book is whole. Events: it is released.
    SymbolEnd {
        /// Its stock locate.
        locate: u16,
        /// The first message of the stream that the snapshot did not include.
        next: u64,
    },
}

/// A decoder that knows the instruments of stock locates.
pub trait Located: Decoder {
    /// The instrument of a locate, if one is known.
    fn located(&self, locate: u16) -> Option<InstrumentId>;
}

impl Located for Itch50Decoder {
    fn located(&self, locate: u16) -> Option<InstrumentId> {
        Itch50Decoder::located(self, locate)
    }
}

/// Instruments that can be told apart while some are concerned by a loss; one with a number beyond stays quarantined until a whole snapshot.
const INSTRUMENTS_MAX: usize = 1 << 16;

impl Notice {
    /// As it stands in the stream.
    pub fn encode(&self) -> [u8; NOTICE_BYTES] {
        let (kind, a, b) = match *self {
            Self::Lost { first, next } => (1, first, next),
            Self::Malformed { line } => (2, u64::from(line), 0),
            Self::SnapshotBegin => (3, 0, 0),
            Self::SnapshotEnd { next } => (4, next, 0),
            Self::EndOfSession { next } => (5, next, 0),
            Self::Concerned { locate } => (6, u64::from(locate), 0),
            Self::Unconcerned { next } => (7, next, 0),
            Self::SymbolBegin { locate } => (8, u64::from(locate), 0),
            Self::SymbolEnd { locate, next } => (9, u64::from(locate), next),
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
            6 => Some(Self::Concerned { locate: u16::try_from(a).ok()? }),
            7 => Some(Self::Unconcerned { next: a }),
            8 => Some(Self::SymbolBegin { locate: u16::try_from(a).ok()? }),
            9 => Some(Self::SymbolEnd { locate: u16::try_from(a).ok()?, next: b }),
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
    /// By instrument: the last loss has something about it, and no snapshot since.
    concerned: Box<[bool; INSTRUMENTS_MAX]>,
}

impl<D: Located> NoticeDecoder<D> {
    /// `source` is the one whose instruments a snapshot tells anew.
    pub fn new(messages: D, source: SourceId) -> Self {
        Self { messages, source, is_snapshot: false, concerned: Box::new([false; INSTRUMENTS_MAX]) }
    }

    /// The instrument of a stock locate, if one is known.
    pub fn located(&self, locate: u16) -> Option<InstrumentId> {
        self.messages.located(locate)
    }

    fn set_concerned(&mut self, instrument: InstrumentId, is_concerned: bool) {
        if let Some(concerned) = self.concerned.get_mut(instrument.index()) {
            *concerned = is_concerned;
        }
    }

    #[cold]
    fn notice(&mut self, bytes: &[u8], instruments: &InstrumentTable, out: &mut EventBatch) {
        let of_all = |kind| Event::new(kind, InstrumentId::ALL);
        let status = |instrument, status: MarketStatus| Event {
            a: status as u64,
            flags: Event::END_OF_GROUP,
            ..Event::new(EventKind::Status, instrument)
        };
        let source = self.source;
        let known = || instruments.iter().filter(|instrument| instrument.source == source);
        match Notice::parse(bytes) {
            Some(Notice::Lost { first, next }) => {
                self.concerned.fill(false);
                out.push(Event { a: first, b: next, ..of_all(EventKind::Gap) });
            }
            Some(Notice::Malformed { line }) => {
                out.push_malformed(InstrumentId::ALL, DecodeError::Truncated, usize::from(line));
            }
            Some(Notice::SnapshotBegin) => {
                self.is_snapshot = true;
                // Also those that the snapshot will be the first to tell of: a book that is half told is none.
                out.push(status(InstrumentId::ALL, MarketStatus::Quarantined));
                for instrument in known() {
                    let clear = Event::new(EventKind::BookClear, instrument.id);
                    out.push(Event { flags: Event::END_OF_GROUP, ..clear });
                }
            }
            Some(Notice::SnapshotEnd { .. }) => {
                self.is_snapshot = false;
                self.concerned.fill(false);
                // First those that nobody has heard of yet, then each that has a state of its own since the snapshot's beginning.
                out.push(status(InstrumentId::ALL, MarketStatus::Resynced));
                for instrument in known() {
                    out.push(status(instrument.id, MarketStatus::Resynced));
                }
            }
            Some(Notice::Concerned { locate }) => match self.messages.located(locate) {
                Some(instrument) => {
                    self.set_concerned(instrument, true);
                    out.push(status(instrument, MarketStatus::Quarantined));
                }
                // Nobody has heard of it: it has no book that could be wrong.
                None => out.push(Event { a: u64::from(locate), ..of_all(EventKind::Ignored) }),
            },
            Some(Notice::Unconcerned { .. }) => {
                // Releasing all takes every book's own state away: risk trusts none before its next view, and those concerned have it at once.
                out.push(status(InstrumentId::ALL, MarketStatus::Resynced));
                let is_concerned =
                    |index: usize| self.concerned.get(index).is_none_or(|concerned| *concerned);
                for (wanted, told) in [(true, MarketStatus::Quarantined), (false, MarketStatus::Resynced)] {
                    for instrument in known() {
                        if is_concerned(instrument.id.index()) == wanted {
                            out.push(status(instrument.id, told));
                        }
                    }
                }
            }
            Some(Notice::SymbolBegin { locate }) => {
                self.is_snapshot = true;
                match self.messages.located(locate) {
                    Some(instrument) => {
                        let clear = Event::new(EventKind::BookClear, instrument);
                        out.push(Event { flags: Event::END_OF_GROUP, ..clear });
                    }
                    None => out.push(Event { a: u64::from(locate), ..of_all(EventKind::Ignored) }),
                }
            }
            Some(Notice::SymbolEnd { locate, .. }) => {
                self.is_snapshot = false;
                match self.messages.located(locate) {
                    Some(instrument) => {
                        self.set_concerned(instrument, false);
                        out.push(status(instrument, MarketStatus::Resynced));
                    }
                    None => out.push(Event { a: u64::from(locate), ..of_all(EventKind::Ignored) }),
                }
            }
            Some(Notice::EndOfSession { next }) => {
                out.push(Event { a: next, ..of_all(EventKind::Ignored) });
            }
            None => out.push_malformed(InstrumentId::ALL, DecodeError::UnknownType, 0),
        }
    }
}

impl<D: Located> Decoder for NoticeDecoder<D> {
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
        let Self { messages, source: _, is_snapshot, concerned } = self;
        state.bool(*is_snapshot);
        let places = || concerned.iter().enumerate().filter(|(_, is_concerned)| **is_concerned);
        state.count(places().count());
        places().for_each(|(place, _)| state.count(place));
        messages.save(state);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.is_snapshot = state.bool()?;
        state.list(INSTRUMENTS_MAX, |state| {
            let place = state.count(INSTRUMENTS_MAX - 1)?;
            self.concerned.get_mut(place).into_iter().for_each(|concerned| *concerned = true);
            Ok(())
        })?;
        self.messages.load(state)
    }
}

#[cfg(test)]
mod tests;
