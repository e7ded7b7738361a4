//! What leaves the session beside orders: journal, retention, ClickHouse.

use super::Checker;
use crate::field::duration_text;
use spinward_recorder::{ClickHouse, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use std::time::Duration;

/// A segment is compressed in memory, and read back.
const COMPACT_BYTES_MAX: u64 = 1 << 30;

const SNAPSHOT_LEAST: Duration = Duration::from_millis(100);
const SNAPSHOT_MOST: Duration = Duration::from_secs(24 * 3_600);

const BATCH_TIME_LEAST: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3_600);

impl Checker<'_> {
    pub(super) fn journal(&mut self) {
        let journal = &self.settings.journal;
        let bytes = journal.segment_bytes.0;
        if !bytes.is_power_of_two() || !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) {
            self.refuse(
                "journal.segment_bytes",
                format!("{bytes} bytes are not a power of two from 8 KiB to 64 GiB"),
                "use a power of two, like \"64MiB\"",
            );
        }
        self.in_range("journal.segments_ahead", journal.segments_ahead as u64, 1..=64);
        self.positive("journal.flush_interval", journal.flush_interval);
        let interval = journal.snapshot_interval;
        if !interval.is_zero() && !(SNAPSHOT_LEAST..=SNAPSHOT_MOST).contains(&interval) {
            self.refuse(
                "journal.snapshot_interval",
                format!("{} is out of range", duration_text(interval)),
                "give 100ms to 24h, or 0ns to take no snapshots",
            );
        }
        if journal.compact.is_on() && bytes > COMPACT_BYTES_MAX {
            self.refuse(
                "journal.segment_bytes",
                format!("segments of {bytes} bytes would be compressed in memory beside the session"),
                "give at most \"1GiB\", or set compact to \"off\"",
            );
        }
        if let Some(days) = journal.keep_days {
            self.in_range("journal.keep_days", u64::from(days), 1..=36_500);
        }
        if journal.keep_bytes.is_some_and(|bytes| bytes.0 == 0) {
            self.refuse("journal.keep_bytes", "nothing would be kept", "give a size, like \"500GiB\"");
        }
    }

    pub(super) fn clickhouse(&mut self) {
        let clickhouse = &self.settings.clickhouse;
        if ClickHouse::new("http://127.0.0.1", &clickhouse.database).is_err() {
            let what = format!("{:?} is not the name of a database", clickhouse.database);
            self.refuse("clickhouse.database", what, "use letters, digits and _");
        }
        if clickhouse.password_file.is_some() && clickhouse.password_env.is_some() {
            self.refuse(
                "clickhouse.password_env",
                "the password has two places",
                "keep password_file or password_env",
            );
        }
        self.in_range("clickhouse.batch_rows", clickhouse.batch_rows as u64, 1_000..=1_048_576);
        if !(BATCH_TIME_LEAST..=HOUR).contains(&clickhouse.batch_time) {
            let what = format!("{} is out of range", duration_text(clickhouse.batch_time));
            self.refuse("clickhouse.batch_time", what, "give 10ms to 1h");
        }
        if clickhouse.catch_up > HOUR {
            let what = format!("{} is out of range", duration_text(clickhouse.catch_up));
            self.refuse("clickhouse.catch_up", what, "give at most 1h, or 0ns not to wait");
        }
    }
}
