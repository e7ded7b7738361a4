//! `spinward run`.

use super::{RunArgs, doctor};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use crate::host;
use crate::session::embedded::Embedded;
use crate::session::live::{self, LiveOptions};
use crate::session::parts;
use crate::session::registry::Registry;
use anyhow::anyhow;
use spinward_config::{FeedKind, Loaded, Overrides, Settings, VenueKind};
use spinward_recorder::ClickHouse;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn run(registry: &Arc<Registry>, args: &RunArgs) -> Outcome {
    let Loaded { mut settings, warnings, .. } = match &args.config {
        Some(path) => spinward_config::load(path).map_err(Failure::usage)?,
        None => spinward_config::builtin(),
    };
    let told = settings
        .apply(&Overrides {
            feed: args.feed.clone(),
            venue: args.venue.clone().or_else(|| args.paper.then(|| "paper".to_owned())),
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
    let embedded = match settings.venue.kind {
        VenueKind::Exchange => {
            if args.resume.is_some() {
                return Err(Failure::Usage(anyhow!(
                    "--resume: an exchange of the session's own begins its day anew and knows nothing of an earlier session's orders; give the venue of that \
                     session: --paper, or --feed mold:ADDR,ADDR --venue ouch:ADDR"
                )));
            }
            parts::check(&settings, registry, &host::cores()).map_err(Failure::usage)?;
            Some(Embedded::start(&mut settings, args.seed)?)
        }
        VenueKind::Paper | VenueKind::Ouch => None,
    };
    if args.name.is_none() {
        name_by_market(&mut settings, embedded.is_some());
    }
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

/// The built-in configuration is made for the synthetic market: a session on a network is not called so.
fn name_by_market(settings: &mut Settings, is_own_exchange: bool) {
    if settings.session.name == FeedKind::Synthetic.name() && settings.feed.kind == FeedKind::Mold {
        let name = if is_own_exchange { "exchange" } else { FeedKind::Mold.name() };
        name.clone_into(&mut settings.session.name);
    }
}
