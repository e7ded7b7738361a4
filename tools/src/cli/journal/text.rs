//! Frames and events as people and programs read them.

use serde_json::{Value, json};
use spinward_engine::words::{Command, Event, FrameKind, Instrument, RecoveredKind, RecoveredRecord, Report};
use spinward_recorder::{FrameRef, rfc3339};
use std::fmt::Write;

/// Name of a frame's kind, also of one that a later version has.
pub(super) fn kind_number_name(number: u8) -> String {
    FrameKind::EVERY
        .into_iter()
        .find(|kind| *kind as u8 == number)
        .map_or_else(|| format!("kind-{number}"), |kind| format!("{kind:?}").to_lowercase())
}

/// The payload as people read it: text as text, records by their fields, the rest in hexadecimal.
pub(super) fn payload(frame: &FrameRef<'_>) -> String {
    let bytes = frame.payload;
    match frame.kind() {
        Some(FrameKind::Report) => match bytemuck::try_pod_read_unaligned::<Report>(bytes) {
            Ok(report) => format!(
                "{} order {} price {} qty {} leaves {} code {}{}",
                report.kind().map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}").to_lowercase()),
                report.order,
                report.price,
                report.qty,
                report.leaves,
                report.code().name(),
                if report.is_from_risk() { " (risk)" } else { "" }
            ),
            Err(_) => hex(bytes),
        },
        Some(FrameKind::Operator) => match bytemuck::try_pod_read_unaligned::<Command>(bytes) {
            Ok(command) => format!(
                "{} by {}: {}",
                command.kind().map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}").to_lowercase()),
                command.owner,
                command.reason()
            ),
            Err(_) => hex(bytes),
        },
        Some(FrameKind::Recovery) => match bytemuck::try_pod_read_unaligned::<RecoveredRecord>(bytes) {
            Ok(record) if record.kind() == Some(RecoveredKind::StrategyState) => {
                format!("state of strategy {}, {} bytes", record.strategy, record.side_number)
            }
            Ok(record) => format!(
                "{} instrument {} order {} qty {}",
                record.kind().map_or_else(|| "?".to_owned(), |kind| format!("{kind:?}").to_lowercase()),
                record.instrument,
                record.order,
                record.qty
            ),
            Err(_) => hex(bytes),
        },
        Some(FrameKind::Market | FrameKind::Timer | FrameKind::LinkUp | FrameKind::LinkDown) | None => {
            let more = if frame.has_more() { " …" } else { "" };
            match std::str::from_utf8(bytes) {
                Ok(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') => {
                    format!("{text}{more}")
                }
                Ok(_) | Err(_) => format!("{}{more}", hex(bytes)),
            }
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A frame as a line of text.
pub(super) fn frame_line(frame: &FrameRef<'_>) -> String {
    format!(
        "{:>10}  {}  source {}  {:<9} {}",
        frame.sequence,
        rfc3339(frame.receive_time),
        frame.source.get(),
        kind_number_name(frame.kind_number),
        payload(frame)
    )
}

/// A frame as JSON.
pub(super) fn frame_json(frame: &FrameRef<'_>) -> Value {
    json!({
        "frame": frame.sequence,
        "receive_time_ns": frame.receive_time.get(),
        "source": frame.source.get(),
        "kind": kind_number_name(frame.kind_number),
        "more": frame.has_more(),
        "bytes": frame.payload.len(),
        "payload": hex(frame.payload),
    })
}

/// Name of an event's kind.
fn event_name(event: &Event) -> String {
    crate::cli::output::snake(&event.kind())
}

/// An event as a line of text.
pub(super) fn event_line(event: &Event, instrument: Option<&Instrument>) -> String {
    let side = event.side().map_or("", |side| match side {
        spinward_engine::words::Side::Buy => "buy",
        spinward_engine::words::Side::Sell => "sell",
    });
    format!(
        "{:>10}  {}  {:<16} {:<12} {:<4} price {} qty {} a {} b {}",
        event.frame,
        rfc3339(event.receive_time),
        event_name(event),
        instrument.map_or("*", |instrument| instrument.symbol.as_str()),
        side,
        event.price,
        event.qty,
        event.a,
        event.b
    )
}

/// An event as JSON; prices in 1e-9 of the currency, quantities in lots.
pub(super) fn event_json(event: &Event, instrument: Option<&Instrument>) -> Value {
    json!({
        "frame": event.frame,
        "receive_time_ns": event.receive_time.get(),
        "venue_time_ns": event.venue_time.get(),
        "event": event_name(event),
        "symbol": instrument.map(|instrument| instrument.symbol.as_str()),
        "side": event.side().map(|side| crate::cli::output::snake(&side)),
        "price_nanos": event.price.nanos(),
        "qty_lots": event.qty.lots(),
        "a": event.a,
        "b": event.b,
        "flags": event.flags,
    })
}
