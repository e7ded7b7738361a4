//! Sessions written by the first release of the format (version 1), one ended and one killed, as files in `tests/fixtures/version-1`.

use crate::common::{folder, read};
use spinward_recorder::{
    AuditReader, Followed, JournalFollower, Lives, Manifest, SessionFolder, StreamKind, segments, verify,
    verify_stream,
};
use std::path::{Path, PathBuf};

/// Puts the fixtures' files, decompressed, where a test may use them.
fn unpack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            unpack(&path, &to.join(name));
        } else {
            let bytes = zstd::decode_all(std::fs::File::open(&path).unwrap()).unwrap();
            std::fs::write(to.join(name.strip_suffix(".zst").unwrap()), bytes).unwrap();
        }
    }
}

fn sessions(root: &Path) -> [SessionFolder; 2] {
    unpack(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/version-1"), root);
    ["ended", "killed"].map(|name| SessionFolder::latest(root, Some(name)).unwrap())
}

#[test]
fn sessions_of_version_1_are_read_verified_listed_and_followed() {
    let root = folder();
    let [ended, killed] = sessions(root.path());
    for (session, frames, is_ended) in [(&ended, 488, true), (&killed, 2_177, false)] {
        assert_eq!(Manifest::read(&session.manifest()).unwrap().journal_format, 1);
        let found = verify(&session.journal()).unwrap();
        assert_eq!((found.frames, found.is_ended_by_writer), (frames, is_ended));
        assert_eq!((found.format, found.segments_chained, found.chain), (Some(1), 0, None));
        assert!(found.cut.is_none());
        let (given, end) = read(&session.journal());
        assert_eq!((given.len() as u64, end.unwrap().is_ended_by_writer()), (frames, is_ended));
        for kind in [StreamKind::Audit, StreamKind::Orders, StreamKind::Exits] {
            let folder = match kind {
                StreamKind::Audit => session.audit(),
                StreamKind::Orders => session.orders(),
                StreamKind::Journal | StreamKind::Exits => session.exits(),
            };
            assert!(verify_stream(&folder, kind).unwrap().frames > 0, "{kind:?}");
        }
        let mut follower = JournalFollower::new(&session.journal());
        while matches!(follower.poll().unwrap(), Followed::Frame(_)) {}
        assert_eq!(follower.last_sequence(), frames);
        let listed = segments(&session.journal()).unwrap();
        assert_eq!(listed[0].first_sequence, Some(1));
        assert!(listed.iter().any(|segment| segment.state == "sealed" && segment.digest.is_none()));
        let mut audit = AuditReader::open(&session.audit()).unwrap();
        while audit.next().unwrap().is_some() {}
        let mut lives = Lives::open(&session.orders(), &session.exits()).unwrap();
        while lives.next().unwrap().is_some() {}
    }
}

#[test]
fn damage_in_a_session_of_version_1_is_still_named() {
    let root = folder();
    let [ended, _] = sessions(root.path());
    let path = ended.journal().join("00000001.seg");
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        std::fs::write(&path, flipped).unwrap();
        let error = verify(&ended.journal()).unwrap_err();
        assert!(error.to_string().contains("00000001.seg"), "byte {at}: {error}");
    }
}
