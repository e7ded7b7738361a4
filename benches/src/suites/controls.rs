//! What else keeps a log on this disk, in the same round: SQLite with a write-ahead log, `okaywal`, `commitlog`. The same 128 bytes, appended one after the
//! other, then with the disk waited for.
//!
//! `commitlog` 0.2 is measured without the disk only: its `flush` is `File::flush`, which does nothing for a file, so nothing of it is ever known to be durable.

use crate::bench::{Bench, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use commitlog::{CommitLog, LogOptions};
use hdrhistogram::Histogram;
use okaywal::{Configuration, LogVoid, WriteAheadLog};
use rusqlite::Connection;
use spinward_engine::words::Clock;
use std::hint::black_box;
use std::path::Path;

/// Records whose way to the disk is waited for, one by one, in a round.
const ACKNOWLEDGED: u64 = 200;
/// Records that are appended at one go: 32 MiB.
const GROUP: u64 = 1 << 18;

const RECORD: [u8; 128] = [0x5a; 128];

/// One round of each.
///
/// # Errors
/// One of the logs cannot be written, or a thread failed.
pub(super) fn round(bench: &mut Bench<'_>, index: usize) -> Result<(), LabError> {
    let clock = bench.clock.clone();
    for (name, measure) in [
        ("SQLite WAL", sqlite as fn(&Clock, &Path) -> Result<Found, LabError>),
        ("okaywal", okaywal),
        ("commitlog", commitlog),
    ] {
        let file = name.replace(' ', "-");
        let folder =
            std::env::temp_dir().join(format!("spinward-bench-{}-{file}-{index}", std::process::id()));
        let found = on_core(bench.core(), || {
            std::fs::create_dir_all(&folder)
                .map_err(|error| LabError::io("make the folder", &folder, error))?;
            measure(&clock, &folder)
        })?;
        // A folder left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&folder);
        let found = found?;
        let sheet = &mut bench.sheet;
        sheet.mean(
            &format!("{name}: append, nothing waited for"),
            Role::Control,
            None,
            found.append_ns,
            GROUP,
        );
        if let Some(group_ns) = found.group_ns {
            let group = format!("{name}: append and on the disk, 32 MiB, a record");
            sheet.mean(&group, Role::Control, None, group_ns, GROUP);
        }
        sheet.latency(&format!("{name}: appended to durable"), Role::Control, None, &found.one)?;
    }
    Ok(())
}

struct Found {
    /// All records, without the disk.
    append_ns: u64,
    /// All records with one wait for the disk; `None` if it has none.
    group_ns: Option<u64>,
    one: Histogram<u64>,
}

/// Runs it; how long it took.
fn timed(clock: &Clock, work: impl FnOnce() -> Result<(), LabError>) -> Result<u64, LabError> {
    let start = clock.ticks();
    work()?;
    Ok(clock.nanos_between(start, clock.ticks()).max(1))
}

fn each(clock: &Clock, mut append: impl FnMut() -> Result<(), LabError>) -> Result<Histogram<u64>, LabError> {
    let mut one = histogram()?;
    for _ in 0..ACKNOWLEDGED {
        one.saturating_record(timed(clock, &mut append)?);
    }
    Ok(one)
}

/// A row a record. In WAL mode a commit is durable with `synchronous` FULL, and in the page cache with OFF.
fn sqlite(clock: &Clock, folder: &Path) -> Result<Found, LabError> {
    let base = Connection::open(folder.join("log.db")).map_err(LabError::failed)?;
    let run = |sql: &str| base.execute_batch(sql).map_err(LabError::failed);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE log (record BLOB NOT NULL)")?;
    let mut insert = base.prepare("INSERT INTO log VALUES (?1)").map_err(LabError::failed)?;
    let mut append = || insert.execute([black_box(&RECORD[..])]).map(drop).map_err(LabError::failed);
    let one = each(clock, &mut append)?;
    let mut all = |level: &str| -> Result<u64, LabError> {
        run(level)?;
        timed(clock, || {
            run("BEGIN")?;
            (0..GROUP).try_for_each(|_| append())?;
            run("COMMIT")
        })
    };
    let group_ns = all("PRAGMA synchronous=FULL")?;
    let append_ns = all("PRAGMA synchronous=OFF")?;
    Ok(Found { append_ns, group_ns: Some(group_ns), one })
}

/// A chunk a record; an entry's commit is its `fdatasync`.
fn okaywal(clock: &Clock, folder: &Path) -> Result<Found, LabError> {
    // Room for all of it: a checkpoint in between would not be the log's own cost.
    let room = 4 * GROUP * RECORD.len() as u64;
    let log: WriteAheadLog = Configuration::default_for(folder)
        .preallocate_bytes(u32::try_from(room).map_err(LabError::failed)?)
        .checkpoint_after_bytes(room)
        .open(LogVoid)
        .map_err(LabError::failed)?;
    let one = each(clock, || {
        let mut entry = log.begin_entry().map_err(LabError::failed)?;
        entry.write_chunk(black_box(&RECORD)).map_err(LabError::failed)?;
        entry.commit().map(drop).map_err(LabError::failed)
    })?;
    let mut append_ns = 0;
    let group_ns = timed(clock, || {
        let mut entry = log.begin_entry().map_err(LabError::failed)?;
        append_ns = timed(clock, || {
            (0..GROUP)
                .try_for_each(|_| entry.write_chunk(black_box(&RECORD)).map(drop))
                .map_err(LabError::failed)
        })?;
        entry.commit().map(drop).map_err(LabError::failed)
    })?;
    log.shutdown().map_err(LabError::failed)?;
    Ok(Found { append_ns, group_ns: Some(group_ns), one })
}

/// A message a record.
fn commitlog(clock: &Clock, folder: &Path) -> Result<Found, LabError> {
    let mut options = LogOptions::new(folder.join("log"));
    options.segment_max_bytes(1 << 30);
    let mut log = CommitLog::new(options).map_err(LabError::failed)?;
    let append_ns = timed(clock, || {
        (0..GROUP).try_for_each(|_| log.append_msg(black_box(RECORD)).map(drop)).map_err(LabError::failed)
    })?;
    Ok(Found { append_ns, group_ns: None, one: histogram()? })
}
