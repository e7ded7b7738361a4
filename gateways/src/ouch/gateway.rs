//! [`OuchGateway`]: the state machine.

use super::breaker::{Breaker, BreakerState};
use super::config::{Carried, OuchConfig, OuchConfigError, StreamMark};
use super::counters::OuchCounters;
use super::desk::{Desk, Order, Say};
use super::encode::{self, Encoded};
use super::life::{Happening, Life};
use super::limiter::Limiter;
use super::names::Symbols;
use super::stop::{StopOutcome, Stopping};
use crate::ouch50::{Appendage, Capacity, Inbound, UserRefNumbers};
use crate::paper::OrderMessage;
use crate::soup::{Alpha, ClientAction, ClientConfig, ClientSession, ClientState, EndReason};
use spinward_engine::risk::ApprovedOrder;
use spinward_engine::words::{
    Action, Command, InstrumentTable, Nanos, OrderId, Qty, RecoveredRecord, RejectCode, Report, ReportKind,
    Symbol,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// Where a gateway is.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GatewayState {
    /// No connection.
    Down = 0,
    /// Logged in; reads what the venue has said so far.
    CatchingUp = 1,
    /// Orders leave, if the breaker is closed.
    Ready = 2,
    /// Cancels everything; no order leaves any more.
    Stopping = 3,
    /// Over.
    Stopped = 4,
}

/// What the owner of the socket and of the frames is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OuchAction<'a> {
    /// Connect; answer by [`OuchGateway::on_connected`] or [`OuchGateway::on_disconnected`].
    Connect,
    /// Append to the connection's stream.
    Send(&'a [u8]),
    /// Close the connection.
    Close,
    /// Tell the engine.
    Report(&'a Report),
    /// Tell risk.
    Command(&'a Command),
    /// Keep in the journal: from where on the venue's stream is told, for a session that carries on.
    Joined(&'a StreamMark),
    /// Over, after [`OuchGateway::stop`].
    Stopped(StopOutcome),
    /// Over by the venue's doing: it will not let us in again.
    Ended(EndReason),
}

/// The engine's part of it, apart from the session.
pub(super) struct Core {
    pub(super) desk: Desk,
    pub(super) symbols: Symbols,
    pub(super) numbers: UserRefNumbers,
    /// Largest number that was given out.
    pub(super) last_ref: u32,
    pub(super) breaker: Breaker,
    pub(super) midnight: Nanos,
    pub(super) state: GatewayState,
    /// How far the session's messages are history, which the engine knows or will never know.
    pub(super) mark: Option<StreamMark>,
    /// Open orders of an earlier session, until the venue's stream is read to its end for the first time.
    pub(super) carried: Vec<RecoveredRecord>,
    pub(super) has_been_ready: bool,
    /// The venue's session, and the last message of its stream.
    pub(super) session: Alpha<10>,
    pub(super) last_sequence: u64,
    /// Reports of the message at the mark that are in the journal.
    pub(super) skip: u32,
    /// Cancels of our own making that wait for room.
    pub(super) to_cancel: VecDeque<OrderId>,
    pub(super) wants_query: bool,
    /// The question under way: largest number sent before it, and when it was sent.
    pub(super) asked: Option<(u32, Nanos)>,
    /// What the venue said last is the next number; an answer to which question of the day, nothing in it tells.
    pub(super) next_ref: u32,
    /// So a request with a number of its own follows, whose answer brings that number back.
    pub(super) wants_marker: bool,
    pub(super) marker: Option<u32>,
    /// Largest number of an unanswered order that a request was sent with over this connection.
    pub(super) probed: u32,
    /// It is here: the stream is read up to it.
    pub(super) is_answered: bool,
    pub(super) ended: Option<EndReason>,
    pub(super) counters: Arc<OuchCounters>,
}

/// The gateway. Times given must not go back.
pub struct OuchGateway {
    session: ClientSession,
    pub(super) core: Core,
    limiter: Limiter,
    capacity: Capacity,
    answer_within: Nanos,
    pub(super) stop_within: Nanos,
    pub(super) stopping: Option<Stopping>,
    /// What risk was told last.
    is_open: bool,
    /// When unanswered messages are looked for next.
    look_at: Nanos,
}

impl OuchGateway {
    /// Before [`OuchGateway::start`]. Takes all the memory it will use.
    ///
    /// # Errors
    /// [`OuchConfigError`].
    pub fn new(
        config: &OuchConfig,
        instruments: &InstrumentTable,
        carried: Carried,
    ) -> Result<Self, OuchConfigError> {
        config.check()?;
        let is_order = |record: &RecoveredRecord| {
            record.kind() == Some(spinward_engine::words::RecoveredKind::OpenOrder)
        };
        let orders: Vec<RecoveredRecord> = carried.records.into_iter().filter(is_order).collect();
        if carried.mark.is_none() && !orders.is_empty() {
            return Err(OuchConfigError::Elsewhere(orders.len()));
        }
        let mut desk = Desk::new(config.orders_max, config.executions_max);
        desk.watch(true);
        // The whole day: what the venue calls our orders is in its stream.
        let client = ClientConfig { next_sequence: 1, ..config.client.clone() };
        Ok(Self {
            session: ClientSession::new(client),
            core: Core {
                desk,
                symbols: Symbols::new(instruments)?,
                numbers: UserRefNumbers::new(),
                last_ref: 0,
                breaker: Breaker::new(config.breaker)?,
                midnight: config.midnight,
                state: GatewayState::Down,
                skip: carried.mark.map_or(0, |mark| mark.reports),
                mark: carried.mark,
                carried: orders,
                has_been_ready: false,
                session: Alpha::BLANK,
                last_sequence: 0,
                to_cancel: VecDeque::with_capacity(config.orders_max),
                wants_query: false,
                asked: None,
                next_ref: 0,
                wants_marker: false,
                marker: None,
                probed: 0,
                is_answered: false,
                ended: None,
                counters: Arc::default(),
            },
            limiter: Limiter::new(config.limiter)?,
            capacity: config.capacity,
            answer_within: config.answer_within,
            stop_within: config.stop_within,
            stopping: None,
            is_open: true,
            look_at: Nanos::ZERO,
        })
    }

    /// Where it is.
    pub const fn state(&self) -> GatewayState {
        if self.stopping.is_some() && !matches!(self.core.state, GatewayState::Stopped) {
            return GatewayState::Stopping;
        }
        self.core.state
    }

    /// Where the breaker is.
    pub const fn breaker(&self) -> BreakerState {
        self.core.breaker.state()
    }

    /// Orders at the venue or under way.
    pub fn orders(&self) -> usize {
        self.core.desk.count()
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<OuchCounters> {
        Arc::clone(&self.core.counters)
    }

    /// Whether orders leave.
    fn may_send(&self) -> bool {
        self.core.state == GatewayState::Ready
            && self.core.breaker.state() == BreakerState::Closed
            && self.stopping.is_none()
    }

    /// Asks for a connection; risk is told that the venue is not there yet.
    pub fn start(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let Self { session, core, .. } = self;
        session.start(now, &mut |action| core.on_session(now, &action, out));
        self.settle(now, out);
    }

    /// The connection is there.
    pub fn on_connected(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let Self { session, core, .. } = self;
        session.on_connected(now, &mut |action| core.on_session(now, &action, out));
        self.settle(now, out);
    }

    /// The connection is gone, or could not be made.
    pub fn on_disconnected(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let Self { session, core, .. } = self;
        session.on_disconnected(now, &mut |action| core.on_session(now, &action, out));
        self.settle(now, out);
    }

    /// Bytes came.
    pub fn on_bytes(&mut self, now: Nanos, bytes: &[u8], out: &mut impl FnMut(OuchAction<'_>)) {
        let Self { session, core, .. } = self;
        session.on_bytes(now, bytes, &mut |action| core.on_session(now, &action, out));
        self.settle(now, out);
    }

    /// Time passed.
    pub fn on_time(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let Self { session, core, .. } = self;
        session.on_time(now, &mut |action| core.on_session(now, &action, out));
        if now >= self.look_at && self.core.state == GatewayState::Ready {
            self.look_at = now.after(Nanos::new(self.answer_within.get() / 4));
            self.look_for_unanswered(now);
        }
        self.settle(now, out);
    }

    /// Everything that is due: questions, answers to them, cancels, the trading state, the end.
    fn settle(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        if std::mem::take(&mut self.core.is_answered) {
            self.core.on_answer(now, out);
        }
        let can_ask = self.core.state == GatewayState::Ready && self.core.asked.is_none();
        self.core.wants_query |= self.core.breaker.on_time(now, can_ask);
        if self.core.wants_query && self.core.asked.is_none() {
            self.ask(now, out);
        }
        if self.core.wants_marker {
            self.mark(now, out);
        }
        while let Some(&order) = self.core.to_cancel.front() {
            if self.session.state() != ClientState::Live || !self.send_own_cancel(order, now, out) {
                break;
            }
            self.core.to_cancel.pop_front();
        }
        self.advance_stop(now, out);
        self.show(out);
    }

    /// Tells risk when the venue became ready or is no more, and the counters how it stands.
    fn show(&mut self, out: &mut impl FnMut(OuchAction<'_>)) {
        let is_open = self.may_send();
        if is_open != self.is_open {
            self.is_open = is_open;
            let reason = match (is_open, self.stopping.is_some(), self.core.breaker.state()) {
                (true, ..) => "the venue is ready",
                (false, true, _) => "the session ends",
                (false, false, BreakerState::Closed) => "the venue is not connected",
                (false, false, BreakerState::Open | BreakerState::HalfOpen) => {
                    "the venue does not answer as it should"
                }
            };
            out(OuchAction::Command(&gateway_command(is_open, reason)));
        }
        let counters = &self.core.counters;
        counters.state.set(i64::from(self.state() as u8));
        counters.breaker.set(i64::from(self.core.breaker.state() as u8));
        counters.orders.set(self.core.desk.count() as i64);
        let soup = self.session.counters();
        raise(&counters.logins, soup.logins);
        raise(&counters.downs, soup.downs);
        raise(&counters.messages, soup.messages);
        raise(&counters.breaker_opened, self.core.breaker.opened());
        raise(&counters.unexpected, self.core.desk.unexpected);
    }

    fn send(&mut self, now: Nanos, message: &[u8], out: &mut impl FnMut(OuchAction<'_>)) -> bool {
        let mut take = |action: ClientAction<'_>| {
            if let ClientAction::Send(bytes) = action {
                out(OuchAction::Send(bytes));
            }
        };
        let is_sent = self.session.send(now, message, &mut take).is_ok();
        let room = self.limiter.room(now);
        self.core.counters.limiter_room.set(i64::from(room));
        is_sent
    }

    fn ask(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        if self.session.state() != ClientState::Live || !self.limiter.take(now, true) {
            return;
        }
        let mut bytes = [0; 4];
        let length =
            Inbound::AccountQuery(&crate::ouch50::AccountQuery {}).encode(Appendage::ABSENT, &mut bytes);
        if self.send(now, bytes.get(..length).unwrap_or_default(), out) {
            self.core.wants_query = false;
            self.core.asked = Some((self.core.last_ref, now));
            self.core.counters.queries.add(1);
        }
    }

    /// Behind the venue's answer: one that comes from a question of an earlier connection, or process, is not taken for ours.
    ///
    /// Over a new connection the same request goes first with the number of each order that nothing was heard of: a number that was used is ignored, so what comes back
    /// is one that the venue never got. The next free number alone does not tell: a marker, whose answer was lost with its connection, may have gone beyond.
    fn mark(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        if self.session.state() != ClientState::Live {
            return;
        }
        while self.core.state == GatewayState::CatchingUp
            && let Some(user_ref) = self.core.desk.first_unacknowledged(self.core.probed)
        {
            if !self.limiter.take(now, true) || !self.send(now, encode::marker(user_ref).bytes(), out) {
                return;
            }
            self.core.probed = user_ref;
        }
        if !self.limiter.take(now, true) {
            return;
        }
        let Some(user_ref) = self.core.numbers.take() else { return };
        if self.send(now, encode::marker(user_ref.get()).bytes(), out) {
            self.core.wants_marker = false;
            self.core.marker = Some(user_ref.get());
        }
    }

    /// A cancel that risk did not ask for. False if it has to wait.
    fn send_own_cancel(&mut self, order: OrderId, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) -> bool {
        let Some(user_ref) = self.core.desk.find(order).map(|order| order.user_ref) else { return true };
        if !self.limiter.take(now, true) || !self.send(now, encode::cancel(user_ref).bytes(), out) {
            return false;
        }
        self.core.counters.cancels.add(1);
        if let Some(order) = self.core.desk.find_mut(order) {
            order.sent_at = now;
        }
        true
    }

    /// An order that risk approved: sent, or answered at once.
    pub fn submit(&mut self, now: Nanos, order: &ApprovedOrder, out: &mut impl FnMut(OuchAction<'_>)) {
        self.submit_message(now, &OrderMessage::from(order), out);
    }

    pub(crate) fn submit_message(
        &mut self,
        now: Nanos,
        message: &OrderMessage,
        out: &mut impl FnMut(OuchAction<'_>),
    ) {
        let outcome = match message.action {
            Action::New => self.enter(now, message, out),
            Action::Cancel => self.cancel(now, message, out),
            Action::Replace => self.replace(now, message, out),
        };
        if let Err(code) = outcome {
            let counters = &self.core.counters;
            let counter = if code == RejectCode::IntentExpired {
                &counters.refused_expired
            } else if code == RejectCode::MessageRate {
                &counters.refused_limited
            } else if code == RejectCode::VenueUnavailable {
                &counters.refused_unavailable
            } else {
                &counters.refused_other
            };
            counter.add(1);
            out(OuchAction::Report(&refusal(message, code, now)));
        }
        self.core.counters.orders.set(self.core.desk.count() as i64);
    }

    /// What holds for every message that brings risk.
    fn admit(&mut self, now: Nanos, message: &OrderMessage) -> Result<(), RejectCode> {
        if !self.may_send() {
            return Err(RejectCode::VenueUnavailable);
        }
        if message.valid_until < now {
            return Err(RejectCode::IntentExpired);
        }
        // Room for the cancel of every order is never in doubt: cancels take none.
        if self.core.desk.room() == 0 { Err(RejectCode::VenueOther) } else { Ok(()) }
    }

    fn enter(
        &mut self,
        now: Nanos,
        message: &OrderMessage,
        out: &mut impl FnMut(OuchAction<'_>),
    ) -> Result<(), RejectCode> {
        self.admit(now, message)?;
        let symbol = self.core.symbols.stock(message.instrument).ok_or(RejectCode::VenueOther)?;
        let capacity = self.capacity;
        let user_ref = self
            .launch(now, message.order, out, |user_ref| encode::enter(message, user_ref, symbol, capacity))?;
        self.core.counters.enters.add(1);
        self.core.desk.insert(entering(message, user_ref, now));
        Ok(())
    }

    fn replace(
        &mut self,
        now: Nanos,
        message: &OrderMessage,
        out: &mut impl FnMut(OuchAction<'_>),
    ) -> Result<(), RejectCode> {
        self.admit(now, message)?;
        let original = self.core.desk.find(message.order).copied().ok_or(RejectCode::TooLate)?;
        if original.life != Life::Open || original.is_to_go {
            return Err(RejectCode::TooLate);
        }
        let user_ref = self
            .launch(now, message.new_order, out, |user_ref| encode::replace(message, &original, user_ref))?;
        self.core.counters.replaces.add(1);
        self.core.desk.insert(Order {
            id: message.new_order,
            life: Life::Replacement,
            other: message.order,
            ..entering(message, user_ref, now)
        });
        if let Some(original) = self.core.desk.find_mut(message.order) {
            (original.other, original.sent_at) = (message.new_order, now);
        }
        let say = Say::default();
        self.core.desk.happens(message.order, Happening::SendReplace, &say, &mut |_| {});
        Ok(())
    }

    /// Sends what takes a number of its own.
    fn launch(
        &mut self,
        now: Nanos,
        id: OrderId,
        out: &mut impl FnMut(OuchAction<'_>),
        encode: impl FnOnce(u32) -> Option<Encoded>,
    ) -> Result<u32, RejectCode> {
        if id == OrderId::NONE || self.core.desk.find(id).is_some() {
            return Err(RejectCode::VenueOther);
        }
        // A number that is not used after all leaves a hole, which the protocol allows.
        let user_ref = self.core.numbers.take().ok_or(RejectCode::VenueOther)?.get();
        let encoded = encode(user_ref).ok_or(RejectCode::VenueOther)?;
        if !self.limiter.take(now, false) {
            return Err(RejectCode::MessageRate);
        }
        if !self.send(now, encoded.bytes(), out) {
            return Err(RejectCode::VenueUnavailable);
        }
        self.core.last_ref = user_ref;
        Ok(user_ref)
    }

    fn cancel(
        &mut self,
        now: Nanos,
        message: &OrderMessage,
        out: &mut impl FnMut(OuchAction<'_>),
    ) -> Result<(), RejectCode> {
        let order = self.core.desk.find(message.order).copied().ok_or(RejectCode::TooLate)?;
        if self.session.state() != ClientState::Live {
            return Err(RejectCode::VenueUnavailable);
        }
        if !matches!(order.life, Life::Entering | Life::Open) {
            return Err(RejectCode::TooLate);
        }
        if !self.limiter.take(now, true) {
            return Err(RejectCode::MessageRate);
        }
        if !self.send(now, encode::cancel(order.user_ref).bytes(), out) {
            return Err(RejectCode::VenueUnavailable);
        }
        self.core.counters.cancels.add(1);
        if let Some(order) = self.core.desk.find_mut(message.order) {
            (order.cancel_frame, order.sent_at) = (message.frame, now);
        }
        self.core.desk.happens(message.order, Happening::SendCancel, &Say::default(), &mut |_| {});
        Ok(())
    }

    /// Messages without an answer: the venue is asked what it has got, and the breaker hears of it.
    fn look_for_unanswered(&mut self, now: Nanos) {
        let since = Nanos::new(now.get().saturating_sub(self.answer_within.get()));
        if let Some((_, asked_at)) = self.core.asked {
            if asked_at <= since {
                // Asked again when it is answered; a venue that is silent is left by the session itself.
                self.core.asked = self.core.asked.map(|(up_to, _)| (up_to, now));
                self.core.counters.late_answers.add(1);
                self.core.breaker.failed(now);
            }
        } else {
            let desk = &self.core.desk;
            let is_late = |order: &Order| {
                !order.is_unresolved
                    && order.sent_at <= since
                    && (order.life.answers_due() > 0 || order.is_to_go)
            };
            let late = (0..desk.capacity())
                .filter_map(|place| desk.at(place))
                .filter(|order| is_late(order))
                .count();
            if late > 0 {
                self.core.counters.late_answers.add(late as u64);
                self.core.breaker.failed(now);
                self.core.wants_query = true;
            }
        }
    }

    pub(super) fn logout(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let Self { session, core, .. } = self;
        session.logout(now, &mut |action| core.on_session(now, &action, out));
    }

    pub(super) fn is_session_over(&self) -> bool {
        matches!(self.session.state(), ClientState::Ended | ClientState::Idle)
    }
}

fn entering(message: &OrderMessage, user_ref: u32, now: Nanos) -> Order {
    Order {
        id: message.order,
        user_ref,
        life: Life::Entering,
        other: OrderId::NONE,
        instrument: message.instrument,
        side: message.side,
        price: message.price,
        qty: message.qty,
        leaves: message.qty,
        reduced: Qty::ZERO,
        executed: 0,
        venue_order: 0,
        frame: message.frame,
        cancel_frame: 0,
        sent_at: now,
        is_known: true,
        is_to_go: false,
        is_unresolved: false,
    }
}

/// The answer to a message that did not leave.
fn refusal(message: &OrderMessage, code: RejectCode, now: Nanos) -> Report {
    let kind = match message.action {
        Action::New => ReportKind::Rejected,
        Action::Cancel => ReportKind::CancelRejected,
        Action::Replace => ReportKind::ReplaceRejected,
    };
    // Codes below 100 are risk's own.
    let code = if code == RejectCode::MessageRate { RejectCode::VenueUnavailable } else { code };
    Report {
        order: message.order,
        new_order: message.new_order,
        price: message.price,
        qty: message.qty,
        venue_time: now,
        cause_frame: message.frame,
        instrument: message.instrument,
        code_number: code as u16,
        kind_number: kind as u8,
        side_number: message.side as u8,
        ..Report::default()
    }
}

/// To risk's trading state: normal, or cancels only.
fn gateway_command(is_open: bool, reason: &str) -> Command {
    use spinward_engine::words::{CommandKind, TradingState};
    let state = if is_open { TradingState::Normal } else { TradingState::CancelOnly };
    Command::new(CommandKind::SetState, state, spinward_engine::risk::GATEWAY, reason)
}

/// A counter of another one's total.
fn raise(counter: &spinward_engine::counters::Counter, to: u64) {
    counter.add(to.saturating_sub(counter.value()));
}

/// Who halts when what the venue says cannot be squared with what we know.
pub(super) fn kill(reason: &str) -> Command {
    use spinward_engine::words::{CommandKind, TradingState};
    let owner: Symbol = spinward_engine::risk::GATEWAY;
    Command::new(CommandKind::Kill, TradingState::Halted, owner, reason)
}
