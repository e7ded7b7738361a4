//! The data types that ITCH does not have: prices of eight bytes, signed prices, the client's order id.

use crate::itch50::Be64;
use bytemuck::{Pod, Zeroable};
use spinward_engine::words::Price;
use std::fmt;

/// Nanos of one unit: 1e-4 = 1e5 × 1e-9.
const UNIT_NANOS: i64 = 100_000;

/// `Price`: eight bytes, units of 1e-4 of the currency.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable)]
pub struct OuchPrice(Be64);

impl OuchPrice {
    /// The price of a market order for a cross: $214,748.3647, the largest that four bytes could hold in OUCH 4.
    pub const MARKET: OuchPrice = OuchPrice::new(0x7fff_ffff);

    /// The largest price of a limit order: $199,999.9900.
    pub const LIMIT_MAX: OuchPrice = OuchPrice::new(1_999_999_900);

    /// From units of 1e-4.
    pub const fn new(units: u64) -> Self {
        Self(Be64::new(units))
    }

    /// Units of 1e-4.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// In the engine's scale, exact; `None` beyond its range.
    pub const fn price(self) -> Option<Price> {
        let units = self.get();
        if units > (i64::MAX / UNIT_NANOS) as u64 {
            return None;
        }
        Some(Price::from_nanos(units as i64 * UNIT_NANOS))
    }

    /// From the engine's scale; `None` if it is negative or no whole number of units.
    pub const fn from_price(price: Price) -> Option<Self> {
        let nanos = price.nanos();
        if nanos < 0 || nanos % UNIT_NANOS != 0 {
            return None;
        }
        Some(Self::new((nanos / UNIT_NANOS) as u64))
    }
}

impl fmt::Debug for OuchPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.get() / 10_000, self.get() % 10_000)
    }
}

/// `Signed Price`: four bytes, units of 1e-4 of the currency.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable)]
pub struct SignedPrice([u8; 4]);

impl SignedPrice {
    /// From units of 1e-4.
    pub const fn new(units: i32) -> Self {
        Self(units.to_be_bytes())
    }

    /// Units of 1e-4.
    pub const fn get(self) -> i32 {
        i32::from_be_bytes(self.0)
    }

    /// In the engine's scale; exact.
    pub const fn price(self) -> Price {
        // i32·1e5 < 2^48
        Price::from_nanos(self.get() as i64 * UNIT_NANOS)
    }
}

impl fmt::Debug for SignedPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// `ClOrdId`: fourteen letters, digits or spaces that the venue gives back and does not look at.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct ClOrdId([u8; 14]);

impl ClOrdId {
    /// From text, padded with spaces on the right. `None` if it is longer than the field.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [b' '; 14];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// From bytes as they lie in the message.
    pub const fn from_bytes(bytes: [u8; 14]) -> Self {
        Self(bytes)
    }

    /// As they lie in the message.
    pub const fn bytes(&self) -> &[u8; 14] {
        &self.0
    }

    /// Without its padding.
    pub fn trimmed(&self) -> &[u8] {
        self.0.trim_ascii_end()
    }
}

impl Default for ClOrdId {
    fn default() -> Self {
        Self([b' '; 14])
    }
}

impl fmt::Debug for ClOrdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.trimmed().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_both_ways_or_refused() {
        assert_eq!(OuchPrice::new(630_200).price(), Some(Price::from_nanos(63_020_000_000)));
        assert_eq!(OuchPrice::from_price(Price::from_nanos(63_020_000_000)), Some(OuchPrice::new(630_200)));
        assert_eq!(OuchPrice::from_price(Price::from_nanos(63_020_000_001)), None);
        assert_eq!(OuchPrice::from_price(Price::from_nanos(-100_000)), None);
        assert_eq!(OuchPrice::new(u64::MAX).price(), None);
        let largest = (i64::MAX / 100_000) as u64;
        assert!(OuchPrice::new(largest).price().is_some() && OuchPrice::new(largest + 1).price().is_none());
        assert_eq!(format!("{:?} {:?}", OuchPrice::MARKET, OuchPrice::LIMIT_MAX), "214748.3647 199999.9900");
        assert_eq!(SignedPrice::new(-5).price(), Price::from_nanos(-500_000));
    }

    #[test]
    fn order_ids_are_padded_and_the_padding_is_no_part_of_them() {
        assert_eq!(ClOrdId::new("a1").unwrap().bytes(), b"a1            ");
        assert_eq!(ClOrdId::new("a1").unwrap().trimmed(), b"a1");
        assert_eq!(ClOrdId::new("123456789012345"), None);
    }
}
