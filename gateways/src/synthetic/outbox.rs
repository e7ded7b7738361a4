//! [`Outbox`]: what the exchange said last, as ITCH 5.0 messages, first in first out.

use crate::exchange::{ItchWriter, MessageSink, Output, Sink};
use crate::itch50::MESSAGE_BYTES_MAX;

/// One message as it will leave.
#[derive(Clone, Copy)]
struct Letter {
    bytes: [u8; MESSAGE_BYTES_MAX],
    length: u8,
}

/// Messages that wait.
struct Letters {
    letters: Box<[Letter]>,
    taken: usize,
    filled: usize,
    has_lost: bool,
}

impl MessageSink for Letters {
    #[inline]
    fn message(&mut self, bytes: &[u8]) {
        let free = self.letters.get_mut(self.filled);
        let Some((letter, to)) =
            free.and_then(|letter| Some((letter.bytes.get_mut(..bytes.len())?, &mut letter.length)))
        else {
            self.has_lost = true;
            return;
        };
        letter.copy_from_slice(bytes);
        *to = bytes.len() as u8;
        self.filled += 1;
    }
}

/// Takes outputs of the engine and keeps what market data says of them.
pub(super) struct Outbox {
    writer: ItchWriter,
    letters: Letters,
}

impl Outbox {
    /// With room for so many messages of one moment.
    pub(super) fn new(writer: ItchWriter, room: usize) -> Self {
        let letters = vec![Letter { bytes: [0; MESSAGE_BYTES_MAX], length: 0 }; room].into();
        Self { writer, letters: Letters { letters, taken: 0, filled: 0, has_lost: false } }
    }

    /// Sets the time of what happens next. What was not taken is gone.
    #[inline]
    pub(super) fn begin(&mut self, nanos_since_midnight: u64) {
        self.letters.taken = 0;
        self.letters.filled = 0;
        self.writer.at(nanos_since_midnight);
    }

    /// For what the venue says by itself: the writer and where it writes to.
    pub(super) fn parts(&mut self) -> (&ItchWriter, &mut impl MessageSink) {
        (&self.writer, &mut self.letters)
    }

    /// The first message not taken yet.
    #[inline]
    pub(super) fn letter(&self) -> Option<&[u8]> {
        if self.letters.taken == self.letters.filled {
            return None;
        }
        let letter = self.letters.letters.get(self.letters.taken)?;
        letter.bytes.get(..usize::from(letter.length))
    }

    /// Goes on to the message after it.
    #[inline]
    pub(super) fn take_letter(&mut self) {
        if self.letters.taken < self.letters.filled {
            self.letters.taken += 1;
        }
    }

    /// Whether a message found no room, ever.
    #[inline]
    pub(super) fn has_lost(&self) -> bool {
        self.letters.has_lost
    }
}

impl Sink for Outbox {
    #[inline]
    fn take(&mut self, output: &Output) {
        self.writer.write(output, &mut self.letters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::itch50::SystemEventCode;
    use spinward_engine::words::Symbol;

    #[test]
    fn messages_leave_in_order_and_one_too_many_is_noted() {
        let mut outbox = Outbox::new(ItchWriter::new([(7, Symbol::new("X").unwrap())]), 2);
        outbox.begin(5);
        let say = |outbox: &mut Outbox| {
            let (writer, letters) = outbox.parts();
            writer.system_event(SystemEventCode::StartOfMessages, letters);
            writer.directory(0, letters);
        };
        say(&mut outbox);
        for kind in *b"SR" {
            assert_eq!(outbox.letter().map(|bytes| bytes[0]), Some(kind));
            outbox.take_letter();
        }
        assert_eq!(outbox.letter(), None);
        assert!(!outbox.has_lost());
        say(&mut outbox);
        assert!(outbox.has_lost());
    }
}
