//! Nasdaq's own client (PyPI `nasdaq-protocols`) against our side of SoupBinTCP and OUCH 5.0, over a loopback socket: it logs in, trades, loses the
//! connection, resumes by sequence, replays everything and is told the end of the session.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use spinward_engine::words::Nanos;
use spinward_gateways::itch50::{Be32, Be64};
use spinward_gateways::ouch50::{
    Accepted, Admission, Appendage, Canceled, Executed, Inbound, MESSAGE_BYTES_MAX, Outbound, UserRefGate,
};
use spinward_gateways::soup::{
    Alpha, CloseReason, Login, SequencedStore, ServerAction, ServerConfig, ServerSession, ServerState,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TIMESTAMP: u64 = 34_200_000_000_123;

/// The client's interpreter, if `tools/setup/nasdaq-protocols` has been run here.
fn python() -> Option<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    let python = cache.join("spinward/nasdaq-protocols-1.3.0/bin/python");
    python.exists().then_some(python)
}

/// A venue that accepts every order, executes the first when its owner is away, and cancels what it is told to.
struct Venue {
    store: SequencedStore,
    gate: UserRefGate,
    orders: Vec<Accepted>,
    ends: Vec<CloseReason>,
    losses: usize,
}

impl Venue {
    fn push(&mut self, message: Outbound<'_>, appendage: Appendage<'_>) {
        let mut out = [0; MESSAGE_BYTES_MAX];
        let length = message.encode(appendage, &mut out);
        self.store.push(&out[..length]).unwrap();
    }

    fn on_order(&mut self, bytes: &[u8]) {
        match Inbound::parse(bytes).unwrap() {
            (Inbound::EnterOrder(order), appendage) => {
                assert!(matches!(self.gate.admit(order.user_ref.get()), Admission::New(_)));
                let accepted = Accepted {
                    timestamp: Be64::new(TIMESTAMP),
                    user_ref: order.user_ref,
                    side: order.side,
                    quantity: order.quantity,
                    symbol: order.symbol,
                    price: order.price,
                    time_in_force: order.time_in_force,
                    display: order.display,
                    reference: Be64::new(1_000 + u64::from(order.user_ref.get())),
                    capacity: order.capacity,
                    sweep: order.sweep,
                    cross_type: order.cross_type,
                    state: b'L',
                    cl_ord_id: order.cl_ord_id,
                };
                self.orders.push(accepted);
                self.push(Outbound::from(&accepted), appendage);
            }
            (Inbound::CancelOrder(cancel), _) => {
                let order = self.orders.iter().find(|order| order.user_ref == cancel.user_ref).unwrap();
                let canceled = Canceled {
                    timestamp: Be64::new(TIMESTAMP),
                    user_ref: cancel.user_ref,
                    quantity: order.quantity,
                    reason: b'U',
                };
                self.push(Outbound::from(&canceled), Appendage::ABSENT);
            }
            (other, _) => panic!("{other:?}"),
        }
    }

    /// One connection, to its end.
    fn serve(&mut self, mut socket: TcpStream, start: Instant) {
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let now = || Nanos::new(start.elapsed().as_nanos() as i64);
        let mut session = ServerSession::new(ServerConfig::default(), now());
        let check =
            |login: &Login| (login.user.trimmed(), login.password.trimmed()) == (b"trader", b"secret");
        let (mut send, mut orders, mut end) = (Vec::new(), Vec::new(), None);
        let is_day_over = std::cell::Cell::new(false);
        let mut act = |action: ServerAction<'_>, send: &mut Vec<u8>, orders: &mut Vec<Vec<u8>>| match action {
            ServerAction::Send(bytes) => send.extend_from_slice(bytes),
            ServerAction::Unsequenced(bytes) => orders.push(bytes.to_vec()),
            ServerAction::Close(reason) => end = Some(reason),
            ServerAction::Debug(text) => is_day_over.set(text == b"end of day"),
            ServerAction::LoggedIn { .. } => {}
        };
        let mut buffer = [0; 4_096];
        loop {
            let bytes = match socket.read(&mut buffer) {
                Ok(0) => None,
                Ok(bytes) => Some(&buffer[..bytes]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    Some(&[][..])
                }
                Err(_) => None,
            };
            let Some(bytes) = bytes else {
                session.on_disconnected();
                break;
            };
            session.on_bytes(now(), bytes, &self.store, &check, &mut |action| {
                act(action, &mut send, &mut orders)
            });
            for order in orders.drain(..) {
                self.on_order(&order);
            }
            session.on_time(now(), &mut |action| act(action, &mut send, &mut orders));
            if is_day_over.take() {
                session.end(&mut |action| act(action, &mut send, &mut orders));
            }
            session.pump(now(), &self.store, 4_096, &mut |action| act(action, &mut send, &mut orders));
            if socket.write_all(&send).is_err() {
                session.on_disconnected();
            }
            send.clear();
            if session.state() == ServerState::Closed {
                break;
            }
        }
        match end {
            Some(reason) => self.ends.push(reason),
            None => self.losses += 1,
        }
    }
}

#[test]
fn nasdaqs_own_client_trades_loses_the_connection_and_resumes_against_our_server() {
    let Some(python) = python() else {
        println!("SKIPPED: nasdaqs_own_client… needs tools/setup/nasdaq-protocols");
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nasdaq_client/client.py");
    let client = Command::new(python)
        .args([script, &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let is_client_gone = Arc::clone(&is_over);
    let server = std::thread::spawn(move || {
        let start = Instant::now();
        let mut venue = Venue {
            store: SequencedStore::new(Alpha::new("DAY1").unwrap(), 100, 10_000),
            gate: UserRefGate::new(),
            orders: Vec::new(),
            ends: Vec::new(),
            losses: 0,
        };
        while !venue.ends.contains(&CloseReason::EndOfSession) {
            let (socket, _) = listener.accept().unwrap();
            if is_client_gone.load(Ordering::Acquire) {
                break;
            }
            venue.serve(socket, start);
            if venue.losses == 1 && venue.store.next_sequence() == 3 {
                let executed = Executed {
                    timestamp: Be64::new(TIMESTAMP + 1),
                    user_ref: Be32::new(1),
                    quantity: Be32::new(100),
                    price: venue.orders[0].price,
                    liquidity: b'A',
                    match_number: Be64::new(77),
                };
                venue.push(Outbound::from(&executed), Appendage::EMPTY);
            }
        }
        venue
    });
    let output = client.wait_with_output().unwrap();
    // SYNC POINT: client-gone. Wakes a server that still waits for a connection; it ends whatever the client made of it.
    is_over.store(true, Ordering::Release);
    drop(TcpStream::connect(("127.0.0.1", port)));
    let errors = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{errors}\n{told}");
    let venue = server.join().unwrap();
    println!("{told}");

    let told: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let what: Vec<&str> = told.iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        [
            "refused",
            "refused",
            "login",
            "Accepted",
            "Accepted",
            "login",
            "Executed",
            "Canceled",
            "login",
            "Accepted",
            "Accepted",
            "Executed",
            "Canceled",
            "end of session"
        ]
    );
    assert!(told[0]["why"].as_str().unwrap().contains("NOT_AUTHORIZED"));
    assert!(told[1]["why"].as_str().unwrap().contains("SESSION_NOT_AVAILABLE"));
    let logins: Vec<(&str, u64)> = [2, 5, 8]
        .map(|at: usize| (told[at]["session"].as_str().unwrap(), told[at]["next"].as_u64().unwrap()))
        .to_vec();
    assert_eq!(logins, [("DAY1", 1), ("DAY1", 3), ("DAY1", 1)]);
    let first = &told[3];
    assert_eq!(
        (
            first["user_ref"].as_u64(),
            first["quantity"].as_u64(),
            first["price"].as_u64(),
            first["reference"].as_u64()
        ),
        (Some(1), Some(100), Some(1_892_500), Some(1_001))
    );
    assert_eq!((first["symbol"].as_str(), first["cl_ord_id"].as_str()), (Some("AAPL"), Some("py1")));
    assert_eq!((first["side"].as_str(), first["timestamp"].as_u64()), (Some("B"), Some(TIMESTAMP)));
    assert_eq!((told[6]["user_ref"].as_u64(), told[6]["match_number"].as_u64()), (Some(1), Some(77)));
    assert_eq!((told[7]["user_ref"].as_u64(), told[7]["quantity"].as_u64()), (Some(2), Some(50)));
    // The replay is what came before.
    assert_eq!(told[9..13], [&told[3..5], &told[6..8]].concat());

    let rejections = venue.ends.iter().filter(|end| matches!(end, CloseReason::Rejected(_))).count();
    assert_eq!((rejections, venue.losses), (2, 1), "{:?}", venue.ends);
    assert_eq!(&venue.ends[2..], [CloseReason::LoggedOut, CloseReason::EndOfSession]);
}
