//! Peers that misbehave: the exchange drops them, says why in its counts, and goes on.

use super::*;
use crate::trader::{Came, Trader};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

/// The exchange still trades.
fn check_alive(exchange: &RunningExchange) {
    let mut bob = Trader::login(exchange.addresses().orders, "bob", 0);
    let next = exchange.ask().unwrap().account("bob").unwrap().next_user_ref;
    bob.user_ref = next;
    bob.enter("AAAA", b'B', 100, 10_000);
    assert_eq!(bob.kind(), 'A');
}

#[test]
fn whatever_bytes_come_to_any_port_the_exchange_goes_on() {
    let exchange = start(&config(&Feed::new(), None));
    let addresses = exchange.addresses().clone();
    let mut bits = 1u64;
    for round in 0..40 {
        for to in [addresses.orders, addresses.snapshot, addresses.replay] {
            let mut socket = TcpStream::connect(to).unwrap();
            let mut bytes: Vec<u8> = (0..200)
                .map(|_| {
                    bits =
                        bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (bits >> 56) as u8
                })
                .collect();
            // Every other one begins like a packet.
            if round % 2 == 0 {
                bytes[..3].copy_from_slice(&[0, (round + 2) as u8, b"LURO+ZS"[round % 7]]);
            }
            socket.write_all(&bytes).unwrap();
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            udp.send_to(&bytes[..round], addresses.retransmission).unwrap();
        }
        // Logged in, and then no orders.
        let mut alice = Trader::login(addresses.orders, "alice", 0);
        let garbage: Vec<u8> = (0..50).map(|n| (n * round) as u8).collect();
        alice.packet(&spinward_gateways::soup::Packet::Unsequenced(&garbage));
    }
    check_alive(&exchange);
    let state = await_state(&exchange, |state| state.core.malformed >= 1);
    assert!(state.wire.closed > 0 && state.wire.requests_refused > 0, "{state:?}");
}

#[test]
fn who_does_not_read_is_dropped_and_holds_nobody_up() {
    let mut feed = Feed::new();
    let mut config = config(&feed, Some(400_000));
    config.core.history_messages = 1 << 16;
    config.stalled_max = spinward_engine::words::Nanos::from_millis(100);
    let exchange = start(&config);
    let _deaf = Trader::connect(exchange.addresses().replay, "alice", "secret", "", 1);
    let start = Instant::now();
    while exchange.ask().unwrap().wire.slow_dropped == 0 {
        feed.poll(exchange.addresses().retransmission);
        assert!(start.elapsed() < PATIENCE);
    }
    exchange.control("flow off").unwrap();
    check_alive(&exchange);
}

#[test]
fn there_are_so_many_connections_and_no_more() {
    let exchange = start(&config(&Feed::new(), None));
    let many: Vec<TcpStream> =
        (0..80).map(|_| TcpStream::connect(exchange.addresses().snapshot).unwrap()).collect();
    let state = await_state(&exchange, |state| state.wire.connections + state.wire.connections_refused == 80);
    assert_eq!((state.wire.connections, state.wire.connections_refused), (64, 16));
    drop(many);
    check_alive(&exchange);
    let mut again = Trader::login(exchange.addresses().snapshot, "alice", 1);
    assert_eq!(again.kind(), 'R');
}

#[test]
fn a_second_login_of_an_account_takes_the_place_of_the_first() {
    let exchange = start(&config(&Feed::new(), None));
    let mut first = Trader::login(exchange.addresses().orders, "alice", 0);
    let mut second = Trader::login(exchange.addresses().orders, "alice", 0);
    assert_eq!(first.wait(), Came::Closed);
    second.enter("AAAA", b'B', 100, 10_000);
    assert_eq!(second.kind(), 'A');
    assert!(exchange.ask().unwrap().account("alice").unwrap().is_connected);
}

#[test]
fn the_control_socket_answers_every_line_and_refuses_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exchange.sock");
    let mut config = config(&Feed::new(), None);
    config.control = Some(path.clone());
    let exchange = start(&config);
    let ask = |line: &str| match spinward_gateways::operator::send(&path, line) {
        Ok(text) => format!("ok {text}"),
        Err(refused) => format!("error: {refused}"),
    };
    assert!(ask("status").starts_with("ok session SPINWARD"), "{}", ask("status"));
    assert_eq!(ask("halt AAAA"), "ok AAAA Halted");
    assert!(ask("halt AAAA").starts_with("error: AAAA is Halted"));
    assert!(ask("halt ZZZZ").contains("no symbol `ZZZZ` here"));
    assert!(ask("drop c 1%").contains("a, b or both"));
    assert!(ask("explode").contains("unknown command"));
    // A line that is too long, and one that is no text.
    let mut rude = UnixStream::connect(&path).unwrap();
    rude.write_all(&[b'x'; 2_000]).unwrap();
    let mut rude = UnixStream::connect(&path).unwrap();
    rude.write_all(&[0xff, b'\n']).unwrap();
    assert!(matches!(ask("end").as_str(), "ok done"));
    let start = Instant::now();
    while !exchange.is_over() {
        assert!(start.elapsed() < PATIENCE);
    }
    assert!(!path.exists());
    assert!(exchange.stop().unwrap().symbols.iter().all(|symbol| symbol.bids.is_empty()));
}

#[test]
fn an_address_that_is_taken_and_names_that_are_none_are_told_before_anything_runs() {
    let feed = Feed::new();
    let exchange = start(&config(&feed, None));
    let refused = |change: &dyn Fn(&mut ExchangeConfig)| {
        let mut config = config(&feed, None);
        change(&mut config);
        ExchangeServer::start(&config).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let taken = exchange.addresses().orders;
    assert!(refused(&|config| config.orders = taken).contains(&format!("cannot listen at {taken}")));
    assert!(refused(&|config| config.packet_bytes = 10).contains("packet_bytes is 10: give 72 to 65,507"));
    assert!(
        refused(&|config| config.faults = vec!["disconnect carol".to_owned()])
            .contains("no user `carol` here")
    );
    assert!(refused(&|config| config.core.symbols.clear()).contains("0 symbols"));
    assert!(
        refused(&|config| config.core.accounts = vec![config.core.accounts[0].clone(); 2])
            .contains("account alice")
    );
    assert!(
        refused(&|config| config.line_a.destinations = vec!["127.0.0.1:0".parse().unwrap()])
            .contains("127.0.0.1:0")
    );
}

#[test]
fn a_thread_that_spins_does_the_same_as_one_that_sleeps() {
    let mut feed = Feed::new();
    let mut config = config(&feed, Some(8_000));
    config.waiting = spinward_gateways::exchange::server::Waiting::Spin;
    let exchange = start(&config);
    let state = trade_until(&exchange, &mut feed, 2_000);
    feed.follow(state.next_sequence, exchange.addresses().retransmission);
    feed.books.check(&state);
    check_alive(&exchange);
}
