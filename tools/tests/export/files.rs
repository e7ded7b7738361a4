//! Parquet, CSV, JSON lines and Arrow.

use crate::python::{json, python};
use crate::setup::{run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Counts and sums of every table that has files in a folder, by each reader.
const SUMS: &str = r#"
import sys, json, glob, os
import polars as pl, duckdb
folder, tables = sys.argv[1], sys.argv[2].split(",")
columns = {"events": ["sequence", "frame", "price", "qty"], "trades": ["qty", "price"], "fills": ["qty", "fee", "realized"],
           "orders": ["qty"], "verdicts": ["qty", "limit"], "latency": ["total_ns"], "book": ["mid", "spread"]}
said = {}
for table in tables:
    files = lambda kind: sorted(glob.glob(os.path.join(folder, kind, f"{table}-*")))
    frames = {
        "parquet": pl.concat([pl.read_parquet(f) for f in files("parquet")]),
        "arrow": pl.concat([pl.read_ipc(f) for f in files("arrow")]),
        "csv": pl.concat([pl.read_csv(f, infer_schema_length=None) for f in files("csv")]),
        "jsonl": pl.concat([pl.read_ndjson(f, infer_schema_length=None) for f in files("jsonl")]),
    }
    said[table] = {}
    for kind, frame in frames.items():
        said[table]["polars " + kind] = [frame.height] + [int(frame[c].cast(pl.Int64).sum()) for c in columns[table]]
    sums = ", ".join(f'sum("{c}")::VARCHAR' for c in columns[table])
    row = duckdb.sql(f"SELECT count(*), {sums} FROM read_parquet('{folder}/parquet/{table}-*.parquet')").fetchall()[0]
    said[table]["duckdb parquet"] = [int(v) for v in row]
    if table == "fills":
        frame = frames["parquet"]
        signed = frame.with_columns(pl.when(pl.col("side") == "buy").then(pl.col("qty")).otherwise(-pl.col("qty")).alias("signed"))
        said["positions"] = {f"{s}/{i}": int(q) for s, i, q in signed.group_by("strategy", "symbol").agg(pl.col("signed").sum()).rows()}
        said["time"] = str(frame.schema["receive_time"])
    if table == "book":
        b = frames["parquet"].filter(pl.col("bid_prices").list.len() > 0, pl.col("ask_prices").list.len() > 0)
        wrong = b.filter(pl.col("ask_prices").list.get(0) - pl.col("bid_prices").list.get(0) != pl.col("spread")).height
        flat = frames["csv"].filter(pl.col("bid_prices_1").is_not_null(), pl.col("ask_prices_1").is_not_null())
        said["spreads"] = [b.height, wrong, flat.height, int(flat["bid_prices_1"].sum()) - int(b["bid_prices"].list.get(0).sum())]
print(json.dumps(said))
"#;

fn export(program: &Program, session: &Path, words: &[&str]) -> Value {
    let all = [&["export", text(session), "--json"], words].concat();
    program.run(&all).with_code(0).json()
}

#[test]
fn polars_and_duckdb_read_from_every_format_what_the_session_counted() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "2s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let tables = "events,book,trades,orders,fills,verdicts,latency";
    let mut rows = BTreeMap::new();
    for kind in ["parquet", "arrow", "csv", "jsonl"] {
        // Several parts each.
        let words = ["--to", kind, "--what", tables, "--out", kind, "--part-rows", "20000"];
        let report = export(&program, &session, &words);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for part in report["parts"].as_array().unwrap() {
            *counts.entry(part["table"].as_str().unwrap().to_owned()).or_default() +=
                part["rows"].as_u64().unwrap();
        }
        rows.insert(kind, counts);
    }
    let counts = &rows["parquet"];
    assert!(rows.values().all(|other| other == counts), "{rows:?}");
    // The session's own figures.
    assert_eq!(counts["events"], summary["events"].as_u64().unwrap());
    assert_eq!(counts["fills"], summary["fills"].as_u64().unwrap());
    assert!(counts["fills"] > 0 && counts["trades"] > 0, "{counts:?}");
    assert_eq!(counts["verdicts"], summary["intents"].as_u64().unwrap());
    assert_eq!(counts["latency"], counts["verdicts"], "each verdict has its stamps");

    let Some(python) = python() else { return };
    let said = json(&python, SUMS, &[text(&program.path("")), tables]);
    for (table, count) in counts {
        let readers = said[table].as_object().unwrap();
        assert_eq!(readers.len(), 5);
        let first = readers.values().next().unwrap();
        assert_eq!(first[0].as_u64(), Some(*count), "{table}: {readers:?}");
        for (reader, sums) in readers {
            assert_eq!(sums, first, "{table} by {reader}");
        }
    }
    assert!(said["time"].as_str().unwrap().contains("ns"), "{}", said["time"]);
    let spreads: Vec<i64> = said["spreads"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
    assert!(spreads[0] > 0 && spreads[0] == spreads[2] && spreads[1] == 0 && spreads[3] == 0, "{spreads:?}");
    for position in summary["positions"].as_array().unwrap() {
        let key = format!(
            "{}/{}",
            position["strategy"].as_str().unwrap(),
            position["instrument"].as_str().unwrap_or_else(|| panic!("{position}"))
        );
        let told = said["positions"][&key].as_i64().unwrap_or(0);
        assert_eq!(Some(told), position["position_lots"].as_i64(), "{key}");
    }
    let fees: i64 =
        summary["positions"].as_array().unwrap().iter().map(|p| p["fees_nanos"].as_i64().unwrap()).sum();
    assert_eq!(
        said["fills"]["duckdb parquet"][2].as_i64(),
        Some(fees),
        "fees of the fills are those of risk"
    );
}

/// Name and bytes of every part.
fn parts(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut parts = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name != spinward_recorder::STATE_FILE {
            parts.insert(name, std::fs::read(&path).unwrap());
        }
    }
    parts
}

#[test]
fn an_export_that_was_killed_goes_on_and_ends_in_the_same_bytes() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "4s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let words = |to: &'static str, out: &'static str| {
        vec!["--to", to, "--what", "events,trades", "--part-rows", "17000", "--out", out]
    };
    for to in ["parquet", "csv"] {
        let whole = export(&program, &session, &words(to, to));
        let killed = program.path("killed");
        let all = [vec!["export", text(&session), "--quiet"], words(to, "killed")].concat();
        let mut child = program.command(&all).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let second = killed.join(format!("events-00001.{to}"));
        while !second.exists() {
            assert_eq!(child.try_wait().unwrap(), None, "killed before its end");
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What a kill in the middle of a part leaves beside it.
        std::fs::write(killed.join(format!("events-00099.{to}.unfinished")), "half").unwrap();
        let found = parts(&killed).len();
        let rest = export(&program, &session, &words(to, "killed"));
        assert!(rest["rows_kept"].as_u64().unwrap() > 0, "{found} files were there");
        assert_eq!(rest["rows"], whole["rows"]);
        assert_eq!(parts(&killed), parts(&program.path(to)), "{to}");
        // Once more: nothing is left to do.
        let again = export(&program, &session, &words(to, "killed"));
        assert_eq!(again["rows_kept"], whole["rows"]);
        std::fs::remove_dir_all(&killed).unwrap();
    }
}

#[test]
fn filters_give_the_rows_that_they_name_with_their_numbers_in_the_session() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "1s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    export(&program, &session, &["--to", "csv", "--what", "trades", "--out", "all"]);
    let all = std::fs::read_to_string(program.path("all/trades-00000.csv")).unwrap();
    let cell = |line: &str, at: usize| line.split(',').nth(at).unwrap().to_owned();
    let rows: Vec<&str> = all.lines().skip(1).collect();
    let (first, last) = (cell(rows[rows.len() / 4], 3), cell(rows[rows.len() / 2], 3));
    let words = ["--to", "csv", "--what", "trades", "--symbol", "AAAB,AAAC", "--from", &first, "--to-time"];
    export(&program, &session, &[&words[..], &[&last, "--out", "some"]].concat());
    let some = std::fs::read_to_string(program.path("some/trades-00000.csv")).unwrap();
    let expected: Vec<&str> = rows
        .iter()
        .filter(|row| ["AAAB", "AAAC"].contains(&cell(row, 6).as_str()))
        .filter(|row| (first.as_str()..last.as_str()).contains(&cell(row, 3).as_str()))
        .copied()
        .collect();
    assert!(!expected.is_empty() && expected.len() < rows.len() / 2);
    assert_eq!(some.lines().skip(1).collect::<Vec<_>>(), expected);
}

#[test]
fn wrong_words_and_folders_are_refused_with_the_way_out() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "50ms", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let session = text(&session);
    let refused = |words: &[&str], said: &str, code: i32| {
        let ran = program.run(&[&["export", session], words].concat()).with_code(code);
        assert!(ran.err.contains(said), "{said:?} in {}", ran.err);
    };
    refused(&["--to", "csv", "--what", "evnts", "--out", "x"], "give all, or some of events, book", 2);
    refused(&["--to", "csv", "--from", "yesterday", "--out", "x"], "give it as 2024", 2);
    refused(&["--to", "csv", "--symbol", "NONE", "--out", "y"], "no rows: check --symbol", 1);
    std::fs::create_dir(program.path("full")).unwrap();
    std::fs::write(program.path("full/letter.txt"), "dear").unwrap();
    refused(&["--to", "csv", "--out", "full"], "give an empty folder", 2);
    program.run(&["export", session, "--to", "csv", "--out", "z"]).with_code(0);
    refused(&["--to", "jsonl", "--out", "z"], "holds another export", 2);
    assert!(program.path("full/letter.txt").exists());
}

#[test]
fn an_export_marks_the_session_only_if_it_is_everything_of_one_that_has_ended() {
    let program = Program::new();
    let session = session_of(&program, &run(&program, &["--duration", "300ms", "--pace", "max"]));
    let mark = || std::fs::read_to_string(session.join("exported")).ok();
    let not_all: [&[&str]; 4] = [
        &["--what", "all", "--symbol", "AAAA", "--out", "one-symbol"],
        &["--what", "all", "--from", "1", "--out", "from"],
        &["--what", "all", "--to-time", "2100-01-01T00:00:00Z", "--out", "to"],
        &[
            "--what",
            "market_data,trades,orders,fills,verdicts,latency,positions,health,instruments",
            "--out",
            "some",
        ],
    ];
    for words in not_all {
        let report = export(&program, &session, &[&["--to", "csv"], words].concat());
        assert_eq!((&report["is_marked"], mark()), (&false.into(), None), "{words:?}");
    }
    // Its manifest tells of another frame more than its journal has.
    let manifest = std::fs::read_to_string(session.join("manifest.toml")).unwrap();
    let frames = manifest.lines().find(|line| line.starts_with("frames = ")).unwrap();
    std::fs::write(session.join("manifest.toml"), manifest.replace(frames, &format!("{frames}0"))).unwrap();
    let report = export(&program, &session, &["--to", "parquet", "--what", "all", "--out", "other"]);
    assert_eq!((&report["is_marked"], mark()), (&false.into(), None));
    // It has no end.
    let ended = manifest.find("[ended]").unwrap();
    let end = ended + manifest[ended + 1..].find("\n[").unwrap() + 1;
    std::fs::write(session.join("manifest.toml"), format!("{}{}", &manifest[..ended], &manifest[end..]))
        .unwrap();
    let report = export(&program, &session, &["--to", "parquet", "--what", "all", "--out", "no-end"]);
    assert_eq!((&report["is_marked"], mark()), (&false.into(), None));
    std::fs::write(session.join("manifest.toml"), &manifest).unwrap();

    let report = export(&program, &session, &["--to", "parquet", "--what", "all", "--out", "all"]);
    assert_eq!(report["is_marked"], true, "{report}");
    assert!(mark().unwrap().trim_end().ends_with("Parquet in all"));
}
