//! [`Desk`]: the venue's state, its clock and its voice. What moves it stands in `acting` (our messages) and `matching` (the market).

use super::config::PaperConfig;
use super::market::MarketBook;
use super::resting::{Market, Orders, Resting, Taken};
use super::venue::PaperCounters;
use super::wire::Incoming;
use spinward_engine::words::{
    ExecId, InstrumentId, Nanos, OrderId, Price, Qty, RejectCode, Report, ReportKind, Side,
};
use std::sync::Arc;

/// The matching state, apart from decoding and from the way to us.
pub(super) struct Desk<B> {
    pub(super) config: PaperConfig,
    pub(super) book: B,
    pub(super) orders: Orders,
    pub(super) taken: Taken,
    pub(super) markets: Box<[Market]>,
    pub(super) reports: Incoming,
    /// Levels that the order at hand takes: price and quantity.
    pub(super) portions: Vec<(Price, Qty)>,
    /// Time of what is happening.
    pub(super) now: Nanos,
    pub(super) next_order: u64,
    pub(super) next_exec: u64,
    pub(super) counters: Arc<PaperCounters>,
}

/// Whom a report is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) order: OrderId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) venue_order: u64,
    pub(super) cause_frame: u64,
}

impl From<&Resting> for Subject {
    fn from(resting: &Resting) -> Self {
        Self {
            order: resting.order,
            instrument: resting.instrument,
            side: resting.side,
            venue_order: resting.venue_order,
            cause_frame: resting.cause_frame,
        }
    }
}

impl<B: MarketBook> Desk<B> {
    pub(super) fn market(&self, instrument: InstrumentId) -> Option<&Market> {
        self.markets.get(instrument.index())
    }

    /// What the recorded book shows at this price.
    pub(super) fn recorded(&self, instrument: InstrumentId, side: Side, price: Price) -> Qty {
        self.book.level(instrument, side, price).map_or(Qty::ZERO, |level| level.qty)
    }

    pub(super) fn new_venue_order(&mut self) -> u64 {
        self.next_order = self.next_order.saturating_add(1);
        self.next_order
    }

    /// Room for it is seen to before every step; see [`super::PaperVenue::has_room`].
    pub(super) fn say(&mut self, report: &Report) {
        if !self.reports.send(&self.config, report) {
            self.counters.reports_lost.add(1);
        }
    }

    pub(super) fn report(&self, kind: ReportKind, subject: Subject) -> Report {
        Report {
            order: subject.order,
            instrument: subject.instrument,
            side_number: subject.side as u8,
            venue_order: subject.venue_order,
            cause_frame: subject.cause_frame,
            venue_time: self.now,
            kind_number: kind as u8,
            code_number: RejectCode::None as u16,
            ..Report::default()
        }
    }

    /// Says a fill; `leaves` is what stays open after it.
    pub(super) fn say_fill(&mut self, subject: Subject, price: Price, qty: Qty, leaves: Qty, is_maker: bool) {
        self.next_exec = self.next_exec.saturating_add(1);
        let report = Report {
            exec: ExecId::new(self.next_exec),
            price,
            qty,
            leaves,
            flags: if is_maker { Report::MAKER } else { 0 },
            ..self.report(ReportKind::Filled, subject)
        };
        let counter = if is_maker { &self.counters.fills_as_maker } else { &self.counters.fills_as_taker };
        counter.add(1);
        self.say(&report);
    }

    /// Says that what was open is cancelled.
    pub(super) fn say_cancelled(&mut self, subject: Subject, price: Price, qty: Qty) {
        let report = Report { price, qty, ..self.report(ReportKind::Cancelled, subject) };
        self.counters.cancelled.add(1);
        self.say(&report);
    }

    /// Fills an order at rest at its own price, and takes it out when nothing is left. Gives what was filled: at most `qty`.
    pub(super) fn fill_resting(&mut self, slot: u32, qty: Qty) -> Qty {
        let Some(resting) = self.orders.at_mut(slot) else { return Qty::ZERO };
        let filled = resting.open.min(qty);
        if filled <= Qty::ZERO {
            return Qty::ZERO;
        }
        resting.open = resting.open.saturating_sub(filled);
        let after = *resting;
        if after.open <= Qty::ZERO {
            self.orders.remove(slot);
        }
        self.say_fill(Subject::from(&after), after.price, filled, after.open, true);
        filled
    }

    /// Takes an order out and says so: in answer to the cancel of a frame, or of itself.
    pub(super) fn cancel_resting(&mut self, slot: u32, cancel_frame: Option<u64>) {
        if let Some(resting) = self.orders.remove(slot) {
            let cause_frame = cancel_frame.unwrap_or(resting.cause_frame);
            let subject = Subject { cause_frame, ..Subject::from(&resting) };
            self.say_cancelled(subject, resting.price, resting.open);
        }
    }
}
