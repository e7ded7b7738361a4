//! The logical packets (§2): a length of two bytes, a type letter, a payload.

use super::field::{Alpha, Numeric};
use bytemuck::{Pod, Zeroable};

/// Bytes before a payload: the length and the type.
pub const HEADER_BYTES: usize = 3;

/// Bytes of the longest payload: the length counts the type letter too.
pub const PAYLOAD_BYTES_MAX: usize = u16::MAX as usize - 1;

/// Login Request (`L`, §2.3.1).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct LoginRequest {
    /// Offset 3. User name.
    pub user: Alpha<6>,
    /// Offset 9. Password.
    pub password: Alpha<10>,
    /// Offset 19. The session to log into; blank: the one that is running.
    pub session: Alpha<10>,
    /// Offset 29. The next sequence wanted; 0: what is new from now on; blank counts as 0.
    pub sequence: Numeric<20>,
}

impl Default for Numeric<20> {
    fn default() -> Self {
        Self::BLANK
    }
}

/// Login Accepted (`A`, §2.2.1).
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Pod, Zeroable)]
pub struct LoginAccepted {
    /// Offset 3. The session that is joined.
    pub session: Alpha<10>,
    /// Offset 13. Sequence of the next sequenced message that the server will send.
    pub sequence: Numeric<20>,
}

const _: () = assert!(size_of::<LoginRequest>() == 46 && size_of::<LoginAccepted>() == 30);

/// Why a login was rejected (`J`, §2.2.2).
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, thiserror::Error)]
pub enum RejectReason {
    /// User or password is wrong.
    #[error("not authorized: user or password is wrong")]
    NotAuthorized = b'A',
    /// The session asked for is not there.
    #[error("the session asked for is not available")]
    SessionNotAvailable = b'S',
}

/// One logical packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// `+`: human-readable text, for neither side's logic.
    Debug(&'a [u8]),
    /// `A`, from the server.
    LoginAccepted(&'a LoginAccepted),
    /// `J`, from the server, which closes after it.
    LoginRejected(RejectReason),
    /// `S`, from the server: the next message of the stream. Its number is not in it; both sides count.
    Sequenced(&'a [u8]),
    /// `U`, from the client, in 4.x also from the server: not numbered, lost with the connection.
    Unsequenced(&'a [u8]),
    /// `H`.
    ServerHeartbeat,
    /// `Z`, from the server: the session is over, there will be no more.
    EndOfSession,
    /// `L`, from the client. The second part is what 4.10 adds: milliseconds of silence after which the client counts as gone.
    LoginRequest(&'a LoginRequest, Option<&'a Numeric<5>>),
    /// `R`.
    ClientHeartbeat,
    /// `O`, from the client: the server closes.
    LogoutRequest,
}

/// Why bytes are no packet. The stream cannot be trusted after one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// The length says 0: not even a type.
    #[error("packet of length 0 has no type")]
    Empty,
    /// The protocol has no such type.
    #[error("no packet type {0:#04x}")]
    UnknownType(u8),
    /// The payload has not the length of its type.
    #[error("packet {} has a payload of {found} bytes, its type demands {needed}", char::from(*kind))]
    Length {
        /// Type letter.
        kind: u8,
        /// Bytes of the payload.
        found: usize,
        /// Bytes the type has.
        needed: usize,
    },
    /// A login rejected for a reason that the protocol has not.
    #[error("no reject reason {0:#04x}")]
    UnknownReason(u8),
    /// Longer than this side's limit.
    #[error("packet of {found} bytes, the limit here is {limit}")]
    TooLong {
        /// Bytes of the packet without its length field.
        found: usize,
        /// Most that are taken.
        limit: usize,
    },
}

impl<'a> Packet<'a> {
    /// Reads what follows the length field: the type and its payload.
    ///
    /// # Errors
    /// [`PacketError`] if there is no such packet; nothing is judged beyond form.
    pub fn parse(body: &'a [u8]) -> Result<Self, PacketError> {
        let Some((&kind, payload)) = body.split_first() else { return Err(PacketError::Empty) };
        let wrong = |needed| PacketError::Length { kind, found: payload.len(), needed };
        let empty = |packet| if payload.is_empty() { Ok(packet) } else { Err(wrong(0)) };
        match kind {
            b'+' => Ok(Self::Debug(payload)),
            b'S' => Ok(Self::Sequenced(payload)),
            b'U' => Ok(Self::Unsequenced(payload)),
            b'A' => bytemuck::try_from_bytes(payload)
                .map(Self::LoginAccepted)
                .map_err(|_| wrong(size_of::<LoginAccepted>())),
            b'J' => match payload {
                b"A" => Ok(Self::LoginRejected(RejectReason::NotAuthorized)),
                b"S" => Ok(Self::LoginRejected(RejectReason::SessionNotAvailable)),
                [other] => Err(PacketError::UnknownReason(*other)),
                _ => Err(wrong(1)),
            },
            b'L' => {
                const BYTES: usize = size_of::<LoginRequest>();
                let (request, timeout) = payload.split_at_checked(BYTES).ok_or_else(|| wrong(BYTES))?;
                let request = bytemuck::try_from_bytes(request).map_err(|_| wrong(BYTES))?;
                match timeout {
                    [] => Ok(Self::LoginRequest(request, None)),
                    timeout => bytemuck::try_from_bytes(timeout)
                        .map(|timeout| Self::LoginRequest(request, Some(timeout)))
                        .map_err(|_| wrong(BYTES)),
                }
            }
            b'H' => empty(Self::ServerHeartbeat),
            b'Z' => empty(Self::EndOfSession),
            b'R' => empty(Self::ClientHeartbeat),
            b'O' => empty(Self::LogoutRequest),
            unknown => Err(PacketError::UnknownType(unknown)),
        }
    }

    /// Its type letter.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Debug(_) => b'+',
            Self::LoginAccepted(_) => b'A',
            Self::LoginRejected(_) => b'J',
            Self::Sequenced(_) => b'S',
            Self::Unsequenced(_) => b'U',
            Self::ServerHeartbeat => b'H',
            Self::EndOfSession => b'Z',
            Self::LoginRequest(..) => b'L',
            Self::ClientHeartbeat => b'R',
            Self::LogoutRequest => b'O',
        }
    }

    /// Writes the packet, length field first, to the front of `out` and says how many bytes it took. 0 if `out` is too small or the
    /// payload is longer than [`PAYLOAD_BYTES_MAX`]: nothing is written then.
    pub fn encode(&self, out: &mut [u8]) -> usize {
        let (head, tail): (&[u8], &[u8]) = match self {
            Self::Debug(bytes) | Self::Sequenced(bytes) | Self::Unsequenced(bytes) => (bytes, &[]),
            Self::LoginAccepted(accepted) => (bytemuck::bytes_of(*accepted), &[]),
            Self::LoginRejected(RejectReason::NotAuthorized) => (b"A", &[]),
            Self::LoginRejected(RejectReason::SessionNotAvailable) => (b"S", &[]),
            Self::LoginRequest(request, timeout) => {
                (bytemuck::bytes_of(*request), timeout.map_or(&[], bytemuck::bytes_of))
            }
            Self::ServerHeartbeat | Self::EndOfSession | Self::ClientHeartbeat | Self::LogoutRequest => {
                (&[], &[])
            }
        };
        let header = frame(self.kind(), head.len() + tail.len());
        let (Some(header), Some(out)) = (header, out.get_mut(..HEADER_BYTES + head.len() + tail.len()))
        else {
            return 0;
        };
        let (to, rest) = out.split_at_mut(HEADER_BYTES);
        to.copy_from_slice(&header);
        let (to, rest) = rest.split_at_mut(head.len());
        to.copy_from_slice(head);
        rest.copy_from_slice(tail);
        HEADER_BYTES + head.len() + tail.len()
    }
}

/// Length and type of a packet with a payload of so many bytes; `None` above [`PAYLOAD_BYTES_MAX`].
pub const fn frame(kind: u8, payload_bytes: usize) -> Option<[u8; HEADER_BYTES]> {
    if payload_bytes > PAYLOAD_BYTES_MAX {
        return None;
    }
    let [high, low] = (payload_bytes as u16 + 1).to_be_bytes();
    Some([high, low, kind])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(packet: Packet<'_>) -> Vec<u8> {
        let mut out = [0u8; 80];
        let bytes = packet.encode(&mut out);
        assert_eq!(usize::from(u16::from_be_bytes([out[0], out[1]])), bytes - 2);
        assert_eq!(Packet::parse(&out[2..bytes]), Ok(packet));
        out[..bytes].to_vec()
    }

    #[test]
    fn every_packet_type_is_written_as_the_specification_lays_it_out_and_read_back() {
        let request = LoginRequest {
            user: Alpha::new("user").unwrap(),
            password: Alpha::new("secret").unwrap(),
            session: Alpha::BLANK,
            sequence: Numeric::new(1).unwrap(),
        };
        let timeout = Numeric::new(15_000).unwrap();
        let login = round(Packet::LoginRequest(&request, None));
        assert_eq!(login, b"\x00\x2fLuser  secret                                 1");
        assert_eq!(round(Packet::LoginRequest(&request, Some(&timeout))).len(), 54);
        let accepted =
            LoginAccepted { session: Alpha::from_bytes(*b"    SESS01"), sequence: Numeric::new(42).unwrap() };
        assert_eq!(round(Packet::LoginAccepted(&accepted)), b"\x00\x1fA    SESS01                  42");
        assert_eq!(round(Packet::LoginRejected(RejectReason::NotAuthorized)), b"\x00\x02JA");
        assert_eq!(round(Packet::LoginRejected(RejectReason::SessionNotAvailable)), b"\x00\x02JS");
        assert_eq!(round(Packet::Sequenced(b"hello")), b"\x00\x06Shello");
        assert_eq!(round(Packet::Unsequenced(b"")), b"\x00\x01U");
        assert_eq!(round(Packet::Debug(b"dbg")), b"\x00\x04+dbg");
        assert_eq!(round(Packet::ServerHeartbeat), b"\x00\x01H");
        assert_eq!(round(Packet::ClientHeartbeat), b"\x00\x01R");
        assert_eq!(round(Packet::EndOfSession), b"\x00\x01Z");
        assert_eq!(round(Packet::LogoutRequest), b"\x00\x01O");
    }

    #[test]
    fn what_is_no_packet_says_why() {
        assert_eq!(Packet::parse(b""), Err(PacketError::Empty));
        assert_eq!(Packet::parse(b"Q"), Err(PacketError::UnknownType(b'Q')));
        assert_eq!(Packet::parse(b"Hx"), Err(PacketError::Length { kind: b'H', found: 1, needed: 0 }));
        assert_eq!(Packet::parse(b"JX"), Err(PacketError::UnknownReason(b'X')));
        assert_eq!(Packet::parse(b"J"), Err(PacketError::Length { kind: b'J', found: 0, needed: 1 }));
        let cut = Packet::parse(&[b'L'; 46]).unwrap_err();
        assert_eq!(cut.to_string(), "packet L has a payload of 45 bytes, its type demands 46");
        assert!(Packet::parse(&[b'L'; 49]).is_err() && Packet::parse(&[b'A'; 30]).is_err());
    }

    #[test]
    fn a_packet_that_does_not_fit_is_not_written() {
        let mut small = [7u8; 4];
        assert_eq!(Packet::Sequenced(b"ab").encode(&mut small), 0);
        assert_eq!(small, [7; 4]);
        assert_eq!(Packet::Sequenced(&vec![0; PAYLOAD_BYTES_MAX + 1]).encode(&mut vec![0; 70_000]), 0);
        assert_eq!(Packet::Sequenced(&vec![0; PAYLOAD_BYTES_MAX]).encode(&mut vec![0; 70_000]), 65_537);
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_back_byte_for_byte(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            for kind in *b"+AJSUHZLRO" {
                let mut body = body.clone();
                body.insert(0, kind);
                for body in [&body[..], &body[..body.len().min(47)], &body[..body.len().min(31)]] {
                    if let Ok(packet) = Packet::parse(body) {
                        let mut out = [0u8; 100];
                        let bytes = packet.encode(&mut out);
                        prop_assert_eq!(&out[2..bytes], body);
                    }
                }
            }
        }
    }
}
