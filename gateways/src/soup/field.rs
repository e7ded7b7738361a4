//! The two kinds of text fields: names padded with spaces, and numbers in ASCII digits (§"Data Types").

use bytemuck::{Pod, Zeroable};
use std::fmt;

/// Text of `N` bytes. Left-justified and padded with spaces on the right, but for the session name, which the specification pads on the
/// left: [`Alpha::trimmed`] is the same for both.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Alpha<const N: usize>([u8; N]);

impl<const N: usize> Alpha<N> {
    /// All spaces.
    pub const BLANK: Self = Self([b' '; N]);

    /// From text, padded on the right. `None` if it is longer than the field or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [b' '; N];
        let is_printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let to = bytes.get_mut(..text.len()).filter(|_| is_printable)?;
        to.copy_from_slice(text.as_bytes());
        Some(Self(bytes))
    }

    /// As it lies in the packet.
    pub const fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// As it lies in the packet.
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Without the spaces (and NULs, which some clients pad with) on both sides.
    pub fn trimmed(&self) -> &[u8] {
        trim(&self.0)
    }

    /// Nothing but padding.
    pub fn is_blank(&self) -> bool {
        self.trimmed().is_empty()
    }

    /// The same name, whichever side is padded.
    pub fn is_same(&self, other: &Self) -> bool {
        self.trimmed() == other.trimmed()
    }
}

impl<const N: usize> Default for Alpha<N> {
    fn default() -> Self {
        Self::BLANK
    }
}

impl<const N: usize> fmt::Display for Alpha<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trimmed().escape_ascii().fmt(f)
    }
}

impl<const N: usize> fmt::Debug for Alpha<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A number of at most `N` digits. Written right-justified as the specification has it; read wherever the digits stand.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Pod, Zeroable)]
pub struct Numeric<const N: usize>([u8; N]);

impl<const N: usize> Numeric<N> {
    /// All spaces: no number.
    pub const BLANK: Self = Self([b' '; N]);

    /// From a number. `None` if it has more digits than the field.
    pub const fn new(number: u64) -> Option<Self> {
        let mut bytes = [b' '; N];
        let mut rest = number;
        let mut at = N;
        loop {
            if at == 0 {
                return None;
            }
            at -= 1;
            bytes[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return Some(Self(bytes));
            }
        }
    }

    /// As it lies in the packet.
    pub const fn from_bytes(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// As it lies in the packet.
    pub const fn bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Its number; `None` if it is blank, has anything but digits inside, or is 2^64 or more.
    pub fn get(&self) -> Option<u64> {
        let digits = trim(&self.0);
        if digits.is_empty() {
            return None;
        }
        digits.iter().try_fold(0u64, |number, &byte| {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            number.checked_mul(10)?.checked_add(u64::from(digit))
        })
    }

    /// Nothing but padding.
    pub fn is_blank(&self) -> bool {
        trim(&self.0).is_empty()
    }
}

impl<const N: usize> fmt::Debug for Numeric<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | 0, rest @ ..] | [rest @ .., b' ' | 0] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_written_on_the_right_and_read_from_both_sides() {
        assert_eq!(Numeric::<20>::new(42).unwrap().bytes(), b"                  42");
        assert_eq!(Numeric::<3>::new(0).unwrap().bytes(), b"  0");
        assert_eq!(Numeric::<3>::new(1_000), None);
        assert_eq!(Numeric::<20>::new(u64::MAX).unwrap().get(), Some(u64::MAX));
        assert_eq!(Numeric::from_bytes(*b"42   ").get(), Some(42));
        assert_eq!(Numeric::from_bytes(*b"42\0\0\0").get(), Some(42));
        for bad in [*b"     ", *b" 4 2 ", *b"  -1 ", *b"  1x ", *b"+1   "] {
            assert_eq!(Numeric::from_bytes(bad).get(), None);
        }
        assert_eq!(Numeric::from_bytes(*b"18446744073709551616").get(), None);
    }

    #[test]
    fn names_are_the_same_whichever_side_is_padded() {
        assert_eq!(Alpha::<6>::new("ab").unwrap().bytes(), b"ab    ");
        assert!(Alpha::from_bytes(*b"    ab").is_same(&Alpha::new("ab").unwrap()));
        assert_eq!((Alpha::<2>::new("abc"), Alpha::<2>::new("é")), (None, None));
        assert!(Alpha::<4>::BLANK.is_blank() && Alpha::from_bytes([0u8; 4]).is_blank());
        assert_eq!(Alpha::from_bytes(*b" a\x01 ").to_string(), "a\\x01");
    }

    proptest! {
        #[test]
        fn every_number_that_fits_comes_back(number: u64) {
            prop_assert_eq!(Numeric::<20>::new(number).unwrap().get(), Some(number));
            if let Some(short) = Numeric::<5>::new(number) {
                prop_assert_eq!(short.get(), Some(number));
            } else {
                prop_assert!(number > 99_999);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: [u8; 20]) {
            let _ = (Numeric::from_bytes(bytes).get(), Alpha::from_bytes(bytes).trimmed().len());
        }
    }
}
