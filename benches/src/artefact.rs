//! [`Artefact`]: one run of a suite as a file, with everything that its figures depend on. The format is described in `docs/latency-lab.md`.

use crate::bench::{Bench, Plan, now};
use crate::error::LabError;
use crate::measure::{Metric, Ratio, ratios};
use crate::suites::{self, CurvePoint, Knee, Suite, knee};
use serde::{Deserialize, Serialize};
use spinward_recorder::{Fingerprint, fingerprint, rfc3339};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the file that this code writes, and the newest it reads.
pub const ARTEFACT_FORMAT: u32 = 1;

/// One run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// [`ARTEFACT_FORMAT`].
    pub format: u32,
    /// Name of the suite.
    pub suite: String,
    /// When it began, UTC, RFC 3339.
    pub started: String,
    /// How long it took, seconds.
    pub took_seconds: f64,
    /// Version of spinward.
    pub version: String,
    /// Commit it was built from.
    pub commit: String,
    /// How it was built: `release` or `debug`.
    pub build: String,
    /// The machine.
    pub fingerprint: Fingerprint,
    /// What has to be equal for two runs to be compared.
    pub config: BTreeMap<String, String>,
    /// Digest of `config`.
    pub config_fingerprint: String,
    /// Rounds asked for.
    pub rounds: usize,
    /// Length of a paced round, seconds.
    pub seconds: f64,
    /// What was measured, floor and controls included. Nanoseconds.
    pub metrics: Vec<Metric>,
    /// Each subject against its control.
    pub ratios: Vec<Ratio>,
    /// Of a sweep: latency at each rate.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub curve: Vec<CurvePoint>,
    /// Of a sweep: the last rate before queueing rules.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub knee: Option<Knee>,
    /// What this host could not carry.
    pub skipped: Vec<String>,
    /// Name of the interval log beside the file.
    pub interval_log: String,
}

/// Who measures: what the binary knows of itself.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// Version of spinward.
    pub version: &'a str,
    /// Commit it was built from.
    pub commit: &'a str,
}

/// Runs a suite and leaves `<UTC start>-<suite>.json` and `.hlog` in `folder`, which is made if need be. `rates` are those of a sweep.
///
/// # Errors
/// The suite failed, or a file cannot be written.
pub fn measure(
    suite: Suite,
    plan: &Plan,
    rates: &[u64],
    build: Build<'_>,
    folder: &Path,
    progress: &mut dyn FnMut(&str),
) -> Result<(Artefact, PathBuf), LabError> {
    std::fs::create_dir_all(folder).map_err(|error| LabError::io("create", folder, error))?;
    let started = now();
    let mut bench = Bench::new(plan.clone(), progress);
    bench.configure("suite", suite);
    let cores = bench.plan.host.preferred();
    bench.configure("cores", format!("{:?}", cores.get(..2).unwrap_or(&cores)));
    let extra = suites::run(suite, &mut bench, rates)?;
    let metrics = bench.sheet.metrics();
    let text: String = bench.config.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    let name = file_name(folder, &rfc3339(started), suite);
    let artefact = Artefact {
        format: ARTEFACT_FORMAT,
        suite: suite.name().to_owned(),
        started: rfc3339(started),
        took_seconds: now().since(started).get() as f64 / 1e9,
        version: build.version.to_owned(),
        commit: build.commit.to_owned(),
        build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
        fingerprint: Fingerprint::current(),
        config_fingerprint: fingerprint(&text),
        config: bench.config,
        rounds: plan.rounds,
        seconds: plan.seconds,
        ratios: ratios(&metrics),
        metrics,
        knee: knee(&extra.curve),
        curve: extra.curve,
        skipped: bench.skipped,
        interval_log: format!("{name}.hlog"),
    };
    let comment = format!(
        "spinward bench {suite}; version={}; commit={}; build={}; config={}; {}",
        artefact.version, artefact.commit, artefact.build, artefact.config_fingerprint, artefact.fingerprint
    );
    bench.sheet.write_log(&folder.join(&artefact.interval_log), started, &comment)?;
    let path = folder.join(format!("{name}.json"));
    artefact.write(&path)?;
    Ok((artefact, path))
}

/// `20261123T091500Z-ring`; a second one in the same second gets a number.
fn file_name(folder: &Path, started: &str, suite: Suite) -> String {
    let stamp: String = started.chars().take(19).filter(|letter| !matches!(letter, '-' | ':')).collect();
    let free = |name: &String| !folder.join(format!("{name}.json")).exists();
    let plain = format!("{stamp}Z-{suite}");
    let numbered = (2u32..).map(|number| format!("{stamp}Z.{number}-{suite}"));
    std::iter::once(plain.clone()).chain(numbered).find(free).unwrap_or(plain)
}

impl Artefact {
    /// Writes it as a new file.
    ///
    /// # Errors
    /// There is a file already, or it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LabError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| LabError::file(path, error))?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(|error| LabError::io("create", path, error))?;
        std::io::Write::write_all(&mut file, text.as_bytes())
            .map_err(|error| LabError::io("write", path, error))
    }

    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, is no artefact, or of a later format.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::io("read", path, error))?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| LabError::file(path, format!("not an artefact of `spinward bench`: {error}")))?;
        if let Some(format) = value.get("format").and_then(serde_json::Value::as_u64)
            && format > u64::from(ARTEFACT_FORMAT)
        {
            let what = format!(
                "artefact format {format}; this program reads up to {ARTEFACT_FORMAT}: use a newer spinward"
            );
            return Err(LabError::file(path, what));
        }
        serde_json::from_value(value)
            .map_err(|error| LabError::file(path, format!("not an artefact of `spinward bench`: {error}")))
    }

    /// The metric by its name.
    pub fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}
