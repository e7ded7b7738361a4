//! [`FixedMap`]: a hash map in memory taken at start. Never grows, never allocates, and iterates nowhere, so its order
//! cannot leak into a decision.

use crate::memory::prefetch;
use crate::state::{StateError, StateReader, StateWriter};

/// What is looked up: two numbers, not both zero.
pub(super) type Key = (u64, u64);

const VACANT: Cell = Cell { key: (0, 0), value: 0 };

#[derive(Clone, Copy)]
struct Cell {
    key: Key,
    value: u32,
}

/// Open addressing with linear probing; a removal closes the gap it leaves (Knuth, TAOCP vol. 3, 6.4, algorithm R), so
/// there are no tombstones and lookups stay short however long the session.
pub(super) struct FixedMap {
    cells: Box<[Cell]>,
    shift: u32,
    count: usize,
    capacity: usize,
}

impl FixedMap {
    /// Room for `capacity` keys; the cells are at most half full.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let cells = (capacity.max(4) * 2).next_power_of_two();
        Self {
            cells: vec![VACANT; cells].into_boxed_slice(),
            shift: 64 - cells.trailing_zeros(),
            count: 0,
            capacity,
        }
    }

    /// Writes down the keys, ascending, with their values.
    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { cells, shift: _, count: _, capacity: _ } = self;
        let mut used: Vec<(Key, u32)> =
            cells.iter().filter(|cell| cell.key != VACANT.key).map(|cell| (cell.key, cell.value)).collect();
        used.sort_unstable();
        state.list(used.into_iter(), |state, ((a, b), value)| {
            state.u64(a);
            state.u64(b);
            state.u32(value);
        });
    }

    /// Into an empty map; every value is below `values`.
    pub(super) fn load(&mut self, values: usize, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.list(self.capacity, |state| {
            let (key, value) = ((state.u64()?, state.u64()?), state.u32()?);
            let is_new = self.find(key).is_none() && self.insert(key, value);
            state.demand(is_new && (value as usize) < values, "an id that leads nowhere")
        })?;
        Ok(())
    }

    /// Asks for the memory of a key that is to come.
    #[inline]
    pub(super) fn prefetch(&self, key: Key) {
        if let Some(cell) = self.cells.get(self.home(key)) {
            prefetch(cell);
        }
    }

    /// The value of `key`.
    #[inline]
    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let mut index = self.home(key);
        loop {
            let cell = self.cell(index);
            if cell.key == VACANT.key {
                return None;
            }
            if cell.key == key {
                return Some(cell.value);
            }
            index = self.after(index);
        }
    }

    /// Sets the value of `key`; false, and nothing changed, if it is full or the key is `(0, 0)`.
    #[inline]
    pub(super) fn insert(&mut self, key: Key, value: u32) -> bool {
        if key == VACANT.key {
            return false;
        }
        let mut index = self.home(key);
        loop {
            let cell = self.cell(index);
            if cell.key == key {
                self.set(index, Cell { key, value });
                return true;
            }
            if cell.key == VACANT.key {
                if self.count >= self.capacity {
                    return false;
                }
                self.count += 1;
                self.set(index, Cell { key, value });
                return true;
            }
            index = self.after(index);
        }
    }

    /// Takes `key` out, if it is there.
    pub(super) fn remove(&mut self, key: Key) {
        if key == VACANT.key {
            return;
        }
        let mut hole = self.home(key);
        loop {
            let cell = self.cell(hole);
            if cell.key == VACANT.key {
                return;
            }
            if cell.key == key {
                break;
            }
            hole = self.after(hole);
        }
        self.count -= 1;
        let mut next = hole;
        loop {
            next = self.after(next);
            let cell = self.cell(next);
            if cell.key == VACANT.key {
                break;
            }
            // The cell may fill the hole unless its home lies behind the hole.
            if self.distance(self.home(cell.key), next) >= self.distance(hole, next) {
                self.set(hole, cell);
                hole = next;
            }
        }
        self.set(hole, VACANT);
    }

    #[inline]
    fn home(&self, key: Key) -> usize {
        let mixed = (key.0 ^ key.1.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The upper bits are the well mixed ones; `shift` leaves as many as there are cells.
        ((mixed ^ key.1).wrapping_mul(0xD6E8_FEB8_6659_FD93) >> self.shift) as usize
    }

    #[inline]
    fn after(&self, index: usize) -> usize {
        (index + 1) & (self.cells.len() - 1)
    }

    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.cells.len() - 1)
    }

    #[inline]
    fn cell(&self, index: usize) -> Cell {
        self.cells.get(index).copied().unwrap_or(VACANT)
    }

    #[inline]
    fn set(&mut self, index: usize, to: Cell) {
        if let Some(cell) = self.cells.get_mut(index) {
            *cell = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_holds_what_a_tree_holds(
            steps in proptest::collection::vec((0u8..3, 0u64..12, 0u64..4, any::<u32>()), 1..400)
        ) {
            let mut map = FixedMap::with_capacity(16);
            let mut naive: BTreeMap<Key, u32> = BTreeMap::new();
            for (step, a, b, value) in steps {
                let key = (a, b);
                match step {
                    0 => {
                        let room = naive.contains_key(&key) || naive.len() < 16;
                        let taken = map.insert(key, value);
                        prop_assert_eq!(taken, room && key != (0, 0));
                        if taken {
                            naive.insert(key, value);
                        }
                    }
                    1 => {
                        map.remove(key);
                        naive.remove(&key);
                    }
                    _ => prop_assert_eq!(map.find(key), naive.get(&key).copied()),
                }
                prop_assert_eq!(map.count, naive.len());
            }
            for a in 0..12 {
                for b in 0..4 {
                    prop_assert_eq!(map.find((a, b)), naive.get(&(a, b)).copied());
                }
            }
        }
    }
}
