//! A session's tables as files: Parquet, CSV, JSON lines, Arrow; hftbacktest's `.npz`; Databento's DBN.
//!
//! Enters: [`Batch`](crate::Batch)es of rows, or the stages run again. Leaves: parts that are whole or not there, and a state file from which an
//! export that was killed goes on. Never: a part under its name before all of it is on the disk.

mod columns;
mod text;
mod parts;
mod hftbacktest;
mod npz;
mod order_latency;
mod databento;

pub use databento::{DbnConfig, DbnError, DbnSchema, DbnSummary, export_dbn};
pub use hftbacktest::{HftBacktestConfig, HftBacktestError, HftBacktestSummary, export_hftbacktest};
pub use npz::OrderLatencyWriter;
pub use order_latency::OrderLatencySink;
pub use parts::{ExportError, ExportSummary, FileFormat, PartInfo, PartSink, PartsConfig, STATE_FILE};
