//! `spinward exchange --metrics`: every family of its table moves while a session trades on it and faults strike.

use crate::exposition::Seen;
use crate::floor::free_lines;
use crate::session::{PATIENCE, request, scrape};
use crate::setup::{configuration, text};
use crate::support::Program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Names as the source has them.
fn table() -> BTreeSet<String> {
    let source = include_str!("../../src/metrics/exchange.rs");
    let names = source.split('"').filter(|text| text.starts_with("spinward_exchange_"));
    names.map(str::to_owned).collect()
}

#[test]
fn every_family_of_the_exchange_moves_while_a_session_trades_and_faults_strike() {
    let program = Program::new();
    let [a, b] = free_lines();
    let lines = [format!("line_a = [\"{a}\"]"), format!("line_b = [\"{b}\"]")];
    let ports: Vec<(String, &str)> = ["26402", "26403", "26404", "26410"]
        .map(|port| (format!("= \"127.0.0.1:{port}\" "), "= \"127.0.0.1:0\" "))
        .into();
    let mut changes = vec![
        ("line_a = [\"127.0.0.1:26400\"]", lines[0].as_str()),
        ("line_b = [\"127.0.0.1:26401\"]", &lines[1]),
        ("heartbeat = \"1s\"", "heartbeat = \"2ms\""),
    ];
    changes.extend(ports.iter().map(|(from, to)| (from.as_str(), *to)));
    let config = configuration(&program, &changes);
    let words = ["exchange", "--config", text(&config), "--metrics", "127.0.0.1:0", "--json", "--quiet"];
    let mut exchange = Process(program.command(&words).stdout(Stdio::piped()).spawn().unwrap());
    let mut first = String::new();
    let mut output = BufReader::new(exchange.0.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let at = |what: &str| first["listening"][what].as_str().unwrap().to_owned();
    let metrics = at("metrics");
    assert!(request(&metrics, "GET", "/health").1.starts_with("ok "));

    // A session that trades on it, with all of its markets open.
    let text_of = std::fs::read_to_string(&config).unwrap();
    let text_of = text_of
        .replace("calendar = \"nasdaq\"", "calendar = \"always\"")
        .replacen(
            "#retransmission = \"127.0.0.1:26400\"",
            &format!("retransmission = \"{}\"", at("retransmission")),
            1,
        )
        .replacen("#snapshot = \"127.0.0.1:26401\"", &format!("snapshot = \"{}\"", at("snapshot")), 1)
        .replacen("#password_file", "password_file", 1);
    std::fs::write(program.path("session.toml"), text_of).unwrap();
    std::fs::write(program.path("secret.txt"), "secret").unwrap();
    let (feed, venue) = (format!("mold:{a},{b}"), format!("ouch:{}", at("orders")));
    let words = ["run", "--config", "session.toml", "--feed", &feed, "--venue", &venue, "--duration", "1h"];
    let quietly = ["--idle", "park", "--metrics", "off", "--quiet"];
    let mut session = program.command(&[&words[..], &quietly].concat());
    let told = program.path("told");
    session.stdout(Stdio::null()).stderr(File::create(&told).unwrap());
    let _session = Process(session.spawn().unwrap());

    let mut seen = Seen::default();
    let control = |line: &str| {
        let words =
            [&["control", "--socket", "exchange.sock"][..], &line.split(' ').collect::<Vec<_>>()].concat();
        program.run(&words).with_code(0);
    };
    for line in [
        "drop both 2%",
        "duplicate both 2%",
        "reorder both 2%",
        "corrupt both 2%",
        "delay both 20ms 5%",
        "slow trader all 30ms",
        "reject trader 2",
    ] {
        control(line);
    }
    let deadline = Instant::now() + PATIENCE * 3;
    let mut rounds = 0;
    loop {
        seen.add(&scrape(&metrics));
        if rounds % 40 == 0 {
            control("freeze trader 300ms");
        }
        if *seen.families() == table() && seen.unmoved().is_empty() && rounds > 40 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "never moved: {:?}\n{}\nthe session: {}",
            seen.unmoved(),
            scrape(&metrics).text,
            std::fs::read_to_string(&told).unwrap()
        );
        rounds += 1;
        std::thread::park_timeout(Duration::from_millis(20));
    }
    // Each fault by its own name.
    let last = scrape(&metrics);
    for fault in ["drop", "duplicate", "reorder", "corrupt", "delay"] {
        for line in ["a", "b"] {
            let labels = format!("fault=\"{fault}\",line=\"{line}\"");
            assert!(
                last.sum("spinward_exchange_packet_faults_total", &labels) > 0.0,
                "{labels}\n{}",
                last.text
            );
        }
    }
    assert!(last.sum("spinward_exchange_session_faults_total", "freeze") > 0.0, "{}", last.text);
    assert!(last.sum("spinward_exchange_line_packets_total", "sent") > 0.0, "{}", last.text);
    control("end");
}
