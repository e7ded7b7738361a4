//! What comes in: reports, commands, recovered records; and the mass cancel.

use super::*;

impl NaiveRisk {
    pub(super) fn on_report(&mut self, report: &Report) {
        let Some(kind) = report.kind() else { return };
        if report.is_from_risk() {
            self.refusals = self.refusals.saturating_sub(1);
            return;
        }
        let known = self.orders.get(&report.order).copied();
        match kind {
            ReportKind::Accepted | ReportKind::Rejected | ReportKind::CancelRejected => match known {
                Some(_) => self.answer(report.order, kind),
                None => self.late = self.late.saturating_sub(1),
            },
            ReportKind::Filled => self.on_fill(report),
            ReportKind::Cancelled => {
                if let Some(order) = known {
                    let unasked =
                        order.frame == report.cause_frame && order.cancel_frame != report.cause_frame;
                    let answers = order.cancel_unanswered && !unasked;
                    self.gone(report.order, answers);
                }
            }
            ReportKind::Replaced => self.on_replaced(report),
            ReportKind::ReplaceRejected => {
                if let Some(order) = self.orders.get_mut(&report.order) {
                    order.replace_unanswered = false;
                    self.still_there(report.order, false);
                }
                if self.orders.contains_key(&report.new_order) {
                    self.answer(report.new_order, ReportKind::Rejected);
                } else {
                    self.late = self.late.saturating_sub(1);
                }
            }
        }
    }

    fn answer(&mut self, id: OrderId, kind: ReportKind) {
        let Some(order) = self.orders.get_mut(&id) else { return };
        let entering = order.entry_unanswered || order.to_come;
        if kind == ReportKind::CancelRejected {
            if order.cancel_unanswered {
                order.cancel_unanswered = false;
                order.under_way = order.under_way.saturating_sub(1);
            }
        } else if entering && kind == ReportKind::Rejected {
            self.gone(id, true);
            return;
        } else if entering {
            order.entry_unanswered = false;
            order.to_come = false;
            order.under_way = order.under_way.saturating_sub(1);
        }
        self.still_there(id, kind == ReportKind::CancelRejected);
    }

    /// An order has left; its other messages are answered late.
    fn gone(&mut self, id: OrderId, answered: bool) {
        let Some(order) = self.orders.remove(&id) else { return };
        self.late += order.under_way.saturating_sub(usize::from(answered));
        self.queue.retain(|queued| *queued != id);
    }

    /// After every report about an order that stays: one that is wanted gone, and could be cancelled now, is.
    fn still_there(&mut self, id: OrderId, cancel_rejected: bool) {
        if self.orders.get(&id).is_some_and(|order| order.unwanted && order.is_open()) {
            if !cancel_rejected {
                self.want_gone(id);
            } else if !self.queue.contains(&id) {
                self.retry = true;
            }
        }
    }

    pub(super) fn want_gone(&mut self, id: OrderId) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.unwanted = true;
            if order.may_cancel() && !self.queue.contains(&id) {
                self.queue.push_back(id);
            }
        }
    }

    fn on_replaced(&mut self, report: &Report) {
        let old = self.orders.get(&report.order).copied();
        self.gone(report.order, false);
        if let Some(new) = self.orders.get_mut(&report.new_order) {
            let leaves = report.leaves.lots() - (new.qty - new.leaves);
            if leaves > 0 {
                new.leaves = leaves;
            }
            new.unwanted |= old.is_some_and(|old| old.unwanted);
            self.answer(report.new_order, ReportKind::Accepted);
            return;
        }
        match old {
            Some(old) if !old.replace_unanswered => {
                if report.leaves.lots() > 0 && report.new_order != OrderId::NONE {
                    self.raise(report.new_order);
                    self.orders.insert(
                        report.new_order,
                        Order {
                            price: report.price,
                            qty: report.leaves.lots(),
                            leaves: report.leaves.lots(),
                            frame: 0,
                            cancel_frame: 0,
                            entry_unanswered: false,
                            cancel_unanswered: false,
                            to_come: false,
                            under_way: 0,
                            ..old
                        },
                    );
                    if old.unwanted || self.state == TradingState::Halted {
                        self.want_gone(report.new_order);
                    }
                }
            }
            Some(_) | None => self.late = self.late.saturating_sub(1),
        }
    }

    fn on_fill(&mut self, report: &Report) {
        let lots = report.qty.lots();
        if lots <= 0 || !self.executions.insert((report.exec, report.order)) {
            return;
        }
        let (side, instrument) = match self.orders.get_mut(&report.order) {
            Some(order) => {
                order.leaves = (order.leaves - lots).max(0);
                let (side, instrument, whole) = (order.side, order.instrument, order.leaves == 0);
                if whole {
                    self.gone(report.order, false);
                } else {
                    self.still_there(report.order, false);
                }
                (side, instrument)
            }
            None => {
                let terms = self.instruments.by_id(report.instrument).and_then(|i| i.terms.as_ref());
                let Some((side, _)) = report.side().zip(terms) else {
                    self.halt(RISK);
                    return;
                };
                (side, report.instrument)
            }
        };
        self.ledger.push(LedgerLine {
            strategy: self.owner(report.order.strategy()),
            instrument,
            lots: lots * side.sign(),
            price: report.price,
            maker: report.is_maker(),
        });
    }

    fn owner(&self, strategy: StrategyId) -> StrategyId {
        if strategy.index() < self.config.strategies.len() { strategy } else { StrategyId::NONE }
    }

    fn raise(&mut self, id: OrderId) {
        if self.owner(id.strategy()) != StrategyId::NONE {
            let last = self.numbers.entry(id.strategy()).or_default();
            *last = id.number().max(*last);
        }
    }

    pub(super) fn on_command(&mut self, command: &Command) {
        match command.kind() {
            Some(CommandKind::Kill) => self.kill(command.owner),
            Some(CommandKind::CancelAll) => self.cancel_all(),
            Some(CommandKind::Resume) => {
                let only_owner = self.killers.iter().all(|killer| *killer == command.owner);
                if only_owner || command.owner == OPERATOR {
                    self.state = TradingState::Normal;
                    self.killers.clear();
                }
            }
            Some(CommandKind::SetState) => match TradingState::from_number(command.state_number) {
                Some(TradingState::Halted) => self.kill(command.owner),
                Some(state) if command.owner == GATEWAY => self.venue = state,
                Some(state) if self.state != TradingState::Halted => self.state = state,
                Some(_) | None => {}
            },
            None => {}
        }
    }

    fn kill(&mut self, owner: Symbol) {
        self.state = TradingState::Halted;
        self.killers.push(owner);
        self.cancel_all();
    }

    /// Risk's own kill: what is already being cancelled is not queued again.
    pub(super) fn halt(&mut self, owner: Symbol) {
        if self.state == TradingState::Halted {
            self.killers.push(owner);
        } else {
            self.kill(owner);
        }
    }

    fn cancel_all(&mut self) {
        let ids: Vec<OrderId> = self.orders.keys().copied().collect();
        ids.into_iter().for_each(|id| self.want_gone(id));
    }

    pub(super) fn mass_cancel(
        &mut self,
        frame: u64,
        now: Nanos,
        stamp: Ticks,
        out: &mut VerdictBatch,
        egress: &mut impl Egress,
    ) {
        let mut sent = 0;
        while sent < MASS_CANCELS_PER_EVENT && self.under_way() < self.config.egress_slots {
            let Some(id) = self.queue.front().copied() else { return };
            let Some(order) = self.orders.get(&id).copied().filter(Order::may_cancel) else {
                self.queue.pop_front();
                continue;
            };
            let intent = Intent {
                order: id,
                price: order.price,
                qty: crate::words::Qty::from_lots(order.leaves),
                decided: now,
                valid_until: Nanos::MAX,
                instrument: order.instrument,
                strategy: StrategyId::NONE,
                action_number: Action::Cancel as u8,
                side_number: order.side as u8,
                tif_number: TimeInForce::Day as u8,
                ..Intent::default()
            };
            if self.transmit(&intent, frame, now, stamp, egress).is_err() {
                return;
            }
            out.push(Verdict::on(&intent, RejectCode::None, 0, 0));
            if let Some(order) = self.orders.get_mut(&id) {
                order.cancel_unanswered = true;
                order.cancel_frame = frame;
                order.under_way += 1;
            }
            self.queue.pop_front();
            sent += 1;
        }
    }

    pub(super) fn on_recovered(&mut self, record: &RecoveredRecord) {
        if self.recover(record).is_none() {
            self.halt(RISK);
        }
    }

    fn recover(&mut self, record: &RecoveredRecord) -> Option<()> {
        let tradable = |id| self.instruments.by_id(id).and_then(|i| i.terms.as_ref()).map(|_| ());
        match record.kind()? {
            RecoveredKind::Position => {
                tradable(record.instrument)?;
                self.carried.insert((self.owner(record.strategy), record.instrument), record.qty.lots());
            }
            RecoveredKind::OpenOrder => {
                tradable(record.instrument)?;
                let side = Side::from_number(record.side_number)?;
                TimeInForce::from_number(record.tif_number)?;
                let full = self.orders.len() >= self.config.open_orders_max * 2;
                let known = self.orders.contains_key(&record.order) || record.order == OrderId::NONE;
                if full || known || record.qty.lots() <= 0 {
                    return None;
                }
                self.raise(record.order);
                let order = Order {
                    instrument: record.instrument,
                    side,
                    price: record.price,
                    qty: record.qty.lots(),
                    leaves: record.qty.lots(),
                    frame: 0,
                    cancel_frame: 0,
                    entry_unanswered: record.venue_order == 0,
                    cancel_unanswered: false,
                    replace_unanswered: false,
                    to_come: false,
                    unwanted: false,
                    under_way: 0,
                };
                self.orders.insert(record.order, order);
                if self.state == TradingState::Halted {
                    self.want_gone(record.order);
                }
            }
            RecoveredKind::VenueStream | RecoveredKind::StrategyState => {}
            RecoveredKind::OrderNumber => {
                (record.strategy.index() < self.config.strategies.len()).then_some(())?;
                let last = self.numbers.entry(record.strategy).or_default();
                *last = record.number.max(*last);
            }
        }
        Some(())
    }
}
