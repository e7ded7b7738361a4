//! The server on the side thread.

use super::inbox::{OperatorSender, Outcomes};
use super::line::{LINE_BYTES_MAX, LineError, Request, parse};
use spinward_engine::words::CommandKind;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Most connections at once; one more is told so and closed.
pub const CONNECTIONS_MAX: usize = 8;

/// A connection on which nothing comes for so long is closed.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a command that can be refused is waited for, and from one look to the next.
const OUTCOME_TIMEOUT: Duration = Duration::from_secs(1);
const OUTCOME_LOOK: Duration = Duration::from_millis(1);

const ON_ITS_WAY: &str = "ok on its way\n";
const NO_ROOM: &str =
    "error: the session has not taken the commands before this one; look whether it hangs, and send again\n";

/// After a failed accept (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no operator socket.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// Another process listens there.
    #[error("another session listens at {}; stop it, or give this one another socket", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// There is something that is not a socket.
    #[error("{} exists and is not a socket; remove it, or give another path", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot {what} operator socket {}: {source}", path.display())]
    System {
        /// What was tried.
        what: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A bound socket. Its file is removed when this is dropped, if it is still the same file.
#[derive(Debug)]
pub struct OperatorServer {
    listener: UnixListener,
    _file: SocketFile,
}

impl OperatorServer {
    /// Binds the socket. Call it within a tokio runtime (with I/O and time enabled). The file has mode 0600 from the first moment: it is made in a
    /// folder of its own that nobody else can enter, and moved to its place. A file whose process is dead is replaced.
    ///
    /// # Errors
    /// [`OperatorError`]; whatever stood at the path is as it was.
    pub fn bind(path: &Path) -> Result<Self, OperatorError> {
        let (listener, file) = bind_std(path)?;
        let fail = |source| OperatorError::System { what: "listen at", path: path.to_owned(), source };
        Ok(Self { listener: UnixListener::from_std(listener).map_err(fail)?, _file: file })
    }
    /// Serves until dropped.
    pub async fn run(self, sender: OperatorSender) {
        self.run_with(sender, IDLE_TIMEOUT).await;
    }

    pub(super) async fn run_with(self, sender: OperatorSender, idle: Duration) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((mut stream, _)) => {
                    while connections.try_join_next().is_some() {}
                    if connections.len() < CONNECTIONS_MAX {
                        connections.spawn(talk(stream, sender.clone(), idle));
                    } else {
                        let text = format!(
                            "error: {CONNECTIONS_MAX} connections are open, no more are taken; close one\n"
                        );
                        // Not waited for: a fresh socket has room for a line.
                        let _ = stream.try_write(text.as_bytes());
                        let _ = timeout(Duration::ZERO, stream.shutdown()).await;
                    }
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// Binds the socket and serves until dropped: the two steps in one, for a caller that has nothing to do in between.
///
/// # Errors
/// [`OperatorError`] if the socket cannot be bound.
pub async fn serve(path: &Path, sender: OperatorSender) -> Result<(), OperatorError> {
    OperatorServer::bind(path)?.run(sender).await;
    Ok(())
}

/// The socket and its file, as [`OperatorServer::bind`] makes them, for one who serves it without a runtime. It does not wait.
pub(crate) fn bind_std(path: &Path) -> Result<(StdListener, SocketFile), OperatorError> {
    let fail = |what| move |source| OperatorError::System { what, path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(OperatorError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => match StdStream::connect(path) {
            Ok(_) => return Err(OperatorError::InUse { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(fail("look whether somebody listens at")(error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail("look at")(error)),
    }
    let mut folder = path.as_os_str().to_owned();
    folder.push(format!(".{}", std::process::id()));
    let folder = PathBuf::from(folder);
    DirBuilder::new().mode(0o700).create(&folder).map_err(fail("make a folder beside"))?;
    let made = bind_in(&folder, path);
    let removed = fs::remove_dir(&folder);
    let (listener, file) = made.map_err(fail("bind"))?;
    removed.map_err(fail("remove the folder beside"))?;
    Ok((listener, file))
}

fn bind_in(folder: &Path, path: &Path) -> io::Result<(StdListener, SocketFile)> {
    let fresh = folder.join("s");
    let listener = StdListener::bind(&fresh)?;
    let moved = (|| {
        listener.set_nonblocking(true)?;
        fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
        let found = fs::symlink_metadata(&fresh)?;
        fs::rename(&fresh, path)?;
        Ok(SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    })();
    if moved.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    moved.map(|file| (listener, file))
}

/// Removes the socket's file when it is dropped, unless another has taken its place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// One connection: lines in, answers out, until it is closed, idle or out of bounds.
async fn talk(mut stream: UnixStream, sender: OperatorSender, idle: Duration) {
    let mut buffer = [0u8; LINE_BYTES_MAX + 1];
    let mut filled = 0;
    loop {
        let found = buffer.iter().take(filled).position(|&byte| byte == b'\n');
        if let Some(end) = found {
            let text = answer(buffer.get(..end).unwrap_or_default(), &sender).await;
            buffer.copy_within(end + 1..filled, 0);
            filled -= end + 1;
            if !say(&mut stream, &text, idle).await {
                return;
            }
            continue;
        }
        let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) else {
            say(&mut stream, &format!("error: {}\n", LineError::TooLong), idle).await;
            return;
        };
        match timeout(idle, stream.read(room)).await {
            Ok(Ok(count)) if count > 0 => filled += count,
            // A last line without its end is a line.
            Ok(Ok(_)) if filled > 0 => {
                let text = answer(buffer.get(..filled).unwrap_or_default(), &sender).await;
                say(&mut stream, &text, idle).await;
                return;
            }
            Ok(Ok(_) | Err(_)) | Err(_) => return,
        }
    }
}

/// False if the other end does not take it.
async fn say(stream: &mut UnixStream, text: &str, idle: Duration) -> bool {
    matches!(timeout(idle, stream.write_all(text.as_bytes())).await, Ok(Ok(())))
}

async fn answer(line: &[u8], sender: &OperatorSender) -> String {
    let request = std::str::from_utf8(line).map_err(|_| LineError::NotText).and_then(parse);
    match request {
        Ok(Request::Status) => format!("ok {}\n", sender.status()),
        Ok(Request::Command(command)) => match command.kind() {
            Some(CommandKind::Resume | CommandKind::SetState) => {
                let _turn = sender.turn.lock().await;
                let before = sender.outcomes();
                match sender.send(command) {
                    Ok(()) => outcome(sender, before).await.to_owned(),
                    Err(_) => NO_ROOM.to_owned(),
                }
            }
            // Never refused, and never to wait for another command's outcome.
            Some(CommandKind::Kill | CommandKind::CancelAll) | None => match sender.send(command) {
                Ok(()) => ON_ITS_WAY.to_owned(),
                Err(_) => NO_ROOM.to_owned(),
            },
        },
        Err(error) => format!("error: {error}\n"),
    }
}

/// Waits until risk has acted on the command, at most [`OUTCOME_TIMEOUT`].
async fn outcome(sender: &OperatorSender, before: Option<Outcomes>) -> &'static str {
    let Some(before) = before else { return ON_ITS_WAY };
    let start = Instant::now();
    while start.elapsed() < OUTCOME_TIMEOUT {
        let now = sender.outcomes().unwrap_or(before);
        if now.refused != before.refused {
            return "error: risk refused it: trading is halted, and a halt is lifted by `resume` of its owner or of `operator` only\n";
        }
        if now.obeyed != before.obeyed {
            return "ok done\n";
        }
        tokio::time::sleep(OUTCOME_LOOK).await;
    }
    "ok on its way; the session has not come to it yet, look at `status`\n"
}
