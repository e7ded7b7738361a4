//! Recovery: what a session leaves to the next one, by replaying its journal.

use super::registry::Registry;
use super::replay::replay;
use crate::failure::Failure;
use spinward_config::Overrides;
use spinward_engine::words::{Command, FrameKind, RecoveredKind, RecoveredRecord, Report};
use spinward_gateways::ouch::StreamMark;
use spinward_recorder::{JournalReader, SessionFolder};

/// State carried over.
pub(crate) struct Recovered {
    /// Positions, open orders, order numbers; they enter the next session as frames.
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
    /// Names of its strategies, by id.
    pub(crate) strategies: Vec<String>,
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
}

/// Replays the journal up to its last whole frame (a torn tail is cut) and asks risk what is left.
pub(crate) fn recover(folder: &SessionFolder, registry: &Registry) -> Result<Recovered, Failure> {
    let overrides = Overrides { topology: Some("auto".to_owned()), ..Overrides::default() };
    let replayed = replay(folder, registry, &overrides)?;
    if let Some(error) = replayed.end.failure {
        return Err(error.into());
    }
    let risk = replayed.finished.risk;
    Ok(Recovered {
        records: risk.recovered().collect(),
        latch: risk.latch().map(|latch| latch.command),
        mark: mark(folder)?,
        venue_id: venue_id(folder)?,
        session: folder.id().to_owned(),
        instruments: replayed.manifest.instruments,
        strategies: replayed.settings.strategies.iter().map(|spec| spec.name.clone()).collect(),
    })
}

/// The last report's place in the venue's stream.
fn mark(folder: &SessionFolder) -> Result<Option<StreamMark>, Failure> {
    let mut reader = JournalReader::open(&folder.journal())?;
    let mut mark: Option<StreamMark> = None;
    while let Some(frame) = reader.next()? {
        match frame.kind() {
            Some(FrameKind::Recovery) => {
                let record = bytemuck::try_pod_read_unaligned::<RecoveredRecord>(frame.payload).ok();
                if let Some(joined) = record.as_ref().and_then(StreamMark::of) {
                    mark = Some(joined);
                }
            }
            Some(FrameKind::Report) => {
                let report = bytemuck::try_pod_read_unaligned::<Report>(frame.payload).ok();
                if let (Some(mark), Some(report)) = (&mut mark, report) {
                    mark.follow(&report);
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
    Ok(mark)
}

/// The greatest order or execution id in the venue's reports and in what was carried over.
fn venue_id(folder: &SessionFolder) -> Result<u64, Failure> {
    let mut reader = JournalReader::open(&folder.journal())?;
    let mut greatest = 0;
    while let Some(frame) = reader.next()? {
        match frame.kind() {
            Some(FrameKind::Report) => {
                if let Ok(report) = bytemuck::try_pod_read_unaligned::<Report>(frame.payload) {
                    greatest = greatest.max(report.venue_order).max(report.exec.get());
                }
            }
            Some(FrameKind::Recovery) => {
                if let Ok(record) = bytemuck::try_pod_read_unaligned::<RecoveredRecord>(frame.payload) {
                    greatest = greatest.max(record.venue_order);
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
    Ok(greatest)
}
