//! `spinward bench`: the front of the latency laboratory.

mod show;

use super::output::line;
use crate::failure::{BAD_USAGE, CHECK_FAILED, Failure, Outcome};
use crate::host;
use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use spinward_benches::LabError;
use spinward_benches::arrivals::{Load, Replay};
use spinward_benches::artefact::{Artefact, Build, measure};
use spinward_benches::bench::Plan;
use spinward_benches::compare::compare;
use spinward_benches::html;
use spinward_benches::suites::Suite;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Subcommand, Debug)]
pub(crate) enum BenchCommand {
    /// One hop from core to core: frame and lane ring beside the bare `disruptor` ring.
    Ring(MeasureArgs),
    /// Wait and service of each stage of the pipeline, beside straight calls.
    Stages(MeasureArgs),
    /// Frame to order in every topology that this host can carry, beside straight calls.
    TickToOrder(MeasureArgs),
    /// The pipeline as fast as it goes, beside the same without a journal and straight calls.
    Throughput(MeasureArgs),
    /// One frame into the journal, beside a plain copy.
    Journal(MeasureArgs),
    /// One event into the books, beside the naive books.
    Book(MeasureArgs),
    /// One message through the ITCH and Binance decoders, beside a walk and a copy.
    Codecs(MeasureArgs),
    /// One event through risk, beside the naive risk.
    Risk(MeasureArgs),
    /// One command into the exchange's matching engine, beside the naive engine.
    Exchange(MeasureArgs),
    /// One order through the order gateway to the bytes that leave, beside a copy of them.
    Gateway(MeasureArgs),
    /// Packets over loopback UDP into the books, at ever higher rates until one is dropped, beside a bare receive loop.
    Feed(MeasureArgs),
    /// From a packet of the exchange to the order that comes of it, over loopback sockets, beside a bare echo.
    Wire(MeasureArgs),
    /// Tick to order with stamps at the ends, at every stage and with orders stored, beside stamps off: what measuring costs.
    Stamps(MeasureArgs),
    /// A stall put into the books on purpose, under an open and a closed loop: what a closed loop hides.
    Stall(MeasureArgs),
    /// All of the suites above, one after the other.
    All(MeasureArgs),
    /// Latency over rates: the latency-throughput curve and its knee.
    Sweep(SweepArgs),
    /// Compare two runs of one suite: exit code 1 if the hosts differ, 2 if the two must not be compared.
    Compare(CompareArgs),
    /// One HTML file, complete in itself, of one or several runs.
    Report(ReportArgs),
}

#[derive(Args, Debug, Clone)]
pub(crate) struct MeasureArgs {
    /// Rounds of each measurement; the spread between them is the noise.
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    rounds: usize,
    /// Length of the paced part of a round; what is not paced does a million operations for each second.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2)]
    seconds: f64,
    /// Frames a second, where the load is paced.
    #[arg(long, value_name = "FRAMES", default_value_t = 1_000_000)]
    rate: u64,
    /// How frames arrive: `rate` (evenly), `poisson`, `bursts:SIZE` (at the rate), `closed` (a control that hides stalls), or the arrival
    /// times of a capture: `itch50:FILE`, `binance:FILE[,FILE…]`, `session:FOLDER`.
    #[arg(long, value_name = "LOAD", default_value = "rate")]
    load: String,
    /// Arrival times of a capture, so many times faster.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    speed: f64,
    /// Seed of Poisson arrivals.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Cores to measure on, such as `2,3`; without it the isolated ones, or all.
    #[arg(long, value_name = "CORES", value_delimiter = ',')]
    cores: Vec<usize>,
    /// Folder for the artefact (JSON) and the interval log (.hlog).
    #[arg(long, value_name = "FOLDER", default_value = "lab")]
    out: PathBuf,
    /// Print the artefact as JSON.
    #[arg(long)]
    json: bool,
    /// No progress line.
    #[arg(long)]
    quiet: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SweepArgs {
    /// Offered rates, frames a second, ascending.
    #[arg(
        long,
        value_name = "RATES",
        value_delimiter = ',',
        default_value = "50000,100000,200000,400000,800000,1200000,1600000,2000000,2400000,3200000"
    )]
    rates: Vec<u64>,
    #[command(flatten)]
    measure: MeasureArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// The earlier run.
    a: PathBuf,
    /// The later run.
    b: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Artefacts, oldest first: the last of each suite is shown, the earlier ones are what it is compared with. Without any: all in `lab`.
    #[arg(value_name = "ARTEFACT")]
    artefacts: Vec<PathBuf>,
    /// Where to write it.
    #[arg(long, value_name = "FILE", default_value = "lab/report.html")]
    out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Bad usage is told apart from a measurement that failed.
fn failure(error: LabError) -> Failure {
    match error {
        LabError::Usage(_) | LabError::File { .. } | LabError::Io { .. } => Failure::usage(error),
        LabError::Failed(_) => Failure::Work(error.into()),
    }
}

pub(crate) fn run(command: &BenchCommand) -> Outcome {
    let one = |suite: Suite, args: &MeasureArgs| measured(&[suite], args, &[]);
    match command {
        BenchCommand::Ring(args) => one(Suite::Ring, args),
        BenchCommand::Stages(args) => one(Suite::Stages, args),
        BenchCommand::TickToOrder(args) => one(Suite::TickToOrder, args),
        BenchCommand::Throughput(args) => one(Suite::Throughput, args),
        BenchCommand::Journal(args) => one(Suite::Journal, args),
        BenchCommand::Book(args) => one(Suite::Book, args),
        BenchCommand::Codecs(args) => one(Suite::Codecs, args),
        BenchCommand::Risk(args) => one(Suite::Risk, args),
        BenchCommand::Exchange(args) => one(Suite::Exchange, args),
        BenchCommand::Gateway(args) => one(Suite::Gateway, args),
        BenchCommand::Feed(args) => one(Suite::Feed, args),
        BenchCommand::Wire(args) => one(Suite::Wire, args),
        BenchCommand::Stamps(args) => one(Suite::Stamps, args),
        BenchCommand::Stall(args) => one(Suite::Stall, args),
        BenchCommand::All(args) => {
            let suites: Vec<Suite> =
                Suite::EVERY.into_iter().filter(|suite| *suite != Suite::Sweep).collect();
            measured(&suites, args, &[])
        }
        BenchCommand::Sweep(args) => {
            if args.rates.is_empty() || !args.rates.is_sorted() || args.rates.contains(&0) {
                return Err(Failure::Usage(anyhow!("--rates: give rates above 0, ascending")));
            }
            measured(&[Suite::Sweep], &args.measure, &args.rates)
        }
        BenchCommand::Compare(args) => compared(args),
        BenchCommand::Report(args) => reported(args),
    }
}

fn plan(args: &MeasureArgs) -> Result<Plan, Failure> {
    let bad = |what: &str| Failure::Usage(anyhow!("{what}"));
    if args.rounds == 0 {
        return Err(bad("--rounds: give at least 1"));
    }
    if !(args.seconds > 0.0 && args.seconds <= 600.0) {
        return Err(bad("--seconds: give more than 0 and at most 600"));
    }
    if args.rate == 0 || args.rate > 100_000_000 {
        return Err(bad("--rate: give 1 to 100000000 frames a second"));
    }
    let rate = args.rate;
    let load = match args.load.split_once(':') {
        None if args.load == "rate" => None,
        None if args.load == "poisson" => Some(Load::Poisson { rate, seed: args.seed }),
        None if args.load == "closed" => Some(Load::Closed(rate)),
        Some(("bursts", size)) => {
            let size: usize = size
                .parse()
                .ok()
                .filter(|size| (2..=4_096).contains(size))
                .ok_or_else(|| bad("--load bursts:SIZE: give 2 to 4096 frames"))?;
            Some(Load::Bursts(size, (size as u64).saturating_mul(1_000_000_000) / rate))
        }
        Some(_) => Some(Load::Replayed(Arc::new(Replay::open(&args.load, args.speed).map_err(failure)?))),
        None => {
            return Err(bad(
                "--load: give rate, poisson, bursts:SIZE, closed, itch50:FILE, binance:FILE or session:FOLDER",
            ));
        }
    };
    let mut host = host::cores();
    if !args.cores.is_empty() {
        if let Some(core) = args.cores.iter().find(|core| !host.allowed.contains(core)) {
            return Err(bad(&format!(
                "--cores: core {core} is not allowed here: allowed are {:?}",
                host.allowed
            )));
        }
        host.allowed.clone_from(&args.cores);
        host.isolated.clear();
    }
    Ok(Plan { rounds: args.rounds, seconds: args.seconds, rate, load, host })
}

fn measured(suites: &[Suite], args: &MeasureArgs, rates: &[u64]) -> Outcome {
    let plan = plan(args)?;
    let build = Build { version: env!("CARGO_PKG_VERSION"), commit: env!("SPINWARD_COMMIT") };
    let is_live = !args.quiet && std::io::stderr().is_terminal();
    let mut progress = |what: &str| {
        if what.starts_with("SKIPPED") {
            eprintln!("{}{what}", if is_live { "\r\x1b[K" } else { "" });
        } else if is_live {
            // A terminal that cannot be written to is no reason to stop measuring.
            let _ = write!(std::io::stderr(), "\r\x1b[K{what}");
        }
    };
    if let Some(cores) = host::out_of_reach(&plan.host) {
        eprintln!(
            "warning: isolated cores {cores} are not in this process's affinity mask: others are measured; see docs/tuning.md, step 4"
        );
    }
    if cfg!(debug_assertions) {
        eprintln!("warning: this is a debug build; measure with `cargo run --release -- bench …`");
    }
    for suite in suites {
        let (artefact, path) =
            measure(*suite, &plan, rates, build, &args.out, &mut progress).map_err(failure)?;
        progress("");
        if args.json {
            line(serde_json::to_string_pretty(&artefact)?);
        } else {
            show::artefact(&artefact);
            line(format!("written   {} and its .hlog\n", path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Artefact, Failure> {
    Artefact::read(path).map_err(failure)
}

fn compared(args: &CompareArgs) -> Outcome {
    let found = compare(&read(&args.a)?, &read(&args.b)?);
    if args.json {
        line(serde_json::to_string_pretty(&found)?);
    } else {
        show::comparison(&found);
    }
    Ok(if !found.refused.is_empty() {
        ExitCode::from(BAD_USAGE)
    } else if !found.flags.is_empty() {
        ExitCode::from(CHECK_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

fn reported(args: &ReportArgs) -> Outcome {
    let paths =
        if args.artefacts.is_empty() { artefacts_in(Path::new("lab"))? } else { args.artefacts.clone() };
    let runs = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let page = html::page(&runs);
    if let Some(folder) = args.out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(&args.out, &page).with_context(|| format!("cannot write {}", args.out.display()))?;
    if args.json {
        let report = serde_json::json!({ "written": args.out, "runs": runs.len(), "bytes": page.len() });
        line(serde_json::to_string_pretty(&report)?);
    } else {
        line(format!("written   {} ({} runs)", args.out.display(), runs.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// All artefacts of a folder, oldest first: their names begin with their time.
fn artefacts_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| {
            format!("no artefacts: cannot list {}; give files, or measure first", folder.display())
        })
        .map_err(Failure::Usage)?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(Failure::Usage(anyhow!("no artefacts in {}: measure first", folder.display())));
    }
    Ok(paths)
}
