//! Reading segments where they lie: as they were written, or compressed.
//!
//! A compressed segment `00000007.seg.zst` is a skippable zstd frame that holds the header page, so that it can be looked at without
//! decompressing, and behind it zstd frames that give the sealed file back byte for byte (`zstd -d` does, too). If both files are there, the
//! compressing was interrupted, and the one that was written counts.

use crate::error::JournalError;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::segment::{file_name, number_of};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What a compressed segment's name has behind that of the segment.
pub(crate) const COMPRESSED: &str = ".zst";

/// Magic of a skippable frame (RFC 8878, section 3.1.2).
const SKIPPABLE: u32 = 0x184D_2A50;
const SKIPPABLE_HEADER_BYTES: usize = 8;

/// Name of the n-th segment's file once it is compressed.
pub(crate) fn compressed_name(number: u64) -> String {
    format!("{}{COMPRESSED}", file_name(number))
}

pub(crate) fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "zst")
}

/// The segments of a folder, by number. Other files are not looked at.
pub(crate) fn segments_of(folder: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let failed = |error| JournalError::io("list", folder, error);
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| number_of(name.strip_suffix(COMPRESSED).unwrap_or(name)));
        if let Some(number) = number {
            segments.push((number, entry.path()));
        }
    }
    // `….seg` sorts before `….seg.zst`.
    segments.sort();
    segments.dedup_by_key(|(number, _)| *number);
    Ok(segments)
}

/// Opens a segment's file; if it was compressed since its name was read, the compressed one, and tells its path.
pub(crate) fn open(path: &mut PathBuf) -> Result<File, JournalError> {
    match File::open(&*path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_compressed(path) => {
            let mut name = path.clone().into_os_string();
            name.push(COMPRESSED);
            match File::open(&name) {
                Ok(file) => {
                    *path = name.into();
                    Ok(file)
                }
                Err(_) => Err(JournalError::io("open", path, error)),
            }
        }
        opened => opened.map_err(|error| JournalError::io("open", path, error)),
    }
}

/// Reads all of a segment, as it was before it was compressed, into `bytes`.
///
/// A compressed one whose bytes are not what was written is [`JournalError::Corrupt`].
pub(crate) fn read(path: &mut PathBuf, bytes: &mut Vec<u8>, last_sequence: u64) -> Result<(), JournalError> {
    bytes.clear();
    let mut file = open(path)?;
    let failed = |error| JournalError::io("read", path, error);
    if !is_compressed(path) {
        return file.read_to_end(bytes).map(|_| ()).map_err(failed);
    }
    let corrupt = |what: String| JournalError::Corrupt { path: path.clone(), offset: 0, what, last_sequence };
    let page = header_page(&mut file).map_err(failed)?;
    let Some(page) = page else {
        return Err(corrupt("it does not begin with a segment's header page".to_owned()));
    };
    let most = crate::format::word(&page, 16).min(crate::format::SEGMENT_BYTES_MAX);
    let decoder = zstd::stream::read::Decoder::new(file).map_err(failed)?;
    // One byte more than a segment may have, so that a longer one is seen and memory stays bounded.
    match decoder.take(most + 1).read_to_end(bytes) {
        Ok(_) => {}
        // An error of the system has a number; those of the decompressor have none.
        Err(error) if error.raw_os_error().is_some() => return Err(failed(error)),
        Err(error) => return Err(corrupt(format!("it cannot be decompressed: {error}"))),
    }
    if bytes.get(..SEGMENT_HEADER_BYTES) != Some(page.as_slice()) {
        return Err(corrupt("its header page and what was compressed disagree".to_owned()));
    }
    Ok(())
}

/// The header page in front of the compressed bytes; `None` if it is not there.
fn header_page(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut front = vec![0u8; SKIPPABLE_HEADER_BYTES + SEGMENT_HEADER_BYTES];
    let count = read_up_to(file, &mut front)?;
    let prefix = u64::from(SKIPPABLE) | (SEGMENT_HEADER_BYTES as u64) << 32;
    if count < front.len() || crate::format::word(&front, 0) != prefix {
        return Ok(None);
    }
    Ok(Some(front.split_off(SKIPPABLE_HEADER_BYTES)))
}

/// A segment's header page, and how many bytes its file has. Fewer than a page's bytes if the file is shorter.
pub(crate) fn read_page(path: &mut PathBuf) -> Result<(Vec<u8>, u64), JournalError> {
    let mut file = open(path)?;
    let failed = |error| JournalError::io("read", path, error);
    let bytes = file.metadata().map_err(failed)?.len();
    if is_compressed(path) {
        return Ok((header_page(&mut file).map_err(failed)?.unwrap_or_default(), bytes));
    }
    let mut page = vec![0u8; SEGMENT_HEADER_BYTES];
    let count = read_up_to(&mut file, &mut page).map_err(failed)?;
    page.truncate(count);
    Ok((page, bytes))
}

/// Writes the compressed form of a sealed segment's bytes.
pub(crate) fn write_compressed(to: &File, bytes: &[u8], level: i32) -> io::Result<()> {
    let mut to = to;
    to.write_all(&SKIPPABLE.to_le_bytes())?;
    to.write_all(&(SEGMENT_HEADER_BYTES as u32).to_le_bytes())?;
    to.write_all(bytes.get(..SEGMENT_HEADER_BYTES).unwrap_or(bytes))?;
    let mut encoder = zstd::stream::write::Encoder::new(to, level)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.write_all(bytes)?;
    encoder.finish()?.flush()
}

/// Reads until the buffer is full or the file ends.
pub(crate) fn read_up_to(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => count += read,
        }
    }
    Ok(count)
}
