//! The other end of the socket, for the command line.

use super::line::LINE_BYTES_MAX;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nobody listens.
    #[error("no session listens at {}: {source}; is it running, and with this socket?", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The talk broke off.
    #[error("the session at {} did not answer: {source}; look whether it hangs", path.display())]
    Talk {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The line cannot be sent.
    #[error("a command is one line of at most {LINE_BYTES_MAX} bytes")]
    BadLine,
    /// The session refused it; its own words.
    #[error("{0}")]
    Refused(String),
}

/// Sends one command line and waits for its answer, at most 5 s. Gives what follows `ok`.
///
/// # Errors
/// [`SendError`]; the command may have been taken if the answer alone was lost ([`SendError::Talk`]).
pub fn send(path: &Path, line: &str) -> Result<String, SendError> {
    if line.len() > LINE_BYTES_MAX || line.contains(['\n', '\r']) {
        return Err(SendError::BadLine);
    }
    let connect = |source| SendError::Connect { path: path.to_owned(), source };
    let talk = |source| SendError::Talk { path: path.to_owned(), source };
    let mut stream = UnixStream::connect(path).map_err(connect)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(talk)?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).map_err(talk)?;
    // A server that turns us away may have closed its end already; its answer is still there to be read.
    let written = stream.write_all(format!("{line}\n").as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer);
    if answer.is_empty() {
        written.map_err(talk)?;
        read.map_err(talk)?;
    }
    let answer = answer.lines().next().unwrap_or_default();
    match answer.strip_prefix("ok") {
        Some(rest) => Ok(rest.trim().to_owned()),
        None if answer.is_empty() => {
            Err(talk(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed without an answer")))
        }
        None => Err(SendError::Refused(answer.strip_prefix("error: ").unwrap_or(answer).to_owned())),
    }
}
