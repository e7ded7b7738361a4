//! One symbol for hftbacktest: its `.npz` of the market. Written beside its name and renamed when it is whole; a killed export begins anew.
//!
//! It wants levels as the venue changed them, so this runs decoder and books over the journal and looks at the book round each event.

use super::npz::EventWriter;
use super::parts::ExportError;
use crate::error::JournalError;
use crate::journal::JournalReader;
use spinward_engine::book::{BookOutput, RestingOrder};
use spinward_engine::pipeline::Stages;
use spinward_engine::words::{Event, EventKind, Instrument, InstrumentId, Nanos, Side};
use std::path::PathBuf;

/// One symbol, one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HftBacktestConfig {
    /// The session's journal.
    pub journal: PathBuf,
    /// Which symbol.
    pub symbol: String,
    /// Where.
    pub out: PathBuf,
    /// From this receive time on: events before it make the book, and are not written.
    pub from: Nanos,
    /// Before this receive time.
    pub to: Nanos,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct HftBacktestSummary {
    /// The file.
    pub file: String,
    /// Records in it.
    pub records: u64,
    /// By how much receive times were put later, nanoseconds: the smallest that leaves none before its venue time (a local clock that is behind).
    pub local_shift_ns: i64,
    /// Records whose venue time was before that of the record before, and was set to it.
    pub reordered: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum HftBacktestError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file cannot be written.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// No event is about it.
    #[error("the session has no instrument {symbol:?}")]
    Symbol {
        /// What was asked for.
        symbol: String,
    },
}

/// What an event found in the book, before it was applied.
pub(super) struct Seen<'a> {
    pub(super) event: &'a Event,
    /// The order that it names.
    pub(super) resting: Option<RestingOrder>,
    pub(super) instrument: &'a Instrument,
}

/// A time that is never zero: protocols without venue time have that of receipt.
pub(super) fn venue_time(event: &Event) -> i64 {
    if event.venue_time == Nanos::ZERO { event.receive_time.get() } else { event.venue_time.get() }
}

/// Writes it. The stages are needed twice, fresh each time: clocks are looked at before anything is written.
///
/// # Errors
/// [`HftBacktestError`]; no file is there then under its name.
pub fn export_hftbacktest(
    config: &HftBacktestConfig,
    first: Stages,
    mut stages: Stages,
) -> Result<HftBacktestSummary, HftBacktestError> {
    let local_shift_ns = shift(config, first)?;
    let mut reader = JournalReader::open(&config.journal)?;
    let mut output = BookOutput::vacant();
    let mut wanted: Option<InstrumentId> = None;
    let mut clock = Clock { shift: local_shift_ns, last: i64::MIN, reordered: 0 };
    let mut writer: Option<EventWriter> = None;
    while let Some(frame) = reader.next()? {
        let frame = frame.to_frame();
        if !stages.normalizer.on_frame(&frame) {
            continue;
        }
        if wanted.is_none() {
            wanted = stages
                .normalizer
                .instruments()
                .iter()
                .find(|i| i.symbol.as_str() == config.symbol)
                .map(|i| i.id);
        }
        let time = frame.header.receive_time;
        for event in stages.normalizer.batch().events() {
            let is_wanted = Some(event.instrument) == wanted && time >= config.from && time < config.to;
            let resting = if is_wanted { stages.book.order(event.instrument, event.a) } else { None };
            stages.book.on_event(event, &mut output);
            let Some(instrument) = stages.normalizer.instruments().by_id(event.instrument) else { continue };
            if !is_wanted {
                continue;
            }
            let writer = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(EventWriter::create(&config.out)?),
            };
            let event = clock.put(event);
            writer.event(&Seen { event: &event, resting, instrument }, &stages.book)?;
        }
    }
    let Some(writer) = writer else {
        return Err(HftBacktestError::Symbol { symbol: config.symbol.clone() });
    };
    Ok(HftBacktestSummary {
        file: config.out.display().to_string(),
        records: writer.finish()?,
        local_shift_ns,
        reordered: clock.reordered,
    })
}

/// Makes times fit for a simulation: venue times that never fall, receipt never before the venue's.
struct Clock {
    shift: i64,
    last: i64,
    reordered: u64,
}

impl Clock {
    fn put(&mut self, event: &Event) -> Event {
        let found = venue_time(event);
        let venue = found.max(self.last);
        self.reordered += u64::from(venue != found);
        self.last = venue;
        Event {
            venue_time: Nanos::new(venue),
            receive_time: Nanos::new(event.receive_time.get().saturating_add(self.shift)),
            ..*event
        }
    }
}

/// By how much receipt has to be put later so that nothing is received before it happened; 0 for a clock that is right.
fn shift(config: &HftBacktestConfig, mut stages: Stages) -> Result<i64, HftBacktestError> {
    let mut reader = JournalReader::open(&config.journal)?;
    let mut smallest = i64::MAX;
    while let Some(frame) = reader.next()? {
        if !stages.normalizer.on_frame(&frame.to_frame()) {
            continue;
        }
        let instruments = stages.normalizer.instruments();
        for event in stages.normalizer.batch().events() {
            let is_wanted = event.venue_time != Nanos::ZERO
                && event.kind() != EventKind::Report
                && instruments.by_id(event.instrument).is_some_and(|i| i.symbol.as_str() == config.symbol);
            if is_wanted {
                smallest = smallest.min(event.receive_time.get().saturating_sub(event.venue_time.get()));
            }
        }
    }
    Ok(if smallest < 0 { smallest.saturating_neg() } else { 0 })
}

/// The level that an event has touched: its side and price.
pub(super) fn touched(seen: &Seen<'_>) -> [Option<(Side, i64)>; 2] {
    let event = seen.event;
    let old = seen.resting.map(|order| (order.side, order.price.nanos()));
    let own = event.side().map(|side| (side, event.price.nanos()));
    match event.kind() {
        EventKind::OrderAdd | EventKind::LevelSet => [own, None],
        EventKind::OrderExecute
        | EventKind::OrderExecuteAt
        | EventKind::OrderReduce
        | EventKind::OrderDelete => [old, None],
        // The new order rests on the side of the old one.
        EventKind::OrderReplace => [old, seen.resting.map(|order| (order.side, event.price.nanos()))],
        EventKind::Ignored
        | EventKind::Definition
        | EventKind::BookClear
        | EventKind::Trade
        | EventKind::Quote
        | EventKind::Status
        | EventKind::Gap
        | EventKind::Duplicate
        | EventKind::Malformed
        | EventKind::Report
        | EventKind::Timer
        | EventKind::Operator
        | EventKind::Recovery
        | EventKind::Link => [None, None],
    }
}
