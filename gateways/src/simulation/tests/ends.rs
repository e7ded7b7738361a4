//! Bounds, ends and failures of a simulated session.

use super::*;
use spinward_engine::words::MESSAGE_BYTES_MAX;

/// A lively market of many messages, and settings under which everything happens.
fn lively(messages: usize) -> Case {
    let messages = (0..messages as i64)
        .map(|at| {
            let events = match at % 5 {
                0 => vec![level(Side::Buy, 97 + at % 3, 1 + at % 11)],
                1 => vec![level(Side::Sell, 100 + at % 3, 1 + at % 7)],
                2 => vec![trade(Side::Sell as u8, 97 + at % 3, 5)],
                3 => vec![level(Side::Buy, 97 + (at / 3) % 3, 0), level(Side::Sell, 100 + (at / 4) % 3, 0)],
                _ => vec![trade(Side::Buy as u8, 100 + at % 3, 5)],
            };
            (5_000_000 + at * 7, bytes_of(&events))
        })
        .collect();
    let way = |base, jitter| Latency { base: Nanos::new(base), jitter: Nanos::new(jitter) };
    Case {
        messages,
        venue: PaperConfig {
            place: way(60, 9),
            cancel: way(40, 9),
            replace: way(60, 9),
            report: way(50, 9),
            reject_ppm: 50_000,
            ..PaperConfig::default()
        },
        simulation: SimulationConfig {
            timer_interval: Nanos::new(100),
            refusal_latency: Nanos::new(90),
            ..SimulationConfig::default()
        },
        recovered: Vec::new(),
    }
}

#[test]
fn a_long_session_shows_every_counter_moving_and_is_the_same_at_every_lag() {
    let case = lively(5_000);
    let case = Case {
        simulation: SimulationConfig {
            messages_under_way_max: 12,
            backlog_messages_max: 1,
            ..case.simulation.clone()
        },
        ..case
    };
    // Six times the engine finishes a lot, then messages enter; against one by one.
    let (seen, simulation) = run(&case, &[80, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7], 0);
    let (again, _) = run(&case, &[0, 7], 2);
    assert_eq!(seen, again);
    assert_eq!(seen, case.reference());
    assert_eq!(simulation.failure(), None);
    let (us, venue) = (simulation.counters(), simulation.venue().counters());
    assert_eq!(us.market_messages.value(), 5_000);
    assert_eq!(us.market_messages.value(), us.venue_direct.value() + us.venue_copied.value());
    assert_eq!(us.timer_ticks.value(), 4_999 * 7 / 100);
    for (name, value) in [
        ("reports", us.reports.value()),
        ("refusals", us.refusals.value()),
        ("orders", us.orders.value()),
        ("waits for the engine", us.waits_for_engine.value()),
        ("waits for room", us.waits_for_room.value()),
        ("waits for the venue", us.waits_for_venue.value()),
        ("direct", us.venue_direct.value()),
        ("copied", us.venue_copied.value()),
        ("accepted", venue.accepted.value()),
        ("replaced", venue.replaced.value()),
        ("cancelled", venue.cancelled.value()),
        ("fills as maker", venue.fills_as_maker.value()),
        ("fills as taker", venue.fills_as_taker.value()),
        ("simulated faults", venue.refused[RejectCode::Simulated.index()].value()),
        ("too late", venue.refused[RejectCode::TooLate.index()].value()),
    ] {
        assert!(value > 10, "{name}: {value}");
    }
    assert_eq!(us.late.value() + us.unanswered.value() + venue.reports_lost.value(), 0);
    let reports = seen.iter().filter(|s| s.kind == FrameKind::Report as u8).count() as u64;
    assert_eq!(reports, us.reports.value() + us.refusals.value());
}

#[test]
fn frame_times_never_go_back_and_every_order_is_answered_once() {
    let (seen, _) = run(&lively(2_000), &[16, 7, 7, 7], 0);
    assert!(seen.windows(2).all(|pair| pair[0].time <= pair[1].time));
    let mut engine = FakeEngine::default();
    let mut sent = Vec::new();
    for this in &seen {
        engine.on_frame(this, &mut sent);
    }
    let mut asked: Vec<u64> = sent
        .iter()
        .filter_map(|sent| match sent {
            Sent::Order(message) if message.action == Action::New => Some(message.order.number()),
            Sent::Order(_) | Sent::Refusal(..) => None,
        })
        .collect();
    let mut answered: Vec<u64> = seen
        .iter()
        .filter(|this| this.kind == FrameKind::Report as u8)
        .map(|this| bytemuck::pod_read_unaligned::<Report>(&this.bytes))
        .filter(|report| !report.is_from_risk())
        .filter(|report| matches!(report.kind(), Some(ReportKind::Accepted | ReportKind::Rejected)))
        .map(|report| report.order.number())
        .collect();
    asked.sort_unstable();
    answered.sort_unstable();
    assert_eq!(asked, answered);
    assert!(asked.len() > 200);
}

#[test]
fn a_duration_ends_the_market_and_the_timer_but_delivers_what_is_under_way() {
    let case = lively(1_000);
    let limit = 5_000_000 + 1_000;
    let case = Case {
        simulation: SimulationConfig {
            duration: Some(Nanos::new(1_000)),
            drain: Nanos::new(300),
            ..case.simulation.clone()
        },
        ..case
    };
    let (seen, simulation) = run(&case, &[0, 7], 0);
    let last = |kind: FrameKind| seen.iter().filter(|s| s.kind == kind as u8).map(|s| s.time).max().unwrap();
    assert_eq!(last(FrameKind::Market), 5_000_000 + 142 * 7, "the last before the limit");
    assert_eq!(last(FrameKind::Timer), limit - 100, "a tick at the limit itself is none");
    assert!(last(FrameKind::Report) > limit);
    assert_eq!(seen, case.reference());
    assert!(simulation.venue().counters().refused[RejectCode::VenueUnavailable.index()].value() > 0);
}

#[test]
fn an_empty_feed_is_an_empty_session() {
    let case = Case { messages: Vec::new(), ..lively(0) };
    let (seen, simulation) = run(&case, &[0, 7], 0);
    assert_eq!((seen.len(), simulation.failure()), (0, None));
}

#[test]
fn a_feed_that_fails_ends_the_session_and_its_words_are_kept() {
    let case = lively(50);
    let error = FeedError { what: "cut at byte 7; fetch the file again".into() };
    let feed = MemoryFeed { error: Some(error.clone()), ..MemoryFeed::new(case.messages.clone(), 0) };
    let mut simulation =
        Simulation::new(&case.simulation, Box::new(feed), case.venue(), Vec::new(), Clock::new()).unwrap();
    let slot = simulation.failure_slot();
    let mut number = 0;
    while let Next::Message(_) = simulation.next(number) {
        number += 1;
        simulation.advance(number);
    }
    assert!(matches!(simulation.next(number), Next::End));
    assert_eq!(simulation.failure(), Some(&error));
    assert_eq!(slot.get(), Some(&error));
    assert_eq!(simulation.counters().market_messages.value(), 50, "what came before it is given");
}

#[test]
fn a_feed_that_goes_back_in_time_or_is_too_long_is_refused_by_name() {
    let back = vec![(100, vec![1]), (99, vec![1])];
    let long = vec![(100, vec![1]), (101, vec![0; MESSAGE_BYTES_MAX + 1])];
    for (messages, part) in [(back, "goes back in time"), (long, "1048577 bytes")] {
        let (seen, simulation) = run(&Case { messages, ..lively(0) }, &[0, 7], 0);
        assert_eq!(seen.iter().filter(|s| s.kind == FrameKind::Market as u8).count(), 1);
        let what = &simulation.failure().unwrap().what;
        assert!(what.contains(part), "{what}");
    }
}

#[test]
fn a_paced_session_has_the_same_frames_and_stamps_of_when_they_were_due() {
    let case = lively(300);
    let frames_of = |pace| {
        let case = Case { simulation: SimulationConfig { pace, ..case.simulation.clone() }, ..case.clone() };
        let mut simulation = case.simulation(0);
        let (mut frames, mut stamps, mut number) = (Vec::new(), Vec::new(), 0);
        loop {
            match simulation.next(number) {
                Next::Message(message) => {
                    number += 1;
                    stamps.push(message.stamp);
                    frames.push((message.receive_time, message.kind as u8, message.bytes.to_vec()));
                    simulation.advance(number);
                }
                Next::Wait | Next::WaitForEngine => {}
                Next::End => return (frames, stamps, simulation),
            }
        }
    };
    let (max, unstamped, _) = frames_of(Pace::Max);
    assert!(unstamped.iter().all(|stamp| *stamp == 0), "the sequencer stamps");
    // 2,100 ns of market in some 20 ms.
    let (paced, stamps, simulation) = frames_of(Pace::Times { numerator: 1, denominator: 10_000 });
    assert_eq!(max, paced);
    assert!(simulation.counters().waits_for_pace.value() > 0);
    assert!(stamps.windows(2).all(|pair| pair[0] <= pair[1]) && stamps[0] > 0);
    let clock = Clock::new();
    let (first, last) = (paced[0].0.get(), paced[paced.len() - 1].0.get());
    let spent = clock.nanos_between(stamps[0], stamps[stamps.len() - 1]) as i64;
    assert!((spent - (last - first) * 10_000).abs() < 10_000, "{spent}");
}

#[test]
fn tables_that_cannot_wait_end_the_session_with_the_setting_to_raise() {
    let case = lively(2_000);
    let few_refusals = SimulationConfig { refusals_max: 1, ..case.simulation.clone() };
    let few_messages = PaperConfig { messages_max: 1, ..case.venue.clone() };
    let slow_reports = Latency::fixed(Nanos::new(4_000));
    let few_reports = PaperConfig { reports_max: 1, report: slow_reports, ..case.venue.clone() };
    let small = SimulationConfig {
        backlog_messages_max: 4,
        refusal_latency: Nanos::new(5_000),
        ..case.simulation.clone()
    };
    for (case, part) in [
        (Case { simulation: few_refusals, ..case.clone() }, "`refusals_max`"),
        (Case { venue: few_messages, ..case.clone() }, "`messages_max`"),
        (Case { venue: few_reports, simulation: small, ..case.clone() }, "`reports_max`"),
    ] {
        let mut simulation = case.simulation(0);
        let (mut number, mut engine) = (0, FakeEngine::default());
        loop {
            let this = match simulation.next(number) {
                Next::Message(m) => {
                    number += m.bytes.len().div_ceil(96).max(1) as u64;
                    let (time, source, kind) = (m.receive_time.get(), m.source.get(), m.kind as u8);
                    Seen { frame: number, time, source, kind, bytes: m.bytes.to_vec() }
                }
                Next::Wait | Next::WaitForEngine => continue,
                Next::End => break,
            };
            simulation.advance(number);
            let mut out = Vec::new();
            engine.on_frame(&this, &mut out);
            for sent in out {
                match sent {
                    Sent::Order(message) => simulation.submit_order(&message),
                    Sent::Refusal(verdict, decided, frame) => {
                        simulation.submit_refusal(&verdict, decided, frame)
                    }
                }
            }
        }
        let what = &simulation.failure().unwrap().what;
        assert!(what.contains(part), "{what}");
    }
}

#[test]
fn what_an_operator_causes_late_is_moved_forward_and_counted() {
    let case = lively(400);
    let mut simulation = case.simulation(0);
    let mut number = 0;
    let mut last = Nanos::ZERO;
    let mut heard = 0;
    loop {
        match simulation.next(number) {
            Next::Message(message) => {
                assert!(message.receive_time >= last, "time never goes back");
                last = message.receive_time;
                heard += u32::from(message.kind == FrameKind::Report);
                number += 1;
                simulation.advance(number);
            }
            Next::Wait | Next::WaitForEngine => {}
            Next::End => break,
        }
        if number == 300 {
            number += 1;
            // Decided on something the simulation did not give, long ago.
            let decided = Nanos::new(5_000_000);
            simulation
                .submit_order(&OrderMessage { decided, ..order(1, Side::Buy, 90, 1, TimeInForce::Day) });
            let verdict = Verdict::on(&Intent::default(), RejectCode::Halted, 0, 0);
            simulation.submit_refusal(&verdict, decided, 301);
            assert!(simulation.now() > decided);
        }
    }
    assert_eq!(simulation.counters().late.value(), 2);
    assert_eq!(heard, 2, "both are answered");
}

#[test]
fn settings_out_of_range_are_refused_with_the_mend() {
    let base = SimulationConfig::default();
    for config in [
        SimulationConfig { pace: Pace::Times { numerator: 1, denominator: 0 }, ..base.clone() },
        SimulationConfig { duration: Some(Nanos::ZERO), ..base.clone() },
        SimulationConfig { timer_interval: Nanos::ZERO, ..base.clone() },
        SimulationConfig { refusal_latency: Nanos::ZERO, ..base.clone() },
        SimulationConfig { messages_under_way_max: 0, ..base.clone() },
        SimulationConfig { backlog_bytes_max: 4096, ..base.clone() },
    ] {
        let case = lively(1);
        let feed = MemoryFeed::new(Vec::new(), 0);
        let made = Simulation::new(&config, Box::new(feed), case.venue(), Vec::new(), Clock::new());
        let text = made.err().unwrap().to_string();
        assert!(text.contains("give") || text.contains("must be"), "{text}");
    }
}
