//! The venues of the suite.

use crate::ouch::tests::rig::{Ledger, Rig, config};
use crate::paper::testing::{self, Bench, NaiveBook, level, near, trade};
use crate::paper::{OrderMessage, PaperConfig};
use spinward_engine::words::{Nanos, OrderId, Side, TimeInForce};
use std::collections::BTreeMap;

/// What a case needs of a venue. Messages of ours are under way until [`Venue::arrive`] or [`Venue::settle`]; others act at once.
pub(super) trait Venue {
    fn submit(&mut self, message: OrderMessage);
    /// Gives the order's id.
    fn enter(&mut self, side: Side, dollars: i64, shares: i64, tif: TimeInForce) -> u64;
    fn cancel(&mut self, order: u64);
    fn replace(&mut self, order: u64, dollars: i64, shares: i64) -> u64;
    /// Somebody's order comes to rest.
    fn rests(&mut self, side: Side, dollars: i64, shares: i64);
    /// Somebody's order takes what rests, ours first.
    fn takes(&mut self, side: Side, dollars: i64, shares: i64);
    /// Messages of ours arrive; answers are under way.
    fn arrive(&mut self);
    /// Everything arrives, connections are made.
    fn settle(&mut self);
    /// The connection is lost with what is under way. False if there is none that could be.
    fn cut(&mut self) -> bool;
    /// From now on answers take long.
    fn slow(&mut self);
    /// The process dies, and another one carries on with its journal.
    fn restart(&mut self);
    fn ledger(&self) -> &Ledger;
    /// Orders are the same at both ends, everything is answered, and position and money (in dollars) are as told.
    fn both_ends(&self, position: i64, dollars: i128);
}

#[track_caller]
fn as_told(ledger: &Ledger, position: i64, dollars: i128) {
    assert_eq!((ledger.position, ledger.cash), (position, dollars * 10_000), "position and money");
    assert!(ledger.due.is_empty(), "answers that are due: {:?}", ledger.due);
    assert_eq!(ledger.pending(), 0);
}

/// The paper venue.
pub(super) struct Paper {
    bench: Bench<NaiveBook>,
    ledger: Ledger,
    numbers: u64,
    frames: u64,
}

impl Paper {
    pub(super) fn new() -> Self {
        Self {
            bench: Bench::new(&near(), NaiveBook::default()),
            ledger: Ledger::default(),
            numbers: 0,
            frames: 0,
        }
    }

    fn hear(&mut self) {
        for report in self.bench.reports() {
            self.ledger.on_report(&report);
        }
    }

    fn side(&self, order: u64) -> Side {
        self.ledger.open.get(&order).map_or(Side::Buy, |order| order.0)
    }
}

impl Venue for Paper {
    fn submit(&mut self, message: OrderMessage) {
        self.frames += 1;
        self.bench.time += 10;
        let decided = Nanos::new(self.bench.time);
        let message = OrderMessage { frame: self.frames, decided, ..message };
        self.ledger.sent(&message);
        self.bench.venue.submit(&message, decided).unwrap();
    }

    fn enter(&mut self, side: Side, dollars: i64, shares: i64, tif: TimeInForce) -> u64 {
        self.numbers += 1;
        self.submit(testing::order(self.numbers, side, dollars, shares, tif));
        testing::id(self.numbers).get()
    }

    fn cancel(&mut self, order: u64) {
        let side = self.side(order);
        self.submit(OrderMessage { order: OrderId::new(order), ..testing::cancel(1, side) });
    }

    fn replace(&mut self, order: u64, dollars: i64, shares: i64) -> u64 {
        self.numbers += 1;
        let change = testing::change(1, self.numbers, self.side(order), dollars, shares);
        self.submit(OrderMessage { order: OrderId::new(order), ..change });
        testing::id(self.numbers).get()
    }

    fn rests(&mut self, side: Side, dollars: i64, shares: i64) {
        for report in self.bench.market(&[level(side, dollars, shares)]) {
            self.ledger.on_report(&report);
        }
    }

    fn takes(&mut self, side: Side, dollars: i64, shares: i64) {
        for report in self.bench.market(&[trade(side as u8, dollars, shares)]) {
            self.ledger.on_report(&report);
        }
    }

    fn arrive(&mut self) {
        while self.bench.venue.next_arrival().is_some() {
            self.bench.venue.act_next();
        }
    }

    fn settle(&mut self) {
        self.arrive();
        self.hear();
    }

    fn cut(&mut self) -> bool {
        false
    }

    fn slow(&mut self) {
        // Its reports wait until somebody settles: they are as slow as can be.
    }

    fn restart(&mut self) {
        let given = self.ledger.reports.iter().map(|report| report.venue_order.max(report.exec.get()));
        let config = PaperConfig { first_id: given.max().unwrap_or(0), ..near() };
        let (carried, ledger) = self.ledger.carried();
        let mut bench = Bench::new(&config, NaiveBook::default());
        bench.time = self.bench.time;
        for record in &carried.records {
            bench.venue.adopt(record).unwrap();
        }
        // The feed's first word gives them their places.
        bench.market(&[level(Side::Sell, 1_000, 1)]);
        (self.bench, self.ledger) = (bench, ledger);
    }

    fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    fn both_ends(&self, position: i64, dollars: i128) {
        as_told(&self.ledger, position, dollars);
        let standing: BTreeMap<u64, i64> = [Side::Buy, Side::Sell]
            .into_iter()
            .flat_map(|side| self.bench.queue(side))
            .map(|(number, open, _)| (testing::id(number).get(), open))
            .collect();
        let ours: BTreeMap<u64, i64> =
            self.ledger.open.iter().map(|(order, (.., open))| (*order, *open)).collect();
        assert_eq!(ours, standing, "open orders");
    }
}

/// OUCH at the exchange.
pub(super) struct Ouch {
    rig: Rig,
}

impl Ouch {
    pub(super) fn new() -> Self {
        let mut rig = Rig::new(&config());
        rig.ready();
        Self { rig }
    }
}

impl Venue for Ouch {
    fn submit(&mut self, message: OrderMessage) {
        self.rig.submit(message);
    }

    fn enter(&mut self, side: Side, dollars: i64, shares: i64, tif: TimeInForce) -> u64 {
        self.rig.enter(side, dollars, shares, tif)
    }

    fn cancel(&mut self, order: u64) {
        self.rig.cancel(order);
    }

    fn replace(&mut self, order: u64, dollars: i64, shares: i64) -> u64 {
        self.rig.replace(order, dollars, shares)
    }

    fn rests(&mut self, side: Side, dollars: i64, shares: i64) {
        self.rig.they(side, dollars, shares, TimeInForce::Day);
    }

    fn takes(&mut self, side: Side, dollars: i64, shares: i64) {
        self.rig.they(side, dollars, shares, TimeInForce::Ioc);
    }

    fn arrive(&mut self) {
        self.rig.venue_reads();
    }

    fn settle(&mut self) {
        self.rig.pass(50);
        self.rig.ready();
        self.rig.pass(600);
    }

    fn cut(&mut self) -> bool {
        self.rig.cut();
        true
    }

    fn slow(&mut self) {
        self.rig.delay = 30;
    }

    fn restart(&mut self) {
        self.rig.restart(&config());
    }

    fn ledger(&self) -> &Ledger {
        &self.rig.ledger
    }

    fn both_ends(&self, position: i64, dollars: i128) {
        as_told(&self.rig.ledger, position, dollars);
        self.rig.agree();
    }
}
