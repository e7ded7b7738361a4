//! Halting, commands, and the mass cancel: every open order is cancelled, a bounded number for each event until all are.

use super::stage::{Cause, Risk};
use super::state::OrderState;
use super::trading::{Effect, GATEWAY, RISK};
use super::{Egress, MASS_CANCELS_PER_EVENT, VerdictBatch};
use crate::words::{Command, CommandKind, Nanos, OrderId, TradingState};

impl Risk {
    pub(super) fn on_command(&mut self, command: &Command, now: Nanos) {
        let before = self.trading.state();
        let effect = self.trading.on_command(command, now);
        match effect {
            Effect::Obeyed => {}
            Effect::CancelAll => self.cancel_all(),
            Effect::Refused => self.counters.commands_refused.add(1),
        }
        // A gateway's word about its venue is no operator's: who gives commands is told what became of them by these two.
        if effect != Effect::Refused && command.owner != GATEWAY {
            self.counters.commands.add(1);
        }
        self.show_state(before);
    }

    /// Risk's own kill: something is wrong that no limit covers. Its latch is owned by [`RISK`].
    #[cold]
    pub(super) fn halt(&mut self, reason: &str, now: Nanos) {
        let before = self.trading.state();
        self.trading.kill(&Command::new(CommandKind::Kill, TradingState::Halted, RISK, reason), now);
        if before != TradingState::Halted {
            self.cancel_all();
        }
        self.show_state(before);
    }

    fn show_state(&self, before: TradingState) {
        let state = self.trading.state();
        if state == TradingState::Halted && before != TradingState::Halted {
            self.counters.halts.add(1);
        }
        self.counters.trading_state.set(state as i64);
    }

    /// Marks every order that is not gone, and queues those that can be cancelled now, by ascending id. The others follow when the
    /// answer they wait for has come.
    fn cancel_all(&mut self) {
        self.due_sorted.clear();
        self.due_sorted.extend(self.orders.iter().map(|order| order.order));
        self.due_sorted.sort_unstable();
        for place in 0..self.due_sorted.len() {
            let Some(id) = self.due_sorted.get(place).copied() else { break };
            let Some(order) = self.orders.get_mut(id) else { continue };
            order.cancel_due = true;
            if order.state.is_cancellable() && !order.queued {
                self.enqueue_cancel(id);
            }
        }
        self.show_orders();
    }

    /// The caller has seen that it is not queued.
    pub(super) fn enqueue_cancel(&mut self, id: OrderId) {
        let Some(order) = self.orders.get_mut(id) else { return };
        order.cancel_due = true;
        order.queued = true;
        self.due.push_back(id);
    }

    /// A timer tick: cancels that the venue rejected are tried once more.
    pub(super) fn retry_mass_cancel(&mut self) {
        if !self.retry {
            return;
        }
        self.retry = false;
        self.due_sorted.clear();
        let waiting = self.orders.iter().filter(|o| o.cancel_due && !o.queued && o.state == OrderState::Open);
        self.due_sorted.extend(waiting.map(|order| order.order));
        self.due_sorted.sort_unstable();
        for place in 0..self.due_sorted.len() {
            if let Some(id) = self.due_sorted.get(place).copied() {
                self.enqueue_cancel(id);
            }
        }
    }

    /// Sends the next cancels of the mass cancel.
    #[cold]
    pub(super) fn sweep(&mut self, cause: &Cause, out: &mut VerdictBatch, egress: &mut impl Egress) {
        let mut sent = 0;
        while sent < MASS_CANCELS_PER_EVENT
            && self.room.for_cancel()
            && let Some(id) = self.due.front().copied()
        {
            let Some(order) = self.orders.get(id).copied() else {
                self.due.pop_front();
                continue;
            };
            // A strategy may have been quicker: then its cancel or replace is under way, and what is left is queued at its answer.
            if order.state.is_cancellable() {
                if !self.cancel(&order, cause, out, egress) {
                    break;
                }
                sent += 1;
            }
            self.due.pop_front();
            if let Some(order) = self.orders.get_mut(id) {
                order.queued = false;
            }
        }
        self.show_orders();
    }
}
