//! `[venue]`: where orders go, and whether they can.

use super::Checker;
use crate::settings::{FeedKind, VenueKind};
use spinward_gateways::ouch::LIMIT_MAX;

impl Checker<'_> {
    pub(super) fn venue(&mut self) {
        let settings = self.settings;
        let venue = &settings.venue;
        self.in_range("venue.orders_max", venue.orders_max as u64, 1..=1_000_000);
        self.in_range("venue.limit_messages", u64::from(venue.limit_messages), 1..=u64::from(LIMIT_MAX));
        self.in_range("venue.breaker_failures", u64::from(venue.breaker_failures), 1..=1_000);
        for (key, span) in [
            ("venue.answer_within", venue.answer_within),
            ("venue.stop_within", venue.stop_within),
            ("venue.limit_span", venue.limit_span),
            ("venue.breaker_within", venue.breaker_within),
            ("venue.breaker_open", venue.breaker_open),
            ("venue.breaker_open_max", venue.breaker_open_max),
        ] {
            self.positive(key, span);
        }
        if venue.limit_messages > 0 && venue.limit_reserve >= venue.limit_messages {
            let what =
                format!("{} of {} messages are kept for cancels", venue.limit_reserve, venue.limit_messages);
            self.refuse(
                "venue.limit_reserve",
                what,
                "keep fewer than limit_messages, or no order could leave",
            );
        }
        if venue.breaker_open_max < venue.breaker_open {
            self.refuse(
                "venue.breaker_open_max",
                "it is shorter than breaker_open",
                "give at least breaker_open",
            );
        }
        for (key, text, most) in [("venue.user", &venue.user, 6), ("venue.session", &venue.session, 10)] {
            if text.len() > most || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                let what = format!("{text:?} is not of SoupBinTCP");
                self.refuse(key, what, format!("give at most {most} letters and digits"));
            }
        }
        let has_password = venue.password_file.is_some() || venue.password_env.is_some();
        if venue.password_file.is_some() && venue.password_env.is_some() {
            self.refuse(
                "venue.password_env",
                "the password has two places",
                "keep password_file or password_env",
            );
        }
        let has_snapshots = settings.feed.kind == FeedKind::Mold && settings.feed.snapshot.is_some();
        let needs_login = venue.kind == VenueKind::Ouch || has_snapshots;
        if needs_login && (venue.user.is_empty() || !has_password) {
            self.refuse("venue.user", "the login is missing", "give user, and password_file or password_env");
        }
        if venue.kind != VenueKind::Ouch {
            return;
        }
        if venue.address.is_none() {
            let mend = "write address = \"ADDRESS:PORT\", or give --venue ouch:ADDRESS:PORT";
            self.refuse("venue.address", "where the venue takes orders is missing", mend);
        }
        if settings.feed.kind != FeedKind::Mold {
            let what = format!("orders cannot go to a venue on the market of {}", settings.feed.kind.name());
            self.refuse("venue.kind", what, "use the feed mold with it, or the venue paper");
        }
    }
}
