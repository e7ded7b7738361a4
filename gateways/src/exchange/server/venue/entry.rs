//! Messages of accounts: what each asks of the engine, and what is answered without asking it.
//!
//! The rules are OUCH 5.0's (sections of the single messages): a number that is not above the last one, and an order that does not live, are ignored
//! without an answer; a replace of a live order with values that cannot be takes the order out and uses no number; quantities of cancels, replaces and
//! modifies are of the whole chain, executed shares included.

use super::{Account, Cause, ExchangeCore, Listing, Live, MEMBERS_FIRST};
use crate::exchange::{
    Command, Display as Shows, Lifetime, NewOrder, ORDER_SHARES_MAX, OrderId, Owner, Price4,
};
use crate::itch50::{Be16, Be32, Be64, Mpid, Stock};
use crate::ouch50::{
    AccountQueryResponse, Admission, Appendage, CancelOrder, CancelPending, CancelReject, Capacity, ClOrdId,
    CrossType, DisableOrderEntryResponse, Display, EnableOrderEntryResponse, EnterOrder, Inbound, MassCancel,
    MassCancelResponse, Modified, ModifyOrder, Option50, OuchPrice, Outbound, PostOnly, PriceType,
    RejectReason, Rejected, ReplaceOrder, SideCode, TimeInForce,
};
use spinward_engine::words::{Nanos, Side, Symbol};

impl ExchangeCore {
    /// One message of an account. Whatever its bytes are, the exchange goes on.
    pub fn on_order(&mut self, now: Nanos, account: usize, bytes: &[u8]) {
        if self.accounts.get(account).is_none_or(|account| account.is_full) {
            return;
        }
        self.at(now);
        self.counters.inbound += 1;
        let Ok((message, appendage)) = Inbound::parse(bytes) else {
            self.counters.malformed += 1;
            return;
        };
        match message {
            Inbound::EnterOrder(order) => self.enter(now, account, order, appendage),
            Inbound::ReplaceOrder(order) => self.replace(now, account, order, appendage),
            Inbound::CancelOrder(order) => self.cancel(now, account, order),
            Inbound::ModifyOrder(order) => self.modify(now, account, order),
            Inbound::MassCancel(order) => self.mass_cancel(now, account, order, appendage),
            Inbound::DisableOrderEntry(order) => {
                self.switch(now, account, order.user_ref, order.firm, false);
            }
            Inbound::EnableOrderEntry(order) => {
                self.switch(now, account, order.user_ref, order.firm, true);
            }
            Inbound::AccountQuery(_) => {
                let timestamp = self.timestamp(now);
                if let Some(account) = self.accounts.get_mut(account) {
                    let next_user_ref = Be32::new(account.gate.next());
                    let response = AccountQueryResponse { timestamp, next_user_ref };
                    account.tell(now, Outbound::from(&response), Appendage::ABSENT);
                }
            }
        }
    }

    pub(super) fn timestamp(&self, now: Nanos) -> Be64 {
        Be64::new(self.since_midnight(now))
    }

    /// Uses a number up; false if it was there before.
    fn admit(&mut self, account: usize, user_ref: Be32) -> bool {
        let admission = self.accounts.get_mut(account).map(|account| account.gate.admit(user_ref.get()));
        let is_new = matches!(admission, Some(Admission::New(_)));
        self.counters.ignored += u64::from(!is_new);
        is_new
    }

    pub(super) fn reject(
        &mut self,
        now: Nanos,
        account: usize,
        user_ref: u32,
        reason: RejectReason,
        cl_ord_id: ClOrdId,
    ) {
        let timestamp = self.timestamp(now);
        self.counters.rejected += 1;
        if let Some(account) = self.accounts.get_mut(account) {
            let (user_ref, reason) = (Be32::new(user_ref), Be16::new(reason.code()));
            let message = Rejected { timestamp, user_ref, reason, cl_ord_id };
            account.tell(now, Outbound::from(&message), Appendage::ABSENT);
        }
    }

    /// Whether the fault that rejects takes this one.
    fn is_to_be_rejected(&mut self, account: usize) -> bool {
        let Some(account) = self.accounts.get_mut(account) else { return true };
        let left = account.faults.reject;
        account.faults.reject = left.saturating_sub(1);
        self.fault_rejects += u64::from(left > 0);
        left > 0
    }

    fn enter(&mut self, now: Nanos, account: usize, order: &EnterOrder, appendage: Appendage<'_>) {
        if !self.admit(account, order.user_ref) {
            return;
        }
        let token = order.user_ref.get();
        let made = if self.is_to_be_rejected(account) {
            Err(RejectReason::Other)
        } else {
            self.new_order(account, order, appendage)
        };
        match made {
            Ok((command, live)) => {
                let cause = Cause::Enter { account, token, live, appendage };
                self.run(now, &Command::Enter(command), cause);
            }
            Err(reason) => self.reject(now, account, token, reason, order.cl_ord_id),
        }
    }

    /// What an order asks of the engine, and how it is remembered.
    fn new_order(
        &self,
        account: usize,
        order: &EnterOrder,
        appendage: Appendage<'_>,
    ) -> Result<(NewOrder, Live), RejectReason> {
        let entry = self.accounts.get(account).ok_or(RejectReason::ProcessingError)?;
        if !entry.is_enabled {
            return Err(RejectReason::FirmNotAuthorized);
        }
        if !entry.has_room() {
            return Err(RejectReason::ProcessingError);
        }
        let options = Options::read(appendage)?;
        let side_code = SideCode::from_code(order.side).ok_or(RejectReason::InvalidSide)?;
        let symbol = index_of(&self.listings, &order.symbol).ok_or(RejectReason::InvalidSymbol)?;
        let shares = order.quantity.get();
        if shares == 0 || shares > ORDER_SHARES_MAX {
            return Err(RejectReason::InvalidQuantity);
        }
        if Capacity::from_code(order.capacity).is_none() {
            return Err(RejectReason::Other);
        }
        if !matches!(order.sweep, b'Y' | b'N') {
            return Err(RejectReason::SweepNotAllowed);
        }
        let display = match Display::from_code(order.display) {
            Some(display @ (Display::Visible | Display::Hidden | Display::Attributable)) => display,
            Some(Display::Conformant) | None => return Err(RejectReason::InvalidDisplay),
        };
        let is_immediate = match TimeInForce::from_code(order.time_in_force) {
            Some(TimeInForce::Day) => false,
            Some(TimeInForce::ImmediateOrCancel) => true,
            Some(TimeInForce::GoodTillExtended | TimeInForce::GoodTillTime | TimeInForce::AfterHours)
            | None => {
                return Err(RejectReason::Other);
            }
        };
        let (lifetime, is_for_halt) = match CrossType::from_code(order.cross_type) {
            Some(CrossType::Opening) => (Lifetime::OnOpen, false),
            Some(CrossType::Closing) => (Lifetime::OnClose, false),
            Some(CrossType::Continuous) if options.is_all_or_nothing(shares)? => (Lifetime::Fok, false),
            Some(CrossType::Continuous) if is_immediate => (Lifetime::Ioc, false),
            Some(CrossType::Continuous) => (Lifetime::Day, false),
            Some(CrossType::HaltIpo) => (Lifetime::Day, true),
            Some(
                CrossType::Supplemental
                | CrossType::Retail
                | CrossType::ExtendedLife
                | CrossType::AfterHoursClose,
            )
            | None => return Err(RejectReason::InvalidCrossOrder),
        };
        if lifetime == Lifetime::Fok && !is_immediate {
            return Err(RejectReason::InvalidMinQuantity);
        }
        let is_call = self.engine.phase(symbol).is_call();
        if is_for_halt && !is_call {
            return Err(RejectReason::InvalidCrossOrder);
        }
        if lifetime == Lifetime::OnClose && self.is_late {
            return Err(RejectReason::LateLimitOnClose);
        }
        let price = match order.price {
            OuchPrice::MARKET => Price4::NONE,
            limit if limit.get() == 0 || limit.get() > OuchPrice::LIMIT_MAX.get() => {
                return Err(RejectReason::InvalidPrice);
            }
            // At most 1,999,999,900.
            limit => Price4::new(limit.get() as u32),
        };
        let side = match side_code {
            SideCode::Buy => Side::Buy,
            SideCode::Sell | SideCode::SellShort | SideCode::SellShortExempt => Side::Sell,
        };
        let command = NewOrder {
            symbol,
            side,
            owner: Owner { account: MEMBERS_FIRST + account as u32, token: order.user_ref.get() },
            price,
            shares,
            display: match (display, options.floor) {
                (Display::Hidden, _) => Shows::Hidden,
                (Display::Visible | Display::Attributable | Display::Conformant, 0) => Shows::Full,
                (Display::Visible | Display::Attributable | Display::Conformant, floor) => {
                    Shows::Reserve(floor)
                }
            },
            lifetime,
            post_only: options.post_only,
            self_trade: entry.config.self_trade,
            attributed: display == Display::Attributable,
        };
        let live = Live {
            id: OrderId::NONE,
            reference: 0,
            symbol,
            side,
            side_code: order.side,
            price,
            total: shares,
            executed: 0,
            open: shares,
            time_in_force: order.time_in_force,
            display: order.display,
            capacity: order.capacity,
            sweep: order.sweep,
            cross_type: order.cross_type,
            cl_ord_id: order.cl_ord_id,
            group: options.group,
        };
        Ok((command, live))
    }

    fn live(&self, account: usize, user_ref: u32) -> Option<Live> {
        self.accounts.get(account)?.orders.get(&user_ref).copied()
    }

    fn replace(&mut self, now: Nanos, account: usize, order: &ReplaceOrder, appendage: Appendage<'_>) {
        let token = order.user_ref.get();
        let is_used = self.accounts.get(account).is_none_or(|account| token < account.gate.next());
        let Some(before) = self.live(account, order.original.get()).filter(|_| !is_used && token > 0) else {
            self.counters.ignored += 1;
            return;
        };
        let owner = Owner { account: MEMBERS_FIRST + account as u32, token };
        if self.is_to_be_rejected(account) {
            self.use_up(account, token);
            return self.reject(now, account, token, RejectReason::Other, order.cl_ord_id);
        }
        let is_display_kept = (order.display == b'N') == (before.display == b'N')
            && (order.display == b'A') == (before.display == b'A');
        let is_possible = !before.waits_for_cross()
            && is_display_kept
            && order.time_in_force == TimeInForce::Day.code()
            && self.accounts.get(account).is_some_and(|account| account.is_enabled && account.has_room());
        if !is_possible {
            self.use_up(account, token);
            return self.reject(now, account, token, RejectReason::ReplaceNotAllowed, order.cl_ord_id);
        }
        let open = order.quantity.get().saturating_sub(before.executed);
        let price = order.price;
        let is_valid = open > 0
            && order.quantity.get() <= ORDER_SHARES_MAX
            && price.get() > 0
            && price.get() <= OuchPrice::LIMIT_MAX.get()
            && matches!(order.sweep, b'Y' | b'N')
            && Options::read(appendage).is_ok();
        if !is_valid {
            // The order goes, the number stays free.
            let command = Command::Cancel { account: owner.account, id: before.id, leave: 0 };
            return self.run(now, &command, Cause::Cancel);
        }
        // At most 1,999,999,900.
        let price = Price4::new(price.get() as u32);
        let live = Live {
            price,
            total: order.quantity.get(),
            open,
            time_in_force: order.time_in_force,
            display: order.display,
            sweep: order.sweep,
            cl_ord_id: order.cl_ord_id,
            ..before
        };
        let command = Command::Replace { owner, id: before.id, price, shares: open };
        let original = before.id;
        self.run(now, &command, Cause::Replace { account, token, original, live, appendage });
        if let Some((account, id)) = self.invalid_replace.take() {
            let command = Command::Cancel { account: MEMBERS_FIRST + account as u32, id, leave: 0 };
            self.run(now, &command, Cause::Cancel);
        }
    }

    /// Uses up the number of a replace that was carried out or refused.
    pub(super) fn use_up(&mut self, account: usize, token: u32) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.gate.admit(token);
        }
    }

    fn cancel(&mut self, now: Nanos, account: usize, order: &CancelOrder) {
        let user_ref = order.user_ref;
        let Some(live) = self.live(account, user_ref.get()) else {
            self.counters.ignored += 1;
            return;
        };
        let left = order.quantity.get().saturating_sub(live.executed);
        if left >= live.open {
            self.counters.ignored += 1;
            return;
        }
        if self.is_late && live.cross_type == b'C' {
            let timestamp = self.timestamp(now);
            if let Some(account) = self.accounts.get_mut(account) {
                let (pending, reject) =
                    (CancelPending { timestamp, user_ref }, CancelReject { timestamp, user_ref });
                let message = if left == 0 { Outbound::from(&pending) } else { Outbound::from(&reject) };
                account.tell(now, message, Appendage::ABSENT);
            }
            return;
        }
        let command = Command::Cancel { account: MEMBERS_FIRST + account as u32, id: live.id, leave: left };
        self.run(now, &command, Cause::Cancel);
    }

    fn modify(&mut self, now: Nanos, account: usize, order: &ModifyOrder) {
        let user_ref = order.user_ref.get();
        let side_code = SideCode::from_code(order.side);
        let Some((live, side_code)) = self.live(account, user_ref).zip(side_code) else {
            self.counters.ignored += 1;
            return;
        };
        let is_side_kept = (side_code == SideCode::Buy) == (live.side == Side::Buy);
        let open = order.quantity.get().saturating_sub(live.executed);
        if !is_side_kept || open == 0 || open > live.open || (self.is_late && live.cross_type == b'C') {
            self.counters.ignored += 1;
            return;
        }
        let side_code = side_code.code();
        if open < live.open {
            let command =
                Command::Cancel { account: MEMBERS_FIRST + account as u32, id: live.id, leave: open };
            return self.run(now, &command, Cause::Modify { account, token: user_ref, side_code });
        }
        let timestamp = self.timestamp(now);
        if let Some(account) = self.accounts.get_mut(account) {
            if let Some(live) = account.orders.get_mut(&user_ref) {
                live.side_code = side_code;
            }
            let quantity = Be32::new(open);
            let message = Modified { timestamp, user_ref: order.user_ref, side: side_code, quantity };
            account.tell(now, Outbound::from(&message), Appendage::ABSENT);
        }
    }

    fn mass_cancel(&mut self, now: Nanos, account: usize, order: &MassCancel, appendage: Appendage<'_>) {
        if !self.admit(account, order.user_ref) {
            return;
        }
        let options = Options::read(appendage);
        let is_blank = *bytemuck::bytes_of(&order.symbol) == [b' '; 8];
        let symbol = index_of(&self.listings, &order.symbol);
        let reason = match options {
            Err(reason) => Some(reason),
            Ok(_) if !self.is_firm(account, order.firm) => Some(RejectReason::FirmNotAuthorized),
            Ok(_) if !is_blank && symbol.is_none() => Some(RejectReason::InvalidSymbol),
            Ok(_) => None,
        };
        if let Some(reason) = reason {
            return self.reject(now, account, order.user_ref.get(), reason, ClOrdId::default());
        }
        let timestamp = self.timestamp(now);
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let MassCancel { user_ref, firm, symbol: stock } = *order;
        let response = MassCancelResponse { timestamp, user_ref, firm, symbol: stock };
        entry.tell(now, Outbound::from(&response), appendage);
        let options = options.unwrap_or_default();
        let is_meant = |live: &Live| {
            symbol.is_none_or(|symbol| live.symbol == symbol)
                && options.side.is_none_or(|side| live.side_code == side)
                && (options.group == 0 || live.group == options.group)
                && !(self.is_late && live.cross_type == b'C')
        };
        let mut ids = std::mem::take(&mut self.ids);
        ids.clear();
        ids.extend(entry.orders.values().filter(|live| is_meant(live)).map(|live| live.id));
        for &id in &ids {
            let command = Command::Cancel { account: MEMBERS_FIRST + account as u32, id, leave: 0 };
            self.run(now, &command, Cause::Cancel);
        }
        self.ids = ids;
    }

    fn switch(&mut self, now: Nanos, account: usize, user_ref: Be32, firm: Mpid, is_enabled: bool) {
        if !self.admit(account, user_ref) {
            return;
        }
        if !self.is_firm(account, firm) {
            let reason = RejectReason::FirmNotAuthorized;
            return self.reject(now, account, user_ref.get(), reason, ClOrdId::default());
        }
        let timestamp = self.timestamp(now);
        let Some(account) = self.accounts.get_mut(account) else { return };
        account.is_enabled = is_enabled;
        let disabled = DisableOrderEntryResponse { timestamp, user_ref, firm };
        let enabled = EnableOrderEntryResponse { timestamp, user_ref, firm };
        let message = if is_enabled { Outbound::from(&enabled) } else { Outbound::from(&disabled) };
        account.tell(now, message, Appendage::ABSENT);
    }

    /// Whether the account trades for this firm; a blank name is its own.
    fn is_firm(&self, account: usize, firm: Mpid) -> bool {
        let is_blank = *bytemuck::bytes_of(&firm) == [b' '; 4];
        is_blank || self.accounts.get(account).is_some_and(|account: &Account| account.config.firm == firm)
    }
}

/// Index of a symbol by its name on the wire.
pub(super) fn index_of(listings: &[Listing], stock: &Stock) -> Option<u16> {
    let name = Symbol::from_ascii(bytemuck::bytes_of(stock))?;
    let index = listings.iter().position(|listing| listing.name == name)?;
    u16::try_from(index).ok()
}

/// The options that change what an order does here.
#[derive(Clone, Copy, Default)]
struct Options {
    floor: u32,
    minimum: u32,
    post_only: bool,
    group: u16,
    side: Option<u8>,
}

impl Options {
    /// Reads them all. What cannot be honoured is refused, rather than left out in silence.
    fn read(appendage: Appendage<'_>) -> Result<Self, RejectReason> {
        let mut options = Self::default();
        let mut refused = None;
        appendage.find(|option| -> Option<()> {
            match option {
                Option50::MaxFloor(shares) => options.floor = shares.get(),
                Option50::MinQty(shares) => options.minimum = shares.get(),
                Option50::PostOnly(code) => match PostOnly::from_code(code) {
                    Some(code) => options.post_only = code == PostOnly::PostOnly,
                    None => refused = Some(RejectReason::Other),
                },
                Option50::GroupId(group) => options.group = group.get(),
                Option50::Side(side) => options.side = Some(side),
                Option50::PriceType(code) if PriceType::from_code(code) != Some(PriceType::Limit) => {
                    refused = Some(RejectReason::PeggingNotAllowed);
                }
                Option50::PegOffset(_)
                | Option50::DiscretionPrice(_)
                | Option50::DiscretionPriceType(_)
                | Option50::DiscretionPegOffset(_) => refused = Some(RejectReason::PeggingNotAllowed),
                Option50::RandomReserves(shares) if shares.get() > 0 => {
                    refused = Some(RejectReason::InvalidMaxFloor);
                }
                Option50::Route(_) => refused = Some(RejectReason::RoutingNotAllowed),
                Option50::UserRefIndex(index) if index != 0 => refused = Some(RejectReason::Other),
                Option50::PriceType(_)
                | Option50::RandomReserves(_)
                | Option50::UserRefIndex(_)
                | Option50::SecondaryReference(_)
                | Option50::Firm(_)
                | Option50::CustomerType(_)
                | Option50::ExpireTime(_)
                | Option50::TradeNow(_)
                | Option50::HandleInst(_)
                | Option50::BboWeight(_)
                | Option50::ReferencePrice(_)
                | Option50::ReferencePriceType(_)
                | Option50::DisplayQuantity(_)
                | Option50::DisplayPrice(_)
                | Option50::SharesLocated(_)
                | Option50::LocateBroker(_) => {}
            }
            None
        });
        refused.map_or(Ok(options), Err)
    }

    /// Least shares: none, or all of them; there is nothing in between here.
    fn is_all_or_nothing(&self, shares: u32) -> Result<bool, RejectReason> {
        match self.minimum {
            0 => Ok(false),
            all if all == shares => Ok(true),
            _ => Err(RejectReason::InvalidMinQuantity),
        }
    }
}
