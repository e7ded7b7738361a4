//! The bare echo: a packet in by UDP, an order out by TCP, and nothing between but the number of the message.

use super::MESSAGES_PER_ORDER;
use crate::bench::now;
use crate::error::LabError;
use spinward_gateways::exchange::server::tag;
use spinward_gateways::itch50::{Be32, Stock};
use spinward_gateways::mold::{HEADER_BYTES, Header};
use spinward_gateways::ouch50::{
    Appendage, Capacity, ClOrdId, CrossType, Display, EnterOrder, Inbound, OuchPrice, SideCode,
    TimeInForce as Lifetime,
};
use spinward_gateways::soup::{ClientAction, ClientConfig, ClientSession, ClientState, Packet};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Where in the packet of SoupBinTCP an order's own number and its name lie: two bytes of length, two letters, then as OUCH says.
const NUMBER_AT: usize = 4;
const NAME_AT: usize = 34;

/// The socket of its line.
pub(super) struct Echo {
    line: UdpSocket,
}

impl Echo {
    pub(super) fn bind() -> io::Result<Self> {
        let line = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        line.set_nonblocking(true)?;
        Ok(Self { line })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddrV4> {
        match self.line.local_addr()? {
            SocketAddr::V4(address) => Ok(address),
            SocketAddr::V6(_) => Err(ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// Logs in and answers packets for so long.
    pub(super) fn run(
        &self,
        orders: SocketAddr,
        login: &ClientConfig,
        length: Duration,
    ) -> Result<(), LabError> {
        let begin = Instant::now();
        let mut venue = TcpStream::connect(orders).map_err(LabError::failed)?;
        venue.set_nodelay(true).map_err(LabError::failed)?;
        log_in(&mut venue, login)?;
        venue.set_nonblocking(true).map_err(LabError::failed)?;
        let mut order = template()?;
        let (mut packet, mut answers) = ([0; 2_048], vec![0; 65_536]);
        let (mut messages, mut number) = (0, 0u32);
        while begin.elapsed() < length {
            let length = match self.line.recv(&mut packet) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(LabError::failed(error)),
            };
            let header = packet.get(..HEADER_BYTES.min(length));
            let header: Option<Header> =
                header.and_then(|bytes| bytemuck::try_pod_read_unaligned(bytes).ok());
            let Some(header) = header.filter(|header| (1..u16::MAX).contains(&header.count.get())) else {
                continue;
            };
            messages += u64::from(header.count.get());
            if messages < MESSAGES_PER_ORDER {
                continue;
            }
            messages = 0;
            number += 1;
            let name = tag(header.sequence.get()).ok_or_else(|| LabError::failed("too many messages"))?;
            put(&mut order, NUMBER_AT, &number.to_be_bytes())?;
            put(&mut order, NAME_AT, name.bytes())?;
            venue.write_all(&order).map_err(LabError::failed)?;
            // Answers are taken so that they do not pile up; what they say is of no interest here.
            match venue.read(&mut answers) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(LabError::failed(error)),
            }
        }
        Ok(())
    }
}

fn put(order: &mut [u8], at: usize, bytes: &[u8]) -> Result<(), LabError> {
    let place = order.get_mut(at..at + bytes.len());
    place.ok_or_else(|| LabError::failed("the order is too short"))?.copy_from_slice(bytes);
    Ok(())
}

fn log_in(venue: &mut TcpStream, login: &ClientConfig) -> Result<(), LabError> {
    let mut session = ClientSession::new(login.clone());
    let mut out = Vec::new();
    let mut buffer = [0; 1_024];
    let take = |action: ClientAction<'_>, out: &mut Vec<u8>| {
        if let ClientAction::Send(bytes) = action {
            out.extend_from_slice(bytes);
        }
    };
    session.start(now(), &mut |action| take(action, &mut out));
    session.on_connected(now(), &mut |action| take(action, &mut out));
    while session.state() == ClientState::LoggingIn {
        venue.write_all(&std::mem::take(&mut out)).map_err(LabError::failed)?;
        let length = venue.read(&mut buffer).map_err(LabError::failed)?;
        let bytes = buffer.get(..length).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or_else(|| LabError::failed("the exchange closed the connection"))?;
        session.on_bytes(now(), bytes, &mut |action| take(action, &mut out));
    }
    match session.state() {
        ClientState::Live => Ok(()),
        state @ (ClientState::Idle
        | ClientState::Connecting
        | ClientState::LoggingIn
        | ClientState::LoggingOut
        | ClientState::BackingOff
        | ClientState::Ended) => Err(LabError::failed(format!("the login came to {state:?}"))),
    }
}

/// An immediate order at a price at which nobody sells, as the engine's: all but its number and its name.
fn template() -> Result<Vec<u8>, LabError> {
    let refused = || LabError::failed("the order was refused");
    let order = EnterOrder {
        user_ref: Be32::new(0),
        side: SideCode::Buy.code(),
        quantity: Be32::new(1),
        symbol: Stock::new("AAAA").ok_or_else(refused)?,
        price: OuchPrice::new(10_000),
        time_in_force: Lifetime::ImmediateOrCancel.code(),
        display: Display::Visible.code(),
        capacity: Capacity::Principal.code(),
        sweep: b'N',
        cross_type: CrossType::Continuous.code(),
        cl_ord_id: ClOrdId::from_bytes([b' '; 14]),
    };
    let mut payload = [0; 64];
    let length = Inbound::from(&order).encode(Appendage::EMPTY, &mut payload);
    let mut packet = vec![0; 128];
    let length = Packet::Unsequenced(payload.get(..length).unwrap_or_default()).encode(&mut packet);
    packet.truncate(length);
    Ok(packet)
}
