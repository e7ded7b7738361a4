//! The book that our own engine makes of the exchange's market data: decoder and book stage of the pipeline.

use super::*;
use crate::itch50::{Itch50Config, Itch50Decoder};
use spinward_engine::book::{BookConfig, BookOutput, BookStage};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::words::{EventKind, InstrumentId, InstrumentTable, Nanos, SourceId, Symbol};

/// Market data, and what becomes of it.
pub(super) struct Rebuilt {
    writer: ItchWriter,
    decoder: Itch50Decoder,
    instruments: InstrumentTable,
    batch: EventBatch,
    stage: BookStage,
    view: BookOutput,
    pub(super) messages: u64,
}

impl Rebuilt {
    pub(super) fn new(symbols: u16, orders_max: usize) -> Self {
        let names = (0..symbols).map(|symbol| (symbol + 1, Symbol::new(&format!("SYM{symbol}")).unwrap()));
        let config = BookConfig {
            instruments_max: usize::from(symbols),
            orders_max,
            levels_max: orders_max,
            ..BookConfig::default()
        };
        let mut rebuilt = Self {
            writer: ItchWriter::new(names),
            decoder: Itch50Decoder::new(Itch50Config::default()),
            instruments: InstrumentTable::with_capacity(usize::from(symbols)),
            batch: EventBatch::new(),
            stage: BookStage::new(&config).unwrap(),
            view: BookOutput::vacant(),
            messages: 0,
        };
        let mut directory: Vec<Vec<u8>> = Vec::new();
        for symbol in 0..symbols {
            rebuilt.writer.directory(symbol, &mut directory);
        }
        directory.iter().for_each(|message| rebuilt.receive(message));
        rebuilt
    }

    fn receive(&mut self, message: &[u8]) {
        self.messages += 1;
        let meta = MessageMeta { frame: self.messages, receive_time: Nanos::ZERO, source: SourceId::new(0) };
        self.batch.clear();
        self.decoder.decode(&meta, message, &mut self.instruments, &mut self.batch);
        for event in self.batch.events() {
            assert_ne!(event.kind(), EventKind::Malformed, "{message:02x?}");
            self.stage.on_event(event, &mut self.view);
        }
    }

    /// Market data of the outputs of one command; then every level and every queue is as the exchange has it.
    pub(super) fn follow(&mut self, outputs: &[Output], engine: &Engine, symbols: &[u16]) {
        let mut messages: Vec<Vec<u8>> = Vec::new();
        for output in outputs {
            self.writer.at(self.messages);
            self.writer.write(output, &mut messages);
        }
        messages.iter().for_each(|message| self.receive(message));
        for &symbol in symbols {
            let id = InstrumentId::new(u32::from(symbol));
            for side in [Side::Buy, Side::Sell] {
                let mut levels = self.stage.levels(id, side);
                let mut queue = engine.queue(symbol, side);
                for level in engine.depth(symbol, side) {
                    let ours = levels.next().expect("a level is missing");
                    let price = i64::from(level.price.units()) * 100_000;
                    let seen = (ours.price.nanos(), ours.qty.lots(), ours.orders);
                    assert_eq!(seen, (price, level.shares as i64, u64::from(level.orders)));
                    for order in self.stage.queue(id, side, ours.price) {
                        let rests = queue.next().unwrap();
                        let seen = (order.reference, order.qty.lots());
                        assert_eq!(seen, (rests.reference, i64::from(rests.displayed)));
                    }
                }
                assert!(levels.next().is_none(), "a level too many");
            }
        }
    }

    /// How often the book stage could not make sense of an event.
    pub(super) fn defects(&self) -> u64 {
        let counters = self.stage.counters();
        let all = [
            &counters.unknown_orders,
            &counters.duplicate_orders,
            &counters.excess_quantities,
            &counters.refused,
            &counters.orders_full,
            &counters.levels_full,
        ];
        all.map(|counter| counter.value()).iter().sum()
    }
}

/// Participants over a long session, with halts between. `SPINWARD_SOAK`: more than a million messages.
#[test]
fn the_book_of_a_long_sessions_market_data_is_the_exchanges_own_after_every_command() {
    let messages = if std::env::var_os("SPINWARD_SOAK").is_some() { 1_200_000 } else { 60_000 };
    let prices: Vec<Price4> = [22_300, 950, 150].map(|cents| Price4::new(cents * 100)).into();
    let rules = |&reference: &Price4| SymbolRules { reference, ..SymbolRules::default() };
    let config = EngineConfig { symbols: prices.iter().map(rules).collect(), orders_max: 8_000 };
    let mut engine = Engine::new(&config).unwrap();
    let mut participants =
        Participants::new(&ParticipantsConfig { seed: 3, ..ParticipantsConfig::new(prices) }).unwrap();
    let mut rebuilt = Rebuilt::new(3, 8_192);
    let mut ledger = super::ledger::Ledger::default();
    let mut step = |engine: &mut Engine, rebuilt: &mut Rebuilt, command, symbols: &[u16]| {
        let outputs = told(engine, command);
        outputs.iter().for_each(|output| ledger.add(output));
        rebuilt.follow(&outputs, engine, symbols);
        assert_eq!(rebuilt.defects(), 0);
        if outputs.iter().any(|output| matches!(output, Output::CrossDone { .. })) {
            ledger.check(engine);
        }
    };
    for symbol in 0..3 {
        step(&mut engine, &mut rebuilt, Command::Phase { symbol, phase: Phase::Continuous }, &[]);
        while let Some(command) = participants.fill(&engine, symbol) {
            step(&mut engine, &mut rebuilt, command, &[symbol]);
        }
    }
    let mut commands = 0u32;
    while rebuilt.messages < messages {
        commands += 1;
        if commands.is_multiple_of(1_000) {
            let symbol = (commands / 1_000 % 3) as u16;
            step(&mut engine, &mut rebuilt, Command::Phase { symbol, phase: Phase::Halted }, &[]);
            step(&mut engine, &mut rebuilt, Command::Phase { symbol, phase: Phase::Quoting }, &[]);
            for (side, cents) in [(Side::Buy, 5), (Side::Sell, 0)] {
                let price = Price4::new(engine.reference(symbol).units() + cents * 100);
                let owner = Owner { account: 99, token: commands };
                let order = NewOrder::limit(symbol, side, owner, price, 1_000);
                let iceberg = NewOrder { display: Display::Reserve(100), ..order };
                step(&mut engine, &mut rebuilt, Command::Enter(iceberg), &[symbol]);
            }
            step(&mut engine, &mut rebuilt, Command::Cross { symbol, kind: CrossKind::Halt }, &[symbol]);
        }
        let command = participants.next(&engine);
        step(&mut engine, &mut rebuilt, command, &[0, 1, 2]);
    }
    assert!(engine.last_match() > 3_000);
}
