//! The transitions, apart from the bytes.

use super::{
    Alpha, Backoff, ClientAction, ClientConfig, ClientCounters, ClientState, DownReason, EndReason,
    LoginRequest, Nanos, Numeric, Packet,
};
use crate::soup::packet::LoginAccepted;

/// Bytes of the longest packet that is not a payload: the login of 4.10.
const CONTROL_BYTES_MAX: usize = 54;

#[derive(Debug)]
pub(super) struct Core {
    config: ClientConfig,
    backoff: Backoff,
    pub(super) state: ClientState,
    pub(super) session: Alpha<10>,
    pub(super) next_sequence: u64,
    pub(super) counters: ClientCounters,
    /// Number of the next sequenced packet on this connection; below `next_sequence` where the server gives some again.
    line_sequence: u64,
    /// Of the state's time-out; not used while live.
    deadline: Nanos,
    last_sent: Nanos,
    last_received: Nanos,
    live_since: Nanos,
}

impl Core {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self {
            backoff: Backoff::new(config.backoff),
            state: ClientState::Idle,
            session: config.session,
            next_sequence: config.next_sequence.max(1),
            counters: ClientCounters::default(),
            line_sequence: 0,
            deadline: Nanos::MAX,
            last_sent: Nanos::ZERO,
            last_received: Nanos::ZERO,
            live_since: Nanos::ZERO,
            config,
        }
    }

    /// A connection is there and its bytes mean something.
    pub(super) const fn is_reading(&self) -> bool {
        matches!(self.state, ClientState::LoggingIn | ClientState::Live | ClientState::LoggingOut)
    }

    pub(super) fn wake_at(&self) -> Option<Nanos> {
        match self.state {
            ClientState::Idle | ClientState::Ended => None,
            ClientState::Connecting
            | ClientState::LoggingIn
            | ClientState::LoggingOut
            | ClientState::BackingOff => Some(self.deadline),
            ClientState::Live => {
                let heartbeat = self.last_sent.after(self.config.heartbeat_after);
                Some(heartbeat.min(self.last_received.after(self.config.silence_max)))
            }
        }
    }

    pub(super) fn start(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        if matches!(self.state, ClientState::Idle | ClientState::Ended) {
            self.backoff.reset();
            self.connect(now, out);
        }
    }

    fn connect(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        self.state = ClientState::Connecting;
        self.deadline = now.after(self.config.connect_within);
        out(ClientAction::Connect);
    }

    pub(super) fn on_connected(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        if self.state != ClientState::Connecting {
            return;
        }
        self.state = ClientState::LoggingIn;
        self.deadline = now.after(self.config.login_within);
        let request = LoginRequest {
            user: self.config.user,
            password: self.config.password,
            session: self.session,
            // Twenty digits hold every u64.
            sequence: Numeric::new(self.next_sequence).unwrap_or_default(),
        };
        let told = self
            .config
            .told_silence_max
            .and_then(|span| Numeric::<5>::new(u64::try_from(span.get() / 1_000_000).unwrap_or(0)));
        self.control(now, Packet::LoginRequest(&request, told.as_ref()), out);
    }

    pub(super) fn on_disconnected(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        match self.state {
            ClientState::Idle | ClientState::Ended | ClientState::BackingOff => {}
            ClientState::Connecting => self.down(now, DownReason::NotConnected, out),
            ClientState::LoggingIn | ClientState::Live => self.down(now, DownReason::Lost, out),
            ClientState::LoggingOut => self.end(EndReason::LoggedOut, out),
        }
    }

    pub(super) fn on_packet(
        &mut self,
        now: Nanos,
        packet: Packet<'_>,
        out: &mut impl FnMut(ClientAction<'_>),
    ) {
        self.last_received = now;
        match (packet, self.state) {
            (Packet::Debug(text), _) => out(ClientAction::Debug(text)),
            (Packet::LoginAccepted(accepted), ClientState::LoggingIn) => self.accepted(now, accepted, out),
            (Packet::LoginRejected(reason), ClientState::LoggingIn) => {
                out(ClientAction::Close);
                self.end(EndReason::Rejected(reason), out);
            }
            (Packet::Sequenced(bytes), ClientState::Live | ClientState::LoggingOut) => {
                self.sequenced(bytes, out);
            }
            (Packet::Unsequenced(bytes), ClientState::Live | ClientState::LoggingOut) => {
                out(ClientAction::Unsequenced(bytes));
            }
            (Packet::ServerHeartbeat, _) => self.counters.heartbeats += 1,
            (Packet::EndOfSession, ClientState::Live | ClientState::LoggingOut) => {
                out(ClientAction::Close);
                self.end(EndReason::EndOfSession, out);
            }
            (
                Packet::LoginAccepted(_)
                | Packet::LoginRejected(_)
                | Packet::Sequenced(_)
                | Packet::Unsequenced(_)
                | Packet::EndOfSession
                | Packet::LoginRequest(..)
                | Packet::ClientHeartbeat
                | Packet::LogoutRequest,
                _,
            ) => self.fail(now, DownReason::OutOfPlace(packet.kind()), out),
        }
    }

    fn accepted(&mut self, now: Nanos, accepted: &LoginAccepted, out: &mut impl FnMut(ClientAction<'_>)) {
        // The next sequence is never 0.
        let Some(sequence) = accepted.sequence.get().filter(|sequence| *sequence > 0) else {
            return self.fail(now, DownReason::NoSequence, out);
        };
        let before = std::mem::replace(&mut self.session, accepted.session);
        if !before.is_blank() && !before.is_same(&accepted.session) {
            // Numbers begin anew with a session; the server chose where.
            self.next_sequence = 1;
            out(ClientAction::NewSession { before });
        }
        self.state = ClientState::Live;
        self.live_since = now;
        self.line_sequence = sequence;
        self.counters.logins += 1;
        let next_sequence = self.next_sequence.max(sequence);
        out(ClientAction::Live { session: accepted.session, next_sequence });
        if sequence > self.next_sequence {
            self.counters.missed = self.counters.missed.saturating_add(sequence - self.next_sequence);
            out(ClientAction::Missed { first: self.next_sequence, next: sequence });
            self.next_sequence = sequence;
        }
    }

    fn sequenced(&mut self, bytes: &[u8], out: &mut impl FnMut(ClientAction<'_>)) {
        let sequence = self.line_sequence;
        self.line_sequence = sequence.saturating_add(1);
        if sequence < self.next_sequence {
            self.counters.duplicates += 1;
            return;
        }
        self.next_sequence = self.line_sequence;
        self.counters.messages += 1;
        out(ClientAction::Message { sequence, bytes });
    }

    pub(super) fn on_time(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        match self.state {
            ClientState::Idle | ClientState::Ended => {}
            ClientState::BackingOff if now >= self.deadline => self.connect(now, out),
            ClientState::Connecting if now >= self.deadline => {
                self.fail(now, DownReason::ConnectTimedOut, out);
            }
            ClientState::LoggingIn if now >= self.deadline => self.fail(now, DownReason::LoginTimedOut, out),
            ClientState::LoggingOut if now >= self.deadline => {
                out(ClientAction::Close);
                self.end(EndReason::LoggedOut, out);
            }
            ClientState::BackingOff
            | ClientState::Connecting
            | ClientState::LoggingIn
            | ClientState::LoggingOut => {}
            ClientState::Live => {
                if now >= self.last_received.after(self.config.silence_max) {
                    self.fail(now, DownReason::Silent, out);
                } else if now >= self.last_sent.after(self.config.heartbeat_after) {
                    self.control(now, Packet::ClientHeartbeat, out);
                }
            }
        }
    }

    pub(super) fn logout(&mut self, now: Nanos, out: &mut impl FnMut(ClientAction<'_>)) {
        match self.state {
            ClientState::Live => {
                self.state = ClientState::LoggingOut;
                self.deadline = now.after(self.config.logout_within);
                self.control(now, Packet::LogoutRequest, out);
            }
            ClientState::Connecting | ClientState::LoggingIn => {
                out(ClientAction::Close);
                self.end(EndReason::LoggedOut, out);
            }
            ClientState::BackingOff | ClientState::Idle => self.end(EndReason::LoggedOut, out),
            ClientState::LoggingOut | ClientState::Ended => {}
        }
    }

    /// A payload goes out.
    pub(super) const fn sent(&mut self, now: Nanos) {
        self.last_sent = now;
        self.counters.sent += 1;
    }

    /// A packet of the protocol itself goes out.
    fn control(&mut self, now: Nanos, packet: Packet<'_>, out: &mut impl FnMut(ClientAction<'_>)) {
        let mut bytes = [0u8; CONTROL_BYTES_MAX];
        let length = packet.encode(&mut bytes);
        self.last_sent = now;
        out(ClientAction::Send(bytes.get(..length).unwrap_or_default()));
    }

    /// Closes the connection for a fault, and waits.
    pub(super) fn fail(&mut self, now: Nanos, reason: DownReason, out: &mut impl FnMut(ClientAction<'_>)) {
        out(ClientAction::Close);
        if self.state == ClientState::LoggingOut {
            self.end(EndReason::LoggedOut, out);
        } else {
            self.down(now, reason, out);
        }
    }

    fn down(&mut self, now: Nanos, reason: DownReason, out: &mut impl FnMut(ClientAction<'_>)) {
        if self.state == ClientState::Live && now.since(self.live_since) >= self.config.stable_after {
            self.backoff.reset();
        }
        self.counters.downs += 1;
        match self.backoff.failed() {
            Some(wait) => {
                self.state = ClientState::BackingOff;
                self.deadline = now.after(wait);
                out(ClientAction::Down { reason, retry_at: self.deadline });
            }
            None => {
                let attempts = self.backoff.failures();
                self.end(EndReason::TooManyAttempts { attempts, last: reason }, out);
            }
        }
    }

    fn end(&mut self, reason: EndReason, out: &mut impl FnMut(ClientAction<'_>)) {
        self.state = ClientState::Ended;
        out(ClientAction::Ended(reason));
    }
}
