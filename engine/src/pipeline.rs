//! Rings, lanes, agents and topologies: where the stages meet.

mod driver;

pub use driver::{Driver, Next};
