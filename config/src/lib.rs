//! Configuration: TOML files and their schema, turned into the plain `Config` of each crate.
//!
//! Enters: the text of a file, and options of the command line. Leaves: [`Settings`], and from them what each crate is built with; or
//! every [`Problem`] at once, each with file, line, column, key and the mend. Never: a default for what was misspelt, a float for
//! a price or a quantity, a clock, a socket.

mod problem;
mod document;
mod field;
mod visit;
mod settings;
mod calendar;
mod instrument;
mod strategy;
mod check;
mod convert;
mod overrides;

pub use calendar::{ALWAYS, CalendarSettings, Days, EarlyClose, FIRST_YEAR, LAST_YEAR, SessionHours};
pub use convert::midnight_before;
pub use field::{Bytes, Exact};
pub use instrument::{FEED_SOURCE, FeeSettings, InstrumentSettings, LimitSettings, TickBandSettings};
pub use overrides::Overrides;
pub use problem::{ConfigError, Place, Problem};
pub use settings::{
    AccountSettings, Address, ArrivalKind, BinanceSettings, BookSettings, CoreSettings, Endpoint,
    ExchangeSettings, FaultSettings, FeedKind, FeedSettings, Interface, JournalSettings, LatencySettings,
    LimitKind, ListingSettings, MetricsSettings, OperatorSettings, Pace, PaperSettings, PipelineSettings,
    PortAddress, Preset, ReceiveBy, ReceiveSettings, RiskSettings, SessionSettings, Settings,
    SimulationSettings, SocketPath, StallStage, SyntheticSettings, TopologySettings, VenueKind,
    VenueSettings, known_keys,
};
pub use strategy::{IMBALANCE_TAKER, MARKET_MAKER, Parameters, StrategySpec, parameters};

use document::Source;
use std::path::{Path, PathBuf};

/// The text of the configuration that is used without a file: what `spinward config init` prints. Every key stands in it, explained
/// with unit, range and default.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// Its text as written.
    pub source: String,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a file. What depends on the host (cores, files of the feed) is checked by [`Settings::validate`].
///
/// # Errors
/// Every problem of the file; or that it cannot be read.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let unreadable = |line: usize, column: usize, what: String, mend: &str| ConfigError {
        problems: vec![Problem {
            place: Place::File { file: PathBuf::from(path).into(), line, column },
            key: String::new(),
            what,
            mend: mend.to_owned(),
        }],
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let mend = "name a file that can be read; `spinward config init` prints one to start from";
        unreadable(0, 0, format!("cannot read the configuration: {error}"), mend)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(valid).filter(|&&byte| byte == b'\n').count() + 1;
        unreadable(line, 1, "the text is not UTF-8".to_owned(), "save the file as UTF-8")
    })?;
    from_text(path, &text)
}

/// As [`load`], for a text that is already in memory; `path` is what problems call it.
///
/// # Errors
/// As [`load`].
pub fn from_text(path: &Path, text: &str) -> Result<Loaded, ConfigError> {
    let source = Source::new(path.to_owned(), text);
    let table = source.parse()?;
    let (settings, mut problems) = Settings::read(&source, &table);
    // A key that could not be read kept its default: what the checks say of it, or of the table round it, is not news.
    let told: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
    let is_news = |problem: &Problem| {
        !told.iter().any(|key| {
            key.strip_prefix(&problem.key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    };
    problems.extend(settings.check().into_iter().filter(is_news));
    ConfigError::unless_empty(problems)?;
    let warnings = settings.warnings();
    Ok(Loaded { settings, source: text.to_owned(), warnings })
}

/// The configuration of a session without a file: [`DEFAULT_TOML`].
pub fn builtin() -> Loaded {
    let loaded = from_text(Path::new("default.toml (built in)"), DEFAULT_TOML);
    debug_assert!(loaded.is_ok(), "{loaded:?}");
    let mut loaded = loaded.unwrap_or_else(|_| Loaded {
        settings: Settings::default(),
        source: DEFAULT_TOML.to_owned(),
        warnings: Vec::new(),
    });
    loaded.settings.is_builtin = true;
    loaded
}

#[cfg(test)]
mod tests;
