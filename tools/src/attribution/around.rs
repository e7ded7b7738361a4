//! What disturbed the threads while an order was under way.

use super::{order_text, steps, time_of_day};
use crate::cli::output::nanos;
use spinward_recorder::{Decision, InterferenceRow, Sample};

/// Most kinds of interrupts that are named for one thread.
const NAMED_MAX: usize = 4;

/// Rows that have any time in common with the span, gaps first, then in order of time.
pub(crate) fn overlapping(rows: &[InterferenceRow], from_ns: i64, to_ns: i64) -> Vec<&InterferenceRow> {
    let meets = |row: &&InterferenceRow| {
        let (from, to) = row.span();
        from <= to_ns && to >= from_ns
    };
    let mut found: Vec<&InterferenceRow> = rows.iter().filter(meets).collect();
    found.sort_by_key(|row| (matches!(row, InterferenceRow::Sample(_)), row.span()));
    found
}

/// One row for people, such as `gap of 1.10 ms on sw1-normalizer (core 5) from 14:03:07.012345678, idle`.
pub(crate) fn text(row: &InterferenceRow) -> String {
    match row {
        InterferenceRow::Gap(gap) => {
            let core = gap.core.map_or_else(String::new, |core| format!(" (core {core})"));
            format!(
                "gap of {} on {}{core} from {}, {}",
                nanos(u64::try_from(gap.to_ns - gap.from_ns).unwrap_or(0)),
                gap.thread,
                time_of_day(gap.from_ns),
                if gap.worked { "with work in it" } else { "idle" }
            )
        }
        InterferenceRow::Sample(sample) => format!(
            "{} on core {} of {} in the {} from {}",
            happened(sample),
            sample.core,
            sample.thread,
            nanos(u64::try_from(sample.to_ns - sample.from_ns).unwrap_or(0)),
            time_of_day(sample.from_ns)
        ),
    }
}

/// `3 eth0 (irq 41), 25 Local timer interrupts (LOC), 2 involuntary switches, 1.2 ms stolen`.
fn happened(sample: &Sample) -> String {
    let mut interrupts: Vec<(&String, u64)> =
        sample.interrupts.iter().map(|(name, count)| (name, *count)).collect();
    // A device is news, the processor's own ticks are not: these stand behind.
    interrupts.sort_by_key(|(name, count)| (!name.contains("(irq "), std::cmp::Reverse(*count)));
    let mut parts: Vec<String> =
        interrupts.iter().take(NAMED_MAX).map(|(name, count)| format!("{count} {name}")).collect();
    let softirqs: u64 = sample.softirqs.values().sum();
    let counts = [
        (softirqs, "softirqs"),
        (sample.involuntary_switches, "involuntary switches"),
        (sample.migrations, "migrations"),
        (sample.major_faults, "major page faults"),
        (sample.minor_faults, "minor page faults"),
        (sample.gaps, "gaps"),
    ];
    parts
        .extend(counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    for (time, what) in [(sample.waited_ns, "waiting for the core"), (sample.steal_ns, "stolen")] {
        if time > 0 {
            parts.push(format!("{} {what}", nanos(time)));
        }
    }
    if parts.is_empty() { "only voluntary switches".to_owned() } else { parts.join(", ") }
}

/// One line for the summary of a session.
pub(crate) fn slowest_line(decision: &Decision, rows: &[InterferenceRow]) -> String {
    let (from, to) = (decision.received.get(), decision.risk.done.get());
    let steps = steps::of_decision(decision);
    let mut text = format!(
        "slowest tick to order {} at {} (order {})",
        nanos(u64::try_from(to - from).unwrap_or(0)),
        time_of_day(from),
        order_text(decision.order)
    );
    if let Some(step) = steps::longest(&steps) {
        text.push_str(&format!(": {} {}", step.step, nanos(step.took_ns)));
    }
    if let Some(row) = overlapping(rows, from, to).first() {
        text.push_str(&format!("; {}", self::text(row)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use spinward_engine::words::Nanos;
    use spinward_recorder::{GapRow, StageTimes};

    const SECOND: i64 = 1_000_000_000;

    fn rows() -> Vec<InterferenceRow> {
        let sample = |from_ns: i64, involuntary_switches| {
            InterferenceRow::Sample(Sample {
                thread: "sw1-normalizer".to_owned(),
                core: 5,
                from_ns,
                to_ns: from_ns + SECOND / 10,
                involuntary_switches,
                interrupts: [
                    ("Local timer interrupts (LOC)".to_owned(), 25),
                    ("eth0 (irq 41)".to_owned(), 3),
                ]
                .into(),
                ..Sample::default()
            })
        };
        let gap = InterferenceRow::Gap(GapRow {
            thread: "sw1-normalizer".to_owned(),
            core: Some(5),
            from_ns: SECOND + 5_000,
            to_ns: SECOND + 55_000,
            worked: false,
        });
        vec![sample(SECOND, 1), gap, sample(2 * SECOND, 0)]
    }

    #[test]
    fn what_overlaps_is_told_gaps_first() {
        let rows = rows();
        let told: Vec<String> =
            overlapping(&rows, SECOND + 1_000, SECOND + 60_000).into_iter().map(text).collect();
        assert_eq!(
            told,
            [
                "gap of 50.00 µs on sw1-normalizer (core 5) from 00:00:01.000005000, idle",
                "3 eth0 (irq 41), 25 Local timer interrupts (LOC), 1 involuntary switches on core 5 of sw1-normalizer in the 100.00 ms from 00:00:01.000000000",
            ]
        );
        assert_eq!(overlapping(&rows, SECOND + 56_000, SECOND + 60_000).len(), 1, "the gap was over");
        assert_eq!(overlapping(&rows, 0, SECOND - 1).len(), 0);
    }

    #[test]
    fn the_summary_names_the_stage_and_the_disturbance() {
        let decision = Decision {
            order: spinward_engine::words::OrderId::new(25),
            received: Nanos::new(SECOND),
            normalizer: StageTimes { start: Nanos::new(SECOND + 56_000), done: Nanos::new(SECOND + 56_100) },
            risk: StageTimes { start: Nanos::new(SECOND + 56_100), done: Nanos::new(SECOND + 56_200) },
            ..Decision::default()
        };
        assert_eq!(
            slowest_line(&decision, &rows()),
            "slowest tick to order 56.20 µs at 00:00:01.000000000 (order 0:25): normalizer queue 56.00 µs; gap of 50.00 µs on sw1-normalizer (core 5) from 00:00:01.000005000, idle"
        );
    }
}
