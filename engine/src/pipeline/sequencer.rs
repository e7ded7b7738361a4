//! The sequencer: the one door into the engine, and the way out of it. Ring order is the order of the session.

use super::agent::{Agent, CoreContext, Poll};
use super::driver::{Driver, ExitStamps, Inbox, Next};
use super::progress::Progress;
use super::rings::{EgressPort, FrameProducer, Received};
use crate::counters::{Counter, Gauge};
use crate::risk::Outbound;
use crate::words::{
    Command, CommandKind, FRAME_PAYLOAD_BYTES, FrameHeader, FrameKind, MESSAGE_BYTES_MAX, Message, SourceId,
    Symbol, Ticks, TradingState,
};
use std::sync::Arc;

/// Source of operators' commands.
pub const OPERATOR_SOURCE: SourceId = SourceId::new(3);

/// What the sequencer counts.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct SequencerCounters {
    /// Frames put into the ingress ring.
    pub frames: Counter,
    /// Messages put into the ingress ring, by [`FrameKind`] (index: number − 1).
    pub messages: [Counter; FrameKind::EVERY.len()],
    /// Polls that found the ingress ring full: the engine is the bottleneck.
    pub ingress_full: Counter,
    /// Polls in which the driver had nothing to give.
    pub waits: Counter,
    /// Items taken from the egress ring.
    pub outbound: Counter,
    /// Polls in which an order waited for the journal, or for its own record.
    pub journal_waits: Counter,
    /// Frames in the ingress ring that the engine has not finished, at the last poll.
    pub backlog: Gauge,
}

/// Most messages that enter in one poll.
const MESSAGES_PER_POLL: usize = 16;

/// Turns from one look at how far the engine is to the next, while the driver waits for the engine, and otherwise: the word is written for
/// every frame, and each look takes its line away from the engine's core.
const TURNS_PER_LOOK: u32 = 8;
const TURNS_PER_GLANCE: u32 = 256;

/// Turns for each slot of a full ring that it is left alone, and most of them in all: a part of the ring comes free meanwhile, never all.
const REST_TURNS_PER_SLOT: u32 = 4;
const REST_TURNS_MAX: u32 = 4_096;

pub(super) struct Sequencer<D> {
    driver: D,
    inbox: Option<Box<dyn Inbox>>,
    ingress: FrameProducer,
    egress: EgressPort,
    progress: Arc<Progress>,
    counters: Arc<SequencerCounters>,
    /// Waits for the journal.
    held: Option<Outbound>,
    /// When it was taken, and whether its cause was not yet in the journal then.
    taken: Ticks,
    has_waited: bool,
    /// Number of the last frame.
    sequence: u64,
    /// Bytes of the driver's current message that have entered.
    entered_bytes: usize,
    /// Stamp of the driver's current message.
    stamp: Ticks,
    /// Command on its way in.
    command: Option<Command>,
    is_stopping: bool,
    /// Turns, and the last frame that was seen to be done.
    turns: u32,
    done: u64,
    /// The driver's last answer: nothing may enter before the engine has got on.
    waits_for_engine: bool,
    /// Turns that the full ring is still left alone, and how many they are each time.
    rest: u32,
    rest_turns: u32,
}

/// What became of the driver's next message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Entry {
    Whole,
    /// The ring is full.
    Part,
    /// There is none at the moment.
    Nothing,
    End,
}

impl<D: Driver> Sequencer<D> {
    pub(super) fn new(
        driver: D,
        inbox: Option<Box<dyn Inbox>>,
        ingress: FrameProducer,
        ingress_slots: u32,
        egress: EgressPort,
        progress: Arc<Progress>,
        counters: Arc<SequencerCounters>,
    ) -> Self {
        Self {
            driver,
            inbox,
            ingress,
            egress,
            progress,
            counters,
            held: None,
            taken: 0,
            has_waited: false,
            sequence: 0,
            entered_bytes: 0,
            stamp: 0,
            command: None,
            is_stopping: false,
            turns: 0,
            done: 0,
            waits_for_engine: false,
            rest: 0,
            rest_turns: REST_TURNS_MAX.min(REST_TURNS_PER_SLOT.saturating_mul(ingress_slots)),
        }
    }

    /// Takes everything from the egress ring whose cause is in the journal and which, where that is demanded, is itself recorded. Returns up to which frame the driver now knows all that was
    /// sent, and whether anything was taken.
    fn drain(&mut self, core: &mut CoreContext) -> (u64, bool) {
        // Order matters: all that frames up to `done` have sent is in the ring before `done` is stored.
        self.turns = self.turns.wrapping_add(1);
        let turns = if self.waits_for_engine { TURNS_PER_LOOK } else { TURNS_PER_GLANCE };
        if self.turns.is_multiple_of(turns) {
            self.done = self.progress.done();
        }
        let done = self.done;
        let mut has_taken = false;
        loop {
            if self.held.is_none() {
                match self.egress.receive() {
                    Received::Item(outbound) => {
                        self.held = Some(outbound);
                        self.taken = core.end();
                        self.has_waited = false;
                    }
                    Received::Empty | Received::Shutdown => return (done, has_taken),
                }
            }
            if let Some(outbound) = &self.held {
                let has_failed = self.progress.has_failed();
                let kept = self.progress.journaled().min(self.progress.recorded());
                if outbound.frame() > kept || has_failed {
                    self.counters.journal_waits.add(u64::from(!has_failed));
                    self.has_waited = true;
                    return (done.min(outbound.frame().saturating_sub(1)), has_taken);
                }
                let released = if self.has_waited { core.end() } else { self.taken };
                self.driver.submit(outbound);
                if released != 0 {
                    let encoded = self.driver.encoded();
                    let stamps = ExitStamps { taken: self.taken, released, encoded, sent: core.end() };
                    self.driver.submitted(outbound, &stamps);
                }
                self.counters.outbound.add(1);
                self.held = None;
                has_taken = true;
            }
        }
    }

    /// Lets the inbox's next command enter, between two messages of the driver. True if one did.
    fn poll_inbox(&mut self, core: &mut CoreContext) -> bool {
        if self.entered_bytes != 0 {
            return false;
        }
        if self.command.is_none() {
            self.command = self.inbox.as_mut().and_then(|inbox| inbox.poll());
        }
        let Some(command) = &self.command else { return false };
        let message = Message {
            source: OPERATOR_SOURCE,
            kind: FrameKind::Operator,
            receive_time: self.driver.now(),
            stamp: core.end(),
            bytes: bytemuck::bytes_of(command),
        };
        let (_, is_whole) = put(&mut self.ingress, &message, 0, message.stamp, &mut self.sequence);
        if !is_whole {
            return false;
        }
        self.command = None;
        self.counters.frames.add(1);
        count_message(&self.counters, FrameKind::Operator);
        self.driver.entered(self.sequence);
        true
    }

    /// Lets as much of the driver's next message enter as the ring has room for.
    fn poll_driver(&mut self, core: &mut CoreContext, done: u64) -> Entry {
        let message = match self.driver.next(done) {
            Next::Message(message) => message,
            Next::Wait => return Entry::Nothing,
            Next::WaitForEngine => {
                self.waits_for_engine = true;
                return Entry::Nothing;
            }
            Next::End => return Entry::End,
        };
        if self.entered_bytes == 0 {
            self.stamp = if message.stamp == 0 { core.end() } else { message.stamp };
        }
        let kind = message.kind;
        let before = self.sequence;
        let (bytes, is_whole) =
            put(&mut self.ingress, &message, self.entered_bytes, self.stamp, &mut self.sequence);
        self.counters.frames.add(self.sequence - before);
        if is_whole {
            self.entered_bytes = 0;
            count_message(&self.counters, kind);
            self.driver.advance(self.sequence);
            Entry::Whole
        } else {
            self.entered_bytes = bytes;
            Entry::Part
        }
    }

    /// A sink is lost: nothing leaves any more, and nothing enters but the rest of a message that has entered in part and, last, the kill
    /// that halts risk.
    fn run_down(&mut self, core: &mut CoreContext) -> Poll {
        if self.entered_bytes != 0 {
            // 0: what the engine has sent since is not submitted, so the driver must not take its frames for done.
            match self.poll_driver(core, 0) {
                Entry::Whole => {}
                Entry::Part | Entry::Nothing => return Poll::Idle,
                Entry::End => return Poll::Done,
            }
        }
        self.command = Some(Command::new(
            CommandKind::Kill,
            TradingState::Halted,
            Symbol::new("journal").unwrap_or_default(),
            "journal or audit cannot be written",
        ));
        let has_entered = self.poll_inbox(core);
        self.progress.set_sequenced(self.sequence);
        if has_entered { Poll::Done } else { Poll::Idle }
    }
}

impl<D: Driver> Agent for Sequencer<D> {
    fn poll(&mut self, core: &mut CoreContext) -> Poll {
        let has_failed = self.progress.has_failed();
        if !self.is_stopping && (self.progress.is_stopping() || has_failed) {
            self.is_stopping = true;
            self.driver.stop();
        }
        if has_failed {
            return self.run_down(core);
        }
        let (done, mut has_worked) = self.drain(core);
        if self.rest > 0 {
            self.rest -= 1;
            return Poll::Worked;
        }
        self.counters.backlog.set(self.sequence.saturating_sub(done).min(i64::MAX as u64) as i64);
        has_worked |= self.poll_inbox(core);
        self.waits_for_engine = false;
        for _ in 0..MESSAGES_PER_POLL {
            let before = self.sequence;
            let entry = self.poll_driver(core, done);
            has_worked |= self.sequence != before;
            match entry {
                Entry::Whole => {}
                Entry::Part => {
                    self.counters.ingress_full.add(1);
                    // A full ring that is filled slot by slot as slots come free makes both cores wait for each other's lines at every
                    // frame: the next lot waits until there is room for many.
                    self.rest = self.rest_turns;
                    break;
                }
                Entry::Nothing => {
                    self.counters.waits.add(1);
                    break;
                }
                Entry::End => return Poll::Done,
            }
        }
        self.progress.set_sequenced(self.sequence);
        core.forget();
        if has_worked { Poll::Worked } else { Poll::Idle }
    }
}

fn count_message(counters: &SequencerCounters, kind: FrameKind) {
    if let Some(counter) = counters.messages.get((kind as usize).wrapping_sub(1)) {
        counter.add(1);
    }
}

/// Puts the message's bytes from `offset` on into frames until the ring is full. Returns how many bytes have entered, and whether that
/// is all. A message over [`MESSAGE_BYTES_MAX`] is sent as far as the frame that makes it too large, which the normalizer reports.
fn put(
    ingress: &mut FrameProducer,
    message: &Message<'_>,
    mut offset: usize,
    stamp: Ticks,
    sequence: &mut u64,
) -> (usize, bool) {
    let end = message.bytes.len().min(MESSAGE_BYTES_MAX + FRAME_PAYLOAD_BYTES);
    loop {
        let rest = message.bytes.get(offset..end).unwrap_or(&[]);
        let (part, has_more) = match rest.split_at_checked(FRAME_PAYLOAD_BYTES) {
            Some((part, after)) => (part, !after.is_empty()),
            None => (rest, false),
        };
        let header = FrameHeader {
            sequence: *sequence + 1,
            receive_time: message.receive_time,
            stamp,
            source: message.source,
            kind: message.kind as u8,
            flags: if has_more { FrameHeader::MORE } else { 0 },
            bytes: part.len() as u16, // at most FRAME_PAYLOAD_BYTES
            reserved: 0,
        };
        if !ingress.publish(&header, part) {
            return (offset, false);
        }
        *sequence += 1;
        offset += part.len();
        if !has_more {
            return (offset, true);
        }
    }
}
