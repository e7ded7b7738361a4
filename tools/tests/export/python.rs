//! Python with Polars, DuckDB, hftbacktest and databento-dbn, installed by `tools/setup/research-tools`.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SETUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/setup/research-tools");

/// The interpreter; `None`, and a loud line, if it cannot be had.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let ran = Command::new(SETUP).output().ok()?;
        let path = PathBuf::from(String::from_utf8(ran.stdout).ok()?.trim());
        (ran.status.success() && path.exists()).then_some(path)
    });
    if python.is_none() {
        println!("SKIPPED: checking exports needs {SETUP} (python3 and PyPI)");
    }
    python.as_deref()
}

/// Runs a script; what it prints, read as JSON.
#[track_caller]
pub(crate) fn json(python: &Path, script: &str, words: &[&str]) -> Value {
    let ran = Command::new(python).arg("-c").arg(script).args(words).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "stdout: {out}\nstderr: {err}");
    serde_json::from_str(&out)
        .unwrap_or_else(|error| panic!("no JSON ({error})\nstdout: {out}\nstderr: {err}"))
}
