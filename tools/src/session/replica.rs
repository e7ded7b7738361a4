//! [`SessionReplica`]: a session's stages and digests, driven by its journal on one thread; saved as a snapshot, or loaded from one.

use super::parts;
use super::registry::Registry;
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use spinward_config::Settings;
use spinward_engine::pipeline::{Replica, SlotSink, Stages};
use spinward_engine::state::{Snapshot, StateError, StateReader, StateWriter};
use spinward_engine::strategy::Unsaved;
use spinward_engine::words::{Clock, FrameKind, Nanos, RecoveredKind, RecoveredRecord, Report};
use spinward_gateways::ouch::StreamMark;
use spinward_recorder::{FrameRef, Manifest, SessionTap, SnapshotHead, TapOutcome};
use std::sync::mpsc::{Receiver, sync_channel};

/// See the [module](self).
pub(crate) struct SessionReplica {
    replica: Replica,
    tap: SessionTap,
    outcome: Receiver<TapOutcome>,
    outside: Outside,
    /// The last frame that ended a message, and its receive time.
    frame: u64,
    receive_time: Nanos,
    /// Frames of a message that is not whole yet.
    incomplete_frames: u64,
}

/// What a session must know of the world outside of its engine when it goes on.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Outside {
    /// How far its reports go in the venue's stream, if the venue has one.
    pub(crate) mark: Option<StreamMark>,
    /// Greatest id that the venue has given out.
    pub(crate) venue_id: u64,
}

impl Outside {
    fn follow(&mut self, frame: &FrameRef<'_>) {
        match frame.kind() {
            Some(FrameKind::Recovery) => {
                if let Ok(record) = bytemuck::try_pod_read_unaligned::<RecoveredRecord>(frame.payload) {
                    self.mark = StreamMark::of(&record).or(self.mark);
                    // Other records have something else in that place.
                    if record.kind() == Some(RecoveredKind::OpenOrder) {
                        self.venue_id = self.venue_id.max(record.venue_order);
                    }
                }
            }
            Some(FrameKind::Report) => {
                if let Ok(report) = bytemuck::try_pod_read_unaligned::<Report>(frame.payload) {
                    if let Some(mark) = &mut self.mark {
                        mark.follow(&report);
                    }
                    self.venue_id = self.venue_id.max(report.venue_order).max(report.exec.get());
                }
            }
            Some(
                FrameKind::Market
                | FrameKind::Timer
                | FrameKind::Operator
                | FrameKind::LinkUp
                | FrameKind::LinkDown,
            )
            | None => {}
        }
    }
}

impl Snapshot for Outside {
    fn save(&self, state: &mut StateWriter) {
        let Self { mark, venue_id } = self;
        state.option(*mark, |state, mark| state.pod(&mark.record()));
        state.u64(*venue_id);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.mark = state.option(|state| {
            let record = state.pod::<RecoveredRecord>()?;
            StreamMark::of(&record).ok_or_else(|| state.error("no mark of a venue's stream"))
        })?;
        self.venue_id = state.u64()?;
        Ok(())
    }
}

impl SessionReplica {
    /// As the session began. `checkpoints`: how many of them to keep.
    pub(crate) fn new(settings: &Settings, registry: &Registry, checkpoints: usize) -> Result<Self, Failure> {
        let (sender, outcome) = sync_channel(1);
        Ok(Self {
            replica: Replica::new(parts::stages(settings, registry)?),
            tap: SessionTap::new(Clock::new(), None, None, checkpoints, sender),
            outcome,
            outside: Outside::default(),
            frame: 0,
            receive_time: Nanos::ZERO,
            incomplete_frames: 0,
        })
    }

    /// The next frame of the journal.
    pub(crate) fn frame(&mut self, frame: &FrameRef<'_>) {
        self.outside.follow(frame);
        if self.replica.frame(&frame.to_frame(), &mut self.tap) {
            (self.frame, self.receive_time, self.incomplete_frames) = (frame.sequence, frame.receive_time, 0);
        } else {
            self.incomplete_frames += 1;
        }
    }

    /// The last frame that ended a message.
    pub(crate) const fn last_frame(&self) -> u64 {
        self.frame
    }

    /// Frames of a message whose end has not come.
    pub(crate) const fn incomplete_frames(&self) -> u64 {
        self.incomplete_frames
    }

    pub(crate) const fn stages(&self) -> &Stages {
        self.replica.stages()
    }

    pub(crate) const fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Digests and checkpoints, now that all frames were given.
    pub(crate) fn finish(mut self) -> Result<TapOutcome, Failure> {
        self.tap.finish();
        Ok(self.outcome.try_recv().context("the tap left no result")?)
    }

    /// The state, to be written beside the session of this manifest. `None` in the middle of a message.
    pub(crate) fn save(&self, manifest: &Manifest) -> Result<Option<(SnapshotHead, Vec<u8>)>, SaveError> {
        if self.incomplete_frames > 0 {
            return Ok(None);
        }
        let (session, config) = identity(manifest).map_err(SaveError::Manifest)?;
        let head = SnapshotHead { session, frame: self.frame, receive_time: self.receive_time, config };
        let mut state = StateWriter::new();
        self.replica.save(&mut state)?;
        state.section(b"tap\0\0\0\0\0", |state| self.tap.save(state));
        state.section(b"outside\0", |state| self.outside.save(state));
        Ok(Some((head, state.into_bytes())))
    }

    /// Takes over what [`SessionReplica::save`] gave; of no use any more if that fails.
    pub(crate) fn load(&mut self, head: &SnapshotHead, body: &[u8]) -> Result<(), StateError> {
        let mut state = StateReader::new(body);
        self.replica.load(&mut state)?;
        state.section(b"tap\0\0\0\0\0", |state| self.tap.load(state))?;
        state.section(b"outside\0", |state| self.outside.load(state))?;
        state.finish()?;
        (self.frame, self.receive_time) = (head.frame, head.receive_time);
        Ok(())
    }
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    #[error(transparent)]
    Unsaved(#[from] Unsaved),
    #[error("{0}")]
    Manifest(anyhow::Error),
}

/// The numbers of a session and of its configuration.
pub(crate) fn identity(manifest: &Manifest) -> anyhow::Result<(u64, u64)> {
    let number = |key: &str, text: &str| {
        u64::from_str_radix(text, 16).map_err(|_| anyhow!("manifest.toml: {key} = {text:?} is no number"))
    };
    Ok((number("session", &manifest.session)?, number("config_fingerprint", &manifest.config_fingerprint)?))
}
