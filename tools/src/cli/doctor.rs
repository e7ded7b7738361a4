//! `spinward doctor`, and the gate of `run --require-tuned`.

use super::output::{self, Table, line};
use crate::doctor::{
    Finding, Host, Measured, Progress, Report, Severity, State, Subject, catalogue, examine, script,
};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use anyhow::{Context, anyhow};
use clap::Args;
use spinward_config::{Loaded, Overrides, Settings};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Configuration whose cores, sessions' folder and memory are checked; without it the built-in one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Agents on cores, as with `run`.
    #[arg(long, value_name = "NAME")]
    topology: Option<String>,
    /// How a core waits, as with `run`.
    #[arg(long, value_name = "IDLE")]
    idle: Option<String>,
    /// Folder in which sessions are kept, as with `run`.
    #[arg(long, value_name = "FOLDER")]
    sessions: Option<PathBuf>,
    /// Network interface of a feed or broker, may be given several times; without it all that are up and have hardware behind them.
    #[arg(long, value_name = "NAME")]
    nic: Vec<String>,
    /// Only read, do not measure.
    #[arg(long)]
    no_measure: bool,
    /// Print a shell script with the mends of all failed checks, to be read and run by a person. Exit code 0.
    #[arg(long, group = "form")]
    script: bool,
    /// Print everything that the checks read on this host, for `--host`. Names of programs and servers are left out.
    #[arg(long, group = "form", conflicts_with = "host")]
    record: bool,
    /// List every check: id, severity, what, why.
    #[arg(long, group = "form")]
    list: bool,
    /// Check a host that was recorded, without measuring.
    #[arg(long, value_name = "FILE")]
    host: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, conflicts_with_all = ["script", "record"])]
    json: bool,
    /// Do not tell what is being measured.
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: &DoctorArgs) -> Outcome {
    if args.list {
        return list(args.json);
    }
    let settings = settings(args)?;
    let host = match &args.host {
        None => Host::live(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read --host {}", path.display()))
                .map_err(Failure::Usage)?;
            Host::recorded(&text)
                .with_context(|| format!("--host {}", path.display()))
                .map_err(Failure::Usage)?
        }
    };
    let name = config_name(args.config.as_deref());
    let subject = Subject::new(&settings, &name, &host, &args.nic).map_err(Failure::usage)?;
    let is_measured = host.is_live() && !args.no_measure && !args.record;
    let mut progress = is_measured.then(|| Progress::new(args.quiet));
    let report = examine(&host, &subject, progress.as_mut());
    if args.record {
        line(host.record().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if args.script {
        line(script(&report).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if args.json {
        line(serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

/// Refuses if this host is not fit for these settings.
pub(crate) fn require_tuned(
    settings: &Settings,
    config: Option<&Path>,
    is_quiet: bool,
) -> Result<(), Failure> {
    let host = Host::live();
    let subject = Subject::new(settings, &config_name(config), &host, &[]).map_err(Failure::usage)?;
    let report = examine(&host, &subject, Some(&mut Progress::new(is_quiet)));
    for finding in &report.findings {
        if finding.state == State::Unknown && finding.severity == Severity::Critical {
            eprintln!("warning: --require-tuned: {} cannot be told: {}", finding.id, finding.found);
        }
    }
    refusal(&report).map_or(Ok(()), Err)
}

/// Why a session may not start on such a host; `None` if it may.
fn refusal(report: &Report) -> Option<Failure> {
    let failed: Vec<String> = report
        .critical_failures()
        .map(|finding| format!("  {}: found {}; wanted {}", finding.id, finding.found, finding.wanted))
        .collect();
    if failed.is_empty() {
        return None;
    }
    Some(Failure::Work(anyhow!(
        "--require-tuned: {} critical check(s) of this host failed, nothing was started:\n{}\nsee `spinward doctor` for why and how to mend",
        failed.len(),
        failed.join("\n")
    )))
}

fn config_name(path: Option<&Path>) -> String {
    path.map_or_else(|| "built-in".to_owned(), |path| path.display().to_string())
}

fn settings(args: &DoctorArgs) -> Result<Settings, Failure> {
    let Loaded { mut settings, .. } = match &args.config {
        Some(path) => spinward_config::load(path).map_err(Failure::usage)?,
        None => spinward_config::builtin(),
    };
    settings
        .apply(&Overrides {
            topology: args.topology.clone(),
            idle: args.idle.clone(),
            folder: args.sessions.clone(),
            ..Overrides::default()
        })
        .map_err(Failure::usage)?;
    Ok(settings)
}

fn list(json: bool) -> Outcome {
    let checks = catalogue();
    if json {
        line(serde_json::to_string_pretty(&checks)?);
    } else {
        for check in &checks {
            line(format!("{:<9} {:<22} {}", check.severity.name(), check.id, check.what));
            line(format!("{:>32} {}", "", check.why));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    let host = &report.host;
    let guest = if host.is_guest == Some(true) { ", virtual" } else { "" };
    line(format!("host      {}, {} cores, kernel {}{guest}", host.cpu_model, host.cores, host.kernel));
    line(format!("config    {}, topology {}: {}", report.config, report.topology, report.threads));
    let cores: Vec<String> = report.cores.iter().map(usize::to_string).collect();
    line(format!("checked   cores {}", cores.join(" ")));
    line("");
    for finding in &report.findings {
        print_finding(finding);
    }
    if let Some(measured) = &report.measured {
        print_measured(measured);
    }
    line("");
    let counts = &report.counts;
    line(format!(
        "{} {} good, {} failed ({} critical), {} unknown, {} not applicable; {} ms",
        if report.ok { "FIT  " } else { "UNFIT" },
        counts.good,
        counts.failed,
        counts.failed_critical,
        counts.unknown,
        counts.not_applicable,
        output::count(report.elapsed_ms),
    ));
    if counts.failed > 0 {
        line("next  `spinward doctor --script` prints the mends as a script; docs/tuning.md explains them");
    }
}

fn print_finding(finding: &Finding) {
    let state = finding.state.name();
    let head = format!("{state:<8} {:<9} {:<21} {}", finding.severity.name(), finding.id, finding.found);
    match finding.state {
        State::Good | State::NotApplicable => line(head),
        State::Failed | State::Unknown => {
            line(format!("{head}  (wanted: {})", finding.wanted));
            line(format!("{:>19} why   {}", "", finding.why));
            if let Some(mend) = &finding.mend {
                line(format!("{:>19} mend  {mend}", ""));
            }
        }
    }
}

fn print_measured(measured: &Measured) {
    if !measured.spin.is_empty() {
        line("");
        let mut table = Table::new([
            "core",
            "longest gap",
            "gaps > 10 µs",
            "lost",
            "preempted",
            "timer p50",
            "p99",
            "max",
        ]);
        for spin in &measured.spin {
            let timer = measured.timer.iter().find(|timer| timer.core == spin.core);
            let late = |value: Option<u64>| value.map_or_else(String::new, output::nanos);
            table.row([
                spin.core.to_string(),
                output::nanos(spin.gap_max_ns),
                output::count(spin.gaps),
                format!("{:.3} %", spin.lost_ppm() as f64 / 1e4),
                output::count(spin.preemptions),
                late(timer.map(|timer| timer.p50_ns)),
                late(timer.map(|timer| timer.p99_ns)),
                late(timer.map(|timer| timer.max_ns)),
            ]);
        }
        table.print();
    }
    if !measured.hops.is_empty() {
        line("");
        let mut cores: Vec<usize> = measured.hops.iter().flat_map(|hop| [hop.first, hop.second]).collect();
        cores.sort_unstable();
        cores.dedup();
        let mut table = Table::default();
        table.row(
            std::iter::once("one way, median".to_owned())
                .chain(cores.iter().map(|core| format!("to {core}"))),
        );
        for &from in &cores {
            let cell = |&to: &usize| {
                let pair = measured.hops.iter().find(|hop| {
                    (hop.first, hop.second) == (from, to) || (hop.first, hop.second) == (to, from)
                });
                pair.map_or_else(|| "–".to_owned(), |hop| output::nanos(hop.median_ns))
            };
            table.row(std::iter::once(format!("core {from}")).chain(cores.iter().map(cell)));
        }
        table.print();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str) -> Report {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor");
        let Loaded { settings, .. } = spinward_config::load(&folder.join("cores_2_3.toml")).unwrap();
        let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
        let host = Host::recorded(&text).unwrap();
        let subject = Subject::new(&settings, name, &host, &[]).unwrap();
        examine(&host, &subject, None)
    }

    #[test]
    fn a_tuned_host_may_start_and_an_untuned_one_is_refused_with_each_critical_failure() {
        assert!(refusal(&report("tuned")).is_none());
        let untuned = report("untuned");
        let text = refusal(&untuned).unwrap().to_string();
        for finding in untuned.critical_failures() {
            assert!(text.contains(&format!("{}: found {}", finding.id, finding.found)), "{text}");
        }
        assert!(text.contains("memory.swap") && text.contains("see `spinward doctor`"), "{text}");
        assert!(!text.contains("memory.thp"), "a warning is no reason to refuse: {text}");
    }
}
