//! What the venue says of our orders: states, open quantities, fills into positions. A fill is never lost and never counted twice.

use super::orders::OpenOrder;
use super::position::Fill;
use super::stage::Risk;
use super::state::{OrderInput, OrderState, transition};
use crate::words::{Nanos, OrderId, Qty, Report, ReportKind, Side, TradingState};

impl Risk {
    pub(super) fn on_report(&mut self, report: &Report, now: Nanos) {
        let Some(kind) = report.kind() else {
            self.counters.reports_malformed.add(1);
            return;
        };
        if let Some(counter) = self.counters.reports.get(kind as usize - 1) {
            counter.add(1);
        }
        if report.is_from_risk() {
            // Our own refusal came back: it is under way no longer, and it never was an order.
            self.counters.reports_from_risk.add(1);
            self.room.refusal_returned();
            self.show_orders();
            return;
        }
        match kind {
            ReportKind::Accepted => self.on_accepted(report),
            ReportKind::Rejected => self.on_answer(report.order, OrderInput::Rejected),
            ReportKind::Filled => self.on_fill(report, now),
            ReportKind::Cancelled => self.on_cancelled(report),
            ReportKind::CancelRejected => self.on_answer(report.order, OrderInput::CancelRejected),
            ReportKind::Replaced => self.on_replaced(report, now),
            ReportKind::ReplaceRejected => self.on_replace_rejected(report),
        }
        self.show_orders();
    }

    fn on_accepted(&mut self, report: &Report) {
        if let Some(order) = self.orders.get_mut(report.order) {
            order.venue_order = report.venue_order;
            if order.qty != report.qty || order.price != report.price {
                self.counters.reports_mismatched.add(1);
            }
        }
        self.on_answer(report.order, OrderInput::Accepted);
    }

    /// An answer that concerns one order only.
    fn on_answer(&mut self, order: OrderId, input: OrderInput) {
        if !self.step(order, input) {
            self.on_late_answer();
        }
    }

    /// About an order that is not there: it went while the message was under way (a fill came before our cancel), or it never was.
    fn on_late_answer(&mut self) {
        if !self.room.late_answer() {
            self.counters.reports_unknown_order.add(1);
        }
    }

    fn on_cancelled(&mut self, report: &Report) {
        let Some(order) = self.orders.get(report.order) else {
            self.counters.reports_unknown_order.add(1);
            return;
        };
        if order.leaves != report.qty {
            self.counters.reports_mismatched.add(1);
        }
        // The venue names the frame of the message it answers. If that is the order's own and not the cancel's, it cancelled of itself
        // (the remainder of an IOC), and our cancel will still be answered.
        let unasked = order.frame == report.cause_frame && order.cancel_frame != report.cause_frame;
        let input = if unasked { OrderInput::CancelledUnasked } else { OrderInput::Cancelled };
        self.step(report.order, input);
    }

    fn on_replaced(&mut self, report: &Report, now: Nanos) {
        let old = self.orders.get(report.order).copied();
        let new = self.orders.get(report.new_order).copied();
        if old.is_some() {
            self.step(report.order, OrderInput::Replaced);
        }
        match (old, new) {
            (_, Some(new)) => {
                // `leaves` is what the venue says stands now; fills of it that came before this report are already off ours.
                let filled = new.qty.saturating_sub(new.leaves);
                let leaves = report.leaves.saturating_sub(filled);
                if leaves > Qty::ZERO && leaves != new.leaves {
                    self.counters.reports_mismatched.add(1);
                    self.change_leaves(report.new_order, leaves);
                }
                let due = old.is_some_and(|old| old.cancel_due);
                if let Some(new) = self.orders.get_mut(report.new_order) {
                    new.venue_order = report.venue_order;
                    new.cancel_due |= due;
                }
                self.step(report.new_order, OrderInput::Accepted);
            }
            // The replacement is gone already (filled before this report): its answer is the one that is late.
            (Some(old), None) if old.state == OrderState::PendingReplace => {
                self.room.late_answer();
            }
            (Some(old), None) => self.adopt(&old, report, now),
            (None, None) => self.on_late_answer(),
        }
    }

    /// An order of ours stands at the venue that we did not know of: now we do.
    fn adopt(&mut self, old: &OpenOrder, report: &Report, now: Nanos) {
        self.counters.reports_mismatched.add(1);
        if report.leaves <= Qty::ZERO || report.new_order == OrderId::NONE {
            return;
        }
        self.raise_number(report.new_order);
        let order = OpenOrder {
            order: report.new_order,
            price: report.price,
            qty: report.leaves,
            leaves: report.leaves,
            venue_order: report.venue_order,
            frame: 0,
            cancel_frame: 0,
            state: OrderState::Open,
            queued: false,
            under_way: 0,
            cell: self.cell(old.tradable as usize, report.new_order.strategy()) as u32,
            ..*old
        };
        self.open(order, now);
    }

    fn on_replace_rejected(&mut self, report: &Report) {
        let old = self.step(report.order, OrderInput::ReplaceRejected);
        if !self.step(report.new_order, OrderInput::Rejected) {
            if old {
                self.room.late_answer();
            } else {
                self.on_late_answer();
            }
        }
    }

    fn on_fill(&mut self, report: &Report, now: Nanos) {
        let lots = report.qty.lots();
        if lots <= 0 {
            self.counters.reports_malformed.add(1);
            return;
        }
        if !self.fills.remember(report.exec, report.order) {
            self.counters.fills_duplicate.add(1);
            return;
        }
        let known = self.orders.get(report.order).copied();
        let (side, tradable, cell) = match known {
            Some(order) => {
                let leaves = order.leaves.saturating_sub(report.qty).max(Qty::ZERO);
                let differs = report.side() != Some(order.side)
                    || report.instrument != order.instrument
                    || report.leaves != leaves
                    || report.qty > order.leaves;
                if differs {
                    self.counters.reports_mismatched.add(1);
                }
                self.change_leaves(report.order, leaves);
                let whole = leaves == Qty::ZERO;
                self.step(report.order, if whole { OrderInput::FilledWhole } else { OrderInput::FilledPart });
                (order.side, order.tradable as usize, order.cell as usize)
            }
            None => {
                self.counters.reports_unknown_order.add(1);
                self.counters.fills_unknown_order.add(1);
                let Some((side, tradable)) = report.side().zip(self.tradable(report.instrument)) else {
                    self.counters.fills_unplaced.add(1);
                    self.halt("a fill that no position can hold", now);
                    return;
                };
                (side, tradable, self.cell(tradable, report.order.strategy()))
            }
        };
        self.counters.fills.add(1);
        let fill = Fill { side, price: report.price, lots, maker: report.is_maker() };
        self.move_position(tradable, cell, &fill, now);
    }

    fn move_position(&mut self, tradable: usize, cell: usize, fill: &Fill, now: Nanos) {
        let Some((terms, entry)) = self.tradables.get_mut(tradable).zip(self.cells.get_mut(cell)) else {
            return;
        };
        let before = entry.position.qty.lots();
        let mut exact = entry.position.on_fill(terms.unit, &terms.fees, fill);
        // Follows the position, also where that is held at the end of its range.
        let moved = entry.position.qty.lots().saturating_sub(before);
        exact &= terms.move_net(before, moved);
        if !exact {
            self.overflowed(now);
        }
        self.mark(tradable, cell, now);
    }

    /// Sums that left their range are held at its end; nobody may trade on them.
    pub(super) fn overflowed(&mut self, now: Nanos) {
        self.counters.overflows.add(1);
        self.halt("a position or its money is out of range", now);
    }

    /// One input to one order. False if it is not in the table.
    fn step(&mut self, id: OrderId, input: OrderInput) -> bool {
        let Some(order) = self.orders.get_mut(id) else { return false };
        let transition = transition(order.state, input);
        if transition.answers && order.under_way > 0 {
            order.under_way -= 1;
            self.room.answered();
        }
        let moved = order.state != transition.next;
        order.state = transition.next;
        let (due, queued) = (order.cancel_due, order.queued);
        if !transition.expected {
            self.counters.reports_unexpected.add(1);
        }
        if moved {
            self.count_state(transition.next);
        }
        if transition.next.is_gone() {
            self.close(id);
        } else if due && transition.next == OrderState::Open && !queued {
            if input == OrderInput::CancelRejected {
                // Not at once: a venue that rejects at once would keep us busy for ever.
                self.retry = true;
            } else {
                self.enqueue_cancel(id);
            }
        }
        true
    }

    /// Puts an order into the table and counts what it may still fill.
    pub(super) fn open(&mut self, order: OpenOrder, now: Nanos) {
        if !self.orders.insert(order) {
            // Ruled out by the checks and by the contract of the venue; if it happens, an order of ours is not in our books.
            self.halt("the table of orders is full, or an order id came twice", now);
            return;
        }
        self.work(order.tradable, order.cell, order.side, order.leaves.lots());
        self.count_state(order.state);
        let halted = self.trading.state() == TradingState::Halted;
        if (halted || order.cancel_due) && order.state.is_cancellable() {
            self.enqueue_cancel(order.order);
        }
    }

    fn close(&mut self, id: OrderId) {
        let Some(order) = self.orders.remove(id) else { return };
        self.work(order.tradable, order.cell, order.side, order.leaves.lots().saturating_neg());
        self.room.orphaned(order.under_way);
        if order.queued
            && let Some(place) = self.due.iter().position(|due| *due == id)
        {
            self.due.remove(place);
        }
    }

    fn change_leaves(&mut self, id: OrderId, leaves: Qty) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let change = leaves.lots().saturating_sub(order.leaves.lots());
        order.leaves = leaves;
        let (tradable, cell, side) = (order.tradable, order.cell, order.side);
        self.work(tradable, cell, side, change);
    }

    /// Adds to what works on one side.
    fn work(&mut self, tradable: u32, cell: u32, side: Side, lots: i64) {
        let entry = self.tradables.get_mut(tradable as usize).zip(self.cells.get_mut(cell as usize));
        let Some((terms, cell)) = entry else { return };
        let (of_all, own) = match side {
            Side::Buy => (&mut terms.buys, &mut cell.buys),
            Side::Sell => (&mut terms.sells, &mut cell.sells),
        };
        *of_all = of_all.saturating_add(lots);
        *own = own.saturating_add(lots);
    }
}
