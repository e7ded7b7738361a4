//! The codec on real TotalView-ITCH 5.0 packets of 2023-08-22 (MoldUDP64 over UDP in pcap files), field by field against what tshark made of
//! them: message types that the file samples do not have, and one written by another tool.
#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test stops at the first surprise, and says why it skips"
)]

use flate2::read::GzDecoder;
use spinward_gateways::itch50::{Head, Message, Mpid, Price4, Stock};
use spinward_gateways::mold::Downstream;
use spinward_gateways::pcap::{PcapReader, Transport, decode};
use std::io::Read;
use std::path::Path;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/pcap/");

/// Folder, prefix of the expected file, names.
type Captures = (&'static str, &'static str, &'static [&'static str]);

const CAPTURES: [Captures; 2] = [
    (
        "nasdaq_totalview_itch50_20230822",
        "Nasdaq_Nasdaq.Equities.TotalView.Itch.v5.0.20230822_",
        &[
            "AddOrderNoMPID",
            "AddOrderWithMPID",
            "CrossTrade",
            "LULDAuctionCollar",
            "MarketParticipantPosition",
            "NetOrderImbalanceIndicator",
            "NonCrossTrade",
            "OrderCancel",
            "OrderDelete",
            "OrderExecuted",
            "OrderExecutedWithPrice",
            "OrderReplace",
            "RegSHORestriction",
            "StockTradingAction",
            "SystemEvent",
        ],
    ),
    (
        "nasdaq_totalview_itch50",
        "Nasdaq_Nasdaq.Equities.TotalView.Itch.v5.0_",
        &[
            "AddOrderNoMpidAttributionMessage",
            "MarketParticipantPositionMessage",
            "NetOrderImbalanceIndicatorMessage",
            "OrderDeleteMessage",
            "OrderExecutedMessage",
            "OrderReplaceMessage",
            "StockTradingActionMessage",
        ],
    ),
];

/// The ITCH messages of a pcap file.
fn messages(pcap: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = PcapReader::new(pcap).unwrap();
    let mut messages = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let Ok(Transport::Udp(datagram)) = decode(&frame) else { panic!("frame {}", frame.index) };
        messages.extend(Downstream::parse(datagram.payload).unwrap().messages().map(<[u8]>::to_vec));
    }
    messages
}

/// The fields that tshark lists after each message, as (label, value).
fn dissections(text: &str) -> Vec<Vec<(String, String)>> {
    let mut all: Vec<Vec<(String, String)>> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.contains("Message Type:") {
            lines.next();
            let fields = lines.by_ref().take_while(|line| line.starts_with("            "));
            let field = |line: &str| {
                let (label, value) = line.trim_start().split_once(':').unwrap();
                (label.to_owned(), value.trim().to_owned())
            };
            all.push(fields.map(field).collect());
        }
    }
    all
}

/// Our reading of a message, under the labels and in the order of tshark.
fn reading(message: Message<'_>) -> Vec<(&'static str, String)> {
    let stock = |stock: &Stock| stock.symbol().map_or(String::new(), |s| s.to_string());
    let mpid = |mpid: &Mpid| mpid.symbol().map_or(String::new(), |s| s.to_string());
    let letter = |byte: u8| if byte == b' ' { "<whitespace>".to_owned() } else { (byte as char).to_string() };
    let price = |price: Price4| {
        let units = price.get();
        let text = format!("{}.{:04}", units / 10_000, units % 10_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match message {
        Message::SystemEvent(m) => vec![("Event Code", letter(m.event))],
        Message::TradingAction(m) => vec![
            ("Stock", stock(&m.stock)),
            ("Trading State", letter(m.state)),
            ("Reserved", (m.reserved as char).to_string().trim().to_owned()),
            ("Reason", mpid(&m.reason)),
        ],
        Message::RegSho(m) => vec![("Stock", stock(&m.stock)), ("Reg Sho Action", letter(m.action))],
        Message::ParticipantPosition(m) => vec![
            ("Mpid", mpid(&m.mpid)),
            ("Stock", stock(&m.stock)),
            ("Primary Market Maker", letter(m.primary)),
            ("Market Maker Mode", letter(m.mode)),
            ("Market Participant State", letter(m.state)),
        ],
        Message::LuldCollar(m) => vec![
            ("Stock", stock(&m.stock)),
            ("Auction Collar Reference Price", price(m.reference)),
            ("Upper Auction Collar Price", price(m.upper)),
            ("Lower Auction Collar Price", price(m.lower)),
            ("Auction Collar Extension", m.extension.get().to_string()),
        ],
        Message::AddOrder(m) => vec![
            ("Order Reference Number", m.reference.get().to_string()),
            ("Buy Sell Indicator", letter(m.side)),
            ("Shares", m.shares.get().to_string()),
            ("Stock", stock(&m.stock)),
            ("Price", price(m.price)),
        ],
        Message::AddOrderAttributed(m) => vec![
            ("Order Reference Number", m.reference.get().to_string()),
            ("Buy Sell Indicator", letter(m.side)),
            ("Shares", m.shares.get().to_string()),
            ("Stock", stock(&m.stock)),
            ("Price", price(m.price)),
            ("Attribution", mpid(&m.attribution)),
        ],
        Message::OrderExecuted(m) => vec![
            ("Order Reference Number", m.reference.get().to_string()),
            ("Executed Shares", m.shares.get().to_string()),
            ("Match Number", m.match_number.get().to_string()),
        ],
        Message::OrderExecutedAtPrice(m) => vec![
            ("Order Reference Number", m.reference.get().to_string()),
            ("Executed Shares", m.shares.get().to_string()),
            ("Match Number", m.match_number.get().to_string()),
            ("Printable", letter(m.printable)),
            ("Execution Price", price(m.price)),
        ],
        Message::OrderCancel(m) => vec![
            ("Order Reference Number", m.reference.get().to_string()),
            ("Canceled Shares", m.shares.get().to_string()),
        ],
        Message::OrderDelete(m) => vec![("Order Reference Number", m.reference.get().to_string())],
        Message::OrderReplace(m) => vec![
            ("Original Order Reference Number", m.original.get().to_string()),
            ("New Order Reference Number", m.reference.get().to_string()),
            ("Shares", m.shares.get().to_string()),
            ("Price", price(m.price)),
        ],
        Message::Trade(m) => vec![
            ("Order Reference Number", m.reference.get().to_string()),
            ("Buy Sell Indicator", letter(m.side)),
            ("Shares", m.shares.get().to_string()),
            ("Stock", stock(&m.stock)),
            ("Price", price(m.price)),
            ("Match Number", m.match_number.get().to_string()),
        ],
        Message::CrossTrade(m) => vec![
            ("Cross Shares", m.shares.get().to_string()),
            ("Stock", stock(&m.stock)),
            ("Cross Price", price(m.price)),
            ("Match Number", m.match_number.get().to_string()),
            ("Cross Type", letter(m.cross_type)),
        ],
        Message::Imbalance(m) => vec![
            ("Paired Shares", m.paired_shares.get().to_string()),
            ("Imbalance Shares", m.imbalance_shares.get().to_string()),
            ("Imbalance Direction", letter(m.direction)),
            ("Stock", stock(&m.stock)),
            ("Far Price", price(m.far_price)),
            ("Near Price", price(m.near_price)),
            ("Current Reference Price", price(m.reference_price)),
            ("Cross Type", letter(m.cross_type)),
            ("Price Variation Indicator", letter(m.price_variation)),
        ],
        other => panic!("no capture has a {}", other.kind() as char),
    }
}

/// Minute, second and nanosecond of the hour: the dissector's times are an hour off.
fn within_the_hour(head: &Head) -> String {
    let nanos = head.timestamp.get() % 3_600_000_000_000;
    let seconds = nanos / 1_000_000_000;
    format!("{:02}:{:02}.{:09}", seconds / 60, seconds % 60, nanos % 1_000_000_000)
}

#[test]
fn every_field_of_real_packets_reads_as_the_dissector_reads_it() {
    let mut compared = 0;
    for (folder, prefix, names) in CAPTURES {
        for name in names {
            let pcap = Path::new(DATA).join(folder).join(format!("{name}.pcap"));
            let expected = Path::new(DATA).join("expected").join(format!("{prefix}{name}.txt.gz"));
            let (Ok(pcap), Ok(packed)) = (std::fs::read(&pcap), std::fs::read(&expected)) else {
                println!("SKIPPED: this test needs {} and {}", pcap.display(), expected.display());
                continue;
            };
            let mut text = String::new();
            GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
            let (messages, dissections) = (messages(&pcap), dissections(&text));
            assert_eq!(messages.len(), dissections.len(), "{name}");
            for (bytes, expected) in messages.iter().zip(dissections) {
                let message = Message::parse(bytes).unwrap();
                let head = message.head();
                let value = |index: usize| expected[index].1.as_str();
                assert_eq!(value(0), head.locate.get().to_string(), "{name}");
                assert_eq!(value(1), head.tracking.get().to_string(), "{name}");
                assert!(value(2).ends_with(&within_the_hour(head)), "{name}: {}", value(2));
                let fields = reading(message);
                assert_eq!(fields.len(), expected.len() - 3, "{name}");
                for ((label, ours), (their_label, theirs)) in fields.iter().zip(&expected[3..]) {
                    assert_eq!(label, their_label, "{name}");
                    // A code is shown as its meaning, the letter in brackets.
                    let theirs = match theirs.rsplit_once('(') {
                        Some((_, letter)) => letter.trim_end_matches(')'),
                        None => theirs,
                    };
                    assert_eq!(ours, theirs, "{name}: {label}");
                }
                let mut out = [0u8; 64];
                let length = message.encode(&mut out);
                assert_eq!(&out[..length], bytes);
                compared += 1;
            }
        }
    }
    println!("{compared} messages compared");
}
