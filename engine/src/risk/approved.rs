//! [`ApprovedOrder`]: the proof that risk has seen it. Its fields are private and only risk constructs it.

use crate::words::{
    Action, InstrumentId, Intent, Nanos, OrderId, Price, Qty, Side, StrategyId, Ticks, TimeInForce, Verdict,
};

/// An order message that may leave. Only the risk stage makes one; a gateway takes nothing else.
///
/// ```compile_fail
/// let forged = spinward_engine::risk::ApprovedOrder { ..todo!() };
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApprovedOrder {
    action: Action,
    side: Side,
    tif: TimeInForce,
    intent: Intent,
    frame: u64,
    frame_stamp: Ticks,
}

impl ApprovedOrder {
    /// Approves. `None` if the intent's numbers are not an action, a side and a time in force.
    pub(super) fn approve(intent: &Intent, frame: u64, frame_stamp: Ticks) -> Option<Self> {
        let action = intent.action()?;
        let tif = match action {
            Action::Cancel => TimeInForce::Day,
            Action::New | Action::Replace => intent.tif()?,
        };
        Some(Self { action, side: intent.side()?, tif, intent: *intent, frame, frame_stamp })
    }

    /// What is to be done.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The order it is about; for a new order, its id.
    pub fn order(&self) -> OrderId {
        self.intent.order
    }

    /// Replace: the id of the order that takes its place.
    pub fn new_order(&self) -> OrderId {
        self.intent.new_order
    }

    /// Of what.
    pub fn instrument(&self) -> InstrumentId {
        self.intent.instrument
    }

    /// By whom.
    pub fn strategy(&self) -> StrategyId {
        self.intent.strategy
    }

    /// Buy or sell.
    pub fn side(&self) -> Side {
        self.side
    }

    /// How long it stands.
    pub fn tif(&self) -> TimeInForce {
        self.tif
    }

    /// Only as maker.
    pub fn is_post_only(&self) -> bool {
        self.intent.is_post_only()
    }

    /// Limit price.
    pub fn price(&self) -> Price {
        self.intent.price
    }

    /// Quantity in lots.
    pub fn qty(&self) -> Qty {
        self.intent.qty
    }

    /// Receive time of the frame that caused it.
    pub fn decided(&self) -> Nanos {
        self.intent.decided
    }

    /// Not to be sent after this time.
    pub fn valid_until(&self) -> Nanos {
        self.intent.valid_until
    }

    /// The frame that caused it. It must be in the journal before the order leaves.
    pub fn frame(&self) -> u64 {
        self.frame
    }

    /// Stamp of that frame, for tick-to-order latency.
    pub fn frame_stamp(&self) -> Ticks {
        self.frame_stamp
    }
}

/// One item of the egress ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outbound {
    /// Never written.
    Vacant,
    /// To the venue.
    Order(ApprovedOrder),
    /// Back to the strategy: risk refused. The driver turns it into a [`Report`](crate::words::Report) frame marked `FROM_RISK`, so that
    /// strategies hear of a refusal as they hear of everything: by a numbered frame.
    Refusal {
        /// The refusal.
        verdict: Verdict,
        /// Receive time of the frame that caused it.
        decided: Nanos,
        /// That frame.
        frame: u64,
    },
}

impl Outbound {
    /// The frame that caused it; 0 for a vacant slot.
    pub fn frame(&self) -> u64 {
        match self {
            Outbound::Vacant => 0,
            Outbound::Order(order) => order.frame,
            Outbound::Refusal { frame, .. } => *frame,
        }
    }
}
