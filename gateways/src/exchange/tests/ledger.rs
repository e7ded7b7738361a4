//! Shares and money, counted from the outputs alone.

use super::*;
use std::collections::{BTreeMap, HashMap};

/// What the outputs so far add up to.
#[derive(Default)]
pub(super) struct Ledger {
    /// Open shares of what rests.
    open: HashMap<OrderId, u32>,
    /// Of the order on its way in: shares left.
    incoming: u32,
    /// Shares and money (shares × 1/10,000) of each account.
    accounts: BTreeMap<u32, (i64, i64)>,
    /// Bought and sold in the cross under way.
    crossed: [u64; 2],
    last_reference: u64,
    last_match: u64,
    pub(super) trades: u64,
}

impl Ledger {
    fn book(&mut self, account: u32, side: Side, shares: u32, price: Price4) {
        let sign = if side == Side::Buy { 1 } else { -1 };
        let (position, cash) = self.accounts.entry(account).or_default();
        *position += sign * i64::from(shares);
        *cash -= sign * i64::from(shares) * i64::from(price.units());
    }

    fn take_from(&mut self, order: OrderRef, shares: u32, left: u32) {
        let open = match order.id {
            OrderId::NONE => &mut self.incoming,
            id => self.open.get_mut(&id).unwrap(),
        };
        *open -= shares;
        assert_eq!(*open, left);
        if left == 0 {
            self.open.remove(&order.id);
        }
    }

    fn number(last: &mut u64, number: u64) {
        assert_eq!(number, *last + 1, "numbers leave no gap");
        *last = number;
    }

    pub(super) fn add(&mut self, output: &Output) {
        match *output {
            Output::Accepted { order, entered } => {
                self.incoming = entered.shares;
                Self::number(&mut self.last_reference, order.reference);
            }
            Output::Rested { order } => {
                let shares = std::mem::take(&mut self.incoming);
                assert!(shares > 0);
                assert!(self.open.insert(order.id, shares).is_none(), "a handle names one order");
            }
            Output::Shown { order, shares, .. } => {
                assert!(shares > 0 && shares <= self.open[&order.id]);
                self.last_reference = self.last_reference.max(order.reference);
            }
            Output::Traded { maker, taker, side, price, shares, maker_left, match_number, .. } => {
                Self::number(&mut self.last_match, match_number);
                assert!(shares > 0);
                self.take_from(maker, shares, maker_left);
                self.incoming -= shares;
                self.book(maker.owner.account, side, shares, price);
                self.book(taker.owner.account, side.opposite(), shares, price);
                self.trades += 1;
            }
            Output::Crossed { order, side, price, shares, displayed, left, match_number, .. } => {
                Self::number(&mut self.last_match, match_number);
                assert!(shares > 0 && displayed <= shares);
                self.take_from(order, shares, left);
                self.book(order.owner.account, side, shares, price);
                self.crossed[usize::from(side == Side::Sell)] += u64::from(shares);
            }
            Output::CrossDone { price, shares, match_number, .. } => {
                Self::number(&mut self.last_match, match_number);
                assert_eq!(std::mem::take(&mut self.crossed), [shares; 2]);
                assert_eq!(price == Price4::NONE, shares == 0);
            }
            Output::Cancelled { order, shares, displayed, left, .. } => {
                assert!(shares > 0 && displayed <= shares);
                self.take_from(order, shares, left);
            }
            Output::Replaced { order, old, shares, old_shares, change, .. } => {
                assert_eq!(self.open.remove(&old.id), Some(old_shares));
                match change {
                    Change::Reduced { .. } => {
                        assert_eq!((order.id, order.reference), (old.id, old.reference));
                        self.open.insert(order.id, shares);
                    }
                    Change::Moved { .. } => {
                        Self::number(&mut self.last_reference, order.reference);
                        assert!(self.open.insert(order.id, shares).is_none());
                    }
                    Change::Entered => {
                        Self::number(&mut self.last_reference, order.reference);
                        self.incoming = shares;
                    }
                }
            }
            Output::Rejected { .. }
            | Output::PhaseChanged { .. }
            | Output::Imbalance { .. }
            | Output::Broken { .. } => {}
        }
    }

    /// After a command: nothing is under way, nothing came from nowhere, and the engine holds what is left.
    pub(super) fn check(&self, engine: &Engine) {
        assert_eq!(self.incoming, 0, "shares of an order vanished");
        assert_eq!(self.crossed, [0; 2]);
        let sums = self.accounts.values().fold((0, 0), |sum, account| (sum.0 + account.0, sum.1 + account.1));
        assert_eq!(sums, (0, 0), "shares or money were made");
        let mut count = 0;
        for symbol in 0..engine.symbols() as u16 {
            for order in engine.orders(symbol) {
                assert_eq!(self.open.get(&order.id), Some(&order.open), "{order:?}");
                count += 1;
            }
            let best =
                |side| engine.orders(symbol).filter(move |o| o.side == side && o.price != Price4::NONE);
            if engine.phase(symbol) == Phase::Continuous {
                // Orders that wait for the close are not in the book.
                let on_close: Vec<OrderId> = engine.orders_on_close(symbol).map(|o| o.id).collect();
                let in_book = |o: &RestingOrder| !on_close.contains(&o.id);
                let bid = best(Side::Buy).filter(in_book).map(|o| o.price).max();
                let ask = best(Side::Sell).filter(in_book).map(|o| o.price).min();
                assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid < ask), "crossed: {bid:?} {ask:?}");
            }
        }
        assert_eq!(count, self.open.len());
    }
}
