//! A running session to look at from outside.

use super::exposition::Scrape;
use spinward_gateways::operator;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A `spinward run`, killed when dropped.
pub(crate) struct Session {
    child: Option<Child>,
    socket: PathBuf,
    address: String,
}

impl Session {
    /// Starts it in this folder, on the paper venue unless they name another one.
    pub(crate) fn start(folder: &Path, words: &[&str]) -> Self {
        let paper = if words.contains(&"--venue") { &[][..] } else { &["--paper"] };
        let child = Command::new(env!("CARGO_BIN_EXE_spinward"))
            .args(["run", "--sessions", ".", "--quiet", "--metrics", "127.0.0.1:0"])
            .args(paper)
            .args(words)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self::of(child, folder)
    }

    /// One that was started with its sessions in this folder and metrics on a port of the system's choice: waits until the operator's door is open; `status` tells
    /// where the metrics are.
    pub(crate) fn of(child: Child, folder: &Path) -> Self {
        let mut session = Self { child: Some(child), socket: PathBuf::new(), address: String::new() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) =
                session.find_socket(folder).and_then(|socket| operator::send(&socket, "status").ok())
                && let Some((_, url)) = status.split_once("metrics http://")
            {
                session.address = url.split('/').next().unwrap().to_owned();
                return session;
            }
            if session.is_over() || Instant::now() > deadline {
                panic!("the session does not run: {}", session.told());
            }
            std::thread::yield_now();
        }
    }

    fn is_over(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// What it wrote to its standard error until its end.
    fn told(&mut self) -> String {
        let mut told = String::new();
        let pipe = self.child.as_mut().and_then(|child| child.stderr.take());
        pipe.unwrap().read_to_string(&mut told).unwrap();
        told
    }

    /// Fails if it has ended by itself.
    #[track_caller]
    pub(crate) fn check(&mut self) {
        if self.is_over() {
            panic!("the session is over: {}", self.told());
        }
    }

    /// The process, which is the caller's from now on.
    pub(crate) fn release(mut self) -> Child {
        self.child.take().unwrap()
    }

    /// The newest session's socket.
    fn find_socket(&mut self, folder: &Path) -> Option<PathBuf> {
        let sockets =
            std::fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path().join("operator.sock"));
        self.socket = sockets.filter(|path| path.exists()).max()?;
        Some(self.socket.clone())
    }

    /// Commands it; the answer must be `ok`.
    pub(crate) fn command(&self, line: &str) {
        operator::send(&self.socket, line).unwrap();
    }

    /// Commands it; risk must refuse it.
    pub(crate) fn refused(&self, line: &str) {
        let refusal = operator::send(&self.socket, line).unwrap_err().to_string();
        assert!(refusal.contains("risk refused it"), "{refusal}");
    }

    /// Status line and body of an HTTP request.
    pub(crate) fn request(&self, method: &str, path: &str) -> (String, String) {
        request(&self.address, method, path)
    }

    pub(crate) fn scrape(&self) -> Scrape {
        scrape(&self.address)
    }
}

impl Drop for Session {
    /// As a crash would: no good-bye.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Status line and body of an HTTP request.
pub(crate) fn request(address: &str, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), body.len());
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// What is served at this address.
pub(crate) fn scrape(address: &str) -> Scrape {
    let (status, body) = request(address, "GET", "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    Scrape::parse(&body)
}
