//! The first packet of a stream, until another one bears it out: which session it is, and where it stands, is not for one damaged packet to decide.

use super::Line;
use crate::mold::packet::{Downstream, Session};
use spinward_engine::words::Nanos;

/// The packet, if there is one, and room for the next.
#[derive(Debug)]
pub(super) struct Start {
    found: Option<Found>,
    room: Vec<u8>,
}

/// The packet, and when it came.
#[derive(Debug)]
pub(super) struct Found {
    line: Line,
    at: Nanos,
    session: Session,
    sequence: u64,
    bytes: Vec<u8>,
}

impl Found {
    /// What brought it.
    pub(super) fn line(&self) -> Line {
        self.line
    }

    /// As it was read when it came.
    pub(super) fn packet(&self) -> Option<Downstream<'_>> {
        Downstream::parse(&self.bytes).ok()
    }
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
        Self { found: None, room: Vec::with_capacity(packet_bytes) }
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
        match &self.found {
            Some(found) if found.session == session && found.sequence.abs_diff(sequence) <= near => {
                let is_once_more = found.line == line && found.bytes == bytes;
                if is_once_more && now < found.at.after(later) { Says::Nothing } else { Says::Same }
            }
            Some(_) | None => Says::Other,
        }
    }

    /// Keeps a packet in the place of the one before it. True if there was one.
    pub(super) fn keep(&mut self, line: Line, now: Nanos, packet: &Downstream<'_>, bytes: &[u8]) -> bool {
        let before = self.take();
        let is_replaced = before.is_some();
        self.give_back(before);
        let mut room = std::mem::take(&mut self.room);
        room.extend_from_slice(bytes);
        let (session, sequence) = (packet.header().session, packet.header().sequence.get());
        self.found = Some(Found { line, at: now, session, sequence, bytes: room });
        is_replaced
    }

    /// Gives the packet away.
    pub(super) fn take(&mut self) -> Option<Found> {
        self.found.take()
    }

    /// Takes its memory back, for the next one.
    pub(super) fn give_back(&mut self, found: Option<Found>) {
        if let Some(found) = found {
            self.room = found.bytes;
            self.room.clear();
        }
    }
}
