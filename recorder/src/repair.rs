//! [`repair`]: cuts the torn tail off a stream, so that readers find a clean end. What is cut off is kept beside.

use crate::cut::Cut;
use crate::error::JournalError;
use crate::format::{
    HeaderCheck, SEAL_OFFSET, SEAL_WORDS, SEGMENT_HEADER_BYTES, SegmentHeader, StreamKind, nonzero,
};
use crate::storage::{ClaimError, LOCK_FILE, claim_file};
use crate::stored::{self, is_compressed, segments_of};
use crate::verify::verify_stream;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What was mended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repaired {
    /// The torn tail; `None` if there was none, and nothing was changed.
    pub cut: Option<Cut>,
    /// Where the bytes are that were cut off.
    pub kept: Vec<PathBuf>,
    /// Prepared segments without a byte in them that were removed.
    pub removed: u64,
    /// Last record of the stream now.
    pub last_sequence: u64,
}

/// Cuts a stream behind its last whole record. Segments that were prepared behind it and hold nothing are removed. The stream stays unsealed: that it
/// was not ended by its writer remains to be seen.
///
/// Interrupted at any point it can be called again.
///
/// # Errors
/// [`JournalError::InUse`] if its writer lives; damage that is not a torn tail, which is left as it is; the system's own.
pub fn repair(folder: &Path, kind: StreamKind) -> Result<Repaired, JournalError> {
    let lock = folder.join(LOCK_FILE);
    let _lock = claim_file(&lock).map_err(|error| match error {
        ClaimError::Held(holder) => JournalError::InUse { folder: folder.to_owned(), holder },
        ClaimError::Io(error) => JournalError::io("write", &lock, error),
    })?;
    let found = verify_stream(folder, kind)?;
    let mut repaired =
        Repaired { cut: found.cut.clone(), kept: Vec::new(), removed: 0, last_sequence: found.frames };
    let Some(cut) = found.cut else { return Ok(repaired) };
    let segments = segments_of(folder)?;
    let place = segments.iter().position(|(_, path)| *path == cut.path);
    let Some(place) = place else {
        return Err(JournalError::io("find", &cut.path, io::ErrorKind::NotFound.into()));
    };
    // From the end on, so that what is left when this is interrupted is still a torn tail.
    for (_, path) in segments.iter().skip(place + 1).rev() {
        set_aside(path, 0, &mut repaired)?;
        std::fs::remove_file(path).map_err(|error| JournalError::io("remove", path, error))?;
    }
    set_aside(&cut.path, cut.offset, &mut repaired)?;
    if cut.offset < SEGMENT_HEADER_BYTES as u64 {
        std::fs::remove_file(&cut.path).map_err(|error| JournalError::io("remove", &cut.path, error))?;
    } else {
        cut_file(&cut, kind)?;
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| JournalError::io("sync", folder, error))?;
    Ok(repaired)
}

/// Keeps what lies behind an offset, if there is a byte that is not zero.
fn set_aside(path: &Path, offset: u64, repaired: &mut Repaired) -> Result<(), JournalError> {
    let mut bytes = Vec::new();
    stored::read(&mut path.to_owned(), &mut bytes, repaired.last_sequence)?;
    let behind = bytes.get(offset as usize..).unwrap_or(&[]);
    let Some(last) = behind.iter().rposition(|&byte| byte != 0) else {
        repaired.removed += u64::from(offset == 0);
        return Ok(());
    };
    let behind = behind.get(..=last).unwrap_or(behind);
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    for number in 1..=u32::MAX {
        let kept = path.with_file_name(format!("{name}.cut-{offset}.{number}"));
        match OpenOptions::new().write(true).create_new(true).open(&kept) {
            Ok(mut file) => {
                file.write_all(behind)
                    .and_then(|()| file.sync_all())
                    .map_err(|error| JournalError::io("write", &kept, error))?;
                repaired.kept.push(kept);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(JournalError::io("create", &kept, error)),
        }
    }
    Err(JournalError::io("create", path, io::ErrorKind::AlreadyExists.into()))
}

/// Zeros from the cut to the end of the segment, and no seal, as of a segment that was being written.
fn cut_file(cut: &Cut, kind: StreamKind) -> Result<(), JournalError> {
    let path = &cut.path;
    let failed = |operation| move |error| JournalError::io(operation, path, error);
    if is_compressed(path) {
        // It was whole when it was compressed.
        let what = "a compressed segment has no torn tail".to_owned();
        let last_sequence = cut.last_sequence;
        return Err(JournalError::Corrupt { path: path.clone(), offset: cut.offset, what, last_sequence });
    }
    let (page, bytes) = stored::read_page(&mut path.clone())?;
    let HeaderCheck::Published(header, _) = SegmentHeader::check(&page, kind) else { return Ok(()) };
    let file = OpenOptions::new().write(true).open(path).map_err(failed("open"))?;
    if bytes > cut.offset {
        file.set_len(cut.offset).map_err(failed("truncate"))?;
    }
    if nonzero(&page, SEAL_OFFSET, SEAL_OFFSET + SEAL_WORDS * 8).is_some() {
        file.write_all_at(&[0; SEAL_WORDS * 8], SEAL_OFFSET as u64).map_err(failed("write"))?;
    }
    file.set_len(header.segment_bytes).map_err(failed("extend"))?;
    file.sync_all().map_err(failed("sync"))
}
