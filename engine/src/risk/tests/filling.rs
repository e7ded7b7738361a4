//! Fills: partial, late, twice, unknown, too large; and what they do to positions, step by step.

use super::desk::*;
use crate::risk::*;
use crate::words::*;

fn money(text: &str) -> Money {
    Money::parse(text).unwrap()
}

#[test]
fn a_part_is_not_the_whole() {
    let mut desk = Desk::new();
    let order = desk.buy("50.00", 10);
    let id = desk.pass(order);
    desk.accept(id);
    desk.fill(id, Side::Buy, "50.00", 3);
    assert_eq!((desk.state_of(id), desk.leaves_of(id)), (Some(OrderState::Open), 7));
    desk.fill(id, Side::Buy, "50.00", 7);
    assert_eq!(desk.state_of(id), None);
    assert_eq!(desk.position(FIRST, SHARE).qty, lots(10));
    assert_eq!(desk.risk.counters().reports_mismatched.value(), 0);
}

#[test]
fn a_fill_that_comes_twice_counts_once() {
    let mut desk = Desk::new();
    let order = desk.buy("50.00", 10);
    let id = desk.pass(order);
    desk.accept(id);
    let report = desk.fill_report(id, Side::Buy, "50.00", 4);
    desk.report(report);
    desk.report(report);
    assert_eq!((desk.position(FIRST, SHARE).qty, desk.leaves_of(id)), (lots(4), 6));
    assert_eq!(desk.risk.counters().fills_duplicate.value(), 1);
    // The same execution of another order is another fill: a trade between two orders of our own.
    let order = desk.sell("50.00", 4);
    let other = desk.pass(order);
    desk.accept(other);
    let mirror = Report { exec: report.exec, ..desk.fill_report(other, Side::Sell, "50.00", 4) };
    desk.report(mirror);
    assert_eq!(desk.position(FIRST, SHARE).qty, lots(0));
}

#[test]
fn fills_while_a_cancel_is_under_way_count_and_the_cancel_is_still_answered() {
    let mut desk = Desk::new();
    let order = desk.buy("50.00", 10);
    let id = desk.pass(order);
    desk.accept(id);
    desk.pass(desk.cancel_of(id, Side::Buy));
    desk.fill(id, Side::Buy, "50.00", 4);
    assert_eq!((desk.state_of(id), desk.leaves_of(id)), (Some(OrderState::PendingCancel), 6));
    desk.fill(id, Side::Buy, "50.00", 6);
    assert_eq!((desk.state_of(id), desk.risk.under_way()), (None, 1), "the cancel is not answered yet");
    desk.answer(ReportKind::CancelRejected, id, OrderId::NONE);
    assert_eq!(desk.risk.under_way(), 0);
    assert_eq!(desk.position(FIRST, SHARE).qty, lots(10));
}

#[test]
fn a_fill_before_its_acknowledgement_counts() {
    let mut desk = Desk::new();
    let order = desk.buy("50.00", 10);
    let id = desk.pass(order);
    desk.fill(id, Side::Buy, "50.00", 4);
    assert_eq!(desk.state_of(id), Some(OrderState::PendingNew));
    desk.fill(id, Side::Buy, "50.00", 6);
    assert_eq!((desk.state_of(id), desk.risk.under_way()), (None, 1));
    desk.accept(id);
    assert_eq!((desk.state_of(id), desk.risk.under_way()), (None, 0));
}

#[test]
fn a_fill_of_an_order_that_is_gone_or_never_was_moves_the_position() {
    let mut desk = Desk::new();
    let order = desk.buy("50.00", 10);
    let id = desk.pass(order);
    desk.accept(id);
    desk.pass(desk.cancel_of(id, Side::Buy));
    desk.answer(ReportKind::Cancelled, id, OrderId::NONE);
    desk.fill(id, Side::Buy, "50.00", 4);
    assert_eq!(desk.position(FIRST, SHARE).qty, lots(4));
    desk.fill(OrderId::compose(SECOND, 12345), Side::Sell, "50.00", 3);
    assert_eq!(desk.position(SECOND, SHARE).qty, lots(-3));
    desk.fill(OrderId::compose(StrategyId::new(40), 1), Side::Buy, "50.00", 2);
    assert_eq!(desk.position(StrategyId::NONE, SHARE).qty, lots(2));
    assert_eq!(desk.risk.counters().fills_unknown_order.value(), 3);
    assert_eq!(desk.risk.state(), TradingState::Normal);
}

#[test]
fn a_fill_that_no_position_can_hold_halts() {
    for (instrument, side) in [(SEEN, Side::Buy as u8), (SHARE, 0)] {
        let mut desk = Desk::new();
        let report = desk.fill_report(OrderId::compose(FIRST, 500), Side::Buy, "50.00", 1);
        desk.report(Report { instrument, side_number: side, ..report });
        assert_eq!(desk.risk.counters().fills_unplaced.value(), 1);
        assert_eq!(desk.risk.state(), TradingState::Halted);
        assert_eq!(desk.risk.latch().unwrap().owner(), RISK);
    }
}

#[test]
fn more_filled_than_was_open_is_believed_and_counted() {
    let mut desk = Desk::new();
    let order = desk.buy("50.00", 10);
    let id = desk.pass(order);
    desk.accept(id);
    desk.fill(id, Side::Buy, "50.00", 12);
    assert_eq!((desk.state_of(id), desk.position(FIRST, SHARE).qty), (None, lots(12)));
    assert_eq!(desk.risk.counters().reports_mismatched.value(), 1);
}

#[test]
fn a_position_is_built_reduced_flipped_and_closed_at_average_cost() {
    let mut desk = Desk::new();
    let mut go = |side: Side, at: &str, qty: i64, maker: bool| {
        let order = desk.order(SHARE, side, at, qty);
        let id = desk.pass(order);
        desk.accept(id);
        let report = desk.fill_report(id, side, at, qty);
        desk.report(Report { flags: if maker { Report::MAKER } else { 0 }, ..report });
        let p = desk.position(FIRST, SHARE);
        let gauges = desk.risk.position_gauges();
        let row = gauges.rows.iter().find(|row| row.strategy == FIRST && row.instrument == SHARE).unwrap();
        assert_eq!(row.qty.value(), p.qty.lots());
        assert_eq!(row.realized.value(), p.realized.nanos());
        assert_eq!(row.unrealized.value(), p.unrealized.nanos());
        assert_eq!(row.fees.value(), p.fees.nanos());
        (p.qty.lots(), p.cost, p.realized, p.unrealized, p.fees)
    };
    // Valued at the mid of 50.01; a maker has 0.002 back for each share, a taker pays 0.003.
    assert_eq!(
        go(Side::Buy, "50.00", 10, false),
        (10, money("500"), money("0"), money("0.1"), money("0.03"))
    );
    assert_eq!(
        go(Side::Buy, "50.03", 20, true),
        (30, money("1500.6"), money("0"), money("-0.3"), money("-0.01"))
    );
    assert_eq!(
        go(Side::Sell, "50.05", 10, false),
        (20, money("1000.4"), money("0.3"), money("-0.2"), money("0.02"))
    );
    assert_eq!(
        go(Side::Sell, "50.00", 25, false),
        (-5, money("-250"), money("-0.1"), money("-0.05"), money("0.095")),
        "flipped: the rest was opened at the price of the fill"
    );
    assert_eq!(go(Side::Buy, "49.98", 5, false), (0, money("0"), money("0"), money("0"), money("0.11")));
}

#[test]
fn the_mark_follows_the_market() {
    let mut desk = Desk::new();
    let order = desk.order(COIN, Side::Sell, "60000", 7);
    let id = desk.pass(order);
    desk.accept(id);
    let report = desk.fill_report(id, Side::Sell, "60000", 7);
    desk.report(Report { instrument: COIN, leaves: Qty::ZERO, ..report });
    assert_eq!(desk.position(FIRST, COIN).unrealized, money("-0.0007"), "0.007 coins, 0.1 above");
    desk.quote(COIN, "59000", "59001");
    assert_eq!(desk.position(FIRST, COIN).unrealized, money("6.9965"));
    assert_eq!(desk.position(FIRST, COIN).fees, money("0.21"), "0.05 % of 420");
    assert_eq!(desk.position(FIRST, COIN).average_price(1_000_000), Some(price("60000")));
}

#[test]
fn money_out_of_range_is_held_at_its_end_and_halts() {
    let mut desk = Desk::new();
    let report = desk.fill_report(OrderId::compose(FIRST, 500), Side::Buy, "50.00", i64::MAX);
    desk.report(report);
    assert!(desk.risk.counters().overflows.value() > 0);
    assert_eq!(desk.risk.state(), TradingState::Halted);
    assert_eq!(desk.position(FIRST, SHARE).qty, lots(i64::MAX));
    assert_eq!(desk.position(FIRST, SHARE).cost, Money::MAX);
    let again = desk.fill_report(OrderId::compose(FIRST, 501), Side::Buy, "50.00", i64::MAX);
    desk.report(again);
    let back = desk.fill_report(OrderId::compose(FIRST, 502), Side::Sell, "-9000000000", i64::MAX);
    desk.report(back);
    assert_eq!(desk.position(FIRST, SHARE).qty, lots(0));
}
