//! [`Market`]: a day's messages in memory, known before the run.

use crate::error::LabError;
use spinward_engine::words::Nanos;
use spinward_gateways::itch50::{Message, SystemEventCode};
use spinward_gateways::synthetic::{SyntheticConfig, SyntheticFeed};

/// Messages between the opening of trading and the first that is measured: before them the taker finds no imbalance to trade on.
pub const SETTLING: usize = 90_000;

/// Whether it is the system event with which continuous trading begins.
fn is_start_of_market_hours(bytes: &[u8]) -> bool {
    matches!(Message::parse(bytes), Ok(Message::SystemEvent(m)) if m.event == SystemEventCode::StartOfMarketHours as u8)
}

/// A market in memory.
pub struct Market {
    /// Midnight of its day.
    pub midnight: Nanos,
    bytes: Vec<u8>,
    messages: Vec<(Nanos, u32, u16)>,
    /// Messages before the first that is measured: the venue's opening, in which the books fill, and [`SETTLING`] more.
    pub opening: usize,
    /// Orders that rest at once.
    pub live_orders: usize,
}

impl Market {
    /// Generates `count` messages behind the opening.
    ///
    /// # Errors
    /// What the generator says of its settings.
    pub fn generate(config: &SyntheticConfig, count: usize) -> Result<Self, LabError> {
        let mut feed = SyntheticFeed::new(config).map_err(LabError::failed)?;
        let mut market = Self {
            midnight: config.midnight,
            bytes: Vec::new(),
            messages: Vec::new(),
            opening: usize::MAX,
            live_orders: config.live_orders,
        };
        while market.messages.len() < market.opening.saturating_add(count) {
            let Some(message) = feed.next_message() else { break };
            if market.opening == usize::MAX && is_start_of_market_hours(message.bytes) {
                market.opening = market.messages.len() + 1 + SETTLING;
            }
            market.messages.push((
                message.receive_time,
                u32::try_from(market.bytes.len()).map_err(LabError::failed)?,
                message.bytes.len() as u16, // an ITCH message has at most 50
            ));
            market.bytes.extend_from_slice(message.bytes);
        }
        Ok(market)
    }

    /// Few hot symbols: 50 of them, 20,000 live orders.
    pub fn hot(seed: u64) -> SyntheticConfig {
        SyntheticConfig {
            seed,
            symbols: 50,
            live_orders: 20_000,
            rate: 1_000_000,
            duration: None,
            ..SyntheticConfig::default()
        }
    }

    /// A full market: 8,000 symbols, 467,000 live orders.
    pub fn full(seed: u64) -> SyntheticConfig {
        SyntheticConfig { symbols: 8_000, live_orders: 467_000, ..Self::hot(seed) }
    }

    /// How many messages there are.
    pub fn count(&self) -> usize {
        self.messages.len()
    }

    /// Time and bytes of a message.
    pub fn message(&self, index: usize) -> Option<(Nanos, &[u8])> {
        let (time, offset, bytes) = *self.messages.get(index)?;
        let start = offset as usize;
        Some((time, self.bytes.get(start..start + usize::from(bytes))?))
    }

    /// The same opening, and the first `count` messages behind it.
    #[must_use]
    pub fn shortened(&self, count: usize) -> Self {
        let messages = self.messages.iter().take(self.opening + count).copied().collect();
        let bytes = self.bytes.clone();
        Self { bytes, messages, ..*self }
    }
}
