//! [`OrderIndex`]: order id to slot, in memory taken at start.

use spinward_engine::words::OrderId;

/// Open addressing with linear probing; deletions shift back, so no probe ever grows with the age of the table.
#[derive(Debug)]
pub(crate) struct OrderIndex {
    /// `(id, slot)`; id 0 (no order) is vacant. A power of two, at most half full.
    cells: Box<[(u64, u32)]>,
    mask: usize,
}

impl OrderIndex {
    pub(crate) fn new(orders_max: usize) -> Self {
        let size = orders_max.saturating_mul(2).next_power_of_two().max(4);
        Self { cells: vec![(0, 0); size].into_boxed_slice(), mask: size - 1 }
    }

    fn home(&self, id: u64) -> usize {
        (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & self.mask
    }

    /// The id in this cell; beyond the table (which masking rules out) it is vacant.
    fn id_at(&self, at: usize) -> u64 {
        self.cells.get(at).map_or(0, |cell| cell.0)
    }

    /// The cell that holds `id`, or the vacant one where it belongs.
    fn probe(&self, id: u64) -> usize {
        let mut at = self.home(id);
        while self.id_at(at) != 0 && self.id_at(at) != id {
            at = (at + 1) & self.mask;
        }
        at
    }

    pub(crate) fn find(&self, order: OrderId) -> Option<u32> {
        if order == OrderId::NONE {
            return None;
        }
        self.cells.get(self.probe(order.get())).filter(|cell| cell.0 != 0).map(|cell| cell.1)
    }

    /// The caller keeps the number of orders at or below `orders_max`, half of the cells.
    pub(crate) fn insert(&mut self, order: OrderId, slot: u32) {
        let at = self.probe(order.get());
        if let Some(cell) = self.cells.get_mut(at) {
            *cell = (order.get(), slot);
        }
    }

    pub(crate) fn remove(&mut self, order: OrderId) {
        let mut hole = self.probe(order.get());
        if order == OrderId::NONE || self.id_at(hole) == 0 {
            return;
        }
        let mut at = hole;
        loop {
            at = (at + 1) & self.mask;
            let id = self.id_at(at);
            if id == 0 {
                break;
            }
            // Move back what would no longer be found past the hole.
            let from_home = at.wrapping_sub(self.home(id)) & self.mask;
            let from_hole = at.wrapping_sub(hole) & self.mask;
            if from_home >= from_hole {
                self.cells.swap(hole, at);
                hole = at;
            }
        }
        if let Some(cell) = self.cells.get_mut(hole) {
            *cell = (0, 0);
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
        fn the_index_agrees_with_a_map(steps in proptest::collection::vec((1u64..24, any::<bool>()), 0..200)) {
            let mut index = OrderIndex::new(16);
            let mut map = BTreeMap::new();
            for (at, (id, insert)) in steps.into_iter().enumerate() {
                if insert && (map.len() < 16 || map.contains_key(&id)) {
                    index.insert(OrderId::new(id), at as u32);
                    map.insert(id, at as u32);
                } else {
                    index.remove(OrderId::new(id));
                    map.remove(&id);
                }
                for id in 0..24 {
                    prop_assert_eq!(index.find(OrderId::new(id)), map.get(&id).copied());
                }
            }
        }
    }
}
