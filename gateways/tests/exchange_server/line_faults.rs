//! Every fault of the lines: our receiver has every message, and its books are the exchange's own.

use super::*;
use spinward_gateways::exchange::server::FaultCounters;
use spinward_gateways::mold::ReceiverCounters;

/// A session of some thousand messages with these faults; both ends agree at its end. What was counted on both sides.
fn survive(faults: &[&str]) -> (FaultCounters, ReceiverCounters) {
    let mut feed = Feed::new();
    let mut config = config(&feed, Some(8_000));
    config.heartbeat_after = spinward_engine::words::Nanos::from_millis(20);
    config.faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
    let exchange = start(&config);
    let retransmission = exchange.addresses().retransmission;
    let state = trade_until(&exchange, &mut feed, 6_000);
    feed.follow(state.next_sequence, retransmission);
    feed.books.check(&state);
    assert_eq!(state.sums(), (vec![0; 4], 0));
    assert_eq!(feed.lost, [], "{faults:?}");
    let state = exchange.ask().unwrap();
    (state.faults, *feed.receiver.counters())
}

#[test]
fn without_faults_line_a_brings_everything_and_nothing_is_asked_for() {
    let (faults, receiver) = survive(&[]);
    assert_eq!(faults, FaultCounters::default());
    assert_eq!((receiver.malformed, receiver.lost), ([0; 3], 0));
}

#[test]
fn packets_that_one_line_drops_come_from_the_other() {
    let (faults, receiver) = survive(&["drop a 30%"]);
    assert!(faults.dropped[0] > 20 && faults.dropped[1] == 0, "{faults:?}");
    assert!(receiver.messages[1] > 500, "{receiver:?}");
}

#[test]
fn packets_that_both_lines_drop_are_sent_again() {
    let (faults, receiver) = survive(&["drop both 20%"]);
    assert!(faults.dropped[0] > 20 && faults.dropped[1] > 20, "{faults:?}");
    assert!(receiver.requests > 10 && receiver.messages[2] > 10, "{receiver:?}");
}

#[test]
fn a_line_that_stops_is_not_missed() {
    let (faults, receiver) = survive(&["at 50ms stop a"]);
    assert!(faults.stopped[0] > 20, "{faults:?}");
    assert!(receiver.messages[1] > 500, "{receiver:?}");
}

#[test]
fn packets_that_come_twice_count_once() {
    let (faults, receiver) = survive(&["duplicate both 50%"]);
    assert!(faults.duplicated[0] > 20, "{faults:?}");
    assert!(receiver.duplicates[0] + receiver.duplicates[1] > 5_000, "{receiver:?}");
}

#[test]
fn packets_in_another_order_are_put_in_order() {
    let (faults, receiver) = survive(&["stop b", "reorder a 30%"]);
    assert!(faults.reordered[0] > 20, "{faults:?}");
    assert!(receiver.gaps > 10, "{receiver:?}");
}

#[test]
fn packets_that_are_late_on_one_line_or_on_both_are_no_loss() {
    let (faults, receiver) = survive(&["delay a 3ms 40%", "delay b 30ms"]);
    assert!(faults.delayed[0] > 20 && faults.delayed[1] > 20, "{faults:?}");
    assert!(receiver.gaps > 10, "{receiver:?}");
}

#[test]
fn damaged_packets_are_refused_and_their_messages_come_otherwise() {
    let (faults, receiver) = survive(&["corrupt both 25%"]);
    assert!(faults.corrupted[0] > 20 && faults.corrupted[1] > 20, "{faults:?}");
    assert!(receiver.malformed[0] > 20 && receiver.foreign > 20, "{receiver:?}");
}

#[test]
fn all_at_once_is_survived_too() {
    let all =
        ["drop both 10%", "duplicate both 10%", "reorder both 10%", "delay both 2ms 10%", "corrupt both 10%"];
    let (faults, receiver) = survive(&all);
    assert!(faults.dropped[1] > 0 && faults.duplicated[1] > 0 && faults.reordered[1] > 0, "{faults:?}");
    assert!(
        faults.delayed[1] > 0 && faults.corrupted[1] > 0 && receiver.requests > 0,
        "{faults:?} {receiver:?}"
    );
}
