//! [`compact`]: compresses the sealed segments of a stream. What was sealed never changes, so this may be done beside the writer and beside readers.

use crate::chain::digest_of;
use crate::error::JournalError;
use crate::format::{
    HeaderCheck, RecordCheck, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, StreamKind, check_record,
};
use crate::storage::{ClaimError, claim_file};
use crate::stored::{self, compressed_name, is_compressed, segments_of};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Name of the file that keeps two of them apart.
const COMPACT_LOCK: &str = "compact.lock";

/// zstd's own middle: about 250 MB/s here.
pub const COMPACT_LEVEL: i32 = 3;

/// What was compressed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Compacted {
    /// Segments compressed now.
    pub segments: u64,
    /// Segments that lay compressed before.
    pub compressed_before: u64,
    /// Segments left as they are, because they are not sealed.
    pub unsealed: u64,
    /// Bytes of the segments compressed now, before.
    pub bytes_before: u64,
    /// Their bytes now.
    pub bytes_after: u64,
}

/// Compresses every sealed segment. Each one is checked first, read back before the original goes, and put in its place at one stroke; interrupted at
/// any point the stream stays whole, and the next call goes on. `progress` is told of each segment.
///
/// # Errors
/// [`JournalError::InUse`] if another one is at it; [`JournalError::Corrupt`] for a damaged segment, which stays as it is; the system's own.
pub fn compact(
    folder: &Path,
    kind: StreamKind,
    level: i32,
    mut progress: impl FnMut(&Path),
) -> Result<Compacted, JournalError> {
    let _lock = claim(folder)?;
    let mut done = Compacted::default();
    for (number, path) in segments_of(folder)? {
        if is_compressed(&path) {
            done.compressed_before += 1;
            continue;
        }
        let bytes = written(&path)?;
        if !is_sealed_and_whole(&path, &bytes, kind)? {
            done.unsealed += 1;
            continue;
        }
        progress(&path);
        let to = folder.join(compressed_name(number));
        done.bytes_after += replace(&path, &to, &bytes, level)?;
        done.bytes_before += bytes.len() as u64;
        done.segments += 1;
    }
    Ok(done)
}

/// Compresses one segment as [`compact`] does it: the first that is sealed and that `wants` says yes to. `None` if there is none. Of segments that are not
/// sealed only the header pages are read, and only if they are wanted.
///
/// # Errors
/// As [`compact`].
pub fn compact_one(
    folder: &Path,
    kind: StreamKind,
    level: i32,
    mut wants: impl FnMut(&Path) -> bool,
) -> Result<Option<Compacted>, JournalError> {
    for (number, path) in segments_of(folder)? {
        if is_compressed(&path) || !wants(&path) || !is_sealed(&path, kind)? {
            continue;
        }
        let _lock = claim(folder)?;
        let bytes = written(&path)?;
        if !is_sealed_and_whole(&path, &bytes, kind)? {
            continue;
        }
        let to = folder.join(compressed_name(number));
        let bytes_after = replace(&path, &to, &bytes, level)?;
        let bytes_before = bytes.len() as u64;
        return Ok(Some(Compacted { segments: 1, bytes_before, bytes_after, ..Compacted::default() }));
    }
    Ok(None)
}

fn claim(folder: &Path) -> Result<File, JournalError> {
    let lock = folder.join(COMPACT_LOCK);
    claim_file(&lock).map_err(|error| match error {
        ClaimError::Held(holder) => JournalError::InUse { folder: folder.to_owned(), holder },
        ClaimError::Io(error) => JournalError::io("write", &lock, error),
    })
}

fn written(path: &Path) -> Result<Vec<u8>, JournalError> {
    let mut bytes = Vec::new();
    stored::read(&mut path.to_owned(), &mut bytes, 0)?;
    Ok(bytes)
}

/// Whether its header page has a seal.
fn is_sealed(path: &Path, kind: StreamKind) -> Result<bool, JournalError> {
    let (page, _) = stored::read_page(&mut path.to_owned())?;
    if page.len() < SEGMENT_HEADER_BYTES {
        return Ok(false);
    }
    Ok(match SegmentHeader::check(&page, kind) {
        // A damaged seal is told when all of it is read.
        HeaderCheck::Published(header, crc) => !matches!(Seal::check(&page, crc, header.version), Ok(None)),
        HeaderCheck::Unused | HeaderCheck::Newer(_) | HeaderCheck::Foreign(_) | HeaderCheck::Corrupt(..) => {
            false
        }
    })
}

/// Whether there is a seal, behind which everything is what it says.
fn is_sealed_and_whole(path: &Path, bytes: &[u8], kind: StreamKind) -> Result<bool, JournalError> {
    let corrupt = |offset: usize, what: &str, last_sequence| JournalError::Corrupt {
        path: path.to_owned(),
        offset: offset as u64,
        what: what.to_owned(),
        last_sequence,
    };
    if bytes.len() < SEGMENT_HEADER_BYTES {
        return Ok(false);
    }
    let (header, crc) = match SegmentHeader::check(bytes, kind) {
        HeaderCheck::Published(header, crc) => (header, crc),
        HeaderCheck::Unused | HeaderCheck::Newer(_) | HeaderCheck::Foreign(_) => return Ok(false),
        HeaderCheck::Corrupt(what, offset) => return Err(corrupt(offset, what, 0)),
    };
    let before = header.first_sequence.saturating_sub(1);
    let seal = Seal::check(bytes, crc, header.version)
        .map_err(|what| corrupt(crate::format::SEAL_OFFSET, what, before))?;
    let Some(seal) = seal else { return Ok(false) };
    let mut at = SEGMENT_HEADER_BYTES;
    let mut records = 0;
    while (at as u64) < seal.end {
        match check_record(bytes, at, crc) {
            RecordCheck::Valid(length) => at += length,
            RecordCheck::End => return Err(corrupt(at, "no whole record", before + records)),
            RecordCheck::Invalid(what) => return Err(corrupt(at, what, before + records)),
        }
        records += 1;
    }
    if records != seal.records {
        return Err(corrupt(at, "not as many records as the seal tells of", before + records));
    }
    if seal.chained.is_some_and(|chained| chained.digest != digest_of(bytes, &header, &seal)) {
        return Err(corrupt(
            crate::format::SEAL_DIGEST_OFFSET,
            "its bytes are not those that were sealed",
            before,
        ));
    }
    Ok(true)
}

/// Writes the compressed file, reads it back, and puts it in the original's place. Bytes of it.
fn replace(from: &Path, to: &Path, bytes: &[u8], level: i32) -> Result<u64, JournalError> {
    let mut new = to.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let failed = |operation, path: &Path| {
        let path = path.to_owned();
        move |error| JournalError::io(operation, &path, error)
    };
    let file = File::create(&new).map_err(failed("create", &new))?;
    let written = stored::write_compressed(&file, bytes, level).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // What is half written would only take room on a disk that may be full.
        let _ = std::fs::remove_file(&new);
        return Err(JournalError::io("write", &new, error));
    }
    let count = file.metadata().map_err(failed("read", &new))?.len();
    std::fs::rename(&new, to).map_err(failed("rename", &new))?;
    let mut back = Vec::with_capacity(bytes.len());
    stored::read(&mut to.to_owned(), &mut back, 0)?;
    if back != bytes {
        let what = "it does not give back what was compressed".to_owned();
        return Err(JournalError::Corrupt { path: to.to_owned(), offset: 0, what, last_sequence: 0 });
    }
    let folder = to.parent().unwrap_or(Path::new("."));
    let sync = || File::open(folder).and_then(|folder| folder.sync_all());
    // The new name is on the disk before the old one goes.
    sync().map_err(failed("sync", folder))?;
    std::fs::remove_file(from).map_err(failed("remove", from))?;
    sync().map_err(failed("sync", folder))?;
    Ok(count)
}
