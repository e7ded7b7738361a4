//! [`Window`]: the pages ahead of the writer that it may store into without a fault.
//!
//! Pages of a segment are present from its preparation on, and clean. Writable ones are dirty: the kernel writes them back some time, zeros as they are, write-protects them, and
//! interrupts the pipeline's cores for each. So only as many are made writable as the writer may soon reach.

use crate::error::JournalError;
use crate::segment::Segment;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often its size is set by what was written, and all of it is looked at: the kernel may have written some of it back.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The least that it holds, for a burst after silence.
const LEAST_BYTES: u64 = 1 << 20;
/// How many times what was written between two looks it holds.
const TIMES: u64 = 4;
/// Bytes made writable at once: some fifty microseconds, as somebody may come meanwhile who waits for a flush.
const PIECE_BYTES: u64 = 64 << 10;
/// Most bytes at the beginning of the next segment, and before the end of this one when they are made writable.
const HEAD_BYTES: u64 = 8 << 20;

#[derive(Debug)]
pub(crate) struct Window {
    /// Most bytes that it holds.
    most: u64,
    bytes: u64,
    /// The segment that the writer is in, how far that one is writable, and how far the next one.
    number: u64,
    to: u64,
    next_to: u64,
    /// It has become half empty and is not full again.
    is_filling: bool,
    looked_at: Instant,
    /// Where the writer was then, from the start of the stream.
    position: u64,
}

impl Window {
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            bytes: most,
            number: 0,
            to: 0,
            next_to: 0,
            is_filling: false,
            looked_at: Instant::now(),
            position: 0,
        }
    }

    /// Goes along with the writer, who is in the first of these segments that is not closed: by a piece. False if it is where it should be.
    pub(crate) fn follow(&mut self, live: &VecDeque<Arc<Segment>>) -> Result<bool, JournalError> {
        let mut open = live.iter().skip_while(|segment| segment.closed().is_some());
        let Some(segment) = open.next() else { return Ok(false) };
        if segment.number != self.number {
            self.to = if segment.number == self.number + 1 { self.next_to } else { 0 };
            self.number = segment.number;
            self.next_to = 0;
        }
        let end = segment.end();
        if self.looked_at.elapsed() >= LOOK_INTERVAL {
            let position = segment.number.saturating_mul(segment.bytes).saturating_add(end);
            let written = position.saturating_sub(self.position);
            self.bytes = written.saturating_mul(TIMES).max(LEAST_BYTES).min(self.most);
            (self.to, self.next_to) = (end, 0);
            (self.looked_at, self.position) = (Instant::now(), position);
        }
        let target = end.saturating_add(self.bytes).min(segment.bytes);
        self.is_filling &= self.to < target;
        self.is_filling |= self.to < target.min(end.saturating_add(self.bytes / 2));
        if self.is_filling {
            let from = self.to.max(end);
            self.to = target.min(from + PIECE_BYTES);
            segment.prefault(from, self.to)?;
            return Ok(true);
        }
        let head = self.bytes.min(HEAD_BYTES);
        if segment.bytes.saturating_sub(end) < head
            && let Some(next) = open.next()
            && self.next_to < head.min(next.bytes)
        {
            let from = self.next_to;
            self.next_to = head.min(next.bytes).min(from + PIECE_BYTES);
            next.prefault(from, self.next_to)?;
            return Ok(true);
        }
        Ok(false)
    }
}
