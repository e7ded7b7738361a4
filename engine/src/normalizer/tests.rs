use super::*;
use crate::words::{CommandKind, FrameHeader, Symbol, TradingState};

struct Echo(Vec<usize>);

impl Decoder for Echo {
    fn decode(&mut self, _: &MessageMeta, bytes: &[u8], _: &mut InstrumentTable, out: &mut EventBatch) {
        self.0.push(bytes.len());
        for &byte in bytes.iter().take(3) {
            out.push(Event { a: u64::from(byte), ..Event::new(EventKind::Trade, InstrumentId::new(0)) });
        }
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}

fn frame(sequence: u64, kind: FrameKind, bytes: &[u8], more: bool) -> Frame {
    let mut frame = Frame::vacant();
    frame.header = FrameHeader {
        sequence,
        receive_time: Nanos::new(sequence as i64),
        kind: kind as u8,
        bytes: bytes.len() as u16,
        flags: u16::from(more),
        ..FrameHeader::default()
    };
    frame.payload[..bytes.len()].copy_from_slice(bytes);
    frame
}

fn normalizer() -> Normalizer {
    Normalizer::new(vec![Box::new(Echo(Vec::new()))], InstrumentTable::with_capacity(1))
}

#[test]
fn only_the_last_event_of_a_frame_ends_it() {
    let mut normalizer = normalizer();
    assert!(normalizer.on_frame(&frame(9, FrameKind::Market, b"abc", false)));
    let ends: Vec<bool> = normalizer.batch().events().iter().map(|e| e.has(Event::END_OF_FRAME)).collect();
    assert_eq!(ends, [false, false, true]);
    assert!(normalizer.batch().events().iter().all(|e| e.frame == 9 && e.receive_time.get() == 9));
}

#[test]
fn chained_frames_are_one_message_and_the_next_one_starts_afresh() {
    let mut normalizer = normalizer();
    assert!(!normalizer.on_frame(&frame(1, FrameKind::Market, &[1; 96], true)));
    assert!(!normalizer.on_frame(&frame(2, FrameKind::Market, &[2; 96], true)));
    assert!(normalizer.on_frame(&frame(3, FrameKind::Market, &[3; 5], false)));
    assert_eq!(normalizer.batch().events().len(), 3);
    assert_eq!(normalizer.batch().events()[0].frame, 3);
    assert!(normalizer.on_frame(&frame(4, FrameKind::Market, &[], false)));
    assert_eq!(normalizer.batch().events()[0].kind(), EventKind::Ignored, "an empty message is not silent");
    assert_eq!(normalizer.counters().messages.value(), 2);
    assert_eq!(normalizer.counters().frames.value(), 4);
}

#[test]
fn a_message_over_the_maximum_is_malformed_and_the_next_one_is_read() {
    let mut normalizer = normalizer();
    for sequence in 0..(MESSAGE_BYTES_MAX / 96 + 1) as u64 {
        assert!(!normalizer.on_frame(&frame(sequence, FrameKind::Market, &[0; 96], true)));
    }
    assert!(normalizer.on_frame(&frame(99_999, FrameKind::Market, &[0; 96], false)));
    let event = normalizer.batch().events()[0];
    assert_eq!((event.kind(), event.a), (EventKind::Malformed, DecodeError::TooLarge as u64));
    assert!(normalizer.on_frame(&frame(100_000, FrameKind::Market, b"x", false)));
    assert_eq!(normalizer.batch().events()[0].kind(), EventKind::Trade);
}

#[test]
fn control_records_pass_through_whole() {
    let mut normalizer = normalizer();
    let command = Command::new(
        CommandKind::Kill,
        TradingState::Halted,
        Symbol::new("desk").unwrap(),
        "fat finger \u{1F4A5}",
    );
    assert!(normalizer.on_frame(&frame(1, FrameKind::Operator, bytemuck::bytes_of(&command), false)));
    assert_eq!(bytemuck::cast::<Payload, Command>(normalizer.batch().payloads()[0]), command);
    assert!(normalizer.on_frame(&frame(2, FrameKind::Report, &[0; 95], false)));
    assert_eq!(normalizer.batch().events()[0].kind(), EventKind::Malformed);
}

#[test]
fn unknown_kinds_and_sources_are_malformed() {
    let mut normalizer = normalizer();
    let mut strange = frame(1, FrameKind::Market, b"x", false);
    strange.header.kind = 200;
    assert!(normalizer.on_frame(&strange));
    assert_eq!(normalizer.batch().events()[0].kind(), EventKind::Malformed);
    strange.header.kind = FrameKind::Market as u8;
    strange.header.source = SourceId::new(5);
    assert!(normalizer.on_frame(&strange));
    assert_eq!(normalizer.batch().events()[0].kind(), EventKind::Malformed);
}
