//! What strategies want ([`Intent`]), what risk says of it ([`Verdict`]), what the venue answers ([`Report`]).
//! The order that may leave, [`ApprovedOrder`](crate::risk::ApprovedOrder), is risk's own and made nowhere else.

use super::{
    event::Side,
    id::{ExecId, InstrumentId, OrderId, StrategyId, Symbol},
    number::{Money, Price, Qty},
    time::Nanos,
};
use bytemuck::{Pod, Zeroable};

/// What is to be done.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Action {
    /// A new limit order.
    New = 1,
    /// Take an order out of the market.
    Cancel = 2,
    /// Cancel an order and enter another in its place, in one message. The new one goes to the back of its level.
    Replace = 3,
}

impl Action {
    /// From its number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::New),
            2 => Some(Self::Cancel),
            3 => Some(Self::Replace),
            _ => None,
        }
    }
}

/// How long an order stands.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum TimeInForce {
    /// Until the end of the session.
    Day = 1,
    /// Immediate or cancel: what does not match at once is cancelled.
    Ioc = 2,
    /// Fill or kill: all at once or nothing.
    Fok = 3,
}

impl TimeInForce {
    /// From its number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Day),
            2 => Some(Self::Ioc),
            3 => Some(Self::Fok),
            _ => None,
        }
    }
}

/// A strategy's wish, before risk has seen it.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Intent {
    /// New: the id of the order to be. Cancel, replace: the order it is about.
    pub order: OrderId,
    /// Replace: the id of the order that takes its place; else `OrderId::NONE`.
    pub new_order: OrderId,
    /// Limit price (new, replace).
    pub price: Price,
    /// Quantity (new, replace): all of it, for a replace what shall be open afterwards.
    pub qty: Qty,
    /// Receive time of the frame it was decided on.
    pub decided: Nanos,
    /// Worthless after this time: risk and the gateway refuse it then.
    pub valid_until: Nanos,
    /// Of what.
    pub instrument: InstrumentId,
    /// By whom.
    pub strategy: StrategyId,
    /// An [`Action`].
    pub action_number: u8,
    /// A [`Side`]; for a cancel, the side of the order.
    pub side_number: u8,
    /// A [`TimeInForce`] (new, replace).
    pub tif_number: u8,
    /// The flags below.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<Intent>() == 64);

impl Intent {
    /// Only as maker: refused by the venue if it would match at once.
    pub const POST_ONLY: u8 = 1;
    /// Only if it brings the position nearer to zero.
    pub const REDUCE_ONLY: u8 = 2;

    /// What is to be done.
    #[inline]
    pub fn action(&self) -> Option<Action> {
        Action::from_number(self.action_number)
    }

    /// Buy or sell.
    #[inline]
    pub fn side(&self) -> Option<Side> {
        Side::from_number(self.side_number)
    }

    /// How long it stands.
    #[inline]
    pub fn tif(&self) -> Option<TimeInForce> {
        TimeInForce::from_number(self.tif_number)
    }

    /// Only as maker.
    #[inline]
    pub fn is_post_only(&self) -> bool {
        self.flags & Self::POST_ONLY != 0
    }
}

/// Why an intent was refused: by risk (below 100) or by the venue (from 100). Closed: the numbers are part of the audit format
/// and are never reused.
#[repr(u16)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum RejectCode {
    /// Not refused.
    None = 0,
    /// Trading is halted. Value: the trading state.
    Halted = 1,
    /// Only cancels are allowed. Value: the trading state.
    CancelOnly = 2,
    /// Only orders that reduce the position are allowed. Value: position after it; limit: position before it.
    ReduceOnly = 3,
    /// The instrument has no trading terms in the configuration, or the strategy may not trade it.
    NotTradable = 4,
    /// Outside of the session calendar.
    SessionClosed = 5,
    /// Expired. Limit: the expiry.
    InstrumentExpired = 6,
    /// The venue has halted, paused or closed it. Value: the market status.
    MarketNotOpen = 7,
    /// Not a multiple of the tick. Value: the price; limit: the tick.
    OffTick = 8,
    /// Zero, negative or not a valid quantity. Value: the quantity.
    BadQuantity = 9,
    /// Beyond the venue's price limits. Value: the price; limit: the one violated.
    PriceLimit = 10,
    /// More than the largest order. Value: the quantity; limit: the largest.
    MaxOrderQty = 11,
    /// More than the largest notional of an order, or beyond the range of money. Value: the notional; limit: the largest.
    MaxOrderNotional = 12,
    /// Too far from the reference price. Value: the price; limit: the nearest one allowed.
    PriceCollar = 13,
    /// There is no reference price yet.
    NoReferencePrice = 14,
    /// The position could go beyond its limit, working orders counted in full. Value: the worst position; limit: the largest.
    PositionLimit = 15,
    /// Too many open orders. Value: how many; limit: the most.
    OpenOrders = 16,
    /// Too many messages within the window. Value: how many; limit: the most.
    MessageRate = 17,
    /// The order id was used before, or the same order (side, price, quantity) was entered within the window.
    /// Value: the order id before.
    DuplicateOrder = 18,
    /// The market data is older than allowed. Value: its age; limit: the greatest age, nanoseconds.
    StaleData = 19,
    /// The market data has a gap and is not yet resynced.
    Quarantined = 20,
    /// Decided too long ago. Value: now; limit: valid until.
    IntentExpired = 21,
    /// Cancel or replace of an order that is not open (any more).
    UnknownOrder = 22,
    /// A cancel or replace of this order is already under way.
    PendingChange = 23,
    /// No room on the way out. Value: messages under way; limit: the ring's share.
    EgressFull = 24,
    /// The intent itself is malformed (unknown action, side or time in force; another strategy's order).
    Malformed = 25,
    /// Venue: the order would have matched, and was post-only.
    WouldMatch = 100,
    /// Venue: fill-or-kill could not be filled at once.
    NotFillable = 101,
    /// Venue: cancel or replace came too late.
    TooLate = 102,
    /// Venue: not connected, or it did not take the order.
    VenueUnavailable = 103,
    /// Venue: its own reason, not one of these.
    VenueOther = 104,
    /// Venue: a rejection drawn by the simulation's fault setting.
    Simulated = 105,
}

impl RejectCode {
    /// Every code, ascending.
    pub const EVERY: [RejectCode; 32] = [
        Self::None,
        Self::Halted,
        Self::CancelOnly,
        Self::ReduceOnly,
        Self::NotTradable,
        Self::SessionClosed,
        Self::InstrumentExpired,
        Self::MarketNotOpen,
        Self::OffTick,
        Self::BadQuantity,
        Self::PriceLimit,
        Self::MaxOrderQty,
        Self::MaxOrderNotional,
        Self::PriceCollar,
        Self::NoReferencePrice,
        Self::PositionLimit,
        Self::OpenOrders,
        Self::MessageRate,
        Self::DuplicateOrder,
        Self::StaleData,
        Self::Quarantined,
        Self::IntentExpired,
        Self::UnknownOrder,
        Self::PendingChange,
        Self::EgressFull,
        Self::Malformed,
        Self::WouldMatch,
        Self::NotFillable,
        Self::TooLate,
        Self::VenueUnavailable,
        Self::VenueOther,
        Self::Simulated,
    ];

    /// From its number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::EVERY.into_iter().find(|code| *code as u16 == number)
    }

    /// Its place in [`RejectCode::EVERY`]: dense, for counters.
    pub fn index(self) -> usize {
        Self::EVERY.iter().position(|code| *code == self).unwrap_or(0)
    }

    /// Its name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "approved",
            Self::Halted => "halted",
            Self::CancelOnly => "cancel_only",
            Self::ReduceOnly => "reduce_only",
            Self::NotTradable => "not_tradable",
            Self::SessionClosed => "session_closed",
            Self::InstrumentExpired => "instrument_expired",
            Self::MarketNotOpen => "market_not_open",
            Self::OffTick => "off_tick",
            Self::BadQuantity => "bad_quantity",
            Self::PriceLimit => "price_limit",
            Self::MaxOrderQty => "max_order_qty",
            Self::MaxOrderNotional => "max_order_notional",
            Self::PriceCollar => "price_collar",
            Self::NoReferencePrice => "no_reference_price",
            Self::PositionLimit => "position_limit",
            Self::OpenOrders => "open_orders",
            Self::MessageRate => "message_rate",
            Self::DuplicateOrder => "duplicate_order",
            Self::StaleData => "stale_data",
            Self::Quarantined => "quarantined",
            Self::IntentExpired => "intent_expired",
            Self::UnknownOrder => "unknown_order",
            Self::PendingChange => "pending_change",
            Self::EgressFull => "egress_full",
            Self::Malformed => "malformed",
            Self::WouldMatch => "would_match",
            Self::NotFillable => "not_fillable",
            Self::TooLate => "too_late",
            Self::VenueUnavailable => "venue_unavailable",
            Self::VenueOther => "venue_other",
            Self::Simulated => "simulated",
        }
    }
}

/// What risk says of one intent. One record of the audit stream.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Verdict {
    /// As in the intent.
    pub order: OrderId,
    /// As in the intent.
    pub new_order: OrderId,
    /// As in the intent.
    pub price: Price,
    /// As in the intent.
    pub qty: Qty,
    /// What was measured against the limit; see [`RejectCode`].
    pub value: i64,
    /// The limit.
    pub limit: i64,
    /// Of what.
    pub instrument: InstrumentId,
    /// By whom; `StrategyId::NONE` for orders of risk itself (mass cancel).
    pub strategy: StrategyId,
    /// A [`RejectCode`]; 0 is approved.
    pub code_number: u16,
    /// As in the intent.
    pub action_number: u8,
    /// As in the intent.
    pub side_number: u8,
    /// As in the intent.
    pub tif_number: u8,
    /// As in the intent.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 4],
}

const _: () = assert!(size_of::<Verdict>() == 64);

impl Verdict {
    /// A verdict on `intent`.
    pub fn on(intent: &Intent, code: RejectCode, value: i64, limit: i64) -> Self {
        Self {
            order: intent.order,
            new_order: intent.new_order,
            price: intent.price,
            qty: intent.qty,
            value,
            limit,
            instrument: intent.instrument,
            strategy: intent.strategy,
            code_number: code as u16,
            action_number: intent.action_number,
            side_number: intent.side_number,
            tif_number: intent.tif_number,
            flags: intent.flags,
            reserved: [0; 4],
        }
    }

    /// The code; an unknown number reads as malformed.
    pub fn code(&self) -> RejectCode {
        RejectCode::from_number(self.code_number).unwrap_or(RejectCode::Malformed)
    }

    /// Whether the order may leave.
    pub fn is_approved(&self) -> bool {
        self.code_number == 0
    }
}

/// What a report says. Exactly one of the answers to every message that left: `Accepted`/`Rejected` to a new order,
/// `Cancelled`/`CancelRejected` to a cancel, `Replaced`/`ReplaceRejected` to a replace. Fills and an unsolicited `Cancelled` (IOC
/// remainder, end of day) come besides.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ReportKind {
    /// The venue has the order.
    Accepted = 1,
    /// The new order was refused, by risk (`FROM_RISK`) or by the venue. `code`.
    Rejected = 2,
    /// A fill: `price`, `qty`, `exec`, `leaves` after it.
    Filled = 3,
    /// The order is out of the market with `leaves` 0; `qty` was cancelled.
    Cancelled = 4,
    /// The cancel was refused; the order is as it was, or already gone. `code`.
    CancelRejected = 5,
    /// `order` is gone and `new_order` stands with `price` and `leaves`.
    Replaced = 6,
    /// The replace was refused; `order` is as it was, or already gone. `code`.
    ReplaceRejected = 7,
}

impl ReportKind {
    /// Every kind, in the order of its number.
    pub const EVERY: [ReportKind; 7] = [
        Self::Accepted,
        Self::Rejected,
        Self::Filled,
        Self::Cancelled,
        Self::CancelRejected,
        Self::Replaced,
        Self::ReplaceRejected,
    ];

    /// From its number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::EVERY.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What the venue (or risk) answers. Fits one frame.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct Report {
    /// The order it is about.
    pub order: OrderId,
    /// Replaced, ReplaceRejected: the id of the order that takes its place.
    pub new_order: OrderId,
    /// Filled: the venue's id of the execution.
    pub exec: ExecId,
    /// Filled: the price of the fill; Accepted, Replaced: the order's price.
    pub price: Price,
    /// Filled: the quantity of this fill; Cancelled: what was cancelled; Accepted, Replaced: the order's quantity.
    pub qty: Qty,
    /// What of the order is still open after this.
    pub leaves: Qty,
    /// The venue's time of it.
    pub venue_time: Nanos,
    /// The venue's own id of the order.
    pub venue_order: u64,
    /// Frame whose decision this answers.
    pub cause_frame: u64,
    /// Risk's rejections: what was measured. Reports of a venue whose stream is numbered: the message that said it. Else 0.
    pub value: i64,
    /// Of what.
    pub instrument: InstrumentId,
    /// A [`RejectCode`].
    pub code_number: u16,
    /// A [`ReportKind`].
    pub kind_number: u8,
    /// A [`Side`].
    pub side_number: u8,
    /// The flags below.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

const _: () = assert!(size_of::<Report>() == super::frame::FRAME_PAYLOAD_BYTES);

impl Report {
    /// Filled as the resting side.
    pub const MAKER: u8 = 1;
    /// Said by risk, not by the venue: the message never left.
    pub const FROM_RISK: u8 = 2;

    /// What it says; `None` for a number that no version of the format has.
    #[inline]
    pub fn kind(&self) -> Option<ReportKind> {
        ReportKind::from_number(self.kind_number)
    }

    /// Why it was refused.
    pub fn code(&self) -> RejectCode {
        RejectCode::from_number(self.code_number).unwrap_or(RejectCode::VenueOther)
    }

    /// Buy or sell.
    #[inline]
    pub fn side(&self) -> Option<Side> {
        Side::from_number(self.side_number)
    }

    /// Whether a fill was ours as the resting side.
    pub fn is_maker(&self) -> bool {
        self.flags & Self::MAKER != 0
    }

    /// Whether risk said it.
    pub fn is_from_risk(&self) -> bool {
        self.flags & Self::FROM_RISK != 0
    }
}

/// May we trade? One machine, owned by risk.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum TradingState {
    /// All that the limits allow.
    Normal = 0,
    /// Cancels, and orders that bring a position nearer to zero.
    ReduceOnly = 1,
    /// Cancels only.
    CancelOnly = 2,
    /// The kill state: every open order is cancelled, then only cancels. Latched until its owner resumes.
    Halted = 3,
}

impl TradingState {
    /// From its number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Normal),
            1 => Some(Self::ReduceOnly),
            2 => Some(Self::CancelOnly),
            3 => Some(Self::Halted),
            _ => None,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ReduceOnly => "reduce_only",
            Self::CancelOnly => "cancel_only",
            Self::Halted => "halted",
        }
    }
}

/// What an operator orders.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CommandKind {
    /// Halt, latch, cancel everything. Who kills owns the latch.
    Kill = 1,
    /// Back to normal; refused (and audited) unless by the owner of the latch or by `operator`.
    Resume = 2,
    /// Cancel every open order; the state stays.
    CancelAll = 3,
    /// Go to `state` (reduce-only, cancel-only; normal only from these).
    SetState = 4,
}

impl CommandKind {
    /// From its number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Kill),
            2 => Some(Self::Resume),
            3 => Some(Self::CancelAll),
            4 => Some(Self::SetState),
            _ => None,
        }
    }
}

/// An operator's order. Fits one frame.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Pod, Zeroable)]
pub struct Command {
    /// Who gives it.
    pub owner: Symbol,
    /// Why, UTF-8, padded with zeros.
    pub reason: [u8; 64],
    /// A [`CommandKind`].
    pub kind_number: u8,
    /// SetState: a [`TradingState`].
    pub state_number: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<Command>() == super::frame::FRAME_PAYLOAD_BYTES);

impl Command {
    /// The reason is cut to 64 bytes at a character boundary.
    pub fn new(kind: CommandKind, state: TradingState, owner: Symbol, reason: &str) -> Self {
        let mut stored = [0u8; 64];
        let mut end = reason.len().min(stored.len());
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        for (to, from) in stored.iter_mut().zip(reason.bytes().take(end)) {
            *to = from;
        }
        Self { owner, reason: stored, kind_number: kind as u8, state_number: state as u8, reserved: [0; 6] }
    }

    /// What is ordered.
    pub fn kind(&self) -> Option<CommandKind> {
        CommandKind::from_number(self.kind_number)
    }

    /// Why.
    pub fn reason(&self) -> &str {
        let end = self.reason.iter().position(|&b| b == 0).unwrap_or(self.reason.len());
        self.reason.get(..end).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("?")
    }
}

/// What a [`RecoveredRecord`] carries.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum RecoveredKind {
    /// A position of a strategy in an instrument: `qty`, `cost`, `realized`, `fees`.
    Position = 1,
    /// An open order: `order`, side, tif, `price`, `qty` (open), flags.
    OpenOrder = 2,
    /// The running number of the strategy's last order: `number`.
    OrderNumber = 3,
    /// How far the reports of this journal go in the venue's stream: of the venue's session (ten letters, the first eight in `venue_order`, the
    /// others in `order`, little-endian) up to message `number`, of which `qty` reports. Nobody's: `strategy` is `StrategyId::NONE`. What comes
    /// after it in the journal is counted by [`Report::value`].
    VenueStream = 4,
    /// A part of what a strategy has saved: the first `side_number` bytes of the record (at most 64, in the place of its first eight fields), in the order of the
    /// records; `flags` is 1 in the last one.
    StrategyState = 5,
}

/// A piece of state carried over from an earlier session. Enters as a frame, so that a resumed session, too, is a function of its
/// own frames. Fits one frame.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Pod, Zeroable)]
pub struct RecoveredRecord {
    /// OpenOrder: which.
    pub order: OrderId,
    /// OpenOrder: limit price.
    pub price: Price,
    /// Position: signed lots. OpenOrder: open lots.
    pub qty: Qty,
    /// Position: what the open lots cost, signed as the position.
    pub cost: Money,
    /// Position: realized profit before fees.
    pub realized: Money,
    /// Position: fees paid.
    pub fees: Money,
    /// OrderNumber: the last one used.
    pub number: u64,
    /// OpenOrder: the venue's id, 0 if not yet acknowledged.
    pub venue_order: u64,
    /// Of what.
    pub instrument: InstrumentId,
    /// Whose.
    pub strategy: StrategyId,
    /// A [`RecoveredKind`].
    pub kind_number: u8,
    /// A [`Side`].
    pub side_number: u8,
    /// A [`TimeInForce`].
    pub tif_number: u8,
    /// Flags of the order's intent.
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 22],
}

const _: () = assert!(size_of::<RecoveredRecord>() == super::frame::FRAME_PAYLOAD_BYTES);

impl RecoveredRecord {
    /// What it carries.
    pub fn kind(&self) -> Option<RecoveredKind> {
        match self.kind_number {
            1 => Some(RecoveredKind::Position),
            2 => Some(RecoveredKind::OpenOrder),
            3 => Some(RecoveredKind::OrderNumber),
            4 => Some(RecoveredKind::VenueStream),
            5 => Some(RecoveredKind::StrategyState),
            _ => None,
        }
    }
}
