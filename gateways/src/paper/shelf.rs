//! [`Shelf`]: many ordered lists in one piece of memory taken at start.

/// No slot.
pub(super) const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node<T> {
    value: T,
    list: u32,
    previous: u32,
    next: u32,
}

/// Doubly linked lists by number, from one slab. A list is given by its number, an element by its slot.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    nodes: Box<[Node<T>]>,
    first: Box<[u32]>,
    free: u32,
    count: usize,
}

impl<T: Copy + Default> Shelf<T> {
    /// `lists` empty lists with room for `capacity` elements in all; `capacity` is below `u32::MAX`.
    pub(super) fn new(lists: usize, capacity: usize) -> Self {
        let nodes: Box<[Node<T>]> = (0..capacity)
            .map(|at| {
                let next = if at + 1 < capacity { at as u32 + 1 } else { NONE };
                Node { value: T::default(), list: NONE, previous: NONE, next }
            })
            .collect();
        let free = if capacity == 0 { NONE } else { 0 };
        Self { nodes, first: vec![NONE; lists].into_boxed_slice(), free, count: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn room(&self) -> usize {
        self.nodes.len() - self.count
    }

    /// How many lists there are.
    pub(super) fn lists(&self) -> usize {
        self.first.len()
    }

    pub(super) fn first(&self, list: usize) -> u32 {
        self.first.get(list).copied().unwrap_or(NONE)
    }

    pub(super) fn next(&self, slot: u32) -> u32 {
        self.nodes.get(slot as usize).map_or(NONE, |node| node.next)
    }

    pub(super) fn value(&self, slot: u32) -> Option<&T> {
        self.nodes.get(slot as usize).filter(|node| node.list != NONE).map(|node| &node.value)
    }

    pub(super) fn value_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.nodes.get_mut(slot as usize).filter(|node| node.list != NONE).map(|node| &mut node.value)
    }

    /// Puts `value` into `list` behind every element for which `stays_before` holds. `None` if there is no room or no such list.
    pub(super) fn insert(&mut self, list: usize, value: T, stays_before: impl Fn(&T) -> bool) -> Option<u32> {
        let slot = self.free;
        let mut next = *self.first.get(list)?;
        let mut previous = NONE;
        while let Some(node) = self.nodes.get(next as usize) {
            if !stays_before(&node.value) {
                break;
            }
            previous = next;
            next = node.next;
        }
        let node = self.nodes.get_mut(slot as usize)?;
        self.free = node.next;
        *node = Node { value, list: list as u32, previous, next };
        self.link(list, previous, slot);
        if let Some(after) = self.nodes.get_mut(next as usize) {
            after.previous = slot;
        }
        self.count += 1;
        Some(slot)
    }

    /// Takes an element out and gives it back.
    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let free = self.free;
        let node = self.nodes.get_mut(slot as usize).filter(|node| node.list != NONE)?;
        let Node { value, list, previous, next } = *node;
        *node = Node { value, list: NONE, previous: NONE, next: free };
        self.free = slot;
        self.link(list as usize, previous, next);
        if let Some(after) = self.nodes.get_mut(next as usize) {
            after.previous = previous;
        }
        self.count -= 1;
        Some(value)
    }

    /// Makes `slot` the follower of `previous`, or the first of its list.
    fn link(&mut self, list: usize, previous: u32, slot: u32) {
        if let Some(before) = self.nodes.get_mut(previous as usize) {
            before.next = slot;
        } else if let Some(first) = self.first.get_mut(list) {
            *first = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list_of(shelf: &Shelf<i32>, list: usize) -> Vec<i32> {
        let mut found = Vec::new();
        let mut slot = shelf.first(list);
        while let Some(value) = shelf.value(slot) {
            found.push(*value);
            slot = shelf.next(slot);
        }
        found
    }

    proptest! {
        #[test]
        fn lists_agree_with_sorted_vectors(steps in proptest::collection::vec((0usize..3, 0i32..9, any::<bool>()), 0..120)) {
            let mut shelf = Shelf::new(3, 8);
            let mut model = [Vec::new(), Vec::new(), Vec::new()];
            for (list, value, insert) in steps {
                if insert {
                    let room = model.iter().map(Vec::len).sum::<usize>() < 8;
                    prop_assert_eq!(shelf.insert(list, value, |v| *v <= value).is_some(), room);
                    if room {
                        let at = model[list].partition_point(|v| *v <= value);
                        model[list].insert(at, value);
                    }
                } else {
                    let at = value as usize;
                    let slot = (0..at).fold(shelf.first(list), |slot, _| shelf.next(slot));
                    let expected = (at < model[list].len()).then(|| model[list].remove(at));
                    prop_assert_eq!(shelf.remove(slot), expected);
                }
                for (list, expected) in model.iter().enumerate() {
                    prop_assert_eq!(&list_of(&shelf, list), expected);
                }
                prop_assert_eq!(shelf.count() + shelf.room(), 8);
            }
        }
    }
}
