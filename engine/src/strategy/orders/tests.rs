use super::*;
use crate::words::{ExecId, RecoveredKind};
use proptest::prelude::*;
use std::collections::BTreeSet;

const INSTRUMENTS: u32 = 2;
const ORDERS_MAX: usize = 6;

/// The rules of the order life cycle, written down as plainly as possible: a list that is searched, sets that grow.
#[derive(Default)]
struct NaiveLedger {
    orders: Vec<NaiveOrder>,
    positions: [i64; INSTRUMENTS as usize],
    booked: BTreeSet<(u64, u64)>,
}

#[derive(Clone, PartialEq, Debug)]
struct NaiveOrder {
    id: u64,
    instrument: u32,
    is_buy: bool,
    price: i64,
    open: i64,
    acknowledged: bool,
    new_unanswered: bool,
    cancel_unanswered: bool,
    /// Id, price and what may still be filled of it.
    replace_unanswered: Option<(u64, i64, i64)>,
    /// Lots of it that were filled already.
    filled_ahead: i64,
}

impl NaiveLedger {
    fn in_flight(&self) -> usize {
        let news = self.orders.iter().filter(|o| o.new_unanswered).count();
        news + self.orders.iter().filter(|o| o.replace_unanswered.is_some()).count()
    }

    fn on_report(&mut self, report: &Report) -> Applied {
        let Some(kind) = report.kind() else { return Applied::Malformed };
        let id = report.order.get();
        let to_come = |o: &NaiveOrder| o.replace_unanswered.is_some_and(|(new_id, ..)| new_id == id);
        let is_fill = kind == ReportKind::Filled;
        let found = self.orders.iter().position(|o| o.id == id || is_fill && to_come(o));
        if kind == ReportKind::Filled {
            let (instrument, is_buy) = match found {
                Some(at) => (self.orders[at].instrument, self.orders[at].is_buy),
                None => match report.side() {
                    Some(side) => (report.instrument.get(), side == Side::Buy),
                    None => return Applied::Malformed,
                },
            };
            if report.qty.lots() <= 0 || instrument >= INSTRUMENTS {
                return Applied::Malformed;
            }
            if report.exec.get() != 0 && !self.booked.insert((report.order.get(), report.exec.get())) {
                return Applied::Duplicate;
            }
            let sign = if is_buy { 1 } else { -1 };
            self.positions[instrument as usize] += sign * report.qty.lots();
        }
        let Some(at) = found else { return Applied::Unmatched };
        let order = &mut self.orders[at];
        let unknown_to_risk = report.is_from_risk() && report.code() == RejectCode::UnknownOrder;
        match kind {
            ReportKind::Accepted => {
                order.acknowledged = true;
                order.new_unanswered = false;
            }
            ReportKind::Filled if order.id == id => order.open = (order.open - report.qty.lots()).max(0),
            ReportKind::Filled => {
                let (_, _, left) = order.replace_unanswered.as_mut().unwrap();
                *left = (*left - report.qty.lots()).max(0);
                order.filled_ahead += report.qty.lots();
            }
            ReportKind::Rejected if order.acknowledged => {}
            ReportKind::Rejected | ReportKind::Cancelled => order.open = 0,
            ReportKind::CancelRejected | ReportKind::ReplaceRejected if unknown_to_risk => {
                order.replace_unanswered = None;
                order.open = 0;
            }
            ReportKind::CancelRejected => order.cancel_unanswered = false,
            ReportKind::ReplaceRejected => {
                order.replace_unanswered = None;
                order.filled_ahead = 0;
            }
            ReportKind::Replaced => {
                order.acknowledged = true;
                order.new_unanswered = false;
                order.cancel_unanswered = false;
                let pending = order.replace_unanswered.take().map(|(id, ..)| id);
                order.id = match report.new_order.get() {
                    0 => pending.unwrap_or(0),
                    id => id,
                };
                order.price = report.price.nanos();
                order.open = (report.leaves.lots() - std::mem::take(&mut order.filled_ahead)).max(0);
            }
        }
        self.orders.retain(|o| o.open > 0 || o.replace_unanswered.is_some());
        Applied::Known
    }
}

fn compare(fast: &OrderReplica, naive: &NaiveLedger) -> Result<(), TestCaseError> {
    for instrument in 0..INSTRUMENTS {
        let position = fast.position(InstrumentId::new(instrument));
        prop_assert_eq!(position.lots(), naive.positions[instrument as usize]);
    }
    prop_assert_eq!(fast.in_flight(), naive.in_flight());
    prop_assert_eq!(fast.held(), naive.orders.len());
    let mut by_slot: Vec<NaiveOrder> = fast.iter().map(|order| plain(fast, order)).collect();
    by_slot.sort_by_key(|order| order.id);
    let of_all = (0..INSTRUMENTS).flat_map(|number| fast.of(InstrumentId::new(number)));
    let mut by_instrument: Vec<NaiveOrder> = of_all.map(|order| plain(fast, order)).collect();
    by_instrument.sort_by_key(|order| order.id);
    prop_assert_eq!(&by_slot, &by_instrument);
    // Gone, but the answer to its replace is missing: held, not shown.
    let is_shown = |o: &&NaiveOrder| o.open > 0 || o.replace_unanswered.is_some_and(|(.., left)| left > 0);
    let mut expected: Vec<NaiveOrder> = naive.orders.iter().filter(is_shown).cloned().collect();
    expected.sort_by_key(|order| order.id);
    prop_assert_eq!(by_slot, expected);
    for order in &naive.orders {
        let found = fast.by_id(OrderId::new(order.id)).map(|order| order.id.get());
        prop_assert_eq!(found, Some(order.id));
        if let Some((new_id, ..)) = order.replace_unanswered {
            let found = fast.by_id(OrderId::new(new_id)).map(|order| order.id.get());
            prop_assert_eq!(found, Some(order.id), "the id to come finds the order that stands");
        }
    }
    Ok(())
}

fn plain(fast: &OrderReplica, order: &WorkingOrder) -> NaiveOrder {
    let at = fast.find(order.id).unwrap();
    NaiveOrder {
        id: order.id.get(),
        instrument: order.instrument.get(),
        is_buy: order.side == Side::Buy,
        price: order.price.nanos(),
        open: order.open.lots(),
        acknowledged: order.acknowledged,
        new_unanswered: fast.slots[at as usize].entering,
        cancel_unanswered: order.change == Change::Cancel,
        replace_unanswered: match order.change {
            Change::Replace { new_order, price, qty } => Some((new_order.get(), price.nanos(), qty.lots())),
            Change::None | Change::Cancel => None,
        },
        filled_ahead: fast.slots[at as usize].filled_ahead.lots(),
    }
}

/// A wish of the strategy, or what comes back. `pick` chooses among the orders there are.
#[derive(Clone, Debug)]
enum Step {
    Enter {
        instrument: u32,
        is_buy: bool,
        qty: i64,
    },
    Cancel {
        pick: usize,
    },
    Replace {
        pick: usize,
        qty: i64,
    },
    Report {
        pick: usize,
        kind: u8,
        exec: u64,
        qty: i64,
        leaves: i64,
        flags: u8,
        code: u16,
        stray: bool,
        ahead: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let enter = (0..INSTRUMENTS, any::<bool>(), 1i64..9).prop_map(|(instrument, is_buy, qty)| Step::Enter {
        instrument,
        is_buy,
        qty,
    });
    let cancel = (0usize..9).prop_map(|pick| Step::Cancel { pick });
    let replace = (0usize..9, 1i64..9).prop_map(|(pick, qty)| Step::Replace { pick, qty });
    let code = prop_oneof![Just(RejectCode::UnknownOrder as u16), Just(RejectCode::TooLate as u16)];
    let report = (
        0usize..9,
        0u8..9,
        0u64..30,
        0i64..6,
        0i64..6,
        0u8..4,
        code,
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.2),
    )
        .prop_map(|(pick, kind, exec, qty, leaves, flags, code, stray, ahead)| Step::Report {
            pick,
            kind,
            exec,
            qty,
            leaves,
            flags,
            code,
            stray,
            ahead,
        });
    proptest::collection::vec(prop_oneof![2 => enter, 1 => cancel, 1 => replace, 5 => report], 1..300)
}

proptest! {
    #[test]
    fn the_replica_equals_a_naive_ledger_over_random_reports(steps in steps()) {
        let mut fast = OrderReplica::new(INSTRUMENTS as usize, ORDERS_MAX);
        let mut naive = NaiveLedger::default();
        let mut last_id = 0u64;
        for step in steps {
            match step {
                Step::Enter { instrument, is_buy, qty } => {
                    if fast.held() < ORDERS_MAX {
                        last_id += 1;
                        let side = if is_buy { Side::Buy } else { Side::Sell };
                        let is_entered = fast.enter(WorkingOrder {
                            id: OrderId::new(last_id),
                            instrument: InstrumentId::new(instrument),
                            side,
                            price: Price::from_nanos(7),
                            open: Qty::from_lots(qty),
                            tif: TimeInForce::Day,
                            post_only: false,
                            reduce_only: false,
                            acknowledged: false,
                            recovered: false,
                            change: Change::None,
                        });
                        prop_assert!(is_entered);
                        naive.orders.push(NaiveOrder {
                            id: last_id,
                            instrument,
                            is_buy,
                            price: 7,
                            open: qty,
                            acknowledged: false,
                            new_unanswered: true,
                            cancel_unanswered: false,
                            replace_unanswered: None,
                            filled_ahead: 0,
                        });
                    }
                }
                Step::Cancel { pick } => {
                    if let Some(order) = naive.orders.get_mut(pick)
                        && !order.cancel_unanswered && order.replace_unanswered.is_none()
                    {
                        order.cancel_unanswered = true;
                        fast.cancelling(OrderId::new(order.id));
                    }
                }
                Step::Replace { pick, qty } => {
                    if let Some(order) = naive.orders.get_mut(pick)
                        && !order.cancel_unanswered && order.replace_unanswered.is_none()
                    {
                        last_id += 1;
                        order.replace_unanswered = Some((last_id, 8, qty));
                        let (id, price) = (OrderId::new(order.id), Price::from_nanos(8));
                        fast.replacing(id, OrderId::new(last_id), price, Qty::from_lots(qty));
                    }
                }
                Step::Report { pick, kind, exec, qty, leaves, flags, code, stray, ahead } => {
                    let order = naive.orders.get(pick).filter(|_| !stray);
                    // What the venue never does is to give an order the id of another one.
                    let new_id = match order.and_then(|order| order.replace_unanswered) {
                        Some((id, ..)) => id,
                        None => last_id + 1,
                    };
                    if kind == ReportKind::Replaced as u8 && new_id > last_id {
                        last_id = new_id;
                    }
                    let report = Report {
                        order: OrderId::new(match order {
                            Some(_) if kind == ReportKind::Filled as u8 && ahead => new_id,
                            Some(order) => order.id,
                            None => pick as u64 + 1,
                        }),
                        new_order: OrderId::new(new_id),
                        exec: ExecId::new(exec),
                        price: Price::from_nanos(9),
                        qty: Qty::from_lots(qty),
                        leaves: Qty::from_lots(leaves),
                        instrument: InstrumentId::new(pick as u32 % (INSTRUMENTS + 1)),
                        code_number: code,
                        kind_number: kind,
                        side_number: (pick % 3) as u8,
                        flags,
                        ..Report::default()
                    };
                    prop_assert_eq!(fast.on_report(&report), naive.on_report(&report));
                }
            }
            compare(&fast, &naive)?;
        }
    }
}

fn entered(replica: &mut OrderReplica, id: u64, qty: i64) {
    assert!(replica.enter(WorkingOrder {
        id: OrderId::new(id),
        instrument: InstrumentId::new(0),
        side: Side::Buy,
        price: Price::from_nanos(5),
        open: Qty::from_lots(qty),
        tif: TimeInForce::Day,
        post_only: true,
        reduce_only: false,
        acknowledged: false,
        recovered: false,
        change: Change::None,
    }));
}

fn told(order: u64, kind: ReportKind, qty: i64, leaves: i64, exec: u64) -> Report {
    Report {
        order: OrderId::new(order),
        exec: ExecId::new(exec),
        qty: Qty::from_lots(qty),
        leaves: Qty::from_lots(leaves),
        instrument: InstrumentId::new(0),
        kind_number: kind as u8,
        side_number: Side::Buy as u8,
        ..Report::default()
    }
}

#[test]
fn a_partial_fill_is_not_a_fill() {
    // The predecessor treated PartFilled as Filled.
    let mut replica = OrderReplica::new(1, 4);
    entered(&mut replica, 1, 5);
    assert_eq!(replica.on_report(&told(1, ReportKind::Filled, 2, 3, 1)), Applied::Known);
    assert_eq!(replica.by_id(OrderId::new(1)).map(|order| order.open), Some(Qty::from_lots(3)));
    assert_eq!(replica.on_report(&told(1, ReportKind::Filled, 2, 3, 1)), Applied::Duplicate);
    assert_eq!(replica.position(InstrumentId::new(0)), Qty::from_lots(2));
    assert_eq!(replica.on_report(&told(1, ReportKind::Filled, 3, 0, 2)), Applied::Known);
    assert_eq!(replica.by_id(OrderId::new(1)), None);
    assert_eq!(replica.position(InstrumentId::new(0)), Qty::from_lots(5));
}

#[test]
fn a_fill_of_an_order_that_is_gone_still_moves_the_position() {
    let mut replica = OrderReplica::new(1, 4);
    entered(&mut replica, 1, 5);
    replica.on_report(&told(1, ReportKind::Cancelled, 5, 0, 0));
    assert_eq!(replica.on_report(&told(1, ReportKind::Filled, 2, 0, 9)), Applied::Unmatched);
    assert_eq!(replica.position(InstrumentId::new(0)), Qty::from_lots(2));
    assert_eq!(replica.held(), 0, "and does not bring the order back");
}

#[test]
fn an_order_filled_while_its_replace_is_under_way_waits_for_the_answer() {
    let mut replica = OrderReplica::new(1, 4);
    entered(&mut replica, 1, 5);
    replica.on_report(&told(1, ReportKind::Accepted, 5, 5, 0));
    replica.replacing(OrderId::new(1), OrderId::new(2), Price::from_nanos(6), Qty::from_lots(4));
    replica.on_report(&told(1, ReportKind::Filled, 5, 0, 1));
    assert_eq!((replica.held(), replica.in_flight()), (1, 1), "the new order may still come to stand");
    assert_eq!(replica.iter().next().map(WorkingOrder::open_at_most), Some(Qty::from_lots(4)));
    let refused = Report { new_order: OrderId::new(2), ..told(1, ReportKind::ReplaceRejected, 0, 0, 0) };
    replica.on_report(&refused);
    assert_eq!((replica.held(), replica.in_flight()), (0, 0));
}

#[test]
fn fills_of_the_replacement_may_come_before_the_replace_is_confirmed() {
    let mut replica = OrderReplica::new(1, 4);
    entered(&mut replica, 1, 5);
    replica.on_report(&told(1, ReportKind::Accepted, 5, 5, 0));
    replica.replacing(OrderId::new(1), OrderId::new(2), Price::from_nanos(6), Qty::from_lots(4));
    assert_eq!(replica.on_report(&told(2, ReportKind::Filled, 3, 1, 1)), Applied::Known);
    assert_eq!(replica.position(InstrumentId::new(0)), Qty::from_lots(3));
    replica.on_report(&Report { new_order: OrderId::new(2), ..told(1, ReportKind::Replaced, 4, 4, 0) });
    assert_eq!(replica.by_id(OrderId::new(2)).map(|order| order.open), Some(Qty::from_lots(1)));
    assert_eq!((replica.by_id(OrderId::new(1)), replica.in_flight()), (None, 0));
}

#[test]
fn recovered_orders_are_open_and_not_in_flight() {
    let mut replica = OrderReplica::new(1, 4);
    let record = RecoveredRecord {
        order: OrderId::new(3),
        price: Price::from_nanos(5),
        qty: Qty::from_lots(2),
        instrument: InstrumentId::new(0),
        kind_number: RecoveredKind::OpenOrder as u8,
        side_number: Side::Sell as u8,
        tif_number: TimeInForce::Day as u8,
        flags: crate::words::Intent::POST_ONLY,
        ..RecoveredRecord::default()
    };
    assert!(replica.recover_order(&record));
    assert!(!replica.recover_order(&record), "once");
    assert!(!replica.recover_order(&RecoveredRecord { instrument: InstrumentId::new(9), ..record }));
    assert_eq!((replica.held(), replica.in_flight()), (1, 0));
    let order = replica.by_id(OrderId::new(3)).copied().unwrap();
    assert!(order.post_only && order.recovered && !order.acknowledged && order.side == Side::Sell);
    replica.on_report(&told(3, ReportKind::Accepted, 2, 2, 0));
    assert!(replica.by_id(OrderId::new(3)).unwrap().acknowledged);
}
