//! [`Pacer`]: simulated time on the clock on the wall.

use super::config::Pace;
use spinward_engine::words::{Clock, Nanos, Ticks};

/// Ticks over which the clock's rate is read.
const SPAN: u32 = 40;

/// When a message is due, in ticks of the stamp clock.
#[derive(Debug)]
pub(super) struct Pacer {
    /// Simulated per real time; `None` is unpaced.
    speed: Option<(u64, u64)>,
    /// Nanoseconds in `2^SPAN` ticks.
    nanos_per_span: u64,
    /// Simulated start and its tick.
    anchor: Option<(Nanos, Ticks)>,
}

impl Pacer {
    pub(super) fn new(pace: Pace, clock: &Clock) -> Self {
        Self::with_rate(pace, clock.nanos_between(0, 1 << SPAN))
    }

    fn with_rate(pace: Pace, nanos_per_span: u64) -> Self {
        let speed = match pace {
            Pace::Realtime => Some((1, 1)),
            Pace::Times { numerator, denominator } => {
                Some((u64::from(numerator.max(1)), u64::from(denominator.max(1))))
            }
            Pace::Max => None,
        };
        Self { speed, nanos_per_span: nanos_per_span.max(1), anchor: None }
    }

    pub(super) fn is_paced(&self) -> bool {
        self.speed.is_some()
    }

    /// The tick at which a message of this time is due; the first one asked for is due `now`. 0 if unpaced.
    pub(super) fn due(&mut self, time: Nanos, now: impl FnOnce() -> Ticks) -> Ticks {
        let Some((numerator, denominator)) = self.speed else { return 0 };
        let (start, tick) = match self.anchor {
            Some(anchor) => anchor,
            None => *self.anchor.insert((time, now())),
        };
        let simulated = u128::try_from(time.since(start).get()).unwrap_or(0);
        // < 2^63 · 2^32, then held below 2^63 so that the shift stays below 2^103
        let real = (simulated * u128::from(denominator) / u128::from(numerator)).min(1 << 63);
        let ticks = (real << SPAN) / u128::from(self.nanos_per_span);
        tick.saturating_add(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_due_after_its_simulated_time_at_its_speed() {
        // 2^40 ticks in 2^39 ns: two ticks a nanosecond.
        let pace = |pace| Pacer::with_rate(pace, 1 << 39);
        let start = Nanos::from_secs(1_700_000_000);
        let second_later = start.after(Nanos::from_secs(1));
        let mut realtime = pace(Pace::Realtime);
        assert_eq!(realtime.due(start, || 500), 500);
        assert_eq!(realtime.due(second_later, || 99), 500 + 2_000_000_000);
        let mut faster = pace(Pace::Times { numerator: 5, denominator: 2 });
        assert_eq!(faster.due(start, || 500), 500);
        assert_eq!(faster.due(second_later, || 99), 500 + 800_000_000);
        assert_eq!(
            faster.due(start.after(Nanos::from_secs(86_400 * 365)), || 99),
            500 + 31_536_000 * 800_000_000
        );
        assert_eq!(pace(Pace::Max).due(start, || 500), 0);
    }
}
