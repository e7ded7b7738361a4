//! A replica over the frames of a session, saved at a frame and gone on with in another one.

use crate::session::Session;
use spinward_engine::book::BookStage;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::pipeline::{Replica, SinkAnswer, SlotSink, SlotView, Stages};
use spinward_engine::risk::Risk;
use spinward_engine::state::{StateReader, StateWriter};
use spinward_engine::words::{Digest, Frame};

/// Digests of events, views, intents and verdicts.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Digests([Digest; 4]);

impl SlotSink for Digests {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let [events, views, intents, verdicts] = &mut self.0;
        events.add(bytemuck::bytes_of(&slot.head().event));
        if let Some(view) = slot.view() {
            views.add(
                bytemuck::bytes_of(view)
                    .get(..std::mem::offset_of!(spinward_engine::words::BookView, bids))
                    .unwrap(),
            );
            views.add(bytemuck::cast_slice(view.bids()));
            views.add(bytemuck::cast_slice(view.asks()));
        }
        for lane in slot.strategies() {
            lane.batch.intents().iter().for_each(|intent| intents.add(bytemuck::bytes_of(intent)));
        }
        slot.risk().batch.verdicts().iter().for_each(|verdict| verdicts.add(bytemuck::bytes_of(verdict)));
        SinkAnswer::Kept
    }
}

fn replica(session: &Session) -> Replica {
    Replica::new(Stages {
        normalizer: Normalizer::new(vec![session.decoder()], session.table()),
        book: BookStage::new(&session.book()).unwrap(),
        runners: session.runners(),
        risk: Risk::new(&session.risk(), &session.table()).unwrap(),
    })
}

fn saved(replica: &Replica) -> Vec<u8> {
    let mut state = StateWriter::new();
    replica.save(&mut state).unwrap();
    state.into_bytes()
}

/// What differs if the session is saved each `every` frames, loaded into new stages and gone on with there.
pub(crate) fn difference(session: &Session, frames: &[Frame], every: u64) -> Option<String> {
    let (mut whole, mut expected) = (replica(session), Digests::default());
    let (mut carried, mut found) = (replica(session), Digests::default());
    let mut due = every;
    for frame in frames {
        let is_whole = whole.frame(frame, &mut expected);
        carried.frame(frame, &mut found);
        let sequence = frame.header.sequence;
        if expected != found {
            return Some(format!("another digest at frame {sequence}, saved each {every}"));
        }
        if is_whole && sequence >= due {
            due = sequence + every;
            let bytes = saved(&carried);
            if bytes != saved(&whole) {
                return Some(format!("other bytes of the same state at frame {sequence}"));
            }
            let mut next = replica(session);
            let mut reader = StateReader::new(&bytes);
            if let Err(error) = next.load(&mut reader).and_then(|()| reader.finish()) {
                return Some(format!("frame {sequence}: {error}"));
            }
            if saved(&next) != bytes {
                return Some(format!("a state that was loaded is saved otherwise at frame {sequence}"));
            }
            carried = next;
        }
    }
    None
}

/// Loads the state after all frames, cut or with another first tag: refused. With a byte changed anywhere it may be taken or refused, but nothing panics.
pub(crate) fn assert_refused(session: &Session, frames: &[Frame], every: u64) {
    let mut whole = replica(session);
    frames.iter().for_each(|frame| {
        whole.frame(frame, &mut Digests::default());
    });
    let bytes = saved(&whole);
    let mut foreign = bytes.clone();
    foreign[0] ^= 0x81;
    assert!(replica(session).load(&mut StateReader::new(&foreign)).is_err(), "another tag");
    for round in 1..=16u64 {
        let at = (round.wrapping_mul(every).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % bytes.len();
        assert!(replica(session).load(&mut StateReader::new(&bytes[..at])).is_err(), "cut at {at}");
        let mut changed = bytes.clone();
        changed[at] ^= 0x81;
        let mut loaded = replica(session);
        if loaded.load(&mut StateReader::new(&changed)).is_ok() {
            // A number that could be: then the stages go on, whatever they make of it.
            frames.iter().take(200).for_each(|frame| {
                loaded.frame(frame, &mut Digests::default());
            });
        }
    }
}
