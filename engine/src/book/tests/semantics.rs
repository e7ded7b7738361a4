//! What each event does to a book.

use super::*;
use crate::words::MarketStatus;

const BOOK: InstrumentId = InstrumentId::new(0);

fn pair() -> Pair {
    Pair::new(&small())
}

fn references(pair: &Pair, side: Side, price: i64) -> Vec<u64> {
    pair.fast.queue(BOOK, side, Price::from_nanos(price)).map(|order| order.reference).collect()
}

fn status(instrument: InstrumentId, status: MarketStatus) -> Event {
    Event { a: status as u64, instrument, ..event(EventKind::Status, 0) }
}

#[test]
fn orders_queue_in_the_order_of_arrival_and_a_replaced_one_goes_to_the_back() {
    let mut pair = pair();
    for reference in [1, 2, 3] {
        pair.apply_and_check(&add(reference, Side::Buy, 100, 10));
    }
    pair.apply_and_check(&on_order(EventKind::OrderReduce, 1, 4));
    assert_eq!(references(&pair, Side::Buy, 100), [1, 2, 3]);
    let replace = Event { b: 4, price: Price::from_nanos(100), ..on_order(EventKind::OrderReplace, 1, 8) };
    pair.apply_and_check(&replace);
    assert_eq!(references(&pair, Side::Buy, 100), [2, 3, 4]);
    assert_eq!(pair.fast.order(BOOK, 1), None);
    let order = pair.fast.order(BOOK, 4).unwrap();
    assert_eq!((order.side, order.qty.lots(), order.arrival), (Side::Buy, 8, 4));
    assert_eq!(pair.fast.arrivals(), 4);
    // Under its own reference too.
    let same = Event { b: 2, price: Price::from_nanos(100), ..on_order(EventKind::OrderReplace, 2, 10) };
    pair.apply_and_check(&same);
    assert_eq!(references(&pair, Side::Buy, 100), [3, 4, 2]);
}

#[test]
fn an_order_executed_to_nothing_is_gone_and_so_is_its_level() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Sell, 100, 10));
    pair.apply_and_check(&add(2, Side::Sell, 101, 5));
    pair.apply_and_check(&on_order(EventKind::OrderExecute, 1, 4));
    assert_eq!(pair.fast.best(BOOK, Side::Sell).unwrap().qty.lots(), 6);
    pair.apply_and_check(&on_order(EventKind::OrderExecute, 1, 6));
    assert_eq!(pair.fast.best(BOOK, Side::Sell).unwrap().price.nanos(), 101);
    pair.apply_and_check(&on_order(EventKind::OrderReduce, 2, 5));
    assert_eq!(pair.fast.best(BOOK, Side::Sell), None);
    assert_eq!(pair.fast.counters().orders.value(), 0);
}

#[test]
fn events_of_unknown_orders_are_counted_and_leave_the_book_unchanged() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Buy, 100, 10));
    let before = pair.fast.state_hash(BOOK);
    let kinds = [
        EventKind::OrderExecute,
        EventKind::OrderExecuteAt,
        EventKind::OrderReduce,
        EventKind::OrderDelete,
        EventKind::OrderReplace,
    ];
    for kind in kinds {
        let view = pair.apply_and_check(&Event { b: 7, ..on_order(kind, 9, 1) });
        assert_eq!(view, None, "nothing changed, so there is no view");
    }
    assert_eq!(pair.fast.counters().unknown_orders.value(), 5);
    assert_eq!(pair.fast.state_hash(BOOK), before);
}

#[test]
fn more_executed_than_rests_takes_what_rests_and_is_counted() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Sell, 100, 10));
    let view = pair.apply_and_check(&on_order(EventKind::OrderExecute, 1, 25)).unwrap();
    assert_eq!(view.statistics.last_qty.lots(), 10);
    assert_eq!(view.ask_count, 0);
    assert_eq!(pair.fast.counters().excess_quantities.value(), 1);
}

#[test]
fn a_live_reference_added_again_changes_nothing() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Buy, 100, 10));
    assert_eq!(pair.apply_and_check(&add(1, Side::Sell, 120, 5)), None);
    assert_eq!(pair.fast.best(BOOK, Side::Sell), None);
    assert_eq!(pair.fast.counters().duplicate_orders.value(), 1);
    // The same reference in another instrument is another order.
    pair.apply_and_check(&Event { instrument: InstrumentId::new(1), ..add(1, Side::Sell, 120, 5) });
    assert_eq!(pair.fast.counters().orders.value(), 2);
}

#[test]
fn a_view_comes_only_with_the_end_of_a_group_that_changed_something() {
    let mut pair = pair();
    let open = Event { flags: 0, ..level(Side::Buy, 100, 5) };
    assert_eq!(pair.apply_and_check(&open), None);
    let ignored = Event { instrument: InstrumentId::ALL, ..event(EventKind::Ignored, 0) };
    let view = pair.apply_and_check(&ignored).expect("the group changed a book before");
    assert_eq!(view.instrument, BOOK);
    assert_eq!(pair.apply_and_check(&ignored), None);
    for kind in [
        EventKind::Ignored,
        EventKind::Definition,
        EventKind::Duplicate,
        EventKind::Malformed,
        EventKind::Report,
        EventKind::Timer,
        EventKind::Operator,
        EventKind::Recovery,
        EventKind::Link,
    ] {
        assert_eq!(pair.apply_and_check(&event(kind, 0)), None, "{kind:?}");
    }
    assert!(pair.apply_and_check(&priced(EventKind::Quote, Some(Side::Buy), 1, 1)).is_some());
    assert!(pair.apply_and_check(&status(BOOK, MarketStatus::Halted)).is_some());
}

#[test]
fn the_best_change_is_flagged_by_price_and_by_quantity_only() {
    let mut pair = pair();
    let mut changed = |event: &Event| {
        pair.apply_and_check(event).is_some_and(|view| view.flags & BookView::BBO_CHANGED != 0)
    };
    assert!(changed(&level(Side::Buy, 100, 5)));
    assert!(!changed(&level(Side::Buy, 99, 5)), "behind the best");
    assert!(changed(&level(Side::Buy, 100, 6)));
    assert!(!changed(&level(Side::Buy, 100, 6)));
    assert!(changed(&level(Side::Buy, 100, 0)));
    assert!(!changed(&trade(None, 100, 1)));
}

#[test]
fn an_order_count_alone_is_no_change_of_the_best() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Buy, 100, 10));
    // In one group, ten lots of one order become ten lots of two.
    pair.apply_and_check(&Event { flags: 0, ..on_order(EventKind::OrderReduce, 1, 5) });
    let view = pair.apply_and_check(&add(2, Side::Buy, 100, 5)).unwrap();
    assert_eq!(view.flags & BookView::BBO_CHANGED, 0);
    assert_eq!(view.bids()[0].orders, 2);
}

#[test]
fn crossed_and_locked_books_are_flagged_and_not_matched() {
    let mut pair = pair();
    pair.apply_and_check(&level(Side::Buy, 100, 5));
    let locked = pair.apply_and_check(&level(Side::Sell, 100, 7)).unwrap();
    assert_eq!((locked.flags & BookView::CROSSED, locked.is_tradable()), (BookView::CROSSED, false));
    let crossed = pair.apply_and_check(&level(Side::Buy, 104, 5)).unwrap();
    assert_eq!(crossed.flags & BookView::CROSSED, BookView::CROSSED);
    assert_eq!(crossed.statistics.spread.nanos(), -4);
    let open = pair.apply_and_check(&level(Side::Sell, 100, 0)).unwrap();
    assert_eq!(open.flags & BookView::CROSSED, 0);
    assert_eq!(pair.fast.counters().crossed_views.value(), 2);
}

#[test]
fn a_gap_quarantines_its_instrument_until_resynced() {
    let mut pair = pair();
    let quarantined = |view: Option<BookView>| view.map(|view| view.flags & BookView::QUARANTINED != 0);
    assert_eq!(quarantined(pair.apply_and_check(&level(Side::Buy, 100, 5))), Some(false));
    assert_eq!(quarantined(pair.apply_and_check(&event(EventKind::Gap, 0))), Some(true));
    assert_eq!(quarantined(pair.apply_and_check(&level(Side::Buy, 101, 5))), Some(true));
    let other = Event { instrument: InstrumentId::new(1), ..level(Side::Buy, 101, 5) };
    assert_eq!(quarantined(pair.apply_and_check(&other)), Some(false));
    assert_eq!(quarantined(pair.apply_and_check(&event(EventKind::BookClear, 0))), Some(true));
    assert_eq!(quarantined(pair.apply_and_check(&status(BOOK, MarketStatus::Trading))), Some(true));
    assert_eq!(quarantined(pair.apply_and_check(&status(BOOK, MarketStatus::Resynced))), Some(false));
}

#[test]
fn a_status_for_all_reaches_every_book_with_its_next_view() {
    let mut pair = pair();
    let on = |instrument: u32| Event { instrument: InstrumentId::new(instrument), ..level(Side::Buy, 1, 1) };
    let quarantined = |pair: &mut Pair, instrument: u32| {
        pair.apply_and_check(&on(instrument)).unwrap().flags & BookView::QUARANTINED != 0
    };
    assert!(!quarantined(&mut pair, 0));
    assert_eq!(pair.apply_and_check(&status(InstrumentId::ALL, MarketStatus::Quarantined)), None);
    assert!(quarantined(&mut pair, 0) && quarantined(&mut pair, 1));
    pair.apply_and_check(&status(BOOK, MarketStatus::Resynced));
    assert!(!quarantined(&mut pair, 0) && quarantined(&mut pair, 1));
    pair.apply_and_check(&event(EventKind::Gap, 0));
    pair.apply_and_check(&status(InstrumentId::ALL, MarketStatus::Resynced));
    assert!(!quarantined(&mut pair, 0) && !quarantined(&mut pair, 1) && !quarantined(&mut pair, 2));
    assert_eq!(pair.apply_and_check(&status(InstrumentId::ALL, MarketStatus::Halted)), None);
}

#[test]
fn a_clear_empties_both_kinds_of_book_and_quarantines_the_one_without_a_snapshot() {
    let mut pair = pair();
    for reference in 1..=6 {
        pair.apply_and_check(&add(reference, Side::Buy, 100 + reference as i64 % 3, 10));
    }
    let cleared = pair.apply_and_check(&event(EventKind::BookClear, 0)).unwrap();
    assert_eq!((cleared.bid_count, cleared.flags & BookView::QUARANTINED), (0, BookView::QUARANTINED));
    assert_eq!((pair.fast.counters().orders.value(), pair.fast.counters().levels.value()), (0, 0));
    assert_eq!(pair.fast.order(BOOK, 3), None);
    // A cleared book takes its kind anew; an L2 book is whole with the snapshot that follows its clear.
    let on = |event: Event| Event { instrument: InstrumentId::new(1), ..event };
    pair.apply_and_check(&on(level(Side::Buy, 100, 5)));
    let cleared = pair.apply_and_check(&on(event(EventKind::BookClear, 0))).unwrap();
    assert_eq!((cleared.bid_count, cleared.flags & BookView::QUARANTINED), (0, 0));
}

#[test]
fn an_event_of_the_other_kind_of_book_is_refused() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Buy, 100, 10));
    assert_eq!(pair.apply_and_check(&level(Side::Buy, 101, 5)), None);
    let on = |event: Event| Event { instrument: InstrumentId::new(1), ..event };
    pair.apply_and_check(&on(level(Side::Buy, 100, 5)));
    assert_eq!(pair.apply_and_check(&on(add(2, Side::Buy, 101, 5))), None);
    assert_eq!(pair.fast.counters().refused.value(), 2);
}

#[test]
fn values_out_of_range_are_refused() {
    let mut pair = pair();
    pair.apply_and_check(&add(1, Side::Buy, 100, 10));
    let bad = [
        add(2, Side::Buy, 100, 0),
        add(2, Side::Buy, 100, ORDER_QTY_MAX + 1),
        Event { side_number: 0, ..add(2, Side::Buy, 100, 1) },
        on_order(EventKind::OrderExecute, 1, 0),
        on_order(EventKind::OrderReduce, 1, -3),
        Event { b: 2, ..on_order(EventKind::OrderReplace, 1, 0) },
        trade(None, 100, 0),
        Event { a: 99, ..event(EventKind::Status, 0) },
    ];
    for event in &bad {
        assert_eq!(pair.apply_and_check(event), None, "{event:?}");
    }
    assert_eq!(pair.fast.counters().refused.value(), bad.len() as u64);
}

#[test]
fn an_instrument_beyond_the_table_is_counted_and_ignored() {
    let mut pair = pair();
    for number in [4, 1_000_000, u32::MAX] {
        let on = |event: Event| Event { instrument: InstrumentId::new(number), ..event };
        for event in [add(1, Side::Buy, 100, 1), level(Side::Buy, 1, 1), trade(None, 1, 1)] {
            assert_eq!(pair.apply_and_check(&on(event)), None);
        }
        assert_eq!(pair.fast.levels(InstrumentId::new(number), Side::Buy).count(), 0);
        assert_eq!(pair.fast.order(InstrumentId::new(number), 1), None);
        pair.fast.prefetch([on(add(1, Side::Buy, 100, 1))].iter());
    }
    assert_eq!(pair.fast.counters().unaddressed.value(), 9);
}

#[test]
fn a_full_pool_quarantines_the_instrument_until_it_is_cleared() {
    let mut pair = Pair::new(&BookConfig { orders_max: 2, levels_max: 3, ..small() });
    pair.apply_and_check(&add(1, Side::Buy, 100, 10));
    pair.apply_and_check(&add(2, Side::Buy, 100, 10));
    let view = pair.apply_and_check(&add(3, Side::Buy, 100, 10)).unwrap();
    assert_eq!((view.flags & BookView::QUARANTINED, view.bids()[0].orders), (BookView::QUARANTINED, 2));
    assert_eq!(pair.fast.counters().orders_full.value(), 1);
    // A resync says that the feed is whole, not that the book is.
    let view = pair.apply_and_check(&status(BOOK, MarketStatus::Resynced)).unwrap();
    assert_eq!(view.flags & BookView::QUARANTINED, BookView::QUARANTINED);
    pair.apply_and_check(&event(EventKind::BookClear, 0));
    let view = pair.apply_and_check(&status(BOOK, MarketStatus::Resynced)).unwrap();
    assert_eq!(view.flags & BookView::QUARANTINED, 0);

    let on = |event: Event| Event { instrument: InstrumentId::new(1), ..event };
    for price in 1..=3 {
        pair.apply_and_check(&on(level(Side::Buy, price, 1)));
    }
    let view = pair.apply_and_check(&on(level(Side::Sell, 9, 1))).unwrap();
    assert_eq!((view.flags & BookView::QUARANTINED, view.ask_count), (BookView::QUARANTINED, 0));
    pair.apply_and_check(&on(event(EventKind::BookClear, 0)));
    let view = pair.apply_and_check(&on(level(Side::Sell, 9, 1))).unwrap();
    assert_eq!((view.flags & BookView::QUARANTINED, view.ask_count), (0, 1));
}

#[test]
fn equal_books_have_equal_hashes_and_a_swapped_queue_has_another() {
    let hash = |events: &[Event]| {
        let mut pair = pair();
        for event in events {
            pair.apply_and_check(event);
        }
        pair.fast.state_hash(BOOK)
    };
    let (one, two) = (add(1, Side::Buy, 100, 5), add(2, Side::Buy, 100, 5));
    let detour = [one, add(3, Side::Buy, 100, 9), two, on_order(EventKind::OrderDelete, 3, 0)];
    assert_eq!(hash(&[one, two]), hash(&detour));
    assert_ne!(hash(&[one, two]), hash(&[two, one]));
    assert_ne!(hash(&[one]), hash(&[add(1, Side::Sell, 100, 5)]));
}

#[test]
fn a_configuration_out_of_range_is_refused_by_name() {
    let refused = |config: BookConfig| BookStage::new(&config).err().map(|error| error.to_string());
    assert_eq!(refused(small()), None);
    let text = refused(BookConfig { view_levels: 11, ..small() }).unwrap();
    assert!(text.contains("view_levels is 11") && text.contains("1 to 10"), "{text}");
    assert!(refused(BookConfig { view_levels: 0, ..small() }).is_some());
    assert!(refused(BookConfig { instruments_max: 0, ..small() }).is_some());
    assert!(refused(BookConfig { orders_max: (1 << 26) + 1, ..small() }).is_some());
    assert!(refused(BookConfig { levels_max: 0, ..small() }).is_some());
    let text = refused(BookConfig { volatility_sample: Nanos::new(7), ..small() }).unwrap();
    assert!(
        text.contains("volatility_window is 40 ns") && text.contains("volatility_sample of 7 ns"),
        "{text}"
    );
    assert!(refused(BookConfig { volatility_sample: Nanos::ZERO, ..small() }).is_some());
}
