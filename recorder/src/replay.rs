//! [`JournalDriver`]: a session's journal as the driver of a pipeline. The same frames in the same order; orders go nowhere, as the venue's
//! answers are in the journal.

use crate::cut::Cut;
use crate::error::JournalError;
use crate::journal::JournalReader;
use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{FrameKind, MESSAGE_BYTES_MAX, Message, Nanos, SourceId};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// How the reading of a journal ended.
#[derive(Debug)]
pub struct ReplayEnd {
    /// Number of the last frame that was replayed.
    pub last_frame: u64,
    /// Frames of a message whose end is not in the journal: the engine never saw that message whole either.
    pub incomplete_frames: u64,
    /// The torn tail that was cut, if there was one.
    pub cut: Option<Cut>,
    /// Why it ended before the end.
    pub failure: Option<JournalError>,
}

/// Reads a journal, message by message.
pub struct JournalDriver {
    reader: JournalReader,
    message: Vec<u8>,
    meta: Option<(SourceId, FrameKind, Nanos)>,
    last_frame: u64,
    last_time: Nanos,
    is_over: bool,
    end: Arc<OnceLock<ReplayEnd>>,
}

impl JournalDriver {
    /// Opens a session's journal.
    ///
    /// # Errors
    /// [`JournalError`] if there is none, or it is of a version that this program does not know.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        Ok(Self {
            reader: JournalReader::open(folder)?,
            message: Vec::with_capacity(MESSAGE_BYTES_MAX),
            meta: None,
            last_frame: 0,
            last_time: Nanos::ZERO,
            is_over: false,
            end: Arc::default(),
        })
    }

    /// Where it will stand how the reading ended.
    pub fn end(&self) -> Arc<OnceLock<ReplayEnd>> {
        Arc::clone(&self.end)
    }

    fn finish(&mut self, incomplete_frames: u64, failure: Option<JournalError>) {
        self.is_over = true;
        let end = ReplayEnd {
            last_frame: self.last_frame,
            incomplete_frames,
            cut: self.reader.cut().cloned(),
            failure,
        };
        // The first end is the one that counts.
        let _ = self.end.set(end);
    }

    /// Reads the next whole message; false at the end.
    fn read(&mut self) -> bool {
        self.message.clear();
        let mut frames = 0;
        loop {
            let (frame, kind) = match self.reader.next() {
                Ok(Some(frame)) => (frame, frame.kind()),
                Ok(None) => {
                    self.finish(frames, None);
                    return false;
                }
                Err(error) => {
                    self.finish(frames, Some(error));
                    return false;
                }
            };
            frames += 1;
            self.message.extend_from_slice(frame.payload);
            if !frame.has_more() {
                // A kind of a later version is replayed as market data that nobody can decode: it shows as malformed, as it did live.
                let kind = kind.unwrap_or(FrameKind::Market);
                self.meta = Some((frame.source, kind, frame.receive_time));
                self.last_frame = frame.sequence;
                self.last_time = frame.receive_time;
                return true;
            }
        }
    }
}

impl Driver for JournalDriver {
    fn submit(&mut self, _: &Outbound) {}

    fn next(&mut self, _: u64) -> Next<'_> {
        if self.is_over || (self.meta.is_none() && !self.read()) {
            return Next::End;
        }
        let Some((source, kind, receive_time)) = self.meta else { return Next::End };
        Next::Message(Message { source, kind, receive_time, stamp: 0, bytes: &self.message })
    }

    fn advance(&mut self, _: u64) {
        self.meta = None;
    }

    fn now(&self) -> Nanos {
        self.last_time
    }

    fn stop(&mut self) {
        self.finish(0, None);
    }
}
