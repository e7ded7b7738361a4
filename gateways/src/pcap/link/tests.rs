use super::*;
use proptest::prelude::*;
use spinward_engine::words::Nanos;

fn udp_packet(payload: &[u8]) -> Vec<u8> {
    let total = 28 + payload.len() as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 233, 54, 12, 111]);
    packet.extend(15_300u16.to_be_bytes());
    packet.extend(26_477u16.to_be_bytes());
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend_from_slice(payload);
    packet
}

fn tcp_packet(payload: &[u8], flags: u8) -> Vec<u8> {
    let mut packet = vec![0x46, 0];
    packet.extend((44 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 1]);
    packet.extend([0x1f, 0x43, 0xa5, 0x25, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    packet.extend_from_slice(payload);
    packet
}

fn ethernet(tags: &[u16], kind: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 141]);
    }
    frame.extend(kind.to_be_bytes());
    frame.extend_from_slice(packet);
    frame
}

fn read(link: LinkType, bytes: &[u8]) -> Result<Transport<'_>, LinkError> {
    decode(&Frame { index: 0, time: Nanos::ZERO, link, bytes, wire_bytes: bytes.len() })
}

fn is_hello(read: Result<Transport<'_>, LinkError>) -> bool {
    let source = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 15_300);
    let destination = SocketAddrV4::new(Ipv4Addr::new(233, 54, 12, 111), 26_477);
    read == Ok(Transport::Udp(UdpDatagram { source, destination, payload: b"hello" }))
}

#[test]
fn a_datagram_is_found_behind_tags_and_on_other_links_and_trailers_are_no_part_of_it() {
    let packet = udp_packet(b"hello");
    let with_trailer = [&packet[..], b"padding and checksum"].concat();
    for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100], &[0x9100, 0x8100]] {
        assert!(is_hello(read(LinkType::Ethernet, &ethernet(tags, 0x0800, &with_trailer))));
    }
    assert!(is_hello(read(LinkType::RawIp, &packet)));
    let sll = [&[0; 14][..], &[8, 0], &packet].concat();
    assert!(is_hello(read(LinkType::LinuxSll, &sll)));
    let sll2 = [&[8, 0][..], &[0; 18], &packet].concat();
    assert!(is_hello(read(LinkType::LinuxSll2, &sll2)));
}

#[test]
fn a_segment_says_its_flags_and_its_payload_behind_all_options() {
    let bytes = [&tcp_packet(b"abc", 0x07)[..], b"trailer"].concat();
    let Ok(Transport::Tcp(segment)) = read(LinkType::RawIp, &bytes) else { panic!("no segment") };
    assert_eq!((segment.sequence, segment.payload), (9, &b"abc"[..]));
    assert!(segment.is_syn && segment.is_fin && segment.is_reset);
    assert_eq!((segment.source.port(), segment.destination.port()), (8_003, 42_277));
}

#[test]
fn other_protocols_are_other() {
    assert_eq!(read(LinkType::Ethernet, &ethernet(&[], 0x0806, &[0; 28])), Ok(Transport::Other));
    assert_eq!(read(LinkType::RawIp, &[0x60; 40]), Ok(Transport::Other));
    let mut icmp = udp_packet(b"");
    icmp[9] = 1;
    assert_eq!(read(LinkType::RawIp, &icmp), Ok(Transport::Other));
}

#[test]
fn fragments_are_refused_with_what_to_do() {
    let mut first = udp_packet(b"hello");
    first[6] = 0x20;
    let refused = read(LinkType::RawIp, &first).unwrap_err();
    assert_eq!(refused, LinkError::Fragment { id: 0x1234, offset: 0, is_last: false });
    let mut last = udp_packet(b"hello");
    last[6..8].copy_from_slice(&[0, 185]);
    assert_eq!(
        read(LinkType::RawIp, &last).unwrap_err().to_string(),
        "fragment of IPv4 datagram 0x1234 (offset 1480, the last): fragments are not put together; send packets that fit the MTU"
    );
}

#[test]
fn packets_cut_by_the_capture_or_with_lengths_that_cannot_be_say_so() {
    let frame = ethernet(&[0x8100], 0x0800, &udp_packet(b"hello"));
    for length in 0..frame.len() {
        let error = read(LinkType::Ethernet, &frame[..length]).unwrap_err();
        assert!(matches!(error, LinkError::Truncated { .. }), "{length}: {error}");
        assert!(error.to_string().contains("tcpdump -s 0"));
    }
    let mut short = udp_packet(b"");
    short[25] = 7;
    assert_eq!(read(LinkType::RawIp, &short), Err(LinkError::Length { part: "UDP datagram", length: 7 }));
    let mut tiny = udp_packet(b"");
    tiny[0] = 0x44;
    assert_eq!(read(LinkType::RawIp, &tiny), Err(LinkError::Length { part: "IPv4 header", length: 16 }));
    let tags = ethernet(&[0x88a8, 0x8100, 0x8100], 0x0800, &[]);
    assert_eq!(read(LinkType::Ethernet, &tags), Err(LinkError::Tags));
    assert_eq!(read(LinkType::Other(127), &[]), Err(LinkError::LinkType(127)));
}

proptest! {
    #[test]
    fn any_frame_is_read_or_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        at in 0usize..60,
        byte: u8,
    ) {
        for link in [LinkType::Ethernet, LinkType::RawIp, LinkType::LinuxSll, LinkType::LinuxSll2] {
            let _ = read(link, &bytes);
        }
        for packet in [udp_packet(b"hello"), tcp_packet(b"hello", 0)] {
            let mut packet = packet;
            let at = at % packet.len();
            packet[at] = byte;
            let _ = read(LinkType::RawIp, &packet);
        }
    }
}
