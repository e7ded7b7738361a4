//! `[exchange]` as the exchange takes it.

use crate::field::nanos;
use crate::settings::{ExchangeSettings, ListingSettings, PortAddress, Settings};
use spinward_engine::words::{Price, Symbol};
use spinward_gateways::exchange::server::{
    AccountConfig, CoreConfig, ExchangeConfig, FlowConfig, LineConfig, Listing,
};
use spinward_gateways::exchange::{Price4, SymbolRules, TickTable};
use spinward_gateways::itch50::Mpid;
use spinward_gateways::soup::{Alpha, ServerConfig};

/// Exact after the checks.
fn price(price: Price) -> Price4 {
    Price4::new(u32::try_from(price.nanos() / 100_000).unwrap_or(0))
}

fn listing(settings: &ListingSettings) -> Option<Listing> {
    let rules = SymbolRules {
        ticks: settings
            .tick
            .and_then(|tick| TickTable::uniform(price(tick).units()))
            .unwrap_or(TickTable::REG_NMS),
        lot: settings.lot,
        reference: price(settings.price),
        lower: settings.lower.map_or(Price4::NONE, price),
        upper: settings.upper.map_or(Price4::MAX, price),
    };
    Symbol::new(&settings.name).map(|name| Listing { name, rules })
}

impl Settings {
    /// The exchange of `spinward exchange`. What the checks refuse is left out here.
    pub fn exchange(&self) -> ExchangeConfig {
        let settings = &self.exchange;
        let account = |account: &crate::settings::AccountSettings| {
            Some(AccountConfig {
                firm: Mpid::new(&account.firm)?,
                self_trade: account.self_trade,
                cancel_on_disconnect: account.cancel_on_disconnect,
                ..AccountConfig::new(&account.user, &account.password)?
            })
        };
        let ExchangeSettings { rate, burst, book_orders: orders, spread, zipf_quarters, seed, .. } =
            *settings;
        let line = |line: &[PortAddress]| LineConfig {
            destinations: line.iter().map(|to| to.0).collect(),
            interface: settings.interface.map(|interface| interface.0),
            ttl: Some(settings.ttl),
        };
        ExchangeConfig {
            core: CoreConfig {
                session: Alpha::new(&settings.session).unwrap_or_default(),
                midnight: None,
                symbols: settings.symbols.iter().filter_map(listing).collect(),
                accounts: settings.accounts.iter().filter_map(account).collect(),
                participants: (rate > 0).then_some(FlowConfig {
                    seed,
                    rate,
                    burst,
                    orders,
                    spread,
                    zipf_quarters,
                }),
                orders_max: settings.orders_max,
                history_messages: settings.history_messages,
                account_messages: settings.account_messages,
                account_bytes: usize::try_from(settings.account_bytes.0).unwrap_or(usize::MAX),
            },
            line_a: line(&settings.line_a),
            line_b: line(&settings.line_b),
            retransmission: settings.retransmission.0,
            snapshot: settings.snapshot.0,
            replay: settings.replay.0,
            orders: settings.orders.0,
            control: settings.control.0.clone(),
            packet_bytes: settings.packet_bytes,
            heartbeat_after: nanos(settings.heartbeat),
            ending: nanos(settings.ending),
            stalled_max: nanos(settings.stalled_max),
            soup: ServerConfig::default(),
            waiting: settings.wait,
            seed,
            faults: settings.faults.clone(),
            wire_samples_max: settings.wire_samples_max,
        }
    }
}
