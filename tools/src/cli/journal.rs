//! `spinward journal`: what lies in a session's streams, whether it is whole, and what keeps it so.

mod care;
mod cat;
mod snapshot;
mod text;
mod verify;

use super::output::{self, Table, line};
use crate::failure::{Failure, Outcome};
use crate::session::registry::Registry;
use crate::session::replay::find;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use spinward_recorder::{JournalStats, SessionFolder, StreamKind, rfc3339, segments_of_stream};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Subcommand, Debug)]
pub(crate) enum JournalCommand {
    /// List the segments.
    Ls(ListArgs),
    /// Print frames or decoded events, one a line.
    Cat(cat::CatArgs),
    /// Print frames or decoded events as a running session writes them. Reads only; the session does not notice.
    Follow(cat::FollowArgs),
    /// Check every record and the chain of seals of all streams; exit code 1 if something is wrong.
    Verify(JournalArgs),
    /// A journal in numbers: frames, messages and bytes by source and kind, rates, pauses.
    Stats(JournalArgs),
    /// Cut the torn tail that a kill or a power cut left; what is cut off is kept beside. Refused while the session runs.
    Repair(JournalArgs),
    /// Compress sealed segments (zstd). All commands read them as before; `zstd -d` gives a segment back byte for byte.
    Compact(care::CompactArgs),
    /// Write a snapshot of the state that a session has left, so that whoever resumes it need not replay all of its journal.
    Snapshot(snapshot::SnapshotArgs),
    /// Note that a session was exported: only then may `prune` delete its streams.
    Mark(care::MarkArgs),
    /// Delete the streams of old sessions, by age or by size; never of one that was not exported, that runs, or that is the last of its name.
    Prune(care::PruneArgs),
}

#[derive(Args, Debug)]
pub(crate) struct JournalArgs {
    /// Folder of the session, or `latest`.
    pub(crate) session: PathBuf,
    /// Folder in which sessions are kept, for `latest`.
    #[arg(long, value_name = "FOLDER", default_value = "sessions")]
    pub(crate) sessions: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    of: JournalArgs,
    /// Which stream.
    #[arg(long, value_enum, default_value = "journal")]
    stream: Stream,
}

/// A stream of a session.
#[derive(Clone, Copy, ValueEnum, Debug, PartialEq, Eq)]
enum Stream {
    Journal,
    Audit,
    Orders,
    Exits,
}

impl Stream {
    const EVERY: [Self; 4] = [Self::Journal, Self::Audit, Self::Orders, Self::Exits];

    fn kind(self) -> StreamKind {
        match self {
            Self::Journal => StreamKind::Journal,
            Self::Audit => StreamKind::Audit,
            Self::Orders => StreamKind::Orders,
            Self::Exits => StreamKind::Exits,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Audit => "audit",
            Self::Orders => "orders",
            Self::Exits => "exits",
        }
    }

    fn folder(self, session: &SessionFolder) -> PathBuf {
        match self {
            Self::Journal => session.journal(),
            Self::Audit => session.audit(),
            Self::Orders => session.orders(),
            Self::Exits => session.exits(),
        }
    }

    /// The streams that a session has, with their folders.
    fn of(session: &SessionFolder) -> impl Iterator<Item = (Self, PathBuf)> {
        Self::EVERY
            .into_iter()
            .map(|stream| (stream, stream.folder(session)))
            .filter(|(_, folder)| folder.is_dir())
    }
}

pub(crate) fn run(registry: &Registry, command: &JournalCommand) -> Outcome {
    match command {
        JournalCommand::Ls(args) => list(&open(&args.of)?, args.stream, args.of.json),
        JournalCommand::Cat(args) => cat::run(args),
        JournalCommand::Follow(args) => cat::follow(args),
        JournalCommand::Verify(args) => verify::run(&open(args)?, args.json),
        JournalCommand::Stats(args) => stats(&open(args)?, args.json),
        JournalCommand::Repair(args) => care::repair_session(&open(args)?, args.json),
        JournalCommand::Compact(args) => care::compact_session(args),
        JournalCommand::Snapshot(args) => snapshot::run(registry, args),
        JournalCommand::Mark(args) => care::mark(args),
        JournalCommand::Prune(args) => care::prune(args),
    }
}

fn open(args: &JournalArgs) -> Result<SessionFolder, Failure> {
    find(&args.sessions, &args.session)
}

fn list(folder: &SessionFolder, stream: Stream, as_json: bool) -> Outcome {
    let found = segments_of_stream(&stream.folder(folder), stream.kind())?;
    if as_json {
        line(serde_json::to_string_pretty(&found)?);
        return Ok(ExitCode::SUCCESS);
    }
    let first = if stream == Stream::Journal { "first frame" } else { "first record" };
    let mut table = Table::new(["segment", first, "size", "of", "state"]);
    for segment in &found {
        table.row([
            segment.name.clone(),
            segment.first_sequence.map_or_else(|| "-".to_owned(), output::count),
            output::bytes(segment.bytes),
            output::bytes(segment.bytes_written),
            segment.state.clone(),
        ]);
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

fn stats(folder: &SessionFolder, as_json: bool) -> Outcome {
    let stats = JournalStats::of(&folder.journal())?;
    let on_disk: u64 =
        segments_of_stream(&folder.journal(), StreamKind::Journal)?.iter().map(|segment| segment.bytes).sum();
    let span = match (stats.first_time, stats.last_time) {
        (Some(first), Some(last)) => last.since(first).get() as f64 / 1e9,
        (None, _) | (_, None) => 0.0,
    };
    let (busiest, second) = stats.busiest_second;
    let (pause, pause_frame) = stats.longest_pause;
    if as_json {
        let kinds: Vec<_> = stats
            .kinds
            .iter()
            .map(|((source, kind), found)| {
                json!({
                    "source": source,
                    "kind": text::kind_number_name(*kind),
                    "frames": found.frames,
                    "messages": found.messages,
                    "payload_bytes": found.payload_bytes,
                    "message_bytes_max": found.message_bytes_max,
                })
            })
            .collect();
        line(serde_json::to_string_pretty(&json!({
            "frames": stats.frames,
            "record_bytes": stats.record_bytes,
            "disk_bytes": on_disk,
            "first_time_ns": stats.first_time.map(|time| time.get()),
            "last_time_ns": stats.last_time.map(|time| time.get()),
            "busiest_second": { "frames": busiest, "unix_second": second },
            "longest_pause": { "nanoseconds": pause, "frame": pause_frame },
            "clock_steps_back": stats.clock_steps_back,
            "kinds": kinds,
        }))?);
        return Ok(ExitCode::SUCCESS);
    }
    line(format!(
        "frames    {}, {} of records, {} on disk",
        output::count(stats.frames),
        output::bytes(stats.record_bytes),
        output::bytes(on_disk)
    ));
    if let (Some(first), Some(last)) = (stats.first_time, stats.last_time) {
        line(format!("time      {} to {}", rfc3339(first), rfc3339(last)));
        line(format!(
            "rate      {} frames/s in the mean, {} in the busiest second",
            output::count((stats.frames as f64 / span.max(1e-9)) as u64),
            output::count(busiest)
        ));
        line(format!("pause     {} before frame {}", output::nanos(pause), output::count(pause_frame)));
    }
    if stats.clock_steps_back > 0 {
        line(format!("clock     set back {} time(s)", output::count(stats.clock_steps_back)));
    }
    let mut table = Table::new(["kind", "source", "frames", "messages", "payload", "longest message"]);
    for ((source, kind), found) in &stats.kinds {
        table.row([
            text::kind_number_name(*kind),
            source.to_string(),
            output::count(found.frames),
            output::count(found.messages),
            output::bytes(found.payload_bytes),
            output::bytes(found.message_bytes_max),
        ]);
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}
