//! [`Sources`]: the counters of everything that runs.

use super::family::render;
use super::server::Scraped;
use super::table::TABLE;
use crate::session::clickhouse::WriterCounters;
use crate::session::keeper::KeeperCounters;
use crate::session::snapshots::SnapshotCounters;
use crate::session::world::WorldCounters;
use spinward_config::Settings;
use spinward_engine::book::BookCounters;
use spinward_engine::counters::{Counter, Gauge};
use spinward_engine::normalizer::NormalizerCounters;
use spinward_engine::pipeline::{CoreReport, Pipeline, PipelineCounters, Progress, Stages};
use spinward_engine::risk::{PositionGauges, RiskCounters};
use spinward_engine::strategy::RunnerCounters;
use spinward_engine::words::TradingState;
use spinward_gateways::feed::StreamCounters;
use spinward_gateways::operator::{Outcomes, SessionView};
use spinward_gateways::ouch::OuchCounters;
use spinward_gateways::paper::PaperCounters;
use spinward_gateways::simulation::SimulationCounters;
use spinward_recorder::{
    AppendCounters, AuditWriter, InterferenceTotals, JournalWriter, LatencySummary, OrderCounters,
    OrderWriter, PreparerCounters,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What the side thread counts about itself.
#[derive(Debug, Default)]
pub(crate) struct SideCounters {
    /// Scrapes answered.
    pub(crate) scrapes: Counter,
    /// Turns of the runtime's own watch, ten a second.
    pub(crate) ticks: Counter,
    /// Longest delay of such a turn, nanoseconds: the longest that some job has held the thread.
    pub(crate) delay_ns_max: Gauge,
}

/// Counters of a session, and the names that go with them.
pub(crate) struct Sources {
    pub(crate) normalizer: Arc<NormalizerCounters>,
    pub(crate) book: Arc<BookCounters>,
    pub(crate) runners: Vec<Arc<RunnerCounters>>,
    pub(crate) risk: Arc<RiskCounters>,
    pub(crate) positions: Arc<PositionGauges>,
    pub(crate) simulation: Arc<SimulationCounters>,
    pub(crate) paper: Arc<PaperCounters>,
    pub(crate) gateway: Arc<OuchCounters>,
    pub(crate) stream: Arc<StreamCounters>,
    /// Journal and audit: name, writer, preparer.
    pub(crate) streams: [(&'static str, Arc<AppendCounters>, Arc<PreparerCounters>); 2],
    /// Streams of the orders' stamps, if they are stored: name, writer, what it dropped.
    pub(crate) orders: Vec<(&'static str, Arc<AppendCounters>, Arc<OrderCounters>)>,
    pub(crate) interference: Arc<InterferenceTotals>,
    pub(crate) keeper: Arc<KeeperCounters>,
    /// The writer to ClickHouse, if there is one.
    pub(crate) clickhouse: Option<Arc<WriterCounters>>,
    pub(crate) snapshots: Arc<SnapshotCounters>,
    pub(crate) pipeline: PipelineCounters,
    pub(crate) cores: Vec<CoreReport>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) side: SideCounters,
    strategies: Vec<String>,
    instruments: Vec<String>,
    latency: Mutex<Vec<LatencySummary>>,
    address: OnceLock<SocketAddr>,
}

impl Sources {
    pub(crate) fn new(
        settings: &Settings,
        stages: &Stages,
        world: &WorldCounters,
        journal: &JournalWriter,
        audit: &AuditWriter,
    ) -> Self {
        Self {
            normalizer: stages.normalizer.counters(),
            book: stages.book.counters(),
            runners: stages.runners.iter().map(|runner| runner.counters()).collect(),
            risk: stages.risk.counters(),
            positions: stages.risk.position_gauges(),
            simulation: Arc::clone(&world.simulation),
            paper: Arc::clone(&world.paper),
            gateway: Arc::clone(&world.gateway),
            stream: Arc::clone(&world.stream),
            streams: [
                ("journal", journal.counters(), journal.preparer_counters()),
                ("audit", audit.counters(), audit.preparer_counters()),
            ],
            orders: Vec::new(),
            interference: Arc::default(),
            keeper: Arc::default(),
            clickhouse: None,
            snapshots: Arc::default(),
            pipeline: PipelineCounters::default(),
            cores: world.feed_core.iter().cloned().collect(),
            progress: Arc::default(),
            side: SideCounters::default(),
            strategies: settings.strategies.iter().map(|spec| spec.name.clone()).collect(),
            instruments: settings.instruments.iter().map(|instrument| instrument.symbol.clone()).collect(),
            latency: Mutex::default(),
            address: OnceLock::new(),
        }
    }

    /// The plumbing's counters exist once it runs.
    pub(crate) fn add_pipeline(&mut self, pipeline: &Pipeline) {
        self.pipeline = pipeline.counters().clone();
        self.cores.splice(..0, pipeline.cores().iter().cloned());
        self.progress = Arc::clone(pipeline.progress());
    }

    pub(crate) fn add_orders(&mut self, orders: &OrderWriter, exits: &OrderWriter) {
        self.orders = [("orders", orders), ("exits", exits)]
            .map(|(name, writer)| {
                let (appended, counters) = writer.counters();
                (name, appended, counters)
            })
            .into();
    }

    pub(crate) fn add_interference(&mut self, totals: Arc<InterferenceTotals>) {
        self.interference = totals;
    }

    pub(crate) fn add_keeper(&mut self, counters: Arc<KeeperCounters>) {
        self.keeper = counters;
    }

    pub(crate) fn add_clickhouse(&mut self, counters: Arc<WriterCounters>) {
        self.clickhouse = Some(counters);
    }

    pub(crate) fn add_snapshots(&mut self, counters: Arc<SnapshotCounters>) {
        self.snapshots = counters;
    }

    pub(crate) fn set_address(&self, address: SocketAddr) {
        // Bound once.
        let _ = self.address.set(address);
    }

    pub(crate) fn set_latency(&self, summary: Vec<LatencySummary>) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = summary;
    }

    pub(super) fn latency(&self) -> Vec<LatencySummary> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn strategy(&self, index: usize) -> &str {
        self.strategies.get(index).map_or("?", String::as_str)
    }

    pub(super) fn instrument(&self, index: usize) -> &str {
        self.instruments.get(index).map_or("?", String::as_str)
    }

    pub(crate) fn frames(&self) -> u64 {
        self.normalizer.frames.value()
    }

    /// Messages that left: new orders, cancels, replaces.
    pub(crate) fn orders(&self) -> u64 {
        self.risk.messages_sent.iter().map(Counter::value).sum()
    }

    pub(crate) fn fills(&self) -> u64 {
        self.risk.fills.value()
    }

    /// Realized and unrealized less fees, over everything, in units of 1e-9; currencies are added up as they are.
    pub(crate) fn pnl_nanos(&self) -> i64 {
        self.positions.rows.iter().fold(0i64, |sum, row| {
            sum.saturating_add(row.realized.value())
                .saturating_add(row.unrealized.value())
                .saturating_sub(row.fees.value())
        })
    }

    fn trading_state(&self) -> &'static str {
        let number = u8::try_from(self.risk.trading_state.value()).unwrap_or(u8::MAX);
        TradingState::from_number(number).map_or("unknown", TradingState::name)
    }

    /// One line for the operator's `status`.
    pub(crate) fn status(&self) -> String {
        format!(
            "state {} frames {} orders {} open {} fills {} backlog {}{}{}",
            self.trading_state(),
            self.frames(),
            self.orders(),
            self.risk.open_orders.value(),
            self.fills(),
            self.progress.sequenced().saturating_sub(self.progress.done()),
            self.clickhouse.as_ref().map_or_else(String::new, |rows| format!(" {}", rows.status())),
            self.address
                .get()
                .map_or_else(String::new, |address| format!(" metrics http://{address}/metrics"))
        )
    }
}

impl Scraped for Sources {
    fn metrics(&self) -> String {
        self.side.scrapes.add(1);
        render(TABLE, self)
    }

    /// Whether the session works, and why not. One that an operator has halted works: `spinward_trading_state` tells that it does not trade.
    fn health(&self) -> Result<String, String> {
        if self.progress.has_failed() {
            return Err(format!("a file of the session cannot be written; {}", self.status()));
        }
        Ok(self.status())
    }
}

impl SessionView for Sources {
    fn status(&self) -> String {
        Self::status(self)
    }

    fn outcomes(&self) -> Outcomes {
        Outcomes { obeyed: self.risk.commands.value(), refused: self.risk.commands_refused.value() }
    }
}
