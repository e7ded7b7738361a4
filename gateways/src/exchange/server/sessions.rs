//! The TCP side: orders, snapshots and replay over SoupBinTCP, on sockets that never wait.

use super::config::{CONNECTIONS_MAX, ExchangeConfig, ExchangeError};
use super::faults::FaultCounters;
use super::stamps::Stamps;
use super::state::WireCounters;
use super::venue::ExchangeCore;
use crate::changes;
use crate::soup::{
    Alpha, CloseReason, Login, LoginCheck, MessageStore, Packet, SequencedStore, ServerAction, ServerConfig,
    ServerSession, ServerState,
};
use spinward_engine::words::{Nanos, Ticks};
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Bytes that wait for a socket at most, with one message above.
const WAITING_BYTES_MAX: usize = 128 << 10;
/// Bytes read from one connection in one turn.
const READ_BYTES: usize = 32 << 10;
/// Connections taken in one turn.
const ACCEPTS_MAX: usize = 16;
/// A closed connection has so long to take the last bytes.
const LINGER: Nanos = Nanos::from_secs(1);

/// What a port is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Port {
    Orders = 0,
    Snapshot = 1,
    Replay = 2,
}

const PORTS: [Port; 3] = [Port::Orders, Port::Snapshot, Port::Replay];

/// One connection.
struct Connection {
    socket: TcpStream,
    port: Port,
    session: ServerSession,
    account: Option<usize>,
    snapshot: Option<SequencedStore>,
    /// Nothing of the snapshot leaves before.
    snapshot_from: Nanos,
    /// The one question that a snapshot's connection has was asked.
    has_asked: bool,
    waiting: Vec<u8>,
    /// Bytes of `waiting` that have left.
    left: usize,
    /// The last time that bytes left, or none waited.
    moved_at: Nanos,
    closing: Option<(CloseReason, Nanos)>,
    /// All has left and the other end was told; what still comes is read and dropped, or its loss would take our last bytes with it.
    is_shut: bool,
    is_gone: bool,
}

/// All connections.
pub(super) struct Sessions {
    listeners: [Option<TcpListener>; 3],
    addresses: [SocketAddr; 3],
    connections: Vec<Connection>,
    /// By account: nothing is read or written until then.
    frozen: Vec<Nanos>,
    /// Snapshots begin to leave so long after their login.
    snapshot_delay: Nanos,
    soup: ServerConfig,
    stalled_max: Nanos,
    empty: SequencedStore,
    buffer: Box<[u8]>,
    /// Messages of accounts in the bytes just read: each with its length before it.
    orders: Vec<u8>,
    is_ending: bool,
}

/// Gives a login its stream: an account's messages, the market data, or nothing yet.
struct Lobby<'a> {
    core: &'a ExchangeCore,
    empty: &'a SequencedStore,
    port: Port,
    account: Cell<Option<usize>>,
}

impl Lobby<'_> {
    fn orders(&self) -> &SequencedStore {
        self.account.get().and_then(|account| self.core.messages(account)).unwrap_or(self.empty)
    }
}

impl LoginCheck for Lobby<'_> {
    fn is_authorized(&self, login: &Login) -> bool {
        self.account.set(self.core.account_of(login));
        self.account.get().is_some()
    }
}

impl MessageStore for Lobby<'_> {
    fn session(&self) -> &Alpha<10> {
        self.core.session()
    }

    fn message(&self, sequence: u64) -> Option<&[u8]> {
        match self.port {
            Port::Orders => self.orders().message(sequence),
            Port::Snapshot => None,
            Port::Replay => self.core.history().message(sequence),
        }
    }

    fn first_sequence(&self) -> u64 {
        match self.port {
            Port::Orders | Port::Snapshot => 1,
            Port::Replay => self.core.history().first_sequence(),
        }
    }

    fn next_sequence(&self) -> u64 {
        match self.port {
            Port::Orders => self.orders().next_sequence(),
            Port::Snapshot => 1,
            Port::Replay => self.core.history().next_sequence(),
        }
    }
}

impl Sessions {
    pub(super) fn new(config: &ExchangeConfig) -> Result<Self, ExchangeError> {
        let mut sessions = Self {
            listeners: [None, None, None],
            addresses: [config.orders, config.snapshot, config.replay],
            connections: Vec::new(),
            frozen: vec![Nanos::ZERO; config.core.accounts.len()],
            snapshot_delay: Nanos::ZERO,
            soup: config.soup.clone(),
            stalled_max: config.stalled_max,
            empty: SequencedStore::new(config.core.session, 0, 0),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            orders: Vec::new(),
            is_ending: false,
        };
        sessions.listen()?;
        Ok(sessions)
    }

    /// Listens at every address; at the ports chosen before, if it did.
    pub(super) fn listen(&mut self) -> Result<(), ExchangeError> {
        for (listener, address) in self.listeners.iter_mut().zip(&mut self.addresses) {
            if listener.is_some() {
                continue;
            }
            let fail =
                |source| ExchangeError::Socket { what: "listen at", address: address.to_string(), source };
            let bound = TcpListener::bind(*address).map_err(fail)?;
            bound.set_nonblocking(true).map_err(fail)?;
            *address = bound.local_addr().map_err(fail)?;
            *listener = Some(bound);
        }
        Ok(())
    }

    /// Closes everything, at once and without a word.
    pub(super) fn shut(&mut self) {
        self.listeners = [None, None, None];
        self.connections.clear();
    }

    pub(super) const fn addresses(&self) -> [SocketAddr; 3] {
        self.addresses
    }

    /// Everything that something can come from, and whether bytes wait for it.
    pub(super) fn sockets(&self, now: Nanos) -> impl Iterator<Item = (std::os::fd::BorrowedFd<'_>, bool)> {
        use std::os::fd::AsFd;
        let listeners = self.listeners.iter().flatten().map(|listener| (listener.as_fd(), false));
        let connections =
            self.connections.iter().filter(move |connection| self.frozen_until(connection) <= now);
        listeners.chain(
            connections
                .map(|connection| (connection.socket.as_fd(), connection.left < connection.waiting.len())),
        )
    }

    pub(super) fn is_connected(&self, account: usize) -> bool {
        self.connections.iter().any(|connection| {
            connection.port == Port::Orders
                && connection.account == Some(account)
                && connection.session.state() == ServerState::Live
        })
    }

    /// Connections by port, the bytes that wait for all of them, and the messages to accounts that have yet to become bytes.
    pub(super) fn lengths(&self, core: &ExchangeCore) -> ([u64; 3], u64, u64) {
        let of = |port| self.connections.iter().filter(|connection| connection.port == port).count() as u64;
        let waiting = self.connections.iter().map(|connection| connection.waiting.len() - connection.left);
        let behind = |connection: &Connection| {
            let store = connection.account.filter(|_| connection.port == Port::Orders);
            let next =
                store.and_then(|account| core.messages(account)).map_or(0, |store| store.next_sequence());
            next.saturating_sub(connection.session.next_sequence())
        };
        (PORTS.map(of), waiting.sum::<usize>() as u64, self.connections.iter().map(behind).sum())
    }

    fn frozen_until(&self, connection: &Connection) -> Nanos {
        let account = connection.account.filter(|_| connection.port == Port::Orders);
        account.and_then(|account| self.frozen.get(account)).copied().unwrap_or(Nanos::ZERO)
    }

    pub(super) fn freeze(&mut self, account: usize, until: Nanos) {
        if let Some(frozen) = self.frozen.get_mut(account) {
            *frozen = until;
        }
    }

    /// From now on snapshots are late by so much.
    pub(super) const fn delay_snapshots(&mut self, delay: Nanos) {
        self.snapshot_delay = delay;
    }

    /// Cuts the order connections of an account; gives whether there was one.
    pub(super) fn cut(&mut self, account: usize) -> bool {
        let of_account = |connection: &&mut Connection| {
            connection.port == Port::Orders && connection.account == Some(account) && !connection.is_gone
        };
        let mut any = false;
        for connection in self.connections.iter_mut().filter(of_account) {
            connection.is_gone = true;
            any = true;
        }
        any
    }

    /// The day is over: every connection gets the rest, then the end.
    pub(super) fn end(&mut self, now: Nanos) {
        self.is_ending = true;
        for connection in &mut self.connections {
            connection.end(now);
        }
    }

    /// When something is to be done though no socket says so.
    pub(super) fn wake_at(&self) -> Nanos {
        let wake = |connection: &Connection| {
            if let Some((_, at)) = connection.closing {
                return at.after(LINGER);
            }
            let session = connection.session.wake_at().unwrap_or(Nanos::MAX);
            let stalled = match connection.left < connection.waiting.len() {
                true => connection.moved_at.after(self.stalled_max),
                false => Nanos::MAX,
            };
            let snapshot =
                match connection.snapshot_from > connection.moved_at && connection.snapshot.is_some() {
                    true => connection.snapshot_from,
                    false => Nanos::MAX,
                };
            session.min(stalled).min(snapshot).max(self.frozen_until(connection))
        };
        self.connections.iter().map(wake).min().unwrap_or(Nanos::MAX)
    }

    /// One turn over all sockets; gives how much was done.
    pub(super) fn turn(
        &mut self,
        now: Nanos,
        core: &mut ExchangeCore,
        stamps: &mut Stamps,
        wire: &mut WireCounters,
        faults: &mut FaultCounters,
    ) -> usize {
        let mut work = self.accept(now, wire);
        for index in 0..self.connections.len() {
            work += self.receive(index, now, core, stamps, wire, faults);
        }
        for index in 0..self.connections.len() {
            work += self.send(index, now, core, wire);
        }
        let mut at = 0;
        while let Some(connection) = self.connections.get(at) {
            if !connection.is_gone {
                at += 1;
                continue;
            }
            let connection = self.connections.swap_remove(at);
            if connection.port == Port::Orders
                && let Some(account) = connection.account
                && !self.is_connected(account)
            {
                core.on_disconnected(now, account);
                work += 1;
            }
        }
        work
    }

    fn accept(&mut self, now: Nanos, wire: &mut WireCounters) -> usize {
        let mut work = 0;
        for (listener, port) in self.listeners.iter().zip(PORTS) {
            let Some(listener) = listener else { continue };
            for _ in 0..ACCEPTS_MAX {
                // Anything but a connection (none there, no file descriptors left): later again.
                let Ok((socket, _)) = listener.accept() else { break };
                work += 1;
                let count = self.connections.iter().filter(|connection| connection.port == port).count();
                let is_ready = socket.set_nonblocking(true).and_then(|()| socket.set_nodelay(true)).is_ok();
                if count >= CONNECTIONS_MAX || !is_ready || self.is_ending {
                    wire.connections_refused += 1;
                    continue;
                }
                wire.connections += 1;
                self.connections.push(Connection {
                    socket,
                    port,
                    session: ServerSession::new(self.soup.clone(), now),
                    account: None,
                    snapshot: None,
                    snapshot_from: now,
                    has_asked: false,
                    waiting: Vec::new(),
                    left: 0,
                    moved_at: now,
                    closing: None,
                    is_shut: false,
                    is_gone: false,
                });
            }
        }
        work
    }

    /// Reads what a connection has for us and carries it out.
    fn receive(
        &mut self,
        index: usize,
        now: Nanos,
        core: &mut ExchangeCore,
        stamps: &mut Stamps,
        wire: &mut WireCounters,
        faults: &mut FaultCounters,
    ) -> usize {
        let Some(connection) = self.connections.get(index) else { return 0 };
        if connection.is_gone || self.frozen_until(connection) > now {
            return 0;
        }
        let Some(connection) = self.connections.get_mut(index) else { return 0 };
        let length = match connection.socket.read(&mut self.buffer) {
            Ok(0) => {
                connection.is_gone = true;
                return 1;
            }
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return 0,
            Err(_) => {
                connection.is_gone = true;
                return 1;
            }
        };
        if connection.closing.is_some() {
            return 1;
        }
        let arrived_at = stamps.clock.ticks();
        let bytes = self.buffer.get(..length).unwrap_or_default();
        let port = connection.port;
        let lobby = Lobby { core, empty: &self.empty, port, account: Cell::new(connection.account) };
        self.orders.clear();
        let mut is_new = false;
        let Connection { session, waiting, closing, .. } = connection;
        let orders = &mut self.orders;
        session.on_bytes(now, bytes, &lobby, &lobby, &mut |action| match action {
            ServerAction::Send(bytes) => waiting.extend_from_slice(bytes),
            ServerAction::LoggedIn { .. } => is_new = true,
            ServerAction::Unsequenced(bytes) => {
                // A payload is below 2^16 bytes.
                orders.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
                orders.extend_from_slice(bytes);
            }
            ServerAction::Debug(_) => {}
            ServerAction::Close(reason) => *closing = Some((reason, now)),
        });
        if let Some((reason, _)) = &connection.closing {
            match reason {
                CloseReason::Rejected(_) => wire.logins_refused += 1,
                CloseReason::LoggedOut | CloseReason::EndOfSession => {}
                CloseReason::NoLogin
                | CloseReason::Silent
                | CloseReason::NoPacket(_)
                | CloseReason::OutOfPlace(_)
                | CloseReason::Forgotten(_)
                | CloseReason::Oversized(_) => wire.closed += 1,
            }
        }
        let account = lobby.account.get();
        if is_new {
            connection.account = account;
            self.on_login(index, now, core, wire);
        }
        if let (Port::Orders, Some(account)) = (port, account) {
            self.carry_out(index, account, now, arrived_at, core, stamps, faults);
        }
        if port == Port::Snapshot {
            self.tell_changes(index, core, wire);
        }
        1
    }

    /// Answers the question of a snapshot's connection, once.
    fn tell_changes(&mut self, index: usize, core: &ExchangeCore, wire: &mut WireCounters) {
        let Some(connection) = self.connections.get_mut(index) else { return };
        let first = self.orders.get(2..).and_then(|bytes| bytes.get(..changes::QUESTION_BYTES));
        let Some((first, next)) = first.and_then(changes::asked).filter(|_| !connection.has_asked) else {
            return;
        };
        connection.has_asked = true;
        wire.changes_told += 1;
        let Connection { waiting, .. } = connection;
        changes::answer(first, next, core.history().changed(first, next).as_ref(), &mut |payload| {
            let mut packet = [0; 1_024];
            let length = Packet::Unsequenced(payload).encode(&mut packet);
            waiting.extend_from_slice(packet.get(..length).unwrap_or_default());
        });
    }

    fn on_login(&mut self, index: usize, now: Nanos, core: &mut ExchangeCore, wire: &mut WireCounters) {
        wire.logins += 1;
        let Some(connection) = self.connections.get_mut(index) else { return };
        let account = connection.account;
        match connection.port {
            Port::Orders => {
                // One connection an account: a client that comes again knows better than we that the other one is dead.
                for (other, connection) in self.connections.iter_mut().enumerate() {
                    if other != index && connection.port == Port::Orders && connection.account == account {
                        connection.is_gone = true;
                        connection.account = None;
                    }
                }
            }
            Port::Snapshot => {
                wire.snapshots += 1;
                connection.snapshot = Some(core.snapshot(now));
                connection.snapshot_from = now.after(self.snapshot_delay);
            }
            Port::Replay => {}
        }
        if self.is_ending
            && let Some(connection) = self.connections.get_mut(index)
        {
            connection.end(now);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a turn, cut out for its length")]
    fn carry_out(
        &mut self,
        index: usize,
        account: usize,
        now: Nanos,
        arrived_at: Ticks,
        core: &mut ExchangeCore,
        stamps: &mut Stamps,
        faults: &mut FaultCounters,
    ) {
        let mut rest = &self.orders[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let Some((bytes, after)) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
            else {
                break;
            };
            rest = after;
            stamps.on_order(arrived_at, bytes, core.history());
            core.on_order(now, account, bytes);
            let is_order = matches!(bytes.first(), Some(b'O' | b'U'));
            let lose = core.accounts.get_mut(account).map(|account| &mut account.faults.lose_ack);
            if let Some(lose) = lose.filter(|lose| is_order && **lose > 0) {
                *lose -= 1;
                faults.acks_lost += 1;
                if let Some(connection) = self.connections.get_mut(index) {
                    connection.is_gone = true;
                }
                // What came behind the order is lost with the connection.
                break;
            }
        }
    }

    /// Writes what waits, time-outs, and the end of connections.
    fn send(&mut self, index: usize, now: Nanos, core: &ExchangeCore, wire: &mut WireCounters) -> usize {
        let Some(connection) = self.connections.get(index) else { return 0 };
        if connection.is_gone || self.frozen_until(connection) > now {
            return 0;
        }
        let Some(connection) = self.connections.get_mut(index) else { return 0 };
        let before = connection.waiting.len();
        if connection.closing.is_none() {
            let lobby = Lobby {
                core,
                empty: &self.empty,
                port: connection.port,
                account: Cell::new(connection.account),
            };
            connection.fill(now, &lobby, core);
            match &connection.closing {
                Some((CloseReason::Forgotten(_), _)) => wire.slow_dropped += 1,
                Some((CloseReason::EndOfSession, _)) | None => {}
                Some(_) => wire.closed += 1,
            }
        }
        let grown = usize::from(connection.waiting.len() > before);
        let moved = connection.write(now);
        if connection.left < connection.waiting.len() && now >= connection.moved_at.after(self.stalled_max) {
            wire.slow_dropped += 1;
            connection.is_gone = true;
        }
        grown + moved
    }
}

impl Connection {
    /// What its session has to say, into the bytes that wait.
    fn fill(&mut self, now: Nanos, lobby: &Lobby<'_>, core: &ExchangeCore) {
        let Self { session, waiting, closing, left, snapshot, snapshot_from, account, port, .. } = self;
        let room = WAITING_BYTES_MAX.saturating_sub(waiting.len() - *left);
        let mut out = |action: ServerAction<'_>| match action {
            ServerAction::Send(bytes) => waiting.extend_from_slice(bytes),
            ServerAction::Close(reason) => *closing = Some((reason, now)),
            ServerAction::LoggedIn { .. } | ServerAction::Unsequenced(_) | ServerAction::Debug(_) => {}
        };
        session.on_time(now, &mut out);
        match snapshot {
            Some(_) if now < *snapshot_from => {}
            Some(snapshot) => {
                session.pump(now, snapshot, room, &mut out);
                if session.next_sequence() == snapshot.next_sequence() {
                    session.end(&mut out);
                    session.pump(now, snapshot, room, &mut out);
                }
            }
            None => {
                session.pump(now, lobby, room, &mut out);
            }
        }
        let is_full =
            account.and_then(|account| core.accounts.get(account)).is_some_and(|account| account.is_full);
        if *port == Port::Orders && is_full {
            session.end(&mut out);
        }
    }

    fn end(&mut self, now: Nanos) {
        let Self { session, closing, .. } = self;
        session.end(&mut |action| {
            if let ServerAction::Close(reason) = action {
                *closing = Some((reason, now));
            }
        });
    }

    /// As much as the socket takes.
    fn write(&mut self, now: Nanos) -> usize {
        let mut moved = 0;
        while let Some(rest) = self.waiting.get(self.left..).filter(|rest| !rest.is_empty()) {
            match self.socket.write(rest) {
                Ok(length) if length > 0 => {
                    self.left += length;
                    self.moved_at = now;
                    moved = 1;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
                Ok(_) | Err(_) => {
                    self.is_gone = true;
                    return 1;
                }
            }
        }
        if self.left == self.waiting.len() {
            self.waiting.clear();
            self.left = 0;
            self.moved_at = now;
            if self.closing.is_some() && !self.is_shut {
                self.is_shut = true;
                let _ = self.socket.shutdown(std::net::Shutdown::Write);
            }
        } else if self.left >= WAITING_BYTES_MAX {
            self.waiting.drain(..self.left);
            self.left = 0;
        }
        self.is_gone |= self.closing.is_some_and(|(_, at)| now >= at.after(LINGER));
        moved
    }
}
