//! [`BookConfig`]: how large the books may grow, decided at start.

use crate::words::{Nanos, VIEW_LEVELS_MAX};

/// Most instruments of one book stage: 2^20 (an order keeps its instrument in 20 bits).
pub const BOOK_INSTRUMENTS_LIMIT: usize = 1 << 20;

/// Most live orders of one book stage: 2^26 (3.5 GiB).
pub const BOOK_ORDERS_LIMIT: usize = 1 << 26;

/// Most price levels of one book stage: 2^26.
pub const BOOK_LEVELS_LIMIT: usize = 1 << 26;

/// Most samples of one volatility window.
pub const VOLATILITY_SAMPLES_LIMIT: i64 = 3_600;

/// Largest quantity of one order in lots: 2^43 − 1 (an order keeps its quantity in 43 bits). A larger one is refused and counted.
pub const ORDER_QTY_MAX: i64 = (1 << 43) - 1;

/// Largest quantity of one level in lots: 2^58, so that sums over a view's ten levels stay inside 64 bits. What would lead beyond is refused,
/// counted, and quarantines the book as a full pool does.
pub const LEVEL_QTY_MAX: i64 = 1 << 58;

/// Sizes of the book stage. All memory is taken at construction: 56 to 72 bytes an order, about 93 bytes a level, and an instrument
/// 128 bytes + 1 KiB of levels + 8 bytes a volatility sample.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BookConfig {
    /// Levels a side in a view, 1–10. Default 5.
    pub view_levels: usize,
    /// Instruments, 1–2^20: the capacity of the session's `InstrumentTable`. Default 16,384.
    pub instruments_max: usize,
    /// Live L3 orders over all instruments, 1–2^26. Default 2^20.
    pub orders_max: usize,
    /// Price levels over all instruments and both sides, L2 and L3, 1–2^26. Default 2^19.
    pub levels_max: usize,
    /// Span over which realized volatility looks back, in receive time; a whole multiple of the sample, at most 3,600 of them. Default 60 s.
    pub volatility_window: Nanos,
    /// Span between two samples of the mid, in receive time; greater than zero. Default 1 s.
    pub volatility_sample: Nanos,
}

impl Default for BookConfig {
    fn default() -> Self {
        Self {
            view_levels: 5,
            instruments_max: 16_384,
            orders_max: 1 << 20,
            levels_max: 1 << 19,
            volatility_window: Nanos::from_secs(60),
            volatility_sample: Nanos::from_secs(1),
        }
    }
}

/// Why a [`BookConfig`] is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BookConfigError {
    /// `view_levels` outside of its range.
    #[error("book view_levels is {0}; give 1 to {VIEW_LEVELS_MAX}")]
    ViewLevels(usize),
    /// `instruments_max` outside of its range.
    #[error("book instruments_max is {0}; give 1 to {BOOK_INSTRUMENTS_LIMIT}")]
    InstrumentsMax(usize),
    /// `orders_max` outside of its range.
    #[error("book orders_max is {0}; give 1 to {BOOK_ORDERS_LIMIT}")]
    OrdersMax(usize),
    /// `levels_max` outside of its range.
    #[error("book levels_max is {0}; give 1 to {BOOK_LEVELS_LIMIT}")]
    LevelsMax(usize),
    /// Window and sample do not go together.
    #[error(
        "book volatility_window is {window} ns with a volatility_sample of {sample} ns; give a sample greater than zero and a window that \
         is 1 to {VOLATILITY_SAMPLES_LIMIT} whole samples"
    )]
    Volatility {
        /// The window, ns.
        window: i64,
        /// The sample, ns.
        sample: i64,
    },
}

impl BookConfig {
    /// Samples in one volatility window.
    pub(super) fn volatility_samples(&self) -> usize {
        // `validate` holds it to 1–3,600.
        usize::try_from(self.volatility_window.get() / self.volatility_sample.get().max(1)).unwrap_or(1)
    }

    /// Whether every value lies in its range.
    ///
    /// # Errors
    /// The first value that does not.
    pub fn validate(&self) -> Result<(), BookConfigError> {
        if !(1..=VIEW_LEVELS_MAX).contains(&self.view_levels) {
            return Err(BookConfigError::ViewLevels(self.view_levels));
        }
        if !(1..=BOOK_INSTRUMENTS_LIMIT).contains(&self.instruments_max) {
            return Err(BookConfigError::InstrumentsMax(self.instruments_max));
        }
        if !(1..=BOOK_ORDERS_LIMIT).contains(&self.orders_max) {
            return Err(BookConfigError::OrdersMax(self.orders_max));
        }
        if !(1..=BOOK_LEVELS_LIMIT).contains(&self.levels_max) {
            return Err(BookConfigError::LevelsMax(self.levels_max));
        }
        let (window, sample) = (self.volatility_window.get(), self.volatility_sample.get());
        let whole =
            sample > 0 && window > 0 && window % sample == 0 && window / sample <= VOLATILITY_SAMPLES_LIMIT;
        if whole { Ok(()) } else { Err(BookConfigError::Volatility { window, sample }) }
    }
}
