//! Sessions over sockets: the exchange of this workspace on loopback, and the program trading on it. What both ends say of orders, positions and money
//! must be the same, whatever happens to the wires.

use crate::floor::{Floor, executions, summary_of};
use crate::kill::seed;
use crate::setup::{Draws, digests, latest, replay, session_of, text};
use crate::snapshot::assert_goes_on_from_anywhere;
use crate::support::Program;

#[test]
fn a_session_over_sockets_ends_flat_with_the_exchanges_own_positions_and_replays_bit_for_bit() {
    let floor = Floor::new();
    let session = floor.start(&["--duration", "6s"]);
    let summary = summary_of(session, 0);
    assert!(summary["orders"].as_u64().unwrap() > 10, "{summary}");
    assert!(summary["fills"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!((summary["gaps"].as_u64(), summary["malformed"].as_u64()), (Some(0), Some(0)), "{summary}");
    floor.agree(&summary);
    let folder = session_of(&floor.program, &summary);
    for topology in ["fused", "split"] {
        assert_eq!(digests(&replay(&floor.program, &folder, topology)), digests(&summary), "{topology}");
    }
}

#[test]
fn lost_packets_and_lost_connections_leave_both_ends_with_the_same_orders_positions_and_money() {
    let floor = Floor::new();
    let mut session = floor.start(&["--duration", "12s"]);
    floor.wait(&mut session, "it trades", |state| executions(state) > 0);
    // A hole that the other line has, one that the server has, and one that nobody has.
    for line in ["drop a 5%", "drop both 3", "duplicate b 10%", "reorder a 5%"] {
        floor.exchange.control(line).unwrap();
    }
    floor.exchange.control("disconnect trader").unwrap();
    let before = executions(&floor.exchange.ask().unwrap());
    floor.wait(&mut session, "it trades again", |state| executions(state) > before);
    floor.exchange.control("stop r").unwrap();
    floor.exchange.control("drop both 40").unwrap();
    floor.exchange.control("lose-ack trader 1").unwrap();
    let before = executions(&floor.exchange.ask().unwrap());
    floor.wait(&mut session, "it trades after a snapshot", |state| executions(state) > before);
    let summary = summary_of(session, 0);
    assert!(summary["gaps"].as_u64().unwrap() >= 1, "what nobody had was told: {summary}");
    floor.agree(&summary);
    let folder = session_of(&floor.program, &summary);
    assert_eq!(digests(&replay(&floor.program, &folder, "fused")), digests(&summary));
    // Reports of a venue, quarantines and their ends are in a snapshot as everything else is.
    let seed = seed();
    println!("SPINWARD_SEED={seed}");
    assert_goes_on_from_anywhere(&floor.program, &folder, &mut Draws(seed), 8);
}

#[test]
fn a_session_that_is_killed_with_open_orders_is_carried_on_without_losing_or_doubling_a_fill() {
    let floor = Floor::new();
    let mut session = floor.start(&["--duration", "60s"]);
    floor.wait(&mut session, "it trades and has orders open", |state| {
        executions(state) > 2 && !state.account("trader").unwrap().orders.is_empty()
    });
    session.kill().unwrap();
    session.wait().unwrap();
    let killed = latest(&floor.program).unwrap();
    let killed = killed.path().to_owned();
    let session = floor.start(&["--duration", "4s", "--resume", text(&killed)]);
    let summary = summary_of(session, 0);
    floor.agree(&summary);
}

#[test]
fn a_session_on_an_exchange_of_its_own_trades_over_sockets_and_both_ends_agree() {
    let program = Program::new();
    let words = ["run", "--duration", "4s", "--metrics", "off", "--quiet", "--json"];
    let summary = program.run(&words).with_code(0).json();
    assert!(summary["orders"].as_u64().unwrap() > 10, "{summary}");
    assert!(summary["exchange"]["executions"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(summary["exchange"]["differences"], serde_json::json!([]), "{summary}");
    assert_eq!(
        summary["exchange"]["executions"], summary["fills"],
        "nothing is lost, nothing is counted twice"
    );
    let money = |key: &str| -> i64 {
        let rows = summary["positions"].as_array().unwrap();
        rows.iter().map(|row| row[key].as_i64().unwrap()).sum()
    };
    assert_eq!(summary["exchange"]["cash_nanos"], money("realized_nanos") - money("cost_nanos"));
    assert_ne!(summary["exchange"]["cash_nanos"], 0, "{summary}");
    assert!(summary["session"].as_str().unwrap().ends_with("-exchange"), "{summary}");
    let folder = session_of(&program, &summary);
    assert_eq!(digests(&replay(&program, &folder, "fused")), digests(&summary));
}
