//! [`Sums`]: rows and sums of every column, of the journal and of the server. Each cell is multiplied by its row's number, so rows that are missing,
//! doubled, exchanged or changed in any cell show, and in which column.

use super::client::{ClickHouse, ClickHouseError, quoted};
use super::columns::{LOADED_TABLES, SESSION, quoted_name, server_table};
use crate::rows::{Batch, Cells, Kind, Names, RowSink, Table};
use std::collections::BTreeMap;

/// Rows and sums (modulo 2^64) by table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sums {
    tables: BTreeMap<Table, (u64, Vec<u64>)>,
}

/// Where server and journal differ.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Difference {
    /// The table on the server.
    pub table: &'static str,
    /// `rows`, or the column.
    pub what: &'static str,
    /// By the journal.
    pub journal: u64,
    /// By the server.
    pub server: u64,
}

impl Sums {
    /// Rows of a table.
    pub fn rows(&self, table: Table) -> u64 {
        self.tables.get(&table).map_or(0, |(rows, _)| *rows)
    }

    /// Everything in which the server's sums are not these.
    pub fn differences(&self, server: &Sums) -> Vec<Difference> {
        let mut differences = Vec::new();
        let nothing = (0, Vec::new());
        for table in LOADED_TABLES {
            let (mine, theirs) =
                [self, server].map(|sums| sums.tables.get(&table).unwrap_or(&nothing)).into();
            let mut compare = |what, journal, server| {
                if journal != server {
                    differences.push(Difference { table: server_table(table), what, journal, server });
                }
            };
            compare("rows", mine.0, theirs.0);
            for (at, column) in table.columns().iter().enumerate() {
                let sum = |sums: &Vec<u64>| sums.get(at).copied().unwrap_or(0);
                compare(column.name, sum(&mine.1), sum(&theirs.1));
            }
        }
        differences
    }

    fn add(&mut self, batch: &Batch, names: &Names) {
        let columns = batch.table().columns();
        let (rows, sums) = self.tables.entry(batch.table()).or_insert_with(|| (0, vec![0; columns.len()]));
        *rows += batch.rows() as u64;
        let Some(Cells::U64(sequences)) = batch.cells().first() else { return };
        for ((column, cells), sum) in columns.iter().zip(batch.cells()).zip(sums) {
            *sum = sum.wrapping_add(column_sum(column.kind, cells, sequences, names));
        }
    }
}

fn weighted(values: impl Iterator<Item = u64>, sequences: &[u64]) -> u64 {
    values
        .zip(sequences)
        .fold(0, |sum, (value, row)| sum.wrapping_add(value.wrapping_add(1).wrapping_mul(*row)))
}

fn column_sum(kind: Kind, cells: &Cells, sequences: &[u64], names: &Names) -> u64 {
    let of_words = |words: Vec<u64>, places: &mut dyn Iterator<Item = usize>| {
        weighted(places.map(|place| words.get(place).copied().unwrap_or(0)), sequences)
    };
    let crc = |text: &str| u64::from(crc32fast::hash(text.as_bytes()));
    match cells {
        Cells::U64(cells) => weighted(cells.iter().copied(), sequences),
        Cells::I64(cells) => weighted(cells.iter().map(|cell| *cell as u64), sequences),
        Cells::U32(cells) => weighted(cells.iter().map(|cell| u64::from(*cell)), sequences),
        Cells::U16(cells) => weighted(cells.iter().map(|cell| u64::from(*cell)), sequences),
        Cells::Bool(cells) => weighted(cells.iter().map(|cell| u64::from(*cell)), sequences),
        Cells::Text(cells) => weighted(cells.iter().map(|text| crc(text)), sequences),
        Cells::Name(cells) => {
            let set = if let Kind::Name(set) = kind { names.of(set) } else { &[] };
            let words = set.iter().map(|name| crc(name)).collect();
            of_words(words, &mut cells.iter().map(|place| *place as usize))
        }
        Cells::Code(cells) => {
            let set: &[&str] = if let Kind::Code(set) = kind { set } else { &[] };
            of_words(
                set.iter().map(|word| crc(word)).collect(),
                &mut cells.iter().map(|place| usize::from(*place)),
            )
        }
        Cells::Levels { ends, values } => {
            let mut from = 0;
            let rows = ends.iter().map(|end| {
                let levels = values.get(from..*end as usize).unwrap_or(&[]);
                from = *end as usize;
                (1..)
                    .zip(levels)
                    .fold(0u64, |sum, (place, level)| sum.wrapping_add((*level as u64).wrapping_mul(place)))
            });
            weighted(rows, sequences)
        }
    }
}

impl RowSink for Sums {
    fn rows(
        &mut self,
        batch: &mut Batch,
        names: &Names,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.add(batch, names);
        Ok(())
    }
}

/// The value of a cell as the sums see it, in SQL.
fn value_of(name: &str, kind: Kind) -> String {
    let name = quoted_name(name);
    match kind {
        Kind::U64 | Kind::U32 | Kind::U16 | Kind::Bool => format!("toUInt64({name})"),
        Kind::I64 | Kind::Price | Kind::Qty | Kind::Money => format!("reinterpretAsUInt64({name})"),
        Kind::Time => format!("reinterpretAsUInt64(toUnixTimestamp64Nano({name}))"),
        Kind::Name(_) | Kind::Code(_) | Kind::Text => format!("toUInt64(CRC32(toString({name})))"),
        Kind::Levels => format!(
            "arraySum((level, place) -> reinterpretAsUInt64(level) * toUInt64(place), {name}, arrayEnumerate({name}))"
        ),
    }
}

/// The same sums, by the server.
///
/// # Errors
/// The server's.
pub fn server_sums(server: &ClickHouse, session: &str) -> Result<Sums, ClickHouseError> {
    let mut sums = Sums::default();
    for table in LOADED_TABLES {
        let columns: Vec<String> = table
            .columns()
            .iter()
            .map(|column| format!("sum((({}) + 1) * sequence)", value_of(column.name, column.kind)))
            .collect();
        let sql = format!(
            "SELECT count(), {} FROM {}.{} WHERE {SESSION} = {} FORMAT TSV",
            columns.join(", "),
            server.database(),
            server_table(table),
            quoted(session)
        );
        let answer = server.query(&sql)?;
        let numbers: Option<Vec<u64>> = answer.trim().split('\t').map(|cell| cell.parse().ok()).collect();
        let Some((rows, columns)) = numbers.as_deref().and_then(<[u64]>::split_first) else {
            return Err(ClickHouseError::Answer { answer, query: sql });
        };
        if *rows > 0 {
            sums.tables.insert(table, (*rows, columns.to_vec()));
        }
    }
    Ok(sums)
}
