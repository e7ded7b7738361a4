//! Binance messages for the decoders' suite: a USD-M session as combined streams, made here from a seed, in the proportions of a recorded one (of 94
//! messages 66 `bookTicker`, 21 `trade`, 7 `depthUpdate`).

use crate::random::Random;
use std::fmt::Write;

/// Bytes of all messages, and where each begins and ends. A diff and the snapshot come first, so that the book is in step.
pub struct BinanceSession {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl BinanceSession {
    /// So many messages behind the snapshot.
    pub fn generate(seed: u64, count: usize) -> Self {
        let mut random = Random::new(seed);
        let mut session = Self { bytes: Vec::new(), ends: Vec::new() };
        let mut update = 4_000_000_000u64;
        let mut time = 1_723_075_200_000u64;
        let mut price = 5_500_000u64;
        let mut text = String::new();
        diff(&mut text, &mut random, time, price, (update - 9, update, update - 10), 4);
        session.push(&mut text);
        snapshot(&mut text, &mut random, time, price, update);
        session.push(&mut text);
        for index in 0..count {
            time += random.below(8);
            // A walk in tenths that stays where prices have seven digits.
            price = (price + random.below(21)).saturating_sub(10).clamp(5_000_000, 6_000_000);
            match random.below(94) {
                0..66 => quote(&mut text, &mut random, time, price, update + index as u64),
                66..87 => trade(&mut text, &mut random, time, price, index as u64),
                _ => {
                    let before = update;
                    update += 1 + random.below(200);
                    let levels = 5 + random.below(40);
                    diff(&mut text, &mut random, time, price, (before + 1, update, before), levels);
                }
            }
            session.push(&mut text);
        }
        session
    }

    fn push(&mut self, text: &mut String) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        text.clear();
    }

    /// The messages in order.
    pub fn messages(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}

/// Writing to a string cannot fail.
macro_rules! put {
    ($text:expr, $($argument:tt)*) => {{ let _ = write!($text, $($argument)*); }};
}

fn level(text: &mut String, random: &mut Random, price: u64) {
    let qty = random.below(4) * random.below(20_000);
    put!(text, "[\"{}.{}0\",\"{}.{:03}\"]", price / 100, price / 10 % 10, qty / 1_000, qty % 1_000);
}

fn side(text: &mut String, random: &mut Random, price: u64, levels: u64, is_bid: bool) {
    for index in 0..levels {
        if index > 0 {
            text.push(',');
        }
        let away = 10 * (index + random.below(3));
        level(text, random, if is_bid { price - away } else { price + 10 + away });
    }
}

fn diff(
    text: &mut String,
    random: &mut Random,
    time: u64,
    price: u64,
    (first, last, previous): (u64, u64, u64),
    levels: u64,
) {
    put!(
        text,
        "{{\"stream\":\"btcusdt@depth@0ms\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{time},\"T\":{time},"
    );
    put!(text, "\"s\":\"BTCUSDT\",\"U\":{first},\"u\":{last},\"pu\":{previous},\"b\":[");
    side(text, random, price, levels, true);
    text.push_str("],\"a\":[");
    side(text, random, price, levels, false);
    text.push_str("]}}");
}

fn snapshot(text: &mut String, random: &mut Random, time: u64, price: u64, update: u64) {
    put!(text, "{{\"lastUpdateId\":{update},\"E\":{time},\"T\":{time},\"bids\":[");
    side(text, random, price, 1_000, true);
    text.push_str("],\"asks\":[");
    side(text, random, price, 1_000, false);
    text.push_str("]}");
}

fn quote(text: &mut String, random: &mut Random, time: u64, price: u64, update: u64) {
    let (bid, ask) = (random.below(30_000), random.below(30_000));
    put!(
        text,
        "{{\"stream\":\"btcusdt@bookTicker\",\"data\":{{\"e\":\"bookTicker\",\"u\":{update},\"s\":\"BTCUSDT\","
    );
    put!(
        text,
        "\"b\":\"{}.{}0\",\"B\":\"{}.{:03}\",",
        price / 100,
        price / 10 % 10,
        bid / 1_000,
        bid % 1_000
    );
    let up = price + 10;
    put!(text, "\"a\":\"{}.{}0\",\"A\":\"{}.{:03}\",", up / 100, up / 10 % 10, ask / 1_000, ask % 1_000);
    put!(text, "\"T\":{time},\"E\":{time}}}}}");
}

fn trade(text: &mut String, random: &mut Random, time: u64, price: u64, number: u64) {
    let qty = 1 + random.below(5_000);
    put!(
        text,
        "{{\"stream\":\"btcusdt@trade\",\"data\":{{\"e\":\"trade\",\"E\":{time},\"T\":{time},\"s\":\"BTCUSDT\","
    );
    put!(text, "\"t\":{},\"p\":\"{}.{}0\",", 5_000_000_000 + number, price / 100, price / 10 % 10);
    put!(
        text,
        "\"q\":\"{}.{:03}\",\"X\":\"MARKET\",\"m\":{}}}}}",
        qty / 1_000,
        qty % 1_000,
        qty.is_multiple_of(2)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
    use spinward_engine::words::{EventKind, InstrumentTable, Nanos, SourceId};
    use spinward_gateways::binance::{BinanceConfig, BinanceDecoder};

    #[test]
    fn the_decoder_understands_every_message_and_the_book_stays_in_step() {
        let mut decoder = BinanceDecoder::new(&BinanceConfig::default()).unwrap();
        let mut instruments = InstrumentTable::with_capacity(4);
        let mut out = EventBatch::new();
        let mut kinds = std::collections::BTreeMap::<u8, usize>::new();
        let meta = MessageMeta { frame: 1, receive_time: Nanos::ZERO, source: SourceId::new(0) };
        for message in BinanceSession::generate(7, 3_000).messages() {
            out.clear();
            decoder.decode(&meta, message, &mut instruments, &mut out);
            let text = String::from_utf8_lossy(message);
            for event in out.events() {
                assert!(!matches!(event.kind(), EventKind::Malformed | EventKind::Gap), "{text}");
                *kinds.entry(event.kind_number).or_default() += 1;
            }
        }
        let counters = decoder.counters();
        assert_eq!((counters.gaps.value(), counters.snapshots_applied.value()), (0, 1));
        assert!(counters.diffs_applied.value() > 100);
        assert!(kinds[&(EventKind::Quote as u8)] > 3_000 && kinds[&(EventKind::Trade as u8)] > 400);
    }
}
