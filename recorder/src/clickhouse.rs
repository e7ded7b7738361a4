//! A session's tables in ClickHouse.
//!
//! Enters: [`Batch`](crate::Batch)es of rows, a server's URL. Leaves: the schema (`recorder/sql`, database `hft`), rows that are there exactly once, sums that
//! prove it. Never: a row that is not of the journal, and nothing on the hot path: it reads sessions, in a process of its own.

mod client;
mod columns;
mod native;
mod migrations;
mod load;
mod verify;

pub use client::{ClickHouse, ClickHouseError};
pub use columns::{LOADED_TABLES, server_table};
pub use load::{LOAD_BLOCK_ROWS, LoadSummary, LoadWatch, Loader, load_wanted, session_key};
pub use migrations::{Applied, Migration, MigrationPlan, migrate, migrations, mismatch};
pub use verify::{Difference, Sums, server_sums};
