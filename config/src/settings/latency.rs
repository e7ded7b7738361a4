//! Sections of what is stored about latency, and of faults put in on purpose.

use crate::field::Field;
use crate::problem::{Wrong, did_you_mean};
use crate::visit::{Section, Visitor};
use spinward_engine::pipeline::Role;
use std::time::Duration;
use toml::Value;
use toml::de::DeValue;

/// `[latency]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LatencySettings {
    /// Whether the life of every order is stored, stamp by stamp.
    pub orders: bool,
    /// From one look at what disturbs the threads to the next; zero: never.
    pub interference_interval: Duration,
    /// What a gap of a thread's own loop is longer than; zero: not looked for.
    pub gap_threshold: Duration,
}

impl Default for LatencySettings {
    fn default() -> Self {
        Self {
            orders: true,
            interference_interval: Duration::from_millis(100),
            gap_threshold: Duration::from_micros(10),
        }
    }
}

impl Section for LatencySettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("orders", &mut self.orders);
        visitor.key("interference_interval", &mut self.interference_interval);
        visitor.key("gap_threshold", &mut self.gap_threshold);
    }
}

/// A stage that stalls, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StallStage(pub Option<Role>);

impl Field for StallStage {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let text = String::parse(value)?;
        match text.parse() {
            _ if text == "off" => Ok(Self(None)),
            Ok(role @ (Role::Normalizer | Role::Book | Role::Strategies(_) | Role::Risk)) => {
                Ok(Self(Some(role)))
            }
            Ok(Role::Sequencer | Role::Journal | Role::Tap) | Err(_) => Err(Wrong::new(
                format!("{text:?} is not a stage that can stall"),
                did_you_mean(&text, ["off", "normalizer", "book", "strategies-0", "risk"]),
            )),
        }
    }
    fn write(&self) -> Value {
        Value::String(self.0.map_or_else(|| "off".to_owned(), |role| role.to_string()))
    }
}

/// `[faults]`: for checking what looks for faults. Not for trading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FaultSettings {
    /// The stage that stalls.
    pub stall_stage: StallStage,
    /// How long, above zero, at most 1 s.
    pub stall_length: Duration,
    /// Every how many of its events (of its frames, for the normalizer), from 1.
    pub stall_every: u64,
    /// How much longer each flush to the disk takes, at most 10 s.
    pub flush_delay: Duration,
}

impl Default for FaultSettings {
    fn default() -> Self {
        Self {
            stall_stage: StallStage::default(),
            stall_length: Duration::from_micros(50),
            stall_every: 1_000,
            flush_delay: Duration::ZERO,
        }
    }
}

impl Section for FaultSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("stall_stage", &mut self.stall_stage);
        visitor.key("stall_length", &mut self.stall_length);
        visitor.key("stall_every", &mut self.stall_every);
        visitor.key("flush_delay", &mut self.flush_delay);
    }
}
