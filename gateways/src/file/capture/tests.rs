//! Captures that are made here, packet by packet.

use crate::feed::{MarketFeed, Peek};
use crate::file::{FileFeed, FileFormat, FileSpec};
use crate::itch50::{Be16, Be64};
use crate::mold::{Header, PAYLOAD_BYTES_MAX, PacketBuilder, Session};
use crate::notice::Notice;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use tempfile::TempDir;

const A: &str = "233.54.12.111:26477";
const B: &str = "233.49.196.111:26477";
const OTHER: &str = "10.0.0.9:5000";

fn session() -> Session {
    Session::new("TEST000001").unwrap()
}

/// An Ethernet frame with so many VLAN tags round a datagram.
fn frame(tags: usize, to: &str, payload: &[u8], fragment: u16) -> Vec<u8> {
    let to: SocketAddrV4 = to.parse().unwrap();
    let mut bytes = vec![0; 12];
    for tag in 0..tags {
        bytes.extend(if tag == 0 { [0x88, 0xa8] } else { [0x81, 0x00] });
        bytes.extend([0, 7]);
    }
    bytes.extend([0x08, 0x00, 0x45, 0]);
    bytes.extend((28 + payload.len() as u16).to_be_bytes());
    bytes.extend([0x12, 0x34]);
    bytes.extend(fragment.to_be_bytes());
    bytes.extend([1, 17, 0, 0, 10, 0, 0, 1]);
    bytes.extend(to.ip().octets());
    bytes.extend(4_000u16.to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend((8 + payload.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes
}

/// A MoldUDP64 packet of messages `first` to `last`, each its number as ASCII.
fn packet(first: u64, last: u64) -> Vec<u8> {
    let mut packet = Vec::new();
    let mut builder = PacketBuilder::new(session(), first, PAYLOAD_BYTES_MAX);
    let mut send = |bytes: &[u8]| packet = bytes.to_vec();
    for number in first..=last {
        builder.push(number.to_string().as_bytes(), &mut send).unwrap();
    }
    builder.flush(&mut send);
    packet
}

struct Capture {
    folder: TempDir,
    bytes: Vec<u8>,
}

impl Capture {
    fn new() -> Self {
        let mut bytes = 0xa1b2_3c4du32.to_le_bytes().to_vec();
        bytes.extend([2, 0, 4, 0]);
        bytes.extend([0; 8]);
        bytes.extend(65_535u32.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        Self { folder: tempfile::tempdir().unwrap(), bytes }
    }

    /// `time` in milliseconds.
    fn frame(mut self, time: u32, frame: &[u8]) -> Self {
        for number in [time / 1_000, time % 1_000 * 1_000_000, frame.len() as u32, frame.len() as u32] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(frame);
        self
    }

    fn packet(self, time: u32, to: &str, packet: &[u8]) -> Self {
        self.frame(time, &frame(1, to, packet, 0))
    }

    /// Messages with their time in milliseconds, notices in words, and the error at the end.
    fn read(&self, lines: &[&str]) -> (Vec<(i64, String)>, Option<String>) {
        let path: PathBuf = self.folder.path().join("made.pcap");
        std::fs::write(&path, &self.bytes).unwrap();
        let format =
            FileFormat::MoldCapture { lines: lines.iter().map(|line| line.parse().unwrap()).collect() };
        let mut feed = FileFeed::open(&FileSpec::new(format, vec![path])).unwrap();
        let mut told = Vec::new();
        loop {
            match feed.peek() {
                Peek::Message(message) => {
                    let what = match Notice::parse(message.bytes) {
                        Some(notice) => format!("{notice:?}"),
                        None => String::from_utf8(message.bytes.to_vec()).unwrap(),
                    };
                    told.push((message.receive_time.get() / 1_000_000, what));
                    feed.advance();
                }
                Peek::NotYet => std::thread::yield_now(),
                Peek::End => return (told, None),
                Peek::Failed(error) => return (told, Some(error.what.clone())),
            }
        }
    }
}

fn numbers(from: u64, to: u64, time: i64) -> Vec<(i64, String)> {
    (from..=to).map(|number| (time, number.to_string())).collect()
}

#[test]
fn two_lines_with_holes_of_their_own_give_every_message_once_at_the_time_of_its_capture() {
    let capture = Capture::new()
        .packet(1_000, A, &packet(5, 6))
        .packet(1_001, B, &packet(5, 6))
        .packet(1_002, B, &packet(7, 8))
        .packet(1_003, B, &packet(9, 9))
        .packet(1_004, A, &packet(9, 9))
        .frame(1_005, &frame(2, A, &packet(10, 10), 0));
    let (told, error) = capture.read(&[]);
    assert_eq!(error, None);
    let expected = [numbers(5, 6, 1_000), numbers(7, 8, 1_002), numbers(9, 9, 1_003), numbers(10, 10, 1_005)];
    assert_eq!(told, expected.concat());
}

#[test]
fn what_no_line_has_is_told_where_it_is_missing() {
    let capture = Capture::new()
        .packet(1_000, A, &packet(1, 2))
        .packet(1_001, A, &packet(5, 5))
        .packet(1_010, A, &packet(6, 6))
        .packet(1_011, A, &packet(9, 9));
    let (told, error) = capture.read(&[]);
    assert_eq!(error, None);
    let mut expected = numbers(1, 2, 1_000);
    expected.push((1_010, "Lost { first: 3, next: 5 }".to_owned()));
    expected.extend(numbers(5, 6, 1_010));
    // The capture ends while 7 and 8 could still come: nothing of what was captured is kept back.
    expected.push((1_011, "Lost { first: 7, next: 9 }".to_owned()));
    expected.extend(numbers(9, 9, 1_011));
    assert_eq!(told, expected);
}

#[test]
fn a_heartbeat_that_shows_missing_messages_and_a_packet_that_is_none_are_told() {
    let heartbeat = Header { session: session(), sequence: Be64::new(4), count: Be16::new(0) };
    let capture = Capture::new().packet(1_000, A, &packet(1, 2)).packet(1_001, A, &[1, 2, 3]).packet(
        1_002,
        A,
        bytemuck::bytes_of(&heartbeat),
    );
    let (told, error) = capture.read(&[A]);
    assert_eq!(error, None);
    let mut expected = numbers(1, 2, 1_000);
    expected.push((1_001, "Malformed { line: 0 }".to_owned()));
    expected.push((1_002, "Lost { first: 3, next: 4 }".to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn a_fragment_ends_the_feed_and_says_which_frame_it_is() {
    let capture = Capture::new()
        .packet(1_000, A, &packet(1, 2))
        .frame(1_001, &frame(0, A, &packet(3, 4), 0x2000))
        .packet(1_002, A, &packet(5, 6));
    let (told, error) = capture.read(&[]);
    assert_eq!(told, numbers(1, 2, 1_000));
    let error = error.unwrap();
    assert!(
        error.contains("made.pcap: frame 2: fragment of IPv4 datagram 0x1234")
            && error.contains("fit the MTU"),
        "{error}"
    );
}

#[test]
fn a_third_destination_is_asked_about_and_lines_that_are_named_are_all_that_counts() {
    let capture = Capture::new()
        .packet(1_000, A, &packet(1, 2))
        .packet(1_001, B, &packet(1, 2))
        .packet(1_002, OTHER, b"who knows")
        .packet(1_003, A, &packet(3, 3));
    let (told, error) = capture.read(&[]);
    assert_eq!(told, numbers(1, 2, 1_000));
    let error = error.unwrap();
    assert!(error.contains(&format!("feed.lines = [\"{A}\", \"{B}\"]")), "{error}");
    let (told, error) = capture.read(&[A, B]);
    assert_eq!(error, None);
    assert_eq!(told, [numbers(1, 2, 1_000), numbers(3, 3, 1_003)].concat());
}

#[test]
fn a_capture_that_is_cut_gives_everything_before_the_cut() {
    let mut capture = Capture::new().packet(1_000, A, &packet(1, 2)).packet(1_001, A, &packet(3, 4));
    capture.bytes.truncate(capture.bytes.len() - 3);
    let (told, error) = capture.read(&[]);
    assert_eq!(told, numbers(1, 2, 1_000));
    assert!(error.unwrap().contains("the file was not written to its end"));
}
