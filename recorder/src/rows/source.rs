//! [`RowSource`]: the journal through the stages, on the thread that calls, and every row on its way out.

use super::batch::{Batch, Names};
use super::input::{Found, Input};
use super::market::{self, Place, TradeSeen};
use super::outs::Outs;
use super::schema::Table;
use super::stamps;
use super::trading::{self, Change, Tracker};
use crate::audit::{AuditReader, AuditRecord};
use crate::cut::Cut;
use crate::error::JournalError;
use crate::manifest::Manifest;
use crate::orders::{LifeRecord, Lives};
use crate::session::SessionFolder;
use spinward_engine::book::BookOutput;
use spinward_engine::normalizer::{Payload, has_payload};
use spinward_engine::pipeline::Stages;
use spinward_engine::risk::{Egress, Outbound, Position, VerdictBatch};
use spinward_engine::strategy::IntentBatch;
use spinward_engine::words::{
    Event, EventKind, Frame, InstrumentId, Nanos, Report, ReportKind, StrategyId, Symbol, TradingState,
    Verdict,
};
use std::time::Duration;

/// Frames between two calls of [`RowSink::progress`].
const FRAMES_PER_LOOK: u64 = 1 << 16;

/// Takes rows.
pub trait RowSink {
    /// Some rows of a table, at least one, in the order of the session. They may be taken out of the batch; it is cleared afterwards.
    ///
    /// # Errors
    /// Whatever keeps it from taking them; nothing more is given then.
    fn rows(
        &mut self,
        batch: &mut Batch,
        names: &Names,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// So many frames are read.
    fn progress(&mut self, frames: u64) {
        let _ = frames;
    }

    /// Every row of the frames up to this one was given.
    fn given(&mut self, frame: u64) {
        let _ = frame;
    }
}

/// What is wanted of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RowsWanted {
    /// Which tables.
    pub tables: Vec<Table>,
    /// Rows of these symbols only; empty: of all, and rows of none.
    pub symbols: Vec<String>,
    /// Rows with a receive time from this on.
    pub from: Nanos,
    /// Rows with a receive time before this.
    pub to: Nanos,
    /// Rows of a batch, about: a frame's rows are never split.
    pub batch_rows: usize,
    /// No batch holds rows of two days (UTC, receive time).
    pub splits_days: bool,
    /// Rows that are only known at the session's end (last positions, instruments, the session itself) are given, too.
    pub has_ended: bool,
    /// Of a table, by its number: the first row that is given; those before are counted. A table that is not named: 1.
    pub first_rows: Vec<u64>,
    /// Of a table, by its number: no batch ends before this row. A table that is not named: 0.
    pub whole_rows: Vec<u64>,
}

impl RowsWanted {
    /// All rows of these tables.
    pub fn all(tables: &[Table]) -> Self {
        Self {
            tables: tables.to_vec(),
            symbols: Vec::new(),
            from: Nanos::new(i64::MIN),
            to: Nanos::MAX,
            batch_rows: 16_384,
            splits_days: false,
            has_ended: true,
            first_rows: Vec::new(),
            whole_rows: Vec::new(),
        }
    }
}

/// What was read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RowTotals {
    /// Last whole frame.
    pub frames: u64,
    /// Rows given, by table as wanted.
    pub rows: Vec<(&'static str, u64)>,
    /// Events.
    pub events: u64,
    /// Verdicts that the audit has, too, and that were equal.
    pub audited: u64,
    /// Verdicts beyond the audit's end (a killed session).
    pub unaudited: u64,
    /// The torn tail that was cut, if there was one.
    pub cut: Option<Cut>,
}

/// Why there are no more rows.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The journal, the audit or the stamps cannot be read. Every row before was given.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The stages decide otherwise than they did live: rows of trading would not be what happened.
    #[error(
        "frame {frame}: the audit has {recorded}, run again it gives {found}; \
         export with the program (and the strategies) that ran the session"
    )]
    Differs {
        /// The frame.
        frame: u64,
        /// What the audit says.
        recorded: String,
        /// What came of running it again.
        found: String,
    },
    /// Whoever took the rows failed.
    #[error(transparent)]
    Sink(Box<dyn std::error::Error + Send + Sync>),
}

/// Orders go nowhere: the venue's answers are in the journal.
struct Nowhere;

impl Egress for Nowhere {
    fn send(&mut self, _: &Outbound) -> bool {
        true
    }
}

/// A session, run again for its rows.
pub struct RowSource {
    input: Input,
    stages: Stages,
    folder: SessionFolder,
    manifest: Manifest,
    audit: Option<AuditReader>,
    outs: Outs,
    tracker: Tracker,
    state: TradingState,
    totals: RowTotals,
    needs_book: bool,
    needs_trading: bool,
}

impl RowSource {
    /// `stages` as the session was run with (runners may be missing if no wanted table [needs them](Table::needs_trading)), `strategies` their
    /// names.
    ///
    /// # Errors
    /// [`JournalError`] if the journal or the audit cannot be opened.
    pub fn open(
        folder: &SessionFolder,
        manifest: &Manifest,
        stages: Stages,
        strategies: &[String],
        wanted: RowsWanted,
    ) -> Result<Self, JournalError> {
        let needs_trading = wanted.tables.iter().any(|table| table.needs_trading());
        let needs_book = wanted.tables.iter().any(|table| table.needs_book());
        let audit = match AuditReader::open(&folder.audit()) {
            Ok(audit) if needs_trading => Some(audit),
            Ok(_) => None,
            // A session that was killed before its first record.
            Err(JournalError::Empty { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            input: Input::there(&folder.journal())?,
            stages,
            folder: folder.clone(),
            manifest: manifest.clone(),
            audit,
            outs: Outs::new(wanted, strategies),
            tracker: Tracker::default(),
            state: TradingState::Normal,
            totals: RowTotals::default(),
            needs_book,
            needs_trading,
        })
    }

    /// For a session that runs: [`RowSource::run`] goes on until it has ended, and gives rows at least each `interval`. Verdicts are not held against the audit,
    /// which grows as well; the rows of latency come at the end.
    ///
    /// # Errors
    /// As [`RowSource::open`].
    pub fn follow(
        folder: &SessionFolder,
        manifest: &Manifest,
        stages: Stages,
        strategies: &[String],
        wanted: RowsWanted,
        interval: Duration,
    ) -> Result<Self, JournalError> {
        let source = Self::open(folder, manifest, stages, strategies, wanted)?;
        Ok(Self { input: Input::growing(folder, interval), audit: None, ..source })
    }

    /// Gives every row, to the end of the journal. Memory is that of the stages and of a batch of each table.
    ///
    /// # Errors
    /// [`RowError`]; what was given before stands.
    pub fn run(mut self, sink: &mut dyn RowSink) -> Result<RowTotals, RowError> {
        let mut output = BookOutput::vacant();
        let mut intents: Vec<IntentBatch> =
            self.stages.runners.iter().map(|_| IntentBatch::default()).collect();
        let mut verdicts = VerdictBatch::new();
        let (mut first_time, mut last_time) = (None, Nanos::ZERO);
        let mut known = usize::MAX;
        let mut frame = Frame::vacant();
        while self.next(&mut frame, sink)? {
            if !self.stages.normalizer.on_frame(&frame) {
                continue;
            }
            let time = frame.header.receive_time;
            first_time.get_or_insert(time);
            last_time = time;
            self.totals.frames = frame.header.sequence;
            self.outs.at(time, sink)?;
            let count = self.stages.normalizer.instruments().count();
            let first = self.stages.normalizer.batch().events().first();
            if count != known || first.is_some_and(|event| event.kind() == EventKind::Definition) {
                known = count;
                self.outs.learn(self.stages.normalizer.instruments().iter().map(|i| i.symbol.as_str()));
            }
            self.on_events(&mut output, &mut intents, &mut verdicts)?;
            self.outs.give(sink, self.outs.wanted.batch_rows)?;
            if frame.header.sequence.is_multiple_of(FRAMES_PER_LOOK) {
                sink.progress(frame.header.sequence);
            }
        }
        self.totals.cut = self.input.cut();
        if let Some(manifest) = self.input.last_manifest() {
            self.outs.wanted.has_ended = manifest.ended.is_some();
            self.manifest = manifest;
        }
        if self.outs.wanted.has_ended {
            // Not before: of an order of the last frames the way out may not be stored yet.
            self.latency(sink)?;
            self.positions(last_time);
            self.session(first_time.unwrap_or(Nanos::ZERO));
        }
        // Latency has days of its own; what is left belongs to the last one of the journal.
        self.outs.give(sink, 1)?;
        sink.progress(self.totals.frames);
        sink.given(self.totals.frames);
        self.totals.rows = self.outs.given().collect();
        Ok(self.totals)
    }

    /// The next frame, into `frame`; false if there will be none. What was made of those before is given at each interval, whether more come or not.
    #[inline]
    fn next(&mut self, frame: &mut Frame, sink: &mut dyn RowSink) -> Result<bool, RowError> {
        loop {
            if self.input.is_due() {
                self.outs.give(sink, 1)?;
                sink.given(self.totals.frames);
            }
            match self.input.next(frame)? {
                Found::Frame => return Ok(true),
                Found::End => return Ok(false),
                Found::Wait => sink.progress(self.totals.frames),
            }
        }
    }

    #[inline]
    fn on_events(
        &mut self,
        output: &mut BookOutput,
        intents: &mut [IntentBatch],
        verdicts: &mut VerdictBatch,
    ) -> Result<(), RowError> {
        let Self { stages, outs, .. } = self;
        let batch = stages.normalizer.batch();
        self.totals.events += batch.events().len() as u64;
        let mut payloads = 0;
        for (index, event) in batch.events().iter().enumerate() {
            let index = index as u32; // at most EVENTS_PER_MESSAGE_MAX
            let time = event.receive_time;
            let place = |sequence| Place { sequence, frame: event.frame, index, receive_time: time.get() };
            let about = Some(event.instrument);
            outs.row(Table::Events, time, about, |row, sequence, names| {
                market::event(row, place(sequence), event, &names.instruments);
            });
            if !self.needs_book {
                continue;
            }
            let trade = TradeSeen::of(event, &stages.book);
            stages.book.on_event(event, output);
            let view = output.view();
            if let Some(seen) = &trade {
                outs.row(Table::Trades, time, about, |row, sequence, names| {
                    market::trade(row, place(sequence), event, seen, &names.instruments);
                });
            }
            outs.row(Table::MarketData, time, about, |row, sequence, names| {
                market::event(row, place(sequence), event, &names.instruments);
                market::levels(row, view);
            });
            if let Some(view) = view {
                outs.row(Table::Book, time, Some(view.instrument), |row, sequence, names| {
                    market::book(row, place(sequence), view, &names.instruments);
                });
            }
            if !self.needs_trading {
                continue;
            }
            let mut payload = Payload::default();
            if has_payload(event.kind())
                && let Some(given) = batch.payloads().get(payloads)
            {
                payload = *given;
                payloads += 1;
            }
            for (runner, out) in stages.runners.iter_mut().zip(intents.iter_mut()) {
                runner.on_event(event, &payload, view, out);
            }
            let report: Option<Report> = (event.kind() == EventKind::Report).then(|| bytemuck::cast(payload));
            let before = report
                .and_then(|report| position_of(&stages.risk, report.order.strategy(), report.instrument));
            stages.risk.on_event(event, &payload, view, 0, intents.iter(), verdicts, &mut Nowhere);
            if let Some(report) = &report {
                self.tracker.reported(report, &stages.book);
                outs.row(Table::Orders, time, about, |row, sequence, names| {
                    trading::order_answer(row, place(sequence), report, &stages.book, names);
                });
                let after = position_of(&stages.risk, report.order.strategy(), report.instrument);
                let change = Change::between(before.as_ref(), after.as_ref());
                if report.kind() == Some(ReportKind::Filled) {
                    outs.row(Table::Fills, time, about, |row, sequence, names| {
                        self.tracker.fill(row, place(sequence), report, &stages.book, &change, names);
                    });
                }
                if let Some(after) = after.filter(|_| change.has_counted) {
                    outs.row(Table::Positions, time, about, |row, sequence, names| {
                        trading::position(row, place(sequence), &after, false, names);
                    });
                }
                self.tracker.done(report);
            }
            let state = stages.risk.state();
            for verdict in verdicts.verdicts() {
                audited(&mut self.audit, &mut self.totals, event.frame, verdict)?;
                let about = Some(verdict.instrument);
                outs.row(Table::Verdicts, time, about, |row, sequence, names| {
                    trading::verdict(row, place(sequence), verdict, state, names);
                });
                if verdict.is_approved() {
                    self.tracker.sent(verdict, &stages.book);
                    outs.row(Table::Orders, time, about, |row, sequence, names| {
                        trading::order_sent(row, place(sequence), verdict, &stages.book, names);
                    });
                }
            }
            if outs.wants(Table::Health) {
                if let Some((code, detail)) = trading::trouble(event) {
                    outs.row(Table::Health, time, about, |row, sequence, names| {
                        let numbers = (event.a, event.b);
                        trading::health(row, place(sequence), event, (code, &detail), numbers, names);
                    });
                }
                if state != self.state {
                    let by = by(event, &payload);
                    let detail = format!("{} to {}, {by}", self.state.name(), state.name());
                    let numbers = (self.state as u64, state as u64);
                    outs.row(Table::Health, time, about, |row, sequence, names| {
                        let told = (trading::STATE_CHANGED, detail.as_str());
                        trading::health(row, place(sequence), event, told, numbers, names);
                    });
                }
            }
            self.state = state;
        }
        Ok(())
    }

    /// What is left when the session ends.
    fn positions(&mut self, time: Nanos) {
        if !self.needs_trading {
            return;
        }
        let (frame, receive_time) = (self.totals.frames, time.get());
        for (index, position) in self.stages.risk.positions().enumerate() {
            self.outs.row(Table::Positions, time, Some(position.instrument), |row, sequence, names| {
                let place = Place { sequence, frame, index: index as u32, receive_time };
                trading::position(row, place, position, true, names);
            });
        }
    }

    fn latency(&mut self, sink: &mut dyn RowSink) -> Result<(), RowError> {
        if !self.outs.wants(Table::Latency) || !self.folder.orders().is_dir() {
            return Ok(());
        }
        let mut lives = match Lives::open(&self.folder.orders(), &self.folder.exits()) {
            Ok(lives) => lives,
            Err(JournalError::Empty { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        while let Some(record) = lives.next()? {
            let LifeRecord::Life(life) = record else { continue };
            self.outs.at(life.receive_time, sink)?;
            let about = Some(life.decision.instrument);
            self.outs.row(Table::Latency, life.receive_time, about, |row, sequence, names| {
                stamps::life(row, sequence, &life, names);
            });
            self.outs.give(sink, self.outs.wanted.batch_rows)?;
        }
        Ok(())
    }

    fn session(&mut self, first_time: Nanos) {
        let Self { outs, stages, manifest, totals, .. } = self;
        for instrument in stages.normalizer.instruments().iter() {
            outs.row(Table::Instruments, first_time, Some(instrument.id), |row, sequence, names| {
                row.u64(sequence)
                    .i64(first_time.get())
                    .u32(instrument.id.get())
                    .name(instrument.id.index(), &names.instruments)
                    .i64(instrument.lot)
                    .u16(u16::from(instrument.price_decimals))
                    .u16(u16::from(instrument.qty_decimals))
                    .bool(instrument.terms.is_some())
                    .i64(instrument.unit_value());
            });
        }
        outs.row(Table::Sessions, first_time, None, |row, sequence, _| {
            let ended = manifest.ended.as_ref();
            row.u64(sequence)
                .i64(first_time.get())
                .text(&manifest.name)
                .text(&manifest.started)
                .text(ended.map_or("", |ended| &ended.at))
                .text(ended.map_or("", |ended| &ended.reason))
                .text(&manifest.version)
                .text(&manifest.commit)
                .text(&manifest.feed)
                .u64(manifest.seed)
                .text(&manifest.topology)
                .text(&manifest.config_fingerprint)
                .text(manifest.resumed_from.as_deref().unwrap_or(""))
                .u64(totals.frames)
                .i64(first_time.get());
        });
    }
}

fn position_of(
    risk: &spinward_engine::risk::Risk,
    strategy: StrategyId,
    instrument: InstrumentId,
) -> Option<Position> {
    risk.positions().find(|p| p.strategy == strategy && p.instrument == instrument).copied()
}

/// Who changed the trading state.
fn by(event: &Event, payload: &Payload) -> String {
    if event.kind() != EventKind::Operator {
        return "by risk".to_owned();
    }
    let command: spinward_engine::words::Command = bytemuck::cast(*payload);
    let owner: Symbol = command.owner;
    format!("by {owner}: {}", command.reason())
}

/// The audit's next verdict must be this one.
fn audited(
    audit: &mut Option<AuditReader>,
    totals: &mut RowTotals,
    frame: u64,
    verdict: &Verdict,
) -> Result<(), RowError> {
    while let Some(reader) = audit {
        match reader.next()? {
            Some(AuditRecord::Verdict { frame: recorded_frame, verdict: recorded, .. }) => {
                if (recorded_frame, &recorded) != (frame, verdict) {
                    return Err(RowError::Differs {
                        frame,
                        recorded: format!("frame {recorded_frame}: {recorded:?}"),
                        found: format!("{verdict:?}"),
                    });
                }
                totals.audited += 1;
                return Ok(());
            }
            Some(
                AuditRecord::Report { .. }
                | AuditRecord::State { .. }
                | AuditRecord::Digests { .. }
                | AuditRecord::End { .. },
            ) => {}
            None => *audit = None,
        }
    }
    totals.unaudited += 1;
    Ok(())
}
