//! Faults of order sessions, and a restart: nothing is lost, nothing counts twice.

use super::*;
use crate::trader::{Came, Trader, executed};

/// An exchange without participants, and alice logged in.
fn begin() -> (Feed, RunningExchange, Trader) {
    let feed = Feed::new();
    let exchange = start(&config(&feed, None));
    let mut alice = Trader::login(exchange.addresses().orders, "alice", 1);
    assert_eq!(alice.kind(), 'S');
    (feed, exchange, alice)
}

#[test]
fn rejected_orders_leave_nothing_behind_and_the_one_after_them_is_taken() {
    let (_feed, exchange, mut alice) = begin();
    exchange.control("reject alice 2").unwrap();
    for expected in ['J', 'J', 'A'] {
        alice.enter("AAAA", b'B', 100, 22_000);
        assert_eq!(alice.kind(), expected);
    }
    let state = exchange.ask().unwrap();
    assert_eq!((state.account("alice").unwrap().orders.len(), state.faults.rejected), (1, 2));
}

#[test]
fn an_order_whose_acknowledgement_is_lost_is_in_the_book_and_in_the_stream() {
    let (_feed, exchange, mut alice) = begin();
    exchange.control("lose-ack alice 1").unwrap();
    alice.enter("AAAA", b'B', 100, 22_000);
    assert_eq!(alice.wait(), Came::Closed);
    let state = await_state(&exchange, |state| !state.account("alice").unwrap().is_connected);
    assert_eq!((state.account("alice").unwrap().orders.len(), state.faults.acks_lost), (1, 1));
    let mut alice = Trader::login(exchange.addresses().orders, "alice", alice.next);
    assert_eq!(alice.kind(), 'A');
}

#[test]
fn a_cut_connection_can_come_again_at_once() {
    let (_feed, exchange, mut alice) = begin();
    exchange.control("disconnect *").unwrap();
    assert_eq!(alice.wait(), Came::Closed);
    let mut alice = Trader::login(exchange.addresses().orders, "alice", alice.next);
    alice.enter("AAAA", b'B', 100, 22_000);
    assert_eq!((alice.kind(), exchange.ask().unwrap().faults.disconnected), ('A', 1));
}

#[test]
fn a_frozen_session_is_heard_when_it_thaws_and_others_trade_on() {
    let (_feed, exchange, mut alice) = begin();
    exchange.control("freeze alice 1h").unwrap();
    alice.enter("AAAA", b'B', 100, 22_000);
    let mut bob = Trader::login(exchange.addresses().orders, "bob", 1);
    bob.until(b'S');
    for _ in 0..50 {
        bob.enter("AAAA", b'S', 100, 23_000);
        assert_eq!(bob.kind(), 'A');
    }
    assert_eq!(exchange.ask().unwrap().account("alice").unwrap().orders.len(), 0);
    exchange.control("faults off").unwrap();
    assert_eq!((alice.kind(), exchange.ask().unwrap().faults.frozen), ('A', 1));
}

#[test]
fn slow_fills_come_late_and_in_order_and_positions_are_right_all_along() {
    let (_feed, exchange, mut alice) = begin();
    alice.enter("AAAA", b'B', 100, 22_000);
    assert_eq!(alice.kind(), 'A');
    exchange.control("slow alice fills 1h").unwrap();
    let mut bob = Trader::login(exchange.addresses().orders, "bob", 1);
    bob.enter("AAAA", b'S', 60, 22_000);
    assert_eq!([bob.kind(), bob.kind(), bob.kind()], ['S', 'A', 'E']);
    alice.cancel(1, 0);
    let state = await_state(&exchange, |state| state.account("alice").unwrap().orders.is_empty());
    assert_eq!(state.account("alice").unwrap().holdings.positions[0], 60);
    assert_eq!(alice.next, state.account("alice").unwrap().next_sequence, "nothing is in the stream yet");
    exchange.control("slow alice fills 0ms").unwrap();
    assert_eq!(executed(&alice.message()).1, 60);
    assert_eq!(alice.kind(), 'C');
}

#[test]
fn after_a_restart_session_sequences_books_and_orders_are_as_before() {
    let mut feed = Feed::new();
    let exchange = start(&config(&feed, Some(4_000)));
    let addresses = exchange.addresses().clone();
    let mut alice = Trader::login(addresses.orders, "alice", 1);
    alice.enter("AAAA", b'B', 100, 10_000);
    assert_eq!((alice.kind(), alice.kind()), ('S', 'A'));
    trade_until(&exchange, &mut feed, 1_500);
    exchange.control("flow on").unwrap();
    exchange.control("restart 100ms").unwrap();
    assert_eq!(alice.wait(), Came::Closed);
    let mut alice = Trader::connect(addresses.orders, "alice", "secret", "SPINWARD", alice.next);
    assert_eq!(alice.wait(), Came::Accepted { session: b"SPINWARD".to_vec(), next: 3 });
    alice.cancel(1, 0);
    assert_eq!(alice.kind(), 'C');
    let state = trade_until(&exchange, &mut feed, 3_000);
    feed.follow(state.next_sequence, addresses.retransmission);
    feed.books.check(&state);
    assert_eq!((state.faults.restarts, &feed.lost[..]), (1, &[][..]));
}
