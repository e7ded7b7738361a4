//! Who sends what, and what is counted of it.

use spinward_engine::counters::{Counter, Gauge};
use spinward_engine::words::SourceId;

/// The sources of a simulated session.
#[derive(Clone, Copy, Debug)]
pub struct SourceIds;

impl SourceIds {
    /// The market feed.
    pub const MARKET: SourceId = SourceId::new(0);
    /// The venue's reports, and risk's refusals.
    pub const VENUE: SourceId = SourceId::new(1);
    /// The timer.
    pub const TIMER: SourceId = SourceId::new(2);
    /// The operator.
    pub const OPERATOR: SourceId = SourceId::new(3);
    /// Records of an earlier session.
    pub const RECOVERY: SourceId = SourceId::new(4);
}

/// What the simulation counts.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct SimulationCounters {
    /// Market messages that entered.
    pub market_messages: Counter,
    /// Timer ticks that entered.
    pub timer_ticks: Counter,
    /// Reports of the venue that entered.
    pub reports: Counter,
    /// Refusals by risk that entered.
    pub refusals: Counter,
    /// Recovered records that entered.
    pub recovered: Counter,
    /// Orders taken for the venue.
    pub orders: Counter,
    /// Polls answered with a wait: the feed has nothing read yet.
    pub waits_for_feed: Counter,
    /// … the engine must first get on (look-ahead).
    pub waits_for_engine: Counter,
    /// … too many messages under way.
    pub waits_for_room: Counter,
    /// … the venue's backlog is full.
    pub waits_for_venue: Counter,
    /// … not yet time (pace).
    pub waits_for_pace: Counter,
    /// Market messages that the venue saw at once.
    pub venue_direct: Counter,
    /// Market messages that went through the backlog.
    pub venue_copied: Counter,
    /// Orders and refusals that came later than the look-ahead allows (caused by an operator's command) and were moved.
    pub late: Counter,
    /// Messages decided so long after the end that they were not answered.
    pub unanswered: Counter,
    /// Messages that entered and that the engine has not done.
    pub messages_under_way: Gauge,
    /// Market messages that the venue has yet to see.
    pub backlog_messages: Gauge,
    /// Refusals under way.
    pub refusals_under_way: Gauge,
}
