//! The order gateway to a venue that speaks OUCH 5.0 over SoupBinTCP.
//!
//! Enters: orders that risk approved, bytes of the connection, the time. Leaves: bytes to send, reports, and commands to risk's trading state, as
//! actions given to a closure. Never: a socket, a clock, an allocation while it trades, an assumption about an order that the venue has not spoken of.
//!
//! ```text
//!           ┌ connect ─▶ login ─▶ catching up: the stream from where we stand ─▶ AccountQuery, marker ─▶ ready ─▶ stopping: cancel all ─▶ flat? ─▶ logout
//!           │                                                       answered: the stream is read to its end, and the venue's next number says
//!        back-off ◀── lost, silent ── from everywhere                what it never got
//! ```
//!
//! **Numbers.** The engine's order id stands in the order's `ClOrdId`; the venue gives it back in every acceptance. So the map from the venue's
//! numbers to our orders is in the venue's own stream: a process that starts reads all of it and keeps no file. New numbers go on behind every number in that stream and
//! behind the one that the venue says is next.
//!
//! **Pending.** What was sent and not answered stays pending over any number of connections. After each login the stream is read to its end, then: a number
//! that the venue never got is rejected, by the venue's own word; one that it got and did not answer stays pending and is cancelled.
//!
//! **Once.** SoupBinTCP gives each message of the stream once; executions are besides remembered by match number and order. Each report carries the number of the
//! message it came of (`Report::value`), so that a session's journal says where a later one goes on.
//!
//! **Trading state.** While the venue is not ready, or the breaker not closed, risk is commanded to cancel-only, by owner `gateway`.

mod life;
mod limiter;
mod breaker;
mod config;
mod counters;
mod names;
mod executions;
mod desk;
mod encode;
mod gateway;
mod stream;
mod stop;
#[cfg(test)]
pub(crate) mod tests;

pub use breaker::{Breaker, BreakerConfig, BreakerConfigError, BreakerState};
pub use config::{Carried, OuchConfig, OuchConfigError, StreamMark};
pub use counters::OuchCounters;
pub use gateway::{GatewayState, OuchAction, OuchGateway};
pub use life::{Happening, Life, Step, Tell, step};
pub use limiter::{LIMIT_MAX, LimitRule, Limiter, LimiterConfig, LimiterConfigError};
pub use names::name_of;
pub use stop::StopOutcome;
