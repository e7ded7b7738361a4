//! [`Bench`]: what every suite is given: how long, how fast, on which cores; and where it leaves what it measured.

use crate::error::LabError;
use crate::lab::Load;
use crate::measure::{Role, Sheet};
use crate::pingpong::{Distance, one_way_ns, pin};
use hdrhistogram::Histogram;
use spinward_engine::pipeline::HostCores;
use spinward_engine::words::{Clock, Nanos};
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rounds of each measurement, at least 1.
    pub rounds: usize,
    /// Length of the paced part of a round. What is not paced does [`Plan::operations`] instead.
    pub seconds: f64,
    /// Frames a second, where the load is paced.
    pub rate: u64,
    /// How they come; `None` for evenly at the rate.
    pub load: Option<Load>,
    /// The cores there are.
    pub host: HostCores,
}

impl Plan {
    /// The load.
    pub fn load(&self) -> Load {
        self.load.clone().unwrap_or(Load::Rate(self.rate))
    }

    /// Frames of a paced round.
    pub fn frames(&self) -> usize {
        let rate = self.load().rate().unwrap_or(self.rate);
        ((rate as f64 * self.seconds) as usize).max(1_000)
    }

    /// Operations of a round without pace: a million for each second asked for.
    pub fn operations(&self) -> usize {
        ((1e6 * self.seconds) as usize).max(1_000)
    }
}

/// A suite at work.
pub struct Bench<'a> {
    /// What was asked for.
    pub plan: Plan,
    /// Stamps.
    pub clock: Clock,
    /// What was measured.
    pub sheet: Sheet,
    /// What makes two runs comparable.
    pub config: BTreeMap<String, String>,
    /// What this host cannot carry, and why.
    pub skipped: Vec<String>,
    progress: &'a mut dyn FnMut(&str),
}

impl<'a> Bench<'a> {
    /// Before anything is measured. `progress` is told what goes on.
    pub fn new(plan: Plan, progress: &'a mut dyn FnMut(&str)) -> Self {
        let (config, skipped) = (BTreeMap::new(), Vec::new());
        Self { plan, clock: Clock::new(), sheet: Sheet::default(), config, skipped, progress }
    }

    /// Says what goes on.
    pub fn say(&mut self, what: &str) {
        (self.progress)(what);
    }

    /// Sets what has to be equal for two runs to be compared.
    pub fn configure(&mut self, key: &str, value: impl ToString) {
        self.config.insert(key.to_owned(), value.to_string());
    }

    /// Notes what is left out, and says so.
    pub fn skip(&mut self, what: String) {
        (self.progress)(&format!("SKIPPED: {what}"));
        self.skipped.push(what);
    }

    /// The two cores of a measurement across cores: isolated ones first. `None` on a host with a single one.
    pub fn two_cores(&self) -> Option<(usize, usize)> {
        match self.plan.host.preferred().as_slice() {
            [first, second, ..] => Some((*first, *second)),
            _ => None,
        }
    }

    /// The core for what needs one alone: the second of two.
    pub fn core(&self) -> usize {
        let preferred = self.plan.host.preferred();
        preferred.get(1).or(preferred.first()).copied().unwrap_or(0)
    }

    /// Runs `measure` between two ping-pongs and names it by where the cores lay: `near`, `far`, or `moved` if they did not stay.
    ///
    /// # Errors
    /// Those of `measure`.
    pub fn labelled<R>(
        &self,
        cores: (usize, usize),
        measure: impl FnOnce() -> Result<R, LabError>,
    ) -> Result<(R, &'static str), LabError> {
        let (result, label, _) = self.between_ping_pongs(cores, measure)?;
        Ok((result, label))
    }

    /// As [`Bench::labelled`]; gives the mean of the two ping-pongs' one-way medians as well, in nanoseconds.
    ///
    /// # Errors
    /// Those of `measure`.
    pub fn between_ping_pongs<R>(
        &self,
        (first, second): (usize, usize),
        measure: impl FnOnce() -> Result<R, LabError>,
    ) -> Result<(R, &'static str, u64), LabError> {
        let clock = &self.clock;
        let one_way = || on_core(first, || one_way_ns(clock, first, second, 5_000));
        let before = one_way()?;
        let result = measure()?;
        let after = one_way()?;
        let is_same = Distance::of(before) == Distance::of(after);
        let label = if is_same { Distance::of(before).name() } else { "moved" };
        Ok((result, label, before.midpoint(after)))
    }

    /// Keeps the samples of one round under a name that says where the cores lay.
    ///
    /// # Errors
    /// As [`Sheet::latency`].
    pub fn across(
        &mut self,
        name: &str,
        role: Role,
        control: Option<&str>,
        samples: &Histogram<u64>,
        label: &str,
    ) -> Result<(), LabError> {
        let control = control.map(|control| format!("{control} [{label}]"));
        self.sheet.latency(&format!("{name} [{label}]"), role, control.as_deref(), samples)
    }

    /// The round is over.
    pub fn end_round(&mut self) {
        self.sheet.end_round(now());
    }
}

/// The system's time: for the names of files and the intervals of logs.
pub fn now() -> Nanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::new(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Runs `work` on a thread of its own, pinned to `core`: the caller's thread stays free.
///
/// # Errors
/// The thread panicked.
pub fn on_core<R: Send>(core: usize, work: impl FnOnce() -> R + Send) -> Result<R, LabError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            pin(core);
            work()
        });
        thread.join().map_err(|_| LabError::failed("a measuring thread panicked"))
    })
}
