//! The engine's books at the end of a session, from its journal.

use spinward_engine::book::{BookConfig, BookOutput, BookStage};
use spinward_engine::normalizer::{Decoder, EventBatch, MessageMeta};
use spinward_engine::words::{FrameKind, Instrument, InstrumentId, InstrumentTable, Side, SourceId};
use spinward_gateways::exchange::server::{BookOrder, ExchangeState};
use spinward_gateways::itch50::{Itch50Config, Itch50Decoder};
use spinward_gateways::notice::NoticeDecoder;
use spinward_recorder::{JournalReader, SessionFolder};

/// The market's decoder and book stage, fed from a journal as the engine was.
pub(crate) struct Books {
    decoder: NoticeDecoder<Itch50Decoder>,
    pub(crate) instruments: InstrumentTable,
    pub(crate) batch: EventBatch,
    stage: BookStage,
    view: BookOutput,
}

impl Books {
    pub(crate) fn new() -> Self {
        let config = Itch50Config::default();
        let size = BookConfig {
            instruments_max: 256,
            orders_max: 1 << 16,
            levels_max: 1 << 15,
            ..BookConfig::default()
        };
        Self {
            decoder: NoticeDecoder::new(Itch50Decoder::new(config), config.source),
            instruments: InstrumentTable::with_capacity(256),
            batch: EventBatch::new(),
            stage: BookStage::new(&size).unwrap(),
            view: BookOutput::vacant(),
        }
    }

    /// One message of the market.
    pub(crate) fn message(&mut self, meta: &MessageMeta, bytes: &[u8]) {
        self.batch.clear();
        self.decoder.decode(meta, bytes, &mut self.instruments, &mut self.batch);
        for event in self.batch.events() {
            self.stage.on_event(event, &mut self.view);
        }
    }

    /// The instrument of a stock locate.
    pub(crate) fn located(&self, locate: u16) -> Option<InstrumentId> {
        self.decoder.located(locate)
    }

    /// All of a session.
    pub(crate) fn of(folder: &SessionFolder) -> Self {
        let mut books = Self::new();
        let mut journal = JournalReader::open(&folder.journal()).unwrap();
        while let Some(frame) = journal.next().unwrap() {
            if frame.kind() == Some(FrameKind::Market) {
                assert!(!frame.has_more(), "no message of ITCH is longer than a frame");
                let meta = MessageMeta {
                    frame: frame.sequence,
                    receive_time: frame.receive_time,
                    source: SourceId::new(0),
                };
                books.message(&meta, frame.payload);
            }
        }
        books
    }

    /// What differs from the exchange's books, every order of every queue; and how many orders there are.
    pub(crate) fn compare(&self, state: &ExchangeState) -> Result<usize, String> {
        let mut orders = 0;
        for symbol in &state.symbols {
            let named = |instrument: &&Instrument| instrument.symbol.as_str() == symbol.name.as_str();
            let Some(instrument) = self.instruments.iter().find(named) else {
                return Err(format!("{}: never heard of", symbol.name));
            };
            for (side, theirs) in [(Side::Buy, &symbol.bids), (Side::Sell, &symbol.asks)] {
                let of_level = |price| self.stage.queue(instrument.id, side, price);
                let ours: Vec<_> = self
                    .stage
                    .levels(instrument.id, side)
                    .flat_map(|level| of_level(level.price))
                    .map(|order| (order.reference, order.price.nanos(), order.qty.lots()))
                    .collect();
                let as_ours = |order: &BookOrder| {
                    (order.reference, i64::from(order.price.units()) * 100_000, i64::from(order.displayed))
                };
                let theirs: Vec<_> = theirs.iter().map(as_ours).collect();
                if ours != theirs {
                    return Err(format!("{} {side:?}: ours {ours:?}, theirs {theirs:?}", symbol.name));
                }
                orders += ours.len();
            }
        }
        Ok(orders)
    }
}
