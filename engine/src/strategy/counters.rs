//! What the strategies of one core count. One writer: the core that runs them.

use super::context::Refused;
use crate::counters::{Counter, Gauge};
use crate::words::StrategyId;

/// Of one strategy.
#[repr(align(128))]
#[derive(Debug)]
pub struct StrategyCounters {
    /// Whose.
    pub id: StrategyId,
    /// Its configured name.
    pub name: String,
    /// Calls of `on_book`.
    pub books: Counter,
    /// Calls of `on_trade`.
    pub trades: Counter,
    /// Calls of `on_report`.
    pub reports: Counter,
    /// Calls of `on_timer`.
    pub timers: Counter,
    /// Calls of `on_status`.
    pub statuses: Counter,
    /// New orders given out.
    pub new_orders: Counter,
    /// Cancels given out.
    pub cancels: Counter,
    /// Replaces given out.
    pub replaces: Counter,
    /// Wishes that the SDK refused, by [`Refused`] (index: [`Refused::index`]). They never became intents.
    pub refused: [Counter; Refused::EVERY.len()],
    /// Fills that came again and were not booked again. Not given to `on_report`.
    pub duplicate_fills: Counter,
    /// Reports about orders that were already gone (a late answer; a late fill moved the position).
    pub unmatched_reports: Counter,
    /// Reports that could not be read. Not given to `on_report`.
    pub malformed_reports: Counter,
    /// Recovered records taken.
    pub recovered: Counter,
    /// Recovered records that could not be taken: instrument not configured, unreadable, known already, no room.
    pub recovery_refused: Counter,
    /// New orders and replaces without an answer.
    pub in_flight: Gauge,
    /// Orders that hold a place of `max_open_orders`.
    pub held_orders: Gauge,
}

impl StrategyCounters {
    pub(super) fn new(id: StrategyId, name: String) -> Self {
        Self {
            id,
            name,
            books: Counter::new(),
            trades: Counter::new(),
            reports: Counter::new(),
            timers: Counter::new(),
            statuses: Counter::new(),
            new_orders: Counter::new(),
            cancels: Counter::new(),
            replaces: Counter::new(),
            refused: std::array::from_fn(|_| Counter::new()),
            duplicate_fills: Counter::new(),
            unmatched_reports: Counter::new(),
            malformed_reports: Counter::new(),
            recovered: Counter::new(),
            recovery_refused: Counter::new(),
            in_flight: Gauge::new(),
            held_orders: Gauge::new(),
        }
    }

    /// Calls of any hook.
    pub fn hooks(&self) -> u64 {
        [&self.books, &self.trades, &self.reports, &self.timers, &self.statuses]
            .into_iter()
            .map(Counter::value)
            .sum()
    }

    /// Intents of any action.
    pub fn intents(&self) -> u64 {
        self.new_orders.value() + self.cancels.value() + self.replaces.value()
    }
}

/// Of one core.
#[repr(align(128))]
#[derive(Debug)]
pub struct RunnerCounters {
    /// Events seen.
    pub events: Counter,
    /// Executions of subscribed instruments whose price could not be told, so that `on_trade` was not called.
    pub unpriced_executions: Counter,
    /// Status events with a number that is no market status.
    pub unknown_statuses: Counter,
    /// Reports and recovered records about orders of strategies of other cores.
    pub foreign_records: Counter,
    /// By strategy, in the order in which they are called.
    pub strategies: Box<[StrategyCounters]>,
}

impl RunnerCounters {
    pub(super) fn new(strategies: Box<[StrategyCounters]>) -> Self {
        Self {
            events: Counter::new(),
            unpriced_executions: Counter::new(),
            unknown_statuses: Counter::new(),
            foreign_records: Counter::new(),
            strategies,
        }
    }
}
