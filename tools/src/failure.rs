//! [`Failure`]: an error with its exit code.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The check failed, or the work could not be done: exit code 1.
    Work(anyhow::Error),
    /// Bad usage or configuration: exit code 2.
    Usage(anyhow::Error),
}

/// What a command gives.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// The check failed; what was wrong is already printed.
pub(crate) const CHECK_FAILED: u8 = 1;

/// Bad usage or configuration.
pub(crate) const BAD_USAGE: u8 = 2;

impl Failure {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Failure::Work(_) => ExitCode::from(CHECK_FAILED),
            Failure::Usage(_) => ExitCode::from(BAD_USAGE),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Work(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Failure::Work(error) | Failure::Usage(error)) = self;
        write!(f, "error: {error:#}")
    }
}
