//! What an exchange is like, and why such a thing cannot be.

use crate::exchange::{
    EngineConfig, EngineError, ParticipantsConfig, ParticipantsError, Price4, SelfTrade, SymbolRules,
};
use crate::itch50::Mpid;
use crate::mold;
use crate::operator::OperatorError;
use crate::soup::{Alpha, ServerConfig};
use spinward_engine::words::{Nanos, Symbol};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// A symbol that is traded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listing {
    /// Its name, at most 8 letters. Its stock locate is its place in the list, from 1.
    pub name: Symbol,
    /// What it allows. The reference price is also what participants begin with.
    pub rules: SymbolRules,
}

/// Somebody who may trade.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountConfig {
    /// Name of its login.
    pub user: Alpha<6>,
    /// Its password.
    pub password: Alpha<10>,
    /// The firm, as mass cancels and the switches of order entry name it.
    pub firm: Mpid,
    /// What keeps its orders from trading with each other.
    pub self_trade: SelfTrade,
    /// Whether the loss of its connection cancels its orders.
    pub cancel_on_disconnect: bool,
}

impl AccountConfig {
    /// With the defaults: firm `SPWX`, no self-trade prevention, orders stay when the connection is lost. `None` if the user has more than 6, or
    /// the password more than 10 letters.
    pub fn new(user: &str, password: &str) -> Option<Self> {
        Some(Self {
            user: Alpha::new(user)?,
            password: Alpha::new(password)?,
            firm: Mpid::new("SPWX")?,
            self_trade: SelfTrade::Allow,
            cancel_on_disconnect: false,
        })
    }
}

/// The flow of background orders; see [`ParticipantsConfig`] for the meaning and the range of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowConfig {
    /// From which everything random follows.
    pub seed: u64,
    /// Commands per second.
    pub rate: u32,
    /// Mean commands of a cluster.
    pub burst: u32,
    /// Displayed orders that a book should hold.
    pub orders: u32,
    /// Usual spread in 1/100,000 of the price.
    pub spread: u32,
    /// How unevenly activity lies on symbols.
    pub zipf_quarters: u32,
}

impl Default for FlowConfig {
    fn default() -> Self {
        let ParticipantsConfig { seed, zipf_quarters, orders, rate, burst, spread, .. } =
            ParticipantsConfig::new(Vec::new());
        Self { seed, rate, burst, orders, spread, zipf_quarters }
    }
}

/// The exchange without its sockets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreConfig {
    /// Name of the session, of market data and of order entry alike.
    pub session: Alpha<10>,
    /// The midnight that times count from, since the epoch; `None`: the last one in UTC before the start.
    pub midnight: Option<Nanos>,
    /// What is traded.
    pub symbols: Vec<Listing>,
    /// Who may trade.
    pub accounts: Vec<AccountConfig>,
    /// Background orders; `None`: nobody trades but the accounts.
    pub participants: Option<FlowConfig>,
    /// Most orders that rest at once.
    pub orders_max: usize,
    /// Messages of market data that are kept, rounded up to a power of two; 64 bytes each, and 8 for the stamp. 65,536 to 2^28.
    pub history_messages: usize,
    /// Most messages to one account over the day, and bytes of them. An account whose store is full is cut off and its orders are cancelled.
    pub account_messages: usize,
    /// See `account_messages`.
    pub account_bytes: usize,
}

impl CoreConfig {
    /// What the engine is made of.
    pub(super) fn engine(&self) -> EngineConfig {
        EngineConfig {
            symbols: self.symbols.iter().map(|listing| listing.rules).collect(),
            orders_max: self.orders_max,
        }
    }

    /// What the participants are made of.
    pub(super) fn flow(&self) -> Option<ParticipantsConfig> {
        self.participants.map(|flow| ParticipantsConfig {
            seed: flow.seed,
            zipf_quarters: flow.zipf_quarters,
            orders: flow.orders,
            rate: flow.rate,
            burst: flow.burst,
            spread: flow.spread,
            ..ParticipantsConfig::new(self.symbols.iter().map(|listing| listing.rules.reference).collect())
        })
    }
}

impl Default for CoreConfig {
    /// Four symbols from $20 to $223, one account (`trader`, `secret`), participants with their defaults.
    fn default() -> Self {
        let listing = |(name, dollars): (&str, u32)| {
            let rules = SymbolRules { reference: Price4::new(dollars * 10_000), ..SymbolRules::default() };
            Symbol::new(name).map(|name| Listing { name, rules })
        };
        Self {
            session: Alpha::new("SPINWARD").unwrap_or_default(),
            midnight: None,
            symbols: [("AAAA", 223), ("AAAB", 95), ("AAAC", 48), ("AAAD", 20)]
                .into_iter()
                .filter_map(listing)
                .collect(),
            accounts: AccountConfig::new("trader", "secret").into_iter().collect(),
            participants: Some(FlowConfig::default()),
            orders_max: 1 << 16,
            history_messages: 1 << 20,
            account_messages: 1 << 20,
            account_bytes: 64 << 20,
        }
    }
}

/// One line of market data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LineConfig {
    /// Where its packets go, at most [`DESTINATIONS_MAX`]: unicast addresses or multicast groups (IPv4).
    pub destinations: Vec<SocketAddr>,
    /// The interface from which multicast leaves; `None`: the system's choice.
    pub interface: Option<Ipv4Addr>,
    /// Hops of multicast; `None`: 1.
    pub ttl: Option<u32>,
}

/// Most destinations of one line.
pub const DESTINATIONS_MAX: usize = 16;

/// Most connections of each kind at once (orders, replay, snapshot); one more is closed at once and counted.
pub const CONNECTIONS_MAX: usize = 64;

/// How the exchange's thread waits when there is nothing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Waiting {
    /// In the system, until something comes or is due.
    #[default]
    Sleep,
    /// Never: it looks again at once.
    Spin,
}

/// An exchange with its sockets. Every port may be 0: the system chooses, [`super::RunningExchange::addresses`] tells.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExchangeConfig {
    /// What is traded and by whom.
    pub core: CoreConfig,
    /// Market data, line A.
    pub line_a: LineConfig,
    /// Market data, line B.
    pub line_b: LineConfig,
    /// Where requests for packets are answered (UDP).
    pub retransmission: SocketAddr,
    /// Where snapshots are given (SoupBinTCP).
    pub snapshot: SocketAddr,
    /// Where the market-data stream is replayed and followed (SoupBinTCP).
    pub replay: SocketAddr,
    /// Where orders are taken (OUCH over SoupBinTCP).
    pub orders: SocketAddr,
    /// Path of the control socket.
    pub control: Option<PathBuf>,
    /// Bytes of the largest packet of market data, 64 to 65,507.
    pub packet_bytes: usize,
    /// Heartbeats of market data after so much silence.
    pub heartbeat_after: Nanos,
    /// How long the end of the session is repeated, and connections have to take what is left.
    pub ending: Nanos,
    /// A connection that takes nothing of what waits for it is dropped after so long.
    pub stalled_max: Nanos,
    /// Timing of SoupBinTCP.
    pub soup: ServerConfig,
    /// How its thread waits.
    pub waiting: Waiting,
    /// From which chance in the faults follows.
    pub seed: u64,
    /// Faults from the start on, each a line of the control language; `at TIME …` waits.
    pub faults: Vec<String>,
    /// Most wire-to-wire samples that are kept; further ones are counted only.
    pub wire_samples_max: usize,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            core: CoreConfig::default(),
            line_a: LineConfig::default(),
            line_b: LineConfig::default(),
            retransmission: any,
            snapshot: any,
            replay: any,
            orders: any,
            control: None,
            packet_bytes: mold::PAYLOAD_BYTES_MAX,
            heartbeat_after: Nanos::from_secs(1),
            ending: Nanos::from_millis(500),
            stalled_max: Nanos::from_secs(10),
            soup: ServerConfig::default(),
            waiting: Waiting::Sleep,
            seed: 1,
            faults: Vec::new(),
            wire_samples_max: 1 << 20,
        }
    }
}

/// Why there is no exchange.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The engine refuses.
    #[error("the matching engine: {0}")]
    Engine(#[from] EngineError),
    /// The participants refuse.
    #[error("the participants: {0}")]
    Participants(#[from] ParticipantsError),
    /// A symbol's name.
    #[error("symbol {0}: give each a name of 1 to 8 letters, and none twice")]
    Symbol(String),
    /// A user.
    #[error("account {0}: give each a user of its own, not blank, and a password")]
    Account(String),
    /// Most accounts.
    #[error("{0} accounts: give at most 1000")]
    Accounts(usize),
    /// A number out of range.
    #[error("{what} is {value}: give {range}")]
    Range {
        /// Which.
        what: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        range: &'static str,
    },
    /// A line has too many destinations, or one that no packet can reach.
    #[error("destination {0}: give at most 16 IPv4 addresses with a port other than 0")]
    Destination(String),
    /// A fault that cannot be read.
    #[error("fault {line:?}: {source}")]
    Fault {
        /// The line.
        line: String,
        /// Why.
        source: super::ControlError,
    },
    /// The system refuses a socket.
    #[error("cannot {what} {address}: {source}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// For which address.
        address: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The control socket.
    #[error(transparent)]
    Control(#[from] OperatorError),
    /// The system refuses a thread.
    #[error("cannot start the exchange's thread: {0}")]
    Thread(#[source] io::Error),
}
