//! What is kept of old sessions: by age and by size, and never less than what was not exported.
//!
//! A session's streams go only if the file `exported` says that all of it was exported and checked, if nobody writes into it, and if a later session has its
//! name (the next one resumes from the latest). Its manifest and the mark stay.

use crate::error::JournalError;
use crate::manifest::Manifest;
use crate::session::{SessionError, SessionFolder, rfc3339};
use crate::storage::is_in_use;
use spinward_engine::words::Nanos;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Which sessions are too many. Neither: none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Retention {
    /// Those that ended so long ago.
    pub older_than: Option<Duration>,
    /// The oldest, until all together have at most so many bytes.
    pub bytes_max: Option<u64>,
}

/// Why a session stays, or that it goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Its streams may be removed.
    Goes,
    /// Somebody writes into it.
    Runs,
    /// It would go, but nothing says that it was exported.
    NotExported,
    /// It would go, but the next session of its name resumes from it.
    LastOfItsName,
    /// It is neither old nor too much.
    Young,
}

impl Fate {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Goes => "goes",
            Self::Runs => "stays: it runs",
            Self::NotExported => "stays: not exported",
            Self::LastOfItsName => "stays: the last of its name",
            Self::Young => "stays",
        }
    }
}

/// A session, and what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// The session.
    pub session: SessionFolder,
    /// Bytes of all its files.
    pub bytes: u64,
    /// What becomes of it.
    pub fate: Fate,
}

impl Retention {
    /// Judges every session under `root`, oldest first. Changes nothing.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn judge(&self, root: &Path) -> Result<Vec<Judged>, SessionError> {
        let sessions = SessionFolder::list(root)?;
        let mut names = BTreeSet::new();
        let mut last = BTreeSet::new();
        for session in sessions.iter().rev() {
            if names.insert(session.name()) {
                last.insert(session.id().to_owned());
            }
        }
        let mut found = Vec::with_capacity(sessions.len());
        for session in sessions {
            let bytes = bytes_of(session.path())?;
            found.push((session, bytes));
        }
        let mut total: u64 = found.iter().map(|(_, bytes)| bytes).sum();
        let mut judged = Vec::with_capacity(found.len());
        for (session, bytes) in found {
            let is_old = match self.older_than {
                Some(span) => age(&session)? >= span,
                None => false,
            };
            let is_above = self.bytes_max.is_some_and(|most| total > most);
            let fate = if is_in_use(&session.journal())? {
                Fate::Runs
            } else if !is_old && !is_above {
                Fate::Young
            } else if last.contains(session.id()) {
                Fate::LastOfItsName
            } else if !session.exported().is_file() {
                Fate::NotExported
            } else {
                Fate::Goes
            };
            if fate == Fate::Goes {
                total -= bytes;
            }
            judged.push(Judged { session, bytes, fate });
        }
        Ok(judged)
    }
}

/// Notes that everything of a session was exported and checked, and where to.
///
/// # Errors
/// [`JournalError::InUse`] if it still runs; the system's own.
pub fn mark_exported(session: &SessionFolder, where_to: &str) -> Result<(), JournalError> {
    if is_in_use(&session.journal())? {
        return Err(JournalError::InUse { folder: session.journal(), holder: "its session".to_owned() });
    }
    let path = session.exported();
    let failed = |error| JournalError::io("write", &path, error);
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let now = Nanos::new(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    writeln!(file, "{} {}", rfc3339(now), where_to.replace(['\n', '\r'], " "))
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Removes the streams of a session: everything but the manifest and the mark, which tell what there was, with the digests that it was sealed by, and where it
/// went. The journal goes last, as a folder without one is no session.
///
/// # Errors
/// A folder that cannot be removed; the session is then still one.
pub fn remove_streams(session: &SessionFolder) -> Result<(), JournalError> {
    for folder in [session.snapshots(), session.latency(), session.audit(), session.journal()] {
        if folder.is_dir() {
            std::fs::remove_dir_all(&folder).map_err(|error| JournalError::io("remove", &folder, error))?;
        }
    }
    Ok(())
}

/// Since its end; for one that was killed, since its folder was last written.
fn age(session: &SessionFolder) -> Result<Duration, JournalError> {
    let ended = Manifest::read(&session.manifest()).ok().and_then(|manifest| manifest.ended);
    let ended = ended.and_then(|ended| ended.at.parse::<jiff::Timestamp>().ok());
    let at: SystemTime = match ended {
        Some(at) => at.into(),
        None => std::fs::metadata(session.path())
            .and_then(|metadata| metadata.modified())
            .map_err(|error| JournalError::io("read", session.path(), error))?,
    };
    Ok(at.elapsed().unwrap_or_default())
}

/// Bytes of all files; one that goes meanwhile has none.
fn bytes_of(folder: &Path) -> Result<u64, JournalError> {
    let failed = |error| JournalError::io("list", folder, error);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += bytes_of(&entry.path())?,
            Ok(metadata) => bytes += metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(bytes)
}
