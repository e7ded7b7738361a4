//! The snapshot client against servers that send anything, over real sockets.

use super::*;
use crate::soup::{Alpha, LoginAccepted, Numeric, Packet};
use proptest::prelude::*;
use std::io::Write;
use std::net::TcpListener;

/// What a server sends on one connection before it closes it.
#[derive(Clone, Debug)]
enum Sends {
    /// Not even the protocol.
    Bytes(Vec<u8>),
    /// The protocol, with anything in it: letter and payload of each packet behind the login.
    Packets(Vec<(u8, Vec<u8>)>),
}

const QUESTION: (u64, u64) = (5, 9);

fn packet(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = [0; 2_048];
    let count = packet.encode(&mut bytes);
    assert!(count > 0);
    bytes[..count].to_vec()
}

fn login() -> Vec<u8> {
    let accepted = LoginAccepted { session: Alpha::new("S").unwrap(), sequence: Numeric::new(1).unwrap() };
    packet(&Packet::LoginAccepted(&accepted))
}

fn end(next: u64) -> Vec<u8> {
    packet(&Packet::Sequenced(format!("G{next:>20}").as_bytes()))
}

impl Sends {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Packets(packets) => {
                let mut bytes = login();
                for (kind, payload) in packets {
                    bytes.extend((payload.len() as u16 + 1).to_be_bytes());
                    bytes.push(*kind);
                    bytes.extend(payload);
                }
                bytes
            }
        }
    }
}

fn sends() -> impl Strategy<Value = Sends> {
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), 1_000..1_100),
        // Nearly an answer to the question, and nearly the end of a snapshot.
        2 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(kind, rest)| {
            [&changes::question(QUESTION.0, QUESTION.1)[..], &[kind], &rest].concat()
        }),
        1 => "G *[0-9a]{0,21}".prop_map(String::into_bytes),
    ];
    let kind = prop_oneof![4 => Just(b'S'), 3 => Just(b'U'), 1 => Just(b'H'), 1 => any::<u8>()];
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Sends::Bytes),
        4 => prop::collection::vec((kind, payload), 0..30).prop_map(Sends::Packets),
    ]
}

/// Polls against a server that sends this on its first connections, and then a good snapshot of two messages. What came of it.
fn fetched(connections: &[Sends]) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let good = [login(), packet(&Packet::Sequenced(b"one")), packet(&Packet::Sequenced(b"")), end(u64::MAX)];
    let scripts: Vec<Vec<u8>> = connections.iter().map(Sends::bytes).chain([good.concat()]).collect();
    let server = std::thread::spawn(move || {
        for script in scripts {
            let (mut socket, _) = listener.accept().unwrap();
            // A client that has heard enough hangs up.
            let _ = socket.write_all(&script);
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut socket, &mut rest);
        }
    });
    let mut snapshots = Snapshots::new(address, ClientConfig::new(Alpha::BLANK, Alpha::BLANK));
    snapshots.ask_about(Nanos::ZERO, QUESTION.0, QUESTION.1);
    let mut buffer = [0; 512];
    let mut now = Nanos::ZERO;
    // Whatever came before the good one is from before the loss, however it looks.
    while snapshots.poll(now, u64::MAX, &mut buffer).is_none() {
        now = now.after(Nanos::from_millis(1));
        assert!(snapshots.bytes.len() <= SNAPSHOT_BYTES_MAX);
        std::thread::sleep(std::time::Duration::from_micros(50));
        assert!(now < Nanos::from_secs(3_600), "it hangs");
    }
    server.join().unwrap();
    let mut messages = Vec::new();
    while let Some(message) = snapshots.message() {
        messages.push(message.to_vec());
        snapshots.advance();
    }
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn whatever_servers_send_the_next_good_snapshot_is_taken_whole(connections in prop::collection::vec(sends(), 0..5)) {
        prop_assert_eq!(fetched(&connections), [&b"one"[..], b""]);
    }
}
