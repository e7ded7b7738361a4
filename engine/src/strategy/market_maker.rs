//! [`MarketMaker`]: quotes both sides round the microprice, leaning against its inventory.
//!
//! With the position `q` in lots, the microprice `m` and the tick `τ` at it:
//!
//! ```text
//! reservation price   r = m − q · skew · τ
//! half spread         δ = max(half_spread_ticks · τ,  half_spread_ppm · |m| / 10⁶)
//! bid = floor(r − δ), at most the highest grid price below the best ask
//! ask = ceil (r + δ), at least the lowest grid price above the best bid
//! ```
//!
//! The shift against inventory is that of Avellaneda & Stoikov ("High-frequency trading in a limit order book", 2008, eq. 2.6):
//! `r = s − q·γ·σ²·(T − t)`. Simplified: the factor `γσ²(T − t)` is one constant, `skew`, so the shift neither follows volatility
//! nor dies out towards an end of session, and `δ` is a constant instead of their optimum `γσ²(T − t)/2 + ln(1 + γ/k)/γ`,
//! which needs the arrival rate of market orders.
//!
//! The microprice is [`Statistics::microprice`](crate::words::Statistics::microprice), the size-weighted mid. Stoikov ("The micro-price", 2018) shows
//! that this is not a martingale and calls microprice the limit of expected future mids given imbalance and spread, which needs a fitted
//! model; the weighted mid is its simplest stand-in. Our own resting quantity is not taken out of it.

use super::market_gate::MarketGate;
use super::parameters::in_range;
use super::{
    Change, Context, OrderRequest, Origin, ParameterError, Saved, StatusChange, Strategy, WorkingOrder,
};
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{
    BookView, Instrument, InstrumentId, Nanos, OrderId, Price, Qty, Report, ReportKind, Side, TickTable,
    TimeInForce, round_div,
};
use serde::{Deserialize, Serialize};

const NAME: &str = "market_maker";

/// What the market maker is told. The same for each of its instruments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketMakerParameters {
    /// Quantity of each quote, lots, 1 to 10⁹.
    pub quote_qty: i64,
    /// Largest position it quotes towards, lots either way, 1 to 10⁹. A quote never asks for more than what is left to it; while a replace is
    /// under way, the old order can still be filled on top (at most one `quote_qty`). The hard limit is risk's.
    pub position_limit: i64,
    /// Half spread in ticks, 0 to 10⁶. The larger of this and `half_spread_ppm` counts; one must be positive.
    #[serde(default)]
    pub half_spread_ticks: i64,
    /// Half spread in millionths of the microprice (100 is a basis point), 0 to 10⁶.
    #[serde(default)]
    pub half_spread_ppm: i64,
    /// Shift of both quotes against the position, in thousandths of a tick for each lot held, 0 to 10⁶. Default 0: no skew.
    #[serde(default)]
    pub skew_milliticks_per_lot: i64,
    /// A standing quote is moved only if its target lies more than this many ticks away, 0 to 10⁶. Default 0: at every change.
    #[serde(default)]
    pub requote_threshold_ticks: i64,
    /// Least time from one new order or replace of a side to the next, microseconds, 0 to 3.6·10⁹. Default 100 ms. Cancels do not wait.
    #[serde(default = "default_requote_interval_us")]
    pub min_requote_interval_us: i64,
    /// How long a side keeps still after a refusal of its order, milliseconds, 0 to 3.6·10⁶. Default 1 s.
    #[serde(default = "default_pause_after_reject_ms")]
    pub pause_after_reject_ms: i64,
}

fn default_requote_interval_us() -> i64 {
    100_000
}

fn default_pause_after_reject_ms() -> i64 {
    1_000
}

impl MarketMakerParameters {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`ParameterError`] for the first one outside.
    pub fn validate(&self) -> Result<(), ParameterError> {
        in_range(NAME, "quote_qty", self.quote_qty, 1..=1_000_000_000)?;
        in_range(NAME, "position_limit", self.position_limit, 1..=1_000_000_000)?;
        in_range(NAME, "half_spread_ticks", self.half_spread_ticks, 0..=1_000_000)?;
        in_range(NAME, "half_spread_ppm", self.half_spread_ppm, 0..=1_000_000)?;
        in_range(NAME, "skew_milliticks_per_lot", self.skew_milliticks_per_lot, 0..=1_000_000)?;
        in_range(NAME, "requote_threshold_ticks", self.requote_threshold_ticks, 0..=1_000_000)?;
        in_range(NAME, "min_requote_interval_us", self.min_requote_interval_us, 0..=3_600_000_000)?;
        in_range(NAME, "pause_after_reject_ms", self.pause_after_reject_ms, 0..=3_600_000)?;
        if self.half_spread_ticks == 0 && self.half_spread_ppm == 0 {
            return Err(ParameterError {
                strategy: NAME,
                key: "half_spread_ticks",
                value: 0,
                rule: "this or `half_spread_ppm` must be positive".into(),
            });
        }
        Ok(())
    }
}

/// One side of one market.
#[derive(Clone, Copy, Default, Debug)]
struct SideState {
    /// No new order or replace before this.
    quiet_until: Nanos,
    /// No further cancel before this: the last one was refused.
    cancel_quiet_until: Nanos,
    /// The order whose replace was refused: it is cancelled instead, so that a stale quote does not stand.
    withdraw: OrderId,
}

#[derive(Debug)]
struct Market {
    instrument: InstrumentId,
    gate: MarketGate,
    sides: [SideState; 2],
    /// Both sides are as they should be for the last view.
    settled: bool,
}

/// The strategy. See the [module](self) for its formulas and [`MarketMakerParameters`] for its settings.
///
/// It keeps no list of its orders: what stands is asked of the context, so that a restarted session finds its orders again.
#[derive(Debug)]
pub struct MarketMaker {
    parameters: MarketMakerParameters,
    requote_interval: Nanos,
    reject_pause: Nanos,
    markets: Vec<Market>,
}

/// Where a side should stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Quote {
    price: Price,
    qty: Qty,
}

/// Where both sides should stand, and how far from it they may.
#[derive(Clone, Copy, Default, Debug)]
struct Targets {
    /// Bid, ask.
    sides: [Option<Quote>; 2],
    /// In units of 1e-9.
    threshold: u64,
}

impl MarketMaker {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ParameterError`] for a value outside of its range.
    pub fn new(parameters: MarketMakerParameters) -> Result<Self, ParameterError> {
        parameters.validate()?;
        Ok(Self {
            requote_interval: Nanos::from_micros(parameters.min_requote_interval_us),
            reject_pause: Nanos::from_millis(parameters.pause_after_reject_ms),
            parameters,
            markets: Vec::new(),
        })
    }

    /// Where both sides should stand; a side without a quote should not.
    fn targets(&self, view: &BookView, position: Qty, ticks: &TickTable) -> Option<Targets> {
        let (best_bid, best_ask) = (view.best_bid()?.price, view.best_ask()?.price);
        let micro = view.statistics.microprice;
        let tick = ticks.tick_at(micro).nanos();
        // Parameters are at most 10⁹: no product of two with one i64 comes near the range of i128.
        let lots_shift = position.lots().saturating_mul(self.parameters.skew_milliticks_per_lot);
        let reservation = micro.nanos().saturating_sub(scaled(lots_shift, tick, 1_000));
        let by_ticks = self.parameters.half_spread_ticks.saturating_mul(tick);
        let by_part = scaled(self.parameters.half_spread_ppm, micro.nanos().saturating_abs(), 1_000_000);
        let half_spread = by_ticks.max(by_part);
        let one = Price::from_nanos(1);
        let bid =
            Price::from_nanos(reservation.saturating_sub(half_spread)).min(best_ask.saturating_sub(one));
        let ask =
            Price::from_nanos(reservation.saturating_add(half_spread)).max(best_bid.saturating_add(one));
        let quote = |side: Side, price| {
            let room =
                self.parameters.position_limit.saturating_sub(position.lots().saturating_mul(side.sign()));
            let qty = Qty::from_lots(self.parameters.quote_qty.min(room));
            (qty > Qty::ZERO).then_some(Quote { price, qty })
        };
        let sides = [quote(Side::Buy, ticks.floor(bid)), quote(Side::Sell, ticks.ceil(ask))];
        let threshold = tick.saturating_mul(self.parameters.requote_threshold_ticks).unsigned_abs();
        Some(Targets { sides, threshold })
    }

    /// Brings one market to where it should be, as far as that may be done now.
    fn steer(&mut self, context: &mut Context<'_>, place: usize, view: Option<&BookView>) {
        let Some(market) = self.markets.get(place) else { return };
        let (instrument, is_open, mut states) = (market.instrument, market.gate.is_open(), market.sides);
        let targets = view.filter(|_| is_open).and_then(|view| {
            let terms = context.instrument(instrument)?.terms.as_ref()?;
            self.targets(view, context.position(instrument), &terms.ticks)
        });
        let Targets { sides, threshold } = targets.unwrap_or_default();
        let mut settled = true;
        for ((side, state), quote) in [Side::Buy, Side::Sell].into_iter().zip(&mut states).zip(sides) {
            settled &= self.steer_side(context, (instrument, side), state, quote, threshold);
        }
        if let Some(market) = self.markets.get_mut(place) {
            market.sides = states;
            // A closed gate opens without a change of the best prices.
            market.settled = settled && is_open;
        }
    }

    /// One side. True if nothing is left to be done.
    fn steer_side(
        &self,
        context: &mut Context<'_>,
        (instrument, side): (InstrumentId, Side),
        state: &mut SideState,
        target: Option<Quote>,
        threshold: u64,
    ) -> bool {
        let mut of_side = context.orders_of(instrument).filter(|order| order.side == side).copied();
        let standing = of_side.next();
        let surplus = of_side.next();
        drop(of_side);
        if let Some(surplus) = surplus {
            // More than one order a side is nothing we do: left over from an earlier session.
            withdraw(context, state, &surplus);
        }
        let now = context.now();
        let is_settled = match (standing, target) {
            (None, None) => true,
            (Some(order), None) => {
                withdraw(context, state, &order);
                false
            }
            (None, Some(quote)) => {
                if now >= state.quiet_until {
                    let request = OrderRequest {
                        instrument,
                        side,
                        price: quote.price,
                        qty: quote.qty,
                        tif: TimeInForce::Day,
                        post_only: true,
                        reduce_only: false,
                    };
                    if context.new_order(request).is_ok() {
                        state.quiet_until = now.after(self.requote_interval);
                    }
                }
                false
            }
            (Some(order), Some(quote)) => {
                let away = order.price.nanos().abs_diff(quote.price.nanos());
                let is_right = away <= threshold && order.open <= quote.qty;
                if order.change != Change::None || (!order.acknowledged && !order.recovered) {
                    false
                } else if is_right {
                    true
                } else if state.withdraw == order.id || !order.acknowledged {
                    // An unacknowledged order of an earlier session cannot be replaced, and may never be answered for.
                    withdraw(context, state, &order);
                    false
                } else {
                    if now >= state.quiet_until && context.replace(order.id, quote.price, quote.qty).is_ok() {
                        state.quiet_until = now.after(self.requote_interval);
                    }
                    false
                }
            }
        };
        is_settled && surplus.is_none()
    }

    fn place_of(&self, instrument: InstrumentId) -> Option<usize> {
        self.markets.binary_search_by_key(&instrument, |market| market.instrument).ok()
    }

    /// Steers by the last view.
    fn catch_up(&mut self, context: &mut Context<'_>, place: usize) {
        let Some(market) = self.markets.get(place) else { return };
        let view = context.book(market.instrument).copied();
        self.steer(context, place, view.as_ref());
    }
}

impl Strategy for MarketMaker {
    fn on_start(&mut self, instruments: &[&Instrument]) {
        self.markets = instruments
            .iter()
            .map(|instrument| Market {
                instrument: instrument.id,
                gate: MarketGate::default(),
                sides: [SideState::default(); 2],
                settled: false,
            })
            .collect();
    }

    fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
        let Some(place) = self.place_of(view.instrument) else { return };
        let Some(market) = self.markets.get_mut(place) else { return };
        market.gate.on_view(view);
        // Both quotes are functions of the best prices and the position.
        if market.settled && market.gate.is_open() && view.flags & BookView::BBO_CHANGED == 0 {
            return;
        }
        self.steer(context, place, Some(view));
    }

    fn on_report(&mut self, context: &mut Context<'_>, report: &Report) {
        let Some(place) = self.place_of(report.instrument) else { return };
        let now = context.now();
        if let (Some(market), Some(side)) = (self.markets.get_mut(place), report.side()) {
            let [buy, sell] = &mut market.sides;
            let state = match side {
                Side::Buy => buy,
                Side::Sell => sell,
            };
            match report.kind() {
                Some(ReportKind::Rejected) => state.quiet_until = now.after(self.reject_pause),
                Some(ReportKind::ReplaceRejected) => {
                    state.quiet_until = now.after(self.reject_pause);
                    state.withdraw = report.order;
                }
                Some(ReportKind::CancelRejected) => {
                    state.cancel_quiet_until = now.after(self.requote_interval);
                }
                Some(
                    ReportKind::Accepted | ReportKind::Filled | ReportKind::Cancelled | ReportKind::Replaced,
                )
                | None => {}
            }
        }
        self.catch_up(context, place);
    }

    fn on_timer(&mut self, context: &mut Context<'_>) {
        for place in 0..self.markets.len() {
            if self.markets.get(place).is_some_and(|market| !market.settled) {
                self.catch_up(context, place);
            }
        }
    }

    fn on_status(&mut self, context: &mut Context<'_>, status: &StatusChange) {
        for place in 0..self.markets.len() {
            let Some(market) = self.markets.get_mut(place) else { return };
            if status.instrument == market.instrument || status.instrument == InstrumentId::ALL {
                market.gate.on_status(status);
                market.settled = false;
                self.catch_up(context, place);
            }
        }
    }

    fn save(&self, state: &mut StateWriter) -> Saved {
        let Self { parameters: _, requote_interval: _, reject_pause: _, markets } = self;
        state.list(markets.iter(), |state, market| {
            let Market { instrument, gate, sides, settled } = market;
            state.u32(instrument.get());
            gate.save(state);
            state.bool(*settled);
            for SideState { quiet_until, cancel_quiet_until, withdraw } in sides {
                state.i64(quiet_until.get());
                state.i64(cancel_quiet_until.get());
                state.u64(withdraw.get());
            }
        });
        Saved::Whole
    }

    /// Of an earlier session it keeps the orders that are to be withdrawn; no side keeps still for longer than its pause from now on.
    fn load(&mut self, state: &mut StateReader<'_>, origin: Origin) -> Result<(), StateError> {
        let same = state.u64()? == self.markets.len() as u64;
        state.demand(same, "other instruments")?;
        for market in &mut self.markets {
            let same = state.u32()? == market.instrument.get();
            state.demand(same, "another instrument")?;
            let (gate, settled) = (MarketGate::load(state)?, state.bool()?);
            for side in &mut market.sides {
                *side = SideState {
                    quiet_until: Nanos::new(state.i64()?),
                    cancel_quiet_until: Nanos::new(state.i64()?),
                    withdraw: OrderId::new(state.u64()?),
                };
                if let Origin::EarlierSession { now } = origin {
                    let pause = self.reject_pause.max(self.requote_interval);
                    side.quiet_until = side.quiet_until.min(now.after(pause));
                    side.cancel_quiet_until = side.cancel_quiet_until.min(now.after(self.requote_interval));
                }
            }
            if origin == Origin::Snapshot {
                (market.gate, market.settled) = (gate, settled);
            }
        }
        Ok(())
    }
}

/// Asks for the order to be cancelled, unless that is under way or was refused a moment ago.
fn withdraw(context: &mut Context<'_>, state: &SideState, order: &WorkingOrder) {
    if order.change == Change::None && context.now() >= state.cancel_quiet_until {
        // A full batch passes: the next event asks again.
        let _ = context.cancel(order.id);
    }
}

/// `a · b / divisor`, nearest, held at the ends of the range. In 64 bits where the product fits, as it does for all but the
/// strangest prices: a 128-bit division costs more than all the rest of a quote.
#[inline]
fn scaled(a: i64, b: i64, divisor: i64) -> i64 {
    match a.checked_mul(b) {
        Some(0) => 0,
        Some(product) => {
            let (whole, rest) = (product / divisor, product % divisor);
            // divisor is 10³ or 10⁶: doubling the rest cannot overflow, nor can adding one to the quotient.
            if (2 * rest).abs() >= divisor { whole + product.signum() } else { whole }
        }
        None => {
            let wide = round_div(i128::from(a) * i128::from(b), i128::from(divisor));
            i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
        }
    }
}

#[cfg(test)]
mod tests;
