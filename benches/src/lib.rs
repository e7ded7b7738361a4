//! Measurements, each beside its control in the same run.
//!
//! This host's clock is not to be trusted blindly: the hypervisor moves the cores (a hop is 60 ns "near" or 250 ns "far"), and each core loses
//! a few per cent of its time to ticks. So a measurement runs in short rounds, each round has its own [`pingpong`] as a ruler, and medians of
//! rounds are quoted, labelled near or far.

pub mod lab;
pub mod pingpong;
pub mod report;
pub mod session;
pub mod stall;
