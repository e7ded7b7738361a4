//! Options of the command line that take the place of keys.

use crate::field::{IDLE_NAMES, choose, parse_duration};
use crate::problem::{ConfigError, Place, Problem, Wrong};
use crate::settings::{Address, Endpoint, FeedKind, Pace, Preset, Settings, VenueKind};
use jiff::civil::Date;
use std::path::PathBuf;

/// Options as they were written; `None` was not given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// `--feed`: `synthetic`, `itch50:FILE`, `pcap:FILE[,FILE…]` or `binance:FILE[,FILE…]`.
    pub feed: Option<String>,
    /// `--venue`: `exchange`, `paper` or `ouch:ADDRESS`. With `feed` and without it, the venue `exchange` of the configuration becomes `paper`: it is a
    /// market of its own.
    pub venue: Option<String>,
    /// `--date`: the session's date of an ITCH file.
    pub date: Option<String>,
    /// `--pace`: `max`, `realtime` or `xN`.
    pub pace: Option<String>,
    /// `--topology`: `auto`, `fused`, `split` or `custom`.
    pub topology: Option<String>,
    /// `--idle`: `spin`, `spin-hint`, `yield` or `park`, on every core.
    pub idle: Option<String>,
    /// `--duration`: such as `10s`, or `all`: until the feed ends.
    pub duration: Option<String>,
    /// `--seed`
    pub seed: Option<u64>,
    /// `--metrics`: an address, or `off`.
    pub metrics: Option<String>,
    /// `--sessions`: where session folders are made.
    pub folder: Option<PathBuf>,
    /// `--name`: the session's name.
    pub name: Option<String>,
}

impl Settings {
    /// Takes over the options that were given; problems with them are named by the option from now on. On an error the settings are as they
    /// were. Returns what should be told: with another feed than the configuration was made for, the built-in instruments and
    /// strategies are left out, and instruments are only learnt.
    ///
    /// # Errors
    /// Every option that cannot be read.
    pub fn apply(&mut self, overrides: &Overrides) -> Result<Vec<Problem>, ConfigError> {
        let mut next = self.clone();
        let mut applying = Applying { settings: &mut next, problems: Vec::new() };
        applying.read("--feed", "feed.kind", overrides.feed.as_deref(), feed_of, |settings, feed| {
            settings.feed.kind = feed.0;
            settings.feed.files = feed.1;
            settings.feed.lines = feed.2;
            settings.feed.date = None;
        });
        applying.also("--feed", "feed.files", overrides.feed.is_some());
        applying.also("--feed", "feed.lines", overrides.feed.is_some());
        applying.read("--venue", "venue.kind", overrides.venue.as_deref(), venue_of, |settings, venue| {
            settings.venue.kind = venue.0;
            if venue.1.is_some() {
                settings.venue.address = venue.1;
            }
        });
        applying.also("--venue", "venue.address", overrides.venue.is_some());
        if overrides.feed.is_some()
            && overrides.venue.is_none()
            && applying.settings.venue.kind == VenueKind::Exchange
        {
            applying.settings.venue.kind = VenueKind::Paper;
        }
        applying.also("--feed", "feed.date", overrides.feed.is_some());
        applying.read("--date", "feed.date", overrides.date.as_deref(), date_of, |settings, date| {
            settings.feed.date = Some(date);
        });
        applying.read(
            "--pace",
            "simulation.pace",
            overrides.pace.as_deref(),
            Pace::from_text,
            |settings, pace| {
                settings.simulation.pace = pace;
            },
        );
        let preset_of = |text: &str| choose(text, &Preset::NAMES);
        applying.read(
            "--topology",
            "topology.preset",
            overrides.topology.as_deref(),
            preset_of,
            |settings, preset| {
                if preset != Preset::Custom {
                    settings.topology.core.clear();
                }
                if matches!(preset, Preset::Custom | Preset::Auto) {
                    settings.topology.cores.clear();
                }
                settings.topology.preset = preset;
            },
        );
        let idle_of = |text: &str| choose(text, &IDLE_NAMES);
        applying.read("--idle", "topology.idle", overrides.idle.as_deref(), idle_of, |settings, idle| {
            settings.topology.idle = idle;
            for core in &mut settings.topology.core {
                core.idle = idle;
            }
        });
        let duration_of = |text: &str| if text == "all" { Ok(None) } else { parse_duration(text).map(Some) };
        applying.read(
            "--duration",
            "session.duration",
            overrides.duration.as_deref(),
            duration_of,
            |settings, span| {
                settings.session.duration = span;
            },
        );
        applying.read(
            "--metrics",
            "metrics.address",
            overrides.metrics.as_deref(),
            Address::from_text,
            |settings, address| {
                settings.metrics.address = address;
            },
        );
        if let Some(seed) = overrides.seed {
            applying.settings.session.seed = seed;
            applying.also("--seed", "session.seed", true);
        }
        if let Some(folder) = &overrides.folder {
            applying.settings.session.folder.clone_from(folder);
            applying.also("--sessions", "session.folder", true);
        }
        if let Some(name) = &overrides.name {
            applying.settings.session.name.clone_from(name);
            applying.also("--name", "session.name", true);
        }
        ConfigError::unless_empty(applying.problems)?;
        let mut notes = Vec::new();
        if next.is_builtin && next.feed.kind != self.feed.kind && overrides.feed.is_some() {
            next.instruments.clear();
            next.strategies.clear();
            next.calendars.clear();
            notes.push(Problem {
                place: Place::Option { name: "--feed".to_owned() },
                key: String::new(),
                what: "no instrument of this feed is configured: books are built, nothing is traded"
                    .to_owned(),
                mend: "give --config FILE with [[instrument]] and [[strategy]] to trade".to_owned(),
            });
            if overrides.duration.is_none() {
                next.session.duration = None;
            }
        }
        *self = next;
        Ok(notes)
    }
}

struct Applying<'s> {
    settings: &'s mut Settings,
    problems: Vec<Problem>,
}

impl Applying<'_> {
    fn read<T>(
        &mut self,
        option: &str,
        key: &str,
        text: Option<&str>,
        parse: impl Fn(&str) -> Result<T, Wrong>,
        set: impl FnOnce(&mut Settings, T),
    ) {
        let Some(text) = text else { return };
        match parse(text) {
            Ok(value) => {
                set(self.settings, value);
                self.also(option, key, true);
            }
            Err(wrong) => self.problems.push(Problem {
                place: Place::Option { name: option.to_owned() },
                key: String::new(),
                what: wrong.what,
                mend: wrong.mend,
            }),
        }
    }

    /// From now on the key stands on the command line.
    fn also(&mut self, option: &str, key: &str, is_given: bool) {
        if is_given {
            self.settings.places.note(key, Place::Option { name: option.to_owned() });
        }
    }
}

fn venue_of(text: &str) -> Result<(VenueKind, Option<Endpoint>), Wrong> {
    match text.split_once(':') {
        None if text == "paper" => Ok((VenueKind::Paper, None)),
        None if text == "ouch" => Ok((VenueKind::Ouch, None)),
        None if text == "exchange" => Ok((VenueKind::Exchange, None)),
        Some(("ouch", address)) => Ok((VenueKind::Ouch, Some(Endpoint::from_text(address)?))),
        None | Some(_) => {
            Err(Wrong::new(format!("{text:?} is not a venue"), "use exchange, paper or ouch:ADDRESS"))
        }
    }
}

fn feed_of(text: &str) -> Result<(FeedKind, Vec<PathBuf>, Vec<Endpoint>), Wrong> {
    let (name, files) = match text.split_once(':') {
        Some((name, files)) => (name, files),
        None => (text, ""),
    };
    let kind = choose(name, &FeedKind::NAMES).map_err(|_| {
        let what = format!("{name:?} is not a feed");
        Wrong::new(
            what,
            "use synthetic, itch50:FILE, pcap:FILE[,FILE…], binance:FILE[,FILE…] or mold:ADDRESS[,ADDRESS]",
        )
    })?;
    if kind == FeedKind::Mold {
        let lines: Vec<Endpoint> = files
            .split(',')
            .filter(|line| !line.is_empty())
            .map(Endpoint::from_text)
            .collect::<Result<_, _>>()?;
        return match lines.len() {
            1 | 2 => Ok((kind, Vec::new(), lines)),
            _ => Err(Wrong::new(
                format!("{text:?} does not name one or two lines"),
                "use mold:ADDRESS[,ADDRESS]",
            )),
        };
    }
    let files: Vec<PathBuf> = files.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    let mend = |mend: &str| Wrong::new(format!("{text:?} does not name what the feed reads"), mend);
    match (kind, files.len()) {
        (FeedKind::Synthetic, 0) | (FeedKind::Itch50, 1) | (FeedKind::Binance | FeedKind::Pcap, 1..) => {
            Ok((kind, files, Vec::new()))
        }
        (FeedKind::Synthetic, _) => Err(mend("use synthetic without a file")),
        (FeedKind::Itch50, _) => Err(mend("use itch50:FILE with one file")),
        (FeedKind::Binance, _) => Err(mend("use binance:FILE[,FILE…]")),
        (FeedKind::Pcap, _) => Err(mend("use pcap:FILE[,FILE…]")),
        (FeedKind::Mold, _) => Err(mend("use mold:ADDRESS[,ADDRESS]")),
    }
}

fn date_of(text: &str) -> Result<Date, Wrong> {
    text.parse().map_err(|_| Wrong::new(format!("{text:?} is not a date"), "write it as 2019-12-30"))
}

#[cfg(test)]
mod tests;
