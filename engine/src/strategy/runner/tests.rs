use super::super::fixture::*;
use super::super::{OrderRequest, Refused, WorkingOrder};
use super::*;
use crate::words::{Action, ExecId, Intent, OrderId, Qty, RejectCode, ReportKind, TimeInForce};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A call of a hook, as the test sees it.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    Start(Vec<u32>),
    Book(u32),
    Trade(Trade),
    Report(ReportKind),
    Timer,
    Status(StatusChange),
}

/// Tells of each call, and checks what the context promises in it.
struct Witness(u16, Sender<(u16, Call)>);

impl Strategy for Witness {
    fn on_start(&mut self, instruments: &[&Instrument]) {
        let ids = instruments.iter().map(|instrument| instrument.id.get()).collect();
        self.1.send((self.0, Call::Start(ids))).unwrap();
    }
    fn on_book(&mut self, context: &mut Context<'_>, view: &BookView) {
        assert_eq!(context.book(view.instrument).map(|kept| kept.update_id), Some(view.update_id));
        self.1.send((self.0, Call::Book(view.instrument.get()))).unwrap();
    }
    fn on_trade(&mut self, _: &mut Context<'_>, trade: &Trade) {
        self.1.send((self.0, Call::Trade(*trade))).unwrap();
    }
    fn on_report(&mut self, _: &mut Context<'_>, report: &Report) {
        self.1.send((self.0, Call::Report(report.kind().unwrap()))).unwrap();
    }
    fn on_timer(&mut self, _: &mut Context<'_>) {
        self.1.send((self.0, Call::Timer)).unwrap();
    }
    fn on_status(&mut self, _: &mut Context<'_>, status: &StatusChange) {
        self.1.send((self.0, Call::Status(*status))).unwrap();
    }
}

/// Strategy 4 looks at instruments 0 and 1, strategy 7 at 1 and 2.
fn witnesses() -> (Rig, Receiver<(u16, Call)>) {
    let (tell, calls) = channel();
    let first = slot(4, Box::new(Witness(4, tell.clone())), &[1, 0, 1]);
    let second = slot(7, Box::new(Witness(7, tell)), &[2, 1]);
    let rig = Rig::new(vec![second, first]);
    let starts: Vec<_> = calls.try_iter().collect();
    assert_eq!(starts, [(4, Call::Start(vec![0, 1])), (7, Call::Start(vec![1, 2]))]);
    (rig, calls)
}

fn market_event(kind: EventKind, instrument: u32, flags: u16) -> Event {
    Event { price: ticks(101), qty: Qty::from_lots(3), flags, ..Event::new(kind, id(instrument)) }
}

#[test]
fn books_come_to_subscribers_only_and_in_the_order_of_the_ids() {
    let (mut rig, calls) = witnesses();
    for instrument in [0, 1, 2, 3, 4_000_000] {
        rig.book(&view(id(instrument), &[(99, 1)], &[(101, 1)]));
    }
    let seen: Vec<_> = calls.try_iter().collect();
    assert_eq!(
        seen,
        [(4, Call::Book(0)), (4, Call::Book(1)), (7, Call::Book(1)), (7, Call::Book(2))],
        "nobody looks at 3"
    );
    let counters = rig.runner.counters();
    assert_eq!((counters.events.value(), counters.strategies[0].books.value()), (5, 2));
}

#[test]
fn the_middle_of_a_group_is_not_a_book() {
    let (mut rig, calls) = witnesses();
    for kind in [EventKind::OrderAdd, EventKind::LevelSet, EventKind::Quote, EventKind::Definition] {
        rig.event(market_event(kind, 1, 0), &Payload::default(), None);
    }
    assert_eq!(calls.try_iter().count(), 0);
}

#[test]
fn a_trade_comes_before_the_book_it_made_and_strategy_after_strategy() {
    let (mut rig, calls) = witnesses();
    let mut event = market_event(EventKind::Trade, 1, Event::END_OF_GROUP);
    event.side_number = Side::Sell as u8;
    rig.event(event, &Payload::default(), Some(&view(id(1), &[(99, 1)], &[(101, 1)])));
    let trade = Trade {
        instrument: id(1),
        price: ticks(101),
        qty: Qty::from_lots(3),
        aggressor: Some(Side::Sell),
        venue_time: Nanos::ZERO,
    };
    let seen: Vec<_> = calls.try_iter().collect();
    assert_eq!(
        seen,
        [(4, Call::Trade(trade)), (4, Call::Book(1)), (7, Call::Trade(trade)), (7, Call::Book(1))]
    );
}

#[test]
fn an_execution_takes_its_price_from_the_view_of_its_group() {
    let (mut rig, calls) = witnesses();
    let mut after = view(id(0), &[(99, 1)], &[(101, 1)]);
    after.statistics.last_price = ticks(100);
    after.statistics.last_qty = Qty::from_lots(3);
    after.statistics.trade_sign = -1;
    let printable = Event::PRINTABLE | Event::END_OF_GROUP;
    let mut execution = market_event(EventKind::OrderExecute, 0, printable);
    execution.price = Price::ZERO;
    rig.event(execution, &Payload::default(), Some(&after));
    let trade = |price, aggressor| {
        let (qty, venue_time) = (Qty::from_lots(3), Nanos::ZERO);
        (4, Call::Trade(Trade { instrument: id(0), price, qty, aggressor, venue_time }))
    };
    let seen: Vec<_> = calls.try_iter().collect();
    assert_eq!(seen, [trade(ticks(100), Some(Side::Sell)), (4, Call::Book(0))]);

    // At a price of its own, it needs no view; without one nobody knows the aggressor.
    rig.event(market_event(EventKind::OrderExecuteAt, 0, Event::PRINTABLE), &Payload::default(), None);
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [trade(ticks(101), None)]);

    // Not printable: no trade (it is told elsewhere). Of a reference the book does not know, or in the middle of a group: no price.
    rig.event(market_event(EventKind::OrderExecuteAt, 0, 0), &Payload::default(), None);
    assert_eq!(rig.runner.counters().unpriced_executions.value(), 0);
    after.statistics.last_qty = Qty::from_lots(8);
    rig.event(execution, &Payload::default(), Some(&after));
    rig.event(execution, &Payload::default(), None);
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), [(4, Call::Book(0))]);
    assert_eq!(rig.runner.counters().unpriced_executions.value(), 2);
}

#[test]
fn a_status_comes_to_subscribers_and_one_of_the_whole_market_to_all() {
    let (mut rig, calls) = witnesses();
    rig.status(id(2), MarketStatus::Halted);
    rig.status(InstrumentId::ALL, MarketStatus::Closed);
    let gap = Event { a: 5, b: 9, ..Event::new(EventKind::Gap, id(0)) };
    rig.event(gap, &Payload::default(), None);
    rig.event(Event::new(EventKind::Link, InstrumentId::ALL), &Payload::default(), None);
    rig.event(Event { a: 77, ..Event::new(EventKind::Status, id(0)) }, &Payload::default(), None);
    let of = |instrument, kind| Call::Status(StatusChange { instrument, kind });
    let halted = of(id(2), StatusKind::Market(MarketStatus::Halted));
    let closed = of(InstrumentId::ALL, StatusKind::Market(MarketStatus::Closed));
    let gap = of(id(0), StatusKind::Gap { expected: 5, found: 9 });
    let down = of(InstrumentId::ALL, StatusKind::Link { up: false });
    let expected = [(7, halted), (4, closed.clone()), (7, closed), (4, gap), (4, down.clone()), (7, down)];
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), expected);
    assert_eq!(rig.runner.counters().unknown_statuses.value(), 1);
}

#[test]
fn timers_come_to_all_and_reports_to_the_owner() {
    let (mut rig, calls) = witnesses();
    rig.timer();
    let report = |strategy| Report {
        order: OrderId::compose(StrategyId::new(strategy), 1),
        instrument: id(1),
        kind_number: ReportKind::Accepted as u8,
        side_number: Side::Buy as u8,
        ..Report::default()
    };
    rig.report(&report(7));
    rig.report(&report(5));
    let expected = [(4, Call::Timer), (7, Call::Timer), (7, Call::Report(ReportKind::Accepted))];
    assert_eq!(calls.try_iter().collect::<Vec<_>>(), expected);
    let counters = rig.runner.counters();
    assert_eq!(counters.foreign_records.value(), 1);
    assert_eq!(counters.strategies[1].unmatched_reports.value(), 1);
}

#[test]
fn a_fill_that_comes_twice_is_told_once() {
    let (mut rig, calls) = witnesses();
    let report = Report {
        order: OrderId::compose(StrategyId::new(4), 1),
        exec: ExecId::new(3),
        qty: Qty::from_lots(2),
        instrument: id(1),
        kind_number: ReportKind::Filled as u8,
        side_number: Side::Buy as u8,
        ..Report::default()
    };
    rig.report(&report);
    rig.report(&report);
    assert_eq!(calls.try_iter().count(), 1);
    assert_eq!(rig.runner.counters().strategies[0].duplicate_fills.value(), 1);
}

/// Does with the context what it is told through a channel, at every timer tick, and tells what came of it.
struct Puppet<T>(Box<dyn FnMut(&mut Context<'_>) -> T + Send>, Sender<T>);

impl<T: Send> Strategy for Puppet<T> {
    fn on_timer(&mut self, context: &mut Context<'_>) {
        let outcome = (self.0)(context);
        self.1.send(outcome).unwrap();
    }
}

fn puppet<T: Send + 'static>(
    limits: (usize, usize),
    act: impl FnMut(&mut Context<'_>) -> T + Send + 'static,
) -> (Rig, Receiver<T>) {
    let (tell, outcomes) = channel();
    let mut slot = slot(2, Box::new(Puppet(Box::new(act), tell)), &[0, 3]);
    (slot.max_in_flight, slot.max_open_orders) = limits;
    (Rig::new(vec![slot]), outcomes)
}

fn request(instrument: u32, qty: i64) -> OrderRequest {
    OrderRequest {
        instrument: id(instrument),
        side: Side::Buy,
        price: ticks(99),
        qty: Qty::from_lots(qty),
        tif: TimeInForce::Day,
        post_only: true,
        reduce_only: false,
    }
}

#[test]
fn an_intent_says_who_what_and_how_long() {
    let (mut rig, _outcomes) = puppet((4, 4), |context| context.new_order(request(0, 5)));
    let intents = rig.timer();
    let expected = Intent {
        order: OrderId::compose(StrategyId::new(2), 1),
        price: ticks(99),
        qty: Qty::from_lots(5),
        decided: rig.now,
        valid_until: rig.now.after(Nanos::from_millis(5)),
        instrument: id(0),
        strategy: StrategyId::new(2),
        action_number: Action::New as u8,
        side_number: Side::Buy as u8,
        tif_number: TimeInForce::Day as u8,
        flags: Intent::POST_ONLY,
        ..Intent::default()
    };
    assert_eq!(intents, [expected]);
}

#[test]
fn wishes_that_cannot_be_are_refused_and_counted() {
    let (mut rig, outcomes) = puppet((2, 3), |context| {
        let bid = context.new_order(request(0, 1)).unwrap();
        [
            context.new_order(request(1, 1)).unwrap_err(),
            context.new_order(request(3, 1)).unwrap_err(),
            context.new_order(request(0, 0)).unwrap_err(),
            context.replace(bid, ticks(98), Qty::from_lots(1)).unwrap_err(),
            context.cancel(OrderId::new(1)).unwrap_err(),
            context.cancel(bid).and_then(|()| context.cancel(bid)).unwrap_err(),
            context.new_order(request(0, 1)).and_then(|_| context.new_order(request(0, 1))).unwrap_err(),
        ]
    });
    rig.timer();
    let expected = [
        Refused::NotSubscribed,
        Refused::NotTradable,
        Refused::BadQuantity,
        Refused::NotAcknowledged,
        Refused::UnknownOrder,
        Refused::AlreadyPending,
        Refused::TooManyInFlight,
    ];
    assert_eq!(outcomes.recv().unwrap(), expected);
    let counters = rig.runner.counters();
    for refused in expected {
        assert_eq!(counters.strategies[0].refused[refused.index()].value(), 1, "{}", refused.name());
    }
}

#[test]
fn every_strategy_has_its_own_share_of_the_lane() {
    // If strategies raced for the lane, those that share a core would trade otherwise than those that do not.
    let (tell, outcomes) = channel();
    let greedy = |number| {
        let act = |context: &mut Context<'_>| {
            let outcomes: Vec<_> = (0..6).map(|_| context.new_order(request(0, 1)).err()).collect();
            outcomes
        };
        slot(number, Box::new(Puppet(Box::new(act), tell.clone())), &[0])
    };
    let slots = (0..STRATEGIES_PER_CORE_MAX as u16).map(greedy).collect();
    let intents = Rig::new(slots).timer();
    assert_eq!(intents.len(), INTENTS_PER_EVENT_MAX);
    for outcome in outcomes.try_iter() {
        let full = Some(Refused::BatchFull);
        assert_eq!(outcome, [None, None, None, None, full, full]);
    }
}

#[test]
fn ids_ascend_and_survive_recovery() {
    let (mut rig, outcomes) = puppet((9, 9), |context| context.new_order(request(0, 1)).unwrap().number());
    rig.timer();
    rig.timer();
    rig.recover(&RecoveredRecord { number: 40, ..recovered(RecoveredKind::OrderNumber, 2) });
    rig.recover(&RecoveredRecord { number: 90, ..recovered(RecoveredKind::OrderNumber, 3) });
    rig.timer();
    rig.recover(&RecoveredRecord { number: 5, ..recovered(RecoveredKind::OrderNumber, 2) });
    rig.recover(&RecoveredRecord {
        order: OrderId::compose(StrategyId::new(2), 50),
        qty: Qty::from_lots(1),
        side_number: Side::Sell as u8,
        tif_number: TimeInForce::Day as u8,
        ..recovered(RecoveredKind::OpenOrder, 2)
    });
    rig.timer();
    assert_eq!(outcomes.try_iter().collect::<Vec<_>>(), [1, 2, 41, 51]);
    assert_eq!(rig.runner.counters().foreign_records.value(), 1, "strategy 3 is not here");
}

#[test]
fn recovered_positions_and_orders_are_seen_and_can_be_cancelled() {
    let (mut rig, outcomes) = puppet((9, 9), |context| {
        let orders: Vec<WorkingOrder> = context.orders().copied().collect();
        let cancelled = orders.first().map(|order| context.cancel(order.id));
        (context.position(id(1)), context.open_qty(id(1), Side::Sell), cancelled)
    });
    let position = RecoveredRecord {
        instrument: id(1),
        qty: Qty::from_lots(-7),
        ..recovered(RecoveredKind::Position, 2)
    };
    rig.recover(&position);
    rig.recover(&RecoveredRecord {
        order: OrderId::compose(StrategyId::new(2), 1),
        instrument: id(1),
        qty: Qty::from_lots(3),
        side_number: Side::Sell as u8,
        tif_number: TimeInForce::Day as u8,
        ..recovered(RecoveredKind::OpenOrder, 2)
    });
    rig.recover(&RecoveredRecord { instrument: id(99), ..position });
    let intents = rig.timer();
    // Instrument 1 is not subscribed any more: its order can be got rid of all the same.
    assert_eq!(outcomes.recv().unwrap(), (Qty::from_lots(-7), Qty::from_lots(3), Some(Ok(()))));
    assert_eq!(intents[0].action(), Some(Action::Cancel));
    assert_eq!(rig.runner.counters().strategies[0].recovered.value(), 2);
    assert_eq!(rig.runner.counters().strategies[0].recovery_refused.value(), 1);
}

#[test]
fn a_strategy_sees_nothing_of_its_neighbours() {
    let look = |context: &mut Context<'_>| (context.book(id(0)).is_some(), context.orders().count());
    let (tell, seen) = channel();
    let (tell_other, _other) = channel();
    let act = |context: &mut Context<'_>| context.new_order(request(0, 1)).is_ok();
    let mut rig = Rig::new(vec![
        slot(0, Box::new(Puppet(Box::new(act), tell_other)), &[0]),
        slot(1, Box::new(Puppet(Box::new(look), tell)), &[1]),
    ]);
    rig.book(&view(id(0), &[(99, 1)], &[(101, 1)]));
    rig.timer();
    assert_eq!(seen.recv().unwrap(), (false, 0));
}

#[test]
fn slots_that_could_not_work_are_refused_with_the_reason() {
    let make = |change: &dyn Fn(&mut StrategySlot)| {
        let (tell, _calls) = channel();
        let mut slot = slot(0, Box::new(Witness(0, tell)), &[0]);
        change(&mut slot);
        StrategyRunner::new(vec![slot], table(1)).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(make(&|slot| slot.instruments.clear()).contains("has no instruments"));
    assert!(make(&|slot| slot.instruments.push(id(2))).contains("instrument 2, which is not configured"));
    assert!(make(&|slot| slot.id = StrategyId::NONE).contains("reserved id"));
    assert!(make(&|slot| slot.intent_ttl = Nanos::ZERO).contains("intent_ttl = 0"));
    assert!(make(&|slot| slot.max_in_flight = 0).contains("max_in_flight = 0, must be from 1"));
    assert!(make(&|slot| slot.max_open_orders = 1 << 40).contains("max_open_orders"));
    let (tell, _calls) = channel();
    let many = |number| slot(number, Box::new(Witness(0, tell.clone())), &[0]);
    let twice = StrategyRunner::new(vec![many(1), many(1)], table(1)).err().map(|error| error.to_string());
    assert!(twice.unwrap_or_default().contains("have the same id 1"));
    let five = StrategyRunner::new((0..5).map(many).collect(), table(1)).err();
    assert_eq!(five, Some(StrategyConfigError::TooManyStrategies { count: 5, max: 4 }));
}

#[test]
fn risk_that_does_not_know_an_order_ends_it() {
    let (mut rig, outcomes) = puppet((2, 2), |context| {
        let first = context.orders().next().map(|order| order.id);
        match first {
            Some(order) => context.cancel(order).is_ok(),
            None => context.new_order(request(0, 1)).is_ok(),
        }
    });
    let new = rig.timer();
    rig.accept(&new);
    let cancel = rig.timer();
    let mut refusal = report(&cancel[0], ReportKind::CancelRejected);
    refusal.flags = Report::FROM_RISK;
    refusal.code_number = RejectCode::UnknownOrder as u16;
    rig.report(&refusal);
    // Else the strategy would try for ever to cancel a phantom.
    assert_eq!(rig.timer()[0].action(), Some(Action::New));
    assert_eq!(outcomes.try_iter().collect::<Vec<_>>(), [true, true, true]);
}
