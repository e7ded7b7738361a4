//! `latency/interference.jsonl`: written line by line, read whole.

use super::{GapRow, Sample};
use crate::error::JournalError;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Version of the format that this code writes, and the newest it reads.
pub const INTERFERENCE_FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct InterferenceHeader {
    /// Version of the format.
    pub interference_format: u32,
    /// The session's number, as in the manifest.
    pub session: String,
    /// From one look to the next, nanoseconds.
    pub interval_ns: u64,
    /// What a gap is longer than, nanoseconds; 0: not looked for.
    pub gap_threshold_ns: u64,
}

/// Any other line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterferenceRow {
    /// What happened to a thread in an interval.
    Sample(Sample),
    /// A gap of a thread's loop.
    Gap(GapRow),
}

impl InterferenceRow {
    /// Begin and end, nanoseconds since the epoch on the stamps' clock.
    pub fn span(&self) -> (i64, i64) {
        match self {
            Self::Sample(sample) => (sample.from_ns, sample.to_ns),
            Self::Gap(gap) => (gap.from_ns, gap.to_ns),
        }
    }
}

/// Writes the file.
#[derive(Debug)]
pub struct InterferenceLog {
    path: PathBuf,
    file: BufWriter<File>,
}

impl InterferenceLog {
    /// A new file; an old one is never overwritten.
    ///
    /// # Errors
    /// [`JournalError::Io`] if there is a file already, or it cannot be written.
    pub fn create(path: &Path, header: &InterferenceHeader) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| JournalError::io("create", path, error))?;
        let mut log = Self { path: path.to_owned(), file: BufWriter::new(file) };
        log.line(&InterferenceHeader { interference_format: INTERFERENCE_FORMAT, ..header.clone() })?;
        log.write(&[])?;
        Ok(log)
    }

    fn line<T: Serialize>(&mut self, value: &T) -> Result<(), JournalError> {
        let failed = |error| JournalError::io("write", &self.path, error);
        serde_json::to_writer(&mut self.file, value).map_err(|error| failed(error.into()))?;
        self.file.write_all(b"\n").map_err(|error| JournalError::io("write", &self.path, error))
    }

    /// Writes rows, so that they are seen by whoever reads the file.
    ///
    /// # Errors
    /// [`JournalError::Io`]
    pub fn write(&mut self, rows: &[InterferenceRow]) -> Result<(), JournalError> {
        for row in rows {
            self.line(row)?;
        }
        self.file.flush().map_err(|error| JournalError::io("write", &self.path, error))
    }
}

/// A whole file.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Interference {
    /// Its header.
    pub header: InterferenceHeader,
    /// Its rows, in the order of the intervals.
    pub rows: Vec<InterferenceRow>,
}

/// Reads a file; `None` if the session has none. A last line that was not written whole is left out.
///
/// # Errors
/// [`JournalError::Io`] if it cannot be read, is of a newer version, or a line is none of the format.
pub fn read_interference(path: &Path) -> Result<Option<Interference>, JournalError> {
    let failed = |error| JournalError::io("read", path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut reader = BufReader::new(file);
    let mut line = String::new();
    let mut found = Interference::default();
    for number in 1.. {
        line.clear();
        reader.read_line(&mut line).map_err(failed)?;
        if !line.ends_with('\n') {
            break;
        }
        let wrong = |what: String| failed(io::Error::other(format!("line {number}: {what}")));
        if number == 1 {
            found.header = serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?;
            let version = found.header.interference_format;
            if version > INTERFERENCE_FORMAT {
                let what = format!(
                    "format {version}; this program reads up to {INTERFERENCE_FORMAT}: use a newer spinward"
                );
                return Err(wrong(what));
            }
        } else {
            found.rows.push(serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?);
        }
    }
    Ok(Some(found))
}
