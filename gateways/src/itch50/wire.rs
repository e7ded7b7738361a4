//! The data types of the protocol as they lie in its bytes (§ "Data Types"): big-endian integers, prices, space-padded text. All have
//! alignment 1, so that a message is read where it lies.

use bytemuck::{Pod, Zeroable};
use spinward_engine::words::{Price, Symbol};
use std::fmt;

macro_rules! big_endian {
    ($(#[$doc:meta])* $name:ident($bytes:literal of $number:ty)) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its number.
            #[inline]
            pub const fn new(number: $number) -> Self {
                Self(number.to_be_bytes())
            }

            /// Its number.
            #[inline]
            pub const fn get(self) -> $number {
                <$number>::from_be_bytes(self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }
    };
}

big_endian!(
    /// Two bytes, unsigned.
    Be16(2 of u16)
);
big_endian!(
    /// Four bytes, unsigned.
    Be32(4 of u32)
);
big_endian!(
    /// Eight bytes, unsigned.
    Be64(8 of u64)
);
big_endian!(
    /// `Price(4)`: units of 1e-4 of the currency. The venue's maximum is 200,000.0000.
    Price4(4 of u32)
);
big_endian!(
    /// `Price(8)`: units of 1e-8 of the currency (the market-wide circuit breaker's index levels).
    Price8(8 of u64)
);

/// Six bytes, unsigned: nanoseconds since midnight.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Pod, Zeroable)]
pub struct Be48([u8; 6]);

impl Be48 {
    /// From its number, cut to 48 bits.
    #[inline]
    pub const fn new(number: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        Self([a, b, c, d, e, f])
    }

    /// Its number.
    #[inline]
    pub const fn get(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Debug for Be48 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Price4 {
    /// In the engine's scale; exact.
    #[inline]
    pub const fn price(self) -> Price {
        // 1e-4 = 1e5 × 1e-9; u32·1e5 < 2^49
        Price::from_nanos(self.get() as i64 * 100_000)
    }
}

impl Price8 {
    /// In the engine's scale; `None` beyond its range (9.2e9).
    pub const fn price(self) -> Option<Price> {
        // 1e-8 = 10 × 1e-9
        match self.get().checked_mul(10) {
            Some(nanos) if nanos <= i64::MAX as u64 => Some(Price::from_nanos(nanos as i64)),
            Some(_) | None => None,
        }
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident($bytes:literal)) => {
        $(#[$doc])*
        #[repr(transparent)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From text, padded with spaces on the right. `None` if it is longer than the field.
            pub fn new(text: &str) -> Option<Self> {
                let mut bytes = [b' '; $bytes];
                bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
                Some(Self(bytes))
            }

            /// From bytes as they lie in the message.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// As they lie in the message.
            #[inline]
            pub const fn bytes(&self) -> &[u8; $bytes] {
                &self.0
            }

            /// Without its padding. `None` if it is blank or not printable ASCII.
            pub fn symbol(&self) -> Option<Symbol> {
                Symbol::from_ascii(&self.0)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self([b' '; $bytes])
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                String::from_utf8_lossy(&self.0).trim_end().fmt(f)
            }
        }
    };
}

text!(
    /// A security's symbol.
    Stock(8)
);
text!(
    /// A market participant's identifier; also the trading action's reason and other four-letter codes.
    Mpid(4)
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_value_and_their_byte_order() {
        assert_eq!(Be48::new(0x0102_0304_0506).0, [1, 2, 3, 4, 5, 6]);
        assert_eq!(Be48::new(u64::MAX).get(), (1 << 48) - 1);
        assert_eq!(Be16::new(0x0102).0, [1, 2]);
        assert_eq!(Be64::new(7).get(), 7);
    }

    #[test]
    fn prices_keep_every_unit_in_the_engines_scale() {
        assert_eq!(Price4::new(2_133_456).price(), Price::from_nanos(213_345_600_000));
        assert_eq!(Price4::new(u32::MAX).price(), Price::from_nanos(429_496_729_500_000));
        assert_eq!(Price8::new(123).price(), Some(Price::from_nanos(1_230)));
        assert_eq!(Price8::new(u64::MAX / 10).price(), None);
        assert_eq!(Price8::new(u64::MAX).price(), None);
    }

    #[test]
    fn text_is_padded_and_the_padding_is_not_part_of_the_symbol() {
        assert_eq!(Stock::new("AA").unwrap().bytes(), b"AA      ");
        assert_eq!(Stock::new("AA").unwrap().symbol(), Symbol::new("AA"));
        assert_eq!(Stock::new("ABCDEFGHI"), None);
        assert_eq!(Stock::default().symbol(), None);
    }
}
