//! [`LiveDriver`]: a feed, an order gateway, the timer and risk's refusals, as the frames of a session.
//!
//! Order of frames: as they come, what the venue said before market data, and the timer's ticks when they are due. Times never go back.
//!
//! A turn makes at most one system call to receive. While messages or answers wait, the order socket and the clock are looked at before every sixteenth: a
//! message takes less than a microsecond, so an answer of the venue waits for some microseconds at most. Without market data the sockets take turns. When the last
//! message that was there has entered, the next turn looks nowhere: the engine, and the order that comes of the message, go first.

use super::now;
use super::stream::{Received, Stream};
use crate::feed::{FeedError, MarketFeed, Peek};
use crate::ouch::{Carried, OuchAction, OuchConfig, OuchConfigError, OuchCounters, OuchGateway};
use crate::simulation::{SimulationCounters, SourceIds, refusal_report};
use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{
    Command, FRAME_PAYLOAD_BYTES, FrameKind, InstrumentTable, Message, Nanos, RecoveredRecord, Report,
    SourceId, Ticks,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// Bytes read from the venue in one look.
const READ_BYTES: usize = 64 << 10;

/// Bytes that wait for the venue's socket.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Frames that wait for the engine; nothing is read from the venue unless there is room for all that one look can give.
const ITEMS_MAX: usize = 1 << 17;

/// Items that one look can give: messages of the shortest packets, each with the most reports.
const ITEMS_PER_LOOK: usize = READ_BYTES / 12 * 6;

/// Messages and answers from one look at the order socket and the clock to the next.
const MESSAGES_PER_LOOK: u32 = 16;

/// Without market data: looks at the feed for each at the order socket. The feed may have two lines.
const FEED_LOOKS: u32 = 2;

/// Settings of a live session.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Order entry.
    pub ouch: OuchConfig,
    /// Where the venue takes orders.
    pub venue: SocketAddr,
    /// From one timer tick to the next, greater than zero.
    pub timer_interval: Nanos,
    /// The session ends so long after its start; `None`: with the feed, or by command.
    pub duration: Option<Nanos>,
}

/// What waits for the engine.
#[derive(Clone, Copy)]
enum Item {
    Recovery(RecoveredRecord),
    Report(Report),
    Command(Command),
}

impl Item {
    fn payload(&self) -> [u8; FRAME_PAYLOAD_BYTES] {
        match self {
            Self::Recovery(record) => bytemuck::cast(*record),
            Self::Report(report) => bytemuck::cast(*report),
            Self::Command(command) => bytemuck::cast(*command),
        }
    }

    const fn kind(&self) -> (SourceId, FrameKind) {
        match self {
            Self::Recovery(_) => (SourceIds::RECOVERY, FrameKind::Recovery),
            Self::Report(_) => (SourceIds::VENUE, FrameKind::Report),
            Self::Command(_) => (SourceIds::VENUE, FrameKind::Operator),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Offer {
    Item,
    Timer,
    Market,
}

/// The driver.
pub struct LiveDriver {
    feed: Box<dyn MarketFeed>,
    gateway: OuchGateway,
    venue: Stream,
    items: VecDeque<Item>,
    buffer: Box<[u8]>,
    timer_interval: Nanos,
    next_tick: Nanos,
    /// The session's length, until it begins: with the first look, not while memory is taken.
    duration: Option<Nanos>,
    until: Option<Nanos>,
    /// No more market data: the session ends.
    is_closing: bool,
    is_venue_over: bool,
    offered: Option<(Offer, Nanos)>,
    /// Messages, or looks at the feed without any, since the last look at the order socket.
    since_look: u32,
    /// A message has entered since the last look at any socket.
    has_entered: bool,
    /// The last frame that has entered.
    frame: u64,
    /// The clock as it was read last.
    time: Nanos,
    payload: [u8; FRAME_PAYLOAD_BYTES],
    last_time: Nanos,
    failure: Arc<OnceLock<FeedError>>,
    counters: Arc<SimulationCounters>,
    has_stamps: bool,
    encoded: Ticks,
    clock: spinward_engine::words::Clock,
}

impl LiveDriver {
    /// Takes all memory, and begins to connect to the venue. `carried` is what an earlier session left.
    ///
    /// # Errors
    /// [`OuchConfigError`].
    pub fn new(
        config: &LiveConfig,
        feed: Box<dyn MarketFeed>,
        instruments: &InstrumentTable,
        carried: Carried,
        clock: spinward_engine::words::Clock,
    ) -> Result<Self, OuchConfigError> {
        if config.timer_interval <= Nanos::ZERO {
            return Err(OuchConfigError::Span("timer_interval"));
        }
        let start = now();
        let mut items = VecDeque::with_capacity(ITEMS_MAX + carried.records.len() + 1);
        items.extend(carried.mark.map(|mark| Item::Recovery(mark.record())));
        items.extend(carried.records.iter().map(|record| Item::Recovery(*record)));
        let mut driver = Self {
            feed,
            gateway: OuchGateway::new(&config.ouch, instruments, carried)?,
            venue: Stream::new(config.venue, WAITING_BYTES_MAX),
            items,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            timer_interval: config.timer_interval,
            next_tick: start.after(config.timer_interval),
            duration: config.duration,
            until: None,
            is_closing: false,
            is_venue_over: false,
            offered: None,
            since_look: 0,
            has_entered: false,
            frame: 0,
            time: start,
            payload: [0; FRAME_PAYLOAD_BYTES],
            last_time: start,
            failure: Arc::default(),
            counters: Arc::default(),
            has_stamps: false,
            encoded: 0,
            clock,
        };
        driver.with_gateway(|gateway, mut take| gateway.start(start, &mut take));
        Ok(driver)
    }

    /// Tells when an order's bytes stood ready ([`Driver::encoded`]): before they go to the socket.
    #[must_use]
    pub const fn with_stamps(mut self, has_stamps: bool) -> Self {
        self.has_stamps = has_stamps;
        self
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<SimulationCounters> {
        Arc::clone(&self.counters)
    }

    /// What its gateway counts.
    pub fn gateway_counters(&self) -> Arc<OuchCounters> {
        self.gateway.counters()
    }

    /// What the receiver of its feed counts.
    pub fn feed(&self) -> &dyn MarketFeed {
        &*self.feed
    }

    /// Why the session ended before its time, or not as it should: for the caller that gives the driver away.
    pub fn failure_slot(&self) -> Arc<OnceLock<FeedError>> {
        Arc::clone(&self.failure)
    }

    fn fail(&self, what: String) {
        // The first one is told.
        let _ = self.failure.set(FeedError { what });
    }

    /// Lets the gateway act, and carries out what it asks for.
    fn with_gateway(&mut self, act: impl FnOnce(&mut OuchGateway, &mut dyn FnMut(OuchAction<'_>))) {
        let Self { gateway, venue, items, is_venue_over, failure, has_stamps, encoded, clock, .. } = self;
        let mut take = |action: OuchAction<'_>| match action {
            OuchAction::Connect => venue.connect(),
            OuchAction::Send(bytes) => {
                if *has_stamps {
                    *encoded = clock.ticks();
                }
                venue.send(bytes);
            }
            OuchAction::Close => venue.close(),
            OuchAction::Report(report) => items.push_back(Item::Report(*report)),
            OuchAction::Command(command) => items.push_back(Item::Command(*command)),
            OuchAction::Joined(mark) => items.push_back(Item::Recovery(mark.record())),
            OuchAction::Stopped(outcome) => {
                *is_venue_over = true;
                if !outcome.is_flat {
                    let what = format!(
                        "the venue did not confirm that it holds none of our orders; {} may still stand there: look there, and cancel them by hand",
                        outcome.open_orders
                    );
                    let _ = failure.set(FeedError { what });
                }
            }
            OuchAction::Ended(reason) => {
                let is_asked = matches!(reason, crate::soup::EndReason::LoggedOut);
                if !is_asked {
                    let _ = failure.set(FeedError { what: format!("order entry is over: {reason}") });
                }
            }
        };
        act(gateway, &mut take);
    }

    /// Reads what the venue has to say, as far as there is room.
    fn poll_venue(&mut self, time: Nanos) {
        match self.venue.poll_connect() {
            Some(true) => self.with_gateway(|gateway, mut take| gateway.on_connected(time, &mut take)),
            Some(false) => self.with_gateway(|gateway, mut take| gateway.on_disconnected(time, &mut take)),
            None => {}
        }
        if self.items.len() + ITEMS_PER_LOOK <= ITEMS_MAX {
            let mut buffer = std::mem::take(&mut self.buffer);
            match self.venue.receive(&mut buffer) {
                Received::Bytes(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    self.with_gateway(|gateway, mut take| gateway.on_bytes(time, bytes, &mut take));
                }
                Received::Gone => {
                    self.venue.close();
                    self.with_gateway(|gateway, mut take| gateway.on_disconnected(time, &mut take));
                }
                Received::Nothing => {}
            }
            self.buffer = buffer;
            self.with_gateway(|gateway, mut take| gateway.on_time(time, &mut take));
        }
    }

    fn close(&mut self, time: Nanos) {
        if !self.is_closing {
            self.is_closing = true;
            self.with_gateway(|gateway, mut take| gateway.stop(time, &mut take));
        }
    }

    /// What is next, after a look at one of the sockets if nothing is there.
    fn look(&mut self) -> Option<(Offer, Nanos)> {
        let has_market = self.feed.has_message() && !self.is_closing;
        let has_any = has_market || !self.items.is_empty();
        if has_any && self.since_look < MESSAGES_PER_LOOK {
            self.since_look += 1;
            return self.offer(self.time.max(self.last_time));
        }
        if !has_any && std::mem::take(&mut self.has_entered) {
            return None;
        }
        let time = now().max(self.last_time);
        self.time = time;
        let is_feeds_turn = !has_any && !self.is_closing && self.since_look < FEED_LOOKS;
        if is_feeds_turn {
            self.since_look += 1;
        } else {
            self.since_look = 0;
            self.poll_venue(time);
        }
        let is_lost = self.failure.get().is_some();
        if let Some(span) = self.duration.take() {
            self.until = Some(time.after(span));
        }
        if is_lost || self.until.is_some_and(|until| time >= until) {
            self.close(time);
        }
        if is_feeds_turn || has_market || !self.items.is_empty() || time >= self.next_tick {
            self.offer(time)
        } else {
            None
        }
    }

    fn offer(&mut self, time: Nanos) -> Option<(Offer, Nanos)> {
        if !self.items.is_empty() {
            return Some((Offer::Item, time));
        }
        if time >= self.next_tick {
            return Some((Offer::Timer, time));
        }
        if self.is_closing {
            return None;
        }
        let (closes, offer) = match self.feed.peek() {
            Peek::Message(message) => (None, Some((Offer::Market, message.receive_time.max(self.last_time)))),
            Peek::NotYet => (None, None),
            Peek::End => (Some(None), None),
            Peek::Failed(error) => (Some(Some(error.what.clone())), None),
        };
        if let Some(why) = closes {
            if let Some(why) = why {
                self.fail(why);
            }
            self.close(time);
        }
        offer
    }
}

impl Driver for LiveDriver {
    fn submit(&mut self, outbound: &Outbound) {
        match outbound {
            Outbound::Vacant => {}
            Outbound::Order(order) => {
                self.counters.orders.add(1);
                // Stays 0 if the gateway refuses it: nothing was encoded then.
                self.encoded = 0;
                let time = now().max(self.last_time);
                self.time = time;
                self.with_gateway(|gateway, mut take| gateway.submit(time, order, &mut take));
            }
            Outbound::Refusal { verdict, frame, .. } => {
                self.encoded = 0;
                self.counters.refusals.add(1);
                self.items.push_back(Item::Report(refusal_report(verdict, *frame)));
            }
        }
    }

    fn encoded(&self) -> Ticks {
        self.encoded
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        let (offer, time) = match self.offered {
            Some(offered) => offered,
            None => {
                let Some(offered) = self.look() else {
                    if self.is_closing && self.is_venue_over {
                        // An engine that is behind may still send an order, which is to be refused and the refusal heard.
                        return if done >= self.frame { Next::End } else { Next::WaitForEngine };
                    }
                    self.counters.waits_for_feed.add(1);
                    return Next::Wait;
                };
                if let Some(item) = self.items.front().filter(|_| offered.0 == Offer::Item) {
                    self.payload = item.payload();
                }
                *self.offered.insert(offered)
            }
        };
        let message = |source, kind, bytes| {
            Next::Message(Message { source, kind, receive_time: time, stamp: 0, bytes })
        };
        match offer {
            Offer::Item => match self.items.front().map(Item::kind) {
                Some((source, kind)) => message(source, kind, &self.payload),
                None => Next::Wait,
            },
            Offer::Timer => message(SourceIds::TIMER, FrameKind::Timer, &[]),
            Offer::Market => match self.feed.peek() {
                Peek::Message(market) => message(SourceIds::MARKET, FrameKind::Market, market.bytes),
                Peek::NotYet | Peek::End | Peek::Failed(_) => Next::Wait,
            },
        }
    }

    fn advance(&mut self, frame: u64) {
        self.frame = frame;
        let Some((offer, time)) = self.offered.take() else { return };
        self.last_time = time;
        match offer {
            Offer::Item => match self.items.pop_front() {
                Some(Item::Report(_)) => self.counters.reports.add(1),
                Some(Item::Recovery(_)) => self.counters.recovered.add(1),
                Some(Item::Command(_)) | None => {}
            },
            Offer::Timer => {
                // One that is late is not made up for.
                self.next_tick = time.after(self.timer_interval);
                self.counters.timer_ticks.add(1);
            }
            Offer::Market => {
                self.has_entered = true;
                self.feed.advance();
                self.counters.market_messages.add(1);
            }
        }
    }

    fn now(&self) -> Nanos {
        // An operator's command comes between two messages: not before the last, and not after one that is offered.
        self.last_time
    }

    fn entered(&mut self, frame: u64) {
        self.frame = frame;
    }

    fn stop(&mut self) {
        let time = now().max(self.last_time);
        self.close(time);
    }
}

#[cfg(test)]
mod tests;
