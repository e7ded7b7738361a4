//! Positions against a ledger kept from first principles: no 1e-9 is ever lost.

use super::desk::*;
use crate::risk::Position;
use crate::risk::position::{Fill, UnitValue};
use crate::words::*;
use proptest::prelude::*;

/// The same fills from first principles: cash that moved, lots, and the average cost of what is open.
#[derive(Default)]
struct Ledger {
    cash: i128,
    lots: i128,
    cost: i128,
    fees: i128,
}

impl Ledger {
    fn value(unit: i64, price: Price, lots: i128) -> i128 {
        round_div(i128::from(price.nanos()) * lots * i128::from(unit), i128::from(NANOS_PER_UNIT))
    }

    fn add(&mut self, unit: i64, fees: &Fees, fill: &Fill) {
        let signed = i128::from(fill.lots) * i128::from(fill.side.sign());
        let notional = Self::value(unit, fill.price, signed);
        self.cash -= notional;
        let against = self.lots.signum() * signed.signum() < 0;
        if against && signed.abs() >= self.lots.abs() {
            // All closed; what is left of the fill opens at its price.
            let closing = Self::value(unit, fill.price, -self.lots);
            self.cost = notional - closing;
        } else if against {
            self.cost -= round_div(self.cost * signed.abs(), self.lots.abs());
        } else {
            self.cost += notional;
        }
        self.lots += signed;
        let fee = if fill.maker { fees.maker } else { fees.taker };
        self.fees += round_div(notional.abs() * i128::from(fee.rate), i128::from(NANOS_PER_UNIT));
        self.fees += i128::from(fee.per_lot.nanos()) * i128::from(fill.lots);
    }
}

fn fills() -> impl Strategy<Value = Vec<Fill>> {
    let fill = (any::<bool>(), -2_000_000_000_000i64..70_000_000_000_000, 1i64..8, any::<bool>());
    let fill = fill.prop_map(|(buy, nanos, lots, maker)| Fill {
        side: if buy { Side::Buy } else { Side::Sell },
        price: Price::from_nanos(nanos),
        lots,
        maker,
    });
    prop::collection::vec(fill, 0..60)
}

fn unit_values() -> impl Strategy<Value = i64> {
    prop_oneof![Just(NANOS_PER_UNIT), Just(1_000_000), Just(50 * NANOS_PER_UNIT), 1i64..3_000_000_000]
}

proptest! {
    #[test]
    fn profit_is_the_cash_that_moved_and_the_value_of_what_is_held_to_the_last_nano(
        fills in fills(),
        unit in unit_values(),
        mark in 0i64..70_000_000_000_000,
        rate in -500_000i64..1_000_000,
    ) {
        let fees = Fees {
            maker: Fee { rate: -rate / 3, per_lot: Money::from_nanos(-7) },
            taker: Fee { rate, per_lot: Money::from_nanos(13) },
        };
        let mut position = Position::vacant(FIRST, SHARE);
        let mut ledger = Ledger::default();
        let value = UnitValue::new(unit);
        let mark = Price::from_nanos(mark);
        for fill in &fills {
            prop_assert!(position.on_fill(value, &fees, fill));
            ledger.add(unit, &fees, fill);
            prop_assert!(position.mark(value, Some(mark)));
            let profit = i128::from(position.realized.nanos()) + i128::from(position.unrealized.nanos());
            let held = Ledger::value(unit, mark, ledger.lots);
            prop_assert_eq!(profit, ledger.cash + held);
            prop_assert_eq!(i128::from(position.qty.lots()), ledger.lots);
            prop_assert_eq!(i128::from(position.cost.nanos()), ledger.cost);
            prop_assert_eq!(i128::from(position.fees.nanos()), ledger.fees);
            if ledger.lots == 0 {
                prop_assert_eq!((position.cost, position.unrealized), (Money::ZERO, Money::ZERO));
                prop_assert_eq!(i128::from(position.realized.nanos()), ledger.cash);
            }
        }
        let lots: i64 = fills.iter().map(|fill| fill.lots).sum();
        prop_assert_eq!(position.bought.lots() + position.sold.lots(), lots);
        prop_assert_eq!(position.fills as usize, fills.len());
    }

    #[test]
    fn the_average_cost_is_that_of_a_list_of_lots(
        buys in prop::collection::vec((1i64..1_000_000, 1i64..50), 1..20),
        sold in 1i64..40,
    ) {
        // Buys only, then one sell: the average is the weighted mean of the buys, and stays it, to the nearest nano.
        let unit = UnitValue::new(NANOS_PER_UNIT);
        let mut position = Position::vacant(FIRST, SHARE);
        for (at, lots) in &buys {
            let fill = Fill { side: Side::Buy, price: Price::from_nanos(*at), lots: *lots, maker: false };
            position.on_fill(unit, &Fees::default(), &fill);
        }
        let total: i64 = buys.iter().map(|(at, lots)| at * lots).sum();
        let held: i64 = buys.iter().map(|(_, lots)| lots).sum();
        prop_assert_eq!(position.cost.nanos(), total);
        let sold = sold.min(held);
        let fill = Fill { side: Side::Sell, price: Price::from_nanos(5), lots: sold, maker: false };
        position.on_fill(unit, &Fees::default(), &fill);
        let left = i128::from(held - sold);
        let error = i128::from(position.cost.nanos()) * i128::from(held) - i128::from(total) * left;
        prop_assert!(2 * error.abs() <= i128::from(held));
    }

    #[test]
    fn the_short_way_to_a_notional_is_the_long_way(
        nanos in any::<i64>(),
        small in any::<bool>(),
        lots in -1_000_000i64..1_000_000,
        unit in prop_oneof![unit_values(), 1i64..i64::MAX],
    ) {
        let price = Price::from_nanos(if small { nanos >> 24 } else { nanos });
        let long = notional(unit, price, Qty::from_lots(lots)).map(Money::nanos);
        prop_assert_eq!(UnitValue::new(unit).value(price, lots), long);
    }

    #[test]
    fn fills_of_any_size_are_held_in_range_and_never_panic(
        fills in prop::collection::vec((any::<bool>(), any::<i64>(), 1i64..=i64::MAX), 0..20),
        unit in 1i64..i64::MAX,
        rate in any::<i64>(),
        mark in any::<i64>(),
    ) {
        let fee = Fee { rate, per_lot: Money::from_nanos(rate) };
        let mut position = Position::vacant(FIRST, SHARE);
        for (buy, at, lots) in fills {
            let side = if buy { Side::Buy } else { Side::Sell };
            let fill = Fill { side, price: Price::from_nanos(at), lots, maker: buy };
            position.on_fill(UnitValue::new(unit), &Fees { maker: fee, taker: fee }, &fill);
            position.mark(UnitValue::new(unit), Some(Price::from_nanos(mark)));
        }
    }
}
