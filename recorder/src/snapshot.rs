//! Snapshots on disk: the engine's state after a frame, so that a restart need not begin at the first one. What the bytes of the state mean is the business of whoever made
//! them; here they are kept whole. `docs/journal-format.md` has the file byte by byte.

use crate::error::JournalError;
use spinward_engine::words::Nanos;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The version that this program writes and reads: a state is of use only to the program that knows each of its fields, so there is no other.
pub const SNAPSHOT_VERSION: u32 = 1;

/// How many snapshots of a session are kept: the last one, and the one before in case that is damaged or ahead of a journal that lost its end.
pub const SNAPSHOTS_KEPT: usize = 2;

const MAGIC: &[u8; 8] = b"SPWSNAP\0";
const HEADER_BYTES: usize = 64;
const DIGEST_BYTES: usize = 32;
const SUFFIX: &str = ".snap";

/// No state is larger: 2^26 orders of 32 bytes and everything else.
const BODY_BYTES_MAX: u64 = 4 << 30;

/// Of which session and frame a snapshot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotHead {
    /// The session's number, as in its segments.
    pub session: u64,
    /// Everything up to and including this frame is in it, and the frame ends a message.
    pub frame: u64,
    /// Receive time of that frame.
    pub receive_time: Nanos,
    /// Digest of the configuration's text, as in the manifest.
    pub config: u64,
}

/// A snapshot that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrittenSnapshot {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Why a snapshot is not to be had, or not to be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] JournalError),
    /// The bytes are not those that were written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that shows.
        what: &'static str,
    },
    /// Written by another version of the program.
    #[error("{} has snapshot version {version}; this program knows {SNAPSHOT_VERSION} alone", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// Whole, but of something else.
    #[error("{} is of another {what} than the session", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Session, configuration or frame.
        what: &'static str,
    },
}

/// Writes a snapshot into `folder`, which is made if need be: beside, flushed, renamed, the folder flushed; so that a kill leaves it whole or not there. Then all but the
/// last [`SNAPSHOTS_KEPT`] are removed.
///
/// # Errors
/// The system refuses. What was begun is removed.
pub fn write_snapshot(
    folder: &Path,
    head: &SnapshotHead,
    body: &[u8],
) -> Result<WrittenSnapshot, SnapshotError> {
    fs::create_dir_all(folder).map_err(|error| JournalError::io("create", folder, error))?;
    let path = folder.join(format!("{:020}{SUFFIX}", head.frame));
    let temporary = folder.join(format!("{:020}{SUFFIX}.tmp", head.frame));
    let written = write(&temporary, head, body)
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| File::open(folder)?.sync_all());
    if let Err(error) = written {
        // Gone already is good, too.
        let _ = fs::remove_file(&temporary);
        return Err(JournalError::io("write", &path, error).into());
    }
    for old in snapshots(folder)?.into_iter().skip(SNAPSHOTS_KEPT) {
        fs::remove_file(&old).map_err(|error| JournalError::io("remove", &old, error))?;
    }
    Ok(WrittenSnapshot { path, bytes: (HEADER_BYTES + body.len() + DIGEST_BYTES) as u64 })
}

fn write(path: &Path, head: &SnapshotHead, body: &[u8]) -> io::Result<()> {
    let header = encode(head, body.len() as u64);
    let mut hasher = blake3::Hasher::new();
    hasher.update(&header);
    hasher.update(body);
    let mut file = File::create(path)?;
    file.write_all(&header)?;
    file.write_all(body)?;
    file.write_all(hasher.finalize().as_bytes())?;
    file.sync_all()
}

fn encode(head: &SnapshotHead, body: u64) -> [u8; HEADER_BYTES] {
    let SnapshotHead { session, frame, receive_time, config } = head;
    let fields = [
        u64::from_le_bytes(*MAGIC),
        SNAPSHOT_VERSION.into(),
        *session,
        *frame,
        receive_time.get() as u64,
        *config,
        body,
        0,
    ];
    let mut header = [0; HEADER_BYTES];
    for (to, field) in header.chunks_exact_mut(8).zip(fields) {
        to.copy_from_slice(&field.to_le_bytes());
    }
    header
}

/// The snapshots in `folder`, the newest first. A folder that is not there holds none; what a kill left half-written is none.
///
/// # Errors
/// [`SnapshotError::Io`] if the folder cannot be listed.
pub fn snapshots(folder: &Path) -> Result<Vec<PathBuf>, SnapshotError> {
    let failed = |error| SnapshotError::Io(JournalError::io("list", folder, error));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let frame = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(SUFFIX))
            .filter(|digits| digits.len() >= 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<u64>().ok());
        found.extend(frame.map(|frame| (frame, path)));
    }
    found.sort_unstable();
    Ok(found.into_iter().rev().map(|(_, path)| path).collect())
}

/// Reads a snapshot of this session and configuration: its head and the bytes of the state, whole as they were written.
///
/// # Errors
/// [`SnapshotError`]; nothing of it may be used then.
pub fn read_snapshot(
    path: &Path,
    session: u64,
    config: u64,
) -> Result<(SnapshotHead, Vec<u8>), SnapshotError> {
    let damaged = |what| SnapshotError::Damaged { path: path.to_owned(), what };
    let failed = |error| SnapshotError::Io(JournalError::io("read", path, error));
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let least = (HEADER_BYTES + DIGEST_BYTES) as u64;
    if length < least || length - least > BODY_BYTES_MAX {
        return Err(damaged("no snapshot has this size"));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.read_to_end(&mut bytes).map_err(failed)?;
    let Some((signed, digest)) = bytes.split_last_chunk::<DIGEST_BYTES>() else {
        return Err(damaged("no snapshot has this size"));
    };
    let field = |index: usize| {
        let bytes = signed.get(index * 8..).and_then(|rest| rest.first_chunk::<8>());
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    if field(0) != u64::from_le_bytes(*MAGIC) {
        return Err(damaged("it does not begin as a snapshot does"));
    }
    // Before the digest, which another version may have elsewhere.
    let version = field(1) as u32;
    if version != SNAPSHOT_VERSION {
        return Err(SnapshotError::Version { path: path.to_owned(), version });
    }
    if blake3::hash(signed).as_bytes() != digest {
        return Err(damaged("its digest is not that of its bytes"));
    }
    if field(6) != length - least {
        return Err(damaged("it says another size than it has"));
    }
    let head = SnapshotHead {
        session: field(2),
        frame: field(3),
        receive_time: Nanos::new(field(4) as i64),
        config: field(5),
    };
    let foreign = |what| SnapshotError::Foreign { path: path.to_owned(), what };
    if head.session != session {
        return Err(foreign("session"));
    }
    if head.config != config {
        return Err(foreign("configuration"));
    }
    bytes.truncate(bytes.len() - DIGEST_BYTES);
    bytes.drain(..HEADER_BYTES);
    Ok((head, bytes))
}

#[cfg(test)]
mod tests;
