//! The journal: every frame that entered the engine, in order. [`JournalWriter`] on the tap, [`JournalReader`] for replay, [`verify`].

use crate::appender::{AppendCounters, Appender, Finished, Identity};
use crate::cut::Cut;
use crate::error::{AppendError, JournalError};
use crate::format::{RECORD_HEADER_BYTES, Record, StreamKind, tag};
use crate::preparer::{JournalConfig, Preparer};
use crate::reader::{RecordReader, Seek};
use crate::worker::PreparerCounters;
use spinward_engine::words::{FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, Nanos, SourceId};
use std::path::Path;
use std::sync::Arc;

/// Words of a frame's record at most: 32 bytes of header and 96 of payload.
const FRAME_RECORD_WORDS: usize = (RECORD_HEADER_BYTES + FRAME_PAYLOAD_BYTES) / 8;

/// As many ones as a payload has bytes at most, then as many zeros: a window of 96 bytes into it masks a payload of any length.
static MASK: [u8; 2 * FRAME_PAYLOAD_BYTES] = {
    let mut mask = [0; 2 * FRAME_PAYLOAD_BYTES];
    let mut at = 0;
    while at < FRAME_PAYLOAD_BYTES {
        mask[at] = 0xFF;
        at += 1;
    }
    mask
};

/// Writes frames into prefaulted memory. For one pinned thread: no allocation, no lock, no system call in [`JournalWriter::append`].
#[derive(Debug)]
pub struct JournalWriter {
    appender: Appender,
}

impl JournalWriter {
    /// Makes the folder if need be, prepares the first segments and registers with the preparer. Blocks.
    ///
    /// # Errors
    /// [`JournalError::AlreadyWritten`] if the folder holds a segment: a stream is written once, by one writer. Otherwise the configuration
    /// or the system refuses; segments that were made by then stay and hold nothing.
    pub fn create(folder: &Path, config: &JournalConfig, preparer: &Preparer) -> Result<Self, JournalError> {
        Self::create_as(folder, config, preparer, Identity::new())
    }

    /// The same with a given identity, so that the streams of a session carry the same one.
    ///
    /// # Errors
    /// As [`JournalWriter::create`].
    pub fn create_as(
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        let appender = Appender::create(StreamKind::Journal, folder, config, preparer, identity)?;
        Ok(Self { appender })
    }

    /// Appends a frame; its stamp is not journaled. When it returns, the frame survives the death of this process.
    ///
    /// # Errors
    /// Nothing was written and the same frame can be appended again: [`AppendError::NoSegment`] for the moment, [`AppendError::Failed`]
    /// until the disk is mended, [`AppendError::OutOfOrder`] if it is not the frame after the last one (the first one is 1).
    #[inline]
    pub fn append(&mut self, frame: &Frame) -> Result<(), AppendError> {
        let header = &frame.header;
        if header.sequence != self.appender.sequence() + 1 {
            return Err(AppendError::OutOfOrder);
        }
        if usize::from(header.bytes) > FRAME_PAYLOAD_BYTES {
            return Err(AppendError::TooLong);
        }
        let bytes = usize::from(header.bytes);
        let mut record = [0u64; FRAME_RECORD_WORDS];
        // What lies behind the payload in the slot is rubbish of an older frame. The window begins so that the ones in it end with the payload.
        if let (Some((_, words)), Some(mask)) = (
            record.split_first_chunk_mut::<{ RECORD_HEADER_BYTES / 8 }>(),
            MASK.get(FRAME_PAYLOAD_BYTES - bytes..)
                .and_then(|mask| mask.first_chunk::<FRAME_PAYLOAD_BYTES>()),
        ) {
            let pairs = frame.payload.as_chunks::<8>().0.iter().zip(mask.as_chunks::<8>().0);
            for (word, (payload, mask)) in words.iter_mut().zip(pairs) {
                *word = u64::from_le_bytes(*payload) & u64::from_le_bytes(*mask);
            }
        }
        self.appender.append(
            header.receive_time,
            tag(header.source.get(), header.kind, header.flags, header.bytes),
            &mut record,
            bytes,
        )
    }

    /// Number of the last frame that is in the journal; 0 before the first one. An order may leave when the frame that caused it is.
    #[inline]
    pub fn appended(&self) -> u64 {
        self.appender.sequence()
    }

    /// Number of the last frame that is on the disk; how soon it follows [`JournalWriter::appended`] is a matter of [`Durability`](crate::Durability).
    #[inline]
    pub fn durable(&self) -> u64 {
        self.appender.durable()
    }

    /// Whether a flush failed: what was appended may never come to the disk. The reason is in [`JournalWriter::failure`].
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.appender.is_broken()
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<AppendCounters> {
        self.appender.counters()
    }

    /// What the preparer counts for it.
    pub fn preparer_counters(&self) -> Arc<PreparerCounters> {
        self.appender.preparer_counters()
    }

    /// The last failure of the preparer, if there was one. Takes a lock: not for the hot path.
    pub fn failure(&self) -> Option<Arc<JournalError>> {
        self.appender.failure()
    }

    /// Ends the journal: everything is on the disk, sealed, the unused tail given back. Blocks. Without it the journal ends as after a
    /// kill, which loses nothing but the word that it ended.
    ///
    /// # Errors
    /// The failure of the preparer, then or earlier.
    pub fn finish(self) -> Result<Finished, Arc<JournalError>> {
        self.appender.finish()
    }
}

/// A frame where it lies in the reader's buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameRef<'a> {
    /// Number of the frame.
    pub sequence: u64,
    /// When it was received.
    pub receive_time: Nanos,
    /// Who sent it.
    pub source: SourceId,
    /// A [`FrameKind`].
    pub kind_number: u8,
    /// As in [`FrameHeader`].
    pub flags: u16,
    /// The bytes in use, at most 96.
    pub payload: &'a [u8],
}

impl<'a> FrameRef<'a> {
    /// A frame that was kept.
    pub fn of(frame: &'a Frame) -> Self {
        let header = &frame.header;
        Self {
            sequence: header.sequence,
            receive_time: header.receive_time,
            source: header.source,
            kind_number: header.kind,
            flags: header.flags,
            payload: frame.payload.get(..usize::from(header.bytes)).unwrap_or(&frame.payload),
        }
    }

    pub(crate) fn new(record: Record<'a>) -> Self {
        Self {
            sequence: record.sequence,
            receive_time: Nanos::new(record.receive_time),
            source: SourceId::new(record.source),
            kind_number: record.kind,
            flags: record.flags,
            payload: record.payload,
        }
    }

    /// What it carries; `None` for a number that no version of the format has.
    pub fn kind(&self) -> Option<FrameKind> {
        FrameKind::from_number(self.kind_number)
    }

    /// Whether the message goes on in the next frame.
    pub fn has_more(&self) -> bool {
        self.flags & FrameHeader::MORE != 0
    }

    /// As a slot of the ingress ring, without a stamp.
    pub fn to_frame(&self) -> Frame {
        let mut frame = Frame::vacant();
        frame.header = FrameHeader {
            sequence: self.sequence,
            receive_time: self.receive_time,
            stamp: 0,
            source: self.source,
            kind: self.kind_number,
            flags: self.flags,
            bytes: self.payload.len() as u16,
            reserved: 0,
        };
        if let Some(payload) = frame.payload.get_mut(..self.payload.len()) {
            payload.copy_from_slice(self.payload);
        }
        frame
    }
}

/// Reads a journal from frame 1 to its end, every record checked. Holds one segment in memory.
#[derive(Debug)]
pub struct JournalReader {
    records: RecordReader,
}

impl JournalReader {
    /// Opens the folder and checks its first segment.
    ///
    /// # Errors
    /// The folder or its first segment is not (of) a journal, damaged, newer than this program, or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self { records: RecordReader::open(folder, StreamKind::Journal)? })
    }

    /// Begins at this frame, or at most a segment before it; what lies before is neither read nor checked.
    ///
    /// # Errors
    /// As [`JournalReader::open`].
    pub fn open_at_frame(folder: &Path, frame: u64) -> Result<Self, JournalError> {
        Ok(Self { records: RecordReader::open_from(folder, StreamKind::Journal, Seek::Sequence(frame))? })
    }

    /// Begins before the first frame with this receive time or a later one: at the first segment whose seal does not say that all of it is earlier.
    ///
    /// # Errors
    /// As [`JournalReader::open`].
    pub fn open_at_time(folder: &Path, time: Nanos) -> Result<Self, JournalError> {
        Ok(Self { records: RecordReader::open_from(folder, StreamKind::Journal, Seek::Time(time.get()))? })
    }

    /// Number of the last frame that may have a receive time before this, by the segments' header pages: behind it nothing is wanted. `None` if the end of the
    /// journal may have one, too.
    ///
    /// # Errors
    /// [`JournalError::Io`].
    pub fn last_frame_before(folder: &Path, time: Nanos) -> Result<Option<u64>, JournalError> {
        RecordReader::last_wanted(folder, StreamKind::Journal, time.get())
    }

    /// The next frame; `None` at the end: then [`JournalReader::cut`] tells whether a torn tail was cut off.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] and [`JournalError::MissingSegment`] name the place; every frame given before is whole. After an error the
    /// same error comes again.
    #[expect(clippy::should_implement_trait, reason = "lends its buffer, which Iterator cannot say")]
    pub fn next(&mut self) -> Result<Option<FrameRef<'_>>, JournalError> {
        Ok(self.records.next()?.map(FrameRef::new))
    }

    /// What was cut off at the end; `None` before the end is reached, and if nothing was.
    pub fn cut(&self) -> Option<&Cut> {
        self.records.cut()
    }

    /// Whether the writer ended the journal with [`JournalWriter::finish`]; false before the end is reached.
    pub fn is_ended_by_writer(&self) -> bool {
        self.records.is_ended_by_writer()
    }

    /// Number of the last frame given; 0 before the first.
    pub fn last_sequence(&self) -> u64 {
        self.records.last_sequence()
    }

    /// Which session it belongs to; `None` if its first segment was never used.
    pub fn identity(&self) -> Option<Identity> {
        self.records.identity.map(|(session, created)| Identity { session, created: Nanos::new(created) })
    }
}

#[cfg(test)]
impl JournalWriter {
    /// On another storage than the preparer's.
    pub(crate) fn create_on(
        storage: Arc<dyn crate::storage::Storage>,
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        let appender = Appender::create_on(storage, StreamKind::Journal, folder, config, preparer, identity)?;
        Ok(Self { appender })
    }
}
