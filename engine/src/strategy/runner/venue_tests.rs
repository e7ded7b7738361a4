//! The bounds of a strategy against a venue that answers at random.

use super::super::fixture::*;
use super::super::{Change, OrderRequest, WorkingOrder};
use super::*;
use crate::words::{Action, Intent, OrderId, Qty, ReportKind, TimeInForce};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};

fn request(qty: usize) -> OrderRequest {
    OrderRequest {
        instrument: id(0),
        side: Side::Buy,
        price: ticks(99),
        qty: Qty::from_lots(qty as i64),
        tif: TimeInForce::Day,
        post_only: true,
        reduce_only: false,
    }
}

/// Asks for everything at random, and fails where a cancel that should always be possible is not.
struct Restless {
    random: Random,
    max_in_flight: usize,
}

impl Restless {
    fn act(&mut self, context: &mut Context<'_>) {
        let orders: Vec<WorkingOrder> = context.orders().copied().collect();
        let mut given = 0;
        for _ in 0..self.random.below(7) {
            let pick = orders.get(self.random.below(orders.len().max(1)));
            let done = match (self.random.below(4), pick) {
                (0, Some(order)) => {
                    let was_pending = context.order(order.id).unwrap().change != Change::None;
                    let at_limit = context.in_flight() >= self.max_in_flight;
                    let cancelled = context.cancel(order.id);
                    if !was_pending && given < INTENTS_PER_STRATEGY_MAX {
                        assert_eq!(cancelled, Ok(()), "a cancel passes, at the limit: {at_limit}");
                    }
                    cancelled.is_ok()
                }
                (1, Some(order)) => context
                    .replace(order.id, ticks(90), Qty::from_lots(1 + self.random.below(4) as i64))
                    .is_ok(),
                _ => context.new_order(request(1 + self.random.below(4))).is_ok(),
            };
            given += usize::from(done);
        }
    }
}

impl Strategy for Restless {
    fn on_timer(&mut self, context: &mut Context<'_>) {
        self.act(context);
    }
    fn on_report(&mut self, context: &mut Context<'_>, _: &Report) {
        self.act(context);
    }
}

/// A venue that answers in any order, fills, cancels on its own and repeats itself. Its own books are the truth to compare with.
#[derive(Default)]
struct Venue {
    waiting: Vec<Intent>,
    standing: BTreeMap<OrderId, i64>,
    last_fill: Option<Report>,
    execs: u64,
    position: i64,
}

impl Venue {
    fn speak(&mut self, random: &mut Random) -> Option<Report> {
        let standing: Vec<OrderId> = self.standing.keys().copied().collect();
        let pick = standing.get(random.below(standing.len().max(1))).copied();
        let of_order =
            |order| Intent { order, instrument: id(0), side_number: Side::Buy as u8, ..Intent::default() };
        match (random.below(8), pick) {
            (0 | 1, Some(order)) => {
                let open = self.standing.get_mut(&order)?;
                let qty = 1 + random.below(*open as usize) as i64;
                *open -= qty;
                self.position += qty;
                self.execs += 1;
                let report = fill(&of_order(order), order, self.execs, qty, *open);
                self.standing.retain(|_, open| *open > 0);
                self.last_fill = Some(report);
                Some(report)
            }
            (2, Some(order)) => {
                self.standing.remove(&order);
                Some(report(&of_order(order), ReportKind::Cancelled))
            }
            (3, _) => self.last_fill,
            _ if self.waiting.is_empty() => None,
            _ => {
                let intent = self.waiting.swap_remove(random.below(self.waiting.len()));
                Some(self.answer(&intent, random.below(4) > 0))
            }
        }
    }

    fn answer(&mut self, intent: &Intent, yes: bool) -> Report {
        let stands = self.standing.contains_key(&intent.order);
        let kind = match intent.action().unwrap() {
            Action::New if yes => {
                self.standing.insert(intent.order, intent.qty.lots());
                ReportKind::Accepted
            }
            Action::New => ReportKind::Rejected,
            Action::Cancel if yes && stands => {
                self.standing.remove(&intent.order);
                ReportKind::Cancelled
            }
            Action::Cancel => ReportKind::CancelRejected,
            Action::Replace if yes && stands => {
                self.standing.remove(&intent.order);
                self.standing.insert(intent.new_order, intent.qty.lots());
                ReportKind::Replaced
            }
            Action::Replace => ReportKind::ReplaceRejected,
        };
        report(intent, kind)
    }
}

/// Asks the runner's strategy what it knows, without acting.
struct Inspector {
    inner: Restless,
    tell: Sender<(Vec<(OrderId, i64)>, i64)>,
}

impl Strategy for Inspector {
    fn on_timer(&mut self, context: &mut Context<'_>) {
        self.inner.on_timer(context);
    }
    fn on_report(&mut self, context: &mut Context<'_>, report: &Report) {
        let shown = context.orders().filter(|order| order.acknowledged && order.open > Qty::ZERO);
        let known = shown.map(|order| (order.id, order.open.lots())).collect();
        self.tell.send((known, context.position(id(0)).lots())).unwrap();
        self.inner.on_report(context, report);
    }
}

proptest! {
    #[test]
    fn the_bound_in_flight_holds_whatever_the_venue_does_and_cancels_pass(
        seed in any::<u64>(), max_in_flight in 1usize..6, max_open_orders in 1usize..8,
    ) {
        let mut random = Random(seed);
        let (tell, known) = channel();
        let inner = Restless { random: Random(!seed), max_in_flight };
        let mut slot = slot(2, Box::new(Inspector { inner, tell }), &[0]);
        (slot.max_in_flight, slot.max_open_orders) = (max_in_flight, max_open_orders);
        let mut rig = Rig::new(vec![slot]);
        let mut venue = Venue::default();
        let mut last_number = 0;
        let mut most = 0;
        for _ in 0..400 {
            let intents = match venue.speak(&mut random) {
                Some(report) => {
                    let intents = rig.report(&report);
                    for (mut orders, position) in known.try_iter() {
                        orders.sort();
                        let standing: Vec<_> = venue.standing.iter().map(|(id, open)| (*id, *open)).collect();
                        prop_assert_eq!(orders, standing, "the venue's book is the truth");
                        prop_assert_eq!(position, venue.position);
                    }
                    intents
                }
                None => rig.timer(),
            };
            for intent in &intents {
                let number = match intent.action().unwrap() {
                    Action::New => intent.order.number(),
                    Action::Replace => intent.new_order.number(),
                    Action::Cancel => continue,
                };
                prop_assert_eq!(number, last_number + 1, "ids ascend without a hole");
                last_number = number;
            }
            venue.waiting.extend(intents);
            let unanswered = venue.waiting.iter().filter(|intent| intent.action() != Some(Action::Cancel)).count();
            prop_assert!(unanswered <= max_in_flight, "{unanswered} in flight");
            most = most.max(unanswered);
            for order in venue.standing.keys() {
                let cancels = venue.waiting.iter().filter(|intent| intent.order == *order).count();
                prop_assert!(cancels <= 1, "one change at a time");
            }
            let new_orders = venue.waiting.iter().filter(|intent| intent.action() == Some(Action::New)).count();
            prop_assert!(venue.standing.len() + new_orders <= max_open_orders);
        }
        prop_assert!(most >= 1, "the test must not pass by doing nothing");
    }
}
