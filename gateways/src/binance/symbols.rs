//! The symbols of a feed: found by their bytes, tied to the table of instruments, learnt when first seen.

use super::json::Text;
use super::number::Lot;
use super::pending::Chain;
use super::sync::Position;
use super::{BinanceCounters, Refusal};
use spinward_engine::normalizer::{EventBatch, MessageMeta};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    DecodeError, Definition, Event, EventKind, Instrument, InstrumentId, InstrumentTable, MarketStatus,
    SourceId, Symbol,
};
use std::sync::Arc;

/// Which of the venue's markets, as its messages show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Market {
    Spot,
    UsdMargined,
    CoinMargined,
}

impl Market {
    /// `pu` or times where spot has none: futures; a pair: COIN-M.
    pub(super) fn of(is_futures: bool, has_pair: bool) -> Self {
        match (is_futures, has_pair) {
            (false, _) => Market::Spot,
            (true, false) => Market::UsdMargined,
            (true, true) => Market::CoinMargined,
        }
    }
}

/// Where the book of a symbol stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// No book; diffs are kept until a snapshot comes. Quarantined.
    Waiting,
    /// The snapshot is out, but not all kept diffs fitted into its message. Quarantined.
    CatchingUp(Position),
    /// Whole.
    Synced(Position),
}

/// What is known of one symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct SymbolState {
    pub(super) symbol: Symbol,
    pub(super) instrument: InstrumentId,
    pub(super) lot: Lot,
    pub(super) phase: Phase,
    /// Diffs kept.
    pub(super) kept: Chain,
    /// `u` of the diff kept last, to find holes before the snapshot comes.
    pub(super) kept_last: Option<u64>,
    /// As its diffs show; unknown before the first one.
    pub(super) market: Option<Market>,
    /// Single trades were seen: aggregates would count twice.
    pub(super) has_single_trades: bool,
    price_decimals: u8,
    qty_decimals: u8,
}

impl SymbolState {
    fn save(&self, state: &mut StateWriter) {
        let Self {
            symbol,
            instrument,
            lot,
            phase,
            kept,
            kept_last,
            market,
            has_single_trades,
            price_decimals,
            qty_decimals,
        } = self;
        state.pod(symbol);
        state.u32(instrument.get());
        lot.save(state);
        let (number, position) = match phase {
            Phase::Waiting => (0, None),
            Phase::CatchingUp(position) => (1, Some(position)),
            Phase::Synced(position) => (2, Some(position)),
        };
        state.u8(number);
        if let Some(Position { last, is_snapshot }) = position {
            state.u64(*last);
            state.bool(*is_snapshot);
        }
        kept.save(state);
        state.option(*kept_last, StateWriter::u64);
        state.option(*market, |state, market| {
            state.u8(match market {
                Market::Spot => 0,
                Market::UsdMargined => 1,
                Market::CoinMargined => 2,
            });
        });
        state.bool(*has_single_trades);
        state.u8(*price_decimals);
        state.u8(*qty_decimals);
    }

    fn load(state: &mut StateReader<'_>) -> Result<Self, StateError> {
        let position =
            |state: &mut StateReader<'_>| Ok(Position { last: state.u64()?, is_snapshot: state.bool()? });
        Ok(Self {
            symbol: state.pod()?,
            instrument: InstrumentId::new(state.u32()?),
            lot: Lot::load(state)?,
            phase: match state.u8()? {
                0 => Phase::Waiting,
                1 => Phase::CatchingUp(position(state)?),
                2 => Phase::Synced(position(state)?),
                _ => return Err(state.error("a state of a book that is none")),
            },
            kept: Chain::load(state)?,
            kept_last: state.option(StateReader::u64)?,
            market: state.option(|state| {
                state.number(|number| match number {
                    0 => Some(Market::Spot),
                    1 => Some(Market::UsdMargined),
                    2 => Some(Market::CoinMargined),
                    _ => None,
                })
            })?,
            has_single_trades: state.bool()?,
            price_decimals: state.u8()?,
            qty_decimals: state.u8()?,
        })
    }
}

/// The symbols, in memory taken at start.
pub(super) struct Symbols {
    states: Vec<SymbolState>,
    states_max: usize,
    /// Open addressing: index + 1 of a state, 0 for none. At most half full.
    slots: Box<[u32]>,
    /// The symbol of the last message; most feeds repeat it.
    recent: usize,
    learned_lot_decimals: u8,
    counters: Arc<BinanceCounters>,
}

fn hash(symbol: &Symbol) -> u64 {
    let mut hash: u64 = 0;
    for chunk in symbol.bytes().chunks_exact(8) {
        let word = chunk.first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight));
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    hash
}

impl Symbols {
    pub(super) fn new(states_max: usize, learned_lot_decimals: u8, counters: Arc<BinanceCounters>) -> Self {
        Self {
            states: Vec::with_capacity(states_max),
            states_max,
            slots: vec![0; (2 * states_max).next_power_of_two()].into(),
            recent: 0,
            learned_lot_decimals,
            counters,
        }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { states, states_max: _, slots, recent, learned_lot_decimals: _, counters: _ } = self;
        state.list(states.iter(), |state, symbol| symbol.save(state));
        state.sparse(slots, 0);
        state.count(*recent);
    }

    /// Before the first message.
    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        state.list(self.states_max, |state| {
            self.states.push(SymbolState::load(state)?);
            Ok(())
        })?;
        state.sparse(&mut self.slots)?;
        let used = self.slots.iter().filter(|slot| **slot != 0).count();
        let sound = used == self.states.len() && self.slots.iter().all(|slot| *slot as usize <= used);
        state.demand(sound, "an index that leads to no symbol")?;
        self.recent = state.count(self.states_max)?;
        self.counters.symbols.set(self.states.len() as i64);
        let whole = |symbol: &&SymbolState| !matches!(symbol.phase, Phase::Synced(_));
        self.counters.quarantined.set(self.states.iter().filter(whole).count() as i64);
        Ok(())
    }

    /// All symbols seen.
    pub(super) fn states_mut(&mut self) -> &mut [SymbolState] {
        &mut self.states
    }

    /// One symbol.
    #[inline]
    pub(super) fn state_mut(&mut self, index: usize) -> Option<&mut SymbolState> {
        self.states.get_mut(index)
    }

    /// The symbol whose snapshot this is, if the snapshot does not say: the only one of that market seen so far, else the only one
    /// that is configured for the source and was not seen yet.
    pub(super) fn only(
        &self,
        market: Market,
        source: SourceId,
        instruments: &InstrumentTable,
    ) -> Option<Symbol> {
        let mut seen = self.states.iter().filter(|s| s.market.is_none_or(|known| known == market));
        match (seen.next(), seen.next()) {
            (Some(only), None) => Some(only.symbol),
            (Some(_), Some(_)) => None,
            (None, _) => {
                let mut configured = instruments
                    .iter()
                    .filter(|i| i.source == source && self.states.iter().all(|s| s.symbol != i.symbol));
                match (configured.next(), configured.next()) {
                    (Some(only), None) => Some(only.symbol),
                    _ => None,
                }
            }
        }
    }

    /// The symbol that a message names. `decimals`: places of its prices and quantities as written.
    #[inline]
    pub(super) fn of_message(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        text: Text,
        decimals: (u8, u8),
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<usize, Refusal> {
        let mut buffer = [0; 64];
        let plain = text.plain(bytes, &mut buffer).unwrap_or(&[]);
        if let Some(state) = self.states.get(self.recent)
            && is_symbol(&state.symbol, plain)
            && decimals.0 <= state.price_decimals
            && decimals.1 <= state.qty_decimals
        {
            return Ok(self.recent);
        }
        let refusal = |error| Refusal { error, offset: text.start(), instrument: InstrumentId::ALL };
        let symbol = Symbol::from_ascii(plain).ok_or(refusal(if text.is_empty() {
            DecodeError::BadField
        } else {
            DecodeError::UnknownInstrument
        }))?;
        self.of_symbol(meta, symbol, decimals, instruments, out).map_err(refusal)
    }

    /// The state of a symbol; made if there is none yet, with the events that tell of it.
    pub(super) fn of_symbol(
        &mut self,
        meta: &MessageMeta,
        symbol: Symbol,
        decimals: (u8, u8),
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<usize, DecodeError> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(&symbol) as usize & mask;
        let index = loop {
            match self.slots.get(slot) {
                None | Some(0) => break self.insert(meta, symbol, decimals, slot, instruments, out)?,
                Some(&stored) => {
                    let index = stored as usize - 1;
                    if self.states.get(index).is_some_and(|state| state.symbol == symbol) {
                        break index;
                    }
                    slot = (slot + 1) & mask;
                }
            }
        };
        self.recent = index;
        if let Some(state) = self.states.get_mut(index)
            && (decimals.0 > state.price_decimals || decimals.1 > state.qty_decimals)
        {
            state.price_decimals = state.price_decimals.max(decimals.0);
            state.qty_decimals = state.qty_decimals.max(decimals.1);
            instruments.set_decimals(state.instrument, state.price_decimals, state.qty_decimals);
        }
        Ok(index)
    }

    #[cold]
    fn insert(
        &mut self,
        meta: &MessageMeta,
        symbol: Symbol,
        (price_decimals, qty_decimals): (u8, u8),
        slot: usize,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<usize, DecodeError> {
        if self.states.len() >= self.states_max {
            return Err(DecodeError::TooManyInstruments);
        }
        let instrument = match instruments.find(meta.source, &symbol) {
            Some(configured) => configured,
            None => {
                let lot_decimals = self.learned_lot_decimals;
                let learned = instruments
                    .add(Instrument {
                        id: InstrumentId::ALL,
                        source: meta.source,
                        symbol,
                        lot: 10i64.pow(9 - u32::from(lot_decimals)),
                        price_decimals,
                        qty_decimals,
                        terms: None,
                    })
                    .ok_or(DecodeError::TooManyInstruments)?;
                let definition = Definition { symbol, lot_decimals, price_decimals, qty_decimals };
                out.push(Event::new_definition(learned, &definition));
                learned
            }
        };
        let lot = instruments.by_id(instrument).map_or(0, |i| i.lot);
        out.push(status(instrument, MarketStatus::Quarantined));
        instruments.set_decimals(instrument, price_decimals, qty_decimals);
        self.states.push(SymbolState {
            symbol,
            instrument,
            lot: Lot::from_nanos(lot),
            phase: Phase::Waiting,
            kept: Chain::default(),
            kept_last: None,
            market: None,
            has_single_trades: false,
            price_decimals,
            qty_decimals,
        });
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = self.states.len() as u32;
        }
        self.counters.symbols.set(self.states.len() as i64);
        self.counters.quarantined.set(self.counters.quarantined.value() + 1);
        Ok(self.states.len() - 1)
    }
}

/// A [`EventKind::Status`].
pub(super) fn status(instrument: InstrumentId, status: MarketStatus) -> Event {
    Event { a: status as u64, ..Event::new(EventKind::Status, instrument) }
}

#[inline]
fn is_symbol(symbol: &Symbol, text: &[u8]) -> bool {
    let bytes = symbol.bytes();
    !text.is_empty()
        && bytes.get(..text.len()).is_some_and(|start| start == text)
        && bytes.get(text.len()).is_none_or(|&next| next == 0)
}
