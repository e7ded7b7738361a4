//! Replay: the same code over a session's journal.

use super::parts;
use super::registry::Registry;
use crate::failure::Failure;
use crate::host;
use anyhow::{Context, anyhow};
use spinward_config::{Overrides, Settings};
use spinward_engine::pipeline::{NoJournal, Pipeline, PipelineConfig};
use spinward_engine::words::{Clock, Nanos};
use spinward_recorder::{
    CHECKPOINT_FRAMES, JournalDriver, Manifest, ReplayEnd, SessionFolder, SessionTap, TapOutcome, verify,
};
use std::path::Path;
use std::sync::mpsc::sync_channel;

/// A session that was run again.
pub(crate) struct Replayed {
    pub(crate) tap: TapOutcome,
    pub(crate) end: ReplayEnd,
    pub(crate) topology: String,
}

/// Settings as the session had them, from its manifest.
pub(crate) fn settings_of(folder: &SessionFolder) -> Result<(Manifest, Settings), Failure> {
    let path = folder.manifest();
    let manifest = Manifest::read(&path).with_context(|| format!("session {}", folder.path().display()))?;
    let loaded = spinward_config::from_text(&path, &manifest.config).map_err(Failure::usage)?;
    Ok((manifest, loaded.settings))
}

/// The folder that a command line names: a path, or `latest` in `root`.
pub(crate) fn find(root: &Path, session: &Path) -> Result<SessionFolder, Failure> {
    let folder = if session == Path::new("latest") {
        SessionFolder::latest(root, None)
    } else {
        SessionFolder::open(session)
    };
    folder.map_err(Failure::usage)
}

/// Runs the journal of a session through the pipeline, as fast as it goes.
pub(crate) fn replay(
    folder: &SessionFolder,
    registry: &Registry,
    overrides: &Overrides,
) -> Result<Replayed, Failure> {
    let (_, mut settings) = settings_of(folder)?;
    settings.apply(overrides).map_err(Failure::usage)?;
    let host = host::cores();
    let topology = settings.topology(&host).map_err(Failure::usage)?;
    let frames = verify(&folder.journal())?.frames;
    let driver = JournalDriver::open(&folder.journal())?;
    let end = driver.end();
    let clock = Clock::new();
    let (outcome, taken) = sync_channel(1);
    let checkpoints = usize::try_from(frames / CHECKPOINT_FRAMES).unwrap_or(0) + 2;
    let tap = SessionTap::new(clock.clone(), None, None, checkpoints, outcome);
    // A replay is not measured: no faults, no watch.
    let config = PipelineConfig { stall: None, gap_threshold: Nanos::ZERO, ..settings.pipeline() };
    let pipeline = Pipeline::start(
        &config,
        &topology,
        &host,
        &clock,
        parts::stages(&settings, registry)?,
        driver,
        None,
        NoJournal,
        tap,
    )
    .map_err(Failure::usage)?;
    pipeline.join().ok_or_else(|| anyhow!("a thread of the pipeline panicked"))?;
    let tap = taken.recv().context("the tap left no result")?;
    let end = std::sync::Arc::into_inner(end)
        .and_then(std::sync::OnceLock::into_inner)
        .ok_or_else(|| anyhow!("the replay did not reach the end of the journal"))?;
    Ok(Replayed { tap, end, topology: topology.name })
}
