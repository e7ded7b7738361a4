//! `spinward journal snapshot`: a snapshot of a session that is over.

use super::JournalArgs;
use super::open;
use crate::cli::output::{self, line};
use crate::failure::{Failure, Outcome};
use crate::session::registry::Registry;
use crate::session::replay::settings_of;
use crate::session::replica::SessionReplica;
use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use spinward_recorder::{JournalReader, is_in_use, write_snapshot};
use std::process::ExitCode;
use std::time::Instant;

#[derive(Args, Debug)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    of: JournalArgs,
    /// After the message that this frame belongs to, instead of the last one.
    #[arg(long, value_name = "FRAME")]
    at_frame: Option<u64>,
}

pub(super) fn run(registry: &Registry, args: &SnapshotArgs) -> Outcome {
    let folder = open(&args.of)?;
    if is_in_use(&folder.journal())? {
        return Err(Failure::Usage(anyhow!(
            "{} is running: it takes its own snapshots (journal.snapshot_interval)",
            folder.path().display()
        )));
    }
    let (manifest, settings) = settings_of(&folder)?;
    let start = Instant::now();
    let mut replica = SessionReplica::new(&settings, registry, 0)?;
    let mut reader = JournalReader::open(&folder.journal())?;
    let mut saved = None;
    while let Some(frame) = reader.next()? {
        replica.frame(&frame);
        if args.at_frame.is_some_and(|at| frame.sequence >= at) && replica.incomplete_frames() == 0 {
            saved = replica.save(&manifest)?;
            break;
        }
    }
    if saved.is_none() {
        if let Some(at) = args.at_frame {
            return Err(Failure::Usage(anyhow!(
                "--at-frame {at}: the journal ends at frame {}",
                replica.last_frame()
            )));
        }
        saved = replica.save(&manifest)?;
    }
    let Some((head, body)) = saved.filter(|(head, _)| head.frame > 0) else {
        return Err(Failure::Usage(anyhow!(
            "{}: the journal ends in the middle of a message; give --at-frame with an earlier frame than {}",
            folder.path().display(),
            replica.last_frame()
        )));
    };
    let written = write_snapshot(&folder.snapshots(), &head, &body)?;
    if args.of.json {
        line(serde_json::to_string_pretty(&json!({
            "snapshot": written.path.display().to_string(),
            "frame": head.frame,
            "bytes": written.bytes,
            "seconds": start.elapsed().as_secs_f64(),
        }))?);
    } else {
        line(format!(
            "{}: state after frame {}, {}, in {:.3} s",
            written.path.display(),
            output::count(head.frame),
            output::bytes(written.bytes),
            start.elapsed().as_secs_f64()
        ));
    }
    Ok(ExitCode::SUCCESS)
}
