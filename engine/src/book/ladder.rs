//! [`LevelPool`]: the price levels of every book, as unrolled sorted lists.
//!
//! One side of a book is a [`Ladder`]: a list of chunks, each with up to 15 levels in one run of memory. The top of the book is the *last* row of the
//! first chunk, so that a level that comes or goes near the top moves only the few that are better. An unrolled list touches the lines it needs for
//! the top and nothing else, and is shared by L2 and L3 books of any depth.
//!
//! ```text
//!  ladder.best ─▶ [ worst … better … BEST ] ◀─▶ [ rows, all worse ] ◀─▶ … ◀─▶ [ worst of all … ] ◀─ ladder.worst
//! ```
//!
//! Two neighbours hold more than [`MERGE_AT`] rows together, so `k` levels need at most `2k/11 + 1` chunks: the pool can be sized so that levels run
//! out before chunks do.

use super::orders::NONE;
use crate::memory::{Table, prefetch};
use crate::words::{Level, Price, Qty, Side, VIEW_LEVELS_MAX};

/// Rows of one chunk.
pub(super) const ROWS: usize = 15;

/// Neighbours that hold at most this many rows together become one.
pub(super) const MERGE_AT: usize = 10;

/// A price level and the ends of its queue (L3).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) level: Level,
    /// Slot of the first order.
    pub(super) front: u32,
    /// Slot of the last order.
    pub(super) back: u32,
}

const _: () = assert!(size_of::<Row>() == 32);

impl Row {
    const VACANT: Row =
        Row { level: Level { price: Price::ZERO, qty: Qty::ZERO, orders: 0 }, front: NONE, back: NONE };
}

#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
struct Chunk {
    count: u32,
    /// The neighbour with the better prices.
    better: u32,
    /// The neighbour with the worse prices; of a free chunk the next free one.
    worse: u32,
    reserved: [u32; 5],
    /// The worst first; `count` of them.
    rows: [Row; ROWS],
}

const _: () = assert!(size_of::<Chunk>() == 512);

impl Chunk {
    const VACANT: Chunk =
        Chunk { count: 0, better: NONE, worse: NONE, reserved: [0; 5], rows: [Row::VACANT; ROWS] };

    #[inline]
    fn rows(&self) -> &[Row] {
        // in bounds: held at the length
        &self.rows[..(self.count as usize).min(ROWS)]
    }
}

/// One side of one book.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ladder {
    best: u32,
    worst: u32,
}

impl Ladder {
    pub(super) const EMPTY: Ladder = Ladder { best: NONE, worst: NONE };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.best == NONE
    }
}

/// Where a row lies, until the next insertion or removal on its ladder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    chunk: u32,
    row: u32,
}

/// What was copied of a side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    /// Levels.
    pub(super) count: u32,
    /// Sum of their quantities.
    pub(super) depth: i64,
}

/// What an insertion ran into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PoolFull;

/// Better is larger: bids by price, asks by its complement.
#[inline]
fn rank(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => price.nanos(),
        Side::Sell => !price.nanos(),
    }
}

/// Writes the last `N` rows, the last one first, and sums their quantities; `None` if there are fewer.
#[inline(always)]
fn copy_exactly<const N: usize>(rows: &[Row], to: &mut [Level; VIEW_LEVELS_MAX]) -> Option<i64> {
    let (rows, to) = (rows.last_chunk::<N>()?, to.first_chunk_mut::<N>()?);
    let mut depth = 0;
    for (slot, row) in to.iter_mut().zip(rows.iter().rev()) {
        *slot = row.level;
        // at most 10 levels of at most 2^58: below 2^62
        depth += row.level.qty.lots();
    }
    Some(depth)
}

pub(super) struct LevelPool {
    chunks: Table<Chunk>,
    /// First chunk of the free list.
    free: u32,
    /// Chunks from here on were never used.
    fresh: u32,
    live: usize,
    levels_max: usize,
}

impl LevelPool {
    pub(super) fn new(levels_max: usize, instruments_max: usize) -> Self {
        // k levels of one side need at most 2k/11 + 1 chunks, and one more while a full chunk is being split.
        let count = levels_max * 2 / (MERGE_AT + 1) + 2 * instruments_max + 2;
        Self { chunks: Table::new(count, Chunk::VACANT), free: NONE, fresh: 0, live: 0, levels_max }
    }

    #[inline]
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// How many levels there is still room for.
    pub(super) fn room(&self) -> usize {
        self.levels_max.saturating_sub(self.live)
    }

    #[inline]
    fn chunk(&self, id: u32) -> &Chunk {
        // in bounds: chunk numbers come from `allocate` only
        &self.chunks[id as usize]
    }

    #[inline]
    fn chunk_mut(&mut self, id: u32) -> &mut Chunk {
        // in bounds: chunk numbers come from `allocate` only
        &mut self.chunks[id as usize]
    }

    /// The best level.
    #[inline]
    pub(super) fn best(&self, ladder: &Ladder) -> Option<&Level> {
        if ladder.is_empty() {
            return None;
        }
        self.chunk(ladder.best).rows().last().map(|row| &row.level)
    }

    /// A row that `find` or `insert` gave.
    #[inline]
    pub(super) fn row_mut(&mut self, place: Place) -> &mut Row {
        // in bounds: a place's row is below ROWS
        &mut self.chunk_mut(place.chunk).rows[place.row as usize]
    }

    #[inline]
    pub(super) fn row(&self, place: Place) -> &Row {
        // in bounds: a place's row is below ROWS
        &self.chunk(place.chunk).rows[place.row as usize]
    }

    /// `Ok`: where the level lies. `Err`: where it is to be inserted.
    #[inline]
    pub(super) fn find(&self, ladder: &Ladder, side: Side, price: Price) -> Result<Place, Place> {
        match side {
            Side::Buy => self.search(ladder, Side::Buy, price),
            Side::Sell => self.search(ladder, Side::Sell, price),
        }
    }

    /// Inlined twice into `find`, once for each side, so that the direction of comparison is fixed.
    #[inline(always)]
    fn search(&self, ladder: &Ladder, side: Side, price: Price) -> Result<Place, Place> {
        if ladder.is_empty() {
            return Err(Place { chunk: NONE, row: 0 });
        }
        let wanted = rank(side, price);
        let mut id = ladder.best;
        let mut chunk = self.chunk(id);
        // in bounds: row 0 exists in the array
        if wanted < rank(side, chunk.rows[0].level.price) && chunk.worse != NONE {
            id = self.walk(ladder, side, wanted);
            chunk = self.chunk(id);
        }
        let mut row = chunk.count;
        for candidate in chunk.rows().iter().rev() {
            let found = rank(side, candidate.level.price);
            if found <= wanted {
                return if found == wanted {
                    Ok(Place { chunk: id, row: row - 1 })
                } else {
                    Err(Place { chunk: id, row })
                };
            }
            row -= 1;
        }
        Err(Place { chunk: id, row: 0 })
    }

    /// The first chunk whose worst row is not better than wanted, or the last one. Looks at the last one first: snapshots come best first.
    fn walk(&self, ladder: &Ladder, side: Side, wanted: i64) -> u32 {
        let last_best = self.chunk(ladder.worst).rows().last().map(|row| rank(side, row.level.price));
        if last_best.is_some_and(|best| wanted <= best) {
            return ladder.worst;
        }
        let mut id = ladder.best;
        loop {
            let chunk = self.chunk(id);
            // in bounds: row 0 exists in the array
            if chunk.worse == NONE || rank(side, chunk.rows[0].level.price) <= wanted {
                return id;
            }
            id = chunk.worse;
        }
    }

    /// Inserts an empty level (quantity 0, to be filled at once) where `find` said. On [`PoolFull`] nothing changed.
    #[inline]
    pub(super) fn insert(
        &mut self,
        ladder: &mut Ladder,
        side: Side,
        at: Place,
        price: Price,
    ) -> Result<Place, PoolFull> {
        if self.live >= self.levels_max {
            return Err(PoolFull);
        }
        let place = if at.chunk == NONE || self.chunk(at.chunk).count as usize == ROWS {
            self.make_room(ladder, side, at, price).ok_or(PoolFull)?
        } else {
            at
        };
        self.live += 1;
        let chunk = self.chunk_mut(place.chunk);
        let row = place.row as usize;
        let mut index = chunk.count as usize;
        chunk.count += 1;
        while index > row {
            // in bounds: row < index < ROWS, the chunk was not full
            chunk.rows[index] = chunk.rows[index - 1];
            index -= 1;
        }
        chunk.rows[row] = Row { level: Level { price, ..Row::VACANT.level }, ..Row::VACANT };
        Ok(place)
    }

    /// A place for the level in a chunk that is not full.
    #[cold]
    fn make_room(&mut self, ladder: &mut Ladder, side: Side, at: Place, price: Price) -> Option<Place> {
        let fresh = self.allocate()?;
        if at.chunk == NONE {
            *ladder = Ladder { best: fresh, worst: fresh };
            return Some(Place { chunk: fresh, row: 0 });
        }
        let full = at.chunk;
        let (better, worse) = (self.chunk(full).better, self.chunk(full).worse);
        if at.row == 0 && worse == NONE {
            self.chunk_mut(full).worse = fresh;
            self.chunk_mut(fresh).better = full;
            ladder.worst = fresh;
            return Some(Place { chunk: fresh, row: 0 });
        }
        // `fresh` comes between `full` and `better`, with the better half of the rows (none for a new best level).
        let keep = if at.row as usize == ROWS && better == NONE { ROWS } else { ROWS.div_ceil(2) };
        let mut moved = [Row::VACANT; ROWS];
        for (to, from) in moved.iter_mut().zip(self.chunk(full).rows.iter().skip(keep)) {
            *to = *from;
        }
        self.chunk_mut(full).count = keep as u32;
        self.chunk_mut(full).better = fresh;
        let chunk = self.chunk_mut(fresh);
        chunk.rows = moved;
        chunk.count = (ROWS - keep) as u32;
        chunk.worse = full;
        chunk.better = better;
        if better == NONE {
            ladder.best = fresh;
        } else {
            self.chunk_mut(better).worse = fresh;
        }
        if keep == ROWS {
            return Some(Place { chunk: fresh, row: 0 });
        }
        self.merge_if_small(ladder, better, fresh);
        self.merge_if_small(ladder, full, worse);
        // Neither half nor what it was merged with is full now.
        self.find(ladder, side, price).err()
    }

    /// Removes a level.
    #[inline]
    pub(super) fn remove(&mut self, ladder: &mut Ladder, at: Place) {
        self.live -= 1;
        let chunk = self.chunk_mut(at.chunk);
        let count = (chunk.count as usize).min(ROWS).saturating_sub(1);
        chunk.count = count as u32;
        let mut index = at.row as usize;
        while index < count {
            // in bounds: index + 1 ≤ count < ROWS
            chunk.rows[index] = chunk.rows[index + 1];
            index += 1;
        }
        let (better, worse) = (chunk.better, chunk.worse);
        if count == 0 {
            self.unlink(ladder, at.chunk);
        } else if count < MERGE_AT && (better & worse) != NONE {
            self.merge_if_small(ladder, better, at.chunk);
            // If that joined them, this chunk's number stays.
            self.merge_if_small(ladder, at.chunk, worse);
        }
    }

    /// Joins two neighbours if they are small enough, under the number of the worse one, whose rows stay in place.
    fn merge_if_small(&mut self, ladder: &mut Ladder, better: u32, worse: u32) {
        if better == NONE || worse == NONE {
            return;
        }
        let (low, high) = (self.chunk(worse).count as usize, self.chunk(better).count as usize);
        if low + high > MERGE_AT {
            return;
        }
        let moved = self.chunk(better).rows;
        let chunk = self.chunk_mut(worse);
        for (to, from) in chunk.rows.iter_mut().skip(low).zip(moved.iter().take(high)) {
            *to = *from;
        }
        chunk.count = (low + high) as u32;
        self.unlink(ladder, better);
    }

    /// Takes a chunk out of its ladder and frees it.
    fn unlink(&mut self, ladder: &mut Ladder, id: u32) {
        let (better, worse) = (self.chunk(id).better, self.chunk(id).worse);
        match better {
            NONE => ladder.best = worse,
            _ => self.chunk_mut(better).worse = worse,
        }
        match worse {
            NONE => ladder.worst = better,
            _ => self.chunk_mut(worse).better = better,
        }
        self.release(id);
    }

    fn allocate(&mut self) -> Option<u32> {
        let id = if self.free != NONE {
            let id = self.free;
            self.free = self.chunk(id).worse;
            id
        } else {
            let id = self.fresh;
            if id as usize >= self.chunks.len() {
                return None;
            }
            self.fresh += 1;
            id
        };
        let chunk = self.chunk_mut(id);
        (chunk.count, chunk.better, chunk.worse) = (0, NONE, NONE);
        Some(id)
    }

    fn release(&mut self, id: u32) {
        self.chunk_mut(id).worse = self.free;
        self.free = id;
    }

    /// Frees every level of a side.
    pub(super) fn clear(&mut self, ladder: &mut Ladder) {
        let mut id = ladder.best;
        while id != NONE {
            let (worse, count) = (self.chunk(id).worse, self.chunk(id).count as usize);
            self.live -= count;
            self.release(id);
            id = worse;
        }
        *ladder = Ladder::EMPTY;
    }

    /// Writes the best levels, at most `limit` of them.
    #[inline(always)]
    pub(super) fn copy_best(
        &self,
        ladder: &Ladder,
        limit: usize,
        to: &mut [Level; VIEW_LEVELS_MAX],
    ) -> Copied {
        if ladder.is_empty() {
            return Copied { count: 0, depth: 0 };
        }
        let chunk = self.chunk(ladder.best);
        // The usual cases, the default or the largest view from a first chunk with enough rows, in straight code.
        let depth = match limit {
            5 => copy_exactly::<5>(chunk.rows(), to),
            VIEW_LEVELS_MAX => copy_exactly::<VIEW_LEVELS_MAX>(chunk.rows(), to),
            _ => None,
        };
        match depth {
            Some(depth) => Copied { count: limit as u32, depth },
            None => self.copy_across(chunk, limit, to),
        }
    }

    /// The same over several chunks, or fewer levels than asked for.
    fn copy_across<'a>(
        &'a self,
        mut chunk: &'a Chunk,
        limit: usize,
        to: &mut [Level; VIEW_LEVELS_MAX],
    ) -> Copied {
        let (mut count, mut depth) = (0, 0);
        loop {
            let room = to.get_mut(count..limit).unwrap_or_default();
            for (slot, row) in room.iter_mut().zip(chunk.rows().iter().rev()) {
                *slot = row.level;
                count += 1;
                // at most 10 levels of at most 2^58: below 2^62
                depth += row.level.qty.lots();
            }
            if count == limit || chunk.worse == NONE {
                return Copied { count: count as u32, depth };
            }
            chunk = self.chunk(chunk.worse);
        }
    }

    /// The rows of a side, best first.
    pub(super) fn rows(&self, ladder: &Ladder) -> Rows<'_> {
        Rows { pool: self, chunk: ladder.best, left: None }
    }

    /// Asks for the head of the first chunk of a side.
    #[inline]
    pub(super) fn prefetch_chunk(&self, ladder: &Ladder) {
        if let Some(chunk) = self.chunks.get(ladder.best as usize) {
            prefetch(chunk);
        }
    }

    /// Asks for the best rows of a side: the head of the chunk has been asked for before and is here by now.
    #[inline]
    pub(super) fn prefetch_rows(&self, ladder: &Ladder) {
        if let Some(chunk) = self.chunks.get(ladder.best as usize) {
            // Two rows a line; the five best lie on three or four.
            for row in chunk.rows().iter().rev().step_by(2).take(4) {
                prefetch(row);
            }
        }
    }

    /// Whether links, counts and order of a side hold. `Err` says what does not.
    pub(super) fn check(&self, ladder: &Ladder, side: Side) -> Result<(), &'static str> {
        let (mut id, mut before, mut better_rank) = (ladder.best, NONE, None);
        while id != NONE {
            let chunk = self.chunks.get(id as usize).ok_or("a chunk number beyond the pool")?;
            if chunk.better != before {
                return Err("a chunk that does not point back");
            }
            if !(1..=ROWS).contains(&(chunk.count as usize)) {
                return Err("an empty or overfull chunk");
            }
            if before != NONE && (self.chunk(before).count + chunk.count) as usize <= MERGE_AT {
                return Err("small neighbours that were not joined");
            }
            for row in chunk.rows().iter().rev() {
                let rank = rank(side, row.level.price);
                if better_rank.is_some_and(|better| better <= rank) {
                    return Err("levels out of order");
                }
                better_rank = Some(rank);
            }
            before = id;
            id = chunk.worse;
        }
        if ladder.worst == before { Ok(()) } else { Err("a ladder that does not end at its worst chunk") }
    }
}

/// See [`LevelPool::rows`].
pub(super) struct Rows<'a> {
    pool: &'a LevelPool,
    chunk: u32,
    /// Rows of `chunk` not given yet; `None` before its first.
    left: Option<u32>,
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a Row;

    fn next(&mut self) -> Option<&'a Row> {
        while self.chunk != NONE {
            let chunk = self.pool.chunk(self.chunk);
            let left = self.left.unwrap_or(chunk.count);
            if let Some(row) = left.checked_sub(1) {
                self.left = Some(row);
                return chunk.rows.get(row as usize);
            }
            (self.chunk, self.left) = (chunk.worse, None);
        }
        None
    }
}
