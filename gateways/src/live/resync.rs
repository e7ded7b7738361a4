//! [`Resync`]: which symbols a loss concerns, what the stream says of them meanwhile, and since when it is to be heard again.
//!
//! ```text
//!  loss ──▶ nobody is trusted ──▶ the server names the symbols of the lost messages ──▶ the others go on, books kept
//!                                          │
//!                                          └──▶ of those named the stream is held ──▶ snapshot whole: each symbol's part, what was held of it, released
//! ```

use crate::changes::Locates;

/// Messages that are held, and their bytes; when there is no room for one more the whole stream waits for the snapshot.
const HELD_MAX: usize = 1 << 16;
const HELD_BYTES_MAX: usize = 4 << 20;

const NONE: u32 = u32::MAX;

/// A message that waits for its symbol's part of a snapshot.
#[derive(Clone, Copy, Debug)]
struct Held {
    sequence: u64,
    start: u32,
    bytes: u32,
    /// The next one of the same symbol.
    next: u32,
}

/// A loss and what is done about it. All memory is taken at the start.
#[derive(Debug)]
pub(super) struct Resync {
    /// The messages that are lost: the first, and the first after them. All losses since the books were right, as one.
    lost: Option<(u64, u64)>,
    /// The symbols that it concerns, once that is known.
    concerned: Locates,
    is_known: bool,
    held: Vec<Held>,
    memory: Vec<u8>,
    /// The first and the last held message of each symbol.
    ends: Box<[(u32, u32)]>,
    /// Symbols of the last snapshot, and where the stream goes on with them.
    included: Locates,
    included_to: u64,
}

impl Resync {
    pub(super) fn new() -> Self {
        Self {
            lost: None,
            concerned: Locates::new(),
            is_known: false,
            held: Vec::with_capacity(HELD_MAX),
            memory: Vec::with_capacity(HELD_BYTES_MAX),
            ends: vec![(NONE, NONE); 1 << 16].into_boxed_slice(),
            included: Locates::new(),
            included_to: 0,
        }
    }

    /// Messages `first` to `next` − 1 are lost, too. Gives all that is lost now.
    pub(super) fn begin(&mut self, first: u64, next: u64) -> (u64, u64) {
        let lost = self.lost.map_or((first, next), |(before, _)| (before, next));
        self.lost = Some(lost);
        self.is_known = false;
        self.forget_held();
        lost
    }

    /// What it concerns is known.
    pub(super) fn know(&mut self, concerned: &Locates) {
        self.concerned.copy_from(concerned);
        self.is_known = true;
    }

    /// Every symbol has been told anew.
    pub(super) fn end(&mut self) {
        self.lost = None;
        self.is_known = false;
        self.forget_held();
    }

    /// The concerned symbols have been told anew, as of the message before `next`.
    pub(super) fn end_at(&mut self, next: u64) {
        self.included.copy_from(&self.concerned);
        self.included_to = next;
        self.end();
    }

    fn forget_held(&mut self) {
        if !self.held.is_empty() {
            self.ends.fill((NONE, NONE));
        }
        self.held.clear();
        self.memory.clear();
    }

    /// What is lost, as long as books are missing.
    pub(super) const fn lost(&self) -> Option<(u64, u64)> {
        self.lost
    }

    /// The symbols that miss their books, if others go on meanwhile.
    pub(super) fn concerned(&self) -> Option<&Locates> {
        self.is_known.then_some(&self.concerned)
    }

    /// Whether this message of the stream is in the last snapshot. To be asked in the order of the stream.
    pub(super) fn is_included(&mut self, sequence: u64, locate: u16) -> bool {
        if sequence >= self.included_to {
            self.included_to = 0;
        }
        sequence < self.included_to && self.included.has(locate)
    }

    /// Whether nothing of the stream is left out any more.
    pub(super) const fn is_over(&self) -> bool {
        self.lost.is_none() && self.included_to == 0
    }

    /// Holds a message of a concerned symbol; false if there is no room.
    pub(super) fn hold(&mut self, sequence: u64, locate: u16, bytes: &[u8]) -> bool {
        if self.held.len() == HELD_MAX || self.memory.len() + bytes.len() > HELD_BYTES_MAX {
            return false;
        }
        // Both far below 2^32.
        let (index, start) = (self.held.len() as u32, self.memory.len() as u32);
        self.memory.extend_from_slice(bytes);
        self.held.push(Held { sequence, start, bytes: bytes.len() as u32, next: NONE });
        let Some(ends) = self.ends.get_mut(usize::from(locate)) else { return true };
        let last = std::mem::replace(&mut ends.1, index);
        match self.held.get_mut(last as usize) {
            Some(last) => last.next = index,
            None => ends.0 = index,
        }
        true
    }

    /// The first message held of this symbol that a snapshot which ends before `next` does not include.
    pub(super) fn first_held(&self, locate: u16, next: u64) -> Option<u32> {
        let first = self.ends.get(usize::from(locate)).map_or(NONE, |ends| ends.0);
        self.from(first, next)
    }

    /// The one after it.
    pub(super) fn next_held(&self, held: u32, next: u64) -> Option<u32> {
        self.from(self.held.get(held as usize).map_or(NONE, |held| held.next), next)
    }

    fn from(&self, mut at: u32, next: u64) -> Option<u32> {
        while let Some(held) = self.held.get(at as usize) {
            if held.sequence >= next {
                return Some(at);
            }
            at = held.next;
        }
        None
    }

    /// Its bytes.
    pub(super) fn message(&self, held: u32) -> Option<&[u8]> {
        let held = self.held.get(held as usize)?;
        let (start, bytes) = (held.start as usize, held.bytes as usize);
        self.memory.get(start..start + bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(resync: &Resync, locate: u16, next: u64) -> Vec<Vec<u8>> {
        let all = std::iter::successors(resync.first_held(locate, next), |at| resync.next_held(*at, next));
        all.map(|at| resync.message(at).unwrap().to_vec()).collect()
    }

    #[test]
    fn what_is_held_comes_out_by_symbol_in_its_order_from_where_the_snapshot_ends() {
        let mut resync = Resync::new();
        assert_eq!(resync.begin(10, 12), (10, 12));
        for (sequence, locate) in [(12, 1), (13, 2), (14, 1), (15, 1), (16, 2)] {
            assert!(resync.hold(sequence, locate, &[sequence as u8; 3]));
        }
        assert_eq!(told(&resync, 1, 13), [[14; 3], [15; 3]]);
        assert_eq!(told(&resync, 2, 0), [[13; 3], [16; 3]]);
        assert_eq!(told(&resync, 2, 17), Vec::<Vec<u8>>::new());
        assert_eq!(told(&resync, 3, 0), Vec::<Vec<u8>>::new());
        // Another loss before the snapshot: all of it is asked for anew.
        assert_eq!(resync.begin(20, 21), (10, 21));
        assert_eq!(told(&resync, 1, 0), Vec::<Vec<u8>>::new());
        assert_eq!(resync.concerned(), None);
    }

    #[test]
    fn the_stream_is_left_out_up_to_the_snapshot_for_its_symbols_alone() {
        let mut resync = Resync::new();
        resync.begin(10, 12);
        let mut concerned = Locates::new();
        concerned.insert(7);
        resync.know(&concerned);
        resync.end_at(30);
        assert_eq!(
            [(13, 7), (14, 8), (29, 7), (30, 7), (31, 7)]
                .map(|(sequence, locate)| resync.is_included(sequence, locate)),
            [true, false, true, false, false]
        );
        assert!(resync.is_over());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let mut resync = Resync::new();
        resync.begin(1, 2);
        let held = (0..).take_while(|at| resync.hold(*at, 1, &[0; 100])).count();
        assert_eq!(held, HELD_BYTES_MAX / 100);
        resync.end();
        assert!(resync.hold(1, 1, &[0; 100]));
    }
}
