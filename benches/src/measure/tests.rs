use super::*;
use crate::histogram;
use crate::samples::artefact;

fn samples(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = histogram().unwrap();
    values.into_iter().for_each(|value| histogram.saturating_record(value));
    histogram
}

#[test]
fn a_metric_quotes_the_median_of_its_rounds_and_their_range() {
    let mut sheet = Sheet::default();
    for middle in [300, 100, 200] {
        sheet
            .latency("hop", Role::Subject, Some("bare"), &samples([middle - 50, middle, middle + 50]))
            .unwrap();
        sheet.mean("flat", Role::Subject, None, middle * 10, 10);
        sheet.end_round(Nanos::ZERO);
    }
    sheet.latency("bare", Role::Control, None, &samples([100])).unwrap();
    let metrics = sheet.metrics();
    assert_eq!(metrics[0].median("p50"), Some(200.0));
    assert_eq!(metrics[0].range("p50"), Some((100.0, 300.0)));
    assert_eq!(metrics[0].total.samples, 9);
    assert_eq!(metrics[1].median("mean"), Some(200.0));
    assert_eq!(metrics[1].total.samples, 30);
    assert_eq!(metrics[1].median("p50"), None);
    let expected = Ratio {
        subject: "hop".to_owned(),
        control: "bare".to_owned(),
        quantity: "p50".to_owned(),
        ratio: 2.0,
    };
    assert_eq!(ratios(&metrics), [expected]);
}

#[test]
fn a_round_without_samples_leaves_no_trace() {
    let mut sheet = Sheet::default();
    sheet.latency("none", Role::Subject, None, &samples([])).unwrap();
    assert!(sheet.metrics().is_empty());
}

#[test]
fn the_distribution_reaches_as_far_as_the_samples_and_no_farther() {
    let mut sheet = Sheet::default();
    sheet.latency("many", Role::Subject, None, &samples(1..=200_000)).unwrap();
    sheet.latency("few", Role::Subject, None, &samples(1..=10)).unwrap();
    let metrics = sheet.metrics();
    let deepest = |metric: &Metric| metric.distribution.iter().rev().nth(1).copied().unwrap();
    let (quantile, nanos) = deepest(&metrics[0]);
    assert!(quantile > 0.999_99 && quantile < 0.999_996 && nanos > 199_000, "{quantile} {nanos}");
    assert!(deepest(&metrics[1]).0 <= 0.9);
    assert!(metrics[0].distribution.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
}

#[test]
fn an_artefact_is_read_back_as_it_was_written_and_later_formats_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    let run = artefact(400);
    run.write(&path).unwrap();
    assert!(crate::artefact::Artefact::read(&path).unwrap() == run, "something was lost on the way");
    assert!(run.write(&path).is_err(), "a run is never overwritten");

    let later = std::fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
    let other = folder.path().join("later.json");
    std::fs::write(&other, later).unwrap();
    let error = crate::artefact::Artefact::read(&other).unwrap_err().to_string();
    assert!(error.contains("newer spinward") && error.contains("later.json"), "{error}");
    std::fs::write(&other, "{}").unwrap();
    let error = crate::artefact::Artefact::read(&other).unwrap_err().to_string();
    assert!(error.contains("not an artefact"), "{error}");
}

#[test]
fn the_interval_log_has_one_interval_a_round_tagged_with_the_metric() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.hlog");
    let mut sheet = Sheet::default();
    let begin = Nanos::from_secs(1_700_000_000);
    for round in 1..=2 {
        sheet.latency("ring hop [near]", Role::Subject, None, &samples([100; 5])).unwrap();
        sheet.mean("flat", Role::Subject, None, 1, 1);
        sheet.end_round(begin.after(Nanos::from_secs(round)));
    }
    assert_eq!(sheet.write_log(&path, begin, "suite=ring; host=x").unwrap(), 2);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("host=x"), "{text}");
    assert_eq!(text.matches("Tag=ring_hop_[near],").count(), 2, "{text}");
    assert!(!text.contains("Tag=flat"));
}

#[test]
fn what_differs_only_in_its_label_stands_together() {
    let mut sheet = Sheet::default();
    for name in ["hop [near]", "flat", "hop [far]"] {
        sheet.mean(name, Role::Subject, None, 1, 1);
    }
    let names: Vec<String> = sheet.metrics().into_iter().map(|metric| metric.name).collect();
    assert_eq!(names, ["hop [far]", "hop [near]", "flat"]);
}
