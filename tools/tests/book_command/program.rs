//! The binary and the captures.

use std::process::{Command, Output};

/// Runs the binary to its end.
pub(crate) fn spinward(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spinward")).args(words).output().unwrap()
}

/// What the program wrote.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Path of a capture. Captures are not part of the project: where one is absent this says so.
pub(crate) fn capture(name: &str) -> Option<String> {
    let path = format!("{}/../../shared/data/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::path::Path::new(&path).exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} needs {path}", std::thread::current().name().unwrap_or("this test"));
    None
}

/// Paths of captures, all or none.
pub(crate) fn captures(names: &[&str]) -> Option<Vec<String>> {
    names.iter().map(|name| capture(name)).collect()
}
