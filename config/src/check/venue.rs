//! `[venue]`: where orders go, and whether they can.

use super::Checker;
use crate::settings::{FeedKind, VenueKind};
use spinward_gateways::ouch::LIMIT_MAX;
use spinward_gateways::simulation;

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
        if venue.kind == VenueKind::Ouch {
            self.ouch();
        }
    }

    /// What a session over sockets cannot have; looked at when it starts, as options of the command line may have mended it.
    pub(super) fn sockets(&mut self) {
        let settings = self.settings;
        match settings.venue.kind {
            VenueKind::Paper => return,
            VenueKind::Exchange => self.own_exchange(),
            VenueKind::Ouch => {}
        }
        if settings.simulation.pace.0 != simulation::Pace::Realtime {
            let what = "sockets live by the clock on the wall, they have no pace";
            self.refuse("simulation.pace", what, "use \"realtime\", or the venue paper (--paper)");
        }
    }

    fn ouch(&mut self) {
        let settings = self.settings;
        if settings.venue.address.is_none() {
            let mend = "write address = \"ADDRESS:PORT\", or give --venue ouch:ADDRESS:PORT";
            self.refuse("venue.address", "where the venue takes orders is missing", mend);
        }
        if settings.feed.kind != FeedKind::Mold {
            let what = format!("orders cannot go to a venue on the market of {}", settings.feed.kind.name());
            self.refuse("venue.kind", what, "use the feed mold with it, or the venue paper");
        }
    }

    /// A session with an exchange of its own.
    fn own_exchange(&mut self) {
        let settings = self.settings;
        if settings.feed.kind != FeedKind::Synthetic {
            let what =
                format!("an exchange of its own is no venue for the market of {}", settings.feed.kind.name());
            self.refuse("venue.kind", what, "use the feed synthetic with it, or the venue paper");
        }
        if settings.session.resume.is_some() {
            let what = "an exchange of the session's own knows nothing of an earlier session's orders";
            self.refuse("session.resume", what, "use the venue of that session (paper, or ouch)");
        }
        if settings.exchange.accounts.is_empty() {
            let what = "there is no account for the session";
            self.refuse(
                "exchange.account",
                what,
                "give an [[exchange.account]]: the session logs in as the first",
            );
        }
        for (index, instrument) in settings.instruments.iter().enumerate() {
            if !settings.exchange.symbols.iter().any(|symbol| symbol.name == instrument.symbol) {
                let what = format!("the exchange has no {:?}", instrument.symbol);
                self.refuse(
                    &format!("instrument[{index}].symbol"),
                    what,
                    "list it as an [[exchange.symbol]], too",
                );
            }
        }
    }
}
