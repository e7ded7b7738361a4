//! [`SessionTap`] and [`JournalSink`]: what the pipeline's taps copy into.
//!
//! Both run on pinned threads: no allocation, no system call. What blocks (closing files, writing interval logs) happens elsewhere: on the
//! [`LatencyCollector`]'s thread, or after the pipeline has ended.

mod state;

use crate::audit::{AuditRecord, AuditWriter, StateChange};
use crate::digests::{Checkpoint, DigestSnapshot, StageDigests};
use crate::error::{AppendError, JournalError};
use crate::journal::JournalWriter;
use crate::latency::{LatencyHistograms, LatencyLog, LatencySummary};
use crate::orders::{OrderTap, OrderWriter};
use crossbeam_queue::ArrayQueue;
use spinward_engine::normalizer::has_payload;
use spinward_engine::pipeline::{FrameSink, SinkAnswer, SlotSink, SlotView};
use spinward_engine::words::{
    Clock, Command, Event, EventKind, Frame, Nanos, Report, Symbol, Ticks, TradingState,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Frames between two checkpoints of the digests. Part of the format: a replay makes its checkpoints at the same frames.
pub const CHECKPOINT_FRAMES: u64 = 10_000;

/// Frames with decisions that may wait for the disk one by one; further ones wait together.
const UNSAFE_FRAMES_MAX: usize = 4096;

/// What latency is kept of, in the order of the histograms. `wait`: from the moment the stage before was done (for the normalizer: the frame's stamp) to
/// the start of this one; `service`: from its start to its end.
pub const LATENCY_STAGES: [&str; 10] = [
    "normalizer wait",
    "normalizer service",
    "book wait",
    "book service",
    "strategies wait",
    "strategies service",
    "risk wait",
    "risk service",
    "tick to order",
    "tick to order service",
];

const NORMALIZER: usize = 0;
const BOOK: usize = 2;
const STRATEGIES: usize = 4;
const RISK: usize = 6;
/// Frame stamp (intended send time where the load is paced) to the end of risk, for events that an order came of.
const TICK_TO_ORDER: usize = 8;
/// Frame taken by the normalizer to the end of risk, for the same events.
const TICK_TO_ORDER_SERVICE: usize = 9;

/// Histograms that go to and fro between the tap and the collector.
type Exchange = Arc<ArrayQueue<Box<LatencyHistograms>>>;

/// The tap's end of the histograms.
#[derive(Debug)]
pub struct LatencyTap {
    current: Option<Box<LatencyHistograms>>,
    full: Exchange,
    empty: Exchange,
    interval: Ticks,
    next: Ticks,
}

/// The side thread's end: gathers what the tap has recorded, writes the interval log.
#[derive(Debug)]
pub struct LatencyCollector {
    total: LatencyHistograms,
    full: Exchange,
    empty: Exchange,
    log: Option<LatencyLog>,
}

/// Both ends. The tap hands a set of histograms over about each second.
///
/// # Errors
/// None with the fixed range of the histograms; their crate's answer otherwise.
pub fn latency_exchange(
    clock: &Clock,
    log: Option<LatencyLog>,
) -> Result<(LatencyTap, LatencyCollector), hdrhistogram::CreationError> {
    let full: Exchange = Arc::new(ArrayQueue::new(2));
    let empty: Exchange = Arc::new(ArrayQueue::new(2));
    // A full queue gives the value back; these two find room.
    drop(empty.push(Box::new(LatencyHistograms::new(LATENCY_STAGES)?)));
    let ticks = 1 << 32;
    let interval = ticks * 1_000_000_000 / clock.nanos_between(0, ticks).max(1);
    Ok((
        LatencyTap {
            current: Some(Box::new(LatencyHistograms::new(LATENCY_STAGES)?)),
            full: Arc::clone(&full),
            empty: Arc::clone(&empty),
            interval,
            next: 0,
        },
        LatencyCollector { total: LatencyHistograms::new(LATENCY_STAGES)?, full, empty, log },
    ))
}

impl LatencyTap {
    #[inline]
    fn record(&mut self, clock: &Clock, slot: &SlotView<'_>) {
        let Some(histograms) = &mut self.current else { return };
        let head = slot.head();
        let mut stage = |index: usize, before: Ticks, start: Ticks, done: Ticks| {
            // The ends alone have no service.
            if start != 0 && done != 0 {
                histograms.record(index, clock.nanos_between(before, start));
                histograms.record(index + 1, clock.nanos_between(start, done));
            }
        };
        stage(NORMALIZER, head.frame_stamp, head.stamp.start, head.stamp.done);
        let book = slot.book_stamp();
        stage(BOOK, head.stamp.done, book.start, book.done);
        let mut before = book.done;
        for lane in slot.strategies() {
            stage(STRATEGIES, book.done, lane.stamp.start, lane.stamp.done);
            before = before.max(lane.stamp.done);
        }
        let risk = slot.risk();
        stage(RISK, before, risk.stamp.start, risk.stamp.done);
        if risk.stamp.done != 0 && risk.batch.verdicts().iter().any(|verdict| verdict.is_approved()) {
            histograms.record(TICK_TO_ORDER, clock.nanos_between(head.frame_stamp, risk.sent));
            if head.stamp.start != 0 {
                let service = clock.nanos_between(head.stamp.start, risk.sent);
                histograms.record(TICK_TO_ORDER_SERVICE, service);
            }
        }
        if risk.stamp.done > self.next {
            self.next = risk.stamp.done + self.interval;
            self.hand_over();
        }
    }

    /// Gives the current set away if there is an empty one to go on with.
    fn hand_over(&mut self) {
        if let Some(empty) = self.empty.pop()
            && let Some(current) = self.current.replace(empty)
        {
            // There are three sets in all and two places, so there is room.
            drop(self.full.push(current));
        }
    }
}

impl LatencyCollector {
    /// Takes what has come since, and writes an interval into the log.
    ///
    /// # Errors
    /// [`JournalError::Io`] if the log cannot be written; the samples count all the same.
    pub fn poll(&mut self, now: Nanos) -> Result<(), JournalError> {
        let mut has_come = false;
        while let Some(mut set) = self.full.pop() {
            self.total.absorb(&mut set);
            drop(self.empty.push(set));
            has_come = true;
        }
        match &mut self.log {
            Some(log) if has_come => log.write_interval(&mut self.total, now),
            Some(_) | None => Ok(()),
        }
    }

    /// A line for each of [`LATENCY_STAGES`], over everything gathered so far.
    pub fn summary(&mut self) -> Vec<LatencySummary> {
        self.total.summary()
    }
}

/// What the tap leaves when the session has ended.
#[derive(Debug)]
pub struct TapOutcome {
    /// The digests of the whole session.
    pub digests: DigestSnapshot,
    /// Its checkpoints, if they were to be kept in memory.
    pub checkpoints: Vec<Checkpoint>,
    /// Last frame seen.
    pub frame: u64,
    /// The audit, still open: finishing it blocks.
    pub audit: Option<AuditWriter>,
    /// The orders' stamps, still open.
    pub orders: Option<OrderWriter>,
}

/// Looks at every slot after every stage: digests, audit records, latency.
#[derive(Debug)]
pub struct SessionTap {
    clock: Clock,
    digests: StageDigests,
    audit: Option<AuditWriter>,
    latency: Option<LatencyTap>,
    orders: Option<OrderTap>,
    checkpoints: Vec<Checkpoint>,
    keeps_checkpoints: bool,
    next_checkpoint: u64,
    frame: u64,
    receive_time: Nanos,
    state: TradingState,
    /// Audit records of the current slot that are written: a slot that met a full segment is shown again.
    written: usize,
    /// Frames whose audit records are not known to be safe: the last record of the frame, and the frame. Only if orders wait for them.
    unsafe_frames: Option<VecDeque<(u64, u64)>>,
    marked: u64,
    safe: u64,
    outcome: SyncSender<TapOutcome>,
    changes: Option<Arc<ArrayQueue<(Nanos, StateChange)>>>,
}

impl SessionTap {
    /// A tap that leaves its results in `outcome` (a channel with room for one). `checkpoints` is how many to make room for in memory; 0 keeps none.
    pub fn new(
        clock: Clock,
        audit: Option<AuditWriter>,
        latency: Option<LatencyTap>,
        checkpoints: usize,
        outcome: SyncSender<TapOutcome>,
    ) -> Self {
        Self {
            clock,
            digests: StageDigests::new(),
            audit,
            latency,
            orders: None,
            checkpoints: Vec::with_capacity(checkpoints),
            keeps_checkpoints: checkpoints > 0,
            next_checkpoint: CHECKPOINT_FRAMES,
            frame: 0,
            receive_time: Nanos::ZERO,
            state: TradingState::Normal,
            written: 0,
            unsafe_frames: None,
            marked: 0,
            safe: 0,
            outcome,
            changes: None,
        }
    }

    /// Tells changes of the trading state, with their receive time, to whoever empties this queue; when it is full the newest are not told (the audit
    /// has them all).
    #[must_use]
    pub fn with_changes(mut self, changes: Arc<ArrayQueue<(Nanos, StateChange)>>) -> Self {
        self.changes = Some(changes);
        self
    }

    /// Lets orders wait until their verdict is on the disk: for an audit with [`Durability::Sync`](crate::Durability::Sync).
    #[must_use]
    pub fn holding_orders(mut self) -> Self {
        self.unsafe_frames = self.audit.is_some().then(|| VecDeque::with_capacity(UNSAFE_FRAMES_MAX));
        self
    }

    /// This frame's records are all appended; orders of it wait until the last of them is safe.
    #[inline]
    fn mark(&mut self, frame: u64) {
        let (Some(frames), Some(audit)) = (&mut self.unsafe_frames, &self.audit) else { return };
        let appended = audit.appended();
        if appended == self.marked {
            return;
        }
        self.marked = appended;
        // When there is no room the newest two become one: their orders wait for both.
        if frames.len() >= UNSAFE_FRAMES_MAX {
            frames.pop_back();
        }
        frames.push_back((appended, frame));
    }

    /// Stores the life of every order.
    #[must_use]
    pub fn with_orders(mut self, orders: OrderTap) -> Self {
        self.orders = Some(orders);
        self
    }

    fn checkpoint(&mut self, digests: DigestSnapshot) {
        if self.keeps_checkpoints && self.checkpoints.len() < self.checkpoints.capacity() {
            self.checkpoints.push(Checkpoint { frame: self.frame, digests });
        }
    }
}

/// Appends the `index`-th record of a slot unless it is already there.
fn append(
    audit: &mut Option<AuditWriter>,
    index: &mut usize,
    written: &mut usize,
    record: &AuditRecord,
) -> Result<(), SinkAnswer> {
    if let Some(audit) = audit
        && *index >= *written
    {
        match audit.append(record) {
            Ok(()) => *written += 1,
            Err(AppendError::NoSegment) => return Err(SinkAnswer::Retry),
            Err(AppendError::Failed | AppendError::OutOfOrder | AppendError::TooLong) => {
                return Err(SinkAnswer::Failed);
            }
        }
    }
    *index += 1;
    Ok(())
}

impl SlotSink for SessionTap {
    fn holds_orders(&self) -> bool {
        self.unsafe_frames.is_some()
    }

    fn safe(&mut self) -> u64 {
        if let (Some(frames), Some(audit)) = (&mut self.unsafe_frames, &self.audit)
            && !frames.is_empty()
        {
            let durable = audit.durable();
            while let Some((_, frame)) = frames.front().copied().filter(|(record, _)| *record <= durable) {
                self.safe = frame;
                frames.pop_front();
            }
        }
        self.safe
    }

    fn has_failed(&self) -> bool {
        self.audit.as_ref().is_some_and(AuditWriter::is_broken)
    }

    fn slot(&mut self, slot: &SlotView<'_>) -> SinkAnswer {
        let head = slot.head();
        let event = &head.event;
        let kind = event.kind();
        let (frame, receive_time) = (event.frame, event.receive_time);
        let risk = slot.risk();

        // Audit first: it can ask for the slot again, and nothing may count twice.
        let mut index = 0;
        let mut records = || -> Result<(), SinkAnswer> {
            let (audit, written) = (&mut self.audit, &mut self.written);
            if kind == EventKind::Report {
                let report: Report = bytemuck::cast(head.payload);
                append(audit, &mut index, written, &AuditRecord::Report { frame, receive_time, report })?;
            }
            if risk.state != self.state {
                let change = state_change(self.state, risk.state, slot);
                append(audit, &mut index, written, &AuditRecord::State { frame, receive_time, change })?;
            }
            for &verdict in risk.batch.verdicts() {
                append(audit, &mut index, written, &AuditRecord::Verdict { frame, receive_time, verdict })?;
            }
            Ok(())
        };
        if let Err(answer) = records() {
            return answer;
        }
        if event.has(Event::END_OF_FRAME) && frame >= self.next_checkpoint {
            // This slot's own digests are not yet in: the checkpoint is of everything up to the end of the frame, so it is computed on a
            // copy that has them.
            let mut digests = self.digests;
            add(&mut digests, slot);
            let digests = digests.snapshot();
            let record = AuditRecord::Digests { frame, receive_time, digests };
            if let Err(answer) = append(&mut self.audit, &mut index, &mut self.written, &record) {
                return answer;
            }
            self.frame = frame;
            self.checkpoint(digests);
            while self.next_checkpoint <= frame {
                self.next_checkpoint += CHECKPOINT_FRAMES;
            }
        }
        self.written = 0;
        if risk.state != self.state
            && let Some(changes) = &self.changes
        {
            let _ = changes.push((receive_time, state_change(self.state, risk.state, slot)));
        }
        self.state = risk.state;
        self.frame = frame;
        self.receive_time = receive_time;
        if event.has(Event::END_OF_FRAME) {
            self.mark(frame);
        }
        add(&mut self.digests, slot);
        if let Some(latency) = &mut self.latency {
            latency.record(&self.clock, slot);
        }
        if let Some(orders) = &mut self.orders {
            orders.slot(slot);
        }
        SinkAnswer::Kept
    }

    fn finish(&mut self) {
        let digests = self.digests.snapshot();
        self.checkpoint(digests);
        if let Some(audit) = &mut self.audit {
            let record = AuditRecord::End { frame: self.frame, receive_time: self.receive_time, digests };
            // Without room for the last record the audit ends as after a kill: whole, but without its last word.
            while audit.append(&record) == Err(AppendError::NoSegment) {
                std::thread::yield_now();
            }
        }
        if let Some(latency) = &mut self.latency
            && let Some(current) = latency.current.take()
        {
            drop(latency.full.push(current));
        }
        let outcome = TapOutcome {
            digests,
            checkpoints: std::mem::take(&mut self.checkpoints),
            frame: self.frame,
            audit: self.audit.take(),
            orders: self.orders.take().map(OrderTap::finish),
        };
        // There is room for one; if nobody waits for it any more, it is dropped.
        let _ = self.outcome.try_send(outcome);
    }
}

/// Adds what every stage has written into this slot.
#[inline]
fn add(digests: &mut StageDigests, slot: &SlotView<'_>) {
    let head = slot.head();
    digests.add_event(&head.event);
    if let Some(view) = slot.view() {
        digests.add_view(view);
    }
    for lane in slot.strategies() {
        for intent in lane.batch.intents() {
            digests.add_intent(intent);
        }
    }
    for verdict in slot.risk().batch.verdicts() {
        digests.add_verdict(verdict);
    }
    if has_payload(head.event.kind()) {
        digests.add_report(&bytemuck::cast(head.payload));
    }
}

/// Who changed the trading state: the operator whose command this event is, else risk itself.
fn state_change(previous: TradingState, state: TradingState, slot: &SlotView<'_>) -> StateChange {
    let head = slot.head();
    if head.event.kind() == EventKind::Operator {
        let command: Command = bytemuck::cast(head.payload);
        StateChange::new(previous, state, command.owner, command.reason())
    } else {
        StateChange::new(previous, state, Symbol::new("risk").unwrap_or_default(), "")
    }
}

/// The journal as the pipeline's sink of frames.
#[derive(Debug)]
pub struct JournalSink {
    writer: Option<JournalWriter>,
    holds_orders: bool,
    ended: SyncSender<JournalWriter>,
}

impl JournalSink {
    /// Hands the writer to `ended` (a channel with room for one) when the session has ended: finishing it blocks.
    pub fn new(writer: JournalWriter, ended: SyncSender<JournalWriter>) -> Self {
        Self { writer: Some(writer), holds_orders: false, ended }
    }

    /// Lets orders wait until the frame that caused them is on the disk: for a journal with [`Durability::Sync`](crate::Durability::Sync).
    #[must_use]
    pub fn holding_orders(mut self) -> Self {
        self.holds_orders = true;
        self
    }
}

impl FrameSink for JournalSink {
    #[inline]
    fn frame(&mut self, frame: &Frame) -> SinkAnswer {
        let Some(writer) = &mut self.writer else { return SinkAnswer::Failed };
        match writer.append(frame) {
            Ok(()) => SinkAnswer::Kept,
            Err(AppendError::NoSegment) => SinkAnswer::Retry,
            Err(AppendError::Failed | AppendError::OutOfOrder | AppendError::TooLong) => SinkAnswer::Failed,
        }
    }

    #[inline]
    fn safe(&self, last: u64) -> u64 {
        match &self.writer {
            Some(writer) if self.holds_orders => last.min(writer.durable()),
            Some(_) | None => last,
        }
    }

    #[inline]
    fn has_failed(&self) -> bool {
        self.writer.as_ref().is_some_and(JournalWriter::is_broken)
    }

    fn finish(&mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = self.ended.try_send(writer);
        }
    }
}
