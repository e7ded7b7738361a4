//! [`History`]: the market-data stream, kept for retransmission and replay as far back as there is place.

use crate::changes::Locates;
use crate::exchange::MessageSink;
use crate::itch50::{self, MESSAGE_BYTES_MAX};
use crate::soup::{Alpha, MessageStore};
use spinward_engine::words::Ticks;

/// A message's place: its length, then its bytes.
const SLOT_BYTES: usize = 64;
const _: () = assert!(MESSAGE_BYTES_MAX < SLOT_BYTES);

/// Messages that are looked at for one question about them.
const CHANGED_MAX: u64 = 1 << 18;

/// The last so many messages of the session, numbered from 1. The oldest makes room for the next: who asks for it is too late and takes a snapshot.
/// Memory is reserved at once and used as it fills.
#[derive(Debug)]
pub struct History {
    session: Alpha<10>,
    slots: Box<[u8]>,
    /// When the packet of each message left, by place; 0: not yet.
    sent: Box<[Ticks]>,
    mask: u64,
    next: u64,
}

impl History {
    /// Room for `messages` (at least 2, rounded up to a power of two).
    pub fn new(session: Alpha<10>, messages: usize) -> Self {
        let messages = messages.max(2).next_power_of_two();
        Self {
            session,
            slots: vec![0; messages * SLOT_BYTES].into_boxed_slice(),
            sent: vec![0; messages].into_boxed_slice(),
            mask: messages as u64 - 1,
            next: 1,
        }
    }

    /// The session's name.
    pub const fn session(&self) -> &Alpha<10> {
        &self.session
    }

    /// The sequence that the next message will have.
    pub const fn next_sequence(&self) -> u64 {
        self.next
    }

    /// The oldest message that is kept; [`History::next_sequence`] before the first.
    pub const fn first_sequence(&self) -> u64 {
        let kept = self.mask + 1;
        if self.next > kept { self.next - kept } else { 1 }
    }

    fn place(&self, sequence: u64) -> Option<usize> {
        // Masked below the number of places, which is a usize.
        (sequence >= self.first_sequence() && sequence < self.next).then_some((sequence & self.mask) as usize)
    }

    /// The message of a sequence; `None` if there is none yet, or none any more.
    pub fn message(&self, sequence: u64) -> Option<&[u8]> {
        let place = self.place(sequence)?;
        let (length, bytes) = self.slots.get(place * SLOT_BYTES..(place + 1) * SLOT_BYTES)?.split_first()?;
        bytes.get(..usize::from(*length))
    }

    /// The symbols that messages `first` to `next` − 1 are about; `None` if not all of them are kept, or they are too many to be looked at for one question.
    pub(super) fn changed(&self, first: u64, next: u64) -> Option<Locates> {
        let is_kept = first >= self.first_sequence() && next <= self.next && first <= next;
        if !is_kept || next - first > CHANGED_MAX {
            return None;
        }
        let mut changed = Locates::new();
        for message in (first..next).filter_map(|sequence| self.message(sequence)) {
            // Locate 0: about no symbol.
            match itch50::locate(message) {
                0 => {}
                locate => changed.insert(locate),
            }
        }
        Some(changed)
    }

    /// Remembers when the packet with these messages left.
    pub(super) fn mark_sent(&mut self, first: u64, count: u64, at: Ticks) {
        for sequence in first..first.saturating_add(count) {
            if let Some(sent) = self.place(sequence).and_then(|place| self.sent.get_mut(place)) {
                *sent = at;
            }
        }
    }

    /// When the packet with this message left; `None` if it did not, or is forgotten.
    pub(super) fn sent_at(&self, sequence: u64) -> Option<Ticks> {
        let sent = *self.sent.get(self.place(sequence)?)?;
        (sent != 0).then_some(sent)
    }
}

impl MessageSink for History {
    fn message(&mut self, bytes: &[u8]) {
        // In range by the mask; a message of ITCH is shorter than its place.
        let place = (self.next & self.mask) as usize;
        let slot = self.slots.get_mut(place * SLOT_BYTES..(place + 1) * SLOT_BYTES);
        if let Some((length, to)) = slot.and_then(<[u8]>::split_first_mut)
            && let Some(to) = to.get_mut(..bytes.len())
        {
            *length = bytes.len() as u8;
            to.copy_from_slice(bytes);
            if let Some(sent) = self.sent.get_mut(place) {
                *sent = 0;
            }
            self.next += 1;
        }
    }
}

impl MessageStore for History {
    fn session(&self) -> &Alpha<10> {
        &self.session
    }

    fn message(&self, sequence: u64) -> Option<&[u8]> {
        self.message(sequence)
    }

    fn first_sequence(&self) -> u64 {
        self.first_sequence()
    }

    fn next_sequence(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_are_kept_and_older_ones_are_gone_with_their_stamps() {
        let mut history = History::new(Alpha::BLANK, 4);
        assert_eq!((history.first_sequence(), history.next_sequence(), history.message(1)), (1, 1, None));
        for number in 1..=6u8 {
            MessageSink::message(&mut history, &[number; 50]);
            history.mark_sent(u64::from(number), 1, 100 + u64::from(number));
        }
        assert_eq!((history.first_sequence(), history.next_sequence()), (3, 7));
        assert_eq!((history.message(2), history.sent_at(2)), (None, None));
        for number in 3..=6u8 {
            assert_eq!(history.message(u64::from(number)), Some(&[number; 50][..]));
            assert_eq!(history.sent_at(u64::from(number)), Some(100 + u64::from(number)));
        }
        assert_eq!((history.message(7), history.sent_at(7), history.message(u64::MAX)), (None, None, None));
        MessageSink::message(&mut history, b"");
        assert_eq!((history.message(7), history.sent_at(7)), (Some(&b""[..]), None));
    }

    #[test]
    fn the_symbols_of_a_range_are_those_of_its_messages_if_all_are_kept() {
        let mut history = History::new(Alpha::BLANK, 8);
        for locate in [5u16, 0, 7, 5, 9] {
            let mut message = [0; 19];
            message[0] = b'D';
            message[1..3].copy_from_slice(&locate.to_be_bytes());
            MessageSink::message(&mut history, &message);
        }
        let changed =
            |first, next| history.changed(first, next).map(|locates| locates.iter().collect::<Vec<_>>());
        assert_eq!(changed(1, 6), Some(vec![5, 7, 9]));
        assert_eq!(changed(2, 4), Some(vec![7]));
        assert_eq!(changed(2, 3), Some(vec![]), "what is about no symbol");
        assert_eq!((changed(0, 3), changed(3, 7), changed(4, 3)), (None, None, None));
    }
}
