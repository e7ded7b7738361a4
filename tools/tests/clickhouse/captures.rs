//! Real captures, loaded: trades, volumes and final books by SQL are the data's own.

use crate::expected::{Row, rows_of, unzip};
use crate::server::Server;
use crate::setup::{run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use std::collections::BTreeMap;
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
        for line in BufReader::new(&unzip(text(file))[..]).lines() {
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
        std::fs::write(&config, market_only(name, symbol, &files[0])).unwrap();
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
fn market_only(name: &str, symbol: &str, file: &Path) -> String {
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
files = ["{}"]
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
price_min = "0"
price_max = "4529764"
fees = {{ maker = "0", taker = "0" }}
limits = {{ order_qty_max = 1, order_notional_max = 20000, position_max = 1, collar_ppm = 20000 }}
"#,
        file.display()
    )
}

/// Rows of a query as numbers.
fn numbers<const N: usize>(answer: &str) -> Vec<[i64; N]> {
    answer
        .lines()
        .map(|line| {
            let cells: Vec<i64> = line.split('\t').map(|cell| cell.parse().unwrap()).collect();
            cells.try_into().unwrap()
        })
        .collect()
}

/// A column of whole numbers.
fn whole(row: &Row, column: &str) -> i64 {
    row.get(column).parse().unwrap()
}

/// A sample loaded into a database of its own; the session's key.
fn load_sample(program: &Program, server: &Server, name: &str, file: &Path) -> String {
    program.run(&server.words("migrate", None)).with_code(0);
    let feed = format!("itch50:{}", text(file));
    let summary = run(program, &["--feed", &feed, "--date", "2019-12-30", "--pace", "max", "--name", name]);
    let session = session_of(program, &summary);
    let loaded = program.run(&server.words("load", Some(&session))).with_code(0).json();
    program.run(&server.words("verify", Some(&session))).with_code(0);
    let key = loaded["session"].as_str().unwrap().to_owned();
    // A frame is numbered in its session, and ticks of the timer (simulated time) are frames like the market's: the directory's 1,000 messages
    // lie among 2,823 ticks. So frames are told apart by session and by kind.
    let frames = |of: &str| {
        server.number(&format!("SELECT uniqExact(frame) FROM hft.market_data WHERE session = '{key}' {of}"))
    };
    assert_eq!(frames("AND kind NOT IN ('timer', 'report')"), 1_000, "{name}: a frame for each message");
    assert_eq!(Some(frames("")), summary["frames"].as_i64(), "{name}: every frame of the journal");
    key
}

#[test]
fn the_itch_open_has_the_trades_the_executions_and_the_best_quotes_of_another_tool() {
    let program = Program::new();
    let Some(file) = data("itch/20191230_open_1000msg.itch50") else { return };
    let expected = |what: &str| data(&format!("itch/expected/20191230_open.{what}.csv.gz"));
    let (Some(trades), Some(messages), Some(quotes)) =
        (expected("trades"), expected("messages"), expected("bbo"))
    else {
        return;
    };
    let Some(server) = Server::start(&program, "itch_open") else { return };
    let key = load_sample(&program, &server, "open", &file);

    // The file has a row for every P and Q message; one of no shares (a cross that did not take place) is no trade. Prices in 1e-4.
    let found = numbers::<5>(&server.ask(&format!(
        "SELECT frame, toUnixTimestamp64Nano(venue_time), price, qty, trade_id FROM hft.trades \
         WHERE session = '{key}' AND kind = 'trade' ORDER BY sequence"
    )));
    let told: Vec<[i64; 5]> = rows_of(&unzip(text(&trades)))
        .filter(|row| whole(row, "size") > 0)
        .map(|row| {
            let price = whole(&row, "price") * 100_000;
            [
                whole(&row, "seq"),
                whole(&row, "ts_event"),
                price,
                whole(&row, "size"),
                whole(&row, "match_number"),
            ]
        })
        .collect();
    assert!(!told.is_empty());
    assert_eq!(found, told);

    let found = numbers::<4>(&server.ask(&format!(
        "SELECT frame, toUnixTimestamp64Nano(venue_time), qty, toUInt8(is_counted) FROM hft.trades \
         WHERE session = '{key}' AND kind IN ('order_execute', 'order_execute_at') ORDER BY sequence"
    )));
    let mut by_type = BTreeMap::new();
    let mut told = Vec::new();
    for row in rows_of(&unzip(text(&messages))) {
        *by_type.entry(row.get("type").to_owned()).or_insert(0) += 1;
        if ["E", "C"].contains(&row.get("type")) {
            let is_counted = i64::from(row.get("printable") == "True");
            told.push([whole(&row, "seq"), whole(&row, "ts_event"), whole(&row, "size"), is_counted]);
        }
    }
    assert!(!told.is_empty());
    assert_eq!(found, told);
    for (kind, types) in [
        ("order_add", &["A", "F"][..]),
        ("order_replace", &["U"]),
        ("order_delete", &["D"]),
        ("order_execute", &["E"]),
        ("order_execute_at", &["C"]),
        ("order_reduce", &["X"]),
    ] {
        let count = server.number(&format!(
            "SELECT count() FROM hft.market_data WHERE session = '{key}' AND kind = '{kind}'"
        ));
        assert_eq!(count, types.iter().map(|name| by_type[*name]).sum::<i64>(), "{kind}");
    }
    let bars = server.number(&format!("SELECT toInt64(sum(qty)) FROM hft.bars WHERE session = '{key}'"));
    let counted = format!("FROM hft.trades WHERE session = '{key}' AND is_counted AND price > 0");
    assert_eq!(bars, server.number(&format!("SELECT sum(qty) {counted}")));

    // Best quotes, by frame (that of the message, as there is no timer within these 2.4 ms); 0 for an empty side.
    let found: BTreeMap<i64, [i64; 4]> = numbers::<5>(&server.ask(&format!(
        "SELECT frame, bid_prices[1], bid_qtys[1], ask_prices[1], ask_qtys[1] FROM hft.market_data \
         WHERE session = '{key}' AND kind != 'definition' ORDER BY sequence"
    )))
    .into_iter()
    .map(|[frame, quote @ ..]| (frame, quote))
    .collect();
    let mut count = 0;
    for row in rows_of(&unzip(text(&quotes))) {
        let frame = whole(&row, "seq");
        let told = [
            whole(&row, "bid_px") * 100_000,
            whole(&row, "bid_sz"),
            whole(&row, "ask_px") * 100_000,
            whole(&row, "ask_sz"),
        ];
        assert_eq!(found[&frame], told, "message {frame}");
        count += 1;
    }
    assert!(count > 0);
    println!("{} trades, {count} best quotes", told.len());
}

#[test]
fn the_itch_directory_has_every_symbol_once_under_its_own_number() {
    let program = Program::new();
    let (Some(file), Some(symbols)) = (
        data("itch/20191230_directory_1000msg.itch50"),
        data("itch/expected/20191230_directory.symbols.csv"),
    ) else {
        return;
    };
    let Some(server) = Server::start(&program, "itch_directory") else { return };
    let key = load_sample(&program, &server, "directory", &file);
    let answer = server.ask(&format!(
        "SELECT symbol FROM hft.market_data WHERE session = '{key}' AND kind = 'definition' ORDER BY sequence"
    ));
    let told: Vec<String> =
        rows_of(&std::fs::read(symbols).unwrap()).map(|row| row.get("symbol").to_owned()).collect();
    assert!(!told.is_empty());
    assert_eq!(answer.lines().collect::<Vec<_>>(), told);
    let names = server
        .ask(&format!("SELECT symbol FROM hft.instruments WHERE session = '{key}' ORDER BY instrument"));
    assert_eq!(names.lines().collect::<Vec<_>>(), told);
}
