//! [`Queue`]: messages of the stream that the engine has yet to take, in memory taken at start.

use super::intake::Sink;
use spinward_engine::words::Nanos;
use std::collections::VecDeque;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) time: Nanos,
    /// Its number in the stream; of a notice of loss, the first that is there again.
    pub(super) sequence: u64,
    pub(super) is_loss: bool,
    start: usize,
    bytes: usize,
}

/// A ring of messages, each in one piece.
#[derive(Debug)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    memory: Box<[u8]>,
    /// Where the next one goes.
    end: usize,
}

impl Queue {
    pub(super) fn new(messages_max: usize, bytes_max: usize) -> Self {
        Self {
            entries: VecDeque::with_capacity(messages_max),
            memory: vec![0; bytes_max].into_boxed_slice(),
            end: 0,
        }
    }

    /// Whether so many messages and bytes fit, whatever their lengths.
    pub(super) fn has_room(&self, messages: usize, bytes: usize) -> bool {
        let free = match self.entries.front() {
            None => self.memory.len(),
            Some(first) if first.start < self.end => (self.memory.len() - self.end).max(first.start),
            Some(first) => first.start - self.end,
        };
        self.entries.capacity() - self.entries.len() >= messages && free >= bytes
    }

    /// False if it does not fit.
    pub(super) fn push(&mut self, time: Nanos, sequence: u64, is_loss: bool, bytes: &[u8]) -> bool {
        if self.entries.len() == self.entries.capacity() {
            return false;
        }
        // An empty message takes a byte, so that a full ring does not look empty.
        let taken = bytes.len().max(1);
        let start = match self.entries.front() {
            None if taken <= self.memory.len() => 0,
            Some(first) if first.start < self.end && self.memory.len() - self.end >= taken => self.end,
            Some(first) if first.start < self.end && first.start >= taken => 0,
            Some(first) if first.start >= self.end && first.start - self.end >= taken => self.end,
            None | Some(_) => return false,
        };
        let Some(to) = self.memory.get_mut(start..start + bytes.len()) else { return false };
        to.copy_from_slice(bytes);
        self.end = start + taken;
        self.entries.push_back(Entry { time, sequence, is_loss, start, bytes: bytes.len() });
        true
    }

    /// Whether the ring of messages is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    pub(super) fn bytes(&self, entry: &Entry) -> &[u8] {
        self.memory.get(entry.start..entry.start + entry.bytes).unwrap_or_default()
    }

    pub(super) fn pop(&mut self) {
        self.entries.pop_front();
    }
}

impl Sink for Queue {
    fn push(&mut self, time: Nanos, sequence: u64, is_loss: bool, bytes: &[u8]) {
        // There is room: looked at before every packet.
        self.push(time, sequence, is_loss, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out_whole_and_in_order(steps in proptest::collection::vec(proptest::option::of(0usize..40), 0..300)) {
            let mut queue = Queue::new(6, 64);
            let mut model: VecDeque<Vec<u8>> = VecDeque::new();
            for (at, step) in steps.into_iter().enumerate() {
                match step {
                    Some(length) => {
                        let message = vec![at as u8; length];
                        let had_room = queue.has_room(1, length.max(1));
                        let is_in = queue.push(Nanos::new(at as i64), at as u64, false, &message);
                        prop_assert!(is_in || !had_room);
                        if is_in {
                            model.push_back(message);
                        }
                    }
                    None => {
                        queue.pop();
                        model.pop_front();
                    }
                }
                let front = queue.front().map(|entry| queue.bytes(entry).to_vec());
                prop_assert_eq!(front.as_ref(), model.front());
            }
        }
    }
}
