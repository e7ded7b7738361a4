//! The control socket: lines in, answers out, as the operator's socket of a session has it.

use super::config::ExchangeError;
use super::control::ControlError;
use crate::operator::{CONNECTIONS_MAX, IDLE_TIMEOUT, LINE_BYTES_MAX, SocketFile, bind_std};
use spinward_engine::words::Nanos;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// A listener and its connections, none of which is waited for.
pub(super) struct Console {
    listener: UnixListener,
    _file: SocketFile,
    talks: Vec<Talk>,
}

struct Talk {
    socket: UnixStream,
    line: Vec<u8>,
    heard_at: Nanos,
    is_over: bool,
}

/// A line that came; to be answered by [`Console::answer`].
pub(super) struct Question {
    talk: usize,
    pub(super) line: Result<String, String>,
}

impl Console {
    pub(super) fn bind(path: &Path) -> Result<Self, ExchangeError> {
        let (listener, file) = bind_std(path)?;
        Ok(Self { listener, _file: file, talks: Vec::new() })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.listener.as_fd()].into_iter().chain(self.talks.iter().map(|talk| talk.socket.as_fd()))
    }

    pub(super) fn wake_at(&self) -> Nanos {
        let idle = Nanos::new(IDLE_TIMEOUT.as_nanos() as i64);
        self.talks.iter().map(|talk| talk.heard_at.after(idle)).min().unwrap_or(Nanos::MAX)
    }

    /// Takes connections and reads from them; gives one line, if there is one.
    pub(super) fn turn(&mut self, now: Nanos) -> Option<Question> {
        let idle = Nanos::new(IDLE_TIMEOUT.as_nanos() as i64);
        self.talks.retain(|talk| !talk.is_over && now < talk.heard_at.after(idle));
        while self.talks.len() < CONNECTIONS_MAX
            && let Ok((socket, _)) = self.listener.accept()
        {
            if socket.set_nonblocking(true).is_ok() {
                self.talks.push(Talk { socket, line: Vec::new(), heard_at: now, is_over: false });
            }
        }
        for (index, talk) in self.talks.iter_mut().enumerate() {
            if let Some(line) = talk.hear(now) {
                return Some(Question { talk: index, line });
            }
        }
        None
    }

    /// Answers what [`Console::turn`] gave last.
    pub(super) fn answer(&mut self, question: &Question, answer: &Result<String, ControlError>) {
        let Some(talk) = self.talks.get_mut(question.talk) else { return };
        let text = match (answer, &question.line) {
            (_, Err(error)) => format!("error: {error}\n"),
            (Ok(text), Ok(_)) => format!("ok {text}\n"),
            (Err(error), Ok(_)) => format!("error: {error}\n"),
        };
        // A fresh socket has room for a line; who does not read is not waited for.
        talk.is_over |= talk.socket.write_all(text.as_bytes()).is_err();
    }
}

impl Talk {
    fn hear(&mut self, now: Nanos) -> Option<Result<String, String>> {
        let mut buffer = [0; LINE_BYTES_MAX + 1];
        let mut is_ended = false;
        if !self.line.contains(&b'\n') {
            match self.socket.read(&mut buffer) {
                Ok(0) => is_ended = true,
                Ok(length) => {
                    self.heard_at = now;
                    self.line.extend_from_slice(buffer.get(..length).unwrap_or_default());
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => is_ended = true,
            }
        }
        let end = self.line.iter().position(|byte| *byte == b'\n');
        if end.is_none() && self.line.len() > LINE_BYTES_MAX {
            self.is_over = true;
            self.line.clear();
            return Some(Err(format!("a line has at most {LINE_BYTES_MAX} bytes")));
        }
        // A last line without its end is a line.
        self.is_over |= is_ended && end.is_none();
        let end = end.or((is_ended && !self.line.is_empty()).then_some(self.line.len()))?;
        let line = self.line.get(..end).map(<[u8]>::to_vec).unwrap_or_default();
        self.line.drain(..(end + 1).min(self.line.len()));
        Some(String::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned()))
    }
}
