//! hftbacktest's files: structured arrays (`.npy`) in a zip (`.npz`), streamed through a file beside.
//!
//! Events as in hftbacktest 2.4 (`docs/data.rst`): each row is seen by the exchange and by us; prices and quantities are floats in the venue's
//! units.

use super::hftbacktest::{Seen, touched};
use super::parts::ExportError;
use spinward_engine::book::BookStage;
use spinward_engine::words::{Event, EventKind, Price, Side};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

const DEPTH: u64 = 1;
const TRADE: u64 = 2;
const DEPTH_CLEAR: u64 = 3;
const SNAPSHOT: u64 = 4;
const EXCHANGE: u64 = 1 << 31;
const LOCAL: u64 = 1 << 30;
const BUY: u64 = 1 << 29;
const SELL: u64 = 1 << 28;

const EVENT_TYPE: &str = "[('ev', '<u8'), ('exch_ts', '<i8'), ('local_ts', '<i8'), ('px', '<f8'), ('qty', '<f8'), \
                          ('order_id', '<u8'), ('ival', '<i8'), ('fval', '<f8')]";
const LATENCY_TYPE: &str = "[('req_ts', '<i8'), ('exch_ts', '<i8'), ('resp_ts', '<i8'), ('_padding', '<i8')]";

/// Bytes before the rows, padded so that they stay where they are when the number of rows is known.
const HEADER_BYTES: usize = 256;

/// One array of rows on its way into an `.npz`.
struct Array {
    rows: BufWriter<File>,
    beside: PathBuf,
    out: PathBuf,
    kind: &'static str,
    count: u64,
}

impl Array {
    fn create(out: &Path, kind: &'static str) -> Result<Self, ExportError> {
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder).map_err(|e| ExportError::io("make the folder", folder, e))?;
        }
        let beside = with_suffix(out, "rows.unfinished");
        let failed = |error| ExportError::io("create", &beside, error);
        let mut rows = BufWriter::with_capacity(1 << 18, File::create(&beside).map_err(failed)?);
        rows.write_all(&[b' '; HEADER_BYTES]).map_err(failed)?;
        Ok(Self { rows, beside: beside.clone(), out: out.to_owned(), kind, count: 0 })
    }

    fn row(&mut self, words: &[u64]) -> Result<(), ExportError> {
        for word in words {
            self.rows
                .write_all(&word.to_le_bytes())
                .map_err(|error| ExportError::io("write", &self.beside, error))?;
        }
        self.count += 1;
        Ok(())
    }

    /// The header, then everything into the zip, then the name.
    fn finish(self) -> Result<u64, ExportError> {
        let Self { rows, beside, out, kind, count } = self;
        let unfinished = with_suffix(&out, "unfinished");
        let pack = || -> io::Result<()> {
            let mut rows = rows.into_inner().map_err(io::IntoInnerError::into_error)?;
            rows.seek(SeekFrom::Start(0))?;
            rows.write_all(&header(kind, count))?;
            drop(rows);
            let mut zip = zip::ZipWriter::new(BufWriter::new(File::create(&unfinished)?));
            let options = SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated)
                .compression_level(Some(1))
                .large_file(true);
            zip.start_file("data.npy", options).map_err(io::Error::other)?;
            io::copy(&mut File::open(&beside)?, &mut zip)?;
            let file = zip.finish().map_err(io::Error::other)?;
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            std::fs::rename(&unfinished, &out)?;
            std::fs::remove_file(&beside)
        };
        pack().map_err(|error| ExportError::io("write", &out, error))?;
        Ok(count)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(Default::default, std::ffi::OsStr::to_os_string);
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

/// The head of a `.npy`, format 1.0.
fn header(kind: &str, count: u64) -> Vec<u8> {
    let text = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': ({count},), }}");
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    let rest = HEADER_BYTES - 10;
    header.extend_from_slice(&(rest as u16).to_le_bytes());
    header.extend_from_slice(text.as_bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

/// The market as hftbacktest takes it.
pub(super) struct EventWriter {
    array: Array,
}

impl EventWriter {
    pub(super) fn create(out: &Path) -> Result<Self, ExportError> {
        Ok(Self { array: Array::create(out, EVENT_TYPE)? })
    }

    fn put(&mut self, kind: u64, event: &Event, price: f64, qty: f64) -> Result<(), ExportError> {
        let times = [event.venue_time.get() as u64, event.receive_time.get() as u64];
        let values = [price.to_bits(), qty.to_bits()];
        self.array.row(&[kind | EXCHANGE | LOCAL, times[0], times[1], values[0], values[1], 0, 0, 0])
    }
}

fn side_bit(side: Side) -> u64 {
    match side {
        Side::Buy => BUY,
        Side::Sell => SELL,
    }
}

/// In the venue's units: the edge of our fixed point.
fn price_of(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

fn qty_of(lots: i64, lot: i64) -> f64 {
    // |i64|·|i64| < 2^126
    (i128::from(lots) * i128::from(lot)) as f64 / 1e9
}

impl EventWriter {
    /// An event, after the book has taken it.
    pub(super) fn event(&mut self, seen: &Seen<'_>, book: &BookStage) -> Result<(), ExportError> {
        let (event, lot) = (seen.event, seen.instrument.lot);
        match event.kind() {
            EventKind::BookClear => {
                // Up to a price beyond all: everything of the side.
                self.put(DEPTH_CLEAR | BUY, event, 0.0, 0.0)?;
                self.put(DEPTH_CLEAR | SELL, event, f64::MAX, 0.0)?;
            }
            EventKind::Trade | EventKind::OrderExecute | EventKind::OrderExecuteAt => {
                let aggressor = seen.resting.map(|order| order.side.opposite()).or(event.side());
                let is_at_its_own = event.kind() == EventKind::OrderExecute;
                let own = seen.resting.map_or(Price::ZERO, |order| order.price);
                let price = if is_at_its_own { own } else { event.price };
                if price > Price::ZERO {
                    let kind = TRADE | aggressor.map_or(0, side_bit);
                    self.put(kind, event, price_of(price.nanos()), qty_of(event.qty.lots(), lot))?;
                }
            }
            EventKind::Ignored
            | EventKind::Definition
            | EventKind::OrderAdd
            | EventKind::OrderReduce
            | EventKind::OrderDelete
            | EventKind::OrderReplace
            | EventKind::LevelSet
            | EventKind::Quote
            | EventKind::Status
            | EventKind::Gap
            | EventKind::Duplicate
            | EventKind::Malformed
            | EventKind::Report
            | EventKind::Timer
            | EventKind::Operator
            | EventKind::Recovery
            | EventKind::Link => {}
        }
        let kind = if event.has(Event::SNAPSHOT) { SNAPSHOT } else { DEPTH };
        for (side, price) in touched(seen).into_iter().flatten() {
            let level = book.level(event.instrument, side, Price::from_nanos(price));
            let qty = level.map_or(0, |level| level.qty.lots());
            self.put(kind | side_bit(side), event, price_of(price), qty_of(qty, lot))?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<u64, ExportError> {
        self.array.finish()
    }
}

/// Measured order latency as hftbacktest's `IntpOrderLatency` takes it: request, at the exchange, response; nanoseconds, by request time.
pub struct OrderLatencyWriter {
    array: Array,
    last: i64,
}

impl OrderLatencyWriter {
    /// Into this `.npz`.
    ///
    /// # Errors
    /// [`ExportError`] if it cannot be written.
    pub fn create(out: &Path) -> Result<Self, ExportError> {
        Ok(Self { array: Array::create(out, LATENCY_TYPE)?, last: i64::MIN })
    }

    /// One order. Rows whose request is not after the one before are left out (the simulator interpolates over strictly rising times): false.
    ///
    /// # Errors
    /// As [`OrderLatencyWriter::create`].
    pub fn order(&mut self, request: i64, exchange: i64, response: i64) -> Result<bool, ExportError> {
        if request <= self.last {
            return Ok(false);
        }
        self.last = request;
        self.array.row(&[request as u64, exchange as u64, response as u64, 0])?;
        Ok(true)
    }

    /// The file is whole; how many orders it holds.
    ///
    /// # Errors
    /// As [`OrderLatencyWriter::create`].
    pub fn finish(self) -> Result<u64, ExportError> {
        self.array.finish()
    }
}
