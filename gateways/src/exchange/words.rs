//! What goes into the matching engine ([`Command`]) and what comes out ([`Output`]). Closed: a new variant must be handled everywhere.

use spinward_engine::words::Side;

/// A price in 1/10,000 of the currency, as on the wire of ITCH and OUCH. 0 stands for "no price" (a market order, a cross without a trade).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Price4(u32);

impl Price4 {
    /// No price.
    pub const NONE: Self = Self(0);
    /// Highest price that OUCH 5.0 allows, $199,999.99.
    pub const MAX: Self = Self(1_999_999_900);

    /// From units of 1/10,000.
    #[inline]
    pub const fn new(units: u32) -> Self {
        Self(units)
    }

    /// Units of 1/10,000.
    #[inline]
    pub const fn units(self) -> u32 {
        self.0
    }
}

/// Most shares of one order (OUCH 5.0: less than 1,000,000).
pub const ORDER_SHARES_MAX: u32 = 999_999;

/// A resting order's handle: a place in the engine's memory, and how often that place was used, so that an old handle names nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct OrderId(u64);

impl OrderId {
    /// No order.
    pub const NONE: Self = Self(0);

    #[inline]
    pub(super) const fn of(slot: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | slot as u64)
    }

    #[inline]
    pub(super) const fn slot(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub(super) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Accounts from this one on belong to sessions: participants in the same process leave their orders alone.
pub const MEMBERS_FIRST: u32 = 1_001;

/// Who sent an order: the firm whose own orders it shall not meet, and the number that it gave the order (OUCH `UserRefNum`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Owner {
    /// The account; 0 is nobody's: self-trade prevention does not look at it.
    pub account: u32,
    /// The account's own number for the order.
    pub token: u32,
}

/// How much of an order the market sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Display {
    /// All of it.
    #[default]
    Full,
    /// So many shares at a time (an iceberg); the rest is reserve.
    Reserve(u32),
    /// Nothing.
    Hidden,
}

/// How long an order lives, and when it trades.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lifetime {
    /// Until the close.
    #[default]
    Day,
    /// What does not trade at once is cancelled.
    Ioc,
    /// Trades at once and whole, or is cancelled.
    Fok,
    /// Only in the opening cross.
    OnOpen,
    /// Only in the closing cross.
    OnClose,
}

/// What happens when an incoming order meets a resting one of the same account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// What is left of the incoming order is cancelled.
    CancelNewest,
    /// The resting order is cancelled; the incoming one goes on.
    CancelOldest,
    /// Both lose the shares of the smaller one; the incoming order goes on with the rest.
    Decrement,
}

/// A new order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewOrder {
    /// Index of the symbol.
    pub symbol: u16,
    /// Buy or sell.
    pub side: Side,
    /// Whose.
    pub owner: Owner,
    /// Limit; [`Price4::NONE`] for a market order.
    pub price: Price4,
    /// How many, 1 to [`ORDER_SHARES_MAX`], whole lots.
    pub shares: u32,
    /// What the market sees.
    pub display: Display,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Whether it must not take.
    pub post_only: bool,
    /// Against its own account's orders.
    pub self_trade: SelfTrade,
    /// Whether market data tells the participant's name.
    pub attributed: bool,
}

impl NewOrder {
    /// A plain displayed day order.
    pub const fn limit(symbol: u16, side: Side, owner: Owner, price: Price4, shares: u32) -> Self {
        Self {
            symbol,
            side,
            owner,
            price,
            shares,
            display: Display::Full,
            lifetime: Lifetime::Day,
            post_only: false,
            self_trade: SelfTrade::Allow,
            attributed: false,
        }
    }
}

/// A symbol's trading phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// Before and after the session: no orders.
    #[default]
    Closed,
    /// The call before the opening cross: orders gather and may cross; nothing trades.
    PreOpen,
    /// Orders trade as they come.
    Continuous,
    /// Nothing but cancels.
    Halted,
    /// The call after a halt, before its cross.
    Quoting,
}

impl Phase {
    /// Whether orders gather without trading.
    pub const fn is_call(self) -> bool {
        matches!(self, Self::PreOpen | Self::Quoting)
    }
}

/// Which auction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrossKind {
    /// From [`Phase::PreOpen`] to [`Phase::Continuous`], with the orders on open.
    Opening,
    /// From [`Phase::Quoting`] to [`Phase::Continuous`].
    Halt,
    /// From [`Phase::Continuous`] to [`Phase::Closed`], with the orders on close.
    Closing,
}

/// What the engine is told to do. Its whole state is a function of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// A new order.
    Enter(NewOrder),
    /// Leaves an order `leave` shares (whole lots) of those still open; none: the order goes. Priority stays; the reserve goes first.
    Cancel {
        /// Who asks: the order must be the account's.
        account: u32,
        /// Which.
        id: OrderId,
        /// Open shares afterwards.
        leave: u32,
    },
    /// Another price and number of open shares for an order that rests. See [`Engine`](super::Engine) for its priority.
    Replace {
        /// Who asks, and the order's new number.
        owner: Owner,
        /// Which.
        id: OrderId,
        /// New limit.
        price: Price4,
        /// New open shares.
        shares: u32,
    },
    /// Everything of an account is cancelled (its session was cut).
    CancelAll {
        /// Whose.
        account: u32,
    },
    /// Another phase, without a cross.
    Phase {
        /// Whose.
        symbol: u16,
        /// To which.
        phase: Phase,
    },
    /// The auction that ends the present phase.
    Cross {
        /// Of which symbol.
        symbol: u16,
        /// Which.
        kind: CrossKind,
    },
    /// Tells how a cross would come out now.
    Imbalance {
        /// Of which symbol.
        symbol: u16,
        /// Which.
        kind: CrossKind,
    },
    /// New limits up and down; resting orders that could trade beyond are cancelled.
    Band {
        /// Of which symbol.
        symbol: u16,
        /// No sell below.
        lower: Price4,
        /// No buy above.
        upper: Price4,
    },
    /// A trade is declared void. Books do not change.
    Break {
        /// Of which symbol.
        symbol: u16,
        /// Which trade.
        match_number: u64,
    },
}

/// Why a command was refused. Nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reject {
    /// No such symbol.
    UnknownSymbol,
    /// The symbol is closed.
    Closed,
    /// The symbol is halted.
    Halted,
    /// Such an order, phase or cross is not possible in this phase.
    WrongPhase,
    /// Shares are 0 or more than [`ORDER_SHARES_MAX`].
    InvalidShares,
    /// Not whole lots.
    OddLot,
    /// Price is 0 where a limit is needed, or above [`Price4::MAX`].
    InvalidPrice,
    /// Not a multiple of the tick.
    OffTick,
    /// A buy above the upper band or a sell below the lower one; or a band whose ends are the wrong way round.
    OutsideBand,
    /// A display size of 0, of all shares or more, or for an order that never rests in the book.
    InvalidDisplay,
    /// Post-only with a lifetime or a phase in which it has no sense.
    InvalidCombination,
    /// A post-only order would have traded.
    PostOnlyWouldTake,
    /// All places for orders are taken.
    BookFull,
    /// No such order, or not the account's (it may be gone already).
    UnknownOrder,
    /// An order on open or on close cannot be replaced.
    NotReplaceable,
    /// Trading cannot go on over a crossed book: a cross must come first.
    BookCrossed,
    /// No such trade.
    UnknownTrade,
}

/// Why shares left the book without a trade.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CancelReason {
    /// The owner asked.
    Requested,
    /// What an immediate order could not get.
    Immediate,
    /// Met an order of its own account.
    SelfTrade,
    /// Its session was cut.
    Disconnected,
    /// The band moved past it.
    OutsideBand,
    /// Not executed in the cross it was for.
    NotCrossed,
    /// The symbol closed.
    Closed,
}

/// An order, as outputs name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRef {
    /// Handle for commands; [`OrderId::NONE`] if it is not in the book.
    pub id: OrderId,
    /// Day-unique number, in market data if displayed. A refreshed display and a replace that loses priority take new ones.
    pub reference: u64,
    /// Whose.
    pub owner: Owner,
}

/// One thing that happened. The order of outputs is the order of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// A new order is in.
    Accepted {
        /// It; its handle, if it comes to rest, is told by [`Output::Rested`].
        order: OrderRef,
        /// As it was sent.
        entered: NewOrder,
    },
    /// A command did nothing.
    Rejected {
        /// Whose; the token is that of the order meant, 0 if it is not known.
        owner: Owner,
        /// Why.
        reason: Reject,
    },
    /// What is left of an order is in the book (or waits for its cross).
    Rested {
        /// It.
        order: OrderRef,
    },
    /// Shares are displayed under a reference number that was not displayed before: a new order, or an iceberg's next part.
    Shown {
        /// It.
        order: OrderRef,
        /// Of which symbol.
        symbol: u16,
        /// Buy or sell.
        side: Side,
        /// At which price.
        price: Price4,
        /// How many.
        shares: u32,
        /// Whether with the participant's name.
        attributed: bool,
    },
    /// A trade between a resting order and an incoming one, at the resting one's price.
    Traded {
        /// Of which symbol.
        symbol: u16,
        /// The resting order.
        maker: OrderRef,
        /// The incoming order.
        taker: OrderRef,
        /// The resting order's side.
        side: Side,
        /// At which price.
        price: Price4,
        /// How many.
        shares: u32,
        /// Open shares of the resting order afterwards.
        maker_left: u32,
        /// Day-unique number of the trade.
        match_number: u64,
        /// Whether the resting shares were displayed.
        displayed: bool,
    },
    /// An order's part in a cross.
    Crossed {
        /// Of which symbol.
        symbol: u16,
        /// It.
        order: OrderRef,
        /// Its side.
        side: Side,
        /// The cross's price.
        price: Price4,
        /// How many.
        shares: u32,
        /// Of them, shares that were displayed.
        displayed: u32,
        /// Open shares afterwards.
        left: u32,
        /// Day-unique number.
        match_number: u64,
    },
    /// A cross is done: its volume, after all its parts.
    CrossDone {
        /// Of which symbol.
        symbol: u16,
        /// Which.
        kind: CrossKind,
        /// At which price; [`Price4::NONE`] if nothing matched.
        price: Price4,
        /// How many on each side.
        shares: u64,
        /// Day-unique number.
        match_number: u64,
    },
    /// Shares are gone without a trade.
    Cancelled {
        /// Of which symbol.
        symbol: u16,
        /// Of this order.
        order: OrderRef,
        /// How many.
        shares: u32,
        /// Of them, shares that were displayed.
        displayed: u32,
        /// Open shares afterwards.
        left: u32,
        /// Displayed shares afterwards.
        displayed_left: u32,
        /// Why.
        reason: CancelReason,
    },
    /// An order was replaced.
    Replaced {
        /// Of which symbol.
        symbol: u16,
        /// As it is now: the new token, and a new reference unless priority was kept.
        order: OrderRef,
        /// As it was.
        old: OrderRef,
        /// Buy or sell.
        side: Side,
        /// Its limit now.
        price: Price4,
        /// Open shares now.
        shares: u32,
        /// Open shares before.
        old_shares: u32,
        /// Displayed shares before.
        old_displayed: u32,
        /// What the market sees of it now.
        change: Change,
    },
    /// The symbol's phase.
    PhaseChanged {
        /// Of which symbol.
        symbol: u16,
        /// To which.
        phase: Phase,
    },
    /// How a cross would come out now.
    Imbalance {
        /// Of which symbol.
        symbol: u16,
        /// Which.
        kind: CrossKind,
        /// It.
        indication: Indication,
    },
    /// A trade is void.
    Broken {
        /// Of which symbol.
        symbol: u16,
        /// Which.
        match_number: u64,
    },
}

/// What market data tells of a replace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Priority kept: so many displayed shares are left (ITCH `X`, or nothing).
    Reduced {
        /// Displayed shares afterwards.
        displayed: u32,
    },
    /// Rests at once under its new number with so many displayed shares (ITCH `U`).
    Moved {
        /// Displayed shares afterwards.
        displayed: u32,
    },
    /// Taken out (ITCH `D` if it was displayed); what comes of it follows in outputs of its own.
    Entered,
}

/// How a cross would come out (ITCH `I`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Indication {
    /// Shares that would match.
    pub paired: u64,
    /// Shares at the price that would not.
    pub imbalance: u64,
    /// On which side they are; `None` if there are none.
    pub side: Option<Side>,
    /// Price of the cross with all orders that take part.
    pub near: Price4,
    /// Price of the cross with the orders for this cross alone.
    pub far: Price4,
    /// Price that ties are broken towards.
    pub reference: Price4,
}

/// Takes outputs as they happen.
pub trait Sink {
    /// One thing happened.
    fn take(&mut self, output: &Output);
}

impl Sink for Vec<Output> {
    fn take(&mut self, output: &Output) {
        self.push(*output);
    }
}
