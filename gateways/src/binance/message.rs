//! One pass over a message: the fields that any of the venue's market messages has, whatever their order, and its price levels.

use super::json::{Cursor, Fault, Text, Value};
use super::number::{self, price_at, qty_at};
use spinward_engine::normalizer::EVENTS_PER_MESSAGE_MAX;
use spinward_engine::words::{DecodeError, Price};

/// One price level as written; the quantity waits for the lot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Level {
    /// Price.
    pub(super) price: Price,
    /// Quantity in `10^-qty_decimals` of the venue's unit.
    pub(super) qty_mantissa: u64,
    /// Decimal places of the quantity, 0–9.
    pub(super) qty_decimals: u8,
    /// Where it stands in the message, which is far below 4 GB.
    pub(super) offset: u32,
}

/// The levels of one message, in memory taken at start.
#[derive(Debug)]
pub(super) struct Levels {
    items: Vec<Level>,
    /// Most decimals that a price of this message was written with.
    pub(super) price_decimals: u8,
    /// The same of a quantity.
    pub(super) qty_decimals: u8,
}

impl Levels {
    /// Room for as many levels as a message may give events.
    pub(super) fn new() -> Self {
        Self { items: Vec::with_capacity(EVENTS_PER_MESSAGE_MAX), price_decimals: 0, qty_decimals: 0 }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.price_decimals = 0;
        self.qty_decimals = 0;
    }

    /// The levels of one side.
    #[inline]
    pub(super) fn side(&self, side: SideField) -> &[Level] {
        match side {
            SideField::Levels { from, to } => self.items.get(from as usize..to as usize).unwrap_or(&[]),
            SideField::Absent | SideField::Value(_) | SideField::BadLevels(_) => &[],
        }
    }

    /// False if there is no more room.
    #[inline]
    fn push(&mut self, level: Level) -> bool {
        let has_room = self.items.len() < EVENTS_PER_MESSAGE_MAX;
        if has_room {
            self.items.push(level);
        }
        has_room
    }
}

/// What stands under `b`/`bids` or `a`/`asks`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum SideField {
    /// Nothing.
    #[default]
    Absent,
    /// A price (bookTicker), an order or trade id (trade, aggTrade), or anything else.
    Value(Value),
    /// Levels, as a range of [`Levels`].
    Levels {
        /// First.
        from: u32,
        /// Past the last one.
        to: u32,
    },
    /// An array that does not hold levels.
    BadLevels(Fault),
}

/// The fields of a message. Absent or of the wrong type: `None`, an empty text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fields {
    /// Whether the message was an object.
    pub(super) is_object: bool,
    /// Whether the payload came in `{"stream":…,"data":{…}}`.
    pub(super) is_enveloped: bool,
    /// `stream`.
    pub(super) stream: Text,
    /// `e`: kind of message.
    pub(super) kind: Text,
    /// `s`, `symbol`.
    pub(super) symbol: Text,
    /// `E`: event time.
    pub(super) event_time: Option<u64>,
    /// `T`: transaction time.
    pub(super) transaction_time: Option<u64>,
    /// `U`: first update id.
    pub(super) first: Option<u64>,
    /// `u`: last update id.
    pub(super) last: Option<u64>,
    /// `pu`: last update id of the diff before (futures).
    pub(super) previous: Option<u64>,
    /// `pu` stands there, of whatever type.
    pub(super) has_previous: bool,
    /// `ps`, `pair` stands there: COIN-M.
    pub(super) has_pair: bool,
    /// `lastUpdateId`.
    pub(super) snapshot: Option<u64>,
    /// `t`: trade id.
    pub(super) trade_id: Option<u64>,
    /// `p`.
    pub(super) price: Text,
    /// `q`.
    pub(super) qty: Text,
    /// `m`: the buyer was the maker.
    pub(super) buyer_is_maker: Option<bool>,
    /// `X`: kind of trade (futures).
    pub(super) trade_kind: Text,
    /// `b`, `bids`.
    pub(super) bid: SideField,
    /// `B`.
    pub(super) bid_qty: Text,
    /// `a`, `asks`.
    pub(super) ask: SideField,
    /// `A`.
    pub(super) ask_qty: Text,
}

/// Longest key that is compared through an escape.
const KEY_BYTES_MAX: usize = 16;

/// Reads a whole message into `fields` and `levels`, whatever they held.
///
/// # Errors
/// [`Fault`] if it is not JSON. Levels that cannot be read are not an error here: only a book message is hurt by them.
#[inline]
pub(super) fn read(bytes: &[u8], fields: &mut Fields, levels: &mut Levels) -> Result<(), Fault> {
    let mut cursor = Cursor::new(bytes);
    levels.clear();
    *fields = Fields::default();
    if cursor.take_exactly(b"{\"stream\":") {
        // A combined stream as the venue writes it.
        fields.is_object = true;
        fields.is_enveloped = true;
        fields.stream = text(cursor.value()?);
        if cursor.take_exactly(b",\"data\":{") && !cursor.take(b'}') {
            read_payload(&mut cursor, fields, levels)?;
            if cursor.take_exactly(b"}") && cursor.at() == bytes.len() {
                return Ok(());
            }
        }
        // Not as usual: from the start, the long way.
        cursor.go_to(0);
        levels.clear();
        *fields = Fields::default();
    }
    if cursor.value_starts_with(b'{') {
        fields.is_object = true;
        cursor.expect(b'{')?;
        if !cursor.take(b'}') {
            read_top(&mut cursor, fields, levels)?;
        }
    } else {
        cursor.skip_value()?;
    }
    cursor.skip_space();
    if cursor.at() < bytes.len() { cursor.fault() } else { Ok(()) }
}

/// The fields of the outermost object: an envelope, or a payload without one.
fn read_top(cursor: &mut Cursor<'_>, fields: &mut Fields, levels: &mut Levels) -> Result<(), Fault> {
    loop {
        let key = cursor.key()?;
        let mut buffer = [0; KEY_BYTES_MAX];
        // A key that does not fit the buffer is none of ours.
        let name = key.plain(cursor.bytes(), &mut buffer).unwrap_or(b"");
        if fields.is_enveloped || name == b"stream" || name == b"data" {
            read_envelope_field(name, cursor, fields, levels)?;
        } else {
            read_field(name, cursor, fields, levels)?;
        }
        if !cursor.take(b',') {
            return cursor.expect(b'}');
        }
    }
}

/// The fields of the payload, from its first key to its closing brace.
#[inline]
fn read_payload(cursor: &mut Cursor<'_>, fields: &mut Fields, levels: &mut Levels) -> Result<(), Fault> {
    loop {
        match cursor.take_letter_key() {
            Some(letter) => read_letter_field(letter, cursor, fields, levels)?,
            None => {
                let key = cursor.key()?;
                let mut buffer = [0; KEY_BYTES_MAX];
                let name = key.plain(cursor.bytes(), &mut buffer).unwrap_or(b"");
                read_field(name, cursor, fields, levels)?;
            }
        }
        if !cursor.take(b',') {
            return cursor.expect(b'}');
        }
    }
}

/// A field beside the payload: `stream` and `data` in either order; what else stands there is skipped.
fn read_envelope_field(
    name: &[u8],
    cursor: &mut Cursor<'_>,
    fields: &mut Fields,
    levels: &mut Levels,
) -> Result<(), Fault> {
    match (name, cursor.value_starts_with(b'{')) {
        (b"data", true) => {
            levels.clear();
            *fields =
                Fields { is_object: true, is_enveloped: true, stream: fields.stream, ..Fields::default() };
            cursor.expect(b'{')?;
            if cursor.take(b'}') { Ok(()) } else { read_payload(cursor, fields, levels) }
        }
        (b"stream", _) => {
            fields.stream = text(cursor.value()?);
            Ok(())
        }
        _ => cursor.skip_value(),
    }
}

fn read_field(
    name: &[u8],
    cursor: &mut Cursor<'_>,
    fields: &mut Fields,
    levels: &mut Levels,
) -> Result<(), Fault> {
    match name {
        [letter] => return read_letter_field(*letter, cursor, fields, levels),
        b"bids" => fields.bid = side_field(cursor, levels)?,
        b"asks" => fields.ask = side_field(cursor, levels)?,
        b"symbol" => fields.symbol = text(cursor.value()?),
        b"pu" => {
            fields.previous = integer(cursor.value()?);
            fields.has_previous = true;
        }
        b"ps" | b"pair" => {
            cursor.value()?;
            fields.has_pair = true;
        }
        b"lastUpdateId" => fields.snapshot = integer(cursor.value()?),
        _ => {
            cursor.value()?;
        }
    }
    Ok(())
}

#[inline]
fn read_letter_field(
    letter: u8,
    cursor: &mut Cursor<'_>,
    fields: &mut Fields,
    levels: &mut Levels,
) -> Result<(), Fault> {
    match letter {
        b'b' => fields.bid = side_field(cursor, levels)?,
        b'a' => fields.ask = side_field(cursor, levels)?,
        _ => {
            let value = cursor.value()?;
            match letter {
                b'e' => fields.kind = text(value),
                b's' => fields.symbol = text(value),
                b'E' => fields.event_time = integer(value),
                b'T' => fields.transaction_time = integer(value),
                b'U' => fields.first = integer(value),
                b'u' => fields.last = integer(value),
                b't' => fields.trade_id = integer(value),
                b'p' => fields.price = text(value),
                b'q' => fields.qty = text(value),
                b'B' => fields.bid_qty = text(value),
                b'A' => fields.ask_qty = text(value),
                b'X' => fields.trade_kind = text(value),
                b'm' => {
                    fields.buyer_is_maker = match value {
                        Value::Bool(value) => Some(value),
                        Value::Text(_) | Value::Integer(_) | Value::Other => None,
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

#[inline]
fn text(value: Value) -> Text {
    match value {
        Value::Text(text) => text,
        Value::Integer(_) | Value::Bool(_) | Value::Other => Text::default(),
    }
}

#[inline]
fn integer(value: Value) -> Option<u64> {
    match value {
        Value::Integer(number) => Some(number),
        Value::Text(_) | Value::Bool(_) | Value::Other => None,
    }
}

fn side_field(cursor: &mut Cursor<'_>, levels: &mut Levels) -> Result<SideField, Fault> {
    if !cursor.value_starts_with(b'[') {
        return cursor.value().map(SideField::Value);
    }
    let start = cursor.at();
    let from = levels.items.len();
    match read_levels(cursor, levels) {
        // At most 16,384 levels.
        Ok(()) => Ok(SideField::Levels { from: from as u32, to: levels.items.len() as u32 }),
        Err(fault) => {
            levels.items.truncate(from);
            cursor.go_to(start);
            cursor.skip_value()?;
            Ok(SideField::BadLevels(fault))
        }
    }
}

/// `[["price","quantity"],…]`; further elements of a level (the venue once had one) are skipped.
fn read_levels(cursor: &mut Cursor<'_>, levels: &mut Levels) -> Result<(), Fault> {
    cursor.expect(b'[')?;
    if cursor.take(b']') {
        return Ok(());
    }
    loop {
        let offset = cursor.at() as u32;
        let (price, qty) = match short_level(cursor) {
            Some(read) => read,
            None => long_level(cursor)?,
        };
        levels.price_decimals = levels.price_decimals.max(price.decimals);
        levels.qty_decimals = levels.qty_decimals.max(qty.decimals);
        let level =
            Level { price: price.price, qty_mantissa: qty.mantissa, qty_decimals: qty.decimals, offset };
        if !levels.push(level) {
            return Err(Fault::new(DecodeError::TooLarge, cursor.at()));
        }
        if !cursor.take(b',') {
            return cursor.expect(b']');
        }
    }
}

/// `["price","quantity"]` as the venue writes it. `None` is no verdict, and the cursor has not moved.
#[inline]
fn short_level(cursor: &mut Cursor<'_>) -> Option<(number::PriceText, number::QtyText)> {
    let mut ahead = *cursor;
    if !ahead.take_exactly(b"[\"") {
        return None;
    }
    let price = price_at(ahead.bytes(), ahead.at())?;
    ahead.go_to(price.end);
    if !ahead.take_exactly(b"\",\"") {
        return None;
    }
    let qty = qty_at(ahead.bytes(), ahead.at())?;
    ahead.go_to(qty.end);
    if !ahead.take_exactly(b"\"]") {
        return None;
    }
    *cursor = ahead;
    Some((price, qty))
}

#[cold]
fn long_level(cursor: &mut Cursor<'_>) -> Result<(number::PriceText, number::QtyText), Fault> {
    cursor.expect(b'[')?;
    let (text, at) = level_text(cursor)?;
    let price = number::price(cursor.bytes(), text).map_err(|error| Fault::new(error, at))?;
    cursor.expect(b',')?;
    let (text, at) = level_text(cursor)?;
    let qty = number::qty(cursor.bytes(), text).map_err(|error| Fault::new(error, at))?;
    while cursor.take(b',') {
        cursor.skip_value()?;
    }
    cursor.expect(b']')?;
    Ok((price, qty))
}

/// A string and where it begins.
fn level_text(cursor: &mut Cursor<'_>) -> Result<(Text, usize), Fault> {
    cursor.skip_space();
    let at = cursor.at();
    Ok((cursor.string()?, at))
}

#[cfg(test)]
mod tests;
