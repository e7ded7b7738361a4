//! The audit stream: every kind of record comes back, and a replay's checkpoints are compared with it.

use crate::common::{IDENTITY, TINY, folder, segment};
use spinward_engine::words::{
    Event, ExecId, InstrumentId, Intent, Nanos, OrderId, RejectCode, Report, StrategyId, Symbol,
    TradingState, Verdict,
};
use spinward_recorder::{
    AppendError, AuditReader, AuditRecord, AuditWriter, Checkpoint, Comparison, JournalError, JournalReader,
    Preparer, Stage, StageDigests, StateChange, compare,
};
use std::path::Path;

fn records(count: u64) -> Vec<AuditRecord> {
    let mut digests = StageDigests::new();
    let mut records: Vec<AuditRecord> = (1..=count)
        .map(|frame| {
            let receive_time = Nanos::new(frame as i64 * 10);
            let order = OrderId::compose(StrategyId::new(1), frame);
            let intent = Intent { order, instrument: InstrumentId::new(7), ..Intent::default() };
            match frame % 4 {
                0 => {
                    let verdict = Verdict::on(&intent, RejectCode::PriceCollar, -5, 9);
                    digests.add_verdict(&verdict);
                    AuditRecord::Verdict { frame, receive_time, verdict }
                }
                1 => {
                    let report = Report { order, exec: ExecId::new(frame), ..Report::default() };
                    digests.add_report(&report);
                    AuditRecord::Report { frame, receive_time, report }
                }
                2 => AuditRecord::State {
                    frame,
                    receive_time,
                    change: StateChange::new(
                        TradingState::Normal,
                        TradingState::Halted,
                        Symbol::new("operator").unwrap(),
                        "größer als die Grenze",
                    ),
                },
                _ => AuditRecord::Digests { frame, receive_time, digests: digests.snapshot() },
            }
        })
        .collect();
    digests.add_event(&Event::default());
    let receive_time = Nanos::new(count as i64 * 10);
    records.push(AuditRecord::End { frame: count, receive_time, digests: digests.snapshot() });
    records
}

fn write(folder: &Path, records: &[AuditRecord]) {
    let preparer = Preparer::manual();
    let mut writer = AuditWriter::create_as(folder, &TINY, &preparer, IDENTITY).unwrap();
    for record in records {
        while writer.append(record) == Err(AppendError::NoSegment) {
            assert!(preparer.poll() > 0);
        }
    }
    assert_eq!(writer.appended(), records.len() as u64);
    writer.finish().unwrap();
}

#[test]
fn every_kind_of_record_comes_back_across_segments() {
    let folder = folder();
    let records = records(1_000);
    write(folder.path(), &records);
    let mut reader = AuditReader::open(folder.path()).unwrap();
    let mut read = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        read.push(record);
    }
    assert_eq!(read, records);
    assert!(reader.is_ended_by_writer() && reader.cut().is_none());
    assert_eq!(reader.last_sequence(), 1_001);
    let AuditRecord::State { change, .. } = read[1] else { panic!() };
    assert_eq!((change.state(), change.reason()), (Some(TradingState::Halted), "größer als die Grenze"));
}

#[test]
fn the_checkpoints_of_two_streams_tell_where_they_part() {
    let (one, two) = (folder(), folder());
    write(one.path(), &records(400));
    let mut other = records(400);
    let checkpoints = |folder: &Path| AuditReader::open(folder).unwrap().checkpoints().unwrap();
    write(two.path(), &other);
    assert_eq!(
        compare(&checkpoints(one.path()), &checkpoints(two.path())),
        Comparison::Equal { checkpoints: 101, last_frame: 400 }
    );
    let three = folder();
    if let AuditRecord::Digests { digests, .. } = &mut other[202] {
        digests.reports.value ^= 1;
    }
    write(three.path(), &other);
    let Comparison::Diverged(divergence) = compare(&checkpoints(one.path()), &checkpoints(three.path()))
    else {
        panic!("not seen")
    };
    assert_eq!((divergence.after_frame, divergence.frame, divergence.stage), (199, 203, Stage::Reports));
}

#[test]
fn an_end_record_is_a_checkpoint_and_the_others_are_not() {
    let records = records(4);
    let frames: Vec<Option<u64>> =
        records.iter().map(|record| record.checkpoint().map(|Checkpoint { frame, .. }| frame)).collect();
    assert_eq!(frames, [None, None, Some(3), None, Some(4)]);
    assert_eq!(records[3].frame(), 4);
}

#[test]
fn a_journal_reader_does_not_take_an_audit_stream_nor_the_other_way_round() {
    let folder = folder();
    write(folder.path(), &records(3));
    let error = JournalReader::open(folder.path()).unwrap_err();
    assert!(matches!(error, JournalError::Foreign { wanted: "a journal", .. }), "{error}");
    crate::common::write(&folder.path().join("journal"), &TINY, &[1, 2], true);
    let error = AuditReader::open(&folder.path().join("journal")).unwrap_err();
    assert!(error.to_string().contains("is not a segment of an audit stream"), "{error}");
}

#[test]
fn a_flipped_byte_of_an_audit_record_is_named() {
    let folder = folder();
    write(folder.path(), &records(8));
    let mut bytes = std::fs::read(segment(folder.path(), 0)).unwrap();
    bytes[4096 + 50] ^= 4;
    std::fs::write(segment(folder.path(), 0), bytes).unwrap();
    let error = AuditReader::open(folder.path()).unwrap().next().unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { offset: 4096, .. }), "{error}");
}
