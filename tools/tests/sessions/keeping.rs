//! What becomes of files beside a session that runs: segments are compressed under their readers, old sessions go.

use crate::setup::{configuration, latest, replay, run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// Sealed segments are compressed at once.
const AT_ONCE: (&str, &str) = ("compact_after = \"10min\"", "compact_after = \"0ns\"");

fn compressed(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".seg.zst")).count()
}

#[test]
fn segments_are_compressed_under_a_follower_while_the_session_runs_and_it_is_the_same_session() {
    let program = Program::new();
    let config =
        configuration(&program, &[AT_ONCE, ("segment_bytes = \"256KiB\"", "segment_bytes = \"64KiB\"")]);
    let words = ["run", "--paper", "--config", text(&config), "--duration", "8s", "--pace", "realtime"];
    let words = [&words[..], &["--metrics", "off", "--quiet", "--json"]].concat();
    let mut child = program.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let session = loop {
        assert_eq!(child.try_wait().unwrap(), None, "the session runs");
        if let Some(found) = latest(&program).filter(|found| found.journal().join("00000000.seg").exists()) {
            break found;
        }
        std::thread::yield_now();
    };
    let follower = program
        .command(&["journal", "follow", text(session.path()), "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    while compressed(&session.journal()) < 3 {
        assert_eq!(child.try_wait().unwrap(), None, "it happens while the session runs");
        // Whoever begins to read now meets compressed and written segments, and some that are replaced meanwhile.
        let read = ["journal", "cat", text(session.path()), "--limit", "3000"];
        program.run(&read).with_code(0);
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let followed = follower.wait_with_output().unwrap();
    assert!(followed.status.success());
    let followed = String::from_utf8(followed.stdout).unwrap();
    let printed = program.run(&["journal", "cat", text(session.path()), "--json"]).with_code(0).out;
    assert!(followed == printed, "the follower saw every frame once");
    assert_eq!(followed.lines().count() as u64, summary["frames"].as_u64().unwrap());
    let verified = program.run(&["journal", "verify", text(session.path()), "--json"]).with_code(0).json();
    assert!(verified["segments_compressed"].as_u64().is_some_and(|count| count >= 3), "{verified}");
    replay(&program, session.path(), "auto");
}

#[test]
fn a_session_removes_what_was_exported_before_it_and_nothing_else() {
    let program = Program::new();
    let config = configuration(&program, &[]);
    let short = ["--config", text(&config), "--duration", "200ms", "--pace", "max"];
    let mut before = Vec::new();
    for seed in ["1", "2", "3"] {
        before.push(session_of(&program, &run(&program, &[&short[..], &["--seed", seed]].concat())));
    }
    let other = session_of(&program, &run(&program, &[&short[..], &["--name", "other"]].concat()));
    program.run(&["journal", "snapshot", text(&before[0])]).with_code(0);
    assert!(before[0].join("snapshots").exists());
    for session in [&before[0], &before[2], &other] {
        program.run(&["journal", "mark", text(session), "--exported-to", "the archive"]).with_code(0);
    }
    let keeps = ("#keep_bytes = \"500GiB\"", "keep_bytes = \"1KiB\"");
    let config = configuration(&program, &[keeps, ("compact = \"background\"", "compact = \"off\"")]);
    let words = ["run", "--paper", "--config", text(&config), "--duration", "1s", "--pace", "realtime"];
    let ran = program.run(&[&words[..], &["--metrics", "off", "--quiet", "--json"]].concat()).with_code(0);
    assert!(ran.err.contains("1 session(s) are over journal.keep_"), "{}", ran.err);
    for (session, stays) in [(&before[0], false), (&before[1], true), (&before[2], false), (&other, true)] {
        assert_eq!(session.join("journal").exists(), stays, "{}", session.display());
        assert!(session.join("manifest.toml").exists());
    }
    assert!(!before[0].join("snapshots").exists(), "of no use without its journal");
    program.run(&["journal", "verify", text(&before[1])]).with_code(0);
    program.run(&["journal", "verify", text(&other)]).with_code(0);
    let own = session_of(&program, &ran.json());
    program.run(&["journal", "verify", text(&own)]).with_code(0);
    assert_eq!(compressed(&own.join("journal")), 0);
}
