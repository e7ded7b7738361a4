//! The venue: carries out actions on the books, gives reference and match numbers, and writes what happened as ITCH 5.0 into the outbox.

use super::{
    flow::{Action, ORDERS_KEPT},
    market::{Market, Slot},
    symbol_of,
};
use crate::itch50::{
    AddOrder, AddOrderAttributed, Be16, Be32, Be48, Be64, CrossTrade, Head, Imbalance, MESSAGE_BYTES_MAX,
    Message, Mpid, MwcbLevels, OrderCancel, OrderDelete, OrderExecuted, OrderExecutedAtPrice, OrderReplace,
    ParticipantPosition, Price4, Price8, RegSho, Stock, StockDirectory, SystemEvent, SystemEventCode, Trade,
    TradingAction,
};
use spinward_engine::words::Side;

/// Most messages that one action gives.
const OUTBOX_MESSAGES: usize = 8;
/// A tick is a cent: 100 units of Price(4).
const UNITS_PER_TICK: u32 = 100;
/// Participants that sign their orders.
const PARTICIPANTS: [&str; 4] = ["SPWA", "SPWB", "SPWC", "SPWD"];

/// One message as it will leave.
#[derive(Clone, Copy)]
struct Letter {
    bytes: [u8; MESSAGE_BYTES_MAX],
    length: u8,
}

/// What the last action made, first in first out.
struct Outbox {
    letters: [Letter; OUTBOX_MESSAGES],
    taken: usize,
    filled: usize,
}

impl Outbox {
    #[inline]
    fn write<'a>(&mut self, message: impl Into<Message<'a>>) {
        // A take of more fills than there is room for is cut before (`Exchange::take`).
        if let Some(letter) = self.letters.get_mut(self.filled) {
            letter.length = message.into().encode(&mut letter.bytes) as u8;
            self.filled += 1;
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.filled < OUTBOX_MESSAGES
    }
}

/// The venue and its books.
pub(super) struct Exchange {
    market: Market,
    outbox: Outbox,
    /// Locate and text of each symbol, by rank.
    names: Box<[(Be16, Stock)]>,
    participants: [Mpid; PARTICIPANTS.len()],
    last_reference: u64,
    last_match: u64,
    /// Nanoseconds since midnight, on every message of now.
    now: Be48,
}

impl Exchange {
    pub(super) fn new(market: Market, locates: &[u16]) -> Self {
        let name = |(rank, locate): (usize, &u16)| {
            let stock = Stock::new(symbol_of(rank).as_str()).unwrap_or_default();
            (Be16::new(*locate), stock)
        };
        let empty = Letter { bytes: [0; MESSAGE_BYTES_MAX], length: 0 };
        Self {
            market,
            outbox: Outbox { letters: [empty; OUTBOX_MESSAGES], taken: 0, filled: 0 },
            names: locates.iter().enumerate().map(name).collect(),
            participants: PARTICIPANTS.map(|name| Mpid::new(name).unwrap_or_default()),
            last_reference: 0,
            last_match: 0,
            now: Be48::new(0),
        }
    }

    /// The books, for the flow to look at and to recenter.
    pub(super) fn market(&mut self) -> &mut Market {
        &mut self.market
    }

    /// The first message not taken yet.
    #[inline]
    pub(super) fn letter(&self) -> Option<&[u8]> {
        if self.outbox.taken == self.outbox.filled {
            return None;
        }
        let letter = self.outbox.letters.get(self.outbox.taken)?;
        letter.bytes.get(..usize::from(letter.length))
    }

    /// Goes on to the message after it.
    #[inline]
    pub(super) fn take_letter(&mut self) {
        if self.outbox.taken < self.outbox.filled {
            self.outbox.taken += 1;
        }
    }

    /// Sets the time of what happens next. What was not taken of the outbox is lost.
    #[inline]
    pub(super) fn begin(&mut self, nanos_since_midnight: u64) {
        self.outbox.taken = 0;
        self.outbox.filled = 0;
        self.now = Be48::new(nanos_since_midnight);
    }

    fn head(&self, symbol: usize) -> Head {
        Head { locate: self.names[symbol].0, tracking: Be16::new(0), timestamp: self.now }
    }

    fn stock(&self, symbol: usize) -> Stock {
        self.names[symbol].1
    }

    fn next_match(&mut self) -> Be64 {
        self.last_match += 1;
        Be64::new(self.last_match)
    }

    /// A system event.
    pub(super) fn system_event(&mut self, code: SystemEventCode) {
        let head = Head { timestamp: self.now, ..Head::default() };
        self.outbox.write(&SystemEvent { head, event: code as u8 });
    }

    /// The levels of the market-wide circuit breaker.
    pub(super) fn decline_levels(&mut self) {
        let head = Head { timestamp: self.now, ..Head::default() };
        let level = |units: u64| Price8::new(units * 100_000_000);
        // 7, 13 and 20 % below 6,000.
        self.outbox.write(&MwcbLevels {
            head,
            level_1: level(5_580),
            level_2: level(5_220),
            level_3: level(4_800),
        });
    }

    /// A symbol's entry in the directory.
    pub(super) fn directory(&mut self, symbol: usize) {
        let message = StockDirectory {
            head: self.head(symbol),
            stock: self.stock(symbol),
            market_category: b'Q',
            financial_status: b'N',
            round_lot_size: Be32::new(100),
            round_lots_only: b'N',
            issue_classification: b'C',
            issue_subtype: *b"Z ",
            authenticity: b'T',
            short_sale_threshold: b'N',
            ipo_flag: b'N',
            luld_tier: b'1',
            etp_flag: b'N',
            etp_leverage: Be32::new(0),
            inverse: b'N',
        };
        self.outbox.write(&message);
    }

    /// A symbol trades.
    pub(super) fn trading(&mut self, symbol: usize) {
        let message = TradingAction {
            head: self.head(symbol),
            stock: self.stock(symbol),
            state: b'T',
            reserved: b' ',
            reason: Mpid::default(),
        };
        self.outbox.write(&message);
    }

    /// Carries an action out and writes what came of it: at least one message, unless the books do not allow it (a full pool).
    pub(super) fn execute(&mut self, action: Action) {
        match action {
            Action::Add { symbol, side, tick, shares, attributed } => {
                self.add(symbol, side, tick, shares, attributed);
            }
            Action::Delete { slot } => {
                let order = *self.market.order(slot);
                self.market.remove(slot);
                let head = self.head(order.symbol as usize);
                self.outbox.write(&OrderDelete { head, reference: Be64::new(order.reference) });
            }
            Action::Reduce { slot, shares } => {
                let order = *self.market.order(slot);
                self.market.reduce(slot, shares);
                let head = self.head(order.symbol as usize);
                self.outbox.write(&OrderCancel {
                    head,
                    reference: Be64::new(order.reference),
                    shares: Be32::new(shares),
                });
            }
            Action::Replace { slot, tick, shares } => self.replace(slot, tick, shares),
            Action::Take { symbol, aggressor, shares } => self.take(symbol, aggressor, shares),
            Action::TakeImproved { symbol, aggressor, shares, printable } => {
                self.take_improved(symbol, aggressor, shares, printable);
            }
            Action::Hidden { symbol, shares } => {
                let price = self.middle(symbol);
                let match_number = self.next_match();
                self.outbox.write(&Trade {
                    head: self.head(symbol),
                    reference: Be64::new(0),
                    side: b'B',
                    shares: Be32::new(shares),
                    stock: self.stock(symbol),
                    price,
                    match_number,
                });
            }
            Action::Imbalance { symbol, paired, missing } => {
                let price = self.middle(symbol);
                self.outbox.write(&Imbalance {
                    head: self.head(symbol),
                    paired_shares: Be64::new(u64::from(paired)),
                    imbalance_shares: Be64::new(u64::from(missing)),
                    direction: if paired & 1_000 == 0 { b'B' } else { b'S' },
                    stock: self.stock(symbol),
                    far_price: Price4::new(0),
                    near_price: price,
                    reference_price: price,
                    cross_type: b'C',
                    price_variation: b'L',
                });
            }
            Action::Cross { symbol, shares } => {
                let price = self.middle(symbol);
                let match_number = self.next_match();
                self.outbox.write(&CrossTrade {
                    head: self.head(symbol),
                    shares: Be64::new(u64::from(shares)),
                    stock: self.stock(symbol),
                    price,
                    match_number,
                    cross_type: b'I',
                });
            }
            Action::ShortSale { symbol } => self.outbox.write(&RegSho {
                head: self.head(symbol),
                stock: self.stock(symbol),
                action: b'0',
            }),
            Action::Position { symbol } => self.outbox.write(&ParticipantPosition {
                head: self.head(symbol),
                mpid: self.participants[0],
                stock: self.stock(symbol),
                primary: b'Y',
                mode: b'N',
                state: b'A',
            }),
        }
    }

    #[inline]
    fn add(&mut self, symbol: usize, side: Side, tick: u32, shares: u32, attributed: bool) {
        let reference = self.last_reference + 1;
        if self.market.add(symbol, side, tick, shares, reference).is_none() {
            return;
        }
        self.last_reference = reference;
        let order = AddOrder {
            head: self.head(symbol),
            reference: Be64::new(reference),
            side: letter_of(side),
            shares: Be32::new(shares),
            stock: self.stock(symbol),
            price: Price4::new(tick * UNITS_PER_TICK),
        };
        if attributed {
            let AddOrder { head, reference, side, shares, stock, price } = order;
            let attribution = self.participants[self.last_reference as usize % PARTICIPANTS.len()];
            self.outbox.write(&AddOrderAttributed {
                head,
                reference,
                side,
                shares,
                stock,
                price,
                attribution,
            });
        } else {
            self.outbox.write(&order);
        }
    }

    fn replace(&mut self, slot: Slot, tick: u32, shares: u32) {
        let order = *self.market.order(slot);
        let symbol = order.symbol as usize;
        self.market.remove(slot);
        let reference = self.last_reference + 1;
        let head = self.head(symbol);
        let original = Be64::new(order.reference);
        match self.market.add(symbol, order.side, tick, shares, reference) {
            Some(_) => {
                self.last_reference = reference;
                self.outbox.write(&OrderReplace {
                    head,
                    original,
                    reference: Be64::new(reference),
                    shares: Be32::new(shares),
                    price: Price4::new(tick * UNITS_PER_TICK),
                });
            }
            // Not allowed where it was to go: then it is only withdrawn.
            None => self.outbox.write(&OrderDelete { head, reference: original }),
        }
    }

    /// Price-time priority; the last few orders of a side are left standing, as if replenished.
    fn take(&mut self, symbol: usize, aggressor: Side, shares: u32) {
        let side = aggressor.opposite();
        let mut wanted = shares;
        while wanted > 0 && self.outbox.has_room() && self.market.count(symbol, side) > ORDERS_KEPT {
            let Some(slot) = self.market.first(symbol, side) else { return };
            let reference = Be64::new(self.market.order(slot).reference);
            let done = self.market.reduce(slot, wanted);
            wanted -= done;
            let match_number = self.next_match();
            let head = self.head(symbol);
            self.outbox.write(&OrderExecuted { head, reference, shares: Be32::new(done), match_number });
        }
    }

    /// Half a tick better for the one who takes.
    fn take_improved(&mut self, symbol: usize, aggressor: Side, shares: u32, printable: bool) {
        let side = aggressor.opposite();
        if self.market.count(symbol, side) <= ORDERS_KEPT {
            return;
        }
        let Some(slot) = self.market.first(symbol, side) else { return };
        let order = *self.market.order(slot);
        let done = self.market.reduce(slot, shares);
        let displayed = order.tick * UNITS_PER_TICK;
        let price = match aggressor {
            Side::Buy => displayed - UNITS_PER_TICK / 2,
            Side::Sell => displayed + UNITS_PER_TICK / 2,
        };
        let match_number = self.next_match();
        self.outbox.write(&OrderExecutedAtPrice {
            head: self.head(symbol),
            reference: Be64::new(order.reference),
            shares: Be32::new(done),
            match_number,
            printable: if printable { b'Y' } else { b'N' },
            price: Price4::new(price),
        });
    }

    /// Half way between the best prices; the one there is if a side is empty.
    fn middle(&self, symbol: usize) -> Price4 {
        let best = |side| self.market.best(symbol, side);
        let ticks_twice = match (best(Side::Buy), best(Side::Sell)) {
            (Some(bid), Some(ask)) => bid + ask,
            (Some(tick), None) | (None, Some(tick)) => 2 * tick,
            (None, None) => 2,
        };
        Price4::new(ticks_twice * (UNITS_PER_TICK / 2))
    }
}

const fn letter_of(side: Side) -> u8 {
    match side {
        Side::Buy => b'B',
        Side::Sell => b'S',
    }
}
