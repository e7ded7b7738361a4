//! `spinward journal cat` and `follow`.

use super::text::{event_json, event_line, frame_json, frame_line, kind_number_name};
use super::{JournalArgs, open};
use crate::cli::export::time;
use crate::cli::output::line;
use crate::failure::{Failure, Outcome};
use crate::session::parts;
use crate::session::replay::settings_of;
use anyhow::anyhow;
use clap::Args;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::words::{Frame, FrameKind, Nanos};
use spinward_recorder::{Followed, FrameRef, JournalFollower, JournalReader, SessionFolder};
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often a follower looks when there is nothing new.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Args, Debug)]
pub(crate) struct CatArgs {
    #[command(flatten)]
    of: JournalArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Args, Debug)]
pub(crate) struct FollowArgs {
    #[command(flatten)]
    of: JournalArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Give up after so many seconds without a new frame; without it, only when the session has ended.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// What is printed.
#[derive(Args, Debug)]
struct FilterArgs {
    /// With a receive time from this on: 2024-08-08T08:00:00Z, or nanoseconds since 1970.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// With a receive time before this.
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
    /// Frames from this number on.
    #[arg(long, value_name = "NUMBER")]
    from_frame: Option<u64>,
    /// Frames up to this number.
    #[arg(long, value_name = "NUMBER")]
    to_frame: Option<u64>,
    /// Frames of this kind: market, report, timer, operator, recovery, linkup, linkdown; may be given several times.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,
    /// What concerns this symbol; may be given several times. The journal is then decoded from its beginning.
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    symbol: Vec<String>,
    /// Decode, and print events instead of frames.
    #[arg(long)]
    events: bool,
    /// Stop after so many lines.
    #[arg(long, value_name = "LINES")]
    limit: Option<u64>,
}

pub(crate) fn run(args: &CatArgs) -> Outcome {
    let folder = open(&args.of)?;
    let mut printer = Printer::new(&folder, &args.filter, args.of.json)?;
    let journal = folder.journal();
    // Where the clock was set back a later frame may be earlier, so a frame behind the time is no end; the segments' ranges tell.
    let last = JournalReader::last_frame_before(&journal, printer.to)?.unwrap_or(u64::MAX);
    printer.frames = *printer.frames.start()..=last.min(*printer.frames.end());
    // What is decoded depends on everything before it; what is not may begin in the middle.
    let mut reader = match (printer.decoder.is_some(), args.filter.from_frame, printer.from) {
        (false, Some(frame), _) => JournalReader::open_at_frame(&journal, frame)?,
        (false, None, from) if from > Nanos::new(i64::MIN) => JournalReader::open_at_time(&journal, from)?,
        (true, _, _) | (false, None, _) => JournalReader::open(&journal)?,
    };
    while let Some(frame) = reader.next()? {
        if !printer.frame(&frame) {
            return Ok(ExitCode::SUCCESS);
        }
    }
    if let Some(cut) = reader.cut() {
        eprintln!("torn tail: {cut}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn follow(args: &FollowArgs) -> Outcome {
    let folder = open(&args.of)?;
    let mut printer = Printer::new(&folder, &args.filter, args.of.json)?;
    let mut follower = JournalFollower::new(&folder.journal());
    let timeout = args.timeout.map(Duration::from_secs);
    let mut last = Instant::now();
    loop {
        match follower.poll()? {
            Followed::Frame(frame) => {
                if !printer.frame(&frame) {
                    return Ok(ExitCode::SUCCESS);
                }
                last = Instant::now();
            }
            Followed::End => return Ok(ExitCode::SUCCESS),
            Followed::Wait => {
                if timeout.is_some_and(|timeout| last.elapsed() >= timeout) {
                    eprintln!("no new frame behind frame {}, and no end", follower.last_sequence());
                    return Ok(ExitCode::SUCCESS);
                }
                std::thread::sleep(LOOK);
            }
        }
    }
}

/// Prints what passes the filter.
struct Printer {
    decoder: Option<Normalizer>,
    prints_events: bool,
    as_json: bool,
    from: Nanos,
    to: Nanos,
    frames: std::ops::RangeInclusive<u64>,
    kinds: BTreeSet<u8>,
    symbols: BTreeSet<String>,
    left: u64,
    /// The frames of a message that is not whole yet, or whose events are being looked at.
    message: Vec<Frame>,
}

impl Printer {
    fn new(folder: &SessionFolder, filter: &FilterArgs, as_json: bool) -> Result<Self, Failure> {
        let decoder = if filter.events || !filter.symbol.is_empty() {
            let (_, settings) = settings_of(folder)?;
            Some(Normalizer::new(vec![parts::decoder(&settings)?], parts::instruments(&settings)?))
        } else {
            None
        };
        let bound = |option, text: &Option<String>, otherwise| match text {
            Some(text) => time(option, text),
            None => Ok(Nanos::new(otherwise)),
        };
        Ok(Self {
            decoder,
            prints_events: filter.events,
            as_json,
            from: bound("--from", &filter.from, i64::MIN)?,
            to: bound("--to-time", &filter.to_time, i64::MAX)?,
            frames: filter.from_frame.unwrap_or(0)..=filter.to_frame.unwrap_or(u64::MAX),
            kinds: filter.kind.iter().map(|name| kind(name)).collect::<Result<_, _>>()?,
            symbols: filter.symbol.iter().cloned().collect(),
            left: filter.limit.unwrap_or(u64::MAX),
            message: Vec::new(),
        })
    }

    /// One frame; false once nothing more is to come.
    fn frame(&mut self, frame: &FrameRef<'_>) -> bool {
        if self.left == 0 || frame.sequence > *self.frames.end() {
            return false;
        }
        let is_wanted = self.frames.contains(&frame.sequence)
            && (self.from..self.to).contains(&frame.receive_time)
            && (self.kinds.is_empty() || self.kinds.contains(&frame.kind_number));
        if self.decoder.is_some() {
            self.decoded(frame, is_wanted);
        } else if is_wanted {
            self.print(frame);
        }
        self.left > 0
    }

    fn print(&mut self, frame: &FrameRef<'_>) {
        self.left = self.left.saturating_sub(1);
        if self.as_json { line(frame_json(frame)) } else { line(frame_line(frame)) }
    }

    /// Its events, or the frames of the message if one of its events is about a wanted symbol.
    fn decoded(&mut self, frame: &FrameRef<'_>, is_wanted: bool) {
        let whole = frame.to_frame();
        self.message.push(whole);
        let Some(decoder) = &mut self.decoder else { return };
        if !decoder.on_frame(&whole) {
            return;
        }
        let mut is_about_wanted = false;
        for event in decoder.batch().events() {
            let instrument = decoder.instruments().by_id(event.instrument);
            let is_about = self.symbols.is_empty()
                || instrument.is_some_and(|instrument| self.symbols.contains(instrument.symbol.as_str()));
            is_about_wanted |= is_about;
            if self.prints_events && is_wanted && is_about && self.left > 0 {
                self.left -= 1;
                if self.as_json {
                    line(event_json(event, instrument));
                } else {
                    line(event_line(event, instrument));
                }
            }
        }
        let message = std::mem::take(&mut self.message);
        if !self.prints_events && is_wanted && is_about_wanted {
            for frame in &message {
                if self.left > 0 {
                    self.print(&FrameRef::of(frame));
                }
            }
        }
    }
}

fn kind(name: &str) -> Result<u8, Failure> {
    let names = || FrameKind::EVERY.into_iter().map(|kind| kind_number_name(kind as u8)).collect::<Vec<_>>();
    FrameKind::EVERY
        .into_iter()
        .map(|kind| kind as u8)
        .find(|kind| kind_number_name(*kind) == name)
        .ok_or_else(|| Failure::Usage(anyhow!("--kind {name:?}: one of {}", names().join(", "))))
}
