//! [`SequencedStore`]: every message of a session, kept for replay.

use super::field::Alpha;

/// The store has no room: the message is not in it and has no sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the session's store is full: {messages} messages, {bytes} bytes; give it more memory or end the session"
)]
pub struct StoreFull {
    /// Messages it holds.
    pub messages: usize,
    /// Bytes of them.
    pub bytes: usize,
}

/// What a server sends from: the messages of a session by their numbers, from 1.
pub trait MessageStore {
    /// The session's name.
    fn session(&self) -> &Alpha<10>;

    /// The message of a sequence; `None` if there is none yet, or none any more.
    fn message(&self, sequence: u64) -> Option<&[u8]>;

    /// The oldest message that is kept; 1 where nothing is forgotten.
    fn first_sequence(&self) -> u64;

    /// The sequence that the next message will have; 1 if there is none yet.
    fn next_sequence(&self) -> u64;
}

/// Messages numbered from 1, in memory taken once. Nothing is ever dropped: a session that promises replay and forgets would lie; when
/// it is full, [`SequencedStore::push`] refuses.
#[derive(Debug)]
pub struct SequencedStore {
    session: Alpha<10>,
    bytes: Vec<u8>,
    /// End of each message in `bytes`.
    ends: Vec<usize>,
}

impl SequencedStore {
    /// For at most so many messages and bytes of them.
    pub fn new(session: Alpha<10>, messages_max: usize, bytes_max: usize) -> Self {
        Self { session, bytes: Vec::with_capacity(bytes_max), ends: Vec::with_capacity(messages_max) }
    }

    /// The session's name.
    pub const fn session(&self) -> &Alpha<10> {
        &self.session
    }

    /// Appends a message and gives its sequence.
    ///
    /// # Errors
    /// [`StoreFull`]; the store is as before.
    pub fn push(&mut self, message: &[u8]) -> Result<u64, StoreFull> {
        let has_room = self.bytes.capacity() - self.bytes.len() >= message.len();
        if !has_room || self.ends.len() == self.ends.capacity() {
            return Err(StoreFull { messages: self.ends.len(), bytes: self.bytes.len() });
        }
        self.bytes.extend_from_slice(message);
        self.ends.push(self.bytes.len());
        Ok(self.ends.len() as u64)
    }

    /// The message of a sequence; `None` if there is none.
    pub fn message(&self, sequence: u64) -> Option<&[u8]> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// The sequence that the next message will have; 1 if there is none yet.
    pub fn next_sequence(&self) -> u64 {
        self.ends.len() as u64 + 1
    }
}

impl MessageStore for SequencedStore {
    fn session(&self) -> &Alpha<10> {
        self.session()
    }

    fn message(&self, sequence: u64) -> Option<&[u8]> {
        self.message(sequence)
    }

    fn first_sequence(&self) -> u64 {
        1
    }

    fn next_sequence(&self) -> u64 {
        self.next_sequence()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_by_their_number_and_a_full_store_refuses_and_keeps_all() {
        let mut store = SequencedStore::new(Alpha::new("s").unwrap(), 3, 6);
        assert_eq!(
            (store.push(b"one"), store.push(b""), store.push(b"abcd")),
            (Ok(1), Ok(2), Err(StoreFull { messages: 2, bytes: 3 }))
        );
        assert_eq!(store.push(b"abc"), Ok(3));
        assert!(store.push(b"").is_err());
        assert_eq!(store.message(0), None);
        assert_eq!(store.message(1), Some(&b"one"[..]));
        assert_eq!(store.message(2), Some(&b""[..]));
        assert_eq!(store.message(3), Some(&b"abc"[..]));
        assert_eq!((store.message(4), store.message(u64::MAX)), (None, None));
        assert_eq!(store.next_sequence(), 4);
    }
}
