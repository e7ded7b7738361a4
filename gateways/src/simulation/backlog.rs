//! [`Backlog`]: market messages that have entered the engine and that the venue may not see yet.

use spinward_engine::words::Nanos;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Nanos,
    offset: usize,
    bytes: usize,
    /// `bytes`, but at least 1: an empty message has a place of its own too.
    taken: usize,
}

/// A queue of byte strings in one ring of memory taken at start. Each lies in one piece.
#[derive(Debug)]
pub(super) struct Backlog {
    entries: VecDeque<Entry>,
    messages_max: usize,
    memory: Box<[u8]>,
}

impl Backlog {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::with_capacity(messages_max),
            messages_max,
            memory: vec![0; bytes_max].into_boxed_slice(),
        }
    }

    /// Where a message of this length would go.
    fn place(&self, bytes: usize) -> Option<usize> {
        let taken = bytes.max(1);
        let size = self.memory.len();
        let (Some(first), Some(last)) = (self.entries.front(), self.entries.back()) else {
            return (taken <= size).then_some(0);
        };
        if self.entries.len() >= self.messages_max {
            return None;
        }
        let end = last.offset + last.taken;
        if last.offset >= first.offset {
            if size - end >= taken {
                return Some(end);
            }
            return (taken <= first.offset).then_some(0);
        }
        (taken <= first.offset - end).then_some(end)
    }

    /// Whether a message of this length can be put in. An empty backlog takes everything up to its size.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.place(bytes).is_some()
    }

    /// Copies a message in. False if it does not fit.
    pub(super) fn push(&mut self, time: Nanos, bytes: &[u8]) -> bool {
        let Some(offset) = self.place(bytes.len()) else { return false };
        let Some(to) = self.memory.get_mut(offset..offset + bytes.len()) else { return false };
        to.copy_from_slice(bytes);
        self.entries.push_back(Entry { time, offset, bytes: bytes.len(), taken: bytes.len().max(1) });
        true
    }

    /// Time of the oldest message.
    pub(super) fn head(&self) -> Option<Nanos> {
        self.entries.front().map(|entry| entry.time)
    }

    /// The oldest message.
    pub(super) fn front(&self) -> Option<(Nanos, &[u8])> {
        let entry = self.entries.front()?;
        Some((entry.time, self.memory.get(entry.offset..entry.offset + entry.bytes)?))
    }

    pub(super) fn pop(&mut self) {
        self.entries.pop_front();
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out_whole_and_in_order(steps in proptest::collection::vec(proptest::option::of(0usize..40), 0..300)) {
            let mut backlog = Backlog::new(6, 64);
            let mut model: VecDeque<(Nanos, Vec<u8>)> = VecDeque::new();
            for (at, step) in steps.into_iter().enumerate() {
                match step {
                    Some(length) => {
                        let message = vec![at as u8; length];
                        let fits = backlog.fits(length);
                        prop_assert_eq!(backlog.push(Nanos::new(at as i64), &message), fits);
                        prop_assert!(fits || !model.is_empty(), "an empty backlog takes everything");
                        if fits {
                            model.push_back((Nanos::new(at as i64), message));
                        }
                    }
                    None => {
                        backlog.pop();
                        model.pop_front();
                    }
                }
                let found = backlog.front().map(|(time, bytes)| (time, bytes.to_vec()));
                prop_assert_eq!(found, model.front().cloned());
                prop_assert_eq!(backlog.count(), model.len());
            }
        }
    }
}
