//! A strict JSON scanner over bytes: no allocation, no tree, no recursion. Accepts exactly what RFC 8259 does, down to valid UTF-8
//! and paired surrogates, but nested no deeper than [`DEPTH_MAX`].

use super::number::{digit_count, digits_value, word_at};
use spinward_engine::words::DecodeError;

/// Deepest nesting of arrays and objects; the venue's messages have four.
pub(super) const DEPTH_MAX: u32 = 64;

/// Why and where reading stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// Why.
    pub(super) error: DecodeError,
    /// Byte offset in the message.
    pub(super) offset: usize,
}

/// Where a string lies in the message, without its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Text {
    start: u32,
    end: u32,
    escaped: bool,
}

impl Text {
    /// From offsets. Messages are far below 4 GB.
    pub(super) fn new(start: usize, end: usize, escaped: bool) -> Self {
        Self { start: start as u32, end: end as u32, escaped }
    }

    /// Offset of the first byte.
    #[inline]
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    /// Offset of the closing quote.
    #[inline]
    pub(super) fn end(self) -> usize {
        self.end as usize
    }

    /// Whether there is no string, or an empty one.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The bytes that the string means; `buffer` is used if it has escapes, `None` if they do not fit.
    #[inline]
    pub(super) fn plain<'b>(self, bytes: &'b [u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let raw = bytes.get(self.start()..self.end())?;
        if self.escaped { unescape(raw, buffer) } else { Some(raw) }
    }

    /// The first eight bytes of a string without escapes as a little-endian number: `"kline"` reads as `b"kline\0\0\0"`.
    #[inline]
    pub(super) fn code(self, bytes: &[u8]) -> u64 {
        let mut word = [0; 8];
        if let Some(raw) = bytes.get(self.start()..self.end()) {
            for (to, from) in word.iter_mut().zip(raw) {
                *to = *from;
            }
        }
        u64::from_le_bytes(word)
    }
}

/// A value as far as we look into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// A string.
    Text(Text),
    /// A whole number from 0 to 2^64 − 1, written without point and exponent.
    Integer(u64),
    /// `true` or `false`.
    Bool(bool),
    /// `null`, any other number, an array or an object: read for its syntax only.
    Other,
}

/// A place in the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
const SPACES: u64 = u64::from_le_bytes([b' '; 8]);
const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH_BITS: u64 = u64::from_le_bytes([0x80; 8]);

/// How many bytes of the word, from the first on, are ordinary inside of a string: neither quote, backslash, control nor non-ASCII.
#[inline]
const fn ordinary_count(word: u64) -> usize {
    let quote = word ^ QUOTES;
    let backslash = word ^ BACKSLASHES;
    // A borrow can only mark bytes above the first true one, and only the first one counts.
    let marks = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(SPACES) & !word)
        | word;
    ((marks & HIGH_BITS).trailing_zeros() / 8) as usize
}

impl<'a> Cursor<'a> {
    /// At the start.
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Offset of the next byte.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes to an offset.
    #[inline]
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The whole message.
    #[inline]
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Whether the next byte after white space is this one; steps over the white space.
    #[inline]
    pub(super) fn value_starts_with(&mut self, byte: u8) -> bool {
        self.skip_space();
        self.peek() == Some(byte)
    }

    /// A fault here.
    #[cold]
    pub(super) fn fault<T>(&self) -> Result<T, Fault> {
        let error = if self.at >= self.bytes.len() { DecodeError::Truncated } else { DecodeError::Syntax };
        Err(Fault { error, offset: self.at.min(self.bytes.len()) })
    }

    /// Steps over white space.
    #[inline]
    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over white space and then this byte.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        self.skip_space();
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            self.fault()
        }
    }

    /// Steps over this byte if it is the next one after white space.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// A string, from its opening quote on.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text, Fault> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        let mut ascii = true;
        loop {
            if let Some(word) = word_at(self.bytes, self.at) {
                let count = ordinary_count(word);
                self.at += count;
                if count == 8 {
                    continue;
                }
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0x20..=0x7f) => self.at += 1,
                Some(0x80..) => {
                    ascii = false;
                    self.at += 1;
                }
                Some(_) | None => return self.fault(),
            }
        }
        let end = self.at;
        if !ascii && std::str::from_utf8(self.bytes.get(start..end).unwrap_or(&[])).is_err() {
            return Err(Fault { error: DecodeError::Syntax, offset: start });
        }
        self.at += 1;
        Ok(Text::new(start, end, escaped))
    }

    #[cold]
    fn escape(&mut self) -> Result<(), Fault> {
        match escape_at(self.bytes, self.at) {
            Some((_, length)) => {
                self.at += length;
                Ok(())
            }
            None => self.fault(),
        }
    }

    /// A key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<Text, Fault> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// Any value.
    #[inline]
    pub(super) fn value(&mut self) -> Result<Value, Fault> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true").map(|()| Value::Bool(true)),
            Some(b'f') => self.word(b"false").map(|()| Value::Bool(false)),
            _ => self.skip_value().map(|()| Value::Other),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        if word.starts_with(rest) {
            self.at = self.bytes.len();
        }
        self.fault()
    }

    /// Steps over digits; false if there is none.
    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    #[inline]
    fn number(&mut self) -> Result<Value, Fault> {
        // Update ids and times have 8 to 16 digits: two words.
        if let Some(first) = word_at(self.bytes, self.at) {
            let count = digit_count(first);
            let leading_zero = count > 1 && first as u8 == b'0';
            if count == 8
                && !leading_zero
                && let Some(second) = word_at(self.bytes, self.at + 8)
            {
                let more = digit_count(second);
                if more < 8 && is_end_of_number(second >> (8 * more)) {
                    let high = digits_value(first, 8);
                    let low = if more == 0 { 0 } else { digits_value(second, more) };
                    self.at += 8 + more as usize;
                    // 1e8 · 1e7 < 2^54
                    let scale = SCALES.get(more as usize).copied().unwrap_or(1);
                    return Ok(Value::Integer(high * scale + low));
                }
            } else if (1..8).contains(&count) && !leading_zero && is_end_of_number(first >> (8 * count)) {
                self.at += count as usize;
                return Ok(Value::Integer(digits_value(first, count)));
            }
        }
        self.number_slow()
    }

    #[cold]
    fn number_slow(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        let mut integer = true;
        if self.peek() == Some(b'-') {
            integer = false;
            self.at += 1;
        }
        let first = self.at;
        if !self.digits() || (self.bytes.get(first) == Some(&b'0') && self.at > first + 1) {
            return self.fault();
        }
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            if !self.digits() {
                return self.fault();
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if !self.digits() {
                return self.fault();
            }
        }
        if !integer {
            return Ok(Value::Other);
        }
        let mut value: u64 = 0;
        for &byte in self.bytes.get(start..self.at).unwrap_or(&[]) {
            match value.checked_mul(10).and_then(|v| v.checked_add(u64::from(byte.wrapping_sub(b'0')))) {
                Some(next) => value = next,
                None => return Ok(Value::Other),
            }
        }
        Ok(Value::Integer(value))
    }

    /// Steps over any value.
    pub(super) fn skip_value(&mut self) -> Result<(), Fault> {
        // One bit for each open bracket, the innermost lowest: 1 for an object.
        let mut objects: u64 = 0;
        let mut depth: u32 = 0;
        'value: loop {
            self.skip_space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return self.fault();
                    }
                    self.at += 1;
                    depth += 1;
                    objects = (objects << 1) | u64::from(open == b'{');
                    let close = if open == b'{' { b'}' } else { b']' };
                    if self.take(close) {
                        depth -= 1;
                        objects >>= 1;
                    } else {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue 'value;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                }
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(_) | None => return self.fault(),
            }
            while depth > 0 {
                let in_object = objects & 1 == 1;
                if self.take(b',') {
                    if in_object {
                        self.key()?;
                    }
                    continue 'value;
                }
                self.expect(if in_object { b'}' } else { b']' })?;
                depth -= 1;
                objects >>= 1;
            }
            return Ok(());
        }
    }
}

const SCALES: [u64; 8] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// Whether the byte after an integer (lowest of the word) ends it; everything else, and errors, go the long way.
#[inline]
const fn is_end_of_number(rest: u64) -> bool {
    matches!(rest as u8, b',' | b'}' | b']')
}

/// The character that the escape at `at` means, and how many bytes it takes (twelve for a surrogate pair).
fn escape_at(bytes: &[u8], at: usize) -> Option<(char, usize)> {
    let simple = match bytes.get(at + 1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let high = hex4(bytes, at + 2)?;
            if !(0xd800..0xdc00).contains(&high) {
                // A low surrogate alone is no character.
                return char::from_u32(high).map(|c| (c, 6));
            }
            if bytes.get(at + 6..at + 8)? != b"\\u" {
                return None;
            }
            let low = hex4(bytes, at + 8)?;
            if !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return char::from_u32(code).map(|c| (c, 12));
        }
        _ => return None,
    };
    Some((simple, 2))
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .iter()
        .try_fold(0, |value, &byte| Some(value << 4 | char::from(byte).to_digit(16)?))
}

#[cold]
fn unescape<'b>(raw: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let mut from = 0;
    let mut to = 0;
    while let Some(&byte) = raw.get(from) {
        if byte == b'\\' {
            let (character, length) = escape_at(raw, from)?;
            let mut utf8 = [0; 4];
            let text = character.encode_utf8(&mut utf8).as_bytes();
            buffer.get_mut(to..to + text.len())?.copy_from_slice(text);
            from += length;
            to += text.len();
        } else {
            *buffer.get_mut(to)? = byte;
            from += 1;
            to += 1;
        }
    }
    buffer.get(..to)
}

#[cfg(test)]
mod tests;
