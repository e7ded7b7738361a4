//! The tables' columns as the server has them, made from [`Table::columns`].

#[cfg(test)]
use crate::rows::Column;
use crate::rows::{Kind, Table};

/// What is loaded, in this order: what a session is comes first, so that a reader finds the session of any row.
pub const LOADED_TABLES: [Table; 10] = [
    Table::Instruments,
    Table::Sessions,
    Table::MarketData,
    Table::Trades,
    Table::Orders,
    Table::Fills,
    Table::Verdicts,
    Table::Positions,
    Table::Latency,
    Table::Health,
];

/// The table's name on the server.
pub const fn server_table(table: Table) -> &'static str {
    match table {
        Table::Verdicts => "risk_log",
        Table::Events
        | Table::Book
        | Table::Trades
        | Table::Orders
        | Table::Fills
        | Table::Latency
        | Table::MarketData
        | Table::Positions
        | Table::Health
        | Table::Instruments
        | Table::Sessions => table.name(),
    }
}

/// Type of a column on the server.
pub(super) const fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::U64 => "UInt64",
        Kind::U32 => "UInt32",
        Kind::U16 => "UInt16",
        Kind::I64 | Kind::Price | Kind::Qty | Kind::Money => "Int64",
        Kind::Time => "DateTime64(9, 'UTC')",
        Kind::Bool => "Bool",
        Kind::Name(_) | Kind::Code(_) => "LowCardinality(String)",
        Kind::Text => "String",
        Kind::Levels => "Array(Int64)",
    }
}

/// How it is packed.
#[cfg(test)]
fn codec(column: &Column) -> &'static str {
    match column.kind {
        Kind::U64 if column.name == "sequence" || column.name == "frame" => "CODEC(DoubleDelta, LZ4)",
        Kind::Time => "CODEC(DoubleDelta, LZ4)",
        Kind::Price => "CODEC(Delta, LZ4)",
        Kind::U64 | Kind::U32 | Kind::I64 | Kind::Qty => "CODEC(T64, LZ4)",
        Kind::Money => "CODEC(Delta, ZSTD(1))",
        Kind::Levels => "CODEC(Delta(8), LZ4)",
        Kind::Text => "CODEC(ZSTD(1))",
        Kind::U16 | Kind::Bool | Kind::Name(_) | Kind::Code(_) => "",
    }
}

/// Columns of every table beside those of the description.
pub(super) const SESSION: &str = "session";
pub(super) const BLOCK: &str = "block";
pub(super) const LOADED: &str = "loaded";

/// Name and type of every column of a server's table, in order.
pub(super) fn server_columns(table: Table) -> Vec<(&'static str, &'static str)> {
    let mut columns = vec![(SESSION, "LowCardinality(String)"), (BLOCK, "UInt64")];
    columns.extend(table.columns().iter().map(|column| (column.name, type_of(column.kind))));
    columns.push((LOADED, "DateTime"));
    columns
}

/// The columns as they stand in the migration that makes the table: what a test holds that migration to.
#[cfg(test)]
pub(super) fn declarations(table: Table) -> String {
    let mut lines = vec![
        "    session LowCardinality(String)".to_owned(),
        "    block UInt64 CODEC(DoubleDelta, LZ4)".to_owned(),
    ];
    for column in table.columns() {
        let line = format!("    {} {} {}", quoted_name(column.name), type_of(column.kind), codec(column));
        let comment = if column.unit.is_empty() {
            String::new()
        } else {
            format!(" COMMENT '{}'", column.unit.replace('\'', "\\'"))
        };
        // A comment stands before the codec.
        let (head, codec) = match line.find("CODEC") {
            Some(at) => line.split_at(at),
            None => (line.as_str(), ""),
        };
        lines.push(format!("{}{comment} {codec}", head.trim_end()).trim_end().to_owned());
    }
    lines.push("    loaded DateTime DEFAULT now()".to_owned());
    lines.join(",\n")
}

/// `limit` and the like are words of SQL.
pub(super) fn quoted_name(name: &str) -> String {
    format!("`{name}`")
}
