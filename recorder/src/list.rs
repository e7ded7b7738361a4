//! [`segments`]: what lies in the folder of a stream, without reading its records.

use crate::error::JournalError;
use crate::format::{HeaderCheck, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, StreamKind};
use crate::reader::segments_of;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// One segment of a journal.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct SegmentInfo {
    /// File name.
    pub name: String,
    /// Number of its first frame; `None` if nothing was written into it yet.
    pub first_sequence: Option<u64>,
    /// Number of its last frame, if it is sealed.
    pub last_sequence: Option<u64>,
    /// Bytes of the file.
    pub bytes: u64,
    /// `prepared`, `open`, `sealed`, or what is wrong with it.
    pub state: String,
}

/// The segments of a journal, by number.
///
/// # Errors
/// [`JournalError::Io`] if the folder or a file cannot be read. A damaged header is told in the segment's state.
pub fn segments(folder: &Path) -> Result<Vec<SegmentInfo>, JournalError> {
    segments_of(folder)?.into_iter().map(|(_, path)| segment(&path)).collect()
}

fn segment(path: &Path) -> Result<SegmentInfo, JournalError> {
    let failed = |error| JournalError::io("read", path, error);
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    let mut page = Vec::with_capacity(SEGMENT_HEADER_BYTES);
    file.take(SEGMENT_HEADER_BYTES as u64).read_to_end(&mut page).map_err(failed)?;
    page.resize(SEGMENT_HEADER_BYTES, 0);
    let mut info = SegmentInfo {
        name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        first_sequence: None,
        last_sequence: None,
        bytes,
        state: String::new(),
    };
    info.state = match SegmentHeader::check(&page, StreamKind::Journal) {
        HeaderCheck::Unused => "prepared".to_owned(),
        HeaderCheck::Foreign(_) => "not a segment of a journal".to_owned(),
        HeaderCheck::Newer(version) => format!("of version {version}, newer than this program"),
        HeaderCheck::Corrupt(why, at) => format!("damaged at offset {at}: {why}"),
        HeaderCheck::Published(header, crc) => {
            info.first_sequence = Some(header.first_sequence);
            match Seal::check(&page, crc) {
                Ok(Some(seal)) => {
                    info.last_sequence = Some(seal.last_sequence);
                    "sealed".to_owned()
                }
                Ok(None) => "open".to_owned(),
                Err(why) => format!("damaged seal: {why}"),
            }
        }
    };
    Ok(info)
}
