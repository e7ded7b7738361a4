//! Notices against books: what is lost quarantines, what a snapshot tells releases.

use super::*;
use crate::feed::{MarketFeed, Peek};
use crate::itch50::{Itch50Config, Itch50Decoder};
use crate::synthetic::{SyntheticConfig, SyntheticFeed};
use proptest::prelude::*;
use spinward_engine::book::{BookConfig, BookOutput, BookStage};
use spinward_engine::normalizer::Normalizer;
use spinward_engine::words::{BookView, Frame, FrameHeader, FrameKind};
use std::collections::BTreeMap;

/// Books behind a normalizer, and the last view of each.
struct Books {
    normalizer: Normalizer,
    stage: BookStage,
    output: BookOutput,
    views: BTreeMap<u32, BookView>,
    frames: u64,
}

impl Books {
    fn new() -> Self {
        let config =
            BookConfig { instruments_max: 16, orders_max: 4_096, levels_max: 4_096, ..BookConfig::default() };
        let decoder = NoticeDecoder::new(Itch50Decoder::new(Itch50Config::default()), SourceId::new(0));
        Self {
            normalizer: Normalizer::new(vec![Box::new(decoder)], InstrumentTable::with_capacity(16)),
            stage: BookStage::new(&config).unwrap(),
            output: BookOutput::vacant(),
            views: BTreeMap::new(),
            frames: 0,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.frames += 1;
        let mut frame = Frame::vacant();
        frame.header = FrameHeader {
            sequence: self.frames,
            kind: FrameKind::Market as u8,
            bytes: bytes.len() as u16,
            ..FrameHeader::default()
        };
        frame.payload[..bytes.len()].copy_from_slice(bytes);
        assert!(self.normalizer.on_frame(&frame));
        for event in self.normalizer.batch().events() {
            self.stage.on_event(event, &mut self.output);
            if let Some(view) = self.output.view() {
                self.views.insert(view.instrument.get(), *view);
            }
        }
    }

    fn quarantined(&self) -> usize {
        self.views.values().filter(|view| view.flags & BookView::QUARANTINED != 0).count()
    }
}

fn market(messages: usize) -> Vec<Vec<u8>> {
    let mut feed =
        SyntheticFeed::new(&SyntheticConfig { symbols: 3, live_orders: 300, ..SyntheticConfig::default() })
            .unwrap();
    let mut taken = Vec::new();
    while taken.len() < messages {
        let Peek::Message(message) = feed.peek() else { panic!("a synthetic market does not end so early") };
        taken.push(message.bytes.to_vec());
        feed.advance();
    }
    taken
}

#[test]
fn a_notice_is_read_as_it_was_written_and_nothing_else_is_one() {
    for notice in [
        Notice::Lost { first: 7, next: 9 },
        Notice::Malformed { line: 1 },
        Notice::SnapshotBegin,
        Notice::SnapshotEnd { next: u64::MAX },
        Notice::EndOfSession { next: 1 },
    ] {
        assert!(Notice::is_one(&notice.encode()));
        assert_eq!(Notice::parse(&notice.encode()), Some(notice));
    }
    assert!(!Notice::is_one(b"A") && !Notice::is_one(b""));
    assert_eq!(Notice::parse(&[9; NOTICE_BYTES]), None);
}

#[test]
fn what_is_lost_quarantines_every_book_and_a_snapshot_releases_every_book_with_what_it_told() {
    let messages = market(2_000);
    let (mut whole, mut holed) = (Books::new(), Books::new());
    for message in &messages {
        whole.take(message);
    }
    for message in &messages[..1_000] {
        holed.take(message);
    }
    assert_eq!(holed.quarantined(), 0);
    holed.take(&Notice::Lost { first: 1_001, next: 1_501 }.encode());
    for message in &messages[1_500..] {
        holed.take(message);
    }
    assert_eq!(holed.quarantined(), holed.views.len(), "every book that has spoken since is quarantined");
    // The snapshot: every order that rests, as it stands at the end of the stream.
    holed.take(&Notice::SnapshotBegin.encode());
    assert_eq!(holed.quarantined(), holed.views.len());
    for message in &messages {
        holed.take(message);
        assert!(holed.normalizer.batch().events().iter().all(|event| event.has(Event::SNAPSHOT)));
    }
    assert_eq!(holed.quarantined(), holed.views.len(), "not released before it is whole");
    holed.take(&Notice::SnapshotEnd { next: 2_001 }.encode());
    assert_eq!(holed.quarantined(), 0);
    assert_eq!(holed.views.len(), whole.views.len());
    for (id, view) in &whole.views {
        let other = &holed.views[id];
        assert_eq!((view.bids(), view.asks()), (other.bids(), other.asks()), "instrument {id}");
    }
}

proptest! {
    #[test]
    fn whatever_the_bytes_there_is_an_event_and_no_panic(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..50)) {
        let mut books = Books::new();
        for message in messages {
            books.take(&message);
            prop_assert!(!books.normalizer.batch().events().is_empty());
        }
    }
}
