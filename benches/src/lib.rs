//! The latency laboratory: measurements, each beside its control in the same run. `spinward bench` is its front.
//!
//! Enters: a plan. Leaves: an [`artefact`] and an interval log, comparisons and reports of them. Never: a latency without its host, load and control.
//!
//! This host's clock is not to be trusted blindly: the hypervisor moves the cores (a hop is 60 ns "near" or 250 ns "far"), and each core loses
//! a few per cent of its time to ticks. So a measurement runs in short rounds; what spans cores has its own [`pingpong`] as a ruler before and after, and is
//! labelled near or far by it; medians of rounds are quoted, and the spread of the rounds is the noise.
//!
//! The modules stand in the order in which a measurement is made: a [`market`] arrives by its `arrivals` at the `driver` of a pipeline ([`lab`]) or at its stages
//! in [`straight`] calls; the [`suites`] gather [`measure`]d metrics in a [`mod@bench`], which become an [`artefact`]; [`compare`] and [`html`] read these.
//! [`instructions`] count instead of timing.

mod error;
mod random;
mod histogram;
pub mod pingpong;
pub mod arrivals;
pub mod market;
pub mod binance;
pub mod session;
pub mod parts;
pub mod driver;
pub mod lab;
pub mod straight;
mod plain_book;
pub mod measure;
pub mod bench;
pub mod floor;
pub mod suites;
pub mod artefact;
pub mod compare;
pub mod html;
pub mod instructions;
#[cfg(test)]
mod samples;

pub use error::LabError;
pub use histogram::histogram;
