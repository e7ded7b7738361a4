//! [`ServerSession`]: the server's side of one connection. The session's messages are in a [`MessageStore`] that outlives it; what is sent
//! is what the store has past this connection's place, so a replay and the live stream are the same thing.

use super::field::{Alpha, Numeric};
use super::packet::{
    HEADER_BYTES, LoginAccepted, LoginRequest, PAYLOAD_BYTES_MAX, Packet, PacketError, RejectReason,
};
use super::store::MessageStore;
use super::stream::PacketStream;
use super::{HEARTBEAT_AFTER, SILENCE_MAX};
use spinward_engine::words::Nanos;

/// How a server treats a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// A connection that has not logged in by then is closed. Default 30 s.
    pub login_within: Nanos,
    /// Heartbeat after so much silence of ours. Default 1 s.
    pub heartbeat_after: Nanos,
    /// The client is gone after so much silence of its, unless its login asks for another span (4.10). Default 15 s.
    pub silence_max: Nanos,
    /// Longest payload, both ways. Default 1,024.
    pub payload_bytes_max: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            login_within: Nanos::from_secs(30),
            heartbeat_after: HEARTBEAT_AFTER,
            silence_max: SILENCE_MAX,
            payload_bytes_max: 1_024,
        }
    }
}

/// Where a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerState {
    /// Connected, not logged in.
    AwaitingLogin,
    /// Messages flow.
    Live,
    /// The session is over; what the store has is still sent.
    Ending,
    /// Over.
    Closed,
}

/// Why a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CloseReason {
    /// No login in time.
    #[error("no login in time")]
    NoLogin,
    /// The login was rejected.
    #[error("login rejected: {0}")]
    Rejected(RejectReason),
    /// The client logged out.
    #[error("the client logged out")]
    LoggedOut,
    /// Nothing came for too long, not even a heartbeat.
    #[error("the client was silent for too long")]
    Silent,
    /// The session is over and everything sent.
    #[error("the session is over")]
    EndOfSession,
    /// What came is no packet.
    #[error("the client sent what is no packet: {0}")]
    NoPacket(PacketError),
    /// A packet that has no place here, by its type letter.
    #[error("the client sent packet {} out of place", char::from(*.0).escape_default())]
    OutOfPlace(u8),
    /// The client is so far behind that the store does not have its next message any more.
    #[error("the client is too far behind: message {0} is not kept any more")]
    Forgotten(u64),
    /// A message in the store is longer than a packet can be here.
    #[error("message {0} of the store is longer than a packet")]
    Oversized(u64),
}

/// What the owner of the socket is to do, or what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerAction<'a> {
    /// Append to the stream.
    Send(&'a [u8]),
    /// The login is accepted: messages from `next_sequence` on follow.
    LoggedIn {
        /// Of the next message.
        next_sequence: u64,
    },
    /// A payload of the client.
    Unsequenced(&'a [u8]),
    /// Text for humans.
    Debug(&'a [u8]),
    /// Close the connection when all that was sent before has left.
    Close(CloseReason),
}

/// What a login names, for the check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Login {
    /// User name.
    pub user: Alpha<6>,
    /// Password.
    pub password: Alpha<10>,
}

/// Says whether somebody may log in.
pub trait LoginCheck {
    /// Right user, right password.
    fn is_authorized(&self, login: &Login) -> bool;
}

impl<F: Fn(&Login) -> bool> LoginCheck for F {
    fn is_authorized(&self, login: &Login) -> bool {
        self(login)
    }
}

/// The state machine. Times given must not go back; one that does is read as no time passing.
#[derive(Debug)]
pub struct ServerSession {
    stream: PacketStream,
    core: Core,
}

#[derive(Debug)]
struct Core {
    config: ServerConfig,
    state: ServerState,
    /// The next message to send.
    next_sequence: u64,
    silence_max: Nanos,
    connected_at: Nanos,
    last_sent: Nanos,
    last_received: Nanos,
    scratch: Box<[u8]>,
}

impl ServerSession {
    /// For a connection just accepted.
    pub fn new(config: ServerConfig, now: Nanos) -> Self {
        let payload = config.payload_bytes_max.min(PAYLOAD_BYTES_MAX);
        Self {
            stream: PacketStream::new((payload + 1).max(256)),
            core: Core {
                state: ServerState::AwaitingLogin,
                next_sequence: 1,
                silence_max: config.silence_max,
                connected_at: now,
                last_sent: now,
                last_received: now,
                // The login accepted is the longest packet of ours that is no payload: 33 bytes.
                scratch: vec![0; HEADER_BYTES + payload.max(30)].into_boxed_slice(),
                config,
            },
        }
    }

    /// Where it is.
    pub const fn state(&self) -> ServerState {
        self.core.state
    }

    /// The next message it will send.
    pub const fn next_sequence(&self) -> u64 {
        self.core.next_sequence
    }

    /// When [`ServerSession::on_time`] has something to do; `None`: never.
    pub fn wake_at(&self) -> Option<Nanos> {
        let core = &self.core;
        match core.state {
            ServerState::Closed => None,
            ServerState::AwaitingLogin => Some(core.connected_at.after(core.config.login_within)),
            ServerState::Live | ServerState::Ending => {
                let heartbeat = core.last_sent.after(core.config.heartbeat_after);
                Some(heartbeat.min(core.last_received.after(core.silence_max)))
            }
        }
    }

    /// Bytes came. `store` is the one of the session that this user gets; it is looked at for the login alone.
    pub fn on_bytes(
        &mut self,
        now: Nanos,
        bytes: &[u8],
        store: &impl MessageStore,
        check: &impl LoginCheck,
        out: &mut impl FnMut(ServerAction<'_>),
    ) {
        let Self { stream, core } = self;
        let mut rest = bytes;
        while core.state != ServerState::Closed {
            match stream.next(rest) {
                Ok(Some((packet, after))) => {
                    rest = after;
                    core.on_packet(now, packet, store, check, out);
                }
                Ok(None) => return,
                Err(error) => core.close(CloseReason::NoPacket(error), out),
            }
        }
    }

    /// Sends messages that the store has and the client has not, as far as `room_bytes` goes (the place in the socket's buffer), and gives
    /// how many bytes it took. Call it when the store or the room has grown.
    pub fn pump(
        &mut self,
        now: Nanos,
        store: &impl MessageStore,
        room_bytes: usize,
        out: &mut impl FnMut(ServerAction<'_>),
    ) -> usize {
        self.core.pump(now, store, room_bytes, out)
    }

    /// Time passed: heartbeats and time-outs.
    pub fn on_time(&mut self, now: Nanos, out: &mut impl FnMut(ServerAction<'_>)) {
        let core = &mut self.core;
        match core.state {
            ServerState::Closed => {}
            ServerState::AwaitingLogin => {
                if now >= core.connected_at.after(core.config.login_within) {
                    core.close(CloseReason::NoLogin, out);
                }
            }
            ServerState::Live | ServerState::Ending => {
                if now >= core.last_received.after(core.silence_max) {
                    core.close(CloseReason::Silent, out);
                } else if now >= core.last_sent.after(core.config.heartbeat_after) {
                    core.send(now, Packet::ServerHeartbeat, out);
                }
            }
        }
    }

    /// The session is over: when [`ServerSession::pump`] has sent what the store has, End of Session follows and the connection closes.
    pub fn end(&mut self, out: &mut impl FnMut(ServerAction<'_>)) {
        match self.core.state {
            ServerState::Live => self.core.state = ServerState::Ending,
            ServerState::AwaitingLogin => self.core.close(CloseReason::EndOfSession, out),
            ServerState::Ending | ServerState::Closed => {}
        }
    }

    /// The connection is gone.
    pub const fn on_disconnected(&mut self) {
        self.core.state = ServerState::Closed;
    }
}

impl Core {
    fn on_packet(
        &mut self,
        now: Nanos,
        packet: Packet<'_>,
        store: &impl MessageStore,
        check: &impl LoginCheck,
        out: &mut impl FnMut(ServerAction<'_>),
    ) {
        self.last_received = now;
        let is_logged_in = matches!(self.state, ServerState::Live | ServerState::Ending);
        match packet {
            Packet::Debug(text) => out(ServerAction::Debug(text)),
            Packet::LoginRequest(request, silence) if !is_logged_in => {
                self.login(now, request, silence, store, check, out);
            }
            Packet::Unsequenced(bytes) if is_logged_in => out(ServerAction::Unsequenced(bytes)),
            // Some clients send heartbeats before their login is answered.
            Packet::ClientHeartbeat => {}
            Packet::LogoutRequest if is_logged_in => self.close(CloseReason::LoggedOut, out),
            Packet::LoginRequest(..)
            | Packet::Unsequenced(_)
            | Packet::LogoutRequest
            | Packet::LoginAccepted(_)
            | Packet::LoginRejected(_)
            | Packet::Sequenced(_)
            | Packet::ServerHeartbeat
            | Packet::EndOfSession => self.close(CloseReason::OutOfPlace(packet.kind()), out),
        }
    }

    fn login(
        &mut self,
        now: Nanos,
        request: &LoginRequest,
        silence: Option<&Numeric<5>>,
        store: &impl MessageStore,
        check: &impl LoginCheck,
        out: &mut impl FnMut(ServerAction<'_>),
    ) {
        let reject = if !check.is_authorized(&Login { user: request.user, password: request.password }) {
            Some(RejectReason::NotAuthorized)
        } else if !request.session.is_blank() && !request.session.is_same(store.session()) {
            Some(RejectReason::SessionNotAvailable)
        } else {
            None
        };
        let asked = if request.sequence.is_blank() { Some(0) } else { request.sequence.get() };
        let (None, Some(asked)) = (reject, asked) else {
            // A sequence that is no number names no message of any session.
            let reason = reject.unwrap_or(RejectReason::SessionNotAvailable);
            self.send(now, Packet::LoginRejected(reason), out);
            return self.close(CloseReason::Rejected(reason), out);
        };
        if let Some(millis) = silence.and_then(Numeric::get).filter(|millis| *millis > 0) {
            // Five digits.
            self.silence_max = Nanos::from_millis(millis as i64);
        }
        let next = store.next_sequence();
        // 0 asks for what is new from now on (so Nasdaq's own client has it); more than there is, for the next one.
        // A store that forgets begins with the oldest it has; the client sees by the number what it missed.
        let first = if asked == 0 { next } else { asked.clamp(store.first_sequence().min(next), next) };
        self.next_sequence = first;
        self.state = ServerState::Live;
        let accepted = LoginAccepted {
            session: *store.session(),
            // Twenty digits hold every u64.
            sequence: Numeric::new(first).unwrap_or_default(),
        };
        self.send(now, Packet::LoginAccepted(&accepted), out);
        out(ServerAction::LoggedIn { next_sequence: first });
    }

    fn pump(
        &mut self,
        now: Nanos,
        store: &impl MessageStore,
        room_bytes: usize,
        out: &mut impl FnMut(ServerAction<'_>),
    ) -> usize {
        let mut taken = 0;
        while matches!(self.state, ServerState::Live | ServerState::Ending) {
            match store.message(self.next_sequence) {
                Some(message) => {
                    if taken + HEADER_BYTES + message.len() > room_bytes {
                        break;
                    }
                    let sent = self.send(now, Packet::Sequenced(message), out);
                    if sent == 0 {
                        self.close(CloseReason::Oversized(self.next_sequence), out);
                        break;
                    }
                    taken += sent;
                    self.next_sequence += 1;
                }
                None if self.next_sequence < store.first_sequence() => {
                    self.close(CloseReason::Forgotten(self.next_sequence), out);
                }
                None => {
                    if self.state == ServerState::Ending && taken + HEADER_BYTES <= room_bytes {
                        taken += self.send(now, Packet::EndOfSession, out);
                        self.close(CloseReason::EndOfSession, out);
                    }
                    break;
                }
            }
        }
        taken
    }

    /// Gives how many bytes it sent; 0 if the packet is too long.
    fn send(&mut self, now: Nanos, packet: Packet<'_>, out: &mut impl FnMut(ServerAction<'_>)) -> usize {
        let bytes = packet.encode(&mut self.scratch);
        if let Some(packet) = self.scratch.get(..bytes).filter(|packet| !packet.is_empty()) {
            self.last_sent = now;
            out(ServerAction::Send(packet));
        }
        bytes
    }

    fn close(&mut self, reason: CloseReason, out: &mut impl FnMut(ServerAction<'_>)) {
        self.state = ServerState::Closed;
        out(ServerAction::Close(reason));
    }
}

#[cfg(test)]
mod tests;
