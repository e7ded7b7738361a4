//! What a symbol allows: ticks, lots, and the size of the engine.

use super::words::Price4;

/// From this price on, this tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TickBand {
    /// Lowest price of the band, a multiple of the tick of the band below and of its own.
    pub from: Price4,
    /// The tick, in 1/10,000.
    pub tick: u32,
}

/// Bands of a tick table: Regulation NMS needs two.
const BANDS: usize = 4;

/// Ticks by price. Counts the prices of the grid from 0, so that neighbours differ by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TickTable {
    /// From which price, the tick, and the number of grid prices below the band. Vacant bands begin beyond every price.
    bands: [(u32, u32, u32); BANDS],
}

impl TickTable {
    /// $0.0001 below a dollar, a cent from there on (Regulation NMS, rule 612).
    pub const REG_NMS: Self = Self { bands: [(0, 1, 0), (10_000, 100, 10_000), VACANT, VACANT] };

    /// Of bands from price 0 upwards; `None` unless there are 1 to 4, rising, each beginning at a multiple of the ticks of both sides.
    pub fn new(bands: &[TickBand]) -> Option<Self> {
        let mut table = [VACANT; BANDS];
        let mut below: Option<(u32, u32, u32)> = None;
        for (index, band) in bands.iter().enumerate() {
            let from = band.from.units();
            let first = match below {
                None if from == 0 && band.tick > 0 => 0,
                Some((start, tick, first)) if from > start && (from - start).is_multiple_of(tick) => {
                    first + (from - start) / tick
                }
                None | Some(_) => return None,
            };
            if band.tick == 0 || !from.is_multiple_of(band.tick) {
                return None;
            }
            let entry = (from, band.tick, first);
            *table.get_mut(index)? = entry;
            below = Some(entry);
        }
        below.map(|_| Self { bands: table })
    }

    /// One tick at all prices; `None` if it is 0.
    pub fn uniform(tick: u32) -> Option<Self> {
        Self::new(&[TickBand { from: Price4::NONE, tick }])
    }

    /// How many prices of the grid lie below this one; `None` if it is not on the grid.
    #[inline]
    pub fn index(&self, price: Price4) -> Option<u32> {
        let units = price.units();
        let (from, tick, first) = self.band(|band| band.0 <= units);
        let over = units - from;
        over.is_multiple_of(tick).then(|| first + over / tick)
    }

    /// The price that has so many below it.
    #[inline]
    pub fn price(&self, index: u32) -> Price4 {
        let (from, tick, first) = self.band(|band| band.2 <= index);
        Price4::new(from + (index - first) * tick)
    }

    /// The highest grid price that is not above this one.
    pub fn floor(&self, price: Price4) -> Price4 {
        let units = price.units();
        let (from, tick, _) = self.band(|band| band.0 <= units);
        Price4::new(from + (units - from) / tick * tick)
    }

    #[inline]
    fn band(&self, holds: impl Fn(&(u32, u32, u32)) -> bool) -> (u32, u32, u32) {
        let [lowest, rest @ ..] = self.bands;
        rest.iter().copied().take_while(holds).last().unwrap_or(lowest)
    }
}

/// A band that no price reaches.
const VACANT: (u32, u32, u32) = (u32::MAX, 1, u32::MAX);

/// What a symbol is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymbolRules {
    /// Prices allowed.
    pub ticks: TickTable,
    /// Orders are multiples of it, in shares.
    pub lot: u32,
    /// What ties of a cross are broken towards until the first trade.
    pub reference: Price4,
    /// No sell below; the first limit down.
    pub lower: Price4,
    /// No buy above; the first limit up.
    pub upper: Price4,
}

impl Default for SymbolRules {
    fn default() -> Self {
        Self {
            ticks: TickTable::REG_NMS,
            lot: 1,
            reference: Price4::new(1_000_000),
            lower: Price4::NONE,
            upper: Price4::MAX,
        }
    }
}

/// How large the engine is. All memory is taken at the start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineConfig {
    /// Its symbols, 1 to 65,535.
    pub symbols: Vec<SymbolRules>,
    /// Most orders that rest at once, 1 to 16,777,216. About 110 bytes each.
    pub orders_max: usize,
}

/// Why an [`EngineConfig`] is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    /// Number of symbols out of range.
    #[error("{0} symbols: give 1 to 65535")]
    Symbols(usize),
    /// `orders_max` out of range.
    #[error("orders_max {0}: give 1 to 16777216")]
    Orders(usize),
    /// A symbol's lot, reference or bands make no sense.
    #[error(
        "symbol {0}: lot must be 1 to 1,000,000, the reference on the tick grid and above 0, the lower band at most the upper one"
    )]
    Rules(usize),
}

impl EngineConfig {
    /// Whether an engine can be made of it.
    ///
    /// # Errors
    /// Names the first value out of range.
    pub fn check(&self) -> Result<(), EngineError> {
        if !(1..=65_535).contains(&self.symbols.len()) {
            return Err(EngineError::Symbols(self.symbols.len()));
        }
        if !(1..=1 << 24).contains(&self.orders_max) {
            return Err(EngineError::Orders(self.orders_max));
        }
        let bad = self.symbols.iter().position(|rules| {
            !(1..=1_000_000).contains(&rules.lot)
                || rules.reference == Price4::NONE
                || rules.reference > Price4::MAX
                || rules.ticks.index(rules.reference).is_none()
                || rules.lower > rules.upper
        });
        bad.map_or(Ok(()), |index| Err(EngineError::Rules(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_counts_up_and_back_over_the_bands() {
        let table = TickTable::REG_NMS;
        let mut last = None;
        for units in 0..30_000 {
            let price = Price4::new(units);
            assert_eq!(table.index(price).is_some(), units < 10_000 || units % 100 == 0, "{units}");
            if let Some(index) = table.index(price) {
                assert_eq!(last.map_or(0, |last| last + 1), index);
                assert_eq!(table.price(index), price);
                last = Some(index);
            }
            assert_eq!(Some(table.floor(price)), last.map(|index| table.price(index)));
        }
    }

    #[test]
    fn a_table_with_holes_or_off_its_own_grid_is_refused() {
        let band = |from, tick| TickBand { from: Price4::new(from), tick };
        assert!(TickTable::new(&[]).is_none());
        assert!(TickTable::new(&[band(100, 1)]).is_none());
        assert!(TickTable::new(&[band(0, 0)]).is_none());
        assert!(TickTable::new(&[band(0, 7), band(100, 10)]).is_none());
        assert!(TickTable::new(&[band(0, 10), band(90, 100)]).is_none());
        assert!(TickTable::new(&[band(0, 10), band(0, 20)]).is_none());
        assert!(TickTable::new(&[band(0, 1), band(10, 5), band(100, 10), band(1_000, 100)]).is_some());
        assert_eq!(TickTable::new(&[band(0, 1), band(10_000, 100)]), Some(TickTable::REG_NMS));
    }
}
