//! `[feed.receive]`: who reads the sockets of market data, and what is asked of the kernel.

use crate::field::{Bytes, choices};
use crate::visit::{Section, Visitor};
use spinward_engine::pipeline::IdleStrategy;
use spinward_gateways::live::LineOptions;
use std::time::Duration;

/// Who reads the sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReceiveBy {
    /// The sequencer, in its turn.
    #[default]
    Sequencer,
    /// A thread of its own.
    Thread,
}

choices!(ReceiveBy: "sequencer" => ReceiveBy::Sequencer, "thread" => ReceiveBy::Thread);

/// `[feed.receive]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReceiveSettings {
    /// Who reads the sockets.
    pub by: ReceiveBy,
    /// `thread`: the core it is pinned to; absent: left to the scheduler.
    pub core: Option<usize>,
    /// `thread`: how it waits.
    pub idle: IdleStrategy,
    /// Packets that wait in the kernel, bytes of each line, 4 KiB to 1 GiB.
    pub buffer_bytes: Bytes,
    /// How long the reader polls the network card's driver itself, whole microseconds up to 10 ms; 0: not.
    pub busy_poll: Duration,
    /// Whether the kernel stamps packets and tells what it dropped.
    pub kernel_stamps: bool,
}

impl Default for ReceiveSettings {
    fn default() -> Self {
        let line = LineOptions::default();
        Self {
            by: ReceiveBy::Sequencer,
            core: None,
            idle: IdleStrategy::Yield,
            buffer_bytes: Bytes(line.receive_buffer_bytes as u64),
            busy_poll: Duration::from_micros(u64::from(line.busy_poll_us)),
            kernel_stamps: line.has_kernel_stamps,
        }
    }
}

impl Section for ReceiveSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.key("by", &mut self.by);
        visitor.optional("core", &mut self.core);
        visitor.key("idle", &mut self.idle);
        visitor.key("buffer_bytes", &mut self.buffer_bytes);
        visitor.key("busy_poll", &mut self.busy_poll);
        visitor.key("kernel_stamps", &mut self.kernel_stamps);
    }
}
