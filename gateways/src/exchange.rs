//! The exchange: a matching engine, the market data it makes, and those who trade on it. No sockets here, and no clock, but in [`server`].
//!
//! ```text
//!  participants ──▶ commands ──▶ Engine (admission → matching | auction, over ladders) ──▶ outputs ──▶ ItchWriter ──▶ ITCH 5.0 messages
//! ```
//!
//! [`NaiveEngine`] says the same with plain vectors: the oracle of the tests and the control of the measurements.

mod words;
mod rules;
mod ladder;
mod engine;
mod matching;
mod auction;
mod query;
mod naive;
mod itch;
pub(crate) mod prng;
pub(crate) mod zipf;
mod arrival;
mod participants;
pub mod server;

pub use arrival::Arrivals;
pub use engine::Engine;
pub use itch::{ItchWriter, MessageSink};
pub use naive::NaiveEngine;
pub(crate) use participants::TRADED_SHARES_MAX;
pub use participants::{Mix, Participants, ParticipantsConfig, ParticipantsError};
pub use query::{DepthLevel, RestingOrder};
pub use rules::{EngineConfig, EngineError, SymbolRules, TickBand, TickTable};
pub use words::{
    CancelReason, Change, Command, CrossKind, Display, Indication, Lifetime, MEMBERS_FIRST, NewOrder,
    ORDER_SHARES_MAX, OrderId, OrderRef, Output, Owner, Phase, Price4, Reject, SelfTrade, Sink,
};

#[cfg(test)]
mod tests;
