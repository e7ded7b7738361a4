//! The fast books against the naive ones, event by event, and each rule and formula by hand.

mod semantics;
mod formulas;
mod agreement;

use super::*;
use crate::words::{Event, EventKind, InstrumentId, Level, Nanos, Price, Qty, Side};

/// Bytes of a view that nothing has written.
const POISON: u8 = 0xA5;

fn poisoned() -> BookOutput {
    BookOutput { has_view: true, view: bytemuck::pod_read_unaligned(&[POISON; size_of::<BookView>()]) }
}

/// Sizes small enough that pools run full and slots collide.
fn small() -> BookConfig {
    BookConfig {
        view_levels: 3,
        instruments_max: 4,
        orders_max: 64,
        levels_max: 256,
        volatility_window: Nanos::new(40),
        volatility_sample: Nanos::new(10),
    }
}

/// An event that ends its group.
fn event(kind: EventKind, instrument: u32) -> Event {
    Event { flags: Event::END_OF_GROUP, ..Event::new(kind, InstrumentId::new(instrument)) }
}

fn priced(kind: EventKind, side: Option<Side>, price: i64, qty: i64) -> Event {
    Event {
        side_number: side.map_or(0, |side| side as u8),
        price: Price::from_nanos(price),
        qty: Qty::from_lots(qty),
        ..event(kind, 0)
    }
}

fn add(reference: u64, side: Side, price: i64, qty: i64) -> Event {
    Event { a: reference, ..priced(EventKind::OrderAdd, Some(side), price, qty) }
}

fn on_order(kind: EventKind, reference: u64, qty: i64) -> Event {
    Event { a: reference, ..priced(kind, None, 0, qty) }
}

fn level(side: Side, price: i64, qty: i64) -> Event {
    priced(EventKind::LevelSet, Some(side), price, qty)
}

fn trade(side: Option<Side>, price: i64, qty: i64) -> Event {
    priced(EventKind::Trade, side, price, qty)
}

fn at(time: i64, event: Event) -> Event {
    Event { receive_time: Nanos::new(time), ..event }
}

/// Both stages on the same events. Every event is compared in full.
struct Pair {
    fast: BookStage,
    naive: NaiveBookStage,
    out: BookOutput,
    instruments: u32,
}

impl Pair {
    fn new(config: &BookConfig) -> Self {
        Self {
            fast: BookStage::new(config).unwrap(),
            naive: NaiveBookStage::new(config).unwrap(),
            out: poisoned(),
            instruments: config.instruments_max as u32,
        }
    }

    /// Applies an event to both and compares what they put out and count.
    fn apply(&mut self, event: &Event) -> Option<BookView> {
        self.out = poisoned();
        let mut expected = BookOutput::vacant();
        self.fast.on_event(event, &mut self.out);
        self.naive.on_event(event, &mut expected);
        assert_eq!(self.out.has_view, expected.has_view, "{event:?}");
        match (self.out.view(), expected.view()) {
            (Some(view), Some(expected)) => assert_same_view(view, expected),
            _ => assert!(bytemuck::bytes_of(&self.out.view).iter().all(|byte| *byte == POISON)),
        }
        let counted = |counters: &BookCounters| format!("{counters:?}");
        assert_eq!(counted(&self.fast.counters()), counted(&self.naive.counters()), "after {event:?}");
        assert_eq!(self.fast.arrivals(), self.naive.arrivals());
        self.out.view().copied()
    }

    /// Applies, then compares the whole state.
    fn apply_and_check(&mut self, event: &Event) -> Option<BookView> {
        let view = self.apply(event);
        for instrument in (0..self.instruments).map(InstrumentId::new) {
            self.check(instrument);
        }
        view
    }

    fn check(&self, instrument: InstrumentId) {
        if let Err(defect) = self.fast.check(instrument) {
            panic!("{instrument}: {defect}");
        }
        for side in [Side::Buy, Side::Sell] {
            let levels: Vec<Level> = self.fast.levels(instrument, side).collect();
            assert_eq!(levels, self.naive.levels(instrument, side));
            assert_eq!(self.fast.best(instrument, side), levels.first().copied());
            for level in levels {
                assert_eq!(self.fast.level(instrument, side, level.price), Some(level));
                let queue: Vec<RestingOrder> = self.fast.queue(instrument, side, level.price).collect();
                assert_eq!(queue, self.naive.queue(instrument, side, level.price));
                for order in queue {
                    assert_eq!(self.fast.order(instrument, order.reference), Some(order));
                }
            }
        }
        assert_eq!(self.fast.state_hash(instrument), self.naive.state_hash(instrument));
    }
}

fn assert_same_view(view: &BookView, expected: &BookView) {
    let head = |view: &BookView| {
        (
            view.instrument,
            view.levels,
            view.flags,
            view.frame,
            view.receive_time,
            view.venue_time,
            view.update_id,
        )
    };
    assert_eq!(head(view), head(expected));
    assert_eq!(view.bids(), expected.bids());
    assert_eq!(view.asks(), expected.asks());
    assert_eq!(view.statistics, expected.statistics);
    let bits = |view: &BookView| view.statistics.realized_volatility.to_bits();
    assert_eq!(bits(view), bits(expected));
    // Behind the levels in use nothing was written.
    let behind = |levels: &[Level; crate::words::VIEW_LEVELS_MAX], count: u32| {
        levels
            .iter()
            .skip(count as usize)
            .flat_map(|level| bytemuck::bytes_of(level).to_vec())
            .all(|b| b == POISON)
    };
    assert!(behind(&view.bids, view.bid_count) && behind(&view.asks, view.ask_count));
}
