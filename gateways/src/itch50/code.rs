//! The one-letter codes that decide what a message means to us, as closed sets.

use spinward_engine::words::{MarketStatus, Side};

/// What a System Event (`S`, §1.1) says.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SystemEventCode {
    /// Start of messages: the first message of a day. Locate codes are given anew.
    StartOfMessages = b'O',
    /// Start of system hours (4:00): orders are accepted.
    StartOfSystemHours = b'S',
    /// Start of market hours (9:30).
    StartOfMarketHours = b'Q',
    /// End of market hours (16:00).
    EndOfMarketHours = b'M',
    /// End of system hours (20:00).
    EndOfSystemHours = b'E',
    /// End of messages: the last message of a day.
    EndOfMessages = b'C',
}

impl SystemEventCode {
    /// From its letter.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'O' => Some(Self::StartOfMessages),
            b'S' => Some(Self::StartOfSystemHours),
            b'Q' => Some(Self::StartOfMarketHours),
            b'M' => Some(Self::EndOfMarketHours),
            b'E' => Some(Self::EndOfSystemHours),
            b'C' => Some(Self::EndOfMessages),
            _ => None,
        }
    }
}

/// The state that a Stock Trading Action (`H`, §1.2.2) puts a stock in.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TradingStateCode {
    /// Halted across all U.S. markets.
    Halted = b'H',
    /// Paused across all U.S. markets (Nasdaq-listed stocks).
    Paused = b'P',
    /// Quotation only, before a halt or pause ends.
    QuoteOnly = b'Q',
    /// Trading on Nasdaq.
    Trading = b'T',
}

impl TradingStateCode {
    /// From its letter.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'H' => Some(Self::Halted),
            b'P' => Some(Self::Paused),
            b'Q' => Some(Self::QuoteOnly),
            b'T' => Some(Self::Trading),
            _ => None,
        }
    }

    /// In the engine's words.
    pub const fn status(self) -> MarketStatus {
        match self {
            Self::Halted => MarketStatus::Halted,
            Self::Paused => MarketStatus::Paused,
            Self::QuoteOnly => MarketStatus::QuoteOnly,
            Self::Trading => MarketStatus::Trading,
        }
    }
}

/// The buy/sell indicator: `B` or `S`.
#[inline]
pub(super) const fn side(byte: u8) -> Option<Side> {
    match byte {
        b'B' => Some(Side::Buy),
        b'S' => Some(Side::Sell),
        _ => None,
    }
}
