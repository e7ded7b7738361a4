//! [`Subject`]: what of the host this configuration uses.

use super::cores::Cores;
use super::finding::Mend;
use super::host::Host;
use spinward_config::{ConfigError, Settings};
use spinward_engine::pipeline::{HostCores, IdleStrategy, Role, Topology};
use std::path::Path;

/// One thread of the pipeline.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) core: Option<usize>,
    pub(crate) is_spinning: bool,
    pub(crate) roles: String,
}

/// Cores, journal and interfaces to be checked.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The file, or `built-in`.
    pub(crate) config: String,
    pub(crate) topology: String,
    pub(crate) threads: Vec<Thread>,
    /// The cores the threads are pinned to. If any is left to the scheduler: the cores that suit the threads best.
    pub(crate) cores: Cores,
    /// Cores this process may use.
    pub(crate) allowed: Cores,
    pub(crate) online: Cores,
    /// Folder of the sessions, absolute.
    pub(crate) sessions: String,
    /// What the session's files may need at once, bytes.
    pub(crate) journal_bytes: u64,
    pub(crate) locks_memory: bool,
    /// Network interfaces.
    pub(crate) interfaces: Vec<String>,
}

impl Subject {
    /// Resolves the topology as `run` does on that host. `interfaces` empty: every interface with hardware behind it that is up.
    ///
    /// # Errors
    /// What `run` would say of the topology, unless it only lacks the right to use a core that is there: that is a finding.
    pub(crate) fn new(
        settings: &Settings,
        config: &str,
        host: &Host,
        interfaces: &[String],
    ) -> Result<Self, ConfigError> {
        let online = host.core_list("/sys/devices/system/cpu/online").unwrap_or_default();
        let allowed = host.read_lines("/proc/self/status", &["Cpus_allowed_list:"]).map_or_else(
            || online.clone(),
            |line| Cores::from_list(line.split_once(':').map_or("", |(_, l)| l)),
        );
        let online = if online.is_empty() { allowed.clone() } else { online };
        let isolated = host.core_list("/sys/devices/system/cpu/isolated").unwrap_or_default();
        let list = |cores: &Cores| cores.iter().collect::<Vec<_>>();
        let own = HostCores { allowed: list(&allowed), isolated: list(&isolated) };
        let all = HostCores { allowed: list(&online), isolated: list(&isolated) };
        let topology = settings.topology(&own).or_else(|error| settings.topology(&all).map_err(|_| error))?;
        let pinned: Cores = topology.cores.iter().filter_map(|spec| spec.core).collect();
        let is_pinned = topology.cores.iter().all(|spec| spec.core.is_some());
        let cores = if is_pinned { pinned } else { proposed(host, &topology, &online, &isolated) };
        let interfaces = if interfaces.is_empty() { hardware_interfaces(host) } else { interfaces.to_vec() };
        Ok(Self {
            config: config.to_owned(),
            topology: topology.name.clone(),
            threads: topology.cores.iter().map(thread).collect(),
            cores,
            allowed,
            online,
            sessions: absolute(host, &settings.session.folder),
            journal_bytes: journal_bytes(settings),
            locks_memory: settings.pipeline.lock_memory,
            interfaces,
        })
    }

    /// The cores that are left to everything else.
    pub(crate) fn rest(&self) -> Cores {
        self.online.without(&self.cores)
    }

    /// A mend that needs a core for the rest; where there is none, what to do about that.
    pub(crate) fn with_rest(&self, mend: impl FnOnce(&Cores) -> Mend) -> Mend {
        let rest = self.rest();
        if rest.is_empty() {
            return Mend::Advice(format!(
                "the pipeline takes all {} cores of this host: choose a host with more, or fewer threads (see cores.housekeeping)",
                self.online.count()
            ));
        }
        mend(&rest)
    }

    /// `0 (sequencer), 1 (normalizer, book, …)`.
    pub(crate) fn threads_text(&self) -> String {
        let one = |thread: &Thread| match thread.core {
            Some(core) => format!("core {core}: {}", thread.roles),
            None => format!("no core: {}", thread.roles),
        };
        self.threads.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

fn thread(spec: &spinward_engine::pipeline::CoreSpec) -> Thread {
    let roles: Vec<String> = spec.roles.iter().map(Role::to_string).collect();
    Thread {
        core: spec.core,
        is_spinning: matches!(spec.idle, IdleStrategy::Spin | IdleStrategy::SpinHint),
        roles: roles.join(", "),
    }
}

/// Cores for threads that no core was given: isolated ones if there are enough, else the last ones of the host, one of each pair of siblings,
/// so that core 0, which the kernel likes best, is left to the rest.
fn proposed(host: &Host, topology: &Topology, online: &Cores, isolated: &Cores) -> Cores {
    let wanted = topology.cores.len();
    let isolated = isolated.and(online);
    if isolated.count() >= wanted {
        return isolated.iter().take(wanted).collect();
    }
    let first_of_siblings = |core: &usize| {
        let siblings =
            host.core_list(&format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"));
        siblings.is_none_or(|siblings| siblings.iter().next() == Some(*core))
    };
    let whole: Vec<usize> = online.iter().filter(first_of_siblings).collect();
    let source = if whole.len() > wanted { whole } else { online.iter().collect() };
    source.into_iter().rev().take(wanted).collect()
}

/// Interfaces that are up and have a device, not loopback or bridges.
fn hardware_interfaces(host: &Host) -> Vec<String> {
    let mut names = host.list("/sys/class/net");
    names.retain(|name| {
        host.link(&format!("/sys/class/net/{name}/device")).is_some()
            && host.read(&format!("/sys/class/net/{name}/operstate")).as_deref() == Some("up")
    });
    names
}

fn absolute(host: &Host, folder: &Path) -> String {
    let folder = folder.to_string_lossy();
    match host.ask(&["realpath", "-m", &folder]).output() {
        Some(path) if path.starts_with('/') => path,
        Some(_) | None => format!("/{}", folder.trim_start_matches('/')),
    }
}

/// Segments of journal and audit that are made before they are needed, and as much again to go on with.
fn journal_bytes(settings: &Settings) -> u64 {
    let journal = settings.journal();
    let segments = journal.segments_ahead as u64 + 1;
    journal.segment_bytes.saturating_mul(segments).saturating_mul(2).saturating_mul(2)
}
