//! Beginning in the middle of a stream: header pages are the index.

use super::{Loaded, RecordReader, corrupt};
use crate::error::JournalError;
use crate::format::{HeaderCheck, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, StreamKind};
use crate::stored::{self, segments_of};
use std::path::Path;

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

    /// Number of the last record that may have been received before `time`: the last one of the last segment whose seal does not say that all of it is later.
    /// `None` if that segment is not sealed.
    pub(crate) fn last_wanted(
        folder: &Path,
        kind: StreamKind,
        time: i64,
    ) -> Result<Option<u64>, JournalError> {
        for (_, path) in segments_of(folder)?.iter().rev() {
            let (mut page, _) = stored::read_page(&mut path.clone())?;
            page.resize(SEGMENT_HEADER_BYTES, 0);
            let (header, crc) = match SegmentHeader::check(&page, kind) {
                HeaderCheck::Published(header, crc) => (header, crc),
                HeaderCheck::Unused => continue,
                // Reading tells what is wrong with it.
                HeaderCheck::Foreign(_) | HeaderCheck::Newer(_) | HeaderCheck::Corrupt(..) => {
                    return Ok(None);
                }
            };
            match Seal::check(&page, crc, header.version) {
                Ok(Some(Seal { chained: Some(chained), .. })) if chained.times.least >= time => {}
                Ok(Some(seal)) => return Ok(Some(seal.last_sequence)),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
        Ok(Some(0))
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
