//! The simulated world: market feed, timer, paper venue and risk's refusals, merged by simulated time into the frames of a session.
//!
//! Enters: the messages of a [`MarketFeed`], what risk sends, records of an earlier session. Leaves: messages in an order that is a function of these
//! (and the venue's seed) alone: neither the pace, nor the topology, nor how far the engine lags behind changes a frame or its time.
//!
//! # The order of frames
//! Frames come by simulated time; at equal times: recovered records, refusals by risk, reports of the venue, timer, market; within
//! a kind, in the order in which they came to be. Recovered records have the time of the first market message. Timer ticks stand on the multiples of the
//! interval after it.
//!
//! # Look-ahead
//! An order decided on a frame of time `t` acts at `t + act_after_min` at the earliest, and is heard of at `t + look_ahead` at the earliest.
//! So with `u` the time of the first frame that the engine has not done:
//! 1. a message of time `t` may enter if `t < u + look_ahead`, and the venue has seen everything that could cause an earlier report;
//! 2. the venue may see a market message of time `v` if `v ≤ u + act_after_min`: every order that acts before it is known.
//!
//! The feed thus runs ahead of the engine by `look_ahead`, and of the venue by the difference; market messages that have entered but that the venue may not
//! see yet are copied into a bounded backlog. When a bound is met (backlog, frames under way), the answer is [`Next::WaitForEngine`], never a changed order. Tables
//! that cannot wait (refusals, our messages under way) end the session with an error that says which one to raise.
//!
//! # The end
//! The market ends with the feed, or `duration` after its first message. Then timers stop; orders decided later are refused by the venue
//! (cancels act); what is under way is delivered; messages decided more than `drain` after the end are not answered, and counted.
//!
//! A message from elsewhere (an operator's command) enters at [`Driver::now`]; what it causes is late against the look-ahead, is moved to the earliest
//! possible time and counted as late. Such a session is reproduced from its journal.

mod backlog;
mod config;
mod counters;
mod merge;
mod pace;
mod refusal;
#[cfg(test)]
mod tests;

pub use config::{Pace, SimulationConfig, SimulationError};
pub use counters::{SimulationCounters, SourceIds};
pub use merge::Simulation;
pub(crate) use refusal::report as refusal_report;

#[expect(unused_imports, reason = "named by the documentation above")]
use {
    crate::feed::MarketFeed,
    spinward_engine::pipeline::{Driver, Next},
};
