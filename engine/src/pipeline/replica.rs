//! [`Replica`]: all stages on the thread that calls, frame by frame, without rings, and their state as bytes.
//!
//! The stages are those of a pipeline and are called in the same order, so a replica that is given a session's frames is, after each of them, in the state that the
//! session was in. Orders go nowhere. For whoever follows a session's journal: snapshots, recovery.

use super::agent::StageStamp;
use super::lane::{BookLane, Head, Lane, RiskLane, StrategyLane, StrategyLanes, strategy_lanes};
use super::runtime::Stages;
use super::taps::{SlotSink, SlotView};
use crate::normalizer::has_payload;
use crate::risk::{Egress, Outbound};
use crate::state::{Snapshot, StateError, StateReader, StateWriter};
use crate::strategy::Unsaved;
use crate::words::Frame;

/// All stages of a session and what lies between them.
pub struct Replica {
    stages: Stages,
    head: Box<Head>,
    book_lane: Box<BookLane>,
    strategy_lanes: Box<[Lane<StrategyLane>]>,
    risk_lane: Box<RiskLane>,
}

/// Where orders go.
struct Nowhere;

impl Egress for Nowhere {
    fn send(&mut self, _: &Outbound) -> bool {
        true
    }
}

impl Replica {
    /// Of these stages.
    pub fn new(stages: Stages) -> Self {
        Self {
            head: Box::new(Head::vacant()),
            book_lane: Box::new(BookLane::vacant()),
            strategy_lanes: strategy_lanes(stages.runners.len()),
            risk_lane: Box::new(RiskLane::vacant()),
            stages,
        }
    }

    /// Takes the next frame, and shows the tap what came of it. True if the frame completed a message: the replica stands between two messages then.
    pub fn frame(&mut self, frame: &Frame, tap: &mut impl SlotSink) -> bool {
        let Self { stages, head, book_lane, strategy_lanes, risk_lane } = self;
        if !stages.normalizer.on_frame(frame) {
            return false;
        }
        let batch = stages.normalizer.batch();
        let mut payloads = batch.payloads().iter();
        for event in batch.events() {
            let payload = if has_payload(event.kind()) { payloads.next() } else { None };
            head.set(event, payload, frame.header.stamp, StageStamp::default());
            stages.book.on_event(event, &mut book_lane.output);
            let view = book_lane.output.view();
            for (runner, lane) in stages.runners.iter_mut().zip(strategy_lanes.iter_mut()) {
                runner.on_event(event, &head.payload, view, &mut lane.get_mut().batch);
            }
            let strategies = StrategyLanes::owned(strategy_lanes);
            stages.risk.on_event(
                event,
                &head.payload,
                view,
                frame.header.stamp,
                strategies.iter().map(|lane| &lane.batch),
                &mut risk_lane.batch,
                &mut Nowhere,
            );
            risk_lane.state = stages.risk.state();
            tap.slot(&SlotView::new(head, book_lane, strategies, risk_lane));
        }
        true
    }

    /// The stages as they stand.
    pub const fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Appends the state of every stage. Between two messages.
    ///
    /// # Errors
    /// [`Unsaved`]: a strategy does not save its state.
    pub fn save(&self, state: &mut StateWriter) -> Result<(), Unsaved> {
        let Stages { normalizer, book, runners, risk } = &self.stages;
        state.section(b"normaliz", |state| normalizer.save(state));
        state.section(b"books\0\0\0", |state| book.save(state));
        state.count(runners.len());
        for runner in runners {
            let mut saved = Ok(());
            state.section(b"strategs", |state| saved = runner.save(state));
            saved?;
        }
        state.section(b"risk\0\0\0\0", |state| risk.save(state));
        Ok(())
    }

    /// Takes over what [`Replica::save`] wrote. The stages were just made, from the same configuration.
    ///
    /// # Errors
    /// [`StateError`] if it is no state of these stages; the replica is of no use then.
    pub fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let Stages { normalizer, book, runners, risk } = &mut self.stages;
        state.section(b"normaliz", |state| normalizer.load(state))?;
        state.section(b"books\0\0\0", |state| book.load(state))?;
        let same = state.u64()? == runners.len() as u64;
        state.demand(same, "another number of strategy cores")?;
        for runner in runners {
            state.section(b"strategs", |state| runner.load(state))?;
        }
        state.section(b"risk\0\0\0\0", |state| risk.load(state))
    }
}
