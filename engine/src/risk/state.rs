//! [`OrderState`]: the life of an order as one table, [`transition`]. Nothing else changes a state.

/// Where an order is. "Partially filled" is no state: it is an order whose `leaves` is below its `qty`, and may be any of these.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum OrderState {
    /// Sent, not yet answered. Counts in full.
    PendingNew = 0,
    /// At the venue.
    Open = 1,
    /// Not yet answered, and its cancel is under way.
    PendingCancelNew = 2,
    /// At the venue, its cancel is under way.
    PendingCancel = 3,
    /// At the venue, its replace is under way.
    PendingReplace = 4,
    /// The order to come of a replace that is under way. Counts in full besides the one it replaces.
    Replacement = 5,
    /// Gone: all filled.
    Filled = 6,
    /// Gone: cancelled, by us or by the venue.
    Cancelled = 7,
    /// Gone: never entered.
    Rejected = 8,
    /// Gone: another one stands in its place.
    Replaced = 9,
}

impl OrderState {
    /// Every state, in the order of its number.
    pub const EVERY: [OrderState; 10] = [
        Self::PendingNew,
        Self::Open,
        Self::PendingCancelNew,
        Self::PendingCancel,
        Self::PendingReplace,
        Self::Replacement,
        Self::Filled,
        Self::Cancelled,
        Self::Rejected,
        Self::Replaced,
    ];

    /// Whether the order is out of the market for good.
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Filled | Self::Cancelled | Self::Rejected | Self::Replaced)
    }

    /// Whether a cancel may be sent now.
    pub const fn is_cancellable(self) -> bool {
        matches!(self, Self::PendingNew | Self::Open)
    }

    /// Its name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PendingNew => "pending_new",
            Self::Open => "open",
            Self::PendingCancelNew => "pending_cancel_new",
            Self::PendingCancel => "pending_cancel",
            Self::PendingReplace => "pending_replace",
            Self::Replacement => "replacement",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Replaced => "replaced",
        }
    }
}

/// What happens to an order: sent by us, or reported by the venue.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum OrderInput {
    /// We send a cancel of it.
    SendCancel,
    /// We send a replace of it.
    SendReplace,
    /// The venue has it (for a [`OrderState::Replacement`]: the replace was done).
    Accepted,
    /// The venue refused it (for a [`OrderState::Replacement`]: the replace was refused).
    Rejected,
    /// A fill that leaves something open.
    FilledPart,
    /// A fill that leaves nothing.
    FilledWhole,
    /// It is out of the market: the answer to our cancel if one is under way.
    Cancelled,
    /// It is out of the market by the venue's own doing, while our cancel is still to be answered (remainder of an IOC).
    CancelledUnasked,
    /// The venue refused our cancel.
    CancelRejected,
    /// Another order stands in its place.
    Replaced,
    /// The venue refused our replace of it.
    ReplaceRejected,
}

impl OrderInput {
    /// Every input.
    pub const EVERY: [OrderInput; 11] = [
        Self::SendCancel,
        Self::SendReplace,
        Self::Accepted,
        Self::Rejected,
        Self::FilledPart,
        Self::FilledWhole,
        Self::Cancelled,
        Self::CancelledUnasked,
        Self::CancelRejected,
        Self::Replaced,
        Self::ReplaceRejected,
    ];
}

/// What an input does to a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// The state after it.
    pub next: OrderState,
    /// Whether it answers one of our messages about this order.
    pub answers: bool,
    /// Whether the venue's contract allows it here. If not it is counted, and what it says that can be true is believed.
    pub expected: bool,
}

/// The table. An order that is uncertain stays: only the venue's word that it is gone (filled, cancelled, rejected before it was
/// accepted, replaced) takes it out.
pub const fn transition(state: OrderState, input: OrderInput) -> Transition {
    use OrderInput as I;
    use OrderState as S;
    const fn to(next: OrderState) -> Transition {
        Transition { next, answers: false, expected: true }
    }
    const fn answer(next: OrderState) -> Transition {
        Transition { next, answers: true, expected: true }
    }
    const fn odd(next: OrderState) -> Transition {
        Transition { next, answers: false, expected: false }
    }
    match state {
        S::PendingNew => match input {
            I::SendCancel => to(S::PendingCancelNew),
            I::Accepted => answer(S::Open),
            I::Rejected => answer(S::Rejected),
            I::FilledPart => to(S::PendingNew),
            I::FilledWhole => to(S::Filled),
            I::Cancelled | I::CancelledUnasked => to(S::Cancelled),
            I::Replaced => odd(S::Replaced),
            I::SendReplace | I::CancelRejected | I::ReplaceRejected => odd(S::PendingNew),
        },
        S::Open => match input {
            I::SendCancel => to(S::PendingCancel),
            I::SendReplace => to(S::PendingReplace),
            I::FilledPart => to(S::Open),
            I::FilledWhole => to(S::Filled),
            I::Cancelled | I::CancelledUnasked => to(S::Cancelled),
            I::Replaced => odd(S::Replaced),
            I::Accepted | I::Rejected | I::CancelRejected | I::ReplaceRejected => odd(S::Open),
        },
        S::PendingCancelNew => match input {
            I::Accepted => answer(S::PendingCancel),
            I::Rejected => answer(S::Rejected),
            I::FilledPart => to(S::PendingCancelNew),
            I::FilledWhole => to(S::Filled),
            I::Cancelled => answer(S::Cancelled),
            I::CancelledUnasked => to(S::Cancelled),
            I::CancelRejected => answer(S::PendingNew),
            I::Replaced => odd(S::Replaced),
            I::SendCancel | I::SendReplace | I::ReplaceRejected => odd(S::PendingCancelNew),
        },
        S::PendingCancel => match input {
            I::FilledPart => to(S::PendingCancel),
            I::FilledWhole => to(S::Filled),
            I::Cancelled => answer(S::Cancelled),
            I::CancelledUnasked => to(S::Cancelled),
            I::CancelRejected => answer(S::Open),
            I::Replaced => odd(S::Replaced),
            I::SendCancel | I::SendReplace | I::Accepted | I::Rejected | I::ReplaceRejected => {
                odd(S::PendingCancel)
            }
        },
        // The answer to the replace is counted with the order to come, which may outlive this one.
        S::PendingReplace => match input {
            I::FilledPart => to(S::PendingReplace),
            I::FilledWhole => to(S::Filled),
            I::Cancelled | I::CancelledUnasked => to(S::Cancelled),
            I::Replaced => to(S::Replaced),
            I::ReplaceRejected => to(S::Open),
            I::SendCancel | I::SendReplace | I::Accepted | I::Rejected | I::CancelRejected => {
                odd(S::PendingReplace)
            }
        },
        S::Replacement => match input {
            I::Accepted => answer(S::Open),
            I::Rejected => answer(S::Rejected),
            I::FilledPart => to(S::Replacement),
            I::FilledWhole => to(S::Filled),
            I::Cancelled | I::CancelledUnasked => to(S::Cancelled),
            I::Replaced => odd(S::Replaced),
            I::SendCancel | I::SendReplace | I::CancelRejected | I::ReplaceRejected => odd(S::Replacement),
        },
        S::Filled => odd(S::Filled),
        S::Cancelled => odd(S::Cancelled),
        S::Rejected => odd(S::Rejected),
        S::Replaced => odd(S::Replaced),
    }
}
