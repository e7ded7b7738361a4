//! `[venue]`: where orders go.

use crate::field::{choices, duration};
use crate::settings::Endpoint;
use crate::visit::{Section, Visitor};
use spinward_engine::words::Nanos;
use spinward_gateways::ouch::{BreakerConfig, LimitRule, LimiterConfig};
use std::path::PathBuf;
use std::time::Duration;

/// What trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VenueKind {
    /// The paper venue, in this process and in simulated time.
    #[default]
    Paper,
    /// A venue that speaks OUCH 5.0 over SoupBinTCP.
    Ouch,
    /// An exchange of the session's own (`[exchange]`), over sockets on loopback: it is the market, too.
    Exchange,
}

choices!(VenueKind: "paper" => VenueKind::Paper, "ouch" => VenueKind::Ouch, "exchange" => VenueKind::Exchange);

/// How the venue counts messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LimitKind {
    /// So many in any span.
    #[default]
    Window,
    /// Tokens that come evenly over the span, at most so many at once.
    Bucket,
}

choices!(LimitKind: "window" => LimitKind::Window, "bucket" => LimitKind::Bucket);

/// `[venue]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VenueSettings {
    /// Which.
    pub kind: VenueKind,
    /// `ouch`: where it takes orders.
    pub address: Option<Endpoint>,
    /// Name of the login, at most 6 letters; also for snapshots of the feed.
    pub user: String,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// The environment variable that is the password.
    pub password_env: Option<String>,
    /// The SoupBinTCP session, at most 10 letters; empty: whichever runs.
    pub session: String,
    /// Most orders at the venue or under way, 1–1,000,000.
    pub orders_max: usize,
    /// A message without an answer by then is asked about.
    pub answer_within: Duration,
    /// Cancelling everything at the end may take so long.
    pub stop_within: Duration,
    /// How the venue counts messages.
    pub limit: LimitKind,
    /// Messages, 1–1,000,000.
    pub limit_messages: u32,
    /// … in this span.
    pub limit_span: Duration,
    /// Of them, kept for cancels.
    pub limit_reserve: u32,
    /// Failures that open the breaker, 1–1,000.
    pub breaker_failures: u32,
    /// … within this span.
    pub breaker_within: Duration,
    /// How long it stays open the first time.
    pub breaker_open: Duration,
    /// … and at most.
    pub breaker_open_max: Duration,
}

impl Default for VenueSettings {
    fn default() -> Self {
        let breaker = BreakerConfig::default();
        let limiter = LimiterConfig::default();
        let (limit, limit_messages, limit_span) = match limiter.rule {
            LimitRule::Window { messages, span } => (LimitKind::Window, messages, span),
            LimitRule::Bucket { burst, .. } => (LimitKind::Bucket, burst, Nanos::from_secs(1)),
        };
        Self {
            kind: VenueKind::Paper,
            address: None,
            user: "trader".to_owned(),
            password_file: None,
            password_env: None,
            session: String::new(),
            orders_max: 4_096,
            answer_within: Duration::from_secs(1),
            stop_within: Duration::from_secs(5),
            limit,
            limit_messages,
            limit_span: duration(limit_span),
            limit_reserve: limiter.reserve,
            breaker_failures: breaker.failures_max,
            breaker_within: duration(breaker.failures_within),
            breaker_open: duration(breaker.open_for),
            breaker_open_max: duration(breaker.open_max),
        }
    }
}

impl Section for VenueSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("kind", &mut self.kind);
        visitor.optional("address", &mut self.address);
        visitor.key("user", &mut self.user);
        visitor.optional("password_file", &mut self.password_file);
        visitor.optional("password_env", &mut self.password_env);
        visitor.key("session", &mut self.session);
        visitor.key("orders_max", &mut self.orders_max);
        visitor.key("answer_within", &mut self.answer_within);
        visitor.key("stop_within", &mut self.stop_within);
        visitor.key("limit", &mut self.limit);
        visitor.key("limit_messages", &mut self.limit_messages);
        visitor.key("limit_span", &mut self.limit_span);
        visitor.key("limit_reserve", &mut self.limit_reserve);
        visitor.key("breaker_failures", &mut self.breaker_failures);
        visitor.key("breaker_within", &mut self.breaker_within);
        visitor.key("breaker_open", &mut self.breaker_open);
        visitor.key("breaker_open_max", &mut self.breaker_open_max);
    }
}
