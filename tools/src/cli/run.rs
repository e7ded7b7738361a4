//! `spinward run`.

use super::{RunArgs, doctor};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use crate::session::embedded::Embedded;
use crate::session::live::{self, LiveOptions};
use crate::session::registry::Registry;
use spinward_config::{Loaded, Overrides};
use spinward_recorder::ClickHouse;
use std::process::ExitCode;

pub(crate) fn run(registry: &Registry, args: &RunArgs) -> Outcome {
    let Loaded { mut settings, warnings, .. } = match &args.config {
        Some(path) => spinward_config::load(path).map_err(Failure::usage)?,
        None => spinward_config::builtin(),
    };
    let embedded = if args.exchange { Some(Embedded::start(&mut settings, args.seed)?) } else { None };
    let (feed, venue) = embedded.as_ref().map(|own| (own.feed.clone(), own.venue.clone())).unzip();
    let told = settings
        .apply(&Overrides {
            feed: args.feed.clone().or(feed),
            venue: args.venue.clone().or(venue).or_else(|| args.paper.then(|| "paper".to_owned())),
            date: args.date.clone(),
            pace: args.pace.clone(),
            topology: args.topology.clone(),
            idle: args.idle.clone(),
            duration: args.duration.clone(),
            seed: args.seed,
            clickhouse: args.clickhouse.as_deref().map(ClickHouse::without_login),
            metrics: args.metrics.clone(),
            folder: args.sessions.clone(),
            name: args.name.clone(),
        })
        .map_err(Failure::usage)?;
    settings.date_today();
    for warning in warnings.iter().chain(&told) {
        eprintln!("warning: {warning}");
    }
    if args.require_tuned {
        doctor::require_tuned(&settings, args.config.as_deref(), args.quiet)?;
    }
    let options = LiveOptions {
        // The manifest is for everybody.
        command_line: std::env::args().map(|word| ClickHouse::without_login(&word)).collect(),
        resume: args.resume.clone().or_else(|| settings.session.resume.clone()),
        is_quiet: args.quiet,
        clickhouse: args.clickhouse.clone(),
    };
    let mut summary = live::run(&settings, registry, &options)?;
    if let Some(embedded) = embedded {
        summary.exchange = Some(embedded.finish(&summary)?);
    }
    if args.json {
        summary.print_json()?
    } else {
        summary.print()
    }
    Ok(if summary.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}
