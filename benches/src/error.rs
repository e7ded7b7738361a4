//! [`LabError`]: why a measurement was not made or cannot be read.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What went wrong in the laboratory.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A file.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// Bad settings of a suite or a load.
    #[error("{0}")]
    Usage(String),
    /// A part of the measurement refused or failed.
    #[error("the measurement failed: {0}")]
    Failed(String),
}

impl LabError {
    pub(crate) fn io(operation: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }

    pub(crate) fn file(path: &Path, what: impl Display) -> Self {
        Self::File { path: path.to_owned(), what: what.to_string() }
    }

    pub(crate) fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }
}
