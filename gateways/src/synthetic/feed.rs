//! [`SyntheticFeed`]: the session from its first message to its last.

use super::{
    SyntheticConfig, SyntheticError, arrival::Process, exchange::Exchange, flow::Flow, market::Market,
};
use crate::exchange::{
    prng::Prng,
    zipf::{Alias, weight},
};
use crate::feed::{FeedMessage, MarketFeed, Peek};
use crate::itch50::SystemEventCode;
use spinward_engine::words::Nanos;

/// Where the session is. Numbers count symbols in the order of their locate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    StartOfMessages,
    Directory(usize),
    DeclineLevels,
    Trading(usize),
    ShortSale(usize),
    Positions(usize),
    StartOfSystemHours,
    /// The books fill: symbol, and how often it was asked.
    Filling(usize, u32),
    StartOfMarketHours,
    Continuous,
    EndOfMarketHours,
    EndOfSystemHours,
    EndOfMessages,
    Over,
}

impl Stage {
    const fn is_before_the_end(self) -> bool {
        !matches!(self, Self::EndOfMarketHours | Self::EndOfSystemHours | Self::EndOfMessages | Self::Over)
    }
}

/// A made-up market, message by message. Endless unless limited; the same for the same configuration. After construction it allocates nothing.
///
/// ```
/// use spinward_gateways::synthetic::{SyntheticConfig, SyntheticFeed};
///
/// let config = SyntheticConfig { messages_max: Some(10_000), ..SyntheticConfig::default() };
/// let mut feed = SyntheticFeed::new(&config)?;
/// let mut bytes = 0;
/// while let Some(message) = feed.next_message() {
///     bytes += message.bytes.len();
/// }
/// assert_eq!(feed.messages(), 10_003); // three more close the session
/// assert!(bytes > 10_003 * 19);
/// # Ok::<(), spinward_gateways::synthetic::SyntheticError>(())
/// ```
pub struct SyntheticFeed {
    prng: Prng,
    arrivals: Process,
    flow: Flow,
    exchange: Exchange,
    /// Rank of each symbol in the order of locates.
    ranks: Box<[u32]>,
    stage: Stage,
    has_directory: bool,
    /// Now, nanoseconds since midnight.
    now: u64,
    /// Ends then.
    end: u64,
    messages_max: u64,
    messages: u64,
    /// Between the messages before the continuous session.
    opening_gap: u64,
    /// Added to a time since midnight it gives the receive time.
    receive_base: i64,
    /// The message that [`SyntheticFeed::next_message`] gave is to be left behind.
    given: bool,
}

impl SyntheticFeed {
    /// Takes all memory: about 32 bytes a live order and 1.2 KB a symbol.
    ///
    /// # Errors
    /// A value of the configuration is out of its range.
    pub fn new(config: &SyntheticConfig) -> Result<Self, SyntheticError> {
        config.check()?;
        let mut prng = Prng::new(config.seed);
        let weights: Vec<f64> = (0..config.symbols).map(|rank| weight(rank, config.zipf_quarters)).collect();
        let prices: Vec<u32> = weights.iter().map(|_| first_price(&mut prng)).collect();
        let orders = book_sizes(&weights, config.live_orders);
        let ranks = shuffled(config.symbols, &mut prng);
        let mut locates = vec![0u16; config.symbols];
        for (index, &rank) in ranks.iter().enumerate() {
            // At most 65,000 symbols: locates from 1 fit 16 bits.
            locates[rank as usize] = index as u16 + 1;
        }
        // Books breathe: a quarter more than they should hold.
        let room = orders.iter().map(|&count| count as usize).sum::<usize>();
        let market = Market::new(&prices, room + room / 4 + 1_024);
        let flow = Flow::new(Alias::new(&weights), &prices, &orders, &mut prng);
        let now = config.start.since(config.midnight).get().unsigned_abs();
        let end = config.duration.map_or(u64::MAX, |span| now + span.get().unsigned_abs());
        Ok(Self {
            prng,
            arrivals: Process::new(&config.arrivals, config.rate),
            flow,
            exchange: Exchange::new(market, &locates),
            ranks,
            stage: Stage::StartOfMessages,
            has_directory: config.directory,
            now,
            end,
            messages_max: config.messages_max.unwrap_or(u64::MAX),
            messages: 0,
            opening_gap: 250_000_000 / u64::from(config.rate),
            receive_base: config.midnight.get() + config.wire_latency.get(),
            given: false,
        })
    }

    /// Messages left behind so far, the closing ones included.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The next message, and goes on; `None` when the session is over.
    #[inline]
    pub fn next_message(&mut self) -> Option<FeedMessage<'_>> {
        if std::mem::take(&mut self.given) {
            self.pass();
        }
        self.given = self.prepare();
        if self.given {
            return self.message();
        }
        None
    }

    #[inline]
    fn message(&self) -> Option<FeedMessage<'_>> {
        let bytes = self.exchange.letter()?;
        // Times since midnight are below 2^48.
        Some(FeedMessage { receive_time: Nanos::new(self.receive_base + self.now as i64), bytes })
    }

    /// Leaves the message behind that is next.
    #[inline]
    fn pass(&mut self) {
        if self.exchange.letter().is_some() {
            self.exchange.take_letter();
            self.messages += 1;
        }
    }

    /// Sees to it that there is a next message; false when the session is over.
    #[inline]
    fn prepare(&mut self) -> bool {
        if self.messages >= self.messages_max && self.stage.is_before_the_end() {
            self.exchange.begin(self.now);
            self.stage = Stage::EndOfMarketHours;
        }
        while self.exchange.letter().is_none() {
            if self.stage == Stage::Over {
                return false;
            }
            self.step();
        }
        true
    }

    /// One arrival: one action, which gives one message as a rule, several or none at times.
    fn step(&mut self) {
        if self.stage == Stage::Continuous {
            let arrival = self.arrivals.next(&mut self.prng);
            let now = self.now.saturating_add(arrival.gap);
            if now >= self.end {
                // Quiet until the end.
                self.now = self.end;
                self.stage = Stage::EndOfMarketHours;
                return;
            }
            self.now = now;
            self.exchange.begin(now);
            let action = self.flow.next(self.exchange.market(), arrival.first_of_burst, &mut self.prng);
            self.exchange.execute(action);
            return;
        }
        if !matches!(self.stage, Stage::StartOfMessages | Stage::EndOfMarketHours) {
            self.now = self.now.saturating_add(self.opening_gap);
        }
        if self.stage.is_before_the_end() && self.now >= self.end {
            self.stage = Stage::EndOfMarketHours;
        }
        self.exchange.begin(self.now);
        self.stage = self.announce();
    }

    /// One message of the opening or the closing; gives the stage after it.
    fn announce(&mut self) -> Stage {
        let count = self.ranks.len();
        let rank = |index: usize| self.ranks.get(index).map_or(0, |&rank| rank as usize);
        match self.stage {
            Stage::StartOfMessages => {
                self.exchange.system_event(SystemEventCode::StartOfMessages);
                if self.has_directory { Stage::Directory(0) } else { Stage::StartOfSystemHours }
            }
            Stage::Directory(index) => {
                self.exchange.directory(rank(index));
                if index + 1 < count { Stage::Directory(index + 1) } else { Stage::DeclineLevels }
            }
            Stage::DeclineLevels => {
                self.exchange.decline_levels();
                Stage::Trading(0)
            }
            Stage::Trading(index) => {
                self.exchange.trading(rank(index));
                if index + 1 < count { Stage::Trading(index + 1) } else { Stage::ShortSale(0) }
            }
            Stage::ShortSale(index) => {
                self.exchange.execute(super::flow::Action::ShortSale { symbol: rank(index) });
                if index + 1 < count { Stage::ShortSale(index + 1) } else { Stage::Positions(0) }
            }
            Stage::Positions(index) => {
                self.exchange.execute(super::flow::Action::Position { symbol: rank(index) });
                if index + 1 < count { Stage::Positions(index + 1) } else { Stage::StartOfSystemHours }
            }
            Stage::StartOfSystemHours => {
                self.exchange.system_event(SystemEventCode::StartOfSystemHours);
                Stage::Filling(0, 0)
            }
            Stage::Filling(index, asked) => {
                let symbol = rank(index);
                let action = self.flow.add(self.exchange.market(), symbol, &mut self.prng);
                self.exchange.execute(action);
                if asked + 1 < self.flow.orders(symbol) {
                    Stage::Filling(index, asked + 1)
                } else if index + 1 < count {
                    Stage::Filling(index + 1, 0)
                } else {
                    Stage::StartOfMarketHours
                }
            }
            Stage::StartOfMarketHours => {
                self.exchange.system_event(SystemEventCode::StartOfMarketHours);
                Stage::Continuous
            }
            Stage::EndOfMarketHours => {
                self.exchange.system_event(SystemEventCode::EndOfMarketHours);
                Stage::EndOfSystemHours
            }
            Stage::EndOfSystemHours => {
                self.exchange.system_event(SystemEventCode::EndOfSystemHours);
                Stage::EndOfMessages
            }
            Stage::EndOfMessages => {
                self.exchange.system_event(SystemEventCode::EndOfMessages);
                Stage::Over
            }
            Stage::Continuous | Stage::Over => self.stage,
        }
    }
}

impl MarketFeed for SyntheticFeed {
    #[inline]
    fn peek(&mut self) -> Peek<'_> {
        if std::mem::take(&mut self.given) {
            self.pass();
        }
        if self.prepare()
            && let Some(message) = self.message()
        {
            return Peek::Message(message);
        }
        Peek::End
    }

    #[inline]
    fn advance(&mut self) {
        self.given = false;
        self.pass();
    }
}

/// A first price in ticks: $5 to $640, each doubling as likely as another.
fn first_price(prng: &mut Prng) -> u32 {
    let octave = 500 << prng.below(7);
    octave + prng.below(octave)
}

/// How many orders each book should hold, `total` in all: in proportion to the square root of the symbol's activity, and at least 12.
fn book_sizes(weights: &[f64], total: usize) -> Vec<u32> {
    let sum: f64 = weights.iter().map(|weight| weight.sqrt()).sum();
    // The least number each, the rest by weight: never more than the total.
    let rest = (total - 12 * weights.len()) as f64;
    weights.iter().map(|weight| 12 + (weight.sqrt() / sum * rest) as u32).collect()
}

/// Every rank once, in random order (Fisher & Yates).
fn shuffled(count: usize, prng: &mut Prng) -> Box<[u32]> {
    let mut ranks: Box<[u32]> = (0..count as u32).collect();
    for end in (1..ranks.len()).rev() {
        ranks.swap(end, prng.below(end as u32 + 1) as usize);
    }
    ranks
}
