//! What the venue's stream says, message by message, and what of it the engine is told.

use super::config::StreamMark;
use super::desk::{Order, Say};
use super::gateway::{Core, GatewayState, OuchAction, kill};
use super::life::{Happening, Life};
use super::names::order_of;
use crate::itch50::{Be32, Be64, Stock};
use crate::ouch50::{
    CancelReason, ClOrdId, LiquidityFlag, OrderState, OuchPrice, Outbound, RejectReason, SideCode,
};
use crate::soup::ClientAction;
use spinward_engine::words::{Nanos, OrderId, Qty, RecoveredRecord, RejectCode, Report, ReportKind, Side};

/// What an acceptance says of an order that we do not have.
struct Standing<'a> {
    user_ref: Be32,
    side: u8,
    quantity: Be32,
    symbol: &'a Stock,
    price: OuchPrice,
    cl_ord_id: &'a ClOrdId,
}

impl Core {
    /// The session did something.
    pub(super) fn on_session(
        &mut self,
        now: Nanos,
        action: &ClientAction<'_>,
        out: &mut impl FnMut(OuchAction<'_>),
    ) {
        match *action {
            ClientAction::Connect => out(OuchAction::Connect),
            ClientAction::Send(bytes) => out(OuchAction::Send(bytes)),
            ClientAction::Close => {
                self.forget_question();
                out(OuchAction::Close);
            }
            ClientAction::Live { session, .. } => {
                self.state = GatewayState::CatchingUp;
                self.forget_question();
                self.wants_query = true;
                let is_other = self.mark.is_some_and(|mark| !mark.session.is_same(&session));
                if is_other && !self.has_been_ready {
                    // The venue's day is another one: nothing in it is ours yet.
                    self.mark = None;
                    if !std::mem::take(&mut self.carried).is_empty() {
                        out(OuchAction::Command(&kill(
                            "the venue runs another session than our orders are in",
                        )));
                    }
                }
                self.session = session;
            }
            ClientAction::NewSession { .. } => {
                if self.desk.count() > 0 {
                    out(OuchAction::Command(&kill("the venue began another session while orders were open")));
                }
            }
            ClientAction::Missed { .. } => {
                out(OuchAction::Command(&kill("messages of the venue's stream are lost: reconcile by hand")));
            }
            ClientAction::Message { sequence, bytes } => self.on_message(now, sequence, bytes, out),
            ClientAction::Unsequenced(_) | ClientAction::Debug(_) => {}
            ClientAction::Down { .. } => {
                self.state = GatewayState::Down;
                self.forget_question();
                self.breaker.failed(now);
            }
            ClientAction::Ended(reason) => {
                self.state = GatewayState::Stopped;
                self.forget_question();
                self.ended = Some(reason);
                out(OuchAction::Ended(reason));
            }
        }
    }

    fn forget_question(&mut self) {
        (self.asked, self.marker, self.probed) = (None, None, 0);
        (self.wants_marker, self.is_answered) = (false, false);
    }

    /// A number that came back with an answer. True if it was that of the marker.
    fn is_marker(&mut self, user_ref: Be32) -> bool {
        self.numbers.used(user_ref.get());
        let is_it = self.marker == Some(user_ref.get());
        if is_it {
            self.marker = None;
            self.is_answered = true;
        }
        is_it
    }

    /// Whether the engine knows of this message already, or is not concerned: what was before it came.
    fn is_history(&self, sequence: u64) -> bool {
        match self.mark {
            Some(mark) => sequence < mark.sequence,
            None => !self.has_been_ready,
        }
    }

    fn on_message(&mut self, now: Nanos, sequence: u64, bytes: &[u8], out: &mut impl FnMut(OuchAction<'_>)) {
        let message = match Outbound::parse(bytes) {
            Ok((message, _)) => message,
            Err(_) => {
                self.counters.malformed.add(1);
                return out(OuchAction::Command(&kill("the venue said what cannot be read")));
            }
        };
        self.last_sequence = sequence;
        let is_history = self.is_history(sequence);
        let mut skip = match self.mark {
            Some(mark) if mark.sequence == sequence => std::mem::take(&mut self.skip),
            Some(_) | None => 0,
        };
        let mut told = |report: &Report| {
            if skip > 0 {
                skip -= 1;
            } else if !is_history {
                out(OuchAction::Report(report));
            }
        };
        let halt = self.on_outbound(now, sequence, is_history, &message, &mut told);
        // At the mark, what the engine knows has ended its orders before we hear of it.
        let is_at_mark = self.mark.is_some_and(|mark| mark.sequence == sequence);
        if let Some(reason) = halt.filter(|_| !is_history && !is_at_mark) {
            out(OuchAction::Command(&kill(reason)));
        }
    }

    fn time(&self, timestamp: Be64) -> Nanos {
        // 48 hours are 2^48 ns; what is more is held at the end of the range.
        self.midnight.after(Nanos::new(i64::try_from(timestamp.get()).unwrap_or(i64::MAX)))
    }

    /// Gives why trading must halt, if it must.
    fn on_outbound(
        &mut self,
        now: Nanos,
        sequence: u64,
        is_history: bool,
        message: &Outbound<'_>,
        told: &mut impl FnMut(&Report),
    ) -> Option<&'static str> {
        let say = |time: Be64, core: &Self| Say { time: core.time(time), sequence, ..Say::default() };
        match *message {
            Outbound::Accepted(m) => {
                let standing = Standing {
                    user_ref: m.user_ref,
                    side: m.side,
                    quantity: m.quantity,
                    symbol: &m.symbol,
                    price: m.price,
                    cl_ord_id: &m.cl_ord_id,
                };
                self.numbers.used(m.user_ref.get());
                let id = self.known(now, is_history, &standing, None)?;
                self.stand(id, m.reference.get(), m.quantity, m.price);
                let is_dead = m.state == OrderState::Dead.code();
                let happening = if is_dead { Happening::AcceptedDead } else { Happening::Accepted };
                self.desk.happens(id, happening, &say(m.timestamp, self), told);
            }
            Outbound::Replaced(m) => {
                let standing = Standing {
                    user_ref: m.user_ref,
                    side: m.side,
                    quantity: m.quantity,
                    symbol: &m.symbol,
                    price: m.price,
                    cl_ord_id: &m.cl_ord_id,
                };
                self.numbers.used(m.user_ref.get());
                let original = self.desk.of_ref(m.original.get()).map(|original| original.id);
                let id = self.known(now, is_history, &standing, original)?;
                self.stand(id, m.reference.get(), m.quantity, m.price);
                let is_dead = m.state == OrderState::Dead.code();
                let happening = if is_dead { Happening::EnteredDead } else { Happening::Entered };
                self.desk.happens(id, happening, &say(m.timestamp, self), told);
                if self.desk.find(id).is_some_and(|order| order.is_to_go) {
                    self.to_cancel.push_back(id);
                }
            }
            Outbound::Rejected(m) => {
                if self.is_marker(m.user_ref) {
                    return None;
                }
                let reason = RejectReason::from_code(m.reason.get());
                let code = code_of(reason, || self.breaker.failed(now));
                let say = Say { code_number: code as u16, ..say(m.timestamp, self) };
                match self.desk.of_ref(m.user_ref.get()).map(|order| order.id) {
                    Some(id) => self.desk.happens(id, Happening::Rejected, &say, told),
                    None => self.reject_carried(order_of(&m.cl_ord_id), &say, told),
                }
            }
            Outbound::Executed(m) => {
                let user_ref = m.user_ref.get();
                if !self.executions_are_new(m.match_number.get(), user_ref) {
                    return None;
                }
                let Some(order) = self.desk.of_ref(user_ref).copied() else {
                    return Some("the venue executed an order that is not in our books");
                };
                let say = Say {
                    price: m.price.price().unwrap_or(order.price),
                    qty: Qty::from_lots(m.quantity.get().into()),
                    exec: m.match_number.get(),
                    is_maker: LiquidityFlag::from_code(m.liquidity).is_some_and(is_maker),
                    ..say(m.timestamp, self)
                };
                self.desk.fill(order.id, &say, told);
                if !order.is_known {
                    return Some("the venue executed an order that this session does not know");
                }
            }
            Outbound::Canceled(m) => {
                let is_asked = m.reason == CancelReason::User.code();
                self.canceled(m.user_ref, m.quantity, is_asked, say(m.timestamp, self), told);
            }
            Outbound::AiqCanceled(m) => {
                self.canceled(m.user_ref, m.decrement, false, say(m.timestamp, self), told);
            }
            Outbound::CancelReject(m) => {
                if let Some(id) = self.desk.of_ref(m.user_ref.get()).map(|order| order.id) {
                    let say = Say { code_number: RejectCode::VenueOther as u16, ..say(m.timestamp, self) };
                    self.desk.happens(id, Happening::CancelRefused, &say, told);
                }
            }
            Outbound::PriorityUpdate(m) => {
                let id = self.desk.of_ref(m.user_ref.get()).map(|order| order.id);
                if let Some(order) = id.and_then(|id| self.desk.find_mut(id)) {
                    order.venue_order = m.reference.get();
                }
            }
            Outbound::BrokenTrade(_) | Outbound::TradeCorrection(_) => {
                self.counters.broken.add(1);
                return Some("the venue broke or corrected a trade: reconcile by hand");
            }
            Outbound::AccountQueryResponse(m) => {
                self.next_ref = m.next_user_ref.get();
                self.numbers.venue_says_next(self.next_ref);
                self.wants_marker = self.asked.is_some();
            }
            Outbound::EnableOrderEntryResponse(m) => {
                if !self.is_marker(m.user_ref) {
                    self.never_arrived(m.user_ref, &say(m.timestamp, self), told);
                }
            }
            Outbound::DisableOrderEntryResponse(m) => self.numbers.used(m.user_ref.get()),
            Outbound::MassCancelResponse(m) => self.numbers.used(m.user_ref.get()),
            // What we never ask for, and what changes no order.
            Outbound::SystemEvent(_)
            | Outbound::CancelPending(_)
            | Outbound::Modified(_)
            | Outbound::Restated(_) => {}
        }
        None
    }

    /// The number of an order came back with another request: the order itself was lost.
    fn never_arrived(&mut self, user_ref: Be32, say: &Say, told: &mut impl FnMut(&Report)) {
        let order = self.desk.of_ref(user_ref.get()).filter(|order| order.life.is_unacknowledged());
        if let Some(id) = order.map(|order| order.id) {
            self.counters.never_arrived.add(1);
            let say = Say { code_number: RejectCode::VenueUnavailable as u16, ..*say };
            self.desk.happens(id, Happening::NeverArrived, &say, told);
        }
    }

    fn executions_are_new(&mut self, match_number: u64, user_ref: u32) -> bool {
        let is_new = self.desk.executions.remember(match_number, user_ref);
        self.counters.duplicates.add(u64::from(!is_new));
        is_new
    }

    fn canceled(
        &mut self,
        user_ref: Be32,
        quantity: Be32,
        is_asked: bool,
        say: Say,
        told: &mut impl FnMut(&Report),
    ) {
        let Some(id) = self.desk.of_ref(user_ref.get()).map(|order| order.id) else { return };
        let say = Say { qty: Qty::from_lots(quantity.get().into()), ..say };
        self.desk.cancel(id, is_asked, &say, told);
    }

    /// The order that is accepted. One that this process did not send is taken in: carried over, or a stranger.
    fn known(
        &mut self,
        now: Nanos,
        is_history: bool,
        standing: &Standing<'_>,
        original: Option<OrderId>,
    ) -> Option<OrderId> {
        if let Some(order) = self.desk.of_ref(standing.user_ref.get()) {
            return Some(order.id);
        }
        let name = order_of(standing.cl_ord_id).filter(|id| self.desk.find(*id).is_none());
        let instrument = self.symbols.instrument(standing.symbol);
        let (Some(id), Some(instrument), Some(price)) = (name, instrument, standing.price.price()) else {
            self.counters.foreign.add(1);
            return None;
        };
        let side = if standing.side == SideCode::Buy.code() { Side::Buy } else { Side::Sell };
        let qty = Qty::from_lots(standing.quantity.get().into());
        let is_carried = self.carried.iter().any(|record| record.order == id);
        let order = Order {
            id,
            user_ref: standing.user_ref.get(),
            life: if original.is_some() { Life::Replacement } else { Life::Entering },
            other: original.unwrap_or(OrderId::NONE),
            instrument,
            side,
            price,
            qty,
            leaves: qty,
            reduced: Qty::ZERO,
            executed: 0,
            venue_order: 0,
            frame: 0,
            cancel_frame: 0,
            sent_at: now,
            is_known: is_carried,
            is_to_go: false,
            is_unresolved: false,
        };
        if !self.desk.insert(order) {
            self.counters.foreign.add(1);
            return None;
        }
        self.last_ref = self.last_ref.max(order.user_ref);
        if let Some(original) = original.and_then(|id| self.desk.find_mut(id)) {
            // It was under way when the process before us ended.
            (original.life, original.other) = (Life::Replacing, id);
        }
        if !is_history && !is_carried {
            self.let_go(id);
            self.counters.foreign.add(1);
        }
        Some(id)
    }

    /// What the acceptance says of the order holds, whatever was sent.
    fn stand(&mut self, id: OrderId, reference: u64, quantity: Be32, price: OuchPrice) {
        let Some(order) = self.desk.find_mut(id) else { return };
        order.venue_order = reference;
        if order.life.is_unacknowledged() {
            order.leaves = Qty::from_lots(quantity.get().into());
            order.price = price.price().unwrap_or(order.price);
        }
    }

    /// A reject of an order that only the session before us knew.
    fn reject_carried(&mut self, id: Option<OrderId>, say: &Say, told: &mut impl FnMut(&Report)) {
        let record = self.carried.iter().position(|record| Some(record.order) == id);
        if let Some(record) = record.map(|at| self.carried.swap_remove(at)) {
            told(&rejected(&record, say));
        }
    }

    /// The order is to be cancelled, whoever knows of it.
    pub(super) fn let_go(&mut self, id: OrderId) {
        let Some(order) = self.desk.find_mut(id) else { return };
        if !order.is_to_go {
            order.is_to_go = true;
            self.to_cancel.push_back(id);
        }
    }

    /// The stream is read up to the venue's answer: what it has not spoken of until here, it will not speak of.
    pub(super) fn on_answer(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let next = self.next_ref;
        let Some((up_to, asked_at)) = self.asked.take() else { return };
        self.breaker.answered();
        let is_first = self.state == GatewayState::CatchingUp;
        self.state = if is_first { GatewayState::Ready } else { self.state };
        for place in 0..self.desk.capacity() {
            let Some(order) = self.desk.at(place).copied() else { continue };
            // Nothing that takes a number was sent while it was read, and a cancel that is sent again does no harm.
            let is_judged = is_first || order.user_ref <= up_to && order.sent_at <= asked_at;
            if !is_judged {
                continue;
            }
            if order.life.is_unacknowledged() && order.user_ref >= next {
                self.counters.never_arrived.add(1);
                let say = Say::because(RejectCode::VenueUnavailable, now);
                let mut told = |report: &Report| out(OuchAction::Report(report));
                self.desk.happens(order.id, Happening::NeverArrived, &say, &mut told);
            } else if order.life.is_unacknowledged() {
                if let Some(order) = self.desk.find_mut(order.id).filter(|order| !order.is_unresolved) {
                    order.is_unresolved = true;
                    self.counters.unresolved.add(1);
                }
                self.let_go(order.id);
            } else if matches!(order.life, Life::Cancelling) || order.is_to_go {
                // Harmless if the first one arrived.
                self.to_cancel.push_back(order.id);
            }
        }
        if !self.has_been_ready {
            self.has_been_ready = true;
            self.reconcile(now, out);
        }
    }

    /// The first time that the stream is read to its end: orders of the session before us that the venue does not have, and those that it has and we do not
    /// know.
    fn reconcile(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        for record in std::mem::take(&mut self.carried) {
            if self.desk.find(record.order).is_some() || self.desk.has_ended(record.order) {
                continue;
            }
            if record.venue_order == 0 {
                self.counters.never_arrived.add(1);
                let say = Say::because(RejectCode::VenueUnavailable, now);
                out(OuchAction::Report(&rejected(&record, &say)));
            } else {
                out(OuchAction::Command(&kill("an open order of ours is not in the venue's stream")));
            }
        }
        self.desk.watch(false);
        if self.mark.is_none() {
            // All before this is nothing to us, and to a session that carries on from us.
            let mark = StreamMark { session: self.session, sequence: self.last_sequence, reports: 0 };
            self.mark = Some(mark);
            out(OuchAction::Joined(&mark));
        }
        for place in 0..self.desk.capacity() {
            let Some(order) = self.desk.at(place).copied().filter(|order| !order.is_known) else { continue };
            self.counters.foreign.add(1);
            self.let_go(order.id);
        }
    }
}

/// A reject of an order that is only known by its record.
fn rejected(record: &RecoveredRecord, say: &Say) -> Report {
    Report {
        order: record.order,
        price: record.price,
        qty: record.qty,
        venue_time: say.time,
        value: i64::try_from(say.sequence).unwrap_or(i64::MAX),
        instrument: record.instrument,
        code_number: say.code_number,
        kind_number: ReportKind::Rejected as u8,
        side_number: record.side_number,
        ..Report::default()
    }
}

/// The engine's code; calls `failed` for reasons that say something of the venue, not of the order.
fn code_of(reason: Option<RejectReason>, failed: impl FnOnce()) -> RejectCode {
    use RejectReason as R;
    let is_the_venues = matches!(
        reason,
        Some(
            R::ProcessingError
                | R::DestinationClosed
                | R::RegShoStateUnavailable
                | R::FirmNotAuthorized
                | R::RiskPortMessageRate
                | R::RiskSymbolMessageRate
                | R::RiskDuplicateMessageRate
        )
    );
    if is_the_venues {
        failed();
        RejectCode::VenueUnavailable
    } else {
        RejectCode::VenueOther
    }
}

/// Whether an execution with this flag was of the resting side.
fn is_maker(flag: LiquidityFlag) -> bool {
    use LiquidityFlag as F;
    match flag {
        F::Added
        | F::NonDisplayAdded
        | F::ReserveAdded
        | F::MidpointAdded
        | F::MidpointPassive
        | F::RetailAdded
        | F::ImprovesNational
        | F::SetsVenueBest => true,
        F::Removed
        | F::OpeningCross
        | F::OpeningImbalance
        | F::ClosingCross
        | F::ClosingImbalance
        | F::AfterHoursClose
        | F::HaltCross
        | F::HaltIpoCross
        | F::MidpointRemoved
        | F::MidpointExtendedLife
        | F::Supplemental
        | F::RetailImprovement
        | F::RetailImprovementPlain
        | F::RemovedHidden
        | F::RetailRemovedMidpoint
        | F::RetailRemovedImprovement
        | F::RetailRemovedHidden => false,
    }
}
