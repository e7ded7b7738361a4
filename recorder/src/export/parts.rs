//! [`PartSink`]: rows into parts. A part is written beside its name, synced, renamed, and noted in the state file; what a killed export leaves is
//! whole parts, perhaps one unfinished file that is removed, and the note up to where it came.

use super::columns::{self, Words};
use super::text;
use crate::rows::{Batch, Cells, Names, RowSink, Table};
use arrow_schema::Schema;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The note of an export, in its folder.
pub const STATE_FILE: &str = "export.json";

/// Version of the state file.
const STATE_FORMAT: u32 = 1;

/// What the files are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Apache Parquet, zstd.
    Parquet,
    /// Comma-separated, one header line.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Arrow IPC file (Feather 2).
    Arrow,
}

impl FileFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Arrow => "arrow",
        }
    }
}

/// What is exported, into which folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartsConfig {
    /// Folder of the parts; made if need be.
    pub folder: PathBuf,
    /// What the files are.
    pub format: FileFormat,
    /// Rows of a part, about: it ends with the batch that reaches them.
    pub part_rows: u64,
    /// Which tables.
    pub tables: Vec<Table>,
    /// What else makes up the export (session, filters), as text: an export that was begun goes on only if it is the same.
    pub identity: String,
}

/// A part that is whole.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartInfo {
    /// Of which table.
    pub table: String,
    /// File name.
    pub file: String,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Row number of its first row.
    pub first_sequence: u64,
    /// Row number of its last row.
    pub last_sequence: u64,
}

/// The state file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct State {
    format: u32,
    identity: String,
    file_format: FileFormat,
    part_rows: u64,
    tables: Vec<String>,
    is_complete: bool,
    parts: Vec<PartInfo>,
}

/// What there is in the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ExportSummary {
    /// Rows, in this run and before.
    pub rows: u64,
    /// Rows that were there already.
    pub rows_kept: u64,
    /// Bytes of all parts.
    pub bytes: u64,
    /// The parts.
    pub parts: Vec<PartInfo>,
}

/// Why an export ended.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The system refused.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// Its answer.
        #[source]
        source: io::Error,
    },
    /// The writer of the format refused.
    #[error("cannot write {}: {what}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Its answer.
        what: String,
    },
    /// The folder holds another export.
    #[error(
        "{} holds another export ({found}; this one is {wanted}): give an empty folder, or remove that one",
        folder.display()
    )]
    Other {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// There are files, and no state file that tells of them.
    #[error("{} is not empty and holds no {STATE_FILE}: give an empty folder", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The state file cannot be read.
    #[error("{}: {what}; remove the folder and export anew", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What was exported before is not what comes of the session now.
    #[error(
        "{table}: the parts on disk end with row {found}, the session gives {given}: export into another folder"
    )]
    Changed {
        /// The table.
        table: &'static str,
        /// Last row on disk.
        found: u64,
        /// Where it does not fit.
        given: u64,
    },
}

impl ExportError {
    pub(super) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }

    pub(super) fn encode(path: &Path, what: impl std::fmt::Display) -> Self {
        Self::Encode { path: path.to_owned(), what: what.to_string() }
    }
}

/// The writer of one part.
enum Writer {
    Parquet(Box<parquet::arrow::ArrowWriter<File>>),
    Csv(Box<csv::Writer<File>>),
    Jsonl(BufWriter<File>),
    Arrow(Box<arrow_ipc::writer::FileWriter<BufWriter<File>>>),
}

struct Part {
    writer: Writer,
    path: PathBuf,
    rows: u64,
    first_sequence: u64,
    last_sequence: u64,
}

struct TableParts {
    table: Table,
    schema: Arc<Schema>,
    /// Parts that are whole.
    parts: usize,
    /// Rows that are on disk from an earlier run: to be given once more, and not written.
    to_skip: u64,
    last_kept: u64,
    part: Option<Part>,
}

/// Rows into files.
pub struct PartSink<'a> {
    config: PartsConfig,
    state: State,
    tables: Vec<TableParts>,
    rows_kept: u64,
    progress: Box<dyn FnMut(u64) + 'a>,
}

impl<'a> PartSink<'a> {
    /// Begins an export, or goes on with the one in the folder. `progress` hears how many frames are read.
    ///
    /// # Errors
    /// [`ExportError`] if the folder holds something else, or cannot be written.
    pub fn open(config: PartsConfig, progress: impl FnMut(u64) + 'a) -> Result<Self, ExportError> {
        let folder = &config.folder;
        std::fs::create_dir_all(folder).map_err(|e| ExportError::io("make the folder", folder, e))?;
        let fresh = State {
            format: STATE_FORMAT,
            identity: config.identity.clone(),
            file_format: config.format,
            part_rows: config.part_rows,
            tables: config.tables.iter().map(|table| table.name().to_owned()).collect(),
            is_complete: false,
            parts: Vec::new(),
        };
        let state = match read_state(folder)? {
            Some(found) => {
                let told = |state: &State| {
                    format!(
                        "{:?} of {} with {} rows a part, {}",
                        state.file_format,
                        state.tables.join(","),
                        state.part_rows,
                        state.identity
                    )
                };
                if (State { is_complete: false, parts: Vec::new(), ..found.clone() }) != fresh {
                    return Err(ExportError::Other {
                        folder: folder.clone(),
                        found: told(&found),
                        wanted: told(&fresh),
                    });
                }
                found
            }
            None => {
                let mut entries =
                    std::fs::read_dir(folder).map_err(|e| ExportError::io("list", folder, e))?;
                if entries.next().is_some() {
                    return Err(ExportError::NotEmpty { folder: folder.clone() });
                }
                fresh
            }
        };
        let tables = config.tables.iter().map(|&table| table_parts(table, &state, config.format)).collect();
        let rows_kept = state.parts.iter().map(|part| part.rows).sum();
        let sink = Self { config, state, tables, rows_kept, progress: Box::new(progress) };
        sink.clean()?;
        sink.write_state()?;
        Ok(sink)
    }

    /// Whether nothing is left to do.
    pub fn is_complete(&self) -> bool {
        self.state.is_complete
    }

    /// What lies in the folder now.
    pub fn summary(&self) -> ExportSummary {
        ExportSummary {
            rows: self.state.parts.iter().map(|part| part.rows).sum(),
            rows_kept: self.rows_kept,
            bytes: self.state.parts.iter().map(|part| part.bytes).sum(),
            parts: self.state.parts.clone(),
        }
    }

    /// Ends the last parts. The export is whole.
    ///
    /// # Errors
    /// [`ExportError`]; what is noted as whole stays.
    pub fn finish(mut self) -> Result<ExportSummary, ExportError> {
        for at in 0..self.tables.len() {
            self.end_part(at)?;
            if let Some(table) = self.tables.get(at).filter(|table| table.to_skip > 0) {
                let given = table.last_kept.saturating_sub(table.to_skip);
                return Err(ExportError::Changed {
                    table: table.table.name(),
                    found: table.last_kept,
                    given,
                });
            }
        }
        self.state.is_complete = true;
        self.write_state()?;
        Ok(self.summary())
    }

    /// Removes what an export that was killed left unfinished: files that the note does not know.
    fn clean(&self) -> Result<(), ExportError> {
        let folder = &self.config.folder;
        for entry in std::fs::read_dir(folder).map_err(|e| ExportError::io("list", folder, e))? {
            let path = entry.map_err(|e| ExportError::io("list", folder, e))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            let is_ours = name.ends_with(".unfinished")
                || self.tables.iter().any(|table| name.starts_with(&format!("{}-", table.table.name())));
            if is_ours && !self.state.parts.iter().any(|part| part.file == name) {
                std::fs::remove_file(&path).map_err(|e| ExportError::io("remove", &path, e))?;
            }
        }
        Ok(())
    }

    fn write_state(&self) -> Result<(), ExportError> {
        let path = self.config.folder.join(STATE_FILE);
        let beside = self.config.folder.join(format!("{STATE_FILE}.unfinished"));
        let text = serde_json::to_vec_pretty(&self.state).map_err(|e| ExportError::encode(&path, e))?;
        write_through(&beside, &path, &text).map_err(|e| ExportError::io("write", &path, e))
    }

    fn begin_part(&self, table: &TableParts) -> Result<Part, ExportError> {
        let name = format!("{}-{:05}.{}", table.table.name(), table.parts, self.config.format.extension());
        let path = self.config.folder.join(name);
        let beside = unfinished(&path);
        let file = File::create(&beside).map_err(|e| ExportError::io("create", &beside, e))?;
        let writer = match self.config.format {
            FileFormat::Parquet => Writer::Parquet(Box::new(
                columns::parquet_writer(file, table.table, &table.schema)
                    .map_err(|e| ExportError::encode(&beside, e))?,
            )),
            FileFormat::Csv => {
                let mut writer = csv::Writer::from_writer(file);
                writer
                    .write_record(text::csv_header(table.table.columns()))
                    .map_err(|e| ExportError::encode(&beside, e))?;
                Writer::Csv(Box::new(writer))
            }
            FileFormat::Jsonl => Writer::Jsonl(BufWriter::with_capacity(1 << 18, file)),
            FileFormat::Arrow => Writer::Arrow(Box::new(
                arrow_ipc::writer::FileWriter::try_new(
                    BufWriter::with_capacity(1 << 18, file),
                    &table.schema,
                )
                .map_err(|e| ExportError::encode(&beside, e))?,
            )),
        };
        Ok(Part { writer, path, rows: 0, first_sequence: 0, last_sequence: 0 })
    }

    fn end_part(&mut self, at: usize) -> Result<(), ExportError> {
        let Some(table) = self.tables.get_mut(at) else { return Ok(()) };
        let Some(part) = table.part.take() else { return Ok(()) };
        let Part { writer, path, rows, first_sequence, last_sequence } = part;
        let beside = unfinished(&path);
        let encode = |what: String| ExportError::encode(&beside, what);
        let io = |error| ExportError::io("write", &beside, error);
        let file = match writer {
            Writer::Parquet(writer) => writer.into_inner().map_err(|e| encode(e.to_string()))?,
            Writer::Csv(writer) => writer.into_inner().map_err(|e| io(e.into_error()))?,
            Writer::Jsonl(writer) => writer.into_inner().map_err(|e| io(e.into_error()))?,
            Writer::Arrow(mut writer) => {
                writer.finish().map_err(|e| encode(e.to_string()))?;
                let inner = writer.into_inner().map_err(|e| encode(e.to_string()))?;
                inner.into_inner().map_err(|e| io(e.into_error()))?
            }
        };
        file.sync_all().map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        std::fs::rename(&beside, &path).map_err(|e| ExportError::io("rename", &beside, e))?;
        table.parts += 1;
        let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let table = table.table.name().to_owned();
        self.state.parts.push(PartInfo { table, file, rows, bytes, first_sequence, last_sequence });
        self.write_state()
    }

    fn take(&mut self, batch: &mut Batch, names: &Names) -> Result<(), ExportError> {
        let Some(at) = self.tables.iter().position(|table| table.table == batch.table()) else {
            return Ok(());
        };
        if let Some(table) = self.tables.get_mut(at)
            && table.to_skip > 0
        {
            let rows = batch.rows() as u64;
            let skipped = rows.min(table.to_skip);
            let last = sequences(batch).get((skipped as usize).wrapping_sub(1)).copied().unwrap_or(0);
            table.to_skip -= skipped;
            if table.to_skip == 0 && last != table.last_kept {
                return Err(ExportError::Changed {
                    table: table.table.name(),
                    found: table.last_kept,
                    given: last,
                });
            }
            batch.skip(skipped as usize);
            if batch.rows() == 0 {
                return Ok(());
            }
        }
        let part = match self.tables.get_mut(at).and_then(|table| table.part.take()) {
            Some(part) => part,
            None => match self.tables.get(at) {
                Some(table) => self.begin_part(table)?,
                None => return Ok(()),
            },
        };
        let part_rows = self.config.part_rows;
        let Some(table) = self.tables.get_mut(at) else { return Ok(()) };
        let part = table.part.insert(part);
        write(part, &table.schema, batch, names)?;
        if part.rows >= part_rows { self.end_part(at) } else { Ok(()) }
    }
}

impl RowSink for PartSink<'_> {
    fn rows(
        &mut self,
        batch: &mut Batch,
        names: &Names,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.take(batch, names)?)
    }

    fn progress(&mut self, frames: u64) {
        (self.progress)(frames);
    }
}

fn table_parts(table: Table, state: &State, format: FileFormat) -> TableParts {
    let mine = || state.parts.iter().filter(|part| part.table == table.name());
    let words = match format {
        FileFormat::Parquet => Words::Dictionary,
        FileFormat::Csv | FileFormat::Jsonl | FileFormat::Arrow => Words::Plain,
    };
    TableParts {
        table,
        schema: columns::schema(table, words),
        parts: mine().count(),
        to_skip: mine().map(|part| part.rows).sum(),
        last_kept: mine().map(|part| part.last_sequence).max().unwrap_or(0),
        part: None,
    }
}

fn sequences(batch: &Batch) -> &[u64] {
    match batch.cells().first() {
        Some(Cells::U64(sequences)) => sequences,
        Some(_) | None => &[],
    }
}

fn write(part: &mut Part, schema: &Arc<Schema>, batch: &Batch, names: &Names) -> Result<(), ExportError> {
    let path = &part.path;
    match &mut part.writer {
        Writer::Parquet(writer) => {
            let arrays = columns::arrays(schema, batch, names, Words::Dictionary)
                .map_err(|e| ExportError::encode(path, e))?;
            writer.write(&arrays).map_err(|e| ExportError::encode(path, e))?;
        }
        Writer::Csv(writer) => {
            text::csv(writer, batch, names).map_err(|e| ExportError::encode(path, e))?;
        }
        Writer::Jsonl(writer) => {
            text::jsonl(writer, batch, names).map_err(|e| ExportError::io("write", path, e))?;
        }
        Writer::Arrow(writer) => {
            let arrays = columns::arrays(schema, batch, names, Words::Plain)
                .map_err(|e| ExportError::encode(path, e))?;
            writer.write(&arrays).map_err(|e| ExportError::encode(path, e))?;
        }
    }
    let given = sequences(batch);
    if part.rows == 0 {
        part.first_sequence = given.first().copied().unwrap_or(0);
    }
    part.last_sequence = given.last().copied().unwrap_or(part.last_sequence);
    part.rows += batch.rows() as u64;
    Ok(())
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().map_or_else(Default::default, std::ffi::OsStr::to_os_string);
    name.push(".unfinished");
    path.with_file_name(name)
}

fn read_state(folder: &Path) -> Result<Option<State>, ExportError> {
    let path = folder.join(STATE_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ExportError::io("read", &path, error)),
    };
    let state: State = serde_json::from_slice(&text)
        .map_err(|error| ExportError::State { path: path.clone(), what: error.to_string() })?;
    if state.format != STATE_FORMAT {
        let what = format!("format {} is not {STATE_FORMAT}", state.format);
        return Err(ExportError::State { path, what });
    }
    Ok(Some(state))
}

pub(super) fn write_through(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
