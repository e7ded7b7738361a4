//! Artefacts for tests.

use crate::artefact::{ARTEFACT_FORMAT, Artefact};
use crate::histogram;
use crate::measure::{Role, Sheet, ratios};
use spinward_recorder::Fingerprint;

/// A run of the suite `book` with three rounds whose medians are `p50` − 1 %, `p50` and `p50` + 1 %, beside a control of 1,000 ns.
pub(crate) fn artefact(p50: u64) -> Artefact {
    let mut sheet = Sheet::default();
    for round in [99, 100, 101] {
        for (name, role, control, middle) in [
            ("hot", Role::Subject, Some("naive"), p50),
            ("naive", Role::Control, None, 1_000),
            (crate::floor::HICCUP, Role::Floor, None, 20),
        ] {
            let mut samples = histogram().unwrap();
            for step in 0..2_000u64 {
                // From half of the middle up, with a tail.
                let tail = if step > 1_990 { 40 } else { 1 };
                samples.saturating_record((middle * round / 100) * (500 + step / 2) / 1_000 * tail);
            }
            sheet.latency(name, role, control, &samples).unwrap();
        }
        sheet.mean("flat", Role::Subject, None, p50 * 100, 1_000);
        sheet.end_round(crate::bench::now());
    }
    let metrics = sheet.metrics();
    Artefact {
        format: ARTEFACT_FORMAT,
        suite: "book".to_owned(),
        started: "2026-11-23T09:00:00Z".to_owned(),
        took_seconds: 1.5,
        version: "0.1.0".to_owned(),
        commit: "abc123".to_owned(),
        build: "release".to_owned(),
        fingerprint: Fingerprint {
            host: "colo7".to_owned(),
            cpu: "a <fast> one".to_owned(),
            ..Fingerprint::default()
        },
        config: [("market".to_owned(), "hot".to_owned())].into(),
        config_fingerprint: "0".to_owned(),
        rounds: 3,
        seconds: 0.2,
        ratios: ratios(&metrics),
        metrics,
        curve: Vec::new(),
        knee: None,
        skipped: vec!["split: this host has 2 cores".to_owned()],
        interval_log: "x.hlog".to_owned(),
    }
}
