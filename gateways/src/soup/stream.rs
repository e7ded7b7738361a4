//! [`PacketStream`]: the bytes of a TCP stream, cut as they come, to whole packets.

use super::packet::{Packet, PacketError};

/// Puts packets together in memory taken once. Whole packets are read where they lie in the bytes given; only one that is cut is copied.
#[derive(Debug)]
pub struct PacketStream {
    /// Length field and body of the packet that is not whole yet.
    partial: Box<[u8]>,
    filled: usize,
}

const LENGTH_BYTES: usize = 2;

impl PacketStream {
    /// For packets of at most `body_bytes_max` bytes after the length field (at most 65,535).
    pub fn new(body_bytes_max: usize) -> Self {
        let body_bytes_max = body_bytes_max.min(usize::from(u16::MAX));
        Self { partial: vec![0; LENGTH_BYTES + body_bytes_max].into_boxed_slice(), filled: 0 }
    }

    /// Forgets a packet that is not whole: for a new connection.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes the first packet out of `bytes` (with what was kept of it before) and gives it with the rest of the bytes. `Ok(None)`: no
    /// packet is whole, all bytes are kept.
    ///
    /// # Errors
    /// [`PacketError`]; the stream cannot be read further then, and is cleared.
    pub fn next<'s, 'b: 's>(
        &'s mut self,
        bytes: &'b [u8],
    ) -> Result<Option<(Packet<'s>, &'b [u8])>, PacketError> {
        let limit = self.partial.len() - LENGTH_BYTES;
        let of_limit = |body: usize| {
            if body > limit { Err(PacketError::TooLong { found: body, limit }) } else { Ok(body) }
        };
        if self.filled == 0
            && let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>()
        {
            let body = of_limit(usize::from(u16::from_be_bytes(*length)))?;
            if let Some((body, rest)) = rest.split_at_checked(body) {
                return Ok(Some((Packet::parse(body)?, rest)));
            }
        }
        let bytes = self.keep(bytes, LENGTH_BYTES);
        let Some(length) = self.partial.first_chunk::<LENGTH_BYTES>().filter(|_| self.filled >= LENGTH_BYTES)
        else {
            return Ok(None);
        };
        let body = match of_limit(usize::from(u16::from_be_bytes(*length))) {
            Ok(body) => body,
            Err(error) => {
                self.filled = 0;
                return Err(error);
            }
        };
        let rest = self.keep(bytes, LENGTH_BYTES + body);
        if self.filled < LENGTH_BYTES + body {
            return Ok(None);
        }
        self.filled = 0;
        let body = self.partial.get(LENGTH_BYTES..LENGTH_BYTES + body).unwrap_or_default();
        Ok(Some((Packet::parse(body)?, rest)))
    }

    /// Copies from `bytes` until `until` bytes are kept or there are no more, and gives the rest.
    fn keep<'a>(&mut self, bytes: &'a [u8], until: usize) -> &'a [u8] {
        let take = until.saturating_sub(self.filled).min(bytes.len());
        let (bytes, rest) = bytes.split_at(take);
        if let Some(to) = self.partial.get_mut(self.filled..self.filled + take) {
            to.copy_from_slice(bytes);
            self.filled += take;
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bodies(stream: &mut PacketStream, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, PacketError> {
        let mut found = Vec::new();
        while let Some((packet, rest)) = stream.next(bytes)? {
            let mut out = vec![0; 70_000];
            let length = packet.encode(&mut out);
            found.push(out[2..length].to_vec());
            bytes = rest;
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn packets_are_the_same_however_the_stream_is_cut(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20),
            cuts in proptest::collection::vec(0usize..50, 0..60),
        ) {
            let mut wire = Vec::new();
            for payload in &payloads {
                let mut out = [0; 64];
                let length = Packet::Sequenced(payload).encode(&mut out);
                wire.extend_from_slice(&out[..length]);
            }
            let mut stream = PacketStream::new(64);
            let mut found = Vec::new();
            let mut rest = &wire[..];
            for cut in cuts {
                let (piece, next) = rest.split_at(cut.min(rest.len()));
                found.extend(bodies(&mut stream, piece).unwrap());
                rest = next;
            }
            found.extend(bodies(&mut stream, rest).unwrap());
            prop_assert_eq!(found.len(), payloads.len());
            for (body, payload) in found.iter().zip(&payloads) {
                prop_assert_eq!(&body[1..], &payload[..]);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
        ) {
            let mut stream = PacketStream::new(100);
            for piece in pieces {
                let _ = bodies(&mut stream, &piece);
            }
        }
    }

    #[test]
    fn a_packet_over_the_limit_is_refused_before_its_bytes_come() {
        let mut stream = PacketStream::new(10);
        assert_eq!(stream.next(&[0, 11, b'S']), Err(PacketError::TooLong { found: 11, limit: 10 }));
        assert_eq!(stream.next(&[0]), Ok(None));
        assert_eq!(stream.next(&[11]), Err(PacketError::TooLong { found: 11, limit: 10 }));
        assert_eq!(stream.next(&[0, 1, b'H', 9]), Ok(Some((Packet::ServerHeartbeat, &[9][..]))));
    }
}
