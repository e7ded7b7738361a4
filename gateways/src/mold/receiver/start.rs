//! The first packet of a stream, until another one bears it out: which session it is, and where it stands, is not for one damaged packet to decide.

use super::Line;
use crate::mold::packet::{Downstream, Session};
use spinward_engine::words::Nanos;

/// The packet, and when it came.
#[derive(Debug)]
pub(super) struct Start {
    found: Option<Found>,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    line: Line,
    at: Nanos,
    session: Session,
    sequence: u64,
}

/// What another packet says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Says {
    /// The same: the stream can begin.
    Same,
    /// Nothing: it may be the very same datagram once more.
    Nothing,
    /// There was none, or it was of another stream: the new one takes its place.
    Other,
}

impl Start {
    /// Room for a packet of this size without another allocation.
    pub(super) fn new(packet_bytes: usize) -> Self {
        Self { found: None, bytes: Vec::with_capacity(packet_bytes) }
    }

    /// Holds a packet against the one before it: of the same session, and no further than `near` from it, on the other line, another datagram, or `later`
    /// than that.
    pub(super) fn ask(
        &self,
        line: Line,
        now: Nanos,
        (packet, bytes): (&Downstream<'_>, &[u8]),
        near: u64,
        later: Nanos,
    ) -> Says {
        let (session, sequence) = (packet.header().session, packet.header().sequence.get());
        match self.found {
            Some(found) if found.session == session && found.sequence.abs_diff(sequence) <= near => {
                let is_once_more = found.line == line && self.bytes == bytes;
                if is_once_more && now < found.at.after(later) { Says::Nothing } else { Says::Same }
            }
            Some(_) | None => Says::Other,
        }
    }

    /// Keeps a packet in the place of the one before it. True if there was one.
    pub(super) fn keep(&mut self, line: Line, now: Nanos, packet: &Downstream<'_>, bytes: &[u8]) -> bool {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        let (session, sequence) = (packet.header().session, packet.header().sequence.get());
        self.found.replace(Found { line, at: now, session, sequence }).is_some()
    }

    /// Gives the packet away, with the line that brought it.
    pub(super) fn take(&mut self) -> Option<(Line, Vec<u8>)> {
        self.found.take().map(|found| (found.line, std::mem::take(&mut self.bytes)))
    }
}
