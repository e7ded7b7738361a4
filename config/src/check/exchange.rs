//! The exchange.

use super::Checker;
use crate::field::duration_text;
use crate::settings::ListingSettings;
use spinward_engine::words::{Price, Symbol};
use spinward_gateways::exchange::server::{DESTINATIONS_MAX, check_fault};
use spinward_gateways::itch50::Mpid;
use spinward_gateways::soup::Alpha;
use std::time::Duration;

/// The highest price of OUCH, and the steps of its prices.
const PRICE_MAX: i64 = 199_999_990_000_000;
const PRICE_STEP: i64 = 100_000;

impl Checker<'_> {
    pub(super) fn exchange(&mut self) {
        let exchange = &self.settings.exchange;
        if Alpha::<10>::new(&exchange.session).is_none_or(|session| session.is_blank()) {
            let what = format!("{:?} is not the name of a session", exchange.session);
            self.refuse("exchange.session", what, "give 1 to 10 printable ASCII characters");
        }
        if i64::try_from(exchange.seed).is_err() {
            self.refuse("exchange.seed", "the seed is out of range", format!("give 0 to {}", i64::MAX));
        }
        self.in_range("exchange.rate", exchange.rate.into(), 0..=50_000_000);
        self.in_range("exchange.burst", exchange.burst.into(), 1..=10_000);
        self.in_range("exchange.book_orders", exchange.book_orders.into(), 12..=100_000);
        self.in_range("exchange.spread", exchange.spread.into(), 0..=1_000);
        self.in_range("exchange.zipf_quarters", exchange.zipf_quarters.into(), 0..=16);
        self.in_range("exchange.ttl", exchange.ttl.into(), 1..=255);
        for (key, line) in [("exchange.line_a", &exchange.line_a), ("exchange.line_b", &exchange.line_b)] {
            if line.len() > DESTINATIONS_MAX {
                let what = format!("{} destinations", line.len());
                self.refuse(key, what, format!("give at most {DESTINATIONS_MAX}"));
            }
            for to in line.iter().filter(|to| to.0.port() == 0) {
                let what = format!("nothing can be sent to port 0 of {}", to.0.ip());
                self.refuse(key, what, "give the port at which the receiver listens");
            }
        }
        self.in_range("exchange.packet_bytes", exchange.packet_bytes as u64, 72..=65_507);
        let most = Duration::from_secs(3_600);
        for (key, span) in [
            ("exchange.heartbeat", exchange.heartbeat),
            ("exchange.ending", exchange.ending),
            ("exchange.stalled_max", exchange.stalled_max),
        ] {
            if span < Duration::from_millis(1) || span > most {
                self.refuse(key, format!("{} is out of range", duration_text(span)), "give 1ms to 1h");
            }
        }
        self.in_range("exchange.orders_max", exchange.orders_max as u64, 1..=1 << 24);
        self.in_range("exchange.history_messages", exchange.history_messages as u64, 1 << 16..=1 << 28);
        self.in_range("exchange.account_messages", exchange.account_messages as u64, 4_096..=1 << 28);
        self.in_range("exchange.account_bytes", exchange.account_bytes.0, 1 << 18..=1 << 34);
        self.in_range("exchange.wire_samples_max", exchange.wire_samples_max as u64, 0..=1 << 28);
        for line in &exchange.faults {
            if let Err(error) = check_fault(line) {
                let mend = "write a line of the control language (docs/exchange.md), like \"drop a 1%\" or \"at 5s restart\"";
                self.refuse("exchange.faults", format!("{line:?}: {error}"), mend);
            }
        }
        self.listings();
        self.accounts();
    }

    fn listings(&mut self) {
        let listings = &self.settings.exchange.symbols;
        if listings.is_empty() || listings.len() > 65_535 {
            let what = format!("{} symbols", listings.len());
            self.refuse("exchange.symbol", what, "write 1 to 65,535 of [[exchange.symbol]]");
        }
        for (index, listing) in listings.iter().enumerate() {
            let key = |name: &str| format!("exchange.symbol[{index}].{name}");
            let is_name = Symbol::new(&listing.name).is_some() && listing.name.len() <= 8;
            if !is_name {
                let what = format!("{:?} is not a symbol", listing.name);
                self.refuse(&key("name"), what, "give 1 to 8 printable ASCII characters without spaces");
            }
            if listings.iter().take(index).any(|other| other.name == listing.name) {
                let what = format!("{:?} stands twice", listing.name);
                self.refuse(&key("name"), what, "give each symbol a name of its own");
            }
            self.in_range(&key("lot"), listing.lot.into(), 1..=1_000_000);
            self.prices(index, listing);
        }
    }

    fn prices(&mut self, index: usize, listing: &ListingSettings) {
        let key = |name: &str| format!("exchange.symbol[{index}].{name}");
        let prices = [
            ("price", Some(listing.price)),
            ("tick", listing.tick),
            ("lower", listing.lower),
            ("upper", listing.upper),
        ];
        let is_price = |nanos: i64| (PRICE_STEP..=PRICE_MAX).contains(&nanos) && nanos % PRICE_STEP == 0;
        for (name, price) in prices {
            if price.is_some_and(|price| !is_price(price.nanos())) {
                let what = "it is not a price of OUCH";
                self.refuse(&key(name), what, "give 0.0001 to 199999.99 in steps of 0.0001");
            }
        }
        // Participants trade in cents.
        let cent = 10_000_000;
        let tick = listing.tick.map_or(cent, Price::nanos).max(1);
        let price = listing.price.nanos();
        if is_price(price) && (price % cent != 0 || price % tick != 0) {
            let mend = "give whole cents, and a multiple of its tick";
            self.refuse(&key("price"), "the first price is off the grid", mend);
        }
        if listing.lower.zip(listing.upper).is_some_and(|(lower, upper)| lower > upper) {
            self.refuse(&key("lower"), "it is above `upper`", "exchange the two");
        }
    }

    fn accounts(&mut self) {
        let accounts = &self.settings.exchange.accounts;
        if accounts.len() > 1_000 {
            let what = format!("{} accounts", accounts.len());
            self.refuse("exchange.account", what, "give at most 1000");
        }
        for (index, account) in accounts.iter().enumerate() {
            let key = |name: &str| format!("exchange.account[{index}].{name}");
            if Alpha::<6>::new(&account.user).is_none_or(|user| user.is_blank()) {
                let what = format!("{:?} is not a user", account.user);
                self.refuse(&key("user"), what, "give 1 to 6 printable ASCII characters");
            }
            if accounts.iter().take(index).any(|other| other.user == account.user) {
                let what = format!("{:?} stands twice", account.user);
                self.refuse(&key("user"), what, "give each account a user of its own");
            }
            if Alpha::<10>::new(&account.password).is_none_or(|password| password.is_blank()) {
                let mend = "give 1 to 10 printable ASCII characters";
                self.refuse(&key("password"), "it is not a password", mend);
            }
            if Mpid::new(&account.firm).is_none()
                || account.firm.trim().is_empty()
                || !account.firm.is_ascii()
            {
                let what = format!("{:?} is not a firm", account.firm);
                self.refuse(&key("firm"), what, "give 1 to 4 letters");
            }
        }
    }
}
