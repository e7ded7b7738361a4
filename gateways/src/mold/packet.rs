//! The packets: a header of session, sequence and count, then blocks of a length and a message each.

use crate::itch50::{Be16, Be64};
use crate::soup::Alpha;
use bytemuck::{Pod, Zeroable};

/// Name of a session.
pub type Session = Alpha<10>;

/// Bytes of a header; a request is no more than one.
pub const HEADER_BYTES: usize = 20;

/// The count that says that the session is over.
pub const END_OF_SESSION: u16 = 0xffff;

/// What a packet begins with, downstream and request alike.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct Header {
    /// Offset 0. The session that the numbers belong to.
    pub session: Session,
    /// Offset 10. Of the first message; with none, of the next there will be. In a request: of the first wanted.
    pub sequence: Be64,
    /// Offset 18. Messages in the packet; [`END_OF_SESSION`]. In a request: messages wanted.
    pub count: Be16,
}

const _: () = assert!(size_of::<Header>() == HEADER_BYTES && align_of::<Header>() == 1);

/// What a downstream packet is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It brings messages.
    Data,
    /// It says which number is next.
    Heartbeat,
    /// The same, and that there will be none.
    EndOfSession,
}

/// Why bytes are no packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// Shorter than a header.
    #[error("packet is cut: {found} bytes, its header has {HEADER_BYTES}")]
    Header {
        /// Bytes there are.
        found: usize,
    },
    /// A message is longer than what is left.
    #[error(
        "packet is cut in message {index} of {count}: {needed} bytes are to follow at byte {at}, {found} do"
    )]
    Message {
        /// Index of the message in the packet, from 0.
        index: u16,
        /// Messages that the header says.
        count: u16,
        /// Offset in the packet.
        at: usize,
        /// Bytes that should follow there.
        needed: usize,
        /// Bytes that do.
        found: usize,
    },
    /// Bytes behind the last message.
    #[error("packet ends at byte {at}, {found} bytes follow")]
    Trailing {
        /// Where it ends.
        at: usize,
        /// Bytes behind.
        found: usize,
    },
    /// Sequences end at 2^64 − 1.
    #[error("packet's sequence passes 2^64")]
    Sequence,
}

/// A downstream packet whose blocks are whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Downstream<'a> {
    header: &'a Header,
    blocks: &'a [u8],
}

impl<'a> Downstream<'a> {
    /// Reads a packet that fills its datagram.
    ///
    /// # Errors
    /// [`PacketError`]; not even the messages before the fault are given.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let (packet, rest) = Self::split(bytes)?;
        if rest.is_empty() {
            Ok(packet)
        } else {
            Err(PacketError::Trailing { at: bytes.len() - rest.len(), found: rest.len() })
        }
    }

    /// Reads the packet at the front of `bytes` and gives what follows it: for files of packets without framing.
    ///
    /// # Errors
    /// [`PacketError`].
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), PacketError> {
        let cut = PacketError::Header { found: bytes.len() };
        let (header, blocks) = bytes.split_at_checked(HEADER_BYTES).ok_or(cut)?;
        let header: &Header = bytemuck::try_from_bytes(header).map_err(|_| cut)?;
        let count = if header.count.get() == END_OF_SESSION { 0 } else { header.count.get() };
        if header.sequence.get().checked_add(u64::from(count)).is_none() {
            return Err(PacketError::Sequence);
        }
        let mut rest = blocks;
        for index in 0..count {
            rest = block(rest)
                .map_err(|needed| PacketError::Message {
                    index,
                    count,
                    at: bytes.len() - rest.len(),
                    needed,
                    found: rest.len(),
                })?
                .1;
        }
        // In range: `rest` is the end of `blocks`.
        let blocks = blocks.get(..blocks.len() - rest.len()).unwrap_or_default();
        Ok((Self { header, blocks }, rest))
    }

    /// What it begins with.
    pub const fn header(&self) -> &'a Header {
        self.header
    }

    /// What it is for.
    pub const fn kind(&self) -> Kind {
        match self.header.count.get() {
            0 => Kind::Heartbeat,
            END_OF_SESSION => Kind::EndOfSession,
            _ => Kind::Data,
        }
    }

    /// Messages in it.
    pub const fn count(&self) -> u16 {
        match self.header.count.get() {
            END_OF_SESSION => 0,
            count => count,
        }
    }

    /// Its messages, without their numbers: they go up by one from the header's.
    pub const fn messages(&self) -> Blocks<'a> {
        Blocks { rest: self.blocks }
    }
}

/// The messages of a packet.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Blocks<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (message, rest) = block(self.rest).ok()?;
        self.rest = rest;
        Some(message)
    }
}

/// A message and what follows it; the bytes that should be there if there are fewer.
#[inline]
fn block(bytes: &[u8]) -> Result<(&[u8], &[u8]), usize> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(2usize)?;
    let length = usize::from(u16::from_be_bytes(*length));
    rest.split_at_checked(length).ok_or(2 + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DATA: &[u8] = b"SESSION001\0\0\0\0\0\0\0\x05\0\x02\0\x03abc\0\0";

    #[test]
    fn a_packet_gives_its_messages_even_empty_ones() {
        let packet = Downstream::parse(DATA).unwrap();
        assert_eq!((packet.kind(), packet.count(), packet.header().sequence.get()), (Kind::Data, 2, 5));
        assert_eq!(packet.messages().collect::<Vec<_>>(), [&b"abc"[..], b""]);
        assert_eq!(packet.header().session.trimmed(), b"SESSION001");
    }

    #[test]
    fn heartbeats_and_the_end_of_a_session_say_which_number_is_next() {
        let heartbeat = Downstream::parse(b"SESSION001\0\0\0\0\0\0\0\x07\0\0").unwrap();
        assert_eq!((heartbeat.kind(), heartbeat.header().sequence.get()), (Kind::Heartbeat, 7));
        let end = Downstream::parse(b"SESSION001\0\0\0\0\0\0\0\x07\xff\xff").unwrap();
        assert_eq!((end.kind(), end.count(), end.messages().next()), (Kind::EndOfSession, 0, None));
    }

    #[test]
    fn a_packet_cut_anywhere_says_where() {
        for length in 0..HEADER_BYTES {
            assert_eq!(Downstream::parse(&DATA[..length]), Err(PacketError::Header { found: length }));
        }
        assert_eq!(
            Downstream::parse(&DATA[..24]).unwrap_err().to_string(),
            "packet is cut in message 0 of 2: 5 bytes are to follow at byte 20, 4 do"
        );
        assert_eq!(
            Downstream::parse(&DATA[..26]),
            Err(PacketError::Message { index: 1, count: 2, at: 25, needed: 2, found: 1 })
        );
        let longer = [DATA, b"x"].concat();
        assert_eq!(Downstream::parse(&longer), Err(PacketError::Trailing { at: 27, found: 1 }));
        assert_eq!(Downstream::split(&longer).unwrap().1, b"x");
        let mut last = DATA.to_vec();
        last[10..18].fill(0xff);
        assert_eq!(Downstream::parse(&last), Err(PacketError::Sequence));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_the_count_is_kept(bytes in proptest::collection::vec(any::<u8>(), 0..120), count in 0u16..4) {
            let mut bytes = bytes;
            if let Some(field) = bytes.get_mut(18..20) {
                field.copy_from_slice(&count.to_be_bytes());
            }
            if let Ok((packet, rest)) = Downstream::split(&bytes) {
                prop_assert_eq!(packet.messages().count(), usize::from(packet.count()));
                let used: usize = packet.messages().map(|message| message.len() + 2).sum();
                prop_assert_eq!(HEADER_BYTES + used + rest.len(), bytes.len());
            }
        }
    }
}
