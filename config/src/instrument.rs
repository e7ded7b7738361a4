//! `[[instrument]]`: what can be traded, on which terms, within which limits.

use crate::field::Exact;
use crate::problem::Wrong;
use crate::visit::{Section, Visitor};
use jiff::Timestamp;
use spinward_engine::words::{
    Fee, Fees, Instrument, InstrumentId, Money, NANOS_PER_UNIT, Nanos, Price, SessionCalendar, SourceId,
    Symbol, TickBand, TickTable, TradingTerms,
};

/// The source of market data in a session.
pub const FEED_SOURCE: SourceId = SourceId::new(0);

/// A band of prices with its tick.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TickBandSettings {
    /// First price of the band.
    pub from: Price,
    /// Price step from there on.
    pub tick: Price,
}

impl Section for TickBandSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("from", "write the first price of the band, like \"0\"", &mut self.from);
        visitor.required("tick", "write the price step from there on, like \"0.01\"", &mut self.tick);
    }
}

/// `fees` of an instrument. Negative is a rebate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeeSettings {
    /// Part of the notional for a resting order that was hit.
    pub maker: Exact,
    /// Part of the notional for an order that took liquidity.
    pub taker: Exact,
    /// Amount per lot besides.
    pub maker_per_lot: Money,
    /// Amount per lot besides.
    pub taker_per_lot: Money,
}

impl Section for FeeSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        let mend = "write the part of the notional, like \"0.0002\" for 2 basis points, or \"0\"";
        visitor.required("maker", mend, &mut self.maker);
        visitor.required("taker", mend, &mut self.taker);
        visitor.key("maker_per_lot", &mut self.maker_per_lot);
        visitor.key("taker_per_lot", &mut self.taker_per_lot);
    }
}

/// `limits` of an instrument: without them it cannot be traded.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LimitSettings {
    /// Largest order, lots.
    pub order_qty_max: i64,
    /// Largest notional of an order, in the instrument's currency.
    pub order_notional_max: Money,
    /// Largest position over all strategies, long or short, working orders counted in full, lots.
    pub position_max: i64,
    /// Farthest that a price may be from the reference price, millionths of it. 0: not used.
    pub collar_ppm: u32,
    /// The same in ticks; the greater distance counts. 0: not used.
    pub collar_ticks: u32,
}

impl Section for LimitSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("order_qty_max", "write the largest order in lots", &mut self.order_qty_max);
        visitor.required(
            "order_notional_max",
            "write the largest value of an order in the instrument's currency, like \"100000\"",
            &mut self.order_notional_max,
        );
        visitor.required("position_max", "write the largest position in lots", &mut self.position_max);
        visitor.key("collar_ppm", &mut self.collar_ppm);
        visitor.key("collar_ticks", &mut self.collar_ticks);
    }
}

/// One instrument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstrumentSettings {
    /// The venue's symbol.
    pub symbol: String,
    /// Price step at every price; absent where bands are given.
    pub tick: Option<Price>,
    /// Price steps by band, lowest first.
    pub tick_bands: Vec<TickBandSettings>,
    /// Size of one lot in the venue's quantity unit.
    pub lot: Exact,
    /// Money per 1.0 of price and one unit of quantity.
    pub multiplier: Exact,
    /// Currency of prices, fees and PnL.
    pub currency: String,
    /// Name of the calendar.
    pub calendar: String,
    /// What fills cost.
    pub fees: Option<FeeSettings>,
    /// Last instant at which it can be traded.
    pub expiry: Option<Timestamp>,
    /// Lowest price of an order.
    pub price_min: Option<Price>,
    /// Highest price of an order.
    pub price_max: Option<Price>,
    /// Limits.
    pub limits: Option<LimitSettings>,
}

impl Default for InstrumentSettings {
    fn default() -> Self {
        Self {
            symbol: String::new(),
            tick: None,
            tick_bands: Vec::new(),
            lot: Exact::ONE,
            multiplier: Exact::ONE,
            currency: String::new(),
            calendar: String::new(),
            fees: None,
            expiry: None,
            price_min: None,
            price_max: None,
            limits: None,
        }
    }
}

impl Section for InstrumentSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("symbol", "write the venue's symbol, like \"BTCUSDT\"", &mut self.symbol);
        visitor.optional("tick", &mut self.tick);
        visitor.sections("tick_band", &mut self.tick_bands);
        visitor.required(
            "lot",
            "write the smallest tradable quantity in the venue's unit: \"0.001\", or 1 for one share",
            &mut self.lot,
        );
        visitor.key("multiplier", &mut self.multiplier);
        visitor.required("currency", "write the currency of its prices, like \"USD\"", &mut self.currency);
        visitor.required(
            "calendar",
            "name a [[calendar]], or \"always\" for a market that never closes",
            &mut self.calendar,
        );
        visitor.optional("expiry", &mut self.expiry);
        visitor.optional("price_min", &mut self.price_min);
        visitor.optional("price_max", &mut self.price_max);
        visitor.optional_section("fees", &mut self.fees);
        visitor.optional_section("limits", &mut self.limits);
    }
}

/// A problem of one instrument: the key below it, what, and the mend.
pub(crate) type InstrumentProblem = (String, Wrong);

impl InstrumentSettings {
    /// The price grid.
    pub(crate) fn ticks(&self) -> Result<TickTable, InstrumentProblem> {
        let refuse = |key: &str, what: String, mend: &str| Err((key.to_owned(), Wrong::new(what, mend)));
        match (self.tick, self.tick_bands.as_slice()) {
            (None, []) => {
                refuse("tick", "tick is missing".to_owned(), "write the price step, like tick = \"0.01\"")
            }
            (Some(_), [_, ..]) => {
                refuse("tick", "tick and tick_band are both given".to_owned(), "keep one of them")
            }
            (Some(tick), []) => match TickTable::uniform(tick) {
                Some(ticks) => Ok(ticks),
                None => refuse(
                    "tick",
                    format!("tick is {tick}"),
                    "give a price step greater than 0, like \"0.01\"",
                ),
            },
            (None, bands) => {
                for (index, band) in bands.iter().enumerate() {
                    if band.tick <= Price::ZERO {
                        let what = format!("tick is {}", band.tick);
                        let mend = "give a price step greater than 0, like \"0.01\"";
                        return refuse(&format!("tick_band[{index}].tick"), what, mend);
                    }
                    if band.from.nanos() % band.tick.nanos() != 0 {
                        let what = format!("the band begins at {}, off its tick {}", band.from, band.tick);
                        let mend = "begin the band at a multiple of its tick";
                        return refuse(&format!("tick_band[{index}].from"), what, mend);
                    }
                }
                let plain: Vec<TickBand> =
                    bands.iter().map(|band| TickBand { from: band.from, tick: band.tick }).collect();
                TickTable::new(&plain).ok_or_else(|| {
                    let wrong =
                        Wrong::new("the bands do not ascend", "put the lowest `from` first, each one once");
                    ("tick_band".to_owned(), wrong)
                })
            }
        }
    }

    /// Everything that is wrong with it alone.
    pub(crate) fn problems(&self) -> Vec<InstrumentProblem> {
        let mut problems = Vec::new();
        let mut refuse = |key: &str, what: String, mend: &str| {
            problems.push((key.to_owned(), Wrong::new(what, mend)));
        };
        let symbol_mend = "give 1 to 24 printable ASCII characters without spaces";
        if Symbol::new(&self.symbol).is_none() {
            refuse("symbol", format!("{:?} is not a symbol", self.symbol), symbol_mend);
        }
        if Symbol::new(&self.currency).is_none() {
            refuse("currency", format!("{:?} is not a currency", self.currency), symbol_mend);
        }
        for (key, value) in [("lot", self.lot), ("multiplier", self.multiplier)] {
            if value.nanos <= 0 {
                refuse(key, format!("{key} is {value}"), "give a number greater than 0");
            }
        }
        // |i64|·|i64| < 2^126
        let unit_value =
            i128::from(self.lot.nanos) * i128::from(self.multiplier.nanos) / i128::from(NANOS_PER_UNIT);
        if self.lot.nanos > 0 && self.multiplier.nanos > 0 && !(1..i128::from(i64::MAX)).contains(&unit_value)
        {
            let what = format!("lot {} × multiplier {} is out of range", self.lot, self.multiplier);
            refuse("multiplier", what, "let the product lie between 0.000000001 and 9223372036");
        }
        match self.ticks() {
            Err((key, wrong)) => problems.push((key, wrong)),
            Ok(ticks) => {
                for (key, limit) in [("price_min", self.price_min), ("price_max", self.price_max)] {
                    if let Some(limit) = limit
                        && !ticks.on_grid(limit)
                    {
                        let what = format!("{key} {limit} is off the tick {}", ticks.tick_at(limit));
                        let mend = format!("use {} or {}", ticks.floor(limit), ticks.ceil(limit));
                        problems.push((key.to_owned(), Wrong::new(what, mend)));
                    }
                }
            }
        }
        if let (Some(min), Some(max)) = (self.price_min, self.price_max)
            && min >= max
        {
            let what = format!("price_min {min} is not below price_max {max}");
            problems.push(("price_min".to_owned(), Wrong::new(what, "let price_min be the lower one")));
        }
        if let Some(fees) = &self.fees {
            for (key, rate) in [("fees.maker", fees.maker), ("fees.taker", fees.taker)] {
                if rate.nanos.abs() >= NANOS_PER_UNIT {
                    let what = format!("{key} {rate} is the whole notional or more");
                    problems.push((
                        key.to_owned(),
                        Wrong::new(what, "write a part: 2 basis points are \"0.0002\""),
                    ));
                }
            }
        }
        if let Some(limits) = &self.limits {
            problems.extend(limits.problems());
        }
        problems
    }

    /// As a row of the instrument table.
    pub(crate) fn instrument(&self, calendar: SessionCalendar) -> Option<Instrument> {
        let ticks = self.ticks().ok()?;
        let finest = ticks.bands().iter().map(|band| decimals(band.tick.nanos())).max().unwrap_or(0);
        let fees = self.fees.clone().unwrap_or_default();
        let fee = |rate: Exact, per_lot| Fee { rate: rate.nanos, per_lot };
        Some(Instrument {
            // Assigned by the table.
            id: InstrumentId::ALL,
            source: FEED_SOURCE,
            symbol: Symbol::new(&self.symbol)?,
            lot: self.lot.nanos,
            price_decimals: finest,
            qty_decimals: decimals(self.lot.nanos),
            terms: Some(TradingTerms {
                ticks,
                multiplier: self.multiplier.nanos,
                currency: Symbol::new(&self.currency)?,
                fees: Fees {
                    maker: fee(fees.maker, fees.maker_per_lot),
                    taker: fee(fees.taker, fees.taker_per_lot),
                },
                calendar,
                expiry: self.expiry_nanos(),
                price_min: self.price_min.unwrap_or(Price::MIN),
                price_max: self.price_max.unwrap_or(Price::MAX),
            }),
        })
    }

    /// Last instant of trading; the end of time if it has none.
    pub(crate) fn expiry_nanos(&self) -> Nanos {
        self.expiry
            .and_then(|expiry| i64::try_from(expiry.as_nanosecond()).ok())
            .map_or(Nanos::MAX, Nanos::new)
    }
}

impl LimitSettings {
    fn problems(&self) -> Vec<InstrumentProblem> {
        let mut problems = Vec::new();
        let mut positive = |key: &str, value: String, is_positive: bool, unit: &str| {
            if !is_positive {
                let mend = format!("give a number of {unit} greater than 0");
                problems.push((format!("limits.{key}"), Wrong::new(format!("{key} is {value}"), mend)));
            }
        };
        positive("order_qty_max", self.order_qty_max.to_string(), self.order_qty_max > 0, "lots");
        let notional = self.order_notional_max;
        positive("order_notional_max", notional.to_string(), notional > Money::ZERO, "currency units");
        positive("position_max", self.position_max.to_string(), self.position_max > 0, "lots");
        if self.collar_ppm == 0 && self.collar_ticks == 0 {
            let wrong = Wrong::new(
                "the price collar is missing",
                "write collar_ppm (10000 is 1 % of the reference price), collar_ticks, or both",
            );
            problems.push(("limits.collar_ppm".to_owned(), wrong));
        }
        problems
    }
}

/// Decimal places that a step of `nanos` needs.
fn decimals(nanos: i64) -> u8 {
    let mut nanos = nanos;
    let mut places = 9;
    while places > 0 && nanos % 10 == 0 {
        nanos /= 10;
        places -= 1;
    }
    places
}
