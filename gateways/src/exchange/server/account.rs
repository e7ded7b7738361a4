//! [`Account`]: one who trades: its orders, what it owns, and every message it was ever sent.

use super::config::AccountConfig;
use crate::exchange::{OrderId, Price4};
use crate::ouch50::{Appendage, ClOrdId, MESSAGE_BYTES_MAX, Outbound, UserRefGate};
use crate::soup::{Alpha, SequencedStore};
use spinward_engine::words::{Nanos, Side};
use std::collections::{BTreeMap, VecDeque};

/// Messages of a store that no new order may use, so that what happens to older orders can be told.
const RESERVE_MESSAGES: u64 = 1_024;

/// An order that lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Live {
    /// Handle in the engine; none while it comes in.
    pub(super) id: OrderId,
    /// Number in market data, of what is displayed now.
    pub(super) reference: u64,
    pub(super) symbol: u16,
    pub(super) side: Side,
    /// As the messages have it: short sales are sales of another letter.
    pub(super) side_code: u8,
    pub(super) price: Price4,
    /// Shares of the whole chain, executed ones included.
    pub(super) total: u32,
    pub(super) executed: u32,
    pub(super) open: u32,
    pub(super) time_in_force: u8,
    pub(super) display: u8,
    pub(super) capacity: u8,
    pub(super) sweep: u8,
    pub(super) cross_type: u8,
    pub(super) cl_ord_id: ClOrdId,
    pub(super) group: u16,
}

impl Live {
    /// Whether it waits for a cross rather than in the book.
    pub(super) const fn waits_for_cross(&self) -> bool {
        matches!(self.cross_type, b'O' | b'C')
    }
}

/// What somebody owns, from nothing at the start.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holdings {
    /// Shares by symbol.
    pub positions: Vec<i64>,
    /// Money in 1/10,000.
    pub cash: i128,
    /// Executions, each side of a trade counted.
    pub executions: u64,
}

impl Holdings {
    pub(super) fn new(symbols: usize) -> Self {
        Self { positions: vec![0; symbols], cash: 0, executions: 0 }
    }

    pub(super) fn trade(&mut self, symbol: u16, side: Side, shares: u32, price: Price4) {
        let sign = if side == Side::Buy { 1 } else { -1 };
        if let Some(position) = self.positions.get_mut(usize::from(symbol)) {
            *position += sign * i64::from(shares);
        }
        // 2^32 · 2^32 a trade: 2^127 is not reached
        self.cash -= i128::from(sign) * i128::from(shares) * i128::from(price.units());
        self.executions += 1;
    }

    pub(super) fn undo(&mut self, symbol: u16, side: Side, shares: u32, price: Price4) {
        self.trade(symbol, side.opposite(), shares, price);
        self.executions -= 2;
    }
}

/// What is slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slow {
    /// Executions, and what follows them.
    Fills,
    /// Every answer.
    All,
}

/// Faults of one account's session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct SessionFaults {
    /// So many of the next new orders and replaces are rejected.
    pub(super) reject: u32,
    /// After so many of the next orders the connection is cut before the answer leaves.
    pub(super) lose_ack: u32,
    /// What answers come late, and by how much.
    pub(super) slow: Option<(Slow, Nanos)>,
}

/// One who trades.
pub(super) struct Account {
    pub(super) config: AccountConfig,
    pub(super) gate: UserRefGate,
    pub(super) orders: BTreeMap<u32, Live>,
    pub(super) holdings: Holdings,
    pub(super) store: SequencedStore,
    messages_max: u64,
    /// Messages that come late, with their times.
    held: VecDeque<(Nanos, Box<[u8]>)>,
    /// New orders are taken (Disable and Enable Order Entry).
    pub(super) is_enabled: bool,
    /// A message did not fit the store: the session cannot go on.
    pub(super) is_full: bool,
    pub(super) faults: SessionFaults,
}

impl Account {
    pub(super) fn new(
        config: AccountConfig,
        session: Alpha<10>,
        symbols: usize,
        messages_max: usize,
        bytes_max: usize,
    ) -> Self {
        Self {
            config,
            gate: UserRefGate::new(),
            orders: BTreeMap::new(),
            holdings: Holdings::new(symbols),
            store: SequencedStore::new(session, messages_max, bytes_max),
            messages_max: messages_max as u64,
            held: VecDeque::new(),
            is_enabled: true,
            is_full: false,
            faults: SessionFaults::default(),
        }
    }

    /// Whether the store has room for another order's life beside those of the orders there are.
    pub(super) fn has_room(&self) -> bool {
        let needed = RESERVE_MESSAGES + 4 * self.orders.len() as u64;
        !self.is_full && self.store.next_sequence() + self.held.len() as u64 + needed <= self.messages_max
    }

    /// Into the account's stream, or, where its answers are slow, into what waits before it. Order is kept.
    pub(super) fn tell(&mut self, now: Nanos, message: Outbound<'_>, appendage: Appendage<'_>) {
        self.release(now);
        let mut bytes = [0; MESSAGE_BYTES_MAX];
        let length = match message.encode(appendage, &mut bytes) {
            // An appendage longer than all known options together is not given back.
            0 => message.encode(Appendage::EMPTY, &mut bytes),
            length => length,
        };
        let bytes = bytes.get(..length).unwrap_or_default();
        let is_fill = matches!(message, Outbound::Executed(_));
        let due = match self.faults.slow {
            Some((Slow::Fills, _)) if !is_fill => now,
            Some((Slow::Fills | Slow::All, time)) => now.after(time),
            None => now,
        };
        let due = self.held.back().map_or(due, |(last, _)| due.max(*last));
        if due > now {
            if self.held.len() as u64 + self.store.next_sequence() > self.messages_max {
                self.is_full = true;
            } else {
                self.held.push_back((due, bytes.into()));
            }
        } else {
            self.is_full |= self.store.push(bytes).is_err();
        }
    }

    /// Answers that are held back.
    pub(super) fn answers_held(&self) -> usize {
        self.held.len()
    }

    /// Lets go of what was held long enough.
    pub(super) fn release(&mut self, now: Nanos) {
        while self.held.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, bytes)) = self.held.pop_front() {
                self.is_full |= self.store.push(&bytes).is_err();
            }
        }
    }

    /// When the next message is let go.
    pub(super) fn release_at(&self) -> Option<Nanos> {
        self.held.front().map(|(due, _)| *due)
    }
}
