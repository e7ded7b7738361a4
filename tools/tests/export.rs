//! `spinward export`: what is written, read back by the programs of those who will read it.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failed one is a failed test")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]
#![expect(dead_code, reason = "the support of all tests of the program; these use a part of it")]

mod support;
#[path = "sessions/setup.rs"]
mod setup;
#[path = "export/python.rs"]
mod python;
#[path = "export/files.rs"]
mod files;
#[path = "export/hftbacktest.rs"]
mod hftbacktest;
#[path = "export/databento.rs"]
mod databento;
