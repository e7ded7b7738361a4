//! `spinward export --to hftbacktest`.

use super::export::ExportArgs;
use super::output::{self, line};
use crate::failure::{Failure, Outcome};
use crate::session::opened::Opened;
use crate::session::parts;
use crate::session::registry::Registry;
use anyhow::anyhow;
use serde::Serialize;
use spinward_recorder::{
    HftBacktestConfig, HftBacktestSummary, OrderLatencySink, RowsWanted, Table, export_hftbacktest,
};
use std::process::ExitCode;

#[derive(Serialize)]
struct Report {
    symbol: String,
    market: HftBacktestSummary,
    order_latency_file: Option<String>,
    orders: u64,
    /// Sent at the same time as another, or never answered.
    orders_left_out: u64,
}

pub(crate) fn run(registry: &Registry, args: &ExportArgs, opened: &Opened, wanted: &RowsWanted) -> Outcome {
    if args.symbol.is_empty() {
        return Err(Failure::Usage(anyhow!("--to hftbacktest writes one file a symbol: give --symbol")));
    }
    let mut reports = Vec::new();
    for symbol in &args.symbol {
        let config = HftBacktestConfig {
            journal: opened.folder.journal(),
            symbol: symbol.clone(),
            out: args.out.join(format!("{symbol}.market.npz")),
            from: wanted.from,
            to: wanted.to,
        };
        // Twice the same stages: once for the clocks, once for the rows.
        let (first, second) =
            (parts::market_stages(&opened.settings)?, parts::market_stages(&opened.settings)?);
        let market = export_hftbacktest(&config, first, second)?;
        let out = args.out.join(format!("{symbol}.order_latency.npz"));
        let mut sink = OrderLatencySink::create(&out, market.local_shift_ns)?;
        let rows =
            RowsWanted { tables: vec![Table::Orders], symbols: vec![symbol.clone()], ..wanted.clone() };
        opened.source(registry, rows)?.run(&mut sink)?;
        let (orders, orders_left_out) = sink.finish()?;
        let order_latency_file = Some(out.display().to_string());
        reports.push(Report { symbol: symbol.clone(), market, order_latency_file, orders, orders_left_out });
    }
    if args.json {
        line(serde_json::to_string_pretty(&reports)?);
        return Ok(ExitCode::SUCCESS);
    }
    for report in &reports {
        line(format!("{}  {} records", report.market.file, output::count(report.market.records)));
        if report.market.local_shift_ns > 0 {
            line(format!(
                "  receive times put {} later: the local clock was behind the venue's",
                output::nanos(report.market.local_shift_ns.unsigned_abs())
            ));
        }
        if let Some(file) = &report.order_latency_file {
            line(format!(
                "{file}  {} orders, {} left out (sent together with another, or not answered)",
                output::count(report.orders),
                output::count(report.orders_left_out)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
