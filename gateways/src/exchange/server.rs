//! The exchange on its sockets: market data over UDP, orders over TCP, faults on request.
//!
//! Enters: OUCH 5.0 over SoupBinTCP, requests for packets (MoldUDP64), lines of the [control language](control). Leaves: TotalView-ITCH 5.0 in MoldUDP64 on
//! lines A and B, snapshots in the manner of GLIMPSE and replays over SoupBinTCP, answers to orders. Never: a wait for a peer, a panic for its bytes, memory without
//! a maximum.
//!
//! ```text
//!  orders (TCP) ──▶ Sessions ──┐                       ┌─▶ History ─▶ Market ─▶ faults ─▶ lines A, B (UDP)
//!  participants ───────────────┼─▶ ExchangeCore ───────┤      │  └────▶ answers to requests (UDP), replay, snapshot (TCP)
//!  control, schedule ──────────┘   (Engine, accounts)  └─▶ an account's messages ─▶ Sessions ─▶ orders (TCP)
//! ```
//!
//! All of it is one thread. [`ExchangeCore`] is a function of its calls; sockets and the clock are round it.
//!
//! # Example
//!
//! An exchange on ports that the system chooses, with two accounts and no background orders; market data goes to a socket of ours. Who trades logs in at
//! `addresses().orders`; what became of it stands in `ask()`.
//!
//! ```
//! use spinward_gateways::exchange::server::{AccountConfig, ExchangeConfig, ExchangeServer};
//! use std::net::UdpSocket;
//!
//! let line_a = UdpSocket::bind("127.0.0.1:0")?;
//! line_a.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
//! let mut config = ExchangeConfig::default();
//! config.core.participants = None;
//! config.core.accounts = ["alice", "bob"].into_iter().filter_map(|user| AccountConfig::new(user, "secret")).collect();
//! config.line_a.destinations = vec![line_a.local_addr()?];
//! let exchange = ExchangeServer::start(&config)?;
//! let addresses = exchange.addresses();
//! println!("orders {}, snapshots {}, requests {}", addresses.orders, addresses.snapshot, addresses.retransmission);
//!
//! // The day begins with the directory: the first packet is on its way.
//! let mut packet = [0; 2_048];
//! let length = line_a.recv(&mut packet)?;
//! assert_eq!(&packet[..8], b"SPINWARD");
//!
//! // Faults and market commands, as lines; the same as over the control socket.
//! exchange.control("drop a 1%")?;
//! exchange.control("halt AAAA")?;
//! let state = exchange.ask()?;
//! assert_eq!(state.symbols.len(), 4);
//! assert_eq!(state.account("alice").map(|account| account.holdings.cash), Some(0));
//! assert_eq!(state.sums(), (vec![0; 4], 0));
//!
//! // Closing crosses, system events, end of every session.
//! let end = exchange.stop()?;
//! assert!(end.next_sequence > 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod history;
mod account;
mod venue;
mod state;
mod stamps;
mod faults;
mod lines;
mod sessions;
pub mod control;
mod console;
mod run;
mod handle;

pub use account::{Holdings, Slow};
pub use config::{
    AccountConfig, CONNECTIONS_MAX, CoreConfig, DESTINATIONS_MAX, ExchangeConfig, ExchangeError, FlowConfig,
    LineConfig, Listing, Waiting,
};
pub use control::{ControlError, check_fault};
pub use faults::{Chance, FaultCounters, HELD_MAX, LineFault};
pub use handle::{Addresses, ExchangeProbe, ExchangeServer, RunningExchange};
pub use history::History;
pub use stamps::{WireSample, tag, tagged};
pub use state::{
    AccountState, BookOrder, CoreCounters, ExchangeCounts, ExchangeState, OpenOrder, SymbolState,
    WireCounters,
};
pub use venue::{ExchangeCore, SNAPSHOT_END, snapshot_end};
