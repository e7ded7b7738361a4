//! The event ring: slots with one lane a stage, and the port through which each stage reaches them. The one `unsafe` file of the
//! pipeline.
//!
//! ```text
//!            ┌ producer ─┐   ┌── book ──┐   ┌ strategies (k cores) ┐   ┌── risk ──┐   ┌─ tap ─┐
//!  slot:     event, payload  book lane      lane 0 … lane k−1          risk lane      (reads)
//!            └─ barrier ────▶└─ barrier ───▶└───────── barrier ───────▶└─ barrier ──▶└─ barrier ──▶ producer (wraps)
//! ```
//!
//! `disruptor` gives consumers `&Slot`; a later stage still has to write its part of the slot. So a part is a [`Lane`], a cell with
//! **one writing stage**. Why that is sound, once for all ports:
//!
//! 1. [`event_ring`] makes each port exactly once and no port can be cloned, so a lane has one writer: the owner of its port.
//! 2. A port's poller yields a sequence only after every poller before it in the drawing has stored a cursor at or past that sequence
//!    (release), which the poller has loaded (acquire): all earlier lanes of the slot are written, and their writers do not come back
//!    to this slot before the ring wraps.
//! 3. The producer reuses a slot only after the tap, the last poller, has stored its cursor past it; every other poller's cursor is then
//!    past it too. So nobody reads while the producer or an earlier lane's writer writes.
//! 4. The references a port gives to its closure live no longer than the poller's guard, whose drop stores the cursor.
//!
//! `tests/loom_lane.rs` runs the protocol of 2 and 3 with this very [`Lane`] through every interleaving.

use super::agent::StageStamp;
use crate::book::BookOutput;
use crate::normalizer::Payload;
use crate::risk::VerdictBatch;
use crate::strategy::IntentBatch;
use crate::words::{Event, Ticks, TradingState};
use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

#[cfg(loom)]
use loom::cell::UnsafeCell;

/// The part of `loom::cell::UnsafeCell` that lanes use, over the standard cell.
#[cfg(not(loom))]
#[derive(Debug)]
struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }
    #[inline(always)]
    fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }
    #[inline(always)]
    fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// A part of a slot with one writing stage, in cache lines of its own.
#[repr(align(64))]
#[derive(Debug)]
pub struct Lane<T>(UnsafeCell<T>);

// SAFETY: a lane is only reached through `read` and `write`, whose callers promise that no write is concurrent with any other access.
unsafe impl<T: Send + Sync> Sync for Lane<T> {}

impl<T> Lane<T> {
    /// Around a value.
    pub fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// The value, of a lane that nobody else can reach.
    #[inline(always)]
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: the exclusive borrow of the lane lasts as long as the one that is given out.
        self.0.with_mut(|value| unsafe { &mut *value })
    }

    /// Reads.
    ///
    /// # Safety
    /// No write may happen as long as the reference lives, and the last write must happen before.
    #[inline(always)]
    pub unsafe fn read(&self) -> &T {
        // SAFETY: the caller promises that no write is concurrent.
        // SYNC POINT: lane (reader)
        self.0.with(|value| unsafe { &*value })
    }

    /// Writes.
    ///
    /// # Safety
    /// The caller must be the only one to reach the lane while `write` runs.
    #[inline(always)]
    pub unsafe fn write<R>(&self, write: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller promises that it is alone.
        // SYNC POINT: lane (writer)
        self.0.with_mut(|value| write(unsafe { &mut *value }))
    }
}

/// What the book stage writes.
#[derive(Debug)]
pub struct BookLane {
    /// When.
    pub stamp: StageStamp,
    /// What.
    pub output: BookOutput,
}

/// What the strategies of one core write.
#[derive(Debug, Default)]
pub struct StrategyLane {
    /// When.
    pub stamp: StageStamp,
    /// What.
    pub batch: IntentBatch,
}

/// What risk writes.
#[derive(Debug)]
pub struct RiskLane {
    /// When.
    pub stamp: StageStamp,
    /// When the last order or refusal of the event was in the egress ring; 0 if there was none.
    pub sent: Ticks,
    /// The trading state after the event.
    pub state: TradingState,
    /// What.
    pub batch: VerdictBatch,
}

/// The part of the slot that the producer writes: the event, and when.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The event.
    pub event: Event,
    /// Stamp of the frame: intended send time where the load is paced, else the time it entered the ingress ring.
    pub frame_stamp: Ticks,
    /// When the normalizer had the frame in hand.
    pub stamp: StageStamp,
    /// Record of a report, command or recovery event; stale memory for every other kind.
    pub payload: Payload,
}

/// One slot of the event ring.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Slot {
    head: Head,
    book: Lane<BookLane>,
    risk: Lane<RiskLane>,
    /// One a strategy core, in one block of memory per slot.
    strategies: Box<[Lane<StrategyLane>]>,
    _odd: [u64; 8],
}

// An even number of cache lines a slot would put every head into the same few cache sets.
const _: () = assert!((size_of::<Slot>() / 64) % 2 == 1);

impl Head {
    /// Of no event yet.
    pub fn vacant() -> Self {
        Self {
            event: Event::default(),
            frame_stamp: 0,
            stamp: StageStamp::default(),
            payload: Payload::default(),
        }
    }

    /// Writes it; the record of an event without one stays as it was.
    #[inline]
    pub fn set(&mut self, event: &Event, payload: Option<&Payload>, frame_stamp: Ticks, stamp: StageStamp) {
        self.event = *event;
        self.frame_stamp = frame_stamp;
        self.stamp = stamp;
        if let Some(payload) = payload {
            self.payload = *payload;
        }
    }
}

impl BookLane {
    /// Of no event yet.
    pub fn vacant() -> Self {
        Self { stamp: StageStamp::default(), output: BookOutput::vacant() }
    }
}

impl RiskLane {
    /// Of no event yet.
    pub fn vacant() -> Self {
        Self {
            stamp: StageStamp::default(),
            sent: 0,
            state: TradingState::Normal,
            batch: VerdictBatch::new(),
        }
    }
}

impl Slot {
    fn vacant(strategy_cores: usize) -> Self {
        Self {
            head: Head::vacant(),
            book: Lane::new(BookLane::vacant()),
            risk: Lane::new(RiskLane::vacant()),
            strategies: strategy_lanes(strategy_cores),
            _odd: [0; 8],
        }
    }
}

/// One lane a strategy core.
pub fn strategy_lanes(strategy_cores: usize) -> Box<[Lane<StrategyLane>]> {
    (0..strategy_cores).map(|_| Lane::new(StrategyLane::default())).collect()
}

/// What a port found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// What was there, at most what was asked for, was handled and released to the next stage.
    Some,
    /// There is none yet.
    Empty,
    /// There will be none any more.
    Shutdown,
}

/// Most slots that a port takes at once. `disruptor` releases what was taken together, so this bounds what the first event of a burst waits
/// for the others at each stage.
pub const BATCH_MAX: usize = 16;

/// Hands up to `most` slots to `handle`, one after the other, and releases them together. Written out for each barrier, as `disruptor` keeps the
/// barriers' trait to itself.
macro_rules! take {
    ($poller:expr, $most:expr, $handle:expr) => {
        match $poller.take($most as u64) {
            Ok(mut guard) => {
                for slot in &mut guard {
                    $handle(slot);
                }
                Taken::Some
            }
            Err(Polling::NoEvents) => Taken::Empty,
            Err(Polling::Shutdown) => Taken::Shutdown,
        }
    };
}

/// Where the normalizer puts its events.
pub struct EventProducer {
    producer: SingleProducer<Slot, SingleConsumerBarrier>,
}

impl EventProducer {
    /// Puts one event; false if the ring is full.
    #[inline]
    pub fn publish(
        &mut self,
        event: &Event,
        payload: Option<&Payload>,
        frame_stamp: Ticks,
        stamp: StageStamp,
    ) -> bool {
        self.producer.try_publish(|slot| slot.head.set(event, payload, frame_stamp, stamp)).is_ok()
    }
}

/// Where the book stage takes its events.
pub struct BookPort {
    poller: EventPoller<Slot, SingleProducerBarrier>,
}

impl BookPort {
    /// Handles up to `most` slots (at most [`BATCH_MAX`]). If there is more than one, `stage` is shown all of them before the first is handled.
    #[inline]
    pub fn take<S>(
        &mut self,
        most: usize,
        stage: &mut S,
        look: impl FnOnce(&S, &[&Head]),
        mut handle: impl FnMut(&mut S, &Head, &mut BookLane),
    ) -> Taken {
        match self.poller.take(most.min(BATCH_MAX) as u64) {
            Ok(mut guard) => {
                let mut slots = &mut guard;
                let Some(first) = slots.next() else { return Taken::Empty };
                let (mut batch, mut count) = ([first; BATCH_MAX], 1);
                for (to, slot) in batch.iter_mut().skip(1).zip(slots) {
                    *to = slot;
                    count += 1;
                }
                let batch = batch.get(..count).unwrap_or(&[]);
                if count > 1 {
                    let mut heads = [&first.head; BATCH_MAX];
                    for (to, slot) in heads.iter_mut().zip(batch) {
                        *to = &slot.head;
                    }
                    look(stage, heads.get(..count).unwrap_or(&[]));
                }
                for slot in batch {
                    // SAFETY: this port is the lane's only writer, and its readers wait for this poller's cursor (1, 2, 3 above).
                    unsafe { slot.book.write(|lane| handle(stage, &slot.head, lane)) }
                }
                Taken::Some
            }
            Err(Polling::NoEvents) => Taken::Empty,
            Err(Polling::Shutdown) => Taken::Shutdown,
        }
    }
}

/// Where the strategies of one core take their events.
pub struct StrategyPort {
    poller: EventPoller<Slot, SingleConsumerBarrier>,
    index: usize,
}

impl StrategyPort {
    /// Handles up to `most` slots.
    #[inline]
    pub fn take(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Head, &BookLane, &mut StrategyLane),
    ) -> Taken {
        let index = self.index;
        take!(self.poller, most, |slot: &Slot| {
            // SAFETY: the book's poller has released this slot and does not come back before the tap has (2, 3 above).
            let book = unsafe { slot.book.read() };
            if let Some(lane) = slot.strategies.get(index) {
                // SAFETY: this port is the only one with this index (1 above), and the lane's readers wait for this poller's cursor.
                unsafe { lane.write(|lane| handle(&slot.head, book, lane)) }
            }
        })
    }
}

/// Where risk takes its events.
pub struct RiskPort {
    poller: EventPoller<Slot, MultiConsumerBarrier>,
}

impl RiskPort {
    /// Handles up to `most` slots.
    #[inline]
    pub fn take(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Head, &BookLane, StrategyLanes<'_>, &mut RiskLane),
    ) -> Taken {
        take!(self.poller, most, |slot: &Slot| {
            // SAFETY: every strategy poller has released this slot, so the book's has before them (2, 3 above).
            let book = unsafe { slot.book.read() };
            let strategies = StrategyLanes { lanes: &slot.strategies };
            // SAFETY: this port is the lane's only writer, and the tap waits for this poller's cursor (1, 2, 3 above).
            unsafe { slot.risk.write(|lane| handle(&slot.head, book, strategies, lane)) }
        })
    }
}

/// Where the tap takes whole slots, after every stage.
pub struct TapPort {
    poller: EventPoller<Slot, SingleConsumerBarrier>,
}

impl TapPort {
    /// Handles up to `most` slots.
    #[inline]
    pub fn take(
        &mut self,
        most: usize,
        mut handle: impl FnMut(&Head, &BookLane, StrategyLanes<'_>, &RiskLane),
    ) -> Taken {
        take!(self.poller, most, |slot: &Slot| {
            // SAFETY: every stage has released this slot and none comes back before this poller has (2, 3 above).
            let book = unsafe { slot.book.read() };
            // SAFETY: as for the book's lane.
            let risk = unsafe { slot.risk.read() };
            handle(&slot.head, book, StrategyLanes { lanes: &slot.strategies }, risk);
        })
    }
}

/// The strategy lanes of one slot, all written: made only by ports that come after every strategy core, or of lanes that are borrowed for themselves.
#[derive(Clone, Copy)]
pub struct StrategyLanes<'a> {
    lanes: &'a [Lane<StrategyLane>],
}

impl<'a> StrategyLanes<'a> {
    /// Of lanes that are in no ring: nobody can write them as long as the borrow lasts.
    #[inline]
    pub fn owned(lanes: &'a mut [Lane<StrategyLane>]) -> Self {
        Self { lanes }
    }

    /// The lanes, in the order of the strategy cores.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = &'a StrategyLane> {
        self.lanes.iter().map(|lane| {
            // SAFETY: made only by the risk and tap ports, for whose slots every strategy poller has stored its cursor (2, 3 above), or by `owned`, whose
            // borrow lets nobody write.
            unsafe { lane.read() }
        })
    }
}

/// The event ring's ends.
pub struct EventRing {
    /// For the normalizer.
    pub producer: EventProducer,
    /// For the book stage.
    pub book: BookPort,
    /// For the strategy runners, by core.
    pub strategies: Vec<StrategyPort>,
    /// For risk.
    pub risk: RiskPort,
    /// For the tap.
    pub tap: TapPort,
}

/// Makes the ring. `slots` is a power of two (checked by the topology), `strategy_cores` at least 1.
pub fn event_ring(slots: usize, strategy_cores: usize) -> EventRing {
    let builder = build_single_producer(slots, || Slot::vacant(strategy_cores), BusySpin);
    let (book, builder) = builder.new_event_poller();
    let mut builder = builder.and_then().with_multi_consumer();
    let mut strategies = Vec::new();
    for index in 0..strategy_cores {
        let (poller, next) = builder.new_event_poller();
        builder = next;
        strategies.push(StrategyPort { poller, index });
    }
    let (risk, builder) = builder.and_then().new_event_poller();
    let (tap, builder) = builder.and_then().new_event_poller();
    EventRing {
        producer: EventProducer { producer: builder.build() },
        book: BookPort { poller: book },
        strategies,
        risk: RiskPort { poller: risk },
        tap: TapPort { poller: tap },
    }
}
