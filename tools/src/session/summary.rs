//! What a session has come to: for people, and as JSON.

use super::embedded::BothEnds;
use crate::attribution::tail::{self, Outlier};
use crate::cli::output::{self, Table, line};
use crate::metrics::Sources;
use serde::Serialize;
use spinward_config::Settings;
use spinward_engine::pipeline::Finished;
use spinward_engine::words::{EventKind, Price, RejectCode};
use spinward_gateways::feed::Waits;
use spinward_recorder::{DigestSnapshot, LatencySummary, SessionFolder, Stage};

/// One row of positions. Money in units of 1e-9 of the currency.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PositionRow {
    pub(crate) strategy: String,
    pub(crate) instrument: String,
    pub(crate) currency: String,
    pub(crate) position_lots: i64,
    pub(crate) average_price: Option<String>,
    pub(crate) bought_lots: i64,
    pub(crate) sold_lots: i64,
    pub(crate) fills: u64,
    /// What the open lots cost, signed as the position.
    pub(crate) cost_nanos: i64,
    pub(crate) realized_nanos: i64,
    pub(crate) unrealized_nanos: i64,
    pub(crate) fees_nanos: i64,
    pub(crate) net_nanos: i64,
}

/// One digest.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DigestRow {
    pub(crate) stage: String,
    pub(crate) records: u64,
    pub(crate) digest: String,
}

/// Of a digest snapshot, stage by stage.
pub(crate) fn digest_rows(digests: &DigestSnapshot) -> Vec<DigestRow> {
    Stage::EVERY
        .into_iter()
        .map(|stage| {
            let digest = digests.of(stage);
            DigestRow {
                stage: stage.name().to_owned(),
                records: digest.records,
                digest: format!("{:016x}", digest.value),
            }
        })
        .collect()
}

/// What latency has to say beside its table.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Attribution {
    /// A fault put in on purpose, and how often it struck.
    pub(crate) fault: Option<String>,
    /// The order at each percentile of the tail and what stood in its way.
    pub(crate) tail: Vec<Outlier>,
}

/// Outliers of the summary: the slowest order, and the one at the percentile before.
const SHOWN: usize = 2;

impl Attribution {
    pub(crate) fn new(settings: &Settings, folder: &SessionFolder, sources: &Sources) -> Self {
        let fault = settings.faults.stall_stage.0.map(|stage| {
            format!(
                "{stage} was stalled for {} on purpose, {} times: no latency of this session means anything",
                output::nanos(u64::try_from(settings.faults.stall_length.as_nanos()).unwrap_or(u64::MAX)),
                output::count(sources.pipeline.stalls.value())
            )
        });
        let slow = settings.faults.flush_delay;
        let fault = fault.or_else(|| {
            let slow = u64::try_from(slow.as_nanos()).ok().filter(|nanos| *nanos > 0)?;
            Some(format!("every flush took {} longer on purpose", output::nanos(slow)))
        });
        // What cannot be read is no reason to be without a summary.
        let tail = tail::of_session(folder).unwrap_or_else(|error| {
            eprintln!("warning: {error}");
            Vec::new()
        });
        Self { fault, tail }
    }
}

/// From the kernel's receipt of packets to ours. Nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct KernelWait {
    pub(crate) packets: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl KernelWait {
    fn of(waits: &Waits) -> Option<Self> {
        Some(Self {
            packets: waits.count(),
            p50: waits.quantile(0.5)?,
            p99: waits.quantile(0.99)?,
            max: waits.quantile(1.0)?,
        })
    }
}

/// The summary of a session.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) session: String,
    pub(crate) feed: String,
    pub(crate) seed: u64,
    pub(crate) trading_state: String,
    pub(crate) frames: u64,
    pub(crate) messages: u64,
    pub(crate) events: u64,
    pub(crate) malformed: u64,
    pub(crate) gaps: u64,
    /// Packets of market data that the kernel dropped for want of room; 0 without lines of a network.
    pub(crate) kernel_drops: u64,
    /// How long packets waited in the kernel, nanoseconds; absent without its stamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kernel_wait_ns: Option<KernelWait>,
    pub(crate) intents: u64,
    pub(crate) verdicts: Vec<(String, u64)>,
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    pub(crate) fills_duplicate: u64,
    pub(crate) open_orders: u64,
    pub(crate) positions: Vec<PositionRow>,
    pub(crate) latency: Vec<LatencySummary>,
    pub(crate) attribution: Attribution,
    pub(crate) digests: Vec<DigestRow>,
    pub(crate) problems: Vec<String>,
    /// Of a session on an exchange of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exchange: Option<BothEnds>,
}

impl Summary {
    #[expect(clippy::too_many_arguments, reason = "one for each part of the report")]
    pub(crate) fn new(
        settings: &Settings,
        folder: &SessionFolder,
        sources: &Sources,
        finished: &Finished,
        digests: &DigestSnapshot,
        latency: Vec<LatencySummary>,
        attribution: Attribution,
        problems: Vec<String>,
    ) -> Self {
        let normalizer = &sources.normalizer;
        let of_kind =
            |kind: EventKind| normalizer.events.get(kind as usize - 1).map_or(0, |counter| counter.value());
        let risk = &sources.risk;
        let verdicts: Vec<(String, u64)> = RejectCode::EVERY
            .into_iter()
            .zip(&risk.verdicts)
            .map(|(code, counter)| (code.name().to_owned(), counter.value()))
            .filter(|(_, count)| *count > 0)
            .collect();
        Self {
            session: folder.path().display().to_string(),
            feed: settings.feed.to_string(),
            seed: settings.session.seed,
            trading_state: finished.risk.state().name().to_owned(),
            frames: normalizer.frames.value(),
            messages: normalizer.messages.value(),
            events: normalizer.events.iter().map(|counter| counter.value()).sum(),
            malformed: of_kind(EventKind::Malformed),
            gaps: of_kind(EventKind::Gap),
            kernel_drops: sources.stream.kernel_drops(),
            kernel_wait_ns: KernelWait::of(&sources.stream.kernel_waits),
            intents: digests.intents.records,
            verdicts,
            orders: sources.orders(),
            fills: risk.fills.value(),
            fills_duplicate: risk.fills_duplicate.value(),
            open_orders: finished.risk.open_orders().count() as u64,
            positions: positions(settings, finished),
            latency,
            attribution,
            digests: digest_rows(digests),
            problems,
            exchange: None,
        }
    }

    /// Whether nothing went wrong with the session itself.
    pub(crate) fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.exchange.as_ref().is_none_or(|both| both.differences.is_empty())
    }

    pub(crate) fn print_json(&self) -> Result<(), serde_json::Error> {
        line(serde_json::to_string_pretty(self)?);
        Ok(())
    }

    pub(crate) fn print(&self) {
        line(format!("session   {}", self.session));
        line(format!("feed      {}, seed {}", self.feed, self.seed));
        line(format!(
            "input     {} frames, {} messages, {} events ({} malformed, {} gaps)",
            output::count(self.frames),
            output::count(self.messages),
            output::count(self.events),
            output::count(self.malformed),
            output::count(self.gaps)
        ));
        if let Some(KernelWait { packets, p50, p99, max }) = self.kernel_wait_ns {
            line(format!(
                "packets   {} received, {} dropped by the kernel; waited there p50 {} p99 {} max {}",
                output::count(packets),
                output::count(self.kernel_drops),
                output::nanos(p50),
                output::nanos(p99),
                output::nanos(max)
            ));
        }
        line(format!(
            "trading   {}: {} intents, {} orders, {} fills, {} orders open",
            self.trading_state,
            output::count(self.intents),
            output::count(self.orders),
            output::count(self.fills),
            output::count(self.open_orders)
        ));
        if let Some(BothEnds { executions, open_orders, cash_nanos, differences }) = &self.exchange {
            let (executions, open) = (output::count(*executions), output::count(*open_orders));
            let cash = output::money(*cash_nanos);
            line(format!("exchange  {executions} executions, {open} orders open, money {cash}"));
            if differences.is_empty() {
                line(
                    "          EQUAL at both ends: every position, every open order, money to the last cent",
                );
            }
            for difference in differences {
                line(format!("          DIFFERENT {difference}"));
            }
        }
        line("");
        let mut table = Table::new(["verdicts", "count"]);
        for (code, count) in &self.verdicts {
            table.row([code.clone(), output::count(*count)]);
        }
        table.print();
        line("");
        let mut table = Table::new([
            "profit and loss",
            "instrument",
            "fills",
            "bought",
            "sold",
            "position",
            "average",
            "realized",
            "unrealized",
            "fees",
            "net",
            "",
        ]);
        for row in &self.positions {
            table.row([
                row.strategy.clone(),
                row.instrument.clone(),
                output::count(row.fills),
                output::signed(row.bought_lots),
                output::signed(row.sold_lots),
                output::signed(row.position_lots),
                row.average_price.clone().unwrap_or_else(|| "-".to_owned()),
                output::money(row.realized_nanos),
                output::money(row.unrealized_nanos),
                output::money(row.fees_nanos),
                output::money(row.net_nanos),
                row.currency.clone(),
            ]);
        }
        table.print();
        line("");
        let mut table = Table::new(["latency", "p50", "p90", "p99", "p99.9", "max", "samples"]);
        for row in self.latency.iter().filter(|row| row.count > 0) {
            table.row([
                row.stage.replace('_', " "),
                output::nanos(row.p50_ns),
                output::nanos(row.p90_ns),
                output::nanos(row.p99_ns),
                output::nanos(row.p999_ns),
                output::nanos(row.max_ns),
                output::count(row.count),
            ]);
        }
        table.print();
        let tail = &self.attribution.tail;
        if !tail.is_empty() {
            line("  sent orders, from the frame's stamp:");
        }
        for outlier in tail.iter().skip(tail.len().saturating_sub(SHOWN)) {
            line(format!("  {outlier}"));
        }
        line("");
        let mut table = Table::new(["digests", "records", "digest"]);
        for row in &self.digests {
            table.row([row.stage.clone(), output::count(row.records), row.digest.clone()]);
        }
        table.print();
        if let Some(fault) = &self.attribution.fault {
            line("");
            line(format!("FAULT     {fault}"));
        }
        for problem in &self.problems {
            line("");
            line(format!("PROBLEM   {problem}"));
        }
        line("");
        line(format!("check it  spinward replay {}", self.session));
    }
}

fn positions(settings: &Settings, finished: &Finished) -> Vec<PositionRow> {
    let table = finished.normalizer.instruments();
    finished
        .risk
        .positions()
        .map(|position| {
            let instrument = table.by_id(position.instrument);
            let terms = instrument.and_then(|instrument| instrument.terms.as_ref());
            let average: Option<Price> =
                instrument.and_then(|instrument| position.average_price(instrument.unit_value()));
            PositionRow {
                strategy: settings
                    .strategies
                    .get(position.strategy.index())
                    .map_or_else(|| "(unknown)".to_owned(), |spec| spec.name.clone()),
                instrument: instrument.map_or_else(|| "?".to_owned(), |i| i.symbol.to_string()),
                currency: terms.map_or_else(String::new, |terms| terms.currency.to_string()),
                position_lots: position.qty.lots(),
                average_price: average.map(|price| price.to_string()),
                bought_lots: position.bought.lots(),
                sold_lots: position.sold.lots(),
                fills: position.fills,
                cost_nanos: position.cost.nanos(),
                realized_nanos: position.realized.nanos(),
                unrealized_nanos: position.unrealized.nanos(),
                fees_nanos: position.fees.nanos(),
                net_nanos: position
                    .realized
                    .saturating_add(position.unrealized)
                    .saturating_sub(position.fees)
                    .nanos(),
            }
        })
        .collect()
}
