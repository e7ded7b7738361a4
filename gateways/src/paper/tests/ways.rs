//! Latency, order on the session, faults.

use super::super::testing::*;
use super::super::{Latency, OrderMessage, PaperConfig, PaperVenue};
use super::{Buy, Day, Sell};
use spinward_engine::words::{Nanos, RejectCode};

fn fixed(nanos: i64) -> Latency {
    Latency::fixed(Nanos::new(nanos))
}

/// As measured at a broker: places slow, cancels fast.
fn far() -> PaperConfig {
    PaperConfig { place: fixed(200), cancel: fixed(20), replace: fixed(90), report: fixed(7), ..near() }
}

fn venue(config: &PaperConfig) -> PaperVenue<NaiveBook> {
    PaperVenue::new(config, Box::new(Script), table(), NaiveBook::default()).unwrap()
}

fn submit(venue: &mut PaperVenue<NaiveBook>, at: i64, message: OrderMessage) {
    venue.submit(&OrderMessage { decided: Nanos::new(at), ..message }, Nanos::new(0)).unwrap();
}

/// Lets everything act; gives for each report the order, when the venue said it and when it is heard.
fn times(venue: &mut PaperVenue<NaiveBook>) -> Vec<(u64, i64, i64)> {
    while venue.next_arrival().is_some() {
        venue.act_next();
    }
    std::iter::from_fn(|| venue.take_report())
        .map(|(heard, report)| (report.order.number(), report.venue_time.get(), heard.get()))
        .collect()
}

#[test]
fn places_cancels_replaces_and_reports_take_their_own_time() {
    let mut venue = venue(&far());
    submit(&mut venue, 1_000, order(1, Buy, 98, 5, Day));
    submit(&mut venue, 2_000, change(1, 2, Buy, 97, 5));
    submit(&mut venue, 3_000, cancel(2, Buy));
    assert_eq!(times(&mut venue), [(1, 1_200, 1_207), (1, 2_090, 2_097), (2, 3_020, 3_027)]);
}

#[test]
fn a_later_message_never_overtakes_an_earlier_one() {
    let mut venue = venue(&far());
    submit(&mut venue, 1_000, order(1, Buy, 98, 5, Day));
    submit(&mut venue, 1_001, cancel(9, Buy));
    submit(&mut venue, 1_002, cancel(1, Buy));
    assert_eq!(times(&mut venue), [(1, 1_200, 1_207), (9, 1_200, 1_207), (1, 1_200, 1_207)]);
}

#[test]
fn cancels_on_their_own_session_overtake_but_never_the_message_that_made_their_order() {
    let mut venue = venue(&PaperConfig { cancels_apart: true, ..far() });
    submit(&mut venue, 1_000, order(1, Buy, 98, 5, Day));
    submit(&mut venue, 1_001, cancel(9, Buy));
    submit(&mut venue, 1_002, cancel(1, Buy));
    submit(&mut venue, 1_003, cancel(8, Buy));
    assert_eq!(
        times(&mut venue),
        [(9, 1_021, 1_028), (1, 1_200, 1_207), (1, 1_200, 1_207), (8, 1_200, 1_207)]
    );
}

#[test]
fn a_draw_depends_on_the_order_and_the_seed_and_not_on_what_else_is_sent() {
    let jitter = Latency { base: Nanos::new(10), jitter: Nanos::new(1_000) };
    let arrival = |seed, before: u64| {
        let mut venue = venue(&PaperConfig { place: jitter, seed, ..near() });
        for number in 0..before {
            submit(&mut venue, 1, order(50 + number, Sell, 120, 1, Day));
        }
        submit(&mut venue, 10_000, order(1, Buy, 98, 5, Day));
        times(&mut venue).pop().unwrap().1
    };
    assert_eq!(arrival(1, 0), arrival(1, 7));
    assert!((2..20).any(|seed| arrival(seed, 0) != arrival(1, 0)));
}

#[test]
fn an_order_acts_after_the_market_of_the_same_instant() {
    // The caller merges; what the venue promises is the arrival.
    let mut venue = venue(&far());
    submit(&mut venue, 1_000, order(1, Buy, 101, 5, Day));
    assert_eq!(venue.next_arrival(), Some(Nanos::new(1_200)));
    venue.on_market(Nanos::new(1_200), &bytes_of(&[level(Sell, 101, 5)]));
    assert_eq!(times(&mut venue).len(), 2, "accepted and filled");
}

#[test]
fn faults_refuse_new_orders_and_replaces_but_never_cancels() {
    let mut bench = Bench::new(&near(), NaiveBook::default());
    bench.send(order(1, Buy, 98, 5, Day));
    let mut faulty = Bench::new(&PaperConfig { reject_ppm: 1_000_000, ..near() }, NaiveBook::default());
    assert_eq!(faulty.send(order(1, Buy, 98, 5, Day))[0].code(), RejectCode::Simulated);
    assert_eq!(faulty.send(cancel(1, Buy))[0].code(), RejectCode::TooLate);
}

#[test]
fn too_many_messages_under_way_are_not_taken() {
    let mut venue = venue(&PaperConfig { messages_max: 1, ..far() });
    submit(&mut venue, 1, order(1, Buy, 98, 5, Day));
    assert!(venue.submit(&order(2, Buy, 98, 5, Day), Nanos::ZERO).is_err());
    assert_eq!(times(&mut venue).len(), 1);
}
