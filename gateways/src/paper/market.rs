//! [`MarketBook`]: what the venue asks of the recorded book.

use spinward_engine::book::{BookConfig, BookConfigError, BookOutput, BookStage};
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

/// The engine's own book as the venue's replica.
pub struct StageBook {
    stage: BookStage,
    output: BookOutput,
}

impl StageBook {
    /// Empty books of these sizes; `config.view_levels` of 1 is enough, as the venue asks the book and not its views.
    ///
    /// # Errors
    /// [`BookConfigError`] for a value out of range.
    pub fn new(config: &BookConfig) -> Result<Self, BookConfigError> {
        Ok(Self { stage: BookStage::new(config)?, output: BookOutput::vacant() })
    }
}

impl MarketBook for StageBook {
    #[inline]
    fn on_event(&mut self, event: &Event) {
        self.stage.on_event(event, &mut self.output);
    }

    fn best(&self, instrument: InstrumentId, side: Side) -> Option<Level> {
        self.stage.best(instrument, side)
    }

    fn level(&self, instrument: InstrumentId, side: Side, price: Price) -> Option<Level> {
        self.stage.level(instrument, side, price)
    }

    fn visit_levels(&self, instrument: InstrumentId, side: Side, visit: &mut dyn FnMut(&Level) -> bool) {
        for level in self.stage.levels(instrument, side) {
            if !visit(&level) {
                break;
            }
        }
    }

    fn order(&self, instrument: InstrumentId, reference: u64) -> Option<MarketOrder> {
        let order = self.stage.order(instrument, reference)?;
        Some(MarketOrder { side: order.side, price: order.price, qty: order.qty, arrival: order.arrival })
    }

    fn newest_arrival(&self, _instrument: InstrumentId) -> u64 {
        self.stage.arrivals()
    }
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
