//! Random streams: the fast stage and the naive one agree after every event.

use super::*;
use crate::words::MarketStatus;
use proptest::prelude::*;

/// One random event. References, prices and quantities come from small sets, so that they meet; a few are at the ends of their ranges.
fn any_event(instruments: u32, prices: i64, references: u64) -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        40 => Just(EventKind::OrderAdd),
        12 => Just(EventKind::OrderDelete),
        10 => Just(EventKind::OrderReplace),
        10 => Just(EventKind::OrderExecute),
        4 => Just(EventKind::OrderExecuteAt),
        6 => Just(EventKind::OrderReduce),
        40 => Just(EventKind::LevelSet),
        6 => Just(EventKind::Trade),
        3 => Just(EventKind::Quote),
        2 => Just(EventKind::BookClear),
        2 => Just(EventKind::Gap),
        5 => Just(EventKind::Status),
        1 => Just(EventKind::Ignored),
        1 => Just(EventKind::Timer),
    ];
    let instrument = prop_oneof![60 => 0..instruments, 1 => Just(instruments), 2 => Just(u32::MAX)];
    let price = prop_oneof![
        60 => -3..prices,
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
        1 => Just(4_000_000_000_000_000_000)
    ];
    let qty = prop_oneof![
        40 => 1i64..12,
        5 => Just(0i64),
        1 => Just(-1i64),
        1 => Just(ORDER_QTY_MAX),
        1 => Just(ORDER_QTY_MAX + 1),
        1 => Just(LEVEL_QTY_MAX),
        1 => Just(LEVEL_QTY_MAX + 1)
    ];
    let side = prop_oneof![20 => 1u8..=2, 1 => Just(0u8)];
    let flags = prop_oneof![
        4 => Just(Event::END_OF_GROUP | Event::PRINTABLE),
        1 => Just(Event::END_OF_GROUP),
        2 => Just(Event::PRINTABLE)
    ];
    let time = prop_oneof![20 => 0i64..12, 1 => 30i64..90, 1 => -20i64..0, 1 => Just(i64::MAX / 4)];
    (kind, instrument, side, price, qty, (0..references, 0..references), flags, (time, 0u8..12)).prop_map(
        move |(kind, instrument, side_number, price, qty, (a, b), flags, (time, dice))| {
            // Most instruments are told one way only; some events come the wrong way.
            let by_level = instrument % 2 == 1;
            let order_kinds = [
                EventKind::OrderAdd,
                EventKind::OrderDelete,
                EventKind::OrderReplace,
                EventKind::OrderExecute,
                EventKind::OrderReduce,
            ];
            let kind = if kind == EventKind::LevelSet && !by_level && dice > 0 {
                EventKind::OrderAdd
            } else if order_kinds.contains(&kind) && by_level && dice > 0 {
                EventKind::LevelSet
            } else {
                kind
            };
            let a = if kind != EventKind::Status {
                a
            } else if dice < 5 {
                MarketStatus::Resynced as u64
            } else if dice < 8 {
                MarketStatus::Quarantined as u64
            } else {
                u64::from(dice % 9)
            };
            Event {
                side_number,
                price: Price::from_nanos(price),
                qty: Qty::from_lots(qty),
                a,
                b,
                flags,
                // A step; the stream adds them up.
                receive_time: Nanos::new(time),
                ..Event::new(kind, InstrumentId::new(instrument))
            }
        },
    )
}

/// Numbers the frames and turns steps of time into times.
fn timed(events: Vec<Event>) -> Vec<Event> {
    let mut now = 0i64;
    let mut timed = events;
    for (index, event) in timed.iter_mut().enumerate() {
        now = now.saturating_add(event.receive_time.get());
        event.receive_time = Nanos::new(now);
        event.venue_time = Nanos::new(now - 7);
        event.frame = index as u64;
    }
    timed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), ..ProptestConfig::default() })]

    #[test]
    fn fast_and_naive_books_agree_after_every_event(
        events in prop::collection::vec(any_event(3, 30, 40), 1..250),
        view_levels in 1usize..=10,
    ) {
        let mut pair = Pair::new(&BookConfig { view_levels, instruments_max: 3, ..small() });
        for event in timed(events) {
            pair.apply_and_check(&event);
        }
    }

    #[test]
    fn fast_and_naive_books_agree_when_pools_run_full(
        events in prop::collection::vec(any_event(3, 40, 60), 1..300),
        orders_max in 1usize..20,
        levels_max in 1usize..25,
    ) {
        let mut pair = Pair::new(&BookConfig { orders_max, levels_max, instruments_max: 3, ..small() });
        for event in timed(events) {
            pair.apply_and_check(&event);
        }
    }

    #[test]
    fn fast_and_naive_books_agree_when_they_are_deep(
        seed in any::<u64>(),
        depth in 100i64..700,
        by_order in any::<bool>(),
    ) {
        deep(seed, depth, by_order, 1_500);
    }
}

/// A fixed generator, so that long streams need no list of events.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Below `end`. SplitMix64.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// Two books of hundreds of levels: grown, thinned out, grown again. The whole state is compared every 64 events.
fn deep(seed: u64, depth: i64, by_order: bool, events: u64) {
    let mut dice = Dice(seed);
    let config = BookConfig { instruments_max: 2, orders_max: 4_096, levels_max: 4_096, ..small() };
    let mut pair = Pair::new(&config);
    let mut live: Vec<(u32, u64)> = Vec::new();
    for number in 0..events {
        let growing = number / 400 % 2 == 0;
        let instrument = dice.below(2) as u32;
        let side = if dice.below(2) == 0 { Side::Buy } else { Side::Sell };
        let distance = dice.below(depth as u64) as i64;
        let price = 10_000 - side.sign() * distance;
        let insert = dice.below(10) < if growing { 8 } else { 2 };
        let mut next = if !by_order {
            level(side, price, if insert { 1 + dice.below(9) as i64 } else { 0 })
        } else if insert || live.is_empty() {
            live.push((instrument, number));
            add(number, side, price, 1 + dice.below(9) as i64)
        } else {
            let (_, reference) = live.swap_remove(dice.below(live.len() as u64) as usize);
            on_order(EventKind::OrderDelete, reference, 0)
        };
        next.instrument = InstrumentId::new(instrument);
        pair.apply(&next);
        if number % 64 == 63 {
            (0..2).for_each(|instrument| pair.check(InstrumentId::new(instrument)));
        }
    }
}

#[test]
fn a_snapshot_of_thousands_of_levels_loads_and_unloads_in_any_order() {
    let config = BookConfig { instruments_max: 1, levels_max: 16_000, ..small() };
    let mut dice = Dice(5);
    for order in 0..3 {
        let mut stage = BookStage::new(&config).unwrap();
        let mut out = BookOutput::vacant();
        let mut prices: Vec<i64> = (0..8_000).collect();
        match order {
            0 => {}
            1 => prices.reverse(),
            _ => prices.sort_by_cached_key(|_| dice.below(u64::MAX)),
        }
        for price in &prices {
            for side in [Side::Buy, Side::Sell] {
                stage.on_event(&level(side, 20_000 - side.sign() * (price + 1), price + 1), &mut out);
            }
        }
        stage.check(InstrumentId::new(0)).unwrap();
        assert_eq!(stage.counters().levels.value(), 16_000);
        let asks: Vec<i64> = stage.levels(InstrumentId::new(0), Side::Sell).map(|l| l.qty.lots()).collect();
        assert_eq!(asks, (1..=8_000).collect::<Vec<_>>());
        for price in &prices {
            for side in [Side::Buy, Side::Sell] {
                stage.on_event(&level(side, 20_000 - side.sign() * (price + 1), 0), &mut out);
            }
        }
        stage.check(InstrumentId::new(0)).unwrap();
        assert_eq!(stage.counters().levels.value(), 0);
        assert_eq!(stage.counters().levels_full.value(), 0);
    }
}

#[test]
fn one_level_on_every_side_and_the_rest_on_one_side_fit_the_pool_exactly() {
    // The pool of chunks is sized for the worst case: every level that the configuration promises must find room.
    let config = BookConfig { instruments_max: 50, levels_max: 2_000, ..small() };
    let mut stage = BookStage::new(&config).unwrap();
    let mut out = BookOutput::vacant();
    let mut dice = Dice(9);
    let on = |instrument: u32, event: Event| Event { instrument: InstrumentId::new(instrument), ..event };
    for instrument in 0..50 {
        stage.on_event(&on(instrument, level(Side::Buy, 1, 1)), &mut out);
        stage.on_event(&on(instrument, level(Side::Sell, 100_000, 1)), &mut out);
    }
    let mut there = std::collections::BTreeSet::new();
    for _ in 0..60_000 {
        let price = 2 + dice.below(20_000) as i64;
        if there.len() < 1_900 {
            stage.on_event(&on(7, level(Side::Buy, price, 1)), &mut out);
            there.insert(price);
        } else if let Some(gone) = there.range(price..).next().copied() {
            stage.on_event(&on(7, level(Side::Buy, gone, 0)), &mut out);
            there.remove(&gone);
        }
    }
    assert_eq!(stage.counters().levels_full.value(), 0);
    stage.check(InstrumentId::new(7)).unwrap();
}

#[test]
fn many_orders_come_and_go_without_the_index_losing_one() {
    // Half of the slots in use all the time, references next to each other and equal across instruments: clusters form and are shifted back.
    let config = BookConfig { instruments_max: 4, orders_max: 512, levels_max: 512, ..small() };
    let mut pair = Pair::new(&config);
    let mut dice = Dice(11);
    let mut live: Vec<(u32, u64)> = Vec::new();
    for number in 0..20_000u64 {
        let next = if live.len() < 500 || (live.len() < 512 && dice.below(2) == 0) {
            let instrument = (number % 4) as u32;
            live.push((instrument, number / 4));
            let event = add(number / 4, Side::Buy, dice.below(30) as i64, 1 + dice.below(5) as i64);
            Event { instrument: InstrumentId::new(instrument), ..event }
        } else {
            let (instrument, reference) = live.swap_remove(dice.below(live.len() as u64) as usize);
            Event {
                instrument: InstrumentId::new(instrument),
                ..on_order(EventKind::OrderDelete, reference, 0)
            }
        };
        pair.apply(&next);
        if number % 256 == 0 {
            (0..4).for_each(|instrument| pair.check(InstrumentId::new(instrument)));
        }
    }
    assert!(pair.fast.counters().orders.value() > 400);
}
