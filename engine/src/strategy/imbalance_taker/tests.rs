use super::super::fixture::*;
use super::*;
use crate::words::{Intent, MarketStatus};
use proptest::prelude::{any, prop_assert_eq, proptest};
use serde::de::value::{Error, MapDeserializer};

fn parameters() -> ImbalanceTakerParameters {
    ImbalanceTakerParameters {
        order_qty: 4,
        position_limit: 6,
        levels: 2,
        entry_imbalance_ppm: 600_000,
        exit_imbalance_ppm: 0,
        max_spread_ticks: 2,
        cool_down_ms: 100,
        holding_time_ms: 1_000,
        pause_after_reject_ms: 50,
    }
}

fn rig() -> Rig {
    let mut rig = Rig::new(vec![slot(1, Box::new(ImbalanceTaker::new(parameters()).unwrap()), &[0])]);
    rig.wait_ms(1_000);
    rig
}

/// Two levels a side, two ticks apart, with these sums; a third level that is not looked at.
fn sums(bids: i64, asks: i64) -> BookView {
    view(id(0), &[(999, 1), (998, bids - 1), (997, 900)], &[(1_001, 1), (1_002, asks - 1), (1_003, 900)])
}

/// The venue fills the whole of an intent.
fn filled(rig: &mut Rig, intents: &[Intent], exec: u64) -> Vec<Intent> {
    let intent = intents[0];
    rig.accept(intents);
    rig.report(&fill(&intent, intent.order, exec, intent.qty.lots(), 0))
}

fn what(intents: &[Intent]) -> Vec<(Side, i64, i64)> {
    let plain = |i: &Intent| {
        assert_eq!(i.tif(), Some(TimeInForce::Ioc));
        assert!(!i.is_post_only());
        (i.side().unwrap(), i.price.nanos() / TICK, i.qty.lots())
    };
    intents.iter().map(plain).collect()
}

#[test]
fn it_enters_at_the_threshold_and_not_below_it() {
    // (80 − 20) / 100 is 0.6 to the last digit; (79 − 20) / 99 is a little less.
    assert_eq!(rig().book(&sums(79, 20)), []);
    assert_eq!(what(&rig().book(&sums(80, 20))), [(Side::Buy, 1_001, 4)]);
    assert_eq!(rig().book(&sums(20, 79)), []);
    assert_eq!(what(&rig().book(&sums(20, 80))), [(Side::Sell, 999, 4)]);
}

#[test]
fn it_does_not_enter_across_a_wide_spread_or_on_a_view_it_cannot_trust() {
    assert_eq!(rig().book(&view(id(0), &[(998, 90)], &[(1_001, 1)])), [], "three ticks");
    assert_eq!(rig().book(&view(id(0), &[(998, 90)], &[])), []);
    let mut quarantined = sums(90, 10);
    quarantined.flags |= BookView::QUARANTINED;
    assert_eq!(rig().book(&quarantined), []);
    let mut halted = rig();
    halted.status(id(0), MarketStatus::Halted);
    assert_eq!(halted.book(&sums(90, 10)), []);
    halted.status(id(0), MarketStatus::Trading);
    assert_eq!(halted.book(&sums(90, 10)).len(), 1);
}

#[test]
fn it_adds_after_the_cool_down_up_to_the_position_limit() {
    let mut rig = rig();
    let entry = rig.book(&sums(90, 10));
    assert_eq!(rig.book(&sums(90, 10)), [], "one order at a time");
    assert_eq!(filled(&mut rig, &entry, 1), []);
    rig.wait_ms(99);
    assert_eq!(rig.book(&sums(90, 10)), [], "cooling down");
    rig.wait_ms(1);
    let more = rig.book(&sums(90, 10));
    assert_eq!(what(&more), [(Side::Buy, 1_001, 2)], "six are allowed, four are held");
    filled(&mut rig, &more, 2);
    rig.wait_ms(100);
    assert_eq!(rig.book(&sums(90, 10)), [], "full");
}

#[test]
fn it_leaves_when_imbalance_has_turned() {
    let mut rig = rig();
    let entry = rig.book(&sums(90, 10));
    filled(&mut rig, &entry, 1);
    assert_eq!(rig.book(&sums(51, 50)), [], "still in favour");
    let exit = rig.book(&sums(50, 50));
    assert_eq!(what(&exit), [(Side::Sell, 999, 4)], "at once: leaving does not cool down");
    assert_eq!(exit[0].flags & Intent::REDUCE_ONLY, Intent::REDUCE_ONLY);
    filled(&mut rig, &exit, 2);
    rig.wait_ms(99);
    assert_eq!(rig.book(&sums(90, 10)), [], "entering does");
}

#[test]
fn it_leaves_after_the_holding_time_without_a_new_view() {
    let mut rig = rig();
    let entry = rig.book(&sums(10, 90));
    filled(&mut rig, &entry, 1);
    rig.wait_ms(999);
    assert_eq!(rig.timer(), []);
    rig.wait_ms(1);
    let exit = rig.timer();
    assert_eq!(what(&exit), [(Side::Buy, 1_001, 4)]);
    // Half of it was filled, the rest cancelled: it goes on.
    rig.accept(&exit);
    rig.report(&fill(&exit[0], exit[0].order, 2, 3, 1));
    let rest = rig.report(&report(&exit[0], ReportKind::Cancelled));
    assert_eq!(what(&rest), [(Side::Buy, 1_001, 1)]);
}

#[test]
fn a_refusal_is_followed_by_a_pause() {
    let mut rig = rig();
    let entry = rig.book(&sums(90, 10));
    assert_eq!(rig.report(&report(&entry[0], ReportKind::Rejected)), []);
    rig.wait_ms(49);
    assert_eq!(rig.timer(), []);
    rig.wait_ms(51);
    assert_eq!(rig.book(&sums(90, 10)).len(), 1);
}

#[test]
fn parameters_are_bounded_and_unknown_ones_refused() {
    let read = |pairs: &[(&str, i64)]| {
        let map = MapDeserializer::<_, Error>::new(pairs.iter().copied());
        ImbalanceTakerParameters::deserialize(map)
    };
    let least = read(&[("order_qty", 1), ("position_limit", 1)]).unwrap();
    assert_eq!((least.levels, least.entry_imbalance_ppm), (5, 700_000));
    assert!(ImbalanceTaker::new(least).is_ok());
    let unknown = read(&[("order_qty", 1), ("position_limit", 1), ("threshold", 1)]);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `threshold`"));
    let refuse = |change: &dyn Fn(&mut ImbalanceTakerParameters)| {
        let mut parameters = parameters();
        change(&mut parameters);
        ImbalanceTaker::new(parameters).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(refuse(&|p| p.levels = 11), "imbalance_taker: `levels` = 11: must be from 1 to 10");
    assert!(refuse(&|p| p.exit_imbalance_ppm = 600_000).contains("must be from -1000000 to 599999"));
    assert!(refuse(&|p| p.holding_time_ms = 0).contains("`holding_time_ms`"));
}

proptest! {
    #[test]
    fn two_runs_of_the_same_events_give_the_same_intents_within_the_limit(seed in any::<u64>()) {
        let play = || {
            let (mut random, mut rig) = (Random(seed), rig());
            let (mut all, mut waiting, mut position) = (Vec::new(), Vec::<Intent>::new(), 0i64);
            for step in 1..300 {
                rig.wait_ms(random.below(60) as i64);
                let given = match (random.below(3), waiting.pop()) {
                    (0, Some(intent)) => {
                        let qty = 1 + random.below(intent.qty.lots() as usize) as i64;
                        position += qty * intent.side().unwrap().sign();
                        let left = intent.qty.lots() - qty;
                        let mut given = rig.report(&fill(&intent, intent.order, step, qty, left));
                        given.extend(rig.report(&report(&intent, ReportKind::Cancelled)));
                        given
                    }
                    (1, Some(intent)) => rig.report(&report(&intent, ReportKind::Rejected)),
                    (_, unanswered) => {
                        waiting.extend(unanswered);
                        rig.book(&sums(2 + random.below(100) as i64, 2 + random.below(100) as i64))
                    }
                };
                assert!(position.abs() <= parameters().position_limit, "{position} held");
                waiting.extend(&given);
                all.extend(given);
            }
            all
        };
        let first = play();
        assert!(!first.is_empty(), "the test must not pass by doing nothing");
        prop_assert_eq!(first, play());
    }
}
