//! `spinward slowest`: the slowest orders of a session, and what happened around them.

use super::SlowestArgs;
use super::explain::cause_lines;
use super::output::{self, Table, line};
use crate::attribution::around::{self, overlapping};
use crate::attribution::causes::{Cause, Causes};
use crate::attribution::history::action_name;
use crate::attribution::steps::{self, Step};
use crate::attribution::tail::{self, Outlier, Ranking};
use crate::attribution::{order_text, time_of_day};
use crate::failure::{Failure, Outcome};
use crate::session::replay::{find, settings_of};
use anyhow::anyhow;
use serde::Serialize;
use spinward_recorder::{InterferenceRow, Life, read_interference};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::process::ExitCode;

#[derive(Serialize)]
struct Report {
    session: String,
    /// Messages that left, with stamps.
    orders: u64,
    /// The message at each percentile, up to the slowest one.
    percentiles: Vec<Outlier>,
    slowest: Vec<Slow>,
}

#[derive(Serialize)]
struct Slow {
    order: u64,
    order_text: String,
    strategy: String,
    action: &'static str,
    symbol: String,
    received_ns: i64,
    total_ns: u64,
    slowest_step: String,
    slowest_step_ns: u64,
    steps: Vec<Step>,
    cause: Option<Cause>,
    interference: Vec<InterferenceRow>,
}

pub(crate) fn run(args: &SlowestArgs) -> Outcome {
    let folder = find(&args.sessions, &args.session)?;
    let (_, settings) = settings_of(&folder)?;
    let ranking = Ranking::read(&folder)?.ok_or_else(|| {
        Failure::Usage(anyhow!(
            "session {} stored no stamps of its orders: run with latency.orders = true and pipeline.stamps = \"all\"",
            folder.id()
        ))
    })?;
    let tail = ranking.tail();
    let numbers = ranking.slowest(args.count);
    let wanted = numbers.iter().copied().chain(tail.iter().map(|(_, number)| *number)).collect();
    let lives = tail::lives(&folder, &wanted)?;
    let kept: Vec<&Life> = numbers.iter().filter_map(|number| lives.get(number)).collect();
    let frames: BTreeSet<u64> = kept.iter().map(|life| life.decision.frame()).collect();
    let causes = Causes::read(&folder, &settings, &frames)?;
    let rows = read_interference(&folder.interference())?.map(|found| found.rows).unwrap_or_default();
    let slowest = kept.into_iter().map(|life| {
        let decision = &life.decision;
        let steps = steps::of_life(life);
        let longest = steps::longest(&steps);
        let strategy = settings.strategies.get(decision.order.strategy().index());
        let cause = causes.by_frame.get(&decision.frame()).cloned();
        Slow {
            order: decision.order.get(),
            order_text: order_text(decision.order),
            strategy: strategy.map_or_else(|| "?".to_owned(), |spec| spec.name.clone()),
            action: action_name(decision.action_number),
            symbol: causes.symbol(decision.instrument),
            received_ns: decision.received.get(),
            total_ns: life.length_ns().unwrap_or(0),
            slowest_step: longest.map_or_else(String::new, |step| step.step.to_owned()),
            slowest_step_ns: longest.map_or(0, |step| step.took_ns),
            cause,
            interference: overlapping(&rows, decision.received.get(), life.ended().get())
                .into_iter()
                .cloned()
                .collect(),
            steps,
        }
    });
    let report = Report {
        session: folder.path().display().to_string(),
        orders: ranking.count() as u64,
        percentiles: tail::outliers(&tail, &lives, &rows),
        slowest: slowest.collect(),
    };
    if args.json {
        line(serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    line(format!("session   {}", report.session));
    line(format!(
        "slowest   {} of {} messages sent, from the frame's stamp to sent",
        report.slowest.len(),
        output::count(report.orders)
    ));
    line("");
    for outlier in &report.percentiles {
        line(outlier);
    }
    line("");
    let mut table =
        Table::new(["order", "message", "received (UTC)", "total", "longest step", "took", "ahead of it"]);
    for slow in &report.slowest {
        let ahead: Vec<String> =
            slow.steps.iter().filter_map(|step| step.ahead).map(|ahead| ahead.to_string()).collect();
        table.row([
            slow.order_text.clone(),
            format!("{} {}", slow.action, slow.symbol),
            time_of_day(slow.received_ns),
            output::nanos(slow.total_ns),
            slow.slowest_step.clone(),
            output::nanos(slow.slowest_step_ns),
            ahead.join("/"),
        ]);
    }
    table.print();
    for slow in &report.slowest {
        line("");
        line(format!(
            "{} {} {}: {}",
            slow.order_text,
            slow.action,
            slow.symbol,
            output::nanos(slow.total_ns)
        ));
        if let Some(cause) = &slow.cause {
            let [what, _] = cause_lines(cause);
            line(format!("  cause   {what}"));
            line(format!(
                "  burst   {} frame(s) in the 100 µs up to it, {} in the millisecond (session's time)",
                output::count(cause.frames_in_100us as u64),
                output::count(cause.frames_in_1ms as u64)
            ));
        }
        let mut steps: Vec<&Step> = slow.steps.iter().filter(|step| step.took_ns > 0).collect();
        steps.sort_by_key(|step| Reverse(step.took_ns));
        let told: Vec<String> = steps
            .iter()
            .take(4)
            .map(|step| format!("{} {}", step.step, output::nanos(step.took_ns)))
            .collect();
        line(format!("  steps   {}", told.join(", ")));
        for row in around::lines(&slow.interference) {
            line(format!("  around  {row}"));
        }
        if slow.interference.is_empty() {
            line("  around  nothing was noted");
        }
    }
    if let Some(first) = report.slowest.first() {
        line("");
        line(format!("more      spinward explain {} {}", report.session, first.order_text));
    }
}
