//! [`SyntheticFeed`]: the session from its first message to its last.

use super::{SyntheticConfig, SyntheticError, outbox::Outbox, symbol_of};
use crate::exchange::{
    Command, CrossKind, Engine, EngineConfig, ItchWriter, Mix, Participants, ParticipantsConfig, Phase,
    Price4, SymbolRules, TRADED_SHARES_MAX, prng::Prng, zipf::weight,
};
use crate::feed::{FeedError, FeedMessage, MarketFeed, Peek};
use crate::itch50::SystemEventCode;
use spinward_engine::words::{Nanos, Side};

/// Most messages of one moment. A trade takes at least one share and gives a message, and one more if an iceberg shows its next part; in a cross the
/// displayed orders of one side trade against no more shares than come without a limit.
const LETTERS_MAX: usize = TRADED_SHARES_MAX as usize * 2 + 16;

/// Where the session is. Numbers count symbols in the order of their locate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    StartOfMessages,
    Directory(usize),
    DeclineLevels,
    /// A call: orders gather.
    Calling(usize),
    ShortSale(usize),
    Positions(usize),
    StartOfSystemHours,
    /// The books fill.
    Filling(usize),
    Crossing(usize),
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
    participants: Participants,
    engine: Engine,
    outbox: Outbox,
    /// Symbols in the order of their locates. A symbol's index is its rank.
    symbols: Box<[u16]>,
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
    /// What is said if a command ever has more messages than there is room for.
    overflow: FeedError,
}

impl SyntheticFeed {
    /// Takes all memory: about 140 bytes a live order and 9 KB a symbol.
    ///
    /// # Errors
    /// A value of the configuration is out of its range.
    pub fn new(config: &SyntheticConfig) -> Result<Self, SyntheticError> {
        config.check()?;
        let mut prng = Prng::new(config.seed);
        let weights: Vec<f64> = (0..config.symbols).map(|rank| weight(rank, config.zipf_quarters)).collect();
        let prices: Vec<Price4> = weights.iter().map(|_| first_price(&mut prng)).collect();
        let books = book_sizes(&weights, config.live_orders);
        let symbols = shuffled(config.symbols, &mut prng);
        let mut locates = vec![0u16; config.symbols];
        for (index, &symbol) in symbols.iter().enumerate() {
            // At most 65,000 symbols: locates from 1 fit 16 bits.
            if let Some(locate) = locates.get_mut(usize::from(symbol)) {
                *locate = index as u16 + 1;
            }
        }
        let rules = |&reference: &Price4| SymbolRules { reference, ..SymbolRules::default() };
        // Books breathe: a quarter more than they should hold; and eight hidden orders each.
        let room = books.iter().map(|&count| count as usize).sum::<usize>();
        let orders_max = room + room / 4 + config.symbols * 8 + 1_024;
        let mut engine =
            Engine::new(&EngineConfig { symbols: prices.iter().map(rules).collect(), orders_max })?;
        let names = locates.iter().enumerate().map(|(rank, &locate)| (locate, symbol_of(rank)));
        let mut outbox = Outbox::new(ItchWriter::new(names), LETTERS_MAX);
        if !config.directory {
            // Nobody is told that trading has begun: there is nothing but orders.
            for &symbol in &symbols {
                outbox.begin(0);
                engine.execute(&Command::Phase { symbol, phase: Phase::Continuous }, &mut outbox);
            }
            outbox.begin(0);
        }
        let participants = Participants::new(&ParticipantsConfig {
            // Flow and market are drawn apart.
            seed: prng.bits(),
            zipf_quarters: config.zipf_quarters,
            books,
            rate: config.rate,
            arrivals: config.arrivals,
            burst: config.burst_messages,
            mix: Mix::MARKET,
            spread: config.spread,
            ..ParticipantsConfig::new(prices)
        })?;
        let now = config.start.since(config.midnight).get().unsigned_abs();
        let end = config.duration.map_or(u64::MAX, |span| now + span.get().unsigned_abs());
        Ok(Self {
            participants,
            engine,
            outbox,
            symbols,
            stage: Stage::StartOfMessages,
            has_directory: config.directory,
            now,
            end,
            messages_max: config.messages_max.unwrap_or(u64::MAX),
            messages: 0,
            opening_gap: 250_000_000 / u64::from(config.rate),
            receive_base: config.midnight.get() + config.wire_latency.get(),
            given: false,
            overflow: FeedError {
                what: format!("a command gave more than {LETTERS_MAX} messages: the synthetic market ends"),
            },
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
        let bytes = self.outbox.letter()?;
        // Times since midnight are below 2^48.
        Some(FeedMessage { receive_time: Nanos::new(self.receive_base + self.now as i64), bytes })
    }

    /// Leaves the message behind that is next.
    #[inline]
    fn pass(&mut self) {
        if self.outbox.letter().is_some() {
            self.outbox.take_letter();
            self.messages += 1;
        }
    }

    /// Sees to it that there is a next message; false when the session is over.
    #[inline]
    fn prepare(&mut self) -> bool {
        if self.messages >= self.messages_max && self.stage.is_before_the_end() {
            self.outbox.begin(self.now);
            self.stage = Stage::EndOfMarketHours;
        }
        while self.outbox.letter().is_none() {
            if self.stage == Stage::Over {
                return false;
            }
            self.step();
        }
        !self.outbox.has_lost()
    }

    /// One command, which gives one message as a rule, several or none at times.
    fn step(&mut self) {
        if self.stage == Stage::Continuous {
            let gap = self.participants.wait().get().unsigned_abs();
            let now = self.now.saturating_add(gap);
            if now >= self.end {
                // Quiet until the end.
                self.now = self.end;
                self.stage = Stage::EndOfMarketHours;
                return;
            }
            self.now = now;
            self.outbox.begin(now);
            let command = self.participants.next(&self.engine);
            self.engine.execute(&command, &mut self.outbox);
            return;
        }
        if !matches!(self.stage, Stage::StartOfMessages | Stage::EndOfMarketHours) {
            self.now = self.now.saturating_add(self.opening_gap);
        }
        if self.stage.is_before_the_end() && self.now >= self.end {
            self.stage = Stage::EndOfMarketHours;
        }
        self.outbox.begin(self.now);
        self.stage = self.announce();
    }

    fn execute(&mut self, command: &Command) {
        self.engine.execute(command, &mut self.outbox);
    }

    fn system_event(&mut self, code: SystemEventCode) {
        let (writer, letters) = self.outbox.parts();
        writer.system_event(code, letters);
    }

    /// The next thing of the opening or the closing; gives the stage after it.
    fn announce(&mut self) -> Stage {
        let symbol = |index: usize| self.symbols.get(index).copied().unwrap_or_default();
        let each = |index: usize, stage: fn(usize) -> Stage, after: Stage| {
            if index + 1 < self.symbols.len() { stage(index + 1) } else { after }
        };
        match self.stage {
            Stage::StartOfMessages => {
                self.system_event(SystemEventCode::StartOfMessages);
                if self.has_directory { Stage::Directory(0) } else { Stage::StartOfSystemHours }
            }
            Stage::Directory(index) => {
                let (symbol, next) = (symbol(index), each(index, Stage::Directory, Stage::DeclineLevels));
                let (writer, letters) = self.outbox.parts();
                writer.directory(symbol, letters);
                next
            }
            Stage::DeclineLevels => {
                let (writer, letters) = self.outbox.parts();
                writer.decline_levels(letters);
                Stage::Calling(0)
            }
            Stage::Calling(index) => {
                let (symbol, next) = (symbol(index), each(index, Stage::Calling, Stage::ShortSale(0)));
                self.execute(&Command::Phase { symbol, phase: Phase::PreOpen });
                next
            }
            Stage::ShortSale(index) => {
                let (symbol, next) = (symbol(index), each(index, Stage::ShortSale, Stage::Positions(0)));
                let (writer, letters) = self.outbox.parts();
                writer.short_sale(symbol, letters);
                next
            }
            Stage::Positions(index) => {
                let (symbol, next) =
                    (symbol(index), each(index, Stage::Positions, Stage::StartOfSystemHours));
                let (writer, letters) = self.outbox.parts();
                writer.position(symbol, letters);
                next
            }
            Stage::StartOfSystemHours => {
                self.system_event(SystemEventCode::StartOfSystemHours);
                Stage::Filling(0)
            }
            Stage::Filling(index) => {
                let after = if self.has_directory { Stage::Crossing(0) } else { Stage::StartOfMarketHours };
                let (symbol, next) = (symbol(index), each(index, Stage::Filling, after));
                match self.participants.fill(&self.engine, symbol) {
                    Some(command) => {
                        self.execute(&command);
                        self.stage
                    }
                    None => next,
                }
            }
            Stage::Crossing(index) => {
                let (symbol, next) = (symbol(index), each(index, Stage::Crossing, Stage::StartOfMarketHours));
                for side in [Side::Buy, Side::Sell] {
                    let command = self.participants.open(symbol, side);
                    self.execute(&command);
                }
                let kind = CrossKind::Opening;
                self.execute(&Command::Imbalance { symbol, kind });
                self.execute(&Command::Cross { symbol, kind });
                next
            }
            Stage::StartOfMarketHours => {
                self.system_event(SystemEventCode::StartOfMarketHours);
                Stage::Continuous
            }
            Stage::EndOfMarketHours => {
                self.system_event(SystemEventCode::EndOfMarketHours);
                Stage::EndOfSystemHours
            }
            Stage::EndOfSystemHours => {
                self.system_event(SystemEventCode::EndOfSystemHours);
                Stage::EndOfMessages
            }
            Stage::EndOfMessages => {
                self.system_event(SystemEventCode::EndOfMessages);
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
        if self.outbox.has_lost() { Peek::Failed(&self.overflow) } else { Peek::End }
    }

    #[inline]
    fn advance(&mut self) {
        self.given = false;
        self.pass();
    }
}

/// A first price: $5 to $640, each doubling as likely as another.
fn first_price(prng: &mut Prng) -> Price4 {
    let octave = 500 << prng.below(7);
    Price4::new((octave + prng.below(octave)) * 100)
}

/// How many orders each book should hold, `total` in all: in proportion to the square root of the symbol's activity, and at least 12.
fn book_sizes(weights: &[f64], total: usize) -> Vec<u32> {
    let sum: f64 = weights.iter().map(|weight| weight.sqrt()).sum();
    // The least number each, the rest by weight: never more than the total.
    let rest = (total - 12 * weights.len()) as f64;
    weights.iter().map(|weight| 12 + (weight.sqrt() / sum * rest) as u32).collect()
}

/// Every rank once, in random order (Fisher & Yates).
fn shuffled(count: usize, prng: &mut Prng) -> Box<[u16]> {
    let mut ranks: Box<[u16]> = (0..count as u16).collect();
    for end in (1..ranks.len()).rev() {
        ranks.swap(end, prng.below(end as u32 + 1) as usize);
    }
    ranks
}
