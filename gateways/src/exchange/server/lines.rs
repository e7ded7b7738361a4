//! Market data on its sockets: lines A and B, and the server that sends again what was lost.

use super::config::{DESTINATIONS_MAX, ExchangeConfig, ExchangeError, LineConfig};
use super::control::Lines;
use super::faults::{FaultCounters, LineFault, LineFaults};
use super::history::History;
use super::state::WireCounters;
use crate::mold::{HEADER_BYTES, Header, PacketBuilder};
use socket2::{Domain, Protocol, Socket, Type};
use spinward_engine::words::{Clock, Nanos, Ticks};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// Requests answered in one turn.
const REQUESTS_MAX: usize = 64;

/// Buffer of a line's socket that is asked for: room for a burst while the other end's processor has the host.
const SEND_BUFFER_BYTES: usize = 4 << 20;

/// One line.
struct Line {
    socket: UdpSocket,
    destinations: Vec<SocketAddr>,
    faults: LineFaults,
}

/// Everything of market data that is UDP.
pub(super) struct Market {
    lines: [Line; 2],
    builder: PacketBuilder,
    /// The next message of the history to go into a packet.
    next: u64,
    last_sent: Nanos,
    heartbeat_after: Nanos,
    retransmission: UdpSocket,
    is_answering: bool,
    packet_bytes: usize,
    /// Packets since the last marks: first message, count, when.
    marks: Vec<(u64, u64, Ticks)>,
}

impl Market {
    pub(super) fn new(config: &ExchangeConfig) -> Result<Self, ExchangeError> {
        if !(72..=65_507).contains(&config.packet_bytes) {
            let (what, range) = ("packet_bytes", "72 to 65,507");
            return Err(ExchangeError::Range { what, value: config.packet_bytes as u64, range });
        }
        let line = |index: usize, line: &LineConfig| {
            if line.destinations.len() > DESTINATIONS_MAX {
                return Err(ExchangeError::Destination(format!("number {}", line.destinations.len())));
            }
            let bad = line.destinations.iter().find(|to| !to.is_ipv4() || to.port() == 0);
            if let Some(bad) = bad {
                return Err(ExchangeError::Destination(bad.to_string()));
            }
            let fail = |source| ExchangeError::Socket {
                what: "open the socket of line",
                address: if index == 0 { "A".to_owned() } else { "B".to_owned() },
                source,
            };
            let socket = line_socket(line).map_err(fail)?;
            let faults = LineFaults::new(index, config.seed);
            Ok(Line { socket, destinations: line.destinations.clone(), faults })
        };
        let retransmission = UdpSocket::bind(config.retransmission)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .map_err(|source| ExchangeError::Socket {
                what: "bind the retransmission server to",
                address: config.retransmission.to_string(),
                source,
            })?;
        Ok(Self {
            lines: [line(0, &config.line_a)?, line(1, &config.line_b)?],
            builder: PacketBuilder::new(config.core.session, 1, config.packet_bytes),
            next: 1,
            last_sent: Nanos::ZERO,
            heartbeat_after: config.heartbeat_after,
            retransmission,
            is_answering: true,
            packet_bytes: config.packet_bytes,
            marks: Vec::new(),
        })
    }

    /// Packets that faults hold back, by line.
    pub(super) fn held(&self) -> [u64; 2] {
        self.lines.each_ref().map(|line| line.faults.held() as u64)
    }

    pub(super) const fn retransmission(&self) -> &UdpSocket {
        &self.retransmission
    }

    /// Where a line sends from, and to.
    pub(super) fn addresses(&self, line: usize) -> (Option<SocketAddr>, Vec<SocketAddr>) {
        let line = self.lines.get(line);
        let from = line.and_then(|line| line.socket.local_addr().ok());
        (from, line.map(|line| line.destinations.clone()).unwrap_or_default())
    }

    /// Adds a destination; false if there are too many.
    pub(super) fn add_destination(&mut self, which: Lines, to: SocketAddr) -> bool {
        self.chosen(which).all(|line| {
            let is_there = line.destinations.contains(&to);
            let has_place = line.destinations.len() < DESTINATIONS_MAX;
            if has_place && !is_there {
                line.destinations.push(to);
            }
            has_place || is_there
        })
    }

    fn chosen(&mut self, which: Lines) -> impl Iterator<Item = &mut Line> {
        self.lines.iter_mut().zip(which).filter(|(_, is_meant)| *is_meant).map(|(line, _)| line)
    }

    pub(super) fn set(&mut self, which: Lines, fault: LineFault) {
        self.chosen(which).for_each(|line| line.faults.set(fault));
    }

    pub(super) const fn set_answering(&mut self, is_answering: bool) {
        self.is_answering = is_answering;
    }

    pub(super) fn clear_faults(&mut self) {
        self.chosen([true, true]).for_each(|line| line.faults.clear());
        self.is_answering = true;
    }

    /// Sends all that is new, in packets as full as can be.
    pub(super) fn publish(
        &mut self,
        now: Nanos,
        clock: &Clock,
        history: &mut History,
        wire: &mut WireCounters,
        faults: &mut FaultCounters,
    ) {
        if self.next == history.next_sequence() {
            return;
        }
        let Self { lines, builder, next, marks, .. } = self;
        let mut out = |packet: &[u8]| {
            let at = clock.ticks();
            if let Some(header) = header(packet) {
                marks.push((header.sequence.get(), u64::from(header.count.get()), at));
            }
            send_all(lines, now, packet, wire, faults);
        };
        while let Some(message) = history.message(*next) {
            // A message of ITCH fits every packet that is allowed here.
            let _ = builder.push(message, &mut out);
            *next += 1;
        }
        builder.flush(&mut out);
        self.last_sent = now;
        for (first, count, at) in self.marks.drain(..) {
            history.mark_sent(first, count, at);
        }
    }

    /// Heartbeats and what was delayed.
    pub(super) fn on_time(
        &mut self,
        now: Nanos,
        is_ended: bool,
        wire: &mut WireCounters,
        faults: &mut FaultCounters,
    ) {
        for (index, line) in self.lines.iter_mut().enumerate() {
            let Line { socket, destinations, faults } = line;
            faults.on_time(now, &mut |packet| send(socket, destinations, index, packet, wire));
        }
        // The end is repeated quickly: it is over soon.
        let after = if is_ended { Nanos::from_millis(50) } else { self.heartbeat_after };
        if now >= self.last_sent.after(after) {
            let Self { lines, builder, .. } = self;
            let mut packets = 0;
            let mut out = |packet: &[u8]| {
                packets += 1;
                send_all(lines, now, packet, wire, faults);
            };
            if is_ended {
                builder.end_of_session(&mut out)
            } else {
                builder.heartbeat(&mut out)
            }
            wire.heartbeats += packets;
            self.last_sent = now;
        }
    }

    /// When [`Market::on_time`] has something to do.
    pub(super) fn wake_at(&self, is_ended: bool) -> Nanos {
        let after = if is_ended { Nanos::from_millis(50) } else { self.heartbeat_after };
        let [a, b] = &self.lines;
        self.last_sent.after(after).min(a.faults.wake_at()).min(b.faults.wake_at())
    }

    /// Answers requests for packets; gives how many came. What does not fit one packet is to be asked for again, as the specification has it.
    pub(super) fn answer(
        &mut self,
        history: &History,
        is_up: bool,
        wire: &mut WireCounters,
        faults: &mut FaultCounters,
    ) -> usize {
        let mut request = [0; 64];
        for count in 0..REQUESTS_MAX {
            let (bytes, from) = match self.retransmission.recv_from(&mut request) {
                Ok((length, from)) => (request.get(..length).unwrap_or_default(), from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return count,
                // An answer of before could not be delivered.
                Err(_) => continue,
            };
            if !is_up {
                continue;
            }
            if !self.is_answering {
                faults.unanswered += 1;
                continue;
            }
            let wanted = (bytes.len() == HEADER_BYTES).then(|| header(bytes)).flatten();
            let wanted = wanted.filter(|header| header.session.is_same(history.session()));
            let first = wanted.map_or(0, |header| header.sequence.get());
            let Some(wanted) = wanted.filter(|_| history.message(first).is_some()) else {
                wire.requests_refused += 1;
                continue;
            };
            let mut builder = PacketBuilder::new(*history.session(), first, self.packet_bytes);
            let mut is_sent = false;
            let mut out = |packet: &[u8]| {
                if !is_sent {
                    is_sent = true;
                    let _ = self.retransmission.send_to(packet, from);
                }
            };
            for sequence in (first..).take(usize::from(wanted.count.get().max(1))) {
                let Some(message) = history.message(sequence) else { break };
                let before = builder.waiting();
                let _ = builder.push(message, &mut out);
                if builder.waiting() <= before {
                    break;
                }
            }
            builder.flush(&mut out);
            wire.requests += 1;
        }
        REQUESTS_MAX
    }
}

fn header(packet: &[u8]) -> Option<Header> {
    bytemuck::try_pod_read_unaligned(packet.get(..HEADER_BYTES)?).ok()
}

fn send_all(
    lines: &mut [Line; 2],
    now: Nanos,
    packet: &[u8],
    wire: &mut WireCounters,
    counters: &mut FaultCounters,
) {
    for (index, line) in lines.iter_mut().enumerate() {
        let Line { socket, destinations, faults } = line;
        faults.pass(now, packet, counters, &mut |packet| send(socket, destinations, index, packet, wire));
    }
}

fn send(
    socket: &UdpSocket,
    destinations: &[SocketAddr],
    index: usize,
    packet: &[u8],
    wire: &mut WireCounters,
) {
    for to in destinations {
        let count = match socket.send_to(packet, to) {
            Ok(_) => &mut wire.packets,
            Err(_) => &mut wire.unsent,
        };
        if let Some(count) = count.get_mut(index) {
            *count += 1;
        }
        if let Some(bytes) = wire.bytes.get_mut(index) {
            *bytes += packet.len() as u64;
        }
    }
}

fn line_socket(line: &LineConfig) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    // The system gives what it allows.
    let _ = socket.set_send_buffer_size(SEND_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    if let Some(interface) = line.interface {
        socket.set_multicast_if_v4(&interface)?;
    }
    socket.set_multicast_ttl_v4(line.ttl.unwrap_or(1))?;
    socket.set_multicast_loop_v4(true)?;
    let is_local = line.destinations.iter().all(|to| to.ip().is_loopback());
    let from =
        if is_local && !line.destinations.is_empty() { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    Ok(socket.into())
}
