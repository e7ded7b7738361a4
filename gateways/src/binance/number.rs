//! Decimal text to integers, eight digits at a time. Exact or refused; no float.

use super::json::Text;
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{DecodeError, NANOS_PER_UNIT, Price, Qty, parse_decimal};

/// 10^0 to 10^9.
const POWERS_OF_TEN: [u64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);

/// Longest number text that is read through an escape (`"1"`); venues write at most 20 bytes.
const UNESCAPED_BYTES_MAX: usize = 64;

#[inline]
const fn power_of_ten(exponent: u32) -> u64 {
    // Callers keep the exponent within 0–9; masked so that a mistake cannot panic.
    if exponent < 10 { POWERS_OF_TEN[exponent as usize] } else { 0 }
}

/// The eight bytes from `at` on, the first one lowest. `None` within the last seven bytes.
#[inline]
pub(super) fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk))
}

/// How many of the word's first bytes are digits, 0–8.
#[inline]
pub(super) const fn digit_count(word: u64) -> u32 {
    let v = word ^ ZEROS;
    // Per byte: a value over 9 carries into the high bit; bytes with a high bit of their own are none either.
    let not_digits = (((v & !HIGH_BITS) + u64::from_le_bytes([0x76; 8])) | v) & HIGH_BITS;
    not_digits.trailing_zeros() / 8
}

/// The value of the word's first `count` (1–8) digits.
#[inline]
pub(super) const fn digits_value(word: u64, count: u32) -> u64 {
    // Shifted so that the last digit is the top byte and zeros stand in front; then pairs, fours, eights.
    let v = (word ^ ZEROS) << ((64 - 8 * count) & 63);
    let v = (v & 0x0f0f_0f0f_0f0f_0f0f).wrapping_mul(2_561) >> 8;
    let v = (v & 0x00ff_00ff_00ff_00ff).wrapping_mul(6_553_601) >> 16;
    (v & 0x0000_ffff_0000_ffff).wrapping_mul(42_949_672_960_001) >> 32
}

/// A number of at most eight digits before and eight after the point.
#[derive(Clone, Copy)]
struct Short {
    whole: u64,
    fraction: u64,
    decimals: u32,
    end: usize,
}

/// Reads `digits[.digits]"` at `at`. `None` is no verdict: the long way decides.
#[inline]
fn read_short(bytes: &[u8], at: usize) -> Option<Short> {
    let word = word_at(bytes, at)?;
    let count = digit_count(word);
    if count == 0 {
        return None;
    }
    let whole = digits_value(word, count);
    let point = at + count as usize;
    match bytes.get(point) {
        Some(b'"') => Some(Short { whole, fraction: 0, decimals: 0, end: point }),
        Some(b'.') => {
            let word = word_at(bytes, point + 1)?;
            let decimals = digit_count(word);
            let end = point + 1 + decimals as usize;
            if decimals == 0 || bytes.get(end) != Some(&b'"') {
                return None;
            }
            Some(Short { whole, fraction: digits_value(word, decimals), decimals, end })
        }
        _ => None,
    }
}

/// A price and how many decimals it was written with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PriceText {
    /// The price.
    pub(super) price: Price,
    /// Decimal places of the text, held at 9.
    pub(super) decimals: u8,
    /// Offset of the closing quote.
    pub(super) end: usize,
}

/// A quantity before the lot is known: `mantissa × 10^-decimals` of the venue's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct QtyText {
    /// The digits.
    pub(super) mantissa: u64,
    /// Decimal places, 0–9.
    pub(super) decimals: u8,
    /// Offset of the closing quote.
    pub(super) end: usize,
}

/// Reads a price that starts at `at` and ends at a quote, if it is short and plain. `None` is no verdict.
#[inline]
pub(super) fn price_at(bytes: &[u8], at: usize) -> Option<PriceText> {
    let short = read_short(bytes, at)?;
    // whole < 1e8, so whole·1e9 < 1e17; fraction·10^(9−decimals) < 1e9.
    let nanos = short.whole * NANOS_PER_UNIT as u64 + short.fraction * power_of_ten(9 - short.decimals);
    Some(PriceText { price: Price::from_nanos(nanos as i64), decimals: short.decimals as u8, end: short.end })
}

/// Reads a quantity that starts at `at` and ends at a quote, if it is short and plain. `None` is no verdict.
#[inline]
pub(super) fn qty_at(bytes: &[u8], at: usize) -> Option<QtyText> {
    let short = read_short(bytes, at)?;
    // whole < 1e8 and decimals ≤ 8, so the product is below 1e16.
    let mantissa = short.whole * power_of_ten(short.decimals) + short.fraction;
    Some(QtyText { mantissa, decimals: short.decimals as u8, end: short.end })
}

/// Reads a price from a string.
#[inline]
pub(super) fn price(bytes: &[u8], text: Text) -> Result<PriceText, DecodeError> {
    match price_at(bytes, text.start()) {
        Some(read) if read.end == text.end() => Ok(read),
        _ => price_slow(bytes, text),
    }
}

/// Reads a quantity from a string.
#[inline]
pub(super) fn qty(bytes: &[u8], text: Text) -> Result<QtyText, DecodeError> {
    match qty_at(bytes, text.start()) {
        Some(read) if read.end == text.end() => Ok(read),
        _ => qty_slow(bytes, text),
    }
}

#[cold]
fn price_slow(bytes: &[u8], text: Text) -> Result<PriceText, DecodeError> {
    let mut buffer = [0; UNESCAPED_BYTES_MAX];
    let plain = text.plain(bytes, &mut buffer).ok_or(DecodeError::BadNumber)?;
    let nanos = parse_decimal(plain).map_err(|_| DecodeError::BadNumber)?;
    let decimals = match plain.iter().position(|&b| b == b'.') {
        Some(point) => (plain.len() - point - 1).min(9) as u8,
        None => 0,
    };
    Ok(PriceText { price: Price::from_nanos(nanos), decimals, end: text.end() })
}

#[cold]
fn qty_slow(bytes: &[u8], text: Text) -> Result<QtyText, DecodeError> {
    let mut buffer = [0; UNESCAPED_BYTES_MAX];
    let plain = text.plain(bytes, &mut buffer).ok_or(DecodeError::BadNumber)?;
    let (mantissa, decimals) = parse_unsigned(plain).ok_or(DecodeError::BadNumber)?;
    Ok(QtyText { mantissa, decimals, end: text.end() })
}

/// `[+]digits[.digits]` as mantissa and decimals, at most nine; further zeros are accepted. Wider than [`parse_decimal`]: the
/// quantities of cheap coins are beyond 9.2e9 units, and only the count of lots has to fit.
fn parse_unsigned(text: &[u8]) -> Option<(u64, u8)> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let mut mantissa: u64 = 0;
    let mut decimals: Option<u8> = None;
    let mut digits = 0usize;
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                match decimals {
                    Some(9) if byte == b'0' => continue,
                    Some(9) => return None,
                    Some(count) => decimals = Some(count + 1),
                    None => {}
                }
                mantissa = mantissa.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return None,
        }
    }
    (digits > 0).then_some((mantissa, decimals.unwrap_or(0)))
}

/// How quantities become lots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lot {
    /// The lot is `10^-k` units, k 0–9.
    Decimals(u8),
    /// The lot in units of 1e-9, not a power of ten or larger than one unit.
    Nanos(u64),
}

impl Lot {
    pub(super) fn save(self, state: &mut StateWriter) {
        match self {
            Self::Decimals(decimals) => {
                state.u8(0);
                state.u64(decimals.into());
            }
            Self::Nanos(lot) => {
                state.u8(1);
                state.u64(lot);
            }
        }
    }

    pub(super) fn load(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let is_nanos = state.bool()?;
        let number = state.u64()?;
        match u8::try_from(number) {
            _ if is_nanos => Ok(Self::Nanos(number)),
            Ok(decimals) if decimals <= 9 => Ok(Self::Decimals(decimals)),
            Ok(_) | Err(_) => Err(state.error("a lot that is none")),
        }
    }

    /// From the lot of an instrument, in units of 1e-9.
    pub(super) fn from_nanos(lot: i64) -> Self {
        let lot = u64::try_from(lot).unwrap_or(0);
        match POWERS_OF_TEN.iter().position(|power| *power == lot) {
            Some(exponent) => Lot::Decimals(9 - exponent as u8),
            None => Lot::Nanos(lot),
        }
    }

    /// Whole lots, or `None`: not a whole number of lots, or beyond the range of [`Qty`].
    #[inline]
    pub(super) fn lots(self, mantissa: u64, decimals: u8) -> Option<Qty> {
        let lots = match self {
            Lot::Decimals(places) if decimals <= places => {
                mantissa.checked_mul(power_of_ten(u32::from(places - decimals)))?
            }
            Lot::Decimals(places) => {
                let step = power_of_ten(u32::from(decimals - places));
                if mantissa.checked_rem(step)? != 0 {
                    return None;
                }
                mantissa / step
            }
            Lot::Nanos(lot) => {
                // u64 · 1e9 < 2^94
                let nanos = u128::from(mantissa) * u128::from(power_of_ten(9 - u32::from(decimals.min(9))));
                if nanos.checked_rem(u128::from(lot))? != 0 {
                    return None;
                }
                u64::try_from(nanos / u128::from(lot)).ok()?
            }
        };
        i64::try_from(lots).ok().map(Qty::from_lots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `"text"` followed by a filler, so that the fast way is open or closed.
    fn quoted(text: &str, filler: &str) -> (Vec<u8>, Text) {
        let bytes = format!("\"{text}\"{filler}").into_bytes();
        (bytes, Text::new(1, 1 + text.len(), false))
    }

    #[test]
    fn a_price_is_the_same_the_short_and_the_long_way() {
        for text in ["61837.63000000", "0.00000001", "7", "99999999.99999999", "123456789.5", "0.123456789"] {
            for filler in ["", "],[\"0.1\",\"0.2\"]"] {
                let (bytes, span) = quoted(text, filler);
                assert_eq!(price(&bytes, span).unwrap().price, Price::parse(text).unwrap(), "{text}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in [
            "",
            ".",
            "1e3",
            "1.2.3",
            "0.0000000001",
            " 1",
            "1 ",
            "0x1",
            "9223372036.9",
            "99999999999999999999",
        ] {
            for filler in ["", "],[\"0.1\",\"0.2\"]"] {
                let (bytes, span) = quoted(text, filler);
                assert_eq!(price(&bytes, span), Err(DecodeError::BadNumber), "{text}");
            }
        }
        let (bytes, span) = quoted("-1.5", "        ");
        assert_eq!(qty(&bytes, span), Err(DecodeError::BadNumber), "no level holds less than nothing");
    }

    #[test]
    fn quantities_of_cheap_coins_are_read_beyond_the_range_of_prices() {
        let (bytes, span) = quoted("84467440737.09551615", "");
        let read = qty(&bytes, span).unwrap();
        assert_eq!(
            Lot::Decimals(8).lots(read.mantissa, read.decimals).unwrap().lots(),
            8_446_744_073_709_551_615
        );
    }

    #[test]
    fn a_quantity_between_two_lots_is_refused() {
        assert_eq!(Lot::Decimals(5).lots(154_698_000, 8).unwrap().lots(), 154_698);
        assert_eq!(Lot::Decimals(5).lots(154_698_001, 8), None);
        assert_eq!(Lot::from_nanos(500_000_000).lots(75, 1).unwrap().lots(), 15);
        assert_eq!(Lot::from_nanos(500_000_000).lots(76, 1), None);
        assert_eq!(Lot::from_nanos(10_000_000_000).lots(120, 0).unwrap().lots(), 12);
        assert_eq!(Lot::from_nanos(0).lots(1, 0), None, "a lot of nothing divides nothing");
        assert_eq!(Lot::Decimals(9).lots(u64::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn every_short_text_agrees_with_the_exact_parser(
            text in "[0-9]{0,11}(\\.[0-9]{0,11})?", filler in "[\\],\"0-9]{0,12}"
        ) {
            let (bytes, span) = quoted(&text, &filler);
            let read = price(&bytes, span);
            prop_assert_eq!(read.ok().map(|r| r.price.nanos()), parse_decimal(text.as_bytes()).ok());
            let read = qty(&bytes, span);
            if let (Ok(read), Ok(nanos)) = (read, parse_decimal(text.as_bytes())) {
                prop_assert_eq!(Lot::Decimals(9).lots(read.mantissa, read.decimals).map(Qty::lots), Some(nanos));
            }
        }
    }
}
