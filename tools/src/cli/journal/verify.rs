//! `spinward journal verify`: every stream of a session, and what its manifest says of them.

use super::Stream;
use crate::cli::output::{self, line};
use crate::failure::{CHECK_FAILED, Outcome};
use serde_json::{Value, json};
use spinward_recorder::{Ended, Manifest, SessionFolder, Verification, chain_text, rfc3339, verify_stream};
use std::process::ExitCode;

pub(super) fn run(folder: &SessionFolder, as_json: bool) -> Outcome {
    // A manifest that cannot be read is told of by the commands that need it; here it only adds a check.
    let ended = Manifest::read(&folder.manifest()).ok().and_then(|manifest| manifest.ended);
    let mut report = json!({});
    let mut streams = json!({});
    let mut problems = Vec::new();
    for (stream, path) in Stream::of(folder) {
        let found = verify_stream(&path, stream.kind());
        let problem = match &found {
            Ok(found) => expected(stream, ended.as_ref()).and_then(|expected| altered(found, &expected)),
            Err(error) => Some(error.to_string()),
        };
        if let Some(problem) = &problem {
            problems.push(format!("{}: {problem}", stream.name()));
        }
        match found {
            Ok(found) => {
                if stream == Stream::Journal {
                    report = told(&found);
                    if !as_json {
                        print(&found);
                    }
                } else if !as_json {
                    line(format!(
                        "{:<9} {} records, {}",
                        stream.name(),
                        output::count(found.frames),
                        chained(&found)
                    ));
                    if let Some(cut) = &found.cut {
                        line(format!("torn tail {cut}"));
                    }
                }
                streams[stream.name()] = told(&found);
            }
            Err(_) => streams[stream.name()] = json!({ "error": problem }),
        }
    }
    if as_json {
        report["ok"] = Value::Bool(problems.is_empty());
        if !problems.is_empty() {
            report["error"] = Value::String(problems.join("; "));
        }
        report["streams"] = streams;
        line(serde_json::to_string_pretty(&report)?);
    } else if problems.is_empty() {
        line("good");
    } else {
        for problem in &problems {
            line(format!("BAD       {problem}"));
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

/// The digest that the manifest has of a stream.
fn expected(stream: Stream, ended: Option<&Ended>) -> Option<String> {
    match stream {
        Stream::Journal => ended?.journal_chain.clone(),
        Stream::Audit => ended?.audit_chain.clone(),
        Stream::Orders | Stream::Exits => None,
    }
}

fn altered(found: &Verification, expected: &str) -> Option<String> {
    let chain = found.chain.as_ref().map_or_else(|| "none".to_owned(), chain_text);
    (chain != expected).then(|| {
        format!("the manifest has the digest {expected}, the last segment {chain}: the stream was altered or cut after it was ended")
    })
}

fn chained(found: &Verification) -> String {
    match &found.chain {
        Some(chain) => format!(
            "{} of {} segment(s) proved, digest {}",
            found.segments_chained,
            found.segments,
            chain_text(chain)
        ),
        None => "no sealed segment of format 2: nothing to prove by".to_owned(),
    }
}

fn told(found: &Verification) -> Value {
    json!({
        "frames": found.frames,
        "format": found.format,
        "segments": found.segments,
        "segments_compressed": found.segments_compressed,
        "segments_chained": found.segments_chained,
        "chain": found.chain.as_ref().map(chain_text),
        "payload_bytes": found.payload_bytes,
        "record_bytes": found.record_bytes,
        "first_time_ns": found.first_time.map(|time| time.get()),
        "last_time_ns": found.last_time.map(|time| time.get()),
        "clock_steps_back": found.clock_steps_back,
        "clock_step_ns_max": found.clock_step_ns_max,
        "ended_by_writer": found.is_ended_by_writer,
        "torn_tail": found.cut.as_ref().map(ToString::to_string),
    })
}

fn print(found: &Verification) {
    line(format!("frames    {} in {} segment(s)", output::count(found.frames), found.segments));
    line(format!(
        "bytes     {} of records, {} of payload",
        output::bytes(found.record_bytes),
        output::bytes(found.payload_bytes)
    ));
    if let (Some(first), Some(last)) = (found.first_time, found.last_time) {
        line(format!("time      {} to {}", rfc3339(first), rfc3339(last)));
    }
    if found.clock_steps_back > 0 {
        line(format!(
            "clock     set back {} time(s), by {} at most; frames keep their order",
            output::count(found.clock_steps_back),
            output::nanos(found.clock_step_ns_max)
        ));
    }
    line(format!("chain     {}", chained(found)));
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
}
