//! [`Simulation`]: the merge itself. The rules stand in the [module](super).

use super::backlog::Backlog;
use super::config::{SimulationConfig, SimulationError};
use super::counters::{SimulationCounters, SourceIds};
use super::pace::Pacer;
use super::refusal;
use crate::feed::{FeedError, MarketFeed, Peek};
use crate::paper::{MarketBook, OrderMessage, PaperVenue};
use spinward_engine::pipeline::{Driver, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{
    Clock, FRAME_PAYLOAD_BYTES, FrameKind, MESSAGE_BYTES_MAX, Message, Nanos, RecoveredRecord, Report, Ticks,
    Verdict,
};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

/// The next message of the feed, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Head {
    At(Nanos),
    NotYet,
    End,
}

/// What may enter now. The order of the variants is the order at equal times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Recovery,
    Refusal,
    Report,
    Timer,
    Market,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Offer {
    time: Nanos,
    kind: Kind,
}

/// Why nothing may enter now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pause {
    Feed,
    Engine,
    Room,
    Venue,
    Pace,
    End,
}

/// Operator's commands that can be under way beside the simulation's own messages.
const COMMANDS_UNDER_WAY: usize = 64;

const BEFORE_ALL: Nanos = Nanos::new(i64::MIN);

/// A simulated session; see the [module](super).
pub struct Simulation<B> {
    config: SimulationConfig,
    feed: Box<dyn MarketFeed>,
    venue: PaperVenue<B>,
    pacer: Pacer,
    clock: Clock,
    recovered: VecDeque<RecoveredRecord>,
    refusals: VecDeque<(Nanos, Report)>,
    backlog: Backlog,
    /// Messages that entered and are not done: number of the last frame, time.
    under_way: VecDeque<(u64, Nanos)>,
    look_ahead: Nanos,
    act_after: Nanos,
    report_after: Nanos,

    /// The feed's next message, once looked at.
    head: Head,
    /// Time of the first market message.
    start: Option<Nanos>,
    /// Time of the last market message that entered.
    last_market: Nanos,
    /// The end of the market, once known.
    closed: Option<Nanos>,
    next_tick: Option<Nanos>,
    /// The last instant that may have a tick.
    ticks_until: Nanos,
    /// What was given and has not entered.
    offered: Option<Offer>,
    last_time: Nanos,
    payload: [u8; FRAME_PAYLOAD_BYTES],
    failure: Arc<OnceLock<FeedError>>,
    is_over: bool,
    /// Whether `encoded` is stamped, and when the last order's message stood ready.
    has_stamps: bool,
    encoded: Ticks,
    counters: Arc<SimulationCounters>,
}

impl<B: MarketBook> Simulation<B> {
    /// A session of this feed against this venue. `recovered` enters first; open orders among it stand at the venue from the start. All
    /// memory is taken here.
    ///
    /// # Errors
    /// [`SimulationError`] for a setting outside of its range, or an open order that the venue cannot take over.
    pub fn new(
        config: &SimulationConfig,
        feed: Box<dyn MarketFeed>,
        mut venue: PaperVenue<B>,
        recovered: Vec<RecoveredRecord>,
        clock: Clock,
    ) -> Result<Self, SimulationError> {
        config.check()?;
        for record in &recovered {
            venue.adopt(record)?;
        }
        Ok(Self {
            pacer: Pacer::new(config.pace, &clock),
            clock,
            recovered: recovered.into(),
            refusals: VecDeque::with_capacity(config.refusals_max),
            backlog: Backlog::new(config.backlog_messages_max, config.backlog_bytes_max),
            under_way: VecDeque::with_capacity(config.messages_under_way_max + COMMANDS_UNDER_WAY),
            look_ahead: config.look_ahead(venue.config()),
            act_after: venue.config().act_after_min(),
            report_after: venue.config().report.base,
            head: Head::NotYet,
            start: None,
            last_market: BEFORE_ALL,
            closed: None,
            next_tick: None,
            ticks_until: BEFORE_ALL,
            offered: None,
            last_time: BEFORE_ALL,
            payload: [0; FRAME_PAYLOAD_BYTES],
            failure: Arc::default(),
            is_over: false,
            has_stamps: false,
            encoded: 0,
            counters: Arc::default(),
            config: config.clone(),
            feed,
            venue,
        })
    }

    /// Tells when an order's message stands ready ([`Driver::encoded`]). Costs a reading of the clock an order.
    #[must_use]
    pub fn with_stamps(mut self, has_stamps: bool) -> Self {
        self.has_stamps = has_stamps;
        self
    }

    /// What it counts. The venue counts apart: [`Simulation::venue`].
    pub fn counters(&self) -> Arc<SimulationCounters> {
        Arc::clone(&self.counters)
    }

    /// The feed.
    pub fn feed(&self) -> &dyn MarketFeed {
        &*self.feed
    }

    /// The venue.
    pub fn venue(&self) -> &PaperVenue<B> {
        &self.venue
    }

    /// Why the session ended before its time, if it did.
    pub fn failure(&self) -> Option<&FeedError> {
        self.failure.get()
    }

    /// The place where [`Simulation::failure`] will stand: for the caller that gives the simulation away.
    pub fn failure_slot(&self) -> Arc<OnceLock<FeedError>> {
        Arc::clone(&self.failure)
    }

    /// The shortest time from a decision to a frame that it can cause.
    pub fn look_ahead(&self) -> Nanos {
        self.look_ahead
    }

    /// Takes an order for the venue.
    pub(crate) fn submit_order(&mut self, message: &OrderMessage) {
        self.counters.orders.add(1);
        if self.is_past_drain(message.decided) {
            self.counters.unanswered.add(1);
            return;
        }
        let after_close = self.closed.is_some_and(|closed| message.decided > closed);
        // What is heard of it must not be earlier than what has entered; only an operator's doing ever needs this.
        let not_before = self.last_time.since(self.report_after).after(Nanos::new(1));
        if message.decided.after(self.act_after) < not_before {
            self.counters.late.add(1);
        }
        if self.venue.submit(&OrderMessage { after_close, ..*message }, not_before).is_err() {
            self.fail(
                "too many order messages under way to the paper venue; raise its `messages_max`".into(),
            );
        }
    }

    /// Takes a refusal by risk.
    pub(crate) fn submit_refusal(&mut self, verdict: &Verdict, decided: Nanos, frame: u64) {
        if self.is_past_drain(decided) {
            self.counters.unanswered.add(1);
            return;
        }
        if self.refusals.len() >= self.config.refusals_max {
            self.fail("too many refusals by risk under way; raise `refusals_max`".into());
            return;
        }
        let heard = decided.after(self.config.refusal_latency);
        let earliest = self.refusals.back().map_or(self.last_time, |last| last.0.max(self.last_time));
        if heard < earliest {
            self.counters.late.add(1);
        }
        self.refusals.push_back((heard.max(earliest), refusal::report(verdict, frame)));
        self.counters.refusals_under_way.set(self.refusals.len() as i64);
    }

    fn is_past_drain(&self, decided: Nanos) -> bool {
        self.closed.is_some_and(|closed| decided > closed.after(self.config.drain))
    }

    fn fail(&mut self, what: String) {
        let _ = self.failure.set(FeedError { what });
        self.is_over = true;
    }

    /// Looks at the feed, if it is not known what comes next.
    fn look(&mut self) {
        if self.head != Head::NotYet || self.closed.is_some() {
            return;
        }
        let (time, bytes) = match self.feed.peek() {
            Peek::Message(message) => (message.receive_time, message.bytes.len()),
            Peek::NotYet => return,
            Peek::End => return self.close(self.last_market),
            Peek::Failed(error) => {
                let error = error.clone();
                let _ = self.failure.set(error);
                return self.close(self.last_market);
            }
        };
        if time < self.last_market {
            let _ = self.failure.set(FeedError {
                what: format!(
                    "the feed goes back in time: message of {} ns after one of {} ns; sort it by receive time",
                    time.get(),
                    self.last_market.get()
                ),
            });
            return self.close(self.last_market);
        }
        if bytes > MESSAGE_BYTES_MAX {
            let _ = self.failure.set(FeedError {
                what: format!(
                    "a message of the feed at {} ns has {bytes} bytes; at most {MESSAGE_BYTES_MAX} can enter",
                    time.get()
                ),
            });
            return self.close(self.last_market);
        }
        let start = *self.start.get_or_insert(time);
        if self.next_tick.is_none() && self.last_market == BEFORE_ALL {
            let interval = self.config.timer_interval.get();
            let past = start.get().rem_euclid(interval);
            self.next_tick = start.get().checked_add(interval - past).map(Nanos::new);
        }
        match self.config.duration {
            Some(duration) if time >= start.after(duration) => {
                self.close(start.after(duration));
                self.ticks_until = start.after(duration).after(Nanos::new(-1));
            }
            Some(_) | None => self.head = Head::At(time),
        }
    }

    /// The market ends at `time`.
    fn close(&mut self, time: Nanos) {
        self.head = Head::End;
        self.ticks_until = time;
        // An empty feed: the session is over at the time at which it began, which is none.
        let end = if time == BEFORE_ALL { Nanos::ZERO } else { time };
        self.closed = Some(end);
        self.start.get_or_insert(end);
    }

    /// No market message that has yet to enter has an earlier time.
    fn market_from(&self) -> Nanos {
        match self.head {
            Head::At(time) => time,
            Head::NotYet => self.last_market,
            Head::End => Nanos::MAX,
        }
    }

    /// The next tick, if there is one.
    fn tick(&self) -> Option<Nanos> {
        self.next_tick.filter(|tick| self.closed.is_none() || *tick <= self.ticks_until)
    }

    /// Nothing happens at the venue before this, orders not yet known aside.
    fn venue_from(&self) -> Nanos {
        if let Some(time) = self.venue.unfinished() {
            return time;
        }
        let market = self.backlog.head().unwrap_or_else(|| self.market_from());
        self.venue.next_arrival().map_or(market, |arrival| market.min(arrival))
    }

    /// No report that is yet to be made is heard before this, orders not yet known aside.
    fn unmade_from(&self) -> Nanos {
        self.venue_from().after(self.report_after).max(self.venue.last_report_time())
    }

    /// No order that is yet to be submitted was decided before this.
    fn undecided_from(&self) -> Nanos {
        if let Some((_, time)) = self.under_way.front() {
            return *time;
        }
        let mut from = self.market_from().min(self.unmade_from());
        let others = [
            self.offered.map(|offer| offer.time),
            self.tick(),
            self.venue.next_report().map(|head| head.0),
            self.refusals.front().map(|head| head.0),
        ];
        for time in others.into_iter().flatten() {
            from = from.min(time);
        }
        from
    }

    /// Lets the venue see and do everything that it may by now.
    fn run_venue(&mut self) {
        while self.venue.has_room() {
            if self.venue.unfinished().is_some() {
                self.venue.go_on();
                continue;
            }
            let limit = self.undecided_from().after(self.act_after);
            let arrival = self.venue.next_arrival();
            match (self.backlog.front(), arrival) {
                (Some((time, bytes)), arrival) if arrival.is_none_or(|arrival| time <= arrival) => {
                    if time > limit {
                        break;
                    }
                    self.venue.on_market(time, bytes);
                    self.backlog.pop();
                    self.counters.backlog_messages.set(self.backlog.count() as i64);
                }
                (Some(_), Some(arrival)) if arrival <= limit => self.venue.act_next(),
                (None, Some(arrival)) if arrival <= limit && arrival < self.market_from() => {
                    self.venue.act_next();
                }
                (Some(_) | None, Some(_) | None) => break,
            }
        }
    }

    /// What enters next, if it may.
    fn choose(&mut self) -> Result<Offer, Pause> {
        let Some(start) = self.start else { return Err(Pause::Feed) };
        if self.under_way.len() >= self.config.messages_under_way_max {
            return Err(Pause::Room);
        }
        if !self.recovered.is_empty() {
            return Ok(Offer { time: start, kind: Kind::Recovery });
        }
        let candidates = [
            self.refusals.front().map(|head| Offer { time: head.0, kind: Kind::Refusal }),
            self.venue.next_report().map(|head| Offer { time: head.0, kind: Kind::Report }),
            self.tick().map(|time| Offer { time, kind: Kind::Timer }),
            match self.head {
                Head::At(time) => Some(Offer { time, kind: Kind::Market }),
                Head::NotYet | Head::End => None,
            },
        ];
        let Some(offer) = candidates.into_iter().flatten().min() else {
            let is_idle = self.under_way.is_empty() && self.venue_from() == Nanos::MAX;
            return Err(match self.head {
                Head::NotYet => Pause::Feed,
                Head::End if is_idle => Pause::End,
                Head::End | Head::At(_) => Pause::Engine,
            });
        };
        if offer.time > self.market_from() {
            return Err(Pause::Feed);
        }
        if let Some((_, first)) = self.under_way.front()
            && offer.time >= first.after(self.look_ahead)
        {
            return Err(Pause::Engine);
        }
        match offer.kind {
            // Reports keep their order: none that is yet to be made is earlier.
            Kind::Report => {}
            // Before the reports of its instant: with the reports full, waiting for one of these would be for ever.
            Kind::Refusal if self.unmade_from() == offer.time => {}
            Kind::Recovery | Kind::Refusal | Kind::Timer | Kind::Market => {
                if self.unmade_from() <= offer.time {
                    return Err(Pause::Engine);
                }
            }
        }
        let bytes = self.head_bytes();
        if offer.kind == Kind::Market && !self.backlog.fits(bytes) {
            if !self.venue.has_room() {
                // The venue waits for reports to be heard, these for the market, and this for the venue.
                self.fail(
                    "too many reports of the paper venue under way; raise its `reports_max` or `backlog_messages_max`"
                        .into(),
                );
                return Err(Pause::End);
            }
            return Err(Pause::Venue);
        }
        Ok(offer)
    }

    fn head_bytes(&mut self) -> usize {
        match self.feed.peek() {
            Peek::Message(message) => message.bytes.len(),
            Peek::NotYet | Peek::End | Peek::Failed(_) => 0,
        }
    }

    fn count(&self, pause: Pause) {
        match pause {
            Pause::Feed => self.counters.waits_for_feed.add(1),
            Pause::Engine => self.counters.waits_for_engine.add(1),
            Pause::Room => self.counters.waits_for_room.add(1),
            Pause::Venue => self.counters.waits_for_venue.add(1),
            Pause::Pace => self.counters.waits_for_pace.add(1),
            Pause::End => {}
        }
    }

    /// The offer to be given, or why there is none.
    fn poll(&mut self, done: u64) -> Result<(Offer, u64), Pause> {
        while self.under_way.front().is_some_and(|(frame, _)| *frame <= done) {
            self.under_way.pop_front();
        }
        if self.is_over {
            return Err(Pause::End);
        }
        self.look();
        self.run_venue();
        let offer = match self.offered {
            Some(offer) => offer,
            None => {
                let offer = self.choose()?;
                *self.offered.insert(offer)
            }
        };
        let Self { pacer, clock, .. } = self;
        let due = pacer.due(offer.time, || clock.ticks());
        if pacer.is_paced() && clock.ticks() < due {
            return Err(Pause::Pace);
        }
        Ok((offer, due))
    }

    /// The market message at the head has entered: the venue sees it, now or later.
    fn show_to_venue(&mut self) {
        let limit = self.undecided_from().after(self.act_after);
        let Peek::Message(message) = self.feed.peek() else { return };
        let time = message.receive_time;
        let is_next = self.backlog.count() == 0
            && self.venue.unfinished().is_none()
            && self.venue.next_arrival().is_none_or(|arrival| time <= arrival);
        if is_next && time <= limit && self.venue.has_room() {
            self.venue.on_market(time, message.bytes);
            self.counters.venue_direct.add(1);
        } else if self.backlog.push(time, message.bytes) {
            self.counters.venue_copied.add(1);
            self.counters.backlog_messages.set(self.backlog.count() as i64);
        } else {
            // Ruled out: it fitted when it was offered, and the backlog has only shrunk since.
            self.fail("the paper venue's backlog overflowed; please report this".into());
        }
    }
}

impl<B: MarketBook> Driver for Simulation<B> {
    fn submit(&mut self, outbound: &Outbound) {
        match outbound {
            Outbound::Vacant => {}
            Outbound::Order(order) => {
                let message = OrderMessage::from(order);
                if self.has_stamps {
                    self.encoded = self.clock.ticks();
                }
                self.submit_order(&message);
            }
            Outbound::Refusal { verdict, decided, frame } => {
                // Its report is made when it is heard.
                self.encoded = 0;
                self.submit_refusal(verdict, *decided, *frame);
            }
        }
    }

    fn encoded(&self) -> Ticks {
        self.encoded
    }

    fn next(&mut self, done: u64) -> Next<'_> {
        let (offer, stamp) = match self.poll(done) {
            Ok(found) => found,
            Err(Pause::End) => {
                self.is_over = true;
                return Next::End;
            }
            Err(pause) => {
                self.count(pause);
                return match pause {
                    Pause::Feed | Pause::Pace => Next::Wait,
                    Pause::Engine | Pause::Room | Pause::Venue | Pause::End => Next::WaitForEngine,
                };
            }
        };
        let (source, kind) = match offer.kind {
            Kind::Recovery => {
                let record = self.recovered.front().copied().unwrap_or_default();
                self.payload = bytemuck::cast(record);
                (SourceIds::RECOVERY, FrameKind::Recovery)
            }
            Kind::Refusal => {
                let report = self.refusals.front().map(|head| head.1).unwrap_or_default();
                self.payload = bytemuck::cast(report);
                (SourceIds::VENUE, FrameKind::Report)
            }
            Kind::Report => {
                let report = self.venue.next_report().map(|head| head.1).unwrap_or_default();
                self.payload = bytemuck::cast(report);
                (SourceIds::VENUE, FrameKind::Report)
            }
            Kind::Timer => (SourceIds::TIMER, FrameKind::Timer),
            Kind::Market => (SourceIds::MARKET, FrameKind::Market),
        };
        let bytes: &[u8] = match offer.kind {
            Kind::Recovery | Kind::Refusal | Kind::Report => &self.payload,
            Kind::Timer => &[],
            Kind::Market => match self.feed.peek() {
                Peek::Message(message) => message.bytes,
                Peek::NotYet | Peek::End | Peek::Failed(_) => &[],
            },
        };
        Next::Message(Message { source, kind, receive_time: offer.time, stamp, bytes })
    }

    fn advance(&mut self, frame: u64) {
        let Some(offer) = self.offered.take() else { return };
        self.last_time = offer.time;
        self.under_way.push_back((frame, offer.time));
        self.counters.messages_under_way.set(self.under_way.len() as i64);
        match offer.kind {
            Kind::Recovery => {
                self.recovered.pop_front();
                self.counters.recovered.add(1);
            }
            Kind::Refusal => {
                self.refusals.pop_front();
                self.counters.refusals_under_way.set(self.refusals.len() as i64);
                self.counters.refusals.add(1);
            }
            Kind::Report => {
                self.venue.take_report();
                self.counters.reports.add(1);
            }
            Kind::Timer => {
                self.next_tick =
                    offer.time.get().checked_add(self.config.timer_interval.get()).map(Nanos::new);
                self.counters.timer_ticks.add(1);
            }
            Kind::Market => {
                self.show_to_venue();
                self.last_market = offer.time;
                self.feed.advance();
                self.head = if self.closed.is_some() { Head::End } else { Head::NotYet };
                self.counters.market_messages.add(1);
            }
        }
    }

    fn now(&self) -> Nanos {
        if self.last_time == BEFORE_ALL { self.start.unwrap_or(Nanos::ZERO) } else { self.last_time }
    }

    fn entered(&mut self, frame: u64) {
        // What an operator's command causes is decided now: until it is done, nothing later may be given away. Beyond the room that is kept
        // for commands its orders are moved to where they cannot be in the past (`late`).
        if self.under_way.len() < self.under_way.capacity() {
            self.under_way.push_back((frame, self.now()));
        }
    }

    fn stop(&mut self) {
        if self.closed.is_none() {
            // A market message that was given may have entered in part: it still enters whole.
            let given = self.offered.filter(|offer| offer.kind == Kind::Market).map(|offer| offer.time);
            self.close(given.map_or(self.last_market, |time| time.max(self.last_market)));
        }
    }
}
