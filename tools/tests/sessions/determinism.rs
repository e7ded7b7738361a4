//! The same seed, the same session: at any pace, in any topology, again and again.

use crate::setup::{configuration, digests, replay, run, session_of, text};
use crate::support::Program;

#[test]
fn a_synthetic_session_trades_and_its_seed_decides_all_of_it() {
    let program = Program::new();
    let session = |seed: &str| run(&program, &["--duration", "2s", "--pace", "max", "--seed", seed]);
    let first = session("7");
    for what in ["frames", "intents", "orders", "fills"] {
        assert!(first[what].as_u64().unwrap() > 0, "{what}: {first}");
    }
    assert_eq!(first["problems"].as_array().unwrap().len(), 0, "{first}");
    assert_eq!(first["seed"], 7);
    assert!(digests(&first).iter().all(|(_, records, _)| *records > 0), "{first}");

    let again = session("7");
    assert_ne!(again["session"], first["session"], "a session has a folder of its own");
    assert_eq!(digests(&again), digests(&first));
    let other = session("8");
    for (one, two) in digests(&other).iter().zip(&digests(&first)) {
        assert_ne!(one.2, two.2, "another seed gives other {}", one.0);
    }

    for summary in [&first, &again, &other] {
        let report = replay(&program, &session_of(&program, summary), "fused");
        assert_eq!(digests(&report), digests(summary));
        assert_eq!(report["frames"], summary["frames"]);
        assert_eq!(report["has_ended"], true);
    }
}

#[test]
fn neither_pace_nor_topology_changes_a_digest() {
    let program = Program::new();
    let config = configuration(&program, &[]);
    let ways = [
        ("max", "fused"),
        ("max", "split"),
        ("max", "custom"),
        ("max", "auto"),
        ("x50", "split"),
        ("x50", "custom"),
        ("realtime", "fused"),
    ];
    let mut first = None;
    for (pace, topology) in ways {
        let words = [
            "--config",
            text(&config),
            "--duration",
            "1s",
            "--seed",
            "11",
            "--pace",
            pace,
            "--topology",
            topology,
        ];
        let summary = run(&program, &words);
        assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
        let expected = first.get_or_insert_with(|| digests(&summary));
        assert_eq!(&digests(&summary), expected, "pace {pace}, topology {topology}");
        let report = replay(&program, &session_of(&program, &summary), "fused");
        assert_eq!(&digests(&report), expected, "replay of pace {pace}, topology {topology}");
    }
}

#[test]
fn one_journal_replays_identically_in_every_topology() {
    let program = Program::new();
    let config = configuration(&program, &[]);
    let summary =
        run(&program, &["--config", text(&config), "--duration", "2s", "--seed", "3", "--pace", "max"]);
    let session = session_of(&program, &summary);
    for topology in ["auto", "fused", "split", "custom"] {
        let report = replay(&program, &session, topology);
        assert_eq!(digests(&report), digests(&summary), "{topology}");
        assert!(report["checkpoints"].as_u64().unwrap() > 1, "{report}");
    }
    let said = program.run(&["replay", "latest", "--topology", "fused", "--idle", "park"]).with_code(0);
    assert!(said.out.lines().any(|line| line.starts_with("IDENTICAL ")), "{}", said.out);
}
