//! `spinward clickhouse`: the schema, loading and verifying of sessions, and a server for whoever has none.

use super::export::Bar;
use super::output::{self, Table as TextTable, line};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use crate::session::opened::Opened;
use crate::session::registry::Registry;
use crate::session::replay::find;
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use spinward_recorder::{
    Batch, ClickHouse, ClickHouseError, Difference, LOADED_TABLES, LoadSummary, LoadWatch, Loader,
    MigrationPlan, Names, RowSink, RowTotals, Sums, load_wanted, migrate, migrations, mismatch, server_sums,
    server_table, session_key,
};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

#[derive(Subcommand, Debug)]
pub(crate) enum ClickHouseCommand {
    /// Make or complete the schema.
    Migrate(ServerArgs),
    /// Show the schema's state, and what is loaded; exit code 1 if a column is not as this program writes it.
    Status(ServerArgs),
    /// Load a session, each row exactly once: what is there already is not doubled, whatever happened to an earlier load.
    Load(LoadArgs),
    /// Compare rows and sums of every column with those of the journal; exit code 1 if one differs.
    Verify(LoadArgs),
    /// Run a ClickHouse server on this machine's loopback, for whoever has none (Linux on x86_64; fetched from npm the first time).
    Serve(ServeArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// The server: http://user:password@host:8123; without it what CLICKHOUSE_URL says, or http://127.0.0.1:8123.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The database.
    #[arg(long, value_name = "NAME", default_value = "hft")]
    pub(crate) database: String,
    /// Make replicated tables on this cluster, with a Distributed table before each.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// `migrate`: print the statements and run none.
    #[arg(long)]
    pub(crate) print: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    /// Folder of the session, or `latest`.
    pub(crate) session: PathBuf,
    /// The server: http://user:password@host:8123; without it what CLICKHOUSE_URL says, or http://127.0.0.1:8123.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The database.
    #[arg(long, value_name = "NAME", default_value = "hft")]
    pub(crate) database: String,
    /// The session was killed: nothing more will come, so its last positions count as final.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) killed: bool,
    /// `load`: the session runs; load what it writes until it ends.
    #[arg(long)]
    pub(crate) follow: bool,
    /// With --follow: rows wait at most this long for their block to fill, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    pub(crate) interval: f64,
    /// How long an insert is tried again while the server is away, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) patience: u64,
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

fn interval(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "give a number of seconds".to_owned())?;
    if (0.01..=3_600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("give 0.01 to 3600 seconds".to_owned())
    }
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Where its data lies; made if need be.
    #[arg(long, value_name = "FOLDER", default_value = "clickhouse")]
    pub(crate) data: PathBuf,
    /// Port of the HTTP interface.
    #[arg(long, value_name = "PORT", default_value_t = 8123)]
    pub(crate) http_port: u16,
    /// Port of the native interface.
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    pub(crate) tcp_port: u16,
}

pub(crate) fn run(registry: &Registry, command: &ClickHouseCommand) -> Outcome {
    match command {
        ClickHouseCommand::Migrate(args) => run_migrate(args),
        ClickHouseCommand::Status(args) => status(args),
        ClickHouseCommand::Load(args) => load(registry, args),
        ClickHouseCommand::Verify(args) => verify(registry, args),
        ClickHouseCommand::Serve(args) => serve(args),
    }
}

fn server(url: Option<&str>, database: &str) -> Result<ClickHouse, Failure> {
    let from_environment = std::env::var("CLICKHOUSE_URL").ok();
    let url = url.or(from_environment.as_deref()).unwrap_or("http://127.0.0.1:8123");
    ClickHouse::new(url, database).map_err(Failure::usage)
}

/// A schema that does not fit is a matter of configuration, a server that is away is not.
fn refused(error: ClickHouseError) -> Failure {
    match error {
        ClickHouseError::Schema { .. } | ClickHouseError::Url { .. } => Failure::usage(error),
        ClickHouseError::Unreachable { .. }
        | ClickHouseError::Refused { .. }
        | ClickHouseError::Answer { .. }
        | ClickHouseError::Ahead { .. }
        | ClickHouseError::Behind { .. }
        | ClickHouseError::Stopped => error.into(),
    }
}

fn run_migrate(args: &ServerArgs) -> Outcome {
    let server = server(args.url.as_deref(), &args.database)?;
    let plan = MigrationPlan { database: args.database.clone(), cluster: args.cluster.clone() };
    if args.print {
        for statement in migrations().iter().flat_map(|migration| plan.statements(migration)) {
            line(format!("{statement};\n"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (applied, count) = migrate(&server, &plan).map_err(refused)?;
    let wrong = mismatch(&server).map_err(refused)?;
    if args.json {
        let steps: Vec<_> =
            applied.iter().map(|step| json!({ "version": step.version, "name": step.name })).collect();
        line(serde_json::to_string_pretty(&json!({ "applied": steps, "new": count, "mismatch": wrong }))?);
    } else {
        for (at, step) in applied.iter().enumerate() {
            let is_new = at + count >= applied.len();
            line(format!("{:04} {}{}", step.version, step.name, if is_new { "  (new)" } else { "" }));
        }
        if let Some(wrong) = &wrong {
            line(format!("MISMATCH {wrong}"));
        }
    }
    Ok(if wrong.is_none() { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

fn status(args: &ServerArgs) -> Outcome {
    let server = server(args.url.as_deref(), &args.database)?;
    let version = server.query("SELECT version()").map_err(refused)?;
    let wrong = mismatch(&server).map_err(refused)?;
    let mut sessions = Vec::new();
    if wrong.is_none() {
        let counts: Vec<String> = LOADED_TABLES
            .iter()
            .map(|table| {
                let name = server_table(*table);
                format!(
                    "SELECT session, '{name}' AS name, count() AS n FROM {}.{name} GROUP BY session",
                    args.database
                )
            })
            .collect();
        let sql = format!(
            "SELECT session, sum(n), sumIf(n, name = 'market_data'), sumIf(n, name = 'trades'), sumIf(n, name = 'orders'), \
             sumIf(n, name = 'sessions') FROM ({}) GROUP BY session ORDER BY session FORMAT TSV",
            counts.join(" UNION ALL ")
        );
        let answer = server.query(&sql).map_err(refused)?;
        for row in answer.lines() {
            sessions.push(row.split('\t').map(str::to_owned).collect::<Vec<_>>());
        }
    }
    if args.json {
        let rows: Vec<_> = sessions
            .iter()
            .map(|row| {
                let cell = |at: usize| row.get(at).and_then(|cell| cell.parse::<u64>().ok()).unwrap_or(0);
                json!({
                    "session": row.first(), "rows": cell(1), "market_data": cell(2), "trades": cell(3), "orders": cell(4),
                    "is_whole": cell(5) == 1,
                })
            })
            .collect();
        line(serde_json::to_string_pretty(&json!({
            "server": server.address(), "version": version.trim(), "mismatch": wrong, "sessions": rows,
        }))?);
    } else {
        line(format!("server    {} ({})", server.address(), version.trim()));
        line(format!("schema    {}", wrong.as_deref().unwrap_or("as this program writes it")));
        let mut table = TextTable::new(["session", "rows", "market_data", "trades", "orders", "whole"]);
        for row in &sessions {
            let cell = |at: usize| row.get(at).and_then(|cell| cell.parse::<u64>().ok()).unwrap_or(0);
            let whole = if cell(5) == 1 { "yes" } else { "no" };
            let counts = (1..5).map(|at| output::count(cell(at)));
            let name = row.first().cloned().unwrap_or_default();
            table.row(std::iter::once(name).chain(counts).chain([whole.to_owned()]));
        }
        table.print();
    }
    Ok(if wrong.is_none() { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

fn load(registry: &Registry, args: &LoadArgs) -> Outcome {
    let server = server(args.url.as_deref(), &args.database)?;
    let folder = find(&args.sessions, &args.session)?;
    let opened = Opened::open(&folder)?;
    let key = session_key(&folder, &opened.manifest);
    let mut has_ended = opened.manifest.ended.is_some() || args.killed;
    let mut bar = Bar::new(&folder, &opened.manifest, args.quiet)?;
    let started = Instant::now();
    // Who follows a session waits for the server as long as it takes: the journal keeps the rows meanwhile.
    let patience = if args.follow { Duration::MAX } else { Duration::from_secs(args.patience) };
    if args.follow {
        wait_for(&server);
    }
    let (summary, passed): (LoadSummary, _) = {
        let mut loader = Loader::open(&server, &key, patience, Watch(&mut bar)).map_err(refused)?;
        let wanted = loader.wanted(has_ended);
        // Of a session that is loaded from its first row at one go the sums are made on the way.
        let makes_sums = has_ended && loader.is_fresh();
        let source = if args.follow && !has_ended {
            opened.following(registry, wanted, Duration::from_secs_f64(args.interval))?
        } else {
            opened.source(registry, wanted)?
        };
        let mut sums = Sums::default();
        let totals = if makes_sums {
            source.run(&mut Both { loader: &mut loader, sums: &mut sums })?
        } else {
            source.run(&mut loader)?
        };
        (loader.finish().map_err(refused)?, makes_sums.then_some((totals, sums)))
    };
    bar.clear();
    let opened = Opened::open(&folder)?;
    has_ended |= opened.manifest.ended.is_some();
    let checked = if has_ended && !folder.exported().is_file() {
        Some(check(registry, &opened, &server, args.killed, passed)?)
    } else {
        None
    };
    let is_equal = checked.as_ref().is_none_or(|checked| checked.differences.is_empty());
    let is_marked = checked.as_ref().is_some_and(|checked| checked.is_marked);
    let seconds = started.elapsed().as_secs_f64();
    if args.json {
        line(serde_json::to_string_pretty(&json!({
            "session": key, "is_whole": has_ended, "seconds": seconds, "load": summary, "is_marked": is_marked,
            "differences": checked.as_ref().map(|checked| &checked.differences),
        }))?);
    } else {
        line(format!(
            "{} rows loaded, {} were there, {} inserts of {} in {seconds:.1} s ({:.0} k rows/s), {} retries",
            output::count(summary.rows),
            output::count(summary.rows_kept),
            output::count(summary.blocks),
            output::bytes(summary.bytes),
            summary.rows as f64 / seconds.max(1e-3) / 1e3,
            summary.retries
        ));
        line(format!("session   {key}"));
        if !has_ended {
            line("          not ended: load it again for the rest; --killed if nothing more will come");
        }
        if let Some(checked) = &checked {
            checked.print();
        }
    }
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

/// Rows to the server, and into sums.
struct Both<'a, 'b, W> {
    loader: &'a mut Loader<'b, W>,
    sums: &'a mut Sums,
}

impl<W: LoadWatch> RowSink for Both<'_, '_, W> {
    fn rows(
        &mut self,
        batch: &mut Batch,
        names: &Names,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        RowSink::rows(self.sums, batch, names)?;
        self.loader.rows(batch, names)
    }

    fn progress(&mut self, frames: u64) {
        self.loader.progress(frames);
    }
}

/// Journal and server beside each other.
struct Checked {
    journal: Sums,
    there: Sums,
    differences: Vec<Difference>,
    is_marked: bool,
}

impl Checked {
    fn print(&self) {
        for difference in &self.differences {
            line(format!("DIFFERENT {}.{}", difference.table, difference.what));
        }
        if self.differences.is_empty() {
            line("EQUAL     every row, every column");
        }
        if self.is_marked {
            line("          marked as exported: `journal prune` and journal.keep_… may remove its streams");
        }
    }
}

/// Compares the server's rows with the journal's, run again unless `passed` has its sums; equal, the session is marked as exported, if that is all of it.
fn check(
    registry: &Registry,
    opened: &Opened,
    server: &ClickHouse,
    was_killed: bool,
    passed: Option<(RowTotals, Sums)>,
) -> Result<Checked, Failure> {
    let (totals, journal) = match passed {
        Some(passed) => passed,
        None => {
            let has_ended = opened.manifest.ended.is_some() || was_killed;
            let mut sums = Sums::default();
            let totals = opened.source(registry, load_wanted(has_ended))?.run(&mut sums)?;
            (totals, sums)
        }
    };
    let key = session_key(&opened.folder, &opened.manifest);
    let there = server_sums(server, &key).map_err(refused)?;
    let differences = journal.differences(&there);
    let text = format!("ClickHouse {}/{}, verified", server.address(), server.database());
    let is_marked = differences.is_empty() && opened.mark(&totals, was_killed, &text);
    Ok(Checked { journal, there, differences, is_marked })
}

/// A progress bar, and a word on a server that is away.
struct Watch<'a>(&'a mut Bar);

impl LoadWatch for Watch<'_> {
    fn read(&mut self, frames: u64) {
        self.0.show(frames);
    }

    fn trouble(&mut self, trouble: Option<&ClickHouseError>) {
        tell(trouble);
    }
}

/// What keeps a loader waiting, or that it goes on.
fn tell(trouble: Option<&ClickHouseError>) {
    match trouble {
        Some(error) => eprintln!("{error}; trying again"),
        None => eprintln!("the server is back"),
    }
}

/// Returns when the server answers.
fn wait_for(server: &ClickHouse) {
    let mut was_away = false;
    while let Err(error) = server.query("SELECT 1")
        && error.is_passing()
    {
        if !was_away {
            tell(Some(&error));
        }
        was_away = true;
        std::thread::sleep(Duration::from_millis(200));
    }
    if was_away {
        tell(None);
    }
}

fn verify(registry: &Registry, args: &LoadArgs) -> Outcome {
    let server = server(args.url.as_deref(), &args.database)?;
    let folder = find(&args.sessions, &args.session)?;
    let opened = Opened::open(&folder)?;
    let key = session_key(&folder, &opened.manifest);
    if let Some(what) = mismatch(&server).map_err(refused)? {
        return Err(refused(ClickHouseError::Schema { what }));
    }
    let checked = check(registry, &opened, &server, args.killed, None)?;
    let Checked { journal, there, differences, is_marked } = &checked;
    let rows: u64 = LOADED_TABLES.iter().map(|table| journal.rows(*table)).sum();
    if args.json {
        let tables: serde_json::Map<String, serde_json::Value> = LOADED_TABLES
            .iter()
            .map(|table| (server_table(*table).to_owned(), json!(there.rows(*table))))
            .collect();
        line(serde_json::to_string_pretty(&json!({
            "session": key, "is_equal": differences.is_empty(), "rows": rows, "tables": tables, "differences": differences,
            "is_marked": is_marked,
        }))?);
    } else {
        let mut table = TextTable::new(["table", "journal", "server"]);
        for loaded in LOADED_TABLES {
            let counts = [journal, there].map(|sums| output::count(sums.rows(loaded)));
            table.row(std::iter::once(server_table(loaded).to_owned()).chain(counts));
        }
        table.print();
        checked.print();
    }
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

/// How a server is fetched: this program carries the script, so that it also works outside of the source tree.
const SETUP: &str = include_str!("../../setup/clickhouse");

fn serve(args: &ServeArgs) -> Outcome {
    let setup = Command::new("bash")
        .args(["-c", SETUP])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run bash")?;
    let said = String::from_utf8_lossy(&setup.stdout);
    let mut words = said.lines();
    let (Some(launcher), Some(library), true) = (words.next(), words.next(), setup.status.success()) else {
        return Err(
            anyhow!("ClickHouse could not be set up: see above; or give another server's --url").into()
        );
    };
    std::fs::create_dir_all(&args.data).with_context(|| format!("--data {}", args.data.display()))?;
    let mut child = Command::new(launcher)
        .arg(library)
        .arg(&args.data)
        .args([args.http_port.to_string(), args.tcp_port.to_string()])
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {launcher}"))?;
    let url = format!("http://127.0.0.1:{}", args.http_port);
    let server = server(Some(&url), "default")?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Err(anyhow!(
                "the server did not start ({status}): is port {} or {} taken, or {} in use?",
                args.http_port,
                args.tcp_port,
                args.data.display()
            )
            .into());
        }
        if server.query("SELECT 1").is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    line(format!("ClickHouse listens on {url} (native: {}), data in {}", args.tcp_port, args.data.display()));
    line("Ctrl-C ends it");
    let status = child.wait()?;
    Err(anyhow!("the server ended: {status}").into())
}
