//! [`SessionFolder`]: `sessions/<UTC start>-<name>/`, where everything of a session lies.

use crate::error::JournalError;
use crate::format::StreamKind;
use jiff::Timestamp;
use spinward_engine::words::Nanos;
use std::io;
use std::path::{Path, PathBuf};

/// Most characters of a session's name.
pub const SESSION_NAME_MAX: usize = 64;

/// The folder of one session: `20261122T143005Z-name`, or `20261122T143005Z.2-name` for the second one in that second.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionFolder {
    path: PathBuf,
    stamp: String,
    number: u32,
    name: String,
}

/// What is wrong with a session's folder.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] JournalError),
    /// A name that no folder may have.
    #[error("session name {name:?}: use 1 to 64 letters, digits, '_' and '-'")]
    Name {
        /// The name.
        name: String,
    },
    /// Not the folder of a session.
    #[error("{} is not the folder of a session (named like 20261122T143005Z-name, with a journal in it)", path.display())]
    NotASession {
        /// The path.
        path: PathBuf,
    },
    /// No session by that name.
    #[error("{} holds no session{}", root.display(), name.as_deref().map(|name| format!(" named {name}")).unwrap_or_default())]
    None {
        /// Where was looked.
        root: PathBuf,
        /// For which name.
        name: Option<String>,
    },
}

impl SessionFolder {
    /// Makes a new folder under `root` (which is made if need be), with the folders `journal`, `audit` and `latency` in it. Never takes one
    /// that is there already: a second session in the same second, whatever its name, gets a number, so that sessions sort by their start.
    ///
    /// # Errors
    /// A bad name, or the system refuses.
    pub fn create(root: &Path, name: &str, now: Nanos) -> Result<Self, SessionError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > SESSION_NAME_MAX || !name.chars().all(is_allowed) {
            return Err(SessionError::Name { name: name.to_owned() });
        }
        let failed = |path: &Path, error| SessionError::Io(JournalError::io("create", path, error));
        std::fs::create_dir_all(root).map_err(|error| failed(root, error))?;
        let stamp = Timestamp::from_nanosecond(i128::from(now.get()))
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let mut first = 1;
        for entry in std::fs::read_dir(root).map_err(|error| failed(root, error))? {
            let path = entry.map_err(|error| failed(root, error))?.path();
            if let Some(session) = Self::parse(&path)
                && session.stamp == stamp
            {
                first = first.max(session.number.saturating_add(1));
            }
        }
        for number in first..=u32::MAX {
            let folder = match number {
                1 => format!("{stamp}-{name}"),
                _ => format!("{stamp}.{number}-{name}"),
            };
            let path = root.join(folder);
            // Fails if anything is there: the one step that decides between two sessions.
            match std::fs::create_dir(&path) {
                Ok(()) => {
                    let session = Self { path, stamp, number, name: name.to_owned() };
                    for folder in [session.journal(), session.audit(), session.latency()] {
                        std::fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
                    }
                    return Ok(session);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path, error)),
            }
        }
        Err(failed(root, io::ErrorKind::AlreadyExists.into()))
    }

    /// An existing one.
    ///
    /// # Errors
    /// [`SessionError::NotASession`] if the path is not named as a session or holds no folder `journal`.
    pub fn open(path: &Path) -> Result<Self, SessionError> {
        // `sessions/x/` and `sessions/x/.` name a session, too.
        let whole = path.canonicalize().map_err(|error| JournalError::io("open", path, error))?;
        Self::parse(&whole)
            .filter(|session| session.journal().is_dir())
            .ok_or_else(|| SessionError::NotASession { path: path.to_owned() })
    }

    /// The latest one under `root`, of that name or of any.
    ///
    /// # Errors
    /// [`SessionError::None`] if there is none.
    pub fn latest(root: &Path, name: Option<&str>) -> Result<Self, SessionError> {
        Self::list(root)?
            .into_iter()
            .rfind(|session| name.is_none_or(|name| session.name == name))
            .ok_or_else(|| SessionError::None { root: root.to_owned(), name: name.map(str::to_owned) })
    }

    /// All sessions under `root`, oldest first. A root that does not exist holds none.
    ///
    /// # Errors
    /// [`SessionError::Io`] if `root` cannot be listed.
    pub fn list(root: &Path) -> Result<Vec<Self>, SessionError> {
        let failed = |error| SessionError::Io(JournalError::io("list", root, error));
        let entries = match std::fs::read_dir(root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut sessions = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            sessions.extend(Self::parse(&path).filter(|session| session.journal().is_dir()));
        }
        sessions.sort_by(|a, b| (&a.stamp, a.number, &a.name).cmp(&(&b.stamp, b.number, &b.name)));
        Ok(sessions)
    }

    fn parse(path: &Path) -> Option<Self> {
        let (start, name) = path.file_name()?.to_str()?.split_once('-')?;
        let (stamp, number) = match start.split_once('.') {
            Some((stamp, number)) => (stamp, number.parse().ok()?),
            None => (start, 1),
        };
        let digits =
            |text: Option<&str>| text.is_some_and(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let is_stamp = stamp.len() == 16
            && digits(stamp.get(..8))
            && stamp.get(8..9) == Some("T")
            && digits(stamp.get(9..15))
            && stamp.ends_with('Z');
        (is_stamp && !name.is_empty()).then(|| Self {
            path: path.to_owned(),
            stamp: stamp.to_owned(),
            number,
            name: name.to_owned(),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's own name: what `resumed_from` of a manifest says.
    pub fn id(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or("?")
    }

    /// The session's name, without its time.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `manifest.toml`.
    pub fn manifest(&self) -> PathBuf {
        self.path.join("manifest.toml")
    }

    /// The mark that a session was exported, and where to: without it nothing of it is ever deleted.
    pub fn exported(&self) -> PathBuf {
        self.path.join("exported")
    }

    /// Folder of the input frames.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// Folder of the outputs.
    pub fn audit(&self) -> PathBuf {
        self.path.join("audit")
    }

    /// Folder of snapshots of the engine's state. Not every session has one.
    pub fn snapshots(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// Folder of everything about latency: histograms, orders, interference.
    pub fn latency(&self) -> PathBuf {
        self.path.join("latency")
    }

    /// Folder of decisions and answers, with their stamps. Not every session has one.
    pub fn orders(&self) -> PathBuf {
        self.latency().join("orders")
    }

    /// Folder of the ways out. Not every session has one.
    pub fn exits(&self) -> PathBuf {
        self.latency().join("exits")
    }

    /// The streams that it has, with their folders.
    pub fn streams(&self) -> Vec<(StreamKind, PathBuf)> {
        let every = [
            (StreamKind::Journal, self.journal()),
            (StreamKind::Audit, self.audit()),
            (StreamKind::Orders, self.orders()),
            (StreamKind::Exits, self.exits()),
        ];
        every.into_iter().filter(|(_, folder)| folder.is_dir()).collect()
    }

    /// What disturbed the pipeline's threads. Not every session has one.
    pub fn interference(&self) -> PathBuf {
        self.latency().join("interference.jsonl")
    }
}

/// A time as manifests write it: UTC, RFC 3339.
pub fn rfc3339(time: Nanos) -> String {
    Timestamp::from_nanosecond(i128::from(time.get())).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests;
