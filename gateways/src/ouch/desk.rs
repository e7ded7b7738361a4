//! [`Desk`]: our orders at the venue, and the reports that the life of each gives. All memory is taken at start.

use super::executions::Executions;
use super::life::{Happening, Life, Tell, step};
use crate::order_index::OrderIndex;
use spinward_engine::words::{
    ExecId, InstrumentId, Nanos, OrderId, Price, Qty, RejectCode, Report, ReportKind, Side,
};

/// One order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) id: OrderId,
    pub(super) user_ref: u32,
    pub(super) life: Life,
    /// The other one of a replace.
    pub(super) other: OrderId,
    pub(super) instrument: InstrumentId,
    pub(super) side: Side,
    pub(super) price: Price,
    pub(super) qty: Qty,
    /// Open, as the engine has it.
    pub(super) leaves: Qty,
    /// Of those, taken off by the venue while the rest stands (a self match).
    pub(super) reduced: Qty,
    /// Executed in the whole chain of replaces.
    pub(super) executed: i64,
    /// Its number in the market data.
    pub(super) venue_order: u64,
    /// Frame of its own message, and of the cancel under way.
    pub(super) frame: u64,
    pub(super) cancel_frame: u64,
    /// When the last message about it left.
    pub(super) sent_at: Nanos,
    /// The engine knows it: it is told. Others are cancelled.
    pub(super) is_known: bool,
    /// A cancel of our own making is under way or due.
    pub(super) is_to_go: bool,
    pub(super) is_unresolved: bool,
}

impl Order {
    /// What the venue has of it.
    fn open(&self) -> Qty {
        self.leaves.saturating_sub(self.reduced)
    }
}

/// What the venue says besides the happening.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Say {
    pub(super) time: Nanos,
    /// Number of the message in the stream.
    pub(super) sequence: u64,
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) exec: u64,
    pub(super) is_maker: bool,
    pub(super) code_number: u16,
}

impl Say {
    pub(super) fn because(code: RejectCode, time: Nanos) -> Self {
        Self { code_number: code as u16, time, ..Self::default() }
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Desk {
    orders: Box<[Option<Order>]>,
    free: Vec<u32>,
    by_id: OrderIndex,
    by_ref: OrderIndex,
    pub(super) executions: Executions,
    /// Happenings that the table of lives does not expect.
    pub(super) unexpected: u64,
    /// Orders that reports have ended, while somebody wants to know; see [`Desk::watch`].
    ended: Option<Vec<OrderId>>,
}

impl Desk {
    pub(super) fn new(orders_max: usize, executions_max: usize) -> Self {
        Self {
            orders: vec![None; orders_max].into_boxed_slice(),
            free: (0..orders_max as u32).rev().collect(), // at most 1,000,000
            by_id: OrderIndex::new(orders_max),
            by_ref: OrderIndex::new(orders_max),
            executions: Executions::new(executions_max),
            unexpected: 0,
            ended: None,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.orders.len() - self.free.len()
    }

    pub(super) fn room(&self) -> usize {
        self.free.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.orders.len()
    }

    /// The order in a place.
    pub(super) fn at(&self, place: usize) -> Option<&Order> {
        self.orders.get(place)?.as_ref()
    }

    pub(super) fn find(&self, id: OrderId) -> Option<&Order> {
        self.at(self.by_id.find(id)? as usize)
    }

    pub(super) fn find_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        self.orders.get_mut(self.by_id.find(id)? as usize)?.as_mut()
    }

    /// The smallest number beyond `after` of an order that the venue has not said that it has.
    pub(super) fn first_unacknowledged(&self, after: u32) -> Option<u32> {
        let orders = self.orders.iter().flatten().filter(|order| order.life.is_unacknowledged());
        orders.map(|order| order.user_ref).filter(|user_ref| *user_ref > after).min()
    }

    /// The order with this number at the venue.
    pub(super) fn of_ref(&self, user_ref: u32) -> Option<&Order> {
        self.at(self.by_ref.find(OrderId::new(user_ref.into()))? as usize)
    }

    /// False if there is no room, or such an order is there.
    pub(super) fn insert(&mut self, order: Order) -> bool {
        if order.id == OrderId::NONE || order.user_ref == 0 || self.find(order.id).is_some() {
            return false;
        }
        let Some(place) = self.free.pop() else { return false };
        self.by_id.insert(order.id, place);
        self.by_ref.insert(OrderId::new(order.user_ref.into()), place);
        if let Some(to) = self.orders.get_mut(place as usize) {
            *to = Some(order);
        }
        true
    }

    fn remove(&mut self, id: OrderId) {
        let Some(place) = self.by_id.find(id) else { return };
        if let Some(order) = self.orders.get_mut(place as usize).and_then(Option::take) {
            self.by_id.remove(id);
            self.by_ref.remove(OrderId::new(order.user_ref.into()));
            self.free.push(place);
        }
    }

    /// From now on remembers which orders end by reports.
    pub(super) fn watch(&mut self, is_watching: bool) {
        self.ended = is_watching.then(Vec::new);
    }

    /// Whether a report ended this order since [`Desk::watch`].
    pub(super) fn has_ended(&self, id: OrderId) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.contains(&id))
    }

    /// Something happens to an order, and to the other one of its replace.
    pub(super) fn happens(
        &mut self,
        id: OrderId,
        happening: Happening,
        say: &Say,
        out: &mut impl FnMut(&Report),
    ) {
        let Some(order) = self.find(id).copied() else { return };
        use Happening as H;
        if order.life == Life::Replacement {
            let takes_place = match happening {
                H::Entered
                | H::EnteredDead
                | H::Accepted
                | H::AcceptedDead
                | H::FilledPart
                | H::FilledWhole
                | H::Cancelled
                | H::Expired
                | H::ReplacedBy => true,
                H::Rejected | H::NeverArrived => {
                    self.change(id, happening, say, out);
                    return self.change(order.other, H::ReplaceRefused, say, out);
                }
                H::SendCancel | H::SendReplace | H::CancelRefused | H::ReplaceRefused | H::OriginalGone => {
                    false
                }
            };
            if takes_place {
                let executed = self.find(order.other).map_or(0, |original| original.executed);
                if let Some(order) = self.find_mut(id) {
                    order.executed += executed;
                }
                self.change(order.other, H::ReplacedBy, say, out);
            }
        }
        self.change(id, happening, say, out);
        if order.life == Life::Replacing && self.find(id).is_none() && happening != H::ReplacedBy {
            let too_late = Say { code_number: RejectCode::TooLate as u16, ..*say };
            self.change(order.other, H::OriginalGone, &too_late, out);
        }
    }

    /// An execution of so many shares.
    pub(super) fn fill(&mut self, id: OrderId, say: &Say, out: &mut impl FnMut(&Report)) {
        let Some(order) = self.find(id).copied() else { return };
        if say.qty < order.open() {
            return self.happens(id, Happening::FilledPart, say, out);
        }
        if order.reduced == Qty::ZERO {
            return self.happens(id, Happening::FilledWhole, say, out);
        }
        // The last of it is executed, and the engine has more: what the venue took off before.
        self.happens(id, Happening::FilledPart, say, out);
        self.happens(id, Happening::Expired, say, out);
    }

    /// Canceled, all or some of it.
    pub(super) fn cancel(&mut self, id: OrderId, is_asked: bool, say: &Say, out: &mut impl FnMut(&Report)) {
        let Some(order) = self.find_mut(id) else { return };
        if say.qty < order.open() {
            order.reduced = order.reduced.saturating_add(say.qty);
            return;
        }
        let happening = if is_asked { Happening::Cancelled } else { Happening::Expired };
        self.happens(id, happening, say, out);
    }

    fn change(&mut self, id: OrderId, happening: Happening, say: &Say, out: &mut impl FnMut(&Report)) {
        let Some(order) = self.find_mut(id) else { return };
        let step = step(order.life, happening);
        order.life = step.next;
        if matches!(happening, Happening::FilledPart | Happening::FilledWhole) {
            order.leaves = order.leaves.saturating_sub(say.qty).max(Qty::ZERO);
            order.executed = order.executed.saturating_add(say.qty.lots());
        }
        let told = *order;
        if matches!(step.next, Life::Open | Life::Gone) {
            order.cancel_frame = 0;
        }
        self.unexpected += u64::from(!step.expected);
        if step.next == Life::Gone {
            self.remove(id);
            if let Some(ended) = &mut self.ended {
                ended.push(id);
            }
        }
        if told.is_known {
            for tell in step.tells {
                out(&report(&told, *tell, happening, say));
            }
        }
    }
}

/// The report that tells it. `order` is as it is after what happened.
fn report(order: &Order, tell: Tell, happening: Happening, say: &Say) -> Report {
    let mut report = Report {
        order: order.id,
        price: order.price,
        venue_time: say.time,
        venue_order: order.venue_order,
        cause_frame: order.frame,
        // Where in the venue's stream a later session has to go on.
        value: i64::try_from(say.sequence).unwrap_or(i64::MAX),
        instrument: order.instrument,
        side_number: order.side as u8,
        ..Report::default()
    };
    let code = if say.code_number == 0 { RejectCode::TooLate as u16 } else { say.code_number };
    let is_fill = matches!(happening, Happening::FilledPart | Happening::FilledWhole);
    // Before the fill that implies it.
    let standing = if is_fill { order.leaves.saturating_add(say.qty) } else { order.leaves };
    let kind = match tell {
        Tell::Accepted => {
            (report.qty, report.leaves) = (standing, standing);
            ReportKind::Accepted
        }
        Tell::Replaced => {
            (report.order, report.new_order) = (order.other, order.id);
            (report.qty, report.leaves) = (standing, standing);
            ReportKind::Replaced
        }
        Tell::Rejected => {
            (report.qty, report.code_number) = (order.qty, code);
            ReportKind::Rejected
        }
        Tell::ReplaceRejected => {
            (report.order, report.new_order) = (order.other, order.id);
            (report.qty, report.code_number) = (order.qty, code);
            ReportKind::ReplaceRejected
        }
        Tell::Filled => {
            (report.price, report.qty, report.leaves) = (say.price, say.qty, order.leaves);
            report.exec = ExecId::new(say.exec);
            report.flags = if say.is_maker { Report::MAKER } else { 0 };
            ReportKind::Filled
        }
        Tell::Cancelled => {
            (report.qty, report.cause_frame) = (order.leaves, order.cancel_frame);
            ReportKind::Cancelled
        }
        Tell::Expired => {
            report.qty = order.leaves;
            ReportKind::Cancelled
        }
        Tell::CancelRejected => {
            (report.code_number, report.cause_frame) = (code, order.cancel_frame);
            ReportKind::CancelRejected
        }
    };
    report.kind_number = kind as u8;
    report
}
