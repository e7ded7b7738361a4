//! [`Intake`]: the sockets of a MoldUDP64 feed to one stream of messages. One look is one system call, so whoever polls it is back at its other work at once.

use super::feed::{MoldFeedConfig, MoldFeedError};
use super::line::LineSocket;
use super::now;
use crate::feed::StreamCounters;
use crate::mold::{HEADER_BYTES, Line, Receiver, ReceiverAction, ReceiverConfig, RequestConfig};
use crate::notice::Notice;
use spinward_engine::words::Nanos;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Bytes of the largest packet that is read.
pub(super) const PACKET_BYTES_MAX: usize = 65_536;

/// Looks from one at the clock (gaps, silent lines) and at what the retransmission server says to the next: some microseconds, and what they look for takes
/// milliseconds.
const LOOKS_PER_GLANCE: u32 = 16;

/// Where messages go.
pub(super) trait Sink {
    /// Takes one. `sequence` is its number in the stream; of a notice of loss, the first that is there again; of other notices 2^64 − 1.
    fn push(&mut self, time: Nanos, sequence: u64, is_loss: bool, bytes: &[u8]);
}

/// What a look found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Look {
    Packet,
    Nothing,
}

/// The sockets, and the receiver that makes one stream of them.
pub(super) struct Intake {
    lines: [Option<LineSocket>; 2],
    requests: Option<(UdpSocket, SocketAddr)>,
    receiver: Receiver,
    buffer: Box<[u8]>,
    looks: u32,
    /// The line that is looked at next, where there are two.
    next_line: Line,
    /// The first message of the stream, once it is known.
    first: Option<u64>,
    is_ended: bool,
    failure: Option<(Line, Error)>,
    counters: Arc<StreamCounters>,
    notices: Vec<String>,
}

impl Intake {
    /// Opens the sockets, so that nothing is missed from now on.
    ///
    /// # Errors
    /// [`MoldFeedError`].
    pub(super) fn new(config: &MoldFeedConfig) -> Result<Self, MoldFeedError> {
        let mut notices = Vec::new();
        let mut open = |line: Option<_>| {
            line.map(|line| LineSocket::open(line, config.interface, &config.line, &mut notices)).transpose()
        };
        let [a, b] = config.lines;
        let lines = [open(a)?, open(b)?];
        let requests = match config.retransmission {
            Some(server) => {
                let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                let fail = |source| MoldFeedError::Socket {
                    what: "open a socket for requests to",
                    address: server,
                    source,
                };
                let socket = UdpSocket::bind(any).map_err(fail)?;
                socket.set_nonblocking(true).map_err(fail)?;
                Some((socket, server))
            }
            None => None,
        };
        let receiver = Receiver::new(ReceiverConfig {
            // What was before we came is in the snapshot; without one the whole day is wanted.
            next_sequence: config.snapshot.is_none().then_some(1),
            request: requests.is_some().then(RequestConfig::default),
            has_line_b: b.is_some(),
            confirms_start: true,
            ..ReceiverConfig::default()
        })?;
        Ok(Self {
            lines,
            requests,
            receiver,
            buffer: vec![0; PACKET_BYTES_MAX].into_boxed_slice(),
            looks: 0,
            next_line: Line::A,
            first: None,
            is_ended: false,
            failure: None,
            counters: Arc::default(),
            notices,
        })
    }

    pub(super) fn counters(&self) -> Arc<StreamCounters> {
        Arc::clone(&self.counters)
    }

    /// What the kernel does not do as asked.
    pub(super) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Where the lines are received, with the ports that the system chose.
    pub(super) fn addresses(&self) -> [Option<SocketAddr>; 2] {
        self.lines.each_ref().map(|line| line.as_ref().and_then(|line| line.socket().local_addr().ok()))
    }

    /// Whether the session is over and all of it was given.
    pub(super) const fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Why nothing can be read any more.
    pub(super) fn failure(&self) -> Option<String> {
        let (line, error) = self.failure.as_ref()?;
        Some(format!("line {line:?} of the feed cannot be read: {error}"))
    }

    /// The first message of the stream, if one has come; else it is to be this one.
    pub(super) fn begin_at(&mut self, time: Nanos, sequence: u64, out: &mut impl Sink) -> u64 {
        if let Some(first) = self.first {
            return first;
        }
        let Self { receiver, requests, is_ended, .. } = self;
        receiver
            .resume_at(time, sequence, &mut |action| take(&action, time, out, requests.as_ref(), is_ended));
        *self.first.insert(sequence)
    }

    /// Looks at one socket, at each in its turn.
    pub(super) fn look(&mut self, out: &mut impl Sink) -> Look {
        self.looks = self.looks.wrapping_add(1);
        if self.looks.is_multiple_of(LOOKS_PER_GLANCE) {
            let time = now();
            let Self { receiver, requests, is_ended, .. } = self;
            receiver.on_time(time, &mut |action| take(&action, time, out, requests.as_ref(), is_ended));
            self.show();
            if self.requests.is_some() {
                return self.receive_answer(out);
            }
        }
        let line = match &self.lines {
            [Some(_), Some(_)] => {
                let other = if self.next_line == Line::A { Line::B } else { Line::A };
                std::mem::replace(&mut self.next_line, other)
            }
            [Some(_), None] | [None, None] => Line::A,
            [None, Some(_)] => Line::B,
        };
        self.receive_line(line, out)
    }

    /// Counters as they are.
    pub(super) fn show(&self) {
        self.counters.show(self.receiver.counters());
        for (gauge, line) in self.counters.kernel_drops.iter().zip(&self.lines) {
            let drops = line.as_ref().map_or(0, LineSocket::drops);
            gauge.set(i64::try_from(drops).unwrap_or(i64::MAX));
        }
    }

    fn receive_line(&mut self, line: Line, out: &mut impl Sink) -> Look {
        let Some(socket) = self.lines.get_mut(line as usize).and_then(Option::as_mut) else {
            return Look::Nothing;
        };
        match socket.receive(&mut self.buffer) {
            Ok(datagram) => {
                let time = now();
                if let Some(kernel_time) = datagram.kernel_time {
                    self.counters.kernel_waits.record(time.since(kernel_time));
                }
                self.packet(line, time, datagram.bytes, out)
            }
            Err(error) => self.nothing(line, error),
        }
    }

    fn receive_answer(&mut self, out: &mut impl Sink) -> Look {
        let Some((socket, _)) = &self.requests else { return Look::Nothing };
        match socket.recv(&mut self.buffer) {
            Ok(bytes) => self.packet(Line::Retransmission, now(), bytes, out),
            Err(error) => self.nothing(Line::Retransmission, error),
        }
    }

    fn packet(&mut self, line: Line, time: Nanos, bytes: usize, out: &mut impl Sink) -> Look {
        let Self { receiver, requests, buffer, is_ended, first, .. } = self;
        let packet = buffer.get(..bytes).unwrap_or_default();
        let mut told = None;
        receiver.on_packet(line, time, packet, &mut |action| {
            if let ReceiverAction::Message { sequence, .. } = action {
                told.get_or_insert(sequence);
            }
            take(&action, time, out, requests.as_ref(), is_ended);
        });
        if first.is_none() {
            *first = told.or(receiver.next_sequence());
        }
        if *is_ended {
            self.show();
        }
        Look::Packet
    }

    fn nothing(&mut self, line: Line, error: Error) -> Look {
        // A server that is not there answers a request with a refusal, which the next receipt tells.
        let is_harmless = matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused
        );
        if !is_harmless && self.failure.is_none() {
            self.failure = Some((line, error));
        }
        Look::Nothing
    }
}

/// What the receiver says, to where messages go.
fn take(
    action: &ReceiverAction<'_>,
    time: Nanos,
    out: &mut impl Sink,
    requests: Option<&(UdpSocket, SocketAddr)>,
    is_ended: &mut bool,
) {
    match *action {
        ReceiverAction::Message { sequence, bytes } => out.push(time, sequence, false, bytes),
        ReceiverAction::Lost { first, next } => {
            out.push(time, next, true, &Notice::Lost { first, next }.encode());
        }
        ReceiverAction::Malformed { line, error: _ } => {
            out.push(time, u64::MAX, false, &Notice::Malformed { line: line as u8 }.encode());
        }
        ReceiverAction::Request(packet) => {
            if let Some((socket, server)) = requests {
                let packet: &[u8; HEADER_BYTES] = packet;
                // One that cannot be sent is like one that is lost: asked again.
                let _ = socket.send_to(packet, server);
            }
        }
        ReceiverAction::EndOfSession { next_sequence } => {
            out.push(time, next_sequence, false, &Notice::EndOfSession { next: next_sequence }.encode());
            *is_ended = true;
        }
        ReceiverAction::Session(_) => *is_ended = false,
        // Counted, and a silent line is covered by the other one or by stale books.
        ReceiverAction::LineDown(_) | ReceiverAction::LineUp(_) => {}
    }
}
