//! The control language: a line a command. The same lines stand in the configuration, come over the control socket, and are given to
//! [`super::RunningExchange::control`].
//!
//! | line | what it does |
//! |---|---|
//! | `drop\|duplicate\|reorder\|corrupt a\|b\|both P%` | of this part of the packets, drawn from the seed; `0%` ends it |
//! | `drop\|… a\|b\|both N` | of the next N packets |
//! | `delay a\|b\|both TIME [P%]` | packets (or a part of them) are late; `0ms` ends it |
//! | `stop a\|b\|both\|r`, `start …` | a line is silent; `r`: the retransmission server |
//! | `line a\|b ADDRESS` | another destination of a line |
//! | `disconnect USER\|*` | cuts the connection |
//! | `freeze USER\|* TIME` | the connection stays, and nothing is read from or written to it |
//! | `reject USER\|* N` | rejects the next N orders and replaces |
//! | `lose-ack USER\|* N` | after the next N orders cuts the connection before the answer leaves (it is in the stream at the next login) |
//! | `slow USER\|* fills\|all TIME` | executions (and what follows them), or all answers, are late; `0ms` ends it |
//! | `slow-snapshots TIME` | snapshots begin to leave so long after their login; `0ms` ends it |
//! | `restart [TIME]` | every socket closes and opens again after TIME (1 s); session, sequences, books and orders stay |
//! | `halt\|quote\|resume\|cross\|imbalance SYMBOL` | phases: halted, in a call, continuous, by a cross; tells the imbalance |
//! | `band SYMBOL LOWER UPPER` | limits up and down |
//! | `break SYMBOL MATCH` | a trade is void |
//! | `flow on\|off` | participants trade, or wait |
//! | `late on\|off` | orders for the close can not be cancelled any more |
//! | `end` | ends the day and the exchange |
//! | `faults off` | no faults any more |
//! | `status` | what it is and does |
//! | `at TIME …` | in the configuration: any of these, so long after the start |

use super::account::Slow;
use super::faults::{Chance, LineFault};
use crate::exchange::Price4;
use spinward_engine::words::{Nanos, parse_decimal};
use std::net::SocketAddr;

/// Of lines A and B, which are meant.
pub(super) type Lines = [bool; 2];

/// A command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Control {
    Status,
    Line(Lines, LineFault),
    Retransmission(bool),
    Destination(Lines, SocketAddr),
    /// `None`: every account's.
    Session(Option<String>, SessionFault),
    SlowSnapshots(Nanos),
    Restart(Nanos),
    Market(String, Market),
    Late(bool),
    Flow(bool),
    End,
    FaultsOff,
}

/// A fault of an account's session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SessionFault {
    Disconnect,
    Freeze(Nanos),
    Reject(u32),
    LoseAck(u32),
    Slow(Slow, Nanos),
}

/// What happens to a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Market {
    Halt,
    Quote,
    Resume,
    Cross,
    Imbalance,
    Band(Price4, Price4),
    Break(u64),
}

/// Why a line is not a command.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing on it.
    #[error("empty line; give a command such as `drop a 1%`, `halt SYMBOL` or `status`")]
    Empty,
    /// No such command.
    #[error(
        "unknown command `{0}`; give drop, duplicate, reorder, corrupt, delay, stop, start, line, disconnect, freeze, reject, lose-ack, slow, \
         slow-snapshots, restart, halt, quote, resume, cross, imbalance, band, break, flow, late, end, faults or status"
    )]
    Unknown(String),
    /// A word is missing.
    #[error("`{command}` needs {needed}")]
    Missing {
        /// The command.
        command: String,
        /// What.
        needed: &'static str,
    },
    /// A word that it cannot be.
    #[error("`{found}` is not {needed}")]
    Wrong {
        /// What stands there.
        found: String,
        /// What should.
        needed: &'static str,
    },
    /// More than the command takes.
    #[error("`{0}` is more than the command takes")]
    TooMuch(String),
    /// Not on the list.
    #[error("no {what} `{name}` here")]
    NotHere {
        /// What.
        what: &'static str,
        /// Which.
        name: String,
    },
    /// The exchange did not do it.
    #[error("{0}")]
    Refused(String),
    /// There is no exchange any more.
    #[error("the exchange has stopped")]
    Stopped,
}

const LINE: &str = "a, b or both";
const CHANCE: &str = "a part such as `2.5%`, or a number of packets";
const TIME: &str = "a time such as `500us`, `20ms` or `2s`, at most an hour";
const USER: &str = "a user, or `*` for all";
const COUNT: &str = "a number up to 1000000";

/// The words of a line, taken one after the other.
struct Words<'a> {
    command: &'a str,
    rest: std::str::SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    fn next(&mut self, needed: &'static str) -> Result<&'a str, ControlError> {
        let missing = || ControlError::Missing { command: self.command.to_owned(), needed };
        self.rest.next().ok_or_else(missing)
    }

    fn read<T>(&mut self, needed: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, ControlError> {
        let word = self.next(needed)?;
        read(word).ok_or_else(|| ControlError::Wrong { found: word.to_owned(), needed })
    }

    fn end(mut self) -> Result<(), ControlError> {
        self.rest.next().map_or(Ok(()), |word| Err(ControlError::TooMuch(word.to_owned())))
    }
}

/// Reads a line of the configuration: a time after the start, and the command.
pub(super) fn parse_timed(line: &str) -> Result<(Nanos, Control), ControlError> {
    match line.trim_start().strip_prefix("at ") {
        Some(rest) => {
            let rest = rest.trim_start();
            let (word, command) = rest.split_once(' ').unwrap_or((rest, ""));
            let wrong = || ControlError::Wrong { found: word.to_owned(), needed: TIME };
            Ok((time(word).ok_or_else(wrong)?, parse(command)?))
        }
        None => Ok((Nanos::ZERO, parse(line)?)),
    }
}

/// Whether a line could stand in the configuration.
///
/// # Errors
/// Why not.
pub fn check_fault(line: &str) -> Result<(), ControlError> {
    parse_timed(line).map(|_| ())
}

/// Reads one line.
pub(super) fn parse(line: &str) -> Result<Control, ControlError> {
    let mut rest = line.split_whitespace();
    let command = rest.next().ok_or(ControlError::Empty)?;
    let mut words = Words { command, rest };
    let control = match command {
        "status" => Control::Status,
        "end" => Control::End,
        "faults" => {
            words.read("`off`", |word| (word == "off").then_some(()))?;
            Control::FaultsOff
        }
        "drop" | "duplicate" | "reorder" | "corrupt" => {
            let lines = words.read(LINE, lines)?;
            let chance = words.read(CHANCE, chance)?;
            Control::Line(
                lines,
                match command {
                    "drop" => LineFault::Drop(chance),
                    "duplicate" => LineFault::Duplicate(chance),
                    "reorder" => LineFault::Reorder(chance),
                    _ => LineFault::Corrupt(chance),
                },
            )
        }
        "delay" => {
            let lines = words.read(LINE, lines)?;
            let time = words.read(TIME, time)?;
            let part = match words.rest.next() {
                Some(word) => part(word).ok_or_else(|| ControlError::Wrong {
                    found: word.to_owned(),
                    needed: "a part such as `2.5%`",
                })?,
                None => Chance::Ppm(1_000_000),
            };
            Control::Line(
                lines,
                LineFault::Delay(time, if time == Nanos::ZERO { Chance::Never } else { part }),
            )
        }
        "stop" | "start" => {
            let word = words.next("a, b, both or r")?;
            let is_on = command == "start";
            match lines(word) {
                Some(lines) => Control::Line(lines, if is_on { LineFault::Start } else { LineFault::Stop }),
                None if word == "r" => Control::Retransmission(is_on),
                None => {
                    return Err(ControlError::Wrong { found: word.to_owned(), needed: "a, b, both or r" });
                }
            }
        }
        "line" => {
            let lines = words.read("a or b", |word| lines(word).filter(|_| word != "both"))?;
            let address = words.read("an address such as 127.0.0.1:5000", |word| {
                word.parse().ok().filter(|address: &SocketAddr| address.is_ipv4() && address.port() > 0)
            })?;
            Control::Destination(lines, address)
        }
        "disconnect" | "freeze" | "reject" | "lose-ack" | "slow" => {
            let user = words.next(USER)?;
            let user = (user != "*").then(|| user.to_owned());
            let fault = match command {
                "disconnect" => SessionFault::Disconnect,
                "freeze" => SessionFault::Freeze(words.read(TIME, time)?),
                "reject" => SessionFault::Reject(words.read(COUNT, count)?),
                "lose-ack" => SessionFault::LoseAck(words.read(COUNT, count)?),
                _ => {
                    let what = words.read("fills or all", |word| match word {
                        "fills" => Some(Slow::Fills),
                        "all" => Some(Slow::All),
                        _ => None,
                    })?;
                    SessionFault::Slow(what, words.read(TIME, time)?)
                }
            };
            Control::Session(user, fault)
        }
        "slow-snapshots" => Control::SlowSnapshots(words.read(TIME, time)?),
        "restart" => match words.rest.next() {
            Some(word) => Control::Restart(
                time(word).ok_or_else(|| ControlError::Wrong { found: word.to_owned(), needed: TIME })?,
            ),
            None => Control::Restart(Nanos::from_secs(1)),
        },
        "halt" | "quote" | "resume" | "cross" | "imbalance" | "band" | "break" => {
            let symbol = words.next("a symbol")?.to_owned();
            let market = match command {
                "halt" => Market::Halt,
                "quote" => Market::Quote,
                "resume" => Market::Resume,
                "cross" => Market::Cross,
                "imbalance" => Market::Imbalance,
                "band" => Market::Band(
                    words.read("a lower and an upper price", price)?,
                    words.read("a lower and an upper price", price)?,
                ),
                _ => Market::Break(words.read("a match number", |word| word.parse().ok())?),
            };
            Control::Market(symbol, market)
        }
        "late" => Control::Late(words.read("on or off", switch)?),
        "flow" => Control::Flow(words.read("on or off", switch)?),
        unknown => return Err(ControlError::Unknown(unknown.to_owned())),
    };
    words.end()?;
    Ok(control)
}

fn lines(word: &str) -> Option<Lines> {
    match word {
        "a" => Some([true, false]),
        "b" => Some([false, true]),
        "both" => Some([true, true]),
        _ => None,
    }
}

fn switch(word: &str) -> Option<bool> {
    match word {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn count(word: &str) -> Option<u32> {
    word.parse().ok().filter(|count| *count <= 1_000_000)
}

fn chance(word: &str) -> Option<Chance> {
    match count(word) {
        Some(0) => Some(Chance::Never),
        Some(count) => Some(Chance::Next(count)),
        None => part(word),
    }
}

/// `2.5%` as parts of a million.
fn part(word: &str) -> Option<Chance> {
    let percent = parse_decimal(word.strip_suffix('%')?.as_bytes()).ok()?;
    // At most 100 with 9 decimals.
    let ppm = u32::try_from(percent / 100_000).ok().filter(|ppm| *ppm <= 1_000_000)?;
    Some(if ppm == 0 { Chance::Never } else { Chance::Ppm(ppm) })
}

fn price(word: &str) -> Option<Price4> {
    let nanos = parse_decimal(word.as_bytes()).ok()?;
    (nanos % 100_000 == 0).then_some(())?;
    u32::try_from(nanos / 100_000).ok().map(Price4::new)
}

/// At most an hour.
pub(super) fn time(word: &str) -> Option<Nanos> {
    let digits = word.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = word.split_at_checked(digits)?;
    let unit = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let nanos = number.parse::<i64>().ok()?.checked_mul(unit)?;
    (nanos <= 3_600_000_000_000).then_some(Nanos::new(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_say_what_they_mean() {
        let both = [true, true];
        for (line, control) in [
            ("drop a 1%", Control::Line([true, false], LineFault::Drop(Chance::Ppm(10_000)))),
            ("duplicate b 0.5%", Control::Line([false, true], LineFault::Duplicate(Chance::Ppm(5_000)))),
            ("reorder both 3", Control::Line(both, LineFault::Reorder(Chance::Next(3)))),
            ("corrupt both 0%", Control::Line(both, LineFault::Corrupt(Chance::Never))),
            (
                "delay both 2ms 10%",
                Control::Line(both, LineFault::Delay(Nanos::from_millis(2), Chance::Ppm(100_000))),
            ),
            ("delay both 0ms", Control::Line(both, LineFault::Delay(Nanos::ZERO, Chance::Never))),
            ("stop r", Control::Retransmission(false)),
            ("start a", Control::Line([true, false], LineFault::Start)),
            ("line b 10.0.0.1:7", Control::Destination([false, true], "10.0.0.1:7".parse().unwrap())),
            ("disconnect *", Control::Session(None, SessionFault::Disconnect)),
            ("freeze me 1s", Control::Session(Some("me".into()), SessionFault::Freeze(Nanos::from_secs(1)))),
            (
                "slow me fills 5us",
                Control::Session(Some("me".into()), SessionFault::Slow(Slow::Fills, Nanos::from_micros(5))),
            ),
            ("lose-ack me 2", Control::Session(Some("me".into()), SessionFault::LoseAck(2))),
            ("slow-snapshots 2s", Control::SlowSnapshots(Nanos::from_secs(2))),
            ("restart", Control::Restart(Nanos::from_secs(1))),
            (
                "band X 1.5 200",
                Control::Market("X".into(), Market::Band(Price4::new(15_000), Price4::new(2_000_000))),
            ),
            ("break X 7", Control::Market("X".into(), Market::Break(7))),
            ("late on", Control::Late(true)),
            ("flow off", Control::Flow(false)),
            ("  faults   off ", Control::FaultsOff),
        ] {
            assert_eq!(parse(line), Ok(control), "{line}");
        }
        assert_eq!(
            parse_timed("at 5s  restart 1s"),
            Ok((Nanos::from_secs(5), Control::Restart(Nanos::from_secs(1))))
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (line, says) in [
            ("", "empty line"),
            ("explode", "unknown command `explode`"),
            ("drop a", "`drop` needs a part"),
            ("drop a 101%", "`101%` is not a part"),
            ("drop a 1% more", "`more` is more than the command takes"),
            ("delay a 2h", "`2h` is not a time"),
            ("delay a 5", "`5` is not a time"),
            ("line both 1.2.3.4:5", "`both` is not a or b"),
            ("line a [::1]:5", "is not an address"),
            ("reject me 1000001", "is not a number"),
            ("band X 1.00001 2", "`1.00001` is not a lower"),
            ("at 5s", "empty line"),
            ("at soon restart", "`soon` is not a time"),
        ] {
            let told = parse_timed(line).unwrap_err().to_string();
            assert!(told.contains(says), "{line}: {told}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused_without_a_panic(line in "(at |drop |delay |band |slow |line |restart )?[ -~é%]{0,40}") {
            let _ = parse_timed(&line);
        }
    }
}
