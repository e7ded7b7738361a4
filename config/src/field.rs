//! Values of keys: each type's text in the file, read exactly or refused with the mend, and written back as it would be read.

use crate::problem::{Wrong, did_you_mean};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use spinward_engine::pipeline::{IdleStrategy, Role, StampMode};
use spinward_engine::words::{Decimal, DecimalError, Money, NANOS_PER_UNIT, Nanos, Price, parse_decimal};
use spinward_recorder::Durability;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;
use toml::{Spanned, Value};

/// What is wrong and where in the text.
pub(crate) type ReadError = (Range<usize>, Wrong);

/// A type that can be the value of a key.
pub(crate) trait Field: Sized {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, ReadError> {
        Self::parse(value.get_ref()).map_err(|wrong| (value.span(), wrong))
    }
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong>;
    fn write(&self) -> Value;
}

fn not_a(what: &str, value: &DeValue<'_>, mend: impl Into<String>) -> Wrong {
    let article = if value.type_str().starts_with(['a', 'i']) { "an" } else { "a" };
    Wrong::new(format!("{article} {} stands where {what} should", value.type_str()), mend)
}

fn text<'v>(what: &str, value: &'v DeValue<'_>, mend: &str) -> Result<&'v str, Wrong> {
    value.as_str().ok_or_else(|| not_a(what, value, mend))
}

impl Field for String {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text("a text", value, "put it into double quotes").map(str::to_owned)
    }
    fn write(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Field for PathBuf {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let path = text("a path", value, "put it into double quotes")?;
        if path.is_empty() {
            return Err(Wrong::new("the path is empty", "name a file or folder"));
        }
        Ok(PathBuf::from(path))
    }
    fn write(&self) -> Value {
        Value::String(self.to_string_lossy().into_owned())
    }
}

impl Field for bool {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        value.as_bool().ok_or_else(|| not_a("true or false", value, "write true or false, without quotes"))
    }
    fn write(&self) -> Value {
        Value::Boolean(*self)
    }
}

fn integer(value: &DeValue<'_>) -> Result<i128, Wrong> {
    let number = value
        .as_integer()
        .ok_or_else(|| not_a("a whole number", value, "write a whole number, without quotes"))?;
    i128::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| Wrong::new(format!("{number} is out of range"), "write a smaller number"))
}

macro_rules! integer_field {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
                let number = integer(value)?;
                <$type>::try_from(number).map_err(|_| {
                    let mend = format!("give {} to {}", <$type>::MIN, (<$type>::MAX as i128).min(i128::from(i64::MAX)));
                    Wrong::new(format!("{number} is out of range"), mend)
                })
            }
            fn write(&self) -> Value {
                // TOML's integers are i64; what is read never exceeds it.
                Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}
integer_field!(u8, u16, u32, usize, i64);

/// A seed: TOML has no integers beyond i64, so neither have seeds.
impl Field for u64 {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let number = integer(value)?;
        i64::try_from(number)
            .ok()
            .and_then(|number| u64::try_from(number).ok())
            .ok_or_else(|| Wrong::new(format!("{number} is out of range"), format!("give 0 to {}", i64::MAX)))
    }
    fn write(&self) -> Value {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

/// Decimal text as units of 1e-9, exactly. A whole number may stand without quotes; a TOML float may not: it would be binary.
pub(crate) fn decimal(value: &DeValue<'_>) -> Result<i64, Wrong> {
    let told = |text: &str, error: DecimalError| {
        let mend = match error {
            DecimalError::TooFine => "give at most 9 decimals",
            DecimalError::Range => "give a number between -9223372036 and 9223372036",
            DecimalError::Empty | DecimalError::Byte(_) => "write digits and a point only, like \"0.001\"",
        };
        Wrong::new(format!("{text:?} is not a decimal number of ours: {error}"), mend)
    };
    match value {
        DeValue::String(text) => parse_decimal(text.as_bytes()).map_err(|error| told(text, error)),
        DeValue::Integer(_) => {
            let text = integer(value)?.to_string();
            parse_decimal(text.as_bytes()).map_err(|error| told(&text, error))
        }
        DeValue::Float(number) => Err(Wrong::new(
            format!("{number} is a binary float, which is not exact"),
            format!("write it as a string: \"{number}\""),
        )),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Err(not_a("a decimal number", value, "write it as a string, like \"0.001\""))
        }
    }
}

fn decimal_text(nanos: i64) -> String {
    Decimal { nanos, decimals: 0 }.to_string()
}

/// A decimal number in units of 1e-9: quantities in the venue's unit, rates, multipliers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Exact {
    /// Units of 1e-9.
    pub nanos: i64,
}

impl Exact {
    /// 1.
    pub const ONE: Exact = Exact { nanos: NANOS_PER_UNIT };
}

impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&decimal_text(self.nanos))
    }
}

impl Field for Exact {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        decimal(value).map(|nanos| Exact { nanos })
    }
    fn write(&self) -> Value {
        Value::String(decimal_text(self.nanos))
    }
}

impl Field for Price {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        decimal(value).map(Price::from_nanos)
    }
    fn write(&self) -> Value {
        Value::String(decimal_text(self.nanos()))
    }
}

impl Field for Money {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        decimal(value).map(Money::from_nanos)
    }
    fn write(&self) -> Value {
        Value::String(decimal_text(self.nanos()))
    }
}

const TIME_UNITS: [(&str, i64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// `"200us"`, `"1.5ms"`, `"10s"`: a number of ns, us, ms, s, min or h, exact to the nanosecond, at most 292 years.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    let mend = "write a number and its unit (ns, us, ms, s, min, h), like \"200us\" or \"1.5s\"";
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = if unit == "µs" { "us" } else { unit };
    let scale = TIME_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    let (Some(scale), Ok(value)) = (scale, parse_decimal(number.as_bytes())) else {
        return Err(Wrong::new(format!("{text:?} is not a span of time"), mend));
    };
    // |i64|·3.6e12 < 2^105
    let product = i128::from(value) * i128::from(scale);
    let unit_steps = i128::from(NANOS_PER_UNIT);
    if product % unit_steps != 0 {
        return Err(Wrong::new(format!("{text:?} is finer than a nanosecond"), "give whole nanoseconds"));
    }
    i64::try_from(product / unit_steps)
        .ok()
        .and_then(|nanos| u64::try_from(nanos).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| Wrong::new(format!("{text:?} is too long"), "give at most 292 years"))
}

/// With the largest unit that gives a whole number.
pub(crate) fn duration_text(span: Duration) -> String {
    let nanos = span.as_nanos();
    let (name, scale) = TIME_UNITS
        .iter()
        .rev()
        .map(|(name, scale)| (*name, *scale as u128))
        .find(|(_, scale)| nanos > 0 && nanos.is_multiple_of(*scale))
        .unwrap_or(("ns", 1));
    format!("{}{name}", nanos / scale)
}

impl Field for Duration {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend = "write it with its unit, like \"200us\", \"1ms\" or \"10s\"";
        parse_duration(text("a span of time", value, mend)?)
    }
    fn write(&self) -> Value {
        Value::String(duration_text(*self))
    }
}

impl Field for Durability {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend = "write \"process\", \"flush=20ms\" (more than 0, at most 3600s) or \"sync\"";
        let text = text("a durability", value, mend)?;
        Durability::parse(text).map_err(|_| Wrong::new(format!("{text:?} is not a durability"), mend))
    }
    fn write(&self) -> Value {
        Value::String(self.to_string())
    }
}

/// A span of the engine as one of ours; a negative one is none.
pub(crate) fn duration(span: Nanos) -> Duration {
    Duration::from_nanos(u64::try_from(span.get()).unwrap_or(0))
}

/// A span of ours for the engine, held at the end of its range.
pub(crate) fn nanos(span: Duration) -> Nanos {
    Nanos::new(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

/// An amount of memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Bytes(pub u64);

const BYTE_UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

impl Field for Bytes {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend = "write a whole number and its unit (B, KiB, MiB, GiB), like \"64MiB\"";
        let text = text("a size", value, mend)?;
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let scale = BYTE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        number
            .parse::<u64>()
            .ok()
            .zip(scale)
            .and_then(|(number, scale)| number.checked_mul(scale))
            .map(Bytes)
            .ok_or_else(|| Wrong::new(format!("{text:?} is not a size"), mend))
    }
    fn write(&self) -> Value {
        let whole =
            BYTE_UNITS.iter().take(3).rev().find(|(_, scale)| self.0 > 0 && self.0.is_multiple_of(*scale));
        let (name, scale) = whole.copied().unwrap_or(("B", 1));
        Value::String(format!("{}{name}", self.0 / scale))
    }
}

impl Field for Timestamp {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend =
            "write date, time and zone, like 2026-12-16T13:30:00+08:00 or \"2026-12-16T13:30[Asia/Taipei]\"";
        let written = match value {
            DeValue::Datetime(datetime) => datetime.to_string(),
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return Err(not_a("a date-time", value, mend)),
        };
        let zoned = if written.contains('[') {
            written.parse::<jiff::Zoned>().map(|zoned| zoned.timestamp())
        } else {
            written.parse()
        };
        zoned.map_err(|error| Wrong::new(format!("{written} is not a point in time: {error}"), mend))
    }
    fn write(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Field for Date {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend = "write it as 2019-12-30";
        let written = match value {
            DeValue::Datetime(datetime) if datetime.time.is_none() => datetime.to_string(),
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return Err(not_a("a date", value, mend)),
        };
        // jiff reads the date of a date-time, too; a date here is nothing but one.
        match written.parse::<Date>() {
            Ok(date) if written.len() == 10 => Ok(date),
            Ok(_) | Err(_) => Err(Wrong::new(format!("{written:?} is not a date"), mend)),
        }
    }
    fn write(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Field for Time {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend = "write hours and minutes of the calendar's time zone, like \"09:30\"";
        let written = match value {
            DeValue::Datetime(datetime) if datetime.date.is_none() => datetime.to_string(),
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return Err(not_a("a time of day", value, mend)),
        };
        let is_plain = written.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
        match written.parse::<Time>() {
            Ok(time) if is_plain && written.contains(':') => Ok(time),
            Ok(_) | Err(_) => Err(Wrong::new(format!("{written:?} is not a time of day"), mend)),
        }
    }
    fn write(&self) -> Value {
        let format =
            if self.second() == 0 && self.subsec_nanosecond() == 0 { "%H:%M" } else { "%H:%M:%S%.f" };
        Value::String(self.strftime(format).to_string())
    }
}

impl Field for Role {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let known = ["sequencer", "journal", "normalizer", "book", "strategies-0", "risk", "tap"];
        let text = text("the name of an agent", value, "put it into double quotes")?;
        text.parse().map_err(|_| Wrong::new(format!("unknown agent {text:?}"), did_you_mean(text, known)))
    }
    fn write(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, ReadError> {
        match value.get_ref().as_array() {
            Some(items) => items.iter().map(T::read).collect(),
            None => Err((value.span(), not_a("a list", value.get_ref(), "put it into brackets: [ … ]"))),
        }
    }
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value.as_array() {
            Some(items) => items.iter().map(|item| T::parse(item.get_ref())).collect(),
            None => Err(not_a("a list", value, "put it into brackets: [ … ]")),
        }
    }
    fn write(&self) -> Value {
        Value::Array(self.iter().map(T::write).collect())
    }
}

/// One of some words.
pub(crate) fn choose<T: Copy>(text: &str, choices: &[(&'static str, T)]) -> Result<T, Wrong> {
    choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        Wrong::new(
            format!("{text:?} is not a choice"),
            did_you_mean(text, names.iter().copied()).replacen("known are", "use one of", 1),
        )
    })
}

/// A closed set of words as a field.
macro_rules! choices {
    ($type:ty: $($name:literal => $value:expr),+ $(,)?) => {
        impl $crate::field::Field for $type {
            fn parse(value: &toml::de::DeValue<'_>) -> Result<Self, $crate::problem::Wrong> {
                $crate::field::choice_of(value, &[$(($name, $value)),+])
            }
            fn write(&self) -> toml::Value {
                let choices = [$(($name, $value)),+];
                let name = choices.iter().find(|(_, choice)| choice == self).map_or("", |(name, _)| *name);
                toml::Value::String(name.to_owned())
            }
        }
    };
}
pub(crate) use choices;

pub(crate) fn choice_of<T: Copy>(value: &DeValue<'_>, choices: &[(&'static str, T)]) -> Result<T, Wrong> {
    choose(text("one of some words", value, "put it into double quotes")?, choices)
}

/// Names of the idle strategies.
pub(crate) const IDLE_NAMES: [(&str, IdleStrategy); 4] = [
    ("spin", IdleStrategy::Spin),
    ("spin-hint", IdleStrategy::SpinHint),
    ("yield", IdleStrategy::Yield),
    ("park", IdleStrategy::Park),
];

impl Field for IdleStrategy {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        choice_of(value, &IDLE_NAMES)
    }
    fn write(&self) -> toml::Value {
        toml::Value::String(self.name().to_owned())
    }
}

choices!(StampMode: "all" => StampMode::All, "ends" => StampMode::Ends, "off" => StampMode::Off);

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Spanned<DeValue<'_>> {
        DeValue::parse(text).unwrap()
    }

    fn read<T: Field>(text: &str) -> Result<T, String> {
        T::read(&value(text)).map_err(|(_, wrong)| format!("{}; mend: {}", wrong.what, wrong.mend))
    }

    #[test]
    fn decimals_are_exact_and_floats_are_refused_with_the_text_to_write() {
        assert_eq!(read::<Price>("\"0.1\"").unwrap().nanos(), 100_000_000);
        assert_eq!(read::<Price>("25").unwrap().nanos(), 25_000_000_000);
        let refused = read::<Price>("0.1").unwrap_err();
        assert!(refused.ends_with("mend: write it as a string: \"0.1\""), "{refused}");
        assert!(read::<Price>("\"0.0000000001\"").unwrap_err().contains("at most 9 decimals"));
        assert!(read::<Price>("\"1e3\"").unwrap_err().contains("digits and a point only"));
    }

    #[test]
    fn durations_are_exact_and_need_a_unit() {
        assert_eq!(read::<Duration>("\"200us\"").unwrap(), Duration::from_micros(200));
        assert_eq!(read::<Duration>("\"1.5ms\"").unwrap(), Duration::from_micros(1_500));
        assert_eq!(read::<Duration>("\"2min\"").unwrap(), Duration::from_secs(120));
        assert!(read::<Duration>("200").unwrap_err().contains("\"200us\""));
        assert!(read::<Duration>("\"200\"").unwrap_err().contains("unit"));
        assert!(read::<Duration>("\"0.5ns\"").unwrap_err().contains("whole nanoseconds"));
        assert!(read::<Duration>("\"-1s\"").unwrap_err().contains("not a span"));
        assert!(read::<Duration>("\"9223372036h\"").unwrap_err().contains("too long"));
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        for text in ["200us", "1500us", "10s", "1ns", "3h", "0ns", "90min"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
        for text in ["64MiB", "8KiB", "1000B", "0B", "1GiB"] {
            assert_eq!(read::<Bytes>(&format!("{text:?}")).unwrap().write(), Value::String(text.to_owned()));
        }
    }

    #[test]
    fn a_point_in_time_needs_its_zone() {
        let expected: Timestamp = "2026-12-16T05:30:00Z".parse().unwrap();
        assert_eq!(read::<Timestamp>("2026-12-16T13:30:00+08:00").unwrap(), expected);
        assert_eq!(read::<Timestamp>("\"2026-12-16T13:30[Asia/Taipei]\"").unwrap(), expected);
        assert!(read::<Timestamp>("2026-12-16T13:30:00").unwrap_err().contains("zone"));
        assert!(read::<Timestamp>("2026-12-16").unwrap_err().contains("zone"));
    }

    #[test]
    fn dates_and_times_of_day_are_nothing_else() {
        assert_eq!(read::<Date>("2019-12-30").unwrap(), Date::constant(2019, 12, 30));
        assert_eq!(read::<Time>("\"09:30\"").unwrap(), Time::constant(9, 30, 0, 0));
        assert_eq!(read::<Time>("09:30:00").unwrap(), Time::constant(9, 30, 0, 0));
        for wrong in ["\"2019-12-30T10:00\"", "\"30.12.2019\"", "\"2019-13-01\"", "20191230"] {
            assert!(read::<Date>(wrong).is_err(), "{wrong}");
        }
        for wrong in ["\"24:00\"", "\"9\"", "\"0930\"", "\"2019-12-30T09:30\"", "930"] {
            assert!(read::<Time>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn whole_numbers_know_their_range() {
        assert_eq!(read::<usize>("0x10").unwrap(), 16);
        assert!(read::<usize>("-1").unwrap_err().contains("give 0 to"));
        assert!(read::<usize>("\"5\"").unwrap_err().contains("without quotes"));
        assert!(read::<u64>("9223372036854775808").is_err());
        assert!(read::<IdleStrategy>("\"spinn\"").unwrap_err().contains("did you mean \"spin\"?"));
        assert!(read::<StampMode>("\"none\"").unwrap_err().contains("use one of all, ends, off"));
    }
}
