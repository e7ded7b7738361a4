//! A journal for a round: the real writer in a temporary folder.

use spinward_recorder::{JournalConfig, JournalError, JournalSink, JournalWriter, Preparer};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

/// The journal of one round; its files go with it.
pub struct Journal {
    folder: PathBuf,
    preparer: Preparer,
}

impl Journal {
    /// A new folder below the system's temporary folder.
    ///
    /// # Errors
    /// [`JournalError`] if the preparer's thread cannot start.
    pub fn new(name: &str) -> Result<Self, JournalError> {
        let folder = std::env::temp_dir().join(format!("spinward-bench-{}-{name}", std::process::id()));
        Ok(Self { folder, preparer: Preparer::start()? })
    }

    /// The sink for a pipeline.
    ///
    /// # Errors
    /// [`JournalError`] if the folder cannot be written.
    pub fn sink(&self) -> Result<JournalSink, JournalError> {
        let config =
            JournalConfig { segment_bytes: 512 << 20, segments_ahead: 1, ..JournalConfig::default() };
        let writer = JournalWriter::create(&self.folder, &config, &self.preparer)?;
        // The writer is dropped with the channel: the files are thrown away anyway.
        let (ended, _) = sync_channel(1);
        Ok(JournalSink::new(writer, ended))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // A folder left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
