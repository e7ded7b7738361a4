use super::*;
use crate::fingerprint::Fingerprint;
use crate::manifest::{Ended, Host, Manifest, ManifestError};

const NOW: Nanos = Nanos::new(1_795_357_805_123_456_789);

#[test]
fn two_sessions_in_one_second_get_two_folders_and_none_is_touched() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().join("sessions");
    let first = SessionFolder::create(&root, "paper", NOW).unwrap();
    assert_eq!(first.id(), "20261122T143005Z-paper");
    std::fs::write(first.manifest(), "of the first").unwrap();
    let ids: Vec<String> =
        (0..11).map(|_| SessionFolder::create(&root, "paper", NOW).unwrap().id().to_owned()).collect();
    assert_eq!(
        (ids[0].as_str(), ids[10].as_str()),
        ("20261122T143005Z.2-paper", "20261122T143005Z.12-paper")
    );
    assert_eq!(std::fs::read_to_string(first.manifest()).unwrap(), "of the first");
    for folder in [first.journal(), first.audit(), first.latency()] {
        assert!(folder.is_dir());
    }
}

#[test]
fn sessions_are_listed_by_time_and_the_latest_is_found_by_name() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let later = NOW.after(Nanos::from_secs(60));
    for (name, time) in [("b", later), ("a", NOW), ("a-2", NOW), ("a", NOW)] {
        SessionFolder::create(root, name, time).unwrap();
    }
    for _ in 0..10 {
        SessionFolder::create(root, "a", NOW).unwrap();
    }
    std::fs::create_dir(root.join("20261122T143005Z-no_journal")).unwrap();
    std::fs::create_dir(root.join("old-stuff")).unwrap();
    std::fs::write(root.join("20261122T143005Z-file"), "").unwrap();
    let list = SessionFolder::list(root).unwrap();
    assert_eq!(list.len(), 14);
    assert_eq!(list[13].id(), "20261122T143105Z-b");
    assert_eq!(SessionFolder::latest(root, None).unwrap().name(), "b");
    // Numerically: 13 comes after 2.
    assert_eq!(SessionFolder::latest(root, Some("a")).unwrap().id(), "20261122T143005Z.13-a");
    // By their start, though another name has the first of that second.
    let ids: Vec<_> = list[..3].iter().map(SessionFolder::id).collect();
    assert_eq!(ids, ["20261122T143005Z-a", "20261122T143005Z.2-a-2", "20261122T143005Z.3-a"]);
    let error = SessionFolder::latest(root, Some("c")).unwrap_err().to_string();
    assert!(error.contains("holds no session named c"), "{error}");
    assert!(SessionFolder::list(&root.join("nowhere")).unwrap().is_empty());
}

#[test]
fn opening_takes_a_sessions_folder_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let session = SessionFolder::create(root.path(), "x", NOW).unwrap();
    assert_eq!(SessionFolder::open(session.path()).unwrap().id(), session.id());
    assert_eq!(SessionFolder::open(&session.path().join(".")).unwrap().id(), session.id());
    let error = SessionFolder::open(root.path()).unwrap_err();
    assert!(matches!(error, SessionError::NotASession { .. }), "{error}");
    assert!(matches!(SessionFolder::open(&root.path().join("no")).unwrap_err(), SessionError::Io(_)));
}

#[test]
fn names_that_would_leave_the_root_or_hide_are_refused() {
    let root = tempfile::tempdir().unwrap();
    for name in ["", "..", "a/b", "a b", "ä", &"x".repeat(65)] {
        let error = SessionFolder::create(root.path(), name, NOW).unwrap_err();
        assert!(matches!(error, SessionError::Name { .. }), "{name}: {error}");
    }
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

fn manifest() -> Manifest {
    Manifest {
        name: "paper".to_owned(),
        session: "0123456789abcdef".to_owned(),
        started: rfc3339(NOW),
        version: "0.1.0".to_owned(),
        commit: "unknown".to_owned(),
        command_line: vec!["spinward".to_owned(), "run".to_owned(), "--name=\"x\\y\"".to_owned()],
        feed: "synthetic".to_owned(),
        seed: u64::MAX,
        topology: "fused: core 1".to_owned(),
        instruments: vec!["AAPL".to_owned(), "BTCUSDT".to_owned()],
        host: Host::of(&Fingerprint::current()),
        fingerprint: Some(Fingerprint::current()),
        config: "[risk]\nmax = 1\n# '''quotes\"\"\"\n".to_owned(),
        ..Manifest::default()
    }
}

#[test]
fn a_manifest_comes_back_as_it_was_written_and_its_end_is_added_at_one_stroke() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.toml");
    let mut written = manifest();
    written.write(&path).unwrap();
    assert_eq!(Manifest::read(&path).unwrap(), written);
    assert_eq!(written.started, "2026-11-22T14:30:05.123456789Z");
    written.ended =
        Some(Ended { at: rfc3339(NOW), reason: "end of feed".to_owned(), frames: 7, ..Ended::default() });
    written.resumed_from = Some("20261122T143005Z-paper".to_owned());
    written.write(&path).unwrap();
    assert_eq!(Manifest::read(&path).unwrap(), written);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing else stays beside it");
    assert!(!written.host.kernel.is_empty() && written.host.cores > 0);
}

#[test]
fn a_manifest_of_version_1_is_read_without_a_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.toml");
    let mut old = Manifest { fingerprint: None, ..manifest() };
    old.write(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("[fingerprint]"));
    std::fs::write(&path, text.replace("format = 3\njournal", "format = 1\njournal")).unwrap();
    assert_eq!(Manifest::read(&path).unwrap(), Manifest { format: 1, ..old });
}

#[test]
fn a_manifest_of_a_later_version_is_told_apart_from_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.toml");
    manifest().write(&path).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let read_with = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Manifest::read(&path).unwrap_err()
    };
    let error = read_with(&good.replace("format = 3\njournal", "format = 4\nnews = true\njournal"));
    assert!(matches!(error, ManifestError::Newer { format: 4, .. }), "{error}");
    let error = read_with(&good.replace("feed = ", "fede = "));
    assert!(matches!(error, ManifestError::Syntax { .. }), "{error}");
    assert!(error.to_string().contains("fede"), "{error}");
    let error = read_with(&good.replace("max = 1", "max = 2"));
    assert!(matches!(error, ManifestError::Fingerprint { .. }), "{error}");
    let error = read_with("\u{0}");
    assert!(matches!(error, ManifestError::Syntax { .. }), "{error}");
}
