//! Rows of latency: an order's life in steps.

use super::batch::{Names, Row};
use crate::orders::Life;
use spinward_engine::words::{Action, Nanos, RejectCode};

/// From one stamp to the next one that was taken, never below zero; 0 where one is missing.
struct Steps {
    at: Nanos,
}

impl Steps {
    fn to(&mut self, to: Nanos) -> i64 {
        if to == Nanos::ZERO || self.at == Nanos::ZERO {
            return 0;
        }
        let took = to.since(self.at).get().max(0);
        self.at = to;
        took
    }
}

pub(super) fn life(row: &mut Row<'_>, sequence: u64, life: &Life, names: &Names) {
    let decision = &life.decision;
    let code = RejectCode::from_number(decision.code_number).unwrap_or(RejectCode::Malformed);
    row.u64(sequence)
        .u64(decision.frame())
        .i64(life.receive_time.get())
        .u64(decision.order.get())
        .u64(decision.new_order.get())
        .name(decision.strategy.index(), &names.strategies)
        .u32(decision.instrument.get())
        .name(decision.instrument.index(), &names.instruments)
        .code(Action::from_number(decision.action_number).map_or(0, |action| action as u8))
        .code(code.index() as u8)
        .i64(decision.received.get());
    let mut steps = Steps { at: decision.received };
    for stage in [decision.normalizer, decision.book, decision.strategies, decision.risk] {
        row.i64(steps.to(stage.start)).i64(steps.to(stage.done));
    }
    let exit = life.exit.unwrap_or_default();
    row.i64(steps.to(exit.taken)).i64(steps.to(exit.released)).i64(steps.to(exit.sent));
    row.i64(life.length_ns().map_or(0, |ns| i64::try_from(ns).unwrap_or(i64::MAX)))
        .u32(decision.ahead_normalizer)
        .u32(decision.ahead_book)
        .u32(decision.ahead_strategies)
        .u32(decision.ahead_risk)
        .u32(life.ahead_egress);
}
