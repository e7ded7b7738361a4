//! The suites, and [`run`], which measures one with the laboratory's floor beside it.

mod book;
mod codecs;
mod durability;
mod exchange;
mod feed;
mod gateway;
mod journal;
pub(crate) mod ring;
mod risk;
mod stages;
mod stall;
mod stamps;
mod sweep;
mod throughput;
mod tick_to_order;
mod wire;

#[cfg(test)]
pub(crate) use book::decoded;
pub use sweep::{CurvePoint, KNEE_FALLS_BEHIND, KNEE_MEDIAN_GROWS, Knee, knee};

use crate::bench::Bench;
use crate::error::LabError;
use std::fmt;
use std::str::FromStr;

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suite {
    /// One hop from core to core.
    Ring,
    /// Each stage of the pipeline.
    Stages,
    /// Frame to order, in each topology.
    TickToOrder,
    /// The pipeline as fast as it goes.
    Throughput,
    /// One record into the journal.
    Journal,
    /// One event into the books.
    Book,
    /// One message through a decoder.
    Codecs,
    /// One event through risk.
    Risk,
    /// One command into the matching engine.
    Exchange,
    /// One order through the order gateway.
    Gateway,
    /// Packets of a feed into the books.
    Feed,
    /// From a packet to the order that comes of it, over sockets.
    Wire,
    /// What measuring costs.
    Stamps,
    /// What a closed loop hides.
    Stall,
    /// Latency over rates.
    Sweep,
}

impl Suite {
    /// All of them.
    pub const EVERY: [Suite; 15] = [
        Suite::Ring,
        Suite::Stages,
        Suite::TickToOrder,
        Suite::Throughput,
        Suite::Journal,
        Suite::Book,
        Suite::Codecs,
        Suite::Risk,
        Suite::Exchange,
        Suite::Gateway,
        Suite::Feed,
        Suite::Wire,
        Suite::Stamps,
        Suite::Stall,
        Suite::Sweep,
    ];

    /// Its name on the command line and in artefacts.
    pub fn name(self) -> &'static str {
        match self {
            Suite::Ring => "ring",
            Suite::Stages => "stages",
            Suite::TickToOrder => "tick-to-order",
            Suite::Throughput => "throughput",
            Suite::Journal => "journal",
            Suite::Book => "book",
            Suite::Codecs => "codecs",
            Suite::Risk => "risk",
            Suite::Exchange => "exchange",
            Suite::Gateway => "gateway",
            Suite::Feed => "feed",
            Suite::Wire => "wire",
            Suite::Stamps => "stamps",
            Suite::Stall => "stall",
            Suite::Sweep => "sweep",
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = LabError;
    fn from_str(text: &str) -> Result<Self, LabError> {
        Self::EVERY.into_iter().find(|suite| suite.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::EVERY.into_iter().map(Suite::name).collect();
            LabError::Usage(format!("no suite {text:?}: there are {}", names.join(", ")))
        })
    }
}

/// What [`run`] leaves besides the sheet.
#[derive(Debug, Default)]
pub struct Extra {
    /// Of a sweep: the latency at each rate.
    pub curve: Vec<CurvePoint>,
}

/// Measures the floor, the suite, and the floor again; `rates` are those of a sweep.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub fn run(suite: Suite, bench: &mut Bench<'_>, rates: &[u64]) -> Result<Extra, LabError> {
    let mut extra = Extra::default();
    // The bare ring is the control of the ring's own suite.
    let has_ring = suite == Suite::Ring;
    crate::floor::measure(bench, !has_ring)?;
    match suite {
        Suite::Ring => ring::run(bench)?,
        Suite::Stages => stages::run(bench)?,
        Suite::TickToOrder => tick_to_order::run(bench)?,
        Suite::Throughput => throughput::run(bench)?,
        Suite::Journal => journal::run(bench)?,
        Suite::Book => book::run(bench)?,
        Suite::Codecs => codecs::run(bench)?,
        Suite::Risk => risk::run(bench)?,
        Suite::Exchange => exchange::run(bench)?,
        Suite::Gateway => gateway::run(bench)?,
        Suite::Feed => feed::run(bench)?,
        Suite::Wire => wire::run(bench)?,
        Suite::Stamps => stamps::run(bench)?,
        Suite::Stall => stall::run(bench)?,
        Suite::Sweep => extra.curve = sweep::run(bench, rates)?,
    }
    crate::floor::measure(bench, !has_ring)?;
    Ok(extra)
}
