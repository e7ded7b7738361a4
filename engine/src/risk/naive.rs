//! [`NaiveRisk`]: the same rules, written for the reader: ordered maps, sums taken anew for every order, a list of every fill. The
//! oracle of the property tests and of the naive pipeline. It allocates and is slow; it never runs in a session.
//!
//! Not modelled: money out of range (the fast one halts), the bound of the memory for executions (this one remembers all), and what a venue
//! does that no venue may (two orders with one id).

use super::config::{RiskConfig, RiskConfigError};
use super::trading::{GATEWAY, OPERATOR, RISK};
use super::{ApprovedOrder, Egress, MASS_CANCELS_PER_EVENT, Outbound, RECENT_ORDERS, VerdictBatch};
use crate::normalizer::Payload;
use crate::strategy::IntentBatch;
use crate::words::{
    Action, BookView, Command, CommandKind, Event, EventKind, ExecId, InstrumentId, InstrumentTable, Intent,
    MarketStatus, NANOS_PER_UNIT, Nanos, OrderId, Price, RecoveredKind, RecoveredRecord, RejectCode, Report,
    ReportKind, Side, StrategyId, Symbol, Ticks, TimeInForce, TradingState, Verdict, round_div,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod answers;

/// An order that is not gone. A plain list of what is still to be answered instead of a state.
#[derive(Clone, Copy, Debug)]
struct Order {
    instrument: InstrumentId,
    side: Side,
    price: Price,
    qty: i64,
    leaves: i64,
    frame: u64,
    cancel_frame: u64,
    entry_unanswered: bool,
    cancel_unanswered: bool,
    replace_unanswered: bool,
    /// The order to come of a replace.
    to_come: bool,
    /// Wanted gone by a mass cancel.
    unwanted: bool,
    /// Messages sent in this session and not yet answered.
    under_way: usize,
}

impl Order {
    fn is_open(&self) -> bool {
        !(self.entry_unanswered || self.cancel_unanswered || self.replace_unanswered || self.to_come)
    }

    fn may_cancel(&self) -> bool {
        !(self.cancel_unanswered || self.replace_unanswered || self.to_come)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Market {
    reference: Option<Price>,
    trusted: Option<Nanos>,
    distrusted: bool,
    quarantined: bool,
    status: Option<MarketStatus>,
}

/// A new order that was sent: side, price, lots, when, id.
type Entered = (Side, Price, i64, Nanos, OrderId);

/// One line of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct LedgerLine {
    /// Whose; `StrategyId::NONE` if nobody known.
    pub strategy: StrategyId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Bought (positive) or sold lots.
    pub lots: i64,
    /// At this price.
    pub price: Price,
    /// As the resting side.
    pub maker: bool,
}

/// What a list of fills comes to, from first principles.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LedgerSum {
    /// Signed lots.
    pub lots: i64,
    /// Money received less money paid, each fill to the nearest 1e-9.
    pub cash: i128,
    /// Fees paid.
    pub fees: i128,
}

type Refused = (RejectCode, i64, i64);

/// Risk, naively. The same `on_event` as [`Risk`](super::Risk), the same verdicts.
#[derive(Debug)]
pub struct NaiveRisk {
    config: RiskConfig,
    instruments: InstrumentTable,
    state: TradingState,
    /// What the venue allows.
    venue: TradingState,
    /// Owners that halted, the first one first.
    killers: Vec<Symbol>,
    markets: BTreeMap<InstrumentId, Market>,
    orders: BTreeMap<OrderId, Order>,
    /// Positions carried over.
    carried: BTreeMap<(StrategyId, InstrumentId), i64>,
    ledger: Vec<LedgerLine>,
    executions: BTreeSet<(ExecId, OrderId)>,
    sent: Vec<Nanos>,
    entered: BTreeMap<(StrategyId, InstrumentId), Vec<Entered>>,
    numbers: BTreeMap<StrategyId, u64>,
    late: usize,
    refusals: usize,
    queue: VecDeque<OrderId>,
    retry: bool,
}

impl NaiveRisk {
    /// As [`Risk::new`](super::Risk::new).
    ///
    /// # Errors
    /// As [`Risk::new`](super::Risk::new).
    pub fn new(config: &RiskConfig, instruments: &InstrumentTable) -> Result<Self, RiskConfigError> {
        config.validate(instruments)?;
        Ok(Self {
            config: config.clone(),
            instruments: instruments.clone(),
            state: TradingState::Normal,
            venue: TradingState::Normal,
            killers: Vec::new(),
            markets: BTreeMap::new(),
            orders: BTreeMap::new(),
            carried: BTreeMap::new(),
            ledger: Vec::new(),
            executions: BTreeSet::new(),
            sent: Vec::new(),
            entered: BTreeMap::new(),
            numbers: BTreeMap::new(),
            late: 0,
            refusals: 0,
            queue: VecDeque::new(),
            retry: false,
        })
    }

    /// As [`Risk::on_event`](super::Risk::on_event).
    #[expect(clippy::too_many_arguments, reason = "the signature of the stage that it stands in for")]
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
        let now = event.receive_time;
        self.on_control(event, payload);
        if let Some(view) = view {
            self.on_view(view, now);
        }
        for intent in intents.flat_map(|batch| batch.intents()) {
            let verdict = match self.on_intent(intent, event.frame, now, frame_stamp, egress) {
                Ok(()) => Verdict::on(intent, RejectCode::None, 0, 0),
                Err((code, value, limit)) => Verdict::on(intent, code, value, limit),
            };
            out.push(verdict);
            if !verdict.is_approved() {
                let room = self.under_way() < self.config.egress_slots - self.config.egress_cancel_reserve;
                let refusal = Outbound::Refusal { verdict, decided: now, frame: event.frame };
                if room && egress.send(&refusal) {
                    self.refusals += 1;
                } else {
                    self.halt(RISK);
                }
            }
        }
        self.mass_cancel(event.frame, now, frame_stamp, out, egress);
    }

    fn on_control(&mut self, event: &Event, payload: &Payload) {
        let concerned: Vec<InstrumentId> = match event.instrument {
            InstrumentId::ALL => self.instruments.iter().map(|instrument| instrument.id).collect(),
            one => vec![one],
        };
        if event.kind() == EventKind::Report {
            self.on_report(&bytemuck::cast(*payload));
        } else if event.kind() == EventKind::Operator {
            self.on_command(&bytemuck::cast(*payload));
        } else if event.kind() == EventKind::Recovery {
            self.on_recovered(&bytemuck::cast(*payload));
        } else if event.kind() == EventKind::Timer && std::mem::take(&mut self.retry) {
            let open = self.orders.iter().filter(|(_, order)| order.unwanted && order.is_open());
            let again: Vec<OrderId> = open.map(|(id, _)| *id).collect();
            again.into_iter().for_each(|id| self.want_gone(id));
        } else if event.kind() == EventKind::Gap {
            for instrument in concerned {
                self.markets.entry(instrument).or_default().distrusted = true;
            }
        } else if event.kind() == EventKind::Status {
            for instrument in concerned {
                let market = self.markets.entry(instrument).or_default();
                match MarketStatus::from_number(event.a) {
                    Some(MarketStatus::Quarantined) => market.quarantined = true,
                    Some(MarketStatus::Resynced) => market.quarantined = false,
                    Some(status) => market.status = Some(status),
                    None => {}
                }
            }
        }
    }

    fn on_view(&mut self, view: &BookView, now: Nanos) {
        let market = self.markets.entry(view.instrument).or_default();
        market.distrusted = view.flags & BookView::QUARANTINED != 0;
        if market.distrusted {
            return;
        }
        market.trusted = Some(now);
        let traded = view.statistics.last_price != Price::ZERO || view.statistics.last_qty.lots() != 0;
        market.reference = if view.is_tradable() {
            Some(view.statistics.mid)
        } else {
            traded.then_some(view.statistics.last_price)
        };
    }

    fn on_intent(
        &mut self,
        intent: &Intent,
        frame: u64,
        now: Nanos,
        stamp: Ticks,
        egress: &mut impl Egress,
    ) -> Result<(), Refused> {
        let malformed = (RejectCode::Malformed, i64::from(intent.action_number), 0);
        let Some((action, side)) = intent.action().zip(intent.side()) else { return Err(malformed) };
        let id = if action == Action::Replace { intent.new_order } else { intent.order };
        let well_formed = (action == Action::Cancel || intent.tif().is_some())
            && intent.strategy.index() < self.config.strategies.len()
            && [intent.order, id].iter().all(|id| id.strategy() == intent.strategy && id.number() > 0)
            && intent.flags <= (Intent::POST_ONLY | Intent::REDUCE_ONLY);
        if !well_formed {
            return Err(malformed);
        }
        let judged = self.judge(intent, action, side, id, now);
        if action != Action::Cancel {
            let last = self.numbers.entry(intent.strategy).or_default();
            *last = id.number().max(*last);
        }
        judged?;
        self.transmit(intent, frame, now, stamp, egress)?;
        if action != Action::New
            && let Some(order) = self.orders.get_mut(&intent.order)
        {
            if action == Action::Cancel {
                order.cancel_unanswered = true;
                order.cancel_frame = frame;
                order.under_way += 1;
                return Ok(());
            }
            order.replace_unanswered = true;
        }
        if action == Action::New {
            let key = (intent.strategy, intent.instrument);
            let entered = (side, intent.price, intent.qty.lots(), now, intent.order);
            self.entered.entry(key).or_default().push(entered);
        }
        let order = Order {
            instrument: intent.instrument,
            side,
            price: intent.price,
            qty: intent.qty.lots(),
            leaves: intent.qty.lots(),
            frame,
            cancel_frame: 0,
            entry_unanswered: action == Action::New,
            cancel_unanswered: false,
            replace_unanswered: false,
            to_come: action == Action::Replace,
            unwanted: false,
            under_way: 1,
        };
        self.orders.insert(id, order);
        Ok(())
    }

    fn judge(
        &self,
        intent: &Intent,
        action: Action,
        side: Side,
        id: OrderId,
        now: Nanos,
    ) -> Result<(), Refused> {
        use RejectCode as Code;
        let config = &self.config;
        let refuse_if = |wrong: bool, code: RejectCode, value: i64, limit: i64| {
            if wrong { Err((code, value, limit)) } else { Ok(()) }
        };
        if action != Action::New {
            let order = self.orders.get(&intent.order).ok_or((Code::UnknownOrder, 0, 0))?;
            let other = order.instrument != intent.instrument || order.side != side;
            refuse_if(other, Code::Malformed, i64::from(intent.action_number), 0)?;
            let free = if action == Action::Cancel { order.may_cancel() } else { order.is_open() };
            refuse_if(!free, Code::PendingChange, 0, 0)?;
        }
        let under_way = self.under_way() as i64;
        if action == Action::Cancel {
            let slots = config.egress_slots as i64;
            return refuse_if(under_way >= slots, Code::EgressFull, under_way, slots);
        }

        let state = self.state() as i64;
        refuse_if(self.state() == TradingState::CancelOnly, Code::CancelOnly, state, 0)?;
        refuse_if(self.state() == TradingState::Halted, Code::Halted, state, 0)?;

        let not_tradable = (Code::NotTradable, 0, 0);
        let instrument = self.instruments.by_id(intent.instrument).ok_or(not_tradable)?;
        let terms = instrument.terms.as_ref().ok_or(not_tradable)?;
        let limits =
            config.instruments.get(intent.instrument.index()).copied().flatten().ok_or(not_tradable)?;
        let own = config.strategies.get(intent.strategy.index()).ok_or(not_tradable)?;
        let own = own.instruments.iter().find(|i| i.instrument == intent.instrument).ok_or(not_tradable)?;
        let market = self.markets.get(&intent.instrument).copied().unwrap_or_default();
        let (price, lots) = (intent.price, intent.qty.lots());

        refuse_if(now > terms.expiry, Code::InstrumentExpired, now.get(), terms.expiry.get())?;
        refuse_if(!terms.calendar.is_open(now), Code::SessionClosed, now.get(), 0)?;
        let open = matches!(market.status, None | Some(MarketStatus::Trading | MarketStatus::QuoteOnly));
        refuse_if(!open, Code::MarketNotOpen, market.status.map_or(0, |status| status as i64), 0)?;
        refuse_if(now > intent.valid_until, Code::IntentExpired, now.get(), intent.valid_until.get())?;
        refuse_if(lots <= 0, Code::BadQuantity, lots, 0)?;
        let tick = terms.ticks.tick_at(price);
        refuse_if(price.nanos() % tick.nanos() != 0, Code::OffTick, price.nanos(), tick.nanos())?;
        refuse_if(price < terms.price_min, Code::PriceLimit, price.nanos(), terms.price_min.nanos())?;
        refuse_if(price > terms.price_max, Code::PriceLimit, price.nanos(), terms.price_max.nanos())?;
        let largest = limits.order_qty_max.lots();
        refuse_if(lots > largest, Code::MaxOrderQty, lots, largest)?;
        let notional = instrument.notional(price, intent.qty).map(|money| money.nanos().saturating_abs());
        let most = limits.order_notional_max.nanos();
        let notional = notional.unwrap_or(i64::MAX);
        refuse_if(notional > most || notional == i64::MAX, Code::MaxOrderNotional, notional, most)?;

        let before = self.sum(Some(intent.strategy), intent.instrument).lots;
        let after =
            before + side.sign() * (self.working(Some(intent.strategy), intent.instrument, side) + lots);
        let nearer = after.abs() < before.abs() && after.signum() * before.signum() >= 0;
        let demanded = self.state() == TradingState::ReduceOnly || intent.flags & Intent::REDUCE_ONLY != 0;
        refuse_if(demanded && !nearer, Code::ReduceOnly, after, before)?;
        if !nearer {
            refuse_if(market.distrusted || market.quarantined, Code::Quarantined, 0, 0)?;
            if let Some(trusted) = market.trusted {
                let (age, limit) = (now.get() - trusted.get(), config.stale_after.get());
                refuse_if(age > limit, Code::StaleData, age, limit)?;
            }
        }

        let reference = market.reference.ok_or((Code::NoReferencePrice, 0, 0))?.nanos();
        let by_part = i128::from(reference).abs() * i128::from(limits.collar.ppm) / 1_000_000;
        let tick = terms.ticks.tick_at(Price::from_nanos(reference)).nanos();
        let width = by_part.max(i128::from(tick) * i128::from(limits.collar.ticks)) as i64;
        let (lowest, highest) = (reference - width, reference + width);
        refuse_if(price.nanos() < lowest, Code::PriceCollar, price.nanos(), lowest)?;
        refuse_if(price.nanos() > highest, Code::PriceCollar, price.nanos(), highest)?;

        let limit = own.position_max.lots();
        refuse_if(after * side.sign() > limit, Code::PositionLimit, after, limit)?;
        let of_all = self.sum(None, intent.instrument).lots
            + side.sign() * (self.working(None, intent.instrument, side) + lots);
        let limit = limits.position_max.lots();
        refuse_if(of_all * side.sign() > limit, Code::PositionLimit, of_all, limit)?;

        let last = self.numbers.get(&intent.strategy).copied().unwrap_or(0);
        let last_id = OrderId::compose(intent.strategy, last).get() as i64;
        refuse_if(id.number() <= last, Code::DuplicateOrder, last_id, 0)?;
        if action == Action::New
            && let Some(entered) = self.entered.get(&(intent.strategy, intent.instrument))
        {
            let same = entered.iter().rev().take(RECENT_ORDERS).find(|entered| {
                (entered.0, entered.1, entered.2) == (side, price, lots)
                    && now.get() - entered.3.get() < config.duplicate_window.get()
            });
            refuse_if(same.is_some(), Code::DuplicateOrder, same.map_or(0, |e| e.4.get() as i64), 0)?;
        }
        let count = self.orders.len() as i64 + 1;
        let most = config.open_orders_max as i64 * if action == Action::Replace { 2 } else { 1 };
        refuse_if(count > most, Code::OpenOrders, count, most)?;
        let most = i64::from(config.message_rate_max);
        let window = config.message_rate_window.get();
        let recent = self.sent.iter().filter(|time| now.get() - time.get() < window).count() as i64;
        refuse_if(recent >= most, Code::MessageRate, most + 1, most)?;
        let share = config.egress_slots - config.egress_cancel_reserve - config.egress_refusal_reserve;
        refuse_if(under_way >= share as i64, Code::EgressFull, under_way, share as i64)
    }

    fn transmit(
        &mut self,
        intent: &Intent,
        frame: u64,
        now: Nanos,
        stamp: Ticks,
        egress: &mut impl Egress,
    ) -> Result<(), Refused> {
        let taken = ApprovedOrder::approve(intent, frame, stamp)
            .is_some_and(|order| egress.send(&Outbound::Order(order)));
        if !taken {
            let under_way = self.under_way() as i64;
            self.halt(RISK);
            return Err((RejectCode::EgressFull, under_way, self.config.egress_slots as i64));
        }
        self.sent.push(now);
        Ok(())
    }

    /// Messages sent and not yet answered, refusals included.
    pub fn under_way(&self) -> usize {
        self.orders.values().map(|order| order.under_way).sum::<usize>() + self.late + self.refusals
    }

    /// May we trade?
    pub fn state(&self) -> TradingState {
        self.state.max(self.venue)
    }

    /// Orders that are not gone and what of each can still be filled, by id.
    pub fn open_orders(&self) -> impl Iterator<Item = (OrderId, i64)> {
        self.orders.iter().map(|(id, order)| (*id, order.leaves))
    }

    /// Every fill that counted.
    pub fn ledger(&self) -> &[LedgerLine] {
        &self.ledger
    }

    /// What the fills of a strategy (or of all) in an instrument come to, with what was carried over.
    pub fn sum(&self, strategy: Option<StrategyId>, instrument: InstrumentId) -> LedgerSum {
        let mut sum = LedgerSum::default();
        for ((owner, of), lots) in &self.carried {
            if *of == instrument && strategy.is_none_or(|strategy| strategy == *owner) {
                sum.lots += lots;
            }
        }
        let Some((terms, unit)) =
            self.instruments.by_id(instrument).and_then(|i| i.terms.as_ref().map(|t| (t, i.unit_value())))
        else {
            return sum;
        };
        for line in &self.ledger {
            if line.instrument != instrument || strategy.is_some_and(|strategy| strategy != line.strategy) {
                continue;
            }
            let product = i128::from(line.price.nanos()) * i128::from(line.lots) * i128::from(unit);
            let notional = round_div(product, i128::from(NANOS_PER_UNIT));
            let fee = if line.maker { terms.fees.maker } else { terms.fees.taker };
            sum.lots += line.lots;
            sum.cash -= notional;
            sum.fees += round_div(notional.abs() * i128::from(fee.rate), i128::from(NANOS_PER_UNIT))
                + i128::from(fee.per_lot.nanos()) * i128::from(line.lots.abs());
        }
        sum
    }

    fn working(&self, strategy: Option<StrategyId>, instrument: InstrumentId, side: Side) -> i64 {
        let of = |id: &OrderId, order: &Order| {
            order.instrument == instrument
                && order.side == side
                && strategy.is_none_or(|strategy| strategy == id.strategy())
        };
        self.orders.iter().filter(|(id, order)| of(id, order)).map(|(_, order)| order.leaves).sum()
    }
}
