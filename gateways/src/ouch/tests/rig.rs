//! The gateway and an exchange with a wire between them that can be cut, in simulated time; and a ledger that believes nothing but reports.

use crate::exchange::server::{AccountConfig, CoreConfig, ExchangeCore};
use crate::ouch::names::order_of;
use crate::ouch::{Carried, OuchAction, OuchConfig, OuchGateway, StopOutcome, StreamMark};
use crate::paper::OrderMessage;
use crate::paper::testing;
use crate::soup::{Alpha, ClientConfig, Login, ServerAction, ServerConfig, ServerSession};
use spinward_engine::words::{
    Action, CommandKind, InstrumentId, InstrumentTable, Nanos, OrderId, Price, Qty, RecoveredKind,
    RecoveredRecord, Report, ReportKind, Side, Symbol, TimeInForce, TradingState,
};
use std::collections::{BTreeMap, BTreeSet};

/// Index of the account that the gateway trades for, and of the other one.
pub(crate) const OURS: usize = 0;
pub(crate) const THEIRS: usize = 1;

/// What reports say, and what was sent.
#[derive(Clone, Default, Debug)]
pub(crate) struct Ledger {
    /// Frames of messages that have no answer yet.
    pub(crate) due: BTreeSet<u64>,
    /// Side, price, open lots of orders that the venue has by its reports; `None` while it has not said so.
    pub(crate) open: BTreeMap<u64, (Side, Price, i64)>,
    pending: BTreeMap<u64, (Side, Price, i64)>,
    execs: BTreeSet<(u64, u64)>,
    pub(crate) position: i64,
    /// In 1/10,000.
    pub(crate) cash: i128,
    pub(crate) reports: Vec<Report>,
    pub(crate) mark: Option<StreamMark>,
    /// An earlier process sent orders, whose frames nobody knows any more.
    is_second: bool,
}

impl Ledger {
    pub(crate) fn sent(&mut self, message: &OrderMessage) {
        assert!(self.due.insert(message.frame));
        if message.action != Action::Cancel {
            let order = (message.side, message.price, message.qty.lots());
            self.pending.insert(message.entering().get(), order);
        }
    }

    fn answered(&mut self, report: &Report) {
        let was_due = self.due.remove(&report.cause_frame);
        assert!(was_due || self.is_second, "an answer to nothing: {report:?}");
    }

    pub(crate) fn on_report(&mut self, report: &Report) {
        let id = report.order.get();
        if let Some(mark) = &mut self.mark {
            mark.follow(report);
        }
        self.reports.push(*report);
        match report.kind().unwrap() {
            ReportKind::Accepted => {
                self.answered(report);
                let (side, ..) = self.pending.remove(&id).expect("accepted once");
                self.open.insert(id, (side, report.price, report.leaves.lots()));
            }
            ReportKind::Rejected => {
                self.answered(report);
                self.pending.remove(&id).expect("rejected once");
            }
            ReportKind::Filled => {
                assert!(self.execs.insert((report.exec.get(), id)), "told twice: {report:?}");
                let (side, _, left) = self.open.get_mut(&id).expect("of an open order");
                *left -= report.qty.lots();
                assert_eq!(*left, report.leaves.lots(), "{report:?}");
                let sign = side.sign();
                self.position += sign * report.qty.lots();
                self.cash -=
                    i128::from(sign * report.qty.lots()) * i128::from(report.price.nanos() / 100_000);
                if report.leaves == Qty::ZERO {
                    self.open.remove(&id);
                }
            }
            ReportKind::Cancelled => {
                self.due.remove(&report.cause_frame);
                let (_, _, left) = self.open.remove(&id).expect("of an open order");
                assert_eq!(left, report.qty.lots(), "{report:?}");
            }
            ReportKind::CancelRejected => self.answered(report),
            ReportKind::Replaced => {
                self.answered(report);
                let (side, ..) = self.open.remove(&id).expect("of an open order");
                self.pending.remove(&report.new_order.get()).expect("replaced once");
                self.open.insert(report.new_order.get(), (side, report.price, report.leaves.lots()));
            }
            ReportKind::ReplaceRejected => {
                self.answered(report);
                self.pending.remove(&report.new_order.get()).expect("refused once");
            }
        }
    }

    /// What risk would carry over to the next session, and the ledger of that one.
    pub(crate) fn carried(&self) -> (Carried, Ledger) {
        let record = |id: u64, (side, price, left): &(Side, Price, i64), venue_order| RecoveredRecord {
            order: OrderId::new(id),
            price: *price,
            qty: Qty::from_lots(*left),
            venue_order,
            kind_number: RecoveredKind::OpenOrder as u8,
            side_number: *side as u8,
            tif_number: TimeInForce::Day as u8,
            ..RecoveredRecord::default()
        };
        let open = self.open.iter().map(|(id, order)| record(*id, order, 1));
        let pending = self.pending.iter().map(|(id, order)| record(*id, order, 0));
        let carried = Carried { mark: self.mark, records: open.chain(pending).collect() };
        let ledger = Ledger { due: BTreeSet::new(), reports: Vec::new(), is_second: true, ..self.clone() };
        (carried, ledger)
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }
}

/// All of it.
pub(crate) struct Rig {
    pub(crate) now: Nanos,
    pub(crate) gateway: OuchGateway,
    pub(crate) venue: ExchangeCore,
    server: Option<ServerSession>,
    wants_connection: bool,
    /// Nobody listens.
    pub(crate) is_unreachable: bool,
    pub(crate) to_venue: Vec<u8>,
    pub(crate) to_us: Vec<u8>,
    pub(crate) ledger: Ledger,
    pub(crate) state: TradingState,
    pub(crate) kills: Vec<String>,
    pub(crate) stopped: Option<StopOutcome>,
    /// Turns that an answer takes, ten milliseconds each.
    pub(crate) delay: u32,
    turns: u32,
    numbers: u64,
    frames: u64,
    theirs: u32,
}

/// What the gateway asked for.
#[derive(Default)]
struct Asked {
    reports: Vec<Report>,
    commands: Vec<spinward_engine::words::Command>,
    joined: Vec<StreamMark>,
    sent: Vec<u8>,
    connects: usize,
    closes: usize,
    stopped: Option<StopOutcome>,
}

pub(crate) fn table() -> InstrumentTable {
    let mut table = InstrumentTable::with_capacity(4);
    let like = testing::table();
    let instrument = like.by_id(InstrumentId::new(0)).unwrap();
    let shares = spinward_engine::words::Instrument {
        symbol: Symbol::new("AAAA").unwrap(),
        lot: spinward_engine::words::NANOS_PER_UNIT,
        ..instrument.clone()
    };
    table.add(shares).unwrap();
    table
}

pub(crate) fn config() -> OuchConfig {
    let client = ClientConfig::new(Alpha::new("ours").unwrap(), Alpha::new("secret").unwrap());
    OuchConfig { orders_max: 64, executions_max: 1_024, ..OuchConfig::new(client, Nanos::ZERO) }
}

impl Rig {
    pub(crate) fn new(config: &OuchConfig) -> Self {
        let venue_config = CoreConfig {
            midnight: Some(Nanos::ZERO),
            accounts: ["ours", "theirs"]
                .into_iter()
                .map(|user| AccountConfig::new(user, "secret").unwrap())
                .collect(),
            participants: None,
            ..CoreConfig::default()
        };
        let mut venue = ExchangeCore::new(&venue_config).unwrap();
        let now = Nanos::from_secs(34_200);
        venue.open(now);
        let mut rig = Self {
            now,
            gateway: OuchGateway::new(config, &table(), Carried::default()).unwrap(),
            venue,
            server: None,
            wants_connection: false,
            is_unreachable: false,
            to_venue: Vec::new(),
            to_us: Vec::new(),
            ledger: Ledger::default(),
            state: TradingState::Normal,
            kills: Vec::new(),
            stopped: None,
            delay: 0,
            turns: 0,
            numbers: 0,
            frames: 0,
            theirs: 0,
        };
        rig.act(|gateway, now, out| gateway.start(now, out));
        rig
    }

    /// The process dies and another one carries on with what the journal has.
    pub(crate) fn restart(&mut self, config: &OuchConfig) {
        self.cut();
        let (carried, ledger) = self.ledger.carried();
        self.ledger = ledger;
        self.state = TradingState::Normal;
        self.gateway = OuchGateway::new(config, &table(), carried).unwrap();
        self.act(|gateway, now, out| gateway.start(now, out));
    }

    pub(crate) fn act(
        &mut self,
        act: impl FnOnce(&mut OuchGateway, Nanos, &mut &mut dyn FnMut(OuchAction<'_>)),
    ) {
        let mut asked = Asked::default();
        let mut take = |action: OuchAction<'_>| match action {
            OuchAction::Connect => asked.connects += 1,
            OuchAction::Send(bytes) => asked.sent.extend(bytes),
            OuchAction::Close => asked.closes += 1,
            OuchAction::Report(report) => asked.reports.push(*report),
            OuchAction::Command(command) => asked.commands.push(*command),
            OuchAction::Joined(mark) => asked.joined.push(*mark),
            OuchAction::Stopped(outcome) => asked.stopped = Some(outcome),
            OuchAction::Ended(_) => {}
        };
        let mut dynamic: &mut dyn FnMut(OuchAction<'_>) = &mut take;
        act(&mut self.gateway, self.now, &mut dynamic);
        self.to_venue.extend(asked.sent);
        if asked.closes > 0 {
            self.drop_connection();
        }
        self.wants_connection |= asked.connects > 0;
        for mark in asked.joined {
            let read_back = StreamMark::of(&mark.record());
            assert_eq!(read_back, Some(mark));
            self.ledger.mark = Some(mark);
        }
        for report in asked.reports {
            self.ledger.on_report(&report);
        }
        for command in asked.commands {
            match command.kind().unwrap() {
                CommandKind::SetState => {
                    self.state = TradingState::from_number(command.state_number).unwrap()
                }
                CommandKind::Kill => self.kills.push(command.reason().to_owned()),
                CommandKind::Resume | CommandKind::CancelAll => panic!("{command:?}"),
            }
        }
        self.stopped = asked.stopped.or(self.stopped);
    }

    fn drop_connection(&mut self) {
        if self.server.take().is_some() {
            self.venue.on_disconnected(self.now, OURS);
        }
        self.to_venue.clear();
        self.to_us.clear();
    }

    /// Whether a marker is under way to the venue.
    pub(crate) fn is_marked(&self) -> bool {
        self.gateway.core.marker.is_some() && !self.to_venue.is_empty()
    }

    /// The connection is lost with all that is under way.
    pub(crate) fn cut(&mut self) {
        if self.server.is_some() {
            self.drop_connection();
            self.act(|gateway, now, out| gateway.on_disconnected(now, out));
        }
    }

    /// The venue reads what it was sent.
    pub(crate) fn venue_reads(&mut self) {
        if self.wants_connection {
            self.wants_connection = false;
            if self.is_unreachable {
                self.act(|gateway, now, out| gateway.on_disconnected(now, out));
            } else {
                self.server = Some(ServerSession::new(ServerConfig::default(), self.now));
                self.act(|gateway, now, out| gateway.on_connected(now, out));
            }
        }
        let bytes = std::mem::take(&mut self.to_venue);
        let Some(server) = &mut self.server else { return };
        let mut orders = Vec::new();
        let to_us = &mut self.to_us;
        let check = |login: &Login| login.user == Alpha::new("ours").unwrap();
        let store = self.venue.messages(OURS).unwrap();
        server.on_bytes(self.now, &bytes, store, &check, &mut |action| match action {
            ServerAction::Send(bytes) => to_us.extend(bytes),
            ServerAction::Unsequenced(bytes) => orders.push(bytes.to_vec()),
            ServerAction::LoggedIn { .. } | ServerAction::Debug(_) | ServerAction::Close(_) => {}
        });
        for order in orders {
            self.venue.on_order(self.now, OURS, &order);
        }
    }

    /// The venue sends what it has.
    pub(crate) fn venue_writes(&mut self) {
        let Some(server) = &mut self.server else { return };
        let to_us = &mut self.to_us;
        let mut take = |action: ServerAction<'_>| {
            if let ServerAction::Send(bytes) = action {
                to_us.extend(bytes);
            }
        };
        server.pump(self.now, self.venue.messages(OURS).unwrap(), usize::MAX, &mut take);
        server.on_time(self.now, &mut take);
        let is_over = server.state() == crate::soup::ServerState::Closed;
        if is_over {
            self.we_read();
            self.cut();
        }
    }

    pub(crate) fn we_read(&mut self) {
        let bytes = std::mem::take(&mut self.to_us);
        if !bytes.is_empty() {
            self.act(|gateway, now, out| gateway.on_bytes(now, &bytes, out));
        }
    }

    /// Time passes, and everything under way arrives.
    pub(crate) fn pass(&mut self, millis: i64) {
        let until = self.now.after(Nanos::from_millis(millis));
        while self.now < until {
            self.now = until.min(self.now.after(Nanos::from_millis(10)));
            self.venue.on_time(self.now);
            self.act(|gateway, now, out| gateway.on_time(now, out));
            self.venue_reads();
            self.turns += 1;
            if self.turns > self.delay {
                self.turns = 0;
                self.venue_writes();
                self.we_read();
            }
        }
    }

    /// Until orders may leave.
    pub(crate) fn ready(&mut self) {
        for _ in 0..1_000 {
            if self.gateway.state() == crate::ouch::GatewayState::Ready && self.state == TradingState::Normal
            {
                return;
            }
            self.pass(20);
        }
        panic!("never ready: {:?} {:?}", self.gateway.state(), self.kills);
    }

    pub(crate) fn submit(&mut self, message: OrderMessage) {
        self.frames += 1;
        let message = OrderMessage { frame: self.frames, decided: self.now, ..message };
        self.ledger.sent(&message);
        self.act(|gateway, now, out| gateway.submit_message(now, &message, out));
    }

    /// A new order; dollars and shares. Gives its id.
    pub(crate) fn enter(&mut self, side: Side, dollars: i64, shares: i64, tif: TimeInForce) -> u64 {
        self.numbers += 1;
        self.submit(testing::order(self.numbers, side, dollars, shares, tif));
        testing::id(self.numbers).get()
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        let side = self.ledger.open.get(&id).map_or(Side::Buy, |order| order.0);
        self.submit(OrderMessage { order: OrderId::new(id), ..testing::cancel(1, side) });
    }

    pub(crate) fn replace(&mut self, id: u64, dollars: i64, shares: i64) -> u64 {
        let side = self.ledger.open.get(&id).map_or(Side::Buy, |order| order.0);
        self.numbers += 1;
        self.submit(OrderMessage {
            order: OrderId::new(id),
            ..testing::change(1, self.numbers, side, dollars, shares)
        });
        testing::id(self.numbers).get()
    }

    /// The other one trades at the venue, out of our sight.
    pub(crate) fn they(&mut self, side: Side, dollars: i64, shares: i64, tif: TimeInForce) {
        self.theirs += 1;
        let message = testing::order(u64::from(self.theirs), side, dollars, shares, tif);
        let symbol = crate::itch50::Stock::new("AAAA").unwrap();
        let capacity = crate::ouch50::Capacity::Principal;
        let encoded = crate::ouch::encode::enter(&message, self.theirs, symbol, capacity).unwrap();
        self.venue.on_order(self.now, THEIRS, encoded.bytes());
    }

    /// Orders, position and money are the same at both ends, and every message of ours is answered.
    #[track_caller]
    pub(crate) fn agree(&self) {
        assert_eq!(self.kills, Vec::<String>::new());
        let state = self.venue.state();
        let account = state.account("ours").unwrap();
        let theirs: BTreeMap<u64, (Side, Price, i64)> = account
            .orders
            .iter()
            .map(|order| {
                let price = Price::from_nanos(i64::from(order.price.units()) * 100_000);
                (order_of(&order.cl_ord_id).unwrap().get(), (order.side, price, i64::from(order.open)))
            })
            .collect();
        assert_eq!(self.ledger.open, theirs, "open orders");
        assert_eq!(self.ledger.position, account.holdings.positions[0], "position");
        assert_eq!(self.ledger.cash, account.holdings.cash, "money");
        assert_eq!(self.ledger.due, BTreeSet::new(), "answers that are due");
        assert_eq!(self.ledger.pending(), 0, "orders that the venue has said nothing of");
        assert_eq!(state.sums().1, 0);
        assert_eq!(self.gateway.orders(), theirs.len());
    }
}
