//! Accounts that trade.

use super::*;
use crate::trader::{Came, Trader, executed};
use spinward_gateways::soup::RejectReason;

#[test]
fn two_accounts_trade_with_each_other_and_both_ends_and_the_market_data_agree() {
    let mut feed = Feed::new();
    let exchange = start(&config(&feed, None));
    let addresses = exchange.addresses().clone();
    let mut alice = Trader::login(addresses.orders, "alice", 1);
    let mut bob = Trader::login(addresses.orders, "bob", 1);
    assert_eq!((alice.kind(), bob.kind()), ('S', 'S'));
    alice.enter("AAAA", b'S', 300, 22_310);
    assert_eq!(alice.kind(), 'A');
    bob.enter("AAAA", b'B', 500, 22_315);
    assert_eq!(bob.kind(), 'A');
    let (sold, bought) = (executed(&alice.message()), executed(&bob.message()));
    assert_eq!((sold.0, sold.1, sold.2, sold.3), (1, 300, 2_231_000, 'A'));
    assert_eq!((bought.0, bought.1, bought.2, bought.3), (1, 300, 2_231_000, 'R'));
    assert_eq!(sold.4, bought.4);
    bob.cancel(1, 400);
    assert_eq!(bob.kind(), 'C');
    let replaced = bob.replace(1, 380, 22_300);
    assert_eq!((replaced, bob.kind()), (2, 'U'));

    let state = exchange.ask().unwrap();
    let [a, b] = ["alice", "bob"].map(|user| state.account(user).unwrap());
    assert_eq!((a.holdings.positions[0], a.holdings.cash), (-300, 300 * 2_231_000));
    assert_eq!((b.holdings.positions[0], b.holdings.cash), (300, -300 * 2_231_000));
    assert_eq!(state.sums(), (vec![0; 4], 0));
    assert_eq!((a.orders.len(), b.orders.len()), (0, 1));
    assert_eq!((b.orders[0].user_ref, b.orders[0].open, b.orders[0].executed), (2, 80, 300));
    assert_eq!((alice.next, bob.next), (a.next_sequence, b.next_sequence));
    feed.follow(state.next_sequence, addresses.retransmission);
    feed.books.check(&state);

    let end = exchange.stop().unwrap();
    assert_eq!(bob.until(b'S')[9], b'E');
    assert_eq!((alice.kind(), alice.wait(), bob.wait()), ('S', Came::End, Came::End));
    assert_eq!(feed.follow_to_end(addresses.retransmission), end.next_sequence);
    feed.books.check(&end);
    assert!(end.symbols.iter().all(|symbol| symbol.bids.is_empty() && symbol.asks.is_empty()));
}

#[test]
fn logins_of_strangers_and_into_other_sessions_are_refused() {
    let exchange = start(&config(&Feed::new(), None));
    let to = exchange.addresses().orders;
    for (user, password, session, reason) in [
        ("alice", "wrong", "", RejectReason::NotAuthorized),
        ("carol", "secret", "", RejectReason::NotAuthorized),
        ("alice", "secret", "OTHER", RejectReason::SessionNotAvailable),
    ] {
        let mut stranger = Trader::connect(to, user, password, session, 1);
        assert_eq!((stranger.wait(), stranger.wait()), (Came::Rejected(reason), Came::Closed));
    }
    assert_eq!(exchange.ask().unwrap().wire.logins_refused, 3);
}

#[test]
fn what_happens_while_a_connection_is_lost_is_in_the_stream_at_the_next_login() {
    let exchange = start(&config(&Feed::new(), None));
    let to = exchange.addresses().orders;
    let mut alice = Trader::login(to, "alice", 1);
    let mut bob = Trader::login(to, "bob", 1);
    alice.enter("AAAB", b'B', 100, 9_500);
    assert_eq!((alice.kind(), alice.kind()), ('S', 'A'));
    let next = alice.drop_connection();
    await_state(&exchange, |state| !state.account("alice").unwrap().is_connected);
    bob.enter("AAAB", b'S', 60, 9_500);
    assert_eq!((bob.kind(), bob.kind(), bob.kind()), ('S', 'A', 'E'));
    // A number that was used before is ignored.
    let mut alice = Trader::login(to, "alice", next);
    assert_eq!(executed(&alice.message()).1, 60);
    alice.enter("AAAB", b'B', 100, 9_400);
    alice.enter("AAAB", b'B', 100, 9_300);
    assert_eq!(alice.kind(), 'A');
    let state = exchange.ask().unwrap();
    let orders = &state.account("alice").unwrap().orders;
    assert_eq!(
        orders.iter().map(|order| (order.user_ref, order.open)).collect::<Vec<_>>(),
        [(1, 40), (2, 100)]
    );
    assert_eq!(state.core.ignored, 1);
    // Everything again, from the first message.
    let mut again = Trader::login(to, "alice", 1);
    assert_eq!([again.kind(), again.kind(), again.kind(), again.kind()], ['S', 'A', 'E', 'A']);
}

#[test]
fn a_lost_connection_cancels_the_orders_of_an_account_that_wants_it_so() {
    let mut config = config(&Feed::new(), None);
    config.core.accounts[0].cancel_on_disconnect = true;
    let exchange = start(&config);
    let to = exchange.addresses().orders;
    let mut traders = ["alice", "bob"].map(|user| Trader::login(to, user, 1));
    for trader in &mut traders {
        trader.enter("AAAC", b'B', 100, 4_800);
        assert_eq!((trader.kind(), trader.kind()), ('S', 'A'));
    }
    drop(traders);
    let state = await_state(&exchange, |state| !state.accounts.iter().any(|account| account.is_connected));
    assert_eq!(state.account("alice").unwrap().orders.len(), 0);
    assert_eq!(state.account("bob").unwrap().orders.len(), 1);
    assert_eq!(state.core.cancels_on_disconnect, 1);
    let mut alice = Trader::login(to, "alice", 3);
    let canceled = alice.message();
    assert_eq!((canceled[0], canceled[17]), (b'C', b'Z'));
}
