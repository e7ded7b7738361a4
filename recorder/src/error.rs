//! What can go wrong with a stream on disk: [`AppendError`] on the hot path, [`JournalError`] everywhere else.

use std::io;
use std::path::{Path, PathBuf};

/// Why a record was not appended. Nothing was written; the same record may be appended again later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// The segment is full and the next one is not prepared yet. Poll again: back-pressure, not loss.
    NoSegment,
    /// The segment is full and the preparer cannot make another one (disk full, input/output error), or a flush failed. The reason is in
    /// the writer's `failure()`. A disk that was full is tried again ten times a second.
    Failed,
    /// The frame's number is not the one after the last frame appended.
    OutOfOrder,
    /// The payload is longer than a record may be.
    TooLong,
}

impl std::fmt::Display for AppendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            AppendError::NoSegment => "no prepared segment yet",
            AppendError::Failed => "no further segment can be prepared",
            AppendError::OutOfOrder => "the frame's number does not follow the last one",
            AppendError::TooLong => "the payload is longer than a record may be",
        })
    }
}

impl std::error::Error for AppendError {}

/// What is wrong with a stream of segments, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
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
    /// There is no room for another segment. What was appended before is safe.
    #[error("disk full: cannot reserve {bytes} bytes for {}; free some space or move the sessions folder", path.display())]
    DiskFull {
        /// The segment that was to be.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A number of the configuration is out of range.
    #[error("{key} = {value}: {demand}")]
    Config {
        /// The field.
        key: &'static str,
        /// Its value.
        value: u64,
        /// What it should be.
        demand: &'static str,
    },
    /// The folder already holds a stream; it is never appended to and never overwritten.
    #[error("{} already holds segments; a stream is written once, by one writer: start a new session", folder.display())]
    AlreadyWritten {
        /// The folder.
        folder: PathBuf,
    },
    /// Another writer, in this process or in another one, has the folder.
    #[error("{} is in use{}: a stream has one writer; wait until it ends, or take another session", folder.display(), if holder.is_empty() { String::new() } else { format!(" by {holder}") })]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// What the other one wrote about itself.
        holder: String,
    },
    /// The folder holds no segment.
    #[error("{} holds no segments (files named 00000000.seg and so on)", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// A file that carries a segment's name but is none, or one of another kind of stream.
    #[error("{} is not a segment of {wanted}: it begins with {found:02x?}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The kind of stream that was opened.
        wanted: &'static str,
        /// Its first eight bytes.
        found: [u8; 8],
    },
    /// Written by a later version of the format.
    #[error("{} has format version {version}; this program reads up to {known}: use a newer spinward", path.display())]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The newest one known here.
        known: u32,
    },
    /// A segment between others is not there.
    #[error("segment {} is missing; the stream is whole up to record {last_sequence}", path.display())]
    MissingSegment {
        /// The file that should be there.
        path: PathBuf,
        /// Last record before the hole; 0 for none.
        last_sequence: u64,
    },
    /// Bytes that were written are not what was written.
    #[error("corrupt: segment {} at byte {offset}: {what}; the stream is whole up to record {last_sequence}", path.display())]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Offset of the damaged piece in the file.
        offset: u64,
        /// What does not fit.
        what: String,
        /// Last whole record before it; 0 for none.
        last_sequence: u64,
    },
}

impl JournalError {
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { operation, path: path.to_owned(), source }
    }
}
