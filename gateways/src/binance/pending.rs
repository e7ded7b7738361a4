//! Diffs that wait for a snapshot: raw messages of every symbol in one ring of fixed memory, oldest first, chained per symbol.
//! When it is full the oldest is dropped, whosever it is.

use super::sync::DiffIds;
use spinward_engine::state::{StateError, StateReader, StateWriter};

/// No entry.
const NONE: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Index of the symbol, or `u32::MAX`: released before its turn.
    symbol: u32,
    bytes: u32,
    /// Place in the ring of bytes, as a running count.
    from: u64,
    /// The symbol's next entry, as a running number, or `NONE`.
    next: u64,
    ids: DiffIds,
}

impl Entry {
    const RELEASED: u32 = u32::MAX;
}

/// The entries of one symbol, first in first out. Kept by the owner; all zero is not empty, [`Chain::default`] is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    head: u64,
    tail: u64,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl Chain {
    pub(super) fn save(self, state: &mut StateWriter) {
        let Self { head, tail } = self;
        state.u64(head);
        state.u64(tail);
    }

    pub(super) fn load(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self { head: state.u64()?, tail: state.u64()? })
    }

    /// Whether nothing waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }
}

/// An entry that was dropped for want of room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Dropped {
    /// Whose.
    pub(super) symbol: u32,
    /// Which updates.
    pub(super) ids: DiffIds,
}

/// The ring.
#[derive(Debug)]
pub(super) struct Pending {
    bytes: Box<[u8]>,
    entries: Box<[Entry]>,
    /// Running numbers: entries `[first, end)` are in the ring.
    first: u64,
    end: u64,
    /// Running count of bytes given out; a message never wraps, the rest of the ring is left out instead.
    bytes_end: u64,
}

impl Pending {
    /// Takes all memory now: `bytes_max` bytes of messages, `messages_max` messages.
    pub(super) fn new(bytes_max: usize, messages_max: usize) -> Self {
        let vacant = Entry {
            symbol: Entry::RELEASED,
            bytes: 0,
            from: 0,
            next: NONE,
            ids: DiffIds { first: 0, last: 0, previous: None },
        };
        Self {
            bytes: vec![0; bytes_max].into(),
            entries: vec![vacant; messages_max.max(1)].into(),
            first: 0,
            end: 0,
            bytes_end: 0,
        }
    }

    /// The entries that are in the ring, those released before their turn without their bytes.
    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { bytes, entries: _, first, end, bytes_end } = self;
        state.u64(*first);
        state.u64(*bytes_end);
        state.count((end - first) as usize);
        for entry in (*first..*end).filter_map(|number| self.entry(number)) {
            let Entry { symbol, bytes: length, from, next, ids } = entry;
            let DiffIds { first, last, previous } = ids;
            state.u32(*symbol);
            state.u32(*length);
            state.u64(*from);
            state.u64(*next);
            state.u64(*first);
            state.u64(*last);
            state.option(*previous, StateWriter::u64);
            if *symbol != Entry::RELEASED {
                let offset = (from % bytes.len().max(1) as u64) as usize;
                state.raw(bytes.get(offset..offset + *length as usize).unwrap_or(&[]));
            }
        }
    }

    /// Into an empty ring.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.first = state.u64()?;
        self.bytes_end = state.u64()?;
        let count = state.count(self.entries.len())?;
        self.end =
            self.first.checked_add(count as u64).ok_or_else(|| state.error("more diffs than there are"))?;
        for number in self.first..self.end {
            let (symbol, bytes, from, next) = (state.u32()?, state.u32()?, state.u64()?, state.u64()?);
            let (first, last) = (state.u64()?, state.u64()?);
            let previous = state.option(StateReader::u64)?;
            let follows = next == NONE || (number < next && next < self.end);
            state.demand(follows, "a diff that is followed by an earlier one")?;
            let entry = Entry { symbol, bytes, from, next, ids: DiffIds { first, last, previous } };
            if symbol != Entry::RELEASED {
                let offset = (from % self.bytes.len().max(1) as u64) as usize;
                let message = state.bytes(bytes as usize)?;
                match self.bytes.get_mut(offset..offset + message.len()) {
                    Some(room) => room.copy_from_slice(message),
                    None => return Err(state.error("a diff that does not fit its memory")),
                }
            }
            let sound = from.checked_add(bytes.into()).is_some_and(|end| end <= self.bytes_end);
            state.demand(sound, "a diff behind the last one")?;
            if let Some(slot) = self.entry_mut(number) {
                *slot = entry;
            }
        }
        Ok(())
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        if number < self.first || number >= self.end {
            return None;
        }
        self.entries.get((number % self.entries.len() as u64) as usize)
    }

    fn entry_mut(&mut self, number: u64) -> Option<&mut Entry> {
        if number < self.first || number >= self.end {
            return None;
        }
        let index = (number % self.entries.len() as u64) as usize;
        self.entries.get_mut(index)
    }

    /// Where a message of `length` bytes would start, if the oldest entries leave room for it.
    fn place_for(&self, length: usize) -> Option<u64> {
        let capacity = self.bytes.len() as u64;
        let length = length as u64;
        if self.end - self.first >= self.entries.len() as u64 || length > capacity {
            return None;
        }
        let offset = self.bytes_end % capacity;
        let from =
            if offset + length <= capacity { self.bytes_end } else { self.bytes_end + (capacity - offset) };
        let oldest = self.entry(self.first).map_or(from, |entry| entry.from);
        (from + length - oldest <= capacity).then_some(from)
    }

    /// Puts a message at the end of the symbol's chain. Before that, drops the oldest entries until there is room: call
    /// [`Pending::make_room`] until it gives `None`.
    ///
    /// False if it is longer than the ring; nothing is kept then.
    pub(super) fn push(&mut self, symbol: u32, chain: &mut Chain, ids: DiffIds, message: &[u8]) -> bool {
        let Some(from) = self.place_for(message.len()) else { return false };
        let offset = (from % self.bytes.len().max(1) as u64) as usize;
        let Some(room) = self.bytes.get_mut(offset..offset + message.len()) else { return false };
        room.copy_from_slice(message);
        self.bytes_end = from + message.len() as u64;
        let number = self.end;
        self.end += 1;
        if let Some(entry) = self.entry_mut(number) {
            *entry = Entry { symbol, bytes: message.len() as u32, from, next: NONE, ids };
        }
        match self.entry_mut(chain.tail) {
            Some(tail) => tail.next = number,
            None => chain.head = number,
        }
        chain.tail = number;
        true
    }

    /// Drops the oldest entry if a message of `length` bytes finds no room. The caller forgets it in the chain of its owner with
    /// [`Pending::forget_dropped`].
    pub(super) fn make_room(&mut self, length: usize) -> Option<Dropped> {
        if length > self.bytes.len() || self.place_for(length).is_some() {
            return None;
        }
        self.skip_released();
        if self.place_for(length).is_some() {
            return None;
        }
        let oldest = *self.entry(self.first)?;
        Some(Dropped { symbol: oldest.symbol, ids: oldest.ids })
    }

    /// Takes the oldest entry, which [`Pending::make_room`] named, out of its owner's chain.
    pub(super) fn forget_dropped(&mut self, chain: &mut Chain) {
        // The oldest entry of all is the oldest of its owner.
        self.release_front(chain);
    }

    /// The symbol's oldest entry.
    #[inline]
    pub(super) fn front(&self, chain: &Chain) -> Option<(DiffIds, &[u8])> {
        let entry = self.entry(chain.head)?;
        let offset = (entry.from % self.bytes.len().max(1) as u64) as usize;
        Some((entry.ids, self.bytes.get(offset..offset + entry.bytes as usize)?))
    }

    /// Releases the symbol's oldest entry.
    pub(super) fn release_front(&mut self, chain: &mut Chain) {
        let Some(entry) = self.entry_mut(chain.head) else {
            *chain = Chain::default();
            return;
        };
        entry.symbol = Entry::RELEASED;
        let next = entry.next;
        *chain = if next == NONE { Chain::default() } else { Chain { head: next, tail: chain.tail } };
        self.skip_released();
    }

    /// Releases everything of the symbol.
    pub(super) fn release_all(&mut self, chain: &mut Chain) {
        while !chain.is_empty() {
            self.release_front(chain);
        }
    }

    fn skip_released(&mut self) {
        while self.entry(self.first).is_some_and(|entry| entry.symbol == Entry::RELEASED) {
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    const fn ids(number: u64) -> DiffIds {
        DiffIds { first: number, last: number, previous: None }
    }

    proptest! {
        /// Against one plain list of (symbol, number, bytes), the oldest of which goes when the ring says it must.
        #[test]
        fn each_symbol_gets_back_what_it_put_in_unless_it_was_named_as_dropped(
            steps in prop::collection::vec((0usize..3, 0usize..40, prop::bool::weighted(0.3)), 0..200)
        ) {
            let mut pending = Pending::new(100, 8);
            let mut chains = [Chain::default(); 3];
            let mut model: VecDeque<(usize, u64, Vec<u8>)> = VecDeque::new();
            for (number, (symbol, length, is_release)) in steps.into_iter().enumerate() {
                let number = number as u64;
                if is_release {
                    pending.release_front(&mut chains[symbol]);
                    if let Some(at) = model.iter().position(|entry| entry.0 == symbol) {
                        model.remove(at);
                    }
                } else {
                    while let Some(dropped) = pending.make_room(length) {
                        let oldest = model.pop_front().unwrap();
                        prop_assert_eq!((dropped.symbol as usize, dropped.ids), (oldest.0, ids(oldest.1)));
                        pending.forget_dropped(&mut chains[oldest.0]);
                    }
                    let message = vec![number as u8; length];
                    prop_assert!(pending.push(symbol as u32, &mut chains[symbol], ids(number), &message));
                    model.push_back((symbol, number, message));
                    prop_assert!(model.iter().map(|entry| entry.2.len()).sum::<usize>() <= 100);
                }
                for (symbol, chain) in chains.iter().enumerate() {
                    let expected = model.iter().find(|entry| entry.0 == symbol).map(|entry| (ids(entry.1), &entry.2[..]));
                    prop_assert_eq!(pending.front(chain), expected);
                }
            }
        }
    }

    #[test]
    fn a_message_longer_than_the_ring_is_not_kept_and_drops_nobody() {
        let mut pending = Pending::new(10, 4);
        let mut chain = Chain::default();
        assert!(pending.push(0, &mut chain, ids(1), b"12345"));
        assert_eq!(pending.make_room(11), None);
        assert!(!pending.push(0, &mut chain, ids(2), b"12345678901"));
        assert_eq!(pending.front(&chain), Some((ids(1), &b"12345"[..])));
    }
}
