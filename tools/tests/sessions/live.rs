//! Sessions over sockets: the exchange of this workspace on loopback, and the program trading on it. What both ends say of orders, positions and money
//! must be the same, whatever happens to the wires.

use crate::setup::{configuration, digests, latest, replay, run_words, session_of, text};
use crate::support::Program;
use serde_json::Value;
use spinward_gateways::exchange::server::{
    AccountConfig, ExchangeConfig, ExchangeServer, ExchangeState, RunningExchange,
};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// An exchange, a program that is configured for it, and where the feed is.
struct Floor {
    exchange: RunningExchange,
    program: Program,
    config: PathBuf,
    feed: String,
    venue: String,
}

impl Floor {
    fn new() -> Self {
        // Ports that were free a moment ago.
        let lines: Vec<SocketAddr> = {
            let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
            sockets.iter().map(|socket| socket.local_addr().unwrap()).collect()
        };
        let mut config = ExchangeConfig::default();
        config.core.accounts = AccountConfig::new("trader", "secret").into_iter().collect();
        config.line_a.destinations = vec![lines[0]];
        config.line_b.destinations = vec![lines[1]];
        let exchange = ExchangeServer::start(&config).unwrap();
        let addresses = exchange.addresses().clone();
        let program = Program::new();
        std::fs::write(program.path("secret.txt"), "secret\n").unwrap();
        let asked = [
            (
                "#retransmission = \"127.0.0.1:26400\"",
                format!("retransmission = \"{}\"", addresses.retransmission),
            ),
            ("#snapshot = \"127.0.0.1:26401\"", format!("snapshot = \"{}\"", addresses.snapshot)),
            ("#password_file = \"secret.txt\"", "password_file = \"secret.txt\"".to_owned()),
        ];
        let changes: Vec<(&str, &str)> = asked.iter().map(|(from, to)| (*from, to.as_str())).collect();
        let path = configuration(&program, &changes);
        // Open at whatever time the test runs.
        let config = std::fs::read_to_string(&path).unwrap();
        let lines_of: Vec<String> = config
            .lines()
            .map(|line| {
                if line.starts_with("calendar = ") {
                    "calendar = \"always\"".to_owned()
                } else {
                    line.to_owned()
                }
            })
            .collect();
        std::fs::write(&path, lines_of.join("\n")).unwrap();
        Self {
            feed: format!("mold:{},{}", lines[0], lines[1]),
            venue: format!("ouch:{}", addresses.orders),
            exchange,
            program,
            config: path,
        }
    }

    fn start(&self, words: &[&str]) -> Child {
        let mut all = vec!["--config", text(&self.config), "--feed", &self.feed, "--venue", &self.venue];
        all.extend(words);
        let mut command = self.program.command(&run_words(&all));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until the exchange is as it should be.
    #[track_caller]
    fn wait(&self, session: &mut Child, what: &str, is_so: impl Fn(&ExchangeState) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(&self.exchange.ask().unwrap()) {
            if session.try_wait().unwrap().is_some() {
                let mut told = String::new();
                std::io::Read::read_to_string(session.stderr.as_mut().unwrap(), &mut told).unwrap();
                panic!("{what}: the session is over: {told}");
            }
            assert!(Instant::now() < deadline, "it never comes to be: {what}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn executions(state: &ExchangeState) -> u64 {
        state.account("trader").unwrap().holdings.executions
    }

    /// Both ends: no order, the same positions, the same money.
    #[track_caller]
    fn agree(&self, summary: &Value) {
        let state = self.exchange.ask().unwrap();
        let account = state.account("trader").unwrap();
        assert_eq!(account.orders, [], "nothing is left at the venue");
        assert_eq!(summary["open_orders"], 0, "{summary}");
        let rows = summary["positions"].as_array().unwrap();
        for (index, symbol) in state.symbols.iter().enumerate() {
            let ours = rows.iter().filter(|row| row["instrument"] == symbol.name.as_str());
            let lots: i64 = ours.map(|row| row["position_lots"].as_i64().unwrap()).sum();
            assert_eq!(lots, account.holdings.positions[index], "{}: {summary}", symbol.name);
        }
        // Money that came in and is not bound in what is held, by both ends in 1/10,000: realized less the cost of what is open.
        let (sums, cash) = state.sums();
        assert_eq!((sums.iter().all(|sum| *sum == 0), cash), (true, 0));
        assert_eq!(summary["fills_duplicate"], 0);
    }
}

#[track_caller]
fn summary_of(session: Child, code: i32) -> Value {
    let output = session.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"))
}

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
    floor.wait(&mut session, "it trades", |state| Floor::executions(state) > 0);
    // A hole that the other line has, one that the server has, and one that nobody has.
    for line in ["drop a 5%", "drop both 3", "duplicate b 10%", "reorder a 5%"] {
        floor.exchange.control(line).unwrap();
    }
    floor.exchange.control("disconnect trader").unwrap();
    let before = Floor::executions(&floor.exchange.ask().unwrap());
    floor.wait(&mut session, "it trades again", |state| Floor::executions(state) > before);
    floor.exchange.control("stop r").unwrap();
    floor.exchange.control("drop both 40").unwrap();
    floor.exchange.control("lose-ack trader 1").unwrap();
    let before = Floor::executions(&floor.exchange.ask().unwrap());
    floor.wait(&mut session, "it trades after a snapshot", |state| Floor::executions(state) > before);
    let summary = summary_of(session, 0);
    assert!(summary["gaps"].as_u64().unwrap() >= 1, "what nobody had was told: {summary}");
    floor.agree(&summary);
    let folder = session_of(&floor.program, &summary);
    assert_eq!(digests(&replay(&floor.program, &folder, "fused")), digests(&summary));
}

#[test]
fn a_session_that_is_killed_with_open_orders_is_carried_on_without_losing_or_doubling_a_fill() {
    let floor = Floor::new();
    let mut session = floor.start(&["--duration", "60s"]);
    floor.wait(&mut session, "it trades and has orders open", |state| {
        Floor::executions(state) > 2 && !state.account("trader").unwrap().orders.is_empty()
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
    assert!(summary["session"].as_str().unwrap().ends_with("-session"), "{summary}");
    let folder = session_of(&program, &summary);
    assert_eq!(digests(&replay(&program, &folder, "fused")), digests(&summary));
}
