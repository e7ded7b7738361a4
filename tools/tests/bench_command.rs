//! `spinward bench` as users run it: artefacts, interval logs in the reference reader, comparisons, reports in a browser.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failed one is a failed test")]

#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::Program;

/// Measures the journal, shortly; gives the artefact's path and what is in it.
fn measured(program: &Program, rounds: &str) -> (PathBuf, Value) {
    let ran = program
        .run(&["bench", "journal", "--rounds", rounds, "--seconds", "0.005", "--out", "runs", "--json"])
        .with_code(0);
    let run = ran.json();
    let log = run["interval_log"].as_str().unwrap();
    (program.path("runs").join(log).with_extension("json"), run)
}

/// A copy of an artefact with one value changed.
fn changed(path: &Path, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let mut run: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(&mut run);
    let copy = path.with_file_name(name);
    std::fs::write(&copy, run.to_string()).unwrap();
    copy
}

#[test]
fn a_run_says_what_was_measured_where_and_beside_which_control() {
    let program = Program::new();
    let (path, run) = measured(&program, "2");
    assert_eq!(run, serde_json::from_str::<Value>(&std::fs::read_to_string(&path).unwrap()).unwrap());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(run["fingerprint"]["kernel"], kernel.trim());
    assert_eq!((run["format"].as_u64(), run["suite"].as_str()), (Some(1), Some("journal")));
    assert!(run["commit"].as_str().is_some_and(|commit| !commit.is_empty()));
    let ratios = run["ratios"].as_array().unwrap();
    assert!(ratios.iter().any(|ratio| ratio["control"] == "memcpy of 128 bytes"), "{ratios:?}");
    let metrics = run["metrics"].as_array().unwrap();
    for floor in ["floor: empty loop", "floor: stamp", "floor: hiccups of an empty loop"] {
        assert!(metrics.iter().any(|metric| metric["name"] == floor), "{floor}");
    }
    let log = std::fs::read_to_string(path.with_extension("hlog")).unwrap();
    let head = log.lines().next().unwrap();
    for field in ["spinward bench journal", "commit=", "config=", "cpu=", "kernel_command_line=", "governor="]
    {
        assert!(head.contains(field), "{field}: {head}");
    }
}

#[test]
fn bad_words_are_refused_with_the_way_out() {
    let program = Program::new();
    for (words, said) in [
        (["bench", "risk", "--load", "sometimes"].as_slice(), "poisson"),
        (&["bench", "risk", "--load", "itch50:absent"], "absent"),
        (&["bench", "risk", "--rounds", "0"], "--rounds"),
        (&["bench", "risk", "--cores", "4095"], "core 4095 is not allowed"),
        (&["bench", "sweep", "--rates", "200,100"], "ascending"),
        (&["bench", "compare", "absent", "absent"], "absent"),
        (&["bench", "report"], "measure first"),
    ] {
        let ran = program.run(words).with_code(2);
        assert!(ran.err.contains(said), "{words:?}: {}", ran.err);
    }
}

#[test]
fn runs_of_other_hosts_are_flagged_and_other_configurations_refused() {
    let program = Program::new();
    let (path, _) = measured(&program, "2");
    let compare = |other: &Path, code: i32| {
        let words = ["bench".as_ref(), "compare".as_ref(), path.as_os_str(), other.as_os_str()];
        program.run(&words).with_code(code).out
    };
    let same = compare(&path, 0);
    assert!(same.contains("within noise") && same.contains("p99.9"), "{same}");

    let host = changed(&path, "host.json", |run| run["fingerprint"]["governor"] = "powersave".into());
    let said = compare(&host, 1);
    assert!(said.contains("HOST      governor differs") && said.contains("within noise"), "{said}");

    let config = changed(&path, "config.json", |run| run["config"]["record"] = "64 bytes".into());
    let said = compare(&config, 2);
    assert!(said.contains("REFUSED   config.record") && !said.contains("within noise"), "{said}");

    let suite = changed(&path, "suite.json", |run| run["suite"] = "book".into());
    assert!(compare(&suite, 2).contains("REFUSED   suite: journal against book"));
}

/// The reference reader, if `tools/setup/python-tools` has been run here.
fn python_tools() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let python = cache.join("spinward/python-tools-0.10.8/bin/python");
    python.exists().then_some(python)
}

/// Prints for each tag: samples, p50, p90, p99, p99.9, max.
const READER: &str = r#"
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
bounds = (1, 60_000_000_000, 3)
reader = HistogramLogReader(sys.argv[1], HdrHistogram(*bounds))
tags = {}
while True:
    interval = reader.get_next_interval_histogram()
    if interval is None:
        break
    tags.setdefault(interval.get_tag(), HdrHistogram(*bounds)).add(interval)
def at(h):
    # By its own counts: its percentiles round the rank to the nearest, which for few samples is another one.
    total, seen, ranks, found = h.get_total_count(), 0, [(500, 1000), (900, 1000), (990, 1000), (999, 1000)], []
    for item in h.get_recorded_iterator():
        seen += item.count_added_in_this_iter_step
        while len(found) < len(ranks) and seen * ranks[len(found)][1] >= total * ranks[len(found)][0]:
            found.append(h.get_highest_equivalent_value(item.value_iterated_to))
    return found
print(json.dumps({tag: [h.get_total_count(), *at(h), h.get_max_value()] for tag, h in tags.items()}))
"#;

#[test]
fn the_reference_reader_finds_the_same_samples_in_an_interval_log() {
    let Some(python) = python_tools() else {
        eprintln!("SKIPPED: interval logs in the reference reader: needs tools/setup/python-tools");
        return;
    };
    let program = Program::new();
    let (path, run) = measured(&program, "3");
    let log = path.with_extension("hlog");
    let output = Command::new(python).args(["-c", READER]).arg(&log).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let metrics = run["metrics"].as_array().unwrap();
    let mut compared = 0;
    for metric in metrics.iter().filter(|metric| metric["total"]["p50"].is_u64()) {
        let tag = metric["name"].as_str().unwrap().replace([' ', ','], "_");
        let of = |key: &str| metric["total"][key].as_u64().unwrap();
        let ours = ["samples", "p50", "p90", "p99", "p999", "max"].map(of);
        let theirs: Vec<u64> =
            found[&tag].as_array().unwrap_or(&Vec::new()).iter().flat_map(Value::as_u64).collect();
        assert_eq!(theirs, ours, "{tag}");
        compared += 1;
    }
    // With two cores or more the floor has a bare ring as well.
    assert!(compared >= 3 && compared == found.as_object().unwrap().len(), "{found}");
}

fn chromium() -> Option<&'static str> {
    let is_there =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|ran| ran.status.success());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(is_there)
}

#[test]
fn a_report_renders_in_a_browser_without_a_word_on_its_console() {
    let program = Program::new();
    let (first, _) = measured(&program, "2");
    let (second, _) = measured(&program, "2");
    let page = program.path("report.html");
    let words = ["bench", "report", "--out"].map(AsRef::as_ref);
    let words = words.into_iter().chain([page.as_os_str(), first.as_os_str(), second.as_os_str()]);
    program.run(&words.collect::<Vec<&std::ffi::OsStr>>()).with_code(0);
    let text = std::fs::read_to_string(&page).unwrap();
    for word in ["src=", "@import", "url(", "<script", "href=\"http", "rel=\"stylesheet\""] {
        assert!(!text.contains(word), "the page refers to something outside: {word}");
    }
    let Some(chromium) = chromium() else {
        eprintln!("SKIPPED: a report in a browser: needs tools/setup/chromium");
        return;
    };
    let output = Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .args(["--enable-logging=stderr", "--v=0"])
        .arg(format!("--user-data-dir={}", program.path("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let console: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains("<polyline class=\"line\"") && dom.contains("Since 20"), "{dom}");
}
