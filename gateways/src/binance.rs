//! Binance market data: JSON messages of spot, USD-M and COIN-M in, events out ([`BinanceDecoder`]).
//!
//! Understood, as combined streams `{"stream":…,"data":{…}}` or bare, fields in any order:
//!
//! | message | events |
//! |---|---|
//! | `depthUpdate` that follows | [`LevelSet`](EventKind::LevelSet) for each level |
//! | `depthUpdate` before the snapshot | kept, [`Ignored`](EventKind::Ignored) |
//! | `depthUpdate` already contained | [`Duplicate`](EventKind::Duplicate) |
//! | `depthUpdate` after a hole | [`Gap`](EventKind::Gap), [`Status`](EventKind::Status) quarantined; kept |
//! | REST depth snapshot | [`BookClear`](EventKind::BookClear), `LevelSet`s, the kept diffs, `Status` resynced |
//! | `bookTicker` | two [`Quote`](EventKind::Quote)s |
//! | `trade`, `aggTrade` | [`Trade`](EventKind::Trade) |
//! | everything else | `Ignored`, `a`: the first eight bytes of the kind `e` as a little-endian number |
//!
//! A symbol seen for the first time is looked up among the configured instruments, else learnt
//! ([`Definition`](EventKind::Definition)); it is quarantined until its first snapshot.
//!
//! **Whose snapshot?** That of COIN-M says so. The others do not: the symbol is [`BinanceConfig::snapshot_symbol`], else the only one
//! seen so far of that market, else the only configured one; otherwise the snapshot is malformed
//! ([`UnknownInstrument`](DecodeError::UnknownInstrument)). Whoever records several symbols writes it as
//! `{"stream":"<symbol>@snapshot","data":{…}}`. Partial books (`<symbol>@depth5`, `10`, `20`) are no snapshots and are ignored.
//!
//! **Lots.** A quantity that is not a whole number of the instrument's lots is malformed ([`BadNumber`](DecodeError::BadNumber)); in a
//! book message it quarantines the symbol, for the book is wrong from there on. Spot books hold old orders finer than today's step
//! (BTCUSDT has some at round prices: 80000.00, 244.56630400): configure spot with the lot 0.00000001.
//!
//! Never: a socket, a clock, a float, an allocation after construction.
//!
//! Sources: Binance Spot API docs, “WebSocket Streams” and “How to manage a local order book correctly”; Derivatives docs, USD-M and
//! COIN-M “How to manage a local order book correctly”.

mod number;
mod json;
mod message;
mod sync;
mod pending;
mod symbols;
mod depth;

use depth::Depth;
use json::Text;
use message::{Fields, Levels, SideField};
use spinward_engine::counters::{Counter, Gauge};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    DecodeError, Event, EventKind, InstrumentId, InstrumentTable, MESSAGE_BYTES_MAX, Nanos, Price, Side,
    Symbol,
};
use std::sync::Arc;
use symbols::Symbols;

/// Most symbols of one decoder: a lost link gives an event for each.
pub const SYMBOLS_MAX: usize = 8_192;

/// Most diffs that can wait at once: dropping all of them must fit into the events of one message.
pub const PENDING_MESSAGES_MAX: usize = 16_000;

/// Limits and choices of a [`BinanceDecoder`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BinanceConfig {
    /// Most symbols that can be seen, 1–[`SYMBOLS_MAX`]; messages of further ones are malformed
    /// ([`DecodeError::TooManyInstruments`]). Default 1,024.
    pub symbols_max: usize,
    /// Whose snapshots are those that do not say. Default: see the module.
    pub snapshot_symbol: Option<Symbol>,
    /// Lot of symbols that are not configured: `10^-n` units, n 0–9. Default 8 (spot's finest step); quantities beyond 9.2e10 units
    /// need a smaller n.
    pub learned_lot_decimals: u8,
    /// Bytes of diffs that wait for a snapshot, of all symbols; at least two messages of the maximum size. When full, the oldest is
    /// dropped with a `Gap` event. Default 16 MiB.
    pub pending_bytes: usize,
    /// Number of diffs that wait, of all symbols, 1–[`PENDING_MESSAGES_MAX`]. Default 8,192.
    pub pending_messages: usize,
}

impl Default for BinanceConfig {
    fn default() -> Self {
        Self {
            symbols_max: 1_024,
            snapshot_symbol: None,
            learned_lot_decimals: 8,
            pending_bytes: 16 << 20,
            pending_messages: 8_192,
        }
    }
}

/// Why a [`BinanceConfig`] is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BinanceConfigError {
    /// `symbols_max` out of range.
    #[error("symbols_max is {0}; give 1 to {SYMBOLS_MAX}")]
    Symbols(usize),
    /// `learned_lot_decimals` out of range.
    #[error("learned_lot_decimals is {0}; give 0 to 9")]
    LotDecimals(u8),
    /// `pending_bytes` too small.
    #[error("pending_bytes is {0}; give at least {least} (two messages)", least = 2 * MESSAGE_BYTES_MAX)]
    PendingBytes(usize),
    /// `pending_messages` out of range.
    #[error("pending_messages is {0}; give 1 to {PENDING_MESSAGES_MAX}")]
    PendingMessages(usize),
}

/// What a [`BinanceDecoder`] counts.
#[repr(align(128))]
#[derive(Debug, Default)]
pub struct BinanceCounters {
    /// Diffs applied at once or after a snapshot.
    pub diffs_applied: Counter,
    /// Diffs kept until a snapshot comes.
    pub diffs_kept: Counter,
    /// Kept diffs that the snapshot already contained.
    pub diffs_superseded: Counter,
    /// Kept diffs dropped because the memory was full.
    pub diffs_dropped: Counter,
    /// Snapshots that became a book.
    pub snapshots_applied: Counter,
    /// Holes found.
    pub gaps: Counter,
    /// Symbols seen.
    pub symbols: Gauge,
    /// Symbols in quarantine now.
    pub quarantined: Gauge,
}

/// Decodes Binance messages. One for each source.
pub struct BinanceDecoder {
    levels: Levels,
    symbols: Symbols,
    depth: Depth,
    snapshot_symbol: Option<Symbol>,
    counters: Arc<BinanceCounters>,
}

/// The meaning of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Diff,
    Snapshot,
    Trade,
    AggregateTrade,
    Quote,
    Other,
}

/// A string as written, compared with text: kinds and stream names never have escapes.
#[inline]
fn raw(bytes: &[u8], text: Text) -> &[u8] {
    bytes.get(text.start()..text.end()).unwrap_or(&[])
}

/// The kind of message in the words of the venue, for [`EventKind::Ignored`].
const DIFF_CODE: u64 = u64::from_le_bytes(*b"depthUpd");

/// `b` of a [`EventKind::Trade`] that stands for all fills of one taker order at one price.
pub const AGGREGATE_TRADE: u64 = u64::from_le_bytes(*b"aggTrade");

#[inline]
fn kind_of(bytes: &[u8], fields: &Fields) -> Kind {
    if fields.snapshot.is_some() && fields.kind.is_empty() {
        return match stream_suffix(bytes, fields) {
            None | Some(b"snapshot") => Kind::Snapshot,
            Some(_) => Kind::Other,
        };
    }
    match raw(bytes, fields.kind) {
        b"bookTicker" => Kind::Quote,
        b"depthUpdate" => match stream_suffix(bytes, fields) {
            Some(suffix) if is_partial(suffix) => Kind::Other,
            Some(_) | None => Kind::Diff,
        },
        b"trade" => Kind::Trade,
        b"aggTrade" => Kind::AggregateTrade,
        // Spot's bookTicker does not say what it is.
        b"" if fields.last.is_some() && !fields.bid_qty.is_empty() && !fields.ask_qty.is_empty() => {
            Kind::Quote
        }
        _ => Kind::Other,
    }
}

/// What follows the first `@` of the stream's name.
fn stream_suffix<'a>(bytes: &'a [u8], fields: &Fields) -> Option<&'a [u8]> {
    if !fields.is_enveloped {
        return None;
    }
    let stream = raw(bytes, fields.stream);
    Some(match stream.iter().position(|&b| b == b'@') {
        Some(at) => stream.get(at + 1..).unwrap_or(&[]),
        None => &[],
    })
}

/// `depth5`, `depth10@100ms`, …: the best levels only, not a diff.
fn is_partial(suffix: &[u8]) -> bool {
    suffix.strip_prefix(b"depth").and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
}

/// The venue's milliseconds (or microseconds, if the session asked for them: from 1e14 on, which as milliseconds is the year 5138).
#[inline]
fn venue_time(fields: &Fields) -> Nanos {
    match fields.transaction_time.or(fields.event_time) {
        None => Nanos::ZERO,
        Some(time) => {
            let time = i64::try_from(time).unwrap_or(i64::MAX);
            if time < 100_000_000_000_000 { Nanos::from_millis(time) } else { Nanos::from_micros(time) }
        }
    }
}

impl BinanceDecoder {
    /// Takes all memory now.
    ///
    /// # Errors
    /// [`BinanceConfigError`] if a limit is out of its range.
    pub fn new(config: &BinanceConfig) -> Result<Self, BinanceConfigError> {
        if config.symbols_max == 0 || config.symbols_max > SYMBOLS_MAX {
            return Err(BinanceConfigError::Symbols(config.symbols_max));
        }
        if config.learned_lot_decimals > 9 {
            return Err(BinanceConfigError::LotDecimals(config.learned_lot_decimals));
        }
        if config.pending_bytes < 2 * MESSAGE_BYTES_MAX {
            return Err(BinanceConfigError::PendingBytes(config.pending_bytes));
        }
        if config.pending_messages == 0 || config.pending_messages > PENDING_MESSAGES_MAX {
            return Err(BinanceConfigError::PendingMessages(config.pending_messages));
        }
        let counters = Arc::<BinanceCounters>::default();
        Ok(Self {
            levels: Levels::new(),
            symbols: Symbols::new(config.symbols_max, config.learned_lot_decimals, Arc::clone(&counters)),
            depth: Depth::new(config.pending_bytes, config.pending_messages, Arc::clone(&counters)),
            snapshot_symbol: config.snapshot_symbol,
            counters,
        })
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<BinanceCounters> {
        Arc::clone(&self.counters)
    }

    fn try_decode(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Refusal> {
        let mut fields = Fields::default();
        message::read(bytes, &mut fields, &mut self.levels).map_err(|fault| Refusal {
            error: fault.error,
            offset: fault.offset as usize,
            instrument: InstrumentId::ALL,
        })?;
        match kind_of(bytes, &fields) {
            Kind::Quote => self.on_quote(meta, bytes, &fields, instruments, out),
            Kind::Diff => self.on_diff(meta, bytes, &fields, instruments, out),
            Kind::Trade | Kind::AggregateTrade => self.on_trade(meta, bytes, &fields, instruments, out),
            Kind::Snapshot => self.on_snapshot(meta, bytes, &fields, instruments, out),
            Kind::Other => {
                out.push(Event {
                    a: fields.kind.code(bytes),
                    ..Event::new(EventKind::Ignored, InstrumentId::ALL)
                });
                Ok(())
            }
        }
    }

    fn on_quote(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        fields: &Fields,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Refusal> {
        let id = fields.last.ok_or(Refusal::bad_field())?;
        let side = |price: SideField, qty: Text| match price {
            SideField::Value(json::Value::Text(price)) => {
                let price = number::price(bytes, price).map_err(|e| Refusal::at(e, price))?;
                let qty = number::qty(bytes, qty).map_err(|e| Refusal::at(e, qty))?;
                Ok((price, qty))
            }
            SideField::Absent | SideField::Value(_) | SideField::Levels { .. } | SideField::BadLevels(_) => {
                Err(Refusal::bad_field())
            }
        };
        let (bid, bid_qty) = side(fields.bid, fields.bid_qty)?;
        let (ask, ask_qty) = side(fields.ask, fields.ask_qty)?;
        let decimals = (bid.decimals.max(ask.decimals), bid_qty.decimals.max(ask_qty.decimals));
        let index = self.symbols.of_message(meta, bytes, fields.symbol, decimals, instruments, out)?;
        let Some(state) = self.symbols.state_mut(index) else { return Err(Refusal::bad_field()) };
        let instrument = state.instrument;
        let lots = |qty: number::QtyText| {
            state.lot.lots(qty.mantissa, qty.decimals).ok_or(Refusal {
                error: DecodeError::BadNumber,
                offset: qty.end,
                instrument,
            })
        };
        let time = venue_time(fields);
        let quote = |side: Side, price: Price, qty| Event {
            venue_time: time,
            price,
            qty,
            a: id,
            side_number: side as u8,
            ..Event::new(EventKind::Quote, instrument)
        };
        let (bid_lots, ask_lots) = (lots(bid_qty)?, lots(ask_qty)?);
        out.push(quote(Side::Buy, bid.price, bid_lots));
        out.push(quote(Side::Sell, ask.price, ask_lots));
        self.depth.catch_up(index, &mut self.symbols, &mut self.levels, out);
        Ok(())
    }

    fn on_trade(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        fields: &Fields,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Refusal> {
        let is_aggregate = raw(bytes, fields.kind) == b"aggTrade";
        let id = match (is_aggregate, fields.ask) {
            (true, SideField::Value(json::Value::Integer(id))) => id,
            (true, _) => return Err(Refusal::bad_field()),
            (false, _) => fields.trade_id.ok_or(Refusal::bad_field())?,
        };
        let buyer_is_maker = fields.buyer_is_maker.ok_or(Refusal::bad_field())?;
        let price = number::price(bytes, fields.price).map_err(|e| Refusal::at(e, fields.price))?;
        let qty = number::qty(bytes, fields.qty).map_err(|e| Refusal::at(e, fields.qty))?;
        let decimals = (price.decimals, qty.decimals);
        let index = self.symbols.of_message(meta, bytes, fields.symbol, decimals, instruments, out)?;
        let Some(state) = self.symbols.state_mut(index) else { return Err(Refusal::bad_field()) };
        let instrument = state.instrument;
        state.has_single_trades |= !is_aggregate;
        let lots = state.lot.lots(qty.mantissa, qty.decimals).ok_or(Refusal {
            error: DecodeError::BadNumber,
            offset: qty.end,
            instrument,
        })?;
        // Futures report transfers to the insurance fund with price or quantity 0; and where single trades come too, their sums would
        // count twice.
        let is_void = price.price == Price::ZERO || qty.mantissa == 0;
        if is_void || (is_aggregate && state.has_single_trades) {
            out.push(Event { a: fields.kind.code(bytes), ..Event::new(EventKind::Ignored, instrument) });
        } else {
            // m: the buyer was the maker, so the seller was the aggressor.
            let side = if buyer_is_maker { Side::Sell } else { Side::Buy };
            out.push(Event {
                venue_time: venue_time(fields),
                price: price.price,
                qty: lots,
                a: id,
                b: if is_aggregate { AGGREGATE_TRADE } else { fields.trade_kind.code(bytes) },
                side_number: side as u8,
                ..Event::new(EventKind::Trade, instrument)
            });
        }
        self.depth.catch_up(index, &mut self.symbols, &mut self.levels, out);
        Ok(())
    }
}

/// A message that cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Refusal {
    error: DecodeError,
    offset: usize,
    instrument: InstrumentId,
}

impl Refusal {
    /// A field is missing or of the wrong type.
    fn bad_field() -> Self {
        Self { error: DecodeError::BadField, offset: 0, instrument: InstrumentId::ALL }
    }

    /// A text means nothing; a text that is not there is a missing field.
    fn at(error: DecodeError, text: Text) -> Self {
        let error = if text.is_empty() { DecodeError::BadField } else { error };
        Self { error, offset: text.start(), instrument: InstrumentId::ALL }
    }
}

impl Decoder for BinanceDecoder {
    #[inline]
    fn decode(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) {
        if let Err(refusal) = self.try_decode(meta, bytes, instruments, out) {
            out.push_malformed(refusal.instrument, refusal.error, refusal.offset);
        }
    }

    fn link(
        &mut self,
        _meta: &MessageMeta,
        up: bool,
        _instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) {
        out.push(Event {
            a: u64::from(up),
            flags: Event::END_OF_GROUP,
            ..Event::new(EventKind::Link, InstrumentId::ALL)
        });
        if !up {
            self.depth.quarantine_all(&mut self.symbols, out);
        }
    }

    fn save(&self, state: &mut StateWriter) {
        let Self { levels: _, symbols, depth, snapshot_symbol: _, counters: _ } = self;
        symbols.save(state);
        depth.save(state);
    }

    fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.symbols.load(state)?;
        self.depth.load(state)
    }
}

#[cfg(test)]
mod tests;
