//! [`OrderMessage`]: an approved order in plain fields. It never leaves the crate: from outside only an
//! [`ApprovedOrder`] makes one.

use spinward_engine::risk::ApprovedOrder;
use spinward_engine::words::{Action, InstrumentId, Nanos, OrderId, Price, Qty, Side, TimeInForce};

/// A message of ours to the venue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OrderMessage {
    pub(crate) action: Action,
    pub(crate) order: OrderId,
    pub(crate) new_order: OrderId,
    pub(crate) instrument: InstrumentId,
    pub(crate) side: Side,
    pub(crate) tif: TimeInForce,
    pub(crate) post_only: bool,
    pub(crate) price: Price,
    pub(crate) qty: Qty,
    pub(crate) decided: Nanos,
    pub(crate) valid_until: Nanos,
    pub(crate) frame: u64,
    /// Decided after the end of the market: new orders and replaces are refused.
    pub(crate) after_close: bool,
}

impl OrderMessage {
    /// The id that stands in the market if it is accepted.
    pub(crate) fn entering(&self) -> OrderId {
        match self.action {
            Action::Replace => self.new_order,
            Action::New | Action::Cancel => self.order,
        }
    }
}

impl From<&ApprovedOrder> for OrderMessage {
    fn from(order: &ApprovedOrder) -> Self {
        Self {
            action: order.action(),
            order: order.order(),
            new_order: order.new_order(),
            instrument: order.instrument(),
            side: order.side(),
            tif: order.tif(),
            post_only: order.is_post_only(),
            price: order.price(),
            qty: order.qty(),
            decided: order.decided(),
            valid_until: order.valid_until(),
            frame: order.frame(),
            after_close: false,
        }
    }
}
