//! [`PlainBook`]: the book that one writes first: a hash map of orders, a tree of levels a side. A control for the books that carries a full market; the naive
//! books of the engine are an oracle, and look at every instrument at every event.

use spinward_engine::words::{Event, EventKind, Side};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Copy)]
struct Order {
    instrument: u32,
    is_bid: bool,
    price: i64,
    qty: i64,
}

/// Books of all instruments: levels by price, and nothing but quantities in them.
#[derive(Default)]
pub(crate) struct PlainBook {
    orders: HashMap<u64, Order>,
    sides: HashMap<(u32, bool), BTreeMap<i64, i64>>,
}

impl PlainBook {
    /// Applies an order event and gives the best level of both sides, as a view begins with; `None` for other events.
    pub(crate) fn on_event(&mut self, event: &Event) -> Option<[(i64, i64); 2]> {
        let reference = event.a;
        let instrument = match event.kind() {
            EventKind::OrderAdd => {
                let order = Order {
                    instrument: event.instrument.get(),
                    is_bid: event.side() == Some(Side::Buy),
                    price: event.price.nanos(),
                    qty: event.qty.lots(),
                };
                self.add(reference, order);
                order.instrument
            }
            EventKind::OrderExecute | EventKind::OrderExecuteAt | EventKind::OrderReduce => {
                self.take(reference, Some(event.qty.lots()))?.instrument
            }
            EventKind::OrderDelete => self.take(reference, None)?.instrument,
            EventKind::OrderReplace => {
                let old = self.take(reference, None)?;
                let order = Order { price: event.price.nanos(), qty: event.qty.lots(), ..old };
                self.add(event.b, order);
                old.instrument
            }
            EventKind::LevelSet
            | EventKind::BookClear
            | EventKind::Trade
            | EventKind::Quote
            | EventKind::Gap
            | EventKind::Status
            | EventKind::Ignored
            | EventKind::Definition
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Link
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery => return None,
        };
        let best = |is_bid: bool| {
            let levels = self.sides.get(&(instrument, is_bid));
            let found = levels
                .and_then(|levels| if is_bid { levels.last_key_value() } else { levels.first_key_value() });
            found.map_or((0, 0), |(price, qty)| (*price, *qty))
        };
        Some([best(true), best(false)])
    }

    fn add(&mut self, reference: u64, order: Order) {
        self.orders.insert(reference, order);
        let side = self.sides.entry((order.instrument, order.is_bid)).or_default();
        *side.entry(order.price).or_default() += order.qty;
    }

    /// Takes so much, or all, off an order; gives the order as it was.
    fn take(&mut self, reference: u64, qty: Option<i64>) -> Option<Order> {
        let order = self.orders.get_mut(&reference)?;
        let was = *order;
        let taken = qty.unwrap_or(was.qty).min(was.qty);
        order.qty -= taken;
        if order.qty == 0 {
            self.orders.remove(&reference);
        }
        let side = self.sides.get_mut(&(was.instrument, was.is_bid))?;
        let level = side.get_mut(&was.price)?;
        *level -= taken;
        if *level == 0 {
            side.remove(&was.price);
        }
        Some(was)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Market;
    use crate::suites::decoded;
    use spinward_engine::book::{BookOutput, BookStage};
    use spinward_gateways::synthetic::SyntheticConfig;

    #[test]
    fn the_plain_book_has_the_best_quotes_of_the_books_it_is_a_control_of() {
        let config = SyntheticConfig { live_orders: 800, symbols: 20, ..Market::hot(3) };
        let market = Market::generate(&config, 20_000).unwrap();
        let (opening, events) = decoded(&market).unwrap();
        let mut stage = BookStage::new(&crate::parts::book_config(&market)).unwrap();
        let (mut plain, mut out) = (PlainBook::default(), BookOutput::vacant());
        let mut compared = 0;
        for event in opening.iter().chain(&events) {
            stage.on_event(event, &mut out);
            let (Some(best), Some(view)) = (plain.on_event(event), out.view()) else { continue };
            let of = |level: &spinward_engine::words::Level| (level.price.nanos(), level.qty.lots());
            let found = [view.best_bid(), view.best_ask()].map(|level| level.map_or((0, 0), of));
            assert_eq!(best, found, "event {event:?}");
            compared += 1;
        }
        assert!(compared > 15_000, "{compared}");
    }
}
