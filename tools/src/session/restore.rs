//! Restoring a session's state: from its last good snapshot and the frames behind it, or from all of its journal.

use super::registry::Registry;
use super::replay::settings_of;
use super::replica::{SessionReplica, identity};
use crate::failure::Failure;
use anyhow::anyhow;
use spinward_config::Settings;
use spinward_recorder::{
    CHECKPOINT_FRAMES, JournalReader, Manifest, ReplayEnd, SessionFolder, SnapshotHead, read_snapshot,
    segments, snapshots,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// A session's state as its journal leaves it.
pub(crate) struct Restored {
    pub(crate) manifest: Manifest,
    pub(crate) settings: Settings,
    pub(crate) replica: SessionReplica,
    pub(crate) end: ReplayEnd,
    pub(crate) how: How,
}

/// What restoring took.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct How {
    /// Frame of the snapshot; 0: there was none to be used.
    pub(crate) snapshot_frame: u64,
    /// Frames that were run after it.
    pub(crate) frames: u64,
    pub(crate) seconds: f64,
    /// Snapshots that were not used, and why.
    pub(crate) refused: Vec<String>,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.snapshot_frame {
            0 => write!(f, "all of the journal, {} frames", self.frames)?,
            frame => write!(f, "snapshot at frame {frame} and {} frames behind it", self.frames)?,
        }
        write!(f, ", in {:.3} s", self.seconds)
    }
}

/// Restores the state after the last whole frame (a torn tail is cut): from the newest good snapshot, else from all of the journal.
pub(crate) fn restore(folder: &SessionFolder, registry: &Registry) -> Result<Restored, Failure> {
    let (manifest, settings) = settings_of(folder)?;
    let start = Instant::now();
    let mut how = How { snapshot_frame: 0, frames: 0, seconds: 0.0, refused: Vec::new() };
    let checkpoints = checkpoints(folder)?;
    let found = snapshots(&folder.snapshots()).unwrap_or_else(|error| {
        how.refused.push(error.to_string());
        Vec::new()
    });
    let mut restored = None;
    for path in found {
        let mut replica = SessionReplica::new(&settings, registry, checkpoints)?;
        match enter(folder, &manifest, &path, &mut replica) {
            Ok((head, reader)) => {
                how.snapshot_frame = head.frame;
                restored = Some((replica, reader));
                break;
            }
            Err(refused) => how.refused.push(refused.to_string()),
        }
    }
    let (mut replica, mut reader) = match restored {
        Some(restored) => restored,
        None => {
            let replica = SessionReplica::new(&settings, registry, checkpoints)?;
            (replica, JournalReader::open(&folder.journal())?)
        }
    };
    let failure = loop {
        match reader.next() {
            Ok(Some(frame)) => {
                replica.frame(&frame);
                how.frames += 1;
            }
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    how.seconds = rounded(start.elapsed());
    let end = ReplayEnd {
        last_frame: replica.last_frame(),
        incomplete_frames: replica.incomplete_frames(),
        cut: reader.cut().cloned(),
        failure,
    };
    Ok(Restored { manifest, settings, replica, end, how })
}

/// Milliseconds are enough.
fn rounded(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e3).round() / 1e3
}

/// Loads a snapshot, and opens the journal behind its frame.
fn enter(
    folder: &SessionFolder,
    manifest: &Manifest,
    path: &Path,
    replica: &mut SessionReplica,
) -> anyhow::Result<(SnapshotHead, JournalReader)> {
    let (session, config) = identity(manifest)?;
    let (head, body) = read_snapshot(path, session, config)?;
    let reader = behind(folder, &head, path)?;
    replica.load(&head, &body).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok((head, reader))
}

/// The journal, read up to the snapshot's frame: which must be there, as a power cut may have taken the end of the journal and left the snapshot.
fn behind(folder: &SessionFolder, head: &SnapshotHead, path: &Path) -> anyhow::Result<JournalReader> {
    let mut reader = JournalReader::open_at_frame(&folder.journal(), head.frame)?;
    if reader.identity().is_none_or(|identity| identity.session != head.session) {
        return Err(anyhow!("{}: the journal is another session's", path.display()));
    }
    loop {
        match reader.next()? {
            Some(frame) if frame.sequence < head.frame => {}
            Some(frame) if frame.sequence == head.frame && frame.receive_time == head.receive_time => {
                return Ok(reader);
            }
            Some(_) => return Err(anyhow!("{}: its frame is not the journal's", path.display())),
            None => {
                return Err(anyhow!("{}: the journal ends before frame {}", path.display(), head.frame));
            }
        }
    }
}

/// Room for the checkpoints of as many frames as the journal can have.
fn checkpoints(folder: &SessionFolder) -> Result<usize, Failure> {
    /// No record is shorter.
    const RECORD_BYTES: u64 = 32;
    let bytes: u64 = segments(&folder.journal())?.iter().map(|segment| segment.bytes_written).sum();
    Ok(usize::try_from(bytes / RECORD_BYTES / CHECKPOINT_FRAMES).unwrap_or(0) + 2)
}
