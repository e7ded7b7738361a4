//! [`Batch`]: rows as columns, and the writer that fills them cell by cell.

use super::schema::{Kind, NameSet, Table};

/// The cells of one column.
#[derive(Clone, PartialEq, Debug)]
pub enum Cells {
    /// [`Kind::U64`].
    U64(Vec<u64>),
    /// [`Kind::U32`].
    U32(Vec<u32>),
    /// [`Kind::U16`].
    U16(Vec<u16>),
    /// [`Kind::I64`], [`Kind::Time`], [`Kind::Price`], [`Kind::Qty`], [`Kind::Money`].
    I64(Vec<i64>),
    /// [`Kind::Bool`]: 0 or 1.
    Bool(Vec<u8>),
    /// [`Kind::Name`]: places in [`Names`], 0 for none.
    Name(Vec<u32>),
    /// [`Kind::Code`]: places in its words.
    Code(Vec<u8>),
    /// [`Kind::Text`].
    Text(Vec<String>),
    /// [`Kind::Levels`]: where each row ends in the values.
    Levels {
        /// Ends, one a row.
        ends: Vec<u32>,
        /// Values of all rows.
        values: Vec<i64>,
    },
}

impl Cells {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::U64 => Self::U64(Vec::new()),
            Kind::U32 => Self::U32(Vec::new()),
            Kind::U16 => Self::U16(Vec::new()),
            Kind::I64 | Kind::Time | Kind::Price | Kind::Qty | Kind::Money => Self::I64(Vec::new()),
            Kind::Bool => Self::Bool(Vec::new()),
            Kind::Name(_) => Self::Name(Vec::new()),
            Kind::Code(_) => Self::Code(Vec::new()),
            Kind::Text => Self::Text(Vec::new()),
            Kind::Levels => Self::Levels { ends: Vec::new(), values: Vec::new() },
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U64(cells) => cells.len(),
            Self::U32(cells) | Self::Name(cells) => cells.len(),
            Self::U16(cells) => cells.len(),
            Self::I64(cells) => cells.len(),
            Self::Bool(cells) | Self::Code(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
            Self::Levels { ends, .. } => ends.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn clear(&mut self) {
        match self {
            Self::U64(cells) => cells.clear(),
            Self::U32(cells) | Self::Name(cells) => cells.clear(),
            Self::U16(cells) => cells.clear(),
            Self::I64(cells) => cells.clear(),
            Self::Bool(cells) | Self::Code(cells) => cells.clear(),
            Self::Text(cells) => cells.clear(),
            Self::Levels { ends, values } => {
                ends.clear();
                values.clear();
            }
        }
    }
}

/// What the places of [`Cells::Name`] stand for. The first one of each is no name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Names {
    /// Symbols: place = instrument + 1.
    pub instruments: Vec<String>,
    /// Strategies: place = strategy + 1.
    pub strategies: Vec<String>,
}

impl Names {
    /// The names of a set.
    pub fn of(&self, set: NameSet) -> &[String] {
        match set {
            NameSet::Instruments => &self.instruments,
            NameSet::Strategies => &self.strategies,
        }
    }
}

/// Some rows of a table, column by column.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    table: Table,
    cells: Vec<Cells>,
}

impl Batch {
    /// Without rows.
    pub fn new(table: Table) -> Self {
        Self { table, cells: table.columns().iter().map(|column| Cells::new(column.kind)).collect() }
    }

    /// Of which table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.cells.first().map_or(0, Cells::len)
    }

    /// The columns' cells, in the order of [`Table::columns`].
    pub fn cells(&self) -> &[Cells] {
        &self.cells
    }

    /// The cells of the column of that name.
    pub fn cells_of(&self, name: &str) -> Option<&Cells> {
        let at = self.table.columns().iter().position(|column| column.name == name)?;
        self.cells.get(at)
    }

    /// Takes the first `count` rows away.
    pub fn skip(&mut self, count: usize) {
        for cells in &mut self.cells {
            match cells {
                Cells::U64(cells) => drop(cells.drain(..count.min(cells.len()))),
                Cells::U32(cells) | Cells::Name(cells) => drop(cells.drain(..count.min(cells.len()))),
                Cells::U16(cells) => drop(cells.drain(..count.min(cells.len()))),
                Cells::I64(cells) => drop(cells.drain(..count.min(cells.len()))),
                Cells::Bool(cells) | Cells::Code(cells) => drop(cells.drain(..count.min(cells.len()))),
                Cells::Text(cells) => drop(cells.drain(..count.min(cells.len()))),
                Cells::Levels { ends, values } => {
                    let count = count.min(ends.len());
                    let gone = count.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or(0);
                    ends.drain(..count);
                    for end in ends.iter_mut() {
                        *end -= gone;
                    }
                    values.drain(..(gone as usize).min(values.len()));
                }
            }
        }
    }

    /// Takes every row away; the memory stays.
    pub fn clear(&mut self) {
        for cells in &mut self.cells {
            cells.clear();
        }
    }

    /// Begins a row: its cells are to follow in the order of the columns.
    #[inline]
    pub(super) fn row(&mut self) -> Row<'_> {
        Row { cells: self.cells.iter_mut() }
    }
}

/// A row that is being written. Cells come in the order of the columns; one of another kind than its column is not written, which the tests of
/// the writers find as columns of unequal length.
pub(super) struct Row<'a> {
    cells: std::slice::IterMut<'a, Cells>,
}

impl Row<'_> {
    #[inline]
    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        match self.cells.next() {
            Some(Cells::U64(cells)) => cells.push(value),
            other => debug_assert!(false, "a u64 for {other:?}"),
        }
        self
    }

    #[inline]
    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        match self.cells.next() {
            Some(Cells::U32(cells)) => cells.push(value),
            other => debug_assert!(false, "a u32 for {other:?}"),
        }
        self
    }

    #[inline]
    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        match self.cells.next() {
            Some(Cells::U16(cells)) => cells.push(value),
            other => debug_assert!(false, "a u16 for {other:?}"),
        }
        self
    }

    #[inline]
    pub(super) fn i64(&mut self, value: i64) -> &mut Self {
        match self.cells.next() {
            Some(Cells::I64(cells)) => cells.push(value),
            other => debug_assert!(false, "an i64 for {other:?}"),
        }
        self
    }

    #[inline]
    pub(super) fn bool(&mut self, value: bool) -> &mut Self {
        match self.cells.next() {
            Some(Cells::Bool(cells)) => cells.push(u8::from(value)),
            other => debug_assert!(false, "a bool for {other:?}"),
        }
        self
    }

    /// The `index`-th name; an index beyond all names (nobody, every instrument) is none.
    #[inline]
    pub(super) fn name(&mut self, index: usize, names: &[String]) -> &mut Self {
        match self.cells.next() {
            Some(Cells::Name(cells)) => {
                let place = index.wrapping_add(1);
                cells.push(if place < names.len() { place as u32 } else { 0 });
            }
            other => debug_assert!(false, "a name for {other:?}"),
        }
        self
    }

    #[inline]
    pub(super) fn code(&mut self, place: u8) -> &mut Self {
        match self.cells.next() {
            Some(Cells::Code(cells)) => cells.push(place),
            other => debug_assert!(false, "a code for {other:?}"),
        }
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        match self.cells.next() {
            Some(Cells::Text(cells)) => cells.push(text.to_owned()),
            other => debug_assert!(false, "a text for {other:?}"),
        }
        self
    }

    #[inline]
    pub(super) fn levels(&mut self, levels: impl Iterator<Item = i64>) -> &mut Self {
        match self.cells.next() {
            Some(Cells::Levels { ends, values }) => {
                values.extend(levels);
                // At most LEVELS values a row.
                ends.push(values.len() as u32);
            }
            other => debug_assert!(false, "levels for {other:?}"),
        }
        self
    }
}
