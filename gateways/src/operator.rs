//! The operator's door: a Unix-domain socket, a line a command, a line an answer.
//!
//! Enters: lines of UTF-8 from `spinward kill …` or any tool that writes to a socket. Leaves: [`Command`](spinward_engine::words::Command)s, in a bounded
//! queue that the sequencer polls and turns into frames, so that an operator's word, too, is journaled and replayed. Never: a decision (risk owns
//! the trading state), a wait on the sequencer's side.
//!
//! | line | command |
//! |---|---|
//! | `kill OWNER REASON…` | halt, latch, cancel everything; `OWNER` owns the latch |
//! | `resume OWNER` | back to normal; risk refuses it unless from the owner of the latch or from `operator` |
//! | `cancel-all OWNER` | cancel every open order |
//! | `state reduce-only\|cancel-only\|normal OWNER` | another trading state |
//! | `status` | what the session says of itself |
//!
//! The answer is `ok …` or `error: what is wrong, and how to mend it`. `resume` and `state`, which risk may refuse, are answered with what risk made of them if it comes to
//! them within a second; otherwise `ok` says that the command is on its way into the session. What became of each stands in the audit stream. A line has at most [`LINE_BYTES_MAX`] bytes, there are at most [`CONNECTIONS_MAX`] connections, and an idle one is closed after
//! [`IDLE_TIMEOUT`]. The socket file belongs to its owner alone (mode 0600). The file of a dead process is replaced, that of a live one refused; it is removed
//! when the server stops.

mod client;
mod inbox;
mod line;
mod server;
#[cfg(test)]
mod tests;

pub use client::{SendError, send};
pub use inbox::{OperatorInbox, OperatorSender, Outcomes, SessionView, operator_queue};
pub use line::{LINE_BYTES_MAX, LineError};
pub use server::{CONNECTIONS_MAX, IDLE_TIMEOUT, OperatorError, OperatorServer, serve};
pub(crate) use server::{SocketFile, bind_std};
