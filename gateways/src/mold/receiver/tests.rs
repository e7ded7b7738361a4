use super::super::builder::PacketBuilder;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn at(micros: i64) -> Nanos {
    Nanos::from_micros(micros)
}

fn session() -> Session {
    Session::new("DAY1").unwrap()
}

/// A packet of messages that say their number.
fn data(first: u64, count: u64) -> Vec<u8> {
    let mut builder = PacketBuilder::new(session(), first, 1_472);
    let mut packet = Vec::new();
    for sequence in first..first + count {
        builder.push(sequence.to_string().as_bytes(), &mut |_| panic!("fits one packet")).unwrap();
    }
    builder.heartbeat(&mut |bytes| packet = bytes.to_vec());
    packet
}

fn end(next: u64) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::new(session(), next, 1_472).end_of_session(&mut |bytes| packet = bytes.to_vec());
    packet
}

fn text(action: ReceiverAction<'_>) -> String {
    if let ReceiverAction::Message { sequence, bytes } = action {
        assert_eq!(bytes, sequence.to_string().as_bytes());
        sequence.to_string()
    } else if let ReceiverAction::Request(bytes) = action {
        let header: &Header = bytemuck::from_bytes(bytes);
        assert_eq!(header.session, session());
        format!("ask {}+{}", header.sequence.get(), header.count.get())
    } else {
        format!("{action:?}")
    }
}

struct Test(Receiver);

impl Test {
    fn new(config: ReceiverConfig) -> Self {
        Self(Receiver::new(config).unwrap())
    }

    fn packet(&mut self, line: Line, micros: i64, bytes: &[u8]) -> Vec<String> {
        let mut actions = Vec::new();
        self.0.on_packet(line, at(micros), bytes, &mut |action| actions.push(text(action)));
        actions
    }

    fn time(&mut self, micros: i64) -> Vec<String> {
        let mut actions = Vec::new();
        self.0.on_time(at(micros), &mut |action| actions.push(text(action)));
        actions
    }
}

const SESSION: &str = "Session(\"DAY1\")";
const NONE: [&str; 0] = [];

#[test]
fn what_both_lines_bring_is_told_once_and_in_order() {
    let mut test = Test::new(ReceiverConfig::default());
    assert_eq!(test.packet(Line::A, 0, &data(1, 2)), [SESSION, "1", "2"]);
    assert_eq!(test.packet(Line::B, 1, &data(1, 2)), NONE);
    // B is ahead, and cuts its packets otherwise.
    assert_eq!(test.packet(Line::B, 2, &data(3, 3)), ["3", "4", "5"]);
    assert_eq!(test.packet(Line::A, 3, &data(4, 3)), ["6"]);
    let counters = test.0.counters();
    assert_eq!((counters.messages, counters.duplicates), ([3, 3, 0], [2, 2, 0]));
    assert_eq!((counters.gaps, counters.lost), (0, 0));
}

#[test]
fn a_hole_that_the_other_line_fills_in_time_is_not_asked_for() {
    let mut test = Test::new(ReceiverConfig::default());
    assert_eq!(test.packet(Line::A, 0, &data(1, 1)), [SESSION, "1"]);
    assert_eq!(test.packet(Line::A, 100, &data(4, 2)), NONE);
    assert_eq!((test.0.waiting(), test.0.wake_at()), (2, Some(at(2_100))));
    assert_eq!(test.packet(Line::B, 200, &data(2, 2)), ["2", "3", "4", "5"]);
    assert_eq!(test.time(10_000), NONE);
    assert_eq!((test.0.counters().gaps, test.0.counters().requests), (1, 0));
}

#[test]
fn a_hole_behind_another_has_its_own_time() {
    let mut test = Test::new(ReceiverConfig { request: None, ..ReceiverConfig::default() });
    test.packet(Line::A, 0, &data(1, 1));
    test.packet(Line::A, 0, &data(3, 1));
    test.packet(Line::A, 1_900, &data(5, 1));
    assert_eq!(test.packet(Line::B, 1_950, &data(2, 1)), ["2", "3"]);
    assert_eq!(test.time(2_000), NONE);
    assert_eq!(test.packet(Line::B, 3_900, &data(4, 1)), ["4", "5"]);
}

#[test]
fn a_hole_is_asked_for_as_often_as_configured_and_then_lost_and_the_stream_goes_on_behind_it() {
    let mut test = Test::new(ReceiverConfig::default());
    test.packet(Line::A, 0, &data(1, 1));
    test.packet(Line::A, 0, &data(4, 1));
    assert_eq!(test.time(1_999), NONE);
    assert_eq!(test.time(2_000), ["ask 2+2"]);
    assert_eq!(test.time(21_999), NONE);
    assert_eq!(test.time(22_000), ["ask 2+2"]);
    assert_eq!(test.time(42_000), ["ask 2+2"]);
    assert_eq!(test.time(62_000), ["Lost { first: 2, next: 4 }", "4"]);
    // Too late.
    assert_eq!(test.packet(Line::Retransmission, 62_000, &data(2, 2)), NONE);
    assert_eq!((test.0.counters().lost, test.0.counters().requests), (2, 3));
}

#[test]
fn an_answer_in_parts_is_waited_for_and_the_rest_of_a_large_gap_is_asked_for_at_once() {
    let request = RequestConfig { messages_max: 4, ..RequestConfig::default() };
    let mut test = Test::new(ReceiverConfig { request: Some(request), ..ReceiverConfig::default() });
    test.packet(Line::A, 0, &data(1, 1));
    test.packet(Line::A, 0, &data(9, 1));
    assert_eq!(test.time(2_000), ["ask 2+4"]);
    assert_eq!(test.packet(Line::Retransmission, 3_000, &data(2, 2)), ["2", "3"]);
    assert_eq!(test.time(22_000), NONE);
    assert_eq!(test.packet(Line::Retransmission, 22_500, &data(4, 2)), ["4", "5", "ask 6+3"]);
    assert_eq!(test.packet(Line::Retransmission, 22_600, &data(6, 3)), ["6", "7", "8", "9"]);
    assert_eq!(test.0.counters().lost, 0);
}

#[test]
fn with_nobody_to_ask_a_hole_is_lost_after_the_wait() {
    let mut test = Test::new(ReceiverConfig { request: None, ..ReceiverConfig::default() });
    test.packet(Line::A, 0, &data(1, 1));
    test.packet(Line::A, 0, &data(3, 1));
    assert_eq!(test.time(2_000), ["Lost { first: 2, next: 3 }", "3"]);
}

#[test]
fn heartbeats_and_the_end_of_the_session_show_a_hole_at_the_end() {
    let mut test = Test::new(ReceiverConfig::default());
    test.packet(Line::A, 0, &data(1, 1));
    assert_eq!(test.packet(Line::A, 0, &data(3, 0)), NONE);
    assert_eq!(test.time(2_000), ["ask 2+1"]);
    assert_eq!(test.packet(Line::A, 2_100, &end(3)), NONE);
    assert_eq!(
        test.packet(Line::Retransmission, 2_200, &data(2, 1)),
        ["2", "EndOfSession { next_sequence: 3 }"]
    );
    assert_eq!(test.packet(Line::B, 2_300, &end(3)), NONE);
}

#[test]
fn the_window_is_bounded_what_does_not_fit_makes_the_oldest_hole_lost() {
    let mut test = Test::new(ReceiverConfig { window_messages: 4, ..ReceiverConfig::default() });
    test.packet(Line::A, 0, &data(1, 1));
    assert_eq!(test.packet(Line::A, 0, &data(3, 1)), NONE);
    assert_eq!(test.packet(Line::A, 0, &data(5, 1)), NONE);
    // 6 is four ahead of 2: no place. 2 is lost, 3 is told, 4 is still waited for.
    assert_eq!(test.packet(Line::A, 0, &data(6, 1)), ["Lost { first: 2, next: 3 }", "3"]);
    assert_eq!(test.packet(Line::B, 0, &data(4, 1)), ["4", "5", "6"]);
    assert_eq!((test.0.counters().overflowed, test.0.counters().lost), (1, 1));
}

#[test]
fn one_damaged_number_does_not_carry_the_stream_away_but_a_second_one_near_it_does() {
    let mut test = Test::new(ReceiverConfig { window_messages: 16, ..ReceiverConfig::default() });
    test.packet(Line::A, 0, &data(1, 1));
    assert_eq!(test.packet(Line::A, 0, &data(1 << 40, 1)), NONE);
    assert_eq!(test.packet(Line::A, 1, &data(2, 1)), ["2"]);
    assert_eq!(test.packet(Line::A, 2, &data(u64::MAX - 9, 2)), NONE);
    assert_eq!(test.packet(Line::A, 3, &data(3, 1)), ["3"]);
    assert_eq!(test.0.counters().implausible, 2);
    // An outage: numbers went on without us.
    assert_eq!(test.packet(Line::A, 4, &data(100, 1)), NONE);
    let lost = test.packet(Line::A, 5, &data(101, 1));
    assert_eq!(lost, ["Lost { first: 4, next: 86 }"]);
    assert_eq!(test.time(10_000), ["ask 86+15"]);
    // A heartbeat that stays is believed as well.
    let mut test = Test::new(ReceiverConfig { window_messages: 16, ..ReceiverConfig::default() });
    test.packet(Line::A, 0, &data(100, 0));
    assert_eq!(test.time(5_000), NONE);
    test.packet(Line::A, 1_000_000, &data(100, 0));
    assert_eq!(test.time(1_002_000), ["ask 1+99"]);
}

#[test]
fn other_sessions_are_not_ours_until_ours_is_over() {
    let mut test = Test::new(ReceiverConfig::default());
    test.packet(Line::A, 0, &data(1, 1));
    let mut other = data(1, 1);
    other[..4].copy_from_slice(b"DAY2");
    assert_eq!(test.packet(Line::A, 0, &other), NONE);
    assert_eq!(test.0.counters().foreign, 1);
    assert_eq!(test.packet(Line::A, 0, &end(2)), ["EndOfSession { next_sequence: 2 }"]);
    assert_eq!(test.packet(Line::A, 0, &other), ["Session(\"DAY2\")", "1"]);
}

#[test]
fn a_receiver_that_joins_late_begins_with_what_it_sees_first() {
    let mut test = Test::new(ReceiverConfig { next_sequence: None, ..ReceiverConfig::default() });
    assert_eq!(test.packet(Line::B, 0, &data(14_757_721, 2)), [SESSION, "14757721", "14757722"]);
}

/// On a network: what was before is in a snapshot, and any packet may be damaged.
fn confirming() -> ReceiverConfig {
    ReceiverConfig { next_sequence: None, confirms_start: true, ..ReceiverConfig::default() }
}

/// A packet of another session, and one from far away.
fn damaged(first: u64) -> [Vec<u8>; 2] {
    let [mut other, mut far] = [data(first, 1), data(first, 1)];
    other[0] ^= 0x21;
    far[10..18].copy_from_slice(&(first | 1 << 50).to_be_bytes());
    [other, far]
}

#[test]
fn a_damaged_first_packet_does_not_say_where_the_stream_begins() {
    for first in damaged(4) {
        let mut test = Test::new(confirming());
        assert_eq!(test.packet(Line::A, 0, &first), NONE);
        assert_eq!(test.packet(Line::B, 1, &data(4, 2)), NONE);
        assert_eq!(test.0.next_sequence(), None);
        assert_eq!(test.packet(Line::A, 2, &data(6, 1)), [SESSION, "4", "5", "6"]);
        assert_eq!((test.0.counters().implausible, test.0.counters().lost), (1, 0));
        // From now on it is as always.
        assert_eq!(test.packet(Line::B, 3, &data(7, 1)), ["7"]);
    }
    let mut test = Test::new(confirming());
    assert_eq!(test.packet(Line::A, 0, &data(4, 1)), NONE);
    assert_eq!(test.packet(Line::A, 1, &damaged(5)[0]), NONE);
    assert_eq!(test.packet(Line::A, 2, &data(6, 1)), NONE);
    assert_eq!(test.packet(Line::A, 3, &data(7, 1)), [SESSION, "6", "7"]);
}

#[test]
fn a_start_is_borne_out_by_the_other_line_by_its_neighbours_or_by_itself_later() {
    let first = data(4, 2);
    let mut test = Test::new(confirming());
    assert_eq!(test.packet(Line::A, 0, &first), NONE);
    assert_eq!(test.packet(Line::B, 0, &first), [SESSION, "4", "5"]);
    // A duplicate of a damaged packet is damaged.
    let mut test = Test::new(confirming());
    assert_eq!(test.packet(Line::A, 0, &first), NONE);
    assert_eq!(test.packet(Line::A, 1_999, &first), NONE);
    assert_eq!(test.packet(Line::A, 2_000, &first), [SESSION, "4", "5"]);
    assert_eq!(test.0.counters().duplicates, [4, 0, 0]);
    // A heartbeat, and what it announced.
    let mut test = Test::new(confirming());
    let mut heartbeat = Vec::new();
    PacketBuilder::new(session(), 4, 1_472).heartbeat(&mut |bytes| heartbeat = bytes.to_vec());
    assert_eq!(test.packet(Line::A, 0, &heartbeat), NONE);
    assert_eq!(test.packet(Line::A, 1, &first), [SESSION, "4", "5"]);
    // The second one overtook the first.
    let mut test = Test::new(confirming());
    assert_eq!(test.packet(Line::A, 0, &data(6, 1)), NONE);
    assert_eq!(test.packet(Line::A, 1, &first), [SESSION, "4", "5", "6"]);
    // A snapshot came before anything: it goes on behind it.
    let mut test = Test::new(confirming());
    assert_eq!(test.packet(Line::A, 0, &first), NONE);
    test.0.resume_at(at(1), 5, &mut |_| panic!("nothing is told yet"));
    assert_eq!(test.packet(Line::B, 2, &data(6, 1)), [SESSION, "5", "6"]);
}

#[test]
fn the_next_session_begins_with_two_packets_too() {
    let mut test = Test::new(confirming());
    test.packet(Line::A, 0, &data(1, 1));
    assert_eq!(test.packet(Line::A, 0, &end(2)), [SESSION, "1", "EndOfSession { next_sequence: 2 }"]);
    let [mut first, mut second] = [data(1, 1), data(2, 1)];
    for packet in [&mut first, &mut second] {
        packet[..4].copy_from_slice(b"DAY2");
    }
    assert_eq!(test.packet(Line::A, 1, &damaged(1)[0]), NONE);
    assert_eq!(test.packet(Line::A, 2, &first), NONE);
    assert_eq!(test.packet(Line::A, 3, &second), ["Session(\"DAY2\")", "1", "2"]);
}

#[test]
fn after_a_snapshot_the_stream_goes_on_behind_it_with_what_waited() {
    let mut test = Test::new(ReceiverConfig::default());
    test.packet(Line::A, 0, &data(1, 1));
    test.packet(Line::A, 0, &data(5, 3));
    let mut actions = Vec::new();
    test.0.resume_at(at(0), 6, &mut |action| actions.push(text(action)));
    assert_eq!(actions, ["6", "7"]);
    assert_eq!((test.0.waiting(), test.0.next_sequence()), (0, Some(8)));
    test.0.resume_at(at(0), 3, &mut |_| panic!("nothing follows"));
    assert_eq!(test.time(10_000), NONE);
}

#[test]
fn a_silent_line_is_told_once_and_told_again_when_it_speaks() {
    let mut test = Test::new(ReceiverConfig::default());
    assert_eq!(test.time(0), NONE);
    test.packet(Line::A, 1_000, &data(1, 1));
    assert_eq!(test.time(2_999_999), NONE);
    assert_eq!(test.time(3_000_000), ["LineDown(B)"]);
    assert_eq!(test.time(3_000_500), NONE);
    assert_eq!(test.time(3_001_000), ["LineDown(A)"]);
    assert_eq!(test.packet(Line::B, 4_000_000, &data(2, 1)), ["LineUp(B)", "2"]);
    let mut alone = Test::new(ReceiverConfig { has_line_b: false, ..ReceiverConfig::default() });
    alone.time(0);
    assert_eq!(alone.time(9_000_000), ["LineDown(A)"]);
}

#[test]
fn a_packet_that_is_cut_is_told_and_none_of_it_used() {
    let mut test = Test::new(ReceiverConfig::default());
    let packet = data(1, 2);
    let told = test.packet(Line::B, 0, &packet[..packet.len() - 1]);
    assert!(told[0].starts_with("Malformed { line: B, error: Message { index: 1"), "{told:?}");
    assert_eq!(test.0.counters().malformed, [0, 1, 0]);
    assert_eq!(test.packet(Line::A, 0, &packet), [SESSION, "1", "2"]);
}

#[test]
fn a_message_too_long_to_wait_is_asked_for_again() {
    let mut test = Test::new(ReceiverConfig { message_bytes_max: 1, ..ReceiverConfig::default() });
    assert_eq!(test.packet(Line::A, 0, &data(10, 1)), [SESSION]);
    assert_eq!((test.0.counters().oversized, test.0.waiting()), (1, 0));
    assert_eq!(test.time(2_000), ["ask 1+10"]);
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let refused = |config| Receiver::new(config).unwrap_err().to_string();
    let config = ReceiverConfig::default();
    assert!(refused(ReceiverConfig { window_messages: 6, ..config }).contains("power of two"));
    assert!(refused(ReceiverConfig { window_messages: 1 << 21, ..config }).contains("2097152"));
    assert!(refused(ReceiverConfig { message_bytes_max: 0, ..config }).contains("1 to 1450"));
    let request = Some(RequestConfig { attempts: 0, ..RequestConfig::default() });
    assert!(refused(ReceiverConfig { request, ..config }).contains("attempt"));
}

/// What the network does to one packet of a line: copies, each late by so many microseconds.
type Fate = Vec<i64>;

fn fate() -> impl Strategy<Value = Fate> {
    let late = prop_oneof![8 => Just(0i64), 2 => 0i64..500, 1 => 0i64..20_000];
    prop_oneof![
        8 => late.clone().prop_map(|late| vec![late]),
        2 => Just(vec![]),
        1 => proptest::collection::vec(late, 2..4),
    ]
}

#[derive(Clone, Debug)]
struct Weather {
    /// Messages of each packet, and what becomes of it on A and on B.
    packets: Vec<(u64, Fate, Fate)>,
    /// What becomes of requests and their answers, in turn.
    answers: Vec<Fate>,
    window: usize,
    has_server: bool,
}

fn weather() -> impl Strategy<Value = Weather> {
    (
        proptest::collection::vec((1u64..6, fate(), fate()), 1..80),
        proptest::collection::vec(fate(), 1..20),
        prop_oneof![Just(4usize), Just(16), Just(4_096)],
        any::<bool>(),
    )
        .prop_map(|(packets, answers, window, has_server)| Weather {
            packets,
            answers,
            window,
            has_server,
        })
}

/// Sends the packets 100 µs apart, delivers what arrives in the order of its time, answers requests, and gives what was told.
fn run(weather: &Weather) -> (Vec<String>, Receiver, u64) {
    let mut queue: BTreeMap<(i64, usize), (Line, Vec<u8>)> = BTreeMap::new();
    let mut ticket = 0;
    let mut send = |queue: &mut BTreeMap<_, _>, line: Line, micros: i64, packet: &[u8]| {
        ticket += 1;
        queue.insert((micros, ticket), (line, packet.to_vec()));
    };
    let (mut next, mut micros) = (1, 0);
    for (count, on_a, on_b) in &weather.packets {
        let packet = data(next, *count);
        for (line, fate) in [(Line::A, on_a), (Line::B, on_b)] {
            for late in fate {
                send(&mut queue, line, micros + late, &packet);
            }
        }
        next += count;
        micros += 100;
    }
    for repeat in 0..20 {
        send(&mut queue, Line::A, micros + 30_000 + repeat * 100_000, &end(next));
    }
    let request = weather.has_server.then(RequestConfig::default);
    let config = ReceiverConfig { window_messages: weather.window, request, ..ReceiverConfig::default() };
    let mut receiver = Receiver::new(config).unwrap();
    let mut told = Vec::new();
    let mut fates = weather.answers.iter().cycle();
    let mut now = 0;
    loop {
        let arrival = queue.first_key_value().map(|((micros, _), _)| *micros);
        let wake = receiver.wake_at().map(|at| at.get() / 1_000 + 1);
        let Some(then) = arrival.into_iter().chain(wake).min().filter(|then| *then < 5_000_000) else {
            break;
        };
        now = now.max(then);
        let mut asked = Vec::new();
        let mut out = |action: ReceiverAction<'_>| match action {
            ReceiverAction::Request(bytes) => asked.push(*bytes),
            ReceiverAction::LineDown(_) | ReceiverAction::LineUp(_) => {}
            ReceiverAction::Session(_)
            | ReceiverAction::Message { .. }
            | ReceiverAction::Lost { .. }
            | ReceiverAction::Malformed { .. }
            | ReceiverAction::EndOfSession { .. } => told.push(text(action)),
        };
        if arrival == Some(then) {
            let (_, (line, packet)) = queue.pop_first().unwrap();
            receiver.on_packet(line, at(now), &packet, &mut out);
        } else {
            receiver.on_time(at(now), &mut out);
        }
        for header in asked {
            let header: &Header = bytemuck::from_bytes(&header);
            let first = header.sequence.get();
            let count = u64::from(header.count.get()).min(next - first).min(40);
            for late in fates.next().unwrap() {
                send(&mut queue, Line::Retransmission, now + 500 + late, &data(first, count));
            }
        }
    }
    (told, receiver, next)
}

proptest! {
    #[test]
    fn whatever_the_network_does_every_message_is_told_once_in_order_or_declared_lost(weather in weather()) {
        let (told, receiver, next) = run(&weather);
        let mut expected = 1;
        let mut lost = 0;
        let mut is_over = false;
        for told in &told {
            prop_assert!(!is_over, "{} after the end", told);
            if let Ok(sequence) = told.parse::<u64>() {
                prop_assert_eq!(sequence, expected);
                expected += 1;
            } else if let Some(gap) = told.strip_prefix("Lost { first: ") {
                let (first, rest) = gap.split_once(", next: ").unwrap();
                prop_assert_eq!(first.parse::<u64>().unwrap(), expected);
                let after: u64 = rest.trim_end_matches(" }").parse().unwrap();
                lost += after - expected;
                expected = after;
            } else if told.starts_with("EndOfSession") {
                is_over = true;
            } else {
                prop_assert_eq!(told, SESSION);
            }
        }
        prop_assert!(is_over, "the end was not told: {:?}", told.last());
        prop_assert_eq!(expected, next);
        prop_assert_eq!((receiver.counters().lost, receiver.waiting()), (lost, 0));
        let counters = receiver.counters();
        prop_assert_eq!(counters.messages.iter().sum::<u64>() + lost, next - 1);
    }

    #[test]
    fn nothing_is_lost_when_each_message_comes_by_one_line_in_time_and_the_window_is_wide(weather in weather()) {
        let mut kind = Weather { window: 4_096, ..weather };
        for (index, (_, on_a, on_b)) in kind.packets.iter_mut().enumerate() {
            let good = if index % 3 == 0 { on_a } else { on_b };
            good.push(i64::try_from(index * 37 % 1_500).unwrap());
        }
        let (_, receiver, next) = run(&kind);
        prop_assert_eq!((receiver.counters().lost, receiver.next_sequence()), (0, Some(next)));
    }

    #[test]
    fn any_bytes_from_anywhere_leave_a_receiver_that_still_works(
        packets in proptest::collection::vec((0u8..3, proptest::collection::vec(any::<u8>(), 0..60), 0i64..100_000), 0..60),
    ) {
        let mut receiver = Receiver::new(ReceiverConfig { window_messages: 16, ..ReceiverConfig::default() }).unwrap();
        receiver.on_packet(Line::A, at(0), &data(1, 1), &mut |_| {});
        let mut now = 0;
        for (line, mut bytes, micros) in packets {
            now += micros;
            // Some look like ours.
            if let Some(head) = bytes.get_mut(..10).filter(|_| micros % 2 == 0) {
                head.copy_from_slice(b"DAY1      ");
            }
            let line = [Line::A, Line::B, Line::Retransmission][usize::from(line)];
            let before = receiver.next_sequence();
            receiver.on_packet(line, at(now), &bytes, &mut |_| {});
            receiver.on_time(at(now), &mut |_| {});
            prop_assert!(receiver.next_sequence() >= before && receiver.waiting() <= 16);
        }
    }
}
