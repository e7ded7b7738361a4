use super::*;
use spinward_engine::words::{Frame, FrameHeader, Nanos};
use spinward_recorder::{JournalConfig, JournalWriter, Preparer};
use std::io::Write;

fn poisson(rate: u64, seed: u64, count: usize) -> Vec<u64> {
    Load::Poisson { rate, seed }.offsets(count).unwrap()
}

#[test]
fn a_fixed_rate_never_drifts_from_its_intended_times() {
    let times = Load::Rate(3).offsets(7).unwrap();
    assert_eq!(
        times,
        [0, 333_333_333, 666_666_666, 1_000_000_000, 1_333_333_333, 1_666_666_666, 2_000_000_000]
    );
}

#[test]
fn bursts_come_whole_at_one_time() {
    assert_eq!(Load::Bursts(3, 50).offsets(7).unwrap(), [0, 0, 0, 50, 50, 50, 100]);
    assert_eq!(Load::Bursts(64, 100_000).rate(), Some(640_000));
}

#[test]
fn poisson_arrivals_have_the_mean_and_the_spread_of_the_process_and_follow_from_the_seed() {
    let times = poisson(1_000_000, 1, 200_000);
    assert_eq!(times, poisson(1_000_000, 1, 200_000));
    assert_ne!(times, poisson(1_000_000, 2, 200_000));
    assert!(times.is_sorted());
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
    assert!((mean - 1_000.0).abs() < 15.0, "{mean}");
    assert!(
        (deviation / mean - 1.0).abs() < 0.02,
        "exponential gaps spread as far as their mean: {deviation}"
    );
    let beyond = gaps.iter().filter(|gap| **gap > 3_000.0).count() as f64 / gaps.len() as f64;
    assert!((beyond - (-3.0f64).exp()).abs() < 0.003, "{beyond}");
}

#[test]
fn the_pipelines_own_pace_has_no_times() {
    assert_eq!(Load::Max.offsets(5), None);
    assert_eq!(Load::Closed(10).offsets(5), None);
}

#[test]
fn a_replay_goes_round_without_a_hole() {
    let replay = Replay { name: String::new(), offsets: vec![0, 10, 100] };
    assert_eq!(replay.repeated(7), [0, 10, 100, 150, 160, 250, 300]);
    assert_eq!(Load::Replayed(Arc::new(replay)).rate(), Some(20_000_000));
}

#[test]
fn arrival_times_of_captures_are_read_and_scaled() {
    let folder = tempfile::tempdir().unwrap();
    let binance = folder.path().join("capture");
    std::fs::File::create(&binance)
        .unwrap()
        .write_all(b"1000000000 {\"e\":\"x\"}\n1000002000 {\"e\":\"x\"}\n1000008000 {\"e\":\"x\"}\n")
        .unwrap();
    let source = format!("binance:{}", binance.display());
    assert_eq!(Replay::open(&source, 1.0).unwrap().offsets, [0, 2_000, 8_000]);
    assert_eq!(Replay::open(&source, 4.0).unwrap().offsets, [0, 500, 2_000]);

    let itch = folder.path().join("itch");
    let mut bytes = Vec::new();
    for time in [7u64, 9, 1_000] {
        // A system event: type, locate, tracking, six bytes of time, code.
        bytes.extend(12u16.to_be_bytes());
        bytes.extend(b"S\0\0\0\0");
        bytes.extend(&time.to_be_bytes()[2..]);
        bytes.push(b'O');
    }
    std::fs::write(&itch, bytes).unwrap();
    assert_eq!(Replay::open(&format!("itch50:{}", itch.display()), 0.5).unwrap().offsets, [0, 4, 1_986]);
}

#[test]
fn arrival_times_of_a_session_are_those_of_its_market_messages() {
    let folder = tempfile::tempdir().unwrap();
    let preparer = Preparer::start().unwrap();
    let config = JournalConfig { segment_bytes: 1 << 20, ..JournalConfig::default() };
    let mut writer = JournalWriter::create(&folder.path().join("journal"), &config, &preparer).unwrap();
    let rows = [
        (100, FrameKind::Market, 0),
        (150, FrameKind::Timer, 0),
        (200, FrameKind::Market, FrameHeader::MORE),
        (200, FrameKind::Market, 0),
        (450, FrameKind::Market, 0),
    ];
    for (index, (time, kind, flags)) in rows.into_iter().enumerate() {
        let mut frame = Frame::vacant();
        frame.header = FrameHeader {
            sequence: index as u64 + 1,
            receive_time: Nanos::new(time),
            kind: kind as u8,
            flags,
            bytes: 4,
            ..FrameHeader::default()
        };
        writer.append(&frame).unwrap();
    }
    writer.finish().unwrap();
    let replay = Replay::open(&format!("session:{}", folder.path().display()), 1.0).unwrap();
    assert_eq!(replay.offsets, [0, 100, 350]);
}

#[test]
fn a_capture_that_cannot_be_replayed_is_refused_with_the_way_out() {
    for (source, speed, word) in [
        ("nowhere", 1.0, "itch50:FILE"),
        ("itch50:/nonexistent", 1.0, "/nonexistent"),
        ("binance:/nonexistent", 0.0, "above 0"),
        ("session:/nonexistent", 1.0, "/nonexistent"),
    ] {
        let error = Replay::open(source, speed).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
