//! [`Sheet`]: what a suite measures, round by round. [`Metric`] is what is kept of it: the figures of each round, so that a comparison
//! knows how far rounds of one run lie apart.

use crate::error::LabError;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use spinward_engine::words::Nanos;
use spinward_recorder::{LatencyHistograms, LatencyLog};
use std::path::Path;

/// What a metric stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Ours.
    Subject,
    /// What ours is held against, measured in the same run.
    Control,
    /// What this host and this laboratory cost by themselves.
    Floor,
    /// A part of a subject: a stage of a pipeline.
    Part,
}

/// Figures of one round, or of all together. Nanoseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Samples, or operations of a mean.
    pub samples: u64,
    /// Mean.
    pub mean: f64,
    /// Percentiles; absent where only a mean was taken.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub percentiles: Option<Percentiles>,
}

/// Of a histogram. Nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 90th.
    pub p90: u64,
    /// 99th.
    pub p99: u64,
    /// 99.9th.
    pub p999: u64,
    /// Longest.
    pub max: u64,
}

impl Figures {
    /// Of a histogram.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self {
            samples: histogram.len(),
            mean: if histogram.is_empty() { 0.0 } else { thousandths(histogram.mean()) },
            percentiles: Some(Percentiles {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: histogram.max(),
            }),
        }
    }

    /// The quantity by its name: `mean`, `p50`, `p90`, `p99`, `p99.9`, `max`.
    pub fn quantity(&self, name: &str) -> Option<f64> {
        let of = |pick: fn(&Percentiles) -> u64| self.percentiles.as_ref().map(|p| pick(p) as f64);
        match name {
            "mean" => Some(self.mean),
            "p50" => of(|p| p.p50),
            "p90" => of(|p| p.p90),
            "p99" => of(|p| p.p99),
            "p99.9" => of(|p| p.p999),
            "max" => of(|p| p.max),
            _ => None,
        }
    }
}

/// One line of a suite.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Metric {
    /// What was measured; ends in `[near]` or `[far]` where two cores are in it.
    pub name: String,
    /// What it stands for.
    pub role: Role,
    /// The metric that it is held against.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<String>,
    /// Each round.
    pub rounds: Vec<Figures>,
    /// All rounds together.
    pub total: Figures,
    /// The distribution over all rounds: quantile and nanoseconds, ten points for each halving of the rest, as far as the samples reach.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub distribution: Vec<(f64, u64)>,
}

impl Metric {
    /// Whether it has percentiles, not a mean alone.
    pub fn has_percentiles(&self) -> bool {
        self.total.percentiles.is_some()
    }

    /// What is quoted of it: the median over the rounds of this quantity.
    pub fn median(&self, quantity: &str) -> Option<f64> {
        let mut values: Vec<f64> = self.rounds.iter().filter_map(|round| round.quantity(quantity)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// The smallest and the largest round of this quantity.
    pub fn range(&self, quantity: &str) -> Option<(f64, f64)> {
        let values = || self.rounds.iter().filter_map(|round| round.quantity(quantity));
        values().min_by(f64::total_cmp).zip(values().max_by(f64::total_cmp))
    }

    /// The quantity that the ratio to a control is taken of: the median, or the mean where there is no median.
    pub fn headline(&self) -> &'static str {
        if self.has_percentiles() { "p50" } else { "mean" }
    }
}

/// A subject against its control.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Ratio {
    /// Ours.
    pub subject: String,
    /// The control.
    pub control: String,
    /// Of which quantity.
    pub quantity: String,
    /// Ours divided by the control: below 1 is faster than the control.
    pub ratio: f64,
}

/// Ratios of all metrics that name a control which was measured as well.
pub fn ratios(metrics: &[Metric]) -> Vec<Ratio> {
    let one = |metric: &Metric| {
        let control = metrics.iter().find(|other| Some(&other.name) == metric.control.as_ref())?;
        let quantity = if metric.has_percentiles() && control.has_percentiles() { "p50" } else { "mean" };
        let (ours, theirs) = (metric.median(quantity)?, control.median(quantity)?);
        (theirs > 0.0).then(|| Ratio {
            subject: metric.name.clone(),
            control: control.name.clone(),
            quantity: quantity.to_owned(),
            ratio: ours / theirs,
        })
    };
    metrics.iter().filter_map(one).collect()
}

struct Row {
    name: String,
    role: Role,
    control: Option<String>,
    rounds: Vec<Figures>,
    total: Option<Histogram<u64>>,
    /// With the number of the interval in which each was taken.
    histograms: Vec<(usize, Histogram<u64>)>,
}

/// What a suite has measured so far.
#[derive(Default)]
pub struct Sheet {
    rows: Vec<Row>,
    /// Ends of the intervals.
    ends: Vec<Nanos>,
}

impl Sheet {
    fn row(&mut self, name: &str, role: Role, control: Option<&str>, add: impl FnOnce(&mut Row)) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == name) {
            return add(row);
        }
        let (name, control) = (name.to_owned(), control.map(str::to_owned));
        let mut row = Row { name, role, control, rounds: Vec::new(), total: None, histograms: Vec::new() };
        add(&mut row);
        self.rows.push(row);
    }

    /// Samples of one round. A round without samples leaves no trace.
    ///
    /// # Errors
    /// None with the fixed bounds of the histograms.
    pub fn latency(
        &mut self,
        name: &str,
        role: Role,
        control: Option<&str>,
        samples: &Histogram<u64>,
    ) -> Result<(), LabError> {
        if samples.is_empty() {
            return Ok(());
        }
        let interval = self.ends.len();
        let mut added = Ok(());
        self.row(name, role, control, |row| {
            row.rounds.push(Figures::of(samples));
            match &mut row.total {
                Some(total) => added = total.add(samples).map_err(LabError::failed),
                None => row.total = Some(samples.clone()),
            }
            row.histograms.push((interval, samples.clone()));
        });
        added
    }

    /// The mean of one round: so many nanoseconds for so many operations.
    pub fn mean(&mut self, name: &str, role: Role, control: Option<&str>, nanos: u64, operations: u64) {
        let mean = thousandths(nanos as f64 / operations.max(1) as f64);
        let figures = Figures { samples: operations, mean, percentiles: None };
        self.row(name, role, control, |row| row.rounds.push(figures));
    }

    /// The round is over: what was measured in it is one interval of the log.
    pub fn end_round(&mut self, now: Nanos) {
        self.ends.push(now);
    }

    /// The metrics, in the order in which they were first measured; those that differ only in their label `[near]`, `[far]` stand together.
    pub fn metrics(&self) -> Vec<Metric> {
        let metric = |row: &Row| {
            let samples: u64 = row.rounds.iter().map(|round| round.samples).sum();
            let weighted: f64 = row.rounds.iter().map(|round| round.mean * round.samples as f64).sum();
            Metric {
                name: row.name.clone(),
                role: row.role,
                control: row.control.clone(),
                rounds: row.rounds.clone(),
                total: match &row.total {
                    Some(total) => Figures::of(total),
                    None => Figures {
                        samples,
                        mean: thousandths(weighted / samples.max(1) as f64),
                        percentiles: None,
                    },
                },
                distribution: row.total.as_ref().map(distribution).unwrap_or_default(),
            }
        };
        let mut metrics: Vec<Metric> = self.rows.iter().map(metric).collect();
        // What differs only in where the cores lay stands together.
        let place = |name: &str| self.rows.iter().position(|row| unlabelled(&row.name) == unlabelled(name));
        metrics.sort_by_cached_key(|metric| (place(&metric.name), metric.name.clone()));
        metrics
    }

    /// Writes the interval log: one interval a round, tagged with the metric's name. Returns how many lines it has.
    ///
    /// # Errors
    /// [`LabError`]: there is a file already, or it cannot be written.
    pub fn write_log(&self, path: &Path, started: Nanos, comment: &str) -> Result<u64, LabError> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.total.is_some()).collect();
        let names = rows.iter().map(|row| row.name.as_str());
        let mut histograms = LatencyHistograms::new(names).map_err(LabError::failed)?;
        let mut log = LatencyLog::create(path, started, comment).map_err(LabError::failed)?;
        for (interval, end) in self.ends.iter().enumerate() {
            for (index, row) in rows.iter().enumerate() {
                for (_, samples) in row.histograms.iter().filter(|(of, _)| *of == interval) {
                    histograms.add(index, samples);
                }
            }
            log.write_interval(&mut histograms, *end).map_err(LabError::failed)?;
        }
        Ok(log.lines())
    }
}

/// The name without where the cores lay.
fn unlabelled(name: &str) -> &str {
    name.split_once(" [").map_or(name, |(name, _)| name)
}

/// To picoseconds: what is finer is noise, and unreadable.
fn thousandths(nanos: f64) -> f64 {
    (nanos * 1e3).round() / 1e3
}

/// Ten points for each halving of what is left above the quantile, while at least one sample lies above.
fn distribution(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let samples = histogram.len() as f64;
    let mut points = vec![(0.0, histogram.min())];
    for step in 1.. {
        let rest = 0.5f64.powf(f64::from(step) / 10.0);
        if rest * samples < 1.0 {
            break;
        }
        let quantile = ((1.0 - rest) * 1e9).round() / 1e9;
        points.push((quantile, histogram.value_at_quantile(quantile)));
    }
    points.push((1.0, histogram.max()));
    points
}

#[cfg(test)]
mod tests;
