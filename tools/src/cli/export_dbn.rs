//! `spinward export --to dbn`.

use super::export::ExportArgs;
use super::output::{self, line};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use crate::session::opened::Opened;
use crate::session::parts;
use anyhow::anyhow;
use spinward_recorder::{DbnConfig, DbnError, DbnSchema, DbnSummary, RowsWanted, Table, export_dbn};
use std::process::ExitCode;

pub(crate) fn run(args: &ExportArgs, opened: &Opened, wanted: &RowsWanted) -> Outcome {
    let mut reports = Vec::new();
    for table in &wanted.tables {
        let schema = match table {
            Table::Events => DbnSchema::Orders,
            Table::Trades => DbnSchema::Trades,
            Table::Book => DbnSchema::Levels,
            other @ (Table::MarketData
            | Table::Orders
            | Table::Fills
            | Table::Verdicts
            | Table::Latency
            | Table::Positions
            | Table::Health
            | Table::Instruments
            | Table::Sessions) => {
                let name = other.name();
                return Err(Failure::Usage(anyhow!(
                    "--to dbn has no {name}: give --what events, book or trades"
                )));
            }
        };
        let config = DbnConfig {
            journal: opened.folder.journal(),
            schema,
            symbols: args.symbol.clone(),
            out: args.out.join(format!("{}.dbn", schema.name())),
            from: wanted.from,
            to: wanted.to,
        };
        // Twice the same stages: once for what stands in the file's head, once for the records.
        let (first, second) =
            (parts::market_stages(&opened.settings)?, parts::market_stages(&opened.settings)?);
        reports.push(export_dbn(&config, first, second).map_err(refused)?);
    }
    if args.json {
        line(serde_json::to_string_pretty(&reports)?);
    } else {
        print(&reports);
    }
    if reports.iter().all(|report| report.records == 0) {
        eprintln!("no records: check --symbol, --from and --to-time");
        return Ok(ExitCode::from(CHECK_FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

fn print(reports: &[DbnSummary]) {
    for DbnSummary { file, schema, records, symbols } in reports {
        let (records, symbols) = (output::count(*records), output::count(*symbols));
        line(format!("{file}  {schema}: {records} records, {symbols} symbols"));
    }
}

/// What cannot be written in DBN is a matter of what was asked for.
fn refused(error: DbnError) -> Failure {
    match error {
        DbnError::Journal(_) | DbnError::Export(_) => error.into(),
        DbnError::Symbol { .. } | DbnError::Levels { .. } | DbnError::Size { .. } => Failure::usage(error),
    }
}
