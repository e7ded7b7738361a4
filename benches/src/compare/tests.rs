use super::*;
use crate::samples::artefact;

fn change<'a>(found: &'a Comparison, metric: &str, quantity: &str) -> &'a Change {
    found.changes.iter().find(|change| change.metric == metric && change.quantity == quantity).unwrap()
}

#[test]
fn a_run_against_itself_changes_nothing() {
    let found = compare(&artefact(400), &artefact(400));
    assert!(found.refused.is_empty() && found.flags.is_empty() && found.unmatched.is_empty());
    assert_eq!(found.changes.len(), 3 * QUANTITIES.len() + 1);
    assert!(found.changes.iter().all(|change| change.change_percent == 0.0));
    let noise = change(&found, "hot", "p50").noise_percent.unwrap();
    assert!((0.8..1.3).contains(&noise), "rounds lie 1 % to either side: {noise}");
}

#[test]
fn a_change_beyond_the_spread_of_the_rounds_is_told_apart_from_noise() {
    let found = compare(&artefact(400), &artefact(480));
    let p50 = change(&found, "hot", "p50");
    assert!((p50.change_percent - 20.0).abs() < 1.0, "{p50:?}");
    assert_eq!(p50.verdict, Verdict::Slower);
    assert_eq!(change(&found, "hot", "p99.9").verdict, Verdict::Slower);
    assert_eq!(change(&found, "naive", "p50").verdict, Verdict::WithinNoise);
    assert_eq!(change(&found, "flat", "mean").quantity, "mean");
    assert_eq!(change(&compare(&artefact(480), &artefact(400)), "hot", "p90").verdict, Verdict::Faster);
    let close = compare(&artefact(1_000), &artefact(1_005));
    assert_eq!(change(&close, "hot", "p50").verdict, Verdict::WithinNoise);
}

#[test]
fn with_a_single_round_nothing_is_said_of_noise() {
    let mut one = artefact(400);
    one.metrics.iter_mut().for_each(|metric| metric.rounds.truncate(1));
    let found = compare(&one, &artefact(800));
    assert_eq!(change(&found, "hot", "p50").verdict, Verdict::NoiseUnknown);
}

#[test]
fn another_suite_configuration_or_build_is_refused_by_name() {
    let run = artefact(400);
    let mut suite = run.clone();
    suite.suite = "risk".to_owned();
    let mut config = run.clone();
    config.config.insert("market".to_owned(), "full".to_owned());
    let mut more = run.clone();
    more.config.insert("load".to_owned(), "closed".to_owned());
    let mut build = run.clone();
    build.build = "debug".to_owned();
    for (other, field) in
        [(suite, "suite"), (config, "config.market"), (more, "config.load"), (build, "build")]
    {
        let found = compare(&run, &other);
        assert_eq!(found.refused.iter().map(|flag| flag.field.as_str()).collect::<Vec<_>>(), [field]);
        assert!(found.changes.is_empty());
    }
}

#[test]
fn another_host_is_flagged_field_by_field_and_still_compared() {
    let mut other = artefact(400);
    other.fingerprint.host = "colo8".to_owned();
    other.fingerprint.governor = "powersave".to_owned();
    let found = compare(&artefact(400), &other);
    let fields: Vec<&str> = found.flags.iter().map(|flag| flag.field.as_str()).collect();
    assert_eq!(fields, ["host", "governor"]);
    assert!(!found.changes.is_empty());
}

#[test]
fn metrics_of_one_run_alone_are_named() {
    let mut other = artefact(400);
    other.metrics.retain(|metric| metric.name != "naive");
    assert_eq!(compare(&artefact(400), &other).unmatched, ["naive"]);
    assert_eq!(compare(&other, &artefact(400)).unmatched, ["naive"]);
}
