//! [`Receiver`]: two lines and a retransmission server to one stream.

mod gap;
mod start;

use super::packet::{Downstream, HEADER_BYTES, Header, Kind, PacketError, Session};
use super::window::Window;
use crate::itch50::{Be16, Be64};
use gap::{Gap, Step};
use spinward_engine::words::Nanos;
use start::{Says, Start};

/// Where a packet came from.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Line {
    /// The first line.
    A = 0,
    /// The second line.
    B = 1,
    /// An answer to a request.
    Retransmission = 2,
}

/// How to ask for what was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestConfig {
    /// A request without an answer by then is sent again. Default 20 ms.
    pub answer_within: Nanos,
    /// Requests for one gap without progress before it is lost, 1 at least. Default 3.
    pub attempts: u32,
    /// Most messages asked for at once, 1 at least. Default 1,000.
    pub messages_max: u16,
}

impl Default for RequestConfig {
    fn default() -> Self {
        Self { answer_within: Nanos::from_millis(20), attempts: 3, messages_max: 1_000 }
    }
}

/// A usual packet fits an Ethernet frame; the first one of a session may be larger.
const PACKET_BYTES: usize = 1_500;

/// How to receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiverConfig {
    /// The session; `None`: that of the first packet.
    pub session: Option<Session>,
    /// First message wanted; `None`: that of the first packet (what was before is not missed).
    pub next_sequence: Option<u64>,
    /// Messages that can wait for one before them, a power of two from 2 to 2^20. When one comes that is further ahead, the gap is lost at once.
    /// Default 8,192.
    pub window_messages: usize,
    /// Longest message that can wait, 1–1,450 bytes: a longer one counts as lost if it comes before its turn. Default 64 (ITCH has 50).
    pub message_bytes_max: usize,
    /// How long the other line may take before a gap is asked for. Default 2 ms.
    pub reorder_within: Nanos,
    /// How to ask; `None`: nobody to ask, a gap is lost after `reorder_within`.
    pub request: Option<RequestConfig>,
    /// A line is down after so much silence (heartbeats come once a second). Default 3 s.
    pub silence_max: Nanos,
    /// Whether there is a line B. Default true.
    pub has_line_b: bool,
    /// Whether a session, or a start that is left open, needs a second packet that bears the first one out: on a network any packet may be damaged. Nothing is told
    /// before, and nothing is missed. Default false.
    pub confirms_start: bool,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        Self {
            session: None,
            next_sequence: Some(1),
            window_messages: 8_192,
            message_bytes_max: 64,
            reorder_within: Nanos::from_millis(2),
            request: Some(RequestConfig::default()),
            silence_max: Nanos::from_secs(3),
            has_line_b: true,
            confirms_start: false,
        }
    }
}

/// A configuration that cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReceiverConfigError {
    /// Not a power of two in range.
    #[error("window_messages is {0}; give a power of two from 2 to 1048576")]
    Window(usize),
    /// Out of range.
    #[error("message_bytes_max is {0}; give 1 to {max}", max = super::MESSAGE_BYTES_MAX)]
    MessageBytes(usize),
    /// Zero attempts or messages.
    #[error("a request needs at least one attempt and one message")]
    Request,
}

/// What happened, or is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiverAction<'a> {
    /// The session whose messages follow; before the first of them.
    Session(Session),
    /// The next message.
    Message {
        /// Its number.
        sequence: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// Send this packet to the retransmission server.
    Request(&'a [u8; HEADER_BYTES]),
    /// Messages `first` to `next` − 1 will not come; the stream goes on with `next`. Whatever they would have said is unknown: resync.
    Lost {
        /// The first of them.
        first: u64,
        /// The first after them.
        next: u64,
    },
    /// A line was silent for too long.
    LineDown(Line),
    /// A line that was down has a packet.
    LineUp(Line),
    /// A packet that cannot be read; nothing of it was used.
    Malformed {
        /// From where.
        line: Line,
        /// Why.
        error: PacketError,
    },
    /// The session is over and all of it was told, or lost.
    EndOfSession {
        /// Messages of the session + 1.
        next_sequence: u64,
    },
}

/// What a receiver counts. Indexed by [`Line`] where there are three.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceiverCounters {
    /// Packets that could be read.
    pub packets: [u64; 3],
    /// Messages that this line brought first.
    pub messages: [u64; 3],
    /// Messages that had come before.
    pub duplicates: [u64; 3],
    /// Packets that could not be read.
    pub malformed: [u64; 3],
    /// Packets of another session.
    pub foreign: u64,
    /// Packets dropped because their number is further ahead than the window, and nothing else was there yet: damaged, or a long outage; and those at the start that
    /// nothing bore out.
    pub implausible: u64,
    /// Gaps that came up.
    pub gaps: u64,
    /// Requests sent.
    pub requests: u64,
    /// Messages lost.
    pub lost: u64,
    /// Messages before their turn that were too long to wait.
    pub oversized: u64,
    /// Messages lost because the window was full.
    pub overflowed: u64,
}

/// The state machine. Times given must not go back; one that does is read as no time passing.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    session: Option<Session>,
    /// The next message to tell; `None` before the first packet, if the start is open.
    next: Option<u64>,
    /// One past the highest number that is known to exist.
    known: u64,
    /// A number further ahead than the window, and when it came. It counts when something else confirms it.
    far: Option<(u64, Nanos)>,
    start: Start,
    is_told: bool,
    is_ending: bool,
    is_ended: bool,
    window: Window,
    gap: Gap,
    /// Of lines A and B.
    heard_at: [Option<Nanos>; 2],
    is_down: [bool; 2],
    counters: ReceiverCounters,
}

impl Receiver {
    /// Before the first packet.
    ///
    /// # Errors
    /// [`ReceiverConfigError`].
    pub fn new(config: ReceiverConfig) -> Result<Self, ReceiverConfigError> {
        let window = config.window_messages;
        if !window.is_power_of_two() || !(2..=1 << 20).contains(&window) {
            return Err(ReceiverConfigError::Window(window));
        }
        if !(1..=super::MESSAGE_BYTES_MAX).contains(&config.message_bytes_max) {
            return Err(ReceiverConfigError::MessageBytes(config.message_bytes_max));
        }
        if config.request.is_some_and(|request| request.attempts == 0 || request.messages_max == 0) {
            return Err(ReceiverConfigError::Request);
        }
        Ok(Self {
            window: Window::new(window, config.message_bytes_max),
            session: config.session,
            next: config.next_sequence,
            known: config.next_sequence.unwrap_or(0),
            far: None,
            start: Start::new(if config.confirms_start { PACKET_BYTES } else { 0 }),
            is_told: false,
            is_ending: false,
            is_ended: false,
            gap: Gap::None,
            heard_at: [None; 2],
            is_down: [false; 2],
            counters: ReceiverCounters::default(),
            config,
        })
    }

    /// The session, once it is known.
    pub const fn session(&self) -> Option<Session> {
        self.session
    }

    /// The next message to tell; `None` if the start is open.
    pub const fn next_sequence(&self) -> Option<u64> {
        self.next
    }

    /// Messages that wait for one before them.
    pub const fn waiting(&self) -> usize {
        self.window.held()
    }

    /// What it counted.
    pub const fn counters(&self) -> &ReceiverCounters {
        &self.counters
    }

    /// When [`Receiver::on_time`] has something to do; `None`: not before a packet.
    pub fn wake_at(&self) -> Option<Nanos> {
        let silent = |line: usize| {
            let heard_at = self.heard_at.get(line).copied().flatten();
            let is_down = self.is_down.get(line).copied().unwrap_or(true);
            heard_at.filter(|_| !is_down).map(|at| at.after(self.config.silence_max))
        };
        [self.gap.deadline(), silent(0), silent(1)].into_iter().flatten().min()
    }

    /// A packet came.
    #[inline]
    pub fn on_packet(
        &mut self,
        line: Line,
        now: Nanos,
        bytes: &[u8],
        out: &mut impl FnMut(ReceiverAction<'_>),
    ) {
        self.heard(line, now, out);
        let packet = match Downstream::parse(bytes) {
            Ok(packet) => packet,
            Err(error) => {
                count(&mut self.counters.malformed, line, 1);
                return out(ReceiverAction::Malformed { line, error });
            }
        };
        count(&mut self.counters.packets, line, 1);
        if self.is_under_way(packet.header().session) {
            self.on_ours(line, now, &packet, out);
        } else {
            self.on_beginning(line, now, &packet, bytes, out);
        }
    }

    #[inline]
    fn is_under_way(&self, session: Session) -> bool {
        self.is_told && self.next.is_some() && self.session == Some(session)
    }

    /// A packet that is not of the session under way, or is the first one of it.
    #[cold]
    fn on_beginning(
        &mut self,
        line: Line,
        now: Nanos,
        packet: &Downstream<'_>,
        bytes: &[u8],
        out: &mut impl FnMut(ReceiverAction<'_>),
    ) {
        let is_start = match self.session {
            Some(session) if session == packet.header().session => self.next.is_none(),
            Some(_) if !self.is_ended => {
                self.counters.foreign += 1;
                return;
            }
            Some(_) | None => true,
        };
        if !self.config.confirms_start || !is_start {
            return self.begin(line, now, packet, out);
        }
        let (near, later) = (self.window.places(), self.config.reorder_within);
        match self.start.ask(line, now, (packet, bytes), near, later) {
            Says::Nothing => count(&mut self.counters.duplicates, line, u64::from(packet.count())),
            Says::Other => {
                self.counters.implausible += u64::from(self.start.keep(line, now, packet, bytes));
            }
            Says::Same => {
                let first = self.start.take();
                let earlier = first.as_ref().and_then(|first| Some((first.line(), first.packet()?)));
                let is_before = |earlier: &Downstream<'_>| {
                    earlier.header().sequence.get() <= packet.header().sequence.get()
                };
                match earlier {
                    Some((from, earlier)) if is_before(&earlier) => {
                        self.begin(from, now, &earlier, out);
                        self.on_ours(line, now, packet, out);
                    }
                    earlier => {
                        self.begin(line, now, packet, out);
                        if let Some((from, earlier)) = earlier {
                            self.on_ours(from, now, &earlier, out);
                        }
                    }
                }
                self.start.give_back(first);
            }
        }
    }

    /// The first packet of a session; a new one begins when the one before is over.
    fn begin(
        &mut self,
        line: Line,
        now: Nanos,
        packet: &Downstream<'_>,
        out: &mut impl FnMut(ReceiverAction<'_>),
    ) {
        let session = packet.header().session;
        if self.session.is_some_and(|before| before != session) {
            // Numbers begin anew.
            self.is_ending = false;
            self.is_ended = false;
            self.next = Some(1);
            self.known = 1;
            self.is_told = false;
        }
        self.session = Some(session);
        if !std::mem::replace(&mut self.is_told, true) {
            out(ReceiverAction::Session(session));
        }
        self.on_ours(line, now, packet, out);
    }

    /// A packet of the session.
    #[inline]
    fn on_ours(
        &mut self,
        line: Line,
        now: Nanos,
        packet: &Downstream<'_>,
        out: &mut impl FnMut(ReceiverAction<'_>),
    ) {
        let mut sequence = packet.header().sequence.get();
        let end = sequence.saturating_add(u64::from(packet.count()));
        let next = match self.next {
            Some(next) => next,
            None => {
                self.known = sequence;
                *self.next.insert(sequence)
            }
        };
        if !self.is_plausible(end, now) {
            self.counters.implausible += 1;
            return;
        }
        self.known = self.known.max(end);
        if packet.kind() == Kind::EndOfSession {
            self.is_ending = true;
        }
        if end <= next {
            count(&mut self.counters.duplicates, line, u64::from(packet.count()));
        } else {
            for message in packet.messages() {
                self.on_message(line, sequence, message, out);
                sequence = sequence.saturating_add(1);
            }
        }
        self.settle(now, out);
    }

    /// Time passed: gaps are asked for or given up, silent lines are told.
    pub fn on_time(&mut self, now: Nanos, out: &mut impl FnMut(ReceiverAction<'_>)) {
        let lines = if self.config.has_line_b { &[Line::A, Line::B][..] } else { &[Line::A] };
        for (index, &line) in lines.iter().enumerate() {
            // The first call is the start of waiting for a line's first packet.
            let Some(heard_at) = self.heard_at.get_mut(index) else { continue };
            let is_silent = now >= heard_at.get_or_insert(now).after(self.config.silence_max);
            if let Some(is_down) = self.is_down.get_mut(index).filter(|is_down| is_silent && !**is_down) {
                *is_down = true;
                out(ReceiverAction::LineDown(line));
            }
        }
        self.settle(now, out);
    }

    /// Everything before `sequence` is known from elsewhere (a snapshot that includes it): goes on there, with what waits from there on. Nothing
    /// if the stream is past it already.
    pub fn resume_at(&mut self, now: Nanos, sequence: u64, out: &mut impl FnMut(ReceiverAction<'_>)) {
        let next = self.next.unwrap_or(sequence);
        self.next = Some(next.max(sequence));
        self.known = self.known.max(sequence);
        // At most as many places as there are.
        for skipped in next..sequence.min(next.saturating_add(self.window.places())) {
            self.window.take(skipped);
        }
        self.drain(out);
        self.settle(now, out);
    }

    fn heard(&mut self, line: Line, now: Nanos, out: &mut impl FnMut(ReceiverAction<'_>)) {
        let index = line as usize;
        if let (Some(heard_at), Some(is_down)) = (self.heard_at.get_mut(index), self.is_down.get_mut(index)) {
            *heard_at = Some(now);
            if std::mem::take(is_down) {
                out(ReceiverAction::LineUp(line));
            }
        }
    }

    /// One damaged number must not carry the stream away: one that is further ahead than the window counts only when another packet near it
    /// came, or the same again later (heartbeats).
    fn is_plausible(&mut self, end: u64, now: Nanos) -> bool {
        let places = self.window.places();
        if end.saturating_sub(self.known) <= places {
            return true;
        }
        let is_confirmed = self.far.is_some_and(|(far, at)| {
            if far == end { now >= at.after(self.config.reorder_within) } else { far.abs_diff(end) <= places }
        });
        if is_confirmed {
            self.far = None;
        } else if self.far.is_none_or(|(far, _)| far != end) {
            self.far = Some((end, now));
        }
        is_confirmed
    }

    #[inline]
    fn on_message(
        &mut self,
        line: Line,
        sequence: u64,
        bytes: &[u8],
        out: &mut impl FnMut(ReceiverAction<'_>),
    ) {
        let next = self.next.unwrap_or(sequence);
        if sequence == next {
            self.next = Some(next.saturating_add(1));
            count(&mut self.counters.messages, line, 1);
            out(ReceiverAction::Message { sequence, bytes });
            return self.drain(out);
        }
        if sequence < next {
            return count(&mut self.counters.duplicates, line, 1);
        }
        self.make_room(sequence, out);
        // Room was made, so the message may be the next now.
        if self.next == Some(sequence) {
            return self.on_message(line, sequence, bytes, out);
        }
        if bytes.len() > self.config.message_bytes_max {
            self.counters.oversized += 1;
        } else if self.window.keep(sequence, bytes) {
            count(&mut self.counters.messages, line, 1);
        } else {
            count(&mut self.counters.duplicates, line, 1);
        }
    }

    /// Gives up what is missing until `sequence` has a place in the window.
    fn make_room(&mut self, sequence: u64, out: &mut impl FnMut(ReceiverAction<'_>)) {
        while let Some(next) = self.next
            && sequence.saturating_sub(next) >= self.window.places()
        {
            // What is held is at most `places` ahead; without any, straight to the first number that has a place.
            let room_at = sequence - (self.window.places() - 1);
            let until = self.first_held(next, room_at).unwrap_or(room_at);
            self.counters.overflowed = self.counters.overflowed.saturating_add(until - next);
            self.lose(next, until, out);
        }
    }

    /// The first number in `from..to` that is held.
    fn first_held(&self, from: u64, to: u64) -> Option<u64> {
        if self.window.held() == 0 {
            return None;
        }
        (from..to.min(from.saturating_add(self.window.places()))).find(|sequence| self.window.has(*sequence))
    }

    fn lose(&mut self, first: u64, next: u64, out: &mut impl FnMut(ReceiverAction<'_>)) {
        self.counters.lost = self.counters.lost.saturating_add(next - first);
        self.next = Some(next);
        self.gap = Gap::None;
        out(ReceiverAction::Lost { first, next });
        self.drain(out);
    }

    /// Tells what waited for its turn.
    #[inline]
    fn drain(&mut self, out: &mut impl FnMut(ReceiverAction<'_>)) {
        while let Some(sequence) = self.next
            && self.window.held() > 0
            && let Some(bytes) = self.window.take(sequence)
        {
            self.next = Some(sequence.saturating_add(1));
            out(ReceiverAction::Message { sequence, bytes });
        }
    }

    /// Looks after the gap at the front, and the end.
    #[inline]
    fn settle(&mut self, now: Nanos, out: &mut impl FnMut(ReceiverAction<'_>)) {
        let Some(mut next) = self.next else { return };
        while next < self.known {
            if matches!(self.gap, Gap::None) {
                self.counters.gaps += 1;
            }
            match self.gap.advance(now, next, self.config.reorder_within, self.config.request.as_ref()) {
                Step::Wait => return,
                Step::Request { messages_max } => {
                    let until = self.first_held(next, self.known).unwrap_or(self.known);
                    let count = u16::try_from(until - next).unwrap_or(u16::MAX).min(messages_max);
                    self.gap.asked(next, u64::from(count));
                    self.request(next, count, out);
                    return;
                }
                Step::GiveUp => {
                    let until = self.first_held(next, self.known).unwrap_or(self.known);
                    self.lose(next, until, out);
                    next = self.next.unwrap_or(until);
                }
            }
        }
        self.gap = Gap::None;
        if self.is_ending && !self.is_ended {
            self.is_ended = true;
            out(ReceiverAction::EndOfSession { next_sequence: next });
        }
    }

    fn request(&mut self, first: u64, messages: u16, out: &mut impl FnMut(ReceiverAction<'_>)) {
        let Some(session) = self.session else { return };
        let header = Header { session, sequence: Be64::new(first), count: Be16::new(messages) };
        self.counters.requests += 1;
        out(ReceiverAction::Request(bytemuck::cast_ref(&header)));
    }
}

fn count(counters: &mut [u64; 3], line: Line, by: u64) {
    if let Some(counter) = counters.get_mut(line as usize) {
        *counter += by;
    }
}

#[cfg(test)]
mod tests;
