//! The two ways: our messages to the venue, and its reports to us. Both keep their order.

use super::config::PaperConfig;
use super::draw::{Purpose, draw, span};
use super::message::OrderMessage;
use spinward_engine::words::{Action, Nanos, Report};
use std::collections::VecDeque;

/// A message under way.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    arrival: Nanos,
    number: u64,
    message: OrderMessage,
}

/// One order-entry session.
#[derive(Debug)]
struct Session {
    queue: VecDeque<InFlight>,
    last_arrival: Nanos,
}

/// Our messages under way, in memory taken at start.
#[derive(Debug)]
pub(super) struct Outgoing {
    sessions: [Session; 2],
    capacity: usize,
    number: u64,
}

impl Outgoing {
    pub(super) fn new(capacity: usize) -> Self {
        let session =
            || Session { queue: VecDeque::with_capacity(capacity), last_arrival: Nanos::new(i64::MIN) };
        Self { sessions: [session(), session()], capacity, number: 0 }
    }

    /// Sends a message on its way. False if there is no room: the state is as before.
    pub(super) fn send(&mut self, config: &PaperConfig, message: &OrderMessage, not_before: Nanos) -> bool {
        let way = match message.action {
            Action::New => config.place,
            Action::Cancel => config.cancel,
            Action::Replace => config.replace,
        };
        let bits = draw(config.seed, Purpose::Way, message.order.get(), message.action as u64);
        let mut arrival = message.decided.after(span(way, bits)).max(not_before);
        let [main, apart] = &mut self.sessions;
        let session = if config.cancels_apart && message.action == Action::Cancel {
            let maker = main.queue.iter().rev().find(|ahead| ahead.message.entering() == message.order);
            arrival = maker.map_or(arrival, |maker| arrival.max(maker.arrival));
            apart
        } else {
            main
        };
        if session.queue.len() >= self.capacity {
            return false;
        }
        arrival = arrival.max(session.last_arrival);
        session.last_arrival = arrival;
        self.number += 1;
        session.queue.push_back(InFlight { arrival, number: self.number, message: *message });
        true
    }

    /// The session whose head arrives first; of two at the same time, the one sent first.
    fn next_session(&self) -> Option<(usize, &InFlight)> {
        let heads = self.sessions.iter().enumerate();
        heads
            .filter_map(|(at, session)| Some((at, session.queue.front()?)))
            .min_by_key(|(_, head)| (head.arrival, head.number))
    }

    pub(super) fn next_arrival(&self) -> Option<Nanos> {
        self.next_session().map(|(_, head)| head.arrival)
    }

    pub(super) fn take(&mut self) -> Option<(Nanos, OrderMessage)> {
        let (at, _) = self.next_session()?;
        let head = self.sessions.get_mut(at)?.queue.pop_front()?;
        Some((head.arrival, head.message))
    }

    pub(super) fn count(&self) -> usize {
        self.sessions.iter().map(|session| session.queue.len()).sum()
    }
}

/// Reports under way, in memory taken at start.
#[derive(Debug)]
pub(super) struct Incoming {
    queue: VecDeque<(Nanos, Report)>,
    capacity: usize,
    last_time: Nanos,
}

impl Incoming {
    pub(super) fn new(capacity: usize) -> Self {
        Self { queue: VecDeque::with_capacity(capacity), capacity, last_time: Nanos::new(i64::MIN) }
    }

    /// The venue says `report` at `report.venue_time`. False if there is no room.
    pub(super) fn send(&mut self, config: &PaperConfig, report: &Report) -> bool {
        if self.queue.len() >= self.capacity {
            return false;
        }
        let which = u64::from(report.kind_number) << 56 ^ report.exec.get();
        let bits = draw(config.seed, Purpose::Report, report.order.get(), which);
        let time = report.venue_time.after(span(config.report, bits)).max(self.last_time);
        self.last_time = time;
        self.queue.push_back((time, *report));
        true
    }

    pub(super) fn head(&self) -> Option<&(Nanos, Report)> {
        self.queue.front()
    }

    pub(super) fn take(&mut self) -> Option<(Nanos, Report)> {
        self.queue.pop_front()
    }

    /// No later report is heard before this.
    pub(super) fn last_time(&self) -> Nanos {
        self.last_time
    }

    pub(super) fn room(&self) -> usize {
        self.capacity - self.queue.len()
    }

    pub(super) fn count(&self) -> usize {
        self.queue.len()
    }
}
