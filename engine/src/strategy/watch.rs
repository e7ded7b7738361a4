//! [`Watch`]: which instruments the strategies of one core look at, and the last view of each.

use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{BookView, InstrumentId, Level, VIEW_LEVELS_MAX};

/// Bytes of a view before its levels.
const VIEW_HEAD_BYTES: usize = std::mem::offset_of!(BookView, bids);

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

    /// Writes down the views: head and levels in use, not the stale memory behind.
    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { places: _, watched } = self;
        state.list(watched.iter(), |state, watched| {
            let Watched { instrument, subscribers, has_view, view } = watched;
            state.u32(instrument.get());
            state.u8(*subscribers);
            state.bool(*has_view);
            if *has_view {
                state.raw(bytemuck::bytes_of(view).get(..VIEW_HEAD_BYTES).unwrap_or(&[]));
                for level in view.bids().iter().chain(view.asks()) {
                    state.pod(level);
                }
            }
        });
    }

    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let same = state.u64()? == self.watched.len() as u64;
        state.demand(same, "other instruments")?;
        for watched in &mut self.watched {
            let same = state.u32()? == watched.instrument.get() && state.u8()? == watched.subscribers;
            state.demand(same, "another instrument, or other strategies that look at it")?;
            watched.has_view = state.bool()?;
            if watched.has_view {
                let head = state.bytes(VIEW_HEAD_BYTES)?;
                let view = &mut watched.view;
                for (to, from) in bytemuck::bytes_of_mut(view).iter_mut().zip(head) {
                    *to = *from;
                }
                let (bids, asks) = (view.bid_count as usize, view.ask_count as usize);
                let sound = view.instrument == watched.instrument
                    && bids <= VIEW_LEVELS_MAX
                    && asks <= VIEW_LEVELS_MAX;
                state.demand(sound, "a view that is none")?;
                let levels = view.bids.iter_mut().take(bids).chain(view.asks.iter_mut().take(asks));
                for level in levels {
                    *level = state.pod::<Level>()?;
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn watched(&self, instrument: InstrumentId) -> Option<&Watched> {
        let place = *self.places.get(instrument.index())?;
        self.watched.get(usize::from(place).wrapping_sub(1))
    }
}
