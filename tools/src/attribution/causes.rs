//! The frames that caused orders, from the journal: decoded as the session decoded them, with what came just before.

use crate::cli::output::snake;
use crate::failure::Failure;
use crate::session::parts;
use serde::Serialize;
use spinward_config::Settings;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::words::{Event, FrameKind, InstrumentId, InstrumentTable, Nanos, Price, Qty, Report};
use spinward_recorder::{JournalReader, SessionFolder};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far back a burst is looked for, in the session's time.
const BURST: Nanos = Nanos::from_millis(1);
const SHORT_BURST: Nanos = Nanos::from_micros(100);

/// A frame that caused an order.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cause {
    pub(crate) frame: u64,
    /// In the session's time.
    pub(crate) receive_time_ns: i64,
    pub(crate) source: u8,
    pub(crate) kind: String,
    /// Of the whole message, which may lie in several frames.
    pub(crate) bytes: usize,
    /// Its beginning, hexadecimal.
    pub(crate) payload: String,
    pub(crate) events: Vec<String>,
    /// Frames in the 100 µs and in the millisecond up to it, itself counted, in the session's time.
    pub(crate) frames_in_100us: usize,
    pub(crate) frames_in_1ms: usize,
}

/// Payload bytes that are shown.
const SHOWN_BYTES: usize = 48;
/// Events of a message that are told.
const TOLD_EVENTS: usize = 8;

/// Causes by frame, and the instruments as they were known at the last of them.
pub(crate) struct Causes {
    pub(crate) by_frame: BTreeMap<u64, Cause>,
    instruments: InstrumentTable,
}

fn symbol(table: &InstrumentTable, instrument: InstrumentId) -> String {
    match table.by_id(instrument) {
        Some(found) => found.symbol.to_string(),
        None if instrument == InstrumentId::ALL => "all".to_owned(),
        None => format!("instrument {instrument}"),
    }
}

/// `order_add AAAA buy 300 at 27.30`.
pub(crate) fn event_text(event: &Event, symbol: &str) -> String {
    let mut text = format!("{} {symbol}", snake(&event.kind()));
    if let Some(side) = event.side() {
        text.push_str(&format!(" {}", snake(&side)));
    }
    // A definition keeps its text in these fields.
    if event.kind() != spinward_engine::words::EventKind::Definition {
        if event.qty != Qty::ZERO {
            text.push_str(&format!(" {}", event.qty.lots()));
        }
        if event.price != Price::ZERO {
            text.push_str(&format!(" at {}", event.price));
        }
    }
    text
}

impl Causes {
    /// Reads the journal up to the last of these frames.
    pub(crate) fn read(
        folder: &SessionFolder,
        settings: &Settings,
        frames: &BTreeSet<u64>,
    ) -> Result<Self, Failure> {
        let mut normalizer = Normalizer::new(vec![parts::decoder(settings)?], parts::instruments(settings)?);
        let mut by_frame = BTreeMap::new();
        let last = frames.last().copied().unwrap_or(0);
        let mut reader = JournalReader::open(&folder.journal())?;
        let mut recent: VecDeque<Nanos> = VecDeque::new();
        let (mut bytes, mut payload) = (0, String::new());
        while let Some(frame) = reader.next()? {
            if frame.sequence > last {
                break;
            }
            let time = frame.receive_time;
            while recent.front().is_some_and(|first| *first <= time.after(Nanos::new(-BURST.get()))) {
                recent.pop_front();
            }
            recent.push_back(time);
            if bytes == 0 {
                payload = frame.payload.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}")).collect();
            }
            bytes += frame.payload.len();
            let is_whole = normalizer.on_frame(&frame.to_frame());
            if frames.contains(&frame.sequence) {
                let table = normalizer.instruments();
                let events = normalizer.batch().events();
                let told = events.iter().take(TOLD_EVENTS);
                let mut told: Vec<String> =
                    told.map(|event| event_text(event, &symbol(table, event.instrument))).collect();
                if frame.kind() == Some(FrameKind::Report)
                    && let Ok(report) = bytemuck::try_pod_read_unaligned::<Report>(frame.payload)
                {
                    let order = super::order_text(report.order);
                    told.push(format!("order {order} {}", super::history::report_text(&report)));
                }
                if events.len() > TOLD_EVENTS {
                    told.push(format!("… and {} more", events.len() - TOLD_EVENTS));
                }
                let short = time.after(Nanos::new(-SHORT_BURST.get()));
                let kind = frame.kind().map_or("unknown".to_owned(), |kind: FrameKind| snake(&kind));
                let cause = Cause {
                    frame: frame.sequence,
                    receive_time_ns: time.get(),
                    source: frame.source.get(),
                    kind,
                    bytes,
                    payload: payload.clone(),
                    events: if is_whole { told } else { Vec::new() },
                    frames_in_100us: recent.iter().rev().take_while(|other| **other > short).count(),
                    frames_in_1ms: recent.len(),
                };
                by_frame.insert(frame.sequence, cause);
            }
            if is_whole {
                bytes = 0;
            }
        }
        Ok(Self { by_frame, instruments: normalizer.instruments().clone() })
    }

    /// An instrument's symbol.
    pub(crate) fn symbol(&self, instrument: InstrumentId) -> String {
        symbol(&self.instruments, instrument)
    }
}
