//! [`ImbalanceTaker`]: takes the best offer when the bids are much heavier than the asks, and the other way round; leaves when that is over.
//!
//! With the sums `B` and `A` of the best `levels` levels a side, `imbalance = (B − A) / (B + A)`, −1 to 1: the best-known predictor of the next mid
//! move (Cartea, Jaimungal & Penalva 2015, "Algorithmic and High-Frequency Trading", 12.2; Gould & Bonart 2016, "Queue imbalance as a
//! one-tick-ahead price predictor"). The comparison is exact: `(B − A)·10⁶ ≥ threshold·(B + A)` in integers.
//!
//! Simplified: the thresholds are constants, one order at a time, and each order is an IOC at the opposite best price.

use super::market_gate::MarketGate;
use super::parameters::in_range;
use super::{Context, OrderRequest, Origin, ParameterError, Saved, StatusChange, Strategy};
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{
    BookView, Instrument, InstrumentId, Level, Nanos, Price, Qty, Report, ReportKind, Side, TimeInForce,
    VIEW_LEVELS_MAX,
};
use serde::{Deserialize, Serialize};

const NAME: &str = "imbalance_taker";

/// What the taker is told. The same for each of its instruments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImbalanceTakerParameters {
    /// Quantity of an entry, lots, 1 to 10⁹. Cut to what the position limit leaves.
    pub order_qty: i64,
    /// Largest position, lots either way, 1 to 10⁹.
    pub position_limit: i64,
    /// Levels a side over which imbalance is taken, 1 to 10; no more than the view shows. Default 5.
    #[serde(default = "default_levels")]
    pub levels: u16,
    /// Enters when imbalance is at least this far to one side, millionths, 1 to 10⁶. Default 700 000.
    #[serde(default = "default_entry")]
    pub entry_imbalance_ppm: i64,
    /// Leaves when imbalance in favour of the position is at most this, millionths, −10⁶ to less than `entry_imbalance_ppm`. Default 0:
    /// when it has turned.
    #[serde(default)]
    pub exit_imbalance_ppm: i64,
    /// Enters only if the spread is at most this many ticks, 1 to 10⁶. Default 1.
    #[serde(default = "default_spread")]
    pub max_spread_ticks: i64,
    /// Least time from any order to the next entry, milliseconds, 0 to 3.6·10⁶. Default 500 ms.
    #[serde(default = "default_cool_down_ms")]
    pub cool_down_ms: i64,
    /// Leaves at the latest this long after the position was opened, milliseconds, 1 to 86.4·10⁶. Default 5 s.
    #[serde(default = "default_holding_time_ms")]
    pub holding_time_ms: i64,
    /// How long it keeps still after a refusal, milliseconds, 0 to 3.6·10⁶. Default 1 s.
    #[serde(default = "default_pause_after_reject_ms")]
    pub pause_after_reject_ms: i64,
}

fn default_levels() -> u16 {
    5
}

fn default_entry() -> i64 {
    700_000
}

fn default_spread() -> i64 {
    1
}

fn default_cool_down_ms() -> i64 {
    500
}

fn default_holding_time_ms() -> i64 {
    5_000
}

fn default_pause_after_reject_ms() -> i64 {
    1_000
}

impl ImbalanceTakerParameters {
    /// Checks every value against its range.
    ///
    /// # Errors
    /// [`ParameterError`] for the first one outside.
    pub fn validate(&self) -> Result<(), ParameterError> {
        in_range(NAME, "order_qty", self.order_qty, 1..=1_000_000_000)?;
        in_range(NAME, "position_limit", self.position_limit, 1..=1_000_000_000)?;
        in_range(NAME, "levels", i64::from(self.levels), 1..=VIEW_LEVELS_MAX as i64)?;
        in_range(NAME, "entry_imbalance_ppm", self.entry_imbalance_ppm, 1..=1_000_000)?;
        let below_entry = self.entry_imbalance_ppm - 1;
        in_range(NAME, "exit_imbalance_ppm", self.exit_imbalance_ppm, -1_000_000..=below_entry)?;
        in_range(NAME, "max_spread_ticks", self.max_spread_ticks, 1..=1_000_000)?;
        in_range(NAME, "cool_down_ms", self.cool_down_ms, 0..=3_600_000)?;
        in_range(NAME, "holding_time_ms", self.holding_time_ms, 1..=86_400_000)?;
        in_range(NAME, "pause_after_reject_ms", self.pause_after_reject_ms, 0..=3_600_000)
    }
}

#[derive(Debug)]
struct Market {
    instrument: InstrumentId,
    gate: MarketGate,
    /// When the position was opened, as far as we saw.
    held_since: Option<Nanos>,
    /// No entry before this.
    cool_until: Nanos,
    /// No order at all before this.
    quiet_until: Nanos,
}

/// The strategy. See the [module](self) for its signal and [`ImbalanceTakerParameters`] for its settings.
#[derive(Debug)]
pub struct ImbalanceTaker {
    parameters: ImbalanceTakerParameters,
    cool_down: Nanos,
    holding_time: Nanos,
    reject_pause: Nanos,
    markets: Vec<Market>,
}

impl ImbalanceTaker {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`ParameterError`] for a value outside of its range.
    pub fn new(parameters: ImbalanceTakerParameters) -> Result<Self, ParameterError> {
        parameters.validate()?;
        Ok(Self {
            cool_down: Nanos::from_millis(parameters.cool_down_ms),
            holding_time: Nanos::from_millis(parameters.holding_time_ms),
            reject_pause: Nanos::from_millis(parameters.pause_after_reject_ms),
            parameters,
            markets: Vec::new(),
        })
    }

    fn place_of(&self, instrument: InstrumentId) -> Option<usize> {
        self.markets.binary_search_by_key(&instrument, |market| market.instrument).ok()
    }

    fn decide(&mut self, context: &mut Context<'_>, place: usize, view: &BookView, is_fresh: bool) {
        let Some(market) = self.markets.get_mut(place) else { return };
        let position = context.position(market.instrument).lots();
        let now = context.now();
        market.held_since = match market.held_since {
            _ if position == 0 => None,
            Some(since) => Some(since),
            None => Some(now),
        };
        if !market.gate.is_open() || now < market.quiet_until {
            return;
        }
        let request = match market.held_since {
            Some(since) if self.parameters.wants_out(position, now.since(since), self.holding_time, view) => {
                self.parameters.exit(position, view)
            }
            // A signal is worth something at the moment it comes, not at a timer tick a second later.
            Some(_) | None if is_fresh && now >= market.cool_until => {
                self.parameters.entry(context, position, view)
            }
            Some(_) | None => None,
        };
        // One order at a time: what is on its way may still fill.
        if let Some(request) = request
            && context.orders_of(market.instrument).next().is_none()
            && context.new_order(request).is_ok()
        {
            market.cool_until = now.after(self.cool_down);
        }
    }

    /// Decides by the last view whether to leave.
    fn catch_up(&mut self, context: &mut Context<'_>, place: usize) {
        let Some(market) = self.markets.get(place) else { return };
        if let Some(view) = context.book(market.instrument).copied() {
            self.decide(context, place, &view, false);
        }
    }
}

impl ImbalanceTakerParameters {
    /// Whether a position held for so long should be closed.
    fn wants_out(&self, position: i64, held: Nanos, holding_time: Nanos, view: &BookView) -> bool {
        let (lean, sum) = self.lean(view);
        let in_favour = lean * i128::from(position.signum());
        held >= holding_time || in_favour <= i128::from(self.exit_imbalance_ppm) * sum
    }

    /// Closes the whole position against the opposite best price.
    fn exit(&self, position: i64, view: &BookView) -> Option<OrderRequest> {
        let side = if position > 0 { Side::Sell } else { Side::Buy };
        Some(OrderRequest {
            reduce_only: true,
            ..take(side, Qty::from_lots(position.saturating_abs()), view)?
        })
    }

    /// Enters, or adds, if imbalance is strong, the spread narrow and the position limit leaves room.
    fn entry(&self, context: &Context<'_>, position: i64, view: &BookView) -> Option<OrderRequest> {
        let (lean, sum) = self.lean(view);
        if sum == 0 || lean.abs() < i128::from(self.entry_imbalance_ppm) * sum {
            return None;
        }
        let side = if lean > 0 { Side::Buy } else { Side::Sell };
        let ticks = &context.instrument(view.instrument)?.terms.as_ref()?.ticks;
        let widest = ticks.tick_at(view.best_bid()?.price).nanos().saturating_mul(self.max_spread_ticks);
        if view.statistics.spread > Price::from_nanos(widest) {
            return None;
        }
        let room = self.position_limit.saturating_sub(position.saturating_mul(side.sign()));
        let qty = self.order_qty.min(room);
        if qty > 0 { take(side, Qty::from_lots(qty), view) } else { None }
    }

    /// Difference and sum of the bid and ask quantities over the best levels, the difference times 10⁶.
    #[inline]
    fn lean(&self, view: &BookView) -> (i128, i128) {
        let (bids, asks) = if self.levels >= view.levels {
            // All that the view shows: the books have summed it.
            (view.statistics.bid_depth.lots(), view.statistics.ask_depth.lots())
        } else {
            (self.depth(view.bids()), self.depth(view.asks()))
        };
        let (bids, asks) = (i128::from(bids), i128::from(asks));
        ((bids - asks) * 1_000_000, bids + asks)
    }

    fn depth(&self, levels: &[Level]) -> i64 {
        let best = levels.iter().take(usize::from(self.levels));
        best.fold(0i64, |sum, level| sum.saturating_add(level.qty.lots()))
    }
}

/// An IOC at the opposite best price.
fn take(side: Side, qty: Qty, view: &BookView) -> Option<OrderRequest> {
    let best = match side {
        Side::Buy => view.best_ask()?,
        Side::Sell => view.best_bid()?,
    };
    Some(OrderRequest {
        instrument: view.instrument,
        side,
        price: best.price,
        qty,
        tif: TimeInForce::Ioc,
        post_only: false,
        reduce_only: false,
    })
}

impl Strategy for ImbalanceTaker {
    fn on_start(&mut self, instruments: &[&Instrument]) {
        self.markets = instruments
            .iter()
            .map(|instrument| Market {
                instrument: instrument.id,
                gate: MarketGate::default(),
                held_since: None,
                cool_until: Nanos::ZERO,
                quiet_until: Nanos::ZERO,
            })
            .collect();
    }

    fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
        let Some(place) = self.place_of(view.instrument) else { return };
        if let Some(market) = self.markets.get_mut(place) {
            market.gate.on_view(view);
        }
        self.decide(context, place, view, true);
    }

    fn on_report(&mut self, context: &mut Context<'_>, report: &Report) {
        let Some(place) = self.place_of(report.instrument) else { return };
        if report.kind() == Some(ReportKind::Rejected)
            && let Some(market) = self.markets.get_mut(place)
        {
            market.quiet_until = context.now().after(self.reject_pause);
        }
        self.catch_up(context, place);
    }

    fn on_timer(&mut self, context: &mut Context<'_>) {
        for place in 0..self.markets.len() {
            self.catch_up(context, place);
        }
    }

    fn on_status(&mut self, _: &mut Context<'_>, status: &StatusChange) {
        for market in &mut self.markets {
            if status.instrument == market.instrument || status.instrument == InstrumentId::ALL {
                market.gate.on_status(status);
            }
        }
    }

    fn save(&self, state: &mut StateWriter) -> Saved {
        let Self { parameters: _, cool_down: _, holding_time: _, reject_pause: _, markets } = self;
        state.list(markets.iter(), |state, market| {
            let Market { instrument, gate, held_since, cool_until, quiet_until } = market;
            state.u32(instrument.get());
            gate.save(state);
            state.option(*held_since, |state, since| state.i64(since.get()));
            state.i64(cool_until.get());
            state.i64(quiet_until.get());
        });
        Saved::Whole
    }

    /// Of an earlier session it keeps since when positions are held, as far as that is not still to come, and no pause that is longer than its own from now on.
    fn load(&mut self, state: &mut StateReader<'_>, origin: Origin) -> Result<(), StateError> {
        let same = state.u64()? == self.markets.len() as u64;
        state.demand(same, "other instruments")?;
        for market in &mut self.markets {
            let same = state.u32()? == market.instrument.get();
            state.demand(same, "another instrument")?;
            let gate = MarketGate::load(state)?;
            market.held_since = state.option(|state| state.i64().map(Nanos::new))?;
            market.cool_until = Nanos::new(state.i64()?);
            market.quiet_until = Nanos::new(state.i64()?);
            match origin {
                Origin::Snapshot => market.gate = gate,
                Origin::EarlierSession { now } => {
                    market.held_since = market.held_since.filter(|since| *since <= now);
                    market.cool_until = market.cool_until.min(now.after(self.cool_down));
                    market.quiet_until = market.quiet_until.min(now.after(self.reject_pause));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
