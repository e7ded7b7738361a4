//! [`StrategyRunner`]: the strategies of one core. Hands events to hooks, keeps each one's orders and limits.

use super::context::{Context, StrategyState};
use super::counters::{RunnerCounters, StrategyCounters};
use super::orders::{Applied, OrderReplica};
use super::state::CARRIED_BYTES_MAX;
use super::watch::Watch;
use super::{
    INTENTS_PER_EVENT_MAX, INTENTS_PER_STRATEGY_MAX, IntentBatch, Origin, StatusChange, StatusKind, Strategy,
    Trade,
};
use crate::normalizer::Payload;
use crate::words::{
    BookView, Event, EventKind, Instrument, InstrumentId, InstrumentTable, MarketStatus, Nanos, Price,
    RecoveredKind, RecoveredRecord, Report, Side, StrategyId,
};
use std::sync::Arc;

/// Most strategies of one core: each has its share of the core's lane.
pub const STRATEGIES_PER_CORE_MAX: usize = INTENTS_PER_EVENT_MAX / INTENTS_PER_STRATEGY_MAX;

/// The largest [`StrategySlot::max_in_flight`].
pub const MAX_IN_FLIGHT_MAX: usize = 65_536;

/// The largest [`StrategySlot::max_open_orders`].
pub const MAX_OPEN_ORDERS_MAX: usize = 65_536;

const _: () = assert!(STRATEGIES_PER_CORE_MAX <= u8::BITS as usize, "one bit each in Watch");

/// A strategy and what it is given.
pub struct StrategySlot {
    /// Its id, of which the ids of its orders are made.
    pub id: StrategyId,
    /// Its name in counters and reports.
    pub name: String,
    /// The strategy.
    pub strategy: Box<dyn Strategy>,
    /// What it sees and may trade; at least one.
    pub instruments: Vec<InstrumentId>,
    /// How long an intent is good for after the frame it was decided on; greater than zero.
    pub intent_ttl: Nanos,
    /// Most new orders and replaces without an answer, 1 to [`MAX_IN_FLIGHT_MAX`]. Besides, each open order may have one
    /// cancel under way.
    pub max_in_flight: usize,
    /// Most orders in the market, 1 to [`MAX_OPEN_ORDERS_MAX`].
    pub max_open_orders: usize,
}

/// Why a runner cannot be made.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StrategyConfigError {
    /// More strategies than one core can hold.
    #[error("{count} strategies on one core; at most {max}: spread them over more strategy cores")]
    TooManyStrategies {
        /// How many were given.
        count: usize,
        /// How many are possible.
        max: usize,
    },
    /// Two strategies have one id.
    #[error("strategies `{first}` and `{second}` have the same id {id}")]
    DuplicateId {
        /// The name of one.
        first: String,
        /// The name of the other.
        second: String,
        /// Their id.
        id: StrategyId,
    },
    /// The id stands for nobody.
    #[error("strategy `{name}` has the reserved id {}", StrategyId::NONE)]
    ReservedId {
        /// Its name.
        name: String,
    },
    /// It sees nothing, so it would do nothing.
    #[error("strategy `{name}` has no instruments: it would never see an event")]
    NoInstruments {
        /// Its name.
        name: String,
    },
    /// An instrument is not in the table.
    #[error("strategy `{name}` names instrument {instrument}, which is not configured")]
    UnknownInstrument {
        /// Its name.
        name: String,
        /// The instrument.
        instrument: InstrumentId,
    },
    /// More instruments than a core can watch.
    #[error("the strategies of one core look at more than {max} instruments")]
    TooManyInstruments {
        /// How many are possible.
        max: usize,
    },
    /// A limit is out of range.
    #[error("strategy `{name}`: {limit} = {value}, must be from 1 to {max}")]
    Limit {
        /// Its name.
        name: String,
        /// Which.
        limit: &'static str,
        /// Its value.
        value: i64,
        /// The largest one.
        max: i64,
    },
}

pub(super) struct Running {
    pub(super) strategy: Box<dyn Strategy>,
    pub(super) state: StrategyState,
    /// What has come of the state that an earlier session left.
    pub(super) carried: Vec<u8>,
}

/// The strategies of one core.
///
/// One call an event. An event of an instrument that no strategy looks at costs a look-up; all memory is taken in
/// [`StrategyRunner::new`].
pub struct StrategyRunner {
    pub(super) running: Vec<Running>,
    pub(super) watch: Watch,
    pub(super) table: InstrumentTable,
    pub(super) counters: Arc<RunnerCounters>,
}

/// What one event says to the strategies besides its view.
#[derive(Clone, Copy)]
enum Said {
    Nothing,
    Trade(Trade),
    Status(StatusChange),
}

impl StrategyRunner {
    /// Sets up the strategies, called in the order of their ids, with the instruments configured.
    ///
    /// # Errors
    /// [`StrategyConfigError`] for a slot that could not work.
    pub fn new(
        mut slots: Vec<StrategySlot>,
        instruments: InstrumentTable,
    ) -> Result<Self, StrategyConfigError> {
        check(&slots, &instruments)?;
        slots.sort_by_key(|slot| slot.id);
        let mut subscriptions = Vec::new();
        let mut running = Vec::with_capacity(slots.len());
        let mut counters = Vec::with_capacity(slots.len());
        for (place, mut slot) in slots.into_iter().enumerate() {
            let bit = 1u8 << place;
            slot.instruments.sort_unstable();
            slot.instruments.dedup();
            subscriptions.extend(slot.instruments.iter().map(|instrument| (*instrument, bit)));
            let subscribed: Vec<&Instrument> =
                slot.instruments.iter().filter_map(|id| instruments.by_id(*id)).collect();
            slot.strategy.on_start(&subscribed);
            running.push(Running {
                strategy: slot.strategy,
                state: StrategyState {
                    id: slot.id,
                    bit,
                    instruments: slot.instruments.into(),
                    orders: OrderReplica::new(instruments.count(), slot.max_open_orders),
                    last_order_number: 0,
                    intent_ttl: slot.intent_ttl,
                    max_in_flight: slot.max_in_flight,
                    max_open_orders: slot.max_open_orders,
                    given: 0,
                },
                carried: Vec::with_capacity(CARRIED_BYTES_MAX),
            });
            counters.push(StrategyCounters::new(slot.id, slot.name));
        }
        let watch = Watch::new(&subscriptions)
            .ok_or(StrategyConfigError::TooManyInstruments { max: Watch::INSTRUMENTS_MAX })?;
        let counters = Arc::new(RunnerCounters::new(counters.into()));
        Ok(Self { running, watch, table: instruments, counters })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<RunnerCounters> {
        Arc::clone(&self.counters)
    }

    /// Hands the event to the strategies that it concerns; what they want is in `out`, which is emptied before.
    ///
    /// `payload` is read for reports and recovery only. `view` is what the book stage wrote for this event, if it did.
    #[inline]
    pub fn on_event(
        &mut self,
        event: &Event,
        payload: &Payload,
        view: Option<&BookView>,
        out: &mut IntentBatch,
    ) {
        out.clear();
        self.counters.events.add(1);
        match event.kind() {
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::OrderAdd
            | EventKind::OrderReduce
            | EventKind::OrderDelete
            | EventKind::OrderReplace
            | EventKind::LevelSet
            | EventKind::BookClear
            | EventKind::Quote
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Operator => {
                // The frequent case: in the middle of a group, or of an instrument that nobody looks at.
                let Some(view) = view else { return };
                let subscribers = self.watch.subscribers(view.instrument);
                if subscribers != 0 {
                    self.deliver(event, subscribers, Said::Nothing, Some(view), out);
                }
            }
            EventKind::OrderExecute | EventKind::OrderExecuteAt | EventKind::Trade => {
                let subscribers = self.watch.subscribers(event.instrument);
                if subscribers != 0 {
                    let said = self.trade_of(event, view);
                    self.deliver(event, subscribers, said, view, out);
                }
            }
            EventKind::Status => {
                let kind = MarketStatus::from_number(event.a).map(StatusKind::Market);
                self.on_status(event, kind, view, out);
            }
            EventKind::Gap => {
                let kind = StatusKind::Gap { expected: event.a, found: event.b };
                self.on_status(event, Some(kind), view, out);
            }
            EventKind::Link => {
                self.on_status(event, Some(StatusKind::Link { up: event.a != 0 }), view, out);
            }
            EventKind::Report => self.on_report(event, bytemuck::cast_ref(payload), out),
            EventKind::Timer => self.on_timer(event, out),
            EventKind::Recovery => self.on_recovery(event, bytemuck::cast_ref(payload)),
        }
    }

    /// Calls the hooks of the strategies with these bits, one strategy after the other.
    // Out of line, as are the others: what is left is a few instructions for the events that concern nobody.
    #[inline(never)]
    fn deliver(
        &mut self,
        event: &Event,
        subscribers: u8,
        said: Said,
        view: Option<&BookView>,
        out: &mut IntentBatch,
    ) {
        if let Some(view) = view {
            self.watch.keep(view);
        }
        for (running, counters) in self.running.iter_mut().zip(&self.counters.strategies) {
            if subscribers & running.state.bit == 0 {
                continue;
            }
            running.state.given = 0;
            let mut context = Context {
                now: event.receive_time,
                table: &self.table,
                watch: &self.watch,
                state: &mut running.state,
                counters,
                out,
            };
            match said {
                Said::Nothing => {}
                Said::Trade(trade) => {
                    counters.trades.add(1);
                    running.strategy.on_trade(&mut context, &trade);
                }
                Said::Status(status) => {
                    counters.statuses.add(1);
                    running.strategy.on_status(&mut context, &status);
                }
            }
            // A market-wide status may come with the view of one instrument.
            if let Some(view) = view
                && self.watch.is_subscribed(view.instrument, context.state.bit)
            {
                counters.books.add(1);
                running.strategy.on_book(&mut context, view);
            }
            show_levels(&running.state, counters);
        }
    }

    /// The trade that an event tells of.
    ///
    /// [`EventKind::OrderExecute`] carries no price: the book stage, which has the order, sets `last_price`, `last_qty` and `trade_sign` of
    /// the view that ends the group. If the quantities differ, the view's trade is another one (the reference is unknown to the book, or the
    /// group goes on), and the execution is counted as unpriced.
    fn trade_of(&self, event: &Event, view: Option<&BookView>) -> Said {
        let kind = event.kind();
        // As in the book stage: the venue says it only of executions at another price that they are told twice.
        if kind == EventKind::OrderExecuteAt && !event.has(Event::PRINTABLE) {
            return Said::Nothing;
        }
        let last = view
            .map(|view| &view.statistics)
            .filter(|last| last.last_qty == event.qty && last.last_price != Price::ZERO);
        let price = if kind == EventKind::OrderExecute {
            match last {
                Some(last) => last.last_price,
                None => {
                    self.counters.unpriced_executions.add(1);
                    return Said::Nothing;
                }
            }
        } else {
            event.price
        };
        let aggressor = if kind == EventKind::Trade {
            event.side()
        } else {
            last.filter(|last| last.last_price == price).and_then(|last| match last.trade_sign {
                1.. => Some(Side::Buy),
                0 => None,
                ..0 => Some(Side::Sell),
            })
        };
        Said::Trade(Trade {
            instrument: event.instrument,
            price,
            qty: event.qty,
            aggressor,
            venue_time: event.venue_time,
        })
    }

    #[cold]
    fn on_status(
        &mut self,
        event: &Event,
        kind: Option<StatusKind>,
        view: Option<&BookView>,
        out: &mut IntentBatch,
    ) {
        let subscribers = if event.instrument == InstrumentId::ALL {
            u8::MAX
        } else {
            self.watch.subscribers(event.instrument)
        };
        let said = match kind {
            Some(kind) => Said::Status(StatusChange { instrument: event.instrument, kind }),
            None => {
                self.counters.unknown_statuses.add(1);
                Said::Nothing
            }
        };
        self.deliver(event, subscribers, said, view, out);
    }

    #[inline(never)]
    fn on_report(&mut self, event: &Event, report: &Report, out: &mut IntentBatch) {
        let Some(place) = self.place_of(report.order.strategy()) else { return };
        let (Some(running), Some(counters)) =
            (self.running.get_mut(place), self.counters.strategies.get(place))
        else {
            return;
        };
        match running.state.orders.on_report(report) {
            Applied::Known => {}
            Applied::Unmatched => counters.unmatched_reports.add(1),
            Applied::Duplicate => {
                counters.duplicate_fills.add(1);
                return;
            }
            Applied::Malformed => {
                counters.malformed_reports.add(1);
                return;
            }
        }
        running.state.given = 0;
        let mut context = Context {
            now: event.receive_time,
            table: &self.table,
            watch: &self.watch,
            state: &mut running.state,
            counters,
            out,
        };
        counters.reports.add(1);
        running.strategy.on_report(&mut context, report);
        show_levels(&running.state, counters);
    }

    #[inline(never)]
    fn on_timer(&mut self, event: &Event, out: &mut IntentBatch) {
        for (running, counters) in self.running.iter_mut().zip(&self.counters.strategies) {
            running.state.given = 0;
            let mut context = Context {
                now: event.receive_time,
                table: &self.table,
                watch: &self.watch,
                state: &mut running.state,
                counters,
                out,
            };
            counters.timers.add(1);
            running.strategy.on_timer(&mut context);
            show_levels(&running.state, counters);
        }
    }

    /// Seeds orders, position, order number and the strategy's own state from an earlier session. Calls no hook but [`Strategy::load`]: strategies find the rest
    /// in their context. Takes memory for a state as it comes.
    #[cold]
    fn on_recovery(&mut self, event: &Event, record: &RecoveredRecord) {
        let kind = record.kind();
        let strategy = match kind {
            Some(RecoveredKind::OpenOrder) => record.order.strategy(),
            Some(
                RecoveredKind::Position
                | RecoveredKind::OrderNumber
                | RecoveredKind::VenueStream
                | RecoveredKind::StrategyState,
            )
            | None => record.strategy,
        };
        let Some(place) = self.place_of(strategy) else { return };
        let (Some(running), Some(counters)) =
            (self.running.get_mut(place), self.counters.strategies.get(place))
        else {
            return;
        };
        let taken = match kind {
            Some(RecoveredKind::Position) => {
                running.state.orders.recover_position(record.instrument, record.qty)
            }
            Some(RecoveredKind::OpenOrder) => {
                let state = &mut running.state;
                // Whatever the order of the records: an id in use is never given again.
                state.last_order_number = state.last_order_number.max(record.order.number());
                state.orders.recover_order(record)
            }
            Some(RecoveredKind::OrderNumber) => {
                let state = &mut running.state;
                state.last_order_number = state.last_order_number.max(record.number);
                true
            }
            Some(RecoveredKind::VenueStream) => true,
            Some(RecoveredKind::StrategyState) => {
                running.carry(record, Origin::EarlierSession { now: event.receive_time })
            }
            None => false,
        };
        if taken {
            counters.recovered.add(1)
        } else {
            counters.recovery_refused.add(1)
        }
        show_levels(&running.state, counters);
    }

    /// Which of this core's strategies it is.
    fn place_of(&self, strategy: StrategyId) -> Option<usize> {
        let place = self.running.iter().position(|running| running.state.id == strategy);
        if place.is_none() {
            self.counters.foreign_records.add(1);
        }
        place
    }
}

fn show_levels(state: &StrategyState, counters: &StrategyCounters) {
    // Both are far below i64::MAX (MAX_IN_FLIGHT_MAX, MAX_OPEN_ORDERS_MAX).
    counters.in_flight.set(state.orders.in_flight() as i64);
    counters.held_orders.set(state.orders.held() as i64);
}

fn check(slots: &[StrategySlot], instruments: &InstrumentTable) -> Result<(), StrategyConfigError> {
    if slots.len() > STRATEGIES_PER_CORE_MAX {
        return Err(StrategyConfigError::TooManyStrategies {
            count: slots.len(),
            max: STRATEGIES_PER_CORE_MAX,
        });
    }
    for (place, slot) in slots.iter().enumerate() {
        let name = || slot.name.clone();
        if let Some(first) = slots.iter().take(place).find(|first| first.id == slot.id) {
            return Err(StrategyConfigError::DuplicateId {
                first: first.name.clone(),
                second: name(),
                id: slot.id,
            });
        }
        if slot.id == StrategyId::NONE {
            return Err(StrategyConfigError::ReservedId { name: name() });
        }
        if slot.instruments.is_empty() {
            return Err(StrategyConfigError::NoInstruments { name: name() });
        }
        if let Some(unknown) = slot.instruments.iter().find(|id| instruments.by_id(**id).is_none()) {
            return Err(StrategyConfigError::UnknownInstrument { name: name(), instrument: *unknown });
        }
        let limits = [
            ("intent_ttl", slot.intent_ttl.get(), i64::MAX),
            ("max_in_flight", count(slot.max_in_flight), count(MAX_IN_FLIGHT_MAX)),
            ("max_open_orders", count(slot.max_open_orders), count(MAX_OPEN_ORDERS_MAX)),
        ];
        if let Some((limit, value, max)) =
            limits.into_iter().find(|(_, value, max)| !(1..=*max).contains(value))
        {
            return Err(StrategyConfigError::Limit { name: name(), limit, value, max });
        }
    }
    Ok(())
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod venue_tests;
