//! `[exchange]`: the exchange of `spinward exchange`.

use super::outputs::SocketPath;
use crate::field::{Bytes, Field, choices, duration};
use crate::problem::Wrong;
use crate::visit::{Section, Visitor};
use spinward_engine::words::Price;
use spinward_gateways::exchange::SelfTrade;
use spinward_gateways::exchange::server::{CoreConfig, ExchangeConfig, FlowConfig, Waiting};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use toml::Value;
use toml::de::DeValue;

/// An IPv4 address with its port; port 0: the system chooses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortAddress(pub SocketAddr);

impl PortAddress {
    const fn local(port: u16) -> Self {
        Self(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }
}

impl Field for PortAddress {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let text = String::parse(value)?;
        let address = text.parse().ok().filter(SocketAddr::is_ipv4);
        address.map(Self).ok_or_else(|| {
            Wrong::new(
                format!("{text:?} is not an IPv4 address with a port"),
                "write numbers and a port, like \"127.0.0.1:26400\"",
            )
        })
    }
    fn write(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interface(pub Ipv4Addr);

impl Default for Interface {
    fn default() -> Self {
        Self(Ipv4Addr::UNSPECIFIED)
    }
}

impl Field for Interface {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let text = String::parse(value)?;
        text.parse().map(Self).map_err(|_| {
            Wrong::new(
                format!("{text:?} is not the address of an interface"),
                "write its IPv4 address, like \"10.0.0.5\"",
            )
        })
    }
    fn write(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

choices!(Waiting: "sleep" => Waiting::Sleep, "spin" => Waiting::Spin);
choices!(SelfTrade:
    "allow" => SelfTrade::Allow,
    "cancel-newest" => SelfTrade::CancelNewest,
    "cancel-oldest" => SelfTrade::CancelOldest,
    "decrement" => SelfTrade::Decrement,
);

/// `[[exchange.symbol]]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListingSettings {
    /// Name, at most 8 letters.
    pub name: String,
    /// Where its price begins.
    pub price: Price,
    /// Orders are multiples of it, shares.
    pub lot: u32,
    /// One tick at all prices; absent: $0.0001 below a dollar, a cent from there on.
    pub tick: Option<Price>,
    /// No sell below; absent: no limit.
    pub lower: Option<Price>,
    /// No buy above; absent: no limit.
    pub upper: Option<Price>,
}

impl Default for ListingSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            price: Price::from_nanos(0),
            lot: 1,
            tick: None,
            lower: None,
            upper: None,
        }
    }
}

impl Section for ListingSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("name", "write the symbol, like \"AAAA\"", &mut self.name);
        visitor.required("price", "write the price that it begins with, like \"223\"", &mut self.price);
        visitor.key("lot", &mut self.lot);
        visitor.optional("tick", &mut self.tick);
        visitor.optional("lower", &mut self.lower);
        visitor.optional("upper", &mut self.upper);
    }
}

/// `[[exchange.account]]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountSettings {
    /// Name of the login, at most 6 letters.
    pub user: String,
    /// Password, at most 10 letters.
    pub password: String,
    /// The firm, at most 4 letters.
    pub firm: String,
    /// What keeps its orders from trading with each other.
    pub self_trade: SelfTrade,
    /// Whether the loss of the connection cancels its orders.
    pub cancel_on_disconnect: bool,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            user: String::new(),
            password: String::new(),
            firm: "SPWX".to_owned(),
            self_trade: SelfTrade::Allow,
            cancel_on_disconnect: false,
        }
    }
}

impl Section for AccountSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("user", "write the name of the login, like \"trader\"", &mut self.user);
        visitor.required("password", "write its password", &mut self.password);
        visitor.key("firm", &mut self.firm);
        visitor.key("self_trade", &mut self.self_trade);
        visitor.key("cancel_on_disconnect", &mut self.cancel_on_disconnect);
    }
}

/// `[exchange]`: see [`ExchangeConfig`] for the meaning of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeSettings {
    /// Name of the session, at most 10 letters.
    pub session: String,
    /// Every draw of chance comes from it: participants and faults.
    pub seed: u64,
    /// Commands of participants per second; 0: there are none.
    pub rate: u32,
    /// Mean commands of a cluster.
    pub burst: u32,
    /// Displayed orders that participants keep in a book.
    pub book_orders: u32,
    /// Usual spread in 1/100,000 of the price.
    pub spread: u32,
    /// Unevenness of activity over symbols in quarters of an exponent.
    pub zipf_quarters: u32,
    /// Where line A goes.
    pub line_a: Vec<PortAddress>,
    /// Where line B goes.
    pub line_b: Vec<PortAddress>,
    /// The interface from which multicast leaves.
    pub interface: Option<Interface>,
    /// Hops of multicast.
    pub ttl: u32,
    /// Where requests for packets are answered.
    pub retransmission: PortAddress,
    /// Where snapshots are given.
    pub snapshot: PortAddress,
    /// Where market data is replayed.
    pub replay: PortAddress,
    /// Where orders are taken.
    pub orders: PortAddress,
    /// Where control lines are taken.
    pub control: SocketPath,
    /// How its thread waits.
    pub wait: Waiting,
    /// Bytes of the largest packet.
    pub packet_bytes: usize,
    /// Heartbeats of market data after so much silence.
    pub heartbeat: Duration,
    /// How long the end of the session is told.
    pub ending: Duration,
    /// A connection that takes nothing for so long is dropped.
    pub stalled_max: Duration,
    /// Most orders that rest at once.
    pub orders_max: usize,
    /// Messages of market data that are kept.
    pub history_messages: usize,
    /// Most messages to an account.
    pub account_messages: usize,
    /// Bytes of them.
    pub account_bytes: Bytes,
    /// Most wire-to-wire samples that are kept.
    pub wire_samples_max: usize,
    /// Faults from the start on, in the control language.
    pub faults: Vec<String>,
    /// `[[exchange.symbol]]`
    pub symbols: Vec<ListingSettings>,
    /// `[[exchange.account]]`
    pub accounts: Vec<AccountSettings>,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        let ExchangeConfig {
            core,
            packet_bytes,
            heartbeat_after,
            ending,
            stalled_max,
            waiting,
            seed,
            wire_samples_max,
            ..
        } = ExchangeConfig::default();
        let CoreConfig { orders_max, history_messages, account_messages, account_bytes, .. } = core;
        let FlowConfig { rate, burst, orders, spread, zipf_quarters, .. } = FlowConfig::default();
        let listing = |(name, dollars): (&str, i64)| ListingSettings {
            name: name.to_owned(),
            price: Price::from_nanos(dollars * 1_000_000_000),
            ..ListingSettings::default()
        };
        let account = |(user, password): (&str, &str)| AccountSettings {
            user: user.to_owned(),
            password: password.to_owned(),
            ..AccountSettings::default()
        };
        Self {
            session: "SPINWARD".to_owned(),
            seed,
            rate,
            burst,
            book_orders: orders,
            spread,
            zipf_quarters,
            line_a: vec![PortAddress::local(26_400)],
            line_b: vec![PortAddress::local(26_401)],
            interface: None,
            ttl: 1,
            retransmission: PortAddress::local(26_402),
            snapshot: PortAddress::local(26_403),
            replay: PortAddress::local(26_404),
            orders: PortAddress::local(26_410),
            control: SocketPath(Some("exchange.sock".into())),
            wait: waiting,
            packet_bytes,
            heartbeat: duration(heartbeat_after),
            ending: duration(ending),
            stalled_max: duration(stalled_max),
            orders_max,
            history_messages,
            account_messages,
            account_bytes: Bytes(account_bytes as u64),
            wire_samples_max,
            faults: Vec::new(),
            symbols: [("AAAA", 223), ("AAAB", 95), ("AAAC", 48), ("AAAD", 20)].map(listing).to_vec(),
            accounts: [("trader", "secret"), ("second", "secret")].map(account).to_vec(),
        }
    }
}

impl Section for ExchangeSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("session", &mut self.session);
        visitor.key("seed", &mut self.seed);
        visitor.key("rate", &mut self.rate);
        visitor.key("burst", &mut self.burst);
        visitor.key("book_orders", &mut self.book_orders);
        visitor.key("spread", &mut self.spread);
        visitor.key("zipf_quarters", &mut self.zipf_quarters);
        visitor.key("line_a", &mut self.line_a);
        visitor.key("line_b", &mut self.line_b);
        visitor.optional("interface", &mut self.interface);
        visitor.key("ttl", &mut self.ttl);
        visitor.key("retransmission", &mut self.retransmission);
        visitor.key("snapshot", &mut self.snapshot);
        visitor.key("replay", &mut self.replay);
        visitor.key("orders", &mut self.orders);
        visitor.key("control", &mut self.control);
        visitor.key("wait", &mut self.wait);
        visitor.key("packet_bytes", &mut self.packet_bytes);
        visitor.key("heartbeat", &mut self.heartbeat);
        visitor.key("ending", &mut self.ending);
        visitor.key("stalled_max", &mut self.stalled_max);
        visitor.key("orders_max", &mut self.orders_max);
        visitor.key("history_messages", &mut self.history_messages);
        visitor.key("account_messages", &mut self.account_messages);
        visitor.key("account_bytes", &mut self.account_bytes);
        visitor.key("wire_samples_max", &mut self.wire_samples_max);
        visitor.key("faults", &mut self.faults);
        visitor.sections("symbol", &mut self.symbols);
        visitor.sections("account", &mut self.accounts);
    }
}
