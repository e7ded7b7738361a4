//! What a core does when none of its agents had work.

use std::time::Duration;

/// How a core waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IdleStrategy {
    /// Polls again at once. Lowest latency; for an isolated core.
    Spin,
    /// Polls again after the CPU's spin hint (`pause`), which leaves more to the sibling hyper-thread.
    #[default]
    SpinHint,
    /// Gives the core to whoever waits for it. For shared cores.
    Yield,
    /// Spins, then yields, then sleeps 50 µs at a time. For cores without latency demands.
    Park,
}

impl IdleStrategy {
    /// Whether a waiting thread keeps its core busy whatever else wants it.
    pub fn is_spinning(self) -> bool {
        matches!(self, Self::Spin | Self::SpinHint)
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::SpinHint => "spin-hint",
            Self::Yield => "yield",
            Self::Park => "park",
        }
    }
}

/// An idle strategy with its count of fruitless turns.
#[derive(Debug)]
pub(super) struct Idler {
    strategy: IdleStrategy,
    turns: u32,
}

const PARK_SPINS: u32 = 64;
const PARK_YIELDS: u32 = 128;
const PARK_SLEEP: Duration = Duration::from_micros(50);

impl Idler {
    pub(super) fn new(strategy: IdleStrategy) -> Self {
        Self { strategy, turns: 0 }
    }

    #[inline]
    pub(super) fn worked(&mut self) {
        self.turns = 0;
    }

    #[inline]
    pub(super) fn idle(&mut self) {
        match self.strategy {
            IdleStrategy::Spin => {}
            IdleStrategy::SpinHint => std::hint::spin_loop(),
            IdleStrategy::Yield => std::thread::yield_now(),
            IdleStrategy::Park => {
                self.turns = self.turns.saturating_add(1);
                if self.turns <= PARK_SPINS {
                    std::hint::spin_loop();
                } else if self.turns <= PARK_YIELDS {
                    std::thread::yield_now();
                } else {
                    std::thread::park_timeout(PARK_SLEEP);
                }
            }
        }
    }
}
