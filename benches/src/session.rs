//! A journal for a round: the real writer in a temporary folder.

use crate::error::LabError;
use spinward_recorder::{JournalConfig, JournalSink, JournalWriter, Preparer};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

/// The journal of one round; its files go with it.
pub struct Journal {
    folder: PathBuf,
    preparer: Preparer,
    segment_bytes: u64,
}

impl Journal {
    /// A new folder below the system's temporary folder, with one segment that holds `frames` frames.
    ///
    /// # Errors
    /// The preparer's thread cannot start.
    pub fn new(name: &str, frames: usize) -> Result<Self, LabError> {
        let name = name.replace(' ', "-");
        let folder = std::env::temp_dir().join(format!("spinward-bench-{}-{name}", std::process::id()));
        // A record has at most 128 bytes, and a traded frame brings some reports with it.
        let segment_bytes = (frames as u64 * 160).next_power_of_two().max(16 << 20);
        Ok(Self { folder, preparer: Preparer::start().map_err(LabError::failed)?, segment_bytes })
    }

    /// The writer.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn writer(&self) -> Result<JournalWriter, LabError> {
        let config = JournalConfig {
            segment_bytes: self.segment_bytes,
            segments_ahead: 1,
            ..JournalConfig::default()
        };
        JournalWriter::create(&self.folder, &config, &self.preparer).map_err(LabError::failed)
    }

    /// The sink for a pipeline.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn sink(&self) -> Result<JournalSink, LabError> {
        // The writer is dropped with the channel: the files are thrown away anyway.
        let (ended, _) = sync_channel(1);
        Ok(JournalSink::new(self.writer()?, ended))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A folder left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
