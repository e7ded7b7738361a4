//! [`NaiveEngine`]: the rules of [`Engine`](super::Engine) once more, as plainly as they can be said. One vector of orders, searched from end to end for
//! everything. Shares no code with the fast engine but the words, the tick table and the check of the configuration.

use super::rules::{EngineConfig, EngineError, SymbolRules};
use super::words::{
    CancelReason, Change, Command, CrossKind, Display, Indication, Lifetime, NewOrder, ORDER_SHARES_MAX,
    OrderId, OrderRef, Output, Owner, Phase, Price4, Reject, SelfTrade, Sink,
};
use phases::takes_part;
use spinward_engine::words::Side;

mod phases;

/// A resting order.
#[derive(Clone, Debug)]
struct Order {
    /// What was asked for; its shares are no longer looked at.
    entered: NewOrder,
    id: OrderId,
    reference: u64,
    shown: u32,
    reserve: u32,
    /// Smaller is older.
    time: u64,
}

impl Order {
    fn open(&self) -> u32 {
        self.shown + self.reserve
    }
    fn named(&self) -> OrderRef {
        OrderRef { id: self.id, reference: self.reference, owner: self.entered.owner }
    }
    fn is_hidden(&self) -> bool {
        self.entered.display == Display::Hidden
    }
    fn is_in_book(&self) -> bool {
        self.entered.lifetime == Lifetime::Day
    }
    /// Position in a sweep of all ladders: shown, hidden, on open, on close; then buys before sells.
    fn ladder(&self) -> (u8, u8) {
        let kind = match (self.entered.lifetime, self.is_hidden()) {
            (Lifetime::OnOpen, _) => 2,
            (Lifetime::OnClose, _) => 3,
            (_, false) => 0,
            (_, true) => 1,
        };
        (kind, if self.entered.side == Side::Buy { 0 } else { 1 })
    }
    /// Smaller trades first.
    fn price_rank(&self) -> i64 {
        let units = i64::from(self.entered.price.units());
        match (self.entered.price, self.entered.side) {
            (Price4::NONE, _) => i64::MIN,
            (_, Side::Buy) => -units,
            (_, Side::Sell) => units,
        }
    }
}

struct Symbol {
    rules: SymbolRules,
    phase: Phase,
    band: (Price4, Price4),
    reference: Price4,
}

/// The obvious matching engine.
pub struct NaiveEngine {
    symbols: Vec<Symbol>,
    orders: Vec<Order>,
    orders_max: usize,
    references: u64,
    matches: u64,
    times: u64,
    ids: u32,
}

type Refusal = (Owner, Reject);

fn nobody(reason: Reject) -> Refusal {
    (Owner::default(), reason)
}

impl NaiveEngine {
    /// As [`Engine::new`](super::Engine::new).
    ///
    /// # Errors
    /// A value of the configuration is out of its range.
    pub fn new(config: &EngineConfig) -> Result<Self, EngineError> {
        config.check()?;
        let symbols = config.symbols.iter().map(|rules| Symbol {
            rules: *rules,
            phase: Phase::Closed,
            band: (rules.lower, rules.upper),
            reference: rules.reference,
        });
        Ok(Self {
            symbols: symbols.collect(),
            orders: Vec::new(),
            orders_max: config.orders_max,
            references: 0,
            matches: 0,
            times: 0,
            ids: 0,
        })
    }

    /// Carries a command out and tells what came of it. Handles of orders differ from the fast engine's; all else is the same.
    pub fn execute(&mut self, command: &Command, out: &mut impl Sink) {
        let done = match *command {
            Command::Enter(order) => self.enter(order, out).map_err(|reason| (order.owner, reason)),
            Command::Cancel { account, id, leave } => self.cancel(account, id, leave, out),
            Command::Replace { owner, id, price, shares } => {
                self.replace(owner, id, price, shares, out).map_err(|reason| (owner, reason))
            }
            Command::CancelAll { account } => {
                for symbol in 0..self.symbols.len() as u16 {
                    self.sweep(
                        symbol,
                        CancelReason::Disconnected,
                        |o| o.entered.owner.account == account,
                        out,
                    );
                }
                Ok(())
            }
            Command::Phase { symbol, phase } => self.phase(symbol, phase, out).map_err(nobody),
            Command::Cross { symbol, kind } => self.cross(symbol, kind, out).map_err(nobody),
            Command::Imbalance { symbol, kind } => self.known(symbol).map_err(nobody).map(|()| {
                let near = self.clear(symbol, &|o| takes_part(o, kind));
                let far = match kind {
                    CrossKind::Halt => Price4::NONE,
                    CrossKind::Opening | CrossKind::Closing => {
                        self.clear(symbol, &|o| takes_part(o, kind) && !o.is_in_book()).near
                    }
                };
                out.take(&Output::Imbalance { symbol, kind, indication: Indication { far, ..near } });
            }),
            Command::Band { symbol, lower, upper } => self.band(symbol, lower, upper, out).map_err(nobody),
            Command::Break { symbol, match_number } => self.known(symbol).map_err(nobody).and_then(|()| {
                if (1..=self.matches).contains(&match_number) {
                    out.take(&Output::Broken { symbol, match_number });
                    Ok(())
                } else {
                    Err(nobody(Reject::UnknownTrade))
                }
            }),
        };
        if let Err((owner, reason)) = done {
            out.take(&Output::Rejected { owner, reason });
        }
    }

    fn known(&self, symbol: u16) -> Result<(), Reject> {
        self.symbols.get(usize::from(symbol)).map(|_| ()).ok_or(Reject::UnknownSymbol)
    }

    fn at(&self, symbol: u16) -> &Symbol {
        &self.symbols[usize::from(symbol)]
    }

    fn next_reference(&mut self) -> u64 {
        self.references += 1;
        self.references
    }

    fn next_match(&mut self) -> u64 {
        self.matches += 1;
        self.matches
    }

    fn check_shares(&self, symbol: u16, shares: u32) -> Result<(), Reject> {
        if !(1..=ORDER_SHARES_MAX).contains(&shares) {
            Err(Reject::InvalidShares)
        } else if !shares.is_multiple_of(self.at(symbol).rules.lot) {
            Err(Reject::OddLot)
        } else {
            Ok(())
        }
    }

    fn check_price(&self, symbol: u16, side: Side, price: Price4) -> Result<(), Reject> {
        let Symbol { rules, band: (lower, upper), .. } = self.at(symbol);
        if price == Price4::NONE || price > Price4::MAX {
            Err(Reject::InvalidPrice)
        } else if rules.ticks.floor(price) != price {
            Err(Reject::OffTick)
        } else if (side == Side::Buy && price > *upper) || (side == Side::Sell && price < *lower) {
            Err(Reject::OutsideBand)
        } else {
            Ok(())
        }
    }

    /// Index of the order that an incoming one of this side meets first.
    fn first_against(&self, symbol: u16, side: Side) -> Option<usize> {
        self.against(symbol, side).first().copied()
    }

    /// Indices of the orders that an incoming one could meet, by priority.
    fn against(&self, symbol: u16, side: Side) -> Vec<usize> {
        let mut found: Vec<usize> = (0..self.orders.len())
            .filter(|&index| {
                let order = &self.orders[index];
                order.is_in_book() && order.entered.symbol == symbol && order.entered.side != side
            })
            .collect();
        found.sort_by_key(|&index| {
            let order = &self.orders[index];
            (order.price_rank(), order.is_hidden(), order.time)
        });
        found
    }

    fn would_take(&self, symbol: u16, side: Side, limit: Price4) -> bool {
        self.first_against(symbol, side).is_some_and(|i| reaches(side, limit, self.orders[i].entered.price))
    }

    fn enter(&mut self, order: NewOrder, out: &mut impl Sink) -> Result<(), Reject> {
        self.known(order.symbol)?;
        let phase = self.at(order.symbol).phase;
        let is_immediate = order.lifetime == Lifetime::Ioc || order.lifetime == Lifetime::Fok;
        if phase == Phase::Closed {
            return Err(Reject::Closed);
        }
        if phase == Phase::Halted {
            return Err(Reject::Halted);
        }
        if phase != Phase::Continuous && (is_immediate || order.post_only) {
            return Err(Reject::WrongPhase);
        }
        if order.lifetime == Lifetime::OnOpen && phase != Phase::PreOpen {
            return Err(Reject::WrongPhase);
        }
        self.check_shares(order.symbol, order.shares)?;
        if order.price == Price4::NONE {
            if order.lifetime == Lifetime::Day {
                return Err(Reject::InvalidPrice);
            }
        } else {
            self.check_price(order.symbol, order.side, order.price)?;
        }
        if order.display != Display::Full && order.lifetime != Lifetime::Day {
            return Err(Reject::InvalidDisplay);
        }
        if let Display::Reserve(shown) = order.display {
            if shown == 0 || shown >= order.shares {
                return Err(Reject::InvalidDisplay);
            }
            self.check_shares(order.symbol, shown)?;
        }
        if order.post_only && order.lifetime != Lifetime::Day {
            return Err(Reject::InvalidCombination);
        }
        if order.post_only && self.would_take(order.symbol, order.side, order.price) {
            return Err(Reject::PostOnlyWouldTake);
        }
        if self.orders.len() == self.orders_max && !is_immediate {
            return Err(Reject::BookFull);
        }
        let reference = self.next_reference();
        let named = OrderRef { id: OrderId::NONE, reference, owner: order.owner };
        out.take(&Output::Accepted { order: named, entered: order });
        let mut left = order.shares;
        if phase == Phase::Continuous && order.lifetime != Lifetime::OnClose {
            if order.lifetime != Lifetime::Fok || self.is_fillable(&order) {
                left = self.trade(&order, reference, left, out);
            }
            if order.lifetime != Lifetime::Day && left > 0 {
                out.take(&gone(order.symbol, named, left, 0, CancelReason::Immediate));
                left = 0;
            }
        }
        if left > 0 {
            self.rest(order, reference, left);
            self.tell_resting(out);
        }
        Ok(())
    }

    fn rest(&mut self, order: NewOrder, reference: u64, left: u32) {
        let shown = match (order.lifetime, order.display) {
            (Lifetime::Day, Display::Full) => left,
            (Lifetime::Day, Display::Reserve(shown)) => shown.min(left),
            _ => 0,
        };
        self.times += 1;
        self.ids += 1;
        let id = OrderId::of(self.ids, 0);
        self.orders.push(Order {
            entered: order,
            id,
            reference,
            shown,
            reserve: left - shown,
            time: self.times,
        });
    }

    /// Of the order that has just come to rest.
    fn tell_resting(&self, out: &mut impl Sink) {
        if let Some(order) = self.orders.last() {
            out.take(&Output::Rested { order: order.named() });
            show(order, out);
        }
    }

    fn limit(&self, order: &NewOrder) -> Price4 {
        let (lower, upper) = self.at(order.symbol).band;
        match (order.price, order.side) {
            (Price4::NONE, Side::Buy) => upper,
            (Price4::NONE, Side::Sell) => lower,
            (price, _) => price,
        }
    }

    fn is_own(&self, order: &NewOrder, index: usize) -> bool {
        order.self_trade != SelfTrade::Allow
            && order.owner.account != 0
            && order.owner.account == self.orders[index].entered.owner.account
    }

    fn is_fillable(&self, order: &NewOrder) -> bool {
        let limit = self.limit(order);
        let mut found = 0;
        for index in self.against(order.symbol, order.side) {
            if !reaches(order.side, limit, self.orders[index].entered.price) {
                break;
            }
            if self.is_own(order, index) {
                if order.self_trade == SelfTrade::CancelOldest {
                    continue;
                }
                break;
            }
            found += u64::from(self.orders[index].open());
        }
        found >= u64::from(order.shares)
    }

    /// Gives what is left.
    fn trade(&mut self, order: &NewOrder, reference: u64, shares: u32, out: &mut impl Sink) -> u32 {
        let limit = self.limit(order);
        let taker = OrderRef { id: OrderId::NONE, reference, owner: order.owner };
        let mut left = shares;
        while left > 0 {
            let Some(index) = self.first_against(order.symbol, order.side) else { break };
            let price = self.orders[index].entered.price;
            if !reaches(order.side, limit, price) {
                break;
            }
            if self.is_own(order, index) {
                let open = self.orders[index].open();
                match order.self_trade {
                    SelfTrade::Allow => {}
                    SelfTrade::CancelOldest => self.cut(index, 0, CancelReason::SelfTrade, out),
                    SelfTrade::CancelNewest => {
                        out.take(&gone(order.symbol, taker, left, 0, CancelReason::SelfTrade));
                        left = 0;
                    }
                    SelfTrade::Decrement => {
                        let both = open.min(left);
                        self.cut(index, open - both, CancelReason::SelfTrade, out);
                        left -= both;
                        out.take(&gone(order.symbol, taker, both, left, CancelReason::SelfTrade));
                    }
                }
                continue;
            }
            let match_number = self.next_match();
            let maker = &mut self.orders[index];
            let displayed = !maker.is_hidden();
            let named = maker.named();
            let traded = left.min(if displayed { maker.shown } else { maker.reserve });
            if displayed {
                maker.shown -= traded;
            } else {
                maker.reserve -= traded;
            }
            left -= traded;
            out.take(&Output::Traded {
                symbol: order.symbol,
                maker: named,
                taker,
                side: maker.entered.side,
                price,
                shares: traded,
                maker_left: maker.open(),
                match_number,
                displayed,
            });
            self.symbols[usize::from(order.symbol)].reference = price;
            self.after_fill(index, out);
        }
        left
    }

    /// Takes an executed order out, or shows its next part.
    fn after_fill(&mut self, index: usize, out: &mut impl Sink) {
        if self.orders[index].open() == 0 {
            self.orders.remove(index);
            return;
        }
        let order = &self.orders[index];
        if let (Display::Reserve(display), 0) = (order.entered.display, order.shown) {
            let reference = self.next_reference();
            self.times += 1;
            let order = &mut self.orders[index];
            order.time = self.times;
            order.reference = reference;
            order.shown = display.min(order.reserve);
            order.reserve -= order.shown;
            show(order, out);
        }
    }

    fn cut(&mut self, index: usize, leave: u32, reason: CancelReason, out: &mut impl Sink) {
        let order = &mut self.orders[index];
        let (shown, open) = (order.shown, order.open());
        order.shown = shown.min(leave);
        order.reserve = leave - order.shown;
        out.take(&Output::Cancelled {
            symbol: order.entered.symbol,
            order: order.named(),
            shares: open - leave,
            displayed: shown - order.shown,
            left: leave,
            displayed_left: order.shown,
            reason,
        });
        if leave == 0 {
            self.orders.remove(index);
        }
    }

    fn cancel(&mut self, account: u32, id: OrderId, leave: u32, out: &mut impl Sink) -> Result<(), Refusal> {
        let unknown = (Owner { account, token: 0 }, Reject::UnknownOrder);
        let index = self.orders.iter().position(|order| order.id == id).ok_or(unknown)?;
        let order = &self.orders[index];
        let owner = order.entered.owner;
        if owner.account != account {
            return Err(unknown);
        }
        if leave >= order.open() {
            return Err((owner, Reject::InvalidShares));
        }
        if !leave.is_multiple_of(self.at(order.entered.symbol).rules.lot) {
            return Err((owner, Reject::OddLot));
        }
        self.cut(index, leave, CancelReason::Requested, out);
        Ok(())
    }

    fn replace(
        &mut self,
        owner: Owner,
        id: OrderId,
        price: Price4,
        shares: u32,
        out: &mut impl Sink,
    ) -> Result<(), Reject> {
        let index = self.orders.iter().position(|order| order.id == id).ok_or(Reject::UnknownOrder)?;
        let before = self.orders[index].clone();
        let symbol = before.entered.symbol;
        let side = before.entered.side;
        if before.entered.owner.account != owner.account {
            return Err(Reject::UnknownOrder);
        }
        let phase = self.at(symbol).phase;
        if phase == Phase::Closed {
            return Err(Reject::Closed);
        }
        if phase == Phase::Halted {
            return Err(Reject::Halted);
        }
        if !before.is_in_book() {
            return Err(Reject::NotReplaceable);
        }
        self.check_shares(symbol, shares)?;
        self.check_price(symbol, side, price)?;
        let replaced = |order, change| Output::Replaced {
            symbol,
            order,
            old: before.named(),
            side,
            price,
            shares,
            old_shares: before.open(),
            old_displayed: before.shown,
            change,
        };
        if price == before.entered.price && shares <= before.open() {
            let order = &mut self.orders[index];
            order.shown = order.shown.min(shares);
            order.reserve = shares - order.shown;
            order.entered.owner = owner;
            out.take(&replaced(order.named(), Change::Reduced { displayed: order.shown }));
            return Ok(());
        }
        let takes = phase == Phase::Continuous && self.would_take(symbol, side, price);
        if takes && before.entered.post_only {
            return Err(Reject::PostOnlyWouldTake);
        }
        self.orders.remove(index);
        let reference = self.next_reference();
        let entered = NewOrder { owner, price, shares, ..before.entered };
        if !takes && !before.is_hidden() {
            self.rest(entered, reference, shares);
            if let Some(order) = self.orders.last() {
                out.take(&replaced(order.named(), Change::Moved { displayed: order.shown }));
            }
            return Ok(());
        }
        out.take(&replaced(OrderRef { id: OrderId::NONE, reference, owner }, Change::Entered));
        let left = if takes { self.trade(&entered, reference, shares, out) } else { shares };
        if left > 0 {
            self.rest(entered, reference, left);
            self.tell_resting(out);
        }
        Ok(())
    }

    /// Cancels the orders that are meant: ladder by ladder, each by priority.
    fn sweep(
        &mut self,
        symbol: u16,
        reason: CancelReason,
        meant: impl Fn(&Order) -> bool,
        out: &mut impl Sink,
    ) {
        let mut found: Vec<&Order> =
            self.orders.iter().filter(|o| o.entered.symbol == symbol && meant(o)).collect();
        found.sort_by_key(|order| (order.ladder(), order.price_rank(), order.time));
        let ids: Vec<OrderId> = found.iter().map(|order| order.id).collect();
        for id in ids {
            if let Some(index) = self.orders.iter().position(|order| order.id == id) {
                self.cut(index, 0, reason, out);
            }
        }
    }

    /// Open shares of all orders and how many there are.
    pub fn resting(&self) -> (u64, usize) {
        (self.orders.iter().map(|order| u64::from(order.open())).sum(), self.orders.len())
    }
}

fn reaches(side: Side, limit: Price4, price: Price4) -> bool {
    if side == Side::Buy { limit >= price } else { limit <= price }
}

fn gone(symbol: u16, order: OrderRef, shares: u32, left: u32, reason: CancelReason) -> Output {
    Output::Cancelled { symbol, order, shares, displayed: 0, left, displayed_left: 0, reason }
}

fn show(order: &Order, out: &mut impl Sink) {
    if order.shown > 0 {
        out.take(&Output::Shown {
            order: order.named(),
            symbol: order.entered.symbol,
            side: order.entered.side,
            price: order.entered.price,
            shares: order.shown,
            attributed: order.entered.attributed,
        });
    }
}
