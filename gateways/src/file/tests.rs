use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MIDNIGHT: Nanos = Nanos::from_secs(1_577_682_000);

fn itch() -> FileFormat {
    FileFormat::Itch50 { midnights: vec![MIDNIGHT] }
}

fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Everything a feed gives, and the error at its end.
fn drained(feed: &mut FileFeed) -> (Vec<(i64, Vec<u8>)>, Option<String>) {
    let mut messages = Vec::new();
    loop {
        match feed.peek() {
            Peek::Message(message) => {
                messages.push((message.receive_time.get(), message.bytes.to_vec()));
                feed.advance();
            }
            Peek::NotYet => std::thread::yield_now(),
            Peek::End => {
                assert!(matches!(feed.peek(), Peek::End), "the same answer from now on");
                return (messages, None);
            }
            Peek::Failed(error) => {
                let what = error.what.clone();
                assert!(matches!(feed.peek(), Peek::Failed(_)), "the same answer from now on");
                return (messages, Some(what));
            }
        }
    }
}

fn read_all(format: FileFormat, paths: &[&Path]) -> (Vec<(i64, Vec<u8>)>, Option<String>) {
    let spec = FileSpec::new(format, paths.iter().map(|path| path.to_path_buf()).collect());
    drained(&mut FileFeed::open(&spec).unwrap())
}

/// An ITCH message of `length` bytes with this time stamp.
fn itch_message(time: u64, length: usize, fill: u8) -> Vec<u8> {
    let mut message = vec![fill; length];
    message[5..11].copy_from_slice(&time.to_be_bytes()[2..]);
    message
}

fn prefixed(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|m| [&(m.len() as u16).to_be_bytes()[..], m].concat()).collect()
}

fn lines(messages: &[(i64, String)]) -> Vec<u8> {
    messages.iter().flat_map(|(time, text)| format!("{time} {text}\n").into_bytes()).collect()
}

/// Times as a feed gives them: never going back.
fn mended(messages: impl IntoIterator<Item = (i64, Vec<u8>)>) -> Vec<(i64, Vec<u8>)> {
    let mut last = i64::MIN;
    messages
        .into_iter()
        .map(|(time, bytes)| {
            last = last.max(time);
            (last, bytes)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn prefixed_messages_come_whole_whatever_the_blocks(
        shapes in prop::collection::vec((0u64..90_000_000_000_000, 11usize..60), 0..60),
        block_bytes in 82usize..400, blocks in 2usize..5, ends_with_zero in any::<bool>(), is_gzip in any::<bool>(),
    ) {
        let messages: Vec<_> =
            shapes.iter().enumerate().map(|(i, &(time, length))| itch_message(time, length, i as u8)).collect();
        let mut bytes = prefixed(&messages);
        if ends_with_zero {
            bytes.extend([0, 0]);
        }
        let folder = TempDir::new().unwrap();
        let path = written(&folder, "a", &if is_gzip { gzip(&bytes) } else { bytes });
        let spec = FileSpec { block_bytes, blocks, ..FileSpec::new(itch(), vec![path]) };
        let mut feed = FileFeed::with_memory(&spec).unwrap();
        let expected =
            mended(shapes.iter().zip(messages).map(|(&(time, _), m)| (MIDNIGHT.get() + time as i64, m)));
        prop_assert_eq!(drained(&mut feed), (expected, None));
    }

    #[test]
    fn lines_come_whole_whatever_the_blocks(
        messages in prop::collection::vec((0i64..i64::MAX, "\\{[a-z\":]{0,40}\\}"), 0..60),
        block_bytes in 66usize..400, blocks in 2usize..5, is_gzip in any::<bool>(),
    ) {
        let bytes = lines(&messages);
        let folder = TempDir::new().unwrap();
        let path = written(&folder, "a", &if is_gzip { gzip(&bytes) } else { bytes });
        let spec = FileSpec { block_bytes, blocks, ..FileSpec::new(FileFormat::Binance, vec![path]) };
        let mut feed = FileFeed::with_memory(&spec).unwrap();
        let corrections = messages.windows(2).count();
        let expected = mended(messages.into_iter().map(|(time, text)| (time, text.into_bytes())));
        prop_assert_eq!(drained(&mut feed), (expected.clone(), None));
        let counters = feed.counters();
        prop_assert_eq!(counters.messages.value(), expected.len() as u64);
        prop_assert!(counters.time_corrections.value() <= corrections as u64);
    }

    #[test]
    fn a_cut_file_gives_all_whole_messages_and_then_says_where_it_was_cut(
        lengths in prop::collection::vec(11usize..60, 1..20), cut in any::<prop::sample::Index>(), block_bytes in 82usize..300,
    ) {
        let messages: Vec<_> = lengths.iter().map(|&length| itch_message(1, length, 7)).collect();
        let bytes = prefixed(&messages);
        let cut = cut.index(bytes.len());
        let (mut whole, mut at) = (0, 0);
        while whole < lengths.len() && at + 2 + lengths[whole] <= cut {
            at += 2 + lengths[whole];
            whole += 1;
        }
        let folder = TempDir::new().unwrap();
        let path = written(&folder, "cut.itch", &bytes[..cut]);
        let spec = FileSpec { block_bytes, ..FileSpec::new(itch(), vec![path]) };
        let (given, error) = drained(&mut FileFeed::with_memory(&spec).unwrap());
        prop_assert_eq!(given.len(), whole);
        match error {
            None => prop_assert_eq!(at, cut),
            Some(what) => prop_assert!(
                at < cut && what.contains("cut.itch") && what.contains(&format!("offset {at}:")), "{} at {}", what, at
            ),
        }
    }
}

#[test]
fn several_files_are_one_feed_and_a_gzip_file_may_have_several_members() {
    let folder = TempDir::new().unwrap();
    let text = |from: i64| -> Vec<(i64, String)> {
        (from..from + 3).map(|n| (n, format!("{{\"n\":{n}}}"))).collect()
    };
    let members = [gzip(&lines(&text(10))), gzip(&lines(&text(13)))].concat();
    let (a, b, c) = (
        written(&folder, "a.gz", &members),
        written(&folder, "empty", b""),
        written(&folder, "c", &lines(&text(5))),
    );
    let (messages, error) = read_all(FileFormat::Binance, &[&a, &b, &c]);
    assert_eq!(error, None);
    let times: Vec<i64> = messages.iter().map(|message| message.0).collect();
    assert_eq!(times, [10, 11, 12, 13, 14, 15, 15, 15, 15], "the third file is older; time stands still");
    assert_eq!(messages[8].1, b"{\"n\":7}");
}

#[test]
fn each_itch_file_may_have_its_own_midnight() {
    let folder = TempDir::new().unwrap();
    let path = written(&folder, "a", &prefixed(&[itch_message(5, 20, 1)]));
    let day = Nanos::from_secs(86_400);
    let format = FileFormat::Itch50 { midnights: vec![MIDNIGHT, MIDNIGHT.after(day)] };
    let (messages, error) = read_all(format.clone(), &[&path, &path]);
    assert_eq!(error, None);
    assert_eq!(messages[1].0 - messages[0].0, day.get());
    let refused = FileFeed::open(&FileSpec::new(format, vec![path])).err().unwrap();
    assert!(refused.what.contains("2 midnights for 1 files"), "{refused}");
}

#[test]
fn what_cannot_be_read_is_said_with_file_and_place() {
    let folder = TempDir::new().unwrap();
    let good = itch_message(1, 20, 1);
    let itch_cases: [(&[u8], &str); 5] = [
        (&[0, 5, 1, 2, 3, 4, 5], "a message of 5 bytes"),
        (&[0, 0, 0, 1], "2 bytes follow"),
        (&[0], "cut within the length"),
        (&[0, 20, 1, 2], "a message of 20 bytes has only 2"),
        (&[0, 11, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255], "more than a day"),
    ];
    for (tail, expected) in itch_cases {
        let path = written(&folder, "bad.itch", &[&prefixed(std::slice::from_ref(&good)), tail].concat());
        let (messages, error) = read_all(itch(), &[&path]);
        let error = error.unwrap();
        assert_eq!(messages.len(), 1, "everything before is given");
        assert!(error.contains(expected) && error.contains("bad.itch: offset 22:"), "{error}");
    }
    let line_cases: [(&str, &str); 8] = [
        ("x {}\n", "does not begin with a local time"),
        ("\n3 {}\n", "does not begin with a local time"),
        ("99999999999999999999 {}\n", "does not begin with a local time"),
        ("12{}\n", "does not begin with a local time"),
        ("12 \n", "without a message"),
        ("12 {\"a\":{}", "cut within its last line"),
        ("12 {\"a\":\"}", "cut within its last line"),
        ("1", "cut within its last line"),
    ];
    for (tail, expected) in line_cases {
        let path = written(&folder, "bad.gz", &gzip(format!("1 {{}}\n2 {{}}\n{tail}").as_bytes()));
        let (messages, error) = read_all(FileFormat::Binance, &[&path]);
        let error = error.unwrap();
        assert_eq!(messages.len(), 2, "everything before is given");
        assert!(error.contains(expected) && error.contains("bad.gz: line 3, offset 10 of the"), "{error}");
    }
}

#[test]
fn a_last_line_without_its_end_is_taken_if_it_is_whole() {
    let folder = TempDir::new().unwrap();
    let path = written(&folder, "a", b"1 {\"a\":\"}\\\"\"}\r\n2 {\"b\":[{}]}");
    let (messages, error) = read_all(FileFormat::Binance, &[&path]);
    assert_eq!(error, None);
    assert_eq!(messages, [(1, b"{\"a\":\"}\\\"\"}".to_vec()), (2, b"{\"b\":[{}]}".to_vec())]);
}

#[test]
fn a_line_longer_than_a_message_can_be_is_refused() {
    let folder = TempDir::new().unwrap();
    let long = format!("1 {{}}\n2 [{}]\n", "1,".repeat(MESSAGE_BYTES_MAX / 2));
    let path = written(&folder, "a", long.as_bytes());
    let (messages, error) = read_all(FileFormat::Binance, &[&path]);
    assert_eq!(messages.len(), 1);
    assert!(error.unwrap().contains("line 2"));
}

#[test]
fn damaged_gzip_data_gives_what_could_be_inflated_and_then_an_error() {
    let folder = TempDir::new().unwrap();
    let text: Vec<(i64, String)> = (0..100_000).map(|n| (n, format!("{{\"n\":{}}}", n * 7_919))).collect();
    let whole = gzip(&lines(&text));
    let cut = written(&folder, "cut.gz", &whole[..whole.len() / 2]);
    let (messages, error) = read_all(FileFormat::Binance, &[&cut]);
    assert!(messages.len() > 10_000 && messages.len() < 90_000, "{}", messages.len());
    assert!(messages.iter().zip(&text).all(|(given, written)| given.1 == written.1.as_bytes()));
    assert!(error.unwrap().contains("cut.gz: the gzip data is cut"));
    let trailing = written(&folder, "trailing.gz", &[&whole[..], b"garbage after the member"].concat());
    let (messages, error) = read_all(FileFormat::Binance, &[&trailing]);
    assert_eq!(messages.len(), text.len());
    assert!(error.unwrap().contains("the gzip data is damaged"));
}

#[test]
fn what_is_not_there_is_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let refused = |paths: Vec<PathBuf>| open(&FileSpec::new(itch(), paths)).err().unwrap().what;
    assert!(refused(vec![folder.path().join("none.itch")]).contains("none.itch: cannot open it"));
    assert!(refused(vec![folder.path().to_owned()]).contains("not a regular file"));
    assert!(refused(vec![]).contains("name at least one"));
    let path = written(&folder, "a", b"");
    let small = FileSpec { block_bytes: 1_000, ..FileSpec::new(itch(), vec![path.clone()]) };
    assert!(open(&small).err().unwrap().what.contains("block_bytes is 1000"));
    let one = FileSpec { blocks: 1, ..FileSpec::new(itch(), vec![path]) };
    assert!(open(&one).err().unwrap().what.contains("blocks is 1"));
}

#[test]
fn a_feed_dropped_while_its_reader_waits_ends_the_reader() {
    let folder = TempDir::new().unwrap();
    let messages: Vec<_> = (0..10_000).map(|n| itch_message(n, 40, 1)).collect();
    let path = written(&folder, "a", &prefixed(&messages));
    let spec = FileSpec { block_bytes: 200, blocks: 2, ..FileSpec::new(itch(), vec![path]) };
    let mut feed = FileFeed::with_memory(&spec).unwrap();
    while feed.full.len() < 2 {
        std::thread::yield_now();
    }
    assert!(matches!(feed.peek(), Peek::Message(_)));
    let full = Arc::clone(&feed.full);
    let start = Instant::now();
    drop(feed);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(Arc::strong_count(&full), 1, "the reader thread is gone with its queue");
}

#[test]
fn a_hundred_megabytes_pass_through_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("large.itch");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let (mut bytes, mut count, mut sum) = (0u64, 0u64, 0u64);
    while bytes < 100_000_000 {
        let message = itch_message(count, 19 + (count % 32) as usize, count as u8);
        file.write_all(&(message.len() as u16).to_be_bytes()).unwrap();
        file.write_all(&message).unwrap();
        bytes += message.len() as u64 + 2;
        sum += u64::from(message[12]);
        count += 1;
    }
    file.into_inner().unwrap();
    let mut feed = FileFeed::open(&FileSpec::new(itch(), vec![path])).unwrap();
    let (mut given, mut given_sum) = (0u64, 0u64);
    loop {
        match feed.peek() {
            Peek::Message(message) => {
                assert_eq!(message.receive_time.get(), MIDNIGHT.get() + given as i64);
                given_sum += u64::from(message.bytes[12]);
                given += 1;
                feed.advance();
            }
            Peek::NotYet => std::thread::yield_now(),
            Peek::End => break,
            Peek::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!((given, given_sum), (count, sum));
    assert_eq!(feed.counters().bytes.value(), bytes - 2 * count);
}
