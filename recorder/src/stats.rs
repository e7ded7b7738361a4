//! [`JournalStats`]: a journal in numbers.

use crate::error::JournalError;
use crate::format::RECORD_HEADER_BYTES;
use crate::journal::{FrameRef, JournalReader};
use spinward_engine::words::Nanos;
use std::collections::BTreeMap;
use std::path::Path;

/// Frames of one source and kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct KindStats {
    /// Frames.
    pub frames: u64,
    /// Messages: frames that are the last one of theirs.
    pub messages: u64,
    /// Payload bytes.
    pub payload_bytes: u64,
    /// Payload bytes of the longest message.
    pub message_bytes_max: u64,
}

/// A journal in numbers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct JournalStats {
    /// Frames.
    pub frames: u64,
    /// Bytes of the records, headers and padding included.
    pub record_bytes: u64,
    /// By number of source and number of kind.
    pub kinds: BTreeMap<(u8, u8), KindStats>,
    /// Least receive time.
    pub first_time: Option<Nanos>,
    /// Greatest receive time.
    pub last_time: Option<Nanos>,
    /// Most frames in one second of receive time, and that second, since 1970.
    pub busiest_second: (u64, i64),
    /// Longest time without a frame, nanoseconds, and the frame that ended it.
    pub longest_pause: (u64, u64),
    /// Receive times before that of the frame in front.
    pub clock_steps_back: u64,
    /// Bytes under way of a message whose end has not come.
    open_message: BTreeMap<(u8, u8), u64>,
    second: (u64, i64),
    time: Option<i64>,
}

impl JournalStats {
    /// Of all of a journal.
    ///
    /// # Errors
    /// As [`JournalReader::next`].
    pub fn of(folder: &Path) -> Result<Self, JournalError> {
        let mut stats = Self::default();
        let mut reader = JournalReader::open(folder)?;
        while let Some(frame) = reader.next()? {
            stats.add(&frame);
        }
        Ok(stats)
    }

    fn add(&mut self, frame: &FrameRef<'_>) {
        self.frames += 1;
        let bytes = frame.payload.len() as u64;
        self.record_bytes += (RECORD_HEADER_BYTES + frame.payload.len().next_multiple_of(8)) as u64;
        let key = (frame.source.get(), frame.kind_number);
        let kind = self.kinds.entry(key).or_default();
        kind.frames += 1;
        kind.payload_bytes += bytes;
        let message = self.open_message.entry(key).or_default();
        *message += bytes;
        if !frame.has_more() {
            kind.messages += 1;
            kind.message_bytes_max = kind.message_bytes_max.max(*message);
            *message = 0;
        }
        let time = frame.receive_time.get();
        if let Some(before) = self.time {
            match u64::try_from(time.saturating_sub(before)) {
                Ok(pause) if pause > self.longest_pause.0 => self.longest_pause = (pause, frame.sequence),
                Ok(_) => {}
                Err(_) => self.clock_steps_back += 1,
            }
        }
        self.time = Some(time);
        self.first_time =
            Some(self.first_time.map_or(frame.receive_time, |first| first.min(frame.receive_time)));
        self.last_time = Some(self.last_time.map_or(frame.receive_time, |last| last.max(frame.receive_time)));
        let second = time.div_euclid(1_000_000_000);
        self.second = if self.second.1 == second && self.second.0 > 0 {
            (self.second.0 + 1, second)
        } else {
            (1, second)
        };
        self.busiest_second = self.busiest_second.max(self.second);
    }
}
