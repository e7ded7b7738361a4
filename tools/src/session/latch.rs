//! The kill latch on disk: a small file beside the sessions, so that a halt holds for the next session, too, resumed or not.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use spinward_engine::words::{Command, CommandKind, Nanos, Symbol, TradingState};
use spinward_recorder::{StateChange, rfc3339};
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

/// The latch of all sessions with one name.
pub(crate) struct LatchFile {
    path: PathBuf,
}

impl LatchFile {
    pub(crate) fn new(sessions: &Path, name: &str) -> Self {
        Self { path: sessions.join(format!("{name}.halted.toml")) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
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

    /// Follows a change of the trading state: halted writes the file, anything else removes it.
    pub(crate) fn follow(&self, time: Nanos, change: &StateChange, session: &str) -> anyhow::Result<()> {
        if change.state() == Some(TradingState::Halted) {
            let halt = HaltFile {
                owner: change.owner.as_str().to_owned(),
                reason: change.reason().to_owned(),
                since: rfc3339(time),
                session: session.to_owned(),
            };
            std::fs::write(&self.path, toml::to_string(&halt)?)
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

impl HaltFile {
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
