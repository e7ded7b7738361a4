//! Our messages as OUCH has them.

use super::desk::Order;
use super::names::name_of;
use crate::itch50::{Be32, Mpid, Stock};
use crate::ouch50::{
    Appendage, AppendageWriter, CancelOrder, Capacity, CrossType, Display, EnableOrderEntry, EnterOrder,
    Inbound, Option50, OuchPrice, PostOnly, ReplaceOrder, SideCode, TimeInForce as Lifetime,
};
use crate::paper::OrderMessage;
use spinward_engine::words::{Price, Qty, Side, TimeInForce};

/// Largest order (OUCH 5.0: less than 1,000,000).
const SHARES_MAX: i64 = 999_999;

/// Bytes of the longest message that is written here.
pub(super) const SENT_BYTES_MAX: usize = 64;

/// One message of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoded {
    bytes: [u8; SENT_BYTES_MAX],
    length: usize,
}

impl Encoded {
    fn of(message: Inbound<'_>, appendage: Appendage<'_>) -> Self {
        let mut bytes = [0; SENT_BYTES_MAX];
        let length = message.encode(appendage, &mut bytes);
        Self { bytes, length }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn shares(qty: i64) -> Option<Be32> {
    u32::try_from(qty).ok().filter(|_| (1..=SHARES_MAX).contains(&qty)).map(Be32::new)
}

fn limit(price: Price) -> Option<OuchPrice> {
    OuchPrice::from_price(price).filter(|price| (1..=OuchPrice::LIMIT_MAX.get()).contains(&price.get()))
}

fn side_of(side: Side) -> u8 {
    // Whether a sale is a short one is the firm's to mark and to locate; every sale here is marked long.
    match side {
        Side::Buy => SideCode::Buy.code(),
        Side::Sell => SideCode::Sell.code(),
    }
}

/// A new order. `None` if OUCH cannot say it.
pub(super) fn enter(
    message: &OrderMessage,
    user_ref: u32,
    symbol: Stock,
    capacity: Capacity,
) -> Option<Encoded> {
    let quantity = shares(message.qty.lots())?;
    let mut options = AppendageWriter::new();
    if message.post_only && !options.push(&Option50::PostOnly(PostOnly::PostOnly.code())) {
        return None;
    }
    let lifetime = match message.tif {
        TimeInForce::Day => Lifetime::Day,
        TimeInForce::Ioc => Lifetime::ImmediateOrCancel,
        TimeInForce::Fok => {
            // All of it or nothing, at once.
            if !options.push(&Option50::MinQty(quantity)) {
                return None;
            }
            Lifetime::ImmediateOrCancel
        }
    };
    let order = EnterOrder {
        user_ref: Be32::new(user_ref),
        side: side_of(message.side),
        quantity,
        symbol,
        price: limit(message.price)?,
        time_in_force: lifetime.code(),
        display: Display::Visible.code(),
        capacity: capacity.code(),
        sweep: b'N',
        cross_type: CrossType::Continuous.code(),
        cl_ord_id: name_of(message.order),
    };
    Some(Encoded::of(Inbound::from(&order), options.appendage()))
}

/// An order in the place of another. The venue counts what the chain has executed, the engine what is to be open.
pub(super) fn replace(message: &OrderMessage, original: &Order, user_ref: u32) -> Option<Encoded> {
    let whole = message.qty.saturating_add(Qty::from_lots(original.executed));
    let order = ReplaceOrder {
        original: Be32::new(original.user_ref),
        user_ref: Be32::new(user_ref),
        quantity: shares(whole.lots()).filter(|_| message.qty > Qty::ZERO)?,
        price: limit(message.price)?,
        time_in_force: Lifetime::Day.code(),
        display: Display::Visible.code(),
        sweep: b'N',
        cl_ord_id: name_of(message.new_order),
    };
    Some(Encoded::of(Inbound::from(&order), Appendage::EMPTY))
}

/// A request that changes nothing and whose answer, or rejection, brings its number back: order entry, which is enabled, is enabled.
pub(super) fn marker(user_ref: u32) -> Encoded {
    let request = EnableOrderEntry { user_ref: Be32::new(user_ref), firm: Mpid::new("").unwrap_or_default() };
    Encoded::of(Inbound::from(&request), Appendage::ABSENT)
}

/// A cancel of all of an order.
pub(super) fn cancel(user_ref: u32) -> Encoded {
    let order = CancelOrder { user_ref: Be32::new(user_ref), quantity: Be32::new(0) };
    Encoded::of(Inbound::from(&order), Appendage::ABSENT)
}
