//! The life of every order, stamp by stamp: two streams beside the histograms, `latency/orders` (written by the tap: the decision, the answers)
//! and `latency/exits` (written by the sequencer: the way out). Same segments and records as the journal, with kinds of their own.
//!
//! Stamps lie beside the data: nothing here is part of a digest, a replay or a decision, and a record that finds no room is dropped and
//! counted, never waited for.

mod depth;
mod exits;
mod tap;
mod reader;

pub use exits::ExitDriver;
pub use reader::{ExitReader, Life, LifeRecord, Lives, OrderReader, OrderRecord};
pub use tap::OrderTap;

use crate::appender::{AppendCounters, Appender, Finished, Identity};
use crate::error::JournalError;
use crate::format::{RECORD_BYTES_MAX, RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, StreamKind, tag};
use crate::preparer::{JournalConfig, Preparer};
use bytemuck::{Pod, Zeroable};
use spinward_engine::counters::Counter;
use spinward_engine::pipeline::StageStamp;
use spinward_engine::words::{Clock, Event, InstrumentId, Nanos, OrderId, StrategyId, Ticks};
use std::path::Path;
use std::sync::Arc;

/// Numbers of the kinds on disk: never reused.
const DECISION: u8 = 1;
const ANSWER: u8 = 2;
const EXIT: u8 = 3;

/// Turns stamps into times. All that a session stores of latency is told by this one clock, so that it can be laid side by side; against the
/// system's clock it drifts by the error of its calibration.
#[derive(Clone, Debug)]
pub struct StampTime {
    clock: Clock,
    ticks: Ticks,
    wall: Nanos,
}

impl StampTime {
    /// The stamp `ticks` was taken at `wall`, nanoseconds since the epoch. Stamps before it count as this.
    pub fn new(clock: Clock, ticks: Ticks, wall: Nanos) -> Self {
        Self { clock, ticks, wall }
    }

    /// When a stamp was taken, nanoseconds since the epoch; [`Nanos::ZERO`] for no stamp.
    #[inline]
    pub fn at(&self, stamp: Ticks) -> Nanos {
        if stamp == 0 {
            return Nanos::ZERO;
        }
        let since = self.clock.nanos_between(self.ticks, stamp);
        self.wall.after(Nanos::new(i64::try_from(since).unwrap_or(i64::MAX)))
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        self.at(self.clock.ticks())
    }

    fn span(&self, stamp: StageStamp) -> StageTimes {
        StageTimes { start: self.at(stamp.start), done: self.at(stamp.done) }
    }
}

/// When a stage had an event in hand. [`Nanos::ZERO`] where no stamp was taken.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct StageTimes {
    /// When it began.
    pub start: Nanos,
    /// When it was done.
    pub done: Nanos,
}

/// One verdict of risk, with everything that led to it: when each stage had the causing event in hand, how many were ahead of it at each ring,
/// and the event itself. Refused intents have one, too.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Decision {
    /// The order.
    pub order: OrderId,
    /// Replace: the order that takes its place.
    pub new_order: OrderId,
    /// Stamp of the frame: the intended send time where the load is paced, else when it entered the ingress ring.
    pub received: Nanos,
    /// Decoding.
    pub normalizer: StageTimes,
    /// The books.
    pub book: StageTimes,
    /// The strategies of the core that decided.
    pub strategies: StageTimes,
    /// When the last strategy core was done: risk waits for all of them.
    pub strategies_done: Nanos,
    /// Risk; the order was in the egress ring by its end.
    pub risk: StageTimes,
    /// Frames that had come and that the normalizer had not begun when this one came; 1,024: at least so many.
    pub ahead_normalizer: u32,
    /// Events ahead of this one when it came to the books.
    pub ahead_book: u32,
    /// … to the strategy core that decided.
    pub ahead_strategies: u32,
    /// … to risk.
    pub ahead_risk: u32,
    /// The event that caused it, as in memory ([`Event`]).
    pub event: [u64; 8],
    /// Of what the order is; the event may be about another instrument, or about none.
    pub instrument: InstrumentId,
    /// By whom; [`StrategyId::NONE`]: risk itself.
    pub strategy: StrategyId,
    /// A [`RejectCode`](spinward_engine::words::RejectCode); 0 is approved.
    pub code_number: u16,
    /// An [`Action`](spinward_engine::words::Action).
    pub action_number: u8,
    /// Which strategy core.
    pub lane: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

impl Decision {
    /// The event that caused it.
    pub fn event(&self) -> Event {
        bytemuck::cast(self.event)
    }

    /// The frame that caused it.
    pub fn frame(&self) -> u64 {
        self.event[0]
    }

    /// Whether it has the stamps of all stages.
    pub fn is_stamped(&self) -> bool {
        self.normalizer.done != Nanos::ZERO
    }
}

/// A report that came back, and when the stages had it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Answer {
    /// The order.
    pub order: OrderId,
    /// Replace: the order that takes its place.
    pub new_order: OrderId,
    /// The frame that brought it.
    pub frame: u64,
    /// The frame whose decision it answers; 0: none.
    pub cause_frame: u64,
    /// Stamp of its frame.
    pub received: Nanos,
    /// When the normalizer took it.
    pub normalizer_start: Nanos,
    /// When the last strategy core was done with it: the strategy has heard of it.
    pub strategies_done: Nanos,
    /// When risk was done with it.
    pub risk_done: Nanos,
    /// Of what.
    pub instrument: InstrumentId,
    /// A [`RejectCode`](spinward_engine::words::RejectCode).
    pub code_number: u16,
    /// A [`ReportKind`](spinward_engine::words::ReportKind).
    pub kind_number: u8,
    /// As in the [`Report`](spinward_engine::words::Report).
    pub flags: u8,
}

/// The way of a message, or of a refusal, from the egress ring out.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Exit {
    /// The order.
    pub order: OrderId,
    /// Replace: the order that takes its place.
    pub new_order: OrderId,
    /// The frame that caused it.
    pub frame: u64,
    /// Taken from the egress ring.
    pub taken: Nanos,
    /// Its cause was in the journal.
    pub released: Nanos,
    /// Its bytes stood ready; [`Nanos::ZERO`]: not told apart from sending.
    pub encoded: Nanos,
    /// The driver had sent it.
    pub sent: Nanos,
    /// An [`Action`](spinward_engine::words::Action).
    pub action_number: u8,
    /// 1: a refusal by risk, which goes back to the strategy and not to the venue.
    pub is_refusal: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(
    size_of::<Decision>() == 192
        && size_of::<Decision>() <= RECORD_PAYLOAD_BYTES_MAX
        && size_of::<Answer>() == 72
        && size_of::<Exit>() == 64
);

/// What one of these streams counts beside its records.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct OrderCounters {
    /// Records dropped, because there was no room.
    pub dropped: Counter,
}

/// The writer of one of the two streams.
#[derive(Debug)]
pub struct OrderWriter {
    appender: Appender,
    counters: Arc<OrderCounters>,
}

impl OrderWriter {
    /// The stream of decisions and answers, in the session's `latency/orders`.
    ///
    /// # Errors
    /// As [`JournalWriter::create_as`](crate::JournalWriter::create_as).
    pub fn orders(
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        Self::create(StreamKind::Orders, folder, config, preparer, identity)
    }

    /// The stream of exits, in the session's `latency/exits`.
    ///
    /// # Errors
    /// As [`JournalWriter::create_as`](crate::JournalWriter::create_as).
    pub fn exits(
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        Self::create(StreamKind::Exits, folder, config, preparer, identity)
    }

    fn create(
        kind: StreamKind,
        folder: &Path,
        config: &JournalConfig,
        preparer: &Preparer,
        identity: Identity,
    ) -> Result<Self, JournalError> {
        let appender = Appender::create(kind, folder, config, preparer, identity)?;
        Ok(Self { appender, counters: Arc::default() })
    }

    /// Appends a record, or drops it. No allocation, no lock, no system call, no waiting.
    #[inline]
    fn append<T: Pod>(&mut self, kind: u8, receive_time: Nanos, body: &T) {
        const { assert!(size_of::<T>().is_multiple_of(8) && size_of::<T>() <= RECORD_PAYLOAD_BYTES_MAX) }
        let body = bytemuck::bytes_of(body);
        let mut words = [0u64; RECORD_BYTES_MAX / 8];
        let payload = body.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        for (to, from) in words.iter_mut().skip(RECORD_HEADER_BYTES / 8).zip(payload) {
            *to = from;
        }
        // At most RECORD_PAYLOAD_BYTES_MAX.
        let tag = tag(0, kind, 0, body.len() as u16);
        if self.appender.append(receive_time, tag, &mut words, body.len()).is_err() {
            self.counters.dropped.add(1);
        }
    }

    /// What it counts: records, and records that found no room.
    pub fn counters(&self) -> (Arc<AppendCounters>, Arc<OrderCounters>) {
        (self.appender.counters(), Arc::clone(&self.counters))
    }

    /// Ends the stream: on the disk, sealed, the unused tail given back. Blocks.
    ///
    /// # Errors
    /// The failure of the preparer, then or earlier.
    pub fn finish(self) -> Result<Finished, Arc<JournalError>> {
        self.appender.finish()
    }
}
