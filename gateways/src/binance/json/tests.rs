use super::*;
use proptest::prelude::*;

/// Whether the bytes are one JSON value, in our reading.
fn accepts(bytes: &[u8]) -> bool {
    let mut cursor = Cursor::new(bytes);
    let whole = cursor.value().is_ok();
    cursor.skip_space();
    whole && cursor.at() == bytes.len()
}

fn oracle_accepts(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
}

#[test]
fn syntax_is_judged_as_by_serde_json() {
    let cases: [&[u8]; 44] = [
        b"{}",
        b"[]",
        b" [ ] ",
        b"{\"a\":1}",
        b"{\"a\":1,}",
        b"[1,]",
        b"[,1]",
        b"{,}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"01",
        b"-0",
        b"-",
        b"1.",
        b".5",
        b"1.5e",
        b"1.5e+3",
        b"1e5",
        b"00",
        b"0",
        b"12345678",
        b"012345678",
        b"123456789012345678901234567890",
        b"18446744073709551615",
        b"18446744073709551616",
        b"true",
        b"tru",
        b"nul",
        b"null",
        b"\"\\u00e9\"",
        b"\"\\ud800\"",
        b"\"\\ud83d\\ude00\"",
        b"\"\\udc00\"",
        b"\"\\x\"",
        b"\"a\nb\"",
        b"\"a",
        b"\"\xff\"",
        b"\"\xc3\xa9\"",
        b"[1}",
        b"{\"a\":[1,{\"b\":2}]}",
        b"[[[[]]]]",
        b"1 2",
        b"\"\x7f\"",
        b"12345678x",
    ];
    for case in cases {
        assert_eq!(accepts(case), oracle_accepts(case), "{:?}", String::from_utf8_lossy(case));
    }
}

#[test]
fn whole_numbers_are_read_at_every_length_and_place() {
    for digits in 1..=20usize {
        let text = "1234567890123456789012".get(..digits).unwrap();
        for tail in ["", ",", "}        ", "]          ", " ,       "] {
            let bytes = format!("{text}{tail}");
            let mut cursor = Cursor::new(bytes.as_bytes());
            assert_eq!(cursor.value().unwrap(), Value::Integer(text.parse().unwrap()), "{bytes:?}");
            assert_eq!(cursor.at(), digits);
        }
    }
}

#[test]
fn nesting_beyond_the_maximum_is_a_fault_and_not_a_stack_overflow() {
    let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
    assert!(accepts(&deep(DEPTH_MAX as usize)));
    assert!(!accepts(&deep(DEPTH_MAX as usize + 1)));
    assert!(!accepts(&vec![b'['; 1 << 20]));
}

#[test]
fn an_escaped_string_means_its_characters() {
    let bytes = br#""\u0042TC\/\ud83d\ude00\n""#;
    let text = Cursor::new(bytes).string().unwrap();
    let mut buffer = [0; 64];
    assert_eq!(text.plain(bytes, &mut buffer).unwrap(), "BTC/\u{1f600}\n".as_bytes());
    assert_eq!(text.plain(bytes, &mut [0; 5]), None, "what does not fit is not cut");
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
        "[0-9]{1,9}\\.[0-9]{1,9}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_json_writes_is_accepted(value in json(), pretty in any::<bool>()) {
        let bytes = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        prop_assert!(accepts(&bytes));
    }

    #[test]
    fn one_changed_byte_is_judged_as_by_serde_json(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // serde_json refuses numbers beyond the range of a double; we never make a number of those.
        let beyond = serde_json::from_slice::<serde_json::Value>(&bytes)
            .is_err_and(|error| error.to_string().contains("out of range"));
        prop_assert!(beyond || accepts(&bytes) == oracle_accepts(&bytes), "{:?}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_by_serde_json(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(accepts(&bytes), oracle_accepts(&bytes));
    }
}
