//! Journals that were damaged after they were written.

use crate::setup::{configuration, digests, replay, run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A session of two seconds, and what the program said of it.
fn session(program: &Program) -> (PathBuf, Value) {
    let config = configuration(program, &[]);
    let words = ["--config", text(&config), "--duration", "2s", "--seed", "5", "--pace", "max"];
    let summary = run(program, &words);
    (session_of(program, &summary), summary)
}

/// Sizes of the segments, by path.
fn segments(session: &Path) -> Vec<(PathBuf, u64)> {
    let mut found: Vec<(PathBuf, u64)> = std::fs::read_dir(session.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "seg"))
        .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
        .collect();
    found.sort();
    found
}

#[test]
fn a_flipped_byte_in_the_middle_is_named_by_segment_and_offset() {
    let program = Program::new();
    let (session, _) = session(&program);
    let segments = segments(&session);
    assert!(segments.len() > 3, "{segments:?}");
    let (damaged, bytes) = &segments[segments.len() / 2];
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let whole = std::fs::read(damaged).unwrap();
    for at in [bytes / 2, bytes / 3, 4_096] {
        let mut flipped = whole.clone();
        flipped[at as usize] ^= 0x10;
        std::fs::write(damaged, flipped).unwrap();
        let said = program.run(&["journal", "verify", text(&session)]).with_code(1);
        assert!(said.out.contains(name), "byte {at}: {}", said.out);
        let offset = offset_in(&said.out);
        // The record's beginning is named: at most a record before the byte.
        assert!(offset <= at && at - offset < 136, "byte {at}: {}", said.out);
        let json = program.run(&["journal", "verify", text(&session), "--json"]).with_code(1).json();
        assert_eq!(json["ok"], false);
        assert!(json["error"].as_str().unwrap().contains(name), "{json}");
        // Nobody goes on from it as if it were whole.
        let said =
            program.run(&["replay", text(&session), "--topology", "fused", "--idle", "yield"]).with_code(1);
        assert!(said.err.contains(name), "{said:?}");
        let said = program
            .run(&["run", "--paper", "--resume", text(&session), "--duration", "1s", "--metrics", "off"])
            .with_code(1);
        assert!(said.err.contains(name), "{said:?}");
    }
    std::fs::write(damaged, whole).unwrap();
    program.run(&["journal", "verify", text(&session)]).with_code(0);
}

/// The number after `at byte `.
fn offset_in(text: &str) -> u64 {
    let after = text.split("at byte ").nth(1).unwrap_or_else(|| panic!("no offset in {text}"));
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn a_cut_tail_is_cut_reported_and_replayed_up_to_there() {
    let program = Program::new();
    let (session, summary) = session(&program);
    let mut segments = segments(&session);
    // The last segment is lost, and of the one before, whose seal had not come to the disk, a piece: in the middle of a record.
    let (lost, _) = segments.pop().unwrap();
    std::fs::remove_file(lost).unwrap();
    let (cut, bytes) = segments.pop().unwrap();
    let mut rest = std::fs::read(&cut).unwrap();
    rest.truncate((bytes - bytes / 3) as usize | 5);
    rest[128..256].fill(0);
    std::fs::write(&cut, rest).unwrap();

    // As a killed session it would be whole up to there; but its manifest has the digest that it ended with.
    let found = program.run(&["journal", "verify", text(&session), "--json"]).with_code(1).json();
    assert!(found["error"].as_str().unwrap().contains("altered or cut after it was ended"), "{found}");
    let torn = found["torn_tail"].as_str().unwrap();
    assert!(torn.contains(cut.file_name().unwrap().to_str().unwrap()), "{torn}");
    assert_eq!(found["ended_by_writer"], false);
    let frames = found["frames"].as_u64().unwrap();
    assert!(0 < frames && frames < summary["frames"].as_u64().unwrap(), "{found}");
    let said = program.run(&["journal", "verify", text(&session)]).with_code(1);
    assert!(said.out.contains("torn tail"), "{}", said.out);
    let said = program.run(&["journal", "cat", text(&session)]).with_code(0);
    assert_eq!(said.out.lines().count() as u64, frames);

    // The session itself ended, so its audit goes on where the journal does not: what both have is equal, yet the replay is not the session.
    let report = program
        .run(&["replay", text(&session), "--topology", "fused", "--idle", "yield", "--json"])
        .with_code(1)
        .json();
    assert_eq!(report["frames"].as_u64().unwrap() + report["incomplete_frames"].as_u64().unwrap(), frames);
    assert!(report["comparison"].as_str().unwrap().starts_with("equal at"), "{report}");
    assert!(report["torn_tail"].is_string(), "{report}");

    // Of a killed session (no end in the audit) it is all that there is.
    let audit = session.join("audit/00000000.seg");
    cut_end_of_audit(&audit);
    let report = replay(&program, &session, "fused");
    assert_ne!(digests(&report), digests(&summary));
    let next = run(
        &program,
        &[
            "--resume",
            text(&session),
            "--duration",
            "1s",
            "--pace",
            "max",
            "--config",
            text(&program.path("three-cores.toml")),
        ],
    );
    replay(&program, &session_of(&program, &next), "fused");
}

/// Takes the last record (the session's end) and the seal away.
fn cut_end_of_audit(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes.truncate(end - 40);
    bytes[128..176].fill(0);
    std::fs::write(path, bytes).unwrap();
}
