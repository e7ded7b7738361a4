use super::super::fixture::*;
use super::*;
use crate::words::{Action, Intent, MarketStatus, RecoveredKind, RecoveredRecord, RejectCode, StrategyId};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde::de::value::{Error, MapDeserializer};

fn parameters() -> MarketMakerParameters {
    MarketMakerParameters {
        quote_qty: 10,
        position_limit: 50,
        half_spread_ticks: 3,
        half_spread_ppm: 0,
        skew_milliticks_per_lot: 100,
        requote_threshold_ticks: 1,
        min_requote_interval_us: 1_000,
        pause_after_reject_ms: 100,
    }
}

fn rig(change: impl FnOnce(&mut MarketMakerParameters)) -> Rig {
    let mut parameters = parameters();
    change(&mut parameters);
    let mut rig = Rig::new(vec![slot(1, Box::new(MarketMaker::new(parameters).unwrap()), &[0])]);
    rig.wait_ms(10);
    rig
}

/// Best bid and offer round tick 10 000 + `shift`, two ticks apart, equal sizes: the microprice is in the middle.
fn balanced(shift: i64) -> BookView {
    view(id(0), &[(9_999 + shift, 5)], &[(10_001 + shift, 5)])
}

/// Prices (in ticks) and quantities of the two sides.
fn quotes(intents: &[Intent]) -> [Option<(i64, i64)>; 2] {
    [Side::Buy, Side::Sell].map(|side| {
        of_side(intents, side).map(|intent| {
            assert_eq!(intent.price.nanos() % TICK, 0, "on the grid");
            (intent.price.nanos() / TICK, intent.qty.lots())
        })
    })
}

fn with_position(rig: &mut Rig, lots: i64) {
    rig.recover(&RecoveredRecord {
        instrument: id(0),
        qty: Qty::from_lots(lots),
        ..recovered(RecoveredKind::Position, 1)
    });
}

#[test]
fn it_quotes_both_sides_round_the_microprice_as_maker() {
    let intents = rig(|_| {}).book(&balanced(0));
    assert_eq!(quotes(&intents), [Some((9_997, 10)), Some((10_003, 10))]);
    assert!(intents.iter().all(|intent| intent.is_post_only() && intent.tif() == Some(TimeInForce::Day)));
}

#[test]
fn prices_are_rounded_outward() {
    // Bids three times the asks: the microprice is half a tick above the middle, 10 000.5.
    let intents = rig(|_| {}).book(&view(id(0), &[(9_999, 15)], &[(10_001, 5)]));
    assert_eq!(quotes(&intents), [Some((9_997, 10)), Some((10_004, 10))], "9 997.5 down, 10 003.5 up");
}

#[test]
fn the_wider_of_the_two_half_spreads_counts() {
    // 1 000 ppm of 100.00 is ten ticks.
    let intents = rig(|parameters| parameters.half_spread_ppm = 1_000).book(&balanced(0));
    assert_eq!(quotes(&intents), [Some((9_990, 10)), Some((10_010, 10))]);
}

#[test]
fn quotes_lean_against_the_position() {
    let shifted = |position| {
        let mut rig = rig(|_| {});
        with_position(&mut rig, position);
        quotes(&rig.book(&balanced(0)))
    };
    // A tenth of a tick a lot.
    assert_eq!(shifted(20), [Some((9_995, 10)), Some((10_001, 10))], "long: lower, to sell");
    assert_eq!(shifted(-20), [Some((9_999, 10)), Some((10_005, 10))], "short: higher, to buy");
    assert_eq!(shifted(45)[0].map(|(_, qty)| qty), Some(5), "what the position limit leaves");
    assert_eq!(shifted(50)[0], None, "nothing is left");
    assert_eq!(shifted(-50)[1], None);
}

#[test]
fn a_standing_quote_moves_only_beyond_the_threshold() {
    let mut rig = rig(|_| {});
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    rig.wait_ms(10);
    assert_eq!(rig.book(&balanced(1)), [], "one tick away is within the threshold");
    let moved = rig.book(&balanced(2));
    assert_eq!(moved.iter().map(Intent::action).collect::<Vec<_>>(), [Some(Action::Replace); 2]);
    assert_eq!(quotes(&moved), [Some((9_999, 10)), Some((10_005, 10))]);
    assert_eq!(rig.book(&balanced(9)), [], "not while the replaces are under way");
    rig.wait_ms(10);
    let again = rig.accept(&moved);
    assert_eq!(quotes(&again), [Some((10_006, 10)), Some((10_012, 10))], "caught up at the answer");
}

#[test]
fn requotes_keep_their_distance_in_time_and_the_timer_catches_up() {
    let mut rig = rig(|parameters| parameters.min_requote_interval_us = 20_000);
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    rig.wait_ms(19);
    assert_eq!(rig.book(&balanced(5)), []);
    rig.wait_ms(1);
    assert_eq!(quotes(&rig.timer()), [Some((10_002, 10)), Some((10_008, 10))], "no further view was needed");
}

#[test]
fn it_withdraws_when_the_view_cannot_be_traded_on_and_comes_back() {
    let mut rig = rig(|_| {});
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    let mut quarantined = balanced(0);
    quarantined.flags |= BookView::QUARANTINED;
    let cancels = rig.book(&quarantined);
    assert_eq!(cancels.iter().map(Intent::action).collect::<Vec<_>>(), [Some(Action::Cancel); 2]);
    assert_eq!(rig.book(&quarantined), [], "once");
    rig.wait_ms(200);
    assert_eq!(rig.accept(&cancels), [], "and stays out");
    assert_eq!(rig.timer(), []);
    let mut whole = balanced(0);
    whole.flags = 0;
    assert_eq!(rig.book(&whole).len(), 2, "even if the best prices are what they were");
}

#[test]
fn it_withdraws_on_a_gap_a_lost_link_and_a_halt_without_a_view() {
    let stop = |rig: &mut Rig, kind, a| {
        let event = crate::words::Event { a, ..crate::words::Event::new(kind, InstrumentId::ALL) };
        rig.event(event, &Default::default(), None)
    };
    use crate::words::EventKind::{Gap, Link, Status};
    let quarantined = MarketStatus::Quarantined as u64;
    for (kind, a) in [(Gap, 3), (Link, 0), (Status, quarantined), (Status, MarketStatus::Halted as u64)] {
        let mut rig = rig(|_| {});
        let intents = rig.book(&balanced(0));
        rig.accept(&intents);
        let cancels = stop(&mut rig, kind, a);
        assert_eq!(cancels.iter().filter(|i| i.action() == Some(Action::Cancel)).count(), 2, "{kind:?} {a}");
        rig.accept(&cancels);
        rig.wait_ms(100);
        assert_eq!(rig.timer(), [], "the view before the {kind:?} is not to be relied on");
        let returns = rig.book(&balanced(0)).len();
        let is_halted = kind == Status && a != quarantined;
        assert_eq!(returns, if is_halted { 0 } else { 2 }, "{kind:?} {a}");
        if is_halted {
            rig.status(id(0), MarketStatus::Trading);
            assert_eq!(rig.book(&balanced(1)).len() + rig.timer().len(), 0, "entered at the status already");
        }
    }
}

#[test]
fn a_cancel_comes_before_any_waiting() {
    // The predecessor's placement gate returned before the cancel branch: an order was left standing for 41 s.
    let mut rig = rig(|parameters| parameters.min_requote_interval_us = 3_000_000_000);
    let intents = rig.book(&balanced(0));
    assert_eq!(rig.book(&balanced(0)), [], "unanswered orders are orders: no second pair");
    let mut quarantined = balanced(0);
    quarantined.flags |= BookView::QUARANTINED;
    assert_eq!(rig.book(&quarantined).len(), 2, "not yet acknowledged, within the interval");
    assert_eq!(intents.len(), 2);
}

#[test]
fn a_refused_order_is_followed_by_a_pause() {
    let mut rig = rig(|_| {});
    let intents = rig.book(&balanced(0));
    let refused: Vec<Intent> =
        intents.iter().flat_map(|i| rig.report(&report(i, ReportKind::Rejected))).collect();
    assert_eq!(refused, []);
    rig.wait_ms(99);
    assert_eq!(rig.book(&balanced(0)), []);
    rig.wait_ms(1);
    assert_eq!(rig.book(&balanced(0)).len(), 2);
}

#[test]
fn a_quote_whose_replace_was_refused_does_not_stand_stale() {
    let mut rig = rig(|_| {});
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    rig.wait_ms(10);
    let moved = rig.book(&balanced(8));
    let bid = of_side(&moved, Side::Buy).unwrap();
    let then = rig.report(&report(&bid, ReportKind::ReplaceRejected));
    assert_eq!(then.len(), 1);
    assert_eq!((then[0].action(), then[0].order), (Some(Action::Cancel), bid.order));
}

#[test]
fn a_refused_cancel_is_asked_for_again_after_the_interval() {
    let mut rig = rig(|parameters| parameters.min_requote_interval_us = 5_000);
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    let cancels = rig.status(id(0), MarketStatus::Halted);
    for cancel in &cancels {
        assert_eq!(rig.report(&report(cancel, ReportKind::CancelRejected)), []);
    }
    rig.wait_ms(4);
    assert_eq!(rig.timer(), []);
    rig.wait_ms(1);
    assert_eq!(rig.timer().len(), 2);
}

#[test]
fn a_partly_filled_quote_keeps_its_place_until_the_limit_asks_for_less() {
    let mut rig = rig(|parameters| {
        parameters.position_limit = 12;
        parameters.skew_milliticks_per_lot = 0;
    });
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    rig.wait_ms(10);
    let bid = of_side(&intents, Side::Buy).unwrap();
    assert_eq!(rig.report(&fill(&bid, bid.order, 1, 2, 8)), [], "8 open, 10 left to the limit");
    let mut event = fill(&bid, OrderId::compose(StrategyId::new(1), 99), 2, 5, 0);
    event.side_number = Side::Buy as u8;
    let smaller = rig.report(&event);
    assert_eq!(quotes(&smaller), [Some((9_997, 5)), None], "7 held, 5 left");
    assert_eq!(smaller[0].action(), Some(Action::Replace));
}

#[test]
fn orders_of_an_earlier_session_are_taken_up_and_surplus_ones_cancelled() {
    let mut rig = rig(|_| {});
    for number in [1, 2] {
        rig.recover(&RecoveredRecord {
            order: OrderId::compose(StrategyId::new(1), number),
            instrument: id(0),
            price: ticks(9_997),
            qty: Qty::from_lots(10),
            venue_order: 7,
            side_number: Side::Buy as u8,
            tif_number: TimeInForce::Day as u8,
            ..recovered(RecoveredKind::OpenOrder, 1)
        });
    }
    let intents = rig.book(&balanced(0));
    let what: Vec<_> = intents.iter().map(|i| (i.action().unwrap(), i.side().unwrap())).collect();
    assert_eq!(what, [(Action::Cancel, Side::Buy), (Action::New, Side::Sell)]);
    assert_eq!(intents[1].order.number(), 3, "ids go on after the recovered ones");
}

#[test]
fn a_recovered_order_that_was_never_answered_for_is_cancelled_when_it_stands_wrong() {
    let mut rig = rig(|_| {});
    let order = RecoveredRecord {
        order: OrderId::compose(StrategyId::new(1), 1),
        instrument: id(0),
        price: ticks(9_990),
        qty: Qty::from_lots(10),
        side_number: Side::Buy as u8,
        tif_number: TimeInForce::Day as u8,
        ..recovered(RecoveredKind::OpenOrder, 1)
    };
    rig.recover(&order);
    let bid = of_side(&rig.book(&balanced(0)), Side::Buy).unwrap();
    assert_eq!((bid.action(), bid.order), (Some(Action::Cancel), order.order));
}

#[test]
fn nothing_is_done_twice_for_views_that_change_nothing() {
    let mut rig = rig(|_| {});
    let intents = rig.book(&balanced(0));
    rig.accept(&intents);
    rig.wait_ms(100);
    for _ in 0..5 {
        assert_eq!(rig.book(&balanced(0)), []);
        assert_eq!(rig.timer(), []);
    }
}

#[test]
fn parameters_are_typed_bounded_and_unknown_ones_refused() {
    let read = |pairs: &[(&str, i64)]| {
        let map = MapDeserializer::<_, Error>::new(pairs.iter().copied());
        MarketMakerParameters::deserialize(map)
    };
    let least = [("quote_qty", 1), ("position_limit", 5), ("half_spread_ticks", 2)];
    let read_back = read(&least).unwrap();
    assert_eq!((read_back.min_requote_interval_us, read_back.skew_milliticks_per_lot), (100_000, 0));
    assert!(MarketMaker::new(read_back).is_ok());
    let unknown = read(&[least[0], least[1], least[2], ("half_spred_ticks", 2)]).unwrap_err().to_string();
    assert!(unknown.contains("unknown field `half_spred_ticks`"), "{unknown}");
    assert!(read(&least[1..]).unwrap_err().to_string().contains("missing field `quote_qty`"));
    let refuse = |change: &dyn Fn(&mut MarketMakerParameters)| {
        let mut parameters = parameters();
        change(&mut parameters);
        MarketMaker::new(parameters).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(refuse(&|p| p.quote_qty = 0), "market_maker: `quote_qty` = 0: must be from 1 to 1000000000");
    assert!(refuse(&|p| p.skew_milliticks_per_lot = -1).contains("`skew_milliticks_per_lot` = -1"));
    assert!(refuse(&|p| p.half_spread_ticks = 0).contains("or `half_spread_ppm` must be positive"));
}

/// Plays a random market and a random venue; gives every intent, checking each against the view it was decided on.
fn play(seed: u64, steps: usize) -> Vec<Intent> {
    let mut random = Random(seed);
    let mut rig = rig(|parameters| {
        parameters.half_spread_ticks = 1;
        parameters.min_requote_interval_us = 0;
        parameters.pause_after_reject_ms = 0;
        parameters.requote_threshold_ticks = 0;
        parameters.skew_milliticks_per_lot = 2_500;
    });
    let mut all = Vec::new();
    let mut waiting: Vec<Intent> = Vec::new();
    let mut execs = 0;
    let mut last = balanced(0);
    for _ in 0..steps {
        rig.wait_ms(1);
        let given = match random.below(5) {
            0 | 1 => {
                let bid = 9_990 + random.below(20) as i64;
                let (spread, sizes) = (1 + random.below(4) as i64, [random.below(30), random.below(30)]);
                let [bid_qty, ask_qty] = sizes.map(|size| 1 + size as i64);
                last = view(id(0), &[(bid, bid_qty)], &[(bid + spread, ask_qty)]);
                if random.below(12) == 0 {
                    last.flags |= BookView::QUARANTINED;
                }
                rig.book(&last)
            }
            2 => rig.timer(),
            _ if waiting.is_empty() => continue,
            _ => {
                let intent = waiting.swap_remove(random.below(waiting.len()));
                match (intent.action().unwrap(), random.below(3)) {
                    (_, 0..2) => rig.accept(&[intent]),
                    (Action::New, _) => {
                        execs += 1;
                        rig.report(&fill(&intent, intent.order, execs, intent.qty.lots(), 0))
                    }
                    (Action::Cancel, _) => rig.report(&report(&intent, ReportKind::CancelRejected)),
                    (Action::Replace, _) => rig.report(&report(&intent, ReportKind::ReplaceRejected)),
                }
            }
        };
        for intent in &given {
            let side = intent.side().unwrap();
            let crosses = match (intent.action().unwrap(), side) {
                (Action::Cancel, _) => false,
                (_, Side::Buy) => intent.price >= last.best_ask().unwrap().price,
                (_, Side::Sell) => intent.price <= last.best_bid().unwrap().price,
            };
            assert!(!crosses, "{intent:?} would match against {last:?}");
            assert!(intent.action() == Some(Action::Cancel) || last.is_tradable());
        }
        waiting.extend(&given);
        all.extend(given);
    }
    all
}

proptest! {
    #[test]
    fn quotes_never_cross_the_opposite_best_price(seed in any::<u64>()) {
        let intents = play(seed, 300);
        prop_assert!(intents.len() > 10, "the test must not pass by doing nothing");
    }

    #[test]
    fn the_short_division_is_the_long_one(a in any::<i64>(), small in -5_000i64..5_000, b in any::<i64>()) {
        for divisor in [1_000, 1_000_000] {
            for (a, b) in [(a, b), (small, b), (a, small), (small, small), (small, b >> 20)] {
                let wide = round_div(i128::from(a) * i128::from(b), divisor);
                let held = wide.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
                prop_assert_eq!(i128::from(scaled(a, b, divisor as i64)), held);
            }
        }
    }

    #[test]
    fn two_runs_of_the_same_events_give_the_same_intents(seed in any::<u64>()) {
        prop_assert_eq!(play(seed, 200), play(seed, 200));
    }
}

#[test]
fn risk_speaks_the_same_language_as_the_venue() {
    let mut rig = rig(|_| {});
    let intents = rig.book(&balanced(0));
    for intent in &intents {
        let mut refusal = report(intent, ReportKind::Rejected);
        refusal.flags = Report::FROM_RISK;
        refusal.code_number = RejectCode::Halted as u16;
        rig.report(&refusal);
    }
    assert_eq!(rig.timer(), [], "paused");
    assert_eq!(rig.runner.counters().strategies[0].in_flight.value(), 0);
    assert_eq!(rig.runner.counters().strategies[0].held_orders.value(), 0);
}
