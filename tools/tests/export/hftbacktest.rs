//! hftbacktest (PyPI) loads what is exported, runs it, and sees our best bid and offer.

use crate::python::{json, python};
use crate::setup::{run, session_of, text};
use crate::support::Program;
use serde_json::Value;

/// Best bid and offer each tenth of a second, in 1e-9; then requests, and whether every response came after its request by way of the exchange.
const RUN: &str = r#"
import sys, json
import numpy as np
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
market, latency = sys.argv[1], sys.argv[2]
rows = np.load(latency)["data"]
asset = (BacktestAsset().data([market]).linear_asset(1.0).intp_order_latency([latency]).risk_adverse_queue_model()
         .no_partial_fill_exchange().trading_value_fee_model(0, 0).tick_size(0.01).lot_size(1.0))
test = HashMapMarketDepthBacktest([asset])
seen = []
while test.elapse(100_000_000) == 0:
    depth = test.depth(0)
    seen.append([int(test.current_timestamp), round(depth.best_bid * 1e9), round(depth.best_ask * 1e9)])
ordered = bool(((rows["req_ts"] <= rows["exch_ts"]) & (rows["exch_ts"] <= rows["resp_ts"])).all())
print(json.dumps({"seen": seen, "orders": len(rows), "ordered": ordered}))
"#;

#[test]
fn hftbacktest_runs_the_export_and_sees_our_best_bid_and_offer_at_every_checkpoint() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "4s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let export =
        |words: &[&str]| program.run(&[&["export", text(&session), "--json"], words].concat()).with_code(0);
    let report = export(&["--to", "hftbacktest", "--symbol", "AAAA", "--out", "npz"]).json();
    export(&["--to", "csv", "--what", "book", "--symbol", "AAAA", "--out", "csv"]);
    assert!(report[0]["market"]["records"].as_u64().unwrap() > 10_000, "{report}");
    let Some(python) = python() else { return };
    let files = ["AAAA.market.npz", "AAAA.order_latency.npz"].map(|name| program.path(format!("npz/{name}")));
    let said = json(&python, RUN, &[text(&files[0]), text(&files[1])]);
    assert_eq!(said["orders"], report[0]["orders"]);
    assert!(said["orders"].as_u64().unwrap() > 0 && said["ordered"] == Value::Bool(true), "{said}");

    let csv = std::fs::read_to_string(program.path("csv/book-00000.csv")).unwrap();
    let column = |name: &str| csv.lines().next().unwrap().split(',').position(|other| other == name).unwrap();
    let columns = ["receive_time", "bid_prices_1", "ask_prices_1"].map(column);
    let books: Vec<[i64; 3]> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            columns.map(|at| cells[at].parse().unwrap_or(0))
        })
        .collect();
    let mut compared = 0;
    for seen in said["seen"].as_array().unwrap() {
        let seen: Vec<i64> = seen.as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect();
        let behind = books.partition_point(|book| book[0] <= seen[0]);
        let book = books[behind - 1];
        if book[1] > 0 && book[2] > 0 {
            assert_eq!(&book[1..], &seen[1..], "at {}", seen[0]);
            compared += 1;
        }
    }
    println!("{compared} checkpoints equal");
    assert!(compared >= 30, "{compared}");
}
