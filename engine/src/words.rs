//! The words every crate speaks: numbers, times, ids, instruments, frames, events, views, orders. Plain data; no stage,
//! no ring, no thread.

mod number;
mod time;
mod id;
mod instrument;
mod frame;
mod event;
mod view;
mod order;
mod digest;

pub use digest::Digest;
pub use event::{DecodeError, Definition, Event, EventKind, MarketStatus, Side};
pub use frame::{FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, MESSAGE_BYTES_MAX, Message};
pub use id::{ExecId, InstrumentId, OrderId, SourceId, StrategyId, Symbol};
pub use instrument::{
    Fee, Fees, Instrument, InstrumentTable, SessionCalendar, TickBand, TickTable, TradingTerms, notional,
};
pub use number::{Decimal, DecimalError, Money, NANOS_PER_UNIT, Price, Qty, parse_decimal, round_div};
pub use order::{
    Action, Command, CommandKind, Intent, RecoveredKind, RecoveredRecord, RejectCode, Report, ReportKind,
    TimeInForce, TradingState, Verdict,
};
pub use time::{Clock, Nanos, Ticks};
pub use view::{BookView, Level, Statistics, VIEW_LEVELS_MAX};
