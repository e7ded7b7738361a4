//! Every fault of the exchange, one row each: a session at some thousand messages a second while it lasts; then books, orders, positions and money are the
//! same at both ends, and the metrics that should tell of it have moved.
//!
//! `SPINWARD_SOAK=1` makes each 30 s, else 3 s. `SPINWARD_CASE=restart` runs the rows whose names have that in them.

use crate::books::Books;
use crate::exposition::Scrape;
use crate::floor::{Floor, PATIENCE, agree, executions, summary_of};
use crate::ledger::Ledger;
use crate::session::Session;
use crate::setup::{latest, replay, text};
use spinward_engine::words::Nanos;
use spinward_gateways::exchange::server::{ExchangeConfig, ExchangeState, FaultCounters, FlowConfig};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A row of the matrix.
struct Case {
    name: &'static str,
    /// Lines of the control language: what is broken.
    faults: &'static [&'static str],
    /// Whether they are given again every second and a half.
    again: bool,
    /// The engine is killed and carried on, too.
    kill: bool,
    /// How often the exchange says that it happened.
    happened: fn(&FaultCounters) -> u64,
    /// What tells of it at the engine: family, and text of its labels.
    moved: &'static [(&'static str, &'static str)],
}

const fn case(
    name: &'static str,
    faults: &'static [&'static str],
    happened: fn(&FaultCounters) -> u64,
    moved: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, faults, again: false, kill: false, happened, moved }
}

impl Case {
    const fn again(mut self) -> Self {
        self.again = true;
        self
    }

    const fn kill(mut self) -> Self {
        self.kill = true;
        self
    }
}

const NOTICES: &str = "spinward_feed_notices_total";
const PACKETS: &str = "spinward_feed_packets_total";
const GATEWAY: &str = "spinward_gateway_events_total";
const REPORTS: &str = "spinward_reports_total";

/// Line B brings what line A does not.
const LINE_B: &[(&str, &str)] = &[(PACKETS, "\"b\""), (NOTICES, "duplicate_message")];
const LINE_A: &[(&str, &str)] = &[(PACKETS, "\"a\""), (NOTICES, "duplicate_message")];
const SENT_AGAIN: &[(&str, &str)] = &[(NOTICES, "\"request\""), (PACKETS, "retransmission")];
const LOST: &[(&str, &str)] =
    &[(NOTICES, "lost_message"), (NOTICES, "snapshot"), ("spinward_events_total", "\"gap\"")];

const CASES: [Case; 28] = [
    case("none", &[], |_| 1, &[("spinward_fills_total", "")]),
    case("drop on A", &["drop a 10%"], |f| f.dropped[0], LINE_B),
    case("drop on B", &["drop b 10%"], |f| f.dropped[1], LINE_A),
    case("drop on both", &["drop both 5%"], |f| f.dropped[0].min(f.dropped[1]), SENT_AGAIN),
    case("duplicate on A", &["duplicate a 20%"], |f| f.duplicated[0], LINE_A),
    case("duplicate on B", &["duplicate b 20%"], |f| f.duplicated[1], LINE_B),
    case("duplicate on both", &["duplicate both 20%"], |f| f.duplicated[0].min(f.duplicated[1]), LINE_A),
    case("reorder on A", &["reorder a 10%"], |f| f.reordered[0], LINE_B),
    case("reorder on B", &["reorder b 10%"], |f| f.reordered[1], LINE_A),
    case(
        "reorder on both",
        &["reorder both 10%"],
        |f| f.reordered[0].min(f.reordered[1]),
        &[(NOTICES, "\"gap\"")],
    ),
    case("delay on A", &["delay a 4ms 20%"], |f| f.delayed[0], LINE_B),
    case("delay on B", &["delay b 4ms 20%"], |f| f.delayed[1], LINE_A),
    case(
        "delay on both",
        &["delay both 4ms 20%"],
        |f| f.delayed[0].min(f.delayed[1]),
        &[(NOTICES, "\"gap\"")],
    ),
    case(
        "corrupt on A",
        &["corrupt a 10%"],
        |f| f.corrupted[0],
        &[(NOTICES, "malformed_packet"), (NOTICES, "foreign_packet")],
    ),
    case(
        "corrupt on B",
        &["corrupt b 10%"],
        |f| f.corrupted[1],
        &[(NOTICES, "malformed_packet"), (NOTICES, "foreign_packet")],
    ),
    case(
        "corrupt on both",
        &["corrupt both 10%"],
        |f| f.corrupted[0].min(f.corrupted[1]),
        &[(NOTICES, "malformed_packet"), (NOTICES, "\"request\"")],
    ),
    case("line A stops", &["stop a"], |f| f.stopped[0], &[(PACKETS, "\"b\"")]),
    case("line B stops", &["stop b"], |f| f.stopped[1], &[(PACKETS, "\"a\"")]),
    case("both lines stop", &["stop both"], |f| f.stopped[0].min(f.stopped[1]), SENT_AGAIN),
    case("lost for good", &["stop r", "drop both 20"], |f| f.unanswered, LOST).again(),
    case(
        "session cut",
        &["disconnect trader"],
        |f| f.disconnected,
        &[(GATEWAY, "\"down\""), (GATEWAY, "\"login\"")],
    )
    .again(),
    case("session frozen", &["freeze trader 1200ms"], |f| f.frozen, &[(GATEWAY, "late_answer")]).again(),
    case("orders rejected", &["reject trader 5"], |f| f.rejected, &[(REPORTS, "\"rejected\"")]).again(),
    case(
        "acknowledgement lost",
        &["lose-ack trader 1"],
        |f| f.acks_lost,
        &[(GATEWAY, "\"down\""), (GATEWAY, "\"login\"")],
    )
    .again(),
    case(
        "exchange restarts",
        &["restart 300ms"],
        |f| f.restarts,
        &[(GATEWAY, "\"down\""), (GATEWAY, "\"login\"")],
    )
    .again(),
    case("fills come late", &["slow trader fills 40ms"], |f| f.slowed, &[("spinward_fills_total", "")]),
    case(
        "engine killed",
        &["slow trader fills 40ms"],
        |f| f.slowed,
        &[("spinward_simulation_messages_total", "recovered")],
    )
    .kill(),
    case(
        "everything",
        &[
            "drop both 3%",
            "duplicate both 5%",
            "reorder both 5%",
            "delay both 3ms 5%",
            "corrupt both 3%",
            "slow trader fills 5ms",
            "disconnect trader",
        ],
        |f| f.dropped[0].min(f.corrupted[1]).min(f.disconnected),
        &[(NOTICES, "\"request\""), (GATEWAY, "\"login\"")],
    )
    .again(),
];

/// Strategies that trade a lot, and no rule of the venue that keeps them from it.
pub(crate) const QUICK: [(&str, &str); 8] = [
    ("message_rate_max = 250 ", "message_rate_max = 100000 "),
    ("limit_messages = 1000 ", "limit_messages = 100000 "),
    ("breaker_failures = 5 ", "breaker_failures = 1000 "),
    ("min_requote_interval_us = 100000", "min_requote_interval_us = 2000"),
    ("cool_down_ms = 500 ", "cool_down_ms = 5 "),
    (
        "pause_after_reject_ms = 1000   # milliseconds that a side",
        "pause_after_reject_ms = 20   # milliseconds that a side",
    ),
    ("duplicate_window = \"1ms\"", "duplicate_window = \"0ns\""),
    ("entry_imbalance_ppm = 600000", "entry_imbalance_ppm = 200000"),
];

/// An exchange with some thousand messages a second.
pub(crate) fn busy_exchange(seed: u64) -> ExchangeConfig {
    let mut config =
        ExchangeConfig { heartbeat_after: Nanos::from_millis(50), seed, ..ExchangeConfig::default() };
    config.core.participants = Some(FlowConfig { rate: 3_000, seed, ..FlowConfig::default() });
    config
}

/// Starts a session with its metrics on a port of the system's choice.
pub(crate) fn start(floor: &Floor, words: &[&str]) -> Session {
    let all = ["run", "--duration", "1h", "--metrics", "127.0.0.1:0", "--quiet", "--json", "--idle", "park"];
    let mut command = floor.program.command(&[&all[..], &floor.words(), words].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Session::of(child, &floor.program.path("sessions"))
}

/// Ends a session as Ctrl-C does.
pub(crate) fn interrupt(session: Session) -> std::process::Child {
    let child = session.release();
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    child
}

/// Waits until `is_so`, with a scrape at hand.
#[track_caller]
pub(crate) fn until(
    floor: &Floor,
    session: &mut Session,
    what: &str,
    mut is_so: impl FnMut(&ExchangeState, &Scrape) -> bool,
) -> (ExchangeState, Scrape) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        session.check();
        let scrape = session.scrape();
        let state = floor.exchange.ask().unwrap();
        if is_so(&state, &scrape) {
            return (state, scrape);
        }
        assert!(Instant::now() < deadline, "it never comes to be: {what}\n{}", scrape.text);
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// What a row came to.
struct Survived {
    happened: u64,
    messages: u64,
    orders: u64,
    fills: usize,
    resting: usize,
}

/// Nothing changes any more: nobody trades, our orders are gone, and the engine has taken everything.
pub(crate) fn settle(floor: &Floor, session: &mut Session) -> (ExchangeState, Scrape) {
    session.command("state cancel-only desk");
    session.command("cancel-all desk");
    floor.exchange.control("flow off").unwrap();
    let mut before = (0, 0.0);
    let mut quiet = 0;
    until(floor, session, "both ends are quiet", |state, scrape| {
        let now = (state.next_sequence, scrape.value("spinward_normalizer_messages_total{}"));
        let now = (now.0, now.1 + scrape.sum("spinward_events_total", "order"));
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
        let is_up = scrape.value("spinward_gateway_state{part=\"session\"}") == 2.0;
        quiet >= 4 && is_up && state.account("trader").unwrap().orders.is_empty()
    })
}

fn survive(case: &Case, seed: u64, span: Duration) -> Survived {
    let floor = Floor::with(busy_exchange(seed), &QUICK);
    let mut session = start(&floor, &[]);
    until(&floor, &mut session, "it trades", |state, _| executions(state) > 0);
    let begun = Instant::now();
    let mut rounds = 0;
    while begun.elapsed() < span {
        if rounds == 0 || case.again && rounds % 15 == 0 {
            for line in case.faults {
                floor.exchange.control(line).unwrap();
            }
        }
        rounds += 1;
        std::thread::park_timeout(Duration::from_millis(100));
        session.check();
        if case.kill && rounds % 12 == 0 {
            // With orders in the market and fills on their way.
            let (_, _) = until(&floor, &mut session, "orders are open", |state, _| {
                !state.account("trader").unwrap().orders.is_empty()
            });
            let mut child = session.release();
            child.kill().unwrap();
            child.wait().unwrap();
            let killed = latest(&floor.program).unwrap();
            session = start(&floor, &["--resume", text(killed.path())]);
        }
    }
    let happened = (case.happened)(&floor.exchange.ask().unwrap().faults);
    floor.exchange.control("faults off").unwrap();
    let before = executions(&floor.exchange.ask().unwrap());
    until(&floor, &mut session, "it trades again", |state, _| executions(state) > before);

    let (state, scrape) = settle(&floor, &mut session);
    for (family, labels) in case.moved {
        assert!(scrape.sum(family, labels) > 0.0, "{family} {labels} has not moved\n{}", scrape.text);
    }
    let summary = summary_of(interrupt(session), 0);
    agree(&floor.exchange.ask().unwrap(), "trader", &summary);

    // What the files tell, worked out without risk's code.
    let folder = latest(&floor.program).unwrap();
    let ledger = Ledger::of(&folder);
    assert!(ledger.orders.is_empty(), "{:?}", ledger.orders);
    let spent: i128 = ledger.holdings.values().map(|holding| holding.spent).sum();
    let account = state.account("trader").unwrap();
    assert_eq!(-spent, account.holdings.cash * 100_000, "money of the fills");
    if !case.kill {
        assert_eq!(ledger.fills as u64, account.holdings.executions, "nothing lost, nothing counted twice");
    }
    let resting = Books::of(&folder).compare(&state).unwrap();
    replay(&floor.program, folder.path(), "fused");
    Survived {
        happened,
        messages: state.next_sequence,
        orders: summary["orders"].as_u64().unwrap(),
        fills: ledger.fills,
        resting,
    }
}

#[test]
fn whatever_is_broken_both_ends_have_the_same_books_orders_positions_and_money() {
    let is_long = std::env::var_os("SPINWARD_SOAK").is_some();
    let span = Duration::from_secs(if is_long { 30 } else { 3 });
    let wanted = std::env::var("SPINWARD_CASE").unwrap_or_default();
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(&wanted)).collect();
    assert!(!cases.is_empty(), "SPINWARD_CASE={wanted} names no row");
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let row =
                catch_unwind(AssertUnwindSafe(|| survive(case, next.load(Ordering::Relaxed) as u64, span)));
            match row {
                Ok(Survived { happened, messages, orders, fills, resting }) if happened > 0 => println!(
                    "{:<22} happened {happened:>6}  messages {messages:>7}  orders {orders:>6}  fills {fills:>6}  books equal over {resting:>4} orders  {:.1} s",
                    case.name,
                    begun.elapsed().as_secs_f64()
                ),
                Ok(_) | Err(_) => {
                    // What a panic says stands above.
                    println!(
                        "{:<22} FAILED{}",
                        case.name,
                        if row.is_ok() { ": it never happened" } else { "" }
                    );
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    // So many sessions side by side as leave each enough of the machine.
    let sessions = std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 8));
    std::thread::scope(|scope| (0..sessions).for_each(|_| drop(scope.spawn(work))));
    assert_eq!(failed.into_inner(), 0, "rows failed: see above");
}
