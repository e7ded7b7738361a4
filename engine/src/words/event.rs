//! [`Event`]: what a frame means, in 64 bytes. Every frame gives at least one; the last one of a frame is marked, so
//! that stages know when a group is complete.

use super::{
    id::{InstrumentId, Symbol},
    number::{Price, Qty},
    time::Nanos,
};
use bytemuck::{Pod, Zeroable};

/// Buy or sell; of a book level: bid or ask.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Side {
    /// Buy; bid.
    Buy = 1,
    /// Sell; ask.
    Sell = 2,
}

impl Side {
    /// The other one.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// +1 for a buy, −1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }

    /// From its number; 0 (unknown) and everything else is `None`.
    pub const fn from_number(number: u8) -> Option<Side> {
        match number {
            1 => Some(Side::Buy),
            2 => Some(Side::Sell),
            _ => None,
        }
    }
}

/// What happened. The comment says what the fields `price`, `qty`, `a`, `b` and `side` hold; those not named are 0.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum EventKind {
    /// The frame means nothing to the books (an acknowledgement, a message type without effect). `a`: the protocol's
    /// message type. Counted, never silent.
    Ignored = 1,
    /// An instrument was learnt; text and lot by [`Event::definition`].
    Definition = 2,
    /// L3: an order came to rest at the back of its level. `a` order reference, `side`, `price`, `qty`.
    OrderAdd = 3,
    /// L3: a resting order was executed at its own price. `a` reference, `qty` executed, `b` match number.
    OrderExecute = 4,
    /// L3: a resting order was executed at another price. As `OrderExecute`, with `price`.
    OrderExecuteAt = 5,
    /// L3: a resting order lost `qty` (its place in the queue is kept). `a` reference.
    OrderReduce = 6,
    /// L3: a resting order is gone. `a` reference.
    OrderDelete = 7,
    /// L3: order `a` is gone, order `b` came to rest with `price`, `qty` on the same side at the back of its level.
    OrderReplace = 8,
    /// L2: the level `price` of `side` now holds `qty`; 0 removes it. `a` update id.
    LevelSet = 9,
    /// L2: both sides are empty; a snapshot follows in this group. `a` update id.
    BookClear = 10,
    /// A trade that does not change the book. `price`, `qty`, `side` of the aggressor (0 unknown), `a` trade id,
    /// `b` protocol's kind of trade.
    Trade = 11,
    /// The venue's own statement of its best bid (`side` buy) or offer: `price`, `qty`, `a` update id. Does not change the
    /// book; what a book can be checked against.
    Quote = 12,
    /// The state of the instrument (or of all of the source) changed. `a`: a [`MarketStatus`].
    Status = 13,
    /// Updates are missing. `a` expected, `b` found sequence number. The instrument is quarantined until resynced.
    Gap = 14,
    /// An update came that was already applied or is older than the snapshot; nothing changed. `a` its sequence number.
    Duplicate = 15,
    /// The message cannot be read. `a` a [`DecodeError`] number, `b` byte offset.
    Malformed = 16,
    /// A venue's report; the slot's payload holds the [`Report`](crate::words::Report).
    Report = 17,
    /// A timer tick. `a`: its number.
    Timer = 18,
    /// An operator's command; the slot's payload holds the [`Command`](crate::words::Command).
    Operator = 19,
    /// Recovered state; the slot's payload holds the [`RecoveredRecord`](crate::words::RecoveredRecord).
    Recovery = 20,
    /// The link to the source came up (`a` = 1) or went down (`a` = 0).
    Link = 21,
}

impl EventKind {
    /// Every kind, in the order of its number.
    pub const EVERY: [EventKind; 21] = [
        EventKind::Ignored,
        EventKind::Definition,
        EventKind::OrderAdd,
        EventKind::OrderExecute,
        EventKind::OrderExecuteAt,
        EventKind::OrderReduce,
        EventKind::OrderDelete,
        EventKind::OrderReplace,
        EventKind::LevelSet,
        EventKind::BookClear,
        EventKind::Trade,
        EventKind::Quote,
        EventKind::Status,
        EventKind::Gap,
        EventKind::Duplicate,
        EventKind::Malformed,
        EventKind::Report,
        EventKind::Timer,
        EventKind::Operator,
        EventKind::Recovery,
        EventKind::Link,
    ];
}

/// State of an instrument as the feed tells it. The `a` of [`EventKind::Status`].
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum MarketStatus {
    /// Continuous trading.
    Trading = 1,
    /// Halted by the venue or the regulator.
    Halted = 2,
    /// Paused (volatility, auction to come).
    Paused = 3,
    /// Quotation only: orders rest, nothing matches.
    QuoteOnly = 4,
    /// The market or session is over.
    Closed = 5,
    /// Our data is not to be trusted: updates are missing, resync under way.
    Quarantined = 6,
    /// Resynced: our data is whole again.
    Resynced = 7,
}

impl MarketStatus {
    /// From the `a` of a status event.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Trading),
            2 => Some(Self::Halted),
            3 => Some(Self::Paused),
            4 => Some(Self::QuoteOnly),
            5 => Some(Self::Closed),
            6 => Some(Self::Quarantined),
            7 => Some(Self::Resynced),
            _ => None,
        }
    }
}

/// Why a message could not be read. The `a` of [`EventKind::Malformed`].
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DecodeError {
    /// Shorter than its type demands.
    Truncated = 1,
    /// Longer than its type allows.
    TooLong = 2,
    /// A message type the protocol does not have.
    UnknownType = 3,
    /// A field holds a value outside of its set.
    BadField = 4,
    /// A number is not exactly representable in our scale, or not a whole number of lots.
    BadNumber = 5,
    /// Not the syntax of the protocol (JSON).
    Syntax = 6,
    /// The table of instruments is full.
    TooManyInstruments = 7,
    /// More events than [`EVENTS_PER_MESSAGE_MAX`](crate::normalizer::EVENTS_PER_MESSAGE_MAX), or a message over the maximum size.
    TooLarge = 8,
    /// Names an instrument that was neither configured nor learnt.
    UnknownInstrument = 9,
}

/// One thing that happened. 64 bytes: one cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Event {
    /// The frame it came from (the last one of a chain).
    pub frame: u64,
    /// Receive time of that frame.
    pub receive_time: Nanos,
    /// The venue's own time of it; `Nanos::ZERO` where the protocol has none.
    pub venue_time: Nanos,
    /// See [`EventKind`].
    pub price: Price,
    /// See [`EventKind`].
    pub qty: Qty,
    /// See [`EventKind`].
    pub a: u64,
    /// See [`EventKind`].
    pub b: u64,
    /// Whom it concerns.
    pub instrument: InstrumentId,
    /// An [`EventKind`].
    pub kind_number: u8,
    /// A [`Side`], or 0.
    pub side_number: u8,
    /// The flags below.
    pub flags: u16,
}

const _: () = assert!(size_of::<Event>() == 64);

impl Event {
    /// Last event of its frame. Every frame has exactly one.
    pub const END_OF_FRAME: u16 = 1;
    /// Last event of its frame for this instrument: the book is whole again and its view is written.
    pub const END_OF_GROUP: u16 = 2;
    /// An execution that the venue counts in its volume (ITCH printable).
    pub const PRINTABLE: u16 = 4;
    /// Part of a snapshot.
    pub const SNAPSHOT: u16 = 8;

    /// An event of this kind about this instrument, all else zero.
    #[inline]
    pub fn new(kind: EventKind, instrument: InstrumentId) -> Self {
        Self { kind_number: kind as u8, instrument, ..Self::default() }
    }

    /// What happened. A slot that was never written reads as [`EventKind::Ignored`].
    #[inline]
    pub fn kind(&self) -> EventKind {
        match EventKind::EVERY.get(usize::from(self.kind_number).wrapping_sub(1)) {
            Some(kind) => *kind,
            None => EventKind::Ignored,
        }
    }

    /// Its side, if it has one.
    #[inline]
    pub fn side(&self) -> Option<Side> {
        Side::from_number(self.side_number)
    }

    /// Whether all of these flags are set.
    #[inline]
    pub fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    /// An [`EventKind::Definition`]: symbol in `price`, `qty` and `a`; in `b` the lot's exponent and the decimals.
    pub fn new_definition(instrument: InstrumentId, definition: &Definition) -> Self {
        let bytes = definition.symbol.bytes();
        let word = |at: usize| {
            let mut eight = [0u8; 8];
            for (to, from) in eight.iter_mut().zip(bytes.iter().skip(at)) {
                *to = *from;
            }
            u64::from_le_bytes(eight)
        };
        Self {
            price: Price::from_nanos(word(0) as i64),
            qty: Qty::from_lots(word(8) as i64),
            a: word(16),
            b: u64::from(definition.lot_decimals)
                | u64::from(definition.price_decimals) << 8
                | u64::from(definition.qty_decimals) << 16,
            ..Self::new(EventKind::Definition, instrument)
        }
    }

    /// What a [`EventKind::Definition`] says.
    pub fn definition(&self) -> Definition {
        let mut bytes = [0u8; 24];
        let words = [self.price.nanos() as u64, self.qty.lots() as u64, self.a];
        for (to, from) in bytes.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())) {
            *to = from;
        }
        Definition {
            symbol: Symbol::from_stored(bytes),
            lot_decimals: self.b as u8,
            price_decimals: (self.b >> 8) as u8,
            qty_decimals: (self.b >> 16) as u8,
        }
    }
}

/// An instrument learnt from a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Definition {
    /// The venue's symbol.
    pub symbol: Symbol,
    /// The lot is `10^-lot_decimals` of the venue's quantity unit, 0–9.
    pub lot_decimals: u8,
    /// Decimal places of prices, for display.
    pub price_decimals: u8,
    /// Decimal places of quantities, for display.
    pub qty_decimals: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_keeps_its_number() {
        for (index, kind) in EventKind::EVERY.into_iter().enumerate() {
            assert_eq!(kind as usize, index + 1);
            assert_eq!(Event::new(kind, InstrumentId::ALL).kind(), kind);
        }
    }

    #[test]
    fn a_definition_survives_its_event() {
        let definition = Definition {
            symbol: Symbol::new("ABCDEFGHIJKLMNOPQRSTUVWX").unwrap(),
            lot_decimals: 3,
            price_decimals: 2,
            qty_decimals: 8,
        };
        assert_eq!(Event::new_definition(InstrumentId::new(7), &definition).definition(), definition);
    }
}
