//! Databento's own reader (PyPI databento-dbn) decodes what is exported; books made of the orders are the books that are exported.

use crate::python::{json, python};
use crate::setup::{run, session_of, text};
use crate::support::Program;

/// Orders one by one into books; at each book of the other file, its ten levels must be these. The volume of trades, by both files that have them.
const READ: &str = r#"
import sys, json
from collections import defaultdict
from databento_dbn import DBNDecoder, Metadata, UNDEF_PRICE
def records(path):
    decoder = DBNDecoder()
    decoder.write(open(path, "rb").read())
    head, *rest = decoder.decode()
    return head, rest
head, orders = records(sys.argv[1])
_, books = records(sys.argv[2])
_, trades = records(sys.argv[3])
live, sides = {}, defaultdict(lambda: {"B": defaultdict(lambda: [0, 0]), "A": defaultdict(lambda: [0, 0])})
wanted, compared, different, volume, fills = {}, 0, [], 0, 0
for book in books:
    wanted[(book.instrument_id, book.sequence)] = book
for order in orders:
    action, side, key = str(order.action), str(order.side), (order.instrument_id, order.order_id)
    book = sides[order.instrument_id]
    if action == "A":
        live[key] = [side, order.price, order.size]
        level = book[side][order.price]
        level[0] += order.size
        level[1] += 1
    elif action == "C":
        of, price, left = live[key]
        assert (of, price) == (side, order.price) and order.size <= left, key
        live[key][2] -= order.size
        level = book[of][price]
        level[0] -= order.size
        if left == order.size:
            del live[key]
            level[1] -= 1
        if level == [0, 0]:
            del book[of][price]
    elif action == "T":
        volume += order.size
    elif action == "F":
        fills += 1
    if int(order.flags) & 128 and (order.instrument_id, order.sequence) in wanted:
        said = wanted[(order.instrument_id, order.sequence)]
        made = [[(p, *book[s][p]) for p in sorted(book[s], reverse=s == "B")[:5]] for s in "BA"]
        told = [[(l.bid_px, l.bid_sz, l.bid_ct) for l in said.levels if l.bid_px != UNDEF_PRICE],
                [(l.ask_px, l.ask_sz, l.ask_ct) for l in said.levels if l.ask_px != UNDEF_PRICE]]
        compared += 1
        if made != told:
            different.append([order.sequence, made, told])
print(json.dumps({
    "schema": [str(head.schema), head.dataset, len(head.symbols)], "orders": len(orders), "books": len(books), "trades": len(trades),
    "compared": compared, "different": different[:3], "volume": volume, "trade_volume": sum(t.size for t in trades), "fills": fills,
    "delay": sum(o.ts_recv - o.ts_event for o in orders) // len(orders),
}))
"#;

#[test]
fn books_that_databentos_reader_makes_of_the_orders_are_those_of_the_levels() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "2s", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let words =
        ["export", text(&session), "--to", "dbn", "--what", "events,book,trades", "--out", "dbn", "--json"];
    let report = program.run(&words).with_code(0).json();
    let records = |index: usize| report[index]["records"].as_u64().unwrap();
    assert!(records(0) > 10_000 && records(1) > 10_000 && records(2) > 100, "{report}");
    let Some(python) = python() else { return };
    let files = ["mbo", "mbp-10", "trades"].map(|name| program.path(format!("dbn/{name}.dbn")));
    let said = json(&python, READ, &[text(&files[0]), text(&files[1]), text(&files[2])]);
    assert_eq!(said["different"], serde_json::json!([]), "{said}");
    assert_eq!(said["schema"], serde_json::json!(["mbo", "SPINWARD", report[0]["symbols"]]));
    let counts = ["orders", "books", "trades"].map(|name| said[name].as_u64().unwrap());
    assert_eq!(counts, [records(0), records(1), records(2)]);
    assert!(said["compared"].as_u64().unwrap() > 10_000, "{said}");
    assert_eq!(said["volume"], said["trade_volume"]);
    assert!(said["fills"].as_u64().unwrap() > 100, "{said}");
}

#[test]
fn what_dbn_cannot_hold_is_refused_by_name() {
    let program = Program::new();
    let summary = run(&program, &["--duration", "100ms", "--pace", "max"]);
    let session = session_of(&program, &summary);
    let export = |words: &[&str]| {
        program.run(&[&["export", text(&session), "--to", "dbn", "--out", "dbn"], words].concat())
    };
    for (words, says) in
        [(["--what", "fills"], "--to dbn has no fills"), (["--symbol", "NONE"], "no instrument \"NONE\"")]
    {
        let ran = export(&words).with_code(2);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
    assert!(!program.path("dbn/mbo.dbn").exists());
}
