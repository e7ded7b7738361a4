//! A seeded market: genuine ITCH 5.0 bytes of a venue that does not exist, with a consistent limit order book behind every symbol.
//!
//! Enters: a seed and [`SyntheticConfig`]. Leaves: [`SyntheticFeed`], a [`MarketFeed`](crate::feed::MarketFeed). Never: a clock, a file, a random source
//! other than the seed, a floating-point operation that IEEE 754 does not fix to the last bit. **The same configuration gives the same bytes on every
//! host**; a change of the bytes for a given seed is a change of this module's contract.
//!
//! ```text
//!  arrival (when, and is it a new burst) ─┐
//!  flow (who does what: add, cancel, …) ──┼─▶ exchange (matches, numbers, writes ITCH) ─▶ outbox ─▶ feed
//!  market (orders and books) ─────────────┘
//! ```
//!
//! * Order flow in the manner of the zero-intelligence model of Smith, Farmer, Gillemot & Krishnamurthy (2003, "Statistical theory of the
//!   continuous double auction"): limit orders at random distances from the best price, cancellations mostly near the top, market orders. The price
//!   diffuses because of them; the spread reverts because orders improve it when it is wide.
//! * Arrivals are a two-state modulated process with bursts (`arrival.rs`); activity over symbols is Zipf's.
//! * Every `E C X D U` names a live order and never takes more than it has; no order that comes to rest crosses or locks its book; what
//!   is marketable executes.

mod arrival;
mod market;
mod flow;
mod exchange;
mod feed;

pub use arrival::Arrivals;
pub use feed::SyntheticFeed;

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
    /// Orders that rest in all books together when they are full, at least 12 a symbol, at most 16 million. Default 4,000.
    pub live_orders: usize,
    /// Messages per second in the long-run mean, 1–50,000,000. Default 20,000.
    pub rate: u32,
    /// How they lie in time. Default: bursts.
    pub arrivals: Arrivals,
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
    /// Whether the stock directory comes first (`R H Y L` for each symbol). Without it the first orders name their stocks. Default true.
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
            arrivals: Arrivals::default(),
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
    #[error("{orders} live orders for {symbols} symbols: give at least 12 a symbol and at most 16000000")]
    LiveOrders {
        /// What was given.
        orders: usize,
        /// For so many symbols.
        symbols: usize,
    },
    /// `rate` out of range.
    #[error("{0} messages per second: give 1 to 50000000")]
    Rate(u32),
    /// A span of `arrivals` out of range.
    #[error("arrivals: burst_messages must be 1 to 1000000, quiet and active 1 ms to 1 h")]
    Arrivals,
    /// `start` before `midnight` or 48 hours after it.
    #[error("start must be on or after midnight and less than 48 hours later")]
    Start,
    /// `wire_latency` out of range.
    #[error("wire_latency must be 0 to 1 s")]
    WireLatency,
    /// `duration` not positive or longer than a day.
    #[error("duration must be over 0 and at most 24 h")]
    Duration,
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
        if self.live_orders < self.symbols * 12 || self.live_orders > 16_000_000 {
            return Err(SyntheticError::LiveOrders { orders: self.live_orders, symbols: self.symbols });
        }
        if !(1..=50_000_000).contains(&self.rate) {
            return Err(SyntheticError::Rate(self.rate));
        }
        if !self.arrivals.is_valid() {
            return Err(SyntheticError::Arrivals);
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
