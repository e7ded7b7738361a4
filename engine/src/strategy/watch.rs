//! [`Watch`]: which instruments the strategies of one core look at, and the last view of each.

use crate::words::{BookView, InstrumentId};

/// Dense places for the subscribed instruments only. An instrument that nobody looks at costs one load of two bytes (none
/// if its id lies above every subscribed one, as those learnt from feeds do).
pub(super) struct Watch {
    /// By [`InstrumentId`], up to the highest one subscribed: place + 1, or 0.
    places: Box<[u16]>,
    watched: Box<[Watched]>,
}

struct Watched {
    instrument: InstrumentId,
    /// One bit for each strategy of the core.
    subscribers: u8,
    has_view: bool,
    view: BookView,
}

impl Watch {
    /// Most instruments that the strategies of one core may look at.
    pub(super) const INSTRUMENTS_MAX: usize = u16::MAX as usize - 1;

    /// From pairs of instrument and bit of the strategy. `None` if there are too many instruments.
    pub(super) fn new(subscriptions: &[(InstrumentId, u8)]) -> Option<Self> {
        let mut sorted = subscriptions.to_vec();
        sorted.sort_unstable();
        let mut watched: Vec<Watched> = Vec::new();
        for (instrument, bit) in sorted {
            match watched.last_mut() {
                Some(last) if last.instrument == instrument => last.subscribers |= bit,
                Some(_) | None => watched.push(Watched {
                    instrument,
                    subscribers: bit,
                    has_view: false,
                    view: BookView::vacant(),
                }),
            }
        }
        if watched.len() > Self::INSTRUMENTS_MAX {
            return None;
        }
        let mut places = vec![0u16; watched.last().map_or(0, |last| last.instrument.index() + 1)];
        for (place, watched) in (1u16..).zip(&watched) {
            if let Some(slot) = places.get_mut(watched.instrument.index()) {
                *slot = place;
            }
        }
        Some(Self { places: places.into(), watched: watched.into() })
    }

    /// The bits of the strategies that look at the instrument; 0 if none does.
    #[inline]
    pub(super) fn subscribers(&self, instrument: InstrumentId) -> u8 {
        self.watched(instrument).map_or(0, |watched| watched.subscribers)
    }

    /// Whether the strategy with this bit does.
    #[inline]
    pub(super) fn is_subscribed(&self, instrument: InstrumentId, bit: u8) -> bool {
        self.subscribers(instrument) & bit != 0
    }

    /// Keeps the view.
    #[inline]
    pub(super) fn keep(&mut self, view: &BookView) {
        let place = self.places.get(view.instrument.index()).copied().unwrap_or(0);
        if let Some(watched) = self.watched.get_mut(usize::from(place).wrapping_sub(1)) {
            view.copy_to(&mut watched.view);
            watched.has_view = true;
        }
    }

    /// The last view kept, for the strategy with this bit.
    #[inline]
    pub(super) fn view(&self, instrument: InstrumentId, bit: u8) -> Option<&BookView> {
        let watched = self.watched(instrument)?;
        (watched.has_view && watched.subscribers & bit != 0).then_some(&watched.view)
    }

    #[inline]
    fn watched(&self, instrument: InstrumentId) -> Option<&Watched> {
        let place = *self.places.get(instrument.index())?;
        self.watched.get(usize::from(place).wrapping_sub(1))
    }
}
