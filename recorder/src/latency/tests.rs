use super::*;
use base64_of_log::decode;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

/// Base 64 as the interval log has it; the crate that the histogram crate uses for it is not a dependency of ours.
mod base64_of_log {
    pub(super) fn decode(text: &str) -> Vec<u8> {
        let value = |c: u8| match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let mut bytes = Vec::new();
        for four in text.trim_end_matches('=').as_bytes().chunks(4) {
            let bits =
                four.iter().fold(0u32, |bits, &c| bits << 6 | u32::from(value(c))) << (6 * (4 - four.len()));
            bytes.extend(bits.to_be_bytes().iter().skip(1).take(four.len() * 3 / 4));
        }
        bytes
    }
}

fn nanos(seconds: i64) -> Nanos {
    Nanos::from_secs(seconds)
}

#[test]
fn an_interval_log_is_parsed_back_with_every_sample() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stages.hlog");
    let mut histograms = LatencyHistograms::new(["book", "risk, all", "idle"]).unwrap();
    let mut log = LatencyLog::create(&path, nanos(1_700_000_000), "spinward, session x").unwrap();
    for sample in 1..=1000 {
        histograms.record(0, sample);
    }
    histograms.record(1, 5);
    log.write_interval(&mut histograms, nanos(1_700_000_001)).unwrap();
    histograms.record(0, 7_000_000);
    log.write_interval(&mut histograms, nanos(1_700_000_003)).unwrap();
    assert_eq!(log.lines(), 3);

    let text = std::fs::read(&path).unwrap();
    let head = String::from_utf8(text.clone()).unwrap();
    assert!(head.starts_with("#[spinward, session x]\n#[Histogram log format version 1.3]\n"), "{head}");
    let mut intervals = Vec::new();
    let mut base = None;
    for entry in IntervalLogIterator::new(&text) {
        match entry.unwrap() {
            LogEntry::BaseTime(time) => base = Some(time),
            LogEntry::StartTime(time) => assert_eq!(time, Duration::from_secs(1_700_000_000)),
            LogEntry::Interval(interval) => {
                let bytes = decode(interval.encoded_histogram());
                let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                let tag = interval.tag().unwrap().as_str().to_owned();
                intervals.push((tag, interval.start_timestamp(), interval.duration(), histogram));
            }
        }
    }
    assert_eq!(base, Some(Duration::from_secs(1_700_000_000)));
    let heads: Vec<_> = intervals
        .iter()
        .map(|(tag, start, length, histogram)| {
            (tag.as_str(), start.as_secs(), length.as_secs(), histogram.len())
        })
        .collect();
    assert_eq!(heads, [("book", 0, 1, 1000), ("risk__all", 0, 1, 1), ("book", 1, 2, 1)]);
    assert_eq!(intervals[0].3.value_at_quantile(0.5), 500);
    assert_eq!(intervals[0].3.count_at(1), 1);
    assert!(intervals[2].3.equivalent(intervals[2].3.max(), 7_000_000));
}

#[test]
fn the_summary_counts_every_interval_and_keeps_three_digits() {
    let mut histograms = LatencyHistograms::new(["one", "two"]).unwrap();
    for sample in 1..=10_000u64 {
        histograms.record(0, sample * 100);
    }
    let first = histograms.summary();
    for sample in 1..=10_000u64 {
        histograms.record(0, sample * 100);
    }
    let rows = histograms.summary();
    assert_eq!((first[0].count, rows[0].count), (10_000, 20_000));
    for (found, exact) in [
        (rows[0].p50_ns, 500_000),
        (rows[0].p90_ns, 900_000),
        (rows[0].p99_ns, 990_000),
        (rows[0].p999_ns, 999_000),
    ] {
        assert!(found.abs_diff(exact) * 1000 <= exact, "{found} for {exact}");
    }
    assert!(rows[0].max_ns >= 1_000_000);
    assert_eq!((rows[1].stage.as_str(), rows[1].count, rows[1].p99_ns, rows[1].max_ns), ("two", 0, 0, 0));
}

#[test]
fn samples_out_of_range_are_held_within_it_and_unknown_stages_ignored() {
    let mut histograms = LatencyHistograms::new(["one"]).unwrap();
    histograms.record(0, 0);
    histograms.record(0, u64::MAX);
    histograms.record(1, 5);
    let row = &histograms.summary()[0];
    assert_eq!((row.count, row.p50_ns), (2, 1));
    assert!(row.max_ns >= LATENCY_NS_MAX && row.max_ns < LATENCY_NS_MAX / 1000 * 1001);
}

#[test]
fn histograms_of_two_taps_add_up() {
    let mut one = LatencyHistograms::new(["a"]).unwrap();
    let mut two = LatencyHistograms::new(["a"]).unwrap();
    one.record(0, 10);
    two.record(0, 1000);
    one.absorb(&mut two);
    one.absorb(&mut two);
    assert_eq!(one.summary()[0].count, 2);
    assert_eq!(one.total(0).unwrap().min(), 10);
    assert!(one.total(1).is_none());
}

#[test]
fn a_log_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stages.hlog");
    LatencyLog::create(&path, nanos(1), "first").unwrap();
    let error = LatencyLog::create(&path, nanos(2), "second").unwrap_err();
    assert!(error.to_string().contains("stages.hlog"), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("first"));
}

#[test]
fn a_histogram_recorded_elsewhere_is_taken_whole() {
    let mut elsewhere = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3).unwrap();
    elsewhere.record_n(500, 7).unwrap();
    elsewhere.record_n(123_456, 2).unwrap();
    let mut histograms = LatencyHistograms::new(["a"]).unwrap();
    histograms.add(0, &elsewhere);
    histograms.add(1, &elsewhere);
    let total = histograms.total(0).unwrap();
    assert_eq!((total.len(), total.count_at(500), total.count_at(123_456)), (9, 7, 2));
}
