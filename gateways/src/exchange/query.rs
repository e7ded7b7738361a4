//! What others may see of the engine: books, orders, phases. Participants in the same process look here instead of at market data.

use super::engine::Engine;
use super::ladder::{Kind, NONE};
use super::words::{MEMBERS_FIRST, OrderId, Owner, Phase, Price4};
use spinward_engine::words::Side;

/// A resting order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestingOrder {
    /// Handle for commands.
    pub id: OrderId,
    /// Day-unique number.
    pub reference: u64,
    /// Whose.
    pub owner: Owner,
    /// Of which symbol.
    pub symbol: u16,
    /// Buy or sell.
    pub side: Side,
    /// Its limit.
    pub price: Price4,
    /// Displayed open shares.
    pub displayed: u32,
    /// All open shares.
    pub open: u32,
    /// Whether market data tells the participant's name.
    pub attributed: bool,
}

/// Displayed shares of one price.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DepthLevel {
    /// The price.
    pub price: Price4,
    /// All of its displayed shares.
    pub shares: u64,
    /// Of so many orders.
    pub orders: u32,
}

impl Engine {
    /// A symbol's phase; closed if there is no such symbol.
    pub fn phase(&self, symbol: u16) -> Phase {
        self.symbol(symbol).map_or(Phase::Closed, |symbol| symbol.phase)
    }

    /// Number of symbols.
    pub fn symbols(&self) -> usize {
        self.symbols.len()
    }

    /// Number of the last trade; 0 before the first.
    pub fn last_match(&self) -> u64 {
        self.last_match
    }

    /// A symbol's reference price: of its last trade, or configured.
    pub fn reference(&self, symbol: u16) -> Price4 {
        self.symbol(symbol).map_or(Price4::NONE, |symbol| symbol.reference)
    }

    /// An order, while it rests.
    pub fn order(&self, id: OrderId) -> Option<RestingOrder> {
        self.books.find(id).map(|slot| self.resting(slot))
    }

    fn resting(&self, slot: u32) -> RestingOrder {
        let order = self.books.order(slot);
        RestingOrder {
            id: self.books.id(slot),
            reference: order.reference,
            owner: order.owner,
            symbol: order.symbol,
            side: order.side,
            price: order.price,
            displayed: order.shown,
            open: order.open(),
            attributed: order.attributed,
        }
    }

    /// The order that the next incoming one of this side meets first: the best price, displayed before hidden, then the oldest. The symbol must exist.
    pub fn first_met(&self, symbol: u16, side: Side) -> Option<RestingOrder> {
        let slot = self.first_against(symbol, side);
        (slot != NONE).then(|| self.resting(slot))
    }

    /// Best displayed price of a side. The symbol must exist.
    #[inline]
    pub fn best(&self, symbol: u16, side: Side) -> Option<Price4> {
        self.books.first(symbol, side, Kind::Shown).map(|slot| self.books.order(slot).price)
    }

    /// How many orders with displayed shares stand on a side. The symbol must exist.
    #[inline]
    pub fn displayed_orders(&self, symbol: u16, side: Side) -> u32 {
        self.books.count(symbol, side, Kind::Shown)
    }

    /// How many more orders can rest, in all books together.
    #[inline]
    pub fn vacant(&self) -> u32 {
        self.books.vacant()
    }

    /// How many orders without displayed shares stand on a side. The symbol must exist.
    #[inline]
    pub fn hidden_orders(&self, symbol: u16, side: Side) -> u32 {
        self.books.count(symbol, side, Kind::Hidden)
    }

    /// The hidden order that trades last on a side. Walks past all others.
    pub fn last_hidden(&self, symbol: u16, side: Side) -> Option<RestingOrder> {
        self.ladder(symbol, side, Kind::Hidden).last()
    }

    /// Displayed orders of a side by priority, the best first.
    pub fn queue(&self, symbol: u16, side: Side) -> impl Iterator<Item = RestingOrder> {
        self.ladder(symbol, side, Kind::Shown)
    }

    /// All orders of a symbol, with those that are not displayed and those that wait for a cross.
    pub fn orders(&self, symbol: u16) -> impl Iterator<Item = RestingOrder> {
        let ladders = Kind::ALL.into_iter().flat_map(|kind| [(Side::Buy, kind), (Side::Sell, kind)]);
        ladders.flat_map(move |(side, kind)| self.ladder(symbol, side, kind))
    }

    /// Orders of a symbol that wait for the closing cross: they are not in the book and may lie across it.
    pub fn orders_on_close(&self, symbol: u16) -> impl Iterator<Item = RestingOrder> {
        let sides = [Side::Buy, Side::Sell].into_iter();
        sides.flat_map(move |side| self.ladder(symbol, side, Kind::OnClose))
    }

    fn ladder(&self, symbol: u16, side: Side, kind: Kind) -> impl Iterator<Item = RestingOrder> {
        let first = self.books.first(symbol, side, kind);
        std::iter::successors(first, |&slot| self.books.after(slot)).map(|slot| self.resting(slot))
    }

    /// Displayed depth of a side, the best price first.
    pub fn depth(&self, symbol: u16, side: Side) -> impl Iterator<Item = DepthLevel> {
        let mut orders = self.queue(symbol, side).peekable();
        std::iter::from_fn(move || {
            let first = orders.next()?;
            let mut level = DepthLevel { price: first.price, shares: u64::from(first.displayed), orders: 1 };
            while let Some(order) = orders.next_if(|order| order.price == level.price) {
                level.shares += u64::from(order.displayed);
                level.orders += 1;
            }
            Some(level)
        })
    }

    /// A displayed order near the top of a side: of the `level`-th best price (0 is the best; the worst near one if there are fewer), the one that
    /// has `younger` orders behind it (or the oldest).
    #[inline]
    pub fn near_top(&self, symbol: u16, side: Side, level: u32, younger: u32) -> Option<RestingOrder> {
        self.books.near_top(symbol, side, level, younger).map(|slot| self.resting(slot))
    }

    /// A displayed order that lies far behind the best price of its side, if there is any more than 127 ticks behind; none if the one found is a
    /// session's, who may have it lie where it likes.
    #[inline]
    pub fn farther(&self, symbol: u16, side: Side) -> Option<RestingOrder> {
        let found = self.books.farther(symbol, side).map(|slot| self.resting(slot));
        found.filter(|order| order.owner.account < MEMBERS_FIRST)
    }

    /// The youngest displayed order of some price: the first occupied one at or behind the `offset`-th place (of 128) near the best, going round.
    #[inline]
    pub fn anywhere(&self, symbol: u16, side: Side, offset: u32) -> Option<RestingOrder> {
        self.books.anywhere(symbol, side, offset).map(|slot| self.resting(slot))
    }
}
