//! [`PacketBuilder`]: messages into packets, as many as fit.

use super::packet::{END_OF_SESSION, HEADER_BYTES, Header, Session};
use crate::itch50::{Be16, Be64};

/// Bytes of the largest packet that an Ethernet frame of 1,500 bytes carries without fragments: less 20 of IPv4 and 8 of UDP.
pub const PAYLOAD_BYTES_MAX: usize = 1_500 - 20 - 8;

/// Bytes of the longest message that fits such a packet.
pub const MESSAGE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - HEADER_BYTES - 2;

/// A message that fits no packet; it is not sent and has no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("message of {found} bytes, a packet holds one of {limit}")]
pub struct MessageTooLong {
    /// Bytes of the message.
    pub found: usize,
    /// Bytes of the longest that fits.
    pub limit: usize,
}

/// Fills packets: a message that does not fit sends the packet before it. Whoever owns it says when a packet that is not full leaves
/// ([`PacketBuilder::flush`]), and sends heartbeats (one a second when there is nothing else).
#[derive(Debug)]
pub struct PacketBuilder {
    session: Session,
    /// Sequence of the first message in `packet`.
    first: u64,
    count: u16,
    packet: Box<[u8]>,
    filled: usize,
}

impl PacketBuilder {
    /// Packets of at most `payload_bytes` (held between 64 and 65,507, what UDP carries; [`PAYLOAD_BYTES_MAX`] on Ethernet); the first message
    /// is number `next_sequence`.
    pub fn new(session: Session, next_sequence: u64, payload_bytes: usize) -> Self {
        let payload_bytes = payload_bytes.clamp(64, 65_507);
        Self {
            session,
            first: next_sequence,
            count: 0,
            packet: vec![0; payload_bytes].into_boxed_slice(),
            filled: HEADER_BYTES,
        }
    }

    /// Number of the next message.
    pub const fn next_sequence(&self) -> u64 {
        self.first.saturating_add(self.count as u64)
    }

    /// Messages that wait for their packet to leave.
    pub const fn waiting(&self) -> u16 {
        self.count
    }

    /// Adds a message and gives its number; sends the packet before it if it has no place there.
    ///
    /// # Errors
    /// [`MessageTooLong`].
    pub fn push(&mut self, message: &[u8], out: &mut impl FnMut(&[u8])) -> Result<u64, MessageTooLong> {
        let limit = self.packet.len() - HEADER_BYTES - 2;
        // `limit` is below 2^16.
        let (Ok(length), true) = (u16::try_from(message.len()), message.len() <= limit) else {
            return Err(MessageTooLong { found: message.len(), limit });
        };
        if self.filled + 2 + message.len() > self.packet.len() || self.count == END_OF_SESSION - 1 {
            self.flush(out);
        }
        let end = self.filled + 2 + message.len();
        if let Some((to, rest)) =
            self.packet.get_mut(self.filled..end).and_then(|to| to.split_first_chunk_mut::<2>())
        {
            *to = length.to_be_bytes();
            rest.copy_from_slice(message);
        }
        self.filled = end;
        self.count += 1;
        Ok(self.next_sequence() - 1)
    }

    /// Sends what waits, if anything does.
    pub fn flush(&mut self, out: &mut impl FnMut(&[u8])) {
        if self.count == 0 {
            return;
        }
        let header = self.header(self.count);
        if let Some(to) = self.packet.get_mut(..HEADER_BYTES) {
            to.copy_from_slice(bytemuck::bytes_of(&header));
        }
        out(self.packet.get(..self.filled).unwrap_or_default());
        self.first = self.next_sequence();
        self.count = 0;
        self.filled = HEADER_BYTES;
    }

    /// Sends what waits; if nothing does, a heartbeat.
    pub fn heartbeat(&mut self, out: &mut impl FnMut(&[u8])) {
        if self.count > 0 {
            self.flush(out);
        } else {
            out(bytemuck::bytes_of(&self.header(0)));
        }
    }

    /// Sends what waits, and that the session is over. To be repeated for a while in place of heartbeats, so that the last messages can
    /// still be asked for.
    pub fn end_of_session(&mut self, out: &mut impl FnMut(&[u8])) {
        self.flush(out);
        out(bytemuck::bytes_of(&self.header(END_OF_SESSION)));
    }

    const fn header(&self, count: u16) -> Header {
        Header { session: self.session, sequence: Be64::new(self.first), count: Be16::new(count) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Downstream, Kind};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packets_hold_all_messages_in_order_and_no_packet_could_have_held_the_next(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..43), 0..200),
            payload in 64usize..200,
        ) {
            let mut packets = Vec::new();
            let mut out = |packet: &[u8]| packets.push(packet.to_vec());
            let mut builder = PacketBuilder::new(Session::new("S").unwrap(), 10, payload);
            for (index, message) in messages.iter().enumerate() {
                let fits = message.len() <= payload - 22;
                prop_assert_eq!(builder.push(message, &mut out).is_ok(), fits, "{}", index);
            }
            builder.end_of_session(&mut out);
            let sent: Vec<&Vec<u8>> = messages.iter().filter(|message| message.len() <= payload - 22).collect();
            let mut next = 0;
            for (index, bytes) in packets.iter().enumerate() {
                prop_assert!(bytes.len() <= payload);
                let packet = Downstream::parse(bytes).unwrap();
                prop_assert_eq!(packet.header().sequence.get(), 10 + next as u64);
                let is_last = index + 1 == packets.len();
                prop_assert_eq!(packet.kind(), if is_last { Kind::EndOfSession } else { Kind::Data });
                for message in packet.messages() {
                    prop_assert_eq!(message, &sent[next][..]);
                    next += 1;
                }
                if let Some(following) = sent.get(next) {
                    prop_assert!(bytes.len() + 2 + following.len() > payload);
                }
            }
            prop_assert_eq!(next, sent.len());
        }
    }

    #[test]
    fn a_heartbeat_is_sent_only_if_no_message_waits() {
        let mut packets = Vec::new();
        let mut builder = PacketBuilder::new(Session::new("S").unwrap(), 1, PAYLOAD_BYTES_MAX);
        builder.heartbeat(&mut |packet| packets.push(packet.to_vec()));
        assert_eq!(builder.push(b"a", &mut |_| panic!("not full")), Ok(1));
        assert_eq!((builder.waiting(), builder.next_sequence()), (1, 2));
        builder.heartbeat(&mut |packet| packets.push(packet.to_vec()));
        let kinds: Vec<Kind> = packets.iter().map(|bytes| Downstream::parse(bytes).unwrap().kind()).collect();
        assert_eq!(kinds, [Kind::Heartbeat, Kind::Data]);
        let long = builder.push(&[0; MESSAGE_BYTES_MAX + 1], &mut |_| {});
        assert_eq!(long, Err(MessageTooLong { found: 1_451, limit: 1_450 }));
    }
}
