//! What the tests of whole sessions have in common.

use crate::support::Program;
use serde_json::Value;
use spinward_recorder::SessionFolder;
use std::path::{Path, PathBuf};

/// Three threads that the scheduler places; yielding, as the machine may have fewer cores and other tests run beside.
pub(crate) const THREE_CORES: &str = r#"[topology]
preset = "custom"

[[topology.core]]
idle = "yield"
agents = ["sequencer", "normalizer", "journal"]

[[topology.core]]
idle = "yield"
agents = ["book", "strategies-0"]

[[topology.core]]
idle = "yield"
agents = ["risk", "tap"]
"#;

/// Small enough that a session begins at once, and that its journal has several segments.
const SMALL: [(&str, &str); 4] = [
    ("instruments_max = 16384 ", "instruments_max = 256 "),
    ("orders_max = 1048576 ", "orders_max = 65536 "),
    ("levels_max = 524288 ", "levels_max = 65536 "),
    ("segment_bytes = \"64MiB\"", "segment_bytes = \"256KiB\""),
];

/// Options of every run here.
const QUIETLY: [&str; 5] = ["--metrics", "off", "--quiet", "--json", "--idle"];

/// The words of `spinward run …`, yielding; on the paper venue unless they name another one.
pub(crate) fn run_words<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["run"];
    if !words.contains(&"--venue") {
        all.push("--paper");
    }
    all.extend(words);
    all.extend(QUIETLY);
    all.push("yield");
    all
}

/// Runs a session to its end; its summary.
#[track_caller]
pub(crate) fn run(program: &Program, words: &[&str]) -> Value {
    program.run(&run_words(words)).with_code(0).json()
}

/// Replays a session; it must be identical.
#[track_caller]
pub(crate) fn replay(program: &Program, session: &Path, topology: &str) -> Value {
    let words = ["replay", text(session), "--topology", topology, "--idle", "yield", "--json"];
    let report = program.run(&words).with_code(0).json();
    assert_eq!(report["is_identical"], true, "{report}");
    assert_eq!(report["topology"], topology_name(topology, &report), "{report}");
    report
}

fn topology_name<'a>(asked: &'a str, report: &'a Value) -> &'a str {
    // `auto` decides by the machine.
    if asked == "auto" { report["topology"].as_str().unwrap() } else { asked }
}

/// Stage, records and digest, in the order of the stages.
pub(crate) fn digests(summary: &Value) -> Vec<(String, u64, String)> {
    summary["digests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["stage"].as_str().unwrap().to_owned(),
                row["records"].as_u64().unwrap(),
                row["digest"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// The folder that a summary names.
pub(crate) fn session_of(program: &Program, summary: &Value) -> PathBuf {
    program.path(summary["session"].as_str().unwrap())
}

/// The newest session of the program's folder.
pub(crate) fn latest(program: &Program) -> Option<SessionFolder> {
    SessionFolder::latest(&program.path("sessions"), None).ok()
}

/// Writes the built-in configuration: small, with three cores, and changed as told (each text must be there once).
pub(crate) fn configuration(program: &Program, changes: &[(&str, &str)]) -> PathBuf {
    let mut config = program.run(&["config", "init"]).with_code(0).out;
    for (from, to) in SMALL.iter().chain(changes) {
        assert_eq!(config.matches(from).count(), 1, "{from:?} stands once in the built-in configuration");
        config = config.replacen(from, to, 1);
    }
    let (begin, end) = (config.find("[topology]").unwrap(), config.find("[book]").unwrap());
    config.replace_range(begin..end, &format!("{THREE_CORES}\n"));
    let path = program.path("three-cores.toml");
    std::fs::write(&path, config).unwrap();
    path
}

/// A path as a word of the command line.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Draws from a seed (splitmix64).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    /// Evenly from `from` to below `to`.
    pub(crate) fn draw(&mut self, from: u64, to: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        from + (z ^ (z >> 31)) % (to - from)
    }
}
