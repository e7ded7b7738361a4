//! [`OrderLatencySink`]: from rows of orders to measured order latency.

use super::npz::OrderLatencyWriter;
use super::parts::ExportError;
use crate::rows::{Batch, Cells, Kind, Names, RowSink, Table};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// New orders and the venue's first answers. Memory is that of the orders not yet answered.
pub struct OrderLatencySink {
    writer: OrderLatencyWriter,
    /// By how much our times are put later, as in the market's file.
    shift: i64,
    /// Orders in the order of their requests.
    asked: VecDeque<(u64, i64)>,
    /// Answers: at the exchange, back here.
    answered: BTreeMap<u64, (i64, i64)>,
    left_out: u64,
}

impl OrderLatencySink {
    /// Into this `.npz`; `shift` is what [`export_hftbacktest`](super::export_hftbacktest) told.
    ///
    /// # Errors
    /// [`ExportError`] if it cannot be written.
    pub fn create(out: &Path, shift: i64) -> Result<Self, ExportError> {
        Ok(Self {
            writer: OrderLatencyWriter::create(out)?,
            shift,
            asked: VecDeque::new(),
            answered: BTreeMap::new(),
            left_out: 0,
        })
    }

    /// The file is whole: orders in it, and orders left out because another was sent at the same time or no answer came.
    ///
    /// # Errors
    /// [`ExportError`] if it cannot be written.
    pub fn finish(mut self) -> Result<(u64, u64), ExportError> {
        while let Some((order, request)) = self.asked.pop_front() {
            self.tell(order, request)?;
        }
        Ok((self.writer.finish()?, self.left_out))
    }

    /// Writes an order that is answered; one that is not is left out.
    fn tell(&mut self, order: u64, request: i64) -> Result<(), ExportError> {
        let is_told = match self.answered.remove(&order) {
            Some((exchange, response)) => self.writer.order(
                request.saturating_add(self.shift),
                exchange,
                response.saturating_add(self.shift),
            )?,
            None => false,
        };
        self.left_out += u64::from(!is_told);
        Ok(())
    }

    fn take(&mut self, batch: &Batch) -> Result<(), ExportError> {
        let numbers = |name| match batch.cells_of(name) {
            Some(Cells::U64(cells)) => cells.as_slice(),
            Some(_) | None => &[],
        };
        let times = |name| match batch.cells_of(name) {
            Some(Cells::I64(cells)) => cells.as_slice(),
            Some(_) | None => &[],
        };
        let from_risk = match batch.cells_of("is_from_risk") {
            Some(Cells::Bool(cells)) => cells.as_slice(),
            Some(_) | None => &[],
        };
        let steps = match batch.cells_of("step") {
            Some(Cells::Code(cells)) => cells.as_slice(),
            Some(_) | None => &[],
        };
        let column = Table::Orders.columns().iter().find(|column| column.name == "step");
        let words =
            column.and_then(|column| if let Kind::Code(words) = column.kind { Some(words) } else { None });
        let word = |step: u8| words.and_then(|words| words.get(usize::from(step))).copied().unwrap_or("");
        let rows = numbers("order_id").iter().zip(times("receive_time")).zip(times("venue_time"));
        for (((&order, &time), &venue), (&step, &is_from_risk)) in rows.zip(steps.iter().zip(from_risk)) {
            match word(step) {
                "new" => self.asked.push_back((order, time)),
                "accepted" | "rejected" if is_from_risk == 0 => {
                    self.answered.insert(order, (venue, time));
                }
                _ => {}
            }
        }
        while let Some(&(order, request)) = self.asked.front() {
            if !self.answered.contains_key(&order) {
                break;
            }
            self.asked.pop_front();
            self.tell(order, request)?;
        }
        Ok(())
    }
}

impl RowSink for OrderLatencySink {
    fn rows(&mut self, batch: &mut Batch, _: &Names) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.take(batch)?)
    }
}
