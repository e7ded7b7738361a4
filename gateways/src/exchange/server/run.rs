//! The exchange's thread: a turn over everything, again and again.

use super::config::{ExchangeConfig, ExchangeError, Waiting};
use super::console::Console;
use super::control::{self, Control, ControlError, Lines, SessionFault};
use super::faults::FaultCounters;
use super::handle::{Addresses, Request};
use super::lines::Market;
use super::sessions::Sessions;
use super::stamps::Stamps;
use super::state::{ExchangeCounts, ExchangeState, WireCounters};
use super::venue::ExchangeCore;
use crate::exchange::{Command, CrossKind, Phase};
use crate::operator::LINE_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spinward_engine::words::{Nanos, Side};
use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Commands of participants in one turn.
const PARTICIPANTS_MAX: usize = 64;

/// Sockets that could not be opened again are tried again after so long.
const REOPEN_AFTER: Nanos = Nanos::from_millis(20);

/// Where the exchange is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Open,
    /// Every socket is closed until then: a restart.
    Away(Nanos),
    /// The day is over; what is left is sent until then.
    Ending(Nanos),
    Over,
}

/// Everything that the thread owns.
pub(super) struct Runner {
    core: ExchangeCore,
    market: Market,
    sessions: Sessions,
    console: Option<Console>,
    stamps: Stamps,
    wire: WireCounters,
    faults: FaultCounters,
    /// Faults to come, the next one last.
    schedule: Vec<(Nanos, Control)>,
    stage: Stage,
    ending: Nanos,
    waiting: Waiting,
    requests: Receiver<Request>,
    wake: UnixStream,
    start: Instant,
    epoch: Nanos,
}

impl Runner {
    pub(super) fn new(
        config: &ExchangeConfig,
        requests: Receiver<Request>,
        wake: UnixStream,
    ) -> Result<Self, ExchangeError> {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Below 2^63 until the year 2262.
        let epoch = Nanos::new(epoch.as_nanos() as i64);
        let core = ExchangeCore::new(&config.core)?;
        let mut schedule = Vec::new();
        for line in &config.faults {
            let fail = |source| ExchangeError::Fault { line: line.clone(), source };
            let (at, control) = control::parse_timed(line).map_err(fail)?;
            check(&core, &control).map_err(fail)?;
            schedule.push((epoch.after(at), control));
        }
        schedule.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(Self {
            core,
            market: Market::new(config)?,
            sessions: Sessions::new(config)?,
            console: config.control.as_deref().map(Console::bind).transpose()?,
            stamps: Stamps::new(config.wire_samples_max),
            wire: WireCounters::default(),
            faults: FaultCounters::default(),
            schedule,
            stage: Stage::Open,
            ending: config.ending,
            waiting: config.waiting,
            requests,
            wake,
            start: Instant::now(),
            epoch,
        })
    }

    pub(super) fn addresses(&self) -> Result<Addresses, ExchangeError> {
        let [orders, snapshot, replay] = self.sessions.addresses();
        let fail = |source| ExchangeError::Socket {
            what: "name",
            address: "the retransmission server".to_owned(),
            source,
        };
        let retransmission = self.market.retransmission().local_addr().map_err(fail)?;
        let (line_a_from, line_a) = self.market.addresses(0);
        let (line_b_from, line_b) = self.market.addresses(1);
        Ok(Addresses { orders, snapshot, replay, retransmission, line_a, line_b, line_a_from, line_b_from })
    }

    /// Since the epoch; it does not go back.
    fn now(&self) -> Nanos {
        self.epoch.after(Nanos::new(self.start.elapsed().as_nanos() as i64))
    }

    /// From the open to the end.
    pub(super) fn run(mut self) -> ExchangeState {
        self.core.open(self.now());
        while self.stage != Stage::Over {
            if self.turn() == 0 && self.waiting == Waiting::Sleep && self.stage != Stage::Over {
                self.sleep();
            }
        }
        self.state()
    }

    /// One turn; gives how much was done.
    fn turn(&mut self) -> usize {
        let now = self.now();
        let mut work = self.serve_requests(now);
        while self.schedule.last().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, control)) = self.schedule.pop() {
                // Names were checked at the start.
                let _ = self.carry_out(now, &control);
            }
        }
        if let Stage::Away(until) = self.stage
            && now >= until
        {
            // Another may hold a port for a moment.
            self.stage = match self.sessions.listen() {
                Ok(()) => Stage::Open,
                Err(_) => Stage::Away(now.after(REOPEN_AFTER)),
            };
        }
        let is_up = !matches!(self.stage, Stage::Away(_));
        let Self { core, market, sessions, stamps, wire, faults, .. } = self;
        if is_up {
            work += core.on_participants(now, PARTICIPANTS_MAX);
            core.on_time(now);
            work += sessions.turn(now, core, stamps, wire, faults);
            market.publish(now, &stamps.clock, core.history_mut(), wire, faults);
            let is_ended = matches!(self.stage, Stage::Ending(_));
            market.on_time(now, is_ended, wire, faults);
        }
        work += market.answer(core.history(), is_up, wire, faults);
        while let Some(console) = &mut self.console
            && let Some(question) = console.turn(now)
        {
            let answer = match &question.line {
                Ok(line) => self.control(now, line),
                Err(_) => Ok(String::new()),
            };
            if let Some(console) = &mut self.console {
                console.answer(&question, &answer);
            }
            work += 1;
        }
        if let Stage::Ending(until) = self.stage
            && now >= until
        {
            self.stage = Stage::Over;
        }
        work
    }

    fn serve_requests(&mut self, now: Nanos) -> usize {
        let mut work = 0;
        loop {
            // Who asked may be gone: then nobody hears the answer.
            match self.requests.try_recv() {
                Ok(Request::State(answer)) => {
                    let _ = answer.send(self.state());
                }
                Ok(Request::Counts(answer)) => {
                    let _ = answer.send(self.counts());
                }
                Ok(Request::Samples(answer)) => {
                    let _ = answer.send(self.stamps.take());
                }
                Ok(Request::SamplesOf(causes, answer)) => {
                    let _ = answer.send(self.stamps.take_of(&causes, self.core.history()));
                }
                Ok(Request::Control(line, answer)) => {
                    let _ = answer.send(self.control(now, &line));
                }
                Ok(Request::End) => self.end(now),
                Ok(Request::Abort) | Err(TryRecvError::Disconnected) => {
                    self.stage = Stage::Over;
                    return work;
                }
                Err(TryRecvError::Empty) => return work,
            }
            work += 1;
        }
    }

    fn state(&self) -> ExchangeState {
        let mut state = self.core.state();
        for (index, account) in state.accounts.iter_mut().enumerate() {
            account.is_connected = self.sessions.is_connected(index);
        }
        (state.wire, state.faults) = self.counted();
        state
    }

    fn counted(&self) -> (WireCounters, FaultCounters) {
        let wire = WireCounters { wire_samples: self.stamps.count, ..self.wire };
        (wire, FaultCounters { rejected: self.core.fault_rejects, ..self.faults })
    }

    fn counts(&self) -> ExchangeCounts {
        let (wire, faults) = self.counted();
        let history = self.core.history();
        let (connections, bytes_waiting, messages_waiting) = self.sessions.lengths(&self.core);
        let accounts = &self.core.accounts;
        ExchangeCounts {
            next_sequence: history.next_sequence(),
            messages_kept: history.next_sequence() - history.first_sequence(),
            core: self.core.counters,
            wire,
            faults,
            connections,
            accounts_connected: (0..accounts.len()).filter(|index| self.sessions.is_connected(*index)).count()
                as u64,
            orders_displayed: self.displayed(),
            orders_of_accounts: accounts.iter().map(|account| account.orders.len() as u64).sum(),
            bytes_waiting,
            messages_waiting,
            packets_held: self.market.held(),
            answers_held: accounts.iter().map(|account| account.answers_held() as u64).sum(),
        }
    }

    /// Displayed orders in all books.
    fn displayed(&self) -> u64 {
        let engine = self.core.engine();
        let of = |symbol, side| u64::from(engine.displayed_orders(symbol, side));
        self.core.symbols().map(|symbol| of(symbol, Side::Buy) + of(symbol, Side::Sell)).sum()
    }

    fn end(&mut self, now: Nanos) {
        if !matches!(self.stage, Stage::Ending(_) | Stage::Over) {
            self.core.close(now);
            self.sessions.end(now);
            self.stage = Stage::Ending(now.after(self.ending));
        }
    }

    fn control(&mut self, now: Nanos, line: &str) -> Result<String, ControlError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(ControlError::TooMuch(line.chars().skip(LINE_BYTES_MAX).collect()));
        }
        let control = control::parse(line)?;
        check(&self.core, &control)?;
        self.carry_out(now, &control)
    }

    fn carry_out(&mut self, now: Nanos, control: &Control) -> Result<String, ControlError> {
        let done = || "done".to_owned();
        match control {
            Control::Status => return Ok(self.status()),
            Control::Line(lines, fault) => self.market.set(*lines, *fault),
            Control::Retransmission(is_on) => self.market.set_answering(*is_on),
            Control::Destination(lines, to) => return self.add_destination(*lines, *to).map(|()| done()),
            Control::Session(user, fault) => {
                let all = 0..self.core.accounts.len();
                let one = user.as_deref().and_then(|user| self.core.user(user));
                for account in all.filter(|account| user.is_none() || one == Some(*account)) {
                    self.disturb(now, account, *fault);
                }
            }
            Control::SlowSnapshots(delay) => {
                self.faults.snapshots_slowed += u64::from(*delay > Nanos::ZERO);
                self.sessions.delay_snapshots(*delay);
            }
            Control::Restart(time) => {
                if self.stage != Stage::Open {
                    return Err(ControlError::Refused(format!(
                        "the exchange is {:?}: it cannot restart now",
                        self.stage
                    )));
                }
                self.sessions.shut();
                self.core.postpone(now.after(*time));
                self.faults.restarts += 1;
                self.stage = Stage::Away(now.after(*time));
            }
            Control::Market(name, market) => return self.market_command(now, name, *market),
            Control::Late(is_late) => self.core.set_late(*is_late),
            Control::Flow(is_on) => self.core.set_flow(now, *is_on),
            Control::End => self.end(now),
            Control::FaultsOff => {
                self.market.clear_faults();
                self.sessions.delay_snapshots(Nanos::ZERO);
                for (index, account) in self.core.accounts.iter_mut().enumerate() {
                    account.faults = Default::default();
                    account.release(Nanos::MAX);
                    self.sessions.freeze(index, now);
                }
            }
        }
        Ok(done())
    }

    fn add_destination(&mut self, lines: Lines, to: std::net::SocketAddr) -> Result<(), ControlError> {
        let refused = || ControlError::Refused("a line has at most 16 destinations".to_owned());
        self.market.add_destination(lines, to).then_some(()).ok_or_else(refused)
    }

    fn disturb(&mut self, now: Nanos, account: usize, fault: SessionFault) {
        let Some(entry) = self.core.accounts.get_mut(account) else { return };
        match fault {
            SessionFault::Disconnect => self.faults.disconnected += u64::from(self.sessions.cut(account)),
            SessionFault::Freeze(time) => {
                self.faults.frozen += 1;
                self.sessions.freeze(account, now.after(time));
            }
            SessionFault::Reject(count) => entry.faults.reject = count,
            SessionFault::LoseAck(count) => entry.faults.lose_ack = count,
            SessionFault::Slow(what, time) => {
                self.faults.slowed += u64::from(time > Nanos::ZERO);
                entry.faults.slow = (time > Nanos::ZERO).then_some((what, time));
                if time == Nanos::ZERO {
                    entry.release(Nanos::MAX);
                }
            }
        }
    }

    /// Carries a market command out; refused if nothing came of it.
    fn market_command(
        &mut self,
        now: Nanos,
        name: &str,
        market: control::Market,
    ) -> Result<String, ControlError> {
        let symbol = self.core.symbol(name).unwrap_or(u16::MAX);
        let before = self.core.history().next_sequence();
        let phase = self.core.engine().phase(symbol);
        let kind = match phase {
            Phase::PreOpen => CrossKind::Opening,
            Phase::Halted | Phase::Quoting => CrossKind::Halt,
            Phase::Closed | Phase::Continuous => CrossKind::Closing,
        };
        let command = match market {
            control::Market::Halt => Command::Phase { symbol, phase: Phase::Halted },
            control::Market::Quote => Command::Phase { symbol, phase: Phase::Quoting },
            control::Market::Resume => Command::Phase { symbol, phase: Phase::Continuous },
            control::Market::Cross => Command::Cross { symbol, kind },
            control::Market::Imbalance => Command::Imbalance { symbol, kind },
            control::Market::Band(lower, upper) => Command::Band { symbol, lower, upper },
            control::Market::Break(match_number) => Command::Break { symbol, match_number },
        };
        self.core.execute(now, &command);
        let has_said = self.core.history().next_sequence() > before;
        if has_said || matches!(command, Command::Band { .. }) {
            Ok(format!("{name} {:?}", self.core.engine().phase(symbol)))
        } else {
            Err(ControlError::Refused(format!("{name} is {phase:?}: that cannot be now")))
        }
    }

    fn status(&self) -> String {
        let state = self.core.state();
        let logged_in =
            (0..state.accounts.len()).filter(|account| self.sessions.is_connected(*account)).count();
        format!(
            "session {} {:?}, {} messages, {} displayed orders in {} symbols, {} of {} accounts logged in",
            state.session,
            self.stage,
            state.next_sequence - 1,
            self.displayed(),
            state.symbols.len(),
            logged_in,
            state.accounts.len()
        )
    }

    /// Waits in the system until a socket has something or something is due.
    fn sleep(&mut self) {
        let now = self.now();
        let is_away = matches!(self.stage, Stage::Away(_));
        let own = match self.stage {
            Stage::Away(until) => until,
            Stage::Ending(until) => until.min(self.market.wake_at(true)),
            Stage::Open => self.market.wake_at(false).min(self.core.wake_at()),
            Stage::Over => now,
        };
        let scheduled = self.schedule.last().map_or(Nanos::MAX, |(at, _)| *at);
        let console = self.console.as_ref().map_or(Nanos::MAX, Console::wake_at);
        let sessions = if is_away { Nanos::MAX } else { self.sessions.wake_at() };
        let span = own.min(scheduled).min(console).min(sessions).since(now).get().clamp(0, 1_000_000_000);
        if span == 0 {
            return;
        }
        let timeout = Timespec { tv_sec: span / 1_000_000_000, tv_nsec: span % 1_000_000_000 };
        let mut sockets = vec![PollFd::new(&self.wake, PollFlags::IN)];
        sockets.push(PollFd::new(self.market.retransmission(), PollFlags::IN));
        for (socket, is_waiting) in self.sessions.sockets(now) {
            let flags = if is_waiting { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            sockets.push(PollFd::from_borrowed_fd(socket, flags));
        }
        for socket in self.console.iter().flat_map(Console::sockets) {
            sockets.push(PollFd::from_borrowed_fd(socket, PollFlags::IN));
        }
        // Interrupted or not: the next turn looks at everything.
        let _ = poll(&mut sockets, Some(&timeout));
        let mut bytes = [0; 64];
        while match self.wake.read(&mut bytes) {
            Ok(length) => length > 0,
            Err(error) => error.kind() == ErrorKind::Interrupted,
        } {}
    }
}

/// Whether the names in a command are names here.
fn check(core: &ExchangeCore, control: &Control) -> Result<(), ControlError> {
    let not_here = |what, name: &str| Err(ControlError::NotHere { what, name: name.to_owned() });
    match control {
        Control::Session(Some(user), _) if core.user(user).is_none() => not_here("user", user),
        Control::Market(symbol, _) if core.symbol(symbol).is_none() => not_here("symbol", symbol),
        Control::Session(..)
        | Control::Market(..)
        | Control::Status
        | Control::Line(..)
        | Control::Retransmission(_)
        | Control::Destination(..)
        | Control::SlowSnapshots(_)
        | Control::Restart(_)
        | Control::Late(_)
        | Control::Flow(_)
        | Control::End
        | Control::FaultsOff => Ok(()),
    }
}
