//! What disturbed the threads while an order was under way.

use super::time_of_day;
use crate::cli::output::nanos;
use spinward_recorder::{GapRow, InterferenceRow, Sample};

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

/// Gaps that are told one by one.
const TOLD_GAPS: usize = 4;

/// The rows for people, a line each: the longest gaps, what the others come to, then the samples.
pub(crate) fn lines(rows: &[InterferenceRow]) -> Vec<String> {
    let length = |row: &InterferenceRow| row.span().1 - row.span().0;
    let (mut gaps, samples): (Vec<_>, Vec<_>) =
        rows.iter().partition(|row| matches!(row, InterferenceRow::Gap(_)));
    gaps.sort_by_key(|row| std::cmp::Reverse(length(row)));
    let others = gaps.split_off(gaps.len().min(TOLD_GAPS));
    gaps.sort_by_key(|row| row.span());
    let mut lines: Vec<String> = gaps.into_iter().map(text).collect();
    if !others.is_empty() {
        let sum: i64 = others.iter().map(|row| length(row)).sum();
        lines.push(format!(
            "{} shorter gaps, {} in all (`--json` has each)",
            others.len(),
            nanos(u64::try_from(sum).unwrap_or(0))
        ));
    }
    lines.extend(samples.into_iter().map(text));
    lines
}

/// One row for people, such as `gap of 1.10 ms on sw1-normalizer (core 5) from 14:03:07.012345678, idle`.
fn text(row: &InterferenceRow) -> String {
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
    let softirqs: u64 = sample.softirqs.values().sum();
    let more = [(softirqs, "softirqs"), (sample.minor_faults, "minor page faults"), (sample.gaps, "gaps")];
    let mut parts: Vec<String> = interrupts(sample).take(NAMED_MAX).collect();
    parts.extend(taken(sample));
    parts.extend(counted(&more));
    if parts.is_empty() { "only voluntary switches".to_owned() } else { parts.join(", ") }
}

fn is_device(name: &str) -> bool {
    name.contains("(irq ")
}

/// Interrupts by name, those of devices first: these are news, the processor's own ticks are not.
fn interrupts(sample: &Sample) -> impl Iterator<Item = String> {
    let mut interrupts: Vec<(&String, &u64)> = sample.interrupts.iter().collect();
    interrupts.sort_by_key(|(name, count)| (!is_device(name), std::cmp::Reverse(**count)));
    interrupts.into_iter().map(|(name, count)| format!("{count} {name}"))
}

/// What took the core away, or time from it.
fn taken(sample: &Sample) -> Vec<String> {
    let counts = [
        (sample.involuntary_switches, "involuntary switches"),
        (sample.migrations, "migrations"),
        (sample.major_faults, "major page faults"),
    ];
    let times = [(sample.waited_ns, "waiting for the core"), (sample.steal_ns, "stolen")];
    let times =
        times.iter().filter(|(time, _)| *time > 0).map(|(time, what)| format!("{} {what}", nanos(*time)));
    times.chain(counted(&counts)).collect()
}

fn counted<'a>(counts: &'a [(u64, &'a str)]) -> impl Iterator<Item = String> + 'a {
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"))
}

/// What stood in the way of whoever was under way from one time to the other, in a line, such as `3 eth0 (irq 41), 1 involuntary switches on core 5
/// (gap of 50.00 µs, idle)`: the longest gap in common with it, and what the system did to that thread's core in the interval it lies in. Without
/// a gap: what the interval held that should not be there at all.
pub(crate) fn blame(rows: &[InterferenceRow], from_ns: i64, to_ns: i64) -> Option<String> {
    let found = overlapping(rows, from_ns, to_ns);
    let common = |gap: &&GapRow| gap.to_ns.min(to_ns) - gap.from_ns.max(from_ns);
    let gaps = found.iter().filter_map(|row| match row {
        InterferenceRow::Gap(gap) => Some(gap),
        InterferenceRow::Sample(_) => None,
    });
    let gap = gaps.max_by_key(common);
    let samples = found.iter().filter_map(|row| match row {
        InterferenceRow::Sample(sample) => Some(sample),
        InterferenceRow::Gap(_) => None,
    });
    let devices =
        |sample: &Sample| -> Vec<String> { interrupts(sample).filter(|text| is_device(text)).collect() };
    let Some(gap) = gap else {
        return samples
            .map(|sample| (sample, [devices(sample), taken(sample)].concat()))
            .find(|(_, parts)| !parts.is_empty())
            .map(|(sample, parts)| format!("{} on core {}", parts.join(", "), sample.core));
    };
    let how = if gap.worked { "with work in it" } else { "idle" };
    let length = nanos(u64::try_from(gap.to_ns - gap.from_ns).unwrap_or(0));
    let Some(sample) = samples.into_iter().find(|sample| sample.thread == gap.thread) else {
        return Some(format!("gap of {length} on {}, {how}", gap.thread));
    };
    // Who had the core for most of the gap stands first.
    let away_ns = i64::try_from(sample.waited_ns.saturating_add(sample.steal_ns)).unwrap_or(i64::MAX);
    let mut parts = if away_ns >= (gap.to_ns - gap.from_ns) / 2 {
        [taken(sample), devices(sample)].concat()
    } else {
        [devices(sample), taken(sample)].concat()
    };
    if parts.is_empty() {
        parts.extend(interrupts(sample).take(2));
    }
    let what = if parts.is_empty() { "nothing known".to_owned() } else { parts.join(", ") };
    Some(format!("{what} on core {} (gap of {length}, {how})", sample.core))
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn many_gaps_are_told_by_the_longest_ones_and_what_the_others_come_to() {
        let gap = |at: i64, length: i64| {
            InterferenceRow::Gap(GapRow { from_ns: at, to_ns: at + length, ..GapRow::default() })
        };
        let mut rows: Vec<_> = (1..=10).map(|number| gap(number * 1_000_000, number * 10_000)).collect();
        rows.extend(self::rows().into_iter().filter(|row| matches!(row, InterferenceRow::Sample(_))));
        let told = lines(&rows);
        assert_eq!(told.len(), 4 + 1 + 2);
        assert!(
            told[0].starts_with("gap of 70.00 µs") && told[3].starts_with("gap of 100.00 µs"),
            "{told:?}"
        );
        assert_eq!(told[4], "6 shorter gaps, 210.00 µs in all (`--json` has each)");
    }

    #[test]
    fn an_outlier_is_laid_to_what_happened_on_the_core_that_stood_still() {
        let rows = rows();
        assert_eq!(
            blame(&rows, SECOND + 1_000, SECOND + 60_000).unwrap(),
            "3 eth0 (irq 41), 1 involuntary switches on core 5 (gap of 50.00 µs, idle)"
        );
        let mut waited = rows.clone();
        if let Some(InterferenceRow::Sample(sample)) = waited.first_mut() {
            sample.waited_ns = 40_000;
        }
        assert_eq!(
            blame(&waited, SECOND + 1_000, SECOND + 60_000).unwrap(),
            "40.00 µs waiting for the core, 1 involuntary switches, 3 eth0 (irq 41) on core 5 (gap of 50.00 µs, idle)"
        );
        // No gap at that time: what should not be there at all.
        assert_eq!(blame(&rows, 2 * SECOND + 1, 2 * SECOND + 2).unwrap(), "3 eth0 (irq 41) on core 5");
        assert_eq!(blame(&rows, 0, SECOND - 1), None);
    }

    #[test]
    fn a_gap_without_anything_but_the_kernels_tick_is_laid_to_the_tick() {
        let mut rows = rows();
        if let Some(InterferenceRow::Sample(sample)) = rows.first_mut() {
            sample.interrupts.retain(|name, _| !is_device(name));
            sample.involuntary_switches = 0;
        }
        let told = |rows: &[InterferenceRow]| blame(rows, SECOND + 1_000, SECOND + 60_000).unwrap();
        assert_eq!(told(&rows), "25 Local timer interrupts (LOC) on core 5 (gap of 50.00 µs, idle)");
        assert_eq!(
            told(&rows[1..]),
            "gap of 50.00 µs on sw1-normalizer, idle",
            "the interval is not over yet"
        );
    }
}
