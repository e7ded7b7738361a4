//! [`Stream`]: a TCP connection that never waits.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Making a connection may take so long; on a loopback or in a colocation it takes no time. It is made on a thread of its own.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received {
    Bytes(usize),
    Nothing,
    /// The connection is gone, or could not be made.
    Gone,
}

enum State {
    Closed,
    Connecting(std::thread::JoinHandle<std::io::Result<TcpStream>>),
    Open(TcpStream),
}

/// The connection and what it has yet to take.
pub(super) struct Stream {
    address: SocketAddr,
    state: State,
    waiting: Vec<u8>,
    left: usize,
}

impl Stream {
    /// Closed. At most `waiting_bytes_max` bytes wait for the socket.
    pub(super) fn new(address: SocketAddr, waiting_bytes_max: usize) -> Self {
        Self { address, state: State::Closed, waiting: Vec::with_capacity(waiting_bytes_max), left: 0 }
    }

    /// Begins to connect; [`Stream::is_connected`] tells.
    pub(super) fn connect(&mut self) {
        self.close();
        let address = self.address;
        let connect = move || {
            let socket = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let thread = std::thread::Builder::new().name("spinward-connect".to_owned()).spawn(connect);
        // Without a thread it looks like a refused connection at the next look.
        self.state = thread.map_or(State::Closed, State::Connecting);
    }

    /// `Some(true)` once when the connection is made, `Some(false)` once if it cannot be.
    pub(super) fn poll_connect(&mut self) -> Option<bool> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Connecting(thread) if thread.is_finished() => {
                let made = thread.join().ok().and_then(Result::ok);
                let is_made = made.is_some();
                if let Some(socket) = made {
                    self.state = State::Open(socket);
                }
                Some(is_made)
            }
            state @ (State::Connecting(_) | State::Open(_)) => {
                self.state = state;
                None
            }
            State::Closed => None,
        }
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.waiting.clear();
        self.left = 0;
    }

    /// Sends at once what the socket takes; the rest waits. A connection that takes nothing any more is closed, and read as gone.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let has_waiting = self.left < self.waiting.len();
        let sent = if has_waiting { 0 } else { self.write(bytes) };
        let rest = bytes.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        if self.waiting.capacity() - self.waiting.len() < rest.len() {
            self.waiting.drain(..self.left);
            self.left = 0;
        }
        if self.waiting.capacity() - self.waiting.len() < rest.len() {
            return self.break_off();
        }
        self.waiting.extend_from_slice(rest);
    }

    /// The socket is left, and the next read finds that.
    fn break_off(&mut self) {
        if let State::Open(socket) = &self.state {
            // It is of no use any more; what the system says of it changes nothing.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
        self.waiting.clear();
        self.left = 0;
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let State::Open(socket) = &mut self.state else { return bytes.len() };
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match socket.write(rest) {
                Ok(count) if count > 0 => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A broken one is found by the next read.
                Ok(_) | Err(_) => break,
            }
        }
        sent
    }

    /// Sends what waits, and reads.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        if self.left < self.waiting.len() {
            let waiting = std::mem::take(&mut self.waiting);
            self.left += self.write(waiting.get(self.left..).unwrap_or_default());
            self.waiting = waiting;
            if self.left >= self.waiting.len() {
                self.waiting.clear();
                self.left = 0;
            }
        }
        let State::Open(socket) = &mut self.state else { return Received::Nothing };
        match socket.read(buffer) {
            Ok(0) => Received::Gone,
            Ok(count) => Received::Bytes(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Received::Nothing
            }
            Err(_) => Received::Gone,
        }
    }
}
