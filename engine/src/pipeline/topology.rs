//! Which agent runs on which core, and how that core waits.
//!
//! ```text
//! fused                                  split
//! core 0: sequencer                      core 0: sequencer     core 3: strategies 0      core 6: journal
//! core 1: normalizer, book, strategies,  core 1: normalizer    core 4: … strategies k−1  core 7: tap
//!         risk, journal, tap             core 2: book          core 5: risk
//! ```

use super::idle::IdleStrategy;
use crate::risk::STRATEGY_CORES_MAX;
use std::fmt;

/// What can be put on a core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Driver to ingress ring, egress ring to driver.
    Sequencer,
    /// Ingress ring to the journal.
    Journal,
    /// Ingress ring to event ring.
    Normalizer,
    /// The books.
    Book,
    /// The strategies of the k-th strategy core.
    Strategies(usize),
    /// Risk, event ring to egress ring.
    Risk,
    /// Event ring to audit, digests and histograms.
    Tap,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Role::Sequencer => f.write_str("sequencer"),
            Role::Journal => f.write_str("journal"),
            Role::Normalizer => f.write_str("normalizer"),
            Role::Book => f.write_str("book"),
            Role::Strategies(core) => write!(f, "strategies-{core}"),
            Role::Risk => f.write_str("risk"),
            Role::Tap => f.write_str("tap"),
        }
    }
}

impl std::str::FromStr for Role {
    type Err = TopologyError;
    fn from_str(text: &str) -> Result<Self, TopologyError> {
        match text {
            "sequencer" => Ok(Role::Sequencer),
            "journal" => Ok(Role::Journal),
            "normalizer" => Ok(Role::Normalizer),
            "book" => Ok(Role::Book),
            "strategies" => Ok(Role::Strategies(0)),
            "risk" => Ok(Role::Risk),
            "tap" => Ok(Role::Tap),
            _ => text
                .strip_prefix("strategies-")
                .and_then(|core| core.parse().ok())
                .map(Role::Strategies)
                .ok_or_else(|| TopologyError::UnknownRole { role: text.to_owned() }),
        }
    }
}

/// One thread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreSpec {
    /// The core it is pinned to; `None` leaves it to the scheduler.
    pub core: Option<usize>,
    /// How it waits.
    pub idle: IdleStrategy,
    /// What it runs, in this order in every turn.
    pub roles: Vec<Role>,
}

/// All threads of a pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    /// For reports.
    pub name: String,
    /// The threads.
    pub cores: Vec<CoreSpec>,
}

/// Cores of this host, as the caller has found them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HostCores {
    /// Cores this process may run on (its affinity mask), ascending.
    pub allowed: Vec<usize>,
    /// Cores isolated from the scheduler (`isolcpus`), ascending.
    pub isolated: Vec<usize>,
}

impl HostCores {
    /// The cores that pinned threads should use: the isolated ones among the allowed, else all allowed.
    pub fn preferred(&self) -> Vec<usize> {
        let isolated: Vec<usize> =
            self.isolated.iter().copied().filter(|core| self.allowed.contains(core)).collect();
        if isolated.is_empty() { self.allowed.clone() } else { isolated }
    }

    fn has_isolated(&self) -> bool {
        self.isolated.iter().any(|core| self.allowed.contains(core))
    }
}

/// Why a topology is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TopologyError {
    /// Not a role.
    #[error(
        "unknown agent {role:?}: use sequencer, journal, normalizer, book, strategies-0 … strategies-3, risk or tap"
    )]
    UnknownRole {
        /// As written.
        role: String,
    },
    /// An agent is missing.
    #[error("no core runs {role}: add {role:?} to the `agents` of one core", role = role.to_string())]
    Missing {
        /// Which.
        role: Role,
    },
    /// An agent stands twice.
    #[error("{role} stands on two cores: keep it on one")]
    Twice {
        /// Which.
        role: Role,
    },
    /// Strategy cores must be numbered from 0 without a hole.
    #[error(
        "strategies-{found} without strategies-{missing}: number the strategy cores from 0, at most {STRATEGY_CORES_MAX}"
    )]
    StrategyCores {
        /// The number that was found.
        found: usize,
        /// The number that is missing.
        missing: usize,
    },
    /// No such core.
    #[error(
        "core {core} does not exist or is not allowed here: allowed are {allowed:?} (see `taskset -p $$`)"
    )]
    NoSuchCore {
        /// Which.
        core: usize,
        /// What there is.
        allowed: Vec<usize>,
    },
    /// Two spinning threads on one core would stop each other for whole scheduler slices.
    #[error(
        "{threads} spinning threads for {cores} core(s): they would stop each other for milliseconds. Use topology \"fused\", or idle \"yield\" or \"park\" on all but {cores} of them"
    )]
    OverSubscribed {
        /// Threads that spin.
        threads: usize,
        /// Cores they would share.
        cores: usize,
    },
    /// Pinned to the same core.
    #[error(
        "two spinning threads are pinned to core {core}: put their agents on one thread, or set idle \"yield\" or \"park\" for one"
    )]
    SharedCore {
        /// Which.
        core: usize,
    },
    /// A ring's size.
    #[error("{ring} has {slots} slots: use a power of two from {least} to {most}")]
    RingSize {
        /// Which ring.
        ring: &'static str,
        /// As configured.
        slots: usize,
        /// The smallest.
        least: usize,
        /// The largest.
        most: usize,
    },
}

impl Topology {
    /// Sequencer and journal on one core, all stages on another: the lowest latency. With a single core all on one thread.
    ///
    /// The journal copies frames where they have just been written. The tap comes last on the stages' own core: it works when the order has left. On another core it
    /// would pull every line of every slot over there (measured: the median from frame to order was 2.7 times as long).
    pub fn fused(cores: &[usize], strategy_cores: usize, idle: IdleStrategy) -> Self {
        let mut stages = vec![Role::Normalizer, Role::Book];
        stages.extend((0..strategy_cores).map(Role::Strategies));
        stages.extend([Role::Risk, Role::Tap]);
        let cores = match cores {
            [] | [_] => {
                let mut all = vec![Role::Sequencer, Role::Journal];
                all.extend(stages);
                vec![CoreSpec { core: cores.first().copied(), idle, roles: all }]
            }
            [first, second, ..] => vec![
                CoreSpec { core: Some(*first), idle, roles: vec![Role::Sequencer, Role::Journal] },
                CoreSpec { core: Some(*second), idle, roles: stages },
            ],
        };
        Self { name: "fused".to_owned(), cores }
    }

    /// A core a stage. With fewer cores than threads they share them, so the idle strategy must not spin.
    pub fn split(cores: &[usize], strategy_cores: usize, idle: IdleStrategy) -> Self {
        let mut groups = vec![vec![Role::Sequencer], vec![Role::Normalizer], vec![Role::Book]];
        groups.extend((0..strategy_cores).map(|core| vec![Role::Strategies(core)]));
        groups.extend([vec![Role::Risk], vec![Role::Journal], vec![Role::Tap]]);
        let has_enough = cores.len() >= groups.len();
        let cores = groups
            .into_iter()
            .enumerate()
            .map(|(index, roles)| CoreSpec {
                core: if has_enough { cores.get(index).copied() } else { None },
                idle,
                roles,
            })
            .collect();
        Self { name: "split".to_owned(), cores }
    }

    /// What suits this host: `fused` on isolated cores, spinning; without isolated cores the same threads, unpinned and yielding, as
    /// others need the cores too.
    pub fn auto(host: &HostCores, strategy_cores: usize) -> Self {
        let preferred = host.preferred();
        let mut topology = Self::fused(&preferred, strategy_cores, IdleStrategy::SpinHint);
        if !host.has_isolated() {
            for spec in &mut topology.cores {
                spec.core = None;
                spec.idle = IdleStrategy::Yield;
            }
        }
        topology.name = "auto".to_owned();
        topology
    }

    /// How many strategy cores it has.
    pub fn strategy_cores(&self) -> usize {
        self.roles().filter(|role| matches!(role, Role::Strategies(_))).count()
    }

    fn roles(&self) -> impl Iterator<Item = Role> + '_ {
        self.cores.iter().flat_map(|spec| spec.roles.iter().copied())
    }

    /// Whether one core has all stages from the normalizer to the tap.
    pub fn has_stages_together(&self) -> bool {
        let is_stage = |role: &Role| !matches!(role, Role::Sequencer | Role::Journal);
        self.cores.iter().any(|spec| {
            spec.roles.contains(&Role::Normalizer)
                && self.roles().filter(is_stage).all(|role| spec.roles.contains(&role))
        })
    }

    /// Checks it against the host.
    ///
    /// # Errors
    /// [`TopologyError`]: an agent missing or twice, a core that is not there, spinning threads that would share a core.
    pub fn check(&self, host: &HostCores) -> Result<(), TopologyError> {
        let mut roles: Vec<Role> = self.roles().collect();
        roles.sort();
        if let Some(role) = roles.iter().zip(roles.iter().skip(1)).find_map(|(a, b)| (a == b).then_some(*a)) {
            return Err(TopologyError::Twice { role });
        }
        let needed = [
            Role::Sequencer,
            Role::Journal,
            Role::Normalizer,
            Role::Book,
            Role::Strategies(0),
            Role::Risk,
            Role::Tap,
        ];
        if let Some(role) = needed.into_iter().find(|role| !roles.contains(role)) {
            return Err(TopologyError::Missing { role });
        }
        let strategies = roles.iter().filter_map(|role| match role {
            Role::Strategies(core) => Some(*core),
            Role::Sequencer | Role::Journal | Role::Normalizer | Role::Book | Role::Risk | Role::Tap => None,
        });
        for (missing, found) in strategies.enumerate() {
            if missing != found || found >= STRATEGY_CORES_MAX {
                return Err(TopologyError::StrategyCores {
                    found,
                    missing: missing.min(STRATEGY_CORES_MAX - 1),
                });
            }
        }
        let pinned = self.cores.iter().filter_map(|spec| spec.core);
        for core in pinned {
            if !host.allowed.contains(&core) {
                return Err(TopologyError::NoSuchCore { core, allowed: host.allowed.clone() });
            }
        }
        let spinning: Vec<&CoreSpec> = self.cores.iter().filter(|spec| spec.idle.is_spinning()).collect();
        for (index, spec) in spinning.iter().enumerate() {
            if let Some(core) = spec.core
                && spinning.iter().skip(index + 1).any(|other| other.core == Some(core))
            {
                return Err(TopologyError::SharedCore { core });
            }
        }
        if spinning.len() > host.allowed.len() {
            return Err(TopologyError::OverSubscribed { threads: spinning.len(), cores: host.allowed.len() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(allowed: usize, isolated: &[usize]) -> HostCores {
        HostCores { allowed: (0..allowed).collect(), isolated: isolated.to_vec() }
    }

    #[test]
    fn the_presets_pass_on_hosts_with_enough_cores() {
        for strategy_cores in 1..=STRATEGY_CORES_MAX {
            let cores: Vec<usize> = (0..12).collect();
            Topology::fused(&cores, strategy_cores, IdleStrategy::Spin).check(&host(12, &[])).unwrap();
            Topology::split(&cores, strategy_cores, IdleStrategy::Spin).check(&host(12, &[])).unwrap();
            Topology::fused(&[0], strategy_cores, IdleStrategy::Spin).check(&host(1, &[])).unwrap();
        }
    }

    #[test]
    fn spinning_on_more_threads_than_cores_is_refused_and_the_message_says_what_to_do() {
        let split = Topology::split(&[0, 1], 1, IdleStrategy::Spin);
        let error = split.check(&host(2, &[])).unwrap_err();
        assert_eq!(error, TopologyError::OverSubscribed { threads: 7, cores: 2 });
        assert!(error.to_string().contains("\"fused\"") && error.to_string().contains("\"park\""));
        Topology::split(&[0, 1], 1, IdleStrategy::Park).check(&host(2, &[])).unwrap();
    }

    #[test]
    fn two_spinners_pinned_to_one_core_are_refused() {
        let mut topology = Topology::fused(&[0, 1], 1, IdleStrategy::Spin);
        topology.cores[1].core = Some(0);
        assert_eq!(topology.check(&host(2, &[])), Err(TopologyError::SharedCore { core: 0 }));
        topology.cores[1].idle = IdleStrategy::Yield;
        topology.check(&host(2, &[])).unwrap();
    }

    #[test]
    fn missing_double_and_absent_cores_are_named() {
        let mut topology = Topology::fused(&[0, 1], 1, IdleStrategy::Spin);
        topology.cores[1].core = Some(7);
        assert!(matches!(topology.check(&host(2, &[])), Err(TopologyError::NoSuchCore { core: 7, .. })));
        topology.cores[1].core = Some(1);
        topology.cores[1].roles.retain(|role| *role != Role::Risk);
        assert_eq!(topology.check(&host(2, &[])), Err(TopologyError::Missing { role: Role::Risk }));
        topology.cores[1].roles.extend([Role::Risk, Role::Tap]);
        assert_eq!(topology.check(&host(2, &[])), Err(TopologyError::Twice { role: Role::Tap }));
        topology.cores[1].roles.retain(|role| *role != Role::Tap);
        topology.cores[1].roles.extend([Role::Tap, Role::Strategies(2)]);
        assert_eq!(topology.check(&host(2, &[])), Err(TopologyError::StrategyCores { found: 2, missing: 1 }));
    }

    #[test]
    fn auto_spins_on_isolated_cores_only() {
        let isolated = Topology::auto(&host(8, &[4, 5, 6]), 1);
        assert_eq!(isolated.cores.iter().map(|c| c.core).collect::<Vec<_>>(), [Some(4), Some(5)]);
        assert!(isolated.cores.iter().all(|c| c.idle.is_spinning()));
        let shared = Topology::auto(&host(8, &[]), 1);
        assert!(shared.cores.iter().all(|c| c.core.is_none() && !c.idle.is_spinning()));
        isolated.check(&host(8, &[4, 5, 6])).unwrap();
        shared.check(&host(8, &[])).unwrap();
    }
}
