//! Captures, MoldUDP64, SoupBinTCP and OUCH 5.0 on real packets: every layer field by field against what tshark made of them, and every layer
//! written back byte for byte.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at the first surprise"
)]

mod wire_captures {
    pub(crate) mod dissection;
}

use spinward_gateways::itch50::Message;
use spinward_gateways::mold::{Downstream, Kind, PAYLOAD_BYTES_MAX, PacketBuilder, PacketError};
use spinward_gateways::ouch50::{
    Accepted, CancelOrder, Canceled, Element, EnterOrder, Inbound, MESSAGE_BYTES_MAX, Option50, OuchPrice,
    Outbound,
};
use spinward_gateways::pcap::{Frame, PcapReader, Segment, TcpStream, Transport, UdpDatagram, decode};
use spinward_gateways::soup::{Packet, PacketStream};
use wire_captures::dissection::{Dissection, captures, data};

/// Calls `check` with every frame of a folder's captures and tshark's reading of it; gives how many there were.
fn each_frame(folder: &str, prefix: &str, mut check: impl FnMut(&str, &Frame<'_>, &Dissection)) -> usize {
    let mut count = 0;
    for (name, file, dissections) in captures(folder, prefix) {
        let mut reader = PcapReader::new(file.as_slice()).unwrap();
        let mut dissections = dissections.into_iter();
        while let Some(frame) = reader.next_frame().unwrap() {
            let dissection = dissections.next().unwrap();
            let nanos = frame.time.get();
            let epoch = format!("{}.{:09} seconds", nanos / 1_000_000_000, nanos % 1_000_000_000);
            assert_eq!(dissection.value("Epoch Time"), epoch, "{name}");
            assert_eq!(dissection.number("Frame Number"), frame.index + 1, "{name}");
            assert_eq!(dissection.number("Frame Length"), frame.wire_bytes as u64, "{name}");
            assert_eq!(dissection.number("Capture Length"), frame.bytes.len() as u64, "{name}");
            check(&name, &frame, &dissection);
            count += 1;
        }
        assert!(dissections.next().is_none(), "{name}");
    }
    count
}

fn udp<'a>(frame: &Frame<'a>, dissection: &Dissection) -> UdpDatagram<'a> {
    let Ok(Transport::Udp(datagram)) = decode(frame) else { panic!("{:?}", decode(frame)) };
    assert_eq!(dissection.value("Source Address"), datagram.source.ip().to_string());
    assert_eq!(dissection.value("Destination Address"), datagram.destination.ip().to_string());
    assert_eq!(dissection.number("Source Port"), u64::from(datagram.source.port()));
    assert_eq!(dissection.number("Destination Port"), u64::from(datagram.destination.port()));
    assert_eq!(dissection.number("Length"), datagram.payload.len() as u64 + 8);
    datagram
}

fn tcp<'a>(frame: &Frame<'a>, dissection: &Dissection) -> Segment<'a> {
    let Ok(Transport::Tcp(segment)) = decode(frame) else { panic!("{:?}", decode(frame)) };
    assert_eq!(dissection.value("Source Address"), segment.source.ip().to_string());
    assert_eq!(dissection.value("Destination Address"), segment.destination.ip().to_string());
    assert_eq!(dissection.number("Source Port"), u64::from(segment.source.port()));
    assert_eq!(dissection.number("Destination Port"), u64::from(segment.destination.port()));
    assert_eq!(dissection.value("Sequence Number (raw)"), segment.sequence.to_string());
    assert_eq!(dissection.value("[TCP Segment Len"), format!("{}]", segment.payload.len()));
    assert!(!segment.is_syn && !segment.is_fin && !segment.is_reset);
    segment
}

#[test]
fn real_itch_packets_are_read_through_all_layers_and_written_back_byte_for_byte() {
    for (folder, prefix, expected) in [
        ("nasdaq_totalview_itch50_20230822", "Nasdaq_Nasdaq.Equities.TotalView.Itch.v5.0.20230822_", 71),
        ("nasdaq_totalview_itch50", "Nasdaq_Nasdaq.Equities.TotalView.Itch.v5.0_", 7),
    ] {
        let count = each_frame(folder, prefix, |name, frame, dissection| {
            let payload = udp(frame, dissection).payload;
            let packet = Downstream::parse(payload).unwrap();
            let header = packet.header();
            let session = header.session.to_string();
            let session = if session.is_empty() { "No Value" } else { &session };
            assert_eq!(dissection.value("Session"), session, "{name}");
            assert_eq!(dissection.number("Sequence Number"), header.sequence.get(), "{name}");
            assert_eq!(dissection.number("Message Count"), u64::from(packet.count()), "{name}");
            assert_eq!(packet.kind(), Kind::Data);
            let mut builder = PacketBuilder::new(header.session, header.sequence.get(), PAYLOAD_BYTES_MAX);
            let mut lengths = dissection.values("Message Length");
            let mut types = dissection.values("Message Type");
            for message in packet.messages() {
                assert_eq!(lengths.next().unwrap(), message.len().to_string(), "{name}");
                let kind = types.next().unwrap().rsplit_once('(').unwrap().1.as_bytes()[0];
                let read = Message::parse(message).unwrap();
                assert_eq!(read.kind(), kind, "{name}");
                let mut out = [0; 64];
                let length = read.encode(&mut out);
                assert_eq!(&out[..length], message, "{name}");
                builder.push(&out[..length], &mut |_| panic!("one packet")).unwrap();
            }
            assert_eq!((lengths.next(), types.next()), (None, None));
            let mut written = Vec::new();
            builder.flush(&mut |bytes| written = bytes.to_vec());
            assert_eq!(written, payload, "{name}");
        });
        assert!(count == expected || count == 0, "{folder}: {count} packets");
    }
}

#[test]
fn real_packets_of_another_venue_are_found_in_their_frames() {
    let count = each_frame("cme_mdp3_v1.9", "Cme_Mdp3.Sbe.v1.9_", |name, frame, dissection| {
        let payload = udp(frame, dissection).payload;
        // The binary packet header begins with the sequence, little-endian.
        let sequence = u32::from_le_bytes(payload[..4].try_into().unwrap());
        assert_eq!(dissection.number("Packet Sequence Number"), u64::from(sequence), "{name}");
    });
    assert!(count >= 4 || count == 0, "{count} packets");
}

/// Reads like tshark's fields: label and value, codes as their letter.
type Fields = Vec<(&'static str, String)>;

fn letter(byte: u8) -> String {
    (byte as char).to_string()
}

fn price(price: OuchPrice) -> String {
    let text = format!("{price:?}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn symbol(symbol: &spinward_gateways::itch50::Stock) -> String {
    symbol.symbol().unwrap().to_string()
}

/// Minute, second and nanosecond of the hour: the dissector's times are an hour off.
fn within_the_hour(nanos: u64) -> String {
    let nanos = nanos % 3_600_000_000_000;
    let seconds = nanos / 1_000_000_000;
    format!("{:02}:{:02}.{:09}", seconds / 60, seconds % 60, nanos % 1_000_000_000)
}

fn entered(m: &EnterOrder) -> Fields {
    vec![
        ("User Ref Num", m.user_ref.get().to_string()),
        ("Side", letter(m.side)),
        ("Quantity", m.quantity.get().to_string()),
        ("Symbol", symbol(&m.symbol)),
        ("Price", price(m.price)),
        ("Time In Force", letter(m.time_in_force)),
        ("Display", letter(m.display)),
        ("Capacity", letter(m.capacity)),
        ("Inter Market Sweep Eligibility", letter(m.sweep)),
        ("Cross Type", letter(m.cross_type)),
        ("ClOrdId", String::from_utf8(m.cl_ord_id.trimmed().to_vec()).unwrap()),
    ]
}

fn accepted(m: &Accepted) -> Fields {
    vec![
        ("Timestamp", within_the_hour(m.timestamp.get())),
        ("User Ref Num", m.user_ref.get().to_string()),
        ("Side", letter(m.side)),
        ("Quantity", m.quantity.get().to_string()),
        ("Symbol", symbol(&m.symbol)),
        ("Price", price(m.price)),
        ("Time In Force", letter(m.time_in_force)),
        ("Display", letter(m.display)),
        ("Order Reference Number", m.reference.get().to_string()),
        ("Capacity", letter(m.capacity)),
        ("Inter Market Sweep Eligibility", letter(m.sweep)),
        ("Cross Type", letter(m.cross_type)),
        ("Order State", letter(m.state)),
        ("ClOrdId", String::from_utf8(m.cl_ord_id.trimmed().to_vec()).unwrap()),
    ]
}

fn canceled(m: &Canceled) -> Fields {
    vec![
        ("Timestamp", within_the_hour(m.timestamp.get())),
        ("User Ref Num", m.user_ref.get().to_string()),
        ("Quantity", m.quantity.get().to_string()),
        ("Cancel Order Reason", letter(m.reason)),
    ]
}

fn cancel(m: &CancelOrder) -> Fields {
    vec![("User Ref Num", m.user_ref.get().to_string()), ("Quantity", m.quantity.get().to_string())]
}

fn options(elements: impl Iterator<Item = Element<'static>>) -> Fields {
    let mut fields = Vec::new();
    for element in elements {
        let Element::Known(option) = element else { panic!("{element:?}") };
        fields.push(("Optional Field", option.tag().to_string()));
        fields.push(match option {
            Option50::Firm(firm) => ("Firm", firm.symbol().unwrap().to_string()),
            Option50::BboWeight(weight) => ("Bbo Weight Indicator", letter(weight)),
            other => panic!("no capture has {other:?}"),
        });
    }
    fields
}

/// A message of OUCH as its fields, and its bytes written anew.
fn ouch(payload: &'static [u8], is_inbound: bool) -> (Fields, Vec<u8>) {
    let mut out = [0; MESSAGE_BYTES_MAX];
    let (mut fields, appendage, length) = if is_inbound {
        let (message, appendage) = Inbound::parse(payload).unwrap();
        let fields = match message {
            Inbound::EnterOrder(m) => entered(m),
            Inbound::CancelOrder(m) => cancel(m),
            other => panic!("no capture has {other:?}"),
        };
        (fields, appendage, message.encode(appendage, &mut out))
    } else {
        let (message, appendage) = Outbound::parse(payload).unwrap();
        let fields = match message {
            Outbound::Accepted(m) => accepted(m),
            Outbound::Canceled(m) => canceled(m),
            other => panic!("no capture has {other:?}"),
        };
        (fields, appendage, message.encode(appendage, &mut out))
    };
    fields.extend(options(appendage.elements()));
    (fields, out[..length].to_vec())
}

/// The label of ours that a label of tshark's is; `None` for what is not of the message.
fn ours(label: &str) -> Option<&str> {
    if label.ends_with(" Optional Field") {
        return Some("Optional Field");
    }
    let not_a_field = label.ends_with("Message") || label.ends_with("Appendage") || label.ends_with("Length");
    (!not_a_field).then_some(label)
}

#[test]
fn real_orders_are_read_through_all_layers_and_written_back_byte_for_byte() {
    let count =
        each_frame("nasdaq_ouch50_soupbintcp", "Nasdaq_Nasdaq.Nsm.Ouch.v5.0_", |name, frame, dissection| {
            let mut stream = TcpStream::new(0);
            let mut bytes = Vec::new();
            let segment = tcp(frame, dissection);
            stream.on_segment(&segment, &mut |piece| bytes.extend_from_slice(piece)).unwrap();
            let bytes: &'static [u8] = bytes.leak();
            assert_eq!(dissection.number("Packet Length"), bytes.len() as u64 - 2, "{name}");
            let mut packets = PacketStream::new(200);
            let (packet, rest) = packets.next(bytes).unwrap().unwrap();
            assert!(rest.is_empty());
            let kind = dissection.value("Packet Type").rsplit_once('(').unwrap().1.as_bytes()[0];
            assert_eq!(packet.kind(), kind, "{name}");
            let (fields, written) = match packet {
                // As it lies in the leaked bytes, behind length and type.
                Packet::Unsequenced(_) => ouch(&bytes[3..], true),
                Packet::Sequenced(_) => ouch(&bytes[3..], false),
                Packet::ClientHeartbeat | Packet::ServerHeartbeat => (Vec::new(), Vec::new()),
                other => panic!("no capture has {other:?}"),
            };
            let mut out = [0; 200];
            let anew = match packet {
                Packet::Unsequenced(_) => Packet::Unsequenced(&written),
                Packet::Sequenced(_) => Packet::Sequenced(&written),
                other => other,
            };
            let length = anew.encode(&mut out);
            assert_eq!(&out[..length], bytes, "{name}");

            let theirs = dissection.after("Message Type");
            let theirs = theirs.iter().filter_map(|(label, value)| ours(label).map(|label| (label, value)));
            let mut mine = fields.iter();
            for (label, value) in theirs {
                let (our_label, our_value) =
                    mine.next().unwrap_or_else(|| panic!("{name}: {label} is missing"));
                assert_eq!(label, *our_label, "{name}");
                // A code is shown as its meaning, the letter in brackets; a time with its date.
                let value = match value.rsplit_once('(') {
                    Some((_, letter)) => letter.trim_end_matches(')'),
                    None => value,
                };
                let is_same =
                    if label == "Timestamp" { value.ends_with(our_value) } else { value == our_value };
                assert!(is_same, "{name}: {label} is {our_value}, tshark says {value}");
            }
            assert_eq!(mine.next(), None, "{name}");
        });
    assert!(count == 6 || count == 0, "{count} packets");
}

#[test]
fn a_file_of_packets_whose_last_message_is_cut_gives_two_packets_and_says_where_the_third_ends() {
    let Some(file) = data("moldudp64/mold.sample.dat") else { return };
    let mut rest = file.as_slice();
    let mut packets = Vec::new();
    let error = loop {
        match Downstream::split(rest) {
            Ok((packet, after)) => {
                packets.push(packet.count());
                rest = after;
            }
            Err(error) => break error,
        }
    };
    let PacketError::Message { index, count, needed, found, .. } = error else { panic!("{error:?}") };
    assert_eq!((packets.len(), index + 1, needed - found), (2, count, 5));
    println!("{} packets of {packets:?} messages, then: {error}", packets.len());
}
