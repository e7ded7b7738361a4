//! One message through a decoder. Controls: a plain walk over the messages (ITCH: length and type, Binance: every byte, counting
//! quotation marks), and a copy of their bytes.

use crate::bench::{Bench, on_core};
use crate::binance::BinanceSession;
use crate::error::LabError;
use crate::histogram::histogram;
use crate::lab::Market;
use crate::measure::Role;
use crate::parts::{decoder, instruments};
use hdrhistogram::Histogram;
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::words::{Clock, InstrumentTable, Nanos, SourceId};
use spinward_gateways::binance::{BinanceConfig, BinanceDecoder};
use std::hint::black_box;

/// Runs the suite.
///
/// # Errors
/// A part refuses its settings or a thread failed.
pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), LabError> {
    let count = bench.plan.operations();
    bench.configure("itch50", "hot: 50 symbols, 20000 orders, seed 7");
    bench.configure("binance", "USD-M session, one symbol, seed 7");
    bench.configure("warm_up", "opening of the books; snapshot");
    let market = Market::generate(&Market::hot(7), count)?;
    // JSON takes some ten times as long.
    let session = BinanceSession::generate(7, count / 4);
    let itch: Vec<&[u8]> = (0..market.count()).filter_map(|index| Some(market.message(index)?.1)).collect();
    let json: Vec<&[u8]> = session.messages().collect();
    let table = instruments(0)?;
    let clock = bench.clock.clone();
    for round in 0..bench.plan.rounds {
        bench.say(&format!("codecs, round {} of {}", round + 1, bench.plan.rounds));
        let core = bench.core();
        let found = on_core(core, || measure(&clock, &mut decoder(&market), &table, &itch, market.opening))??;
        keep(bench, "itch50", "frame walk", &found)?;
        let found = on_core(core, || -> Result<_, LabError> {
            let mut decoder = BinanceDecoder::new(&BinanceConfig::default()).map_err(LabError::failed)?;
            measure(&clock, &mut decoder, &InstrumentTable::with_capacity(4), &json, 2)
        })??;
        keep(bench, "binance", "byte walk", &found)?;
        bench.end_round();
    }
    Ok(())
}

fn keep(bench: &mut Bench<'_>, name: &str, walk: &str, found: &Found) -> Result<(), LabError> {
    let (walked, copied) = (format!("{name}: {walk}"), format!("{name}: memcpy"));
    let decoded = format!("{name} decode, back to back");
    bench.sheet.mean(&decoded, Role::Subject, Some(&walked), found.decoded_ns, found.count);
    bench.sheet.mean(&walked, Role::Control, Some(&copied), found.walked_ns, found.count);
    bench.sheet.mean(&copied, Role::Control, None, found.copied_ns, found.count);
    let one_by_one = format!("{name} decode, message by message");
    bench.sheet.latency(&one_by_one, Role::Subject, None, &found.each)
}

struct Found {
    count: u64,
    decoded_ns: u64,
    walked_ns: u64,
    copied_ns: u64,
    each: Histogram<u64>,
}

/// The first `opening` messages are warm-up; half of the rest goes back to back, the other half message by message.
fn measure(
    clock: &Clock,
    decoder: &mut impl Decoder,
    table: &InstrumentTable,
    messages: &[&[u8]],
    opening: usize,
) -> Result<Found, LabError> {
    let mut table = table.clone();
    let mut out = EventBatch::new();
    let meta = MessageMeta { frame: 1, receive_time: Nanos::ZERO, source: SourceId::new(0) };
    let (opening, rest) = messages.split_at(opening.min(messages.len()));
    let (flat, single) = rest.split_at(rest.len() / 2);
    let mut decode = |bytes: &[u8]| {
        out.clear();
        decoder.decode(&meta, black_box(bytes), &mut table, &mut out);
        black_box(out.events());
    };
    opening.iter().for_each(|bytes| decode(bytes));
    let begin = clock.ticks();
    flat.iter().for_each(|bytes| decode(bytes));
    let decoded_ns = clock.nanos_between(begin, clock.ticks());
    let mut each = histogram()?;
    for bytes in single {
        let start = clock.ticks();
        decode(bytes);
        each.saturating_record(clock.nanos_between(start, clock.ticks()).max(1));
    }
    let is_text = flat.first().is_some_and(|bytes| bytes.starts_with(b"{"));
    let begin = clock.ticks();
    let mut sum = 0u64;
    for bytes in flat {
        let bytes = black_box(*bytes);
        sum = sum.wrapping_add(if is_text {
            bytes.iter().filter(|byte| **byte == b'"').count() as u64
        } else {
            bytes.len() as u64 + u64::from(bytes.first().copied().unwrap_or(0))
        });
    }
    let walked_ns = clock.nanos_between(begin, clock.ticks());
    black_box(sum);
    let longest = flat.iter().map(|bytes| bytes.len()).max().unwrap_or(0);
    let mut copy = vec![0u8; longest];
    let begin = clock.ticks();
    for bytes in flat {
        if let Some(to) = copy.get_mut(..bytes.len()) {
            to.copy_from_slice(black_box(bytes));
        }
        black_box(&copy);
    }
    let copied_ns = clock.nanos_between(begin, clock.ticks());
    Ok(Found { count: flat.len() as u64, decoded_ns, walked_ns, copied_ns, each })
}
