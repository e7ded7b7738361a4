//! [`compare`]: two runs of one suite, metric by metric, with what the rounds of each say of the noise.

use crate::artefact::Artefact;
use crate::measure::{Metric, Role};
use serde::Serialize;

/// The quantities that are compared.
pub const QUANTITIES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];

/// What a change amounts to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The change is not larger than the noise.
    WithinNoise,
    /// Shorter, by more than the noise.
    Faster,
    /// Longer, by more than the noise.
    Slower,
    /// A run has fewer than two rounds with this metric: nothing is known of its noise.
    NoiseUnknown,
}

impl Verdict {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::WithinNoise => "within noise",
            Verdict::Faster => "faster",
            Verdict::Slower => "SLOWER",
            Verdict::NoiseUnknown => "noise unknown",
        }
    }
}

/// One quantity of one metric.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// The metric.
    pub metric: String,
    /// What it stands for.
    pub role: Role,
    /// `p50`, `p90`, `p99`, `p99.9`, or `mean` where only that was taken.
    pub quantity: &'static str,
    /// Median of the rounds of the first run, nanoseconds.
    pub a_ns: f64,
    /// Of the second.
    pub b_ns: f64,
    /// From the first to the second, per cent of the first.
    pub change_percent: f64,
    /// Half of the span between the lowest and the highest round, per cent of the median, of the run in which it is wider.
    pub noise_percent: Option<f64>,
    /// What it amounts to.
    pub verdict: Verdict,
}

/// Something in which the two hosts or builds differ.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Flag {
    /// Name of the field.
    pub field: String,
    /// In the first run.
    pub a: String,
    /// In the second.
    pub b: String,
}

/// What [`compare`] finds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// Commits of the two.
    pub commits: [String; 2],
    /// Why they must not be compared: other suite, configuration or kind of build. Then there are no changes.
    pub refused: Vec<Flag>,
    /// Fields of the hosts' fingerprints that differ: what changed may be the host's doing.
    pub flags: Vec<Flag>,
    /// The changes, in the order of the first run.
    pub changes: Vec<Change>,
    /// Metrics that only one of the two has (a host whose cores lay otherwise gives other labels).
    pub unmatched: Vec<String>,
}

/// Compares two runs.
pub fn compare(a: &Artefact, b: &Artefact) -> Comparison {
    let flag =
        |field: &str, a: &str, b: &str| Flag { field: field.to_owned(), a: a.to_owned(), b: b.to_owned() };
    let mut refused = Vec::new();
    for (field, here, there) in [("suite", &a.suite, &b.suite), ("build", &a.build, &b.build)] {
        if here != there {
            refused.push(flag(field, here, there));
        }
    }
    if a.suite == b.suite {
        let keys: std::collections::BTreeSet<&String> = a.config.keys().chain(b.config.keys()).collect();
        for key in keys {
            let absent = String::from("absent");
            let (here, there) = (a.config.get(key).unwrap_or(&absent), b.config.get(key).unwrap_or(&absent));
            if here != there {
                refused.push(flag(&format!("config.{key}"), here, there));
            }
        }
    }
    let differences = a.fingerprint.differences(&b.fingerprint);
    let flags = differences.into_iter().map(|(field, here, there)| flag(field, here, there)).collect();
    let (mut changes, mut unmatched) = (Vec::new(), Vec::new());
    if refused.is_empty() {
        for metric in &a.metrics {
            match b.metric(&metric.name) {
                Some(other) => changes.extend(of_metric(metric, other)),
                None => unmatched.push(metric.name.clone()),
            }
        }
        let only_b = b.metrics.iter().filter(|metric| a.metric(&metric.name).is_none());
        unmatched.extend(only_b.map(|metric| metric.name.clone()));
    }
    Comparison { commits: [a.commit.clone(), b.commit.clone()], refused, flags, changes, unmatched }
}

fn of_metric<'a>(a: &'a Metric, b: &'a Metric) -> impl Iterator<Item = Change> + 'a {
    let has_percentiles = a.has_percentiles() && b.has_percentiles();
    let quantities: &[&str] = if has_percentiles { &QUANTITIES } else { &["mean"] };
    quantities.iter().filter_map(move |quantity| {
        let (a_ns, b_ns) = (a.median(quantity)?, b.median(quantity)?);
        // Nothing is a share of nothing.
        let change_percent = if a_ns > 0.0 { (b_ns / a_ns - 1.0) * 100.0 } else { 0.0 };
        let noise_percent = noise(a, quantity).zip(noise(b, quantity)).map(|(a, b)| a.max(b));
        let verdict = match noise_percent {
            None => Verdict::NoiseUnknown,
            Some(noise) if change_percent.abs() <= noise => Verdict::WithinNoise,
            Some(_) if change_percent < 0.0 => Verdict::Faster,
            Some(_) => Verdict::Slower,
        };
        let (metric, role) = (a.name.clone(), a.role);
        Some(Change { metric, role, quantity, a_ns, b_ns, change_percent, noise_percent, verdict })
    })
}

/// Half of the span of the rounds in per cent of their median.
fn noise(metric: &Metric, quantity: &str) -> Option<f64> {
    let (low, high) = metric.range(quantity).filter(|_| metric.rounds.len() > 1)?;
    let median = metric.median(quantity).filter(|median| *median > 0.0)?;
    Some((high - low) / 2.0 / median * 100.0)
}

#[cfg(test)]
mod tests;
