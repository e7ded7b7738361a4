//! What the audit says of one order: verdicts and reports.

use crate::cli::output::snake;
use serde::Serialize;
use spinward_engine::words::{Action, Intent, Nanos, OrderId, Report, StrategyId, TimeInForce, Verdict};
use spinward_recorder::{AuditReader, AuditRecord, JournalError, SessionFolder};

/// One record of the audit about the order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    Verdict { frame: u64, verdict: Verdict },
    Report { frame: u64, receive_time: Nanos, report: Report },
}

/// Everything about the order, and what orders there are.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// Orders by strategy: how many, the first and the last number.
    pub(crate) known: Vec<(StrategyId, Known)>,
}

/// The orders of one strategy.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub(crate) struct Known {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl History {
    pub(crate) fn read(folder: &SessionFolder, order: OrderId) -> Result<Self, JournalError> {
        let mut audit = AuditReader::open(&folder.audit())?;
        let mut history = Self::default();
        while let Some(record) = audit.next()? {
            match record {
                AuditRecord::Verdict { frame, verdict, .. } => {
                    history.note(verdict.order);
                    if verdict.new_order != OrderId::NONE {
                        history.note(verdict.new_order);
                    }
                    if verdict.order == order || verdict.new_order == order {
                        history.entries.push(Entry::Verdict { frame, verdict });
                    }
                }
                AuditRecord::Report { frame, receive_time, report } => {
                    if report.order == order || report.new_order == order {
                        history.entries.push(Entry::Report { frame, receive_time, report });
                    }
                }
                AuditRecord::State { .. } | AuditRecord::Digests { .. } | AuditRecord::End { .. } => {}
            }
        }
        Ok(history)
    }

    fn note(&mut self, order: OrderId) {
        let (strategy, number) = (order.strategy(), order.number());
        match self.known.iter_mut().find(|(other, _)| *other == strategy) {
            Some((_, known)) => {
                known.first = known.first.min(number);
                known.last = known.last.max(number);
            }
            None => self.known.push((strategy, Known { first: number, last: number })),
        }
    }

    /// What there is, for whoever asked for something else: `maker:1 to maker:311, taker:1 to taker:57`.
    pub(crate) fn known_text(&self, strategies: &[String]) -> String {
        let name = |strategy: StrategyId| {
            strategies.get(strategy.index()).cloned().unwrap_or_else(|| strategy.to_string())
        };
        let texts: Vec<String> = self
            .known
            .iter()
            .map(|(strategy, known)| {
                let name = name(*strategy);
                format!("{name}:{} to {name}:{}", known.first, known.last)
            })
            .collect();
        if texts.is_empty() { "none: it has no verdict in its audit".to_owned() } else { texts.join(", ") }
    }
}

/// `new`, `cancel`, `replace`.
pub(crate) fn action_name(number: u8) -> &'static str {
    match Action::from_number(number) {
        Some(Action::New) => "new",
        Some(Action::Cancel) => "cancel",
        Some(Action::Replace) => "replace",
        None => "?",
    }
}

/// What was wished for, as the verdict repeats it: `new buy 100 AAAA at 27.31, ioc, post-only`.
pub(crate) fn intent_text(verdict: &Verdict, symbol: &str) -> String {
    let action = action_name(verdict.action_number);
    let side = match verdict.side_number {
        1 => "buy",
        2 => "sell",
        _ => "?",
    };
    if Action::from_number(verdict.action_number) == Some(Action::Cancel) {
        return format!("{action} {side} {symbol}");
    }
    let tif = match TimeInForce::from_number(verdict.tif_number) {
        Some(TimeInForce::Day) => "day",
        Some(TimeInForce::Ioc) => "ioc",
        Some(TimeInForce::Fok) => "fok",
        None => "?",
    };
    let mut text = format!("{action} {side} {} {symbol} at {}, {tif}", verdict.qty.lots(), verdict.price);
    if verdict.new_order != OrderId::NONE {
        text.push_str(&format!(", as order {}", super::order_text(verdict.new_order)));
    }
    for (flag, name) in [(Intent::POST_ONLY, ", post-only"), (Intent::REDUCE_ONLY, ", reduce-only")] {
        if verdict.flags & flag != 0 {
            text.push_str(name);
        }
    }
    text
}

/// `approved`, or `refused: position_limit, value 2,100, limit 2,000`.
pub(crate) fn verdict_text(verdict: &Verdict) -> String {
    if verdict.is_approved() {
        "approved".to_owned()
    } else {
        format!("refused: {}, value {}, limit {}", verdict.code().name(), verdict.value, verdict.limit)
    }
}

/// `filled 100 at 27.31, leaves 0, maker`.
pub(crate) fn report_text(report: &Report) -> String {
    let kind = report.kind().map_or_else(|| "?".to_owned(), |kind| snake(&kind));
    let mut text =
        format!("{kind} {} at {}, leaves {}", report.qty.lots(), report.price, report.leaves.lots());
    if report.code_number != 0 {
        text.push_str(&format!(", {}", report.code().name()));
    }
    if report.exec.get() != 0 {
        text.push_str(if report.is_maker() { ", maker" } else { ", taker" });
    }
    if report.is_from_risk() {
        text.push_str(", by risk");
    }
    text
}
