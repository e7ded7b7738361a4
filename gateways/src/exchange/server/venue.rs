//! [`ExchangeCore`]: the exchange without its sockets. Orders as they come from sessions, participants and the operator go in with the time; market data
//! and each account's messages come out, into stores that others send from.
//!
//! Deterministic: what it says is a function of its configuration and of its calls with their times.

mod entry;
mod report;
mod snapshot;
#[cfg(test)]
mod tests;

pub use snapshot::{SNAPSHOT_END, snapshot_end};

use super::account::{Account, Holdings, Live};
use super::config::{CoreConfig, ExchangeError, Listing};
use super::history::History;
use super::state::{AccountState, BookOrder, CoreCounters, ExchangeState, OpenOrder, SymbolState};
use crate::exchange::{
    Command, CrossKind, Engine, ItchWriter, MEMBERS_FIRST, OrderId, Output, Participants, Phase,
};
use crate::itch50::{Be64, SystemEventCode};
use crate::ouch50::{Appendage, EventCode, Outbound, SystemEvent};
use crate::soup::{Alpha, Login, SequencedStore};
use spinward_engine::words::{Nanos, Side};

/// A participant who is later than this has missed its turn: the exchange does not run after a backlog.
const LATE_MAX: Nanos = Nanos::from_millis(200);

/// Nanoseconds of a day.
const DAY: i64 = 86_400 * 1_000_000_000;

/// What a command of the engine was for: what the messages need to know beside its outputs.
#[derive(Clone, Copy)]
enum Cause<'a> {
    /// A new order of this account.
    Enter { account: usize, token: u32, live: Live, appendage: Appendage<'a> },
    /// A replace of the order with this handle.
    Replace { account: usize, token: u32, original: OrderId, live: Live, appendage: Appendage<'a> },
    /// A cancel on request, of one or of many.
    Cancel,
    /// A modify of this order, to this side.
    Modify { account: usize, token: u32, side_code: u8 },
    /// An auction.
    Cross(CrossKind),
    /// Everything else.
    Other,
}

/// The exchange without its sockets.
pub struct ExchangeCore {
    engine: Engine,
    listings: Box<[Listing]>,
    writer: ItchWriter,
    history: History,
    pub(super) accounts: Box<[Account]>,
    participants: Option<Participants>,
    /// When the next participant's command is due; the far future before the open, after the close, and while they wait.
    due: Nanos,
    /// What the participants own, together.
    house: Holdings,
    midnight: Option<Nanos>,
    /// Orders for the close cannot be cancelled any more.
    is_late: bool,
    pub(super) counters: CoreCounters,
    /// Orders that the fault rejected.
    pub(super) fault_rejects: u64,
    /// A live order whose replace had values that cannot be: it is to go.
    invalid_replace: Option<(usize, OrderId)>,
    outputs: Vec<Output>,
    ids: Vec<OrderId>,
}

impl ExchangeCore {
    /// Before the day: every symbol is closed.
    ///
    /// # Errors
    /// [`ExchangeError`] names what cannot be.
    pub fn new(config: &CoreConfig) -> Result<Self, ExchangeError> {
        let range = |what, value: usize, least: usize, most: usize, range| {
            let value_u64 = value as u64;
            let error = ExchangeError::Range { what, value: value_u64, range };
            if (least..=most).contains(&value) { Ok(()) } else { Err(error) }
        };
        range("history_messages", config.history_messages, 1 << 16, 1 << 28, "65,536 to 2^28")?;
        range("account_messages", config.account_messages, 4_096, 1 << 28, "4,096 to 2^28")?;
        range("account_bytes", config.account_bytes, 1 << 18, 1 << 34, "256 KiB to 16 GiB")?;
        for (index, listing) in config.symbols.iter().enumerate() {
            let name = listing.name.as_str();
            let before = config.symbols.get(..index).unwrap_or_default();
            if name.len() > 8 || before.iter().any(|other| other.name == listing.name) {
                return Err(ExchangeError::Symbol(name.to_owned()));
            }
        }
        if config.accounts.len() > 1_000 {
            return Err(ExchangeError::Accounts(config.accounts.len()));
        }
        for (index, account) in config.accounts.iter().enumerate() {
            let before = config.accounts.get(..index).unwrap_or_default();
            let is_known = before.iter().any(|other| other.user.is_same(&account.user));
            if account.user.is_blank() || account.password.is_blank() || is_known {
                return Err(ExchangeError::Account(account.user.to_string()));
            }
        }
        let engine = Engine::new(&config.engine())?;
        let participants = config.flow().map(|flow| Participants::new(&flow)).transpose()?;
        let symbols = config.symbols.len();
        let names = (1..=u16::MAX).zip(&config.symbols).map(|(locate, listing)| (locate, listing.name));
        let account = |account: &super::config::AccountConfig| {
            let (messages, bytes) = (config.account_messages, config.account_bytes);
            Account::new(account.clone(), config.session, symbols, messages, bytes)
        };
        Ok(Self {
            engine,
            listings: config.symbols.iter().copied().collect(),
            writer: ItchWriter::new(names),
            history: History::new(config.session, config.history_messages),
            accounts: config.accounts.iter().map(account).collect(),
            participants,
            due: Nanos::MAX,
            house: Holdings::new(symbols),
            midnight: config.midnight,
            is_late: false,
            counters: CoreCounters::default(),
            fault_rejects: 0,
            invalid_replace: None,
            outputs: Vec::new(),
            ids: Vec::new(),
        })
    }

    /// Begins the day: system events, directory, books filled in a call and opened by a cross. `now` counts from the epoch.
    pub fn open(&mut self, now: Nanos) {
        let midnight = Nanos::new(now.get().div_euclid(DAY) * DAY);
        self.midnight.get_or_insert(midnight);
        self.at(now);
        self.system_event(SystemEventCode::StartOfMessages);
        for symbol in self.symbols() {
            self.writer.directory(symbol, &mut self.history);
        }
        self.system_event(SystemEventCode::StartOfSystemHours);
        self.tell_all(now, EventCode::StartOfDay);
        for symbol in self.symbols() {
            self.execute(now, &Command::Phase { symbol, phase: Phase::PreOpen });
            while let Some(command) =
                self.participants.as_mut().and_then(|participants| participants.fill(&self.engine, symbol))
            {
                self.execute(now, &command);
            }
        }
        self.system_event(SystemEventCode::StartOfMarketHours);
        for symbol in self.symbols() {
            self.execute(now, &Command::Cross { symbol, kind: CrossKind::Opening });
        }
        if self.participants.is_some() {
            self.due = now;
        }
    }

    /// Ends the day: closing crosses, what rests is cancelled, system events.
    pub fn close(&mut self, now: Nanos) {
        if self.symbols().all(|symbol| self.engine.phase(symbol) == Phase::Closed) {
            return;
        }
        self.at(now);
        self.due = Nanos::MAX;
        self.system_event(SystemEventCode::EndOfMarketHours);
        for symbol in self.symbols() {
            match self.engine.phase(symbol) {
                Phase::Continuous => self.execute(now, &Command::Cross { symbol, kind: CrossKind::Closing }),
                Phase::PreOpen | Phase::Halted | Phase::Quoting => {
                    self.execute(now, &Command::Phase { symbol, phase: Phase::Closed });
                }
                Phase::Closed => {}
            }
        }
        self.system_event(SystemEventCode::EndOfSystemHours);
        self.tell_all(now, EventCode::EndOfDay);
        self.system_event(SystemEventCode::EndOfMessages);
        for account in &mut self.accounts {
            account.faults.slow = None;
            account.release(Nanos::MAX);
        }
    }

    /// Carries out an operator's command.
    pub fn execute(&mut self, now: Nanos, command: &Command) {
        self.at(now);
        let cause = match command {
            Command::Cross { kind, .. } => Cause::Cross(*kind),
            Command::Enter(_)
            | Command::Cancel { .. }
            | Command::Replace { .. }
            | Command::CancelAll { .. }
            | Command::Phase { .. }
            | Command::Imbalance { .. }
            | Command::Band { .. }
            | Command::Break { .. } => Cause::Other,
        };
        self.run(now, command, cause);
    }

    /// At most `most` commands of participants that are due; gives how many there were.
    pub fn on_participants(&mut self, now: Nanos, most: usize) -> usize {
        if now.since(self.due) > LATE_MAX {
            self.counters.late += 1;
            self.due = now;
        }
        let mut done = 0;
        while done < most && self.due <= now {
            let Some(participants) = &mut self.participants else { break };
            let command = participants.next(&self.engine);
            self.due = self.due.after(participants.wait());
            done += 1;
            // They see all orders and mean to withdraw their own.
            let owner = match command {
                Command::Cancel { account, .. } => account,
                Command::Replace { owner, .. } => owner.account,
                Command::Enter(_)
                | Command::CancelAll { .. }
                | Command::Phase { .. }
                | Command::Cross { .. }
                | Command::Imbalance { .. }
                | Command::Band { .. }
                | Command::Break { .. } => 0,
            };
            if owner >= MEMBERS_FIRST {
                continue;
            }
            self.counters.participant_commands += 1;
            self.at(now);
            self.run(now, &command, Cause::Other);
        }
        done
    }

    /// Participants trade from now on, or wait.
    pub(super) fn set_flow(&mut self, now: Nanos, is_on: bool) {
        let is_day = self.symbols().any(|symbol| self.engine.phase(symbol) != Phase::Closed);
        self.due = if is_on && is_day && self.participants.is_some() { now } else { Nanos::MAX };
    }

    /// Participants wait until then: the exchange is away.
    pub(super) fn postpone(&mut self, until: Nanos) {
        if self.due != Nanos::MAX {
            self.due = self.due.max(until);
        }
    }

    /// Time passed: slow answers leave.
    pub fn on_time(&mut self, now: Nanos) {
        for account in &mut self.accounts {
            account.release(now);
        }
    }

    /// When [`ExchangeCore::on_participants`] or [`ExchangeCore::on_time`] has something to do; [`Nanos::MAX`]: never.
    pub fn wake_at(&self) -> Nanos {
        let held = self.accounts.iter().filter_map(Account::release_at).min();
        self.due.min(held.unwrap_or(Nanos::MAX))
    }

    /// The connection of an account is gone.
    pub fn on_disconnected(&mut self, now: Nanos, account: usize) {
        let Some(entry) = self.accounts.get(account) else { return };
        if (entry.config.cancel_on_disconnect || entry.is_full) && !entry.orders.is_empty() {
            self.counters.cancels_on_disconnect += 1;
            self.execute(now, &Command::CancelAll { account: MEMBERS_FIRST + account as u32 });
        }
    }

    /// The market data so far.
    pub const fn history(&self) -> &History {
        &self.history
    }

    pub(super) const fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// The session's name.
    pub const fn session(&self) -> &Alpha<10> {
        self.history.session()
    }

    /// An account's messages so far; `None` if there is no such account.
    pub fn messages(&self, account: usize) -> Option<&SequencedStore> {
        self.accounts.get(account).map(|account| &account.store)
    }

    /// Whose login this is; `None`: nobody's.
    pub fn account_of(&self, login: &Login) -> Option<usize> {
        self.accounts.iter().position(|account| {
            account.config.user.is_same(&login.user)
                && account.config.password.trimmed() == login.password.trimmed()
        })
    }

    /// The account of a user.
    pub(super) fn user(&self, user: &str) -> Option<usize> {
        self.accounts.iter().position(|account| account.config.user.trimmed() == user.as_bytes())
    }

    /// Index of a symbol.
    pub fn symbol(&self, name: &str) -> Option<u16> {
        let index = self.listings.iter().position(|listing| listing.name.as_str() == name)?;
        u16::try_from(index).ok()
    }

    /// The matching engine, to look at.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn set_late(&mut self, is_late: bool) {
        self.is_late = is_late;
    }

    /// Books, accounts and counts as they are now.
    pub fn state(&self) -> ExchangeState {
        let orders = |symbol, side| {
            let order = |order: crate::exchange::RestingOrder| BookOrder {
                reference: order.reference,
                price: order.price,
                displayed: order.displayed,
                open: order.open,
                account: order.owner.account.checked_sub(MEMBERS_FIRST).map(|index| index as usize),
            };
            self.engine.queue(symbol, side).map(order).collect()
        };
        let symbol = |(symbol, listing): (u16, &Listing)| SymbolState {
            name: listing.name,
            phase: self.engine.phase(symbol),
            last: self.engine.reference(symbol),
            bids: orders(symbol, Side::Buy),
            asks: orders(symbol, Side::Sell),
        };
        let open = |(&user_ref, live): (&u32, &Live)| OpenOrder {
            user_ref,
            cl_ord_id: live.cl_ord_id,
            reference: live.reference,
            symbol: live.symbol,
            side: live.side,
            price: live.price,
            open: live.open,
            executed: live.executed,
        };
        let account = |account: &Account| AccountState {
            user: account.config.user,
            holdings: account.holdings.clone(),
            orders: account.orders.iter().map(open).collect(),
            next_user_ref: account.gate.next(),
            next_sequence: account.store.next_sequence(),
            is_connected: false,
        };
        ExchangeState {
            session: *self.session(),
            next_sequence: self.history.next_sequence(),
            symbols: (0..).zip(&*self.listings).map(symbol).collect(),
            accounts: self.accounts.iter().map(account).collect(),
            participants: self.house.clone(),
            core: self.counters,
            ..ExchangeState::default()
        }
    }

    pub(super) fn symbols(&self) -> impl Iterator<Item = u16> + use<> {
        // At most 65,535 by the engine's check.
        0..self.listings.len() as u16
    }

    fn since_midnight(&self, now: Nanos) -> u64 {
        now.since(self.midnight.unwrap_or(Nanos::ZERO)).get().max(0) as u64
    }

    fn at(&mut self, now: Nanos) {
        let time = self.since_midnight(now);
        self.writer.at(time);
    }

    fn system_event(&mut self, code: SystemEventCode) {
        self.writer.system_event(code, &mut self.history);
    }

    fn tell_all(&mut self, now: Nanos, event: EventCode) {
        let timestamp = Be64::new(self.since_midnight(now));
        for account in &mut self.accounts {
            let message = SystemEvent { timestamp, event: event.code() };
            account.tell(now, Outbound::from(&message), Appendage::ABSENT);
        }
    }

    /// A command through the engine; market data and messages of what came of it.
    fn run(&mut self, now: Nanos, command: &Command, cause: Cause<'_>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.clear();
        self.engine.execute(command, &mut outputs);
        self.counters.commands += 1;
        for output in &outputs {
            self.writer.write(output, &mut self.history);
        }
        self.report(now, &outputs, cause);
        self.outputs = outputs;
    }
}
