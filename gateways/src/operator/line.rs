//! Lines to commands.

use spinward_engine::words::{Command, CommandKind, Symbol, TradingState};

/// The longest line, its end not counted.
pub const LINE_BYTES_MAX: usize = 256;

/// What a line asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    Command(Command),
    Status,
}

/// Why a line is not a command.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    /// Nothing on it.
    #[error("empty line; give kill, resume, cancel-all, state or status")]
    Empty,
    /// Not one of ours.
    #[error("unknown command `{0}`; give kill, resume, cancel-all, state or status")]
    Unknown(String),
    /// Nobody signs.
    #[error("`{0}` needs an owner: who gives the command")]
    NoOwner(&'static str),
    /// The owner is not a name.
    #[error("owner `{0}` is not a name of 1 to 24 printable ASCII characters")]
    BadOwner(String),
    /// A kill needs a reason: it stands in the audit stream.
    #[error("`kill` needs a reason after the owner, for the audit")]
    NoReason,
    /// Not a state that can be set.
    #[error("unknown state `{0}`; give reduce-only, cancel-only or normal")]
    BadState(String),
    /// More on the line than the command takes.
    #[error("`{0}` takes nothing after the owner; found `{1}`")]
    TooMuch(&'static str, String),
    /// Longer than allowed.
    #[error("a line has at most {LINE_BYTES_MAX} bytes; shorten the reason")]
    TooLong,
    /// Not text.
    #[error("the line is not UTF-8")]
    NotText,
}

/// Reads one line, without its end.
pub(super) fn parse(line: &str) -> Result<Request, LineError> {
    let mut words = line.split_whitespace();
    let verb = words.next().ok_or(LineError::Empty)?;
    let (name, kind) = match verb {
        "kill" => ("kill", CommandKind::Kill),
        "resume" => ("resume", CommandKind::Resume),
        "cancel-all" => ("cancel-all", CommandKind::CancelAll),
        "state" => ("state", CommandKind::SetState),
        "status" => {
            return words
                .next()
                .map_or(Ok(Request::Status), |more| Err(LineError::TooMuch("status", more.to_owned())));
        }
        other => return Err(LineError::Unknown(other.to_owned())),
    };
    let state = match kind {
        CommandKind::Kill => TradingState::Halted,
        CommandKind::Resume | CommandKind::CancelAll => TradingState::Normal,
        CommandKind::SetState => match words.next() {
            Some("reduce-only") => TradingState::ReduceOnly,
            Some("cancel-only") => TradingState::CancelOnly,
            Some("normal") => TradingState::Normal,
            other => return Err(LineError::BadState(other.unwrap_or_default().to_owned())),
        },
    };
    let owner = words.next().ok_or(LineError::NoOwner(name))?;
    let owner = Symbol::new(owner).ok_or_else(|| LineError::BadOwner(owner.to_owned()))?;
    let reason = words.collect::<Vec<_>>().join(" ");
    match kind {
        CommandKind::Kill if reason.is_empty() => Err(LineError::NoReason),
        CommandKind::Kill => Ok(Request::Command(Command::new(kind, state, owner, &reason))),
        CommandKind::Resume | CommandKind::CancelAll | CommandKind::SetState if reason.is_empty() => {
            Ok(Request::Command(Command::new(kind, state, owner, "")))
        }
        CommandKind::Resume | CommandKind::CancelAll | CommandKind::SetState => {
            Err(LineError::TooMuch(name, reason))
        }
    }
}
