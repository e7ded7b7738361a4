//! `spinward journal`.

use super::output::{self, Table, line};
use super::{JournalArgs, JournalCommand};
use crate::failure::{CHECK_FAILED, Outcome};
use crate::session::replay::find;
use serde_json::json;
use spinward_engine::words::{Command, FrameKind, RecoveredRecord, Report};
use spinward_recorder::{FrameRef, JournalReader, SessionFolder, rfc3339, segments, verify};
use std::fmt::Write;
use std::process::ExitCode;

pub(crate) fn run(command: &JournalCommand) -> Outcome {
    match command {
        JournalCommand::Ls(args) => list(&open(args)?, args.json),
        JournalCommand::Cat(args) => cat(&open(args)?, args.json),
        JournalCommand::Verify(args) => check(&open(args)?, args.json),
    }
}

fn open(args: &JournalArgs) -> Result<SessionFolder, crate::failure::Failure> {
    find(&args.sessions, &args.session)
}

fn list(folder: &SessionFolder, as_json: bool) -> Outcome {
    let found = segments(&folder.journal())?;
    if as_json {
        line(serde_json::to_string_pretty(&found)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(["segment", "first frame", "size", "state"]);
    for segment in &found {
        table.row([
            segment.name.clone(),
            segment.first_sequence.map_or_else(|| "-".to_owned(), output::count),
            output::bytes(segment.bytes),
            segment.state.to_owned(),
        ]);
    }
    table.print();
    Ok(ExitCode::SUCCESS)
}

fn cat(folder: &SessionFolder, as_json: bool) -> Outcome {
    let mut reader = JournalReader::open(&folder.journal())?;
    while let Some(frame) = reader.next()? {
        if as_json {
            line(json!({
                "frame": frame.sequence,
                "receive_time_ns": frame.receive_time.get(),
                "source": frame.source.get(),
                "kind": kind_name(&frame),
                "more": frame.has_more(),
                "bytes": frame.payload.len(),
                "payload": hex(frame.payload),
            }));
        } else {
            line(format!(
                "{:>10}  {}  source {}  {:<9} {}",
                frame.sequence,
                rfc3339(frame.receive_time),
                frame.source.get(),
                kind_name(&frame),
                text(&frame)
            ));
        }
    }
    if let Some(cut) = reader.cut() {
        eprintln!("torn tail: {cut}");
    }
    Ok(ExitCode::SUCCESS)
}

fn kind_name(frame: &FrameRef<'_>) -> String {
    frame
        .kind()
        .map_or_else(|| format!("kind-{}", frame.kind_number), |kind| format!("{kind:?}").to_lowercase())
}

/// The payload as people read it: text as text, records by their fields, the rest in hexadecimal.
fn text(frame: &FrameRef<'_>) -> String {
    let bytes = frame.payload;
    match frame.kind() {
        Some(FrameKind::Report) => match bytemuck::try_pod_read_unaligned::<Report>(bytes) {
            Ok(report) => format!(
                "{} order {} price {} qty {} leaves {} code {}{}",
                report.kind().map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}").to_lowercase()),
                report.order,
                report.price,
                report.qty,
                report.leaves,
                report.code().name(),
                if report.is_from_risk() { " (risk)" } else { "" }
            ),
            Err(_) => hex(bytes),
        },
        Some(FrameKind::Operator) => match bytemuck::try_pod_read_unaligned::<Command>(bytes) {
            Ok(command) => format!(
                "{} by {}: {}",
                command.kind().map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}").to_lowercase()),
                command.owner,
                command.reason()
            ),
            Err(_) => hex(bytes),
        },
        Some(FrameKind::Recovery) => match bytemuck::try_pod_read_unaligned::<RecoveredRecord>(bytes) {
            Ok(record) => format!(
                "{} instrument {} order {} qty {}",
                record.kind().map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}").to_lowercase()),
                record.instrument,
                record.order,
                record.qty
            ),
            Err(_) => hex(bytes),
        },
        Some(FrameKind::Market | FrameKind::Timer | FrameKind::LinkUp | FrameKind::LinkDown) | None => {
            let more = if frame.has_more() { " …" } else { "" };
            match std::str::from_utf8(bytes) {
                Ok(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') => {
                    format!("{text}{more}")
                }
                Ok(_) | Err(_) => format!("{}{more}", hex(bytes)),
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn check(folder: &SessionFolder, as_json: bool) -> Outcome {
    match verify(&folder.journal()) {
        Ok(found) => {
            if as_json {
                line(serde_json::to_string_pretty(&json!({
                    "ok": true,
                    "frames": found.frames,
                    "segments": found.segments,
                    "payload_bytes": found.payload_bytes,
                    "record_bytes": found.record_bytes,
                    "first_time_ns": found.first_time.map(|time| time.get()),
                    "last_time_ns": found.last_time.map(|time| time.get()),
                    "ended_by_writer": found.is_ended_by_writer,
                    "torn_tail": found.cut.as_ref().map(ToString::to_string),
                }))?);
                return Ok(ExitCode::SUCCESS);
            }
            line(format!("frames    {} in {} segment(s)", output::count(found.frames), found.segments));
            line(format!(
                "bytes     {} of records, {} of payload",
                output::bytes(found.record_bytes),
                output::bytes(found.payload_bytes)
            ));
            if let (Some(first), Some(last)) = (found.first_time, found.last_time) {
                line(format!("time      {} to {}", rfc3339(first), rfc3339(last)));
            }
            line(format!(
                "end       {}",
                if found.is_ended_by_writer {
                    "ended by its writer"
                } else {
                    "not ended: the process was killed, or still runs"
                }
            ));
            if let Some(cut) = &found.cut {
                line(format!("torn tail {cut}"));
            }
            line("good");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if as_json {
                line(serde_json::to_string_pretty(&json!({ "ok": false, "error": error.to_string() }))?);
            } else {
                line(format!("BAD       {error}"));
            }
            Ok(ExitCode::from(CHECK_FAILED))
        }
    }
}
