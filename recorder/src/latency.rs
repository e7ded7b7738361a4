//! [`LatencyHistograms`]: where the time goes, one histogram for each stage, and their interval logs (`.hlog`).

use crate::error::JournalError;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};
use spinward_engine::words::Nanos;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Shortest latency told apart, nanoseconds.
pub const LATENCY_NS_MIN: u64 = 1;
/// Longest latency told apart: 60 s. Longer ones count as this.
pub const LATENCY_NS_MAX: u64 = 60_000_000_000;
/// Significant decimal digits kept.
pub const LATENCY_DIGITS: u8 = 3;

/// One histogram for each named stage: since the start, and since the last interval was taken.
///
/// All memory is taken at the start; [`LatencyHistograms::record`] does not allocate. For a tap, not for the hot path.
#[derive(Debug)]
pub struct LatencyHistograms {
    stages: Vec<StageHistogram>,
}

#[derive(Debug)]
struct StageHistogram {
    name: String,
    total: Histogram<u64>,
    interval: Histogram<u64>,
}

/// One line of the summary. Times in nanoseconds; 0 where there is no sample.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct LatencySummary {
    /// The stage.
    pub stage: String,
    /// Samples.
    pub count: u64,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Longest.
    pub max_ns: u64,
}

impl LatencyHistograms {
    /// Empty, for stages by these names. A name is cut out of what an interval log allows as a tag: commas, spaces and line ends become `_`.
    ///
    /// # Errors
    /// None with the fixed range; the histogram crate's answer otherwise.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, hdrhistogram::CreationError> {
        let empty = || Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, LATENCY_DIGITS);
        let stages = names
            .into_iter()
            .map(|name| {
                let name = name.replace([',', ' ', '\r', '\n'], "_");
                Ok(StageHistogram { name, total: empty()?, interval: empty()? })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { stages })
    }

    /// Adds one sample, in nanoseconds, held within 1 ns and 60 s. An index without a stage is ignored.
    #[inline]
    pub fn record(&mut self, stage: usize, nanos: u64) {
        if let Some(stage) = self.stages.get_mut(stage) {
            let nanos = nanos.clamp(LATENCY_NS_MIN, LATENCY_NS_MAX);
            stage.interval.saturating_record(nanos);
        }
    }

    /// Adds the samples of a whole histogram, in nanoseconds, held within the range. A stage that is not there is ignored.
    pub fn add(&mut self, stage: usize, samples: &Histogram<u64>) {
        if let Some(stage) = self.stages.get_mut(stage) {
            for bucket in samples.iter_recorded() {
                let nanos = bucket.value_iterated_to().clamp(LATENCY_NS_MIN, LATENCY_NS_MAX);
                stage.interval.saturating_record_n(nanos, bucket.count_at_value());
            }
        }
    }

    /// Names of the stages, by index.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().map(|stage| stage.name.as_str())
    }

    /// A line for each stage, over everything recorded.
    pub fn summary(&mut self) -> Vec<LatencySummary> {
        self.stages
            .iter_mut()
            .map(|stage| {
                stage.fold();
                let at = |quantile| {
                    if stage.total.is_empty() { 0 } else { stage.total.value_at_quantile(quantile) }
                };
                LatencySummary {
                    stage: stage.name.clone(),
                    count: stage.total.len(),
                    p50_ns: at(0.5),
                    p90_ns: at(0.9),
                    p99_ns: at(0.99),
                    p999_ns: at(0.999),
                    max_ns: stage.total.max(),
                }
            })
            .collect()
    }

    /// The histogram of one stage over everything recorded.
    pub fn total(&mut self, stage: usize) -> Option<&Histogram<u64>> {
        self.stages.get_mut(stage).map(|stage| {
            stage.fold();
            &stage.total
        })
    }

    /// Takes what another one with the same stages has recorded (one for each tap, say), and empties it.
    pub fn absorb(&mut self, other: &mut LatencyHistograms) {
        for (mine, theirs) in self.stages.iter_mut().zip(&mut other.stages) {
            // Both have the same bounds, so adding cannot fail.
            let _ = mine.interval.add(&theirs.interval);
            theirs.fold();
        }
    }
}

impl StageHistogram {
    /// Moves the interval into the total. Both have the same bounds, so adding cannot fail.
    fn fold(&mut self) {
        let _ = self.total.add(&self.interval);
        self.interval.reset();
    }
}

/// Writes interval logs in the format of `HistogramLogWriter` 1.3: a header, then a line for each stage and interval, tagged with the
/// stage's name, the histogram V2-encoded, deflated and in base 64.
#[derive(Debug)]
pub struct LatencyLog {
    path: PathBuf,
    file: BufWriter<File>,
    started: Nanos,
    interval_from: Nanos,
    lines: u64,
}

impl LatencyLog {
    /// A new file; an old one is never overwritten. `started` is the base time of the log.
    ///
    /// # Errors
    /// [`JournalError::Io`] if there is a file already, or it cannot be written.
    pub fn create(path: &Path, started: Nanos, comment: &str) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| JournalError::io("create", path, error))?;
        let mut log = Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            started,
            interval_from: started,
            lines: 0,
        };
        let started =
            SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::try_from(started.get()).unwrap_or(0));
        IntervalLogWriterBuilder::new()
            .add_comment(&format!("[{comment}]"))
            .add_comment("[Histogram log format version 1.3]")
            .with_start_time(started)
            .with_base_time(started)
            .begin_log_with(&mut log.file, &mut V2DeflateSerializer::new())
            .map_err(|error| JournalError::io("write", path, error))?;
        writeln!(
            log.file,
            "#\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )
        .and_then(|()| log.file.flush())
        .map_err(|error| JournalError::io("write", path, error))?;
        Ok(log)
    }

    /// Writes what was recorded since the last time, up to `now`, and begins a new interval. Stages without a sample give no line. Intervals
    /// that hold nothing for a stage are thus seen as gaps.
    ///
    /// # Errors
    /// [`JournalError::Io`]; the interval's samples then count in the total only.
    pub fn write_interval(
        &mut self,
        histograms: &mut LatencyHistograms,
        now: Nanos,
    ) -> Result<(), JournalError> {
        let span = |nanos: Nanos| Duration::from_nanos(u64::try_from(nanos.get()).unwrap_or(0));
        let start = span(self.interval_from.since(self.started));
        let length = span(now.since(self.interval_from));
        self.interval_from = now;
        let mut result = Ok(());
        for stage in &mut histograms.stages {
            if !stage.interval.is_empty() && result.is_ok() {
                result = write_line(&mut self.file, &stage.interval, start, length, &stage.name);
                self.lines += 1;
            }
            stage.fold();
        }
        result.and_then(|()| self.file.flush()).map_err(|error| JournalError::io("write", &self.path, error))
    }

    /// Lines written.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

fn write_line(
    file: &mut BufWriter<File>,
    histogram: &Histogram<u64>,
    start: Duration,
    length: Duration,
    name: &str,
) -> io::Result<()> {
    // The builder writes a header of its own; with none asked for it is empty, so a writer can be had for each line.
    let mut serializer = V2DeflateSerializer::new();
    IntervalLogWriterBuilder::new()
        .begin_log_with(file, &mut serializer)?
        .write_histogram(histogram, start, length, Tag::new(name))
        .map_err(|error| match error {
            IntervalLogWriterError::IoError(error) => error,
            IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
        })
}

#[cfg(test)]
mod tests;
