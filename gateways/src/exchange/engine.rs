//! [`Engine`]: commands in, outputs out. Admission, cancels, phases; what trades is in `matching.rs`, auctions are in `auction.rs`.

use super::auction::Point;
use super::ladder::{Books, Kind, NONE, Order};
use super::rules::{EngineConfig, EngineError, SymbolRules};
use super::words::{
    CancelReason, Change, Command, CrossKind, Display, Lifetime, NewOrder, ORDER_SHARES_MAX, OrderId,
    OrderRef, Output, Owner, Phase, Price4, Reject, Sink,
};
use spinward_engine::words::Side;

/// One symbol.
#[derive(Clone, Copy)]
pub(super) struct Symbol {
    pub(super) rules: SymbolRules,
    pub(super) phase: Phase,
    pub(super) lower: Price4,
    pub(super) upper: Price4,
    /// Price of the last trade.
    pub(super) reference: Price4,
}

/// A matching engine for several symbols. Its state and all it says are a function of its configuration and the commands before; it knows no
/// time. After construction it allocates nothing.
///
/// **Priority** is price, then displayed before hidden, then time. An order's time is new when it rests, when an iceberg shows its next part (the part
/// has a new reference number and stands behind all others of its price, also for the incoming order that emptied the one before), and when a
/// replace changes more than "fewer shares at the same price". A partial cancel and a replace at the same price with no more shares keep it, with
/// the reference number; both take from the reserve first.
///
/// **Self-trade prevention** is the incoming order's choice, by account, against whole open shares (reserve included), in continuous trading; a
/// cross does not look at accounts. A fill-or-kill order counts nothing behind an own order that would stop or shrink it.
///
/// **Cross**: the price of most volume, then of least imbalance, then nearest the reference (the last trade's price), then the lower one, among all limits
/// in the books and the reference. All open shares take part, reserve and hidden too. At one price displayed come before hidden before auction-only
/// orders; orders without a limit come first of all.
///
/// **Bands** bind entries and replaces; when they move, resting buys above and sells below are cancelled. So no trade of continuous
/// trading is outside of them. A market order takes up to the band.
pub struct Engine {
    pub(super) books: Books,
    pub(super) symbols: Box<[Symbol]>,
    pub(super) last_reference: u64,
    pub(super) last_match: u64,
    /// What a cross counts.
    pub(super) points: Vec<Point>,
}

/// An order on its way in.
#[derive(Clone, Copy)]
pub(super) struct Incoming {
    pub(super) order: NewOrder,
    pub(super) reference: u64,
    /// Count of grid prices below the limit; 0 without one.
    pub(super) tick: u32,
    /// Shares left.
    pub(super) left: u32,
}

impl Incoming {
    pub(super) fn named(&self) -> OrderRef {
        OrderRef { id: OrderId::NONE, reference: self.reference, owner: self.order.owner }
    }
}

/// Every kind of order and side in the order in which they are swept.
const LADDERS: [(Kind, Side); 8] = {
    let [a, b, c, d] = Kind::ALL;
    [
        (a, Side::Buy),
        (a, Side::Sell),
        (b, Side::Buy),
        (b, Side::Sell),
        (c, Side::Buy),
        (c, Side::Sell),
        (d, Side::Buy),
        (d, Side::Sell),
    ]
};

impl Engine {
    /// Empty books; every symbol is closed.
    ///
    /// # Errors
    /// A value of the configuration is out of its range.
    pub fn new(config: &EngineConfig) -> Result<Self, EngineError> {
        config.check()?;
        let symbol = |rules: &SymbolRules| Symbol {
            rules: *rules,
            phase: Phase::Closed,
            lower: rules.lower,
            upper: rules.upper,
            reference: rules.reference,
        };
        Ok(Self {
            books: Books::new(config.symbols.len(), config.orders_max),
            symbols: config.symbols.iter().map(symbol).collect(),
            last_reference: 0,
            last_match: 0,
            // A cross counts every order of its symbol, and the reference.
            points: Vec::with_capacity(config.orders_max + 1),
        })
    }

    /// Carries a command out and tells what came of it.
    #[inline]
    pub fn execute(&mut self, command: &Command, out: &mut impl Sink) {
        let done = match command {
            Command::Enter(order) => self.enter(order, out),
            Command::Cancel { account, id, leave } => self.cancel(*account, *id, *leave, out),
            Command::Replace { owner, id, price, shares } => self.replace(*owner, *id, *price, *shares, out),
            Command::CancelAll { account } => {
                self.cancel_all(*account, out);
                Ok(())
            }
            Command::Phase { symbol, phase } => self.change_phase(*symbol, *phase, out),
            Command::Cross { symbol, kind } => self.cross(*symbol, *kind, out),
            Command::Imbalance { symbol, kind } => self.imbalance(*symbol, *kind, out),
            Command::Band { symbol, lower, upper } => self.move_band(*symbol, *lower, *upper, out),
            Command::Break { symbol, match_number } => self.break_trade(*symbol, *match_number, out),
        };
        if let Err((owner, reason)) = done {
            out.take(&Output::Rejected { owner, reason });
        }
    }

    pub(super) fn symbol(&self, symbol: u16) -> Result<&Symbol, Reject> {
        self.symbols.get(usize::from(symbol)).ok_or(Reject::UnknownSymbol)
    }

    pub(super) fn next_reference(&mut self) -> u64 {
        self.last_reference += 1;
        self.last_reference
    }

    pub(super) fn next_match(&mut self) -> u64 {
        self.last_match += 1;
        self.last_match
    }

    /// An order as outputs name it.
    #[inline]
    pub(super) fn named(&self, slot: u32) -> OrderRef {
        let order = self.books.order(slot);
        OrderRef { id: self.books.id(slot), reference: order.reference, owner: order.owner }
    }

    fn enter(&mut self, order: &NewOrder, out: &mut impl Sink) -> Result<(), (Owner, Reject)> {
        let (phase, tick) = self.admit(order).map_err(|reason| (order.owner, reason))?;
        let reference = self.next_reference();
        let mut incoming = Incoming { order: *order, reference, tick, left: order.shares };
        out.take(&Output::Accepted { order: incoming.named(), entered: *order });
        if phase == Phase::Continuous && order.lifetime != Lifetime::OnClose {
            if order.lifetime != Lifetime::Fok || self.is_fillable(&incoming) {
                self.trade(&mut incoming, out);
            }
            if order.lifetime != Lifetime::Day {
                self.cancel_incoming(&mut incoming, CancelReason::Immediate, out);
            }
        }
        if incoming.left > 0 {
            let slot = self.rest(&incoming);
            out.take(&Output::Rested { order: self.named(slot) });
            self.show(slot, out);
        }
        Ok(())
    }

    /// Whether an order may come in: the symbol's phase and the order's tick.
    #[inline]
    fn admit(&self, order: &NewOrder) -> Result<(Phase, u32), Reject> {
        let symbol = self.symbol(order.symbol)?;
        let is_immediate = matches!(order.lifetime, Lifetime::Ioc | Lifetime::Fok);
        match symbol.phase {
            Phase::Closed => return Err(Reject::Closed),
            Phase::Halted => return Err(Reject::Halted),
            Phase::PreOpen | Phase::Quoting if is_immediate || order.post_only => {
                return Err(Reject::WrongPhase);
            }
            Phase::PreOpen => {}
            Phase::Quoting | Phase::Continuous if order.lifetime == Lifetime::OnOpen => {
                return Err(Reject::WrongPhase);
            }
            Phase::Quoting | Phase::Continuous => {}
        }
        symbol.check_shares(order.shares)?;
        let tick = match order.price {
            Price4::NONE if order.lifetime == Lifetime::Day => return Err(Reject::InvalidPrice),
            Price4::NONE => 0,
            price => symbol.check_price(order.side, price)?,
        };
        match order.display {
            Display::Full => {}
            _ if order.lifetime != Lifetime::Day => return Err(Reject::InvalidDisplay),
            Display::Hidden => {}
            Display::Reserve(shown) => {
                if shown == 0 || shown >= order.shares {
                    return Err(Reject::InvalidDisplay);
                }
                symbol.check_shares(shown)?;
            }
        }
        if order.post_only {
            if order.lifetime != Lifetime::Day {
                return Err(Reject::InvalidCombination);
            }
            if self.would_take(order.symbol, order.side, order.price) {
                return Err(Reject::PostOnlyWouldTake);
            }
        }
        if self.books.vacant() == 0 && !is_immediate {
            return Err(Reject::BookFull);
        }
        Ok((symbol.phase, tick))
    }

    fn cancel(
        &mut self,
        account: u32,
        id: OrderId,
        leave: u32,
        out: &mut impl Sink,
    ) -> Result<(), (Owner, Reject)> {
        let unknown = (Owner { account, token: 0 }, Reject::UnknownOrder);
        let slot = self.books.find(id).ok_or(unknown)?;
        let order = self.books.order(slot);
        if order.owner.account != account {
            return Err(unknown);
        }
        if leave > 0 {
            let lot = self.symbol(order.symbol).map_or(1, |symbol| symbol.rules.lot);
            if leave >= order.open() {
                return Err((order.owner, Reject::InvalidShares));
            }
            if !leave.is_multiple_of(lot) {
                return Err((order.owner, Reject::OddLot));
            }
        }
        self.cut(slot, leave, CancelReason::Requested, out);
        Ok(())
    }

    /// Leaves a resting order so many shares, and tells.
    pub(super) fn cut(&mut self, slot: u32, leave: u32, reason: CancelReason, out: &mut impl Sink) {
        let order = self.named(slot);
        let before = *self.books.order(slot);
        let (shown, open) = self.shrink(slot, leave);
        out.take(&Output::Cancelled {
            symbol: before.symbol,
            order,
            shares: before.open() - open,
            displayed: before.shown - shown,
            left: open,
            displayed_left: shown,
            reason,
        });
        if open == 0 {
            self.books.remove(slot);
        }
    }

    /// Takes shares from a resting order until `leave` are open, reserve first. Gives displayed and open shares afterwards.
    fn shrink(&mut self, slot: u32, leave: u32) -> (u32, u32) {
        let order = self.books.order_mut(slot);
        let gone = order.open().saturating_sub(leave);
        let from_reserve = gone.min(order.reserve);
        order.reserve -= from_reserve;
        order.shown -= gone - from_reserve;
        (order.shown, order.open())
    }

    /// Tells that what is left of an incoming order is gone.
    pub(super) fn cancel_incoming(&self, incoming: &mut Incoming, reason: CancelReason, out: &mut impl Sink) {
        let shares = std::mem::take(&mut incoming.left);
        if shares > 0 {
            out.take(&Output::Cancelled {
                symbol: incoming.order.symbol,
                order: incoming.named(),
                shares,
                displayed: 0,
                left: 0,
                displayed_left: 0,
                reason,
            });
        }
    }

    fn replace(
        &mut self,
        owner: Owner,
        id: OrderId,
        price: Price4,
        shares: u32,
        out: &mut impl Sink,
    ) -> Result<(), (Owner, Reject)> {
        let refuse = |reason| (owner, reason);
        let slot = self.books.find(id).ok_or(refuse(Reject::UnknownOrder))?;
        let before = *self.books.order(slot);
        if before.owner.account != owner.account {
            return Err(refuse(Reject::UnknownOrder));
        }
        let symbol = self.symbol(before.symbol).map_err(refuse)?;
        let phase = symbol.phase;
        match phase {
            Phase::Closed => return Err(refuse(Reject::Closed)),
            Phase::Halted => return Err(refuse(Reject::Halted)),
            Phase::PreOpen | Phase::Continuous | Phase::Quoting => {}
        }
        if matches!(before.kind, Kind::OnOpen | Kind::OnClose) {
            return Err(refuse(Reject::NotReplaceable));
        }
        symbol.check_shares(shares).map_err(refuse)?;
        if price == Price4::NONE {
            return Err(refuse(Reject::InvalidPrice));
        }
        let tick = symbol.check_price(before.side, price).map_err(refuse)?;
        let old = self.named(slot);
        let replaced = |order, change| Output::Replaced {
            symbol: before.symbol,
            order,
            old,
            side: before.side,
            price,
            shares,
            old_shares: before.open(),
            old_displayed: before.shown,
            change,
        };
        if price == before.price && shares <= before.open() {
            let (displayed, _) = self.shrink(slot, shares);
            self.books.order_mut(slot).owner = owner;
            out.take(&replaced(self.named(slot), Change::Reduced { displayed }));
            return Ok(());
        }
        let takes = phase == Phase::Continuous && self.would_take(before.symbol, before.side, price);
        if takes && before.post_only {
            return Err(refuse(Reject::PostOnlyWouldTake));
        }
        self.books.remove(slot);
        let order = again(&before, owner, price, shares);
        let mut incoming = Incoming { order, reference: self.next_reference(), tick, left: shares };
        if takes {
            out.take(&replaced(incoming.named(), Change::Entered));
            self.trade(&mut incoming, out);
            if incoming.left == 0 {
                return Ok(());
            }
        }
        // Its old place is free, if no other.
        let slot = self.rest(&incoming);
        let displayed = self.books.order(slot).shown;
        if !takes && before.kind == Kind::Shown {
            out.take(&replaced(self.named(slot), Change::Moved { displayed }));
            return Ok(());
        }
        if !takes {
            out.take(&replaced(incoming.named(), Change::Entered));
        }
        out.take(&Output::Rested { order: self.named(slot) });
        self.show(slot, out);
        Ok(())
    }

    fn cancel_all(&mut self, account: u32, out: &mut impl Sink) {
        for symbol in 0..self.symbols.len() as u16 {
            self.sweep(
                symbol,
                &LADDERS,
                CancelReason::Disconnected,
                |order| order.owner.account == account,
                out,
            );
        }
    }

    /// Cancels the orders of these ladders that are meant, best first.
    pub(super) fn sweep(
        &mut self,
        symbol: u16,
        ladders: &[(Kind, Side)],
        reason: CancelReason,
        meant: impl Fn(&Order) -> bool,
        out: &mut impl Sink,
    ) {
        for &(kind, side) in ladders {
            let mut at = self.books.first(symbol, side, kind);
            while let Some(slot) = at {
                at = self.books.after(slot);
                if meant(self.books.order(slot)) {
                    self.cut(slot, 0, reason, out);
                }
            }
        }
    }

    fn change_phase(
        &mut self,
        symbol: u16,
        phase: Phase,
        out: &mut impl Sink,
    ) -> Result<(), (Owner, Reject)> {
        let refuse = |reason| (Owner::default(), reason);
        let present = self.symbol(symbol).map_err(refuse)?.phase;
        let is_possible = match (present, phase) {
            (Phase::Closed, Phase::PreOpen | Phase::Continuous)
            | (Phase::PreOpen, Phase::Continuous | Phase::Halted | Phase::Closed)
            | (Phase::Continuous, Phase::Halted | Phase::Closed)
            | (Phase::Halted, Phase::Quoting | Phase::Continuous | Phase::Closed)
            | (Phase::Quoting, Phase::Continuous | Phase::Halted | Phase::Closed) => true,
            (Phase::Closed, Phase::Closed | Phase::Halted | Phase::Quoting)
            | (Phase::PreOpen, Phase::PreOpen | Phase::Quoting)
            | (Phase::Continuous, Phase::PreOpen | Phase::Continuous | Phase::Quoting)
            | (Phase::Halted, Phase::PreOpen | Phase::Halted)
            | (Phase::Quoting, Phase::PreOpen | Phase::Quoting) => false,
        };
        if !is_possible {
            return Err(refuse(Reject::WrongPhase));
        }
        if phase == Phase::Continuous && self.is_crossed(symbol) {
            return Err(refuse(Reject::BookCrossed));
        }
        self.enter_phase(symbol, phase, out);
        Ok(())
    }

    /// Cancels what the new phase has no room for, and tells of the phase.
    pub(super) fn enter_phase(&mut self, symbol: u16, phase: Phase, out: &mut impl Sink) {
        match phase {
            Phase::Closed => self.sweep(symbol, &LADDERS, CancelReason::Closed, |_| true, out),
            Phase::Continuous => {
                self.sweep(symbol, &LADDERS[4..6], CancelReason::NotCrossed, |_| true, out);
            }
            Phase::PreOpen | Phase::Halted | Phase::Quoting => {}
        }
        self.symbols[usize::from(symbol)].phase = phase;
        out.take(&Output::PhaseChanged { symbol, phase });
    }

    fn cross(&mut self, symbol: u16, kind: CrossKind, out: &mut impl Sink) -> Result<(), (Owner, Reject)> {
        let refuse = |reason| (Owner::default(), reason);
        let present = self.symbol(symbol).map_err(refuse)?.phase;
        let (from, to) = match kind {
            CrossKind::Opening => (Phase::PreOpen, Phase::Continuous),
            CrossKind::Halt => (Phase::Quoting, Phase::Continuous),
            CrossKind::Closing => (Phase::Continuous, Phase::Closed),
        };
        if present != from {
            return Err(refuse(Reject::WrongPhase));
        }
        self.run_cross(symbol, kind, out);
        if kind == CrossKind::Closing {
            self.sweep(symbol, &LADDERS[6..], CancelReason::NotCrossed, |_| true, out);
        }
        self.enter_phase(symbol, to, out);
        Ok(())
    }

    fn imbalance(
        &mut self,
        symbol: u16,
        kind: CrossKind,
        out: &mut impl Sink,
    ) -> Result<(), (Owner, Reject)> {
        self.symbol(symbol).map_err(|reason| (Owner::default(), reason))?;
        let indication = self.indicate(symbol, kind);
        out.take(&Output::Imbalance { symbol, kind, indication });
        Ok(())
    }

    fn move_band(
        &mut self,
        symbol: u16,
        lower: Price4,
        upper: Price4,
        out: &mut impl Sink,
    ) -> Result<(), (Owner, Reject)> {
        let refuse = |reason| (Owner::default(), reason);
        self.symbol(symbol).map_err(refuse)?;
        if lower > upper || upper > Price4::MAX {
            return Err(refuse(Reject::OutsideBand));
        }
        let entry = &mut self.symbols[usize::from(symbol)];
        entry.lower = lower;
        entry.upper = upper;
        let is_beyond = |order: &Order| {
            order.price != Price4::NONE
                && match order.side {
                    Side::Buy => order.price > upper,
                    Side::Sell => order.price < lower,
                }
        };
        self.sweep(symbol, &LADDERS, CancelReason::OutsideBand, is_beyond, out);
        Ok(())
    }

    fn break_trade(
        &mut self,
        symbol: u16,
        match_number: u64,
        out: &mut impl Sink,
    ) -> Result<(), (Owner, Reject)> {
        let refuse = |reason| (Owner::default(), reason);
        self.symbol(symbol).map_err(refuse)?;
        if match_number == 0 || match_number > self.last_match {
            return Err(refuse(Reject::UnknownTrade));
        }
        out.take(&Output::Broken { symbol, match_number });
        Ok(())
    }

    /// Whether the best prices of both sides, displayed or not, meet.
    pub(super) fn is_crossed(&self, symbol: u16) -> bool {
        let ask = self.first_against(symbol, Side::Buy);
        ask != NONE && self.would_take(symbol, Side::Sell, self.books.order(ask).price)
    }
}

/// What a replace enters instead of the order before.
fn again(before: &Order, owner: Owner, price: Price4, shares: u32) -> NewOrder {
    let display = match before.kind {
        Kind::Hidden => Display::Hidden,
        Kind::Shown | Kind::OnOpen | Kind::OnClose => match before.display {
            0 => Display::Full,
            shown => Display::Reserve(shown),
        },
    };
    NewOrder {
        symbol: before.symbol,
        side: before.side,
        owner,
        price,
        shares,
        display,
        lifetime: Lifetime::Day,
        post_only: before.post_only,
        self_trade: before.self_trade,
        attributed: before.attributed,
    }
}

impl Symbol {
    fn check_shares(&self, shares: u32) -> Result<(), Reject> {
        if shares == 0 || shares > ORDER_SHARES_MAX {
            return Err(Reject::InvalidShares);
        }
        if !shares.is_multiple_of(self.rules.lot) {
            return Err(Reject::OddLot);
        }
        Ok(())
    }

    /// Count of grid prices below a limit.
    fn check_price(&self, side: Side, price: Price4) -> Result<u32, Reject> {
        if price > Price4::MAX {
            return Err(Reject::InvalidPrice);
        }
        let tick = self.rules.ticks.index(price).ok_or(Reject::OffTick)?;
        let is_beyond = match side {
            Side::Buy => price > self.upper,
            Side::Sell => price < self.lower,
        };
        if is_beyond { Err(Reject::OutsideBand) } else { Ok(tick) }
    }
}
