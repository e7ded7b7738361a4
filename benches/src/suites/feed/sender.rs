//! Packets made beforehand, and a thread that sends them at a settled pace.

use crate::bench::now;
use crate::error::LabError;
use crate::lab::Market;
use crate::pingpong::pin;
use spinward_engine::words::{Clock, Ticks};
use spinward_gateways::mold::PacketBuilder;
use spinward_gateways::soup::Alpha;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Messages a second while the opening is sent, which is not measured: slow enough for every receiver.
const OPENING_RATE: u64 = 150_000;

/// The end is told so many times, as an exchange does.
const ENDS: usize = 50;

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
    let thread = std::thread::spawn(move || {
        pin(core);
        send(&packets, messages, opening, rate, &begun)
    });
    Sender { begin, thread }
}

fn send(
    packets: &Packets,
    messages: usize,
    opening: usize,
    rate: u64,
    begun: &Receiver<SocketAddr>,
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
    for _ in 0..ENDS {
        builder.end_of_session(&mut |packet| {
            // A receiver that has read the first one may be gone.
            let _ = socket.send(packet);
        });
        let until = now().get() + 1_000_000;
        while now().get() < until {
            std::hint::spin_loop();
        }
    }
    Ok(Sent { messages: sent as u64, ended_at, due_at: due })
}
