//! [`Head`]: what a book is besides its levels, in two cache lines.

use super::ladder::Ladder;
use super::volatility::MidSamples;
use crate::memory::prefetch;
use crate::words::{Level, Price, Qty, Side};

/// How a feed tells this book.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BookKind {
    /// Nothing told yet, or cleared: the next event decides.
    Undecided,
    /// Order by order.
    Orders,
    /// Level by level.
    Levels,
}

/// Best bid and offer; a quantity of 0 is an empty side, its price 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bbo {
    pub(super) bid: Price,
    pub(super) bid_qty: Qty,
    pub(super) ask: Price,
    pub(super) ask_qty: Qty,
}

impl Bbo {
    pub(super) const EMPTY: Bbo =
        Bbo { bid: Price::ZERO, bid_qty: Qty::ZERO, ask: Price::ZERO, ask_qty: Qty::ZERO };

    /// Of sides whose first `bid_count` and `ask_count` levels are there.
    #[inline]
    pub(super) fn of(bids: &[Level], bid_count: u32, asks: &[Level], ask_count: u32) -> Self {
        let mut bbo = Self::EMPTY;
        if bid_count > 0
            && let Some(best) = bids.first()
        {
            (bbo.bid, bbo.bid_qty) = (best.price, best.qty);
        }
        if ask_count > 0
            && let Some(best) = asks.first()
        {
            (bbo.ask, bbo.ask_qty) = (best.price, best.qty);
        }
        bbo
    }

    #[inline]
    pub(super) fn has_both(&self) -> bool {
        self.bid_qty != Qty::ZERO && self.ask_qty != Qty::ZERO
    }

    /// Crossed or locked.
    #[inline]
    pub(super) fn is_crossed(&self) -> bool {
        self.has_both() && self.bid >= self.ask
    }
}

/// One instrument.
#[repr(C, align(128))]
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Head {
    pub(super) ladders: [Ladder; 2],
    /// As of its last view.
    pub(super) bbo: Bbo,
    /// 0 before the first trade.
    pub(super) last_price: Price,
    /// 0 before the first trade.
    pub(super) last_qty: Qty,
    pub(super) order_flow_sum: i64,
    pub(super) update_id: u64,
    pub(super) mids: MidSamples,
    /// The market-wide quarantine that `quarantined` already knows of.
    pub(super) epoch: u32,
    /// Sign of the last trade.
    pub(super) trade_sign: i8,
    /// Direction of the last change of the trade price.
    pub(super) tick_direction: i8,
    pub(super) kind: BookKind,
    /// The feed's data is not whole; valid for `epoch`.
    pub(super) quarantined: bool,
    /// A pool was full: something is missing until the book is cleared.
    pub(super) incomplete: bool,
    /// Its last view was crossed.
    pub(super) crossed: bool,
}

const _: () = assert!(size_of::<Head>() == 128);

impl Head {
    pub(super) const NEW: Head = Head {
        ladders: [Ladder::EMPTY; 2],
        bbo: Bbo::EMPTY,
        last_price: Price::ZERO,
        last_qty: Qty::ZERO,
        order_flow_sum: 0,
        update_id: 0,
        mids: MidSamples::NONE,
        epoch: 0,
        trade_sign: 0,
        tick_direction: 0,
        kind: BookKind::Undecided,
        quarantined: false,
        incomplete: false,
        crossed: false,
    };

    /// Asks for both of its lines.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self);
        prefetch(&self.crossed);
    }

    #[inline]
    pub(super) fn ladder(&self, side: Side) -> &Ladder {
        match side {
            Side::Buy => &self.ladders[0],
            Side::Sell => &self.ladders[1],
        }
    }

    #[inline]
    pub(super) fn ladder_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Buy => &mut self.ladders[0],
            Side::Sell => &mut self.ladders[1],
        }
    }

    /// Whether the book is of this kind; an undecided one becomes it.
    #[inline]
    pub(super) fn is_of(&mut self, kind: BookKind) -> bool {
        if self.kind == BookKind::Undecided {
            self.kind = kind;
        }
        self.kind == kind
    }

    /// Takes a trade into account: last price and quantity, the direction of its price, and the aggressor's sign; with `None`, the tick rule's.
    #[inline]
    pub(super) fn on_trade(&mut self, price: Price, qty: Qty, sign: Option<i8>) {
        if self.last_qty != Qty::ZERO && price != self.last_price {
            self.tick_direction = if price > self.last_price { 1 } else { -1 };
        }
        self.last_price = price;
        self.last_qty = qty;
        self.trade_sign = sign.unwrap_or(self.tick_direction);
    }
}
