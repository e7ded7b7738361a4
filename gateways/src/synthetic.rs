//! The exchange without sockets: [`Participants`](crate::exchange::Participants) trade on an [`Engine`](crate::exchange::Engine), and what its
//! [`ItchWriter`](crate::exchange::ItchWriter) says of it is a feed. A market on a machine that has no data at all.
//!
//! Enters: a seed and [`SyntheticConfig`]. Leaves: [`SyntheticFeed`], a [`MarketFeed`](crate::feed::MarketFeed). Never: a clock, a file, a random source
//! other than the seed, a floating-point operation that IEEE 754 does not fix to the last bit. **The same configuration gives the same bytes on every
//! host**; a change of the bytes for a given seed is a change of this module's contract.
//!
//! ```text
//!  Participants (who does what, when) ──▶ commands ──▶ Engine ──▶ outputs ──▶ ItchWriter ──▶ outbox ──▶ feed
//!        ▲                                               │
//!        └──────────────────── books ────────────────────┘
//! ```
//!
//! A session is a venue's day: directory, a call in which the books fill, an opening cross for each symbol, continuous trading, three events
//! that close it. The order flow is described and measured in `docs/exchange.md`.

mod outbox;
mod feed;

pub use crate::exchange::Arrivals;
pub use feed::SyntheticFeed;

use crate::exchange::{EngineError, ParticipantsError};
use spinward_engine::words::{Nanos, Symbol};

/// What market to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntheticConfig {
    /// From which everything random follows. Default 1.
    pub seed: u64,
    /// How many symbols, 1–65,000. Default 8. See [`symbol_of`] for their names.
    pub symbols: usize,
    /// How unevenly activity lies on them: the symbol of rank k has a share proportional to k^(−this/4). 0 for even, at most 16;
    /// default 4, Zipf's law. (In quarters, so that two square roots compute it exactly.)
    pub zipf_quarters: u32,
    /// Displayed orders that rest in all books together when they are full, at least 12 a symbol, at most 10 million: each has 12, the rest lies by the
    /// square root of activity. Default 4,000.
    pub live_orders: usize,
    /// Commands of participants per second in the long-run mean, 1–50,000,000; the market has about as many messages. Default 20,000.
    pub rate: u32,
    /// How they lie in time. Default: bursts, 200 ms active and 600 ms quiet in the mean.
    pub arrivals: Arrivals,
    /// Mean number of commands in a cluster, 1 to 1,000,000. Default 60.
    pub burst_messages: u32,
    /// Usual spread in 1/100,000 of the price, at most 1,000; never less than a tick. Default 10.
    pub spread: u32,
    /// UTC time of midnight, New York, of the session's date: ITCH tells time since then. Default 2026-01-05 05:00 UTC.
    pub midnight: Nanos,
    /// UTC time of the first message, on or after midnight and less than 48 hours later. Default 9:30 New York.
    pub start: Nanos,
    /// From the venue's time of a message to its receive time, 0 to 1 s. Default 10 µs.
    pub wire_latency: Nanos,
    /// How long the session is, from `start`. `None`: without end. Default 10 s.
    pub duration: Option<Nanos>,
    /// How many messages before the closing ones. `None` (the default): no limit.
    pub messages_max: Option<u64>,
    /// Whether the stock directory comes first (`R H Y L` for each symbol), and a cross before continuous trading. Without it the first orders name their
    /// stocks. Default true.
    pub directory: bool,
}

impl Default for SyntheticConfig {
    fn default() -> Self {
        let midnight = Nanos::from_secs(1_767_589_200);
        Self {
            seed: 1,
            symbols: 8,
            zipf_quarters: 4,
            live_orders: 4_000,
            rate: 20_000,
            arrivals: Arrivals::Bursts { quiet: Nanos::from_millis(600), active: Nanos::from_millis(200) },
            burst_messages: 60,
            spread: 10,
            midnight,
            start: midnight.after(Nanos::from_secs(34_200)),
            wire_latency: Nanos::from_micros(10),
            duration: Some(Nanos::from_secs(10)),
            messages_max: None,
            directory: true,
        }
    }
}

/// Why a [`SyntheticConfig`] is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SyntheticError {
    /// `symbols` out of range.
    #[error("{0} symbols: give 1 to 65000")]
    Symbols(usize),
    /// `zipf_quarters` out of range.
    #[error("zipf_quarters {0}: give 0 to 16 (4 is Zipf's law)")]
    Zipf(u32),
    /// `live_orders` out of range.
    #[error("{orders} live orders for {symbols} symbols: give at least 12 a symbol and at most 10000000")]
    LiveOrders {
        /// What was given.
        orders: usize,
        /// For so many symbols.
        symbols: usize,
    },
    /// `rate` out of range.
    #[error("{0} messages per second: give 1 to 50000000")]
    Rate(u32),
    /// A span of `arrivals`, or `burst_messages`, out of range.
    #[error("arrivals: burst_messages must be 1 to 1000000, quiet and active 1 ms to 1 h")]
    Arrivals,
    /// `spread` out of range.
    #[error("spread {0}: give 0 to 1000 (1/100,000 of the price)")]
    Spread(u32),
    /// `start` before `midnight` or 48 hours after it.
    #[error("start must be on or after midnight and less than 48 hours later")]
    Start,
    /// `wire_latency` out of range.
    #[error("wire_latency must be 0 to 1 s")]
    WireLatency,
    /// `duration` not positive or longer than a day.
    #[error("duration must be over 0 and at most 24 h")]
    Duration,
    /// The participants refuse what this configuration makes of them.
    #[error(transparent)]
    Participants(#[from] ParticipantsError),
    /// The engine refuses it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl SyntheticConfig {
    /// Whether a market can be made of it.
    ///
    /// # Errors
    /// Names the first field that is out of its range.
    pub fn check(&self) -> Result<(), SyntheticError> {
        const HOUR: i64 = 3_600_000_000_000;
        if !(1..=65_000).contains(&self.symbols) {
            return Err(SyntheticError::Symbols(self.symbols));
        }
        if self.zipf_quarters > 16 {
            return Err(SyntheticError::Zipf(self.zipf_quarters));
        }
        if self.live_orders < self.symbols * 12 || self.live_orders > 10_000_000 {
            return Err(SyntheticError::LiveOrders { orders: self.live_orders, symbols: self.symbols });
        }
        if !(1..=50_000_000).contains(&self.rate) {
            return Err(SyntheticError::Rate(self.rate));
        }
        if !self.arrivals.is_valid() || !(1..=1_000_000).contains(&self.burst_messages) {
            return Err(SyntheticError::Arrivals);
        }
        if self.spread > 1_000 {
            return Err(SyntheticError::Spread(self.spread));
        }
        if !(0..48 * HOUR).contains(&self.start.since(self.midnight).get()) {
            return Err(SyntheticError::Start);
        }
        if !(0..=1_000_000_000).contains(&self.wire_latency.get()) {
            return Err(SyntheticError::WireLatency);
        }
        if self.duration.is_some_and(|span| !(1..=24 * HOUR).contains(&span.get())) {
            return Err(SyntheticError::Duration);
        }
        Ok(())
    }
}

/// The name of the symbol of this rank (0 is the most active): `AAAA`, `AAAB`, … `AAAZ`, `AABA`, …
pub fn symbol_of(rank: usize) -> Symbol {
    let mut stored = [0u8; 24];
    let mut rest = rank;
    for letter in stored.iter_mut().take(SYMBOL_LETTERS).rev() {
        *letter = b'A' + (rest % 26) as u8;
        rest /= 26;
    }
    Symbol::from_stored(stored)
}

/// 26^4 = 456,976 names, more than there are symbols.
const SYMBOL_LETTERS: usize = 4;

#[cfg(test)]
mod tests;
