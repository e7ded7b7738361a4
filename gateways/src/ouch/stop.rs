//! The end: everything is cancelled, and the venue says that nothing is left, or the time is over and that is told.

use super::gateway::{GatewayState, OuchAction, OuchGateway};
use spinward_engine::words::Nanos;

/// How a stop ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopOutcome {
    /// The venue's stream, read to an answer that came after every cancel, leaves no order open.
    pub is_flat: bool,
    /// Orders that may still stand at the venue.
    pub open_orders: usize,
}

/// A stop under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopping {
    until: Nanos,
    /// The last question: sent when no order was left.
    question: Question,
    outcome: Option<StopOutcome>,
    is_told: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Question {
    NotYet,
    Asked,
    Answered,
}

impl OuchGateway {
    /// No order leaves any more; everything open is cancelled; ends with [`OuchAction::Stopped`].
    pub fn stop(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        if self.stopping.is_none() {
            let until = now.after(self.stop_within);
            self.stopping =
                Some(Stopping { until, question: Question::NotYet, outcome: None, is_told: false });
            let core = &mut self.core;
            for place in 0..core.desk.capacity() {
                if let Some(order) = core.desk.at(place).map(|order| order.id) {
                    core.let_go(order);
                }
            }
            self.on_time(now, out);
        }
    }

    pub(super) fn advance_stop(&mut self, now: Nanos, out: &mut impl FnMut(OuchAction<'_>)) {
        let Some(mut stopping) = self.stopping else { return };
        let open_orders = self.core.desk.count();
        if stopping.outcome.is_none() {
            // What is accepted while it stops is to go, too.
            for place in 0..self.core.desk.capacity() {
                if let Some(order) =
                    self.core.desk.at(place).filter(|order| !order.is_to_go).map(|order| order.id)
                {
                    self.core.let_go(order);
                }
            }
            let is_ready = self.core.state == GatewayState::Ready;
            let is_idle = self.core.asked.is_none() && !self.core.wants_query;
            match stopping.question {
                Question::NotYet if is_ready && open_orders == 0 && is_idle => {
                    self.core.wants_query = true;
                    stopping.question = Question::Asked;
                }
                Question::Asked if is_ready && is_idle => {
                    stopping.question = if open_orders == 0 { Question::Answered } else { Question::NotYet };
                }
                // The answer was lost with its connection: the next login asks again.
                Question::NotYet | Question::Asked | Question::Answered => {}
            }
            let is_flat = stopping.question == Question::Answered;
            if is_flat || now >= stopping.until || self.core.ended.is_some() {
                stopping.outcome = Some(StopOutcome { is_flat, open_orders });
                self.stopping = Some(stopping);
                self.logout(now, out);
            }
        }
        if let Some(outcome) = stopping.outcome
            && !stopping.is_told
            && self.is_session_over()
        {
            stopping.is_told = true;
            self.core.state = GatewayState::Stopped;
            out(OuchAction::Stopped(outcome));
        }
        self.stopping = Some(stopping);
    }
}
