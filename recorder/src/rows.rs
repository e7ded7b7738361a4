//! A session as tables: the journal run again through the decoder, the books, the strategies and risk, each table's rows told in the order of the
//! session.
//!
//! Enters: a journal, the stages it was run with, its audit and stamps. Leaves: [`Batch`]es of columns, a bounded number of rows each, to a
//! [`RowSink`]. Never: a thread, a ring, a second description of a column: [`Table::columns`] is what headers of CSV, schemas of Parquet and Arrow and the
//! columns of ClickHouse are made from.

mod schema;
mod batch;
mod market;
mod trading;
mod stamps;
mod outs;
mod input;
mod source;

pub use batch::{Batch, Cells, Names};
pub(crate) use market::TradeSeen;
pub use schema::{Column, Kind, LEVELS, NameSet, Table};
pub use source::{RowError, RowSink, RowSource, RowTotals, RowsWanted};
