//! SoupBinTCP: a login, a numbered stream from server to client that survives the connection, and heartbeats.
//!
//! Enters: bytes of the TCP stream and the time. Leaves: bytes to send and what happened, as actions given to a closure. Never: a
//! socket, a clock, a look into the payloads, an allocation after construction.
//!
//! Source: Nasdaq "SoupBinTCP" 3.00 (2017), 4.00 and 4.10. What 4.x adds to 3.00: unsequenced data from the server too, and five more
//! bytes in the login request (the client's heartbeat time-out in milliseconds). Both forms of the login are read; 3.00 is written
//! unless the configuration gives a time-out.
//!
//! ```text
//! client  Idle ─start─▶ Connecting ─connected─▶ LoggingIn ─accepted─▶ Live ─logout─▶ LoggingOut ─▶ Ended
//!                           ▲   │ refused, timed out     │ lost            │ lost, silent 15 s
//!                           └── BackingOff ◀─────────────┴─────────────────┘        rejected, end of session ─▶ Ended
//! server  AwaitingLogin ─login─▶ Live (replay from the asked sequence, then live) ─end─▶ Ending ─all sent─▶ Closed
//! ```

mod field;
mod packet;
mod stream;
mod store;
mod backoff;
mod client;
mod server;

pub use backoff::{Backoff, BackoffConfig};
pub use client::{
    ClientAction, ClientConfig, ClientCounters, ClientSession, ClientState, DownReason, EndReason, SendError,
};
pub use field::{Alpha, Numeric};
pub use packet::{
    HEADER_BYTES, LoginAccepted, LoginRequest, PAYLOAD_BYTES_MAX, Packet, PacketError, RejectReason, frame,
};
pub use server::{CloseReason, Login, LoginCheck, ServerAction, ServerConfig, ServerSession, ServerState};
pub use store::{MessageStore, SequencedStore, StoreFull};
pub use stream::PacketStream;

/// Silence after which a side sends a heartbeat (§2.2.4, §2.3.3).
pub const HEARTBEAT_AFTER: spinward_engine::words::Nanos = spinward_engine::words::Nanos::from_secs(1);

/// Silence after which the other side counts as gone (15 s by the specification).
pub const SILENCE_MAX: spinward_engine::words::Nanos = spinward_engine::words::Nanos::from_secs(15);
