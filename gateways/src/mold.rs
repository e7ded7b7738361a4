//! MoldUDP64: a numbered stream of messages in UDP packets, sent once to many, with a server to ask for what was lost.
//!
//! Enters: packets of line A, line B and the retransmission server, and the time. Leaves: every message once and in order, requests to send,
//! and gaps that nobody could fill, as actions given to a closure. Never: a socket, a clock, a look into the messages, an allocation
//! after construction.
//!
//! Source: Nasdaq "MoldUDP64 Protocol Specification" 1.00 (2009).
//!
//! ```text
//!  line A ──┐              ┌─ next in order ──────────────────────────▶ Message (then what waited behind it)
//!  line B ──┼─▶ Receiver ──┼─ behind ─▶ dropped, counted
//!  answers ─┘              └─ ahead ──▶ window, and a gap before it:
//!             Waiting (the other line may have it) ─▶ Requested, n times ─▶ Lost: told, and the stream goes on behind it
//! ```

mod packet;
mod builder;
mod window;
mod receiver;

pub use builder::{MESSAGE_BYTES_MAX, MessageTooLong, PAYLOAD_BYTES_MAX, PacketBuilder};
pub use packet::{Blocks, Downstream, END_OF_SESSION, HEADER_BYTES, Header, Kind, PacketError, Session};
pub use receiver::{
    Line, Receiver, ReceiverAction, ReceiverConfig, ReceiverConfigError, ReceiverCounters, RequestConfig,
};
