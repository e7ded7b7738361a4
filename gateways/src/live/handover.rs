//! The receiver on a core of its own: it fills batches of messages and hands them to the sequencer's core, which gives them back empty.
//!
//! ```text
//!  sockets ─▶ Intake ─▶ Filling ─▶ full ─▶ Threaded ─▶ Queue of the feed
//!                          ▲                  │
//!                          └────── empty ◀────┘
//! ```
//!
//! A batch goes as soon as the packet that filled it is read. Without an empty one the receiver waits and reads nothing: the kernel's buffer fills, and what does not
//! fit there is a gap like any other.

use super::intake::{Intake, Look, Sink};
use super::now;
use super::queue::Queue;
use crate::feed::StreamCounters;
use crossbeam_queue::ArrayQueue;
use spinward_engine::pipeline::{CoreReport, SideCore, Turn};
use spinward_engine::words::Nanos;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// Batches in circulation: with 4 MiB of packets a burst of 64 full ones.
const BATCHES: usize = 64;

/// Messages and bytes of a batch: the largest packet, and its messages if they are no shorter than those of ITCH.
const BATCH_MESSAGES: usize = 4_096;
const BATCH_BYTES: usize = super::intake::PACKET_BYTES_MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Nanos,
    sequence: u64,
    is_loss: bool,
    bytes: usize,
}

/// Messages, one behind the other, in memory taken at start.
struct Batch {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Batch {
    fn new() -> Box<Self> {
        Box::new(Self { entries: Vec::with_capacity(BATCH_MESSAGES), bytes: Vec::with_capacity(BATCH_BYTES) })
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.entries.len() < BATCH_MESSAGES && self.bytes.len() + bytes <= BATCH_BYTES
    }
}

/// What the two threads share.
struct Shared {
    full: ArrayQueue<Box<Batch>>,
    empty: ArrayQueue<Box<Batch>>,
    is_stopping: AtomicBool,
    /// The stream is to begin with this message if none has come yet; 0: not asked.
    begin_at: AtomicU64,
    /// The message that it began with; 0: unknown.
    first: AtomicU64,
    /// Set when all that was before is in `full`.
    is_ended: AtomicBool,
    failure: OnceLock<String>,
    counters: Arc<StreamCounters>,
}

/// The receiver's end.
struct Filling {
    shared: Arc<Shared>,
    batch: Option<Box<Batch>>,
}

impl Filling {
    /// Hands over what there is.
    fn flush(&mut self) {
        if let Some(batch) = self.batch.take_if(|batch| !batch.entries.is_empty()) {
            // There is a place for every batch that exists.
            let _ = self.shared.full.push(batch);
        }
    }

    /// A batch with room for a message; `None` when the session is over.
    fn with_room(&mut self, bytes: usize) -> Option<&mut Batch> {
        if self.batch.as_ref().is_some_and(|batch| !batch.has_room(bytes)) {
            self.flush();
        }
        if self.batch.is_none() {
            let mut taken = self.shared.empty.pop();
            if taken.is_none() {
                let counter = &self.shared.counters.handover_full;
                counter.set(counter.value() + 1);
            }
            while taken.is_none() && !self.shared.is_stopping.load(Ordering::Acquire) {
                // The other side may need this very core.
                std::thread::yield_now();
                taken = self.shared.empty.pop();
            }
            self.batch = taken;
        }
        self.batch.as_deref_mut()
    }
}

impl Sink for Filling {
    fn push(&mut self, time: Nanos, sequence: u64, is_loss: bool, bytes: &[u8]) {
        let Some(batch) = self.with_room(bytes.len()) else { return };
        batch.entries.push(Entry { time, sequence, is_loss, bytes: bytes.len() });
        batch.bytes.extend_from_slice(bytes);
    }
}

/// The receiver's turn.
fn turn(intake: &mut Intake, out: &mut Filling) -> Turn {
    let shared = Arc::clone(&out.shared);
    if shared.is_stopping.load(Ordering::Acquire) {
        intake.show();
        return Turn::Over;
    }
    let begin_at = shared.begin_at.load(Ordering::Acquire);
    if begin_at != 0 && shared.first.load(Ordering::Relaxed) == 0 {
        let first = intake.begin_at(now(), begin_at, out);
        out.flush();
        shared.first.store(first, Ordering::Release);
    }
    let look = intake.look(out);
    out.flush();
    shared.is_ended.store(intake.is_ended(), Ordering::Release);
    if let Some(why) = intake.failure() {
        shared.failure.get_or_init(|| why);
    }
    match look {
        Look::Packet => Turn::Worked,
        Look::Nothing => Turn::Idle,
    }
}

/// The sequencer's end.
pub(super) struct Threaded {
    shared: Arc<Shared>,
    /// Taken and not yet read to its end: the next message, and where its bytes begin.
    current: Option<(Box<Batch>, usize, usize)>,
    report: CoreReport,
    thread: Option<JoinHandle<()>>,
}

impl Threaded {
    /// Gives the sockets to a thread of their own.
    ///
    /// # Errors
    /// The system makes no thread.
    pub(super) fn start(mut intake: Intake, core: &SideCore) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            full: ArrayQueue::new(BATCHES),
            empty: ArrayQueue::new(BATCHES),
            is_stopping: AtomicBool::new(false),
            begin_at: AtomicU64::new(0),
            first: AtomicU64::new(0),
            is_ended: AtomicBool::new(false),
            failure: OnceLock::new(),
            counters: intake.counters(),
        });
        for _ in 0..BATCHES {
            // There is a place for each.
            let _ = shared.empty.push(Batch::new());
        }
        let mut filling = Filling { shared: Arc::clone(&shared), batch: None };
        let (report, thread) = core.start(move || turn(&mut intake, &mut filling))?;
        Ok(Self { shared, current: None, report, thread: Some(thread) })
    }

    pub(super) const fn report(&self) -> &CoreReport {
        &self.report
    }

    /// Takes over what was received, as far as the queue goes.
    pub(super) fn receive(&mut self, queue: &mut Queue) {
        loop {
            let Some((batch, next, at)) = &mut self.current else {
                match self.shared.full.pop() {
                    Some(batch) => self.current = Some((batch, 0, 0)),
                    None => return,
                }
                continue;
            };
            while let Some(entry) = batch.entries.get(*next) {
                let bytes = batch.bytes.get(*at..*at + entry.bytes).unwrap_or_default();
                if !queue.push(entry.time, entry.sequence, entry.is_loss, bytes) {
                    return;
                }
                *next += 1;
                *at += entry.bytes;
            }
            if let Some((mut batch, ..)) = self.current.take() {
                batch.entries.clear();
                batch.bytes.clear();
                // There is a place for every batch that exists.
                let _ = self.shared.empty.push(batch);
            }
            if !queue.is_empty() {
                return;
            }
        }
    }

    /// Whether the session is over and all of it was taken.
    pub(super) fn is_ended(&self) -> bool {
        // The flag first: what it covers is in the queue of batches by then.
        let is_ended = self.shared.is_ended.load(Ordering::Acquire);
        is_ended && self.current.is_none() && self.shared.full.is_empty()
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.shared.failure.get().cloned()
    }

    /// The first message of the stream, if the receiver knows; asks it to begin with this one, if none has come.
    pub(super) fn begin_at(&self, sequence: u64) -> Option<u64> {
        self.shared.begin_at.store(sequence, Ordering::Release);
        Some(self.shared.first.load(Ordering::Acquire)).filter(|first| *first != 0)
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // It ends within a turn; that it panicked changes nothing any more.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::feed::MoldFeedConfig;
    use super::*;
    use crate::mold::PacketBuilder;
    use crate::soup::Alpha;
    use spinward_engine::pipeline::IdleStrategy;
    use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
    use std::time::{Duration, Instant};

    const CORE: SideCore =
        SideCore { name: "sw-feed", core: None, idle: IdleStrategy::Yield, gap_threshold: Nanos::ZERO };

    /// A receiver's thread without a snapshot server, and a socket that sends to it.
    fn start() -> (Threaded, UdpSocket) {
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let intake = Intake::new(&MoldFeedConfig::new(any, None)).unwrap();
        let sender = UdpSocket::bind(any).unwrap();
        sender.connect(intake.addresses()[0].unwrap()).unwrap();
        (Threaded::start(intake, &CORE).unwrap(), sender)
    }

    /// Takes messages until there are so many; then their numbers, checked against their bytes.
    fn take(threaded: &mut Threaded, queue: &mut Queue, count: usize) -> Vec<u64> {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut found = Vec::new();
        while found.len() < count {
            assert!(Instant::now() < deadline, "{} of {count}", found.len());
            threaded.receive(queue);
            while let Some(entry) = queue.front() {
                assert_eq!(queue.bytes(entry)[..8], entry.sequence.to_be_bytes());
                found.push(entry.sequence);
                queue.pop();
            }
        }
        found
    }

    fn send(sender: &UdpSocket, builder: &mut PacketBuilder, numbers: std::ops::RangeInclusive<u64>) {
        let mut out = |packet: &[u8]| {
            sender.send(packet).unwrap();
        };
        for number in numbers {
            let mut message = [0; 40];
            message[..8].copy_from_slice(&number.to_be_bytes());
            builder.push(&message, &mut out).unwrap();
        }
        builder.flush(&mut out);
    }

    #[test]
    fn everything_that_comes_is_handed_over_in_order_through_a_queue_that_holds_little() {
        let (mut threaded, sender) = start();
        let mut builder = PacketBuilder::new(Alpha::new("TEST").unwrap(), 1, 1_400);
        let mut queue = Queue::new(64, 4_096);
        for step in 0..20 {
            send(&sender, &mut builder, step * 1_000 + 1..=step * 1_000 + 1_000);
            let found = take(&mut threaded, &mut queue, 1_000);
            assert_eq!(found, (step * 1_000 + 1..=step * 1_000 + 1_000).collect::<Vec<_>>());
        }
        assert!(threaded.shared.counters.kernel_waits.count() > 0);
    }

    #[test]
    fn what_is_not_taken_stops_the_receiver_and_nothing_that_it_has_is_lost() {
        let (mut threaded, sender) = start();
        let mut builder = PacketBuilder::new(Alpha::new("TEST").unwrap(), 1, 200);
        // A packet a batch: more than there are batches.
        let count = 4 * 2 * BATCHES as u64;
        for number in 1..=count {
            send(&sender, &mut builder, number..=number);
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while threaded.shared.counters.handover_full.value() == 0 {
            assert!(Instant::now() < deadline, "the receiver never waits");
            std::thread::yield_now();
        }
        let mut queue = Queue::new(1_024, 1 << 16);
        assert_eq!(take(&mut threaded, &mut queue, count as usize), (1..=count).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_first_packet_is_not_believed() {
        let (mut threaded, sender) = start();
        let mut builder = PacketBuilder::new(Alpha::new("TEST").unwrap(), 1, 1_400);
        let mut message = [0; 40];
        message[..8].copy_from_slice(&1u64.to_be_bytes());
        builder.push(&message, &mut |_| {}).unwrap();
        builder.flush(&mut |packet| {
            let mut damaged = packet.to_vec();
            // A letter of the session.
            damaged[3] ^= 1;
            for packet in [&damaged, packet] {
                sender.send(packet).unwrap();
            }
        });
        send(&sender, &mut builder, 2..=9);
        let mut queue = Queue::new(64, 4_096);
        assert_eq!(take(&mut threaded, &mut queue, 9), (1..=9).collect::<Vec<_>>());
    }

    #[test]
    fn a_stream_that_has_begun_says_where_and_one_that_has_not_begins_where_it_is_told() {
        let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let login = crate::soup::ClientConfig::new(Alpha::BLANK, Alpha::BLANK);
        let config = MoldFeedConfig { snapshot: Some((any.into(), login)), ..MoldFeedConfig::new(any, None) };
        let begun = |first: Option<u64>, asked: u64| {
            let intake = Intake::new(&config).unwrap();
            let sender = UdpSocket::bind(any).unwrap();
            sender.connect(intake.addresses()[0].unwrap()).unwrap();
            let mut threaded = Threaded::start(intake, &CORE).unwrap();
            let mut queue = Queue::new(64, 4_096);
            if let Some(first) = first {
                let mut builder = PacketBuilder::new(Alpha::new("TEST").unwrap(), first, 1_400);
                send(&sender, &mut builder, first..=first);
                // A second packet bears the first one out.
                builder.heartbeat(&mut |packet| assert_eq!(sender.send(packet).unwrap(), packet.len()));
                assert_eq!(take(&mut threaded, &mut queue, 1), [first]);
            }
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                if let Some(first) = threaded.begin_at(asked) {
                    return first;
                }
                assert!(Instant::now() < deadline);
                std::thread::yield_now();
            }
        };
        assert_eq!(begun(Some(105), 100), 105);
        assert_eq!(begun(None, 100), 100);
    }
}
