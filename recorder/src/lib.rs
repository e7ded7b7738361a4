//! Files on disk: journal, audit, digests, latency histograms, manifests.
//!
//! Enters: frames and outputs of the engine, copied by taps. Leaves: the files of a session, and readers of them. Never: a decision on
//! the hot path, a gateway, a socket other than ClickHouse's. The formats are described byte by byte in `docs/journal-format.md`.
//!
//! The modules stand in the order in which data meets them: a record is appended (`appender`) to a `segment` that the `preparer` made; the
//! `reader` gives it back, from files as they were written or compressed (`stored`), each sealed behind the one before (`chain`). `journal` and `audit` are the two kinds of streams; `digests`, `latency` and `orders`
//! are what taps compute; `rows` runs a session again and tells it as tables, `export` and `clickhouse` take them; `interference` is what the system tells of the threads; `manifest` and `session` say where all of it lies. Unsafe code is in `map` alone.

mod crc;
mod error;
mod format;
mod chain;
mod map;
mod storage;
mod segment;
mod durability;
mod preparation;
mod window;
mod preparer;
mod worker;
mod appender;
mod stored;
mod cut;
mod reader;
mod list;
mod journal;
mod verify;
mod compact;
mod repair;
mod stats;
mod follow;
mod digests;
mod audit;
mod latency;
mod orders;
mod interference;
mod tap;
mod replay;
mod snapshot;
mod manifest;
mod fingerprint;
mod session;
mod retention;
mod rows;
mod export;
mod clickhouse;

pub use appender::{AppendCounters, Finished, Identity};
pub use audit::{AuditReader, AuditRecord, AuditWriter, StateChange};
pub use chain::{ChainDigest, chain_text};
pub use clickhouse::{
    Applied, ClickHouse, ClickHouseError, Difference, LOAD_BLOCK_ROWS, LOADED_TABLES, LoadSummary, LoadWatch,
    Loader, Migration, MigrationPlan, Sums, load_wanted, migrate, migrations, mismatch, server_sums,
    server_table, session_key,
};
pub use compact::{COMPACT_LEVEL, Compacted, compact, compact_one};
pub use cut::{Cut, CutCause};
pub use digests::{
    Checkpoint, Comparison, DigestSnapshot, DigestValue, Divergence, Stage, StageDigests, compare,
};
pub use durability::Durability;
pub use error::{AppendError, JournalError};
pub use export::{
    DbnConfig, DbnError, DbnSchema, DbnSummary, ExportError, ExportSummary, FileFormat, HftBacktestConfig,
    HftBacktestError, HftBacktestSummary, OrderLatencySink, OrderLatencyWriter, PartInfo, PartSink,
    PartsConfig, STATE_FILE, export_dbn, export_hftbacktest,
};
pub use fingerprint::Fingerprint;
pub use follow::{Followed, JournalFollower};
pub use format::{
    FORMAT_VERSION, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, StreamKind,
};
pub use interference::{
    GAPS_LISTED_MAX, GapRow, INTERFERENCE_FORMAT, Interference, InterferenceHeader, InterferenceLog,
    InterferenceRow, InterferenceTotals, InterferenceWatch, Sample, ThreadTotals, device_interrupts,
    read_interference,
};
pub use journal::{FrameRef, JournalReader, JournalWriter};
pub use latency::{
    LATENCY_DIGITS, LATENCY_NS_MAX, LATENCY_NS_MIN, LatencyHistograms, LatencyLog, LatencySummary,
};
pub use list::{SegmentInfo, segments, segments_of_stream};
pub use manifest::{Ended, Host, MANIFEST_FORMAT, Manifest, ManifestError, fingerprint};
pub use orders::{
    Answer, Decision, Exit, ExitDriver, ExitReader, Life, LifeRecord, Lives, OrderCounters, OrderReader,
    OrderRecord, OrderTap, OrderWriter, StageTimes, StampTime,
};
pub use preparer::{JournalConfig, Preparer};
pub use repair::{Repaired, repair};
pub use replay::{JournalDriver, ReplayEnd};
pub use retention::{Fate, Judged, Retention, mark_exported, remove_streams};
pub use rows::{
    Batch, Cells, Column, Kind, LEVELS, NameSet, Names, RowError, RowSink, RowSource, RowTotals, RowsWanted,
    Table,
};
pub use session::{SESSION_NAME_MAX, SessionError, SessionFolder, rfc3339};
pub use snapshot::{
    SNAPSHOT_VERSION, SNAPSHOTS_KEPT, SnapshotError, SnapshotHead, WrittenSnapshot, read_snapshot, snapshots,
    write_snapshot,
};
pub use stats::{JournalStats, KindStats};
pub use storage::is_in_use;
pub use tap::{
    CHECKPOINT_FRAMES, JournalSink, LATENCY_STAGES, LatencyCollector, LatencyTap, SessionTap, TapOutcome,
    latency_exchange,
};
pub use verify::{Verification, verify, verify_stream};
pub use worker::PreparerCounters;
