//! Instructions of each stage, counted by callgrind: the same on every run of the same build, however busy the machine. A regression of some per cent is seen
//! where no clock of a shared machine could.
//!
//! `tools/setup/instructions` runs [`run`] once for few frames and once for many under valgrind, each stage with all before it; the difference, by frame, is
//! exact, and what the stage before had is taken off. [`check`] holds the result against `benches/instructions.toml`.

use crate::binance::BinanceSession;
use crate::error::LabError;
use crate::market::Market;
use crate::parts::instruments;
use crate::straight::{Probe, Straight, Upto};
use serde::{Deserialize, Serialize};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::words::{Nanos, SourceId};
use spinward_gateways::binance::{BinanceConfig, BinanceDecoder};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;

/// Version of the baseline's file.
pub const BASELINE_FORMAT: u32 = 1;

/// What is counted, in order: each contains the one before, except for the first of a chain.
pub const STAGES: [Stage; 7] = [
    Stage { name: "feed", before: None, about: "the loop that fills the frame" },
    Stage { name: "normalizer", before: Some("feed"), about: "normalizer with its ITCH 5.0 decoder" },
    Stage { name: "book", before: Some("normalizer"), about: "books, view and statistics" },
    Stage { name: "strategies", before: Some("book"), about: "strategy runner, nothing subscribed" },
    Stage { name: "risk", before: Some("strategies"), about: "risk without an order" },
    Stage {
        name: "trading",
        before: Some("risk"),
        about: "what a taker on 8 symbols and its orders add, by market frame",
    },
    Stage { name: "binance", before: None, about: "Binance decoder, by message" },
];

/// Something that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// The stage whose count is taken off.
    pub before: Option<&'static str>,
    /// What it is.
    pub about: &'static str,
}

/// Frames that the market has behind its opening: the same for every count, so that only the loop differs.
const MARKET: usize = 50_000;

/// Instructions that are added to a stage on purpose: the control that must fail.
struct Plant {
    stage: Option<usize>,
    turns: u64,
}

impl Probe for Plant {
    const LOOKS_AT_RISK: bool = false;

    #[inline]
    fn begin(&mut self, stage: usize) {
        if self.stage == Some(stage) {
            for turn in 0..self.turns {
                black_box(turn);
            }
        }
    }
}

/// Runs `frames` frames through the stages up to `stage`; `plant` adds so many turns of an empty loop to each event of a stage. Returns
/// the events seen.
///
/// # Errors
/// No such stage, or a part refuses its settings.
pub fn run(stage: &str, frames: usize, plant: Option<(&str, u64)>) -> Result<u64, LabError> {
    let index_of = |name: &str| match name {
        "normalizer" => Some(0),
        "book" => Some(1),
        "strategies" => Some(2),
        "risk" => Some(3),
        _ => None,
    };
    let (upto, traded) = match stage {
        "feed" => (Upto::Feed, 0),
        "normalizer" => (Upto::Normalizer, 0),
        "book" => (Upto::Book, 0),
        "strategies" => (Upto::Strategies, 0),
        "risk" => (Upto::Risk, 0),
        "trading" => (Upto::Risk, 8),
        "binance" => return binance(frames),
        _ => return Err(LabError::Usage(format!("no stage {stage:?}: see benches/instructions.toml"))),
    };
    let market = Market::generate(&Market::hot(7), MARKET)?;
    let mut stages = Straight::new(&market, traded)?;
    // The same code with and without a plant: a second copy of the stages would be optimised otherwise.
    let mut probe = Plant {
        stage: plant.and_then(|(name, _)| index_of(name)),
        turns: black_box(plant.map_or(0, |(_, turns)| turns)),
    };
    for index in 0..market.opening + frames {
        let Some((time, bytes)) = market.message(index) else { break };
        stages.message(time, bytes, 0, upto, &mut probe);
    }
    Ok(stages.events)
}

fn binance(messages: usize) -> Result<u64, LabError> {
    let session = BinanceSession::generate(7, MARKET);
    let mut decoder = BinanceDecoder::new(&BinanceConfig::default()).map_err(LabError::failed)?;
    let mut table = instruments(0)?;
    let mut out = EventBatch::new();
    let mut events = 0;
    let meta = MessageMeta { frame: 1, receive_time: Nanos::ZERO, source: SourceId::new(0) };
    for message in session.messages().take(messages + 2) {
        out.clear();
        decoder.decode(&meta, black_box(message), &mut table, &mut out);
        events += black_box(out.events()).len() as u64;
    }
    Ok(events)
}

/// Instructions by frame, each stage by itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// [`BASELINE_FORMAT`].
    pub format: u32,
    /// How far a count may be from the baseline, per cent, up or down.
    pub tolerance_percent: f64,
    /// Compiler of the counts: another one gives other counts.
    pub rustc: String,
    /// Instructions by stage.
    pub stages: BTreeMap<String, f64>,
}

impl Baseline {
    /// From lines `STAGE FEW INSTRUCTIONS MANY INSTRUCTIONS`.
    ///
    /// # Errors
    /// A line that is none, a stage that is missing.
    pub fn from_counts(text: &str, rustc: &str) -> Result<Self, LabError> {
        let mut upto = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let bad = || LabError::Usage(format!("not a count: {line:?}"));
            let [stage, few, low, many, high] = words.as_slice() else { return Err(bad()) };
            let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
            let frames =
                number(many)?.checked_sub(number(few)?).filter(|frames| *frames > 0).ok_or_else(bad)?;
            let instructions = number(high)?.checked_sub(number(low)?).ok_or_else(bad)?;
            upto.insert((*stage).to_owned(), instructions as f64 / frames as f64);
        }
        let count = |name: &str| {
            upto.get(name).copied().ok_or_else(|| LabError::Usage(format!("no count of stage {name}")))
        };
        let mut stages = BTreeMap::new();
        for stage in STAGES {
            let before = stage.before.map_or(Ok(0.0), count)?;
            let own = count(stage.name)? - before;
            stages.insert(stage.name.to_owned(), (own * 100.0).round() / 100.0);
        }
        Ok(Self { format: BASELINE_FORMAT, tolerance_percent: 3.0, rustc: rustc.to_owned(), stages })
    }

    /// Reads the stored one.
    ///
    /// # Errors
    /// It cannot be read, is none, or of a later format.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::io("read", path, error))?;
        let baseline: Self = toml::from_str(&text).map_err(|error| LabError::file(path, error))?;
        if baseline.format > BASELINE_FORMAT {
            return Err(LabError::file(path, format!("format {}: use newer sources", baseline.format)));
        }
        Ok(baseline)
    }

    /// As the file has it.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# Instructions by frame of each stage, counted by callgrind (hot market; see docs/latency-lab.md). Written by `tools/setup/instructions --update`.\n\
             format = {}\ntolerance_percent = {:.1}\nrustc = {:?}\n\n[stages]\n",
            self.format, self.tolerance_percent, self.rustc
        );
        for stage in STAGES {
            if let Some(count) = self.stages.get(stage.name) {
                text.push_str(&format!("{:<10} = {count:>8.2} # {}\n", stage.name, stage.about));
            }
        }
        text
    }

    /// Turns of an empty loop that add this share of a stage's count, or a little more: a turn has four instructions, to begin and to end takes two, and
    /// one turn is the least.
    pub fn turns_of(&self, stage: &str, percent: f64) -> Option<u64> {
        self.stages.get(stage).map(|count| ((count * percent / 100.0 - 2.0) / 4.0).ceil().max(1.0) as u64)
    }
}

/// One stage against its baseline.
#[derive(Clone, PartialEq, Debug)]
pub struct Deviation {
    /// The stage.
    pub stage: &'static str,
    /// Stored count; `None` for a stage that is not in the file.
    pub stored: Option<f64>,
    /// Count now.
    pub found: f64,
    /// Per cent of the stored count.
    pub percent: f64,
    /// Whether that is within the tolerance.
    pub is_good: bool,
}

/// Holds counts against the stored ones. Fewer instructions than the tolerance allows are an improvement that has to be stored, or the next
/// regression would hide in it; so they fail, too.
pub fn check(stored: &Baseline, found: &Baseline) -> Vec<Deviation> {
    let deviation = |stage: Stage| {
        let found = found.stages.get(stage.name).copied().unwrap_or(0.0);
        let stored_count = stored.stages.get(stage.name).copied();
        let percent = stored_count.map_or(0.0, |stored| (found / stored - 1.0) * 100.0);
        let is_good = stored_count.is_some_and(|_| percent.abs() <= stored.tolerance_percent);
        Deviation { stage: stage.name, stored: stored_count, found, percent, is_good }
    };
    STAGES.into_iter().map(deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: &str = "feed 10 1000 110 5000\nnormalizer 10 3000 110 33000\nbook 10 9000 110 99000\n\
                          strategies 10 9100 110 101900\nrisk 10 9200 110 105000\ntrading 10 9300 110 115100\n\
                          binance 10 8000 110 208000\n";

    fn baseline() -> Baseline {
        Baseline::from_counts(COUNTS, "1.95.0").unwrap()
    }

    #[test]
    fn each_stage_gets_what_it_adds_to_the_one_before() {
        let stages = baseline().stages;
        let expected = [
            ("feed", 40.0),
            ("normalizer", 260.0),
            ("book", 600.0),
            ("strategies", 28.0),
            ("risk", 30.0),
            ("trading", 100.0),
            ("binance", 2_000.0),
        ];
        for (stage, count) in expected {
            assert_eq!(stages.get(stage), Some(&count), "{stage}");
        }
    }

    #[test]
    fn an_unchanged_tree_passes_and_five_per_cent_more_in_any_stage_fail() {
        let stored = baseline();
        assert!(check(&stored, &baseline()).iter().all(|stage| stage.is_good));
        for stage in STAGES {
            for factor in [1.05, 0.95] {
                let mut found = baseline();
                *found.stages.get_mut(stage.name).unwrap() *= factor;
                let bad: Vec<_> = check(&stored, &found).into_iter().filter(|stage| !stage.is_good).collect();
                assert_eq!(bad.iter().map(|stage| stage.stage).collect::<Vec<_>>(), [stage.name]);
            }
            let mut found = baseline();
            *found.stages.get_mut(stage.name).unwrap() *= 1.029;
            assert!(check(&stored, &found).iter().all(|stage| stage.is_good), "3 % is let pass");
        }
    }

    #[test]
    fn the_file_is_read_back_and_a_stage_without_a_baseline_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instructions.toml");
        std::fs::write(&path, baseline().to_toml()).unwrap();
        let mut stored = Baseline::read(&path).unwrap();
        assert_eq!(stored, baseline());
        stored.stages.remove("risk");
        let bad: Vec<_> = check(&stored, &baseline()).into_iter().filter(|stage| !stage.is_good).collect();
        assert_eq!((bad.len(), bad[0].stage, bad[0].stored), (1, "risk", None));
    }

    #[test]
    fn a_plant_is_as_small_as_it_can_be_and_not_smaller_than_asked_for() {
        // Of 600 instructions 5 % are 30: seven turns of four, and two. Of 28 they are less than a turn has.
        assert_eq!(baseline().turns_of("book", 5.0), Some(7));
        assert_eq!(baseline().turns_of("strategies", 5.0), Some(1));
        assert_eq!(baseline().turns_of("none", 5.0), None);
    }

    #[test]
    fn counts_that_are_none_are_refused() {
        assert!(Baseline::from_counts("feed 10 1000 110\n", "x").is_err());
        assert!(Baseline::from_counts("feed 10 1000 10 5000\n", "x").is_err());
        let error = Baseline::from_counts("feed 10 1000 110 5000\n", "x").unwrap_err().to_string();
        assert!(error.contains("no count of stage"), "{error}");
    }

    #[test]
    fn every_stage_can_be_run() {
        for stage in STAGES {
            let events = run(stage.name, 50, None).unwrap();
            assert!(stage.name == "feed" || events > 50, "{}: {events}", stage.name);
        }
        assert!(run("no such", 1, None).is_err());
    }
}
