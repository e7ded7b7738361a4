//! Snapshots: what is loaded from one goes on as what was never written down; what is not whole is never used.
//!
//! `SPINWARD_SEED` repeats the draws of an earlier run.

use crate::faults::SmallDisk;
use crate::kill::{CHANGES, beginning, killed, seed};
use crate::ledger::Ledger;
use crate::setup::{Draws, configuration, digests, latest, replay, run, run_words, session_of, text};
use crate::support::Program;
use serde_json::Value;
use spinward_engine::words::Digest;
use spinward_recorder::{SessionFolder, snapshots};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Replays behind the last snapshot; it must be identical.
#[track_caller]
fn replay_behind(program: &Program, session: &Path) -> Value {
    let report = program.run(&["replay", text(session), "--from-snapshot", "--json"]).with_code(0).json();
    assert_eq!(report["is_identical"], true, "{report}");
    report
}

/// Writes a snapshot of a session that is over.
#[track_caller]
fn snapshot(program: &Program, session: &Path, frame: u64) -> (u64, PathBuf) {
    let frame = frame.to_string();
    let words = ["journal", "snapshot", text(session), "--at-frame", &frame, "--json"];
    let report = program.run(&words).with_code(0).json();
    (report["frame"].as_u64().unwrap(), PathBuf::from(report["snapshot"].as_str().unwrap()))
}

fn begin_anew(session: &Path) {
    let _ = std::fs::remove_dir_all(session.join("snapshots"));
}

/// From many frames of this session: the same digests as without.
pub(crate) fn assert_goes_on_from_anywhere(
    program: &Program,
    session: &Path,
    draws: &mut Draws,
    rounds: usize,
) {
    let expected = replay(program, session, "fused");
    let frames = expected["frames"].as_u64().unwrap();
    for round in 0..rounds {
        begin_anew(session);
        // The first and the last frame, too.
        let frame = match round {
            0 => 1,
            1 => frames,
            _ => draws.draw(1, frames),
        };
        let (at, _) = snapshot(program, session, frame);
        assert!(at >= frame);
        let report = replay_behind(program, session);
        assert_eq!(report["snapshot_frame"], at);
        assert_eq!(digests(&report), digests(&expected), "from frame {at}");
        assert_eq!(report["frames"], frames);
    }
}

#[test]
fn a_replay_from_any_frame_of_a_paper_session_gives_the_digests_of_the_whole() {
    let seed = seed();
    println!("SPINWARD_SEED={seed}");
    let mut draws = Draws(seed);
    let program = Program::new();
    let config = configuration(&program, &CHANGES);
    let market = draws.draw(1, 1 << 40).to_string();
    let words = ["--config", text(&config), "--seed", &market, "--duration", "3s", "--pace", "max"];
    let summary = run(&program, &words);
    assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
    assert_goes_on_from_anywhere(&program, &session_of(&program, &summary), &mut draws, 8);
    // One that began with what another one left: states of strategies among it.
    let first = session_of(&program, &summary);
    let resumed = [&words[..], &["--resume", text(&first)]].concat();
    let next = session_of(&program, &run(&program, &resumed));
    let cat = program.run(&["journal", "cat", text(&next)]).with_code(0).out;
    assert!(cat.contains("state of strategy 0") && cat.contains("state of strategy 1"));
    assert_goes_on_from_anywhere(&program, &next, &mut draws, 4);
}

#[test]
fn the_same_state_gives_the_same_bytes() {
    let program = Program::new();
    let config = configuration(&program, &CHANGES);
    let words = ["--config", text(&config), "--seed", "5", "--duration", "1s", "--pace", "max"];
    let session = session_of(&program, &run(&program, &words));
    let (_, path) = snapshot(&program, &session, 3_000);
    let first = std::fs::read(&path).unwrap();
    begin_anew(&session);
    // Once more, and once from a state that was itself loaded.
    let (_, path) = snapshot(&program, &session, 3_000);
    assert!(std::fs::read(path).unwrap() == first);
}

/// A snapshot that another build wrote is read only if its version is known; so a change of what is written, or of its order, must not go by unseen.
#[test]
fn a_snapshot_of_this_version_has_these_bytes() {
    let program = Program::new();
    let config = configuration(&program, &CHANGES);
    let words = ["--config", text(&config), "--seed", "7", "--duration", "1s", "--pace", "max"];
    let session = session_of(&program, &run(&program, &words));
    let stages: Vec<String> =
        digests(&replay(&program, &session, "fused")).into_iter().map(|(_, _, digest)| digest).collect();
    assert_eq!(
        stages.join(" "),
        "2a83789c1a89987a c53929c129c4b77c 62913482e7de264b 63bc5c75990cae1a 35e8f43472c578da",
        "the session itself is another one: take what it and its snapshot are now"
    );
    let (_, path) = snapshot(&program, &session, 3_000);
    let bytes = std::fs::read(&path).unwrap();
    let state = &bytes[64..bytes.len() - 32];
    let mut digest = Digest::new();
    digest.add(state);
    assert_eq!(
        (state.len(), digest.value()),
        (884_012, 16_742_970_255_420_728_147),
        "the state is written otherwise: raise SNAPSHOT_VERSION, then take these"
    );
}

#[test]
fn a_damaged_snapshot_is_refused_and_the_one_before_is_used_or_all_of_the_journal() {
    let program = Program::new();
    let config = configuration(&program, &CHANGES);
    let words = ["--config", text(&config), "--seed", "6", "--duration", "1s", "--pace", "max"];
    let session = session_of(&program, &run(&program, &words));
    let left = Ledger::of(&SessionFolder::open(&session).unwrap());
    let (older, older_path) = snapshot(&program, &session, 2_000);
    let (_, newer_path) = snapshot(&program, &session, 3_000);
    let bytes = std::fs::read(&newer_path).unwrap();

    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    std::fs::write(&newer_path, &flipped).unwrap();
    let report = replay_behind(&program, &session);
    assert_eq!(report["snapshot_frame"], older);
    assert!(report["snapshots_refused"][0].as_str().unwrap().contains("is damaged"), "{report}");
    std::fs::write(&newer_path, &bytes[..bytes.len() / 3]).unwrap();
    assert_eq!(replay_behind(&program, &session)["snapshot_frame"], older);

    // Another session's snapshot, whole.
    let other = session_of(&program, &run(&program, &words));
    std::fs::copy(&newer_path, session.join("kept")).unwrap();
    let (_, foreign) = snapshot(&program, &other, 3_500);
    std::fs::copy(&foreign, &newer_path).unwrap();
    let report = replay_behind(&program, &session);
    assert!(report["snapshots_refused"][0].as_str().unwrap().contains("of another session"), "{report}");

    // None that is good: all of the journal, and the warning says why.
    std::fs::write(&older_path, b"").unwrap();
    std::fs::write(&newer_path, &flipped).unwrap();
    program.run(&["replay", text(&session), "--from-snapshot"]).with_code(2);
    let resumed = [&words[..], &["--resume", text(&session)]].concat();
    let said = program.run(&run_words(&resumed)).with_code(0);
    assert_eq!(said.err.matches("warning: snapshot not used").count(), 2, "{}", said.err);
    assert!(said.err.contains("all of the journal"), "{}", said.err);
    let begun = beginning(&program, &session_of(&program, &said.json()));
    assert_eq!((begun.held(), &begun.orders), (left.held(), &left.orders));
}

#[test]
fn a_snapshot_ahead_of_its_journal_is_not_used() {
    let program = Program::new();
    let config = configuration(&program, &[("segment_bytes = \"256KiB\"", "segment_bytes = \"64MiB\"")]);
    let words = ["--config", text(&config), "--seed", "9", "--duration", "1s", "--pace", "max"];
    let session = session_of(&program, &run(&program, &words));
    let frames = replay(&program, &session, "fused")["frames"].as_u64().unwrap();
    snapshot(&program, &session, frames);
    // As a power cut leaves it: the end of the journal is gone.
    let segment = session.join("journal/00000000.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[128..256].fill(0);
    let end = bytes.len() / 2;
    bytes[end..].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    let said = program.run(&["replay", text(&session), "--from-snapshot"]).with_code(2);
    assert!(said.err.contains("the journal ends before frame"), "{}", said.err);
}

/// Killed at any moment, also while a snapshot is written: with snapshots each 100 ms, what is recovered is what all of the journal says.
#[test]
fn a_killed_session_recovers_from_its_snapshot_to_what_its_whole_journal_says() {
    let seed = seed();
    println!("SPINWARD_SEED={seed}");
    let mut draws = Draws(seed);
    let mut with_snapshot = 0;
    for round in 0..4 {
        let program = Program::new();
        let changes =
            [&CHANGES[..], &[("snapshot_interval = \"1min\"", "snapshot_interval = \"100ms\"")]].concat();
        let config = configuration(&program, &changes);
        let config = text(&config);
        let market = draws.draw(1, 1 << 40).to_string();
        let started = [
            "--config",
            config,
            "--seed",
            &market,
            "--topology",
            "fused",
            "--pace",
            "x5",
            "--duration",
            "1h",
        ];
        let frames = draws.draw(5_000, 40_000);
        let session = killed(&program, &started, frames, Duration::from_micros(draws.draw(0, 3_000)));
        let expected = replay(&program, session.path(), "fused");
        let found = snapshots(&session.snapshots()).unwrap();
        println!("round {round}: killed after {frames} frames, {} snapshot(s)", found.len());
        assert!(found.len() <= 2);
        if !found.is_empty() {
            with_snapshot += 1;
            let report = replay_behind(&program, session.path());
            assert!(report["snapshot_frame"].as_u64().unwrap() > 0);
            assert_eq!(digests(&report), digests(&expected));
        }
        let resumed =
            ["--config", config, "--resume", text(session.path()), "--duration", "100ms", "--pace", "max"];
        let said = program.run(&run_words(&resumed)).with_code(0);
        let by_snapshot = beginning(&program, &session_of(&program, &said.json()));
        assert_eq!(said.err.contains("snapshot at frame"), !found.is_empty(), "{}", said.err);
        // A snapshot that a kill left half-written is no snapshot, and harms nobody.
        std::fs::create_dir_all(session.snapshots()).unwrap();
        std::fs::write(session.snapshots().join("00000000000099999999.snap.tmp"), b"half").unwrap();
        for path in found {
            std::fs::remove_file(path).unwrap();
        }
        let said = program.run(&run_words(&resumed)).with_code(0);
        assert!(said.err.contains("all of the journal"), "{}", said.err);
        let by_journal = beginning(&program, &session_of(&program, &said.json()));
        assert_eq!((by_snapshot.held(), &by_snapshot.orders), (by_journal.held(), &by_journal.orders));
        assert_eq!(by_snapshot.numbers, by_journal.numbers);
    }
    assert!(with_snapshot > 0, "no session lived long enough for a snapshot");
}

#[test]
fn a_halt_is_in_the_snapshot() {
    let program = Program::new();
    let config = configuration(&program, &CHANGES);
    let latch = "owner = \"desk\"\nreason = \"fat finger\"\nsince = \"2026-01-05T14:30:00Z\"\nsession = \"another\"\n";
    std::fs::create_dir_all(program.path("sessions")).unwrap();
    let file = program.path("sessions/synthetic.halted.toml");
    std::fs::write(&file, latch).unwrap();
    let words = ["--config", text(&config), "--seed", "22", "--pace", "max", "--duration", "1s"];
    run(&program, &words);
    let halted = latest(&program).unwrap();
    std::fs::remove_file(&file).unwrap();
    snapshot(&program, halted.path(), 4_000);
    let resumed = [&words[..], &["--resume", text(halted.path())]].concat();
    let said = program.run(&run_words(&resumed)).with_code(0);
    assert!(said.err.contains(", halted; snapshot at frame"), "{}", said.err);
    assert_eq!(said.json()["trading_state"], "halted");
}

/// The program of somebody who wrote a strategy of their own, without [`Strategy::save`](spinward_engine::strategy::Strategy::save).
#[test]
fn a_strategy_that_saves_no_state_goes_without_snapshots_and_says_so() {
    let program = Program::new();
    let example = Path::new(env!("CARGO_BIN_EXE_spinward")).with_file_name("examples").join("own_strategy");
    if !example.is_file() {
        println!("SKIPPED: a_strategy_that_saves_no_state… needs `cargo build --example own_strategy`");
        return;
    }
    let config = include_str!("../../examples/own_strategy.toml")
        .replace("threshold_ppm = 300000", "threshold_ppm = 1000");
    std::fs::write(program.path("own.toml"), format!("{config}\n[journal]\nsnapshot_interval = \"100ms\"\n"))
        .unwrap();
    let run = |words: &[&str]| {
        let words = [&["--config", "own.toml", "--topology", "fused"], words].concat();
        let output = std::process::Command::new(&example)
            .current_dir(program.path(""))
            .args(run_words(&words))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (serde_json::from_slice::<Value>(&output.stdout).unwrap(), said)
    };
    let (summary, said) = run(&["--duration", "1s", "--pace", "realtime"]);
    assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
    let told = "note: no snapshots of this session: strategy `leaner` does not save its state";
    assert_eq!(said.matches(told).count(), 1, "{said}");
    let session = SessionFolder::open(&session_of(&program, &summary)).unwrap();
    assert!(snapshots(&session.snapshots()).unwrap().is_empty());
    // It goes on all the same: its orders and positions are the engine's to keep.
    let (next, said) = run(&["--resume", text(session.path()), "--duration", "100ms", "--pace", "max"]);
    assert!(said.contains("all of the journal") && said.contains("strategy leaner begins anew"), "{said}");
    let begun = beginning(&program, &session_of(&program, &next));
    let left = Ledger::of(&session);
    assert_eq!((begun.held(), &begun.orders), (left.held(), &left.orders));
}

#[test]
fn a_snapshot_that_finds_no_room_is_told_and_tried_again_and_the_session_goes_on() {
    let program = Program::new();
    let changes =
        [&CHANGES[..], &[("snapshot_interval = \"1min\"", "snapshot_interval = \"100ms\"")]].concat();
    let config = configuration(&program, &changes);
    let words = [
        "--config",
        text(&config),
        "--seed",
        "23",
        "--topology",
        "fused",
        "--pace",
        "realtime",
        "--duration",
        "6s",
    ];
    let mut child =
        program.command(&run_words(&words)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let session = loop {
        assert_eq!(child.try_wait().unwrap(), None, "the session runs");
        if let Some(session) = latest(&program) {
            break session;
        }
        std::thread::yield_now();
    };
    let Some(disk) = SmallDisk::mount(&session.snapshots(), 64 << 10) else {
        println!("SKIPPED: a_snapshot_that_finds_no_room… needs the right to mount a tmpfs (root)");
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    };
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = said.by_ref().find(|line| line.contains("snapshot not written"));
    let told = told.expect("it is told before the session ends");
    assert!(told.contains("No space left on device") && told.contains("snapshots"), "{told}");
    assert!(std::fs::read_dir(session.snapshots()).unwrap().next().is_none(), "nothing half-written stays");
    drop(disk);
    assert_eq!(said.filter(|line| line.contains("snapshot")).count(), 0, "told once");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let report = replay_behind(&program, session.path());
    assert!(report["snapshot_frame"].as_u64().unwrap() > 0);
}
