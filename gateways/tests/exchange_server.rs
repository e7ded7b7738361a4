//! The exchange on real sockets on 127.0.0.1: accounts trade, market data makes its books, every fault is survived, and both ends agree.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for the messages it is about")]

#[path = "exchange_server/feed.rs"]
mod feed;
#[path = "exchange_server/line_faults.rs"]
mod line_faults;
#[path = "exchange_server/multicast.rs"]
mod multicast;
#[path = "exchange_server/nasdaq.rs"]
mod nasdaq;
#[path = "exchange_server/peers.rs"]
mod peers;
#[path = "exchange_server/session_faults.rs"]
mod session_faults;
#[path = "exchange_server/snapshots.rs"]
mod snapshots;
#[path = "exchange_server/trader.rs"]
mod trader;
#[path = "exchange_server/trading.rs"]
mod trading;

use feed::Feed;
use spinward_gateways::exchange::server::{
    AccountConfig, ExchangeConfig, ExchangeServer, ExchangeState, FlowConfig, RunningExchange,
};
use std::time::{Duration, Instant};
use trader::PATIENCE;

/// Two accounts, two lines to this feed, and participants at this rate.
fn config(feed: &Feed, rate: Option<u32>) -> ExchangeConfig {
    let mut config = ExchangeConfig::default();
    config.core.participants = rate.map(|rate| FlowConfig { rate, ..FlowConfig::default() });
    config.core.accounts = ["alice", "bob"].map(|user| AccountConfig::new(user, "secret").unwrap()).to_vec();
    let [a, b] = feed.addresses();
    config.line_a.destinations = vec![a];
    config.line_b.destinations = vec![b];
    config
}

fn start(config: &ExchangeConfig) -> RunningExchange {
    ExchangeServer::start(config).unwrap()
}

/// Asks until the exchange says what is waited for.
fn await_state(exchange: &RunningExchange, is_so: impl Fn(&ExchangeState) -> bool) -> ExchangeState {
    let start = Instant::now();
    loop {
        let state = exchange.ask().unwrap();
        if is_so(&state) {
            return state;
        }
        assert!(start.elapsed() < PATIENCE, "{state:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets participants trade until there are so many messages, then nobody; the feed has what came until then.
fn trade_until(exchange: &RunningExchange, feed: &mut Feed, messages: u64) -> ExchangeState {
    let retransmission = exchange.addresses().retransmission;
    let start = Instant::now();
    while exchange.ask().unwrap().next_sequence < messages {
        feed.poll(retransmission);
        assert!(start.elapsed() < PATIENCE);
    }
    exchange.control("flow off").unwrap();
    exchange.ask().unwrap()
}
