//! `spinward journal` on whole sessions.

use crate::setup::{configuration, replay, run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use spinward_recorder::SessionFolder;
use std::path::PathBuf;
use std::process::Stdio;

/// A session of two seconds at full pace.
fn session(program: &Program) -> (PathBuf, Value) {
    let config = configuration(program, &[]);
    let words = ["--config", text(&config), "--duration", "2s", "--seed", "5", "--pace", "max"];
    let summary = run(program, &words);
    (session_of(program, &summary), summary)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn cat_filters_by_frame_time_kind_and_symbol_and_decodes_events() {
    let program = Program::new();
    let (session, _) = session(&program);
    let cat = |words: &[&str]| {
        let mut all = vec!["journal", "cat", text(&session), "--json"];
        all.extend(words);
        lines(&program.run(&all).with_code(0).out)
    };
    let all = cat(&[]);
    let count = all.len();
    let part = cat(&["--from-frame", "5000", "--to-frame", "5009"]);
    assert_eq!(part, all[4_999..5_009]);
    let time = |at: usize| all[at]["receive_time_ns"].as_i64().unwrap();
    let (from, to) = (time(count / 2).to_string(), time(count / 2 + 500).to_string());
    let part = cat(&["--from", &from, "--to-time", &to]);
    let wanted: Vec<_> = all
        .iter()
        .filter(|frame| {
            (time(count / 2)..time(count / 2 + 500)).contains(&frame["receive_time_ns"].as_i64().unwrap())
        })
        .cloned()
        .collect();
    assert!(!part.is_empty() && part == wanted);
    let reports = cat(&["--kind", "report,timer"]);
    assert!(
        !reports.is_empty()
            && reports.iter().all(|frame| frame["kind"] == "report" || frame["kind"] == "timer")
    );
    assert_eq!(
        reports.len(),
        all.iter().filter(|frame| frame["kind"] == "report" || frame["kind"] == "timer").count()
    );
    let events = cat(&["--events"]);
    assert!(events.len() >= count);
    let of_symbol = cat(&["--events", "--symbol", "AAAB", "--limit", "50"]);
    assert_eq!(of_symbol.len(), 50);
    let wanted: Vec<_> = events.iter().filter(|event| event["symbol"] == "AAAB").take(50).cloned().collect();
    assert_eq!(of_symbol, wanted);
    // Frames of a symbol are those that its events came of.
    let frames = cat(&["--symbol", "AAAB", "--limit", "20", "--kind", "market"]);
    assert_eq!(frames[5]["frame"], wanted[5]["frame"]);
    let said = program.run(&["journal", "cat", text(&session), "--kind", "tick"]).with_code(2);
    assert!(said.err.contains("one of market, report"), "{}", said.err);
    let text = program.run(&["journal", "cat", text(&session), "--events", "--limit", "3"]).with_code(0).out;
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_compressed_session_is_verified_counted_and_replayed_as_before() {
    let program = Program::new();
    let (session, summary) = session(&program);
    let before = program.run(&["journal", "verify", text(&session), "--json"]).with_code(0).json();
    assert_eq!(before["format"], 2);
    assert_eq!(before["segments_chained"], before["segments"]);
    let stats = program.run(&["journal", "stats", text(&session), "--json"]).with_code(0).json();
    assert_eq!(stats["frames"], before["frames"]);
    let kinds = stats["kinds"].as_array().unwrap();
    assert_eq!(
        kinds.iter().map(|kind| kind["frames"].as_u64().unwrap()).sum::<u64>(),
        stats["frames"].as_u64().unwrap()
    );
    let done = program.run(&["journal", "compact", text(&session), "--json"]).with_code(0).json();
    assert_eq!(done["journal"]["segments"], before["segments"]);
    assert!(done["journal"]["bytes_after"].as_u64() < done["journal"]["bytes_before"].as_u64());
    let after = program.run(&["journal", "verify", text(&session), "--json"]).with_code(0).json();
    assert_eq!((&after["chain"], &after["frames"]), (&before["chain"], &before["frames"]));
    assert_eq!(after["segments_compressed"], before["segments"]);
    let report = replay(&program, &session, "fused");
    assert_eq!(report["frames"], before["frames"]);
    assert!(summary["digests"].is_array());
    let listed = program.run(&["journal", "ls", text(&session)]).with_code(0).out;
    assert!(listed.contains("00000000.seg.zst") && listed.contains("compressed"), "{listed}");
    program.run(&["journal", "stats", text(&session)]).with_code(0);
}

#[test]
fn a_session_whose_last_digest_is_not_the_manifests_is_bad() {
    let program = Program::new();
    let (session, _) = session(&program);
    let manifest = session.join("manifest.toml");
    let text_of = std::fs::read_to_string(&manifest).unwrap();
    let chain = text_of.split("journal_chain = \"").nth(1).unwrap().split('"').next().unwrap();
    std::fs::write(&manifest, text_of.replace(chain, &chain.replace(&chain[..4], "0000"))).unwrap();
    let said = program.run(&["journal", "verify", text(&session)]).with_code(1).out;
    assert!(said.contains("BAD       journal: the manifest has the digest 0000"), "{said}");
}

#[test]
fn a_follower_prints_a_live_session_to_its_end_and_repair_and_prune_leave_a_live_one_alone() {
    let program = Program::new();
    let config = configuration(&program, &[]);
    let mut child = program
        .command(&[
            "run",
            "--paper",
            "--config",
            text(&config),
            "--duration",
            "4s",
            "--metrics",
            "off",
            "--quiet",
            "--json",
        ])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let session = loop {
        assert_eq!(child.try_wait().unwrap(), None, "the session runs");
        if let Ok(found) = SessionFolder::latest(&program.path("sessions"), None)
            && spinward_recorder::segments(&found.journal()).is_ok_and(|segments| !segments.is_empty())
        {
            break found;
        }
        std::thread::yield_now();
    };
    let follower = program
        .command(&["journal", "follow", text(session.path()), "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = program.run(&["journal", "repair", text(session.path())]).with_code(1);
    assert!(said.err.contains("is in use by process"), "{}", said.err);
    program.run(&["journal", "mark", text(session.path()), "--exported-to", "nowhere"]).with_code(1);
    let pruned =
        program.run(&["journal", "prune", "--older-than", "0", "--delete", "--json"]).with_code(0).json();
    assert_eq!(pruned["sessions"][0]["what"], "stays: it runs");
    child.wait().unwrap();
    let output = follower.wait_with_output().unwrap();
    assert!(output.status.success());
    let followed = String::from_utf8(output.stdout).unwrap();
    let verified = program.run(&["journal", "verify", text(session.path()), "--json"]).with_code(0).json();
    assert_eq!(followed.lines().count() as u64, verified["frames"].as_u64().unwrap());
    let printed = program.run(&["journal", "cat", text(session.path()), "--json"]).with_code(0).out;
    assert_eq!(followed, printed, "what was followed is what lies there");
    let said = program
        .run(&["journal", "follow", text(session.path()), "--timeout", "0", "--limit", "5"])
        .with_code(0);
    assert_eq!(said.out.lines().count(), 5);
}

#[test]
fn prune_deletes_only_what_was_exported_and_never_the_last_of_a_name() {
    let program = Program::new();
    let config = configuration(&program, &[]);
    let mut sessions = Vec::new();
    for (name, seed) in [("a", "1"), ("a", "2"), ("a", "3"), ("b", "4")] {
        let words = [
            "--config",
            text(&config),
            "--duration",
            "200ms",
            "--seed",
            seed,
            "--pace",
            "max",
            "--name",
            name,
        ];
        sessions.push(session_of(&program, &run(&program, &words)));
    }
    program.run(&["journal", "prune"]).with_code(2);
    let fates = |words: &[&str]| {
        let mut all = vec!["journal", "prune", "--json"];
        all.extend(words);
        let report = program.run(&all).with_code(0).json();
        let fates = report["sessions"].as_array().unwrap();
        fates.iter().map(|row| row["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let last = "stays: the last of its name";
    assert_eq!(fates(&["--older-than", "0"]), ["stays: not exported", "stays: not exported", last, last]);
    assert_eq!(fates(&["--older-than", "1"]), ["stays"; 4]);
    for session in [&sessions[1], &sessions[3]] {
        program.run(&["journal", "mark", text(session), "--exported-to", "the archive"]).with_code(0);
    }
    let wanted = ["stays: not exported", "goes", last, last];
    assert_eq!(fates(&["--older-than", "0"]), wanted);
    assert!(sessions[1].join("journal").is_dir(), "only told");
    assert_eq!(fates(&["--above", "0", "--delete"]), wanted);
    assert!(!sessions[1].join("journal").exists() && sessions[1].join("manifest.toml").is_file());
    let mark = std::fs::read_to_string(sessions[1].join("exported")).unwrap();
    assert!(mark.trim_end().ends_with("the archive"), "{mark}");
    for session in [&sessions[0], &sessions[2], &sessions[3]] {
        program.run(&["journal", "verify", text(session)]).with_code(0);
    }
}
