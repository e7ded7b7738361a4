//! The orders' stamps: bytes as the description has them, room that is not there, both streams joined.

use crate::common::{IDENTITY, TINY, folder, segment};
use spinward_engine::pipeline::{Driver, ExitStamps, Next};
use spinward_engine::risk::Outbound;
use spinward_engine::words::{Clock, Nanos, OrderId, StrategyId, Verdict};
use spinward_recorder::{
    Decision, Exit, ExitDriver, ExitReader, JournalConfig, LifeRecord, Lives, OrderReader, OrderWriter,
    Preparer, StampTime,
};
use std::path::Path;
use std::sync::mpsc::sync_channel;

/// Does nothing with what it is given.
struct Idle;

impl Driver for Idle {
    fn submit(&mut self, _: &Outbound) {}
    fn next(&mut self, _: u64) -> Next<'_> {
        Next::Wait
    }
    fn advance(&mut self, _: u64) {}
    fn now(&self) -> Nanos {
        Nanos::ZERO
    }
    fn stop(&mut self) {}
}

fn refusal(number: u64) -> Outbound {
    let verdict = Verdict {
        order: OrderId::compose(StrategyId::new(2), number),
        code_number: 17,
        action_number: 1,
        ..Verdict::default()
    };
    Outbound::Refusal { verdict, decided: Nanos::new(1_000 + number as i64), frame: 100 + number }
}

/// Sends so many refusals through an [`ExitDriver`]; how many records it dropped.
fn write_exits(folder: &Path, config: &JournalConfig, preparer: &Preparer, count: u64) -> u64 {
    let clock = Clock::new();
    let base = clock.ticks();
    let time = StampTime::new(clock.clone(), base, Nanos::new(5_000_000_000));
    let writer = OrderWriter::exits(folder, config, preparer, IDENTITY).unwrap();
    let (_, counters) = writer.counters();
    let (ended, written) = sync_channel(1);
    let mut driver = ExitDriver::new(Idle, writer, time, ended);
    for number in 1..=count {
        let outbound = refusal(number);
        driver.submit(&outbound);
        let stamps = ExitStamps { taken: base, released: base + 7_000, encoded: 0, sent: base + 90_000 };
        driver.submitted(&outbound, &stamps);
    }
    let _ = driver.next(0);
    drop(driver);
    written.recv().unwrap().finish().unwrap();
    counters.dropped.value()
}

#[test]
fn an_exit_lies_on_the_disk_as_the_description_has_it() {
    let folder = folder();
    assert_eq!(write_exits(folder.path(), &TINY, &Preparer::manual(), 1), 0);
    let file = std::fs::read(segment(folder.path(), 0)).unwrap();
    assert_eq!(&file[..8], b"SPWEXIT\0");
    let record = &file[4096..4096 + 96];
    let word = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap());
    assert_eq!(u32::from_le_bytes(record[..4].try_into().unwrap()), 96);
    assert_eq!((word(8), word(16), record[25], record[28]), (1, 1_001, 3, 64));
    // order, new order, frame, taken, released, encoded, sent
    let body: Vec<u64> = (0..7).map(|index| word(32 + index * 8)).collect();
    assert_eq!(body[..4], [2 << 48 | 1, 0, 101, 5_000_000_000]);
    let clock = Clock::new();
    // Two calibrations of one clock differ by parts in a thousand at most.
    for (found, ticks) in [(body[4], 7_000), (body[6], 90_000)] {
        let expected = clock.nanos_between(0, ticks);
        assert!((found - 5_000_000_000).abs_diff(expected) <= expected / 100 + 1, "{found} {expected}");
    }
    assert_eq!(body[5], 0);
    assert_eq!(record[88..96], [1, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_decision_has_the_layout_of_the_description() {
    let decision = Decision {
        order: OrderId::new(1),
        new_order: OrderId::new(2),
        received: Nanos::new(3),
        strategies_done: Nanos::new(10),
        ahead_normalizer: 13,
        ahead_risk: 16,
        event: [17, 18, 19, 20, 21, 22, 23, 24],
        instrument: spinward_engine::words::InstrumentId::new(25),
        strategy: StrategyId::new(26),
        code_number: 27,
        action_number: 28,
        lane: 29,
        ..Decision::default()
    };
    let bytes = bytemuck::bytes_of(&decision);
    let at = |offset: usize| u64::from(u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()));
    assert_eq!((at(0), at(8), at(16)), (1, 2, 3));
    assert_eq!((at(72), at(96), at(108)), (10, 13, 16));
    assert_eq!((at(112), at(168), at(176)), (17, 24, 25));
    assert_eq!(bytes[180..192], [26, 0, 27, 0, 28, 29, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_finds_no_room_is_dropped_and_counted_and_the_rest_is_whole() {
    let folder = folder();
    // A preparer that never works: the first segment is all there is.
    let dropped = write_exits(folder.path(), &TINY, &Preparer::manual(), 100);
    let mut reader = ExitReader::open(folder.path()).unwrap();
    let mut exits: Vec<Exit> = Vec::new();
    while let Some(exit) = reader.next().unwrap() {
        exits.push(exit);
    }
    // 4096 bytes of records of 96.
    assert!((40..=42 + 42).contains(&exits.len()), "{}", exits.len());
    assert_eq!(exits.len() as u64 + dropped, 100);
    assert!(exits.iter().zip(1..).all(|(exit, number)| exit.frame == 100 + number && exit.is_refusal == 1));
}

#[test]
fn a_stream_of_another_kind_is_not_read_as_orders() {
    let folder = folder();
    write_exits(folder.path(), &TINY, &Preparer::manual(), 1);
    let error = OrderReader::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("is not a segment of a stream of orders' stamps"), "{error}");
}

#[test]
fn a_life_without_exits_ends_with_risk() {
    let (orders, exits) = (folder(), folder());
    let writer = OrderWriter::orders(orders.path(), &TINY, &Preparer::manual(), IDENTITY).unwrap();
    writer.finish().unwrap();
    let mut lives = Lives::open(orders.path(), &exits.path().join("none")).unwrap();
    assert!(!matches!(lives.next().unwrap(), Some(LifeRecord::Life(_))));
    assert!(lives.cut().is_none());
}
