//! `spinward explain`, `spinward slowest`, interference and injected stalls, on sessions of the built binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod support;

use serde_json::Value;
use spinward_recorder::{
    Fingerprint, Interference, InterferenceRow, Manifest, SessionFolder, read_interference,
};
use std::path::PathBuf;
use support::Program;

/// The built-in configuration with these lines changed, as `session.toml`.
fn configure(program: &Program, changes: &[(&str, &str)]) {
    let mut text = program.run(&["config", "init"]).with_code(0).out;
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(program.path("session.toml"), text).unwrap();
}

/// Runs half a second of market time as fast as it goes. Which frames there are and what comes of them depends on nothing else.
fn run(program: &Program, changes: &[(&str, &str)]) -> Value {
    configure(program, changes);
    let words = ["run", "--paper", "--config", "session.toml", "--duration", "500ms", "--pace", "max"];
    let ran = program.run(&[&words[..], &["--metrics", "off", "--quiet", "--json"]].concat()).with_code(0);
    let is_stalled = changes.iter().any(|(from, _)| from.starts_with("stall_stage"));
    assert_eq!(ran.err.contains("on purpose"), is_stalled, "{}", ran.err);
    ran.json()
}

fn session(program: &Program) -> PathBuf {
    SessionFolder::latest(&program.path("sessions"), None).unwrap().path().to_owned()
}

fn slowest(program: &Program, count: &str) -> Vec<Value> {
    let found = program.run(&["slowest", "latest", "--count", count, "--json"]).with_code(0).json();
    found["slowest"].as_array().unwrap().clone()
}

fn explain(program: &Program, order: &str) -> Value {
    program.run(&["explain", "latest", order, "--json"]).with_code(0).json()
}

fn took(steps: &Value, name: &str) -> u64 {
    let step = steps.as_array().unwrap().iter().find(|step| step["step"] == name);
    step.unwrap_or_else(|| panic!("no step {name} in {steps}"))["took_ns"].as_u64().unwrap()
}

#[test]
fn a_stall_shows_in_the_stage_in_explain_of_the_order_it_hit_and_in_slowest() {
    // The last order of the plain session, and the event that caused it.
    let program = Program::new();
    let plain = run(&program, &[]);
    assert_eq!(plain["events"], plain["frames"], "one event a frame: so its number is the frame's");
    assert_eq!(plain["attribution"]["fault"], Value::Null);
    let orders = slowest(&program, "1000");
    assert!(orders.len() > 3, "{orders:?}");
    let frame = |order: &Value| order["cause"]["frame"].as_u64().unwrap();
    let last = orders.iter().max_by_key(|order| frame(order)).unwrap();
    let hit = last["order_text"].as_str().unwrap();
    let every = format!("stall_every = {} ", frame(last));
    let stalled = [
        ("stall_stage = \"off\"", "stall_stage = \"book\""),
        ("stall_length = \"50us\"", "stall_length = \"400ms\""),
        ("stall_every = 1000 ", every.as_str()),
    ];
    // Seconds apart, so that the next session is the latest.
    let length = 400_000_000;
    let again = run(&program, &stalled);
    assert_eq!(again["digests"], plain["digests"], "a stall decides nothing");
    let fault = again["attribution"]["fault"].as_str().unwrap();
    assert!(fault.starts_with("book was stalled for 400.00 ms on purpose, 1 times"), "{fault}");

    // In the stage, and only there.
    let stages = again["latency"].as_array().unwrap();
    let longest =
        |stage: &str| stages.iter().find(|row| row["stage"] == stage).unwrap()["max_ns"].as_u64().unwrap();
    assert!(longest("book_service") >= length * 999 / 1_000);
    // In the order that was hit.
    let told = explain(&program, hit);
    let message =
        told["messages"].as_array().unwrap().iter().find(|m| m["cause"]["frame"] == last["cause"]["frame"]);
    let message = message.unwrap();
    assert!(took(&message["steps"], "book") >= length, "{message}");
    assert_eq!(message["slowest_step"], "book", "{message}");
    assert!(message["working_ns"].as_u64().unwrap() >= length);
    // Among the slowest, at the top: nothing else takes that long.
    let slowest = slowest(&program, "1000");
    assert_eq!((frame(&slowest[0]), slowest[0]["slowest_step"].as_str()), (frame(last), Some("book")));
    for order in &slowest {
        assert_eq!(took(&order["steps"], "book") >= length, frame(order) == frame(last), "{order}");
    }
    // The loop was away for that long, with work in it; the row is told with the order.
    let gaps = message["interference"].as_array().unwrap().iter().filter_map(|row| row.get("gap"));
    let is_it = |gap: &&Value| {
        gap["worked"] == true
            && gap["to_ns"].as_i64().unwrap() - gap["from_ns"].as_i64().unwrap() >= length as i64
    };
    assert_eq!(gaps.clone().filter(is_it).count(), 1, "{message}");
    let text = program.run(&["explain", "latest", hit]).with_code(0).out;
    assert!(text.contains("longest: book") && text.contains("around    gap of 4"), "{text}");

    // Fifty microseconds are seen as well, though on a shared machine other things may take longer.
    run(&program, &[stalled[0], stalled[2]]);
    let told = explain(&program, hit);
    let of_frame = |message: &&Value| message["cause"]["frame"] == last["cause"]["frame"];
    let message = told["messages"].as_array().unwrap().iter().find(of_frame).unwrap();
    assert!(took(&message["steps"], "book") >= 49_950, "{message}");
    assert!(self::slowest(&program, "1000").iter().any(|order| order["order_text"] == hit));
}

#[test]
fn an_orders_life_is_told_from_its_frame_to_its_fills() {
    let program = Program::new();
    run(&program, &[]);
    let all = slowest(&program, "1000");
    let totals: Vec<u64> = all.iter().map(|order| order["total_ns"].as_u64().unwrap()).collect();
    assert!(totals.is_sorted_by(|a, b| a >= b), "{totals:?}");
    let mut fills = 0;
    for order in &all {
        let id = order["order"].as_u64().unwrap().to_string();
        let told = explain(&program, &id);
        assert_eq!(told["order_text"], order["order_text"]);
        for message in told["messages"].as_array().unwrap() {
            let steps = message["steps"].as_array().unwrap();
            let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
            assert_eq!(
                names,
                [
                    "normalizer queue",
                    "normalizer",
                    "book queue",
                    "book",
                    "strategy queue",
                    "strategies",
                    "risk queue",
                    "risk",
                    "egress queue",
                    "journal",
                    "encode",
                    "send",
                ]
            );
            // Without a hole; only the way out may begin before risk is quite done.
            for pair in steps.windows(2) {
                assert_eq!(pair[0]["to_ns"], pair[1]["from_ns"]);
                let is_forward = pair[0]["to_ns"].as_i64() <= pair[1]["to_ns"].as_i64();
                assert!(is_forward || pair[1]["step"] == "egress queue", "{message}");
            }
            let rings = steps.iter().filter(|step| step.get("ahead").is_some()).count();
            assert_eq!(rings, 5, "a depth for each ring: {message}");
            assert_eq!(message["is_approved"], true);
            assert!(!message["cause"]["events"].as_array().unwrap().is_empty(), "{message}");
            assert!(message["intent"].as_str().unwrap().contains("AAA"), "{message}");
        }
        for heard in told["reports"].as_array().unwrap() {
            fills += usize::from(heard["kind"] == "filled");
            let steps = heard["steps"].as_array().unwrap();
            assert!(!steps.is_empty(), "{heard}");
        }
    }
    assert!(fills > 0);
    // By name and number, for people.
    let text = program.run(&["explain", "latest", "maker:1"]).with_code(0).out;
    for part in [
        "order     0:1 (1), maker",
        "verdict   approved",
        "cause     frame ",
        "since receipt",
        "heard     accepted",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_refused_intent_is_explained_with_its_code_and_limit() {
    let program = Program::new();
    run(&program, &[("message_rate_max = 250", "message_rate_max = 1")]);
    // Orders that left are numbered among those that did not: look for one that did not.
    let refused = (1..200u64).find_map(|number| {
        let ran = program.run(&["explain", "latest", &format!("0:{number}"), "--json"]);
        let told: Value = serde_json::from_str(&ran.out).ok()?;
        let message =
            told["messages"].as_array().unwrap().iter().find(|m| m["is_approved"] == false)?.clone();
        Some((message, told["reports"].clone()))
    });
    let (message, reports) = refused.unwrap();
    assert_eq!((message["code"].as_str(), message["limit"].as_i64()), (Some("message_rate"), Some(1)));
    let verdict = message["verdict"].as_str().unwrap();
    assert!(
        verdict.starts_with("refused: message_rate, value ") && verdict.ends_with(", limit 1"),
        "{verdict}"
    );
    let is_told = |report: &Value| report["text"].as_str().unwrap().contains("message_rate, by risk");
    assert!(reports.as_array().unwrap().iter().any(is_told), "{reports}");
}

#[test]
fn what_does_not_exist_is_answered_with_what_does() {
    let program = Program::new();
    run(&program, &[]);
    let unknown = program.run(&["explain", "latest", "taker:4711"]).with_code(2);
    assert!(unknown.err.contains("no order 1:4711 (281474976715367) in session "), "{}", unknown.err);
    assert!(unknown.err.contains("its orders are maker:1 to maker:"), "{}", unknown.err);
    let odd = program.run(&["explain", "latest", "the big one"]).with_code(2);
    assert!(
        odd.err.contains("is not an order: give its id, or strategy and number like 0:25"),
        "{}",
        odd.err
    );
    program.run(&["explain", "sessions/none", "1"]).with_code(2);
    program.run(&["slowest", "sessions/none"]).with_code(2);
}

#[test]
fn a_session_without_stamps_is_still_explained_from_its_audit() {
    let program = Program::new();
    run(&program, &[("orders = true", "orders = false"), ("\"100ms\" # looks", "\"0ns\" # looks")]);
    let folder = session(&program);
    assert!(!folder.join("latency/orders").exists() && !folder.join("latency/interference.jsonl").exists());
    let told = explain(&program, "0:1");
    assert_eq!(told["has_stamps"], false);
    let message = &told["messages"][0];
    assert_eq!(
        (message["steps"].as_array().unwrap().len(), message["is_approved"].as_bool()),
        (0, Some(true))
    );
    assert!(!message["cause"]["events"].as_array().unwrap().is_empty());
    assert_eq!(told["reports"][0]["kind"], "accepted");
    let text = program.run(&["explain", "latest", "0:1"]).with_code(0).out;
    assert!(text.contains("stamps    none: this session stored no stamps of its orders"), "{text}");
    let refused = program.run(&["slowest", "latest"]).with_code(2);
    assert!(
        refused.err.contains("run with latency.orders = true and pipeline.stamps = \"all\""),
        "{}",
        refused.err
    );
}

#[test]
fn interference_and_the_hosts_fingerprint_are_stored_with_the_session_and_told_with_its_slowest_orders() {
    let program = Program::new();
    configure(&program, &[("interference_interval = \"100ms\"", "interference_interval = \"20ms\"")]);
    let words = ["run", "--paper", "--config", "session.toml", "--duration", "400ms"];
    let words = [&words[..], &["--metrics", "off", "--quiet"]].concat();
    let out = program.run(&words).with_code(0).out;
    // `p99.9  56.20 µs at 14:03:07.012345678 = … ; order 0:25: …`, the slowest last; the same in `slowest`.
    let of_tail = |out: &str| -> Vec<String> {
        let is_it = |line: &&str| {
            line.trim_start().starts_with("p9") && line.contains(" = ") && line.contains("; order ")
        };
        out.lines().filter(is_it).map(|line| line.trim().to_owned()).collect()
    };
    let (told, listed) = (of_tail(&out), of_tail(&program.run(&["slowest", "latest"]).with_code(0).out));
    assert!(!told.is_empty() && listed.ends_with(&told), "{told:?}\n{listed:?}");
    let found = program.run(&["slowest", "latest", "--count", "1", "--json"]).with_code(0).json();
    let last = found["percentiles"].as_array().unwrap().last().unwrap();
    assert_eq!(last["order"], found["slowest"][0]["order"]);
    assert_eq!(last["total_ns"], found["slowest"][0]["total_ns"]);
    let folder = session(&program);
    let log = std::fs::read_to_string(folder.join("latency/stages.hlog")).unwrap();
    let whose = log.lines().next().unwrap();
    for part in [
        "spinward session ",
        "commit=",
        "config=",
        "cpu=",
        "kernel_command_line=",
        "governor=",
        "clock_source=",
    ] {
        assert!(whose.contains(part), "{part} of {whose}");
    }
    let manifest = Manifest::read(&SessionFolder::open(&folder).unwrap().manifest()).unwrap();
    assert_eq!(manifest.fingerprint, Some(Fingerprint::current()));
    let found: Interference = read_interference(&folder.join("latency/interference.jsonl")).unwrap().unwrap();
    assert_eq!((found.header.interval_ns, found.header.gap_threshold_ns), (20_000_000, 10_000));
    let samples = found.rows.iter().filter_map(|row| match row {
        InterferenceRow::Sample(sample) => Some(sample),
        InterferenceRow::Gap(_) => None,
    });
    let threads: std::collections::BTreeSet<&str> = samples.clone().map(|s| s.thread.as_str()).collect();
    assert!(threads.iter().all(|thread| thread.starts_with("sw")) && !threads.is_empty(), "{threads:?}");
    // A machine without a timer tick in 400 ms does not run tests.
    assert!(samples.clone().any(|sample| !sample.interrupts.is_empty()));
    assert!(samples.clone().all(|sample| sample.from_ns < sample.to_ns));
    let words: [&[&str]; 2] = [&["replay", "latest"], &["journal", "verify", "latest"]];
    for words in words {
        program.run(words).with_code(0);
    }
}
