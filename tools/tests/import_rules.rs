//! Who may import whom: the table of `docs/architecture.md`, held.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failed one is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Dependencies of a crate by table of its manifest.
fn dependencies(folder: &str, table: &str) -> BTreeSet<String> {
    let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest
        .get(table)
        .and_then(toml::Value::as_table)
        .map(|t| t.keys().cloned().collect())
        .unwrap_or_default()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn each_crate_imports_only_the_crates_that_the_architecture_allows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("engine", &[] as &[&str]),
        ("gateways", &["spinward-engine"]),
        ("recorder", &["spinward-engine"]),
        ("config", &["spinward-engine", "spinward-gateways", "spinward-recorder"]),
        ("benches", &["spinward-engine", "spinward-gateways", "spinward-recorder"]),
        (
            "tools",
            &[
                "spinward-benches",
                "spinward-config",
                "spinward-engine",
                "spinward-gateways",
                "spinward-recorder",
            ],
        ),
    ]);
    for (folder, allowed) in allowed {
        let ours: Vec<String> = dependencies(folder, "dependencies")
            .into_iter()
            .filter(|name| name.starts_with("spinward"))
            .collect();
        for name in &ours {
            assert!(allowed.contains(&name.as_str()), "{folder} must not import {name}");
        }
    }
}

#[test]
fn the_engine_has_no_runtime_no_json_no_files_and_no_sockets() {
    let banned = ["tokio", "serde_json", "memmap2", "mio", "hyper"];
    let dependencies = dependencies("engine", "dependencies");
    for name in banned {
        assert!(!dependencies.contains(name), "engine must not depend on {name}");
    }
    let mut files = Vec::new();
    sources(&root().join("engine/src"), &mut files);
    assert!(files.len() > 20, "the engine's sources were not found");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["std::fs", "std::net", "unix::net", "File::open", "println!", "eprintln!"] {
            assert!(!text.contains(word), "{} uses {word}", file.display());
        }
    }
}

#[test]
fn stages_do_not_import_each_other() {
    let stages: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("normalizer", &["book", "strategy", "risk", "pipeline"] as &[&str]),
        ("book", &["strategy", "risk", "pipeline"]),
        ("strategy", &["book", "risk", "pipeline"]),
        ("risk", &["book", "pipeline"]),
    ]);
    for (stage, banned) in stages {
        let mut files = vec![root().join(format!("engine/src/{stage}.rs"))];
        sources(&root().join("engine/src").join(stage), &mut files);
        for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
            let text = std::fs::read_to_string(file).unwrap();
            for other in banned {
                assert!(!text.contains(&format!("use crate::{other}")), "{} imports {other}", file.display());
            }
        }
    }
    let mut words = vec![root().join("engine/src/words.rs")];
    sources(&root().join("engine/src/words"), &mut words);
    for file in words {
        let text = std::fs::read_to_string(&file).unwrap();
        let imports = text.lines().filter(|line| line.trim_start().starts_with("use crate::"));
        for import in imports {
            // How a state is written down knows nothing of whose it is.
            let is_below = import.contains("crate::words") || import.contains("crate::state");
            assert!(is_below, "{}: {import}", file.display());
        }
    }
    let state = std::fs::read_to_string(root().join("engine/src/state.rs")).unwrap();
    assert!(!state.contains("use crate::"), "the bytes of a state import a stage");
}

#[test]
fn unsafe_code_stands_only_in_the_named_modules() {
    let allowed =
        ["engine/src/memory.rs", "engine/src/pipeline/lane.rs", "recorder/src/crc.rs", "recorder/src/map.rs"];
    for folder in ["engine", "gateways", "recorder", "config", "tools", "benches"] {
        let mut files = Vec::new();
        sources(&root().join(folder).join("src"), &mut files);
        for file in files {
            let name = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&file).unwrap();
            let has_unsafe = text.lines().map(|line| line.split("//").next().unwrap_or("")).any(|code| {
                code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe fn")
            });
            assert!(!has_unsafe || allowed.contains(&name.as_str()), "{name} has unsafe code");
        }
    }
}
