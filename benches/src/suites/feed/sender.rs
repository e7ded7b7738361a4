//! Packets made beforehand, and a thread that sends them at a settled pace.

use crate::error::LabError;
use crate::lab::Market;
use crate::pingpong::pin;
use spinward_engine::words::{Clock, Ticks};
use spinward_gateways::mold::PacketBuilder;
use spinward_gateways::soup::Alpha;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Messages a second while the opening is sent, which is not measured: slow enough for every receiver.
const OPENING_RATE: u64 = 150_000;

/// The end is told every millisecond until the receiver has it, for so long at most: packets before it may fill the kernel's buffer.
const END_MAX: Duration = Duration::from_secs(10);

/// A market's day in MoldUDP64.
pub(super) struct Packets {
    bytes: Vec<u8>,
    /// End of each packet, and messages up to and with it.
    packets: Vec<(usize, usize)>,
}

impl Packets {
    /// As full as they can be.
    pub(super) fn of(market: &Market, packet_bytes: usize) -> Result<Self, LabError> {
        let mut found = Self { bytes: Vec::new(), packets: Vec::new() };
        let mut builder = PacketBuilder::new(session(), 1, packet_bytes);
        for index in 0..market.count() {
            let Some((_, message)) = market.message(index) else { break };
            let Self { bytes, packets } = &mut found;
            let mut out = |packet: &[u8]| {
                bytes.extend_from_slice(packet);
                packets.push((bytes.len(), index));
            };
            builder.push(message, &mut out).map_err(LabError::failed)?;
        }
        Ok(found)
    }

    /// Messages of a packet in the mean.
    pub(super) fn mean_messages(&self) -> f64 {
        let messages = self.packets.last().map_or(0, |(_, messages)| *messages);
        messages as f64 / self.packets.len().max(1) as f64
    }
}

fn session() -> Alpha<10> {
    Alpha::new("BENCH").unwrap_or_default()
}

/// What was sent.
pub(super) struct Sent {
    pub(super) messages: u64,
    /// When the last packet had been handed to the system, and when it should have been.
    pub(super) ended_at: Ticks,
    pub(super) due_at: Ticks,
}

/// A sender that waits for its receiver.
pub(super) struct Sender {
    begin: SyncSender<SocketAddr>,
    is_received: Arc<AtomicBool>,
    thread: JoinHandle<Result<Sent, LabError>>,
}

impl Sender {
    /// The receiver listens here.
    pub(super) fn begin(&self, address: SocketAddr) {
        // There is room for one; a sender that is gone is told of at the end.
        let _ = self.begin.try_send(address);
    }

    pub(super) fn join(self) -> Result<Sent, LabError> {
        drop(self.begin);
        self.is_received.store(true, Ordering::Release);
        self.thread.join().map_err(|_| LabError::failed("the sender panicked"))?
    }
}

/// A thread on this core that sends the first `messages`, those of the opening slowly.
pub(super) fn start(
    packets: &Arc<Packets>,
    messages: usize,
    opening: usize,
    rate: u64,
    core: usize,
) -> Sender {
    let (begin, begun) = sync_channel(1);
    let packets = Arc::clone(packets);
    let is_received = Arc::<AtomicBool>::default();
    let has_it = Arc::clone(&is_received);
    let thread = std::thread::spawn(move || {
        pin(core);
        send(&packets, messages, opening, rate, &begun, &has_it)
    });
    Sender { begin, is_received, thread }
}

fn send(
    packets: &Packets,
    messages: usize,
    opening: usize,
    rate: u64,
    begun: &Receiver<SocketAddr>,
    is_received: &AtomicBool,
) -> Result<Sent, LabError> {
    let address = begun.recv().map_err(LabError::failed)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LabError::failed)?;
    socket.connect(address).map_err(LabError::failed)?;
    let clock = Clock::new();
    let ticks_per_second = (1u64 << 32) * 1_000_000_000 / clock.nanos_between(0, 1 << 32).max(1);
    let begin = clock.ticks();
    let span = |messages: usize, rate: u64| {
        // < 2^24 · 2^34
        (messages as u128 * u128::from(ticks_per_second) / u128::from(rate)) as Ticks
    };
    let (mut start, mut sent) = (0, 0);
    let mut due = begin;
    for (end, upto) in &packets.packets {
        if *upto > messages {
            break;
        }
        due = begin + span(sent.min(opening), OPENING_RATE) + span(sent.saturating_sub(opening), rate);
        while clock.ticks() < due {
            std::hint::spin_loop();
        }
        let packet = packets.bytes.get(start..*end).unwrap_or_default();
        socket.send(packet).map_err(LabError::failed)?;
        (start, sent) = (*end, *upto);
    }
    let ended_at = clock.ticks();
    let mut builder = PacketBuilder::new(session(), sent as u64 + 1, 1_400);
    let end = Instant::now();
    while !is_received.load(Ordering::Acquire) && end.elapsed() < END_MAX {
        builder.end_of_session(&mut |packet| {
            // A receiver that has read the first one may be gone.
            let _ = socket.send(packet);
        });
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Ok(Sent { messages: sent as u64, ended_at, due_at: due })
}
