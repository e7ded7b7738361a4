use super::*;
use proptest::prelude::*;

/// A classic file of two frames, by its order of bytes and its unit.
fn classic(is_big: bool, is_nano: bool) -> Vec<u8> {
    let u32 = |number: u32| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let magic = u32(if is_nano { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
    let mut file = [&magic[..], &[0; 12], &u32(65_535), &u32(1)].concat();
    for (seconds, fraction, bytes) in [(1_692_711_000, 7, &b"first"[..]), (1_692_711_001, 8, b"2nd")] {
        let length = u32(bytes.len() as u32);
        file.extend([&u32(seconds)[..], &u32(fraction), &length, &u32(99), bytes].concat());
    }
    file
}

/// The same in pcapng, times in nanoseconds on one interface and in 2^-10 s on the other.
fn ng(is_big: bool) -> Vec<u8> {
    let u32 = |number: u32| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let u16 = |number: u16| if is_big { number.to_be_bytes() } else { number.to_le_bytes() };
    let block = |kind: u32, body: &[u8]| {
        let length = u32(12 + body.len().next_multiple_of(4) as u32);
        let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
        [&u32(kind)[..], &length, body, &padding, &length].concat()
    };
    let section = [&u32(0x1a2b_3c4d)[..], &u16(1), &u16(0), &[0xff; 8]].concat();
    let interface = |resolution: u8| {
        let option = [&u16(9)[..], &u16(1), &[resolution, 0, 0, 0], &[0; 4]].concat();
        [&u16(1)[..], &[0; 6], &option].concat()
    };
    let packet = |interface: u32, time: u64, bytes: &[u8]| {
        let (high, low) = ((time >> 32) as u32, time as u32);
        [&u32(interface)[..], &u32(high), &u32(low), &u32(bytes.len() as u32), &u32(99), bytes].concat()
    };
    [
        block(0x0a0d_0d0a, &section),
        block(1, &interface(9)),
        block(1, &interface(0x8a)),
        block(5, b"statistics are skipped"),
        block(6, &packet(0, 1_692_711_000_000_000_007, b"first")),
        block(6, &packet(1, 1_692_711_001 * 1_024 + 512, b"2nd")),
    ]
    .concat()
}

type Frames = Vec<(i64, LinkType, Vec<u8>, usize)>;

fn frames(file: &[u8]) -> Result<Frames, PcapError> {
    let mut reader = PcapReader::new(file)?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        assert_eq!(frame.index, frames.len() as u64);
        frames.push((frame.time.get(), frame.link, frame.bytes.to_vec(), frame.wire_bytes));
    }
    Ok(frames)
}

#[test]
fn both_orders_of_bytes_and_both_units_of_time_are_read() {
    for is_big in [false, true] {
        for (is_nano, unit) in [(false, 1_000), (true, 1)] {
            assert_eq!(
                frames(&classic(is_big, is_nano)).unwrap(),
                [
                    (1_692_711_000_000_000_000 + 7 * unit, LinkType::Ethernet, b"first".to_vec(), 99),
                    (1_692_711_001_000_000_000 + 8 * unit, LinkType::Ethernet, b"2nd".to_vec(), 99),
                ]
            );
        }
    }
}

#[test]
fn the_newer_format_is_read_with_the_clock_of_each_interface() {
    for is_big in [false, true] {
        assert_eq!(
            frames(&ng(is_big)).unwrap(),
            [
                (1_692_711_000_000_000_007, LinkType::Ethernet, b"first".to_vec(), 99),
                (1_692_711_001_500_000_000, LinkType::Ethernet, b"2nd".to_vec(), 99),
            ]
        );
    }
}

#[test]
fn a_file_cut_anywhere_gives_what_is_whole_and_says_where_it_ends() {
    for (file, whole) in [(classic(false, true), vec![24, 45, 64]), (ng(false), Vec::new())] {
        for length in 0..file.len() {
            match frames(&file[..length]) {
                Ok(_) if whole.is_empty() || whole.contains(&length) => {}
                Err(PcapError::Truncated { offset, needed, found }) => {
                    assert!(offset as usize + found == length && found < needed, "{length}");
                }
                other => panic!("cut at {length}: {other:?}"),
            }
        }
    }
    let cut = frames(&classic(false, true)[..50]).unwrap_err().to_string();
    assert_eq!(
        cut,
        "capture is cut: at byte 45 16 bytes are to follow, 5 do; the file was not written to its end"
    );
}

#[test]
fn what_is_no_capture_or_damaged_is_refused_with_its_place() {
    let gzip = frames(b"\x1f\x8b\x08\0\0\0").unwrap_err().to_string();
    assert_eq!(
        gzip,
        "no capture: it begins with 0x00088b1f; give a pcap (micro- or nanoseconds) or a pcapng file, unpacked"
    );
    let mut file = classic(false, true);
    file[35] = 0x7f;
    assert!(matches!(frames(&file), Err(PcapError::Length { offset: 24, .. })));
    let mut file = ng(false);
    file[28 + 4] = 3;
    assert!(matches!(frames(&file), Err(PcapError::Length { offset: 28, length: 3 })));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_in_bounded_memory(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        at in 0usize..200,
        byte: u8,
    ) {
        let _ = frames(&bytes);
        for mut file in [classic(true, false), ng(true), ng(false)] {
            let at = at % file.len();
            file[at] = byte;
            let _ = frames(&file);
            file.truncate(24);
            file.extend_from_slice(&bytes);
            let _ = frames(&file);
        }
    }
}
