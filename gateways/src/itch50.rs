//! NASDAQ TotalView-ITCH 5.0: the venue's bytes to typed messages and back, and to the engine's events.
//!
//! Enters: one message, without the framing of its file or packet. Leaves: [`Message`], a view of those bytes without a copy, and through
//! [`Itch50Decoder`] the events of the session. Never: a socket, a clock, a sequence number (those belong to MoldUDP64 and
//! SoupBinTCP, which carry the messages).
//!
//! Sections and offsets are those of "Nasdaq TotalView-ITCH 5.0", Nasdaq, in the edition that has the messages `O` (2021) and all before
//! it. Every message type is here; each has exactly one length, so a message of another length is an error and never read.

mod wire;
mod message;
mod code;
mod directory;
mod decoder;

pub use code::{SystemEventCode, TradingStateCode};
pub use decoder::{Itch50Config, Itch50Decoder};
pub use message::{
    AddOrder, AddOrderAttributed, BrokenTrade, CrossTrade, DirectListing, Head, Imbalance, LuldCollar,
    MESSAGE_TYPES, Message, MwcbLevels, MwcbStatus, OperationalHalt, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedAtPrice, OrderReplace, ParseError, ParticipantPosition, QuotingPeriod, RegSho,
    RetailInterest, StockDirectory, SystemEvent, Trade, TradingAction,
};
pub use wire::{Be16, Be32, Be48, Be64, Mpid, Price4, Price8, Stock};

/// Bytes of the longest message (`I`).
pub const MESSAGE_BYTES_MAX: usize = 50;

/// The stock locate of a message (offset 1 of every type); 0, which is no symbol's, for what is too short.
#[inline]
pub fn locate(message: &[u8]) -> u16 {
    let bytes = message.get(1..).and_then(|rest| rest.first_chunk::<2>());
    bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
}
