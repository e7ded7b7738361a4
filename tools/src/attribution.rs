//! Where the time of an order went: its steps, what caused it, what the audit says of it, and what happened around it.

pub(crate) mod steps;
pub(crate) mod around;
pub(crate) mod tail;
pub(crate) mod causes;
pub(crate) mod history;

use spinward_engine::words::{OrderId, StrategyId};
use spinward_recorder::rfc3339;

/// An order's number as people write it: `1:25` is the 25th order of strategy 1.
pub(crate) fn order_text(order: OrderId) -> String {
    format!("{}:{}", order.strategy(), order.number())
}

/// Reads `281474976710681`, `1:25` or `imbalance-taker:25`.
pub(crate) fn parse_order(text: &str, strategies: &[String]) -> Option<OrderId> {
    let Some((strategy, number)) = text.rsplit_once(':') else {
        return text.parse().ok().map(OrderId::new);
    };
    let named = strategies.iter().position(|name| name == strategy).and_then(|at| u16::try_from(at).ok());
    let strategy = named.or_else(|| strategy.parse().ok())?;
    let number = number.parse().ok().filter(|number| *number < 1 << 48)?;
    Some(OrderId::compose(StrategyId::new(strategy), number))
}

/// Nanoseconds since the epoch as the time of day in UTC: `14:03:07.123456789`.
pub(crate) fn time_of_day(nanos: i64) -> String {
    let text = rfc3339(spinward_engine::words::Nanos::new(nanos));
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time).trim_end_matches('Z').to_owned();
    let (seconds, fraction) = time.split_once('.').unwrap_or((&time, ""));
    format!("{seconds}.{fraction:0<9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_can_be_named_by_its_id_and_by_strategy_and_number() {
        let strategies = ["maker".to_owned(), "taker".to_owned()];
        let order = OrderId::compose(StrategyId::new(1), 25);
        for text in ["281474976710681", "1:25", "taker:25"] {
            assert_eq!(parse_order(text, &strategies), Some(order), "{text}");
        }
        for text in ["", "taker", "other:25", "1:", "1:x", "70000:1", "1:281474976710656", "-1"] {
            assert_eq!(parse_order(text, &strategies), None, "{text}");
        }
        assert_eq!(order_text(order), "1:25");
    }

    #[test]
    fn a_time_of_day_has_nine_decimals() {
        assert_eq!(time_of_day(0), "00:00:00.000000000");
        assert_eq!(time_of_day(1_700_000_000_120_000_000), "22:13:20.120000000");
    }
}
