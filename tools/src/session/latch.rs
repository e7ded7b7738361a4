//! The kill latch on disk: a small file beside the sessions, so that a halt holds for the next session, too, resumed or not.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use spinward_engine::words::{Command, CommandKind, Nanos, Symbol, TradingState};
use spinward_recorder::{
    AuditReader, AuditRecord, JournalError, Manifest, SessionFolder, StateChange, rfc3339,
};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HaltFile {
    /// Who halted; only they or `operator` can resume.
    pub(crate) owner: String,
    /// Why.
    pub(crate) reason: String,
    /// When, in the session's time.
    pub(crate) since: String,
    /// Folder name of the session.
    pub(crate) session: String,
}

/// Bytes kept for a latch: a halt because the disk is full must find room.
const RESERVE_BYTES: usize = 1_024;

/// The latch of all sessions with one name.
pub(crate) struct LatchFile {
    path: PathBuf,
    /// A file of that size in the session's folder, until it becomes the latch.
    reserve: Option<PathBuf>,
    sessions: PathBuf,
    name: String,
}

impl LatchFile {
    pub(crate) fn new(sessions: &Path, name: &str) -> Self {
        Self {
            path: sessions.join(format!("{name}.halted.toml")),
            reserve: None,
            sessions: sessions.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps room for the latch in this session's folder, as long as this lives.
    pub(crate) fn reserve(&mut self, folder: &SessionFolder) -> anyhow::Result<()> {
        let reserve = folder.path().join("latch.reserve");
        std::fs::write(&reserve, [b'\n'; RESERVE_BYTES])
            .with_context(|| format!("cannot write {}", reserve.display()))?;
        self.reserve = Some(reserve);
        Ok(())
    }

    fn write(&self, halt: &HaltFile) -> anyhow::Result<()> {
        let mut text = toml::to_string(halt)?.into_bytes();
        let reserve = self.reserve.as_ref().filter(|reserve| reserve.exists() && text.len() <= RESERVE_BYTES);
        let Some(reserve) = reserve else { return Ok(std::fs::write(&self.path, text)?) };
        text.resize(RESERVE_BYTES, b'\n');
        // In place: nothing is truncated, so nothing has to be found anew.
        std::fs::OpenOptions::new().write(true).open(reserve)?.write_all(&text)?;
        Ok(std::fs::rename(reserve, &self.path)?)
    }

    /// What is latched.
    pub(crate) fn read(&self) -> anyhow::Result<Option<HaltFile>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => toml::from_str(&text).map(Some).with_context(|| {
                format!("{}: not a kill latch; look at it, then mend or remove it", self.path.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.path.display())),
        }
    }

    /// What holds for the next session: what is latched, or how the last session was halted if it was killed before that came to the disk.
    pub(crate) fn in_force(&self) -> anyhow::Result<Option<HaltFile>> {
        match self.read()? {
            Some(halt) => Ok(Some(halt)),
            None => self.of_killed_session(),
        }
    }

    /// From the audit of the newest session, if that did not come to its end.
    fn of_killed_session(&self) -> anyhow::Result<Option<HaltFile>> {
        let Ok(folder) = SessionFolder::latest(&self.sessions, Some(&self.name)) else { return Ok(None) };
        match Manifest::read(&folder.manifest()) {
            Ok(manifest) if manifest.ended.is_none() => {}
            // Without a manifest it did not begin.
            Ok(_) | Err(_) => return Ok(None),
        }
        let mut halt = None;
        let mut follow = || -> Result<(), JournalError> {
            let mut audit = AuditReader::open(&folder.audit())?;
            while let Some(record) = audit.next()? {
                if let AuditRecord::State { receive_time, change, .. } = record {
                    let is_halted = change.state() == Some(TradingState::Halted);
                    halt = is_halted.then(|| HaltFile::new(receive_time, &change, folder.id()));
                }
            }
            Ok(())
        };
        match follow() {
            // Killed before it had an audit.
            Ok(()) | Err(JournalError::Empty { .. }) => Ok(halt),
            Err(error) => Err(error).with_context(|| {
                format!("cannot tell whether {}, which was killed, was halted; move its folder away to start all the same", folder.id())
            }),
        }
    }

    /// Follows a change of the trading state: halted writes the file, anything else removes it.
    pub(crate) fn follow(&self, time: Nanos, change: &StateChange, session: &str) -> anyhow::Result<()> {
        if change.state() == Some(TradingState::Halted) {
            self.write(&HaltFile::new(time, change, session))
                .with_context(|| format!("cannot write the kill latch {}", self.path.display()))
        } else {
            match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
                    .with_context(|| format!("cannot remove the kill latch {}", self.path.display())),
                Ok(()) | Err(_) => Ok(()),
            }
        }
    }
}

impl Drop for LatchFile {
    fn drop(&mut self) {
        if let Some(reserve) = &self.reserve {
            // It may be the latch by now.
            let _ = std::fs::remove_file(reserve);
        }
    }
}

impl HaltFile {
    fn new(time: Nanos, change: &StateChange, session: &str) -> Self {
        Self {
            owner: change.owner.as_str().to_owned(),
            reason: change.reason().to_owned(),
            since: rfc3339(time),
            session: session.to_owned(),
        }
    }

    /// As the command that it was: the next session begins with it.
    pub(crate) fn command(&self) -> Command {
        let owner = Symbol::new(&self.owner).or(Symbol::new("operator")).unwrap_or_default();
        Command::new(CommandKind::Kill, TradingState::Halted, owner, &self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_is_remembered_until_it_is_lifted() {
        let folder = tempfile::tempdir().unwrap();
        let latch = LatchFile::new(folder.path(), "demo");
        assert_eq!(latch.read().unwrap(), None);
        let owner = Symbol::new("desk").unwrap();
        let halted = StateChange::new(TradingState::Normal, TradingState::Halted, owner, "fat finger");
        latch.follow(Nanos::ZERO, &halted, "20260105T000000Z-demo").unwrap();
        let halt = latch.read().unwrap().unwrap();
        assert_eq!((halt.owner.as_str(), halt.reason.as_str()), ("desk", "fat finger"));
        assert_eq!(halt.command().owner, owner);
        let lifted = StateChange::new(TradingState::Halted, TradingState::Normal, owner, "");
        latch.follow(Nanos::ZERO, &lifted, "").unwrap();
        latch.follow(Nanos::ZERO, &lifted, "").unwrap();
        assert_eq!(latch.read().unwrap(), None);
    }

    #[test]
    fn a_damaged_latch_is_named_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let latch = LatchFile::new(folder.path(), "demo");
        std::fs::write(latch.path(), "owner = 3").unwrap();
        assert!(latch.read().unwrap_err().to_string().contains("demo.halted.toml"));
    }
}
