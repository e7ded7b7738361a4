//! Who does what next: the order flow. Reads the books, decides on an [`Action`], changes nothing but its own view of each symbol's value.

use super::market::{Market, Slot};
use crate::exchange::{
    prng::{Prng, scale},
    zipf::Alias,
};
use spinward_engine::words::Side;

/// What a participant does, or the venue says. Symbols by rank, prices in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// A limit order that does not cross.
    Add { symbol: usize, side: Side, tick: u32, shares: u32, attributed: bool },
    /// A resting order is withdrawn.
    Delete { slot: Slot },
    /// A resting order is made smaller by less than its size.
    Reduce { slot: Slot, shares: u32 },
    /// A resting order is replaced by one that does not cross.
    Replace { slot: Slot, tick: u32, shares: u32 },
    /// A marketable order takes from the other side what is there within its size; the rest of it is cancelled.
    Take { symbol: usize, aggressor: Side, shares: u32 },
    /// A marketable order gets a better price than the displayed one.
    TakeImproved { symbol: usize, aggressor: Side, shares: u32, printable: bool },
    /// A marketable order meets a hidden one between the best prices.
    Hidden { symbol: usize, shares: u32 },
    /// The venue tells of an imbalance.
    Imbalance { symbol: usize, paired: u32, missing: u32 },
    /// The venue matches orders of its crossing session.
    Cross { symbol: usize, shares: u32 },
    /// The venue repeats a short sale restriction.
    ShortSale { symbol: usize },
    /// A market maker's state.
    Position { symbol: usize },
}

/// What the flow knows of a symbol besides its book.
#[derive(Clone, Copy)]
struct Model {
    /// Where its price is drawn to, in ticks; wanders by itself.
    value: u32,
    /// How many orders its book should hold.
    orders: u32,
    /// By how much of 65,536 one order too few makes an add likelier, in 1/65,536.
    step: i64,
    /// A spread that nobody hurries to narrow, in ticks.
    spread: u32,
}

/// The order flow of all symbols.
pub(super) struct Flow {
    symbols: Alias,
    models: Box<[Model]>,
    focus: usize,
}

/// Of 65,536 actions, so many are of this kind or one before it. What is left over is adding and deleting.
const REPLACE: u32 = 6_600;
const REDUCE: u32 = REPLACE + 800;
const TAKE: u32 = REDUCE + 680;
const IMPROVED: u32 = TAKE + 132;
const HIDDEN: u32 = IMPROVED + 394;
const IMBALANCE: u32 = HIDDEN + 660;
const CROSS: u32 = IMBALANCE + 132;
const SHORT_SALE: u32 = CROSS + 66;
const POSITION: u32 = SHORT_SALE + 66;

/// Of 65,536 adds, so many carry the participant's name (1 message in 100).
const ATTRIBUTED: u32 = 1_490;
/// A side with so few orders gets one more instead of losing one.
pub(super) const ORDERS_KEPT: u32 = 3;
/// No price falls below this many ticks on its own.
const VALUE_MIN: u32 = 300;

/// Order sizes, one drawn of 32: mostly round lots, some odd ones.
const SIZES: [u32; 32] = [
    100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 200, 200, 200, 200, 300,
    300, 400, 500, 500, 1_000, 2_000, 1, 10, 25, 40, 75,
];

impl Flow {
    /// With the draw of symbols, and of each its first price in ticks and the number of orders its book should hold.
    pub(super) fn new(symbols: Alias, prices: &[u32], orders: &[u32], prng: &mut Prng) -> Self {
        let model = |(&value, &orders): (&u32, &u32)| {
            // Dear stocks and quiet ones have wider spreads.
            let widest = 1 + value / 8_000 + if orders < 50 { 3 } else { 1 };
            let step = (32_768 << 16) / i64::from(orders.max(1));
            Model { value, orders, step, spread: 1 + prng.below(widest) }
        };
        let models = prices.iter().zip(orders).map(model).collect();
        Self { symbols, models, focus: 0 }
    }

    /// The next action of the continuous session.
    pub(super) fn next(&mut self, market: &mut Market, first_of_burst: bool, prng: &mut Prng) -> Action {
        let drawn = self.symbols.draw(prng.bits());
        if first_of_burst {
            self.focus = drawn;
        }
        let bits = prng.bits();
        // Half of a burst is about one symbol, which was itself drawn by its weight.
        let symbol = if bits & 1 == 0 { self.focus } else { drawn };
        let kind = (bits >> 48) as u32;
        let extra = bits >> 8;
        match kind {
            0..REPLACE => self.replace(market, symbol, extra, prng),
            REPLACE..REDUCE => self.reduce(market, symbol, extra, prng),
            REDUCE..TAKE => {
                let aggressor = self.aggressor(market, symbol, prng);
                // A taker's size: one or a few usual orders.
                let shares = size(extra) * (1 + scale(extra >> 8, 4) * scale(extra >> 8, 4) / 3);
                Action::Take { symbol, aggressor, shares }
            }
            TAKE..IMPROVED => {
                let aggressor = self.aggressor(market, symbol, prng);
                let printable = extra >> 5 & 7 != 0;
                Action::TakeImproved { symbol, aggressor, shares: size(extra), printable }
            }
            IMPROVED..HIDDEN => Action::Hidden { symbol, shares: size(extra) },
            HIDDEN..IMBALANCE => {
                Action::Imbalance { symbol, paired: size(extra) * 10, missing: size(extra >> 5) }
            }
            IMBALANCE..CROSS => Action::Cross { symbol, shares: size(extra) * 4 },
            CROSS..SHORT_SALE => Action::ShortSale { symbol },
            SHORT_SALE..POSITION => Action::Position { symbol },
            _ => self.add_or_delete(market, symbol, extra, prng),
        }
    }

    /// One more order for a book that is being filled.
    pub(super) fn add(&mut self, market: &Market, symbol: usize, prng: &mut Prng) -> Action {
        let bids = market.count(symbol, Side::Buy);
        let side = if bids <= market.count(symbol, Side::Sell) { Side::Buy } else { Side::Sell };
        self.add_on(market, symbol, side, prng)
    }

    /// How many orders the book of a symbol should hold.
    pub(super) fn orders(&self, symbol: usize) -> u32 {
        self.models[symbol].orders
    }

    fn add_on(&mut self, market: &Market, symbol: usize, side: Side, prng: &mut Prng) -> Action {
        let bits = prng.bits();
        let tick = self.tick(market, symbol, side, prng);
        let attributed = (bits >> 48) as u32 <= ATTRIBUTED;
        Action::Add { symbol, side, tick, shares: size(bits), attributed }
    }

    #[inline]
    fn add_or_delete(&mut self, market: &mut Market, symbol: usize, extra: u64, prng: &mut Prng) -> Action {
        let Model { orders: wanted, step, .. } = self.models[symbol];
        let (bids, asks) = (market.count(symbol, Side::Buy), market.count(symbol, Side::Sell));
        // Half, and more the emptier the book: from 1/8 to 7/8 of 65,536. Counts are below 2^24.
        let missing = i64::from(wanted) - i64::from(bids + asks);
        let part = (32_768 + ((missing * step) >> 16)).clamp(8_192, 57_344);
        let adds = (extra & 0xffff) < part as u64;
        // The side with fewer orders is the likelier one to gain, the fuller one to lose.
        let even = extra >> 16 & 3 == 0;
        let side = match (even, adds == (bids <= asks)) {
            (true, _) => {
                if extra >> 18 & 1 == 0 {
                    Side::Buy
                } else {
                    Side::Sell
                }
            }
            (false, true) => Side::Buy,
            (false, false) => Side::Sell,
        };
        if adds {
            market.recenter(symbol);
            return self.add_on(market, symbol, side, prng);
        }
        match market.recenter(symbol) {
            Some(stale) if market.count(symbol, market.order(stale).side) > ORDERS_KEPT => {
                Action::Delete { slot: stale }
            }
            Some(_) | None => match self.pick(market, symbol, side, extra >> 20) {
                Some(slot) => Action::Delete { slot },
                None => self.add_on(market, symbol, side, prng),
            },
        }
    }

    fn reduce(&mut self, market: &Market, symbol: usize, extra: u64, prng: &mut Prng) -> Action {
        let side = coin(extra);
        let Some(slot) = self.pick(market, symbol, side, extra >> 1) else {
            return self.add_on(market, symbol, side, prng);
        };
        let shares = market.order(slot).shares;
        if shares < 2 {
            return Action::Delete { slot };
        }
        // Round lots where they fit.
        let part = 1 + prng.below(shares - 1);
        Action::Reduce { slot, shares: if part > 100 { part / 100 * 100 } else { part } }
    }

    fn replace(&mut self, market: &Market, symbol: usize, extra: u64, prng: &mut Prng) -> Action {
        let side = coin(extra);
        let Some(slot) = self.pick(market, symbol, side, extra >> 1) else {
            return self.add_on(market, symbol, side, prng);
        };
        let tick = self.tick(market, symbol, side, prng);
        let shares = if extra >> 30 & 3 == 0 { size(extra >> 32) } else { market.order(slot).shares };
        Action::Replace { slot, tick, shares }
    }

    /// An order to withdraw or change: mostly a young one near the top, now and then any. `None` where too few stand.
    #[inline]
    fn pick(&self, market: &Market, symbol: usize, side: Side, bits: u64) -> Option<Slot> {
        if market.count(symbol, side) <= ORDERS_KEPT {
            return None;
        }
        if bits & 3 == 0 {
            return market.anywhere(symbol, side, (bits >> 2) as u32 & 0xffff);
        }
        let level = (bits >> 2 | 1 << 6).trailing_zeros();
        let younger = (bits >> 9 | 1 << 3).trailing_zeros();
        market.near_top(symbol, side, level, younger)
    }

    /// A price for a limit order: inside a spread that is wide, else at the best price of its side or behind, with a heavy tail.
    fn tick(&self, market: &Market, symbol: usize, side: Side, prng: &mut Prng) -> u32 {
        let model = self.models[symbol];
        let (low, high) = market.window(symbol);
        let own = market.best(symbol, side);
        let other = market.best(symbol, side.opposite());
        let bits = prng.bits();
        let tail = 1 + scale(bits >> 24, 2 << (bits | 1 << 5).trailing_zeros());
        let behind = if (bits >> 8) & 0xff < 90 { 0 } else { tail };
        match (side, own, other) {
            (Side::Buy, Some(bid), Some(ask)) => {
                let gap = ask - bid;
                let improves = gap > 1 && (bits >> 16) as u32 & 0xff < eagerness(gap, model.spread);
                let tick =
                    if improves { bid + 1 + scale(bits >> 32, gap - 1) } else { bid.saturating_sub(behind) };
                tick.max(low)
            }
            (Side::Sell, Some(ask), Some(bid)) => {
                let gap = ask - bid;
                let improves = gap > 1 && (bits >> 16) as u32 & 0xff < eagerness(gap, model.spread);
                let tick = if improves { ask - 1 - scale(bits >> 32, gap - 1) } else { ask + behind };
                tick.min(high)
            }
            (Side::Buy, Some(bid), None) => bid.saturating_sub(behind).max(low),
            (Side::Sell, Some(ask), None) => (ask + behind).min(high),
            (Side::Buy, None, Some(ask)) => ask.saturating_sub(model.spread).max(low),
            (Side::Sell, None, Some(bid)) => (bid + model.spread).min(high),
            (Side::Buy, None, None) => model.value.clamp(low, high - 1),
            (Side::Sell, None, None) => model.value.clamp(low + 1, high),
        }
    }

    /// The side of the next taker, drawn to the symbol's value, which itself takes a step now and then.
    fn aggressor(&mut self, market: &Market, symbol: usize, prng: &mut Prng) -> Side {
        let bits = prng.bits();
        let model = &mut self.models[symbol];
        match bits & 15 {
            0 => model.value += 1,
            1 if model.value > VALUE_MIN => model.value -= 1,
            _ => {}
        }
        let middle = match (market.best(symbol, Side::Buy), market.best(symbol, Side::Sell)) {
            (Some(bid), Some(ask)) => (bid + ask) / 2,
            (Some(tick), None) | (None, Some(tick)) => tick,
            (None, None) => model.value,
        };
        let pull = (i64::from(model.value) - i64::from(middle)) * 256;
        let part = (32_768 + pull).clamp(16_384, 49_152);
        if (bits >> 48) < part as u64 { Side::Buy } else { Side::Sell }
    }
}

/// Of 256 orders, how many improve a spread of `gap` ticks.
const fn eagerness(gap: u32, usual: u32) -> u32 {
    if gap > 2 * usual {
        160
    } else if gap > usual {
        90
    } else {
        8
    }
}

#[inline]
const fn coin(bits: u64) -> Side {
    if bits & 1 == 0 { Side::Buy } else { Side::Sell }
}

#[inline]
const fn size(bits: u64) -> u32 {
    SIZES[(bits & 31) as usize]
}
