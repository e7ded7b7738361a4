//! Prometheus metrics and health of a running session or exchange, rendered on a side thread from counters that others write.

mod family;
mod sources;
mod table;
mod exchange;
mod server;

pub(crate) use exchange::ExchangeSources;
pub(crate) use server::{serve, watch_runtime};
pub(crate) use sources::Sources;
