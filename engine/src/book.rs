//! Books and their statistics: events in, views out.
//!
//! Enters: every [`Event`](crate::words::Event). Leaves: for each event that completes a group in which something of an instrument changed,
//! a [`BookView`] in the event's lane. Never: an allocation, a panic or a lock after construction, a clock, a matched order (a crossed book
//! stays crossed and is flagged).
//!
//! An instrument's book is L3 (order by order, queue order kept) from its first `Order…` event on, or L2 (level by level) from its first
//! `LevelSet`; both lie on the same ladders of price levels. [`BookStage`] is the fast one, [`NaiveBookStage`] the obvious one beside it: the
//! test oracle, and the books of the naive pipeline.

mod config;
mod counters;
mod orders;
mod ladder;
mod head;
mod statistics;
mod volatility;
mod stage;
mod query;
mod check;
mod state;
pub mod naive;

pub use check::BookDefect;
pub use config::{
    BOOK_INSTRUMENTS_LIMIT, BOOK_LEVELS_LIMIT, BOOK_ORDERS_LIMIT, BookConfig, BookConfigError, LEVEL_QTY_MAX,
    ORDER_QTY_MAX, VOLATILITY_SAMPLES_LIMIT,
};
pub use counters::BookCounters;
pub use naive::NaiveBookStage;
pub use query::RestingOrder;
pub use stage::BookStage;

use crate::words::BookView;

/// What the book stage writes for one event.
#[derive(Debug)]
pub struct BookOutput {
    /// Whether this event completed a group, so that `view` was written. If not, `view` is stale memory.
    pub has_view: bool,
    /// The view.
    pub view: BookView,
}

impl BookOutput {
    /// Nothing written.
    pub fn vacant() -> Self {
        Self { has_view: false, view: BookView::vacant() }
    }

    /// The view, if there is one.
    #[inline]
    pub fn view(&self) -> Option<&BookView> {
        self.has_view.then_some(&self.view)
    }
}

#[cfg(test)]
mod tests;
