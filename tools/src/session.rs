//! Sessions: from settings to a running pipeline, and from a finished one to its summary.

pub(crate) mod registry;
pub(crate) mod parts;
pub(crate) mod latch;
pub(crate) mod embedded;
pub(crate) mod world;
pub(crate) mod live;
pub(crate) mod replay;
pub(crate) mod replica;
pub(crate) mod restore;
pub(crate) mod recover;
pub(crate) mod opened;
pub(crate) mod clickhouse;
pub(crate) mod side;
pub(crate) mod watch;
mod background;
pub(crate) mod keeper;
pub(crate) mod snapshots;
pub(crate) mod summary;
