//! Which instrument a locate code means, and what the venue last said of its trading state.
//!
//! A locate is bound by the first message that carries its symbol: to the configured instrument of that symbol if there is one, else to
//! one learnt now. A session may begin after the directory, with a message that carries no symbol (`D E C X U`). Such an order
//! was added before, so its book is not ours to know, but the message is not lost either: the locate is given an instrument named
//! `#` and the locate (`#3041`), which takes its real name when one comes. No order ever rests in such a book, because the messages that
//! add orders name their stock; so nothing has to be moved when the name turns out to belong to a configured instrument.

use super::wire::Stock;
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    DecodeError, Definition, Event, Instrument, InstrumentId, InstrumentTable, MarketStatus, NANOS_PER_UNIT,
    SourceId, Symbol,
};

const LOCATES: usize = 1 << 16;
/// Twice the number of locates: the index is never more than half full.
const INDEX_SLOTS: usize = 1 << 17;
const NOBODY: u32 = u32::MAX;
/// Set in the id of a locate whose symbol is not known yet. Ids below 2^31 are those of named locates.
const UNNAMED: u32 = 1 << 31;

/// A trading state of a locate: a [`MarketStatus`] number (0 not said) and whether an operational halt lies over it.
const STATE_MASK: u8 = 0x0f;
const OPERATIONAL_HALT: u8 = 0x80;

/// The locates of one source. All memory is taken in [`Directory::new`].
pub(super) struct Directory {
    source: SourceId,
    ids: Box<[u32; LOCATES]>,
    states: Box<[u8; LOCATES]>,
    /// Ids by symbol, open addressing with linear probing. Entries are never removed.
    index: Box<[u32; INDEX_SLOTS]>,
    index_used: usize,
    /// How many entries of the instrument table the index has seen.
    table_seen: usize,
}

/// What a newly learnt or renamed instrument is announced with.
pub(super) type Learnt = Option<Event>;

impl Directory {
    pub(super) fn new(source: SourceId) -> Self {
        Self {
            source,
            ids: filled(NOBODY),
            states: filled(0),
            index: filled(NOBODY),
            index_used: 0,
            table_seen: 0,
        }
    }

    /// The instrument of a locate whose symbol is known. The only part that the hot path runs; the index is a `u16` into 65,536.
    #[inline]
    pub(super) fn named(&self, locate: u16) -> Option<InstrumentId> {
        let id = self.ids[usize::from(locate)];
        (id < UNNAMED).then(|| InstrumentId::new(id))
    }

    /// The instrument of a locate, by whatever name.
    pub(super) fn known(&self, locate: u16) -> Option<InstrumentId> {
        let id = self.ids[usize::from(locate)];
        (id != NOBODY).then(|| InstrumentId::new(id & !UNNAMED))
    }

    /// A new day: locates are given anew, trading states are not known.
    pub(super) fn forget(&mut self) {
        self.ids.fill(NOBODY);
        self.states.fill(0);
    }

    /// Binds a locate to the instrument of this symbol, which is learnt if nobody has it.
    ///
    /// # Errors
    /// `BadField`: not a symbol. `TooManyInstruments`: the table is full. `BadNumber`: the instrument is configured with a lot that is
    /// not one share, so quantities of this feed cannot be told in its lots. The locate stays as it was.
    #[cold]
    pub(super) fn name(
        &mut self,
        locate: u16,
        stock: &Stock,
        table: &mut InstrumentTable,
    ) -> Result<(InstrumentId, Learnt), DecodeError> {
        let symbol = stock.symbol().ok_or(DecodeError::BadField)?;
        self.see_table(table);
        let at = usize::from(locate);
        if let Some(id) = self.find(&symbol, table) {
            if table.by_id(id).is_none_or(|instrument| instrument.lot != NANOS_PER_UNIT) {
                return Err(DecodeError::BadNumber);
            }
            self.ids[at] = id.get();
            return Ok((id, None));
        }
        if self.index_used >= INDEX_SLOTS / 2 {
            return Err(DecodeError::TooManyInstruments);
        }
        let unnamed = self.ids[at];
        let id = if unnamed != NOBODY && unnamed & UNNAMED != 0 {
            let id = InstrumentId::new(unnamed & !UNNAMED);
            table.rename(id, symbol);
            self.insert(id, &symbol);
            id
        } else {
            let id = self.learn(symbol, table)?;
            self.see_table(table);
            id
        };
        self.ids[at] = id.get();
        Ok((id, Some(announcement(id, symbol))))
    }

    /// The instrument of a locate in a message without a symbol: one named after the locate if none is known.
    ///
    /// # Errors
    /// `TooManyInstruments`: the table is full.
    #[cold]
    pub(super) fn unnamed(
        &mut self,
        locate: u16,
        table: &mut InstrumentTable,
    ) -> Result<(InstrumentId, Learnt), DecodeError> {
        if let Some(id) = self.known(locate) {
            return Ok((id, None));
        }
        let symbol = symbol_of_locate(locate);
        let id = self.learn(symbol, table)?;
        self.ids[usize::from(locate)] = id.get() | UNNAMED;
        Ok((id, Some(announcement(id, symbol))))
    }

    fn learn(&mut self, symbol: Symbol, table: &mut InstrumentTable) -> Result<InstrumentId, DecodeError> {
        if table.count() >= UNNAMED as usize {
            return Err(DecodeError::TooManyInstruments);
        }
        let instrument = Instrument {
            id: InstrumentId::ALL,
            source: self.source,
            symbol,
            lot: NANOS_PER_UNIT,
            price_decimals: PRICE_DECIMALS,
            qty_decimals: 0,
            terms: None,
        };
        table.add(instrument).ok_or(DecodeError::TooManyInstruments)
    }

    /// Takes the instruments that came into the table since the last time into the index.
    fn see_table(&mut self, table: &InstrumentTable) {
        for instrument in table.iter().skip(self.table_seen) {
            let named_after_locate = instrument.symbol.bytes().first() == Some(&b'#');
            if instrument.source == self.source && !named_after_locate && instrument.id.get() < UNNAMED {
                self.insert(instrument.id, &instrument.symbol);
            }
        }
        self.table_seen = table.count();
    }

    fn insert(&mut self, id: InstrumentId, symbol: &Symbol) {
        if self.index_used >= INDEX_SLOTS / 2 {
            return;
        }
        let mut at = slot(symbol);
        while self.index[at] != NOBODY {
            at = (at + 1) % INDEX_SLOTS;
        }
        self.index[at] = id.get();
        self.index_used += 1;
    }

    fn find(&self, symbol: &Symbol, table: &InstrumentTable) -> Option<InstrumentId> {
        let mut at = slot(symbol);
        // Half of the slots are free, so this ends.
        while self.index[at] != NOBODY {
            let id = InstrumentId::new(self.index[at]);
            if table.by_id(id).is_some_and(|instrument| instrument.symbol == *symbol) {
                return Some(id);
            }
            at = (at + 1) % INDEX_SLOTS;
        }
        None
    }

    /// The index as it lies: it holds names that were given up, too.
    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { source: _, ids, states, index, index_used, table_seen } = self;
        state.sparse(&ids[..], NOBODY);
        state.sparse(&states[..], 0);
        state.sparse(&index[..], NOBODY);
        state.count(*index_used);
        state.count(*table_seen);
    }

    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.sparse(&mut self.ids[..])?;
        state.sparse(&mut self.states[..])?;
        state.sparse(&mut self.index[..])?;
        self.index_used = state.count(INDEX_SLOTS / 2)?;
        let used = self.index.iter().filter(|id| **id != NOBODY).count();
        state.demand(used == self.index_used, "an index of another size than it says")?;
        // Ids are 32 bits wide.
        self.table_seen = state.count(UNNAMED as usize)?;
        Ok(())
    }

    /// Notes a Stock Trading Action and gives the state that results.
    pub(super) fn set_state(&mut self, locate: u16, status: MarketStatus) -> MarketStatus {
        let state = &mut self.states[usize::from(locate)];
        *state = *state & OPERATIONAL_HALT | status as u8;
        state_of(*state).unwrap_or(status)
    }

    /// Notes an Operational Halt and gives the state that results: while it lasts the stock is halted, then what it was before.
    pub(super) fn set_operational_halt(&mut self, locate: u16, halted: bool) -> MarketStatus {
        let state = &mut self.states[usize::from(locate)];
        *state = if halted { *state | OPERATIONAL_HALT } else { *state & !OPERATIONAL_HALT };
        state_of(*state).unwrap_or(MarketStatus::Trading)
    }

    /// The instruments that the venue said something else of than that they trade.
    pub(super) fn not_trading(&self) -> impl Iterator<Item = (InstrumentId, MarketStatus)> {
        self.states.iter().zip(self.ids.iter()).filter_map(|(&state, &id)| match state_of(state) {
            Some(status) if status != MarketStatus::Trading && id != NOBODY => {
                Some((InstrumentId::new(id & !UNNAMED), status))
            }
            Some(_) | None => None,
        })
    }
}

const PRICE_DECIMALS: u8 = 4;

fn announcement(id: InstrumentId, symbol: Symbol) -> Event {
    let definition = Definition { symbol, lot_decimals: 0, price_decimals: PRICE_DECIMALS, qty_decimals: 0 };
    Event::new_definition(id, &definition)
}

fn state_of(state: u8) -> Option<MarketStatus> {
    if state & OPERATIONAL_HALT != 0 {
        return Some(MarketStatus::Halted);
    }
    MarketStatus::from_number(u64::from(state & STATE_MASK))
}

/// `#` and the locate in decimal.
fn symbol_of_locate(locate: u16) -> Symbol {
    let mut text = *b"#00000";
    let mut rest = locate;
    let mut first = text.len();
    for digit in text.iter_mut().skip(1).rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first -= 1;
        if rest == 0 {
            break;
        }
    }
    let mut stored = [0u8; 24];
    let digits = text.iter().skip(first);
    for (to, from) in stored.iter_mut().zip(std::iter::once(&b'#').chain(digits)) {
        *to = *from;
    }
    Symbol::from_stored(stored)
}

fn slot(symbol: &Symbol) -> usize {
    // Symbols of this feed have at most 8 bytes.
    let [a, b, c, d, e, f, g, h, ..] = *symbol.bytes();
    let mixed = u64::from_le_bytes([a, b, c, d, e, f, g, h]).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> (64 - INDEX_SLOTS.trailing_zeros())) as usize
}

/// On the heap from the start: an array of this size does not belong on a stack.
fn filled<T: Copy, const N: usize>(value: T) -> Box<[T; N]> {
    match vec![value; N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("a vector of N elements is an array of N"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locate_without_a_symbol_is_named_after_its_number() {
        for (locate, text) in [(0, "#0"), (7, "#7"), (10, "#10"), (3041, "#3041"), (65_535, "#65535")] {
            assert_eq!(symbol_of_locate(locate).as_str(), text);
        }
    }
}
