//! `/metrics` and `/health` of running sessions, over plain TCP: every family of the table moves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(dead_code, reason = "the support of all tests that look at metrics; these use a part of it")]

mod metrics {
    pub(crate) mod exposition;
    pub(crate) mod session;
}

mod support;
#[path = "sessions/setup.rs"]
mod setup;
#[path = "clickhouse/server.rs"]
mod server;

use metrics::exposition::{Scrape, Seen};
use metrics::session::{PATIENCE, Session};
use server::Server;
use spinward_gateways::exchange::server::{ExchangeConfig, ExchangeServer, RunningExchange};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::Program;

/// A session in which things go wrong: one order at a time for two quotes on three books, a venue that rejects, rings as small as can be.
fn busy(folder: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_spinward")).args(["config", "init"]).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    for (from, to) in [
        ("duration = \"10s\"", "duration = \"6h\""),
        ("pace = \"realtime\"", "pace = \"x5\""),
        ("ingress_slots = 1024", "ingress_slots = 64"),
        ("reject_ppm = 0", "reject_ppm = 100000"),
        ("max_in_flight = 32", "max_in_flight = 1"),
        ("message_rate_max = 250", "message_rate_max = 5"),
        // Segments that fill faster than they can be prepared: the journal has to ask again.
        ("segment_bytes = \"64MiB\"", "segment_bytes = \"16KiB\""),
        ("segments_ahead = 2", "segments_ahead = 1"),
        ("flush_interval = \"1s\"", "flush_interval = \"50ms\""),
        ("compact_after = \"10min\"", "compact_after = \"0ns\""),
        ("#keep_bytes = \"500GiB\"", "keep_bytes = \"8KiB\""),
        ("snapshot_interval = \"1min\"", "snapshot_interval = \"200ms\""),
        ("stall_stage = \"off\"", "stall_stage = \"book\""),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    std::fs::write(folder.join("busy.toml"), &text).unwrap();
}

/// An exchange, and a configuration in this folder for a session on it: its feed and its venue.
fn network(folder: &Path) -> (RunningExchange, String, String) {
    let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let lines = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    drop(sockets);
    let mut config = ExchangeConfig::default();
    config.line_a.destinations = vec![lines[0]];
    config.line_b.destinations = vec![lines[1]];
    let exchange = ExchangeServer::start(&config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_spinward")).args(["config", "init"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let snapshot = format!("snapshot = \"{}\"", exchange.addresses().snapshot);
    let text = text
        .replacen("#snapshot = \"127.0.0.1:26401\"", &snapshot, 1)
        .replacen("#password_file", "password_file", 1)
        .replacen("duration = \"10s\"", "duration = \"1h\"", 1)
        .replace("calendar = \"nasdaq\"", "calendar = \"always\"");
    std::fs::write(folder.join("network.toml"), text).unwrap();
    std::fs::write(folder.join("secret.txt"), "secret").unwrap();
    let (feed, venue) =
        (format!("mold:{},{}", lines[0], lines[1]), format!("ouch:{}", exchange.addresses().orders));
    (exchange, feed, venue)
}

/// Scrapes until it is as it should be.
#[track_caller]
fn scrape_until(session: &Session, seen: &mut Seen, is_so: impl Fn(&Scrape) -> bool) -> Scrape {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scrape = session.scrape();
        seen.add(&scrape);
        if is_so(&scrape) {
            return scrape;
        }
        assert!(Instant::now() < deadline, "it never comes to be:\n{}", scrape.text);
        // Rendering is work: scraping without a pause would slow down the session that it looks at.
        std::thread::park_timeout(PAUSE);
    }
}

/// Moves only when venue, rings or recovery break their promises, which the paper venue does not do; risk's own tests move it.
const BREACHES: [&str; 1] = ["spinward_risk_anomalies_total"];

/// From one scrape to the next.
const PAUSE: Duration = Duration::from_millis(5);

/// Names as the source has them.
fn table() -> BTreeSet<String> {
    let source = include_str!("../src/metrics/table.rs");
    let rows = source.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("counter(\"").or(line.strip_prefix("gauge(\""))
    });
    // rustfmt puts a long row's name onto a line of its own.
    let alone = source.lines().filter_map(|line| line.trim_start().strip_prefix("\"spinward_"));
    let names = rows.map(|row| row.split('"').next().unwrap().to_owned());
    names.chain(alone.map(|row| format!("spinward_{}", row.split('"').next().unwrap()))).collect()
}

/// ITCH 5.0 §4.5.4 Order Delete, of an order that nobody added: Stock Locate, Tracking Number, 6-byte time since midnight, reference.
fn delete(seconds: u64, order: u64) -> Vec<u8> {
    let mut message = vec![0, 19, b'D', 0, 7, 0, 0];
    message.extend(&(seconds * 1_000_000_000).to_be_bytes()[2..]);
    message.extend(order.to_be_bytes());
    message
}

fn promtool(scrape: &Scrape) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: promtool check metrics needs promtool (Debian: prometheus)");
        return;
    };
    child.stdin.take().unwrap().write_all(scrape.text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
}

#[test]
fn every_family_of_the_table_moves_over_a_trading_day_with_its_mishaps() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Seen::default();
    busy(folder.path());
    // An earlier session of that name, exported: it goes.
    for words in [
        ["run", "--paper", "--duration=100ms", "--pace=max", "--metrics=off", "--sessions=."],
        ["journal", "mark", "latest", "--sessions=.", "--exported-to=the archive", "--json"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_spinward")).args(words).current_dir(&folder).output();
        assert!(output.unwrap().status.success());
    }

    // A desk that kills and resumes, a stranger who may not, orders that are refused by SDK, risk and venue.
    let session = Session::start(folder.path(), &["--config", "busy.toml"]);
    let mut scrape = scrape_until(&session, &mut seen, |scrape| {
        scrape.sum("spinward_position_realized", "") > 0.0
            && scrape.sum("spinward_strategy_refused_total", "too_many_in_flight") > 0.0
            && scrape.value("spinward_open_orders") > 0.0
            && scrape.sum("spinward_latency_seconds", "") > 0.0
    });
    assert_eq!(scrape.value("spinward_trading_state"), 0.0);
    let deadline = Instant::now() + PATIENCE;
    while scrape.value("spinward_risk_mass_cancels_total") == 0.0 {
        assert!(Instant::now() < deadline, "no order was ever open at a kill");
        let halts = scrape.value("spinward_risk_halts_total");
        let refused = scrape.sum("spinward_risk_commands_total", "refused");
        session.command("kill desk the alarm went off");
        scrape_until(&session, &mut seen, |scrape| {
            scrape.value("spinward_trading_state") == 3.0
                && scrape.value("spinward_risk_halts_total") == halts + 1.0
        });
        session.refused("resume stranger");
        scrape_until(&session, &mut seen, |scrape| {
            scrape.sum("spinward_risk_commands_total", "refused") == refused + 1.0
        });
        // Halted on purpose is not ill: a restart would mend nothing.
        let (status, body) = session.request("GET", "/health");
        assert!(status == "HTTP/1.1 200 OK" && body.starts_with("ok state halted"), "{status} {body}");
        session.command("resume desk");
        scrape = scrape_until(&session, &mut seen, |scrape| {
            scrape.value("spinward_trading_state") == 0.0 && scrape.value("spinward_open_orders") > 0.0
        });
    }
    promtool(&scrape);
    scrape_until(&session, &mut seen, |scrape| scrape.sum("spinward_strategy_in_flight", "") > 0.0);
    scrape_until(&session, &mut seen, |scrape| scrape.sum("spinward_ring_full_total", "") > 0.0);
    // Gauges that are back at zero most of the time are looked at until they were not; the books' anomalies are left to the second session.
    let deadline = Instant::now() + PATIENCE;
    let on_paper = |name: &&&String| {
        ["gateway", "feed", "clickhouse"].iter().all(|part| !name.starts_with(&format!("spinward_{part}_")))
    };
    while seen.unmoved().iter().filter(on_paper).count() > BREACHES.len() + 1 && Instant::now() < deadline {
        scrape_until(&session, &mut seen, |_| true);
    }
    drop(session);

    // A feed that tells of orders it never added.
    seen.next_session();
    let other = tempfile::tempdir().unwrap();
    let file = [delete(34_200, 1), delete(34_200, 2), delete(57_000, 3)].concat();
    std::fs::write(other.path().join("late.itch50"), file).unwrap();
    let session = Session::start(
        other.path(),
        &["--feed", "itch50:late.itch50", "--date", "2026-01-05", "--pace", "realtime"],
    );
    scrape_until(&session, &mut seen, |scrape| {
        scrape.value("spinward_book_anomalies_total{kind=\"unknown_order\"}") == 2.0
    });

    // A feed and a venue on the network.
    seen.next_session();
    drop(session);
    let floor = network(other.path());
    let words = ["--config", "network.toml", "--feed", &floor.1, "--venue", &floor.2];
    let session = Session::start(other.path(), &words);
    scrape_until(&session, &mut seen, |scrape| {
        scrape.sum("spinward_gateway_messages_total", "enter") > 0.0
            && scrape.sum("spinward_feed_notices_total", "snapshot") > 0.0
            && scrape.sum("spinward_feed_notices_total", "duplicate_message") > 0.0
            && scrape.value("spinward_gateway_orders") > 0.0
    });
    drop(session);

    // A server for its rows that goes away and comes back; if there is none to be had, one that never comes.
    seen.next_session();
    let program = Program::new();
    let mut unmoved: BTreeSet<&str> = BREACHES.into();
    let words = ["--duration", "1h", "--clickhouse"];
    if let Some(mut server) = Server::own("hft") {
        server.run(&program);
        program.run(&server.words("migrate", None)).with_code(0);
        let url = server.url.clone();
        let session = Session::start(&program.path(""), &[&words[..], &[&url]].concat());
        scrape_until(&session, &mut seen, |scrape| scrape.value("spinward_clickhouse_rows_total") > 0.0);
        server.kill();
        scrape_until(&session, &mut seen, |scrape| scrape.value("spinward_clickhouse_is_in_trouble") == 1.0);
        let (status, body) = session.request("GET", "/health");
        assert!(
            status == "HTTP/1.1 200 OK" && body.contains("(cannot reach ClickHouse at"),
            "{status} {body}"
        );
        server.run(&program);
        scrape_until(&session, &mut seen, |scrape| scrape.value("spinward_clickhouse_is_in_trouble") == 0.0);
    } else {
        unmoved.extend(["spinward_clickhouse_rows_total", "spinward_clickhouse_inserts_total"]);
        let session = Session::start(&program.path(""), &[&words[..], &["http://127.0.0.1:1"]].concat());
        scrape_until(&session, &mut seen, |scrape| scrape.value("spinward_clickhouse_lag_seconds") > 0.0);
    }

    assert_eq!(*seen.families(), table());
    assert_eq!(
        seen.unmoved().into_iter().collect::<Vec<_>>(),
        unmoved.iter().collect::<Vec<_>>(),
        "families that never moved"
    );
}

#[test]
fn the_door_answers_what_it_knows_and_says_what_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::start(folder.path(), &["--duration", "1h"]);
    let (status, body) = session.request("GET", "/health");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.starts_with("ok state normal frames "), "{body}");
    assert_eq!(session.request("GET", "/metrics?x=1").0, "HTTP/1.1 200 OK");
    let (status, body) = session.request("GET", "/");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 404 Not Found", "try /metrics or /health\n"));
    let (status, body) = session.request("POST", "/metrics");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 405 Method Not Allowed", "GET only\n"));
}
