//! Beginning in the middle of a stream: header pages are the index.

use super::{Loaded, RecordReader, corrupt};
use crate::error::JournalError;
use crate::format::{HeaderCheck, Seal, SegmentHeader};
use crate::stored;

/// Where reading is to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seek {
    /// At this record, or a little before.
    Sequence(u64),
    /// Before the first record with this receive time or a later one.
    Time(i64),
}

impl RecordReader {
    /// Begins in the middle: with this segment, which is in use, as far as its header page tells.
    pub(super) fn enter_at(&mut self, index: usize) -> Result<(), JournalError> {
        match self.load(index)? {
            Loaded::Used(open) => {
                self.last_sequence = open.header.first_sequence.saturating_sub(1);
                self.begin(open);
                Ok(())
            }
            Loaded::Unused(path, _) => {
                Err(corrupt(&path, 0, "its header is gone".to_owned(), self.last_sequence))
            }
        }
    }

    /// The last segment before which nothing is wanted.
    pub(super) fn first_wanted(&self, from: Seek) -> Result<usize, JournalError> {
        let mut first = 0;
        for (index, (_, path)) in self.segments.iter().enumerate() {
            let (page, _) = stored::read_page(&mut path.clone())?;
            let HeaderCheck::Published(header, crc) = SegmentHeader::check(&page, self.kind) else { break };
            match from {
                Seek::Sequence(sequence) => {
                    if header.first_sequence > sequence {
                        break;
                    }
                    first = index;
                }
                Seek::Time(time) => {
                    // Without a range (version 1, or not sealed) it may hold what is wanted.
                    first = index;
                    match Seal::check(&page, crc, header.version) {
                        Ok(Some(Seal { chained: Some(chained), .. })) if chained.times.greatest < time => {}
                        Ok(_) | Err(_) => break,
                    }
                }
            }
        }
        Ok(first)
    }
}
