//! [`Itch50Decoder`]: messages to events.
//!
//! | message | event |
//! |---|---|
//! | `A F` | `OrderAdd` |
//! | `E` | `OrderExecute`, printable |
//! | `C` | `OrderExecuteAt`, printable if the message says so |
//! | `X` `D` `U` | `OrderReduce` `OrderDelete` `OrderReplace` |
//! | `P` | `Trade`, printable, `a` match number, `b` = `P`; aggressor below |
//! | `Q` | `Trade`, printable, `a` match number, `b` cross type, no aggressor; `Ignored` if nothing matched |
//! | `H` `h` | `Status` of the stock: an operational halt at Nasdaq (`h`) lies over the trading state and gives way to it again |
//! | `S` | start of market hours: `Status` trading for all, and again the status of every stock that is not; end of market hours: closed for all; else `Ignored` |
//! | `R` | `Definition` if it tells of a new instrument, else `Ignored` |
//! | all others | `Ignored`, `a` the type |
//!
//! The first message that names an instrument which is not configured is preceded by its `Definition`
//! ([`Directory`](super::directory) tells how locates are bound).
//!
//! **Aggressor of `P`.** The side in the message is that of the hidden resting order, and since 14 July 2014 it is `B` whatever the side was. So
//! `S` (older files) says that a buyer lifted a hidden sell order; `B` says nothing.

use super::{
    code::{SystemEventCode, TradingStateCode, side},
    directory::Directory,
    message::{
        AddOrder, AddOrderAttributed, CrossTrade, Head, Message, OperationalHalt, OrderCancel, OrderDelete,
        OrderExecuted, OrderExecutedAtPrice, OrderReplace, ParseError, StockDirectory, SystemEvent, Trade,
        TradingAction,
    },
    wire::Stock,
};
use spinward_engine::normalizer::{Decoder, EVENTS_PER_MESSAGE_MAX, EventBatch, MessageMeta};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    DecodeError, Event, EventKind, InstrumentId, InstrumentTable, MarketStatus, Nanos, Qty, Side, SourceId,
};

/// What the decoder must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Itch50Config {
    /// The source in whose name instruments are looked up and learnt. Default 0.
    pub source: SourceId,
    /// UTC time of midnight, New York, of the session's date: messages tell time since then. `None` (the default): venue times are
    /// nanoseconds since that midnight. (A change to or from summer time falls on a Sunday, without a session.)
    pub midnight: Option<Nanos>,
}

/// TotalView-ITCH 5.0 for the normalizer. Instruments must have a lot of one share.
pub struct Itch50Decoder {
    midnight: i64,
    directory: Directory,
}

/// Why a message that has the right length is still malformed, and at which offset.
type Bad = (DecodeError, usize);

impl Itch50Decoder {
    /// Takes all memory it will ever need (1 MB, by locate and by symbol).
    pub fn new(config: Itch50Config) -> Self {
        Self {
            midnight: config.midnight.unwrap_or(Nanos::ZERO).get(),
            directory: Directory::new(config.source),
        }
    }

    /// The instrument of a stock locate, if one is known.
    pub fn located(&self, locate: u16) -> Option<InstrumentId> {
        self.directory.known(locate)
    }

    /// An event of a message, all else zero.
    #[inline]
    fn event(&self, kind: EventKind, head: &Head, instrument: InstrumentId) -> Event {
        // 48 bits of nanoseconds are 2^48: no overflow near any date.
        let nanos = self.midnight.saturating_add(head.timestamp.get() as i64);
        Event { venue_time: Nanos::new(nanos), ..Event::new(kind, instrument) }
    }

    /// The instrument of a message that carries its symbol.
    #[inline]
    fn by_stock(
        &mut self,
        head: &Head,
        stock: &Stock,
        stock_offset: usize,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<InstrumentId, Bad> {
        match self.directory.named(head.locate.get()) {
            Some(id) => Ok(id),
            None => self.bind(head, stock, stock_offset, table, out),
        }
    }

    #[cold]
    fn bind(
        &mut self,
        head: &Head,
        stock: &Stock,
        stock_offset: usize,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<InstrumentId, Bad> {
        let (id, learnt) =
            self.directory.name(head.locate.get(), stock, table).map_err(|error| (error, stock_offset))?;
        self.announce(head, learnt, out);
        Ok(id)
    }

    /// The instrument of a message that carries only the locate.
    #[inline]
    fn by_locate(
        &mut self,
        head: &Head,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<InstrumentId, Bad> {
        if let Some(id) = self.directory.named(head.locate.get()) {
            return Ok(id);
        }
        let (id, learnt) =
            self.directory.unnamed(head.locate.get(), table).map_err(|error| (error, LOCATE_OFFSET))?;
        self.announce(head, learnt, out);
        Ok(id)
    }

    fn announce(&self, head: &Head, learnt: Option<Event>, out: &mut EventBatch) {
        if let Some(definition) = learnt {
            let time = self.event(EventKind::Definition, head, definition.instrument).venue_time;
            out.push(Event { venue_time: time, ..definition });
        }
    }

    #[inline]
    fn add(&mut self, m: &AddOrder, table: &mut InstrumentTable, out: &mut EventBatch) -> Result<(), Bad> {
        let side = side(m.side).ok_or((DecodeError::BadField, 19))?;
        let qty = shares(m.shares.get(), 20)?;
        let instrument = self.by_stock(&m.head, &m.stock, 24, table, out)?;
        out.push(Event {
            side_number: side as u8,
            price: m.price.price(),
            qty,
            a: m.reference.get(),
            ..self.event(EventKind::OrderAdd, &m.head, instrument)
        });
        Ok(())
    }

    #[inline]
    fn execute(
        &mut self,
        m: &OrderExecuted,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let qty = shares(m.shares.get(), 19)?;
        let instrument = self.by_locate(&m.head, table, out)?;
        out.push(Event {
            qty,
            a: m.reference.get(),
            b: m.match_number.get(),
            flags: Event::PRINTABLE,
            ..self.event(EventKind::OrderExecute, &m.head, instrument)
        });
        Ok(())
    }

    #[inline]
    fn execute_at(
        &mut self,
        m: &OrderExecutedAtPrice,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let qty = shares(m.shares.get(), 19)?;
        let flags = match m.printable {
            b'Y' => Event::PRINTABLE,
            b'N' => 0,
            _ => return Err((DecodeError::BadField, 31)),
        };
        let instrument = self.by_locate(&m.head, table, out)?;
        out.push(Event {
            price: m.price.price(),
            qty,
            a: m.reference.get(),
            b: m.match_number.get(),
            flags,
            ..self.event(EventKind::OrderExecuteAt, &m.head, instrument)
        });
        Ok(())
    }

    #[inline]
    fn reduce(
        &mut self,
        m: &OrderCancel,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let qty = shares(m.shares.get(), 19)?;
        let instrument = self.by_locate(&m.head, table, out)?;
        out.push(Event {
            qty,
            a: m.reference.get(),
            ..self.event(EventKind::OrderReduce, &m.head, instrument)
        });
        Ok(())
    }

    #[inline]
    fn delete(
        &mut self,
        m: &OrderDelete,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let instrument = self.by_locate(&m.head, table, out)?;
        out.push(Event { a: m.reference.get(), ..self.event(EventKind::OrderDelete, &m.head, instrument) });
        Ok(())
    }

    #[inline]
    fn replace(
        &mut self,
        m: &OrderReplace,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let qty = shares(m.shares.get(), 27)?;
        let instrument = self.by_locate(&m.head, table, out)?;
        out.push(Event {
            price: m.price.price(),
            qty,
            a: m.original.get(),
            b: m.reference.get(),
            ..self.event(EventKind::OrderReplace, &m.head, instrument)
        });
        Ok(())
    }

    fn trade(&mut self, m: &Trade, table: &mut InstrumentTable, out: &mut EventBatch) -> Result<(), Bad> {
        let aggressor = match side(m.side).ok_or((DecodeError::BadField, 19))? {
            Side::Sell => Side::Buy as u8,
            Side::Buy => 0,
        };
        let qty = shares(m.shares.get(), 20)?;
        let instrument = self.by_stock(&m.head, &m.stock, 24, table, out)?;
        out.push(Event {
            side_number: aggressor,
            price: m.price.price(),
            qty,
            a: m.match_number.get(),
            b: u64::from(Trade::TYPE),
            flags: Event::PRINTABLE,
            ..self.event(EventKind::Trade, &m.head, instrument)
        });
        Ok(())
    }

    fn cross(
        &mut self,
        m: &CrossTrade,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let lots = i64::try_from(m.shares.get()).map_err(|_| (DecodeError::BadNumber, 11))?;
        let instrument = self.by_stock(&m.head, &m.stock, 19, table, out)?;
        out.push(if lots == 0 {
            self.ignored(CrossTrade::TYPE, &m.head, instrument)
        } else {
            Event {
                price: m.price.price(),
                qty: Qty::from_lots(lots),
                a: m.match_number.get(),
                b: u64::from(m.cross_type),
                flags: Event::PRINTABLE,
                ..self.event(EventKind::Trade, &m.head, instrument)
            }
        });
        Ok(())
    }

    /// The directory is the authority on a locate: it binds anew, whatever was known.
    fn define(
        &mut self,
        m: &StockDirectory,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let before = out.events().len();
        let instrument = self.bind(&m.head, &m.stock, 11, table, out)?;
        if out.events().len() == before {
            out.push(self.ignored(StockDirectory::TYPE, &m.head, instrument));
        }
        Ok(())
    }

    fn trading_action(
        &mut self,
        m: &TradingAction,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let state = TradingStateCode::from_byte(m.state).ok_or((DecodeError::BadField, 19))?;
        let instrument = self.by_stock(&m.head, &m.stock, 11, table, out)?;
        let status = self.directory.set_state(m.head.locate.get(), state.status());
        out.push(Event { a: status as u64, ..self.event(EventKind::Status, &m.head, instrument) });
        Ok(())
    }

    fn operational_halt(
        &mut self,
        m: &OperationalHalt,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let halted = match m.action {
            b'H' => true,
            b'T' => false,
            _ => return Err((DecodeError::BadField, 20)),
        };
        let ours = match m.market {
            b'Q' => true,
            // BX and PSX are other markets than the one in this feed.
            b'B' | b'X' => false,
            _ => return Err((DecodeError::BadField, 19)),
        };
        let instrument = self.by_stock(&m.head, &m.stock, 11, table, out)?;
        out.push(if ours {
            let status = self.directory.set_operational_halt(m.head.locate.get(), halted);
            Event { a: status as u64, ..self.event(EventKind::Status, &m.head, instrument) }
        } else {
            self.ignored(OperationalHalt::TYPE, &m.head, instrument)
        });
        Ok(())
    }

    fn ignored(&self, kind: u8, head: &Head, instrument: InstrumentId) -> Event {
        Event { a: u64::from(kind), ..self.event(EventKind::Ignored, head, instrument) }
    }

    /// A message without effect on books or states. It names its locate all the same.
    #[cold]
    fn ignore(
        &mut self,
        message: &Message<'_>,
        stock_offset: usize,
        table: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Bad> {
        let head = message.head();
        let instrument = match message.stock() {
            Some(stock) => self.by_stock(head, stock, stock_offset, table, out)?,
            None => self.directory.known(head.locate.get()).unwrap_or(InstrumentId::ALL),
        };
        out.push(self.ignored(message.kind(), head, instrument));
        Ok(())
    }

    #[cold]
    fn system_event(&mut self, m: &SystemEvent, out: &mut EventBatch) -> Result<(), Bad> {
        let code = SystemEventCode::from_byte(m.event).ok_or((DecodeError::BadField, 11))?;
        let head = &m.head;
        let ignored = self.ignored(SystemEvent::TYPE, head, InstrumentId::ALL);
        let for_all = |decoder: &Self, status: MarketStatus| Event {
            a: status as u64,
            flags: Event::END_OF_GROUP,
            ..decoder.event(EventKind::Status, head, InstrumentId::ALL)
        };
        match code {
            SystemEventCode::StartOfMarketHours => {
                // A stock that was halted before the open stays halted: whoever takes the status of all as that of each hears of it again.
                if self.directory.not_trading().count() < EVENTS_PER_MESSAGE_MAX {
                    out.push(for_all(self, MarketStatus::Trading));
                    for (instrument, status) in self.directory.not_trading() {
                        out.push(Event {
                            a: status as u64,
                            flags: Event::END_OF_GROUP,
                            ..self.event(EventKind::Status, head, instrument)
                        });
                    }
                } else {
                    out.push(for_all(self, MarketStatus::Halted));
                }
            }
            SystemEventCode::EndOfMarketHours => out.push(for_all(self, MarketStatus::Closed)),
            SystemEventCode::StartOfMessages => {
                self.directory.forget();
                out.push(ignored);
            }
            SystemEventCode::StartOfSystemHours
            | SystemEventCode::EndOfSystemHours
            | SystemEventCode::EndOfMessages => out.push(ignored),
        }
        Ok(())
    }

    #[cold]
    fn malformed(
        &self,
        error: DecodeError,
        offset: usize,
        bytes: &[u8],
        before: usize,
        out: &mut EventBatch,
    ) {
        // An instrument learnt on the way is in the table: its definition stays. All else of a bad message goes.
        let definition = out.events().get(before).is_some_and(|e| e.kind() == EventKind::Definition);
        out.truncate(before + usize::from(definition));
        let locate = bytes.get(1..3).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes);
        let instrument = locate.and_then(|l| self.directory.known(l)).unwrap_or(InstrumentId::ALL);
        out.push_malformed(instrument, error, offset);
    }
}

impl Decoder for Itch50Decoder {
    fn decode(
        &mut self,
        _: &MessageMeta,
        bytes: &[u8],
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) {
        let before = out.events().len();
        let result = match Message::parse(bytes) {
            Ok(Message::AddOrder(m)) => self.add(m, instruments, out),
            Ok(Message::OrderDelete(m)) => self.delete(m, instruments, out),
            Ok(Message::OrderReplace(m)) => self.replace(m, instruments, out),
            Ok(Message::OrderExecuted(m)) => self.execute(m, instruments, out),
            Ok(Message::OrderCancel(m)) => self.reduce(m, instruments, out),
            Ok(Message::AddOrderAttributed(m)) => self.add(&without_attribution(m), instruments, out),
            Ok(Message::OrderExecutedAtPrice(m)) => self.execute_at(m, instruments, out),
            Ok(Message::Trade(m)) => self.trade(m, instruments, out),
            Ok(Message::CrossTrade(m)) => self.cross(m, instruments, out),
            Ok(Message::StockDirectory(m)) => self.define(m, instruments, out),
            Ok(Message::TradingAction(m)) => self.trading_action(m, instruments, out),
            Ok(Message::OperationalHalt(m)) => self.operational_halt(m, instruments, out),
            Ok(Message::SystemEvent(m)) => self.system_event(m, out),
            Ok(ref message @ Message::Imbalance(_)) => self.ignore(message, 28, instruments, out),
            Ok(ref message @ Message::ParticipantPosition(_)) => self.ignore(message, 15, instruments, out),
            Ok(
                ref message @ (Message::RegSho(_)
                | Message::QuotingPeriod(_)
                | Message::LuldCollar(_)
                | Message::RetailInterest(_)
                | Message::DirectListing(_)),
            ) => self.ignore(message, 11, instruments, out),
            Ok(ref message @ (Message::MwcbLevels(_) | Message::MwcbStatus(_) | Message::BrokenTrade(_))) => {
                self.ignore(message, 0, instruments, out)
            }
            Err(error) => Err(unreadable(error)),
        };
        if let Err((error, offset)) = result {
            self.malformed(error, offset, bytes, before, out);
        }
    }

    fn save(&self, state: &mut StateWriter) {
        let Self { midnight: _, directory } = self;
        directory.save(state);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.directory.load(state)
    }
}

const LOCATE_OFFSET: usize = 1;

#[cold]
fn unreadable(error: ParseError) -> Bad {
    (error.decode_error(), error.offset())
}

/// A count of shares that must not be zero.
#[inline]
fn shares(count: u32, offset: usize) -> Result<Qty, Bad> {
    if count == 0 { Err((DecodeError::BadField, offset)) } else { Ok(Qty::from_lots(i64::from(count))) }
}

/// An attributed order has the fields of one without attribution, at the same offsets, and one more.
#[inline]
fn without_attribution(m: &AddOrderAttributed) -> AddOrder {
    let AddOrderAttributed { head, reference, side, shares, stock, price, attribution: _ } = *m;
    AddOrder { head, reference, side, shares, stock, price }
}

#[cfg(test)]
mod tests;
