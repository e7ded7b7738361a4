//! A later session begins where the earlier one ended.

use super::desk::*;
use crate::risk::*;
use crate::words::*;

#[test]
fn a_session_resumes_with_positions_orders_and_numbers() {
    let mut desk = Desk::new();
    desk.hold(Side::Buy, 30);
    let order = desk.sell("50.10", 10);
    let acknowledged = desk.pass(order);
    desk.accept(acknowledged);
    desk.fill(acknowledged, Side::Sell, "50.10", 4);
    let order = desk.buy("49.90", 20);
    let unanswered = desk.pass(order);
    let order = desk.buy("49.905", 20);
    let refused = order.order;
    assert_eq!(desk.try_one(order).0, RejectCode::OffTick);
    let records: Vec<RecoveredRecord> = desk.risk.recovered().collect();

    let mut later = Desk::new();
    for record in &records {
        later.recover(*record);
    }
    assert_eq!(later.risk.counters().recovered.value(), records.len() as u64);
    assert_eq!(later.state_of(acknowledged), Some(OrderState::Open));
    assert_eq!(later.state_of(unanswered), Some(OrderState::PendingNew), "uncertain is pending");
    assert_eq!((later.leaves_of(acknowledged), later.leaves_of(unanswered)), (6, 20));
    assert_eq!(later.risk.under_way(), 0, "the ring of the earlier session is no more");
    let (before, after) = (desk.position(FIRST, SHARE), later.position(FIRST, SHARE));
    assert_eq!(
        (after.qty, after.cost, after.realized, after.fees, after.unrealized),
        (before.qty, before.cost, before.realized, before.fees, before.unrealized)
    );
    let again: Vec<RecoveredRecord> = later.risk.recovered().collect();
    assert_eq!(again.len(), records.len());
    assert!(records.iter().all(|record| again.contains(record)), "recovering is repeatable");

    let reuse = Intent { order: refused, ..later.buy("49.90", 1) };
    assert_eq!(
        later.try_one(reuse).0,
        RejectCode::DuplicateOrder,
        "also the number of a refused order is used up"
    );
    for _ in 0..10 {
        later.next_id(FIRST);
    }
    let over = later.buy("50.00", 100);
    later.pass(over);
    let over = later.buy("50.01", 55);
    assert_eq!(later.try_one(over), (RejectCode::PositionLimit, 201, 200), "26 held, 20 unanswered, 100, 55");
    later.fill(unanswered, Side::Buy, "49.90", 20);
    assert_eq!(later.position(FIRST, SHARE).qty, lots(46));
}

#[test]
fn records_that_fit_nowhere_halt() {
    let position =
        RecoveredRecord { kind_number: RecoveredKind::Position as u8, ..RecoveredRecord::default() };
    let order = RecoveredRecord {
        order: OrderId::compose(FIRST, 1),
        qty: lots(1),
        kind_number: RecoveredKind::OpenOrder as u8,
        side_number: Side::Buy as u8,
        tif_number: TimeInForce::Day as u8,
        ..RecoveredRecord::default()
    };
    let bad = [
        RecoveredRecord { kind_number: 9, ..position },
        RecoveredRecord { instrument: SEEN, ..position },
        RecoveredRecord { instrument: SEEN, ..order },
        RecoveredRecord { side_number: 0, ..order },
        RecoveredRecord { tif_number: 0, ..order },
        RecoveredRecord { qty: lots(0), ..order },
        RecoveredRecord { order: OrderId::NONE, ..order },
        RecoveredRecord {
            strategy: StrategyId::new(7),
            kind_number: RecoveredKind::OrderNumber as u8,
            ..RecoveredRecord::default()
        },
    ];
    for record in bad {
        let mut desk = Desk::new();
        desk.recover(record);
        assert_eq!(desk.risk.state(), TradingState::Halted, "{record:?}");
        assert_eq!(desk.risk.counters().recovered_refused.value(), 1);
    }
    let mut desk = Desk::new();
    desk.recover(order);
    assert_eq!(desk.risk.state(), TradingState::Normal);
    desk.recover(order);
    assert_eq!(desk.risk.state(), TradingState::Halted, "the same order twice");
}

#[test]
fn the_latch_of_an_earlier_session_halts_the_later_one() {
    let mut desk = Desk::new();
    desk.kill();
    let command = desk.risk.latch().unwrap().command;
    let mut later = Desk::new();
    later.command(CommandKind::Kill, TradingState::Normal, command.owner.as_str());
    assert_eq!(later.risk.latch().unwrap().command, command);
    // What is recovered into a halted session is cancelled.
    later.recover(RecoveredRecord {
        order: OrderId::compose(FIRST, 1),
        qty: lots(1),
        venue_order: 5,
        kind_number: RecoveredKind::OpenOrder as u8,
        side_number: Side::Buy as u8,
        tif_number: TimeInForce::Day as u8,
        ..RecoveredRecord::default()
    });
    assert_eq!(later.taken(), [(Action::Cancel, OrderId::compose(FIRST, 1))]);
}
