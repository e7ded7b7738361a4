//! The `spinward` binary.
fn main() {}
