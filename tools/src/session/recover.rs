//! Recovery: what a session leaves to the next one, from its restored state.

use super::registry::Registry;
use super::restore::{How, Restored, restore};
use crate::failure::Failure;
use spinward_engine::words::{Command, RecoveredKind, RecoveredRecord};
use spinward_gateways::ouch::StreamMark;
use spinward_recorder::SessionFolder;

/// State carried over.
pub(crate) struct Recovered {
    /// Positions, open orders, order numbers, states of strategies; they enter the next session as frames.
    pub(crate) records: Vec<RecoveredRecord>,
    /// The kill that is latched; it enters as the next session's first command.
    pub(crate) latch: Option<Command>,
    /// How far its reports go in the venue's stream, if the venue has one.
    pub(crate) mark: Option<StreamMark>,
    /// Greatest id that the venue has given out.
    pub(crate) venue_id: u64,
    /// Folder name of the session.
    pub(crate) session: String,
    /// Symbols of its configured instruments, by id.
    pub(crate) instruments: Vec<String>,
    /// Names and kinds of its strategies, by id.
    pub(crate) strategies: Vec<(String, String)>,
    /// Names of those that begin anew, as they do not save their state.
    pub(crate) begin_anew: Vec<String>,
    /// What it took.
    pub(crate) how: How,
}

impl Recovered {
    pub(crate) fn positions(&self) -> usize {
        self.count(RecoveredKind::Position)
    }

    pub(crate) fn open_orders(&self) -> usize {
        self.count(RecoveredKind::OpenOrder)
    }

    fn count(&self, kind: RecoveredKind) -> usize {
        self.records.iter().filter(|record| record.kind() == Some(kind)).count()
    }

    /// The strategies of the next session are of these kinds. What one of another kind has saved is not for them.
    pub(crate) fn keep_states_of(&mut self, kinds: &[String]) {
        let Self { records, strategies, begin_anew, .. } = self;
        for (id, ((name, kind), next)) in (0u16..).zip(strategies.iter().zip(kinds)) {
            if kind != next {
                let is_its = |record: &RecoveredRecord| {
                    record.kind() == Some(RecoveredKind::StrategyState) && record.strategy.get() == id
                };
                records.retain(|record| !is_its(record));
                if !begin_anew.contains(name) {
                    begin_anew.push(name.clone());
                }
            }
        }
    }
}

/// Restores the state after the last whole frame of the journal and asks what is left.
pub(crate) fn recover(folder: &SessionFolder, registry: &Registry) -> Result<Recovered, Failure> {
    let Restored { manifest, settings, replica, end, how } = restore(folder, registry)?;
    if let Some(error) = end.failure {
        return Err(error.into());
    }
    let stages = replica.stages();
    let mut begin_anew = Vec::new();
    let mut records: Vec<RecoveredRecord> = stages.risk.recovered().collect();
    for runner in &stages.runners {
        records.extend(runner.carried(&mut begin_anew));
    }
    Ok(Recovered {
        records,
        latch: stages.risk.latch().map(|latch| latch.command),
        mark: replica.outside().mark,
        venue_id: replica.outside().venue_id,
        session: folder.id().to_owned(),
        instruments: manifest.instruments,
        strategies: settings.strategies.iter().map(|spec| (spec.name.clone(), spec.kind.clone())).collect(),
        begin_anew,
        how,
    })
}
