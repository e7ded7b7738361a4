//! What the engine did, as messages to the accounts that it happened to, and in what everybody owns.

use super::entry::index_of;
use super::{Account, Cause, ExchangeCore, Live, MEMBERS_FIRST};
use crate::exchange::{CancelReason as Why, CrossKind, OrderRef, Output, Owner, Price4, Reject, SelfTrade};
use crate::itch50::{Be32, Be64, Stock};
use crate::ouch50::{
    Accepted, AiqCanceled, AiqStrategy, Appendage, AppendageWriter, BrokenTrade, BrokenTradeReason,
    CancelReason, Canceled, ClOrdId, Executed, LiquidityFlag, Modified, Option50, OrderState, OuchPrice,
    Outbound, RejectReason, Replaced, Restated, RestatedReason,
};
use spinward_engine::words::{Nanos, Side};

/// An execution, as one side has it.
#[derive(Clone, Copy)]
struct Fill {
    symbol: u16,
    side: Side,
    shares: u32,
    price: Price4,
    liquidity: LiquidityFlag,
    match_number: u64,
}

impl ExchangeCore {
    pub(super) fn report(&mut self, now: Nanos, outputs: &[Output], cause: Cause<'_>) {
        let mut met = Price4::NONE;
        for output in outputs {
            match *output {
                Output::Accepted { order, .. } => self.on_accepted(now, order, cause),
                Output::Rejected { reason, .. } => self.on_rejected(now, reason, cause),
                Output::Rested { order } => {
                    if let Some(live) = self.live_mut(order.owner) {
                        live.id = order.id;
                    }
                }
                Output::Shown { order, shares, .. } => self.on_shown(now, order, shares),
                Output::Traded {
                    symbol, maker, taker, side, price, shares, match_number, displayed, ..
                } => {
                    let liquidity =
                        if displayed { LiquidityFlag::Added } else { LiquidityFlag::NonDisplayAdded };
                    let fill = Fill { symbol, side, shares, price, liquidity, match_number };
                    self.on_fill(now, maker.owner, fill);
                    let side = side.opposite();
                    self.on_fill(now, taker.owner, Fill { side, liquidity: LiquidityFlag::Removed, ..fill });
                }
                Output::Crossed { symbol, order, side, price, shares, match_number, .. } => {
                    let liquidity = match cause {
                        Cause::Cross(CrossKind::Opening) => LiquidityFlag::OpeningCross,
                        Cause::Cross(CrossKind::Closing) => LiquidityFlag::ClosingCross,
                        Cause::Cross(CrossKind::Halt)
                        | Cause::Enter { .. }
                        | Cause::Replace { .. }
                        | Cause::Cancel
                        | Cause::Modify { .. }
                        | Cause::Other => LiquidityFlag::HaltCross,
                    };
                    let fill = Fill { symbol, side, shares, price, liquidity, match_number };
                    self.on_fill(now, order.owner, fill);
                }
                Output::Cancelled { order, shares, reason: Why::SelfTrade, .. } => {
                    self.on_prevented(now, order.owner, shares, &mut met, cause);
                }
                Output::Cancelled { order, shares, reason, .. } => {
                    self.on_cancelled(now, order.owner, shares, reason, cause);
                }
                Output::Replaced { order, old, shares, .. } => {
                    self.on_replaced(now, order, old, shares, cause)
                }
                Output::Broken { match_number, .. } => self.on_broken(now, match_number),
                Output::CrossDone { .. } | Output::PhaseChanged { .. } | Output::Imbalance { .. } => {}
            }
        }
    }

    /// Index of an owner's account; `None` for participants.
    fn index(owner: Owner) -> Option<usize> {
        owner.account.checked_sub(MEMBERS_FIRST).map(|index| index as usize)
    }

    fn live_mut(&mut self, owner: Owner) -> Option<&mut Live> {
        self.accounts.get_mut(Self::index(owner)?)?.orders.get_mut(&owner.token)
    }

    fn tell(&mut self, now: Nanos, owner: Owner, message: Outbound<'_>, appendage: Appendage<'_>) {
        if let Some(account) = Self::index(owner).and_then(|index| self.accounts.get_mut(index)) {
            account.tell(now, message, appendage);
        }
    }

    fn on_accepted(&mut self, now: Nanos, order: OrderRef, cause: Cause<'_>) {
        let Cause::Enter { account, token, live, appendage } = cause else { return };
        let live = Live { reference: order.reference, ..live };
        let message = Accepted {
            timestamp: self.timestamp(now),
            user_ref: Be32::new(token),
            side: live.side_code,
            quantity: Be32::new(live.open),
            symbol: self.stock(live.symbol),
            price: wire(live.price),
            time_in_force: live.time_in_force,
            display: live.display,
            reference: Be64::new(order.reference),
            capacity: live.capacity,
            sweep: live.sweep,
            cross_type: live.cross_type,
            state: OrderState::Live.code(),
            cl_ord_id: live.cl_ord_id,
        };
        self.counters.accepted += 1;
        if let Some(account) = self.accounts.get_mut(account) {
            account.orders.insert(token, live);
            account.tell(now, Outbound::from(&message), appendage);
        }
    }

    fn on_rejected(&mut self, now: Nanos, reject: Reject, cause: Cause<'_>) {
        match cause {
            Cause::Enter { account, token, live, .. } => {
                self.reject(now, account, token, reason_of(reject), live.cl_ord_id);
            }
            Cause::Replace { account, token, original, live, .. } => {
                let is_about_values = match reject {
                    Reject::InvalidShares
                    | Reject::OddLot
                    | Reject::InvalidPrice
                    | Reject::OffTick
                    | Reject::OutsideBand => true,
                    Reject::UnknownSymbol
                    | Reject::Closed
                    | Reject::Halted
                    | Reject::WrongPhase
                    | Reject::InvalidDisplay
                    | Reject::InvalidCombination
                    | Reject::PostOnlyWouldTake
                    | Reject::BookFull
                    | Reject::UnknownOrder
                    | Reject::NotReplaceable
                    | Reject::BookCrossed
                    | Reject::UnknownTrade => false,
                };
                if is_about_values {
                    self.invalid_replace = Some((account, original));
                } else {
                    self.use_up(account, token);
                    self.reject(now, account, token, reason_of(reject), live.cl_ord_id);
                }
            }
            Cause::Cancel | Cause::Modify { .. } => self.counters.ignored += 1,
            Cause::Cross(_) | Cause::Other => {}
        }
    }

    /// An iceberg shows its next part under another number.
    fn on_shown(&mut self, now: Nanos, order: OrderRef, shares: u32) {
        let Some(live) = self.live_mut(order.owner).filter(|live| live.reference != order.reference) else {
            return;
        };
        live.reference = order.reference;
        let message = Restated {
            timestamp: self.timestamp(now),
            user_ref: Be32::new(order.owner.token),
            reason: RestatedReason::Refresh.code(),
        };
        let mut options = AppendageWriter::new();
        options.push(&Option50::SecondaryReference(Be64::new(order.reference)));
        options.push(&Option50::DisplayQuantity(Be32::new(shares)));
        self.tell(now, order.owner, Outbound::from(&message), options.appendage());
    }

    fn on_fill(&mut self, now: Nanos, owner: Owner, fill: Fill) {
        let Fill { symbol, side, shares, price, liquidity, match_number } = fill;
        let timestamp = self.timestamp(now);
        let Some(index) = Self::index(owner) else {
            self.house.trade(symbol, side, shares, price);
            return;
        };
        let Some(account) = self.accounts.get_mut(index) else { return };
        account.holdings.trade(symbol, side, shares, price);
        if let Some(live) = account.orders.get_mut(&owner.token) {
            live.executed += shares;
            live.open = live.open.saturating_sub(shares);
            if live.open == 0 {
                account.orders.remove(&owner.token);
            }
        }
        let message = Executed {
            timestamp,
            user_ref: Be32::new(owner.token),
            quantity: Be32::new(shares),
            price: wire(price),
            liquidity: liquidity.code(),
            match_number: Be64::new(match_number),
        };
        account.tell(now, Outbound::from(&message), Appendage::EMPTY);
        self.counters.executed += 1;
    }

    /// Takes shares off an account's order; gives what is left, `None` if it is not an account's.
    fn take_off(&mut self, owner: Owner, shares: u32) -> Option<u32> {
        let account = self.accounts.get_mut(Self::index(owner)?)?;
        let live = account.orders.get_mut(&owner.token)?;
        live.open = live.open.saturating_sub(shares);
        live.total = live.executed + live.open;
        let left = live.open;
        if left == 0 {
            account.orders.remove(&owner.token);
        }
        Some(left)
    }

    fn on_cancelled(&mut self, now: Nanos, owner: Owner, shares: u32, why: Why, cause: Cause<'_>) {
        let Some(left) = self.take_off(owner, shares) else { return };
        let (timestamp, user_ref) = (self.timestamp(now), Be32::new(owner.token));
        if let Cause::Modify { account, token, side_code } = cause
            && Self::index(owner) == Some(account)
            && token == owner.token
        {
            if let Some(live) = self.live_mut(owner) {
                live.side_code = side_code;
            }
            let message = Modified { timestamp, user_ref, side: side_code, quantity: Be32::new(left) };
            return self.tell(now, owner, Outbound::from(&message), Appendage::ABSENT);
        }
        let reason = match why {
            Why::Requested => CancelReason::User,
            Why::Immediate | Why::NotCrossed => CancelReason::Immediate,
            Why::SelfTrade => CancelReason::SelfMatchPrevention,
            Why::Disconnected => CancelReason::System,
            Why::OutsideBand => CancelReason::Collars,
            Why::Closed => CancelReason::Closed,
        };
        self.counters.canceled += 1;
        let quantity = Be32::new(shares);
        let message = Canceled { timestamp, user_ref, quantity, reason: reason.code() };
        self.tell(now, owner, Outbound::from(&message), Appendage::ABSENT);
    }

    /// Self-trade prevention took shares off. `met` carries the price from the resting order's message to the incoming one's.
    fn on_prevented(&mut self, now: Nanos, owner: Owner, shares: u32, met: &mut Price4, cause: Cause<'_>) {
        let Some(live) = self.live_mut(owner).map(|live| *live) else { return };
        let incoming = match cause {
            Cause::Enter { account, token, .. } | Cause::Replace { account, token, .. } => {
                Some(Owner { account: MEMBERS_FIRST + account as u32, token })
            }
            Cause::Cancel | Cause::Modify { .. } | Cause::Cross(_) | Cause::Other => None,
        };
        let is_incoming = incoming == Some(owner);
        let rule = Self::index(owner).and_then(|index| self.accounts.get(index));
        let rule = rule.map_or(SelfTrade::Allow, |account| account.config.self_trade);
        let (price, prevented) = match rule {
            SelfTrade::CancelNewest if is_incoming => {
                let first = self.engine.first_met(live.symbol, live.side);
                first.map_or((live.price, shares), |first| (first.price, first.open.min(shares)))
            }
            SelfTrade::Decrement if is_incoming => (*met, shares),
            SelfTrade::CancelOldest | SelfTrade::Decrement | SelfTrade::CancelNewest | SelfTrade::Allow => {
                let other = incoming.and_then(|owner| self.live_mut(owner)).map_or(shares, |live| live.open);
                (live.price, other.min(shares))
            }
        };
        *met = live.price;
        self.take_off(owner, shares);
        let strategy = match rule {
            SelfTrade::CancelOldest => AiqStrategy::CancelOldestMpid,
            SelfTrade::CancelNewest | SelfTrade::Allow => AiqStrategy::CancelNewestMpid,
            SelfTrade::Decrement => AiqStrategy::DecrementMpid,
        };
        let liquidity = if is_incoming { LiquidityFlag::Removed } else { LiquidityFlag::Added };
        let message = AiqCanceled {
            timestamp: self.timestamp(now),
            user_ref: Be32::new(owner.token),
            decrement: Be32::new(shares),
            reason: CancelReason::SelfMatchPrevention.code(),
            prevented: Be32::new(prevented),
            price: wire(price),
            liquidity: liquidity.code(),
            strategy: strategy.code(),
        };
        self.counters.canceled += 1;
        self.tell(now, owner, Outbound::from(&message), Appendage::ABSENT);
    }

    fn on_replaced(&mut self, now: Nanos, order: OrderRef, old: OrderRef, shares: u32, cause: Cause<'_>) {
        let Cause::Replace { account, token, live, appendage, .. } = cause else { return };
        self.use_up(account, token);
        let live = Live { id: order.id, reference: order.reference, open: shares, ..live };
        let message = Replaced {
            timestamp: self.timestamp(now),
            original: Be32::new(old.owner.token),
            user_ref: Be32::new(token),
            side: live.side_code,
            quantity: Be32::new(shares),
            symbol: self.stock(live.symbol),
            price: wire(live.price),
            time_in_force: live.time_in_force,
            display: live.display,
            reference: Be64::new(order.reference),
            capacity: live.capacity,
            sweep: live.sweep,
            cross_type: live.cross_type,
            state: OrderState::Live.code(),
            cl_ord_id: live.cl_ord_id,
        };
        self.counters.replaced += 1;
        if let Some(account) = self.accounts.get_mut(account) {
            account.orders.remove(&old.owner.token);
            account.orders.insert(token, live);
            account.tell(now, Outbound::from(&message), appendage);
        }
    }

    /// A trade is void: who had it is told and gives it back. Rare: each account's messages are looked through.
    fn on_broken(&mut self, now: Nanos, match_number: u64) {
        let timestamp = self.timestamp(now);
        let mut undone = None;
        let mut sides = 0;
        let listings = &self.listings;
        for account in &mut self.accounts {
            account.release(Nanos::MAX);
            for found in find_trades(account, match_number) {
                let Found { user_ref, stock, side, shares, price, cl_ord_id } = found;
                // Of the trade itself: the command may name another symbol.
                let Some(symbol) = index_of(listings, &stock) else { continue };
                account.holdings.undo(symbol, side, shares, price);
                let reason = BrokenTradeReason::Supervisory.code();
                let match_number = Be64::new(match_number);
                let message = BrokenTrade { timestamp, user_ref, match_number, reason, cl_ord_id };
                account.tell(now, Outbound::from(&message), Appendage::ABSENT);
                undone = Some((symbol, side, shares, price));
                sides += 1;
            }
        }
        // Participants have the other side, or stand in between in a cross.
        if let (Some((symbol, side, shares, price)), 1) = (undone, sides) {
            self.house.undo(symbol, side.opposite(), shares, price);
        }
    }

    fn stock(&self, symbol: u16) -> Stock {
        let listing = self.listings.get(usize::from(symbol));
        listing.and_then(|listing| Stock::new(listing.name.as_str())).unwrap_or_default()
    }
}

/// An account's side of a trade.
struct Found {
    user_ref: Be32,
    stock: Stock,
    side: Side,
    shares: u32,
    price: Price4,
    cl_ord_id: ClOrdId,
}

/// Looks a trade's executions up in the messages of an account, two if it traded with itself; none if it is broken already.
fn find_trades(account: &Account, match_number: u64) -> Vec<Found> {
    let messages = || {
        let sequences = 1..account.store.next_sequence();
        let parsed = sequences.filter_map(|sequence| Outbound::parse(account.store.message(sequence)?).ok());
        parsed.map(|(message, _)| message)
    };
    let mut found = Vec::new();
    for message in messages() {
        if let Outbound::BrokenTrade(broken) = message
            && broken.match_number.get() == match_number
        {
            return Vec::new();
        }
        if let Outbound::Executed(executed) = message
            && executed.match_number.get() == match_number
        {
            found.push(executed);
        }
    }
    let trade = |executed: &Executed| {
        let user_ref = executed.user_ref;
        let (stock, side_code, cl_ord_id) = messages().find_map(|message| {
            if let Outbound::Accepted(order) = message {
                (order.user_ref == user_ref).then_some((order.symbol, order.side, order.cl_ord_id))
            } else if let Outbound::Replaced(order) = message {
                (order.user_ref == user_ref).then_some((order.symbol, order.side, order.cl_ord_id))
            } else {
                None
            }
        })?;
        let side = if side_code == b'B' { Side::Buy } else { Side::Sell };
        // Prices of trades are the engine's.
        let price = Price4::new(executed.price.get() as u32);
        Some(Found { user_ref, stock, side, shares: executed.quantity.get(), price, cl_ord_id })
    };
    found.into_iter().filter_map(trade).collect()
}

/// A price of the engine on the wire; no limit is that of a market order.
const fn wire(price: Price4) -> OuchPrice {
    if price.units() == 0 { OuchPrice::MARKET } else { OuchPrice::new(price.units() as u64) }
}

const fn reason_of(reject: Reject) -> RejectReason {
    match reject {
        Reject::UnknownSymbol => RejectReason::InvalidSymbol,
        Reject::Closed => RejectReason::DestinationClosed,
        Reject::Halted => RejectReason::Halted,
        Reject::WrongPhase => RejectReason::InvalidCrossOrder,
        Reject::InvalidShares | Reject::OddLot => RejectReason::InvalidQuantity,
        Reject::InvalidPrice | Reject::OffTick | Reject::OutsideBand => RejectReason::InvalidPrice,
        Reject::InvalidDisplay => RejectReason::InvalidMaxFloor,
        Reject::InvalidCombination | Reject::UnknownTrade => RejectReason::Other,
        Reject::PostOnlyWouldTake | Reject::BookCrossed => RejectReason::CrossedMarket,
        Reject::BookFull | Reject::UnknownOrder => RejectReason::ProcessingError,
        Reject::NotReplaceable => RejectReason::ReplaceNotAllowed,
    }
}
