//! [`Outs`]: the rows of every wanted table on their way out: which are wanted, their numbers, and when a batch of them is given.

use super::batch::{Batch, Names, Row};
use super::schema::Table;
use super::source::{RowError, RowSink, RowsWanted};
use spinward_engine::words::{InstrumentId, Nanos};

const DAY_NS: i64 = 86_400_000_000_000;

/// One wanted table.
struct Out {
    batch: Batch,
    /// Rows of the session so far, wanted or not.
    sequence: u64,
    /// The first one that is given.
    first: u64,
    /// The one before which no batch ends.
    whole: u64,
    /// Rows given.
    rows: u64,
}

/// Every wanted table, by its number.
pub(super) struct Outs {
    outs: Vec<Option<Out>>,
    pub(super) wanted: RowsWanted,
    names: Names,
    /// Instruments whose rows are wanted; empty: all.
    is_wanted: Vec<bool>,
    day: i64,
}

impl Outs {
    /// `strategies`: their names, by id.
    pub(super) fn new(wanted: RowsWanted, strategies: &[String]) -> Self {
        let outs = Table::EVERY
            .into_iter()
            .map(|table| {
                let first = wanted.first_rows.get(table as usize).copied().unwrap_or(1);
                let whole = wanted.whole_rows.get(table as usize).copied().unwrap_or(0);
                let is_wanted = wanted.tables.contains(&table);
                is_wanted.then(|| Out { batch: Batch::new(table), sequence: 0, first, whole, rows: 0 })
            })
            .collect();
        let mut names = Names { instruments: vec![String::new()], strategies: vec![String::new()] };
        names.strategies.extend(strategies.iter().cloned());
        Self { outs, wanted, names, is_wanted: Vec::new(), day: i64::MIN }
    }

    /// Whether anybody wants rows of the table.
    pub(super) fn wants(&self, table: Table) -> bool {
        self.outs.get(table as usize).is_some_and(Option::is_some)
    }

    /// The instruments that there are now, by id.
    pub(super) fn learn<'a>(&mut self, symbols: impl Iterator<Item = &'a str>) {
        self.names.instruments.truncate(1);
        self.names.instruments.extend(symbols.map(str::to_owned));
        if !self.wanted.symbols.is_empty() {
            let wanted = &self.wanted.symbols;
            self.is_wanted =
                self.names.instruments.iter().skip(1).map(|name| wanted.contains(name)).collect();
        }
    }

    /// Begins a row unless nobody wants it; rows are numbered all the same.
    #[inline]
    pub(super) fn row(
        &mut self,
        table: Table,
        time: Nanos,
        instrument: Option<InstrumentId>,
        write: impl FnOnce(&mut Row<'_>, u64, &Names),
    ) {
        let Some(Some(out)) = self.outs.get_mut(table as usize) else { return };
        out.sequence += 1;
        if out.sequence < out.first || time < self.wanted.from || time >= self.wanted.to {
            return;
        }
        if !self.wanted.symbols.is_empty()
            && !instrument.and_then(|id| self.is_wanted.get(id.index())).copied().unwrap_or(false)
        {
            return;
        }
        write(&mut out.batch.row(), out.sequence, &self.names);
    }

    /// Gives every batch that has so many rows.
    ///
    /// # Errors
    /// The sink's.
    pub(super) fn give(&mut self, sink: &mut dyn RowSink, at_least: usize) -> Result<(), RowError> {
        for out in self.outs.iter_mut().flatten() {
            let rows = out.batch.rows();
            if rows >= at_least && out.sequence >= out.whole {
                out.rows += rows as u64;
                sink.rows(&mut out.batch, &self.names).map_err(RowError::Sink)?;
                out.batch.clear();
            }
        }
        Ok(())
    }

    /// What comes has this receive time: of another day, what was before is given first, if days are to be kept apart.
    ///
    /// # Errors
    /// The sink's.
    #[inline]
    pub(super) fn at(&mut self, time: Nanos, sink: &mut dyn RowSink) -> Result<(), RowError> {
        if self.wanted.splits_days {
            let day = time.get().div_euclid(DAY_NS);
            if day != self.day {
                self.day = day;
                self.give(sink, 1)?;
            }
        }
        Ok(())
    }

    /// Rows that were given, by table.
    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.outs.iter().flatten().map(|out| (out.batch.table().name(), out.rows))
    }
}

#[cfg(test)]
mod tests;
