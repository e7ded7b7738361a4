//! Measurements, each beside its control.
