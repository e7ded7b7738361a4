//! Rows as text: CSV and JSON lines. Numbers are whole, in the units of the columns.

use crate::rows::{Batch, Cells, Column, Kind, LEVELS, Names};
use std::io::{self, Write};

/// The header of a CSV file: a column of levels becomes one column a level, `bid_prices_1` the best.
pub(super) fn csv_header(columns: &[Column]) -> Vec<String> {
    let mut header = Vec::new();
    for column in columns {
        match column.kind {
            Kind::Levels => header.extend((1..=LEVELS).map(|level| format!("{}_{level}", column.name))),
            Kind::U64
            | Kind::U32
            | Kind::U16
            | Kind::I64
            | Kind::Time
            | Kind::Price
            | Kind::Qty
            | Kind::Money
            | Kind::Bool
            | Kind::Name(_)
            | Kind::Code(_)
            | Kind::Text => header.push(column.name.to_owned()),
        }
    }
    header
}

/// The word that stands in a cell of names or codes.
fn word<'a>(column: &Column, cells: &'a Cells, row: usize, names: &'a Names) -> &'a str {
    match (cells, column.kind) {
        (Cells::Name(cells), Kind::Name(set)) => {
            cells.get(row).and_then(|place| names.of(set).get(*place as usize)).map_or("", String::as_str)
        }
        (Cells::Code(cells), Kind::Code(set)) => {
            cells.get(row).and_then(|place| set.get(usize::from(*place))).copied().unwrap_or("")
        }
        (Cells::Text(cells), _) => cells.get(row).map_or("", String::as_str),
        (_, _) => "",
    }
}

/// A cell's number, as text into `buffer`; false if it is none.
fn number(cells: &Cells, row: usize, buffer: &mut Vec<u8>) -> io::Result<bool> {
    match cells {
        Cells::U64(cells) => write!(buffer, "{}", cells.get(row).copied().unwrap_or(0))?,
        Cells::U32(cells) => write!(buffer, "{}", cells.get(row).copied().unwrap_or(0))?,
        Cells::U16(cells) => write!(buffer, "{}", cells.get(row).copied().unwrap_or(0))?,
        Cells::I64(cells) => write!(buffer, "{}", cells.get(row).copied().unwrap_or(0))?,
        Cells::Bool(_) | Cells::Name(_) | Cells::Code(_) | Cells::Text(_) | Cells::Levels { .. } => {
            return Ok(false);
        }
    }
    Ok(true)
}

fn levels_of(ends: &[u32], values: &[i64], row: usize) -> impl Iterator<Item = i64> {
    let from = row.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0) as usize;
    let to = ends.get(row).copied().unwrap_or(0) as usize;
    values.get(from..to).unwrap_or(&[]).iter().copied()
}

/// Writes a batch as rows of a CSV.
pub(super) fn csv<W: Write>(to: &mut csv::Writer<W>, batch: &Batch, names: &Names) -> Result<(), csv::Error> {
    let mut buffer = Vec::with_capacity(32);
    for row in 0..batch.rows() {
        for (column, cells) in batch.table().columns().iter().zip(batch.cells()) {
            buffer.clear();
            if number(cells, row, &mut buffer)? {
                to.write_field(&buffer)?;
                continue;
            }
            match cells {
                Cells::Bool(cells) => {
                    to.write_field(if cells.get(row) == Some(&1) { "true" } else { "false" })?;
                }
                Cells::Levels { ends, values } => {
                    let mut levels = levels_of(ends, values, row);
                    for _ in 0..LEVELS {
                        buffer.clear();
                        if let Some(value) = levels.next() {
                            write!(buffer, "{value}")?;
                        }
                        to.write_field(&buffer)?;
                    }
                }
                Cells::U64(_)
                | Cells::U32(_)
                | Cells::U16(_)
                | Cells::I64(_)
                | Cells::Name(_)
                | Cells::Code(_)
                | Cells::Text(_) => to.write_field(word(column, cells, row, names))?,
            }
        }
        to.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

/// Writes a batch as JSON objects, one a line.
pub(super) fn jsonl<W: Write>(to: &mut W, batch: &Batch, names: &Names) -> io::Result<()> {
    let mut line = Vec::with_capacity(512);
    for row in 0..batch.rows() {
        line.clear();
        line.push(b'{');
        for (at, (column, cells)) in batch.table().columns().iter().zip(batch.cells()).enumerate() {
            if at > 0 {
                line.push(b',');
            }
            write!(line, "\"{}\":", column.name)?;
            if number(cells, row, &mut line)? {
                continue;
            }
            match cells {
                Cells::Bool(cells) => {
                    line.extend_from_slice(if cells.get(row) == Some(&1) { b"true" } else { b"false" });
                }
                Cells::Levels { ends, values } => {
                    line.push(b'[');
                    for (at, value) in levels_of(ends, values, row).enumerate() {
                        write!(line, "{}{value}", if at > 0 { "," } else { "" })?;
                    }
                    line.push(b']');
                }
                Cells::U64(_)
                | Cells::U32(_)
                | Cells::U16(_)
                | Cells::I64(_)
                | Cells::Name(_)
                | Cells::Code(_)
                | Cells::Text(_) => serde_json::to_writer(&mut line, word(column, cells, row, names))?,
            }
        }
        line.extend_from_slice(b"}\n");
        to.write_all(&line)?;
    }
    Ok(())
}
