//! [`Opened`]: a session whose rows are to be read, whether it has ended or not.

use super::parts;
use super::registry::Registry;
use super::replay::settings_of;
use crate::failure::Failure;
use spinward_config::Settings;
use spinward_engine::pipeline::Stages;
use spinward_recorder::{Manifest, RowSource, RowTotals, RowsWanted, SessionFolder, mark_exported};
use std::time::Duration;

/// A session whose rows are to be read.
pub(crate) struct Opened {
    pub(crate) folder: SessionFolder,
    pub(crate) manifest: Manifest,
    pub(crate) settings: Settings,
}

impl Opened {
    pub(crate) fn open(folder: &SessionFolder) -> Result<Self, Failure> {
        let (manifest, settings) = settings_of(folder)?;
        Ok(Self { folder: folder.clone(), manifest, settings })
    }

    /// The stages, run again for these rows. Without rows of trading no strategy is made: a session with strategies that this program does not
    /// have gives its market all the same.
    pub(crate) fn source(&self, registry: &Registry, wanted: RowsWanted) -> Result<RowSource, Failure> {
        let stages = self.stages(registry, &wanted)?;
        Ok(RowSource::open(&self.folder, &self.manifest, stages, &self.strategies(), wanted)?)
    }

    /// The same for a session that runs: until it ends, rows are given at least each `interval`.
    pub(crate) fn following(
        &self,
        registry: &Registry,
        wanted: RowsWanted,
        interval: Duration,
    ) -> Result<RowSource, Failure> {
        let stages = self.stages(registry, &wanted)?;
        let strategies = self.strategies();
        Ok(RowSource::follow(&self.folder, &self.manifest, stages, &strategies, wanted, interval)?)
    }

    /// Marks the session as exported, now that all of its rows (`totals` tells of them) were exported and checked; whether it did. It does not if anything of the
    /// session is not in those rows: it runs, it has no end and nobody says that it was killed, its journal is not the one that its manifest tells of, or
    /// verdicts were not held against the audit. A folder that cannot be written is told of: the export is good without the mark.
    pub(crate) fn mark(&self, totals: &RowTotals, was_killed: bool, where_to: &str) -> bool {
        let is_all = match &self.manifest.ended {
            Some(ended) => ended.frames == totals.frames && totals.unaudited == 0 && totals.cut.is_none(),
            None => was_killed,
        };
        if !is_all {
            return false;
        }
        let marks = std::fs::read_to_string(self.folder.exported()).unwrap_or_default();
        if marks.lines().any(|mark| mark.ends_with(where_to)) {
            return true;
        }
        // Who says that it was killed may be wrong: one that runs is not marked.
        let marked = mark_exported(&self.folder, where_to);
        if let Err(error) = &marked {
            eprintln!("warning: the session is not marked as exported: {error}");
        }
        marked.is_ok()
    }

    fn stages(&self, registry: &Registry, wanted: &RowsWanted) -> Result<Stages, Failure> {
        if wanted.tables.iter().any(|table| table.needs_trading()) {
            parts::stages(&self.settings, registry)
        } else {
            parts::market_stages(&self.settings)
        }
    }

    fn strategies(&self) -> Vec<String> {
        self.settings.strategies.iter().map(|spec| spec.name.clone()).collect()
    }
}
