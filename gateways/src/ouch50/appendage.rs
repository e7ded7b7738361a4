//! The optional appendage (section "TagValue"): a length of two bytes, then elements of length, tag and value.

use super::field::{OuchPrice, SignedPrice};
use crate::itch50::{Be16, Be32, Be64, Mpid};

/// Bytes of the longest appendage that [`AppendageWriter`] makes; every option once is 137 bytes.
pub(super) const APPENDAGE_BYTES_MAX: usize = 160;

/// Why bytes are no appendage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendageError {
    /// Its length is not that of the bytes behind it.
    #[error("says {said} bytes, {found} follow")]
    Length {
        /// What it says.
        said: usize,
        /// What follows.
        found: usize,
    },
    /// One byte where two of length should be.
    #[error("its length is cut")]
    LengthCut,
    /// An element says it is longer than what is left, or empty.
    #[error("the element at byte {at} says {said} bytes, {left} are left")]
    Element {
        /// Offset of the element in the appendage.
        at: usize,
        /// What it says.
        said: usize,
        /// What is left.
        left: usize,
    },
    /// The value of a known tag has not its length.
    #[error("option {tag} has {found} bytes, it demands {needed}")]
    Value {
        /// The tag.
        tag: u8,
        /// Bytes of the value.
        found: usize,
        /// Bytes that the tag has.
        needed: usize,
    },
}

macro_rules! options {
    ($( $(#[$doc:meta])* $name:ident($type:ty) = $tag:literal, $bytes:literal; )*) => {
        /// An option with its value.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Option50 {
            $( $(#[$doc])* $name($type), )*
        }

        impl Option50 {
            /// Its tag.
            pub const fn tag(&self) -> u8 {
                match self { $( Self::$name(_) => $tag, )* }
            }

            fn value(&self) -> &[u8] {
                match self { $( Self::$name(value) => bytemuck::bytes_of(value), )* }
            }

            /// `None` if the tag is not known.
            fn read(tag: u8, value: &[u8]) -> Result<Option<Self>, AppendageError> {
                let wrong = |needed| AppendageError::Value { tag, found: value.len(), needed };
                match tag {
                    $( $tag => match bytemuck::try_pod_read_unaligned::<$type>(value) {
                        Ok(value) => Ok(Some(Self::$name(value))),
                        Err(_) => Err(wrong($bytes)),
                    }, )*
                    _ => Ok(None),
                }
            }
        }

        $( const _: () = assert!(size_of::<$type>() == $bytes); )*

        #[cfg(test)]
        pub(super) const TAGS: &[(u8, usize)] = &[$( ($tag, $bytes), )*];
    };
}

options! {
    /// Another number of the order in the market data: of the displayed part of a reserve order.
    SecondaryReference(Be64) = 1, 8;
    /// The firm the order is for.
    Firm(Mpid) = 2, 4;
    /// Least shares of an execution.
    MinQty(Be32) = 3, 4;
    /// [`super::CustomerType`].
    CustomerType(u8) = 4, 1;
    /// Shares to display; the rest is reserve.
    MaxFloor(Be32) = 5, 4;
    /// [`super::PriceType`].
    PriceType(u8) = 6, 1;
    /// Distance from what the price is pegged to.
    PegOffset(SignedPrice) = 7, 4;
    /// Price up to which it trades at discretion.
    DiscretionPrice(OuchPrice) = 9, 8;
    /// [`super::PriceType`] of the discretion.
    DiscretionPriceType(u8) = 10, 1;
    /// Distance from what the discretion is pegged to.
    DiscretionPegOffset(SignedPrice) = 11, 4;
    /// [`super::PostOnly`].
    PostOnly(u8) = 12, 1;
    /// Shares by which a refreshed display varies at random.
    RandomReserves(Be32) = 13, 4;
    /// Routing strategy.
    Route(Mpid) = 14, 4;
    /// Seconds since midnight, New York, for [`super::TimeInForce::GoodTillTime`].
    ExpireTime(Be32) = 15, 4;
    /// `Y`, `N` or space for the port's default.
    TradeNow(u8) = 16, 1;
    /// Handling instruction; space for none.
    HandleInst(u8) = 17, 1;
    /// What the order did to the best quote when it was entered.
    BboWeight(u8) = 18, 1;
    /// Price that an execution at midpoint, open or close refers to.
    ReferencePrice(OuchPrice) = 19, 8;
    /// What that price is.
    ReferencePriceType(u8) = 20, 1;
    /// Shares displayed now (Restated).
    DisplayQuantity(Be32) = 22, 4;
    /// Price displayed now (Restated).
    DisplayPrice(OuchPrice) = 23, 8;
    /// Group of the firm's orders, for a mass cancel.
    GroupId(Be16) = 24, 2;
    /// `Y`: the shares to sell short are located.
    SharesLocated(u8) = 25, 1;
    /// Broker from whom they are.
    LocateBroker(Mpid) = 26, 4;
    /// [`super::SideCode`] that a mass cancel or a replace is for.
    Side(u8) = 27, 1;
    /// Which of the port's sequences of numbers the message belongs to.
    UserRefIndex(u8) = 28, 1;
}

/// One element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Element<'a> {
    /// An option that this edition has.
    Known(Option50),
    /// Another one; it is kept, so that a newer edition passes through.
    Unknown {
        /// Its tag.
        tag: u8,
        /// Its value.
        value: &'a [u8],
    },
}

/// What follows the fixed part of a message: nothing, or a length and elements. It was checked when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Appendage<'a> {
    /// Without the length; `None`: not even that is there.
    elements: Option<&'a [u8]>,
}

impl<'a> Appendage<'a> {
    /// Not there, its length neither.
    pub const ABSENT: Appendage<'static> = Appendage { elements: None };

    /// A length of 0.
    pub const EMPTY: Appendage<'static> = Appendage { elements: Some(&[]) };

    /// Reads what follows the fixed part of a message, to the message's end.
    ///
    /// # Errors
    /// [`AppendageError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AppendageError> {
        if bytes.is_empty() {
            return Ok(Self::ABSENT);
        }
        let (length, elements) = bytes.split_first_chunk::<2>().ok_or(AppendageError::LengthCut)?;
        let said = usize::from(u16::from_be_bytes(*length));
        if said != elements.len() {
            return Err(AppendageError::Length { said, found: elements.len() });
        }
        let mut rest = elements;
        while !rest.is_empty() {
            let at = elements.len() - rest.len();
            rest =
                element(rest).map_err(|said| AppendageError::Element { at, said, left: rest.len() - 1 })?.2;
        }
        let appendage = Self { elements: Some(elements) };
        for (tag, value) in appendage.raw() {
            Option50::read(tag, value)?;
        }
        Ok(appendage)
    }

    /// Its elements in order. A tag that is there twice comes twice.
    pub fn elements(&self) -> Elements<'a> {
        Elements { rest: self.elements.unwrap_or_default() }
    }

    /// The first option that `pick` takes.
    ///
    /// ```
    /// use spinward_gateways::ouch50::{AppendageWriter, Option50};
    /// let mut writer = AppendageWriter::new();
    /// writer.push(&Option50::PostOnly(b'P'));
    /// let post_only = writer.appendage().find(|option| match option {
    ///     Option50::PostOnly(byte) => Some(byte),
    ///     _ => None,
    /// });
    /// assert_eq!(post_only, Some(b'P'));
    /// ```
    pub fn find<T>(&self, mut pick: impl FnMut(Option50) -> Option<T>) -> Option<T> {
        self.elements().find_map(|element| match element {
            Element::Known(option) => pick(option),
            Element::Unknown { .. } => None,
        })
    }

    /// Whether even its length is missing.
    pub const fn is_absent(&self) -> bool {
        self.elements.is_none()
    }

    /// Itself, or an empty one if it is absent.
    pub(super) const fn or_empty(self) -> Self {
        match self.elements {
            Some(_) => self,
            None => Appendage { elements: Some(&[]) },
        }
    }

    /// Bytes it takes in a message.
    pub(super) fn wire_bytes(&self) -> usize {
        self.elements.map_or(0, |elements| 2 + elements.len())
    }

    /// Into exactly [`Appendage::wire_bytes`] bytes.
    pub(super) fn write(&self, out: &mut [u8]) {
        if let (Some(elements), Some((length, to))) = (self.elements, out.split_first_chunk_mut::<2>()) {
            // Parsed from or written with a length of two bytes.
            *length = (elements.len() as u16).to_be_bytes();
            if to.len() == elements.len() {
                to.copy_from_slice(elements);
            }
        }
    }

    fn raw(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let mut rest = self.elements.unwrap_or_default();
        std::iter::from_fn(move || {
            let (tag, value, after) = element(rest).ok()?;
            rest = after;
            Some((tag, value))
        })
    }
}

/// Tag, value and what follows; the length it says if there is less, or if that is 0.
#[inline]
fn element(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), usize> {
    let Some((&length, rest)) = bytes.split_first() else { return Err(0) };
    let length = usize::from(length);
    match rest.split_at_checked(length) {
        Some(([tag, value @ ..], after)) => Ok((*tag, value, after)),
        Some(([], _)) | None => Err(length),
    }
}

/// Iterates over the elements of an [`Appendage`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (tag, value, after) = element(self.rest).ok()?;
        self.rest = after;
        Some(match Option50::read(tag, value) {
            Ok(Some(option)) => Element::Known(option),
            // Lengths were checked when the appendage was made.
            Ok(None) | Err(_) => Element::Unknown { tag, value },
        })
    }
}

/// Puts an appendage together.
#[derive(Clone, Debug)]
pub struct AppendageWriter {
    bytes: [u8; APPENDAGE_BYTES_MAX],
    filled: usize,
}

impl AppendageWriter {
    /// Empty.
    pub const fn new() -> Self {
        Self { bytes: [0; APPENDAGE_BYTES_MAX], filled: 0 }
    }

    /// Adds an option; false, and nothing is added, if there is no room. Every option once always fits.
    pub fn push(&mut self, option: &Option50) -> bool {
        let value = option.value();
        let end = self.filled + 2 + value.len();
        let Some([length, tag, to @ ..]) = self.bytes.get_mut(self.filled..end) else { return false };
        *length = value.len() as u8 + 1;
        *tag = option.tag();
        to.copy_from_slice(value);
        self.filled = end;
        true
    }

    /// What was put together.
    pub fn appendage(&self) -> Appendage<'_> {
        Appendage { elements: Some(self.bytes.get(..self.filled).unwrap_or_default()) }
    }
}

impl Default for AppendageWriter {
    fn default() -> Self {
        Self::new()
    }
}
