//! Rows as a block of ClickHouse's Native format: column by column, as a batch has them.

use super::columns::{BLOCK, SESSION, type_of};
use crate::rows::{Batch, Cells, Kind, Names};
use std::ops::Range;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn string(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn words(out: &mut Vec<u8>, values: impl Iterator<Item = u64>) {
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// A `LowCardinality(String)` column: version of the keys, then (index type | the keys are here), the keys, the places.
fn low_cardinality<'a>(
    out: &mut Vec<u8>,
    keys: impl ExactSizeIterator<Item = &'a str>,
    places: impl ExactSizeIterator<Item = u32>,
) {
    const KEYS_ARE_HERE: u64 = 1 << 9;
    const UINT32: u64 = 2;
    words(out, [1, KEYS_ARE_HERE | UINT32, keys.len() as u64].into_iter());
    for key in keys {
        string(out, key);
    }
    words(out, [places.len() as u64].into_iter());
    for place in places {
        out.extend_from_slice(&place.to_le_bytes());
    }
}

/// The rows of `range` as a block, with the columns `session` and `block` before them.
pub(super) fn encode(
    out: &mut Vec<u8>,
    batch: &Batch,
    names: &Names,
    range: Range<usize>,
    session: &str,
    block: u64,
) {
    out.clear();
    let rows = range.len();
    varint(out, batch.cells().len() as u64 + 2);
    varint(out, rows as u64);
    string(out, SESSION);
    string(out, "LowCardinality(String)");
    low_cardinality(out, [session].into_iter(), std::iter::repeat_n(0, rows));
    string(out, BLOCK);
    string(out, "UInt64");
    words(out, std::iter::repeat_n(block, rows));
    for (column, cells) in batch.table().columns().iter().zip(batch.cells()) {
        string(out, column.name);
        string(out, type_of(column.kind));
        match cells {
            Cells::U64(cells) => words(out, part(cells, &range).iter().copied()),
            Cells::I64(cells) => words(out, part(cells, &range).iter().map(|cell| *cell as u64)),
            Cells::U32(cells) => {
                for cell in part(cells, &range) {
                    out.extend_from_slice(&cell.to_le_bytes());
                }
            }
            Cells::U16(cells) => {
                for cell in part(cells, &range) {
                    out.extend_from_slice(&cell.to_le_bytes());
                }
            }
            Cells::Bool(cells) => out.extend_from_slice(part(cells, &range)),
            Cells::Name(cells) => {
                let set = if let Kind::Name(set) = column.kind { names.of(set) } else { &[] };
                let places = part(cells, &range).iter().copied();
                low_cardinality(out, set.iter().map(String::as_str), places);
            }
            Cells::Code(cells) => {
                let set: &[&str] = if let Kind::Code(set) = column.kind { set } else { &[] };
                let places = part(cells, &range).iter().map(|place| u32::from(*place));
                low_cardinality(out, set.iter().copied(), places);
            }
            Cells::Text(cells) => part(cells, &range).iter().for_each(|text| string(out, text)),
            Cells::Levels { ends, values } => {
                let first = range.start.checked_sub(1).and_then(|row| ends.get(row)).copied().unwrap_or(0);
                let ends = part(ends, &range);
                words(out, ends.iter().map(|end| u64::from(end - first)));
                let last = ends.last().copied().unwrap_or(first);
                let values = values.get(first as usize..last as usize).unwrap_or(&[]);
                words(out, values.iter().map(|value| *value as u64));
            }
        }
    }
}

fn part<'a, T>(cells: &'a [T], range: &Range<usize>) -> &'a [T] {
    cells.get(range.clone()).unwrap_or(&[])
}
