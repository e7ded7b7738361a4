//! Our messages act: places, cancels, replaces, and the taking of recorded levels.

use super::desk::{Desk, Subject};
use super::draw::{Purpose, draw, hits};
use super::market::{MarketBook, reaches};
use super::message::OrderMessage;
use super::resting::Resting;
use super::shelf::NONE;
use spinward_engine::words::{
    Action, InstrumentId, OrderId, Price, Qty, RejectCode, Report, ReportKind, Side, TimeInForce,
};

/// Most levels that one order takes; what it could take beyond is cancelled (fill-or-kill: refused).
pub const LEVELS_PER_ORDER_MAX: usize = 256;

impl<B: MarketBook> Desk<B> {
    /// The message has arrived. Says exactly one first answer.
    pub(super) fn act(&mut self, message: &OrderMessage) {
        match message.action {
            Action::New => match self.why_refused(message, None) {
                None => self.enter(message, None),
                Some(code) => self.refuse(message, ReportKind::Rejected, code),
            },
            Action::Cancel => match self.orders.find(message.order) {
                Some(slot) => self.cancel_resting(slot, Some(message.frame)),
                None => self.refuse(message, ReportKind::CancelRejected, RejectCode::TooLate),
            },
            Action::Replace => match self.orders.find(message.order) {
                Some(slot) => match self.why_refused(message, Some(slot)) {
                    None => self.enter(message, Some(slot)),
                    Some(code) => self.refuse(message, ReportKind::ReplaceRejected, code),
                },
                None => self.refuse(message, ReportKind::ReplaceRejected, RejectCode::TooLate),
            },
        }
    }

    fn refuse(&mut self, message: &OrderMessage, kind: ReportKind, code: RejectCode) {
        let standing = self.orders.find(message.order).and_then(|slot| self.orders.at(slot)).copied();
        let subject = Subject {
            order: message.order,
            instrument: message.instrument,
            side: message.side,
            venue_order: standing.map_or(0, |resting| resting.venue_order),
            cause_frame: message.frame,
        };
        let report = Report {
            new_order: message.new_order,
            code_number: code as u16,
            leaves: standing.map_or(Qty::ZERO, |resting| resting.open),
            ..self.report(kind, subject)
        };
        if let Some(counter) = self.counters.refused.get(code.index()) {
            counter.add(1);
        }
        self.say(&report);
    }

    /// Why a new order or a replace may not enter; `None` if it may. Changes nothing but the list of portions.
    fn why_refused(&mut self, message: &OrderMessage, replaced: Option<u32>) -> Option<RejectCode> {
        let bits = draw(self.config.seed, Purpose::Fault, message.order.get(), message.action as u64);
        if hits(bits, self.config.reject_ppm) {
            return Some(RejectCode::Simulated);
        }
        if message.valid_until < self.now {
            return Some(RejectCode::IntentExpired);
        }
        let Some(market) = self.market(message.instrument) else { return Some(RejectCode::VenueOther) };
        if message.after_close || !market.is_open() {
            return Some(RejectCode::VenueUnavailable);
        }
        let entering = message.entering();
        let is_same = replaced.is_none_or(|slot| {
            let standing = self.orders.at(slot);
            standing.is_some_and(|r| r.instrument == message.instrument && r.side == message.side)
        });
        if message.qty <= Qty::ZERO
            || entering == OrderId::NONE
            || self.orders.find(entering).is_some()
            || !is_same
        {
            return Some(RejectCode::VenueOther);
        }
        if replaced.is_none() && self.orders.room() == 0 {
            return Some(RejectCode::VenueUnavailable);
        }
        if self.meets_our_own(message.instrument, message.side, message.price) {
            return Some(RejectCode::VenueOther);
        }
        let available = self.gather(message.instrument, message.side, message.price, message.qty);
        if message.post_only && available > Qty::ZERO {
            return Some(RejectCode::WouldMatch);
        }
        if message.tif == TimeInForce::Fok && available < message.qty {
            return Some(RejectCode::NotFillable);
        }
        None
    }

    /// Whether an order of ours stands on the other side at this price or better.
    fn meets_our_own(&self, instrument: InstrumentId, side: Side, limit: Price) -> bool {
        let best = self.orders.at(self.orders.first(instrument, side.opposite()));
        best.is_some_and(|own| reaches(side, limit, own.price))
    }

    /// The order enters the market: answer, fills, rest. What it takes was gathered just before.
    fn enter(&mut self, message: &OrderMessage, replaced: Option<u32>) {
        let subject = Subject {
            order: message.entering(),
            instrument: message.instrument,
            side: message.side,
            venue_order: self.new_venue_order(),
            cause_frame: message.frame,
        };
        let answer =
            Report { price: message.price, qty: message.qty, leaves: message.qty, ..Report::default() };
        match replaced.and_then(|slot| self.orders.remove(slot)) {
            Some(old) => {
                let about = Subject { order: old.order, ..subject };
                let Report { price, qty, leaves, .. } = answer;
                let report = Report {
                    new_order: message.new_order,
                    price,
                    qty,
                    leaves,
                    ..self.report(ReportKind::Replaced, about)
                };
                self.counters.replaced.add(1);
                self.say(&report);
            }
            None => {
                let Report { price, qty, leaves, .. } = answer;
                let report = Report { price, qty, leaves, ..self.report(ReportKind::Accepted, subject) };
                self.counters.accepted.add(1);
                self.say(&report);
            }
        }
        let is_cut = self.portions.len() >= LEVELS_PER_ORDER_MAX;
        let mut open = message.qty;
        for at in 0..self.portions.len() {
            let Some(&(price, qty)) = self.portions.get(at) else { break };
            self.taken.add(message.instrument, message.side.opposite(), price, qty);
            open = open.saturating_sub(qty);
            self.say_fill(subject, price, qty, open, false);
        }
        if open <= Qty::ZERO {
            return;
        }
        let may_rest = match message.tif {
            TimeInForce::Day => !is_cut,
            TimeInForce::Ioc | TimeInForce::Fok => false,
        };
        let resting = Resting {
            order: subject.order,
            instrument: message.instrument,
            side: message.side,
            tif: message.tif,
            price: message.price,
            open,
            ahead: self.recorded(message.instrument, message.side, message.price),
            mark: self.book.newest_arrival(message.instrument),
            venue_order: subject.venue_order,
            cause_frame: message.frame,
        };
        if !may_rest || !self.orders.add(resting) {
            self.say_cancelled(subject, message.price, open);
        }
    }

    /// Lists in `portions` what an order of `side` with this limit could take now, best level first, `want` at most; gives the sum.
    pub(super) fn gather(&mut self, instrument: InstrumentId, side: Side, limit: Price, want: Qty) -> Qty {
        let Self { book, taken, portions, .. } = self;
        portions.clear();
        let mut sum = Qty::ZERO;
        let mut room = taken.room();
        book.visit_levels(instrument, side.opposite(), &mut |level| {
            if !reaches(side, limit, level.price) || portions.len() >= LEVELS_PER_ORDER_MAX {
                return false;
            }
            let before = taken.at(instrument, side.opposite(), level.price);
            if before.is_none() {
                if room == 0 {
                    // Nothing can be remembered of this level, so nothing may be taken of it.
                    return true;
                }
                room -= 1;
            }
            let available = level.qty.saturating_sub(before.unwrap_or(Qty::ZERO));
            let part = available.min(want.saturating_sub(sum));
            if part > Qty::ZERO {
                portions.push((level.price, part));
                sum = sum.saturating_add(part);
            }
            sum < want
        });
        sum
    }

    /// An order at rest takes what stands against it, at its own price.
    pub(super) fn cross(&mut self, instrument: InstrumentId, side: Side) {
        let mut slot = self.orders.first(instrument, side);
        while slot != NONE {
            let next = self.orders.next(slot);
            let Some(resting) = self.orders.at(slot).copied() else { break };
            let best = self.book.best(instrument, side.opposite());
            if !best.is_some_and(|level| reaches(side, resting.price, level.price)) {
                // Our next orders have worse prices.
                break;
            }
            let sum = self.gather(instrument, side, resting.price, resting.open);
            for at in 0..self.portions.len() {
                let Some(&(price, qty)) = self.portions.get(at) else { break };
                self.taken.add(instrument, side.opposite(), price, qty);
            }
            self.fill_resting(slot, sum);
            slot = next;
        }
    }
}
