//! The memories of fixed size against unbounded ones, and what the configuration refuses.

use super::desk::*;
use crate::risk::memory::{FillMemory, RateWindow, RecentOrders};
use crate::risk::orders::OrderTable;
use crate::risk::*;
use crate::words::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn order(id: u64) -> OpenOrder {
    OpenOrder {
        order: OrderId::new(id),
        price: Price::ZERO,
        qty: lots(1),
        leaves: lots(1),
        venue_order: 0,
        frame: id,
        cancel_frame: 0,
        instrument: SHARE,
        side: Side::Buy,
        tif: TimeInForce::Day,
        flags: 0,
        state: OrderState::Open,
        cancel_due: false,
        queued: false,
        under_way: 0,
        tradable: 0,
        cell: 0,
    }
}

proptest! {
    #[test]
    fn the_table_of_orders_is_a_map(
        capacity in 1usize..20,
        steps in prop::collection::vec((any::<bool>(), 0u64..40), 0..300),
    ) {
        let mut table = OrderTable::with_capacity(capacity);
        let mut map: BTreeMap<u64, OpenOrder> = BTreeMap::new();
        for (enter, id) in steps {
            // Of three strategies, so that ids meet in the index.
            let id = ((id % 3) << 48) | (id + 1);
            if enter {
                let taken = table.insert(order(id));
                prop_assert_eq!(taken, map.len() < capacity && !map.contains_key(&id));
                if taken {
                    map.insert(id, order(id));
                }
            } else {
                prop_assert_eq!(table.remove(OrderId::new(id)), map.remove(&id));
            }
            prop_assert_eq!(table.count(), map.len());
            let mut all: Vec<OpenOrder> = table.iter().copied().collect();
            all.sort_unstable_by_key(|order| order.order);
            prop_assert_eq!(all, map.values().copied().collect::<Vec<_>>());
            for id in 0u64..40 {
                let id = ((id % 3) << 48) | (id + 1);
                prop_assert_eq!(table.get(OrderId::new(id)), map.get(&id));
                prop_assert_eq!(table.get_mut(OrderId::new(id)).copied(), map.get(&id).copied());
            }
        }
    }

    #[test]
    fn the_memory_for_fills_is_exact_for_the_last_ones(
        capacity in 1usize..20,
        execs in prop::collection::vec((0u64..30, 0u64..2), 0..300),
    ) {
        let mut memory = FillMemory::with_capacity(capacity);
        let mut last: Vec<(u64, u64)> = Vec::new();
        for key in execs {
            let known = last.iter().rev().take(capacity).any(|seen| *seen == key);
            prop_assert_eq!(memory.remember(ExecId::new(key.0), OrderId::new(key.1)), !known);
            if !known {
                last.push(key);
            }
        }
    }

    #[test]
    fn the_rate_window_slides_exactly(
        limit in 1u32..10,
        steps in prop::collection::vec((0i64..40, any::<bool>()), 0..200),
    ) {
        let mut window = RateWindow::new(limit, Nanos::new(100));
        let (mut sent, mut now): (Vec<i64>, i64) = (Vec::new(), 0);
        for (later, cancel) in steps {
            now += later;
            let within = sent.iter().filter(|time| now - **time < 100).count();
            prop_assert_eq!(window.is_full(Nanos::new(now)), within >= limit as usize);
            if cancel || within < limit as usize {
                window.count(Nanos::new(now));
                sent.push(now);
            }
        }
    }

    #[test]
    fn recent_orders_find_the_same_order_among_the_last_ones(
        steps in prop::collection::vec((0i64..30, 1i64..3, 1i64..4, any::<bool>()), 0..100),
    ) {
        let mut recent = RecentOrders::new();
        let mut all: Vec<(Side, i64, i64, i64, u64)> = Vec::new();
        let mut now = 0;
        for (index, (later, at, qty, buy)) in steps.into_iter().enumerate() {
            now += later;
            let (side, id) = (if buy { Side::Buy } else { Side::Sell }, index as u64 + 1);
            let same = all.iter().rev().take(RECENT_ORDERS).find(|e| {
                (e.0, e.1, e.2) == (side, at, qty) && now - e.3 < 50
            });
            let (price, lots) = (Price::from_nanos(at), lots(qty));
            let found = recent.find(side, price, lots, Nanos::new(now), Nanos::new(50));
            prop_assert_eq!(found, same.map(|e| OrderId::new(e.4)));
            recent.add(side, price, lots, Nanos::new(now), OrderId::new(id));
            all.push((side, at, qty, now, id));
        }
    }
}

#[test]
fn limits_that_are_missing_or_make_no_sense_are_refused() {
    let table = instruments();
    let refused = |change: &dyn Fn(&mut RiskConfig)| {
        let mut config = config();
        change(&mut config);
        Risk::new(&config, &table).map(|_| ()).expect_err("must be refused").to_string()
    };
    let first = |change: &dyn Fn(&mut InstrumentLimits)| {
        refused(&|config: &mut RiskConfig| change(config.instruments[0].as_mut().unwrap()))
    };
    assert!(refused(&|c| c.open_orders_max = 0).contains("open_orders_max is 0: give 1 to 65536"));
    assert!(refused(&|c| c.message_rate_max = 0).contains("message_rate_max"));
    assert!(refused(&|c| c.message_rate_window = Nanos::ZERO).contains("message_rate_window"));
    assert!(refused(&|c| c.duplicate_window = Nanos::new(-1)).contains("duplicate_window"));
    assert!(refused(&|c| c.stale_after = Nanos::ZERO).contains("stale_after"));
    assert!(refused(&|c| c.fill_memory = 0).contains("fill_memory"));
    assert!(refused(&|c| c.egress_slots = 2).contains("egress_slots"));
    assert!(refused(&|c| c.egress_cancel_reserve = 0).contains("egress_cancel_reserve"));
    assert!(refused(&|c| c.egress_refusal_reserve = 0).contains("egress_refusal_reserve"));
    assert!(refused(&|c| c.egress_slots = 32).contains("leaves no slot for orders"));
    assert!(first(&|l| l.order_qty_max = Qty::ZERO).contains("order_qty_max"));
    assert!(first(&|l| l.order_notional_max = Money::ZERO).contains("order_notional_max"));
    assert!(first(&|l| l.position_max = lots(-1)).contains("position_max"));
    assert!(first(&|l| l.collar = Collar { ppm: 0, ticks: 0 }).contains("collar"));
    assert!(refused(&|c| c.instruments = vec![None, c.instruments[1]]).contains("has no limits"));
    assert!(refused(&|c| c.instruments.push(c.instruments[0])).contains("no trading terms"));
    let twice = refused(&|c| {
        let again = c.strategies[0].instruments[0];
        c.strategies[0].instruments.push(again);
    });
    assert!(twice.contains("twice"));
    assert!(refused(&|c| c.strategies[0].instruments[0].position_max = Qty::ZERO).contains("position_max"));
    let mut tiny = InstrumentTable::with_capacity(1);
    let share = table.by_id(SHARE).unwrap();
    let mut terms = share.terms.clone().unwrap();
    terms.multiplier = 1;
    tiny.add(Instrument { lot: 1, terms: Some(terms), ..share.clone() }).unwrap();
    let nothing = RiskConfig::default();
    assert!(Risk::new(&nothing, &tiny).unwrap_err().to_string().contains("lot × multiplier"));
}

#[test]
fn the_default_configuration_is_valid_and_trades_nothing() {
    let config = RiskConfig { strategies: vec![StrategyLimits::default()], ..RiskConfig::default() };
    let mut desk = Desk::without_market(&config);
    let order = desk.buy("50.00", 1);
    assert_eq!(desk.try_one(order).0, RejectCode::NotTradable);
}
