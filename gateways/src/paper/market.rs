//! [`MarketBook`]: what the venue asks of the recorded book.

use spinward_engine::words::{Event, InstrumentId, Level, Price, Qty, Side};

/// One recorded order (L3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarketOrder {
    /// Buy or sell.
    pub side: Side,
    /// Its price.
    pub price: Price,
    /// What is left of it.
    pub qty: Qty,
    /// Its place in time: an order that joined a level of this instrument later has a greater number.
    pub arrival: u64,
}

/// A replica of the recorded book: the recorded market alone, without our orders.
pub trait MarketBook: Send {
    /// Applies an event.
    fn on_event(&mut self, event: &Event);

    /// The best level of a side.
    fn best(&self, instrument: InstrumentId, side: Side) -> Option<Level>;

    /// The level at this price.
    fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<Level>;

    /// Shows the levels of a side, best first, until `visit` says false.
    fn visit_levels(&self, instrument: InstrumentId, side: Side, visit: &mut dyn FnMut(&Level) -> bool);

    /// A recorded order that rests (L3).
    fn order(&self, instrument: InstrumentId, reference: u64) -> Option<MarketOrder>;

    /// At least the arrival of every order that rests now in this instrument, and below that of every later one.
    fn newest_arrival(&self, instrument: InstrumentId) -> u64;
}

/// Whether `price` has priority over `other` on this side.
#[inline]
pub(super) fn is_better(side: Side, price: Price, other: Price) -> bool {
    match side {
        Side::Buy => price > other,
        Side::Sell => price < other,
    }
}

/// Whether an order of `side` with this limit can trade at `price`.
#[inline]
pub(super) fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => limit >= price,
        Side::Sell => limit <= price,
    }
}

/// Number of the list of this instrument and side.
#[inline]
pub(super) fn list_of(instrument: InstrumentId, side: Side) -> usize {
    instrument.index().saturating_mul(2).saturating_add(usize::from(side == Side::Sell))
}
