//! `spinward exchange`.

use super::output::{Table, bytes, count, line, nanos};
use crate::failure::{Failure, Outcome};
use crate::metrics::{ExchangeSources, serve};
use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use spinward_config::{Loaded, Overrides};
use spinward_engine::words::Nanos;
use spinward_gateways::exchange::server::{
    Addresses, ExchangeConfig, ExchangeServer, ExchangeState, FaultCounters, FlowConfig, Holdings,
    RunningExchange, WireSample, check_fault,
};
use std::io::{IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};

/// From one look at the exchange to the next.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Args, Debug)]
pub(crate) struct ExchangeArgs {
    /// Configuration file (its section `[exchange]`); without it the built-in one (see `spinward config init`).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long it is open, on the clock: `10s`, `5m`, `2h`. Without it: until it is told to end.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// Commands of participants per second, 0 to 50,000,000.
    #[arg(long, value_name = "NUMBER")]
    rate: Option<u32>,
    /// A fault, as a line of the control language: `drop a 1%`, `at 5s restart`. May be given often.
    #[arg(long, value_name = "LINE")]
    fault: Vec<String>,
    /// Where to serve Prometheus metrics: an address such as 127.0.0.1:9185, or `off`.
    #[arg(long, value_name = "ADDR", default_value = "off")]
    metrics: String,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    /// No live line.
    #[arg(long)]
    quiet: bool,
}

pub(crate) fn run(args: &ExchangeArgs) -> Outcome {
    let Loaded { mut settings, .. } = match &args.config {
        Some(path) => spinward_config::load(path).map_err(Failure::usage)?,
        None => spinward_config::builtin(),
    };
    let mut config = settings.exchange();
    if let Some(rate) = args.rate {
        let flow =
            config.core.participants.unwrap_or(FlowConfig { seed: config.seed, ..FlowConfig::default() });
        config.core.participants = (rate > 0).then_some(FlowConfig { rate, ..flow });
    }
    for fault in &args.fault {
        check_fault(fault).with_context(|| format!("--fault {fault:?}")).map_err(Failure::Usage)?;
    }
    config.faults.extend(args.fault.iter().cloned());
    settings
        .apply(&Overrides {
            duration: args.duration.clone(),
            metrics: Some(args.metrics.clone()),
            ..Overrides::default()
        })
        .map_err(Failure::usage)?;
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Below 2^63 until the year 2262.
    config.core.midnight = spinward_config::midnight_before(Nanos::new(epoch.as_nanos() as i64));
    let duration = settings.session.duration.filter(|_| args.duration.is_some());

    let metrics = settings.metrics_address().map(bind).transpose()?;
    let exchange = ExchangeServer::start(&config).map_err(Failure::usage)?;
    let start = Instant::now();
    if args.json {
        // Programs wait for this line: then everything listens.
        line(json!({ "listening": addresses_json(exchange.addresses(), &config, metrics.as_ref()) }));
    } else {
        print_addresses(exchange.addresses(), &config, metrics.as_ref());
    }
    let mut samples = Vec::new();
    let watched = watch(&exchange, metrics, start, duration, !args.quiet, &mut samples);
    let state = exchange.stop().context("the exchange's thread died")?;
    watched?;
    samples.sort_unstable_by_key(|sample| sample.nanos);
    let elapsed = start.elapsed();
    if args.json {
        line(serde_json::to_string_pretty(&summary_json(&state, &samples, elapsed))?);
    } else {
        print_summary(&state, &samples, elapsed);
    }
    Ok(ExitCode::SUCCESS)
}

/// Where metrics are served.
fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound =
        TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound
        .with_context(|| format!("--metrics: cannot serve on {address}: give another address, or off"))
        .map_err(Failure::Usage)
}

fn address_of(metrics: Option<&TcpListener>) -> Option<String> {
    metrics.and_then(|listener| listener.local_addr().ok()).map(|address| address.to_string())
}

/// Until its time is over, it ended by itself, or a signal came.
fn watch(
    exchange: &RunningExchange,
    metrics: Option<TcpListener>,
    start: Instant,
    duration: Option<Duration>,
    is_shown: bool,
    samples: &mut Vec<WireSample>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let is_shown = is_shown && std::io::stderr().is_terminal();
    let probe = exchange.probe().context("cannot look at the exchange")?;
    runtime.block_on(async {
        if let Some(listener) = metrics {
            tokio::spawn(serve(listener, Arc::new(ExchangeSources::new(probe))));
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (mut before, mut at) = (0, start);
        loop {
            let left = duration.map_or(LOOK_EVERY, |duration| duration.saturating_sub(start.elapsed()));
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = tokio::time::sleep(left.min(LOOK_EVERY)) => {}
            }
            samples.extend(exchange.wire_samples().unwrap_or_default());
            let is_over = duration.is_some_and(|duration| start.elapsed() >= duration);
            let Ok(state) = exchange.ask() else { break };
            if is_over {
                break;
            }
            if is_shown {
                let rate = (state.next_sequence - before) as f64 / at.elapsed().as_secs_f64().max(1e-3);
                (before, at) = (state.next_sequence, Instant::now());
                // A terminal that is gone is no reason to end.
                let _ = write!(std::io::stderr(), "\r\x1b[K{}", live_line(&state, rate));
                let _ = std::io::stderr().flush();
            }
        }
        if is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        Ok(())
    })
}

fn live_line(state: &ExchangeState, rate: f64) -> String {
    let connected = state.accounts.iter().filter(|account| account.is_connected).count();
    format!(
        "{} messages  {:.1} k/s  accounts {connected}/{}  orders {}  executions {}  faults {}",
        count(state.next_sequence - 1),
        rate / 1e3,
        state.accounts.len(),
        count(state.core.accepted),
        count(state.core.executed),
        count(faults(&state.faults).iter().map(|(_, number)| number).sum()),
    )
}

/// What stands behind each other in the report.
fn faults(faults: &FaultCounters) -> Vec<(&'static str, u64)> {
    let both = |pair: [u64; 2]| pair.iter().sum();
    vec![
        ("dropped", both(faults.dropped)),
        ("duplicated", both(faults.duplicated)),
        ("reordered", both(faults.reordered)),
        ("corrupted", both(faults.corrupted)),
        ("delayed", both(faults.delayed)),
        ("not delayed for want of room", both(faults.undelayed)),
        ("swallowed by a stopped line", both(faults.stopped)),
        ("requests unanswered", faults.unanswered),
        ("connections cut", faults.disconnected),
        ("sessions frozen", faults.frozen),
        ("orders rejected", faults.rejected),
        ("acknowledgements lost", faults.acks_lost),
        ("answers made slow", faults.slowed),
        ("snapshots made slow", faults.snapshots_slowed),
        ("restarts", faults.restarts),
    ]
}

fn list(addresses: &[SocketAddr]) -> String {
    let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if all.is_empty() { "nowhere".to_owned() } else { all.join(", ") }
}

fn print_addresses(addresses: &Addresses, config: &ExchangeConfig, metrics: Option<&TcpListener>) {
    line(format!("exchange {}", config.core.session));
    for (what, address) in [
        ("orders (OUCH 5.0, SoupBinTCP)", addresses.orders.to_string()),
        ("snapshots (SoupBinTCP)", addresses.snapshot.to_string()),
        ("replay (SoupBinTCP)", addresses.replay.to_string()),
        ("requests for packets (UDP)", addresses.retransmission.to_string()),
        ("line A to", list(&addresses.line_a)),
        ("line B to", list(&addresses.line_b)),
    ] {
        line(format!("  {what:<30} {address}"));
    }
    let control = config.control.as_ref().map_or("off".to_owned(), |path| path.display().to_string());
    line(format!("  {:<30} {control}", "control"));
    line(format!("  {:<30} {}", "metrics", address_of(metrics).unwrap_or_else(|| "off".to_owned())));
}

fn addresses_json(addresses: &Addresses, config: &ExchangeConfig, metrics: Option<&TcpListener>) -> Value {
    let all = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "orders": addresses.orders.to_string(),
        "snapshot": addresses.snapshot.to_string(),
        "replay": addresses.replay.to_string(),
        "retransmission": addresses.retransmission.to_string(),
        "line_a": all(&addresses.line_a),
        "line_b": all(&addresses.line_b),
        "metrics": address_of(metrics),
        "control": config.control.as_ref().map(|path| path.display().to_string()),
    })
}

/// Of sorted samples, those that these parts of a thousand are not above.
fn percentile(samples: &[WireSample], per_mille: usize) -> u64 {
    let at = (samples.len() * per_mille / 1_000).min(samples.len().saturating_sub(1));
    samples.get(at).map_or(0, |sample| sample.nanos)
}

/// Money in 1/10,000, to the cent.
fn cash(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let cents = units.unsigned_abs() / 100;
    format!("{sign}{}.{:02}", count(u64::try_from(cents / 100).unwrap_or(u64::MAX)), cents % 100)
}

fn print_summary(state: &ExchangeState, samples: &[WireSample], elapsed: Duration) {
    let seconds = elapsed.as_secs_f64().max(1e-3);
    line(format!("closed after {:.1} s", elapsed.as_secs_f64()));
    let core = &state.core;
    let messages = state.next_sequence - 1;
    line(format!("  messages {} ({:.0} a second)", count(messages), messages as f64 / seconds));
    line(format!(
        "  commands {} ({} of participants)",
        count(core.commands),
        count(core.participant_commands)
    ));
    let wire = &state.wire;
    let mut lines = Table::new(["line", "packets", "bytes", "not taken by the system"]);
    for (index, name) in ["A", "B"].into_iter().enumerate() {
        let of = |pair: [u64; 2]| pair.get(index).copied().unwrap_or(0);
        lines.row([name.to_owned(), count(of(wire.packets)), bytes(of(wire.bytes)), count(of(wire.unsent))]);
    }
    lines.print();
    line(format!(
        "  requests {} answered, {} refused; {} snapshots; {} logins, {} refused; {} slow connections dropped",
        count(wire.requests),
        count(wire.requests_refused),
        count(wire.snapshots),
        count(wire.logins),
        count(wire.logins_refused),
        count(wire.slow_dropped),
    ));
    line(format!(
        "  orders {} accepted, {} rejected, {} replaced; {} cancels, {} executions told; {} messages ignored, {} malformed",
        count(core.accepted),
        count(core.rejected),
        count(core.replaced),
        count(core.canceled),
        count(core.executed),
        count(core.ignored),
        count(core.malformed),
    ));
    let mut owners = Table::new(["account", "shares held", "cash", "executions"]);
    let mut row = |name: String, holdings: &Holdings| {
        let shares: u64 = holdings.positions.iter().map(|shares| shares.unsigned_abs()).sum();
        owners.row([name, count(shares), cash(holdings.cash), count(holdings.executions)]);
    };
    for account in &state.accounts {
        row(account.user.to_string(), &account.holdings);
    }
    row("participants".to_owned(), &state.participants);
    owners.print();
    let happened: Vec<String> = faults(&state.faults)
        .into_iter()
        .filter(|(_, number)| *number > 0)
        .map(|(name, number)| format!("{name} {}", count(number)))
        .collect();
    line(format!("  faults: {}", if happened.is_empty() { "none".to_owned() } else { happened.join(", ") }));
    if !samples.is_empty() {
        line(format!(
            "  wire to wire: {} samples, median {}, p99 {}, p99.9 {}, most {}",
            count(samples.len() as u64),
            nanos(percentile(samples, 500)),
            nanos(percentile(samples, 990)),
            nanos(percentile(samples, 999)),
            nanos(percentile(samples, 1_000)),
        ));
    }
}

fn summary_json(state: &ExchangeState, samples: &[WireSample], elapsed: Duration) -> Value {
    let (core, wire) = (&state.core, &state.wire);
    let holdings = |holdings: &Holdings| {
        json!({
            "positions": holdings.positions,
            // Units of 1/10,000; text, for readers whose numbers are floats.
            "cash": holdings.cash.to_string(),
            "executions": holdings.executions,
        })
    };
    let account = |account: &spinward_gateways::exchange::server::AccountState| {
        json!({
            "user": account.user.to_string(),
            "holdings": holdings(&account.holdings),
            "open_orders": account.orders.len(),
            "next_user_ref": account.next_user_ref,
            "next_sequence": account.next_sequence,
        })
    };
    let faults: serde_json::Map<String, Value> = faults(&state.faults)
        .into_iter()
        .map(|(name, number)| (name.replace(' ', "_"), Value::from(number)))
        .collect();
    json!({
        "session": state.session.to_string(),
        "seconds": elapsed.as_secs_f64(),
        "messages": state.next_sequence - 1,
        "commands": core.commands,
        "participant_commands": core.participant_commands,
        "participants_late": core.late,
        "orders": {
            "inbound": core.inbound,
            "accepted": core.accepted,
            "rejected": core.rejected,
            "replaced": core.replaced,
            "canceled": core.canceled,
            "executed": core.executed,
            "ignored": core.ignored,
            "malformed": core.malformed,
            "cancels_on_disconnect": core.cancels_on_disconnect,
        },
        "wire": {
            "packets": wire.packets,
            "bytes": wire.bytes,
            "unsent": wire.unsent,
            "heartbeats": wire.heartbeats,
            "requests": wire.requests,
            "requests_refused": wire.requests_refused,
            "connections": wire.connections,
            "connections_refused": wire.connections_refused,
            "logins": wire.logins,
            "logins_refused": wire.logins_refused,
            "slow_dropped": wire.slow_dropped,
            "closed": wire.closed,
            "snapshots": wire.snapshots,
            "changes_told": wire.changes_told,
        },
        "faults": faults,
        "accounts": state.accounts.iter().map(account).collect::<Vec<_>>(),
        "participants": holdings(&state.participants),
        "wire_to_wire": {
            "samples": state.wire.wire_samples,
            "p50_ns": percentile(samples, 500),
            "p99_ns": percentile(samples, 990),
            "p999_ns": percentile(samples, 999),
            "max_ns": percentile(samples, 1_000),
        },
    })
}
