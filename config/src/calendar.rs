//! Session calendars: opening hours in the venue's time zone, expanded to intervals of UTC so that the pipeline needs no time-zone rules.

use crate::field::Field;
use crate::problem::Wrong;
use crate::visit::{Section, Visitor};
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use spinward_engine::words::{Nanos, SessionCalendar};
use toml::Value;
use toml::de::DeValue;

/// The calendar that every file may name without defining it: open at all times.
pub const ALWAYS: &str = "always";

/// First year that is expanded; before it a calendar is closed.
pub const FIRST_YEAR: i16 = 2015;

/// Last year that is expanded; after it a calendar is closed.
pub const LAST_YEAR: i16 = 2036;

/// Days of the week, as `"mon-fri"`, `"sat"` or `"sun,mon-thu"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Days {
    /// Bit k: the k-th day, Monday 0.
    bits: u8,
}

const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// Whether the day is one of them.
    pub fn has(self, day: Weekday) -> bool {
        self.bits & (1 << day.to_monday_zero_offset()) != 0
    }
}

impl Field for Days {
    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let mend = "write days as \"mon-fri\", \"sat\" or \"sun,mon-thu\"";
        let wrong = |what: &str| Wrong::new(format!("{what:?} is no list of days"), mend);
        let text = value.as_str().ok_or_else(|| wrong(value.type_str()))?;
        let day = |name: &str| {
            let name = name.trim().to_ascii_lowercase();
            DAY_NAMES.iter().position(|day| *day == name).ok_or_else(|| wrong(text))
        };
        let mut bits = 0u8;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut at, last) = (day(first)?, day(last)?);
            bits |= 1 << at;
            while at != last {
                at = (at + 1) % 7;
                bits |= 1 << at;
            }
        }
        Ok(Self { bits })
    }
    fn write(&self) -> Value {
        let names: Vec<&str> = DAY_NAMES
            .iter()
            .enumerate()
            .filter(|(k, _)| self.bits & (1 << k) != 0)
            .map(|(_, d)| *d)
            .collect();
        Value::String(names.join(","))
    }
}

/// One session of a day.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionHours {
    /// Days on which it opens.
    pub days: Days,
    /// When it opens, in the calendar's time zone.
    pub open: Time,
    /// When it closes; at or before `open` it is a time of the next day.
    pub close: Time,
}

impl SessionHours {
    fn crosses_midnight(&self) -> bool {
        self.close <= self.open
    }
}

impl Section for SessionHours {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required(
            "days",
            "write the days on which the session opens, like \"mon-fri\"",
            &mut self.days,
        );
        visitor.required("open", "write when it opens, like \"09:30\"", &mut self.open);
        visitor.required("close", "write when it closes, like \"16:00\"", &mut self.close);
    }
}

/// A day that ends early.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EarlyClose {
    /// The day.
    pub date: Date,
    /// When its trading ends. The session that is open then ends; later ones of the day do not take place, but those that cross
    /// midnight (they belong to the next trading day).
    pub close: Time,
}

impl Section for EarlyClose {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("date", "write the day, like 2024-07-03", &mut self.date);
        visitor.required("close", "write when it closes, like \"13:00\"", &mut self.close);
    }
}

/// When a venue is open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CalendarSettings {
    /// What instruments call it.
    pub name: String,
    /// IANA name of the time zone, such as `America/New_York`.
    pub time_zone: String,
    /// The sessions of a week.
    pub sessions: Vec<SessionHours>,
    /// Days on which no session opens. (One that opened the evening before goes on: use an early close if it does not.)
    pub holidays: Vec<Date>,
    /// Days that end early.
    pub early_closes: Vec<EarlyClose>,
}

impl Section for CalendarSettings {
    fn visit(&mut self, visitor: &mut Visitor<'_, '_>) {
        visitor.required("name", "give the calendar a name that instruments can use", &mut self.name);
        visitor.required(
            "time_zone",
            "write the IANA name of the venue's time zone, like \"America/New_York\"",
            &mut self.time_zone,
        );
        visitor.sections("sessions", &mut self.sessions);
        visitor.key("holidays", &mut self.holidays);
        visitor.sections("early_closes", &mut self.early_closes);
    }
}

/// Why a calendar cannot be expanded: the key below the calendar, and what is wrong with it.
pub(crate) type CalendarProblem = (String, Wrong);

impl CalendarSettings {
    /// All sessions that open in [`FIRST_YEAR`] to [`LAST_YEAR`], as intervals of UTC. Where a clock is set forward over an opening or
    /// closing time, that time is taken with the offset from before; where it is set back, the first of both.
    pub(crate) fn expand(&self) -> Result<SessionCalendar, CalendarProblem> {
        let zone = TimeZone::get(&self.time_zone).map_err(|_| {
            let what = format!("time zone {:?} is unknown", self.time_zone);
            ("time_zone".to_owned(), Wrong::new(what, zone_mend(&self.time_zone)))
        })?;
        if self.sessions.is_empty() {
            let mend = format!("add sessions, or let instruments use the calendar {ALWAYS:?}");
            return Err(("sessions".to_owned(), Wrong::new("the calendar has no sessions", mend)));
        }
        let mut intervals: Vec<(Nanos, Nanos, usize)> = Vec::new();
        // One day earlier, for sessions that cross midnight into the first year.
        let mut date = Date::constant(FIRST_YEAR - 1, 12, 31);
        while date.year() <= LAST_YEAR {
            for (index, session) in self.sessions.iter().enumerate() {
                if session.days.has(date.weekday())
                    && !self.holidays.contains(&date)
                    && let Some((open, close)) = self.session_on(date, session, &zone)
                {
                    intervals.push((open, close, index));
                }
            }
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        intervals.sort_unstable();
        if let Some((earlier, later)) =
            intervals.iter().zip(intervals.iter().skip(1)).find(|(earlier, later)| later.0 < earlier.1)
        {
            let opens = Timestamp::from_nanosecond(i128::from(later.0.get()))
                .map_or_else(|_| String::new(), |time| time.to_zoned(zone.clone()).to_string());
            let what = format!("the session that opens {opens} overlaps sessions[{}]", earlier.2);
            let mend = "let one close before the other opens";
            return Err((format!("sessions[{}]", later.2), Wrong::new(what, mend)));
        }
        let plain: Vec<(Nanos, Nanos)> = intervals.iter().map(|(open, close, _)| (*open, *close)).collect();
        SessionCalendar::new(&plain).ok_or_else(|| {
            let mend = "take away holidays, or add days";
            ("sessions".to_owned(), Wrong::new("the calendar is never open", mend))
        })
    }

    /// `[open, close)` of the session on this day; `None` if an early close takes all of it.
    fn session_on(&self, date: Date, session: &SessionHours, zone: &TimeZone) -> Option<(Nanos, Nanos)> {
        let close_date = if session.crosses_midnight() { date.checked_add(1.day()).ok()? } else { date };
        let open = instant(date, session.open, zone)?;
        let mut close = instant(close_date, session.close, zone)?;
        for early in &self.early_closes {
            let at = instant(early.date, early.close, zone)?;
            if open < at && at < close {
                close = at;
            } else if early.date == date && at <= open && !session.crosses_midnight() {
                return None;
            }
        }
        (open < close).then_some((open, close))
    }
}

fn instant(date: Date, time: Time, zone: &TimeZone) -> Option<Nanos> {
    let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok().map(Nanos::new)
}

fn zone_mend(name: &str) -> String {
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    match crate::problem::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "use an IANA name, like \"America/New_York\", \"Asia/Taipei\" or \"UTC\"".to_owned(),
    }
}

#[cfg(test)]
mod tests;
