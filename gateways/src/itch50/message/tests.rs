use super::*;
use crate::itch50::MESSAGE_BYTES_MAX;
use proptest::prelude::*;

/// The specification's field tables, in words of their own: type, length, and of each field the offset and the width.
type TypeLengthFields = (u8, usize, &'static [(usize, usize)]);

const SPECIFICATION: &[TypeLengthFields] = &[
    (b'S', 12, &[(11, 1)]),
    (
        b'R',
        39,
        &[
            (11, 8),
            (19, 1),
            (20, 1),
            (21, 4),
            (25, 1),
            (26, 1),
            (27, 2),
            (29, 1),
            (30, 1),
            (31, 1),
            (32, 1),
            (33, 1),
            (34, 4),
            (38, 1),
        ],
    ),
    (b'H', 25, &[(11, 8), (19, 1), (20, 1), (21, 4)]),
    (b'Y', 20, &[(11, 8), (19, 1)]),
    (b'L', 26, &[(11, 4), (15, 8), (23, 1), (24, 1), (25, 1)]),
    (b'V', 35, &[(11, 8), (19, 8), (27, 8)]),
    (b'W', 12, &[(11, 1)]),
    (b'K', 28, &[(11, 8), (19, 4), (23, 1), (24, 4)]),
    (b'J', 35, &[(11, 8), (19, 4), (23, 4), (27, 4), (31, 4)]),
    (b'h', 21, &[(11, 8), (19, 1), (20, 1)]),
    (b'A', 36, &[(11, 8), (19, 1), (20, 4), (24, 8), (32, 4)]),
    (b'F', 40, &[(11, 8), (19, 1), (20, 4), (24, 8), (32, 4), (36, 4)]),
    (b'E', 31, &[(11, 8), (19, 4), (23, 8)]),
    (b'C', 36, &[(11, 8), (19, 4), (23, 8), (31, 1), (32, 4)]),
    (b'X', 23, &[(11, 8), (19, 4)]),
    (b'D', 19, &[(11, 8)]),
    (b'U', 35, &[(11, 8), (19, 8), (27, 4), (31, 4)]),
    (b'P', 44, &[(11, 8), (19, 1), (20, 4), (24, 8), (32, 4), (36, 8)]),
    (b'Q', 40, &[(11, 8), (19, 8), (27, 4), (31, 8), (39, 1)]),
    (b'B', 19, &[(11, 8)]),
    (b'I', 50, &[(11, 8), (19, 8), (27, 1), (28, 8), (36, 4), (40, 4), (44, 4), (48, 1), (49, 1)]),
    (b'N', 20, &[(11, 8), (19, 1)]),
    (b'O', 48, &[(11, 8), (19, 1), (20, 4), (24, 4), (28, 4), (32, 8), (40, 4), (44, 4)]),
];

fn text(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// The fields of a message, through the accessors of its struct, each as a number.
fn fields(message: Message<'_>) -> Vec<u64> {
    let one = u64::from;
    match message {
        Message::SystemEvent(m) => vec![one(m.event)],
        Message::StockDirectory(m) => vec![
            text(m.stock.bytes()),
            one(m.market_category),
            one(m.financial_status),
            m.round_lot_size.get().into(),
            one(m.round_lots_only),
            one(m.issue_classification),
            text(&m.issue_subtype),
            one(m.authenticity),
            one(m.short_sale_threshold),
            one(m.ipo_flag),
            one(m.luld_tier),
            one(m.etp_flag),
            m.etp_leverage.get().into(),
            one(m.inverse),
        ],
        Message::TradingAction(m) => {
            vec![text(m.stock.bytes()), one(m.state), one(m.reserved), text(m.reason.bytes())]
        }
        Message::RegSho(m) => vec![text(m.stock.bytes()), one(m.action)],
        Message::ParticipantPosition(m) => {
            vec![text(m.mpid.bytes()), text(m.stock.bytes()), one(m.primary), one(m.mode), one(m.state)]
        }
        Message::MwcbLevels(m) => vec![m.level_1.get(), m.level_2.get(), m.level_3.get()],
        Message::MwcbStatus(m) => vec![one(m.breached)],
        Message::QuotingPeriod(m) => {
            vec![text(m.stock.bytes()), m.release_time.get().into(), one(m.qualifier), m.price.get().into()]
        }
        Message::LuldCollar(m) => vec![
            text(m.stock.bytes()),
            m.reference.get().into(),
            m.upper.get().into(),
            m.lower.get().into(),
            m.extension.get().into(),
        ],
        Message::OperationalHalt(m) => vec![text(m.stock.bytes()), one(m.market), one(m.action)],
        Message::AddOrder(m) => vec![
            m.reference.get(),
            one(m.side),
            m.shares.get().into(),
            text(m.stock.bytes()),
            m.price.get().into(),
        ],
        Message::AddOrderAttributed(m) => vec![
            m.reference.get(),
            one(m.side),
            m.shares.get().into(),
            text(m.stock.bytes()),
            m.price.get().into(),
            text(m.attribution.bytes()),
        ],
        Message::OrderExecuted(m) => vec![m.reference.get(), m.shares.get().into(), m.match_number.get()],
        Message::OrderExecutedAtPrice(m) => vec![
            m.reference.get(),
            m.shares.get().into(),
            m.match_number.get(),
            one(m.printable),
            m.price.get().into(),
        ],
        Message::OrderCancel(m) => vec![m.reference.get(), m.shares.get().into()],
        Message::OrderDelete(m) => vec![m.reference.get()],
        Message::OrderReplace(m) => {
            vec![m.original.get(), m.reference.get(), m.shares.get().into(), m.price.get().into()]
        }
        Message::Trade(m) => vec![
            m.reference.get(),
            one(m.side),
            m.shares.get().into(),
            text(m.stock.bytes()),
            m.price.get().into(),
            m.match_number.get(),
        ],
        Message::CrossTrade(m) => vec![
            m.shares.get(),
            text(m.stock.bytes()),
            m.price.get().into(),
            m.match_number.get(),
            one(m.cross_type),
        ],
        Message::BrokenTrade(m) => vec![m.match_number.get()],
        Message::Imbalance(m) => vec![
            m.paired_shares.get(),
            m.imbalance_shares.get(),
            one(m.direction),
            text(m.stock.bytes()),
            m.far_price.get().into(),
            m.near_price.get().into(),
            m.reference_price.get().into(),
            one(m.cross_type),
            one(m.price_variation),
        ],
        Message::RetailInterest(m) => vec![text(m.stock.bytes()), one(m.interest)],
        Message::DirectListing(m) => vec![
            text(m.stock.bytes()),
            one(m.eligibility),
            m.minimum_price.get().into(),
            m.maximum_price.get().into(),
            m.near_price.get().into(),
            m.near_time.get(),
            m.lower_collar.get().into(),
            m.upper_collar.get().into(),
        ],
    }
}

#[test]
fn the_protocol_has_these_types_and_lengths() {
    let expected: Vec<_> = SPECIFICATION.iter().map(|&(kind, bytes, _)| (kind, bytes)).collect();
    assert_eq!(MESSAGE_TYPES, expected);
    assert_eq!(MESSAGE_TYPES.iter().map(|&(_, bytes)| bytes).max(), Some(MESSAGE_BYTES_MAX));
}

#[test]
fn the_field_tables_cover_every_byte_once() {
    for &(kind, bytes, fields) in SPECIFICATION {
        let mut at = 11;
        for &(offset, width) in fields {
            assert_eq!(offset, at, "type {}", kind as char);
            at += width;
        }
        assert_eq!(at, bytes, "type {}", kind as char);
    }
}

#[test]
fn a_message_that_does_not_fit_is_not_written_in_part() {
    let bytes = [b'A'; 36];
    let message = Message::parse(&bytes).unwrap();
    let mut out = [0u8; 35];
    assert_eq!(message.encode(&mut out), 0);
    assert_eq!(out, [0; 35]);
}

#[test]
fn a_cut_a_long_an_empty_and_an_unknown_message_say_what_is_wrong() {
    assert_eq!(Message::parse(&[]), Err(ParseError::Truncated { needed: 1, found: 0 }));
    assert_eq!(Message::parse(b"D"), Err(ParseError::Truncated { needed: 19, found: 1 }));
    assert_eq!(Message::parse(&[b'D'; 20]), Err(ParseError::TooLong { needed: 19, found: 20 }));
    assert_eq!(Message::parse(b"Z"), Err(ParseError::UnknownType(b'Z')));
    assert_eq!(Message::parse(&[b'D'; 20]).unwrap_err().offset(), 19);
}

proptest! {
    #[test]
    fn every_field_of_every_type_is_read_at_its_offset_and_written_back(
        which in 0..SPECIFICATION.len(),
        mut bytes in proptest::array::uniform32(any::<u8>()).prop_flat_map(|head| {
            proptest::array::uniform32(any::<u8>()).prop_map(move |tail| [head, tail].concat())
        }),
    ) {
        let (kind, length, table) = SPECIFICATION[which];
        bytes.truncate(length);
        bytes[0] = kind;
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!(message.kind(), kind);
        prop_assert_eq!(u64::from(message.head().locate.get()), text(&bytes[1..3]));
        prop_assert_eq!(u64::from(message.head().tracking.get()), text(&bytes[3..5]));
        prop_assert_eq!(message.head().timestamp.get(), text(&bytes[5..11]));
        let read: Vec<u64> = table.iter().map(|&(at, width)| text(&bytes[at..at + width])).collect();
        prop_assert_eq!(fields(message), read);
        let mut out = [0u8; 64];
        prop_assert_eq!(message.encode(&mut out), length);
        prop_assert_eq!(&out[..length], &bytes[..]);
        if let Some(stock) = message.stock() {
            let width_of_stock = table.iter().any(|&(at, width)| width == 8 && bytes[at..at + 8] == *stock.bytes());
            prop_assert!(width_of_stock);
        }
    }

    #[test]
    fn arbitrary_bytes_parse_or_say_why_not(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 0..24usize) {
        let mut bytes = bytes;
        if let (Some(first), Some(&(letter, _))) = (bytes.first_mut(), MESSAGE_TYPES.get(kind)) {
            *first = letter;
        }
        match Message::parse(&bytes) {
            Ok(message) => prop_assert!(MESSAGE_TYPES.contains(&(message.kind(), bytes.len()))),
            Err(error) => prop_assert!(error.offset() <= bytes.len()),
        }
    }
}

#[test]
fn a_message_made_from_fields_reads_as_the_venue_would_write_it() {
    let order = AddOrder {
        head: Head {
            locate: Be16::new(8381),
            tracking: Be16::new(0),
            timestamp: Be48::new(34_200_000_092_539),
        },
        reference: Be64::new(9_899_132),
        side: b'B',
        shares: Be32::new(100),
        stock: Stock::new("VIXM").unwrap(),
        price: Price4::new(213_300),
    };
    let mut out = [0u8; MESSAGE_BYTES_MAX];
    assert_eq!(Message::from(&order).encode(&mut out), 36);
    let written =
        b"A\x20\xbd\0\0\x1f\x1a\xce\xdb\x59\x7b\0\0\0\0\0\x97\x0c\x7cB\0\0\0\x64VIXM    \0\x03\x41\x34";
    assert_eq!(&out[..36], written);
}
