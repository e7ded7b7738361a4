//! [`ExchangeState`]: what the exchange tells of itself, for tests and for reports.

use super::account::Holdings;
use super::faults::FaultCounters;
use crate::exchange::{Phase, Price4};
use crate::ouch50::ClOrdId;
use crate::soup::Alpha;
use spinward_engine::words::{Side, Symbol};

/// Everything at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExchangeState {
    /// The session's name.
    pub session: Alpha<10>,
    /// Number of the next message of market data.
    pub next_sequence: u64,
    /// By index.
    pub symbols: Vec<SymbolState>,
    /// By index.
    pub accounts: Vec<AccountState>,
    /// What all participants own together.
    pub participants: Holdings,
    /// What the core counted.
    pub core: CoreCounters,
    /// What the sockets counted.
    pub wire: WireCounters,
    /// Faults that were asked for and happened.
    pub faults: FaultCounters,
}

impl ExchangeState {
    /// Shares of every symbol and money over all accounts and participants: all 0, or the exchange has lost or made some.
    pub fn sums(&self) -> (Vec<i64>, i128) {
        let all = || self.accounts.iter().map(|account| &account.holdings).chain([&self.participants]);
        let shares = |symbol: usize| all().filter_map(|holdings| holdings.positions.get(symbol)).sum();
        ((0..self.symbols.len()).map(shares).collect(), all().map(|holdings| holdings.cash).sum())
    }

    /// The account of a user.
    pub fn account(&self, user: &str) -> Option<&AccountState> {
        self.accounts.iter().find(|account| account.user.trimmed() == user.as_bytes())
    }
}

/// A symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolState {
    /// Its name.
    pub name: Symbol,
    /// Its phase.
    pub phase: Phase,
    /// Price of its last trade, or its first reference.
    pub last: Price4,
    /// Displayed orders to buy by priority.
    pub bids: Vec<BookOrder>,
    /// Displayed orders to sell by priority.
    pub asks: Vec<BookOrder>,
}

/// A displayed order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BookOrder {
    /// Its number in market data.
    pub reference: u64,
    /// Its limit.
    pub price: Price4,
    /// Displayed shares.
    pub displayed: u32,
    /// All open shares.
    pub open: u32,
    /// Index of its account; `None`: a participant's.
    pub account: Option<usize>,
}

/// An account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountState {
    /// Its user.
    pub user: Alpha<6>,
    /// What it owns.
    pub holdings: Holdings,
    /// Its orders that live, by their numbers.
    pub orders: Vec<OpenOrder>,
    /// The smallest number that is free for an order.
    pub next_user_ref: u32,
    /// Sequence of the next message to it.
    pub next_sequence: u64,
    /// Whether it is logged in.
    pub is_connected: bool,
}

/// An order that lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenOrder {
    /// The account's number.
    pub user_ref: u32,
    /// The account's text.
    pub cl_ord_id: ClOrdId,
    /// Its number in market data.
    pub reference: u64,
    /// Index of its symbol.
    pub symbol: u16,
    /// Buy or sell.
    pub side: Side,
    /// Its limit; [`Price4::NONE`] without one.
    pub price: Price4,
    /// Open shares.
    pub open: u32,
    /// Shares executed in its chain.
    pub executed: u32,
}

/// What the core counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoreCounters {
    /// Commands of the engine, of all origins.
    pub commands: u64,
    /// Of them, of participants.
    pub participant_commands: u64,
    /// Times that participants were so late that they missed their turn.
    pub late: u64,
    /// Messages of accounts.
    pub inbound: u64,
    /// New orders accepted.
    pub accepted: u64,
    /// New orders, replaces and others rejected.
    pub rejected: u64,
    /// Orders replaced.
    pub replaced: u64,
    /// Messages about shares taken off.
    pub canceled: u64,
    /// Messages about executions: one for each side that is an account.
    pub executed: u64,
    /// Messages ignored without an answer: numbers used before, orders that are not there.
    pub ignored: u64,
    /// Messages that are none.
    pub malformed: u64,
    /// Times that a lost connection cancelled orders.
    pub cancels_on_disconnect: u64,
}

/// What the sockets count. Pairs are of lines A and B.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WireCounters {
    /// Packets of market data that left, to each destination, heartbeats included.
    pub packets: [u64; 2],
    /// Bytes of them.
    pub bytes: [u64; 2],
    /// Packets that the system did not take: lost, as on a wire.
    pub unsent: [u64; 2],
    /// Heartbeats, and ends of the session.
    pub heartbeats: u64,
    /// Requests for packets that were answered.
    pub requests: u64,
    /// Requests for messages that are not there, not kept any more or of another session, and what is no request.
    pub requests_refused: u64,
    /// Connections taken.
    pub connections: u64,
    /// Connections closed at once: there were too many.
    pub connections_refused: u64,
    /// Logins.
    pub logins: u64,
    /// Logins refused.
    pub logins_refused: u64,
    /// Connections dropped because they took nothing of what waited for them, or fell behind what is kept.
    pub slow_dropped: u64,
    /// Connections closed for anything else that they did.
    pub closed: u64,
    /// Snapshots begun.
    pub snapshots: u64,
    /// Answers to which symbols a range of messages was about.
    pub changes_told: u64,
    /// Wire-to-wire samples, those that found no place included.
    pub wire_samples: u64,
}

/// Counts and lengths at one moment, without books and accounts: cheap to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExchangeCounts {
    /// Number of the next message of market data.
    pub next_sequence: u64,
    /// Messages of market data that are kept.
    pub messages_kept: u64,
    /// What the core counted.
    pub core: CoreCounters,
    /// What the sockets counted.
    pub wire: WireCounters,
    /// Faults that were asked for and happened.
    pub faults: FaultCounters,
    /// Connections of orders, snapshots and replay.
    pub connections: [u64; 3],
    /// Accounts that are logged in.
    pub accounts_connected: u64,
    /// Displayed orders that rest.
    pub orders_displayed: u64,
    /// Orders of accounts that live.
    pub orders_of_accounts: u64,
    /// Bytes that wait for connections.
    pub bytes_waiting: u64,
    /// Messages to accounts that their connections have yet to get.
    pub messages_waiting: u64,
    /// Packets that a fault holds back, of lines A and B.
    pub packets_held: [u64; 2],
    /// Answers to accounts that a fault holds back.
    pub answers_held: u64,
}
