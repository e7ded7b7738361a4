//! [`World`]: what is outside of a session's engine: the simulation, or sockets.

use super::parts;
use super::recover::Recovered;
use crate::failure::Failure;
use anyhow::Context;
use spinward_config::{FeedKind, Settings, VenueKind};
use spinward_engine::pipeline::{CoreReport, Driver, ExitStamps, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{Clock, Nanos, RecoveredRecord, Ticks};
use spinward_gateways::feed::{FeedError, StreamCounters};
use spinward_gateways::live::{LiveConfig, LiveDriver};
use spinward_gateways::ouch::{Carried, OuchCounters};
use spinward_gateways::paper::{PaperCounters, PaperVenue, StageBook};
use spinward_gateways::simulation::{Simulation, SimulationCounters};
use spinward_gateways::soup::Alpha;
use std::sync::{Arc, OnceLock};

/// One of the two.
pub(crate) enum World {
    /// Feed, timer and paper venue merged by simulated time.
    Simulated(Box<Simulation<StageBook>>),
    /// A feed on the network, and a venue that speaks OUCH.
    Live(Box<LiveDriver>),
}

/// What a world counts; what it does not have stays at zero.
#[derive(Clone, Default)]
pub(crate) struct WorldCounters {
    pub(crate) simulation: Arc<SimulationCounters>,
    pub(crate) paper: Arc<PaperCounters>,
    pub(crate) gateway: Arc<OuchCounters>,
    pub(crate) stream: Arc<StreamCounters>,
    /// The thread that receives market data, if it has one of its own.
    pub(crate) feed_core: Option<CoreReport>,
}

impl World {
    /// That of these settings.
    pub(crate) fn new(
        settings: &Settings,
        recovered: Option<&Recovered>,
        clock: &Clock,
        has_stamps: bool,
    ) -> Result<Self, Failure> {
        match settings.venue.kind {
            VenueKind::Paper => {
                let simulation = simulation(settings, recovered, clock)?.with_stamps(has_stamps);
                Ok(Self::Simulated(Box::new(simulation)))
            }
            // One of the session's own is a venue that speaks OUCH by now.
            VenueKind::Ouch | VenueKind::Exchange => {
                let driver = live(settings, recovered, clock)?.with_stamps(has_stamps);
                Ok(Self::Live(Box::new(driver)))
            }
        }
    }

    /// Where the reason will stand if it ends before its time.
    pub(crate) fn failure_slot(&self) -> Arc<OnceLock<FeedError>> {
        match self {
            Self::Simulated(simulation) => simulation.failure_slot(),
            Self::Live(driver) => driver.failure_slot(),
        }
    }

    pub(crate) fn counters(&self) -> WorldCounters {
        match self {
            Self::Simulated(simulation) => WorldCounters {
                simulation: simulation.counters(),
                paper: simulation.venue().counters(),
                stream: simulation.feed().stream().unwrap_or_default(),
                feed_core: simulation.feed().core(),
                ..WorldCounters::default()
            },
            Self::Live(driver) => WorldCounters {
                simulation: driver.counters(),
                gateway: driver.gateway_counters(),
                stream: driver.feed().stream().unwrap_or_default(),
                feed_core: driver.feed().core(),
                ..WorldCounters::default()
            },
        }
    }
}

fn simulation(
    settings: &Settings,
    recovered: Option<&Recovered>,
    clock: &Clock,
) -> Result<Simulation<StageBook>, Failure> {
    let mut paper = settings.paper();
    paper.first_id = recovered.map_or(0, |recovered| recovered.venue_id);
    let mut book = parts::book(settings);
    book.view_levels = 1;
    let venue = PaperVenue::new(
        &paper,
        parts::decoder(settings)?,
        parts::instruments(settings)?,
        StageBook::new(&book).map_err(Failure::usage)?,
    )
    .map_err(Failure::usage)?;
    let records: Vec<RecoveredRecord> =
        recovered.map(|recovered| recovered.records.clone()).unwrap_or_default();
    Simulation::new(&settings.simulation(), parts::feed(settings)?, venue, records, clock.clone())
        .map_err(Failure::usage)
}

fn live(settings: &Settings, recovered: Option<&Recovered>, clock: &Clock) -> Result<LiveDriver, Failure> {
    // Checked with the settings.
    let address = settings.venue.address.unwrap_or_default();
    let simulation = settings.simulation();
    let config = LiveConfig {
        ouch: settings.ouch(password(settings)?),
        venue: address.0.into(),
        timer_interval: simulation.timer_interval,
        duration: simulation.duration,
    };
    let carried = recovered
        .map(|recovered| Carried { mark: recovered.mark, records: recovered.records.clone() })
        .unwrap_or_default();
    let table = parts::instruments(settings)?;
    LiveDriver::new(&config, parts::feed(settings)?, &table, carried, clock.clone()).map_err(Failure::usage)
}

/// The password of the venue's login, from where the settings say.
pub(crate) fn password(settings: &Settings) -> Result<Alpha<10>, Failure> {
    let venue = &settings.venue;
    let read = || -> anyhow::Result<Alpha<10>> {
        let text = match (&venue.password_file, &venue.password_env) {
            (Some(file), _) => std::fs::read_to_string(file)
                .with_context(|| format!("venue.password_file: cannot read {}", file.display()))?,
            (None, Some(name)) => std::env::var(name)
                .with_context(|| format!("venue.password_env: the environment variable {name} is not set"))?,
            (None, None) => String::new(),
        };
        let first = text.lines().next().unwrap_or_default();
        Alpha::new(first).context("the password of the venue has more than 10 letters")
    };
    // The text itself is never told.
    match settings.feed.kind {
        FeedKind::Mold => read().map_err(Failure::Usage),
        FeedKind::Synthetic | FeedKind::Itch50 | FeedKind::Binance | FeedKind::Pcap => Ok(Alpha::BLANK),
    }
}

impl Driver for World {
    fn submit(&mut self, outbound: &Outbound) {
        match self {
            Self::Simulated(simulation) => simulation.submit(outbound),
            Self::Live(driver) => driver.submit(outbound),
        }
    }

    fn encoded(&self) -> Ticks {
        match self {
            Self::Simulated(simulation) => simulation.encoded(),
            Self::Live(driver) => driver.encoded(),
        }
    }

    fn submitted(&mut self, outbound: &Outbound, stamps: &ExitStamps) {
        match self {
            Self::Simulated(simulation) => simulation.submitted(outbound, stamps),
            Self::Live(driver) => driver.submitted(outbound, stamps),
        }
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        match self {
            Self::Simulated(simulation) => simulation.next(done),
            Self::Live(driver) => driver.next(done),
        }
    }

    fn advance(&mut self, frame: u64) {
        match self {
            Self::Simulated(simulation) => simulation.advance(frame),
            Self::Live(driver) => driver.advance(frame),
        }
    }

    fn now(&self) -> Nanos {
        match self {
            Self::Simulated(simulation) => simulation.now(),
            Self::Live(driver) => driver.now(),
        }
    }

    fn entered(&mut self, frame: u64) {
        match self {
            Self::Simulated(simulation) => simulation.entered(frame),
            Self::Live(driver) => driver.entered(frame),
        }
    }

    fn stop(&mut self) {
        match self {
            Self::Simulated(simulation) => simulation.stop(),
            Self::Live(driver) => driver.stop(),
        }
    }
}
