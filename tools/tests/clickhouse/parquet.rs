//! ClickHouse reads the Parquet that `spinward export` writes.

use crate::server::Server;
use crate::setup::{run, session_of, text};
use crate::support::Program;

#[test]
fn clickhouse_reads_from_parquet_what_it_was_sent_in_its_own_format() {
    let program = Program::new();
    let Some(server) = Server::start(&program, "parquet") else { return };
    let summary = run(&program, &["--duration", "1s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    program.run(&server.words("migrate", None)).with_code(0);
    program.run(&server.words("load", Some(&session))).with_code(0);
    let words =
        ["export", text(&session), "--to", "parquet", "--what", "events,fills", "--out", "out", "--json"];
    program.run(&words).with_code(0);

    let events = "sequence UInt64, frame UInt64, receive_time DateTime64(9), symbol String, kind String, side String, price Int64, qty Int64, \
                  a UInt64, b UInt64, flags UInt16";
    let fills = "sequence UInt64, receive_time DateTime64(9), symbol String, price Int64, qty Int64, fee Int64, decision_mid Int64";
    for (table, own, columns) in [("events", "market_data", events), ("fills", "fills", fills)] {
        server.ask(&format!("CREATE TABLE hft.read_{table} ({columns}) ENGINE = Memory"));
        let file = std::fs::read(program.path(format!("out/{table}-00000.parquet"))).unwrap();
        let sql = format!("INSERT INTO {}.read_{table} FORMAT Parquet", server.database);
        server.client().insert(&sql, &[], &file).unwrap();
        let names: Vec<&str> = columns.split(", ").filter_map(|column| column.split(' ').next()).collect();
        let cells: Vec<String> = names.iter().map(|name| format!("toString({name})")).collect();
        let sums = |from: &str| {
            let sql = format!("SELECT count(), sum(cityHash64({})) FROM hft.{from}", cells.join(", "));
            server.ask(&sql)
        };
        let read = sums(&format!("read_{table}"));
        assert_eq!(read, sums(own), "{table}");
        assert!(!read.starts_with("0\t"), "{table}: {read}");
    }
}
