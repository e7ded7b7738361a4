//! A desk for tests: four instruments, two strategies, an egress ring that can be made to fail, and a clock of its own.

use crate::normalizer::Payload;
use crate::risk::*;
use crate::strategy::IntentBatch;
use crate::words::*;

/// A share: lot 1, tick 0.01, 1 to 1000, fees per lot.
pub(super) const SHARE: InstrumentId = InstrumentId::new(0);
/// A coin: lot 0.001, tick 0.1, fees by rate.
pub(super) const COIN: InstrumentId = InstrumentId::new(1);
/// Seen in a feed only.
pub(super) const SEEN: InstrumentId = InstrumentId::new(2);
/// With terms, but not traded.
pub(super) const KEPT: InstrumentId = InstrumentId::new(3);

pub(super) const FIRST: StrategyId = StrategyId::new(0);
pub(super) const SECOND: StrategyId = StrategyId::new(1);

/// When the tests begin.
pub(super) const START: Nanos = Nanos::from_secs(1_000_000);

pub(super) fn price(text: &str) -> Price {
    Price::parse(text).unwrap()
}

pub(super) fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

pub(super) fn lots(count: i64) -> Qty {
    Qty::from_lots(count)
}

fn terms(tick: &str, fees: Fees) -> TradingTerms {
    TradingTerms {
        ticks: TickTable::uniform(price(tick)).unwrap(),
        multiplier: NANOS_PER_UNIT,
        currency: symbol("USD"),
        fees,
        calendar: SessionCalendar::new(&[(Nanos::from_secs(900_000), Nanos::from_secs(1_100_000))]).unwrap(),
        expiry: Nanos::from_secs(1_050_000),
        price_min: price("1"),
        price_max: price("90000"),
    }
}

pub(super) fn instruments() -> InstrumentTable {
    let share_fees = Fees {
        maker: Fee { rate: 0, per_lot: Money::from_nanos(-2_000_000) },
        taker: Fee { rate: 0, per_lot: Money::from_nanos(3_000_000) },
    };
    let coin_fees = Fees {
        maker: Fee { rate: 200_000, per_lot: Money::ZERO },
        taker: Fee { rate: 500_000, per_lot: Money::ZERO },
    };
    let mut table = InstrumentTable::with_capacity(8);
    let all = [
        ("SHARE", NANOS_PER_UNIT, Some(terms("0.01", share_fees))),
        ("COIN", 1_000_000, Some(terms("0.1", coin_fees))),
        ("SEEN", NANOS_PER_UNIT, None),
        ("KEPT", NANOS_PER_UNIT, Some(terms("0.01", share_fees))),
    ];
    for (name, lot, terms) in all {
        let instrument = Instrument {
            id: InstrumentId::new(0),
            source: SourceId::new(0),
            symbol: symbol(name),
            lot,
            price_decimals: 2,
            qty_decimals: 0,
            terms,
        };
        table.add(instrument).unwrap();
    }
    table
}

pub(super) fn config() -> RiskConfig {
    let limits = InstrumentLimits {
        order_qty_max: lots(100),
        order_notional_max: Money::parse("8000").unwrap(),
        position_max: lots(250),
        collar: Collar { ppm: 50_000, ticks: 2 },
    };
    let may = |instrument, most| StrategyInstrument { instrument, position_max: lots(most) };
    RiskConfig {
        instruments: vec![Some(limits), Some(limits)],
        strategies: vec![
            StrategyLimits { instruments: vec![may(SHARE, 200), may(COIN, 200)] },
            StrategyLimits { instruments: vec![may(SHARE, 150)] },
        ],
        open_orders_max: 20,
        message_rate_max: 50,
        message_rate_window: Nanos::from_secs(1),
        duplicate_window: Nanos::from_millis(1),
        stale_after: Nanos::from_secs(5),
        fill_memory: 64,
        egress_slots: 64,
        egress_cancel_reserve: 16,
        egress_refusal_reserve: 16,
    }
}

/// An egress ring that takes everything until told otherwise.
#[derive(Default)]
pub(super) struct Ring {
    pub(super) sent: Vec<Outbound>,
    pub(super) broken: bool,
}

impl Egress for Ring {
    fn send(&mut self, outbound: &Outbound) -> bool {
        if !self.broken {
            self.sent.push(*outbound);
        }
        !self.broken
    }
}

pub(super) fn view_of(instrument: InstrumentId, bid: Price, ask: Price, now: Nanos) -> BookView {
    let mut view = BookView { instrument, levels: 5, receive_time: now, ..BookView::vacant() };
    if bid > Price::ZERO {
        view.bid_count = 1;
        view.bids[0] = Level { price: bid, qty: lots(10), orders: 1 };
    }
    if ask > Price::ZERO {
        view.ask_count = 1;
        view.asks[0] = Level { price: ask, qty: lots(10), orders: 1 };
    }
    if bid > Price::ZERO && ask > Price::ZERO {
        view.statistics.mid = Price::from_nanos((bid.nanos() + ask.nanos()) / 2);
        if bid >= ask {
            view.flags |= BookView::CROSSED;
        }
    }
    view
}

/// Risk with a book of 50.00 to 50.02 in the share and 60 000.0 to 60 000.2 in the coin.
pub(super) struct Desk {
    pub(super) risk: Risk,
    pub(super) ring: Ring,
    pub(super) out: VerdictBatch,
    pub(super) frame: u64,
    pub(super) now: Nanos,
    numbers: [u64; 2],
    executions: u64,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::with(&config())
    }

    pub(super) fn with(config: &RiskConfig) -> Self {
        let mut desk = Self::without_market(config);
        desk.quote(SHARE, "50.00", "50.02");
        desk.quote(COIN, "60000", "60000.2");
        desk
    }

    pub(super) fn without_market(config: &RiskConfig) -> Self {
        Self {
            risk: Risk::new(config, &instruments()).unwrap(),
            ring: Ring::default(),
            out: VerdictBatch::new(),
            frame: 0,
            now: START,
            numbers: [0; 2],
            executions: 0,
        }
    }

    fn event(&mut self, event: Event, payload: &Payload, view: Option<&BookView>, intents: &[Intent]) {
        self.frame += 1;
        let event = Event { frame: self.frame, receive_time: self.now, ..event };
        let mut batches = Vec::new();
        for chunk in intents.chunks(8) {
            let mut batch = IntentBatch::new();
            assert!(chunk.iter().all(|intent| batch.push(*intent)));
            batches.push(batch);
        }
        self.risk.on_event(&event, payload, view, 7, batches.iter(), &mut self.out, &mut self.ring);
    }

    pub(super) fn view(&mut self, view: &BookView) {
        self.event(Event::new(EventKind::Quote, view.instrument), &Payload::default(), Some(view), &[]);
    }

    pub(super) fn quote(&mut self, instrument: InstrumentId, bid: &str, ask: &str) {
        let view = view_of(instrument, price(bid), price(ask), self.now);
        self.view(&view);
    }

    pub(super) fn simple(&mut self, kind: EventKind, instrument: InstrumentId, a: u64) {
        self.event(Event { a, ..Event::new(kind, instrument) }, &Payload::default(), None, &[]);
    }

    pub(super) fn report(&mut self, report: Report) {
        let event = Event::new(EventKind::Report, report.instrument);
        self.event(event, &bytemuck::cast(report), None, &[]);
    }

    pub(super) fn recover(&mut self, record: RecoveredRecord) {
        let event = Event::new(EventKind::Recovery, record.instrument);
        self.event(event, &bytemuck::cast(record), None, &[]);
    }

    pub(super) fn command(&mut self, kind: CommandKind, state: TradingState, owner: &str) {
        self.raw_command(&Command::new(kind, state, symbol(owner), "because"));
    }

    pub(super) fn raw_command(&mut self, command: &Command) {
        let event = Event::new(EventKind::Operator, InstrumentId::ALL);
        self.event(event, &bytemuck::cast(*command), None, &[]);
    }

    pub(super) fn kill(&mut self) {
        self.command(CommandKind::Kill, TradingState::Normal, "desk");
    }

    /// The verdicts on `intents`, all given at one event.
    pub(super) fn submit(&mut self, intents: &[Intent]) -> Vec<Verdict> {
        self.event(Event::new(EventKind::Trade, SHARE), &Payload::default(), None, intents);
        self.out.verdicts().iter().take(intents.len()).copied().collect()
    }

    /// The verdict on one intent: code, value, limit.
    pub(super) fn try_one(&mut self, intent: Intent) -> (RejectCode, i64, i64) {
        let verdict = self.submit(&[intent])[0];
        (verdict.code(), verdict.value, verdict.limit)
    }

    /// Sends what must pass.
    pub(super) fn pass(&mut self, intent: Intent) -> OrderId {
        assert_eq!(self.try_one(intent), (RejectCode::None, 0, 0), "{intent:?}");
        if intent.action() == Some(Action::Replace) { intent.new_order } else { intent.order }
    }

    pub(super) fn next_id(&mut self, strategy: StrategyId) -> OrderId {
        self.numbers[strategy.index()] += 1;
        OrderId::compose(strategy, self.numbers[strategy.index()])
    }

    /// A new order of the first strategy.
    pub(super) fn order(&mut self, instrument: InstrumentId, side: Side, at: &str, qty: i64) -> Intent {
        self.order_of(FIRST, instrument, side, at, qty)
    }

    pub(super) fn order_of(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        side: Side,
        at: &str,
        qty: i64,
    ) -> Intent {
        Intent {
            order: self.next_id(strategy),
            price: price(at),
            qty: lots(qty),
            decided: self.now,
            valid_until: Nanos::MAX,
            instrument,
            strategy,
            action_number: Action::New as u8,
            side_number: side as u8,
            tif_number: TimeInForce::Day as u8,
            ..Intent::default()
        }
    }

    pub(super) fn buy(&mut self, at: &str, qty: i64) -> Intent {
        self.order(SHARE, Side::Buy, at, qty)
    }

    pub(super) fn sell(&mut self, at: &str, qty: i64) -> Intent {
        self.order(SHARE, Side::Sell, at, qty)
    }

    pub(super) fn cancel_of(&self, order: OrderId, side: Side) -> Intent {
        Intent {
            order,
            decided: self.now,
            instrument: SHARE,
            strategy: order.strategy(),
            action_number: Action::Cancel as u8,
            side_number: side as u8,
            ..Intent::default()
        }
    }

    pub(super) fn replace_of(&mut self, order: OrderId, side: Side, at: &str, qty: i64) -> Intent {
        let new = self.order_of(order.strategy(), SHARE, side, at, qty);
        Intent { order, new_order: new.order, action_number: Action::Replace as u8, ..new }
    }

    pub(super) fn answer(&mut self, kind: ReportKind, order: OrderId, new_order: OrderId) {
        let known = self.risk.open_orders().find(|open| open.order == order.max(new_order)).copied();
        let known = known.or_else(|| self.risk.open_orders().find(|open| open.order == order).copied());
        let (price, qty, leaves, side) = known
            .map_or((Price::ZERO, Qty::ZERO, Qty::ZERO, Side::Buy), |o| (o.price, o.qty, o.leaves, o.side));
        self.report(Report {
            order,
            new_order,
            price,
            qty: if kind == ReportKind::Cancelled { leaves } else { qty },
            leaves: if kind == ReportKind::Cancelled { Qty::ZERO } else { leaves },
            venue_order: 77,
            instrument: SHARE,
            kind_number: kind as u8,
            side_number: side as u8,
            ..Report::default()
        });
    }

    pub(super) fn accept(&mut self, order: OrderId) {
        self.answer(ReportKind::Accepted, order, OrderId::NONE);
    }

    pub(super) fn fill_report(&mut self, order: OrderId, side: Side, at: &str, qty: i64) -> Report {
        self.executions += 1;
        let open = self.risk.open_orders().find(|open| open.order == order);
        let leaves = open.map_or(0, |open| open.leaves.lots() - qty);
        Report {
            order,
            exec: ExecId::new(self.executions),
            price: price(at),
            qty: lots(qty),
            leaves: lots(leaves),
            instrument: SHARE,
            kind_number: ReportKind::Filled as u8,
            side_number: side as u8,
            ..Report::default()
        }
    }

    pub(super) fn fill(&mut self, order: OrderId, side: Side, at: &str, qty: i64) {
        let report = self.fill_report(order, side, at, qty);
        self.report(report);
    }

    /// Buys or sells at once, as far as the position is concerned.
    pub(super) fn hold(&mut self, side: Side, qty: i64) {
        let order = match side {
            Side::Buy => self.buy("50.01", qty),
            Side::Sell => self.sell("50.01", qty),
        };
        let id = self.pass(order);
        self.accept(id);
        self.fill(id, side, "50.01", qty);
        assert!(self.state_of(id).is_none());
    }

    pub(super) fn state_of(&self, order: OrderId) -> Option<OrderState> {
        self.risk.open_orders().find(|open| open.order == order).map(|open| open.state)
    }

    pub(super) fn leaves_of(&self, order: OrderId) -> i64 {
        self.risk.open_orders().find(|open| open.order == order).map_or(0, |open| open.leaves.lots())
    }

    pub(super) fn position(&self, strategy: StrategyId, instrument: InstrumentId) -> Position {
        let mut all = self.risk.positions();
        *all.find(|p| p.strategy == strategy && p.instrument == instrument).unwrap()
    }

    /// Orders sent to the venue since the last call, by action and id.
    pub(super) fn taken(&mut self) -> Vec<(Action, OrderId)> {
        let orders = self.ring.sent.drain(..).filter_map(|outbound| match outbound {
            Outbound::Order(order) => Some((order.action(), order.order())),
            Outbound::Refusal { .. } | Outbound::Vacant => None,
        });
        orders.collect()
    }

    /// The refusals sent so far come back as frames.
    pub(super) fn return_refusals(&mut self) {
        let refused = |sent: &&Outbound| matches!(sent, Outbound::Refusal { .. });
        let count = self.ring.sent.iter().filter(refused).count();
        self.ring.sent.retain(|sent| !matches!(sent, Outbound::Refusal { .. }));
        for _ in 0..count {
            self.report(Report {
                instrument: SHARE,
                kind_number: ReportKind::Rejected as u8,
                flags: Report::FROM_RISK,
                ..Report::default()
            });
        }
    }

    pub(super) fn wait(&mut self, span: Nanos) {
        self.now = self.now.after(span);
    }
}
