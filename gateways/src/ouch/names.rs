//! Names on the wire: an order's id in its `ClOrdId`, so that the venue's stream alone tells a later process which order is whose; and symbols.

use crate::itch50::Stock;
use crate::ouch50::ClOrdId;
use spinward_engine::words::{Instrument, InstrumentId, InstrumentTable, NANOS_PER_UNIT, OrderId};

use super::config::OuchConfigError;

const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The `ClOrdId` of an order: `S` and thirteen digits to the base of 36, as 36^13 > 2^64.
pub fn name_of(order: OrderId) -> ClOrdId {
    let mut bytes = [b'S'; 14];
    let mut rest = order.get();
    for to in bytes.iter_mut().skip(1).rev() {
        *to = DIGITS.get((rest % 36) as usize).copied().unwrap_or(b'0');
        rest /= 36;
    }
    ClOrdId::from_bytes(bytes)
}

/// The order of a name; `None` for a name that is not of ours.
pub(super) fn order_of(name: &ClOrdId) -> Option<OrderId> {
    let digits = name.bytes().strip_prefix(b"S")?;
    let mut number = 0u64;
    for digit in digits {
        let value = DIGITS.iter().position(|known| known == digit)?;
        number = number.checked_mul(36)?.checked_add(value as u64)?;
    }
    Some(OrderId::new(number)).filter(|order| *order != OrderId::NONE)
}

/// Symbols by instrument, and back.
#[derive(Debug)]
pub(super) struct Symbols {
    stocks: Box<[Option<Stock>]>,
}

impl Symbols {
    /// All that OUCH can name; those that are traded must be.
    ///
    /// # Errors
    /// [`OuchConfigError::Instrument`] if OUCH cannot name or count one.
    pub(super) fn new(table: &InstrumentTable) -> Result<Self, OuchConfigError> {
        let stock = |instrument: &Instrument| -> Result<Option<Stock>, OuchConfigError> {
            let refuse = |why| OuchConfigError::Instrument { symbol: instrument.symbol, why };
            if instrument.terms.is_none() {
                // Never sent; named all the same if it can be, as an earlier process may have traded it.
                return Ok(Stock::new(instrument.symbol.as_str()));
            }
            if instrument.lot != NANOS_PER_UNIT {
                return Err(refuse("it counts single shares; write lot = 1"));
            }
            Stock::new(instrument.symbol.as_str())
                .map(Some)
                .ok_or_else(|| refuse("its name has more than 8 letters"))
        };
        Ok(Self { stocks: table.iter().map(stock).collect::<Result<_, _>>()? })
    }

    pub(super) fn stock(&self, instrument: InstrumentId) -> Option<Stock> {
        self.stocks.get(instrument.index()).copied().flatten()
    }

    pub(super) fn instrument(&self, stock: &Stock) -> Option<InstrumentId> {
        let index = self.stocks.iter().position(|known| known.as_ref() == Some(stock))?;
        u32::try_from(index).ok().map(InstrumentId::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_order_is_found_by_its_name(number in 1u64..) {
            prop_assert_eq!(order_of(&name_of(OrderId::new(number))), Some(OrderId::new(number)));
        }

        #[test]
        fn no_bytes_are_read_as_an_order_that_would_be_written_otherwise(bytes in any::<[u8; 14]>()) {
            if let Some(order) = order_of(&ClOrdId::from_bytes(bytes)) {
                prop_assert_eq!(*name_of(order).bytes(), bytes);
            }
        }
    }

    #[test]
    fn names_of_others_are_nobodys() {
        assert_eq!(name_of(OrderId::new(u64::MAX)).bytes(), b"S3W5E11264SGSF");
        for name in ["", "S", "00000000000001", "S0000000000000", "SZZZZZZZZZZZZZ", "s0000000000001"] {
            assert_eq!(order_of(&ClOrdId::new(name).unwrap()), None, "{name}");
        }
    }
}
