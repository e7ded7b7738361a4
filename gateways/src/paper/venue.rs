//! [`PaperVenue`]: decoding, the ways to and fro, and the steps in which time passes.

use super::acting::LEVELS_PER_ORDER_MAX;
use super::config::{PaperConfig, PaperConfigError};
use super::desk::Desk;
use super::market::MarketBook;
use super::message::OrderMessage;
use super::resting::{Market, Orders, Resting, Taken};
use super::shelf::NONE;
use super::wire::{Incoming, Outgoing};
use spinward_engine::counters::{Counter, Gauge};
use spinward_engine::normalizer::{Decoder, Normalizer};
use spinward_engine::words::{
    FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, InstrumentId, InstrumentTable, Nanos, Qty,
    RecoveredKind, RecoveredRecord, RejectCode, Report, Side, SourceId, TimeInForce,
};
use std::sync::Arc;

/// What the venue counts.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct PaperCounters {
    /// Messages of ours that arrived.
    pub messages: Counter,
    /// New orders accepted.
    pub accepted: Counter,
    /// Orders replaced.
    pub replaced: Counter,
    /// Orders and remainders cancelled, asked for or not.
    pub cancelled: Counter,
    /// Messages refused, by [`RejectCode::index`].
    pub refused: [Counter; RejectCode::EVERY.len()],
    /// Fills of orders at rest.
    pub fills_as_maker: Counter,
    /// Fills that took recorded levels.
    pub fills_as_taker: Counter,
    /// Events of the recorded market.
    pub events: Counter,
    /// Reports for which there was no room: always 0, or the sizes are wrong.
    pub reports_lost: Counter,
    /// Orders at rest.
    pub orders_open: Gauge,
    /// Messages of ours under way.
    pub messages_in_flight: Gauge,
    /// Reports under way.
    pub reports_in_flight: Gauge,
}

/// There is no room for one more message of ours under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused;

/// The venue; see the [module](super) for its rules.
pub struct PaperVenue<B> {
    normalizer: Normalizer,
    frames: u64,
    /// Events of the message at hand that are done.
    cursor: usize,
    outgoing: Outgoing,
    room_per_step: usize,
    desk: Desk<B>,
}

impl<B: MarketBook> PaperVenue<B> {
    /// A venue for the market of one feed. `instruments` must be the table that the engine starts with: both decode the same bytes in the
    /// same order, and so learn the same ids. All memory is taken here.
    ///
    /// # Errors
    /// [`PaperConfigError`] for a setting outside of its range.
    pub fn new(
        config: &PaperConfig,
        decoder: Box<dyn Decoder>,
        instruments: InstrumentTable,
        book: B,
    ) -> Result<Self, PaperConfigError> {
        config.check()?;
        let count = instruments.capacity();
        // One event touches each order at most twice (passed, then crossed); one message takes so many levels, with answer and remainder.
        let room_per_step = config.orders_max * 2 + LEVELS_PER_ORDER_MAX + 4;
        Ok(Self {
            normalizer: Normalizer::new(vec![decoder], instruments),
            frames: 0,
            cursor: 0,
            outgoing: Outgoing::new(config.messages_max),
            room_per_step,
            desk: Desk {
                config: config.clone(),
                book,
                orders: Orders::new(count, config.orders_max),
                taken: Taken::new(count, config.taken_levels_max),
                markets: vec![Market::NEW; count].into_boxed_slice(),
                reports: Incoming::new(room_per_step + config.reports_max),
                portions: Vec::with_capacity(LEVELS_PER_ORDER_MAX),
                now: Nanos::new(i64::MIN),
                next_order: config.first_id,
                next_exec: config.first_id,
                counters: Arc::default(),
            },
        })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<PaperCounters> {
        Arc::clone(&self.desk.counters)
    }

    /// How it was set up.
    pub fn config(&self) -> &PaperConfig {
        &self.desk.config
    }

    /// The instruments known by now.
    pub fn instruments(&self) -> &InstrumentTable {
        self.normalizer.instruments()
    }

    /// Takes over an open order of an earlier session, before the first market message: it stands at the back of its level as the market
    /// opens. Immediate orders whose answer was lost are cancelled then. Records of other kinds are passed over.
    ///
    /// # Errors
    /// [`PaperConfigError::Adopt`] if it cannot stand here; the venue is as before.
    pub fn adopt(&mut self, record: &RecoveredRecord) -> Result<(), PaperConfigError> {
        if record.kind() != Some(RecoveredKind::OpenOrder) {
            return Ok(());
        }
        let fail = |why| PaperConfigError::Adopt { order: record.order.get(), why };
        let side =
            Side::from_number(record.side_number).ok_or(fail("it has no side; the record is damaged"))?;
        let tif = TimeInForce::from_number(record.tif_number)
            .ok_or(fail("it has no time in force; the record is damaged"))?;
        if record.instrument.index() >= self.desk.orders.instruments() {
            return Err(fail(
                "its instrument is not in the table; start with the earlier session's instruments",
            ));
        }
        if record.qty <= Qty::ZERO {
            return Err(fail("nothing of it is open; the record is damaged"));
        }
        if self.desk.orders.find(record.order).is_some() {
            return Err(fail("it is given twice"));
        }
        let venue_order =
            if record.venue_order == 0 { self.desk.new_venue_order() } else { record.venue_order };
        self.desk.next_order = self.desk.next_order.max(venue_order);
        let added = self.desk.orders.add(Resting {
            order: record.order,
            instrument: record.instrument,
            side,
            tif,
            price: record.price,
            open: record.qty,
            ahead: Qty::MAX,
            mark: u64::MAX,
            venue_order,
            cause_frame: 0,
        });
        if !added {
            return Err(fail("no room; raise `orders_max`"));
        }
        if let Some(market) = self.desk.markets.get_mut(record.instrument.index()) {
            market.requeue = true;
        }
        self.show();
        Ok(())
    }

    /// Sends a message of ours on its way; it arrives no earlier than `not_before`.
    pub(crate) fn submit(&mut self, message: &OrderMessage, not_before: Nanos) -> Result<(), Refused> {
        let earliest = not_before.max(self.desk.now);
        let sent = self.outgoing.send(&self.desk.config, message, earliest);
        self.show();
        if sent { Ok(()) } else { Err(Refused) }
    }

    /// When the next message of ours acts.
    pub(crate) fn next_arrival(&self) -> Option<Nanos> {
        self.outgoing.next_arrival()
    }

    /// The time of the market message at hand, if it is not done yet.
    pub(crate) fn unfinished(&self) -> Option<Nanos> {
        (self.cursor < self.normalizer.batch().events().len()).then_some(self.desk.now)
    }

    /// Whether there is room for the reports of one more step. If not, reports must be taken first.
    pub(crate) fn has_room(&self) -> bool {
        self.desk.reports.room() >= self.room_per_step
    }

    /// A message of the recorded market. The one before is done, and so are our messages that arrived before it.
    pub(crate) fn on_market(&mut self, receive_time: Nanos, bytes: &[u8]) {
        self.desk.now = self.desk.now.max(receive_time);
        if self.frames == 0 {
            self.cancel_lost_immediates();
        }
        let mut rest = bytes;
        loop {
            let (part, after) = rest.split_at(rest.len().min(FRAME_PAYLOAD_BYTES));
            rest = after;
            self.frames += 1;
            let mut frame = Frame::vacant();
            frame.header = FrameHeader {
                sequence: self.frames,
                receive_time,
                source: SourceId::new(0),
                kind: FrameKind::Market as u8,
                flags: if rest.is_empty() { 0 } else { FrameHeader::MORE },
                bytes: part.len() as u16,
                ..FrameHeader::default()
            };
            for (to, from) in frame.payload.iter_mut().zip(part) {
                *to = *from;
            }
            if self.normalizer.on_frame(&frame) || rest.is_empty() {
                break;
            }
        }
        self.cursor = 0;
        self.go_on();
    }

    /// Goes on with the market message at hand while there is room for reports.
    pub(crate) fn go_on(&mut self) {
        while self.has_room() {
            let Some(event) = self.normalizer.batch().events().get(self.cursor) else { break };
            self.desk.counters.events.add(1);
            self.desk.on_event(event);
            self.cursor += 1;
        }
        self.show();
    }

    /// Lets the next message of ours act, at its arrival.
    pub(crate) fn act_next(&mut self) {
        if let Some((arrival, message)) = self.outgoing.take() {
            self.desk.now = self.desk.now.max(arrival);
            self.desk.counters.messages.add(1);
            self.desk.act(&message);
            self.show();
        }
    }

    /// The next report and when it is heard.
    pub(crate) fn next_report(&self) -> Option<&(Nanos, Report)> {
        self.desk.reports.head()
    }

    /// Takes the next report.
    pub(crate) fn take_report(&mut self) -> Option<(Nanos, Report)> {
        let report = self.desk.reports.take();
        self.show();
        report
    }

    /// No report that is yet to be made is heard before this.
    pub(crate) fn last_report_time(&self) -> Nanos {
        self.desk.reports.last_time()
    }

    fn cancel_lost_immediates(&mut self) {
        for number in 0..self.desk.markets.len() as u32 {
            for side in [Side::Buy, Side::Sell] {
                let mut slot = self.desk.orders.first(InstrumentId::new(number), side);
                while slot != NONE {
                    let next = self.desk.orders.next(slot);
                    if self.desk.orders.at(slot).is_some_and(|resting| resting.tif != TimeInForce::Day) {
                        self.desk.cancel_resting(slot, None);
                    }
                    slot = next;
                }
            }
        }
    }

    fn show(&self) {
        let counters = &self.desk.counters;
        counters.orders_open.set(self.desk.orders.count() as i64);
        counters.messages_in_flight.set(self.outgoing.count() as i64);
        counters.reports_in_flight.set(self.desk.reports.count() as i64);
    }

    /// The orders at rest of one side, in the order in which they are served.
    #[cfg(test)]
    pub(super) fn standing(&self, instrument: InstrumentId, side: Side) -> Vec<Resting> {
        let mut slot = self.desk.orders.first(instrument, side);
        let mut found = Vec::new();
        while let Some(resting) = self.desk.orders.at(slot) {
            found.push(*resting);
            slot = self.desk.orders.next(slot);
        }
        found
    }

    /// What is remembered as taken of a level.
    #[cfg(test)]
    pub(super) fn taken_at(
        &self,
        instrument: InstrumentId,
        side: Side,
        price: spinward_engine::words::Price,
    ) -> Qty {
        self.desk.taken.at(instrument, side, price).unwrap_or(Qty::ZERO)
    }
}
