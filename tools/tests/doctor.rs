//! `spinward doctor` against recorded hosts, this host, independent tools and its own documentation.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[path = "doctor/documents.rs"]
mod documents;
#[path = "doctor/independent.rs"]
mod independent;
#[path = "doctor/live.rs"]
mod live;
#[path = "doctor/recorded.rs"]
mod recorded;
#[path = "doctor/script.rs"]
mod script;
#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::Program;

/// A file beside these tests.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor").join(name)
}

/// The recorded hosts, and the configuration that each is checked for.
const HOSTS: [(&str, Option<&str>); 3] =
    [("tuned", Some("cores_2_3.toml")), ("untuned", Some("cores_2_3.toml")), ("virtual", None)];

/// Words that check a recorded host.
fn words(name: &str, config: Option<&str>) -> Vec<String> {
    let mut words = vec!["doctor".to_owned(), "--host".to_owned()];
    words.push(file(&format!("{name}.txt")).display().to_string());
    if let Some(config) = config {
        words.extend(["--config".to_owned(), file(config).display().to_string()]);
    }
    words
}

/// Report and exit code of a recorded host.
fn recorded_report(name: &str, config: Option<&str>) -> (Value, i32) {
    let mut words = words(name, config);
    words.push("--json".to_owned());
    let ran = Program::new().run(&words);
    (ran.json(), ran.code)
}

fn findings(report: &Value) -> &Vec<Value> {
    report["findings"].as_array().unwrap()
}

fn text<'a>(finding: &'a Value, key: &str) -> &'a str {
    finding[key].as_str().unwrap_or_else(|| panic!("no {key} in {finding}"))
}

/// Whether a tool is installed; if not, says so loudly.
fn has_tool(name: &str, for_what: &str) -> bool {
    let is_there = Command::new("sh")
        .args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin command -v {name}")])
        .stdout(Stdio::null())
        .status()
        .unwrap()
        .success();
    if !is_there {
        eprintln!("SKIPPED: {for_what} needs {name}: tools/setup/host-tools installs it");
    }
    is_there
}

/// One measurement at a time: two of them on the same cores would measure each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
