//! Real captures, loaded: trades, volumes and final books by SQL are the data's own.

use crate::server::Server;
use crate::setup::{run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
const BINANCE: [(&str, &str, &[&str]); 3] = [
    ("usdm", "BTCUSDT", &["usdm_btcusdt_20240808.gz"]),
    ("spot", "BTCUSDT", &["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"]),
    ("cm", "ETHUSD_PERP", &["cm_ethusd_perp_20240808.gz"]),
];

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(DATA).join(name);
    if !path.exists() {
        println!("SKIPPED: loading captures needs {}", path.display());
        return None;
    }
    Some(path)
}

/// Trades of a capture, counted from its own text: how many, and the sum of their quantities in units of 1e-8.
fn own_trades(files: &[PathBuf]) -> (i64, i128) {
    let (mut count, mut volume) = (0, 0);
    for file in files {
        let ran = std::process::Command::new("zcat").arg(file).output().unwrap();
        for line in BufReader::new(&ran.stdout[..]).lines() {
            let line = line.unwrap();
            let message: Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
            let event = &message["data"];
            if event["e"] == "trade" {
                count += 1;
                let quantity = event["q"].as_str().unwrap();
                let (whole, part) = quantity.split_once('.').unwrap_or((quantity, ""));
                volume += format!("{whole}{part:0<8}").parse::<i128>().unwrap();
            }
        }
    }
    (count, volume)
}

#[test]
fn binance_captures_have_their_trades_their_volume_and_the_venues_last_quotes() {
    let program = Program::new();
    for (name, symbol, files) in BINANCE {
        let Some(files) =
            files.iter().map(|file| data(&format!("binance/{file}"))).collect::<Option<Vec<_>>>()
        else {
            return;
        };
        let Some(server) = Server::start(&program, name) else { return };
        program.run(&server.words("migrate", None)).with_code(0);
        let list: Vec<&str> = files.iter().map(|file| text(file)).collect();
        let feed = format!("binance:{}", list.join(","));
        let config = program.path("market.toml");
        std::fs::write(&config, market_only(name, symbol)).unwrap();
        let summary =
            run(&program, &["--config", text(&config), "--feed", &feed, "--pace", "max", "--name", name]);
        let session = session_of(&program, &summary);
        program.run(&server.words("load", Some(&session))).with_code(0);
        let verified = program.run(&server.words("verify", Some(&session))).with_code(0).json();
        assert_eq!(verified["is_equal"], true, "{verified}");
        assert_eq!(verified["tables"]["market_data"], summary["events"]);

        let (count, volume) = own_trades(&files);
        let trades = format!("FROM hft.trades WHERE symbol = '{symbol}'");
        assert_eq!(server.number(&format!("SELECT count() {trades}")), count, "{name}");
        let lot = server.number(&format!("SELECT lot FROM hft.instruments WHERE symbol = '{symbol}'"));
        let lots = i128::from(server.number(&format!("SELECT sum(qty) {trades}")));
        assert_eq!(lots * i128::from(lot) / 10, volume, "{name}: {count} trades");
        // The book of the session's own code, by another way than SQL.
        let csv = program.path(format!("{name}.csv"));
        let mut words = vec!["book", "--format", "binance", "--symbol", symbol, "--out", text(&csv)];
        words.extend(&list);
        program.run(&words).with_code(0);
        let book = std::fs::read_to_string(&csv).unwrap();
        let last: Vec<&str> = book.lines().last().unwrap().split(',').collect();
        let nanos = |text: &str| {
            let (whole, part) = text.split_once('.').unwrap_or((text, ""));
            format!("{whole}{part:0<9}").parse::<i64>().unwrap()
        };
        let by_sql = server.ask(&format!(
            "SELECT bid_prices[1], bid_qtys[1] * {lot}, ask_prices[1], ask_qtys[1] * {lot} FROM hft.market_data \
             WHERE symbol = '{symbol}' AND notEmpty(bid_prices) AND notEmpty(ask_prices) ORDER BY sequence DESC LIMIT 1 FORMAT TSV"
        ));
        let expected: Vec<String> = last[5..9].iter().map(|cell| nanos(cell).to_string()).collect();
        assert_eq!(by_sql.split('\t').collect::<Vec<_>>(), expected, "{name}");
        println!("{name}: {count} trades, volume {volume}e-8, last book {expected:?}");
    }
}

/// A configuration without strategies: what is asked here is the market.
fn market_only(name: &str, symbol: &str) -> String {
    let (lot, tick) = match name {
        "spot" => ("0.00000001", "0.01"),
        "cm" => ("1", "0.01"),
        _ => ("0.001", "0.10"),
    };
    format!(
        r#"
[session]
name = "{name}"
[feed]
kind = "binance"
files = ["given by --feed"]
[feed.binance]
snapshot_symbol = "{symbol}"
[topology]
preset = "fused"
[[instrument]]
symbol = "{symbol}"
tick = "{tick}"
lot = "{lot}"
currency = "USDT"
calendar = "always"
price_min = "0.01"
fees = {{ maker = "0", taker = "0" }}
price_max = "4529764"
limits = {{ order_qty_max = 1, order_notional_max = 20000, position_max = 1, collar_ppm = 20000 }}
[[strategy]]
name = "idle"
kind = "imbalance-taker"
instruments = ["{symbol}"]
intent_ttl = "1ns"
"#
    )
}

#[test]
fn itch_samples_have_their_executions_their_directory_and_their_last_books() {
    let program = Program::new();
    for (name, symbols) in [("20191230_open_1000msg", 322), ("20191230_directory_1000msg", 993)] {
        let Some(file) = data(&format!("itch/{name}.itch50")) else { return };
        let Some(server) = Server::start(&program, "itch") else { return };
        program.run(&server.words("migrate", None)).with_code(0);
        let feed = format!("itch50:{}", text(&file));
        let summary =
            run(&program, &["--feed", &feed, "--date", "2019-12-30", "--pace", "max", "--name", "itch"]);
        let session = session_of(&program, &summary);
        program.run(&server.words("load", Some(&session))).with_code(0);
        program.run(&server.words("verify", Some(&session))).with_code(0);
        let of_kind =
            |kind: &str| server.number(&format!("SELECT count() FROM hft.market_data WHERE kind = '{kind}'"));
        if name.contains("directory") {
            assert_eq!(of_kind("definition"), symbols);
            continue;
        }
        // What the file is known to hold: A 367, F 193, U 225, D 167, E 28, X 6, P and Q 4 each.
        assert_eq!(of_kind("order_add"), 367 + 193);
        assert_eq!(of_kind("order_replace"), 225);
        assert_eq!(of_kind("order_delete"), 167);
        assert_eq!(of_kind("order_execute"), 28);
        assert_eq!(of_kind("order_reduce"), 6);
        // Two of the crosses have no shares.
        assert_eq!(server.number("SELECT count() FROM hft.trades WHERE kind = 'trade'"), 6);
        let bars = server.number("SELECT toInt64(sum(qty)) FROM hft.bars");
        assert_eq!(bars, server.number("SELECT sum(qty) FROM hft.trades WHERE is_counted AND price > 0"));
    }
}
