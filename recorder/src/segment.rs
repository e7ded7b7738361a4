//! [`Segment`]: one file of a stream while it is written. Reserved on the disk, mapped and present before the writer sees it.

use crate::error::JournalError;
use crate::format::{FORMAT_VERSION, SEAL_OFFSET, SEGMENT_HEADER_BYTES, Seal, SegmentHeader, StreamKind};
use crate::map::{Mapping, Prefault};
use crate::storage::{SegmentFile, Storage, StoredSegment};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Name of the n-th segment's file.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:08}.seg")
}

/// The number in a segment's file name; `None` for other files.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// How far the writer is in its segment. Written by the writer alone, read by the preparer.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Progress {
    /// Offset behind the last record; 0 while the segment is not in use.
    end: AtomicU64,
    last_sequence: AtomicU64,
    last_time: AtomicU64,
    records: AtomicU64,
    /// 0 open, 1 full, 2 the stream ends here.
    closed: AtomicU64,
}

/// One file of a stream.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    file: Box<dyn SegmentFile>,
    map: Mapping,
    progress: Progress,
}

impl Segment {
    /// Creates the file (never over an old one), reserves all of its blocks and maps it. `is_promised`: its flushes will be waited for.
    pub(crate) fn create(
        storage: &dyn Storage,
        folder: &Path,
        number: u64,
        bytes: u64,
        is_promised: bool,
    ) -> Result<Self, JournalError> {
        let path = folder.join(file_name(number));
        match storage.create(&path, bytes, is_promised) {
            Ok(StoredSegment { map, file }) => {
                Ok(Self { number, path, bytes, file, map, progress: Progress::default() })
            }
            Err(("create", source)) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(JournalError::AlreadyWritten { folder: folder.to_owned() })
            }
            Err((operation, source)) => Err(failure(operation, &path, bytes, source)),
        }
    }

    /// The writer takes it into use: publishes its header. Gives the CRC that the records' CRCs go on from.
    pub(crate) fn open(&self, kind: StreamKind, session: u64, created: i64, first_sequence: u64) -> u32 {
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            segment_bytes: self.bytes,
            number: self.number,
            first_sequence,
            session,
            created,
        };
        let (words, crc) = header.encode(kind);
        self.publish_last(0, &words);
        self.progress.last_sequence.store(first_sequence.wrapping_sub(1), Ordering::Relaxed);
        self.progress.end.store(SEGMENT_HEADER_BYTES as u64, Ordering::Release);
        crc
    }

    /// Stores a record: its body first, then the word that publishes it.
    ///
    /// Room for it (and that `first_word` is right) is the caller's care; words past the end are dropped.
    #[inline]
    pub(crate) fn publish(&self, first_word: usize, record: &[u64]) {
        let cells = self.map.words().get(first_word..).unwrap_or(&[]);
        if let ([first_cell, cells @ ..], [first, body @ ..]) = (cells, record) {
            for (cell, word) in cells.iter().zip(body) {
                cell.store(*word, Ordering::Relaxed);
            }
            // SYNC POINT: record. A reader that sees this word sees the body; after a kill the page cache holds both or not this one.
            first_cell.store(*first, Ordering::Release);
        }
    }

    fn publish_last(&self, first_word: usize, words: &[u64]) {
        let cells = self.map.words().get(first_word..).unwrap_or(&[]);
        if let Some((last, body)) = words.split_last() {
            for (cell, word) in cells.iter().zip(body) {
                cell.store(*word, Ordering::Relaxed);
            }
            if let Some(cell) = cells.get(body.len()) {
                // SYNC POINT: header.
                cell.store(*last, Ordering::Release);
            }
        }
    }

    /// Stores a record and the zeros that lie behind it in `record`: as many words for each size, so no loop. What lies behind the record in
    /// the segment is zero anyway, and the writer's own next record.
    #[inline]
    pub(crate) fn publish_whole<const WORDS: usize>(&self, first_word: usize, record: &[u64; WORDS]) {
        match self.map.words().get(first_word..).and_then(|cells| cells.first_chunk::<WORDS>()) {
            Some(cells) => {
                for (cell, word) in cells.iter().zip(record).skip(1) {
                    cell.store(*word, Ordering::Relaxed);
                }
                // SYNC POINT: record. As in `publish`.
                cells[0].store(record[0], Ordering::Release);
            }
            // The last record of a segment may have fewer words behind it. It was found to fit, so what is dropped is zeros.
            None => self.publish(first_word, record),
        }
    }

    /// The writer tells how far it is.
    #[inline]
    pub(crate) fn advance(&self, end: u64, sequence: u64) {
        self.progress.last_sequence.store(sequence, Ordering::Relaxed);
        // SYNC POINT: progress. Whoever sees this end sees the number as it was then, or later.
        self.progress.end.store(end, Ordering::Release);
    }

    /// The writer is through with it and will never store into it again.
    pub(crate) fn close(&self, last_time: i64, records: u64, is_last: bool) {
        self.progress.last_time.store(last_time as u64, Ordering::Relaxed);
        self.progress.records.store(records, Ordering::Relaxed);
        // SYNC POINT: closed.
        self.progress.closed.store(if is_last { 2 } else { 1 }, Ordering::Release);
    }

    /// Offset behind the last record; 0 while not in use.
    pub(crate) fn end(&self) -> u64 {
        self.progress.end.load(Ordering::Acquire)
    }

    pub(crate) fn last_sequence(&self) -> u64 {
        self.progress.last_sequence.load(Ordering::Relaxed)
    }

    /// What its seal will say, once the writer has closed it.
    pub(crate) fn closed(&self) -> Option<Seal> {
        let closed = self.progress.closed.load(Ordering::Acquire);
        (closed != 0).then(|| Seal {
            end: self.end(),
            last_sequence: self.last_sequence(),
            last_time: self.progress.last_time.load(Ordering::Relaxed) as i64,
            records: self.progress.records.load(Ordering::Relaxed),
            is_last: closed == 2,
            chained: None,
        })
    }

    /// Waits until a byte range is on the disk.
    pub(crate) fn flush(&self, from: u64, to: u64) -> Result<(), JournalError> {
        self.file.flush(&self.map, from, to).map_err(|error| JournalError::io("flush", &self.path, error))
    }

    /// Makes pages present.
    pub(crate) fn load(&self, from: u64, to: u64) -> Result<Prefault, JournalError> {
        self.map
            .load(from as usize, to as usize)
            .map_err(|error| JournalError::io("prefault", &self.path, error))
    }

    /// Makes pages writable: for the first time, or again if they were flushed.
    pub(crate) fn prefault(&self, from: u64, to: u64) -> Result<Prefault, JournalError> {
        self.map
            .prefault(from as usize, to as usize)
            .map_err(|error| JournalError::io("prefault", &self.path, error))
    }

    /// Writes the seal (all records are on the disk), waits until it is there too, and gives the unused tail back. What stays is a
    /// multiple of the page and holds the end marker, if the segment has room for one.
    pub(crate) fn seal(&self, seal: &Seal) -> Result<(), JournalError> {
        let page = self.map.words();
        let mut covered = [0u64; 7];
        for (to, cell) in covered.iter_mut().zip(page) {
            *to = cell.load(Ordering::Relaxed);
        }
        let header_crc = crc32c::crc32c(bytemuck::cast_slice(&covered));
        self.publish(SEAL_OFFSET / 8, &seal.encode(header_crc));
        self.flush(0, SEGMENT_HEADER_BYTES as u64)?;
        self.file
            .truncate(seal.file_bytes(self.bytes))
            .map_err(|error| JournalError::io("truncate", &self.path, error))
    }

    /// Its memory, for hashing what is published.
    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.map.words()
    }

    /// Removes the file of a segment that was never used.
    pub(crate) fn discard(&self, storage: &dyn Storage) -> Result<(), JournalError> {
        storage.remove(&self.path).map_err(|error| JournalError::io("remove", &self.path, error))
    }
}

fn failure(operation: &'static str, path: &Path, bytes: u64, source: io::Error) -> JournalError {
    if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        JournalError::DiskFull { path: path.to_owned(), bytes }
    } else {
        JournalError::io(operation, path, source)
    }
}
