//! [`Position`]: lots, cost and profit of one strategy in one instrument, to the last 1e-9.
//!
//! Every fill's notional is rounded once, to 1e-9; from there on all is addition and subtraction of those whole numbers. So with
//! `cash` = −Σ signed notional of all fills, `realized + unrealized = cash + value of the position at the mark`, exactly and always.

use crate::words::{
    Fee, Fees, InstrumentId, Money, NANOS_PER_UNIT, Price, Qty, Side, StrategyId, notional, round_div,
};

/// What one strategy holds of one instrument, and what it made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Whose; `StrategyId::NONE` for fills of orders of nobody known.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Signed lots.
    pub qty: Qty,
    /// What the open lots cost, signed as the position: the average price times the lots.
    pub cost: Money,
    /// Profit of the lots that were closed, against their average cost, before fees.
    pub realized: Money,
    /// Value of the open lots at the reference price (mid, else last trade) less their cost; 0 while there is no reference price.
    pub unrealized: Money,
    /// Fees paid; negative if rebates are more.
    pub fees: Money,
    /// Lots bought in this session.
    pub bought: Qty,
    /// Lots sold in this session.
    pub sold: Qty,
    /// Fills of this session.
    pub fills: u64,
}

/// One fill, as the position sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    pub(super) side: Side,
    pub(super) price: Price,
    /// Greater than zero.
    pub(super) lots: i64,
    pub(super) maker: bool,
}

/// Money of one lot per 1.0 of price, as a reduced fraction of 1e9: most products then fit 64 bits, and the result is the same as
/// [`notional`]'s.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnitValue {
    factor: i64,
    divisor: i64,
}

impl UnitValue {
    /// From [`Instrument::unit_value`](crate::words::Instrument::unit_value), greater than zero.
    pub(super) fn new(unit_value: i64) -> Self {
        let (mut a, mut b) = (unit_value.max(1), NANOS_PER_UNIT);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Self { factor: unit_value.max(1) / a, divisor: NANOS_PER_UNIT / a }
    }

    /// `price × lots × unit value`, nearest 1e-9, signed as the product; `None` beyond the range of money.
    #[inline]
    pub(super) fn value(self, price: Price, lots: i64) -> Option<i64> {
        let product = price.nanos().checked_mul(lots).and_then(|product| product.checked_mul(self.factor));
        match product {
            Some(product) if self.divisor == 1 => Some(product),
            // |product| ≤ 2^63, divisor ≤ 1e9: no overflow. Halves away from zero, as round_div.
            Some(product) if product != i64::MIN => {
                let quotient = product / self.divisor;
                let remainder = (product % self.divisor).abs();
                let away = if product < 0 { -1 } else { 1 };
                Some(if remainder >= self.divisor - remainder { quotient + away } else { quotient })
            }
            Some(_) | None => self.wide(price, lots),
        }
    }

    #[cold]
    fn wide(self, price: Price, lots: i64) -> Option<i64> {
        // unit value = factor × (1e9 / divisor): exact, it came from there.
        let unit_value = self.factor.checked_mul(NANOS_PER_UNIT / self.divisor)?;
        notional(unit_value, price, Qty::from_lots(lots)).map(Money::nanos)
    }
}

impl Position {
    pub(super) fn vacant(strategy: StrategyId, instrument: InstrumentId) -> Self {
        Self {
            strategy,
            instrument,
            qty: Qty::ZERO,
            cost: Money::ZERO,
            realized: Money::ZERO,
            unrealized: Money::ZERO,
            fees: Money::ZERO,
            bought: Qty::ZERO,
            sold: Qty::ZERO,
            fills: 0,
        }
    }

    /// Whether anything ever happened here.
    pub fn is_active(&self) -> bool {
        self.fills > 0
            || self.qty != Qty::ZERO
            || self.cost != Money::ZERO
            || self.realized != Money::ZERO
            || self.fees != Money::ZERO
    }

    /// Average price of the open lots, nearest 1e-9; `None` if there are none. `unit_value` as of the instrument.
    pub fn average_price(&self, unit_value: i64) -> Option<Price> {
        // |i64|·|i64| < 2^126, |i64|·1e9 < 2^93
        let lots = i128::from(self.qty.lots()) * i128::from(unit_value);
        let cost = i128::from(self.cost.nanos()) * i128::from(NANOS_PER_UNIT);
        (lots != 0).then(|| i64::try_from(round_div(cost, lots)).ok().map(Price::from_nanos)).flatten()
    }

    /// Applies a fill: adds at its price, or closes at average cost; a fill larger than the position closes all of it and opens the
    /// rest at the fill's price. False if a number went beyond its range and is held at the end of it.
    pub(super) fn on_fill(&mut self, unit: UnitValue, fees: &Fees, fill: &Fill) -> bool {
        let mut exact = true;
        let mut held = |value: i128| {
            i64::try_from(value).unwrap_or_else(|_| {
                exact = false;
                if value < 0 { i64::MIN } else { i64::MAX }
            })
        };
        let sign = fill.side.sign();
        let beyond =
            |lots: i64| if (fill.price.nanos() < 0) == (lots < 0) { i128::MAX / 4 } else { i128::MIN / 4 };
        let signed = held(i128::from(fill.lots) * i128::from(sign));
        let value = |lots: i64| unit.value(fill.price, lots).map_or_else(|| beyond(lots), i128::from);
        // Held before it is divided, so that the parts sum up to what was counted.
        let notional = i128::from(held(value(signed)));
        let before = self.qty.lots();
        let cost = i128::from(self.cost.nanos());
        let reduces = before != 0 && (before < 0) != (signed < 0);
        if reduces {
            // |i64| fits u64, and the smaller of two is at most 2^63 − 1 unless both are the minimum, which `held` rules out for fills.
            let closed = before.unsigned_abs().min(signed.unsigned_abs()) as i64;
            let closing = if closed == fill.lots { notional } else { i128::from(held(value(closed * sign))) };
            let portion = if closed.unsigned_abs() == before.unsigned_abs() {
                cost
            } else {
                // |i64|·|i64| < 2^126
                round_div(cost * i128::from(closed), i128::from(before.unsigned_abs()))
            };
            self.realized = Money::from_nanos(held(i128::from(self.realized.nanos()) - closing - portion));
            self.cost = Money::from_nanos(held(cost - portion + (notional - closing)));
        } else {
            self.cost = Money::from_nanos(held(cost + notional));
        }
        self.qty = Qty::from_lots(held(i128::from(before) + i128::from(signed)));
        let fee = fee(if fill.maker { &fees.maker } else { &fees.taker }, notional, fill.lots);
        self.fees = Money::from_nanos(held(i128::from(self.fees.nanos()).saturating_add(fee)));
        let lots = Qty::from_lots(fill.lots);
        match fill.side {
            Side::Buy => self.bought = self.bought.saturating_add(lots),
            Side::Sell => self.sold = self.sold.saturating_add(lots),
        }
        self.fills += 1;
        exact
    }

    /// Values the open lots at `mark`. False if the value is beyond the range of money.
    #[inline]
    pub(super) fn mark(&mut self, unit: UnitValue, mark: Option<Price>) -> bool {
        let (Some(mark), false) = (mark, self.qty == Qty::ZERO && self.cost == Money::ZERO) else {
            self.unrealized = Money::ZERO;
            return true;
        };
        match unit.value(mark, self.qty.lots()).and_then(|value| value.checked_sub(self.cost.nanos())) {
            Some(unrealized) => {
                self.unrealized = Money::from_nanos(unrealized);
                true
            }
            None => false,
        }
    }
}

/// `|notional| × rate` to the nearest 1e-9, plus the amount per lot.
fn fee(fee: &Fee, notional: i128, lots: i64) -> i128 {
    // |notional| ≤ 2^63, |rate| ≤ 2^63: < 2^127. |per lot|·|lots| < 2^126.
    let part = round_div(notional.abs() * i128::from(fee.rate), i128::from(NANOS_PER_UNIT));
    part + i128::from(fee.per_lot.nanos()) * i128::from(lots)
}
