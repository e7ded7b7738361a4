//! The ingress ring (frames) and the egress ring (orders): plain rings without lanes.

use crate::memory::prefetch_write;
use crate::risk::{Egress, Outbound};
use crate::words::{Clock, Frame, FrameHeader, Ticks};
use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

/// Slots that a producer asks for ahead of its own: consumers on other cores have read them a round ago.
const FRAMES_AHEAD: usize = 4;
const ORDERS_AHEAD: usize = 1;

/// Where the sequencer puts frames.
pub(super) struct FrameProducer {
    producer: SingleProducer<Frame, MultiConsumerBarrier>,
}

impl FrameProducer {
    /// Puts one frame; false if the ring is full. `payload` is at most a frame's, and `header.bytes` its length.
    #[inline]
    pub(super) fn publish(&mut self, header: &FrameHeader, payload: &[u8]) -> bool {
        let mut slot = std::ptr::null();
        let put = |frame: &mut Frame| {
            frame.header = *header;
            if let Some(to) = frame.payload.get_mut(..payload.len()) {
                to.copy_from_slice(payload);
            }
            slot = frame;
        };
        let has_room = self.producer.try_publish(put).is_ok();
        if has_room {
            // Not before the cursor, which somebody waits for.
            prefetch_write(slot, FRAMES_AHEAD);
        }
        has_room
    }
}

/// Most frames fetched at once: enough to hide the way from the other core, little enough to stay in the nearest cache.
const FETCH: usize = 16;

/// Where the normalizer or the journal takes frames.
///
/// Frames are fetched in small lots: copied into memory of this core and released at once. So the producer's cursor, which another core writes, is
/// read once a lot and not once a frame, and the lines of a lot travel side by side instead of one after the other.
pub(super) struct FramePort {
    poller: EventPoller<Frame, SingleProducerBarrier>,
    lot: Box<[Frame; FETCH]>,
    /// The next frame of the lot, and how many there are.
    next: usize,
    count: usize,
}

/// What a port found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received<T> {
    Item(T),
    Empty,
    Shutdown,
}

impl FramePort {
    /// Makes sure that there is a frame in hand, if there is one at all.
    #[inline]
    pub(super) fn fetch(&mut self) -> Received<()> {
        if self.next < self.count {
            return Received::Item(());
        }
        match self.poller.take(FETCH as u64) {
            Ok(mut guard) => {
                let mut count = 0;
                for (to, frame) in self.lot.iter_mut().zip(&mut guard) {
                    *to = *frame;
                    count += 1;
                }
                (self.next, self.count) = (0, count);
                Received::Item(())
            }
            Err(Polling::NoEvents) => Received::Empty,
            Err(Polling::Shutdown) => Received::Shutdown,
        }
    }

    /// The frame in hand, if [`FramePort::fetch`] has fetched one that is not done.
    #[inline]
    pub(super) fn frame(&self) -> Option<&Frame> {
        self.lot.get(self.next).filter(|_| self.next < self.count)
    }

    /// The frame in hand is done.
    #[inline]
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }
}

/// The ingress ring: one producer, the normalizer and the journal side by side.
pub(super) fn ingress_ring(slots: usize) -> (FrameProducer, FramePort, FramePort) {
    let builder = build_single_producer(slots, Frame::vacant, BusySpin);
    let (normalizer, builder) = builder.new_event_poller();
    let (journal, builder) = builder.new_event_poller();
    let port = |poller| FramePort { poller, lot: Box::new([Frame::vacant(); FETCH]), next: 0, count: 0 };
    (FrameProducer { producer: builder.build() }, port(normalizer), port(journal))
}

/// Where risk puts what it sends.
pub(super) struct EgressProducer {
    producer: SingleProducer<Outbound, SingleConsumerBarrier>,
    /// `None` if stamps are off.
    clock: Option<Clock>,
    /// When the last item was in the ring; 0 if none has come since [`EgressProducer::begin`].
    sent: Ticks,
}

impl EgressProducer {
    /// A new event begins.
    #[inline]
    pub(super) fn begin(&mut self) {
        self.sent = 0;
    }

    /// When the event's last item was in the ring.
    #[inline]
    pub(super) fn sent(&self) -> Ticks {
        self.sent
    }
}

impl Egress for EgressProducer {
    #[inline]
    fn send(&mut self, outbound: &Outbound) -> bool {
        let mut place = std::ptr::null();
        let put = |slot: &mut Outbound| {
            *slot = *outbound;
            place = slot;
        };
        let has_room = self.producer.try_publish(put).is_ok();
        if has_room {
            if let Some(clock) = &self.clock {
                self.sent = clock.ticks();
            }
            prefetch_write(place, ORDERS_AHEAD);
        }
        has_room
    }
}

/// Where the sequencer takes what risk has sent.
pub(super) struct EgressPort {
    poller: EventPoller<Outbound, SingleProducerBarrier>,
}

impl EgressPort {
    #[inline]
    pub(super) fn receive(&mut self) -> Received<Outbound> {
        match self.poller.take(1) {
            Ok(mut guard) => match (&mut guard).next() {
                Some(outbound) => Received::Item(*outbound),
                None => Received::Empty,
            },
            Err(Polling::NoEvents) => Received::Empty,
            Err(Polling::Shutdown) => Received::Shutdown,
        }
    }
}

/// The egress ring; `clock` stamps what is put into it.
pub(super) fn egress_ring(slots: usize, clock: Option<Clock>) -> (EgressProducer, EgressPort) {
    let builder = build_single_producer(slots, || Outbound::Vacant, BusySpin);
    let (poller, builder) = builder.new_event_poller();
    (EgressProducer { producer: builder.build(), clock, sent: 0 }, EgressPort { poller })
}
