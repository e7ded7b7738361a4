//! The naive books as the venue's replica of the market.

use spinward_engine::book::{BookConfig, BookOutput, NaiveBookStage};
use spinward_engine::words::{Event, InstrumentId, Level, Price, Side};
use spinward_gateways::paper::{MarketBook, MarketOrder};

/// The naive books as the venue's replica: the naive session shares no book with the fast one.
pub(crate) struct NaiveMarket {
    stage: NaiveBookStage,
    output: BookOutput,
}

impl NaiveMarket {
    pub(crate) fn new(config: &BookConfig) -> Self {
        Self { stage: NaiveBookStage::new(config).unwrap(), output: BookOutput::vacant() }
    }
}

impl MarketBook for NaiveMarket {
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

    fn newest_arrival(&self, _: InstrumentId) -> u64 {
        self.stage.arrivals()
    }
}
