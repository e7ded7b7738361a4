//! Prometheus metrics and health of a running session, rendered on the side thread from counters that the pipeline writes.

mod sources;
mod table;
mod server;

pub(crate) use server::{serve, watch_runtime};
pub(crate) use sources::Sources;
