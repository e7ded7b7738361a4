//! The market maker of the example configuration on a day of BTCUSDT, as it was captured.

use crate::setup::{THREE_CORES, digests, replay, run, session_of, text};
use crate::support::Program;
use serde_json::Value;
use spinward_engine::words::{Report, ReportKind, Side};
use spinward_recorder::{AuditReader, AuditRecord, SessionFolder};
use std::collections::BTreeSet;
use std::path::Path;

const CAPTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/binance/usdm_btcusdt_20240808.gz");
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/examples/binance-usdm-btcusdt.toml");

/// From the fills alone; money in nanos of USDT.
#[derive(Default, Debug)]
struct Fills {
    count: u64,
    bought: i64,
    sold: i64,
    /// Paid less received.
    spent: i128,
    fees: i128,
}

impl Fills {
    fn of(session: &Path) -> Self {
        let folder = SessionFolder::open(session).unwrap();
        let mut audit = AuditReader::open(&folder.audit()).unwrap();
        let mut seen = BTreeSet::new();
        let mut fills = Self::default();
        while let Some(record) = audit.next().unwrap() {
            if let AuditRecord::Report { report, .. } = record
                && report.kind() == Some(ReportKind::Filled)
            {
                assert!(seen.insert(report.exec.get()), "an execution comes once");
                fills.add(&report);
            }
        }
        assert!(audit.is_ended_by_writer());
        fills
    }

    fn add(&mut self, fill: &Report) {
        // A lot is 0.001 BTC and prices are multiples of 0.10 USDT: all divisions are exact.
        let notional = i128::from(fill.price.nanos()) * i128::from(fill.qty.lots()) / 1_000;
        let parts_per_10_000 = if fill.is_maker() { 2 } else { 5 };
        self.count += 1;
        self.fees += notional * parts_per_10_000 / 10_000;
        match fill.side().unwrap() {
            Side::Buy => (self.bought, self.spent) = (self.bought + fill.qty.lots(), self.spent + notional),
            Side::Sell => (self.sold, self.spent) = (self.sold + fill.qty.lots(), self.spent - notional),
        }
    }
}

fn number(row: &Value, key: &str) -> i128 {
    i128::from(row[key].as_i64().unwrap_or_else(|| panic!("{key} of {row}")))
}

#[test]
fn the_market_maker_trades_a_captured_day_and_its_books_are_right() {
    if !Path::new(CAPTURE).exists() {
        println!("SKIPPED: the session on a captured day needs {CAPTURE}");
        return;
    }
    let program = Program::new();
    let feed = format!("binance:{CAPTURE}");
    // The example as it is, but for its core map, so that the journal can be replayed with that map, too.
    let config = program.path("example.toml");
    let example = std::fs::read_to_string(EXAMPLE).unwrap();
    let with_map = example.replacen("[[instrument]]", &format!("{THREE_CORES}\n[[instrument]]"), 1);
    std::fs::write(&config, with_map).unwrap();

    let words = ["--config", text(&config), "--feed", &feed, "--pace", "max"];
    let summary = run(&program, &words);
    assert_eq!((summary["malformed"].as_u64(), summary["gaps"].as_u64()), (Some(0), Some(0)), "{summary}");
    assert_eq!(summary["trading_state"], "normal");
    for what in ["orders", "fills"] {
        assert!(summary[what].as_u64().unwrap() > 0, "{what}: {summary}");
    }

    let session = session_of(&program, &summary);
    let fills = Fills::of(&session);
    let positions = summary["positions"].as_array().unwrap();
    let [row] = &positions[..] else { panic!("one strategy, one instrument: {summary}") };
    println!("{} orders; {fills:?}; {row}", summary["orders"]);
    assert_eq!(summary["fills"], fills.count);
    assert_eq!(row["fills"], fills.count);
    assert_eq!(row["bought_lots"], fills.bought);
    assert_eq!(row["sold_lots"], fills.sold);
    assert_eq!(row["position_lots"], fills.bought - fills.sold, "the position is the sum of the fills");
    assert!(fills.fees > 0);
    assert_eq!(number(row, "fees_nanos"), fills.fees);
    assert_ne!(number(row, "net_nanos"), 0);
    assert_ne!(number(row, "realized_nanos"), 0);
    assert_eq!(
        number(row, "net_nanos"),
        number(row, "realized_nanos") + number(row, "unrealized_nanos") - fills.fees
    );
    // What was realized is what came in less what went out, but for the cost of the lots still held.
    let held = i128::from(fills.bought - fills.sold);
    let average =
        row["average_price"].as_str().map_or(0, |price| (price.parse::<f64>().unwrap() * 1e9) as i128);
    let off = number(row, "realized_nanos") + fills.spent - held * average / 1_000;
    assert!(off.abs() <= held.abs() * 1_000, "realized is off by {off} nanos");

    for topology in ["fused", "split", "custom"] {
        assert_eq!(digests(&replay(&program, &session, topology)), digests(&summary), "{topology}");
    }
    let fused = run(&program, &[&words[..], &["--topology", "fused"]].concat());
    assert_eq!(digests(&fused), digests(&summary), "the whole day, run again on one core");
}
