//! [`Life`]: the life of an order at the gateway as one table, [`step`]. Nothing else changes a state.
//!
//! The table turns the venue's words into the engine's contract: every message of ours is answered exactly once, whatever the venue leaves
//! unsaid. OUCH does not answer a cancel or a replace of an order that is gone; the report that ends the order answers them here.

/// Where an order is, as far as the venue's stream has told.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Life {
    /// Sent; the venue has not said that it has it. Pending, however long that takes.
    Entering = 0,
    /// Sent, and its cancel after it.
    EnteringCancel = 1,
    /// At the venue.
    Open = 2,
    /// At the venue, a cancel of it is under way.
    Cancelling = 3,
    /// At the venue, a replace of it is under way.
    Replacing = 4,
    /// The order to come of a replace that is under way.
    Replacement = 5,
    /// Out of the market.
    Gone = 6,
}

impl Life {
    /// Every state, in the order of its number.
    pub const EVERY: [Life; 7] = [
        Self::Entering,
        Self::EnteringCancel,
        Self::Open,
        Self::Cancelling,
        Self::Replacing,
        Self::Replacement,
        Self::Gone,
    ];

    /// Whether the venue has not yet said that it has it.
    pub const fn is_unacknowledged(self) -> bool {
        matches!(self, Self::Entering | Self::EnteringCancel | Self::Replacement)
    }

    /// Answers that the engine still waits for about this order. That to a replace is counted with the order to come.
    pub const fn answers_due(self) -> u8 {
        match self {
            Self::Entering | Self::Cancelling | Self::Replacement => 1,
            Self::EnteringCancel => 2,
            Self::Open | Self::Replacing | Self::Gone => 0,
        }
    }
}

/// What happens to an order: sent by us, or read in the venue's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Happening {
    /// We send a cancel of it.
    SendCancel,
    /// We send a replace of it.
    SendReplace,
    /// Accepted, and live.
    Accepted,
    /// Accepted, and gone at once.
    AcceptedDead,
    /// Rejected.
    Rejected,
    /// Executed, something is left.
    FilledPart,
    /// Executed, nothing is left.
    FilledWhole,
    /// Canceled as a user asked: the answer to our cancel if one is under way.
    Cancelled,
    /// Canceled for another reason: what was left of an IOC, a halt, a self match. A cancel of ours will find nothing.
    Expired,
    /// The venue refused to cancel it.
    CancelRefused,
    /// Another order stands in its place.
    ReplacedBy,
    /// The venue refused to replace it.
    ReplaceRefused,
    /// It stands in the place of another, live.
    Entered,
    /// It took the place of another, and is gone at once.
    EnteredDead,
    /// The order that it was to replace is gone, so it will never be.
    OriginalGone,
    /// The venue says that it never got it.
    NeverArrived,
}

impl Happening {
    /// Every one.
    pub const EVERY: [Happening; 16] = [
        Self::SendCancel,
        Self::SendReplace,
        Self::Accepted,
        Self::AcceptedDead,
        Self::Rejected,
        Self::FilledPart,
        Self::FilledWhole,
        Self::Cancelled,
        Self::Expired,
        Self::CancelRefused,
        Self::ReplacedBy,
        Self::ReplaceRefused,
        Self::Entered,
        Self::EnteredDead,
        Self::OriginalGone,
        Self::NeverArrived,
    ];
}

/// What the engine is told, as a report of its own each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tell {
    /// `Accepted`.
    Accepted,
    /// `Rejected`.
    Rejected,
    /// `Filled`.
    Filled,
    /// `Cancelled`, the answer to our cancel.
    Cancelled,
    /// `Cancelled`, of the venue's own doing.
    Expired,
    /// `CancelRejected`.
    CancelRejected,
    /// `Replaced`, told of the order to come.
    Replaced,
    /// `ReplaceRejected`, told of the order to come.
    ReplaceRejected,
}

impl Tell {
    /// Whether it answers a message of ours.
    pub const fn is_answer(self) -> bool {
        match self {
            Self::Accepted
            | Self::Rejected
            | Self::Cancelled
            | Self::CancelRejected
            | Self::Replaced
            | Self::ReplaceRejected => true,
            Self::Filled | Self::Expired => false,
        }
    }
}

/// What a happening does to a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The state after it.
    pub next: Life,
    /// What the engine is told, in this order.
    pub tells: &'static [Tell],
    /// Whether the protocol allows it here. If not it is counted; what it says that can be true is believed.
    pub expected: bool,
}

/// The table.
pub const fn step(life: Life, happening: Happening) -> Step {
    use Happening as H;
    use Life as L;
    use Tell as T;
    const fn to(next: Life, tells: &'static [Tell]) -> Step {
        Step { next, tells, expected: true }
    }
    const fn odd(next: Life, tells: &'static [Tell]) -> Step {
        Step { next, tells, expected: false }
    }
    match life {
        L::Entering => match happening {
            H::SendCancel => to(L::EnteringCancel, &[]),
            H::Accepted => to(L::Open, &[T::Accepted]),
            H::AcceptedDead => to(L::Gone, &[T::Accepted, T::Expired]),
            H::Rejected | H::NeverArrived => to(L::Gone, &[T::Rejected]),
            // The acknowledgement is lost: what can be executed or cancelled was accepted.
            H::FilledPart => odd(L::Open, &[T::Accepted, T::Filled]),
            H::FilledWhole => odd(L::Gone, &[T::Accepted, T::Filled]),
            H::Cancelled | H::Expired | H::ReplacedBy | H::EnteredDead => {
                odd(L::Gone, &[T::Accepted, T::Expired])
            }
            H::Entered => odd(L::Open, &[T::Accepted]),
            H::SendReplace | H::CancelRefused | H::ReplaceRefused | H::OriginalGone => odd(L::Entering, &[]),
        },
        L::EnteringCancel => match happening {
            H::Accepted => to(L::Cancelling, &[T::Accepted]),
            H::AcceptedDead => to(L::Gone, &[T::Accepted, T::Expired, T::CancelRejected]),
            H::Rejected | H::NeverArrived => to(L::Gone, &[T::Rejected, T::CancelRejected]),
            H::CancelRefused => to(L::Entering, &[T::CancelRejected]),
            H::FilledPart => odd(L::Cancelling, &[T::Accepted, T::Filled]),
            H::FilledWhole => odd(L::Gone, &[T::Accepted, T::Filled, T::CancelRejected]),
            H::Cancelled => odd(L::Gone, &[T::Accepted, T::Cancelled]),
            H::Expired | H::ReplacedBy | H::EnteredDead => {
                odd(L::Gone, &[T::Accepted, T::Expired, T::CancelRejected])
            }
            H::Entered => odd(L::Cancelling, &[T::Accepted]),
            H::SendCancel | H::SendReplace | H::ReplaceRefused | H::OriginalGone => {
                odd(L::EnteringCancel, &[])
            }
        },
        L::Open => match happening {
            H::SendCancel => to(L::Cancelling, &[]),
            H::SendReplace => to(L::Replacing, &[]),
            H::FilledPart => to(L::Open, &[T::Filled]),
            H::FilledWhole => to(L::Gone, &[T::Filled]),
            // A user's cancel that was not ours: a mass cancel, or the connection was lost.
            H::Cancelled | H::Expired => to(L::Gone, &[T::Expired]),
            H::AcceptedDead | H::EnteredDead | H::ReplacedBy => odd(L::Gone, &[T::Expired]),
            H::Accepted
            | H::Rejected
            | H::CancelRefused
            | H::ReplaceRefused
            | H::Entered
            | H::OriginalGone
            | H::NeverArrived => odd(L::Open, &[]),
        },
        L::Cancelling => match happening {
            H::FilledPart => to(L::Cancelling, &[T::Filled]),
            H::FilledWhole => to(L::Gone, &[T::Filled, T::CancelRejected]),
            H::Cancelled => to(L::Gone, &[T::Cancelled]),
            H::Expired => to(L::Gone, &[T::Expired, T::CancelRejected]),
            H::CancelRefused => to(L::Open, &[T::CancelRejected]),
            H::AcceptedDead | H::EnteredDead | H::ReplacedBy => {
                odd(L::Gone, &[T::Expired, T::CancelRejected])
            }
            H::SendCancel
            | H::SendReplace
            | H::Accepted
            | H::Rejected
            | H::ReplaceRefused
            | H::Entered
            | H::OriginalGone
            | H::NeverArrived => odd(L::Cancelling, &[]),
        },
        L::Replacing => match happening {
            H::FilledPart => to(L::Replacing, &[T::Filled]),
            H::FilledWhole => to(L::Gone, &[T::Filled]),
            H::Cancelled | H::Expired => to(L::Gone, &[T::Expired]),
            H::ReplacedBy => to(L::Gone, &[]),
            H::ReplaceRefused => to(L::Open, &[]),
            H::AcceptedDead | H::EnteredDead => odd(L::Gone, &[T::Expired]),
            H::SendCancel
            | H::SendReplace
            | H::Accepted
            | H::Rejected
            | H::CancelRefused
            | H::Entered
            | H::OriginalGone
            | H::NeverArrived => odd(L::Replacing, &[]),
        },
        L::Replacement => match happening {
            H::Entered => to(L::Open, &[T::Replaced]),
            H::EnteredDead => to(L::Gone, &[T::Replaced, T::Expired]),
            H::Rejected | H::OriginalGone | H::NeverArrived => to(L::Gone, &[T::ReplaceRejected]),
            H::FilledPart => odd(L::Open, &[T::Replaced, T::Filled]),
            H::FilledWhole => odd(L::Gone, &[T::Replaced, T::Filled]),
            H::Cancelled | H::Expired | H::AcceptedDead | H::ReplacedBy => {
                odd(L::Gone, &[T::Replaced, T::Expired])
            }
            H::Accepted => odd(L::Open, &[T::Replaced]),
            H::SendCancel | H::SendReplace | H::CancelRefused | H::ReplaceRefused => odd(L::Replacement, &[]),
        },
        L::Gone => odd(L::Gone, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spinward_engine::risk::{OrderInput, OrderState, transition};

    fn cells() -> impl Iterator<Item = (Life, Happening, Step)> {
        let of = |life| Happening::EVERY.map(|happening| (life, happening, step(life, happening)));
        Life::EVERY.into_iter().flat_map(of)
    }

    #[test]
    fn every_cell_answers_each_of_our_messages_exactly_once() {
        for (life, happening, step) in cells() {
            // What is not expected of ourselves is not sent.
            let sent = u8::from(happening == Happening::SendCancel && step.expected);
            let answers = step.tells.iter().filter(|tell| tell.is_answer()).count() as u8;
            assert_eq!(
                life.answers_due() + sent,
                step.next.answers_due() + answers,
                "{life:?} {happening:?} {step:?}"
            );
        }
    }

    #[test]
    fn an_order_goes_with_a_word_that_ends_it_and_a_fill_is_told_once() {
        for (life, happening, step) in cells() {
            let ends = |tell: &Tell| {
                matches!(tell, Tell::Rejected | Tell::Cancelled | Tell::Expired | Tell::ReplaceRejected)
                    || *tell == Tell::Filled && happening == Happening::FilledWhole
            };
            let has_gone = life != Life::Gone && step.next == Life::Gone;
            // Of an order whose place is taken, the report of the other one tells.
            let is_replaced = life == Life::Replacing && happening == Happening::ReplacedBy;
            let count = step.tells.iter().filter(|tell| ends(tell)).count();
            assert_eq!(count, usize::from(has_gone && !is_replaced), "{life:?} {happening:?}");
            let is_fill = matches!(happening, Happening::FilledPart | Happening::FilledWhole);
            let fills = step.tells.iter().filter(|tell| **tell == Tell::Filled).count();
            assert_eq!(fills, usize::from(is_fill && life != Life::Gone), "{life:?} {happening:?}");
            if step.next == life && life != Life::Gone && !is_fill {
                assert!(step.tells.is_empty(), "{life:?} {happening:?}");
            }
        }
    }

    /// What risk holds of an order that is in this state here.
    fn of_risk(life: Life) -> Option<OrderState> {
        match life {
            Life::Entering => Some(OrderState::PendingNew),
            Life::EnteringCancel => Some(OrderState::PendingCancelNew),
            Life::Open => Some(OrderState::Open),
            Life::Cancelling => Some(OrderState::PendingCancel),
            Life::Replacing => Some(OrderState::PendingReplace),
            Life::Replacement => Some(OrderState::Replacement),
            Life::Gone => None,
        }
    }

    #[test]
    fn what_risk_makes_of_the_reports_is_the_state_that_the_gateway_has() {
        for (life, happening, step) in cells() {
            let Some(mut state) = of_risk(life) else { continue };
            if happening == Happening::SendCancel && step.expected {
                state = transition(state, OrderInput::SendCancel).next;
            }
            if happening == Happening::SendReplace && step.expected {
                state = transition(state, OrderInput::SendReplace).next;
            }
            // Reports of the order to come move this one as well.
            if life == Life::Replacing && happening == Happening::ReplacedBy {
                state = transition(state, OrderInput::Replaced).next;
            }
            if life == Life::Replacing && happening == Happening::ReplaceRefused {
                state = transition(state, OrderInput::ReplaceRejected).next;
            }
            for tell in step.tells {
                if state.is_gone() {
                    assert_eq!(
                        *tell,
                        Tell::CancelRejected,
                        "only the late answer to a cancel comes after the end"
                    );
                    continue;
                }
                let input = match tell {
                    Tell::Accepted | Tell::Replaced => OrderInput::Accepted,
                    Tell::Rejected | Tell::ReplaceRejected => OrderInput::Rejected,
                    Tell::Filled if step.next == Life::Gone => OrderInput::FilledWhole,
                    Tell::Filled => OrderInput::FilledPart,
                    Tell::Cancelled => OrderInput::Cancelled,
                    Tell::Expired => OrderInput::CancelledUnasked,
                    Tell::CancelRejected => OrderInput::CancelRejected,
                };
                let moved = transition(state, input);
                assert!(moved.expected, "{life:?} {happening:?}: risk does not expect {tell:?} in {state:?}");
                state = moved.next;
            }
            match of_risk(step.next) {
                Some(expected) => assert_eq!(state, expected, "{life:?} {happening:?}"),
                None => assert!(state.is_gone(), "{life:?} {happening:?}: risk still has it as {state:?}"),
            }
        }
    }
}
