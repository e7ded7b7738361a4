//! Whole sessions of the real program: run, killed, damaged, halted, resumed, replayed.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says what it drew")]

mod support;

#[path = "sessions/setup.rs"]
mod setup;
#[path = "sessions/ledger.rs"]
mod ledger;
#[path = "sessions/determinism.rs"]
mod determinism;
#[path = "sessions/capture.rs"]
mod capture;
#[path = "sessions/pcap.rs"]
mod pcap;
#[path = "sessions/floor.rs"]
mod floor;
#[path = "sessions/live.rs"]
mod live;
#[path = "sessions/kill.rs"]
mod kill;
#[path = "sessions/snapshot.rs"]
mod snapshot;
#[path = "sessions/damage.rs"]
mod damage;
#[path = "sessions/latch.rs"]
mod latch;
#[path = "sessions/journal.rs"]
mod journal;
#[path = "sessions/faults.rs"]
mod faults;
#[path = "sessions/keeping.rs"]
mod keeping;
