//! `spinward journal repair`, `compact`, `mark` and `prune`: what changes files of a session.

use super::{JournalArgs, Stream, open};
use crate::cli::output::{self, Table, line};
use crate::failure::{Failure, Outcome};
use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};
use spinward_recorder::{
    COMPACT_LEVEL, Compacted, Fate, Judged, Retention, SessionFolder, compact, is_in_use, mark_exported,
    remove_streams, repair,
};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn repair_session(folder: &SessionFolder, as_json: bool) -> Outcome {
    let mut report = json!({});
    for (stream, path) in Stream::of(folder) {
        let done = repair(&path, stream.kind())?;
        let kept: Vec<_> = done.kept.iter().map(|path| path.display().to_string()).collect();
        if !as_json {
            match &done.cut {
                Some(cut) => line(format!("{:<9} cut: {cut}", stream.name())),
                None => line(format!("{:<9} whole, nothing to do", stream.name())),
            }
            for path in &kept {
                line(format!("          kept {path}"));
            }
        }
        report[stream.name()] = json!({
            "torn_tail": done.cut.as_ref().map(ToString::to_string),
            "kept": kept,
            "prepared_segments_removed": done.removed,
            "last_record": done.last_sequence,
        });
    }
    if as_json {
        line(serde_json::to_string_pretty(&report)?);
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Args, Debug)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    of: JournalArgs,
    /// zstd's level.
    #[arg(long, value_name = "LEVEL", default_value_t = COMPACT_LEVEL, value_parser = clap::value_parser!(i32).range(1..=19))]
    level: i32,
}

pub(super) fn compact_session(args: &CompactArgs) -> Outcome {
    let folder = open(&args.of)?;
    let mut report = json!({});
    let shows = std::io::stderr().is_terminal();
    for (stream, path) in Stream::of(&folder) {
        let done: Compacted = compact(&path, stream.kind(), args.level, |segment| {
            if shows {
                // A terminal that is gone is no reason to stop.
                let _ = write!(std::io::stderr(), "\r\x1b[K{}", segment.display());
            }
        })?;
        if shows {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        report[stream.name()] = json!({
            "segments": done.segments,
            "compressed_before": done.compressed_before,
            "unsealed": done.unsealed,
            "bytes_before": done.bytes_before,
            "bytes_after": done.bytes_after,
        });
        if !args.of.json {
            let ratio = done.bytes_before as f64 / done.bytes_after.max(1) as f64;
            line(format!(
                "{:<9} {} segment(s): {} to {} ({ratio:.1}×); {} were compressed before, {} are not sealed",
                stream.name(),
                done.segments,
                output::bytes(done.bytes_before),
                output::bytes(done.bytes_after),
                done.compressed_before,
                done.unsealed
            ));
        }
    }
    if args.of.json {
        line(serde_json::to_string_pretty(&report)?);
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Args, Debug)]
pub(crate) struct MarkArgs {
    #[command(flatten)]
    of: JournalArgs,
    /// Where the session was exported to, for whoever looks for it later.
    #[arg(long, value_name = "TEXT")]
    exported_to: String,
}

pub(super) fn mark(args: &MarkArgs) -> Outcome {
    let folder = open(&args.of)?;
    if is_in_use(&folder.journal())? {
        return Err(Failure::Work(anyhow!("session {} still runs: mark it when it has ended", folder.id())));
    }
    mark_exported(&folder, &args.exported_to)?;
    let text = &args.exported_to;
    if args.of.json {
        line(json!({ "session": folder.id(), "exported_to": text }));
    } else {
        line(format!("{} may be pruned: exported to {text}", folder.id()));
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Args, Debug)]
pub(crate) struct PruneArgs {
    /// Folder in which sessions are kept.
    #[arg(long, value_name = "FOLDER", default_value = "sessions")]
    sessions: PathBuf,
    /// Sessions that ended more than so many days ago.
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u64>,
    /// The oldest sessions, until all together have at most so many MiB.
    #[arg(long, value_name = "MIB")]
    above: Option<u64>,
    /// Delete; without it, only tell what would be deleted.
    #[arg(long)]
    delete: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn prune(args: &PruneArgs) -> Outcome {
    if args.older_than.is_none() && args.above.is_none() {
        return Err(Failure::Usage(anyhow!("give --older-than DAYS, --above MIB or both")));
    }
    let rules = Retention {
        older_than: args.older_than.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
        bytes_max: args.above.map(|mib| mib.saturating_mul(1 << 20)),
    };
    let judged = rules.judge(&args.sessions).map_err(Failure::usage)?;
    let (mut table, mut rows, mut freed) = (Table::new(["session", "size", "what"]), Vec::new(), 0);
    for Judged { session, bytes, fate } in judged {
        if fate == Fate::Goes {
            freed += bytes;
            if args.delete {
                remove_streams(&session)?;
            }
        }
        rows.push(json!({ "session": session.id(), "bytes": bytes, "what": fate.text() }));
        table.row([session.id().to_owned(), output::bytes(bytes), fate.text().to_owned()]);
    }
    if args.json {
        let report = json!({ "deleted": args.delete, "bytes_freed": freed, "sessions": Value::Array(rows) });
        line(serde_json::to_string_pretty(&report)?);
    } else {
        table.print();
        let said = if args.delete { "freed" } else { "would be freed (give --delete)" };
        line(format!("{} {said}", output::bytes(freed)));
    }
    Ok(ExitCode::SUCCESS)
}
