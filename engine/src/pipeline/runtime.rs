//! Wiring and threads: joins stages, rings and cores, and runs them.
//!
//! 1. ingress ring: sequencer → (normalizer, journal)
//! 2. event ring: normalizer → book → strategies (k cores) → risk → tap
//! 3. egress ring: risk → sequencer
//! 4. agents onto cores, as the topology says; one thread a core
//!
//! The end runs down the same way: the driver says it is over, the sequencer drops the ingress ring's producer, and each stage ends when it
//! has seen everything before.

use super::agent::{Agent, CoreContext, Poll, StampMode};
use super::driver::{Driver, Inbox};
use super::gap::{GapLog, GapWatch};
use super::idle::Idler;
use super::lane::{BATCH_MAX, event_ring};
use super::progress::Progress;
use super::rings::{egress_ring, ingress_ring};
use super::sequencer::{Sequencer, SequencerCounters};
use super::stages::{
    AgentCounters, BookAgent, BookWork, NormalizerAgent, NormalizerWork, RiskAgent, RiskWork, StrategyAgent,
    StrategyWork,
};
use super::stall::{Stall, StalledAgent};
use super::straight::StraightAgent;
use super::taps::{FrameSink, JournalAgent, SlotSink, TapAgent, TapWork};
use super::topology::{CoreSpec, HostCores, Role, Topology, TopologyError};
use crate::book::BookStage;
use crate::counters::Counter;
use crate::normalizer::Normalizer;
use crate::risk::Risk;
use crate::strategy::StrategyRunner;
use crate::words::{Clock, Nanos};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Sizes and manners of a pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PipelineConfig {
    /// Slots of the ingress ring (128 bytes each): a power of two, 64 to 1,048,576.
    pub ingress_slots: usize,
    /// Slots of the event ring (some 1.3 KiB each): a power of two, 64 to 65,536. There is none where one core has all stages.
    pub event_slots: usize,
    /// Slots of the egress ring: a power of two, 64 to 65,536.
    pub egress_slots: usize,
    /// Most events an agent takes in one turn, 1 to [`BATCH_MAX`]: the books fetch the memory of all of them at once. Through the event ring they are released
    /// to the next stage together, so the first of a burst waits at each stage for at most so many; on a core with all stages so many frames are
    /// decoded before the first one's events go through, one after the other.
    pub burst: usize,
    /// Which stamps are taken.
    pub stamps: StampMode,
    /// Locks all memory of the process, present and to come (`mlockall`), so that nothing is paged out. Needs `ulimit -l`.
    pub lock_memory: bool,
    /// A core's loop that does not come round for longer than this has a [`Gap`](super::Gap). 0 switches the watch off.
    pub gap_threshold: Nanos,
    /// An artificial stall, for checking what looks for slow stages. Not for trading.
    pub stall: Option<Stall>,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            // Small enough to stay in a core's own cache: 128 KiB, 0.4 MiB and 0.2 MiB.
            ingress_slots: 1_024,
            event_slots: 64,
            egress_slots: 1_024,
            burst: 1,
            stamps: StampMode::All,
            lock_memory: false,
            gap_threshold: Nanos::from_micros(10),
            stall: None,
        }
    }
}

/// Why a pipeline does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The topology or a ring does not fit.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// More or fewer runners than the topology has strategy cores.
    #[error("{runners} strategy runner(s) for {cores} strategy core(s)")]
    Runners {
        /// Runners given.
        runners: usize,
        /// Strategy cores of the topology.
        cores: usize,
    },
    /// `burst` is out of its range.
    #[error("burst is {burst}: use 1 to {}", BATCH_MAX)]
    Burst {
        /// As configured.
        burst: usize,
    },
    /// The artificial stall has no place or is out of its range.
    #[error(
        "stall {stall:?}: name the normalizer, book, a strategy core of the topology or risk, a length of 1 ns to 1 s, and every 1 event or more"
    )]
    Stall {
        /// As configured.
        stall: Stall,
    },
    /// The memory cannot be locked.
    #[error(
        "cannot lock memory: {source}; raise `ulimit -l` (LimitMEMLOCK=infinity in a systemd unit) or set lock_memory = false"
    )]
    LockMemory {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A thread cannot be made.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The stages of a pipeline, ready to run.
pub struct Stages {
    /// Frames to events.
    pub normalizer: Normalizer,
    /// Events to views.
    pub book: BookStage,
    /// One runner a strategy core.
    pub runners: Vec<StrategyRunner>,
    /// Intents to orders.
    pub risk: Risk,
}

/// What a core's thread counts.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct CoreCounters {
    /// Turns in which some agent worked.
    pub busy_turns: Counter,
    /// Turns in which none did.
    pub idle_turns: Counter,
    /// 1 once the thread runs on the core it was to be pinned to.
    pub pinned: Counter,
}

/// A thread of the pipeline, for reports.
#[derive(Clone, Debug)]
pub struct CoreReport {
    /// Name of the thread.
    pub thread: String,
    /// What was asked for.
    pub spec: CoreSpec,
    /// What it counts.
    pub counters: Arc<CoreCounters>,
    /// Where its loop tells of its gaps.
    pub gaps: Arc<GapLog>,
}

/// All counters of the plumbing.
#[derive(Clone, Debug, Default)]
pub struct PipelineCounters {
    /// The sequencer's.
    pub sequencer: Arc<SequencerCounters>,
    /// Of each agent by name; strategy cores apart.
    pub agents: Vec<(String, Arc<AgentCounters>)>,
    /// Stalls injected on purpose ([`PipelineConfig::stall`]).
    pub stalls: Arc<Counter>,
}

impl PipelineCounters {
    fn agent(&mut self, role: Role) -> Arc<AgentCounters> {
        let counters = Arc::<AgentCounters>::default();
        self.agents.push((role.to_string(), Arc::clone(&counters)));
        counters
    }
}

/// The stages as the session left them.
pub struct Finished {
    /// With every instrument that was learnt.
    pub normalizer: Normalizer,
    /// The books.
    pub book: BookStage,
    /// Trading state, positions, open orders.
    pub risk: Risk,
}

/// A running pipeline.
pub struct Pipeline {
    progress: Arc<Progress>,
    counters: PipelineCounters,
    cores: Vec<CoreReport>,
    threads: Vec<JoinHandle<()>>,
    finished: (Receiver<Normalizer>, Receiver<BookStage>, Receiver<Risk>),
}

const RING_LEAST: usize = 64;

fn check_ring(ring: &'static str, slots: usize, most: usize) -> Result<(), TopologyError> {
    if slots.is_power_of_two() && (RING_LEAST..=most).contains(&slots) {
        Ok(())
    } else {
        Err(TopologyError::RingSize { ring, slots, least: RING_LEAST, most })
    }
}

impl PipelineConfig {
    /// Checks the sizes.
    ///
    /// # Errors
    /// [`StartError`] names the value and its range.
    pub fn check(&self) -> Result<(), StartError> {
        check_ring("ingress_slots", self.ingress_slots, 1 << 20)?;
        check_ring("event_slots", self.event_slots, 1 << 16)?;
        check_ring("egress_slots", self.egress_slots, 1 << 16)?;
        if !(1..=BATCH_MAX).contains(&self.burst) {
            return Err(StartError::Burst { burst: self.burst });
        }
        if let Some(stall) = self.stall.filter(|stall| !stall.is_valid()) {
            return Err(StartError::Stall { stall });
        }
        Ok(())
    }
}

impl Pipeline {
    /// Builds the rings and starts the threads. Everything is checked before the first one starts.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    #[expect(clippy::too_many_arguments, reason = "the one place where all parts meet")]
    pub fn start<D, J, T>(
        config: &PipelineConfig,
        topology: &Topology,
        host: &HostCores,
        clock: &Clock,
        stages: Stages,
        driver: D,
        inbox: Option<Box<dyn Inbox>>,
        journal: J,
        tap: T,
    ) -> Result<Self, StartError>
    where
        D: Driver + 'static,
        J: FrameSink + 'static,
        T: SlotSink + 'static,
    {
        config.check()?;
        topology.check(host)?;
        let cores = topology.strategy_cores();
        if stages.runners.len() != cores {
            return Err(StartError::Runners { runners: stages.runners.len(), cores });
        }
        if config.lock_memory {
            rustix::mm::mlockall(rustix::mm::MlockAllFlags::CURRENT | rustix::mm::MlockAllFlags::FUTURE)
                .map_err(|errno| StartError::LockMemory { source: errno.into() })?;
        }

        let progress = Arc::<Progress>::default();
        let (normalizer_out, normalizer_in) = sync_channel(1);
        let (book_out, book_in) = sync_channel(1);
        let (risk_out, risk_in) = sync_channel(1);
        let mut counters = PipelineCounters::default();
        // 1, 2: the rings that there are always
        let (frames, normalizer_port, journal_port) = ingress_ring(config.ingress_slots);
        let (egress, egress_port) =
            egress_ring(config.egress_slots, (config.stamps != StampMode::Off).then(|| clock.clone()));

        let normalizer = NormalizerWork::new(
            stages.normalizer,
            normalizer_port,
            counters.agent(Role::Normalizer),
            normalizer_out,
        );
        let book = BookWork { stage: stages.book, counters: counters.agent(Role::Book), handover: book_out };
        let strategies = stages.runners.into_iter().enumerate().map(|(index, runner)| StrategyWork {
            runner,
            counters: counters.agent(Role::Strategies(index)),
        });
        let strategies: Vec<StrategyWork> = strategies.collect();
        let risk = RiskWork {
            risk: stages.risk,
            egress,
            progress: Arc::clone(&progress),
            counters: counters.agent(Role::Risk),
            handover: risk_out,
        };
        let sequencer = Sequencer::new(
            driver,
            inbox,
            frames,
            u32::try_from(config.ingress_slots).unwrap_or(u32::MAX),
            egress_port,
            Arc::clone(&progress),
            Arc::clone(&counters.sequencer),
        );
        let journal = JournalAgent {
            sink: journal,
            frames: journal_port,
            has_failed: false,
            kept: 0,
            journaled: 0,
            progress: Arc::clone(&progress),
            counters: counters.agent(Role::Journal),
        };
        let tap = TapWork::new(tap, Arc::clone(&progress), counters.agent(Role::Tap));
        let mut agents: Vec<(Role, Box<dyn Agent>)> =
            vec![(Role::Sequencer, Box::new(sequencer)), (Role::Journal, Box::new(journal))];
        let burst = config.burst;
        // 3: the stages, one after the other or through the event ring. A stalled stage is an agent of its own, so it needs the ring.
        if topology.has_stages_together() && config.stall.is_none() {
            let straight = StraightAgent::new(normalizer, book, strategies, risk, tap, burst);
            agents.push((Role::Normalizer, Box::new(straight)));
        } else {
            let events = event_ring(config.event_slots, cores);
            let normalizer = NormalizerAgent { work: normalizer, events: events.producer, burst };
            agents.push((Role::Normalizer, Box::new(normalizer)));
            agents.push((Role::Book, Box::new(BookAgent { work: book, port: events.book, burst })));
            for (index, (work, port)) in strategies.into_iter().zip(events.strategies).enumerate() {
                agents.push((Role::Strategies(index), Box::new(StrategyAgent { work, port, burst })));
            }
            agents.push((Role::Risk, Box::new(RiskAgent { work: risk, port: events.risk, burst })));
            agents.push((Role::Tap, Box::new(TapAgent { work: tap, port: events.tap })));
        }

        if let Some(stall) = config.stall {
            let Some(at) = agents.iter().position(|(role, _)| *role == stall.role) else {
                return Err(StartError::Stall { stall });
            };
            let (role, inner) = agents.swap_remove(at);
            let stalled = StalledAgent::new(inner, &stall, clock, Arc::clone(&counters.stalls));
            agents.push((role, Box::new(stalled)));
        }

        // 4: onto the cores
        let mut pipeline = Self {
            progress,
            counters,
            cores: Vec::new(),
            threads: Vec::new(),
            finished: (normalizer_in, book_in, risk_in),
        };
        for (index, spec) in topology.cores.iter().enumerate() {
            let mut here: Vec<Box<dyn Agent>> = Vec::new();
            for role in &spec.roles {
                if let Some(at) = agents.iter().position(|(other, _)| other == role) {
                    here.push(agents.swap_remove(at).1);
                }
            }
            let context = CoreContext::new(clock.clone(), config.stamps);
            pipeline.spawn(index, spec, here, context, config.gap_threshold)?;
        }
        Ok(pipeline)
    }

    fn spawn(
        &mut self,
        index: usize,
        spec: &CoreSpec,
        agents: Vec<Box<dyn Agent>>,
        context: CoreContext,
        gap_threshold: Nanos,
    ) -> Result<(), StartError> {
        // The kernel keeps 15 bytes of a thread's name.
        let mut thread =
            format!("sw{index}-{}", spec.roles.first().map_or_else(String::new, Role::to_string));
        thread.truncate(15);
        let counters = Arc::<CoreCounters>::default();
        let gaps = Arc::new(GapLog::new());
        let watch = GapWatch::new(gap_threshold, spec.idle, context.clock(), Arc::clone(&gaps));
        self.cores.push(CoreReport {
            thread: thread.clone(),
            spec: spec.clone(),
            counters: Arc::clone(&counters),
            gaps,
        });
        let spec = spec.clone();
        let handle = std::thread::Builder::new()
            .name(thread.clone())
            .spawn(move || run_core(&spec, agents, context, watch, &counters))
            .map_err(|source| {
                // The threads that already run are told to stop; they end when their rings' producers are dropped with the agents.
                self.progress.stop();
                StartError::Thread { name: thread, source }
            })?;
        self.threads.push(handle);
        Ok(())
    }

    /// How far each part is.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// The plumbing's counters.
    pub fn counters(&self) -> &PipelineCounters {
        &self.counters
    }

    /// The threads.
    pub fn cores(&self) -> &[CoreReport] {
        &self.cores
    }

    /// Whether every thread has ended.
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the end. `None` if a thread ended by a panic (only possible in builds that unwind).
    pub fn join(self) -> Option<Finished> {
        let mut is_clean = true;
        for thread in self.threads {
            is_clean &= thread.join().is_ok();
        }
        let (normalizer, book, risk) = self.finished;
        is_clean
            .then(|| {
                Some(Finished {
                    normalizer: normalizer.try_recv().ok()?,
                    book: book.try_recv().ok()?,
                    risk: risk.try_recv().ok()?,
                })
            })
            .flatten()
    }
}

/// The duty cycle of one core.
pub(super) fn run_core(
    spec: &CoreSpec,
    mut agents: Vec<Box<dyn Agent>>,
    mut context: CoreContext,
    mut watch: GapWatch,
    counters: &CoreCounters,
) {
    if let Some(id) = spec.core
        && core_affinity::set_for_current(core_affinity::CoreId { id })
    {
        counters.pinned.add(1);
    }
    let mut idler = Idler::new(spec.idle);
    while !agents.is_empty() {
        let mut has_worked = false;
        let mut index = 0;
        while let Some(agent) = agents.get_mut(index) {
            match agent.poll(&mut context) {
                Poll::Worked => has_worked = true,
                Poll::Idle => {}
                // With it go its rings' producers: the stages behind end when they have seen everything.
                Poll::Done => {
                    agents.remove(index).finish();
                    continue;
                }
            }
            index += 1;
        }
        if has_worked {
            counters.busy_turns.add(1);
            watch.worked(&context);
            idler.worked();
        } else {
            counters.idle_turns.add(1);
            context.forget();
            watch.idle(&context);
            idler.idle();
        }
    }
}
