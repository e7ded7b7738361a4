use super::*;
use crate::soup::SequencedStore;
use proptest::prelude::*;

fn at(millis: i64) -> Nanos {
    Nanos::from_millis(millis)
}

fn store(messages: &[&[u8]]) -> SequencedStore {
    let mut store = SequencedStore::new(Alpha::new("DAY1").unwrap(), 100, 10_000);
    for message in messages {
        store.push(message).unwrap();
    }
    store
}

fn login(session: &str, sequence: Numeric<20>, silence: Option<u64>) -> Vec<u8> {
    let request = LoginRequest {
        user: Alpha::new("user").unwrap(),
        password: Alpha::new("secret").unwrap(),
        session: Alpha::new(session).unwrap(),
        sequence,
    };
    let silence = silence.map(|millis| Numeric::new(millis).unwrap());
    let mut out = [0; 60];
    let length = Packet::LoginRequest(&request, silence.as_ref()).encode(&mut out);
    out[..length].to_vec()
}

fn check(login: &Login) -> bool {
    (login.user.trimmed(), login.password.trimmed()) == (b"user", b"secret")
}

fn text(action: ServerAction<'_>) -> String {
    if let ServerAction::Send(bytes) = action {
        format!("send {}", bytes[2..].escape_ascii())
    } else {
        format!("{action:?}")
    }
}

fn on_bytes(server: &mut ServerSession, now: Nanos, bytes: &[u8], store: &SequencedStore) -> Vec<String> {
    let mut actions = Vec::new();
    server.on_bytes(now, bytes, store, &check, &mut |action| actions.push(text(action)));
    actions
}

fn pump(server: &mut ServerSession, now: Nanos, store: &SequencedStore, room: usize) -> Vec<String> {
    let mut actions = Vec::new();
    server.pump(now, store, room, &mut |action| actions.push(text(action)));
    actions
}

fn number(number: u64) -> Numeric<20> {
    Numeric::new(number).unwrap()
}

fn live(sequence: u64, store: &SequencedStore) -> ServerSession {
    let mut server = ServerSession::new(ServerConfig::default(), at(0));
    on_bytes(&mut server, at(0), &login("", number(sequence), None), store);
    assert_eq!(server.state(), ServerState::Live);
    server
}

#[test]
fn a_login_is_answered_with_the_session_and_the_replay_begins_where_it_asks() {
    let store = store(&[b"a", b"b", b"c"]);
    let cases = [
        (number(2), 2),
        (number(1), 1),
        // The next one that will be.
        (number(4), 4),
        // More than there is.
        (number(9), 4),
        // What is new from now on.
        (number(0), 4),
        (Numeric::BLANK, 4),
        (Numeric::from_bytes(*b"2                   "), 2),
    ];
    for (asked, first) in cases {
        let mut server = ServerSession::new(ServerConfig::default(), at(0));
        let mut expected =
            vec![format!("send ADAY1      {first:>20}"), format!("LoggedIn {{ next_sequence: {first} }}")];
        assert_eq!(on_bytes(&mut server, at(0), &login("DAY1", asked, None), &store), expected);
        expected = ["send Sa", "send Sb", "send Sc"].map(str::to_owned)[first - 1..].to_vec();
        assert_eq!(pump(&mut server, at(0), &store, 1_000), expected);
        assert_eq!(server.next_sequence(), 4);
    }
}

#[test]
fn an_empty_session_is_joined_at_its_first_message() {
    let empty = store(&[]);
    let mut server = ServerSession::new(ServerConfig::default(), at(0));
    let answer = on_bytes(&mut server, at(0), &login("", number(0), None), &empty);
    assert_eq!(answer[1], "LoggedIn { next_sequence: 1 }");
}

#[test]
fn wrong_passwords_other_sessions_and_no_numbers_are_rejected_and_closed() {
    let store = store(&[b"a"]);
    let mut wrong_password = login("", number(1), None);
    wrong_password[9] = b'X';
    let cases = [
        (wrong_password, "A", "NotAuthorized"),
        (login("DAY0", number(1), None), "S", "SessionNotAvailable"),
        (login("", Numeric::from_bytes(*b"one                 "), None), "S", "SessionNotAvailable"),
    ];
    for (bytes, letter, reason) in cases {
        let mut server = ServerSession::new(ServerConfig::default(), at(0));
        assert_eq!(
            on_bytes(&mut server, at(0), &bytes, &store),
            [format!("send J{letter}"), format!("Close(Rejected({reason}))")]
        );
        assert_eq!((server.state(), server.wake_at()), (ServerState::Closed, None));
        assert_eq!(pump(&mut server, at(0), &store, 1_000), [""; 0]);
    }
}

#[test]
fn nothing_is_sent_beyond_the_room_there_is_and_the_rest_follows() {
    let store = store(&[b"aaaa", b"bbbb", b"cc"]);
    let mut server = live(1, &store);
    assert_eq!(pump(&mut server, at(0), &store, 6), [""; 0]);
    assert_eq!(pump(&mut server, at(0), &store, 13), ["send Saaaa"]);
    assert_eq!(pump(&mut server, at(0), &store, 11), ["send Sbbbb"]);
    assert_eq!(pump(&mut server, at(0), &store, 5), ["send Scc"]);
}

#[test]
fn orders_before_a_login_and_packets_of_a_server_close_the_connection() {
    let store = store(&[]);
    for (bytes, reason) in [
        (&b"\x00\x02Ux"[..], "Close(OutOfPlace(85))"),
        (b"\x00\x01O", "Close(OutOfPlace(79))"),
        (b"\x00\x01H", "Close(OutOfPlace(72))"),
        (b"\x00\x00", "Close(NoPacket(Empty))"),
        (b"\xff\xff", "Close(NoPacket(TooLong { found: 65535, limit: 1025 }))"),
    ] {
        let mut server = ServerSession::new(ServerConfig::default(), at(0));
        assert_eq!(on_bytes(&mut server, at(0), bytes, &store), [reason]);
    }
    let mut server = live(1, &store);
    assert_eq!(on_bytes(&mut server, at(0), &login("", number(1), None), &store), ["Close(OutOfPlace(76))"]);
}

#[test]
fn a_client_sends_orders_and_logs_out() {
    let store = store(&[]);
    let mut server = live(1, &store);
    assert_eq!(
        on_bytes(&mut server, at(0), b"\x00\x02Ux\x00\x01R\x00\x03+hi\x00\x01O\x00\x02Uy", &store),
        ["Unsequenced([120])", "Debug([104, 105])", "Close(LoggedOut)"]
    );
}

#[test]
fn a_silent_client_is_let_go_and_a_silent_server_sends_heartbeats() {
    let store = store(&[]);
    let mut waiting = ServerSession::new(ServerConfig::default(), at(0));
    assert_eq!(waiting.wake_at(), Some(at(30_000)));
    let mut closed = None;
    waiting.on_time(at(30_000), &mut |action| closed = Some(text(action)));
    assert_eq!(closed.as_deref(), Some("Close(NoLogin)"));

    let mut server = live(1, &store);
    let mut actions = Vec::new();
    assert_eq!(server.wake_at(), Some(at(1_000)));
    for millis in [999, 1_000, 1_500, 2_000, 14_999] {
        server.on_time(at(millis), &mut |action| actions.push((millis, text(action))));
    }
    let heartbeat = |millis| (millis, "send H".to_owned());
    assert_eq!(actions, [1_000, 2_000, 14_999].map(heartbeat));
    on_bytes(&mut server, at(14_999), b"\x00\x01R", &store);
    server.on_time(at(29_998), &mut |_| {});
    assert_eq!(server.state(), ServerState::Live);
    server.on_time(at(29_999), &mut |_| {});
    assert_eq!(server.state(), ServerState::Closed);
}

#[test]
fn the_silence_that_a_login_asks_for_holds() {
    let store = store(&[]);
    let mut server = ServerSession::new(ServerConfig::default(), at(0));
    on_bytes(&mut server, at(0), &login("", number(1), Some(2_500)), &store);
    server.on_time(at(2_499), &mut |_| {});
    assert_eq!(server.state(), ServerState::Live);
    server.on_time(at(2_500), &mut |_| {});
    assert_eq!(server.state(), ServerState::Closed);
}

#[test]
fn the_end_of_the_session_comes_after_its_last_message() {
    let store = store(&[b"a", b"b"]);
    let mut server = live(1, &store);
    server.end(&mut |_| {});
    assert_eq!(pump(&mut server, at(0), &store, 4), ["send Sa"]);
    assert_eq!(pump(&mut server, at(0), &store, 6), ["send Sb"]);
    assert_eq!(pump(&mut server, at(0), &store, 100), ["send Z", "Close(EndOfSession)"]);
}

#[test]
fn a_message_too_long_for_a_packet_closes_instead_of_leaving_a_hole() {
    let store = store(&[&[0; 33]]);
    let config = ServerConfig { payload_bytes_max: 32, ..ServerConfig::default() };
    let mut server = ServerSession::new(config, at(0));
    on_bytes(&mut server, at(0), &login("", number(1), None), &store);
    assert_eq!(pump(&mut server, at(0), &store, 100), ["Close(Oversized(1))"]);
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_closed_without_a_panic(
        is_logged_in: bool,
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..20),
    ) {
        let store = store(&[b"a"]);
        let mut server = if is_logged_in {
            live(1, &store)
        } else {
            ServerSession::new(ServerConfig::default(), at(0))
        };
        for piece in pieces {
            on_bytes(&mut server, at(1), &piece, &store);
            pump(&mut server, at(1), &store, 1_000);
        }
    }
}
