use super::*;
use crate::soup::packet::LoginAccepted;
use crate::soup::{
    CloseReason, Login, SequencedStore, ServerAction, ServerConfig, ServerSession, ServerState,
};
use proptest::prelude::*;

const MS: i64 = 1_000_000;

fn at(millis: i64) -> Nanos {
    Nanos::from_millis(millis)
}

fn config() -> ClientConfig {
    ClientConfig::new(Alpha::new("user").unwrap(), Alpha::new("secret").unwrap())
}

/// The actions as text; bytes sent as they are.
fn act(
    session: &mut ClientSession,
    step: impl FnOnce(&mut ClientSession, &mut dyn FnMut(ClientAction<'_>)),
) -> Vec<String> {
    let mut actions = Vec::new();
    step(session, &mut |action| {
        actions.push(if let ClientAction::Send(bytes) = action {
            format!("send {}", bytes.escape_ascii())
        } else if let ClientAction::Message { sequence, bytes } = action {
            format!("{sequence}:{}", bytes.escape_ascii())
        } else {
            format!("{action:?}")
        });
    });
    actions
}

fn bytes(packets: &[Packet<'_>]) -> Vec<u8> {
    let mut wire = Vec::new();
    for packet in packets {
        let mut out = [0u8; 2_000];
        let length = packet.encode(&mut out);
        wire.extend_from_slice(&out[..length]);
    }
    wire
}

fn accepted(session: &str, sequence: u64) -> LoginAccepted {
    LoginAccepted { session: Alpha::new(session).unwrap(), sequence: Numeric::new(sequence).unwrap() }
}

/// Live at time 0 in session `S`, next message `sequence`.
fn live(config: ClientConfig, sequence: u64) -> ClientSession {
    let mut client = ClientSession::new(config);
    client.start(at(0), &mut |_| {});
    client.on_connected(at(0), &mut |_| {});
    client.on_bytes(at(0), &bytes(&[Packet::LoginAccepted(&accepted("S", sequence))]), &mut |_| {});
    assert_eq!(client.state(), ClientState::Live);
    client
}

#[test]
fn a_client_connects_logs_in_receives_in_order_and_logs_out() {
    let mut client = ClientSession::new(config());
    assert_eq!(act(&mut client, |c, mut out| c.start(at(0), &mut out)), ["Connect"]);
    assert_eq!(act(&mut client, |c, mut out| c.start(at(0), &mut out)), [""; 0]);
    assert_eq!(
        act(&mut client, |c, mut out| c.on_connected(at(1), &mut out)),
        ["send \\x00/Luser  secret                                 1"]
    );
    assert_eq!(client.send(at(1), b"early", &mut |_| {}), Err(SendError::NotLive));
    let wire = bytes(&[
        Packet::Debug(b"hi"),
        Packet::LoginAccepted(&accepted("S", 1)),
        Packet::Sequenced(b"a"),
        Packet::Sequenced(b"b"),
        Packet::Unsequenced(b"u"),
    ]);
    assert_eq!(
        act(&mut client, |c, mut out| c.on_bytes(at(2), &wire, &mut out)),
        [
            "Debug([104, 105])",
            "Live { session: \"S\", next_sequence: 1 }",
            "1:a",
            "2:b",
            "Unsequenced([117])"
        ]
    );
    assert_eq!(act(&mut client, |c, mut out| c.send(at(2), b"x", &mut out).unwrap()), ["send \\x00\\x02Ux"]);
    assert_eq!(act(&mut client, |c, mut out| c.logout(at(3), &mut out)), ["send \\x00\\x01O"]);
    // What comes before the server closes still counts.
    let last = bytes(&[Packet::Sequenced(b"c")]);
    assert_eq!(act(&mut client, |c, mut out| c.on_bytes(at(3), &last, &mut out)), ["3:c"]);
    assert_eq!(act(&mut client, |c, mut out| c.on_disconnected(at(4), &mut out)), ["Ended(LoggedOut)"]);
    assert_eq!((client.next_sequence(), client.wake_at()), (4, None));
}

#[test]
fn a_client_that_has_been_told_a_silence_names_it_in_its_login() {
    let told = Some(Nanos::from_millis(1_500));
    let mut client = ClientSession::new(ClientConfig { told_silence_max: told, ..config() });
    client.start(at(0), &mut |_| {});
    let login = act(&mut client, |c, mut out| c.on_connected(at(0), &mut out));
    assert!(login[0].starts_with("send \\x004L") && login[0].ends_with("1 1500"), "{login:?}");
}

#[test]
fn a_lost_connection_is_made_again_after_a_wait_and_goes_on_where_it_was() {
    let mut client = live(config(), 1);
    client.on_bytes(at(1), &bytes(&[Packet::Sequenced(b"a"), Packet::Sequenced(b"b")])[..5], &mut |_| {});
    let down = act(&mut client, |c, mut out| c.on_disconnected(at(2), &mut out));
    assert!(down[0].starts_with("Down { reason: Lost"), "{down:?}");
    let retry_at = client.wake_at().unwrap();
    assert!(at(52) <= retry_at && retry_at <= at(102));
    assert_eq!(act(&mut client, |c, mut out| c.on_time(Nanos::new(retry_at.get() - 1), &mut out)), [""; 0]);
    assert_eq!(act(&mut client, |c, mut out| c.on_time(retry_at, &mut out)), ["Connect"]);
    let login = act(&mut client, |c, mut out| c.on_connected(retry_at, &mut out));
    assert!(login[0].ends_with("S                            2"), "{login:?}");
    // The half of "b" that came before is forgotten; a server that begins too early is heard again from 2 on.
    let wire =
        bytes(&[Packet::LoginAccepted(&accepted("S", 1)), Packet::Sequenced(b"a"), Packet::Sequenced(b"b")]);
    assert_eq!(
        act(&mut client, |c, mut out| c.on_bytes(retry_at, &wire, &mut out)),
        ["Live { session: \"S\", next_sequence: 2 }", "2:b"]
    );
    assert_eq!((client.counters().duplicates, client.counters().logins), (1, 2));
}

#[test]
fn what_the_server_does_not_have_any_more_is_told_as_missed() {
    let mut client = ClientSession::new(ClientConfig { next_sequence: 5, ..config() });
    client.start(at(0), &mut |_| {});
    client.on_connected(at(0), &mut |_| {});
    let wire = bytes(&[Packet::LoginAccepted(&accepted("S", 8)), Packet::Sequenced(b"x")]);
    assert_eq!(
        act(&mut client, |c, mut out| c.on_bytes(at(0), &wire, &mut out)),
        ["Live { session: \"S\", next_sequence: 8 }", "Missed { first: 5, next: 8 }", "8:x"]
    );
    assert_eq!(client.counters().missed, 3);
}

#[test]
fn heartbeats_go_out_after_a_second_of_our_silence_and_fifteen_of_theirs_end_the_connection() {
    let mut client = live(config(), 1);
    assert_eq!(client.wake_at(), Some(at(1_000)));
    assert_eq!(act(&mut client, |c, mut out| c.on_time(at(999), &mut out)), [""; 0]);
    assert_eq!(act(&mut client, |c, mut out| c.on_time(at(1_000), &mut out)), ["send \\x00\\x01R"]);
    client.send(at(1_500), b"x", &mut |_| {}).unwrap();
    assert_eq!(act(&mut client, |c, mut out| c.on_time(at(2_499), &mut out)), [""; 0]);
    client.on_bytes(at(2_500), &bytes(&[Packet::ServerHeartbeat]), &mut |_| {});
    for second in 3..17 {
        client.on_time(at(second * 1_000), &mut |_| {});
    }
    assert_eq!((client.state(), client.counters().heartbeats), (ClientState::Live, 1));
    let down = act(&mut client, |c, mut out| c.on_time(at(17_500), &mut out));
    assert_eq!(down[0], "Close");
    assert!(down[1].starts_with("Down { reason: Silent"), "{down:?}");
}

#[test]
fn a_rejected_login_is_not_tried_again() {
    let mut client = ClientSession::new(config());
    client.start(at(0), &mut |_| {});
    client.on_connected(at(0), &mut |_| {});
    let wire = bytes(&[Packet::LoginRejected(RejectReason::NotAuthorized)]);
    assert_eq!(
        act(&mut client, |c, mut out| c.on_bytes(at(0), &wire, &mut out)),
        ["Close", "Ended(Rejected(NotAuthorized))"]
    );
    assert_eq!(client.wake_at(), None);
    client.on_disconnected(at(1), &mut |_| panic!("nothing follows"));
}

#[test]
fn end_of_session_ends_it_and_later_bytes_mean_nothing() {
    let mut client = live(config(), 1);
    let wire = bytes(&[Packet::Sequenced(b"a"), Packet::EndOfSession, Packet::Sequenced(b"b")]);
    assert_eq!(
        act(&mut client, |c, mut out| c.on_bytes(at(1), &wire, &mut out)),
        ["1:a", "Close", "Ended(EndOfSession)"]
    );
}

#[test]
fn steps_that_take_too_long_or_make_no_sense_close_the_connection_and_say_why() {
    let mut client = ClientSession::new(config());
    client.start(at(0), &mut |_| {});
    assert_eq!(client.wake_at(), Some(at(5_000)));
    let down = act(&mut client, |c, mut out| c.on_time(at(5_000), &mut out));
    assert!(down[1].starts_with("Down { reason: ConnectTimedOut"), "{down:?}");

    let mut client = ClientSession::new(config());
    client.start(at(0), &mut |_| {});
    client.on_connected(at(0), &mut |_| {});
    let down = act(&mut client, |c, mut out| c.on_time(at(5_000), &mut out));
    assert!(down[1].starts_with("Down { reason: LoginTimedOut"), "{down:?}");

    for (wire, why) in [
        (&b"\x00\x00"[..], "NoPacket(Empty)"),
        (b"\x00\x01O", "OutOfPlace(79)"),
        (b"\x00\x01?", "NoPacket(UnknownType(63))"),
    ] {
        let mut client = live(config(), 1);
        let down = act(&mut client, |c, mut out| c.on_bytes(at(1), wire, &mut out));
        assert_eq!(down[0], "Close");
        assert!(down[1].starts_with(&format!("Down {{ reason: {why}")), "{down:?}");
    }
    let mut client = ClientSession::new(config());
    client.start(at(0), &mut |_| {});
    client.on_connected(at(0), &mut |_| {});
    let no_number = LoginAccepted { session: Alpha::new("S").unwrap(), sequence: Numeric::BLANK };
    let wire = bytes(&[Packet::LoginAccepted(&no_number)]);
    let down = act(&mut client, |c, mut out| c.on_bytes(at(1), &wire, &mut out));
    assert!(down[1].starts_with("Down { reason: NoSequence"), "{down:?}");
}

#[test]
fn attempts_end_when_there_have_been_too_many_and_a_stable_connection_makes_them_count_anew() {
    let backoff = BackoffConfig { attempts_max: 3, ..BackoffConfig::default() };
    let mut client = live(ClientConfig { backoff, ..config() }, 1);
    let mut now = at(20_000);
    // Live for 20 s: this loss is the first failure again, whatever was before.
    for _ in 0..2 {
        client.on_disconnected(now, &mut |_| {});
        now = client.wake_at().unwrap();
        client.on_time(now, &mut |_| {});
        assert_eq!(client.state(), ClientState::Connecting);
    }
    let ended = act(&mut client, |c, mut out| c.on_disconnected(now, &mut out));
    assert_eq!(ended, ["Ended(TooManyAttempts { attempts: 3, last: NotConnected })"]);
    assert_eq!(act(&mut client, |c, mut out| c.start(now, &mut out)), ["Connect"]);
}

#[test]
fn a_payload_over_the_limit_is_refused_and_nothing_is_sent() {
    let mut client = live(ClientConfig { payload_bytes_max: 4, ..config() }, 1);
    let refused = client.send(at(0), b"12345", &mut |_| panic!("nothing is sent"));
    assert_eq!(refused, Err(SendError::TooLong { found: 5, limit: 4 }));
    assert_eq!(client.send(at(0), b"1234", &mut |_| {}), Ok(()));
}

/// Two ends and the bytes under way between them.
struct Pair {
    now: i64,
    client: ClientSession,
    server: Option<ServerSession>,
    store: SequencedStore,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    received: Vec<(u64, Vec<u8>)>,
    orders: Vec<Vec<u8>>,
    wants_connection: bool,
    ended: Option<EndReason>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let backoff = BackoffConfig { seed, ..BackoffConfig::default() };
        Self {
            now: 0,
            client: ClientSession::new(ClientConfig { backoff, ..config() }),
            server: None,
            store: SequencedStore::new(Alpha::new("DAY1").unwrap(), 1_000, 100_000),
            to_server: Vec::new(),
            to_client: Vec::new(),
            received: Vec::new(),
            orders: Vec::new(),
            wants_connection: false,
            ended: None,
        }
    }

    fn client(&mut self, step: impl FnOnce(&mut ClientSession, Nanos, &mut dyn FnMut(ClientAction<'_>))) {
        let Self { client, server, to_server, to_client, received, wants_connection, ended, .. } = self;
        step(client, Nanos::new(self.now), &mut |action| match action {
            ClientAction::Connect => *wants_connection = true,
            ClientAction::Send(bytes) => to_server.extend_from_slice(bytes),
            ClientAction::Close => {
                *server = None;
                to_client.clear();
                to_server.clear();
            }
            ClientAction::Message { sequence, bytes } => received.push((sequence, bytes.to_vec())),
            ClientAction::Missed { .. } | ClientAction::NewSession { .. } => panic!("{action:?}"),
            ClientAction::Ended(reason) => *ended = Some(reason),
            ClientAction::Live { .. }
            | ClientAction::Unsequenced(_)
            | ClientAction::Debug(_)
            | ClientAction::Down { .. } => {}
        });
    }

    /// Delivers up to so many bytes each way.
    fn step(&mut self, bytes: usize, nanos: i64) {
        self.now += nanos;
        if std::mem::take(&mut self.wants_connection) {
            self.to_client.clear();
            self.to_server.clear();
            self.server = Some(ServerSession::new(ServerConfig::default(), Nanos::new(self.now)));
            self.client(|client, now, mut out| client.on_connected(now, &mut out));
        }
        let (now, mut is_closed) = (Nanos::new(self.now), false);
        let Self { server, store, to_server, to_client, orders, .. } = self;
        if let Some(server) = server {
            let piece: Vec<u8> = to_server.drain(..bytes.min(to_server.len())).collect();
            let mut out = |action: ServerAction<'_>| match action {
                ServerAction::Send(bytes) => to_client.extend_from_slice(bytes),
                ServerAction::Unsequenced(order) => orders.push(order.to_vec()),
                ServerAction::Close(_) => is_closed = true,
                ServerAction::LoggedIn { .. } | ServerAction::Debug(_) => {}
            };
            let check = |login: &Login| login.user.trimmed() == b"user";
            server.on_bytes(now, &piece, store, &check, &mut out);
            server.pump(now, store, 64, &mut out);
            server.on_time(now, &mut out);
        }
        let piece: Vec<u8> = self.to_client.drain(..bytes.min(self.to_client.len())).collect();
        self.client(|client, now, mut out| {
            client.on_bytes(now, &piece, &mut out);
            client.on_time(now, &mut out);
        });
        if is_closed {
            let rest = std::mem::take(&mut self.to_client);
            self.client(|client, now, mut out| client.on_bytes(now, &rest, &mut out));
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        if self.server.take().is_some() {
            self.to_client.clear();
            self.to_server.clear();
            self.client(|client, now, mut out| client.on_disconnected(now, &mut out));
        }
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Publish(u8),
    Order,
    Step(usize, i64),
    Lose,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0u8..40).prop_map(Happening::Publish),
        2 => Just(Happening::Order),
        10 => (0usize..90, 0..400 * MS).prop_map(|(bytes, nanos)| Happening::Step(bytes, nanos)),
        1 => Just(Happening::Lose),
    ]
}

proptest! {
    #[test]
    fn over_lost_connections_and_cut_packets_every_message_arrives_once_and_in_order(
        seed: u64,
        happenings in proptest::collection::vec(happening(), 0..300),
    ) {
        let mut pair = Pair::new(seed);
        pair.client(|client, now, mut out| client.start(now, &mut out));
        let mut sent = Vec::new();
        for happening in happenings {
            match happening {
                Happening::Publish(bytes) => {
                    pair.store.push(&vec![bytes; usize::from(bytes)]).unwrap();
                }
                Happening::Order => {
                    let order = sent.len().to_string().into_bytes();
                    let mut is_sent = false;
                    pair.client(|client, now, mut out| is_sent = client.send(now, &order, &mut out).is_ok());
                    if is_sent {
                        sent.push(order);
                    }
                }
                Happening::Step(bytes, nanos) => pair.step(bytes, nanos),
                Happening::Lose => pair.disconnect(),
            }
        }
        // Then all goes well for a while.
        for _ in 0..2_000 {
            pair.step(200, 20 * MS);
        }
        let count = pair.store.next_sequence() - 1;
        prop_assert_eq!(pair.received.len() as u64, count);
        for (index, (sequence, bytes)) in pair.received.iter().enumerate() {
            prop_assert_eq!(*sequence, index as u64 + 1);
            prop_assert_eq!(Some(&bytes[..]), pair.store.message(*sequence));
        }
        // Orders may be lost, never doubled or turned round.
        let mut left = sent.iter();
        for order in &pair.orders {
            prop_assert!(left.any(|sent| sent == order), "{:?} twice or out of order", order);
        }
        // The end is told once everything is sent.
        let Pair { server, to_client, store, now, .. } = &mut pair;
        let mut close = None;
        let server = server.as_mut().unwrap();
        server.end(&mut |_| {});
        server.pump(Nanos::new(*now), store, 1_000, &mut |action| match action {
            ServerAction::Send(bytes) => to_client.extend_from_slice(bytes),
            ServerAction::Close(reason) => close = Some(reason),
            ServerAction::LoggedIn { .. } | ServerAction::Unsequenced(_) | ServerAction::Debug(_) => {}
        });
        prop_assert_eq!((close, server.state()), (Some(CloseReason::EndOfSession), ServerState::Closed));
        let rest = std::mem::take(&mut pair.to_client);
        pair.client(|client, now, mut out| client.on_bytes(now, &rest, &mut out));
        prop_assert_eq!(pair.ended, Some(EndReason::EndOfSession));
    }

    #[test]
    fn any_bytes_at_any_time_leave_a_client_that_still_has_a_way_on(
        pieces in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..60), 0i64..20_000), 0..40),
    ) {
        let mut client = live(config(), 1);
        let mut now = at(0);
        for (piece, millis) in pieces {
            now = now.after(at(millis));
            client.on_bytes(now, &piece, &mut |_| {});
            client.on_time(now, &mut |_| {});
            if client.state() == ClientState::Connecting {
                client.on_connected(now, &mut |_| {});
                client.on_bytes(now, &bytes(&[Packet::LoginAccepted(&accepted("S", 1))]), &mut |_| {});
            }
            prop_assert_eq!(client.wake_at().is_none(), client.state() == ClientState::Ended);
        }
    }
}
