//! [`Embedded`]: an exchange of the session's own, over sockets on loopback, and what both ends say in the end.

use super::summary::Summary;
use crate::cli::output::money;
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use serde::Serialize;
use spinward_config::{Endpoint, Exact, FeedKind, Settings, VenueKind};
use spinward_engine::words::Nanos;
use spinward_gateways::exchange::server::{ExchangeConfig, ExchangeServer, RunningExchange};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An exchange that runs beside a session.
pub(crate) struct Embedded {
    exchange: RunningExchange,
    user: String,
    /// Whether money here is shares times prices, as it is at the exchange: no instrument has a multiplier.
    is_by_the_share: bool,
    secret: Secret,
}

/// What exchange and session say of the account when the session has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BothEnds {
    /// Fills, as the exchange has counted them.
    pub(crate) executions: u64,
    /// Orders that still live there.
    pub(crate) open_orders: u64,
    /// Money of the account there, in 1e-9 of the currency.
    pub(crate) cash_nanos: i64,
    /// What is not the same at both ends; empty: positions, orders and money agree.
    pub(crate) differences: Vec<String>,
}

/// A file that holds the password while it is needed.
struct Secret(PathBuf);

impl Drop for Secret {
    fn drop(&mut self) {
        // Gone already is good, too.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Embedded {
    /// Opens the exchange of `[exchange]` on free ports of loopback, and fits the settings to it: its addresses, its first account, markets that are open at any
    /// hour.
    pub(crate) fn start(settings: &mut Settings, seed: Option<u64>) -> Result<Self, Failure> {
        let lines = free_ports().context("no UDP port of loopback is to be had")?;
        let own = settings.exchange();
        let account = settings.exchange.accounts.first().ok_or_else(|| {
            Failure::Usage(anyhow!("exchange.accounts is empty: give the session an account to trade with"))
        })?;
        let (user, password) = (account.user.clone(), account.password.clone());
        let mut config = ExchangeConfig {
            core: own.core,
            packet_bytes: own.packet_bytes,
            heartbeat_after: own.heartbeat_after,
            waiting: own.waiting,
            faults: own.faults,
            seed: seed.unwrap_or(own.seed),
            ..ExchangeConfig::default()
        };
        config.line_a.destinations = vec![lines[0]];
        config.line_b.destinations = vec![lines[1]];
        if let (Some(seed), Some(flow)) = (seed, &mut config.core.participants) {
            flow.seed = seed;
        }
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Below 2^63 until the year 2262.
        config.core.midnight = spinward_config::midnight_before(Nanos::new(epoch.as_nanos() as i64));
        let exchange = ExchangeServer::start(&config).map_err(Failure::usage)?;
        let addresses = exchange.addresses().clone();
        let secret = Secret::write(&password)?;
        settings.feed.kind = FeedKind::Mold;
        settings.feed.lines = lines.into_iter().filter_map(endpoint).collect();
        settings.feed.retransmission = endpoint(addresses.retransmission);
        settings.feed.snapshot = endpoint(addresses.snapshot);
        settings.venue.kind = VenueKind::Ouch;
        settings.venue.address = endpoint(addresses.orders);
        settings.venue.user.clone_from(&user);
        settings.venue.password_file = Some(secret.0.clone());
        settings.venue.password_env = None;
        settings.venue.session = String::new();
        for instrument in &mut settings.instruments {
            instrument.calendar = "always".to_owned();
        }
        settings.calendars.clear();
        let is_by_the_share =
            settings.instruments.iter().all(|instrument| instrument.multiplier == Exact::ONE);
        Ok(Self { exchange, user, is_by_the_share, secret })
    }

    /// Ends the exchange, and compares what it says with what the session says.
    pub(crate) fn finish(self, summary: &Summary) -> Result<BothEnds, Failure> {
        let state = self.exchange.ask().context("the exchange's thread died")?;
        let account =
            state.account(&self.user).ok_or_else(|| anyhow!("the exchange has no account {}", self.user))?;
        let mut differences = Vec::new();
        for (symbol, theirs) in state.symbols.iter().zip(&account.holdings.positions) {
            let rows = summary.positions.iter().filter(|row| row.instrument == symbol.name.as_str());
            let ours: i64 = rows.map(|row| row.position_lots).sum();
            if ours != *theirs {
                differences.push(format!("{}: {ours} here, {theirs} at the exchange", symbol.name));
            }
        }
        let open_orders = account.orders.len() as u64;
        if summary.open_orders != open_orders {
            differences
                .push(format!("open orders: {} here, {open_orders} at the exchange", summary.open_orders));
        }
        // The exchange counts in 1/10,000 and charges no fees.
        let cash_nanos = i64::try_from(account.holdings.cash * 100_000).unwrap_or(i64::MAX);
        let ours: i64 = summary.positions.iter().map(|row| row.realized_nanos - row.cost_nanos).sum();
        if self.is_by_the_share && ours != cash_nanos {
            let (ours, theirs) = (money(ours), money(cash_nanos));
            differences.push(format!("money: {ours} here, {theirs} at the exchange"));
        }
        let both = BothEnds { executions: account.holdings.executions, open_orders, cash_nanos, differences };
        drop(self.secret);
        self.exchange.stop().context("the exchange's thread died")?;
        Ok(both)
    }
}

impl Secret {
    fn write(password: &str) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("spinward-{}.password", std::process::id()));
        let told = |path: &Path| format!("cannot write {}", path.display());
        // Left by a killed process of the same number.
        let _ = std::fs::remove_file(&path);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| told(&path))?;
        let secret = Self(path);
        writeln!(file, "{password}").with_context(|| told(&secret.0))?;
        Ok(secret)
    }
}

/// Two ports that were free a moment ago.
fn free_ports() -> std::io::Result<[SocketAddr; 2]> {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    Ok([a.local_addr()?, b.local_addr()?])
}

fn endpoint(address: SocketAddr) -> Option<Endpoint> {
    match address {
        SocketAddr::V4(address) => Some(Endpoint(address)),
        SocketAddr::V6(_) => None,
    }
}
