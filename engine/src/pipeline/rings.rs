//! The ingress ring (frames) and the egress ring (orders): plain rings without lanes.

use crate::risk::{Egress, Outbound};
use crate::words::{Frame, FrameHeader};
use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, Polling, Producer, SingleConsumerBarrier, SingleProducer,
    SingleProducerBarrier, build_single_producer,
};

/// Where the sequencer puts frames.
pub(super) struct FrameProducer {
    producer: SingleProducer<Frame, MultiConsumerBarrier>,
}

impl FrameProducer {
    /// Puts one frame; false if the ring is full. `payload` is at most a frame's, and `header.bytes` its length.
    #[inline]
    pub(super) fn publish(&mut self, header: &FrameHeader, payload: &[u8]) -> bool {
        self.producer
            .try_publish(|frame| {
                frame.header = *header;
                if let Some(to) = frame.payload.get_mut(..payload.len()) {
                    to.copy_from_slice(payload);
                }
            })
            .is_ok()
    }
}

/// Where the normalizer or the journal takes frames.
pub(super) struct FramePort {
    poller: EventPoller<Frame, SingleProducerBarrier>,
}

/// What a port found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Received<T> {
    Item(T),
    Empty,
    Shutdown,
}

impl FramePort {
    /// Hands one frame to `handle` and releases it.
    #[inline]
    pub(super) fn take<R>(&mut self, handle: impl FnOnce(&Frame) -> R) -> Received<R> {
        match self.poller.take(1) {
            Ok(mut guard) => match (&mut guard).next() {
                Some(frame) => Received::Item(handle(frame)),
                None => Received::Empty,
            },
            Err(Polling::NoEvents) => Received::Empty,
            Err(Polling::Shutdown) => Received::Shutdown,
        }
    }
}

/// The ingress ring: one producer, the normalizer and the journal side by side.
pub(super) fn ingress_ring(slots: usize) -> (FrameProducer, FramePort, FramePort) {
    let builder = build_single_producer(slots, Frame::vacant, BusySpin);
    let (normalizer, builder) = builder.new_event_poller();
    let (journal, builder) = builder.new_event_poller();
    (
        FrameProducer { producer: builder.build() },
        FramePort { poller: normalizer },
        FramePort { poller: journal },
    )
}

/// Where risk puts what it sends.
pub(super) struct EgressProducer {
    producer: SingleProducer<Outbound, SingleConsumerBarrier>,
}

impl Egress for EgressProducer {
    #[inline]
    fn send(&mut self, outbound: &Outbound) -> bool {
        self.producer.try_publish(|slot| *slot = *outbound).is_ok()
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

/// The egress ring.
pub(super) fn egress_ring(slots: usize) -> (EgressProducer, EgressPort) {
    let builder = build_single_producer(slots, || Outbound::Vacant, BusySpin);
    let (poller, builder) = builder.new_event_poller();
    (EgressProducer { producer: builder.build() }, EgressPort { poller })
}
