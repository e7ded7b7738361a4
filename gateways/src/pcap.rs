//! Captures of a network: pcap and pcapng files to packets, and packets to UDP datagrams and TCP streams.
//!
//! Enters: bytes of a file, read in pieces; or one captured frame. Leaves: frames with their time, datagrams, segments, streams in order.
//! Never: a guess. What cannot be read (a cut file, a cut packet, a fragment) is an error that says what, where and how to mend it.
//!
//! Sources: "PCAP Capture File Format" (draft-ietf-opsawg-pcap), "PCAP Now Generic" (draft-ietf-opsawg-pcapng), both in their editions of
//! 2023; IEEE 802.1Q and 802.1ad tags; RFC 791, 768 and 9293.

mod reader;
mod ng;
mod link;
mod tcp;

pub use link::{LinkError, Segment, Transport, UdpDatagram, decode};
pub use reader::{Frame, LinkType, PcapError, PcapReader};
pub use tcp::{StreamError, TcpStream};
