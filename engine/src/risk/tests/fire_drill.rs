//! The fire drill: every code of risk fires, with the value and the limit that its documentation promises, and its near miss passes.

use super::desk::*;
use crate::risk::*;
use crate::words::*;

type Measured = (RejectCode, i64, i64);

const PASSED: Measured = (RejectCode::None, 0, 0);

/// What the code's drill measured: the refusal, and the near miss.
struct Drill {
    fires: Measured,
    near_miss: Measured,
}

/// Exhaustive, so a new code does not compile without its drill. `None` for codes that are not risk's.
fn drill(code: RejectCode) -> Option<Drill> {
    use RejectCode as Code;
    let mut desk = Desk::new();
    let fresh = Desk::new;
    let nanos = |text: &str| price(text).nanos();
    let drill = match code {
        Code::None
        | Code::WouldMatch
        | Code::NotFillable
        | Code::TooLate
        | Code::VenueUnavailable
        | Code::VenueOther
        | Code::Simulated => return None,
        Code::Halted => {
            desk.command(CommandKind::Kill, TradingState::Normal, "desk");
            let order = desk.buy("50.00", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (TradingState::Halted as i64, 0));
            desk.command(CommandKind::Resume, TradingState::Normal, "desk");
            let order = desk.buy("50.00", 1);
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::CancelOnly => {
            desk.hold(Side::Buy, 5);
            let open = desk.buy("49.90", 1);
            let open = desk.pass(open);
            desk.command(CommandKind::SetState, TradingState::CancelOnly, "desk");
            let reducing = desk.sell("50.00", 1);
            let fires = desk.try_one(reducing);
            assert_eq!((fires.1, fires.2), (TradingState::CancelOnly as i64, 0));
            Drill { fires, near_miss: desk.try_one(desk.cancel_of(open, Side::Buy)) }
        }
        Code::ReduceOnly => {
            desk.hold(Side::Buy, 5);
            desk.command(CommandKind::SetState, TradingState::ReduceOnly, "desk");
            let part = desk.sell("50.10", 2);
            desk.pass(part);
            let too_much = desk.sell("50.00", 4);
            let fires = desk.try_one(too_much);
            assert_eq!((fires.1, fires.2), (-1, 5), "position after with what works, position before");
            let rest = desk.sell("50.00", 3);
            Drill { fires, near_miss: desk.try_one(rest) }
        }
        Code::NotTradable => {
            let other = desk.order_of(SECOND, COIN, Side::Buy, "60000", 1);
            let fires = desk.try_one(other);
            for unknown in [SEEN, KEPT, InstrumentId::new(99), InstrumentId::ALL] {
                let order = desk.order(unknown, Side::Buy, "50.00", 1);
                assert_eq!(desk.try_one(order), (Code::NotTradable, 0, 0));
            }
            let own = desk.order_of(SECOND, SHARE, Side::Buy, "50.00", 1);
            Drill { fires, near_miss: desk.try_one(own) }
        }
        Code::SessionClosed => {
            let at = |now: Nanos| {
                let mut config = config();
                config.stale_after = Nanos::MAX;
                let mut desk = Desk::with(&config);
                desk.now = now;
                let order = desk.buy("50.00", 1);
                desk.try_one(order)
            };
            let open = Nanos::from_secs(900_000);
            let fires = at(open.since(Nanos::new(1)));
            assert_eq!((fires.1, fires.2), (open.get() - 1, 0));
            Drill { fires, near_miss: at(open) }
        }
        Code::InstrumentExpired => {
            let mut late = config();
            late.stale_after = Nanos::MAX;
            let mut desk = Desk::with(&late);
            let expiry = Nanos::from_secs(1_050_000);
            desk.now = expiry;
            let order = desk.buy("50.00", 1);
            let near_miss = desk.try_one(order);
            desk.wait(Nanos::new(1));
            let order = desk.buy("50.00", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (expiry.get() + 1, expiry.get()));
            Drill { fires, near_miss }
        }
        Code::MarketNotOpen => {
            let mut fires = PASSED;
            for status in [MarketStatus::Paused, MarketStatus::Closed, MarketStatus::Halted] {
                desk.simple(EventKind::Status, InstrumentId::ALL, status as u64);
                let order = desk.buy("50.00", 1);
                fires = desk.try_one(order);
                assert_eq!(fires, (Code::MarketNotOpen, status as i64, 0));
            }
            desk.simple(EventKind::Status, SHARE, MarketStatus::QuoteOnly as u64);
            let order = desk.buy("50.00", 1);
            let near_miss = desk.try_one(order);
            let other = desk.order(COIN, Side::Buy, "60000", 1);
            assert_eq!(desk.try_one(other).0, Code::MarketNotOpen, "the status was only the share's");
            Drill { fires, near_miss }
        }
        Code::OffTick => {
            let order = desk.buy("50.005", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (nanos("50.005"), nanos("0.01")));
            let order = desk.buy("50.00", 1);
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::BadQuantity => {
            for qty in [0, -1, i64::MIN] {
                let order = desk.buy("50.00", qty);
                assert_eq!(desk.try_one(order), (Code::BadQuantity, qty, 0));
            }
            let zero = desk.buy("50.00", 0);
            let fires = desk.try_one(zero);
            let order = desk.buy("50.00", 1);
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::PriceLimit => {
            let mut wide = config();
            wide.instruments[0].as_mut().unwrap().collar = Collar { ppm: u32::MAX, ticks: 0 };
            wide.instruments[0].as_mut().unwrap().order_notional_max = Money::MAX;
            let mut desk = Desk::with(&wide);
            let low = desk.buy("0.99", 1);
            assert_eq!(desk.try_one(low), (Code::PriceLimit, nanos("0.99"), nanos("1")));
            let high = desk.sell("90000.01", 1);
            let fires = desk.try_one(high);
            assert_eq!((fires.1, fires.2), (nanos("90000.01"), nanos("90000")));
            let low = desk.buy("1", 1);
            desk.pass(low);
            let high = desk.sell("90000", 1);
            Drill { fires, near_miss: desk.try_one(high) }
        }
        Code::MaxOrderQty => {
            let order = desk.buy("50.00", 101);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (101, 100));
            let order = desk.buy("50.00", 100);
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::MaxOrderNotional => {
            let mut tight = config();
            tight.instruments[0].as_mut().unwrap().order_notional_max = Money::parse("2500.49").unwrap();
            let mut desk = Desk::with(&tight);
            let order = desk.buy("50.01", 50);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (nanos("2500.5"), nanos("2500.49")));
            let order = desk.buy("50.00", 50);
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::PriceCollar => {
            // 5 % of the mid of 50.01 is 2.5005.
            for side in [Side::Buy, Side::Sell] {
                let far = desk.order(SHARE, side, "52.52", 1);
                assert_eq!(desk.try_one(far), (Code::PriceCollar, nanos("52.52"), nanos("52.5105")));
                let far = desk.order(SHARE, side, "47.50", 1);
                assert_eq!(desk.try_one(far), (Code::PriceCollar, nanos("47.50"), nanos("47.5095")));
            }
            let far = desk.buy("52.52", 1);
            let fires = desk.try_one(far);
            let low = desk.buy("47.51", 1);
            desk.pass(low);
            let near = desk.buy("52.51", 1);
            Drill { fires, near_miss: desk.try_one(near) }
        }
        Code::NoReferencePrice => {
            let mut desk = Desk::without_market(&config());
            desk.quote(SHARE, "50.00", "0");
            let order = desk.buy("50.00", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (0, 0));
            let mut view = view_of(SHARE, price("50.00"), Price::ZERO, desk.now);
            view.statistics.last_price = price("50.00");
            view.statistics.last_qty = lots(1);
            desk.view(&view);
            let order = desk.buy("50.00", 1);
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::PositionLimit => {
            desk.hold(Side::Buy, 60);
            let working = desk.buy("49.90", 100);
            desk.pass(working);
            let over = desk.buy("50.00", 41);
            let fires = desk.try_one(over);
            assert_eq!((fires.1, fires.2), (201, 200));
            let within = desk.buy("50.00", 40);
            let near_miss = desk.try_one(within);
            // The other strategy is within its own limit, but not within the instrument's.
            let over = desk.order_of(SECOND, SHARE, Side::Buy, "50.00", 51);
            assert_eq!(desk.try_one(over), (Code::PositionLimit, 251, 250));
            let within = desk.order_of(SECOND, SHARE, Side::Buy, "50.00", 50);
            desk.pass(within);
            // Sells are counted by themselves: 60 held, so 260 may go.
            for qty in [100, 100, 60] {
                let order = desk.sell("50.10", qty);
                desk.pass(order);
                desk.wait(Nanos::from_millis(2));
            }
            let over = desk.sell("50.10", 1);
            assert_eq!(desk.try_one(over), (Code::PositionLimit, -201, 200));
            Drill { fires, near_miss }
        }
        Code::OpenOrders => {
            for count in 0..19 {
                let order = desk.buy("49.00", 1 + count % 3);
                desk.pass(order);
                desk.wait(Nanos::from_millis(1));
            }
            let order = desk.buy("49.00", 5);
            let near_miss = desk.try_one(order);
            let order = desk.buy("49.00", 6);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (21, 20));
            Drill { fires, near_miss }
        }
        Code::MessageRate => {
            let mut slow = config();
            slow.message_rate_max = 3;
            let mut desk = Desk::with(&slow);
            for qty in 1..=2 {
                let order = desk.buy("49.00", qty);
                desk.pass(order);
            }
            desk.wait(Nanos::from_millis(10));
            let order = desk.buy("49.00", 3);
            let third = desk.pass(order);
            let order = desk.buy("49.00", 4);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (4, 3));
            let cancel = desk.cancel_of(third, Side::Buy);
            desk.pass(cancel);
            desk.now = START.after(Nanos::new(999_999_999));
            let order = desk.buy("49.00", 5);
            assert_eq!(desk.try_one(order).0, Code::MessageRate);
            desk.now = START.after(Nanos::from_secs(1));
            let order = desk.buy("49.00", 6);
            let near_miss = desk.try_one(order);
            let order = desk.buy("49.00", 7);
            assert_eq!(desk.try_one(order).0, Code::MessageRate, "the cancel counted");
            Drill { fires, near_miss }
        }
        Code::DuplicateOrder => {
            let order = desk.buy("50.00", 1);
            let first = desk.pass(order);
            assert_eq!(desk.try_one(order), (Code::DuplicateOrder, first.get() as i64, 0), "the same id");
            let again = desk.buy("50.00", 1);
            desk.wait(Nanos::new(999_999));
            let fires = desk.try_one(again);
            assert_eq!((fires.1, fires.2), (first.get() as i64, 0));
            let other_price = desk.buy("50.01", 1);
            desk.pass(other_price);
            let other_side = desk.sell("50.00", 1);
            desk.pass(other_side);
            desk.wait(Nanos::new(1));
            let again = desk.buy("50.00", 1);
            Drill { fires, near_miss: desk.try_one(again) }
        }
        Code::StaleData => {
            desk.wait(Nanos::from_secs(5));
            let order = desk.buy("50.00", 1);
            let near_miss = desk.try_one(order);
            desk.wait(Nanos::new(1));
            let order = desk.buy("50.00", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (5_000_000_001, 5_000_000_000));
            desk.quote(COIN, "60000", "60000.2");
            let order = desk.buy("50.00", 1);
            assert_eq!(desk.try_one(order).0, Code::StaleData, "another instrument's data is no help");
            Drill { fires, near_miss }
        }
        Code::Quarantined => {
            let mut view = view_of(SHARE, price("50.00"), price("50.02"), desk.now);
            view.flags |= BookView::QUARANTINED;
            desk.view(&view);
            let order = desk.buy("50.00", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (0, 0));
            desk.quote(SHARE, "50.00", "50.02");
            desk.simple(EventKind::Status, SHARE, MarketStatus::Quarantined as u64);
            desk.quote(SHARE, "50.00", "50.02");
            let order = desk.buy("50.00", 1);
            assert_eq!(desk.try_one(order).0, Code::Quarantined, "by status, whatever the view says");
            desk.simple(EventKind::Status, SHARE, MarketStatus::Resynced as u64);
            let order = desk.buy("50.00", 1);
            let near_miss = desk.try_one(order);
            desk.simple(EventKind::Gap, InstrumentId::ALL, 0);
            let order = desk.buy("50.00", 2);
            assert_eq!(desk.try_one(order).0, Code::Quarantined, "by a gap");
            Drill { fires, near_miss }
        }
        Code::IntentExpired => {
            let mut order = desk.buy("50.00", 1);
            order.valid_until = desk.now.since(Nanos::new(1));
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (START.get(), START.get() - 1));
            let mut order = desk.buy("50.00", 1);
            order.valid_until = desk.now;
            Drill { fires, near_miss: desk.try_one(order) }
        }
        Code::UnknownOrder => {
            let order = desk.buy("50.00", 1);
            let unknown = desk.cancel_of(order.order, Side::Buy);
            let fires = desk.try_one(unknown);
            let id = desk.pass(order);
            let replace = desk.replace_of(OrderId::compose(FIRST, 999), Side::Buy, "50.00", 1);
            assert_eq!(desk.try_one(replace), (Code::UnknownOrder, 0, 0));
            Drill { fires, near_miss: desk.try_one(desk.cancel_of(id, Side::Buy)) }
        }
        Code::PendingChange => {
            let order = desk.buy("50.00", 1);
            let id = desk.pass(order);
            let replace = desk.replace_of(id, Side::Buy, "49.99", 1);
            assert_eq!(desk.try_one(replace), (Code::PendingChange, 0, 0), "not yet acknowledged");
            desk.accept(id);
            let replace = desk.replace_of(id, Side::Buy, "49.99", 1);
            desk.pass(replace);
            let fires = desk.try_one(desk.cancel_of(id, Side::Buy));
            desk.answer(ReportKind::ReplaceRejected, id, replace.new_order);
            Drill { fires, near_miss: desk.try_one(desk.cancel_of(id, Side::Buy)) }
        }
        Code::EgressFull => {
            let mut wide = config();
            wide.open_orders_max = 100;
            let mut desk = Desk::with(&wide);
            let mut near_miss = PASSED;
            for count in 0..32 {
                let order = desk.buy("49.00", 1 + count % 7);
                near_miss = desk.try_one(order);
                assert_eq!(near_miss, PASSED);
                desk.wait(Nanos::from_millis(50));
            }
            let order = desk.buy("49.00", 1);
            let fires = desk.try_one(order);
            assert_eq!((fires.1, fires.2), (32, 32));
            Drill { fires, near_miss }
        }
        Code::Malformed => {
            let good = desk.buy("50.00", 1);
            let bad = [
                Intent { action_number: 0, ..good },
                Intent { action_number: 4, ..good },
                Intent { side_number: 0, ..good },
                Intent { tif_number: 9, ..good },
                Intent { flags: 4, ..good },
                Intent { strategy: SECOND, ..good },
                Intent { strategy: StrategyId::NONE, order: OrderId::compose(StrategyId::NONE, 1), ..good },
                Intent { order: OrderId::compose(FIRST, 0), ..good },
            ];
            for intent in bad {
                let fires = desk.try_one(intent);
                assert_eq!(fires, (Code::Malformed, i64::from(intent.action_number), 0), "{intent:?}");
            }
            let fires = desk.try_one(bad[0]);
            let near_miss = desk.try_one(good);
            let mut desk = fresh();
            let order = desk.buy("50.00", 1);
            let id = desk.pass(order);
            let cancel = desk.cancel_of(id, Side::Buy);
            for intent in [
                Intent { strategy: SECOND, ..cancel },
                Intent { instrument: COIN, ..cancel },
                Intent { side_number: Side::Sell as u8, ..cancel },
            ] {
                assert_eq!(desk.try_one(intent).0, Code::Malformed);
            }
            desk.accept(id);
            let mut replace = desk.replace_of(id, Side::Buy, "49.99", 1);
            replace.new_order = OrderId::compose(SECOND, 5);
            assert_eq!(desk.try_one(replace).0, Code::Malformed, "a new id of another strategy");
            desk.pass(cancel);
            Drill { fires, near_miss }
        }
    };
    Some(drill)
}

#[test]
fn every_code_of_risk_fires_and_its_near_miss_passes() {
    let mut drilled = 0;
    for code in RejectCode::EVERY {
        let ours = (1..100).contains(&(code as u16));
        let drill = drill(code);
        assert_eq!(drill.is_some(), ours, "{}", code.name());
        if let Some(drill) = drill {
            drilled += 1;
            assert_eq!(drill.fires.0, code);
            assert_eq!(drill.near_miss, PASSED, "near miss of {}", code.name());
        }
    }
    assert_eq!(drilled, 25);
}

#[test]
fn risks_own_codes_are_their_own_index() {
    for code in RejectCode::EVERY.into_iter().filter(|code| (*code as u16) < 100) {
        assert_eq!(code.index(), code as usize);
    }
}

#[test]
fn every_refusal_is_counted_and_told_to_the_strategy() {
    let mut desk = Desk::new();
    let bad = desk.buy("50.005", 1);
    let good = desk.buy("50.00", 1);
    let worse = desk.buy("50.00", 101);
    let verdicts = desk.submit(&[bad, good, worse]);
    let codes: Vec<RejectCode> = verdicts.iter().map(Verdict::code).collect();
    assert_eq!(codes, [RejectCode::OffTick, RejectCode::None, RejectCode::MaxOrderQty]);
    let [Outbound::Refusal { verdict, decided, frame }, Outbound::Order(order), Outbound::Refusal { .. }] =
        desk.ring.sent[..]
    else {
        panic!("three messages in the order of the intents, not {:?}", desk.ring.sent);
    };
    assert_eq!((verdict, decided, frame), (verdicts[0], START, desk.frame));
    assert_eq!((order.order(), order.frame(), order.frame_stamp()), (good.order, desk.frame, 7));
    let counters = desk.risk.counters();
    assert_eq!(counters.verdicts[RejectCode::OffTick.index()].value(), 1);
    assert_eq!(counters.verdicts[0].value(), 1);
    assert_eq!(counters.refusals_sent.value(), 2);
    assert_eq!(desk.risk.under_way(), 3);
    desk.return_refusals();
    assert_eq!(desk.risk.under_way(), 1);
    assert_eq!(counters.reports_from_risk.value(), 2);
}

#[test]
fn a_reducing_order_passes_bad_data_but_not_a_wrong_price() {
    let mut desk = Desk::new();
    desk.hold(Side::Buy, 10);
    desk.simple(EventKind::Gap, SHARE, 0);
    desk.wait(Nanos::from_secs(60));
    let more = desk.buy("50.00", 1);
    assert_eq!(desk.try_one(more).0, RejectCode::Quarantined);
    let silly = desk.sell("40.00", 1);
    assert_eq!(desk.try_one(silly).0, RejectCode::PriceCollar);
    let out = desk.sell("50.00", 10);
    desk.pass(out);
    let beyond = desk.sell("50.00", 1);
    assert_eq!(
        desk.try_one(beyond).0,
        RejectCode::Quarantined,
        "the working sell counts: no longer reducing"
    );
}

#[test]
fn the_reduce_only_flag_binds_in_the_normal_state() {
    let mut desk = Desk::new();
    let flagged = |intent: Intent| Intent { flags: Intent::REDUCE_ONLY, ..intent };
    let order = desk.buy("50.00", 1);
    assert_eq!(desk.try_one(flagged(order)), (RejectCode::ReduceOnly, 1, 0));
    desk.hold(Side::Sell, 3);
    let order = desk.buy("50.00", 4);
    assert_eq!(desk.try_one(flagged(order)), (RejectCode::ReduceOnly, 1, -3));
    let order = desk.buy("50.00", 3);
    desk.pass(flagged(order));
}

#[test]
fn a_crossed_book_gives_the_last_trade_as_reference() {
    let mut desk = Desk::new();
    let mut view = view_of(SHARE, price("60.00"), price("50.00"), desk.now);
    view.statistics.last_price = price("51.00");
    view.statistics.last_qty = lots(1);
    desk.view(&view);
    let order = desk.buy("53.55", 1);
    desk.pass(order);
    let order = desk.buy("53.56", 1);
    assert_eq!(desk.try_one(order).0, RejectCode::PriceCollar);
}

#[test]
fn the_collar_is_the_wider_of_part_and_ticks() {
    let mut ticks = config();
    ticks.instruments[0].as_mut().unwrap().collar = Collar { ppm: 1, ticks: 3 };
    let mut desk = Desk::with(&ticks);
    let order = desk.buy("50.04", 1);
    desk.pass(order);
    let order = desk.buy("50.05", 1);
    assert_eq!(
        desk.try_one(order),
        (RejectCode::PriceCollar, price("50.05").nanos(), price("50.04").nanos())
    );
}
