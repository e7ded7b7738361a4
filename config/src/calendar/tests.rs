use super::*;
use crate::document::{Places, Source};
use crate::visit::{self, Reading};

fn calendar(text: &str) -> CalendarSettings {
    let source = Source::new("calendar.toml".into(), text);
    let table = source.parse().unwrap();
    let mut reading = Reading { source: &source, places: Places::of(&source), problems: Vec::new() };
    let mut settings = CalendarSettings::default();
    visit::read(&mut settings, &table, &mut reading);
    assert_eq!(reading.problems, []);
    settings
}

/// Seconds since the epoch, counted by hand from days: no time-zone code of any library.
fn utc(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> Nanos {
    // Days from 1970-01-01 by the proleptic Gregorian rule (March-based months).
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Nanos::from_secs(days * 86_400 + hour * 3_600 + minute * 60)
}

const NEW_YORK: &str = r#"
name = "nasdaq"
time_zone = "America/New_York"
sessions = [{ days = "mon-fri", open = "09:30", close = "16:00" }]
holidays = [2024-07-04]
early_closes = [{ date = 2024-07-03, close = "13:00" }]
"#;

const TAIPEI: &str = r#"
name = "taifex"
time_zone = "Asia/Taipei"
sessions = [
  { days = "mon-fri", open = "08:45", close = "13:45" },
  { days = "mon-fri", open = "15:00", close = "05:00" },
]
holidays = ["2024-10-10"]
"#;

#[track_caller]
fn edges(calendar: &SessionCalendar, open: Nanos, close: Nanos) {
    let just_before = |time: Nanos| Nanos::new(time.get() - 1);
    assert!(!calendar.is_open(just_before(open)), "open before it opens");
    assert!(calendar.is_open(open), "closed when it opens");
    assert!(calendar.is_open(just_before(close)), "closed before it closes");
    assert!(!calendar.is_open(close), "open when it closes");
}

#[test]
fn new_york_hours_move_with_summer_time() {
    let calendar = calendar(NEW_YORK).expand().unwrap();
    // 2024: summer time from March 10 to November 3. EST is UTC−5, EDT UTC−4.
    edges(&calendar, utc(2024, 3, 8, 14, 30), utc(2024, 3, 8, 21, 0));
    edges(&calendar, utc(2024, 3, 11, 13, 30), utc(2024, 3, 11, 20, 0));
    edges(&calendar, utc(2024, 11, 1, 13, 30), utc(2024, 11, 1, 20, 0));
    edges(&calendar, utc(2024, 11, 4, 14, 30), utc(2024, 11, 4, 21, 0));
    // The day of the ITCH sample.
    edges(&calendar, utc(2019, 12, 30, 14, 30), utc(2019, 12, 30, 21, 0));
    // A Saturday.
    assert!(!calendar.is_open(utc(2024, 3, 9, 15, 0)));
}

#[test]
fn holidays_and_early_closes_are_kept() {
    let calendar = calendar(NEW_YORK).expand().unwrap();
    edges(&calendar, utc(2024, 7, 3, 13, 30), utc(2024, 7, 3, 17, 0));
    assert!(!calendar.is_open(utc(2024, 7, 4, 15, 0)));
    edges(&calendar, utc(2024, 7, 5, 13, 30), utc(2024, 7, 5, 20, 0));
}

#[test]
fn taipei_night_session_crosses_midnight_and_has_no_summer_time() {
    let calendar = calendar(TAIPEI).expand().unwrap();
    // Taipei is UTC+8 all year.
    for (month, day) in [(1, 8), (7, 8)] {
        edges(&calendar, utc(2024, month, day, 0, 45), utc(2024, month, day, 5, 45));
        edges(&calendar, utc(2024, month, day, 7, 0), utc(2024, month, day, 21, 0));
    }
    // Friday's night ends on Saturday 05:00 Taipei; there is no session on Saturday.
    edges(&calendar, utc(2024, 7, 12, 7, 0), utc(2024, 7, 12, 21, 0));
    assert!(!calendar.is_open(utc(2024, 7, 13, 1, 0)));
    // The night before the holiday is traded to its end; nothing opens on the holiday.
    edges(&calendar, utc(2024, 10, 9, 7, 0), utc(2024, 10, 9, 21, 0));
    assert!(!calendar.is_open(utc(2024, 10, 10, 1, 0)) && !calendar.is_open(utc(2024, 10, 10, 8, 0)));
}

#[test]
fn an_early_close_ends_the_open_session_and_cancels_later_ones_of_the_day_but_not_the_next_trading_day() {
    let hours = r#"
        name = "x"
        time_zone = "UTC"
        sessions = [
          { days = "mon-fri", open = "09:00", close = "12:00" },
          { days = "mon-fri", open = "13:00", close = "16:00" },
          { days = "mon-fri", open = "17:00", close = "02:00" },
        ]
        early_closes = [{ date = 2024-07-03, close = "11:00" }, { date = 2024-07-10, close = "12:00" }]
    "#;
    let calendar = calendar(hours).expand().unwrap();
    edges(&calendar, utc(2024, 7, 3, 9, 0), utc(2024, 7, 3, 11, 0));
    assert!(!calendar.is_open(utc(2024, 7, 3, 14, 0)));
    edges(&calendar, utc(2024, 7, 3, 17, 0), utc(2024, 7, 4, 2, 0));
    edges(&calendar, utc(2024, 7, 10, 9, 0), utc(2024, 7, 10, 12, 0));
    assert!(!calendar.is_open(utc(2024, 7, 10, 14, 0)));
}

#[test]
fn the_years_stated_are_expanded_and_no_others() {
    let calendar = calendar(NEW_YORK).expand().unwrap();
    edges(&calendar, utc(2015, 1, 1, 14, 30), utc(2015, 1, 1, 21, 0));
    edges(&calendar, utc(2036, 12, 31, 14, 30), utc(2036, 12, 31, 21, 0));
    assert!(!calendar.is_open(utc(2014, 12, 30, 15, 0)) && !calendar.is_open(utc(2037, 1, 2, 15, 0)));
}

#[test]
fn overlapping_sessions_and_unknown_zones_are_refused() {
    let mut overlapping = calendar(TAIPEI);
    overlapping.sessions[1].close = overlapping.sessions[0].open.saturating_add(1.minute());
    let (key, wrong) = overlapping.expand().unwrap_err();
    assert!(key.starts_with("sessions[") && wrong.what.contains("overlaps"), "{key} {wrong:?}");
    let mut unknown = calendar(NEW_YORK);
    unknown.time_zone = "America/NewYork".to_owned();
    let (key, wrong) = unknown.expand().unwrap_err();
    assert_eq!((key.as_str(), wrong.mend.as_str()), ("time_zone", "did you mean \"America/New_York\"?"));
    unknown.time_zone = "EST5EDT4".to_owned();
    assert!(unknown.expand().is_err());
}

#[test]
fn days_wrap_round_the_week() {
    let parse = |text: &str| Days::parse(&DeValue::String(text.into()));
    let days = parse("sun-thu").unwrap();
    assert!(days.has(Weekday::Sunday) && days.has(Weekday::Thursday) && !days.has(Weekday::Friday));
    assert_eq!(days.write(), Value::String("mon,tue,wed,thu,sun".to_owned()));
    assert!(parse("mon-fry").is_err() && parse("").is_err());
}
