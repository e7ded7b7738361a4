//! [`Report`]: all findings of one examination.

use super::finding::{Finding, State};
use super::host::Host;
use super::measure::Measured;
use super::subject::Subject;
use serde::Serialize;
use std::time::Duration;

/// The host, in short.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct HostLine {
    /// Model of the processor.
    pub(crate) cpu_model: String,
    pub(crate) kernel: String,
    /// How many cores are online.
    pub(crate) cores: usize,
    /// Threads of a physical core.
    pub(crate) threads_per_core: usize,
    pub(crate) memory_nodes: usize,
    pub(crate) is_guest: Option<bool>,
}

/// How many findings there are of a kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) good: usize,
    pub(crate) failed: usize,
    pub(crate) failed_critical: usize,
    pub(crate) unknown: usize,
    pub(crate) not_applicable: usize,
}

/// What is printed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Whether no critical check failed.
    pub(crate) ok: bool,
    pub(crate) host: HostLine,
    pub(crate) config: String,
    pub(crate) topology: String,
    /// Which thread is on which core.
    pub(crate) threads: String,
    /// The cores that were checked.
    pub(crate) cores: Vec<usize>,
    pub(crate) counts: Counts,
    pub(crate) findings: Vec<Finding>,
    pub(crate) measured: Option<Measured>,
    pub(crate) elapsed_ms: u64,
}

impl Report {
    pub(super) fn new(
        host: &Host,
        subject: &Subject,
        findings: Vec<Finding>,
        measured: Option<Measured>,
        elapsed: Duration,
    ) -> Self {
        let mut counts = Counts::default();
        for finding in &findings {
            match finding.state {
                State::Good => counts.good += 1,
                State::Failed => counts.failed += 1,
                State::Unknown => counts.unknown += 1,
                State::NotApplicable => counts.not_applicable += 1,
            }
            counts.failed_critical += usize::from(finding.is_critical_failure());
        }
        Self {
            ok: counts.failed_critical == 0,
            host: HostLine::of(host, subject),
            config: subject.config.clone(),
            topology: subject.topology.clone(),
            threads: subject.threads_text(),
            cores: subject.cores.iter().collect(),
            counts,
            findings,
            measured,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The checks that make the host unfit.
    pub(crate) fn critical_failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_critical_failure())
    }
}

impl HostLine {
    fn of(host: &Host, subject: &Subject) -> Self {
        let model = host.read_lines("/proc/cpuinfo", &["model name"]).unwrap_or_default();
        let siblings = subject
            .online
            .iter()
            .next()
            .and_then(|core| {
                host.core_list(&format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"))
            })
            .map_or(1, |siblings| siblings.and(&subject.online).count());
        let nodes = host.list("/sys/devices/system/node");
        Self {
            cpu_model: model.split_once(':').map_or("unknown", |(_, model)| model.trim()).to_owned(),
            kernel: host.read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            cores: subject.online.count(),
            threads_per_core: siblings,
            memory_nodes: nodes
                .iter()
                .filter(|name| name.strip_prefix("node").is_some_and(|number| number.parse::<u32>().is_ok()))
                .count(),
            is_guest: super::checks::hypervisor::is_guest(host),
        }
    }
}
