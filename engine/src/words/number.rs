//! Fixed-point numbers: [`Price`], [`Qty`], [`Money`]. One scale everywhere: 1e-9. Text in and out is exact or an error.

use bytemuck::{Pod, Zeroable};
use std::fmt;

/// Steps of [`Price`], [`Money`] and lot sizes in one unit: 1e9.
pub const NANOS_PER_UNIT: i64 = 1_000_000_000;

/// A price in units of 1e-9 of the quote currency (the scale of Databento's DBN). May be negative (spreads, rates).
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Pod, Zeroable)]
pub struct Price(i64);

/// A quantity: a count of the instrument's lots (its smallest tradable unit). Signed, for positions and differences.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Pod, Zeroable)]
pub struct Qty(i64);

/// An amount of money in units of 1e-9 of a currency. Range ±9.22e9 currency units.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Pod, Zeroable)]
pub struct Money(i64);

/// Why a decimal text is not a number of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecimalError {
    /// No digits.
    #[error("no digits")]
    Empty,
    /// A byte that is neither digit, sign nor point; the offset is in bytes from the start of the text.
    #[error("unexpected byte at offset {0}")]
    Byte(usize),
    /// More than nine decimals that are not zero.
    #[error("more than 9 decimals: finer than 1e-9")]
    TooFine,
    /// Beyond ±9.22e9.
    #[error("out of range: beyond ±9223372036.854775807")]
    Range,
}

/// Reads `[+-]digits[.digits]` exactly into units of 1e-9. Trailing zeros beyond the ninth decimal are accepted.
///
/// # Errors
/// [`DecimalError`] for anything that is not exactly representable: never rounds, never truncates.
pub fn parse_decimal(text: &[u8]) -> Result<i64, DecimalError> {
    let (negative, start) = match text.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        Some(_) => (false, 0),
        None => return Err(DecimalError::Empty),
    };
    let mut value: u64 = 0;
    let mut decimals: Option<u32> = None;
    let mut digits = 0usize;
    for (offset, &byte) in text.iter().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if let Some(count) = decimals {
                    if count == 9 {
                        if byte != b'0' {
                            return Err(DecimalError::TooFine);
                        }
                        continue;
                    }
                    decimals = Some(count + 1);
                }
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(u64::from(byte - b'0')))
                    .ok_or(DecimalError::Range)?;
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return Err(DecimalError::Byte(offset)),
        }
    }
    if digits == 0 {
        return Err(DecimalError::Empty);
    }
    let scale = POWERS_OF_TEN[(9 - decimals.unwrap_or(0)) as usize];
    let magnitude = value.checked_mul(scale).ok_or(DecimalError::Range)?;
    // |magnitude| < 2^64, so the i128 negation cannot overflow; the i64 conversion decides the range.
    let signed = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
    i64::try_from(signed).map_err(|_| DecimalError::Range)
}

const POWERS_OF_TEN: [u64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Prints units of 1e-9 as a decimal with exactly `decimals` places, or as many as the value needs if that is more.
/// `Display` of the numbers uses `decimals = 0`: the shortest exact text.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// Units of 1e-9.
    pub nanos: i64,
    /// Least number of decimal places, 0–9.
    pub decimals: u8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.nanos.unsigned_abs();
        let whole = magnitude / NANOS_PER_UNIT as u64;
        let mut fraction = magnitude % NANOS_PER_UNIT as u64;
        let mut places = 9usize;
        while places > usize::from(self.decimals) && fraction.is_multiple_of(10) {
            fraction /= 10;
            places -= 1;
        }
        let sign = if self.nanos < 0 { "-" } else { "" };
        let text =
            if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction:0places$}") };
        f.pad(&text)
    }
}

macro_rules! fixed_point {
    ($name:ident, $what:literal) => {
        impl $name {
            /// Zero.
            pub const ZERO: $name = $name(0);
            /// The largest value.
            pub const MAX: $name = $name(i64::MAX);
            /// The smallest value.
            pub const MIN: $name = $name(i64::MIN);

            #[doc = concat!("From ", $what, ".")]
            pub const fn from_nanos(nanos: i64) -> Self {
                Self(nanos)
            }

            #[doc = concat!("In ", $what, ".")]
            pub const fn nanos(self) -> i64 {
                self.0
            }

            /// Reads decimal text exactly.
            ///
            /// # Errors
            /// [`DecimalError`] if the text is not exactly representable.
            pub fn parse(text: &str) -> Result<Self, DecimalError> {
                parse_decimal(text.as_bytes()).map(Self)
            }

            /// `self + other`, or `None` on overflow.
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// `self - other`, or `None` on overflow.
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// `self + other`, held at the ends of the range.
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// `self - other`, held at the ends of the range.
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Decimal { nanos: self.0, decimals: 0 }.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = DecimalError;
            fn from_str(text: &str) -> Result<Self, DecimalError> {
                Self::parse(text)
            }
        }
    };
}

fixed_point!(Price, "units of 1e-9 of the quote currency");
fixed_point!(Money, "units of 1e-9 of the currency");

impl Qty {
    /// Nothing.
    pub const ZERO: Qty = Qty(0);
    /// The largest value.
    pub const MAX: Qty = Qty(i64::MAX);

    /// From a count of lots.
    pub const fn from_lots(lots: i64) -> Self {
        Self(lots)
    }

    /// The count of lots.
    pub const fn lots(self) -> i64 {
        self.0
    }

    /// Without its sign; `i64::MIN` is held at `i64::MAX`.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// `self + other`, or `None` on overflow.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// `self - other`, or `None` on overflow.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// `self + other`, held at the ends of the range.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self - other`, held at the ends of the range.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::ops::Neg for Qty {
    type Output = Qty;
    fn neg(self) -> Qty {
        Qty(self.0.saturating_neg())
    }
}

/// `numerator / denominator`, to the nearest whole number, halves away from zero. The rounding rule of every money
/// calculation of the project.
///
/// A zero denominator gives zero: callers check it before, and the hot path has no panic.
pub const fn round_div(numerator: i128, denominator: i128) -> i128 {
    if denominator == 0 {
        return 0;
    }
    let quotient = numerator / denominator;
    let remainder = numerator % denominator;
    // |remainder| < |denominator|; compared without doubling, so nothing overflows.
    if remainder.unsigned_abs() >= denominator.unsigned_abs() - remainder.unsigned_abs() {
        if (numerator < 0) == (denominator < 0) { quotient + 1 } else { quotient - 1 }
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_text_is_read_exactly_or_refused() {
        assert_eq!(Price::parse("61837.63000000").unwrap().nanos(), 61_837_630_000_000);
        assert_eq!(Price::parse("-0.000000001").unwrap().nanos(), -1);
        assert_eq!(Price::parse("0.1000000000000").unwrap().nanos(), 100_000_000);
        assert_eq!(Price::parse("0.0000000001"), Err(DecimalError::TooFine));
        assert_eq!(Price::parse("9223372036.854775807").unwrap(), Price::MAX);
        assert_eq!(Price::parse("-9223372036.854775808").unwrap(), Price::MIN);
        assert_eq!(Price::parse("9223372036.854775808"), Err(DecimalError::Range));
        assert_eq!(Price::parse("1e3"), Err(DecimalError::Byte(1)));
        assert_eq!(Price::parse("1.2.3"), Err(DecimalError::Byte(3)));
        assert_eq!(Price::parse("."), Err(DecimalError::Empty));
        assert_eq!(Price::parse(""), Err(DecimalError::Empty));
    }

    #[test]
    fn every_cent_price_below_a_thousand_survives_text() {
        // The predecessor truncated floats at the edge: 5,228 of 99,999 cent prices were wrong by a tick.
        for cents in 0..100_000i64 {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            assert_eq!(Price::parse(&text).unwrap().nanos(), cents * 10_000_000);
        }
    }

    #[test]
    fn places_are_kept_when_asked_for() {
        assert_eq!(Decimal { nanos: 61_837_630_000_000, decimals: 8 }.to_string(), "61837.63000000");
        assert_eq!(Decimal { nanos: 1, decimals: 2 }.to_string(), "0.000000001");
        assert_eq!(Price::from_nanos(-1_500_000_000).to_string(), "-1.5");
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(nanos in any::<i64>(), decimals in 0u8..=9) {
            let text = Decimal { nanos, decimals }.to_string();
            prop_assert_eq!(parse_decimal(text.as_bytes()).unwrap(), nanos);
        }

        #[test]
        fn round_div_is_nearest(n in -1_000_000i64..1_000_000, d in prop_oneof![-999i64..=-1, 1i64..=999]) {
            let q = round_div(i128::from(n), i128::from(d));
            let error2 = (2 * (i128::from(n) - q * i128::from(d))).abs();
            prop_assert!(error2 <= i128::from(d).abs());
        }
    }
}
