//! State carried over: records in from an earlier session, records out for a later one.

use super::orders::OpenOrder;
use super::stage::Risk;
use super::state::OrderState;
use crate::words::{Nanos, OrderId, Qty, RecoveredKind, RecoveredRecord, StrategyId, TimeInForce};

impl Risk {
    /// Everything that a later session must know: positions, orders that are not gone, order numbers. Its [`Latch`](super::Latch), if it
    /// is halted, goes in as the command that it was. Orders not acknowledged, and those to come of a replace, have `venue_order` 0.
    pub fn recovered(&self) -> impl Iterator<Item = RecoveredRecord> {
        let positions = self.cells.iter().filter(|cell| cell.position.is_active()).map(|cell| {
            let position = &cell.position;
            RecoveredRecord {
                qty: position.qty,
                cost: position.cost,
                realized: position.realized,
                fees: position.fees,
                instrument: position.instrument,
                strategy: position.strategy,
                kind_number: RecoveredKind::Position as u8,
                ..RecoveredRecord::default()
            }
        });
        let orders = self.orders.iter().map(|order| RecoveredRecord {
            order: order.order,
            price: order.price,
            qty: order.leaves,
            venue_order: order.venue_order,
            instrument: order.instrument,
            strategy: order.order.strategy(),
            kind_number: RecoveredKind::OpenOrder as u8,
            side_number: order.side as u8,
            tif_number: order.tif as u8,
            flags: order.flags,
            ..RecoveredRecord::default()
        });
        let numbers = self.last_numbers.iter().enumerate().map(|(index, number)| RecoveredRecord {
            number: *number,
            strategy: StrategyId::new(index as u16),
            kind_number: RecoveredKind::OrderNumber as u8,
            ..RecoveredRecord::default()
        });
        positions.chain(orders).chain(numbers)
    }

    pub(super) fn on_recovered(&mut self, record: &RecoveredRecord, now: Nanos) {
        if self.recover(record, now).is_some() {
            self.counters.recovered.add(1);
        } else {
            self.counters.recovered_refused.add(1);
            self.halt("a recovered record fits nowhere", now);
        }
        self.show_orders();
    }

    fn recover(&mut self, record: &RecoveredRecord, now: Nanos) -> Option<()> {
        match record.kind()? {
            RecoveredKind::Position => {
                let tradable = self.tradable(record.instrument)?;
                let cell = self.cell(tradable, record.strategy);
                let position = &mut self.cells.get_mut(cell)?.position;
                let before = position.qty.lots();
                position.qty = record.qty;
                position.cost = record.cost;
                position.realized = record.realized;
                position.fees = record.fees;
                let moved = record.qty.lots().saturating_sub(before);
                if !self.tradables.get_mut(tradable)?.move_net(before, moved) {
                    self.overflowed(now);
                }
                self.mark(tradable, cell, now);
            }
            RecoveredKind::OpenOrder => {
                let tradable = self.tradable(record.instrument)?;
                let cell = self.cell(tradable, record.order.strategy());
                let side = crate::words::Side::from_number(record.side_number)?;
                let tif = TimeInForce::from_number(record.tif_number)?;
                let room = self.orders.count() < self.orders.capacity();
                let new = self.orders.get(record.order).is_none() && record.order != OrderId::NONE;
                if !room || !new || record.qty <= Qty::ZERO {
                    return None;
                }
                self.raise_number(record.order);
                let acknowledged = record.venue_order != 0;
                self.open(
                    OpenOrder {
                        order: record.order,
                        price: record.price,
                        qty: record.qty,
                        leaves: record.qty,
                        venue_order: record.venue_order,
                        frame: 0,
                        cancel_frame: 0,
                        instrument: record.instrument,
                        side,
                        tif,
                        flags: record.flags,
                        state: if acknowledged { OrderState::Open } else { OrderState::PendingNew },
                        cancel_due: false,
                        queued: false,
                        // Sent by an earlier session, through a ring that is no more.
                        under_way: 0,
                        tradable: tradable as u32,
                        cell: cell as u32,
                    },
                    now,
                );
            }
            // For the gateway of a later session; it stands in the journal, and changes nothing here.
            RecoveredKind::VenueStream => {}
            // The strategy's own.
            RecoveredKind::StrategyState => {}
            RecoveredKind::OrderNumber => {
                let last = self.last_numbers.get_mut(record.strategy.index())?;
                *last = record.number.max(*last);
            }
        }
        Some(())
    }
}
