//! Rings, lanes, agents and topologies: where the stages meet.
//!
//! ```text
//!  driver ─▶ sequencer ─▶ INGRESS ring ─┬─▶ journal tap ─▶ FrameSink
//!   ▲            ▲                      └─▶ normalizer ─▶ EVENT ring ─▶ book ─▶ strategies ─▶ risk ─▶ tap ─▶ SlotSink
//!   │            └───────────────────────────── EGRESS ring ◀──────────────────────────────────┘
//!   └── submit: orders whose frame is in the journal
//! ```

pub mod lane;
mod agent;
mod idle;
mod stall;
mod gap;
mod progress;
mod rings;
mod driver;
mod sequencer;
mod stages;
mod straight;
mod replica;
mod taps;
mod topology;
mod runtime;
mod side;
mod aside;

pub use agent::{StageStamp, StampMode};
pub use aside::keep_off;
pub use driver::{Driver, ExitStamps, Inbox, Next};
pub use gap::{GAPS_WAITING_MAX, Gap, GapLog};
pub use idle::IdleStrategy;
pub use lane::{BATCH_MAX, Head, RiskLane, StrategyLane};
pub use progress::Progress;
pub use replica::Replica;
pub use runtime::{
    CoreCounters, CoreReport, Finished, Pipeline, PipelineConfig, PipelineCounters, Stages, StartError,
};
pub use sequencer::{OPERATOR_SOURCE, SequencerCounters};
pub use side::{SideCore, Turn};
pub use stages::AgentCounters;
pub use stall::Stall;
pub use taps::{FrameSink, NoJournal, NoTap, SinkAnswer, SlotSink, SlotView};
pub use topology::{CoreSpec, HostCores, Role, Topology, TopologyError};
