//! Every message, field by field at its offset, and the two enums that tell them apart.
//!
//! A struct lies over the bytes of its message from offset 1 to its appendage; offset 0 is the type, which the enum says. Sizes and offsets are
//! the specification's and are held against the layout when this file is compiled.

use super::appendage::{Appendage, AppendageError};
use super::field::{ClOrdId, OuchPrice};
use crate::itch50::{Be16, Be32, Be64, Mpid, Stock};
use bytemuck::{Pod, Zeroable};
use std::mem::offset_of;

/// Why bytes are not a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    /// Shorter than its type demands.
    #[error("message has {found} bytes, its type demands {needed}")]
    Truncated {
        /// Least bytes of the type.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The protocol has no such type in this direction.
    #[error("no message type {0:#04x}")]
    UnknownType(u8),
    /// What follows the fixed part is no appendage.
    #[error("appendage: {0}")]
    Appendage(#[from] AppendageError),
}

/// Whether a message may end without the length of an appendage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// The length is always there.
    Required,
    /// The length and the appendage may be left out together.
    Optional,
}

macro_rules! messages {
    ($(#[$enum_doc:meta])* $enum:ident, $(#[$types_doc:meta])* $types:ident: $(
        $(#[$doc:meta])*
        $name:ident = $kind:literal, $bytes:literal, $tail:ident {
            $( $(#[$field_doc:meta])* $offset:literal $field:ident: $type:ty, )*
        }
    )*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
            pub struct $name {
                $( $(#[$field_doc])* pub $field: $type, )*
            }

            impl $name {
                /// The letter at offset 0.
                pub const TYPE: u8 = $kind;
                /// Length of the message without its appendage, the letter included.
                pub const BYTES: usize = $bytes;
            }

            const _: () = {
                assert!(size_of::<$name>() + 1 == $bytes && align_of::<$name>() == 1);
                assert!($bytes <= super::FIXED_BYTES_MAX);
                $( assert!(offset_of!($name, $field) + 1 == $offset); )*
            };

            impl<'a> From<&'a $name> for $enum<'a> {
                fn from(message: &'a $name) -> Self {
                    Self::$name(message)
                }
            }
        )*

        $(#[$enum_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $enum<'a> {
            $( $(#[$doc])* $name(&'a $name), )*
        }

        $(#[$types_doc])*
        pub const $types: &[(u8, usize)] = &[$(($kind, $bytes)),*];

        impl<'a> $enum<'a> {
            /// Reads one whole message in place. What a field says is not judged here; the appendage is checked for its form.
            ///
            /// # Errors
            /// [`ParseError`].
            #[inline]
            pub fn parse(bytes: &'a [u8]) -> Result<(Self, Appendage<'a>), ParseError> {
                let Some((kind, rest)) = bytes.split_first() else {
                    return Err(ParseError::Truncated { needed: 1, found: 0 });
                };
                match *kind {
                    $( $kind => {
                        let (fields, rest, appendage) = split(rest, $bytes - 1, Tail::$tail)?;
                        let Ok(message) = bytemuck::try_from_bytes(fields) else {
                            return Err(ParseError::Truncated { needed: $bytes, found: rest });
                        };
                        Ok((Self::$name(message), appendage))
                    } )*
                    unknown => Err(ParseError::UnknownType(unknown)),
                }
            }

            /// Its type letter.
            pub const fn kind(&self) -> u8 {
                match self { $( Self::$name(_) => $kind, )* }
            }

            /// The bytes between the type letter and the appendage.
            fn fields(&self) -> &'a [u8] {
                match *self { $( Self::$name(message) => bytemuck::bytes_of(message), )* }
            }

            const fn tail(&self) -> Tail {
                match self { $( Self::$name(_) => Tail::$tail, )* }
            }

            /// Writes the message to the front of `out` and says how many bytes it took. 0 if `out` is too small: nothing is written then. A
            /// message that always has an appendage gets one of length 0 for [`Appendage::ABSENT`].
            #[inline]
            pub fn encode(&self, appendage: Appendage<'_>, out: &mut [u8]) -> usize {
                let appendage = match self.tail() {
                    Tail::Required => appendage.or_empty(),
                    Tail::Optional => appendage,
                };
                write(self.kind(), self.fields(), appendage, out)
            }
        }
    };
}

/// The fixed part, all the bytes there are, and what follows.
#[inline]
fn split(rest: &[u8], fixed: usize, tail: Tail) -> Result<(&[u8], usize, Appendage<'_>), ParseError> {
    let found = rest.len() + 1;
    let Some((fields, after)) = rest.split_at_checked(fixed) else {
        let length = if tail == Tail::Required { 2 } else { 0 };
        return Err(ParseError::Truncated { needed: fixed + 1 + length, found });
    };
    if after.is_empty() && tail == Tail::Required {
        return Err(ParseError::Truncated { needed: fixed + 3, found });
    }
    Ok((fields, found, Appendage::parse(after)?))
}

#[inline]
fn write(kind: u8, fields: &[u8], appendage: Appendage<'_>, out: &mut [u8]) -> usize {
    let fixed = 1 + fields.len();
    let total = fixed + appendage.wire_bytes();
    let Some((head, tail)) = out.get_mut(..total).and_then(|out| out.split_at_mut_checked(fixed)) else {
        return 0;
    };
    if let Some((first, rest)) = head.split_first_mut() {
        *first = kind;
        rest.copy_from_slice(fields);
    }
    appendage.write(tail);
    total
}

messages! {
    /// What a firm sends. All may be sent again without harm: the venue acts once.
    Inbound,
    /// Every inbound type with its length without an appendage.
    INBOUND_TYPES:

    /// Enter Order.
    EnterOrder = b'O', 45, Required {
        /// Offset 1. The firm's number for this order: day-unique and growing ([`super::UserRefNumbers`]).
        1 user_ref: Be32,
        /// Offset 5. [`super::SideCode`].
        5 side: u8,
        /// Offset 6. Shares, 1 to 999,999.
        6 quantity: Be32,
        /// Offset 10.
        10 symbol: Stock,
        /// Offset 18.
        18 price: OuchPrice,
        /// Offset 26. [`super::TimeInForce`].
        26 time_in_force: u8,
        /// Offset 27. [`super::Display`].
        27 display: u8,
        /// Offset 28. [`super::Capacity`].
        28 capacity: u8,
        /// Offset 29. `Y`: intermarket sweep; `N`: not.
        29 sweep: u8,
        /// Offset 30. [`super::CrossType`].
        30 cross_type: u8,
        /// Offset 31.
        31 cl_ord_id: ClOrdId,
    }

    /// Replace Order: cancels one and enters another in its place; what the other does not say is the first's.
    ReplaceOrder = b'U', 38, Required {
        /// Offset 1. The order to replace.
        1 original: Be32,
        /// Offset 5. The new order's number.
        5 user_ref: Be32,
        /// Offset 9. Shares that the chain is to have in all, those executed included.
        9 quantity: Be32,
        /// Offset 13.
        13 price: OuchPrice,
        /// Offset 21. [`super::TimeInForce`].
        21 time_in_force: u8,
        /// Offset 22. [`super::Display`].
        22 display: u8,
        /// Offset 23. `Y`: intermarket sweep; `N`: not.
        23 sweep: u8,
        /// Offset 24.
        24 cl_ord_id: ClOrdId,
    }

    /// Cancel Order.
    CancelOrder = b'X', 9, Optional {
        /// Offset 1.
        1 user_ref: Be32,
        /// Offset 5. Shares that the order is to be reduced to; 0 cancels all.
        5 quantity: Be32,
    }

    /// Modify Order: another sell side or fewer shares, keeping the place in the queue.
    ModifyOrder = b'M', 10, Optional {
        /// Offset 1.
        1 user_ref: Be32,
        /// Offset 5. [`super::SideCode`]: sells may change among themselves.
        5 side: u8,
        /// Offset 6. Shares that the order is to have in all.
        6 quantity: Be32,
    }

    /// Mass Cancel: all orders of a firm in a symbol.
    MassCancel = b'C', 17, Optional {
        /// Offset 1. A number of its own.
        1 user_ref: Be32,
        /// Offset 5.
        5 firm: Mpid,
        /// Offset 9. Blank: all symbols.
        9 symbol: Stock,
    }

    /// Disable Order Entry: no new orders of the firm on this account.
    DisableOrderEntry = b'D', 9, Optional {
        /// Offset 1. A number of its own.
        1 user_ref: Be32,
        /// Offset 5.
        5 firm: Mpid,
    }

    /// Enable Order Entry.
    EnableOrderEntry = b'E', 9, Optional {
        /// Offset 1. A number of its own.
        1 user_ref: Be32,
        /// Offset 5.
        5 firm: Mpid,
    }

    /// Account Query: which number comes next?
    AccountQuery = b'Q', 1, Optional {}
}

messages! {
    /// What the venue answers.
    Outbound,
    /// Every outbound type with its length without an appendage.
    OUTBOUND_TYPES:

    /// System Event.
    SystemEvent = b'S', 10, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9. [`super::EventCode`].
        9 event: u8,
    }

    /// Order Accepted. What is accepted may differ from what was entered, never to the firm's harm.
    Accepted = b'A', 62, Required {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. [`super::SideCode`].
        13 side: u8,
        /// Offset 14. Shares.
        14 quantity: Be32,
        /// Offset 18.
        18 symbol: Stock,
        /// Offset 26.
        26 price: OuchPrice,
        /// Offset 34. [`super::TimeInForce`].
        34 time_in_force: u8,
        /// Offset 35. [`super::Display`].
        35 display: u8,
        /// Offset 36. The order's number in the market data.
        36 reference: Be64,
        /// Offset 44. [`super::Capacity`].
        44 capacity: u8,
        /// Offset 45. `Y`: intermarket sweep; `N`: not.
        45 sweep: u8,
        /// Offset 46. [`super::CrossType`].
        46 cross_type: u8,
        /// Offset 47. [`super::OrderState`]: dead orders get no further message.
        47 state: u8,
        /// Offset 48.
        48 cl_ord_id: ClOrdId,
    }

    /// Order Replaced.
    Replaced = b'U', 66, Required {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9. The order that is gone.
        9 original: Be32,
        /// Offset 13. The order in its place.
        13 user_ref: Be32,
        /// Offset 17. [`super::SideCode`].
        17 side: u8,
        /// Offset 18. Shares outstanding.
        18 quantity: Be32,
        /// Offset 22.
        22 symbol: Stock,
        /// Offset 30.
        30 price: OuchPrice,
        /// Offset 38. [`super::TimeInForce`].
        38 time_in_force: u8,
        /// Offset 39. [`super::Display`].
        39 display: u8,
        /// Offset 40. The new order's number in the market data.
        40 reference: Be64,
        /// Offset 48. [`super::Capacity`].
        48 capacity: u8,
        /// Offset 49. `Y`: intermarket sweep; `N`: not.
        49 sweep: u8,
        /// Offset 50. [`super::CrossType`].
        50 cross_type: u8,
        /// Offset 51. [`super::OrderState`].
        51 state: u8,
        /// Offset 52.
        52 cl_ord_id: ClOrdId,
    }

    /// Order Canceled: all or some of it.
    Canceled = b'C', 18, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. Shares that were taken off.
        13 quantity: Be32,
        /// Offset 17. [`super::CancelReason`].
        17 reason: u8,
    }

    /// AIQ Canceled: taken off to prevent a trade with oneself.
    AiqCanceled = b'D', 32, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. Shares that were taken off.
        13 decrement: Be32,
        /// Offset 17. `Q`, [`super::CancelReason::SelfMatchPrevention`].
        17 reason: u8,
        /// Offset 18. Shares that would have been executed.
        18 prevented: Be32,
        /// Offset 22. At what price.
        22 price: OuchPrice,
        /// Offset 30. [`super::LiquidityFlag`] that the execution would have had.
        30 liquidity: u8,
        /// Offset 31. [`super::AiqStrategy`].
        31 strategy: u8,
    }

    /// Order Executed.
    Executed = b'E', 34, Required {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. Shares.
        13 quantity: Be32,
        /// Offset 17.
        17 price: OuchPrice,
        /// Offset 25. [`super::LiquidityFlag`].
        25 liquidity: u8,
        /// Offset 26. Number of the match, the same for both sides and in the market data.
        26 match_number: Be64,
    }

    /// Broken Trade: an execution that does not count any more.
    BrokenTrade = b'B', 36, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13.
        13 match_number: Be64,
        /// Offset 21. [`super::BrokenTradeReason`].
        21 reason: u8,
        /// Offset 22.
        22 cl_ord_id: ClOrdId,
    }

    /// Trade Correction, in the first edition only: another price for an execution.
    TradeCorrection = b'F', 49, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. Shares.
        13 quantity: Be32,
        /// Offset 17. The new price.
        17 price: OuchPrice,
        /// Offset 25. [`super::LiquidityFlag`].
        25 liquidity: u8,
        /// Offset 26.
        26 match_number: Be64,
        /// Offset 34. `N`: adjusted to the net asset value.
        34 reason: u8,
        /// Offset 35.
        35 cl_ord_id: ClOrdId,
    }

    /// Rejected Order. The number is used up.
    Rejected = b'J', 29, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. [`super::RejectReason`].
        13 reason: Be16,
        /// Offset 15.
        15 cl_ord_id: ClOrdId,
    }

    /// Cancel Pending: an order for a cross that is canceled after it.
    CancelPending = b'P', 13, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
    }

    /// Cancel Reject: an order for a cross that cannot be reduced now.
    CancelReject = b'I', 13, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
    }

    /// Order Priority Update: the system changed the order's price, display or number.
    PriorityUpdate = b'T', 30, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13.
        13 price: OuchPrice,
        /// Offset 21. [`super::Display`].
        21 display: u8,
        /// Offset 22. The order's new number in the market data.
        22 reference: Be64,
    }

    /// Order Modified.
    Modified = b'M', 18, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. [`super::SideCode`].
        13 side: u8,
        /// Offset 14. Shares outstanding.
        14 quantity: Be32,
    }

    /// Order Restated; what is new is in the appendage.
    Restated = b'R', 14, Required {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13. [`super::RestatedReason`].
        13 reason: u8,
    }

    /// Mass Cancel Response; a Canceled for each order follows.
    MassCancelResponse = b'X', 25, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13.
        13 firm: Mpid,
        /// Offset 17.
        17 symbol: Stock,
    }

    /// Disable Order Entry Response.
    DisableOrderEntryResponse = b'G', 17, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13.
        13 firm: Mpid,
    }

    /// Enable Order Entry Response.
    EnableOrderEntryResponse = b'K', 17, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9.
        9 user_ref: Be32,
        /// Offset 13.
        13 firm: Mpid,
    }

    /// Account Query Response.
    AccountQueryResponse = b'Q', 13, Optional {
        /// Offset 1. Nanoseconds since midnight, New York.
        1 timestamp: Be64,
        /// Offset 9. The smallest number that is free, with all above it.
        9 next_user_ref: Be32,
    }
}

#[cfg(test)]
mod tests;
