//! What the tests of the strategies share: a table, views, reports, and a rig that feeds a runner.

use super::{IntentBatch, Strategy, StrategyRunner, StrategySlot};
use crate::normalizer::Payload;
use crate::words::{
    Action, BookView, Event, EventKind, ExecId, Fees, Instrument, InstrumentId, InstrumentTable, Intent,
    Level, MarketStatus, Nanos, OrderId, Price, Qty, RecoveredKind, RecoveredRecord, RejectCode, Report,
    ReportKind, SessionCalendar, Side, SourceId, StrategyId, Symbol, TickTable, TradingTerms,
};

/// One cent.
pub(super) const TICK: i64 = 10_000_000;

/// A price in ticks.
pub(super) fn ticks(count: i64) -> Price {
    Price::from_nanos(count * TICK)
}

pub(super) fn id(number: u32) -> InstrumentId {
    InstrumentId::new(number)
}

/// `tradable` instruments with terms, and one more without.
pub(super) fn table(tradable: u32) -> InstrumentTable {
    let mut table = InstrumentTable::with_capacity(tradable as usize + 1);
    for number in 0..=tradable {
        let terms = TradingTerms {
            ticks: TickTable::uniform(ticks(1)).unwrap(),
            multiplier: 1_000_000_000,
            currency: Symbol::new("USD").unwrap(),
            fees: Fees::default(),
            calendar: SessionCalendar::always(),
            expiry: Nanos::MAX,
            price_min: ticks(1),
            price_max: ticks(1_000_000),
        };
        table.add(Instrument {
            id: InstrumentId::ALL,
            source: SourceId::new(0),
            symbol: Symbol::new(&format!("S{number}")).unwrap(),
            lot: 1_000_000_000,
            price_decimals: 2,
            qty_decimals: 0,
            terms: (number < tradable).then_some(terms),
        });
    }
    table
}

/// A view from levels of (price in ticks, lots), best first.
pub(super) fn view(instrument: InstrumentId, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> BookView {
    let mut view = BookView { instrument, levels: 5, flags: BookView::BBO_CHANGED, ..BookView::vacant() };
    let fill = |levels: &mut [Level], from: &[(i64, i64)]| {
        for (level, (price, qty)) in levels.iter_mut().zip(from) {
            *level = Level { price: ticks(*price), qty: Qty::from_lots(*qty), orders: 1 };
        }
        from.len() as u32
    };
    view.bid_count = fill(&mut view.bids, bids);
    view.ask_count = fill(&mut view.asks, asks);
    if let (Some((bid, bid_qty)), Some((ask, ask_qty))) = (bids.first(), asks.first()) {
        let weighted = (ask * bid_qty + bid * ask_qty) * TICK / (bid_qty + ask_qty);
        view.statistics.mid = Price::from_nanos((bid + ask) * TICK / 2);
        view.statistics.microprice = Price::from_nanos(weighted);
        view.statistics.spread = ticks(ask - bid);
        if bid >= ask {
            view.flags |= BookView::CROSSED;
        }
    }
    view
}

/// A slot with room to spare.
pub(super) fn slot(number: u16, strategy: Box<dyn Strategy>, instruments: &[u32]) -> StrategySlot {
    StrategySlot {
        id: StrategyId::new(number),
        name: format!("s{number}"),
        strategy,
        instruments: instruments.iter().map(|number| id(*number)).collect(),
        intent_ttl: Nanos::from_millis(5),
        max_in_flight: 16,
        max_open_orders: 16,
    }
}

/// A report of this kind about the order of `intent`, as the venue would say it.
pub(super) fn report(intent: &Intent, kind: ReportKind) -> Report {
    Report {
        order: intent.order,
        new_order: intent.new_order,
        price: intent.price,
        qty: intent.qty,
        leaves: match kind {
            ReportKind::Accepted | ReportKind::Replaced => intent.qty,
            ReportKind::Rejected
            | ReportKind::Filled
            | ReportKind::Cancelled
            | ReportKind::CancelRejected
            | ReportKind::ReplaceRejected => Qty::ZERO,
        },
        instrument: intent.instrument,
        kind_number: kind as u8,
        side_number: intent.side_number,
        code_number: match kind {
            ReportKind::Rejected | ReportKind::ReplaceRejected => RejectCode::WouldMatch as u16,
            ReportKind::CancelRejected => RejectCode::TooLate as u16,
            ReportKind::Accepted | ReportKind::Filled | ReportKind::Cancelled | ReportKind::Replaced => 0,
        },
        ..Report::default()
    }
}

/// A fill of `qty` lots that leaves `leaves`.
pub(super) fn fill(intent: &Intent, order: OrderId, exec: u64, qty: i64, leaves: i64) -> Report {
    Report {
        order,
        new_order: OrderId::NONE,
        exec: ExecId::new(exec),
        qty: Qty::from_lots(qty),
        leaves: Qty::from_lots(leaves),
        ..report(intent, ReportKind::Filled)
    }
}

pub(super) fn recovered(kind: RecoveredKind, strategy: u16) -> RecoveredRecord {
    RecoveredRecord {
        kind_number: kind as u8,
        strategy: StrategyId::new(strategy),
        ..RecoveredRecord::default()
    }
}

/// A runner and a session's clock.
pub(super) struct Rig {
    pub(super) runner: StrategyRunner,
    pub(super) now: Nanos,
    frame: u64,
    out: IntentBatch,
}

impl Rig {
    pub(super) fn new(slots: Vec<StrategySlot>) -> Self {
        Self::over(StrategyRunner::new(slots, table(3)).unwrap())
    }

    pub(super) fn over(runner: StrategyRunner) -> Self {
        Self { runner, now: Nanos::from_secs(1), frame: 0, out: IntentBatch::new() }
    }

    /// Time goes on.
    pub(super) fn wait_ms(&mut self, millis: i64) {
        self.now = self.now.after(Nanos::from_millis(millis));
    }

    pub(super) fn event(
        &mut self,
        mut event: Event,
        payload: &Payload,
        view: Option<&BookView>,
    ) -> Vec<Intent> {
        self.frame += 1;
        event.frame = self.frame;
        event.receive_time = self.now;
        self.runner.on_event(&event, payload, view, &mut self.out);
        self.out.intents().to_vec()
    }

    pub(super) fn book(&mut self, view: &BookView) -> Vec<Intent> {
        let mut view = *view;
        view.receive_time = self.now;
        let event = Event {
            flags: Event::END_OF_FRAME | Event::END_OF_GROUP,
            ..Event::new(EventKind::LevelSet, view.instrument)
        };
        self.event(event, &Payload::default(), Some(&view))
    }

    pub(super) fn report(&mut self, report: &Report) -> Vec<Intent> {
        self.event(Event::new(EventKind::Report, report.instrument), &bytemuck::cast(*report), None)
    }

    pub(super) fn recover(&mut self, record: &RecoveredRecord) -> Vec<Intent> {
        self.event(Event::new(EventKind::Recovery, record.instrument), &bytemuck::cast(*record), None)
    }

    pub(super) fn timer(&mut self) -> Vec<Intent> {
        self.event(Event::new(EventKind::Timer, InstrumentId::ALL), &Payload::default(), None)
    }

    pub(super) fn status(&mut self, instrument: InstrumentId, status: MarketStatus) -> Vec<Intent> {
        let event = Event { a: status as u64, ..Event::new(EventKind::Status, instrument) };
        self.event(event, &Payload::default(), None)
    }

    /// The venue says yes to everything.
    pub(super) fn accept(&mut self, intents: &[Intent]) -> Vec<Intent> {
        let mut then = Vec::new();
        for intent in intents {
            let kind = match intent.action().unwrap() {
                Action::New => ReportKind::Accepted,
                Action::Cancel => ReportKind::Cancelled,
                Action::Replace => ReportKind::Replaced,
            };
            then.extend(self.report(&report(intent, kind)));
        }
        then
    }
}

/// The intent of that side.
pub(super) fn of_side(intents: &[Intent], side: Side) -> Option<Intent> {
    intents.iter().find(|intent| intent.side() == Some(side)).copied()
}

/// Numbers out of a seed (Steele, Lea & Flood 2014, SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    /// From 0 to below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
