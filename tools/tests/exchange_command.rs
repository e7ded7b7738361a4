//! `spinward exchange`: it says where it is, takes commands on its control socket, and sums up what happened.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn spinward(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spinward")).args(words).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The built-in configuration with ports that the system chooses.
fn config(folder: &Path) -> String {
    let mut config = text(&spinward(folder, &["config", "init"]).stdout);
    for port in ["26402", "26403", "26404", "26410"] {
        let before = format!("\"127.0.0.1:{port}\"");
        assert!(config.contains(&before));
        config = config.replace(&before, "\"127.0.0.1:0\"");
    }
    config
}

#[test]
fn it_runs_until_the_control_socket_ends_it_and_its_summary_has_the_faults() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("exchange.toml"), config(folder.path())).unwrap();
    let mut exchange = Command::new(env!("CARGO_BIN_EXE_spinward"))
        .args(["exchange", "--config", "exchange.toml", "--rate", "2000", "--fault", "drop a 3", "--json"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(exchange.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let orders: std::net::SocketAddr = first["listening"]["orders"].as_str().unwrap().parse().unwrap();
    assert_ne!(orders.port(), 0);
    let control = |words: &[&str]| {
        spinward(folder.path(), &[&["control", "--socket", "exchange.sock"], words].concat())
    };
    let status = control(&["status"]);
    assert!(text(&status.stdout).starts_with("session SPINWARD Open"), "{status:?}");
    assert_eq!(control(&["halt", "NONE"]).status.code(), Some(1));
    assert_eq!(control(&["halt", "AAAB"]).status.code(), Some(0));
    assert_eq!(control(&["restart", "20ms"]).status.code(), Some(0));
    assert_eq!(control(&["end"]).status.code(), Some(0));
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(exchange.wait().unwrap().code(), Some(0));
    let summary: Value = serde_json::from_str(&rest).unwrap();
    assert_eq!(
        (summary["faults"]["dropped"].as_u64(), summary["faults"]["restarts"].as_u64()),
        (Some(3), Some(1))
    );
    assert!(summary["messages"].as_u64().unwrap() > 400, "{summary}");
    let cash = summary["participants"]["cash"].as_str().unwrap();
    assert_eq!(cash, "0", "participants trade with each other alone");
    assert!(!folder.path().join("exchange.sock").exists());
}

#[test]
fn its_time_ends_it_and_people_get_a_table() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("exchange.toml"), config(folder.path())).unwrap();
    let output = spinward(folder.path(), &["exchange", "--config", "exchange.toml", "--duration", "300ms"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for line in ["orders (OUCH 5.0, SoupBinTCP)", "line A to", "closed after", "participants", "faults: none"]
    {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
}

#[test]
fn what_cannot_be_is_told_with_its_place_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let good = config(folder.path());
    for (from, to, says) in [
        (
            "faults = []",
            "faults = [\"drop c 1%\"]",
            "exchange.faults: \"drop c 1%\": `c` is not a, b or both; mend: write a line",
        ),
        (
            "line_b = [\"127.0.0.1:26401\"]",
            "line_b = [\"127.0.0.1:0\"]",
            "exchange.line_b: nothing can be sent to port 0",
        ),
        ("user = \"second\"", "user = \"trader\"", "exchange.account[1].user: \"trader\" stands twice"),
        ("wait = \"sleep\"", "wait = \"slep\"", "exchange.wait: "),
        ("price = 95", "price = \"95.001\"", "exchange.symbol[1].price: the first price is off the grid"),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        std::fs::write(folder.path().join("bad.toml"), &bad).unwrap();
        let line = good[..good.find(from).unwrap()].matches('\n').count() + 1;
        for words in [&["exchange", "--config", "bad.toml"][..], &["config", "check", "bad.toml"]] {
            let output = spinward(folder.path(), words);
            let told = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{told}");
            assert!(told.contains(says) && told.contains(&format!("bad.toml:{line}:")), "{says}\n{told}");
        }
    }
    let output = spinward(folder.path(), &["exchange", "--fault", "drop a"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
