//! The venue's rules, one by one, with exact arithmetic.

use super::testing::*;
use super::{Latency, PaperConfig, PaperVenue};
use spinward_engine::words::{
    Event, EventKind, MarketStatus, Nanos, RecoveredKind, RecoveredRecord, RejectCode, Report, ReportKind,
    Side, TimeInForce,
};

mod generated;
mod ways;

use Side::{Buy, Sell};
use TimeInForce::{Day, Fok, Ioc};

fn bench() -> Bench<NaiveBook> {
    Bench::new(&near(), NaiveBook::default())
}

/// What a report says, in short: kind, order, price, quantity, leaves.
fn short(reports: &[Report]) -> Vec<(ReportKind, u64, i64, i64, i64)> {
    let of = |r: &Report| {
        (r.kind().unwrap(), r.order.number(), r.price.nanos() / 1_000_000_000, r.qty.lots(), r.leaves.lots())
    };
    reports.iter().map(of).collect()
}

fn code(reports: &[Report]) -> RejectCode {
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports[0].code()
}

use ReportKind::{Accepted, CancelRejected, Cancelled, Filled, Rejected, ReplaceRejected, Replaced};

#[test]
fn a_taker_gets_the_displayed_levels_best_first_at_their_prices_and_its_rest_by_time_in_force() {
    let mut bench = bench();
    bench.market(&[level(Sell, 101, 5), level(Sell, 100, 3), level(Sell, 103, 9)]);
    let reports = bench.send(order(1, Buy, 102, 10, Ioc));
    assert_eq!(
        short(&reports),
        [
            (Accepted, 1, 102, 10, 10),
            (Filled, 1, 100, 3, 7),
            (Filled, 1, 101, 5, 2),
            (Cancelled, 1, 102, 2, 0),
        ]
    );
    assert!(reports.iter().all(|r| !r.is_maker()));
    let reports = bench.send(order(2, Buy, 102, 4, Day));
    assert_eq!(short(&reports), [(Accepted, 2, 102, 4, 4)], "both levels are taken");
    assert_eq!(bench.queue(Buy), [(2, 4, 0)]);
}

#[test]
fn what_was_taken_is_not_there_again_until_others_add_to_the_level() {
    let mut bench = bench();
    bench.market(&[level(Sell, 100, 10)]);
    assert_eq!(short(&bench.send(order(1, Buy, 100, 6, Ioc)))[1], (Filled, 1, 100, 6, 0));
    assert_eq!(short(&bench.send(order(2, Buy, 100, 6, Ioc)))[1], (Filled, 2, 100, 4, 2));
    assert_eq!(short(&bench.send(order(3, Buy, 100, 6, Ioc)))[1], (Cancelled, 3, 100, 6, 0));
    // 10 -> 12: two more. 12 -> 7: what falls away is what we had left over, and no more than all is taken.
    bench.market(&[level(Sell, 100, 12)]);
    assert_eq!(short(&bench.send(order(4, Buy, 100, 1, Ioc)))[1], (Filled, 4, 100, 1, 0));
    bench.market(&[level(Sell, 100, 7)]);
    assert_eq!(short(&bench.send(order(5, Buy, 100, 1, Ioc)))[1], (Cancelled, 5, 100, 1, 0));
    assert_eq!(bench.venue.taken_at(ACME, Sell, price(100)), lots(7));
    bench.market(&[level(Sell, 100, 9)]);
    assert_eq!(short(&bench.send(order(6, Buy, 100, 5, Ioc)))[1], (Filled, 6, 100, 2, 3));
    // Empty at the end of a group: what comes then is new.
    bench.market(&[level(Sell, 100, 0)]);
    bench.market(&[level(Sell, 100, 3)]);
    assert_eq!(short(&bench.send(order(7, Buy, 100, 5, Ioc)))[1], (Filled, 7, 100, 3, 2));
    // Emptied and refilled within one group (a snapshot) is the same liquidity.
    let clear = Event::new(EventKind::BookClear, ACME);
    bench.market(&[clear, level(Sell, 100, 3)]);
    assert_eq!(short(&bench.send(order(8, Buy, 100, 5, Ioc)))[1], (Cancelled, 8, 100, 5, 0));
}

#[test]
fn a_level_that_cannot_be_remembered_cannot_be_taken() {
    let mut bench = Bench::new(&PaperConfig { taken_levels_max: 1, ..near() }, NaiveBook::default());
    bench.market(&[level(Sell, 100, 1), level(Sell, 101, 1)]);
    let reports = bench.send(order(1, Buy, 101, 2, Ioc));
    assert_eq!(short(&reports)[1..], [(Filled, 1, 100, 1, 1), (Cancelled, 1, 101, 1, 0)]);
}

#[test]
fn fill_or_kill_is_all_or_nothing_and_post_only_never_takes() {
    let mut bench = bench();
    bench.market(&[level(Sell, 100, 3), level(Sell, 101, 3)]);
    assert_eq!(code(&bench.send(order(1, Buy, 101, 7, Fok))), RejectCode::NotFillable);
    let post = super::OrderMessage { post_only: true, ..order(2, Buy, 100, 1, Day) };
    assert_eq!(code(&bench.send(post)), RejectCode::WouldMatch);
    let reports = bench.send(order(3, Buy, 101, 6, Fok));
    assert_eq!(short(&reports)[1..], [(Filled, 3, 100, 3, 3), (Filled, 3, 101, 3, 0)]);
    let post = super::OrderMessage { post_only: true, ..order(4, Buy, 99, 1, Day) };
    assert_eq!(short(&bench.send(post)), [(Accepted, 4, 99, 1, 1)]);
}

#[test]
fn an_l3_queue_position_moves_with_the_orders_ahead_and_with_no_others() {
    let mut bench = bench();
    bench.market(&[add(1, Buy, 99, 10), add(2, Buy, 99, 20), add(3, Buy, 99, 30)]);
    bench.send(order(1, Buy, 99, 8, Day));
    assert_eq!(bench.queue(Buy), [(1, 8, 60)]);
    bench.market(&[add(4, Buy, 99, 40)]);
    assert_eq!(bench.queue(Buy), [(1, 8, 60)], "behind us");
    bench.market(&[reduce(2, 5)]);
    assert_eq!(bench.queue(Buy), [(1, 8, 55)]);
    bench.market(&[delete(3)]);
    assert_eq!(bench.queue(Buy), [(1, 8, 25)]);
    bench.market(&[reduce(4, 5), replace(2, 5, 99, 15)]);
    assert_eq!(bench.queue(Buy), [(1, 8, 10)], "a replaced order goes to the back");
    assert_eq!(bench.market(&[execute(1, 7)]), []);
    assert_eq!(bench.queue(Buy), [(1, 8, 3)]);
    assert_eq!(bench.market(&[trade(0, 99, 2)]), [], "hidden orders are served after those displayed");
    // The aggressor takes what is ahead, then (in the record) 5 of an order behind us: these are ours.
    let reports = bench.market(&[execute(1, 3), execute(4, 5)]);
    assert_eq!(short(&reports), [(Filled, 1, 99, 5, 3)]);
    assert!(reports[0].is_maker());
    assert_eq!(
        short(&bench.market(&[trade(0, 99, 2)])),
        [(Filled, 1, 99, 2, 1)],
        "hidden, and nothing ahead"
    );
    assert_eq!(short(&bench.market(&[execute(4, 30)])), [(Filled, 1, 99, 1, 0)]);
    assert_eq!(bench.queue(Buy), []);
}

#[test]
fn an_execution_beyond_our_price_was_ours_first() {
    let mut bench = bench();
    bench.market(&[add(1, Sell, 102, 10), add(2, Sell, 103, 10)]);
    bench.send(order(1, Sell, 101, 4, Day));
    bench.send(order(2, Sell, 102, 4, Day));
    // Three of ours at 101 first, one more there, then the recorded queue of 102.
    assert_eq!(short(&bench.market(&[execute(1, 3)])), [(Filled, 1, 101, 3, 1)]);
    assert_eq!(short(&bench.market(&[execute(1, 3)])), [(Filled, 1, 101, 1, 0)]);
    assert_eq!(bench.queue(Sell), [(2, 4, 4)], "the recorded queue is as recorded");
    assert_eq!(short(&bench.market(&[execute(2, 9)])), [(Filled, 2, 102, 4, 0)]);
}

#[test]
fn auctions_fill_nobody() {
    let mut bench = bench();
    bench.market(&[add(1, Buy, 98, 10)]);
    bench.send(order(1, Buy, 99, 4, Day));
    let cross = Event { b: u64::from(b'O'), ..trade(0, 97, 100) };
    let auction = Event { kind_number: EventKind::OrderExecuteAt as u8, price: price(97), ..execute(1, 5) };
    assert_eq!(bench.market(&[cross, auction]), []);
    let printable = Event { flags: Event::PRINTABLE, ..auction };
    assert_eq!(short(&bench.market(&[printable])), [(Filled, 1, 99, 4, 0)]);
}

#[test]
fn an_l2_queue_position_is_lowered_by_trades_first_and_never_lies_behind_the_level() {
    let mut bench = bench();
    bench.market(&[level(Buy, 99, 50), level(Sell, 101, 50)]);
    bench.send(order(1, Buy, 99, 10, Day));
    bench.market(&[level(Buy, 99, 80)]);
    assert_eq!(bench.queue(Buy), [(1, 10, 50)], "what joins stands behind");
    bench.market(&[level(Buy, 99, 60)]);
    assert_eq!(bench.queue(Buy), [(1, 10, 50)], "what leaves is assumed to have stood behind");
    bench.market(&[level(Buy, 99, 30)]);
    assert_eq!(bench.queue(Buy), [(1, 10, 30)]);
    assert_eq!(bench.market(&[trade(Sell as u8, 99, 12)]), []);
    assert_eq!(bench.queue(Buy), [(1, 10, 18)]);
    assert_eq!(bench.market(&[trade(Buy as u8, 99, 12)]), [], "buyers do not hit bids");
    assert_eq!(short(&bench.market(&[trade(Sell as u8, 99, 22)])), [(Filled, 1, 99, 4, 6)]);
    assert_eq!(bench.queue(Buy), [(1, 6, 0)]);
    assert_eq!(
        short(&bench.market(&[trade(Sell as u8, 98, 2)])),
        [(Filled, 1, 99, 2, 4)],
        "through our price"
    );
    assert_eq!(short(&bench.market(&[trade(0, 99, 9)])), [(Filled, 1, 99, 4, 0)], "at the bid: sellers");
}

#[test]
fn orders_of_ours_are_served_by_price_then_by_time_from_one_trade() {
    let mut bench = bench();
    bench.market(&[level(Buy, 98, 6)]);
    bench.send(order(1, Buy, 98, 3, Day));
    bench.send(order(2, Buy, 99, 3, Day));
    bench.send(order(3, Buy, 98, 3, Day));
    assert_eq!(bench.queue(Buy), [(2, 3, 0), (1, 3, 6), (3, 3, 6)]);
    // 14 = 3 at 99, then at 98: 6 ahead, 3 of order 1, 2 of order 3.
    let reports = bench.market(&[trade(Sell as u8, 98, 14)]);
    assert_eq!(short(&reports), [(Filled, 2, 99, 3, 0), (Filled, 1, 98, 3, 0), (Filled, 3, 98, 2, 1)]);
}

#[test]
fn an_opposite_side_that_comes_to_our_price_fills_us_there_with_what_it_has() {
    let mut bench = bench();
    bench.market(&[level(Buy, 98, 6), level(Sell, 101, 5)]);
    bench.send(order(1, Buy, 100, 6, Day));
    assert_eq!(bench.market(&[level(Sell, 101, 9)]), []);
    assert_eq!(short(&bench.market(&[level(Sell, 99, 2), level(Sell, 100, 1)])), [(Filled, 1, 100, 3, 3)]);
    assert_eq!(bench.market(&[level(Sell, 101, 3)]), [], "the same liquidity does not fill twice");
    assert_eq!(short(&bench.market(&[level(Sell, 99, 4)])), [(Filled, 1, 100, 2, 1)]);
    let reports = bench.market(&[level(Sell, 99, 0), level(Sell, 100, 7)]);
    assert_eq!(short(&reports), [(Filled, 1, 100, 1, 0)]);
}

#[test]
fn an_order_that_would_match_one_of_ours_is_refused_whole() {
    let mut bench = bench();
    bench.market(&[level(Buy, 98, 6), level(Sell, 101, 5)]);
    bench.send(order(1, Sell, 100, 5, Day));
    assert_eq!(code(&bench.send(order(2, Buy, 101, 9, Ioc))), RejectCode::VenueOther);
    assert_eq!(short(&bench.send(order(3, Buy, 99, 9, Day))), [(Accepted, 3, 99, 9, 9)]);
    assert_eq!(code(&bench.send(change(3, 4, Buy, 100, 9))), RejectCode::VenueOther);
    assert_eq!(bench.queue(Buy), [(3, 9, 0)], "a refused replace leaves the order as it was");
}

#[test]
fn a_replace_goes_to_the_back_under_its_new_id_and_may_take() {
    let mut bench = bench();
    bench.market(&[level(Buy, 98, 6), level(Sell, 101, 5)]);
    bench.send(order(1, Buy, 98, 5, Day));
    bench.market(&[level(Buy, 98, 20)]);
    let reports = bench.send(change(1, 2, Buy, 98, 4));
    assert_eq!(short(&reports), [(Replaced, 1, 98, 4, 4)]);
    assert_eq!(reports[0].new_order, id(2));
    assert_eq!(bench.queue(Buy), [(2, 4, 20)]);
    let reports = bench.send(change(2, 3, Buy, 101, 7));
    assert_eq!(short(&reports), [(Replaced, 2, 101, 7, 7), (Filled, 3, 101, 5, 2)]);
    assert_eq!(bench.queue(Buy), [(3, 2, 0)]);
    let reports = bench.send(change(1, 4, Buy, 98, 4));
    assert_eq!((short(&reports)[0].0, code(&reports)), (ReplaceRejected, RejectCode::TooLate));
    assert_eq!(code(&bench.send(change(3, 4, Sell, 98, 4))), RejectCode::VenueOther);
}

#[test]
fn cancels_answer_once_and_come_too_late_for_what_is_gone() {
    let mut bench = bench();
    bench.send(order(1, Buy, 98, 5, Day));
    assert_eq!(short(&bench.send(cancel(1, Buy))), [(Cancelled, 1, 98, 5, 0)]);
    let reports = bench.send(cancel(1, Buy));
    assert_eq!((short(&reports)[0].0, code(&reports)), (CancelRejected, RejectCode::TooLate));
    assert_eq!(code(&bench.send(cancel(9, Buy))), RejectCode::TooLate);
}

#[test]
fn what_cannot_stand_is_refused_with_its_reason() {
    let mut bench = Bench::new(&PaperConfig { orders_max: 1, ..near() }, NaiveBook::default());
    let late = super::OrderMessage { valid_until: Nanos::new(5), ..order(1, Buy, 98, 5, Day) };
    assert_eq!(code(&bench.send(late)), RejectCode::IntentExpired);
    assert_eq!(code(&bench.send(order(1, Buy, 98, 0, Day))), RejectCode::VenueOther);
    let nowhere = super::OrderMessage {
        instrument: spinward_engine::words::InstrumentId::new(77),
        ..order(1, Buy, 98, 1, Day)
    };
    assert_eq!(code(&bench.send(nowhere)), RejectCode::VenueOther);
    bench.send(order(1, Buy, 98, 5, Day));
    assert_eq!(code(&bench.send(order(1, Buy, 98, 5, Day))), RejectCode::VenueOther, "id in use");
    assert_eq!(code(&bench.send(order(2, Buy, 98, 5, Day))), RejectCode::VenueUnavailable, "full");
    assert_eq!(short(&bench.send(change(1, 3, Buy, 97, 5))), [(Replaced, 1, 97, 5, 5)], "needs no more room");
}

#[test]
fn a_market_that_does_not_trade_takes_cancels_only_and_its_close_cancels_what_rests() {
    for state in [MarketStatus::Halted, MarketStatus::Paused, MarketStatus::QuoteOnly] {
        let mut bench = bench();
        bench.market(&[level(Buy, 98, 6)]);
        bench.send(order(1, Buy, 99, 5, Day));
        bench.send(order(2, Buy, 99, 5, Day));
        bench.market(&[status(ACME, state)]);
        let reports = bench.send(order(3, Buy, 98, 5, Day));
        assert_eq!((short(&reports)[0].0, code(&reports)), (Rejected, RejectCode::VenueUnavailable));
        assert_eq!(bench.market(&[trade(Sell as u8, 97, 50), level(Sell, 98, 9)]), [], "{state:?}");
        assert_eq!(short(&bench.send(cancel(1, Buy))), [(Cancelled, 1, 99, 5, 0)]);
        bench.market(&[status(ACME, MarketStatus::Trading)]);
        assert_eq!(short(&bench.market(&[trade(Sell as u8, 97, 2)])), [(Filled, 2, 99, 2, 3)]);
        let all = spinward_engine::words::InstrumentId::ALL;
        assert_eq!(short(&bench.market(&[status(all, MarketStatus::Closed)])), [(Cancelled, 2, 99, 3, 0)]);
        assert_eq!(code(&bench.send(order(4, Buy, 98, 5, Day))), RejectCode::VenueUnavailable);
    }
}

#[test]
fn quarantined_data_crosses_nothing_but_trades_still_count_and_the_place_is_kept() {
    let mut bench = bench();
    bench.market(&[level(Buy, 99, 20), level(Sell, 101, 5)]);
    bench.send(order(1, Buy, 99, 5, Day));
    bench.market(&[Event::new(EventKind::Gap, ACME)]);
    assert_eq!(code(&bench.send(order(2, Buy, 98, 5, Day))), RejectCode::VenueUnavailable);
    assert_eq!(bench.market(&[level(Sell, 98, 5), level(Buy, 99, 0)]), []);
    assert_eq!(bench.queue(Buy), [(1, 5, 20)]);
    bench.market(&[trade(Sell as u8, 99, 4)]);
    assert_eq!(bench.queue(Buy), [(1, 5, 16)]);
    let clear = Event::new(EventKind::BookClear, ACME);
    let resynced = status(ACME, MarketStatus::Resynced);
    bench.market(&[clear, level(Buy, 99, 12), level(Sell, 101, 5), resynced]);
    assert_eq!(bench.queue(Buy), [(1, 5, 12)]);
    assert_eq!(bench.send(order(2, Buy, 98, 5, Day)).len(), 1);
}

#[test]
fn an_l3_resync_puts_us_at_the_back() {
    let mut bench = bench();
    bench.market(&[add(1, Buy, 99, 20)]);
    bench.send(order(1, Buy, 99, 5, Day));
    bench.market(&[execute(1, 15)]);
    assert_eq!(bench.queue(Buy), [(1, 5, 5)]);
    bench.market(&[Event::new(EventKind::BookClear, ACME), add(1, Buy, 99, 5), add(2, Buy, 99, 30)]);
    assert_eq!(bench.queue(Buy), [(1, 5, 35)]);
    bench.market(&[delete(2)]);
    assert_eq!(bench.queue(Buy), [(1, 5, 5)]);
}

#[test]
fn an_open_order_of_an_earlier_session_stands_at_the_back_and_a_lost_immediate_one_is_cancelled() {
    let record = |number, tif: TimeInForce| RecoveredRecord {
        order: id(number),
        price: price(99),
        qty: lots(5),
        venue_order: 40 + number,
        instrument: ACME,
        kind_number: RecoveredKind::OpenOrder as u8,
        side_number: Buy as u8,
        tif_number: tif as u8,
        ..RecoveredRecord::default()
    };
    let mut bench = bench();
    bench.venue.adopt(&record(1, Day)).unwrap();
    bench.venue.adopt(&record(2, Ioc)).unwrap();
    assert!(bench.venue.adopt(&record(1, Day)).is_err(), "twice");
    assert!(bench.venue.adopt(&RecoveredRecord { qty: lots(0), ..record(3, Day) }).is_err());
    let reports = bench.market(&[level(Buy, 99, 30)]);
    assert_eq!(short(&reports), [(Cancelled, 2, 99, 5, 0)]);
    assert_eq!(bench.queue(Buy), [(1, 5, 30)]);
    assert_eq!(short(&bench.market(&[trade(Sell as u8, 99, 32)])), [(Filled, 1, 99, 2, 3)]);
    let reports = bench.send(order(3, Sell, 120, 1, Day));
    assert!(reports[0].venue_order > 42, "never an id that is in use");
}

#[test]
fn ids_of_orders_and_executions_ascend_from_where_the_configuration_says() {
    let mut bench = Bench::new(&PaperConfig { first_id: 100, ..near() }, NaiveBook::default());
    bench.market(&[level(Sell, 100, 3), level(Sell, 101, 3)]);
    let reports = bench.send(order(1, Buy, 101, 6, Day));
    let found: Vec<_> = reports.iter().map(|r| (r.venue_order, r.exec.get())).collect();
    assert_eq!(found, [(101, 0), (101, 101), (101, 102)]);
    assert_eq!(bench.send(order(2, Buy, 90, 6, Day))[0].venue_order, 102);
}

#[test]
fn settings_out_of_range_are_refused_with_the_mend() {
    let none = Latency::fixed(Nanos::ZERO);
    let wrong = [
        PaperConfig { report: none, ..near() },
        PaperConfig { place: Latency::fixed(Nanos::new(-1)), ..near() },
        PaperConfig { cancel: Latency::fixed(Nanos::MAX), ..near() },
        PaperConfig { reject_ppm: 1_000_001, ..near() },
        PaperConfig { orders_max: 0, ..near() },
        PaperConfig { messages_max: 0, ..near() },
    ];
    for config in wrong {
        let made = PaperVenue::new(&config, Box::new(Script), table(), NaiveBook::default());
        let text = made.err().unwrap().to_string();
        assert!(text.contains("give") || text.contains("must be"), "{text}");
    }
}
