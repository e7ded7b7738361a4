//! Where messages begin and end in the bytes of a file.

use super::block::Entry;
use spinward_engine::words::Nanos;

/// Most bytes of framing round one message: a local time of 19 digits, a space and `\r\n`.
pub(super) const FRAMING_BYTES_MAX: usize = 22;

/// Bytes of an ITCH message up to the end of its time stamp.
const ITCH_HEADER_BYTES: usize = 11;

/// A time stamp past this is not one: a day, and the hour that autumn adds.
const ITCH_DAY_NANOS: i64 = 25 * 3_600 * 1_000_000_000;

/// Digits of the largest time.
const TIME_DIGITS_MAX: usize = 19;

/// How a file is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// Two bytes of big-endian length before each message; time stamp of six bytes at offset 5.
    Prefixed { midnight: Nanos },
    /// `<local ns> <message>\n`.
    Lines,
}

/// The bytes at hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    pub(super) data: &'a [u8],
    /// The file has no more.
    pub(super) is_last: bool,
    /// Longest message.
    pub(super) message_bytes_max: usize,
}

/// Why a file cannot be framed further; the caller adds file and place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FramingFault {
    pub(super) what: String,
}

/// What framing a piece came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Framed {
    /// Bytes that are done with.
    pub(super) consumed: usize,
    /// Lines that are done with.
    pub(super) lines: u64,
    /// At `consumed`.
    pub(super) fault: Option<FramingFault>,
}

/// One message, or why there is none.
enum Step {
    Message {
        entry: Entry,
        consumed: usize,
    },
    /// The rest means nothing and ends the file.
    End {
        consumed: usize,
    },
    /// The rest of the message is not here yet.
    More,
    Fault(String),
}

impl Framing {
    /// Puts the place of every whole message into `entries`, up to their capacity.
    pub(super) fn split(self, input: Input<'_>, entries: &mut Vec<Entry>) -> Framed {
        let mut framed = Framed { consumed: 0, lines: 0, fault: None };
        while framed.consumed < input.data.len() && entries.len() < entries.capacity() {
            let step = match self {
                Framing::Prefixed { midnight } => prefixed(input, framed.consumed, midnight),
                Framing::Lines => line(input, framed.consumed),
            };
            match step {
                Step::Message { entry, consumed } => {
                    entries.push(entry);
                    framed.consumed += consumed;
                    framed.lines += 1;
                }
                Step::End { consumed } => framed.consumed += consumed,
                Step::More => break,
                Step::Fault(what) => {
                    framed.fault = Some(FramingFault { what });
                    break;
                }
            }
        }
        framed
    }
}

fn prefixed(input: Input<'_>, at: usize, midnight: Nanos) -> Step {
    let rest = input.data.get(at..).unwrap_or(&[]);
    let Some(prefix) = rest.first_chunk::<2>() else {
        return match input.is_last {
            true => Step::Fault("the file is cut within the length of a message".to_owned()),
            false => Step::More,
        };
    };
    let length = usize::from(u16::from_be_bytes(*prefix));
    if length == 0 {
        return match (input.is_last, rest.len()) {
            (true, 2) => Step::End { consumed: 2 },
            (true, left) => Step::Fault(format!(
                "a message of length 0, which ends a file, but {} bytes follow",
                left - 2
            )),
            // Whether this is the end shows with the next bytes; a full block that begins here has some.
            (false, left) if left > 2 => {
                Step::Fault("a message of length 0, which ends a file, but bytes follow".to_owned())
            }
            (false, _) => Step::More,
        };
    }
    if length < ITCH_HEADER_BYTES {
        return Step::Fault(format!(
            "a message of {length} bytes; the shortest has {ITCH_HEADER_BYTES}: not an ITCH 5.0 file, or its framing is lost"
        ));
    }
    if length > input.message_bytes_max {
        return Step::Fault(format!(
            "a message of {length} bytes; the longest has {}",
            input.message_bytes_max
        ));
    }
    let Some(message) = rest.get(2..2 + length) else {
        return match input.is_last {
            true => Step::Fault(format!(
                "the file is cut: a message of {length} bytes has only {}",
                rest.len() - 2
            )),
            false => Step::More,
        };
    };
    let time = message
        .get(5..ITCH_HEADER_BYTES)
        .unwrap_or(&[])
        .iter()
        .fold(0i64, |time, &byte| time << 8 | i64::from(byte));
    if time > ITCH_DAY_NANOS {
        return Step::Fault(format!(
            "a message with the time stamp {time} ns after midnight, more than a day: not an ITCH 5.0 file, or its framing is lost"
        ));
    }
    let entry = Entry {
        receive_time: midnight.after(Nanos::new(time)),
        start: (at + 2) as u32,
        bytes: length as u32,
    };
    Step::Message { entry, consumed: 2 + length }
}

fn line(input: Input<'_>, at: usize) -> Step {
    let rest = input.data.get(at..).unwrap_or(&[]);
    let length_max = input.message_bytes_max + FRAMING_BYTES_MAX;
    let newline = rest.iter().take(length_max).position(|&b| b == b'\n');
    let (line, consumed) = match newline {
        Some(end) => (rest.get(..end).unwrap_or(&[]), end + 1),
        None if rest.len() >= length_max => {
            return Step::Fault(format!("a line of more than {} bytes", input.message_bytes_max));
        }
        None if !input.is_last => return Step::More,
        None => (rest, rest.len()),
    };
    let line_without_end = line.strip_suffix(b"\r").unwrap_or(line);
    if line_without_end.is_empty() && input.is_last && consumed == rest.len() {
        return Step::End { consumed };
    }
    let digits = line_without_end.iter().take_while(|b| b.is_ascii_digit()).count();
    let time = line_without_end
        .get(..digits)
        .unwrap_or(&[])
        .iter()
        .try_fold(0i64, |time, &byte| time.checked_mul(10)?.checked_add(i64::from(byte - b'0')));
    let is_cut = newline.is_none();
    let (Some(time), 1..=TIME_DIGITS_MAX, Some(b' ')) = (time, digits, line_without_end.get(digits)) else {
        return Step::Fault(match is_cut {
            true => "the file is cut within its last line".to_owned(),
            false => "a line that does not begin with a local time in nanoseconds and a space".to_owned(),
        });
    };
    let message = line_without_end.get(digits + 1..).unwrap_or(&[]);
    if is_cut && !is_whole_json(message) {
        return Step::Fault("the file is cut within its last line".to_owned());
    }
    if message.is_empty() {
        return Step::Fault("a line without a message after its local time".to_owned());
    }
    if message.len() > input.message_bytes_max {
        return Step::Fault(format!(
            "a message of {} bytes; the longest has {}",
            message.len(),
            input.message_bytes_max
        ));
    }
    let entry = Entry {
        receive_time: Nanos::new(time),
        start: (at + digits + 1) as u32,
        bytes: message.len() as u32,
    };
    Step::Message { entry, consumed }
}

/// Whether every bracket outside of strings is closed: a last line without `\n` may be whole.
fn is_whole_json(message: &[u8]) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0u32, false, false);
    for &byte in message {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => match depth.checked_sub(1) {
                Some(left) => depth = left,
                None => return false,
            },
            _ => {}
        }
    }
    !in_string && depth == 0 && matches!(message.last(), Some(b'}' | b']'))
}
