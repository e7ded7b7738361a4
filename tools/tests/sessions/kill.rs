//! SIGKILL at a random moment, many times; then everything that a morning after needs.
//!
//! `SPINWARD_SOAK=1` makes it 60 kills, `SPINWARD_SEED` repeats the draws of an earlier run (moments of the kill stay the machine's own).

use crate::ledger::{Ledger, Open};
use crate::setup::{Draws, configuration, latest, replay, run, run_words, session_of, text};
use crate::support::Program;
use serde_json::Value;
use spinward_engine::words::{OrderId, RecoveredRecord};
use spinward_recorder::{Followed, JournalFollower, SessionFolder};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Quick strategies, so that at any moment orders are on their way.
pub(crate) const CHANGES: [(&str, &str); 7] = [
    ("arrivals = \"bursts\"", "arrivals = \"even\""),
    ("rate = 20000 ", "rate = 4000 "),
    ("message_rate_max = 250 ", "message_rate_max = 100000 "),
    ("min_requote_interval_us = 100000", "min_requote_interval_us = 500"),
    ("cool_down_ms = 500 ", "cool_down_ms = 2 "),
    ("duplicate_window = \"1ms\"", "duplicate_window = \"0ns\""),
    ("entry_imbalance_ppm = 600000", "entry_imbalance_ppm = 200000"),
];

pub(crate) fn seed() -> u64 {
    match std::env::var("SPINWARD_SEED") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into(),
    }
}

/// Starts a session and kills it a moment after its journal has `frames` frames.
pub(crate) fn killed(program: &Program, words: &[&str], frames: u64, moment: Duration) -> SessionFolder {
    let before = latest(program).map(|session| session.id().to_owned());
    let mut child =
        program.command(&run_words(words)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut watch = || assert_eq!(child.try_wait().unwrap(), None, "the session runs until it is killed");
    let session = loop {
        match latest(program) {
            Some(session) if Some(session.id()) != before.as_deref() => break session,
            Some(_) | None => watch(),
        }
        std::thread::yield_now();
    };
    let mut follower = JournalFollower::new(&session.journal());
    while follower.last_sequence() < frames {
        // A segment may be renamed or not be there yet.
        if !matches!(follower.poll(), Ok(Followed::Frame(_))) {
            watch();
            std::thread::yield_now();
        }
    }
    let start = Instant::now();
    while start.elapsed() < moment {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    session
}

/// The state that a session began with, from `journal cat`.
pub(crate) fn beginning(program: &Program, session: &Path) -> Ledger {
    let mut ledger = Ledger::default();
    let said = program.run(&["journal", "cat", text(session), "--json"]).with_code(0);
    for line in said.out.lines() {
        let frame: Value = serde_json::from_str(line).unwrap();
        if frame["kind"] != "recovery" {
            break;
        }
        assert_eq!(frame["source"], 4);
        let hex = frame["payload"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        ledger.recovered(&bytemuck::pod_read_unaligned::<RecoveredRecord>(&bytes));
    }
    ledger
}

/// Holds what a session began with against what the files of the one before tell.
fn assert_carried_over(left: &Ledger, begun: &Ledger) {
    assert_eq!(begun.held(), left.held(), "positions");
    let unknown: BTreeMap<&OrderId, &Open> =
        begun.orders.iter().filter(|(order, _)| !left.orders.contains_key(order)).collect();
    let lost: BTreeSet<&OrderId> =
        left.orders.keys().filter(|order| !begun.orders.contains_key(order)).collect();
    assert!(lost.is_empty(), "open orders that were lost: {lost:?}");
    for (order, open) in &begun.orders {
        if let Some(expected) = left.orders.get(order) {
            assert_eq!(open, expected, "{order}");
        }
    }
    // Decided in the last frames of the journal, where the audit was not yet written: newer than all that the audit knows.
    for (order, open) in unknown {
        let known = left.numbers.get(&order.strategy().get()).copied().unwrap_or(0);
        assert!(!open.is_acknowledged && order.number() > known, "{order} came from nowhere: {open:?}");
    }
    for (strategy, number) in &left.numbers {
        assert!(begun.numbers[strategy] >= *number, "an order number would be used twice");
    }
}

/// Verify and replay of a killed session: whole, and to the last message.
fn assert_readable(program: &Program, session: &SessionFolder) -> u64 {
    let found = program.run(&["journal", "verify", text(session.path()), "--json"]).with_code(0).json();
    assert_eq!(
        (&found["ok"], &found["ended_by_writer"]),
        (&Value::Bool(true), &Value::Bool(false)),
        "{found}"
    );
    let frames = found["frames"].as_u64().unwrap();
    let report = replay(program, session.path(), "fused");
    let replayed = report["frames"].as_u64().unwrap() + report["incomplete_frames"].as_u64().unwrap();
    assert_eq!(replayed, frames, "{report}");
    assert_eq!(report["has_ended"], false);
    if report["checkpoints"].as_u64().unwrap() > 0 {
        assert!(report["comparison"].as_str().unwrap().starts_with("equal at"), "{report}");
    }
    frames
}

#[test]
fn a_session_killed_at_any_moment_is_whole_and_goes_on_where_it_was() {
    let seed = seed();
    let rounds = if std::env::var_os("SPINWARD_SOAK").is_some() { 60 } else { 8 };
    println!("SPINWARD_SEED={seed}, {rounds} kills");
    let mut draws = Draws(seed);
    let (mut open, mut held, mut fills) = (0, 0, 0);
    for round in 0..rounds {
        let program = Program::new();
        let config = configuration(&program, &CHANGES);
        let config = text(&config);
        let market = draws.draw(1, 1 << 40).to_string();
        let topology = ["fused", "split", "custom"][draws.draw(0, 3) as usize];
        // At full speed and at a pace at which stages wait.
        let pace = ["max", "x10"][draws.draw(0, 2) as usize];
        let frames = draws.draw(1, 40_000);
        let moment = Duration::from_micros(draws.draw(0, 3_000));
        let started = [
            "--config",
            config,
            "--seed",
            &market,
            "--topology",
            topology,
            "--pace",
            pace,
            "--duration",
            "1h",
        ];
        println!("round {round}: {started:?}, killed {moment:?} after frame {frames}");
        let mut session = killed(&program, &started, frames, moment);
        let mut last = assert_readable(&program, &session);
        assert!(last >= frames);

        // Every second time the one that goes on is killed as well.
        if round % 2 == 0 {
            let left = Ledger::of(&session);
            let resumed = [&started[..], &["--resume", text(session.path())]].concat();
            let next = killed(&program, &resumed, draws.draw(1_000, 20_000), moment);
            assert_readable(&program, &next);
            assert_carried_over(&left, &beginning(&program, next.path()));
            session = next;
            last = 0;
        }
        let left = Ledger::of(&session);
        let resumed =
            ["--config", config, "--resume", text(session.path()), "--duration", "300ms", "--pace", "max"];
        let summary = run(&program, &resumed);
        assert_eq!(summary["trading_state"], "normal", "{summary}");
        let next = session_of(&program, &summary);
        let begun = beginning(&program, &next);
        assert_carried_over(&left, &begun);
        replay(&program, &next, "fused");
        println!(
            "round {round}: {} orders open, {} positions, {} fills, frames {last}",
            left.orders.len(),
            left.held().len(),
            left.fills
        );
        // The chain goes on from a session that ended well, too.
        let left = Ledger::of(&SessionFolder::open(&next).unwrap());
        let resumed = ["--config", config, "--resume", text(&next), "--duration", "100ms", "--pace", "max"];
        let third = session_of(&program, &run(&program, &resumed));
        assert_carried_over(&left, &beginning(&program, &third));
        (open, held, fills) = (open + begun.orders.len(), held + begun.held().len(), fills + left.fills);
    }
    // Else nothing was proved.
    assert!(open > 0 && held > 0 && fills > 0, "{open} open orders, {held} positions, {fills} fills");
}
