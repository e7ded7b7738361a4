//! What a session has beside its pipeline, for a round: the real journal and the real store of orders, in temporary folders.

use crate::error::LabError;
use spinward_engine::words::{Clock, Nanos};
use spinward_recorder::{
    Durability, ExitDriver, Identity, JournalConfig, JournalSink, JournalWriter, OrderTap, OrderWriter,
    Preparer, SessionTap, StampTime, latency_exchange,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

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
        Self::beside(&[], name, frames)
    }

    /// The same, its threads off these cores.
    ///
    /// # Errors
    /// As [`Journal::new`].
    pub fn beside(cores: &[usize], name: &str, frames: usize) -> Result<Self, LabError> {
        let name = name.replace(' ', "-");
        let folder = std::env::temp_dir().join(format!("spinward-bench-{}-{name}", std::process::id()));
        // A record has at most 128 bytes, and a traded frame brings some reports with it.
        let segment_bytes = (frames as u64 * 160).next_power_of_two().max(16 << 20);
        let preparer = Preparer::start_beside(cores, Duration::ZERO).map_err(LabError::failed)?;
        Ok(Self { folder, preparer, segment_bytes })
    }

    /// The writer.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn writer(&self) -> Result<JournalWriter, LabError> {
        self.writer_at(Durability::Process)
    }

    /// The writer of a journal with this durability.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn writer_at(&self, durability: Durability) -> Result<JournalWriter, LabError> {
        let config = JournalConfig {
            segment_bytes: self.segment_bytes,
            segments_ahead: 1,
            // All of it, before anything is measured.
            prefault_bytes: self.segment_bytes,
            durability,
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

/// The tap of a session, with digests and histograms; no audit.
///
/// # Errors
/// None with the fixed bounds of its histograms.
pub fn session_tap(clock: &Clock) -> Result<SessionTap, LabError> {
    let (latency, _) = latency_exchange(clock, None).map_err(LabError::failed)?;
    let (outcome, _) = sync_channel(1);
    Ok(SessionTap::new(clock.clone(), None, Some(latency), 0, outcome))
}

/// The stored lives of one round's orders; its files go with it.
pub struct Store {
    folder: PathBuf,
    preparer: Preparer,
}

impl Store {
    /// A new folder below the system's temporary folder.
    ///
    /// # Errors
    /// The preparer's thread cannot start.
    pub fn new() -> Result<Self, LabError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("spinward-bench-{}-orders-{number}", std::process::id()));
        Ok(Self { folder, preparer: Preparer::start().map_err(LabError::failed)? })
    }

    /// The driver that stores ways out, and the tap that stores decisions.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn round<D>(
        &self,
        driver: D,
        clock: &Clock,
        strategy_cores: usize,
    ) -> Result<(ExitDriver<D>, SessionTap), LabError> {
        let config = JournalConfig { segment_bytes: 8 << 20, ..JournalConfig::default() };
        let time = StampTime::new(clock.clone(), clock.ticks(), Nanos::from_secs(1));
        let identity = Identity::new();
        let (preparer, folder) = (&self.preparer, &self.folder);
        let orders = OrderWriter::orders(&folder.join("orders"), &config, preparer, identity)
            .map_err(LabError::failed)?;
        let exits = OrderWriter::exits(&folder.join("exits"), &config, preparer, identity)
            .map_err(LabError::failed)?;
        // The writers are dropped with their channels: the files are thrown away anyway.
        let (ended, _) = sync_channel(1);
        let tap = session_tap(clock)?.with_orders(OrderTap::new(orders, time.clone(), strategy_cores));
        Ok((ExitDriver::new(driver, exits, time, ended), tap))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A folder left behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
