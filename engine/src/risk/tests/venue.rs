//! A venue that keeps its contract: one answer to every message, in order, and fills and expiries between them.

use super::desk::lots;
use crate::risk::Outbound;
use crate::words::*;
use std::collections::{BTreeMap, VecDeque};

/// An order as the venue has it.
#[derive(Clone, Copy)]
struct Resting {
    instrument: InstrumentId,
    side: Side,
    price: Price,
    leaves: i64,
    frame: u64,
}

pub(super) struct Venue {
    inbox: VecDeque<Outbound>,
    /// Reports on their way, and whether each answers a message.
    outbox: VecDeque<(Report, bool)>,
    book: BTreeMap<OrderId, Resting>,
    positions: BTreeMap<(StrategyId, InstrumentId), i64>,
    executions: u64,
    last_fill: Option<Report>,
    /// Messages whose answer the engine has not heard.
    pub(super) unanswered: usize,
    refuse_every: u64,
}

impl Venue {
    pub(super) fn new(refuse_every: u64) -> Self {
        Self {
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            book: BTreeMap::new(),
            positions: BTreeMap::new(),
            executions: 0,
            last_fill: None,
            unanswered: 0,
            refuse_every,
        }
    }

    pub(super) fn take(&mut self, sent: &[Outbound]) {
        self.inbox.extend(sent.iter().copied());
        self.unanswered += sent.len();
    }

    fn say(&mut self, answers: bool, report: Report) {
        self.outbox.push_back((report, answers));
    }

    pub(super) fn next_report(&mut self) -> Option<Report> {
        let (report, answers) = self.outbox.pop_front()?;
        self.unanswered -= usize::from(answers);
        Some(report)
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.inbox.is_empty() || !self.outbox.is_empty()
    }

    pub(super) fn open_orders(&self) -> Vec<(OrderId, i64)> {
        self.book.iter().map(|(id, resting)| (*id, resting.leaves)).collect()
    }

    /// What was bought less what was sold, of one strategy or of all.
    pub(super) fn held(&self, strategy: Option<StrategyId>, instrument: InstrumentId) -> i64 {
        let of =
            |key: &(StrategyId, InstrumentId)| key.1 == instrument && strategy.is_none_or(|s| s == key.0);
        self.positions.iter().filter(|(key, _)| of(key)).map(|(_, lots)| lots).sum()
    }

    /// Answers the next message.
    pub(super) fn work(&mut self) {
        let Some(message) = self.inbox.pop_front() else { return };
        self.executions += 1;
        let odd = self.executions.is_multiple_of(self.refuse_every);
        let order = match message {
            Outbound::Vacant => return,
            Outbound::Refusal { verdict, frame, .. } => {
                let refused = Report {
                    order: verdict.order,
                    cause_frame: frame,
                    instrument: verdict.instrument,
                    kind_number: ReportKind::Rejected as u8,
                    flags: Report::FROM_RISK,
                    ..Report::default()
                };
                return self.say(true, refused);
            }
            Outbound::Order(order) => order,
        };
        let entered = Resting {
            instrument: order.instrument(),
            side: order.side(),
            price: order.price(),
            leaves: order.qty().lots(),
            frame: order.frame(),
        };
        let known = self.book.contains_key(&order.order());
        let kind = match order.action() {
            Action::New if odd => ReportKind::Rejected,
            Action::New => {
                self.book.insert(order.order(), entered);
                ReportKind::Accepted
            }
            Action::Cancel if odd || !known => ReportKind::CancelRejected,
            Action::Cancel => ReportKind::Cancelled,
            Action::Replace if odd || !known => ReportKind::ReplaceRejected,
            Action::Replace => {
                self.book.remove(&order.order());
                self.book.insert(order.new_order(), entered);
                ReportKind::Replaced
            }
        };
        let cancelled = if kind == ReportKind::Cancelled { self.book.remove(&order.order()) } else { None };
        let report = Report {
            order: order.order(),
            new_order: order.new_order(),
            price: order.price(),
            qty: cancelled.map_or(order.qty(), |resting| lots(resting.leaves)),
            leaves: order.qty(),
            venue_order: order.order().get() ^ 5,
            cause_frame: order.frame(),
            instrument: order.instrument(),
            kind_number: kind as u8,
            side_number: order.side() as u8,
            ..Report::default()
        };
        self.say(true, report);
    }

    fn nth(&self, which: usize) -> Option<OrderId> {
        self.book.keys().nth(which % self.book.len().max(1)).copied()
    }

    /// Executes part of an order, or all.
    pub(super) fn trade(&mut self, which: usize, part: i64) {
        let Some(id) = self.nth(which) else { return };
        let Some(resting) = self.book.get_mut(&id) else { return };
        let filled = part.min(resting.leaves);
        resting.leaves -= filled;
        let resting = *resting;
        if resting.leaves == 0 {
            self.book.remove(&id);
        }
        self.executions += 1;
        let held = self.positions.entry((id.strategy(), resting.instrument)).or_default();
        *held += filled * resting.side.sign();
        let report = Report {
            order: id,
            exec: ExecId::new(self.executions),
            price: resting.price,
            qty: lots(filled),
            leaves: lots(resting.leaves),
            instrument: resting.instrument,
            kind_number: ReportKind::Filled as u8,
            side_number: resting.side as u8,
            flags: (self.executions % 2) as u8,
            ..Report::default()
        };
        self.last_fill = Some(report);
        self.say(false, report);
    }

    /// Takes an order out unasked, as the remainder of an IOC.
    pub(super) fn expire(&mut self, which: usize) {
        let Some(id) = self.nth(which) else { return };
        let Some(resting) = self.book.remove(&id) else { return };
        let report = Report {
            order: id,
            qty: lots(resting.leaves),
            cause_frame: resting.frame,
            instrument: resting.instrument,
            kind_number: ReportKind::Cancelled as u8,
            side_number: resting.side as u8,
            ..Report::default()
        };
        self.say(false, report);
    }

    pub(super) fn say_last_fill_again(&mut self) {
        if let Some(report) = self.last_fill {
            self.say(false, report);
        }
    }
}
