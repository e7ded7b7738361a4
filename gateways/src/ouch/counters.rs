//! [`OuchCounters`]: what a gateway counts, for other threads to read.

use spinward_engine::counters::{Counter, Gauge};

/// Counters of an order gateway.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct OuchCounters {
    /// 0 down, 1 reading what the venue has said so far, 2 ready, 3 stopping.
    pub state: Gauge,
    /// Logins.
    pub logins: Counter,
    /// Connections that were lost.
    pub downs: Counter,
    /// Messages of the venue's stream.
    pub messages: Counter,
    /// Sent: new orders.
    pub enters: Counter,
    /// Sent: replaces.
    pub replaces: Counter,
    /// Sent: cancels.
    pub cancels: Counter,
    /// Sent: questions to the venue (Account Query).
    pub queries: Counter,
    /// Not sent, as the venue was down or the breaker open.
    pub refused_unavailable: Counter,
    /// Not sent, for the venue's rule on messages.
    pub refused_limited: Counter,
    /// Not sent, as it came too late.
    pub refused_expired: Counter,
    /// Not sent, as the protocol cannot say it, or a table is full.
    pub refused_other: Counter,
    /// Messages that may leave before the rule is met.
    pub limiter_room: Gauge,
    /// A [`BreakerState`](super::BreakerState).
    pub breaker: Gauge,
    /// How often the breaker opened.
    pub breaker_opened: Counter,
    /// Messages that had no answer in time.
    pub late_answers: Counter,
    /// Orders that the venue never got, by its own word.
    pub never_arrived: Counter,
    /// Orders that the venue got and did not answer: they stay pending, and are cancelled.
    pub unresolved: Counter,
    /// Executions that were told before.
    pub duplicates: Counter,
    /// Messages that the protocol does not allow where they came.
    pub unexpected: Counter,
    /// Messages that could not be read.
    pub malformed: Counter,
    /// Orders of this account that the engine does not know: they are cancelled.
    pub foreign: Counter,
    /// Trades that the venue broke or corrected.
    pub broken: Counter,
    /// Orders at the venue or under way.
    pub orders: Gauge,
}
