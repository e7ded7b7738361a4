//! The world outside of a session that trades over sockets: market data in MoldUDP64, orders by OUCH.
//!
//! ```text
//!  lines A, B (UDP) ─┐                               ┌─▶ MoldFeed ─▶ market frames ──┐
//!  answers (UDP) ────┼─▶ Receiver ─▶ queue ──────────┤                               ├─▶ LiveDriver ─▶ sequencer
//!  snapshots (TCP) ──┘                               └── a gap: a snapshot first     │
//!  order entry (TCP) ◀──▶ OuchGateway ──▶ report frames, commands to risk ───────────┘
//! ```
//!
//! Everything is polled by the sequencer's core, or the sockets of the feed by a thread of their own: no socket ever waits. Frames have the time of their receipt by the clock on the wall, so a session is
//! reproduced from its journal, not from its seed.

mod driver;
mod feed;
mod handover;
mod intake;
mod line;
mod queue;
mod resync;
mod snapshot;
mod stream;

pub use driver::{LiveConfig, LiveDriver};
pub use feed::{MoldFeed, MoldFeedConfig, MoldFeedError};
pub use line::LineOptions;

use spinward_engine::words::Nanos;
use std::time::SystemTime;

/// The clock on the wall.
fn now() -> Nanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::new(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
