//! [`ExecutionMemory`]: which executions were already booked, so that a fill that comes twice counts once.

use super::fixed_map::{FixedMap, Key};
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{ExecId, OrderId};

/// How many executions a strategy remembers. A repetition (venues repeat after a reconnect) that comes later than this
/// many fills is taken for a new one.
pub const EXECUTIONS_REMEMBERED: usize = 8_192;

/// The last [`EXECUTIONS_REMEMBERED`] executions. Keyed by order and execution id together: when two orders of ours meet,
/// the venue may give both sides the same execution id.
pub(super) struct ExecutionMemory {
    seen: FixedMap,
    ring: Box<[Key]>,
    next: usize,
}

impl ExecutionMemory {
    pub(super) fn new() -> Self {
        Self {
            seen: FixedMap::with_capacity(EXECUTIONS_REMEMBERED),
            ring: vec![(0, 0); EXECUTIONS_REMEMBERED].into_boxed_slice(),
            next: 0,
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { seen: _, ring, next } = self;
        let used = ring.iter().take_while(|key| **key != (0, 0)).count();
        state.list(ring.iter().take(used), |state, (order, exec)| {
            state.u64(*order);
            state.u64(*exec);
        });
        state.count(*next);
    }

    /// Into an empty memory.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut places = self.ring.iter_mut();
        state.list(EXECUTIONS_REMEMBERED, |state| {
            let key = (state.u64()?, state.u64()?);
            let is_new = self.seen.find(key).is_none() && self.seen.insert(key, 0);
            state.demand(is_new, "an execution that comes twice")?;
            if let Some(place) = places.next() {
                *place = key;
            }
            Ok(())
        })?;
        self.next = state.count(EXECUTIONS_REMEMBERED - 1)?;
        Ok(())
    }

    /// Notes the execution. False if it was noted before. An execution without an id (0) cannot be recognised and is
    /// always new: a fill is never dropped on a suspicion.
    pub(super) fn is_new(&mut self, order: OrderId, exec: ExecId) -> bool {
        if exec == ExecId::default() {
            return true;
        }
        let key = (order.get(), exec.get());
        if self.seen.find(key).is_some() {
            return false;
        }
        if let Some(oldest) = self.ring.get_mut(self.next) {
            self.seen.remove(*oldest);
            *oldest = key;
        }
        self.next = (self.next + 1) % EXECUTIONS_REMEMBERED;
        self.seen.insert(key, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_new_once_within_the_window() {
        let mut memory = ExecutionMemory::new();
        let order = OrderId::new(7);
        for exec in 1..=EXECUTIONS_REMEMBERED as u64 {
            assert!(memory.is_new(order, ExecId::new(exec)));
        }
        for exec in 1..=EXECUTIONS_REMEMBERED as u64 {
            assert!(!memory.is_new(order, ExecId::new(exec)), "execution {exec} was booked already");
        }
        assert!(memory.is_new(OrderId::new(8), ExecId::new(5)), "the other side of a trade with ourselves");
        assert!(memory.is_new(order, ExecId::new(1)), "the oldest one is forgotten, as stated");
        assert!(!memory.is_new(order, ExecId::new(9)));
    }

    #[test]
    fn an_execution_without_an_id_is_always_new() {
        let mut memory = ExecutionMemory::new();
        assert!(memory.is_new(OrderId::new(1), ExecId::new(0)));
        assert!(memory.is_new(OrderId::new(1), ExecId::new(0)));
    }
}
