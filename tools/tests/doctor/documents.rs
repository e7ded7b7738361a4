//! The guide and the units agree with the doctor.

use super::*;
use std::collections::BTreeSet;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn catalogue() -> Vec<Value> {
    let listed = Program::new().run(&["doctor", "--list", "--json"]).with_code(0).json();
    listed.as_array().unwrap().clone()
}

/// The ids in the lines of the guide that begin with `Doctor:`.
fn mentioned(guide: &str) -> BTreeSet<String> {
    guide
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("Doctor:"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_check_has_its_step_in_the_guide_and_every_step_its_check() {
    let guide = std::fs::read_to_string(root().join("docs/tuning.md")).unwrap();
    let mentioned = mentioned(&guide);
    let known: BTreeSet<String> = catalogue().iter().map(|check| text(check, "id").to_owned()).collect();
    assert!(known.len() > 40, "the catalogue was not read");
    let unknown: Vec<_> = mentioned.difference(&known).collect();
    assert!(unknown.is_empty(), "the guide names checks that are not there: {unknown:?}");
    let missing: Vec<_> = known.difference(&mentioned).collect();
    assert!(missing.is_empty(), "the guide does not name: {missing:?}");
}

#[test]
fn ids_are_unique_and_each_check_says_what_and_why() {
    let catalogue = catalogue();
    let ids: BTreeSet<&str> = catalogue.iter().map(|check| text(check, "id")).collect();
    assert_eq!(ids.len(), catalogue.len());
    for check in &catalogue {
        assert!(text(check, "what").len() > 10 && text(check, "why").len() > 10, "{check}");
    }
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    if !has_tool("systemd-analyze", "the check of the units") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["spinward@.service", "spinward-host.service"] {
        let unit = std::fs::read_to_string(root().join("tools/systemd").join(name)).unwrap();
        // The program is not installed where the tests run.
        let unit = unit.replace("/usr/local/bin/spinward", env!("CARGO_BIN_EXE_spinward"));
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(folder.path().join("spinward@test.service"))
        .arg(folder.path().join("spinward-host.service"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn the_unit_gives_what_the_doctor_asks_for() {
    let unit = std::fs::read_to_string(root().join("tools/systemd/spinward@.service")).unwrap();
    let has = |line: &str| unit.lines().any(|own| own == line);
    assert!(has("LimitMEMLOCK=infinity"), "memory.lock_limit");
    assert!(has("Environment=GLIBC_TUNABLES=glibc.malloc.hugetlb=1"), "memory.huge_pages");
    assert!(unit.lines().any(|line| line.starts_with("CPUAffinity=")), "cores.allowed");
    assert!(unit.contains("--require-tuned"));
}
