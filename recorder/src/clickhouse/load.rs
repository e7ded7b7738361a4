//! [`Loader`]: rows into the server, each exactly once.
//!
//! A session's rows in a table are numbered (`sequence`); a block is an insert, named by the number of its first row (`block`) and never spanning two days, so
//! it makes one part: there is all of it or nothing. Blocks go one after the other, each acknowledged before the next. So what the server has is rows 1 to
//! `max(sequence)`, and a loader that starts again goes on behind them. The last block there is sent once more with its token
//! (`session/table/block`): the table drops it as known, and a view that had not yet seen it when the process died does now.

use super::client::{ClickHouse, ClickHouseError, quoted};
use super::columns::{BLOCK, LOADED_TABLES, SESSION, quoted_name, server_table};
use super::native::encode;
use crate::manifest::Manifest;
use crate::rows::{Batch, Cells, Names, RowSink, RowsWanted, Table};
use crate::session::SessionFolder;
use std::time::Duration;

/// Rows of a block, about.
pub const LOAD_BLOCK_ROWS: usize = 1 << 17;

/// Back-off while the server is away: from this …
const BACK_OFF_FIRST: Duration = Duration::from_millis(100);
/// … doubled up to this.
const BACK_OFF_MOST: Duration = Duration::from_secs(10);

/// The name of a session on the server: its folder's, and the number that no other session has.
pub fn session_key(folder: &SessionFolder, manifest: &Manifest) -> String {
    format!("{}.{}", folder.id(), manifest.session)
}

/// All that the server has of a session. Unless it `has_ended`, what is only known at its end is left out: rows keep their numbers.
pub fn load_wanted(has_ended: bool) -> RowsWanted {
    RowsWanted {
        batch_rows: LOAD_BLOCK_ROWS,
        splits_days: true,
        has_ended,
        ..RowsWanted::all(&LOADED_TABLES)
    }
}

/// What was loaded.
#[derive(Clone, PartialEq, Eq, Default, Debug, serde::Serialize)]
pub struct LoadSummary {
    /// Rows sent that the server had not.
    pub rows: u64,
    /// Rows that it had.
    pub rows_kept: u64,
    /// Inserts.
    pub blocks: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Inserts that had to be tried again.
    pub retries: u64,
}

/// How far a table is.
#[derive(Clone, Copy, Default)]
struct Mark {
    /// Last row there.
    last: u64,
    /// First row of its last block; 0: none.
    block: u64,
    /// Last row given.
    given: u64,
}

/// How far the server is with a table of a session.
fn mark_of(server: &ClickHouse, session: &str, table: Table) -> Result<Mark, ClickHouseError> {
    let sql = format!(
        "SELECT max(sequence), max({BLOCK}) FROM {}.{} WHERE {SESSION} = {} FORMAT TSV",
        server.database(),
        server_table(table),
        quoted(session)
    );
    let answer = server.query(&sql)?;
    let numbers = answer.trim().split_once('\t');
    match numbers.and_then(|(last, block)| Some((last.parse().ok()?, block.parse().ok()?))) {
        Some((last, block)) => Ok(Mark { last, block, given: 0 }),
        None => Err(ClickHouseError::Answer { answer, query: sql }),
    }
}

/// Looks on while a session is loaded, and says how long that goes on.
pub trait LoadWatch {
    /// So many frames are read.
    fn read(&mut self, frames: u64) {
        let _ = frames;
    }

    /// The server has every row of the frames up to this one.
    fn is_there(&mut self, frame: u64) {
        let _ = frame;
    }

    /// Another insert is there, or another try is made.
    fn loaded(&mut self, so_far: &LoadSummary) {
        let _ = so_far;
    }

    /// What keeps it waiting; `None` when it goes on.
    fn trouble(&mut self, trouble: Option<&ClickHouseError>) {
        let _ = trouble;
    }

    /// Waits before an insert is tried again; false: it is not.
    fn pause(&mut self, wait: Duration) -> bool {
        std::thread::sleep(wait);
        true
    }

    /// Whether it may go on with another insert.
    fn goes_on(&mut self) -> bool {
        true
    }
}

/// Nobody looks on.
impl LoadWatch for () {}

/// Rows into a server.
pub struct Loader<'a, W> {
    server: &'a ClickHouse,
    session: String,
    marks: Vec<Mark>,
    buffer: Vec<u8>,
    batch_rows: usize,
    patience: Duration,
    summary: LoadSummary,
    watch: W,
}

impl<'a, W: LoadWatch> Loader<'a, W> {
    /// Asks the server how far it is. `patience` is how long one insert is tried again while the server is away.
    ///
    /// # Errors
    /// [`ClickHouseError`]; [`ClickHouseError::Schema`] if its columns are not those that this program writes.
    pub fn open(
        server: &'a ClickHouse,
        session: &str,
        patience: Duration,
        watch: W,
    ) -> Result<Self, ClickHouseError> {
        if let Some(what) = super::migrations::mismatch(server)? {
            return Err(ClickHouseError::Schema { what });
        }
        let mut marks = vec![Mark::default(); Table::EVERY.len()];
        let mut rows_kept = 0;
        for table in LOADED_TABLES {
            if let Some(mark) = marks.get_mut(table as usize) {
                *mark = mark_of(server, session, table)?;
                rows_kept += mark.block.saturating_sub(1);
            }
        }
        Ok(Self {
            server,
            session: session.to_owned(),
            marks,
            buffer: Vec::new(),
            batch_rows: LOAD_BLOCK_ROWS,
            patience,
            summary: LoadSummary { rows_kept, ..LoadSummary::default() },
            watch,
        })
    }

    /// With blocks of about so many rows.
    #[must_use]
    pub fn with_batch_rows(self, batch_rows: usize) -> Self {
        Self { batch_rows, ..self }
    }

    /// Whether the server has no row of the session yet.
    pub fn is_fresh(&self) -> bool {
        self.marks.iter().all(|mark| mark.last == 0)
    }

    /// What it wants of the session: of each table, its last block there and what comes behind, the last block in one batch with it.
    pub fn wanted(&self, has_ended: bool) -> RowsWanted {
        let first_rows = self.marks.iter().map(|mark| mark.block.max(1)).collect();
        let whole_rows = self.marks.iter().map(|mark| mark.last).collect();
        RowsWanted { first_rows, whole_rows, batch_rows: self.batch_rows, ..load_wanted(has_ended) }
    }

    /// What was loaded.
    ///
    /// # Errors
    /// [`ClickHouseError::Ahead`] if the server has rows of the session that the journal did not give: another journal under the same name.
    pub fn finish(self) -> Result<LoadSummary, ClickHouseError> {
        for table in LOADED_TABLES {
            if let Some(mark) = self.marks.get(table as usize)
                && mark.last > mark.given
            {
                let table = server_table(table);
                return Err(ClickHouseError::Ahead { table, found: mark.last, given: mark.given });
            }
        }
        Ok(self.summary)
    }

    /// Whether a server that was away is the one that it was: it may have been restored from a backup.
    fn check_return(&self) -> Result<(), ClickHouseError> {
        if let Some(what) = super::migrations::mismatch(self.server)? {
            return Err(ClickHouseError::Schema { what });
        }
        for table in LOADED_TABLES {
            let acknowledged = self.marks.get(table as usize).map_or(0, |mark| mark.last.max(mark.given));
            let found = mark_of(self.server, &self.session, table)?.last;
            if found < acknowledged {
                return Err(ClickHouseError::Behind { table: server_table(table), found, acknowledged });
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        batch: &Batch,
        names: &Names,
        from: usize,
        to: usize,
        block: u64,
    ) -> Result<(), ClickHouseError> {
        if from >= to {
            return Ok(());
        }
        let table = server_table(batch.table());
        encode(&mut self.buffer, batch, names, from..to, &self.session, block);
        let columns: Vec<String> = [SESSION, BLOCK]
            .into_iter()
            .chain(batch.table().columns().iter().map(|column| column.name))
            .map(quoted_name)
            .collect();
        let sql =
            format!("INSERT INTO {}.{table} ({}) FORMAT Native", self.server.database(), columns.join(", "));
        let token = format!("{}/{table}/{block}", self.session);
        let settings = [
            ("insert_deduplicate", "1"),
            ("insert_deduplication_token", token.as_str()),
            ("deduplicate_blocks_in_dependent_materialized_views", "1"),
            ("async_insert", "0"),
        ];
        let mut wait = BACK_OFF_FIRST;
        let mut waited = Duration::ZERO;
        let mut was_away = false;
        loop {
            if !self.watch.goes_on() {
                return Err(ClickHouseError::Stopped);
            }
            let returned = if was_away { self.check_return() } else { Ok(()) };
            match returned.and_then(|()| self.server.insert(&sql, &settings, &self.buffer)) {
                Ok(()) => {
                    if !waited.is_zero() {
                        self.watch.trouble(None);
                    }
                    break;
                }
                // It may be there or not: the token makes the second time harmless.
                Err(error) if error.is_passing() && waited < self.patience => {
                    if waited.is_zero() {
                        self.watch.trouble(Some(&error));
                    }
                    was_away |= matches!(error, ClickHouseError::Unreachable { .. });
                    self.summary.retries += 1;
                    self.watch.loaded(&self.summary);
                    if !self.watch.pause(wait) {
                        return Err(error);
                    }
                    waited = waited.saturating_add(wait);
                    wait = (wait * 2).min(BACK_OFF_MOST);
                }
                Err(error) => return Err(error),
            }
        }
        self.summary.blocks += 1;
        self.summary.bytes += self.buffer.len() as u64;
        Ok(())
    }

    fn take(&mut self, batch: &Batch, names: &Names) -> Result<(), ClickHouseError> {
        let Some(Cells::U64(sequences)) = batch.cells().first() else { return Ok(()) };
        let Some(mark) = self.marks.get(batch.table() as usize).copied() else { return Ok(()) };
        let rows = sequences.len();
        let last_block = sequences.partition_point(|sequence| *sequence < mark.block);
        let behind = sequences.partition_point(|sequence| *sequence <= mark.last);
        // The block that was there last, if all of it is in this batch: a batch begins where a block does.
        if mark.block > 0 && last_block < behind && sequences.get(last_block) == Some(&mark.block) {
            self.send(batch, names, last_block, behind, mark.block)?;
        }
        if let Some(first) = sequences.get(behind) {
            self.send(batch, names, behind, rows, *first)?;
        }
        self.summary.rows_kept += behind as u64;
        self.summary.rows += (rows - behind) as u64;
        self.watch.loaded(&self.summary);
        if let (Some(mark), Some(last)) = (self.marks.get_mut(batch.table() as usize), sequences.last()) {
            mark.given = *last;
        }
        Ok(())
    }
}

impl<W: LoadWatch> RowSink for Loader<'_, W> {
    fn rows(
        &mut self,
        batch: &mut Batch,
        names: &Names,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.take(batch, names)?)
    }

    fn progress(&mut self, frames: u64) {
        self.watch.read(frames);
    }

    fn given(&mut self, frame: u64) {
        self.watch.is_there(frame);
    }
}
