use super::*;
use spinward_engine::words::{Command, CommandKind, TradingState};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A server on a thread of its own, stopped (and waited for) when dropped.
struct Running {
    path: PathBuf,
    inbox: OperatorInbox,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _folder: TempDir,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn start(capacity: usize, idle: Duration) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("operator.sock");
    let (inbox, sender) = operator_queue(capacity);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (bound, is_bound) = std::sync::mpsc::channel();
    let at = path.clone();
    let thread = std::thread::spawn(move || {
        runtime().block_on(async move {
            let server = OperatorServer::bind(&at).unwrap();
            bound.send(()).unwrap();
            tokio::select! { () = server.run_with(sender, idle) => {}, _ = stopped => {} }
        });
    });
    is_bound.recv().unwrap();
    Running { path, inbox, stop: Some(stop), thread: Some(thread), _folder: folder }
}

impl Running {
    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn refusal(path: &Path, line: &str) -> String {
    match send(path, line) {
        Err(SendError::Refused(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn every_command_reaches_the_sequencer_as_its_word() {
    let running = start(8, IDLE_TIMEOUT);
    let lines = [
        "kill alice too many  rejects",
        "resume alice",
        "cancel-all bob",
        "state reduce-only bob",
        "state cancel-only bob",
        "state normal bob",
    ];
    for line in lines {
        assert_eq!(send(&running.path, line).unwrap(), "on its way");
    }
    let commands: Vec<Command> = std::iter::from_fn(|| running.inbox.poll()).collect();
    let found: Vec<_> =
        commands.iter().map(|c| (c.kind().unwrap(), c.state_number, c.owner.as_str(), c.reason())).collect();
    let number = |state: TradingState| state as u8;
    assert_eq!(
        found,
        [
            (CommandKind::Kill, number(TradingState::Halted), "alice", "too many rejects"),
            (CommandKind::Resume, number(TradingState::Normal), "alice", ""),
            (CommandKind::CancelAll, number(TradingState::Normal), "bob", ""),
            (CommandKind::SetState, number(TradingState::ReduceOnly), "bob", ""),
            (CommandKind::SetState, number(TradingState::CancelOnly), "bob", ""),
            (CommandKind::SetState, number(TradingState::Normal), "bob", ""),
        ]
    );
}

#[test]
fn a_wrong_line_is_answered_with_what_is_wrong_and_reaches_nobody() {
    let running = start(8, IDLE_TIMEOUT);
    for (line, part) in [
        ("", "empty line"),
        ("halt me", "unknown command `halt`"),
        ("kill", "needs an owner"),
        ("kill alice", "needs a reason"),
        ("resume", "needs an owner"),
        ("resume alice now", "takes nothing after the owner"),
        ("state halted alice", "unknown state `halted`"),
        ("state", "unknown state ``"),
        ("cancel-all abcdefghijklmnopqrstuvwxyz", "1 to 24"),
        ("cancel-all zoë", "printable ASCII"),
    ] {
        let text = refusal(&running.path, line);
        assert!(text.contains(part), "{line:?}: {text}");
    }
    assert!(running.inbox.poll().is_none());
}

#[test]
fn a_full_queue_is_an_error_line_and_not_a_wait() {
    let running = start(2, IDLE_TIMEOUT);
    send(&running.path, "cancel-all a").unwrap();
    send(&running.path, "cancel-all b").unwrap();
    assert!(refusal(&running.path, "cancel-all c").contains("look whether it hangs"));
    assert_eq!(running.inbox.poll().unwrap().owner.as_str(), "a");
    send(&running.path, "cancel-all d").unwrap();
}

#[test]
fn one_connection_carries_many_lines_and_overlong_ones_end_it() {
    let running = start(8, IDLE_TIMEOUT);
    let mut stream = UnixStream::connect(&running.path).unwrap();
    let reason = "r".repeat(LINE_BYTES_MAX - "kill a ".len());
    write!(stream, "status\nkill a {reason}\nresume a\nkill a {reason}!\nresume b\n").unwrap();
    let mut answers = BufReader::new(stream).lines().map_while(Result::ok);
    assert_eq!(answers.next().unwrap(), "ok 0 of 8 commands wait for the session");
    assert_eq!(answers.next().unwrap(), "ok on its way");
    assert_eq!(answers.next().unwrap(), "ok on its way");
    assert!(answers.next().unwrap().contains("at most 256 bytes"));
    assert_eq!(answers.next(), None, "closed");
    assert_eq!(std::iter::from_fn(|| running.inbox.poll()).count(), 2);
    let mut stream = UnixStream::connect(&running.path).unwrap();
    stream.write_all(b"kill a \xff\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("not UTF-8"), "{answer}");
}

#[test]
fn the_ninth_connection_is_turned_away_and_a_closed_one_makes_room() {
    let running = start(8, IDLE_TIMEOUT);
    let mut open: Vec<UnixStream> = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut stream = UnixStream::connect(&running.path).unwrap();
        stream.write_all(b"status\n").unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        open.push(stream);
    }
    assert!(refusal(&running.path, "status").contains("no more are taken"));
    // The server hears of the closing before the next connection: both come to it by the same poller, in order.
    let last = open.pop().unwrap();
    last.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    (&last).read_to_end(&mut rest).unwrap();
    send(&running.path, "status").unwrap();
}

#[test]
fn an_idle_connection_is_closed() {
    let running = start(8, Duration::from_millis(20));
    let mut stream = UnixStream::connect(&running.path).unwrap();
    stream.write_all(b"stat").unwrap();
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap(), 0, "closed without an answer");
}

#[test]
fn the_socket_is_private_and_goes_with_the_server() {
    let mut running = start(8, IDLE_TIMEOUT);
    let mode = std::fs::metadata(&running.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let beside = std::fs::read_dir(running.path.parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "the folder it was made in is gone");
    running.stop();
    assert!(!running.path.exists());
    assert!(matches!(send(&running.path, "status"), Err(SendError::Connect { .. })));
}

#[test]
fn a_live_socket_is_refused_a_dead_one_replaced_and_a_file_kept() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let _inside = runtime.enter();
    let path = folder.path().join("live.sock");
    let live = OperatorServer::bind(&path).unwrap();
    assert!(matches!(OperatorServer::bind(&path), Err(OperatorError::InUse { .. })));
    drop(live);
    // A listener that dies without cleaning up leaves its file behind.
    let path = folder.path().join("dead.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    drop(OperatorServer::bind(&path).unwrap());
    assert!(!path.exists());
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "keep me").unwrap();
    assert!(matches!(OperatorServer::bind(&path), Err(OperatorError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep me");
}

#[test]
fn a_stopped_server_leaves_the_socket_of_its_successor_alone() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let _inside = runtime.enter();
    let path = folder.path().join("operator.sock");
    let first = OperatorServer::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let second = OperatorServer::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}
