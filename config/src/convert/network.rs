//! Feeds and venues on the network.

use crate::field::nanos;
use crate::settings::{Endpoint, FeedKind, LimitKind, ReceiveBy, Settings};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use spinward_engine::pipeline::SideCore;
use spinward_engine::words::Nanos;
use spinward_gateways::live::{LineOptions, MoldFeedConfig};
use spinward_gateways::ouch::{BreakerConfig, LIMIT_MAX, LimitRule, LimiterConfig, OuchConfig};
use spinward_gateways::soup::{Alpha, ClientConfig};

impl Settings {
    /// Order entry at a venue that speaks OUCH.
    pub fn ouch(&self, password: Alpha<10>) -> OuchConfig {
        let venue = &self.venue;
        let span = nanos(venue.limit_span);
        let messages = venue.limit_messages;
        let rule = match venue.limit {
            LimitKind::Window => LimitRule::Window { messages, span },
            LimitKind::Bucket => {
                // Tokens a second: u32·1e9 < 2^62.
                let per_second = i64::from(messages) * 1_000_000_000 / span.get().max(1);
                let per_second = u32::try_from(per_second).unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
                LimitRule::Bucket { per_second, burst: messages }
            }
        };
        let client = ClientConfig {
            session: Alpha::new(&venue.session).unwrap_or_default(),
            ..ClientConfig::new(Alpha::new(&venue.user).unwrap_or_default(), password)
        };
        OuchConfig {
            orders_max: venue.orders_max,
            answer_within: nanos(venue.answer_within),
            stop_within: nanos(venue.stop_within),
            limiter: LimiterConfig { rule, reserve: venue.limit_reserve },
            breaker: BreakerConfig {
                failures_max: venue.breaker_failures,
                failures_within: nanos(venue.breaker_within),
                open_for: nanos(venue.breaker_open),
                open_max: nanos(venue.breaker_open_max),
            },
            ..OuchConfig::new(client, self.itch50().midnight.unwrap_or(Nanos::ZERO))
        }
    }

    /// Market data from the network; the login for snapshots is that of the venue.
    pub fn mold(&self, password: Alpha<10>) -> MoldFeedConfig {
        let line = |index: usize| self.feed.lines.get(index).map(|line| line.0);
        let receive = &self.feed.receive;
        let login = || ClientConfig::new(Alpha::new(&self.venue.user).unwrap_or_default(), password);
        MoldFeedConfig {
            lines: [line(0), line(1)],
            retransmission: self.feed.retransmission.map(|server| server.0.into()),
            snapshot: self.feed.snapshot.map(|server| (server.0.into(), login())),
            line: LineOptions {
                receive_buffer_bytes: usize::try_from(receive.buffer_bytes.0).unwrap_or(usize::MAX),
                // At most 10 ms, as was checked.
                busy_poll_us: u32::try_from(receive.busy_poll.as_micros()).unwrap_or(u32::MAX),
                has_kernel_stamps: receive.kernel_stamps,
            },
            thread: (receive.by == ReceiveBy::Thread).then_some(SideCore {
                name: "sw-feed",
                core: receive.core,
                idle: receive.idle,
                gap_threshold: nanos(self.latency.gap_threshold),
            }),
            ..MoldFeedConfig::new(Endpoint::default().0, None)
        }
    }

    /// A feed from the network brings no date: it is today's, in New York, and stands in the session's configuration.
    pub fn date_today(&mut self) {
        if self.feed.kind == FeedKind::Mold && self.feed.date.is_none() {
            let zone = TimeZone::get("America/New_York").unwrap_or(TimeZone::UTC);
            self.feed.date = Some(Timestamp::now().to_zoned(zone).date());
        }
    }
}
