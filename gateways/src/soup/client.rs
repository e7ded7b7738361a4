//! [`ClientSession`]: the client's side of a session, over as many connections as it takes.
//!
//! Exactly once: a sequenced message is given out once and in order, over reconnects too, since each login asks for the first that was not
//! given out. What the server cannot give any more is told as [`ClientAction::Missed`]; what it gives again is dropped and counted.

mod state;

use super::backoff::{Backoff, BackoffConfig};
use super::field::{Alpha, Numeric};
use super::packet::{HEADER_BYTES, LoginRequest, PAYLOAD_BYTES_MAX, Packet, PacketError, RejectReason};
use super::stream::PacketStream;
use super::{HEARTBEAT_AFTER, SILENCE_MAX};
use spinward_engine::words::Nanos;
use state::Core;

/// How a client logs in and how long it waits for what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientConfig {
    /// User name.
    pub user: Alpha<6>,
    /// Password.
    pub password: Alpha<10>,
    /// The session of the first login; blank: whichever runs. Later logins name the one that was joined.
    pub session: Alpha<10>,
    /// The first message wanted, from 1. After a restart: the first that is not in the journal.
    pub next_sequence: u64,
    /// A connection that is not made by then failed. Default 5 s.
    pub connect_within: Nanos,
    /// A login without an answer by then failed. Default 5 s.
    pub login_within: Nanos,
    /// Heartbeat after so much silence of ours. Default 1 s.
    pub heartbeat_after: Nanos,
    /// The server is gone after so much silence of its. Default 15 s.
    pub silence_max: Nanos,
    /// After a logout the server has so long to close. Default 2 s.
    pub logout_within: Nanos,
    /// Told to the server at login (4.10): our silence that it should bear, whole milliseconds below 100 s. Default: not told (3.00).
    pub told_silence_max: Option<Nanos>,
    /// A connection that was live for so long counts as a success for the back-off. Default 10 s.
    pub stable_after: Nanos,
    /// Waits between attempts.
    pub backoff: BackoffConfig,
    /// Longest payload, both ways. Default 1,024.
    pub payload_bytes_max: usize,
}

impl ClientConfig {
    /// With default times, from the first message of whichever session runs.
    pub fn new(user: Alpha<6>, password: Alpha<10>) -> Self {
        Self {
            user,
            password,
            session: Alpha::BLANK,
            next_sequence: 1,
            connect_within: Nanos::from_secs(5),
            login_within: Nanos::from_secs(5),
            heartbeat_after: HEARTBEAT_AFTER,
            silence_max: SILENCE_MAX,
            logout_within: Nanos::from_secs(2),
            told_silence_max: None,
            stable_after: Nanos::from_secs(10),
            backoff: BackoffConfig::default(),
            payload_bytes_max: 1_024,
        }
    }
}

/// Where a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientState {
    /// Not started.
    Idle,
    /// A connection was asked for.
    Connecting,
    /// The login is sent.
    LoggingIn,
    /// Messages flow.
    Live,
    /// The logout is sent; the server closes.
    LoggingOut,
    /// Waiting for the next attempt.
    BackingOff,
    /// Over; nothing but [`ClientSession::start`] leads out.
    Ended,
}

/// Why a connection is down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DownReason {
    /// It could not be made.
    #[error("the connection was refused or lost before it was made")]
    NotConnected,
    /// It was not made in time.
    #[error("no connection in time")]
    ConnectTimedOut,
    /// The login had no answer in time.
    #[error("no answer to the login in time")]
    LoginTimedOut,
    /// Nothing came for too long, not even a heartbeat.
    #[error("the server was silent for too long")]
    Silent,
    /// The other side closed it, or the network did.
    #[error("the connection was lost")]
    Lost,
    /// What came is no packet.
    #[error("the server sent what is no packet: {0}")]
    NoPacket(PacketError),
    /// A packet that has no place here, by its type letter.
    #[error("the server sent packet {} out of place", char::from(*.0).escape_default())]
    OutOfPlace(u8),
    /// The login was accepted with a sequence that is no number.
    #[error("the server accepted the login with a sequence that is no number")]
    NoSequence,
}

/// Why a session is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EndReason {
    /// We logged out.
    #[error("logged out")]
    LoggedOut,
    /// The server says that there will be no more messages.
    #[error("the server ended the session")]
    EndOfSession,
    /// The login was rejected. Trying again would be the same, and may lock the account.
    #[error("login rejected: {0}")]
    Rejected(RejectReason),
    /// As many attempts as allowed failed; the last for this reason.
    #[error("{attempts} attempts failed, the last: {last}")]
    TooManyAttempts {
        /// Attempts.
        attempts: u32,
        /// Why the last one failed.
        last: DownReason,
    },
}

/// What the owner of the socket is to do, or what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientAction<'a> {
    /// Connect; answer by [`ClientSession::on_connected`] or [`ClientSession::on_disconnected`].
    Connect,
    /// Append to the stream.
    Send(&'a [u8]),
    /// Close the connection. No answer is expected; late bytes are ignored.
    Close,
    /// Logged in: the session, and the sequence of the next message.
    Live {
        /// The session joined.
        session: Alpha<10>,
        /// Of the next message.
        next_sequence: u64,
    },
    /// Another session than before runs: its messages have nothing to do with those before. It begins with [`ClientAction::Live`].
    NewSession {
        /// The one before.
        before: Alpha<10>,
    },
    /// Messages that the server does not have any more: `first` to `next` − 1.
    Missed {
        /// The first of them.
        first: u64,
        /// The first after them.
        next: u64,
    },
    /// A message of the stream.
    Message {
        /// Its number.
        sequence: u64,
        /// Its payload.
        bytes: &'a [u8],
    },
    /// A message outside of the stream (4.x).
    Unsequenced(&'a [u8]),
    /// Text for humans.
    Debug(&'a [u8]),
    /// The connection is down; the next attempt is at `retry_at`, asked for by [`ClientAction::Connect`].
    Down {
        /// Why.
        reason: DownReason,
        /// When the next attempt is.
        retry_at: Nanos,
    },
    /// The session is over.
    Ended(EndReason),
}

/// Why nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// Not logged in.
    #[error("not logged in")]
    NotLive,
    /// Longer than configured.
    #[error("payload of {found} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes of the payload.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

/// What a client counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClientCounters {
    /// Logins that were accepted.
    pub logins: u64,
    /// Connections that were lost or closed for a fault.
    pub downs: u64,
    /// Sequenced messages given out.
    pub messages: u64,
    /// Sequenced messages that had been given out before.
    pub duplicates: u64,
    /// Messages that the server did not have any more.
    pub missed: u64,
    /// Heartbeats received.
    pub heartbeats: u64,
    /// Payloads sent.
    pub sent: u64,
}

/// The state machine. Times given must not go back; one that does is read as no time passing.
#[derive(Debug)]
pub struct ClientSession {
    stream: PacketStream,
    core: Core,
    scratch: Box<[u8]>,
}

impl ClientSession {
    /// Before [`ClientSession::start`].
    pub fn new(config: ClientConfig) -> Self {
        let payload = config.payload_bytes_max.min(PAYLOAD_BYTES_MAX);
        // A login is answered with 30 bytes and debug texts are not ours to bound: a floor for both.
        let body = (payload + 1).max(256);
        Self {
            stream: PacketStream::new(body),
            scratch: vec![0; HEADER_BYTES + payload].into_boxed_slice(),
            core: Core::new(config),
        }
    }

    /// Where it is.
    pub const fn state(&self) -> ClientState {
        self.core.state
    }

    /// The first message that was not given out.
    pub const fn next_sequence(&self) -> u64 {
        self.core.next_sequence
    }

    /// The session joined last, or the configured one before.
    pub const fn session(&self) -> Alpha<10> {
        self.core.session
    }

    /// What it counted.
    pub const fn counters(&self) -> ClientCounters {
        self.core.counters
    }

    /// When [`ClientSession::on_time`] has something to do; `None`: not before something else happens.
    pub fn wake_at(&self) -> Option<Nanos> {
        self.core.wake_at()
    }

    /// Begins, or begins anew after the end: asks for a connection. Nothing if it is under way.
    pub fn start(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        self.core.start(now, out);
    }

    /// The connection asked for is there: sends the login.
    pub fn on_connected(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        self.stream.clear();
        self.core.on_connected(now, out);
    }

    /// The connection could not be made, or is gone. Nothing if we closed it ourselves.
    pub fn on_disconnected(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        self.core.on_disconnected(now, out);
    }

    /// Bytes came. Without a connection they are ignored.
    pub fn on_bytes(&mut self, now: Nanos, bytes: &[u8], out: &mut impl FnMut(ClientAction<'_>)) {
        let Self { stream, core, .. } = self;
        let mut rest = bytes;
        while core.is_reading() {
            match stream.next(rest) {
                Ok(Some((packet, after))) => {
                    rest = after;
                    core.on_packet(now, packet, out);
                }
                Ok(None) => return,
                Err(error) => core.fail(now, DownReason::NoPacket(error), out),
            }
        }
    }

    /// Time passed: heartbeats, time-outs, the next attempt.
    pub fn on_time(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        self.core.on_time(now, out);
    }

    /// Sends a payload, unsequenced: it may be lost with the connection, and only an answer in the stream says that it was not.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent.
    pub fn send(
        &mut self,
        now: Nanos,
        payload: &[u8],
        out: &mut impl FnMut(ClientAction<'_>),
    ) -> Result<(), SendError> {
        if self.core.state != ClientState::Live {
            return Err(SendError::NotLive);
        }
        let bytes = Packet::Unsequenced(payload).encode(&mut self.scratch);
        let Some(packet) = self.scratch.get(..bytes).filter(|packet| !packet.is_empty()) else {
            return Err(SendError::TooLong {
                found: payload.len(),
                limit: self.scratch.len() - HEADER_BYTES,
            });
        };
        self.core.sent(now);
        out(ClientAction::Send(packet));
        Ok(())
    }

    /// Ends the session in an orderly way: the server closes the connection, or we do after a while. From any state but `Live` at once.
    pub fn logout(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        self.core.logout(now, out);
    }
}

#[cfg(test)]
mod tests;
