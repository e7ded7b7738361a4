//! [`Settings`]: all of a session's configuration as plain data, with the place where each key was written.

mod engine;
mod market;
mod receive;
mod outputs;
mod latency;
mod venue;
mod exchange;

pub use engine::{BookSettings, CoreSettings, PipelineSettings, Preset, RiskSettings, TopologySettings};
pub use exchange::{AccountSettings, ExchangeSettings, Interface, ListingSettings, PortAddress};
pub use latency::{FaultSettings, LatencySettings, StallStage};
pub use market::{
    ArrivalKind, BinanceSettings, Endpoint, FeedKind, FeedSettings, Pace, PaperSettings, SessionSettings,
    SimulationSettings, SyntheticSettings,
};
pub use outputs::{Address, JournalSettings, MetricsSettings, OperatorSettings, SocketPath};
pub use receive::{ReceiveBy, ReceiveSettings};
pub use venue::{LimitKind, VenueKind, VenueSettings};

use crate::calendar::CalendarSettings;
use crate::document::{Places, Source};
use crate::instrument::InstrumentSettings;
use crate::problem::Problem;
use crate::strategy::StrategySpec;
use crate::visit::{self, Reading, Section, Visitor};
use serde::{Serialize, Serializer};
use spinward_engine::words::Digest;
use toml::Spanned;
use toml::de::DeTable;

/// The configuration of a session, every default filled in. Serializes to the form in which it could be read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `[session]`
    pub session: SessionSettings,
    /// `[feed]`
    pub feed: FeedSettings,
    /// `[simulation]`
    pub simulation: SimulationSettings,
    /// `[venue]`
    pub venue: VenueSettings,
    /// `[paper]`
    pub paper: PaperSettings,
    /// `[pipeline]`
    pub pipeline: PipelineSettings,
    /// `[topology]`
    pub topology: TopologySettings,
    /// `[book]`
    pub book: BookSettings,
    /// `[risk]`
    pub risk: RiskSettings,
    /// `[journal]`
    pub journal: JournalSettings,
    /// `[latency]`
    pub latency: LatencySettings,
    /// `[faults]`
    pub faults: FaultSettings,
    /// `[metrics]`
    pub metrics: MetricsSettings,
    /// `[operator]`
    pub operator: OperatorSettings,
    /// `[exchange]`
    pub exchange: ExchangeSettings,
    /// `[[calendar]]`
    pub calendars: Vec<CalendarSettings>,
    /// `[[instrument]]`, in the order of their ids.
    pub instruments: Vec<InstrumentSettings>,
    /// `[[strategy]]`, in the order of their ids.
    pub strategies: Vec<StrategySpec>,
    pub(crate) places: Places,
    pub(crate) is_builtin: bool,
}

impl Section for Settings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.section("session", &mut self.session);
        visitor.section("feed", &mut self.feed);
        visitor.section("simulation", &mut self.simulation);
        visitor.section("venue", &mut self.venue);
        visitor.section("paper", &mut self.paper);
        visitor.section("pipeline", &mut self.pipeline);
        visitor.section("topology", &mut self.topology);
        visitor.section("book", &mut self.book);
        visitor.section("risk", &mut self.risk);
        visitor.section("journal", &mut self.journal);
        visitor.section("latency", &mut self.latency);
        visitor.section("faults", &mut self.faults);
        visitor.section("metrics", &mut self.metrics);
        visitor.section("operator", &mut self.operator);
        visitor.section("exchange", &mut self.exchange);
        visitor.sections("calendar", &mut self.calendars);
        visitor.sections("instrument", &mut self.instruments);
        visitor.sections("strategy", &mut self.strategies);
    }
}

impl Settings {
    /// Reads all keys; what is wrong with single ones is told, and such a key keeps its default.
    pub(crate) fn read(source: &Source, table: &Spanned<DeTable<'_>>) -> (Self, Vec<Problem>) {
        let mut settings = Self::default();
        let mut reading = Reading { source, places: Places::of(source), problems: Vec::new() };
        visit::read(&mut settings, table, &mut reading);
        settings.places = reading.places;
        (settings, reading.problems)
    }

    /// The canonical form: every key, in the order of the reference, numbers in their shortest exact text. Reading it gives the same settings.
    pub fn to_table(&self) -> toml::Table {
        visit::write(&mut self.clone())
    }

    /// As [`Settings::to_table`], as text.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.to_table()).unwrap_or_default()
    }

    /// 16 hexadecimal digits over the canonical form: the same for settings that mean the same, however they were written.
    pub fn fingerprint(&self) -> String {
        let mut digest = Digest::new();
        digest.add(self.to_toml().as_bytes());
        format!("{:016x}", digest.value())
    }

    /// A problem at the place where the key was written; if it was not, at its table.
    pub fn problem(&self, key: &str, what: impl Into<String>, mend: impl Into<String>) -> Problem {
        Problem { place: self.places.find(key), key: key.to_owned(), what: what.into(), mend: mend.into() }
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_table().serialize(serializer)
    }
}

/// Every key there is, lists as `instrument[].tick`.
pub fn known_keys() -> Vec<String> {
    visit::list(&mut Settings::default())
}
