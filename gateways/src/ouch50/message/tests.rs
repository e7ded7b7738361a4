use super::super::appendage::TAGS;
use super::super::{AppendageWriter, Element, MESSAGE_BYTES_MAX, Option50};
use super::*;
use proptest::prelude::*;

fn order() -> EnterOrder {
    EnterOrder {
        user_ref: Be32::new(2),
        side: b'S',
        quantity: Be32::new(50),
        symbol: Stock::new("AAPL").unwrap(),
        price: OuchPrice::new(1_892_500),
        time_in_force: b'3',
        display: b'Y',
        capacity: b'P',
        sweep: b'N',
        cross_type: b'N',
        cl_ord_id: ClOrdId::new("fm2").unwrap(),
    }
}

#[test]
fn an_order_with_options_is_written_as_the_specification_lays_it_out() {
    let mut options = AppendageWriter::new();
    assert!(options.push(&Option50::MinQty(Be32::new(50))) && options.push(&Option50::PostOnly(b'P')));
    let mut out = [0; MESSAGE_BYTES_MAX];
    let bytes = Inbound::from(&order()).encode(options.appendage(), &mut out);
    let expected = b"O\0\0\0\x02S\0\0\0\x32AAPL    \0\0\0\0\0\x1c\xe0\x943YPNNfm2           \0\x09\x05\x03\0\0\0\x32\x02\x0cP";
    assert_eq!(&out[..bytes], expected);
    let (message, appendage) = Inbound::parse(expected).unwrap();
    assert_eq!(message, Inbound::from(&order()));
    assert_eq!(
        appendage.elements().collect::<Vec<_>>(),
        [Element::Known(Option50::MinQty(Be32::new(50))), Element::Known(Option50::PostOnly(b'P'))]
    );
}

#[test]
fn the_length_of_an_appendage_is_demanded_where_it_always_is_and_may_be_missing_elsewhere() {
    let mut out = [0; MESSAGE_BYTES_MAX];
    // Written even if nobody asked.
    assert_eq!(Inbound::from(&order()).encode(Appendage::ABSENT, &mut out), 47);
    assert_eq!(Inbound::parse(&out[..45]), Err(ParseError::Truncated { needed: 47, found: 45 }));
    assert_eq!(Inbound::parse(&out[..46]), Err(ParseError::Appendage(AppendageError::LengthCut)));
    assert_eq!(Inbound::parse(&out[..44]), Err(ParseError::Truncated { needed: 47, found: 44 }));

    let cancel = CancelOrder { user_ref: Be32::new(7_679_601), quantity: Be32::new(0) };
    assert_eq!(Inbound::from(&cancel).encode(Appendage::ABSENT, &mut out), 9);
    assert!(Inbound::parse(&out[..9]).unwrap().1.is_absent());
    assert_eq!(Inbound::from(&cancel).encode(Appendage::EMPTY, &mut out), 11);
    assert_eq!(Inbound::parse(&out[..11]), Ok((Inbound::from(&cancel), Appendage::EMPTY)));
    assert_eq!(Inbound::parse(&out[..8]), Err(ParseError::Truncated { needed: 9, found: 8 }));
}

#[test]
fn what_is_no_message_says_why_and_where() {
    assert_eq!(Inbound::parse(b""), Err(ParseError::Truncated { needed: 1, found: 0 }));
    assert_eq!(Inbound::parse(b"Z").unwrap_err().to_string(), "no message type 0x5a");
    // Accepted is outbound.
    assert!(Inbound::parse(&[b'A'; 64]).is_err() && Outbound::parse(&[b'O'; 47]).is_err());
    let appendage = |bytes: &[u8]| {
        let cancel = [b"X\0\0\0\x01\0\0\0\0".as_slice(), bytes].concat();
        Inbound::parse(&cancel).unwrap_err().to_string()
    };
    assert_eq!(appendage(b"\0\x03\x02\x0c"), "appendage: says 3 bytes, 2 follow");
    assert_eq!(appendage(b"\0\x01\x02\x0c"), "appendage: says 1 bytes, 2 follow");
    assert_eq!(appendage(b"\0\x02\x02\x0c"), "appendage: the element at byte 0 says 2 bytes, 1 are left");
    assert_eq!(appendage(b"\0\x04\x02\x0cP\0"), "appendage: the element at byte 3 says 0 bytes, 0 are left");
    assert_eq!(appendage(b"\0\x04\x03\x0cPP"), "appendage: option 12 has 2 bytes, it demands 1");
}

#[test]
fn unknown_options_are_kept_and_written_back() {
    let bytes = b"X\0\0\0\x01\0\0\0\0\0\x05\x04\xc8abc";
    let (message, appendage) = Inbound::parse(bytes).unwrap();
    assert_eq!(appendage.elements().collect::<Vec<_>>(), [Element::Unknown { tag: 200, value: b"abc" }]);
    let mut out = [0; MESSAGE_BYTES_MAX];
    let length = message.encode(appendage, &mut out);
    assert_eq!(&out[..length], bytes);
}

#[test]
fn every_option_once_fits_an_appendage_and_comes_back() {
    let (mut options, mut pushed) = (AppendageWriter::new(), Vec::new());
    for &(tag, bytes) in TAGS {
        let element = [&[bytes as u8 + 1, tag][..], &vec![tag; bytes]].concat();
        let message = [b"X\0\0\0\x01\0\0\0\0\0".as_slice(), &[element.len() as u8], &element].concat();
        let (_, appendage) = Inbound::parse(&message).unwrap();
        let option = appendage.find(Some).unwrap();
        assert_eq!(option.tag(), tag);
        assert!(options.push(&option), "no room for {option:?}");
        pushed.push(Element::Known(option));
    }
    assert_eq!(options.appendage().elements().collect::<Vec<_>>(), pushed);
    let total: usize = TAGS.iter().map(|(_, bytes)| bytes + 2).sum();
    assert_eq!(total, 137);
}

#[test]
fn every_message_has_the_length_of_the_specification() {
    let inbound: Vec<(char, usize)> =
        INBOUND_TYPES.iter().map(|(kind, bytes)| (*kind as char, *bytes)).collect();
    assert_eq!(inbound, [('O', 45), ('U', 38), ('X', 9), ('M', 10), ('C', 17), ('D', 9), ('E', 9), ('Q', 1)]);
    // Lengths with the length of the appendage, as the specification of 2025 sums them up.
    for (kind, bytes) in [
        (b'A', 64),
        (b'U', 68),
        (b'C', 20),
        (b'D', 34),
        (b'E', 36),
        (b'B', 38),
        (b'J', 31),
        (b'P', 15),
        (b'I', 15),
        (b'T', 32),
        (b'M', 20),
        (b'R', 16),
        (b'Q', 15),
    ] {
        assert!(OUTBOUND_TYPES.contains(&(kind, bytes - 2)), "{}", kind as char);
    }
    assert_eq!(OUTBOUND_TYPES.len(), 18);
}

/// A message of a type with arbitrary fields and whatever follows.
fn body(types: &'static [(u8, usize)]) -> impl Strategy<Value = Vec<u8>> {
    let of_type = (0..types.len()).prop_flat_map(move |index| {
        let (kind, bytes) = types[index];
        let options =
            proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..9)), 0..6);
        (proptest::collection::vec(any::<u8>(), bytes - 1), proptest::option::of(options)).prop_map(
            move |(fields, options)| {
                let mut message = [&[kind][..], &fields].concat();
                if let Some(options) = options {
                    let elements: Vec<u8> = options
                        .into_iter()
                        .flat_map(|(tag, value)| [&[value.len() as u8 + 1, tag][..], &value].concat())
                        .collect();
                    message.extend((elements.len() as u16).to_be_bytes());
                    message.extend(elements);
                }
                message
            },
        )
    });
    prop_oneof![4 => of_type, 1 => proptest::collection::vec(any::<u8>(), 0..100)]
}

proptest! {
    #[test]
    fn whatever_parses_is_written_back_byte_for_byte(
        inbound in body(INBOUND_TYPES),
        outbound in body(OUTBOUND_TYPES),
        cut in 0usize..100,
    ) {
        let mut out = [0; 256];
        for bytes in [&inbound[..], &inbound[..cut.min(inbound.len())]] {
            if let Ok((message, appendage)) = Inbound::parse(bytes) {
                let length = message.encode(appendage, &mut out);
                prop_assert_eq!(&out[..length], bytes);
                prop_assert_eq!(message.encode(appendage, &mut out[..length - 1]), 0);
                prop_assert_eq!(message.kind(), bytes[0]);
            }
        }
        for bytes in [&outbound[..], &outbound[..cut.min(outbound.len())]] {
            if let Ok((message, appendage)) = Outbound::parse(bytes) {
                let length = message.encode(appendage, &mut out);
                prop_assert_eq!(&out[..length], bytes);
                prop_assert_eq!(appendage.elements().count() > 0, length > OUTBOUND_TYPES.iter().find(|t| t.0 == bytes[0]).unwrap().1 + 2);
            }
        }
    }
}
