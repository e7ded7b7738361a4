//! Each statistic against figures worked out by hand.

use super::*;
use crate::words::Statistics;

/// Statistics after the last of these events.
fn after(events: &[Event]) -> Statistics {
    let mut pair = Pair::new(&small());
    events.iter().filter_map(|event| pair.apply_and_check(event)).last().unwrap().statistics
}

#[test]
fn mid_is_rounded_down_also_below_zero() {
    let mid = |bid, ask| after(&[level(Side::Buy, bid, 1), level(Side::Sell, ask, 1)]).mid.nanos();
    assert_eq!(mid(100, 103), 101);
    assert_eq!(mid(-104, -101), -103);
    assert_eq!(mid(i64::MAX - 2, i64::MAX), i64::MAX - 1);
    assert_eq!(mid(i64::MIN, i64::MAX), -1);
}

#[test]
fn microprice_leans_to_the_side_with_less_on_it() {
    let micro = |bid, bid_qty, ask, ask_qty| {
        after(&[level(Side::Buy, bid, bid_qty), level(Side::Sell, ask, ask_qty)]).microprice.nanos()
    };
    // (110·3 + 100·1) / 4 = 107.5, halves away from zero
    assert_eq!(micro(100, 3, 110, 1), 108);
    // (110·1 + 100·3) / 4 = 102.5
    assert_eq!(micro(100, 1, 110, 3), 103);
    // (−100·3 − 110·1) / 4 = −102.5
    assert_eq!(micro(-110, 3, -100, 1), -103);
    assert_eq!(micro(-110, 3, -100, 2), -104);
    // Products beyond 64 bits.
    assert_eq!(micro(0, LEVEL_QTY_MAX, 1_000_000_000_000, LEVEL_QTY_MAX), 500_000_000_000);
    // Crossed: (100·1 + 110·1) / 2
    assert_eq!(micro(110, 1, 100, 1), 105);
}

#[test]
fn imbalance_compares_the_best_level_and_the_levels_of_the_view() {
    let statistics = after(&[
        level(Side::Buy, 100, 6),
        level(Side::Buy, 99, 1),
        level(Side::Buy, 98, 1),
        level(Side::Buy, 97, 50),
        level(Side::Sell, 101, 2),
        level(Side::Sell, 102, 22),
    ]);
    assert_eq!(statistics.imbalance_1, 500_000_000, "(6 − 2) / 8");
    assert_eq!((statistics.bid_depth.lots(), statistics.ask_depth.lots()), (8, 24), "three levels a side");
    assert_eq!(statistics.imbalance_n, -500_000_000, "(8 − 24) / 32");
    assert_eq!(statistics.spread.nanos(), 1);
    let one_sided = after(&[level(Side::Sell, 101, 2)]);
    assert_eq!(
        (one_sided.imbalance_1, one_sided.mid, one_sided.spread),
        (-1_000_000_000, Price::ZERO, Price::ZERO)
    );
    assert_eq!(one_sided.microprice, Price::ZERO);
    assert_eq!(after(&[trade(None, 1, 1)]).imbalance_1, 0);
    // 1/3 in units of 1e-9, toward zero; and sums beyond 2^33 lots.
    let third = after(&[level(Side::Buy, 1, 1 << 55), level(Side::Sell, 2, 1 << 54)]);
    assert_eq!(third.imbalance_1, 333_333_333);
}

#[test]
fn order_flow_is_that_of_cont_kukanov_and_stoikov() {
    let mut pair = Pair::new(&small());
    let mut flow = |event: Event| {
        let statistics = pair.apply_and_check(&event).unwrap().statistics;
        (statistics.order_flow, statistics.order_flow_sum)
    };
    assert_eq!(flow(level(Side::Buy, 100, 5)), (5, 5), "a bid where there was none: +q");
    assert_eq!(flow(level(Side::Sell, 110, 4)), (-4, 1), "an offer where there was none: −q");
    assert_eq!(flow(level(Side::Buy, 100, 8)), (3, 4), "same price: the difference");
    assert_eq!(flow(level(Side::Buy, 101, 2)), (2, 6), "the bid rose: +q");
    assert_eq!(flow(level(Side::Buy, 101, 0)), (-2, 4), "the bid fell: −previous");
    assert_eq!(flow(level(Side::Sell, 110, 1)), (3, 7), "the offer shrank by 3");
    assert_eq!(flow(level(Side::Sell, 108, 6)), (-6, 1), "the offer fell: −q");
    assert_eq!(flow(level(Side::Sell, 108, 0)), (6, 7), "the offer rose: +previous");
    assert_eq!(flow(level(Side::Buy, 90, 50)), (0, 7), "behind the best");
    assert_eq!(flow(trade(None, 100, 1)), (0, 7));
    // One group, two changes: from the state before the group to the state after it.
    assert_eq!(pair.apply_and_check(&Event { flags: 0, ..level(Side::Buy, 102, 9) }), None);
    let statistics = pair.apply_and_check(&level(Side::Buy, 102, 1)).unwrap().statistics;
    assert_eq!((statistics.order_flow, statistics.order_flow_sum), (1, 8));
}

#[test]
fn an_execution_is_signed_against_the_resting_side() {
    let bid = add(1, Side::Buy, 100, 5);
    let statistics = after(&[bid, on_order(EventKind::OrderExecute, 1, 2)]);
    assert_eq!(
        (statistics.last_price.nanos(), statistics.last_qty.lots(), statistics.trade_sign),
        (100, 2, -1)
    );
    let at = Event { price: Price::from_nanos(99), ..on_order(EventKind::OrderExecuteAt, 1, 2) };
    let printable = Event { flags: at.flags | Event::PRINTABLE, ..at };
    let statistics = after(&[bid, printable]);
    assert_eq!((statistics.last_price.nanos(), statistics.trade_sign), (99, -1));
    assert_eq!(statistics.bid_depth.lots(), 3);
    let statistics = after(&[bid, at]);
    assert_eq!(statistics.last_qty, Qty::ZERO, "not printable: its volume is told elsewhere");
    assert_eq!(statistics.bid_depth.lots(), 3);
    assert_eq!(after(&[add(1, Side::Sell, 100, 5), on_order(EventKind::OrderExecute, 1, 2)]).trade_sign, 1);
}

#[test]
fn a_trade_without_a_side_is_signed_by_lee_and_ready() {
    let mut pair = Pair::new(&small());
    let mut sign = |event: Event| pair.apply_and_check(&event).unwrap().statistics.trade_sign;
    assert_eq!(sign(trade(None, 100, 1)), 0, "no quote, no earlier trade");
    assert_eq!(sign(trade(None, 101, 1)), 1, "no quote: uptick");
    assert_eq!(sign(trade(None, 101, 1)), 1, "zero-uptick");
    assert_eq!(sign(trade(None, 99, 1)), -1, "downtick");
    sign(level(Side::Buy, 100, 1));
    sign(level(Side::Sell, 105, 1));
    assert_eq!(sign(trade(None, 103, 1)), 1, "above the mid of 102.5");
    assert_eq!(sign(trade(None, 102, 1)), -1, "below it");
    assert_eq!(sign(trade(Some(Side::Buy), 100, 1)), 1, "the feed tells");
    sign(level(Side::Sell, 104, 1));
    assert_eq!(sign(trade(None, 102, 1)), 1, "at the mid of 102: uptick from 100");
    assert_eq!(sign(trade(Some(Side::Sell), 102, 1)), -1, "the feed tells");
    assert_eq!(sign(trade(None, 102, 1)), 1, "at the mid: zero-uptick, whatever the sign before");
    sign(level(Side::Buy, 106, 1));
    assert_eq!(sign(trade(None, 101, 1)), -1, "crossed: no quote to be trusted, downtick");
    sign(level(Side::Buy, 106, 0));
    sign(event(EventKind::Gap, 0));
    assert_eq!(sign(trade(None, 101, 1)), -1, "quarantined: tick rule, zero-downtick");
}

#[test]
fn volatility_is_the_root_of_the_sum_of_squared_returns_of_the_sampled_mid() {
    // A sample each 10 ns, a window of 40 ns: four returns.
    let mut pair = Pair::new(&small());
    let mut volatility = |event: Event| pair.apply_and_check(&event).unwrap().statistics.realized_volatility;
    volatility(at(0, level(Side::Sell, 1_100, 1)));
    assert_eq!(volatility(at(1, level(Side::Buy, 900, 1))), 0.0, "mid 1000 from here");
    assert_eq!(volatility(at(12, level(Side::Buy, 920, 1))), 0.0, "first sample, M_1 = 1000; mid 1010");
    assert_eq!(volatility(at(19, level(Side::Buy, 940, 1))), 0.0, "mid 1020 before the next line");
    // M_2 = 1020: r = 20/1000
    assert_eq!(volatility(at(20, level(Side::Buy, 940, 0))), (0.02f64 * 0.02).sqrt(), "mid 1010 again");
    // M_3 = 1010, and M_4 as nothing came: r_3 = −10/1020
    let second = -10.0 / 1_020.0;
    let both = (0.02f64 * 0.02 + second * second).sqrt();
    assert_eq!(volatility(at(45, trade(None, 1, 1))), both);
    assert_eq!(volatility(at(59, trade(None, 1, 1))), both, "line 5: r_2 is the oldest of four");
    assert_eq!(volatility(at(60, trade(None, 1, 1))), (second * second).sqrt(), "r_2 has left the window");
    assert_eq!(volatility(at(30, trade(None, 1, 1))), (second * second).sqrt(), "time does not run back");
    assert_eq!(volatility(at(70, trade(None, 1, 1))), 0.0);
}

#[test]
fn a_crossed_quarantined_or_one_sided_book_gives_no_sample() {
    let mut pair = Pair::new(&small());
    let mut volatility = |event: Event| pair.apply_and_check(&event).unwrap().statistics.realized_volatility;
    volatility(at(0, level(Side::Sell, 1_100, 1)));
    volatility(at(0, level(Side::Buy, 900, 1)));
    volatility(at(10, trade(None, 1, 1)));
    volatility(at(11, level(Side::Buy, 2_000, 1)));
    assert_eq!(volatility(at(20, level(Side::Buy, 2_000, 0))), 0.0, "crossed");
    volatility(at(21, level(Side::Sell, 1_100, 0)));
    assert_eq!(volatility(at(30, event(EventKind::Gap, 0))), 0.0, "one-sided");
    volatility(at(31, level(Side::Sell, 5_000, 1)));
    assert_eq!(volatility(at(40, trade(None, 1, 1))), 0.0, "quarantined");
}
