//! What a fault of the storage does to a whole session: what the user sees, what is lost, what trading does. The table is in `docs/durability.md`.

use crate::setup::{configuration, digests, replay, run, run_words, session_of, text};
use crate::support::Program;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

#[test]
fn every_level_of_durability_gives_the_same_session_and_a_slow_disk_only_a_slower_one() {
    let program = Program::new();
    let mut seen = None;
    for (level, audit, delay) in [
        ("process", "process", "0ns"),
        ("flush=5ms", "flush=1ms", "0ns"),
        ("sync", "sync", "0ns"),
        ("sync", "sync", "3ms"),
    ] {
        let (level, audit) =
            (format!("\ndurability = \"{level}\""), format!("audit_durability = \"{audit}\""));
        let delay = format!("flush_delay = \"{delay}\"");
        let config = configuration(
            &program,
            &[
                ("\ndurability = \"process\"", &level),
                ("audit_durability = \"process\"", &audit),
                ("flush_delay = \"0ns\"", &delay),
                ("entry_imbalance_ppm = 600000", "entry_imbalance_ppm = 200000"),
            ],
        );
        let words = ["--config", text(&config), "--duration", "300ms", "--seed", "5", "--pace", "max"];
        let summary = run(&program, &words);
        let found = digests(&summary);
        assert!(found.iter().any(|(stage, records, _)| stage == "verdicts" && *records > 10), "{found:?}");
        assert_eq!(seen.get_or_insert(found.clone()), &found, "{level} {audit} {delay}");
        let session = session_of(&program, &summary);
        replay(&program, &session, "fused");
        let verified = program.run(&["journal", "verify", text(&session), "--json"]).with_code(0).json();
        assert_eq!(verified["ended_by_writer"], true);
    }
}

/// A small file system, taken away when dropped.
pub(crate) struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    pub(crate) fn mount(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(at)
            .stderr(std::process::Stdio::null())
            .status();
        status.is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_halts_the_session_names_itself_loses_nothing_and_the_halt_stays_for_the_next_session() {
    let program = Program::new();
    let Some(disk) = SmallDisk::mount(&program.path("small"), 16 << 20) else {
        println!("SKIPPED: a_full_disk_halts_the_session… needs the right to mount a tmpfs (root)");
        return;
    };
    let config = configuration(&program, &[("segments_ahead = 2 ", "segments_ahead = 1 ")]);
    let words = [
        "--config",
        text(&config),
        "--duration",
        "600s",
        "--seed",
        "5",
        "--pace",
        "max",
        "--sessions",
        text(&disk.0),
    ];
    let said = program.run(&run_words(&words)).with_code(1);
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("could not be written") && told.contains("no order left after that"), "{told}");
    assert!(told.contains("disk full"), "{told}");
    let session = spinward_recorder::SessionFolder::latest(&disk.0, None).unwrap();
    let verified = program.run(&["journal", "verify", text(session.path()), "--json"]).with_code(0).json();
    let frames = verified["frames"].as_u64().unwrap();
    assert!(frames > 10_000, "{verified}");
    // Frames that came while the session was being halted are not in the journal, so the replay is its beginning; no order left for them.
    let words = ["replay", text(session.path()), "--topology", "fused", "--idle", "yield", "--json"];
    let replayed = program.run(&words).with_code(1).json();
    assert!(replayed["comparison"].as_str().unwrap().starts_with("equal at"), "{replayed}");
    assert_eq!(
        replayed["frames"].as_u64().unwrap() + replayed["incomplete_frames"].as_u64().unwrap(),
        frames
    );
    // There is room again, and whoever starts the next session is told that it is halted, and why.
    std::fs::remove_dir_all(session.journal()).unwrap();
    let words = ["--config", text(&config), "--duration", "1s", "--pace", "max", "--sessions", text(&disk.0)];
    let said = program.run(&run_words(&words)).with_code(0);
    assert!(said.err.contains("halted by journal"), "{}", said.err);
    assert_eq!(said.json()["trading_state"], "halted");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_runs() {
    let program = Program::new();
    let folder = program.path("readonly");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    let place = if std::fs::write(folder.join("probe"), "").is_ok() {
        // Root may write everywhere; nobody may write here.
        std::path::PathBuf::from("/proc/spinward-sessions")
    } else {
        folder
    };
    let words = ["--duration", "1s", "--sessions", text(&place)];
    let said = program.run(&run_words(&words));
    assert!(said.code == 1 || said.code == 2, "{said:?}");
    assert!(said.err.contains(text(&place)), "{}", said.err);
}
