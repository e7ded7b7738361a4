//! Human output: aligned, short, in units people use.

use std::io::Write;

/// Prints a line to the standard output; a closed pipe (`| head`) ends the process quietly.
pub(crate) fn line(text: impl std::fmt::Display) {
    if writeln!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// `FirstWord` as `first_word`.
pub(crate) fn snake(name: &impl std::fmt::Debug) -> String {
    let mut text = String::new();
    for (index, letter) in format!("{name:?}").chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// Nanoseconds in the unit that reads best: `87 ns`, `1.24 µs`, `3.05 ms`, `2.0 s`.
pub(crate) fn nanos(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} ns"),
        1_000..1_000_000 => format!("{:.2} µs", value as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", value as f64 / 1e6),
        1_000_000_000.. => format!("{:.2} s", value as f64 / 1e9),
    }
}

/// A count with thousands separated: `1,234,567`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count, signed.
pub(crate) fn signed(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", count(value.unsigned_abs()))
}

/// Money in units of 1e-9, to two decimals, toward zero, thousands separated: for the eye; JSON has it exact.
pub(crate) fn money(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let cents = value.unsigned_abs() / 10_000_000;
    format!("{sign}{}.{:02}", count(cents / 100), cents % 100)
}

/// Bytes: `512 B`, `1.5 MiB`.
pub(crate) fn bytes(value: u64) -> String {
    match value {
        0..1_024 => format!("{value} B"),
        1_024..1_048_576 => format!("{:.1} KiB", value as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", value as f64 / 1_048_576.0),
        1_073_741_824.. => format!("{:.2} GiB", value as f64 / 1_073_741_824.0),
    }
}

/// Rows of text in columns: the first column to the left, the others to the right.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { rows: vec![header.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut text = String::from("  ");
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if index == 0 {
                    text.push_str(&format!("{cell:<width$}"));
                } else {
                    text.push_str(&format!("  {cell:>width$}"));
                }
            }
            line(text.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(signed(-1_234), "-1,234");
        assert_eq!(money(-1_234_567_890_000), "-1,234.56");
        assert_eq!(money(9_999_999), "0.00");
        assert_eq!(nanos(999), "999 ns");
        assert_eq!(nanos(1_240), "1.24 µs");
        assert_eq!(bytes(1_572_864), "1.5 MiB");
        assert_eq!(snake(&std::sync::atomic::Ordering::SeqCst), "seq_cst");
    }
}
