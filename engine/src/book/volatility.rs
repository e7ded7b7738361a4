//! Realized volatility of the mid over a sliding window, from memory of a fixed size.
//!
//! Receive time is cut by the grid `k·S` (`S` the sample). `M_k` is the mid of the instrument's last view with a trusted quote whose receive time lies
//! before `k·S`; a view that comes late (its receive time before that of an earlier view) counts as of the latest cell seen. With
//! `n = ⌊receive_time / S⌋` and `W = window / S`, a view shows
//!
//! ```text
//! σ = √( Σ r_k² ),  k = n − W + 1 … n ascending,  r_k = (M_k − M_{k−1}) / M_{k−1},  terms without both mids left out
//! ```
//!
//! dimensionless, in IEEE 754 double precision: one subtraction in integers, one division, one square, the sum from the oldest to the newest
//! term, one square root; so it agrees bit by bit on every host. A trusted quote has both sides, uncrossed, is not quarantined, and its mid is not 0.
//!
//! Between two views of an instrument at most the first grid line can have a return that is not zero, so a view costs one comparison, and the first
//! one behind a grid line W additions. Each instrument has W doubles; the sum is taken
//! anew each time, so nothing drifts.

use super::config::BookConfig;
use crate::memory::Table;
use crate::state::{StateError, StateReader, StateWriter};
use crate::words::{Nanos, Price};

/// What an instrument keeps: the mid in force, the one at the last grid line, and what came of them.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct MidSamples {
    /// Of the last view with a trusted quote; 0 before the first.
    in_force: Price,
    /// `M_n`; 0 before the first.
    sampled: Price,
    /// The next grid line, `(n + 1)·S`; the start of time before the first view.
    pub(super) next: i64,
    /// σ.
    pub(super) volatility: f64,
}

impl MidSamples {
    pub(super) const NONE: MidSamples =
        MidSamples { in_force: Price::ZERO, sampled: Price::ZERO, next: i64::MIN, volatility: 0.0 };

    /// Takes the mid of a trusted quote.
    #[inline]
    pub(super) fn set(&mut self, mid: Price) {
        if mid != Price::ZERO {
            self.in_force = mid;
        }
    }
}

/// The squared returns of every instrument.
pub(super) struct VolatilityWindow {
    /// W for each instrument; `r_k²` at `k mod W`.
    squares: Table<f64>,
    samples: usize,
    sample: i64,
}

impl VolatilityWindow {
    pub(super) fn new(config: &BookConfig) -> Self {
        let samples = config.volatility_samples();
        Self {
            squares: Table::new(samples * config.instruments_max, 0.0),
            samples,
            sample: config.volatility_sample.get(),
        }
    }

    /// Writes down what is kept of an instrument.
    pub(super) fn save(&self, instrument: usize, mids: &MidSamples, state: &mut StateWriter) {
        let MidSamples { in_force, sampled, next, volatility } = mids;
        let Self { squares, samples, sample: _ } = self;
        state.i64(in_force.nanos());
        state.i64(sampled.nanos());
        state.i64(*next);
        state.u64(volatility.to_bits());
        let ring = squares.get(instrument * samples..(instrument + 1) * samples);
        state.sparse(ring.unwrap_or(&[]), 0.0);
    }

    /// Takes it over.
    pub(super) fn load(
        &mut self,
        instrument: usize,
        mids: &mut MidSamples,
        state: &mut StateReader<'_>,
    ) -> Result<(), StateError> {
        *mids = MidSamples {
            in_force: Price::from_nanos(state.i64()?),
            sampled: Price::from_nanos(state.i64()?),
            next: state.i64()?,
            volatility: f64::from_bits(state.u64()?),
        };
        let ring = self.squares.get_mut(instrument * self.samples..(instrument + 1) * self.samples);
        state.sparse(ring.unwrap_or_default())
    }

    /// Crosses the grid lines up to `now`. Called when `now` is at or behind `mids.next`.
    #[cold]
    pub(super) fn advance(&mut self, instrument: usize, mids: &mut MidSamples, now: Nanos) {
        // Half of time is 146 years: no grid line can overflow.
        let cell = now.get().clamp(0, i64::MAX / 2) / self.sample;
        let first = mids.next.max(0) / self.sample;
        let begun = mids.next != i64::MIN;
        mids.next = (cell + 1) * self.sample;
        let start = instrument * self.samples;
        let Some(ring) = self.squares.get_mut(start..start + self.samples) else { return };
        if !begun || cell < first {
            return;
        }
        let samples = self.samples as i64;
        for line in first.max(cell - samples + 1)..=cell {
            // in bounds by the remainder; `line` is not negative
            ring[(line % samples) as usize] = 0.0;
        }
        if mids.sampled != Price::ZERO && first > cell - samples {
            let change = mids.in_force.nanos().saturating_sub(mids.sampled.nanos());
            let change = change as f64 / mids.sampled.nanos() as f64;
            ring[(first % samples) as usize] = change * change;
        }
        mids.sampled = mids.in_force;
        // The oldest line of the window, n − W + 1, lies right behind the newest.
        let (newer, older) = ring.split_at((cell % samples) as usize + 1);
        let sum = older.iter().chain(newer).fold(0.0, |sum, square| sum + square);
        mids.volatility = sum.sqrt();
    }
}
