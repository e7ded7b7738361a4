//! The checks, in their fixed order, and what an approved message changes.

use super::approved::{ApprovedOrder, Outbound};
use super::orders::OpenOrder;
use super::stage::{Cause, Risk};
use super::state::{OrderInput, OrderState, transition};
use super::{Egress, VerdictBatch};
use crate::words::{
    Action, Intent, Nanos, OrderId, RejectCode, Side, StrategyId, TimeInForce, TradingState, Verdict,
};

/// Why not: the code, what was measured, the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Refused(RejectCode, i64, i64);

/// Made out of line: an approved order runs through the checks without a jump.
#[cold]
#[inline(never)]
fn refusal(code: RejectCode, value: i64, limit: i64) -> Refused {
    Refused(code, value, limit)
}

/// An intent whose numbers are an action, a side and a time in force, by a strategy that is known, about orders of its own.
#[derive(Clone, Copy, Debug)]
struct Formed {
    action: Action,
    side: Side,
    tif: TimeInForce,
    strategy: StrategyId,
}

/// Where an approved order belongs.
#[derive(Clone, Copy, Debug)]
struct Place {
    tradable: usize,
    cell: usize,
}

impl Risk {
    /// Judges one intent, sends it or its refusal, writes the verdict.
    #[inline(never)]
    pub(super) fn on_intent(
        &mut self,
        intent: &Intent,
        cause: &Cause,
        out: &mut VerdictBatch,
        egress: &mut impl Egress,
    ) {
        let outcome = self.form(intent).and_then(|formed| {
            let place = self.judge(intent, &formed, cause.now);
            // A number is used up whatever becomes of its order.
            self.use_number(intent, formed.action);
            self.send(intent, &formed, place?, cause, egress)
        });
        match outcome {
            Ok(()) => {
                out.push(Verdict::on(intent, RejectCode::None, 0, 0));
                self.count_verdict(RejectCode::None);
            }
            Err(Refused(code, value, limit)) => {
                let verdict = Verdict::on(intent, code, value, limit);
                out.push(verdict);
                self.count_verdict(code);
                self.refuse(verdict, cause, egress);
            }
        }
        self.show_orders();
        let newest = self.last_numbers.get(intent.strategy.index()).copied().unwrap_or(0);
        self.orders.prefetch(OrderId::compose(intent.strategy, newest + 1));
    }

    pub(super) fn count_verdict(&self, code: RejectCode) {
        // Risk's own codes are dense from 0, so the number is the index (a test holds this).
        if let Some(counter) = self.counters.verdicts.get(code as usize) {
            counter.add(1);
        }
    }

    /// Check 1.
    #[inline]
    fn form(&self, intent: &Intent) -> Result<Formed, Refused> {
        let formed = || {
            let action = intent.action()?;
            let side = intent.side()?;
            let (tif, newest) = match action {
                Action::New => (intent.tif()?, intent.order),
                Action::Cancel => (TimeInForce::Day, intent.order),
                Action::Replace => (intent.tif()?, intent.new_order),
            };
            let strategy = intent.strategy;
            let known = strategy.index() < self.last_numbers.len();
            let own = intent.order.strategy() == strategy && newest.strategy() == strategy;
            let numbered = intent.order.number() != 0 && newest.number() != 0;
            let flags = intent.flags & !(Intent::POST_ONLY | Intent::REDUCE_ONLY) == 0;
            (known && own && numbered && flags).then_some(Formed { action, side, tif, strategy })
        };
        formed().ok_or(Refused(RejectCode::Malformed, i64::from(intent.action_number), 0))
    }

    #[inline]
    fn use_number(&mut self, intent: &Intent, action: Action) {
        let newest = match action {
            Action::New => intent.order,
            Action::Replace => intent.new_order,
            Action::Cancel => return,
        };
        self.raise_number(newest);
    }

    pub(super) fn raise_number(&mut self, order: OrderId) {
        if let Some(last) = self.last_numbers.get_mut(order.strategy().index()) {
            *last = order.number().max(*last);
        }
    }

    #[inline]
    fn judge(&self, intent: &Intent, formed: &Formed, now: Nanos) -> Result<Place, Refused> {
        match formed.action {
            Action::Cancel => {
                let place = self.change(intent, formed, OrderInput::SendCancel)?;
                if self.room.for_cancel() {
                    Ok(place)
                } else {
                    Err(refusal(
                        RejectCode::EgressFull,
                        self.room.under_way() as i64,
                        self.room.slots() as i64,
                    ))
                }
            }
            Action::Replace => {
                self.change(intent, formed, OrderInput::SendReplace)?;
                self.enter(intent, formed, now, intent.new_order)
            }
            Action::New => self.enter(intent, formed, now, intent.order),
        }
    }

    /// Checks 2 and 3: the order to be changed.
    #[inline]
    fn change(&self, intent: &Intent, formed: &Formed, input: OrderInput) -> Result<Place, Refused> {
        let Some(order) = self.orders.get(intent.order) else {
            return Err(refusal(RejectCode::UnknownOrder, 0, 0));
        };
        if order.instrument != intent.instrument || order.side != formed.side {
            return Err(refusal(RejectCode::Malformed, i64::from(intent.action_number), 0));
        }
        if !transition(order.state, input).expected {
            return Err(refusal(RejectCode::PendingChange, 0, 0));
        }
        Ok(Place { tradable: order.tradable as usize, cell: order.cell as usize })
    }

    /// Checks 4 to 24: an order that would enter the market as `id`.
    #[inline]
    fn enter(&self, intent: &Intent, formed: &Formed, now: Nanos, id: OrderId) -> Result<Place, Refused> {
        use RejectCode as Code;
        let (price, lots, side) = (intent.price, intent.qty.lots(), formed.side);

        let state = self.trading.state();
        match state {
            TradingState::Normal | TradingState::ReduceOnly => {}
            TradingState::CancelOnly => return Err(refusal(Code::CancelOnly, state as i64, 0)),
            TradingState::Halted => return Err(refusal(Code::Halted, state as i64, 0)),
        }

        // The instrument and the moment.
        let not_tradable = Refused(Code::NotTradable, 0, 0);
        let index = self.tradable(intent.instrument).ok_or(not_tradable)?;
        let terms = self.tradables.get(index).ok_or(not_tradable)?;
        let limits = terms.limits.ok_or(not_tradable)?;
        let place = Place { tradable: index, cell: self.cell(index, formed.strategy) };
        let cell = self.cells.get(place.cell).ok_or(not_tradable)?;
        let position_max = cell.position_max.ok_or(not_tradable)?;
        if now > terms.expiry {
            return Err(refusal(Code::InstrumentExpired, now.get(), terms.expiry.get()));
        }
        if !terms.calendar.is_open(now) {
            return Err(refusal(Code::SessionClosed, now.get(), 0));
        }
        if let Some(status) = terms.market.closed() {
            return Err(refusal(Code::MarketNotOpen, status as i64, 0));
        }
        if now > intent.valid_until {
            return Err(refusal(Code::IntentExpired, now.get(), intent.valid_until.get()));
        }

        // The order by itself.
        if lots <= 0 {
            return Err(refusal(Code::BadQuantity, lots, 0));
        }
        if !terms.ticks.on_grid(price) {
            return Err(refusal(Code::OffTick, price.nanos(), terms.ticks.tick_at(price).nanos()));
        }
        if price < terms.price_min {
            return Err(refusal(Code::PriceLimit, price.nanos(), terms.price_min.nanos()));
        }
        if price > terms.price_max {
            return Err(refusal(Code::PriceLimit, price.nanos(), terms.price_max.nanos()));
        }
        if lots > limits.order_qty_max.lots() {
            return Err(refusal(Code::MaxOrderQty, lots, limits.order_qty_max.lots()));
        }
        let notional = terms.unit.value(price, lots).map_or(i64::MAX, i64::saturating_abs);
        if notional > limits.order_notional_max.nanos() || notional == i64::MAX {
            return Err(refusal(Code::MaxOrderNotional, notional, limits.order_notional_max.nanos()));
        }

        // The order beside the position: everything that works on its side is taken as filled.
        let before = cell.position.qty.lots();
        let after = worst(before, side, cell.buys, cell.sells, lots);
        let reduces = match side {
            Side::Buy => before < 0 && after <= 0,
            Side::Sell => before > 0 && after >= 0,
        };
        let must_reduce = state == TradingState::ReduceOnly || intent.flags & Intent::REDUCE_ONLY != 0;
        if must_reduce && !reduces {
            return Err(refusal(Code::ReduceOnly, after, before));
        }

        // The market: an order that reduces risk is not kept in by bad data, only by a price that is plainly wrong.
        if !reduces {
            if terms.market.is_quarantined() {
                return Err(refusal(Code::Quarantined, 0, 0));
            }
            if let Some(age) = terms.market.age(now)
                && age > self.stale_after
            {
                return Err(refusal(Code::StaleData, age.get(), self.stale_after.get()));
            }
        }
        let Some(reference) = terms.market.reference() else {
            return Err(refusal(Code::NoReferencePrice, 0, 0));
        };
        let tick = terms.ticks.tick_at(reference);
        if !limits.collar.allows(price, reference, tick) {
            let nearest = limits.collar.nearest(price, reference, tick);
            return Err(refusal(Code::PriceCollar, price.nanos(), nearest));
        }

        // The sums.
        let of_all = worst(terms.net, side, terms.buys, terms.sells, lots);
        for (worst, limit) in [(after, position_max), (of_all, limits.position_max.lots())] {
            if worst.saturating_mul(side.sign()) > limit {
                return Err(refusal(Code::PositionLimit, worst, limit));
            }
        }
        self.duplicate(intent, formed, place, now, id)?;
        let with_this = self.orders.count() + 1;
        let most = match formed.action {
            Action::Replace => self.orders.capacity(),
            Action::New | Action::Cancel => self.open_orders_max,
        };
        if with_this > most {
            return Err(refusal(Code::OpenOrders, with_this as i64, most as i64));
        }
        if self.rate.is_full(now) {
            return Err(refusal(Code::MessageRate, self.rate.limit() + 1, self.rate.limit()));
        }
        if !self.room.for_order() {
            let share = self.room.order_share() as i64;
            return Err(refusal(Code::EgressFull, self.room.under_way() as i64, share));
        }
        Ok(place)
    }

    #[inline]
    fn duplicate(
        &self,
        intent: &Intent,
        formed: &Formed,
        place: Place,
        now: Nanos,
        id: OrderId,
    ) -> Result<(), Refused> {
        let refused = |before: OrderId| Refused(RejectCode::DuplicateOrder, before.get() as i64, 0);
        let last = self.last_numbers.get(formed.strategy.index()).copied().unwrap_or(0);
        if id.number() <= last {
            return Err(refused(OrderId::compose(formed.strategy, last)));
        }
        if formed.action == Action::New
            && let Some(recent) = self.recent.get(place.cell)
            && let Some(before) =
                recent.find(formed.side, intent.price, intent.qty, now, self.duplicate_window)
        {
            return Err(refused(before));
        }
        Ok(())
    }

    /// Sends an approved message and counts it. If the ring does not take it, nothing has changed but that trading is halted.
    #[inline]
    fn send(
        &mut self,
        intent: &Intent,
        formed: &Formed,
        place: Place,
        cause: &Cause,
        egress: &mut impl Egress,
    ) -> Result<(), Refused> {
        self.transmit(intent, cause, egress)?;
        match formed.action {
            Action::Cancel => self.on_cancel_sent(intent.order, cause.frame),
            Action::New => {
                let order = opened(intent, formed, place, cause, intent.order, OrderState::PendingNew);
                self.open(order, cause.now);
                if let Some(recent) = self.recent.get_mut(place.cell) {
                    recent.add(formed.side, intent.price, intent.qty, cause.now, intent.order);
                }
            }
            Action::Replace => {
                if let Some(old) = self.orders.get_mut(intent.order) {
                    old.state = transition(old.state, OrderInput::SendReplace).next;
                }
                self.count_state(OrderState::PendingReplace);
                let order = opened(intent, formed, place, cause, intent.new_order, OrderState::Replacement);
                self.open(order, cause.now);
            }
        }
        Ok(())
    }

    /// Out through the egress ring. Counts the message, changes no order.
    fn transmit(&mut self, intent: &Intent, cause: &Cause, egress: &mut impl Egress) -> Result<(), Refused> {
        let Some(order) = ApprovedOrder::approve(intent, cause.frame, cause.stamp) else {
            return Err(refusal(RejectCode::Malformed, i64::from(intent.action_number), 0));
        };
        if !egress.send(&Outbound::Order(order)) {
            self.counters.egress_failures.add(1);
            self.halt("the egress ring took no order", cause.now);
            return Err(refusal(
                RejectCode::EgressFull,
                self.room.under_way() as i64,
                self.room.slots() as i64,
            ));
        }
        self.room.sent();
        self.rate.count(cause.now);
        if let Some(counter) = self.counters.messages_sent.get(order.action() as usize - 1) {
            counter.add(1);
        }
        Ok(())
    }

    /// A cancel of `order` has left.
    fn on_cancel_sent(&mut self, order: OrderId, frame: u64) {
        let Some(order) = self.orders.get_mut(order) else { return };
        order.state = transition(order.state, OrderInput::SendCancel).next;
        order.under_way += 1;
        order.cancel_frame = frame;
        let state = order.state;
        self.count_state(state);
    }

    /// A cancel of risk's own. False if it could not leave.
    pub(super) fn cancel(
        &mut self,
        order: &OpenOrder,
        cause: &Cause,
        out: &mut VerdictBatch,
        egress: &mut impl Egress,
    ) -> bool {
        let intent = Intent {
            order: order.order,
            price: order.price,
            qty: order.leaves,
            decided: cause.now,
            valid_until: Nanos::MAX,
            instrument: order.instrument,
            strategy: StrategyId::NONE,
            action_number: Action::Cancel as u8,
            side_number: order.side as u8,
            tif_number: TimeInForce::Day as u8,
            ..Intent::default()
        };
        if self.transmit(&intent, cause, egress).is_err() {
            return false;
        }
        out.push(Verdict::on(&intent, RejectCode::None, 0, 0));
        self.count_verdict(RejectCode::None);
        self.counters.mass_cancels.add(1);
        self.on_cancel_sent(order.order, cause.frame);
        true
    }

    /// Tells the strategy.
    fn refuse(&mut self, verdict: Verdict, cause: &Cause, egress: &mut impl Egress) {
        if !self.room.for_refusal() {
            self.counters.refusals_unsent.add(1);
            self.halt("more refusals under way than the egress ring holds", cause.now);
        } else if egress.send(&Outbound::Refusal { verdict, decided: cause.now, frame: cause.frame }) {
            self.room.refused();
            self.counters.refusals_sent.add(1);
        } else {
            self.counters.refusals_unsent.add(1);
            self.counters.egress_failures.add(1);
            self.halt("the egress ring took no refusal", cause.now);
        }
    }

    pub(super) fn count_state(&self, state: OrderState) {
        if let Some(counter) = self.counters.transitions.get(state as usize) {
            counter.add(1);
        }
    }
}

/// The position if everything that works on `side`, and `lots` more, were filled. Held at the ends of the range.
#[inline]
fn worst(position: i64, side: Side, buys: i64, sells: i64, lots: i64) -> i64 {
    match side {
        Side::Buy => position.saturating_add(buys).saturating_add(lots),
        Side::Sell => position.saturating_sub(sells).saturating_sub(lots),
    }
}

fn opened(
    intent: &Intent,
    formed: &Formed,
    place: Place,
    cause: &Cause,
    id: OrderId,
    state: OrderState,
) -> OpenOrder {
    OpenOrder {
        order: id,
        price: intent.price,
        qty: intent.qty,
        leaves: intent.qty,
        venue_order: 0,
        frame: cause.frame,
        cancel_frame: 0,
        instrument: intent.instrument,
        side: formed.side,
        tif: formed.tif,
        flags: intent.flags,
        state,
        cancel_due: false,
        queued: false,
        under_way: 1,
        tradable: place.tradable as u32,
        cell: place.cell as u32,
    }
}
