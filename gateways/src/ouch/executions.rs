//! [`Executions`]: which executions were told, so that each counts once, by match number and order.

use crate::order_index::OrderIndex;
use spinward_engine::words::OrderId;

/// The last so many executions, in memory taken at start.
#[derive(Debug)]
pub(super) struct Executions {
    ring: Box<[(u64, u32)]>,
    next: usize,
    index: OrderIndex,
}

impl Executions {
    pub(super) fn new(executions_max: usize) -> Self {
        Self {
            ring: vec![(0, 0); executions_max.max(1)].into_boxed_slice(),
            next: 0,
            index: OrderIndex::new(executions_max.max(1)),
        }
    }

    /// False if it was there before. Both sides of a match may be ours: the order belongs to the key.
    pub(super) fn remember(&mut self, match_number: u64, user_ref: u32) -> bool {
        let key = hash(match_number, user_ref);
        if let Some(place) = self.index.find(key) {
            // Another execution with the same hash is told again rather than lost; risk looks as well.
            return self.ring.get(place as usize) != Some(&(match_number, user_ref));
        }
        let place = self.next;
        self.next = (place + 1) % self.ring.len();
        if let Some(oldest) = self.ring.get_mut(place) {
            let (number, of) = std::mem::replace(oldest, (match_number, user_ref));
            if of != 0 {
                self.index.remove(hash(number, of));
            }
        }
        self.index.insert(key, place as u32); // at most 2^24
        true
    }
}

fn hash(match_number: u64, user_ref: u32) -> OrderId {
    OrderId::new((match_number ^ u64::from(user_ref).rotate_left(40)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_told_once_per_order_and_the_oldest_is_forgotten() {
        let mut executions = Executions::new(3);
        assert!(executions.remember(7, 1) && executions.remember(7, 2) && executions.remember(8, 1));
        assert!(!executions.remember(7, 1) && !executions.remember(7, 2) && !executions.remember(8, 1));
        assert!(executions.remember(9, 1), "the fourth takes the place of the first");
        assert!(executions.remember(7, 1) && !executions.remember(9, 1));
    }
}
