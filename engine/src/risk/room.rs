//! [`Room`]: how many messages are under way, so that the egress ring can never be too small. Counted from frames alone: a message is
//! under way from when it is sent until the frame of its answer arrives, whatever the ring itself holds at that moment.

use crate::state::{StateError, StateReader, StateWriter};

/// Messages under way, and the shares of the ring.
///
/// ```text
/// 0 ──────────── orders ──────────┬──── refusals ────┬──── cancels ────┐ slots
///    new, replace: up to here ────┘                  │                 │
///    refusals: up to here ───────────────────────────┘                 │
///    cancels: up to here ──────────────────────────────────────────────┘
/// ```
#[derive(Debug)]
pub(super) struct Room {
    /// For orders in the table; each order knows its own part.
    of_orders: usize,
    /// For orders that are gone, whose cancel (or entry) the venue has still to answer.
    orphans: usize,
    /// Refusals on their way back.
    refusals: usize,
    slots: usize,
    refusal_share: usize,
    order_share: usize,
}

impl Room {
    pub(super) fn new(slots: usize, cancel_reserve: usize, refusal_reserve: usize) -> Self {
        let refusal_share = slots.saturating_sub(cancel_reserve);
        Self {
            of_orders: 0,
            orphans: 0,
            refusals: 0,
            slots,
            refusal_share,
            order_share: refusal_share.saturating_sub(refusal_reserve),
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { of_orders, orphans, refusals, slots: _, refusal_share: _, order_share: _ } = self;
        for count in [of_orders, orphans, refusals] {
            state.count(*count);
        }
    }

    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.of_orders = state.count(self.slots)?;
        self.orphans = state.count(self.slots)?;
        self.refusals = state.count(self.slots)?;
        Ok(())
    }

    #[inline]
    pub(super) fn under_way(&self) -> usize {
        self.of_orders + self.orphans + self.refusals
    }

    #[inline]
    pub(super) fn for_cancel(&self) -> bool {
        self.under_way() < self.slots
    }

    #[inline]
    pub(super) fn for_order(&self) -> bool {
        self.under_way() < self.order_share
    }

    #[inline]
    pub(super) fn for_refusal(&self) -> bool {
        self.under_way() < self.refusal_share
    }

    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    pub(super) fn order_share(&self) -> usize {
        self.order_share
    }

    #[inline]
    pub(super) fn sent(&mut self) {
        self.of_orders += 1;
    }

    #[inline]
    pub(super) fn answered(&mut self) {
        self.of_orders = self.of_orders.saturating_sub(1);
    }

    /// An order is gone with `due` of its messages unanswered.
    #[inline]
    pub(super) fn orphaned(&mut self, due: u8) {
        self.of_orders = self.of_orders.saturating_sub(usize::from(due));
        self.orphans += usize::from(due);
    }

    /// An answer about an order that is gone. False if none was due.
    #[inline]
    pub(super) fn late_answer(&mut self) -> bool {
        let is_due = self.orphans > 0;
        self.orphans = self.orphans.saturating_sub(1);
        is_due
    }

    #[inline]
    pub(super) fn refused(&mut self) {
        self.refusals += 1;
    }

    #[inline]
    pub(super) fn refusal_returned(&mut self) {
        self.refusals = self.refusals.saturating_sub(1);
    }
}
