//! What is wrong with a configuration is told with file, line, column, key and mend, before anything runs, with exit code 2.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn spinward(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spinward")).args(words).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The built-in configuration, as `config init` prints it.
fn init(folder: &Path) -> String {
    let output = spinward(folder, &["config", "init"]);
    assert_eq!(output.status.code(), Some(0));
    text(&output.stdout)
}

/// A mistake: what of the good text is replaced, by what, and where and how it is told.
struct Mistake {
    /// Another replacement, good by itself.
    also: Option<(&'static str, &'static str)>,
    good: &'static str,
    bad: &'static str,
    /// What the place points at: its last occurrence up to the end of `bad`.
    points_at: &'static str,
    key: &'static str,
    what: &'static str,
    mend: &'static str,
}

/// Line and column, from 1, of what the place points at: counted here, not by the program.
fn place(text: &str, until: usize, points_at: &str) -> (usize, usize) {
    let at = text[..until].rfind(points_at).unwrap();
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
    (line, column)
}

fn check(mistake: &Mistake) {
    let folder = tempfile::tempdir().unwrap();
    let mut good = init(folder.path());
    if let Some((from, to)) = mistake.also {
        assert!(good.contains(from));
        good = good.replacen(from, to, 1);
    }
    let at = good.find(mistake.good).unwrap();
    let bad = good.replacen(mistake.good, mistake.bad, 1);
    let (line, column) = place(&bad, at + mistake.bad.len(), mistake.points_at);
    std::fs::write(folder.path().join("bad.toml"), &bad).unwrap();
    let told = format!("bad.toml:{line}:{column}: {}: ", mistake.key);

    let checked = spinward(folder.path(), &["config", "check", "bad.toml"]);
    let run = spinward(folder.path(), &["run", "--config", "bad.toml", "--metrics", "off"]);
    for (output, stream) in [(&checked, &checked.stdout), (&run, &run.stderr)] {
        let stream = text(stream);
        assert_eq!(output.status.code(), Some(2), "{}: {stream}", mistake.bad);
        let problem = stream
            .lines()
            .map(|line| line.strip_prefix("error: ").unwrap_or(line))
            .find(|line| line.starts_with(&told))
            .unwrap_or_else(|| panic!("{told}… is not among:\n{stream}"));
        let (what, mend) = problem[told.len()..].split_once("; mend: ").unwrap();
        assert!(what.contains(mistake.what), "{what}");
        assert!(mend.contains(mistake.mend), "{mend}");
    }
    assert!(!folder.path().join("sessions").exists(), "a refused configuration leaves no session");
}

#[test]
fn an_unknown_key_is_refused_and_the_likely_one_named() {
    check(&Mistake {
        also: None,
        good: "seed = 1 ",
        bad: "sede = 1 ",
        points_at: "sede",
        key: "session.sede",
        what: "unknown key",
        mend: "\"seed\"",
    });
}

#[test]
fn a_tick_of_nothing_is_refused() {
    check(&Mistake {
        also: None,
        good: "tick = \"0.01\" ",
        bad: "tick = \"0.00\" ",
        points_at: "\"0.00\"",
        key: "instrument[0].tick",
        what: "tick is 0",
        mend: "greater than 0",
    });
}

#[test]
fn a_price_as_a_binary_float_is_refused() {
    check(&Mistake {
        also: None,
        good: "tick = \"0.01\" ",
        bad: "tick = 0.01 ",
        points_at: "0.01",
        key: "instrument[0].tick",
        what: "binary float",
        mend: "\"0.01\"",
    });
}

#[test]
fn a_traded_instrument_without_a_limit_is_refused() {
    check(&Mistake {
        also: None,
        good: "order_notional_max = 500000, ",
        bad: "",
        points_at: "limits = {",
        key: "instrument[0].limits.order_notional_max",
        what: "missing",
        mend: "largest value of an order",
    });
}

#[test]
fn a_traded_instrument_without_any_limits_is_refused_with_its_traders_name() {
    check(&Mistake {
        also: None,
        good: "limits = { order_qty_max = 500, order_notional_max = 500000, position_max = 2000, collar_ppm = 50000, collar_ticks = 50 }\n",
        bad: "",
        points_at: "[[instrument]]",
        key: "instrument[0].limits",
        what: "AAAA is traded by \"maker\" and has no limits",
        mend: "add limits = {",
    });
}

#[test]
fn a_core_that_the_host_does_not_have_is_refused() {
    check(&Mistake {
        also: Some(("preset = \"auto\"", "preset = \"fused\"")),
        good: "cores = []",
        bad: "cores = [4095]",
        points_at: "[4095]",
        key: "topology.cores",
        what: "4095",
        mend: "",
    });
}

#[test]
fn a_ring_that_is_not_a_power_of_two_is_refused_and_its_neighbours_named() {
    check(&Mistake {
        also: None,
        good: "ingress_slots = 1024",
        bad: "ingress_slots = 1023",
        points_at: "1023",
        key: "pipeline.ingress_slots",
        what: "not a power of two",
        mend: "512 or 1024",
    });
}

#[test]
fn a_strategy_on_an_instrument_that_is_not_there_is_refused() {
    check(&Mistake {
        also: None,
        good: "instruments = [\"AAAA\", \"AAAB\", \"AAAC\"] #",
        bad: "instruments = [\"AAAA\", \"ZZZZ\"] #",
        points_at: "[\"AAAA\", \"ZZZZ\"]",
        key: "strategy[0].instruments",
        what: "\"ZZZZ\"",
        mend: "[[instrument]]",
    });
}

#[test]
fn a_parameter_that_the_strategy_does_not_have_is_refused_and_the_known_ones_named() {
    check(&Mistake {
        also: None,
        good: "half_spread_ticks = 1 ",
        bad: "half_spread_tics = 1 ",
        points_at: "half_spread_tics",
        key: "strategy[0].parameters.half_spread_tics",
        what: "unknown parameter",
        mend: "half_spread_ticks",
    });
}

#[test]
fn a_kind_of_strategy_that_nobody_registered_is_refused() {
    check(&Mistake {
        also: None,
        good: "kind = \"market-maker\"",
        bad: "kind = \"market-taker\"",
        points_at: "\"market-taker\"",
        key: "strategy[0].kind",
        what: "\"market-taker\"",
        mend: "\"market-maker\"",
    });
}

/// Seven threads that spin on the one core they may use stop each other for whole time slices.
#[test]
fn more_spinning_threads_than_cores_are_refused() {
    check(&Mistake {
        also: Some(("cores = []", "cores = [0]")),
        good: "preset = \"auto\"",
        bad: "preset = \"split\"",
        points_at: "\"split\"",
        key: "topology.preset",
        what: "spinning threads",
        mend: "\"yield\"",
    });
}

#[test]
fn every_problem_of_a_file_is_told_at_once_in_the_order_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let bad = init(folder.path())
        .replacen("seed = 1 ", "sede = 1 ", 1)
        .replacen("ingress_slots = 1024", "ingress_slots = 1023", 1)
        .replacen("tick = \"0.01\" ", "tick = 0.01 ", 1);
    std::fs::write(folder.path().join("bad.toml"), bad).unwrap();
    let output = spinward(folder.path(), &["config", "check", "bad.toml", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let keys: Vec<&str> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["session.sede", "pipeline.ingress_slots", "instrument[0].tick"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["config", "check", "absent.toml"][..],
        &["config", "show", "absent.toml"],
        &["run", "--config", "absent.toml"],
    ] {
        let output = spinward(folder.path(), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(told.contains("absent.toml: cannot read the configuration"), "{words:?}: {told}");
        assert!(told.contains("; mend: "), "{words:?}: {told}");
    }
}

#[test]
fn a_bad_option_is_named_with_its_mend() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["--pace", "max"], "--pace: simulation.pace: sockets live by the clock on the wall"),
        (
            &["--venue", "exchange", "--feed", "mold:127.0.0.1:1"],
            "--venue: venue.kind: an exchange of its own",
        ),
        (&["--pace", "x0"], "--pace: \"x0\""),
        (&["--feed", "nasdaq:x"], "--feed: \"nasdaq\""),
        (&["--feed", "itch50:absent.itch50"], "--feed: feed.files: cannot read absent.itch50"),
        (&["--topology", "fissed"], "--topology: \"fissed\""),
        (&["--duration", "10"], "--duration: "),
        (&["--metrics", "nowhere"], "--metrics: "),
    ];
    for (option, named) in cases {
        let output = spinward(folder.path(), &[&["run"], option].concat());
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option:?}: {told}");
        assert!(told.contains(named) && told.contains("; mend: "), "{option:?}: {told}");
    }
    assert!(!folder.path().join("sessions").exists());
}

#[test]
fn what_init_prints_is_good_and_shows_as_itself() {
    let folder = tempfile::tempdir().unwrap();
    let written = spinward(folder.path(), &["config", "init", "mine.toml"]);
    assert_eq!(written.status.code(), Some(0));
    let file: PathBuf = folder.path().join("mine.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim_end(), init(folder.path()).trim_end());

    let checked = spinward(folder.path(), &["config", "check", "mine.toml"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    let shown = spinward(folder.path(), &["config", "show", "mine.toml"]);
    std::fs::write(folder.path().join("shown.toml"), &shown.stdout).unwrap();
    // The same settings, so the same fingerprint.
    assert_eq!(
        text(&spinward(folder.path(), &["config", "check", "shown.toml"]).stdout),
        text(&checked.stdout)
    );

    let json = spinward(folder.path(), &["config", "show", "mine.toml", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["instrument"][0]["symbol"], "AAAA");
    assert_eq!(json["session"]["seed"], 1);

    // A second init does not touch it.
    std::fs::write(&file, "# mine\n").unwrap();
    assert_eq!(spinward(folder.path(), &["config", "init", "mine.toml"]).status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n");
}
