//! `spinward book`: the best bid and offer of one symbol or of all, change by change, from captures. The decoders and books of a session, without rings.

use super::output::{self, line};
use super::{BookArgs, BookFormat};
use crate::failure::{CHECK_FAILED, Failure, Outcome};
use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use spinward_config::Settings;
use spinward_engine::book::{BookOutput, BookStage};
use spinward_engine::normalizer::{Decoder, Normalizer};
use spinward_engine::words::{
    BookView, Decimal, EventKind, FRAME_PAYLOAD_BYTES, Frame, FrameHeader, FrameKind, Instrument,
    InstrumentId, InstrumentTable, Level, Nanos, Symbol,
};
use spinward_gateways::binance::{BinanceConfig, BinanceDecoder};
use spinward_gateways::feed::{MarketFeed, Peek};
use spinward_gateways::file::{self, FileFormat, FileSpec};
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::notice::NoticeDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The columns. Decimals in the venue's units; empty for a missing side. `seq` is the number of the message within the files, from 1; times
/// are nanoseconds since the epoch (ITCH without `--date`: since midnight); `update_id` is empty where the protocol has none.
const HEADER: [&str; 9] = [
    "seq",
    "venue_time_ns",
    "receive_time_ns",
    "symbol",
    "update_id",
    "bid_price",
    "bid_qty",
    "ask_price",
    "ask_qty",
];

#[derive(Serialize, Default)]
struct Report {
    messages: u64,
    events: u64,
    rows: u64,
    unknown_orders: u64,
    malformed: u64,
    gaps: u64,
    instruments: usize,
    is_crossed_at_end: bool,
}

/// Which symbols are written.
#[derive(Clone, Copy)]
enum Wanted {
    One(Symbol),
    All,
}

impl Wanted {
    /// `*` is every symbol: no venue calls an instrument so.
    const ALL: &str = "*";

    fn parse(text: &str) -> Result<Self, Failure> {
        if text == Self::ALL {
            return Ok(Self::All);
        }
        Symbol::new(text).map(Self::One).ok_or_else(|| {
            Failure::Usage(anyhow!(
                "--symbol {text:?}: give 1 to 24 printable letters, or * for every symbol"
            ))
        })
    }

    fn is(self, symbol: &Symbol) -> bool {
        match self {
            Self::One(one) => one == *symbol,
            Self::All => true,
        }
    }
}

pub(crate) fn run(args: &BookArgs) -> Outcome {
    let wanted = Wanted::parse(&args.symbol)?;
    let midnight = midnight(args.date.as_deref())?;
    let (format, decoder): (FileFormat, Box<dyn Decoder>) = match args.format {
        BookFormat::Itch50 => (
            FileFormat::Itch50 { midnights: vec![midnight.unwrap_or(Nanos::ZERO)] },
            Box::new(Itch50Decoder::new(Itch50Config { midnight, ..Itch50Config::default() })),
        ),
        BookFormat::Pcap => {
            let itch50 = Itch50Config { midnight, ..Itch50Config::default() };
            (
                FileFormat::MoldCapture { lines: args.line.clone() },
                Box::new(NoticeDecoder::new(Itch50Decoder::new(itch50), itch50.source)),
            )
        }
        BookFormat::Binance => (
            FileFormat::Binance,
            Box::new(BinanceDecoder::new(&BinanceConfig::default()).map_err(Failure::usage)?),
        ),
    };
    let mut feed = file::open(&FileSpec::new(format, args.files.clone())).map_err(Failure::usage)?;
    let mut writer = csv::Writer::from_writer(sink(&args.out)?);
    writer.write_record(HEADER)?;
    let mut books = Books::new(decoder)?;
    let outcome = books.read(feed.as_mut(), wanted, &mut writer);
    writer.flush().with_context(|| format!("cannot write {}", args.out.display()))?;
    let report = books.report();
    if args.json && args.out != Path::new("-") {
        line(serde_json::to_string_pretty(&report)?);
    } else {
        let text = format!(
            "{}: {} rows from {} messages ({} events, {} unknown orders, {} malformed, {} gaps)",
            args.symbol,
            output::count(report.rows),
            output::count(report.messages),
            output::count(report.events),
            output::count(report.unknown_orders),
            output::count(report.malformed),
            output::count(report.gaps)
        );
        // The standard output may be the CSV.
        eprintln!("{text}");
    }
    outcome?;
    if report.rows == 0 {
        eprintln!(
            "{} has no quote in these files: check --symbol (Binance: as in the data, such as BTCUSDT)",
            args.symbol
        );
        return Ok(ExitCode::from(CHECK_FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

/// Midnight in New York at the start of the date.
fn midnight(date: Option<&str>) -> Result<Option<Nanos>, Failure> {
    let Some(text) = date else { return Ok(None) };
    let read = || -> anyhow::Result<Nanos> {
        let date: jiff::civil::Date = text.parse()?;
        let midnight = date.in_tz("America/New_York")?.timestamp().as_nanosecond();
        Ok(Nanos::new(i64::try_from(midnight)?))
    };
    read()
        .with_context(|| format!("--date {text:?}: give it as 2019-12-30"))
        .map(Some)
        .map_err(Failure::Usage)
}

fn sink(out: &Path) -> Result<Box<dyn Write>, Failure> {
    if out == Path::new("-") {
        return Ok(Box::new(std::io::stdout().lock()));
    }
    let file =
        File::create(out).with_context(|| format!("--out {}", out.display())).map_err(Failure::Usage)?;
    Ok(Box::new(file))
}

/// How an instrument's book stands.
#[derive(Default)]
struct Last {
    /// Best bid and offer as written last, without order counts.
    written: [Option<Level>; 2],
    is_crossed: bool,
}

struct Books {
    normalizer: Normalizer,
    stage: BookStage,
    output: BookOutput,
    last: BTreeMap<InstrumentId, Last>,
    messages: u64,
    frames: u64,
    rows: u64,
}

impl Books {
    fn new(decoder: Box<dyn Decoder>) -> Result<Self, Failure> {
        let config = Settings::default().book();
        let table = InstrumentTable::with_capacity(config.instruments_max);
        Ok(Self {
            normalizer: Normalizer::new(vec![decoder], table),
            stage: BookStage::new(&config)?,
            output: BookOutput::vacant(),
            last: BTreeMap::new(),
            messages: 0,
            frames: 0,
            rows: 0,
        })
    }

    fn read<W: Write>(
        &mut self,
        feed: &mut dyn MarketFeed,
        wanted: Wanted,
        writer: &mut csv::Writer<W>,
    ) -> anyhow::Result<()> {
        loop {
            match feed.peek() {
                Peek::Message(message) => {
                    self.on_message(message.receive_time, message.bytes, wanted, writer)?;
                }
                Peek::NotYet => {
                    std::thread::sleep(Duration::from_micros(50));
                    continue;
                }
                Peek::End => return Ok(()),
                Peek::Failed(error) => bail!("{error}"),
            }
            feed.advance();
        }
    }

    fn on_message<W: Write>(
        &mut self,
        receive_time: Nanos,
        bytes: &[u8],
        wanted: Wanted,
        writer: &mut csv::Writer<W>,
    ) -> anyhow::Result<()> {
        self.messages += 1;
        let chunks = bytes.chunks(FRAME_PAYLOAD_BYTES);
        let count = chunks.len().max(1);
        let parts = chunks.chain(bytes.is_empty().then_some(bytes));
        for (index, part) in parts.enumerate() {
            self.frames += 1;
            let mut frame = Frame::vacant();
            frame.header = FrameHeader {
                sequence: self.frames,
                receive_time,
                kind: FrameKind::Market as u8,
                flags: if index + 1 < count { FrameHeader::MORE } else { 0 },
                bytes: part.len() as u16, // at most FRAME_PAYLOAD_BYTES
                ..FrameHeader::default()
            };
            if let Some(to) = frame.payload.get_mut(..part.len()) {
                to.copy_from_slice(part);
            }
            if self.normalizer.on_frame(&frame) {
                self.on_events(wanted, writer)?;
            }
        }
        Ok(())
    }

    fn on_events<W: Write>(&mut self, wanted: Wanted, writer: &mut csv::Writer<W>) -> anyhow::Result<()> {
        for event in self.normalizer.batch().events() {
            self.stage.on_event(event, &mut self.output);
            let Some(view) = self.output.view() else { continue };
            let Some(instrument) = self.normalizer.instruments().by_id(view.instrument) else { continue };
            if !wanted.is(&instrument.symbol) {
                continue;
            }
            let best = if view.flags & BookView::QUARANTINED == 0 {
                [view.best_bid().copied(), view.best_ask().copied()]
            } else {
                // Data with a gap says nothing about the best quote.
                [None, None]
            };
            let key = best.map(|side| side.map(|level| Level { orders: 0, ..level }));
            let last = self.last.entry(view.instrument).or_default();
            last.is_crossed = view.flags & BookView::CROSSED != 0;
            if last.written != key {
                last.written = key;
                self.rows += 1;
                writer.write_record(row(self.messages, view, &best, instrument))?;
            }
        }
        Ok(())
    }

    fn report(&self) -> Report {
        let counters = self.normalizer.counters();
        let of_kind =
            |kind: EventKind| counters.events.get(kind as usize - 1).map_or(0, |counter| counter.value());
        Report {
            messages: self.messages,
            events: counters.events.iter().map(|counter| counter.value()).sum(),
            rows: self.rows,
            unknown_orders: self.stage.counters().unknown_orders.value(),
            malformed: of_kind(EventKind::Malformed),
            gaps: of_kind(EventKind::Gap),
            instruments: self.normalizer.instruments().count(),
            is_crossed_at_end: self.last.values().any(|last| last.is_crossed),
        }
    }
}

fn row(
    seq: u64,
    view: &BookView,
    best: &[Option<Level>; 2],
    instrument: &Instrument,
) -> [String; HEADER.len()] {
    let price = |level: &Option<Level>| {
        level.map_or_else(String::new, |level| {
            Decimal { nanos: level.price.nanos(), decimals: instrument.price_decimals }.to_string()
        })
    };
    let qty = |level: &Option<Level>| {
        level.map_or_else(String::new, |level| {
            quantity(level.qty.lots(), instrument.lot, instrument.qty_decimals)
        })
    };
    let [bid, ask] = best;
    [
        seq.to_string(),
        view.venue_time.get().to_string(),
        view.receive_time.get().to_string(),
        instrument.symbol.to_string(),
        if view.update_id == 0 { String::new() } else { view.update_id.to_string() },
        price(bid),
        qty(bid),
        price(ask),
        qty(ask),
    ]
}

/// Lots as the venue writes quantities: exact, whatever the lot.
fn quantity(lots: i64, lot: i64, decimals: u8) -> String {
    // |i64|·|i64| < 2^126
    let nanos = i128::from(lots) * i128::from(lot);
    let (whole, rest) = (nanos / 1_000_000_000, (nanos % 1_000_000_000) as i64);
    let fraction = Decimal { nanos: rest, decimals }.to_string();
    match fraction.split_once('.') {
        Some((_, digits)) => format!("{whole}.{digits}"),
        None => whole.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_written_in_the_venues_units() {
        assert_eq!(quantity(378_826_000, 10, 8), "3.78826000");
        assert_eq!(quantity(2_507, 1_000_000, 3), "2.507");
        assert_eq!(quantity(100, 1_000_000_000, 0), "100");
        assert_eq!(quantity(i64::MAX, 1_000_000_000, 0), i64::MAX.to_string());
    }

    #[test]
    fn the_date_is_midnight_in_new_york() {
        // The ITCH sample's own times: 1577716200 s is 9:30 on 2019-12-30.
        let midnight = midnight(Some("2019-12-30")).ok().flatten().unwrap();
        assert_eq!(midnight, Nanos::from_secs(1_577_716_200 - 34_200));
        assert!(super::midnight(Some("30.12.2019")).is_err());
    }
}
