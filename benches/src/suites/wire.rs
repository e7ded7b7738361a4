//! From wire to wire over loopback sockets: the exchange stamps a packet when it sends it and an order when its bytes have arrived, on one clock. Subject: the engine, from the
//! packet to the order that its strategy sends because of it. Control, in turns with it: a bare echo that answers packets of the same exchange with orders of the same size.

mod echo;
mod probe;

use crate::bench::{Bench, now, on_core};
use crate::error::LabError;
use crate::histogram::histogram;
use crate::measure::Role;
use crate::parts::{assemble, instruments};
use crate::session::Journal;
use hdrhistogram::Histogram;
use probe::{CausedDriver, Probe};
use spinward_engine::book::BookConfig;
use spinward_engine::pipeline::{
    HostCores, IdleStrategy, NoTap, Pipeline, PipelineConfig, StampMode, Topology,
};
use spinward_engine::words::{Clock, Nanos};
use spinward_gateways::exchange::server::{
    ExchangeConfig, ExchangeServer, FlowConfig, RunningExchange, Waiting, WireSample,
};
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::live::{LiveConfig, LiveDriver, MoldFeed, MoldFeedConfig};
use spinward_gateways::ouch::{Carried, LimitRule, LimiterConfig, OuchConfig};
use spinward_gateways::soup::{Alpha, ClientConfig};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The participants' commands a second, unless fewer are asked for: each is a packet of its own then.
const RATE_MAX: u64 = 20_000;

/// Messages of market data from one order to the next.
const MESSAGES_PER_ORDER: u64 = 8;

/// A round is so many times as long as asked for: orders are fewer than frames.
const LENGTHS: f64 = 10.0;

/// Of a round, not recorded at its beginning: a part of so many.
const WARM_UP_PARTS: u32 = 4;

/// Symbols of the exchange's default listing.
const SYMBOLS: usize = 4;

const DAY_NS: i64 = 86_400_000_000_000;

const USER: &str = "trader";
const PASSWORD: &str = "secret";

/// Names of the two.
const SUBJECT: &str = "packet sent → order arrived";
const CONTROL: &str = "packet sent → order arrived, bare echo";

/// What both kinds of rounds need.
struct Setup {
    clock: Clock,
    rate: u32,
    length: Duration,
    /// Of the exchange, and of what trades on it.
    cores: (usize, usize),
    topology: Topology,
    host: HostCores,
}

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings, or a socket or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let Some(cores) = bench.two_cores() else {
        bench.skip("wire: exchange and engine spin on a core each, this host has one".to_owned());
        return Ok(());
    };
    let preferred = bench.plan.host.preferred();
    let own: Vec<usize> = preferred.iter().copied().skip(1).take(2).collect();
    let topology = Topology::fused(&own, 1, IdleStrategy::Spin);
    let rate = u32::try_from(bench.plan.rate.min(RATE_MAX)).map_err(LabError::failed)?;
    let setup = Setup {
        clock: bench.clock.clone(),
        rate,
        length: Duration::from_secs_f64((bench.plan.seconds * LENGTHS).max(0.5)),
        cores,
        topology,
        host: bench.plan.host.clone(),
    };
    bench.configure("rate", rate);
    bench.configure("seconds", setup.length.as_secs_f64());
    bench.configure("messages_per_order", MESSAGES_PER_ORDER);
    bench.configure("engine_cores", own.len());
    bench.configure("journal", "on");
    for round in 0..bench.plan.rounds {
        bench.say(&format!("wire, round {} of {}", round + 1, bench.plan.rounds));
        let control = echo_round(&setup)?;
        let subject = engine_round(&setup, round)?;
        bench.sheet.latency(SUBJECT, Role::Subject, Some(CONTROL), &subject)?;
        bench.sheet.latency(CONTROL, Role::Control, None, &control)?;
        bench.end_round();
    }
    Ok(())
}

/// An exchange whose line A goes to this address, spinning on its core.
fn exchange(setup: &Setup, line: SocketAddrV4, midnight: Nanos) -> Result<RunningExchange, LabError> {
    let mut config = ExchangeConfig { waiting: Waiting::Spin, ..ExchangeConfig::default() };
    config.core.midnight = Some(midnight);
    config.core.participants = Some(FlowConfig { rate: setup.rate, burst: 1, ..FlowConfig::default() });
    config.line_a.destinations = vec![line.into()];
    // Its thread inherits the core.
    on_core(setup.cores.0, || ExchangeServer::start(&config))?.map_err(LabError::failed)
}

/// The samples behind the warm-up.
fn recorded(samples: &[WireSample], clock: &Clock) -> Result<Histogram<u64>, LabError> {
    let mut histogram = histogram()?;
    let first = samples.iter().map(|sample| sample.sent_at).min().unwrap_or(0);
    let last = samples.iter().map(|sample| sample.sent_at).max().unwrap_or(0);
    let skipped = clock.nanos_between(first, last) / u64::from(WARM_UP_PARTS);
    for sample in samples.iter().filter(|sample| clock.nanos_between(first, sample.sent_at) >= skipped) {
        histogram.saturating_record(sample.nanos.max(1));
    }
    if histogram.is_empty() {
        return Err(LabError::failed("no order arrived at the exchange: give more --seconds"));
    }
    Ok(histogram)
}

fn midnight() -> Nanos {
    let now = now().get();
    Nanos::new(now - now.rem_euclid(DAY_NS))
}

fn login() -> Result<ClientConfig, LabError> {
    let (user, password) = Alpha::new(USER)
        .zip(Alpha::new(PASSWORD))
        .ok_or_else(|| LabError::failed("the name of the account was refused"))?;
    Ok(ClientConfig::new(user, password))
}

fn echo_round(setup: &Setup) -> Result<Histogram<u64>, LabError> {
    let echo = echo::Echo::bind().map_err(LabError::failed)?;
    let exchange = exchange(setup, echo.address().map_err(LabError::failed)?, midnight())?;
    let orders = exchange.addresses().orders;
    let login = login()?;
    on_core(setup.cores.1, || echo.run(orders, &login, setup.length))??;
    let samples = exchange.wire_samples().map_err(LabError::failed)?;
    recorded(&samples, &setup.clock)
}

fn engine_round(setup: &Setup, round: usize) -> Result<Histogram<u64>, LabError> {
    let any = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let feed = MoldFeed::new(&MoldFeedConfig::new(any, None)).map_err(LabError::failed)?;
    let counters = feed.counters();
    let line = match feed.addresses() {
        [Some(std::net::SocketAddr::V4(line)), _] => line,
        [Some(_) | None, _] => return Err(LabError::failed("the line has no address")),
    };
    let midnight = midnight();
    let exchange = exchange(setup, line, midnight)?;
    let nanos = |span: Duration| Nanos::new(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX));
    let rule = LimitRule::Bucket { per_second: 1_000_000, burst: 100_000 };
    let config = LiveConfig {
        ouch: OuchConfig {
            limiter: LimiterConfig { rule, reserve: 100 },
            ..OuchConfig::new(login()?, midnight)
        },
        venue: exchange.addresses().orders,
        timer_interval: Nanos::from_millis(100),
        duration: Some(nanos(setup.length)),
    };
    let table = instruments(SYMBOLS)?;
    let driver = LiveDriver::new(&config, Box::new(feed), &table, Carried::default(), setup.clock.clone())
        .map_err(LabError::failed)?;
    let failure = driver.failure_slot();
    let (driver, causes) = CausedDriver::new(driver);
    let decoder = Itch50Decoder::new(Itch50Config { midnight: Some(midnight), ..Itch50Config::default() });
    let probe = Box::new(Probe::new(MESSAGES_PER_ORDER));
    let stages = assemble(decoder, &BookConfig::default(), &table, Some(probe))?;
    let journal = Journal::new(&format!("wire-{round}"), 1 << 20)?;
    let pipeline = Pipeline::start(
        &PipelineConfig { stamps: StampMode::Off, ..PipelineConfig::default() },
        &setup.topology,
        &setup.host,
        &setup.clock,
        stages,
        driver,
        None,
        journal.sink()?,
        NoTap,
    )
    .map_err(LabError::failed)?;
    pipeline.join().ok_or_else(|| LabError::failed("a thread of the pipeline panicked"))?;
    if let Some(error) = failure.get() {
        return Err(LabError::failed(error));
    }
    // Messages are counted from 1 on: one that is missing would shift the causes of all orders behind it.
    let is_whole = counters.lost.value() == 0 && counters.gaps.value() == 0;
    if !is_whole {
        return Err(LabError::failed("packets were lost on loopback: give a smaller --rate"));
    }
    let causes = causes.recv().map_err(LabError::failed)?;
    let samples = exchange.wire_samples_of(causes).map_err(LabError::failed)?;
    recorded(&samples, &setup.clock)
}
