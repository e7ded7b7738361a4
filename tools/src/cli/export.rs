//! `spinward export`.

use super::output::{self, Table as TextTable, line};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use crate::session::opened::Opened;
use crate::session::registry::Registry;
use crate::session::replay::find;
use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use serde::Serialize;
use spinward_engine::words::Nanos;
use spinward_recorder::{
    ExportError, ExportSummary, FileFormat, LOADED_TABLES, Manifest, PartInfo, PartSink, PartsConfig,
    RowTotals, RowsWanted, SessionFolder, Table, segments,
};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What an export is written as.
#[derive(Clone, Copy, ValueEnum, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Apache Parquet, zstd.
    Parquet,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
    /// Arrow IPC files (Feather 2).
    Arrow,
    /// hftbacktest: SYMBOL.market.npz and SYMBOL.order_latency.npz.
    #[value(name = "hftbacktest")]
    HftBacktest,
    /// Databento's encoding: events as mbo.dbn, trades as trades.dbn, book as mbp-10.dbn.
    Dbn,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArgs {
    /// Folder of the session, or `latest`.
    pub(crate) session: PathBuf,
    /// What to write.
    #[arg(long, value_enum)]
    pub(crate) to: Target,
    /// Which tables: all (market_data, which is events and book, and everything behind it), or some of events, book, trades, orders, fills, verdicts, latency, market_data, positions, health, instruments, sessions.
    #[arg(long, value_name = "TABLE", value_delimiter = ',', default_value = "events")]
    pub(crate) what: Vec<String>,
    /// Rows of this symbol only; may be given several times.
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',')]
    pub(crate) symbol: Vec<String>,
    /// Rows with a receive time from this on: 2024-08-08T08:00:00Z, or nanoseconds since 1970.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Rows with a receive time before this.
    #[arg(long, value_name = "TIME")]
    pub(crate) to_time: Option<String>,
    /// Folder for the files; an export that was killed goes on when it is given again.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,
    /// Rows of a part, about.
    #[arg(long, value_name = "ROWS", default_value_t = 8_388_608, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) part_rows: u64,
    /// Folder in which sessions are kept, for `latest`.
    #[arg(long, value_name = "FOLDER", default_value = "sessions")]
    pub(crate) sessions: PathBuf,
    /// Print the summary as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress bar.
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Serialize)]
struct Report {
    session: String,
    out: String,
    frames: u64,
    events: u64,
    rows: u64,
    rows_kept: u64,
    bytes: u64,
    seconds: f64,
    verdicts_audited: u64,
    verdicts_unaudited: u64,
    torn_tail: Option<String>,
    parts: Vec<PartInfo>,
    is_marked: bool,
}

pub(crate) fn run(registry: &Registry, args: &ExportArgs) -> Outcome {
    let folder = find(&args.sessions, &args.session)?;
    let opened = Opened::open(&folder)?;
    let wanted = wanted(args)?;
    let format = match args.to {
        Target::Parquet => FileFormat::Parquet,
        Target::Csv => FileFormat::Csv,
        Target::Jsonl => FileFormat::Jsonl,
        Target::Arrow => FileFormat::Arrow,
        Target::HftBacktest => return super::export_npz::run(registry, args, &opened, &wanted),
        Target::Dbn => return super::export_dbn::run(args, &opened, &wanted),
    };
    let config = PartsConfig {
        folder: args.out.clone(),
        format,
        part_rows: args.part_rows,
        tables: wanted.tables.clone(),
        identity: format!(
            "session {} {}, symbols [{}], from {} to {}",
            folder.id(),
            opened.manifest.session,
            wanted.symbols.join(","),
            wanted.from.get(),
            wanted.to.get()
        ),
    };
    let is_everything = is_everything(&wanted);
    let mut bar = Bar::new(&folder, &opened.manifest, args.quiet)?;
    let started = Instant::now();
    let (totals, summary) = {
        let mut sink = PartSink::open(config, |frames| bar.show(frames)).map_err(refused)?;
        if sink.is_complete() {
            (RowTotals::default(), sink.summary())
        } else {
            let source = opened.source(registry, wanted)?;
            let totals = source.run(&mut sink)?;
            (totals, sink.finish()?)
        }
    };
    bar.clear();
    let is_marked = is_everything
        && are_there(&args.out, &totals, &summary)
        && opened.mark(&totals, false, &format!("{format:?} in {}", args.out.display()));
    let report = Report {
        session: folder.path().display().to_string(),
        out: args.out.display().to_string(),
        frames: totals.frames,
        events: totals.events,
        rows: summary.rows,
        rows_kept: summary.rows_kept,
        bytes: summary.bytes,
        seconds: started.elapsed().as_secs_f64(),
        verdicts_audited: totals.audited,
        verdicts_unaudited: totals.unaudited,
        torn_tail: totals.cut.as_ref().map(ToString::to_string),
        parts: summary.parts,
        is_marked,
    };
    if args.json {
        line(serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    if report.rows == 0 {
        eprintln!("no rows: check --symbol, --from and --to-time");
        return Ok(ExitCode::from(CHECK_FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether these rows are all that can be known of a session: every table, of every symbol, of all times.
fn is_everything(wanted: &RowsWanted) -> bool {
    let has = |table| wanted.tables.contains(&table);
    let tables = LOADED_TABLES.into_iter().all(|table| match table {
        Table::MarketData => has(table) || (has(Table::Events) && has(Table::Book)),
        Table::Events
        | Table::Book
        | Table::Trades
        | Table::Orders
        | Table::Fills
        | Table::Verdicts
        | Table::Latency
        | Table::Positions
        | Table::Health
        | Table::Instruments
        | Table::Sessions => has(table),
    });
    let RowsWanted { symbols, from, to, .. } = RowsWanted::all(&[]);
    tables && (&wanted.symbols, wanted.from, wanted.to) == (&symbols, from, to)
}

/// Whether the parts have every row that the session gave, and the files the bytes that were written.
fn are_there(out: &Path, totals: &RowTotals, summary: &ExportSummary) -> bool {
    let rows = |table: &str| -> u64 {
        summary.parts.iter().filter(|part| part.table == table).map(|part| part.rows).sum()
    };
    let is_whole = |part: &PartInfo| {
        std::fs::metadata(out.join(&part.file)).is_ok_and(|metadata| metadata.len() == part.bytes)
    };
    !totals.rows.is_empty()
        && totals.rows.iter().all(|(table, count)| rows(table) == *count)
        && summary.parts.iter().all(is_whole)
}

/// A folder that holds something else is a matter of usage, a full disk is not.
fn refused(error: ExportError) -> Failure {
    match error {
        ExportError::Io { .. } | ExportError::Encode { .. } | ExportError::Changed { .. } => error.into(),
        ExportError::Other { .. } | ExportError::NotEmpty { .. } | ExportError::State { .. } => {
            Failure::usage(error)
        }
    }
}

fn wanted(args: &ExportArgs) -> Result<RowsWanted, Failure> {
    let mut tables = Vec::new();
    for name in &args.what {
        if name == "all" {
            tables = LOADED_TABLES.to_vec();
            continue;
        }
        let table = Table::from_name(name).ok_or_else(|| {
            let known: Vec<&str> = Table::EVERY.iter().map(|table| table.name()).collect();
            Failure::Usage(anyhow!("--what {name:?}: give all, or some of {}", known.join(", ")))
        })?;
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    let mut wanted = RowsWanted { symbols: args.symbol.clone(), ..RowsWanted::all(&tables) };
    if let Some(text) = &args.from {
        wanted.from = time("--from", text)?;
    }
    if let Some(text) = &args.to_time {
        wanted.to = time("--to-time", text)?;
    }
    Ok(wanted)
}

/// A time of the command line.
pub(crate) fn time(option: &str, text: &str) -> Result<Nanos, Failure> {
    if let Ok(nanos) = text.parse::<i64>() {
        return Ok(Nanos::new(nanos));
    }
    let read = || -> anyhow::Result<Nanos> {
        let timestamp: jiff::Timestamp = text.parse()?;
        Ok(Nanos::new(i64::try_from(timestamp.as_nanosecond())?))
    };
    read()
        .with_context(|| {
            format!("{option} {text:?}: give it as 2024-08-08T08:00:00Z, or nanoseconds since 1970")
        })
        .map_err(Failure::Usage)
}

fn print(report: &Report) {
    let mut table = TextTable::new(["part", "rows", "bytes"]);
    for part in &report.parts {
        table.row([part.file.clone(), output::count(part.rows), output::bytes(part.bytes)]);
    }
    table.print();
    line("");
    let kept = if report.rows_kept > 0 {
        format!(" ({} were there already)", output::count(report.rows_kept))
    } else {
        String::new()
    };
    line(format!(
        "{} rows{kept}, {} in {}, {:.1} s",
        output::count(report.rows),
        output::bytes(report.bytes),
        report.out,
        report.seconds
    ));
    if report.verdicts_audited > 0 {
        line(format!("{} verdicts equal to the audit's", output::count(report.verdicts_audited)));
    }
    if report.is_marked {
        line("marked as exported: `journal prune` and journal.keep_… may remove its streams");
    }
    if let Some(cut) = &report.torn_tail {
        line(format!("torn tail {cut}"));
    }
}

/// A progress bar on a terminal; nothing elsewhere.
pub(crate) struct Bar {
    is_shown: bool,
    total: u64,
    began: Instant,
    shown: Option<Instant>,
}

const BAR_CELLS: u64 = 30;

impl Bar {
    pub(crate) fn new(folder: &SessionFolder, manifest: &Manifest, is_quiet: bool) -> Result<Self, Failure> {
        let is_shown = !is_quiet && std::io::stderr().is_terminal();
        let total = match &manifest.ended {
            Some(ended) => ended.frames,
            // Runs or was killed: at least what its sealed segments hold.
            None => segments(&folder.journal())?.iter().filter_map(|s| s.last_sequence).max().unwrap_or(0),
        };
        Ok(Self { is_shown, total, began: Instant::now(), shown: None })
    }

    pub(crate) fn show(&mut self, frames: u64) {
        if !self.is_shown || self.shown.is_some_and(|shown| shown.elapsed() < Duration::from_millis(100)) {
            return;
        }
        self.shown = Some(Instant::now());
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = frames as f64 / seconds.max(1e-3);
        let done = (frames * BAR_CELLS).checked_div(self.total).unwrap_or(0).min(BAR_CELLS) as usize;
        let left = self.total.saturating_sub(frames) as f64 / rate.max(1.0);
        eprint!(
            "\r[{}{}] {} of {} frames, {:.2} M/s, {left:.0} s left \x1b[K",
            "#".repeat(done),
            "-".repeat(BAR_CELLS as usize - done),
            output::count(frames),
            output::count(self.total.max(frames)),
            rate / 1e6
        );
        // A terminal that is gone is no reason to stop.
        let _ = std::io::stderr().flush();
    }

    pub(crate) fn clear(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
