//! The statistics as their formulas stand in [`Statistics`], in wide integers and whole histories.

use super::super::config::BookConfig;
use crate::words::{Level, Nanos, Price, Qty, Statistics, round_div};
use std::collections::BTreeMap;

/// Best bid and offer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bests {
    pub(super) bid: Option<Level>,
    pub(super) ask: Option<Level>,
}

/// Price and quantity of a side.
fn top(level: &Option<Level>) -> Option<(Price, Qty)> {
    level.map(|level| (level.price, level.qty))
}

impl Bests {
    pub(super) fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.price >= ask.price)
    }

    /// By price or quantity.
    pub(super) fn differs(&self, other: &Bests) -> bool {
        (top(&self.bid), top(&self.ask)) != (top(&other.bid), top(&other.ask))
    }

    /// Twice the mid, exactly.
    fn doubled_mid(&self) -> Option<i128> {
        let (bid, ask) = (self.bid?, self.ask?);
        Some(i128::from(bid.price.nanos()) + i128::from(ask.price.nanos()))
    }

    fn mid(&self) -> Option<Price> {
        self.doubled_mid().map(|doubled| Price::from_nanos(doubled.div_euclid(2) as i64))
    }

    /// The mid, if the quote is one to be trusted.
    pub(super) fn trusted_mid(&self) -> Option<Price> {
        self.mid().filter(|mid| !self.is_crossed() && *mid != Price::ZERO)
    }

    /// Lee & Ready's quote rule.
    pub(super) fn sign_of(&self, price: Price) -> Option<i64> {
        let middle = self.doubled_mid().filter(|_| !self.is_crossed())?;
        match i128::from(price.nanos()) * 2 - middle {
            0 => None,
            distance => Some(distance.signum() as i64),
        }
    }

    /// Cont, Kukanov & Stoikov 2014, eq. 2, with an empty bid at minus and an empty ask at plus infinity.
    pub(super) fn order_flow_since(&self, before: &Bests) -> i64 {
        let bid =
            |bests: &Bests| bests.bid.map_or((i128::MIN, 0), |l| (i128::from(l.price.nanos()), l.qty.lots()));
        let ask =
            |bests: &Bests| bests.ask.map_or((i128::MAX, 0), |l| (i128::from(l.price.nanos()), l.qty.lots()));
        let ((bid_0, bid_qty_0), (bid_1, bid_qty_1)) = (bid(before), bid(self));
        let ((ask_0, ask_qty_0), (ask_1, ask_qty_1)) = (ask(before), ask(self));
        let mut flow = 0;
        if bid_1 >= bid_0 {
            flow += bid_qty_1;
        }
        if bid_1 <= bid_0 {
            flow -= bid_qty_0;
        }
        if ask_1 <= ask_0 {
            flow -= ask_qty_1;
        }
        if ask_1 >= ask_0 {
            flow += ask_qty_0;
        }
        flow
    }
}

fn ratio(bid: i64, ask: i64) -> i64 {
    let (bid, ask) = (i128::from(bid), i128::from(ask));
    if bid + ask == 0 { 0 } else { ((bid - ask) * 1_000_000_000 / (bid + ask)) as i64 }
}

/// The statistics that are functions of the levels alone.
pub(super) fn over(bests: &Bests, bids: &[Level], asks: &[Level]) -> Statistics {
    let depth = |levels: &[Level]| levels.iter().map(|level| level.qty.lots()).sum::<i64>();
    let best = |level: &Option<Level>| level.map_or(0, |level| level.qty.lots());
    let mut statistics = Statistics {
        imbalance_1: ratio(best(&bests.bid), best(&bests.ask)),
        imbalance_n: ratio(depth(bids), depth(asks)),
        bid_depth: Qty::from_lots(depth(bids)),
        ask_depth: Qty::from_lots(depth(asks)),
        mid: bests.mid().unwrap_or_default(),
        ..Statistics::default()
    };
    if let (Some(bid), Some(ask)) = (bests.bid, bests.ask) {
        let (b, a) = (i128::from(bid.price.nanos()), i128::from(ask.price.nanos()));
        let (bid_qty, ask_qty) = (i128::from(bid.qty.lots()), i128::from(ask.qty.lots()));
        statistics.spread = ask.price.saturating_sub(bid.price);
        statistics.microprice =
            Price::from_nanos(round_div(a * bid_qty + b * ask_qty, bid_qty + ask_qty) as i64);
    }
    statistics
}

/// The last trade, and what the tick rule needs of those before.
#[derive(Clone, Debug, Default)]
pub(super) struct TradeHistory {
    last: Option<(Price, Qty, i64)>,
    /// The last trade price that differs from the present one.
    other_price: Option<Price>,
}

impl TradeHistory {
    /// With the sign that is told or follows from the quote; else by the tick rule.
    pub(super) fn add(&mut self, price: Price, qty: Qty, sign: Option<i64>) {
        if let Some((last, _, _)) = self.last.filter(|(last, _, _)| *last != price) {
            self.other_price = Some(last);
        }
        let tick_rule = match self.other_price {
            None => 0,
            Some(other) if price > other => 1,
            Some(_) => -1,
        };
        self.last = Some((price, qty, sign.unwrap_or(tick_rule)));
    }

    pub(super) fn fill(&self, statistics: &mut Statistics) {
        let (price, qty, sign) = self.last.unwrap_or_default();
        statistics.last_price = price;
        statistics.last_qty = qty;
        statistics.trade_sign = sign;
    }
}

/// The last trusted mid of every cell of the grid that had one.
#[derive(Clone, Debug, Default)]
pub(super) struct MidHistory {
    by_cell: BTreeMap<i64, Price>,
    /// The latest cell of any view.
    cell: i64,
}

impl MidHistory {
    /// Volatility as a view at `now` shows it, whose own mid counts from the next grid line on.
    pub(super) fn volatility_then_add(&mut self, config: &BookConfig, now: Nanos, mid: Option<Price>) -> f64 {
        let sample = config.volatility_sample.get();
        let lines = config.volatility_window.get() / sample;
        self.cell = self.cell.max(now.get().clamp(0, i64::MAX / 2) / sample);
        let before = |line: i64| self.by_cell.range(..line).next_back().map(|(_, mid)| mid.nanos());
        let mut sum = 0.0;
        for line in self.cell - lines + 1..=self.cell {
            if let (Some(from), Some(to)) = (before(line - 1), before(line)) {
                let r = to.saturating_sub(from) as f64 / from as f64;
                sum += r * r;
            }
        }
        if let Some(mid) = mid {
            self.by_cell.insert(self.cell, mid);
        }
        // The window will never look behind its first line again, except for the mid in force there.
        let oldest = self.by_cell.range(..self.cell - lines).next_back().map(|(cell, _)| *cell);
        if let Some(oldest) = oldest {
            self.by_cell = self.by_cell.split_off(&oldest);
        }
        sum.sqrt()
    }
}
