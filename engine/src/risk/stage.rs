//! [`Risk`]: the stage. What an event does to it, in order.

use super::config::{RiskConfig, RiskConfigError};
use super::counters::{PositionGauge, PositionGauges, RiskCounters};
use super::market::Tradable;
use super::memory::{FillMemory, RateWindow, RecentOrders};
use super::orders::{OpenOrder, OrderTable};
use super::position::Position;
use super::room::Room;
use super::trading::{Latch, Trading};
use super::{Egress, VerdictBatch};
use crate::normalizer::Payload;
use crate::strategy::IntentBatch;
use crate::words::{
    BookView, Event, EventKind, InstrumentId, InstrumentTable, MarketStatus, Nanos, OrderId, StrategyId,
    Ticks, TradingState,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// One strategy in one tradable instrument.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) position: Position,
    /// Lots in open buys, un-acknowledged and pending ones in full.
    pub(super) buys: i64,
    /// Lots in open sells.
    pub(super) sells: i64,
    /// Largest position; `None`: the strategy may not trade it.
    pub(super) position_max: Option<i64>,
    /// Its row in the gauges, if it may trade.
    pub(super) gauge: Option<u32>,
}

impl Cell {
    #[inline]
    fn show(&self, gauges: &PositionGauges) {
        if let Some(row) = self.gauge.and_then(|row| gauges.rows.get(row as usize)) {
            row.qty.set(self.position.qty.lots());
            row.realized.set(self.position.realized.nanos());
            row.unrealized.set(self.position.unrealized.nanos());
            row.fees.set(self.position.fees.nanos());
        }
    }
}

/// The frame that is being worked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause {
    pub(super) frame: u64,
    pub(super) stamp: Ticks,
    pub(super) now: Nanos,
}

const ABSENT: u32 = u32::MAX;

/// The risk stage: single owner of trading state, open orders and positions. See the [module](super) for its checks.
#[derive(Debug)]
pub struct Risk {
    pub(super) trading: Trading,
    pub(super) room: Room,
    /// Index into `tradables` by instrument.
    pub(super) tradable_of: Vec<u32>,
    pub(super) tradables: Vec<Tradable>,
    /// By tradable, then strategy; the last of each row belongs to nobody known.
    pub(super) cells: Vec<Cell>,
    /// As `cells`.
    pub(super) recent: Vec<RecentOrders>,
    /// Strategies + 1.
    pub(super) columns: usize,
    /// The greatest order number that each strategy has used.
    pub(super) last_numbers: Vec<u64>,
    pub(super) orders: OrderTable,
    pub(super) fills: FillMemory,
    pub(super) rate: RateWindow,
    /// Orders that a mass cancel has still to reach. Each open order is in it at most once, so it never outgrows its memory.
    pub(super) due: VecDeque<OrderId>,
    /// Room to sort them.
    pub(super) due_sorted: Vec<OrderId>,
    /// A mass cancel's cancel was rejected: try again with the next timer tick.
    pub(super) retry: bool,
    pub(super) open_orders_max: usize,
    pub(super) duplicate_window: Nanos,
    pub(super) stale_after: Nanos,
    pub(super) counters: Arc<RiskCounters>,
    pub(super) gauges: Arc<PositionGauges>,
}

impl Risk {
    /// Takes all the memory it will ever need. Instruments that are learnt later can never be traded.
    ///
    /// # Errors
    /// [`RiskConfigError`] for limits out of range, missing or contradicting each other.
    pub fn new(config: &RiskConfig, instruments: &InstrumentTable) -> Result<Self, RiskConfigError> {
        config.validate(instruments)?;
        let mut tradable_of = vec![ABSENT; instruments.count()];
        let mut tradables = Vec::new();
        for (instrument, index) in instruments.iter().zip(&mut tradable_of) {
            let limits = config.instruments.get(instrument.id.index()).copied().flatten();
            if let Some(tradable) = Tradable::new(instrument, limits) {
                *index = tradables.len() as u32;
                tradables.push(tradable);
            }
        }
        let mut cells = Vec::new();
        let mut rows = Vec::new();
        for tradable in &tradables {
            let owners = (0..config.strategies.len() as u16).map(StrategyId::new);
            for strategy in owners.chain([StrategyId::NONE]) {
                let allowed = config.strategies.get(strategy.index()).and_then(|limits| {
                    limits.instruments.iter().find(|i| i.instrument == tradable.instrument)
                });
                let gauge = allowed.map(|_| rows.len() as u32);
                if allowed.is_some() {
                    rows.push(PositionGauge::new(strategy, tradable.instrument));
                }
                cells.push(Cell {
                    position: Position::vacant(strategy, tradable.instrument),
                    buys: 0,
                    sells: 0,
                    position_max: allowed.map(|allowed| allowed.position_max.lots()),
                    gauge,
                });
            }
        }
        // Each open order may have one replacement under way beside it.
        let orders = OrderTable::with_capacity(config.open_orders_max * 2);
        Ok(Self {
            trading: Trading::new(),
            room: Room::new(config.egress_slots, config.egress_cancel_reserve, config.egress_refusal_reserve),
            tradable_of,
            tradables,
            recent: vec![RecentOrders::new(); cells.len()],
            cells,
            columns: config.strategies.len() + 1,
            last_numbers: vec![0; config.strategies.len()],
            due: VecDeque::with_capacity(orders.capacity()),
            due_sorted: Vec::with_capacity(orders.capacity()),
            orders,
            fills: FillMemory::with_capacity(config.fill_memory),
            rate: RateWindow::new(config.message_rate_max, config.message_rate_window),
            retry: false,
            open_orders_max: config.open_orders_max,
            duplicate_window: config.duplicate_window,
            stale_after: config.stale_after,
            counters: Arc::default(),
            gauges: Arc::new(PositionGauges { rows: rows.into() }),
        })
    }

    /// Takes one event and the intents of all strategy cores about it, in the order of the cores. `out` is emptied, then holds one
    /// verdict for each intent in their order, then one for each cancel of a mass cancel. Every verdict has gone out through `egress` as well:
    /// as an order, or as a refusal.
    ///
    /// In this order: the event itself (report, command, recovered record, status), the view, the intents, the mass cancel.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "one for each lane of the slot and each way out")]
    pub fn on_event<'a>(
        &mut self,
        event: &Event,
        payload: &Payload,
        view: Option<&BookView>,
        frame_stamp: Ticks,
        intents: impl Iterator<Item = &'a IntentBatch>,
        out: &mut VerdictBatch,
        egress: &mut impl Egress,
    ) {
        out.clear();
        let cause = Cause { frame: event.frame, stamp: frame_stamp, now: event.receive_time };
        if event.kind_number >= EventKind::Status as u8 {
            self.on_control(event, payload);
        }
        if let Some(view) = view {
            self.on_view(view, cause.now);
        }
        for batch in intents {
            for intent in batch.intents() {
                self.on_intent(intent, &cause, out, egress);
            }
        }
        if !self.due.is_empty() {
            self.sweep(&cause, out, egress);
        }
    }

    /// Everything that is not the market moving.
    fn on_control(&mut self, event: &Event, payload: &Payload) {
        let now = event.receive_time;
        match event.kind() {
            EventKind::Report => self.on_report(&bytemuck::cast(*payload), now),
            EventKind::Operator => self.on_command(&bytemuck::cast(*payload), now),
            EventKind::Recovery => self.on_recovered(&bytemuck::cast(*payload), now),
            EventKind::Timer => self.retry_mass_cancel(),
            EventKind::Status => {
                if let Some(status) = MarketStatus::from_number(event.a) {
                    self.for_markets(event.instrument, |tradable| tradable.market.on_status(status));
                }
            }
            EventKind::Gap => self.for_markets(event.instrument, |tradable| tradable.market.on_gap()),
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::OrderAdd
            | EventKind::OrderExecute
            | EventKind::OrderExecuteAt
            | EventKind::OrderReduce
            | EventKind::OrderDelete
            | EventKind::OrderReplace
            | EventKind::LevelSet
            | EventKind::BookClear
            | EventKind::Trade
            | EventKind::Quote
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Link => {}
        }
    }

    fn for_markets(&mut self, instrument: InstrumentId, change: impl Fn(&mut Tradable)) {
        if instrument == InstrumentId::ALL {
            self.tradables.iter_mut().for_each(change);
        } else if let Some(tradable) =
            self.tradable(instrument).and_then(|index| self.tradables.get_mut(index))
        {
            change(tradable);
        }
    }

    #[inline]
    fn on_view(&mut self, view: &BookView, now: Nanos) {
        let Some(index) = self.tradable(view.instrument) else { return };
        let Some(tradable) = self.tradables.get_mut(index) else { return };
        if tradable.market.on_view(view, now) && tradable.held > 0 {
            self.mark_row(index, now);
        }
    }

    #[inline(never)]
    fn mark_row(&mut self, tradable: usize, now: Nanos) {
        for cell in tradable * self.columns..(tradable + 1) * self.columns {
            if self.cells.get(cell).is_some_and(|cell| cell.position.qty.lots() != 0) {
                self.mark(tradable, cell, now);
            }
        }
    }

    /// Values a position at the reference price and shows it.
    pub(super) fn mark(&mut self, tradable: usize, cell: usize, now: Nanos) {
        let Some((terms, cell)) = self.tradables.get(tradable).zip(self.cells.get_mut(cell)) else { return };
        let exact = cell.position.mark(terms.unit, terms.market.reference());
        cell.show(&self.gauges);
        if !exact {
            self.overflowed(now);
        }
    }

    /// The index of a tradable instrument.
    #[inline]
    pub(super) fn tradable(&self, instrument: InstrumentId) -> Option<usize> {
        self.tradable_of
            .get(instrument.index())
            .filter(|index| **index != ABSENT)
            .map(|index| *index as usize)
    }

    /// The cell of a strategy; unknown ones share the last of the row.
    #[inline]
    pub(super) fn cell(&self, tradable: usize, strategy: StrategyId) -> usize {
        tradable * self.columns + strategy.index().min(self.columns - 1)
    }

    /// Shows a state that was loaded.
    pub(super) fn show_loaded(&self) {
        self.counters.trading_state.set(self.trading.state() as i64);
        self.show_orders();
        for cell in &self.cells {
            cell.show(&self.gauges);
        }
    }

    pub(super) fn show_orders(&self) {
        self.counters.open_orders.set(self.orders.count() as i64);
        self.counters.under_way.set(self.room.under_way() as i64);
        self.counters.mass_cancels_due.set(self.due.len() as i64);
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<RiskCounters> {
        Arc::clone(&self.counters)
    }

    /// May we trade?
    pub fn state(&self) -> TradingState {
        self.trading.state()
    }

    /// Why it is halted; `None` if it is not.
    pub fn latch(&self) -> Option<&Latch> {
        self.trading.latch()
    }

    /// The positions of strategies in what they may trade, and every other one in which something happened. By instrument, then
    /// strategy.
    pub fn positions(&self) -> impl Iterator<Item = &Position> {
        self.cells
            .iter()
            .filter(|cell| cell.position_max.is_some() || cell.position.is_active())
            .map(|cell| &cell.position)
    }

    /// Orders that are not gone, in no particular order (but the same in every run).
    pub fn open_orders(&self) -> impl Iterator<Item = &OpenOrder> {
        self.orders.iter()
    }

    /// The positions as other threads may read them while the stage runs.
    pub fn position_gauges(&self) -> Arc<PositionGauges> {
        Arc::clone(&self.gauges)
    }

    /// Messages under way: sent, and not yet answered by a frame. Never more than the configured slots.
    pub fn under_way(&self) -> usize {
        self.room.under_way()
    }
}
