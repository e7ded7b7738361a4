//! [`MoldFeed`]: market data from the sockets of a MoldUDP64 feed, as a [`MarketFeed`].
//!
//! A gap that nobody could fill is told as a notice, which quarantines every book, and what comes behind it waits. The snapshot server is asked which symbols the lost
//! messages were about: the others are released and go on with their books, while what comes about those is held until a snapshot that includes the gap is whole. Then
//! each of them is told anew, with what was held of it, and released. A server that cannot say it leaves all of them to the snapshot: it is told as a whole, and the
//! stream from where it ends. Joining a stream that runs is that without the notice.

use super::handover::Threaded;
use super::intake::{Intake, Look, PACKET_BYTES_MAX};
use super::line::LineOptions;
use super::now;
use super::queue::{Entry, Queue};
use super::resync::Resync;
use super::snapshot::Snapshots;
use crate::feed::{FeedError, FeedMessage, MarketFeed, Peek, StreamCounters};
use crate::itch50;
use crate::mold::{PAYLOAD_BYTES_MAX, ReceiverConfigError};
use crate::notice::{NOTICE_BYTES, Notice};
use crate::soup::ClientConfig;
use spinward_engine::pipeline::{CoreReport, SideCore};
use spinward_engine::words::Nanos;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

/// Packets taken in one look while nothing can be told: a snapshot is awaited, or the other line has brought them.
const PACKETS_PER_POLL: usize = 16;

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
    /// What is asked of the kernel for each line.
    pub line: LineOptions,
    /// The thread that reads the sockets; `None`: whoever polls the feed does.
    pub thread: Option<SideCore>,
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
            line: LineOptions::default(),
            thread: None,
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
    /// What is asked of the kernel is out of range.
    #[error("the feed's receive buffer has {0} bytes; give 4 KiB to 1 GiB")]
    Buffer(usize),
    /// The system makes no thread.
    #[error("cannot start the thread that receives market data: {0}")]
    Thread(#[source] std::io::Error),
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
    /// That the loss concerns this symbol.
    Concerned { locate: u16 },
    /// That it concerns no other.
    Unconcerned,
    /// A snapshot symbol by symbol; the stream goes on with `next`.
    Part { next: u64, symbol: Option<u16>, part: Part },
}

/// What is told of a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// That it begins.
    Begin,
    /// A message of the snapshot.
    Message,
    /// What the stream said of it since.
    Held(u32),
    /// That it is whole.
    End,
}

/// From one look at a snapshot under way to the next, while other symbols go on.
const SNAPSHOT_LOOKS: Nanos = Nanos::from_micros(200);

/// Who reads the sockets.
enum Source {
    /// Whoever polls the feed.
    Here(Box<Intake>),
    /// A thread on a core of its own.
    There(Threaded),
}

/// The feed.
pub struct MoldFeed {
    source: Source,
    addresses: [Option<SocketAddr>; 2],
    notices: Vec<String>,
    snapshots: Option<Snapshots>,
    queue: Queue,
    telling: Telling,
    resync: Resync,
    snapshot_looked_at: Nanos,
    /// Messages before this are in the snapshot.
    from: u64,
    /// For what the snapshot's server sends.
    buffer: Box<[u8]>,
    notice: [u8; NOTICE_BYTES],
    /// When the snapshot's messages count as received.
    snapshot_time: Nanos,
    /// Of the last message that was taken: times never go back, and what waited for a snapshot was received before it.
    last_time: Nanos,
    failure: FeedError,
    counters: Arc<StreamCounters>,
}

impl MoldFeed {
    /// Opens the sockets, so that nothing is missed from now on, and starts the thread that reads them, if there is to be one.
    ///
    /// # Errors
    /// [`MoldFeedError`].
    pub fn new(config: &MoldFeedConfig) -> Result<Self, MoldFeedError> {
        let messages_are_good = (65_536..=1 << 24).contains(&config.queue_messages);
        if !messages_are_good || !(4 << 20..=1 << 30).contains(&config.queue_bytes) {
            let (messages, bytes) = (config.queue_messages, config.queue_bytes);
            return Err(MoldFeedError::Queue { messages, bytes });
        }
        if !(4 << 10..=1 << 30).contains(&config.line.receive_buffer_bytes) {
            return Err(MoldFeedError::Buffer(config.line.receive_buffer_bytes));
        }
        let mut intake = Intake::new(config)?;
        let (counters, addresses, notices) = (intake.counters(), intake.addresses(), intake.take_notices());
        let source = match &config.thread {
            Some(core) => Source::There(Threaded::start(intake, core).map_err(MoldFeedError::Thread)?),
            None => Source::Here(Box::new(intake)),
        };
        let has_snapshots = config.snapshot.is_some();
        Ok(Self {
            source,
            addresses,
            notices,
            snapshots: config.snapshot.clone().map(|(address, login)| Snapshots::new(address, login)),
            queue: Queue::new(config.queue_messages, config.queue_bytes),
            telling: if has_snapshots { Telling::Waiting { least: 0 } } else { Telling::Stream },
            resync: Resync::new(),
            snapshot_looked_at: Nanos::ZERO,
            from: 0,
            buffer: vec![0; PACKET_BYTES_MAX].into_boxed_slice(),
            notice: [0; NOTICE_BYTES],
            snapshot_time: Nanos::ZERO,
            last_time: Nanos::ZERO,
            failure: FeedError { what: String::new() },
            counters,
        })
    }

    /// What its receiver counts.
    pub fn counters(&self) -> Arc<StreamCounters> {
        Arc::clone(&self.counters)
    }

    /// Where the lines are received, with the ports that the system chose.
    pub fn addresses(&self) -> [Option<SocketAddr>; 2] {
        self.addresses
    }

    /// What the kernel does not do as asked, and how to mend it; the feed works without.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Takes what the sockets have, as far as the queue goes. One look at one socket, so that the caller is back at its other work after one system call; more only as
    /// long as packets come of which nothing can be told.
    fn receive(&mut self) {
        let Self { source, queue, telling, failure, .. } = self;
        let told = match source {
            Source::Here(intake) => {
                for _ in 0..PACKETS_PER_POLL {
                    if !queue.has_room(RELEASED_MESSAGES_MAX, RELEASED_BYTES_MAX) {
                        break;
                    }
                    let look = intake.look(queue);
                    let is_waiting = matches!(telling, Telling::Waiting { .. });
                    if look == Look::Nothing || !is_waiting && !queue.is_empty() {
                        break;
                    }
                }
                intake.failure()
            }
            Source::There(threaded) => {
                threaded.receive(queue);
                threaded.failure()
            }
        };
        if let Some(what) = told.filter(|_| failure.what.is_empty()) {
            failure.what = what;
        }
    }

    fn is_ended(&self) -> bool {
        match &self.source {
            Source::Here(intake) => intake.is_ended(),
            Source::There(threaded) => threaded.is_ended() && self.queue.is_empty(),
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
            if self.resync.lost().is_some()
                && let Some(changed) = self.snapshots.as_ref().and_then(Snapshots::changed)
            {
                self.resync.know(changed);
                self.name_concerned(0);
                return true;
            }
            let Some(next) = found else { return false };
            let first = match &mut self.source {
                Source::Here(intake) => Some(intake.begin_at(time, next, &mut self.queue)),
                Source::There(threaded) => threaded.begin_at(next),
            };
            match first {
                Some(first) if first <= next => {}
                // What lies between is in no snapshot yet.
                Some(first) => {
                    self.telling = Telling::Waiting { least: least.max(first) };
                    return false;
                }
                None => return false,
            }
            self.from = next;
            self.resync.end();
            self.note_snapshot(time);
            self.telling = Telling::Begin { next };
            self.notice = Notice::SnapshotBegin.encode();
        }
        if self.telling == Telling::Stream {
            self.pursue_snapshot();
        }
        self.telling != Telling::Stream || self.advance_stream()
    }

    /// Comes to the next message of the stream that is to be told now.
    fn advance_stream(&mut self) -> bool {
        while let Some(entry) = self.queue.front().copied() {
            // What the snapshot includes.
            if entry.sequence < self.from || entry.is_loss && entry.sequence <= self.from {
                self.queue.pop();
                continue;
            }
            if self.resync.is_over() {
                return true;
            }
            let bytes = self.queue.bytes(&entry);
            if Notice::is_one(bytes) {
                return true;
            }
            let locate = itch50::locate(bytes);
            if !self.resync.is_included(entry.sequence, locate) {
                if self.resync.concerned().is_none_or(|concerned| !concerned.has(locate)) {
                    return true;
                }
                if !self.resync.hold(entry.sequence, locate, bytes) {
                    return false;
                }
            }
            self.queue.pop();
        }
        false
    }

    /// Goes on with a snapshot for some symbols while the others go on; begins to tell it when it is whole.
    fn pursue_snapshot(&mut self) {
        let Some((_, least)) = self.resync.lost().filter(|_| self.resync.concerned().is_some()) else {
            return;
        };
        let time = now();
        if time < self.snapshot_looked_at.after(SNAPSHOT_LOOKS) {
            return;
        }
        self.snapshot_looked_at = time;
        let Self { snapshots, buffer, .. } = self;
        if let Some(next) = snapshots.as_mut().and_then(|it| it.poll(time, least, buffer)) {
            self.note_snapshot(time);
            self.seek_part(next, None);
        }
    }

    fn note_snapshot(&mut self, time: Nanos) {
        self.snapshot_time = time.max(self.last_time);
        self.last_time = self.snapshot_time;
        self.counters.snapshots.set(self.snapshots.as_ref().map_or(0, |it| it.taken() as i64));
    }

    /// Names the next concerned symbol from this locate on, or says that there is none.
    fn name_concerned(&mut self, from: u32) {
        let Some((_, next)) = self.resync.lost() else { return };
        self.snapshot_time = now().max(self.last_time);
        self.last_time = self.snapshot_time;
        match self.resync.concerned().and_then(|concerned| concerned.next(from)) {
            Some(locate) => {
                self.telling = Telling::Concerned { locate };
                self.notice = Notice::Concerned { locate }.encode();
            }
            None => {
                self.telling = Telling::Unconcerned;
                self.notice = Notice::Unconcerned { next }.encode();
            }
        }
    }

    /// Comes to what is to be told next of a whole snapshot, while `symbol` is being told.
    fn seek_part(&mut self, next: u64, symbol: Option<u16>) {
        let Some(snapshots) = &mut self.snapshots else { return };
        while let Some(bytes) = snapshots.message() {
            let locate = itch50::locate(bytes);
            if self.resync.concerned().is_none_or(|concerned| !concerned.has(locate)) {
                snapshots.advance();
                continue;
            }
            let is_directory = bytes.first() == Some(&b'R');
            match symbol {
                Some(open) if open != locate => return self.tell_held(next, open),
                None if !is_directory => {
                    self.notice = Notice::SymbolBegin { locate }.encode();
                    self.telling = Telling::Part { next, symbol: Some(locate), part: Part::Begin };
                }
                Some(_) | None => self.telling = Telling::Part { next, symbol, part: Part::Message },
            }
            return;
        }
        match symbol {
            Some(open) => self.tell_held(next, open),
            None => {
                snapshots.done();
                self.resync.end_at(next);
                self.telling = Telling::Stream;
            }
        }
    }

    /// What the stream said of this symbol since the snapshot, then that it is whole.
    fn tell_held(&mut self, next: u64, locate: u16) {
        self.tell_held_from(next, locate, self.resync.first_held(locate, next));
    }

    fn tell_held_from(&mut self, next: u64, locate: u16, held: Option<u32>) {
        let part = held.map_or(Part::End, Part::Held);
        if part == Part::End {
            self.notice = Notice::SymbolEnd { locate, next }.encode();
        }
        self.telling = Telling::Part { next, symbol: Some(locate), part };
    }

    /// What was lost: everything waits until it is known whom it concerns.
    fn begin_resync(&mut self, lost: Option<Notice>) {
        let Some(snapshots) = &mut self.snapshots else { return };
        if let Some(Notice::Lost { first, next }) = lost {
            let (first, next) = self.resync.begin(first, next);
            snapshots.ask_about(now(), first, next);
            self.telling = Telling::Waiting { least: next };
        }
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
            } else if self.is_ended() && self.telling == Telling::Stream {
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
            Telling::Part { part: Part::Message, .. } => {
                match self.snapshots.as_ref().and_then(Snapshots::message) {
                    Some(bytes) => Peek::Message(FeedMessage { receive_time: self.snapshot_time, bytes }),
                    None => Peek::NotYet,
                }
            }
            Telling::Part { part: Part::Held(held), .. } => match self.resync.message(held) {
                Some(bytes) => Peek::Message(FeedMessage { receive_time: self.snapshot_time, bytes }),
                None => Peek::NotYet,
            },
            Telling::Begin { .. }
            | Telling::End { .. }
            | Telling::Concerned { .. }
            | Telling::Unconcerned
            | Telling::Part { part: Part::Begin | Part::End, .. } => {
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
                let loss = self.queue.front().filter(|entry| entry.is_loss);
                let loss = loss.and_then(|entry| Notice::parse(self.queue.bytes(entry)));
                self.queue.pop();
                self.begin_resync(loss);
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
            Telling::Concerned { locate } => self.name_concerned(u32::from(locate) + 1),
            Telling::Unconcerned => {
                self.telling = Telling::Stream;
                let is_of_nobody =
                    self.resync.concerned().is_some_and(|concerned| concerned.next(0).is_none());
                if let Some(snapshots) = self.snapshots.as_mut().filter(|_| is_of_nobody) {
                    snapshots.give_up(now());
                    self.resync.end();
                }
            }
            Telling::Part { next, symbol, part } => match (part, symbol) {
                (Part::Begin, _) => self.seek_part(next, symbol),
                (Part::Message, _) => {
                    if let Some(snapshots) = &mut self.snapshots {
                        snapshots.advance();
                    }
                    self.seek_part(next, symbol);
                }
                (Part::Held(held), Some(locate)) => {
                    self.tell_held_from(next, locate, self.resync.next_held(held, next));
                }
                (Part::End | Part::Held(_), _) => self.seek_part(next, None),
            },
            Telling::Waiting { .. } => {}
        }
    }

    fn has_message(&self) -> bool {
        self.telling == Telling::Stream
            && self.resync.is_over()
            && self.queue.front().is_some_and(|entry| entry.sequence >= self.from)
    }

    fn core(&self) -> Option<CoreReport> {
        match &self.source {
            Source::Here(_) => None,
            Source::There(threaded) => Some(threaded.report().clone()),
        }
    }

    fn stream(&self) -> Option<Arc<StreamCounters>> {
        Some(self.counters())
    }
}

const _: () = assert!(PAYLOAD_BYTES_MAX <= PACKET_BYTES_MAX && RELEASED_BYTES_MAX < 4 << 20);
