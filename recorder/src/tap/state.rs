//! What of the tap belongs to the session's state: the running digests, and where the next checkpoint is due.

use super::SessionTap;
use crate::digests::{DigestSnapshot, DigestValue, StageDigests};
use spinward_engine::state::{Snapshot, StateError, StateReader, StateWriter};
use spinward_engine::words::{Digest, Nanos, TradingState};

impl Snapshot for SessionTap {
    fn save(&self, state: &mut StateWriter) {
        let Self {
            clock: _,
            digests,
            audit: _,
            latency: _,
            orders: _,
            checkpoints: _,
            keeps_checkpoints: _,
            next_checkpoint,
            frame,
            receive_time,
            state: trading,
            written: _,
            unsafe_frames: _,
            marked: _,
            safe: _,
            outcome: _,
            changes: _,
        } = self;
        state.pod(&digests.snapshot());
        state.u64(*next_checkpoint);
        state.u64(*frame);
        state.i64(receive_time.get());
        state.u8(*trading as u8);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let digests: DigestSnapshot = state.pod()?;
        let of = |DigestValue { value, records }| Digest::resumed(value, records);
        self.digests = StageDigests {
            events: of(digests.events),
            views: of(digests.views),
            intents: of(digests.intents),
            verdicts: of(digests.verdicts),
            reports: of(digests.reports),
        };
        self.next_checkpoint = state.u64()?;
        self.frame = state.u64()?;
        state.demand(self.next_checkpoint > self.frame, "a checkpoint that was due before")?;
        self.receive_time = Nanos::new(state.i64()?);
        self.state = state.number(TradingState::from_number)?;
        Ok(())
    }
}
