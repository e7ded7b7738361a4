//! The tail of a session: which order stands at each percentile of the way from a frame's stamp to the order sent, and what stood in its way.

use super::{around, order_text, steps, time_of_day};
use crate::cli::output::nanos;
use serde::Serialize;
use spinward_recorder::{
    InterferenceRow, JournalError, Life, LifeRecord, Lives, SessionFolder, read_interference,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Percentiles with how many orders there are for each one above it.
const PERCENTILES: [(&str, usize); 5] =
    [("p90", 10), ("p99", 100), ("p99.9", 1_000), ("p99.99", 10_000), ("p99.999", 100_000)];

/// An order at a percentile. Times on the stamps' clock, nanoseconds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outlier {
    pub(crate) percentile: &'static str,
    pub(crate) order: u64,
    pub(crate) order_text: String,
    pub(crate) received_ns: i64,
    pub(crate) total_ns: u64,
    pub(crate) slowest_step: String,
    pub(crate) slowest_step_ns: u64,
    /// What the system did meanwhile to the thread that stood still.
    pub(crate) blame: Option<String>,
}

/// All messages that left with stamps, by how long they took.
pub(crate) struct Ranking {
    /// Length and number in the stream, the slowest first, the earlier one first among equals.
    lengths: Vec<(u64, u64)>,
}

/// How long a message took, if it left and has stamps.
fn length(record: &LifeRecord) -> Option<u64> {
    match record {
        LifeRecord::Life(life) if life.decision.code_number == 0 => life.length_ns(),
        LifeRecord::Life(_) | LifeRecord::Answer { .. } => None,
    }
}

impl Ranking {
    /// Of a session; `None` if it stored no stamps of its orders.
    pub(crate) fn read(folder: &SessionFolder) -> Result<Option<Self>, JournalError> {
        if !folder.orders().is_dir() {
            return Ok(None);
        }
        let mut lives = Lives::open(&folder.orders(), &folder.exits())?;
        let mut lengths = Vec::new();
        let mut number = 0;
        while let Some(record) = lives.next()? {
            lengths.extend(length(&record).map(|length| (length, number)));
            number += 1;
        }
        lengths.sort_unstable_by_key(|(length, number)| (Reverse(*length), *number));
        Ok(Some(Self { lengths }))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lengths.len()
    }

    /// Numbers of the slowest ones, the slowest first.
    pub(crate) fn slowest(&self, count: usize) -> Vec<u64> {
        self.lengths.iter().take(count).map(|(_, number)| *number).collect()
    }

    /// Numbers of the messages at the percentiles, up to the one that is the slowest of all.
    pub(crate) fn tail(&self) -> Vec<(&'static str, u64)> {
        let mut tail = Vec::new();
        for (name, orders) in PERCENTILES {
            let above = self.count() / orders;
            tail.extend(self.lengths.get(above).map(|(_, number)| (name, *number)));
            if above == 0 {
                break;
            }
        }
        tail
    }
}

/// The messages with these numbers in the stream.
pub(crate) fn lives(
    folder: &SessionFolder,
    numbers: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Life>, JournalError> {
    let mut found = BTreeMap::new();
    let mut lives = Lives::open(&folder.orders(), &folder.exits())?;
    let mut number = 0;
    while let Some(record) = lives.next()? {
        if let LifeRecord::Life(life) = record
            && numbers.contains(&number)
        {
            found.insert(number, life);
        }
        number += 1;
    }
    Ok(found)
}

/// The whole tail of a session, for its summary; empty if it stored no stamps of its orders.
pub(crate) fn of_session(folder: &SessionFolder) -> Result<Vec<Outlier>, JournalError> {
    let Some(ranking) = Ranking::read(folder)? else { return Ok(Vec::new()) };
    let tail = ranking.tail();
    let lives = lives(folder, &tail.iter().map(|(_, number)| *number).collect())?;
    let rows = read_interference(&folder.interference())?.map(|found| found.rows).unwrap_or_default();
    Ok(outliers(&tail, &lives, &rows))
}

/// The outliers of a tail.
pub(crate) fn outliers(
    tail: &[(&'static str, u64)],
    lives: &BTreeMap<u64, Life>,
    rows: &[InterferenceRow],
) -> Vec<Outlier> {
    let outlier = |(percentile, number): &(&'static str, u64)| {
        let life = lives.get(number)?;
        let (received, steps) = (life.decision.received, steps::of_life(life));
        let longest = steps::longest(&steps);
        Some(Outlier {
            percentile,
            order: life.decision.order.get(),
            order_text: order_text(life.decision.order),
            received_ns: received.get(),
            total_ns: life.length_ns()?,
            slowest_step: longest.map_or_else(String::new, |step| step.step.to_owned()),
            slowest_step_ns: longest.map_or(0, |step| step.took_ns),
            blame: around::blame(rows, received.get(), life.ended().get()),
        })
    };
    tail.iter().filter_map(outlier).collect()
}

/// `p99.99    56.20 µs at 14:03:07.012345678 = 3 eth0 (irq 41) on core 5 (gap of 50.00 µs, idle); order 0:25: normalizer queue 56.00 µs`.
impl fmt::Display for Outlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:>10} at {} = {}; order {}: {} {}",
            self.percentile,
            nanos(self.total_ns),
            time_of_day(self.received_ns),
            self.blame.as_deref().unwrap_or("nothing from outside was noted"),
            self.order_text,
            self.slowest_step,
            nanos(self.slowest_step_ns),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(count: u64) -> Vec<(&'static str, u64)> {
        // The message with number n takes n nanoseconds.
        let lengths = (0..count).rev().map(|number| (number, number)).collect();
        Ranking { lengths }.tail()
    }

    #[test]
    fn an_outlier_is_told_with_its_time_and_its_cause() {
        let mut outlier = Outlier {
            percentile: "p99.99",
            order: 25,
            order_text: "0:25".to_owned(),
            received_ns: 50_587_012_345_678,
            total_ns: 56_200,
            slowest_step: "normalizer queue".to_owned(),
            slowest_step_ns: 56_000,
            blame: Some("3 eth0 (irq 41) on core 5 (gap of 50.00 µs, idle)".to_owned()),
        };
        assert_eq!(
            outlier.to_string(),
            "p99.99     56.20 µs at 14:03:07.012345678 = 3 eth0 (irq 41) on core 5 (gap of 50.00 µs, idle); order 0:25: normalizer queue 56.00 µs"
        );
        outlier.blame = None;
        assert!(outlier.to_string().contains("= nothing from outside was noted; order"));
    }

    #[test]
    fn a_percentile_is_the_length_that_so_many_do_not_exceed_and_the_last_one_is_the_slowest() {
        assert_eq!(tail_of(0), []);
        assert_eq!(tail_of(1), [("p90", 0)]);
        assert_eq!(tail_of(50), [("p90", 44), ("p99", 49)]);
        // Of 10,000 the 9,000th, 9,900th, 9,990th, 9,999th and the last one, counted from 1.
        let ten_thousand =
            [("p90", 8_999), ("p99", 9_899), ("p99.9", 9_989), ("p99.99", 9_998), ("p99.999", 9_999)];
        assert_eq!(tail_of(10_000), ten_thousand);
        assert_eq!(tail_of(9_999).last(), Some(&("p99.99", 9_998)));
    }
}
