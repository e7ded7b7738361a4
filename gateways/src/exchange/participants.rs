//! [`Participants`]: who trades on the exchange when nobody else does. Seeded order flow that looks at the books and gives the next command.
//!
//! Enters: a seed, [`ParticipantsConfig`], the engine's books. Leaves: commands and the time between them. The same configuration on the same books gives
//! the same commands on every host (integers only).
//!
//! * **Makers** place limit orders round the best price, move them and withdraw them; in a wide spread they improve it. A few show
//!   only a part, or nothing.
//! * **Takers** send immediate orders, mostly of the size that stands first. The next one is likelier to be of the same side (**momentum**): large
//!   orders come in slices.
//! * **Sweeps** take several prices at once.
//! * **Bursts**: commands come in clusters, half of each about one symbol (`arrival.rs`).
//!
//! The books stay bounded: the fuller one is, the less is added; hidden orders are few; with no room left in the engine orders are only withdrawn.

use super::arrival::{Arrivals, Process};
use super::engine::Engine;
use super::prng::{Prng, scale};
use super::words::{Command, Display, Lifetime, NewOrder, Owner, Price4};
use super::zipf::{Alias, weight};
use spinward_engine::words::{Nanos, Side};

/// Prices move in cents.
const TICK: u32 = 100;
/// A side with so few displayed orders gets one more instead of losing one.
const ORDERS_KEPT: u32 = 3;
/// Orders farther from the best price than this many ticks are withdrawn sooner or later.
const FAR_TICKS: u32 = 400;
/// A side with so many hidden orders loses one before it gets another.
const HIDDEN_KEPT: u32 = 4;
/// The price that a symbol's flow is drawn to does not fall below this many ticks.
const VALUE_MIN: u32 = 100;
/// Accounts 1 to this make, the next as many take.
const ACCOUNTS: u32 = 16;

/// What participants do: of 65,536 commands, so many are of each kind; the rest adds and withdraws orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mix {
    /// Orders are moved to another price.
    pub moves: u32,
    /// Orders are made smaller.
    pub reductions: u32,
    /// Immediate orders for what stands first.
    pub takers: u32,
    /// Immediate orders through several prices.
    pub sweeps: u32,
    /// Hidden orders.
    pub hidden: u32,
    /// Of 65,536 commands that add or withdraw, so many add to a book that holds what it should.
    pub adds: u32,
    /// Of 65,536 orders, so many carry their participant's name.
    pub attributed: u32,
}

impl Mix {
    /// Of one stock on one venue, with many trades: measured against the captured day of `docs/exchange.md`.
    pub const STOCK: Self = Self {
        moves: 1_300,
        reductions: 60,
        takers: 9_000,
        sweeps: 300,
        hidden: 1_400,
        adds: 38_000,
        attributed: 2_048,
    };
    /// Of a whole market, in which most orders are withdrawn: the shares of message types that `docs/exchange.md` aims at.
    pub const MARKET: Self = Self {
        moves: 7_600,
        reductions: 800,
        takers: 1_050,
        sweeps: 50,
        hidden: 700,
        adds: 34_000,
        attributed: 1_490,
    };

    fn is_valid(&self) -> bool {
        let all = [self.moves, self.reductions, self.takers, self.sweeps, self.hidden];
        let sum = all.iter().fold(0u32, |sum, kind| sum.saturating_add(*kind));
        sum <= 65_536 && self.adds <= 65_536 && self.attributed <= 65_536
    }
}

/// Who trades, and how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParticipantsConfig {
    /// From which everything random follows. Default 1.
    pub seed: u64,
    /// Of each symbol, by index, the most active first: the price that its flow is drawn to at first. A cent to $100,000.
    pub prices: Vec<Price4>,
    /// How unevenly activity lies on symbols: rank k has a share proportional to k^(−this/4), 0 to 16. Default 4.
    pub zipf_quarters: u32,
    /// Displayed orders that a book should hold, 12 to 10,000,000. Default 120.
    pub orders: u32,
    /// The same by symbol, instead of `orders`; none (the default): all alike.
    pub books: Vec<u32>,
    /// Commands per second in the long-run mean, 1 to 50,000,000. Default 1,000.
    pub rate: u32,
    /// How they lie in time. Default: clusters.
    pub arrivals: Arrivals,
    /// Mean commands of a cluster, 1 to 1,000,000. Default 24.
    pub burst: u32,
    /// What they do. Default: [`Mix::STOCK`].
    pub mix: Mix,
    /// Usual spread in 1/100,000 of the price, at most 1,000; never less than a tick. Default 54.
    pub spread: u32,
}

impl ParticipantsConfig {
    /// The defaults, round these prices.
    pub fn new(prices: Vec<Price4>) -> Self {
        Self {
            seed: 1,
            prices,
            zipf_quarters: 4,
            orders: 120,
            books: Vec::new(),
            rate: 1_000,
            arrivals: Arrivals::Clusters,
            burst: 24,
            mix: Mix::STOCK,
            spread: 54,
        }
    }
}

/// Why a [`ParticipantsConfig`] is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParticipantsError {
    /// No symbol, or too many.
    #[error("{0} prices: give one for each of 1 to 65535 symbols")]
    Symbols(usize),
    /// A price out of range.
    #[error("price of symbol {0}: give whole cents from 1 to 10,000,000")]
    Price(usize),
    /// Another value out of range.
    #[error(
        "participants: zipf_quarters 0 to 16, orders 12 to 10,000,000 (books: none or as many as prices), rate 1 to 50,000,000, \
         burst 1 to 1,000,000, stretches 1 ms to 1 h, all kinds of the mix together at most 65,536, spread at most 1,000"
    )]
    Range,
}

/// What the flow knows of a symbol besides its book.
#[derive(Clone, Copy)]
struct Model {
    /// Where its price is drawn to, in ticks; wanders.
    value: u32,
    /// A spread that nobody hurries to narrow, in ticks.
    spread: u32,
    /// Displayed orders that its book should hold.
    orders: u32,
    /// By how much of 65,536 one order too few makes an add likelier, in 1/65,536.
    step: i64,
    /// Orders behind the best price lie up to eight times so many ticks behind it.
    reach: u32,
    /// Side of the last taker.
    taker: Side,
}

/// The order flow of all symbols.
pub struct Participants {
    prng: Prng,
    symbols: Alias,
    models: Box<[Model]>,
    arrivals: Process,
    /// Upper bounds of the kinds: moves, reductions, takers, sweeps, hidden orders.
    kinds: [u32; 5],
    adds: i64,
    attributed: u32,
    /// Symbol of the present cluster.
    focus: u16,
    tokens: u32,
}

/// Order sizes, one drawn of 32; at most 500.
const SIZES: [u32; 32] = [
    100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 200, 200, 300, 400, 500,
    10, 10, 18, 19, 5, 6, 20, 25, 40, 50, 75,
];

/// Orders that a sweep takes at most.
const SWEPT: u32 = 9;
/// Most shares that one command trades: a sweep of the largest orders.
pub(crate) const TRADED_SHARES_MAX: u32 = SWEPT * 500;

impl Participants {
    /// Takes all memory that they ever need.
    ///
    /// # Errors
    /// A value of the configuration is out of its range.
    pub fn new(config: &ParticipantsConfig) -> Result<Self, ParticipantsError> {
        let count = config.prices.len();
        if !(1..=65_535).contains(&count) {
            return Err(ParticipantsError::Symbols(count));
        }
        let is_price = |price: &Price4| {
            (TICK..=1_000_000_000).contains(&price.units()) && price.units().is_multiple_of(TICK)
        };
        if let Some(index) = config.prices.iter().position(|price| !is_price(price)) {
            return Err(ParticipantsError::Price(index));
        }
        let is_size = |orders: &u32| (12..=10_000_000).contains(orders);
        if config.zipf_quarters > 16
            || !is_size(&config.orders)
            || !config.books.iter().all(is_size)
            || !(config.books.is_empty() || config.books.len() == count)
            || !(1..=50_000_000).contains(&config.rate)
            || !(1..=1_000_000).contains(&config.burst)
            || !config.arrivals.is_valid()
            || !config.mix.is_valid()
            || config.spread > 1_000
        {
            return Err(ParticipantsError::Range);
        }
        let weights: Vec<f64> = (0..count).map(|rank| weight(rank, config.zipf_quarters)).collect();
        let model = |(index, price): (usize, &Price4)| {
            let value = price.units() / TICK;
            // 10^7 · 10^3 < 2^34
            let spread = (u64::from(value) * u64::from(config.spread) / 100_000).max(1) as u32;
            let orders = config.books.get(index).copied().unwrap_or(config.orders);
            // Large books are deeper, up to where a ladder's window ends.
            let reach = spread.max((orders / 64).min(8));
            Model { value, spread, orders, step: (32_768 << 16) / i64::from(orders), reach, taker: Side::Buy }
        };
        let Mix { moves, reductions, takers, sweeps, hidden, adds, attributed } = config.mix;
        let mut bound = 0;
        let kinds = [moves, reductions, takers, sweeps, hidden].map(|kind| {
            bound += kind;
            bound
        });
        Ok(Self {
            prng: Prng::new(config.seed),
            symbols: Alias::new(&weights),
            models: config.prices.iter().enumerate().map(model).collect(),
            arrivals: Process::new(&config.arrivals, config.rate, config.burst),
            kinds,
            adds: i64::from(adds),
            attributed,
            focus: 0,
            tokens: 0,
        })
    }

    /// Time from the last command to the next one.
    #[inline]
    pub fn wait(&mut self) -> Nanos {
        let arrival = self.arrivals.next(&mut self.prng);
        if arrival.is_first {
            self.focus = self.symbols.draw(self.prng.bits()) as u16;
        }
        Nanos::new(arrival.gap.min(i64::MAX as u64) as i64)
    }

    /// The next command. Every symbol must be in continuous trading; a command for another one is refused.
    pub fn next(&mut self, engine: &Engine) -> Command {
        let bits = self.prng.bits();
        let symbol = if bits & 1 == 0 { self.focus } else { self.symbols.draw(self.prng.bits()) as u16 };
        let extra = bits >> 8 & 0xff_ffff_ffff;
        let kind = (bits >> 48) as u32;
        let [moves, reductions, takers, sweeps, hidden] = self.kinds;
        // The frequent ones first.
        if kind >= hidden {
            self.add_or_delete(engine, symbol, extra)
        } else if kind < moves {
            self.relocate(engine, symbol, extra)
        } else if kind < reductions {
            self.reduce(engine, symbol, extra)
        } else if kind < takers {
            self.take(engine, symbol, extra)
        } else if kind < sweeps {
            self.sweep(engine, symbol, extra)
        } else {
            self.hide(engine, symbol, extra)
        }
    }

    /// One more order for a book that is being filled; `None` when it has what it should.
    pub fn fill(&mut self, engine: &Engine, symbol: u16) -> Option<Command> {
        let [bids, asks] = counts(engine, symbol);
        let side = if bids <= asks { Side::Buy } else { Side::Sell };
        let wanted = self.models.get(usize::from(symbol))?.orders;
        (bids + asks < wanted).then(|| self.add(engine, symbol, side))
    }

    /// An order for the opening cross, without a limit.
    pub fn open(&mut self, symbol: u16, side: Side) -> Command {
        let bits = self.prng.bits();
        let owner = self.owner(bits, 1 + ACCOUNTS);
        let shares = size(bits >> 32) * (1 + scale(bits >> 40, 4));
        Command::Enter(NewOrder {
            lifetime: Lifetime::OnOpen,
            ..NewOrder::limit(symbol, side, owner, Price4::NONE, shares)
        })
    }

    fn owner(&mut self, bits: u64, first: u32) -> Owner {
        self.tokens = self.tokens.wrapping_add(1);
        Owner { account: first + scale(bits & 0xffff_ffff, ACCOUNTS), token: self.tokens }
    }

    fn add(&mut self, engine: &Engine, symbol: u16, side: Side) -> Command {
        let bits = self.prng.bits();
        let owner = self.owner(bits, 1);
        let price = self.price(engine, symbol, side);
        let shares = size(bits >> 32);
        let display = match bits >> 40 & 63 {
            0 if shares >= 200 => Display::Reserve(100),
            _ => Display::Full,
        };
        let attributed = (bits >> 48) < u64::from(self.attributed);
        Command::Enter(NewOrder {
            display,
            attributed,
            ..NewOrder::limit(symbol, side, owner, price, shares)
        })
    }

    fn add_or_delete(&mut self, engine: &Engine, symbol: u16, extra: u64) -> Command {
        let [bids, asks] = counts(engine, symbol);
        let Some(&Model { orders, step, .. }) = self.models.get(usize::from(symbol)) else {
            return self.add(engine, symbol, Side::Buy);
        };
        // More the emptier the book, from 1/8 to 7/8. Counts are below 2^25, a step below 2^28.
        let missing = i64::from(orders) - i64::from(bids + asks);
        let part = (self.adds + ((missing * step) >> 16)).clamp(8_192, 57_344);
        let adds = (extra & 0xffff) < part as u64 && engine.vacant() > 0;
        let side = match (extra >> 16 & 3 == 0, adds == (bids <= asks)) {
            (true, _) => coin(extra >> 18),
            (false, true) => Side::Buy,
            (false, false) => Side::Sell,
        };
        match self.pick(engine, symbol, side, extra >> 20) {
            Some(order) if !adds => Command::Cancel { account: order.owner.account, id: order.id, leave: 0 },
            Some(_) | None => self.add(engine, symbol, side),
        }
    }

    fn reduce(&mut self, engine: &Engine, symbol: u16, extra: u64) -> Command {
        let side = coin(extra);
        match self.pick(engine, symbol, side, extra >> 1) {
            Some(order) => {
                let leave = self.prng.below(order.open);
                Command::Cancel { account: order.owner.account, id: order.id, leave }
            }
            None => self.add(engine, symbol, side),
        }
    }

    fn relocate(&mut self, engine: &Engine, symbol: u16, extra: u64) -> Command {
        let side = coin(extra);
        let Some(order) = self.pick(engine, symbol, side, extra >> 1) else {
            return self.add(engine, symbol, side);
        };
        let price = self.price(engine, symbol, side);
        self.tokens = self.tokens.wrapping_add(1);
        let owner = Owner { account: order.owner.account, token: self.tokens };
        Command::Replace { owner, id: order.id, price, shares: order.open }
    }

    /// The side of the next taker: that of the last one mostly, else drawn to the symbol's value, which itself takes a step now and then.
    fn aggressor(&mut self, engine: &Engine, symbol: u16) -> Side {
        let bits = self.prng.bits();
        let Some(model) = self.models.get_mut(usize::from(symbol)) else { return Side::Buy };
        match bits & 7 {
            0 => model.value += model.spread.div_ceil(4),
            1 if model.value > VALUE_MIN + model.spread => model.value -= model.spread.div_ceil(4),
            _ => {}
        }
        if bits >> 8 & 31 < 22 {
            return model.taker;
        }
        let middle = match (engine.best(symbol, Side::Buy), engine.best(symbol, Side::Sell)) {
            (Some(bid), Some(ask)) => bid.units().midpoint(ask.units()) / TICK,
            (Some(price), None) | (None, Some(price)) => price.units() / TICK,
            (None, None) => model.value,
        };
        let pull = (i64::from(model.value) - i64::from(middle)) * 4_096 / i64::from(model.spread);
        let part = (32_768 + pull).clamp(8_192, 57_344);
        model.taker = if (bits >> 48) < part as u64 { Side::Buy } else { Side::Sell };
        model.taker
    }

    fn immediate(&mut self, symbol: u16, side: Side, price: Price4, shares: u32) -> Command {
        let bits = self.prng.bits();
        let owner = self.owner(bits, 1 + ACCOUNTS);
        Command::Enter(NewOrder {
            lifetime: Lifetime::Ioc,
            ..NewOrder::limit(symbol, side, owner, price, shares)
        })
    }

    /// What stands first, or a part of it.
    fn take(&mut self, engine: &Engine, symbol: u16, extra: u64) -> Command {
        let side = self.aggressor(engine, symbol);
        let against = side.opposite();
        match engine.queue(symbol, against).next() {
            Some(first) if engine.displayed_orders(symbol, against) > ORDERS_KEPT => {
                let wanted = size(extra);
                let shares = if extra >> 5 & 3 == 0 { wanted.min(first.displayed) } else { first.displayed };
                self.immediate(symbol, side, first.price, shares)
            }
            Some(_) | None => self.add(engine, symbol, against),
        }
    }

    /// The first few orders, through their prices.
    fn sweep(&mut self, engine: &Engine, symbol: u16, extra: u64) -> Command {
        let side = self.aggressor(engine, symbol);
        let against = side.opposite();
        let standing = engine.displayed_orders(symbol, against);
        let most = 2 + scale(extra, SWEPT - 1).min(standing.saturating_sub(ORDERS_KEPT + 2));
        if standing <= ORDERS_KEPT + 2 {
            return self.add(engine, symbol, against);
        }
        let mut shares = 0;
        let mut last = Price4::NONE;
        for order in engine.queue(symbol, against).take(most as usize) {
            shares += order.displayed;
            last = order.price;
        }
        self.immediate(symbol, side, last, shares)
    }

    /// An order that nobody sees, inside the spread: the next taker finds it first.
    fn hide(&mut self, engine: &Engine, symbol: u16, extra: u64) -> Command {
        let side = coin(extra);
        let bits = self.prng.bits();
        let shares = size(bits);
        if engine.hidden_orders(symbol, side) >= HIDDEN_KEPT
            && let Some(order) = engine.last_hidden(symbol, side)
        {
            return Command::Cancel { account: order.owner.account, id: order.id, leave: 0 };
        }
        match (engine.best(symbol, Side::Buy), engine.best(symbol, Side::Sell)) {
            (Some(bid), Some(ask)) if ask.units() - bid.units() > TICK => {
                let room = (ask.units() - bid.units()) / TICK - 1;
                let step = (1 + scale(bits >> 32, room)) * TICK;
                let price = match side {
                    Side::Buy => bid.units() + step,
                    Side::Sell => ask.units() - step,
                };
                let owner = self.owner(bits >> 8, 1);
                let order = NewOrder::limit(symbol, side, owner, Price4::new(price), shares);
                Command::Enter(NewOrder { display: Display::Hidden, ..order })
            }
            _ => self.take(engine, symbol, extra),
        }
    }

    /// An order to withdraw or move: mostly a young one near the top, now and then any; first of all one that the price has left behind.
    fn pick(&self, engine: &Engine, symbol: u16, side: Side, bits: u64) -> Option<super::RestingOrder> {
        if engine.displayed_orders(symbol, side) <= ORDERS_KEPT {
            return None;
        }
        let best = engine.best(symbol, side).map_or(0, Price4::units);
        let is_stale = |order: &super::RestingOrder| order.price.units().abs_diff(best) > FAR_TICKS * TICK;
        if let Some(stale) = engine.farther(symbol, side).filter(is_stale) {
            return Some(stale);
        }
        if bits & 7 == 0 {
            return engine.anywhere(symbol, side, (bits >> 3) as u32 & 0xffff);
        }
        let level = (bits >> 3 | 1 << 6).trailing_zeros();
        let younger = (bits >> 10 | 1 << 2).trailing_zeros();
        engine.near_top(symbol, side, level, younger)
    }

    /// A price for a limit order: inside a spread that is wide, else at the best price of its side or behind, with a heavy tail.
    fn price(&mut self, engine: &Engine, symbol: u16, side: Side) -> Price4 {
        let bits = self.prng.bits();
        let Some(&Model { spread, value, reach, .. }) = self.models.get(usize::from(symbol)) else {
            return Price4::NONE;
        };
        let ticks = |price: Price4| price.units() / TICK;
        let own = engine.best(symbol, side).map(ticks);
        let other = engine.best(symbol, side.opposite()).map(ticks);
        // Levels behind, up to a few spreads; 35 of 100 join the best.
        let tail = 1 + scale(bits >> 24 & 0xffff_ffff, reach << (bits | 1 << 3).trailing_zeros());
        let behind = if bits >> 8 & 0xff < 90 { 0 } else { tail };
        let tick = match (own, other) {
            (Some(own), Some(other)) => {
                let gap = own.abs_diff(other);
                let improves = gap > 1 && (bits >> 16 & 0xff) < eagerness(gap, spread);
                let room = if gap > 2 * spread { gap - spread } else { gap / 2 };
                let inside = 1 + scale(bits >> 32, room.min(gap.saturating_sub(1)));
                match (side, improves) {
                    (Side::Buy, true) => own + inside,
                    (Side::Buy, false) => own.saturating_sub(behind),
                    (Side::Sell, true) => own.saturating_sub(inside),
                    (Side::Sell, false) => own + behind,
                }
            }
            (Some(own), None) if side == Side::Buy => own.saturating_sub(behind),
            (Some(own), None) => own + behind,
            (None, Some(other)) if side == Side::Buy => other.saturating_sub(spread),
            (None, Some(other)) => other + spread,
            (None, None) => value,
        };
        Price4::new(tick.clamp(1, 10_000_000) * TICK)
    }
}

fn counts(engine: &Engine, symbol: u16) -> [u32; 2] {
    [engine.displayed_orders(symbol, Side::Buy), engine.displayed_orders(symbol, Side::Sell)]
}

/// Of 256 orders, how many improve a spread of `gap` ticks.
const fn eagerness(gap: u32, usual: u32) -> u64 {
    if gap > 2 * usual {
        250
    } else if gap > usual {
        220
    } else if gap * 2 > usual {
        40
    } else {
        2
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

#[cfg(test)]
mod tests;
