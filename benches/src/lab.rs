//! Whole pipelines under a load that is known beforehand: frames from memory, orders answered at once.

use crate::error::LabError;
use crate::histogram::histogram;
use crate::session::{Store, session_tap};
use hdrhistogram::Histogram;
use spinward_engine::pipeline::{
    FrameSink, HostCores, IdleStrategy, Pipeline, PipelineConfig, SinkAnswer, SlotSink, SlotView, Stall,
    StampMode, Topology,
};
use spinward_engine::words::{Clock, EventKind, Ticks};
use spinward_recorder::{ExitDriver, SessionTap};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

pub use crate::arrivals::Load;
pub use crate::driver::MemoryDriver;
pub use crate::market::Market;
pub use crate::parts::stages;

/// The stages of which a round keeps wait and service, in the order of [`Round::stages`].
pub const STAGES: [&str; 4] = ["normalizer", "book", "strategies", "risk"];

/// Symbols that the taker trades where nothing else is said.
pub const TRADED: usize = 8;

/// What the tap of a round looks at. It runs on the stages' core, so each look costs the frames behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// Frames that an order came of.
    Orders,
    /// Every frame: from its stamp to the end of risk.
    Frames,
    /// Every frame, and wait and service of each stage.
    Stages,
    /// Nothing.
    Nothing,
}

/// What a round keeps of what a session keeps. It runs on the stages' core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// Nothing.
    Nothing,
    /// Digests and histograms of every event.
    Tap,
    /// These, and the life of every order.
    Orders,
}

/// What a round is made of.
#[derive(Clone)]
pub struct Setup {
    /// The frames.
    pub market: Arc<Market>,
    /// How they come.
    pub load: Load,
    /// Stamps: none for throughput.
    pub stamps: StampMode,
    /// Whether frames are stamped when they enter instead of with their intended time.
    pub stamps_entry: bool,
    /// Symbols that the taker trades, the most active ones; 0: nothing is traded.
    pub traded: usize,
    /// Most events of an agent's turn.
    pub burst: usize,
    /// Frames behind the opening that are run but not recorded.
    pub warm_up: usize,
    /// What is recorded.
    pub watch: Watch,
    /// Put into a stage on purpose.
    pub stall: Option<Stall>,
    /// What is kept of it besides, as in a session.
    pub keeps: Keeps,
    /// Which agent runs where.
    pub topology: Topology,
    /// The cores there are.
    pub host: HostCores,
}

impl Setup {
    /// The fused pipeline on the first two cores, spinning: eight symbols traded, every stage stamped, orders recorded from the first frame behind the opening on.
    pub fn fused(market: &Arc<Market>, load: Load, host: &HostCores) -> Self {
        Self {
            market: Arc::clone(market),
            load,
            stamps: StampMode::All,
            stamps_entry: false,
            traded: TRADED,
            burst: PipelineConfig::default().burst,
            warm_up: 0,
            watch: Watch::Orders,
            stall: None,
            keeps: Keeps::Nothing,
            topology: Topology::fused(&host.preferred(), 1, IdleStrategy::Spin),
            host: host.clone(),
        }
    }
}

/// What a round measured, of the frames behind the opening and the warm-up. Nanoseconds.
#[derive(Clone, Debug)]
pub struct Round {
    /// Frame taken by the normalizer to the order in the egress ring, of frames that an order came of: no other core is in it.
    pub service: Histogram<u64>,
    /// Frame's stamp (entry or intended) to its order in the egress ring, or to the end of risk if there is none: of frames that an order came of, or of all, as
    /// [`Watch`] says.
    pub response: Histogram<u64>,
    /// Frame's stamp to the order in the driver's hand, on the other core.
    pub round_trip: Histogram<u64>,
    /// Frame's stamp to the end of risk, first and last of each burst.
    pub burst: [Histogram<u64>; 2],
    /// Wait and service of each of the [`STAGES`].
    pub stages: [[Histogram<u64>; 2]; 4],
    /// Length of the measured part, warm-up included.
    pub elapsed_ns: u64,
    /// Frames in it.
    pub frames: u64,
}

/// What the tap hands over.
struct Seen {
    service: Histogram<u64>,
    response: Histogram<u64>,
    burst: [Histogram<u64>; 2],
    stages: [[Histogram<u64>; 2]; 4],
}

struct LatencySink {
    clock: Clock,
    seen: Option<Seen>,
    watch: Watch,
    burst_size: usize,
    market_frames: u64,
    /// Frames of opening and warm-up.
    skipped: u64,
    opening: u64,
    /// What a session has at this place.
    session: Option<SessionTap>,
    results: SyncSender<Seen>,
}

impl LatencySink {
    fn look(&mut self, slot: &SlotView<'_>) {
        let head = slot.head();
        if matches!(head.event.kind(), EventKind::Report | EventKind::Timer) {
            return;
        }
        self.market_frames += 1;
        let Some(seen) = &mut self.seen else { return };
        if self.market_frames <= self.skipped || self.watch == Watch::Nothing {
            return;
        }
        let clock = &self.clock;
        let span = |from: Ticks, to: Ticks| clock.nanos_between(from, to).max(1);
        let (risk, start) = (slot.risk(), head.stamp.start);
        let has_order = risk.batch.verdicts().iter().any(|verdict| verdict.is_approved());
        if has_order && start != 0 {
            seen.service.saturating_record(span(start, risk.sent));
        }
        if (has_order || self.watch != Watch::Orders) && head.frame_stamp != 0 {
            let end = if has_order { risk.sent } else { risk.stamp.done };
            seen.response.saturating_record(span(head.frame_stamp, end));
        }
        if self.burst_size > 1 {
            let index = (self.market_frames - self.opening - 1) as usize % self.burst_size;
            let which = if index == 0 { Some(0) } else { (index + 1 == self.burst_size).then_some(1) };
            if let Some(histogram) = which.and_then(|which| seen.burst.get_mut(which)) {
                histogram.saturating_record(span(head.frame_stamp, risk.stamp.done));
            }
        }
        if self.watch == Watch::Stages {
            let strategy = slot.strategies().next().map(|lane| lane.stamp).unwrap_or_default();
            let mut before = head.frame_stamp;
            let stamps = [head.stamp, slot.book_stamp(), strategy, risk.stamp];
            for ([wait, service], stamp) in seen.stages.iter_mut().zip(stamps) {
                // An event behind the first of its message waits for its own turn: its stage before began earlier.
                wait.saturating_record(span(before, stamp.start));
                service.saturating_record(span(stamp.start, stamp.done));
                before = stamp.done;
            }
        }
    }
}

impl SlotSink for LatencySink {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        self.look(slot);
        self.session.as_mut().map_or(SinkAnswer::Kept, |session| session.slot(slot))
    }

    fn finish(&mut self) {
        if let Some(session) = &mut self.session {
            session.finish();
        }
        if let Some(seen) = self.seen.take() {
            // There is room for one, and this is the only one.
            let _ = self.results.try_send(seen);
        }
    }
}

fn pair() -> Result<[Histogram<u64>; 2], LabError> {
    Ok([histogram()?, histogram()?])
}

/// Runs one round.
///
/// # Errors
/// A part refuses its settings, or a thread cannot start.
pub fn round(setup: &Setup, clock: &Clock, journal: impl FrameSink + 'static) -> Result<Round, LabError> {
    let (driver, outcome) = MemoryDriver::new(setup, clock)?;
    let store = (setup.keeps == Keeps::Orders).then(Store::new).transpose()?;
    let (driver, session) = match (&store, setup.keeps) {
        (Some(store), _) => {
            let (driver, tap) = store.round(driver, clock, setup.topology.strategy_cores())?;
            (driver, Some(tap))
        }
        (None, Keeps::Nothing) => (ExitDriver::without_store(driver), None),
        (None, Keeps::Tap | Keeps::Orders) => (ExitDriver::without_store(driver), Some(session_tap(clock)?)),
    };
    let (results, seen) = sync_channel(1);
    let sink = LatencySink {
        clock: clock.clone(),
        seen: Some(Seen {
            service: histogram()?,
            response: histogram()?,
            burst: pair()?,
            stages: [pair()?, pair()?, pair()?, pair()?],
        }),
        watch: setup.watch,
        burst_size: setup.load.burst(),
        market_frames: 0,
        skipped: (setup.market.opening + setup.warm_up) as u64,
        opening: setup.market.opening as u64,
        session,
        results,
    };
    let config = PipelineConfig {
        stamps: setup.stamps,
        burst: setup.burst,
        stall: setup.stall,
        ..PipelineConfig::default()
    };
    let pipeline = Pipeline::start(
        &config,
        &setup.topology,
        &setup.host,
        clock,
        stages(&setup.market, setup.traded)?,
        driver,
        None,
        journal,
        sink,
    )
    .map_err(LabError::failed)?;
    pipeline.join().ok_or_else(|| LabError::failed("a thread of the pipeline panicked"))?;
    let Seen { service, response, burst, stages } = seen.recv().map_err(LabError::failed)?;
    let outcome = outcome.recv().map_err(LabError::failed)?;
    Ok(Round {
        service,
        response,
        round_trip: outcome.round_trip,
        burst,
        stages,
        elapsed_ns: outcome.elapsed_ns,
        frames: (setup.market.count() - setup.market.opening) as u64,
    })
}

#[cfg(test)]
mod tests;
