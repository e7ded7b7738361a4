//! What risk counts, and the gauges of positions that other threads read.

use super::state::OrderState;
use crate::counters::{Counter, Gauge};
use crate::words::{InstrumentId, RejectCode, ReportKind, StrategyId};

/// What risk counts. One writer: the risk stage.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct RiskCounters {
    /// Verdicts by [`RejectCode::index`]; index 0 is approved, mass cancels included.
    pub verdicts: [Counter; RejectCode::EVERY.len()],
    /// Messages sent to the venue by action (new, cancel, replace), mass cancels included.
    pub messages_sent: [Counter; 3],
    /// Refusals sent back to strategies.
    pub refusals_sent: Counter,
    /// Refusals for which there was no room: each one halts.
    pub refusals_unsent: Counter,
    /// Messages that the egress ring did not take though there should have been room: each one halts.
    pub egress_failures: Counter,
    /// Cancels sent by a mass cancel.
    pub mass_cancels: Counter,
    /// Times that an order came into a state, by [`OrderState`] number.
    pub transitions: [Counter; OrderState::EVERY.len()],
    /// Reports by [`ReportKind`] (index: number − 1), those of risk itself included.
    pub reports: [Counter; ReportKind::EVERY.len()],
    /// Reports of risk itself: refusals that came back.
    pub reports_from_risk: Counter,
    /// Reports that cannot be read (unknown kind, fill without quantity).
    pub reports_malformed: Counter,
    /// Reports about orders that are not (or no more) open, fills included.
    pub reports_unknown_order: Counter,
    /// Reports that the venue's contract does not allow in the state of the order.
    pub reports_unexpected: Counter,
    /// Reports whose quantities or ids differ from ours.
    pub reports_mismatched: Counter,
    /// Fills counted into positions.
    pub fills: Counter,
    /// Fills that came again and were not counted again.
    pub fills_duplicate: Counter,
    /// Fills of orders that are not (or no more) open. Counted into positions all the same.
    pub fills_unknown_order: Counter,
    /// Fills in an instrument without terms, or without a side: no position can hold them. Each one halts.
    pub fills_unplaced: Counter,
    /// Sums of money or lots that went beyond their range and are held at its end. Each one halts.
    pub overflows: Counter,
    /// Operator's commands obeyed.
    pub commands: Counter,
    /// Operator's commands refused (resume by another than the owner, leaving the kill state by set-state) or not readable.
    pub commands_refused: Counter,
    /// Times that trading was halted, by an operator or by risk itself.
    pub halts: Counter,
    /// Recovered records taken.
    pub recovered: Counter,
    /// Recovered records that fit nowhere. Each one halts.
    pub recovered_refused: Counter,
    /// The trading state's number now.
    pub trading_state: Gauge,
    /// Orders that are not gone now.
    pub open_orders: Gauge,
    /// Messages under way now: sent and not yet answered, refusals included.
    pub under_way: Gauge,
    /// Mass cancels that are still to be sent now.
    pub mass_cancels_due: Gauge,
}

/// The gauges of every strategy in every instrument that it may trade.
#[derive(Debug)]
pub struct PositionGauges {
    /// In the order of instruments, then strategies.
    pub rows: Box<[PositionGauge]>,
}

/// One position as other threads see it: each number is right, two of them may be of different moments.
#[repr(align(64))]
#[derive(Debug)]
pub struct PositionGauge {
    /// Whose.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Signed lots.
    pub qty: Gauge,
    /// Realized profit before fees, units of 1e-9 of the instrument's currency.
    pub realized: Gauge,
    /// Unrealized profit at the reference price, units of 1e-9.
    pub unrealized: Gauge,
    /// Fees paid, units of 1e-9.
    pub fees: Gauge,
}

impl PositionGauge {
    pub(super) fn new(strategy: StrategyId, instrument: InstrumentId) -> Self {
        Self {
            strategy,
            instrument,
            qty: Gauge::new(),
            realized: Gauge::new(),
            unrealized: Gauge::new(),
            fees: Gauge::new(),
        }
    }
}
