//! [`TcpStream`]: one direction of a connection, its segments put in order.

use super::link::Segment;
use std::collections::BTreeMap;

/// Why a stream cannot go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StreamError {
    /// Too much waits for bytes that are missing.
    #[error(
        "{missing} bytes of the TCP stream are missing behind {given} that came; the capture is not whole"
    )]
    Hole {
        /// Bytes given out.
        given: u64,
        /// Bytes between them and the first that waits.
        missing: u32,
    },
}

/// Puts segments in order: drops what comes twice, keeps what comes early (as much as it was given room for).
#[derive(Debug)]
pub struct TcpStream {
    /// Offset of the next byte in the stream, and its number in the segments.
    given: u64,
    next: Option<u32>,
    /// What came early, by its distance from the stream's start.
    early: BTreeMap<u64, Vec<u8>>,
    early_bytes: usize,
    early_bytes_max: usize,
}

impl TcpStream {
    /// Begins with the first segment it is given (the SYN, or where the capture begins); so many bytes may wait.
    pub const fn new(early_bytes_max: usize) -> Self {
        Self { given: 0, next: None, early: BTreeMap::new(), early_bytes: 0, early_bytes_max }
    }

    /// Bytes given out.
    pub const fn given(&self) -> u64 {
        self.given
    }

    /// Takes a segment and gives out the bytes that are in order now.
    ///
    /// # Errors
    /// [`StreamError::Hole`]; the stream is as before.
    pub fn on_segment(
        &mut self,
        segment: &Segment<'_>,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), StreamError> {
        // The SYN takes a number of its own.
        let first = segment.sequence.wrapping_add(u32::from(segment.is_syn));
        let next = *self.next.get_or_insert(first);
        // Less than half of the numbers away is ahead, more is behind (RFC 9293 §3.4).
        let ahead = first.wrapping_sub(next);
        if ahead < 1 << 31 {
            let ahead = u64::from(ahead);
            if ahead == 0 {
                self.give(segment.payload, out);
            } else {
                self.keep(self.given + ahead, segment.payload)?;
            }
        } else {
            // The part that is new, if there is one.
            let behind = next.wrapping_sub(first) as usize;
            self.give(segment.payload.get(behind..).unwrap_or_default(), out);
        }
        while let Some(entry) = self.early.first_entry()
            && *entry.key() <= self.given
        {
            let (at, bytes) = entry.remove_entry();
            self.early_bytes -= bytes.len();
            // Distances in memory fit.
            let behind = (self.given - at) as usize;
            self.give(bytes.get(behind..).unwrap_or_default(), out);
        }
        Ok(())
    }

    /// The capture ends.
    ///
    /// # Errors
    /// [`StreamError::Hole`] if something still waits.
    pub fn finish(&self) -> Result<(), StreamError> {
        match self.early.first_key_value() {
            None => Ok(()),
            Some((at, _)) => Err(self.hole(*at)),
        }
    }

    fn hole(&self, at: u64) -> StreamError {
        StreamError::Hole { given: self.given, missing: u32::try_from(at - self.given).unwrap_or(u32::MAX) }
    }

    fn give(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        if !bytes.is_empty() {
            self.given += bytes.len() as u64;
            self.next = self.next.map(|next| next.wrapping_add(bytes.len() as u32));
            out(bytes);
        }
    }

    fn keep(&mut self, at: u64, bytes: &[u8]) -> Result<(), StreamError> {
        let before = self.early.get(&at).map_or(0, Vec::len);
        if bytes.len() <= before {
            return Ok(());
        }
        if self.early_bytes - before + bytes.len() > self.early_bytes_max {
            return Err(self.hole(self.early.first_key_value().map_or(at, |(first, _)| at.min(*first))));
        }
        self.early_bytes += bytes.len() - before;
        self.early.insert(at, bytes.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, SocketAddrV4};

    fn segment(sequence: u32, is_syn: bool, payload: &[u8]) -> Segment<'_> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
        Segment {
            source: address,
            destination: address,
            sequence,
            is_syn,
            is_fin: false,
            is_reset: false,
            payload,
        }
    }

    #[test]
    fn a_hole_that_stays_is_an_error_and_memory_is_bounded() {
        let mut stream = TcpStream::new(4);
        stream.on_segment(&segment(9, true, b""), &mut |_| {}).unwrap();
        stream.on_segment(&segment(13, false, b"dd"), &mut |_| panic!("early")).unwrap();
        assert_eq!(stream.finish(), Err(StreamError::Hole { given: 0, missing: 3 }));
        let full = stream.on_segment(&segment(20, false, b"eee"), &mut |_| {});
        assert_eq!(full, Err(StreamError::Hole { given: 0, missing: 3 }));
        let mut given = Vec::new();
        stream.on_segment(&segment(10, false, b"abc"), &mut |bytes| given.extend_from_slice(bytes)).unwrap();
        assert_eq!((&given[..], stream.finish()), (&b"abcdd"[..], Ok(())));
    }

    proptest! {
        #[test]
        fn the_stream_is_whole_however_its_segments_are_cut_turned_round_and_sent_again(
            text in proptest::collection::vec(any::<u8>(), 1..300),
            start: u32,
            pieces in proptest::collection::vec((0usize..300, 1usize..60), 0..60),
        ) {
            let mut stream = TcpStream::new(1 << 20);
            let mut given = Vec::new();
            let mut out = |bytes: &[u8]| given.extend_from_slice(bytes);
            stream.on_segment(&segment(start, true, b""), &mut out).unwrap();
            let first = start.wrapping_add(1);
            for (at, length) in pieces {
                let at = at.min(text.len());
                let piece = &text[at..(at + length).min(text.len())];
                stream.on_segment(&segment(first.wrapping_add(at as u32), false, piece), &mut out).unwrap();
            }
            // What nobody sent yet, in order.
            for (index, byte) in text.iter().enumerate() {
                stream.on_segment(&segment(first.wrapping_add(index as u32), false, &[*byte]), &mut out).unwrap();
            }
            prop_assert_eq!(stream.finish(), Ok(()));
            prop_assert_eq!(given, text);
        }
    }
}
