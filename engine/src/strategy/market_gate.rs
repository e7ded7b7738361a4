//! [`MarketGate`]: may this instrument be traded, as far as its market and our data of it go?

use super::{StatusChange, StatusKind};
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{BookView, MarketStatus};

/// One for each instrument of a strategy. Closed by the venue until it says that trading goes on; blind from a gap or a
/// lost link until a view can be relied on again.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct MarketGate {
    closed: bool,
    blind: bool,
}

impl MarketGate {
    /// Takes note of a status.
    pub(super) fn on_status(&mut self, status: &StatusChange) {
        match status.kind {
            StatusKind::Market(MarketStatus::Trading) => self.closed = false,
            StatusKind::Market(
                MarketStatus::Halted | MarketStatus::Paused | MarketStatus::QuoteOnly | MarketStatus::Closed,
            ) => self.closed = true,
            StatusKind::Market(MarketStatus::Quarantined)
            | StatusKind::Gap { .. }
            | StatusKind::Link { up: false } => self.blind = true,
            // Not enough to trade on: the next tradable view is.
            StatusKind::Market(MarketStatus::Resynced) | StatusKind::Link { up: true } => {}
        }
    }

    /// Takes note of a view.
    #[inline]
    pub(super) fn on_view(&mut self, view: &BookView) {
        self.blind = !view.is_tradable();
    }

    pub(super) fn save(self, state: &mut StateWriter) {
        let Self { closed, blind } = self;
        state.bool(closed);
        state.bool(blind);
    }

    pub(super) fn load(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Self { closed: state.bool()?, blind: state.bool()? })
    }

    /// Whether orders may be entered.
    #[inline]
    pub(super) fn is_open(self) -> bool {
        !self.closed && !self.blind
    }
}
