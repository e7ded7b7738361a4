//! [`BookCounters`]: what the book stage counts.

use crate::counters::{Counter, Gauge};

/// What the book stage counts. The stage is the only writer.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct BookCounters {
    /// Events that were applied to a book (book, trade, quote, status).
    pub events: Counter,
    /// Views written.
    pub views: Counter,
    /// Views that were crossed or locked.
    pub crossed_views: Counter,
    /// Executions, reductions, deletions and replacements of an order that is not in the book; the book is unchanged.
    pub unknown_orders: Counter,
    /// Orders added under a reference that is live; the book is unchanged.
    pub duplicate_orders: Counter,
    /// Executions and reductions of more than rests; what rests was taken.
    pub excess_quantities: Counter,
    /// Events that cannot be applied: a quantity or side out of range, an order event for an L2 book or a level event for an L3 one. The book is
    /// unchanged.
    pub refused: Counter,
    /// Events of book kinds for an instrument beyond `instruments_max`, or for none; nothing changed.
    pub unaddressed: Counter,
    /// Orders that found no room: `orders_max` are live. The instrument is quarantined.
    pub orders_full: Counter,
    /// Levels that found no room: `levels_max` exist, or the level's quantity is out of range. The instrument is quarantined.
    pub levels_full: Counter,
    /// Groups that touched a second instrument without an end mark between: only the last one got its view.
    pub split_groups: Counter,
    /// Orders live now.
    pub orders: Gauge,
    /// Price levels in use now.
    pub levels: Gauge,
}
