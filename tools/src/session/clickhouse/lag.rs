//! [`WriterCounters`]: how far the server is behind the session, and why.

use spinward_engine::counters::{Counter, Gauge};
use spinward_recorder::AppendCounters;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the writer counts. Written by its thread alone.
#[derive(Debug)]
pub(crate) struct WriterCounters {
    /// Rows that the server has acknowledged.
    pub(crate) rows: Counter,
    /// Inserts.
    pub(crate) inserts: Counter,
    /// Inserts that were tried again.
    pub(crate) retries: Counter,
    /// Times that something stood in the way: the server away, a refusal, another schema.
    pub(crate) troubles: Counter,
    /// Last frame of which the server has every row.
    there: Gauge,
    /// What was in the journal by then is on the server: nanoseconds since `began`.
    caught_up: Gauge,
    began: Instant,
    appended: Arc<AppendCounters>,
    trouble: Mutex<Option<String>>,
}

impl WriterCounters {
    pub(super) fn new(appended: Arc<AppendCounters>) -> Self {
        Self {
            rows: Counter::new(),
            inserts: Counter::new(),
            retries: Counter::new(),
            troubles: Counter::new(),
            there: Gauge::new(),
            caught_up: Gauge::new(),
            began: Instant::now(),
            appended,
            trouble: Mutex::default(),
        }
    }

    /// Last frame of which the server has every row.
    pub(crate) fn frame(&self) -> u64 {
        u64::try_from(self.there.value()).unwrap_or(0)
    }

    /// Frames in the journal of which rows may be missing on the server.
    pub(crate) fn lag_frames(&self) -> u64 {
        self.appended.records.value().saturating_sub(self.frame())
    }

    /// Age of the oldest of them, at most: seconds.
    pub(crate) fn lag_seconds(&self) -> f64 {
        if self.lag_frames() == 0 {
            return 0.0;
        }
        let caught_up = Duration::from_nanos(u64::try_from(self.caught_up.value()).unwrap_or(0));
        self.began.elapsed().saturating_sub(caught_up).as_secs_f64()
    }

    /// What stands in the way now.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.troubles.add(u64::from(trouble.is_some()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// For `/health` and `status`: one line.
    pub(crate) fn status(&self) -> String {
        let behind = format!("clickhouse {} frames behind", self.lag_frames());
        match self.trouble() {
            Some(trouble) => {
                format!("{behind}, {:.0} s ({})", self.lag_seconds(), trouble.replace('\n', " "))
            }
            None => behind,
        }
    }
}

/// Follows how far the server is; the writer's own end of the lag.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// A frame, and when it was the last of the journal.
    awaited: Option<(u64, Instant)>,
}

impl Lag {
    /// The server has all rows up to this frame.
    pub(super) fn is_there(&mut self, frame: u64, counters: &WriterCounters) {
        counters.there.set(i64::try_from(frame).unwrap_or(i64::MAX));
        let now = Instant::now();
        let newest = counters.appended.records.value();
        if let Some((_, at)) = self.awaited.filter(|(awaited, _)| frame >= *awaited) {
            let since = at.saturating_duration_since(counters.began).as_nanos();
            counters.caught_up.set(i64::try_from(since).unwrap_or(i64::MAX));
            self.awaited = None;
        }
        self.awaited.get_or_insert((newest, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_the_age_of_what_is_missing_and_none_once_nothing_is() {
        let appended = Arc::new(AppendCounters::default());
        let counters = WriterCounters::new(Arc::clone(&appended));
        let mut lag = Lag::default();
        assert_eq!((counters.lag_frames(), counters.lag_seconds()), (0, 0.0));
        appended.records.add(10);
        lag.is_there(4, &counters);
        let before = counters.lag_seconds();
        assert!(counters.lag_frames() == 6 && before > 0.0);
        std::thread::park_timeout(Duration::from_millis(20));
        assert!(counters.lag_seconds() >= before + 0.02, "it grows while nothing comes");
        appended.records.add(1);
        lag.is_there(10, &counters);
        // Frame 10 was the last one when 4 was there: what is missing came after that.
        assert!(counters.lag_frames() == 1 && counters.lag_seconds() >= 0.02);
        lag.is_there(11, &counters);
        assert_eq!((counters.lag_frames(), counters.lag_seconds()), (0, 0.0));
    }

    #[test]
    fn a_trouble_is_told_on_one_line_until_it_is_over() {
        let counters = WriterCounters::new(Arc::default());
        assert_eq!(counters.status(), "clickhouse 0 frames behind");
        counters.set_trouble(Some("no\nserver".to_owned()));
        assert_eq!(counters.status(), "clickhouse 0 frames behind, 0 s (no server)");
        counters.set_trouble(None);
        assert_eq!((counters.troubles.value(), counters.trouble()), (1, None));
    }
}
