//! The kill latch: who halts, what stops, what the next session does, who lifts it.

use crate::setup::{configuration, latest, replay, run, run_words, session_of, text};
use crate::support::Program;
use rustix::process::{Pid, Signal, kill_process};
use spinward_engine::words::{Command, FrameKind};
use spinward_recorder::{AuditReader, AuditRecord, Followed, JournalFollower, SessionFolder};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

/// A session that runs beside the test.
struct Running<'a> {
    program: &'a Program,
    child: Child,
    session: SessionFolder,
    socket: String,
}

/// How long anything may take that the test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

impl<'a> Running<'a> {
    fn start(program: &'a Program, words: &[&str]) -> Self {
        let before = latest(program).map(|session| session.id().to_owned());
        let mut words = words.to_vec();
        words.extend(["--duration", "1h", "--pace", "realtime", "--topology", "fused"]);
        let child = program
            .command(&run_words(&words))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let session = until("the session's socket", || {
            latest(program).filter(|session| {
                Some(session.id()) != before.as_deref() && session.path().join("operator.sock").exists()
            })
        });
        let socket = text(&session.path().join("operator.sock")).to_owned();
        Self { program, child, session, socket }
    }

    /// What `spinward control` answers.
    fn control(&self, words: &[&str]) -> String {
        self.program.run(&[&["control", "--socket", &self.socket], words].concat()).with_code(0).out
    }

    /// A number of the status.
    fn number(&self, name: &str) -> u64 {
        let status = self.control(&["status"]);
        let mut words = status.split_whitespace();
        words.find(|word| *word == name).unwrap_or_else(|| panic!("no {name} in {status:?}"));
        words.next().unwrap().parse().unwrap()
    }

    fn state(&self) -> String {
        let status = self.control(&["status"]);
        let mut words = status.split_whitespace().skip_while(|word| *word != "state");
        words.nth(1).unwrap_or_else(|| panic!("no state in {status:?}")).to_owned()
    }

    /// Until the session has done all that a command of `owner` caused.
    fn until_taken(&self, owner: &str) {
        let mut follower = JournalFollower::new(&self.session.journal());
        let frame = until("the command's frame", || {
            while let Ok(Followed::Frame(frame)) = follower.poll() {
                if frame.kind() == Some(FrameKind::Operator)
                    && bytemuck::pod_read_unaligned::<Command>(frame.payload).owner.as_str() == owner
                {
                    return Some(frame.sequence);
                }
            }
            None
        });
        // Timer ticks alone bring ten frames a second; what was decided two frames ago is done.
        until("the frames after it", || (self.number("frames") > frame + 2).then_some(()));
    }

    /// Ends it as Ctrl-C does.
    fn end(self) -> Output {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait_with_output().unwrap()
    }
}

/// Asks until there is an answer.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_kill_cancels_everything_and_holds_until_its_owner_lifts_it() {
    let program = Program::new();
    let config = configuration(&program, &[("arrivals = \"bursts\"", "arrivals = \"even\"")]);
    let config = ["--config", text(&config), "--seed", "21"];
    let file = program.path("sessions/synthetic.halted.toml");

    // Killed with orders in the market: they are cancelled and none follows.
    let running = Running::start(&program, &config);
    until("an open order", || (running.number("open") > 0).then_some(()));
    let misspelt =
        program.run(&["control", "--socket", &running.socket, "--json", "kil", "desk"]).with_code(1);
    assert_eq!(misspelt.json()["ok"], false);
    running.control(&["kill", "desk", "fat", "finger"]);
    until("the halt", || (running.state() == "halted").then_some(()));
    until("the cancels", || (running.number("open") == 0).then_some(()));
    until("the latch file", || file.exists().then_some(()));
    let (session, socket) = (running.session.clone(), running.socket.clone());
    let ended = running.end();
    program.run(&["control", "--socket", &socket, "status"]).with_code(2);
    assert!(ended.status.success(), "{ended:?}");
    let summary: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(summary["trading_state"], "halted");
    assert_eq!(summary["open_orders"], 0);
    assert!(summary["orders"].as_u64().unwrap() > 0);
    replay(&program, session.path(), "fused");
    assert!(cancels_after_the_halt(&session) > 0, "there were orders to cancel");

    // The next session begins halted and says why; not an order leaves.
    let again =
        program.run(&run_words(&[&config[..], &["--duration", "1s", "--pace", "max"]].concat())).with_code(0);
    assert!(again.err.contains("halted by desk") && again.err.contains("fat finger"), "{}", again.err);
    let summary = again.json();
    assert_eq!((&summary["orders"], &summary["trading_state"]), (&0.into(), &"halted".into()), "{summary}");
    assert!(summary["intents"].as_u64().unwrap() > 0, "the strategies would have traded: {summary}");
    replay(&program, &session_of(&program, &summary), "split");

    // Somebody else cannot lift it; the owner can.
    let running = Running::start(&program, &config);
    until("the halt", || (running.state() == "halted").then_some(()));
    let refused =
        running.program.run(&["control", "--socket", &running.socket, "resume", "other"]).with_code(1);
    assert!(refused.out.contains("risk refused it"), "{}", refused.out);
    running.until_taken("other");
    assert_eq!(running.state(), "halted");
    assert_eq!(running.number("orders"), 0);
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"desk\""), "the latch is still the desk's");
    assert_eq!(running.control(&["resume", "desk"]).trim(), "done");
    until("normal trading", || (running.state() == "normal").then_some(()));
    until("an order", || (running.number("orders") > 0).then_some(()));
    until("the latch file to go", || (!file.exists()).then_some(()));
    let session = running.session.clone();
    assert!(running.end().status.success());
    replay(&program, session.path(), "fused");

    let after = run(&program, &[&config[..], &["--duration", "1s", "--pace", "max"]].concat());
    assert_eq!(after["trading_state"], "normal");
    assert!(after["orders"].as_u64().unwrap() > 0);
}

/// From the audit: after the halt only cancels are approved; how many.
fn cancels_after_the_halt(session: &SessionFolder) -> usize {
    let mut audit = AuditReader::open(&session.audit()).unwrap();
    let (mut is_halted, mut cancels) = (false, 0);
    while let Some(record) = audit.next().unwrap() {
        match record {
            AuditRecord::State { change, .. } => {
                assert_eq!((change.owner.as_str(), change.reason()), ("desk", "fat finger"));
                is_halted = true;
            }
            AuditRecord::Verdict { verdict, .. } if is_halted && verdict.is_approved() => {
                assert_eq!(verdict.action_number, 2, "only cancels leave: {verdict:?}");
                cancels += 1;
            }
            AuditRecord::Verdict { .. }
            | AuditRecord::Report { .. }
            | AuditRecord::Digests { .. }
            | AuditRecord::End { .. } => {}
        }
    }
    assert!(is_halted, "no halt in the audit");
    cancels
}

#[test]
fn a_halt_holds_when_another_session_is_resumed() {
    let program = Program::new();
    let config = configuration(&program, &[]);
    let config = ["--config", text(&config), "--seed", "22", "--pace", "max"];
    let sound = session_of(&program, &run(&program, &[&config[..], &["--duration", "1s"]].concat()));
    let latch = "owner = \"desk\"\nreason = \"fat finger\"\nsince = \"2026-01-05T14:30:00Z\"\nsession = \"another\"\n";
    std::fs::write(program.path("sessions/synthetic.halted.toml"), latch).unwrap();
    let resumed = run(&program, &[&config[..], &["--duration", "1s", "--resume", text(&sound)]].concat());
    assert_eq!(resumed["trading_state"], "halted", "{resumed}");
}

#[test]
fn a_halted_session_that_is_killed_leaves_its_halt_to_the_next_resumed_or_not() {
    let program = Program::new();
    let config = configuration(&program, &[("arrivals = \"bursts\"", "arrivals = \"even\"")]);
    let config = ["--config", text(&config), "--seed", "23"];
    let mut running = Running::start(&program, &config);
    until("an order", || (running.number("orders") > 0).then_some(()));
    running.control(&["kill", "desk", "fat", "finger"]);
    until("the halt", || (running.state() == "halted").then_some(()));
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    // Whether the latch came to the disk before the kill or not: the journal has it.
    let file = program.path("sessions/synthetic.halted.toml");
    if file.exists() {
        std::fs::remove_file(&file).unwrap();
    }
    // A session that resumes nothing: halted all the same.
    let fresh = run_words(&[&config[..], &["--duration", "100ms", "--pace", "max"]].concat());
    let said = program.run(&fresh).with_code(0);
    assert!(said.err.contains("halted by desk"), "{}", said.err);
    assert_eq!(said.json()["trading_state"], "halted");
    std::fs::remove_file(&file).unwrap();
    let left = text(running.session.path());
    let resumed = [&config[..], &["--resume", left, "--duration", "1s", "--pace", "max"]].concat();
    let said = program.run(&run_words(&resumed)).with_code(0);
    assert!(said.err.contains("halted"), "{}", said.err);
    let summary = said.json();
    assert_eq!(summary["trading_state"], "halted", "{summary}");
    let after = SessionFolder::open(&session_of(&program, &summary)).unwrap();
    // Orders that the kill left open are cancelled at once, if there were any.
    cancels_after_the_halt(&after);
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"desk\""), "the latch is on the disk again");
}
