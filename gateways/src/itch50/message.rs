//! Every message of the protocol, field by field at its offset, and [`Message`], which tells them apart.
//!
//! A struct lies over the bytes of its message from offset 1 on; offset 0 is the type, which the enum says. Sizes and offsets below are
//! the specification's and are held against the layout when this file is compiled.

use super::wire::{Be16, Be32, Be48, Be64, Mpid, Price4, Price8, Stock};
use bytemuck::{Pod, Zeroable};
use spinward_engine::words::DecodeError;
use std::mem::offset_of;

/// Bytes 1–10 of every message.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Head {
    /// Offset 1. The security's code for this day; 0 for messages about none.
    pub locate: Be16,
    /// Offset 3. Nasdaq's internal tracking number.
    pub tracking: Be16,
    /// Offset 5. Nanoseconds since midnight, New York.
    pub timestamp: Be48,
}

/// Why bytes are not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// Shorter than its type demands.
    #[error("message has {found} bytes, its type demands {needed}")]
    Truncated {
        /// Bytes of the type.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Longer than its type allows.
    #[error("message has {found} bytes, its type allows {needed}")]
    TooLong {
        /// Bytes of the type.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The protocol has no such type.
    #[error("no message type {0:#04x}")]
    UnknownType(u8),
}

impl ParseError {
    #[cold]
    pub(super) const fn of_length(found: usize, needed: usize) -> Self {
        if found < needed { Self::Truncated { needed, found } } else { Self::TooLong { needed, found } }
    }

    /// In the engine's words.
    pub const fn decode_error(self) -> DecodeError {
        match self {
            Self::Truncated { .. } => DecodeError::Truncated,
            Self::TooLong { .. } => DecodeError::TooLong,
            Self::UnknownType(_) => DecodeError::UnknownType,
        }
    }

    /// Where the bytes stop being a message.
    pub const fn offset(self) -> usize {
        match self {
            Self::Truncated { found, .. } => found,
            Self::TooLong { needed, .. } => needed,
            Self::UnknownType(_) => 0,
        }
    }
}

macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident = $kind:literal, $bytes:literal {
            $( $(#[$field_doc:meta])* $offset:literal $field:ident: $type:ty, )*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
            pub struct $name {
                /// Offset 1. Locate code, tracking number, time.
                pub head: Head,
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $name {
                /// The letter at offset 0.
                pub const TYPE: u8 = $kind;
                /// Length of the message, the letter included.
                pub const BYTES: usize = $bytes;
            }

            const _: () = {
                assert!(size_of::<$name>() + 1 == $bytes && align_of::<$name>() == 1);
                $( assert!(offset_of!($name, $field) + 1 == $offset); )*
            };
        )*

        /// One message: what its type letter says, and its fields where they lie.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Message<'a> {
            $( $(#[$doc])* $name(&'a $name), )*
        }

        /// Every message type with its length, in the order of the specification.
        pub const MESSAGE_TYPES: &[(u8, usize)] = &[$(($kind, $bytes)),*];

        impl<'a> Message<'a> {
            /// Reads one whole message in place. What a field says is not judged here.
            ///
            /// # Errors
            /// The type is none of the protocol's, or the length is not the type's.
            #[inline]
            pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
                let Some((kind, fields)) = bytes.split_first() else {
                    return Err(ParseError::Truncated { needed: 1, found: 0 });
                };
                match *kind {
                    $( $kind => match bytemuck::try_from_bytes(fields) {
                        Ok(message) => Ok(Self::$name(message)),
                        Err(_) => Err(ParseError::of_length(bytes.len(), $bytes)),
                    }, )*
                    unknown => Err(ParseError::UnknownType(unknown)),
                }
            }

            /// Its type letter.
            pub const fn kind(&self) -> u8 {
                match self { $( Self::$name(_) => $kind, )* }
            }

            /// What every message begins with.
            pub const fn head(&self) -> &'a Head {
                match self { $( Self::$name(message) => &message.head, )* }
            }

            /// The bytes after the type letter.
            fn fields(&self) -> &'a [u8] {
                match *self { $( Self::$name(message) => bytemuck::bytes_of(message), )* }
            }
        }

        $(
            impl<'a> From<&'a $name> for Message<'a> {
                fn from(message: &'a $name) -> Self {
                    Self::$name(message)
                }
            }
        )*
    };
}

impl<'a> Message<'a> {
    /// Writes the message to the front of `out` and says how many bytes it took. 0 if `out` is too small (50 bytes are always
    /// enough): nothing is written then.
    #[inline]
    pub fn encode(&self, out: &mut [u8]) -> usize {
        let fields = self.fields();
        let bytes = fields.len() + 1;
        match out.get_mut(..bytes).and_then(<[u8]>::split_first_mut) {
            Some((kind, rest)) => {
                *kind = self.kind();
                rest.copy_from_slice(fields);
                bytes
            }
            None => 0,
        }
    }

    /// The security's symbol, where the message carries it.
    pub const fn stock(&self) -> Option<&'a Stock> {
        match self {
            Self::StockDirectory(message) => Some(&message.stock),
            Self::TradingAction(message) => Some(&message.stock),
            Self::RegSho(message) => Some(&message.stock),
            Self::ParticipantPosition(message) => Some(&message.stock),
            Self::QuotingPeriod(message) => Some(&message.stock),
            Self::LuldCollar(message) => Some(&message.stock),
            Self::OperationalHalt(message) => Some(&message.stock),
            Self::AddOrder(message) => Some(&message.stock),
            Self::AddOrderAttributed(message) => Some(&message.stock),
            Self::Trade(message) => Some(&message.stock),
            Self::CrossTrade(message) => Some(&message.stock),
            Self::Imbalance(message) => Some(&message.stock),
            Self::RetailInterest(message) => Some(&message.stock),
            Self::DirectListing(message) => Some(&message.stock),
            Self::SystemEvent(_)
            | Self::MwcbLevels(_)
            | Self::MwcbStatus(_)
            | Self::OrderExecuted(_)
            | Self::OrderExecutedAtPrice(_)
            | Self::OrderCancel(_)
            | Self::OrderDelete(_)
            | Self::OrderReplace(_)
            | Self::BrokenTrade(_) => None,
        }
    }
}

messages! {
    /// System Event, §1.1.
    SystemEvent = b'S', 12 {
        /// Offset 11. A [`SystemEventCode`](super::SystemEventCode).
        11 event: u8,
    }

    /// Stock Directory, §1.2.1: one for each security, at the start of the day.
    StockDirectory = b'R', 39 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. Listing market: `Q` Global Select, `G` Global Market, `S` Capital Market, `N` NYSE, `A` NYSE American, `P` Arca,
        /// `Z` BATS, `V` IEX, space none.
        19 market_category: u8,
        /// Offset 20. Deficient `D`, delinquent `E`, bankrupt `Q`, suspended `S` and their combinations `G H J K`, `C` creations
        /// suspended, `N` normal, space not available.
        20 financial_status: u8,
        /// Offset 21. Shares of a round lot.
        21 round_lot_size: Be32,
        /// Offset 25. `Y` only round lots, `N` odd and mixed lots too.
        25 round_lots_only: u8,
        /// Offset 26. Security class (appendix).
        26 issue_classification: u8,
        /// Offset 27. Security sub-type (appendix).
        27 issue_subtype: [u8; 2],
        /// Offset 29. `P` live, `T` test symbol.
        29 authenticity: u8,
        /// Offset 30. Rule 203(b)(3): `Y` restricted, `N` not, space not available.
        30 short_sale_threshold: u8,
        /// Offset 31. `Y` a new IPO security, `N` not, space not available.
        31 ipo_flag: u8,
        /// Offset 32. Limit up/limit down tier: `1`, `2`, space not available.
        32 luld_tier: u8,
        /// Offset 33. `Y` exchange traded product, `N` not, space not available.
        33 etp_flag: u8,
        /// Offset 34. Leverage factor of an ETP, 1 for none.
        34 etp_leverage: Be32,
        /// Offset 38. `Y` an inverse ETP, `N` not.
        38 inverse: u8,
    }

    /// Stock Trading Action, §1.2.2.
    TradingAction = b'H', 25 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. A [`TradingStateCode`](super::TradingStateCode).
        19 state: u8,
        /// Offset 20. Reserved.
        20 reserved: u8,
        /// Offset 21. Why (appendix), `T1`, `LUDP`, `M1`, …
        21 reason: Mpid,
    }

    /// Reg SHO Short Sale Price Test Restricted Indicator, §1.2.3.
    RegSho = b'Y', 20 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. `0` no price test, `1` in effect since an intra-day drop, `2` remains in effect.
        19 action: u8,
    }

    /// Market Participant Position, §1.2.4.
    ParticipantPosition = b'L', 26 {
        /// Offset 11. The participant.
        11 mpid: Mpid,
        /// Offset 15. Symbol.
        15 stock: Stock,
        /// Offset 23. `Y` a primary market maker, `N` not.
        23 primary: u8,
        /// Offset 24. `N` normal, `P` passive, `S` syndicate, `R` pre-syndicate, `L` penalty.
        24 mode: u8,
        /// Offset 25. `A` active, `E` excused, `W` withdrawn, `S` suspended, `D` deleted.
        25 state: u8,
    }

    /// Market-Wide Circuit Breaker Decline Levels, §1.2.5.1.
    MwcbLevels = b'V', 35 {
        /// Offset 11. S&P 500 value of level 1.
        11 level_1: Price8,
        /// Offset 19. Of level 2.
        19 level_2: Price8,
        /// Offset 27. Of level 3.
        27 level_3: Price8,
    }

    /// Market-Wide Circuit Breaker Status, §1.2.5.2.
    MwcbStatus = b'W', 12 {
        /// Offset 11. The level breached, `1`, `2` or `3`.
        11 breached: u8,
    }

    /// Quoting Period Update of an IPO, §1.2.6.
    QuotingPeriod = b'K', 28 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. When quotation is released, seconds since midnight; 0 if cancelled.
        19 release_time: Be32,
        /// Offset 23. `A` anticipated, `C` cancelled or postponed.
        23 qualifier: u8,
        /// Offset 24. The IPO's price.
        24 price: Price4,
    }

    /// Limit Up/Limit Down Auction Collar, §1.2.7.
    LuldCollar = b'J', 35 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. Reference price of the collar.
        19 reference: Price4,
        /// Offset 23. Upper collar.
        23 upper: Price4,
        /// Offset 27. Lower collar.
        27 lower: Price4,
        /// Offset 31. How often it was extended.
        31 extension: Be32,
    }

    /// Operational Halt, §1.2.8: service on one security is interrupted at one market center.
    OperationalHalt = b'h', 21 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. `Q` Nasdaq, `B` BX, `X` PSX.
        19 market: u8,
        /// Offset 20. `H` halted, `T` resumed.
        20 action: u8,
    }

    /// Add Order without attribution, §1.3.1.
    AddOrder = b'A', 36 {
        /// Offset 11. Reference number, unique for the day.
        11 reference: Be64,
        /// Offset 19. `B` buy, `S` sell.
        19 side: u8,
        /// Offset 20. Shares displayed.
        20 shares: Be32,
        /// Offset 24. Symbol.
        24 stock: Stock,
        /// Offset 32. Price displayed.
        32 price: Price4,
    }

    /// Add Order with attribution, §1.3.2.
    AddOrderAttributed = b'F', 40 {
        /// Offset 11. Reference number, unique for the day.
        11 reference: Be64,
        /// Offset 19. `B` buy, `S` sell.
        19 side: u8,
        /// Offset 20. Shares displayed.
        20 shares: Be32,
        /// Offset 24. Symbol.
        24 stock: Stock,
        /// Offset 32. Price displayed.
        32 price: Price4,
        /// Offset 36. Who entered it.
        36 attribution: Mpid,
    }

    /// Order Executed at its own price, §1.4.1. Several may come for one order: shares add up.
    OrderExecuted = b'E', 31 {
        /// Offset 11. The resting order.
        11 reference: Be64,
        /// Offset 19. Shares executed now.
        19 shares: Be32,
        /// Offset 23. Match number, unique for the day.
        23 match_number: Be64,
    }

    /// Order Executed With Price, §1.4.2.
    OrderExecutedAtPrice = b'C', 36 {
        /// Offset 11. The resting order.
        11 reference: Be64,
        /// Offset 19. Shares executed now.
        19 shares: Be32,
        /// Offset 23. Match number, unique for the day.
        23 match_number: Be64,
        /// Offset 31. `Y` counts in volume, `N` does not (a cross trade reports it in bulk).
        31 printable: u8,
        /// Offset 32. Price of the execution.
        32 price: Price4,
    }

    /// Order Cancel, §1.4.3: part of the order is gone.
    OrderCancel = b'X', 23 {
        /// Offset 11. The resting order.
        11 reference: Be64,
        /// Offset 19. Shares taken from it.
        19 shares: Be32,
    }

    /// Order Delete, §1.4.4.
    OrderDelete = b'D', 19 {
        /// Offset 11. The order.
        11 reference: Be64,
    }

    /// Order Replace, §1.4.5: side, stock and attribution stay, the place in the queue is lost.
    OrderReplace = b'U', 35 {
        /// Offset 11. The order that is gone.
        11 original: Be64,
        /// Offset 19. Its successor.
        19 reference: Be64,
        /// Offset 27. Shares displayed.
        27 shares: Be32,
        /// Offset 31. Price displayed.
        31 price: Price4,
    }

    /// Trade (not a cross), §1.5.1: a match against an order that was not displayed.
    Trade = b'P', 44 {
        /// Offset 11. The resting order; 0 since December 2010.
        11 reference: Be64,
        /// Offset 19. Side of the resting order; always `B` since July 2014.
        19 side: u8,
        /// Offset 20. Shares.
        20 shares: Be32,
        /// Offset 24. Symbol.
        24 stock: Stock,
        /// Offset 32. Price.
        32 price: Price4,
        /// Offset 36. Match number, unique for the day.
        36 match_number: Be64,
    }

    /// Cross Trade, §1.5.2: all of a cross in bulk; no shares if nothing matched.
    CrossTrade = b'Q', 40 {
        /// Offset 11. Shares.
        11 shares: Be64,
        /// Offset 19. Symbol.
        19 stock: Stock,
        /// Offset 27. Price.
        27 price: Price4,
        /// Offset 31. Match number, unique for the day.
        31 match_number: Be64,
        /// Offset 39. `O` opening, `C` closing, `H` IPO or after a halt, `I` intraday and post-close.
        39 cross_type: u8,
    }

    /// Broken Trade, §1.5.3: an execution is void. The book does not change.
    BrokenTrade = b'B', 19 {
        /// Offset 11. The match number of the execution.
        11 match_number: Be64,
    }

    /// Net Order Imbalance Indicator, §1.6.
    Imbalance = b'I', 50 {
        /// Offset 11. Shares that pair off at the reference price.
        11 paired_shares: Be64,
        /// Offset 19. Shares that do not.
        19 imbalance_shares: Be64,
        /// Offset 27. `B` buy, `S` sell, `N` none, `O` not enough orders, `P` paused.
        27 direction: u8,
        /// Offset 28. Symbol.
        28 stock: Stock,
        /// Offset 36. Clearing price of the cross orders alone.
        36 far_price: Price4,
        /// Offset 40. Clearing price with the continuous book.
        40 near_price: Price4,
        /// Offset 44. The price that this imbalance is computed at.
        44 reference_price: Price4,
        /// Offset 48. `O` opening, `C` closing, `H` IPO or halt, `A` extended hours close.
        48 cross_type: u8,
        /// Offset 49. Distance of the near price from the reference: `L` under 1 %, `1`–`9`, `A`–`C`, space none.
        49 price_variation: u8,
    }

    /// Retail Price Improvement Indicator, §1.7.
    RetailInterest = b'N', 20 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. `B` on the bid, `S` on the offer, `A` on both, `N` none.
        19 interest: u8,
    }

    /// Direct Listing with Capital Raise Price Discovery, §1.8.
    DirectListing = b'O', 48 {
        /// Offset 11. Symbol.
        11 stock: Stock,
        /// Offset 19. `Y` eligible to be released for trading, `N` not.
        19 eligibility: u8,
        /// Offset 20. 20 % below the lower price of the registration.
        20 minimum_price: Price4,
        /// Offset 24. 80 % above its upper price.
        24 maximum_price: Price4,
        /// Offset 28. Reference price when the volatility test passed.
        28 near_price: Price4,
        /// Offset 32. When that was. The specification names no unit.
        32 near_time: Be64,
        /// Offset 40. Lower end of the price range collar.
        40 lower_collar: Price4,
        /// Offset 44. Upper end.
        44 upper_collar: Price4,
    }
}

#[cfg(test)]
mod tests;
