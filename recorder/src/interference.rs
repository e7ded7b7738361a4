//! What the system takes from the pipeline's threads: context switches, page faults, migrations, interrupts and softirqs of their cores, steal
//! time, frequency, and the gaps that the threads' own loops have seen. Sampled by a thread of its own; the pinned ones know nothing of it.
//!
//! Stored as `latency/interference.jsonl`: a header, then a line for each thread and interval in which anything happened, and one for each gap.

mod counts;
mod log;

pub use log::{
    INTERFERENCE_FORMAT, Interference, InterferenceHeader, InterferenceLog, InterferenceRow,
    read_interference,
};

use crate::error::JournalError;
use crate::orders::StampTime;
use counts::{CoreCounts, CoreTables, ThreadCounts};
use serde::{Deserialize, Serialize};
use spinward_engine::counters::{Counter, Gauge};
use spinward_engine::pipeline::{CoreReport, Gap};
use spinward_engine::words::Nanos;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most gaps of one thread that are listed for one interval, the longest ones; the others are in the sums.
pub const GAPS_LISTED_MAX: usize = 64;

/// Interrupts of devices, not of the processor's own timers and calls, that this core has had since the system began; 0 where that cannot be told.
pub fn device_interrupts(core: usize) -> u64 {
    let counts = CoreTables::read(Path::new("/proc")).of(core, Path::new("/sys"));
    counts.interrupts.iter().filter(|(name, _)| counts::is_of_device(name)).map(|(_, count)| count).sum()
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What happened to one thread, and on its core, in one interval. Times on the stamps' clock, nanoseconds since the epoch.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Name of the thread.
    pub thread: String,
    /// Where it ran, when it was looked at.
    pub core: usize,
    /// Begin of the interval.
    pub from_ns: i64,
    /// Its end.
    pub to_ns: i64,
    /// Times that it was taken off its core for another.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub involuntary_switches: u64,
    /// Times that it gave its core away.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub voluntary_switches: u64,
    /// Page faults that needed no disk.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor_faults: u64,
    /// Page faults that did.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub major_faults: u64,
    /// Times that it was moved to another core.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub migrations: u64,
    /// How long it could have run and did not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_ns: u64,
    /// What the hypervisor took from the core, in the system's ticks of 10 ms.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub steal_ns: u64,
    /// Gaps that its loop saw.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gaps: u64,
    /// Their length in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gap_ns: u64,
    /// Frequency of the core at the end; 0 where the system does not tell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub khz: u64,
    /// Interrupts of the core, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub interrupts: BTreeMap<String, u64>,
    /// Its softirqs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub softirqs: BTreeMap<String, u64>,
}

impl Sample {
    /// Whether anything happened.
    pub fn is_quiet(&self) -> bool {
        let numbers = [
            self.involuntary_switches,
            self.voluntary_switches,
            self.minor_faults,
            self.major_faults,
            self.migrations,
            self.waited_ns,
            self.steal_ns,
            self.gaps,
        ];
        numbers.iter().all(|number| *number == 0) && self.interrupts.is_empty() && self.softirqs.is_empty()
    }
}

/// A gap of a thread's loop.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct GapRow {
    /// Name of the thread.
    pub thread: String,
    /// The core that it is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<usize>,
    /// The last time that the loop was seen before.
    pub from_ns: i64,
    /// The first time after.
    pub to_ns: i64,
    /// Whether it had work in between, which may be what took the time.
    pub worked: bool,
}

/// Sums of one thread since the start. One writer: who polls the [`InterferenceWatch`].
#[derive(Debug)]
pub struct ThreadTotals {
    /// Name of the thread.
    pub thread: String,
    /// By kind: see [`InterferenceTotals::COUNTS`].
    pub counts: [Counter; 8],
    /// By kind, nanoseconds: see [`InterferenceTotals::TIMES`].
    pub times: [Counter; 3],
    /// Longest gap, nanoseconds.
    pub gap_ns_max: Gauge,
    /// Frequency of its core, hertz.
    pub hertz: Gauge,
}

/// Sums of all threads.
#[derive(Debug, Default)]
pub struct InterferenceTotals {
    /// By thread, in the order of the cores.
    pub threads: Vec<ThreadTotals>,
    /// Looks at the system.
    pub samples: Counter,
    /// What looking took, nanoseconds.
    pub sample_ns: Counter,
}

impl InterferenceTotals {
    /// Names of [`ThreadTotals::counts`].
    pub const COUNTS: [&'static str; 8] = [
        "involuntary_switches",
        "voluntary_switches",
        "minor_faults",
        "major_faults",
        "migrations",
        "interrupts",
        "softirqs",
        "gaps",
    ];
    /// Names of [`ThreadTotals::times`].
    pub const TIMES: [&'static str; 3] = ["waited", "steal", "gaps"];
}

struct Watched {
    report: CoreReport,
    task: Option<PathBuf>,
    before: Option<ThreadCounts>,
    gaps: u64,
    gap_ns: u64,
}

/// Looks at the pipeline's threads from outside.
pub struct InterferenceWatch {
    proc: PathBuf,
    sys: PathBuf,
    threads: Vec<Watched>,
    cores: BTreeMap<usize, CoreCounts>,
    from: Nanos,
    time: StampTime,
    log: Option<InterferenceLog>,
    totals: Arc<InterferenceTotals>,
}

impl InterferenceWatch {
    /// Of these threads of this process.
    pub fn new(cores: &[CoreReport], time: StampTime, log: Option<InterferenceLog>) -> Self {
        Self::with_roots(Path::new("/proc"), Path::new("/sys"), cores, time, log)
    }

    /// As [`InterferenceWatch::new`], with `/proc` and `/sys` elsewhere: recorded trees.
    pub fn with_roots(
        proc: &Path,
        sys: &Path,
        cores: &[CoreReport],
        time: StampTime,
        log: Option<InterferenceLog>,
    ) -> Self {
        let threads = cores.iter().map(|report| ThreadTotals {
            thread: report.thread.clone(),
            counts: Default::default(),
            times: Default::default(),
            gap_ns_max: Gauge::new(),
            hertz: Gauge::new(),
        });
        let totals = InterferenceTotals { threads: threads.collect(), ..InterferenceTotals::default() };
        let watched = |report: &CoreReport| Watched {
            report: report.clone(),
            task: None,
            before: None,
            gaps: 0,
            gap_ns: 0,
        };
        Self {
            proc: proc.to_owned(),
            sys: sys.to_owned(),
            threads: cores.iter().map(watched).collect(),
            cores: BTreeMap::new(),
            from: time.now(),
            time,
            log,
            totals: Arc::new(totals),
        }
    }

    /// Sums for the metrics.
    pub fn totals(&self) -> Arc<InterferenceTotals> {
        Arc::clone(&self.totals)
    }

    /// Looks once: what happened since the last time goes into the sums and the log. The first look at a thread only begins its counting.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the log cannot be written. What the system does not tell counts as nothing.
    pub fn poll(&mut self) -> Result<(), JournalError> {
        let (from, to) = (self.from, self.time.now());
        self.from = to;
        let tables = CoreTables::read(&self.proc);
        let mut cores = BTreeMap::new();
        let mut rows = Vec::new();
        for (watched, totals) in self.threads.iter_mut().zip(&self.totals.threads) {
            let mut sample = Sample {
                thread: watched.report.thread.clone(),
                core: watched.report.spec.core.unwrap_or(0),
                from_ns: from.get(),
                to_ns: to.get(),
                ..Sample::default()
            };
            watched.look(&self.proc, &mut sample);
            let counts = cores.entry(sample.core).or_insert_with(|| tables.of(sample.core, &self.sys));
            sample.khz = counts.khz;
            if let Some(before) = self.cores.get(&sample.core) {
                sample.steal_ns = counts.steal_ns.saturating_sub(before.steal_ns);
                sample.interrupts = counts::grown(&before.interrupts, &counts.interrupts);
                sample.softirqs = counts::grown(&before.softirqs, &counts.softirqs);
            }
            let gaps = watched.gaps(&mut sample, &self.time);
            add(totals, &sample, &gaps);
            if !sample.is_quiet() {
                rows.push(InterferenceRow::Sample(sample));
            }
            rows.extend(gaps.into_iter().map(InterferenceRow::Gap));
        }
        self.cores = cores;
        self.totals.samples.add(1);
        let took = self.time.now().since(to).get();
        self.totals.sample_ns.add(u64::try_from(took).unwrap_or(0));
        match &mut self.log {
            Some(log) => log.write(&rows),
            None => Ok(()),
        }
    }
}

impl Watched {
    /// The thread's own counts since the last look.
    fn look(&mut self, proc: &Path, sample: &mut Sample) {
        if self.task.is_none() {
            self.task = counts::task_named(proc, &self.report.thread);
        }
        let Some(now) = self.task.as_deref().and_then(ThreadCounts::read) else { return };
        if self.report.spec.core.is_none() {
            sample.core = now.core;
        }
        if let Some(before) = &self.before {
            let since = |of: fn(&ThreadCounts) -> u64| of(&now).saturating_sub(of(before));
            sample.involuntary_switches = since(|counts| counts.involuntary_switches);
            sample.voluntary_switches = since(|counts| counts.voluntary_switches);
            sample.minor_faults = since(|counts| counts.minor_faults);
            sample.major_faults = since(|counts| counts.major_faults);
            sample.waited_ns = since(|counts| counts.waited_ns);
            // Kernels without the scheduler's debug file tell only where the thread is.
            let seen = u64::from(now.core != before.core);
            sample.migrations = since(|counts| counts.migrations).max(seen);
        }
        self.before = Some(now);
    }

    /// The gaps of its loop since the last look: sums into the sample, the longest ones as rows, in order of time.
    fn gaps(&mut self, sample: &mut Sample, time: &StampTime) -> Vec<GapRow> {
        let log = &self.report.gaps;
        let (count, nanos) = (log.count.value(), log.nanos.value());
        sample.gaps = count - std::mem::replace(&mut self.gaps, count);
        sample.gap_ns = nanos - std::mem::replace(&mut self.gap_ns, nanos);
        let row = |gap: Gap| GapRow {
            thread: self.report.thread.clone(),
            core: self.report.spec.core,
            from_ns: time.at(gap.start).get(),
            to_ns: time.at(gap.end).get(),
            worked: gap.has_worked,
        };
        let mut rows: Vec<GapRow> = std::iter::from_fn(|| log.take()).map(row).collect();
        rows.sort_by_key(|row| row.from_ns - row.to_ns);
        rows.truncate(GAPS_LISTED_MAX);
        rows.sort_by_key(|row| row.from_ns);
        rows
    }
}

fn add(totals: &ThreadTotals, sample: &Sample, gaps: &[GapRow]) {
    let counts = [
        sample.involuntary_switches,
        sample.voluntary_switches,
        sample.minor_faults,
        sample.major_faults,
        sample.migrations,
        sample.interrupts.values().sum(),
        sample.softirqs.values().sum(),
        sample.gaps,
    ];
    for (counter, count) in totals.counts.iter().zip(counts) {
        counter.add(count);
    }
    for (counter, nanos) in totals.times.iter().zip([sample.waited_ns, sample.steal_ns, sample.gap_ns]) {
        counter.add(nanos);
    }
    totals.hertz.set(i64::try_from(sample.khz.saturating_mul(1_000)).unwrap_or(i64::MAX));
    let longest = gaps.iter().map(|gap| gap.to_ns - gap.from_ns).max().unwrap_or(0);
    totals.gap_ns_max.set(totals.gap_ns_max.value().max(longest));
}

#[cfg(test)]
mod tests;
