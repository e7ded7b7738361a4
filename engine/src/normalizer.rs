//! Frames in, events out. Puts chained frames together, hands the message to the decoder of its source, and marks the last event.
//!
//! Never: a socket, a clock, silence. A message that means nothing gives an [`EventKind::Ignored`], one that cannot be read an
//! [`EventKind::Malformed`].

use crate::counters::Counter;
use crate::state::{Snapshot, StateError, StateReader, StateWriter};
use crate::words::{
    Command, DecodeError, Event, EventKind, FRAME_PAYLOAD_BYTES, Frame, FrameKind, InstrumentId,
    InstrumentTable, MESSAGE_BYTES_MAX, Nanos, RecoveredRecord, Report, SourceId,
};
use std::sync::Arc;

/// Most events that one message may give (a snapshot of 8,000 levels a side).
pub const EVENTS_PER_MESSAGE_MAX: usize = 16_384;

/// Most records (reports) that one message may give.
pub const PAYLOADS_PER_MESSAGE_MAX: usize = 64;

/// A control record as it lies in a slot of the event ring: a [`Report`], a [`Command`] or a [`RecoveredRecord`].
pub type Payload = [u64; FRAME_PAYLOAD_BYTES / 8];

/// What a decoder is told about the message besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct MessageMeta {
    /// Frame number (the last one of a chain).
    pub frame: u64,
    /// Receive time of that frame.
    pub receive_time: Nanos,
    /// Who sent it.
    pub source: SourceId,
}

/// Bytes of one protocol to events. Sans-I/O: no clock, no socket, no allocation after construction; the same bytes in the same order
/// give the same events.
pub trait Decoder: Send {
    /// Decodes one whole message into `out`, learning instruments into `instruments` where the protocol has a directory.
    ///
    /// Gives at least one event for every message ([`EventKind::Ignored`] if it means nothing, [`EventKind::Malformed`] if it cannot be
    /// read) and never panics, whatever the bytes. Leave `frame`, `receive_time` and the end flags to the normalizer; a decoder whose
    /// messages touch several instruments sets [`Event::END_OF_GROUP`] on the last event of all but the last instrument.
    fn decode(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    );

    /// The link to the source went down (`up` false) or came up again. Give the events that follow from it: a feed that needs a snapshot
    /// quarantines its instruments.
    fn link(
        &mut self,
        meta: &MessageMeta,
        up: bool,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) {
        let _ = (meta, instruments);
        out.push(Event { a: u64::from(up), ..Event::new(EventKind::Link, InstrumentId::ALL) });
    }

    /// Writes down everything that later messages can depend on: as [`Snapshot::save`]. A decoder without state writes nothing.
    fn save(&self, state: &mut StateWriter);

    /// Takes over what [`Decoder::save`] wrote: as [`Snapshot::load`].
    ///
    /// # Errors
    /// [`StateError`] if it is no state of this decoder.
    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError>;
}

/// The events of one message, in memory taken at start.
#[derive(Debug)]
pub struct EventBatch {
    events: Vec<Event>,
    payloads: Vec<Payload>,
    overflowed: bool,
}

impl EventBatch {
    /// Empty, with room for [`EVENTS_PER_MESSAGE_MAX`] events.
    pub fn new() -> Self {
        Self {
            events: Vec::with_capacity(EVENTS_PER_MESSAGE_MAX),
            payloads: Vec::with_capacity(PAYLOADS_PER_MESSAGE_MAX),
            overflowed: false,
        }
    }

    /// Adds an event. Past the capacity the whole message becomes one [`DecodeError::TooLarge`].
    #[inline]
    pub fn push(&mut self, event: Event) {
        if self.events.len() < EVENTS_PER_MESSAGE_MAX {
            self.events.push(event);
        } else {
            self.overflowed = true;
        }
    }

    /// Adds an event with a record. The k-th event whose kind has a record takes the k-th record.
    pub fn push_report(&mut self, event: Event, report: &Report) {
        self.push_payload(event, bytemuck::cast(*report));
    }

    fn push_payload(&mut self, event: Event, payload: Payload) {
        if self.payloads.len() < PAYLOADS_PER_MESSAGE_MAX {
            self.payloads.push(payload);
            self.push(event);
        } else {
            self.overflowed = true;
        }
    }

    /// Adds a [`EventKind::Malformed`].
    pub fn push_malformed(&mut self, instrument: InstrumentId, error: DecodeError, offset: usize) {
        self.push(Event {
            a: error as u64,
            b: offset as u64,
            ..Event::new(EventKind::Malformed, instrument)
        });
    }

    /// The events.
    #[inline]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The events, to be changed in place by the decoder that made them.
    pub fn events_mut(&mut self) -> &mut [Event] {
        &mut self.events
    }

    /// The records, in the order of the events that have one.
    #[inline]
    pub fn payloads(&self) -> &[Payload] {
        &self.payloads
    }

    /// Makes it empty.
    #[inline]
    pub fn clear(&mut self) {
        self.events.clear();
        self.payloads.clear();
        self.overflowed = false;
    }

    /// Takes back every event after the first `count` (a decoder that finds a message malformed half way).
    pub fn truncate(&mut self, count: usize) {
        self.events.truncate(count);
    }

    /// Writes frame number, receive time and the end marks, and counts the events.
    #[inline]
    fn finish(&mut self, meta: &MessageMeta, counters: &NormalizerCounters) {
        if self.overflowed {
            self.clear();
            self.push_malformed(InstrumentId::ALL, DecodeError::TooLarge, EVENTS_PER_MESSAGE_MAX);
        }
        if self.events.is_empty() {
            self.push(Event::new(EventKind::Ignored, InstrumentId::ALL));
        }
        for event in &mut self.events {
            event.frame = meta.frame;
            event.receive_time = meta.receive_time;
            counters.event(event.kind_number);
        }
        if let Some(last) = self.events.last_mut() {
            last.flags |= Event::END_OF_FRAME | Event::END_OF_GROUP;
        }
    }
}

impl Default for EventBatch {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether events of this kind have a record in their slot.
#[inline]
pub fn has_payload(kind: EventKind) -> bool {
    matches!(kind, EventKind::Report | EventKind::Operator | EventKind::Recovery)
}

/// What the normalizer counts.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct NormalizerCounters {
    /// Frames taken.
    pub frames: Counter,
    /// Whole messages.
    pub messages: Counter,
    /// Payload bytes.
    pub bytes: Counter,
    /// Events given, by [`EventKind`] (index: number − 1).
    pub events: [Counter; EventKind::EVERY.len()],
}

impl NormalizerCounters {
    #[inline]
    fn event(&self, kind_number: u8) {
        if let Some(counter) = self.events.get(usize::from(kind_number).wrapping_sub(1)) {
            counter.add(1);
        }
    }
}

/// The stage. One decoder a source.
pub struct Normalizer {
    decoders: Vec<Box<dyn Decoder>>,
    instruments: InstrumentTable,
    batch: EventBatch,
    assembly: Vec<u8>,
    too_large: bool,
    timer_ticks: u64,
    counters: Arc<NormalizerCounters>,
}

impl Normalizer {
    /// With the decoders by [`SourceId`], and the configured instruments.
    pub fn new(decoders: Vec<Box<dyn Decoder>>, instruments: InstrumentTable) -> Self {
        Self {
            decoders,
            instruments,
            batch: EventBatch::new(),
            assembly: Vec::with_capacity(MESSAGE_BYTES_MAX),
            too_large: false,
            timer_ticks: 0,
            counters: Arc::default(),
        }
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<NormalizerCounters> {
        Arc::clone(&self.counters)
    }

    /// The instruments known by now.
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// The events of the last message that was whole.
    #[inline]
    pub fn batch(&self) -> &EventBatch {
        &self.batch
    }

    /// Takes one frame. True if it completed a message: its events are in [`Normalizer::batch`], at least one.
    #[inline]
    pub fn on_frame(&mut self, frame: &Frame) -> bool {
        let header = &frame.header;
        self.counters.frames.add(1);
        self.counters.bytes.add(u64::from(header.bytes));
        let meta =
            MessageMeta { frame: header.sequence, receive_time: header.receive_time, source: header.source };
        if !header.has_more() && self.assembly.is_empty() && !self.too_large {
            self.on_message(&meta, header.kind, frame.bytes(), false);
            return true;
        }
        if self.assembly.len() + frame.bytes().len() <= MESSAGE_BYTES_MAX {
            self.assembly.extend_from_slice(frame.bytes());
        } else {
            self.too_large = true;
        }
        if header.has_more() {
            return false;
        }
        let message = std::mem::take(&mut self.assembly);
        self.on_message(&meta, header.kind, &message, self.too_large);
        self.assembly = message;
        self.assembly.clear();
        self.too_large = false;
        true
    }

    #[inline]
    fn on_message(&mut self, meta: &MessageMeta, kind: u8, bytes: &[u8], too_large: bool) {
        self.batch.clear();
        match FrameKind::from_number(kind) {
            Some(FrameKind::Market) if !too_large => {
                match self.decoders.get_mut(usize::from(meta.source.get())) {
                    Some(decoder) => decoder.decode(meta, bytes, &mut self.instruments, &mut self.batch),
                    None => self.batch.push_malformed(InstrumentId::ALL, DecodeError::BadField, 0),
                }
            }
            Some(FrameKind::Market) => self.batch.push_malformed(InstrumentId::ALL, DecodeError::TooLarge, 0),
            Some(FrameKind::LinkUp | FrameKind::LinkDown) => {
                let up = kind == FrameKind::LinkUp as u8;
                match self.decoders.get_mut(usize::from(meta.source.get())) {
                    Some(decoder) => decoder.link(meta, up, &mut self.instruments, &mut self.batch),
                    None => self.batch.push_malformed(InstrumentId::ALL, DecodeError::BadField, 0),
                }
            }
            Some(FrameKind::Timer) => {
                self.timer_ticks += 1;
                self.batch
                    .push(Event { a: self.timer_ticks, ..Event::new(EventKind::Timer, InstrumentId::ALL) });
            }
            Some(FrameKind::Report) => match bytemuck::try_pod_read_unaligned::<Report>(bytes) {
                Ok(report) => {
                    let event = Event {
                        venue_time: report.venue_time,
                        ..Event::new(EventKind::Report, report.instrument)
                    };
                    self.batch.push_report(event, &report);
                }
                Err(_) => self.batch.push_malformed(InstrumentId::ALL, DecodeError::Truncated, bytes.len()),
            },
            Some(FrameKind::Operator) => match bytemuck::try_pod_read_unaligned::<Command>(bytes) {
                Ok(command) => self.batch.push_payload(
                    Event::new(EventKind::Operator, InstrumentId::ALL),
                    bytemuck::cast(command),
                ),
                Err(_) => self.batch.push_malformed(InstrumentId::ALL, DecodeError::Truncated, bytes.len()),
            },
            Some(FrameKind::Recovery) => match bytemuck::try_pod_read_unaligned::<RecoveredRecord>(bytes) {
                Ok(record) => self
                    .batch
                    .push_payload(Event::new(EventKind::Recovery, record.instrument), bytemuck::cast(record)),
                Err(_) => self.batch.push_malformed(InstrumentId::ALL, DecodeError::Truncated, bytes.len()),
            },
            None => self.batch.push_malformed(InstrumentId::ALL, DecodeError::UnknownType, 0),
        }
        self.batch.finish(meta, &self.counters);
        self.counters.messages.add(1);
    }
}

impl Snapshot for Normalizer {
    fn save(&self, state: &mut StateWriter) {
        let Self { decoders, instruments, batch: _, assembly, too_large, timer_ticks, counters: _ } = self;
        state
            .list(decoders.iter(), |state, decoder| state.section(b"decoder\0", |state| decoder.save(state)));
        instruments.save(state);
        state.count(assembly.len());
        state.raw(assembly);
        state.bool(*too_large);
        state.u64(*timer_ticks);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        let Self { decoders, instruments, batch: _, assembly, too_large, timer_ticks, counters: _ } = self;
        let count = state.count(decoders.len())?;
        state.demand(count == decoders.len(), "another number of sources")?;
        for decoder in decoders {
            state.section(b"decoder\0", |state| decoder.load(state))?;
        }
        instruments.load(state)?;
        let bytes = state.count(MESSAGE_BYTES_MAX)?;
        assembly.clear();
        assembly.extend_from_slice(state.bytes(bytes)?);
        *too_large = state.bool()?;
        *timer_ticks = state.u64()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
