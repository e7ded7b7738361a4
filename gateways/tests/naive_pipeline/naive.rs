//! The naive pipeline: one function call after the other, no ring, no thread, naive books, naive risk.

use crate::market::NaiveMarket;
use crate::seen::{Said, Seen, Spoken};
use crate::session::Session;
use spinward_engine::book::{BookOutput, NaiveBookStage};
use spinward_engine::normalizer::{Normalizer, Payload, has_payload};
use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::naive::NaiveRisk;
use spinward_engine::risk::{Outbound, VerdictBatch};
use spinward_engine::strategy::{IntentBatch, StrategyRunner};
use spinward_engine::words::{FRAME_PAYLOAD_BYTES, Frame, FrameHeader, TradingState};

pub(crate) struct NaivePipeline {
    normalizer: Normalizer,
    book: NaiveBookStage,
    runners: Vec<StrategyRunner>,
    risk: NaiveRisk,
    state: TradingState,
    sequence: u64,
    seen: Seen,
}

impl NaivePipeline {
    fn new(session: &Session) -> Self {
        Self {
            normalizer: Normalizer::new(vec![session.decoder()], session.table()),
            book: NaiveBookStage::new(&session.book()).unwrap(),
            runners: session.runners(),
            risk: NaiveRisk::new(&session.risk(), &session.table()).unwrap(),
            state: TradingState::Normal,
            sequence: 0,
            seen: Seen::default(),
        }
    }

    /// The session, simulated anew.
    pub(crate) fn simulate(session: &Session) -> Seen {
        let mut simulation = session.simulation(NaiveMarket::new(&session.book()), 1);
        let mut pipeline = Self::new(session);
        let mut idle = 0;
        loop {
            let (header, bytes) = match simulation.next(pipeline.sequence) {
                Next::Message(message) => (
                    FrameHeader {
                        receive_time: message.receive_time,
                        source: message.source,
                        kind: message.kind as u8,
                        ..FrameHeader::default()
                    },
                    message.bytes.to_vec(),
                ),
                // The feed of a generated session has no disk to wait for, but the synthetic one may be asked twice.
                Next::Wait | Next::WaitForEngine => {
                    idle += 1;
                    assert!(idle < 1_000, "the simulation waits for an engine that has done everything");
                    continue;
                }
                Next::End => break,
            };
            idle = 0;
            let mut out = Vec::new();
            let mut chunks = bytes.chunks(FRAME_PAYLOAD_BYTES).peekable();
            let mut chunk = chunks.next().unwrap_or(&[]);
            let mut frames = Vec::new();
            loop {
                let mut frame = Frame { header, ..Frame::vacant() };
                frame.header.sequence = pipeline.sequence + 1 + frames.len() as u64;
                frame.header.bytes = chunk.len() as u16;
                frame.payload[..chunk.len()].copy_from_slice(chunk);
                let next = chunks.next();
                frame.header.flags = if next.is_some() { FrameHeader::MORE } else { 0 };
                frames.push(frame);
                match next {
                    Some(next) => chunk = next,
                    None => break,
                }
            }
            simulation.advance(pipeline.sequence + frames.len() as u64);
            for frame in &frames {
                pipeline.on_frame(frame, &mut out);
            }
            for outbound in &out {
                simulation.submit(outbound);
            }
        }
        assert_eq!(simulation.failure(), None);
        pipeline.seen
    }

    /// What the stages make of these frames.
    pub(crate) fn replay(session: &Session, frames: &[Frame]) -> Seen {
        let mut pipeline = Self::new(session);
        for frame in frames {
            pipeline.on_frame(frame, &mut Vec::new());
        }
        pipeline.seen
    }

    fn on_frame(&mut self, frame: &Frame, out: &mut Vec<Outbound>) {
        self.sequence = frame.header.sequence;
        self.seen.frames.push(*frame);
        if !self.normalizer.on_frame(frame) {
            return;
        }
        let batch = self.normalizer.batch();
        let mut payloads = batch.payloads().iter();
        for event in batch.events() {
            let payload =
                if has_payload(event.kind()) { *payloads.next().unwrap() } else { Payload::default() };
            let mut view = BookOutput::vacant();
            self.book.on_event(event, &mut view);
            let mut intents = Vec::new();
            for runner in &mut self.runners {
                let mut batch = IntentBatch::new();
                runner.on_event(event, &payload, view.view(), &mut batch);
                intents.push(batch);
            }
            let mut verdicts = VerdictBatch::new();
            self.risk.on_event(event, &payload, view.view(), 0, intents.iter(), &mut verdicts, out);
            let mut say = |said| self.seen.spoken.push(Spoken { frame: event.frame, said });
            for (core, batch) in intents.iter().enumerate() {
                batch.intents().iter().for_each(|intent| say(Said::Intent(core, *intent)));
            }
            verdicts.verdicts().iter().for_each(|verdict| say(Said::Verdict(*verdict)));
            if self.risk.state() != self.state {
                self.state = self.risk.state();
                say(Said::State(self.state));
            }
        }
    }
}
