//! Phases, bands and crosses of the naive engine.

use super::{NaiveEngine, Order, reaches};
use crate::exchange::words::{
    CancelReason, CrossKind, Indication, Lifetime, Output, Phase, Price4, Reject, Sink,
};
use spinward_engine::words::Side;
use std::cmp::Reverse;

impl NaiveEngine {
    pub(super) fn phase(&mut self, symbol: u16, phase: Phase, out: &mut impl Sink) -> Result<(), Reject> {
        self.known(symbol)?;
        let present = self.at(symbol).phase;
        let possible: &[Phase] = match present {
            Phase::Closed => &[Phase::PreOpen, Phase::Continuous],
            Phase::PreOpen => &[Phase::Continuous, Phase::Halted, Phase::Closed],
            Phase::Continuous => &[Phase::Halted, Phase::Closed],
            Phase::Halted => &[Phase::Quoting, Phase::Continuous, Phase::Closed],
            Phase::Quoting => &[Phase::Continuous, Phase::Halted, Phase::Closed],
        };
        if !possible.contains(&phase) {
            return Err(Reject::WrongPhase);
        }
        if phase == Phase::Continuous {
            let bid = self.first_against(symbol, Side::Sell).map(|index| self.orders[index].entered.price);
            let ask = self.first_against(symbol, Side::Buy).map(|index| self.orders[index].entered.price);
            if bid.zip(ask).is_some_and(|(bid, ask)| bid >= ask) {
                return Err(Reject::BookCrossed);
            }
        }
        self.go_to(symbol, phase, out);
        Ok(())
    }

    fn go_to(&mut self, symbol: u16, phase: Phase, out: &mut impl Sink) {
        if phase == Phase::Closed {
            self.sweep(symbol, CancelReason::Closed, |_| true, out);
        }
        if phase == Phase::Continuous {
            let on_open = |order: &Order| order.entered.lifetime == Lifetime::OnOpen;
            self.sweep(symbol, CancelReason::NotCrossed, on_open, out);
        }
        self.symbols[usize::from(symbol)].phase = phase;
        out.take(&Output::PhaseChanged { symbol, phase });
    }

    pub(super) fn band(
        &mut self,
        symbol: u16,
        lower: Price4,
        upper: Price4,
        out: &mut impl Sink,
    ) -> Result<(), Reject> {
        self.known(symbol)?;
        if lower > upper || upper > Price4::MAX {
            return Err(Reject::OutsideBand);
        }
        self.symbols[usize::from(symbol)].band = (lower, upper);
        let beyond = |order: &Order| match (order.entered.price, order.entered.side) {
            (Price4::NONE, _) => false,
            (price, Side::Buy) => price > upper,
            (price, Side::Sell) => price < lower,
        };
        self.sweep(symbol, CancelReason::OutsideBand, beyond, out);
        Ok(())
    }

    /// Tries every price.
    pub(super) fn clear(&self, symbol: u16, meant: &dyn Fn(&Order) -> bool) -> Indication {
        let reference = self.at(symbol).reference;
        let orders: Vec<&Order> =
            self.orders.iter().filter(|o| o.entered.symbol == symbol && meant(o)).collect();
        let wanted = |side: Side, price: Price4| -> u64 {
            let willing = orders.iter().filter(|order| {
                let limit = order.entered.price;
                order.entered.side == side && (limit == Price4::NONE || reaches(side, limit, price))
            });
            willing.map(|order| u64::from(order.open())).sum()
        };
        let limits = orders.iter().map(|order| order.entered.price).filter(|price| *price != Price4::NONE);
        let outcome = |price: Price4| {
            let (buys, sells) = (wanted(Side::Buy, price), wanted(Side::Sell, price));
            let distance = price.units().abs_diff(reference.units());
            (Reverse(buys.min(sells)), buys.abs_diff(sells), distance, price)
        };
        let best = limits.chain([reference]).map(outcome).min();
        let Some((Reverse(paired), imbalance, _, price)) = best else { return Indication::default() };
        let side = match wanted(Side::Buy, price).cmp(&wanted(Side::Sell, price)) {
            std::cmp::Ordering::Less => Some(Side::Sell),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Side::Buy),
        };
        let near = if paired > 0 { price } else { Price4::NONE };
        Indication { paired, imbalance, side, near, far: Price4::NONE, reference }
    }

    pub(super) fn cross(&mut self, symbol: u16, kind: CrossKind, out: &mut impl Sink) -> Result<(), Reject> {
        self.known(symbol)?;
        let (from, to) = match kind {
            CrossKind::Opening => (Phase::PreOpen, Phase::Continuous),
            CrossKind::Halt => (Phase::Quoting, Phase::Continuous),
            CrossKind::Closing => (Phase::Continuous, Phase::Closed),
        };
        if self.at(symbol).phase != from {
            return Err(Reject::WrongPhase);
        }
        let Indication { paired, near: price, .. } = self.clear(symbol, &|order| takes_part(order, kind));
        for side in [Side::Buy, Side::Sell] {
            let mut left = paired;
            while left > 0 {
                let willing = (0..self.orders.len()).filter(|&index| {
                    let order = &self.orders[index];
                    order.entered.symbol == symbol && order.entered.side == side && takes_part(order, kind)
                });
                let best = willing.min_by_key(|&index| {
                    let order = &self.orders[index];
                    (order.price_rank(), order.ladder(), order.time)
                });
                let Some(index) = best else { break };
                let match_number = self.next_match();
                let order = &mut self.orders[index];
                let named = order.named();
                let shares = u64::from(order.open()).min(left) as u32;
                let displayed = shares.min(order.shown);
                order.shown -= displayed;
                order.reserve -= shares - displayed;
                left -= u64::from(shares);
                let open = order.open();
                out.take(&Output::Crossed {
                    symbol,
                    order: named,
                    side,
                    price,
                    shares,
                    displayed,
                    left: open,
                    match_number,
                });
                self.after_fill(index, out);
            }
        }
        if paired > 0 {
            self.symbols[usize::from(symbol)].reference = price;
        }
        let match_number = self.next_match();
        out.take(&Output::CrossDone { symbol, kind, price, shares: paired, match_number });
        if kind == CrossKind::Closing {
            let on_close = |order: &Order| order.entered.lifetime == Lifetime::OnClose;
            self.sweep(symbol, CancelReason::NotCrossed, on_close, out);
        }
        self.go_to(symbol, to, out);
        Ok(())
    }
}

pub(super) fn takes_part(order: &Order, kind: CrossKind) -> bool {
    match order.entered.lifetime {
        Lifetime::Day => true,
        Lifetime::OnOpen => kind == CrossKind::Opening,
        Lifetime::OnClose => kind == CrossKind::Closing,
        Lifetime::Ioc | Lifetime::Fok => false,
    }
}
