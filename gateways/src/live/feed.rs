//! [`MoldFeed`]: market data from the sockets of a MoldUDP64 feed, as a [`MarketFeed`].
//!
//! A gap that nobody could fill is told as a notice, which quarantines every book; what comes behind it waits until a snapshot that includes the
//! gap is whole. Then the snapshot is told, and the stream from where the snapshot ends. Joining a stream that runs is the same thing without
//! the notice.

use super::now;
use super::queue::{Entry, Queue};
use super::snapshot::Snapshots;
use crate::feed::{FeedError, FeedMessage, MarketFeed, Peek, StreamCounters};
use crate::mold::{
    HEADER_BYTES, Line, PAYLOAD_BYTES_MAX, Receiver, ReceiverAction, ReceiverConfig, ReceiverConfigError,
    RequestConfig,
};
use crate::notice::{NOTICE_BYTES, Notice};
use crate::soup::ClientConfig;
use spinward_engine::words::Nanos;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;

/// Packets taken in one look.
const PACKETS_PER_POLL: usize = 16;

/// Bytes of the largest packet that is read.
const PACKET_BYTES_MAX: usize = 65_536;

/// Messages and bytes that one packet can let out: its own, and what waited for it.
const RELEASED_MESSAGES_MAX: usize = 40_000;
const RELEASED_BYTES_MAX: usize = PACKET_BYTES_MAX + 8_192 * 64 + 64 * NOTICE_BYTES;

/// Where a feed is.
#[derive(Clone, Debug)]
pub struct MoldFeedConfig {
    /// Where lines A and B are received: an address of this host, or a multicast group.
    pub lines: [Option<SocketAddrV4>; 2],
    /// The interface on which groups are joined.
    pub interface: Ipv4Addr,
    /// Where lost packets are asked for; `None`: nobody to ask.
    pub retransmission: Option<SocketAddr>,
    /// Where snapshots are fetched, and with what login; `None`: none, so what is lost stays lost.
    pub snapshot: Option<(SocketAddr, ClientConfig)>,
    /// Messages that wait for the engine or for a snapshot, 65,536–16,777,216. Default 262,144.
    pub queue_messages: usize,
    /// Their bytes, 4 MiB–1 GiB. Default 16 MiB.
    pub queue_bytes: usize,
}

impl MoldFeedConfig {
    /// Of these lines, with default memory.
    pub fn new(line_a: SocketAddrV4, line_b: Option<SocketAddrV4>) -> Self {
        Self {
            lines: [Some(line_a), line_b],
            interface: Ipv4Addr::UNSPECIFIED,
            retransmission: None,
            snapshot: None,
            queue_messages: 1 << 18,
            queue_bytes: 16 << 20,
        }
    }
}

/// Why there is no feed.
#[derive(Debug, thiserror::Error)]
pub enum MoldFeedError {
    /// The system refuses a socket.
    #[error("cannot {what} {address}: {source}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// For which address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Out of range.
    #[error(
        "the feed's queue has {messages} messages and {bytes} bytes; give 65536 to 16777216 messages, 4 MiB to 1 GiB"
    )]
    Queue {
        /// Messages.
        messages: usize,
        /// Bytes.
        bytes: usize,
    },
    /// The receiver's.
    #[error(transparent)]
    Receiver(#[from] ReceiverConfigError),
}

/// What is told next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Telling {
    /// The stream.
    Stream,
    /// Nothing: a snapshot is fetched that includes everything before this message.
    Waiting { least: u64 },
    /// That a snapshot begins, that it goes on with `next`.
    Begin { next: u64 },
    /// The snapshot.
    Snapshot { next: u64 },
    /// That it is whole.
    End { next: u64 },
}

/// The feed.
pub struct MoldFeed {
    lines: [Option<UdpSocket>; 2],
    requests: Option<(UdpSocket, SocketAddr)>,
    receiver: Receiver,
    snapshots: Option<Snapshots>,
    queue: Queue,
    telling: Telling,
    /// Messages before this are in the snapshot.
    from: u64,
    buffer: Box<[u8]>,
    notice: [u8; NOTICE_BYTES],
    /// When the snapshot's messages count as received.
    snapshot_time: Nanos,
    /// Of the last message that was taken: times never go back, and what waited for a snapshot was received before it.
    last_time: Nanos,
    is_ended: bool,
    failure: FeedError,
    counters: Arc<StreamCounters>,
}

impl MoldFeed {
    /// Opens the sockets, so that nothing is missed from now on.
    ///
    /// # Errors
    /// [`MoldFeedError`].
    pub fn new(config: &MoldFeedConfig) -> Result<Self, MoldFeedError> {
        let messages_are_good = (65_536..=1 << 24).contains(&config.queue_messages);
        if !messages_are_good || !(4 << 20..=1 << 30).contains(&config.queue_bytes) {
            let (messages, bytes) = (config.queue_messages, config.queue_bytes);
            return Err(MoldFeedError::Queue { messages, bytes });
        }
        let [a, b] = config.lines;
        let open =
            |line: Option<SocketAddrV4>| line.map(|line| open_line(line, config.interface)).transpose();
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
        let has_snapshots = config.snapshot.is_some();
        let receiver = Receiver::new(ReceiverConfig {
            // What was before we came is in the snapshot; without one the whole day is wanted.
            next_sequence: (!has_snapshots).then_some(1),
            request: requests.is_some().then(RequestConfig::default),
            has_line_b: b.is_some(),
            ..ReceiverConfig::default()
        })?;
        Ok(Self {
            lines,
            requests,
            receiver,
            snapshots: config.snapshot.clone().map(|(address, login)| Snapshots::new(address, login)),
            queue: Queue::new(config.queue_messages, config.queue_bytes),
            telling: if has_snapshots { Telling::Waiting { least: 0 } } else { Telling::Stream },
            from: 0,
            buffer: vec![0; PACKET_BYTES_MAX].into_boxed_slice(),
            notice: [0; NOTICE_BYTES],
            snapshot_time: Nanos::ZERO,
            last_time: Nanos::ZERO,
            is_ended: false,
            failure: FeedError { what: String::new() },
            counters: Arc::default(),
        })
    }

    /// What its receiver counts.
    pub fn counters(&self) -> Arc<StreamCounters> {
        Arc::clone(&self.counters)
    }

    /// Where the lines are received, with the ports that the system chose.
    pub fn addresses(&self) -> [Option<SocketAddr>; 2] {
        self.lines.each_ref().map(|line| line.as_ref().and_then(|line| line.local_addr().ok()))
    }

    /// Takes what the sockets have, as far as the queue goes.
    fn receive(&mut self) {
        for _ in 0..PACKETS_PER_POLL {
            if !self.queue.has_room(RELEASED_MESSAGES_MAX, RELEASED_BYTES_MAX) {
                return;
            }
            let mut has_any = false;
            for line in [Line::A, Line::B, Line::Retransmission] {
                has_any |= self.receive_from(line);
            }
            if !has_any {
                break;
            }
        }
        let time = now();
        let Self { receiver, queue, requests, is_ended, .. } = self;
        receiver.on_time(time, &mut |action| take(&action, time, queue, requests.as_ref(), is_ended));
        self.counters.show(self.receiver.counters());
    }

    fn receive_from(&mut self, line: Line) -> bool {
        let Self { lines, requests, receiver, queue, buffer, is_ended, failure, .. } = self;
        let socket = match line {
            Line::Retransmission => requests.as_ref().map(|(socket, _)| socket),
            Line::A | Line::B => lines.get(line as usize).and_then(Option::as_ref),
        };
        let Some(socket) = socket else { return false };
        match socket.recv(buffer) {
            Ok(length) => {
                let time = now();
                let packet = buffer.get(..length).unwrap_or_default();
                receiver.on_packet(line, time, packet, &mut |action| {
                    take(&action, time, queue, requests.as_ref(), is_ended);
                });
                true
            }
            // A server that is not there answers a request with a refusal, which the next receipt tells.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused
                ) =>
            {
                false
            }
            Err(error) => {
                if failure.what.is_empty() {
                    failure.what = format!("line {line:?} of the feed cannot be read: {error}");
                }
                false
            }
        }
    }

    /// Whether something can be told; goes on with the snapshot if one is due.
    fn advance_telling(&mut self) -> bool {
        if let Telling::Waiting { least } = self.telling {
            let time = now();
            // What was received before the first message that we have is unknown as well.
            let is_message = |entry: &&Entry| !entry.is_loss && entry.sequence < u64::MAX;
            let first = self.queue.front().filter(is_message).map_or(0, |entry| entry.sequence);
            let least = if self.from == 0 { least.max(first) } else { least };
            let found = match &mut self.snapshots {
                Some(snapshots) => snapshots.poll(time, least, &mut self.buffer),
                None => None,
            };
            let Some(next) = found else { return false };
            self.from = next;
            self.snapshot_time = time.max(self.last_time);
            self.last_time = self.snapshot_time;
            if self.receiver.next_sequence().is_none() {
                self.receiver.resume_at(time, next, &mut |_| {});
            }
            self.counters.snapshots.set(self.snapshots.as_ref().map_or(0, |it| it.taken() as i64));
            self.telling = Telling::Begin { next };
            self.notice = Notice::SnapshotBegin.encode();
        }
        if self.telling == Telling::Stream {
            // What the snapshot includes.
            while self.queue.front().is_some_and(|entry| {
                entry.sequence < self.from || entry.is_loss && entry.sequence <= self.from
            }) {
                self.queue.pop();
            }
            return self.queue.front().is_some();
        }
        true
    }
}

impl MarketFeed for MoldFeed {
    fn peek(&mut self) -> Peek<'_> {
        if self.queue.front().is_none() || matches!(self.telling, Telling::Waiting { .. }) {
            self.receive();
        }
        if !self.advance_telling() {
            return if !self.failure.what.is_empty() {
                Peek::Failed(&self.failure)
            } else if self.is_ended && self.telling == Telling::Stream {
                Peek::End
            } else {
                Peek::NotYet
            };
        }
        match self.telling {
            Telling::Stream => match self.queue.front() {
                Some(entry) => Peek::Message(FeedMessage {
                    receive_time: entry.time.max(self.last_time),
                    bytes: self.queue.bytes(entry),
                }),
                None => Peek::NotYet,
            },
            Telling::Snapshot { next } => match self.snapshots.as_ref().and_then(Snapshots::message) {
                Some(bytes) => Peek::Message(FeedMessage { receive_time: self.snapshot_time, bytes }),
                None => {
                    self.telling = Telling::End { next };
                    self.notice = Notice::SnapshotEnd { next }.encode();
                    Peek::Message(FeedMessage { receive_time: self.snapshot_time, bytes: &self.notice })
                }
            },
            Telling::Begin { .. } | Telling::End { .. } => {
                Peek::Message(FeedMessage { receive_time: self.snapshot_time, bytes: &self.notice })
            }
            Telling::Waiting { .. } => Peek::NotYet,
        }
    }

    fn advance(&mut self) {
        match self.telling {
            Telling::Stream => {
                let time = self.queue.front().map_or(self.last_time, |entry| entry.time);
                self.last_time = self.last_time.max(time);
                let loss = self.queue.front().filter(|entry| entry.is_loss).map(|entry| entry.sequence);
                self.queue.pop();
                if let Some(least) = loss.filter(|_| self.snapshots.is_some()) {
                    self.telling = Telling::Waiting { least };
                }
            }
            Telling::Begin { next } => self.telling = Telling::Snapshot { next },
            Telling::Snapshot { .. } => {
                if let Some(snapshots) = &mut self.snapshots {
                    snapshots.advance();
                }
            }
            Telling::End { .. } => {
                if let Some(snapshots) = &mut self.snapshots {
                    snapshots.done();
                }
                self.telling = Telling::Stream;
            }
            Telling::Waiting { .. } => {}
        }
    }

    fn stream(&self) -> Option<Arc<StreamCounters>> {
        Some(self.counters())
    }
}

/// What the receiver says, into the queue.
fn take(
    action: &ReceiverAction<'_>,
    time: Nanos,
    queue: &mut Queue,
    requests: Option<&(UdpSocket, SocketAddr)>,
    is_ended: &mut bool,
) {
    // There is room: looked at before every packet.
    match *action {
        ReceiverAction::Message { sequence, bytes } => {
            queue.push(time, sequence, false, bytes);
        }
        ReceiverAction::Lost { first, next } => {
            queue.push(time, next, true, &Notice::Lost { first, next }.encode());
        }
        ReceiverAction::Malformed { line, error: _ } => {
            queue.push(time, u64::MAX, false, &Notice::Malformed { line: line as u8 }.encode());
        }
        ReceiverAction::Request(packet) => {
            if let Some((socket, server)) = requests {
                let packet: &[u8; HEADER_BYTES] = packet;
                // One that cannot be sent is like one that is lost: asked again.
                let _ = socket.send_to(packet, server);
            }
        }
        ReceiverAction::EndOfSession { next_sequence } => {
            queue.push(time, next_sequence, false, &Notice::EndOfSession { next: next_sequence }.encode());
            *is_ended = true;
        }
        ReceiverAction::Session(_) => *is_ended = false,
        // Counted, and a silent line is covered by the other one or by stale books.
        ReceiverAction::LineDown(_) | ReceiverAction::LineUp(_) => {}
    }
}

fn open_line(address: SocketAddrV4, interface: Ipv4Addr) -> Result<UdpSocket, MoldFeedError> {
    let fail = |what| move |source| MoldFeedError::Socket { what, address: address.into(), source };
    let socket = UdpSocket::bind(address).map_err(fail("receive market data at"))?;
    socket.set_nonblocking(true).map_err(fail("receive without waiting at"))?;
    if address.ip().is_multicast() {
        socket.join_multicast_v4(address.ip(), &interface).map_err(fail("join the group"))?;
    }
    Ok(socket)
}

const _: () = assert!(PAYLOAD_BYTES_MAX <= PACKET_BYTES_MAX && RELEASED_BYTES_MAX < 4 << 20);
