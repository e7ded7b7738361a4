//! Histograms as the laboratory takes them.

use crate::error::LabError;
use hdrhistogram::Histogram;
use spinward_recorder::{LATENCY_DIGITS, LATENCY_NS_MAX, LATENCY_NS_MIN};

/// An empty one, with the bounds of the interval logs: 1 ns to 60 s, three digits.
///
/// # Errors
/// Never with these bounds; the crate's constructor says otherwise.
pub fn histogram() -> Result<Histogram<u64>, LabError> {
    Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, LATENCY_DIGITS).map_err(LabError::failed)
}
