//! Names and numbers of things, each its own type.

use bytemuck::{Pod, Zeroable};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Pod, Zeroable)]
        pub struct $name($inner);

        impl $name {
            /// From its number.
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }
            /// Its number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// Index into the [`InstrumentTable`](crate::words::InstrumentTable): dense, from 0.
    InstrumentId(u32)
);
id!(
    /// Index into the configured strategies: dense, from 0, in the order of the configuration file.
    StrategyId(u16)
);
id!(
    /// Who fills the ingress ring: index into the session's list of sources.
    SourceId(u8)
);
id!(
    /// Our own id of an order: the strategy's number in the upper 16 bits, its running number (from 1) in the lower 48.
    /// Never reused, also not across a restart that resumes the session. 0 is no order.
    OrderId(u64)
);
id!(
    /// The venue's id of one execution. Fills are keyed by it, so a fill that comes twice counts once.
    ExecId(u64)
);

impl InstrumentId {
    /// Every instrument of the source (a market-wide status), or none (a frame without one).
    pub const ALL: InstrumentId = InstrumentId(u32::MAX);

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl StrategyId {
    /// Nobody: orders of the operator and of risk itself.
    pub const NONE: StrategyId = StrategyId(u16::MAX);

    /// As an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl OrderId {
    /// No order.
    pub const NONE: OrderId = OrderId(0);

    /// The `number`-th order of `strategy`; the number is cut to 48 bits (2.8e14 orders).
    pub const fn compose(strategy: StrategyId, number: u64) -> Self {
        Self(((strategy.0 as u64) << 48) | (number & 0x0000_FFFF_FFFF_FFFF))
    }

    /// Whose order it is.
    pub const fn strategy(self) -> StrategyId {
        StrategyId((self.0 >> 48) as u16)
    }

    /// Its running number within the strategy.
    pub const fn number(self) -> u64 {
        self.0 & 0x0000_FFFF_FFFF_FFFF
    }
}

/// A short text stored in place: symbols, currencies, venues. At most 24 bytes, printable ASCII without spaces.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
pub struct Symbol([u8; 24]);

impl Symbol {
    /// The longest text, in bytes.
    pub const MAX_BYTES: usize = 24;

    /// From text.  `None` if it is empty, longer than 24 bytes or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        Self::from_ascii(text.as_bytes())
    }

    /// From bytes, trailing spaces dropped (the padding of ITCH and OUCH).
    pub fn from_ascii(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().rposition(|&b| b != b' ').map_or(0, |last| last + 1);
        let text = bytes.get(..end)?;
        if text.is_empty() || text.len() > Self::MAX_BYTES || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut stored = [0; Self::MAX_BYTES];
        for (to, from) in stored.iter_mut().zip(text) {
            *to = *from;
        }
        Some(Self(stored))
    }

    /// The bytes as stored, padded with zeros.
    pub const fn bytes(&self) -> &[u8; 24] {
        &self.0
    }

    /// From bytes as stored.
    pub const fn from_stored(bytes: [u8; 24]) -> Self {
        Self(bytes)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(Self::MAX_BYTES);
        self.0.get(..end).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("?")
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}
