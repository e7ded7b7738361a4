//! From a frame to what it carries: Ethernet with up to two VLAN tags, IPv4, UDP or TCP.

use super::reader::{Frame, LinkType};
use std::net::{Ipv4Addr, SocketAddrV4};

/// A UDP datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpDatagram<'a> {
    /// Sender.
    pub source: SocketAddrV4,
    /// Receiver, or group.
    pub destination: SocketAddrV4,
    /// What it carries.
    pub payload: &'a [u8],
}

/// A TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Sender.
    pub source: SocketAddrV4,
    /// Receiver.
    pub destination: SocketAddrV4,
    /// Of its first byte (of the SYN, if it is one).
    pub sequence: u32,
    /// It opens the stream.
    pub is_syn: bool,
    /// It ends the stream.
    pub is_fin: bool,
    /// It breaks the connection.
    pub is_reset: bool,
    /// What it carries.
    pub payload: &'a [u8],
}

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport<'a> {
    /// A datagram.
    Udp(UdpDatagram<'a>),
    /// A segment.
    Tcp(Segment<'a>),
    /// Something else: ARP, IPv6, ICMP, …
    Other,
}

/// Why a frame cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkError {
    /// Fewer bytes than its headers say.
    #[error(
        "packet is cut in its {part}: {needed} bytes are to be there, {found} were captured; capture whole packets (tcpdump -s 0)"
    )]
    Truncated {
        /// In what.
        part: &'static str,
        /// What should be there.
        needed: usize,
        /// What is.
        found: usize,
    },
    /// One piece of a datagram.
    #[error(
        "fragment of IPv4 datagram {id:#06x} (offset {offset}, {}): fragments are not put together; send packets that fit the MTU",
        if *.is_last { "the last" } else { "more follow" }
    )]
    Fragment {
        /// Of the datagram.
        id: u16,
        /// Bytes before this piece.
        offset: u16,
        /// None follows.
        is_last: bool,
    },
    /// A length that cannot be.
    #[error("{part} says a length of {length}")]
    Length {
        /// What.
        part: &'static str,
        /// What it says.
        length: usize,
    },
    /// More than two tags.
    #[error("more than two VLAN tags")]
    Tags,
    /// A kind of link that is not read.
    #[error("link type {0} is not read; capture on Ethernet, or on all interfaces (\"any\")")]
    LinkType(u32),
}

/// Finds what a frame carries.
///
/// # Errors
/// [`LinkError`].
pub fn decode<'a>(frame: &Frame<'a>) -> Result<Transport<'a>, LinkError> {
    let bytes = frame.bytes;
    let (kind, packet) = match frame.link {
        LinkType::Ethernet => ethernet(bytes)?,
        LinkType::RawIp => (0x0800, bytes),
        LinkType::LinuxSll => {
            let (head, packet) = split::<16>(bytes, "link header")?;
            (be16(head, 14), packet)
        }
        LinkType::LinuxSll2 => {
            let (head, packet) = split::<20>(bytes, "link header")?;
            (be16(head, 0), packet)
        }
        LinkType::Other(other) => return Err(LinkError::LinkType(other)),
    };
    // Version 6 comes with raw IP without a type of its own.
    if kind != 0x0800 || packet.first().is_some_and(|first| first >> 4 == 6) {
        return Ok(Transport::Other);
    }
    ipv4(packet)
}

/// Type and payload behind the tags.
fn ethernet(bytes: &[u8]) -> Result<(u16, &[u8]), LinkError> {
    let (head, mut packet) = split::<14>(bytes, "Ethernet header")?;
    let mut kind = be16(head, 12);
    let mut tags = 0;
    // 802.1Q, 802.1ad, and what was used before it.
    while matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
        if tags == 2 {
            return Err(LinkError::Tags);
        }
        tags += 1;
        let (tag, rest) = split::<4>(packet, "VLAN tag")?;
        (kind, packet) = (be16(tag, 2), rest);
    }
    Ok((kind, packet))
}

fn ipv4(bytes: &[u8]) -> Result<Transport<'_>, LinkError> {
    let (head, _) = split::<20>(bytes, "IPv4 header")?;
    let (first, total) = (head[0], usize::from(be16(head, 2)));
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < 20 {
        return Err(LinkError::Length { part: "IPv4 header", length: header });
    }
    if total < header {
        return Err(LinkError::Length { part: "IPv4 packet", length: total });
    }
    // Behind the total length lie padding, checksum and the trailers that switches add.
    let cut = LinkError::Truncated { part: "IPv4 packet", needed: total, found: bytes.len() };
    let payload = bytes.get(header..total).ok_or(cut)?;
    let fragment = be16(head, 6);
    let (has_more, offset) = (fragment & 0x2000 != 0, (fragment & 0x1fff) << 3);
    if has_more || offset > 0 {
        return Err(LinkError::Fragment { id: be16(head, 4), offset, is_last: !has_more });
    }
    let [.., a, b, c, d, e, f, g, h] = *head;
    let (source, destination) = (Ipv4Addr::new(a, b, c, d), Ipv4Addr::new(e, f, g, h));
    match head[9] {
        17 => udp(payload, source, destination),
        6 => tcp(payload, source, destination),
        _ => Ok(Transport::Other),
    }
}

fn udp(bytes: &[u8], source: Ipv4Addr, destination: Ipv4Addr) -> Result<Transport<'_>, LinkError> {
    let (head, _) = split::<8>(bytes, "UDP header")?;
    let length = usize::from(be16(head, 4));
    if length < 8 {
        return Err(LinkError::Length { part: "UDP datagram", length });
    }
    let cut = LinkError::Truncated { part: "UDP datagram", needed: length, found: bytes.len() };
    Ok(Transport::Udp(UdpDatagram {
        source: SocketAddrV4::new(source, be16(head, 0)),
        destination: SocketAddrV4::new(destination, be16(head, 2)),
        payload: bytes.get(8..length).ok_or(cut)?,
    }))
}

fn tcp(bytes: &[u8], source: Ipv4Addr, destination: Ipv4Addr) -> Result<Transport<'_>, LinkError> {
    let (head, _) = split::<20>(bytes, "TCP header")?;
    let header = usize::from(head[12] >> 4) * 4;
    if header < 20 {
        return Err(LinkError::Length { part: "TCP header", length: header });
    }
    let flags = head[13];
    let cut = LinkError::Truncated { part: "TCP header", needed: header, found: bytes.len() };
    Ok(Transport::Tcp(Segment {
        source: SocketAddrV4::new(source, be16(head, 0)),
        destination: SocketAddrV4::new(destination, be16(head, 2)),
        sequence: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
        is_syn: flags & 0x02 != 0,
        is_fin: flags & 0x01 != 0,
        is_reset: flags & 0x04 != 0,
        payload: bytes.get(header..).ok_or(cut)?,
    }))
}

fn split<'a, const N: usize>(
    bytes: &'a [u8],
    part: &'static str,
) -> Result<(&'a [u8; N], &'a [u8]), LinkError> {
    bytes.split_first_chunk::<N>().ok_or(LinkError::Truncated { part, needed: N, found: bytes.len() })
}

/// Two bytes of a header at a constant offset inside of it.
fn be16<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk::<2>()).map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
