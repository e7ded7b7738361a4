//! Generated sessions against a venue of plain queues, and what holds for every session.

use super::super::market::{StageBook, is_better, reaches};
use super::super::testing::*;
use super::super::{MarketBook, OrderMessage, PaperConfig};
use proptest::prelude::*;
use spinward_engine::book::BookConfig;
use spinward_engine::words::{Action, Event, Report, ReportKind, Side, TimeInForce};
use std::collections::{BTreeMap, HashMap};

/// A step of a session.
#[derive(Clone, Debug)]
enum Step {
    Market(Vec<Event>),
    Ours(OrderMessage),
}

fn a_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn a_tif() -> impl Strategy<Value = TimeInForce> {
    prop_oneof![Just(TimeInForce::Day), Just(TimeInForce::Ioc), Just(TimeInForce::Fok)]
}

fn ours() -> impl Strategy<Value = Step> {
    let message = (0u8..6, 1u64..12, a_side(), 96i64..105, 1i64..20, a_tif(), any::<bool>());
    message.prop_map(|(what, number, side, at, qty, tif, post_only)| {
        Step::Ours(match what {
            0 => cancel(number, side),
            1 => OrderMessage { tif, post_only, ..change(number, number + 20, side, at, qty) },
            _ => OrderMessage { post_only, ..order(number, side, at, qty, tif) },
        })
    })
}

fn l2_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (a_side(), 96i64..105, 0i64..30).prop_map(|(side, at, qty)| level(side, at, qty)),
        1 => (0u8..3, 96i64..105, 1i64..30).prop_map(|(side, at, qty)| trade(side, at, qty)),
    ]
}

fn l2_session() -> impl Strategy<Value = Vec<Step>> {
    let market = prop::collection::vec(l2_event(), 1..4).prop_map(Step::Market);
    prop::collection::vec(prop_oneof![market, ours()], 1..80)
}

/// Bids below 100, asks from 100, so that the recorded book is never crossed.
fn l3_event() -> impl Strategy<Value = Event> {
    let passive = |side, up: i64| if side == Side::Buy { 96 + up } else { 100 + up };
    prop_oneof![
        4 => (1u64..40, a_side(), 0i64..4, 1i64..30).prop_map(move |(r, side, up, qty)| add(r, side, passive(side, up), qty)),
        3 => (1u64..40, 1i64..30).prop_map(|(r, qty)| execute(r, qty)),
        1 => (1u64..40, 1i64..30).prop_map(|(r, qty)| reduce(r, qty)),
        1 => (1u64..40).prop_map(delete),
    ]
}

/// One of a level's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Recorded(u64, i64),
    Ours(u64, i64),
}

/// A queue a price; our passive orders stand in it among the recorded ones.
#[derive(Default)]
struct QueueVenue {
    levels: BTreeMap<(bool, i64), Vec<Place>>,
    fills: Vec<(u64, i64)>,
}

impl QueueVenue {
    fn find(&self, reference: u64) -> Option<((bool, i64), usize, i64)> {
        self.levels.iter().find_map(|(key, queue)| {
            queue.iter().enumerate().find_map(|(at, place)| match place {
                Place::Recorded(r, qty) if *r == reference => Some((*key, at, *qty)),
                Place::Recorded(..) | Place::Ours(..) => None,
            })
        })
    }

    fn market(&mut self, event: &Event) {
        let at = event.price.nanos() / 1_000_000_000;
        if event.kind() == spinward_engine::words::EventKind::OrderAdd {
            if self.find(event.a).is_none() {
                let key = (event.side() == Some(Side::Buy), at);
                self.levels.entry(key).or_default().push(Place::Recorded(event.a, event.qty.lots()));
            }
            return;
        }
        let Some((key, at, rests)) = self.find(event.a) else { return };
        let is_delete = event.kind() == spinward_engine::words::EventKind::OrderDelete;
        let lost = if is_delete { rests } else { rests.min(event.qty.lots()) };
        if event.kind() == spinward_engine::words::EventKind::OrderExecute {
            // The aggressor meets better prices first, then the queue up to the order that it hit.
            let mut keys: Vec<_> = self.levels.keys().copied().filter(|k| k.0 == key.0).collect();
            keys.sort_by_key(|k| if k.0 { -k.1 } else { k.1 });
            let mut left = lost;
            for this in keys.into_iter().take_while(|this| *this != key).chain([key]) {
                let until = if this == key { at } else { usize::MAX };
                let queue = self.levels.get_mut(&this).unwrap();
                for place in queue.iter_mut().take(until) {
                    if let Place::Ours(number, open) = place {
                        let filled = left.min(*open);
                        *open -= filled;
                        left -= filled;
                        if filled > 0 {
                            self.fills.push((*number, filled));
                        }
                    }
                }
            }
        }
        let queue = self.levels.get_mut(&key).unwrap();
        if let Place::Recorded(_, qty) = &mut queue[at] {
            *qty -= lost;
        }
        for queue in self.levels.values_mut() {
            queue.retain(|place| !matches!(place, Place::Recorded(_, 0) | Place::Ours(_, 0)));
        }
    }

    fn ours(&mut self, message: &OrderMessage) {
        let at = message.price.nanos() / 1_000_000_000;
        match message.action {
            Action::Cancel => {
                for queue in self.levels.values_mut() {
                    queue.retain(|p| !matches!(p, Place::Ours(n, _) if *n == message.order.number()));
                }
            }
            Action::New | Action::Replace => {
                let key = (message.side == Side::Buy, at);
                let place = Place::Ours(message.order.number(), message.qty.lots());
                self.levels.entry(key).or_default().push(place);
            }
        }
    }

    /// Open and ahead of our orders, by id.
    fn standing(&self) -> BTreeMap<u64, (i64, i64)> {
        let mut found = BTreeMap::new();
        for queue in self.levels.values() {
            let mut ahead = 0;
            for place in queue {
                match place {
                    Place::Recorded(_, qty) => ahead += qty,
                    Place::Ours(number, open) => {
                        found.insert(*number, (*open, ahead));
                    }
                }
            }
        }
        found
    }
}

fn stage_book() -> StageBook {
    let config = BookConfig {
        instruments_max: 4,
        orders_max: 256,
        levels_max: 256,
        view_levels: 1,
        ..BookConfig::default()
    };
    StageBook::new(&config).unwrap()
}

/// Runs a session and checks after each step what must hold in every one.
fn conserves<B: MarketBook>(steps: &[Step], book: B) -> Vec<Report> {
    let config = PaperConfig { orders_max: 6, taken_levels_max: 5, ..near() };
    let mut bench = Bench::new(&config, book);
    let mut recorded = NaiveBook::default();
    let mut open: HashMap<u64, i64> = HashMap::new();
    let mut all = Vec::new();
    let mut last_exec = 0;
    for step in steps {
        let reports = match step {
            Step::Market(events) => {
                let reports = bench.market(events);
                events.iter().for_each(|event| recorded.on_event(event));
                assert!(reports.iter().all(|r| r.kind() == Some(ReportKind::Filled) && r.is_maker()));
                reports
            }
            Step::Ours(message) => {
                let before: HashMap<i64, i64> = (90..110)
                    .map(|at| {
                        let side = message.side.opposite();
                        let shown = recorded.level(ACME, side, price(at)).map_or(0, |l| l.qty.lots());
                        (at, shown - bench.venue.taken_at(ACME, side, price(at)).lots())
                    })
                    .collect();
                let reports = bench.send(*message);
                let (good, bad) = match message.action {
                    Action::New => (ReportKind::Accepted, ReportKind::Rejected),
                    Action::Cancel => (ReportKind::Cancelled, ReportKind::CancelRejected),
                    Action::Replace => (ReportKind::Replaced, ReportKind::ReplaceRejected),
                };
                let first = reports.first().and_then(|r| r.kind()).unwrap();
                assert!(first == good || first == bad, "{first:?}");
                let firsts = reports
                    .iter()
                    .filter(|r| ![ReportKind::Filled, ReportKind::Cancelled].contains(&r.kind().unwrap()));
                assert_eq!(firsts.count(), usize::from(first != ReportKind::Cancelled), "one first answer");
                let mut filled = 0;
                for fill in reports.iter().filter(|r| r.kind() == Some(ReportKind::Filled)) {
                    let at = fill.price.nanos() / 1_000_000_000;
                    assert!(!fill.is_maker() && reaches(message.side, message.price, fill.price));
                    assert!(fill.qty.lots() <= before[&at], "more than was there at {at}");
                    filled += fill.qty.lots();
                }
                let there: i64 = before
                    .iter()
                    .filter(|(at, qty)| reaches(message.side, message.price, price(**at)) && **qty > 0)
                    .map(|(_, qty)| qty)
                    .sum();
                assert!(!message.post_only || filled == 0);
                match message.tif {
                    TimeInForce::Fok if message.action != Action::Cancel => {
                        assert!(filled == 0 || filled == message.qty.lots());
                    }
                    TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok => {
                        assert!(filled <= there.min(message.qty.lots()))
                    }
                }
                reports
            }
        };
        for report in &reports {
            let number = report.order.number();
            match report.kind().unwrap() {
                ReportKind::Accepted => assert_eq!(open.insert(number, report.qty.lots()), None),
                ReportKind::Replaced => {
                    assert!(open.remove(&number).is_some());
                    assert_eq!(open.insert(report.new_order.number(), report.qty.lots()), None);
                }
                ReportKind::Filled => {
                    assert!(report.exec.get() > last_exec);
                    last_exec = report.exec.get();
                    let left = open.get_mut(&number).unwrap();
                    *left -= report.qty.lots();
                    assert!(report.qty.lots() > 0 && *left >= 0 && *left == report.leaves.lots());
                    if *left == 0 {
                        open.remove(&number);
                    }
                }
                ReportKind::Cancelled => assert_eq!(open.remove(&number), Some(report.qty.lots())),
                ReportKind::Rejected | ReportKind::CancelRejected | ReportKind::ReplaceRejected => {}
            }
        }
        let mut standing: HashMap<u64, i64> = HashMap::new();
        for side in [Side::Buy, Side::Sell] {
            let orders = bench.venue.standing(ACME, side);
            for pair in orders.windows(2) {
                assert!(!is_better(side, pair[1].price, pair[0].price), "price before time");
            }
            for order in &orders {
                assert!(order.ahead.lots() >= 0);
                standing.insert(order.order.number(), order.open.lots());
            }
            for at in 90..110 {
                let taken = bench.venue.taken_at(ACME, side, price(at)).lots();
                let shown = recorded.level(ACME, side, price(at)).map_or(0, |l| l.qty.lots());
                assert!(taken <= shown, "taken {taken} of {shown}");
            }
        }
        assert_eq!(standing, open, "what stands is what the reports say");
        all.extend(reports);
    }
    assert_eq!(bench.venue.counters().reports_lost.value(), 0);
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    #[test]
    fn every_l2_session_conserves_quantities_and_the_engines_book_gives_the_same(steps in l2_session()) {
        let naive = conserves(&steps, NaiveBook::default());
        prop_assert_eq!(naive, conserves(&steps, stage_book()));
    }

    #[test]
    fn what_is_taken_of_a_level_never_exceeds_what_was_added_to_it(
        steps in prop::collection::vec((any::<bool>(), 0i64..20), 1..60),
    ) {
        let mut bench = Bench::new(&near(), NaiveBook::default());
        let (mut shown, mut added, mut taken) = (0, 0, 0);
        for (number, (is_market, qty)) in steps.into_iter().enumerate() {
            if is_market {
                bench.market(&[level(Side::Sell, 100, qty)]);
                added += (qty - shown).max(0);
                shown = qty;
            } else {
                let reports = bench.send(order(1 + number as u64, Side::Buy, 100, qty.max(1), TimeInForce::Ioc));
                let fills = reports.iter().filter(|r| r.kind() == Some(ReportKind::Filled));
                taken += fills.map(|r| r.qty.lots()).sum::<i64>();
            }
            prop_assert!(taken <= added, "taken {} of {}", taken, added);
        }
    }

    #[test]
    fn an_l3_queue_is_exact(
        steps in prop::collection::vec(
            prop_oneof![
                4 => l3_event().prop_map(|event| Step::Market(vec![event])),
                // Passive only: bids up to 99, asks from 100.
                1 => (1u64..30, a_side(), 0i64..4, 1i64..20).prop_map(|(number, side, up, qty)| {
                    Step::Ours(order(number, side, if side == Side::Buy { 96 + up } else { 100 + up }, qty, TimeInForce::Day))
                }),
                1 => (1u64..30, a_side()).prop_map(|(number, side)| Step::Ours(cancel(number, side))),
            ],
            1..150,
        ),
    ) {
        let mut bench = Bench::new(&near(), stage_book());
        let mut naive = QueueVenue::default();
        let mut live = Vec::new();
        for step in steps {
            match step {
                Step::Market(events) => {
                    // A reference is never used for two live orders.
                    let is_again = events.iter().any(|e| e.kind() == spinward_engine::words::EventKind::OrderAdd && naive.find(e.a).is_some());
                    if is_again {
                        continue;
                    }
                    let fills: Vec<_> = bench.market(&events).iter().map(|r| (r.order.number(), r.qty.lots())).collect();
                    events.iter().for_each(|event| naive.market(event));
                    prop_assert_eq!(fills, std::mem::take(&mut naive.fills));
                }
                Step::Ours(message) => {
                    let number = message.order.number();
                    if message.action == Action::New && live.contains(&number) {
                        continue;
                    }
                    live.push(number);
                    let reports = bench.send(message);
                    let is_taken = reports[0].code_number == 0;
                    if is_taken {
                        naive.ours(&message);
                    }
                }
            }
            let mut found = BTreeMap::new();
            for side in [Side::Buy, Side::Sell] {
                found.extend(bench.queue(side).into_iter().map(|(number, open, ahead)| (number, (open, ahead))));
            }
            prop_assert_eq!(found, naive.standing());
        }
    }
}
