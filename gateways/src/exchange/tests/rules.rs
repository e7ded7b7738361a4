//! The rules one by one, in numbers worked out by hand.

use super::*;

fn id_of(outputs: &[Output]) -> OrderId {
    let rested = outputs.iter().find_map(|output| match output {
        Output::Rested { order } => Some(order.id),
        Output::Replaced { order, .. } => Some(order.id),
        _ => None,
    });
    rested.unwrap()
}

fn enter(engine: &mut Engine, order: NewOrder) -> Vec<Output> {
    told(engine, Command::Enter(order))
}

/// Makers' tokens, prices in cents and shares of the trades.
fn trades(outputs: &[Output]) -> Vec<(u32, u32, u32)> {
    let trade = |output: &Output| match *output {
        Output::Traded { maker, price, shares, .. } => Some((maker.owner.token, price.units() / 100, shares)),
        _ => None,
    };
    outputs.iter().filter_map(trade).collect()
}

fn reason(outputs: &[Output]) -> Option<Reject> {
    outputs.iter().find_map(|output| match output {
        Output::Rejected { reason, .. } => Some(*reason),
        _ => None,
    })
}

#[test]
fn the_best_price_trades_first_and_of_one_price_the_oldest() {
    let mut engine = one_symbol(Phase::Continuous);
    for (token, cents) in [(1, 10_002), (2, 10_001), (3, 10_001), (4, 10_003)] {
        enter(&mut engine, limit(Side::Sell, 1, token, cents, 100));
    }
    let out = enter(&mut engine, limit(Side::Buy, 2, 9, 10_002, 350));
    assert_eq!(trades(&out), [(2, 10_001, 100), (3, 10_001, 100), (1, 10_002, 100)]);
    assert_eq!(engine.best(0, Side::Buy), Some(Price4::new(1_000_200)));
    assert_eq!(engine.depth(0, Side::Buy).next().unwrap().shares, 50);
}

#[test]
fn an_iceberg_that_shows_its_next_part_stands_behind_the_others() {
    let mut engine = one_symbol(Phase::Continuous);
    let iceberg = NewOrder { display: Display::Reserve(100), ..limit(Side::Sell, 1, 1, 10_000, 250) };
    enter(&mut engine, iceberg);
    enter(&mut engine, limit(Side::Sell, 1, 2, 10_000, 100));
    assert_eq!(engine.depth(0, Side::Sell).next().unwrap().shares, 200);
    let out = enter(&mut engine, limit(Side::Buy, 2, 9, 10_000, 320));
    assert_eq!(trades(&out), [(1, 10_000, 100), (2, 10_000, 100), (1, 10_000, 100), (1, 10_000, 20)]);
    let references: Vec<u64> = out
        .iter()
        .filter_map(|output| match output {
            Output::Shown { order, .. } => Some(order.reference),
            _ => None,
        })
        .collect();
    assert_eq!(references, [4, 5], "each part has a number of its own");
}

#[test]
fn hidden_shares_trade_after_the_displayed_ones_of_their_price_and_before_worse_prices() {
    let mut engine = one_symbol(Phase::Continuous);
    let hidden =
        |token, cents| NewOrder { display: Display::Hidden, ..limit(Side::Sell, 1, token, cents, 100) };
    enter(&mut engine, hidden(1, 10_001));
    enter(&mut engine, limit(Side::Sell, 1, 2, 10_001, 100));
    enter(&mut engine, hidden(3, 10_000));
    enter(&mut engine, limit(Side::Sell, 1, 4, 10_002, 100));
    assert_eq!(engine.best(0, Side::Sell), Some(Price4::new(1_000_100)));
    let out = enter(&mut engine, limit(Side::Buy, 2, 9, 10_002, 400));
    assert_eq!(trades(&out), [(3, 10_000, 100), (2, 10_001, 100), (1, 10_001, 100), (4, 10_002, 100)]);
}

#[test]
fn a_replace_keeps_its_place_only_with_fewer_shares_at_the_same_price() {
    for (cents, shares, keeps) in [(10_000, 60, true), (10_000, 101, false), (10_001, 50, false)] {
        let mut engine = one_symbol(Phase::Continuous);
        let first = id_of(&enter(&mut engine, limit(Side::Buy, 1, 1, 10_000, 100)));
        enter(&mut engine, limit(Side::Buy, 1, 2, 10_000, 100));
        let price = Price4::new(cents * 100);
        let owner = Owner { account: 1, token: 3 };
        let out = told(&mut engine, Command::Replace { owner, id: first, price, shares });
        assert_eq!(matches!(out[0], Output::Replaced { change: Change::Reduced { .. }, .. }), keeps);
        if cents == 10_000 {
            let queue: Vec<u32> = engine.queue(0, Side::Buy).map(|order| order.owner.token).collect();
            assert_eq!(queue, if keeps { [3, 2] } else { [2, 3] });
        }
        assert_eq!(engine.order(first).is_some(), keeps, "the old handle");
    }
}

#[test]
fn a_replace_that_crosses_trades_like_a_new_order() {
    let mut engine = one_symbol(Phase::Continuous);
    let bid = id_of(&enter(&mut engine, limit(Side::Buy, 1, 1, 9_990, 100)));
    enter(&mut engine, limit(Side::Sell, 2, 2, 10_000, 40));
    let owner = Owner { account: 1, token: 3 };
    let price = Price4::new(1_000_000);
    let out = told(&mut engine, Command::Replace { owner, id: bid, price, shares: 100 });
    assert_eq!(trades(&out), [(2, 10_000, 40)]);
    assert_eq!(engine.best(0, Side::Buy), Some(price));
    assert_eq!(engine.depth(0, Side::Buy).next().unwrap().shares, 60);
}

#[test]
fn self_trade_prevention_cancels_the_newest_the_oldest_or_the_common_shares() {
    let run = |self_trade| {
        let mut engine = one_symbol(Phase::Continuous);
        enter(&mut engine, limit(Side::Sell, 1, 1, 10_000, 100));
        enter(&mut engine, limit(Side::Sell, 2, 2, 10_000, 100));
        let out = enter(&mut engine, NewOrder { self_trade, ..limit(Side::Buy, 1, 3, 10_000, 150) });
        let depth = |side| engine.depth(0, side).map(|level| level.shares).sum::<u64>();
        (trades(&out), depth(Side::Buy), depth(Side::Sell))
    };
    assert_eq!(run(SelfTrade::Allow), (vec![(1, 10_000, 100), (2, 10_000, 50)], 0, 50));
    assert_eq!(run(SelfTrade::CancelNewest), (vec![], 0, 200));
    assert_eq!(run(SelfTrade::CancelOldest), (vec![(2, 10_000, 100)], 50, 0));
    assert_eq!(run(SelfTrade::Decrement), (vec![(2, 10_000, 50)], 0, 50));
}

#[test]
fn immediate_orders_leave_nothing_and_fill_or_kill_takes_all_or_nothing() {
    let run = |lifetime, shares| {
        let mut engine = one_symbol(Phase::Continuous);
        enter(&mut engine, limit(Side::Sell, 1, 1, 10_000, 100));
        enter(&mut engine, limit(Side::Sell, 1, 2, 10_001, 100));
        let out = enter(&mut engine, NewOrder { lifetime, ..limit(Side::Buy, 2, 3, 10_000, shares) });
        assert_eq!(engine.displayed_orders(0, Side::Buy), 0);
        trades(&out).iter().map(|trade| trade.2).sum::<u32>()
    };
    assert_eq!(run(Lifetime::Ioc, 150), 100);
    assert_eq!(run(Lifetime::Fok, 150), 0);
    assert_eq!(run(Lifetime::Fok, 100), 100);
}

#[test]
fn a_market_order_takes_up_to_the_band_and_the_band_cancels_what_lies_beyond() {
    let mut engine = one_symbol(Phase::Continuous);
    enter(&mut engine, limit(Side::Sell, 1, 1, 10_000, 100));
    enter(&mut engine, limit(Side::Sell, 1, 2, 10_500, 100));
    let (lower, upper) = (Price4::new(950_000), Price4::new(1_049_900));
    assert_eq!(told(&mut engine, Command::Band { symbol: 0, lower, upper }), []);
    let market = NewOrder { price: Price4::NONE, lifetime: Lifetime::Ioc, ..limit(Side::Buy, 2, 3, 0, 200) };
    assert_eq!(trades(&enter(&mut engine, market)), [(1, 10_000, 100)]);
    let above = limit(Side::Buy, 2, 4, 10_500, 100);
    assert_eq!(reason(&enter(&mut engine, above)), Some(Reject::OutsideBand));
    let moved = Command::Band { symbol: 0, lower: Price4::new(1_050_100), upper: Price4::MAX };
    let out = told(&mut engine, moved);
    assert!(matches!(out[..], [Output::Cancelled { reason: CancelReason::OutsideBand, shares: 100, .. }]));
}

#[test]
fn the_cross_has_most_volume_then_least_imbalance_then_is_nearest_the_reference() {
    // Volumes: 100.02: 300 against 200; 100.01: 300 against 300; both match 200 and 300.
    let mut engine = one_symbol(Phase::PreOpen);
    enter(&mut engine, limit(Side::Buy, 1, 1, 10_002, 200));
    enter(&mut engine, limit(Side::Buy, 1, 2, 10_001, 200));
    enter(&mut engine, limit(Side::Sell, 2, 3, 9_999, 150));
    enter(&mut engine, limit(Side::Sell, 2, 4, 10_001, 200));
    let on_open =
        NewOrder { price: Price4::NONE, lifetime: Lifetime::OnOpen, ..limit(Side::Sell, 3, 5, 0, 30) };
    enter(&mut engine, on_open);
    let out = told(&mut engine, Command::Imbalance { symbol: 0, kind: CrossKind::Opening });
    let Output::Imbalance { indication, .. } = out[0] else { panic!("{out:?}") };
    let expected = Indication {
        paired: 380,
        imbalance: 20,
        side: Some(Side::Buy),
        near: Price4::new(1_000_100),
        far: Price4::NONE,
        reference: Price4::new(1_000_000),
    };
    assert_eq!(indication, expected);
    let out = told(&mut engine, Command::Cross { symbol: 0, kind: CrossKind::Opening });
    let parts: Vec<(u32, u32)> = out
        .iter()
        .filter_map(|output| match output {
            Output::Crossed { order, shares, .. } => Some((order.owner.token, *shares)),
            _ => None,
        })
        .collect();
    assert_eq!(parts, [(1, 200), (2, 180), (5, 30), (3, 150), (4, 200)]);
    assert_eq!(engine.phase(0), Phase::Continuous);
    assert_eq!(engine.depth(0, Side::Buy).map(|level| level.shares).collect::<Vec<_>>(), [20]);
    assert_eq!(engine.reference(0), Price4::new(1_000_100));
}

#[test]
fn of_equal_prices_the_cross_takes_the_one_nearest_the_reference() {
    let mut engine = one_symbol(Phase::PreOpen);
    enter(&mut engine, limit(Side::Buy, 1, 1, 10_050, 100));
    enter(&mut engine, limit(Side::Sell, 2, 2, 9_990, 100));
    let out = told(&mut engine, Command::Cross { symbol: 0, kind: CrossKind::Opening });
    let price = out.iter().find_map(|output| match output {
        Output::CrossDone { price, .. } => Some(price.units()),
        _ => None,
    });
    assert_eq!(price, Some(1_000_000), "between the limits lies the reference itself");
}

#[test]
fn orders_on_close_wait_trade_only_in_the_cross_and_nothing_outlives_it() {
    let mut engine = one_symbol(Phase::Continuous);
    let on_close = NewOrder { lifetime: Lifetime::OnClose, ..limit(Side::Buy, 1, 1, 10_010, 100) };
    enter(&mut engine, on_close);
    let out = enter(&mut engine, limit(Side::Sell, 2, 2, 10_005, 60));
    assert_eq!(trades(&out), []);
    let out = told(&mut engine, Command::Cross { symbol: 0, kind: CrossKind::Closing });
    assert!(out.iter().any(|output| matches!(output, Output::CrossDone { shares: 60, .. })));
    assert_eq!((engine.phase(0), engine.orders(0).count()), (Phase::Closed, 0));
    let late = limit(Side::Buy, 1, 3, 10_000, 100);
    assert_eq!(reason(&enter(&mut engine, late)), Some(Reject::Closed));
}

#[test]
fn a_halt_takes_only_cancels_and_a_book_that_crossed_in_the_call_opens_by_a_cross() {
    let mut engine = one_symbol(Phase::Continuous);
    let bid = id_of(&enter(&mut engine, limit(Side::Buy, 1, 1, 9_990, 100)));
    told(&mut engine, Command::Phase { symbol: 0, phase: Phase::Halted });
    let order = limit(Side::Sell, 2, 2, 9_980, 100);
    assert_eq!(reason(&enter(&mut engine, order)), Some(Reject::Halted));
    assert_eq!(reason(&told(&mut engine, Command::Cancel { account: 1, id: bid, leave: 50 })), None);
    told(&mut engine, Command::Phase { symbol: 0, phase: Phase::Quoting });
    assert_eq!(trades(&enter(&mut engine, order)), []);
    let plainly = Command::Phase { symbol: 0, phase: Phase::Continuous };
    assert_eq!(reason(&told(&mut engine, plainly)), Some(Reject::BookCrossed));
    let out = told(&mut engine, Command::Cross { symbol: 0, kind: CrossKind::Halt });
    assert!(out.iter().any(|output| matches!(output, Output::CrossDone { shares: 50, .. })));
    assert_eq!(engine.phase(0), Phase::Continuous);
}

#[test]
fn a_handle_is_good_for_one_order_only() {
    let mut engine = one_symbol(Phase::Continuous);
    let first = id_of(&enter(&mut engine, limit(Side::Buy, 1, 1, 9_990, 100)));
    let cancel = Command::Cancel { account: 1, id: first, leave: 0 };
    assert_eq!(reason(&told(&mut engine, cancel)), None);
    let second = id_of(&enter(&mut engine, limit(Side::Buy, 1, 2, 9_990, 100)));
    assert_ne!(first, second);
    assert_eq!(reason(&told(&mut engine, cancel)), Some(Reject::UnknownOrder));
    let strange = Command::Cancel { account: 2, id: second, leave: 0 };
    assert_eq!(reason(&told(&mut engine, strange)), Some(Reject::UnknownOrder));
    assert!(engine.order(second).is_some());
}
