//! Notices against books: what is lost quarantines, what a snapshot tells releases.

use super::*;
use crate::feed::{MarketFeed, Peek};
use crate::itch50::{Itch50Config, Itch50Decoder, locate};
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
        Notice::Concerned { locate: 7 },
        Notice::Unconcerned { next: 9 },
        Notice::SymbolBegin { locate: u16::MAX },
        Notice::SymbolEnd { locate: 1, next: 10 },
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

/// Who joined a stream that ran traded on books of which half was told: a clear quarantines no book that was never anything.
#[test]
fn a_book_that_a_snapshot_is_the_first_to_tell_of_is_not_free_before_the_snapshot_is_whole() {
    let messages = market(1_000);
    let mut books = Books::new();
    books.take(&Notice::SnapshotBegin.encode());
    for message in &messages {
        books.take(message);
        assert_eq!(books.quarantined(), books.views.len());
    }
    assert_eq!(books.views.len(), 3);
    books.take(&Notice::SnapshotEnd { next: 1_001 }.encode());
    assert_eq!(books.quarantined(), 0);
}

#[test]
fn a_loss_that_concerns_one_symbol_leaves_the_others_their_books_and_its_part_of_a_snapshot_brings_it_back() {
    let messages = market(2_000);
    let (mut whole, mut holed) = (Books::new(), Books::new());
    messages.iter().for_each(|message| whole.take(message));
    let is_of = |message: &Vec<u8>, wanted: u16| locate(message) == wanted;
    for message in &messages[..1_000] {
        holed.take(message);
    }
    let known = holed.views.len();
    assert_eq!((known, holed.quarantined()), (3, 0));
    holed.take(&Notice::Lost { first: 1_001, next: 1_501 }.encode());
    // Whom the lost messages are about is known: symbol 2. (Here the other two lose nothing.)
    holed.take(&Notice::Concerned { locate: 2 }.encode());
    assert_eq!(holed.views[&1].flags & BookView::QUARANTINED, BookView::QUARANTINED);
    holed.take(&Notice::Unconcerned { next: 1_501 }.encode());
    let in_quarantine = |books: &Books| -> Vec<u32> {
        let views = books.views.iter();
        views.filter(|(_, view)| view.flags & BookView::QUARANTINED != 0).map(|(id, _)| *id).collect()
    };
    assert_eq!(in_quarantine(&holed), [1], "the others are released at once");
    for message in messages[1_000..].iter().filter(|message| !is_of(message, 2)) {
        holed.take(message);
        assert_eq!(in_quarantine(&holed), [1]);
    }
    // A symbol that nobody has heard of before is not in quarantine.
    let stranger = {
        let mut add = messages.iter().find(|message| message[0] == b'A').unwrap().clone();
        add[1..3].copy_from_slice(&40u16.to_be_bytes());
        add[24..32].copy_from_slice(b"STRANGER");
        add
    };
    holed.take(&stranger);
    assert_eq!(in_quarantine(&holed), [1]);
    holed.take(&Notice::SymbolBegin { locate: 2 }.encode());
    for message in messages.iter().filter(|message| is_of(message, 2) && message[0] != b'R') {
        holed.take(message);
        assert_eq!(in_quarantine(&holed), [1], "not released before it is whole");
    }
    holed.take(&Notice::SymbolEnd { locate: 2, next: 2_001 }.encode());
    assert_eq!(in_quarantine(&holed), Vec::<u32>::new());
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
