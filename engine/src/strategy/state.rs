//! The strategies of a core as bytes: what the runner keeps for each, and what each says of itself.

use super::context::StrategyState;
use super::runner::{Running, StrategyRunner};
use super::{Origin, Saved};
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{RecoveredKind, RecoveredRecord, StrategyId};

/// Most bytes that a strategy can carry over to a later session.
pub const CARRIED_BYTES_MAX: usize = 1 << 16;

/// Bytes of a state in one [`RecoveredRecord`]: its first eight fields.
const PART_BYTES: usize = 64;

/// Set in the flags of a state's last record.
const LAST: u8 = 1;

/// A strategy that does not save its state.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("strategy `{name}` does not save its state (it has no `Strategy::save`)")]
pub struct Unsaved {
    /// Its name.
    pub name: String,
}

impl StrategyRunner {
    /// Appends the state of every strategy, and the last view of what they look at.
    ///
    /// # Errors
    /// [`Unsaved`] if one of them does not save its own. What was appended is then of no use.
    pub fn save(&self, state: &mut StateWriter) -> Result<(), Unsaved> {
        let Self { running, watch, table: _, counters } = self;
        state.count(running.len());
        for (strategy, counters) in running.iter().zip(&counters.strategies) {
            let Running { strategy, state: kept, carried } = strategy;
            save_kept(kept, state);
            state.count(carried.len());
            state.raw(carried);
            let mut saved = Saved::Unsupported;
            state.section(b"strategy", |state| saved = strategy.save(state));
            if saved == Saved::Unsupported {
                return Err(Unsaved { name: counters.name.clone() });
            }
        }
        watch.save(state);
        Ok(())
    }

    /// Takes over what [`StrategyRunner::save`] wrote. `self` was just made, from the same configuration.
    ///
    /// # Errors
    /// [`StateError`] if it is no state of these strategies.
    pub fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let same = state.u64()? == self.running.len() as u64;
        state.demand(same, "other strategies")?;
        for running in &mut self.running {
            load_kept(&mut running.state, state)?;
            let carried = state.count(CARRIED_BYTES_MAX)?;
            running.carried.extend_from_slice(state.bytes(carried)?);
            let strategy = &mut running.strategy;
            state.section(b"strategy", |state| strategy.load(state, Origin::Snapshot))?;
        }
        self.watch.load(state)
    }

    /// What its strategies leave to a later session, as records that enter it: of those that save a state of at most [`CARRIED_BYTES_MAX`]. The names of the others
    /// are in `begin_anew`.
    pub fn carried(&self, begin_anew: &mut Vec<String>) -> Vec<RecoveredRecord> {
        let mut records = Vec::new();
        for (running, counters) in self.running.iter().zip(&self.counters.strategies) {
            let mut state = StateWriter::new();
            let saved = running.strategy.save(&mut state);
            let bytes = state.into_bytes();
            if saved == Saved::Unsupported || bytes.len() > CARRIED_BYTES_MAX {
                begin_anew.push(counters.name.clone());
            } else {
                records.extend(parts(running.state.id, &bytes));
            }
        }
        records
    }
}

/// A state in records.
fn parts(strategy: StrategyId, bytes: &[u8]) -> impl Iterator<Item = RecoveredRecord> {
    // A state without bytes is one, too.
    let count = bytes.len().div_ceil(PART_BYTES).max(1);
    (0..count).map(move |part| {
        let mut record = RecoveredRecord {
            strategy,
            kind_number: RecoveredKind::StrategyState as u8,
            flags: if part + 1 == count { LAST } else { 0 },
            ..RecoveredRecord::default()
        };
        let chunk = bytes.chunks(PART_BYTES).nth(part).unwrap_or(&[]);
        // At most 64.
        record.side_number = chunk.len() as u8;
        for (to, from) in bytemuck::bytes_of_mut(&mut record).iter_mut().zip(chunk) {
            *to = *from;
        }
        record
    })
}

impl Running {
    /// One more record of its state; with the last one the strategy takes it over. False if it does not fit, or the strategy refuses it: it then is as `load` left
    /// it.
    pub(super) fn carry(&mut self, record: &RecoveredRecord, origin: Origin) -> bool {
        let count = usize::from(record.side_number);
        let Some(part) = bytemuck::bytes_of(record).get(..count).filter(|_| count <= PART_BYTES) else {
            return false;
        };
        if self.carried.len() + count > CARRIED_BYTES_MAX {
            return false;
        }
        self.carried.extend_from_slice(part);
        if record.flags & LAST == 0 {
            return true;
        }
        let Self { strategy, carried, .. } = self;
        let mut state = StateReader::new(carried);
        let is_taken = strategy.load(&mut state, origin).and_then(|()| state.finish()).is_ok();
        // Its memory stays: this runs on a pinned thread.
        carried.clear();
        is_taken
    }
}

/// Which strategy it is, and its limits, are the configuration's.
fn save_kept(kept: &StrategyState, state: &mut StateWriter) {
    let StrategyState {
        id,
        bit: _,
        instruments: _,
        orders,
        last_order_number,
        intent_ttl: _,
        max_in_flight: _,
        max_open_orders: _,
        given: _,
    } = kept;
    state.u16(id.get());
    state.u64(*last_order_number);
    orders.save(state);
}

fn load_kept(kept: &mut StrategyState, state: &mut StateReader<'_>) -> Result<(), StateError> {
    let id = StrategyId::new(state.u16()?);
    state.demand(id == kept.id, "another strategy")?;
    kept.last_order_number = state.u64()?;
    kept.orders.load(state)
}
