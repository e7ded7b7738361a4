//! What can be seen and traded: [`Instrument`], its tick bands, fees and sessions, and the table of all of them.

use super::{
    id::{InstrumentId, Symbol},
    number::{Money, NANOS_PER_UNIT, Price, Qty, round_div},
    time::Nanos,
};
use crate::state::{Snapshot, StateError, StateReader, StateWriter};
use std::sync::Arc;

/// From `from` upwards (until the next band) prices are multiples of `tick`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TickBand {
    /// First price of the band, inclusive.
    pub from: Price,
    /// Price step inside the band; greater than zero.
    pub tick: Price,
}

/// Price steps by price band, lowest band first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TickTable {
    bands: Box<[TickBand]>,
}

impl TickTable {
    /// From bands. `None` if there is none, a tick is not positive, or the bands do not ascend strictly.
    pub fn new(bands: &[TickBand]) -> Option<Self> {
        let ascending = bands.iter().zip(bands.iter().skip(1)).all(|(lower, upper)| lower.from < upper.from);
        let positive = bands.iter().all(|band| band.tick > Price::ZERO);
        (!bands.is_empty() && ascending && positive).then(|| Self { bands: bands.into() })
    }

    /// One tick at every price.
    pub fn uniform(tick: Price) -> Option<Self> {
        Self::new(&[TickBand { from: Price::MIN, tick }])
    }

    /// The tick that holds at `price`. Below the lowest band its tick holds.
    #[inline]
    pub fn tick_at(&self, price: Price) -> Price {
        let mut tick = Price::from_nanos(1);
        for (index, band) in self.bands.iter().enumerate() {
            if index == 0 || band.from <= price {
                tick = band.tick;
            }
        }
        tick
    }

    /// Whether `price` lies on the grid of its band.
    #[inline]
    pub fn on_grid(&self, price: Price) -> bool {
        price.nanos() % self.tick_at(price).nanos() == 0
    }

    /// The highest grid price not above `price`.
    #[inline]
    pub fn floor(&self, price: Price) -> Price {
        let tick = self.tick_at(price).nanos();
        Price::from_nanos(price.nanos().saturating_sub(price.nanos().rem_euclid(tick)))
    }

    /// The lowest grid price not below `price`.
    #[inline]
    pub fn ceil(&self, price: Price) -> Price {
        let tick = self.tick_at(price).nanos();
        let past = price.nanos().rem_euclid(tick);
        if past == 0 { price } else { Price::from_nanos(price.nanos().saturating_add(tick - past)) }
    }

    /// The bands, lowest first.
    pub fn bands(&self) -> &[TickBand] {
        &self.bands
    }
}

/// What a fill costs: a part of the notional plus an amount per lot. Negative is a rebate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fee {
    /// Part of the notional, in units of 1e-9 (200 000 is 0.02 %, 2 basis points).
    pub rate: i64,
    /// Amount per lot.
    pub per_lot: Money,
}

/// Fees by liquidity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fees {
    /// For a resting order that was hit.
    pub maker: Fee,
    /// For an order that took liquidity.
    pub taker: Fee,
}

/// When trading is open: half-open intervals of UTC time, expanded from the venue's calendar and time zone when the
/// configuration is read, so that the pipeline needs no time-zone rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionCalendar {
    /// Ascending, disjoint `[open, close)`; empty means always open.
    intervals: Arc<[(Nanos, Nanos)]>,
}

impl SessionCalendar {
    /// Open at all times.
    pub fn always() -> Self {
        Self { intervals: Arc::from([]) }
    }

    /// From `[open, close)` intervals. `None` if there is none, one is empty or they are not ascending and disjoint.
    pub fn new(intervals: &[(Nanos, Nanos)]) -> Option<Self> {
        let whole = intervals.iter().all(|(open, close)| open < close);
        let apart = intervals.iter().zip(intervals.iter().skip(1)).all(|(a, b)| a.1 <= b.0);
        (!intervals.is_empty() && whole && apart).then(|| Self { intervals: intervals.into() })
    }

    /// Whether trading is open at `time`.
    pub fn is_open(&self, time: Nanos) -> bool {
        if self.intervals.is_empty() {
            return true;
        }
        let next = self.intervals.partition_point(|(open, _)| *open <= time);
        next.checked_sub(1).and_then(|i| self.intervals.get(i)).is_some_and(|(_, close)| time < *close)
    }
}

/// What the configuration adds to make an instrument tradable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TradingTerms {
    /// Price grid.
    pub ticks: TickTable,
    /// Money per 1.0 of price and one unit of quantity (200 for TXF), in units of 1e-9. Greater than zero.
    pub multiplier: i64,
    /// Currency of prices, fees and PnL.
    pub currency: Symbol,
    /// Fees.
    pub fees: Fees,
    /// When trading is open.
    pub calendar: SessionCalendar,
    /// Last instant at which it can be traded; `Nanos::MAX` for instruments without an end.
    pub expiry: Nanos,
    /// Lowest price an order may carry (the venue's limit-down).
    pub price_min: Price,
    /// Highest price an order may carry (limit-up).
    pub price_max: Price,
}

/// One instrument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instrument {
    /// Its place in the table.
    pub id: InstrumentId,
    /// The feed it comes from: one symbol may trade on several.
    pub source: super::SourceId,
    /// The venue's symbol.
    pub symbol: Symbol,
    /// Size of one lot in the venue's quantity units, in units of 1e-9 (1 share: 1e9; 0.001 BTC: 1e6). Greater than zero.
    pub lot: i64,
    /// Decimal places in which the venue writes prices, 0–9. For display.
    pub price_decimals: u8,
    /// Decimal places in which the venue writes quantities, 0–9. For display.
    pub qty_decimals: u8,
    /// Terms of trading; `None` if it was only learnt from the feed: seen in books, not tradable.
    pub terms: Option<TradingTerms>,
}

impl Instrument {
    /// Money that one lot is worth per 1.0 of price, in units of 1e-9 (lot × multiplier), nearest.
    /// 0 for an instrument that is not tradable.
    pub fn unit_value(&self) -> i64 {
        let Some(terms) = &self.terms else { return 0 };
        // |i64|·|i64| < 2^126
        let product = i128::from(self.lot) * i128::from(terms.multiplier);
        i64::try_from(round_div(product, i128::from(NANOS_PER_UNIT))).unwrap_or(i64::MAX)
    }

    /// `|price| × qty × lot × multiplier`, nearest 1e-9; `None` beyond the range of [`Money`].
    pub fn notional(&self, price: Price, qty: Qty) -> Option<Money> {
        notional(self.unit_value(), price, qty)
    }
}

/// `price × qty × unit_value`, rounded to the nearest 1e-9; `None` beyond the range of [`Money`]. Signed as the product is.
#[inline]
pub fn notional(unit_value: i64, price: Price, qty: Qty) -> Option<Money> {
    // |i64|·|i64| < 2^126; the third factor is checked.
    let per_unit = i128::from(price.nanos()) * i128::from(qty.lots());
    let product = per_unit.checked_mul(i128::from(unit_value))?;
    i64::try_from(round_div(product, i128::from(NANOS_PER_UNIT))).ok().map(Money::from_nanos)
}

/// Every instrument of a session: the configured ones first, then those learnt from the feeds' directories, up to
/// `capacity`. Built at start; the normalizer appends what it learns, later stages hear of it by events.
#[derive(Clone, Debug)]
pub struct InstrumentTable {
    instruments: Vec<Instrument>,
    capacity: usize,
}

impl InstrumentTable {
    /// An empty table that holds at most `capacity` instruments, all memory taken now.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { instruments: Vec::with_capacity(capacity), capacity }
    }

    /// Appends; the id is assigned here. `None` if the table is full.
    pub fn add(&mut self, mut instrument: Instrument) -> Option<InstrumentId> {
        if self.instruments.len() >= self.capacity {
            return None;
        }
        let id = InstrumentId::new(u32::try_from(self.instruments.len()).ok()?);
        instrument.id = id;
        self.instruments.push(instrument);
        Some(id)
    }

    /// The instrument with this id.
    pub fn by_id(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.get(id.index())
    }

    /// Sets the decimals for display, once a feed has shown how the venue writes them.
    pub fn set_decimals(&mut self, id: InstrumentId, price_decimals: u8, qty_decimals: u8) {
        if let Some(instrument) = self.instruments.get_mut(id.index()) {
            instrument.price_decimals = price_decimals;
            instrument.qty_decimals = qty_decimals;
        }
    }

    /// Gives an instrument the name that a feed has told only now.
    pub fn rename(&mut self, id: InstrumentId, symbol: Symbol) {
        if let Some(instrument) = self.instruments.get_mut(id.index()) {
            instrument.symbol = symbol;
        }
    }

    /// Searches by source and symbol: linear, for start-up and display. Decoders keep their own index.
    pub fn find(&self, source: super::SourceId, symbol: &Symbol) -> Option<InstrumentId> {
        self.instruments.iter().find(|i| i.source == source && i.symbol == *symbol).map(|i| i.id)
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Instrument> {
        self.instruments.iter()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.instruments.len()
    }

    /// How many there can be.
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

/// Saves symbols, lots and decimals. The terms are the configuration's; an instrument that is already there must be the same one.
impl Snapshot for InstrumentTable {
    fn save(&self, state: &mut StateWriter) {
        let Self { instruments, capacity: _ } = self;
        state.list(instruments.iter(), |state, instrument| {
            let Instrument { id: _, source, symbol, lot, price_decimals, qty_decimals, terms } = instrument;
            state.u8(source.get());
            state.pod(symbol);
            state.i64(*lot);
            state.u8(*price_decimals);
            state.u8(*qty_decimals);
            state.bool(terms.is_some());
        });
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let configured = self.count();
        let mut index = 0;
        let count = state.list(self.capacity, |state| {
            let id = InstrumentId::new(index);
            index += 1;
            let source = super::SourceId::new(state.u8()?);
            let symbol: Symbol = state.pod()?;
            let lot = state.i64()?;
            let (price_decimals, qty_decimals, is_tradable) = (state.u8()?, state.u8()?, state.bool()?);
            match self.by_id(id) {
                Some(known) => {
                    let same = known.source == source
                        && known.symbol == symbol
                        && known.lot == lot
                        && known.terms.is_some() == is_tradable;
                    state.demand(same, "another instrument is configured there")?;
                    self.set_decimals(id, price_decimals, qty_decimals);
                }
                None => {
                    state.demand(!is_tradable, "a tradable instrument that is not configured")?;
                    let learnt =
                        Instrument { id, source, symbol, lot, price_decimals, qty_decimals, terms: None };
                    let added = self.add(learnt);
                    state.demand(added == Some(id), "more instruments than there is room for")?;
                }
            }
            Ok(())
        })?;
        state.demand(count >= configured, "fewer instruments than are configured")
    }
}
