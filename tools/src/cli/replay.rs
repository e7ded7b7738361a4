//! `spinward replay`.

use super::ReplayArgs;
use super::output::{self, Table, line};
use crate::failure::{CHECK_FAILED, Outcome};
use crate::session::registry::Registry;
use crate::session::replay::{find, replay};
use crate::session::summary::{DigestRow, digest_rows};
use serde::Serialize;
use spinward_config::Overrides;
use spinward_recorder::{AuditReader, Comparison, compare};
use std::process::ExitCode;

#[derive(Serialize)]
struct Report {
    session: String,
    topology: String,
    frames: u64,
    incomplete_frames: u64,
    torn_tail: Option<String>,
    checkpoints: usize,
    is_identical: bool,
    difference: Option<String>,
    digests: Vec<DigestRow>,
    failure: Option<String>,
}

pub(crate) fn run(registry: &Registry, args: &ReplayArgs) -> Outcome {
    let folder = find(&args.sessions, &args.session)?;
    let overrides =
        Overrides { topology: args.topology.clone(), idle: args.idle.clone(), ..Overrides::default() };
    let replayed = replay(&folder, registry, &overrides)?;
    let recorded = AuditReader::open(&folder.audit())?.checkpoints()?;
    let comparison = compare(&recorded, &replayed.tap.checkpoints);
    let difference = match &comparison {
        Comparison::Equal { .. } => None,
        Comparison::Differs(_) | Comparison::NothingShared => Some(comparison.to_string()),
    };
    // A killed session ends before its first checkpoint at times: then there is nothing to compare, and nothing that differs.
    let has_nothing_recorded = recorded.is_empty();
    let report = Report {
        session: folder.path().display().to_string(),
        topology: replayed.topology,
        frames: replayed.end.last_frame,
        incomplete_frames: replayed.end.incomplete_frames,
        torn_tail: replayed.end.cut.as_ref().map(ToString::to_string),
        checkpoints: recorded.len(),
        is_identical: difference.is_none() || has_nothing_recorded,
        difference: difference.filter(|_| !has_nothing_recorded),
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

fn print(report: &Report) {
    line(format!("session   {}", report.session));
    line(format!("replayed  {} frames, topology {}", output::count(report.frames), report.topology));
    if report.incomplete_frames > 0 {
        line(format!("          {} frame(s) of a message that was never whole, left out", report.incomplete_frames));
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
    match &report.difference {
        None => line(format!("identical at every one of {} checkpoints", report.checkpoints)),
        Some(difference) => line(format!("DIFFERENT {difference}")),
    }
}
