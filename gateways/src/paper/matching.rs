//! The recorded market moves: queue positions, fills of orders at rest, states of the market.

use super::desk::Desk;
use super::market::{MarketBook, is_better};
use super::resting::Depth;
use super::shelf::NONE;
use spinward_engine::words::{Event, EventKind, InstrumentId, MarketStatus, Price, Qty, Side};

impl<B: MarketBook> Desk<B> {
    /// One event of the recorded market.
    pub(super) fn on_event(&mut self, event: &Event) {
        let kind = event.kind();
        let is_watched = self.orders.has_any(event.instrument);
        match kind {
            EventKind::OrderExecute | EventKind::OrderExecuteAt => {
                self.changed(event.instrument, Depth::Orders);
                if is_watched {
                    self.executed(event);
                }
            }
            EventKind::OrderReduce | EventKind::OrderDelete | EventKind::OrderReplace => {
                self.changed(event.instrument, Depth::Orders);
                if is_watched {
                    self.left(event, kind);
                }
            }
            EventKind::OrderAdd => self.changed(event.instrument, Depth::Orders),
            EventKind::LevelSet => self.changed(event.instrument, Depth::Levels),
            EventKind::BookClear => self.cleared(event.instrument),
            EventKind::Trade if is_watched => self.traded(event),
            EventKind::Gap => self.on_status(event.instrument, MarketStatus::Quarantined),
            EventKind::Status => {
                if let Some(status) = MarketStatus::from_number(event.a) {
                    self.on_status(event.instrument, status);
                }
            }
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::Trade
            | EventKind::Quote
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery
            | EventKind::Link => {}
        }
        self.book.on_event(event);
        if event.has(Event::END_OF_GROUP) {
            self.group_ends(event.instrument);
        }
    }

    fn changed(&mut self, instrument: InstrumentId, depth: Depth) {
        if let Some(market) = self.markets.get_mut(instrument.index()) {
            market.changed = true;
            market.depth = depth;
        }
    }

    fn cleared(&mut self, instrument: InstrumentId) {
        if let Some(market) = self.markets.get_mut(instrument.index()) {
            market.changed = true;
            market.requeue = true;
        }
    }

    /// A recorded order was executed: those of ours that stood before it are filled from its quantity, those behind it move up.
    fn executed(&mut self, event: &Event) {
        let Some(hit) = self.book.order(event.instrument, event.a) else { return };
        let is_trading = self.market(event.instrument).is_some_and(|market| market.is_trading());
        let qty = event.qty.min(hit.qty);
        // An execution that does not count in the venue's volume belongs to an auction (ITCH 5.0 §1.4.2).
        let is_auction = event.kind() == EventKind::OrderExecuteAt && !event.has(Event::PRINTABLE);
        let mut left = if is_trading && !is_auction { qty } else { Qty::ZERO };
        let mut slot = self.orders.first(event.instrument, hit.side);
        while slot != NONE {
            let next = self.orders.next(slot);
            let Some(ours) = self.orders.at_mut(slot) else { break };
            if is_better(hit.side, hit.price, ours.price) {
                break;
            }
            if ours.price == hit.price && hit.arrival <= ours.mark {
                ours.ahead = ours.ahead.saturating_sub(qty).max(Qty::ZERO);
            } else {
                left = left.saturating_sub(self.fill_resting(slot, left));
            }
            slot = next;
        }
    }

    /// A recorded order lost quantity without a trade: those of ours behind it move up.
    fn left(&mut self, event: &Event, kind: EventKind) {
        let Some(gone) = self.book.order(event.instrument, event.a) else { return };
        let qty = if kind == EventKind::OrderReduce { event.qty.min(gone.qty) } else { gone.qty };
        let mut slot = self.orders.first(event.instrument, gone.side);
        while let Some(ours) = self.orders.at_mut(slot) {
            if ours.price == gone.price && gone.arrival <= ours.mark {
                ours.ahead = ours.ahead.saturating_sub(qty).max(Qty::ZERO);
            }
            slot = self.orders.next(slot);
        }
    }

    /// A trade that the feed tells apart from the book.
    fn traded(&mut self, event: &Event) {
        let Some(market) = self.market(event.instrument).copied() else { return };
        let Some(side) = self.side_hit(event) else { return };
        if !market.is_trading() || event.qty <= Qty::ZERO {
            return;
        }
        // What our own orders have had of this trade.
        let mut ours_had = Qty::ZERO;
        let mut slot = self.orders.first(event.instrument, side);
        while slot != NONE {
            let next = self.orders.next(slot);
            let Some(ours) = self.orders.at_mut(slot) else { break };
            let left = event.qty.saturating_sub(ours_had);
            let share = if is_better(side, ours.price, event.price) {
                left
            } else if ours.price == event.price {
                match market.depth {
                    Depth::Orders if ours.ahead > Qty::ZERO => Qty::ZERO,
                    Depth::Orders => left,
                    Depth::Levels | Depth::Unknown => {
                        let share = left.saturating_sub(ours.ahead).max(Qty::ZERO);
                        ours.ahead = ours.ahead.saturating_sub(event.qty).max(Qty::ZERO);
                        share
                    }
                }
            } else {
                break;
            };
            ours_had = ours_had.saturating_add(self.fill_resting(slot, share));
            slot = next;
        }
    }

    /// The side whose resting orders a trade hit; by the quote rule where the feed does not tell. `None`: cannot be told, or an auction.
    fn side_hit(&self, event: &Event) -> Option<Side> {
        if self.market(event.instrument)?.depth == Depth::Orders && event.b != HIDDEN_PRINT {
            return None;
        }
        if let Some(aggressor) = event.side() {
            return Some(aggressor.opposite());
        }
        let best = |side| self.book.best(event.instrument, side).map(|level| level.price);
        let at_bid = best(Side::Buy).is_some_and(|bid| event.price <= bid);
        let at_ask = best(Side::Sell).is_some_and(|ask| event.price >= ask);
        match (at_bid, at_ask) {
            (true, false) => Some(Side::Buy),
            (false, true) => Some(Side::Sell),
            (true, true) | (false, false) => None,
        }
    }

    fn on_status(&mut self, instrument: InstrumentId, status: MarketStatus) {
        if instrument == InstrumentId::ALL {
            for number in 0..self.markets.len() as u32 {
                self.on_status_of(InstrumentId::new(number), status);
            }
        } else {
            self.on_status_of(instrument, status);
        }
    }

    fn on_status_of(&mut self, instrument: InstrumentId, status: MarketStatus) {
        let Some(market) = self.markets.get_mut(instrument.index()) else { return };
        match status {
            MarketStatus::Quarantined => market.quarantined = true,
            MarketStatus::Resynced => market.quarantined = false,
            MarketStatus::Closed => {
                market.status = status;
                for side in [Side::Buy, Side::Sell] {
                    while self.orders.at(self.orders.first(instrument, side)).is_some() {
                        self.cancel_resting(self.orders.first(instrument, side), None);
                    }
                }
            }
            MarketStatus::Trading | MarketStatus::Halted | MarketStatus::Paused | MarketStatus::QuoteOnly => {
                market.status = status
            }
        }
    }

    /// The recorded book is whole again: take it over.
    fn group_ends(&mut self, instrument: InstrumentId) {
        let Some(market) = self.markets.get_mut(instrument.index()) else { return };
        if !market.changed || market.quarantined {
            return;
        }
        let now = *market;
        market.changed = false;
        market.requeue = false;
        if self.taken.has_any(instrument) {
            let Self { book, taken, .. } = self;
            for side in [Side::Buy, Side::Sell] {
                taken.hold(instrument, side, |price: Price| {
                    book.level(instrument, side, price).map_or(Qty::ZERO, |level| level.qty)
                });
            }
        }
        if !self.orders.has_any(instrument) {
            return;
        }
        for side in [Side::Buy, Side::Sell] {
            if now.depth != Depth::Orders || now.requeue {
                self.line_up(instrument, side, now.depth);
            }
            if now.is_trading() {
                self.cross(instrument, side);
            }
        }
    }

    /// Estimates queue positions anew from the level: never forward of what the level holds.
    fn line_up(&mut self, instrument: InstrumentId, side: Side, depth: Depth) {
        let newest = self.book.newest_arrival(instrument);
        let mut slot = self.orders.first(instrument, side);
        while let Some(ours) = self.orders.at(slot) {
            let recorded = self.recorded(instrument, side, ours.price);
            if let Some(ours) = self.orders.at_mut(slot) {
                match depth {
                    Depth::Orders => {
                        ours.ahead = recorded;
                        ours.mark = newest;
                    }
                    Depth::Levels | Depth::Unknown => ours.ahead = ours.ahead.min(recorded),
                }
            }
            slot = self.orders.next(slot);
        }
    }
}

/// `b` of a trade event of an order feed that is an execution of a hidden order in continuous trading (ITCH 5.0 §1.5.1, message type `P`); crosses
/// carry their cross type instead.
const HIDDEN_PRINT: u64 = b'P' as u64;
