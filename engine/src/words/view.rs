//! [`BookView`]: the best levels of a book and the statistics over them, as strategies see it.

use super::{
    id::InstrumentId,
    number::{Price, Qty},
    time::Nanos,
};
use bytemuck::{Pod, Zeroable};

/// Most levels a view can hold on each side. How many it does hold is configured (1–10, default 5).
pub const VIEW_LEVELS_MAX: usize = 10;

/// One price level.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Level {
    /// Its price.
    pub price: Price,
    /// All that rests there.
    pub qty: Qty,
    /// How many orders that is; 0 where the feed does not tell (L2).
    pub orders: u64,
}

/// Signals over one book. Integers wherever a formula allows; all are functions of the events alone, so two runs agree
/// in every bit.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Default, Debug, Pod, Zeroable)]
pub struct Statistics {
    /// `(bid + ask) / 2`, toward minus infinity, 1e-9 of the quote currency. 0 while a side is empty.
    pub mid: Price,
    /// `(ask·bid_qty + bid·ask_qty) / (bid_qty + ask_qty)` over the best level, nearest 1e-9. 0 while a side is empty.
    /// (Size-weighted mid; Gatheral & Oomen 2010, "Zero-intelligence realized variance estimation".)
    pub microprice: Price,
    /// `ask − bid`. 0 while a side is empty.
    pub spread: Price,
    /// `(bid_qty − ask_qty) / (bid_qty + ask_qty)` over the best level, in units of 1e-9, −1e9 to 1e9. 0 when both are empty.
    pub imbalance_1: i64,
    /// The same over the N levels of the view.
    pub imbalance_n: i64,
    /// Sum of bid quantities over the N levels of the view.
    pub bid_depth: Qty,
    /// Sum of ask quantities over the N levels of the view.
    pub ask_depth: Qty,
    /// Order-flow imbalance of this event group at the best level (Cont, Kukanov & Stoikov 2014, eq. 2): `e = ΔW − ΔV` in lots,
    /// where the bid side gives `+q_bid` if the bid rose, `q_bid − previous` if unchanged, `−previous` if it fell; the ask side mirrored.
    pub order_flow: i64,
    /// Running sum of `order_flow` since the session began, wrapping.
    pub order_flow_sum: i64,
    /// Realized volatility of the mid: square root of the sum of squared simple returns over the window configured
    /// (default 60 s of receive time, sampled each second), dimensionless. IEEE 754 basic operations only.
    pub realized_volatility: f64,
    /// Price of the last trade; 0 before the first.
    pub last_price: Price,
    /// Quantity of the last trade.
    pub last_qty: Qty,
    /// Aggressor of the last trade: +1 buyer, −1 seller, 0 unknown. From the feed where it tells; else by the quote rule and, at the mid,
    /// the tick rule (Lee & Ready 1991).
    pub trade_sign: i64,
}

/// Best levels and statistics of one instrument after an event group.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Debug, Pod, Zeroable)]
pub struct BookView {
    /// Whose book.
    pub instrument: InstrumentId,
    /// How many levels a side the view is configured to show (N).
    pub levels: u16,
    /// The flags below.
    pub flags: u16,
    /// Levels in use in `bids`.
    pub bid_count: u32,
    /// Levels in use in `asks`.
    pub ask_count: u32,
    /// Frame that completed the group.
    pub frame: u64,
    /// Receive time of that frame.
    pub receive_time: Nanos,
    /// Venue time of the last event of the group.
    pub venue_time: Nanos,
    /// The venue's update id, where the protocol has one, else 0.
    pub update_id: u64,
    /// Signals.
    pub statistics: Statistics,
    /// Best bid first; only the first `bid_count` count, at most `levels`.
    pub bids: [Level; VIEW_LEVELS_MAX],
    /// Best ask first.
    pub asks: [Level; VIEW_LEVELS_MAX],
}

impl BookView {
    /// The data is not to be trusted: a gap, or no snapshot yet.
    pub const QUARANTINED: u16 = 1;
    /// Best bid at or above best ask.
    pub const CROSSED: u16 = 2;
    /// The best bid or offer (price or quantity) differs from the instrument's previous view.
    pub const BBO_CHANGED: u16 = 4;

    /// An empty view.
    pub fn vacant() -> Self {
        Self::zeroed()
    }

    /// The best bid.
    #[inline]
    pub fn best_bid(&self) -> Option<&Level> {
        self.bids().first()
    }

    /// The best offer.
    #[inline]
    pub fn best_ask(&self) -> Option<&Level> {
        self.asks().first()
    }

    /// Bid levels, best first.
    #[inline]
    pub fn bids(&self) -> &[Level] {
        self.bids.get(..self.bid_count as usize).unwrap_or(&self.bids)
    }

    /// Ask levels, best first.
    #[inline]
    pub fn asks(&self) -> &[Level] {
        self.asks.get(..self.ask_count as usize).unwrap_or(&self.asks)
    }

    /// Whether both sides exist, uncrossed, from trusted data.
    #[inline]
    pub fn is_tradable(&self) -> bool {
        self.bid_count > 0 && self.ask_count > 0 && self.flags & (Self::QUARANTINED | Self::CROSSED) == 0
    }

    /// Copies what counts: the head and the levels in use. What lies behind in `to` is of no meaning, so compare by accessors.
    #[inline]
    pub fn copy_to(&self, to: &mut BookView) {
        to.instrument = self.instrument;
        to.levels = self.levels;
        to.flags = self.flags;
        to.bid_count = self.bid_count;
        to.ask_count = self.ask_count;
        to.frame = self.frame;
        to.receive_time = self.receive_time;
        to.venue_time = self.venue_time;
        to.update_id = self.update_id;
        to.statistics = self.statistics;
        copy_levels(self.bids(), &self.bids, &mut to.bids);
        copy_levels(self.asks(), &self.asks, &mut to.asks);
    }
}

/// Copies the levels in use. Up to five, what views usually show, as five: a copy of known length is a few moves, one of another length a call.
#[inline]
fn copy_levels(used: &[Level], all: &[Level; VIEW_LEVELS_MAX], to: &mut [Level; VIEW_LEVELS_MAX]) {
    match (all.first_chunk::<5>(), to.first_chunk_mut::<5>()) {
        (Some(from), Some(to)) if used.len() <= 5 => *to = *from,
        _ => *to = *all,
    }
}
