//! [`segments`]: what lies in the folder of a stream, without reading its records.

use crate::chain::chain_text;
use crate::error::JournalError;
use crate::format::{HeaderCheck, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, StreamKind};
use crate::stored::{is_compressed, read_page, segments_of};
use std::path::{Path, PathBuf};

/// One segment of a journal.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct SegmentInfo {
    /// File name.
    pub name: String,
    /// Number of its first frame; `None` if nothing was written into it yet.
    pub first_sequence: Option<u64>,
    /// Number of its last frame, if it is sealed.
    pub last_sequence: Option<u64>,
    /// Records, if it is sealed.
    pub records: Option<u64>,
    /// Least and greatest receive time, nanoseconds since 1970, if it is sealed (and not of version 1).
    pub times_ns: Option<(i64, i64)>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes that it has when it is not compressed; of a prepared or damaged one, those of the file.
    pub bytes_written: u64,
    /// Its digest, if it is sealed (and not of version 1).
    pub digest: Option<String>,
    /// Whether it lies compressed.
    pub is_compressed: bool,
    /// `prepared`, `open`, `sealed`, or what is wrong with it.
    pub state: String,
}

/// The segments of a journal, by number. Reads their header pages only.
///
/// # Errors
/// [`JournalError::Io`] if the folder or a file cannot be read. A damaged header is told in the segment's state.
pub fn segments(folder: &Path) -> Result<Vec<SegmentInfo>, JournalError> {
    segments_of_stream(folder, StreamKind::Journal)
}

/// The same for a stream of any kind.
///
/// # Errors
/// As [`segments`].
pub fn segments_of_stream(folder: &Path, kind: StreamKind) -> Result<Vec<SegmentInfo>, JournalError> {
    segments_of(folder)?.into_iter().map(|(_, path)| segment(path, kind)).collect()
}

fn segment(mut path: PathBuf, kind: StreamKind) -> Result<SegmentInfo, JournalError> {
    let (mut page, bytes) = read_page(&mut path)?;
    page.resize(SEGMENT_HEADER_BYTES, 0);
    let mut info = SegmentInfo {
        name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        first_sequence: None,
        last_sequence: None,
        records: None,
        times_ns: None,
        bytes,
        bytes_written: bytes,
        digest: None,
        is_compressed: is_compressed(&path),
        state: String::new(),
    };
    info.state = match SegmentHeader::check(&page, kind) {
        HeaderCheck::Unused => "prepared".to_owned(),
        HeaderCheck::Foreign(_) => format!("not a segment of {}", kind.name()),
        HeaderCheck::Newer(version) => format!("of version {version}, newer than this program"),
        HeaderCheck::Corrupt(why, at) => format!("damaged at offset {at}: {why}"),
        HeaderCheck::Published(header, crc) => {
            info.first_sequence = Some(header.first_sequence);
            match Seal::check(&page, crc, header.version) {
                Ok(Some(seal)) => {
                    info.last_sequence = Some(seal.last_sequence);
                    info.records = Some(seal.records);
                    info.bytes_written = seal.file_bytes(header.segment_bytes);
                    if let Some(chained) = seal.chained {
                        info.digest = Some(chain_text(&chained.digest));
                        let times = (chained.times.least, chained.times.greatest);
                        info.times_ns = (seal.records > 0).then_some(times);
                    }
                    if info.is_compressed { "compressed" } else { "sealed" }.to_owned()
                }
                Ok(None) => "open".to_owned(),
                Err(why) => format!("damaged seal: {why}"),
            }
        }
    };
    Ok(info)
}
