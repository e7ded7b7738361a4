//! Wire to wire: from the moment a packet of market data left to the moment the order that it caused arrived, on one clock.
//!
//! The order says what caused it: its `ClOrdId` is a tag made by [`tag`]. Of orders with other names the arrival is kept: who knows what caused them says so
//! afterwards.

use super::history::History;
use crate::ouch50::ClOrdId;
use spinward_engine::words::{Clock, Ticks};
use std::collections::HashMap;

/// The letter that a tag begins with.
const MARK: u8 = b'@';

/// The `ClOrdId` of an order that the message of market data with this number caused; `None` if it has more than 13 digits.
///
/// ```
/// use spinward_gateways::exchange::server::{tag, tagged};
/// let id = tag(1_234_567).unwrap();
/// assert_eq!((id.trimmed(), tagged(&id)), (&b"@1234567"[..], Some(1_234_567)));
/// ```
pub fn tag(sequence: u64) -> Option<ClOrdId> {
    let mut text = [b' '; 14];
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = sequence;
    loop {
        at -= 1;
        *digits.get_mut(at)? = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let digits = digits.get(at..)?;
    *text.first_mut()? = MARK;
    text.get_mut(1..=digits.len())?.copy_from_slice(digits);
    Some(ClOrdId::from_bytes(text))
}

/// The number in a tag; `None` if it is none.
pub fn tagged(id: &ClOrdId) -> Option<u64> {
    let (MARK, digits) = id.trimmed().split_first().map(|(mark, digits)| (*mark, digits))? else {
        return None;
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // At most 13 digits.
    Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireSample {
    /// Message of market data that caused the order.
    pub sequence: u64,
    /// When its packet was handed to the system, just before the call, in ticks of [`Clock`].
    pub sent_at: Ticks,
    /// When the order's bytes had been read, just after the call.
    pub arrived_at: Ticks,
    /// Between the two.
    pub nanos: u64,
}

/// The samples of a session.
pub(super) struct Stamps {
    pub(super) clock: Clock,
    samples: Vec<WireSample>,
    /// Orders without a tag, by name, and when they arrived.
    others: Vec<(ClOrdId, Ticks)>,
    samples_max: usize,
    pub(super) count: u64,
}

impl Stamps {
    pub(super) fn new(samples_max: usize) -> Self {
        Self { clock: Clock::new(), samples: Vec::new(), others: Vec::new(), samples_max, count: 0 }
    }

    /// A message of an account came.
    pub(super) fn on_order(&mut self, arrived_at: Ticks, bytes: &[u8], history: &History) {
        // ClOrdId of Enter Order and of Replace Order.
        let id = match bytes.first() {
            Some(b'O') => bytes.get(31..45),
            Some(b'U') => bytes.get(24..38),
            Some(_) | None => None,
        };
        let id = id.and_then(|id| <[u8; 14]>::try_from(id).ok()).map(ClOrdId::from_bytes);
        let Some(id) = id else { return };
        match tagged(&id) {
            Some(sequence) => {
                let Some(sample) = self.sample(sequence, arrived_at, history) else { return };
                self.count += 1;
                if self.samples.len() < self.samples_max {
                    self.samples.push(sample);
                }
            }
            None if self.others.len() < self.samples_max => self.others.push((id, arrived_at)),
            None => {}
        }
    }

    fn sample(&self, sequence: u64, arrived_at: Ticks, history: &History) -> Option<WireSample> {
        let sent_at = history.sent_at(sequence)?;
        let nanos = self.clock.nanos_between(sent_at, arrived_at);
        Some(WireSample { sequence, sent_at, arrived_at, nanos })
    }

    /// The samples of orders without a tag that these messages caused; all such orders are forgotten then.
    pub(super) fn take_of(&mut self, causes: &[(ClOrdId, u64)], history: &History) -> Vec<WireSample> {
        let arrived: HashMap<[u8; 14], Ticks> =
            std::mem::take(&mut self.others).into_iter().map(|(id, at)| (*id.bytes(), at)).collect();
        let sample =
            |(id, sequence): &(ClOrdId, u64)| self.sample(*sequence, *arrived.get(id.bytes())?, history);
        causes.iter().filter_map(sample).collect()
    }

    /// All samples since the last time.
    pub(super) fn take(&mut self) -> Vec<WireSample> {
        std::mem::take(&mut self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_tag_says_its_number_and_any_other_id_none(number in 0u64..10_000_000_000_000, other: [u8; 14]) {
            prop_assert_eq!(tagged(&tag(number).unwrap()), Some(number));
            let id = ClOrdId::from_bytes(other);
            if let Some(number) = tagged(&id) {
                prop_assert_eq!(other[0], MARK);
                prop_assert!(number < 10_000_000_000_000);
            }
        }
    }

    #[test]
    fn numbers_of_more_digits_and_half_tags_are_refused() {
        assert_eq!(tag(10_000_000_000_000), None);
        for text in ["", "@", "@1x", "12", "@ 1", "x@1"] {
            assert_eq!(tagged(&ClOrdId::new(text).unwrap()), None, "{text:?}");
        }
    }
}
