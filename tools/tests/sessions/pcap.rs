//! Sessions on a capture of MoldUDP64: the same market as a file gives the same session, and what the capture lacks is never silent.

use crate::setup::{configuration, digests, replay, run, session_of, text};
use crate::support::Program;
use spinward_engine::words::Nanos;
use spinward_gateways::feed::{MarketFeed, Peek};
use spinward_gateways::mold::{PAYLOAD_BYTES_MAX, PacketBuilder, Session};
use spinward_gateways::synthetic::{SyntheticConfig, SyntheticFeed};
use std::path::Path;

/// Messages of the market.
const MESSAGES: usize = 60_000;

/// The day of the configuration's default market: midnight in New York.
const MIDNIGHT_SECONDS: u64 = 1_767_589_200;

/// ITCH messages with their own time, the market that the built-in instruments are made for.
fn market() -> Vec<(u64, Vec<u8>)> {
    let midnight = Nanos::from_secs(MIDNIGHT_SECONDS as i64);
    let config = SyntheticConfig { midnight, ..SyntheticConfig::default() };
    let mut feed = SyntheticFeed::new(&config).unwrap();
    let mut messages = Vec::new();
    while messages.len() < MESSAGES {
        let Peek::Message(message) = feed.peek() else { panic!("it ends after {}", messages.len()) };
        let bytes = message.bytes.to_vec();
        let mut time = [0; 8];
        time[2..].copy_from_slice(&bytes[5..11]);
        messages.push((MIDNIGHT_SECONDS * 1_000_000_000 + u64::from_be_bytes(time), bytes));
        feed.advance();
    }
    messages
}

fn write_file(path: &Path, messages: &[(u64, Vec<u8>)]) {
    let mut file = Vec::new();
    for (_, bytes) in messages {
        file.extend((bytes.len() as u16).to_be_bytes());
        file.extend(bytes);
    }
    std::fs::write(path, file).unwrap();
}

/// One packet a message, on both lines, each without what `is_lost` names (line 0 or 1, number from 1).
fn write_capture(path: &Path, messages: &[(u64, Vec<u8>)], is_lost: impl Fn(usize, usize) -> bool) {
    let mut file = 0xa1b2_3c4du32.to_le_bytes().to_vec();
    file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0]);
    for (index, (time, bytes)) in messages.iter().enumerate() {
        for line in (0..2).filter(|line| !is_lost(*line, index + 1)) {
            let mut builder =
                PacketBuilder::new(Session::new("20260105A").unwrap(), index as u64 + 1, PAYLOAD_BYTES_MAX);
            let mut payload = Vec::new();
            let mut send = |packet: &[u8]| payload = packet.to_vec();
            builder.push(bytes, &mut send).unwrap();
            builder.flush(&mut send);
            let mut frame = vec![0; 12];
            frame.extend([0x81, 0x00, 0, 7, 0x08, 0x00, 0x45, 0]);
            frame.extend((28 + payload.len() as u16).to_be_bytes());
            frame.extend([0, 0, 0x40, 0, 1, 17, 0, 0, 10, 0, 0, 1, 239, 0, 0, 1 + line as u8]);
            frame.extend([0x0f, 0xa0, 0x67, 0x6d]);
            frame.extend((8 + payload.len() as u16).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(&payload);
            let (seconds, nanos) = ((time / 1_000_000_000) as u32, (time % 1_000_000_000) as u32);
            for number in [seconds, nanos, frame.len() as u32, frame.len() as u32] {
                file.extend(number.to_le_bytes());
            }
            file.extend(frame);
        }
    }
    std::fs::write(path, file).unwrap();
}

#[test]
fn a_capture_gives_the_session_that_the_same_messages_in_a_file_give_and_a_hole_in_it_stops_trading() {
    let program = Program::new();
    let config = configuration(&program, &[("duration = \"10s\"", "#duration = \"10s\"")]);
    let messages = market();
    write_file(&program.path("market.itch50"), &messages);
    // Each line lacks what the other one has.
    write_capture(&program.path("whole.pcap"), &messages, |line, number| number % 7 == line && number > 1);
    write_capture(&program.path("hole.pcap"), &messages, |_, number| (20_000..20_010).contains(&number));
    let session = |feed: &str| {
        let words = ["--config", text(&config), "--feed", feed, "--date", "2026-01-05", "--pace", "max"];
        run(&program, &words)
    };
    let file = session("itch50:market.itch50");
    assert!(file["orders"].as_u64().unwrap() > 20 && file["fills"].as_u64().unwrap() > 0, "{file}");
    let whole = session("pcap:whole.pcap");
    assert_eq!(digests(&whole), digests(&file));
    assert_eq!(whole["gaps"], 0);

    let holed = session("pcap:hole.pcap");
    assert_eq!(holed["gaps"], 1, "{holed}");
    assert!(holed["orders"].as_u64().unwrap() < file["orders"].as_u64().unwrap(), "{holed}");
    for topology in ["fused", "split"] {
        let again = replay(&program, &session_of(&program, &holed), topology);
        assert_eq!(digests(&again), digests(&holed), "{topology}");
    }

    // Books of both captures, change by change: nothing is said of any symbol behind the hole.
    let best = |capture: &str| {
        let words =
            ["book", "--format", "pcap", "--date", "2026-01-05", "--symbol", "*", "--out", "-", capture];
        program.run(&words).with_code(0)
    };
    let (whole, holed) = (best("whole.pcap"), best("hole.pcap"));
    let rows = |csv: &str| csv.lines().map(str::to_owned).collect::<Vec<_>>();
    let (whole, holed_rows) = (rows(&whole.out), rows(&holed.out));
    assert!(holed.err.contains("1 gaps"), "{}", holed.err);
    let same = whole.iter().zip(&holed_rows).take_while(|(a, b)| a == b).count();
    assert!(same > 100 && same < whole.len());
    let quotes_behind = holed_rows.iter().skip(same).filter(|row| !row.ends_with(",,,,"));
    assert_eq!(quotes_behind.count(), 0, "a quarantined book has no quote");
}
