//! NASDAQ OUCH 5.0: order entry. Typed messages to bytes and back, both ways: what a firm sends ([`Inbound`]) and what the venue
//! answers ([`Outbound`]).
//!
//! Enters: one message, the payload of an unsequenced (inbound) or sequenced (outbound) packet of SoupBinTCP. Leaves: a view of those bytes
//! without a copy, and the [`Appendage`] behind it. Never: a socket, a clock, an allocation, a judgement of what a field says.
//!
//! Source: "OUCH 5.0", Nasdaq, in the edition with Mass Cancel and Disable/Enable Order Entry (2023) and all before it; the Trade Correction
//! of the first edition is read too. Real packets (2023, 2024) leave out the appendage and its length in Cancel Order and Canceled, newer ones
//! have a length of 0 there: both are read, and written back as they were.

mod field;
mod message;
mod code;
mod appendage;
mod numbering;

pub use appendage::{Appendage, AppendageError, AppendageWriter, Element, Elements, Option50};
pub use code::{
    AiqStrategy, BrokenTradeReason, CancelReason, Capacity, CrossType, CustomerType, Display, EventCode,
    LiquidityFlag, OrderState, PostOnly, PriceType, RejectReason, RestatedReason, SideCode, TimeInForce,
};
pub use field::{ClOrdId, OuchPrice, SignedPrice};
pub use message::{
    Accepted, AccountQuery, AccountQueryResponse, AiqCanceled, BrokenTrade, CancelOrder, CancelPending,
    CancelReject, Canceled, DisableOrderEntry, DisableOrderEntryResponse, EnableOrderEntry,
    EnableOrderEntryResponse, EnterOrder, Executed, INBOUND_TYPES, Inbound, MassCancel, MassCancelResponse,
    Modified, ModifyOrder, OUTBOUND_TYPES, Outbound, ParseError, PriorityUpdate, Rejected, ReplaceOrder,
    Replaced, Restated, SystemEvent, TradeCorrection,
};
pub use numbering::{Admission, UserRefGate, UserRefNum, UserRefNumbers};

/// Bytes of the longest message without its appendage (`U`, Replaced).
pub const FIXED_BYTES_MAX: usize = 66;

/// Bytes that hold every message with an appendage that [`AppendageWriter`] made.
pub const MESSAGE_BYTES_MAX: usize = FIXED_BYTES_MAX + 2 + appendage::APPENDAGE_BYTES_MAX;
