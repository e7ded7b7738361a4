//! A piece of a file, cut at message boundaries, with the place of each message in it.

use crate::feed::FeedError;
use spinward_engine::words::Nanos;

/// Where one message lies in its block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) receive_time: Nanos,
    pub(super) start: u32,
    pub(super) bytes: u32,
}

/// Nothing comes after this block.
#[derive(Debug)]
pub(super) enum BlockEnd {
    End,
    Failed(FeedError),
}

/// The block. Its memory goes round between the two threads.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) data: Box<[u8]>,
    pub(super) entries: Vec<Entry>,
    /// After the messages of this block.
    pub(super) end: Option<BlockEnd>,
}

/// Shortest message with its framing, about: sets how many places a block has. Shorter ones fill fewer bytes of it.
const MESSAGE_BYTES_MIN: usize = 13;

impl Block {
    /// Takes its memory.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            data: vec![0; bytes].into(),
            entries: Vec::with_capacity(if bytes == 0 { 0 } else { bytes / MESSAGE_BYTES_MIN + 1 }),
            end: None,
        }
    }

    /// Not one of those in circulation.
    pub(super) fn is_placeholder(&self) -> bool {
        self.data.is_empty()
    }

    /// A message and its receive time.
    #[inline]
    pub(super) fn message(&self, index: usize) -> Option<(Nanos, &[u8])> {
        let entry = self.entries.get(index)?;
        let start = entry.start as usize;
        Some((entry.receive_time, self.data.get(start..start + entry.bytes as usize)?))
    }
}
