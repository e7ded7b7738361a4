//! [`Snapshots`]: the market as it is, fetched in the manner of GLIMPSE over SoupBinTCP.

use super::stream::{Received, Stream};
use crate::changes::{self, Answer, Locates};
use crate::exchange::server::snapshot_end;
use crate::soup::{ClientAction, ClientConfig, ClientSession};
use spinward_engine::words::Nanos;
use std::net::SocketAddr;

/// Bytes of one snapshot; a longer one is not taken, and asked for again.
const SNAPSHOT_BYTES_MAX: usize = 64 << 20;

/// A snapshot that is not whole by then is asked for again.
const WITHIN: Nanos = Nanos::from_secs(10);

/// From one attempt to the next, if it failed.
const AGAIN_AFTER: Nanos = Nanos::from_millis(100);

/// One at a time.
pub(super) struct Snapshots {
    stream: Stream,
    config: ClientConfig,
    session: Option<ClientSession>,
    /// Messages, each with its length before it, in two bytes.
    bytes: Vec<u8>,
    next: Option<u64>,
    /// Where the reading of a whole one stands.
    at: usize,
    begun: Nanos,
    again: Nanos,
    taken: u64,
    /// The lost messages that the server is asked about.
    lost: Option<(u64, u64)>,
    changed: Locates,
    is_answered: bool,
}

impl Snapshots {
    pub(super) fn new(address: SocketAddr, config: ClientConfig) -> Self {
        Self {
            stream: Stream::new(address, 4_096),
            config,
            session: None,
            bytes: Vec::with_capacity(1 << 20),
            next: None,
            at: 0,
            begun: Nanos::ZERO,
            again: Nanos::ZERO,
            taken: 0,
            lost: None,
            changed: Locates::new(),
            is_answered: false,
        }
    }

    /// From now on the next snapshot is for the loss of messages `first` to `next` − 1: the server is asked which symbols they were about.
    pub(super) fn ask_about(&mut self, now: Nanos, first: u64, next: u64) {
        self.drop_it(now);
        self.again = Nanos::ZERO;
        self.lost = Some((first, next));
        self.changed.clear();
        self.is_answered = false;
    }

    /// The symbols that these messages were about, once the server has said it.
    pub(super) fn changed(&self) -> Option<&Locates> {
        self.is_answered.then_some(&self.changed)
    }

    /// Snapshots that were whole.
    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Goes on with one that must say what was before message `least`. The number that the stream goes on with, once it is whole.
    pub(super) fn poll(&mut self, now: Nanos, least: u64, buffer: &mut [u8]) -> Option<u64> {
        if let Some(next) = self.next {
            if next >= least {
                return Some(next);
            }
            // It is from before the loss.
            self.drop_it(now);
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None if now < self.again => return None,
            None => {
                self.begun = now;
                ClientSession::new(self.config.clone())
            }
        };
        let mut is_over = now >= self.begun.after(WITHIN);
        let Self { stream, bytes, next, lost, changed, is_answered, .. } = self;
        let question = lost.filter(|_| !*is_answered);
        let mut is_live = false;
        let mut take = |action: ClientAction<'_>, stream: &mut Stream| match action {
            ClientAction::Connect => stream.connect(),
            ClientAction::Send(bytes) => stream.send(bytes),
            ClientAction::Message { bytes: message, .. } => match snapshot_end(message) {
                Some(end) => *next = Some(end),
                None if bytes.len() + 2 + message.len() <= SNAPSHOT_BYTES_MAX => {
                    bytes.extend((message.len() as u16).to_be_bytes()); // at most 1,024 by the session
                    bytes.extend(message);
                }
                None => is_over = true,
            },
            ClientAction::Down { .. } | ClientAction::Ended(_) => is_over = true,
            ClientAction::Live { .. } => is_live = true,
            ClientAction::Unsequenced(bytes) => {
                if let Some((first, next)) = question {
                    // A server that cannot say it leaves all symbols to the snapshot, as one does that knows no such question.
                    *is_answered |= changes::answered(bytes, first, next, changed) == Some(Answer::Last);
                }
            }
            ClientAction::Close
            | ClientAction::NewSession { .. }
            | ClientAction::Missed { .. }
            | ClientAction::Debug(_) => {}
        };
        session.start(now, &mut |action| take(action, stream));
        match stream.poll_connect() {
            Some(true) => session.on_connected(now, &mut |action| take(action, stream)),
            Some(false) => session.on_disconnected(now, &mut |action| take(action, stream)),
            None => {}
        }
        match stream.receive(buffer) {
            Received::Bytes(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                session.on_bytes(now, bytes, &mut |action| take(action, stream));
            }
            Received::Gone => session.on_disconnected(now, &mut |action| take(action, stream)),
            Received::Nothing => session.on_time(now, &mut |action| take(action, stream)),
        }
        if let Some((first, next)) = question.filter(|_| is_live) {
            // It fits, and one that is lost with its connection is asked again.
            let _ = session.send(now, &changes::question(first, next), &mut |action| {
                if let ClientAction::Send(bytes) = action {
                    stream.send(bytes);
                }
            });
        }
        if let Some(next) = self.next {
            self.stream.close();
            self.at = 0;
            if next >= least {
                self.taken += 1;
                return Some(next);
            }
            self.drop_it(now);
        } else if is_over {
            self.drop_it(now);
        } else {
            self.session = Some(session);
        }
        None
    }

    /// It is not needed any more.
    pub(super) fn give_up(&mut self, now: Nanos) {
        self.drop_it(now);
        self.done();
    }

    fn drop_it(&mut self, now: Nanos) {
        self.stream.close();
        self.session = None;
        self.bytes.clear();
        (self.next, self.at) = (None, 0);
        self.again = now.after(AGAIN_AFTER);
    }

    /// The next message of a whole one; `None` behind the last.
    pub(super) fn message(&self) -> Option<&[u8]> {
        let (length, rest) = self.bytes.get(self.at..)?.split_first_chunk::<2>()?;
        rest.get(..usize::from(u16::from_be_bytes(*length)))
    }

    /// Goes on to the message after it.
    pub(super) fn advance(&mut self) {
        let length = self.message().map_or(0, |message| 2 + message.len());
        self.at += length;
    }

    /// It is read.
    pub(super) fn done(&mut self) {
        self.bytes.clear();
        (self.next, self.at) = (None, 0);
        self.again = Nanos::ZERO;
        self.lost = None;
        self.is_answered = false;
    }
}

#[cfg(test)]
mod tests;
