//! [`Window`]: messages that came before their turn, in memory taken once.

/// A ring of places, one for each sequence from the next on.
#[derive(Debug)]
pub(super) struct Window {
    places: Box<[u8]>,
    /// Length + 1 of the message in a place; 0: none.
    lengths: Box<[u16]>,
    message_bytes_max: usize,
    mask: u64,
    held: usize,
}

impl Window {
    /// `places` is a power of two.
    pub(super) fn new(places: usize, message_bytes_max: usize) -> Self {
        Self {
            places: vec![0; places * message_bytes_max].into_boxed_slice(),
            lengths: vec![0; places].into_boxed_slice(),
            message_bytes_max,
            mask: places as u64 - 1,
            held: 0,
        }
    }

    /// Messages it holds.
    pub(super) const fn held(&self) -> usize {
        self.held
    }

    /// Sequences it can hold at once.
    pub(super) const fn places(&self) -> u64 {
        self.mask + 1
    }

    /// Keeps a message whose sequence is less than [`Window::places`] from the next. False if it is there already, or too long.
    pub(super) fn keep(&mut self, sequence: u64, message: &[u8]) -> bool {
        let place = self.place(sequence);
        let start = place * self.message_bytes_max;
        let Some(length) = self.lengths.get_mut(place).filter(|length| **length == 0) else { return false };
        if message.len() > self.message_bytes_max {
            return false;
        }
        let Some(to) = self.places.get_mut(start..start + message.len()) else { return false };
        to.copy_from_slice(message);
        // message_bytes_max < 2^16 − 1
        *length = message.len() as u16 + 1;
        self.held += 1;
        true
    }

    /// Whether a message is there.
    pub(super) fn has(&self, sequence: u64) -> bool {
        self.lengths.get(self.place(sequence)).is_some_and(|length| *length > 0)
    }

    /// Takes a message out. It lies where it was until something is kept in its place.
    pub(super) fn take(&mut self, sequence: u64) -> Option<&[u8]> {
        let place = self.place(sequence);
        let length = self.lengths.get_mut(place).filter(|length| **length > 0)?;
        let bytes = usize::from(std::mem::take(length)) - 1;
        self.held -= 1;
        let start = place * self.message_bytes_max;
        self.places.get(start..start + bytes)
    }

    const fn place(&self, sequence: u64) -> usize {
        (sequence & self.mask) as usize
    }
}
