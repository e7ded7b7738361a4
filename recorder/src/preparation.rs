//! [`Preparation`]: a segment on its way to the writer, made ready piece by piece, so that a flush that somebody waits for never waits for all of it.

use crate::error::JournalError;
use crate::map::Prefault;
use crate::segment::Segment;
use crate::storage::Storage;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes made ready at once: some two hundred microseconds.
const PIECE_BYTES: u64 = 64 << 10;

#[derive(Debug)]
pub(crate) struct Preparation {
    pub(crate) segment: Arc<Segment>,
    /// All before this is ready.
    ready: u64,
    /// Whether pages were touched one by one.
    pub(crate) is_touched: bool,
    /// Spent on it.
    pub(crate) took: Duration,
}

impl Preparation {
    /// Creates the file. `is_promised`: its flushes will be waited for.
    pub(crate) fn new(
        storage: &dyn Storage,
        folder: &Path,
        number: u64,
        bytes: u64,
        is_promised: bool,
    ) -> Result<Self, JournalError> {
        let start = Instant::now();
        let segment = Arc::new(Segment::create(storage, folder, number, bytes, is_promised)?);
        Ok(Self { segment, ready: 0, is_touched: false, took: start.elapsed() })
    }

    /// Makes the next piece ready, and with the last one its name safe: then true.
    ///
    /// # Errors
    /// The system refused; the file is removed.
    pub(crate) fn advance(&mut self, storage: &dyn Storage, folder: &Path) -> Result<bool, JournalError> {
        let start = Instant::now();
        if let Err(error) = self.piece(storage, folder) {
            // A half-made file would be taken for a segment; nothing else can be done if it stays.
            let _ = self.discard(storage);
            return Err(error);
        }
        self.took += start.elapsed();
        Ok(self.ready == self.segment.bytes)
    }

    fn piece(&mut self, storage: &dyn Storage, folder: &Path) -> Result<(), JournalError> {
        let to = self.ready.saturating_add(PIECE_BYTES).min(self.segment.bytes);
        self.is_touched |= self.segment.load(self.ready, to)? == Prefault::Touched;
        self.ready = to;
        if to == self.segment.bytes {
            // The name must outlive a power cut, too.
            storage.sync_folder(folder).map_err(|error| JournalError::io("sync", folder, error))?;
        }
        Ok(())
    }

    /// Removes the file.
    pub(crate) fn discard(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        self.segment.discard(storage)
    }
}
