use super::*;
use proptest::prelude::*;

const HEAD: SnapshotHead =
    SnapshotHead { session: 7, frame: 12_345, receive_time: Nanos::new(-3), config: 9 };

fn written(body: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let written = write_snapshot(&folder.path().join("snapshots"), &HEAD, body).unwrap();
    assert_eq!(fs::metadata(&written.path).unwrap().len(), written.bytes);
    (folder, written.path)
}

/// From the description in `docs/journal-format.md`, not with our writer.
#[test]
fn the_file_is_the_one_that_is_described() {
    let (_folder, path) = written(b"the state");
    let mut expected = b"SPWSNAP\0".to_vec();
    expected.extend(1u32.to_le_bytes());
    expected.extend([0; 4]);
    expected.extend(7u64.to_le_bytes());
    expected.extend(12_345u64.to_le_bytes());
    expected.extend((-3i64).to_le_bytes());
    expected.extend(9u64.to_le_bytes());
    expected.extend(9u64.to_le_bytes());
    expected.extend([0; 8]);
    expected.extend(b"the state");
    let digest = blake3::hash(&expected);
    expected.extend(digest.as_bytes());
    assert_eq!(fs::read(&path).unwrap(), expected);
    assert_eq!(path.file_name().unwrap(), "00000000000000012345.snap");
    assert_eq!(read_snapshot(&path, 7, 9).unwrap(), (HEAD, b"the state".to_vec()));
}

#[test]
fn the_last_two_are_kept_and_the_newest_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    assert!(snapshots(&folder.path().join("none")).unwrap().is_empty());
    for frame in [5, 100, 20, 7] {
        write_snapshot(folder.path(), &SnapshotHead { frame, ..HEAD }, b"").unwrap();
    }
    fs::write(folder.path().join("00000000000000000200.snap.tmp"), b"half").unwrap();
    fs::write(folder.path().join("notes.snap"), b"").unwrap();
    let names: Vec<_> =
        snapshots(folder.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["00000000000000000100.snap", "00000000000000000020.snap"]);
}

#[test]
fn another_session_configuration_or_version_is_refused_by_name() {
    let (_folder, path) = written(b"state");
    let refused = |session, config| read_snapshot(&path, session, config).unwrap_err().to_string();
    assert!(refused(8, 9).ends_with("is of another session than the session"), "{}", refused(8, 9));
    assert!(refused(7, 8).ends_with("is of another configuration than the session"), "{}", refused(7, 8));
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(read_snapshot(&path, 7, 9), Err(SnapshotError::Version { version: 2, .. })));
}

proptest! {
    #[test]
    fn a_flipped_bit_or_a_lost_end_is_always_refused(
        body in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), bit in 0u8..8
    ) {
        let (_folder, path) = written(&body);
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= 1 << bit;
        fs::write(&path, &flipped).unwrap();
        prop_assert!(read_snapshot(&path, 7, 9).is_err());
        fs::write(&path, &bytes[..at.index(bytes.len())]).unwrap();
        prop_assert!(read_snapshot(&path, 7, 9).is_err());
        fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
        prop_assert!(read_snapshot(&path, 7, 9).is_err());
    }
}
