//! `spinward replay`.

use super::ReplayArgs;
use super::output::{self, Table, line};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use crate::session::registry::Registry;
use crate::session::replay::{Replayed, find, replay};
use crate::session::restore::{Restored, restore};
use crate::session::summary::{DigestRow, digest_rows};
use anyhow::anyhow;
use serde::Serialize;
use spinward_config::Overrides;
use spinward_recorder::{
    AuditReader, AuditRecord, Comparison, ReplayEnd, SessionFolder, TapOutcome, compare,
};
use std::process::ExitCode;

#[derive(Serialize)]
struct Report {
    session: String,
    topology: String,
    /// Where it began: 0 is the beginning.
    snapshot_frame: u64,
    snapshots_refused: Vec<String>,
    frames: u64,
    incomplete_frames: u64,
    torn_tail: Option<String>,
    checkpoints: usize,
    has_ended: bool,
    is_identical: bool,
    comparison: String,
    digests: Vec<DigestRow>,
    failure: Option<String>,
}

pub(crate) fn run(registry: &Registry, args: &ReplayArgs) -> Outcome {
    let folder = find(&args.sessions, &args.session)?;
    let overrides =
        Overrides { topology: args.topology.clone(), idle: args.idle.clone(), ..Overrides::default() };
    let replayed = if args.from_snapshot {
        behind_snapshot(&folder, registry)?
    } else {
        whole(&folder, registry, &overrides)?
    };
    let mut audit = AuditReader::open(&folder.audit())?;
    let mut recorded = Vec::new();
    let mut has_ended = false;
    while let Some(record) = audit.next()? {
        recorded.extend(record.checkpoint());
        has_ended |= matches!(record, AuditRecord::End { .. });
    }
    let last = recorded.last().copied();
    recorded.retain(|checkpoint| checkpoint.frame > replayed.snapshot_frame);
    if recorded.is_empty() {
        // The snapshot is of the last frame: its digests are those of the end.
        recorded.extend(last.filter(|checkpoint| checkpoint.frame == replayed.snapshot_frame));
    }
    let comparison = compare(&recorded, &replayed.tap.checkpoints);
    let is_identical = match comparison {
        Comparison::Equal { .. } => true,
        Comparison::Diverged(_) => false,
        // Journal and audit of a killed session stop at frames of their own: what both have must be equal, and is.
        Comparison::Incomplete { .. } | Comparison::NothingInCommon => !has_ended,
    };
    let report = Report {
        session: folder.path().display().to_string(),
        topology: replayed.topology,
        snapshot_frame: replayed.snapshot_frame,
        snapshots_refused: replayed.refused,
        frames: replayed.end.last_frame,
        incomplete_frames: replayed.end.incomplete_frames,
        torn_tail: replayed.end.cut.as_ref().map(ToString::to_string),
        checkpoints: recorded.len(),
        has_ended,
        is_identical,
        comparison: comparison.to_string(),
        digests: digest_rows(&replayed.tap.digests),
        failure: replayed.end.failure.as_ref().map(ToString::to_string),
    };
    let is_good = report.is_identical && report.failure.is_none();
    if args.json {
        line(serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

/// What either way gives.
struct Ran {
    tap: TapOutcome,
    end: ReplayEnd,
    topology: String,
    snapshot_frame: u64,
    refused: Vec<String>,
}

fn whole(folder: &SessionFolder, registry: &Registry, overrides: &Overrides) -> Result<Ran, Failure> {
    let Replayed { tap, end, topology, .. } = replay(folder, registry, overrides)?;
    Ok(Ran { tap, end, topology, snapshot_frame: 0, refused: Vec::new() })
}

/// The state of the last good snapshot, and the frames behind it.
fn behind_snapshot(folder: &SessionFolder, registry: &Registry) -> Result<Ran, Failure> {
    let Restored { replica, end, how, .. } = restore(folder, registry)?;
    if how.snapshot_frame == 0 {
        let refused: String = how.refused.iter().map(|refused| format!("\n  {refused}")).collect();
        return Err(Failure::Usage(anyhow!(
            "--from-snapshot: {} has no snapshot that can be used; write one with `spinward journal snapshot`{refused}",
            folder.path().display()
        )));
    }
    let tap = replica.finish()?;
    let (snapshot_frame, refused) = (how.snapshot_frame, how.refused);
    Ok(Ran { tap, end, topology: "replica".to_owned(), snapshot_frame, refused })
}

fn print(report: &Report) {
    line(format!("session   {}", report.session));
    line(format!("replayed  {} frames, topology {}", output::count(report.frames), report.topology));
    if report.snapshot_frame > 0 {
        line(format!("          from the snapshot at frame {}", output::count(report.snapshot_frame)));
    }
    for refused in &report.snapshots_refused {
        line(format!("          snapshot not used: {refused}"));
    }
    if report.incomplete_frames > 0 {
        line(format!(
            "          {} frame(s) of a message that was never whole, left out",
            report.incomplete_frames
        ));
    }
    if let Some(cut) = &report.torn_tail {
        line(format!("torn tail {cut}"));
    }
    line("");
    let mut table = Table::new(["digests", "records", "digest"]);
    for row in &report.digests {
        table.row([row.stage.clone(), output::count(row.records), row.digest.clone()]);
    }
    table.print();
    line("");
    if let Some(failure) = &report.failure {
        line(format!("FAILED    {failure}"));
    }
    if !report.has_ended {
        line("end       the session was killed: compared as far as its audit goes");
    }
    line(format!("{} {}", if report.is_identical { "IDENTICAL" } else { "DIFFERENT" }, report.comparison));
}
