//! The real pipeline over the same session, on threads and rings of any size.

use crate::seen::{Said, Seen, Spoken};
use crate::session::Session;
use proptest::prelude::*;
use spinward_engine::book::BookStage;
use spinward_engine::normalizer::Normalizer;
use spinward_engine::pipeline::{
    BATCH_MAX, FrameSink, HostCores, IdleStrategy, Inbox, Pipeline, PipelineConfig, SinkAnswer, SlotSink,
    SlotView, Stages, StampMode, Topology,
};
use spinward_engine::risk::Risk;
use spinward_engine::words::{Clock, Command, CommandKind, Frame, Symbol, TradingState};
use spinward_gateways::paper::StageBook;
use std::sync::mpsc::{SyncSender, sync_channel};

/// How the pipeline runs. Nothing of this may be seen in a session.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    threads: usize,
    idle: IdleStrategy,
    ingress_slots: usize,
    event_slots: usize,
    egress_slots: usize,
    burst: usize,
    stamps: StampMode,
    under_way: usize,
}

fn slots() -> impl Strategy<Value = usize> {
    (6u32..11).prop_map(|bits| 1 << bits)
}

prop_compose! {
    pub(crate) fn manners()(
        threads in 1usize..5,
        idle in prop_oneof![Just(IdleStrategy::Yield), Just(IdleStrategy::Park)],
        ingress_slots in slots(), event_slots in slots(), egress_slots in slots(),
        burst in prop_oneof![Just(1usize), 2usize..=BATCH_MAX],
        stamps in prop_oneof![Just(StampMode::All), Just(StampMode::Off)],
        under_way in prop_oneof![Just(65_536usize), 1usize..100],
    ) -> Manner {
        Manner { threads, idle, ingress_slots, event_slots, egress_slots, burst, stamps, under_way }
    }
}

impl Manner {
    fn topology(&self, strategy_cores: usize, host: &HostCores) -> Topology {
        // Cores that are not there: only their number counts, the threads are left to the scheduler.
        let mut topology = match self.threads {
            threads @ 1..4 => Topology::fused(&(0..threads).collect::<Vec<_>>(), strategy_cores, self.idle),
            _ => Topology::split(&host.allowed, strategy_cores, self.idle),
        };
        topology.cores.iter_mut().for_each(|spec| spec.core = None);
        topology
    }
}

/// Operators' commands, one for every so many looks.
pub(crate) struct Script {
    every: u64,
    looks: u64,
    commands: std::vec::IntoIter<Command>,
}

impl Script {
    pub(crate) fn new(every: u64) -> Self {
        let operator = Symbol::new("operator").unwrap();
        let other = Symbol::new("desk-2").unwrap();
        let normal = TradingState::Normal;
        let commands = vec![
            Command::new(CommandKind::CancelAll, normal, operator, "clear"),
            Command::new(CommandKind::SetState, TradingState::ReduceOnly, other, "flatten"),
            Command::new(CommandKind::SetState, normal, other, "go on"),
            Command::new(CommandKind::Kill, normal, other, "stop"),
            Command::new(CommandKind::Resume, normal, operator, "go on"),
            Command::new(CommandKind::SetState, TradingState::CancelOnly, operator, "quiet"),
            Command::new(CommandKind::SetState, normal, operator, "go on"),
        ];
        Self { every, looks: 0, commands: commands.into_iter() }
    }
}

impl Inbox for Script {
    fn poll(&mut self) -> Option<Command> {
        self.looks += 1;
        if self.looks.is_multiple_of(self.every) { self.commands.next() } else { None }
    }
}

struct Journal {
    frames: Vec<Frame>,
    out: SyncSender<Vec<Frame>>,
}

impl FrameSink for Journal {
    fn frame(&mut self, frame: &Frame) -> SinkAnswer {
        self.frames.push(*frame);
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        self.out.send(std::mem::take(&mut self.frames)).unwrap();
    }
}

struct Listener {
    spoken: Vec<Spoken>,
    state: TradingState,
    out: SyncSender<Vec<Spoken>>,
}

impl SlotSink for Listener {
    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let frame = slot.head().event.frame;
        let mut say = |said| self.spoken.push(Spoken { frame, said });
        for (core, lane) in slot.strategies().enumerate() {
            lane.batch.intents().iter().for_each(|intent| say(Said::Intent(core, *intent)));
        }
        slot.risk().batch.verdicts().iter().for_each(|verdict| say(Said::Verdict(*verdict)));
        if slot.risk().state != self.state {
            self.state = slot.risk().state;
            say(Said::State(self.state));
        }
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        self.out.send(std::mem::take(&mut self.spoken)).unwrap();
    }
}

/// Runs the session in this manner.
pub(crate) fn run(session: &Session, manner: &Manner, inbox: Option<Script>) -> Seen {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let host = HostCores { allowed: (0..cores).collect(), isolated: Vec::new() };
    let topology = manner.topology(session.strategy_cores(), &host);
    let config = PipelineConfig {
        ingress_slots: manner.ingress_slots,
        event_slots: manner.event_slots,
        // Risk holds to its share only if the ring is as large.
        egress_slots: manner.egress_slots.max(session.egress_slots().next_power_of_two()),
        burst: manner.burst,
        stamps: manner.stamps,
        ..PipelineConfig::default()
    };
    let stages = Stages {
        normalizer: Normalizer::new(vec![session.decoder()], session.table()),
        book: BookStage::new(&session.book()).unwrap(),
        runners: session.runners(),
        risk: Risk::new(&session.risk(), &session.table()).unwrap(),
    };
    let simulation = session.simulation(StageBook::new(&session.book()).unwrap(), manner.under_way);
    let failure = simulation.failure_slot();
    let (frames_out, frames) = sync_channel(1);
    let (spoken_out, spoken) = sync_channel(1);
    let pipeline = Pipeline::start(
        &config,
        &topology,
        &host,
        &Clock::new(),
        stages,
        simulation,
        inbox.map(|inbox| Box::new(inbox) as Box<dyn Inbox>),
        Journal { frames: Vec::new(), out: frames_out },
        Listener { spoken: Vec::new(), state: TradingState::Normal, out: spoken_out },
    )
    .unwrap();
    assert!(pipeline.join().is_some(), "no thread panics");
    assert_eq!(failure.get(), None);
    Seen { frames: frames.recv().unwrap(), spoken: spoken.recv().unwrap() }
}
