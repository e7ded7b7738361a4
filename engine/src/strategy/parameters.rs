//! What is wrong with a strategy's parameters, said so that it can be mended.

/// A parameter outside of its range.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{strategy}: `{key}` = {value}: {rule}")]
pub struct ParameterError {
    /// Which strategy.
    pub strategy: &'static str,
    /// Which key of its parameters.
    pub key: &'static str,
    /// Its value.
    pub value: i64,
    /// What it must be.
    pub rule: String,
}

/// Checks `value` against an inclusive range.
pub(super) fn in_range(
    strategy: &'static str,
    key: &'static str,
    value: i64,
    range: std::ops::RangeInclusive<i64>,
) -> Result<(), ParameterError> {
    if range.contains(&value) {
        return Ok(());
    }
    let rule = format!("must be from {} to {}", range.start(), range.end());
    Err(ParameterError { strategy, key, value, rule })
}
