//! What risk keeps of each tradable instrument: its terms and limits, its market, and the sums over all strategies.

use super::config::InstrumentLimits;
use super::position::UnitValue;
use crate::words::{
    BookView, Fees, Instrument, InstrumentId, MarketStatus, Nanos, Price, SessionCalendar, TickTable,
};

/// Reference price, trust and status of one instrument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Market {
    pub(super) reference: Option<Price>,
    /// Receive time of the last trusted view.
    pub(super) trusted: Option<Nanos>,
    pub(super) view_quarantined: bool,
    pub(super) status_quarantined: bool,
    pub(super) status: MarketStatus,
}

impl Market {
    /// Nothing known: no reference price, so nothing can be sent; the status is taken as trading until the feed says otherwise, because
    /// some feeds never say.
    pub(super) const fn new() -> Self {
        Self {
            reference: None,
            trusted: None,
            view_quarantined: false,
            status_quarantined: false,
            status: MarketStatus::Trading,
        }
    }

    /// The mid of a book with two sides that is not crossed, else the last trade, else none. Of the last trusted view: while quarantined
    /// it stays, so that a risk-reducing order can still be held against it.
    #[inline]
    pub(super) fn reference(&self) -> Option<Price> {
        self.reference
    }

    #[inline]
    pub(super) fn is_quarantined(&self) -> bool {
        self.view_quarantined || self.status_quarantined
    }

    /// How old the data is; `None` if there never was any.
    #[inline]
    pub(super) fn age(&self, now: Nanos) -> Option<Nanos> {
        self.trusted.map(|trusted| now.since(trusted))
    }

    /// The status, if it keeps orders out. Quotation only does not: orders rest then.
    #[inline]
    pub(super) fn closed(&self) -> Option<MarketStatus> {
        match self.status {
            MarketStatus::Halted | MarketStatus::Paused | MarketStatus::Closed => Some(self.status),
            MarketStatus::Trading
            | MarketStatus::QuoteOnly
            | MarketStatus::Quarantined
            | MarketStatus::Resynced => None,
        }
    }

    /// Takes a view. True if the reference price changed.
    #[inline]
    pub(super) fn on_view(&mut self, view: &BookView, now: Nanos) -> bool {
        self.view_quarantined = view.flags & BookView::QUARANTINED != 0;
        if self.view_quarantined {
            return false;
        }
        self.trusted = Some(now);
        let statistics = &view.statistics;
        let reference = if view.is_tradable() {
            Some(statistics.mid)
        } else if statistics.last_price != Price::ZERO || statistics.last_qty.lots() != 0 {
            Some(statistics.last_price)
        } else {
            None
        };
        let changed = reference != self.reference;
        self.reference = reference;
        changed
    }

    /// Updates are missing: not to be trusted until the next view says so.
    pub(super) fn on_gap(&mut self) {
        self.view_quarantined = true;
    }

    pub(super) fn on_status(&mut self, status: MarketStatus) {
        match status {
            MarketStatus::Quarantined => self.status_quarantined = true,
            MarketStatus::Resynced => self.status_quarantined = false,
            MarketStatus::Trading
            | MarketStatus::Halted
            | MarketStatus::Paused
            | MarketStatus::QuoteOnly
            | MarketStatus::Closed => self.status = status,
        }
    }
}

/// One instrument with trading terms.
#[derive(Debug)]
pub(super) struct Tradable {
    pub(super) market: Market,
    /// Position over all strategies.
    pub(super) net: i64,
    /// How many of its cells hold a position.
    pub(super) held: u32,
    /// Open buys over all strategies, un-acknowledged and pending ones in full.
    pub(super) buys: i64,
    /// Open sells.
    pub(super) sells: i64,
    pub(super) unit: UnitValue,
    /// `None`: not traded in this session, but positions in it are kept.
    pub(super) limits: Option<InstrumentLimits>,
    pub(super) price_min: Price,
    pub(super) price_max: Price,
    pub(super) expiry: Nanos,
    pub(super) fees: Fees,
    pub(super) ticks: TickTable,
    pub(super) calendar: SessionCalendar,
    pub(super) instrument: InstrumentId,
}

impl Tradable {
    /// `None` if the instrument has no terms.
    pub(super) fn new(instrument: &Instrument, limits: Option<InstrumentLimits>) -> Option<Self> {
        let terms = instrument.terms.as_ref()?;
        Some(Self {
            market: Market::new(),
            net: 0,
            held: 0,
            buys: 0,
            sells: 0,
            unit: UnitValue::new(instrument.unit_value()),
            limits,
            price_min: terms.price_min,
            price_max: terms.price_max,
            expiry: terms.expiry,
            fees: terms.fees,
            ticks: terms.ticks.clone(),
            calendar: terms.calendar.clone(),
            instrument: instrument.id,
        })
    }

    /// The position of one cell moved from `before` by `moved`. False if the sum over all is held at the end of its range.
    pub(super) fn move_net(&mut self, before: i64, moved: i64) -> bool {
        let after = before.saturating_add(moved);
        self.held = self.held + u32::from(after != 0) - u32::from(before != 0).min(self.held);
        let net = self.net.checked_add(moved);
        self.net = self.net.saturating_add(moved);
        net.is_some()
    }
}
