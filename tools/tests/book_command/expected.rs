//! The files to compare with, read by other means than the program's.

use std::collections::BTreeMap;
use std::process::Command;

/// A CSV row with its header.
pub(crate) struct Row {
    header: csv::StringRecord,
    cells: csv::StringRecord,
}

impl Row {
    pub(crate) fn get(&self, column: &str) -> &str {
        let at = self.header.iter().position(|name| name == column).unwrap();
        self.cells.get(at).unwrap()
    }
}

pub(crate) fn rows_of(csv: &[u8]) -> impl Iterator<Item = Row> {
    let mut reader = csv::Reader::from_reader(csv);
    let header = reader.headers().unwrap().clone();
    reader.into_records().map(move |cells| Row { header: header.clone(), cells: cells.unwrap() })
}

/// Content of a gzip file.
pub(crate) fn unzip(path: &str) -> Vec<u8> {
    let output = Command::new("gzip").args(["-dc", path]).output().unwrap();
    assert!(output.status.success(), "gzip -dc {path}");
    output.stdout
}

/// A quote letter by letter: the venue's own way of writing counts.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Quote([String; 4]);

impl Quote {
    pub(crate) fn new(row: &Row, columns: [&str; 4]) -> Self {
        Self(columns.map(|column| row.get(column).to_owned()))
    }
}

/// A quote in numbers: prices in 1e-4, 0 with size 0 where a side is empty.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct BestOf {
    bid: (u64, u64),
    ask: (u64, u64),
}

impl BestOf {
    pub(crate) fn of_itch_book(row: &Row) -> Self {
        let number = |column| row.get(column).parse().unwrap();
        Self { bid: (number("bid_px"), number("bid_sz")), ask: (number("ask_px"), number("ask_sz")) }
    }

    /// Ours has four places (`21.3300`) and empty cells.
    pub(crate) fn of_ours(row: &Row) -> Self {
        let price = |column| match row.get(column) {
            "" => 0,
            text => {
                let (whole, places) = text.split_once('.').unwrap();
                assert_eq!(places.len(), 4, "{text}");
                format!("{whole}{places}").parse().unwrap()
            }
        };
        let qty = |column| match row.get(column) {
            "" => 0,
            text => text.parse().unwrap(),
        };
        Self { bid: (price("bid_price"), qty("bid_qty")), ask: (price("ask_price"), qty("ask_qty")) }
    }
}

/// Symbols by locate, from the Add Order messages (`A`, `F`; ITCH 5.0 §4.3: locate at offset 1, stock at offset 24).
pub(crate) fn itch_symbols(file: &[u8]) -> BTreeMap<u16, String> {
    let mut symbols = BTreeMap::new();
    let mut rest = file;
    while let [high, low, tail @ ..] = rest {
        let (message, next) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        if matches!(message.first(), Some(b'A' | b'F')) {
            let locate = u16::from_be_bytes([message[1], message[2]]);
            symbols
                .insert(locate, String::from_utf8(message[24..32].to_vec()).unwrap().trim_end().to_owned());
        }
        rest = next;
    }
    symbols
}
