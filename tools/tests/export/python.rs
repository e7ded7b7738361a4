//! Python with Polars, DuckDB and hftbacktest, if `tools/setup/research-tools` has been run here.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter; `None`, and a loud line, if it is not installed. Nothing is fetched here.
pub(crate) fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let python = cache?.join("spinward/research-tools-1/bin/python");
    if !python.exists() {
        println!("SKIPPED: reading exports with others' programs needs tools/setup/research-tools");
        return None;
    }
    Some(python)
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
