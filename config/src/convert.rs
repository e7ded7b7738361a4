//! Settings to each crate's plain `Config`.

mod network;
mod exchange;

use crate::calendar::ALWAYS;
use crate::field::nanos;
use crate::instrument::FEED_SOURCE;
use crate::problem::ConfigError;
use crate::settings::{ArrivalKind, FeedKind, Preset, Settings};
use crate::strategy::StrategySpec;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use spinward_engine::book::BookConfig;
use spinward_engine::pipeline::{CoreSpec, HostCores, PipelineConfig, Stall, Topology};
use spinward_engine::risk::{Collar, InstrumentLimits, RiskConfig, StrategyInstrument, StrategyLimits};
use spinward_engine::words::{
    InstrumentId, InstrumentTable, Nanos, Qty, SessionCalendar, StrategyId, Symbol,
};
use spinward_gateways::binance::BinanceConfig;
use spinward_gateways::itch50::Itch50Config;
use spinward_gateways::paper::{Latency, PaperConfig};
use spinward_gateways::simulation::SimulationConfig;
use spinward_gateways::synthetic::{Arrivals, SyntheticConfig};
use spinward_recorder::{Durability, JournalConfig};
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The day of the synthetic market, unless another is configured: a Monday without anything special.
const SYNTHETIC_DATE: Date = Date::constant(2026, 1, 5);

/// Midnight at the start of this day in New York.
pub(crate) fn midnight_new_york(date: Date) -> Option<Nanos> {
    instant_new_york(date, Time::midnight())
}

/// The last midnight in New York before `now`, since the epoch: what times of ITCH and OUCH count from.
pub fn midnight_before(now: Nanos) -> Option<Nanos> {
    let zone = TimeZone::get("America/New_York").ok()?;
    let now = jiff::Timestamp::from_nanosecond(now.get().into()).ok()?.to_zoned(zone);
    let midnight = now.start_of_day().ok()?.timestamp().as_nanosecond();
    i64::try_from(midnight).ok().map(Nanos::new)
}

fn instant_new_york(date: Date, time: Time) -> Option<Nanos> {
    let zone = TimeZone::get("America/New_York").ok()?;
    let zoned = date.to_datetime(time).to_zoned(zone).ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok().map(Nanos::new)
}

impl Settings {
    /// The configured instruments, in the order of the file, in a table with room for those that the feed brings.
    ///
    /// # Errors
    /// What [`Settings::check`] says of calendars and instruments, if they were not checked.
    pub fn instruments(&self) -> Result<InstrumentTable, ConfigError> {
        let mut problems = Vec::new();
        let mut calendars: Vec<(&str, SessionCalendar)> = vec![(ALWAYS, SessionCalendar::always())];
        for (index, calendar) in self.calendars.iter().enumerate() {
            match calendar.expand() {
                Ok(expanded) => calendars.push((&calendar.name, expanded)),
                Err((key, wrong)) => {
                    problems.push(self.problem(&format!("calendar[{index}].{key}"), wrong.what, wrong.mend));
                }
            }
        }
        let mut table = InstrumentTable::with_capacity(self.book.instruments_max);
        for (index, instrument) in self.instruments.iter().enumerate() {
            let path = format!("instrument[{index}]");
            for (key, wrong) in instrument.problems() {
                problems.push(self.problem(&format!("{path}.{key}"), wrong.what, wrong.mend));
            }
            let calendar = calendars.iter().find(|(name, _)| *name == instrument.calendar);
            let row = calendar.and_then(|(_, calendar)| instrument.instrument(calendar.clone()));
            if row.and_then(|row| table.add(row)).is_none() && problems.is_empty() {
                let mend = "name a calendar of the file, and let book.instruments_max be large enough";
                problems.push(self.problem(&path, "the instrument cannot be set up", mend));
            }
        }
        ConfigError::unless_empty(problems).map(|()| table)
    }

    /// The id of a configured instrument.
    pub fn instrument_id(&self, symbol: &str) -> Option<InstrumentId> {
        let index = self.instruments.iter().position(|instrument| instrument.symbol == symbol)?;
        u32::try_from(index).ok().map(InstrumentId::new)
    }

    /// Sizes of the rings.
    pub fn pipeline(&self) -> PipelineConfig {
        let pipeline = &self.pipeline;
        PipelineConfig {
            ingress_slots: pipeline.ingress_slots,
            event_slots: pipeline.event_slots,
            egress_slots: pipeline.egress_slots,
            burst: pipeline.burst,
            stamps: pipeline.stamps,
            lock_memory: pipeline.lock_memory,
            gap_threshold: nanos(self.latency.gap_threshold),
            stall: self.faults.stall_stage.0.map(|role| Stall {
                role,
                length: nanos(self.faults.stall_length),
                every: self.faults.stall_every,
            }),
        }
    }

    /// How many strategy cores the strategies use; one, running nothing, if there are none.
    pub fn strategy_cores(&self) -> usize {
        self.strategies.iter().map(|strategy| strategy.core.saturating_add(1)).max().unwrap_or(1)
    }

    /// Which agent runs on which core of this host.
    ///
    /// # Errors
    /// What [`Settings::validate`] says of the topology.
    pub fn topology(&self, host: &HostCores) -> Result<Topology, ConfigError> {
        let problems = self.validate(host);
        let of_topology =
            problems.into_iter().filter(|problem| problem.key.starts_with("topology")).collect();
        ConfigError::unless_empty(of_topology).map(|()| self.topology_of(host))
    }

    pub(crate) fn topology_of(&self, host: &HostCores) -> Topology {
        let settings = &self.topology;
        let cores = if settings.cores.is_empty() { host.preferred() } else { settings.cores.clone() };
        let strategy_cores = self.strategy_cores();
        match settings.preset {
            Preset::Auto => Topology::auto(host, strategy_cores),
            Preset::Fused => Topology::fused(&cores, strategy_cores, settings.idle),
            Preset::Split => Topology::split(&cores, strategy_cores, settings.idle),
            Preset::Custom => Topology {
                name: "custom".to_owned(),
                cores: settings
                    .core
                    .iter()
                    .map(|core| CoreSpec { core: core.core, idle: core.idle, roles: core.agents.clone() })
                    .collect(),
            },
        }
    }

    /// How large the books may grow.
    pub fn book(&self) -> BookConfig {
        let book = &self.book;
        BookConfig {
            view_levels: book.view_levels,
            instruments_max: book.instruments_max,
            orders_max: book.orders_max,
            levels_max: book.levels_max,
            volatility_window: nanos(book.volatility_window),
            volatility_sample: nanos(book.volatility_sample),
        }
    }

    /// All limits. An instrument without limits is not traded.
    pub fn risk(&self) -> RiskConfig {
        let risk = &self.risk;
        let instruments = self.instruments.iter().map(|instrument| {
            instrument.limits.as_ref().map(|limits| InstrumentLimits {
                order_qty_max: Qty::from_lots(limits.order_qty_max),
                order_notional_max: limits.order_notional_max,
                position_max: Qty::from_lots(limits.position_max),
                collar: Collar { ppm: limits.collar_ppm, ticks: limits.collar_ticks },
            })
        });
        RiskConfig {
            instruments: instruments.collect(),
            strategies: self.strategies.iter().map(|strategy| self.limits_of(strategy)).collect(),
            open_orders_max: risk.open_orders_max,
            message_rate_max: risk.message_rate_max,
            message_rate_window: nanos(risk.message_rate_window),
            duplicate_window: nanos(risk.duplicate_window),
            stale_after: nanos(risk.stale_after),
            fill_memory: risk.fill_memory,
            egress_slots: self.pipeline.egress_slots,
            egress_cancel_reserve: risk.egress_cancel_reserve,
            egress_refusal_reserve: risk.egress_refusal_reserve,
        }
    }

    fn limits_of(&self, strategy: &StrategySpec) -> StrategyLimits {
        let instruments = strategy.instruments.iter().filter_map(|symbol| {
            let id = self.instrument_id(symbol)?;
            let limits = self.instruments.get(id.index())?.limits.as_ref()?;
            let lots = strategy.position_max.unwrap_or(limits.position_max);
            Some(StrategyInstrument { instrument: id, position_max: Qty::from_lots(lots) })
        });
        StrategyLimits { instruments: instruments.collect() }
    }

    /// Simulated time.
    pub fn simulation(&self) -> SimulationConfig {
        let simulation = &self.simulation;
        SimulationConfig {
            pace: simulation.pace.0,
            duration: self.session.duration.map(nanos),
            timer_interval: nanos(simulation.timer_interval),
            refusal_latency: nanos(simulation.refusal_latency),
            drain: nanos(simulation.drain),
            messages_under_way_max: self.pipeline.ingress_slots,
            refusals_max: simulation.refusals_max,
            backlog_messages_max: simulation.backlog_messages_max,
            backlog_bytes_max: usize::try_from(simulation.backlog_bytes_max.0).unwrap_or(usize::MAX),
        }
    }

    /// The paper venue. A resumed session must set `first_id` besides.
    pub fn paper(&self) -> PaperConfig {
        let paper = &self.paper;
        let latency = |base: Duration, jitter: Duration| Latency { base: nanos(base), jitter: nanos(jitter) };
        PaperConfig {
            place: latency(paper.place_latency, paper.place_jitter),
            cancel: latency(paper.cancel_latency, paper.cancel_jitter),
            replace: latency(paper.replace_latency, paper.replace_jitter),
            report: latency(paper.report_latency, paper.report_jitter),
            cancels_apart: paper.cancels_apart,
            seed: self.session.seed,
            reject_ppm: paper.reject_ppm,
            orders_max: paper.orders_max,
            messages_max: paper.messages_max,
            reports_max: paper.reports_max,
            taken_levels_max: paper.taken_levels_max,
            first_id: 0,
        }
    }

    /// The streams of the orders' stamps: as the journal, in segments of at most 8 MiB, and nobody waits for them.
    pub fn order_streams(&self) -> JournalConfig {
        let journal = self.journal();
        let segment_bytes = journal.segment_bytes.min(8 << 20);
        JournalConfig { segment_bytes, durability: Durability::Process, ..journal }
    }

    /// The audit stream.
    pub fn audit(&self) -> JournalConfig {
        JournalConfig { durability: self.journal.audit_durability, ..self.journal() }
    }

    /// The journal.
    pub fn journal(&self) -> JournalConfig {
        let journal = &self.journal;
        JournalConfig {
            segment_bytes: journal.segment_bytes.0,
            segments_ahead: journal.segments_ahead,
            durability: journal.durability,
            flush_interval: journal.flush_interval,
            prefault_bytes: journal.prefault_bytes.0,
        }
    }

    /// Where lines A and B of the feed are sent to.
    pub fn feed_lines(&self) -> Vec<SocketAddrV4> {
        self.feed.lines.iter().map(|line| line.0).collect()
    }

    /// Decoder of an ITCH file, or of the synthetic market.
    pub fn itch50(&self) -> Itch50Config {
        Itch50Config { source: FEED_SOURCE, midnight: self.feed_date().and_then(midnight_new_york) }
    }

    /// The date of the feed in New York: as configured; the synthetic market has a default.
    fn feed_date(&self) -> Option<Date> {
        self.feed.date.or((self.feed.kind == FeedKind::Synthetic).then_some(SYNTHETIC_DATE))
    }

    /// The synthetic market.
    pub fn synthetic(&self) -> SyntheticConfig {
        let synthetic = &self.feed.synthetic;
        let date = self.feed.date.unwrap_or(SYNTHETIC_DATE);
        let midnight = midnight_new_york(date).unwrap_or(Nanos::ZERO);
        SyntheticConfig {
            seed: self.session.seed,
            symbols: synthetic.symbols,
            zipf_quarters: synthetic.zipf_quarters,
            live_orders: synthetic.live_orders,
            rate: synthetic.rate,
            arrivals: match synthetic.arrivals {
                ArrivalKind::Even => Arrivals::Even,
                ArrivalKind::Clusters => Arrivals::Clusters,
                ArrivalKind::Bursts => {
                    Arrivals::Bursts { quiet: nanos(synthetic.quiet), active: nanos(synthetic.active) }
                }
            },
            burst_messages: synthetic.burst_messages,
            spread: synthetic.spread,
            midnight,
            start: instant_new_york(date, synthetic.start).unwrap_or(midnight),
            wire_latency: nanos(synthetic.wire_latency),
            duration: self.session.duration.map(nanos),
            messages_max: None,
            directory: synthetic.directory,
        }
    }

    /// Decoder of Binance captures.
    pub fn binance(&self) -> BinanceConfig {
        let binance = &self.feed.binance;
        BinanceConfig {
            symbols_max: binance.symbols_max,
            snapshot_symbol: binance.snapshot_symbol.as_deref().and_then(Symbol::new),
            learned_lot_decimals: binance.learned_lot_decimals,
            pending_bytes: usize::try_from(binance.pending_bytes.0).unwrap_or(usize::MAX),
            pending_messages: binance.pending_messages,
        }
    }

    /// The strategies, by id.
    pub fn strategies(&self) -> impl Iterator<Item = (StrategyId, &StrategySpec)> {
        (0..u16::MAX).map(StrategyId::new).zip(&self.strategies)
    }

    /// Ids of the instruments of a strategy, in its order.
    pub fn instruments_of(&self, strategy: &StrategySpec) -> Vec<InstrumentId> {
        strategy.instruments.iter().filter_map(|symbol| self.instrument_id(symbol)).collect()
    }

    /// Where metrics are served; `None` is nowhere.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.address.0
    }

    /// Where operators' commands are taken, for the session in this folder; `None` is nowhere.
    pub fn operator_socket(&self, session_folder: &Path) -> Option<PathBuf> {
        self.operator.socket.0.as_ref().map(|path| session_folder.join(path))
    }

    /// Traded instruments that have expired at `time`, the first moment of the market: a session that would refuse all their orders
    /// must not start.
    pub fn expired(&self, time: Nanos) -> Vec<crate::Problem> {
        let mut problems = Vec::new();
        for (index, instrument) in self.instruments.iter().enumerate() {
            let is_traded = self.strategies.iter().any(|s| s.instruments.contains(&instrument.symbol));
            if let Some(expiry) = instrument.expiry
                && is_traded
                && instrument.expiry_nanos() <= time
            {
                let what = format!("{} expired at {expiry}, before this market begins", instrument.symbol);
                let mend = "use the contract that is traded now, or take it from the strategies";
                problems.push(self.problem(&format!("instrument[{index}].expiry"), what, mend));
            }
        }
        problems
    }

    /// Strategies whose kind the program does not know.
    pub fn unknown_kinds(&self, known: &[&str]) -> Vec<crate::Problem> {
        let unknown = self.strategies.iter().enumerate().filter(|(_, s)| !known.contains(&s.kind.as_str()));
        unknown
            .map(|(index, strategy)| {
                self.problem(
                    &format!("strategy[{index}].kind"),
                    format!("no strategy of the kind {:?} is registered", strategy.kind),
                    crate::problem::did_you_mean(&strategy.kind, known.iter().copied()),
                )
            })
            .collect()
    }

    /// The source of market data.
    pub fn feed_source(&self) -> spinward_engine::words::SourceId {
        FEED_SOURCE
    }
}

#[cfg(test)]
mod tests;
