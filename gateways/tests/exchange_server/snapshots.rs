//! Books that do not begin with the first message: snapshot, replay, and what a receiver that lost messages does.

use super::*;
use crate::feed::Books;
use crate::trader::{Came, Trader};
use spinward_gateways::exchange::server::{snapshot_end, tag};
use spinward_gateways::itch50::Be32;
use spinward_gateways::mold::ReceiverConfig;
use spinward_gateways::ouch50::{Appendage, Inbound};

/// Books of a snapshot, and the number of the message that follows.
fn snapshot(exchange: &RunningExchange) -> (Books, u64) {
    let mut connection = Trader::login(exchange.addresses().snapshot, "bob", 1);
    let mut books = Books::new();
    loop {
        let message = connection.message();
        match snapshot_end(&message) {
            Some(next) => {
                assert_eq!(connection.wait(), Came::End);
                return (books, next);
            }
            None => books.message(&message),
        }
    }
}

#[test]
fn who_comes_late_takes_a_snapshot_and_goes_on_from_its_number() {
    let mut early = Feed::new();
    let exchange = start(&config(&early, Some(8_000)));
    let retransmission = exchange.addresses().retransmission;
    let state = trade_until(&exchange, &mut early, 3_000);
    let (books, next) = snapshot(&exchange);
    assert_eq!(next, state.next_sequence);
    books.check(&state);

    let config = ReceiverConfig { next_sequence: Some(next), ..ReceiverConfig::default() };
    let mut late = Feed { books, ..Feed::with(config) };
    for (line, address) in ["a", "b"].into_iter().zip(late.addresses()) {
        exchange.control(&format!("line {line} {address}")).unwrap();
    }
    exchange.control("flow on").unwrap();
    let state = trade_until(&exchange, &mut late, next + 3_000);
    late.follow(state.next_sequence, retransmission);
    late.books.check(&state);
    early.follow(state.next_sequence, retransmission);
    early.books.check(&state);
}

#[test]
fn who_lost_messages_for_good_takes_a_snapshot_and_is_right_again() {
    let mut feed = Feed::new();
    let mut config = config(&feed, Some(8_000));
    config.faults = vec!["stop r".to_owned()];
    let exchange = start(&config);
    let retransmission = exchange.addresses().retransmission;
    trade_until(&exchange, &mut feed, 2_000);
    exchange.control("drop both 5").unwrap();
    exchange.control("flow on").unwrap();
    let state = trade_until(&exchange, &mut feed, 3_000);
    feed.follow(state.next_sequence, retransmission);
    assert!(!feed.lost.is_empty() && exchange.ask().unwrap().faults.unanswered > 0);
    let (books, next) = snapshot(&exchange);
    feed = Feed { books, from: next, ..feed };
    exchange.control("flow on").unwrap();
    let state = trade_until(&exchange, &mut feed, next + 1_000);
    feed.follow(state.next_sequence, retransmission);
    feed.books.check(&state);
}

#[test]
fn the_replay_gives_every_message_again_and_then_those_that_come() {
    let mut feed = Feed::new();
    let exchange = start(&config(&feed, Some(8_000)));
    let state = trade_until(&exchange, &mut feed, 2_000);
    let mut replay = Trader::login(exchange.addresses().replay, "alice", 1);
    assert_eq!(replay.next, 1);
    let mut books = Books::new();
    while replay.next < state.next_sequence {
        let message = replay.message();
        books.message(&message);
    }
    books.check(&state);
    exchange.control("flow on").unwrap();
    let state = trade_until(&exchange, &mut feed, state.next_sequence + 500);
    while replay.next < state.next_sequence {
        let message = replay.message();
        books.message(&message);
    }
    books.check(&state);
}

#[test]
fn an_order_that_names_the_message_that_caused_it_is_measured_from_wire_to_wire() {
    let mut feed = Feed::new();
    let exchange = start(&config(&feed, None));
    let state = exchange.ask().unwrap();
    feed.follow(state.next_sequence, exchange.addresses().retransmission);
    let mut alice = Trader::login(exchange.addresses().orders, "alice", 1);
    let cause = state.next_sequence - 1;
    for (user_ref, id) in [(1, tag(cause)), (2, None), (3, tag(cause + 1_000))] {
        let mut order = crate::trader::order(user_ref, "AAAA", b'B', 100, 20_000);
        order.cl_ord_id = id.unwrap_or(order.cl_ord_id);
        order.user_ref = Be32::new(user_ref);
        alice.send(&Inbound::from(&order), Appendage::EMPTY);
        alice.until(b'A');
    }
    let samples = exchange.wire_samples().unwrap();
    assert_eq!(samples.iter().map(|sample| sample.sequence).collect::<Vec<_>>(), [cause]);
    assert!(samples[0].nanos > 0 && u128::from(samples[0].nanos) < PATIENCE.as_nanos());
    assert_eq!(exchange.ask().unwrap().wire.wire_samples, 1);
}
