//! Positions and open orders, worked out from the files of a session alone: fills by execution id, orders by verdict and report.
//! Shares no code with risk.

use spinward_engine::words::{
    Action, FrameKind, OrderId, RecoveredKind, RecoveredRecord, Report, ReportKind, Side, Verdict,
};
use spinward_recorder::{AuditReader, AuditRecord, JournalReader, SessionFolder};
use std::collections::{BTreeMap, BTreeSet};

/// A strategy's holding of an instrument. Money in price nanos times lots: the instruments of these sessions have a unit value of 1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Holding {
    pub(crate) lots: i64,
    /// Paid less received, before fees: what the open lots cost less what was realized.
    pub(crate) spent: i128,
}

/// An order that may be in the market.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Open {
    pub(crate) instrument: u32,
    pub(crate) side: u8,
    pub(crate) price: i64,
    pub(crate) lots: i64,
    /// Whether the venue has confirmed it.
    pub(crate) is_acknowledged: bool,
}

/// What a session leaves.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ledger {
    pub(crate) holdings: BTreeMap<(u16, u32), Holding>,
    pub(crate) orders: BTreeMap<OrderId, Open>,
    /// Greatest order number that a verdict or a recovery speaks of, by strategy.
    pub(crate) numbers: BTreeMap<u16, u64>,
    pub(crate) fills: usize,
    /// By order, too: two orders of one account that meet have one number of the venue's.
    executions: BTreeSet<(u64, OrderId)>,
}

impl Ledger {
    /// Of a session, up to the last whole message of its journal. Verdicts of frames that the journal does not have are left out; the audit
    /// may also end earlier, then orders that only its lost end told of are missing.
    pub(crate) fn of(folder: &SessionFolder) -> Self {
        let mut ledger = Self::default();
        let mut verdicts: BTreeMap<u64, Vec<Verdict>> = BTreeMap::new();
        let mut audit = AuditReader::open(&folder.audit()).unwrap();
        while let Some(record) = audit.next().unwrap() {
            match record {
                AuditRecord::Verdict { frame, verdict, .. } => {
                    verdicts.entry(frame).or_default().push(verdict)
                }
                AuditRecord::Report { .. }
                | AuditRecord::State { .. }
                | AuditRecord::Digests { .. }
                | AuditRecord::End { .. } => {}
            }
        }
        let mut journal = JournalReader::open(&folder.journal()).unwrap();
        let mut held_back = Vec::new();
        while let Some(frame) = journal.next().unwrap() {
            match frame.kind() {
                Some(FrameKind::Report) => ledger.report(&bytemuck::pod_read_unaligned(frame.payload)),
                Some(FrameKind::Recovery) => ledger.recovered(&bytemuck::pod_read_unaligned(frame.payload)),
                Some(
                    FrameKind::Market
                    | FrameKind::Timer
                    | FrameKind::Operator
                    | FrameKind::LinkUp
                    | FrameKind::LinkDown,
                )
                | None => {}
            }
            // What a message causes is told of the frame that ended it; without its end it caused nothing.
            held_back.extend(verdicts.remove(&frame.sequence).unwrap_or_default());
            if !frame.has_more() {
                held_back.drain(..).for_each(|verdict| ledger.verdict(&verdict));
            }
        }
        ledger
    }

    fn verdict(&mut self, verdict: &Verdict) {
        if !verdict.is_approved() {
            return;
        }
        let entered = match Action::from_number(verdict.action_number) {
            Some(Action::New) => verdict.order,
            Some(Action::Replace) => verdict.new_order,
            Some(Action::Cancel) | None => return,
        };
        self.number(entered);
        self.orders.insert(
            entered,
            Open {
                instrument: verdict.instrument.get(),
                side: verdict.side_number,
                price: verdict.price.nanos(),
                lots: verdict.qty.lots(),
                is_acknowledged: false,
            },
        );
    }

    fn report(&mut self, report: &Report) {
        if report.is_from_risk() {
            return;
        }
        let standing = Open {
            instrument: report.instrument.get(),
            side: report.side_number,
            price: report.price.nanos(),
            lots: report.leaves.lots(),
            is_acknowledged: true,
        };
        match report.kind() {
            Some(ReportKind::Accepted) => self.stands(report.order, standing),
            Some(ReportKind::Filled) => self.filled(report),
            Some(ReportKind::Rejected | ReportKind::Cancelled) => self.gone(report.order),
            Some(ReportKind::Replaced) => {
                self.gone(report.order);
                self.stands(report.new_order, standing);
            }
            Some(ReportKind::ReplaceRejected) => self.gone(report.new_order),
            Some(ReportKind::CancelRejected) => {}
            None => panic!("a report of unknown kind: {report:?}"),
        }
    }

    fn stands(&mut self, order: OrderId, standing: Open) {
        self.number(order);
        if standing.lots > 0 {
            self.orders.insert(order, standing);
        } else {
            self.gone(order);
        }
    }

    fn gone(&mut self, order: OrderId) {
        self.orders.remove(&order);
    }

    fn filled(&mut self, report: &Report) {
        if !self.executions.insert((report.exec.get(), report.order)) {
            return;
        }
        self.fills += 1;
        let lots = match report.side() {
            Some(Side::Buy) => report.qty.lots(),
            Some(Side::Sell) => -report.qty.lots(),
            None => panic!("a fill without a side: {report:?}"),
        };
        let holding =
            self.holdings.entry((report.order.strategy().get(), report.instrument.get())).or_default();
        holding.lots += lots;
        holding.spent += i128::from(report.price.nanos()) * i128::from(lots);
        if report.leaves.lots() == 0 {
            self.gone(report.order);
        } else if let Some(open) = self.orders.get_mut(&report.order) {
            open.lots = report.leaves.lots();
        }
    }

    /// Takes in a record that a session began with.
    pub(crate) fn recovered(&mut self, record: &RecoveredRecord) {
        let strategy = record.strategy.get();
        match record.kind() {
            Some(RecoveredKind::Position) => {
                let holding = Holding {
                    lots: record.qty.lots(),
                    spent: i128::from(record.cost.nanos()) - i128::from(record.realized.nanos()),
                };
                let before = self.holdings.insert((strategy, record.instrument.get()), holding);
                assert_eq!(before, None, "a position comes once");
            }
            Some(RecoveredKind::OpenOrder) => {
                let open = Open {
                    instrument: record.instrument.get(),
                    side: record.side_number,
                    price: record.price.nanos(),
                    lots: record.qty.lots(),
                    is_acknowledged: record.venue_order != 0,
                };
                assert_eq!(self.orders.insert(record.order, open), None, "an order comes once");
            }
            Some(RecoveredKind::VenueStream | RecoveredKind::StrategyState) => {}
            Some(RecoveredKind::OrderNumber) => {
                self.numbers.insert(strategy, record.number);
            }
            None => panic!("a recovered record of unknown kind: {record:?}"),
        }
    }

    fn number(&mut self, order: OrderId) {
        let greatest = self.numbers.entry(order.strategy().get()).or_default();
        *greatest = order.number().max(*greatest);
    }

    /// Holdings that are not nothing.
    pub(crate) fn held(&self) -> BTreeMap<(u16, u32), Holding> {
        self.holdings.iter().filter(|(_, h)| **h != Holding::default()).map(|(k, h)| (*k, *h)).collect()
    }
}
