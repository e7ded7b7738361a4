//! Tells the program which commit it was built from, for the manifests of its sessions.

use std::process::Command;

fn main() {
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned());
    println!("cargo:rustc-env=SPINWARD_COMMIT={commit}");
    println!("cargo:rerun-if-changed=../.git/HEAD");
    println!("cargo:rerun-if-changed=../.git/index");
    // A source that was changed and not committed makes it `-dirty`: no figure may name a commit that it was not measured at.
    for folder in ["engine", "gateways", "recorder", "config", "benches", "tools"] {
        println!("cargo:rerun-if-changed=../{folder}");
    }
}
