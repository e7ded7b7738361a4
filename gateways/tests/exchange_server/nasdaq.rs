//! Nasdaq's own client on the exchange.

use super::*;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The client's interpreter, if `tools/setup/nasdaq-protocols` has been run here.
fn python() -> Option<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    let python = cache.join("spinward/nasdaq-protocols-1.3.0/bin/python");
    python.exists().then_some(python)
}

#[test]
fn nasdaqs_own_client_trades_is_filled_while_it_is_away_resumes_and_replays() {
    let Some(python) = python() else {
        println!("SKIPPED: nasdaqs_own_client… needs tools/setup/nasdaq-protocols");
        return;
    };
    let mut config = config(&Feed::new(), None);
    config.core.accounts =
        ["trader", "second"].map(|user| AccountConfig::new(user, "secret").unwrap()).to_vec();
    let exchange = start(&config);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nasdaq_client/exchange.py");
    let mut client = Command::new(python)
        .args([script, &exchange.addresses().orders.port().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told: Vec<serde_json::Value> = Vec::new();
    let mut state = None;
    for line in BufReader::new(client.stdout.take().unwrap()).lines() {
        told.push(serde_json::from_str(&line.unwrap()).unwrap());
        if told.last().unwrap()["what"] == "ready" {
            state = Some(exchange.ask().unwrap());
            exchange.control("end").unwrap();
        }
    }
    assert!(client.wait().unwrap().success(), "{told:?}");
    let what: Vec<&str> = told.iter().map(|line| line["what"].as_str().unwrap()).collect();
    let first = ["login", "SystemEvent", "Accepted", "Accepted"];
    let other = ["login", "SystemEvent", "Accepted", "Executed"];
    let away = ["login", "Executed", "login"];
    // The order that is left goes at the close.
    let rest = ["ready", "Canceled", "SystemEvent", "closed"];
    let replay = ["SystemEvent", "Accepted", "Accepted", "Executed", "Canceled"];
    let expected: Vec<&str> =
        [&first[..], &other, &away[..2], &["Canceled"], &away[2..], &replay, &rest].concat();
    assert_eq!(what, expected);
    // The replay is what came before.
    let before: Vec<_> = [&told[1..4], &told[9..11]].concat();
    assert_eq!(told[12..17], before);
    let (bought, sold) = (&told[9], &told[7]);
    assert_eq!((bought["quantity"].as_u64(), bought["price"].as_u64()), (Some(60), Some(2_200_000)));
    assert_eq!(bought["match_number"], sold["match_number"]);
    let state = state.unwrap();
    let holdings = ["trader", "second"].map(|user| state.account(user).unwrap().holdings.clone());
    assert_eq!(holdings.each_ref().map(|holdings| holdings.positions[0]), [60, -60]);
    assert_eq!(holdings.each_ref().map(|holdings| holdings.cash), [-60 * 2_200_000, 60 * 2_200_000]);
}
