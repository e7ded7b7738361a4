//! Multicast, in a network namespace that the test makes for itself: nothing leaves it.

use super::*;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;

const INSIDE: &str = "SPINWARD_IN_A_NAMESPACE";
const GROUPS: [Ipv4Addr; 2] = [Ipv4Addr::new(239, 77, 0, 1), Ipv4Addr::new(239, 77, 0, 2)];

#[test]
fn both_lines_reach_their_multicast_groups_and_what_they_drop_is_sent_again() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let script = "ip link set lo up multicast on && ip route add 239.0.0.0/8 dev lo && exec \"$0\" \"$@\"";
    let has_namespaces = Command::new("unshare")
        .args(["-rn", "sh", "-c", "ip link set lo up multicast on && ip route add 239.0.0.0/8 dev lo"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_namespaces {
        println!("SKIPPED: both_lines_reach_their_multicast_groups… needs `unshare -rn` and `ip`");
        return;
    }
    let name = "multicast::both_lines_reach_their_multicast_groups_and_what_they_drop_is_sent_again";
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn inside() {
    let mut feed = Feed::new();
    for (line, group) in GROUPS.iter().enumerate() {
        let socket = UdpSocket::bind((*group, 0)).unwrap();
        socket.join_multicast_v4(group, &Ipv4Addr::LOCALHOST).unwrap();
        socket.set_nonblocking(true).unwrap();
        feed.lines[line] = socket;
    }
    let mut config = config(&feed, Some(8_000));
    for line in [&mut config.line_a, &mut config.line_b] {
        line.interface = Some(Ipv4Addr::LOCALHOST);
    }
    assert!(feed.addresses().iter().map(SocketAddr::ip).all(|ip| ip.is_multicast()));
    config.heartbeat_after = spinward_engine::words::Nanos::from_millis(20);
    config.faults = vec!["drop a 30%".to_owned(), "drop b 30%".to_owned()];
    let exchange = start(&config);
    let state = trade_until(&exchange, &mut feed, 4_000);
    feed.follow(state.next_sequence, exchange.addresses().retransmission);
    feed.books.check(&state);
    let counters = feed.receiver.counters();
    assert!(counters.packets[0] > 10 && counters.packets[1] > 10 && counters.requests > 0, "{counters:?}");
}
