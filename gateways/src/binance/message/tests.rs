use super::*;
use crate::binance::number::Lot;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn read_fresh(bytes: &[u8]) -> (Result<Fields, Fault>, Levels) {
    let mut levels = Levels::new();
    let fields = read(bytes, &mut levels);
    (fields, levels)
}

/// Levels as prices and quantities in units of 1e-9.
fn plain(levels: &[Level]) -> Vec<(i64, i64)> {
    let lots = |level: &Level| Lot::Decimals(9).lots(level.qty_mantissa, level.qty_decimals).unwrap().lots();
    levels.iter().map(|level| (level.price.nanos(), lots(level))).collect()
}

fn nanos(text: &str) -> i64 {
    Price::parse(text).unwrap().nanos()
}

/// The venue's diff of these levels, its fields in any order, perhaps with unknown ones between.
fn diff() -> impl Strategy<Value = (Json, Vec<String>)> {
    let decimal = "[0-9]{1,9}(\\.[0-9]{1,9})?";
    let side = prop::collection::vec((decimal, decimal), 0..12);
    let keys = ["e", "E", "T", "s", "U", "u", "pu", "b", "a", "zz", "nested"].map(str::to_owned).to_vec();
    (side.clone(), side, any::<[u64; 5]>(), Just(keys).prop_shuffle()).prop_map(|(bids, asks, n, order)| {
        let message = json!({
            "e": "depthUpdate", "E": n[0], "T": n[1], "s": "BTCUSDT", "U": n[2], "u": n[3], "pu": n[4], "b": bids, "a": asks,
            "zz": [null, -1.5e3, {"b": [["1", "2"]], "u": 7}], "nested": {"s": "X", "deep": [[], {}]},
        });
        (message, order)
    })
}

/// Written by hand, so that the order holds; `is_pretty` puts white space wherever it may stand.
fn written(
    message: &Json,
    order: &[String],
    is_enveloped: bool,
    is_data_first: bool,
    is_pretty: bool,
) -> String {
    let one = |value: &Json| if is_pretty { format!("{value:#}") } else { value.to_string() };
    let fields: Vec<String> = order.iter().map(|key| format!("\"{key}\":{}", one(&message[key]))).collect();
    let space = if is_pretty { " \r\n\t" } else { "" };
    let payload = format!("{{{space}{}{space}}}", fields.join(&format!("{space},{space}")));
    let stream = "\"stream\":\"btcusdt@depth\"";
    match (is_enveloped, is_data_first) {
        (false, _) => payload,
        (true, true) => format!("{{\"data\":{payload},{stream},\"u\":1}}"),
        (true, false) => format!("{{\"e\":\"x\",{space}{stream}{space},\"data\":{payload}}}"),
    }
}

proptest! {
    #[test]
    fn a_diff_is_read_as_by_serde_json(
        (message, order) in diff(), is_enveloped in any::<bool>(), is_data_first in any::<bool>(), is_pretty in any::<bool>()
    ) {
        let text = written(&message, &order, is_enveloped, is_data_first, is_pretty);
        prop_assert!(serde_json::from_str::<Json>(&text).is_ok());
        let (fields, levels) = read_fresh(text.as_bytes());
        let fields = fields.unwrap();
        prop_assert_eq!(fields.is_enveloped, is_enveloped);
        prop_assert_eq!(fields.event_time, message["E"].as_u64());
        prop_assert_eq!(fields.transaction_time, message["T"].as_u64());
        prop_assert_eq!(fields.first, message["U"].as_u64());
        prop_assert_eq!(fields.last, message["u"].as_u64());
        prop_assert_eq!(fields.previous, message["pu"].as_u64());
        prop_assert_eq!(&text[fields.symbol.start()..fields.symbol.end()], "BTCUSDT");
        prop_assert_eq!(&text[fields.kind.start()..fields.kind.end()], "depthUpdate");
        for (side, key) in [(fields.bid, "b"), (fields.ask, "a")] {
            let expected: Vec<(i64, i64)> = message[key].as_array().unwrap().iter()
                .map(|level| (nanos(level[0].as_str().unwrap()), nanos(level[1].as_str().unwrap())))
                .collect();
            prop_assert_eq!(plain(levels.side(side)), expected);
        }
    }

    #[test]
    fn a_cut_diff_is_a_fault_at_every_place((message, order) in diff(), cut in any::<prop::sample::Index>()) {
        let text = written(&message, &order, true, false, false);
        let (fields, _) = read_fresh(&text.as_bytes()[..cut.index(text.len())]);
        prop_assert_eq!(fields.unwrap_err().error, DecodeError::Truncated);
    }

    #[test]
    fn a_diff_with_one_changed_byte_is_json_for_both_or_for_neither(
        (message, order) in diff(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = written(&message, &order, true, true, false).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let oracle = serde_json::from_slice::<Json>(&bytes);
        let is_beyond = oracle.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(is_beyond || read_fresh(&bytes).0.is_ok() == oracle.is_ok(), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn keys_and_texts_may_be_escaped() {
    let text = br#"{"\u0073":"\u0042TC","\u0062":[["\u0031.5","2"]],"b\u0069d":1}"#;
    let (fields, levels) = read_fresh(text);
    let fields = fields.unwrap();
    assert_eq!(fields.symbol.plain(text, &mut [0; 8]).unwrap(), b"BTC");
    assert_eq!(plain(levels.side(fields.bid)), [(1_500_000_000, 2_000_000_000)]);
}

#[test]
fn levels_may_have_more_than_two_elements_but_not_fewer() {
    let (fields, levels) = read_fresh(br#"{"b":[["1","2",[]],["3","4",{"x":[1]},5]],"a":[["1"]]}"#);
    let fields = fields.unwrap();
    assert_eq!(plain(levels.side(fields.bid)).len(), 2);
    let SideField::BadLevels(fault) = fields.ask else { panic!("{:?}", fields.ask) };
    assert_eq!(fault, Fault { error: DecodeError::Syntax, offset: 51 });
}

#[test]
fn a_level_that_is_not_a_number_says_where_it_stands() {
    let (fields, _) = read_fresh(br#"{"b":[["1","2"],["1","x"]],"a":[]}"#);
    let SideField::BadLevels(fault) = fields.unwrap().bid else { panic!("must be bad") };
    assert_eq!(fault, Fault { error: DecodeError::BadNumber, offset: 21 });
}

#[test]
fn more_levels_than_events_of_a_message_are_too_large() {
    let levels = vec!["[\"1\",\"2\"]"; EVENTS_PER_MESSAGE_MAX + 1].join(",");
    let (fields, _) = read_fresh(format!("{{\"b\":[{levels}],\"a\":[]}}").as_bytes());
    let SideField::BadLevels(fault) = fields.unwrap().bid else { panic!("must be bad") };
    assert_eq!(fault.error, DecodeError::TooLarge);
}
