//! Continuous trading: an incoming order against what rests.

use super::engine::{Engine, Incoming};
use super::ladder::{Kind, NONE, Resting};
use super::words::{CancelReason, Display, Lifetime, Output, Price4, SelfTrade, Sink};
use spinward_engine::words::Side;

/// Whether an order of this side and limit trades at this price.
#[inline]
fn reaches(side: Side, limit: Price4, price: Price4) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

impl Engine {
    /// The order that the next incoming one of this side meets first, [`NONE`] if there is none: the best price, displayed before hidden, then the oldest.
    #[inline]
    pub(super) fn first_against(&self, symbol: u16, side: Side) -> u32 {
        let against = side.opposite();
        let shown = self.books.first(symbol, against, Kind::Shown);
        match (shown, self.books.first(symbol, against, Kind::Hidden)) {
            (Some(shown), Some(hidden)) if self.books.key(hidden) < self.books.key(shown) => hidden,
            (Some(slot), _) | (None, Some(slot)) => slot,
            (None, None) => NONE,
        }
    }

    /// Whether an order of this side and limit would meet one that rests.
    #[inline]
    pub(super) fn would_take(&self, symbol: u16, side: Side, price: Price4) -> bool {
        let first = self.first_against(symbol, side);
        first != NONE && reaches(side, price, self.books.order(first).price)
    }

    /// The worst price at which an incoming order trades: its limit, or the band.
    fn limit(&self, incoming: &Incoming) -> Price4 {
        let symbol = &self.symbols[usize::from(incoming.order.symbol)];
        match (incoming.order.price, incoming.order.side) {
            (Price4::NONE, Side::Buy) => symbol.upper,
            (Price4::NONE, Side::Sell) => symbol.lower,
            (limit, _) => limit,
        }
    }

    /// Trades what can be traded; `left` is what remains.
    pub(super) fn trade(&mut self, incoming: &mut Incoming, out: &mut impl Sink) {
        let limit = self.limit(incoming);
        let (symbol, side) = (incoming.order.symbol, incoming.order.side);
        while incoming.left > 0 {
            let slot = self.first_against(symbol, side);
            if slot == NONE || !reaches(side, limit, self.books.order(slot).price) {
                return;
            }
            if self.is_own(incoming, slot) {
                self.prevent(incoming, slot, out);
                continue;
            }
            let maker = self.named(slot);
            let match_number = self.next_match();
            let order = self.books.order_mut(slot);
            let (price, displayed) = (order.price, order.kind == Kind::Shown);
            let part = if displayed { &mut order.shown } else { &mut order.reserve };
            let shares = incoming.left.min(*part);
            *part -= shares;
            incoming.left -= shares;
            let is_emptied = *part == 0;
            let maker_left = order.open();
            out.take(&Output::Traded {
                symbol,
                maker,
                taker: incoming.named(),
                side: side.opposite(),
                price,
                shares,
                maker_left,
                match_number,
                displayed,
            });
            self.symbols[usize::from(symbol)].reference = price;
            if maker_left == 0 {
                self.books.remove(slot);
            } else if is_emptied {
                self.refresh(slot, out);
            }
        }
    }

    /// Whether self-trade prevention comes between the two.
    #[inline]
    fn is_own(&self, incoming: &Incoming, slot: u32) -> bool {
        let account = incoming.order.owner.account;
        incoming.order.self_trade != SelfTrade::Allow
            && account != 0
            && self.books.order(slot).owner.account == account
    }

    fn prevent(&mut self, incoming: &mut Incoming, slot: u32, out: &mut impl Sink) {
        match incoming.order.self_trade {
            SelfTrade::Allow => {}
            SelfTrade::CancelNewest => self.cancel_incoming(incoming, CancelReason::SelfTrade, out),
            SelfTrade::CancelOldest => self.cut(slot, 0, CancelReason::SelfTrade, out),
            SelfTrade::Decrement => {
                let open = self.books.order(slot).open();
                let shares = open.min(incoming.left);
                self.cut(slot, open - shares, CancelReason::SelfTrade, out);
                incoming.left -= shares;
                out.take(&Output::Cancelled {
                    symbol: incoming.order.symbol,
                    order: incoming.named(),
                    shares,
                    displayed: 0,
                    left: incoming.left,
                    displayed_left: 0,
                    reason: CancelReason::SelfTrade,
                });
            }
        }
    }

    /// Whether all of an order would trade at once.
    pub(super) fn is_fillable(&self, incoming: &Incoming) -> bool {
        let limit = self.limit(incoming);
        let (symbol, side) = (incoming.order.symbol, incoming.order.side);
        let mut wanted = u64::from(incoming.left);
        // Own orders that would stop it count by priority over both ladders, so both are walked together.
        let against = side.opposite();
        let mut shown = self.books.first(symbol, against, Kind::Shown);
        let mut hidden = self.books.first(symbol, against, Kind::Hidden);
        loop {
            let take_hidden = match (shown, hidden) {
                (Some(shown), Some(hidden)) => self.books.key(hidden) < self.books.key(shown),
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (None, None) => return false,
            };
            let next = if take_hidden { &mut hidden } else { &mut shown };
            let Some(slot) = *next else { return false };
            *next = self.books.after(slot);
            let order = self.books.order(slot);
            if !reaches(side, limit, order.price) {
                return false;
            }
            if self.is_own(incoming, slot) {
                match incoming.order.self_trade {
                    SelfTrade::CancelOldest => continue,
                    SelfTrade::Allow | SelfTrade::CancelNewest | SelfTrade::Decrement => return false,
                }
            }
            wanted = wanted.saturating_sub(u64::from(order.open()));
            if wanted == 0 {
                return true;
            }
        }
    }

    /// Puts what is left of an order into its book. The caller knows of a free place.
    pub(super) fn rest(&mut self, incoming: &Incoming) -> u32 {
        let order = &incoming.order;
        let left = incoming.left;
        let kind = match (order.lifetime, order.display) {
            (Lifetime::OnOpen, _) => Kind::OnOpen,
            (Lifetime::OnClose, _) => Kind::OnClose,
            (Lifetime::Day | Lifetime::Ioc | Lifetime::Fok, Display::Hidden) => Kind::Hidden,
            (Lifetime::Day | Lifetime::Ioc | Lifetime::Fok, Display::Full | Display::Reserve(_)) => {
                Kind::Shown
            }
        };
        let (shown, display) = match (kind, order.display) {
            (Kind::Shown, Display::Reserve(display)) => (display.min(left), display),
            (Kind::Shown, Display::Full | Display::Hidden) => (left, 0),
            (Kind::Hidden | Kind::OnOpen | Kind::OnClose, _) => (0, 0),
        };
        self.books.add(&Resting {
            reference: incoming.reference,
            tick: incoming.tick,
            price: order.price,
            shown,
            reserve: left - shown,
            display,
            owner: order.owner,
            symbol: order.symbol,
            side: order.side,
            kind,
            self_trade: order.self_trade,
            post_only: order.post_only,
            attributed: order.attributed,
        })
    }

    /// Tells of an order's displayed shares, if it has any.
    pub(super) fn show(&self, slot: u32, out: &mut impl Sink) {
        let order = self.books.order(slot);
        if order.shown > 0 {
            out.take(&Output::Shown {
                order: self.named(slot),
                symbol: order.symbol,
                side: order.side,
                price: order.price,
                shares: order.shown,
                attributed: order.attributed,
            });
        }
    }

    /// An iceberg shows its next part, behind all others of its price.
    pub(super) fn refresh(&mut self, slot: u32, out: &mut impl Sink) {
        let reference = self.next_reference();
        let order = self.books.order_mut(slot);
        order.reference = reference;
        order.shown = order.display.min(order.reserve);
        order.reserve -= order.shown;
        self.books.requeue(slot);
        self.show(slot, out);
    }
}
