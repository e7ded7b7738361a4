//! An exchange in the test's own process, and the program that trades on it over sockets.

use crate::setup::{configuration, run_words, text};
use crate::support::Program;
use serde_json::Value;
use spinward_gateways::exchange::server::{
    AccountConfig, ExchangeConfig, ExchangeServer, ExchangeState, RunningExchange,
};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An exchange, a program that is configured for it, and where the feed is.
pub(crate) struct Floor {
    pub(crate) exchange: RunningExchange,
    pub(crate) program: Program,
    pub(crate) config: PathBuf,
    pub(crate) feed: String,
    pub(crate) venue: String,
}

/// Fills of the first account, as the exchange has counted them.
pub(crate) fn executions(state: &ExchangeState) -> u64 {
    state.account("trader").unwrap().holdings.executions
}

/// Ports that were free a moment ago.
pub(crate) fn free_lines() -> [SocketAddr; 2] {
    let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    sockets.each_ref().map(|socket| socket.local_addr().unwrap())
}

/// Writes a configuration for a session of `trader` on this exchange, its markets open at whatever time the test runs.
pub(crate) fn configure(program: &Program, exchange: &RunningExchange, changes: &[(&str, &str)]) -> PathBuf {
    std::fs::write(program.path("secret.txt"), "secret\n").unwrap();
    let addresses = exchange.addresses();
    let asked = [
        (
            "#retransmission = \"127.0.0.1:26400\"",
            format!("retransmission = \"{}\"", addresses.retransmission),
        ),
        ("#snapshot = \"127.0.0.1:26401\"", format!("snapshot = \"{}\"", addresses.snapshot)),
        ("#password_file = \"secret.txt\"", "password_file = \"secret.txt\"".to_owned()),
    ];
    let asked = asked.iter().map(|(from, to)| (*from, to.as_str()));
    let path = configuration(program, &asked.chain(changes.iter().copied()).collect::<Vec<_>>());
    let config = std::fs::read_to_string(&path).unwrap();
    let always = |line: &str| match line.starts_with("calendar = ") {
        true => "calendar = \"always\"".to_owned(),
        false => line.to_owned(),
    };
    std::fs::write(&path, config.lines().map(always).collect::<Vec<_>>().join("\n")).unwrap();
    path
}

impl Floor {
    pub(crate) fn new() -> Self {
        Self::with(ExchangeConfig::default(), &[])
    }

    /// With another exchange (its first account and its lines are set here) and another configuration of the session.
    pub(crate) fn with(mut config: ExchangeConfig, changes: &[(&str, &str)]) -> Self {
        let lines = free_lines();
        config.core.accounts =
            ["trader", "second"].into_iter().filter_map(|user| AccountConfig::new(user, "secret")).collect();
        config.line_a.destinations = vec![lines[0]];
        config.line_b.destinations = vec![lines[1]];
        let exchange = ExchangeServer::start(&config).unwrap();
        let program = Program::new();
        let config = configure(&program, &exchange, changes);
        Self {
            feed: format!("mold:{},{}", lines[0], lines[1]),
            venue: format!("ouch:{}", exchange.addresses().orders),
            exchange,
            program,
            config,
        }
    }

    /// What a session on this exchange is started with.
    pub(crate) fn words(&self) -> [&str; 6] {
        ["--config", text(&self.config), "--feed", &self.feed, "--venue", &self.venue]
    }

    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.program.command(&run_words(&[&self.words()[..], words].concat()));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until the exchange is as it should be.
    #[track_caller]
    pub(crate) fn wait(&self, session: &mut Child, what: &str, is_so: impl Fn(&ExchangeState) -> bool) {
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

    /// Both ends: no order, the same positions, the same money.
    #[track_caller]
    pub(crate) fn agree(&self, summary: &Value) {
        agree(&self.exchange.ask().unwrap(), "trader", summary);
    }
}

/// What the exchange says of this account and what its session says: no order, the same positions, the same money.
#[track_caller]
pub(crate) fn agree(state: &ExchangeState, user: &str, summary: &Value) {
    let account = state.account(user).unwrap();
    assert_eq!(account.orders, [], "nothing is left at the venue");
    assert_eq!(summary["open_orders"], 0, "{summary}");
    let rows = summary["positions"].as_array().unwrap();
    for (index, symbol) in state.symbols.iter().enumerate() {
        let ours = rows.iter().filter(|row| row["instrument"] == symbol.name.as_str());
        let lots: i64 = ours.map(|row| row["position_lots"].as_i64().unwrap()).sum();
        assert_eq!(lots, account.holdings.positions[index], "{}: {summary}", symbol.name);
    }
    // Money that came in and is not bound in what is held: realized less the cost of what is open. The exchange counts in 1/10,000.
    let sum = |key: &str| -> i128 { rows.iter().map(|row| i128::from(row[key].as_i64().unwrap())).sum() };
    assert_eq!(
        sum("realized_nanos") - sum("cost_nanos"),
        account.holdings.cash * 100_000,
        "money: {summary}"
    );
    let (sums, cash) = state.sums();
    assert_eq!((sums.iter().all(|sum| *sum == 0), cash), (true, 0));
    assert_eq!(summary["fills_duplicate"], 0);
}

/// The summary of a session that ends with this code.
#[track_caller]
pub(crate) fn summary_of(session: Child, code: i32) -> Value {
    let output = session.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"))
}
