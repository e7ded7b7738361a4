//! Databento's binary encoding (DBN, version 3): orders, trades or ten levels a side, one file with what it takes to read it alone.
//!
//! The symbols stand in the file's head, so the journal is read twice: once for the instruments and times, once for the records. Written beside its
//! name and renamed when it is whole; a killed export begins anew.

mod records;

use super::parts::ExportError;
use crate::error::JournalError;
use crate::journal::JournalReader;
use dbn::encode::{EncodeRecord, dbn::Encoder};
use dbn::{MappingInterval, Metadata, SType, Schema, SymbolMapping};
use records::Recorder;
use spinward_engine::pipeline::Stages;
use spinward_engine::words::{InstrumentId, Nanos};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

/// What is in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DbnSchema {
    /// Every order: `mbo`. Only where the feed tells of orders.
    Orders,
    /// `trades`.
    Trades,
    /// Ten levels a side at each change of a book: `mbp-10`; no more than the books' view has.
    Levels,
}

impl DbnSchema {
    /// Its name, as Databento has it.
    pub fn name(self) -> &'static str {
        self.schema().as_str()
    }

    fn schema(self) -> Schema {
        match self {
            Self::Orders => Schema::Mbo,
            Self::Trades => Schema::Trades,
            Self::Levels => Schema::Mbp10,
        }
    }
}

/// One schema, one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DbnConfig {
    /// The session's journal.
    pub journal: PathBuf,
    /// What is wanted.
    pub schema: DbnSchema,
    /// These symbols only; empty: all.
    pub symbols: Vec<String>,
    /// The file.
    pub out: PathBuf,
    /// From this receive time on: events before it make the books, and are not written.
    pub from: Nanos,
    /// Before this receive time.
    pub to: Nanos,
}

/// What was written.
#[derive(Clone, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct DbnSummary {
    /// The file.
    pub file: String,
    /// Its schema.
    pub schema: String,
    /// Records in it.
    pub records: u64,
    /// Symbols that it has a number for.
    pub symbols: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum DbnError {
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
    /// The feed tells of levels, `mbo` of orders.
    #[error(
        "frame {frame}: {symbol} has levels and no orders, which `mbo` cannot hold: give --what book or --what trades"
    )]
    Levels {
        /// Where the first level is.
        frame: u64,
        /// Of what.
        symbol: String,
    },
    /// A size of DBN has 32 bits.
    #[error(
        "frame {frame}: {lots} lots of {symbol} are more than DBN holds ({}): leave that symbol out with --symbol",
        u32::MAX
    )]
    Size {
        /// Where.
        frame: u64,
        /// Of what.
        symbol: String,
        /// How many.
        lots: i64,
    },
}

/// Writes it. The stages are needed twice, fresh each time.
///
/// # Errors
/// [`DbnError`]; no file is there then under its name.
pub fn export_dbn(config: &DbnConfig, first: Stages, mut stages: Stages) -> Result<DbnSummary, DbnError> {
    let Head { metadata, is_wanted } = head(config, first)?;
    let mut file = Unfinished::create(&config.out)?;
    let mut encoder =
        Encoder::new(&mut file.to, &metadata).map_err(|e| ExportError::encode(&config.out, e))?;
    let mut reader = JournalReader::open(&config.journal)?;
    let mut recorder = Recorder::new(config.schema);
    let mut records = 0;
    while let Some(frame) = reader.next()? {
        let frame = frame.to_frame();
        if !stages.normalizer.on_frame(&frame) {
            continue;
        }
        let time = frame.header.receive_time;
        let is_in = time >= config.from && time < config.to;
        for event in stages.normalizer.batch().events() {
            let wanted = is_in && is_wanted.get(event.instrument.index()).copied().unwrap_or(false);
            let found = recorder.event(event, &mut stages.book, wanted);
            let said = found.map_err(|problem| {
                let instrument = stages.normalizer.instruments().by_id(event.instrument);
                problem.at(event, instrument.map_or("", |instrument| instrument.symbol.as_str()))
            })?;
            records += said.write(&mut encoder).map_err(|e| ExportError::encode(&config.out, e))?;
        }
    }
    encoder.flush().map_err(|e| ExportError::encode(&config.out, e))?;
    file.finish()?;
    Ok(DbnSummary {
        file: config.out.display().to_string(),
        schema: config.schema.name().to_owned(),
        records,
        symbols: metadata.mappings.len() as u64,
    })
}

/// What must be known before the first record.
struct Head {
    metadata: Metadata,
    /// By instrument.
    is_wanted: Vec<bool>,
}

/// The first pass: who is in the session, and from when to when.
fn head(config: &DbnConfig, mut stages: Stages) -> Result<Head, DbnError> {
    let mut reader = JournalReader::open(&config.journal)?;
    let (mut start, mut end) = (None, Nanos::ZERO);
    while let Some(frame) = reader.next()? {
        let frame = frame.to_frame();
        stages.normalizer.on_frame(&frame);
        let time = frame.header.receive_time;
        if time >= config.from && time < config.to {
            start.get_or_insert(time);
            end = time;
        }
    }
    let instruments = stages.normalizer.instruments();
    for symbol in &config.symbols {
        if !instruments.iter().any(|instrument| instrument.symbol.as_str() == symbol) {
            return Err(DbnError::Symbol { symbol: symbol.clone() });
        }
    }
    let mut is_wanted = vec![false; instruments.count()];
    let mut chosen: Vec<(InstrumentId, String)> = Vec::new();
    for instrument in instruments.iter() {
        let symbol = instrument.symbol.as_str();
        if config.symbols.is_empty() || config.symbols.iter().any(|wanted| wanted == symbol) {
            chosen.push((instrument.id, symbol.to_owned()));
            if let Some(wanted) = is_wanted.get_mut(instrument.id.index()) {
                *wanted = true;
            }
        }
    }
    let unix = |time: Nanos| u64::try_from(time.get()).unwrap_or(0);
    let mut metadata = Metadata::builder()
        .dataset("SPINWARD")
        .schema(Some(config.schema.schema()))
        .start(unix(start.unwrap_or(Nanos::ZERO)))
        .end(NonZeroU64::new(unix(end).saturating_add(1)))
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .symbols(chosen.iter().map(|(_, symbol)| symbol.clone()).collect())
        .build();
    let first_day = metadata.start().date();
    let last_day = metadata.end().map_or(first_day, |end| end.date());
    metadata.mappings = chosen
        .into_iter()
        .map(|(id, raw_symbol)| SymbolMapping {
            raw_symbol,
            intervals: vec![MappingInterval {
                start_date: first_day,
                end_date: last_day.next_day().unwrap_or(last_day),
                symbol: id.get().to_string(),
            }],
        })
        .collect();
    Ok(Head { metadata, is_wanted })
}

/// A file that gets its name when it is whole.
struct Unfinished {
    to: BufWriter<File>,
    path: PathBuf,
    out: PathBuf,
}

impl Unfinished {
    fn create(out: &Path) -> Result<Self, ExportError> {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(|e| ExportError::io("make the folder", folder, e))?;
        }
        let mut name = out.as_os_str().to_owned();
        name.push(".unfinished");
        let path = PathBuf::from(name);
        let file = File::create(&path).map_err(|e| ExportError::io("create", &path, e))?;
        Ok(Self { to: BufWriter::with_capacity(1 << 18, file), path, out: out.to_owned() })
    }

    fn finish(mut self) -> Result<(), ExportError> {
        let done = self
            .to
            .flush()
            .and_then(|()| self.to.get_ref().sync_all())
            .and_then(|()| std::fs::rename(&self.path, &self.out));
        done.map_err(|error| ExportError::io("write", &self.out, error))
    }
}
