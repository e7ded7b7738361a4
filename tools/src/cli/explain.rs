//! `spinward explain`: one order's life as a timeline.

use super::ExplainArgs;
use super::output::{self, Table, line, snake};
use crate::attribution::around::{self, overlapping};
use crate::attribution::causes::{Cause, Causes};
use crate::attribution::history::{Entry, History, action_name, intent_text, report_text, verdict_text};
use crate::attribution::steps::{self, Step, StepKind};
use crate::attribution::{order_text, parse_order, time_of_day};
use crate::failure::{Failure, Outcome};
use crate::session::replay::{find, settings_of};
use anyhow::anyhow;
use serde::Serialize;
use spinward_engine::words::{Nanos, OrderId, Verdict};
use spinward_recorder::{
    Answer, InterferenceRow, Life, LifeRecord, Lives, SessionFolder, read_interference, rfc3339,
};
use std::collections::BTreeSet;
use std::process::ExitCode;

#[derive(Serialize)]
struct Report {
    session: String,
    order: u64,
    order_text: String,
    strategy: String,
    /// False: the session stored no stamps of orders, so that there is no timeline.
    has_stamps: bool,
    messages: Vec<Message>,
    reports: Vec<Heard>,
}

/// A message of the order: the new order, a replace, a cancel; or one that risk refused.
#[derive(Serialize)]
struct Message {
    action: &'static str,
    is_approved: bool,
    code: &'static str,
    value: i64,
    limit: i64,
    intent: String,
    verdict: String,
    cause: Option<Cause>,
    received_ns: Option<i64>,
    total_ns: Option<u64>,
    waiting_ns: u64,
    working_ns: u64,
    slowest_step: Option<String>,
    steps: Vec<Step>,
    interference: Vec<InterferenceRow>,
}

/// A report about the order.
#[derive(Serialize)]
struct Heard {
    frame: u64,
    cause_frame: u64,
    receive_time_ns: i64,
    kind: String,
    text: String,
    steps: Vec<Step>,
}

/// What is stored of the order's stamps.
#[derive(Default)]
struct Stamps {
    lives: Vec<Life>,
    answers: Vec<Answer>,
}

fn stamps(folder: &SessionFolder, order: OrderId) -> Result<Option<Stamps>, Failure> {
    if !folder.orders().is_dir() {
        return Ok(None);
    }
    let mut lives = Lives::open(&folder.orders(), &folder.exits())?;
    let mut stamps = Stamps::default();
    while let Some(record) = lives.next()? {
        match record {
            LifeRecord::Life(life) if [life.decision.order, life.decision.new_order].contains(&order) => {
                stamps.lives.push(life);
            }
            LifeRecord::Answer { answer, .. } if [answer.order, answer.new_order].contains(&order) => {
                stamps.answers.push(answer);
            }
            LifeRecord::Life(_) | LifeRecord::Answer { .. } => {}
        }
    }
    Ok(Some(stamps))
}

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let folder = find(&args.sessions, &args.session)?;
    let (_, settings) = settings_of(&folder)?;
    let strategies: Vec<String> = settings.strategies.iter().map(|spec| spec.name.clone()).collect();
    let order = parse_order(&args.order, &strategies).ok_or_else(|| {
        Failure::Usage(anyhow!(
            "{:?} is not an order: give its id, or strategy and number like 0:25 or {}:25",
            args.order,
            strategies.first().map_or("maker", String::as_str)
        ))
    })?;
    let history = History::read(&folder, order)?;
    if history.entries.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "no order {} ({}) in session {}; its orders are {}; `spinward slowest {}` lists the slowest",
            order_text(order),
            order,
            folder.id(),
            history.known_text(&strategies),
            folder.path().display()
        )));
    }
    let stamps = stamps(&folder, order)?;
    let has_stamps = stamps.is_some();
    let stamps = stamps.unwrap_or_default();
    let frames: BTreeSet<u64> = history
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Verdict { frame, .. } => Some(*frame),
            Entry::Report { .. } => None,
        })
        .collect();
    let causes = Causes::read(&folder, &settings, &frames)?;
    let rows = read_interference(&folder.interference())?.map(|found| found.rows).unwrap_or_default();

    let mut report = Report {
        session: folder.path().display().to_string(),
        order: order.get(),
        order_text: order_text(order),
        strategy: strategies.get(order.strategy().index()).cloned().unwrap_or_else(|| "?".to_owned()),
        has_stamps,
        messages: Vec::new(),
        reports: Vec::new(),
    };
    for entry in &history.entries {
        match entry {
            Entry::Verdict { frame, verdict } => {
                report.messages.push(message(*frame, verdict, &stamps, &causes, &rows));
            }
            Entry::Report { frame, receive_time, report: heard } => {
                let answer = stamps.answers.iter().find(|answer| answer.frame == *frame);
                let life = stamps.lives.iter().find(|life| life.decision.frame() == heard.cause_frame);
                report.reports.push(Heard {
                    frame: *frame,
                    cause_frame: heard.cause_frame,
                    receive_time_ns: receive_time.get(),
                    kind: heard.kind().map_or_else(String::new, |kind| snake(&kind)),
                    text: report_text(heard),
                    steps: life
                        .zip(answer)
                        .map(|(life, answer)| steps::of_answer(life, answer))
                        .unwrap_or_default(),
                });
            }
        }
    }
    if args.json {
        line(serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

fn message(
    frame: u64,
    verdict: &Verdict,
    stamps: &Stamps,
    causes: &Causes,
    rows: &[InterferenceRow],
) -> Message {
    let life = stamps.lives.iter().find(|life| {
        let decision = &life.decision;
        (decision.frame(), decision.order, decision.new_order, decision.action_number)
            == (frame, verdict.order, verdict.new_order, verdict.action_number)
    });
    let found = life.map(steps::of_life).unwrap_or_default();
    let sum = |kind: StepKind| found.iter().filter(|step| step.kind == kind).map(|step| step.took_ns).sum();
    let received = life.map(|life| life.decision.received).filter(|time| *time != Nanos::ZERO);
    let interference = match (life, received) {
        (Some(life), Some(received)) => {
            overlapping(rows, received.get(), life.ended().get()).into_iter().cloned().collect()
        }
        (Some(_) | None, Some(_) | None) => Vec::new(),
    };
    Message {
        action: action_name(verdict.action_number),
        is_approved: verdict.is_approved(),
        code: verdict.code().name(),
        value: verdict.value,
        limit: verdict.limit,
        intent: intent_text(verdict, &causes.symbol(verdict.instrument)),
        verdict: verdict_text(verdict),
        cause: causes.by_frame.get(&frame).cloned(),
        received_ns: received.map(Nanos::get),
        total_ns: life.and_then(Life::length_ns),
        waiting_ns: sum(StepKind::Wait),
        working_ns: sum(StepKind::Service),
        slowest_step: steps::longest(&found).map(|step| step.step.to_owned()),
        steps: found,
        interference,
    }
}

/// The cause in two lines: what it was, and what it meant.
pub(crate) fn cause_lines(cause: &Cause) -> [String; 2] {
    let shown = cause.payload.len() / 2;
    let more = if shown < cause.bytes { " …" } else { "" };
    [
        format!(
            "frame {} ({}, source {}, {} bytes) of {}: {}",
            output::count(cause.frame),
            cause.kind,
            cause.source,
            cause.bytes,
            rfc3339(Nanos::new(cause.receive_time_ns)),
            if cause.events.is_empty() { "no event".to_owned() } else { cause.events.join("; ") }
        ),
        format!("{}{more}", cause.payload),
    ]
}

fn print(report: &Report) {
    line(format!("order     {} ({}), {}", report.order_text, report.order, report.strategy));
    line(format!("session   {}", report.session));
    if !report.has_stamps {
        line("stamps    none: this session stored no stamps of its orders (latency.orders, pipeline.stamps)");
    }
    for message in &report.messages {
        line("");
        line(format!("intent    {}", message.intent));
        line(format!("verdict   {}", message.verdict));
        if let Some(cause) = &message.cause {
            let [what, bytes] = cause_lines(cause);
            line(format!("cause     {what}"));
            if !bytes.is_empty() {
                line(format!("          {bytes}"));
            }
            line(format!(
                "burst     {} frame(s) in the 100 µs up to it, {} in the millisecond (session's time)",
                output::count(cause.frames_in_100us as u64),
                output::count(cause.frames_in_1ms as u64)
            ));
        }
        match (message.received_ns, message.total_ns) {
            (Some(received), Some(total)) => {
                line(format!(
                    "total     {} from {}: {} waiting, {} working; longest: {}",
                    output::nanos(total),
                    time_of_day(received),
                    output::nanos(message.waiting_ns),
                    output::nanos(message.working_ns),
                    message.slowest_step.as_deref().unwrap_or("-")
                ));
                line("");
                timeline(&message.steps, received);
            }
            (Some(_) | None, Some(_) | None) if report.has_stamps => {
                line(
                    "stamps    none: dropped for want of room, or the session was killed before they were stored",
                );
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        if !message.interference.is_empty() {
            line("");
        }
        for row in around::lines(&message.interference) {
            line(format!("around    {row}"));
        }
    }
    line("");
    for heard in &report.reports {
        let took: u64 = heard.steps.iter().map(|step| step.took_ns).sum();
        let after = if heard.steps.is_empty() {
            String::new()
        } else {
            let parts: Vec<String> = heard
                .steps
                .iter()
                .map(|step| format!("{} {}", step.step, output::nanos(step.took_ns)))
                .collect();
            format!("; {} after sent ({})", output::nanos(took), parts.join(", "))
        };
        line(format!(
            "heard     {} (frame {}, {}){after}",
            heard.text,
            output::count(heard.frame),
            rfc3339(Nanos::new(heard.receive_time_ns))
        ));
    }
    if report.reports.is_empty() {
        line("heard     nothing: the session ended before an answer came");
    }
}

/// Absolute times, time since receipt, what each step took, who was ahead.
fn timeline(steps: &[Step], received: i64) {
    let mut table = Table::new(["step", "", "done at (UTC)", "since receipt", "took", "ahead"]);
    table.row(["received", "", &time_of_day(received), "0 ns", "", ""].map(str::to_owned));
    for step in steps {
        table.row([
            step.step.to_owned(),
            match step.kind {
                StepKind::Wait => "wait".to_owned(),
                StepKind::Service => "service".to_owned(),
            },
            time_of_day(step.to_ns),
            output::nanos(u64::try_from(step.to_ns - received).unwrap_or(0)),
            output::nanos(step.took_ns),
            step.ahead.map_or_else(String::new, |ahead| output::count(u64::from(ahead))),
        ]);
    }
    table.print();
}
