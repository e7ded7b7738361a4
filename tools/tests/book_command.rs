//! `spinward book` on real captures, against what the venue itself (Binance) and another tool (itch-book 0.2.1) say of the best quotes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod book_command {
    pub(crate) mod expected;
    pub(crate) mod program;
}

use book_command::expected::{BestOf, Quote, itch_symbols, rows_of};
use book_command::program::{capture, captures, spinward, text};
use std::collections::BTreeMap;

const HEADER: &str = "seq,venue_time_ns,receive_time_ns,symbol,update_id,bid_price,bid_qty,ask_price,ask_qty";
const OPEN: &str = "itch/20191230_open_1000msg.itch50";

/// Compares our book with the venue's `bookTicker` at every update id that both streams have, and gives how many that are.
fn check_against_the_venue(symbol: &str, files: &[&str], expected: &str) -> Option<usize> {
    let files = captures(files)?;
    let expected = capture(&format!("binance/expected/{expected}"))?;
    let mut words = vec!["book", "--format", "binance", "--symbol", symbol, "--out", "-"];
    words.extend(files.iter().map(String::as_str));
    let output = spinward(&words);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let csv = text(&output.stdout);
    assert_eq!(csv.lines().next(), Some(HEADER));
    let ours: Vec<(u64, Quote)> = rows_of(csv.as_bytes())
        .map(|row| {
            assert_eq!(row.get("symbol"), symbol);
            (
                row.get("update_id").parse().unwrap(),
                Quote::new(&row, ["bid_price", "bid_qty", "ask_price", "ask_qty"]),
            )
        })
        .collect();
    assert!(ours.is_sorted_by_key(|(update_id, _)| *update_id), "{symbol}: update ids go back");
    let end = ours.last().unwrap().0;
    let mut count = 0;
    for row in rows_of(book_command::expected::unzip(&expected).as_slice()) {
        let update_id: u64 = row.get("u").parse().unwrap();
        if update_id > end {
            // Of a day whose capture is not among the files.
            continue;
        }
        let at = ours.partition_point(|(ours, _)| *ours <= update_id);
        let (_, in_force) = ours.get(at - 1).unwrap();
        assert_eq!(
            *in_force,
            Quote::new(&row, ["bid", "bid_qty", "ask", "ask_qty"]),
            "{symbol} at update {update_id}"
        );
        count += 1;
    }
    Some(count)
}

#[test]
fn usd_margined_futures_have_the_venues_own_best_quote_at_every_shared_update() {
    let Some(count) = check_against_the_venue(
        "BTCUSDT",
        &["binance/usdm_btcusdt_20240808.gz"],
        "usdm_btcusdt.bookticker.csv.gz",
    ) else {
        return;
    };
    assert_eq!(count, 629);
}

#[test]
fn spot_has_the_venues_own_best_quote_at_every_shared_update_of_both_days() {
    let files = ["binance/spot_btcusdt_20240808.gz", "binance/spot_btcusdt_20240809.gz"];
    let Some(count) = check_against_the_venue("BTCUSDT", &files, "spot_btcusdt.bookticker.csv.gz") else {
        return;
    };
    assert_eq!(count, 1_072);
}

#[test]
fn coin_margined_futures_have_the_venues_own_best_quote_at_every_shared_update() {
    let files = ["binance/cm_ethusd_perp_20240808.gz"];
    let Some(count) = check_against_the_venue("ETHUSD_PERP", &files, "cm_ethusd_perp.bookticker.csv.gz")
    else {
        return;
    };
    assert_eq!(count, 1_345);
}

/// Changes of price or size by symbol: message number, time, quote.
type Changes = BTreeMap<String, Vec<(u64, u64, BestOf)>>;

/// Changes as itch-book has them; rows in which only the number of orders changed are left out, as ours does not tell it.
fn itch_expected(expected: &str, symbols: &BTreeMap<u16, String>) -> Changes {
    let mut changes = Changes::new();
    for row in rows_of(book_command::expected::unzip(expected).as_slice()) {
        let locate: u16 = row.get("locate").parse().unwrap();
        let symbol = symbols.get(&locate).cloned().unwrap_or_else(|| format!("#{locate}"));
        let quote = BestOf::of_itch_book(&row);
        let changes = changes.entry(symbol).or_default();
        let before = changes.last().map_or(BestOf::default(), |(_, _, quote)| *quote);
        if quote != before {
            changes.push((row.get("seq").parse().unwrap(), row.get("ts_event").parse().unwrap(), quote));
        }
    }
    changes.retain(|_, changes| !changes.is_empty());
    changes
}

fn itch_ours(csv: &[u8]) -> Changes {
    let mut changes = Changes::new();
    for row in rows_of(csv) {
        let change = (
            row.get("seq").parse().unwrap(),
            row.get("venue_time_ns").parse().unwrap(),
            BestOf::of_ours(&row),
        );
        changes.entry(row.get("symbol").to_owned()).or_default().push(change);
    }
    changes
}

#[test]
fn every_symbol_of_the_itch_open_has_the_best_quotes_of_another_tool_message_for_message() {
    let (Some(file), Some(expected)) = (capture(OPEN), capture("itch/expected/20191230_open.bbo.csv.gz"))
    else {
        return;
    };
    let symbols = itch_symbols(&std::fs::read(&file).unwrap());
    let expected = itch_expected(&expected, &symbols);
    assert_eq!(expected.len(), 185);
    let command = ["book", "--format", "itch50", "--date", "2019-12-30", "--out", "-", "--symbol"];

    let every = spinward(&[&command[..], &["*", &file]].concat());
    assert_eq!(every.status.code(), Some(0), "{}", text(&every.stderr));
    assert!(text(&every.stderr).contains("399 unknown orders"), "{}", text(&every.stderr));
    let ours = itch_ours(&every.stdout);
    for (symbol, expected) in &expected {
        assert_eq!(ours.get(symbol), Some(expected), "{symbol}");
    }
    assert_eq!(ours.len(), expected.len());

    // One at a time gives the same: the five with the most changes.
    let mut most: Vec<_> = expected.iter().collect();
    most.sort_by_key(|(_, changes)| std::cmp::Reverse(changes.len()));
    for (symbol, expected) in most.into_iter().take(5) {
        let one = spinward(&[&command[..], &[symbol, &file]].concat());
        assert_eq!(one.status.code(), Some(0), "{}", text(&one.stderr));
        assert_eq!(itch_ours(&one.stdout), Changes::from([(symbol.clone(), expected.clone())]));
    }
}

#[test]
fn the_summary_as_json_counts_what_the_capture_has() {
    let Some(file) = capture(OPEN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("bbo.csv");
    let output = spinward(&[
        "book",
        "--format",
        "itch50",
        "--symbol",
        "*",
        "--json",
        "--out",
        csv.to_str().unwrap(),
        &file,
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = std::fs::read_to_string(&csv).unwrap().lines().count() - 1;
    assert_eq!(report["rows"].as_u64(), Some(rows as u64));
    assert_eq!(report["messages"], 1_000);
    assert_eq!(report["unknown_orders"], 399);
    assert_eq!(report["malformed"], 0);
    assert_eq!(report["gaps"], 0);
}

#[test]
fn a_symbol_without_a_quote_ends_with_code_1_and_is_named() {
    let Some(file) = capture(OPEN) else { return };
    // #3041: known by its locate alone, so it has no book. ZZZZZ is nowhere.
    for symbol in ["ZZZZZ", "#3041"] {
        let output = spinward(&["book", "--format", "itch50", "--symbol", symbol, "--out", "-", &file]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout).trim_end(), HEADER);
        let told = text(&output.stderr);
        assert!(told.contains(&format!("{symbol} has no quote in these files")), "{told}");
    }
}

#[test]
fn bad_usage_ends_with_code_2_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.itch50");
    std::fs::write(&empty, b"").unwrap();
    let empty = empty.to_str().unwrap();
    let absent = folder.path().join("absent.gz");
    let absent = absent.to_str().unwrap();
    let nowhere = folder.path().join("no/such/folder.csv");
    let nowhere = nowhere.to_str().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["--format", "itch50", "--symbol", "A", "--out", "-"], "<FILE>"),
        (&["--format", "itch49", "--symbol", "A", "--out", "-", empty], "itch49"),
        (&["--format", "itch50", "--out", "-", empty], "--symbol"),
        (&["--format", "itch50", "--symbol", "", "--out", "-", empty], "--symbol"),
        (&["--format", "binance", "--symbol", "BTCUSDT", "--out", "-", absent], absent),
        (&["--format", "itch50", "--symbol", "A", "--date", "30.12.2019", "--out", "-", empty], "30.12.2019"),
        (&["--format", "itch50", "--symbol", "A", "--out", nowhere, empty], nowhere),
    ];
    for (words, named) in cases {
        let output = spinward(&[&["book"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(named), "{words:?}: {}", text(&output.stderr));
    }
}
