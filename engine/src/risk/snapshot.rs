//! Risk as bytes: trading state with its latch, positions, open orders, and everything it remembers to judge the next intent by.

use super::market::{Market, Tradable};
use super::orders::OpenOrder;
use super::position::Position;
use super::stage::{Cell, Risk};
use super::state::OrderState;
use super::trading::{Latch, Trading};
use crate::state::{Snapshot, StateError, StateReader, StateWriter};
use crate::words::{MarketStatus, Money, Nanos, OrderId, Price, Qty, Side, TimeInForce, TradingState};

impl Snapshot for Risk {
    fn save(&self, state: &mut StateWriter) {
        let Self {
            trading,
            room,
            tradable_of: _,
            tradables,
            cells,
            recent,
            columns,
            last_numbers,
            orders,
            fills,
            rate,
            due,
            due_sorted: _,
            retry,
            open_orders_max: _,
            duplicate_window: _,
            stale_after: _,
            counters: _,
            gauges: _,
        } = self;
        trading.save(state);
        room.save(state);
        state.count(*columns);
        state.list(tradables.iter(), |state, tradable| save_tradable(tradable, state));
        let cells = cells.iter().zip(recent);
        state.list(cells, |state, (cell, recent)| {
            let Cell { position, buys, sells, position_max: _, gauge: _ } = cell;
            save_position(position, state);
            state.i64(*buys);
            state.i64(*sells);
            recent.save(state);
        });
        state.list(last_numbers.iter(), |state, number| state.u64(*number));
        orders.save(state);
        fills.save(state);
        rate.save(state);
        state.list(due.iter(), |state, order| state.u64(order.get()));
        state.bool(*retry);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.trading.load(state)?;
        self.room.load(state)?;
        let same = state.u64()? == self.columns as u64 && state.u64()? == self.tradables.len() as u64;
        state.demand(same, "other strategies or instruments")?;
        for tradable in &mut self.tradables {
            load_tradable(tradable, state)?;
        }
        let same = state.u64()? == self.cells.len() as u64;
        state.demand(same, "other strategies or instruments")?;
        for (cell, recent) in self.cells.iter_mut().zip(&mut self.recent) {
            load_position(&mut cell.position, state)?;
            cell.buys = state.i64()?;
            cell.sells = state.i64()?;
            recent.load(state)?;
        }
        let same = state.u64()? == self.last_numbers.len() as u64;
        state.demand(same, "other strategies")?;
        for number in &mut self.last_numbers {
            *number = state.u64()?;
        }
        self.orders.load(state)?;
        let placed = self.orders.iter().all(|order| {
            (order.tradable as usize) < self.tradables.len() && (order.cell as usize) < self.cells.len()
        });
        state.demand(placed, "an order of an instrument that is not traded")?;
        self.fills.load(state)?;
        self.rate.load(state)?;
        state.list(self.orders.capacity(), |state| {
            self.due.push_back(OrderId::new(state.u64()?));
            Ok(())
        })?;
        self.retry = state.bool()?;
        self.show_loaded();
        Ok(())
    }
}

impl Trading {
    fn save(&self, state: &mut StateWriter) {
        let (own, venue, latch) = self.parts();
        state.u8(own as u8);
        state.u8(venue as u8);
        state.option(latch, |state, latch| {
            let Latch { command, since, shared } = latch;
            state.pod(command);
            state.i64(since.get());
            state.bool(*shared);
        });
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let own = state.number(TradingState::from_number)?;
        let venue = state.number(TradingState::from_number)?;
        let latch = state.option(|state| {
            Ok(Latch { command: state.pod()?, since: Nanos::new(state.i64()?), shared: state.bool()? })
        })?;
        state.demand((own == TradingState::Halted) == latch.is_some(), "a halt without its latch")?;
        *self = Self::of(own, venue, latch);
        Ok(())
    }
}

fn save_tradable(tradable: &Tradable, state: &mut StateWriter) {
    let Tradable {
        market,
        net,
        held,
        buys,
        sells,
        unit: _,
        limits: _,
        price_min: _,
        price_max: _,
        expiry: _,
        fees: _,
        ticks: _,
        calendar: _,
        instrument: _,
    } = tradable;
    let Market { reference, trusted, view_quarantined, status_quarantined, status } = market;
    state.option(*reference, |state, price| state.i64(price.nanos()));
    state.option(*trusted, |state, time| state.i64(time.get()));
    state.bool(*view_quarantined);
    state.bool(*status_quarantined);
    state.u8(*status as u8);
    state.i64(*net);
    state.u32(*held);
    state.i64(*buys);
    state.i64(*sells);
}

fn load_tradable(tradable: &mut Tradable, state: &mut StateReader<'_>) -> Result<(), StateError> {
    tradable.market = Market {
        reference: state.option(|state| state.i64().map(Price::from_nanos))?,
        trusted: state.option(|state| state.i64().map(Nanos::new))?,
        view_quarantined: state.bool()?,
        status_quarantined: state.bool()?,
        status: state.number(|number| MarketStatus::from_number(number.into()))?,
    };
    tradable.net = state.i64()?;
    tradable.held = state.u32()?;
    tradable.buys = state.i64()?;
    tradable.sells = state.i64()?;
    Ok(())
}

/// Whose it is and of what is the configuration's.
fn save_position(position: &Position, state: &mut StateWriter) {
    let Position { strategy: _, instrument: _, qty, cost, realized, unrealized, fees, bought, sold, fills } =
        position;
    for lots in [qty, bought, sold] {
        state.i64(lots.lots());
    }
    for money in [cost, realized, unrealized, fees] {
        state.i64(money.nanos());
    }
    state.u64(*fills);
}

fn load_position(position: &mut Position, state: &mut StateReader<'_>) -> Result<(), StateError> {
    let mut lots = || state.i64().map(Qty::from_lots);
    (position.qty, position.bought, position.sold) = (lots()?, lots()?, lots()?);
    let mut money = || state.i64().map(Money::from_nanos);
    (position.cost, position.realized) = (money()?, money()?);
    (position.unrealized, position.fees) = (money()?, money()?);
    position.fills = state.u64()?;
    Ok(())
}

pub(super) fn save_order(order: &OpenOrder, state: &mut StateWriter) {
    let OpenOrder {
        order,
        price,
        qty,
        leaves,
        venue_order,
        frame,
        cancel_frame,
        instrument,
        side,
        tif,
        flags,
        state: at,
        cancel_due,
        queued,
        under_way,
        tradable,
        cell,
    } = order;
    state.u64(order.get());
    state.i64(price.nanos());
    state.i64(qty.lots());
    state.i64(leaves.lots());
    state.u64(*venue_order);
    state.u64(*frame);
    state.u64(*cancel_frame);
    state.u32(instrument.get());
    state.u8(*side as u8);
    state.u8(*tif as u8);
    state.u8(*flags);
    state.u8(*at as u8);
    state.bool(*cancel_due);
    state.bool(*queued);
    state.u8(*under_way);
    state.u32(*tradable);
    state.u32(*cell);
}

pub(super) fn load_order(state: &mut StateReader<'_>) -> Result<OpenOrder, StateError> {
    Ok(OpenOrder {
        order: OrderId::new(state.u64()?),
        price: Price::from_nanos(state.i64()?),
        qty: Qty::from_lots(state.i64()?),
        leaves: Qty::from_lots(state.i64()?),
        venue_order: state.u64()?,
        frame: state.u64()?,
        cancel_frame: state.u64()?,
        instrument: crate::words::InstrumentId::new(state.u32()?),
        side: state.number(Side::from_number)?,
        tif: state.number(TimeInForce::from_number)?,
        flags: state.u8()?,
        state: state.number(|number| OrderState::EVERY.into_iter().find(|at| *at as u8 == number))?,
        cancel_due: state.bool()?,
        queued: state.bool()?,
        under_way: state.u8()?,
        tradable: state.u32()?,
        cell: state.u32()?,
    })
}
