//! Books by snapshot and diffs: keep, compare, apply, replay, quarantine.

use super::json::{Fault, Value};
use super::message::{self, Fields, Level, Levels, SideField};
use super::pending::Pending;
use super::symbols::{Market, Phase, SymbolState, Symbols, status};
use super::sync::{DiffIds, Position, Verdict, judge};
use super::{BinanceCounters, BinanceDecoder, DIFF_CODE, Refusal, raw, stream_suffix, venue_time};
use spinward_engine::normalizer::{EVENTS_PER_MESSAGE_MAX, EventBatch, MessageMeta};
use spinward_engine::state::{StateError, StateReader, StateWriter};
use spinward_engine::words::{
    DecodeError, Event, EventKind, InstrumentId, InstrumentTable, MarketStatus, Nanos, Side, Symbol,
};
use std::sync::Arc;

/// Events kept free in a batch for what follows the levels (gap, status, the end of another symbol's group).
const EVENTS_RESERVED: usize = 8;

/// The diffs that wait, and what follows from them.
pub(super) struct Depth {
    pending: Pending,
    counters: Arc<BinanceCounters>,
}

/// The levels of one message, about to become events.
#[derive(Clone, Copy)]
struct LevelsOf {
    bid: SideField,
    ask: SideField,
    update_id: u64,
    venue_time: Nanos,
    flags: u16,
}

/// Whether both sides of a book message are levels.
fn levels_fault(fields: &Fields) -> Result<(), Refusal> {
    for side in [fields.bid, fields.ask] {
        match side {
            SideField::Levels { .. } => {}
            SideField::BadLevels(fault) => {
                return Err(Refusal {
                    error: fault.error,
                    offset: fault.offset as usize,
                    instrument: InstrumentId::ALL,
                });
            }
            SideField::Absent
            | SideField::Value(Value::Text(_) | Value::Integer(_) | Value::Bool(_) | Value::Other) => {
                return Err(Refusal::bad_field());
            }
        }
    }
    Ok(())
}

fn diff_ids(fields: &Fields) -> Option<DiffIds> {
    let ids = DiffIds { first: fields.first?, last: fields.last?, previous: fields.previous };
    (ids.first <= ids.last && fields.has_previous == fields.previous.is_some()).then_some(ids)
}

/// How many more events of one group fit.
fn room(out: &EventBatch) -> usize {
    EVENTS_PER_MESSAGE_MAX.saturating_sub(out.events().len() + EVENTS_RESERVED)
}

/// One event a level. On an error nothing is added.
fn push_levels(
    state: &SymbolState,
    levels: &Levels,
    of: LevelsOf,
    out: &mut EventBatch,
) -> Result<(), Fault> {
    let before = out.events().len();
    let (bids, asks) = (levels.side(of.bid), levels.side(of.ask));
    if bids.len() + asks.len() > room(out) {
        return Err(Fault::new(DecodeError::TooLarge, 0));
    }
    let pushed =
        push_side(state, Side::Buy, bids, of, out).and_then(|()| push_side(state, Side::Sell, asks, of, out));
    pushed.inspect_err(|_| out.truncate(before))
}

#[inline]
fn push_side(
    state: &SymbolState,
    side: Side,
    levels: &[Level],
    of: LevelsOf,
    out: &mut EventBatch,
) -> Result<(), Fault> {
    let template = Event {
        venue_time: of.venue_time,
        a: of.update_id,
        side_number: side as u8,
        flags: of.flags,
        ..Event::new(EventKind::LevelSet, state.instrument)
    };
    for level in levels {
        let Some(qty) = state.lot.lots(level.qty_mantissa, level.qty_decimals) else {
            return Err(Fault { error: DecodeError::BadNumber, offset: level.offset });
        };
        out.push(Event { price: level.price, qty, ..template });
    }
    Ok(())
}

impl BinanceDecoder {
    pub(super) fn on_diff(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        fields: &Fields,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Refusal> {
        let decimals = (self.levels.price_decimals, self.levels.qty_decimals);
        let index = self.symbols.of_message(meta, bytes, fields.symbol, decimals, instruments, out)?;
        let Some(state) = self.symbols.state_mut(index) else { return Err(Refusal::bad_field()) };
        let about = |refusal: Refusal| Refusal { instrument: state.instrument, ..refusal };
        let readable = levels_fault(fields).and_then(|()| diff_ids(fields).ok_or(Refusal::bad_field()));
        let ids = match readable {
            Ok(ids) => ids,
            Err(refusal) => {
                // Whatever it held is missing from the book.
                out.push_malformed(state.instrument, refusal.error, refusal.offset);
                self.depth.lose(state, out);
                return Ok(());
            }
        };
        let market = Market::of(ids.previous.is_some(), fields.has_pair);
        if state.market.is_some_and(|known| known != market) {
            // The same symbol of another market, in the wrong feed.
            return Err(about(Refusal::bad_field()));
        }
        state.market = Some(market);
        match state.phase {
            Phase::Synced(position) => match judge(position, ids) {
                Verdict::Apply => {
                    let of = LevelsOf {
                        bid: fields.bid,
                        ask: fields.ask,
                        update_id: ids.last,
                        venue_time: venue_time(fields),
                        flags: 0,
                    };
                    match push_levels(state, &self.levels, of, out) {
                        Ok(()) => {
                            state.phase = Phase::Synced(Position { last: ids.last, is_snapshot: false });
                            self.depth.counters.diffs_applied.add(1);
                            if self.levels.side(fields.bid).is_empty()
                                && self.levels.side(fields.ask).is_empty()
                            {
                                out.push(Event {
                                    a: DIFF_CODE,
                                    ..Event::new(EventKind::Ignored, state.instrument)
                                });
                            }
                        }
                        Err(fault) => {
                            out.push_malformed(state.instrument, fault.error, fault.offset as usize);
                            self.depth.lose(state, out);
                        }
                    }
                }
                Verdict::Old => {
                    out.push(Event { a: ids.last, ..Event::new(EventKind::Duplicate, state.instrument) });
                }
                Verdict::Gap { expected, found } => {
                    self.depth.gap(state, expected, found, out);
                    self.depth.lose(state, out);
                    self.depth.keep(index, &mut self.symbols, ids, bytes, out);
                }
            },
            Phase::Waiting | Phase::CatchingUp(_) => {
                if let Some(last) = state.kept_last {
                    match judge(Position { last, is_snapshot: false }, ids) {
                        Verdict::Apply => {}
                        Verdict::Old => {
                            out.push(Event {
                                a: ids.last,
                                ..Event::new(EventKind::Duplicate, state.instrument)
                            });
                            self.depth.catch_up(index, &mut self.symbols, &mut self.levels, out);
                            return Ok(());
                        }
                        Verdict::Gap { expected, found } => self.depth.gap(state, expected, found, out),
                    }
                }
                self.depth.keep(index, &mut self.symbols, ids, bytes, out);
                self.depth.catch_up(index, &mut self.symbols, &mut self.levels, out);
            }
        }
        Ok(())
    }

    pub(super) fn on_snapshot(
        &mut self,
        meta: &MessageMeta,
        bytes: &[u8],
        fields: &Fields,
        instruments: &mut InstrumentTable,
        out: &mut EventBatch,
    ) -> Result<(), Refusal> {
        let Some(update_id) = fields.snapshot else { return Err(Refusal::bad_field()) };
        levels_fault(fields)?;
        let decimals = (self.levels.price_decimals, self.levels.qty_decimals);
        let index = if fields.symbol.is_empty() {
            let unknown =
                Refusal { error: DecodeError::UnknownInstrument, offset: 0, instrument: InstrumentId::ALL };
            let is_futures = fields.event_time.is_some() || fields.transaction_time.is_some();
            let market = Market::of(is_futures, fields.has_pair);
            let symbol = match stream_suffix(bytes, fields) {
                Some(_) => stream_symbol(raw(bytes, fields.stream)),
                None => self.snapshot_symbol.or_else(|| self.symbols.only(market, meta.source, instruments)),
            };
            self.symbols
                .of_symbol(meta, symbol.ok_or(unknown)?, decimals, instruments, out)
                .map_err(|error| Refusal { error, ..unknown })?
        } else {
            self.symbols.of_message(meta, bytes, fields.symbol, decimals, instruments, out)?
        };
        self.depth.apply_snapshot(index, update_id, fields, &mut self.symbols, &mut self.levels, out);
        Ok(())
    }
}

/// The symbol of `<symbol>@…`, in capitals.
fn stream_symbol(stream: &[u8]) -> Option<Symbol> {
    let name = stream.split(|&b| b == b'@').next()?;
    let mut upper = [0; Symbol::MAX_BYTES];
    let upper = upper.get_mut(..name.len())?;
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    Symbol::from_ascii(upper)
}

impl Depth {
    pub(super) fn new(pending_bytes: usize, pending_messages: usize, counters: Arc<BinanceCounters>) -> Self {
        Self { pending: Pending::new(pending_bytes, pending_messages), counters }
    }

    pub(super) fn save(&self, state: &mut StateWriter) {
        let Self { pending, counters: _ } = self;
        pending.save(state);
    }

    pub(super) fn load(&mut self, state: &mut StateReader<'_>) -> Result<(), StateError> {
        self.pending.load(state)
    }

    fn gap(&self, state: &SymbolState, expected: u64, found: u64, out: &mut EventBatch) {
        self.counters.gaps.add(1);
        out.push(Event { a: expected, b: found, ..Event::new(EventKind::Gap, state.instrument) });
    }

    /// The book is not whole any more: quarantine, told once, until a snapshot comes. Kept diffs stay for it.
    fn lose(&mut self, state: &mut SymbolState, out: &mut EventBatch) {
        if matches!(state.phase, Phase::Synced(_)) {
            out.push(status(state.instrument, MarketStatus::Quarantined));
            self.counters.quarantined.set(self.counters.quarantined.value() + 1);
        }
        state.phase = Phase::Waiting;
    }

    /// The link is down: whatever comes after it does not follow.
    pub(super) fn quarantine_all(&mut self, symbols: &mut Symbols, out: &mut EventBatch) {
        for state in symbols.states_mut() {
            let before = out.events().len();
            self.lose(state, out);
            self.pending.release_all(&mut state.kept);
            state.kept_last = None;
            end_group(before, out);
        }
    }

    /// Keeps a diff until a snapshot comes, dropping the oldest ones (of any symbol) if need be. Adds its `Ignored`.
    fn keep(
        &mut self,
        index: usize,
        symbols: &mut Symbols,
        ids: DiffIds,
        bytes: &[u8],
        out: &mut EventBatch,
    ) {
        while let Some(dropped) = self.pending.make_room(bytes.len()) {
            let Some(owner) = symbols.state_mut(dropped.symbol as usize) else { break };
            self.pending.forget_dropped(&mut owner.kept);
            self.counters.diffs_dropped.add(1);
            let before = out.events().len();
            self.gap(owner, dropped.ids.first, dropped.ids.last.saturating_add(1), out);
            if dropped.symbol as usize != index {
                end_group(before, out);
            }
        }
        let Some(state) = symbols.state_mut(index) else { return };
        if self.pending.push(index as u32, &mut state.kept, ids, bytes) {
            self.counters.diffs_kept.add(1);
            state.kept_last = Some(ids.last);
            out.push(Event { a: DIFF_CODE, ..Event::new(EventKind::Ignored, state.instrument) });
        } else {
            out.push_malformed(state.instrument, DecodeError::TooLarge, bytes.len());
        }
    }

    fn apply_snapshot(
        &mut self,
        index: usize,
        update_id: u64,
        fields: &Fields,
        symbols: &mut Symbols,
        levels: &mut Levels,
        out: &mut EventBatch,
    ) {
        let Some(state) = symbols.state_mut(index) else { return };
        if let Phase::Synced(position) | Phase::CatchingUp(position) = state.phase
            && update_id <= position.last
        {
            out.push(Event { a: update_id, ..Event::new(EventKind::Duplicate, state.instrument) });
            self.catch_up(index, symbols, levels, out);
            return;
        }
        let position = Position { last: update_id, is_snapshot: true };
        self.release_old(state, position);
        if let Some((ids, _)) = self.pending.front(&state.kept)
            && let Verdict::Gap { expected, found } = judge(position, ids)
        {
            // Older than what we kept: the venue's procedure asks for another one.
            self.gap(state, expected, found, out);
            self.lose(state, out);
            return;
        }
        let before = out.events().len();
        out.push(Event {
            a: update_id,
            venue_time: venue_time(fields),
            flags: Event::SNAPSHOT,
            ..Event::new(EventKind::BookClear, state.instrument)
        });
        let of = LevelsOf {
            bid: fields.bid,
            ask: fields.ask,
            update_id,
            venue_time: venue_time(fields),
            flags: Event::SNAPSHOT,
        };
        if let Err(fault) = push_levels(state, levels, of, out) {
            // The book stays as it is.
            out.truncate(before);
            out.push_malformed(state.instrument, fault.error, fault.offset as usize);
            return;
        }
        self.counters.snapshots_applied.add(1);
        if matches!(state.phase, Phase::Synced(_)) {
            // A newer book in place of a good one; nothing is kept while synced.
            state.phase = Phase::Synced(position);
        } else {
            state.phase = Phase::CatchingUp(position);
            self.catch_up(index, symbols, levels, out);
        }
    }

    /// Releases the kept diffs that `position` contains.
    fn release_old(&mut self, state: &mut SymbolState, position: Position) {
        while let Some((ids, _)) = self.pending.front(&state.kept) {
            if judge(position, ids) != Verdict::Old {
                break;
            }
            self.pending.release_front(&mut state.kept);
            self.counters.diffs_superseded.add(1);
        }
    }

    /// Applies kept diffs after a snapshot, as many as fit into this message, and ends the quarantine after the last one.
    #[inline]
    pub(super) fn catch_up(
        &mut self,
        index: usize,
        symbols: &mut Symbols,
        levels: &mut Levels,
        out: &mut EventBatch,
    ) {
        let Some(state) = symbols.state_mut(index) else { return };
        if let Phase::CatchingUp(position) = state.phase {
            self.replay(state, position, levels, out);
        }
    }

    #[cold]
    fn replay(
        &mut self,
        state: &mut SymbolState,
        mut position: Position,
        levels: &mut Levels,
        out: &mut EventBatch,
    ) {
        loop {
            let Some((ids, bytes)) = self.pending.front(&state.kept) else {
                state.phase = Phase::Synced(position);
                state.kept_last = None;
                out.push(status(state.instrument, MarketStatus::Resynced));
                self.counters.quarantined.set(self.counters.quarantined.value() - 1);
                return;
            };
            match judge(position, ids) {
                Verdict::Old => self.counters.diffs_superseded.add(1),
                Verdict::Gap { expected, found } => {
                    self.gap(state, expected, found, out);
                    state.phase = Phase::Waiting;
                    return;
                }
                Verdict::Apply => match replay_one(state, ids, bytes, levels, out) {
                    Ok(()) => {
                        position = Position { last: ids.last, is_snapshot: false };
                        self.counters.diffs_applied.add(1);
                    }
                    Err(Fault { error: DecodeError::TooLarge, .. })
                        if out.events().len() > EVENTS_PER_MESSAGE_MAX / 2 =>
                    {
                        // The rest follows with the next message of this symbol.
                        state.phase = Phase::CatchingUp(position);
                        return;
                    }
                    Err(fault) => {
                        out.push_malformed(state.instrument, fault.error, fault.offset as usize);
                        self.pending.release_front(&mut state.kept);
                        state.phase = Phase::Waiting;
                        return;
                    }
                },
            }
            self.pending.release_front(&mut state.kept);
        }
    }
}

fn replay_one(
    state: &SymbolState,
    ids: DiffIds,
    bytes: &[u8],
    levels: &mut Levels,
    out: &mut EventBatch,
) -> Result<(), Fault> {
    let mut fields = Fields::default();
    message::read(bytes, &mut fields, levels)?;
    let of = LevelsOf {
        bid: fields.bid,
        ask: fields.ask,
        update_id: ids.last,
        venue_time: venue_time(&fields),
        flags: 0,
    };
    push_levels(state, levels, of, out)
}

/// Marks the last event since `before`, if there is one, as the end of its instrument's group.
fn end_group(before: usize, out: &mut EventBatch) {
    let count = out.events().len();
    if count > before
        && let Some(last) = out.events_mut().last_mut()
    {
        last.flags |= Event::END_OF_GROUP;
    }
}
