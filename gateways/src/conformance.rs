//! One suite that every order gateway passes: what an order can live through, at the paper venue and over OUCH at the exchange. Each case holds the
//! reports, and orders, position and money at both ends, against what the case itself says must be.

mod venues;

use crate::paper::testing::{self, id};
use spinward_engine::words::{InstrumentId, Report, ReportKind, Side, TimeInForce};
use venues::{Ouch, Paper, Venue};

use ReportKind::{Accepted, CancelRejected, Cancelled, Filled, Rejected, ReplaceRejected, Replaced};
use Side::{Buy, Sell};
use TimeInForce::{Day, Ioc};

/// Kinds in their order, of one order and whatever takes its place.
fn told(reports: &[Report]) -> Vec<ReportKind> {
    reports.iter().map(|report| report.kind().unwrap()).collect()
}

/// Every case at every venue.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod paper {
            $( #[test] fn $case() { super::$case(&mut super::Paper::new()); } )*
        }
        mod ouch {
            $( #[test] fn $case() { super::$case(&mut super::Ouch::new()); } )*
        }
    };
}

suite!(
    an_order_lives_and_is_cancelled,
    an_order_is_filled_in_parts_as_taker_and_as_maker,
    the_rest_of_an_immediate_order_is_cancelled_by_the_venue,
    a_fill_that_comes_before_a_cancel_wins_and_the_cancel_is_answered,
    a_part_fill_that_comes_before_a_cancel_leaves_the_rest_to_it,
    a_fill_that_comes_before_a_replace_wins_and_the_replace_is_answered,
    a_replace_that_comes_before_a_fill_wins_and_the_new_order_is_filled,
    an_order_that_cannot_be_is_rejected,
    fills_while_nobody_is_connected_are_told_once,
    an_acknowledgement_that_is_lost_comes_after_all,
    an_order_that_is_lost_on_its_way_is_answered,
    a_cancel_that_is_lost_on_its_way_is_answered,
    answers_that_are_slow_change_nothing,
    open_orders_outlive_the_connection,
    open_orders_outlive_the_process,
    fills_while_there_is_no_process_are_told_once,
);

fn an_order_lives_and_is_cancelled(venue: &mut impl Venue) {
    let order = venue.enter(Buy, 100, 10, Day);
    venue.settle();
    assert_eq!(venue.ledger().open.len(), 1);
    venue.cancel(order);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Cancelled]);
    venue.both_ends(0, 0);
}

fn an_order_is_filled_in_parts_as_taker_and_as_maker(venue: &mut impl Venue) {
    venue.rests(Sell, 100, 4);
    venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.takes(Sell, 100, 3);
    venue.settle();
    venue.both_ends(7, -700);
    venue.takes(Sell, 100, 3);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, Filled, Filled]);
    let makers: Vec<bool> = venue.ledger().reports.iter().skip(1).map(Report::is_maker).collect();
    assert_eq!(makers, [false, true, true]);
    venue.both_ends(10, -1_000);
}

fn the_rest_of_an_immediate_order_is_cancelled_by_the_venue(venue: &mut impl Venue) {
    venue.rests(Sell, 100, 4);
    venue.enter(Buy, 101, 10, Ioc);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, Cancelled]);
    venue.both_ends(4, -400);
}

fn a_fill_that_comes_before_a_cancel_wins_and_the_cancel_is_answered(venue: &mut impl Venue) {
    let order = venue.enter(Sell, 100, 10, Day);
    venue.settle();
    venue.cancel(order);
    venue.takes(Buy, 100, 10);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, CancelRejected]);
    venue.both_ends(-10, 1_000);
}

fn a_part_fill_that_comes_before_a_cancel_leaves_the_rest_to_it(venue: &mut impl Venue) {
    let order = venue.enter(Sell, 100, 10, Day);
    venue.settle();
    venue.cancel(order);
    venue.takes(Buy, 100, 4);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, Cancelled]);
    venue.both_ends(-4, 400);
}

fn a_fill_that_comes_before_a_replace_wins_and_the_replace_is_answered(venue: &mut impl Venue) {
    let order = venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.replace(order, 99, 5);
    venue.takes(Sell, 100, 10);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, ReplaceRejected]);
    venue.both_ends(10, -1_000);
}

fn a_replace_that_comes_before_a_fill_wins_and_the_new_order_is_filled(venue: &mut impl Venue) {
    let order = venue.enter(Buy, 100, 10, Day);
    venue.settle();
    let new = venue.replace(order, 99, 5);
    venue.arrive();
    venue.takes(Sell, 99, 5);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Replaced, Filled]);
    assert_eq!(venue.ledger().reports[2].order.get(), new);
    venue.both_ends(5, -495);
}

fn an_order_that_cannot_be_is_rejected(venue: &mut impl Venue) {
    let nowhere = testing::order(900, Buy, 100, 10, Day);
    venue.submit(crate::paper::OrderMessage { instrument: InstrumentId::new(9), order: id(900), ..nowhere });
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Rejected]);
    venue.both_ends(0, 0);
}

fn fills_while_nobody_is_connected_are_told_once(venue: &mut impl Venue) {
    venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.cut();
    venue.takes(Sell, 100, 6);
    venue.takes(Sell, 100, 1);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, Filled]);
    venue.both_ends(7, -700);
}

fn an_acknowledgement_that_is_lost_comes_after_all(venue: &mut impl Venue) {
    venue.enter(Buy, 100, 10, Day);
    venue.arrive();
    venue.cut();
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted]);
    venue.both_ends(0, 0);
}

fn an_order_that_is_lost_on_its_way_is_answered(venue: &mut impl Venue) {
    venue.enter(Buy, 100, 10, Day);
    let is_lost = venue.cut();
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), if is_lost { [Rejected] } else { [Accepted] });
    venue.both_ends(0, 0);
}

fn a_cancel_that_is_lost_on_its_way_is_answered(venue: &mut impl Venue) {
    let order = venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.cancel(order);
    venue.cut();
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Cancelled]);
    venue.both_ends(0, 0);
}

fn answers_that_are_slow_change_nothing(venue: &mut impl Venue) {
    venue.slow();
    let order = venue.enter(Buy, 100, 10, Day);
    venue.arrive();
    venue.takes(Sell, 100, 4);
    venue.settle();
    venue.cancel(order);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Accepted, Filled, Cancelled]);
    venue.both_ends(4, -400);
}

fn open_orders_outlive_the_connection(venue: &mut impl Venue) {
    let order = venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.cut();
    venue.settle();
    assert_eq!(venue.ledger().open.len(), 1);
    venue.both_ends(0, 0);
    venue.cancel(order);
    venue.settle();
    assert_eq!(venue.ledger().open.len(), 0);
    venue.both_ends(0, 0);
}

fn open_orders_outlive_the_process(venue: &mut impl Venue) {
    let order = venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.takes(Sell, 100, 3);
    venue.settle();
    venue.restart();
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [], "what the journal has is not told again");
    venue.both_ends(3, -300);
    venue.cancel(order);
    venue.settle();
    assert_eq!(venue.ledger().open.len(), 0);
    venue.both_ends(3, -300);
}

fn fills_while_there_is_no_process_are_told_once(venue: &mut impl Venue) {
    venue.enter(Buy, 100, 10, Day);
    venue.settle();
    venue.takes(Sell, 100, 3);
    venue.settle();
    venue.restart();
    venue.takes(Sell, 100, 2);
    venue.settle();
    assert_eq!(told(&venue.ledger().reports), [Filled]);
    venue.both_ends(5, -500);
}
